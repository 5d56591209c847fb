/* model/seen.h -- series that were decoded before, found by the bytes they came as.
 *
 * A sender repeats the labels of a series with every sample. That they are valid, how they
 * are named and what they hash to was found out the first time; a hash of the bytes is
 * enough to know it again. An entry says nothing that decoding would not, so whether it
 * is there never shows.
 *
 * Owner:    seen_free().
 * Threads:  any, at once, without a lock.
 * Limits:   SEEN_MAX entries of 64 bytes; an entry may be gone whenever it is looked for.
 */
#pragma once
#include "base/hash.h"

enum { SEEN_MAX = 64 << 10 };

struct seen;

struct seen_series {
    struct id128 id;             /* of the labels, as series.id */
    uint64_t shape;              /* of what else the decoder wants to know: a hash of the labels' names; never 0 */
    uint64_t weight;             /* likewise, a number */
};

struct seen *seen_new(void);
void seen_free(struct seen *s);                    /* NULL is fine */
/* The key of some bytes; `kind` tells apart what they are. No sender can guess the seed. */
struct id128 seen_key(const struct seen *s, struct str bytes, uint64_t kind);
bool seen_find(struct seen *s, struct id128 key, struct seen_series *ret);
void seen_put(struct seen *s, struct id128 key, const struct seen_series *x);
/* Gives the memory back if nobody looked since the last call. */
void seen_rest(struct seen *s);
