/* http/h2_head.c -- heads of HTTP/2 streams, to and from what the rest of the room knows.
 *
 * A head that came as HTTP/2 is written down as HTTP/1.1 and given to the parser that
 * reads those. That is slower than filling struct http_head by hand and worth it: there
 * is one judge of what a request may be, so nothing can be said in one protocol that
 * would be refused in the other.
 */
#include <string.h>

#include "base/num.h"
#include "http/h2_int.h"

static void wrong(struct h2_stream *st, int status, const char *why)
{
    if (!st->bad.status)
        st->bad = (struct http_bad){ status, why };
}

static void keep(struct h2_stream *st, struct str *to, struct str value)
{
    if (to->p)
        wrong(st, 400, "a pseudo-header field twice");
    *to = arena_str(&st->call->mem, value);
}

static bool is_one_line(struct str s)
{
    return !s.n || (!memchr(s.p, '\r', s.n) && !memchr(s.p, '\n', s.n));
}

/* Browsers send each cookie as a field of its own; RFC 9113 8.2.3 puts them together. */
static void add_cookie(struct h2_stream *st, struct str value)
{
    buf_str(&st->cookie, st->cookie.n ? S("; ") : S("cookie: "));
    buf_str(&st->cookie, value);
}

static void add_field(struct h2_stream *st, struct str name, struct str value)
{
    if (str_eq(name, S(":method"))) {
        keep(st, &st->method, value);
    } else if (str_eq(name, S(":path"))) {
        keep(st, &st->path, value);
    } else if (str_eq(name, S(":authority"))) {
        keep(st, &st->authority, value);
    } else if (str_starts(name, S(":"))) {
        return;                                    /* :scheme: what the client believes */
    } else if (str_eq(name, S("host"))) {
        keep(st, &st->host, value);
    } else if (str_eq(name, S("cookie"))) {
        add_cookie(st, value);
    } else if (str_eq(name, S("transfer-encoding")) || str_eq(name, S("connection"))) {
        wrong(st, 400, "a header that HTTP/2 does not have");
    } else {
        buf_str(&st->fields, name);
        buf_str(&st->fields, S(": "));
        buf_str(&st->fields, value);
        buf_str(&st->fields, S("\r\n"));
    }
}

void h2_head_field(struct h2_stream *st, struct str name, struct str value, bool valid)
{
    st->nfields++;
    st->field_bytes += name.n + value.n + HTTP2_FIELD_COST;
    if (st->state != H2S_HEAD)
        return;                                    /* trailers: counted, and that is all */
    if (!valid || !is_one_line(name) || !is_one_line(value))
        wrong(st, 400, "a character that a header cannot hold");
    else if (st->nfields > HTTP_HEADERS_MAX)
        wrong(st, 431, "more than 128 header fields");
    else if (st->field_bytes > HTTP_HEAD_MAX)
        wrong(st, 431, "the head of the request is larger than 96 KiB");
    if (!st->bad.status)
        add_field(st, name, value);
}

/* request-line CRLF host CRLF fields CRLF, as http_head_parse() takes it. */
static struct str as_http1(struct h2_stream *st)
{
    struct str host = st->authority.p ? st->authority : st->host;
    struct str top = arena_fmt(&st->call->mem, STR_FMT " " STR_FMT " HTTP/1.1\r\n", STR_ARG(st->method), STR_ARG(st->path));
    size_t max = top.n + host.n + st->fields.n + st->cookie.n + 16;
    char *start = arena_alloc(&st->call->mem, max, 1), *p = start;
    const struct str parts[] = {
        top, host.p ? S("host: ") : S(""), host, host.p ? S("\r\n") : S(""), buf_view(&st->fields),
        buf_view(&st->cookie), st->cookie.n ? S("\r\n") : S(""), S("\r\n"),
    };
    for (size_t i = 0; i < LEN(parts); i++) {
        CHECK(parts[i].n <= max - (size_t)(p - start));
        if (parts[i].n)
            memcpy(p, parts[i].p, parts[i].n);
        p += parts[i].n;
    }
    return (struct str){ start, (size_t)(p - start) };
}

bool h2_head_finish(struct h2_stream *st)
{
    struct call *call = st->call;
    if (st->authority.p && st->host.p && !str_eq_nocase(st->authority, st->host))
        wrong(st, 400, ":authority and Host differ");
    if (!st->bad.status && st->path.n && st->path.p[0] != '/' && !str_eq(st->path, S("*")))
        wrong(st, 400, ":path is no path");
    if (st->path.n > HTTP_LINE_MAX)
        wrong(st, 414, "the path is longer than 64 KiB");
    if (st->fields.bad || st->cookie.bad)
        wrong(st, 431, "the head of the request is larger than 96 KiB");
    if (!st->bad.status) {
        struct str text = as_http1(st);
        if (http_head_parse((char *)(uintptr_t)text.p, text.n, &call->mem, &call->head, &st->bad) == HTTP_DONE)
            st->bad.status = 0;
    }
    buf_done(&st->fields);
    buf_done(&st->cookie);
    if (st->bad.status)
        return false;
    call->head.chunked = !st->ended && !call->head.length;       /* a body of unknown length: the same to call.c */
    return true;
}

/* ---- replies ---- */

static struct str lower(struct str s, struct arena *mem)
{
    char *p = arena_alloc(mem, s.n, 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
    return (struct str){ p, s.n };
}

struct http_header *h2_head_reply(struct call *call, bool ends, uint32_t *ret_n)
{
    uint32_t n = 0;
    struct http_header *out = arena_new(&call->mem, struct http_header, call->nextra + call->ntrailers + 3);
    out[n++] = (struct http_header){ S("date"), arena_str(&call->mem, str_c(loop_date(call->home))) };
    if (call->type.n)
        out[n++] = (struct http_header){ S("content-type"), call->type };
    for (uint32_t i = 0; i < call->nextra; i++)
        if (!str_eq_nocase(call->extra[i].name, S("connection")))
            out[n++] = (struct http_header){ lower(call->extra[i].name, &call->mem), call->extra[i].value };
    bool sized = call->status != 204 && call->status != 304 && !call->streaming;
    if (sized && (call->out.n || call->req.method == HTTP_HEAD)) {
        char *digits = arena_alloc(&call->mem, 24, 1);
        out[n++] = (struct http_header){ S("content-length"), { digits, num_fmt_i64(digits, (int64_t)call->out.n) } };
    }
    /* Trailers of a reply without a body are fields of its only frame. */
    for (uint32_t i = 0; ends && i < call->ntrailers; i++)
        out[n++] = call->trailers[i];
    *ret_n = n;
    return out;
}
