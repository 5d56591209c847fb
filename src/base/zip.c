/* base/zip.c -- the wrapper of libdeflate and libzstd.
 *
 * Everything is decoded in one piece into a buffer that may not pass `max`; no
 * window is ever allocated, so a small input cannot ask for memory. Where the
 * input does not say how much it holds, the room starts at a guess and doubles. On failure the buffer is left as
 * it was.
 *
 * Contexts are costly to make and not thread-safe: each thread keeps one of each
 * kind and drops them when it ends.
 */
#include "base/zip.h"

#include <libdeflate.h>
#include <pthread.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    ROOM_FIRST = 4096,
    DEFLATE_RATIO_MAX = 1032,                      /* no byte of deflate becomes more */
};

struct contexts {
    struct libdeflate_decompressor *inflate;
    struct libdeflate_compressor *deflate;
    int deflate_level;
    ZSTD_CCtx *zstd;
    ZSTD_DCtx *unzstd;
};

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void contexts_free(void *p)
{
    struct contexts *c = p;
    libdeflate_free_decompressor(c->inflate);
    libdeflate_free_compressor(c->deflate);
    (void)ZSTD_freeCCtx(c->zstd);
    (void)ZSTD_freeDCtx(c->unzstd);
    mem_free(c);
}

static void key_make(void)
{
    CHECK(pthread_key_create(&key, contexts_free) == 0);
}

static struct contexts *contexts(void)
{
    CHECK(pthread_once(&key_once, key_make) == 0);
    struct contexts *c = pthread_getspecific(key);
    if (!c) {
        c = mem_alloc(sizeof(*c));
        CHECK(pthread_setspecific(key, c) == 0);
    }
    return c;
}

static struct libdeflate_decompressor *inflater(void)
{
    struct contexts *c = contexts();
    if (!c->inflate)
        c->inflate = libdeflate_alloc_decompressor();
    CHECK(c->inflate);
    return c->inflate;
}

static struct libdeflate_compressor *deflater(int level)
{
    struct contexts *c = contexts();
    if (c->deflate && c->deflate_level != level) {
        libdeflate_free_compressor(c->deflate);
        c->deflate = NULL;
    }
    if (!c->deflate)
        c->deflate = libdeflate_alloc_compressor(level);
    CHECK(c->deflate);
    c->deflate_level = level;
    return c->deflate;
}

/* How many bytes may still be appended under both limits. */
static size_t room_left(struct buf *b, size_t start, size_t max)
{
    if (!b->p && b->max == 0)
        buf_init(b, max);
    size_t under_max = max - MIN(b->n - start, max);
    return b->bad ? 0 : MIN(under_max, b->max - b->n);
}

static enum err over_limit(struct buf *b, size_t start, size_t max, struct fault *f)
{
    b->n = start;
    return fault_set(f, E_LIMIT, 0, "decompressed body is larger than %zu bytes", MIN(max, b->max - start));
}

/* One format of libdeflate: decodes one member, says how much it read and wrote. */
typedef enum libdeflate_result inflate_fn(struct libdeflate_decompressor *d, const void *in, size_t in_n, void *out,
                                          size_t out_n, size_t *ret_in, size_t *ret_out);

/* Decodes the member at in.p with growing room. *ret_in is its compressed size. */
static enum libdeflate_result inflate_member(inflate_fn *fn, struct str in, size_t guess, size_t left, struct buf *b,
                                             size_t *ret_in)
{
    for (size_t room = MIN(MAX(guess, (size_t)ROOM_FIRST), left);; room = MIN(room * 2, left)) {
        size_t got = 0;
        char *out = buf_room(b, room);
        CHECK(out);
        enum libdeflate_result r = fn(inflater(), in.p, in.n, out, room, ret_in, &got);
        if (r == LIBDEFLATE_SUCCESS)
            buf_grew(b, got);
        if (r != LIBDEFLATE_INSUFFICIENT_SPACE || room == left)
            return r;
    }
}

