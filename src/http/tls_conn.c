/* http/tls_conn.c -- one TLS connection, between bytes and bytes.
 *
 * OpenSSL reads and writes through a BIO of our own that has no memory: reading takes
 * from what tls_feed() lent, writing appends to `out`, which is freed as soon as it has
 * been taken. So with SSL_MODE_RELEASE_BUFFERS a connection at rest holds its keys and
 * its state, and no buffer at all; OpenSSL's memory BIOs would keep theirs at the size of
 * the largest burst.
 *
 * Failures are put into words for whoever reads the log of the other end: what the
 * alert means, and what usually mends it.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "http/tls_int.h"

struct tls_conn {
    SSL *ssl;
    struct tls_server *server;                     /* a reference; NULL: we are the client */
    struct str in;                                 /* lent, not yet used */
    struct buf out;
    bool http2;                                    /* server: the client may choose it */
    bool done, dead;                               /* handshake; failed */
    char name[TLS_NAME_MAX];
    size_t nname;
    char why[240];
};

/* ---- the BIO ---- */

static int bio_read(BIO *b, char *p, int n)
{
    struct tls_conn *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (!t->in.n) {
        BIO_set_retry_read(b);
        return -1;
    }
    size_t take = MIN((size_t)n, t->in.n);
    memcpy(p, t->in.p, take);
    t->in = str_sub(t->in, take, t->in.n);
    return (int)take;
}

static int bio_write(BIO *b, const char *p, int n)
{
    struct tls_conn *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (!t->out.max)
        buf_init(&t->out, TLS_OUT_MAX);
    buf_put(&t->out, p, (size_t)n);
    return t->out.bad ? -1 : n;                    /* the peer asks for answers that it does not take */
}

static long bio_ctrl(BIO *b, int cmd, long n, void *p)
{
    (void)b;
    (void)n;
    (void)p;
    return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;
static int ssl_index;                              /* of the tls_conn in its SSL */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ccmon");
    CHECK(method && BIO_meth_set_read(method, bio_read) == 1 && BIO_meth_set_write(method, bio_write) == 1 &&
          BIO_meth_set_ctrl(method, bio_ctrl) == 1);
    ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    CHECK(ssl_index >= 0);
}

static struct tls_conn *conn_new(SSL_CTX *ctx)
{
    CHECK(pthread_once(&once, make_method) == 0);
    struct tls_conn *t = mem_alloc(sizeof(*t));
    t->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);                             /* the SSL holds it */
    BIO *b = BIO_new(method);
    CHECK(t->ssl && b && SSL_set_ex_data(t->ssl, ssl_index, t) == 1);
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    SSL_set_bio(t->ssl, b, b);
    return t;
}

int tls_alpn_http2(const SSL *ssl)
{
    const struct tls_conn *t = SSL_get_ex_data(ssl, ssl_index);
    return t->http2;
}

void tls_conn_free(struct tls_conn *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    buf_done(&t->out);
    tls_server_unref(t->server);
    mem_free(t);
}

/* ---- beginning ---- */

struct tls_conn *tls_accept(struct tls_server *s, bool http2, struct fault *ret_note)
{
    struct tls_conn *t = conn_new(tls_server_ctx(s, ret_note));
    t->server = tls_server_ref(s);
    t->http2 = http2;
    SSL_set_accept_state(t->ssl);
    return t;
}

static bool set_alpn(SSL *ssl, struct str alpn)
{
    unsigned char wire[64];
    if (!alpn.n)
        return true;
    CHECK(alpn.n < sizeof(wire));
    wire[0] = (unsigned char)alpn.n;
    memcpy(wire + 1, alpn.p, alpn.n);
    return SSL_set_alpn_protos(ssl, wire, (unsigned)alpn.n + 1) == 0;
}

/* The name that the certificate must bear, and that the server is told. An address is not told. */
static bool set_name(SSL *ssl, struct str host)
{
    char z[TLS_NAME_MAX];
    unsigned char ip[16];
    if (!host.n || host.n >= sizeof(z) || memchr(host.p, 0, host.n))
        return false;
    memcpy(z, host.p, host.n);
    z[host.n] = 0;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, z, ip) == 1 || inet_pton(AF_INET6, z, ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, z) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, z, 0) == 1 && SSL_set_tlsext_host_name(ssl, z) == 1;
}

