/* http/tls.h -- TLS for both sides; the only file pair that knows OpenSSL's SSL.
 *
 * Owner:    contexts are counted; connections hold the one they began with, so a reload
 *           swaps a new one in and nothing is cut.
 * Threads:  contexts are immutable and may be used from any thread.
 * Errors:   E_IO, E_SYNTAX: the message names the file and what is wrong with it.
 * Spec:     keys and meanings of Prometheus's tls_server_config and tls_config.
 */
#pragma once
#include "base/fields.h"

enum tls_client_auth {                             /* client_auth_type, in this order */
    TLS_NO_CLIENT_CERT, TLS_REQUEST_CLIENT_CERT, TLS_REQUIRE_ANY_CLIENT_CERT, TLS_VERIFY_CLIENT_CERT_IF_GIVEN,
    TLS_REQUIRE_AND_VERIFY_CLIENT_CERT,
};

struct tls_server_config {
    struct str cert_file, key_file, client_ca_file;
    struct str cert, key, client_ca;               /* inline PEM, in the place of the files */
    uint64_t client_auth;                          /* enum tls_client_auth */
    struct texts client_allowed_sans;
    uint64_t min_version, max_version;             /* index into TLS_VERSIONS */
    struct texts cipher_suites, curve_preferences;
    bool prefer_server_cipher_suites;
};
#define TLS_VERSIONS "TLS12|TLS13|TLS11|TLS10"     /* the first is the default minimum */

struct tls_client_config {                         /* Prometheus's tls_config */
    struct str ca_file, cert_file, key_file, ca, cert, key, server_name;
    bool insecure_skip_verify;
    uint64_t min_version, max_version;
};

extern const struct field tls_server_fields[], tls_client_fields[];   /* for fields_read() */

struct tls_server;
MUST enum err tls_server_new(const struct tls_server_config *c, struct tls_server **ret, struct fault *f);
struct tls_server *tls_server_ref(struct tls_server *t);
void tls_server_unref(struct tls_server *t);       /* NULL is fine */

struct tls_client;
MUST enum err tls_client_new(const struct tls_client_config *c, struct tls_client **ret, struct fault *f);
void tls_client_free(struct tls_client *t);        /* NULL is fine */
