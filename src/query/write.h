/* query/write.h -- results as JSON: the form that Prometheus's and Loki's APIs share.
 *
 * Threads: one. Errors are the buffer's.
 */
#pragma once
#include "base/jw.h"
#include "query/vec.h"

/* Unix seconds with up to three decimals, as Prometheus writes times. */
void write_time(struct jw *w, int64_t ms);
void write_labels(struct jw *w, struct labels l);
/* [[labels, [t, "v"]], ...]: the value of `result` for an instant query; `limit` 0 is all. */
void write_vector(struct jw *w, struct steps st, const struct vec *v, uint64_t limit);
void write_matrix(struct jw *w, struct steps st, const struct vec *v, uint64_t limit);
/* [t, "v"] */
void write_scalar(struct jw *w, int64_t ms, double v);
