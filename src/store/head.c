/* store/head.c -- columns that are appended to and read at the same time.
 *
 * Row arrays have the generation's full room from the start and never move; the system
 * gives their pages only when they are touched. A column that appears late is right
 * from its first row on, since untouched memory is zero and zero is "absent".
 * Dictionaries grow by moving; the old place stays until the generation goes, because a
 * reader may hold it.
 */
#include "store/head_int.h"

#include <string.h>

#include "base/map.h"

enum { POOL_PART = 256 << 10, DICT_FIRST = 16, INDEX_FIRST = 32, COLUMN_BYTES = 5 << 10 /* one page of codes, and the rest */ };

struct pool_part {
    struct pool_part *next;
    size_t n, cap;
    char bytes[];
};

/* Open addressing; a slot is a value's hash and its code in the dictionary, code 0 is free. */
struct head_slot {
    uint32_t hash, code;
};
struct head_index {
    uint32_t cap;
    struct head_slot slots[];
};

/* ---- text ------------------------------------------------------------------ */

static char *pool_room(struct head *h, size_t n)
{
    if (!h->pool || h->pool->cap - h->pool->n < n) {
        size_t cap = MAX(n, (size_t)POOL_PART);
        struct pool_part *p = mem_alloc(sizeof *p + cap);
        p->cap = cap;
        p->next = h->pool;
        h->pool = p;
    }
    char *at = h->pool->bytes + h->pool->n;
    h->pool->n += n;
    return at;
}

static struct str pool_str(struct head *h, struct str s)
{
    if (!s.n)
        return S("");
    char *at = pool_room(h, s.n);
    memcpy(at, s.p, s.n);
    return (struct str){ at, s.n };
}

/* ---- dictionaries ---------------------------------------------------------- */

static bool has_text(enum vtype t)
{
    return t == V_STR || t == V_BYTES || t == V_JSON;
}

static void index_put(struct head_index *x, struct head_slot slot)
{
    uint32_t i = slot.hash & (x->cap - 1);
    while (x->slots[i].code)
        i = (i + 1) & (x->cap - 1);
    x->slots[i] = slot;
}

static void index_grow(struct head_col *c)
{
    struct head_index *old = c->index;
    uint32_t cap = old ? old->cap * 2 : INDEX_FIRST;
    struct head_index *x = mem_alloc(sizeof *x + cap * sizeof x->slots[0]);
    x->cap = cap;
    for (uint32_t i = 0; old && i < old->cap; i++)
        if (old->slots[i].code)
            index_put(x, old->slots[i]);
    mem_free(old);
    c->index = x;
}

static void retire(struct head *h, void *p)
{
    if (h->nretired == h->cap_retired) {
        h->cap_retired = h->cap_retired ? h->cap_retired * 2 : 16;
        h->retired = mem_resize(h->retired, h->cap_retired * sizeof *h->retired);
    }
    h->retired[h->nretired++] = p;
}

static void dict_grow(struct head *h, struct head_col *c, uint32_t n)
{
    uint32_t cap = c->cap ? c->cap * 2 : DICT_FIRST;
    struct value *dict = mem_alloc(cap * sizeof *dict), *old = c->dict;
    if (old)
        memcpy(dict, old, n * sizeof *dict);
    pthread_mutex_lock(&h->lock);
    c->dict = dict;
    c->cap = cap;
    if (old)
        retire(h, old);
    pthread_mutex_unlock(&h->lock);
}

/* Request ids, prompts, times: looking each up costs a cache miss and finds nothing. Numbers
 * written out are so short that it is not worth finding the few that come back. Labels
 * of samples name series, and there equal values must have one code. */
enum { LISTED_FROM = 512, LISTED_PART = 8, LISTED_PART_NUMBERS = 2 };   /* of so many at most an eighth, or half, came back */

static bool like_number(const struct value *v)
{
    return v->type == V_STR && v->s.n && (v->s.p[0] == '-' || (v->s.p[0] >= '0' && v->s.p[0] <= '9')) && v->s.n < 20;
}

static bool turns_listed(const struct head *h, const struct head_col *c, uint32_t n)
{
    uint32_t part = c->looked_up / (c->odd ? LISTED_PART : LISTED_PART_NUMBERS);
    return h->table != TABLE_SAMPLE && c->looked_up >= LISTED_FROM && n - 1 >= c->looked_up - part;
}

