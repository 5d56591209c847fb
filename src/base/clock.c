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

void clock_deadline(int64_t ns, struct timespec *ret)
{
    int64_t now = read_clock(CLOCK_REALTIME), at;
    if (__builtin_add_overflow(now, MAX(ns, (int64_t)0), &at))
        at = INT64_MAX;
    *ret = (struct timespec){ .tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S) };
}

const struct clock clock_system = { system_now, system_mono, NULL };
