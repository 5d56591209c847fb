/* http/answer.c -- the reply to a request of ours, from bytes as they come.
 *
 *   HEAD --1xx--> HEAD
 *   HEAD --final--> LENGTH, CHUNKS or TO_END, or DONE when there is no body
 *   LENGTH --all came--> DONE     CHUNKS --last chunk--> DONE     TO_END --the peer closes--> DONE
 *
 * It takes the server's side's own pieces: line ends, fields and chunks are judged as
 * strictly as in requests. Whoever sends us a reply that two readers could understand in
 * two ways gets an error instead of a guess, because what is counted comes from here.
 *
 * A body is bounded twice by the same number, as it comes and decompressed.
 */
#include <string.h>

#include "base/zip.h"
#include "http/client_int.h"
#include "http/limits.h"

enum { BODY_FIRST = 256 << 10 };                   /* a length that was only announced gets no more room than this */

static enum http_step refuse(struct http_bad *bad, int status, const char *why)
{
    *bad = (struct http_bad){ status, why };
    return HTTP_BAD;
}

static enum http_step too_large(struct http_bad *bad)
{
    return refuse(bad, 413, "the body is larger than the limit");
}

void answer_init(struct answer *a, struct arena *mem, bool bodiless, size_t body_max)
{
    *a = (struct answer){ .mem = mem, .bodiless = bodiless, .body_max = body_max };
    buf_init(&a->head, HTTP_HEAD_MAX + HTTP_READ_BYTES);
    buf_init(&a->body, body_max);
}

void answer_done(struct answer *a)
{
    buf_done(&a->head);
    buf_done(&a->body);
}

struct str answer_header(const struct answer *a, struct str lower_name)
{
    for (uint32_t i = 0; i < a->nheaders; i++)
        if (str_eq(a->headers[i].name, lower_name))
            return a->headers[i].value;
    return (struct str){ 0 };
}

/* ---- the head ---- */

/* status-line = HTTP-version SP 3DIGIT [ SP reason ] */
static enum http_step parse_status(struct answer *a, struct str line, struct http_bad *bad)
{
    bool ok = line.n >= 12 && str_starts(line, S("HTTP/1.")) && line.p[7] >= '0' && line.p[7] <= '9' && line.p[8] == ' ' &&
              (line.n == 12 || line.p[12] == ' ') && http_is_value(line);
    int status = 0;
    for (size_t i = 9; ok && i < 12; i++) {
        ok = line.p[i] >= '0' && line.p[i] <= '9';
        status = status * 10 + (line.p[i] - '0');
    }
    if (!ok || status < 100)
        return refuse(bad, 400, "what came is no reply of HTTP/1.x");
    a->status = status;
    a->keep_alive = line.p[7] != '0';
    return HTTP_DONE;
}

static enum http_step parse_fields(struct answer *a, struct str rest, struct http_bad *bad)
{
    uint32_t cap = 0;
    a->headers = NULL;
    a->nheaders = 0;
    for (;;) {
        struct str line = str_cut(&rest, '\n');
        CHECK(line.n && line.p[line.n - 1] == '\r');       /* http_scan() saw to it */
        line.n--;
        if (!line.n)
            return HTTP_DONE;
        struct http_header *h = arena_push(a->mem, a->headers, a->nheaders, cap);
        enum http_step step = http_field_parse(line, h, bad);
        if (step != HTTP_DONE)
            return step;
    }
}

/* Of a field that may stand there once: how often it does, and its value. */
static uint32_t count_header(const struct answer *a, struct str name, struct str *ret)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->nheaders; i++)
        if (str_eq(a->headers[i].name, name) && !n++)
            *ret = a->headers[i].value;
    return n;
}

static void read_connection(struct answer *a)
{
    for (uint32_t i = 0; i < a->nheaders; i++) {
        struct str v = a->headers[i].value;
        while (str_eq(a->headers[i].name, S("connection")) && v.p) {
            struct str word = str_trim(str_cut(&v, ','));
            if (str_eq_nocase(word, S("close"))) {
                a->keep_alive = false;
                return;
            }
            a->keep_alive |= str_eq_nocase(word, S("keep-alive"));
        }
    }
}

static enum http_step by_length(struct answer *a, struct str text, struct http_bad *bad)
{
    if (!text.n || text.p[0] == '+' || !str_to_u64(text, &a->left))
        return refuse(bad, 400, "Content-Length is not a number");
    if (a->left > a->body_max)
        return too_large(bad);
    if (a->left)
        CHECK(buf_room(&a->body, (size_t)MIN(a->left, (uint64_t)BODY_FIRST)));
    a->state = a->left ? ANSWER_LENGTH : ANSWER_DONE;
    return HTTP_DONE;
}

/* RFC 9112 6.3, and no guessing. */
static enum http_step find_body(struct answer *a, struct http_bad *bad)
{
    struct str length = { 0 }, coding = { 0 };
    uint32_t lengths = count_header(a, S("content-length"), &length), codings = count_header(a, S("transfer-encoding"), &coding);
    read_connection(a);
    if (a->bodiless || a->status == 204 || a->status == 304) {
        a->state = ANSWER_DONE;
        return HTTP_DONE;
    }
    if (lengths && codings)
        return refuse(bad, 400, "both Content-Length and Transfer-Encoding");
    if (lengths > 1)
        return refuse(bad, 400, "Content-Length twice");
    if (codings && (codings > 1 || !str_eq_nocase(coding, S("chunked"))))
        return refuse(bad, 400, "the only transfer coding understood is chunked, once");
    if (lengths)
        return by_length(a, length, bad);
    a->state = codings ? ANSWER_CHUNKS : ANSWER_TO_END;
    a->keep_alive &= codings > 0;
    return HTTP_DONE;
}

