/* Streams over a connection that is none: what is answered, what falls due when, and
 * what a budget stops. The real thing is tested by tests/http/http2.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "../../support/fakeloop.h"
#include "base/zip.h"
#include "http/grpc.h"
#include "http/h2_budget.h"

enum { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION };
enum { ES = 1, EH = 4 };

/* ---- a server --------------------------------------------------------------------------- */

static struct {
    struct http_req *held;
    struct http_stream *live;
    bool gone;
    int refusals, status, closed;
    char why[256];
} seen;

static void on_hello(struct http_req *r)
{
    CHECK(r->http2);
    http_reply_header(r, S("X-Upper"), S("v"));
    http_reply(r, 200, S("text/plain"), S("hello"));
}

static void on_big(struct http_req *r)
{
    struct buf b;
    buf_init(&b, 100000);
    while (b.n < 100000)
        buf_str(&b, S("0123456789"));
    http_reply_buf(r, 200, S("application/octet-stream"), &b);
}

static void on_echo(struct http_req *r)
{
    http_reply(r, 200, S("application/octet-stream"), r->body);
}

static void on_held(struct http_req *r)
{
    seen.held = r;
}

static void on_method(struct http_req *r)
{
    if (str_eq(r->body, S("fail")))
        grpc_fail(r, GRPC_UNAVAILABLE, S("a % and \xc3\xa4"), 7);
    else
        grpc_reply(r, r->body);
}

static void on_close(void *arg)
{
    (void)arg;
    seen.closed++;
}

static void on_live(struct http_req *r)
{
    seen.live = http_stream_open(r, 200, S("text/event-stream"), on_close, NULL);
}

static void on_cookie(struct http_req *r)
{
    http_reply(r, 200, S("text/plain"), http_header(r, S("cookie")));
}

static const struct http_route routes[] = {
    { HTTP_GET, "/", on_hello, ROUTE_LOOP, "" },
    { HTTP_GET, "/big", on_big, ROUTE_LOOP, "" },
    { HTTP_GET, "/held", on_held, ROUTE_LOOP, "" },
    { HTTP_GET, "/live", on_live, ROUTE_LOOP, "" },
    { HTTP_GET, "/cookie", on_cookie, ROUTE_LOOP, "" },
    { HTTP_POST, "/form", on_echo, ROUTE_LOOP, "" },
    { HTTP_POST, "/method", on_method, ROUTE_INGEST | ROUTE_GRPC, "" },
    { HTTP_POST, "/echo", on_echo, ROUTE_LOOP | ROUTE_INGEST, "" },
    { .path = NULL },
};

static void on_refused(void *arg, struct str listener, struct str peer, int status, const char *why)
{
    (void)arg;
    (void)listener;
    CHECK(str_eq(str_sub(peer, 0, 10), S("127.0.0.1:")));
    seen.refusals++;
    seen.status = status;
    snprintf(seen.why, sizeof seen.why, "%s", why);
}

static struct http_server *server;

static int setup(void **state)
{
    static const struct http_table table = { routes, NULL, NULL };
    const struct http_config cfg = { .check_hosts = true, .refused = on_refused, .inflight_max = 1 << 20 };
    (void)state;
    memset(&seen, 0, sizeof seen);
    server = fake_server(&cfg, &table, 1);
    fake_open(server);
    fake_input(fake_preface);
    fake_clear();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_end(server);
    if (seen.live)
        http_stream_close(seen.live);
    fake_jobs();
    fake_server_free(server);
    return 0;
}

/* ---- a client --------------------------------------------------------------------------- */

static void put_frame(struct buf *b, int type, int flags, uint32_t id, struct str payload)
{
    const uint8_t head[9] = { (uint8_t)(payload.n >> 16), (uint8_t)(payload.n >> 8), (uint8_t)payload.n, (uint8_t)type, (uint8_t)flags,
                              (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };
    buf_put(b, head, sizeof head);
    buf_str(b, payload);
}

static void send_frame(int type, int flags, uint32_t id, struct str payload)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    put_frame(&b, type, flags, id, payload);
    fake_input(buf_view(&b));
}

