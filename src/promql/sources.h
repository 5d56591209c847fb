/* promql/sources.h -- accounting rule 6 for the series that a selector found.
 *
 * Of one session's measure only the highest source counts. The rule concerns series
 * with a session_id that are accounted or bear one of Claude Code's own names; all
 * others count as they are. A selector that matches on `ccmon_source` chooses for
 * itself, and nothing is hidden from it.
 *
 * `ccmon_source` is a label of every row, made when reading: what the row's origin is
 * called. It is shown when the query names it. A stored label of that name comes first.
 *
 * Owner:    the query's arena.
 * Threads:  one.
 */
#pragma once
#include "promql/spelling.h"

/* A series as it was found. */
struct sighted {
    struct labels labels;                          /* as stored */
    uint32_t bits;                                 /* 1 << origin of its rows */
    bool accounted;                                /* has rows that carry increments or totals */
    uint32_t keep;                                 /* out: the origins that count */
    bool targets;                                  /* out: scraped rows of it go through targets.h */
};

/* Decides `keep` and `targets` of all series. */
MUST enum err sources_decide(struct query_ctx *q, const struct spelling *sp, struct sighted *s, uint32_t n, struct fault *f);
/* The labels under which rows of the origin are shown. */
struct labels sources_labels(const struct spelling *sp, struct arena *mem, struct labels found, enum origin o);
/* The measure that a series is of, whatever its spelling. */
struct str sources_measure(struct labels l);
