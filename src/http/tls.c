/* http/tls.c -- contexts: from a configuration to what OpenSSL needs for a handshake.
 *
 * A context is built whole from its configuration, at first and whenever one of its files
 * has changed; what connections use is an SSL_CTX that never changes after that. Building
 * is done outside the lock: two threads may do so at once, and the later one wins, which
 * costs nothing but the work.
 *
 * What a client certificate has to be, in the words of the configuration:
 *
 *   NoClientCert                none is asked for
 *   RequestClientCert           asked for, any is taken, none too
 *   RequireAnyClientCert        some must come, any is taken
 *   VerifyClientCertIfGiven     what comes must be signed by client_ca
 *   RequireAndVerifyClientCert  one must come, and must be signed by client_ca
 */
#include "http/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "http/tls_int.h"

enum { FILES_MAX = 3, CONFIG_BYTES = 4 << 20 };

#define LOOK_NS NS_PER_S                           /* how often files are looked at */

/* The names of files are kept NUL-terminated for the system. */
struct watched {
    const char *path;                              /* NULL: none */
    int64_t mtime_ns, size;
    uint64_t inode;
};

/* What both sides have in common. */
struct side {
    pthread_mutex_t lock;                          /* of the three below */
    SSL_CTX *ctx;
    struct watched files[FILES_MAX];
    int64_t looked;
};

struct tls_server {
    atomic_uint refs;
    struct arena mem;
    struct tls_server_config cfg;
    struct side side;
};

struct tls_client {
    struct arena mem;
    struct tls_client_config cfg;
    struct side side;
};

#define AUTH_TYPES                                                                   \
    "NoClientCert|RequestClientCert|RequireAnyClientCert|VerifyClientCertIfGiven|" \
    "RequireAndVerifyClientCert|RequireClientCert"
#define AT(field) offsetof(struct tls_server_config, field)

const struct field tls_server_fields[] = {
    { S("cert_file"), FIELD_TEXT, AT(cert_file) },
    { S("key_file"), FIELD_TEXT, AT(key_file) },
    { S("client_ca_file"), FIELD_TEXT, AT(client_ca_file) },
    { S("cert"), FIELD_TEXT, AT(cert) },
    { S("key"), FIELD_TEXT, AT(key) },
    { S("client_ca"), FIELD_TEXT, AT(client_ca) },
    { S("client_auth_type"), FIELD_CHOICE, AT(client_auth), .choices = AUTH_TYPES },
    { S("client_allowed_sans"), FIELD_TEXTS, AT(client_allowed_sans) },
    { S("min_version"), FIELD_CHOICE, AT(min_version), .choices = TLS_MIN_VERSIONS },
    { S("max_version"), FIELD_CHOICE, AT(max_version), .choices = TLS_MAX_VERSIONS },
    { S("cipher_suites"), FIELD_TEXTS, AT(cipher_suites), .max = TLS_LIST_MAX },
    { S("curve_preferences"), FIELD_TEXTS, AT(curve_preferences), .max = TLS_LIST_MAX },
    { S("prefer_server_cipher_suites"), FIELD_BOOL, AT(prefer_server_cipher_suites) },
    { .name = { 0 } },
};

#undef AT
#define AT(field) offsetof(struct tls_client_config, field)

const struct field tls_client_fields[] = {
    { S("ca_file"), FIELD_TEXT, AT(ca_file) },
    { S("cert_file"), FIELD_TEXT, AT(cert_file) },
    { S("key_file"), FIELD_TEXT, AT(key_file) },
    { S("ca"), FIELD_TEXT, AT(ca) },
    { S("cert"), FIELD_TEXT, AT(cert) },
    { S("key"), FIELD_TEXT, AT(key) },
    { S("server_name"), FIELD_TEXT, AT(server_name) },
    { S("insecure_skip_verify"), FIELD_BOOL, AT(insecure_skip_verify) },
    { S("min_version"), FIELD_CHOICE, AT(min_version), .choices = TLS_MIN_VERSIONS },
    { S("max_version"), FIELD_CHOICE, AT(max_version), .choices = TLS_MAX_VERSIONS },
    { .name = { 0 } },
};

