/* JSON in: each row is a document and the tokens it gives, as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

/* One word per token: the brackets, k:key, s:string, n:number, T, F, N, ".", or "!offset". */
static void tokens_of(struct str in, struct arena *mem, struct buf *out)
{
    struct json j;
    json_init(&j, in, mem);
    for (;;) {
        enum json_tok t = json_next(&j);
        static const char *const words[] = { "!", ".", "{", "}", "[", "]", "k:", "s:", "n:", "T", "F", "N" };
        buf_fmt(out, "%s", words[t]);
        if (t == J_KEY || t == J_STR || t == J_NUM)
            buf_str(out, j.s);
        if (t == J_ERR)
            buf_fmt(out, "%zu", j.fault.at);
        if (t == J_ERR || t == J_END) {
            assert_int_equal(json_next(&j), t);    /* for ever */
            return;
        }
        buf_byte(out, ' ');
    }
}

static const struct { struct str in, want; } rows[] = {
    { S("1"), S("n:1 .") },
    { S(" \t\r\n-0.5e+10 "), S("n:-0.5e+10 .") },
    { S("{}"), S("{ } .") },
    { S("[]"), S("[ ] .") },
    { S("{\"a\":1,\"b\":[true,false,null]}"), S("{ k:a n:1 k:b [ T F N ] } .") },
    { S("[[],{},[{\"x\":\"\"}]]"), S("[ [ ] { } [ { k:x s: } ] ] .") },
    { S("\"a\\\\b\\\"c\\/\\n\\t\""), S("s:a\\b\"c/\n\t .") },
    { S("\"\\u00e9\\u20ac\""), S("s:\xc3\xa9\xe2\x82\xac .") },
    { S("\"\\ud83d\\ude00\""), S("s:\xf0\x9f\x98\x80 .") },
    { S("\"\\ud83d\""), S("s:\xef\xbf\xbd .") },
    { S("\"\\ude00x\""), S("s:\xef\xbf\xbdx .") },
    { S("\"\\ud83d\\u0041\""), S("s:\xef\xbf\xbd" "A .") },
    { S("\"\\u0000\""), S("s:\0 .") },
    { S("\"\xff\xc3\xa9\xc0\x80\""), S("s:\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd .") },
    { S("\"long enough for the fast path \xe2\x82\xac and on it goes\""), S("s:long enough for the fast path \xe2\x82\xac and on it goes .") },
    /* Refused, and where. */
    { S(""), S("!0") },
    { S("  "), S("!2") },
    { S("{"), S("{ !1") },
    { S("[1,]"), S("[ n:1 !3") },
    { S("[,1]"), S("[ !1") },
    { S("[1 2]"), S("[ n:1 !3") },
    { S("{\"a\"}"), S("{ !4") },
    { S("{\"a\":}"), S("{ k:a !5") },
    { S("{\"a\":1,}"), S("{ k:a n:1 !7") },
    { S("{a:1}"), S("{ !1") },
    { S("{1:1}"), S("{ !1") },
    { S("[1}"), S("[ n:1 !2") },
    { S("1 1"), S("n:1 !2") },
    { S("{} x"), S("{ } !3") },
    { S("01"), S("n:0 !1") },
    { S("-"), S("!1") },
    { S("+1"), S("!0") },
    { S(".5"), S("!0") },
    { S("1."), S("!2") },
    { S("1e"), S("!2") },
    { S("tru"), S("!0") },
    { S("nulL"), S("!0") },
    { S("NaN"), S("!0") },
    { S("\"abc"), S("!4") },
    { S("\"abc\\"), S("!5") },
    { S("\"a\nb\""), S("!2") },
    { S("\"0123456789\x01\""), S("!11") },
    { S("\"a\\x\""), S("!2") },
    { S("\"\\u12g4\""), S("!1") },
    { S("\"\\u12\""), S("!1") },
    { S("'a'"), S("!0") },
    { S("\xef\xbb\xbf" "1"), S("!0") },            /* a byte order mark is not JSON */
};

static void documents(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < LEN(rows); i++) {
        buf_clear(&out);
        tokens_of(rows[i].in, &mem, &out);
        if (!str_eq(buf_view(&out), rows[i].want))
            fail_msg("row %zu: '" STR_FMT "' gave '" STR_FMT "'", i, STR_ARG(rows[i].in), STR_ARG(buf_view(&out)));
    }
    arena_done(&mem);
}

/* A string without escapes is a slice of the input, wherever its end falls. */
static void borrowed_strings(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t n = 0; n < 40; n++) {
        struct str in = arena_fmt(&mem, "\"%.*s\"", (int)n, "0123456789012345678901234567890123456789");
        struct json j;
        json_init(&j, in, &mem);
        assert_int_equal(json_next(&j), J_STR);
        assert_ptr_equal(j.s.p, in.p + 1);
        assert_int_equal(j.s.n, n);
    }
    arena_done(&mem);
}

static void depth(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (int n = JSON_DEPTH_MAX - 1; n <= JSON_DEPTH_MAX + 1; n++) {
        char *in = arena_alloc(&mem, (size_t)n, 1);
        for (int i = 0; i < n; i++)
            in[i] = '[';
        struct json j;
        json_init(&j, (struct str){ in, (size_t)n }, &mem);
        int opened = 0;
        while (json_next(&j) == J_ARR)
            opened++;
        assert_int_equal(opened, MIN(n, (int)JSON_DEPTH_MAX));
        assert_int_equal(j.fault.code, n > JSON_DEPTH_MAX ? E_LIMIT : E_SYNTAX);
    }
    arena_done(&mem);
}

static void skipping(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct json j;
    json_init(&j, S("{\"a\":{\"x\":[1,{}]},\"b\":2,\"c\":[3],\"d\":4}"), &mem);
    assert_int_equal(json_next(&j), J_OBJ);
    assert_int_equal(json_next(&j), J_KEY);
    json_skip(&j);                                 /* after a key: its value */
    assert_int_equal(json_next(&j), J_KEY);
    assert_true(str_eq(j.s, S("b")));
    assert_int_equal(json_next(&j), J_NUM);
    json_skip(&j);                                 /* a scalar has nothing more */
    assert_int_equal(json_next(&j), J_KEY);
    assert_int_equal(json_next(&j), J_ARR);
    json_skip(&j);
    assert_int_equal(json_next(&j), J_KEY);
    assert_true(str_eq(j.s, S("d")));
    json_skip(&j);
    assert_int_equal(json_next(&j), J_OBJ_END);
    assert_int_equal(json_next(&j), J_END);

    json_init(&j, S("[[1,"), &mem);
    assert_int_equal(json_next(&j), J_ARR);
    json_skip(&j);
    assert_int_equal(j.tok, J_ERR);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents), cmocka_unit_test(borrowed_strings), cmocka_unit_test(depth), cmocka_unit_test(skipping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
