/* store/crew.c -- see crew.h. A loop is a counter that caller and helpers take steps from. */
#include "store/crew.h"

#include <pthread.h>
#include <stdatomic.h>

enum { HELPERS_MAX = 3 };                          /* more would wait for memory, not for each other */

struct loop {
    void (*step)(void *arg, uint32_t i);
    void *arg;
    uint32_t n;
    _Atomic uint32_t next;
    uint32_t helpers;                              /* under the crew's lock: those that are in it */
};

struct crew {
    pthread_mutex_t lock;                          /* all below */
    pthread_cond_t work, done;
    struct loop *loop;                             /* NULL: none */
    uint64_t nloops;                               /* counts up; a helper joins each at most once */
    uint32_t want, started;
    bool stopping;
    pthread_t threads[HELPERS_MAX];
};

struct crew *crew_new(uint32_t helpers)
{
    struct crew *c = mem_alloc(sizeof *c);
    c->want = MIN(helpers, (uint32_t)HELPERS_MAX);
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
    CHECK(pthread_cond_init(&c->work, NULL) == 0);
    CHECK(pthread_cond_init(&c->done, NULL) == 0);
    return c;
}

static void lock(struct crew *c)
{
    CHECK(pthread_mutex_lock(&c->lock) == 0);
}

static void unlock(struct crew *c)
{
    CHECK(pthread_mutex_unlock(&c->lock) == 0);
}

static void take_steps(struct loop *l)
{
    for (uint32_t i; (i = atomic_fetch_add(&l->next, 1)) < l->n;)
        l->step(l->arg, i);
}

static void *helper(void *arg)
{
    struct crew *c = arg;
    uint64_t seen = 0;
    lock(c);
    for (;;) {
        while (!c->stopping && (!c->loop || c->nloops == seen))
            CHECK(pthread_cond_wait(&c->work, &c->lock) == 0);
        if (c->stopping)
            break;
        struct loop *l = c->loop;
        seen = c->nloops;
        l->helpers++;
        unlock(c);
        take_steps(l);
        lock(c);
        if (--l->helpers == 0)
            CHECK(pthread_cond_signal(&c->done) == 0);
    }
    unlock(c);
    return NULL;
}

/* Under the lock. A helper that cannot be started is done without. */
static void start_helpers(struct crew *c)
{
    while (c->started < c->want && pthread_create(&c->threads[c->started], NULL, helper, c) == 0)
        c->started++;
    c->want = c->started;
}

void crew_run(struct crew *c, uint32_t n, void (*step)(void *arg, uint32_t i), void *arg)
{
    struct loop l = { .step = step, .arg = arg, .n = n };
    lock(c);
    bool mine = n > 1 && c->want && !c->loop && !c->stopping;
    if (mine) {
        start_helpers(c);
        c->loop = &l;
        c->nloops++;
        CHECK(pthread_cond_broadcast(&c->work) == 0);
    }
    unlock(c);
    take_steps(&l);
    if (!mine)
        return;
    lock(c);
    c->loop = NULL;                                /* nobody joins any more */
    while (l.helpers)
        CHECK(pthread_cond_wait(&c->done, &c->lock) == 0);
    unlock(c);
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    lock(c);
    CHECK(!c->loop);
    c->stopping = true;
    CHECK(pthread_cond_broadcast(&c->work) == 0);
    unlock(c);
    for (uint32_t i = 0; i < c->started; i++)
        CHECK(pthread_join(c->threads[i], NULL) == 0);
    CHECK(pthread_cond_destroy(&c->done) == 0);
    CHECK(pthread_cond_destroy(&c->work) == 0);
    CHECK(pthread_mutex_destroy(&c->lock) == 0);
    mem_free(c);
}
