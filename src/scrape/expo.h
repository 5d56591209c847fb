/* scrape/expo.h -- the exposition formats: Prometheus text 0.0.4 and 1.0.0 (quoted UTF-8
 * names) and OpenMetrics 1.0, a line at a time.
 *
 * expo_next() gives one item after another. A malformed line ends it with an error that
 * names the line: a scrape is taken as a whole or not at all. Comments, UNIT lines of plain
 * text and exemplars are read over. OpenMetrics must end with "# EOF" and nothing after it.
 *
 * Owner:    texts are slices of the input, or in `mem` where something was escaped.
 * Threads:  one at a time.
 * Errors:   E_SYNTAX, E_LIMIT (scrape/limits.h); `at` is the byte offset.
 * Spec:     Prometheus exposition formats; OpenMetrics 1.0.
 */
#pragma once
#include "base/arena.h"
#include "model/rows.h"
#include "scrape/lset.h"

enum expo_format { EXPO_TEXT, EXPO_OPENMETRICS };
enum expo_kind { EXPO_END, EXPO_SAMPLE, EXPO_TYPE, EXPO_HELP, EXPO_UNIT };

struct expo {
    struct arena *mem;
    enum expo_format format;
    struct str in;
    size_t at;                                     /* of the next line */
    uint32_t line, samples;
    bool eof;                                      /* "# EOF" was seen */
    struct lpair *labels;                          /* private: of the newest sample */
};

struct expo_item {
    enum expo_kind kind;
    struct str name;                               /* of the metric; empty: only `labels` name the sample */
    struct str text;                               /* EXPO_HELP, EXPO_UNIT; EXPO_TYPE: as it is written */
    enum metric_type type;                         /* EXPO_TYPE */
    const struct lpair *labels;                    /* EXPO_SAMPLE: in their order, unique, none empty; valid until the next call */
    uint32_t nlabels;
    double value;
    bool has_time;
    int64_t time_ns;
};

/* By the Content-Type, as Prometheus 2 did: what is no OpenMetrics is text. */
enum expo_format expo_format_of(struct str content_type);
void expo_init(struct expo *x, struct str in, enum expo_format format, struct arena *mem);
MUST enum err expo_next(struct expo *x, struct expo_item *ret, struct fault *f);
