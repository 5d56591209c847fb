/* tests/support/fakehttp.c -- see fakehttp.h. */
#include "fakehttp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WILD_MAX = 8, BODY_MAX = 1 << 30 };

struct fake {
    struct http_req req;                           /* first: handlers get a pointer to it */
    struct fake_reply *reply;
};

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static struct str decode(struct arena *mem, struct str s, bool plus)
{
    char *out = arena_alloc(mem, s.n + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
            out[n++] = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
            i += 2;
        } else {
            out[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    return (struct str){ out, n };
}

uint32_t http_params(struct http_req *r, struct str name, const struct str **ret)
{
    struct str *values = NULL;
    uint32_t n = 0, cap = 0;
    struct str parts[] = { r->raw_query, r->body };
    for (size_t i = 0; i < LEN(parts); i++)
        while (parts[i].n) {
            struct str pair = str_cut(&parts[i], '&');
            struct str key = decode(r->mem, str_cut(&pair, '='), true);
            if (str_eq(key, name))
                *arena_push(r->mem, values, n, cap) = decode(r->mem, pair, true);
        }
    *ret = values;
    return n;
}

bool http_param(struct http_req *r, struct str name, struct str *ret)
{
    const struct str *values;
    if (!http_params(r, name, &values))
        return false;
    *ret = values[0];
    return true;
}

void http_reply(struct http_req *r, int status, struct str content_type, struct str body)
{
    struct fake *f = (struct fake *)(void *)r;
    (void)content_type;
    CHECK(!f->reply->status);
    f->reply->status = status;
    buf_str(&f->reply->body, body);
}

void http_reply_buf(struct http_req *r, int status, struct str content_type, struct buf *body)
{
    http_reply(r, status, content_type, buf_view(body));
    buf_done(body);
}

void http_reply_error(struct http_req *r, int status, const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    http_reply(r, status, S("text/plain"), str_c(text));
}

void http_reply_header(struct http_req *r, struct str name, struct str value)
{
    (void)r, (void)name, (void)value;
}

struct str http_header(const struct http_req *r, struct str lower_name)
{
    for (uint32_t i = 0; i < r->nheaders; i++)
        if (str_eq(r->headers[i].name, lower_name))
            return r->headers[i].value;
    return S("");
}

/* Does the path fit the pattern, in which "*" is any one segment? */
static bool fits(struct str pattern, struct str path, struct str *wild, uint32_t *nwild)
{
    *nwild = 0;
    while (pattern.p && path.p) {
        struct str want = str_cut(&pattern, '/'), got = str_cut(&path, '/');
        if (str_eq(want, S("*")) && got.n && *nwild < WILD_MAX)
            wild[(*nwild)++] = got;
        else if (!str_eq(want, got))
            return false;
    }
    return !pattern.p && !path.p;
}

void fake_http(const struct http_route *routes, void *arg, enum http_method method, struct str target, struct str form,
               struct fake_reply *ret)
{
    fake_http_with(routes, arg, method, target, form, NULL, 0, ret);
}

void fake_http_with(const struct http_route *routes, void *arg, enum http_method method, struct str target, struct str form,
                    const struct http_header *headers, uint32_t nheaders, struct fake_reply *ret)
{
    struct arena mem;
    static const bool gone = false;
    arena_init(&mem, 64u << 20);
    *ret = (struct fake_reply){ .status = 0 };
    buf_init(&ret->body, BODY_MAX);
    struct str query = target, path = str_cut(&query, '?');
    struct str wild[WILD_MAX];
    struct fake f = {
        .req = { .method = method, .path = path, .raw_path = path, .raw_query = query, .body = form, .mem = &mem,
                 .headers = headers, .nheaders = nheaders, .arg = arg, .wild = wild, .gone = &gone },
        .reply = ret,
    };
    bool found = false;
    for (; routes->path; routes++) {
        if (!fits(str_c(routes->path), path, wild, &f.req.nwild))
            continue;
        found = true;
        if (!(routes->methods & method))
            continue;
        for (uint32_t i = 0; i < f.req.nwild; i++)
            wild[i] = decode(&mem, wild[i], false);
        routes->handle(&f.req);
        arena_done(&mem);
        return;
    }
    ret->status = found ? 405 : 404;
    arena_done(&mem);
}
