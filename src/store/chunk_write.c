/* store/chunk_write.c -- a whole chunk: rows in, blobs out.
 *
 *     block.sel -> chunk_sort -> order of rows, runs -> chunk_shape_find -> moments, pieces
 *         fixed columns:  by row, by run or by moment, whatever is right and costs least
 *         each attribute: chunk_vals_gather, chunk_vals_encode,
 *                         described for the summary, ids to the filter
 *
 * A column is kept a value a run where it is constant in each; labels, temporality and origin
 * of samples always are.
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
enum { LEVEL_PATIENT = 2 };                        /* a day as a whole: written once, read for long */

struct encoder {
    enum table table;
    const struct block *in;
    struct chunk_order order;
    struct chunk_shape shape;
    struct chunk_moments moments;                  /* samples */
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

static enum err add_ints(struct encoder *c, enum chunk_fixed column, enum chunk_grain grain, const int64_t *v, struct arena scratch)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, CHUNK_RAW_MAX);
    uint32_t n = chunk_count(&c->shape, grain);
    if (column == CHUNK_RECV)
        put_few_ints(&b, v, n, scratch);
    else
        put_ints(&b, v, n, scratch);
    struct str data;
    enum err e = blob_seal(&b, (struct blob_kind){ .enc = ENC_INT, .grain = grain }, column, c->mem, &data, c->fault);
    if (!e)
        add_blob(c, column, false, data);
    return e;
}

static enum err add_pieces(struct encoder *c, enum chunk_fixed column, const int64_t *ints, const double *doubles, struct arena scratch)
{
    struct str data;
    enum err e = chunk_pieces_write(&c->shape, column, ints, doubles, c->mem, scratch, &data, c->fault);
    if (!e)
        add_blob(c, column, false, data);
    return e;
}

static int64_t *gather_i64(const struct encoder *c, const int64_t *from, struct arena *mem)
{
    int64_t *v = arena_raw(mem, int64_t, c->n);
    for (uint32_t i = 0; i < c->n; i++)
        v[i] = from[c->order.row[i]];
    return v;
}

/* The rows' values as those of runs; NULL if a run has several. */
static int64_t *as_runs(const struct encoder *c, const int64_t *v, struct arena *mem)
{
    int64_t *of = arena_raw(mem, int64_t, c->shape.nruns);
    for (uint32_t run = 0, i = 0; run < c->shape.nruns; run++) {
        of[run] = v[i];
        for (; i < c->shape.run_end[run]; i++)
            if (v[i] != of[run])
                return NULL;
    }
    return of;
}

/* The same of moments. */
static int64_t *as_moments(const struct encoder *c, const int64_t *v, struct arena *mem)
{
    int64_t *of = arena_raw(mem, int64_t, c->moments.n);
    uint8_t *seen = arena_new(mem, uint8_t, c->moments.n + 1u);
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t k = c->moments.of[i];
        if (seen[k] && of[k] != v[i])
            return NULL;
        seen[k] = 1;
        of[k] = v[i];
    }
    return of;
}

/* In the grain in which it costs least. */
static enum err add_any(struct encoder *c, enum chunk_fixed column, const int64_t *v, struct arena scratch)
{
    bool sample = c->table == TABLE_SAMPLE;
    int64_t *runs = as_runs(c, v, &scratch), *moments = sample ? as_moments(c, v, &scratch) : NULL;
    if (runs && moments && ints_cost(moments, c->moments.n) < ints_cost(runs, c->shape.nruns))
        runs = NULL;
    if (runs)
        return add_ints(c, column, CHUNK_BY_RUN, runs, scratch);
    if (moments)
        return add_ints(c, column, CHUNK_BY_MOMENT, moments, scratch);
    return sample ? add_pieces(c, column, v, NULL, scratch) : add_ints(c, column, CHUNK_BY_ROW, v, scratch);
}

/* Of bytes below 8; a value a run for samples. */
static enum err add_bytes(struct encoder *c, enum chunk_fixed column, const uint8_t *from, uint32_t *ret_bits, struct arena scratch)
{
    int64_t *v = arena_raw(&scratch, int64_t, c->n);
    uint32_t bits = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        v[i] = from[c->order.row[i]];
        CHECK(v[i] < 8);
        bits |= 1u << v[i];
    }
    *ret_bits = bits;
    int64_t *runs = as_runs(c, v, &scratch);
    CHECK(runs || c->table != TABLE_SAMPLE);
    return add_ints(c, column, runs ? CHUNK_BY_RUN : CHUNK_BY_ROW, runs ? runs : v, scratch);
}

