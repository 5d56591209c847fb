/* base/mem.c -- heap memory that is never NULL. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static void *must(void *p, size_t n)
{
    if (!p) {
        (void)fprintf(stderr, "out of memory: %zu bytes\n", n);
        abort();
    }
    return p;
}

void *mem_alloc(size_t n)
{
    return must(calloc(1, n ? n : 1), n);
}

void *mem_resize(void *p, size_t n)
{
    return must(realloc(p, n ? n : 1), n);
}

void mem_free(void *p)
{
    free(p);
}

void mem_freep(void *pp)
{
    void **p = pp;
    free(*p);
    *p = NULL;
}

/* glibc trims the end of its first heap only: threads that have heaps of their own would
 * each keep tens of MB after one large query. */
void mem_begin(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, 1);
#endif
}

void mem_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

void *mem_pages(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

void mem_pages_empty(void *p, size_t n)
{
#ifdef __linux__
    CHECK(!madvise(p, n, MADV_DONTNEED));
#else
    /* Elsewhere it may keep the old bytes; mapping anew gives zeros. */
    CHECK(mmap(p, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_FIXED, -1, 0) == p);
#endif
}

void mem_pages_free(void *p, size_t n)
{
    if (p)
        CHECK(!munmap(p, n));
}
