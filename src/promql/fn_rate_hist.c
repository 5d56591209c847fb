/* promql/fn_rate_hist.c -- how native histograms change over a window.
 *
 * As with numbers: last minus first, and at each reset what there was before it is added
 * back; then extrapolated, or anchored, or smoothed. If the second histogram begins
 * anew, the first one does not matter, whatever its buckets are.
 *
 * Histograms that came as increments (OTLP delta) need none of that: what was added in a
 * window is their sum.
 */
#include <math.h>

#include "promql/functions_int.h"

static bool is_custom(const struct histogram *h)
{
    return h->schema == HIST_CUSTOM;
}

static bool incompatible(const struct window *w)
{
    window_note(w, true, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name");
    return false;
}

static void not_counter(const struct window *w)
{
    window_note(w, true, "this native histogram metric is not a counter:");
}

static void not_gauge(const struct window *w)
{
    window_note(w, true, "this native histogram metric is not a gauge:");
}

static bool subtract(struct window *w, struct histogram *a, const struct histogram *b)
{
    uint32_t remarks = 0;
    if (!hist_sub(w->q->mem, a, b, &remarks))
        return incompatible(w);
    note_remarks(w->ev, w->arg, remarks & HIST_RECONCILED, "subtraction");
    return true;
}

static bool add(struct window *w, struct histogram *a, const struct histogram *b)
{
    uint32_t remarks = 0;
    if (!hist_add(w->q->mem, a, b, &remarks))
        return incompatible(w);
    note_remarks(w->ev, w->arg, remarks & HIST_RECONCILED, "addition");
    return true;
}

static bool is_reset(const struct window *w, const struct histogram *now, const struct histogram *before)
{
    return hist_is_reset(*w->q->mem, now, before);
}

/* ---- extrapolated ---------------------------------------------------------- */

/* One kind of buckets from the second on, and the coarsest schema. */
static bool look_over(struct window *w, const struct histogram *first, bool counter, int32_t *ret_schema)
{
    const struct histogram *last = w->h[w->n - 1];
    if (is_custom(last) != is_custom(first))
        return incompatible(w);
    *ret_schema = MIN(last->schema, first->schema);
    for (size_t i = 1; i + 1 < w->n && counter; i++) {
        if (w->h[i]->hint == HINT_GAUGE)
            not_counter(w);
        if (is_custom(w->h[i]) != is_custom(first))
            return incompatible(w);
        *ret_schema = MIN(*ret_schema, w->h[i]->schema);
    }
    return true;
}

/* Last minus first, resets mended; NULL: there is no such thing. */
static struct histogram *difference(struct window *w, bool counter)
{
    const struct histogram *before = w->h[0], *second = w->h[1], *last = w->h[w->n - 1];
    struct histogram none = { .schema = second->schema, .bounds = second->bounds, .nbounds = second->nbounds };
    int32_t schema;
    if (counter && (before->hint == HINT_GAUGE || last->hint == HINT_GAUGE))
        not_counter(w);
    if (counter && is_reset(w, second, before))
        before = &none;
    if (!look_over(w, before, counter, &schema))
        return NULL;
    struct histogram coarse = is_custom(last) ? *last : histogram_coarsen(w->q->mem, last, schema);
    struct histogram *h = hist_copy(w->q->mem, &coarse);
    if (!subtract(w, h, before))
        return NULL;
    for (size_t i = 1; i < w->n && counter; i++) {
        if (is_reset(w, w->h[i], before) && !add(w, h, before))
            return NULL;
        before = w->h[i];
    }
    if (!counter && (w->h[0]->hint != HINT_GAUGE || last->hint != HINT_GAUGE))
        not_gauge(w);
    h->hint = HINT_GAUGE;
    hist_compact(h);
    return h;
}

static bool extrapolated(struct window *w, bool counter, bool per_second)
{
    if (w->n < 2)
        return false;
    struct histogram *h = difference(w, counter);
    if (!h)
        return false;
    double to_start = (double)(w->t[0] - w->start) / 1000, to_end = (double)(w->end - w->t[w->n - 1]) / 1000;
    double sampled = (double)(w->t[w->n - 1] - w->t[0]) / 1000, between = sampled / (double)(w->n - 1);
    if (to_start >= between * 1.1)
        to_start = between / 2;
    if (counter && h->count > 0 && w->h[0]->count >= 0)
        to_start = fmin(to_start, sampled * (w->h[0]->count / h->count));
    if (to_end >= between * 1.1)
        to_end = between / 2;
    double factor = (sampled + to_start + to_end) / sampled;
    hist_mul(h, per_second ? factor / w->range_s : factor);
    w->hist = h;
    return true;
}

/* ---- anchored, smoothed ---------------------------------------------------- */

const struct histogram *hist_between(struct query_ctx *q, const struct histogram *a, int64_t ta, const struct histogram *b,
                                     int64_t tb, int64_t t, bool counter)
{
    uint32_t ignored = 0;
    if (t == ta)
        return hist_copy(q->mem, a);
    struct histogram *h = hist_copy(q->mem, b);
    if (t == tb)
        return h;
    double share = (double)(t - ta) / (double)(tb - ta);
    if (counter && hist_is_reset(*q->mem, b, a)) {
        hist_mul(h, share);
        return h;
    }
    if (!hist_sub(q->mem, h, a, &ignored))
        return NULL;
    hist_mul(h, share);
    return hist_add(q->mem, h, a, &ignored) ? h : NULL;
}

/* The samples of the window that the change is taken between. */
struct extent {
    size_t first, last;
    const struct histogram *left, *right;
};

static bool find_extent(struct window *w, bool counter, struct extent *x)
{
    struct query_ctx *q = w->q;
    *x = (struct extent){ 0, w->n - 1, NULL, NULL };
    while (x->first + 1 < w->n && w->t[x->first + 1] <= w->start)
        x->first++;
    if (w->smoothed)
        for (x->last = 0; x->last + 1 < w->n && w->t[x->last] < w->end;)
            x->last++;
    if (w->t[x->last] <= w->start || (w->smoothed && w->t[x->first] > w->end))
        return false;
    for (size_t i = x->first; i <= x->last; i++) {
        if (is_custom(w->h[i]) != is_custom(w->h[x->first]))
            return incompatible(w);
        if (counter && w->h[i]->hint == HINT_GAUGE)
            not_counter(w);
    }
    bool cut_left = w->smoothed && w->t[x->first] < w->start, cut_right = w->smoothed && x->last && w->t[x->last] > w->end;
    x->left = w->h[x->first];
    x->right = w->h[x->last];
    if (cut_left)
        x->left = hist_between(q, x->left, w->t[x->first], w->h[x->first + 1], w->t[x->first + 1], w->start, counter);
    if (cut_right)
        x->right = hist_between(q, w->h[x->last - 1], w->t[x->last - 1], x->right, w->t[x->last], w->end, counter);
    return x->left && x->right;
}

/* Adds back what there was before each reset. One that an end was interpolated over is
 * accounted for in that end. */
static bool add_resets(struct window *w, const struct extent *x, struct histogram *h)
{
    const struct histogram *before = x->left;
    size_t i = x->first + 1;
    bool cut_left = w->smoothed && w->t[x->first] < w->start;
    if (cut_left && is_reset(w, w->h[i], w->h[x->first]))
        before = w->h[i++];
    if (i > x->last)
        return true;
    for (; i < x->last; i++) {
        if (is_reset(w, w->h[i], before) && !add(w, h, before))
            return false;
        before = w->h[i];
    }
    return !is_reset(w, x->right, before) || add(w, h, before);
}

static bool extended(struct window *w, bool counter, bool per_second)
{
    struct extent x;
    if (!find_extent(w, counter, &x))
        return false;
    if (!counter && (x.left->hint != HINT_GAUGE || x.right->hint != HINT_GAUGE))
        not_gauge(w);
    struct histogram *h = hist_copy(w->q->mem, x.right);
    if (!subtract(w, h, x.left) || (counter && !add_resets(w, &x, h)))
        return false;
    if (per_second)
        hist_div(h, w->range_s);
    h->hint = HINT_GAUGE;
    hist_compact(h);
    w->hist = h;
    return true;
}

/* ---- what fn_rate.c calls -------------------------------------------------- */

bool hist_change(struct window *w, bool counter, bool per_second)
{
    CHECK(w->n && w->nh == w->n);
    return w->anchored || w->smoothed ? extended(w, counter, per_second) : extrapolated(w, counter, per_second);
}

bool hist_last_two(struct window *w, bool counter)
{
    const struct histogram *a = w->h[w->n - 2], *b = w->h[w->n - 1];
    double seconds = (double)(w->t[w->n - 1] - w->t[w->n - 2]) / 1000;
    bool gauges = a->hint == HINT_GAUGE && b->hint == HINT_GAUGE;
    if (counter && (a->hint == HINT_GAUGE || b->hint == HINT_GAUGE))
        not_counter(w);
    else if (!counter && !gauges)
        not_gauge(w);
    struct histogram *h = hist_copy(w->q->mem, b);
    if (!(counter && is_reset(w, b, a)) && !subtract(w, h, a))
        return false;
    h->hint = HINT_GAUGE;
    hist_compact(h);
    if (counter)
        hist_div(h, seconds);
    w->hist = h;
    return true;
}

bool hist_increments(struct window *w, bool per_second)
{
    struct hist_sum sum = { 0 };
    for (size_t i = 0; i < w->n; i++)
        if (w->t[i] > w->start && w->t[i] <= w->end && !hist_sum_add(w->q->mem, &sum, w->h[i]))
            return incompatible(w);
    if (!sum.sum)
        return false;
    struct histogram *h = hist_sum_end(w->q->mem, &sum);
    if (per_second)
        hist_div(h, w->range_s);
    h->hint = HINT_GAUGE;
    w->hist = h;
    return true;
}
