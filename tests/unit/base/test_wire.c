/* The protobuf cursor: what it reads, and where it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../otlp/enc.h"
#include "base/wire.h"

#define BYTES(lit) S(lit)

/* Reads everything by its type; prints field, type and value. Nested messages stay bytes. */
static void walk(struct str in, char *out, size_t max)
{
    struct wire w = wire_of(in);
    size_t n = 0;
    out[0] = 0;
    while (wire_next(&w)) {
        unsigned long long v = 0;
        struct str s = { 0 };
        switch (w.type) {
        case WIRE_VARINT:
            v = wire_varint(&w);
            break;
        case WIRE_I64:
            v = wire_fixed64(&w);
            break;
        case WIRE_I32:
            v = wire_fixed32(&w);
            break;
        case WIRE_LEN:
            s = wire_bytes(&w);
            v = s.n;
            break;
        }
        if (!w.bad)
            n += (size_t)snprintf(out + n, max - n, "%u:%u=%llu ", w.field, (unsigned)w.type, v);
    }
    if (w.bad)
        snprintf(out + n, max - n, "bad@%zu", (size_t)(w.at - (const uint8_t *)in.p));
}

static const struct {
    const char *what;
    struct str in;
    const char *want;
} rows[] = {
    { "nothing", S(""), "" },
    { "one byte", BYTES("\x08\x05"), "1:0=5 " },
    { "two bytes", BYTES("\x08\xac\x02"), "1:0=300 " },
    { "all 64 bits", BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "1:0=18446744073709551615 " },
    { "65 bits", BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "bad@1" },
    { "eleven bytes", BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00"), "bad@1" },
    { "varint cut off", BYTES("\x08\x80"), "bad@1" },
    { "needless zeros are fine", BYTES("\x08\x85\x80\x00"), "1:0=5 " },
    { "fixed64", BYTES("\x11\x01\x02\x00\x00\x00\x00\x00\x80"), "2:1=9223372036854776321 " },
    { "fixed64 cut off", BYTES("\x11\x01\x02\x00\x00\x00\x00\x00"), "bad@1" },
    { "fixed32", BYTES("\x1d\x01\x02\x00\x80"), "3:5=2147484161 " },
    { "fixed32 cut off", BYTES("\x1d\x01"), "bad@1" },
    { "bytes", BYTES("\x22\x03" "abc" "\x08\x01"), "4:2=3 1:0=1 " },
    { "no bytes", BYTES("\x22\x00"), "4:2=0 " },
    { "bytes past the end", BYTES("\x22\x04" "abc"), "bad@1" },
    { "a length of 2^64 - 1", BYTES("\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" "abc"), "bad@1" },
    { "start of a group", BYTES("\x08\x01\x0b\x0c"), "1:0=1 bad@2" },
    { "end of a group", BYTES("\x0c"), "bad@0" },
    { "wire type 6", BYTES("\x0e"), "bad@0" },
    { "wire type 7", BYTES("\x0f"), "bad@0" },
    { "field 0", BYTES("\x00\x01"), "bad@0" },
    { "the largest field", BYTES("\xf8\xff\xff\xff\x0f\x01"), "536870911:0=1 " },
    { "one more", BYTES("\x80\x80\x80\x80\x10\x01"), "bad@0" },
    { "tag cut off", BYTES("\x08\x01\x80"), "1:0=1 bad@2" },
    { "after the first fault nothing", BYTES("\x0b\x08\x01"), "bad@0" },
};

static void reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        char got[256];
        walk(rows[i].in, got, sizeof got);
        if (!str_eq(str_c(got), str_c(rows[i].want)))
            fail_msg("%s: want '%s', got '%s'", rows[i].what, rows[i].want, got);
    }
}

static void skips(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct wire w = wire_of(rows[i].in);
        unsigned fields = 0, want = 0;
        while (wire_next(&w)) {
            wire_skip(&w);
            fields += !w.bad;
        }
        for (const char *p = rows[i].want; *p; p++)
            want += *p == ' ';
        if (fields != want || w.bad != (str_find(str_c(rows[i].want), S("bad")) != SIZE_MAX))
            fail_msg("%s: %u fields, bad %d", rows[i].what, fields, w.bad);
    }
}

/* A field of another type than its reader's is malformed, not skipped. */
static void typed(void **state)
{
    (void)state;
    struct wire w = wire_of(S("\x08\x05"));
    assert_true(wire_next(&w));
    assert_int_equal(wire_bytes(&w).n, 0);
    assert_true(w.bad);
    assert_false(wire_next(&w));

    w = wire_of(S("\x0a\x01" "a"));
    assert_true(wire_next(&w));
    assert_int_equal(wire_varint(&w), 0);
    assert_true(w.bad);

    w = wire_of(S("\x0d\x01\x02\x03\x04\x05\x06\x07\x08"));
    assert_true(wire_next(&w));
    assert_true(wire_double(&w) == 0 && w.bad);
}

static void nested(void **state)
{
    (void)state;
    /* 1: { 2: { 1: cut off } } 3: 1 */
    struct str in = S("\x0a\x04\x12\x02\x08\x80\x18\x01");
    struct wire w = wire_of(in);
    assert_true(wire_next(&w));
    struct wire a = wire_message(&w);
    assert_true(wire_next(&a));
    struct wire b = wire_message(&a);
    assert_true(wire_next(&b));
    (void)wire_varint(&b);
    wire_close(&a, &b);
    wire_close(&w, &a);
    assert_true(w.bad);
    assert_int_equal(w.at - (const uint8_t *)in.p, 5);
    assert_false(wire_next(&w));
}

static void doubles(void **state)
{
    (void)state;
    static const double values[] = { 0, -0.0, 1, -1.5, 0.1855644, 1e300, 5e-324 };
    for (size_t i = 0; i < LEN(values); i++) {
        struct buf b;
        buf_init(&b, 64);
        enc_double(&b, 4, values[i]);
        struct wire w = wire_of(buf_view(&b));
        assert_true(wire_next(&w));
        double d = wire_double(&w);
        assert_memory_equal(&d, &values[i], sizeof d);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(skips),
        cmocka_unit_test(typed),
        cmocka_unit_test(nested),
        cmocka_unit_test(doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
