/* http/loop.h -- libuv, behind what a server needs of it: threads that wait for
 * sockets, jobs from other threads, and a deadline per socket.
 *
 * Owner:    a sock is its holder's until sock_close(); `closed` is the last event.
 * Threads:  a loop is one thread. Only loop_post(), loop_stop() and loop_here()
 *           may be called from others; everything else on the loop's own.
 * Errors:   E_IO at the start only; broken connections are events.
 */
#pragma once
#include "http/net.h"

struct loop;
struct sock;
struct tls_server;

/* Part of a larger object. It is on one queue at a time. */
struct loop_job {
    void (*run)(struct loop_job *j);
    struct loop_job *next;
};

MUST enum err loop_new(struct loop **ret, struct fault *f);
MUST enum err loop_start(struct loop *l, struct fault *f);
/* Queues the job; false, and nothing happens, once the loop has ended. */
MUST bool loop_post(struct loop *l, struct loop_job *j);
bool loop_here(const struct loop *l);              /* is this the loop's thread? */
int64_t loop_ms(const struct loop *l);             /* monotonic, as of the current event */
/* Ends accepting; the thread ends when the last sock has been closed. Jobs that are then
 * still queued are run. Waits for it. */
void loop_stop(struct loop *l);
void loop_free(struct loop *l);                    /* after loop_stop(), or never started; NULL is fine */

/* Accepts on `fd`, which the loop closes at its end, until loop_unlisten() or loop_stop(). */
struct loop_listen {
    void (*accepted)(void *arg, int fd, const struct net_addr *peer);
    void (*failed)(void *arg, int no);             /* out of descriptors: it pauses and tries again */
    void *arg;
};
void loop_listen(struct loop *l, int fd, const struct loop_listen *on);
void loop_unlisten(struct loop *l);                /* all of them */

struct sock_events {
    /* Where the next bytes are to go; false: into the loop's buffer, valid during `input` only. */
    bool (*room)(void *arg, char **ret_p, size_t *ret_n);
    void (*input)(void *arg, const char *p, size_t n);
    void (*end)(void *arg, bool broken);           /* the peer sends no more; broken: and takes no more */
    void (*sent)(void *arg, bool ok);              /* what sock_write() left pending is gone */
    void (*timeout)(void *arg);                    /* of sock_deadline() */
    void (*closed)(void *arg);
    /* May be NULL. TLS failed, in which way and by whose fault; `detail` may be NULL. `end` follows,
     * but for 500: that is the server's own trouble. */
    void (*refused)(void *arg, int status, const char *why, const char *detail);
};

enum { SOCK_PARTS_MAX = 4 };
enum sock_write { SOCK_SENT, SOCK_PENDING, SOCK_BROKEN };

/* Takes over `fd`. Never NULL: if the system refuses, `closed` is the only event. */
struct sock *sock_open(struct loop *l, int fd, const struct sock_events *ev, void *arg);
/* The sock speaks TLS, for its holder as if it did not. At once after sock_open(). */
struct sock_tls {
    struct tls_server *server;
    bool http2;                                    /* may the client choose it (ALPN)? */
    uint32_t handshake_ms, linger_ms;
};
void sock_begin_tls(struct sock *s, const struct sock_tls *how);
bool sock_is_tls(const struct sock *s);
struct str sock_cert_name(const struct sock *s);   /* of a verified client certificate; else empty */
void sock_read(struct sock *s, bool on);
/* Gathers the parts; on SOCK_PENDING they must stay until `sent`, and no other write may be begun. */
enum sock_write sock_write(struct sock *s, const struct str *parts, uint32_t n);
bool sock_write_now(struct sock *s, struct str data);      /* all at once or false */
size_t sock_unsent(const struct sock *s);
bool sock_broken(struct sock *s);                  /* has a reset arrived that no read would show? */
void sock_deadline(struct sock *s, int64_t ms);    /* from now; 0: none */
void sock_shutdown(struct sock *s);                /* we send no more; nothing may be pending */
void sock_close(struct sock *s);
