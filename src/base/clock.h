/* base/clock.h -- time, passed in so that tests own it. Unix ns, and a monotonic ns. */
#pragma once
#include <pthread.h>

#include "base/base.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_DAY (INT64_C(86400) * NS_PER_S)

struct clock {
    int64_t (*now)(void *arg);                     /* wall time, Unix ns */
    int64_t (*mono)(void *arg);                    /* monotonic ns */
    void *arg;
};

/* Waiting with a deadline goes by the monotonic clock: one that waited by the wall clock would sleep
 * for days when that is set back by days. Only for conditions of clock_cond_init(). */
struct timespec;
void clock_cond_init(pthread_cond_t *c);
void clock_deadline(int64_t ns, struct timespec *ret);     /* `ns` from now */
int clock_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);   /* as pthread_cond_timedwait() */

extern const struct clock clock_system;
static inline int64_t clock_now(const struct clock *c) { return c->now(c->arg); }
static inline int64_t clock_mono(const struct clock *c) { return c->mono(c->arg); }
