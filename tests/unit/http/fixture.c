#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/num.h"

enum { PATIENCE_S = 30 };

struct fixture fx = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void lock(void)
{
    CHECK(pthread_mutex_lock(&fx.lock) == 0);
}

static void unlock(void)
{
    CHECK(pthread_mutex_unlock(&fx.lock) == 0);
}

/* ---- handlers ---- */

static void on_hello(struct http_req *r)
{
    http_reply_header(r, S("X-Peer"), r->peer);
    if (r->tls)
        http_reply_header(r, S("X-Cert"), r->cert_name);
    http_reply(r, 200, S("text/plain"), S("hello"));
}

static void on_echo(struct http_req *r)
{
    http_reply(r, 200, S("application/octet-stream"), r->body);
}

static void on_wait(struct http_req *r)
{
    lock();
    fx.waiting++;
    while (!fx.released && !http_gone(r->gone)) {
        unlock();
        usleep(1000);
        lock();
    }
    bool gone = http_gone(r->gone);
    fx.cancelled += gone;
    fx.waiting--;
    unlock();
    http_reply(r, 200, S("text/plain"), gone ? S("gone") : S("waited"));
}

static void on_later(struct http_req *r)
{
    lock();
    CHECK(!fx.later);
    fx.later = r;
    unlock();
}

static void on_close(void *arg)
{
    CHECK(arg == &fx);
    lock();
    fx.closed++;
    unlock();
}

static void on_stream(struct http_req *r)
{
    struct http_stream *s = http_stream_open(r, 200, S("text/event-stream"), on_close, &fx);
    lock();
    CHECK(!fx.stream);
    fx.stream = s;
    unlock();
}

static void on_streams(struct http_req *r)
{
    struct http_stream *s = http_stream_open(r, 200, S("text/plain"), NULL, NULL);
    CHECK(http_stream_send(s, S("one")));
    http_stream_close(s);
}

static void on_big(struct http_req *r)
{
    struct buf b;
    buf_init(&b, BIG_BYTES);
    char *p = buf_room(&b, BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        p[i] = "0123456789abcdef\n"[i % 17];
    buf_grew(&b, BIG_BYTES);
    http_reply_buf(r, 200, S("text/plain"), &b);
}

static void on_params(struct http_req *r)
{
    const struct str *all;
    struct str out = { 0 };
    uint32_t n = http_params(r, S("a"), &all);
    for (uint32_t i = 0; i < n; i++)
        out = arena_fmt(r->mem, STR_FMT STR_FMT ";", STR_ARG(out), STR_ARG(all[i]));
    http_reply(r, 200, S("text/plain"), out);
}

static void on_bad(struct http_req *r)
{
    http_reply_header(r, S("X-Echo"), S("a\r\nSet-Cookie: b\n"));
    http_reply_error(r, 400, "%s", "two\nlines");
}

static void on_error(struct http_req *r, int status, struct str why)
{
    (void)why;
    http_reply(r, status, S("application/json"), S("{\"hook\":true}"));
}

static const struct http_route routes[] = {
    { HTTP_GET, "/hello", on_hello, ROUTE_LOOP, "" },
    { HTTP_POST, "/echo", on_echo, ROUTE_LOOP | ROUTE_INGEST, "" },
    { HTTP_POST, "/pool", on_echo, ROUTE_POOL | ROUTE_INGEST, "" },
    { HTTP_POST, "/form", on_echo, ROUTE_LOOP, "" },
    { HTTP_GET, "/wait", on_wait, ROUTE_POOL, "" },
    { HTTP_GET, "/later", on_later, ROUTE_LOOP, "" },
    { HTTP_GET, "/stream", on_stream, ROUTE_POOL, "" },
    { HTTP_GET, "/streams", on_streams, ROUTE_LOOP, "" },
    { HTTP_GET, "/big", on_big, ROUTE_POOL, "" },
    { HTTP_GET | HTTP_POST, "/params", on_params, ROUTE_LOOP, "" },
    { HTTP_GET, "/bad", on_bad, ROUTE_LOOP, "" },
    { .path = NULL },
};
static const struct http_route otlp_routes[] = {
    { HTTP_POST, "/otlp", on_echo, ROUTE_LOOP | ROUTE_INGEST, "" },
    { .path = NULL },
};

/* ---- the server ---- */

static void on_refused(void *arg, struct str listener, struct str peer, int status, const char *why)
{
    CHECK(arg == &fx && str_eq(listener, S("test")));
    lock();
    fx.refusals++;
    fx.refused_status = status;
    snprintf(fx.refused_why, sizeof(fx.refused_why), "%s", why);
    snprintf(fx.refused_peer, sizeof(fx.refused_peer), STR_FMT, STR_ARG(peer));
    unlock();
}

void fx_start(struct http_config cfg)
{
    fx.released = false;
    fx.cancelled = fx.closed = fx.refused_status = fx.refusals = 0;
    fx.refused_why[0] = 0;
    fx.later = NULL;
    fx.stream = NULL;
    cfg.refused = on_refused;
    cfg.refused_arg = &fx;
    struct fault f;
    const struct http_table tables[] = { { routes, NULL, NULL }, { otlp_routes, NULL, on_error } };
    if (http_server_new(&cfg, &fx.server, &f) ||
        http_listen(fx.server, S("test"), S("127.0.0.1"), 0, tables, LEN(tables), &fx.port, &f) || http_start(fx.server, &f))
        fail_msg("%s", f.msg);
}

void fx_stop(void)
{
    fx_release();
    http_stop(fx.server, 0);
    http_server_free(TAKE(fx.server));
}

void fx_release(void)
{
    lock();
    fx.released = true;
    unlock();
}

bool fx_answer(const char *text)
{
    lock();
    struct http_req *r = TAKE(fx.later);
    unlock();
    if (r)
        http_reply(r, 200, S("text/plain"), str_c(text));
    return r;
}

void fx_until(bool (*holds)(void))
{
    for (int i = 0; i < PATIENCE_S * 1000; i++) {
        if (holds())
            return;
        usleep(1000);
    }
    fail_msg("it did not come to be");
}

struct http_stats fx_stats(void)
{
    struct http_stats s;
    http_server_stats(fx.server, &s);
    return s;
}

int fx_get_int(const int *p)
{
    lock();
    int v = *p;
    unlock();
    return v;
}

struct http_stream *fx_stream(void)
{
    lock();
    struct http_stream *s = fx.stream;
    unlock();
    return s;
}

bool fx_no_conns(void)
{
    return fx_stats().conns == 0;
}

bool fx_is_waiting(void)
{
    return fx_get_int(&fx.waiting) > 0;
}

bool fx_is_cancelled(void)
{
    return fx_get_int(&fx.cancelled) > 0;
}

bool fx_has_later(void)
{
    lock();
    bool has = fx.later;
    unlock();
    return has;
}

bool fx_has_stream(void)
{
    return fx_stream();
}

bool fx_is_closed(void)
{
    return fx_get_int(&fx.closed) > 0;
}

/* ---- the client ---- */

int cl_open_later(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = { PATIENCE_S, 0 };
    CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    return fd;
}

void cl_connect(int fd)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(fx.port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
        fail_msg("connect: %s", strerror(errno));
}

int cl_open(void)
{
    int fd = cl_open_later();
    cl_connect(fd);
    return fd;
}

void cl_close(int fd)
{
    close(fd);
}

void cl_reset(int fd)
{
    struct linger now = { 1, 0 };
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
    close(fd);
}

bool cl_try_send(int fd, struct str s)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, 0);
        if (n <= 0)
            return false;
        s = str_sub(s, (size_t)n, s.n);
    }
    return true;
}

