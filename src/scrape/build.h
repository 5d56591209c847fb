/* scrape/build.h -- from one exposition to the rows of a scrape.
 *
 * A sample gets the target's labels, is relabelled and checked against the job's limits. Claude
 * Code's own counters become accounted rows: the canonical name, no otel_scope_* labels. Then
 * privacy is asked. Whatever goes wrong, nothing of the exposition is kept.
 *
 * Owner:    built_done() frees; `mem` holds the texts as long as the frame is used.
 * Threads:  one at a time.
 * Errors:   E_SYNTAX, E_LIMIT; E_UNSUPPORTED: not Claude Code's (`only_claude`).
 */
#pragma once
#include "privacy/privacy.h"
#include "scrape/config.h"
#include "scrape/expo.h"
#include "scrape/frame.h"
#include "scrape/roster.h"

struct build_in {
    const struct scrape_job *job;
    const struct lpair *labels;                    /* the target's */
    uint32_t nlabels;
    struct str body;
    enum expo_format format;
    int64_t time_ns, oldest_ns;                    /* of the scrape; samples of before are left out */
    const struct privacy *privacy;                 /* NULL: no rules */
    bool only_claude;
};

struct built {
    struct frame frame;
    struct roster plain, accounted;
    uint32_t scraped, kept, outside;               /* samples; after relabelling; with times that cannot be */
    bool is_claude;
    struct metric_meta *metas;
    uint32_t nmetas, cap_metas;
    uint64_t metas_hash;
    struct str sessions[SCRAPE_SESSIONS_MAX];
    uint32_t nsessions;
    struct str job, instance;                      /* of the accounted samples, if they agree; else empty */
    bool mixed;
    struct arena scratch;                          /* private: of one sample at a time */
};

MUST enum err scrape_build(const struct build_in *in, struct arena *mem, struct built *ret, struct fault *f);
void built_done(struct built *b);
/* Is it one of Claude Code's own counters? *ret_name: the canonical name. */
bool scrape_is_accounted(struct str name, enum metric_type type, struct str *ret_name);
