/* query/query.h -- what both languages share: a query's context and limits.
 *
 * Owner:    the caller; everything a query makes lives in `mem`.
 * Threads:  one query belongs to one thread; `cancelled` may be set by another.
 * Errors:   E_LIMIT names the limit, E_CANCELLED is deadline or a client that left.
 */
#pragma once
#include "base/clock.h"
#include "model/source.h"

struct query_limits {
    uint64_t series_max;                           /* result and intermediate series */
    uint64_t samples_max;                          /* samples held at once */
    uint64_t rows_max, bytes_max;                  /* read from the source, all scans of a query together */
    uint64_t points_max;                           /* steps of a range query: 11,000 */
    int64_t timeout_ns;
    size_t memory_max;                             /* arena of a query; 0: QUERY_MEMORY_DEFAULT */
};

#define QUERY_MEMORY_DEFAULT ((size_t)512 << 20)

enum { QUERY_NOTES_MAX = 10 };                     /* as many as Prometheus shows of each kind */

/* A remark that goes with a result, each text once. */
struct query_note {
    bool warning;                                  /* else an info */
    struct str text;
};

struct origins;                                    /* query/origins.h */

struct query_ctx {
    struct source *src;
    struct origins *origins;                       /* what is known of sources (rule 6); NULL: read for this query */
    struct arena *mem;                             /* everything of this query */
    const struct query_limits *limits;
    const struct clock *clock;
    int64_t deadline_mono_ns;
    const bool *cancelled;                         /* may be NULL */
    bool extrapolate_always;                       /* promql.extrapolate: always */
    int64_t lookback_ns;                           /* 5 min unless the request says otherwise */
    struct scan_stats stats;
    int64_t begin_mono_ns, queued_ns;              /* when it began to run, and how long it had waited for that */
    int64_t scan_ns, scan_since_ns;                /* time between begin and end of scans; when the open one began */
    uint64_t samples;                              /* held so far, against limits->samples_max */
    uint64_t touched;                              /* samples that the steps looked at, as Prometheus counts them */
    uint64_t *touched_at;                          /* of these, by step of the query (ntouched_at of them); NULL: not asked for */
    uint32_t ntouched_at;
    uint64_t passed;                               /* rows that were left after all filters (LogQL) */
    struct query_note notes[2 * QUERY_NOTES_MAX];
    uint32_t nnotes;
    uint32_t remarks;                              /* of the newest operator, enum hist_remark (hist.h) */
    struct str error;                              /* the whole text where a fault's is too short for it */
};

/* Deadline, cancellation, arena budget: asked once per series or block. */
MUST enum err query_check(const struct query_ctx *q, struct fault *f);
/* Counts samples that are now held. */
MUST enum err query_hold(struct query_ctx *q, uint64_t samples, struct fault *f);
/* Begins a scan of q->src under the deadline and cancellation of the query, and those of its
 * limits that `req` does not set itself. What the query has read already counts. */
MUST enum err query_scan_begin(struct query_ctx *q, const struct scan_req *req, struct scan **ret, struct fault *f);
/* Ends a scan and adds what it read to the query's figures. */
void query_scan_end(struct query_ctx *q, struct scan *sc);

/* A step of an evaluation looked at n samples. Steps of a subquery count in the total only. */
static inline void query_touch(struct query_ctx *q, uint32_t step, uint64_t n)
{
    q->touched += n;
    if (step < q->ntouched_at)
        q->touched_at[step] += n;
}
MUST enum err query_check_series(const struct query_ctx *q, uint64_t n, struct fault *f);

/* Sets the fault and keeps the whole text in q->error. Returns `code`. */
enum err query_error(struct query_ctx *q, struct fault *f, enum err code, const char *fmt, ...) PRINTF(4, 5);
void query_note(struct query_ctx *q, bool warning, const char *fmt, ...) PRINTF(3, 4);
