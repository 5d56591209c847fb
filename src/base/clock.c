/* base/clock.c -- the system's clocks. */
#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    CHECK(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t system_now(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_MONOTONIC);
}

void clock_cond_init(pthread_cond_t *c)
{
#ifdef __APPLE__                                   /* which knows relative waits instead */
    CHECK(pthread_cond_init(c, NULL) == 0);
#else
    pthread_condattr_t how;
    CHECK(pthread_condattr_init(&how) == 0 && pthread_condattr_setclock(&how, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(c, &how) == 0 && pthread_condattr_destroy(&how) == 0);
#endif
}

void clock_deadline(int64_t ns, struct timespec *ret)
{
    int64_t now = read_clock(CLOCK_MONOTONIC), at;
    if (__builtin_add_overflow(now, MAX(ns, (int64_t)0), &at))
        at = INT64_MAX;
    *ret = (struct timespec){ .tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S) };
}

int clock_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
#ifdef __APPLE__
    int64_t left = (int64_t)until->tv_sec * NS_PER_S + until->tv_nsec - read_clock(CLOCK_MONOTONIC);
    left = MAX(left, (int64_t)0);
    struct timespec rest = { .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S) };
    return pthread_cond_timedwait_relative_np(c, m, &rest);
#else
    return pthread_cond_timedwait(c, m, until);
#endif
}

const struct clock clock_system = { system_now, system_mono, NULL };