/* The last four bytes of gzip data: the size of its last member, usually the only one. */
static size_t claimed_size(struct str in)
{
    if (in.n < 18)
        return 0;
    const unsigned char *p = (const unsigned char *)in.p + in.n - 4;
    size_t claim = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    return claim / DEFLATE_RATIO_MAX <= in.n ? claim : 0;
}

static enum err inflate_all(inflate_fn *fn, struct str in, size_t guess, size_t max, struct buf *b, struct fault *f)
{
    size_t start = b->n, at = 0;
    if (b->bad)
        return over_limit(b, start, max, f);
    do {
        size_t used = 0, left = room_left(b, start, max);
        enum libdeflate_result r = inflate_member(fn, str_sub(in, at, in.n), guess, left, b, &used);
        if (r == LIBDEFLATE_INSUFFICIENT_SPACE)
            return over_limit(b, start, max, f);
        if (r != LIBDEFLATE_SUCCESS || used == 0) {
            b->n = start;
            return fault_set(f, E_SYNTAX, at, "compressed body is broken or cut short");
        }
        at += used;
        guess = 0;
    } while (at < in.n);
    return OK;
}

enum err zip_gunzip(struct str in, size_t max, struct buf *ret, struct fault *f)
{
    return inflate_all(libdeflate_gzip_decompress_ex, in, claimed_size(in), max, ret, f);
}

enum err zip_inflate(struct str in, size_t max, struct buf *ret, struct fault *f)
{
    /* "deflate" of HTTP is zlib's format, but some senders leave its header out. */
    const unsigned char *p = (const unsigned char *)in.p;
    bool zlib = in.n >= 2 && (p[0] & 0x0f) == 8 && (p[0] * 256 + p[1]) % 31 == 0;
    size_t guess = in.n < SIZE_MAX / 4 ? in.n * 4 : 0;
    return inflate_all(zlib ? libdeflate_zlib_decompress_ex : libdeflate_deflate_decompress_ex, in, guess, max, ret, f);
}

enum err zip_gzip(struct str in, int level, struct buf *ret)
{
    CHECK(level >= 1 && level <= 12);
    struct libdeflate_compressor *c = deflater(level);
    size_t room = MIN(libdeflate_gzip_compress_bound(c, in.n), room_left(ret, ret->n, SIZE_MAX));
    char *out = buf_room(ret, room);
    if (!out)
        return E_LIMIT;
    size_t n = libdeflate_gzip_compress(c, in.p, in.n, out, room);
    if (n == 0)
        return E_LIMIT;
    buf_grew(ret, n);
    return OK;
}

enum err zip_zstd(struct str in, int level, struct buf *ret)
{
    struct contexts *c = contexts();
    if (!c->zstd)
        c->zstd = ZSTD_createCCtx();
    CHECK(c->zstd && level >= 1 && level <= ZSTD_maxCLevel());
    size_t room = MIN(ZSTD_compressBound(in.n), room_left(ret, ret->n, SIZE_MAX));
    char *out = buf_room(ret, room);
    if (!out)
        return E_LIMIT;
    size_t n = ZSTD_compressCCtx(c->zstd, out, room, in.p, in.n, level);
    if (ZSTD_isError(n))
        return E_LIMIT;                            /* the only way left to fail is too little room */
    buf_grew(ret, n);
    return OK;
}

static ZSTD_DCtx *unzstd_context(void)
{
    struct contexts *c = contexts();
    if (!c->unzstd)
        c->unzstd = ZSTD_createDCtx();
    CHECK(c->unzstd);
    return c->unzstd;
}

enum frame { FRAME_OK, FRAME_BAD, FRAME_BIG };

