/* Arithmetic of native histograms, in the notation of support/hist_text.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>

#include "../../support/hist_text.h"
#include "query/hist.h"

static struct arena mem;

static int setup(void **state)
{
    (void)state;
    arena_init(&mem, 16 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&mem);
    return 0;
}

static struct histogram *read_hist(const char *text)
{
    struct histogram *h = arena_new(&mem, struct histogram, 1);
    if (!hist_from_text(&mem, str_c(text), h))
        fail_msg("no histogram: %s", text);
    return h;
}

static const char *text_of(const struct histogram *h)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_fmt(&b, "schema %d, zero %g ", h->schema, h->zero_threshold);
    hist_text(&b, h);
    const char *s = arena_cstr(&mem, buf_view(&b));
    buf_done(&b);
    return s;
}

/* ---- bounds ---------------------------------------------------------------- */

static const struct { int32_t schema, index; double bound; } bounds[] = {
    { 0, 0, 1 },     { 0, 1, 2 },        { 0, -1, 0.5 },    { 1, 1, M_SQRT2 },  { 1, 2, 2 },        { 1, -1, M_SQRT1_2 },
    { 2, 3, 1.681792830507429 },         { -1, 1, 4 },      { -4, 1, 65536 },   { -4, 0, 1 },       { -4, -1, 1.0 / 65536 },
    { 0, 1023, 0x1p1023 },               { 0, 1024, DBL_MAX },                  { 0, 1025, INFINITY },
    { 8, 256, 2 },   { 8, 262144, DBL_MAX }, { 8, 262145, INFINITY },           { 8, -300000, 0 },  { -4, INT32_MAX, INFINITY },
    { -4, INT32_MIN, 0 },                { 0, -1074, DBL_TRUE_MIN },
};

static void bucket_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(bounds); i++) {
        struct histogram h = { .schema = bounds[i].schema };
        double got = hist_bound(&h, bounds[i].index);
        if (got != bounds[i].bound && fabs(got - bounds[i].bound) > 1e-15 * bounds[i].bound)
            fail_msg("schema %d, bucket %d: %.17g", bounds[i].schema, bounds[i].index, got);
    }
}

/* ---- order ----------------------------------------------------------------- */

static const struct { const char *h, *up; } orders[] = {
    { "schema:0 count:9 sum:1 z_bucket:2 z_bucket_w:0.25 buckets:[1 0 3] n_buckets:[2 1]", "{count:9, sum:1, [-2,-1):1, [-1,-0.5):2, [-0.25,0.25]:2, (0.5,1]:1, (2,4]:3}" },
    { "schema:0 count:2 sum:1 z_bucket:1 z_bucket_w:0.75 buckets:[1]", "{count:2, sum:1, [-0.75,0.75]:1, (0.75,1]:1}" },
    { "schema:-53 count:6 sum:1 custom_values:[-1 5] buckets:[1 2 3]", "{count:6, sum:1, [-Inf,-1]:1, (-1,5]:2, (5,+Inf]:3}" },
    { "schema:3 count:0 sum:0", "{count:0, sum:0}" },
};

/* Downwards is upwards backwards. */
static void order_of_buckets(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(orders); i++) {
        const struct histogram *h = read_hist(orders[i].h);
        const char *got = text_of(h);
        if (!str_ends(str_c(got), str_c(orders[i].up)))
            fail_msg("row %zu: %s", i, got);
        struct hist_iter up = { .h = h }, down = { .h = h, .down = true };
        struct hist_bucket all[16], b;
        uint32_t n = 0;
        while (hist_next(&up, &all[n]))
            n++;
        while (hist_next(&down, &b)) {
            n--;
            if (b.lower != all[n].lower || b.upper != all[n].upper || b.count != all[n].count)
                fail_msg("row %zu: bucket %u differs", i, n);
        }
        assert_int_equal(n, 0);
    }
}

/* ---- sums ------------------------------------------------------------------ */

