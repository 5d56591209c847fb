/* Paths, percent signs, parameters, hosts: tables without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "http/call.h"
#include "http/hosts.h"
#include "http/route.h"

static void nothing(struct http_req *r)
{
    (void)r;
}

static const struct http_route api[] = {
    { HTTP_GET, "/", nothing, 0, "a" },
    { HTTP_POST, "/", nothing, 0, "b" },
    { HTTP_POST, "**/v1/metrics", nothing, 0, "c" },
    { HTTP_GET | HTTP_POST, "/api/v1/query", nothing, 0, "d" },
    { HTTP_GET, "/api/v1/label/*/values", nothing, 0, "e" },
    { HTTP_GET, "/api/v1/label/job/values", nothing, 0, "never: the row above is first" },
    { HTTP_GET, "/two/*/*", nothing, 0, "f" },
    { .path = NULL },
};
static const struct http_route pages[] = {
    { HTTP_GET, "/assets/**", nothing, 0, "g" },
    { HTTP_PUT, "/api/v1/query", nothing, 0, "h" },
    { HTTP_DELETE, "**/deep/*/**", nothing, 0, "i" },
    { .path = NULL },
};

/* `want`: the row's doc and what its wild cards stood for; "404", or "405 " and Allow. */
static const struct {
    enum http_method method;
    struct str path;
    const char *want;
} paths[] = {
    { HTTP_GET, S("/"), "a" },
    { HTTP_HEAD, S("/"), "a" },
    { HTTP_POST, S("/"), "b" },
    { HTTP_PUT, S("/"), "405 GET, HEAD, POST" },
    { HTTP_OTHER, S("/"), "405 GET, HEAD, POST" },
    { HTTP_POST, S("/v1/metrics"), "c" },
    { HTTP_POST, S("/otlp/v1/metrics"), "c" },
    { HTTP_POST, S("/a/b/c/v1/metrics"), "c" },
    { HTTP_POST, S("//v1/metrics"), "c" },
    { HTTP_POST, S("/v1/metrics/v1/metrics"), "c" },
    { HTTP_POST, S("/v1/metrics/"), "404" },
    { HTTP_POST, S("/v1/metricsx"), "404" },
    { HTTP_POST, S("/xv1/metrics"), "404" },
    { HTTP_GET, S("/v1/metrics"), "405 POST" },
    { HTTP_POST, S("/v1/%6detrics"), "c" },
    { HTTP_POST, S("/v1%2Fmetrics"), "404" },
    { HTTP_GET, S("/api/v1/query"), "d" },
    { HTTP_POST, S("/api/v1/query"), "d" },
    { HTTP_PUT, S("/api/v1/query"), "h" },
    { HTTP_DELETE, S("/api/v1/query"), "405 GET, HEAD, POST, PUT" },
    { HTTP_GET, S("/api/v1/query/"), "404" },
    { HTTP_GET, S("/api/v1"), "404" },
    { HTTP_GET, S("/api/v1/label/job/values"), "e job" },
    { HTTP_GET, S("/api/v1/label/a%2Fb%20c/values"), "e a/b c" },
    { HTTP_GET, S("/api/v1/label//values"), "404" },
    { HTTP_GET, S("/api/v1/label/a/b/values"), "404" },
    { HTTP_POST, S("/api/v1/label/job/values"), "405 GET, HEAD" },
    { HTTP_GET, S("/two/x/y"), "f x y" },
    { HTTP_GET, S("/assets/app.js"), "g app.js" },
    { HTTP_GET, S("/assets/a/b%41/"), "g a/bA/" },
    { HTTP_GET, S("/assets/"), "g " },
    { HTTP_GET, S("/assets"), "g " },
    { HTTP_GET, S("/assetsx"), "404" },
    { HTTP_DELETE, S("/x/deep/er/and/er"), "i er and/er" },
    { HTTP_DELETE, S("/deep/er"), "i er " },
    { HTTP_GET, S("/%"), "404" },
    { HTTP_GET, S("/%4"), "404" },
    { HTTP_GET, S("/%zz"), "404" },
    { HTTP_OPTIONS, S("*"), "404" },
    { HTTP_GET, S("/../"), "404" },
};

