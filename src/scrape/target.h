/* scrape/target.h -- what is scraped: its labels, its address, and how it went.
 *
 * Owner:    the scraper's list holds it; target_free() ends it.
 * Threads:  identity (what does not change) any; "schedule" and "shown" under the scraper's
 *           lock; "state" belongs to the thread that scrapes it.
 */
#pragma once
#include "http/client.h"
#include "model/rows.h"
#include "scrape/config.h"
#include "scrape/incarnation.h"

enum target_health { TARGET_UNKNOWN, TARGET_UP, TARGET_DOWN };

/* How it went when it was last scraped, for those who look. */
struct target_shown {
    enum target_health health;
    enum fetch_end end;
    char error[240];                               /* empty: none */
    int64_t scraped_ns, good_ns, duration_ns;      /* 0: never */
    uint32_t samples, nsessions;
    char sessions[SCRAPE_SESSIONS_MAX][64];
    bool is_claude;
};

struct target {
    /* identity */
    struct scrape_conf *conf;                      /* a reference; replaced at a reload, by the scraping thread's rules below */
    const struct scrape_job *job;
    struct lpair *discovered, *labels;             /* labels: sorted, without those that begin with __ */
    uint32_t ndiscovered, nlabels;
    struct str url;
    uint64_t hash;
    int64_t interval_ns, timeout_ns;
    uint32_t of_job;                               /* how many targets its job has: target_limit */
    bool optional;                                 /* of the default job: nobody has to be there */
    bool probe;                                    /* ... and not its first port */

    /* schedule, under the scraper's lock */
    int64_t due_mono_ns, planned_ns;
    uint64_t asked, served;                        /* scrapes asked for by hand */
    bool running, removed;
    bool shown_alive;                              /* optional: alive_ns, as it was after the newest scrape */
    struct target_shown shown;
    struct buf metas;                              /* packed, target_metas() */

    /* state, of the scraping thread */
    struct http_peer *peer;
    struct roster plain;
    struct incarnation incarnation;
    bool resumed;                                  /* the store was asked for the incarnation in force */
    bool marked;                                   /* up and the rest are in the store and not stale yet */
    int64_t last_ns;                               /* time of the newest attempt */
    int64_t alive_ns;                              /* optional: the newest scrape that found somebody */
    uint64_t metas_hash;                           /* of what was written */
    void *block;                                   /* the memory of identity */
};

enum target_made { TARGET_MADE, TARGET_DROPPED, TARGET_BAD };

/* Prometheus's PopulateLabels: fills in the job's labels (`labels` then is what was discovered),
 * relabels, checks. TARGET_BAD: the fault says why. */
MUST enum target_made target_make(struct scrape_conf *conf, const struct scrape_job *job, struct lset *labels, struct target **ret,
                                  struct fault *f);
void target_free(struct target *t);
bool target_same(const struct target *a, const struct target *b);
/* The next moment after `now` at which it is its turn: by its hash, so that targets are spread. */
int64_t target_next(const struct target *t, int64_t interval_ns, int64_t now_ns);
struct str target_label(const struct target *t, struct str name);

void target_keep_metas(struct target *t, const struct metric_meta *m, uint32_t n);
/* Calls for each; texts valid during the call. */
void target_metas(const struct buf *packed, void (*each)(void *arg, const struct metric_meta *m), void *arg);
