/* promql/fn_rate.h -- Prometheus's extrapolation, for windows whose samples are gone.
 *
 * Threads: pure.
 */
#pragma once
#include "promql/functions.h"

struct rate_span {
    int64_t first_t, last_t, start, end;           /* ms: of the samples, of the window */
    double first, last;
    double resets;                                 /* a counter: what it had before each reset */
    double range_s;
    size_t n;
    bool counter, per_second;
};

/* False: fewer than two samples. */
bool rate_extrapolated(const struct rate_span *s, double *ret);