static void test_paths(void **state)
{
    (void)state;
    const struct http_table tables[] = { { api, NULL, NULL }, { pages, NULL, NULL } };
    struct arena mem;
    arena_init(&mem, 1 << 20);
    bool ok = true;
    for (size_t i = 0; i < LEN(paths); i++) {
        struct route_match m = route_find(tables, LEN(tables), paths[i].method, paths[i].path, &mem);
        struct str got = S("404");
        if (m.route) {
            got = str_c(m.route->doc);
            for (uint32_t w = 0; w < m.nwild; w++)
                got = arena_fmt(&mem, STR_FMT " " STR_FMT, STR_ARG(got), STR_ARG(m.wild[w]));
        } else if (m.table) {
            got = arena_fmt(&mem, "405 " STR_FMT, STR_ARG(route_allow(m.allowed, &mem)));
        }
        if (!str_eq(got, str_c(paths[i].want))) {
            print_error("row %zu " STR_FMT ": got \"" STR_FMT "\", want \"%s\"\n", i, STR_ARG(paths[i].path), STR_ARG(got), paths[i].want);
            ok = false;
        }
    }
    assert_true(ok);
    arena_done(&mem);
}

static void test_many_segments(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    char path[2 * HTTP_SEGMENTS_MAX + 32];
    const struct http_table table = { api, NULL, NULL };
    for (size_t n = HTTP_SEGMENTS_MAX - 3; n < HTTP_SEGMENTS_MAX; n++) {
        for (size_t i = 0; i < n; i++)
            memcpy(path + 2 * i, "/x", 2);
        memcpy(path + 2 * n, "/v1/metrics", 11);
        struct route_match m = route_find(&table, 1, HTTP_POST, (struct str){ path, 2 * n + 11 }, &mem);
        assert_int_equal(m.route != NULL, n + 2 <= HTTP_SEGMENTS_MAX);
    }
    arena_done(&mem);
}

static const struct {
    struct str in;
    bool plus, lenient;
    const char *want;                              /* NULL: refused */
} escapes[] = {
    { S(""), false, false, "" },
    { S("abc"), false, false, "abc" },
    { S("a%20b%2fc"), false, false, "a b/c" },
    { S("a+b"), false, false, "a+b" },
    { S("a+b%2B"), true, false, "a b+" },
    { S("%41%4a%4A"), false, false, "AJJ" },
    { S("%"), false, false, NULL },
    { S("a%2"), false, false, NULL },
    { S("%g0"), false, false, NULL },
    { S("%0g"), false, false, NULL },
    { S("100%"), true, true, "100%" },
    { S("%%41%4"), true, true, "%A%4" },
    { S("%-1"), false, false, NULL },
};

static void test_escapes(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(escapes); i++) {
        struct str got = { 0 };
        bool ok = percent_decode(escapes[i].in, escapes[i].plus, escapes[i].lenient, &mem, &got);
        if (ok != (escapes[i].want != NULL) || (ok && !str_eq(got, str_c(escapes[i].want))))
            fail_msg("row %zu " STR_FMT ": got %d " STR_FMT, i, STR_ARG(escapes[i].in), ok, STR_ARG(got));
    }
    arena_done(&mem);
}

/* All values of "a", joined. */
static const struct {
    struct str query, type, body;
    const char *want;
} params[] = {
    { S("a=1"), S(""), S(""), "1" },
    { S("a=1&b=2&a=3"), S(""), S(""), "1|3" },
    { S("a"), S(""), S(""), "" },
    { S("a="), S(""), S(""), "" },
    { S("a=x=y"), S(""), S(""), "x=y" },
    { S("%61=%7Bx%3D%22y+z%22%7D"), S(""), S(""), "{x=\"y z\"}" },
    { S("&&a=1&"), S(""), S(""), "1" },
    { S("b=2"), S("application/x-www-form-urlencoded"), S("a=1+2"), "1 2" },
    { S("a=0"), S("Application/X-WWW-Form-URLencoded; charset=utf-8"), S("a=1"), "0|1" },
    { S("a=0"), S("application/json"), S("{}&a=1"), "0" },
    { S("a=0"), S(""), S("a=1"), "0" },
    { S("a=100%"), S(""), S(""), "100%" },
    { S("A=1"), S(""), S(""), NULL },
    { S(""), S(""), S(""), NULL },
};

