/* ledger/story_events.c -- what each event of Claude Code does to the story of its session.
 *
 * A tool's decision is logged before the api_request of the very answer that asked for it,
 * and its result after it: calls are joined by tool_use_id, requests by request_id. A
 * prompt is every prompt.id, also one whose user_prompt was lost. Booleans come as "true",
 * numbers as texts; value_num() reads them all.
 */
#include "ledger/money.h"
#include "ledger/story_int.h"

#include <math.h>

/* ---- shared ------------------------------------------------------------------- */

static bool is_new(struct map *m, struct str id, uint32_t n, uint32_t *ret)
{
    bool fresh;
    *ret = map_intern(m, id, n, &fresh);
    return fresh;
}

int32_t telling_prompt(struct telling *t, const struct record *r)
{
    uint32_t i;
    if (!r->prompt_id.n)
        return STORY_NONE;
    if (is_new(&t->prompts, r->prompt_id, t->st->nprompts, &i))
        *arena_push(t->mem, t->st->prompts, t->st->nprompts, t->cap_prompts) =
            (struct prompt){ .id = r->prompt_id, .begin_ns = r->time_ns, .length = STORY_NONE };
    struct prompt *p = &t->st->prompts[i];
    p->begin_ns = MIN(p->begin_ns, r->time_ns);
    p->end_ns = MAX(p->end_ns, r->time_ns);
    return (int32_t)i;
}

struct tool_call *telling_tool(struct telling *t, struct str id)
{
    uint32_t i;
    if (!id.n)
        return NULL;
    if (is_new(&t->tools, id, t->st->ntools, &i))
        *arena_push(t->mem, t->st->tools, t->st->ntools, t->cap_tools) =
            (struct tool_call){ .id = id, .decided_ns = STORY_NONE, .end_ns = STORY_NONE, .run_ns = STORY_NONE, .wait_ns = STORY_NONE,
                                .input_bytes = STORY_NONE, .result_bytes = STORY_NONE, .success = STORY_NONE, .prompt = STORY_NONE };
    return &t->st->tools[i];
}

struct agent *telling_agent(struct telling *t, const struct record *r)
{
    uint32_t i;
    if (!r->agent_id.n)
        return NULL;
    if (is_new(&t->agents, r->agent_id, t->st->nagents, &i))
        *arena_push(t->mem, t->st->agents, t->st->nagents, t->cap_agents) =
            (struct agent){ .id = r->agent_id, .begin_ns = r->time_ns, .prompt = STORY_NONE };
    struct agent *a = &t->st->agents[i];
    a->begin_ns = MIN(a->begin_ns, r->time_ns);
    a->end_ns = MAX(a->end_ns, r->time_ns);
    return a;
}

void spent_add(struct spent *s, const struct request *r)
{
    s->requests += r->outcome != OUTCOME_ERROR;
    s->errors += r->outcome == OUTCOME_ERROR;
    for (int c = 0; c < TOKEN_CLASSES; c++)
        s->tokens[c] += r->tokens[c];
    if (r->nanos != STORY_NONE)
        s->nanos += r->nanos;
    else
        s->unpriced += r->outcome != OUTCOME_ERROR;
    s->list_nanos += r->list.nanos;
    s->uncached_nanos += r->list.uncached_nanos;
}

static struct mark *add_mark(struct telling *t, const struct record *r, struct str name, struct str detail, bool bad)
{
    struct mark *m = arena_push(t->mem, t->st->marks, t->st->nmarks, t->cap_marks);
    *m = (struct mark){ .time_ns = r->time_ns, .duration_ns = STORY_NONE, .kind = r->name, .name = name, .detail = detail,
                        .bad = bad, .prompt = telling_prompt(t, r) };
    return m;
}

static void note_model(struct telling *t, struct str model)
{
    for (uint32_t i = 0; i < t->st->nmodels; i++)
        if (str_eq(t->st->models[i], model))
            return;
    if (model.n)
        *arena_push(t->mem, t->st->models, t->st->nmodels, t->cap_models) = model;
}

/* ---- prompts -------------------------------------------------------------------- */