static const struct { const char *a, *b, *sum; uint32_t remarks; } sums[] = {
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:0 count:3 sum:1 offset:1 buckets:[1 2]", "schema:0 count:6 sum:6 buckets:[1 3 2]", 0 },
    { "schema:0", "schema:0 count:2 sum:1 offset:-5 buckets:[2]", "schema:0 count:2 sum:1 offset:-5 buckets:[2]", 0 },
    { "schema:2 count:4 sum:1 buckets:[1 1 1 1]", "schema:0 count:2 sum:1 offset:1 buckets:[2]", "schema:0 count:6 sum:2 buckets:[1 5]", 0 },
    { "schema:0 count:2 sum:1 offset:1 buckets:[2]", "schema:2 count:4 sum:1 buckets:[1 1 1 1]", "schema:0 count:6 sum:2 buckets:[1 5]", 0 },
    { "schema:0 count:1 sum:1 n_buckets:[1]", "schema:0 count:3 sum:1 n_buckets:[1 0 2]", "schema:0 count:4 sum:2 n_buckets:[2 0 2]", 0 },
    /* zero buckets: b's is wider; its end lies in a populated bucket of a; in an empty one */
    { "schema:0 count:7 sum:1 z_bucket:1 z_bucket_w:0.001 buckets:[2 4]", "schema:0 count:3 sum:1 z_bucket:3 z_bucket_w:1",
      "schema:0 count:10 sum:2 z_bucket:6 z_bucket_w:1 offset:1 buckets:[4]", 0 },
    { "schema:0 count:7 sum:1 z_bucket:1 z_bucket_w:0.001 buckets:[2 4]", "schema:0 count:3 sum:1 z_bucket:3 z_bucket_w:0.75",
      "schema:0 count:10 sum:2 z_bucket:6 z_bucket_w:1 offset:1 buckets:[4]", 0 },
    { "schema:0 count:5 sum:1 z_bucket:1 z_bucket_w:0.001 buckets:[0 4]", "schema:0 count:3 sum:1 z_bucket:3 z_bucket_w:0.75",
      "schema:0 count:8 sum:2 z_bucket:4 z_bucket_w:0.75 offset:1 buckets:[4]", 0 },
    { "schema:0 count:3 sum:1 z_bucket:3 z_bucket_w:0.75", "schema:0 count:7 sum:1 z_bucket:1 z_bucket_w:0.001 buckets:[2] n_buckets:[0 4]",
      "schema:0 count:10 sum:2 z_bucket:6 z_bucket_w:1 n_offset:1 n_buckets:[4]", 0 },
    { "schema:0 count:3 sum:1 z_bucket:3 z_bucket_w:0.75", "schema:0 count:7 sum:1 z_bucket:1 z_bucket_w:0.001 offset:1 buckets:[2] n_buckets:[4]",
      "schema:0 count:10 sum:2 z_bucket:8 z_bucket_w:1 offset:1 buckets:[2]", 0 },
    /* custom bounds */
    { "schema:-53 count:3 sum:1 custom_values:[1 2] buckets:[1 1 1]", "schema:-53 count:3 sum:1 custom_values:[1 2] buckets:[0 1 2]",
      "schema:-53 count:6 sum:2 custom_values:[1 2] buckets:[1 2 3]", 0 },
    { "schema:-53 count:4 sum:1 custom_values:[1 2 3] buckets:[1 1 1 1]", "schema:-53 count:3 sum:1 custom_values:[2 4] buckets:[1 1 1]",
      "schema:-53 count:7 sum:2 custom_values:[2] buckets:[3 4]", HIST_RECONCILED },
    { "schema:-53 count:2 sum:1 custom_values:[1] buckets:[1 1]", "schema:-53 count:2 sum:1 custom_values:[2] buckets:[1 1]",
      "schema:-53 count:4 sum:2 buckets:[4]", HIST_RECONCILED },
    { "schema:0 count:1 sum:1 buckets:[1]", "schema:-53 count:1 sum:1 custom_values:[2] buckets:[1]", NULL, HIST_INCOMPATIBLE },
    /* hints */
    { "schema:0 counter_reset_hint:reset", "schema:0 counter_reset_hint:not_reset", "schema:0", HIST_COLLISION },
    { "schema:0 counter_reset_hint:reset", "schema:0 counter_reset_hint:gauge", "schema:0 counter_reset_hint:gauge", 0 },
    { "schema:0 counter_reset_hint:reset", "schema:0", "schema:0", 0 },
};

