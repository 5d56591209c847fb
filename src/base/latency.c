/* base/latency.c -- see latency.h. */
#include "base/latency.h"

#define MS INT64_C(1000000)

const int64_t latency_bounds_ns[LATENCY_BUCKETS] = {
    MS / 2, MS, 5 * MS / 2, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS,
    1000 * MS, 2500 * MS, 5000 * MS, 10000 * MS, 30000 * MS,
};

void latency_add(struct latency *l, int64_t ns)
{
    uint32_t i = 0;
    while (i < LATENCY_BUCKETS && ns > latency_bounds_ns[i])
        i++;
    atomic_fetch_add_explicit(&l->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&l->sum_ns, (unsigned long long)MAX(ns, INT64_C(0)), memory_order_relaxed);
}
