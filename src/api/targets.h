/* api/targets.h -- the state of a target in words, for people.
 *
 * Owner:    texts are literals or live in the arena given.
 * Threads:  any.
 */
#pragma once
#include "scrape/scraper.h"

/* What to do about what went wrong; empty when nothing did. */
struct str target_cure(const struct target *t, bool empty);
/* What scraping cannot see, and the line that mends it. */
extern const struct str targets_blind[];           /* ends with an empty text */
extern const struct str targets_mend;
