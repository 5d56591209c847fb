/* logql/windows.c -- see windows.h.
 *
 * What adds up (counts, sums, rates, means) needs no points. A number at t enters with
 * the first window that ends at or after t and leaves with the first that begins at or
 * after t: it is added to one cell and noted as leaving in another, whatever step and
 * range are, and running sums over the cells are the windows. When windows do not
 * overlap, a cell is a window and nothing leaves. Running sums carry their rounding
 * error along, so that what left is gone.
 *
 * Where windows do not overlap, a cell of the extreme, the first or last number is all
 * that those need, and a quantile the numbers in any order. Everything else keeps its
 * points, sorts them by time once and folds each window.
 *
 * Cells of a series cover the stretch of steps it lived in: Claude Code's series are
 * many and short.
 */
#include "logql/windows_int.h"

#include <stdlib.h>
#include <string.h>

#include "query/aggregate.h"
#include "query/sum.h"

uint32_t windows_find(const struct windows *w, int64_t t, struct wcursor *c)
{
    if (t <= w->start_ns) {
        *c = (struct wcursor){ INT64_MIN, w->start_ns, 0 };
        return 0;
    }
    int64_t k = (t - w->start_ns + w->step_ns - 1) / w->step_ns;
    if (k >= w->n)
        *c = (struct wcursor){ w->start_ns + (int64_t)(w->n - 1) * w->step_ns, INT64_MAX, w->n };
    else
        *c = (struct wcursor){ w->start_ns + (k - 1) * w->step_ns, w->start_ns + k * w->step_ns, (uint32_t)k };
    return c->k;
}

static uint32_t first_ending(const struct windows *w, int64_t t)
{
    struct wcursor c;
    return windows_find(w, t, &c);
}

bool windows_have(const struct windows *w, int64_t t)
{
    uint32_t k = first_ending(w, t);
    return k < w->n && t > w->start_ns + (int64_t)k * w->step_ns - w->range_ns;
}

void windows_span(const struct windows *w, int64_t *ret_from, int64_t *ret_to)
{
    *ret_from = w->start_ns - w->range_ns + 1;
    *ret_to = w->start_ns + (int64_t)(w->n - 1) * w->step_ns + 1;
}

/* ---- adding ----------------------------------------------------------------------------- */

struct wseries *windows_series(struct windows *w, uint32_t series)
{
    while (series >= w->nseries)
        *arena_push(w->ctx->mem, w->series, w->nseries, w->cap_series) = (struct wseries){ 0 };
    return &w->series[series];
}

struct wcell *windows_cell(struct windows *w, struct wseries *s, uint32_t k)
{
    CHECK(k < w->n);
    if (!s->ncells)
        s->from = k;
    if (k < s->from) {                             /* to the left: rare, rows come oldest first */
        uint32_t shift = s->from - k, n = s->ncells + shift;
        struct wcell *cells = arena_new(w->ctx->mem, struct wcell, n);
        for (uint32_t i = 0; i < s->ncells; i++)
            cells[i + shift] = s->cells[i];
        s->cells = cells;
        s->ncells = s->cap_cells = n;
        s->from = k;
    }
    uint32_t at = k - s->from;
    if (at >= s->cap_cells) {
        uint32_t cap = MIN(MAX(at + 1, s->cap_cells * 2), w->n - s->from);
        s->cells = arena_grow(w->ctx->mem, s->cells, sizeof *s->cells * s->cap_cells, sizeof *s->cells * cap, _Alignof(struct wcell));
        s->cap_cells = cap;
    }
    s->ncells = MAX(s->ncells, at + 1);
    return &s->cells[at];
}

enum { VALUES_FIRST = 8, VALUES_MOST = 1024 };     /* of a piece: as many as there are already, within these */

void windows_value_room(struct windows *w, struct wcell *c)
{
    uint32_t n = (uint32_t)MIN(MAX(c->count, (int64_t)VALUES_FIRST), (int64_t)VALUES_MOST);
    struct vchunk *fresh = arena_alloc_raw(w->ctx->mem, sizeof *fresh + sizeof fresh->v[0] * n, _Alignof(struct vchunk));
    fresh->before = c->values;
    fresh->n = n;
    c->values = fresh;
    c->next = fresh->v;
}

static void add_to_sums(struct windows *w, struct wseries *s, int64_t t, double v)
{
    struct wcell *c = windows_cell(w, s, first_ending(w, t));
    c->in += v;
    c->count++;
    if (!windows_overlap(w))
        return;
    uint32_t leaves = first_ending(w, t + w->range_ns);
    if (leaves < w->n) {
        c = windows_cell(w, s, leaves);
        c->out += v;
        c->count--;
    }
}

enum err windows_add(struct windows *w, uint32_t series, int64_t t, double v, struct fault *f)
{
    struct wseries *s = windows_series(w, series);
    enum cell_mode mode = windows_mode(w);
    switch (mode) {
    case CELL_SUM:
    case CELL_OVERLAP:
        add_to_sums(w, s, t, v);
        return OK;
    case CELL_VALUES:
        windows_value(w, windows_cell(w, s, first_ending(w, t)), v);
        return query_hold(w->ctx, 1, f);
    case CELL_NONE:
        *arena_push(w->ctx->mem, s->points, s->npoints, s->cap_points) = (struct point){ t, v };
        return query_hold(w->ctx, 1, f);
    default:
        cell_keep(mode, windows_cell(w, s, first_ending(w, t)), t, v);
        return OK;
    }
}

/* ---- results ------------------------------------------------------------------------------ */

