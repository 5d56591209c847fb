/* http/body.c -- undoing the content coding of a request body.
 *
 * A gzip member ends with its length before compression, modulo 2^32. An honest
 * one therefore says beforehand how much memory it needs, and whether it is small
 * enough for an I/O loop. A cut-off body says something random there, so nothing is
 * refused for it: what stops a bomb is the bound on the output, and what it may cost
 * until then is what an honest body of the largest size costs, on the pool.
 */
#include "base/zip.h"
#include "http/call.h"

enum {
    GZIP_MIN = 18,                                 /* header and trailer of an empty member */
    DEFLATE_RATIO_MAX = 1032,                      /* the format cannot do better */
};

enum body_coding body_coding(struct str v)
{
    if (!v.n || str_eq_nocase(v, S("identity")))
        return BODY_PLAIN;
    if (str_eq_nocase(v, S("gzip")) || str_eq_nocase(v, S("x-gzip")))
        return BODY_GZIP;
    return BODY_UNKNOWN;
}

struct str body_view(const struct call *c)
{
    return str_sub(buf_view(&c->body), c->body_at, c->body.n - c->body_at);
}

/* The size that the last member claims. */
static size_t claimed_size(const struct call *c)
{
    if (body_view(c).n < GZIP_MIN)
        return 0;
    const uint8_t *p = (const uint8_t *)c->body.p + c->body.n - 4;
    size_t says = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    return MIN(says, c->body.n * DEFLATE_RATIO_MAX);
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
    enum err e = zip_gunzip(body_view(c), max, &out, f);
    if (e == E_LIMIT)
        return BODY_LARGER;
    if (e) {
        call_refuse(c, 400, "the gzip body cannot be decoded: %s", f->msg);
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
