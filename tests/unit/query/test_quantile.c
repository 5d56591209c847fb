/* tests/unit/query/test_quantile.c -- quantiles by selection against those of sorted
 * numbers: random ones, many equal ones, rising and falling ones, some of them NaN. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query/aggregate.h"

enum { NUMBERS_MAX = 3000, ROUNDS = 600 };

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* NaN before all numbers. */
static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

static double by_sorting(double phi, double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    double rank = phi * (double)(n - 1), weight = rank - floor(rank);
    size_t lower = (size_t)floor(rank), upper = lower + 1 < n ? lower + 1 : n - 1;
    return v[lower] * (1 - weight) + v[upper] * weight;
}

static double number(uint32_t kind, size_t i)
{
    switch (kind) {
    case 0: return rnd(1000000) / 8.0;
    case 1: return rnd(4);
    case 2: return (double)i;
    case 3: return -(double)i;
    case 4: return rnd(10) ? (double)rnd(100) : (double)NAN;
    case 5: return rnd(50) ? 7.0 : rnd(20);
    default: return rnd(3) ? -HUGE_VAL : rnd(2) ? HUGE_VAL : rnd(9);
    }
}

static void test_random(void **state)
{
    static double v[NUMBERS_MAX], sorted[NUMBERS_MAX];
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        seed = i;
        size_t n = 1 + rnd(rnd(2) ? NUMBERS_MAX : 40);
        double phi = rnd(3) ? rnd(1001) / 1000.0 : rnd(2);
        for (size_t k = 0; k < n; k++)
            v[k] = number((uint32_t)(i % 7), k);
        memcpy(sorted, v, sizeof *v * n);
        double want = by_sorting(phi, sorted, n), got = quantile_of(phi, v, n);
        if (got != want && !(isnan(got) && isnan(want)))
            fail_msg("seed %llu: %zu numbers, %g: %.17g, not %.17g", (unsigned long long)i, n, phi, got, want);
    }
}

static void test_edges(void **state)
{
    (void)state;
    double v[] = { 3, 1, 2 };
    assert_true(isnan(quantile_of(0.5, v, 0)));
    assert_true(isnan(quantile_of(NAN, v, 3)));
    assert_true(quantile_of(-0.1, v, 3) == -INFINITY);
    assert_true(quantile_of(1.1, v, 3) == INFINITY);
    assert_true(quantile_of(0.5, v, 3) == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_edges) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
