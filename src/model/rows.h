/* model/rows.h -- rows on their way in: what receivers build and the sink takes.
 *
 * A row is a time, a few fixed numbers and cells. A cell is (column, value); a
 * column is (place, name). Cells that many rows share (resource, scope) stand
 * once in a group. Everything lives in the arena of the request.
 *
 *   samples: cells are PLACE_LABEL only, already named as Prometheus names them
 *            ("__name__" among them), unique by name, values V_STR, never empty. A
 *            native histogram has one cell more, PLACE_FIELD histogram (histogram.h).
 *            A group is a series: it has all labels of its rows, whose own cells are
 *            fields. Whoever builds rows need not care: rows_identify() sees to it.
 *   logs:    PLACE_FIELD body, severity_number, severity_text, event_name (the
 *            OTLP field), trace_id, span_id (V_STR, lower-case hex), flags,
 *            observed_ns, scope_name, scope_version, dropped_attributes;
 *            PLACE_ATTR the record's attributes under their OTLP names,
 *            PLACE_SCOPE, PLACE_RESOURCE likewise. Pushed entries (Loki) have
 *            PLACE_LABEL stream labels and PLACE_ATTR structured metadata.
 *   spans:   PLACE_FIELD name, kind, trace_id, span_id, parent_span_id,
 *            trace_state, end_ns, duration_ns, status_code, status_message,
 *            events, links (V_JSON), flags, scope_name, scope_version;
 *            attributes as in logs. time_ns is the span's start.
 *
 * Threads:  one owner at a time.
 */
#pragma once
#include "base/hash.h"
#include "model/value.h"

enum table { TABLE_SAMPLE, TABLE_LOG, TABLE_SPAN, TABLE_COUNT };
enum place { PLACE_FIELD, PLACE_LABEL, PLACE_ATTR, PLACE_SCOPE, PLACE_RESOURCE, PLACE_COUNT };

/* What a sample's value means; stored, never renumbered. */
enum temporality {
    TEMPORALITY_NONE = 0,        /* gauge, or as it came (remote write): no accounting */
    TEMPORALITY_DELTA = 1,       /* the value is an increment since start_ns */
    TEMPORALITY_CUMULATIVE = 2,  /* the value is the total of its stream since start_ns */
};

/* Accounting rule 6: where a row came from; stored, never renumbered. */
enum origin { ORIGIN_OTLP = 1, ORIGIN_SCRAPE = 2, ORIGIN_REMOTE = 3, ORIGIN_LOKI = 4, ORIGIN_TRANSCRIPT = 5 };

struct colkey {
    enum place place;
    struct str name;
};

struct cell {
    uint32_t col;                /* index into batch.cols */
    uint32_t hash;               /* rows_identify(): of the value; equal ones of one column have the same */
    struct value v;
};

struct cells {
    struct cell *at;
    uint32_t n, cap;
};

/* What the sink made of a row. */
enum verdict {
    VERDICT_NEW,                 /* kept */
    VERDICT_DUPLICATE,           /* was there already, just so */
    VERDICT_REFUSED,             /* its identity was there with another value, which stays (rule 5) */
    VERDICT_ERASED,              /* it is of a session or a person that was erased: left out */
};

struct row {
    int64_t time_ns;             /* accounting rule 10 applied */
    int64_t claimed_ns;          /* what the sender said, if that is not time_ns; else 0; ROW_NO_TIME: it said none */
    int64_t start_ns;            /* samples: start of the point's interval or stream, 0 unknown */
    double value;                /* samples */
    enum temporality temporality;
    enum origin origin;
    enum verdict verdict;        /* out: set before write_req.done */
    uint32_t group;              /* index into batch.groups, or ROW_NO_GROUP */
    struct cells cells;
    struct id128 id;             /* rows_identify(): accounting rule 5 */
};

/* Samples: what a group is besides its cells. Labels that were decoded before (model/seen.h)
 * are left as they came: mostly nobody asks for them again. */
struct series_ref {
    struct id128 id;             /* of all the labels, in any order; rows_identify() */
    struct str raw;              /* labels as they came, of which batch.unfold makes cells; p NULL: the group has them */
    const void *of;              /* what else that takes; the receiver's */
};

