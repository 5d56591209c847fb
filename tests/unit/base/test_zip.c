/* Compression: there and back, exact limits, every way to be cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/zip.c"

struct codec {
    const char *name;
    enum err (*pack)(struct str in, int level, struct buf *ret);
    enum err (*unpack)(struct str in, size_t max, struct buf *ret, struct fault *f);
};

static enum err zlib_pack(struct str in, int level, struct buf *ret)
{
    char *out = buf_room(ret, libdeflate_zlib_compress_bound(deflater(level), in.n));
    buf_grew(ret, libdeflate_zlib_compress(deflater(level), in.p, in.n, out, ret->cap - ret->n));
    return OK;
}

static enum err raw_pack(struct str in, int level, struct buf *ret)
{
    char *out = buf_room(ret, libdeflate_deflate_compress_bound(deflater(level), in.n));
    buf_grew(ret, libdeflate_deflate_compress(deflater(level), in.p, in.n, out, ret->cap - ret->n));
    return OK;
}

/* A frame that does not say how much it holds. */
static enum err zstd_stream_pack(struct str in, int level, struct buf *ret)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
    char *out = buf_room(ret, ZSTD_compressBound(in.n));
    buf_grew(ret, ZSTD_compress2(c, out, ZSTD_compressBound(in.n), in.p, in.n));
    (void)ZSTD_freeCCtx(c);
    return OK;
}

static const struct codec codecs[] = {
    { "gzip", zip_gzip, zip_gunzip },        { "zlib", zlib_pack, zip_inflate },
    { "raw deflate", raw_pack, zip_inflate }, { "zstd", zip_zstd, zip_unzstd },
    { "zstd stream", zstd_stream_pack, zip_unzstd },
};

/* Text that compresses well: `n` bytes. */
static struct buf sample(size_t n)
{
    struct buf b;
    buf_init(&b, n + 64);
    for (unsigned i = 0; b.n < n; i++)
        buf_fmt(&b, "row %u of the sample;", i % 37);
    b.n = n;
    return b;
}

static void round_trip_and_limit(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 100, 5000, 300000, 3000000 };
    for (size_t c = 0; c < LEN(codecs); c++) {
        for (size_t i = 0; i < LEN(sizes); i++) {
            CLEANUP(buf_done) struct buf in = sample(sizes[i]), packed = { 0 }, out = { 0 };
            buf_init(&packed, 8 << 20);
            assert_int_equal(codecs[c].pack(buf_view(&in), 6, &packed), OK);
            struct fault f = { 0 };
            enum err e = codecs[c].unpack(buf_view(&packed), in.n, &out, &f);
            if (e || !str_eq(buf_view(&out), buf_view(&in)))
                fail_msg("%s, %zu bytes: %d %s", codecs[c].name, sizes[i], e, f.msg);
            if (in.n == 0)
                continue;
            buf_clear(&out);
            e = codecs[c].unpack(buf_view(&packed), in.n - 1, &out, &f);
            if (e != E_LIMIT || out.n != 0)
                fail_msg("%s, one byte over: %d %s", codecs[c].name, e, f.msg);
        }
    }
}

static void cut_short(void **state)
{
    (void)state;
    for (size_t c = 0; c < LEN(codecs); c++) {
        CLEANUP(buf_done) struct buf in = sample(600), packed = { 0 }, out = { 0 };
        buf_init(&packed, 1 << 20);
        assert_int_equal(codecs[c].pack(buf_view(&in), 6, &packed), OK);
        for (size_t n = 0; n < packed.n; n++) {
            buf_clear(&out);
            struct fault f = { 0 };
            /* A copy of just that size, so that the sanitizer sees every byte read too far. */
            char *exact = mem_alloc(n);
            memcpy(exact, packed.p, n);
            enum err e = codecs[c].unpack((struct str){ exact, n }, 1 << 20, &out, &f);
            mem_free(exact);
            if (e != E_SYNTAX || out.n)
                fail_msg("%s cut to %zu bytes: %d %s", codecs[c].name, n, e, f.msg);
        }
    }
}

