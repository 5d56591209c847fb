/* http/client.c -- one request and its reply: URL, head, redirects, a kept connection.
 *
 * What is exact here is fetch_end. Scraping decides by it whether the process at the
 * other end has gone (REFUSED) or merely did not answer (anything else), and counts
 * differently; so every failure gets its end where it is seen, and a connection that
 * died between two requests is told apart from one that died during this one.
 *
 * A peer that refuses a large body may answer and close before it has read it all. Our
 * write then fails while the answer waits to be read; so a broken write is not the end,
 * the read that follows it is.
 */
#include "http/client.h"

#include <string.h>

#include "http/client_int.h"
#include "http/limits.h"

enum {
    URL_MAX = HTTP_LINE_MAX,
    REQUEST_MAX = HTTP_LINE_MAX + HTTP_HEAD_MAX,
    READ_BYTES = 64 << 10,
};

struct url {
    bool https;
    struct str host;                               /* without brackets */
    struct str authority;                          /* as it stands there: Host */
    uint16_t port;
    struct str target;                             /* path and query */
};

struct http_peer {
    struct dial *conn;                             /* NULL: none kept */
    char host[256];
    size_t nhost;
    uint16_t port;
    bool https;
    const struct tls_client *tls;
};

struct http_peer *http_peer_new(void)
{
    return mem_alloc(sizeof(struct http_peer));
}

void http_peer_free(struct http_peer *p)
{
    if (!p)
        return;
    dial_free(p->conn);
    mem_free(p);
}

/* ---- URLs ---- */

static bool split_port(struct str authority, struct url *u)
{
    struct str rest = authority;
    if (str_starts(rest, S("["))) {
        size_t end = str_index(rest, ']');
        if (end == SIZE_MAX)
            return false;
        u->host = str_sub(rest, 1, end - 1);
        rest = str_sub(rest, end + 1, rest.n);
        if (rest.n && rest.p[0] != ':')
            return false;
        rest = str_sub(rest, 1, rest.n);
    } else {
        u->host = str_cut(&rest, ':');
    }
    u->port = u->https ? 443 : 80;
    uint64_t port;
    if (!rest.n)
        return u->host.n > 0;
    if (!str_to_u64(rest, &port) || port == 0 || port > UINT16_MAX)
        return false;
    u->port = (uint16_t)port;
    return u->host.n > 0;
}

/* http(s)://host[:port][/path][?query][#dropped] */
static enum fetch_end parse_url(struct str text, struct arena *mem, struct url *ret, struct fault *f)
{
    struct url u = { .https = str_eq_nocase(str_sub(text, 0, 8), S("https://")) };
    struct str shown = str_sub(text, 0, 120);
    if (!u.https && !str_eq_nocase(str_sub(text, 0, 7), S("http://")))
        return fetch_fail(f, FETCH_OTHER, "\"" STR_FMT "\" is no http:// or https:// URL", STR_ARG(shown));
    struct str rest = str_sub(text, u.https ? 8 : 7, text.n);
    rest = str_cut(&rest, '#');
    if (text.n > URL_MAX || !http_is_target(rest))
        return fetch_fail(f, FETCH_OTHER, "\"" STR_FMT "\" is longer than 64 KiB or holds what a URL cannot", STR_ARG(shown));
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    u.authority = str_sub(rest, 0, end);
    u.target = str_sub(rest, end, rest.n);
    if (!str_starts(u.target, S("/")))
        u.target = arena_fmt(mem, "/" STR_FMT, STR_ARG(u.target));
    if (str_index(u.authority, '@') != SIZE_MAX)
        return fetch_fail(f, FETCH_OTHER, "the URL holds a user: name and password belong into its own settings");
    if (!split_port(u.authority, &u))
        return fetch_fail(f, FETCH_OTHER, "\"" STR_FMT "\" names no host, or a port that is none", STR_ARG(shown));
    *ret = u;
    return FETCH_OK;
}

