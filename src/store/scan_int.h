/* store/scan_int.h -- a scan's state, shared by its files.
 */
#pragma once
#include "store/cache.h"
#include "store/store_int.h"

/* What gives one block: a chunk, or a generation's head. */
struct unit {
    int64_t t0, t1;
    const struct part_item *item;
    const struct chunk_ref *chunk;
    struct head *head;
    struct block picture;                          /* of the head */
};

struct scan {
    struct store *s;
    struct scan_req req;
    struct arena mem, *block_mem;                  /* block_mem: lent by the store, with its pages */
    struct part_view *view;
    struct gen **gens;
    struct chunk_list **lists;
    uint32_t ngens, nlists;
    struct unit *units;
    uint32_t nunits, cap_units, next;
    struct cached **held;                          /* what the current block points into */
    uint32_t nheld, cap_held;
    struct scan_stats stats;
    struct block out;
};

/* scan_unit.c: fill sc->out from one unit; nsel 0 if nothing of it counts. */
enum err scan_head(struct scan *sc, const struct unit *u);
enum err scan_chunk(struct scan *sc, const struct unit *u, struct fault *f);

/* scan_select.c: which rows of sc->out count. */
const uint32_t *scan_rows(struct scan *sc, uint32_t n);                 /* 0, 1, ... n - 1 */
void scan_select_time(struct scan *sc, struct block *b);
void scan_select_matchers(struct scan *sc, struct block *b);

/* Elements sel[0 .. n) of an array of 1 or 8 bytes each; NULL stays NULL. */
const void *scan_gather(struct arena *mem, const void *from, size_t each, const uint32_t *sel, uint32_t n);

/* scan_read.c: columns of a chunk, from the cache or the file. */
struct reading {
    struct scan *sc;
    const struct unit *u;
    uint32_t rows;
    const int64_t *time_ns;                        /* NULL: not read yet */
};
/* Those of the fixed columns (bit 1 << chunk_fixed), whole, into b. */
MUST enum err read_fixed(struct reading *r, uint32_t columns, struct block *b, struct fault *f);
/* The same of the rows b->sel[0 .. b->nsel) alone; what b has of them whole is taken from there. */
MUST enum err read_fixed_some(struct reading *r, uint32_t columns, struct block *b, struct fault *f);
/* Columns which[0 .. n) of the summary: whole, or only the rows sel[0 .. nsel), whose times are given, as rows of their own. */
MUST enum err read_columns(struct reading *r, const uint32_t *which, uint32_t n, struct column *ret, struct fault *f);
MUST enum err read_columns_some(struct reading *r, const uint32_t *which, uint32_t n, const uint32_t *sel, uint32_t nsel,
                                const int64_t *times, struct column *ret, struct fault *f);
/* The chunk's filter of ids, kept too. */
MUST enum err read_filter(struct reading *r, struct str *ret, struct fault *f);
