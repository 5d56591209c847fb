/* api/prom_found.h -- the series that a search finds, as instant queries show them.
 *
 * Rows that do not count (accounting rule 6) are not found, series carry ccmon_source
 * where the selector matches on it, and a process seen at two targets is found once.
 *
 * Owner:    found_init() on the query's arena, found_done() for CLEANUP.
 * Threads:  one.
 */
#pragma once
#include "promql/targets.h"
#include "query/query.h"

/* Distinct label sets. */
struct found {
    struct query_ctx *q;
    struct keyset seen;
    struct labels *at;
    uint32_t n, cap;
};

void found_init(struct found *x, struct query_ctx *q);
void found_done(struct found *x);

/* Adds the series of a search; its matchers are those of `sp`. */
MUST enum err found_series(struct found *x, const struct scan_req *search, const struct spelling *sp, struct fault *f);
/* Did any of it come in another way than by remote write? The first such row ends the search. */
MUST enum err found_accounted(struct query_ctx *q, const struct scan_req *search, bool *ret, struct fault *f);
/* The values of ccmon_source: stored ones, and the origins that rows have. */
MUST enum err found_sources(struct query_ctx *q, const struct scan_req *search, const struct spelling *sp,
                            void (*each)(void *arg, struct str value), void *arg, struct fault *f);
