/* promql/spelling.h -- the exporter's spelling of metric names (accounting rule 7).
 *
 * Series of Claude Code's own exporter are stored under their canonical names. The
 * other spelling finds them where it is written out: as the name, in __name__="...",
 * or as a literal alternative of a regular expression. What is found so is shown
 * under the name that was asked for.
 *
 * Owner:    spelling_open() fills *ret, spelling_close() ends it (all-zero is fine).
 * Threads:  immutable in between.
 */
#pragma once
#include "promql/promql.h"

struct spelling {
    const struct selector *sel;
    struct matcher *matchers;                      /* to scan with */
    uint32_t nmatchers;
    bool widened;
};

MUST enum err spelling_open(const struct selector *sel, struct arena *mem, struct spelling *ret, struct fault *f);
void spelling_close(struct spelling *s);
/* The labels under which a series that was found is shown. */
struct labels spelling_labels(const struct spelling *s, struct arena *mem, struct labels found);
