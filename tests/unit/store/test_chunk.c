/* tests/unit/store/test_chunk.c -- what is written into a chunk comes out of it, or
 * nothing does.
 *
 * Columns of each kind are written from row tables, then tables of random columns
 * (seed printed), then every byte of a small chunk is flipped.
 */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rows_model.h"
#include "store/chunk_int.h"

static double bits(uint64_t u)
{
    double d;
    memcpy(&d, &u, sizeof d);
    return d;
}

/* --- single columns ------------------------------------------------------------------- */

#define TEXT(lit)  { .type = V_STR, .s = { "" lit, sizeof(lit) - 1 } }
#define INT(v)   { .type = V_INT, .i = (v) }
#define DBL(v)   { .type = V_DOUBLE, .d = (v) }
#define BOOL(v)  { .type = V_BOOL, .b = (v) }
#define BYTES(lit) { .type = V_BYTES, .s = { "" lit, sizeof(lit) - 1 } }
#define JSON(lit)  { .type = V_JSON, .s = { "" lit, sizeof(lit) - 1 } }
#define NONE     { .type = V_NONE }

/* Each row is one column; `n` cells of it, repeated to fill the chunk. */
static const struct {
    const char *name;
    uint32_t n;
    struct value cells[8];
    bool plain;
} columns[] = {
    { "absent", 1, { NONE }, false },
    { "one text", 1, { TEXT("claude-code") }, false },
    { "empty text", 1, { TEXT("") }, false },
    { "empty and absent", 2, { TEXT(""), NONE }, false },
    { "two texts", 2, { TEXT("input"), TEXT("output") }, false },
    { "invalid UTF-8", 2, { TEXT("\xff\xfe\x80"), TEXT("\xc3") }, false },
    { "zero bytes", 2, { TEXT("a\0b"), TEXT("\0") }, false },
    { "uuids", 2, { TEXT("0f8fad5b-d9cb-469f-a165-70867728950e"), TEXT("7c9e6679-7425-40de-944b-e07fc1f90ae7") }, false },
    { "upper-case uuid", 2, { TEXT("0F8FAD5B-d9cb-469f-a165-70867728950e"), TEXT("x") }, false },
    { "uuid and other", 2, { TEXT("0f8fad5b-d9cb-469f-a165-70867728950e"), TEXT("unknown") }, false },
    { "uuid with a wrong dash", 1, { TEXT("0f8fad5bxd9cb-469f-a165-70867728950e") }, false },
    { "hex", 2, { TEXT("00ff00ff00ff00ff"), TEXT("deadbeefdeadbeef") }, false },
    { "hex of odd length", 2, { TEXT("00ff00ff0"), TEXT("deadbeef1") }, false },
    { "ids", 3, { TEXT("req_011Cf18765b887c217d62"), TEXT("req_011Ce642823c52637ac32"), TEXT("req_011C0000000000000001") }, false },
    { "ids of an odd prefix", 2, { TEXT("toolu_01b91860a1db6f4b652"), TEXT("toolu_01b91e9c4cff93ef9b2") }, false },
    { "ids, one of them longer", 2, { TEXT("req_011Cf18765b887c217d62"), TEXT("req_011Ce642823c52637ac3200") }, false },
    { "ids, one of them no hex", 2, { TEXT("req_011Cf18765b887c217d62"), TEXT("req_011Ce642823c52637ac3g") }, false },
    { "number texts", 4, { TEXT("0"), TEXT("-1"), TEXT("9223372036854775807"), TEXT("-9223372036854775808") }, false },
    { "not quite number texts", 4, { TEXT("007"), TEXT("+1"), TEXT("-0"), TEXT("9223372036854775808") }, false },
    { "iso times", 2, { TEXT("2026-11-23T10:00:00.000Z"), TEXT("1969-12-31T23:59:59.999Z") }, false },
    { "iso edges", 2, { TEXT("0000-01-01T00:00:00.000Z"), TEXT("9999-12-31T23:59:59.999Z") }, false },
    { "not iso times", 4, { TEXT("2026-02-30T10:00:00.000Z"), TEXT("2026-11-23T24:00:00.000Z"),
                            TEXT("2026-11-23T10:00:60.000Z"), TEXT("2026-11-23T10:00:00.000z") }, false },
    { "common prefix", 3, { TEXT("toolu_01abc"), TEXT("toolu_01"), TEXT("toolu_01xyz") }, false },
    { "ints", 3, { INT(0), INT(1), INT(-1) }, false },
    { "int edges", 4, { INT(INT64_MIN), INT(INT64_MAX), INT(0), INT(INT64_MIN + 1) }, false },
    { "int edges, plain", 4, { INT(INT64_MIN), INT(INT64_MAX), INT(0), INT(-1) }, true },
    { "ints with gaps, plain", 4, { INT(7), NONE, NONE, INT(INT64_MIN) }, true },
    { "constant, plain", 1, { INT(42) }, true },
    { "doubles", 4, { DBL(0.1), DBL(0.0123456), DBL(1e300), DBL(5e-324) }, false },
    { "special doubles", 6, { DBL(-0.0), DBL(0.0), DBL(INFINITY), DBL(-INFINITY), DBL(NAN), DBL(1.5) }, false },
    { "special doubles, plain", 6, { DBL(-0.0), DBL(0.0), DBL(INFINITY), DBL(-INFINITY), DBL(NAN), DBL(1.5) }, true },
    { "doubles with gaps, plain", 3, { DBL(0.25), NONE, DBL(1e15 + 0.3) }, true },
    { "constant double, plain", 1, { DBL(-0.0) }, true },
    { "bools", 3, { BOOL(true), BOOL(false), NONE }, false },
    { "bytes", 2, { BYTES("\x00\x01"), BYTES("") }, false },
    { "json", 2, { JSON("[1,2]"), JSON("{}") }, false },
    { "all types", 8, { TEXT("1"), INT(1), DBL(1), BOOL(true), BYTES("1"), JSON("1"), NONE, TEXT("x") }, false },
    { "same text, other types", 3, { TEXT("1"), BYTES("1"), JSON("1") }, false },
};

