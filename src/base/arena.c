/* base/arena.c -- one linear address range per arena.
 *
 * A range is reserved once (the system gives pages when they are touched) and
 * begins with a small header that all by-value copies of the arena share:
 *
 *     | header | base ........ pos ........ dirty ........ end |
 *                used          scratch was   never touched,
 *                              here          so still zero
 *
 * Invariant: every byte at or after `dirty` is zero. Allocation clears only what
 * lies below it; the mark stands in the header because a scratch copy that went
 * further than its owner has to leave word of it.
 *
 * Ranges are kept on a short process-wide list, with their first pages, so that
 * the arena of a small request costs no system call; a few keep as much as a large
 * request takes (faults for fresh pages cost more than decoding into them), until
 * arenas_rest().
 *
 * Under AddressSanitizer everything that is not allocated is poisoned, with a
 * gap after each allocation.
 */
#include "base/arena.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP = 16, ALIGN_MIN = 8 };                  /* ASan's granule is 8 bytes */
static void poison(const void *p, size_t n) { __asan_poison_memory_region(p, n); }
static void unpoison(const void *p, size_t n) { __asan_unpoison_memory_region(p, n); }
#else
enum { GAP = 0, ALIGN_MIN = 1 };
static void poison(const void *p, size_t n) { (void)p, (void)n; }
static void unpoison(const void *p, size_t n) { (void)p, (void)n; }
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

/* A budget is a promise that loops ask after; between two questions they may
 * pass it, by much less than this factor. */
#define RESERVE_FACTOR 8
#define RESERVE_MIN    ((size_t)64 << 20)          /* address space only; bigger steps share ranges better */
#define RESERVE_MAX    ((size_t)16 << 30)
#define KEEP_RESET     ((size_t)1 << 20)           /* touched bytes a reset leaves in place: one batch */
#define KEEP_DONE      ((size_t)64 << 10)          /* touched bytes of a range on the free list */
enum { PAGE_ROUND = 64 << 10 };                   /* a multiple of any system's page */
#define KEEP_WARM      ((size_t)1536 << 10)        /* ... and of a few of them: a request of 1,000 rows fits */
enum { FREE_MAX = 16, WARM_MAX = 4 };              /* ranges on the list: 1 MiB resident, and 6 more until arenas_rest() */

struct range {
    size_t size;                                   /* of the whole range with this header */
    char *dirty;
    struct range *next;
    size_t warm;                                   /* 1: one of WARM_MAX; a whole word keeps base aligned to 32 bytes */
};

static pthread_mutex_t free_lock = PTHREAD_MUTEX_INITIALIZER;
static struct range *free_list;                    /* under free_lock */
static unsigned free_count, warm_count;            /* under free_lock */

static struct range *range_of(const struct arena *a)
{
    CHECK(a->base);
    return (struct range *)(void *)a->base - 1;
}

static size_t reserve_size(size_t budget)
{
    if (budget >= RESERVE_MAX / RESERVE_FACTOR)
        return RESERVE_MAX;
    size_t n = RESERVE_MIN;
    while (n < budget * RESERVE_FACTOR)
        n *= 2;
    return n;
}

static struct range *range_take(size_t size)
{
    struct range *r = NULL;
    CHECK(pthread_mutex_lock(&free_lock) == 0);
    for (struct range **at = &free_list; *at; at = &(*at)->next) {
        if ((*at)->size == size) {
            r = *at;
            *at = r->next;
            free_count--;
            warm_count -= (unsigned)r->warm;
            r->warm = 0;
            break;
        }
    }
    CHECK(pthread_mutex_unlock(&free_lock) == 0);
    return r;
}

static struct range *range_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        (void)fprintf(stderr, "out of memory: no address range of %zu bytes: %s\n", size, strerror(errno));
        abort();
    }
    struct range *r = p;
    r->size = size;
    r->dirty = (char *)(r + 1);
    return r;
}

/* Empties the range; touched pages beyond the first `keep` bytes go back. */
static void range_trim(struct range *r, size_t keep)
{
    char *base = (char *)(r + 1), *cut = (char *)r + keep;
    poison(base, (size_t)(r->dirty - base));
    if (r->dirty <= cut)
        return;
    size_t n = (size_t)((char *)r + r->size - cut);
#ifdef __linux__
    CHECK(madvise(cut, n, MADV_DONTNEED) == 0);
#else
    /* Elsewhere MADV_DONTNEED and MADV_FREE may keep the old bytes; mapping anew gives zeros. */
    CHECK(mmap(cut, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE | MAP_FIXED, -1, 0) == cut);
#endif
    r->dirty = cut;
}

/* Onto the list, warm if fewer than so many are. */
static void range_give(struct range *r, unsigned warm_max)
{
    CHECK(pthread_mutex_lock(&free_lock) == 0);
    r->warm = r->dirty > (char *)r + KEEP_DONE && warm_count < warm_max;
    warm_count += (unsigned)r->warm;
    CHECK(pthread_mutex_unlock(&free_lock) == 0);
    range_trim(r, r->warm ? KEEP_WARM : KEEP_DONE);

    CHECK(pthread_mutex_lock(&free_lock) == 0);
    bool kept = free_count < FREE_MAX;
    if (kept) {
        r->next = free_list;
        free_list = r;
        free_count++;
    } else {
        warm_count -= (unsigned)r->warm;
    }
    CHECK(pthread_mutex_unlock(&free_lock) == 0);
    if (!kept) {
        unpoison(r, r->size);
        CHECK(munmap(r, r->size) == 0);
    }
}

