/* otlp/receive.c -- the OTLP/HTTP endpoints, and what gRPC's share with them.
 *
 *     request -> form (content type) -> signal (path, else content) -> redact -> decode -> sink
 *                  415                    400                          400 413             |
 *     reply  <- 200, partial success <- ------------------------ done, writer's thread ----+
 *
 * The batch lives in an arena of its own, since a request's arena is too small for
 * the largest bodies; it is given back before the reply, which ends the request.
 *
 * A per-signal endpoint is used by senders verbatim, so that the example of a
 * manual, "http://localhost:4318", makes them POST to "/" or to any path they were
 * given. Such a request is told apart by its content, and a hint says what to set.
 */
#include "otlp/receive.h"

#include "http/grpc.h"
#include "otlp/limits.h"
#include "otlp/receive_int.h"
#include "otlp/redact.h"
#include "otlp/sniff.h"

enum { PATH_SHOWN = 200 };                         /* bytes of a path in a line of the log */

/* One request between decoding and the answer. */
struct job {
    struct http_req *req;
    struct otlp_receiver *rx;
    enum otlp_form form;
    enum otlp_signal signal;
    struct arena mem;
    struct buf redacted;         /* the body, where the rules of privacy/ change it */
    struct batch batch;
    struct write_req write;
};

/* ---- answers ------------------------------------------------------------------------- */

static void hint(struct otlp_receiver *rx, const char *cause, const char *text)
{
    if (rx->hint)
        rx->hint(rx->arg, cause, text);
}

static int rpc_code(int status)
{
    return status == 401   ? RPC_UNAUTHENTICATED
           : status == 403 ? RPC_PERMISSION_DENIED
           : status == 413 ? RPC_RESOURCE_EXHAUSTED
           : status >= 429 ? RPC_UNAVAILABLE
                           : RPC_INVALID_ARGUMENT;
}

static void refuse(struct http_req *r, enum otlp_form form, int status, struct str why)
{
    if (form == OTLP_GRPC) {
        grpc_fail(r, status == 413 ? GRPC_RESOURCE_EXHAUSTED : status == 503 ? GRPC_UNAVAILABLE : GRPC_INVALID_ARGUMENT, why,
                  status == 503 ? OTLP_RETRY_AFTER_S : 0);
        return;
    }
    http_reply(r, status, otlp_form_type(form), otlp_status(form, rpc_code(status), why, r->mem));
}

/* The log's line names path and status; the cause is one per kind, so that the log stays short. */
static void tell(struct http_req *r, int status, const char *cause, struct str why)
{
    struct str path = str_sub(r->raw_path, 0, PATH_SHOWN);
    struct str line = arena_fmt(r->mem, "OTLP request to " STR_FMT " refused with %d: " STR_FMT, STR_ARG(path), status, STR_ARG(why));
    hint(r->arg, cause, arena_cstr(r->mem, line));
    struct otlp_receiver *rx = r->arg;
    if (rx->refused)
        rx->refused(rx->arg, r, status, why);
}

static void refuse_and_tell(struct http_req *r, enum otlp_form form, int status, const char *cause, struct str why)
{
    tell(r, status, cause, why);
    refuse(r, form, status, why);
}

static void job_end(struct job *j)
{
    batch_done(&j->batch);
    buf_done(&j->redacted);
    arena_done(&j->mem);
}

static void reply_success(struct job *j)
{
    struct http_req *r = j->req;
    struct str why = arena_str(r->mem, j->batch.reject_reason);
    uint64_t rejected = j->batch.rejected;
    job_end(j);
    if (rejected) {
        struct str line = arena_fmt(r->mem, "left out of OTLP " STR_FMT ": " STR_FMT, STR_ARG(otlp_signals[j->signal].name), STR_ARG(why));
        hint(j->rx, "otlp-rejected", arena_cstr(r->mem, line));
    }
    struct str body = otlp_success(j->form, j->signal, rejected, why, r->mem);
    if (j->form == OTLP_GRPC)
        grpc_reply(r, body);
    else
        http_reply(r, 200, otlp_form_type(j->form), body);
}

/* What the sink cannot take now is sent again by the client; nothing is lost by it. */
static void reply_failure(struct job *j, enum err e, const struct fault *f)
{
    struct http_req *r = j->req;
    struct str why = arena_str(r->mem, f ? str_c(f->msg) : S("not stored"));
    job_end(j);
    if (e == E_LIMIT) {
        refuse_and_tell(r, j->form, 413, "otlp-limit", why);
        return;
    }
    http_reply_header(r, S("retry-after"), arena_fmt(r->mem, "%d", OTLP_RETRY_AFTER_S));
    refuse_and_tell(r, j->form, 503, "otlp-unavailable", why);
}

