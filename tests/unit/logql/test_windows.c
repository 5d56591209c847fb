/* tests/unit/logql/test_windows.c -- windows against the naive reading of their
 * definition: for each step, all points in (t - range, t]. Random points, steps,
 * ranges and orders, one by one and in blocks; the seed of a failure is printed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "logql/windows.h"

enum { POINTS_MAX = 60, SERIES = 3, ROUNDS = 3000 };

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

struct given {
    struct point p;
    uint32_t series;
};

static int by_time(const void *a, const void *b)
{
    const struct given *x = a, *y = b;
    return (x->p.t > y->p.t) - (x->p.t < y->p.t);
}

/* The answer as it is defined. `at` is sorted by time. */
static double naive(const struct windows *w, const struct given *at, uint32_t n, uint32_t series, uint32_t k)
{
    struct point in[POINTS_MAX];
    double scratch[POINTS_MAX], sum = 0;
    size_t count = 0;
    int64_t end = w->start_ns + (int64_t)k * w->step_ns;
    for (uint32_t i = 0; i < n; i++)
        if (at[i].series == series && at[i].p.t > end - w->range_ns && at[i].p.t <= end) {
            in[count++] = at[i].p;
            sum += at[i].p.v;
        }
    if (!count)
        return value_absent();
    if (!w->op->adds)
        return w->op->fold(&(struct window){ in, count, end, w->range_ns, w->param, scratch });
    if (w->op->mean)
        sum /= (double)count;
    return w->op->per_second ? sum / ((double)w->range_ns / 1e9) : sum;
}

static bool close_to(double a, double b)
{
    if (value_is_absent(a) || value_is_absent(b))
        return value_is_absent(a) && value_is_absent(b);
    return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * fmax(1, fmax(fabs(a), fabs(b)));
}

/* ---- in blocks --------------------------------------------------------------------------- */

struct given_rows {
    const struct given *at;
    const uint32_t *rows;
    uint32_t flip;                                 /* groups are the series in another order */
};

static void give_groups(void *arg, uint32_t from, uint32_t n, uint32_t *ret)
{
    const struct given_rows *g = arg;
    for (uint32_t i = 0; i < n; i++)
        ret[i] = g->at[g->rows ? g->rows[from + i] : from + i].series ^ g->flip;
}

static void give_values(void *arg, uint32_t from, uint32_t n, double *ret)
{
    const struct given_rows *g = arg;
    for (uint32_t i = 0; i < n; i++)
        ret[i] = g->at[g->rows ? g->rows[from + i] : from + i].p.v;
}

static uint32_t give_series(void *arg, uint32_t group)
{
    return group ^ ((const struct given_rows *)arg)->flip;
}

/* Random stretches, as a whole or with their rows listed. */
static void add_blocks(struct windows *w, const struct given *at, uint32_t n, bool counts, struct arena scratch)
{
    struct fault f = { 0 };
    for (uint32_t from = 0; from < n;) {
        uint32_t rows[POINTS_MAX], some = 1 + rnd(n - from);
        int64_t times[POINTS_MAX];
        for (uint32_t i = 0; i < some; i++) {
            rows[i] = i;
            times[i] = at[from + i].p.t;
        }
        struct given_rows g = { at + from, rnd(2) ? rows : NULL, rnd(4) };
        struct wrows r = {
            .time = times, .rows = g.rows, .n = some, .ngroups = 4, .groups = give_groups,
            .values = counts ? NULL : give_values, .series = give_series, .arg = &g,
        };
        assert_int_equal(windows_add_rows(w, &r, scratch, &f), OK);
        from += some;
    }
}