static const uint32_t lengths[] = { 1, 2, 3, 7, 8, 9, 255, 256, 257, 1000 };

static void test_columns(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(columns); i++) {
        for (size_t k = 0; k < LEN(lengths); k++) {
            struct arena mem;
            arena_init(&mem, (size_t)8 << 20);
            struct model m;
            model_init(&m, &mem, (enum table)(k % TABLE_COUNT), lengths[k], 1);
            m.plain[0] = columns[i].plain;
            for (uint32_t r = 0; r < m.n; r++)
                m.cells[r] = columns[i].cells[r % columns[i].n];
            char name[80];
            snprintf(name, sizeof name, "%s, %u rows", columns[i].name, m.n);
            model_round_trip(&m, name);
            arena_done(&mem);
        }
    }
}

/* Texts that are of a form but for one byte, whichever and wherever it is. */
static void test_nearly_of_a_form(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5bd9cb469fa16570867728950e", "req_011Cf18765b887c217d62",
        "2026-11-23T10:00:00.000Z", "9223372036854775807",
    };
    for (size_t k = 0; k < LEN(forms); k++) {
        struct str whole = str_c(forms[k]);
        for (size_t at = 0; at < whole.n; at++) {
            struct arena mem;
            struct model m;
            arena_init(&mem, (size_t)8 << 20);
            model_init(&m, &mem, TABLE_LOG, 256, 2);
            for (unsigned c = 0; c < 256; c++) {
                char *text = arena_cstr(&mem, whole);
                text[at] = (char)c;
                m.cells[2 * c] = value_str((struct str){ text, whole.n });
                m.cells[2 * c + 1] = c ? value_str(whole) : m.cells[0];      /* one that is not, among many that are */
            }
            model_round_trip(&m, forms[k]);
            arena_done(&mem);
        }
    }
}

/* NaNs keep their payload, as value and as attribute. */
static void test_nan_payloads(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)8 << 20);
    struct model m;
    model_init(&m, &mem, TABLE_SAMPLE, 1000, 2);
    m.plain[1] = true;
    static const uint64_t odd[] = { 0x7ff8000000000001, 0xfff0000000000002, 0x7ff0000000000002, 0x8000000000000000 };
    for (uint32_t i = 0; i < m.n; i++) {
        m.value[i] = bits(odd[i % LEN(odd)]);
        m.cells[i] = m.cells[m.n + i] = value_double(bits(odd[(i + 1) % LEN(odd)]));
    }
    model_round_trip(&m, "NaN payloads");
}

