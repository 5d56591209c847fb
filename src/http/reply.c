/* http/reply.c -- the reply of a call: its head, and compressing its body.
 *
 * The head is written on the loop when it is sent, since only the connection
 * knows whether it stays open; the body is compressed on the handler's thread,
 * which may be the pool's.
 */
#include <string.h>

#include "base/num.h"
#include "base/zip.h"
#include "http/call.h"

enum { GZIP_LEVEL = 1 };                           /* 3 times the speed of 6 for a tenth more bytes */

static const struct {
    int status;
    struct str text;
} texts[] = {
    { 200, S("OK") },
    { 201, S("Created") },
    { 202, S("Accepted") },
    { 204, S("No Content") },
    { 206, S("Partial Content") },
    { 301, S("Moved Permanently") },
    { 302, S("Found") },
    { 303, S("See Other") },
    { 304, S("Not Modified") },
    { 307, S("Temporary Redirect") },
    { 308, S("Permanent Redirect") },
    { 400, S("Bad Request") },
    { 401, S("Unauthorized") },
    { 403, S("Forbidden") },
    { 404, S("Not Found") },
    { 405, S("Method Not Allowed") },
    { 406, S("Not Acceptable") },
    { 408, S("Request Timeout") },
    { 409, S("Conflict") },
    { 411, S("Length Required") },
    { 412, S("Precondition Failed") },
    { 413, S("Content Too Large") },
    { 414, S("URI Too Long") },
    { 415, S("Unsupported Media Type") },
    { 417, S("Expectation Failed") },
    { 422, S("Unprocessable Content") },
    { 429, S("Too Many Requests") },
    { 431, S("Request Header Fields Too Large") },
    { 500, S("Internal Server Error") },
    { 501, S("Not Implemented") },
    { 502, S("Bad Gateway") },
    { 503, S("Service Unavailable") },
    { 504, S("Gateway Timeout") },
    { 505, S("HTTP Version Not Supported") },
};

/* What is text; images, fonts and archives are compressed already. */
static const struct str text_types[] = {
    S("text/"),           S("application/json"),       S("application/javascript"), S("application/xml"),
    S("image/svg+xml"),   S("application/x-protobuf"), S("application/openmetrics-text"),
};

static struct str status_text(int status)
{
    for (size_t i = 0; i < LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return S("Status");
}

bool reply_has_body(const struct call *c)
{
    return c->req.method != HTTP_HEAD && c->status != 204 && c->status != 304;
}

bool reply_has(const struct call *c, struct str name)
{
    for (uint32_t i = 0; i < c->nextra; i++)
        if (str_eq_nocase(c->extra[i].name, name))
            return true;
    return false;
}

static bool is_text(struct str type)
{
    for (size_t i = 0; i < LEN(text_types); i++)
        if (str_starts(type, text_types[i]))
            return true;
    return false;
}

/* weight = "q=0" with any number of zeros behind the point: never wanted. */
static bool is_unwanted(struct str params)
{
    while (params.p) {
        struct str p = str_trim(str_cut(&params, ';'));
        if (!str_starts(p, S("q=0")) && !str_starts(p, S("Q=0")))
            continue;
        for (size_t i = 3; i < p.n; i++)
            if (p.p[i] != '.' && p.p[i] != '0')
                return false;
        return true;
    }
    return false;
}

/* Accept-Encoding = #( coding [ weight ] ); a mention of gzip goes before "*". */
static bool accepts_gzip(struct str accept)
{
    bool any = false;
    while (accept.p) {
        struct str item = str_cut(&accept, ',');
        struct str coding = str_trim(str_cut(&item, ';'));
        if (str_eq_nocase(coding, S("gzip")) || str_eq_nocase(coding, S("x-gzip")))
            return !is_unwanted(item);
        if (str_eq(coding, S("*")))
            any = !is_unwanted(item);
    }
    return any;
}

void reply_compress(struct call *c)
{
    if (c->out.n <= HTTP_ZIP_MIN || c->status == 204 || c->status == 304 || !is_text(c->type) ||
        reply_has(c, S("content-encoding")))
        return;
    if (!reply_has(c, S("vary")))
        http_reply_header(&c->req, S("vary"), S("Accept-Encoding"));
    if (!accepts_gzip(http_header(&c->req, S("accept-encoding"))))
        return;
    CLEANUP(buf_done) struct buf small;
    buf_init(&small, SIZE_MAX);
    if (zip_gzip(buf_view(&c->out), GZIP_LEVEL, &small) || small.n >= c->out.n)
        return;                                    /* not smaller: send it as it is */
    struct buf big = c->out;
    c->out = small;
    small = big;
    http_reply_header(&c->req, S("content-encoding"), S("gzip"));
}

/* ---- the head ---- */

/* A cursor into bytes that were counted beforehand. */
struct pen {
    char *p, *end;
};

static void put(struct pen *w, struct str s)
{
    CHECK(s.n <= (size_t)(w->end - w->p));
    if (s.n)
        memcpy(w->p, s.p, s.n);
    w->p += s.n;
}

static void put_number(struct pen *w, uint64_t v)
{
    char text[24];
    size_t n = num_fmt_i64(text, (int64_t)v);
    put(w, (struct str){ text, n });
}

static void put_field(struct pen *w, struct str name, struct str value)
{
    put(w, name);
    put(w, S(": "));
    put(w, value);
    put(w, S("\r\n"));
}

enum { FIXED_MAX = 320 };                          /* status line and our own fields, without the type */

static size_t head_size(const struct call *c)
{
    size_t n = FIXED_MAX + c->type.n;
    for (uint32_t i = 0; i < c->nextra; i++)
        n += c->extra[i].name.n + c->extra[i].value.n + 4;
    return n;
}

struct str reply_head(struct call *c, bool keep_alive, bool chunked)
{
    size_t max = head_size(c);
    char *start = arena_alloc(&c->mem, max, 1);
    struct pen w = { start, start + max };
    put(&w, S("HTTP/1.1 "));
    put_number(&w, (uint64_t)c->status);
    put(&w, S(" "));
    put(&w, status_text(c->status));
    put(&w, S("\r\n"));
    put_field(&w, S("Date"), str_c(loop_date(c->home)));
    if (c->type.n)
        put_field(&w, S("Content-Type"), c->type);
    for (uint32_t i = 0; i < c->nextra; i++)
        put_field(&w, c->extra[i].name, c->extra[i].value);
    if (chunked) {
        put(&w, S("Transfer-Encoding: chunked\r\n"));
    } else if (!c->streaming && c->status != 204 && c->status != 304) {
        put(&w, S("Content-Length: "));
        put_number(&w, c->out.n);
        put(&w, S("\r\n"));
    }
    if (!keep_alive)
        put(&w, S("Connection: close\r\n"));
    else if (!c->head.minor)
        put(&w, S("Connection: keep-alive\r\n"));
    put(&w, S("\r\n"));
    return (struct str){ start, (size_t)(w.p - start) };
}
