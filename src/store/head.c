/* store/head.c -- columns that are appended to and read at the same time.
 *
 * Row arrays have the generation's full room from the start and never move; the system
 * gives their pages only when they are touched. A column that appears late is right
 * from its first row on, since untouched memory is zero and zero is "absent".
 * Dictionaries grow by moving; the old place stays until the generation goes, because a
 * reader may hold it.
 */
#include "store/head.h"

#include <string.h>

#include "base/hash.h"
#include "base/map.h"

enum { POOL_PART = 256 << 10, DICT_FIRST = 16, INDEX_FIRST = 32, COLUMN_BYTES = 5 << 10 /* one page of codes, and the rest */ };

struct pool_part {
    struct pool_part *next;
    size_t n, cap;
    char bytes[];
};

/* Open addressing; a slot is the code of a dictionary entry, 0 is free. */
struct head_index {
    uint32_t cap;
    uint32_t slots[];
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

static uint64_t value_hash(const struct value *v)
{
    if (has_text(v->type))
        return hash64(v->s, v->type);
    uint64_t bits = 0;
    if (v->type == V_BOOL)
        bits = v->b;
    else
        memcpy(&bits, &v->i, sizeof bits);
    return hash64((struct str){ (const char *)&bits, sizeof bits }, v->type);
}

static void index_put(struct head_index *x, const struct value *dict, uint32_t code)
{
    uint32_t i = (uint32_t)value_hash(&dict[code]) & (x->cap - 1);
    while (x->slots[i])
        i = (i + 1) & (x->cap - 1);
    x->slots[i] = code;
}

static void index_grow(struct head_col *c, uint32_t n)
{
    uint32_t cap = c->index ? c->index->cap * 2 : INDEX_FIRST;
    struct head_index *x = mem_alloc(sizeof *x + cap * sizeof x->slots[0]);
    x->cap = cap;
    for (uint32_t code = 1; code < n; code++)
        index_put(x, c->dict, code);
    mem_free(c->index);
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

/* The code of a value in a column; a new one is copied into the head. */
static uint32_t intern(struct head *h, struct head_col *c, const struct value *v, uint64_t *bytes)
{
    uint32_t n = atomic_load_explicit(&c->ndict, memory_order_relaxed);
    if (!c->index || n * 2 > c->index->cap)
        index_grow(c, n);
    uint32_t i = (uint32_t)value_hash(v) & (c->index->cap - 1);
    for (; c->index->slots[i]; i = (i + 1) & (c->index->cap - 1))
        if (value_eq(&c->dict[c->index->slots[i]], v))
            return c->index->slots[i];

    if (n == c->cap)
        dict_grow(h, c, n);
    c->dict[n] = *v;
    if (has_text(v->type))
        c->dict[n].s = pool_str(h, v->s);
    c->index->slots[i] = n;
    *bytes += sizeof *v + 2 * sizeof(uint32_t) + (has_text(v->type) ? v->s.n : 0);
    atomic_store_explicit(&c->ndict, n + 1, memory_order_release);
    return n;
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

static uint32_t head_col_of(struct head *h, struct colkey key, uint64_t *bytes)
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
    return at;
}

/* ---- heads ----------------------------------------------------------------- */

static struct head *head_new(enum table table, uint32_t room)
{
    struct head *h = mem_alloc(sizeof *h);
    *h = (struct head){ .table = table, .room = room, .time_min = INT64_MAX, .time_max = INT64_MIN };
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
    }
    return h;
}

static void head_free(struct head *h)
{
    if (!h)
        return;
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
        head_free(g->heads[t]);
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
    return (h ? h->written : 0) + (uint64_t)b->nrows <= g->room;
}

/* ---- appending ------------------------------------------------------------- */

struct coded {
    uint32_t col, code;
};

/* The newest text of a column of the batch and its code: neighbours mostly have the same one. */
struct newest {
    struct str s;
    uint32_t code;
};

/* Cells of a batch as codes of the head: done once for a group that many rows share. */
static uint32_t code_cells(struct head *h, const uint32_t *cols, const struct cells *cells, struct newest *newest, struct coded *out,
                           uint64_t *bytes)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < cells->n; i++) {
        const struct cell *c = &cells->at[i];
        struct newest *m = &newest[c->col];
        if (c->v.type == V_NONE)
            continue;
        out[n].col = cols[c->col];
        if (c->v.type == V_STR && c->v.s.n && str_eq(m->s, c->v.s)) {
            out[n++].code = m->code;
            continue;
        }
        out[n].code = intern(h, h->cols[cols[c->col]], &c->v, bytes);
        if (c->v.type == V_STR)
            *m = (struct newest){ c->v.s, out[n].code };
        n++;
    }
    return n;
}