static enum http_step read_head(struct answer *a, struct http_bad *bad)
{
    struct str head = arena_str(a->mem, str_sub(buf_view(&a->head), a->scan.start, a->scan.at - a->scan.start));
    struct str rest = head, line = str_cut(&rest, '\n');
    line.n--;
    enum http_step step = parse_status(a, line, bad);
    if (step == HTTP_DONE)
        step = parse_fields(a, rest, bad);
    if (step != HTTP_DONE)
        return step;
    if (a->status == 101)
        return refuse(bad, 400, "the peer wants to switch to another protocol");
    if (a->status >= 200)
        return find_body(a, bad);
    if (++a->interim > HTTP_INTERIM_MAX)
        return refuse(bad, 400, "interim replies without an end");
    return HTTP_DONE;
}

/* http_scan() speaks of requests. */
static enum http_step scan_failed(struct http_bad *bad)
{
    bool large = bad->status != 400;
    return refuse(bad, large ? 413 : 400, large ? "the head of the reply is larger than 96 KiB or has more than 128 fields"
                                                : "what came is no reply of HTTP/1.x");
}

/* Heads are gathered until they are whole; what follows the last one stays in *in. */
static enum http_step feed_head(struct answer *a, struct str *in, struct http_bad *bad)
{
    size_t had = a->head.n, n = MIN(in->n, (size_t)HTTP_READ_BYTES);
    buf_put(&a->head, in->p, n);
    CHECK(!a->head.bad);                           /* http_scan() stops at HTTP_HEAD_MAX */
    enum http_step step = http_scan(&a->scan, buf_view(&a->head), bad);
    if (step == HTTP_BAD)
        return scan_failed(bad);
    if (step == HTTP_MORE) {
        *in = str_sub(*in, n, in->n);
        return HTTP_MORE;
    }
    size_t used = a->scan.at - had;                /* it cannot have ended in what was there before */
    *in = str_sub(*in, used, in->n);
    step = read_head(a, bad);
    buf_clear(&a->head);
    a->scan = (struct http_scan){ 0 };
    return step == HTTP_DONE ? HTTP_MORE : step;
}

/* ---- the body ---- */

static enum http_step feed_length(struct answer *a, struct str *in)
{
    size_t n = (size_t)MIN((uint64_t)in->n, a->left);
    buf_put(&a->body, in->p, n);
    CHECK(!a->body.bad);                           /* by_length() compared */
    *in = str_sub(*in, n, in->n);
    a->left -= n;
    if (!a->left)
        a->state = ANSWER_DONE;
    return HTTP_MORE;
}

static enum http_step feed_to_end(struct answer *a, struct str *in, struct http_bad *bad)
{
    buf_str(&a->body, *in);
    *in = (struct str){ 0 };
    return a->body.bad ? too_large(bad) : HTTP_MORE;
}

enum http_step answer_feed(struct answer *a, struct str *in, struct http_bad *bad)
{
    CHECK(a->state != ANSWER_DONE);
    a->begun |= in->n > 0;
    enum http_step step = HTTP_MORE;
    while (step == HTTP_MORE && in->n && a->state != ANSWER_DONE) {
        if (a->state == ANSWER_HEAD)
            step = feed_head(a, in, bad);
        else if (a->state == ANSWER_LENGTH)
            step = feed_length(a, in);
        else if (a->state == ANSWER_CHUNKS)
            step = http_chunks_feed(&a->chunks, in, &a->body, bad);
        else
            step = feed_to_end(a, in, bad);
    }
    if (step == HTTP_DONE)
        a->state = ANSWER_DONE;
    return a->state == ANSWER_DONE ? HTTP_DONE : step;
}

bool answer_end(struct answer *a)
{
    if (a->state == ANSWER_TO_END)
        a->state = ANSWER_DONE;
    return a->state == ANSWER_DONE;
}

static enum err undo(struct answer *a, struct str coding, struct buf *out, struct fault *f)
{
    struct str in = buf_view(&a->body);
    if (str_eq_nocase(coding, S("gzip")) || str_eq_nocase(coding, S("x-gzip")))
        return zip_gunzip(in, a->body_max, out, f);
    if (str_eq_nocase(coding, S("deflate")))
        return zip_inflate(in, a->body_max, out, f);
    if (str_eq_nocase(coding, S("zstd")))
        return zip_unzstd(in, a->body_max, out, f);
    return E_UNSUPPORTED;
}

enum http_step answer_decode(struct answer *a, struct str *ret, struct http_bad *bad)
{
    CHECK(a->state == ANSWER_DONE);
    CLEANUP(buf_done) struct buf out = { 0 };
    struct str coding = answer_header(a, S("content-encoding"));
    struct fault f = { 0 };
    if (!coding.n || str_eq_nocase(coding, S("identity")) || !a->body.n) {
        *ret = arena_str(a->mem, buf_view(&a->body));
        return HTTP_DONE;
    }
    switch (undo(a, coding, &out, &f)) {
    case OK:
        *ret = arena_str(a->mem, buf_view(&out));
        return HTTP_DONE;
    case E_LIMIT:
        return too_large(bad);
    case E_UNSUPPORTED:
        return refuse(bad, 400, "a Content-Encoding that is not understood");
    default:
        return refuse(bad, 400, "the compressed body is broken or cut short");
    }
}
