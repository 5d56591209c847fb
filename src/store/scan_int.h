/* store/scan_int.h -- a scan's state, shared by its files.
 */
#pragma once
#include "store/cache.h"
#include "store/crew.h"
#include "store/store_int.h"

/* What gives one block: a chunk, or a generation's head. */
struct unit {
    int64_t t0, t1;
    const struct part_item *item;
    const struct chunk_ref *chunk;
    uint64_t order;                                /* by arrival, among those of a partition or among heads */
    struct head *head;
    struct block picture;                          /* of the head */
};

/* A unit on its way to a block. One thread at a time has it: the scan's own, or one of the
 * crew that decodes ahead. */
struct load {
    struct scan *sc;                               /* of which only what does not change is read */
    const struct unit *u;
    struct arena *mem;                             /* lent by the store, with its pages */
    struct cached **held;                          /* what the block points into */
    uint32_t nheld, cap_held;
    struct scan_stats stats;
    struct block out;
    enum err err;                                  /* what became of it */
    struct fault fault;
    bool slow;                                     /* it took so long that a helper is worth waking for the next */
    bool begun;                                    /* a unit is in it that was not given out */
    struct crew_task task;
};

struct scan {
    struct store *s;
    struct scan_req req;
    struct arena mem;
    struct part_view *view;
    struct gen **gens;
    struct chunk_list **lists;
    uint32_t ngens, nlists;
    struct unit *units;
    uint32_t nunits, cap_units, next;
    struct load loads[2];                          /* one that was given out, and one ahead */
    uint32_t given;                                /* which */
    struct scan_stats stats;
};

/* scan_unit.c: fill ld->out from its unit; nsel 0 if nothing of it counts. */
enum err scan_head(struct load *ld);
enum err scan_chunk(struct load *ld, struct fault *f);
/* Is the column asked for? */
bool scan_wants(const struct scan_req *r, const struct colkey *key);
uint32_t scan_wants_fixed(const struct scan_req *r, const struct chunk_summary *sum);   /* bits 1 << chunk_fixed */

/* scan_series.c: the same in runs (scan_req.by_series). */
enum err scan_head_series(struct load *ld);
void scan_select_series(struct load *ld, struct block *b);              /* rows of a block with series, by matchers */

/* scan_select.c: which rows of a block count. */
const uint32_t *scan_rows(struct load *ld, uint32_t n);                 /* 0, 1, ... n - 1 */
void scan_select_time(struct load *ld, struct block *b);
void scan_select_matchers(struct load *ld, struct block *b);

/* Elements sel[0 .. n) of an array of 1, 2, 4 or 8 bytes each; NULL stays NULL. */
const void *scan_gather(struct arena *mem, const void *from, size_t each, const uint32_t *sel, uint32_t n);

/* Columns of a chunk, from the cache or the file. */
struct reading {
    struct load *ld;
    const struct unit *u;
    uint32_t rows;
    const struct chunk_shape *shape;               /* NULL: not read yet */
    const uint32_t *moment_of;                     /* of rows; likewise */
    const int64_t *time_ns;                        /* likewise */
};
MUST enum err scan_chunk_series(struct reading *r, struct fault *f);    /* scan_series.c */

/* --- scan_read.c: blobs, attribute columns, filters --------------------------------------- */

/* A column on its way: what is known of it so far. */
struct wanted {
    uint32_t column;
    uint32_t at;                                   /* the caller's number for it */
    struct str blob;                               /* n 0: there is none */
    struct chunk_payload payload;                  /* raw.p NULL: not inflated */
    void *room;                                    /* where it goes when it is */
    size_t size;
    enum err err;
};
struct cache_key scan_key(const struct reading *r, uint32_t column, enum cached_kind kind);
/* From the cache; held until the next block. Counts the bytes that it came from. */
const struct cached *scan_look_up(struct reading *r, uint32_t column, enum cached_kind kind);
const struct cached *scan_hold(struct load *ld, struct cached *x);
MUST enum err scan_blobs(struct reading *r, struct wanted *w, uint32_t n, struct fault *f);
/* Those that are there and not in pieces, into the load's memory; side by side if they are large. */
MUST enum err scan_inflate(struct reading *r, struct wanted *w, uint32_t n, struct fault *f);
bool scan_room(const struct load *ld, size_t bytes);

/* Columns which[0 .. n) of the summary: whole, or only the rows sel[0 .. nsel), whose times are given, as rows of their own. */
MUST enum err read_columns(struct reading *r, const uint32_t *which, uint32_t n, struct column *ret, struct fault *f);
MUST enum err read_columns_some(struct reading *r, const uint32_t *which, uint32_t n, const uint32_t *sel, uint32_t nsel,
                                const int64_t *times, struct column *ret, struct fault *f);
/* Those that go by run, a value a run. */
MUST enum err read_columns_runs(struct reading *r, const uint32_t *which, uint32_t n, struct column *ret, struct fault *f);
/* The chunk's filter of ids, kept too. */
MUST enum err read_filter(struct reading *r, struct str *ret, struct fault *f);

/* --- scan_fixed.c: fixed columns ------------------------------------------------------------ */

MUST enum err read_shape(struct reading *r, struct fault *f);

/* A fixed column as the chunk has it: values by its grain, or pieces. */
struct fixed {
    enum chunk_grain grain;
    const void *values;                            /* NULL: none, or in pieces */
    struct str *piece;                             /* inflated; p NULL: not asked for */
    uint8_t enc;
};
/* Those of the fixed columns (bit 1 << chunk_fixed) into ret[column]; of pieces only those of
 * which need[] is set (NULL: all). The shape is read too. */
MUST enum err read_fixed_raw(struct reading *r, uint32_t columns, const bool *need, struct fixed ret[CHUNK_FIXED_COUNT], struct fault *f);
/* Those of the fixed columns, a value a row, into b. */
MUST enum err read_fixed(struct reading *r, uint32_t columns, struct block *b, struct fault *f);
/* The same of the rows b->sel[0 .. b->nsel) alone; what b has of them whole is taken from there. */
MUST enum err read_fixed_some(struct reading *r, uint32_t columns, struct block *b, struct fault *f);