enum err tls_connect(const struct tls_client *c, struct str host, struct str alpn, struct tls_conn **ret, struct fault *f)
{
    struct str name = tls_client_cfg(c)->server_name.n ? tls_client_cfg(c)->server_name : host;
    struct tls_conn *t = conn_new(tls_client_ctx(c));
    SSL_set_connect_state(t->ssl);
    if (!set_name(t->ssl, name) || !set_alpn(t->ssl, alpn)) {
        tls_conn_free(t);
        return fault_set(f, E_SYNTAX, 0, "\"" STR_FMT "\" cannot be the name of a server", STR_ARG(str_sub(name, 0, 100)));
    }
    *ret = t;
    return OK;
}

/* ---- failing, in words ---- */

struct meaning {
    int reason;
    const char *text;
};

static const struct meaning of_client[] = {        /* what went wrong with a client of ours */
    { SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client sent no certificate, and this listener requires one (client_auth_type)" },
    { SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the client does not trust this listener's certificate: its CA must be named to the client "
                                    "(Claude Code: NODE_EXTRA_CA_CERTS, or OTEL_EXPORTER_OTLP_CERTIFICATE for gRPC)" },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the client does not accept this listener's certificate: its CA must be named to the client "
                                             "(Claude Code: NODE_EXTRA_CA_CERTS, or OTEL_EXPORTER_OTLP_CERTIFICATE for gRPC)" },
    { SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
      "the client does not accept this listener's certificate: wrong name in it, or its CA is unknown to the client" },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the client says that this listener's certificate has expired" },
    { SSL_R_UNSUPPORTED_PROTOCOL, "the client speaks only TLS versions that min_version and max_version exclude" },
    { SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the client speaks only TLS versions that min_version and max_version exclude" },
    { SSL_R_NO_SHARED_CIPHER, "the client speaks none of the cipher suites allowed here (cipher_suites, or the kind of certificate)" },
    { SSL_R_NO_SUITABLE_KEY_SHARE, "the client speaks none of the curves allowed here (curve_preferences)" },
    { SSL_R_NO_APPLICATION_PROTOCOL, "the client wants a protocol (ALPN) that this listener does not speak" },
    { SSL_R_WRONG_VERSION_NUMBER, "what came is not TLS" },
    { SSL_R_UNKNOWN_PROTOCOL, "what came is not TLS" },
};

static const struct meaning of_server[] = {        /* ... with a server we asked */
    { SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the server requires a client certificate (cert_file and key_file)" },
    { SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
      "the server refused the handshake: it may require a client certificate (cert_file and key_file)" },
    { SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the server does not trust the CA of our client certificate" },
    { SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the server does not accept our client certificate" },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the server does not accept our client certificate" },
    { SSL_R_WRONG_VERSION_NUMBER, "the port does not speak TLS; is it a plain http one?" },
    { SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the server speaks only TLS versions that min_version and max_version exclude" },
    { SSL_R_UNSUPPORTED_PROTOCOL, "the server speaks only TLS versions that min_version and max_version exclude" },
};

static const char *meaning(const struct meaning *table, size_t n, int reason)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].reason == reason)
            return table[i].text;
    return NULL;
}

static void verify_failed(struct tls_conn *t)
{
    long v = SSL_get_verify_result(t->ssl);
    const char *what = X509_verify_cert_error_string(v);
    if (t->server && v == X509_V_ERR_APPLICATION_VERIFICATION)
        (void)snprintf(t->why, sizeof(t->why), "the client's certificate bears none of the names in client_allowed_sans");
    else if (t->server)
        (void)snprintf(t->why, sizeof(t->why), "the client's certificate is not accepted: %s (client_ca)", what);
    else if (v == X509_V_ERR_HOSTNAME_MISMATCH || v == X509_V_ERR_IP_ADDRESS_MISMATCH)
        (void)snprintf(t->why, sizeof(t->why), "the server's certificate is for another name (server_name can say which one is right)");
    else
        (void)snprintf(t->why, sizeof(t->why), "the server's certificate is not accepted: %s (ca_file names the CA)", what);
}

static enum tls_step fail(struct tls_conn *t)
{
    t->dead = true;
    unsigned long e = ERR_peek_error();
    int reason = ERR_GET_REASON(e);
    if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        verify_failed(t);
        return TLS_BAD;
    }
    const char *text = ERR_GET_LIB(e) != ERR_LIB_SSL ? NULL
                       : t->server                   ? meaning(of_client, LEN(of_client), reason)
                                                     : meaning(of_server, LEN(of_server), reason);
    const char *plain = e ? ERR_reason_error_string(e) : NULL;
    (void)snprintf(t->why, sizeof(t->why), "%s", text ? text : plain ? plain : "the TLS connection broke");
    return TLS_BAD;
}