static double additive_value(const struct windows *w, double sum, int64_t count)
{
    double v = w->op->mean ? sum / (double)count : sum;
    return w->op->per_second ? v / ((double)w->range_ns / 1e9) : v;
}

static void sum_cells(const struct windows *w, const struct wseries *s, struct tser *out)
{
    struct dd running = { 0 };
    int64_t count = 0;
    for (uint32_t k = s->from; k < w->n; k++) {
        struct wcell c = k - s->from < s->ncells ? s->cells[k - s->from] : (struct wcell){ 0 };
        if (windows_overlap(w)) {
            count += c.count;
            running = count ? dd_add(dd_add(running, c.in), -c.out) : (struct dd){ 0 };
        } else {
            count = c.count;
            running = (struct dd){ c.in, 0 };
        }
        if (count)
            out->v[k - out->from] = additive_value(w, dd_value(running), count);
        else if (k - s->from >= s->ncells)
            return;
    }
}

static double quantile_of_cell(const struct windows *w, const struct wcell *c, double *scratch)
{
    size_t n = 0;
    for (const struct vchunk *v = c->values; v; v = v->before) {
        size_t some = v == c->values ? (size_t)(c->next - v->v) : v->n;
        memcpy(scratch + n, v->v, sizeof *scratch * some);
        n += some;
    }
    CHECK(n == (size_t)c->count);
    return quantile_of(w->param, scratch, n);
}

static void show_cells(const struct windows *w, const struct wseries *s, double *scratch, struct tser *out)
{
    for (uint32_t i = 0; i < s->ncells; i++) {
        const struct wcell *c = &s->cells[i];
        if (c->count)
            out->v[s->from + i - out->from] = windows_mode(w) == CELL_VALUES ? quantile_of_cell(w, c, scratch) : c->in;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    return (x->t > y->t) - (x->t < y->t);
}

enum { RADIX_MIN = 256, RADIX_BITS = 11, RADIX = 1 << RADIX_BITS };

/* Stable, digit by digit of the time since the first one. */
static struct point *sort_by_digits(struct point *at, struct point *other, uint32_t n, int64_t t0, int64_t t1)
{
    uint64_t most = (uint64_t)t1 - (uint64_t)t0;
    for (uint32_t shift = 0; shift < 64 && most >> shift; shift += RADIX_BITS) {
        uint32_t starts[RADIX + 1] = { 0 };
        for (uint32_t i = 0; i < n; i++)
            starts[(((uint64_t)at[i].t - (uint64_t)t0) >> shift & (RADIX - 1)) + 1]++;
        for (uint32_t d = 1; d < RADIX; d++)
            starts[d] += starts[d - 1];
        for (uint32_t i = 0; i < n; i++)
            other[starts[((uint64_t)at[i].t - (uint64_t)t0) >> shift & (RADIX - 1)]++] = at[i];
        struct point *x = at;
        at = other;
        other = x;
    }
    return at;
}

/* Points of equal times stay in their order. Those of a small series are mostly sorted already. */
static struct point *sort_points(struct windows *w, struct point *at, uint32_t n)
{
    bool sorted = true;
    int64_t t0 = n ? at[0].t : 0, t1 = t0;
    for (uint32_t i = 1; i < n; i++) {
        sorted &= at[i - 1].t <= at[i].t;
        t0 = MIN(t0, at[i].t);
        t1 = MAX(t1, at[i].t);
    }
    if (sorted)
        return at;
    if (n >= RADIX_MIN)
        return sort_by_digits(at, arena_new(w->ctx->mem, struct point, n), n, t0, t1);
    qsort(at, n, sizeof *at, by_time);
    return at;
}

static void fold_points(const struct windows *w, const struct wseries *s, double *scratch, struct tser *out)
{
    uint32_t from = 0, to = 0;
    for (uint32_t k = out->from; k < w->n; k++) {
        int64_t end = w->start_ns + (int64_t)k * w->step_ns;
        while (to < s->npoints && s->points[to].t <= end)
            to++;
        while (from < to && s->points[from].t <= end - w->range_ns)
            from++;
        if (from == to)
            continue;
        struct window win = { s->points + from, to - from, end, w->range_ns, w->param, scratch };
        out->v[k - out->from] = w->op->fold(&win);
    }
}

enum { CHECK_EVERY = 64 };                         /* series between two looks at the clock */

enum err windows_result(struct windows *w, const struct labels *labels, struct vec *ret, struct fault *f)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < w->nseries; i++) {
        const struct wseries *s = &w->series[i];
        most = MAX(most, (uint64_t)s->npoints);
        for (uint32_t k = 0; k < s->ncells && windows_mode(w) == CELL_VALUES; k++)
            most = MAX(most, (uint64_t)s->cells[k].count);
    }
    double *scratch = arena_raw(w->ctx->mem, double, most + 1);
    for (uint32_t i = 0; i < w->nseries; i++) {
        struct wseries *s = &w->series[i];
        enum err e = i % CHECK_EVERY ? OK : query_check(w->ctx, f);
        if (e)
            return e;
        s->points = sort_points(w, s->points, s->npoints);
        uint32_t from = s->npoints ? first_ending(w, s->points[0].t) : s->from;
        if (!s->npoints && !s->ncells)
            continue;
        /* The last window that can hold what was last added. */
        struct tser *out = vec_add(w->ctx, ret, labels[i], from, w->n - from);
        if (w->op->adds)
            sum_cells(w, s, out);
        else if (s->ncells)
            show_cells(w, s, scratch, out);
        else
            fold_points(w, s, scratch, out);
        tser_trim(out);
    }
    vec_trim(ret);
    return OK;
}
