/* http/conn_int.h -- a connection as its two halves see it: conn.c takes bytes in,
 * conn_out.c sends replies and streams.
 *
 * Owner:    the connection is in its loop's list until its socket is closed.
 * Threads:  its loop's only.
 */
#pragma once
#include "http/call.h"
#include "http/conn.h"

enum conn_state {
    CONN_IDLE,
    CONN_HEAD,
    CONN_BODY,
    CONN_CHUNKS,
    CONN_SKIP,
    CONN_BUSY,
    CONN_SENDING,
    CONN_STREAM,
    CONN_H2,                                       /* everything is h2.c's now */
    CONN_LINGER,
    CONN_CLOSED,
};

struct conn {
    struct http_loop *home;
    struct listener *listener;
    struct sock *sock;
    struct conn *prev, *next;
    enum conn_state state;
    bool keep;                                     /* open after the current reply */
    bool served;                                   /* a request of HTTP/1.1 has come: it stays with that */
    bool taking;                                   /* conn_take() is running */
    bool ended;                                    /* the client sends no more */
    bool writing;                                  /* a write is pending in the socket */
    bool chunked;                                  /* CONN_STREAM: framed, or up to the end */
    uint8_t npeer;

    struct buf ahead;                              /* received, from ahead_at on not yet consumed */
    size_t ahead_at;
    struct http_scan scan;
    struct http_chunks chunks;
    uint64_t skip;                                 /* CONN_SKIP: bytes of the body still to come */

    struct h2 *h2;                                 /* CONN_H2 */
    struct call *call;
    void (*sent)(struct conn *c);                  /* when the pending write is done */
    struct http_stream *stream;
    struct buf sending;                            /* CONN_STREAM: the chunk under way; CONN_H2: the frames */
    char chunk_head[24];

    int64_t since;                                 /* loop_ms() when the body, or lingering, began */
    size_t mark;                                   /* progress seen at the last deadline */
    int64_t probe_ms;                              /* until the next question */
    struct net_addr local;
    char peer[NET_TEXT_MAX];
};

static inline const struct http_config *conn_cfg(const struct conn *c)
{
    return &c->home->server->cfg;
}

/* conn.c */
/* A call that came over this connection. */
struct call *conn_call(struct conn *c, void *owner, void (*answered)(struct call *call));
void conn_close(struct conn *c);                   /* `closed` follows; safe to call again */
void conn_linger(struct conn *c);
void conn_resume(struct conn *c);                  /* goes on with what is in `ahead` */

/* conn_out.c */
extern const struct str conn_interim;              /* "100 Continue" */
void conn_answer(struct conn *c);                  /* sends the reply of c->call, or begins its stream */
void conn_answered(struct call *call);             /* what call_finish() posts */
void conn_write_timeout(struct conn *c);
