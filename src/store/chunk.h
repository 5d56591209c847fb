/* store/chunk.h -- a chunk: up to 64 k rows of one table, as encoded columns.
 *
 * chunk_encode() takes rows in the shape queries read (struct block, so that the
 * head and a decoded chunk are both fine as input), sorts them and gives one blob
 * per column, a summary and a filter; part_write() stores them. The way back is
 * chunk_summary_read(), chunk_shape_read() on the blob of CHUNK_RUNS, then
 * chunk_fixed_read() and chunk_column_read() on the blobs that part_read() fetched.
 * Rows of a chunk have one order in all columns.
 *
 * Rows stand in runs: samples of one series, temporality and origin, ascending by time;
 * events and spans of one session. A column has a value for each row, or for each run
 * where it is a function of the run (labels of samples always are), or for each moment:
 * what a session exports comes at one time, in one request, for all its series, so times of
 * samples are kept once for each such moment, and a run has only the number of its first.
 * The fixed columns of samples that go by row are in pieces, of whole runs of one metric
 * where possible, so that one metric is read without the others.
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
    CHUNK_RUNS,                                    /* struct chunk_shape; always there, and first: all others need it */
    CHUNK_STEPS,                                   /* samples: where moments of a run do not follow each other */
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
 * Codes of a column index its dict, 0 being absent, for all in->n rows. From level 2 on
 * attributes are compressed harder.
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
    uint32_t rows, runs, level, tenant;
    int64_t time_min, time_max, recv_min, recv_max, start_min, start_max;
    int64_t claimed_min, claimed_max;              /* of rows that have one; 0, 0: none has */
    uint64_t seq_min, seq_max;
    uint32_t temporalities, origins;               /* bit 1 << x for each that occurs */
    const struct chunk_col *cols;                  /* ascending by place, then name */
    uint32_t ncols;
};

MUST enum err chunk_summary_read(struct str blob, struct arena *mem, struct chunk_summary *ret, struct fault *f);
const struct chunk_col *chunk_summary_col(const struct chunk_summary *s, enum place place, struct str name);   /* or NULL */

/* What a value of a column stands for; on disk. */
enum chunk_grain { CHUNK_BY_ROW, CHUNK_BY_RUN, CHUNK_BY_MOMENT };

/* How the rows of a chunk stand. Row i of run r is of moment[r] + (i - the run's first row),
 * where the chunk has no CHUNK_STEPS; else each row that is not a run's first is of the
 * moment behind that of the row before, and as many further as its step says. */
struct chunk_shape {
    uint32_t rows, nruns, nmoments, npieces;       /* moments and pieces: 0 where there are none */
    const uint32_t *run_end;                       /* of each run: where the next one begins */
    const uint32_t *moment;                        /* of each run: of its first row */
    const uint32_t *piece_end;
    bool stepped;                                  /* the chunk has CHUNK_STEPS */
};
MUST enum err chunk_shape_read(struct str blob, uint32_t rows, struct arena *mem, struct chunk_shape *ret, struct fault *f);
uint32_t chunk_count(const struct chunk_shape *s, enum chunk_grain grain);   /* values of a column of that grain */

/* Fixed columns into block arrays, a value a row: blobs[0 .. CHUNK_FIXED_COUNT), the
 * ones not wanted being empty (their arrays stay NULL; CHUNK_STEPS goes with TIME, RECV, SEQ,
 * START, CLAIMED of samples). Sets ret->n and those arrays only. CLAIMED is stored only where
 * some row has one; START, VALUE and TEMPORALITY for samples. */
MUST enum err chunk_fixed_read(const struct str blobs[CHUNK_FIXED_COUNT], const struct chunk_shape *s, struct arena *mem,
                               struct block *ret, struct fault *f);

/* One attribute column, a value a row. An empty blob (dropped content) gives a column that is
 * absent in all rows. time_ns: the chunk's decoded CHUNK_TIME (columns of times are
 * stored as differences to it). */
MUST enum err chunk_column_read(struct str blob, const struct chunk_col *col, const struct chunk_shape *s, const int64_t *time_ns,
                                struct arena *mem, struct column *ret, struct fault *f);

