/* ledger/story_write.c -- a story as JSON.
 *
 * Times are strings of nanoseconds and durations numbers of milliseconds, as a browser can
 * hold them; money is numbers of USD beside integers of nano-dollars as strings. What is
 * unknown is null, so that a page can tell it from zero.
 */
#include "ledger/story_write.h"

#include "base/clock.h"
#include "base/num.h"
#include "ledger/money.h"

static void put_ns(struct jw *w, struct str key, int64_t ns)
{
    char text[24];
    jw_key(w, key);
    if (ns == STORY_NONE)
        jw_null(w);
    else
        jw_str(w, (struct str){ text, num_fmt_i64(text, ns) });
}

static void put_ms(struct jw *w, struct str key, int64_t ns)
{
    jw_key(w, key);
    if (ns == STORY_NONE)
        jw_null(w);
    else
        jw_f64(w, (double)ns / (double)NS_PER_MS);
}

static void put_int(struct jw *w, struct str key, int64_t v)
{
    jw_key(w, key);
    if (v == STORY_NONE)
        jw_null(w);
    else
        jw_i64(w, v);
}

static void put_text(struct jw *w, struct str key, struct str s)
{
    if (s.n)
        jw_kv_str(w, key, s);
}

static void put_money(struct jw *w, struct str key, int64_t nanos)
{
    jw_key(w, key);
    if (nanos == STORY_NONE)
        jw_null(w);
    else
        jw_f64(w, money_usd(nanos));
}

static void put_tokens(struct jw *w, const uint64_t tokens[TOKEN_CLASSES])
{
    jw_key(w, S("tokens"));
    jw_obj(w);
    for (int c = 0; c < TOKEN_CLASSES; c++)
        jw_kv_i64(w, token_class_names[c], (int64_t)tokens[c]);
    jw_obj_end(w);
}

static void put_spent(struct jw *w, const struct spent *s)
{
    jw_key(w, S("spent"));
    jw_obj(w);
    jw_kv_i64(w, S("requests"), s->requests);
    jw_kv_i64(w, S("errors"), s->errors);
    put_tokens(w, s->tokens);
    put_money(w, S("usd"), s->nanos);
    put_ns(w, S("nano_usd"), s->nanos);
    put_money(w, S("list_usd"), s->list_nanos);
    put_money(w, S("uncached_usd"), s->uncached_nanos);
    jw_kv_i64(w, S("unpriced"), s->unpriced);
    jw_obj_end(w);
}

void story_put_request(struct jw *w, const struct request *q)
{
    static const struct str outcomes[] = { S("ok"), S("error"), S("refused") };
    put_text(w, S("id"), q->id);
    put_ns(w, S("begin_ns"), q->begin_ns);
    put_ns(w, S("end_ns"), q->end_ns);
    put_ms(w, S("ttft_ms"), q->ttft_ns);
    jw_kv_str(w, S("outcome"), outcomes[q->outcome]);
    put_text(w, S("model"), q->model);
    put_text(w, S("query_source"), q->query_source);
    put_text(w, S("effort"), q->effort);
    put_text(w, S("agent_id"), q->agent_id);
    put_text(w, S("agent"), q->agent);
    put_text(w, S("skill"), q->skill);
    put_text(w, S("plugin"), q->plugin);
    put_text(w, S("mcp_server"), q->mcp_server);
    put_text(w, S("mcp_tool"), q->mcp_tool);
    put_text(w, S("error"), q->error);
    put_int(w, S("status_code"), q->status_code);
    put_int(w, S("attempts"), q->attempts);
    put_int(w, S("prompt"), q->prompt);
    jw_kv_bool(w, S("fast"), q->fast);
    put_tokens(w, q->tokens);
    put_money(w, S("usd"), q->nanos);
    jw_kv_bool(w, S("reported"), q->reported);
    jw_kv_str(w, S("price"), price_status_names[q->list.status]);
    if (q->list.status == PRICED)
        put_money(w, S("list_usd"), q->list.nanos);
    if (q->reported)
        jw_kv_str(w, S("difference"), price_reasons[q->reason].name);
}

void story_put_tool(struct jw *w, const struct tool_call *c)
{
    jw_kv_str(w, S("id"), c->id);
    jw_kv_str(w, S("name"), c->name);
    put_text(w, S("source"), c->source);
    put_text(w, S("request_id"), c->request_id);
    put_text(w, S("agent_id"), c->agent_id);
    put_text(w, S("decision"), c->decision);
    put_text(w, S("decided_by"), c->decided_by);
    put_text(w, S("permission_mode"), c->permission_mode);
    put_ns(w, S("decided_ns"), c->decided_ns);
    put_ns(w, S("end_ns"), c->end_ns);
    put_ms(w, S("run_ms"), c->run_ns);
    put_ms(w, S("wait_ms"), c->wait_ns);
    put_int(w, S("input_bytes"), c->input_bytes);
    put_int(w, S("result_bytes"), c->result_bytes);
    jw_key(w, S("success"));
    if (c->success == STORY_NONE)
        jw_null(w);
    else
        jw_bool(w, c->success != 0);
    put_text(w, S("error_type"), c->error_type);
    put_text(w, S("error"), c->error);
    put_text(w, S("commit"), c->commit);
    put_int(w, S("prompt"), c->prompt);
    put_money(w, S("inferred_usd"), c->paid ? c->nanos : STORY_NONE);
    put_ns(w, S("inferred_nano_usd"), c->paid ? c->nanos : STORY_NONE);
}