struct ev_prompt {
    struct record r;
    struct str text, command;
    int64_t length;
};
static const struct attr prompt_attrs[] = {
    { S("prompt"), ATTR_TEXT, offsetof(struct ev_prompt, text) },
    { S("command_name"), ATTR_TEXT, offsetof(struct ev_prompt, command) },
    { S("prompt_length"), ATTR_INT, offsetof(struct ev_prompt, length) },
    { .name = { 0 } },
};

static void tell_prompt(struct telling *t, const struct record *r)
{
    const struct ev_prompt *e = (const void *)r;
    int32_t i = telling_prompt(t, r);
    if (i < 0)
        return;
    struct prompt *p = &t->st->prompts[i];
    p->text = e->text;
    p->command = e->command;
    p->length = e->length;
}

/* ---- requests ------------------------------------------------------------------- */

struct ev_request {
    struct record r;
    struct str model, speed, query_source, effort, agent, skill, plugin, mcp_server, mcp_tool, error;
    int64_t input, output, read, write, write_1h, duration_ns, ttft_ns, status_code;
    double cost;
};
#define REQUEST(name, type, field) { S(name), type, offsetof(struct ev_request, field) }
static const struct attr request_attrs[] = {
    REQUEST("model", ATTR_TEXT, model),
    REQUEST("speed", ATTR_TEXT, speed),
    REQUEST("query_source", ATTR_TEXT, query_source),
    REQUEST("effort", ATTR_TEXT, effort),
    REQUEST("agent_name", ATTR_TEXT, agent),
    REQUEST("skill_name", ATTR_TEXT, skill),
    REQUEST("plugin_name", ATTR_TEXT, plugin),
    REQUEST("mcp_server_name", ATTR_TEXT, mcp_server),
    REQUEST("mcp_tool_name", ATTR_TEXT, mcp_tool),
    REQUEST("error", ATTR_TEXT, error),
    REQUEST("input_tokens", ATTR_INT, input),
    REQUEST("output_tokens", ATTR_INT, output),
    REQUEST("cache_read_tokens", ATTR_INT, read),
    REQUEST("cache_creation_tokens", ATTR_INT, write),
    REQUEST("cache_creation_1h_tokens", ATTR_INT, write_1h),
    REQUEST("duration_ms", ATTR_MS, duration_ns),
    REQUEST("ttft_ms", ATTR_MS, ttft_ns),
    REQUEST("status_code", ATTR_INT, status_code),
    REQUEST("cost_usd", ATTR_DOUBLE, cost),
    { .name = { 0 } },
};

static uint64_t count(int64_t v)
{
    return v > 0 ? (uint64_t)v : 0;
}

/* What is not said to be kept for an hour is kept for five minutes. */
static void put_tokens(const struct ev_request *e, uint64_t tokens[TOKEN_CLASSES])
{
    uint64_t write = count(e->write), hour = MIN(count(e->write_1h), write);
    tokens[TOKENS_INPUT] = count(e->input);
    tokens[TOKENS_OUTPUT] = count(e->output);
    tokens[TOKENS_READ] = count(e->read);
    tokens[TOKENS_WRITE_1H] = hour;
    tokens[TOKENS_WRITE_5M] = write - hour;
}

static void put_money(struct telling *t, const struct ev_request *e, struct request *q)
{
    struct usage u = { .model = e->model, .time_ns = e->r.time_ns, .fast = q->fast };
    for (int c = 0; c < TOKEN_CLASSES; c++)
        u.tokens[c] = q->tokens[c];
    q->list = prices_ask(t->prices, &u);
    q->reported = !isnan(e->cost) && money_from_usd(e->cost, &q->nanos);
    if (q->reported)
        q->reason = prices_explain(t->prices, &u, q->nanos);
    else if (q->list.status == PRICED)
        q->nanos = q->list.nanos;
}