/* Decodes the frame in.p[0, in.n) of unknown content with growing room. */
static enum frame unzstd_growing(struct str in, size_t left, struct buf *b)
{
    for (size_t room = MIN(MAX(in.n, (size_t)ROOM_FIRST), left);; room = MIN(room * 2, left)) {
        char *out = buf_room(b, room);
        CHECK(out);
        size_t got = ZSTD_decompressDCtx(unzstd_context(), out, room, in.p, in.n);
        if (!ZSTD_isError(got)) {
            buf_grew(b, got);
            return FRAME_OK;
        }
        if (ZSTD_getErrorCode(got) != ZSTD_error_dstSize_tooSmall)
            return FRAME_BAD;
        if (room == left)
            return FRAME_BIG;
    }
}

/* Decodes the frame at in.p; *ret_in is its compressed size. */
static enum frame unzstd_frame(struct str in, size_t left, struct buf *b, size_t *ret_in)
{
    size_t n = ZSTD_findFrameCompressedSize(in.p, in.n);
    if (ZSTD_isError(n))
        return FRAME_BAD;
    *ret_in = n;

    unsigned long long size = ZSTD_getFrameContentSize(in.p, n);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN)
        return unzstd_growing(str_sub(in, 0, n), left, b);
    if (size == ZSTD_CONTENTSIZE_ERROR)
        return FRAME_BAD;
    if (size > left)
        return FRAME_BIG;
    char *out = buf_room(b, (size_t)size);
    CHECK(out);
    size_t got = ZSTD_decompressDCtx(unzstd_context(), out, (size_t)size, in.p, n);
    if (ZSTD_isError(got))
        return FRAME_BAD;
    buf_grew(b, got);
    return FRAME_OK;
}

enum err zip_unzstd(struct str in, size_t max, struct buf *ret, struct fault *f)
{
    size_t start = ret->n, at = 0;
    if (ret->bad)
        return over_limit(ret, start, max, f);
    do {
        size_t used = 0;
        switch (unzstd_frame(str_sub(in, at, in.n), room_left(ret, start, max), ret, &used)) {
        case FRAME_OK:
            at += used;
            break;
        case FRAME_BIG:
            return over_limit(ret, start, max, f);
        case FRAME_BAD:
            ret->n = start;
            return fault_set(f, E_SYNTAX, at, "zstd body is broken or cut short");
        }
    } while (at < in.n);
    return OK;
}

size_t zip_zstd_claim(struct str in)
{
    unsigned long long size = ZSTD_getFrameContentSize(in.p, in.n);
    bool says = size != ZSTD_CONTENTSIZE_UNKNOWN && size != ZSTD_CONTENTSIZE_ERROR && size <= SIZE_MAX;
    return says ? (size_t)size : 0;
}

void zip_unzstd_some(struct str in, size_t max, struct buf *ret)
{
    size_t start = ret->n;
    ZSTD_DCtx *d = unzstd_context();
    ZSTD_inBuffer from = { in.p, in.n, 0 };
    CHECK(!ZSTD_isError(ZSTD_DCtx_reset(d, ZSTD_reset_session_only)));
    for (size_t left; (left = room_left(ret, start, max)) > 0;) {
        ZSTD_outBuffer to = { buf_room(ret, MIN(left, (size_t)ROOM_FIRST)), MIN(left, (size_t)ROOM_FIRST), 0 };
        CHECK(to.dst);
        size_t before = from.pos, rc = ZSTD_decompressStream(d, &to, &from);
        buf_grew(ret, to.pos);
        if (ZSTD_isError(rc) || rc == 0 || (!to.pos && from.pos == before))
            break;
    }
    (void)ZSTD_DCtx_reset(d, ZSTD_reset_session_only);     /* it may have ended inside of a frame */
}

enum err zip_unzstd_exact(struct str in, void *out, size_t n, struct fault *f)
{
    size_t got = ZSTD_decompressDCtx(unzstd_context(), out, n, in.p, in.n);
    if (ZSTD_isError(got))
        return fault_set(f, E_CORRUPT, 0, "zstd: %s", ZSTD_getErrorName(got));
    if (got != n)
        return fault_set(f, E_CORRUPT, 0, "zstd: %zu bytes where %zu were expected", got, n);
    return OK;
}
