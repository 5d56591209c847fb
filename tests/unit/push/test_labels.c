/* The text of a stream's labels: what it means, or where and why it is refused; and back to text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "push/entries.h"

static const struct {
    struct str in;
    const char *want;            /* as text again, or the error */
    enum err err;
} rows[] = {
    { S("{}"), "{}", OK },
    { S(" { } "), "{}", OK },
    { S("{a=\"b\"}"), "{a=\"b\"}", OK },
    { S("{a=\"b\",}"), "{a=\"b\"}", OK },
    { S("{ a = \"b\" , _c9='d' }"), "{a=\"b\", _c9=\"d\"}", OK },
    { S("{a=`b\\n`}"), "{a=\"b\\\\n\"}", OK },
    { S("m{a=\"b\"}"), "{__name__=\"m\", a=\"b\"}", OK },
    { S("job:m"), "{__name__=\"job:m\"}", OK },
    { S("{a=\"\\\"\\\\\\n\\t\\x41\\101\\u00e4\"}"), "{a=\"\\\"\\\\\\n\\tAA\xc3\xa4\"}", OK },
    { S("{a='it\\'s'}"), "{a=\"it's\"}", OK },
    { S("{a=\"\"}"), "{a=\"\"}", OK },
    { S("{a=\"1\", a=\"2\"}"), "{a=\"1\", a=\"2\"}", OK },
    { S(""), "1:1: parse error: unexpected end of input", E_SYNTAX },
    { S("{"), "1:2: parse error: unexpected end of input inside braces", E_SYNTAX },
    { S("{a"), "1:3: parse error: unexpected end of input inside braces", E_SYNTAX },
    { S("{a="), "1:4: parse error: unexpected end of input inside braces", E_SYNTAX },
    { S("{a=\"b\""), "1:7: parse error: unexpected end of input inside braces", E_SYNTAX },
    { S("{a=\"b"), "1:4: parse error: unterminated quoted string", E_SYNTAX },
    { S("{a=\"b\\"), "1:4: parse error: unterminated quoted string", E_SYNTAX },
    { S("{a=`b"), "1:4: parse error: unterminated raw string", E_SYNTAX },
    { S("{a=\"b\nc\"}"), "1:4: parse error: unterminated quoted string", E_SYNTAX },
    { S("{a=\"\\q\"}"), "1:4: parse error: unknown escape sequence", E_SYNTAX },
    { S("{a=\"\\'\"}"), "1:4: parse error: unknown escape sequence", E_SYNTAX },
    { S("{a=\"\\ud800\"}"), "1:4: parse error: unknown escape sequence", E_SYNTAX },
    { S("{a=\"\\777\"}"), "1:4: parse error: unknown escape sequence", E_SYNTAX },
    { S("{a=\"\xff\"}"), "1:4: parse error: invalid UTF-8 rune", E_SYNTAX },
    { S("{a=\"\\xff\"}"), "1:4: parse error: invalid UTF-8 rune", E_SYNTAX },
    { S("{a-b=\"c\"}"), "1:3: parse error: unexpected character inside braces: '-'", E_SYNTAX },
    { S("{9a=\"c\"}"), "1:2: parse error: unexpected character inside braces: '9'", E_SYNTAX },
    { S("{=\"c\"}"), "1:2: parse error: unexpected \"=\" in label set, expected identifier or \"}\"", E_SYNTAX },
    { S("{a=b}"), "1:4: parse error: unexpected \"b\" in label set, expected string", E_SYNTAX },
    { S("{a=\"b\" c=\"d\"}"), "1:8: parse error: unexpected \"c\" in label set, expected \",\" or \"}\"", E_SYNTAX },
    { S("{a=\"b\"} x"), "1:9: parse error: unexpected x", E_SYNTAX },
    { S("a b"), "1:3: parse error: unexpected b", E_SYNTAX },
};

static void texts(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct label *l = NULL;
        uint32_t n = 0;
        struct fault f = { 0 };
        enum err e = labels_parse(rows[i].in, &mem, &l, &n, &f);
        struct str got = e ? str_c(f.msg) : series_text(l, n, &mem);
        if (e != rows[i].err || !str_eq(got, str_c(rows[i].want)))
            fail_msg("%s: %d " STR_FMT, rows[i].in.n ? rows[i].in.p : "", (int)e, STR_ARG(got));
    }
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(texts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