static struct str below(struct str dir, struct str path, struct arena *mem)
{
    if (!path.n || path.p[0] == '/' || !dir.n)
        return path;
    return arena_fmt(mem, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(path));
}

void tls_server_paths(struct tls_server_config *c, struct str dir, struct arena *mem)
{
    c->cert_file = below(dir, c->cert_file, mem);
    c->key_file = below(dir, c->key_file, mem);
    c->client_ca_file = below(dir, c->client_ca_file, mem);
}

void tls_client_paths(struct tls_client_config *c, struct str dir, struct arena *mem)
{
    c->ca_file = below(dir, c->ca_file, mem);
    c->cert_file = below(dir, c->cert_file, mem);
    c->key_file = below(dir, c->key_file, mem);
}

/* ---- PEM ---- */

static void bio_freep(BIO **b)
{
    BIO_free_all(*b);
}

static void x509_freep(X509 **x)
{
    X509_free(*x);
}

static void ctx_freep(SSL_CTX **c)
{
    SSL_CTX_free(*c);
}

/* Why OpenSSL failed, for a message. */
static const char *reason(void)
{
    unsigned long e = ERR_peek_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;
    return text ? text : "no reason given";
}

/* One thing of the configuration: a file or text, and what it is called in messages. */
struct source {
    struct str file, text;
    const char *key;                               /* "cert": text; "cert_file": file */
};

static bool given(const struct source *s)
{
    return s->file.n || s->text.n;
}

/* Reads a file or takes the text; *name is what messages call it, in `out_name`. */
static enum err pem_open(const struct source *s, char *name, size_t nname, BIO **ret, struct fault *f)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    if (s->file.n && s->text.n)
        return fault_set(f, E_SYNTAX, 0, "%s and %s_file: only one of them can be given", s->key, s->key);
    if (!s->file.n) {
        (void)snprintf(name, nname, "%s", s->key);
        buf_init(&b, TLS_PEM_MAX);
        buf_str(&b, s->text);
        if (b.bad)
            return fault_set(f, E_LIMIT, 0, "%s is larger than %d bytes", s->key, TLS_PEM_MAX);
    } else {
        char path[4096];
        int n = snprintf(path, sizeof(path), STR_FMT, STR_ARG(s->file));
        if (n <= 0 || n >= (int)sizeof(path))
            return fault_set(f, E_LIMIT, 0, "%s_file: the path is too long", s->key);
        (void)snprintf(name, nname, "%s_file " STR_FMT, s->key, STR_ARG(str_sub(s->file, 0, 120)));
        struct fault why = { 0 };
        enum err e = file_read(path, TLS_PEM_MAX, &b, &why);
        if (e)
            return fault_set(f, e, 0, "%s_file: %s", s->key, why.msg);
    }
    BIO *bio = BIO_new(BIO_s_mem());               /* a copy: the buffer goes */
    CHECK(bio && (!b.n || BIO_write(bio, b.p, (int)b.n) == (int)b.n));
    *ret = bio;
    return OK;
}

static int no_password(char *to, int n, int rw, void *arg)
{
    (void)to;
    (void)n;
    (void)rw;
    *(bool *)arg = true;
    return -1;
}

static bool at_end_of_pem(void)
{
    bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return end;
}

/* The certificate, then those that lead to its CA. */
static enum err use_chain(SSL_CTX *ctx, const struct source *s, struct fault *f)
{
    char name[160];
    CLEANUP(bio_freep) BIO *b = NULL;
    enum err e = pem_open(s, name, sizeof(name), &b, f);
    if (e)
        return e;
    CLEANUP(x509_freep) X509 *own = PEM_read_bio_X509(b, NULL, NULL, NULL);
    if (!own)
        return fault_set(f, E_SYNTAX, 0, "%s holds no certificate in PEM form", name);
    if (SSL_CTX_use_certificate(ctx, own) != 1)
        return fault_set(f, E_SYNTAX, 0, "%s: the certificate cannot be used: %s", name, reason());
    X509 *x;
    while ((x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL)
        CHECK(SSL_CTX_add0_chain_cert(ctx, x) == 1);
    if (!at_end_of_pem())
        return fault_set(f, E_SYNTAX, 0, "%s: a broken certificate after the first one", name);
    return OK;
}

static enum err use_key(SSL_CTX *ctx, const struct source *s, struct fault *f)
{
    char name[160];
    CLEANUP(bio_freep) BIO *b = NULL;
    enum err e = pem_open(s, name, sizeof(name), &b, f);
    if (e)
        return e;
    bool asked = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, no_password, &asked);
    if (!key)
        return fault_set(f, E_SYNTAX, 0, "%s %s", name,
                         asked ? "is encrypted; take the password off it" : "holds no private key in PEM form");
    bool ok = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    return ok ? OK : fault_set(f, E_SYNTAX, 0, "%s does not belong to the certificate", name);
}

