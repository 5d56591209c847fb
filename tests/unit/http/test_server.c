/* Requests and replies over a real connection. */
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

#include "base/zip.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static int setup(void **state)
{
    (void)state;
    fx_start((struct http_config){ .check_hosts = true });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fx_stop();
    return 0;
}

static void test_keep_alive(void **state)
{
    (void)state;
    struct reply r;
    int fd = cl_open();
    cl_send(fd, S(GET("/hello")));
    cl_read(fd, false, &r);
    assert_int_equal(r.status, 200);
    assert_true(cl_has(&r, "Content-Type: text/plain") && cl_has(&r, "Content-Length: 5"));
    assert_non_null(strstr(r.head, "\r\nDate: "));
    assert_null(strstr(r.head, "Connection:"));
    assert_non_null(strstr(r.head, "X-Peer: 127.0.0.1:"));
    assert_true(str_eq(buf_view(&r.body), S("hello")));
    reply_done(&r);

    cl_send(fd, S("HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    cl_read(fd, true, &r);
    assert_true(r.status == 200 && cl_has(&r, "Content-Length: 5"));
    reply_done(&r);

    cl_send(fd, S("GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    cl_read(fd, false, &r);
    assert_true(cl_has(&r, "Connection: close"));
    reply_done(&r);
    assert_true(cl_at_end(fd));
    cl_close(fd);
}

static void test_http_1_0(void **state)
{
    (void)state;
    struct reply r;
    int fd = cl_open();
    cl_send(fd, S("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    cl_read(fd, false, &r);
    assert_true(r.status == 200 && cl_has(&r, "Connection: keep-alive"));
    reply_done(&r);
    cl_send(fd, S("GET /hello HTTP/1.0\r\n\r\n"));
    cl_read(fd, false, &r);
    assert_true(r.status == 200 && cl_has(&r, "Connection: close"));
    reply_done(&r);
    assert_true(cl_at_end(fd));
    cl_close(fd);
}

/* A refused request, its small body included, does not cost the connection. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        struct str request;
        int status;
        const char *body, *header;
    } rows[] = {
        { S(GET("/nothing")), 404, "nothing is served at this path\n", "Content-Type: text/plain; charset=utf-8" },
        { S("POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"), 404, "", NULL },
        { S("POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"), 405, "not for POST", "allow: GET, HEAD" },
        { S("TRACE /echo HTTP/1.1\r\nHost: localhost\r\n\r\n"), 405, "not for TRACE", "allow: POST" },
        { S("GET /hello HTTP/1.1\r\nHost: evil.test\r\n\r\n"), 403, "allow_hosts", NULL },
        { S("GET /hello HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.test\r\n\r\n"), 403, "allow_hosts", NULL },
        { S("GET /hello HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n"), 403, "allow_hosts", NULL },
        { S(GET("/%zz")), 400, "percent", NULL },
        { S(GET("/%00")), 400, "percent", NULL },
        { S("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"), 415, "zstd",
          "accept-encoding: gzip, deflate, zstd" },
        { S("POST /otlp HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"), 415, "{\"hook\":true}", NULL },
        { S(GET("/bad")), 400, "two lines\n", "X-Echo: a  Set-Cookie: b " },
        { S(GET("/hello")), 200, "hello", NULL },
    };
    int fd = cl_open();
    for (size_t i = 0; i < LEN(rows); i++) {
        struct reply r;
        int before = fx_get_int(&fx.refusals);
        cl_send(fd, rows[i].request);
        cl_read(fd, false, &r);
        if (r.status != rows[i].status || str_find(buf_view(&r.body), str_c(rows[i].body)) == SIZE_MAX ||
            (rows[i].header && !cl_has(&r, rows[i].header)))
            fail_msg("row %zu: %s" STR_FMT, i, r.head, STR_ARG(buf_view(&r.body)));
        bool ours = rows[i].status != 200 && str_find(rows[i].request, S("/bad")) == SIZE_MAX;
        assert_int_equal(fx_get_int(&fx.refusals) - before, ours);
        reply_done(&r);
    }
    cl_close(fd);
}

/* After these nothing can be understood: answered, and closed. */
static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        struct str request;
        int status;
    } rows[] = {
        { S("GET /hello HTTP/1.1\nHost: localhost\n\n"), 400 },
        { S("\x16\x03\x01\x02\x00"), 400 },
        { S("GET /hello HTTP/1.1\r\n\r\n"), 400 },
        { S("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
        { S("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n"), 413 },
        { S("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), 400 },
        { S("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n"), 413 },
        { S("PRI / HTTP/2.0\r\n\r\n"), 505 },
        { S("POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"), 404 },
        { S("POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"), 404 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct reply r;
        int fd = cl_open();
        cl_send(fd, rows[i].request);
        cl_read(fd, false, &r);
        if (r.status != rows[i].status || !cl_has(&r, "Connection: close"))
            fail_msg("row %zu: %s", i, r.head);
        reply_done(&r);
        assert_true(cl_at_end(fd));
        cl_close(fd);
        assert_int_equal(fx_get_int(&fx.refused_status), rows[i].status);
        assert_int_equal(strncmp(fx.refused_peer, "127.0.0.1:", 10), 0);
    }
}

static void test_pipelining(void **state)
{
    (void)state;
    int fd = cl_open();
    cl_send(fd, S(GET("/hello") "POST /pool HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\npool"
                  "\r\n" GET("/nothing") GET("/params?a=1&a=2+3") "POST /params HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=x%20y"));
    cl_expect(fd, 200, "hello");
    cl_expect(fd, 200, "pool");
    cl_expect(fd, 404, "nothing");
    cl_expect(fd, 200, "1;2 3;");
    cl_expect(fd, 200, "x y;");
    cl_close(fd);
}

/* More than is kept ahead, while the first request is held back: the rest waits in the kernel. */
static void test_long_pipeline(void **state)
{
    (void)state;
    enum { N = 4000 };
    int fd = cl_open();
    cl_send(fd, S(GET("/wait")));
    fx_until(fx_is_waiting);
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < N; i++)
        buf_fmt(&b, "POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n%04d", i % 50 ? "echo" : "pool", i);
    assert_true(b.n > 3 * HTTP_AHEAD_MAX);
    cl_send(fd, buf_view(&b));
    fx_release();
    cl_expect(fd, 200, "waited");
    for (int i = 0; i < N; i++) {
        char want[8];
        snprintf(want, sizeof(want), "%04d", i);
        cl_expect(fd, 200, want);
    }
    cl_close(fd);
}

static void test_pieces(void **state)
{
    (void)state;
    const struct str in = S("\r\nPOST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n"
                            "6\r\n world\r\n0\r\nT: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nend");
    int fd = cl_open();
    for (size_t i = 0; i < in.n; i++) {
        cl_send(fd, str_sub(in, i, 1));
        if (i % 16 == 0)
            usleep(200);                           /* so that they arrive apart; whether they do does not matter */
    }
    cl_expect(fd, 200, "hello world");
    cl_expect(fd, 200, "end");
    cl_close(fd);
}

static void test_expect_continue(void **state)
{
    (void)state;
    struct reply r;
    int fd = cl_open();
    cl_send(fd, S("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
    cl_read(fd, true, &r);
    assert_int_equal(r.status, 100);
    reply_done(&r);
    cl_send(fd, S("hello"));
    cl_expect(fd, 200, "hello");
    cl_close(fd);
}

static void fill(struct buf *b, size_t n)
{
    uint32_t x = 1;
    char *p = buf_room(b, n);
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (char)(x >> 24);
    }
    buf_grew(b, n);
}

static void expect_body(int fd, struct str want)
{
    struct reply r;
    cl_read(fd, false, &r);
    assert_int_equal(r.status, 200);
    assert_true(str_eq(buf_view(&r.body), want));
    reply_done(&r);
}

static void test_large_bodies(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 32 << 20);
    fill(&b, 20 << 20);
    int fd = cl_open();
    for (int i = 0; i < 2; i++) {
        cl_printf(fd, "POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", i ? "pool" : "echo", b.n);
        cl_send(fd, buf_view(&b));
        expect_body(fd, buf_view(&b));
    }
    cl_printf(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0, n = 1; at < b.n; at += n, n = MIN(n * 3, b.n - at)) {
        cl_printf(fd, "%zx\r\n", n);
        cl_send(fd, str_sub(buf_view(&b), at, n));
        cl_send(fd, S("\r\n"));
    }
    cl_send(fd, S("0\r\n\r\n"));
    expect_body(fd, buf_view(&b));
    cl_close(fd);
    fx_until(fx_no_conns);
    assert_int_equal(fx_stats().inflight_bytes, 0);
    assert_int_equal(fx_stats().running, 0);
}

/* ---- codings ---- */

static void post_coded(int fd, const char *coding, const char *path, struct str body)
{
    cl_printf(fd, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", path, coding, body.n);
    cl_send(fd, body);
}

static enum err to_gzip(struct str in, struct buf *ret)
{
    return zip_gzip(in, 1, ret);
}

static enum err to_zstd(struct str in, struct buf *ret)
{
    return zip_zstd(in, 1, ret);
}

/* What is between the ten bytes and the eight that gzip puts around it. */
static enum err to_raw_deflate(struct str in, struct buf *ret)
{
    CLEANUP(buf_done) struct buf zipped;
    buf_init(&zipped, 64 << 20);
    enum err e = zip_gzip(in, 1, &zipped);
    if (!e)
        buf_str(ret, str_sub(buf_view(&zipped), 10, zipped.n - 18));
    return e;
}

static enum err to_deflate(struct str in, struct buf *ret)
{
    uint32_t a = 1, b = 0;                         /* Adler-32 */
    for (size_t i = 0; i < in.n; i++) {
        a = (a + (uint8_t)in.p[i]) % 65521;
        b = (b + a) % 65521;
    }
    const char sum[4] = { (char)(b >> 8), (char)b, (char)(a >> 8), (char)a };
    buf_str(ret, S("\x78\x01"));
    enum err e = to_raw_deflate(in, ret);
    buf_put(ret, sum, 4);
    return e;
}

static const struct {
    const char *name;
    enum err (*code)(struct str in, struct buf *ret);
} codings[] = { { "gzip", to_gzip }, { "x-gzip", to_gzip }, { "deflate", to_deflate }, { "deflate", to_raw_deflate }, { "zstd", to_zstd } };

static void test_codings(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf plain, zipped;
    buf_init(&plain, 64 << 20);
    buf_init(&zipped, 64 << 20);
    int fd = cl_open();
    for (size_t i = 0; i < LEN(codings); i++) {
        const char *name = codings[i].name;
        for (size_t n = 1; n <= 16 << 20; n *= 16) {           /* undone on the loop, and on the pool */
            buf_clear(&plain);
            buf_clear(&zipped);
            fill(&plain, n);
            assert_int_equal(codings[i].code(buf_view(&plain), &zipped), OK);
            post_coded(fd, name, "/echo", buf_view(&zipped));
            expect_body(fd, buf_view(&plain));
            post_coded(fd, name, "/pool", buf_view(&zipped));
            expect_body(fd, buf_view(&plain));

            post_coded(fd, name, "/echo", str_sub(buf_view(&zipped), 0, zipped.n - 1));
            cl_expect(fd, 400, name[0] == 'x' ? "gzip" : name);
            post_coded(fd, name, "/otlp", str_sub(buf_view(&zipped), 0, zipped.n / 2));
            cl_expect(fd, 400, "{\"hook\":true}");
        }
        post_coded(fd, name, "/echo", S(""));
        cl_expect(fd, 400, "body cannot be decoded");
    }
    cl_printf(fd, "GET /hello HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n\r\n");
    cl_expect(fd, 200, "hello");
    cl_close(fd);
    fx_until(fx_no_conns);
    assert_int_equal(fx_stats().inflight_bytes, 0);
}

/* Bombs that say how large they are, ones that say nothing of it, and ones whose last
 * member says that it is small. */
static void test_bombs(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf zeros, bomb, end;
    buf_init(&zeros, HTTP_BODY_MAX + 1);
    buf_init(&bomb, 64 << 20);
    buf_init(&end, 1 << 20);
    memset(buf_room(&zeros, HTTP_BODY_MAX + 1), 0, HTTP_BODY_MAX + 1);
    buf_grew(&zeros, HTTP_BODY_MAX + 1);
    int fd = cl_open();
    for (size_t i = 0; i < LEN(codings); i++) {
        buf_clear(&bomb);
        assert_int_equal(codings[i].code(buf_view(&zeros), &bomb), OK);
        post_coded(fd, codings[i].name, i % 2 ? "/pool" : "/echo", buf_view(&bomb));
        cl_expect(fd, 413, "67108864");
        post_coded(fd, codings[i].name, "/form", buf_view(&bomb));
        cl_expect(fd, 413, "4194304");
        if (codings[i].code == to_gzip || codings[i].code == to_zstd) {
            buf_clear(&end);
            assert_int_equal(codings[i].code(S("small"), &end), OK);
            buf_str(&bomb, buf_view(&end));
            post_coded(fd, codings[i].name, "/echo", buf_view(&bomb));
            cl_expect(fd, 413, "67108864");
        }
    }
    cl_close(fd);
    fx_until(fx_no_conns);
    assert_int_equal(fx_stats().inflight_bytes, 0);
}

/* Refused on its head; the reply arrives although the client goes on sending. */
static void test_oversize(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t length, send;
        const char *want;
    } rows[] = {
        { "/echo", 100000000, 100000000, "takes 67108864" },
        { "/form", HTTP_FORM_MAX + 1, HTTP_FORM_MAX + 1, "takes 4194304" },
        { "/otlp", 100000000, 0, "hook" },
    };
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    memset(buf_room(&b, 1 << 20), 'x', 1 << 20);
    buf_grew(&b, 1 << 20);
    for (size_t i = 0; i < LEN(rows); i++) {
        int fd = cl_open();
        cl_printf(fd, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", rows[i].path, rows[i].length);
        for (size_t sent = 0; sent < rows[i].send; sent += b.n)
            cl_send(fd, str_sub(buf_view(&b), 0, rows[i].send - sent));
        cl_expect(fd, 413, rows[i].want);
        assert_true(cl_at_end(fd));
        cl_close(fd);
    }
}

static void test_compressed_replies(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        bool zipped;
    } rows[] = {
        { "", false },
        { "Accept-Encoding: gzip\r\n", true },
        { "Accept-Encoding: br, GZIP;q=0.5\r\n", true },
        { "Accept-Encoding: *\r\n", true },
        { "Accept-Encoding: deflate\r\n", false },
        { "Accept-Encoding: gzip;q=0\r\n", false },
        { "Accept-Encoding: gzip; q=0.000, *\r\n", false },
        { "Accept-Encoding: identity\r\n", false },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct reply r;
        struct fault f;
        CLEANUP(buf_done) struct buf out = { 0 };
        cl_get("/big", rows[i].headers, &r);
        if (!cl_has(&r, "vary: Accept-Encoding") || cl_has(&r, "content-encoding: gzip") != rows[i].zipped)
            fail_msg("row %zu: %s", i, r.head);
        if (rows[i].zipped)
            assert_int_equal(zip_gunzip(buf_view(&r.body), BIG_BYTES, &out, &f), OK);
        assert_int_equal(rows[i].zipped ? out.n : r.body.n, BIG_BYTES);
        reply_done(&r);

        cl_get("/hello", rows[i].headers, &r);     /* too small */
        assert_int_equal(r.body.n, 5);
        reply_done(&r);
    }
}

static void test_too_many_params(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i <= HTTP_PARAMS_MAX; i++)
        buf_str(&b, S("a&"));
    int fd = cl_open();
    cl_printf(fd, "POST /params HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n", b.n);
    cl_send(fd, buf_view(&b));
    cl_expect(fd, 400, "parameters");
    cl_printf(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n", b.n);
    cl_send(fd, buf_view(&b));
    cl_expect(fd, 200, "a&a&a&");                  /* a body to be ingested is no form */
    cl_close(fd);
    fd = cl_open();
    cl_send(fd, S("GET /params?"));
    cl_send(fd, buf_view(&b));
    cl_send(fd, S(" HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    cl_expect(fd, 400, "parameters");
    cl_close(fd);
}

static void test_long_url(void **state)
{
    (void)state;
    char url[60001];
    memset(url, 'x', sizeof(url) - 1);
    url[sizeof(url) - 1] = 0;
    int fd = cl_open();
    cl_send(fd, S("GET /params?a="));
    cl_send(fd, str_c(url));
    cl_send(fd, S(" HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    struct reply r;
    cl_read(fd, false, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.n, 60001);
    reply_done(&r);
    cl_close(fd);
}

/* 200 connections at once, each with a mixed dozen of requests, from eight threads. */
enum { THREADS = 8, CONNS = 25, ROUNDS = 12 };

static void *many_main(void *arg)
{
    int fds[CONNS];
    bool ok = true;
    (void)arg;
    for (int i = 0; i < CONNS; i++)
        fds[i] = cl_open();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CONNS; i++)
            cl_printf(fds[i], "POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n%04d%04d", i % 3 ? "echo" : "pool", i, round);
        for (int i = 0; i < CONNS; i++) {
            char want[16];
            struct reply r;
            snprintf(want, sizeof(want), "%04d%04d", i, round);
            cl_read(fds[i], false, &r);
            ok &= r.status == 200 && str_eq(buf_view(&r.body), str_c(want));
            reply_done(&r);
        }
    }
    for (int i = 0; i < CONNS; i++)
        cl_close(fds[i]);
    return ok ? &fx : NULL;
}

static void test_many_connections(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, many_main, NULL) == 0);
    bool ok = true;
    for (int i = 0; i < THREADS; i++) {
        void *ret;
        CHECK(pthread_join(threads[i], &ret) == 0);
        ok &= ret != NULL;
    }
    assert_true(ok);
    assert_int_equal(fx_stats().requests, THREADS * CONNS * ROUNDS);
    assert_int_equal(fx_stats().accepted, THREADS * CONNS);
    fx_until(fx_no_conns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keep_alive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_http_1_0, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipelining, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_pipeline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expect_continue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_codings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bombs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversize, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compressed_replies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_params, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_url, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_connections, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
