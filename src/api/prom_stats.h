/* api/prom_stats.h -- what a query cost, in the form that Prometheus gives it: the parameter
 * `stats`, and the member of the same name in the answer's data.
 *
 * Threads:  the handler's.
 */
#pragma once
#include "api/api.h"
#include "base/jw.h"
#include "promql/promql.h"

/* Any value of `stats` asks for them, "all" also for samples by step. */
bool prom_stats_wanted(struct http_req *r);
/* Before the evaluation. */
void prom_stats_prepare(struct http_req *r, struct query_ctx *q, const struct promql_time *t);
/* "stats": {...}, in the open object. */
void prom_stats_write(struct jw *w, const struct query_ctx *q, struct steps st);