static bool params_row_holds(size_t i)
{
    struct call c = { 0 };
    arena_init(&c.mem, 1 << 20);
    struct http_header type = { S("content-type"), params[i].type };
    c.req = (struct http_req){ .headers = &type, .nheaders = 1, .raw_query = params[i].query, .body = params[i].body, .mem = &c.mem };
    const struct str *all;
    uint32_t n = http_params(&c.req, S("a"), &all);
    struct str first = { 0 }, got = { 0 };
    bool any = http_param(&c.req, S("a"), &first);
    for (uint32_t k = 0; k < n; k++)
        got = arena_fmt(&c.mem, STR_FMT "%s" STR_FMT, STR_ARG(got), k ? "|" : "", STR_ARG(all[k]));
    bool ok = any == (n > 0) && any == (params[i].want != NULL) && (!any || str_eq(got, str_c(params[i].want))) &&
              (!any || str_eq(first, all[0]));
    if (!ok)
        print_error("row %zu " STR_FMT ": got %u \"" STR_FMT "\"\n", i, STR_ARG(params[i].query), n, STR_ARG(got));
    arena_done(&c.mem);
    return ok;
}

static void test_params(void **state)
{
    (void)state;
    bool ok = true;
    for (size_t i = 0; i < LEN(params); i++)
        ok &= params_row_holds(i);
    assert_true(ok);
}

/* A server bound to 10.0.0.5 that also answers to "mon" and "x.test:81". */
static const struct {
    struct str host;
    bool want;
} host_rows[] = {
    { S("localhost"), true },
    { S("LocalHost:4318"), true },
    { S("localhost."), true },
    { S("localhost:"), true },
    { S("127.0.0.1"), true },
    { S("127.9.9.9:80"), true },
    { S("[::1]"), true },
    { S("[::1]:3001"), true },
    { S("[::ffff:127.0.0.1]:1"), true },
    { S("10.0.0.5:9090"), true },
    { S("mon"), true },
    { S("MON:3100"), true },
    { S("x.test:81"), true },
    { S("x.test"), false },
    { S("x.test:82"), false },
    { S("10.0.0.6"), false },
    { S("evil.test"), false },
    { S("evil.test:4318"), false },
    { S("localhost.evil.test"), false },
    { S("127.0.0.1.evil.test"), false },
    { S("127.0.0.1:80:90"), false },
    { S("localhost:80x"), false },
    { S("localhost@evil.test"), false },
    { S("2130706433"), false },
    { S("0.0.0.0"), false },
    { S("[::1"), false },
    { S("::1"), false },
    { S(":80"), false },
    { S(""), false },
    { S("."), false },
};

static void test_hosts(void **state)
{
    (void)state;
    const struct str allow[] = { S("mon"), S("x.test:81") };
    struct hosts h = { .allow = allow, .nallow = LEN(allow) };
    assert_true(net_parse_ip(S("10.0.0.5"), &h.bound));
    bool ok = true;
    for (size_t i = 0; i < LEN(host_rows); i++) {
        if (hosts_allow(&h, host_rows[i].host) == host_rows[i].want)
            continue;
        print_error("row %zu: \"" STR_FMT "\" should be %d\n", i, STR_ARG(host_rows[i].host), host_rows[i].want);
        ok = false;
    }
    assert_true(ok);
}

