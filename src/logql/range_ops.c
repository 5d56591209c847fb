/* logql/range_ops.c -- the range aggregations. Sums, counts and rates are additive
 * and never see a window; the others fold its points. */
#include "logql/range_ops.h"

#include <math.h>

#include "base/clock.h"
#include "query/aggregate.h"

static double fold_min(const struct window *w)
{
    double m = w->at[0].v;
    for (size_t i = 1; i < w->n; i++)
        if (w->at[i].v < m || isnan(m))
            m = w->at[i].v;
    return m;
}

static double fold_max(const struct window *w)
{
    double m = w->at[0].v;
    for (size_t i = 1; i < w->n; i++)
        if (w->at[i].v > m || isnan(m))
            m = w->at[i].v;
    return m;
}

static double fold_first(const struct window *w)
{
    return w->at[0].v;
}

static double fold_last(const struct window *w)
{
    return w->at[w->n - 1].v;
}

/* Welford: the mean moves along, so that large values with a small spread keep it. */
static double fold_stdvar(const struct window *w)
{
    double mean = 0, sum = 0;
    for (size_t i = 0; i < w->n; i++) {
        double delta = w->at[i].v - mean;
        mean += delta / (double)(i + 1);
        sum += delta * (w->at[i].v - mean);
    }
    return sum / (double)w->n;
}

static double fold_stddev(const struct window *w)
{
    return sqrt(fold_stdvar(w));
}

static double fold_quantile(const struct window *w)
{
    for (size_t i = 0; i < w->n; i++)
        w->scratch[i] = w->at[i].v;
    return quantile_of(w->param, w->scratch, w->n);
}

static double seconds(int64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

/* A counter's increase with its resets, extrapolated to the window's ends as Prometheus
 * does: by at most half the usual distance of points, and not below zero. */
static double fold_rate_counter(const struct window *w)
{
    if (w->n < 2)
        return 0;
    double first = w->at[0].v, increase = w->at[w->n - 1].v - first, before = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->at[i].v < before)
            increase += before;
        before = w->at[i].v;
    }
    double sampled = seconds(w->at[w->n - 1].t - w->at[0].t), between = sampled / (double)(w->n - 1);
    double to_start = seconds(w->at[0].t - (w->end_ns - w->range_ns)), to_end = seconds(w->end_ns - w->at[w->n - 1].t);
    if (increase > 0 && first >= 0)
        to_start = fmin(to_start, sampled * (first / increase));
    double covered = sampled + (to_start < between * 1.1 ? to_start : between / 2) + (to_end < between * 1.1 ? to_end : between / 2);
    return increase * (covered / sampled) / seconds(w->range_ns);
}

static const struct range_op ops[] = {
    { S("count_over_time"), .plain = true, .measure = MEASURE_LINES, .adds = true },
    { S("rate"), .plain = true, .unwrapped = true, .measure = MEASURE_LINES, .adds = true, .per_second = true },
    { S("bytes_over_time"), .plain = true, .measure = MEASURE_BYTES, .adds = true },
    { S("bytes_rate"), .plain = true, .measure = MEASURE_BYTES, .adds = true, .per_second = true },
    { S("sum_over_time"), .unwrapped = true, .adds = true },
    { S("avg_over_time"), .unwrapped = true, .grouping = true, .adds = true, .mean = true },
    { S("absent_over_time"), .plain = true, .unwrapped = true, .measure = MEASURE_LINES, .adds = true, .absent = true },
    { S("min_over_time"), .unwrapped = true, .grouping = true, .fold = fold_min, .keep = KEEP_MIN },
    { S("max_over_time"), .unwrapped = true, .grouping = true, .fold = fold_max, .keep = KEEP_MAX },
    { S("first_over_time"), .unwrapped = true, .grouping = true, .fold = fold_first, .keep = KEEP_FIRST },
    { S("last_over_time"), .unwrapped = true, .grouping = true, .fold = fold_last, .keep = KEEP_LAST },
    { S("stdvar_over_time"), .unwrapped = true, .grouping = true, .fold = fold_stdvar },
    { S("stddev_over_time"), .unwrapped = true, .grouping = true, .fold = fold_stddev },
    { S("quantile_over_time"), .unwrapped = true, .grouping = true, .param = true, .fold = fold_quantile, .keep = KEEP_VALUES },
    { S("rate_counter"), .unwrapped = true, .fold = fold_rate_counter },
};

const struct range_op *range_op_find(struct str name)
{
    for (size_t i = 0; i < LEN(ops); i++)
        if (str_eq(ops[i].name, name))
            return &ops[i];
    return NULL;
}
