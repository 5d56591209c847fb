/* Durations and dates as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "base/clock.h"
#include "base/num.h"

struct row { struct str in; bool ok; int64_t ns; };

static void check(const struct row *rows, size_t n, bool (*parse)(struct str, int64_t *))
{
    for (size_t i = 0; i < n; i++) {
        int64_t v = -42;
        bool ok = parse(rows[i].in, &v);
        if (ok != rows[i].ok || v != (ok ? rows[i].ns : -42))
            fail_msg("'" STR_FMT "': %d %lld", STR_ARG(rows[i].in), ok, (long long)v);
    }
}

static void prometheus(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { S("0"), true, 0 },
        { S("0s"), true, 0 },
        { S("5m"), true, 300 * NS_PER_S },
        { S("90s"), true, 90 * NS_PER_S },
        { S("1h30m"), true, 5400 * NS_PER_S },
        { S("1d"), true, NS_PER_DAY },
        { S("1w"), true, 7 * NS_PER_DAY },
        { S("1y"), true, 365 * NS_PER_DAY },
        { S("100ms"), true, 100 * NS_PER_MS },
        { S("1m5ms"), true, 60 * NS_PER_S + 5 * NS_PER_MS },
        { S("1y2w3d4h5m6s7ms"), true, (365 + 14 + 3) * NS_PER_DAY + (4 * 3600 + 5 * 60 + 6) * NS_PER_S + 7 * NS_PER_MS },
        { S("292y"), true, 292 * 365 * NS_PER_DAY },
        { S("293y"), false, 0 },
        { S("99999999999999999999s"), false, 0 },
        { S(""), false, 0 },
        { S("5"), false, 0 },
        { S("m"), false, 0 },
        { S("1.5h"), false, 0 },
        { S("-5m"), false, 0 },
        { S("5m1h"), false, 0 },                   /* large units come first */
        { S("5m5m"), false, 0 },
        { S("5 m"), false, 0 },
        { S("1us"), false, 0 },
        { S("1H"), false, 0 },
    };
    check(rows, LEN(rows), num_duration);
}

static void go(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { S("0"), true, 0 },
        { S("-0"), true, 0 },
        { S("1.5h"), true, 5400 * NS_PER_S },
        { S("250ms"), true, 250 * NS_PER_MS },
        { S("3us"), true, 3000 },
        { S("3\xc2\xb5s"), true, 3000 },
        { S("3\xce\xbcs"), true, 3000 },
        { S("-2m"), true, -120 * NS_PER_S },
        { S("+5s"), true, 5 * NS_PER_S },
        { S("1h15m30.918s"), true, 4530 * NS_PER_S + 918 * NS_PER_MS },
        { S(".5s"), true, NS_PER_S / 2 },
        { S("5.s"), true, 5 * NS_PER_S },
        { S("5m1h"), true, 3900 * NS_PER_S },      /* any order here */
        { S("0.3333333333333333333h"), true, 20 * 60 * NS_PER_S },
        { S("9223372036854775807ns"), true, INT64_MAX },
        { S("9223372036854775808ns"), false, 0 },
        { S("3000000h"), false, 0 },
        { S(""), false, 0 },
        { S("3"), false, 0 },
        { S("-"), false, 0 },
        { S("s"), false, 0 },
        { S("."), false, 0 },
        { S(".s"), false, 0 },
        { S("1d"), false, 0 },
        { S("1 s"), false, 0 },
    };
    check(rows, LEN(rows), num_go_duration);
}

static void dates(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { S("1970-01-01T00:00:00Z"), true, 0 },
        { S("1970-01-01T00:00:00"), true, 0 },
        { S("1969-12-31T23:59:59.5Z"), true, -NS_PER_S / 2 },
        { S("2026-11-24T08:39:07Z"), true, INT64_C(1795509547) * NS_PER_S },
        { S("2026-11-24T08:39:07.123456789Z"), true, INT64_C(1795509547123456789) },
        { S("2026-11-24T08:39:07.1234567899Z"), true, INT64_C(1795509547123456789) },
        { S("2026-11-24T10:09:07+01:30"), true, INT64_C(1795509547) * NS_PER_S },
        { S("2026-11-24T00:39:07-08:00"), true, INT64_C(1795509547) * NS_PER_S },
        { S("2024-02-29T00:00:00Z"), true, INT64_C(1709164800) * NS_PER_S },
        { S("2000-02-29T00:00:00Z"), true, INT64_C(951782400) * NS_PER_S },
        { S("2262-04-11T23:47:16.854775807Z"), true, INT64_MAX },
        { S("2262-04-11T23:47:16.854775808Z"), false, 0 },
        { S("1677-09-21T00:12:43.145224192Z"), true, INT64_MIN },
        { S("1677-09-21T00:12:43.145224191Z"), false, 0 },
        { S("9999-12-31T23:59:59Z"), false, 0 },
        { S("2023-02-29T00:00:00Z"), false, 0 },
        { S("2100-02-29T00:00:00Z"), false, 0 },
        { S("2026-13-01T00:00:00Z"), false, 0 },
        { S("2026-00-01T00:00:00Z"), false, 0 },
        { S("2026-04-31T00:00:00Z"), false, 0 },
        { S("2026-01-01T24:00:00Z"), false, 0 },
        { S("2026-01-01T00:60:00Z"), false, 0 },
        { S("2026-01-01T00:00:60Z"), false, 0 },
        { S("2026-01-01 00:00:00Z"), false, 0 },
        { S("2026-01-01T00:00:00.Z"), false, 0 },
        { S("2026-01-01T00:00:00+1:00"), false, 0 },
        { S("2026-01-01T00:00:00Zx"), false, 0 },
        { S("2026-01-01"), false, 0 },
        { S(""), false, 0 },
    };
    check(rows, LEN(rows), num_rfc3339);
}

/* Every day for 500 years against the C library, there and back. */
static void every_day(void **state)
{
    (void)state;
    for (int64_t day = -100000; day <= 100000; day++) {
        int64_t t = day * 86400 + (day & 1 ? 86399 : 1), ns = t * NS_PER_S + 120000000, back;
        time_t tt = (time_t)t;
        struct tm tm;
        char want[40], got[40];
        assert_non_null(gmtime_r(&tt, &tm));
        assert_int_equal(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.12Z", &tm), 23);
        size_t n = num_fmt_rfc3339(got, ns);
        if (n != 23 || !str_eq((struct str){ got, n }, str_c(want)))
            fail_msg("day %lld: %.*s, not %s", (long long)day, (int)n, got, want);
        if (!num_rfc3339((struct str){ got, n }, &back) || back != ns)
            fail_msg("%s read back as %lld", want, (long long)back);
    }
    char out[40];
    assert_int_equal(num_fmt_rfc3339(out, INT64_MAX), 30);
    assert_memory_equal(out, "2262-04-11T23:47:16.854775807Z", 30);
    assert_int_equal(num_fmt_rfc3339(out, INT64_MIN), 30);
    assert_memory_equal(out, "1677-09-21T00:12:43.145224192Z", 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prometheus), cmocka_unit_test(go), cmocka_unit_test(dates), cmocka_unit_test(every_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
