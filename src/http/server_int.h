/* http/server_int.h -- the server as the room's own files see it.
 *
 * Owner:    one reference for http_server_new()'s caller, one for each request and
 *           stream that is not finished; the last one frees.
 * Threads:  configuration and listeners are fixed before the threads start; the
 *           counters are atomic; a struct http_loop belongs to its thread.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "http/hosts.h"
#include "http/http.h"
#include "http/limits.h"
#include "http/loop.h"
#include "base/latency.h"
#include "http/pool.h"

struct conn;
struct call;

struct listener {
    struct http_server *server;
    struct str name;                               /* in name_text */
    char name_text[HTTP_NAME_MAX];
    int fd;                                        /* -1 once the loop has it */
    struct net_addr bound;
    struct http_table tables[HTTP_TABLES_MAX];
    uint32_t ntables;
    atomic_uint conns;
    struct tls_server *tls;                        /* NULL: plain; under http_server.lock */
};

/* An I/O loop and what only its thread touches. */
struct http_loop {
    struct loop *loop;
    struct http_server *server;
    struct conn *conns;                            /* a list through conn->next */
    struct loop_job drain, kill;                   /* http_stop() */
    int64_t date_s;                                /* of the text below */
    char date[32];
};

enum server_state { SERVER_NEW, SERVER_RUNNING, SERVER_DRAINING, SERVER_STOPPED };

struct http_server {
    struct http_config cfg;                        /* without zeros */
    struct http_loop loops[HTTP_LOOPS_MAX];
    struct listener listeners[HTTP_LISTENERS_MAX];
    uint32_t nlisteners, turn;                     /* turn: the loop that gets the next connection; loop 0's thread */
    struct pool *pool;

    pthread_mutex_t access_lock;                   /* of the two below; `prover` stays once it is there */
    struct access *access;                         /* NULL: everybody may ask */
    struct pool *prover;                           /* hashes passwords; made when there are users */

    _Atomic(enum server_state) state;
    atomic_uint refs, conns, streams, running, unproven;
    atomic_size_t inflight;
    atomic_size_t held;                            /* bytes of replies that streams of HTTP/2 still have to send */
    atomic_ullong accepted, requests, refused;
    struct latency acks;

    pthread_mutex_t lock;                          /* for waiting on `conns` falling to 0; of listener.tls */
    pthread_cond_t empty;
};

struct http_server *server_ref(struct http_server *s);
void server_unref(struct http_server *s);
void server_conn_gone(struct listener *ln);        /* one connection fewer */
struct tls_server *server_tls(struct listener *ln);        /* a reference, or NULL */
/* Counts it and tells the owner. */
void server_refused(struct http_server *s, struct str listener, struct str peer, int status, const char *why);
struct access *server_access(struct http_server *s);      /* a reference, or NULL */
/* May connections of this listener speak HTTP/2? */
bool server_http2(struct http_server *s, struct str listener);
const char *loop_date(struct http_loop *hl);       /* "Sun, 06 Nov 1994 08:49:37 GMT" */