#define ROW_NO_GROUP UINT32_MAX
#define ROW_NO_TIME  INT64_C(-1)

enum metric_type { METRIC_UNKNOWN, METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_SUMMARY };

/* What is known of a metric, by its Prometheus name. */
struct metric_meta {
    struct str name;
    enum metric_type type;
    struct str unit, help;
};

struct batch {
    struct arena *mem;
    enum table table;
    int64_t recv_ns;
    struct colkey *cols;
    uint32_t ncols, cap_cols;
    struct map *col_index;       /* private to rows.c */
    struct cells *groups;
    uint32_t ngroups, cap_groups;
    const struct id128 *group_ids;                /* rows_identify(): of each group's cells, in any order; events and spans */
    struct series_ref *series;                        /* samples: one a group */
    uint32_t nseries, cap_series;
    /* Makes the cells of what is raw, in `mem`; their columns are there already. */
    void (*unfold)(const struct batch *b, const struct series_ref *s, struct arena *mem, struct cells *ret);
    struct row *rows;
    uint32_t nrows, cap_rows;
    struct metric_meta *metas;
    uint32_t nmetas, cap_metas;
    uint64_t rejected;           /* rows a receiver left out, e.g. unsupported kinds */
    struct str reject_reason;
    uint64_t moved;              /* rows kept at the receive time (rule 10) */
};

void batch_init(struct batch *b, struct arena *mem, enum table table, int64_t recv_ns);
void batch_done(struct batch *b);                 /* frees what is not in the arena */
uint32_t batch_col(struct batch *b, enum place place, struct str name);   /* interns; copies a new name */
uint32_t batch_col_find(const struct batch *b, enum place place, struct str name, struct arena scratch);   /* MAP_NONE: there is none */
uint32_t batch_group(struct batch *b);            /* a new, empty group */
/* A new group of samples whose labels are not unfolded. */
uint32_t batch_series(struct batch *b, struct id128 id, struct str raw, const void *of);
/* The labels of a group of samples: its own cells, or made in `mem`, with their hashes. */
struct cells batch_labels(const struct batch *b, uint32_t group, struct arena *mem);
struct row *batch_row(struct batch *b);           /* a new row, group ROW_NO_GROUP */
void cells_put(struct cells *c, struct arena *mem, uint32_t col, struct value v);

/* Rule 10: gives the row its time from what the sender said (0 is missing).
 * Before oldest_ns or more than a day after recv_ns: the receive time, with the
 * claimed time beside it and counted in batch.moved. */
void row_set_time(struct batch *b, struct row *r, int64_t time_ns, int64_t observed_ns, int64_t oldest_ns);

/* A series is the sum of these over its labels: of each, by its name's seed, its value. */
uint64_t label_seed(struct str name);
static inline struct id128 label_id128(uint64_t seed, struct str value)
{
    return hash128_seeded(value, seed + 2 * V_STR);
}
static inline void id128_add(struct id128 *sum, struct id128 x)
{
    sum->hi += x.hi;
    sum->lo += x.lo;
}

/* Fills row.id of all rows, cell.hash of all cells and series.id of all groups of samples, of which
 * every row has one then. Ids are by rule 5: delta point (labels, start, time, value);
 * cumulative (labels, start, time); gauge and plain sample (labels, time); span
 * (trace id, span id); OTLP log record: every field and attribute, in any order,
 * resource and scope included; pushed entry: stream labels, time, line, metadata. Uses the
 * claimed time where there is one, so that a resend has the same id; a time the sender
 * did not give counts as 0. Only samples without a time that no start tells apart (all
 * but deltas with a start) are named by their receive time: else the second value of a
 * gauge would be the first one sent again. */
void rows_identify(struct batch *b);
/* The id of a sample of this series. */
struct id128 sample_id(struct id128 series, const struct row *r);
/* Does the row stand at another time than the one it is named by? Its resend may then
 * land in another place. */
bool row_is_moved(enum table t, const struct row *r);
/* The time that names a row. */
int64_t row_naming_time(enum table t, const struct row *r);
