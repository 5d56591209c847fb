/* query/origins.h -- accounting rule 6: which source counts for a session's figure.
 *
 * A measure is a metric under its canonical name. For each session that has a row of
 * it, at any time, there stands which origins its rows have and whether scraped ones
 * come from more than one target. The highest origin that has any row counts: events,
 * otlp, scrape, remote, transcript.
 *
 * Only a query that met rows of a lower origin asks. The first question reads the
 * measure once, through the whole store; later ones only what was acknowledged since, and
 * nothing if that is nothing.
 *
 * Owner:    app/ makes one with origins_new() and frees it after the server; a query
 *           without one (query_ctx.origins NULL) reads for itself.
 * Threads:  any; one lock, under which nothing is read.
 * Limits:   ORIGINS_MEASURES_MAX, ORIGINS_SESSIONS_MAX; what does not fit is read again.
 */
#pragma once
#include "query/query.h"

enum { ORIGINS_MEASURES_MAX = 64, ORIGINS_SESSIONS_MAX = 1 << 20 };

struct origins;

struct origins *origins_new(void);
void origins_free(struct origins *o);              /* NULL is fine */

/* As `ccmon_source` has it; empty for what is no origin. */
struct str origin_text(enum origin o);
/* The highest one of a set of bits 1 << enum origin; 0 for none. */
enum origin origin_first(uint32_t bits);

/* One session's rows of a measure. */
struct origin_seen {
    uint32_t bits;                                 /* 1 << enum origin */
    bool targets;                                  /* scraped from more than one (job, instance) */
};

/* Answers for n sessions, of one measure. */
MUST enum err origins_ask(struct query_ctx *q, struct str measure, const struct str *sessions, uint32_t n,
                          struct origin_seen *ret, struct fault *f);
/* Is there no session with rows of more than one origin or from several targets? Then
 * nothing of the measure is hidden, whatever its sessions are. */
MUST enum err origins_quiet(struct query_ctx *q, struct str measure, bool *ret, struct fault *f);
