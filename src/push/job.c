/* push/job.c -- what remote write and Loki's push have in common on their way. */
#include "push/job.h"

#include "base/zip.h"

/* An arena that was used has its pages already: a megabyte of them is what a usual request
 * takes, and asking the system for them anew costs as much as decoding into them. */
enum spare { SPARE_NONE, SPARE_THERE, SPARE_BUSY };

static bool turn(struct push_receiver *rx, int i, enum spare from, enum spare to)
{
    int old = from;
    return atomic_compare_exchange_strong(&rx->spare[i].state, &old, to);
}

static void take_arena(struct push_receiver *rx, struct arena *ret)
{
    for (int i = 0; i < PUSH_SPARES; i++)
        if (turn(rx, i, SPARE_THERE, SPARE_BUSY)) {
            *ret = rx->spare[i].mem;
            atomic_store(&rx->spare[i].state, SPARE_NONE);
            return;
        }
    arena_init(ret, PUSH_MEMORY_MAX);
}

static void give_arena(struct push_receiver *rx, struct arena *a)
{
    for (int i = 0; i < PUSH_SPARES; i++)
        if (turn(rx, i, SPARE_NONE, SPARE_BUSY)) {
            arena_reset(a);
            rx->spare[i].mem = *a;
            atomic_store(&rx->spare[i].state, SPARE_THERE);
            return;
        }
    arena_done(a);
}

void push_receiver_done(struct push_receiver *rx)
{
    for (int i = 0; i < PUSH_SPARES; i++)
        if (turn(rx, i, SPARE_THERE, SPARE_NONE))
            arena_done(&rx->spare[i].mem);
    seen_free(rx->seen);
}

struct push_job *push_begin(struct http_req *r)
{
    struct push_job *j = arena_new(r->mem, struct push_job, 1);
    j->req = r;
    j->rx = r->arg;
    take_arena(j->rx, &j->mem);
    return j;
}

void push_end(struct push_job *j)
{
    batch_done(&j->batch);
    buf_done(&j->body);
    redact_done(&j->redact);
    give_arena(j->rx, &j->mem);
}

enum err push_unpack(struct push_job *j, struct str packed, struct str *ret, struct fault *f)
{
    enum err e = zip_unsnappy(packed, PUSH_BODY_MAX, &j->body, f);
    if (!e)
        *ret = buf_view(&j->body);
    return e;
}

enum err push_redact(struct push_job *j, enum frame_kind *kind, struct str *body, struct fault *f)
{
    struct privacy *rules = j->rx->privacy ? privacy_slot_get(j->rx->privacy) : NULL;
    if (!rules)
        return OK;
    redact_init(&j->redact, rules);
    bool loki = *kind == FRAME_LOKI_PB || *kind == FRAME_LOKI_JSON;
    enum err e = (loki ? redact_loki : redact_write)(&j->redact, kind, *body, &j->mem, j->req->recv_ns, &j->result, body, f);
    privacy_unref(rules);
    j->redact.rules = NULL;
    return e;
}

static void on_written(struct write_req *w, enum err e, const struct fault *f)
{
    struct push_job *j = w->arg;
    j->answer(j, e, f);
}

void push_store(struct push_job *j, enum frame_kind kind, uint32_t epoch, struct str frame)
{
    if (!j->batch.nrows && !j->batch.nmetas) {     /* Prometheus sends metadata in requests of its own */
        j->answer(j, OK, NULL);
        return;
    }
    j->write = (struct write_req){
        .kind = kind, .epoch = epoch, .body = frame, .recv_ns = j->batch.recv_ns, .batch = &j->batch, .done = on_written, .arg = j,
    };
    j->rx->sink->write(j->rx->sink, &j->write);
}

uint32_t push_epoch(const struct push_receiver *rx)
{
    int64_t seconds = atomic_load(&rx->retention_ns) / NS_PER_S;
    CHECK(seconds >= 0 && seconds <= UINT32_MAX);
    return (uint32_t)seconds;
}

int64_t push_oldest_ns(uint32_t epoch, int64_t recv_ns)
{
    int64_t oldest;
    if (!epoch || __builtin_sub_overflow(recv_ns, epoch * NS_PER_S, &oldest))
        return INT64_MIN;
    return oldest;
}

/* ---- answers ------------------------------------------------------------------------ */

void push_hint(struct push_receiver *rx, const char *cause, const char *text)
{
    if (rx->hint)
        rx->hint(rx->arg, cause, text);
}

void push_reply(struct http_req *r, int status, struct str text)
{
    http_reply(r, status, S("text/plain; charset=utf-8"), arena_fmt(r->mem, STR_FMT "\n", STR_ARG(text)));
}

void push_fail(struct http_req *r, enum err e, struct str what, struct str why)
{
    int status = e == E_SYNTAX ? 400 : e == E_LIMIT ? 413 : 503;
    struct str line = arena_fmt(r->mem, STR_FMT " from " STR_FMT " refused with %d: " STR_FMT, STR_ARG(what), STR_ARG(r->peer), status,
                                STR_ARG(why));
    push_hint(r->arg, status == 400 ? "push-malformed" : status == 413 ? "push-limit" : "push-unavailable", arena_cstr(r->mem, line));
    if (status == 503)
        http_reply_header(r, S("retry-after"), S(PUSH_RETRY_AFTER_S));
    push_reply(r, status, why);
}

void push_refuse(struct http_req *r, int status, struct str why)
{
    push_reply(r, status, why);
}
