/* query/query.h -- what both languages share: a query's context and limits. */
#pragma once
#include "base/clock.h"
#include "model/source.h"

struct query_limits {
    uint64_t series_max;                           /* result and intermediate series */
    uint64_t samples_max;                          /* samples held at once */
    uint64_t rows_max;                             /* rows read from the source */
    uint64_t points_max;                           /* steps of a range query: 11,000 */
    int64_t timeout_ns;
};

struct query_ctx {
    struct source *src;
    struct arena *mem;                             /* everything of this query */
    const struct query_limits *limits;
    const struct clock *clock;
    int64_t deadline_mono_ns;
    const bool *cancelled;                         /* may be NULL */
    bool extrapolate_always;                       /* promql.extrapolate: always */
    int64_t lookback_ns;                           /* 5 min unless the request says otherwise */
    struct scan_stats stats;
};
