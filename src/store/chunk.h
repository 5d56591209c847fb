/* store/chunk.h -- a chunk: up to 64 k rows of one table, as encoded columns.
 *
 * chunk_encode() takes rows in the shape queries read (struct block, so that the
 * head and a decoded chunk are both fine as input), sorts them and gives one blob
 * per column, a summary and a filter; part_write() stores them. The way back is
 * chunk_summary_read(), then chunk_fixed_read() and chunk_column_read() on the
 * blobs that part_read() fetched. Rows of a chunk have one order in all columns.
 *
 * Owner:    results live in the arena they are given; decoded text may point into
 *           it, never into the blob.
 * Threads:  pure functions; any.
 * Errors:   E_CORRUPT for anything that is not what chunk_encode() made (every blob
 *           has a checksum and no length in it is trusted); E_LIMIT.
 * Units:    times are Unix ns.
 */
#pragma once
#include "model/source.h"

enum {
    CHUNK_ROWS_MAX = 64 * 1024,      /* first level, what chunk_cut() gives at most */
    CHUNK_ROWS_LIMIT = 1024 * 1024,  /* any level */
    CHUNK_COLUMNS = 4096,            /* numbers per chunk: rowid = chunk * 4096 + column */
};
#define CHUNK_RAW_MAX ((size_t)256 << 20)          /* one column, uncompressed */

/* Column numbers, on disk. Attribute columns follow from CHUNK_ATTRS on. All rows of a
 * chunk are of one tenant, which stands in its summary. */
enum chunk_fixed {
    CHUNK_TIME, CHUNK_RECV, CHUNK_START, CHUNK_CLAIMED, CHUNK_VALUE, CHUNK_TEMPORALITY,
    CHUNK_ORIGIN, CHUNK_SEQ,
    CHUNK_FIXED_COUNT,
    CHUNK_ATTRS = 16,
};
enum { CHUNK_ATTRS_MAX = CHUNK_COLUMNS - CHUNK_ATTRS };

struct chunk_blob {
    uint32_t column;
    bool content;                                  /* goes to the content file */
    struct str data;
};

struct chunk_out {
    enum table table;
    uint32_t level, rows;
    int64_t t0, t1;                                /* first and last time, both inclusive */
    struct chunk_blob *blobs;
    uint32_t nblobs;
    struct str summary, filter;                    /* filter: empty if there is nothing to look up */
};

/* How many of in->sel[from], sel[from + 1], ... one chunk can take: at least 1, at
 * most CHUNK_ROWS_MAX, and no more distinct columns than a chunk has numbers for.
 * One row never has more than CHUNK_ATTRS_MAX attributes (CHECK). */
uint32_t chunk_cut(const struct block *in, uint32_t from);

/* Encodes rows in->sel[0 .. nsel). Columns without a value in them are left out.
 * start_ns, value and temporality are read for samples only; claimed_ns may be NULL.
 * Codes of a column index its dict, 0 being absent, for all in->n rows.
 *
 * Samples may come by series (block.series) or in runs (block.run_end), which spares their
 * labels being looked at row by row; else the series are found by their codes. Rows may be in
 * any order, a series may have several numbers or runs. Two codes of one column with equal
 * values are two values here: the rows are right, but the chunk is larger, and a series then
 * has several runs. So whoever puts blocks together gives equal values one code. */
MUST enum err chunk_encode(enum table table, const struct block *in, uint32_t level,
                           struct arena *mem, struct chunk_out *ret, struct fault *f);

/* What the summary knows of one column. */
struct chunk_col {
    struct colkey key;
    uint32_t column;
    bool content;                                  /* in the content file; may be gone */
    bool full;                                     /* every row has a value */
    uint32_t types;                                /* bit 1 << vtype of each type that occurs */
    uint32_t distinct;                             /* distinct values at most, absent not counted; 0: not counted */
    const struct value *values;                    /* all of them, when few and short; else NULL */
    uint32_t nvalues;
    bool ranged;                                   /* all values are numbers: V_INT, V_DOUBLE */
    double min, max;                               /* rounded outward; NaN is in no range: then not ranged */
};