static bool round_is_right(struct str op, bool in_blocks)
{
    struct arena mem;
    arena_init(&mem, 64u << 20);
    struct query_ctx ctx = { .mem = &mem, .clock = &clock_system };
    struct windows w = {
        .ctx = &ctx, .op = range_op_find(op), .start_ns = rnd(100), .step_ns = 1 + rnd(30), .range_ns = 1 + rnd(60),
        .n = 1 + rnd(12), .param = rnd(11) / 10.0,
    };
    struct given at[POINTS_MAX];
    uint32_t n = 0;
    int64_t from, to;
    bool sorted = rnd(2);
    windows_span(&w, &from, &to);
    for (uint32_t i = rnd(POINTS_MAX); i > 0; i--) {
        int64_t t = from - 10 + (int64_t)rnd((uint32_t)(to - from) + 20);
        if (windows_have(&w, t))
            at[n++] = (struct given){ { t, rnd(1000) / 8.0 }, rnd(SERIES) };
    }
    for (uint32_t i = 0; i < n; i++)               /* equal at one moment: their order is open */
        for (uint32_t k = 0; k < i; k++)
            if (at[k].p.t == at[i].p.t)
                at[i].p.v = at[k].p.v;
    if (sorted)
        qsort(at, n, sizeof *at, by_time);
    struct fault f = { 0 };
    struct labels labels[SERIES];
    for (uint32_t i = 0; i < SERIES; i++) {
        struct label *l = arena_new(&mem, struct label, 1);
        *l = (struct label){ S("s"), arena_fmt(&mem, "%u", i) };
        labels[i] = (struct labels){ l, 1 };
    }
    bool counts = str_eq(op, S("count_over_time"));
    struct arena scratch;
    arena_init(&scratch, 1u << 20);
    for (uint32_t i = 0; i < n && counts; i++)
        at[i].p.v = 1;
    if (in_blocks)
        add_blocks(&w, at, n, counts, scratch);
    for (uint32_t i = 0; i < n && !in_blocks; i++)
        assert_int_equal(windows_add(&w, at[i].series, at[i].p.t, at[i].p.v, &f), OK);
    arena_done(&scratch);
    struct vec got = { 0 };
    assert_int_equal(windows_result(&w, labels, &got, &f), OK);
    qsort(at, n, sizeof *at, by_time);
    bool right = true;
    for (uint32_t s = 0; s < SERIES; s++)
        for (uint32_t k = 0; k < w.n; k++) {
            double have = value_absent(), want = naive(&w, at, n, s, k);
            for (uint32_t i = 0; i < got.n; i++)
                if (labels_eq(got.at[i].labels, labels[s]))
                    have = tser_at(&got.at[i], k);
            if (!close_to(have, want)) {
                print_message(STR_FMT ": step %u of %u (start %lld step %lld range %lld): %g, not %g\n", STR_ARG(op), k, w.n,
                              (long long)w.start_ns, (long long)w.step_ns, (long long)w.range_ns, have, want);
                right = false;
            }
        }
    arena_done(&mem);
    return right;
}

static void test_random(void **state)
{
    static const struct str ops[] = {
        S("count_over_time"), S("rate"), S("sum_over_time"), S("avg_over_time"), S("min_over_time"), S("max_over_time"),
        S("quantile_over_time"), S("stddev_over_time"), S("rate_counter"), S("first_over_time"), S("last_over_time"),
    };
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        seed = i;
        if (!round_is_right(ops[i % LEN(ops)], i / LEN(ops) % 2)) {
            print_message("seed %llu\n", (unsigned long long)i);
            fail();
        }
    }
}

/* What has left a window leaves no rounding error behind. */
static void test_rounding(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 64u << 20);
    struct query_ctx ctx = { .mem = &mem, .clock = &clock_system };
    struct windows w = { .ctx = &ctx, .op = range_op_find(S("sum_over_time")), .start_ns = 0, .step_ns = 1, .range_ns = 3, .n = 10 };
    struct fault f = { 0 };
    struct vec got = { 0 };
    struct labels none = { 0 };
    assert_int_equal(windows_add(&w, 0, 0, 1e17, &f), OK);
    assert_int_equal(windows_add(&w, 0, 2, 0.1, &f), OK);
    assert_int_equal(windows_add(&w, 0, 4, 0.2, &f), OK);
    assert_int_equal(windows_result(&w, &none, &got, &f), OK);
    assert_int_equal(got.n, 1);
    assert_true(tser_at(&got.at[0], 3) == 0.1);
    assert_true(fabs(tser_at(&got.at[0], 4) - 0.3) < 1e-15);
    assert_true(tser_at(&got.at[0], 6) == 0.2);
    assert_true(value_is_absent(tser_at(&got.at[0], 7)));
    arena_done(&mem);
}

/* A series of many points out of order is sorted by digits. */
static void test_many(void **state)
{
    enum { MANY = 5000 };
    (void)state;
    struct arena mem;
    arena_init(&mem, 64u << 20);
    struct query_ctx ctx = { .mem = &mem, .clock = &clock_system };
    struct windows w = {
        .ctx = &ctx, .op = range_op_find(S("rate_counter")), .start_ns = MANY * NS_PER_S, .step_ns = NS_PER_S,
        .range_ns = 2 * MANY * NS_PER_S, .n = 1,
    };
    struct fault f = { 0 };
    struct vec got = { 0 };
    struct labels none = { 0 };
    for (uint32_t i = 0; i < MANY; i++) {          /* a counter that grows by one a second, in a scattered order */
        uint32_t k = i * 7919u % MANY;
        assert_int_equal(windows_add(&w, 0, k * NS_PER_S, 1000 + k, &f), OK);
    }
    assert_int_equal(windows_result(&w, &none, &got, &f), OK);
    assert_int_equal(got.n, 1);
    double rate = tser_at(&got.at[0], 0) * 2 * MANY; /* extrapolated by a second and a half at the most */
    assert_true(rate > MANY - 2 && rate < MANY + 2);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_rounding), cmocka_unit_test(test_many) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
