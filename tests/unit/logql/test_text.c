/* tests/unit/logql/test_text.c -- what values are written in: quotes, sizes, durations,
 * patterns, addresses, levels, times, JSON in lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "logql/gotime.h"
#include "logql/ip.h"
#include "logql/jscan.h"
#include "logql/level.h"
#include "logql/pattern.h"
#include "logql/text.h"

static unsigned failed;

static void same(struct str got, struct str want, const char *what)
{
    if (str_eq(got, want))
        return;
    print_message("%s: got " STR_FMT ", not " STR_FMT "\n", what, STR_ARG(got), STR_ARG(want));
    failed++;
}

static void test_quotes(void **state)
{
    static const struct {
        const char *in, *want;                     /* want NULL: invalid */
    } rows[] = {
        { "\"a\"", "a" }, { "`a\\n`", "a\\n" }, { "\"\\a\\b\\f\\n\\r\\t\\v\\\\\\'\\\"\"", "\a\b\f\n\r\t\v\\'\"" },
        { "\"\\x41\\101\\u0041\\U00000041\"", "AAAA" }, { "\"\\u20ac\"", "\xe2\x82\xac" }, { "\"\\q\"", NULL },
        { "\"\\x4\"", NULL }, { "\"\\400\"", NULL }, { "\"\\ud800\"", NULL }, { "\"\\", NULL }, { "\"", NULL },
    };
    struct arena mem;
    (void)state;
    failed = 0;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct str got = S("(invalid)");
        bool ok = text_unquote(str_c(rows[i].in), &mem, &got);
        same(ok ? got : S("(invalid)"), rows[i].want ? str_c(rows[i].want) : S("(invalid)"), rows[i].in);
    }
    struct buf b;
    buf_init(&b, 1000);
    text_quote(&b, S("a\"\\\n\x01\x7f\xff\xc3\xa9\xc2\xa0\xe2\x80\x8b"));
    same(buf_view(&b), S("\"a\\\"\\\\\\n\\x01\\x7f\\xff\xc3\xa9\\u00a0\\u200b\""), "quote");
    buf_done(&b);
    arena_done(&mem);
    assert_int_equal(failed, 0);
}

static void test_units(void **state)
{
    static const struct {
        const char *in;
        int64_t want;                              /* -1: invalid */
    } sizes[] = {
        { "5", 5 }, { "5B", 5 }, { "1kB", 1000 }, { "1KiB", 1024 }, { "1.5 MB", 1500000 }, { "1,000", 1000 }, { "2Gi", INT64_C(2147483648) },
        { "1XB", -1 }, { "", -1 }, { "B", -1 }, { "-5B", -1 }, { "99999EB", -1 },
    };
    static const struct {
        int64_t ns;
        const char *duration, *range;
    } times[] = {
        { 0, "0s", "0s" }, { 1500, "1.5\xc2\xb5s", "0s" }, { 1000000, "1ms", "1ms" }, { INT64_C(1500000000), "1.5s", "1s500ms" },
        { INT64_C(90000000000), "1m30s", "1m30s" }, { INT64_C(86400000000000), "24h0m0s", "1d" },
        { INT64_C(-5000000000), "-5s", "-5s" }, { INT64_C(604800000000000), "168h0m0s", "1w" }, { INT64_C(691200000000000), "192h0m0s", "8d" },
    };
    (void)state;
    failed = 0;
    for (size_t i = 0; i < LEN(sizes); i++) {
        uint64_t v = 0;
        bool ok = text_bytes(str_c(sizes[i].in), &v);
        if (ok != (sizes[i].want >= 0) || (ok && v != (uint64_t)sizes[i].want)) {
            print_message("size %s: %d %llu\n", sizes[i].in, ok, (unsigned long long)v);
            failed++;
        }
    }
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < LEN(times); i++) {
        buf_clear(&b);
        text_put_duration(&b, times[i].ns);
        same(buf_view(&b), str_c(times[i].duration), "duration");
        buf_clear(&b);
        if (times[i].ns >= 0)
            text_put_range(&b, times[i].ns);
        same(buf_view(&b), times[i].ns >= 0 ? str_c(times[i].range) : S(""), "range");
    }
    buf_clear(&b);
    text_put_bytes(&b, 1572864);
    same(buf_view(&b), S("1.6MB"), "bytes");
    buf_done(&b);
    assert_int_equal(failed, 0);
}

