/* Buffers: the maximum is exact and its failure sticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/num.h"

static void exact_maximum(void **state)
{
    (void)state;
    for (size_t max = 0; max <= 1000; max += 37) {
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            buf_byte(&b, 'x');
        assert_false(b.bad);
        assert_int_equal(b.n, max);
        buf_byte(&b, 'y');
        assert_true(b.bad);
        assert_int_equal(b.n, max);
        assert_true(b.cap <= MAX(max, (size_t)1));
    }
}

static void failure_sticks(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 5);
    buf_str(&b, S("abc"));
    buf_str(&b, S("defg"));                        /* does not fit: nothing of it is kept */
    buf_str(&b, S("h"));                           /* would fit, but comes after the failure */
    assert_true(b.bad && str_eq(buf_view(&b), S("abc")));
    assert_null(buf_room(&b, 0));
    buf_clear(&b);
    buf_str(&b, S("hello"));
    assert_true(!b.bad && str_eq(buf_view(&b), S("hello")));

    struct buf zero = { 0 };
    buf_put(&zero, NULL, 0);
    assert_false(zero.bad);
    buf_byte(&zero, 'x');
    assert_true(zero.bad);
    buf_done(&zero);
}

static void room(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 10000);
    char *p = buf_room(&b, 9000);
    memset(p, 'r', 9000);
    buf_grew(&b, 10);
    assert_int_equal(b.n, 10);
    assert_null(buf_room(&b, 9991));
}

static void formats(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4096);
    buf_fmt(&b, "%d|", 5);
    buf_u64(&b, UINT64_MAX);
    buf_byte(&b, '|');
    buf_i64(&b, INT64_MIN);
    buf_byte(&b, '|');
    buf_f64(&b, 0.25);
    assert_true(str_eq(buf_view(&b), S("5|18446744073709551615|-9223372036854775808|0.25")));

    /* Longer than the stack text, and exactly as long as the maximum. */
    CLEANUP(buf_done) struct buf tight;
    buf_init(&tight, 300);
    buf_fmt(&tight, "%0300d", 1);
    assert_false(tight.bad);
    assert_int_equal(tight.n, 300);
    buf_clear(&tight);
    buf_fmt(&tight, "%0301d", 1);
    assert_true(tight.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_maximum), cmocka_unit_test(failure_sticks), cmocka_unit_test(room), cmocka_unit_test(formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