static struct request *add_request(struct telling *t, const struct ev_request *e, enum outcome outcome)
{
    uint32_t i = t->st->nrequests;
    struct request *q = arena_push(t->mem, t->st->requests, t->st->nrequests, t->cap_requests);
    int64_t took = e->duration_ns == STORY_NONE ? 0 : e->duration_ns;
    *q = (struct request){ .begin_ns = e->r.time_ns - took, .end_ns = e->r.time_ns, .ttft_ns = e->ttft_ns, .id = e->r.request_id,
                           .model = e->model, .query_source = e->query_source, .effort = e->effort, .agent_id = e->r.agent_id,
                           .agent = e->agent, .skill = e->skill, .plugin = e->plugin, .mcp_server = e->mcp_server,
                           .mcp_tool = e->mcp_tool, .error = e->error, .status_code = e->status_code, .outcome = outcome,
                           .fast = str_eq(e->speed, S("fast")), .attempts = STORY_NONE, .nanos = STORY_NONE,
                           .prompt = telling_prompt(t, &e->r) };
    if (e->r.request_id.n)
        map_put(&t->requests, e->r.request_id, i);
    note_model(t, e->model);
    return q;
}

static void count_request(struct telling *t, const struct record *r, const struct request *q)
{
    struct agent *a = telling_agent(t, r);
    spent_add(&t->st->spent, q);
    if (q->prompt != STORY_NONE)
        spent_add(&t->st->prompts[q->prompt].spent, q);
    if (a) {
        a->type = q->agent.n ? q->agent : a->type;
        a->prompt = q->prompt;
        a->begin_ns = MIN(a->begin_ns, q->begin_ns);
        spent_add(&a->spent, q);
    }
}

static void tell_request(struct telling *t, const struct record *r)
{
    const struct ev_request *e = (const void *)r;
    bool refused = r->request_id.n && map_get(&t->refused, r->request_id) != MAP_NONE;
    struct request *q = add_request(t, e, refused ? OUTCOME_REFUSED : OUTCOME_OK);
    put_tokens(e, q->tokens);
    put_money(t, e, q);
    count_request(t, r, q);
}

static void tell_api_error(struct telling *t, const struct record *r)
{
    count_request(t, r, add_request(t, (const void *)r, OUTCOME_ERROR));
}

/* The request itself is logged, and charged, as any other, before or after this. */
static void tell_refusal(struct telling *t, const struct record *r)
{
    const struct ev_request *e = (const void *)r;
    uint32_t i = r->request_id.n ? map_get(&t->requests, r->request_id) : MAP_NONE;
    if (i != MAP_NONE)
        t->st->requests[i].outcome = OUTCOME_REFUSED;
    else if (r->request_id.n)
        map_put(&t->refused, r->request_id, 0);
    add_mark(t, r, e->model, S(""), true);
}

/* ---- tools ---------------------------------------------------------------------- */

struct ev_tool {
    struct record r;
    struct str id, name, source, decision, decided_by, mode, error_type, error, commit;
    int64_t input_bytes, result_bytes, duration_ns, success;
};
#define TOOL(name, type, field) { S(name), type, offsetof(struct ev_tool, field) }
static const struct attr tool_attrs[] = {
    TOOL("tool_use_id", ATTR_TEXT, id),
    TOOL("tool_name", ATTR_TEXT, name),
    TOOL("tool_source", ATTR_TEXT, source),
    TOOL("decision", ATTR_TEXT, decision),
    TOOL("source", ATTR_TEXT, decided_by),
    TOOL("permission_mode", ATTR_TEXT, mode),
    TOOL("error_type", ATTR_TEXT, error_type),
    TOOL("error", ATTR_TEXT, error),
    TOOL("vcs_ref_head_revision", ATTR_TEXT, commit),
    TOOL("tool_input_size_bytes", ATTR_INT, input_bytes),
    TOOL("tool_result_size_bytes", ATTR_INT, result_bytes),
    TOOL("duration_ms", ATTR_MS, duration_ns),
    TOOL("success", ATTR_BOOL, success),
    { .name = { 0 } },
};