struct chunk_summary {
    enum table table;
    uint32_t rows, level, tenant;
    int64_t time_min, time_max, recv_min, recv_max, start_min, start_max;
    int64_t claimed_min, claimed_max;              /* of rows that have one; 0, 0: none has */
    uint64_t seq_min, seq_max;
    uint32_t temporalities, origins;               /* bit 1 << x for each that occurs */
    const struct chunk_col *cols;                  /* ascending by place, then name */
    uint32_t ncols;
};

MUST enum err chunk_summary_read(struct str blob, struct arena *mem, struct chunk_summary *ret, struct fault *f);
const struct chunk_col *chunk_summary_col(const struct chunk_summary *s, enum place place, struct str name);   /* or NULL */

/* Fixed columns into block arrays: blobs[CHUNK_TIME .. CHUNK_FIXED_COUNT), the ones
 * not wanted being empty (their arrays stay NULL). Sets ret->n and those arrays only.
 * CLAIMED is stored only where some row has one; START, VALUE and TEMPORALITY for samples. */
MUST enum err chunk_fixed_read(const struct str blobs[CHUNK_FIXED_COUNT], uint32_t rows,
                               struct arena *mem, struct block *ret, struct fault *f);

/* One attribute column. An empty blob (dropped content) gives a column that is absent
 * in all rows. time_ns: the chunk's decoded CHUNK_TIME (columns of times are
 * stored as differences to it). */
MUST enum err chunk_column_read(struct str blob, const struct chunk_col *col, uint32_t rows, const int64_t *time_ns,
                                struct arena *mem, struct column *ret, struct fault *f);

/* The two steps of reading a blob, for whoever keeps payloads: checked and inflated, then
 * decoded. What is decoded may point into the payload. A payload that did not come from
 * chunk_payload() with the same column must not be given. */
enum { CHUNK_ENC_TIME = 6 };                       /* needs the rows' own times to decode */
struct chunk_payload {
    uint8_t enc;
    struct str raw;
};
MUST enum err chunk_payload(struct str blob, uint32_t column, uint32_t rows, struct arena *mem, struct chunk_payload *ret,
                            struct fault *f);
/* The same into memory of at least chunk_payload_size() bytes, a multiple of 8. The size is
 * what the blob claims, not checked yet; 0 for what is no blob. */
size_t chunk_payload_size(struct str blob);
MUST enum err chunk_payload_into(struct str blob, uint32_t column, void *out, size_t size, struct chunk_payload *ret, struct fault *f);
MUST enum err chunk_fixed_decode(struct chunk_payload p, enum chunk_fixed column, uint32_t rows, struct arena *mem,
                                 struct block *ret, struct fault *f);
MUST enum err chunk_column_decode(struct chunk_payload p, const struct chunk_col *col, uint32_t rows, const int64_t *time_ns,
                                  struct arena *mem, struct column *ret, struct fault *f);
/* Only the rows sel[0 .. n), ascending, n > 0, as rows 0 .. n of a column whose dictionary
 * has what they hold. times: of those rows. */
MUST enum err chunk_column_some(struct chunk_payload p, const struct chunk_col *col, uint32_t rows, const int64_t *times,
                                const uint32_t *sel, uint32_t n, struct arena *mem, struct column *ret, struct fault *f);
/* The array of a fixed column, of those rows. */
MUST enum err chunk_fixed_some(struct chunk_payload p, enum chunk_fixed column, uint32_t rows, const uint32_t *sel, uint32_t n,
                               struct arena *mem, const void **ret, struct fault *f);
/* The same from a column that is there. Texts stay where they are. */
void column_gather(const struct column *c, const uint32_t *sel, uint32_t n, struct arena *mem, struct column *ret);

/* May the chunk hold a row with this text as its session_id or prompt_id, at whatever
 * place? An empty filter says yes. False positives under 1 %. */
MUST enum err chunk_filter_test(struct str filter, struct str id, bool *ret_maybe, struct fault *f);
