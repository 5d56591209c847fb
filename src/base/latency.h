/* base/latency.h -- how long something takes, counted in buckets.
 *
 * Threads:  any number may add; a reader sees each number whole, not all of one moment.
 * Units:    ns. All-zero is empty.
 */
#pragma once
#include <stdatomic.h>

#include "base/base.h"

enum { LATENCY_BUCKETS = 15 };
extern const int64_t latency_bounds_ns[LATENCY_BUCKETS];   /* inclusive, ascending: half a millisecond to 30 s */

struct latency {
    atomic_ullong counts[LATENCY_BUCKETS + 1];     /* the last: longer than all bounds */
    atomic_ullong sum_ns;
};

void latency_add(struct latency *l, int64_t ns);
