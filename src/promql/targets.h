/* promql/targets.h -- accounting rule 6: targets that show the same session are one.
 *
 * For sessions that were scraped from more than one target: which of their streams are
 * one process seen twice, and the rows of each process put together.
 *
 * Owner:    the query's arena.
 * Threads:  one.
 */
#pragma once
#include "promql/accounted.h"
#include "promql/sources.h"

/* All scraped rows of one series, from first to last. */
struct target_series {
    struct labels labels;                          /* as stored, of the target that has most of it */
    struct acc_row *rows;                          /* stream: a number for each process */
    size_t n, cap;
};

/* The series that take the place of those of s[0..n) with `targets` set: of the same
 * sessions and measures, and passing the selector's matchers. */
MUST enum err targets_read(struct query_ctx *q, const struct spelling *sp, const struct sighted *s, uint32_t n,
                           struct target_series **ret, uint32_t *ret_n, struct fault *f);