static uint32_t dict_put(struct head *h, struct head_col *c, const struct value *v, uint32_t n, uint64_t *bytes)
{
    if (n == c->cap)
        dict_grow(h, c, n);
    c->dict[n] = *v;
    if (has_text(v->type))
        c->dict[n].s = pool_str(h, v->s);
    *bytes += sizeof *v + (has_text(v->type) ? v->s.n : 0);
    atomic_store_explicit(&c->ndict, n + 1, memory_order_release);
    return n;
}

static bool same_value(const struct value *a, const struct value *b)
{
    return a->type == V_STR && b->type == V_STR ? str_same(a->s, b->s) : value_eq(a, b);
}

/* The code of a value in a column; a new one is copied into the head. The cell's hash
 * comes from rows_identify(): all zero (who left that out) would be slow, not wrong. */
uint32_t head_intern(struct head *h, struct head_col *c, const struct cell *cell, uint64_t *bytes)
{
    const struct value *v = &cell->v;
    uint32_t n = atomic_load_explicit(&c->ndict, memory_order_relaxed);
    if (c->listed)
        return dict_put(h, c, v, n, bytes);
    if (!c->index || n * 2 > c->index->cap)
        index_grow(c);
    c->looked_up++;
    uint32_t i = cell->hash & (c->index->cap - 1);
    for (; c->index->slots[i].code; i = (i + 1) & (c->index->cap - 1)) {
        const struct head_slot *s = &c->index->slots[i];
        if (s->hash == cell->hash && same_value(&c->dict[s->code], v))
            return s->code;
    }

    c->index->slots[i] = (struct head_slot){ cell->hash, n };
    *bytes += 2 * sizeof(struct head_slot);
    c->odd = c->odd || !like_number(v);
    c->listed = turns_listed(h, c, n);
    if (c->listed)
        mem_freep(&c->index);
    return dict_put(h, c, v, n, bytes);
}

/* ---- columns --------------------------------------------------------------- */

static struct head_col *col_new(struct head *h, struct colkey key)
{
    struct head_col *c = mem_alloc(sizeof *c);
    *c = (struct head_col){ .key = { key.place, pool_str(h, key.name) }, .code = mem_pages(h->room * sizeof *c->code) };
    dict_grow(h, c, 0);
    c->dict[0] = (struct value){ 0 };
    atomic_store_explicit(&c->ndict, 1, memory_order_release);
    return c;
}

struct head_col *head_col_get(struct head *h, struct colkey key, uint64_t *bytes)
{
    char small[300];
    char *text = key.name.n < sizeof small ? small : mem_alloc(key.name.n + 1);
    text[0] = (char)key.place;
    memcpy(text + 1, key.name.p ? key.name.p : "", key.name.n);
    struct str whole = { text, key.name.n + 1 };
    uint32_t at = map_get(&h->by_name, whole);
    if (at == MAP_NONE) {
        struct head_col *c = col_new(h, key);
        *bytes += COLUMN_BYTES;
        at = h->ncols;
        map_put(&h->by_name, pool_str(h, whole), at);
        pthread_mutex_lock(&h->lock);
        if (h->ncols == h->cap_cols) {
            h->cap_cols = h->cap_cols ? h->cap_cols * 2 : 32;
            h->cols = mem_resize(h->cols, h->cap_cols * sizeof(struct head_col *));
        }
        h->cols[h->ncols++] = c;
        pthread_mutex_unlock(&h->lock);
    }
    if (text != small)
        mem_free(text);
    return h->cols[at];
}

/* ---- heads ----------------------------------------------------------------- */

static struct head *head_new(enum table table, uint32_t room)
{
    struct head *h = mem_alloc(sizeof *h);
    *h = (struct head){ .refs = 1, .table = table, .room = room, .time_min = INT64_MAX, .time_max = INT64_MIN };
    pthread_mutex_init(&h->lock, NULL);
    h->time_ns = mem_pages(room * sizeof *h->time_ns);
    h->recv_ns = mem_pages(room * sizeof *h->recv_ns);
    h->claimed_ns = mem_pages(room * sizeof *h->claimed_ns);
    h->origin = mem_pages(room * sizeof *h->origin);
    h->seq = mem_pages(room * sizeof *h->seq);
    if (table == TABLE_SAMPLE) {
        h->start_ns = mem_pages(room * sizeof *h->start_ns);
        h->value = mem_pages(room * sizeof *h->value);
        h->temporality = mem_pages(room * sizeof *h->temporality);
        h->series = head_series_new(room);
    }
    return h;
}

