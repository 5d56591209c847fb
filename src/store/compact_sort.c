/* store/compact_sort.c -- the order of many chunks' rows, and where to cut it.
 *
 * Only key columns are read: time, sequence, and what chunks are sorted by. The values of a
 * row's keys are a group; groups are few against rows, and neighbours are mostly of one. So
 * groups are ranked, and rows sorted by (rank of the group, time, sequence).
 *
 *     events, spans   session by its first time, then name
 *     samples         metric, model, type, then session by its first time
 *
 * Sessions by their first time, and not by their ids, is what keeps time in the order: a
 * session lives for minutes or hours, so a chunk of a whole day's events sorted by session
 * still spans little more than its share of the day, and a query of a quarter of an hour
 * reads one or two of them. (Chunks sorted within each hour instead read as little, but cut a
 * session into as many pieces as hours.) Samples are asked for by metric over long ranges:
 * there the metric comes first.
 *
 * Cut where the metric or the session changes, if that leaves at least half a chunk, so that
 * a summary with one metric, or a filter without the session, spares the whole chunk.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "store/compact_int.h"

enum { KEYS_MAX = 4 };

/* Most significant first; the session is told apart by its place in this list. */
static const struct keys {
    struct colkey at[KEYS_MAX];
    uint32_t n, session;
    uint32_t cut;                                  /* a chunk is cut where one of the first `cut` changes */
} table_keys[TABLE_COUNT] = {
    [TABLE_SAMPLE] = { { { PLACE_LABEL, S("__name__") }, { PLACE_LABEL, S("model") }, { PLACE_LABEL, S("type") },
                         { PLACE_LABEL, S("session_id") } }, 4, 3, 1 },
    [TABLE_LOG] = { { { PLACE_ATTR, S("session.id") }, { PLACE_ATTR, S("event.name") } }, 2, 0, 1 },
    [TABLE_SPAN] = { { { PLACE_ATTR, S("session.id") }, { PLACE_FIELD, S("name") } }, 2, 0, 1 },
};

struct group {
    uint32_t key[KEYS_MAX];                        /* 0: absent; else a number of the value, by its first appearance */
    uint32_t rank;
};

struct item {
    uint32_t rank, row;
    int64_t time_ns;
    uint64_t seq;
};

struct sorter {
    struct section *s;
    const struct keys *keys;
    struct arena mem;
    struct map values, groups_by_key;              /* text of a value, with its key -> number; a group's keys -> index */
    uint32_t nvalues, cap_firsts;
    int64_t *first_ns;                             /* by value: the first time of a row with it */
    struct group *groups;
    uint32_t ngroups, cap_groups;
    struct item *items;
    double *weight;                                /* of each chunk: bytes a row */
};

static bool is_key(enum table t, const struct colkey *key)
{
    const struct keys *k = &table_keys[t];
    for (uint32_t i = 0; i < k->n; i++)
        if (k->at[i].place == key->place && str_eq(k->at[i].name, key->name))
            return true;
    return false;
}

/* --- groups --------------------------------------------------------------------------------- */

static uint32_t value_number(struct sorter *x, uint32_t key, const struct value *v)
{
    char small[VALUE_TEXT_MAX];
    if (v->type == V_NONE)
        return 0;
    struct str text = v->type == V_BYTES ? v->s : value_text(v, small);
    struct arena before = x->mem;
    char *bytes = arena_alloc_raw(&x->mem, text.n + 2, 1);
    bytes[0] = (char)key;
    bytes[1] = (char)v->type;
    memcpy(bytes + 2, text.p, text.n);
    struct str whole = { bytes, text.n + 2 };
    uint32_t at = map_get(&x->values, whole);
    if (at != MAP_NONE) {
        x->mem = before;
        return at;
    }
    map_put(&x->values, whole, ++x->nvalues);
    return x->nvalues;
}

static uint32_t group_number(struct sorter *x, const struct group *g)
{
    struct str bytes = { (const char *)g->key, sizeof g->key };
    uint32_t at = map_get(&x->groups_by_key, bytes);
    if (at != MAP_NONE)
        return at;
    *arena_push(&x->mem, x->groups, x->ngroups, x->cap_groups) = *g;
    map_put(&x->groups_by_key, arena_str(&x->mem, bytes), x->ngroups - 1);
    return x->ngroups - 1;
}