static const struct {
    struct str host, origin, site, mode, dest;
    enum http_method method;
    const char *want;                              /* in the message; NULL: let in */
} origin_rows[] = {
    { .host = S("localhost"), .method = HTTP_POST },
    { .host = { 0 }, .method = HTTP_GET },         /* HTTP/1.0 without Host: no browser */
    { .host = S("a.test"), .method = HTTP_GET, .want = "allow_hosts" },
    { .host = S("localhost"), .origin = S("http://localhost:3001"), .method = HTTP_POST },
    { .host = S("localhost"), .origin = S("https://[::1]"), .method = HTTP_POST },
    { .host = S("localhost"), .origin = S("http://mon"), .method = HTTP_POST },
    { .host = S("localhost"), .origin = S("http://a.test"), .method = HTTP_GET, .want = "http://a.test" },
    { .host = S("localhost"), .origin = S("null"), .method = HTTP_POST, .want = "null" },
    { .host = S("localhost"), .origin = S(""), .method = HTTP_POST, .want = "pages of" },
    { .host = S("localhost"), .origin = S("ftp://localhost"), .method = HTTP_POST, .want = "ftp" },
    { .host = S("localhost"), .origin = S("localhost"), .method = HTTP_POST, .want = "localhost" },
    { .host = S("localhost"), .site = S("same-origin"), .method = HTTP_POST },
    { .host = S("localhost"), .site = S("same-site"), .method = HTTP_GET },
    { .host = S("localhost"), .site = S("none"), .method = HTTP_GET },
    { .host = S("localhost"), .site = S("cross-site"), .method = HTTP_GET, .want = "other sites" },
    { .host = S("localhost"), .site = S("cross-site"), .mode = S("no-cors"), .dest = S("image"), .method = HTTP_GET, .want = "other sites" },
    { .host = S("localhost"), .site = S("cross-site"), .mode = S("navigate"), .dest = S("document"), .method = HTTP_GET },
    { .host = S("localhost"), .site = S("cross-site"), .mode = S("navigate"), .dest = S("iframe"), .method = HTTP_GET, .want = "other sites" },
    { .host = S("localhost"), .site = S("cross-site"), .mode = S("navigate"), .dest = S("document"), .method = HTTP_POST, .want = "other sites" },
    { .host = S("a\"\n\xc3.test"), .method = HTTP_GET, .want = "a???.test" },
};

static void test_origins(void **state)
{
    (void)state;
    const struct str allow[] = { S("mon") };
    const struct hosts h = { .allow = allow, .nallow = LEN(allow) };
    bool ok = true;
    for (size_t i = 0; i < LEN(origin_rows); i++) {
        const struct http_header all[] = {
            { S("origin"), origin_rows[i].origin },
            { S("sec-fetch-site"), origin_rows[i].site },
            { S("sec-fetch-mode"), origin_rows[i].mode },
            { S("sec-fetch-dest"), origin_rows[i].dest },
        };
        struct http_header headers[LEN(all)];
        struct http_head head = { .method = origin_rows[i].method, .host = origin_rows[i].host, .headers = headers };
        for (size_t k = 0; k < LEN(all); k++)
            if (all[k].value.p)
                headers[head.nheaders++] = all[k];
        char why[HOSTS_WHY_MAX] = "";
        int status = hosts_check(&h, &head, why);
        if (status == (origin_rows[i].want ? 403 : 0) && (!status || strstr(why, origin_rows[i].want)))
            continue;
        print_error("row %zu: got %d \"%s\", want \"%s\"\n", i, status, why, origin_rows[i].want ? origin_rows[i].want : "");
        ok = false;
    }
    assert_true(ok);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *want;                          /* NULL: no address */
    } rows[] = {
        { S("127.0.0.1"), "127.0.0.1:7" }, { S("::1"), "[::1]:7" },       { S("[::1]"), "[::1]:7" }, { S("::ffff:1.2.3.4"), "1.2.3.4:7" },
        { S("0.0.0.0"), "0.0.0.0:7" },     { S("::"), "[::]:7" },         { S(""), NULL },           { S("localhost"), NULL },
        { S("1.2.3"), NULL },              { S("1.2.3.4.5"), NULL },      { S("[1.2.3.4"), NULL },   { S("1.2.3.4\0"), NULL },
        { S("01.2.3.4x"), NULL },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct net_addr a = { 0 };
        char text[NET_TEXT_MAX];
        bool ok = net_parse_ip(rows[i].in, &a);
        a.port = 7;
        if (ok != (rows[i].want != NULL))
            fail_msg("row %zu: %d", i, ok);
        if (ok && !str_eq((struct str){ text, net_format(&a, text) }, str_c(rows[i].want)))
            fail_msg("row %zu: %s", i, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),  cmocka_unit_test(test_many_segments), cmocka_unit_test(test_escapes), cmocka_unit_test(test_params),
        cmocka_unit_test(test_hosts),  cmocka_unit_test(test_origins),       cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