struct head *head_ref(struct head *h)
{
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

void head_unref(struct head *h)
{
    if (!h || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
        return;
    head_series_free(h->series, h->room);
    for (uint32_t i = 0; i < h->ncols; i++) {
        mem_pages_free(h->cols[i]->code, h->room * sizeof *h->cols[i]->code);
        mem_free(h->cols[i]->dict);
        mem_free(h->cols[i]->index);
        mem_free(h->cols[i]);
    }
    for (uint32_t i = 0; i < h->nretired; i++)
        mem_free(h->retired[i]);
    while (h->pool) {
        struct pool_part *p = h->pool;
        h->pool = p->next;
        mem_free(p);
    }
    void *words[] = { h->time_ns, h->recv_ns, h->start_ns, h->claimed_ns, h->value, h->seq };
    for (size_t i = 0; i < LEN(words); i++)
        mem_pages_free(words[i], h->room * sizeof(int64_t));
    mem_pages_free(h->temporality, h->room);
    mem_pages_free(h->origin, h->room);
    mem_free(h->cols);
    mem_free(h->retired);
    groups_done(&h->groups);
    map_done(&h->by_name);
    pthread_mutex_destroy(&h->lock);
    mem_free(h);
}

struct gen *gen_new(uint32_t room)
{
    struct gen *g = mem_alloc(sizeof *g);
    *g = (struct gen){ .refs = 1, .room = room };
    return g;
}

struct gen *gen_ref(struct gen *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void gen_unref(struct gen *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (int t = 0; t < TABLE_COUNT; t++) {
        head_unref(g->heads[t]);
        ident_done(&g->idents[t]);
    }
    mem_free(g);
}

uint32_t gen_rows(const struct gen *g, enum table t)
{
    return g->heads[t] ? atomic_load_explicit(&g->heads[t]->n, memory_order_acquire) : 0;
}

bool gen_fits(const struct gen *g, const struct batch *b)
{
    const struct head *h = g->heads[b->table];
    uint64_t rows = h ? h->written : 0, series = h && h->series ? series_count(h) : 0;
    return MAX(rows, series) + b->nrows <= g->room;
}

struct head *gen_head(struct gen *g, enum table t)
{
    if (!g->heads[t])
        g->heads[t] = head_new(t, g->room);
    return g->heads[t];
}

/* ---- appending ------------------------------------------------------------- */

/* A column of the batch: where it goes, and its newest text with the code that it has:
 * neighbours that have the same text have it at the same place (rows_identify). */
struct col_state {
    struct head_col *col;                          /* NULL: not looked up yet */
    struct str newest;
    uint32_t code;                                 /* of newest; 0: there is none */
};

struct append {
    struct head *h;
    const struct batch *b;
    struct col_state *cols;
    uint64_t bytes;
};

static struct col_state *code_cell(struct append *a, const struct cell *c)
{
    struct col_state *s = &a->cols[c->col];
    if (!s->col)
        s->col = head_col_get(a->h, a->b->cols[c->col], &a->bytes);
    if (s->code && c->v.type == V_STR && s->newest.p == c->v.s.p && s->newest.n == c->v.s.n)
        return s;
    s->code = head_intern(a->h, s->col, c, &a->bytes);
    s->newest = c->v.type == V_STR ? c->v.s : (struct str){ 0 };
    return s;
}

/* A group that many rows share: its cells as codes, in the head's groups. */
struct group_codes {
    uint32_t at, n;
    bool done;
};

static void code_group(struct append *a, uint32_t group, struct group_codes *ret)
{
    struct head_groups *g = &a->h->groups;
    const struct cells *cells = &a->b->groups[group];
    const struct id128 *id = a->b->group_ids ? &a->b->group_ids[group] : NULL;
    const struct group_place *known = id ? groups_find(g, *id) : NULL;
    if (known) {
        *ret = (struct group_codes){ known->at, known->n, true };
        return;
    }
    uint32_t from = g->ncodes;
    for (uint32_t i = 0; i < cells->n; i++) {
        if (cells->at[i].v.type == V_NONE)
            continue;
        const struct col_state *s = code_cell(a, &cells->at[i]);
        groups_code(g, s->col, s->code);
    }
    *ret = (struct group_codes){ from, g->ncodes - from, true };
    if (id)
        a->bytes += groups_put(g, *id, from);
}

/* The places in the indexes where a coming row's values will be looked for. */
static void expect_cells(const struct append *a, const struct cells *cells)
{
    for (uint32_t i = 0; i < cells->n; i++) {
        const struct head_col *col = a->cols[cells->at[i].col].col;
        if (col && col->index)
            __builtin_prefetch(&col->index->slots[cells->at[i].hash & (col->index->cap - 1)]);
    }
}

static void put_cells(struct append *a, uint32_t at, const struct cells *cells)
{
    for (uint32_t i = 0; i < cells->n; i++) {
        if (cells->at[i].v.type == V_NONE)
            continue;
        const struct col_state *s = code_cell(a, &cells->at[i]);
        s->col->code[at] = s->code;
    }
}

static void put_fixed(struct head *h, uint32_t at, const struct batch *b, const struct row *r, uint64_t seq)
{
    h->time_ns[at] = r->time_ns;
    h->recv_ns[at] = b->recv_ns;
    h->claimed_ns[at] = r->claimed_ns;
    h->origin[at] = (uint8_t)r->origin;
    h->seq[at] = seq;
    h->any_claimed = h->any_claimed || r->claimed_ns;
    if (r->time_ns < atomic_load_explicit(&h->time_min, memory_order_relaxed))
        atomic_store_explicit(&h->time_min, r->time_ns, memory_order_relaxed);
    if (r->time_ns > atomic_load_explicit(&h->time_max, memory_order_relaxed))
        atomic_store_explicit(&h->time_max, r->time_ns, memory_order_relaxed);
    if (b->recv_ns > atomic_load_explicit(&h->recv_max, memory_order_relaxed))
        atomic_store_explicit(&h->recv_max, b->recv_ns, memory_order_relaxed);
}

enum { EXPECT_ROWS = 2 };                          /* ahead: a row has about twenty such places */

void gen_append(struct gen *g, const struct batch *b, const bool *keep, uint64_t seq)
{
    CHECK(gen_fits(g, b) && b->table != TABLE_SAMPLE);
    struct head *h = gen_head(g, b->table);
    struct arena scratch = *b->mem;
    struct append a = { .h = h, .b = b, .cols = arena_new(&scratch, struct col_state, b->ncols + 1) };
    struct group_codes *groups = arena_new(&scratch, struct group_codes, b->ngroups + 1);
    for (uint32_t i = 0; i < b->nrows; i++) {
        const struct row *r = &b->rows[i];
        if (!keep[i])
            continue;
        if (i + EXPECT_ROWS < b->nrows)
            expect_cells(&a, &b->rows[i + EXPECT_ROWS].cells);
        uint32_t at = h->written++, shared = 0;
        if (r->group != ROW_NO_GROUP) {
            struct group_codes *codes = &groups[r->group];
            if (!codes->done)
                code_group(&a, r->group, codes);
            const struct coded *c = h->groups.codes + codes->at;
            for (uint32_t k = 0; k < codes->n; k++)
                c[k].col->code[at] = c[k].code;
            shared = codes->n;
        }
        put_cells(&a, at, &r->cells);
        put_fixed(h, at, b, r, seq);
        a.bytes += 64 + 4 * (r->cells.n + shared);
    }
    atomic_fetch_add_explicit(&g->bytes, a.bytes, memory_order_relaxed);
}

void gen_publish(struct gen *g)
{
    for (int t = 0; t < TABLE_COUNT; t++) {
        struct head *h = g->heads[t];
        if (h && h->series)
            head_series_publish(h->series);
        if (h)
            atomic_store_explicit(&h->n, h->written, memory_order_release);
    }
}

/* ---- reading --------------------------------------------------------------- */

void head_picture(struct head *h, struct arena *mem, struct block *ret)
{
    *ret = (struct block){
        .n = atomic_load_explicit(&h->n, memory_order_acquire),
        .time_ns = h->time_ns,
        .recv_ns = h->recv_ns,
        .start_ns = h->start_ns,
        .claimed_ns = h->claimed_ns,
        .value = h->value,
        .temporality = h->temporality,
        .origin = h->origin,
        .seq = h->seq,
    };
    if (h->series)
        head_series_picture(h->series, ret);
    pthread_mutex_lock(&h->lock);
    struct column *cols = arena_new(mem, struct column, h->ncols + 1);
    for (uint32_t i = 0; i < h->ncols; i++) {
        const struct head_col *c = h->cols[i];
        cols[i] = (struct column){
            .key = c->key,
            .code = c->code,
            .dict = c->dict,
            .ndict = atomic_load_explicit(&c->ndict, memory_order_acquire),
        };
    }
    ret->cols = cols;
    ret->ncols = h->ncols;
    pthread_mutex_unlock(&h->lock);
}