static void put_field(struct buf *b, struct str name, struct str value)
{
    CHECK(name.n < 127 && value.n < 127);
    buf_byte(b, 0);
    buf_byte(b, (char)name.n);
    buf_str(b, name);
    buf_byte(b, (char)value.n);
    buf_str(b, value);
}

/* more: "name: value" lines. */
static void send_head(uint32_t id, int flags, const char *method, const char *path, const char *more)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 16);
    put_field(&b, S(":method"), str_c(method));
    put_field(&b, S(":scheme"), S("http"));
    put_field(&b, S(":path"), str_c(path));
    if (!strstr(more, "host:"))
        put_field(&b, S(":authority"), S("localhost"));
    for (struct str rest = str_c(more); rest.n;) {
        struct str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
        put_field(&b, name, str_trim(value));
    }
    send_frame(HEADERS, flags, id, buf_view(&b));
}

/* The first frame of this type and stream in what was sent so far. */
static bool find_frame(int type, uint32_t id, int *ret_flags, struct str *ret)
{
    struct str out = fake_output();
    while (out.n >= 9) {
        const uint8_t *p = (const uint8_t *)out.p;
        size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        uint32_t stream = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];
        CHECK(out.n >= 9 + n);
        if (p[3] == type && stream == id) {
            *ret_flags = p[4];
            *ret = str_sub(out, 9, n);
            return true;
        }
        out = str_sub(out, 9 + n, out.n);
    }
    return false;
}

