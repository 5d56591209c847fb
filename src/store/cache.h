/* store/cache.h -- what queries decoded, kept for the next one: columns of chunks as
 * blocks have them, and blobs inflated.
 *
 * An entry belongs to one chunk of one incarnation of a partition (part_item.uid), and
 * chunk ids are never used twice, so what is kept is never out of date; entries of chunks
 * that are gone are asked for by nobody and leave by age.
 *
 * Owner:    cache_get() and cache_keep_*() give one reference, cached_unref() ends it; an
 *           entry lives while anyone holds one. All must be back before cache_free().
 * Threads:  any; entries are immutable.
 * Limits:   bytes_max over all entries, counted with what they stand in. What was asked
 *           for within CACHE_HOLD_NS is not put out for newcomers: a query that reads more
 *           than fits keeps what it kept the last time instead of chasing its own tail.
 */
#pragma once
#include "base/clock.h"
#include "model/source.h"

struct cache;

enum cached_kind {
    CACHED_COLUMN, CACHED_FIXED, CACHED_RAW, CACHED_FILTER, CACHED_NUMBERS,
    CACHED_SHAPE,                                  /* of a chunk: runs, moments, pieces */
    CACHED_RUNS,                                   /* a column with a value a run */
    CACHED_VALID,                                  /* which rows of a chunk have a value in a column */
    CACHED_PIECE,                                  /* one of a column's pieces, inflated */
};

struct cache_key {
    uint64_t part, chunk;
    uint32_t column;
    enum cached_kind kind;
};

struct cached {
    struct cache_key key;
    struct column col;                             /* CACHED_COLUMN, CACHED_RUNS */
    const void *fixed;                             /* CACHED_FIXED, CACHED_NUMBERS, CACHED_SHAPE, CACHED_VALID: the array */
    struct str raw;                                /* CACHED_RAW, CACHED_PIECE: the payload; CACHED_FILTER: the blob */
    uint8_t enc;                                   /* CACHED_RAW, CACHED_PIECE: how it is encoded; CACHED_FIXED: its grain */
    uint8_t grain;                                 /* CACHED_RAW: of its values */
    size_t stored;                                 /* bytes of the blob it came from, for whoever counts */
    /* private to cache.c from here */
    uint32_t refs;                                 /* atomic */
    size_t bytes;
    int64_t used_mono;
    struct cached *chain, *newer, *older;
};

struct cache *cache_new(size_t bytes_max, const struct clock *clock);
void cache_free(struct cache *c);                  /* NULL is fine */
struct cached *cache_get(struct cache *c, struct cache_key key);        /* or NULL */
void cached_unref(struct cached *x);               /* NULL is fine */
/* Copies; NULL if there is no room for it. The dictionary's texts stand together then. */
struct cached *cache_keep_column(struct cache *c, struct cache_key key, const struct column *col, uint32_t rows, size_t stored);
struct cached *cache_keep_fixed(struct cache *c, struct cache_key key, const void *array, size_t bytes, size_t stored);
struct cached *cache_keep_raw(struct cache *c, struct cache_key key, uint8_t enc, uint8_t grain, struct str raw, size_t stored);
void cache_sweep(struct cache *c, int64_t before_mono);                 /* those not used since go */
size_t cache_bytes(struct cache *c);
