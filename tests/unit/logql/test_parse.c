/* tests/unit/logql/test_parse.c -- queries and their usual form; what is refused is in
 * tests/query/logql/errors.test. What is printed parses again to the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "logql/logql.h"

static const struct {
    const char *in, *want;
} rows[] = {
    /* selectors, comments, blanks, case of words */
    { "{a=\"b\"}", "{a=\"b\"}" },
    { " { a = `b` , c!=\"d\",e=~\"f.*\",g!~\"h\" } # comment", "{a=\"b\", c!=\"d\", e=~\"f.*\", g!~\"h\"}" },
    { "({a=\"b\"} |= \"x\")", "{a=\"b\"} |= \"x\"" },
    { "SUM BY (a) (RATE({a=\"b\"}[1m]))", "sum by (a)(rate({a=\"b\"}[1m]))" },
    { "{rate=\"b\", sum=\"c\", ip=\"d\", bytes=\"e\"}", "{rate=\"b\", sum=\"c\", ip=\"d\", bytes=\"e\"}" },
    /* strings */
    { "{a=\"\\\"\\n\\x41\\u00e9\\101\"}", "{a=\"\\\"\\nA\xc3\xa9" "A\"}" },
    { "{a=`\\d\"`}", "{a=\"\\\\d\\\"\"}" },
    /* line filters */
    { "{a=\"b\"}|=\"x\"!=\"y\"|~\"z\"!~\"w\"|>\"<_>v\"!>\"u<_>\"",
      "{a=\"b\"} |= \"x\" != \"y\" |~ \"z\" !~ \"w\" |> \"<_>v\" !> \"u<_>\"" },
    { "{a=\"b\"} |= \"x\" or ip(\"1.2.3.4\") or \"y\"", "{a=\"b\"} |= \"x\" or ip(\"1.2.3.4\") or \"y\"" },
    /* label filters: and binds closer than or; comma and nothing take all that follows */
    { "{a=\"b\"} | c=\"d\"", "{a=\"b\"} | c=\"d\"" },
    { "{a=\"b\"} | c>5 | d<=-1.5 | e==1e3", "{a=\"b\"} | c>5 | d<=-1.5 | e==1000" },
    { "{a=\"b\"} | c>1h30m | d<5d | e=1.5h | f!=300us", "{a=\"b\"} | c>1h30m0s | d<120h0m0s | e==1h30m0s | f!=300\xc2\xb5s" },
    { "{a=\"b\"} | c>1KB | d<1.5MiB | e=5B", "{a=\"b\"} | c>1.0kB | d<1.6MB | e==5B" },
    { "{a=\"b\"} | c=ip(\"1.2.3.0/24\") | d!=ip(\"::1\")", "{a=\"b\"} | c=ip(\"1.2.3.0/24\") | d!=ip(\"::1\")" },
    { "{a=\"b\"} | c=\"1\" or d=\"2\" and e=\"3\"", "{a=\"b\"} | ( c=\"1\" or ( d=\"2\" , e=\"3\" ) )" },
    { "{a=\"b\"} | c=\"1\" and d=\"2\" or e=\"3\"", "{a=\"b\"} | ( ( c=\"1\" , d=\"2\" ) or e=\"3\" )" },
    { "{a=\"b\"} | c=\"1\", d=\"2\" or e=\"3\"", "{a=\"b\"} | ( c=\"1\" , ( d=\"2\" or e=\"3\" ) )" },
    { "{a=\"b\"} | c=\"1\" or d=\"2\" e=\"3\"", "{a=\"b\"} | ( c=\"1\" or ( d=\"2\" , e=\"3\" ) )" },
    { "{a=\"b\"} | (c=\"1\" or d=\"2\") e=\"3\"", "{a=\"b\"} | ( ( c=\"1\" or d=\"2\" ) , e=\"3\" )" },
    /* stages */
    { "{a=\"b\"}|json|logfmt|unpack|decolorize", "{a=\"b\"} | json | logfmt | unpack | decolorize" },
    { "{a=\"b\"} | json c, d=\"e.f[0]\"", "{a=\"b\"} | json c=\"c\",d=\"e.f[0]\"" },
    { "{a=\"b\"} | logfmt --strict --keep-empty c", "{a=\"b\"} | logfmt --strict --keep-empty c=\"c\"" },
    { "{a=\"b\"} | regexp \"(?P<c>d)\" | pattern \"<e> <_>\"", "{a=\"b\"} | regexp \"(?P<c>d)\" | pattern \"<e> <_>\"" },
    { "{a=\"b\"} | line_format \"{{.c}}\" | label_format d=e, f=`{{.g}}`",
      "{a=\"b\"} | line_format \"{{.c}}\" | label_format d=e,f=\"{{.g}}\"" },
    { "{a=\"b\"} | drop c, d=~\"e.\" | keep f", "{a=\"b\"} | drop c,d=~\"e.\" | keep f" },
    /* ranges */
    { "rate({a=\"b\"}[5m])", "rate({a=\"b\"}[5m])" },
    { "rate({a=\"b\"}[1m30s] offset 1h)", "rate({a=\"b\"}[1m30s] offset 1h0m0s)" },
    { "rate({a=\"b\"}[5m] offset -5m)", "rate({a=\"b\"}[5m] offset -5m0s)" },
    { "rate(({a=\"b\"} |= \"x\")[1d])", "rate({a=\"b\"} |= \"x\"[1d])" },
    { "rate({a=\"b\"}[5m] |= \"x\")", "rate({a=\"b\"} |= \"x\"[5m])" },
    { "rate(({a=\"b\"}[5m]))", "rate({a=\"b\"}[5m])" },
    { "sum_over_time({a=\"b\"} | unwrap c [5m])", "sum_over_time({a=\"b\"} | unwrap c[5m])" },
    { "avg_over_time({a=\"b\"} | json | unwrap bytes(c) | __error__=\"\" [5m]) by (d)",
      "avg_over_time({a=\"b\"} | json | unwrap bytes(c) | __error__=\"\"[5m]) by (d)" },
    { "max_over_time({a=\"b\"} | unwrap duration_seconds(c) [5m]) without (d, e)",
      "max_over_time({a=\"b\"} | unwrap duration_seconds(c)[5m]) without (d,e)" },
    { "quantile_over_time(0.99, {a=\"b\"} | unwrap c [5m])", "quantile_over_time(0.99,{a=\"b\"} | unwrap c[5m])" },
    /* vectors */
    { "topk(5, sum without (c) (rate({a=\"b\"}[5m])))", "topk(5,sum without (c)(rate({a=\"b\"}[5m])))" },
    { "sum(rate({a=\"b\"}[5m])) by (c,d)", "sum by (c,d)(rate({a=\"b\"}[5m]))" },
    { "sort_desc(rate({a=\"b\"}[5m]))", "sort_desc(rate({a=\"b\"}[5m]))" },
    { "label_replace(rate({a=\"b\"}[5m]), \"c\", \"$1\", \"d\", \"(.*)\")", "label_replace(rate({a=\"b\"}[5m]),\"c\",\"$1\",\"d\",\"(.*)\")" },
    { "vector(1.5)", "vector(1.500000)" },
    /* operators: numbers are folded, ^ is right-associative, the rest left */
    { "1 + 2 * 3", "7" },
    { "2 ^ 3 ^ 2", "512" },
    { "8 - 4 - 2", "2" },
    { "1 / 0", "NaN" },
    { "-1 + 3", "2" },
    { "rate({a=\"b\"}[5m]) + 2 * 3", "(rate({a=\"b\"}[5m]) + 6)" },
    { "rate({a=\"b\"}[5m]) > bool 1", "(rate({a=\"b\"}[5m]) > bool 1)" },
    { "rate({a=\"b\"}[5m]) and rate({a=\"c\"}[5m]) or rate({a=\"d\"}[5m])",
      "((rate({a=\"b\"}[5m]) and rate({a=\"c\"}[5m])) or rate({a=\"d\"}[5m]))" },
    { "rate({a=\"b\"}[5m]) / on (c) group_left (d) rate({a=\"c\"}[5m])", "(rate({a=\"b\"}[5m]) / on (c) group_left (d) rate({a=\"c\"}[5m]))" },
    { "rate({a=\"b\"}[5m]) / ignoring () rate({a=\"c\"}[5m])", "(rate({a=\"b\"}[5m]) / ignoring () rate({a=\"c\"}[5m]))" },
};