/* Writer's thread. */
static void on_written(struct write_req *w, enum err e, const struct fault *f)
{
    struct job *j = w->arg;
    if (e)
        reply_failure(j, e, f);
    else
        reply_success(j);
}

/* ---- what came ------------------------------------------------------------------------ */

static bool form_of(const struct http_req *r, enum otlp_form *ret)
{
    struct str type = http_header(r, S("content-type"));
    type = str_trim(str_cut(&type, ';'));
    if (str_eq_nocase(type, S("application/x-protobuf")) || str_eq_nocase(type, S("application/protobuf")))
        *ret = OTLP_PROTOBUF;
    else if (str_eq_nocase(type, S("application/json")))
        *ret = OTLP_JSON;
    else
        return false;
    return true;
}

/* Where a row may stand hangs on the retention that was set when it was acknowledged, and on
 * nothing else of the configuration: whole seconds of it go with the frame. 0 is forever. */
static uint32_t epoch_of(const struct otlp_receiver *rx)
{
    int64_t seconds = atomic_load(&rx->retention_ns) / NS_PER_S;
    CHECK(seconds >= 0 && seconds <= UINT32_MAX);
    return (uint32_t)seconds;
}

static int64_t oldest_ns(uint32_t epoch, int64_t recv_ns)
{
    int64_t oldest;
    if (!epoch || __builtin_sub_overflow(recv_ns, epoch * NS_PER_S, &oldest))
        return INT64_MIN;
    return oldest;
}

/* What the frame and the rows are made of: nothing else of the request is ever written. */
static enum err redact_body(struct job *j, enum frame_kind kind, struct str *ret, struct fault *f)
{
    struct privacy *rules = j->rx->privacy ? privacy_slot_get(j->rx->privacy) : NULL;
    buf_init(&j->redacted, OTLP_REDACTED_MAX);
    enum err e = otlp_redact(rules, kind, j->req->body, &j->redacted, ret, f);
    privacy_unref(rules);
    return e;
}

void otlp_receive(struct http_req *r, enum otlp_form form, enum otlp_signal signal)
{
    struct job *j = arena_new(r->mem, struct job, 1);
    struct fault f = { 0 };
    j->req = r;
    j->rx = r->arg;
    j->form = form;
    j->signal = signal;
    arena_init(&j->mem, OTLP_MEMORY_MAX);

    enum frame_kind kind = form == OTLP_JSON ? otlp_signals[signal].json : otlp_signals[signal].protobuf;
    uint32_t epoch = epoch_of(j->rx);
    struct str body;
    enum err e = redact_body(j, kind, &body, &f);
    if (!e)
        e = otlp_decode_seen(kind, body, r->recv_ns, oldest_ns(epoch, r->recv_ns), j->rx->seen, &j->mem, &j->batch, &f);
    if (e) {
        buf_done(&j->redacted);
        arena_done(&j->mem);
        struct str why = arena_str(r->mem, str_c(f.msg));
        if (e == E_LIMIT)
            refuse_and_tell(r, form, 413, "otlp-limit", why);
        else
            refuse_and_tell(r, form, 400, "otlp-malformed", why);
        return;
    }
    if (!j->batch.nrows) {
        reply_success(j);                          /* nothing to keep: an empty request, or all left out */
        return;
    }
    j->write = (struct write_req){
        .kind = kind, .epoch = epoch, .body = body, .recv_ns = r->recv_ns, .batch = &j->batch, .done = on_written, .arg = j,
    };
    j->rx->sink->write(j->rx->sink, &j->write);
}

/* ---- routes ----------------------------------------------------------------------------- */

static void refuse_type(struct http_req *r)
{
    struct str type = str_sub(http_header(r, S("content-type")), 0, 100);
    struct str why = arena_fmt(r->mem,
                               "content type '" STR_FMT "' is not OTLP: application/x-protobuf or application/json is", STR_ARG(type));
    tell(r, 415, "otlp-type", why);
    http_reply_error(r, 415, STR_FMT, STR_ARG(why));
}

