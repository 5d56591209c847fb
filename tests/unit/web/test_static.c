/* Files from memory: what each path gives, with which headers, to whom. The server
 * is replaced by functions that note the reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../../src/web/static.c"

enum { HEADERS_MAX = 16 };

static struct {
    int status, replies;
    struct http_header headers[HEADERS_MAX];
    uint32_t n;
    char body[4096];
    size_t body_n;
} said;

static struct http_header asked[2];

struct str http_header(const struct http_req *r, struct str name)
{
    for (uint32_t i = 0; i < LEN(asked); i++)
        if (str_eq(asked[i].name, name))
            return asked[i].value;
    (void)r;
    return (struct str){ 0 };
}

void http_reply_header(struct http_req *r, struct str name, struct str value)
{
    (void)r;
    assert_true(said.n < HEADERS_MAX);
    said.headers[said.n++] = (struct http_header){ name, value };
}

void http_reply(struct http_req *r, int status, struct str type, struct str body)
{
    http_reply_header(r, S("Content-Type"), type);
    said.status = status;
    said.replies++;
    assert_true(body.n <= sizeof(said.body));
    if (body.n)
        memcpy(said.body, body.p, body.n);
    said.body_n = body.n;
}

void http_reply_buf(struct http_req *r, int status, struct str type, struct buf *body)
{
    http_reply(r, status, type, buf_view(body));
    buf_done(body);
}

void http_reply_error(struct http_req *r, int status, const char *fmt, ...)
{
    (void)fmt;
    http_reply(r, status, S("text/plain"), S("no"));
}

/* Two files: a picture as it is, and the page, packed (gzip -n9 of the text). */
static const char page[] = "<!doctype html><title>page</title>";
static const unsigned char packed[] = {
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 179, 81, 76, 201, 79, 46, 169, 44, 72, 85, 200, 40, 201, 205,
    177, 179, 41, 201, 44, 201, 73, 181, 43, 72, 76, 79, 181, 209, 135, 176, 1, 8, 129, 119, 119, 34, 0, 0,
    0,
};
const struct web_asset web_assets[] = {
    { "/assets/a-1234.png", "image/png", (const unsigned char *)"PNG", 3, 3, false, true },
    { "/index.html", "text/html; charset=utf-8", packed, sizeof(packed), sizeof(page) - 1, true, false },
};
const uint32_t web_nassets = LEN(web_assets);
static char tags[LEN(web_assets)][24] = { "\"aa\"", "\"bb\"" };

static struct str header_said(const char *name)
{
    for (uint32_t i = 0; i < said.n; i++)
        if (str_eq(said.headers[i].name, str_c(name)))
            return said.headers[i].value;
    return (struct str){ 0 };
}

static void ask(const char *path, const char *accept, const char *none_match)
{
    memset(&said, 0, sizeof(said));
    asked[0] = (struct http_header){ S("accept-encoding"), str_c(accept) };
    asked[1] = (struct http_header){ S("if-none-match"), str_c(none_match) };
    struct web web = { .etags = tags };
    struct http_req r = { .method = HTTP_GET, .path = str_c(path), .arg = &web };
    static_handle(&r);
    assert_int_equal(said.replies, 1);
}

static void test_paths(void **state)
{
    (void)state;
    static const struct { const char *path; int status; const char *type, *cache; } rows[] = {
        { "/", 200, "text/html; charset=utf-8", "no-cache" },
        { "/index.html", 200, "text/html; charset=utf-8", "no-cache" },
        { "/sessions/7d4496ad", 200, "text/html; charset=utf-8", "no-cache" },
        { "/setup", 200, "text/html; charset=utf-8", "no-cache" },
        { "/assets/a-1234.png", 200, "image/png", "public, max-age=31536000, immutable" },
        { "/assets/a-9999.png", 404, "text/plain", "" },
        { "/api/v1/qurey", 404, "text/plain", "" },
        { "/loki/api/v1/x", 404, "text/plain", "" },
        { "/v1/metrics", 404, "text/plain", "" },
        { "/-/nothing", 404, "text/plain", "" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        ask(rows[i].path, "gzip", "");
        if (said.status != rows[i].status || !str_eq(header_said("Content-Type"), str_c(rows[i].type)) ||
            !str_eq(header_said("Cache-Control"), str_c(rows[i].cache)))
            fail_msg("%s: %d " STR_FMT, rows[i].path, said.status, STR_ARG(header_said("Content-Type")));
    }
}

static void test_policy(void **state)
{
    (void)state;
    ask("/", "", "");
    struct str csp = header_said("Content-Security-Policy");
    assert_true(str_starts(csp, S("default-src 'none'; script-src 'self';")));
    assert_true(str_find(csp, S("unsafe")) == SIZE_MAX);
    assert_true(str_eq(header_said("X-Content-Type-Options"), S("nosniff")));
    assert_true(str_eq(header_said("Referrer-Policy"), S("no-referrer")));
}

static void test_encoding(void **state)
{
    (void)state;
    static const struct { const char *accept; bool gzip; } rows[] = {
        { "", false }, { "gzip", true }, { "gzip, deflate, br, zstd", true }, { "br;q=1, GZIP;q=0.5", true },
        { "gzip;q=0", false }, { "gzip; q=0.000", false }, { "identity", false }, { "xgzip", false }, { "gzip;q=x", false },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        ask("/", rows[i].accept, "");
        bool gzip = str_eq(header_said("Content-Encoding"), S("gzip"));
        struct str body = { said.body, said.body_n };
        bool plain = str_eq(body, str_c(page));
        if (gzip != rows[i].gzip || plain == rows[i].gzip)
            fail_msg("Accept-Encoding: %s gave %s", rows[i].accept, gzip ? "gzip" : "plain");
    }
}

static void test_tags(void **state)
{
    (void)state;
    static const struct { const char *match; int status; } rows[] = {
        { "", 200 }, { "\"bb\"", 304 }, { "W/\"bb\"", 304 }, { "\"aa\", \"bb\"", 304 }, { "*", 304 }, { "\"aa\"", 200 }, { "bb", 200 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        ask("/", "gzip", rows[i].match);
        if (said.status != rows[i].status || !str_eq(header_said("ETag"), S("\"bb\"")))
            fail_msg("If-None-Match: %s gave %d", rows[i].match, said.status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths), cmocka_unit_test(test_policy), cmocka_unit_test(test_encoding), cmocka_unit_test(test_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
