/* tests/unit/base/test_latency.c -- bounds belong to their bucket, what is longer to the last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/latency.h"

static void test_buckets(void **state)
{
    (void)state;
    struct latency l = { .sum_ns = 0 };
    latency_add(&l, -1);                           /* a clock that was set back */
    latency_add(&l, 0);
    latency_add(&l, latency_bounds_ns[0]);
    latency_add(&l, latency_bounds_ns[0] + 1);
    latency_add(&l, latency_bounds_ns[LATENCY_BUCKETS - 1]);
    latency_add(&l, latency_bounds_ns[LATENCY_BUCKETS - 1] + 1);
    assert_int_equal(atomic_load(&l.counts[0]), 3);
    assert_int_equal(atomic_load(&l.counts[1]), 1);
    assert_int_equal(atomic_load(&l.counts[LATENCY_BUCKETS - 1]), 1);
    assert_int_equal(atomic_load(&l.counts[LATENCY_BUCKETS]), 1);
    assert_int_equal(atomic_load(&l.sum_ns), 2 * (latency_bounds_ns[0] + latency_bounds_ns[LATENCY_BUCKETS - 1]) + 2);
    for (uint32_t i = 1; i < LATENCY_BUCKETS; i++)
        assert_true(latency_bounds_ns[i] > latency_bounds_ns[i - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_buckets) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