/* Columns that repeat the row's time are stored as such, and only if they do. */
static void test_times(void **state)
{
    (void)state;
    static const struct { const char *name; int64_t ns_off, iso_off; bool sparse; uint8_t enc[2]; } rows[] = {
        { "both equal", 0, 0, false, { ENC_TIME, ENC_TIME } },
        { "both equal, sparse", 0, 0, true, { ENC_TIME, ENC_TIME } },
        { "ns a little later", 1, 0, false, { ENC_TIME, ENC_TIME } },
        { "ns a week later", 7 * NS_PER_DAY, 0, false, { ENC_INT, ENC_TIME } },
        { "iso a minute later", 0, 60 * NS_PER_S, true, { ENC_TIME, ENC_TIME } },
        { "sub-ms", -1, 999, false, { ENC_TIME, ENC_TIME } },
    };
    for (size_t k = 0; k < LEN(rows); k++) {
        CLEANUP(arena_done) struct arena mem;
        arena_init(&mem, (size_t)8 << 20);
        struct model m;
        model_init(&m, &mem, TABLE_LOG, 500, 2);
        for (uint32_t i = 0; i < m.n; i++) {
            if (rows[k].sparse && i % 3)
                continue;
            m.cells[i] = value_int(m.time[i] + rows[k].ns_off);
            int64_t ms = (m.time[i] + rows[k].iso_off) / 1000000;
            m.cells[m.n + i] = value_str(arena_fmt(&mem, "2026-11-18T11:%02d:%02d.%03dZ", (int)(ms / 60000 % 60),
                                                   (int)(ms / 1000 % 60), (int)(ms % 1000)));
        }
        model_round_trip(&m, rows[k].name);

        struct block in = model_block(&m);
        struct chunk_out out;
        assert_int_equal(chunk_encode(TABLE_LOG, &in, 0, &mem, &out, NULL), OK);
        for (unsigned c = 0; c < 2; c++)
            assert_int_equal(out.blobs[out.nblobs - 2 + c].data.p[1], rows[k].enc[c]);
    }
}

static void test_time_edges(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)8 << 20);
    struct model m;
    model_init(&m, &mem, TABLE_SAMPLE, 6, 1);
    static const int64_t times[] = { INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1 };
    for (uint32_t i = 0; i < m.n; i++) {
        m.time[i] = m.start[i] = times[i];
        m.recv[i] = times[5 - i];
        m.claimed[i] = i & 1 ? ROW_NO_TIME : times[i];
        m.temporality[i] = (uint8_t)(i % 3);
        m.origin[i] = (uint8_t)(1 + i % 5);
        m.cells[i] = value_int(m.time[i]);
    }
    model_round_trip(&m, "time edges");
}

/* A megabyte in one value, 64 k rows, a million distinct bytes. */
static void test_large(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)128 << 20);
    struct model m;
    model_init(&m, &mem, TABLE_LOG, CHUNK_ROWS_MAX, 6);
    struct rng rng = { 7 };
    m.keys[3].name = S("prompt");
    char *big = arena_new(&mem, char, 1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        big[i] = (char)rng_next(&rng);
    for (uint32_t i = 0; i < m.n; i++) {
        m.recv[i] = (int64_t)((i / 50 * 7919 % 1300) * UINT64_C(1234567891));
        m.cells[i] = value_str(arena_fmt(&mem, "req_%016llx", (unsigned long long)rng_next(&rng)));
        m.cells[m.n + i] = value_str(arena_fmt(&mem, "%llu", (unsigned long long)rng_below(&rng, 3000)));
        m.cells[2 * m.n + i] = value_double((double)rng_below(&rng, 100000) / 1e6);
        m.cells[4 * m.n + i] = value_str(arena_fmt(&mem, "p%u", i % 700 ? i / 11 : i / 4000));     /* 2-byte steps, some back */
        m.cells[5 * m.n + i] = value_str(arena_fmt(&mem, "%u of many", i / 400));                   /* 1-byte steps */
        if (i % 30000 == 0)
            m.cells[3 * m.n + i] = value_str((struct str){ big, (1 << 20) - i });
    }
    model_round_trip(&m, "64 k rows");
}