static void additions(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(sums); i++) {
        struct histogram *a = hist_copy(&mem, read_hist(sums[i].a));
        const struct histogram *b = read_hist(sums[i].b), *again = hist_copy(&mem, b);
        uint32_t remarks = 0;
        bool ok = hist_add(&mem, a, b, &remarks);
        if (ok != (sums[i].sum != NULL) || remarks != sums[i].remarks)
            fail_msg("row %zu: %d, remarks %u", i, ok, remarks);
        if (!ok)
            continue;
        const struct histogram *want = read_hist(sums[i].sum);
        if (!hist_close(mem, a, want) || a->hint != want->hint || !hist_equal(b, again))
            fail_msg("row %zu: %s", i, text_of(a));
        /* What was added goes again, as far as schemas and zero buckets allow. */
        remarks = 0;
        assert_true(hist_sub(&mem, a, b, &remarks));
        if (a->count != read_hist(sums[i].a)->count)
            fail_msg("row %zu: after subtraction %s", i, text_of(a));
    }
}

/* Many small ones onto a large one, and a mean of what cannot be summed up. */
static void compensated(void **state)
{
    (void)state;
    struct hist_sum s = { 0 }, m = { .mean = true };
    assert_true(hist_sum_add(&mem, &s, read_hist("schema:0 count:1e16 sum:1e16 buckets:[1e16]")));
    for (int i = 0; i < 1000; i++)
        assert_true(hist_sum_add(&mem, &s, read_hist("schema:1 count:1 sum:1 offset:-1 buckets:[1]")));
    const struct histogram *h = hist_sum_end(&mem, &s);
    assert_true(h->count == 1e16 + 1000 && h->sum == 1e16 + 1000 && h->pos.n == 1 && h->pos.count[0] == 1e16 + 1000);
    for (int i = 0; i < 4; i++)
        assert_true(hist_sum_add(&mem, &m, read_hist("schema:0 count:1.5e308 sum:1.5e308 buckets:[1.5e308 1]")));
    h = hist_sum_end(&mem, &m);
    assert_true(m.stepwise);
    assert_true(fabs(h->count / 1.5e308 - 1) < 1e-12 && fabs(h->pos.count[1] - 1) < 1e-12);
}

/* ---- resets ---------------------------------------------------------------- */

static const struct { const char *before, *now; bool reset; } resets[] = {
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:0 count:3 sum:5 buckets:[1 2]", false },
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:0 count:4 sum:1 buckets:[1 2 1]", false },
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:0 count:2 sum:5 buckets:[1 1]", true },
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:0 count:5 sum:5 buckets:[0 5]", true },
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:0 count:5 sum:5 buckets:[5]", true },
    { "schema:0 count:3 sum:5 buckets:[3 0]", "schema:0 count:5 sum:5 buckets:[5]", false },
    { "schema:1 count:3 sum:5 buckets:[1 2]", "schema:0 count:3 sum:5 buckets:[1 2]", false },
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:1 count:9 sum:5 buckets:[1 8]", true },
    { "schema:0 count:3 sum:5 z_bucket:1 z_bucket_w:0.5 buckets:[0 2]", "schema:0 count:3 sum:5 z_bucket:1 z_bucket_w:1 offset:1 buckets:[2]", false },
    { "schema:0 count:3 sum:5 z_bucket:1 z_bucket_w:1 offset:1 buckets:[2]", "schema:0 count:3 sum:5 z_bucket:1 z_bucket_w:0.5 offset:1 buckets:[2]", true },
    { "schema:0 count:3 sum:5 z_bucket:1 z_bucket_w:0.5 buckets:[2]", "schema:0 count:9 sum:5 z_bucket:9 z_bucket_w:0.75", true },
    { "schema:0 count:3 sum:5 n_buckets:[1 2]", "schema:0 count:3 sum:5 n_buckets:[2 1]", true },
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:0 count:3 sum:5 buckets:[1 2] counter_reset_hint:reset", true },
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:0 count:1 sum:5 buckets:[1] counter_reset_hint:not_reset", false },
    { "schema:-53 count:3 sum:5 custom_values:[1] buckets:[1 2]", "schema:-53 count:4 sum:5 custom_values:[1] buckets:[1 3]", false },
    { "schema:-53 count:3 sum:5 custom_values:[1] buckets:[1 2]", "schema:-53 count:4 sum:5 custom_values:[1] buckets:[0 4]", true },
    { "schema:-53 count:3 sum:5 custom_values:[1 2] buckets:[1 1 1]", "schema:-53 count:4 sum:5 custom_values:[2 3] buckets:[2 1 1]", false },
    { "schema:-53 count:3 sum:5 custom_values:[1 2] buckets:[1 1 1]", "schema:-53 count:4 sum:5 custom_values:[2 3] buckets:[1 1 2]", true },
    { "schema:0 count:3 sum:5 buckets:[1 2]", "schema:-53 count:4 sum:5 custom_values:[2] buckets:[4]", true },
};

