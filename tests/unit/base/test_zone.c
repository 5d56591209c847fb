/* Offsets and beginnings of days, against known moments and, over two centuries, against the C
 * library, which reads the same files by TZ; and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/num.h"
#include "base/zone.h"

static const char *const names[] = {
    "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia",
    "Africa/Casablanca", "Asia/Gaza", "America/Scoresbysund", "Europe/Dublin", "Antarctica/Troll", "Asia/Tokyo", "Etc/GMT+12",
};

static struct zone *load(const char *name)
{
    struct zone *z = NULL;
    struct fault f = { 0 };
    if (zone_load(str_c(name), &z, &f) == E_NOTFOUND) {
        print_message("tzdata is not installed\n");
        skip();
    }
    if (!z)
        fail_msg("%s: %s", name, f.msg);
    return z;
}

static void as_the_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(names); i++) {
        struct zone *z = load(names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        uint64_t seed = i + 1;
        for (int k = 0; k < 20000; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            time_t t = (time_t)((int64_t)(seed >> 20) % INT64_C(6300000000) - INT64_C(2200000000));   /* 1900 to 2100 */
            struct tm tm;
            localtime_r(&t, &tm);
            if (zone_offset(z, t) != tm.tm_gmtoff)
                fail_msg("%s at %lld: %d, the library says %ld", names[i], (long long)t, zone_offset(z, t), tm.tm_gmtoff);
        }
        zone_free(z);
    }
    unsetenv("TZ");
    tzset();
}

/* A day begins where the date changes: that second has it, the one before does not. */
static void days_begin(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(names); i++) {
        struct zone *z = load(names[i]);
        for (int64_t day = date_days(1995, 1, 1); day < date_days(2040, 1, 1); day++) {
            int y, m, d, y2, m2, d2;
            date_of_days(day, &y, &m, &d);
            int64_t at = zone_day_begin(z, y, m, d);
            zone_date(z, at, &y2, &m2, &d2);
            bool skipped = date_days(y2, m2, d2) == day + 1;       /* Apia had no 2011-12-30 */
            if (date_days(y2, m2, d2) != day && !skipped)
                fail_msg("%s %d-%d-%d begins on %d-%d-%d", names[i], y, m, d, y2, m2, d2);
            zone_date(z, at - 1, &y2, &m2, &d2);
            if (date_days(y2, m2, d2) >= day && !skipped)
                fail_msg("%s %d-%d-%d: a second before it is %d-%d-%d", names[i], y, m, d, y2, m2, d2);
        }
        zone_free(z);
    }
}

static const struct {
    const char *zone;
    int y, m, d;
    const char *begins;
} rows[] = {
    { "UTC", 2026, 11, 24, "2026-11-24T00:00:00Z" },
    { "Europe/Berlin", 2026, 11, 24, "2026-11-23T23:00:00Z" },
    { "Europe/Berlin", 2026, 7, 1, "2026-06-30T22:00:00Z" },
    { "Europe/Berlin", 2045, 7, 1, "2045-06-30T22:00:00Z" },       /* by the rule */
    { "America/Sao_Paulo", 2018, 11, 4, "2018-11-04T03:00:00Z" },  /* no midnight: the clock went from 0 to 1 */
    { "Asia/Kolkata", 2026, 1, 1, "2025-12-31T18:30:00Z" },
};

static void known_days(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct zone *z = load(rows[i].zone);
        int64_t want;
        assert_true(num_rfc3339(str_c(rows[i].begins), &want));
        int64_t got = zone_day_begin(z, rows[i].y, rows[i].m, rows[i].d) * INT64_C(1000000000);
        if (got != want)
            fail_msg("%s %d-%d-%d: %lld", rows[i].zone, rows[i].y, rows[i].m, rows[i].d, (long long)got);
        zone_free(z);
    }
}

static void refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "/etc/passwd", "../../etc/passwd", "Europe/../../../etc/passwd", "Nowhere/Atall", "a b", "CET-1" };
    for (size_t i = 0; i < LEN(bad); i++) {
        struct zone *z = NULL;
        struct fault f = { 0 };
        if (zone_load(str_c(bad[i]), &z, &f) == OK || z || !f.msg[0])
            fail_msg("%s", bad[i]);
    }
    struct zone *z = NULL;
    struct fault f = { 0 };
    assert_int_equal(zone_parse(S("TZif2"), &z, &f), E_CORRUPT);
    assert_int_equal(zone_load(S("local"), &z, &f), OK);
    zone_free(z);
}

/* Every shorter file, and every file with one byte changed, is refused or answers. */
static void damaged(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b = { 0 };
    struct fault f = { 0 };
    if (file_read("/usr/share/zoneinfo/Europe/Berlin", ZONE_FILE_MAX, &b, &f)) {
        print_message("tzdata is not installed\n");
        skip();
    }
    struct str whole = buf_view(&b);
    char *copy = mem_alloc(whole.n);
    for (size_t i = 0; i < whole.n; i++) {
        struct zone *z = NULL;
        memcpy(copy, whole.p, whole.n);
        if (zone_parse((struct str){ copy, i }, &z, &f) == OK)
            fail_msg("%zu bytes of %zu were taken", i, whole.n);
        copy[i] = (char)(copy[i] ^ 0xff);
        if (!zone_parse((struct str){ copy, whole.n }, &z, &f)) {
            (void)zone_offset(z, 0);
            (void)zone_day_begin(z, 2100, 2, 28);
        }
        zone_free(z);
    }
    mem_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_library), cmocka_unit_test(days_begin), cmocka_unit_test(known_days),
        cmocka_unit_test(refused),        cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