/* --- random tables ---------------------------------------------------------------------- */

static struct value random_value(struct rng *r, struct arena *mem, unsigned kind)
{
    switch (kind) {
    case 0:
        return value_int((int64_t)rng_below(r, 5));
    case 1:
        return value_int((int64_t)rng_next(r) >> rng_below(r, 64));
    case 2:
        return value_double((double)(int64_t)rng_below(r, 1000000) / (double)(1 + rng_below(r, 4) * 999));
    case 3:
        return value_double(bits(rng_next(r)));
    case 4:
        return value_bool(rng_next(r) & 1);
    case 5:
        return value_str(arena_fmt(mem, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)rng_next(r), (unsigned)rng_below(r, 65536),
                                   (unsigned)rng_below(r, 4096), (unsigned)rng_below(r, 4096),
                                   (unsigned long long)rng_below(r, UINT64_C(1) << 48)));
    case 6:
        return value_str(arena_fmt(mem, "word%u", (unsigned)rng_below(r, 300)));
    case 7:
        return (struct value){ .type = V_JSON, .s = arena_fmt(mem, "[%u]", (unsigned)rng_below(r, 50)) };
    default: {
        size_t n = rng_below(r, 40);
        char *p = arena_new(mem, char, n + 1);
        for (size_t i = 0; i < n; i++)
            p[i] = (char)rng_next(r);
        return (struct value){ .type = kind & 1 ? V_BYTES : V_STR, .s = { p, n } };
    }
    }
}

enum { KINDS = 10 };

static void random_column(struct rng *r, struct model *m, uint32_t c)
{
    unsigned kind = (unsigned)rng_below(r, KINDS), absent = (unsigned)rng_below(r, 4), mixed = rng_below(r, 5) == 0;
    m->plain[c] = !mixed && kind <= 3 && rng_below(r, 2);
    for (uint32_t i = 0; i < m->n; i++) {
        if (absent && rng_below(r, absent + 1))
            continue;
        unsigned k = mixed ? (unsigned)rng_below(r, KINDS) : kind;
        m->cells[(size_t)c * m->n + i] = random_value(r, m->mem, k);
    }
    if (rng_below(r, 6) == 0) {                    /* a constant */
        for (uint32_t i = 1; i < m->n; i++)
            m->cells[(size_t)c * m->n + i] = m->cells[(size_t)c * m->n];
    }
}

static void random_model(struct rng *r, struct model *m, struct arena *mem)
{
    static const char *const names[] = { "session.id", "prompt", "event.name", "events" };
    model_init(m, mem, (enum table)rng_below(r, TABLE_COUNT), 1 + (uint32_t)rng_below(r, rng_below(r, 8) ? 700 : 3000), 1 + (uint32_t)rng_below(r, 12));
    bool requests = rng_below(r, 2);                /* rows come by many, at one time each */
    for (uint32_t i = 0; i < m->n; i++) {
        m->time[i] += (int64_t)rng_below(r, 5000) * 1000000;
        m->recv[i] = requests ? m->recv[i / 40 * 40] : m->recv[i];
        m->start[i] = rng_below(r, 2) ? 0 : m->time[i] - 1000;
        m->claimed[i] = rng_below(r, 50) ? 0 : (int64_t)rng_next(r);
        m->value[i] = random_value(r, mem, 2).d;
        m->temporality[i] = (uint8_t)rng_below(r, 3);
        m->origin[i] = (uint8_t)(1 + rng_below(r, 5));
    }
    for (uint32_t c = 0; c < m->ncols; c++) {
        if (c < LEN(names) && rng_below(r, 2))
            m->keys[c] = (struct colkey){ c == 3 ? PLACE_FIELD : PLACE_ATTR, str_c(names[c]) };
        random_column(r, m, c);
    }
}

