/* tests/unit/store/test_cache.c -- the cache of decoded columns: what goes in comes out, the
 * bound holds, the unused go first, and threads may do all of it at once.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "store/cache.h"

static _Atomic int64_t mono_ns;

static int64_t fake_now(void *arg) { (void)arg; return 0; }
static int64_t fake_mono(void *arg) { (void)arg; return mono_ns; }
static const struct clock fake = { .now = fake_now, .mono = fake_mono };

static struct cache_key key(uint64_t chunk, uint32_t column)
{
    return (struct cache_key){ .part = 1, .chunk = chunk, .column = column, .kind = CACHED_COLUMN };
}

static struct cache_key raw_key(uint64_t chunk)
{
    return (struct cache_key){ .part = 1, .chunk = chunk, .column = 0, .kind = CACHED_RAW };
}

/* ---- columns --------------------------------------------------------------- */

static void test_columns(void **state)
{
    (void)state;
    enum { ROWS = 11 };
    const struct value texts[] = { { 0 }, value_str(S("one")), value_str(S("")), value_str(S("three")) };
    const struct value mixed[] = { { 0 }, value_int(7), value_str(S("x")), { .type = V_BYTES, .s = S("\x00\x01") } };
    uint8_t u8[ROWS], valid[2] = { 0x55, 0x05 };
    uint16_t u16[ROWS];
    uint32_t u32[ROWS], same = 3;
    int64_t ints[ROWS];
    double doubles[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) {
        u8[i] = (uint8_t)(i % 4);
        u16[i] = (uint16_t)(i % 4);
        u32[i] = i % 4;
        ints[i] = (int64_t)i - 5;
        doubles[i] = i / 4.0;
    }
    const struct column cols[] = {
        { .key = { PLACE_ATTR, S("u8") }, .code = u8, .form = CODES_U8, .dict = texts, .ndict = 4 },
        { .key = { PLACE_ATTR, S("u16") }, .code = u16, .form = CODES_U16, .dict = mixed, .ndict = 4 },
        { .key = { PLACE_LABEL, S("u32") }, .code = u32, .form = CODES_U32, .dict = texts, .ndict = 4 },
        { .key = { PLACE_ATTR, S("same") }, .code = &same, .form = CODES_SAME, .dict = mixed, .ndict = 4 },
        { .key = { PLACE_ATTR, S("ints") }, .type = V_INT, .i64 = ints },
        { .key = { PLACE_ATTR, S("doubles") }, .type = V_DOUBLE, .f64 = doubles, .valid = valid },
    };
    struct cache *c = cache_new(1 << 20, &fake);
    for (uint32_t k = 0; k < LEN(cols); k++) {
        struct cached *x = cache_keep_column(c, key(1, k), &cols[k], ROWS, 100 + k), *y = cache_get(c, key(1, k));
        assert_non_null(x);
        assert_ptr_equal(x, y);
        assert_int_equal(y->stored, 100 + k);
        assert_true(str_eq(y->col.key.name, cols[k].key.name));
        assert_int_equal(y->col.key.place, cols[k].key.place);
        for (uint32_t i = 0; i < ROWS; i++) {
            struct value want = column_value(&cols[k], i), got = column_value(&y->col, i);
            assert_true(value_eq(&want, &got));
        }
        assert_true(!y->col.text.p == (!cols[k].code || cols[k].dict == mixed));
        if (y->col.text.p)
            assert_true(str_eq(y->col.text, S("onethree")));
        cached_unref(x);
        cached_unref(y);
    }
    assert_null(cache_get(c, key(2, 0)));
    cache_free(c);
}

/* ---- the bound ------------------------------------------------------------- */

static bool put(struct cache *c, uint64_t chunk, size_t n)
{
    static const char bytes[64 << 10];
    struct cached *x = cache_keep_raw(c, raw_key(chunk), 3, 0, (struct str){ bytes, n }, n);
    cached_unref(x);
    return x;
}

static bool has(struct cache *c, uint64_t chunk)
{
    struct cached *x = cache_get(c, raw_key(chunk));
    cached_unref(x);
    return x;
}

static void test_bound(void **state)
{
    (void)state;
    enum { MAX = 256 << 10, EACH = 40 << 10 };
    struct cache *c = cache_new(MAX, &fake);
    uint32_t kept = 0;
    mono_ns = 0;
    for (uint32_t i = 0; i < 20; i++) {
        kept += put(c, i, EACH);
        assert_true(cache_bytes(c) <= MAX);
    }
    assert_int_equal(kept, MAX / (EACH + 200));    /* those in use of late are not put out ... */
    assert_true(has(c, 0));
    mono_ns = 60 * NS_PER_S;
    assert_true(has(c, 1));
    for (uint32_t i = 100; i < 104; i++)
        assert_true(put(c, i, EACH));              /* ... later they are, the longest unused first */
    assert_false(has(c, 5));
    assert_false(has(c, 2));
    assert_true(has(c, 1));
    assert_false(put(c, 200, MAX / 2));            /* too much of the whole for one */

    cache_sweep(c, 60 * NS_PER_S);                 /* used at that moment: they stay */
    assert_true(has(c, 1));
    mono_ns = 200 * NS_PER_S;
    struct cached *held = cache_get(c, raw_key(100));
    cache_sweep(c, INT64_MAX);
    assert_int_equal(cache_bytes(c), 0);
    assert_int_equal(held->raw.n, EACH);           /* who holds it still has it */
    cached_unref(held);
    cache_free(c);
}

/* ---- threads --------------------------------------------------------------- */

static void *worker(void *arg)
{
    struct cache *c = arg;
    for (uint32_t i = 0; i < 4000; i++) {
        uint64_t chunk = i * 7919u % 64;
        mono_ns += NS_PER_S;
        struct cached *x = cache_get(c, raw_key(chunk));
        if (!x) {
            char bytes[5000];
            memset(bytes, (int)chunk, sizeof bytes);
            x = cache_keep_raw(c, raw_key(chunk), 1, 0, (struct str){ bytes, sizeof bytes }, 0);
        }
        for (size_t k = 0; x && k < x->raw.n; k += 999)
            if (x->raw.p[k] != (char)chunk)
                return "another chunk's bytes";
        cached_unref(x);
        if (i % 500 == 0)
            cache_sweep(c, mono_ns - 100 * NS_PER_S);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct cache *c = cache_new(100 << 10, &fake);
    pthread_t t[4];
    for (size_t i = 0; i < LEN(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, worker, c), 0);
    for (size_t i = 0; i < LEN(t); i++) {
        void *wrong;
        assert_int_equal(pthread_join(t[i], &wrong), 0);
        assert_null(wrong);
    }
    cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
