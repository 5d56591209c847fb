/* otlp/build.h -- from decoded resources, records, points and spans to rows.
 *
 * Protobuf and JSON are walked by different code, but both fill the plain structs
 * below and call the same functions in the same order, so that every rule stands
 * once and the same content gives the same rows in either form:
 *
 *     build_init
 *       per resource:  fill b->resource, build_resource
 *         per scope:     fill b->scope, build_scope
 *           per item:      build_log | build_span | build_metric, build_point...
 *       build_resource_end
 *     build_finish, build_done
 *
 * Owner:    everything is in the batch's arena, apart from what build_done() frees;
 *           strings are borrowed from the body.
 * Threads:  one at a time.
 * Errors:   sticky: the first one is kept in b->err and the fault, later calls do
 *           nothing. Loops that input drives ask build_ok().
 */
#pragma once
#include "base/jw.h"
#include "base/map.h"
#include "model/rows.h"
#include "model/seen.h"

struct otlp_attr {
    struct str key;
    struct value v;
    uint32_t i;                  /* place in the list: sorting by key stays stable */
};

struct otlp_attrs {
    struct otlp_attr *at;
    uint32_t n, cap;
};

struct otlp_scope {
    struct str name, version;
    struct otlp_attrs attrs;
};

/* Ids are lower-case hex, empty when absent or all zero. */
struct otlp_log {
    uint64_t time_ns, observed_ns;
    int64_t severity;
    struct str severity_text, event_name, trace_id, span_id;
    uint64_t flags, dropped;
    struct value body;
    struct otlp_attrs attrs;     /* besides those that build_attr() took */
};

struct otlp_span {
    struct str trace_id, span_id, parent_id, trace_state, name, status_message;
    int64_t kind, status_code;
    uint64_t start_ns, end_ns, flags, dropped, dropped_events, dropped_links;
    struct otlp_attrs attrs;
};

struct otlp_event {
    uint64_t time_ns, dropped;
    struct str name;
    struct otlp_attrs attrs;
};

struct otlp_link {
    struct str trace_id, span_id, trace_state;
    uint64_t dropped, flags;
    struct otlp_attrs attrs;
};

enum otlp_kind { KIND_GAUGE, KIND_SUM, KIND_HISTOGRAM, KIND_EXP_HISTOGRAM, KIND_SUMMARY, KIND_COUNT };

/* What Metric's `data` may be. */
struct otlp_kind_def {
    uint32_t field;
    struct str json;
};
extern const struct otlp_kind_def otlp_kinds[KIND_COUNT];

struct otlp_metric {
    struct str name, description, unit;
    enum otlp_kind kind;
    int64_t temporality;
    bool monotonic;
};

enum point_value { POINT_EMPTY, POINT_DOUBLE, POINT_INT };

struct otlp_point {
    uint64_t start_ns, time_ns, flags;
    enum point_value type;
    double d;
    int64_t i;
    struct otlp_attrs attrs;
    /* known.c */
    struct str raw;              /* the attributes as they came, if they stand together */
    bool apart;                  /* any further attribute stands apart from the first ones */
    struct id128 key;            /* of raw, and what else makes the series */
    struct seen_series known;    /* shape not 0: it was seen before, and attrs were not read now */
};

struct otlp_counts {
    uint64_t *at;
    uint32_t n, cap;
};

struct otlp_numbers {
    double *at;
    uint32_t n, cap;
};

/* One side of an exponential histogram: bucket offset + i holds (base^i, base^(i+1)]. */
struct otlp_side {
    int64_t offset;
    struct otlp_counts counts;
};

/* A point of a histogram (counts, bounds), an exponential one (scale to neg) or a summary
 * (quantiles and their values). The lists are scratch of the build: dist_begin(). */
struct otlp_dist {
    uint64_t start_ns, time_ns, flags, count;
    double sum;
    bool has_sum;
    struct otlp_counts counts;
    struct otlp_numbers bounds;
    int64_t scale;
    uint64_t zero_count;
    double zero_threshold;
    struct otlp_side pos, neg;
    struct otlp_numbers quantiles, values;
    struct otlp_attrs attrs;
};

/* Why a point was left out; the words are in build.c. */
enum reject {
    REJECT_TEMPORALITY,
    REJECT_NO_VALUE,
    REJECT_NOT_FINITE,
    REJECT_NEGATIVE,
    REJECT_NEGATIVE_SUM,
    REJECT_BUCKETS,
    REJECT_SCALE,
    REJECT_NO_NAME,
    REJECT_COUNT,
};

enum { MEMO_MAX = 64, NAMED_MAX = 256, SHARED_MAX = 256, SHAPES_MAX = 64 };

struct build {
    struct batch *batch;
    struct arena *mem;
    int64_t oldest_ns;
    enum err err;
    struct fault *fault;
    uint64_t rejected[REJECT_COUNT];

    struct otlp_attrs resource;  /* the decoder fills them, then calls build_resource/build_scope */
    struct otlp_scope scope;
    struct otlp_attrs attrs, inner;   /* scratch for one item's attributes and its events' */
    struct otlp_attrs order;     /* scratch of labels.c */
    struct buf text;             /* scratch for one array or map */
    struct otlp_dist dist;       /* scratch for one point's lists */

