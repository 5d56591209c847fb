/* store/crew.c -- see crew.h. A loop is a counter that caller and helpers take steps from;
 * tasks stand in a list, the oldest first. */
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
    pthread_cond_t work, done, task_done;
    struct loop *loop;                             /* NULL: none */
    struct crew_task *first, *last;                /* those that wait */
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
    CHECK(pthread_cond_init(&c->task_done, NULL) == 0);
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

/* Under the lock, which is let go meanwhile. */
static void join_loop(struct crew *c, struct loop *l)
{
    l->helpers++;
    unlock(c);
    take_steps(l);
    lock(c);
    if (--l->helpers == 0)
        CHECK(pthread_cond_broadcast(&c->done) == 0);
}

static void do_task(struct crew *c, struct crew_task *t)
{
    c->first = t->next;
    if (!c->first)
        c->last = NULL;
    t->state = TASK_RUNS;
    unlock(c);
    t->do_it(t->arg);
    lock(c);
    t->state = TASK_DONE;
    CHECK(pthread_cond_broadcast(&c->task_done) == 0);
}

static void *helper(void *arg)
{
    struct crew *c = arg;
    uint64_t seen = 0;
    lock(c);
    while (!c->stopping) {
        if (c->loop && c->nloops != seen) {
            seen = c->nloops;
            join_loop(c, c->loop);
        } else if (c->first) {
            do_task(c, c->first);
        } else {
            CHECK(pthread_cond_wait(&c->work, &c->lock) == 0);
        }
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

/* ---- work ahead ---------------------------------------------------------------- */

bool crew_ahead(struct crew *c, struct crew_task *t)
{
    lock(c);
    if (c->want)
        start_helpers(c);
    bool can = c->want && !c->stopping;
    if (can) {
        t->state = TASK_WAITS;
        t->next = NULL;
        *(c->last ? &c->last->next : &c->first) = t;
        c->last = t;
        CHECK(pthread_cond_signal(&c->work) == 0);
    }
    unlock(c);
    return can;
}

/* Under the lock: off the list, if it still waits there. */
static bool take_back(struct crew *c, struct crew_task *t)
{
    if (t->state != TASK_WAITS)
        return false;
    struct crew_task **at = &c->first, *before = NULL;
    while (*at != t) {
        before = *at;
        at = &before->next;
    }
    *at = t->next;
    if (c->last == t)
        c->last = before;
    t->state = TASK_IDLE;
    return true;
}

bool crew_unneeded(struct crew *c, struct crew_task *t)
{
    lock(c);
    bool back = take_back(c, t);
    while (t->state == TASK_RUNS)
        CHECK(pthread_cond_wait(&c->task_done, &c->lock) == 0);
    unlock(c);
    return !back;
}

void crew_needed(struct crew *c, struct crew_task *t)
{
    if (!crew_unneeded(c, t))
        t->do_it(t->arg);
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    lock(c);
    CHECK(!c->loop && !c->first);
    c->stopping = true;
    CHECK(pthread_cond_broadcast(&c->work) == 0);
    unlock(c);
    for (uint32_t i = 0; i < c->started; i++)
        CHECK(pthread_join(c->threads[i], NULL) == 0);
    CHECK(pthread_cond_destroy(&c->task_done) == 0);
    CHECK(pthread_cond_destroy(&c->done) == 0);
    CHECK(pthread_cond_destroy(&c->work) == 0);
    CHECK(pthread_mutex_destroy(&c->lock) == 0);
    mem_free(c);
}