void cl_send(int fd, struct str s)
{
    if (!cl_try_send(fd, s))
        fail_msg("send: %s", strerror(errno));
}

void cl_printf(int fd, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    CHECK(n >= 0 && n < (int)sizeof(text));
    cl_send(fd, (struct str){ text, (size_t)n });
}

void cl_shutdown(int fd)
{
    CHECK(shutdown(fd, SHUT_WR) == 0);
}

static void read_exactly(int fd, char *p, size_t n)
{
    while (n) {
        ssize_t got = recv(fd, p, n, 0);
        if (got <= 0)
            fail_msg("%zu bytes short: %s", n, got ? strerror(errno) : "end");
        p += got;
        n -= (size_t)got;
    }
}

/* Byte by byte, so that nothing of the next reply is taken. */
static size_t read_line(int fd, char *p, size_t size)
{
    for (size_t n = 0; n + 1 < size;) {
        read_exactly(fd, p + n++, 1);
        if (n >= 2 && p[n - 2] == '\r' && p[n - 1] == '\n') {
            p[n] = 0;
            return n;
        }
    }
    fail_msg("an endless line");
    return 0;
}

static void read_to_end(int fd, struct buf *b)
{
    char some[4096];
    for (ssize_t n; (n = recv(fd, some, sizeof(some), 0)) > 0;)
        buf_put(b, some, (size_t)n);
}

static void read_some(int fd, struct buf *b, size_t n)
{
    read_exactly(fd, buf_room(b, n), n);
    buf_grew(b, n);
}

static void read_chunked(int fd, struct buf *b)
{
    char line[64];
    for (size_t n = 1; n;) {
        read_line(fd, line, sizeof(line));
        n = strtoul(line, NULL, 16);
        read_some(fd, b, n);
        read_line(fd, line, sizeof(line));
        assert_string_equal(line, "\r\n");
    }
}

bool cl_has(const struct reply *r, const char *header_line)
{
    const char *at = strstr(r->head, header_line);
    return at && at > r->head && at[-1] == '\n' && at[strlen(header_line)] == '\r';
}

void reply_done(struct reply *r)
{
    buf_done(&r->body);
}

void cl_read(int fd, bool bodiless, struct reply *ret)
{
    *ret = (struct reply){ 0 };
    buf_init(&ret->body, 256 << 20);
    for (size_t n = 0, line = 0; line != 2; n += line)
        line = read_line(fd, ret->head + n, sizeof(ret->head) - n);
    if (sscanf(ret->head, "HTTP/1.1 %d ", &ret->status) != 1)
        fail_msg("no status line: %s", ret->head);
    const char *length = strstr(ret->head, "\r\nContent-Length: ");
    if (bodiless || ret->status < 200 || ret->status == 204 || ret->status == 304)
        return;
    if (length)
        read_some(fd, &ret->body, strtoul(length + 18, NULL, 10));
    else if (cl_has(ret, "Transfer-Encoding: chunked"))
        read_chunked(fd, &ret->body);
    else
        read_to_end(fd, &ret->body);
}

bool cl_at_end(int fd)
{
    char c;
    ssize_t n = recv(fd, &c, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

void cl_expect(int fd, int status, const char *body_part)
{
    struct reply r;
    cl_read(fd, false, &r);
    if (r.status != status || str_find(buf_view(&r.body), str_c(body_part)) == SIZE_MAX)
        fail_msg("want %d \"%s\", got %s" STR_FMT, status, body_part, r.head, STR_ARG(buf_view(&r.body)));
    reply_done(&r);
}

void cl_get(const char *path, const char *headers, struct reply *ret)
{
    int fd = cl_open();
    cl_printf(fd, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, headers);
    cl_read(fd, false, ret);
    cl_close(fd);
}
