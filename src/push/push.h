/* push/push.h -- what others send: Prometheus's remote write and Loki's push.
 *
 * A request is decoded where it came in, written, and answered from the writer's
 * thread when it is durable. What is wrong with one series or stream does not keep the
 * rest from being stored; the answer says so in Prometheus's and Loki's own words.
 *
 * Owner:    app/ owns the receiver; it outlives the server and the store.
 * Threads:  handlers run on I/O threads; `hint` may be called from any of them.
 * Errors:   400 what cannot be decoded or was left out, 413 a limit of push/limits.h,
 *           415 another content type, 422 nothing in it (Loki), 503 with Retry-After
 *           what the sink cannot take now.
 */
#pragma once
#include <stdatomic.h>

#include "http/http.h"
#include "model/seen.h"
#include "model/sink.h"
#include "privacy/privacy.h"

enum { PUSH_SPARES = 2 };                          /* requests whose memory is kept for the next ones */

struct push_receiver {
    struct sink *sink;
    _Atomic int64_t retention_ns; /* 0: forever; may change while requests come */
    struct seen *seen;            /* series that were decoded before; NULL: each is decoded anew. push_receiver_done() frees */
    struct privacy_slot *privacy; /* rules on what never reaches the disk; NULL: none */
    /* Something the owner of the machine should read; `cause` names its kind. May be NULL. */
    void (*hint)(void *arg, const char *cause, const char *text);
    void *arg;
    _Atomic uint64_t exemplars;   /* left out so far: there is no place for them */
    struct {
        _Atomic int state;
        struct arena mem;
    } spare[PUSH_SPARES];         /* private to job.c */
};

void push_receiver_done(struct push_receiver *rx);   /* after the last request */

/* r->arg is the receiver. */
extern const struct http_route routes_push_prometheus[];
extern const struct http_route routes_push_loki[];

/* For http_table.on_error: the server's own refusals as both protocols have theirs, a line of text. */
void push_refuse(struct http_req *r, int status, struct str why);

struct frame_decoder push_frame_decoder(void);
