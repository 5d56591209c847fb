/* query/aggregate.h -- aggregation operators over a vec.
 *
 * Groups are found once per series, values are folded series by series over
 * arrays of steps: the order in which Prometheus adds them up at each step.
 *
 * Errors: E_EXEC with Prometheus's texts (a NaN or overflowing k), E_LIMIT.
 */
#pragma once
#include "query/vec.h"

enum agg_op {
    AGG_SUM, AGG_AVG, AGG_MIN, AGG_MAX, AGG_COUNT, AGG_GROUP, AGG_STDDEV, AGG_STDVAR, AGG_QUANTILE,
    AGG_TOPK, AGG_BOTTOMK, AGG_LIMITK, AGG_LIMIT_RATIO, AGG_COUNT_VALUES,
};

struct aggregation {
    enum agg_op op;
    bool without;
    const struct str *names;                       /* by or without */
    uint32_t nnames;
    const double *param;                           /* k, quantile or ratio at each step */
    struct str label;                              /* count_values */
};

/* topk and bottomk of one step come sorted. `in` is not changed. */
MUST enum err vec_aggregate(struct query_ctx *q, const struct aggregation *a, struct steps st,
                            const struct vec *in, struct vec *ret, struct fault *f);
/* The quantile of values that it sorts; NaN, -Inf and +Inf as in Prometheus. */
double quantile_of(double phi, double *v, size_t n);
