/* ledger/settled_int.h -- a scan over stored and made series, as its files see it.
 *
 *     plan:  the stored series | log records of each event | runs of each metric
 *
 * Events come first, so that the sessions which they tell are known when metrics come.
 */
#pragma once
#include <pthread.h>

#include "base/hash.h"
#include "base/map.h"
#include "ledger/settled.h"
#include "ledger/tally.h"

enum { EVENTS_MAX = 8, SEEN_SESSIONS_MAX = 1 << 20 /* kept between queries: 32 MB */, SETTLED_COLS_MAX = TALLY_LABELS_MAX + 8 };

/* Sessions, by a hash. */
struct sessions {
    struct id128 *at;                              /* all zero: free */
    uint32_t n, cap;
};
void sessions_add(struct sessions *s, struct id128 id);
bool sessions_has(const struct sessions *s, struct id128 id);
void sessions_done(struct sessions *s);
/* Who a row's figure belongs to: its session, or where people leave sessions out, its user. */
struct id128 session_id_of(struct str session, struct str user);

/* All sessions that have a row of an event, at any time. */
struct seen {
    struct str event;
    struct sessions sessions;
    uint64_t seq;                                  /* read up to; 0: not at all */
    uint64_t rows, retained;                       /* the store's then: stored, and gone by retention */
};

struct settled {
    struct source src;                             /* first: a source is its settled */
    struct source *behind;
    const struct prices *prices;
    pthread_mutex_t lock;                          /* of seen */
    struct seen seen[EVENTS_MAX];
    uint32_t nseen;
};

struct pass {
    enum { PASS_STORED, PASS_EVENTS, PASS_METRIC } kind;
    struct str event;                              /* PASS_EVENTS */
    const struct measure *measure;                 /* PASS_METRIC */
};

struct scan {
    struct settled *s;
    struct scan_req req;
    uint32_t wanted;                               /* bit by measure */
    struct pass *passes;
    uint32_t npasses, at;
    struct scan *inner;                            /* of passes[at]; NULL: not begun */
    struct matcher *matchers;                      /* of that */
    struct scan_stats stats;
    struct arena mem, block_mem;
    struct sessions told[EVENTS_MAX];              /* by event of the table: sessions with a row in this scan's range */

    /* PASS_EVENTS: the block at hand, and which of its numbers come next. */
    const struct block *events;
    struct tally tally;
    bool *tuple_passes;                            /* by tuple: but for the label `type` */
    struct str *texts;                             /* tuple * nlabels + label */
    uint32_t next_measure, next_value;

    struct column cols[SETTLED_COLS_MAX];
    struct block out;
};

/* An event's place in told[] and seen[]. */
uint32_t event_index(struct str event);

/* settled_events.c, settled_metrics.c: *ret is false at the pass's end. */
MUST enum err events_begin(struct scan *sc, const struct pass *p, struct fault *f);
MUST enum err events_next(struct scan *sc, bool *ret, struct fault *f);
MUST enum err metrics_begin(struct scan *sc, const struct pass *p, struct fault *f);
MUST enum err metrics_next(struct scan *sc, const struct measure *m, bool *ret, struct fault *f);

/* settled_seen.c: has the session any row of the event, whenever? */
MUST enum err seen_ask(struct scan *sc, struct str event, const struct id128 *ids, uint32_t n, bool *ret, struct fault *f);

/* settled.c */
bool passes_matchers(const struct scan_req *req, struct str label, struct str text);
/* Matchers of the request that stored rows can be asked, and one more. */
struct matcher *plain_matchers(struct scan *sc, struct matcher more, uint32_t *ret_n);
/* A label column that has one text in every run. */
struct column same_column(struct arena *mem, struct str name, struct str text);
MUST enum err settled_bases(struct source *src, const struct matcher *m, uint32_t nm, int64_t at_ns, const struct str *names,
                            struct base_key *keys, size_t nkeys, struct fault *f);
MUST enum err settled_scan_begin(struct source *src, const struct scan_req *req, struct scan **ret, struct fault *f);
MUST enum err settled_scan_next(struct scan *sc, const struct block **ret, struct fault *f);
struct scan_stats settled_scan_end(struct scan *sc);
/* Bit by measure that the matchers on __name__ let through. */
uint32_t settled_wanted(const struct matcher *m, uint32_t n);
