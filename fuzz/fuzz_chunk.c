/* fuzz/fuzz_chunk.c -- the chunk codec against arbitrary bytes.
 *
 * The first byte says how the rest is used: as a blob with a checksum put right, as
 * a payload under any encoding, or as rows of events or samples that are written, read back
 * and compared.
 * Nothing may crash, and what was written comes back.
 */
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "store/chunk_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS_MAX = 300, COLUMN = CHUNK_ATTRS };

static const int64_t *times(struct arena *mem, uint32_t rows)
{
    int64_t *t = arena_new(mem, int64_t, rows);
    for (uint32_t i = 0; i < rows; i++)
        t[i] = INT64_C(1795000000000000000) + i * INT64_C(1000000);
    return t;
}

/* Every value that decoded must be readable: the sanitizers look. */
static uint64_t touch(const struct column *c, uint32_t rows)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rows; i++) {
        struct value v = column_value(c, i);
        if (v.type == V_STR || v.type == V_JSON || v.type == V_BYTES)
            sum += hash64(v.s, 0);
        else
            sum += (uint64_t)v.type;
    }
    return sum;
}

/* A shape as a chunk of samples may have it: runs of three rows, pieces of ten or eleven, every
 * row of a moment of its own. */
static struct chunk_shape shape(struct arena *mem, uint32_t rows)
{
    uint32_t *end = arena_new(mem, uint32_t, rows), *moment = arena_new(mem, uint32_t, rows), *piece = arena_new(mem, uint32_t, rows);
    struct chunk_shape s = { .rows = rows, .nmoments = rows, .run_end = end, .moment = moment, .piece_end = piece };
    for (uint32_t i = 0; i < rows; i++) {
        if (i % 3 == 0)
            moment[s.nruns] = i;
        if (i % 3 == 2 || i + 1 == rows)
            end[s.nruns++] = i + 1;
        if (i % 11 == 9 || i + 1 == rows)
            piece[s.npieces++] = i + 1;
    }
    return s;
}

/* Every third row from the second on, of an attribute and of each fixed column. */
static void read_some(struct str blob, const struct chunk_col *col, const struct chunk_shape *s, struct arena *mem)
{
    uint32_t rows = s->rows;
    struct chunk_payload p;
    struct column c;
    const void *array;
    uint32_t *sel = arena_new(mem, uint32_t, rows), n = 0;
    for (uint32_t i = 1; i < rows; i += 3)
        sel[n++] = i;
    if (n && !chunk_payload(blob, COLUMN, rows, mem, &p, NULL) && !chunk_column_some(p, col, s, times(mem, n), sel, n, mem, &c, NULL))
        (void)touch(&c, n);
    for (unsigned i = 0; n && i < CHUNK_FIXED_COUNT; i++)
        if (!chunk_payload(blob, i, rows, mem, &p, NULL))
            (void)!chunk_fixed_some(p, (enum chunk_fixed)i, rows, sel, n, mem, &array, NULL);
}

/* Returns in how many ways the blob can be read. */
static unsigned read_all(struct str blob, uint32_t rows, struct arena *mem)
{
    unsigned n = 0;
    struct chunk_col col = { .key = { PLACE_ATTR, S("a") }, .column = COLUMN };
    struct column c;
    struct chunk_shape sh = shape(mem, rows), other;
    const uint32_t *of;
    if (!chunk_column_read(blob, &col, &sh, times(mem, rows), mem, &c, NULL))
        (void)touch(&c, rows);
    read_some(blob, &col, &sh, mem);
    struct chunk_summary s;
    n += chunk_summary_read(blob, mem, &s, NULL) == OK;
    if (!chunk_shape_read(blob, rows, mem, &other, NULL)) {
        n++;
        CHECK(other.nruns && other.run_end[other.nruns - 1] == rows);
        if (other.nmoments)
            (void)!chunk_moments_of(&other, NULL, mem, &of, NULL);
    }
    bool maybe;
    n += chunk_filter_test(blob, S("x"), &maybe, NULL) == OK;
    for (unsigned i = 0; i < CHUNK_FIXED_COUNT; i++) {
        struct str blobs[CHUNK_FIXED_COUNT] = { 0 };
        struct block b = { 0 };
        blobs[i] = blob;
        n += chunk_fixed_read(blobs, &sh, mem, &b, NULL) == OK;
    }
    return n;
}

/* The bytes as a blob whose checksum is right for whatever they are read as. */
static void as_blob(const uint8_t *p, size_t n, uint32_t rows, uint32_t what, struct arena *mem)
{
    uint8_t *blob = arena_new(mem, uint8_t, n + 8);
    if (n)
        memcpy(blob, p, n);
    uint64_t sum = hash64((struct str){ (char *)blob, n }, what);
    for (unsigned i = 0; i < 8; i++)
        blob[n + i] = (uint8_t)(sum >> 8 * i);
    (void)read_all((struct str){ (char *)blob, n + 8 }, rows, mem);
}

