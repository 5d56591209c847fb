/* TLS: a server with certificates, and our own client against it; and the bytes between. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#include "base/file.h"
#include "http/client.h"
#include "http/tls_int.h"
#include "tls_certs.h"

static struct arena mem;

static int setup(void **state)
{
    (void)state;
    arena_init(&mem, 64 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&mem);
    return 0;
}

static struct tls_server *make_server(const struct tls_server_config *c)
{
    struct tls_server *t = NULL;
    struct fault f = { 0 };
    if (tls_server_new(c, &t, &f))
        fail_msg("%s", f.msg);
    return t;
}

static struct tls_client *make_client(const struct tls_client_config *c)
{
    struct tls_client *t = NULL;
    struct fault f = { 0 };
    if (tls_client_new(c, &t, &f))
        fail_msg("%s", f.msg);
    return t;
}

static void use(const struct tls_server_config *c)
{
    struct fault f = { 0 };
    struct tls_server *t = make_server(c);
    assert_int_equal(http_listener_tls(fx.server, S("test"), t, &f), OK);
    tls_server_unref(t);
}

static const struct tls_server_config *simple(void)
{
    static struct tls_server_config c;
    c = (struct tls_server_config){ .cert = server_cert, .key = server_key };
    return &c;
}

static struct tls_client *trusting_client(struct str cert, struct str key)
{
    return make_client(&(struct tls_client_config){ .ca = ca_cert, .cert = cert, .key = key });
}

static struct str url(const char *scheme, const char *path)
{
    return arena_fmt(&mem, "%s://localhost:%u%s", scheme, fx.port, path);
}

static enum fetch_end get(struct http_peer *p, const struct tls_client *c, struct fetched *r, struct fault *f)
{
    const struct fetch q = { .method = HTTP_GET, .url = url("https", "/hello"), .tls = c };
    *f = (struct fault){ 0 };
    enum err e = http_fetch(p, &q, &mem, r, f);
    assert_int_equal(e == OK, r->end == FETCH_OK);
    return r->end;
}

static struct str header(const struct fetched *r, struct str name)
{
    for (uint32_t i = 0; i < r->nheaders; i++)
        if (str_eq(r->headers[i].name, name))
            return r->headers[i].value;
    return (struct str){ 0 };
}

static int refusals_before;

static bool has_refused(void)
{
    return fx_get_int(&fx.refusals) > refusals_before;
}

static void expect_refusal(int status, const char *part)
{
    fx_until(has_refused);
    assert_int_equal(pthread_mutex_lock(&fx.lock), 0);
    bool ok = fx.refused_status == status && strstr(fx.refused_why, part);
    if (!ok)
        print_error("%d %s\n", fx.refused_status, fx.refused_why);
    assert_int_equal(pthread_mutex_unlock(&fx.lock), 0);
    assert_true(ok);
    refusals_before = fx_get_int(&fx.refusals);
}

static void begin(struct http_config cfg)
{
    fx_start(cfg);
    refusals_before = 0;
}

/* ---- requests ---- */

static void test_requests(void **state)
{
    (void)state;
    begin((struct http_config){ .check_hosts = true });
    use(simple());
    struct tls_client *c = trusting_client((struct str){ 0 }, (struct str){ 0 });
    struct http_peer *p = http_peer_new();
    struct fetched r;
    struct fault f;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get(p, c, &r, &f), FETCH_OK);
        assert_true(str_eq(r.body, S("hello")) && header(&r, S("x-cert")).p && !header(&r, S("x-cert")).n);
    }
    static char big[3 << 20];
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + i / 251);
    static const char *const paths[] = { "/echo", "/pool" };
    for (size_t i = 0; i < LEN(paths); i++) {
        const struct fetch q = { .method = HTTP_POST, .url = url("https", paths[i]), .tls = c, .body = { big, i ? 1000 : sizeof(big) } };
        assert_int_equal(http_fetch(p, &q, &mem, &r, &f), OK);
        assert_true(r.status == 200 && str_eq(r.body, q.body));
    }
    const struct fetch q = { .method = HTTP_GET, .url = url("https", "/big"), .tls = c };
    assert_int_equal(http_fetch(p, &q, &mem, &r, &f), OK);
    assert_int_equal(r.body.n, BIG_BYTES);
    assert_int_equal(fx_stats().accepted, 1);      /* all over one connection */
    assert_int_equal(fx_stats().refused, 0);
    http_peer_free(p);
    tls_client_free(c);
    fx_until(fx_no_conns);
    fx_stop();
}

