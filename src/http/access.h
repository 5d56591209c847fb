/* http/access.h -- who may ask: bearer tokens and users, listener by listener.
 *
 * A struct access is one state of the configuration: it never changes but for what it
 * remembers (passwords that were right, guesses that were wrong). A reload makes a new one
 * and swaps it in, so a token that was taken out is refused from the next request on.
 *
 * Owner:    counted; the server holds the one in force, a request the one it began with.
 * Threads:  any. access_check() takes microseconds and is for I/O loops; access_prove()
 *           hashes a password and is for a pool.
 * Limits:   ACCESS_* below.
 * Spec:     RFC 6750 (Bearer), 7617 (Basic); users as in Prometheus's web configuration.
 */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/fields.h"
#include "base/secret.h"
#include "http/limits.h"

enum {
    /* A token is compared as it is, without a slow hash, so it must be too long to be guessed:
     * 16 letters and digits are 95 bits, 16 hexadecimal digits 64. */
    ACCESS_TOKEN_MIN = 16,
    ACCESS_TOKEN_MAX = 4096,
    ACCESS_NAMES_MAX = 1000,                       /* tokens, and users, of one listener */
    ACCESS_NAME_MAX = 128,
    ACCESS_BASIC_MAX = 1024,                       /* a whole Basic credential, encoded */
    ACCESS_PROVEN_MAX = 256,                       /* passwords remembered as right */

    /* Wrong passwords of one user from one address: so many at once, then one each so often.
     * A password that is remembered as right is not concerned, so whoever guesses cannot shut
     * out who works. */
    ACCESS_GUESSES_MAX = 10,
    ACCESS_GUESS_MS = 3000,
    ACCESS_PEERS_MAX = 1024,                       /* addresses and users watched; the oldest goes */
};

struct access_token {
    struct str name;
    uint8_t hash[SECRET_HASH_BYTES];               /* SHA-256 of the token */
    uint32_t listeners;                            /* bit i: rules.listeners[i] */
};

struct access_user {
    struct str name, hash;                         /* crypt(3) */
    uint32_t listeners;
};

struct access_listener {
    struct str name;                               /* "otlp-http" */
    bool http2;
    struct pairs headers;                          /* added to every reply that does not have them */
};

/* What access_new() copies. */
struct access_rules {
    const struct access_token *tokens;
    const struct access_user *users;
    const struct access_listener *listeners;
    uint32_t ntokens, nusers, nlisteners;
};

struct access;
struct access *access_new(const struct access_rules *rules, const struct clock *clock);
struct access *access_ref(struct access *a);
void access_unref(struct access *a);               /* NULL is fine */
bool access_hashes(const struct access *a);        /* are there users at all? */
/* NULL: a listener it says nothing of. */
const struct access_listener *access_listener(const struct access *a, struct str name);

struct access_ask {
    struct str listener;
    struct str peer;                               /* an address with or without its port */
    struct str authorization;                      /* the header; p NULL: there is none */
};

/* status 0: come in. 401 nobody we know, 403 known but not here, 429 too many wrong passwords. */
struct access_verdict {
    int status;
    const char *why;                               /* a constant */
    struct str user;                               /* who it is; in `mem` */
    bool bearer, basic;                            /* what this listener takes, for WWW-Authenticate */
};

/* False: it is a password that has to be hashed first; call access_prove(). */
MUST bool access_check(struct access *a, const struct access_ask *ask, struct arena *mem, struct access_verdict *ret);
void access_prove(struct access *a, const struct access_ask *ask, struct arena *mem, struct access_verdict *ret);

/* What may be shown of a credential: its scheme, at most four characters and never more than a
 * third of it, its length. "" for none; "Bearer demo... (24 characters)". */
enum { ACCESS_SHAPE_MAX = 64 };
size_t access_shape(struct str authorization, char out[ACCESS_SHAPE_MAX]);
/* Of "127.0.0.1:4031" or "[::1]:4031" the address. */
struct str access_peer_ip(struct str peer);
