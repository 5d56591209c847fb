/* tests/unit/store/rows_model.c -- see rows_model.h. */
#include "rows_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/content.h"

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->s += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

void model_init(struct model *m, struct arena *mem, enum table t, uint32_t n, uint32_t ncols)
{
    *m = (struct model){ .mem = mem, .table = t, .n = n, .ncols = ncols };
    m->time = arena_new(mem, int64_t, n);
    m->recv = arena_new(mem, int64_t, n);
    m->start = arena_new(mem, int64_t, n);
    m->claimed = arena_new(mem, int64_t, n);
    m->value = arena_new(mem, double, n);
    m->temporality = arena_new(mem, uint8_t, n);
    m->origin = arena_new(mem, uint8_t, n);
    m->seq = arena_new(mem, uint64_t, n);
    m->keys = arena_new(mem, struct colkey, ncols);
    m->cells = arena_new(mem, struct value, (size_t)n * ncols);
    m->plain = arena_new(mem, bool, ncols);
    for (uint32_t i = 0; i < n; i++) {
        m->time[i] = INT64_C(1795000000000000000) + i * INT64_C(1000000);
        m->recv[i] = m->time[i] + 5 * INT64_C(1000000);
        m->origin[i] = ORIGIN_OTLP;
        m->seq[i] = MODEL_SEQ + i;
    }
    for (uint32_t c = 0; c < ncols; c++)
        m->keys[c] = (struct colkey){ PLACE_ATTR, arena_fmt(mem, "column.%u", c) };
}

/* Two values are one entry if every bit is the same: NaNs and zeros keep theirs. */
static bool same(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == V_DOUBLE)
        return memcmp(&a->d, &b->d, sizeof a->d) == 0;
    return value_eq(a, b);
}

static struct column codes(const struct model *m, uint32_t c)
{
    uint32_t *code = arena_new(m->mem, uint32_t, m->n), nd = 1;
    struct value *dict = arena_new(m->mem, struct value, (size_t)m->n + 1);
    const struct value *cell = m->cells + (size_t)c * m->n;
    for (uint32_t i = 0; i < m->n; i++) {
        if (cell[i].type == V_NONE)
            continue;
        uint32_t k = nd > 64 ? nd - 64 : 1;        /* looks back a little: duplicates are allowed */
        while (k < nd && !same(&dict[k], &cell[i]))
            k++;
        if (k == nd)
            dict[nd++] = cell[i];
        code[i] = k;
    }
    return (struct column){ .key = m->keys[c], .code = code, .dict = dict, .ndict = nd };
}

static struct column numbers(const struct model *m, uint32_t c)
{
    const struct value *cell = m->cells + (size_t)c * m->n;
    int64_t *i64 = arena_new(m->mem, int64_t, m->n);
    double *f64 = arena_new(m->mem, double, m->n);
    uint8_t *valid = arena_new(m->mem, uint8_t, m->n / 8 + 1);
    struct column col = { .key = m->keys[c], .type = V_INT };
    bool full = true;
    for (uint32_t i = 0; i < m->n; i++) {
        if (cell[i].type == V_NONE) {
            full = false;
            continue;
        }
        valid[i >> 3] |= (uint8_t)(1 << (i & 7));
        col.type = cell[i].type;
        if (cell[i].type == V_INT)
            i64[i] = cell[i].i;
        else
            f64[i] = cell[i].d;
    }
    col.i64 = col.type == V_INT ? i64 : NULL;
    col.f64 = col.type == V_INT ? NULL : f64;
    col.valid = full ? NULL : valid;
    return col;
}

struct block model_block(const struct model *m)
{
    uint32_t *sel = arena_new(m->mem, uint32_t, m->n);
    for (uint32_t i = 0; i < m->n; i++)
        sel[i] = i;
    struct column *cols = arena_new(m->mem, struct column, m->ncols);
    for (uint32_t c = 0; c < m->ncols; c++)
        cols[c] = m->plain[c] ? numbers(m, c) : codes(m, c);
    return (struct block){
        .n = m->n, .sel = sel, .nsel = m->n, .time_ns = m->time, .recv_ns = m->recv, .start_ns = m->start,
        .claimed_ns = m->claimed, .value = m->value, .temporality = m->temporality, .origin = m->origin,
        .seq = m->seq, .cols = cols, .ncols = m->ncols,
    };
}

