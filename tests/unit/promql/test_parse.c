/* tests/unit/promql/test_parse.c -- what parses to what, and where the rest is refused.
 * Trees are shown as fully bracketed text, which is only for these rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "promql/functions.h"
#include "promql/promql.h"

static const char *const ops[] = {
    [BIN_ADD] = "+", [BIN_SUB] = "-", [BIN_MUL] = "*", [BIN_DIV] = "/", [BIN_MOD] = "%", [BIN_POW] = "^",
    [BIN_ATAN2] = "atan2", [BIN_EQ] = "==", [BIN_NE] = "!=", [BIN_GT] = ">", [BIN_LT] = "<", [BIN_GE] = ">=",
    [BIN_LE] = "<=", [BIN_AND] = "and", [BIN_OR] = "or", [BIN_UNLESS] = "unless",
};

static void show(struct buf *b, const struct expr *x);

static void show_names(struct buf *b, const char *word, const struct str *names, uint32_t n)
{
    buf_fmt(b, " %s", word);
    for (uint32_t i = 0; i < n; i++)
        buf_fmt(b, " " STR_FMT, STR_ARG(names[i]));
}

static void show_shift(struct buf *b, const struct shift *s)
{
    if (s->offset)
        buf_fmt(b, " offset %g", s->offset->op == DUR_LITERAL ? s->offset->seconds : -999.0);
    if (s->at == AT_TIME)
        buf_fmt(b, " @ %lld", (long long)s->at_ms);
    if (s->at == AT_START || s->at == AT_END)
        buf_fmt(b, " @ %s", s->at == AT_START ? "start" : "end");
}

static void show_selector(struct buf *b, const struct selector *s)
{
    static const char *const match[] = { "=", "!=", "=~", "!~" };
    buf_byte(b, '{');
    for (uint32_t i = 0; i < s->nmatchers; i++)
        buf_fmt(b, "%s" STR_FMT "%s" STR_FMT, i ? "," : "", STR_ARG(s->matchers[i].label), match[s->matchers[i].op],
                STR_ARG(s->matchers[i].value));
    buf_byte(b, '}');
    show_shift(b, &s->shift);
    if (s->anchored || s->smoothed)
        buf_str(b, s->anchored ? S(" anchored") : S(" smoothed"));
}

static void show_binary(struct buf *b, const struct expr *x)
{
    static const char *const cards[] = { "", " group_left", " group_right", "" };
    const struct matching *m = &x->bin.m;
    buf_byte(b, '(');
    show(b, x->bin.l);
    buf_fmt(b, " %s", ops[x->bin.op]);
    if (m->bool_mode)
        buf_str(b, S(" bool"));
    if (m->on || m->nnames)
        show_names(b, m->on ? "on" : "ignoring", m->names, m->nnames);
    if (*cards[m->card])
        show_names(b, cards[m->card] + 1, m->include, m->ninclude);
    if (m->fill_left)
        buf_fmt(b, " left=%g", *m->fill_left);
    if (m->fill_right)
        buf_fmt(b, " right=%g", *m->fill_right);
    buf_byte(b, ' ');
    show(b, x->bin.r);
    buf_byte(b, ')');
}

static void show(struct buf *b, const struct expr *x)
{
    switch (x->kind) {
    case X_NUMBER:
        buf_fmt(b, "%g", x->number);
        break;
    case X_STRING:
        buf_fmt(b, "'" STR_FMT "'", STR_ARG(x->string));
        break;
    case X_SELECTOR:
        show_selector(b, &x->sel);
        break;
    case X_RANGE:
        show(b, x->range.of);
        buf_fmt(b, "[%g]", x->range.range->seconds);
        break;
    case X_SUBQUERY:
        show(b, x->sub.of);
        buf_fmt(b, "[%g:%g]", x->sub.range->seconds, x->sub.step ? x->sub.step->seconds : 0.0);
        show_shift(b, &x->sub.shift);
        break;
    case X_CALL:
        buf_fmt(b, STR_FMT "(", STR_ARG(x->call.fn->name));
        for (uint32_t i = 0; i < x->call.nargs; i++) {
            buf_str(b, i ? S(", ") : S(""));
            show(b, x->call.args[i]);
        }
        buf_byte(b, ')');
        break;
    case X_AGGREGATE:
        buf_fmt(b, "agg%d", x->agg.op);
        if (x->agg.without || x->agg.nnames)
            show_names(b, x->agg.without ? "without" : "by", x->agg.names, x->agg.nnames);
        buf_byte(b, '(');
        if (x->agg.param) {
            show(b, x->agg.param);
            buf_str(b, S(", "));
        }
        show(b, x->agg.of);
        buf_byte(b, ')');
        break;
    case X_BINARY:
        show_binary(b, x);
        break;
    case X_UNARY:
        buf_fmt(b, "%c", x->unary.negate ? '-' : '+');
        show(b, x->unary.of);
        break;
    case X_PAREN:
        buf_byte(b, '<');
        show(b, x->paren);
        buf_byte(b, '>');
        break;
    }
}

static const struct {
    const char *in, *want;
} good[] = {
    { "1 + 2 * 3", "(1 + (2 * 3))" },
    { "1 * 2 + 3", "((1 * 2) + 3)" },
    { "2 ^ 3 ^ 2", "(2 ^ (3 ^ 2))" },
    { "8 - 4 - 2", "((8 - 4) - 2)" },
    { "-a ^ 2", "-({__name__=a} ^ 2)" },
    { "-a * 2", "(-{__name__=a} * 2)" },
    { "2 ^ -a * 3", "((2 ^ -{__name__=a}) * 3)" },
    { "- 1", "-1" },
    { "a or b and c unless d == e + f", "({__name__=a} or (({__name__=b} and {__name__=c}) unless ({__name__=d} == ({__name__=e} + {__name__=f}))))" },
    { "(a)", "<{__name__=a}>" },
    { "a # and nothing", "{__name__=a}" },
    { "a{b='c',}", "{b=c,__name__=a}" },
    { "a{b!=\"c\",d=~\"e\",f!~`\\d`}", "{b!=c,d=~e,f!~\\d,__name__=a}" },
    { "{\"a.b\",\"c d\"='e'}", "{__name__=a.b,c d=e}" },
    { "a:b:c", "{__name__=a:b:c}" },
    { "sum", "{__name__=sum}" },
    { "by", "{__name__=by}" },
    { "start", "{__name__=start}" },
    { "start()", "start()" },
    { "sum(a)", "agg0({__name__=a})" },
    { "SUM BY (b, c,) (a)", "agg0 by b c({__name__=a})" },
    { "sum(a) without (by, \"x y\")", "agg0 without by x y({__name__=a})" },
    { "topk(1, a)", "agg9(1, {__name__=a})" },
    { "a[5m]", "{__name__=a}[300]" },
    { "a[1h30m]", "{__name__=a}[5400]" },
    { "a[300]", "{__name__=a}[300]" },
    { "a[5m] offset 1m", "{__name__=a} offset 60[300]" },
    { "a offset -1m", "{__name__=a} offset -60" },
    { "a offset 2 ^ 2", "({__name__=a} offset 2 ^ 2)" },
    { "a @ 1.5", "{__name__=a} @ 1500" },
    { "a @ -1 offset 5s", "{__name__=a} offset 5 @ -1000" },
    { "a @ start()", "{__name__=a} @ start" },
    { "a[5m:]", "{__name__=a}[300:0]" },
    { "a[5m:1m] @ end() offset 1m", "{__name__=a}[300:60] offset 60 @ end" },
    { "rate(a[1m])[5m:1m]", "rate({__name__=a}[60])[300:60]" },
    { "a[5m] anchored", "{__name__=a} anchored[300]" },
    { "a + on (x) group_left (y) b", "({__name__=a} + on x group_left y {__name__=b})" },
    { "a == bool ignoring (x) group_right b", "({__name__=a} == bool ignoring x group_right {__name__=b})" },
    { "a + fill(1) b", "({__name__=a} + left=1 right=1 {__name__=b})" },
    { "a + fill_left(-1) fill_right(+2) b", "({__name__=a} + left=-1 right=2 {__name__=b})" },
    { "fill + fill", "({__name__=fill} + {__name__=fill})" },
    { "min_of(1, 2)", "min_of(1, 2)" },
    { "1m", "60" },
    { "0x1F", "31" },
    { "017", "15" },
    { "08", "8" },
    { "1_000_000", "1e+06" },
    { "1e-3", "0.001" },
    { ".5", "0.5" },
    { "Inf", "inf" },
    { "+NaN", "nan" },
    { "'a\\'b\\n\\x41\\u00e9\\101'", "'a'b\nA\xc3\xa9" "A'" },
    { "label_replace(a, 'b', '$1', 'c', '(.*)')", "label_replace({__name__=a}, 'b', '$1', 'c', '(.*)')" },
};

static void test_good(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(good); i++) {
        struct promql p;
        struct fault f = { 0 };
        struct buf b;
        buf_init(&b, 10000);
        enum err e = promql_parse(&mem, str_c(good[i].in), &p, &f);
        if (!e)
            show(&b, p.root);
        if (e || !str_eq(buf_view(&b), str_c(good[i].want))) {
            printf("row %zu: %s\n  got  " STR_FMT "%s\n  want %s\n", i, good[i].in, STR_ARG(buf_view(&b)), f.msg, good[i].want);
            fail();
        }
        promql_done(&p);
        buf_done(&b);
    }
    arena_done(&mem);
}

static const struct {
    const char *in, *want;
} bad[] = {
    { "", "unknown position: parse error: no expression found in input" },
    { "# only a comment", "1:1: parse error: no expression found in input" },
    { "(", "1:2: parse error: unclosed left parenthesis" },
    { ")", "1:1: parse error: unexpected right parenthesis ')'" },
    { "a b", "1:3: parse error: unexpected identifier \"b\"" },
    { "a\n  b", "2:3: parse error: unexpected identifier \"b\"" },
    { "a{b=c}", "1:5: parse error: unexpected identifier \"c\" in label matching, expected string" },
    { "a{b}", "1:4: parse error: unexpected \"}\" in label matching, expected label matching operator" },
    { "a{b='c',,}", "1:9: parse error: unexpected \",\" in label matching, expected identifier or \"}\"" },
    { "a{b='c' d='e'}", "1:9: parse error: unexpected identifier \"d\" in label matching, expected \",\" or \"}\"" },
    { "a{b=~'*'}", "1:3: parse error: error parsing regexp" },
    { "{a=''}", "1:1: parse error: vector selector must contain at least one non-empty matcher" },
    { "a[5x]", "1:3: parse error: bad number or duration syntax: \"5\"" },
    { "a[5m", "1:5: parse error: unexpected end of input in duration expression" },
    { "a[]", "1:3: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()" },
    { "a[-1m]", "1:3: parse error: duration must be greater than 0" },
    { "a[5m:1m:1m]", "1:8: parse error: unexpected colon ':'" },
    { "sum(a)[5m]", "1:7: parse error: ranges only allowed for vector selectors" },
    { "a offset", "1:9: parse error: unexpected end of input in offset, expected number, duration, step(), or range()" },
    { "(a) offset 5m", "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery" },
    { "a @ b", "1:5: parse error: unexpected identifier \"b\" in @, expected timestamp" },
    { "a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times" },
    { "a @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: inf" },
    { "a[5m] anchored smoothed", "1:1: parse error: anchored and smoothed modifiers cannot be used together" },
    { "nope(a)", "1:1: parse error: unknown function with name \"nope\"" },
    { "rate(a)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector" },
    { "time(1)", "1:1: parse error: expected 0 argument(s) in call to \"time\", got 1" },
    { "round(a, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3" },
    { "label_join(a, 'b')", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 2" },
    { "abs(a,)", "1:6: parse error: trailing commas not allowed in function call args" },
    { "sum(a, b)", "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 1, got 2" },
    { "sum by (a", "1:10: parse error: unclosed left parenthesis" },
    { "topk('a', b)", "1:6: parse error: expected type scalar in aggregation parameter, got string" },
    { "1 == 2", "1:3: parse error: comparisons between scalars must use BOOL modifier" },
    { "a and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression" },
    { "a and on (b) group_left c", "1:1: parse error: no grouping allowed for \"and\" operation" },
    { "a + on (b) group_left (b) c", "1:3: parse error: label \"b\" must not occur in ON and GROUP clause at once" },
    { "1 + on (b) a", "1:1: parse error: vector matching only allowed between instant vectors" },
    { "a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators" },
    { "a[5m] + 1", "1:1: parse error: binary expression must contain only scalar and instant vector types" },
    { "-'a'", "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\"" },
    { "1[5m:]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead" },
    { "'a", "1:1: parse error: unterminated quoted string" },
    { "`a", "1:1: parse error: unterminated raw string" },
    { "'\\q'", "1:1: parse error: unknown escape sequence 'q'" },
    { "'\\ud800'", "1:1: parse error: escape sequence is an invalid Unicode code point" },
    { "'\xff'", "1:1: parse error: invalid UTF-8 rune" },
    { "a;", "1:2: parse error: unexpected character: ';'" },
    { "a!", "1:2: parse error: unexpected character after '!': '\xef\xbf\xbd'" },
    { "a =~ b", "1:3: parse error: unexpected character after '=': '~'" },
    { "1e", "1:1: parse error: bad number or duration syntax: \"1e\"" },
    { "1.2.3", "1:1: parse error: bad number or duration syntax: \"1.2.\"" },
    { "1.5m", "1:1: parse error: not a valid duration string: \"1.5m\"" },
};

static void test_bad(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(bad); i++) {
        struct promql p;
        struct fault f = { 0 };
        enum err e = promql_parse(&mem, str_c(bad[i].in), &p, &f);
        if (e != E_SYNTAX || !str_starts(str_c(f.msg), str_c(bad[i].want))) {
            printf("row %zu: %s\n  got  %d %s\n  want %s\n", i, bad[i].in, e, f.msg, bad[i].want);
            fail();
        }
        promql_done(&p);
    }
    arena_done(&mem);
}

/* Nesting has a limit, wherever it nests. */
static void test_depth(void **state)
{
    (void)state;
    static const struct { const char *open, *close; } rows[] = {
        { "(", ")" }, { "-", "" }, { "abs(", ")" }, { "1 ^ ", "" }, { "sum(", ")" }, { "a + (", ")" },
    };
    enum { DEEP = 5000 };
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        for (int k = 0; k < DEEP; k++)
            buf_str(&b, str_c(rows[i].open));
        buf_str(&b, S("a"));
        for (int k = 0; k < DEEP; k++)
            buf_str(&b, str_c(rows[i].close));
        struct promql p;
        struct fault f = { 0 };
        assert_int_equal(promql_parse(&mem, buf_view(&b), &p, &f), E_SYNTAX);
        if (str_find(str_c(f.msg), S("nested deeper than the limit of")) == SIZE_MAX) {
            printf("row %zu: %s\n", i, f.msg);
            fail();
        }
        promql_done(&p);
        buf_done(&b);
    }
    arena_done(&mem);
}

