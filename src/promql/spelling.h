/* promql/spelling.h -- the exporter's spelling of metric names (accounting rule 7).
 *
 * Series of Claude Code's own exporter are stored under their canonical names. The
 * other spelling finds them where it is written out: as the name, in __name__="...",
 * or as a literal alternative of a regular expression. What is found so is shown
 * under the name that was asked for.
 *
 * Matchers on `ccmon_source` (accounting rule 6, sources.h) are set aside here: that
 * label is not stored.
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
    struct matcher *sources;                       /* those on ccmon_source */
    uint32_t nsources;
    bool show_source;                              /* the label is shown; a caller may set it */
    bool widened;
};

MUST enum err spelling_open(const struct selector *sel, struct arena *mem, struct spelling *ret, struct fault *f);
void spelling_close(struct spelling *s);
/* The labels under which a series that was found is shown. */
struct labels spelling_labels(const struct spelling *s, struct arena *mem, struct labels found);
