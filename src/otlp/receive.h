/* otlp/receive.h -- the OTLP receiver, over HTTP and gRPC, and the decoder that replay runs.
 *
 * A request is decoded where it came in (an I/O thread), written, and answered
 * from the writer's thread when it is durable.
 *
 * Owner:    app/ owns the receiver; it outlives the server and the store.
 * Threads:  handlers run on I/O threads; `hint` may be called from any of them.
 * Errors:   400 what cannot be decoded (the client drops it for good), 413 a limit
 *           of otlp/limits.h, 415 another content type, 503 with Retry-After what the
 *           sink cannot take now; whatever decodes is kept. In gRPC: INVALID_ARGUMENT,
 *           RESOURCE_EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE with RetryInfo.
 * Spec:     OTLP 1.x, "OTLP/HTTP", "OTLP/gRPC".
 */
#pragma once
#include <stdatomic.h>

#include "base/clock.h"
#include "http/http.h"
#include "model/seen.h"
#include "model/sink.h"
#include "privacy/privacy.h"

struct otlp_receiver {
    struct sink *sink;
    const struct clock *clock;
    _Atomic int64_t retention_ns; /* 0: forever; may change while requests come */
    struct seen *seen;           /* series that were decoded before; NULL: each is decoded anew; the owner's */
    struct privacy_slot *privacy; /* what is left out before anything is written; NULL: nothing, ever */
    /* Something the owner of the machine should read; `cause` names its kind. May be NULL. */
    void (*hint)(void *arg, const char *cause, const char *text);
    /* Refused for good, so that the sender loses what it sent. May be NULL. */
    void (*refused)(void *arg, const struct http_req *r, int status, struct str why);
    void *arg;
    struct str grpc_listener;    /* name of the listener on which OTLP over HTTP is a mistake worth a hint; may be empty */
    uint32_t hinted;             /* private: senders of which path were told already */
};

/* r->arg is the receiver. The first table fits on any listener; the second answers every
 * other path, for a listener that speaks OTLP only, and comes last there. */
extern const struct http_route routes_otlp[];
extern const struct http_route routes_otlp_any[];
/* gRPC: the three export services and the health check. Fits on any listener too. */
extern const struct http_route routes_otlp_grpc[];

/* For http_table.on_error: the server's own refusals in the protocol's form. */
void otlp_refuse(struct http_req *r, int status, struct str why);

struct frame_decoder otlp_frame_decoder(void);