static struct str blob_of(const struct chunk_out *out, uint32_t column, bool dropped)
{
    for (uint32_t i = 0; i < out->nblobs; i++)
        if (out->blobs[i].column == column && !(dropped && out->blobs[i].content))
            return out->blobs[i].data;
    return (struct str){ 0 };
}

static void fail_row(const char *name, const char *what, uint32_t row)
{
    print_error("%s: row %u: %s differs\n", name, row, what);
    fail();
}

static void check_fixed(const struct model *m, const struct block *b, const char *name)
{
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t row = (uint32_t)(b->seq[i] - MODEL_SEQ);
        if (row >= m->n || b->time_ns[i] != m->time[row])
            fail_row(name, "time", i);
        if (b->recv_ns[i] != m->recv[row])
            fail_row(name, "receive time", row);
        if ((b->claimed_ns ? b->claimed_ns[i] : 0) != m->claimed[row])
            fail_row(name, "claimed time", row);
        if (b->origin[i] != m->origin[row])
            fail_row(name, "origin", row);
        if (m->table != TABLE_SAMPLE)
            continue;
        if (b->start_ns[i] != m->start[row] || b->temporality[i] != m->temporality[row])
            fail_row(name, "start or temporality", row);
        if (memcmp(&b->value[i], &m->value[row], sizeof(double)) != 0)
            fail_row(name, "value", row);
    }
}

static void check_column(const struct model *m, uint32_t c, const struct column *col, const struct block *b, const char *name)
{
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t row = (uint32_t)(b->seq[i] - MODEL_SEQ);
        struct value v = col ? column_value(col, i) : (struct value){ 0 };
        if (!same(&v, &m->cells[(size_t)c * m->n + row])) {
            char what[80];
            snprintf(what, sizeof what, "column %u (type %d)", c, (int)v.type);
            fail_row(name, what, row);
        }
    }
}

static void check_listed(const struct model *m, uint32_t c, const struct chunk_col *col, const char *name)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const struct value *v = &m->cells[(size_t)c * m->n + i];
        if (v->type == V_NONE)
            continue;
        if (!(col->types >> v->type & 1))
            fail_row(name, "summary's types", i);
        uint32_t k = 0;
        while (k < col->nvalues && !same(&col->values[k], v))
            k++;
        if (col->values && k == col->nvalues)
            fail_row(name, "summary's values", i);
        double d;
        if (col->ranged && (!value_num(v, &d) || !(d >= col->min && d <= col->max)))
            fail_row(name, "summary's range", i);
    }
}

static bool is_absent(const struct model *m, uint32_t c)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (m->cells[(size_t)c * m->n + i].type != V_NONE)
            return false;
    return true;
}

/* Selections of rows as queries make them: stretches, single rows, every so many. */
static const struct { uint32_t from, step, most; } selections[] = {
    { 0, 1, 1 }, { 0, 1, 10 }, { 5, 1, 40 }, { 100, 1, 3 }, { 0, 7, 1000 }, { 3, 64, 1000 }, { 1, 255, 1000 }, { 999, 1, 1 },
};

static uint32_t select_rows(size_t k, uint32_t rows, uint32_t *sel)
{
    uint32_t n = 0;
    for (uint32_t i = selections[k].from; i < rows && n < selections[k].most; i += selections[k].step)
        sel[n++] = i;
    return n;
}

