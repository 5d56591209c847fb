/* http/call.h -- one request on its way: what came, what is to go back.
 *
 * It knows nothing of how it came. A connection (HTTP/1.1 today; a stream of
 * HTTP/2 is the same to us) makes it, fills in head and body, and gets it back
 * through `answered`:
 *
 *   call_new -> head filled in -> call_admit -> body filled in -> call_run
 *                                     |                              |
 *                                  refused                  handler, here or on the pool
 *                                     |                              |
 *                                     +--------> http_reply* <-------+
 *                                                    |
 *                 `ready` if that was in our own call stack, else `answered` later
 *                                                    |
 *                                  connection sends it -> call_free
 *
 * Threads:  until call_run() hands it on, and from `answered` on, it is its loop's;
 *           between, it is the handler's, except for `gone`, `owner` and `answered`.
 * Invariant: exactly one reply (CHECKed in call_finish).
 */
#pragma once
#include "http/parser.h"
#include "http/server_int.h"

/* A password to be hashed, on the pool for that. */
struct prove {
    struct pool_item item;                         /* first */
    void (*run)(struct prove *p);
};

enum body_coding { BODY_PLAIN, BODY_GZIP, BODY_DEFLATE, BODY_ZSTD, BODY_UNKNOWN };

struct call {
    struct http_req req;                           /* first: handlers hold a pointer to it */
    struct pool_item item;
    struct loop_job job;
    struct arena mem;
    struct http_loop *home;
    struct listener *listener;
    const struct http_table *table;                /* NULL until a route is found */
    const struct http_route *route;
    struct http_head head;
    struct net_addr local;                         /* what the client connected to */

    struct access *access;                         /* a password has to be hashed before the handler runs */
    struct prove prove;
    struct http_header *defaults;                  /* headers that the reply gets unless it has them */
    uint32_t ndefaults;

    struct buf body;                               /* as it came, then decompressed */
    size_t body_max;
    size_t charged;                                /* bytes of http_server.inflight that are ours */
    uint32_t body_at;                              /* where it begins in there (gRPC has a prefix) */
    enum body_coding coding;                       /* of what is still to be undone */

    void (*answered)(struct call *c);              /* on the loop */
    void *owner;                                   /* the connection; NULL when it has gone */
    bool inside;                                   /* the loop is in our call stack and will look at `ready` */
    bool ready;
    bool gone;                                     /* req.gone points here */

    bool replied;
    int status;
    struct str type;
    struct http_header *extra;
    uint32_t nextra, extra_cap;
    struct http_header *trailers;                  /* names in lower case; HTTP/2 only */
    uint32_t ntrailers, trailers_cap;
    struct buf out;
    struct http_stream *stream;                    /* the server's hold on it, until the connection takes it */
    bool streaming;                                /* the reply is the stream; false beside a stream: it was refused */

    struct http_header *params;                    /* decoded pairs, once asked for */
    uint32_t nparams;
    bool params_read;
};

struct call *call_new(struct http_loop *hl, struct listener *ln, struct str peer, void *owner, void (*answered)(struct call *c));
void call_free(struct call *c);                    /* any thread; ends a stream that was not begun */
void call_orphan(struct call *c);                  /* its connection has gone while a handler had it */

/* Both false: refused, and `ready`. */
MUST bool call_admit(struct call *c);              /* after the head: may this be? */
MUST bool call_charge(struct call *c, size_t total);   /* its bodies now take so many bytes in all */
void call_run(struct call *c);                     /* after the body; look at `ready` afterwards */
void call_pooled(struct pool_item *i);             /* what the pool runs */

/* call_access.c: who asks. */
MUST bool call_may(struct call *c);                /* after the route is known; false: refused, and `ready` */
void call_proven(struct call *c);                  /* no longer c->access, if it was there */
void call_prove(struct call *c);                   /* in the place of running it, when c->access is there */

/* An error of the server's own making: tells the owner, replies. */
void call_refuse(struct call *c, int status, const char *fmt, ...) PRINTF(3, 4);
void call_finish(struct call *c);                  /* the reply is complete */

/* request.c */
bool call_has_form(const struct call *c);          /* is the body one, to be read as parameters? */

/* reply.c */
void reply_compress(struct call *c);
/* The head of an HTTP/1.1 reply, in c->mem. `chunked`: no length, a stream follows. */
struct str reply_head(struct call *c, bool keep_alive, bool chunked);
bool reply_has_body(const struct call *c);
bool reply_has(const struct call *c, struct str name);     /* was this header given? */

/* body.c: what the codings of a body are, and undoing them. */
enum body_coding body_coding(struct str content_encoding);
#define BODY_CODINGS "gzip, deflate, zstd"          /* what is understood, for Accept-Encoding */
struct str body_view(const struct call *c);
bool body_is_quick(const struct call *c);          /* says that it is little enough for an I/O loop */
enum body_result { BODY_DONE, BODY_REFUSED, BODY_LARGER };
MUST enum body_result body_decode_quick(struct call *c);   /* BODY_LARGER: it was not; nothing was done */
MUST bool body_decode(struct call *c);             /* false: refused */

/* stream.c: the server's side of struct http_stream; all on the loop. */
struct stream_take {
    struct buf data;                               /* to be sent, now the taker's */
    bool end;                                      /* and then the stream is to end */
    bool cut;                                      /* give it up at once */
};
void stream_attach(struct http_stream *s, void *conn, void (*pump)(void *conn));
struct stream_take stream_take(struct http_stream *s);
void stream_gone(struct http_stream *s);           /* the server's last use: on_close */
