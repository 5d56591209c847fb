/* store/meta.c -- what is known of each metric: type, unit, help.
 *
 * All of it is in memory (there are dozens of metrics); what is new since the last
 * flush goes into the catalogue with the next one. The log holds it until then.
 */
#include <string.h>

#include "store/store_int.h"

enum { METAS_MAX = 100000 };

static struct str copy(struct str s)
{
    char *p = mem_alloc(s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct str){ p, s.n };
}

static void drop(struct str s)
{
    mem_free((void *)(uintptr_t)s.p);
}

/* Under lock. Entries below saved_metas are in the catalogue; one that changes moves
 * the mark back to itself, so it is written again together with what follows it. */
static void note(struct store *s, const struct metric_meta *m)
{
    uint32_t at = map_get(&s->meta_index, m->name);
    if (at == MAP_NONE) {
        if (s->nmetas == METAS_MAX)
            return;
        if (s->nmetas == s->cap_metas) {
            s->cap_metas = s->cap_metas ? s->cap_metas * 2 : 32;
            s->metas = mem_resize(s->metas, s->cap_metas * sizeof *s->metas);
        }
        at = s->nmetas++;
        s->metas[at] = (struct metric_meta){ copy(m->name), m->type, copy(m->unit), copy(m->help) };
        map_put(&s->meta_index, s->metas[at].name, at);
        return;
    }
    struct metric_meta *have = &s->metas[at];
    if (have->type == m->type && str_eq(have->unit, m->unit) && str_eq(have->help, m->help))
        return;
    drop(have->unit);
    drop(have->help);
    have->type = m->type;
    have->unit = copy(m->unit);
    have->help = copy(m->help);
    s->saved_metas = MIN(s->saved_metas, at);
}

void store_metas_note(struct store *s, const struct batch *b)
{
    GUARD(&s->lock);
    for (uint32_t i = 0; i < b->nmetas; i++)
        note(s, &b->metas[i]);
}

static void load_one(void *arg, const struct metric_meta *m)
{
    note(arg, m);
}

enum err store_metas_load(struct store *s, struct fault *f)
{
    enum err e = catalog_metas(s->catalog, load_one, s, f);
    s->saved_metas = s->nmetas;
    return e;
}

/* A copy in the arena, so that nothing is called or written under the lock. */
static struct metric_meta *snapshot(struct store *s, uint32_t from, struct arena *mem, uint32_t *ret_n)
{
    GUARD(&s->lock);
    struct metric_meta *copy_of = arena_new(mem, struct metric_meta, s->nmetas - from + 1);
    for (uint32_t i = from; i < s->nmetas; i++) {
        const struct metric_meta *m = &s->metas[i];
        copy_of[i - from] = (struct metric_meta){ arena_str(mem, m->name), m->type, arena_str(mem, m->unit),
                                                  arena_str(mem, m->help) };
    }
    *ret_n = s->nmetas - from;
    return copy_of;
}

enum err store_metas_save(struct store *s, struct fault *f)
{
    struct arena mem;
    uint32_t n, from;
    {
        GUARD(&s->lock);
        from = s->saved_metas;
    }
    arena_init(&mem, 64 << 20);
    const struct metric_meta *fresh = snapshot(s, from, &mem, &n);
    enum err e = n ? catalog_metas_put(s->catalog, fresh, n, f) : OK;
    if (!e) {
        GUARD(&s->lock);
        if (s->saved_metas == from)
            s->saved_metas = from + n;
    }
    arena_done(&mem);
    return e;
}

void store_metas(struct source *src, void (*each)(void *arg, const struct metric_meta *m), void *arg)
{
    struct arena mem;
    uint32_t n;
    arena_init(&mem, 64 << 20);
    const struct metric_meta *all = snapshot(store_of(src), 0, &mem, &n);
    for (uint32_t i = 0; i < n; i++)
        each(arg, &all[i]);
    arena_done(&mem);
}

void store_metas_free(struct store *s)
{
    for (uint32_t i = 0; i < s->nmetas; i++) {
        drop(s->metas[i].name);
        drop(s->metas[i].unit);
        drop(s->metas[i].help);
    }
    mem_free(s->metas);
    map_done(&s->meta_index);
}
