/* store/cache.c -- see cache.h: a hash table and a list in order of use under one lock,
 * which is held for moments and never while something is decoded or copied.
 *
 * Room is reserved before the copy is made. Two threads that decode the same column both
 * reserve; the second one to come back finds the first one's entry and drops its own.
 */
#include "store/cache.h"

#include <pthread.h>
#include <string.h>

#include "base/hash.h"

#define CACHE_HOLD_NS (INT64_C(5) * NS_PER_S)
enum { SLOTS = 16384, PAGES_FROM = 32 * 1024 };     /* larger entries are mapped, so that they go back at once */

struct cache {
    pthread_mutex_t lock;                          /* all below */
    size_t bytes, bytes_max;
    struct cached *newest, *oldest;
    struct cached *slots[SLOTS];
    const struct clock *clock;
};

struct cache *cache_new(size_t bytes_max, const struct clock *clock)
{
    struct cache *c = mem_alloc(sizeof *c);
    c->bytes_max = bytes_max;
    c->clock = clock;
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
    return c;
}

static void lock(struct cache *c)
{
    CHECK(pthread_mutex_lock(&c->lock) == 0);
}

static void unlock(struct cache *c)
{
    CHECK(pthread_mutex_unlock(&c->lock) == 0);
}

/* ---- entries --------------------------------------------------------------- */