/* Some rows read alone, and gathered from the whole column, are as in the whole column. */
static void check_some(struct str blob, const struct chunk_col *col, const struct chunk_shape *shape, const struct column *whole,
                       const struct block *b, struct arena mem, const char *name)
{
    struct chunk_payload p;
    uint32_t *sel = arena_new(&mem, uint32_t, b->n);
    assert_int_equal(chunk_payload(blob, col->column, b->n, &mem, &p, NULL), OK);
    for (size_t k = 0; k < LEN(selections); k++) {
        struct arena scratch = mem;
        struct column some, gathered;
        uint32_t n = select_rows(k, b->n, sel);
        if (!n)
            continue;
        int64_t *times = arena_new(&scratch, int64_t, n);
        for (uint32_t i = 0; i < n; i++)
            times[i] = b->time_ns[sel[i]];
        if (chunk_column_some(p, col, shape, times, sel, n, &scratch, &some, NULL))
            fail_row(name, "rows read alone", (uint32_t)k);
        column_gather(whole, sel, n, &scratch, &gathered);
        for (uint32_t i = 0; i < n; i++) {
            struct value want = column_value(whole, sel[i]), x = column_value(&some, i), y = column_value(&gathered, i);
            if (!same(&x, &want) || !same(&y, &want))
                fail_row(name, "a row read alone", sel[i]);
        }
    }
}

static const void *fixed_array(const struct block *b, uint32_t column)
{
    const void *all[] = {
        [CHUNK_TIME] = b->time_ns, [CHUNK_RECV] = b->recv_ns,               [CHUNK_START] = b->start_ns, [CHUNK_CLAIMED] = b->claimed_ns,
        [CHUNK_VALUE] = b->value,  [CHUNK_TEMPORALITY] = b->temporality,    [CHUNK_ORIGIN] = b->origin,  [CHUNK_SEQ] = b->seq,
    };
    return all[column];
}

static void check_fixed_some(const struct str *blobs, const struct block *b, struct arena mem, const char *name)
{
    uint32_t *sel = arena_new(&mem, uint32_t, b->n);
    for (uint32_t c = 0; c < CHUNK_FIXED_COUNT; c++) {
        struct chunk_payload p;
        size_t each = c == CHUNK_TEMPORALITY || c == CHUNK_ORIGIN ? 1 : 8;
        struct arena scratch = mem;
        if (!blobs[c].n || c == CHUNK_RUNS || c == CHUNK_STEPS || chunk_is_pieces(blobs[c]))
            continue;
        assert_int_equal(chunk_payload(blobs[c], c, b->n, &scratch, &p, NULL), OK);
        for (size_t k = 0; k < LEN(selections) && !p.grain; k++) {
            const void *got;
            uint32_t n = select_rows(k, b->n, sel);
            if (!n)
                continue;
            assert_int_equal(chunk_fixed_some(p, (enum chunk_fixed)c, b->n, sel, n, &scratch, &got, NULL), OK);
            for (uint32_t i = 0; i < n; i++)
                if (memcmp((const char *)got + i * each, (const char *)fixed_array(b, c) + sel[i] * each, each) != 0)
                    fail_row(name, "a fixed column's row read alone", sel[i]);
        }
    }
}

void model_check(const struct model *m, const struct chunk_out *out, bool dropped, const char *name)
{
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)64 << 20);
    struct fault f = { 0 };
    struct chunk_summary s;
    if (chunk_summary_read(out->summary, &mem, &s, &f))
        fail_msg("%s: %s", name, f.msg);
    assert_int_equal(s.rows, m->n);
    struct str fixed[CHUNK_FIXED_COUNT];
    for (unsigned i = 0; i < CHUNK_FIXED_COUNT; i++)
        fixed[i] = blob_of(out, i, false);
    struct block b = { 0 };
    struct chunk_shape shape;
    if (chunk_shape_read(fixed[CHUNK_RUNS], s.rows, &mem, &shape, &f) || chunk_fixed_read(fixed, &shape, &mem, &b, &f))
        fail_msg("%s: %s", name, f.msg);
    assert_int_equal(s.runs, shape.nruns);
    check_fixed(m, &b, name);
    check_fixed_some(fixed, &b, mem, name);

    for (uint32_t c = 0; c < m->ncols; c++) {
        const struct chunk_col *col = chunk_summary_col(&s, m->keys[c].place, m->keys[c].name);
        if (!col) {
            assert_true(is_absent(m, c));
            continue;
        }
        struct column got;
        if (chunk_column_read(blob_of(out, col->column, dropped), col, &shape, b.time_ns, &mem, &got, &f))
            fail_msg("%s: %s", name, f.msg);
        if (!dropped || !col->content) {
            check_column(m, c, &got, &b, name);
            check_some(blob_of(out, col->column, dropped), col, &shape, &got, &b, mem, name);
        } else {
            assert_int_equal(column_value(&got, 0).type, V_NONE);
        }
        check_listed(m, c, col, name);
    }
}

