/* scrape/incarnation.h -- accounting rule 2 for scraped counters: is this still the process that
 * was scraped before?
 *
 *     first good scrape             --> an incarnation begins
 *     refused or reset since        --> the next good scrape begins another one
 *     an accounted counter fell     --> another one
 *     a known accounted series gone --> another one
 *     a time-out, a bad answer      --> nothing is known; the same one goes on
 *
 * All accounted series of a target share the start of its incarnation, and (labels, start) is a
 * stream: a cumulative one, whose first value counts in full and whose others count as what they
 * are more. So nothing but the start has to be right for a figure to be right.
 *
 * Threads:  pure functions over one target's state; its scraping thread.
 */
#pragma once
#include "scrape/roster.h"

struct incarnation {
    int64_t start_ns;                              /* 0: none yet */
    int64_t seen_ns;                               /* the newest good scrape in it */
    bool broken;                                   /* refused or reset since then */
    struct roster series;                           /* accounted series and their last values */
};

enum incarnation_end { INCARNATION_SAME, INCARNATION_FIRST, INCARNATION_BROKEN, INCARNATION_FELL, INCARNATION_GONE };

/* What a good scrape's accounted series say. */
enum incarnation_end incarnation_judge(const struct incarnation *i, const struct roster *now);
/* Takes the scrape over (and `now` with it), beginning a new incarnation where judged so.
 * `since_ns`: the newest moment at which it cannot have shown what it shows now. */
enum incarnation_end incarnation_step(struct incarnation *i, struct roster *now, int64_t since_ns, int64_t time_ns);
void incarnation_done(struct incarnation *i);