static void put_capture(void *arg, const struct pattern_part *part, struct str value)
{
    buf_fmt(arg, STR_FMT "=" STR_FMT ";", STR_ARG(part->text), STR_ARG(value));
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *line, *captures;
        int passes;                                /* as a filter; -1: cannot be one */
    } rows[] = {
        { "<a> <b>", "x y z", "a=x;b=y z;", -1 },
        { "<_> <b>", "x y", "b=y;", -1 },
        { "GET <p> <_>", "GET /a 200", "p=/a;", -1 },
        { "GET <p>", "POST /a", "", -1 },
        { "<a>|<b>", "xy", "a=xy;", -1 },
        { "a < b <c>", "a < b d", "c=d;", -1 },
        { "<_> bar <_>", "foo bar baz", NULL, 1 },
        { "<_> bar", "foo bar baz", NULL, 0 },
        { "<_>bar<_>", " bar ", NULL, 1 },
        { "<_> bar <_>", " bar ", NULL, 0 },
        { "foo", "foo", NULL, 1 },
        { "foo <_>", "foo ", NULL, 0 },
    };
    struct arena mem;
    struct buf b;
    (void)state;
    failed = 0;
    arena_init(&mem, 1 << 20);
    buf_init(&b, 1000);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct pattern p;
        struct fault f = { 0 };
        buf_clear(&b);
        if (pattern_parse(str_c(rows[i].pattern), rows[i].captures != NULL, &mem, &p, &f)) {
            print_message("%s: %s\n", rows[i].pattern, f.msg);
            failed++;
            continue;
        }
        if (rows[i].captures) {
            pattern_match(&p, str_c(rows[i].line), put_capture, &b);
            same(buf_view(&b), str_c(rows[i].captures), rows[i].pattern);
        } else if (pattern_test(&p, str_c(rows[i].line)) != rows[i].passes) {
            print_message("%s on %s\n", rows[i].pattern, rows[i].line);
            failed++;
        }
    }
    buf_done(&b);
    arena_done(&mem);
    assert_int_equal(failed, 0);
}