/* What was decoded is encoded and decoded again: compaction will do just that. */
static void recode(const struct model *m, const char *name)
{
    struct block in = model_block(m);
    struct chunk_out out;
    struct fault f = { 0 };
    assert_int_equal(chunk_encode(m->table, &in, 0, m->mem, &out, &f), OK);
    struct chunk_summary s;
    assert_int_equal(chunk_summary_read(out.summary, m->mem, &s, &f), OK);
    struct str fixed[CHUNK_FIXED_COUNT] = { 0 };
    struct block b = in;
    b.claimed_ns = NULL;
    struct column *cols = arena_new(m->mem, struct column, s.ncols);
    for (uint32_t i = 0; i < out.nblobs; i++)
        if (out.blobs[i].column < CHUNK_FIXED_COUNT)
            fixed[out.blobs[i].column] = out.blobs[i].data;
    struct chunk_shape shape;
    assert_int_equal(chunk_shape_read(fixed[CHUNK_RUNS], s.rows, m->mem, &shape, &f), OK);
    assert_int_equal(chunk_fixed_read(fixed, &shape, m->mem, &b, &f), OK);
    for (uint32_t i = 0, k = 0; i < out.nblobs; i++) {
        if (out.blobs[i].column < CHUNK_ATTRS)
            continue;
        const struct chunk_col *col = s.cols + k;
        while (col->column != out.blobs[i].column)
            col++;
        assert_int_equal(chunk_column_read(out.blobs[i].data, col, &shape, b.time_ns, m->mem, &cols[k++], &f), OK);
    }
    b.cols = cols;
    b.ncols = s.ncols;
    struct chunk_out again;
    assert_int_equal(chunk_encode(m->table, &b, 1, m->mem, &again, &f), OK);
    model_check(m, &again, false, name);
    model_check(m, &again, true, name);
}

static void test_random(void **state)
{
    (void)state;
    const char *env = getenv("CHUNK_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 10) : 20261123;
    for (unsigned round = 0; round < 150; round++) {
        struct rng rng = { seed + round };
        char name[80];
        snprintf(name, sizeof name, "CHUNK_SEED=%llu", (unsigned long long)(seed + round));
        struct arena mem;
        arena_init(&mem, (size_t)32 << 20);
        struct model m;
        random_model(&rng, &m, &mem);
        model_round_trip(&m, name);
        recode(&m, name);
        arena_done(&mem);
    }
}

/* --- damage ------------------------------------------------------------------------------- */

/* Any flipped bit is noticed; a blob in another's place too. */
static void test_flips(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)32 << 20);
    struct model m;
    struct rng rng = { 99 };
    random_model(&rng, &m, &mem);
    struct block in = model_block(&m);
    struct chunk_out out;
    struct fault f = { 0 };
    assert_int_equal(chunk_encode(m.table, &in, 0, &mem, &out, &f), OK);
    model_flips(&m, &out);
}

/* --- order, cut, filter ------------------------------------------------------------------- */

static void test_order(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)8 << 20);
    struct model m;
    model_init(&m, &mem, TABLE_LOG, 300, 1);
    m.keys[0].name = S("session.id");
    struct rng rng = { 3 };
    for (uint32_t i = 0; i < m.n; i++) {
        m.time[i] = (int64_t)rng_below(&rng, 50);
        m.cells[i] = value_str(arena_fmt(&mem, "s%u", (unsigned)rng_below(&rng, 7)));
    }
    struct block in = model_block(&m), b = { 0 };
    struct chunk_out out;
    assert_int_equal(chunk_encode(TABLE_LOG, &in, 0, &mem, &out, NULL), OK);
    struct str fixed[CHUNK_FIXED_COUNT] = { 0 };
    for (uint32_t i = 0; i < out.nblobs; i++)
        if (out.blobs[i].column < CHUNK_FIXED_COUNT)
            fixed[out.blobs[i].column] = out.blobs[i].data;
    struct chunk_shape shape;
    assert_int_equal(chunk_shape_read(fixed[CHUNK_RUNS], m.n, &mem, &shape, NULL), OK);
    assert_int_equal(chunk_fixed_read(fixed, &shape, &mem, &b, NULL), OK);
    uint32_t changes = 0;
    for (uint32_t i = 1; i < b.n; i++) {
        const struct value *x = &m.cells[b.seq[i - 1] - MODEL_SEQ], *y = &m.cells[b.seq[i] - MODEL_SEQ];
        if (!value_eq(x, y)) {
            changes++;
            continue;
        }
        assert_true(b.time_ns[i - 1] < b.time_ns[i] ||
                    (b.time_ns[i - 1] == b.time_ns[i] && b.seq[i - 1] < b.seq[i]));
    }
    assert_int_equal(changes, 6);
}

