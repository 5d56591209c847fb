/* store/chunk.c -- a whole chunk: rows in, blobs out; and its fixed columns back.
 *
 *     block.sel -> chunk_sort -> order of rows
 *         fixed columns:  gather, put_ints/put_doubles, blob_seal
 *         each attribute: chunk_vals_gather, chunk_vals_encode,
 *                         described for the summary, ids to the filter
 *
 * Attribute columns are numbered in the order of (place, name), so that those of
 * one place are neighbours in the file too.
 *
 * Invariants: every column has exactly `rows` rows in the same order; a column in
 * which no row has a value is not written; nor is CLAIMED if no row has such a time.
 */
#include "store/chunk.h"

#include <stdlib.h>

#include "store/chunk_int.h"
#include "store/content.h"

enum { SCRATCH_PER_ROW = 256, SCRATCH_MIN = 1 << 20 };

struct encoder {
    enum table table;
    const struct block *in;
    const uint32_t *order;
    const uint32_t *elements;                      /* the same rows as columns of labels count them */
    uint32_t n;
    const int64_t *time_ns;                        /* in the chunk's order */
    struct arena *mem;
    struct chunk_out out;
    uint32_t cap_blobs;
    struct chunk_summary sum;
    struct chunk_col *cols;
    uint32_t ncols, cap_cols;
    struct filter_keys keys;
    struct fault *fault;
};

static void add_blob(struct encoder *c, uint32_t column, bool content, struct str data)
{
    *arena_push(c->mem, c->out.blobs, c->out.nblobs, c->cap_blobs) = (struct chunk_blob){ column, content, data };
}

/* --- fixed columns --------------------------------------------------------------------- */

static void range_of(const int64_t *v, uint32_t n, int64_t *ret_min, int64_t *ret_max)
{
    int64_t min = v[0], max = v[0];
    for (uint32_t i = 1; i < n; i++) {
        min = MIN(min, v[i]);
        max = MAX(max, v[i]);
    }
    *ret_min = min;
    *ret_max = max;
}

static enum err add_ints(struct encoder *c, enum chunk_fixed column, const int64_t *v, struct arena scratch)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, CHUNK_RAW_MAX);
    if (column == CHUNK_RECV)
        put_few_ints(&b, v, c->n, scratch);
    else
        put_ints(&b, v, c->n, scratch);
    struct str data;
    enum err e = blob_seal(&b, ENC_INT, column, c->mem, &data, c->fault);
    if (!e)
        add_blob(c, column, false, data);
    return e;
}

static int64_t *gather_i64(const struct encoder *c, const int64_t *from, struct arena *mem)
{
    int64_t *v = arena_new(mem, int64_t, c->n);
    for (uint32_t i = 0; i < c->n; i++)
        v[i] = from[c->order[i]];
    return v;
}

static int64_t *gather_u8(const struct encoder *c, const uint8_t *from, struct arena *mem)
{
    int64_t *v = arena_new(mem, int64_t, c->n);
    for (uint32_t i = 0; i < c->n; i++)
        v[i] = from[c->order[i]];
    return v;
}

static uint32_t bits_that_occur(const int64_t *v, uint32_t n)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < n; i++) {
        CHECK(v[i] >= 0 && v[i] < 8);
        bits |= 1u << v[i];
    }
    return bits;
}

static enum err add_times(struct encoder *c, struct arena scratch)
{
    struct chunk_summary *s = &c->sum;
    range_of(c->time_ns, c->n, &s->time_min, &s->time_max);
    enum err e = add_ints(c, CHUNK_TIME, c->time_ns, scratch);
    if (e)
        return e;
    int64_t *v = gather_i64(c, c->in->recv_ns, &scratch);
    range_of(v, c->n, &s->recv_min, &s->recv_max);
    e = add_ints(c, CHUNK_RECV, v, scratch);
    if (e || !c->in->claimed_ns)
        return e;

    v = gather_i64(c, c->in->claimed_ns, &scratch);
    for (uint32_t i = 0; i < c->n; i++) {
        if (v[i] == 0)
            continue;
        bool first = s->claimed_min == 0 && s->claimed_max == 0;
        s->claimed_min = first ? v[i] : MIN(s->claimed_min, v[i]);
        s->claimed_max = first ? v[i] : MAX(s->claimed_max, v[i]);
    }
    bool some = s->claimed_min != 0 || s->claimed_max != 0;
    return some ? add_ints(c, CHUNK_CLAIMED, v, scratch) : OK;
}