static void as_payload(const uint8_t *p, size_t n, uint8_t enc, uint32_t rows, uint32_t what, struct arena *mem)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, CHUNK_RAW_MAX);
    buf_put(&b, p, n);
    struct str blob;
    struct blob_kind kind = { .enc = (enum chunk_enc)(enc & 127), .grain = (enum chunk_grain)(n % 3), .pieces = enc >> 7 };
    if (!blob_seal(&b, kind, what, mem, &blob, NULL))
        (void)read_all(blob, rows, mem);
}

static struct value value_from(const uint8_t **p, const uint8_t *end)
{
    if (*p == end)
        return (struct value){ 0 };
    uint8_t tag = *(*p)++;
    size_t n = MIN((size_t)(tag >> 3), (size_t)(end - *p));
    uint64_t u = 0;
    for (size_t i = 0; i < MIN(n, (size_t)8); i++)
        u = u << 8 | (*p)[i];
    double d;
    memcpy(&d, &u, sizeof d);
    struct str s = { (const char *)*p, n };
    *p += n;
    switch (tag & 7) {
    case V_INT:
        return value_int((int64_t)u);
    case V_DOUBLE:
        return value_double(d);
    case V_BOOL:
        return value_bool(u & 1);
    case V_STR:
    case V_BYTES:
    case V_JSON:
        return (struct value){ .type = (enum vtype)(tag & 7), .s = s };
    default:
        return (struct value){ 0 };
    }
}

static void check_same(const struct value *a, const struct value *b)
{
    CHECK(a->type == b->type);
    if (a->type == V_DOUBLE)
        CHECK(memcmp(&a->d, &b->d, sizeof a->d) == 0);
    else
        CHECK(value_eq(a, b));
}

/* Rows read alone are as in the whole column. */
static void check_some(struct str blob, const struct chunk_col *col, const struct chunk_shape *s, const struct column *whole,
                       struct arena *mem)
{
    uint32_t rows = s->rows;
    struct chunk_payload p;
    struct column some;
    uint32_t *sel = arena_new(mem, uint32_t, rows), n = 0;
    int64_t *all = (int64_t *)(uintptr_t)times(mem, rows), *own = arena_new(mem, int64_t, rows);
    for (uint32_t i = rows / 3; i < rows; i += 1 + i % 2) {
        own[n] = all[i];
        sel[n++] = i;
    }
    CHECK(chunk_payload(blob, COLUMN, rows, mem, &p, NULL) == OK);
    CHECK(chunk_column_some(p, col, s, own, sel, n, mem, &some, NULL) == OK);
    for (uint32_t i = 0; i < n; i++) {
        struct value a = column_value(&some, i), b = column_value(whole, sel[i]);
        check_same(&a, &b);
    }
}

/* One column with a value from the bytes in each row. */
static void round_trip(const uint8_t *p, size_t n, uint32_t rows, struct arena *mem)
{
    const uint8_t *end = p + n;
    uint32_t *code = arena_new(mem, uint32_t, rows), *sel = arena_new(mem, uint32_t, rows);
    struct value *dict = arena_new(mem, struct value, (size_t)rows + 1);
    uint64_t *seq = arena_new(mem, uint64_t, rows);
    uint8_t *small = arena_new(mem, uint8_t, rows);
    bool some = false;
    for (uint32_t i = 0; i < rows; i++) {
        sel[i] = i;
        seq[i] = i;
        dict[i + 1] = value_from(&p, end);
        code[i] = i + 1;
        some |= dict[i + 1].type != V_NONE;
    }
    struct column col = { .key = { PLACE_ATTR, S("a") }, .code = code, .dict = dict, .ndict = rows + 1 };
    const int64_t *t = times(mem, rows);
    struct block in = { .n = rows, .sel = sel, .nsel = rows, .time_ns = t, .recv_ns = t, .origin = small, .seq = seq,
                        .cols = &col, .ncols = 1 };
    struct chunk_out out;
    CHECK(chunk_encode(TABLE_LOG, &in, 0, mem, &out, NULL) == OK);
    struct chunk_summary s;
    CHECK(chunk_summary_read(out.summary, mem, &s, NULL) == OK);
    CHECK(s.ncols == (some ? 1 : 0));
    if (!some)
        return;
    struct column got;
    struct chunk_shape sh;
    CHECK(out.blobs[0].column == CHUNK_RUNS && chunk_shape_read(out.blobs[0].data, rows, mem, &sh, NULL) == OK);
    CHECK(chunk_column_read(out.blobs[out.nblobs - 1].data, &s.cols[0], &sh, t, mem, &got, NULL) == OK);
    for (uint32_t i = 0; i < rows; i++) {          /* times ascend and there are no sessions: the order is the same */
        struct value v = column_value(&got, i);
        check_same(&v, &dict[code[i]]);
    }
    check_some(out.blobs[out.nblobs - 1].data, &s.cols[0], &sh, &got, mem);
}

