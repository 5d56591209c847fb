/* ledger/story_spans.c -- what only traces know: attempts, waiting for permission, which tool
 * call an agent's work hangs under.
 *
 * Spans refine what events told and never add requests or tools of their own: both describe
 * the same ones, and a figure must not hang on whether traces are on. A child may come in an
 * earlier request than its parent and may start after its parent has ended; so tools are
 * noted first (by start, parents before children) and looked up by span id.
 */
#include "ledger/story_int.h"

struct sp_request {
    struct record r;
    int64_t attempt, ttft_ns;
};
static const struct attr request_attrs[] = {
    { S("attempt"), ATTR_INT, offsetof(struct sp_request, attempt) },
    { S("ttft_ms"), ATTR_MS, offsetof(struct sp_request, ttft_ns) },
    { .name = { 0 } },
};

static void tell_request(struct telling *t, const struct record *r)
{
    const struct sp_request *s = (const void *)r;
    uint32_t i = r->request_id.n ? map_get(&t->requests, r->request_id) : MAP_NONE;
    if (i != MAP_NONE) {
        struct request *q = &t->st->requests[i];
        t->st->traced += q->attempts == STORY_NONE;
        q->attempts = MAX(q->attempts, s->attempt);
        q->ttft_ns = q->ttft_ns == STORY_NONE ? s->ttft_ns : q->ttft_ns;
    }
    uint32_t agent = r->agent_id.n ? map_get(&t->agents, r->agent_id) : MAP_NONE;
    uint32_t tool = r->parent_span_id.n ? map_get(&t->spans, r->parent_span_id) : MAP_NONE;
    if (agent != MAP_NONE && tool != MAP_NONE && !t->st->agents[agent].parent_tool.n)
        t->st->agents[agent].parent_tool = t->st->tools[tool].id;
}

struct sp_tool {
    struct record r;
    struct str id;
};
static const struct attr tool_attrs[] = {
    { S("tool_use_id"), ATTR_TEXT, offsetof(struct sp_tool, id) },
    { .name = { 0 } },
};

static void tell_tool(struct telling *t, const struct record *r)
{
    const struct sp_tool *s = (const void *)r;
    uint32_t i = s->id.n ? map_get(&t->tools, s->id) : MAP_NONE;
    if (i != MAP_NONE && r->span_id.n)
        map_put(&t->spans, r->span_id, i);
}

struct sp_wait {
    struct record r;
    int64_t duration_ns;
};
static const struct attr wait_attrs[] = {
    { S("duration_ns"), ATTR_INT, offsetof(struct sp_wait, duration_ns) },
    { .name = { 0 } },
};

static void tell_wait(struct telling *t, const struct record *r)
{
    const struct sp_wait *s = (const void *)r;
    uint32_t tool = r->parent_span_id.n ? map_get(&t->spans, r->parent_span_id) : MAP_NONE;
    if (tool != MAP_NONE)
        t->st->tools[tool].wait_ns = s->duration_ns;
}

#define SPAN(name, attrs, type, tell) { TABLE_SPAN, S(name), attrs, sizeof(struct type), tell }
const struct kind story_spans[] = {
    SPAN("claude_code.tool", tool_attrs, sp_tool, tell_tool),
    SPAN("claude_code.tool.execution", tool_attrs, sp_tool, tell_tool),
    SPAN("claude_code.llm_request", request_attrs, sp_request, tell_request),
    SPAN("claude_code.tool.blocked_on_user", wait_attrs, sp_wait, tell_wait),
    { .name = { 0 } },
};