/* Once: it works here, and would not with a receiver that takes its port's protocol only. */
static void hint_port(struct http_req *r)
{
    struct otlp_receiver *rx = r->arg;
    if (!rx->grpc_listener.n || !str_eq(r->listener, rx->grpc_listener))
        return;
    uint32_t bit = 1u << OTLP_SIGNALS, before = __atomic_fetch_or(&rx->hinted, bit, __ATOMIC_RELAXED);
    if (!(before & bit))
        hint(rx, "otlp-port",
             "OTLP over HTTP comes to the port for gRPC, and is taken. Most receivers do not do that: the port for it is the one "
             "of otlp-http (4318), or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc");
}

static void receive_signal(struct http_req *r, enum otlp_signal signal)
{
    enum otlp_form form;
    hint_port(r);
    if (form_of(r, &form))
        otlp_receive(r, form, signal);
    else
        refuse_type(r);
}

static void post_metrics(struct http_req *r)
{
    receive_signal(r, OTLP_METRICS);
}

static void post_logs(struct http_req *r)
{
    receive_signal(r, OTLP_LOGS);
}

static void post_traces(struct http_req *r)
{
    receive_signal(r, OTLP_TRACES);
}

/* Once for each signal: it works, but the sender's configuration says something else than it means. */
static void hint_path(struct http_req *r, enum otlp_signal signal)
{
    struct otlp_receiver *rx = r->arg;
    uint32_t bit = 1u << signal, before = __atomic_fetch_or(&rx->hinted, bit, __ATOMIC_RELAXED);
    if (before & bit)
        return;
    struct str name = otlp_signals[signal].name;
    struct str text = arena_fmt(r->mem,
                                "OTLP " STR_FMT " come to " STR_FMT " and were told apart by their content. A sender uses its "
                                "per-signal endpoint verbatim: add /v1/" STR_FMT " to it, or set OTEL_EXPORTER_OTLP_ENDPOINT alone",
                                STR_ARG(name), STR_ARG(str_sub(r->raw_path, 0, PATH_SHOWN)), STR_ARG(name));
    hint(rx, "otlp-path", arena_cstr(r->mem, text));
}

static void post_any(struct http_req *r)
{
    enum otlp_form form;
    enum otlp_signal signal;
    hint_port(r);
    if (!form_of(r, &form)) {
        refuse_type(r);
        return;
    }
    bool known = form == OTLP_JSON ? otlp_sniff_json(r->body, *r->mem, &signal) : otlp_sniff_protobuf(r->body, &signal);
    if (!known) {
        refuse_and_tell(r, form, 400, "otlp-malformed",
                        S("neither the path (/v1/metrics, /v1/logs, /v1/traces) nor the content says what this is"));
        return;
    }
    hint_path(r, signal);
    otlp_receive(r, form, signal);
}

static void get_root(struct http_req *r)
{
    http_reply_header(r, S("allow"), S("POST"));
    http_reply_error(r, 405, "ccmon receives OTLP here: POST /v1/metrics, /v1/logs or /v1/traces, as application/x-protobuf "
                             "or application/json, or gRPC. The pages are on another port");
}

const struct http_route routes_otlp[] = {
    { HTTP_POST, "**/v1/metrics", post_metrics, ROUTE_LOOP | ROUTE_INGEST, "OTLP/HTTP metrics, protobuf or JSON, under any base path" },
    { HTTP_POST, "**/v1/logs", post_logs, ROUTE_LOOP | ROUTE_INGEST, "OTLP/HTTP logs, likewise" },
    { HTTP_POST, "**/v1/traces", post_traces, ROUTE_LOOP | ROUTE_INGEST, "OTLP/HTTP traces, likewise" },
    { 0 },
};

const struct http_route routes_otlp_any[] = {
    { HTTP_POST, "**", post_any, ROUTE_LOOP | ROUTE_INGEST, "OTLP/HTTP at any other path, told apart by its content" },
    { HTTP_GET, "/", get_root, ROUTE_LOOP, "says what this port is for" },
    { 0 },
};

void otlp_refuse(struct http_req *r, int status, struct str why)
{
    enum otlp_form form;
    if (form_of(r, &form))
        refuse(r, form, status, why);
    else
        http_reply_error(r, status, STR_FMT, STR_ARG(why));
}

/* ---- replay -------------------------------------------------------------------------------- */

static enum err decode_frame(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns,
                             struct arena *mem, struct batch *ret, struct fault *f)
{
    (void)arg;                                     /* nothing that is set now may matter */
    return otlp_decode(kind, body, recv_ns, oldest_ns(epoch, recv_ns), mem, ret, f);
}

struct frame_decoder otlp_frame_decoder(void)
{
    return (struct frame_decoder){ .decode = decode_frame };
}