static bool same_origin(const struct url *a, const struct url *b)
{
    return a->https == b->https && a->port == b->port && str_eq_nocase(a->host, b->host);
}

/* Where a Location leads, seen from `from`. Dots in relative paths are the server's to resolve. */
static struct str resolve(const struct url *from, struct str to, struct arena *mem)
{
    const char *scheme = from->https ? "https" : "http";
    if (str_find(to, S("://")) != SIZE_MAX && str_find(to, S("://")) < str_index(to, '/'))
        return to;
    if (str_starts(to, S("//")))
        return arena_fmt(mem, "%s:" STR_FMT, scheme, STR_ARG(to));
    if (str_starts(to, S("/")))
        return arena_fmt(mem, "%s://" STR_FMT STR_FMT, scheme, STR_ARG(from->authority), STR_ARG(to));
    struct str path = from->target;
    path = str_cut(&path, '?');
    if (!str_starts(to, S("?")))
        while (path.n && path.p[path.n - 1] != '/')
            path.n--;
    return arena_fmt(mem, "%s://" STR_FMT STR_FMT STR_FMT, scheme, STR_ARG(from->authority), STR_ARG(path), STR_ARG(to));
}

/* ---- the request ---- */

struct job {
    const struct fetch *q;
    struct http_peer *peer;
    struct arena *mem;
    struct fetched *ret;
    struct fault *f;
    struct url url;
    int64_t deadline;
    size_t body_max;
    bool foreign;                                  /* redirected to another origin: secrets stay at home */
};

static struct str method_text(enum http_method m)
{
    switch (m) {
    case HTTP_POST:
        return S("POST");
    case HTTP_PUT:
        return S("PUT");
    case HTTP_DELETE:
        return S("DELETE");
    case HTTP_HEAD:
        return S("HEAD");
    default:
        CHECK(m == HTTP_GET);
        return S("GET");
    }
}

static bool is_one_of(struct str name, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(name, names[i]))
            return true;
    return false;
}

static enum fetch_end put_headers(const struct job *j, struct buf *b)
{
    static const struct str ours[] = { S("host"), S("content-length"), S("connection"), S("transfer-encoding") };
    static const struct str secret[] = { S("authorization"), S("cookie"), S("proxy-authorization") };
    bool agent = false, encoding = false;
    for (uint32_t i = 0; i < j->q->nheaders; i++) {
        const struct http_header *h = &j->q->headers[i];
        if (is_one_of(h->name, ours, LEN(ours)) || (j->foreign && is_one_of(h->name, secret, LEN(secret))))
            continue;
        if (!http_is_token(h->name) || !http_is_value(h->value))
            return fetch_fail(j->f, FETCH_OTHER, "a header to be sent holds what a header cannot: " STR_FMT,
                              STR_ARG(str_sub(h->name, 0, 60)));
        agent |= str_eq_nocase(h->name, S("user-agent"));
        encoding |= str_eq_nocase(h->name, S("accept-encoding"));
        buf_fmt(b, STR_FMT ": " STR_FMT "\r\n", STR_ARG(h->name), STR_ARG(h->value));
    }
    if (!agent)
        buf_str(b, S("User-Agent: ccmon/" CCMON_VERSION "\r\n"));
    if (!encoding)
        buf_str(b, S("Accept-Encoding: gzip\r\n"));
    return FETCH_OK;
}

static enum fetch_end put_head(const struct job *j, struct buf *b)
{
    const struct fetch *q = j->q;
    buf_str(b, method_text(q->method));
    buf_byte(b, ' ');
    buf_str(b, j->url.target);
    buf_str(b, S(" HTTP/1.1\r\nHost: "));
    buf_str(b, j->url.authority);
    buf_str(b, S("\r\n"));
    enum fetch_end end = put_headers(j, b);
    if (end)
        return end;
    if (q->body.n || q->method & (HTTP_POST | HTTP_PUT))
        buf_fmt(b, "Content-Length: %zu\r\n", q->body.n);
    if (!j->peer)
        buf_str(b, S("Connection: close\r\n"));
    buf_str(b, S("\r\n"));
    if (b->bad)
        return fetch_fail(j->f, FETCH_OTHER, "the head of the request is larger than %d bytes", REQUEST_MAX);
    return FETCH_OK;
}

