/* scrape/resume.h -- the incarnation in force, read back from the store after a start.
 *
 * Every good scrape writes all accounted series of its target, so the newest rows of the target
 * are what the process in force had last shown. Looked for newest first, as far back as totals
 * go; usually that ends in the first block.
 *
 * Threads:  the caller's.
 * Errors:   those of the source. Then nothing is known, and the scrape must not be counted.
 */
#pragma once
#include "model/source.h"
#include "scrape/incarnation.h"

struct resume {
    struct str job, instance;                      /* labels of the target's rows; both empty: only `now` tells */
    const struct roster *now;                       /* without job and instance: the series that count as the target's */
    int64_t time_ns;                               /* of the scrape */
};

/* ret->start_ns stays 0 where there is none. */
MUST enum err resume_incarnation(struct source *src, const struct resume *in, struct incarnation *ret, struct fault *f);