static enum err add_times(struct encoder *c, struct arena scratch)
{
    struct chunk_summary *s = &c->sum;
    bool sample = c->table == TABLE_SAMPLE;
    enum chunk_grain grain = sample ? CHUNK_BY_MOMENT : CHUNK_BY_ROW;
    const int64_t *time = sample ? c->moments.time_ns : c->time_ns;
    const int64_t *recv = sample ? c->moments.recv_ns : gather_i64(c, c->in->recv_ns, &scratch);
    const int64_t *seq = sample ? c->moments.seq : gather_i64(c, (const int64_t *)c->in->seq, &scratch);
    uint32_t n = chunk_count(&c->shape, grain);
    range_of(time, n, &s->time_min, &s->time_max);
    range_of(recv, n, &s->recv_min, &s->recv_max);
    s->seq_min = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        s->seq_min = MIN(s->seq_min, (uint64_t)seq[i]);
        s->seq_max = MAX(s->seq_max, (uint64_t)seq[i]);
    }
    enum err e = add_ints(c, CHUNK_TIME, grain, time, scratch);
    if (!e)
        e = add_ints(c, CHUNK_RECV, grain, recv, scratch);
    return e ? e : add_ints(c, CHUNK_SEQ, grain, seq, scratch);
}

static enum err add_claimed(struct encoder *c, struct arena scratch)
{
    struct chunk_summary *s = &c->sum;
    if (!c->in->claimed_ns)
        return OK;
    int64_t *v = gather_i64(c, c->in->claimed_ns, &scratch);
    for (uint32_t i = 0; i < c->n; i++) {
        if (v[i] == 0)
            continue;
        bool first = s->claimed_min == 0 && s->claimed_max == 0;
        s->claimed_min = first ? v[i] : MIN(s->claimed_min, v[i]);
        s->claimed_max = first ? v[i] : MAX(s->claimed_max, v[i]);
    }
    bool some = s->claimed_min != 0 || s->claimed_max != 0;
    return some ? add_any(c, CHUNK_CLAIMED, v, scratch) : OK;
}

static enum err add_sample_columns(struct encoder *c, struct arena scratch)
{
    int64_t *v = gather_i64(c, c->in->start_ns, &scratch);
    range_of(v, c->n, &c->sum.start_min, &c->sum.start_max);
    enum err e = add_any(c, CHUNK_START, v, scratch);
    if (!e)
        e = add_bytes(c, CHUNK_TEMPORALITY, c->in->temporality, &c->sum.temporalities, scratch);
    if (!e && c->moments.step)
        e = add_pieces(c, CHUNK_STEPS, c->moments.step, NULL, scratch);
    if (e)
        return e;
    double *d = arena_raw(&scratch, double, c->n);
    for (uint32_t i = 0; i < c->n; i++)
        d[i] = c->in->value[c->order.row[i]];
    return add_pieces(c, CHUNK_VALUE, NULL, d, scratch);
}

static enum err add_fixed(struct encoder *c, struct arena scratch)
{
    struct str data;
    enum err e = chunk_shape_write(&c->shape, c->mem, &data, c->fault);
    if (e)
        return e;
    add_blob(c, CHUNK_RUNS, false, data);
    c->sum.runs = c->shape.nruns;
    e = add_times(c, scratch);
    if (!e)
        e = add_claimed(c, scratch);
    if (!e && c->table == TABLE_SAMPLE)
        e = add_sample_columns(c, scratch);
    return e ? e : add_bytes(c, CHUNK_ORIGIN, c->in->origin, &c->sum.origins, scratch);
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
    enum chunk_grain grain = c->table == TABLE_SAMPLE && in->key.place == PLACE_LABEL ? CHUNK_BY_RUN : CHUNK_BY_ROW;
    if (grain == CHUNK_BY_RUN)
        chunk_vals_gather(in, c->order.element, c->shape.nruns, &scratch, &v);
    else
        chunk_vals_gather(in, c->order.row, c->n, &scratch, &v);
    if (v.present == 0)
        return OK;
    if (grain == CHUNK_BY_ROW && chunk_vals_by_run(&v, &c->shape))
        grain = CHUNK_BY_RUN;
    if (c->ncols == CHUNK_ATTRS_MAX)
        return fault_set(c->fault, E_LIMIT, 0, "a chunk has more than %d columns", CHUNK_ATTRS_MAX);
    uint32_t column = CHUNK_ATTRS + c->ncols;
    struct str data;
    struct blob_kind how = { .grain = grain, .patient = c->sum.level >= LEVEL_PATIENT };
    enum err e = chunk_vals_encode(&v, column, how, grain == CHUNK_BY_ROW ? c->time_ns : NULL, c->mem, scratch, &data, c->fault);
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
    enum err e = add_fixed(c, scratch);
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
    chunk_sort(table, in, mem, &c.order);
    chunk_shape_find(table, in, &c.order, mem, &c.shape, &c.moments);
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
