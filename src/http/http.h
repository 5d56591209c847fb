/* http/http.h -- the server: listeners, requests, replies, streams.
 *
 * A few I/O loops own the connections; a pool runs handlers that compute. A
 * handler gets a complete request (body read, bounded, decompressed) and must
 * answer it exactly once, then or later, from any thread.
 *
 * Owner:    the request and its arena live until the reply is sent; handlers
 *           must not touch them after replying.
 * Threads:  handlers of ROUTE_LOOP run on an I/O loop (those of a large body on a
 *           pool thread) and must not block; ROUTE_POOL handlers run on a pool
 *           thread, and may compute but should not wait. http_reply* and
 *           http_stream_* may be called from any thread.
 * Limits:   http/limits.h names them all.
 * Spec:     RFC 9110, 9112 (strict: no bare LF, no obs-fold, not both lengths).
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

enum http_method { HTTP_GET = 1, HTTP_HEAD = 2, HTTP_POST = 4, HTTP_PUT = 8, HTTP_DELETE = 16, HTTP_OPTIONS = 32, HTTP_OTHER = 64 };

struct http_header {
    struct str name, value;                        /* name in lower case */
};

struct http_req {
    enum http_method method;
    struct str path;                               /* percent-decoded, without query */
    struct str raw_path;                           /* as it came */
    struct str raw_query;
    const struct http_header *headers;
    uint32_t nheaders;
    struct str body;                               /* decompressed */
    struct str listener;                           /* "prometheus", ... */
    struct str peer;                               /* "127.0.0.1:40312" */
    struct str user;                               /* who the access check says it is; empty: nobody in particular */
    bool http2, tls;                               /* how it came */
    struct str cert_name;                          /* of a client certificate that was verified: its first SAN, or its subject's CN */
    struct arena *mem;                             /* lives as long as the request; budget HTTP_ARENA_BYTES */
    void *arg;                                     /* of the route table */
    int64_t recv_ns;                               /* wall time at which the request was complete */
    int64_t recv_mono_ns;                          /* the same by the clock that only goes forward */
    const struct str *wild;                        /* what each * of the route's path stood for, decoded */
    uint32_t nwild;
    const bool *gone;                              /* turns true when the client has left: cancels queries. Another
                                                      thread writes it: read it with http_gone() */
};

static inline bool http_gone(const bool *gone) { return __atomic_load_n(gone, __ATOMIC_RELAXED); }

struct str http_header(const struct http_req *r, struct str lower_name);          /* empty if absent */
/* Query string first, then the body if it is a form (never on ROUTE_INGEST). Decoded into r->mem. */
bool http_param(struct http_req *r, struct str name, struct str *ret);            /* first one */
uint32_t http_params(struct http_req *r, struct str name, const struct str **ret); /* all of them */

/* Adds a header to the coming reply. Before http_reply*, on the handler's thread. */
void http_reply_header(struct http_req *r, struct str name, struct str value);
/* A trailer of the reply, its name in lower case: HTTP/2 sends it after the body (gRPC), HTTP/1.1 leaves it out. */
void http_reply_trailer(struct http_req *r, struct str name, struct str value);
void http_reply(struct http_req *r, int status, struct str content_type, struct str body);       /* copies */
void http_reply_buf(struct http_req *r, int status, struct str content_type, struct buf *body);  /* takes it over, leaves it empty */
/* Text body, one line. For endpoints with an error form of their own, do not use it. */
void http_reply_error(struct http_req *r, int status, const char *fmt, ...) PRINTF(3, 4);

/* An open-ended reply (server-sent events). Ends the request.
 *
 * Two parties hold a stream: the server and whoever opened it. on_close (may be
 * NULL) is called exactly once, when the server lets go: the client left, was too
 * slow, the server stops, or http_stream_close() had its effect. It runs on an I/O
 * thread without any lock held and is the last use of `arg`; until then the stream
 * may be sent to (in vain) and `arg` must stay. http_stream_close() is the opener's
 * last use of the stream, and may be called before, in or after on_close. */
struct http_stream;
struct http_stream *http_stream_open(struct http_req *r, int status, struct str content_type,
                                     void (*on_close)(void *arg), void *arg);
bool http_stream_send(struct http_stream *s, struct str data);   /* copies; false: client gone or too slow */
void http_stream_close(struct http_stream *s);                   /* always needed, also after on_close */

enum route_flags {
    ROUTE_LOOP = 0,
    ROUTE_POOL = 1,
    ROUTE_INGEST = 2,        /* large bodies, and run even when the client has left meanwhile; on_error below */
    ROUTE_SNAPPY = 4,        /* undoes Content-Encoding: snappy by itself: such bodies mostly come without the header */
    ROUTE_GRPC = 8,          /* a gRPC method, see http/grpc.h; nothing else is taken there */
};

