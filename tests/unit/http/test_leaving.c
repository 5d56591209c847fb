/* Clients that are slow, leave early or only half, streams, limits, and the end of the server. */
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

/* ---- half-closed ---- */

static void test_half_close(void **state)
{
    (void)state;
    static const struct {
        struct str sent;
        int status;                                /* 0: closed without a word */
        const char *body;
    } rows[] = {
        { S(GET("/hello")), 200, "hello" },
        { S("POST /pool HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\npool"), 200, "pool" },
        { S(GET("/hello") "\r\n"), 200, "hello" },
        { S(""), 0, NULL },
        { S("\r\n"), 0, NULL },
        { S("GET /he"), 400, "middle" },
        { S("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\npoo"), 400, "middle" },
        { S("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npoo"), 400, "middle" },
        { S("POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\npoo"), 404, "nothing" },
    };
    fx_start((struct http_config){ 0 });
    for (size_t i = 0; i < LEN(rows); i++) {
        int fd = cl_open();
        cl_send(fd, rows[i].sent);
        cl_shutdown(fd);
        if (rows[i].status)
            cl_expect(fd, rows[i].status, rows[i].body);
        if (!cl_at_end(fd))
            fail_msg("row %zu: something after the reply", i);
        cl_close(fd);
    }
    fx_until(fx_no_conns);
    fx_stop();
}

static void test_half_close_pipelined(void **state)
{
    (void)state;
    fx_start((struct http_config){ 0 });
    int fd = cl_open();
    cl_send(fd, S(GET("/wait") GET("/hello") "POST /pool HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\npool"));
    cl_shutdown(fd);
    fx_until(fx_is_waiting);
    fx_release();
    cl_expect(fd, 200, "waited");
    cl_expect(fd, 200, "hello");
    cl_expect(fd, 200, "pool");
    assert_true(cl_at_end(fd));
    cl_close(fd);
    fx_stop();
}

/* It is asked whether it is still there, says so by being there, and gets its answer. */
static void test_half_closed_and_waiting(void **state)
{
    (void)state;
    struct reply r;
    fx_start((struct http_config){ .probe_ms = 20 });
    int fd = cl_open();
    cl_send(fd, S(GET("/wait")));
    cl_shutdown(fd);
    for (int i = 0; i < 3; i++) {
        cl_read(fd, true, &r);
        assert_int_equal(r.status, 100);
        reply_done(&r);
    }
    assert_false(fx_is_cancelled());
    fx_release();
    do
        cl_read(fd, false, &r);
    while (r.status == 100);
    assert_int_equal(r.status, 200);
    assert_true(str_eq(buf_view(&r.body), S("waited")));
    reply_done(&r);
    assert_true(cl_at_end(fd));
    cl_close(fd);
    fx_stop();
}

/* ---- gone ---- */

static void test_client_resets(void **state)
{
    (void)state;
    fx_start((struct http_config){ .probe_ms = 1000000 });
    int fd = cl_open();
    cl_send(fd, S(GET("/wait")));
    fx_until(fx_is_waiting);
    cl_reset(fd);
    fx_until(fx_is_cancelled);
    fx_until(fx_no_conns);
    fx_stop();
}

static void test_client_closes(void **state)
{
    (void)state;
    fx_start((struct http_config){ .probe_ms = 20 });
    int fd = cl_open();
    cl_send(fd, S(GET("/wait")));
    fx_until(fx_is_waiting);
    cl_close(fd);
    fx_until(fx_is_cancelled);
    fx_until(fx_no_conns);
    fx_stop();
}

static void test_client_leaves_a_deferred_reply(void **state)
{
    (void)state;
    fx_start((struct http_config){ 0 });
    int fd = cl_open();
    cl_send(fd, S(GET("/later")));
    fx_until(fx_has_later);
    cl_reset(fd);
    fx_until(fx_no_conns);
    assert_int_equal(fx_stats().running, 1);
    assert_true(fx_answer("too late"));

    fd = cl_open();
    cl_send(fd, S(GET("/later") GET("/hello")));
    fx_until(fx_has_later);
    assert_true(fx_answer("in time"));
    cl_expect(fd, 200, "in time");
    cl_expect(fd, 200, "hello");
    cl_close(fd);
    fx_stop();
}

/* ---- slow ---- */