void model_round_trip(const struct model *m, const char *name)
{
    struct block in = model_block(m);
    struct chunk_out out;
    struct fault f = { 0 };
    if (chunk_encode(m->table, &in, 0, m->mem, &out, &f))
        fail_msg("%s: %s", name, f.msg);
    model_check(m, &out, false, name);
}

/* --- damage ------------------------------------------------------------------------------- */

static enum err read_damaged(const struct model *m, uint32_t column, struct str d, const struct chunk_shape *shape, struct arena *mem)
{
    struct chunk_col col = { .column = column };
    struct chunk_shape s;
    struct column got;
    struct block back = { 0 };
    struct str fixed[CHUNK_FIXED_COUNT] = { 0 };
    struct fault f = { 0 };
    if (column == CHUNK_RUNS)
        return chunk_shape_read(d, m->n, mem, &s, &f);
    if (column >= CHUNK_FIXED_COUNT)
        return chunk_column_read(d, &col, shape, m->time, mem, &got, &f);
    fixed[column] = d;
    return chunk_fixed_read(fixed, shape, mem, &back, &f);
}

static void flip_blob(const struct model *m, const struct chunk_blob *b, const struct chunk_shape *shape, struct arena *mem)
{
    char *copy = arena_new(mem, char, b->data.n);
    memcpy(copy, b->data.p, b->data.n);
    size_t step = b->data.n > 4000 ? 37 : 1;
    for (size_t at = 0; at < b->data.n; at += step) {
        struct arena scratch = *mem;
        copy[at] ^= (char)(1 << at % 8);
        enum err e = read_damaged(m, b->column, (struct str){ copy, b->data.n }, shape, &scratch);
        if (e != E_CORRUPT)
            fail_msg("column %u, byte %zu: %d instead of E_CORRUPT", b->column, at, (int)e);
        copy[at] ^= (char)(1 << at % 8);
    }
    uint32_t other = b->column + 1 == CHUNK_FIXED_COUNT ? 0 : b->column + 1;        /* right bytes, wrong column */
    assert_int_equal(read_damaged(m, other, b->data, shape, mem), E_CORRUPT);
}

void model_flips(const struct model *m, const struct chunk_out *out)
{
    struct arena *mem = m->mem;
    struct chunk_summary s;
    struct chunk_shape shape;
    struct fault f = { 0 };
    assert_int_equal(chunk_summary_read(out->summary, mem, &s, &f), OK);
    assert_int_equal(chunk_shape_read(blob_of(out, CHUNK_RUNS, false), m->n, mem, &shape, &f), OK);
    for (uint32_t i = 0; i < out->nblobs; i++)
        flip_blob(m, &out->blobs[i], &shape, mem);
    char *sum = arena_new(mem, char, out->summary.n);
    memcpy(sum, out->summary.p, out->summary.n);
    for (size_t at = 0; at < out->summary.n; at++) {
        struct arena scratch = *mem;
        sum[at] ^= 16;
        assert_int_equal(chunk_summary_read((struct str){ sum, out->summary.n }, &scratch, &s, &f), E_CORRUPT);
        sum[at] ^= 16;
        assert_int_equal(chunk_summary_read((struct str){ sum, at }, &scratch, &s, &f), E_CORRUPT);
    }
}
