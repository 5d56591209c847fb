/* model/histogram.h -- a native histogram: one sample that is a whole distribution.
 *
 * Buckets of an exponential schema s (-4..8) grow by 2^(2^-s): bucket i of a side holds
 * magnitudes in (2^((i-1)/2^s), 2^(i/2^s)]; what lies within the zero threshold is
 * counted apart. Schema HIST_CUSTOM has its upper bounds written out, the last one
 * being +Inf, and no negative side. Buckets are kept sparse: ascending indices and an
 * absolute count each, so that arithmetic is a merge of two sorted lists.
 *
 * In rows and on disk a histogram is one cell, PLACE_FIELD "histogram", V_BYTES, made
 * by histogram_put(); the row's value is then a NaN that carries a hash of the bytes, so
 * that two histograms of one identity are told apart as two numbers are. A stale marker
 * is always a plain number (histogram_is_stale(): the receiver stores VALUE_STALE).
 *
 * Owner:    buckets are borrowed or in the arena given.
 * Threads:  plain values; any.
 * Errors:   E_SYNTAX: not a valid histogram; E_LIMIT; E_CORRUPT from decoding.
 */
#pragma once
#include "model/rows.h"

enum {
    HIST_SCHEMA_MIN = -4, HIST_SCHEMA_MAX = 8,
    HIST_SCHEMA_FINEST = 52,                       /* finer ones than the maximum are known, and made coarser */
    HIST_CUSTOM = -53,
};

/* Limits of one histogram; OpenTelemetry's default is 160 buckets. */
enum { HIST_BUCKETS_MAX = 16384, HIST_BOUNDS_MAX = 16384, HIST_BYTES_MAX = 1 << 20 };

/* Was the counter reset before this sample? Numbered as in remote write; stored. */
enum hist_hint { HINT_UNKNOWN = 0, HINT_RESET = 1, HINT_NO_RESET = 2, HINT_GAUGE = 3 };

struct hist_buckets {
    int32_t *index;                                /* ascending */
    double *count;
    uint32_t n;
};

struct histogram {
    int32_t schema;
    enum hist_hint hint;
    bool integer;                                  /* counts came as integers */
    double count, sum, zero_threshold, zero_count;
    struct hist_buckets pos, neg;
    const double *bounds;                          /* HIST_CUSTOM: finite upper bounds, ascending */
    uint32_t nbounds;
};

/* A gap and a run of buckets, as protocols write them: the first offset is an index. */
struct hist_span {
    int32_t offset;
    uint32_t length;
};

/* Buckets from spans and as many absolute counts. */
MUST enum err hist_from_spans(struct arena *mem, const struct hist_span *spans, uint32_t nspans, const double *counts,
                              uint32_t ncounts, struct hist_buckets *ret, struct fault *f);
/* The spans of buckets; in `mem`. */
struct hist_span *hist_to_spans(struct arena *mem, const struct hist_buckets *b, uint32_t *ret_n);

/* What Prometheus refuses, in its words: schema, bounds, negative counts, a count that is
 * not that of the buckets. Of a schema finer than the maximum call histogram_coarsen() first. */
MUST enum err histogram_check(const struct histogram *h, struct fault *f);
/* To a schema with larger buckets (exponential only). */
struct histogram histogram_coarsen(struct arena *mem, const struct histogram *h, int32_t schema);
bool histogram_is_stale(const struct histogram *h);

/* The bytes that are stored. They are the same for equal histograms. */
MUST enum err histogram_encode(struct arena *mem, const struct histogram *h, struct str *ret, struct fault *f);
MUST enum err histogram_decode(struct str bytes, struct arena *mem, struct histogram *ret, struct fault *f);
/* Puts the cell into the row, and the value that stands for it. */
MUST enum err histogram_put(struct batch *b, struct row *r, const struct histogram *h, struct fault *f);
/* The row's value that stands for these bytes. */
double histogram_value(struct str bytes);
bool colkey_is_histogram(const struct colkey *key);
