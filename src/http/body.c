/* http/body.c -- undoing the content coding of a request body.
 *
 * A gzip member ends with its length before compression, modulo 2^32, and a zstd frame
 * mostly begins with it. An honest one therefore says beforehand how much memory it needs,
 * and whether it is small enough for an I/O loop. A cut-off body says something random
 * there, so nothing is refused for it: what stops a bomb is the bound on the output, and
 * what it may cost until then is what an honest body of the largest size costs, on the
 * pool. Deflate says nothing; it is taken for text, which OTLP mostly is.
 */
#include "base/zip.h"
#include "http/call.h"

enum {
    GZIP_MIN = 18,                                 /* header and trailer of an empty member */
    DEFLATE_RATIO_MAX = 1032,                      /* the format cannot do better */
    RATIO_USUAL = 8,                               /* of telemetry: many names that are the same */
};

static const struct {
    struct str name, alias;
    enum err (*undo)(struct str in, size_t max, struct buf *ret, struct fault *f);
} codings[] = {
    [BODY_GZIP] = { S("gzip"), S("x-gzip"), zip_gunzip },
    [BODY_DEFLATE] = { S("deflate"), S("deflate"), zip_inflate },
    [BODY_ZSTD] = { S("zstd"), S("zstd"), zip_unzstd },
};

enum body_coding body_coding(struct str v)
{
    if (!v.n || str_eq_nocase(v, S("identity")))
        return BODY_PLAIN;
    for (enum body_coding i = BODY_GZIP; i < BODY_UNKNOWN; i++)
        if (str_eq_nocase(v, codings[i].name) || str_eq_nocase(v, codings[i].alias))
            return i;
    return BODY_UNKNOWN;
}

struct str body_view(const struct call *c)
{
    return str_sub(buf_view(&c->body), c->body_at, c->body.n - c->body_at);
}

/* The size that the last member claims. */
static size_t gzip_claim(struct str in)
{
    if (in.n < GZIP_MIN)
        return 0;
    const uint8_t *p = (const uint8_t *)in.p + in.n - 4;
    size_t says = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    return MIN(says, in.n * DEFLATE_RATIO_MAX);
}

static size_t claimed_size(const struct call *c)
{
    struct str in = body_view(c);
    size_t says = c->coding == BODY_GZIP ? gzip_claim(in) : c->coding == BODY_ZSTD ? zip_zstd_claim(in) : 0;
    return says || c->coding == BODY_GZIP ? says : in.n * RATIO_USUAL;
}

bool body_is_quick(const struct call *c)
{
    return c->body.n <= HTTP_UNZIP_INLINE_MAX && claimed_size(c) <= HTTP_UNZIP_INLINE_MAX;
}

/* Both buffers are held while it is undone, so both are accounted for. */
static enum body_result undo(struct call *c, size_t max, struct fault *f)
{
    size_t claimed = MIN(claimed_size(c), max);
    if (!call_charge(c, c->body.n + claimed))
        return BODY_REFUSED;
    CLEANUP(buf_done) struct buf out = { 0 };
    enum err e = codings[c->coding].undo(body_view(c), max, &out, f);
    if (e == E_LIMIT)
        return BODY_LARGER;
    if (e) {
        call_refuse(c, 400, "the " STR_FMT " body cannot be decoded: %s", STR_ARG(codings[c->coding].name), f->msg);
        return BODY_REFUSED;
    }
    struct buf old = c->body;
    c->body = out;
    out = old;
    c->coding = BODY_PLAIN;
    c->body_at = 0;
    return call_charge(c, c->body.n) ? BODY_DONE : BODY_REFUSED;
}

enum body_result body_decode_quick(struct call *c)
{
    CHECK(c->coding && body_is_quick(c));
    struct fault f;
    return undo(c, MIN(c->body_max, (size_t)HTTP_UNZIP_INLINE_MAX), &f);
}

bool body_decode(struct call *c)
{
    CHECK(c->coding);
    struct fault f;
    enum body_result r = undo(c, c->body_max, &f);
    if (r == BODY_LARGER)
        call_refuse(c, 413, "%s", f.msg);
    return r == BODY_DONE;
}
