/* ledger/complete.h -- accounting rule 11: do a session's events, metrics and traces tell the same?
 *
 * They are compared by tokens, which are whole numbers: at each export of the metrics, what
 * they amount to by then must be what the requests logged by then amount to. More in the
 * metrics: events were lost. Less, long after the request ended: metrics were, as of a client
 * that was killed before its last export. Requests in a trace are counted.
 *
 * Threads:  pure functions; any.
 * Units:    Unix ns, tokens.
 */
#pragma once
#include "base/base.h"
#include "base/str.h"

/* After so long what was not exported is taken for lost: the usual interval is a minute. */
#define COMPLETE_WAIT_NS INT64_C(180000000000)

enum completeness {
    COMPLETE_BOTH,             /* events and metrics agree */
    COMPLETE_EVENTS_ONLY,      /* no metrics of it ever came */
    COMPLETE_METRICS_ONLY,
    COMPLETE_PENDING,          /* the newest requests are not exported yet */
    COMPLETE_EVENTS_LOST,      /* metrics know of more than events do */
    COMPLETE_METRICS_LOST,     /* events know of more than metrics do */
    COMPLETE_NOTHING,          /* neither says anything of requests */
    COMPLETE_COUNT
};
struct completeness_row {
    struct str name, text;                         /* "events_lost", a sentence for people */
    bool whole;                                    /* the figures that are shown are all there are */
};
extern const struct completeness_row completeness_rows[COMPLETE_COUNT];

/* So many tokens more at a moment. */
struct tokens_at {
    int64_t time_ns;
    uint64_t tokens;
};

struct complete {
    enum completeness state;
    int64_t since_ns;                              /* of what is lost; 0: nothing is */
    uint64_t events_tokens, metrics_tokens;
};

/* Both ascending by time; the metrics' are the increments of exports. */
struct complete complete_compare(const struct tokens_at *events, size_t nevents, const struct tokens_at *exports, size_t nexports,
                                 int64_t now_ns);
