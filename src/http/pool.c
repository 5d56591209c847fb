/* http/pool.c -- see pool.h. */
#include "http/pool.h"

#include <pthread.h>
#include <string.h>

#include "http/limits.h"

struct pool {
    void (*run)(struct pool_item *i);
    uint32_t threads, started, limit;
    pthread_t thread[HTTP_POOL_MAX];

    pthread_mutex_t lock;                          /* of all below */
    pthread_cond_t some;
    struct pool_item *first, **last;
    uint32_t waiting;
    bool stopped;
};

struct pool *pool_new(uint32_t threads, uint32_t limit, void (*run)(struct pool_item *i))
{
    CHECK(threads > 0 && threads <= HTTP_POOL_MAX && limit > 0);
    struct pool *p = mem_alloc(sizeof(*p));
    p->run = run;
    p->threads = threads;
    p->limit = limit;
    p->last = &p->first;
    CHECK(pthread_mutex_init(&p->lock, NULL) == 0);
    CHECK(pthread_cond_init(&p->some, NULL) == 0);
    return p;
}

/* The next item; NULL once stopped and empty. */
static struct pool_item *take(struct pool *p)
{
    CHECK(pthread_mutex_lock(&p->lock) == 0);
    while (!p->first && !p->stopped)
        CHECK(pthread_cond_wait(&p->some, &p->lock) == 0);
    struct pool_item *i = p->first;
    if (i) {
        p->first = i->next;
        if (!p->first)
            p->last = &p->first;
        p->waiting--;
    }
    CHECK(pthread_mutex_unlock(&p->lock) == 0);
    return i;
}

static void *pool_main(void *arg)
{
    struct pool *p = arg;
    for (struct pool_item *i; (i = take(p));)
        p->run(i);
    return NULL;
}

enum err pool_start(struct pool *p, struct fault *f)
{
    while (p->started < p->threads) {
        int rc = pthread_create(&p->thread[p->started], NULL, pool_main, p);
        if (rc)
            return fault_set(f, E_IO, 0, "cannot start a pool thread: %s", strerror(rc));
        p->started++;
    }
    return OK;
}

bool pool_submit(struct pool *p, struct pool_item *i)
{
    i->next = NULL;
    CHECK(pthread_mutex_lock(&p->lock) == 0);
    bool ok = !p->stopped && p->waiting < p->limit;
    if (ok) {
        *p->last = i;
        p->last = &i->next;
        p->waiting++;
        CHECK(pthread_cond_signal(&p->some) == 0);
    }
    CHECK(pthread_mutex_unlock(&p->lock) == 0);
    return ok;
}

void pool_stop(struct pool *p)
{
    CHECK(pthread_mutex_lock(&p->lock) == 0);
    p->stopped = true;
    CHECK(pthread_cond_broadcast(&p->some) == 0);
    CHECK(pthread_mutex_unlock(&p->lock) == 0);
    while (p->started)
        CHECK(pthread_join(p->thread[--p->started], NULL) == 0);
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pool_stop(p);
    CHECK(!p->first);
    CHECK(pthread_mutex_destroy(&p->lock) == 0);
    CHECK(pthread_cond_destroy(&p->some) == 0);
    mem_free(p);
}
