/* logql/windows.c -- see windows.h.
 *
 * What adds up (counts, sums, rates, means) needs no points. A number at t enters with
 * the first window that ends at or after t and leaves with the first that begins at or
 * after t: it is added to one cell and noted as leaving in another, whatever step and
 * range are, and running sums over the cells are the windows. When windows do not
 * overlap, a cell is a window and nothing leaves. Running sums carry their rounding
 * error along, so that what left is gone.
 *
 * Everything else keeps its points, sorts them by time once and folds each window.
 *
 * Cells of a series cover the stretch of steps it lived in: Claude Code's series are
 * many and short.
 */
#include "logql/windows.h"

#include <stdlib.h>

#include "query/sum.h"

struct wcell {
    double in, out;
    int64_t count;                                 /* of points that enter, less those that leave */
};

struct wseries {
    struct wcell *cells;
    uint32_t from, ncells, cap_cells;              /* cells[i] is window from + i */
    struct point *points;
    uint32_t npoints, cap_points;
};

static bool overlapping(const struct windows *w)
{
    return w->range_ns > w->step_ns && w->n > 1;
}

/* The first window that ends at or after t, from 0 on; n: none. */
static uint32_t first_ending(const struct windows *w, int64_t t)
{
    if (t <= w->start_ns)
        return 0;
    int64_t k = (t - w->start_ns + w->step_ns - 1) / w->step_ns;
    return k < w->n ? (uint32_t)k : w->n;
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

static struct wcell *cell_at(struct windows *w, struct wseries *s, uint32_t k)
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

static void add_to_cells(struct windows *w, struct wseries *s, int64_t t, double v)
{
    struct wcell *c = cell_at(w, s, first_ending(w, t));
    c->in += v;
    c->count++;
    if (!overlapping(w))
        return;
    uint32_t leaves = first_ending(w, t + w->range_ns);
    if (leaves < w->n) {
        c = cell_at(w, s, leaves);
        c->out += v;
        c->count--;
    }
}

enum err windows_add(struct windows *w, uint32_t series, int64_t t, double v, struct fault *f)
{
    while (series >= w->nseries)
        *arena_push(w->ctx->mem, w->series, w->nseries, w->cap_series) = (struct wseries){ 0 };
    struct wseries *s = &w->series[series];
    if (w->op->adds) {
        add_to_cells(w, s, t, v);
        return OK;
    }
    *arena_push(w->ctx->mem, s->points, s->npoints, s->cap_points) = (struct point){ t, v };
    return query_hold(w->ctx, 1, f);
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
        if (overlapping(w)) {
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

static int by_time(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    return (x->t > y->t) - (x->t < y->t);
}

/* Blocks come in the order of time, so most series have theirs sorted already. */
static void sort_points(struct point *at, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (at[i - 1].t > at[i].t) {
            qsort(at, n, sizeof *at, by_time);
            return;
        }
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

enum err windows_result(struct windows *w, const struct labels *labels, struct vec *ret, struct fault *f)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < w->nseries; i++)
        most = MAX(most, w->series[i].npoints);
    double *scratch = arena_new(w->ctx->mem, double, most + 1);
    for (uint32_t i = 0; i < w->nseries; i++) {
        struct wseries *s = &w->series[i];
        enum err e = query_check(w->ctx, f);
        if (e)
            return e;
        sort_points(s->points, s->npoints);
        uint32_t from = s->npoints ? first_ending(w, s->points[0].t) : s->from;
        if (!s->npoints && !s->ncells)
            continue;
        /* The last window that can hold what was last added. */
        struct tser *out = vec_add(w->ctx, ret, labels[i], from, w->n - from);
        if (w->op->adds)
            sum_cells(w, s, out);
        else
            fold_points(w, s, scratch, out);
        tser_trim(out);
    }
    vec_trim(ret);
    return OK;
}