/* By local code: the value's number, as far as it was asked. */
struct local {
    const struct column *col;                      /* NULL: the chunk has no such column */
    uint32_t *number;
    uint8_t *known;
};

static uint32_t number_at(struct sorter *x, uint32_t key, struct local *l, uint32_t row)
{
    if (!l->col)
        return 0;
    if (!l->col->code) {
        struct value v = column_value(l->col, row);
        return value_number(x, key, &v);
    }
    uint32_t code = column_code(l->col, row);
    if (!l->known[code]) {
        l->number[code] = value_number(x, key, &l->col->dict[code]);
        l->known[code] = 1;
    }
    return l->number[code];
}

static void find_locals(struct sorter *x, const struct block *b, struct arena *mem, struct local l[KEYS_MAX])
{
    for (uint32_t k = 0; k < x->keys->n; k++) {
        l[k] = (struct local){ 0 };
        for (uint32_t c = 0; c < b->ncols; c++)
            if (b->cols[c].key.place == x->keys->at[k].place && str_eq(b->cols[c].key.name, x->keys->at[k].name))
                l[k].col = &b->cols[c];
        if (!l[k].col || !l[k].col->code)
            continue;
        l[k].number = arena_new(mem, uint32_t, l[k].col->ndict + 1);
        l[k].known = arena_new(mem, uint8_t, l[k].col->ndict + 1);
    }
}

static void note_first(struct sorter *x, uint32_t value, int64_t time_ns)
{
    while (x->cap_firsts <= value) {
        uint32_t cap = x->cap_firsts ? x->cap_firsts * 2 : 256;
        x->first_ns = mem_resize(x->first_ns, cap * sizeof *x->first_ns);
        for (uint32_t i = x->cap_firsts; i < cap; i++)
            x->first_ns[i] = INT64_MAX;
        x->cap_firsts = cap;
    }
    x->first_ns[value] = value ? MIN(x->first_ns[value], time_ns) : INT64_MIN;
}

static enum err read_keys(struct sorter *x, uint32_t chunk, struct fault *f)
{
    CLEANUP(arena_done) struct arena mem;
    struct block b = { 0 };
    struct local l[KEYS_MAX];
    struct group last = { 0 };
    uint64_t bytes = 0;
    uint32_t at = 0, base = x->s->base[chunk];
    arena_init(&mem, SCAN_ARENA_BYTES);
    enum err e = compact_read(x->s->item, x->s->chunks[chunk], is_key, &mem, &b, &bytes, f);
    if (e)
        return e;
    find_locals(x, &b, &mem, l);
    x->weight[chunk] = (double)bytes / b.n;
    for (uint32_t i = 0; i < b.n; i++) {
        struct group g = { 0 };
        for (uint32_t k = 0; k < x->keys->n; k++)
            g.key[k] = number_at(x, k, &l[k], i);
        if (!i || memcmp(g.key, last.key, sizeof g.key) != 0)
            at = group_number(x, &g);
        last = g;
        note_first(x, g.key[x->keys->session], b.time_ns[i]);
        x->items[base + i] = (struct item){ at, base + i, b.time_ns[i], b.seq[i] };
    }
    return OK;
}

/* --- ranks ------------------------------------------------------------------------------------ */

struct ranked {
    int64_t first_ns;
    uint32_t key[KEYS_MAX], index, session;
};

static int by_keys(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    for (uint32_t k = 0; k < KEYS_MAX; k++) {
        if (k == x->session && x->first_ns != y->first_ns)
            return x->first_ns < y->first_ns ? -1 : 1;
        if (x->key[k] != y->key[k])
            return x->key[k] < y->key[k] ? -1 : 1;
    }
    return 0;
}

static void rank_groups(struct sorter *x)
{
    CLEANUP(mem_freep) struct ranked *r = mem_alloc((x->ngroups + 1) * sizeof *r);
    for (uint32_t i = 0; i < x->ngroups; i++) {
        r[i] = (struct ranked){ .first_ns = x->first_ns[x->groups[i].key[x->keys->session]], .index = i, .session = x->keys->session };
        memcpy(r[i].key, x->groups[i].key, sizeof r[i].key);
    }
    if (x->ngroups)
        qsort(r, x->ngroups, sizeof *r, by_keys);
    for (uint32_t i = 0; i < x->ngroups; i++)
        x->groups[r[i].index].rank = i;
}