static void put_codes(struct head *h, uint32_t at, const struct coded *codes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        h->cols[codes[i].col]->code[at] = codes[i].code;
}

static void put_fixed(struct head *h, uint32_t at, const struct batch *b, const struct row *r, uint64_t seq)
{
    h->time_ns[at] = r->time_ns;
    h->recv_ns[at] = b->recv_ns;
    h->claimed_ns[at] = r->claimed_ns;
    h->origin[at] = (uint8_t)r->origin;
    h->seq[at] = seq;
    h->any_claimed = h->any_claimed || r->claimed_ns;
    if (h->table == TABLE_SAMPLE) {
        h->start_ns[at] = r->start_ns;
        h->value[at] = r->value;
        h->temporality[at] = (uint8_t)r->temporality;
    }
    if (r->time_ns < atomic_load_explicit(&h->time_min, memory_order_relaxed))
        atomic_store_explicit(&h->time_min, r->time_ns, memory_order_relaxed);
    if (r->time_ns > atomic_load_explicit(&h->time_max, memory_order_relaxed))
        atomic_store_explicit(&h->time_max, r->time_ns, memory_order_relaxed);
    if (b->recv_ns > atomic_load_explicit(&h->recv_max, memory_order_relaxed))
        atomic_store_explicit(&h->recv_max, b->recv_ns, memory_order_relaxed);
}

struct group_codes {
    struct coded *at;
    uint32_t n;
    bool done;
};

void gen_append(struct gen *g, const struct batch *b, const bool *keep, uint64_t seq)
{
    CHECK(gen_fits(g, b));
    if (!g->heads[b->table])
        g->heads[b->table] = head_new(b->table, g->room);
    struct head *h = g->heads[b->table];
    struct arena scratch = *b->mem;
    uint64_t bytes = 0;

    uint32_t *cols = arena_new(&scratch, uint32_t, b->ncols + 1);
    bool *known = arena_new(&scratch, bool, b->ncols + 1);
    struct newest *newest = arena_new(&scratch, struct newest, b->ncols + 1);
    struct group_codes *groups = arena_new(&scratch, struct group_codes, b->ngroups + 1);
    for (uint32_t i = 0; i < b->nrows; i++) {
        const struct row *r = &b->rows[i];
        if (!keep[i])
            continue;
        const struct cells *both[2] = { &r->cells, r->group == ROW_NO_GROUP ? NULL : &b->groups[r->group] };
        for (int k = 0; k < 2; k++)
            for (uint32_t c = 0; both[k] && c < both[k]->n; c++)
                if (!known[both[k]->at[c].col]) {
                    known[both[k]->at[c].col] = true;
                    cols[both[k]->at[c].col] = head_col_of(h, b->cols[both[k]->at[c].col], &bytes);
                }
        uint32_t at = h->written++;
        if (both[1] && !groups[r->group].done) {
            groups[r->group].at = arena_new(&scratch, struct coded, both[1]->n + 1);
            groups[r->group].n = code_cells(h, cols, both[1], newest, groups[r->group].at, &bytes);
            groups[r->group].done = true;
        }
        if (both[1])
            put_codes(h, at, groups[r->group].at, groups[r->group].n);
        struct arena row_scratch = scratch;
        struct coded *own = arena_new(&row_scratch, struct coded, r->cells.n + 1);
        put_codes(h, at, own, code_cells(h, cols, &r->cells, newest, own, &bytes));
        put_fixed(h, at, b, r, seq);
        bytes += 64 + 4 * (r->cells.n + (both[1] ? both[1]->n : 0));
    }
    atomic_fetch_add_explicit(&g->bytes, bytes, memory_order_relaxed);
}

void gen_publish(struct gen *g)
{
    for (int t = 0; t < TABLE_COUNT; t++)
        if (g->heads[t])
            atomic_store_explicit(&g->heads[t]->n, g->heads[t]->written, memory_order_release);
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