static void test_slow_head(void **state)
{
    (void)state;
    static const struct str rows[] = { S("G"), S("GET /hello HTTP/1.1\r\nHost: local"), S(GET("/hello") "GET /he") };
    fx_start((struct http_config){ .header_ms = 50 });
    for (size_t i = 0; i < LEN(rows); i++) {
        int fd = cl_open();
        cl_send(fd, rows[i]);
        if (i == 2)
            cl_expect(fd, 200, "hello");
        cl_expect(fd, 408, "slowly");
        assert_true(cl_at_end(fd));
        cl_close(fd);
        assert_int_equal(fx_get_int(&fx.refused_status), 408);
    }
    fx_stop();
}

static void test_slow_body(void **state)
{
    (void)state;
    static const struct {
        struct str sent;
        int status;
        const char *body;
    } rows[] = {
        { S("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\npoo"), 408, "slowly" },
        { S("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npoo"), 408, "slowly" },
        { S("POST /otlp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\npoo"), 408, "hook" },
        { S("POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\npoo"), 404, "nothing" },
    };
    fx_start((struct http_config){ .body_window_ms = 50 });
    for (size_t i = 0; i < LEN(rows); i++) {
        int fd = cl_open();
        cl_send(fd, rows[i].sent);
        cl_expect(fd, rows[i].status, rows[i].body);
        assert_true(cl_at_end(fd));
        cl_close(fd);
    }
    fx_until(fx_no_conns);
    assert_int_equal(fx_stats().inflight_bytes, 0);
    fx_stop();
}