/* The steps of reading a blob, for whoever keeps what is between: checked and inflated, then
 * decoded. What is decoded may point into the payload. A payload that did not come from
 * chunk_payload() with the same column must not be given. */
enum { CHUNK_ENC_TIME = 6 };                       /* needs the rows' own times to decode */
struct chunk_payload {
    uint8_t enc, grain;
    struct str raw;
};
MUST enum err chunk_payload(struct str blob, uint32_t column, uint32_t rows, struct arena *mem, struct chunk_payload *ret,
                            struct fault *f);
bool chunk_is_pieces(struct str blob);             /* then it has no payload, but pieces */
/* The same into memory of at least chunk_payload_size() bytes, a multiple of 8. The size is
 * what the blob claims, not checked yet; 0 for what is no blob. */
size_t chunk_payload_size(struct str blob);
MUST enum err chunk_payload_into(struct str blob, uint32_t column, void *out, size_t size, struct chunk_payload *ret, struct fault *f);

/* A column in pieces, checked; its pieces inflate and decode by themselves. */
struct chunk_pieces {
    uint8_t enc;
    const struct chunk_piece { struct str body; size_t raw; } *at;      /* shape.npieces of them */
};
MUST enum err chunk_pieces_open(struct str blob, uint32_t column, const struct chunk_shape *s, struct arena *mem,
                                struct chunk_pieces *ret, struct fault *f);
MUST enum err chunk_piece_inflate(const struct chunk_piece *p, void *out, struct fault *f);        /* p->raw bytes */
/* Rows of the piece as numbers of 8 bytes each: doubles for CHUNK_VALUE, else integers. */
MUST enum err chunk_piece_decode(uint8_t enc, struct str raw, const struct chunk_shape *s, uint32_t piece, uint32_t column,
                                 void *out, struct arena scratch, struct fault *f);

/* A fixed column that is not in pieces: `count` values of 8 bytes, or of 1 byte for TEMPORALITY and ORIGIN. */
MUST enum err chunk_fixed_decode(struct chunk_payload p, enum chunk_fixed column, uint32_t count, struct arena *mem, const void **ret,
                                 struct fault *f);
/* The same, a value a row. moment_of: of each row, where the column goes by moment. */
const void *chunk_fixed_spread(const void *values, enum chunk_grain grain, enum chunk_fixed column, const struct chunk_shape *s,
                               const uint32_t *moment_of, struct arena *mem);
/* Of each row. steps: decoded, NULL if the chunk has none. */
MUST enum err chunk_moments_of(const struct chunk_shape *s, const int64_t *steps, struct arena *mem, const uint32_t **ret, struct fault *f);

/* An attribute column: `count` values as its grain has them. */
MUST enum err chunk_column_decode(struct chunk_payload p, const struct chunk_col *col, uint32_t count, const int64_t *time_ns,
                                  struct arena *mem, struct column *ret, struct fault *f);
/* From a value a run to a value a row. */
void column_spread(const struct column *c, const struct chunk_shape *s, struct arena *mem, struct column *ret);
/* Only the rows sel[0 .. n), ascending, n > 0, as rows 0 .. n of a column whose dictionary
 * has what they hold. times: of those rows. */
/* Which rows have a value, as a bitmap; NULL: all, or it does not show without decoding. */
const uint8_t *chunk_valid(struct chunk_payload p, uint32_t rows, struct arena *mem);
MUST enum err chunk_column_some(struct chunk_payload p, const struct chunk_col *col, const struct chunk_shape *s, const int64_t *times,
                                const uint32_t *sel, uint32_t n, struct arena *mem, struct column *ret, struct fault *f);
/* The array of a fixed column that goes by row and is not in pieces, of those rows. */
MUST enum err chunk_fixed_some(struct chunk_payload p, enum chunk_fixed column, uint32_t rows, const uint32_t *sel, uint32_t n,
                               struct arena *mem, const void **ret, struct fault *f);
/* The same from a column that is there. Texts stay where they are. */
void column_gather(const struct column *c, const uint32_t *sel, uint32_t n, struct arena *mem, struct column *ret);

/* May the chunk hold a row with this text as its session_id or prompt_id, at whatever
 * place? An empty filter says yes. False positives under 1 %. */
MUST enum err chunk_filter_test(struct str filter, struct str id, bool *ret_maybe, struct fault *f);
