/* push/samples.h -- from remote-written series to rows; inside the room.
 *
 * Two walks, one for each version of the protocol, fill the same scratch and call
 * series_end() for each series, so that every rule stands once. Labels of a series are
 * one group of cells, however many samples it has.
 *
 * Owner:    all of it is in the batch's arena or borrowed from the body.
 * Threads:  one at a time.
 * Errors:   sticky; loops that input drives ask samples_ok(). What is wrong with a
 *           series or a sample only leaves that out and goes into the report.
 */
#pragma once
#include "base/map.h"
#include "base/wire.h"
#include "model/histogram.h"
#include "model/seen.h"
#include "model/sink.h"
#include "push/report.h"

/* What came of a request besides its rows. */
struct push_result {
    bool v2;                                       /* in: the sender speaks remote write 2.0 */
    struct report report;
    uint64_t samples, histograms;                  /* in the batch, as kept so far */
    uint64_t exemplars;                            /* left out */
    uint64_t invalid;                              /* series without a usable name or labels */
    struct str invalid_why;                        /* the first of them */
    uint64_t streams;                              /* Loki: of the request, also those that were refused */
};

struct label {
    struct str name, value;
};

struct sample {
    int64_t t_ms, start_ms;
    double v;
};

enum { MEMO_MAX = 64, SHAPES = 64 };

struct samples {
    struct batch *batch;
    struct arena *mem;
    struct push_result *result;
    int64_t oldest_ns, newest_ns;                  /* of times that are taken */
    struct seen *seen;                             /* series that were decoded before; NULL: none are known */
    uint64_t shapes[SHAPES];                       /* of seen series whose names are columns of this batch already */
    struct redact *redact;                         /* not NULL: series are written anew instead of becoming rows */
    bool v2;                                       /* names the series of a refused sample, as Prometheus does there */
    enum err err;
    struct fault *fault;

    /* the series being read */
    struct label *labels;
    struct sample *samples;
    struct str *histograms;                        /* messages */
    uint32_t nlabels, cap_labels, nsamples, cap_samples, nhistograms, cap_histograms;
    struct str raw;                                /* the bytes of its labels; p NULL: they do not stand together */
    struct seen_series known;                      /* shape not 0: it was seen before, and its labels were not read now */

    struct {
        struct str name, value;
        uint32_t col;                              /* + 1; 0: not asked yet */
        uint64_t seed;                             /* of the name, with the column */
        bool after;                                /* name comes after the one before it */
    } memo[MEMO_MAX];                              /* place in the series -> the last valid label there: series repeat theirs */
    struct map metas;                              /* names whose metadata the batch has */
};

void samples_init(struct samples *s, struct batch *b, struct push_result *result, int64_t oldest_ns, struct fault *f);
void samples_done(struct samples *s);
bool samples_ok(const struct samples *s);
void samples_fail(struct samples *s, enum err e, size_t at, const char *fmt, ...) PRINTF(4, 5);
/* Fails if the walk over the body ended in a malformed byte. */
void samples_malformed(struct samples *s, const struct wire *w, struct str body);

void series_begin(struct samples *s);
void series_label(struct samples *s, struct str name, struct str value);
void series_sample(struct samples *s, struct sample x);
/* prometheus.Sample, the same in both versions; its start time in 1.0 is of our own making, see redact.c. */
void series_walk_sample(struct samples *s, struct wire *m);
void series_histogram(struct samples *s, struct str message);
/* Was it seen before? Then raw stands for its labels. */
bool series_is_known(struct samples *s, struct str raw);
/* Rows of what was gathered. `start_ms` of the series, 0 unknown. */
void series_end(struct samples *s, int64_t start_ms);
/* The same without rows: the labels cannot be had. */
void series_refuse(struct samples *s, struct str why);
void samples_meta(struct samples *s, struct str name, uint64_t type, struct str help, struct str unit);

/* By name; equal names keep their order. */
void labels_sort(struct label *l, uint32_t n);
bool label_name_is_plain(struct str name);         /* [a-zA-Z_][a-zA-Z0-9_]* */
void labels_write(struct buf *b, const struct label *labels, uint32_t n);
/* Labels as Prometheus prints them: {__name__="x", a="b"}. */
struct str series_text(const struct label *labels, uint32_t n, struct arena *mem);
/* The same of a row's group. */
struct str row_series_text(const struct batch *b, const struct row *r, struct arena *mem);

/* write1.c, write2.c */
void write1_walk(struct samples *s, struct str body);
void write1_unfold(const struct batch *b, const struct series_ref *r, struct arena *mem, struct cells *ret);
void write2_walk(struct samples *s, struct str body);
/* histograms.c: prometheus.Histogram, the same in both versions. False: *f says why. */
MUST bool write_histogram(struct samples *s, struct str message, struct histogram *ret, int64_t *ret_ms, struct fault *f);

/* write_decode.c: a body to a batch with ids. With `seen` or without, what comes of it is the same. */
MUST enum err write_decode(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns, struct seen *seen,
                           struct arena *mem, struct batch *ret, struct push_result *result, struct fault *f);