/* A body that makes its progress in each window is still cut when it takes too long in all. */
static void test_endless_body(void **state)
{
    (void)state;
    fx_start((struct http_config){ .body_window_ms = 40, .body_ms = 1 });
    static char some[HTTP_BODY_WINDOW_MIN];
    int fd = cl_open();
    cl_printf(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", HTTP_BODY_MAX);
    while (fx_get_int(&fx.refusals) == 0) {
        cl_send(fd, (struct str){ some, sizeof(some) });
        usleep(100);                               /* no faster than 160 MB/s, so that it does not end by itself */
    }
    cl_expect(fd, 408, "slowly");
    cl_close(fd);
    fx_stop();
}

static void test_idle(void **state)
{
    (void)state;
    fx_start((struct http_config){ .idle_ms = 1000 });
    int fd = cl_open(), silent = cl_open();
    cl_send(fd, S(GET("/hello")));
    cl_expect(fd, 200, "hello");
    assert_true(cl_at_end(fd));
    assert_true(cl_at_end(silent));
    cl_close(fd);
    cl_close(silent);
    assert_int_equal(fx_get_int(&fx.refusals), 0);
    fx_stop();
}

static void test_client_does_not_read(void **state)
{
    (void)state;
    fx_start((struct http_config){ .write_ms = 50 });
    int fd = cl_open();
    for (int i = 0; i < 4; i++)                    /* 32 MiB: more than any socket buffer */
        cl_send(fd, S(GET("/big")));
    fx_until(fx_no_conns);
    cl_close(fd);
    fx_stop();
}

/* ---- streams ---- */

static void read_event(int fd, const char *want)
{
    char got[64] = "";
    size_t n = strlen(want);
    for (size_t at = 0; at < n;) {
        ssize_t some = recv(fd, got + at, n - at, 0);
        if (some <= 0)
            fail_msg("the stream ended after \"%s\"", got);
        at += (size_t)some;
    }
    assert_string_equal(got, want);
}

static int open_stream(const char *version)
{
    struct reply r;
    int fd = cl_open();
    cl_printf(fd, "GET /stream HTTP/%s\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n", version);
    fx_until(fx_has_stream);
    cl_read(fd, true, &r);
    assert_int_equal(r.status, 200);
    assert_true(cl_has(&r, "Content-Type: text/event-stream") && !strstr(r.head, "Content-Length"));
    assert_int_equal(cl_has(&r, "Transfer-Encoding: chunked"), strcmp(version, "1.1") == 0);
    reply_done(&r);
    return fd;
}

static void test_stream(void **state)
{
    (void)state;
    fx_start((struct http_config){ 0 });
    int fd = open_stream("1.1");
    assert_int_equal(fx_stats().streams, 1);
    assert_true(http_stream_send(fx_stream(), S("data: 1\n\n")));
    read_event(fd, "9\r\ndata: 1\n\n\r\n");
    assert_true(http_stream_send(fx_stream(), S("")));
    assert_true(http_stream_send(fx_stream(), S("data: two\n\n")));
    read_event(fd, "b\r\ndata: two\n\n\r\n");
    http_stream_close(fx_stream());
    read_event(fd, "0\r\n\r\n");
    assert_true(cl_at_end(fd));
    fx_until(fx_is_closed);
    cl_close(fd);
    fx_until(fx_no_conns);
    assert_int_equal(fx_stats().streams, 0);
    assert_int_equal(fx_get_int(&fx.closed), 1);
    fx_stop();
}

static void test_stream_http_1_0(void **state)
{
    (void)state;
    fx_start((struct http_config){ 0 });
    int fd = open_stream("1.0");
    assert_true(http_stream_send(fx_stream(), S("data: 1\n\n")));
    http_stream_close(fx_stream());
    read_event(fd, "data: 1\n\n");
    assert_true(cl_at_end(fd));
    cl_close(fd);
    fx_until(fx_is_closed);
    fx_stop();
}

/* Sent and closed by the handler itself, before the connection knows of it. */
static void test_stream_at_once(void **state)
{
    (void)state;
    struct reply r;
    fx_start((struct http_config){ 0 });
    for (int i = 0; i < 50; i++) {
        cl_get("/streams", "", &r);
        assert_true(r.status == 200 && str_eq(buf_view(&r.body), S("one")));
        reply_done(&r);
    }
    int fd = cl_open();
    cl_send(fd, S("HEAD /streams HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    cl_read(fd, true, &r);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    assert_true(cl_at_end(fd));
    cl_close(fd);
    fx_until(fx_no_conns);
    assert_int_equal(fx_stats().streams, 0);
    fx_stop();
}

static void test_stream_client_leaves(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        fx_start((struct http_config){ 0 });
        int fd = open_stream("1.1");
        if (reset)
            cl_reset(fd);
        else
            cl_close(fd);
        fx_until(fx_is_closed);
        fx_until(fx_no_conns);
        assert_false(http_stream_send(fx_stream(), S("x")));
        http_stream_close(fx_stream());
        fx_stop();
    }
}

static void test_stream_slow_client(void **state)
{
    (void)state;
    static char some[10000];
    fx_start((struct http_config){ 0 });
    int fd = open_stream("1.1");
    memset(some, 'x', sizeof(some));
    while (http_stream_send(fx_stream(), (struct str){ some, sizeof(some) }))
        continue;
    fx_until(fx_is_closed);
    fx_until(fx_no_conns);
    assert_int_equal(fx_get_int(&fx.refused_status), 503);
    assert_non_null(strstr(fx.refused_why, "slowly"));
    http_stream_close(fx_stream());
    cl_close(fd);
    fx_stop();
}

/* Four threads' worth of events reach one client whole and in each sender's order. */
enum { SENDERS = 4, EVENTS = 500 };

static void *sender_main(void *arg)
{
    int who = *(int *)arg;
    for (int i = 0; i < EVENTS; i++) {
        char text[16];
        int n = snprintf(text, sizeof(text), "%d:%05d\n", who, i);
        if (!http_stream_send(fx_stream(), (struct str){ text, (size_t)n }))
            return NULL;
    }
    return &fx;
}

static void test_stream_many_senders(void **state)
{
    (void)state;
    fx_start((struct http_config){ 0 });
    int fd = cl_open();
    cl_send(fd, S(GET("/stream")));
    fx_until(fx_has_stream);
    pthread_t threads[SENDERS];
    int who[SENDERS], next[SENDERS] = { 0 };
    for (int i = 0; i < SENDERS; i++) {
        who[i] = i;
        CHECK(pthread_create(&threads[i], NULL, sender_main, &who[i]) == 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        void *ret;
        CHECK(pthread_join(threads[i], &ret) == 0);
        assert_non_null(ret);
    }
    http_stream_close(fx_stream());
    struct reply r;
    cl_read(fd, false, &r);
    struct str rest = buf_view(&r.body);
    assert_int_equal(rest.n, SENDERS * EVENTS * 8);
    while (rest.n) {
        struct str line = str_cut(&rest, '\n');
        int64_t seq = -1;
        int i = line.p[0] - '0';
        assert_true(i >= 0 && i < SENDERS && str_to_i64(str_sub(line, 2, 5), &seq) && seq == next[i]++);
    }
    reply_done(&r);
    cl_close(fd);
    fx_stop();
}

/* ---- totals ---- */

static bool two_run(void)
{
    return fx_stats().running == 2;
}

static void test_queue_full(void **state)
{
    (void)state;
    struct reply r;
    fx_start((struct http_config){ .loops = 1, .pool = 1, .queue_max = 1 });
    int a = cl_open(), b = cl_open(), c = cl_open();
    cl_send(a, S(GET("/wait")));
    fx_until(fx_is_waiting);
    cl_send(b, S("POST /pool HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nb"));
    fx_until(two_run);                          /* the one loop has b's bytes before c's */
    cl_send(c, S(GET("/wait")));
    cl_read(c, false, &r);
    assert_true(r.status == 503 && cl_has(&r, "retry-after: 1"));
    reply_done(&r);
    fx_release();
    cl_expect(a, 200, "waited");
    cl_expect(b, 200, "b");
    cl_close(a);
    cl_close(b);
    cl_close(c);
    fx_stop();
}

static void test_inflight(void **state)
{
    (void)state;
    struct reply r;
    fx_start((struct http_config){ .inflight_max = 1000 });
    int a = cl_open(), b = cl_open(), c = cl_open();
    cl_send(a, S("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\nExpect: 100-continue\r\n\r\n"));
    cl_read(a, true, &r);                          /* its bytes are set aside now */
    reply_done(&r);
    cl_send(b, S("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n"));
    cl_read(b, false, &r);
    assert_true(r.status == 503 && cl_has(&r, "retry-after: 1"));
    reply_done(&r);
    cl_send(c, S("POST /otlp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n60\r\n"));
    char body[900];
    memset(body, 'x', sizeof(body));
    cl_send(c, (struct str){ body, 96 });
    cl_send(c, S("\r\n60\r\n"));
    cl_send(c, (struct str){ body, 96 });
    cl_expect(c, 503, "hook");
    cl_send(a, (struct str){ body, sizeof(body) });
    cl_expect(a, 200, "xxx");
    cl_close(a);
    cl_close(b);
    cl_close(c);
    fx_until(fx_no_conns);
    assert_int_equal(fx_stats().inflight_bytes, 0);
    fx_stop();
}

static void test_too_many_connections(void **state)
{
    (void)state;
    fx_start((struct http_config){ .conns_max = 2 });
    int a = cl_open(), b = cl_open();
    cl_send(a, S(GET("/hello")));
    cl_expect(a, 200, "hello");
    cl_send(b, S(GET("/hello")));
    cl_expect(b, 200, "hello");
    int c = cl_open();
    cl_expect(c, 503, "too many connections");
    cl_close(a);
    cl_close(b);
    cl_close(c);
    fx_until(fx_no_conns);
    c = cl_open();
    cl_send(c, S(GET("/hello")));
    cl_expect(c, 200, "hello");
    cl_close(c);
    fx_stop();
}

static bool has_refused(void)
{
    return fx_get_int(&fx.refusals) > 0;
}

/* Without a free descriptor a client waits until there is one. */
static void test_out_of_descriptors(void **state)
{
    (void)state;
    struct rlimit was, none;
    fx_start((struct http_config){ 0 });
    CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
    int fd = cl_open_later();
    none = was;
    none.rlim_cur = (rlim_t)fd + 1;                /* descriptors are given lowest first: all below are taken */
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    cl_connect(fd);
    cl_send(fd, S(GET("/hello")));
    fx_until(has_refused);
    assert_non_null(strstr(fx.refused_why, "open files"));
    CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
    cl_expect(fd, 200, "hello");
    cl_close(fd);
    fx_stop();
}

/* "::" is every address, those of IPv4 too. */
static void test_both_families(void **state)
{
    (void)state;
    struct fault f;
    uint16_t port;
    struct http_server *s;
    const struct http_route none[] = { { .path = NULL } };
    const struct http_table table = { none, NULL, NULL };
    assert_int_equal(http_server_new(&(struct http_config){ .check_hosts = true, .refused = NULL }, &s, &f), OK);
    enum err e = http_listen(s, S("all"), S("::"), 0, &table, 1, &port, &f);
    if (e) {
        http_server_free(s);                       /* a machine without IPv6 */
        skip();
    }
    assert_int_equal(http_listen(s, S("one"), S("[::1]"), 0, &table, 1, &fx.port, &f), OK);
    assert_int_equal(http_start(s, &f), OK);
    fx.port = port;
    int fd = cl_open();
    cl_send(fd, S("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
    cl_expect(fd, 404, "nothing");
    cl_send(fd, S("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n"));
    cl_expect(fd, 403, "allow_hosts");
    cl_close(fd);
    http_stop(s, 1000);
    http_server_free(s);
}

/* ---- the end ---- */

static void *stop_main(void *arg)
{
    http_stop(fx.server, *(int64_t *)arg);
    return NULL;
}

static bool is_refusing(void)
{
    struct http_stats s = fx_stats();
    return s.conns == 1;                           /* the idle ones have been closed */
}

static void test_stop_lets_finish(void **state)
{
    (void)state;
    struct reply r;
    pthread_t stopper;
    int64_t grace_ms = 60000;
    fx_start((struct http_config){ 0 });
    int busy = cl_open(), idle = cl_open(), partial = cl_open();
    cl_send(idle, S(GET("/hello")));
    cl_expect(idle, 200, "hello");
    cl_send(partial, S("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"));
    cl_read(partial, true, &r);
    reply_done(&r);
    cl_send(busy, S(GET("/wait") GET("/hello")));
    fx_until(fx_is_waiting);
    CHECK(pthread_create(&stopper, NULL, stop_main, &grace_ms) == 0);
    assert_true(cl_at_end(idle));
    cl_expect(partial, 503, "stopping");
    assert_true(cl_at_end(partial));
    cl_close(idle);
    cl_close(partial);
    fx_until(is_refusing);
    fx_release();
    cl_read(busy, false, &r);
    assert_true(r.status == 200 && cl_has(&r, "Connection: close") && str_eq(buf_view(&r.body), S("waited")));
    reply_done(&r);
    assert_true(cl_at_end(busy));
    cl_close(busy);
    CHECK(pthread_join(stopper, NULL) == 0);
    assert_int_equal(fx_stats().conns, 0);
    http_server_free(fx.server);
}

static void test_stop_cuts_short(void **state)
{
    (void)state;
    fx_start((struct http_config){ 0 });
    int busy = cl_open(), later = cl_open();
    cl_send(busy, S(GET("/wait")));
    cl_send(later, S(GET("/later")));
    fx_until(fx_is_waiting);
    fx_until(fx_has_later);
    http_stop(fx.server, 0);
    assert_true(fx_is_cancelled());
    assert_true(cl_at_end(busy));
    assert_true(cl_at_end(later));
    http_server_free(fx.server);
    assert_true(fx_answer("nobody listens"));      /* and the last memory goes */
    cl_close(busy);
    cl_close(later);
}

static void test_stop_ends_streams(void **state)
{
    (void)state;
    fx_start((struct http_config){ 0 });
    int fd = open_stream("1.1");
    http_stop(fx.server, 60000);
    assert_int_equal(fx_get_int(&fx.closed), 1);
    read_event(fd, "0\r\n\r\n");
    assert_true(cl_at_end(fd));
    cl_close(fd);
    assert_false(http_stream_send(fx_stream(), S("x")));
    http_server_free(fx.server);
    http_stream_close(fx_stream());
}

static void test_never_started(void **state)
{
    (void)state;
    struct http_server *s;
    struct fault f;
    uint16_t port;
    const struct http_route none[] = { { .path = NULL } };
    const struct http_table table = { none, NULL, NULL };
    assert_int_equal(http_server_new(&(struct http_config){ 0 }, &s, &f), OK);
    assert_int_equal(http_listen(s, S("a"), S("127.0.0.1"), 0, &table, 1, &port, &f), OK);
    assert_int_equal(http_listen(s, S("b"), S("127.0.0.1"), port, &table, 1, &port, &f), E_EXIST);
    assert_non_null(strstr(f.msg, "in use"));
    assert_int_equal(http_listen(s, S("b"), S("no address"), 0, &table, 1, &port, &f), E_SYNTAX);
    assert_int_equal(http_listen(s, S("b"), S("192.0.2.1"), 0, &table, 1, &port, &f), E_IO);
    http_server_free(s);
    http_server_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_half_close_pipelined),
        cmocka_unit_test(test_half_closed_and_waiting),
        cmocka_unit_test(test_client_resets),
        cmocka_unit_test(test_client_closes),
        cmocka_unit_test(test_client_leaves_a_deferred_reply),
        cmocka_unit_test(test_slow_head),
        cmocka_unit_test(test_slow_body),
        cmocka_unit_test(test_endless_body),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_client_does_not_read),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_http_1_0),
        cmocka_unit_test(test_stream_at_once),
        cmocka_unit_test(test_stream_client_leaves),
        cmocka_unit_test(test_stream_slow_client),
        cmocka_unit_test(test_stream_many_senders),
        cmocka_unit_test(test_queue_full),
        cmocka_unit_test(test_inflight),
        cmocka_unit_test(test_too_many_connections),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_stop_lets_finish),
        cmocka_unit_test(test_stop_cuts_short),
        cmocka_unit_test(test_stop_ends_streams),
        cmocka_unit_test(test_never_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
