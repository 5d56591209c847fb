/* api/loki_params.h -- parameters of Loki's API, and its errors: plain text.
 *
 * Each reader answers the request itself when a parameter is malformed and returns
 * false then.
 */
#pragma once
#include "api/api.h"
#include "logql/logql.h"

enum {
    LOKI_ENTRIES_MAX = 5000,                       /* limit of a log query */
    LOKI_LIMIT_DEFAULT = 100,
    LOKI_POINTS_MAX = 11000,                       /* steps of a range query */
};

void loki_bad(struct http_req *r, const char *fmt, ...) PRINTF(2, 3);
/* The status and text of a failed query. */
void loki_fail(struct http_req *r, const struct query_ctx *q, enum err e, const struct fault *f);

/* Unix ns, seconds (up to ten digits, or with a decimal point) or RFC 3339. Absent: *ret stays. */
MUST bool loki_time(struct http_req *r, struct str name, bool named, int64_t *ret_ns);
/* start, end, since: an hour up to now unless they say otherwise. */
MUST bool loki_span(struct http_req *r, struct log_span *ret);
MUST bool loki_limit(struct http_req *r, struct str name, uint32_t fallback, uint32_t *ret);
/* Seconds or a duration. Absent: *ret stays. */
MUST bool loki_duration(struct http_req *r, struct str name, int64_t *ret_ns);
MUST bool loki_direction(struct http_req *r, bool *ret_forward);
/* A step that gives at most 250 points unless `step` says otherwise. */
MUST bool loki_step(struct http_req *r, struct log_span span, int64_t *ret_ns);

/* The parameter as a selector or whole query; absent or "{}" gives NULL where that is allowed. */
MUST bool loki_query(struct http_req *r, struct str name, struct arena *mem, struct logql **ret);
MUST bool loki_selector(struct http_req *r, struct str text, struct arena *mem, struct logql **ret);

/* A query's context. False: all its time went by in the queue. `mem` is the query's own (asked.h). */
MUST bool loki_context(struct http_req *r, struct arena *mem, struct query_ctx *ret);
struct logql_options loki_options(const struct http_req *r);
