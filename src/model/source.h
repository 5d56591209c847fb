/* model/source.h -- what queries read: batches of columns from a fixed version.
 *
 * A scan sees every row acknowledged before scan_begin() and none acknowledged
 * after; ingest goes on meanwhile. Rows come in blocks (one chunk or stretch of
 * the head each), filtered: `sel` lists the rows that passed time range and
 * matchers. Blocks come by time in the asked direction, as the ranges of their
 * chunks overlap: after a block, no later one holds a row that is newer
 * (NEWEST_FIRST: >  next_bound; OLDEST_FIRST: < next_bound is impossible).
 * Rows inside a block are in no promised order.
 *
 * Owner:    a block is valid until the next scan_next() or scan_end().
 * Threads:  a scan belongs to one thread; any number of scans at once.
 * Errors:   E_LIMIT (rows, bytes, time; named in the message), E_IO, E_CORRUPT,
 *           E_CANCELLED.
 */
#pragma once
#include "model/matcher.h"
#include "model/rows.h"

enum scan_order { SCAN_ANY, SCAN_OLDEST_FIRST, SCAN_NEWEST_FIRST };

struct scan_stats {
    uint64_t chunks, rows_read, bytes_read;        /* decoded rows and bytes */
};

/* Arrays of a block that a query can do without, as bits of scan_req.without. */
enum scan_without {
    WITHOUT_RECV = 1, WITHOUT_START = 2, WITHOUT_CLAIMED = 4, WITHOUT_VALUE = 8,
    WITHOUT_TEMPORALITY = 16, WITHOUT_ORIGIN = 32, WITHOUT_SEQ = 64, WITHOUT_TIME = 128,
    WITHOUT_ALL = 255,
};

struct block;

struct scan_req {
    enum table table;
    int64_t from_ns, to_ns;                        /* from <= time_ns < to */
    int64_t recv_after_ns;                         /* 0, or only rows received after it */
    uint64_t seq_after;                            /* 0, or rows up to this sequence are not needed; they may come */
    const struct matcher *matchers;
    uint32_t nmatchers;
    const struct str *labels;                      /* columns wanted, as label names ("session_id") */
    uint32_t nlabels;
    bool all_labels;                               /* every column there is */
    const struct str *numbers;                     /* of these the numbers too, where a source keeps them (column.num) */
    uint32_t nnumbers;
    /* NULL, or asked about each block before the columns wanted are read: writes those of
     * b->sel[0 .. b->nsel) that still count to `sel`, in their order, and how many to b->nsel.
     * The block has times, seq and at least the columns of the labels `narrow_by`. A source
     * need not ask; one that does gives blocks without rows too. */
    void (*narrow)(void *arg, struct block *b, uint32_t *sel);
    void *narrow_arg;
    const struct str *narrow_by;
    uint32_t nnarrow_by;
    /* Samples: blocks whose rows stand in runs of one series each (block.run_end), with a code
     * a run in their columns of labels. What a query asks of labels it then asks once a run.
     * With SCAN_ANY blocks come by arrival: runs of a series whose rows were sent by time are met
     * by time, nearly always. */
    bool by_series;
    enum scan_order order;
    uint32_t without;                              /* these arrays may be NULL */
    uint64_t rows_max, bytes_max;                  /* 0: the store's own limits */
    struct scan_stats before;                      /* what the query has read already: counts towards these */
    int64_t deadline_mono_ns;                      /* 0: none */
    const bool *cancelled;                         /* NULL, or set by another thread */
};

/* How wide the codes of a column are: no wider than its dictionary needs. */
enum code_form {
    CODES_U32,                                     /* first: what a column is that does not say */
    CODES_U16,
    CODES_U8,
    CODES_SAME,                                    /* every row has the one code, a uint32_t */
};

/* One physical column. column_code() indexes dict; dict[0] is V_NONE (absent). A
 * column without codes holds numbers: type V_INT or V_DOUBLE, `valid` NULL means
 * all rows have one. Codes and arrays are indexed by row, not by selection. */
struct column {
    struct colkey key;
    const void *code;                              /* NULL: numbers */
    enum code_form form;
    const struct value *dict;
    uint32_t ndict;
    struct str text;                               /* where all texts of a dictionary of V_STR stand one after the
                                                      other, in the order of their codes; p NULL: they do not */
    const double *num;                             /* by code, what column_number() says; NULL: ask it */
    enum vtype type;
    const int64_t *i64;
    const double *f64;
    const uint8_t *valid;                          /* bitmap, bit r & 7 of byte r >> 3 */
};

/* With run_end, rows stand in runs: run i is the rows run_end[i - 1] (0 for the first) to
 * before run_end[i], all of one series, one temporality and one origin, ascending by time,
 * equal times by seq. Columns of place PLACE_LABEL, `temporality` and `origin` then have an
 * element a run, everything else one a row; every row counts (sel is NULL, nsel is n). Runs
 * are in no order, and a series may have several, also in one block. Only scan_req.by_series
 * gives such blocks.
 *
 * With series, which only the inside of a source sees, label columns have an element for
 * each of nseries series, and series[row] says which one a row is of; rows are in any order. */
struct block {
    uint32_t n;                                    /* rows in the arrays */
    const uint32_t *sel;                           /* rows that count, ascending */
    uint32_t nsel;
    const int64_t *time_ns, *recv_ns, *start_ns, *claimed_ns;   /* start: samples only; claimed may be NULL */
    const double *value;                           /* samples only */
    const uint8_t *temporality, *origin;           /* samples: both; others: origin */
    const uint64_t *seq;                           /* log sequence of each row: arrival order */
    const struct column *cols;
    uint32_t ncols;
    const uint32_t *run_end;                       /* NULL: rows stand by themselves */
    uint32_t nruns;
    const uint32_t *series;
    uint32_t nseries;
    int64_t next_bound;
};