/* CAs to judge the other side by. `names`: and to tell it, so that it knows which certificate to send. */
static enum err use_cas(SSL_CTX *ctx, const struct source *s, bool names, struct fault *f)
{
    char name[160];
    CLEANUP(bio_freep) BIO *b = NULL;
    enum err e = pem_open(s, name, sizeof(name), &b, f);
    if (e)
        return e;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    uint32_t n = 0;
    X509 *x;
    for (; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL; n++) {
        bool ok = X509_STORE_add_cert(store, x) == 1 && (!names || SSL_CTX_add_client_CA(ctx, x) == 1);
        X509_free(x);
        if (!ok)
            return fault_set(f, E_SYNTAX, 0, "%s: a CA that cannot be used: %s", name, reason());
    }
    if (!at_end_of_pem() || !n)
        return fault_set(f, E_SYNTAX, 0, n ? "%s: a broken certificate after the first one" : "%s holds no certificate in PEM form", name);
    return OK;
}

/* ---- contexts ---- */

static enum err new_ctx(const SSL_METHOD *m, uint64_t min, uint64_t max, SSL_CTX **ret, struct fault *f)
{
    static const int mins[] = { TLS1_2_VERSION, TLS1_3_VERSION, TLS1_1_VERSION, TLS1_VERSION };
    static const int maxs[] = { TLS1_3_VERSION, TLS1_2_VERSION, TLS1_1_VERSION, TLS1_VERSION };
    CHECK(min < LEN(mins) && max < LEN(maxs));
    if (mins[min] > maxs[max])
        return fault_set(f, E_SYNTAX, 0, "min_version is above max_version");
    ERR_clear_error();
    SSL_CTX *c = SSL_CTX_new(m);
    CHECK(c && SSL_CTX_set_min_proto_version(c, mins[min]) == 1 && SSL_CTX_set_max_proto_version(c, maxs[max]) == 1);
    if (mins[min] < TLS1_2_VERSION)
        SSL_CTX_set_security_level(c, 0);          /* the old versions need what the library calls weak */
    (void)SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    *ret = c;
    return OK;
}

static enum err use_suites(SSL_CTX *ctx, const struct tls_server_config *c, struct fault *f)
{
    struct arena mem;
    char *tls12, *tls13, *curves;
    arena_init(&mem, 1 << 20);
    enum err e = tls_suites(&c->cipher_suites, &mem, &tls12, &tls13, f);
    if (!e)
        e = tls_curves(&c->curve_preferences, &mem, &curves, f);
    if (!e && tls12 && SSL_CTX_set_cipher_list(ctx, tls12) != 1)
        e = fault_set(f, E_UNSUPPORTED, 0, "cipher_suites: %s", reason());
    if (!e && tls13 && SSL_CTX_set_ciphersuites(ctx, tls13) != 1)
        e = fault_set(f, E_UNSUPPORTED, 0, "cipher_suites: %s", reason());
    if (!e && tls13 && !tls12 && c->max_version)
        e = fault_set(f, E_SYNTAX, 0, "cipher_suites: only those of TLS 1.3 are named, which max_version excludes");
    if (!e && tls13 && !tls12)
        CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1);
    if (!e && curves && SSL_CTX_set1_groups_list(ctx, curves) != 1)
        e = fault_set(f, E_UNSUPPORTED, 0, "curve_preferences: %s", reason());
    arena_done(&mem);
    return e;
}

static bool one_of(const struct texts *list, struct str s)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (str_eq(list->at[i], s))
            return true;
    return false;
}