static struct str format_of(struct arena *mem, struct str text, char *msg, size_t n)
{
    CLEANUP(logql_freep) struct logql *q = NULL;
    struct fault f = { 0 };
    if (logql_parse(text, mem, &q, &f)) {
        (void)snprintf(msg, n, "%s", f.msg);
        return (struct str){ msg, str_c(msg).n };
    }
    return logql_format(q, mem);
}

static void test_formats(void **state)
{
    unsigned failed = 0;
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct arena mem;
        char msg[240];
        arena_init(&mem, 1 << 20);
        struct str once = format_of(&mem, str_c(rows[i].in), msg, sizeof msg);
        if (!str_eq(once, str_c(rows[i].want))) {
            print_message("%s\n    gives " STR_FMT "\n    not   %s\n", rows[i].in, STR_ARG(once), rows[i].want);
            failed++;
        }
        struct str twice = format_of(&mem, once, msg, sizeof msg);
        if (!str_eq(once, twice) && !str_eq(once, S("NaN"))) {
            print_message("%s\n    prints " STR_FMT "\n    again  " STR_FMT "\n", rows[i].in, STR_ARG(once), STR_ARG(twice));
            failed++;
        }
        arena_done(&mem);
    }
    assert_int_equal(failed, 0);
}

/* Limits are errors with a name, never a crash. */
static void test_limits(void **state)
{
    (void)state;
    struct arena mem;
    struct buf b;
    struct fault f;
    struct logql *q = NULL;
    arena_init(&mem, 64u << 20);
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buf_byte(&b, '(');
    assert_int_equal(logql_parse(buf_view(&b), &mem, &q, &f), E_LIMIT);
    buf_clear(&b);
    buf_str(&b, S("{a=\"b\"} | "));
    for (int i = 0; i < 10000; i++)
        buf_byte(&b, '(');
    assert_int_equal(logql_parse(buf_view(&b), &mem, &q, &f), E_LIMIT);
    buf_clear(&b);
    buf_str(&b, S("{a=\"b\"}"));
    for (int i = 0; i < LOGQL_STAGES_MAX + 1; i++)
        buf_str(&b, S(" | json"));
    assert_int_equal(logql_parse(buf_view(&b), &mem, &q, &f), E_LIMIT);
    buf_clear(&b);
    for (int i = 0; i < LOGQL_QUERY_MAX; i++)
        buf_byte(&b, ' ');
    assert_int_equal(logql_parse(buf_view(&b), &mem, &q, &f), E_SYNTAX);
    buf_clear(&b);
    buf_str(&b, S("{a=\"b\"} | c=\"1\""));
    for (int i = 0; i < 3000; i++)
        buf_str(&b, S(" or c=\"1\""));
    assert_int_equal(logql_parse(buf_view(&b), &mem, &q, &f), OK);
    logql_freep(&q);
    buf_done(&b);
    arena_done(&mem);
}

/* Columns are runes, from the start of the token's line. */
static void test_columns(void **state)
{
    static const struct {
        const char *in, *want;
    } columns[] = {
        { "vector(1) ? 2", "line 1, col 11:" },
        { "{a=\"\xc3\xa9\xc3\xa9\"} =", "line 1, col 10:" },
        { "vector(1) +\n vector(2) )", "line 2, col 12:" },
        { "{a=\"\xc3\xa9\"}\n\n|= \"\xc3\xa9\" =", "line 3, col 8:" },
        { "vector(1) # \xc3\xa9\n ) vector(2)", "line 2, col 2:" },
    };
    (void)state;
    for (size_t i = 0; i < LEN(columns); i++) {
        struct arena mem;
        struct fault f = { 0 };
        struct logql *q = NULL;
        arena_init(&mem, 1 << 20);
        assert_int_equal(logql_parse(str_c(columns[i].in), &mem, &q, &f), E_SYNTAX);
        if (!strstr(f.msg, columns[i].want))
            fail_msg("%s\n%s, not %s", columns[i].in, f.msg, columns[i].want);
        logql_freep(&q);
        arena_done(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats), cmocka_unit_test(test_limits), cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