void cached_unref(struct cached *x)
{
    if (!x || __atomic_sub_fetch(&x->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (x->bytes >= PAGES_FROM)
        mem_pages_free(x, x->bytes);
    else
        mem_free(x);
}

static struct cached *entry_new(struct cache_key key, size_t bytes)
{
    struct cached *x = bytes >= PAGES_FROM ? mem_pages(bytes) : mem_alloc(bytes);
    x->key = key;
    x->bytes = bytes;
    x->refs = 1;
    return x;
}

static bool same_key(const struct cache_key *a, const struct cache_key *b)
{
    return a->part == b->part && a->chunk == b->chunk && a->column == b->column && a->kind == b->kind;
}

static struct cached **slot_of(struct cache *c, const struct cache_key *k)
{
    uint64_t all[3] = { k->part, k->chunk, (uint64_t)k->column << 8 | k->kind };
    return &c->slots[hash64((struct str){ (const char *)all, sizeof all }, 0) % SLOTS];
}

static void use_push(struct cache *c, struct cached *x)
{
    x->older = c->newest;
    x->newer = NULL;
    *(c->newest ? &c->newest->newer : &c->oldest) = x;
    c->newest = x;
    x->used_mono = clock_mono(c->clock);
}

static void use_take(struct cache *c, struct cached *x)
{
    *(x->newer ? &x->newer->older : &c->newest) = x->older;
    *(x->older ? &x->older->newer : &c->oldest) = x->newer;
}

static struct cached *find(struct cache *c, const struct cache_key *key)
{
    struct cached *x = *slot_of(c, key);
    while (x && !same_key(&x->key, key))
        x = x->chain;
    return x;
}

/* Off table and list, on `out`. */
static void take_out(struct cache *c, struct cached *x, struct cached **out)
{
    struct cached **at = slot_of(c, &x->key);
    while (*at != x)
        at = &(*at)->chain;
    *at = x->chain;
    use_take(c, x);
    CHECK(c->bytes >= x->bytes);
    c->bytes -= x->bytes;
    x->chain = *out;
    *out = x;
}

static void unref_all(struct cached *x)
{
    while (x) {
        struct cached *next = x->chain;            /* nobody looks at chains of what is off the table */
        cached_unref(x);
        x = next;
    }
}

static struct cached *ref(struct cached *x)
{
    CHECK(__atomic_fetch_add(&x->refs, 1, __ATOMIC_RELAXED) > 0);
    return x;
}

struct cached *cache_get(struct cache *c, struct cache_key key)
{
    lock(c);
    struct cached *x = find(c, &key);
    if (x) {
        use_take(c, x);
        use_push(c, x);
        ref(x);
    }
    unlock(c);
    return x;
}

/* ---- keeping --------------------------------------------------------------- */

static bool reserve(struct cache *c, size_t bytes)
{
    if (bytes > c->bytes_max / 4)
        return false;
    struct cached *out = NULL;
    lock(c);
    int64_t edge = clock_mono(c->clock) - CACHE_HOLD_NS;
    while (c->bytes + bytes > c->bytes_max && c->oldest && c->oldest->used_mono < edge)
        take_out(c, c->oldest, &out);
    bool room = c->bytes + bytes <= c->bytes_max;
    if (room)
        c->bytes += bytes;
    unlock(c);
    unref_all(out);
    return room;
}

/* The entry that is in the table now: this one, or the one that came first. */
static struct cached *insert(struct cache *c, struct cached *x)
{
    lock(c);
    struct cached *first = find(c, &x->key);
    if (first) {
        ref(first);
        c->bytes -= x->bytes;
    } else {
        struct cached **slot = slot_of(c, &x->key);
        x->chain = *slot;
        *slot = x;
        use_push(c, x);
        ref(x);
    }
    unlock(c);
    if (!first)
        return x;
    cached_unref(x);
    return first;
}

static char *take(char **at, size_t n)
{
    char *p = *at;
    *at += (n + 7) & ~(size_t)7;
    return p;
}

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static bool has_text(const struct value *v)
{
    return v->type == V_STR || v->type == V_JSON || v->type == V_BYTES;
}

static size_t code_bytes(const struct column *col, uint32_t rows)
{
    static const size_t width[] = { [CODES_U32] = 4, [CODES_U16] = 2, [CODES_U8] = 1 };
    return col->form == CODES_SAME ? sizeof(uint32_t) : width[col->form] * rows;
}

static void pack_dict(struct cached *x, const struct column *col, size_t text_bytes, char **at)
{
    struct value *dict = (struct value *)(void *)take(at, col->ndict * sizeof *dict);
    char *text = take(at, text_bytes), *p = text;
    bool all = col->ndict > 1;
    for (uint32_t i = 0; i < col->ndict; i++) {
        dict[i] = col->dict[i];
        all = all && (!i || dict[i].type == V_STR);
        if (!has_text(&dict[i]))
            continue;
        if (dict[i].s.n)
            memcpy(p, dict[i].s.p, dict[i].s.n);
        dict[i].s.p = p;
        p += dict[i].s.n;
    }
    x->col.dict = dict;
    x->col.text = all ? (struct str){ text, text_bytes } : (struct str){ 0 };
}

struct cached *cache_keep_column(struct cache *c, struct cache_key key, const struct column *col, uint32_t rows, size_t stored)
{
    size_t codes = 0, text = 0, numbers = 0, bitmap = 0;
    if (col->code)
        codes = code_bytes(col, rows);
    else
        numbers = (size_t)rows * 8;
    for (uint32_t i = 0; col->code && i < col->ndict; i++)
        if (has_text(&col->dict[i]))
            text += col->dict[i].s.n;
    if (!col->code && col->valid)
        bitmap = (size_t)rows / 8 + 1;
    size_t bytes = padded(sizeof(struct cached)) + padded(codes) + padded(text) + padded(numbers) + padded(bitmap) +
                   (col->code ? col->ndict * sizeof(struct value) : 0) + padded(col->key.name.n);
    if (!reserve(c, bytes))
        return NULL;

    struct cached *x = entry_new(key, bytes);
    char *at = (char *)x + padded(sizeof *x), *name = take(&at, col->key.name.n);
    x->stored = stored;
    x->col = *col;
    memcpy(name, col->key.name.p, col->key.name.n);
    x->col.key.name.p = name;
    if (col->code) {
        x->col.code = memcpy(take(&at, codes), col->code, codes);
        pack_dict(x, col, text, &at);
    } else {
        const void *from = col->type == V_INT ? (const void *)col->i64 : (const void *)col->f64;
        void *to = memcpy(take(&at, numbers), from, numbers);
        x->col.i64 = col->type == V_INT ? to : NULL;
        x->col.f64 = col->type == V_INT ? NULL : to;
        if (bitmap)
            x->col.valid = memcpy(take(&at, bitmap), col->valid, bitmap - 1 + (rows % 8 != 0));
    }
    CHECK(at == (char *)x + bytes);
    return insert(c, x);
}

static struct cached *keep_bytes(struct cache *c, struct cache_key key, struct str s, uint8_t enc, uint8_t grain, size_t stored)
{
    size_t bytes = padded(sizeof(struct cached)) + s.n;
    if (!reserve(c, bytes))
        return NULL;
    struct cached *x = entry_new(key, bytes);
    char *at = (char *)x + padded(sizeof *x);
    if (s.n)
        memcpy(at, s.p, s.n);
    x->fixed = at;
    x->raw = (struct str){ at, s.n };
    x->enc = enc;
    x->grain = grain;
    x->stored = stored;
    return insert(c, x);
}

struct cached *cache_keep_fixed(struct cache *c, struct cache_key key, const void *array, size_t bytes, size_t stored)
{
    return keep_bytes(c, key, (struct str){ array, bytes }, 0, 0, stored);
}

struct cached *cache_keep_raw(struct cache *c, struct cache_key key, uint8_t enc, uint8_t grain, struct str raw, size_t stored)
{
    return keep_bytes(c, key, raw, enc, grain, stored);
}

/* ---- letting go ------------------------------------------------------------ */

void cache_sweep(struct cache *c, int64_t before_mono)
{
    struct cached *out = NULL;
    lock(c);
    while (c->oldest && c->oldest->used_mono < before_mono)
        take_out(c, c->oldest, &out);
    unlock(c);
    unref_all(out);
}

size_t cache_bytes(struct cache *c)
{
    lock(c);
    size_t n = c->bytes;
    unlock(c);
    return n;
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    struct cached *out = NULL;
    while (c->oldest)
        take_out(c, c->oldest, &out);
    for (struct cached *x = out; x; x = x->chain)
        CHECK(__atomic_load_n(&x->refs, __ATOMIC_ACQUIRE) == 1);
    unref_all(out);
    CHECK(c->bytes == 0);
    CHECK(pthread_mutex_destroy(&c->lock) == 0);
    mem_free(c);
}
