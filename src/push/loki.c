/* push/loki.c -- POST /loki/api/v1/push: what Promtail, Alloy, Fluent Bit and others send.
 *
 * Answers are those of Loki 3. An entry that is there already is no error and counts
 * once; one that is older than others of its stream is taken, however much older.
 */
#include "push/entries.h"
#include "push/job.h"

static bool is_json(const struct http_req *r)
{
    struct str type = http_header(r, S("content-type"));
    return str_eq_nocase(str_trim(str_cut(&type, ';')), S("application/json"));
}

/* Writer's thread, or the handler's where nothing was to be written. */
static void answer(struct push_job *j, enum err e, const struct fault *f)
{
    struct http_req *r = j->req;
    uint64_t streams = j->result.streams;
    bool refused = !e && j->result.report.n;
    struct str why = S("");
    if (e)
        why = arena_str(r->mem, f ? str_c(f->msg) : S("not stored"));
    else if (refused)
        why = report_text(&j->result.report, S("; "), true, r->mem);
    push_end(j);
    if (e)
        push_fail(r, e, S("Loki push"), why);
    else if (!streams)
        push_reply(r, 422, S("error at least one valid stream is required for ingestion"));
    else if (refused)
        push_reply(r, 400, why);
    else
        http_reply(r, 204, S(""), S(""));
}

static void post_push(struct http_req *r)
{
    struct push_job *j = push_begin(r);
    struct fault f = { 0 };
    struct str body = r->body;
    enum frame_kind kind = is_json(r) ? FRAME_LOKI_JSON : FRAME_LOKI_PB;
    uint32_t epoch = push_epoch(j->rx);
    j->answer = answer;
    /* Protobuf is always packed with snappy, whatever a header says of another coding around it. */
    enum err e = kind == FRAME_LOKI_PB ? push_unpack(j, r->body, &body, &f) : OK;
    if (!e)
        e = push_redact(j, &kind, &body, &f);
    if (!e)
        e = loki_decode(kind, body, r->recv_ns, push_oldest_ns(epoch, r->recv_ns), &j->mem, &j->batch, &j->result, &f);
    if (e)
        answer(j, e, &f);
    else
        push_store(j, kind, epoch, body);
}

const struct http_route routes_push_loki[] = {
    { HTTP_POST, "/loki/api/v1/push", post_push, ROUTE_LOOP | ROUTE_INGEST | ROUTE_SNAPPY,
      "Loki's push: JSON, or protobuf packed with snappy" },
    { HTTP_POST, "/api/prom/push", post_push, ROUTE_LOOP | ROUTE_INGEST | ROUTE_SNAPPY, "the same at its older path" },
    { 0 },
};
