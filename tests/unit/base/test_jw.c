/* JSON out, and what was written read back by the parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/jw.h"
#include "base/utf8.h"

static void whole(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4096);
    struct jw w;
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kv_str(&w, S("a"), S("x\"y\\z\n\r\t\b\f\x01\x7f"));
    jw_kv_i64(&w, S("b"), INT64_MIN);
    jw_kv_bool(&w, S("c"), true);
    jw_key(&w, S("\"d\""));
    jw_arr(&w);
    jw_f64(&w, 1.5);
    jw_f64(&w, (double)NAN);
    jw_f64(&w, -HUGE_VAL);
    jw_num_str(&w, 1e21);
    jw_num_str(&w, HUGE_VAL);
    jw_u64(&w, UINT64_MAX);
    jw_null(&w);
    jw_raw(&w, S("{\"r\":1}"));
    jw_arr(&w);
    jw_arr_end(&w);
    jw_obj(&w);
    jw_obj_end(&w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    assert_false(b.bad);
    struct str want = S("{\"a\":\"x\\\"y\\\\z\\n\\r\\t\\b\\f\\u0001\x7f\",\"b\":-9223372036854775808,\"c\":true,\"\\\"d\\\"\":"
                        "[1.5,null,null,\"1000000000000000000000\",\"+Inf\",18446744073709551615,null,{\"r\":1},[],{}]}");
    if (!str_eq(buf_view(&b), want))
        fail_msg(STR_FMT, STR_ARG(buf_view(&b)));
}

/* Any bytes become valid JSON that reads back as the bytes, or with U+FFFD for what was not UTF-8. */
static void round_trip(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    static const struct { struct str in, out; } rows[] = {
        { S(""), S("") },
        { S("plain"), S("plain") },
        { S("\xc3\xa9\xf0\x9f\x98\x80"), S("\xc3\xa9\xf0\x9f\x98\x80") },
        { S("a\xff" "b"), S("a\xef\xbf\xbd" "b") },
        { S("\xed\xa0\x80"), S("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") },
        { S("\xf4\x90\x80\x80"), S("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") },
        { S("\xe2\x82"), S("\xef\xbf\xbd\xef\xbf\xbd") },
        { S("\0\x1f"), S("\0\x1f") },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 4096);
        struct jw w;
        jw_init(&w, &b);
        jw_str(&w, rows[i].in);
        struct json j;
        json_init(&j, buf_view(&b), &mem);
        if (json_next(&j) != J_STR || !str_eq(j.s, rows[i].out))
            fail_msg("row %zu: " STR_FMT, i, STR_ARG(buf_view(&b)));
        assert_int_equal(json_next(&j), J_END);
    }
    arena_done(&mem);
}

static void a_full_buffer_is_sticky(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4);
    struct jw w;
    jw_init(&w, &b);
    jw_arr(&w);
    jw_str(&w, S("too long"));
    jw_str(&w, S("x"));
    jw_arr_end(&w);
    assert_true(b.bad);
}

/* Every code point there and back, and every pair of bytes for agreement of step and valid. */
static void utf8(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char out[4];
        size_t n = utf8_encode(out, c);
        struct str s = { out, n };
        bool surrogate = c >= 0xd800 && c <= 0xdfff;
        if (utf8_step(s, 0) != n || !utf8_valid(s) || str_eq(s, UTF8_REPLACEMENT) != (surrogate || c == 0xfffd))
            fail_msg("U+%04X", c);
        for (size_t cut = 1; cut < n; cut++)
            assert_int_equal(utf8_step((struct str){ out, cut }, 0), 0);
    }
    static const struct str bad[] = { S("\x80"), S("\xc0\x80"), S("\xc1\xbf"), S("\xe0\x9f\xbf"), S("\xed\xa0\x80"),
                                      S("\xf0\x8f\xbf\xbf"), S("\xf4\x90\x80\x80"), S("\xf5\x80\x80\x80"), S("\xff") };
    for (size_t i = 0; i < LEN(bad); i++)
        assert_false(utf8_valid(bad[i]));
    assert_true(utf8_valid(S("sixteen ascii ch\xc3\xa9")));
    assert_false(utf8_valid(S("sixteen ascii ch\xc3")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole), cmocka_unit_test(round_trip), cmocka_unit_test(a_full_buffer_is_sticky), cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
