/* promql/fn_over_time.c -- fold the samples of a window. */
#include <math.h>
#include <stdlib.h>

#include "promql/functions_int.h"

/* The sum or mean of a window of histograms; of a mixed one there is none. */
static bool histograms(struct window *w, bool mean)
{
    if (w->nh < w->n)
        return window_mixed(w);
    struct hist_sum s = { .mean = mean };
    for (size_t i = 0; i < w->n; i++)
        if (!hist_sum_add(w->q->mem, &s, w->h[i])) {
            window_note(w, true,
                        "vector contains a mix of histograms with exponential and custom buckets schemas for metric name");
            return false;
        }
    w->hist = hist_sum_end(w->q->mem, &s);
    note_remarks(w->ev, w->arg, s.remarks, "aggregation");
    return true;
}

static bool fn_sum(struct window *w, const double *args, double *ret)
{
    (void)args;
    if (w->nh)
        return histograms(w, false);
    struct ksum sum = { 0 };
    for (size_t i = 0; i < w->n; i++)
        ksum_add(&sum, w->v[i]);
    *ret = ksum_value(sum);
    return true;
}

/* A plain mean; where the sum would overflow, one that moves step by step. */
static bool fn_avg(struct window *w, const double *args, double *ret)
{
    (void)args;
    if (w->nh)
        return histograms(w, true);
    struct ksum sum = { w->v[0], 0 };
    size_t i = 1;
    for (; i < w->n; i++) {
        struct ksum next = sum;
        ksum_add(&next, w->v[i]);
        if (isinf(next.s))
            break;
        sum = next;
    }
    if (i == w->n) {
        *ret = sum.s / (double)w->n + sum.c / (double)w->n;
        return true;
    }
    struct ksum mean = { sum.s / (double)i, sum.c / (double)i };
    for (; i < w->n; i++) {
        double n = (double)(i + 1), share = (n - 1) / n;
        mean.s *= share;
        mean.c *= share;
        ksum_add(&mean, w->v[i] / n);
    }
    *ret = mean.s + mean.c;
    return true;
}

static bool fn_count(struct window *w, const double *args, double *ret)
{
    (void)args;
    *ret = (double)w->n;
    return true;
}

static bool fn_one(struct window *w, const double *args, double *ret)
{
    (void)w, (void)args;
    *ret = 1;
    return true;
}

/* One sample of the window, whatever it is. */
static bool sample(struct window *w, size_t i, double *ret)
{
    *ret = w->v[i];
    if (w->h && w->h[i])
        w->hist = hist_copy(w->q->mem, w->h[i]);
    return true;
}

static bool fn_last(struct window *w, const double *args, double *ret)
{
    (void)args;
    return sample(w, w->n - 1, ret);
}

static bool fn_first(struct window *w, const double *args, double *ret)
{
    (void)args;
    return sample(w, 0, ret);
}

/* The greatest value (sign 1) or the smallest (-1), and where: the last of equals
 * when `late`, else the first. NaN only if there is nothing else. */
static size_t extreme(const struct window *w, double sign, bool late)
{
    size_t best = 0;
    for (size_t i = 0; i < w->n; i++) {
        double a = sign * w->v[i], b = sign * w->v[best];
        if (a > b || isnan(b) || (late && a == b))
            best = i;
    }
    return best;
}

static bool fn_max(struct window *w, const double *args, double *ret)
{
    (void)args;
    *ret = w->v[extreme(w, 1, false)];
    return true;
}

static bool fn_min(struct window *w, const double *args, double *ret)
{
    (void)args;
    *ret = w->v[extreme(w, -1, false)];
    return true;
}

static bool fn_ts_of_max(struct window *w, const double *args, double *ret)
{
    (void)args;
    *ret = (double)w->t[extreme(w, 1, true)] / 1000;
    return true;
}

static bool fn_ts_of_min(struct window *w, const double *args, double *ret)
{
    (void)args;
    *ret = (double)w->t[extreme(w, -1, true)] / 1000;
    return true;
}

