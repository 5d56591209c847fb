/* promql/select_int.h -- what the files of a selection share.
 *
 * Owner:    one select_points() call; rows lie in the query's arena.
 * Threads:  one.
 */
#pragma once
#include "promql/eval_int.h"
#include "promql/targets.h"
#include "promql/tile.h"
#include "query/runs.h"

#define NO_STRETCH UINT32_MAX

/* A run of rows as it came, of one series, temporality and origin; ascending by time. */
struct stretch {
    const int64_t *t;                              /* ms */
    const double *v;
    const uint64_t *seq;                           /* plain rows only */
    const int64_t *starts;                         /* ns; NULL: all are `start` */
    const struct str *histograms;                  /* stored bytes; p NULL: a number. NULL: numbers only */
    int64_t start;
    uint32_t n, next;                              /* next: of the same series, or NO_STRETCH */
    uint8_t temporality, origin;
    bool accounted;                                /* carries increments or totals of numbers */
};

/* A series that was found. */
struct found {
    struct labels labels, shown;                   /* as stored and as shown; of a group only where has_labels */
    uint32_t first, last;                          /* its stretches */
    uint32_t group, name;
    bool has_labels, accounted;
    bool tiled;                                    /* its rows are folded as they come */
};

/* A metric that was met, by its stored name. */
struct met {
    struct str name;
    struct labels shown;                           /* the name alone, as it is shown */
    bool own;                                      /* one of Claude Code's */
    bool money, tiled;
    bool judged, loud;                             /* asked whether sessions have several sources; they have */
};

struct job {
    struct eval *ev;
    const struct select_req *req;
    struct spelling spelling;                      /* the matchers to scan with */
    int64_t from_ns, to_ns;
    struct runs runs;
    struct idset bare, names;                      /* series without their name; metrics */
    struct met *mets;
    uint32_t cap_mets;
    struct stretch *stretches;                     /* heap */
    uint32_t nstretches, cap_stretches;
    struct found *found;                           /* heap; by number of the series while scanning */
    uint32_t nfound, cap_found;
    bool one_name;                                 /* all series are of one metric */
    bool sources;                                  /* it is to be decided which rows count */
    struct target_series *targets;                 /* series with all their rows */
    uint32_t ntargets;
    struct arena mem;                              /* of the series at hand */
};

/* Did it turn out that series cannot be told or folded in this way? Then nothing counts. */
static inline bool select_failed(const struct job *j)
{
    return (j->req->groups && j->req->groups->clash) || (j->req->tiles && j->req->tiles->again);
}

int64_t select_ms_to_ns(int64_t ms);
int64_t select_ns_to_ms(int64_t ns);               /* downwards, also before 1970 */

/* select_rows.c: all rows of the scan as stretches of series. */
MUST enum err select_scan(struct job *j, struct fault *f);

/* select_series.c: the points of one series, in j->mem or where its rows lie. */
MUST enum err select_plain(struct job *j, const struct found *s, struct points *ret, struct fault *f);

/* select_bases.c: what accounted series amounted to before the scan. */
struct keyed {
    size_t first, n;                               /* keys of the streams */
    size_t delta, all;                             /* of the whole series; SIZE_MAX: not asked */
};
struct keys {
    struct base_key *at;
    size_t n, cap;
    struct str *names;
    uint32_t nnames, cap_names;
    struct map by_name;
};
bool select_asks(const struct job *j, const struct stretch *x);          /* does a base have to be known for it? */
void select_ask(struct job *j, struct keys *k, const struct found *s, struct keyed *ret);
MUST enum err select_answer(struct job *j, struct keys *k, struct fault *f);
void select_accounted(struct job *j, const struct keys *k, const struct keyed *s, const struct found *series, struct points *ret);