void story_put_prompt(struct jw *w, const struct prompt *p)
{
    jw_kv_str(w, S("id"), p->id);
    put_text(w, S("text"), p->text);
    put_text(w, S("command"), p->command);
    put_int(w, S("length"), p->length);
    put_ns(w, S("begin_ns"), p->begin_ns);
    put_ns(w, S("end_ns"), p->end_ns);
    put_spent(w, &p->spent);
    jw_kv_i64(w, S("tools"), p->tools);
    jw_kv_i64(w, S("failed_tools"), p->failed_tools);
}

void story_put_agent(struct jw *w, const struct agent *a)
{
    jw_kv_str(w, S("id"), a->id);
    put_text(w, S("type"), a->type);
    put_text(w, S("source"), a->source);
    put_text(w, S("parent_tool"), a->parent_tool);
    put_ns(w, S("begin_ns"), a->begin_ns);
    put_ns(w, S("end_ns"), a->end_ns);
    jw_kv_bool(w, S("completed"), a->completed);
    jw_kv_bool(w, S("async"), a->async);
    jw_kv_bool(w, S("model_swapped"), a->model_swapped);
    put_spent(w, &a->spent);
    jw_kv_i64(w, S("tools"), a->tools);
    put_int(w, S("prompt"), a->prompt);
}

void story_put_mark(struct jw *w, const struct mark *m)
{
    put_ns(w, S("time_ns"), m->time_ns);
    put_ms(w, S("duration_ms"), m->duration_ns);
    jw_kv_str(w, S("kind"), m->kind);
    put_text(w, S("name"), m->name);
    put_text(w, S("detail"), m->detail);
    jw_kv_bool(w, S("bad"), m->bad);
    put_int(w, S("prompt"), m->prompt);
}

static void put_complete(struct jw *w, const struct story *st)
{
    const struct completeness_row *row = &completeness_rows[st->complete.state];
    jw_key(w, S("completeness"));
    jw_obj(w);
    jw_kv_str(w, S("state"), row->name);
    jw_kv_str(w, S("text"), row->text);
    jw_kv_bool(w, S("whole"), row->whole);
    if (st->complete.since_ns)
        put_ns(w, S("since_ns"), st->complete.since_ns);
    jw_kv_i64(w, S("events_tokens"), (int64_t)st->complete.events_tokens);
    jw_kv_i64(w, S("metrics_tokens"), (int64_t)st->complete.metrics_tokens);
    jw_kv_i64(w, S("traced_requests"), st->traced);
    jw_obj_end(w);
}

static void put_head(struct jw *w, const struct story *st)
{
    const struct { struct str key, text; } texts[] = {
        { S("user_email"), st->user_email }, { S("user_id"), st->user_id },       { S("account"), st->account },
        { S("organization"), st->organization }, { S("terminal"), st->terminal }, { S("entrypoint"), st->entrypoint },
        { S("version"), st->version }, { S("repository"), st->repository },       { S("os"), st->os },
        { S("provider"), st->provider },
    };
    jw_kv_str(w, S("session"), st->session);
    for (size_t i = 0; i < LEN(texts); i++)
        put_text(w, texts[i].key, texts[i].text);
    put_ns(w, S("begin_ns"), st->begin_ns);
    put_ns(w, S("end_ns"), st->end_ns);
    jw_key(w, S("models"));
    jw_arr(w);
    for (uint32_t i = 0; i < st->nmodels; i++)
        jw_str(w, st->models[i]);
    jw_arr_end(w);
    jw_kv_i64(w, S("events"), st->events);
    jw_kv_i64(w, S("spans"), st->spans);
    jw_kv_bool(w, S("traces"), st->has_traces);
    put_spent(w, &st->spent);
    put_ns(w, S("prompts_nano_usd"), st->prompts_nanos);
    put_complete(w, st);
}

#define PUT_LIST(w, key, put, list, n)       \
    do {                                     \
        jw_key(w, S(key));                   \
        jw_arr(w);                           \
        for (uint32_t i = 0; i < (n); i++) { \
            jw_obj(w);                       \
            put(w, &(list)[i]);              \
            jw_obj_end(w);                   \
        }                                    \
        jw_arr_end(w);                       \
    } while (0)

void story_write(const struct story *st, struct jw *w)
{
    jw_obj(w);
    put_head(w, st);
    story_put_lanes(w, st);
    PUT_LIST(w, "prompts", story_put_prompt, st->prompts, st->nprompts);
    PUT_LIST(w, "requests", story_put_request, st->requests, st->nrequests);
    PUT_LIST(w, "tools", story_put_tool, st->tools, st->ntools);
    PUT_LIST(w, "agents", story_put_agent, st->agents, st->nagents);
    PUT_LIST(w, "marks", story_put_mark, st->marks, st->nmarks);
    jw_obj_end(w);
}