static enum fetch_end read_reply(const struct job *j, struct dial *d, struct answer *a)
{
    CLEANUP(mem_freep) char *p = mem_alloc(READ_BYTES);
    for (;;) {
        size_t n;
        enum fetch_end end = dial_read(d, p, READ_BYTES, &n, j->f);
        if (end)
            return end;
        if (n == 0)
            return answer_end(a) ? FETCH_OK
                                 : fetch_fail(j->f, FETCH_RESET, "the peer closed the connection %s",
                                              a->begun ? "in the middle of its reply" : "without a reply");
        struct http_bad bad;
        struct str in = { p, n };
        switch (answer_feed(a, &in, &bad)) {
        case HTTP_DONE:
            a->keep_alive &= in.n == 0;
            return FETCH_OK;
        case HTTP_BAD:
            return fetch_fail(j->f, bad.status == 413 ? FETCH_TOO_LARGE : FETCH_MALFORMED, "%s", bad.why);
        case HTTP_MORE:
            break;
        }
    }
}

static enum fetch_end exchange(const struct job *j, struct dial *d, struct answer *a)
{
    CLEANUP(buf_done) struct buf head;
    buf_init(&head, REQUEST_MAX);
    enum fetch_end end = put_head(j, &head);
    if (end)
        return end;
    end = dial_write(d, buf_view(&head), j->f);
    if (!end && j->q->body.n)
        end = dial_write(d, j->q->body, j->f);
    if (end && end != FETCH_RESET)
        return end;
    bool cut = end == FETCH_RESET;                 /* it may have answered before it closed */
    end = read_reply(j, d, a);
    a->keep_alive &= !cut;
    return end;
}

/* ---- the connection ---- */

static int64_t time_left(const struct job *j)
{
    return MAX(j->deadline - clock_mono(&clock_system), INT64_C(1));
}

static struct dial *take_kept(const struct job *j)
{
    struct http_peer *p = j->peer;
    if (!p || !p->conn)
        return NULL;
    struct dial *d = TAKE(p->conn);
    bool same = p->https == j->url.https && p->port == j->url.port && p->tls == j->q->tls &&
                str_eq_nocase((struct str){ p->host, p->nhost }, j->url.host);
    if (same && dial_alive(d)) {
        dial_again(d, time_left(j), j->q->cancelled);
        return d;
    }
    dial_free(d);
    return NULL;
}

static void keep(const struct job *j, struct dial *d)
{
    struct http_peer *p = j->peer;
    CHECK(!p->conn && j->url.host.n <= sizeof(p->host));
    p->conn = d;
    memcpy(p->host, j->url.host.p, j->url.host.n);
    p->nhost = j->url.host.n;
    p->port = j->url.port;
    p->https = j->url.https;
    p->tls = j->q->tls;
}

static enum fetch_end open_new(const struct job *j, struct dial **ret)
{
    const struct dial_to to = {
        .host = j->url.host,
        .port = j->url.port,
        .https = j->url.https,
        .tls = j->q->tls,
        .timeout_ns = time_left(j),
        .cancelled = j->q->cancelled,
    };
    return http_dial(&to, ret, j->f);
}

/* One request on one connection, kept or new. *ret_stale: it was a kept one that had died. */
static enum fetch_end try_once(const struct job *j, bool fresh, struct answer *a, bool *ret_stale)
{
    struct dial *d = fresh ? NULL : take_kept(j);
    bool reused = d != NULL;
    enum fetch_end end = reused ? FETCH_OK : open_new(j, &d);
    if (end)
        return end;
    end = exchange(j, d, a);
    *ret_stale = reused && end == FETCH_RESET && !a->begun && j->q->method != HTTP_POST;
    if (!end && a->keep_alive && j->peer && j->url.host.n <= sizeof(j->peer->host))
        keep(j, d);
    else
        dial_free(d);
    return end;
}