static uint32_t number_at(struct str s, size_t at)
{
    const uint8_t *p = (const uint8_t *)s.p + at;
    CHECK(s.n >= at + 4);
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The code of RST_STREAM (id > 0) or GOAWAY; -1: none came. */
static int code_of(uint32_t id)
{
    int flags;
    struct str s;
    if (!find_frame(id ? RST : GOAWAY, id, &flags, &s))
        return -1;
    return (int)number_at(s, id ? 0 : 4);
}

/* Status of the reply: an index of the static table, or three digits of a Huffman code. */
static int status_of(uint32_t id)
{
    static const int table[] = { 200, 204, 206, 304, 400, 404, 500 };
    int flags, status = 0;
    struct str s;
    if (!find_frame(HEADERS, id, &flags, &s))
        return -1;
    uint8_t first = (uint8_t)s.p[0];
    if (first >= 0x88 && first <= 0x8e)
        return table[first - 0x88];
    if ((first & 0x3f) != 8)
        return 0;                                  /* not seen before in this test */
    struct str value = str_sub(s, 2, (uint8_t)s.p[1] & 0x7f);
    if (!((uint8_t)s.p[1] & 0x80))
        return (value.p[0] - '0') * 100 + (value.p[1] - '0') * 10 + value.p[2] - '0';
    uint64_t bits = 0;
    for (size_t i = 0; i < 4; i++)
        bits = bits << 8 | (i < value.n ? (uint8_t)value.p[i] : 0);
    for (int i = 0, at = 32; i < 3; i++) {
        uint32_t five = (uint32_t)(bits >> (at - 5)) & 31, six = (uint32_t)(bits >> (at - 6)) & 63;
        at -= five < 3 ? 5 : 6;
        status = status * 10 + (five < 3 ? (int)five : (int)(six - 0x19 + 3));
    }
    return status;
}

static struct str data_of(uint32_t id)
{
    int flags;
    struct str s;
    return find_frame(DATA, id, &flags, &s) ? s : S("");
}

static bool is_ended(uint32_t id)
{
    int flags;
    struct str s;
    return (find_frame(HEADERS, id, &flags, &s) && flags & ES) || (find_frame(DATA, id, &flags, &s) && flags & ES);
}

/* ---- what is answered --------------------------------------------------------------------- */

static const struct {
    const char *method, *path, *more;
    struct str body;
    int status;                  /* 0: reset */
    const char *answer, *why;
} rows[] = {
    { "GET", "/", "", S(""), 200, "hello", "" },
    { "GET", "/", "host: localhost\n", S(""), 200, "hello", "" },
    { "HEAD", "/", "", S(""), 200, "", "" },
    { "GET", "/none", "", S(""), 404, "nothing is served", "nothing is served" },
    { "DELETE", "/", "", S(""), 405, "not for DELETE", "not for DELETE" },
    { "GET", "/%zz", "", S(""), 400, "percent", "percent" },
    { "GET", "/a b", "", S(""), 0, "", "" },
    { "GET", "/\x01", "", S(""), 0, "", "" },
    { "GET", "/", "host: evil.test\n", S(""), 403, "allow_hosts", "allow_hosts" },
    { "GET", "/", "origin: http://evil.test\n", S(""), 403, "allow_hosts", "allow_hosts" },
    { "GET", "/cookie", "cookie: a=1\ncookie: b=2\n", S(""), 200, "a=1; b=2", "" },
    { "POST", "/echo", "", S("body"), 200, "body", "" },
    { "POST", "/echo", "content-length: 4\n", S("body"), 200, "body", "" },
    { "POST", "/echo", "content-length: 5\n", S("body"), 0, "", "" },
    { "POST", "/echo", "content-length: 99999999999\n", S("begin"), 413, "takes", "takes" },
    { "POST", "/echo", "content-length: 33554432\n", S("begin"), 503, "in flight", "in flight" },
    { "POST", "/echo", "content-encoding: br\n", S("body"), 415, "", "" },
    { "POST", "/echo", "expect: 100-continue\n", S("body"), 200, "body", "" },
    { "POST", "/echo", "Upper: x\n", S("body"), 0, "", "" },
    { "POST", "/echo", "connection: close\n", S("body"), 0, "", "" },
    { "POST", "/echo", "transfer-encoding: chunked\n", S("body"), 0, "", "" },
    { "POST", "/echo", ": a field without a name\n", S("body"), 400, "a character", "a character" },
    { "POST", "/method", "content-type: application/x-protobuf\n", S("x"), 415, "gRPC is spoken", "gRPC is spoken" },
    { "POST", "/method", "content-type: application/grpc\n", S("\0\0\0\0\2ab"), 200, "", "" },
    { "POST", "/echo", "content-type: application/grpc\n", S("\0\0\0\0\2ab"), 200, "", "no gRPC method" },
};

static void answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        setup(NULL);
        send_head(1, EH | (rows[i].body.n ? 0 : ES), rows[i].method, rows[i].path, rows[i].more);
        if (rows[i].body.n)
            send_frame(DATA, str_eq(rows[i].body, S("begin")) ? 0 : ES, 1, rows[i].body);
        int status = code_of(1) > 0 ? 0 : status_of(1);
        if (status == 100)                         /* an interim reply goes before */
            status = 200;
        bool told = rows[i].why[0] ? seen.refusals == 1 && strstr(seen.why, rows[i].why) : seen.refusals <= (rows[i].status >= 400);
        if (status != rows[i].status || str_find(data_of(1), str_c(rows[i].answer)) == SIZE_MAX || !told)
            fail_msg("%s %s %s: %d '" STR_FMT "' %d refusals, '%s'", rows[i].method, rows[i].path, rows[i].more, status,
                     STR_ARG(data_of(1)), seen.refusals, seen.why);
        assert_int_equal(code_of(0), -1);
        teardown(NULL);
    }
}

/* One stream is answered while others wait; and a client that resets one cancels its request. */
static void streams(void **state)
{
    (void)state;
    send_head(1, EH | ES, "GET", "/held", "");
    struct http_req *first = TAKE(seen.held);
    send_head(3, EH | ES, "GET", "/held", "");
    struct http_req *second = TAKE(seen.held);
    send_head(5, EH | ES, "GET", "/", "");
    assert_true(str_eq(data_of(5), S("hello")));
    http_reply(second, 200, S("text/plain"), S("second"));
    fake_jobs();
    assert_true(str_eq(data_of(3), S("second")) && status_of(1) == -1);
    assert_false(http_gone(first->gone));
    send_frame(RST, 0, 1, S("\0\0\0\x08"));
    assert_true(http_gone(first->gone));
    http_reply(first, 200, S("text/plain"), S("nobody waits"));
    fake_jobs();
    assert_int_equal(status_of(1), -1);
    assert_int_equal(seen.refusals, 0);
}