static struct str asn1(const ASN1_STRING *s)
{
    return (struct str){ (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s) };
}

/* An address in a certificate, as text; others as they stand there. */
static bool san_allowed(const struct texts *list, const GENERAL_NAME *g)
{
    switch (g->type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
        return one_of(list, asn1(g->d.ia5));
    case GEN_IPADD: {
        for (uint32_t i = 0; i < list->n; i++) {
            char z[64];
            int n = snprintf(z, sizeof(z), STR_FMT, STR_ARG(list->at[i]));
            ASN1_OCTET_STRING *ip = n > 0 && n < (int)sizeof(z) ? a2i_IPADDRESS(z) : NULL;
            bool same = ip && ASN1_OCTET_STRING_cmp(ip, g->d.ip) == 0;
            ASN1_OCTET_STRING_free(ip);
            if (same)
                return true;
        }
        return false;
    }
    default:
        return false;
    }
}

static bool cert_allowed(const struct texts *list, X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    bool ok = false;
    for (int i = 0; !ok && i < sk_GENERAL_NAME_num(names); i++)
        ok = san_allowed(list, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    return ok;
}

static int verify_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

/* Verified as usual; then the client's own certificate must bear one of the names. */
static int verify_names(int ok, X509_STORE_CTX *store)
{
    if (!ok || X509_STORE_CTX_get_error_depth(store) > 0)
        return ok;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls_server_config *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (cert_allowed(&c->client_allowed_sans, X509_STORE_CTX_get_current_cert(store)))
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static enum err use_client_auth(SSL_CTX *ctx, const struct tls_server_config *c, struct fault *f)
{
    const struct source cas = { c->client_ca_file, c->client_ca, "client_ca" };
    bool verifies = c->client_auth == TLS_VERIFY_CLIENT_CERT_IF_GIVEN || c->client_auth == TLS_REQUIRE_AND_VERIFY_CLIENT_CERT;
    if (given(&cas) && c->client_auth == TLS_NO_CLIENT_CERT)
        return fault_set(f, E_SYNTAX, 0, "client_ca is given, but client_auth_type says that no certificate is asked for");
    if (verifies && !given(&cas))
        return fault_set(f, E_SYNTAX, 0,
                         "client_auth_type wants client certificates verified, so client_ca or client_ca_file must be given");
    if (c->client_allowed_sans.n && !verifies)
        return fault_set(f, E_SYNTAX, 0, "client_allowed_sans needs a client_auth_type that verifies");
    if (given(&cas)) {
        enum err e = use_cas(ctx, &cas, true, f);
        if (e)
            return e;
    }
    static const int modes[] = {
        [TLS_NO_CLIENT_CERT] = SSL_VERIFY_NONE,
        [TLS_REQUEST_CLIENT_CERT] = SSL_VERIFY_PEER,
        [TLS_REQUIRE_ANY_CLIENT_CERT] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        [TLS_VERIFY_CLIENT_CERT_IF_GIVEN] = SSL_VERIFY_PEER,
        [TLS_REQUIRE_AND_VERIFY_CLIENT_CERT] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        [TLS_REQUIRE_CLIENT_CERT] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    };
    CHECK(c->client_auth < LEN(modes));
    SSL_CTX_set_verify(ctx, modes[c->client_auth], !verifies ? verify_any : c->client_allowed_sans.n ? verify_names : NULL);
    return OK;
}

/* What we offer, the better first. Who names others only speaks something else. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *nout, const unsigned char *in, unsigned nin, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    bool http2 = tls_alpn_http2(ssl);
    unsigned skip = http2 ? 0 : 3;
    (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, nout, ours + skip, sizeof(ours) - 1 - skip, in, nin) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum err build_server(const struct tls_server_config *c, SSL_CTX **ret, struct fault *f)
{
    const struct source cert = { c->cert_file, c->cert, "cert" }, key = { c->key_file, c->key, "key" };
    if (!given(&cert) || !given(&key))
        return fault_set(f, E_SYNTAX, 0, "a certificate and its key are needed: cert_file and key_file, or cert and key");
    CLEANUP(ctx_freep) SSL_CTX *ctx = NULL;
    enum err e = new_ctx(TLS_server_method(), c->min_version, c->max_version, &ctx, f);
    if (!e)
        e = use_chain(ctx, &cert, f);
    if (!e)
        e = use_key(ctx, &key, f);
    if (!e)
        e = use_suites(ctx, c, f);
    if (!e)
        e = use_client_auth(ctx, c, f);
    if (e)
        return e;
    if (c->prefer_server_cipher_suites)
        (void)SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_num_tickets(ctx, 1);
    CHECK(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"ccmon", 5) == 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    CHECK(SSL_CTX_set_app_data(ctx, (void *)(uintptr_t)c) == 1);
    *ret = TAKE(ctx);
    return OK;
}

static enum err build_client(const struct tls_client_config *c, SSL_CTX **ret, struct fault *f)
{
    const struct source cert = { c->cert_file, c->cert, "cert" }, key = { c->key_file, c->key, "key" }, ca = { c->ca_file, c->ca, "ca" };
    if (given(&cert) != given(&key))
        return fault_set(f, E_SYNTAX, 0, "a client certificate needs both: cert_file and key_file, or cert and key");
    CLEANUP(ctx_freep) SSL_CTX *ctx = NULL;
    enum err e = new_ctx(TLS_client_method(), c->min_version, c->max_version, &ctx, f);
    if (!e && given(&ca))
        e = use_cas(ctx, &ca, false, f);
    if (!e && given(&cert))
        e = use_chain(ctx, &cert, f);
    if (!e && given(&key))
        e = use_key(ctx, &key, f);
    if (e)
        return e;
    if (!given(&ca) && !c->insecure_skip_verify && SSL_CTX_set_default_verify_paths(ctx) != 1)
        return fault_set(f, E_IO, 0, "the system's CAs cannot be read: %s", reason());
    SSL_CTX_set_verify(ctx, c->insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    *ret = TAKE(ctx);
    return OK;
}

/* ---- watching files ---- */

static void look(struct watched *w)
{
    struct stat st;
    if (!w->path || stat(w->path, &st))
        return;                                    /* gone for a moment: what we have goes on */
#ifdef __APPLE__
    w->mtime_ns = st.st_mtimespec.tv_sec * NS_PER_S + st.st_mtimespec.tv_nsec;
#else
    w->mtime_ns = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
#endif
    w->size = st.st_size;
    w->inode = st.st_ino;
}

static bool look_again(struct watched *files)
{
    bool changed = false;
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct watched was = files[i];
        look(&files[i]);
        changed |= was.mtime_ns != files[i].mtime_ns || was.size != files[i].size || was.inode != files[i].inode;
    }
    return changed;
}

static void side_init(struct side *s, struct arena *mem, const struct str *files)
{
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    s->looked = clock_mono(&clock_system);
    for (size_t i = 0; i < FILES_MAX; i++)
        s->files[i].path = files[i].n ? arena_cstr(mem, files[i]) : NULL;
    (void)look_again(s->files);                    /* before they are read: what changes meanwhile is seen */
}

static void side_done(struct side *s)
{
    SSL_CTX_free(s->ctx);
    CHECK(pthread_mutex_destroy(&s->lock) == 0);
}

/* The context in force; if it is time, and files have changed, a new one first. */
static SSL_CTX *side_ctx(struct side *s, enum err (*build)(const void *cfg, SSL_CTX **ret, struct fault *f), const void *cfg,
                         struct fault *ret_note)
{
    int64_t now = clock_mono(&clock_system);
    struct watched files[FILES_MAX];
    CHECK(pthread_mutex_lock(&s->lock) == 0);
    bool due = now - s->looked >= LOOK_NS;
    if (due)
        s->looked = now;
    memcpy(files, s->files, sizeof(files));
    CHECK(pthread_mutex_unlock(&s->lock) == 0);

    SSL_CTX *fresh = NULL;
    bool changed = due && look_again(files);
    if (changed && build(cfg, &fresh, ret_note))
        fresh = NULL;

    CHECK(pthread_mutex_lock(&s->lock) == 0);
    SSL_CTX *old = fresh ? s->ctx : NULL;
    if (fresh)
        s->ctx = fresh;
    if (changed)
        memcpy(s->files, files, sizeof(files));
    SSL_CTX *ctx = s->ctx;
    CHECK(SSL_CTX_up_ref(ctx) == 1);
    CHECK(pthread_mutex_unlock(&s->lock) == 0);
    SSL_CTX_free(old);
    return ctx;
}

/* ---- servers ---- */

static enum err rebuild_server(const void *cfg, SSL_CTX **ret, struct fault *f)
{
    return build_server(cfg, ret, f);
}

static enum err rebuild_client(const void *cfg, SSL_CTX **ret, struct fault *f)
{
    return build_client(cfg, ret, f);
}

static struct texts copy_texts(struct arena *mem, struct texts t)
{
    struct texts to = { arena_new(mem, struct str, t.n), t.n };
    for (uint32_t i = 0; i < t.n; i++)
        to.at[i] = arena_str(mem, t.at[i]);
    return to;
}

static void copy_server(struct tls_server_config *c, struct arena *mem)
{
    struct str *const texts[] = { &c->cert_file, &c->key_file, &c->client_ca_file, &c->cert, &c->key, &c->client_ca };
    for (size_t i = 0; i < LEN(texts); i++)
        *texts[i] = arena_str(mem, *texts[i]);
    c->client_allowed_sans = copy_texts(mem, c->client_allowed_sans);
    c->cipher_suites = copy_texts(mem, c->cipher_suites);
    c->curve_preferences = copy_texts(mem, c->curve_preferences);
}

enum err tls_server_new(const struct tls_server_config *c, struct tls_server **ret, struct fault *f)
{
    struct tls_server *t = mem_alloc(sizeof(*t));
    atomic_init(&t->refs, 1);
    arena_init(&t->mem, CONFIG_BYTES);
    t->cfg = *c;
    copy_server(&t->cfg, &t->mem);
    side_init(&t->side, &t->mem, (const struct str[FILES_MAX]){ c->cert_file, c->key_file, c->client_ca_file });
    enum err e = build_server(&t->cfg, &t->side.ctx, f);
    if (e)
        tls_server_unref(t);
    else
        *ret = t;
    return e;
}

struct tls_server *tls_server_ref(struct tls_server *t)
{
    CHECK(atomic_fetch_add(&t->refs, 1) > 0);
    return t;
}

void tls_server_unref(struct tls_server *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    side_done(&t->side);
    arena_done(&t->mem);
    mem_free(t);
}

SSL_CTX *tls_server_ctx(struct tls_server *t, struct fault *ret_note)
{
    return side_ctx(&t->side, rebuild_server, &t->cfg, ret_note);
}

const struct tls_server_config *tls_server_cfg(const struct tls_server *t)
{
    return &t->cfg;
}

/* ---- clients ---- */

static void copy_client(struct tls_client_config *c, struct arena *mem)
{
    struct str *const texts[] = { &c->ca_file, &c->cert_file, &c->key_file, &c->ca, &c->cert, &c->key, &c->server_name };
    for (size_t i = 0; i < LEN(texts); i++)
        *texts[i] = arena_str(mem, *texts[i]);
}

enum err tls_client_new(const struct tls_client_config *c, struct tls_client **ret, struct fault *f)
{
    struct tls_client *t = mem_alloc(sizeof(*t));
    arena_init(&t->mem, CONFIG_BYTES);
    t->cfg = *c;
    copy_client(&t->cfg, &t->mem);
    side_init(&t->side, &t->mem, (const struct str[FILES_MAX]){ c->ca_file, c->cert_file, c->key_file });
    enum err e = build_client(&t->cfg, &t->side.ctx, f);
    if (e)
        tls_client_free(t);
    else
        *ret = t;
    return e;
}

void tls_client_free(struct tls_client *t)
{
    if (!t)
        return;
    side_done(&t->side);
    arena_done(&t->mem);
    mem_free(t);
}

SSL_CTX *tls_client_ctx(const struct tls_client *t)
{
    struct fault note = { 0 };                     /* what changed and cannot be used is not used */
    struct side *s = (struct side *)(uintptr_t)&t->side;
    return side_ctx(s, rebuild_client, &t->cfg, &note);
}

const struct tls_client_config *tls_client_cfg(const struct tls_client *t)
{
    return &t->cfg;
}
