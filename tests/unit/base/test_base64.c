/* Base64: texts both ways, what is taken besides, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base64.h"

static const struct { struct str plain, text; } pairs[] = {
    { S(""), S("") }, { S("f"), S("Zg==") }, { S("fo"), S("Zm8=") }, { S("foo"), S("Zm9v") }, { S("foob"), S("Zm9vYg==") },
    { S("fooba"), S("Zm9vYmE=") }, { S("foobar"), S("Zm9vYmFy") }, { S("\xff\xef\x00\x3e"), S("/+8APg==") },
};
static const struct { struct str in, want; bool ok; } others[] = {
    { S("Zg"), S("f"), true }, { S("Zm8"), S("fo"), true }, { S("_-8APg"), S("\xff\xef\x00\x3e"), true }, { S("===="), S(""), true },
    { S("Z"), S(""), false }, { S("Zm9vY"), S(""), false }, { S("Zg==Zg=="), S(""), false }, { S("Zm 9v"), S(""), false },
    { S("Z\x00=="), S(""), false },
};

static void both_ways(void **state)
{
    (void)state;
    struct arena mem;
    char out[64];
    size_t n;
    arena_init(&mem, 1 << 16);
    for (size_t i = 0; i < LEN(pairs); i++) {
        assert_true(str_eq(base64_text(pairs[i].plain, &mem), pairs[i].text));
        assert_true(base64_decode(pairs[i].text, out, &n));
        assert_true(str_eq((struct str){ out, n }, pairs[i].plain));
    }
    for (size_t i = 0; i < LEN(others); i++) {
        bool ok = base64_decode(others[i].in, out, &n);
        if (ok != others[i].ok || (ok && !str_eq((struct str){ out, n }, others[i].want))) {
            print_message("row %zu\n", i);
            fail();
        }
    }
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(both_ways) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
