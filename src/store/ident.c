/* store/ident.c -- a hash set of row ids. The ids are hashes themselves, so their low
 * bits are the place to look.
 */
#include "store/ident.h"

#include <string.h>

enum { IDENT_FIRST = 64 };

static bool is_free(const struct ident_slot *s)
{
    return !s->id.hi && !s->id.lo;
}

void ident_done(struct ident *s)
{
    mem_free(s->slots);
    *s = (struct ident){ 0 };
}

static struct ident_slot *place(const struct ident *s, struct id128 id)
{
    uint32_t i = (uint32_t)id.lo & (s->cap - 1);
    while (!is_free(&s->slots[i]) && !id128_eq(s->slots[i].id, id))
        i = (i + 1) & (s->cap - 1);
    return &s->slots[i];
}

static bool is_full(const struct ident *s, uint32_t n)
{
    return (uint64_t)n * 3 > (uint64_t)s->cap * 2;
}

void ident_reserve(struct ident *s, uint32_t n)
{
    CHECK(!s->cap);
    if (!n)
        return;
    for (s->cap = IDENT_FIRST; is_full(s, n);)
        s->cap *= 2;
    s->slots = mem_alloc(s->cap * sizeof *s->slots);
}

static void grow(struct ident *s)
{
    struct ident old = *s;
    s->cap = old.cap ? old.cap * 2 : IDENT_FIRST;
    s->slots = mem_alloc(s->cap * sizeof *s->slots);
    for (uint32_t i = 0; i < old.cap; i++)
        if (!is_free(&old.slots[i]))
            *place(s, old.slots[i].id) = old.slots[i];
    mem_free(old.slots);
}

struct ident_slot *ident_find(const struct ident *s, struct id128 id)
{
    if (!s->cap)
        return NULL;
    struct ident_slot *at = place(s, id);
    return is_free(at) ? NULL : at;
}

void ident_expect(const struct ident *s, struct id128 id)
{
    if (s->cap)
        __builtin_prefetch(&s->slots[(uint32_t)id.lo & (s->cap - 1)]);
}

void ident_put(struct ident *s, struct id128 id, double value)
{
    if (is_full(s, s->n + 1))
        grow(s);
    struct ident_slot *at = place(s, id);
    CHECK(is_free(at));
    *at = (struct ident_slot){ id, value };
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
