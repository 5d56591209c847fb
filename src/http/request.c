/* http/request.c -- what a handler can ask of a request, and how it answers: the
 * public half of struct call.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/call.h"
#include "http/route.h"

enum { TEXT_MAX = 1024 };                          /* of an error reply */

static struct call *call_of(struct http_req *r)
{
    CHECK(offsetof(struct call, req) == 0);
    return (struct call *)(void *)r;
}

struct str http_header(const struct http_req *r, struct str lower_name)
{
    for (uint32_t i = 0; i < r->nheaders; i++)
        if (str_eq(r->headers[i].name, lower_name))
            return r->headers[i].value;
    return (struct str){ 0 };
}

/* ---- parameters ---- */

/* What is ingested is never a form, whatever its type says: it is curl's default type. */
bool call_has_form(const struct call *c)
{
    if (c->route && c->route->flags & ROUTE_INGEST)
        return false;
    struct str type = http_header(&c->req, S("content-type"));
    return str_eq_nocase(str_trim(str_cut(&type, ';')), S("application/x-www-form-urlencoded"));
}

/* pairs = [ pair *( "&" pair ) ]; pair = name [ "=" value ]. As browsers have it: nothing is
 * an error, a stray percent sign stands for itself. */
static void read_pairs(struct call *c, struct str s, uint32_t *cap)
{
    while (s.p) {
        struct str value = str_cut(&s, '&');
        if (!value.n)
            continue;
        CHECK(c->nparams < HTTP_PARAMS_MAX);       /* call.c counted */
        struct str name = str_cut(&value, '=');
        struct http_header pair = { 0 };
        CHECK(percent_decode(name, true, true, &c->mem, &pair.name));
        CHECK(percent_decode(value, true, true, &c->mem, &pair.value));
        *arena_push(&c->mem, c->params, c->nparams, *cap) = pair;
    }
}

static void read_params(struct call *c)
{
    if (c->params_read)
        return;
    c->params_read = true;
    uint32_t cap = 0;
    read_pairs(c, c->req.raw_query, &cap);
    if (call_has_form(c))
        read_pairs(c, c->req.body, &cap);
}

bool http_param(struct http_req *r, struct str name, struct str *ret)
{
    struct call *c = call_of(r);
    read_params(c);
    for (uint32_t i = 0; i < c->nparams; i++) {
        if (str_eq(c->params[i].name, name)) {
            *ret = c->params[i].value;
            return true;
        }
    }
    return false;
}

uint32_t http_params(struct http_req *r, struct str name, const struct str **ret)
{
    struct call *c = call_of(r);
    read_params(c);
    uint32_t n = 0, at = 0;
    for (uint32_t i = 0; i < c->nparams; i++)
        n += str_eq(c->params[i].name, name);
    struct str *out = arena_new(&c->mem, struct str, n);
    for (uint32_t i = 0; i < c->nparams; i++)
        if (str_eq(c->params[i].name, name))
            out[at++] = c->params[i].value;
    *ret = out;
    return n;
}

/* ---- replies ---- */

/* A value may hold what a client sent: a line end in it would begin a header of the
 * client's choice. */
static struct str clean(struct call *c, struct str value)
{
    char *out = arena_alloc(&c->mem, value.n, 1);
    for (size_t i = 0; i < value.n; i++)
        out[i] = (uint8_t)value.p[i] < ' ' || value.p[i] == 0x7f ? ' ' : value.p[i];
    return (struct str){ out, value.n };
}

void http_reply_header(struct http_req *r, struct str name, struct str value)
{
    struct call *c = call_of(r);
    CHECK(!c->replied && http_is_token(name));
    struct http_header h = { arena_str(&c->mem, name), clean(c, value) };
    *arena_push(&c->mem, c->extra, c->nextra, c->extra_cap) = h;
}

void http_reply_trailer(struct http_req *r, struct str name, struct str value)
{
    struct call *c = call_of(r);
    CHECK(!c->replied && http_is_token(name) && c->ntrailers < HTTP2_TRAILERS_MAX);
    for (size_t i = 0; i < name.n; i++)
        CHECK(name.p[i] < 'A' || name.p[i] > 'Z');
    struct http_header h = { arena_str(&c->mem, name), clean(c, value) };
    *arena_push(&c->mem, c->trailers, c->ntrailers, c->trailers_cap) = h;
}

static void begin_reply(struct call *c, int status, struct str type)
{
    CHECK(!c->replied && status >= 200 && status < 600);
    c->status = status;
    c->type = clean(c, type);
}

void http_reply(struct http_req *r, int status, struct str content_type, struct str body)
{
    struct call *c = call_of(r);
    begin_reply(c, status, content_type);
    buf_init(&c->out, body.n);
    buf_str(&c->out, body);
    reply_compress(c);
    call_finish(c);
}

void http_reply_buf(struct http_req *r, int status, struct str content_type, struct buf *body)
{
    struct call *c = call_of(r);
    CHECK(!body->bad);                             /* half an answer is none: the handler has to look */
    begin_reply(c, status, content_type);
    c->out = *body;
    *body = (struct buf){ 0 };
    reply_compress(c);
    call_finish(c);
}

void http_reply_error(struct http_req *r, int status, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    size_t len = MIN((size_t)n, sizeof(text) - 2);
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)text[i] < ' ')
            text[i] = ' ';                         /* one line, whatever was quoted in it */
    text[len++] = '\n';
    http_reply(r, status, S("text/plain; charset=utf-8"), (struct str){ text, len });
}