const char *tls_why(const struct tls_conn *t)
{
    CHECK(t->dead);
    return t->why;
}

/* ---- going on ---- */

static enum tls_step step_of(struct tls_conn *t, int rc)
{
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        CHECK(!t->in.n);
        return TLS_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_END;
    default:
        return fail(t);
    }
}

static void keep_name(struct tls_conn *t, const ASN1_STRING *s)
{
    const char *p = (const char *)ASN1_STRING_get0_data(s);
    size_t n = (size_t)ASN1_STRING_length(s);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
            return;                                /* it will stand in logs */
    t->nname = MIN(n, sizeof(t->name));
    memcpy(t->name, p, t->nname);
}

/* The first name of a verified client: of those it also goes by, else of its subject. */
static void read_name(struct tls_conn *t)
{
    uint64_t auth = tls_server_cfg(t->server)->client_auth;
    bool verifies = auth == TLS_VERIFY_CLIENT_CERT_IF_GIVEN || auth == TLS_REQUIRE_AND_VERIFY_CLIENT_CERT;
    X509 *x = SSL_get0_peer_certificate(t->ssl);
    if (!x || !verifies || SSL_get_verify_result(t->ssl) != X509_V_OK)
        return;
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; !t->nname && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type == GEN_DNS || g->type == GEN_EMAIL || g->type == GEN_URI)
            keep_name(t, g->d.ia5);
    }
    GENERAL_NAMES_free(names);
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (!t->nname && at >= 0)
        keep_name(t, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

void tls_feed(struct tls_conn *t, struct str in)
{
    CHECK(!t->in.n);
    t->in = in;
}

void tls_feed_drop(struct tls_conn *t)
{
    t->in = (struct str){ 0 };
}

enum tls_step tls_handshake(struct tls_conn *t)
{
    CHECK(!t->done && !t->dead);
    ERR_clear_error();
    int rc = SSL_do_handshake(t->ssl);
    if (rc != 1) {
        enum tls_step step = step_of(t, rc);
        return step == TLS_END ? fail(t) : step;
    }
    t->done = true;
    if (t->server)
        read_name(t);
    return TLS_DONE;
}

enum tls_step tls_read(struct tls_conn *t, char *p, size_t n, size_t *ret_n)
{
    CHECK(t->done && !t->dead && n > 0);
    ERR_clear_error();
    if (SSL_read_ex(t->ssl, p, n, ret_n) == 1)
        return TLS_DONE;
    return step_of(t, 0);
}

bool tls_write(struct tls_conn *t, struct str data)
{
    CHECK(t->done && data.n <= TLS_WRITE_BYTES);
    while (data.n && !t->dead) {
        size_t n = 0;
        ERR_clear_error();
        if (SSL_write_ex(t->ssl, data.p, data.n, &n) != 1)
            (void)fail(t);
        else
            data = str_sub(data, n, data.n);
    }
    return !t->dead;
}

void tls_close_notify(struct tls_conn *t)
{
    ERR_clear_error();
    if (t->done && !t->dead)
        (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

struct buf *tls_out(struct tls_conn *t)
{
    return &t->out;
}

struct str tls_alpn(const struct tls_conn *t)
{
    const unsigned char *p;
    unsigned n;
    SSL_get0_alpn_selected(t->ssl, &p, &n);
    return (struct str){ (const char *)p, n };
}

struct str tls_peer_name(const struct tls_conn *t)
{
    return (struct str){ t->name, t->nname };
}
