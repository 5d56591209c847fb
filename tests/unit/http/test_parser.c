/* Heads and chunked bodies: what is understood, what is refused and how, fed whole,
 * byte by byte and cut at every place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "http/limits.h"
#include "http/parser.h"

/* One row is one head. `status` 0: understood, and `want` is "METHOD path?query host minor
 * length|chunked keep|close [expect]". */
static const struct {
    struct str in;
    int status;
    const char *want;
} heads[] = {
    { S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "1 / a 1 0 keep" },
    { S("GET /a/b?x=1&y=2 HTTP/1.1\r\nHost: a:80\r\n\r\n"), 0, "1 /a/b?x=1&y=2 a:80 1 0 keep" },
    { S("GET /? HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "1 /? a 1 0 keep" },
    { S("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "2 / a 1 0 keep" },
    { S("POST /v1/logs HTTP/1.1\r\nhOST:a\r\ncontent-LENGTH:\t12 \r\n\r\n"), 0, "4 /v1/logs a 1 12 keep" },
    { S("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"), 0, "8 / a 1 chunked keep" },
    { S("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "16 / a 1 0 keep" },
    { S("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "32 * a 1 0 keep" },
    { S("PATCH / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "64 / a 1 0 keep" },
    { S("get / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "64 / a 1 0 keep" },
    { S("GET / HTTP/1.0\r\n\r\n"), 0, "1 / - 0 0 close" },
    { S("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 0, "1 / - 0 0 keep" },
    { S("GET / HTTP/1.7\r\nHost: a\r\n\r\n"), 0, "1 / a 1 0 keep" },
    { S("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n"), 0, "1 / a 1 0 close" },
    { S("GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n"), 0, "1 / - 0 0 close" },
    { S("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"), 0, "1 / a 1 0 close" },
    { S("GET http://b:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "1 /x?y b:1 1 0 keep" },
    { S("GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "1 / b 1 0 keep" },
    { S("GET https://b?q HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "1 /?q b 1 0 keep" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n"), 0, "4 / a 1 5 keep expect" },
    { S("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "1 / a 1 0 keep" },
    { S("GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\r\n\r\n"), 0, "1 /\xc3\xa4 a 1 0 keep" },
    { S("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 0, "1 /  1 0 keep" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551609\r\n\r\n"), 0, "4 / a 1 18446744073709551609 keep" },

    { S("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "empty lines" },
    { S("GET / HTTP/1.1\nHost: a\n\n"), 400, "LF without CR" },
    { S("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400, "LF without CR" },
    { S("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "LF without CR" },
    { S("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"), 400, "control character" },
    { S("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"), 400, "control character" },
    { S("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"), 400, "folding" },
    { S("GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n"), 400, "folding" },
    { S("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400, "folding" },
    { S("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400, "header name" },
    { S("GET / HTTP/1.1\r\n: a\r\n\r\n"), 400, "header name" },
    { S("GET / HTTP/1.1\r\nHost\r\n\r\n"), 400, "header name" },
    { S("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"), 400, "control character" },
    { S("GET / HTTP/1.1\r\n\r\n"), 400, "Host header is missing" },
    { S("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400, "Host twice" },
    { S("GET /\r\n\r\n"), 400, "malformed request line" },
    { S("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "malformed request line" },
    { S("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400, "malformed request line" },
    { S("GET / http/1.1\r\nHost: a\r\n\r\n"), 400, "malformed request line" },
    { S("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "URL cannot hold" },
    { S("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "URL cannot hold" },
    { S("GET x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "names no path" },
    { S("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "names no path" },
    { S("GET ?x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "names no path" },
    { S("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "names no path" },
    { S("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "without a host" },
    { S("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505, "HTTP/1.0 and HTTP/1.1" },
    { S("PRI * HTTP/2.0\r\n\r\n"), 505, "not HTTP/2" },
    { S("\x16\x03\x01\x02"), 400, "TLS" },
    { S("\x80\x01"), 400, "not an HTTP request" },
    { S(" GET / HTTP/1.1\r\n\r\n"), 400, "not an HTTP request" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"), 400, "Content-Length twice" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400, "Content-Length twice" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"), 400, "not a number" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"), 400, "not a number" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"), 400, "not a number" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\n"), 400, "not a number" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"), 400, "not a number" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n"), 413, "absurd" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n"), 413, "absurd" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, "both" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400, "both" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501, "only transfer coding" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 501, "only transfer coding" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"), 501, "only transfer coding" },
    { S("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, "in HTTP/1.0" },
    { S("POST / HTTP/1.1\r\nHost: a\r\nExpect: the-worst\r\n\r\n"), 417, "expectation" },
};

/* Feeds in[0, n) in steps that end at `cut` and then every `step` bytes. */
static enum http_step scan_in_steps(struct str in, size_t cut, size_t step, struct http_scan *s, struct http_bad *bad)
{
    *s = (struct http_scan){ 0 };
    enum http_step r = HTTP_MORE;
    for (size_t n = cut; r == HTTP_MORE; n = MIN(n + step, in.n)) {
        r = http_scan(s, str_sub(in, 0, n), bad);
        if (n == in.n)
            break;
    }
    return r;
}

static void describe(const struct http_head *h, char *out, size_t size)
{
    char body[24];
    snprintf(body, sizeof(body), h->chunked ? "chunked" : "%llu", (unsigned long long)h->length);
    snprintf(out, size, "%d " STR_FMT "%s" STR_FMT " " STR_FMT " %u %s %s%s", h->method, STR_ARG(h->path), h->query.p ? "?" : "",
             STR_ARG(h->query), STR_ARG(h->host.p ? h->host : S("-")), h->minor, body, h->keep_alive ? "keep" : "close",
             h->expect ? " expect" : "");
}

static bool head_row_holds(size_t i, size_t cut, size_t step)
{
    char text[512], bytes[1024];
    struct http_scan s;
    struct http_bad bad = { 0 };
    struct http_head h = { 0 };
    struct arena mem;
    arena_init(&mem, 1 << 20);
    enum http_step r = scan_in_steps(heads[i].in, cut, step, &s, &bad);
    if (r == HTTP_DONE) {
        size_t n = s.at - s.start;
        memcpy(bytes, heads[i].in.p + s.start, n);
        r = http_head_parse(bytes, n, &mem, &h, &bad);
    }
    bool ok;
    if (r == HTTP_DONE) {
        describe(&h, text, sizeof(text));
        ok = heads[i].status == 0 && strcmp(text, heads[i].want) == 0;
    } else {
        snprintf(text, sizeof(text), "step %d, %d %s", r, bad.status, bad.why ? bad.why : "");
        ok = r == HTTP_BAD && bad.status == heads[i].status && strstr(bad.why, heads[i].want);
    }
    if (!ok)
        print_error("row %zu cut %zu/%zu: " STR_FMT "\n got %s\nwant %d %s\n", i, cut, step, STR_ARG(heads[i].in), text, heads[i].status,
                    heads[i].want);
    arena_done(&mem);
    return ok;
}

static void test_heads(void **state)
{
    (void)state;
    bool ok = true;
    for (size_t i = 0; i < LEN(heads); i++) {
        ok &= head_row_holds(i, heads[i].in.n, 1);
        ok &= head_row_holds(i, 0, 1);
        for (size_t cut = 0; cut < heads[i].in.n; cut++)
            ok &= head_row_holds(i, cut, heads[i].in.n);
    }
    assert_true(ok);
}

static void test_header_values(void **state)
{
    (void)state;
    char in[] = "GET / HTTP/1.1\r\nHost: a\r\nX-One:  two words\t\r\nEMPTY:\r\nX-One: again\r\n\r\n";
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct http_head h;
    struct http_bad bad;
    assert_int_equal(http_head_parse(in, sizeof(in) - 1, &mem, &h, &bad), HTTP_DONE);
    assert_int_equal(h.nheaders, 4);
    assert_true(str_eq(h.headers[1].name, S("x-one")) && str_eq(h.headers[1].value, S("two words")));
    assert_true(str_eq(h.headers[2].name, S("empty")) && h.headers[2].value.n == 0);
    assert_true(str_eq(h.headers[3].value, S("again")));
    arena_done(&mem);
}

/* Heads at, and one past, each limit. */
static int scan_status(const struct buf *b)
{
    struct http_scan s = { 0 };
    struct http_bad bad = { 0 };
    enum http_step r = http_scan(&s, buf_view(b), &bad);
    return r == HTTP_BAD ? bad.status : r == HTTP_DONE ? 0 : -1;
}

static void put_many(struct buf *b, char c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_byte(b, c);
}

static void test_limits(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    const size_t rest = S("GET / HTTP/1.1").n;
    for (size_t over = 0; over < 2; over++) {
        buf_clear(&b);
        buf_str(&b, S("GET /"));
        put_many(&b, 'a', HTTP_LINE_MAX - rest + over);
        if (over) {                                /* refused before its end has come */
            put_many(&b, 'a', rest);
            assert_int_equal(scan_status(&b), 414);
            b.n -= rest;
        }
        buf_str(&b, S(" HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_int_equal(scan_status(&b), over ? 414 : 0);

        buf_clear(&b);
        buf_str(&b, S("GET / HTTP/1.1\r\n"));
        for (size_t i = 0; i < HTTP_HEADERS_MAX + over; i++)
            buf_str(&b, S("a: b\r\n"));
        buf_str(&b, S("\r\n"));
        assert_int_equal(scan_status(&b), over ? 431 : 0);

        buf_clear(&b);
        buf_str(&b, S("GET / HTTP/1.1\r\na: "));
        put_many(&b, 'a', HTTP_HEAD_MAX - b.n - 4 + over);
        buf_str(&b, S("\r\n\r\n"));
        assert_int_equal(scan_status(&b), over ? 431 : 0);
    }
    buf_clear(&b);
    put_many(&b, 'A', HTTP_LINE_MAX + 2);
    assert_int_equal(scan_status(&b), 414);
}

/* Chunked bodies with a limit of 20 bytes; what is left over belongs to the next request. */
static const struct {
    struct str in;
    int status;
    struct str want, left;
} chunked[] = {
    { S("0\r\n\r\n"), 0, S(""), S("") },
    { S("5\r\nhello\r\n0\r\n\r\nGET"), 0, S("hello"), S("GET") },
    { S("5\r\nhello\r\n00A\r\n 123456789\r\n0\r\n\r\n"), 0, S("hello 123456789"), S("") },
    { S("a\r\n0123456789\r\n0\r\n\r\n"), 0, S("0123456789"), S("") },
    { S("3;x=y;z=\"q\"\r\nabc\r\n0;last\r\n\r\n"), 0, S("abc"), S("") },
    { S("3\r\nabc\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n"), 0, S("abc"), S("") },
    { S("14\r\n01234567890123456789\r\n0\r\n\r\n"), 0, S("01234567890123456789"), S("") },
    { S("15\r\n"), 413, S(""), S("") },
    { S("a\r\n0123456789\r\nb\r\n"), 413, S("0123456789"), S("") },
    { S("fffffffffffffffff\r\n"), 413, S(""), S("") },
    { S("ffffffffffffffff\r\n"), 413, S(""), S("") },
    { S("00000000000000001\r\n"), 413, S(""), S("") },
    { S("\r\n"), 400, S(""), S("") },
    { S("5\n"), 400, S(""), S("") },
    { S("5 \r\n"), 400, S(""), S("") },
    { S("-1\r\n"), 400, S(""), S("") },
    { S("0x5\r\n"), 400, S(""), S("") },
    { S("g\r\n"), 400, S(""), S("") },
    { S("5\rx"), 400, S(""), S("") },
    { S("5\r\nhelloX"), 400, S("hello"), S("") },
    { S("5\r\nhello\rX"), 400, S("hello"), S("") },
    { S("5\r\nhello\n"), 400, S("hello"), S("") },
    { S("0\r\nA: b\n"), 400, S(""), S("") },
    { S("0\r\nA: b\rX"), 400, S(""), S("") },
    { S("0\r\n\rX"), 400, S(""), S("") },
    { S("1;\x01\r\n"), 400, S(""), S("") },
};

static bool chunk_row_holds(size_t i, size_t cut, size_t step)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 20);
    struct http_chunks c = { 0 };
    struct http_bad bad = { 0 };
    struct str in = chunked[i].in, rest = { 0 };
    enum http_step r = HTTP_MORE;
    for (size_t from = 0, to = cut; r == HTTP_MORE; from = to, to = MIN(to + step, in.n)) {
        rest = str_sub(in, from, to - from);
        r = http_chunks_feed(&c, &rest, &out, &bad);
        if (r == HTTP_DONE)
            rest = (struct str){ rest.p, (size_t)(in.p + in.n - rest.p) };
        if (to == in.n)
            break;
    }
    bool ok = r == (chunked[i].status ? HTTP_BAD : HTTP_DONE) && bad.status == chunked[i].status &&
              str_eq(buf_view(&out), chunked[i].want) && (r == HTTP_BAD || str_eq(rest, chunked[i].left));
    if (!ok)
        print_error("row %zu cut %zu/%zu: " STR_FMT "\n got step %d status %d body \"" STR_FMT "\"\n", i, cut, step, STR_ARG(in), r,
                    bad.status, STR_ARG(buf_view(&out)));
    return ok;
}

static void test_chunks(void **state)
{
    (void)state;
    bool ok = true;
    for (size_t i = 0; i < LEN(chunked); i++) {
        ok &= chunk_row_holds(i, chunked[i].in.n, 1);
        ok &= chunk_row_holds(i, 0, 1);
        for (size_t cut = 0; cut < chunked[i].in.n; cut++)
            ok &= chunk_row_holds(i, cut, chunked[i].in.n);
    }
    assert_true(ok);
}

static void test_chunk_limits(void **state)
{
    (void)state;
    static const struct {
        struct str head;
        size_t fill;
        int status;
    } rows[] = {
        { S("1;"), HTTP_CHUNK_LINE_MAX - 1, 0 },
        { S("1;"), HTTP_CHUNK_LINE_MAX + 1, 400 },
        { S("0\r\nA:"), HTTP_TRAILER_MAX - 3, 0 },
        { S("0\r\nA:"), HTTP_TRAILER_MAX, 431 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        CLEANUP(buf_done) struct buf in, out;
        buf_init(&in, 1 << 20);
        buf_init(&out, 20);
        buf_str(&in, rows[i].head);
        put_many(&in, 'x', rows[i].fill);
        struct http_chunks c = { 0 };
        struct http_bad bad = { 0 };
        struct str rest = buf_view(&in);
        enum http_step r = http_chunks_feed(&c, &rest, &out, &bad);
        if ((rows[i].status ? HTTP_BAD : HTTP_MORE) != r || bad.status != rows[i].status)
            fail_msg("row %zu: step %d status %d", i, r, bad.status);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),       cmocka_unit_test(test_header_values), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_chunks),      cmocka_unit_test(test_chunk_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
