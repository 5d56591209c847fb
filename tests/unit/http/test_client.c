/* http_fetch() against a server that does what a script says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <pthread.h>

#include "http/client.h"
#include "http/limits.h"
#include "script.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define GET_ONCE(reply) { { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S(reply) }, { SC_CLOSE }, { SC_END } }

static struct arena mem;

static int setup(void **state)
{
    (void)state;
    arena_init(&mem, 16 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&mem);
    return 0;
}

static struct str url(const struct script *s, const char *path)
{
    return arena_fmt(&mem, "http://127.0.0.1:%u%s", sc_port(s), path);
}

/* What a reply is taken for, however it is cut. */
static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct sc_step steps[8];
        enum fetch_end end;
        int status;
        const char *body;                          /* or, of a failure, a part of why */
    } rows[] = {
        { "length", GET_ONCE(OK_HEAD "Content-Length: 5\r\n\r\nhello"), FETCH_OK, 200, "hello" },
        { "to the end", GET_ONCE(OK_HEAD "\r\nhello"), FETCH_OK, 200, "hello" },
        { "HTTP/1.0", GET_ONCE("HTTP/1.0 200\r\n\r\nhello"), FETCH_OK, 200, "hello" },
        { "chunks", GET_ONCE(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2;x=1\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n"), FETCH_OK, 200, "hello" },
        { "no body", GET_ONCE("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n"), FETCH_OK, 204, "" },
        { "error", GET_ONCE("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n"), FETCH_OK, 503, "no\n" },
        { "interim", GET_ONCE("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HEAD "Content-Length: 2\r\n\r\nhi"),
          FETCH_OK, 200, "hi" },
        { "gzip", GET_ONCE(OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 23\r\n\r\n"
                                   "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\x05\x00\xc0\x81\x48\x54\x02\x00\x00\x00" "x"),
          FETCH_MALFORMED, 0, "broken" },
        { "gzip, right", GET_ONCE(OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 22\r\n\r\n"
                                          "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\xc8\x04\x00\xac\x2a\x93\xd8\x02\x00\x00\x00"),
          FETCH_OK, 200, "hi" },
        { "drip", { { SC_ACCEPT }, { SC_HEAD }, { SC_DRIP, S(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") }, { SC_CLOSE }, { SC_END } },
          FETCH_OK, 200, "hello" },
        { "closed at once", { { SC_ACCEPT }, { SC_CLOSE }, { SC_END } }, FETCH_RESET, 0, "" },
        { "reset at once", { { SC_ACCEPT }, { SC_RESET }, { SC_END } }, FETCH_RESET, 0, "" },
        { "closed without a reply", { { SC_ACCEPT }, { SC_HEAD }, { SC_CLOSE }, { SC_END } }, FETCH_RESET, 0, "without a reply" },
        { "reset without a reply", { { SC_ACCEPT }, { SC_HEAD }, { SC_RESET }, { SC_END } }, FETCH_RESET, 0, "reset" },
        { "closed in the head", GET_ONCE(OK_HEAD "Content-"), FETCH_RESET, 0, "in the middle" },
        { "closed in the body", GET_ONCE(OK_HEAD "Content-Length: 6\r\n\r\nhello"), FETCH_RESET, 0, "in the middle" },
        { "closed in a chunk", GET_ONCE(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n6\r\nhello"), FETCH_RESET, 0, "in the middle" },
        { "reset in the body", { { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S(OK_HEAD "Content-Length: 6\r\n\r\nhello") }, { SC_RESET }, { SC_END } },
          FETCH_RESET, 0, "" },
        { "reset, to the end", { { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S(OK_HEAD "\r\nhello") }, { SC_RESET }, { SC_END } }, FETCH_RESET, 0, "" },
        { "not HTTP", GET_ONCE("SSH-2.0-OpenSSH_9.2\r\n\r\n"), FETCH_MALFORMED, 0, "no reply of HTTP" },
        { "TLS", GET_ONCE("\x15\x03\x01\x00\x02\x02\x46"), FETCH_MALFORMED, 0, "no reply of HTTP" },
        { "bare LF", GET_ONCE("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), FETCH_MALFORMED, 0, "" },
        { "folding", GET_ONCE(OK_HEAD "A: b\r\n c\r\n\r\n"), FETCH_MALFORMED, 0, "folding" },
        { "status", GET_ONCE("HTTP/1.1 2x0 OK\r\n\r\n"), FETCH_MALFORMED, 0, "" },
        { "HTTP/2", GET_ONCE("HTTP/2.0 200 OK\r\n\r\n"), FETCH_MALFORMED, 0, "" },
        { "switching", GET_ONCE("HTTP/1.1 101 Switching Protocols\r\n\r\n"), FETCH_MALFORMED, 0, "switch" },
        { "both lengths", GET_ONCE(OK_HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), FETCH_MALFORMED, 0, "both" },
        { "length twice", GET_ONCE(OK_HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), FETCH_MALFORMED, 0, "twice" },
        { "length with sign", GET_ONCE(OK_HEAD "Content-Length: +5\r\n\r\nhello"), FETCH_MALFORMED, 0, "number" },
        { "coding", GET_ONCE(OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n"), FETCH_MALFORMED, 0, "chunked" },
        { "bad chunk", GET_ONCE(OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), FETCH_MALFORMED, 0, "chunk" },
        { "chunk without end", GET_ONCE(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n"), FETCH_MALFORMED, 0, "chunk" },
        { "content coding", GET_ONCE(OK_HEAD "Content-Encoding: br\r\nContent-Length: 2\r\n\r\nhi"), FETCH_MALFORMED, 0, "Content-Encoding" },
        { "length too large", GET_ONCE(OK_HEAD "Content-Length: 1001\r\n\r\n"), FETCH_TOO_LARGE, 0, "larger" },
        { "chunk too large", GET_ONCE(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3e9\r\n"), FETCH_TOO_LARGE, 0, "larger" },
        { "many interims", GET_ONCE("HTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\n"
                                    "HTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\n"),
          FETCH_MALFORMED, 0, "interim" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct script *s = sc_start(rows[i].steps);
        const struct fetch q = { .method = HTTP_GET, .url = url(s, "/metrics?a=b#frag"), .body_max = 1000 };
        struct fetched r;
        struct fault f = { 0 };
        enum err e = http_fetch(NULL, &q, &mem, &r, &f);
        struct buf got;
        sc_finish(s, &got);
        struct str body = r.end ? str_c(f.msg) : r.body;
        bool text_ok = r.end ? str_find(body, str_c(rows[i].body)) != SIZE_MAX : str_eq(body, str_c(rows[i].body));
        if ((e == OK) != (r.end == FETCH_OK) || r.end != rows[i].end || r.status != rows[i].status || !text_ok)
            fail_msg("%s: end %d, status %d: " STR_FMT, rows[i].name, r.end, r.status, STR_ARG(body));
        struct str first = S("GET /metrics?a=b HTTP/1.1\r\nHost: 127.0.0.1:");
        if (got.n && !str_starts(buf_view(&got), first))
            fail_msg("%s: sent " STR_FMT, rows[i].name, STR_ARG(buf_view(&got)));
        buf_done(&got);
        arena_reset(&mem);
    }
}

static void test_nobody_there(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        enum fetch_end end;
        enum err err;
    } rows[] = {
        { "127.0.0.1", FETCH_REFUSED, E_IO },
        { "localhost", FETCH_REFUSED, E_IO },      /* ::1 as well, where there is one */
        { "[::1]", FETCH_OTHER, E_IO },            /* refused, or no IPv6 here */
        { "no-such-host.invalid", FETCH_NAME, E_NOTFOUND },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        const struct fetch q = { .method = HTTP_GET, .url = arena_fmt(&mem, "http://%s:%u/", rows[i].host, sc_closed_port()) };
        struct fetched r;
        struct fault f = { 0 };
        enum err e = http_fetch(NULL, &q, &mem, &r, &f);
        bool ok = r.end == rows[i].end || (rows[i].end == FETCH_OTHER && r.end == FETCH_REFUSED);
        if (!ok || e != rows[i].err || !f.msg[0])
            fail_msg("%s: %d, %s", rows[i].host, r.end, f.msg);
    }
}

static void test_bad_urls(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "", "/metrics", "ftp://127.0.0.1/", "http://", "http:///x", "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:x/",
        "http://user:pass@127.0.0.1/", "http://127.0.0.1/a b", "http://127.0.0.1/\r\nX: y", "http://[::1/", "http://[::1]x/",
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        const struct fetch q = { .method = HTTP_GET, .url = str_c(rows[i]) };
        struct fetched r;
        struct fault f = { 0 };
        if (http_fetch(NULL, &q, &mem, &r, &f) == OK || r.end != FETCH_OTHER)
            fail_msg("%s: %d, %s", rows[i], r.end, f.msg);
    }
}

static void test_timeout(void **state)
{
    (void)state;
    static const struct sc_step silent[] = { { SC_ACCEPT }, { SC_WAIT_END }, { SC_END } };
    static const struct sc_step stuck[] = { { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S(OK_HEAD "Content-Length: 5\r\n\r\nhel") }, { SC_WAIT_END }, { SC_END } };
    const struct sc_step *const rows[] = { silent, stuck };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct script *s = sc_start(rows[i]);
        const struct fetch q = { .method = HTTP_GET, .url = url(s, "/"), .timeout_ns = 50 * NS_PER_MS };
        struct fetched r;
        struct fault f = { 0 };
        assert_int_equal(http_fetch(NULL, &q, &mem, &r, &f), E_CANCELLED);
        assert_int_equal(r.end, FETCH_TIMEOUT);
        struct buf got;
        sc_finish(s, &got);
        buf_done(&got);
    }
}

static void *call_off(void *arg)
{
    __atomic_store_n((bool *)arg, true, __ATOMIC_RELAXED);
    return NULL;
}

static void test_cancelled(void **state)
{
    (void)state;
    static const struct sc_step silent[] = { { SC_ACCEPT }, { SC_WAIT_END }, { SC_END } };
    struct script *s = sc_start(silent);
    bool off = false;
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, call_off, &off), 0);
    const struct fetch q = { .method = HTTP_GET, .url = url(s, "/"), .cancelled = &off };
    struct fetched r;
    struct fault f = { 0 };
    assert_int_not_equal(http_fetch(NULL, &q, &mem, &r, &f), OK);
    assert_int_equal(r.end, FETCH_OTHER);
    assert_string_equal(f.msg, "called off");
    assert_int_equal(pthread_join(t, NULL), 0);
    /* It may have been called off before it connected; then somebody else has to. */
    const struct fetch again = { .method = HTTP_GET, .url = q.url, .timeout_ns = 1 };
    assert_int_not_equal(http_fetch(NULL, &again, &mem, &r, &f), OK);
    struct buf got;
    sc_finish(s, &got);
    buf_done(&got);
}

/* ---- a kept connection ---- */

#define KEPT OK_HEAD "Content-Length: 1\r\n\r\n"

static void test_reuse(void **state)
{
    (void)state;
    static const struct sc_step steps[] = {
        { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S(KEPT "1") }, { SC_HEAD }, { SC_SEND, S(KEPT "2") },   /* one connection, twice */
        { SC_HEAD }, { SC_CLOSE },                                                                     /* dies after the request */
        { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S(KEPT "3") }, { SC_HEAD }, { SC_SEND, S(KEPT "4!") },  /* a byte too many: not kept */
        { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S(OK_HEAD "Connection: Close\r\nContent-Length: 1\r\n\r\n5") },
        { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S(KEPT "6") }, { SC_HEAD }, { SC_SEND, S("HTTP/1.1") }, { SC_CLOSE }, { SC_END },
    };
    struct script *s = sc_start(steps);
    struct http_peer *p = http_peer_new();
    const struct fetch q = { .method = HTTP_GET, .url = url(s, "/") };
    struct fetched r;
    struct fault f = { 0 };
    for (int i = 1; i <= 6; i++) {
        assert_int_equal(http_fetch(p, &q, &mem, &r, &f), OK);
        assert_true(r.body.n == 1 && r.body.p[0] == '0' + i);
    }
    assert_int_not_equal(http_fetch(p, &q, &mem, &r, &f), OK);
    assert_int_equal(r.end, FETCH_RESET);          /* a part of the reply had come: not repeated */
    http_peer_free(p);
    struct buf got;
    sc_finish(s, &got);
    assert_true(str_find(buf_view(&got), S("Connection: close")) == SIZE_MAX);
    buf_done(&got);
}

/* A POST that may have been acted upon is not repeated. */
static void test_post_is_not_repeated(void **state)
{
    (void)state;
    static const struct sc_step steps[] = { { SC_ACCEPT }, { SC_HEAD }, { SC_BYTES, S("abc") }, { SC_SEND, S(KEPT "1") },
                                            { SC_HEAD }, { SC_BYTES, S("abc") }, { SC_CLOSE }, { SC_END } };
    struct script *s = sc_start(steps);
    struct http_peer *p = http_peer_new();
    const struct http_header headers[] = { { S("Content-Type"), S("text/plain") }, { S("Content-Length"), S("99") }, { S("X-A"), S("b") } };
    const struct fetch q = { .method = HTTP_POST, .url = url(s, "/push"), .headers = headers, .nheaders = LEN(headers), .body = S("abc") };
    struct fetched r;
    struct fault f = { 0 };
    assert_int_equal(http_fetch(p, &q, &mem, &r, &f), OK);
    assert_int_not_equal(http_fetch(p, &q, &mem, &r, &f), OK);
    assert_int_equal(r.end, FETCH_RESET);
    http_peer_free(p);
    struct buf got;
    sc_finish(s, &got);
    struct str sent = buf_view(&got);
    assert_true(str_starts(sent, S("POST /push HTTP/1.1\r\n")) && str_find(sent, S("\r\nContent-Length: 3\r\n\r\nabc")) != SIZE_MAX);
    assert_true(str_find(sent, S("X-A: b\r\n")) != SIZE_MAX && str_find(sent, S("Content-Length: 99")) == SIZE_MAX);
    buf_done(&got);
}

/* Refused while it was being sent: the answer counts, not the broken write. */
static void test_answered_early(void **state)
{
    (void)state;
    static const struct sc_step steps[] = { { SC_ACCEPT }, { SC_HEAD },
                                            { SC_SEND, S("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno") },
                                            { SC_WAIT_END }, { SC_END } };
    struct script *s = sc_start(steps);
    char *big = mem_alloc(8 << 20);
    const struct fetch q = { .method = HTTP_POST, .url = url(s, "/"), .body = { big, 8 << 20 } };
    struct fetched r;
    struct fault f = { 0 };
    assert_int_equal(http_fetch(NULL, &q, &mem, &r, &f), OK);
    assert_int_equal(r.status, 413);
    mem_free(big);
    struct buf got;
    sc_finish(s, &got);
    buf_done(&got);
}

/* ---- redirects ---- */

#define MOVED(to) "HTTP/1.1 302 Found\r\nLocation: " to "\r\nContent-Length: 0\r\n\r\n"

static void test_redirects(void **state)
{
    (void)state;
    static const struct sc_step steps[] = {
        { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S(MOVED("/b/c?x")) }, { SC_HEAD }, { SC_SEND, S(MOVED("d")) },
        { SC_HEAD }, { SC_SEND, S(KEPT "!") }, { SC_END },
    };
    struct script *s = sc_start(steps);
    struct http_peer *p = http_peer_new();
    const struct fetch q = { .method = HTTP_GET, .url = url(s, "/a"), .follow_redirects = true };
    struct fetched r;
    struct fault f = { 0 };
    assert_int_equal(http_fetch(p, &q, &mem, &r, &f), OK);
    assert_true(str_eq(r.final_url, url(s, "/b/d")));
    http_peer_free(p);
    struct buf got;
    sc_finish(s, &got);
    assert_true(str_find(buf_view(&got), S("GET /b/c?x HTTP")) != SIZE_MAX && str_find(buf_view(&got), S("GET /b/d HTTP")) != SIZE_MAX);
    buf_done(&got);
}

static void test_redirect_not_followed(void **state)
{
    (void)state;
    static const struct sc_step once[] = GET_ONCE(MOVED("/x"));
    struct script *s = sc_start(once);
    struct fetch q = { .method = HTTP_GET, .url = url(s, "/a") };
    struct fetched r;
    struct fault f = { 0 };
    assert_int_equal(http_fetch(NULL, &q, &mem, &r, &f), OK);
    assert_int_equal(r.status, 302);
    struct buf got;
    sc_finish(s, &got);
    buf_done(&got);
}

static void test_redirect_loop(void **state)
{
    (void)state;
    static struct sc_step steps[3 * (HTTP_REDIRECTS_MAX + 1) + 1];
    for (size_t i = 0; i < LEN(steps) - 1; i += 3) {
        steps[i] = (struct sc_step){ .what = SC_ACCEPT };
        steps[i + 1] = (struct sc_step){ .what = SC_HEAD };
        steps[i + 2] = (struct sc_step){ SC_SEND, S(MOVED("/a")) };
    }
    steps[LEN(steps) - 1] = (struct sc_step){ .what = SC_END };
    struct script *s = sc_start(steps);
    const struct fetch q = { .method = HTTP_GET, .url = url(s, "/a"), .follow_redirects = true };
    struct fetched r;
    struct fault f = { 0 };
    assert_int_not_equal(http_fetch(NULL, &q, &mem, &r, &f), OK);
    assert_true(r.end == FETCH_OTHER && strstr(f.msg, "more than 10"));
    struct buf got;
    sc_finish(s, &got);
    buf_done(&got);
}

/* What was meant for one server is not shown to another. */
static void test_secrets_stay(void **state)
{
    (void)state;
    static const struct sc_step second[] = GET_ONCE(KEPT "!");
    struct script *b = sc_start(second);
    struct sc_step first[] = { { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, { 0 } }, { SC_CLOSE }, { SC_END } };
    first[2].text = arena_fmt(&mem, "HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:%u/y\r\nContent-Length: 0\r\n\r\n", sc_port(b));
    struct script *a = sc_start(first);
    const struct http_header headers[] = { { S("Authorization"), S("Bearer abc") }, { S("X-Other"), S("stays") } };
    const struct fetch q = { .method = HTTP_GET, .url = url(a, "/"), .headers = headers, .nheaders = 2, .follow_redirects = true };
    struct fetched r;
    struct fault f = { 0 };
    assert_int_equal(http_fetch(NULL, &q, &mem, &r, &f), OK);
    struct buf got;
    sc_finish(a, &got);
    assert_true(str_find(buf_view(&got), S("Bearer abc")) != SIZE_MAX);
    buf_done(&got);
    sc_finish(b, &got);
    assert_true(str_find(buf_view(&got), S("Bearer abc")) == SIZE_MAX && str_find(buf_view(&got), S("stays")) != SIZE_MAX);
    buf_done(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_post_is_not_repeated),
        cmocka_unit_test(test_answered_early),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_redirect_not_followed),
        cmocka_unit_test(test_redirect_loop),
        cmocka_unit_test(test_secrets_stay),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
