/* http/secure.h -- TLS between a struct sock and its holder, on the server's side.
 *
 * loop.c calls the secure_*() for a sock that has one, and offers it the raw_*().
 *
 * Owner:    a secure is its sock's.
 * Threads:  the sock's loop.
 */
#pragma once
#include "http/loop.h"
#include "http/tls_int.h"

struct secure;
struct secure *secure_new(struct sock *s, const struct sock_tls *how, const struct sock_events *ev, void *arg);
void secure_free(struct secure *x);                /* NULL is fine */

/* What the socket reports. */
void secure_input(struct secure *x, const char *p, size_t n);
void secure_eof(struct secure *x, bool broken);
void secure_timeout(struct secure *x);
void secure_written(struct secure *x, bool ok);    /* of raw_begin() */

/* What the holder wants: as the functions of sock of the same names. */
enum sock_write secure_write(struct secure *x, const struct str *parts, uint32_t n);
bool secure_write_now(struct secure *x, struct str data);
size_t secure_unsent(const struct secure *x);
void secure_deadline(struct secure *x, int64_t ms);
void secure_end(struct secure *x);                 /* before the sending side is closed */
struct str secure_name(const struct secure *x);    /* of the verified client */

/* loop.c, for secure.c. */
ptrdiff_t raw_try(struct sock *s, struct str data);        /* bytes taken; -1: broken */
MUST bool raw_begin(struct sock *s, struct str data);      /* all of it, then secure_written() */
void raw_deadline(struct sock *s, int64_t ms);
void raw_shutdown(struct sock *s);
bool raw_closing(const struct sock *s);
char *raw_buffer(struct sock *s);                  /* SECURE_PLAIN_BYTES, the loop's own */

enum { SECURE_PLAIN_BYTES = 16 << 10 };            /* a record */
