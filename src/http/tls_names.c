/* http/tls_names.c -- cipher suites and curves, as Prometheus's configuration (that is,
 * Go) calls them, and as OpenSSL does.
 *
 * Suites that Go itself calls insecure are not in the list, as with Prometheus: they are
 * refused by name rather than enabled by mistake.
 */
#include "base/buf.h"
#include "http/tls_int.h"

struct name {
    struct str go, openssl;
    bool tls13;
};

static const struct name suites[] = {
    { S("TLS_AES_128_GCM_SHA256"), S("TLS_AES_128_GCM_SHA256"), true },
    { S("TLS_AES_256_GCM_SHA384"), S("TLS_AES_256_GCM_SHA384"), true },
    { S("TLS_CHACHA20_POLY1305_SHA256"), S("TLS_CHACHA20_POLY1305_SHA256"), true },
    { S("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"), S("ECDHE-ECDSA-AES128-SHA"), false },
    { S("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"), S("ECDHE-ECDSA-AES256-SHA"), false },
    { S("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"), S("ECDHE-RSA-AES128-SHA"), false },
    { S("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"), S("ECDHE-RSA-AES256-SHA"), false },
    { S("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), S("ECDHE-ECDSA-AES128-GCM-SHA256"), false },
    { S("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"), S("ECDHE-ECDSA-AES256-GCM-SHA384"), false },
    { S("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), S("ECDHE-RSA-AES128-GCM-SHA256"), false },
    { S("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"), S("ECDHE-RSA-AES256-GCM-SHA384"), false },
    { S("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"), S("ECDHE-RSA-CHACHA20-POLY1305"), false },
    { S("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"), S("ECDHE-ECDSA-CHACHA20-POLY1305"), false },
    { S("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"), S("ECDHE-RSA-CHACHA20-POLY1305"), false },
    { S("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"), S("ECDHE-ECDSA-CHACHA20-POLY1305"), false },
};

static const struct name curves[] = {
    { S("CurveP256"), S("P-256"), false },
    { S("CurveP384"), S("P-384"), false },
    { S("CurveP521"), S("P-521"), false },
    { S("X25519"), S("X25519"), false },
};

static const struct name *find(const struct name *table, size_t n, struct str go)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(table[i].go, go))
            return &table[i];
    return NULL;
}

static void add(struct buf *b, struct str name)
{
    if (b->n)
        buf_byte(b, ':');
    buf_str(b, name);
}

static char *text(struct buf *b, struct arena *mem)
{
    CHECK(!b->bad);
    return b->n ? arena_cstr(mem, buf_view(b)) : NULL;
}

enum err tls_suites(const struct texts *names, struct arena *mem, char **ret_12, char **ret_13, struct fault *f)
{
    CLEANUP(buf_done) struct buf old = { .max = 64 << 10 };
    CLEANUP(buf_done) struct buf new = { .max = 64 << 10 };
    for (uint32_t i = 0; i < names->n; i++) {
        const struct name *s = find(suites, LEN(suites), names->at[i]);
        if (!s)
            return fault_set(f, E_UNSUPPORTED, 0, "cipher_suites: \"" STR_FMT "\" is unknown or insecure",
                             STR_ARG(str_sub(names->at[i], 0, 80)));
        add(s->tls13 ? &new : &old, s->openssl);
    }
    *ret_12 = text(&old, mem);
    *ret_13 = text(&new, mem);
    return OK;
}

enum err tls_curves(const struct texts *names, struct arena *mem, char **ret, struct fault *f)
{
    CLEANUP(buf_done) struct buf all = { .max = 64 << 10 };
    for (uint32_t i = 0; i < names->n; i++) {
        const struct name *c = find(curves, LEN(curves), names->at[i]);
        if (!c)
            return fault_set(f, E_UNSUPPORTED, 0,
                             "curve_preferences: \"" STR_FMT "\" is unknown; CurveP256, CurveP384, CurveP521 and X25519 are known",
                             STR_ARG(str_sub(names->at[i], 0, 80)));
        add(&all, c->openssl);
    }
    *ret = text(&all, mem);
    return OK;
}
