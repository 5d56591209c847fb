/* scrape/lset.c -- a handful of labels in an array; looking one up is a walk. */
#include "scrape/lset.h"

#include <stdlib.h>

static uint32_t find(const struct lset *s, struct str name)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (str_eq(s->at[i].name, name))
            return i;
    return UINT32_MAX;
}

struct str lset_get(const struct lset *s, struct str name)
{
    uint32_t i = find(s, name);
    return i == UINT32_MAX ? S("") : s->at[i].value;
}

void lset_del(struct lset *s, struct str name)
{
    uint32_t i = find(s, name);
    if (i == UINT32_MAX)
        return;
    s->n--;
    for (; i < s->n; i++)
        s->at[i] = s->at[i + 1];
}

void lset_set(struct lset *s, struct str name, struct str value)
{
    if (!value.n) {
        lset_del(s, name);
        return;
    }
    uint32_t i = find(s, name);
    if (i != UINT32_MAX) {
        s->at[i].value = value;
        return;
    }
    if (s->n >= LSET_MAX) {
        s->full = true;
        return;
    }
    *arena_push(s->mem, s->at, s->n, s->cap) = (struct lpair){ name, value };
}

struct lset lset_copy(const struct lset *s, struct arena *mem)
{
    struct lset c = { .mem = mem, .n = s->n, .cap = MAX(s->n, 1u), .full = s->full };
    c.at = arena_new(mem, struct lpair, c.cap);
    for (uint32_t i = 0; i < s->n; i++)
        c.at[i] = (struct lpair){ arena_str(mem, s->at[i].name), arena_str(mem, s->at[i].value) };
    return c;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct lpair *)a)->name, ((const struct lpair *)b)->name);
}

void lset_sort(struct lset *s)
{
    if (s->n > 1)
        qsort(s->at, s->n, sizeof *s->at, by_name);
}

struct id128 lset_id(const struct lset *s)
{
    struct id128 sum = { 0 };
    for (uint32_t i = 0; i < s->n; i++) {
        struct id128 name = hash128(s->at[i].name), value = hash128(s->at[i].value);
        uint64_t all[4] = { name.hi, name.lo, value.hi, value.lo };
        struct id128 one = hash128((struct str){ (const char *)all, sizeof all });
        sum.hi += one.hi;
        sum.lo += one.lo;
    }
    return sum;
}