    /* private to build.c, labels.c and metrics.c */
    uint32_t group;              /* of the rows to come */
    uint32_t tag;                /* of the newest row or group; marks[col].tag says whether it has the column */
    struct mark {
        uint32_t tag, cell;              /* in the row of that tag, at that cell */
        uint32_t group_tag, group_cell;  /* likewise in the resource's group of labels */
        bool shared;                     /* some group of build_shared() has it */
    } *marks;
    uint32_t nmarks;
    struct memo {
        struct str name;
        uint32_t col;
    } memo[MEMO_MAX];            /* position in the row -> the last name there: rows repeat their shape */
    struct memo named[NAMED_MAX];   /* attribute's name, by a hash of little work -> column: shapes take turns */
    struct cells own;            /* of the record at hand: build_attr() */
    uint32_t own_group, own_attrs, own_last;   /* its group, attributes in both, the newest one's column */
    struct shared {
        struct str bytes;        /* as they came */
        uint32_t base, group, attrs;
    } *shared;                   /* by a hash of the bytes; NULL: not needed yet */
    uint32_t shared_hits, shared_misses;
    uint32_t field_col[32];      /* enum field of build.c -> column + 1 */
    struct map labels;           /* attribute name -> label column */
    uint32_t name_col, job_col, instance_col;
    uint32_t extra_col;          /* + 1: a label that the receiver sets on the row at hand, over attributes */
    uint32_t group_tag;
    struct str metric;           /* its name as Prometheus has it */
    struct str bucket, sum, count;   /* the same with a suffix, made when needed */
    const struct otlp_metric *suffixes_of;
    const struct otlp_metric *meta_of;
    uint64_t newest_ns;          /* of the resource's points, for target_info */
    bool has_points, has_job, has_instance;
    struct seen *seen;           /* series that were decoded before; NULL: none are known */
    struct id128 resource_key, metric_key;
    const struct known_of *of;   /* of the metric at hand; NULL: not made yet */
    uint64_t shapes[SHAPES_MAX]; /* of seen series whose names are columns of this batch already */
    struct fresh {
        struct id128 key;
        uint64_t shape, weight;
        uint32_t row;
    } *fresh;                    /* to be seen from now on */
    uint32_t nfresh, cap_fresh;
    uint64_t spared;             /* bytes that decoding known series anew would have taken */
    struct buf events, links;
    struct jw jevents, jlinks;
    uint32_t nevents, nlinks;
};

void build_init(struct build *b, struct batch *batch, int64_t oldest_ns, struct seen *seen, struct fault *f);
void build_done(struct build *b);
/* Counts and reasons of what was left out, and the rows' ids. */
MUST enum err build_finish(struct build *b);
bool build_ok(struct build *b);                    /* no error so far and memory left */
void build_fail(struct build *b, enum err e, size_t at, const char *fmt, ...) PRINTF(4, 5);

/* V_NONE is no attribute. */
void attrs_add(struct build *b, struct otlp_attrs *a, struct str key, struct value v);
struct str id_hex(struct build *b, struct str bytes);              /* absent when all zero */
void value_write(struct build *b, struct jw *w, const struct value *v);   /* any value as JSON */
struct value text_value(struct build *b);          /* V_JSON of what stands in b->text */

void build_resource(struct build *b);
void build_resource_end(struct build *b);
void build_scope(struct build *b);
/* A record: begun, its attributes one by one, of which a group may have the first, then built. */
void build_log_begin(struct build *b);
void build_attr(struct build *b, struct str key, struct value v);
uint32_t build_shared(struct build *b, const struct otlp_attrs *a);   /* a group: the scope's and these */
void build_log(struct build *b, const struct otlp_log *l);
void build_span_begin(struct build *b);
void build_event(struct build *b, const struct otlp_event *e);
void build_link(struct build *b, const struct otlp_link *l);
void build_span(struct build *b, const struct otlp_span *s);
void build_metric(struct build *b, const struct otlp_metric *m);
void build_point(struct build *b, const struct otlp_metric *m, const struct otlp_point *p);
/* The next point of a histogram or summary, empty; then its lists are filled, then it is built. */
struct otlp_dist *dist_begin(struct build *b);
void dist_count(struct build *b, struct otlp_counts *c, uint64_t v);
void dist_number(struct build *b, struct otlp_numbers *c, double v);
void build_dist(struct build *b, const struct otlp_metric *m, const struct otlp_dist *p);
void build_reject(struct build *b, enum reject why, uint64_t n);

/* ---- between build.c, labels.c and metrics.c -------------------------------- */
uint32_t column(struct build *b, enum place place, struct str name);
struct row *row_new(struct build *b, uint32_t cells);   /* NULL past a limit */
void row_cell(struct row *r, uint32_t col, struct value v);
void labels_resource(struct build *b);             /* the group that points share */
void labels_point(struct build *b, struct row *r, const struct otlp_attrs *a);
void metric_meta(struct build *b, const struct otlp_metric *m, enum metric_type type);   /* once a metric */
double stale_marker(void);

/* known.c */
void known_metric(struct build *b, const struct otlp_metric *m, enum metric_type type);
uint32_t known_group(struct build *b, const struct otlp_point *p);
void known_note(struct build *b, const struct otlp_point *p, const struct row *r);
void known_finish(struct build *b);
void known_unfold(const struct batch *batch, const struct series_ref *s, struct arena *mem, struct cells *ret);
void target_info(struct build *b);