static void live(void **state)
{
    (void)state;
    send_head(1, EH | ES, "GET", "/live", "");
    assert_true(status_of(1) == 200 && !is_ended(1));
    fake_clear();
    assert_true(http_stream_send(seen.live, S("one")));
    fake_jobs();
    assert_true(str_eq(data_of(1), S("one")));
    send_head(3, EH | ES, "GET", "/", "");
    assert_true(str_eq(data_of(3), S("hello")));
    fake_clear();
    fake_pass(60 * 60 * 1000);                     /* it may be silent for as long as it likes */
    assert_true(fake_is_open() && code_of(0) == -1);
    assert_true(http_stream_send(seen.live, S("two")));
    http_stream_close(TAKE(seen.live));
    fake_jobs();
    assert_true(str_eq(data_of(1), S("two")) && is_ended(1));
    assert_int_equal(seen.closed, 1);
}

static void live_is_left(void **state)
{
    (void)state;
    send_head(1, EH | ES, "GET", "/live", "");
    send_frame(RST, 0, 1, S("\0\0\0\x08"));
    assert_int_equal(seen.closed, 1);
    assert_false(http_stream_send(seen.live, S("x")));
}

/* ---- gRPC --------------------------------------------------------------------------------- */

static void grpc_messages(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        struct str body;
        struct str answer;       /* p == NULL: an error, told in the head alone */
    } cases[] = {
        { "", S("\0\0\0\0\2ab"), S("\0\0\0\0\2ab") },
        { "", S("\0\0\0\0\0"), S("\0\0\0\0\0") },
        { "grpc-encoding: gzip\n", S("\0\0\0\0\2ab"), S("\0\0\0\0\2ab") },
        { "grpc-timeout: 99999999H\n", S("\0\0\0\0\2ab"), S("\0\0\0\0\2ab") },
        { "grpc-timeout: 999999999m\n", S("\0\0\0\0\2ab"), { 0 } },
        { "grpc-timeout: m\n", S("\0\0\0\0\2ab"), { 0 } },
        { "grpc-encoding: br\n", S("\0\0\0\0\2ab"), { 0 } },
        { "grpc-encoding: gzip\n", S("\1\0\0\0\2ab"), { 0 } },
        { "", S("\0\0\0\0\4fail"), { 0 } },
        { "", S("\1\0\0\0\2ab"), { 0 } },
        { "", S("\2\0\0\0\2ab"), { 0 } },
        { "", S("\0\0\0\0\3ab"), { 0 } },
        { "", S("\0\0\0\0\1ab"), { 0 } },
        { "", S("\0\0\0"), { 0 } },
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        char more[128];
        uint32_t id = (uint32_t)(2 * i + 1);
        snprintf(more, sizeof more, "content-type: application/grpc\n%s", cases[i].more);
        send_head(id, EH, "POST", "/method", more);
        send_frame(DATA, ES, id, cases[i].body);
        bool head_alone = is_ended(id);
        if (head_alone != !cases[i].answer.p || (cases[i].answer.p && !str_eq(data_of(id), cases[i].answer)))
            fail_msg("row %zu: '" STR_FMT "'", i, STR_ARG(data_of(id)));
        fake_clear();
    }
}

static void grpc_gzip(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1000);
    buf_str(&b, S("\1\0\0\0\0"));
    assert_int_equal(zip_gzip(S("packed"), 1, &b), OK);
    b.p[4] = (char)(b.n - 5);
    send_head(1, EH, "POST", "/method", "content-type: application/grpc+proto\ngrpc-encoding: gzip\n");
    send_frame(DATA, ES, 1, buf_view(&b));
    assert_true(str_eq(data_of(1), S("\0\0\0\0\6packed")));
}

/* ---- time --------------------------------------------------------------------------------- */

static void slow_head(void **state)
{
    (void)state;
    send_head(1, 0, "GET", "/", "");               /* without END_HEADERS */
    fake_pass(HTTP_HEADER_MS - 1);
    assert_int_equal(code_of(0), -1);
    fake_pass(1);
    assert_int_equal(code_of(0), 11);
    assert_true(fake_is_shut() && seen.refusals == 1 && seen.status == 408);
}