static bool fn_ts_of_last(struct window *w, const double *args, double *ret)
{
    (void)args;
    *ret = (double)w->t[w->n - 1] / 1000;
    return true;
}

static bool fn_ts_of_first(struct window *w, const double *args, double *ret)
{
    (void)args;
    *ret = (double)w->t[0] / 1000;
    return true;
}

static double variance(const struct window *w)
{
    struct ksum mean = { 0 }, aux = { 0 };
    for (size_t i = 0; i < w->n; i++) {
        double delta = w->v[i] - (mean.s + mean.c);
        ksum_add(&mean, delta / (double)(i + 1));
        ksum_add(&aux, delta * (w->v[i] - (mean.s + mean.c)));
    }
    return (aux.s + aux.c) / (double)w->n;
}

static bool fn_stdvar(struct window *w, const double *args, double *ret)
{
    (void)args;
    *ret = variance(w);
    return true;
}

static bool fn_stddev(struct window *w, const double *args, double *ret)
{
    (void)args;
    *ret = sqrt(variance(w));
    return true;
}

static double *copied(const struct window *w)
{
    double *v = mem_alloc(sizeof *v * w->n);
    memcpy(v, w->v, sizeof *v * w->n);
    return v;
}

static bool fn_quantile(struct window *w, const double *args, double *ret)
{
    double *v = copied(w);
    *ret = quantile_of(args[0], v, w->n);
    mem_free(v);
    return true;
}

/* Median of the distances to the median; undefined with a NaN among the values. */
static bool fn_mad(struct window *w, const double *args, double *ret)
{
    (void)args;
    double *v = copied(w);
    bool nan = false;
    for (size_t i = 0; i < w->n; i++)
        nan |= isnan(v[i]);
    double median = quantile_of(0.5, v, w->n);
    for (size_t i = 0; i < w->n; i++)
        v[i] = fabs(v[i] - median);
    *ret = nan ? NAN : quantile_of(0.5, v, w->n);
    mem_free(v);
    return true;
}

#define ROW(text, fn, flags) { S(text), { T_MATRIX }, 0, T_VECTOR, FN_WINDOW, flags, .window = fn }
#define TILED(text, fn, flags, kind) { S(text), { T_MATRIX }, 0, T_VECTOR, FN_WINDOW, flags, .window = fn, .tile = kind }

const struct fn_def fns_over_time[] = {
    TILED("sum_over_time", fn_sum, FN_HISTOGRAMS, TILE_SUM),
    ROW("avg_over_time", fn_avg, FN_HISTOGRAMS),
    TILED("min_over_time", fn_min, 0, TILE_MIN),
    TILED("max_over_time", fn_max, 0, TILE_MAX),
    TILED("count_over_time", fn_count, FN_HISTOGRAMS | FN_NO_BASE, TILE_COUNT),
    TILED("present_over_time", fn_one, FN_HISTOGRAMS | FN_NO_BASE, TILE_PRESENT),
    ROW("absent_over_time", fn_one, FN_HISTOGRAMS | FN_NO_BASE | FN_ABSENT),
    TILED("last_over_time", fn_last, FN_HISTOGRAMS | FN_KEEP_NAME, TILE_LAST),
    TILED("first_over_time", fn_first, FN_HISTOGRAMS | FN_KEEP_NAME, TILE_FIRST),
    ROW("stddev_over_time", fn_stddev, 0),
    ROW("stdvar_over_time", fn_stdvar, 0),
    ROW("mad_over_time", fn_mad, 0),
    ROW("ts_of_first_over_time", fn_ts_of_first, FN_HISTOGRAMS | FN_NO_BASE),
    ROW("ts_of_last_over_time", fn_ts_of_last, FN_HISTOGRAMS | FN_NO_BASE),
    ROW("ts_of_max_over_time", fn_ts_of_max, FN_NO_BASE),
    ROW("ts_of_min_over_time", fn_ts_of_min, FN_NO_BASE),
    { S("quantile_over_time"), { T_SCALAR, T_MATRIX }, 0, T_VECTOR, FN_WINDOW, 0, .window = fn_quantile },
    { .name = { 0 } },
};
