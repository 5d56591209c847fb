/* store/compact_int.h -- what the files of compaction share.
 *
 * Owner:    everything lives in the arena that is given.
 * Threads:  the flusher.
 * Errors:   E_CORRUPT, E_IO, E_LIMIT.
 */
#pragma once
#include "store/limits.h"
#include "store/part.h"

enum { COMPACT_LEVELS = 3 };                       /* 0: as flushed, 1: small ones together, 2: a whole day */

/* --- compact_plan.c: what is worth doing, from the list of chunks alone ------------------ */

/* Small chunks of one table that are to become one: indexes into the list, in its order. 0: none. */
uint32_t compact_pick_small(const struct chunk_ref *at, uint32_t n, int64_t before_recv_ns, struct arena *mem, uint32_t **ret);
/* Will some become old enough later? Then it is worth looking again. */
bool compact_some_young(const struct chunk_ref *at, uint32_t n, int64_t before_recv_ns);
/* Which tables of a day that is over are to be sorted anew, as bits. */
uint32_t compact_pick_tables(const struct chunk_ref *at, uint32_t n);
/* The chunks of a table in sections of at most COMPACT_ROWS rows that are sorted by themselves,
 * by time: end[i] is where section i ends in ret. */
uint32_t compact_pick_sections(const struct chunk_ref *at, uint32_t n, enum table t, struct arena *mem, uint32_t **ret,
                               uint32_t **ret_end);

/* --- compact_sort.c, compact_gather.c ------------------------------------------------------ */

/* Rows of one table out of several chunks of a partition, and the chunks that they become. */
struct section {
    enum table table;
    uint32_t level;                                /* of the new chunks */
    const struct part_item *item;
    const struct chunk_ref **chunks;
    uint32_t nchunks;
    uint32_t *base;                                /* number of each chunk's first row; base[nchunks] == n */
    uint32_t *order;                               /* numbers of rows, as they stand in the new chunks */
    uint32_t n;
    uint32_t *end;                                 /* of each new chunk: where the next begins in order */
    uint32_t nout;
};

/* Reads the keys by which chunks are sorted and fills all from `base` on. */
MUST enum err compact_sort(struct section *s, struct arena *mem, struct fault *f);
/* One of the new chunks. */
MUST enum err compact_gather(const struct section *s, uint32_t out, struct arena *mem, struct chunk_out *ret, struct fault *f);
/* Rows of a chunk with those of its columns for which want() says so (NULL: all), and the bytes that its blobs inflate to. */
MUST enum err compact_read(const struct part_item *it, const struct chunk_ref *c, bool (*want)(enum table t, const struct colkey *key),
                           struct arena *mem, struct block *ret, uint64_t *ret_bytes, struct fault *f);