/* More columns than a chunk has numbers: cut into chunks that each fit. */
static void test_cut(void **state)
{
    (void)state;
    enum { ROWS = 60, COLS = 9000 };
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)128 << 20);
    struct model m;
    model_init(&m, &mem, TABLE_LOG, ROWS, COLS);
    for (uint32_t c = 0; c < COLS; c++)
        m.cells[(size_t)c * ROWS + c % ROWS] = value_int(c);
    struct block in = model_block(&m);
    uint32_t at = 0, chunks = 0;
    while (at < in.nsel) {
        uint32_t n = chunk_cut(&in, at);
        assert_true(n > 0 && at + n <= in.nsel);
        struct block part = in;
        part.sel += at;
        part.nsel = n;
        struct chunk_out out;
        struct chunk_summary s;
        assert_int_equal(chunk_encode(TABLE_LOG, &part, 0, &mem, &out, NULL), OK);
        assert_int_equal(chunk_summary_read(out.summary, &mem, &s, NULL), OK);
        assert_int_equal(s.ncols, n * (COLS / ROWS));
        at += n;
        chunks++;
    }
    assert_int_equal(chunks, 3);                   /* 27 rows of 150 columns fit into 4,080 */
}

static void test_filter(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)8 << 20);
    struct model m;
    model_init(&m, &mem, TABLE_LOG, 2000, 3);
    m.keys[0].name = S("session.id");
    m.keys[1].name = S("prompt.id");
    m.keys[2] = (struct colkey){ PLACE_RESOURCE, S("session.id") };
    for (uint32_t i = 0; i < m.n; i++) {
        m.cells[i] = value_str(arena_fmt(&mem, "session-%u", i / 4));
        m.cells[m.n + i] = i & 1 ? value_int(i) : value_str(arena_fmt(&mem, "prompt-%u", i));
        m.cells[2 * m.n + i] = value_str(S("evil"));
    }
    struct block in = model_block(&m);
    struct chunk_out out;
    assert_int_equal(chunk_encode(TABLE_LOG, &in, 0, &mem, &out, NULL), OK);
    bool maybe = false;
    for (uint32_t i = 0; i < m.n; i++) {
        char text[VALUE_TEXT_MAX];
        assert_int_equal(chunk_filter_test(out.filter, m.cells[i].s, &maybe, NULL), OK);
        assert_true(maybe);
        assert_int_equal(chunk_filter_test(out.filter, value_text(&m.cells[m.n + i], text), &maybe, NULL), OK);
        assert_true(maybe);
    }
    assert_int_equal(chunk_filter_test(out.filter, S("evil"), &maybe, NULL), OK);
    assert_true(maybe);
    unsigned wrong = 0;
    for (unsigned i = 0; i < 20000; i++) {
        assert_int_equal(chunk_filter_test(out.filter, arena_fmt(&mem, "other-%u", i), &maybe, NULL), OK);
        wrong += maybe;
    }
    print_message("filter of %zu bytes for 2,501 keys: %.2f %% false positives\n", out.filter.n, wrong / 200.0);
    assert_true(wrong < 240);
    assert_int_equal(chunk_filter_test((struct str){ 0 }, S("x"), &maybe, NULL), OK);
    assert_true(maybe);
    char *bad = arena_cstr(&mem, out.filter);
    bad[20] ^= 1;
    assert_int_equal(chunk_filter_test((struct str){ bad, out.filter.n }, S("x"), &maybe, NULL), E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearly_of_a_form),
        cmocka_unit_test(test_columns), cmocka_unit_test(test_nan_payloads), cmocka_unit_test(test_times),
        cmocka_unit_test(test_time_edges), cmocka_unit_test(test_large),     cmocka_unit_test(test_random),
        cmocka_unit_test(test_flips),   cmocka_unit_test(test_order),        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