static void test_addresses(void **state)
{
    static const struct {
        const char *set, *text;
        int want;                                  /* -1: no set */
    } rows[] = {
        { "10.0.0.1", "from 10.0.0.1 on", 1 }, { "10.0.0.1", "from 10.0.0.11 on", 0 }, { "10.0.0.0/8", "x=10.9.8.7;", 1 },
        { "10.0.0.0/8", "11.9.8.7", 0 }, { "10.0.0.5-10.0.0.9", "10.0.0.9", 1 }, { "10.0.0.5 - 10.0.0.9", "10.0.0.10", 0 },
        { "0.0.0.0/0", "1.2.3.4", 1 }, { "::1", "at ::1 here", 1 }, { "2001:db8::/32", "2001:db8:0:0:1::5", 1 },
        { "2001:db8::/32", "2001:db9::", 0 }, { "::ffff:1.2.3.4", "::ffff:1.2.3.4", 1 }, { "fe80::1-fe80::9", "fe80::5", 1 },
        { "1.2.3", "", -1 }, { "1.2.3.256", "", -1 }, { "01.2.3.4", "", -1 }, { "10.0.0.0/33", "", -1 }, { "::/129", "", -1 },
        { "10.0.0.9-10.0.0.5", "", -1 }, { "10.0.0.1-::1", "", -1 }, { "1:2:3:4:5:6:7", "", -1 }, { "1::2::3", "", -1 },
    };
    (void)state;
    failed = 0;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct ip_set set;
        bool ok = ip_set_parse(str_c(rows[i].set), &set);
        int got = ok ? ip_set_find(&set, str_c(rows[i].text)) : -1;
        if (got != rows[i].want) {
            print_message("%s in %s: %d, not %d\n", rows[i].set, rows[i].text, got, rows[i].want);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void test_levels(void **state)
{
    (void)state;
    assert_int_equal(level_of_text(S("WARNING")), LEVEL_WARN);
    assert_int_equal(level_of_text(S("x")), LEVEL_NONE);
    assert_int_equal(level_of_severity(1), LEVEL_TRACE);
    assert_int_equal(level_of_severity(17), LEVEL_ERROR);
    assert_int_equal(level_of_severity(25), LEVEL_NONE);
    assert_int_equal(level_of_event(S("api_refusal"), S("")), LEVEL_ERROR);
    assert_int_equal(level_of_event(S("tool_decision"), S("reject")), LEVEL_WARN);
    assert_int_equal(level_of_event(S("tool_decision"), S("accept")), LEVEL_NONE);
    assert_int_equal(level_of_line(S("ts=1 level=warn msg=\"an error\"")), LEVEL_WARN);
    assert_int_equal(level_of_line(S("{\"severity\": \"debug\"}")), LEVEL_DEBUG);
    assert_int_equal(level_of_line(S("something FATAL happened, an error")), LEVEL_FATAL);
    assert_int_equal(level_of_line(S("nothing")), LEVEL_NONE);
}

static void test_times(void **state)
{
    static const struct {
        const char *layout, *text;
        int64_t ns;
    } rows[] = {
        { "2006-01-02T15:04:05Z07:00", "2026-11-23T14:00:00Z", INT64_C(1795442400000000000) },
        { "2006-01-02 15:04:05.000 MST", "2026-11-23 14:00:00.250 UTC", INT64_C(1795442400250000000) },
        { "Mon, 02 Jan 2006 15:04:05 -0700", "Mon, 23 Nov 2026 14:00:00 +0000", INT64_C(1795442400000000000) },
        { "Monday January _2 3:04PM 2006", "Monday November 23 2:00PM 2026", INT64_C(1795442400000000000) },
        { "02/01/06 03:04:05 pm", "23/11/26 02:00:00 pm", INT64_C(1795442400000000000) },
        { "2006-01-02", "1969-12-31", INT64_C(-86400000000000) },
        { "15:04:05.999999999 2006-1-2", "14:00:00.5 2026-11-23", INT64_C(1795442400500000000) },
    };
    struct buf b;
    (void)state;
    failed = 0;
    buf_init(&b, 1000);
    for (size_t i = 0; i < LEN(rows); i++) {
        int64_t ns = 0;
        buf_clear(&b);
        gotime_format(&b, rows[i].ns, str_c(rows[i].layout));
        same(buf_view(&b), str_c(rows[i].text), rows[i].layout);
        if (!gotime_parse(str_c(rows[i].text), str_c(rows[i].layout), &ns) || ns != rows[i].ns) {
            print_message("%s as %s: %lld\n", rows[i].text, rows[i].layout, (long long)ns);
            failed++;
        }
    }
    int64_t ns;
    assert_true(gotime_parse(S("2026-11-23T16:00:00+02:00"), S("2006-01-02T15:04:05Z07:00"), &ns));
    assert_int_equal(ns, INT64_C(1795442400000000000));
    assert_false(gotime_parse(S("2026-02-30"), S("2006-01-02"), &ns));
    assert_false(gotime_parse(S("2026-02-3"), S("2006-01-02"), &ns));
    assert_false(gotime_parse(S("2026-02-03 x"), S("2006-01-02"), &ns));
    buf_done(&b);
    assert_int_equal(failed, 0);
}

static bool put_member(void *arg, struct str key, struct jvalue v)
{
    static const char kinds[] = "snb0{[!";
    buf_fmt(arg, STR_FMT ":%c" STR_FMT ";", STR_ARG(key), kinds[v.kind], STR_ARG(v.raw));
    return true;
}

static void test_json(void **state)
{
    static const struct {
        const char *line, *members, *error;
    } rows[] = {
        { "{}", "", NULL },
        { " { \"a\" : 1 , \"b\\u0041\":\"x\\\"y\" } rest", "a:n1;bA:sx\\\"y;", NULL },
        { "{\"a\":[1,{\"b\":\"]\"}],\"c\":{\"d\":\"}\"},\"e\":null,\"f\":true}", "a:[[1,{\"b\":\"]\"}];c:{{\"d\":\"}\"};e:0null;f:btrue;", NULL },
        { "{\"a\":", "a:!;", "Malformed JSON error" },
        { "{\"a\":\"x", "a:!;", "Value is string, but can't find closing '\"' symbol" },
        { "{\"a\":[1", "a:!;", "Value is array, but can't find closing ']' symbol" },
        { "{\"a\":1 \"b\":2}", "a:n1;", "Value looks like object, but can't find closing '}' symbol" },
        { "{\"a\":x}", "a:!;", "Unknown value type" },
        { "x", "", "Value looks like object, but can't find closing '}' symbol" },
        { "", "", "Value looks like object, but can't find closing '}' symbol" },
        { "{\"a", "", "Malformed JSON error" },
    };
    static const struct {
        const char *path, *want;                   /* "-": not there */
    } paths[] = {
        { "a", "1" }, { "b.c", "2" }, { "b[\"c\"]", "2" }, { "d[0]", "3" }, { "d[1].e", "4" }, { "d[2]", "-" }, { "x", "-" }, { "a.b", "-" },
    };
    struct arena mem;
    struct buf b;
    (void)state;
    failed = 0;
    arena_init(&mem, 1 << 20);
    buf_init(&b, 1000);
    for (size_t i = 0; i < LEN(rows); i++) {
        buf_clear(&b);
        jscan_error e = jscan_object(str_c(rows[i].line), &mem, put_member, &b);
        same(buf_view(&b), str_c(rows[i].members), rows[i].line);
        same(e ? str_c(e) : S("-"), rows[i].error ? str_c(rows[i].error) : S("-"), rows[i].line);
    }
    for (size_t i = 0; i < LEN(paths); i++) {
        struct jpath p;
        struct jvalue v = { .raw = S("-") };
        struct fault f = { 0 };
        jscan_error e;
        assert_int_equal(jscan_path(str_c(paths[i].path), &mem, &p, &f), OK);
        (void)jscan_find(S("{\"a\":1,\"b\":{\"c\":2},\"d\":[3,{\"e\":4}]}"), &p, &mem, &v, &e);
        same(v.raw, str_c(paths[i].want), paths[i].path);
    }
    static const char *const bad[] = { "", "a.", ".a", "a[", "a[x]", "a[0", "[\"a\"", "a b" };
    for (size_t i = 0; i < LEN(bad); i++) {
        struct jpath p;
        struct fault f = { 0 };
        if (!jscan_path(str_c(bad[i]), &mem, &p, &f)) {
            print_message("path %s is accepted\n", bad[i]);
            failed++;
        }
    }
    same(jscan_clean(S("a\xff\xef\xbf\xbd" "b"), &mem), S("a  b"), "clean");
    buf_done(&b);
    arena_done(&mem);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotes), cmocka_unit_test(test_units), cmocka_unit_test(test_patterns), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_times), cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
