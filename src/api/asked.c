/* api/asked.c -- see asked.h. */
#include "api/asked.h"

static const int64_t timeout_default_ns = 120 * NS_PER_S;

int64_t asked_longest(const struct api *a)
{
    return a->limits.timeout_ns ? a->limits.timeout_ns : timeout_default_ns;
}

void asked_arena(const struct api *a, struct arena *ret)
{
    arena_init(ret, a->limits.memory_max ? a->limits.memory_max : QUERY_MEMORY_DEFAULT);
}

struct query_ctx asked_context(struct http_req *r, struct arena *mem, int64_t timeout_ns)
{
    const struct api *a = r->arg;
    int64_t now = clock_mono(a->clock), came = r->recv_mono_ns ? r->recv_mono_ns : now;
    return (struct query_ctx){
        .src = a->src,
        .origins = a->origins,
        .mem = mem,
        .limits = &a->limits,
        .clock = a->clock,
        .begin_mono_ns = now,
        .queued_ns = now - came,
        .deadline_mono_ns = came + timeout_ns,
        .cancelled = r->gone,
    };
}

void asked_end(const struct api *a, const struct query_ctx *q, struct str language, struct str text, struct str error)
{
    if (!a->asked)
        return;
    a->asked(a->asked_arg, &(struct api_query){
        .language = language,
        .text = text,
        .took_ns = clock_mono(q->clock) - q->begin_mono_ns,
        .queued_ns = q->queued_ns,
        .rows = q->stats.rows_read,
        .bytes = q->stats.bytes_read,
        .chunks = q->stats.chunks,
        .error = error,
    });
}
