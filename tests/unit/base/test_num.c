/* Numbers as text: rows as Go prints them, and a seeded random sweep in which
 * every result has to read back and no shorter digits may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.c"

static const struct { double v; const char *f, *g; } rows[] = {
    { 0, "0", "0" },
    { -0.0, "-0", "-0" },
    { 1, "1", "1" },
    { -1.5, "-1.5", "-1.5" },
    { 100000, "100000", "100000" },
    { 200000, "200000", "200000" },
    { 1000000, "1000000", "1e+06" },
    { 1234567, "1234567", "1.234567e+06" },
    { 0.1, "0.1", "0.1" },
    { 0.0001, "0.0001", "0.0001" },
    { 0.00001, "0.00001", "1e-05" },
    { 1e-7, "0.0000001", "1e-07" },
    { 0.080115, "0.080115", "0.080115" },
    { 1.0 / 3, "0.3333333333333333", "0.3333333333333333" },
    { 2.0 / 3, "0.6666666666666666", "0.6666666666666666" },
    { 0.1 + 0.2, "0.30000000000000004", "0.30000000000000004" },
    { 9007199254740991.0, "9007199254740991", "9.007199254740991e+15" },
    { 9007199254740993.0, "9007199254740992", "9.007199254740992e+15" },
    { 1e15, "1000000000000000", "1e+15" },
    { 123456789012345680.0, "123456789012345680", "1.2345678901234568e+17" },
    { 1e21, "1000000000000000000000", "1e+21" },
    { 1e22, "10000000000000000000000", "1e+22" },
    { 1e23, "100000000000000000000000", "1e+23" },
    { 4.468743327960138e16, "44687433279601380", "4.468743327960138e+16" },
    { 0x1p-44, "0.00000000000005684341886080802", "5.684341886080802e-14" },
    { 1e100, NULL, "1e+100" },
    { 1e-100, NULL, "1e-100" },
    { 5e-324, NULL, "5e-324" },
    { 2.2250738585072014e-308, NULL, "2.2250738585072014e-308" },
    { 1.7976931348623157e308, NULL, "1.7976931348623157e+308" },
    { HUGE_VAL, "+Inf", "+Inf" },
    { -HUGE_VAL, "-Inf", "-Inf" },
};

static void as_go_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        char f[NUM_F64_MAX], g[32];
        struct str fs = { f, num_fmt_f64(f, rows[i].v) }, gs = { g, num_fmt_g64(g, rows[i].v) };
        if (rows[i].f && !str_eq(fs, str_c(rows[i].f)))
            fail_msg("row %zu: 'f' of %a is " STR_FMT, i, rows[i].v, STR_ARG(fs));
        if (!str_eq(gs, str_c(rows[i].g)))
            fail_msg("row %zu: 'g' of %a is " STR_FMT, i, rows[i].v, STR_ARG(gs));
    }
    char out[NUM_F64_MAX];
    assert_int_equal(num_fmt_f64(out, (double)NAN), 3);
    assert_memory_equal(out, "NaN", 3);
    /* The longest text there is. */
    assert_true(num_fmt_f64(out, -4.9406564584124654e-324) <= NUM_F64_MAX);
    assert_true(num_fmt_f64(out, -2.2250738585072014e-308) <= NUM_F64_MAX);
}

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Different kinds of doubles by turns: any bits, fractions, money, powers of two, subnormals. */
static double random_double(uint64_t i)
{
    uint64_t bits = next_random();
    double v;
    switch (i % 5) {
    case 0:
        return (double)(bits >> 11) / 9007199254740992.0;
    case 1:
        return (double)(int64_t)(bits % 1000000007) / 1e5;
    case 2:
        return ldexp(1, (int)(bits % 2098) - 1074);
    case 3:
        bits = (bits & 0xfffffffffffff) >> next_random() % 52;
        break;
    default:
        break;
    }
    memcpy(&v, &bits, sizeof(v));
    return isfinite(v) ? v : 1;
}

/* Whether any decimal of n digits next to v reads back as v. */
static bool readable_with(double v, int n)
{
    char text[40];
    (void)snprintf(text, sizeof(text), "%.*e", n - 1, v);
    if (strtod(text, NULL) == v)
        return true;
    double step = pow(10, floor(log10(v)) - n + 1);
    for (int sign = -1; sign <= 1; sign += 2) {
        (void)snprintf(text, sizeof(text), "%.*e", n - 1, v + sign * step);
        if (strtod(text, NULL) == v)
            return true;
    }
    return false;
}

static void shortest(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100000; i++) {
        double v = fabs(random_double(i));
        char text[NUM_F64_MAX + 1];
        text[num_fmt_f64(text, v)] = '\0';
        if (strtod(text, NULL) != v)
            fail_msg("%a was printed as %s", v, text);
        if (v == 0)
            continue;
        struct digits d;
        digits_shortest(v, &d);
        if (d.n > 1 && readable_with(v, d.n - 1))
            fail_msg("%a was printed with %d digits: %s", v, d.n, text);
    }
}

static void integers(void **state)
{
    (void)state;
    static const int64_t values[] = { 0, 1, -1, 10, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < LEN(values); i++) {
        char text[24], want[24];
        int n = snprintf(want, sizeof(want), "%lld", (long long)values[i]);
        assert_int_equal(num_fmt_i64(text, values[i]), n);
        assert_memory_equal(text, want, (size_t)n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(as_go_prints), cmocka_unit_test(shortest), cmocka_unit_test(integers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
