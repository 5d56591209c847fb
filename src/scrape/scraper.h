/* scrape/scraper.h -- all targets, the threads that scrape them, and what is to be seen of it.
 *
 * Owner:    app/ makes it after the store and stops it before; scraper_free() ends it.
 * Threads:  its own, which wait for the next target that is due; scraper_apply() and the views
 *           from any thread. Callbacks of the views run under the scraper's lock: they copy.
 */
#pragma once
#include "scrape/discover.h"
#include "scrape/scrape.h"

struct scraper;
struct scraper *scraper_new(const struct scrape_env *env);
void scraper_stop(struct scraper *s);              /* returns when no scrape is running; NULL is fine */
void scraper_free(struct scraper *s);              /* after scraper_stop(); NULL is fine */

/* Scrapes by this configuration from now on; targets that stay keep what is known of them.
 * `with_default`: the job of Claude Code's own exporter, unless there are scrape_configs. */
MUST enum err scraper_apply(struct scraper *s, struct scrape_conf *conf, bool with_default, struct fault *f);
void scraper_set_retention(struct scraper *s, int64_t retention_ns);

/* Files are looked at, every target is scraped once, and that is waited for. Returns how many
 * were; *ret_all is false if `wait_ns` passed before all were. */
uint32_t scraper_now(struct scraper *s, int64_t wait_ns, bool *ret_all);

struct target_view {
    const struct target *t;
    bool empty;                                    /* optional, and nobody is there */
};
void scraper_targets(struct scraper *s, void (*each)(void *arg, const struct target_view *v), void *arg);
void scraper_dropped(struct scraper *s, void (*each)(void *arg, const struct dropped_target *d), void *arg);
void scraper_jobs(struct scraper *s, void (*each)(void *arg, const struct scrape_job *j, uint64_t dropped), void *arg);
