/* scrape/scrape.h -- one scrape of one target, from the request to the durable rows.
 *
 * Threads:  the thread that has taken the target; see target.h.
 */
#pragma once
#include "model/source.h"
#include "privacy/privacy.h"
#include "scrape/target.h"

/* What scraping needs of the program around it. */
struct scrape_env {
    struct sink *sink;
    struct source *source;
    const struct clock *clock;
    struct privacy_slot *privacy;
    struct str version;
    const bool *cancelled;                         /* turns true when the program stops */
    const _Atomic int64_t *retention_ns;           /* 0: forever */
    /* What the owner of the machine should read; `cause` names its kind. From any scraping thread. */
    void (*report)(void *arg, const char *cause, const char *text);
    void *report_arg;
};

/* What holds for this one scrape, taken under the scraper's lock. */
struct scrape_run {
    const struct scrape_env *env;
    struct target *t;
    const struct scrape_job *job;
    int64_t interval_ns, timeout_ns, planned_ns;   /* planned 0: now */
    uint32_t of_job;
};

/* Scrapes; *ret is what is to be shown, `metas` (packed as target_keep_metas() does) comes with a good one. */
void scrape_once(const struct scrape_run *run, struct target_shown *ret, const struct metric_meta **metas, uint32_t *nmetas,
                 struct arena *mem);
/* The target is gone from the configuration: its series become stale. */
void scrape_end(const struct scrape_run *run);