/* Chains nest to the left without nesting as they are written; they have a limit of their own. */
static void test_links(void **state)
{
    (void)state;
    static const struct { const char *head, *link, *tail; } rows[] = {
        { "1", "+1", "" }, { "a", " or a", "" }, { "a", "[1m:1m]", "" }, { "a[1m", "+1m", "]" }, { "(a) offset (1m", "*1", ")" },
    };
    enum { LONG = 100000 };
    struct arena mem;
    arena_init(&mem, 64 << 20);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        buf_str(&b, str_c(rows[i].head));
        for (int k = 0; k < LONG; k++)
            buf_str(&b, str_c(rows[i].link));
        buf_str(&b, str_c(rows[i].tail));
        assert_false(b.bad);
        struct promql p;
        struct fault f = { 0 };
        assert_int_equal(promql_parse(&mem, buf_view(&b), &p, &f), E_SYNTAX);
        if (str_find(str_c(f.msg), S("more than the limit of 4000 operators and subqueries")) == SIZE_MAX) {
            printf("row %zu: %s\n", i, f.msg);
            fail();
        }
        promql_done(&p);
        buf_done(&b);
    }
    arena_done(&mem);
}

/* match[] takes a selector and nothing else. */
static void test_selector(void **state)
{
    (void)state;
    static const struct { const char *in, *error; } rows[] = {
        { "a", NULL }, { "{a='b'}", NULL }, { "a{b='c'}", NULL }, { "sum", NULL }, { "{}", NULL },
        { "{", "1:2: parse error: unexpected end of input inside braces" },
        { "a[5m]", "1:2: parse error: unexpected \"[\"" },
        { "rate(a[5m])", "1:5: parse error: unexpected \"(\"" },
        { "", "1:1: parse error: unexpected end of input" },
        { "1", "1:1: parse error: unexpected number \"1\"" },
    };
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct promql p;
        struct fault f = { 0 };
        enum err e = promql_parse_selector(&mem, str_c(rows[i].in), &p, &f);
        if ((e != OK) != (rows[i].error != NULL) || (e && !str_eq(str_c(f.msg), str_c(rows[i].error)))) {
            printf("row %zu: %s: %d %s\n", i, rows[i].in, e, f.msg);
            fail();
        }
        promql_done(&p);
    }
    arena_done(&mem);
}

static void each_fn(void *arg, const struct fn_def *fn)
{
    uint32_t *n = arg;
    ++*n;
    assert_ptr_equal(fn_find(fn->name), fn);       /* no name twice */
    assert_true(fn_nargs(fn) <= FN_ARGS_MAX);
    assert_true((fn->kind == FN_MATH) == (fn->math != NULL));
    assert_true((fn->kind == FN_WINDOW) == (fn->window != NULL));
    assert_true((fn->kind == FN_VECTOR) == (fn->vector != NULL));
    assert_true((fn->kind == FN_SCALAR) == (fn->scalar != NULL));
}

static void test_functions(void **state)
{
    (void)state;
    uint32_t n = 0;
    fn_each(each_fn, &n);
    assert_true(n > 80);
    assert_null(fn_find(S("nope")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),     cmocka_unit_test(test_bad),       cmocka_unit_test(test_depth), cmocka_unit_test(test_links),
        cmocka_unit_test(test_selector), cmocka_unit_test(test_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