static void slow_body(void **state)
{
    (void)state;
    send_head(1, EH, "POST", "/echo", "");
    send_head(3, EH, "POST", "/echo", "");
    static const char enough[HTTP_BODY_WINDOW_MIN];
    send_frame(DATA, 0, 3, (struct str){ enough, sizeof enough });
    send_frame(DATA, 0, 1, S("x"));
    fake_pass(HTTP_BODY_WINDOW_MS);
    assert_int_equal(status_of(1), 408);
    assert_int_equal(status_of(3), -1);
    assert_true(seen.refusals == 1 && seen.status == 408);
    fake_pass(HTTP_BODY_WINDOW_MS);                /* and what still comes of it is waited for no longer */
    assert_int_equal(code_of(1), 0);
    assert_true(status_of(3) != -1 && seen.refusals == 2 && seen.status == 408);
    assert_int_equal(code_of(0), -1);
}

static void stalled_window(void **state)
{
    (void)state;
    send_frame(SETTINGS, 0, 0, S("\0\4\0\0\0\0"));
    send_head(1, EH | ES, "GET", "/big", "");
    send_head(3, EH | ES, "GET", "/big", "");
    assert_true(status_of(1) == 200 && !data_of(1).n);
    fake_pass(HTTP_WRITE_MS - 1);
    send_frame(WINDOW, 0, 3, S("\0\0\0\1"));
    fake_pass(1);
    assert_int_equal(code_of(1), 8);
    assert_int_equal(code_of(3), -1);
    assert_true(seen.refusals == 1 && strstr(seen.why, "no window"));
    fake_pass(HTTP_WRITE_MS);
    assert_int_equal(code_of(3), 8);
    fake_clear();
    send_frame(SETTINGS, 0, 0, S("\0\4\0\0\xff\xff"));
    send_head(5, EH | ES, "GET", "/", "");
    assert_true(str_eq(data_of(5), S("hello")));
}

static void stalled_socket(void **state)
{
    (void)state;
    fake_room(100);
    send_head(1, EH | ES, "GET", "/big", "");
    fake_pass(HTTP_WRITE_MS - 1);
    assert_true(fake_is_open());
    fake_pass(1);
    assert_false(fake_is_open());
}

static void idle(void **state)
{
    (void)state;
    send_head(1, EH | ES, "GET", "/held", "");
    fake_pass(2 * HTTP_IDLE_MS);
    assert_int_equal(code_of(0), -1);              /* a handler may take its time */
    http_reply(TAKE(seen.held), 200, S("text/plain"), S("late"));
    fake_jobs();
    assert_true(str_eq(data_of(1), S("late")));
    fake_pass(HTTP_IDLE_MS - 1);
    assert_int_equal(code_of(0), -1);
    fake_pass(1);
    assert_int_equal(code_of(0), 0);
    assert_true(fake_is_shut());
}

static void half_closed(void **state)
{
    (void)state;
    send_head(1, EH | ES, "GET", "/held", "");
    send_head(3, EH, "POST", "/echo", "");         /* this one will never be complete */
    fake_eof();
    assert_true(fake_is_open());
    fake_pass(HTTP_PROBE_MS);
    int flags;
    struct str s;
    assert_true(find_frame(PING, 0, &flags, &s));
    http_reply(TAKE(seen.held), 200, S("text/plain"), S("still"));
    fake_jobs();
    assert_true(str_eq(data_of(1), S("still")));
    assert_false(fake_is_open());
}

/* ---- budgets ------------------------------------------------------------------------------ */

static void rapid_reset(void **state)
{
    (void)state;
    uint32_t id = 1;
    for (; id < 2 * HTTP2_RESETS_BURST; id += 2) {
        send_head(id, EH | ES, "GET", "/", "");
        send_frame(RST, 0, id, S("\0\0\0\x08"));
    }
    assert_int_equal(code_of(0), -1);
    for (int i = 0; i < 2; i++, id += 2) {
        send_head(id, EH, "POST", "/echo", "");
        send_frame(RST, 0, id, S("\0\0\0\x08"));
    }
    assert_int_equal(code_of(0), 11);
    assert_true(fake_is_shut() && seen.refusals == 1 && seen.status == 429);
}

