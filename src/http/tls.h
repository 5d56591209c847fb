/* http/tls.h -- TLS for both sides.
 *
 * A context reads its files when it is made, and again when a handshake finds one of them
 * changed on disk, which is looked for once a second at most; if what stands there then
 * cannot be used, the previous state goes on. So a renewed certificate needs no reload.
 *
 * Owner:    contexts are counted; connections hold the one they began with, so a reload
 *           swaps a new one in and nothing is cut.
 * Threads:  contexts may be used from any thread.
 * Errors:   E_IO, E_SYNTAX: the message names the file and what is wrong with it.
 * Spec:     keys and meanings of Prometheus's tls_server_config and tls_config.
 */
#pragma once
#include "base/fields.h"

enum tls_client_auth {                             /* client_auth_type, in this order */
    TLS_NO_CLIENT_CERT, TLS_REQUEST_CLIENT_CERT, TLS_REQUIRE_ANY_CLIENT_CERT, TLS_VERIFY_CLIENT_CERT_IF_GIVEN,
    TLS_REQUIRE_AND_VERIFY_CLIENT_CERT,
    TLS_REQUIRE_CLIENT_CERT,                       /* an old name of TLS_REQUIRE_ANY_CLIENT_CERT */
};

enum {
    TLS_PEM_MAX = 1 << 20,                         /* a whole system's bundle of CAs is 220 KB */
    TLS_LIST_MAX = 100,                            /* cipher suites, curves; names of clients are FIELDS_LIST_MAX */
};

struct tls_server_config {
    struct str cert_file, key_file, client_ca_file;
    struct str cert, key, client_ca;               /* inline PEM, in the place of the files */
    uint64_t client_auth;                          /* enum tls_client_auth */
    struct texts client_allowed_sans;
    uint64_t min_version, max_version;             /* index into TLS_MIN_VERSIONS, TLS_MAX_VERSIONS */
    struct texts cipher_suites, curve_preferences;
    bool prefer_server_cipher_suites;
};
#define TLS_MIN_VERSIONS "TLS12|TLS13|TLS11|TLS10" /* the first is the default */
#define TLS_MAX_VERSIONS "TLS13|TLS12|TLS11|TLS10"

struct tls_client_config {                         /* Prometheus's tls_config */
    struct str ca_file, cert_file, key_file, ca, cert, key, server_name;
    bool insecure_skip_verify;
    uint64_t min_version, max_version;
};

extern const struct field tls_server_fields[], tls_client_fields[];   /* for fields_read() */

/* Makes file names that are relative begin at `dir`, as Prometheus takes them. */
void tls_server_paths(struct tls_server_config *c, struct str dir, struct arena *mem);
void tls_client_paths(struct tls_client_config *c, struct str dir, struct arena *mem);

struct tls_server;
MUST enum err tls_server_new(const struct tls_server_config *c, struct tls_server **ret, struct fault *f);
struct tls_server *tls_server_ref(struct tls_server *t);
void tls_server_unref(struct tls_server *t);       /* NULL is fine */

struct tls_client;
MUST enum err tls_client_new(const struct tls_client_config *c, struct tls_client **ret, struct fault *f);
void tls_client_free(struct tls_client *t);        /* NULL is fine */