static enum err add_origin_and_seq(struct encoder *c, struct arena scratch)
{
    int64_t *v = gather_u8(c, c->in->origin, &scratch);
    c->sum.origins = bits_that_occur(v, c->n);
    enum err e = add_ints(c, CHUNK_ORIGIN, v, scratch);
    if (e)
        return e;
    uint64_t min = UINT64_MAX, max = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        uint64_t seq = c->in->seq[c->order[i]];
        min = MIN(min, seq);
        max = MAX(max, seq);
        v[i] = (int64_t)seq;
    }
    c->sum.seq_min = min;
    c->sum.seq_max = max;
    return add_ints(c, CHUNK_SEQ, v, scratch);
}

static enum err add_sample_columns(struct encoder *c, struct arena scratch)
{
    int64_t *v = gather_i64(c, c->in->start_ns, &scratch);
    range_of(v, c->n, &c->sum.start_min, &c->sum.start_max);
    enum err e = add_ints(c, CHUNK_START, v, scratch);
    if (e)
        return e;
    v = gather_u8(c, c->in->temporality, &scratch);
    c->sum.temporalities = bits_that_occur(v, c->n);
    e = add_ints(c, CHUNK_TEMPORALITY, v, scratch);
    if (e)
        return e;

    double *d = arena_new(&scratch, double, c->n);
    for (uint32_t i = 0; i < c->n; i++)
        d[i] = c->in->value[c->order[i]];
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, CHUNK_RAW_MAX);
    put_doubles(&b, d, c->n, scratch);
    struct str data;
    e = blob_seal(&b, ENC_DOUBLE, CHUNK_VALUE, c->mem, &data, c->fault);
    if (!e)
        add_blob(c, CHUNK_VALUE, false, data);
    return e;
}

/* --- attribute columns ------------------------------------------------------------------ */

static bool holds_content(enum table t, const struct chunk_vals *v)
{
    if (!is_content(t, v->key.place, v->key.name))
        return false;
    if (!v->code)
        return true;
    for (uint32_t k = 1; k < v->ndict; k++)
        if (is_content_value(v->key.place, &v->dict[k]))
            return true;
    return false;
}

/* The summary outlives the scratch that v is in. */
static void add_col(struct encoder *c, const struct chunk_vals *v, uint32_t column, bool content)
{
    struct chunk_col col = chunk_col_of(c->table, v);
    col.column = column;
    col.content = content;
    if (content) {
        col.values = NULL;
        col.nvalues = 0;
        col.ranged = false;
        col.min = col.max = 0;
    }
    struct value *values = arena_new(c->mem, struct value, (size_t)col.nvalues + 1);
    for (uint32_t i = 0; i < col.nvalues; i++)
        values[i] = col.values[i];
    col.values = col.nvalues ? values : NULL;
    *arena_push(c->mem, c->cols, c->ncols, c->cap_cols) = col;
}

static enum err add_column(struct encoder *c, const struct column *in, struct arena scratch)
{
    struct chunk_vals v;
    chunk_vals_gather(in, in->key.place == PLACE_LABEL ? c->elements : c->order, c->n, &scratch, &v);
    if (v.present == 0)
        return OK;
    if (c->ncols == CHUNK_ATTRS_MAX)
        return fault_set(c->fault, E_LIMIT, 0, "a chunk has more than %d columns", CHUNK_ATTRS_MAX);
    uint32_t column = CHUNK_ATTRS + c->ncols;
    struct str data;
    enum err e = chunk_vals_encode(&v, column, c->time_ns, c->mem, scratch, &data, c->fault);
    if (e)
        return e;
    bool content = holds_content(c->table, &v);
    add_blob(c, column, content, data);
    add_col(c, &v, column, content);
    if (chunk_filter_wants(v.key))
        chunk_filter_add(&c->keys, &v, c->mem);
    return OK;
}

static int column_cmp(const void *a, const void *b)
{
    const struct colkey *x = &(*(const struct column *const *)a)->key, *y = &(*(const struct column *const *)b)->key;
    return x->place != y->place ? (x->place < y->place ? -1 : 1) : str_cmp(x->name, y->name);
}

static enum err add_columns(struct encoder *c, struct arena scratch)
{
    uint32_t n = c->in->ncols;
    const struct column **cols = arena_new(&scratch, const struct column *, n);
    for (uint32_t i = 0; i < n; i++)
        cols[i] = &c->in->cols[i];
    if (n)
        qsort(cols, n, sizeof(struct column *), column_cmp);
    for (uint32_t i = 0; i < n; i++) {
        CHECK(i == 0 || column_cmp(&cols[i - 1], &cols[i]) != 0);
        enum err e = add_column(c, cols[i], scratch);
        if (e)
            return e;
    }
    return OK;
}