/* Several members, after bytes that are there already; garbage behind them undoes all. */
static void members(void **state)
{
    (void)state;
    for (size_t c = 0; c < LEN(codecs); c++) {
        if (codecs[c].unpack == zip_inflate)
            continue;
        CLEANUP(buf_done) struct buf in = sample(5000), packed = { 0 }, out = { 0 };
        buf_init(&packed, 1 << 20);
        buf_init(&out, 20000);
        buf_str(&out, S("before"));
        for (int i = 0; i < 3; i++)
            assert_int_equal(codecs[c].pack(buf_view(&in), 1 + i, &packed), OK);
        assert_int_equal(codecs[c].unpack(buf_view(&packed), 3 * in.n, &out, NULL), OK);
        assert_int_equal(out.n, 6 + 3 * in.n);
        assert_memory_equal(out.p, "before", 6);
        assert_memory_equal(out.p + 6 + 2 * in.n, in.p, in.n);

        out.n = 6;
        assert_int_equal(codecs[c].unpack(buf_view(&packed), 3 * in.n - 1, &out, NULL), E_LIMIT);
        assert_int_equal(out.n, 6);
        buf_str(&packed, S("garbage behind it all"));
        assert_int_equal(codecs[c].unpack(buf_view(&packed), 1 << 20, &out, NULL), E_SYNTAX);
        assert_int_equal(out.n, 6);
        assert_false(out.bad);
    }
}

/* The buffer's own maximum holds as well. */
static void small_buffers(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf in = sample(5000), packed = { 0 }, out = { 0 }, tiny = { 0 };
    buf_init(&packed, 1 << 20);
    assert_int_equal(zip_gzip(buf_view(&in), 6, &packed), OK);
    buf_init(&out, in.n - 1);
    assert_int_equal(zip_gunzip(buf_view(&packed), 1 << 20, &out, NULL), E_LIMIT);
    buf_init(&tiny, 10);
    assert_int_equal(zip_gzip(buf_view(&in), 6, &tiny), E_LIMIT);
    assert_int_equal(zip_zstd(buf_view(&in), 1, &tiny), E_LIMIT);
    buf_str(&tiny, S("longer than ten bytes"));
    assert_int_equal(zip_gunzip(buf_view(&packed), 1 << 20, &tiny, NULL), E_LIMIT);
    assert_int_equal(zip_unzstd(buf_view(&packed), 1 << 20, &tiny, NULL), E_LIMIT);
}

static void exact(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf in = sample(5000), packed = { 0 };
    buf_init(&packed, 1 << 20);
    assert_int_equal(zip_zstd(buf_view(&in), 1, &packed), OK);
    char out[5001];
    assert_int_equal(zip_unzstd_exact(buf_view(&packed), out, 5000, NULL), OK);
    assert_memory_equal(out, in.p, 5000);
    assert_int_equal(zip_unzstd_exact(buf_view(&packed), out, 5001, NULL), E_CORRUPT);
    assert_int_equal(zip_unzstd_exact(buf_view(&packed), out, 4999, NULL), E_CORRUPT);
    packed.p[packed.n / 2] = (char)(packed.p[packed.n / 2] ^ 0x55);
    packed.n--;
    assert_int_equal(zip_unzstd_exact(buf_view(&packed), out, 5000, NULL), E_CORRUPT);
}

/* Of a frame that is cut anywhere: a beginning of what it held, all of it when it is whole. */
static void some(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf in = sample(300000), packed = { 0 }, out = { 0 };
    buf_init(&packed, 1 << 20);
    buf_init(&out, 1 << 20);
    assert_int_equal(zip_zstd(buf_view(&in), 1, &packed), OK);
    buf_str(&packed, S("and what follows"));
    size_t whole = packed.n - S("and what follows").n;
    for (size_t cut = 0; cut <= packed.n; cut += cut < 64 ? 1 : 997) {
        buf_clear(&out);
        zip_unzstd_some(str_sub(buf_view(&packed), 0, cut), 1 << 20, &out);
        assert_true(out.n <= in.n && !memcmp(out.p ? out.p : "", in.p, out.n));
        assert_true(cut < whole || out.n == in.n);
    }
    buf_clear(&out);
    zip_unzstd_some(buf_view(&packed), 1000, &out);
    assert_int_equal(out.n, 1000);
    buf_clear(&out);
    zip_unzstd_some(S("no frame at all"), 1000, &out);
    assert_int_equal(out.n, 0);
}

static void *thread(void *arg)
{
    CLEANUP(buf_done) struct buf in = sample(40000), packed = { 0 }, out = { 0 };
    buf_init(&packed, 1 << 20);
    for (int i = 0; i < 20; i++) {
        buf_clear(&packed);
        buf_clear(&out);
        CHECK(zip_gzip(buf_view(&in), 1 + i % 6, &packed) == OK && zip_gunzip(buf_view(&packed), in.n, &out, NULL) == OK);
        CHECK(str_eq(buf_view(&in), buf_view(&out)));
    }
    return arg;
}

static void threads(void **state)
{
    (void)state;
    pthread_t t[4];
    for (size_t i = 0; i < LEN(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, thread, NULL), 0);
    for (size_t i = 0; i < LEN(t); i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_and_limit), cmocka_unit_test(cut_short), cmocka_unit_test(members),
        cmocka_unit_test(small_buffers),        cmocka_unit_test(exact),     cmocka_unit_test(some),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
