/* store/head_groups.c -- groups of cells that the head knows.
 *
 * Rows of one session have a group in common (model/rows.h), in every request anew. Its
 * cells were looked up in the dictionaries when it came first: from then on its id, the sum
 * of its cells' hashes, is enough to know their codes.
 *
 *     id of a group -> (column, code), (column, code) ...
 *
 * The writer's alone; it goes with the generation.
 */
#include <string.h>

#include "store/head_groups.h"

enum { PLACES_FIRST = 64, CODES_FIRST = 1024 };

const struct group_place *groups_find(const struct head_groups *g, struct id128 id)
{
    for (uint32_t i = (uint32_t)id.lo; g->cap; i++) {
        const struct group_place *p = &g->places[i & (g->cap - 1)];
        if (!p->known)
            break;
        if (id128_eq(p->id, id))
            return p;
    }
    return NULL;
}

static void place_put(struct head_groups *g, struct group_place p)
{
    uint32_t i = (uint32_t)p.id.lo;
    while (g->places[i & (g->cap - 1)].known)
        i++;
    g->places[i & (g->cap - 1)] = p;
}

static void grow(struct head_groups *g)
{
    struct group_place *old = g->places;
    uint32_t n = g->cap;
    g->cap = n ? n * 2 : PLACES_FIRST;
    g->places = mem_alloc(g->cap * sizeof *g->places);
    for (uint32_t i = 0; i < n; i++)
        if (old[i].known)
            place_put(g, old[i]);
    mem_free(old);
}

void groups_code(struct head_groups *g, struct head_col *col, uint32_t code)
{
    if (g->ncodes == g->cap_codes) {
        CHECK(g->cap_codes <= UINT32_MAX / 2);
        g->cap_codes = g->cap_codes ? g->cap_codes * 2 : CODES_FIRST;
        g->codes = mem_resize(g->codes, g->cap_codes * sizeof *g->codes);
    }
    g->codes[g->ncodes++] = (struct coded){ col, code };
}

uint64_t groups_put(struct head_groups *g, struct id128 id, uint32_t from)
{
    CHECK(from <= g->ncodes && !groups_find(g, id));
    if (g->n * 2 >= g->cap)
        grow(g);
    uint32_t n = g->ncodes - from;
    place_put(g, (struct group_place){ id, from, n, true });
    g->n++;
    return 2 * sizeof(struct group_place) + n * sizeof(struct coded);
}

void groups_done(struct head_groups *g)
{
    mem_free(g->places);
    mem_free(g->codes);
    *g = (struct head_groups){ 0 };
}
