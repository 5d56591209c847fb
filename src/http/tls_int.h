/* http/tls_int.h -- TLS between bytes and bytes: what a socket brings goes in, what it is
 * to take comes out; no descriptor is known here.
 *
 * Owner:    a tls_conn is its holder's, and holds its context.
 * Threads:  one at a time.
 * Errors:   after TLS_BAD only tls_why(), tls_out() (an alert may be there) and
 *           tls_conn_free() are left.
 */
#pragma once
#include "http/tls.h"

enum {
    TLS_OUT_MAX = 1 << 20,                         /* encrypted and not yet taken over; a holder asks for less at a time */
    TLS_WRITE_BYTES = 64 << 10,                    /* so much, which is four records */
    TLS_OVERHEAD_MAX = 17 << 10,                   /* what may be held back of a record, see loop.c */
    TLS_NAME_MAX = 256,
};

enum tls_step { TLS_DONE, TLS_MORE, TLS_END, TLS_BAD };

struct tls_conn;
/* `http2`: may the client choose it? *ret_note: empty, or that changed files could not be used. */
struct tls_conn *tls_accept(struct tls_server *t, bool http2, struct fault *ret_note);
/* `host` is a name or an address; `alpn` empty: none is asked for. */
MUST enum err tls_connect(const struct tls_client *c, struct str host, struct str alpn, struct tls_conn **ret, struct fault *f);
void tls_conn_free(struct tls_conn *t);            /* NULL is fine */

/* Lends bytes that came. They must stay until a step has said TLS_MORE, which it does when all are used. */
void tls_feed(struct tls_conn *t, struct str in);
void tls_feed_drop(struct tls_conn *t);            /* forgets what was lent: after TLS_END */
enum tls_step tls_handshake(struct tls_conn *t);   /* TLS_DONE, TLS_MORE, TLS_BAD */
enum tls_step tls_read(struct tls_conn *t, char *p, size_t n, size_t *ret_n);
MUST bool tls_write(struct tls_conn *t, struct str data);      /* after the handshake; at most TLS_WRITE_BYTES */
void tls_close_notify(struct tls_conn *t);
/* What is to be sent. The holder takes bytes off its beginning, or the whole. */
struct buf *tls_out(struct tls_conn *t);

const char *tls_why(const struct tls_conn *t);     /* of TLS_BAD, in one line: what and, where known, what helps */
struct str tls_alpn(const struct tls_conn *t);     /* empty: none */
struct str tls_peer_name(const struct tls_conn *t);        /* of a verified client; else empty */

/* tls_names.c: Go's names to OpenSSL's, joined by ':'. E_UNSUPPORTED names the one that is not known. */
MUST enum err tls_suites(const struct texts *names, struct arena *mem, char **ret_12, char **ret_13, struct fault *f);
MUST enum err tls_curves(const struct texts *names, struct arena *mem, char **ret, struct fault *f);

/* tls.c: for tls_conn.c. */
struct ssl_st;
struct ssl_ctx_st;
struct ssl_ctx_st *tls_server_ctx(struct tls_server *t, struct fault *ret_note);   /* a reference */
struct ssl_ctx_st *tls_client_ctx(const struct tls_client *t);
const struct tls_server_config *tls_server_cfg(const struct tls_server *t);
const struct tls_client_config *tls_client_cfg(const struct tls_client *t);
int tls_alpn_http2(const struct ssl_st *ssl);      /* tls_conn.c: may this one choose HTTP/2? */