void arena_init(struct arena *a, size_t budget_bytes)
{
    size_t size = reserve_size(budget_bytes);
    struct range *r = range_take(size);
    if (!r)
        r = range_map(size);
    char *base = (char *)(r + 1);
    *a = (struct arena){ base, base, (char *)r + size, budget_bytes };
}

void arena_done(struct arena *a)
{
    if (!a->base)
        return;
    struct range *r = range_of(a);
    *a = (struct arena){ 0 };
    range_give(r, WARM_MAX);
}

/* Those that are on the list now; whatever is given back meanwhile may stay warm. */
void arenas_rest(void)
{
    CHECK(pthread_mutex_lock(&free_lock) == 0);
    struct range *all = free_list;
    free_list = NULL;
    free_count = warm_count = 0;
    CHECK(pthread_mutex_unlock(&free_lock) == 0);
    while (all) {
        struct range *r = all;
        all = r->next;
        r->warm = 0;
        range_give(r, 0);
    }
}

void arena_reset(struct arena *a)
{
    range_trim(range_of(a), KEEP_RESET);
    a->pos = a->base;
}

void arena_rewind(struct arena *a)
{
    struct range *r = range_of(a);
    poison(a->base, (size_t)(r->dirty - a->base));
    a->pos = a->base;
}

void arena_keep(struct arena *a, size_t bytes)
{
    range_trim(range_of(a), (bytes + PAGE_ROUND - 1) & ~(size_t)(PAGE_ROUND - 1));
    a->pos = a->base;
}

bool arena_over(const struct arena *a)
{
    return arena_used(a) > a->budget;
}

size_t arena_used(const struct arena *a)
{
    return (size_t)(a->pos - a->base);
}

size_t arena_bytes(size_t size, size_t n)
{
    size_t all;
    CHECK(!__builtin_mul_overflow(size, n, &all));
    return all;
}

/* Makes [p, p + n) the newest allocation's (new) tail: zeroed if asked, pos after it. */
static void claim(struct arena *a, char *p, size_t n, bool zeroed)
{
    size_t left = (size_t)(a->end - p);
    if (n > left || left - n < GAP + ALIGN_MIN) {
        (void)fprintf(stderr, "out of memory: an arena with a budget of %zu bytes is full\n", a->budget);
        abort();
    }
    struct range *r = range_of(a);
    unpoison(p, n);
    if (zeroed && p < r->dirty)
        memset(p, 0, MIN(n, (size_t)(r->dirty - p)));
    poison(p + n, GAP);
    a->pos = p + n + GAP;
    if (a->pos > r->dirty)
        r->dirty = a->pos;
}

static void *alloc(struct arena *a, size_t size, size_t align, bool zeroed)
{
    CHECK(a->base && align && (align & (align - 1)) == 0);
    align = MAX(align, (size_t)ALIGN_MIN);
    size_t pad = -(uintptr_t)a->pos & (align - 1);
    if (pad > (size_t)(a->end - a->pos))
        pad = (size_t)(a->end - a->pos);           /* full: claim() says so */
    char *p = a->pos + pad;
    claim(a, p, size, zeroed);
    return p;
}

void *arena_alloc(struct arena *a, size_t size, size_t align)
{
    return alloc(a, size, align, true);
}

void *arena_alloc_raw(struct arena *a, size_t size, size_t align)
{
    return alloc(a, size, align, false);
}

void *arena_grow(struct arena *a, void *p, size_t old_size, size_t new_size, size_t align)
{
    if (p && new_size <= old_size)
        return p;
    char *old_end = p ? (char *)p + old_size : NULL;
    if (p && old_end + GAP == a->pos) {
        claim(a, old_end, new_size - old_size, true);
        return p;
    }
    void *to = arena_alloc(a, new_size, align);
    if (p && old_size)
        memcpy(to, p, old_size);
    return to;
}

char *arena_cstr(struct arena *a, struct str s)
{
    CHECK(s.n < SIZE_MAX);
    char *p = arena_alloc(a, s.n + 1, 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    if (s.n == 0)
        return (struct str){ s.p ? "" : NULL, 0 };
    char *p = arena_alloc(a, s.n, 1);
    memcpy(p, s.p, s.n);
    return (struct str){ p, s.n };
}

struct str arena_fmt(struct arena *a, const char *fmt, ...)
{
    char small[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1, 1);
    if ((size_t)n < sizeof(small)) {
        memcpy(p, small, (size_t)n);
    } else {
        va_start(ap, fmt);
        CHECK(vsnprintf(p, (size_t)n + 1, fmt, ap) == n);
        va_end(ap);
    }
    return (struct str){ p, (size_t)n };
}
