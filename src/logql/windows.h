/* logql/windows.h -- numbers over time, put into the windows of a range aggregation.
 *
 * Window k ends at start + k * step (in) and begins range before (out).
 *
 * Owner:    the query's arena.   Threads: one.
 */
#pragma once
#include "logql/range_ops.h"
#include "query/vec.h"

struct windows {
    struct query_ctx *ctx;
    const struct range_op *op;
    int64_t start_ns, step_ns, range_ns;
    uint32_t n;                                    /* windows */
    double param;
    struct wseries *series;                        /* by id */
    uint32_t nseries, cap_series;
};

/* Is the moment in any window? */
bool windows_have(const struct windows *w, int64_t t);
/* The moments that windows can hold: [*ret_from, *ret_to). */
void windows_span(const struct windows *w, int64_t *ret_from, int64_t *ret_to);
MUST enum err windows_add(struct windows *w, uint32_t series, int64_t t, double v, struct fault *f);
/* A series of the result for each of ours, labels[id] its labels. */
MUST enum err windows_result(struct windows *w, const struct labels *labels, struct vec *ret, struct fault *f);
