/* base/clock.h -- time, passed in so that tests own it. Unix ns, and a monotonic ns. */
#pragma once
#include "base/base.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_DAY (INT64_C(86400) * NS_PER_S)

struct clock {
    int64_t (*now)(void *arg);                     /* wall time, Unix ns */
    int64_t (*mono)(void *arg);                    /* monotonic ns */
    void *arg;
};

struct timespec;
/* `ns` from now on the system's wall clock, as pthread_cond_timedwait() wants it. */
void clock_deadline(int64_t ns, struct timespec *ret);

extern const struct clock clock_system;
static inline int64_t clock_now(const struct clock *c) { return c->now(c->arg); }
static inline int64_t clock_mono(const struct clock *c) { return c->mono(c->arg); }
