/* http/chunks.c -- the chunked transfer coding, undone byte by byte or in bulk.
 *
 *   SIZE --digit--> SIZE        SIZE --';'--> EXT --CR--> SIZE_LF --LF--> DATA, or TRAILER after size 0
 *   DATA --left bytes--> DATA_CR --CR--> DATA_LF --LF--> SIZE
 *   TRAILER --CR--> END_LF --LF--> done           (an empty line)
 *   TRAILER --other--> TRAILER_TEXT --CR--> TRAILER_LF --LF--> TRAILER
 *
 * Trailers and extensions are read and forgotten, within limits: nobody who sends
 * to us uses them, and no meaning may hang on what comes after a body.
 */
#include <string.h>

#include "http/limits.h"
#include "http/parser.h"

enum state { SIZE, EXT, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_TEXT, TRAILER_LF, END_LF, END };

static enum http_step refuse(struct http_bad *bad, int status, const char *why)
{
    *bad = (struct http_bad){ status, why };
    return HTTP_BAD;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* chunk-size = 1*HEXDIG, then an extension or the end of the line. */
static enum http_step size_byte(struct http_chunks *c, char ch, const struct buf *out, struct http_bad *bad)
{
    int digit = hex_digit(ch);
    if (digit >= 0) {
        if (++c->digits > 16 || c->left > UINT64_MAX >> 4)
            return refuse(bad, 413, "an absurd chunk size");
        c->left = c->left << 4 | (uint64_t)digit;
        return HTTP_MORE;
    }
    if (!c->digits || (ch != ';' && ch != '\r'))
        return refuse(bad, 400, "malformed chunk size");
    if (c->left > out->max - out->n)
        return refuse(bad, 413, "the body is larger than this path takes");
    c->state = ch == '\r' ? SIZE_LF : EXT;
    return HTTP_MORE;
}

static enum http_step ext_byte(struct http_chunks *c, char ch, struct http_bad *bad)
{
    if (++c->line > HTTP_CHUNK_LINE_MAX)
        return refuse(bad, 400, "an overlong chunk extension");
    if (ch == '\r')
        c->state = SIZE_LF;
    else if ((uint8_t)ch < ' ' && ch != '\t')
        return refuse(bad, 400, "a control character in a chunk extension");
    return HTTP_MORE;
}

static enum http_step trailer_byte(struct http_chunks *c, char ch, struct http_bad *bad)
{
    if (++c->trailer > HTTP_TRAILER_MAX)
        return refuse(bad, 431, "trailers of more than 8 KiB");
    if (ch == '\r')
        c->state = c->state == TRAILER ? END_LF : TRAILER_LF;
    else if ((uint8_t)ch < ' ' && ch != '\t')
        return refuse(bad, 400, "a control character in a trailer");
    else
        c->state = TRAILER_TEXT;
    return HTTP_MORE;
}

/* A byte that the framing prescribes. */
static enum http_step fixed_byte(struct http_chunks *c, char ch, struct http_bad *bad)
{
    if (ch != (c->state == DATA_CR ? '\r' : '\n'))
        return refuse(bad, 400, "malformed chunk framing");
    switch ((enum state)c->state) {
    case SIZE_LF:
        c->state = c->left ? DATA : TRAILER;
        return HTTP_MORE;
    case DATA_CR:
        c->state = DATA_LF;
        return HTTP_MORE;
    case DATA_LF:
        c->state = SIZE;
        c->digits = c->line = 0;
        return HTTP_MORE;
    case TRAILER_LF:
        c->state = TRAILER;
        return HTTP_MORE;
    default:
        CHECK(c->state == END_LF);
        c->state = END;
        return HTTP_DONE;
    }
}

static enum http_step one_byte(struct http_chunks *c, char ch, const struct buf *out, struct http_bad *bad)
{
    switch ((enum state)c->state) {
    case SIZE:
        return size_byte(c, ch, out, bad);
    case EXT:
        return ext_byte(c, ch, bad);
    case TRAILER:
    case TRAILER_TEXT:
        return trailer_byte(c, ch, bad);
    default:
        return fixed_byte(c, ch, bad);
    }
}

enum http_step http_chunks_feed(struct http_chunks *c, struct str *in, struct buf *out, struct http_bad *bad)
{
    CHECK(c->state != END && out->n <= out->max);
    while (in->n) {
        if (c->state == DATA) {
            size_t n = MIN((uint64_t)in->n, c->left);
            buf_put(out, in->p, n);
            CHECK(!out->bad);                      /* size_byte() compared with the limit */
            *in = str_sub(*in, n, in->n - n);
            c->left -= n;
            if (!c->left)
                c->state = DATA_CR;
            continue;
        }
        char ch = in->p[0];
        *in = str_sub(*in, 1, in->n - 1);
        enum http_step step = one_byte(c, ch, out, bad);
        if (step != HTTP_MORE)
            return step;
    }
    return HTTP_MORE;
}
