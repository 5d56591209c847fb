/* base/map.c -- open addressing with linear probing; at most two thirds full.
 *
 * There is no removal: interning tables only grow and are dropped whole.
 * `tag` is the low half of the hash and never 0, so 0 marks an empty slot; it
 * also gives the slot's home, so growing never hashes a key again.
 */
#include "base/map.h"

#include <string.h>

#include "base/hash.h"

enum { MAP_FIRST = 16 };                           /* slots of the smallest table */

struct map_slot {
    struct str key;
    uint32_t tag, value;
};

void map_done(struct map *m)
{
    mem_free(m->slots);
    *m = (struct map){ 0 };
}

void map_clear(struct map *m)
{
    if (m->cap)
        memset(m->slots, 0, sizeof(*m->slots) * m->cap);
    m->n = 0;
}

static uint32_t tag_of(struct str key)
{
    uint32_t t = (uint32_t)hash64(key, 0);
    return t ? t : 1;
}

/* The slot that holds `key`, or the empty one where it would go. */
static struct map_slot *probe(const struct map *m, struct str key, uint32_t tag)
{
    uint32_t mask = m->cap - 1;
    for (uint32_t i = tag & mask;; i = (i + 1) & mask) {
        struct map_slot *s = &m->slots[i];
        if (!s->tag || (s->tag == tag && str_eq(s->key, key)))
            return s;
    }
}

static void grow(struct map *m)
{
    CHECK(m->cap <= UINT32_MAX / 4);
    uint32_t cap = m->cap ? m->cap * 2 : MAP_FIRST, mask = cap - 1;
    struct map_slot *to = mem_alloc(sizeof(*to) * cap);
    for (uint32_t i = 0; i < m->cap; i++) {
        if (!m->slots[i].tag)
            continue;
        uint32_t at = m->slots[i].tag & mask;
        while (to[at].tag)
            at = (at + 1) & mask;
        to[at] = m->slots[i];
    }
    mem_free(m->slots);
    m->slots = to;
    m->cap = cap;
}

uint32_t map_get(const struct map *m, struct str key)
{
    if (m->n == 0)
        return MAP_NONE;
    const struct map_slot *s = probe(m, key, tag_of(key));
    return s->tag ? s->value : MAP_NONE;
}

/* The slot of `key`, made if absent with value `fresh`. */
static struct map_slot *intern(struct map *m, struct str key, uint32_t fresh, bool *ret_new)
{
    CHECK(fresh != MAP_NONE);
    if (m->n >= m->cap / 3 * 2)
        grow(m);
    uint32_t tag = tag_of(key);
    struct map_slot *s = probe(m, key, tag);
    *ret_new = s->tag == 0;
    if (*ret_new) {
        *s = (struct map_slot){ key, tag, fresh };
        m->n++;
    }
    return s;
}

void map_put(struct map *m, struct str key, uint32_t value)
{
    bool is_new;
    intern(m, key, value, &is_new)->value = value;
}

uint32_t map_intern(struct map *m, struct str key, uint32_t fresh, bool *ret_new)
{
    return intern(m, key, fresh, ret_new)->value;
}