/* What is used up is shared: one more stream for each connection, and no more. */
static void crowded(void **state)
{
    (void)state;
    atomic_fetch_add(&server->running, HTTP2_CALLS_MAX);
    atomic_fetch_add(&server->conns, HTTP2_CALLS_MAX);
    send_head(1, EH | ES, "GET", "/held", "");
    struct http_req *first = TAKE(seen.held);
    assert_non_null(first);
    send_head(3, EH | ES, "GET", "/", "");
    assert_int_equal(code_of(3), 7);
    http_reply(first, 200, S("text/plain"), S("first"));
    fake_jobs();
    assert_true(str_eq(data_of(1), S("first")));
    fake_clear();
    send_head(5, EH | ES, "GET", "/", "");
    assert_true(str_eq(data_of(5), S("hello")));
    atomic_fetch_sub(&server->running, HTTP2_CALLS_MAX);
    atomic_fetch_sub(&server->conns, HTTP2_CALLS_MAX);
}

/* Replies that nobody takes: a first one is anybody's right. */
static void untaken(void **state)
{
    (void)state;
    send_frame(SETTINGS, 0, 0, S("\0\4\0\0\0\0"));
    atomic_fetch_add(&server->held, HTTP2_HELD_MAX);
    atomic_fetch_add(&server->conns, HTTP2_HELD_MAX);
    send_head(1, EH | ES, "GET", "/big", "");
    assert_int_equal(code_of(0), -1);
    send_head(3, EH | ES, "GET", "/big", "");
    assert_int_equal(code_of(0), 11);
    assert_true(seen.refusals == 1 && seen.status == 429);
    assert_int_equal(atomic_load(&server->held), HTTP2_HELD_MAX);
    atomic_fetch_sub(&server->held, HTTP2_HELD_MAX);
    atomic_fetch_sub(&server->conns, HTTP2_HELD_MAX);
}

static void budgets(void **state)
{
    (void)state;
    struct h2_budget b = { 0 };
    int64_t now = 1000000;
    for (int i = 0; i < HTTP2_FRAMES_BURST; i++)
        assert_null(h2_budget_frame(&b, now));
    assert_non_null(h2_budget_frame(&b, now));
    assert_null(h2_budget_reset(&b, now));
    for (int i = 0; i < HTTP2_FRAMES_PER_S; i++)
        assert_null(h2_budget_frame(&b, now + 1000));
    assert_non_null(h2_budget_empty(&b, now + 1000));
    h2_budget_answered(&b);
    for (int i = 0; i < HTTP2_FRAMES_PER_REQUEST; i++)
        assert_null(h2_budget_frame(&b, now + 1000));
    assert_non_null(h2_budget_frame(&b, now + 1000));
    h2_budget_sent(&b, HTTP2_BYTES_PER_FRAME / 2);
    assert_non_null(h2_budget_frame(&b, now + 1000));
    h2_budget_sent(&b, HTTP2_BYTES_PER_FRAME - HTTP2_BYTES_PER_FRAME / 2);
    assert_null(h2_budget_frame(&b, now + 1000));
    for (int i = 0; i < HTTP2_FRAMES_BURST; i++)   /* a rest fills it, and no more than fills it */
        assert_null(h2_budget_frame(&b, INT64_MAX));
    assert_non_null(h2_budget_frame(&b, INT64_MAX));
    assert_non_null(h2_budget_frame(&b, 5));       /* a clock that goes backwards gives nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test_setup_teardown(streams, setup, teardown),
        cmocka_unit_test_setup_teardown(live, setup, teardown),
        cmocka_unit_test_setup_teardown(live_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(grpc_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(grpc_gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_head, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_body, setup, teardown),
        cmocka_unit_test_setup_teardown(stalled_window, setup, teardown),
        cmocka_unit_test_setup_teardown(stalled_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(idle, setup, teardown),
        cmocka_unit_test_setup_teardown(half_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(rapid_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(crowded, setup, teardown),
        cmocka_unit_test_setup_teardown(untaken, setup, teardown),
        cmocka_unit_test(budgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
