/* Slices and text to numbers: one row a case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

#define NO SIZE_MAX

static const struct { struct str s, needle; size_t at; } finds[] = {
    { S(""), S(""), 0 },         { S("abc"), S(""), 0 },     { S(""), S("a"), NO },   { S("abc"), S("c"), 2 },
    { S("abc"), S("abc"), 0 },   { S("abc"), S("abcd"), NO }, { S("aab"), S("ab"), 1 }, { S("a\0b"), S("\0b"), 1 },
};

static void find(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(finds); i++) {
        size_t at = str_find(finds[i].s, finds[i].needle);
        if (at != finds[i].at)
            fail_msg("row %zu: '" STR_FMT "' in '" STR_FMT "' at %zu", i, STR_ARG(finds[i].needle), STR_ARG(finds[i].s), at);
    }
    assert_int_equal(str_index(S("abc"), 'b'), 1);
    assert_int_equal(str_index((struct str){ 0 }, 'b'), NO);
}

static void compare(void **state)
{
    (void)state;
    static const struct { struct str a, b; int sign; } rows[] = {
        { S(""), S(""), 0 },     { S(""), S("a"), -1 },      { S("b"), S("a"), 1 },
        { S("a"), S("ab"), -1 }, { S("\xff"), S("a"), 1 },   { S("a\0"), S("a"), 1 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        int c = str_cmp(rows[i].a, rows[i].b);
        if ((c > 0) - (c < 0) != rows[i].sign || str_eq(rows[i].a, rows[i].b) != (rows[i].sign == 0))
            fail_msg("row %zu: %d", i, c);
    }
    assert_true(str_eq((struct str){ 0 }, S("")));
    assert_true(str_eq_nocase(S("AbZ"), S("aBz")));
    assert_false(str_eq_nocase(S("["), S("{")));  /* differ in the same bit as letters do */
    assert_true(str_starts(S("abc"), S("ab")) && !str_starts(S("a"), S("ab")) && str_starts(S("a"), S("")));
    assert_true(str_ends(S("abc"), S("bc")) && !str_ends(S("c"), S("bc")) && str_ends(S(""), S("")));
}

static void cut(void **state)
{
    (void)state;
    struct str s = S("a,,b");
    assert_true(str_eq(str_cut(&s, ','), S("a")));
    assert_true(str_eq(str_cut(&s, ','), S("")) && s.p);
    assert_true(str_eq(str_cut(&s, ','), S("b")) && !s.p);
    s = S("a,");
    assert_true(str_eq(str_cut(&s, ','), S("a")));
    assert_true(s.n == 0 && s.p);                  /* an empty last field is still a field */
    assert_true(str_eq(str_trim(S(" \t x y\r\n")), S("x y")));
    assert_true(str_eq(str_trim(S(" \n")), S("")));
    assert_true(str_eq(str_sub(S("hello"), 1, 3), S("ell")));
    assert_true(str_eq(str_sub(S("hello"), 9, 3), S("")));
    assert_true(str_eq(str_sub(S("hello"), 3, SIZE_MAX), S("lo")));
    assert_int_equal(str_c("xyz").n, 3);
}

static const struct { struct str in; bool ok; int64_t v; } i64s[] = {
    { S("0"), true, 0 },
    { S("-0"), true, 0 },
    { S("+7"), true, 7 },
    { S("9223372036854775807"), true, INT64_MAX },
    { S("9223372036854775808"), false, 0 },
    { S("-9223372036854775808"), true, INT64_MIN },
    { S("-9223372036854775809"), false, 0 },
    { S("99999999999999999999"), false, 0 },
    { S(""), false, 0 },
    { S("-"), false, 0 },
    { S("--1"), false, 0 },
    { S(" 1"), false, 0 },
    { S("1 "), false, 0 },
    { S("1_0"), false, 0 },
    { S("0x1"), false, 0 },
    { S("007"), true, 7 },
};

static void integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(i64s); i++) {
        int64_t v = 42;
        bool ok = str_to_i64(i64s[i].in, &v);
        if (ok != i64s[i].ok || v != (ok ? i64s[i].v : 42))
            fail_msg("'" STR_FMT "': %d %lld", STR_ARG(i64s[i].in), ok, (long long)v);
    }
    uint64_t u = 42;
    assert_true(str_to_u64(S("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(str_to_u64(S("18446744073709551616"), &u));
    assert_false(str_to_u64(S("+1"), &u) || str_to_u64(S("-1"), &u) || str_to_u64(S(""), &u));
    assert_true(u == UINT64_MAX);
}

static const struct { struct str in; bool ok; double v; } f64s[] = {
    { S("0"), true, 0 },
    { S("1.5"), true, 1.5 },
    { S("+1.5"), true, 1.5 },
    { S(".5"), true, 0.5 },
    { S("5."), true, 5 },
    { S("-1e3"), true, -1000 },
    { S("1E+3"), true, 1000 },
    { S("0.1"), true, 0.1 },
    { S("123456789012345678"), true, 123456789012345678.0 },
    { S("0.000000000000000000000000000001"), true, 1e-30 },
    { S("1e22"), true, 1e22 },
    { S("1e23"), true, 1e23 },
    { S("9007199254740993"), true, 9007199254740992.0 },
    { S("9007199254740992.99999999999999999999999"), true, 9007199254740992.0 },
    { S("9007199254740993.00000000000000000000001"), true, 9007199254740994.0 },
    { S("1.7976931348623157e308"), true, 1.7976931348623157e308 },
    { S("1e400"), false, 0 },
    { S("1e-400"), true, 0 },
    { S("1e99999999999999999999"), false, 0 },
    { S("5e-324"), true, 5e-324 },
    { S("0x1p-2"), true, 0.25 },
    { S("0x1.8P1"), true, 3 },
    { S("0x1"), false, 0 },                        /* Go wants the exponent */
    { S("0x"), false, 0 },
    { S("0xp1"), false, 0 },
    { S("1e"), false, 0 },
    { S("1e+"), false, 0 },
    { S("."), false, 0 },
    { S("e1"), false, 0 },
    { S(""), false, 0 },
    { S("-"), false, 0 },
    { S(" 1"), false, 0 },
    { S("1 "), false, 0 },
    { S("1_0"), false, 0 },
    { S("1.2.3"), false, 0 },
    { S("Inf"), true, HUGE_VAL },
    { S("+inf"), true, HUGE_VAL },
    { S("-Infinity"), true, -HUGE_VAL },
    { S("infin"), false, 0 },
    { S("+nan"), false, 0 },
};

static void doubles(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(f64s); i++) {
        double v = 42;
        bool ok = str_to_f64(f64s[i].in, &v);
        if (ok != f64s[i].ok || v != (ok ? f64s[i].v : 42))
            fail_msg("'" STR_FMT "': %d %.17g", STR_ARG(f64s[i].in), ok, v);
    }
    double v = 42;
    assert_true(str_to_f64(S("nAn"), &v) && isnan(v));
    assert_true(str_to_f64(S("-0"), &v) && signbit(v));

    /* Longer than the stack copy. */
    char digits[2000];
    memset(digits, '9', sizeof(digits));
    digits[1] = '.';
    assert_true(str_to_f64((struct str){ digits, sizeof(digits) }, &v));
    assert_true(v == 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find), cmocka_unit_test(compare), cmocka_unit_test(cut),
        cmocka_unit_test(integers), cmocka_unit_test(doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
