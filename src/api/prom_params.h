/* api/prom_params.h -- parameters of Prometheus's API.
 *
 * Each reader answers the request itself when a parameter is malformed, with
 * Prometheus's text, and returns false.
 */
#pragma once
#include "api/api.h"
#include "promql/promql.h"

/* Unix seconds with decimals or RFC 3339, as ms. Absent: *ret stays. */
MUST bool param_time(struct http_req *r, struct str name, int64_t *ret_ms);
/* Seconds with decimals or a duration, as ms. Absent: *ret stays. */
MUST bool param_duration(struct http_req *r, struct str name, int64_t *ret_ms);
MUST bool read_duration(struct str text, int64_t *ret_ms);
/* limit: 0 or absent is all. */
MUST bool param_limit(struct http_req *r, struct str name, uint64_t *ret);

/* A query's context from timeout and lookback_delta. False too when all its time went by in the queue.
 * `mem` is the query's own (asked.h). */
MUST bool param_context(struct http_req *r, struct arena *mem, struct query_ctx *ret);

enum { SELECTORS_MAX = 100 };
struct selectors {
    struct promql at[SELECTORS_MAX];
    uint32_t n;
};
/* match[], each parsed. `named`: errors say which parameter it is. */
MUST bool param_selectors(struct http_req *r, struct arena *mem, bool named, struct selectors *ret);
void selectors_done(struct selectors *s);          /* for CLEANUP */

/* start and end of a search in metadata, in ns, [from, to). Absent: all times. */
MUST bool param_search_range(struct http_req *r, int64_t *ret_from_ns, int64_t *ret_to_ns);
