/* model/seen.c -- a lossy table without locks.
 *
 * Each slot is a few words that are read and written one by one, in any order. Two of them
 * are the key mixed with all the others; a slot that is half one entry and half another
 * does not give the key that is asked for, so it is not found (as chess programs do it).
 *
 *     key.hi ^ mix(words)  key.lo ^ mix'(words)  id.hi  id.lo  shape  weight
 *
 * A key may stand in one of WAYS slots. The table begins small, since one user has a few
 * hundred series and each slot that is touched is a page of memory; when many entries
 * push others out, one of four times the size takes its place. What stood in the old one
 * is found anew. Old ones stay until seen_rest() or seen_free(): somebody may be reading
 * there, and together they are a third of the new one.
 */
#include "model/seen.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/secret.h"

enum { SEEN_FIRST = 256, GROWTH = 4, WAYS = 4, TABLES = 5 /* from SEEN_FIRST to SEEN_MAX */ };

struct slot {
    _Atomic uint64_t key[2], word[4], unused[2];   /* a cache line */
};

struct table {
    struct slot *slots;
    uint32_t n;
    _Atomic uint32_t lost;                         /* entries that pushed out others */
};

struct seen {
    uint64_t seed;
    _Atomic(struct table *) now;
    struct table tables[TABLES];
    pthread_mutex_t lock;                          /* guards ntables, and who makes the next */
    uint32_t ntables;
    _Atomic bool used;
};

static void use_table(struct seen *s, uint32_t i, uint32_t n)
{
    CHECK(i < TABLES && i <= s->ntables);
    struct table *t = &s->tables[i];
    if (i == s->ntables) {
        *t = (struct table){ .slots = mem_pages(n * sizeof *t->slots), .n = n };
        s->ntables++;
    }
    atomic_store_explicit(&s->now, t, memory_order_release);
}

struct seen *seen_new(void)
{
    struct seen *s = mem_alloc(sizeof *s);
    secret_random(&s->seed, sizeof s->seed);
    pthread_mutex_init(&s->lock, NULL);
    use_table(s, 0, SEEN_FIRST);
    return s;
}

void seen_free(struct seen *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->ntables; i++)
        mem_pages_free(s->tables[i].slots, s->tables[i].n * sizeof(struct slot));
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

struct id128 seen_key(const struct seen *s, struct str bytes, uint64_t kind)
{
    return hash128_seeded(bytes, s->seed ^ kind);
}

static struct id128 mix(const uint64_t w[4])
{
    return (struct id128){
        w[0] * UINT64_C(0x9e3779b97f4a7c15) ^ w[1] ^ w[2] * UINT64_C(0xc2b2ae3d27d4eb4f) ^ w[3],
        w[1] * UINT64_C(0x165667b19e3779f9) ^ w[0] ^ w[3] * UINT64_C(0xff51afd7ed558ccd) ^ w[2],
    };
}

static bool slot_read(struct slot *x, struct id128 *ret_key, uint64_t w[4])
{
    for (int i = 0; i < 4; i++)
        w[i] = atomic_load_explicit(&x->word[i], memory_order_relaxed);
    struct id128 m = mix(w);
    ret_key->hi = atomic_load_explicit(&x->key[0], memory_order_relaxed) ^ m.hi;
    ret_key->lo = atomic_load_explicit(&x->key[1], memory_order_relaxed) ^ m.lo;
    return w[2] != 0;                              /* the shape: 0 is a free slot */
}

bool seen_find(struct seen *s, struct id128 key, struct seen_series *ret)
{
    struct table *t = atomic_load_explicit(&s->now, memory_order_acquire);
    if (!atomic_load_explicit(&s->used, memory_order_relaxed))
        atomic_store_explicit(&s->used, true, memory_order_relaxed);
    for (uint32_t i = 0; i < WAYS; i++) {
        struct id128 have;
        uint64_t w[4];
        if (!slot_read(&t->slots[(key.lo + i) & (t->n - 1)], &have, w) || !id128_eq(have, key))
            continue;
        *ret = (struct seen_series){ { w[0], w[1] }, w[2], w[3] };
        return true;
    }
    return false;
}

/* A free one, or one of those that the key may stand in. */
static struct slot *slot_for(struct table *t, struct id128 key)
{
    for (uint32_t i = 0; i < WAYS; i++) {
        struct slot *x = &t->slots[(key.lo + i) & (t->n - 1)];
        if (!atomic_load_explicit(&x->word[2], memory_order_relaxed))
            return x;
    }
    atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
    return &t->slots[(key.lo + (key.hi & (WAYS - 1))) & (t->n - 1)];
}

static void grow(struct seen *s, const struct table *full)
{
    pthread_mutex_lock(&s->lock);
    if (atomic_load(&s->now) == full && full->n < SEEN_MAX)
        use_table(s, (uint32_t)(full - s->tables) + 1, full->n * GROWTH);
    pthread_mutex_unlock(&s->lock);
}

void seen_put(struct seen *s, struct id128 key, const struct seen_series *x)
{
    CHECK(x->shape);
    struct table *t = atomic_load_explicit(&s->now, memory_order_acquire);
    if (t->n < SEEN_MAX && atomic_load_explicit(&t->lost, memory_order_relaxed) > t->n / 2) {
        grow(s, t);
        t = atomic_load_explicit(&s->now, memory_order_acquire);
    }
    const uint64_t w[4] = { x->id.hi, x->id.lo, x->shape, x->weight };
    struct id128 m = mix(w);
    struct slot *to = slot_for(t, key);
    for (int i = 0; i < 4; i++)
        atomic_store_explicit(&to->word[i], w[i], memory_order_relaxed);
    atomic_store_explicit(&to->key[0], key.hi ^ m.hi, memory_order_relaxed);
    atomic_store_explicit(&to->key[1], key.lo ^ m.lo, memory_order_relaxed);
}

/* Readers of a table may be at work: its pages go, the table stays. */
void seen_rest(struct seen *s)
{
    if (atomic_exchange(&s->used, false))
        return;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->ntables; i++) {
        mem_pages_empty(s->tables[i].slots, s->tables[i].n * sizeof(struct slot));
        atomic_store(&s->tables[i].lost, 0);
    }
    atomic_store_explicit(&s->now, &s->tables[0], memory_order_release);
    pthread_mutex_unlock(&s->lock);
}