/* Samples of a few series whose times, values and starts come from the bytes, by seq. */
static void round_trip_samples(const uint8_t *p, size_t n, uint32_t rows, struct arena *mem)
{
    enum { SERIES = 5 };
    static const struct value dict[SERIES + 1] = { { 0 }, { .type = V_STR, .s = { "a", 1 } }, { .type = V_STR, .s = { "b", 1 } },
                                                   { .type = V_STR, .s = { "c", 1 } }, { .type = V_STR, .s = { "d", 1 } },
                                                   { .type = V_STR, .s = { "e", 1 } } };
    static const uint32_t codes[SERIES] = { 1, 2, 3, 4, 5 };
    int64_t *v[3];
    double *value = arena_new(mem, double, rows);
    uint32_t *series = arena_new(mem, uint32_t, rows), *sel = arena_new(mem, uint32_t, rows);
    uint64_t *seq = arena_new(mem, uint64_t, rows);
    uint8_t *small = arena_new(mem, uint8_t, rows);
    for (size_t k = 0; k < LEN(v); k++)
        v[k] = arena_new(mem, int64_t, rows);
    for (uint32_t i = 0; i < rows; i++) {
        uint8_t x[12] = { 0 };
        memcpy(x, p, MIN(n, sizeof x));
        p += MIN(n, sizeof x);
        n -= MIN(n, sizeof x);
        sel[i] = i;
        seq[i] = i;
        series[i] = x[0] % SERIES;
        small[i] = x[1] % 3;
        v[0][i] = x[2] * INT64_C(1000000);
        v[1][i] = x[2] + (x[1] >> 4);
        v[2][i] = x[1] & 8 ? x[3] : 7;
        if (x[1] & 4)
            memcpy(&value[i], x + 4, sizeof *value);
        else
            value[i] = x[4] / 100.0 + x[5];
    }
    struct column col = { .key = { PLACE_LABEL, S("__name__") }, .code = codes, .dict = dict, .ndict = SERIES + 1 };
    struct block in = { .n = rows, .sel = sel, .nsel = rows, .time_ns = v[0], .recv_ns = v[1], .start_ns = v[2], .value = value,
                        .temporality = small, .origin = small, .seq = seq, .cols = &col, .ncols = 1, .series = series, .nseries = SERIES };
    struct chunk_out out;
    CHECK(chunk_encode(TABLE_SAMPLE, &in, 0, mem, &out, NULL) == OK);
    struct str fixed[CHUNK_FIXED_COUNT] = { 0 };
    for (uint32_t i = 0; i < out.nblobs; i++)
        if (out.blobs[i].column < CHUNK_FIXED_COUNT)
            fixed[out.blobs[i].column] = out.blobs[i].data;
    struct chunk_shape sh;
    struct block b = { 0 };
    CHECK(chunk_shape_read(fixed[CHUNK_RUNS], rows, mem, &sh, NULL) == OK && chunk_fixed_read(fixed, &sh, mem, &b, NULL) == OK);
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t k = b.seq[i];
        CHECK(k < rows && sel[k] == k);
        sel[k] = UINT32_MAX;                       /* each once */
        CHECK(b.time_ns[i] == v[0][k] && b.recv_ns[i] == v[1][k] && b.start_ns[i] == v[2][k] && b.temporality[i] == small[k]);
        CHECK(memcmp(&b.value[i], &value[k], sizeof *value) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct arena mem;
    arena_init(&mem, (size_t)16 << 20);
    static const uint32_t whats[] = { COLUMN, BLOB_SUMMARY, BLOB_FILTER, CHUNK_TIME, CHUNK_VALUE, CHUNK_ORIGIN, CHUNK_RUNS, CHUNK_STEPS };
    uint32_t rows = 1 + data[1] * (uint32_t)ROWS_MAX / 256, what = whats[data[0] / 4 % LEN(whats)];
    if (data[0] % 4 == 0)
        as_blob(data + 2, size - 2, rows, what, &mem);
    else if (data[0] % 4 == 1)
        as_payload(data + 3, size - 3, data[2], rows, what, &mem);
    else if (data[0] % 4 == 2)
        round_trip(data + 2, size - 2, rows, &mem);
    else
        round_trip_samples(data + 2, size - 2, rows, &mem);
    arena_done(&mem);
    return 0;
}
