/* query/write.h -- results as JSON: the form that Prometheus's and Loki's APIs share.
 *
 * Threads: one. Errors are the buffer's.
 */
#pragma once
#include "base/jw.h"
#include "query/vec.h"

/* Prometheus writes very small and very large numbers with an exponent, Loki never does. */
enum number_text { NUMBERS_PROMETHEUS, NUMBERS_LOKI };

/* A number as text: "1.5", "NaN". */
void write_number(struct jw *w, double v, enum number_text how);
/* Unix seconds with up to three decimals, as Prometheus writes times. */
void write_time(struct jw *w, int64_t ms);
void write_labels(struct jw *w, struct labels l);
/* [[labels, [t, "v"]], ...]: the value of `result` for an instant query; `limit` 0 is all.
 * A native histogram stands under "histogram", those of a series under "histograms". */
void write_vector(struct jw *w, struct steps st, const struct vec *v, uint64_t limit, enum number_text how);
void write_matrix(struct jw *w, struct steps st, const struct vec *v, uint64_t limit, enum number_text how);
/* [t, {...}]: a native histogram at a time. */
void write_hist(struct jw *w, int64_t ms, const struct histogram *h);
/* [t, "v"] */
void write_scalar(struct jw *w, int64_t ms, double v, enum number_text how);