/* --- the chunk ------------------------------------------------------------------------------ */

static enum err encode(struct encoder *c, struct arena scratch)
{
    c->time_ns = gather_i64(c, c->in->time_ns, &scratch);
    enum err e = add_times(c, scratch);
    if (!e && c->table == TABLE_SAMPLE)
        e = add_sample_columns(c, scratch);
    if (!e)
        e = add_origin_and_seq(c, scratch);
    if (!e)
        e = add_columns(c, scratch);
    if (e)
        return e;

    c->sum.cols = c->cols;
    c->sum.ncols = c->ncols;
    e = chunk_summary_write(&c->sum, c->mem, &c->out.summary, c->fault);
    return e ? e : chunk_filter_write(&c->keys, c->mem, &c->out.filter, c->fault);
}

/* A block that stands in runs, as one that names the series of each row. */
static struct block by_row(const struct block *in, struct arena *mem)
{
    struct block b = *in;
    if (!in->run_end)
        return b;
    uint32_t *series = arena_raw(mem, uint32_t, b.n), *sel = arena_raw(mem, uint32_t, b.n);
    uint8_t *temporality = arena_raw(mem, uint8_t, b.n), *origin = arena_raw(mem, uint8_t, b.n);
    CHECK(b.nruns && b.run_end[b.nruns - 1] == b.n && b.nsel == b.n && !b.series);
    for (uint32_t run = 0, i = 0; run < b.nruns; run++)
        for (; i < b.run_end[run]; i++) {
            series[i] = run;
            sel[i] = i;
            temporality[i] = in->temporality[run];
            origin[i] = in->origin[run];
        }
    b.series = series;
    b.nseries = b.nruns;
    b.sel = sel;
    b.temporality = temporality;
    b.origin = origin;
    b.run_end = NULL;
    return b;
}

static const uint32_t *elements_of(const struct block *in, const uint32_t *order, struct arena *mem)
{
    if (!in->series)
        return order;
    uint32_t *of = arena_raw(mem, uint32_t, in->nsel);
    for (uint32_t i = 0; i < in->nsel; i++)
        of[i] = in->series[order[i]];
    return of;
}

enum err chunk_encode(enum table table, const struct block *in, uint32_t level, struct arena *mem, struct chunk_out *ret,
                      struct fault *f)
{
    CHECK(in->nsel > 0 && in->nsel <= CHUNK_ROWS_LIMIT && in->nsel <= in->n);
    struct block rows = by_row(in, mem);
    in = &rows;
    struct encoder c = {
        .table = table,
        .in = in,
        .n = in->nsel,
        .mem = mem,
        .fault = f,
        .out = { .table = table, .level = level, .rows = in->nsel },
        .sum = { .table = table, .level = level, .rows = in->nsel },
    };
    struct chunk_order order;
    chunk_sort(table, in, mem, &order);
    c.order = order.row;
    c.elements = elements_of(in, order.row, mem);
    CLEANUP(arena_done) struct arena scratch;
    arena_init(&scratch, SCRATCH_MIN + (size_t)in->n * SCRATCH_PER_ROW);
    enum err e = encode(&c, scratch);
    if (e)
        return e;
    c.out.t0 = c.sum.time_min;
    c.out.t1 = c.sum.time_max;
    *ret = c.out;
    return OK;
}

static bool has_value(const struct column *c, uint32_t row)
{
    if (c->code)
        return c->dict[column_code(c, row)].type != V_NONE;
    return !c->valid || bit_get(c->valid, row);
}

/* Where a column first has a value, as a position in sel from `from` on. */
static uint32_t first_value(const struct block *in, const struct column *c, uint32_t from, uint32_t n)
{
    bool by_series = in->series && c->key.place == PLACE_LABEL;
    for (uint32_t i = 0; i < n; i++)
        if (has_value(c, by_series ? in->series[in->sel[from + i]] : in->sel[from + i]))
            return i;
    return UINT32_MAX;
}

