/* base/map.h -- a hash map from bytes to a number, for interning.
 *
 * Keys are borrowed: they must outlive the map. Open addressing over XXH3.
 * Owner:    map_done() frees; all-zero is an empty map.
 * Threads:  one writer; no reader meanwhile.
 */
#pragma once
#include "base/str.h"

enum { MAP_NONE = UINT32_MAX };

struct map {
    struct map_slot *slots;                        /* base/map.c */
    uint32_t n, cap;
};

void map_done(struct map *m);
void map_clear(struct map *m);
uint32_t map_get(const struct map *m, struct str key);              /* MAP_NONE if absent */
void map_put(struct map *m, struct str key, uint32_t value);        /* replaces */
/* The value of `key`, which becomes `fresh` if it was absent; *ret_new says which. */
uint32_t map_intern(struct map *m, struct str key, uint32_t fresh, bool *ret_new);