/* The arena that the reply goes to has an end; head and body may need it twice over. */
static size_t body_room(const struct job *j)
{
    size_t room = (size_t)(j->mem->end - j->mem->pos);
    return room < 4 * (size_t)HTTP_HEAD_MAX ? 0 : MIN(j->body_max, room - 4 * (size_t)HTTP_HEAD_MAX);
}

static enum fetch_end one_request(const struct job *j)
{
    bool stale = false;
    CLEANUP(answer_done) struct answer a;
    answer_init(&a, j->mem, j->q->method == HTTP_HEAD, body_room(j));
    enum fetch_end end = try_once(j, false, &a, &stale);
    if (stale) {
        answer_done(&a);
        answer_init(&a, j->mem, j->q->method == HTTP_HEAD, body_room(j));
        end = try_once(j, true, &a, &stale);
    }
    if (end)
        return end;
    struct http_bad bad;
    if (answer_decode(&a, &j->ret->body, &bad) != HTTP_DONE)
        return fetch_fail(j->f, bad.status == 413 ? FETCH_TOO_LARGE : FETCH_MALFORMED, "%s", bad.why);
    j->ret->status = a.status;
    j->ret->headers = a.headers;
    j->ret->nheaders = a.nheaders;
    return FETCH_OK;
}

/* ---- redirects ---- */

static struct str location(const struct job *j)
{
    int s = j->ret->status;
    bool moved = s == 301 || s == 302 || s == 303 || s == 307 || s == 308;
    if (!moved || !j->q->follow_redirects || j->q->method != HTTP_GET)
        return (struct str){ 0 };
    for (uint32_t i = 0; i < j->ret->nheaders; i++)
        if (str_eq(j->ret->headers[i].name, S("location")))
            return j->ret->headers[i].value;
    return (struct str){ 0 };
}

static enum fetch_end follow(struct job *j, struct str to)
{
    struct url from = j->url;
    j->ret->final_url = resolve(&from, to, j->mem);
    enum fetch_end end = parse_url(j->ret->final_url, j->mem, &j->url, j->f);
    if (end)
        return end;
    if (from.https && !j->url.https)
        return fetch_fail(j->f, FETCH_OTHER, "redirected from https to http, which is not followed");
    j->foreign |= !same_origin(&from, &j->url);
    return FETCH_OK;
}

static enum fetch_end fetch(struct job *j)
{
    j->ret->final_url = arena_str(j->mem, j->q->url);
    enum fetch_end end = parse_url(j->ret->final_url, j->mem, &j->url, j->f);
    for (int hops = 0; !end; hops++) {
        end = one_request(j);
        struct str to = end ? (struct str){ 0 } : location(j);
        if (!to.n)
            return end;
        if (hops == HTTP_REDIRECTS_MAX)
            return fetch_fail(j->f, FETCH_OTHER, "redirected more than %d times", HTTP_REDIRECTS_MAX);
        end = follow(j, to);
    }
    return end;
}

enum err http_fetch(struct http_peer *peer, const struct fetch *q, struct arena *mem, struct fetched *ret, struct fault *f)
{
    struct fault own = { 0 };
    struct fetched got = { 0 };
    struct job j = { .q = q, .peer = peer, .mem = mem, .ret = &got, .f = f ? f : &own };
    j.deadline = clock_mono(&clock_system) + (q->timeout_ns ? q->timeout_ns : HTTP_FETCH_MS * NS_PER_MS);
    j.body_max = q->body_max ? q->body_max : (size_t)HTTP_BODY_MAX;
    got.end = fetch(&j);
    *ret = got;
    CHECK(got.end == FETCH_OK || j.f->code != OK);
    return got.end == FETCH_OK ? OK : j.f->code;
}