/* What decision and result both say. */
static struct tool_call *tool_of(struct telling *t, const struct ev_tool *e)
{
    struct tool_call *c = telling_tool(t, e->id);
    int32_t prompt = telling_prompt(t, &e->r);
    if (!c)
        return NULL;
    c->name = e->name.n ? e->name : c->name;
    c->source = e->source.n ? e->source : c->source;
    c->request_id = e->r.request_id.n ? e->r.request_id : c->request_id;
    c->agent_id = e->r.agent_id.n ? e->r.agent_id : c->agent_id;
    if (c->prompt == STORY_NONE && prompt != STORY_NONE) {
        c->prompt = prompt;
        t->st->prompts[prompt].tools++;
        struct agent *a = telling_agent(t, &e->r);
        if (a)
            a->tools++;
    }
    return c;
}

static void tell_decision(struct telling *t, const struct record *r)
{
    const struct ev_tool *e = (const void *)r;
    struct tool_call *c = tool_of(t, e);
    if (!c)
        return;
    c->decision = e->decision;
    c->decided_by = e->decided_by;
    c->permission_mode = e->mode;
    c->decided_ns = r->time_ns;
}

static void tell_result(struct telling *t, const struct record *r)
{
    const struct ev_tool *e = (const void *)r;
    struct tool_call *c = tool_of(t, e);
    if (!c)
        return;
    c->end_ns = r->time_ns;
    c->run_ns = e->duration_ns;
    c->input_bytes = e->input_bytes;
    c->result_bytes = e->result_bytes;
    c->success = e->success;
    c->error_type = e->error_type;
    c->error = e->error;
    c->commit = e->commit;
    if (c->prompt != STORY_NONE)
        t->st->prompts[c->prompt].failed_tools += e->success == 0;
}

/* ---- agents --------------------------------------------------------------------- */

struct ev_agent {
    struct record r;
    struct str type, source;
    int64_t async, swapped, duration_ns;
};
static const struct attr agent_attrs[] = {
    { S("agent_type"), ATTR_TEXT, offsetof(struct ev_agent, type) },
    { S("agent_source"), ATTR_TEXT, offsetof(struct ev_agent, source) },
    { S("is_async"), ATTR_BOOL, offsetof(struct ev_agent, async) },
    { S("model_swapped"), ATTR_BOOL, offsetof(struct ev_agent, swapped) },
    { S("duration_ms"), ATTR_MS, offsetof(struct ev_agent, duration_ns) },
    { .name = { 0 } },
};

static void tell_agent(struct telling *t, const struct record *r)
{
    const struct ev_agent *e = (const void *)r;
    struct agent *a = telling_agent(t, r);
    int32_t prompt = telling_prompt(t, r);
    if (!a)
        return;
    a->type = e->type.n ? e->type : a->type;
    a->source = e->source;
    a->completed = true;
    a->async = e->async == 1;
    a->model_swapped = e->swapped == 1;
    a->prompt = prompt != STORY_NONE ? prompt : a->prompt;
    if (e->duration_ns != STORY_NONE)
        a->begin_ns = MIN(a->begin_ns, r->time_ns - e->duration_ns);
}

/* ---- marks: what stands on the line of time by itself ------------------------------ */

struct ev_mark {
    struct record r;
    struct str skill, hook, server, status, trigger, from, to, error, code, plugin, mention, action, model;
    int64_t success, duration_ns, pre, post, total_ns, attempts, blocking;
};
#define MARK(name, type, field) { S(name), type, offsetof(struct ev_mark, field) }
static const struct attr mark_attrs[] = {
    MARK("skill_name", ATTR_TEXT, skill),
    MARK("hook_name", ATTR_TEXT, hook),
    MARK("server_name", ATTR_TEXT, server),
    MARK("status", ATTR_TEXT, status),
    MARK("trigger", ATTR_TEXT, trigger),
    MARK("from_mode", ATTR_TEXT, from),
    MARK("to_mode", ATTR_TEXT, to),
    MARK("error", ATTR_TEXT, error),
    MARK("error_name", ATTR_TEXT, code),
    MARK("plugin_name", ATTR_TEXT, plugin),
    MARK("mention_type", ATTR_TEXT, mention),
    MARK("action", ATTR_TEXT, action),
    MARK("model", ATTR_TEXT, model),
    MARK("success", ATTR_BOOL, success),
    MARK("duration_ms", ATTR_MS, duration_ns),
    MARK("total_duration_ms", ATTR_MS, total_ns),
    MARK("pre_tokens", ATTR_INT, pre),
    MARK("post_tokens", ATTR_INT, post),
    MARK("total_attempts", ATTR_INT, attempts),
    MARK("num_blocking", ATTR_INT, blocking),
    { .name = { 0 } },
};

