/* Snappy's block format: there and back, the limit, what is no block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/zip.h"

static void there_and_back(void **state)
{
    (void)state;
    struct buf text, packed, out = { 0 };
    struct fault f = { 0 };
    buf_init(&text, 1 << 20);
    buf_init(&packed, 1 << 20);
    for (unsigned i = 0; i < 20000; i++)
        buf_fmt(&text, "row %u,", i % 37);
    assert_int_equal(zip_snappy(buf_view(&text), &packed), OK);
    assert_true(packed.n < text.n / 4);
    assert_int_equal(zip_unsnappy(buf_view(&packed), text.n, &out, &f), OK);
    assert_true(str_eq(buf_view(&out), buf_view(&text)));

    buf_clear(&out);
    assert_int_equal(zip_unsnappy(buf_view(&packed), text.n - 1, &out, &f), E_LIMIT);
    for (size_t n = 0; n < packed.n; n += 97) {
        buf_clear(&out);
        assert_int_equal(zip_unsnappy((struct str){ packed.p, n }, text.n, &out, &f), E_SYNTAX);
        assert_int_equal(out.n, 0);
    }
    buf_done(&text);
    buf_done(&packed);
    buf_done(&out);
}

static void not_a_block(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        enum err err;
    } rows[] = {
        { S(""), E_SYNTAX },
        { S("\0"), OK },                           /* nothing, packed */
        { S("\xff\xff\xff\xff\x0f"), E_SYNTAX },   /* claims 4 GB */
        { S("\xff\xff\xff\xff\xff\xff"), E_SYNTAX },
        { S("\x05\x10hello"), OK },
        { S("\x05\x10hell"), E_SYNTAX },
        { S("\x04\x10hello"), E_SYNTAX },
        { S("\x06\x10hello"), E_SYNTAX },
        { S("plain text"), E_SYNTAX },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct buf out = { 0 };
        struct fault f = { 0 };
        enum err e = zip_unsnappy(rows[i].in, 1 << 20, &out, &f);
        if (e != rows[i].err)
            fail_msg("row %zu: %d %s", i, (int)e, f.msg);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(there_and_back), cmocka_unit_test(not_a_block) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
