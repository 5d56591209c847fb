/* http/h2_int.h -- a stream of HTTP/2 as its files see it.
 *
 * Owner:    a stream belongs to its connection from the first frame of its head until the
 *           session reports it closed; its call is freed with it, or earlier once sent.
 * Threads:  its loop's only.
 */
#pragma once
#include "http/conn_int.h"
#include "http/h2.h"
#include "http/h2_budget.h"
#include "http/h2_session.h"

enum h2_state {
    H2S_HEAD,                                      /* fields are coming */
    H2S_BODY,
    H2S_BUSY,                                      /* a handler has it */
    H2S_SENDING,                                   /* the reply, from call->out */
    H2S_LIVE,                                      /* ... from an http_stream */
    H2S_SPENT,                                     /* the reply is out; what the client still sends is thrown away */
};

struct h2_stream {
    struct h2 *h2;
    struct h2_stream *prev, *next;
    int32_t id;
    enum h2_state state;
    bool ended;                                    /* the client's side is complete */
    struct call *call;

    /* Its head until it is complete: fields as HTTP/1.1 writes them. */
    struct buf fields, cookie;
    struct str method, path, authority, host;
    uint32_t nfields;
    size_t field_bytes;
    struct http_bad bad;                           /* status 0: nothing wrong so far */

    struct http_stream *live;
    bool live_end;
    struct buf out;                                /* H2S_LIVE: what was taken last */
    size_t held;                                   /* bytes of http_server.held that are its reply's */
    size_t at;                                     /* how much of call->out, or of `out`, is sent */

    int64_t due;                                   /* loop_ms() of its time-out; 0: none */
    int64_t since;
    size_t mark;                                   /* progress seen at the last time-out */
    size_t moved;                                  /* bytes of a reply sent, or of a spent body thrown away */
};

/* h2_head.c */
void h2_head_field(struct h2_stream *st, struct str name, struct str value, bool valid);
bool h2_head_finish(struct h2_stream *st);         /* fills call->head; false: st->bad says why not */
/* The fields of the reply, in lower case, in call->mem; `ends`: nothing follows. */
struct http_header *h2_head_reply(struct call *call, bool ends, uint32_t *ret_n);