static struct dial *dial(const struct tls_client *c, struct str alpn)
{
    struct dial *d = NULL;
    struct fault f = { 0 };
    const struct dial_to to = { .host = S("localhost"), .port = fx.port, .https = true, .tls = c, .alpn = alpn };
    if (http_dial(&to, &d, &f))
        fail_msg("%s", f.msg);
    return d;
}

static void say(struct dial *d, struct str s)
{
    struct fault f = { 0 };
    if (dial_write(d, s, &f))
        fail_msg("%s", f.msg);
}

/* Reads until what came ends with `last`, or the end. */
static struct str hear(struct dial *d, struct str last)
{
    struct buf b = { .max = 1 << 20 };
    struct fault f = { 0 };
    size_t n = 1;
    while (n && !(last.n && str_ends(buf_view(&b), last))) {
        char *p = buf_room(&b, 4096);
        if (dial_read(d, p, 4096, &n, &f))
            fail_msg("%s", f.msg);
        buf_grew(&b, n);
    }
    struct str s = arena_str(&mem, buf_view(&b));
    buf_done(&b);
    return s;
}

static void test_connections(void **state)
{
    (void)state;
    begin((struct http_config){ .check_hosts = true });
    use(simple());
    struct tls_client *c = trusting_client((struct str){ 0 }, (struct str){ 0 });

    /* Two at once, then the end, which is said with close_notify. */
    struct dial *d = dial(c, S("http/1.1"));
    assert_true(str_eq(dial_alpn(d), S("http/1.1")));
    say(d, S("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    struct str all = hear(d, (struct str){ 0 });
    size_t at = str_find(all, S("hello"));
    assert_true(at != SIZE_MAX && str_find(str_sub(all, at + 5, all.n), S("hello")) != SIZE_MAX);
    dial_free(d);

    /* A stream. */
    d = dial(c, (struct str){ 0 });
    assert_int_equal(dial_alpn(d).n, 0);
    say(d, S("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    (void)hear(d, S("\r\n\r\n"));
    fx_until(fx_has_stream);
    assert_true(http_stream_send(fx_stream(), S("one")));
    (void)hear(d, S("one\r\n"));
    http_stream_close(fx_stream());
    (void)hear(d, (struct str){ 0 });
    dial_free(d);

    /* HTTP/2, by ALPN: what comes first are its settings. */
    d = dial(c, S("h2"));
    assert_true(str_eq(dial_alpn(d), S("h2")));
    say(d, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"));
    struct fault f = { 0 };
    char frame[9];
    size_t n;
    assert_int_equal(dial_read(d, frame, sizeof(frame), &n, &f), FETCH_OK);
    assert_true(n >= 4 && frame[3] == 4);
    dial_free(d);

    /* A client that has gone while its request is under way. */
    d = dial(c, (struct str){ 0 });
    say(d, S("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    fx_until(fx_is_waiting);
    dial_free(d);
    fx_until(fx_is_cancelled);
    tls_client_free(c);
    fx_until(fx_no_conns);
    fx_stop();
}

/* A client that does not read, and one that does not even shake hands. */
static void test_slow(void **state)
{
    (void)state;
    begin((struct http_config){ .check_hosts = true, .handshake_ms = 50, .header_ms = 50, .write_ms = 50, .linger_ms = 50 });
    use(simple());
    struct tls_client *c = trusting_client((struct str){ 0 }, (struct str){ 0 });
    struct dial *d = dial(c, (struct str){ 0 });
    say(d, S("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    fx_until(fx_no_conns);
    dial_free(d);

    int fd = cl_open();
    assert_true(cl_at_end(fd));                    /* silent: nobody's fault */
    cl_close(fd);
    assert_int_equal(fx_get_int(&fx.refusals), 0);

    fd = cl_open();
    cl_send(fd, S("\x16\x03\x01\x02"));
    struct fetched r;
    struct fault f;
    assert_int_equal(get(NULL, c, &r, &f), FETCH_OK);          /* meanwhile, others are served */
    assert_true(cl_at_end(fd));
    cl_close(fd);
    expect_refusal(408, "handshake came too slowly");

    d = dial(c, (struct str){ 0 });                /* slow after the handshake: as without TLS */
    say(d, S("GET /hello HTTP/1.1\r\n"));
    struct str answer = hear(d, (struct str){ 0 });
    assert_true(str_starts(answer, S("HTTP/1.1 408 ")));
    dial_free(d);
    expect_refusal(408, "head of the request");
    tls_client_free(c);
    fx_until(fx_no_conns);
    fx_stop();
}

/* ---- mistakes ---- */

static void test_wrong_scheme(void **state)
{
    (void)state;
    begin((struct http_config){ .check_hosts = true });
    struct tls_client *c = trusting_client((struct str){ 0 }, (struct str){ 0 });
    struct fetched r;
    struct fault f;
    assert_int_equal(get(NULL, c, &r, &f), FETCH_TLS);
    assert_non_null(strstr(f.msg, "plain http"));
    expect_refusal(400, "write http:// instead of https://");

    use(simple());
    static char body[1 << 20];
    const struct fetch q = { .method = HTTP_POST, .url = url("http", "/echo"), .body = { body, sizeof(body) } };
    assert_int_equal(http_fetch(NULL, &q, &mem, &r, &f), OK);
    assert_true(r.status == 400 && str_find(r.body, S("https://")) != SIZE_MAX);
    expect_refusal(400, "must begin with https://");

    int fd = cl_open();
    cl_send(fd, S("\x80\x01\x02garbage"));
    cl_close(fd);
    expect_refusal(400, "");
    tls_client_free(c);
    fx_until(fx_no_conns);
    fx_stop();
}

static void test_distrust(void **state)
{
    (void)state;
    static const struct {
        struct tls_client_config client;
        bool ours;                                 /* trusts our CA */
        enum fetch_end end;
        const char *why, *refused;
    } rows[] = {
        { { .insecure_skip_verify = false }, false, FETCH_TLS, "ca_file names the CA", "does not trust this listener's certificate" },
        { { .server_name = S("example.test") }, true, FETCH_TLS, "another name", "does not accept this listener's certificate" },
        { { .insecure_skip_verify = true }, false, FETCH_OK, "", NULL },
        { { .server_name = S("127.0.0.1") }, true, FETCH_OK, "", NULL },
        { { .max_version = 1 }, true, FETCH_OK, "", NULL },
        { { .min_version = 2, .max_version = 2 }, true, FETCH_TLS, "TLS versions", "TLS versions" },
    };
    begin((struct http_config){ .check_hosts = true });
    use(simple());
    for (size_t i = 0; i < LEN(rows); i++) {
        struct tls_client_config cc = rows[i].client;
        if (rows[i].ours)
            cc.ca = ca_cert;
        struct tls_client *c = make_client(&cc);
        struct fetched r;
        struct fault f;
        if (get(NULL, c, &r, &f) != rows[i].end || !strstr(f.msg, rows[i].why))
            fail_msg("row %zu: %d %s", i, r.end, f.msg);
        if (rows[i].refused)
            expect_refusal(400, rows[i].refused);
        tls_client_free(c);
    }
    fx_until(fx_no_conns);
    fx_stop();
}

static void test_client_auth(void **state)
{
    (void)state;
    const struct {
        uint64_t type;
        struct str cert, key;
        enum fetch_end end;
        const char *name, *refused;
    } rows[] = {
        { TLS_NO_CLIENT_CERT, named_cert, named_key, FETCH_OK, "", NULL },
        { TLS_REQUEST_CLIENT_CERT, { 0 }, { 0 }, FETCH_OK, "", NULL },
        { TLS_REQUEST_CLIENT_CERT, intruder_cert, intruder_key, FETCH_OK, "", NULL },
        { TLS_REQUIRE_ANY_CLIENT_CERT, intruder_cert, intruder_key, FETCH_OK, "", NULL },
        { TLS_REQUIRE_ANY_CLIENT_CERT, { 0 }, { 0 }, FETCH_TLS, NULL, "sent no certificate" },
        { TLS_REQUIRE_CLIENT_CERT, { 0 }, { 0 }, FETCH_TLS, NULL, "sent no certificate" },
        { TLS_VERIFY_CLIENT_CERT_IF_GIVEN, { 0 }, { 0 }, FETCH_OK, "", NULL },
        { TLS_VERIFY_CLIENT_CERT_IF_GIVEN, named_cert, named_key, FETCH_OK, "dev@example.test", NULL },
        { TLS_VERIFY_CLIENT_CERT_IF_GIVEN, intruder_cert, intruder_key, FETCH_TLS, NULL, "is not accepted" },
        { TLS_REQUIRE_AND_VERIFY_CLIENT_CERT, client_cert, client_key, FETCH_OK, "no SAN", NULL },
        { TLS_REQUIRE_AND_VERIFY_CLIENT_CERT, named_cert, named_key, FETCH_OK, "dev@example.test", NULL },
        { TLS_REQUIRE_AND_VERIFY_CLIENT_CERT, { 0 }, { 0 }, FETCH_TLS, NULL, "sent no certificate" },
        { TLS_REQUIRE_AND_VERIFY_CLIENT_CERT, intruder_cert, intruder_key, FETCH_TLS, NULL, "is not accepted" },
        { TLS_REQUIRE_AND_VERIFY_CLIENT_CERT, server_cert, server_key, FETCH_TLS, NULL, "is not accepted" },      /* not for clients */
    };
    begin((struct http_config){ .check_hosts = true });
    for (size_t i = 0; i < LEN(rows); i++) {
        for (uint64_t version = 0; version < 2; version++) {
            struct tls_server_config sc = *simple();
            sc.client_auth = rows[i].type;
            sc.max_version = version;
            if (rows[i].type != TLS_NO_CLIENT_CERT)
                sc.client_ca = ca_cert;
            use(&sc);
            struct tls_client *c = trusting_client(rows[i].cert, rows[i].key);
            struct fetched r;
            struct fault f;
            enum fetch_end end = get(NULL, c, &r, &f);
            bool name_ok = end || str_eq(header(&r, S("x-cert")), str_c(rows[i].name));
            if ((end == FETCH_OK) != (rows[i].end == FETCH_OK) || !name_ok)
                fail_msg("row %zu: %d %s", i, r.end, f.msg);
            if (rows[i].refused)
                expect_refusal(400, rows[i].refused);
            tls_client_free(c);
        }
    }
    fx_until(fx_no_conns);
    fx_stop();
}

static void test_allowed_names(void **state)
{
    (void)state;
    static const struct {
        struct str san;
        bool ok;
    } rows[] = { { S("dev-1"), true }, { S("dev@example.test"), true }, { S("dev-2"), false }, { S("dev"), false }, { S("127.0.0.1"), false } };
    begin((struct http_config){ .check_hosts = true });
    for (size_t i = 0; i < LEN(rows); i++) {
        struct str sans[] = { S("nobody"), rows[i].san };
        struct tls_server_config sc = *simple();
        sc.client_auth = TLS_REQUIRE_AND_VERIFY_CLIENT_CERT;
        sc.client_ca = ca_cert;
        sc.client_allowed_sans = (struct texts){ sans, LEN(sans) };
        use(&sc);
        struct tls_client *c = trusting_client(named_cert, named_key);
        struct fetched r;
        struct fault f;
        if ((get(NULL, c, &r, &f) == FETCH_OK) != rows[i].ok)
            fail_msg("row %zu: %d %s", i, r.end, f.msg);
        if (!rows[i].ok)
            expect_refusal(400, "client_allowed_sans");
        tls_client_free(c);
    }
    fx_until(fx_no_conns);
    fx_stop();
}

/* ---- configuration ---- */

static void test_configuration(void **state)
{
    (void)state;
    struct str one[] = { S("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), S("TLS_AES_256_GCM_SHA384") };
    struct str bad_suite[] = { S("TLS_RSA_WITH_RC4_128_SHA") }, bad_curve[] = { S("P-256") }, curve[] = { S("CurveP384"), S("X25519") };
    const struct {
        struct tls_server_config c;
        const char *why;                           /* NULL: fine */
    } rows[] = {
        { { .cert = server_cert, .key = server_key, .cipher_suites = { one, 2 }, .curve_preferences = { curve, 2 } }, NULL },
        { { .cert = server_cert, .key = server_key, .cipher_suites = { one + 1, 1 } }, NULL },
        { { .cert = server_cert, .key = server_key, .cipher_suites = { one + 1, 1 }, .max_version = 1 }, "TLS 1.3" },
        { { .cert = server_cert, .key = server_key, .cipher_suites = { bad_suite, 1 } }, "\"TLS_RSA_WITH_RC4_128_SHA\" is unknown or insecure" },
        { { .cert = server_cert, .key = server_key, .curve_preferences = { bad_curve, 1 } }, "\"P-256\" is unknown" },
        { { .cert = server_cert, .key = server_key, .min_version = 1, .max_version = 1 }, "min_version is above max_version" },
        { { .cert = server_cert }, "certificate and its key are needed" },
        { { .cert = server_cert, .key = client_key }, "key does not belong to the certificate" },
        { { .cert = S("hello"), .key = server_key }, "cert holds no certificate in PEM form" },
        { { .cert = server_cert, .key = S("hello") }, "key holds no private key" },
        { { .cert = server_cert, .cert_file = S("x"), .key = server_key }, "only one of them" },
        { { .cert_file = S("/nowhere/at/all.pem"), .key = server_key }, "cert_file: " },
        { { .cert = server_cert, .key = server_key, .client_ca = ca_cert }, "client_auth_type says" },
        { { .cert = server_cert, .key = server_key, .client_auth = TLS_REQUIRE_AND_VERIFY_CLIENT_CERT }, "client_ca_file must be given" },
        { { .cert = server_cert, .key = server_key, .client_auth = TLS_VERIFY_CLIENT_CERT_IF_GIVEN, .client_ca = S("-") }, "client_ca holds no" },
        { { .cert = server_cert, .key = server_key, .client_auth = TLS_REQUEST_CLIENT_CERT, .client_allowed_sans = { one, 1 } }, "verifies" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct tls_server *t = NULL;
        struct fault f = { 0 };
        enum err e = tls_server_new(&rows[i].c, &t, &f);
        if ((e == OK) != !rows[i].why || (rows[i].why && !strstr(f.msg, rows[i].why)))
            fail_msg("row %zu: %s", i, f.msg);
        tls_server_unref(t);
    }
    struct tls_client *c = NULL;
    struct fault f = { 0 };
    assert_int_equal(tls_client_new(&(struct tls_client_config){ .cert = client_cert }, &c, &f), E_SYNTAX);
    assert_int_equal(tls_client_new(&(struct tls_client_config){ .ca_file = S("/nowhere") }, &c, &f), E_NOTFOUND);
    struct tls_server_config p = { .cert_file = S("a.pem"), .key_file = S("/b.pem") };
    tls_server_paths(&p, S("/etc/ccmon"), &mem);
    assert_true(str_eq(p.cert_file, S("/etc/ccmon/a.pem")) && str_eq(p.key_file, S("/b.pem")) && !p.client_ca_file.n);
}

static void test_fields(void **state)
{
    (void)state;
    struct str text = S("cert_file: a.pem\nkey_file: b.pem\nclient_auth_type: RequireAndVerifyClientCert\nclient_ca_file: c.pem\nmin_version: TLS13\n"
                        "max_version: TLS13\ncipher_suites: [A, B]\nprefer_server_cipher_suites: true\nclient_allowed_sans:\n- x\n");
    struct fault f = { 0 };
    struct yaml *y = NULL;
    assert_int_equal(yaml_parse(text, &mem, &y, &f), OK);
    const struct fields_reader r = { S("web.yml"), &mem, NULL, NULL, &f };
    struct tls_server_config c = { 0 };
    if (fields_read(&r, y, S("tls_server_config"), tls_server_fields, &c))
        fail_msg("%s", f.msg);
    assert_true(c.client_auth == TLS_REQUIRE_AND_VERIFY_CLIENT_CERT && c.min_version == 1 && c.max_version == 0);
    assert_true(c.cipher_suites.n == 2 && c.client_allowed_sans.n == 1 && c.prefer_server_cipher_suites);
}

/* ---- renewal ---- */

static void test_swap(void **state)
{
    (void)state;
    begin((struct http_config){ .check_hosts = true });
    use(simple());
    struct tls_client *c = trusting_client((struct str){ 0 }, (struct str){ 0 });
    struct http_peer *p = http_peer_new();
    struct fetched r;
    struct fault f;
    assert_int_equal(get(p, c, &r, &f), FETCH_OK);
    use(&(struct tls_server_config){ .cert = stranger_cert, .key = stranger_key });
    assert_int_equal(get(NULL, c, &r, &f), FETCH_TLS);
    assert_int_equal(get(p, c, &r, &f), FETCH_OK); /* what was open stays */
    assert_int_equal(http_listener_tls(fx.server, S("test"), NULL, &f), OK);
    const struct fetch q = { .method = HTTP_GET, .url = url("http", "/hello") };
    assert_int_equal(http_fetch(NULL, &q, &mem, &r, &f), OK);
    assert_int_equal(get(p, c, &r, &f), FETCH_OK);
    assert_int_equal(http_listener_tls(fx.server, S("other"), NULL, &f), E_NOTFOUND);
    http_peer_free(p);
    tls_client_free(c);
    fx_until(fx_no_conns);
    fx_stop();
}

static struct tls_client *the_client;

static bool is_refused_now(void)
{
    struct fetched r;
    struct fault f;
    return get(NULL, the_client, &r, &f) == FETCH_TLS;
}

static bool is_served_now(void)
{
    struct fetched r;
    struct fault f;
    return get(NULL, the_client, &r, &f) == FETCH_OK;
}

static bool has_noted(void)
{
    (void)is_served_now();
    assert_int_equal(pthread_mutex_lock(&fx.lock), 0);
    bool yes = fx.refused_status == 500 && strstr(fx.refused_why, "cannot be used");
    assert_int_equal(pthread_mutex_unlock(&fx.lock), 0);
    return yes;
}

static void put(const char *path, struct str text)
{
    struct fault f = { 0 };
    assert_int_equal(file_write_atomic(&file_ops_system, path, text, &f), OK);
}

/* Waits for what happens within the second after which files are looked at again. */
static void test_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/ccmon-tls-XXXXXX", cert[64], key[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    (void)snprintf(key, sizeof(key), "%s/key.pem", dir);
    put(cert, server_cert);
    put(key, server_key);
    begin((struct http_config){ .check_hosts = true });
    use(&(struct tls_server_config){ .cert_file = str_c(cert), .key_file = str_c(key) });
    the_client = trusting_client((struct str){ 0 }, (struct str){ 0 });
    struct http_peer *p = http_peer_new();
    struct fetched r;
    struct fault f;
    assert_int_equal(get(p, the_client, &r, &f), FETCH_OK);

    put(cert, S("half a certi"));                  /* being written: the one before goes on, and that is said */
    fx_until(has_noted);
    assert_true(is_served_now());
    put(cert, stranger_cert);
    put(key, stranger_key);
    fx_until(is_refused_now);
    assert_int_equal(get(p, the_client, &r, &f), FETCH_OK);
    put(cert, server_cert);
    put(key, server_key);
    fx_until(is_served_now);

    http_peer_free(p);
    tls_client_free(the_client);
    fx_until(fx_no_conns);
    fx_stop();
    assert_int_equal(unlink(cert) | unlink(key) | rmdir(dir), 0);
}

/* ---- between bytes and bytes ---- */

/* Moves what `from` has to say to `to`, `piece` bytes at a time, and lets it act. */
static enum tls_step pass(struct tls_conn *from, struct tls_conn *to, size_t piece, enum tls_step (*act)(struct tls_conn *t))
{
    struct str out = arena_str(&mem, buf_view(tls_out(from)));
    enum tls_step step = TLS_MORE;
    buf_clear(tls_out(from));
    while (out.n && step == TLS_MORE) {
        tls_feed(to, str_sub(out, 0, piece));
        out = str_sub(out, piece, out.n);
        step = act(to);
    }
    return step;
}

static char heard[1 << 16];
static size_t nheard;

static enum tls_step listen_to(struct tls_conn *t)
{
    enum tls_step step;
    size_t n;
    while ((step = tls_read(t, heard + nheard, sizeof(heard) - nheard, &n)) == TLS_DONE)
        nheard += n;
    return step;
}

static void test_bytes(void **state)
{
    (void)state;
    static const size_t pieces[] = { 1, 7, 100000 };
    struct fault f = { 0 };
    struct tls_server *s = make_server(simple());
    struct tls_client *c = trusting_client((struct str){ 0 }, (struct str){ 0 });
    for (size_t i = 0; i < LEN(pieces); i++) {
        struct tls_conn *a = NULL, *b = tls_accept(s, true, &f);
        assert_int_equal(tls_connect(c, S("localhost"), S("h2"), &a, &f), OK);
        assert_int_equal(tls_handshake(a), TLS_MORE);
        assert_int_equal(pass(a, b, pieces[i], tls_handshake), TLS_MORE);
        assert_int_equal(pass(b, a, pieces[i], tls_handshake), TLS_DONE);
        assert_int_equal(pass(a, b, pieces[i], tls_handshake), TLS_DONE);
        assert_true(str_eq(tls_alpn(b), S("h2")) && tls_peer_name(b).n == 0);
        nheard = 0;
        assert_int_equal(pass(b, a, pieces[i], listen_to), TLS_MORE);      /* its ticket */
        static char text[40000];
        assert_true(tls_write(a, (struct str){ text, sizeof(text) }));
        assert_int_equal(pass(a, b, pieces[i], listen_to), TLS_MORE);
        assert_int_equal(nheard, sizeof(text));
        tls_close_notify(a);
        assert_int_equal(pass(a, b, pieces[i], listen_to), TLS_END);
        tls_conn_free(a);
        tls_conn_free(b);
    }
    /* No common protocol. */
    struct tls_conn *a = NULL, *b = tls_accept(s, false, &f);
    assert_int_equal(tls_connect(c, S("localhost"), S("h2"), &a, &f), OK);
    assert_int_equal(tls_handshake(a), TLS_MORE);
    assert_int_equal(pass(a, b, 100000, tls_handshake), TLS_BAD);
    assert_non_null(strstr(tls_why(b), "ALPN"));
    assert_int_equal(pass(b, a, 100000, tls_handshake), TLS_BAD);
    tls_conn_free(a);
    tls_conn_free(b);
    tls_server_unref(s);
    tls_client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),       cmocka_unit_test(test_requests),      cmocka_unit_test(test_connections),
        cmocka_unit_test(test_slow),        cmocka_unit_test(test_wrong_scheme),  cmocka_unit_test(test_distrust),
        cmocka_unit_test(test_client_auth), cmocka_unit_test(test_allowed_names), cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_fields),      cmocka_unit_test(test_swap),          cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