static void tell_mark(struct telling *t, const struct record *r)
{
    const struct ev_mark *e = (const void *)r;
    const struct str *names[] = { &e->skill, &e->hook, &e->server, &e->plugin, &e->mention, &e->action, &e->code, &e->trigger, &e->model };
    struct str name = S("");
    for (size_t i = 0; i < LEN(names) && !name.n; i++)
        name = *names[i];
    struct str detail = e->error.n ? e->error : e->status;
    bool failed = e->success == 0 || e->error.n || str_eq(e->status, S("failed")) || e->blocking > 0;
    struct mark *m = add_mark(t, r, name, detail, failed);
    m->duration_ns = e->total_ns != STORY_NONE ? e->total_ns : e->duration_ns;
}

static void tell_compaction(struct telling *t, const struct record *r)
{
    const struct ev_mark *e = (const void *)r;
    struct str sizes = arena_fmt(t->mem, "%lld -> %lld tokens", (long long)e->pre, (long long)e->post);
    bool known = e->pre != STORY_NONE && e->post != STORY_NONE;
    add_mark(t, r, e->trigger, known ? sizes : e->error, e->success == 0)->duration_ns = e->duration_ns;
}

static void tell_mode(struct telling *t, const struct record *r)
{
    const struct ev_mark *e = (const void *)r;
    add_mark(t, r, e->to, e->from, false);
}

static void tell_gave_up(struct telling *t, const struct record *r)
{
    const struct ev_mark *e = (const void *)r;
    add_mark(t, r, e->model, e->error, true)->duration_ns = STORY_NONE;
}

/* Rows that say nothing of their own here: they only touch their prompt. */
static void tell_nothing(struct telling *t, const struct record *r)
{
    (void)telling_prompt(t, r);
    (void)telling_agent(t, r);
}

static const struct attr no_attrs[] = { { .name = { 0 } } };

#define EVENT(name, attrs, type, tell) { TABLE_LOG, S(name), attrs, sizeof(struct type), tell }
const struct kind story_events[] = {
    EVENT("user_prompt", prompt_attrs, ev_prompt, tell_prompt),
    EVENT("api_request", request_attrs, ev_request, tell_request),
    EVENT("api_error", request_attrs, ev_request, tell_api_error),
    EVENT("api_refusal", request_attrs, ev_request, tell_refusal),
    EVENT("api_retries_exhausted", mark_attrs, ev_mark, tell_gave_up),
    EVENT("tool_decision", tool_attrs, ev_tool, tell_decision),
    EVENT("tool_result", tool_attrs, ev_tool, tell_result),
    EVENT("subagent_completed", agent_attrs, ev_agent, tell_agent),
    EVENT("compaction", mark_attrs, ev_mark, tell_compaction),
    EVENT("permission_mode_changed", mark_attrs, ev_mark, tell_mode),
    EVENT("skill_activated", mark_attrs, ev_mark, tell_mark),
    EVENT("mcp_server_connection", mark_attrs, ev_mark, tell_mark),
    EVENT("hook_execution_complete", mark_attrs, ev_mark, tell_mark),
    EVENT("plugin_installed", mark_attrs, ev_mark, tell_mark),
    EVENT("at_mention", mark_attrs, ev_mark, tell_mark),
    EVENT("auth", mark_attrs, ev_mark, tell_mark),
    EVENT("internal_error", mark_attrs, ev_mark, tell_mark),
    { .name = { 0 } },
};
const struct kind story_other = { TABLE_LOG, S("other"), no_attrs, sizeof(struct record), tell_nothing };