static int u32_cmp(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

uint32_t chunk_cut(const struct block *in, uint32_t from)
{
    CHECK(from < in->nsel);
    uint32_t n = MIN(in->nsel - from, (uint32_t)CHUNK_ROWS_MAX);
    if (in->ncols <= CHUNK_ATTRS_MAX)
        return n;
    /* The rows before the one that would bring the first column too many. */
    CLEANUP(mem_freep) uint32_t *first = mem_alloc(in->ncols * sizeof *first);
    for (uint32_t i = 0; i < in->ncols; i++)
        first[i] = first_value(in, &in->cols[i], from, n);
    qsort(first, in->ncols, sizeof *first, u32_cmp);
    n = MIN(n, first[CHUNK_ATTRS_MAX]);
    CHECK(n > 0);
    return n;
}

/* --- fixed columns back ----------------------------------------------------------------------- */

static enum err read_ints(struct chunk_payload p, enum chunk_fixed column, uint32_t rows, struct arena *mem, int64_t **ret,
                          struct fault *f)
{
    struct rd r = { .p = (const uint8_t *)p.raw.p, .end = (const uint8_t *)p.raw.p + p.raw.n };
    int64_t *v = arena_raw(mem, int64_t, rows);
    rd_ints(&r, v, rows);
    if (p.enc != ENC_INT || r.bad || r.p != r.end)
        return fault_set(f, E_CORRUPT, 0, "column %u does not decode", (unsigned)column);
    *ret = v;
    return OK;
}

static enum err read_bytes(struct chunk_payload p, enum chunk_fixed column, uint32_t rows, struct arena *mem, const uint8_t **ret,
                           struct fault *f)
{
    uint8_t *out = arena_raw(mem, uint8_t, rows);
    struct arena scratch = *mem;
    int64_t *v = NULL;
    enum err e = read_ints(p, column, rows, &scratch, &v, f);
    if (e)
        return e;
    uint64_t all = 0;
    for (uint32_t i = 0; i < rows; i++) {
        all |= (uint64_t)v[i];
        out[i] = (uint8_t)v[i];
    }
    if (all > UINT8_MAX)
        return fault_set(f, E_CORRUPT, 0, "column %u: not all are bytes", (unsigned)column);
    *ret = out;
    return OK;
}

static enum err read_values(struct chunk_payload p, uint32_t rows, struct arena *mem, const double **ret, struct fault *f)
{
    struct rd r = { .p = (const uint8_t *)p.raw.p, .end = (const uint8_t *)p.raw.p + p.raw.n };
    double *v = arena_raw(mem, double, rows);
    rd_doubles(&r, v, rows, *mem);
    if (p.enc != ENC_DOUBLE || r.bad || r.p != r.end)
        return fault_set(f, E_CORRUPT, 0, "column %d does not decode", CHUNK_VALUE);
    *ret = v;
    return OK;
}

enum err chunk_fixed_decode(struct chunk_payload p, enum chunk_fixed column, uint32_t rows, struct arena *mem, struct block *b,
                            struct fault *f)
{
    if (!blob_room(mem, p.raw.n, rows))
        return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", (unsigned)column);
    if (column == CHUNK_VALUE)
        return read_values(p, rows, mem, &b->value, f);
    if (column == CHUNK_TEMPORALITY || column == CHUNK_ORIGIN)
        return read_bytes(p, column, rows, mem, column == CHUNK_ORIGIN ? &b->origin : &b->temporality, f);
    int64_t *v = NULL;
    enum err e = read_ints(p, column, rows, mem, &v, f);
    if (e)
        return e;
    switch (column) {
    case CHUNK_TIME:
        b->time_ns = v;
        break;
    case CHUNK_RECV:
        b->recv_ns = v;
        break;
    case CHUNK_START:
        b->start_ns = v;
        break;
    case CHUNK_CLAIMED:
        b->claimed_ns = v;
        break;
    default:
        CHECK(column == CHUNK_SEQ);
        b->seq = (const uint64_t *)v;
    }
    return OK;
}

enum err chunk_fixed_read(const struct str blobs[CHUNK_FIXED_COUNT], uint32_t rows, struct arena *mem, struct block *ret,
                          struct fault *f)
{
    struct block b = *ret;
    b.n = rows;
    for (unsigned i = 0; i < CHUNK_FIXED_COUNT; i++) {
        if (!blobs[i].n)
            continue;
        struct chunk_payload p;
        enum err e = chunk_payload(blobs[i], i, rows, mem, &p, f);
        if (!e)
            e = chunk_fixed_decode(p, (enum chunk_fixed)i, rows, mem, &b, f);
        if (e)
            return e;
    }
    *ret = b;
    return OK;
}