static int by_rank(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* --- cuts --------------------------------------------------------------------------------------- */

static uint32_t chunk_of(const struct section *s, uint32_t row)
{
    uint32_t lo = 0, hi = s->nchunks - 1;
    while (lo < hi) {
        uint32_t mid = (lo + hi + 1) / 2;
        if (s->base[mid] <= row)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

static bool changes(const struct keys *k, const struct group *a, const struct group *b)
{
    for (uint32_t i = 0; i < k->cut; i++)
        if (a->key[i] != b->key[i])
            return true;
    return false;
}

/* by_rank[rank]: the group. Even shares, so that the last chunk is not a crumb. */
static void cut(struct sorter *x, struct group **by_rank_of, struct arena *mem)
{
    struct section *s = x->s;
    const uint32_t most = CHUNK_ROWS_MAX / 16 * 15;         /* the rest is room to look for a good place */
    uint32_t shares = (s->n + most - 1) / most, cap = 0;
    uint32_t share = (s->n + shares - 1) / shares, from = 0, good = 0, fair = 0;
    uint32_t least = s->table == TABLE_SAMPLE ? MAX(share / 2, COMPACT_SMALL_ROWS) : share;
    double bytes = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t rank = x->items[i].rank, before = i ? x->items[i - 1].rank : rank;
        if (rank != before)
            fair = i;                              /* the last place to cut without dividing a group */
        if (rank != before && changes(x->keys, by_rank_of[before], by_rank_of[rank]))
            good = i;                              /* and the last good one */
        bytes += x->weight[chunk_of(s, x->items[i].row)];
        bool full = i - from >= CHUNK_ROWS_MAX || (i > from && bytes > COMPACT_BYTES);
        if (!full && (i - from < least || good != i))
            continue;
        uint32_t at = !full || (good > from && good - from >= share / 2) ? good : fair > from && fair - from >= share / 2 ? fair : i;
        *arena_push(mem, s->end, s->nout, cap) = at;
        bytes = 0;
        for (uint32_t k = at; k <= i; k++)
            bytes += x->weight[chunk_of(s, x->items[k].row)];
        from = at;
    }
    *arena_push(mem, s->end, s->nout, cap) = s->n;
}

/* ------------------------------------------------------------------------------------------------- */

static void put_in_order(struct sorter *x, struct arena *mem)
{
    struct section *s = x->s;
    CLEANUP(mem_freep) struct group **by_rank_of = mem_alloc((x->ngroups + 1) * sizeof(struct group *));
    rank_groups(x);
    for (uint32_t i = 0; i < x->ngroups; i++)
        by_rank_of[x->groups[i].rank] = &x->groups[i];
    for (uint32_t i = 0; i < s->n; i++)
        x->items[i].rank = x->groups[x->items[i].rank].rank;
    qsort(x->items, s->n, sizeof *x->items, by_rank);
    cut(x, by_rank_of, mem);
    s->order = arena_raw(mem, uint32_t, s->n);
    for (uint32_t i = 0; i < s->n; i++)
        s->order[i] = x->items[i].row;
}

enum err compact_sort(struct section *s, struct arena *mem, struct fault *f)
{
    CHECK(s->nchunks > 0);
    struct sorter x = { .s = s, .keys = &table_keys[s->table] };
    enum err e = OK;
    s->base = arena_new(mem, uint32_t, s->nchunks + 1);
    for (uint32_t i = 0; i < s->nchunks; i++)
        s->base[i + 1] = s->base[i] + s->chunks[i]->sum.rows;
    s->n = s->base[s->nchunks];
    s->nout = 0;
    arena_init(&x.mem, SCAN_ARENA_BYTES);
    x.items = mem_alloc((size_t)s->n * sizeof *x.items);
    x.weight = arena_new(&x.mem, double, s->nchunks);
    for (uint32_t i = 0; i < s->nchunks && !e; i++)
        e = read_keys(&x, i, f);
    if (!e)
        put_in_order(&x, mem);
    mem_free(x.items);
    mem_free(x.first_ns);
    map_done(&x.values);
    map_done(&x.groups_by_key);
    arena_done(&x.mem);
    return e;
}
