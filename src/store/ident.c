/* store/ident.c -- a hash set of row ids. The ids are hashes themselves, so their low
 * bits are the place to look.
 *
 * Nearly every row that comes is new, and is looked for in each of five sets. So what tells
 * "not here" is small: two bytes a place, which stay in the processor's cache, where the
 * ids themselves would each be a miss. Those are appended to, and take no room ahead.
 */
#include "store/ident.h"

#include <string.h>

enum { IDENT_FIRST = 64 };                         /* places */

static uint16_t tag_of(struct id128 id)
{
    return (uint16_t)(id.hi >> 48 | 1);
}

void ident_done(struct ident *s)
{
    mem_free(s->tags);
    mem_free(s->at);
    mem_free(s->slots);
    *s = (struct ident){ 0 };
}

/* Where it is, or the free place where it would be. */
static uint32_t place(const struct ident *s, struct id128 id)
{
    uint32_t mask = s->cap - 1, i = (uint32_t)id.lo & mask;
    uint16_t tag = tag_of(id);
    while (s->tags[i] && (s->tags[i] != tag || !id128_eq(s->slots[s->at[i]].id, id)))
        i = (i + 1) & mask;
    return i;
}

static void make_places(struct ident *s, uint32_t cap)
{
    mem_free(s->tags);
    mem_free(s->at);
    s->cap = cap;
    s->tags = mem_alloc(cap * sizeof *s->tags);
    s->at = mem_alloc(cap * sizeof *s->at);
}

static void fill(struct ident *s, uint32_t slot)
{
    uint32_t i = place(s, s->slots[slot].id);
    CHECK(!s->tags[i]);
    s->tags[i] = tag_of(s->slots[slot].id);
    s->at[i] = slot;
}

static bool is_full(const struct ident *s, uint32_t n)
{
    return (uint64_t)n * 3 > (uint64_t)s->cap * 2;
}

void ident_reserve(struct ident *s, uint32_t n)
{
    CHECK(!s->cap);
    uint32_t cap = IDENT_FIRST;
    while (is_full(&(struct ident){ .cap = cap }, n))
        cap *= 2;
    if (n)
        make_places(s, cap);
}

static void grow(struct ident *s)
{
    make_places(s, s->cap ? s->cap * 2 : IDENT_FIRST);
    for (uint32_t i = 0; i < s->n; i++)
        fill(s, i);
}

struct ident_slot *ident_find(const struct ident *s, struct id128 id)
{
    if (!s->cap)
        return NULL;
    uint32_t at = place(s, id);
    return s->tags[at] ? &s->slots[s->at[at]] : NULL;
}

void ident_expect(const struct ident *s, struct id128 id)
{
    if (s->cap)
        __builtin_prefetch(&s->tags[(uint32_t)id.lo & (s->cap - 1)]);
}

void ident_put(struct ident *s, struct id128 id, double value)
{
    if (is_full(s, s->n + 1))
        grow(s);
    if (s->n == s->room) {
        s->room = MAX(s->room * 2, (uint32_t)IDENT_FIRST);
        s->slots = mem_resize(s->slots, s->room * sizeof *s->slots);
    }
    s->slots[s->n] = (struct ident_slot){ id, value };
    fill(s, s->n);
    s->n++;
}

enum ident_verdict ident_judge(const struct row *r, enum table t, double known)
{
    if (t != TABLE_SAMPLE || r->temporality == TEMPORALITY_DELTA)
        return IDENT_DUPLICATE;
    if (r->temporality == TEMPORALITY_CUMULATIVE)
        return r->value > known ? IDENT_LARGER : IDENT_DUPLICATE;
    return memcmp(&r->value, &known, sizeof known) == 0 ? IDENT_DUPLICATE : IDENT_REFUSED;
}