/* Where a column has what it says of a row, in a block that names series. */
static inline uint32_t block_element(const struct block *b, const struct column *c, uint32_t row)
{
    return b->series && c->key.place == PLACE_LABEL ? b->series[row] : row;
}

static inline uint32_t column_code(const struct column *c, uint32_t row)
{
    switch (c->form) {
    case CODES_U8:
        return ((const uint8_t *)c->code)[row];
    case CODES_U16:
        return ((const uint16_t *)c->code)[row];
    case CODES_SAME:
        return *(const uint32_t *)c->code;
    default:
        return ((const uint32_t *)c->code)[row];
    }
}

/* The value as a number by its text, which "true" and "" are not: no_number() then. */
double column_number(const struct value *v);

/* A signalling NaN, which reading a number never gives. */
static inline double no_number(void)
{
    const uint64_t bits = UINT64_C(0x7ff0000000000001);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline bool is_no_number(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits == UINT64_C(0x7ff0000000000001);
}

/* Does a query's label name mean this column? Exact for labels and fields, else by label_name(). */
bool colkey_is(const struct colkey *key, struct str label);
/* The value of one physical column at a row. */
struct value column_value(const struct column *c, uint32_t row);

/* The id of a run's series: the sum over its labels, as rows.h has it. */
struct id128 block_run_id(const struct block *b, uint32_t run);

/* A label may stand at several places (record over scope over resource, label
 * over all; PLACE_FIELD never answers for an attribute of the same name unless
 * nothing else does): up to LABEL_COLS_MAX physical columns, the first present one wins. */
enum { LABEL_COLS_MAX = 8 };
struct label_ref {
    const struct column *at[LABEL_COLS_MAX];
    uint32_t n;
};
struct label_ref block_label(const struct block *b, struct str label, uint32_t places);
struct value label_value(const struct label_ref *l, uint32_t row);

/* As start_ns of a cumulative key: the sum over all streams of the series, which
 * a total needs because streams that ended before the scan do not show up in it. */
#define BASE_ALL_STREAMS INT64_MIN

/* One stream of an accounted series (rule 1): what it amounted to at a moment. */
struct base_key {
    const struct cell *labels;                     /* PLACE_LABEL cells: .v texts, names in names[col] */
    uint32_t nlabels;
    int64_t start_ns;                              /* cumulative: the stream, or BASE_ALL_STREAMS; delta: 0 = whole series */
    enum temporality temporality;
    double base;                                   /* out */
    bool known;                                    /* out: some row was found at or before the moment */
    int64_t last_ns;                               /* out: time of the newest such row */
};

/* Counters for status pages. */
struct source_stats {
    uint64_t rows[TABLE_COUNT];                    /* stored */
    uint64_t duplicates, moved, refused;           /* since start */
    uint64_t disk_bytes, log_bytes, head_rows, head_bytes;
    uint64_t partitions, seq;
    uint64_t erased;                               /* rows left out on arrival, since start */
    uint64_t retained_rows, retained_partitions;   /* gone by retention, since start */
    int64_t retention_next_ns;                     /* when a partition goes next by age; 0: none does */
    uint64_t retention_next_rows;
    int64_t oldest_ns, newest_ns, last_recv_ns;    /* 0: empty */
    bool read_only;                                /* disk full or failed: ingest answers 503 */
    char reason[160];
};

struct scan;                                       /* store/ */

struct source {
    MUST enum err (*scan_begin)(struct source *s, const struct scan_req *req, struct scan **ret, struct fault *f);
    /* *ret NULL at the end. */
    MUST enum err (*scan_next)(struct scan *sc, const struct block **ret, struct fault *f);
    struct scan_stats (*scan_end)(struct scan *sc);

    /* Base of totals: for each key what its stream (cumulative: the greatest value
     * with time <= at; delta: the sum of all values with time <= at) amounted to.
     * Looks back from `at` at most 35 days; a gap of 35 days starts at zero again. The
     * matchers are those of the query, to prune by. names[] are the label names
     * that cells' col point to. */
    MUST enum err (*bases)(struct source *s, const struct matcher *m, uint32_t nm, int64_t at_ns,
                           const struct str *names, struct base_key *keys, size_t nkeys, struct fault *f);

    /* Distinct label names of a table in a time range / values of one label, with
     * matchers. Called for each, in no order, maybe twice; the text is valid
     * during the call. */
    MUST enum err (*label_names)(struct source *s, const struct scan_req *req,
                                 void (*each)(void *arg, enum place place, struct str name), void *arg, struct fault *f);
    MUST enum err (*label_values)(struct source *s, const struct scan_req *req, struct str label,
                                  void (*each)(void *arg, struct str value), void *arg, struct fault *f);

    /* Metric metadata by Prometheus name; called under no lock, text valid during the call. */
    void (*metas)(struct source *s, void (*each)(void *arg, const struct metric_meta *m), void *arg);

    /* Calls fn on the writer's thread after each commit that added rows; never
     * blocks. Returns a handle for unwatch. */
    uint32_t (*watch)(struct source *s, void (*fn)(void *arg, uint64_t seq), void *arg);
    void (*unwatch)(struct source *s, uint32_t handle);

    void (*stats)(struct source *s, struct source_stats *ret);
};
