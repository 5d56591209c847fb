/* promql/print.h -- a parsed query as text, the way Prometheus prints it.
 *
 * Owner:    the text goes to the caller's buffer; `q` is the query the tree came from.
 * Threads:  any; trees are immutable.
 * Errors:   the buffer's.
 */
#pragma once
#include "base/buf.h"
#include "promql/promql.h"

/* On one line. */
void promql_print(struct buf *out, const struct promql *q, const struct expr *x);
/* What is longer than 100 bytes is broken into indented lines. */
void promql_pretty(struct buf *out, const struct promql *q, const struct expr *x);

/* A string literal. */
void promql_quote(struct buf *out, struct str s);
/* "+", "unless"; "count_values" */
const char *bin_text(enum bin_op op);
const char *agg_text(enum agg_op op);
/* "=", "!=", "=~", "!~" */
const char *match_text(enum match_op op);
/* The literal's milliseconds; 0 for an expression, which has none before the query runs, and for NULL. */
int64_t dur_literal_ms(const struct dur *d);
