/* tests/unit/promql/test_print.c -- what a query prints as; what is printed parses, and prints the same again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "promql/print.h"

static const struct { const char *in, *out; } rows[] = {
    { "1+1", "1 + 1" },
    { "-5m", "-5m" },
    { "300", "300" },
    { "1e3", "1000" },
    { "0x1f", "31" },
    { "-Inf", "-Inf" },
    { "1d12h", "1d12h" },
    { "a", "a" },
    { "a{}", "a" },
    { "{__name__=\"a\",z!~\"x\",b=\"\\n\"}", "{__name__=\"a\",b=\"\\n\",z!~\"x\"}" },
    { "{\"a.b\",\"c d\"='\"'}", "{\"c d\"=\"\\\"\",__name__=\"a.b\"}" },
    { "a[300]", "a[5m]" },
    { "a[5m:]offset -1h@1.5", "a[5m:] @ 1.500 offset -1h" },
    { "rate(a[5m]@end()offset 3m)", "rate(a[5m] @ end() offset 3m)" },
    { "a offset 0s", "a" },
    { "a[step()+5m]", "a[step() + 5m]" },
    { "a[(step()+5m)*2]", "a[(step() + 5m) * 2]" },
    { "a offset max(step(),1m)", "a offset max(step(), 1m)" },
    { "increase(a[1m]anchored)", "increase(a[1m] anchored)" },
    { "sum without(a,b)(rate(foo{x=~\"y\"}[5m]offset 3m))", "sum without (a, b) (rate(foo{x=~\"y\"}[5m] offset 3m))" },
    { "sum(a)by(\"c.d\",b)", "sum by (\"c.d\", b) (a)" },
    { "sum by()(a)", "sum(a)" },
    { "topk(3,a)", "topk(3, a)" },
    { "count_values('v',a)", "count_values(\"v\", a)" },
    { "a*on(b)group_left(c)d", "a * on (b) group_left (c) d" },
    { "a*on(b)group_right d", "a * on (b) group_right () d" },
    { "a==bool ignoring(x)fill(0)b", "a == bool ignoring (x) fill (0) b" },
    { "a+fill_left(1)fill_right(-2.5)b", "a + fill_left (1) fill_right (-2.5) b" },
    { "-(a)^2", "-(a) ^ 2" },
    { "vector(1)>bool 2", "vector(1) > bool 2" },
    /* longer than a line */
    { "sum by (aaaaaaaaaaaaaaaaaaaaaaaaaaaa) (rate(bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb{c=\"ddddddddddddddddddd\"}[5m]))",
      "sum by (aaaaaaaaaaaaaaaaaaaaaaaaaaaa) (\n  rate(bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb{c=\"ddddddddddddddddddd\"}[5m])\n)" },
    { "-(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa / bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb)",
      "-(\n    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n  /\n"
      "    bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n)" },
    { "label_replace(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, \"bbbbbbbbbbbbbb\", \"$1\", \"cccccccccccc\", \"(.*)\")",
      "label_replace(\n  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,\n  \"bbbbbbbbbbbbbb\",\n  \"$1\",\n"
      "  \"cccccccccccc\",\n  \"(.*)\"\n)" },
};

static struct str pretty(struct arena *mem, struct str in)
{
    CLEANUP(promql_done) struct promql q = { 0 };
    struct fault f = { 0 };
    if (promql_parse(mem, in, &q, &f))
        fail_msg(STR_FMT ": %s", STR_ARG(in), f.msg);
    struct buf b;
    buf_init(&b, 1 << 16);
    promql_pretty(&b, &q, q.root);
    struct str out = arena_str(mem, buf_view(&b));
    buf_done(&b);
    return out;
}

static void prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        CLEANUP(arena_done) struct arena mem;
        arena_init(&mem, 1u << 20);
        struct str once = pretty(&mem, str_c(rows[i].in)), twice = pretty(&mem, once);
        if (!str_eq(once, str_c(rows[i].out)))
            fail_msg("%s\nis  " STR_FMT "\nnot %s", rows[i].in, STR_ARG(once), rows[i].out);
        if (!str_eq(once, twice))
            fail_msg(STR_FMT "\nprints again as\n" STR_FMT, STR_ARG(once), STR_ARG(twice));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(prints) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