/* Path: exact; a segment that is "*" stands for any one segment; a first segment "**"
 * stands for any base path, the empty one too; a last segment "**" for any rest, the
 * empty one too. First match in table order wins; a path that matches with another
 * method is 405. GET answers HEAD as well. A '*' and a last "**" each leave what they
 * stood for in r->wild, decoded after the path was cut at its slashes, so that an
 * encoded slash never parts a segment. */
struct http_route {
    uint32_t methods;
    const char *path;
    void (*handle)(struct http_req *r);
    uint32_t flags;
    const char *doc;         /* one line, for docs/api.md and the route list */
};

struct http_table {
    const struct http_route *routes;               /* ends with path == NULL */
    void *arg;                                     /* given as r->arg */
    /* May be NULL. Answers in the protocol's own form when the server itself refuses a
     * request of a ROUTE_INGEST route (400, 401, 403, 408, 413, 415, 429, 503) or has no room for one
     * of a ROUTE_POOL route (503); must reply before it returns. Runs on an I/O loop or a pool
     * thread; the body may be missing. */
    void (*on_error)(struct http_req *r, int status, struct str why);
};

/* A request that the server refused by itself, for whoever keeps a record of it. Everything lives
 * as long as the call. */
struct http_refusal {
    const struct http_req *req;                    /* its headers are there if they could be read */
    int status;
    const char *why;
    bool ingest;                                   /* it was for a ROUTE_INGEST route */
};

/* Owner: names, hosts, tables and clock must outlive the server. 0 means the value of limits.h. */
struct http_config {
    uint32_t loops;                                /* I/O threads; 0: 2 */
    uint32_t pool;                                 /* pool threads; 0: one a core, at least 2 */
    const struct str *allow_hosts;                 /* besides localhost, loopback and bound addresses */
    uint32_t nallow_hosts;
    bool check_hosts;                              /* Host and Origin checks (DNS rebinding) */
    const struct clock *clock;

    /* Called for every 4xx and 5xx that the server makes by itself, so that its owner can
     * log why; from any thread. The strings live as long as the call. 429 without a request is
     * a connection that was ended for abuse. */
    void (*refused)(void *arg, struct str listener, struct str peer, int status, const char *why);
    /* May be NULL. Called in the place of `refused` when there is a request. */
    void (*refused_request)(void *arg, const struct http_refusal *x);
    void *refused_arg;

    uint32_t handshake_ms, header_ms, body_ms, body_window_ms, idle_ms, write_ms, linger_ms, probe_ms;
    uint32_t conns_max, queue_max;
    size_t inflight_max;
};

struct http_stats {
    uint64_t accepted, requests, refused;          /* since the start */
    uint64_t conns, running, streams, inflight_bytes;   /* now */
};

struct http_server;
struct tls_server;                                 /* http/tls.h */
MUST enum err http_server_new(const struct http_config *cfg, struct http_server **ret, struct fault *f);
/* Binds and listens; port 0 takes a free one. Tables are searched in order.
 * E_EXIST when the address is in use. */
MUST enum err http_listen(struct http_server *s, struct str name, struct str addr, uint16_t port,
                          const struct http_table *tables, uint32_t ntables, uint16_t *ret_port, struct fault *f);
/* The listener speaks TLS from now on (connections that are open stay as they are); NULL: plainly
 * again. Takes a reference. Before http_start() or, for a reload, after it, from any thread.
 * E_NOTFOUND: no such listener. */
MUST enum err http_listener_tls(struct http_server *s, struct str name, struct tls_server *tls, struct fault *f);
/* Who may ask, from the next request on; NULL: everybody. Takes a reference. Any time before http_stop(). */
struct access;                                     /* http/access.h */
MUST enum err http_access(struct http_server *s, struct access *a, struct fault *f);
MUST enum err http_start(struct http_server *s, struct fault *f);      /* starts the threads */
/* Refuses new requests, ends streams, lets running requests finish for at most grace_ms, then turns
 * r->gone true, closes all, and returns when the handlers on the pool have returned. */
void http_stop(struct http_server *s, int64_t grace_ms);
/* After http_stop(), or before http_start(). A request that is still unanswered may be
 * answered later: what it needs goes with the last one. NULL is fine. */
void http_server_free(struct http_server *s);
void http_server_stats(const struct http_server *s, struct http_stats *ret);
/* How long requests of ROUTE_INGEST took from being complete to their 2xx. Lives as long as the server. */
struct latency;                                    /* base/latency.h */
const struct latency *http_server_acks(const struct http_server *s);