static void counter_resets(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(resets); i++)
        if (hist_is_reset(mem, read_hist(resets[i].now), read_hist(resets[i].before)) != resets[i].reset)
            fail_msg("row %zu: not so", i);
}

/* ---- figures --------------------------------------------------------------- */

static const struct { const char *h; double q, quantile; uint32_t nans; } quantiles[] = {
    { "schema:0 count:4 sum:1 buckets:[2 2]", 0.5, 1, 0 },
    { "schema:0 count:4 sum:1 buckets:[2 2]", 0, 0.5, 0 },
    { "schema:0 count:4 sum:1 buckets:[2 2]", 0.75, M_SQRT2, 0 },
    { "schema:0 count:4 sum:1 n_buckets:[2 2]", 0.25, -M_SQRT2, 0 },
    { "schema:0 count:4 sum:1 n_buckets:[4]", 1, -0.5, 0 },
    { "schema:0 count:4 sum:1 z_bucket:4 z_bucket_w:2", 0.25, -1, 0 },
    { "schema:0 count:4 sum:1 z_bucket:2 z_bucket_w:0.5 buckets:[2]", 0.25, 0.25, 0 },
    { "schema:0 count:4 sum:1 z_bucket:2 z_bucket_w:0.5 n_buckets:[2]", 0.75, -0.25, 0 },
    { "schema:-53 count:4 sum:1 custom_values:[2 4] buckets:[2 2]", 0.25, 1, 0 },
    { "schema:-53 count:4 sum:1 custom_values:[2 4] buckets:[2 0 2]", 0.9, 4, 0 },
    { "schema:-53 count:4 sum:1 custom_values:[-2 4] buckets:[4]", 0.5, -2, 0 },
    { "schema:0 count:0 sum:0", 0.5, NAN, 0 },
    { "schema:0 count:4 sum:1 buckets:[4]", -1, -INFINITY, 0 },
    { "schema:0 count:4 sum:1 buckets:[4]", 2, INFINITY, 0 },
    { "schema:0 count:4 sum:1 buckets:[4]", NAN, NAN, 0 },
    { "schema:0 count:4 sum:NaN buckets:[2]", 0.9, NAN, HIST_NAN_RESULT },
    { "schema:0 count:4 sum:NaN buckets:[2]", 0.5, 1, HIST_NAN_SKEW },
    { "schema:0 count:4 sum:NaN buckets:[4]", 0.5, M_SQRT1_2, 0 },
};

static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b || fabs(a - b) < 1e-12;
}

static void figures(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(quantiles); i++) {
        uint32_t nans = 0;
        double got = hist_quantile(read_hist(quantiles[i].h), quantiles[i].q, &nans);
        if (!same(got, quantiles[i].quantile) || nans != quantiles[i].nans)
            fail_msg("row %zu: %.17g, %u", i, got, nans);
    }
    /* The fraction below a quantile is what the quantile was asked for. */
    const struct histogram *h = read_hist("schema:1 count:20 sum:3 z_bucket:3 z_bucket_w:0.25 buckets:[1 2 3 1] n_buckets:[4 6]");
    for (double q = 0.05; q < 1; q += 0.05) {
        uint32_t nans = 0;
        double v = hist_quantile(h, q, &nans), back = hist_fraction(h, -INFINITY, v, &nans);
        if (fabs(back - q) > 1e-9)
            fail_msg("quantile %g is %g, below which is %g", q, v, back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bucket_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(order_of_buckets, setup, teardown),
        cmocka_unit_test_setup_teardown(additions, setup, teardown),
        cmocka_unit_test_setup_teardown(compensated, setup, teardown),
        cmocka_unit_test_setup_teardown(counter_resets, setup, teardown),
        cmocka_unit_test_setup_teardown(figures, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
