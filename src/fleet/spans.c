/* fleet/spans.c -- a turn's spans: children first, the interaction last, as the client
 * exports them.
 */
#include "fleet/fleet_int.h"
#include "otlp/fields.h"

enum { KIND_INTERNAL = 1, STATUS_ERROR = 2 };

static void put_id(struct scene *s, uint32_t field, struct str hex)
{
    char *raw = arena_alloc(s->mem, hex.n / 2, 1);
    for (size_t i = 0; i < hex.n; i++) {
        unsigned digit = (unsigned)(hex.p[i] <= '9' ? hex.p[i] - '0' : hex.p[i] - 'a' + 10);
        raw[i / 2] = (char)((unsigned char)raw[i / 2] << 4 | digit);
    }
    wire_put_bytes(s->traces, field, (struct str){ raw, hex.n / 2 });
}

static struct msg span_begin(struct scene *s, struct str name, struct str id, struct str parent, int64_t from_ns)
{
    struct buf *b = s->traces;
    struct msg m = msg_begin(b, F_SCOPES_ITEMS);
    put_id(s, F_SPAN_TRACE_ID, s->trace_id);
    put_id(s, F_SPAN_SPAN_ID, id);
    if (parent.n)
        put_id(s, F_SPAN_PARENT_ID, parent);
    wire_put_bytes(b, F_SPAN_NAME, name);
    wire_put_varint(b, F_SPAN_KIND, KIND_INTERNAL);
    wire_put_fixed64(b, F_SPAN_START, (uint64_t)from_ns);
    wire_put_fixed64(b, F_SPAN_END, (uint64_t)s->now_ns);
    standard_attrs(s, b, F_SPAN_ATTRS);
    attr_int(b, F_SPAN_ATTRS, S("duration_ms"), (s->now_ns - from_ns) / NS_PER_MS);
    s->truth->spans++;
    return m;
}

void span_request(struct scene *s, int64_t from_ns, struct str model, struct str request_id, const uint64_t tokens[FLEET_TOKEN_TYPES])
{
    static const struct str names[FLEET_TOKEN_TYPES] = {
        S("input_tokens"), S("output_tokens"), S("cache_read_tokens"), S("cache_creation_tokens"),
    };
    if (!s->traces)
        return;
    struct buf *b = s->traces;
    struct msg m = span_begin(s, S("claude_code.llm_request"), hex_of(&s->rng, 16, s->mem), s->root_span, from_ns);
    attr_text(b, F_SPAN_ATTRS, S("span.type"), S("llm_request"));
    attr_text(b, F_SPAN_ATTRS, S("model"), model);
    attr_text(b, F_SPAN_ATTRS, S("request_id"), request_id);
    attr_int(b, F_SPAN_ATTRS, S("attempt"), 1);
    attr_bool(b, F_SPAN_ATTRS, S("success"), true);
    for (uint32_t t = 0; t < FLEET_TOKEN_TYPES; t++)
        attr_int(b, F_SPAN_ATTRS, names[t], (int64_t)tokens[t]);
    msg_end(b, m);
}

void span_tool(struct scene *s, int64_t from_ns, struct str tool, struct str use_id, bool ok)
{
    if (!s->traces)
        return;
    struct buf *b = s->traces;
    struct str id = hex_of(&s->rng, 16, s->mem);
    struct msg m = span_begin(s, S("claude_code.tool.execution"), hex_of(&s->rng, 16, s->mem), id, from_ns);
    attr_text(b, F_SPAN_ATTRS, S("span.type"), S("tool.execution"));
    attr_text(b, F_SPAN_ATTRS, S("tool_use_id"), use_id);
    attr_bool(b, F_SPAN_ATTRS, S("success"), ok);
    if (!ok) {
        struct msg status = msg_begin(b, F_SPAN_STATUS);
        wire_put_varint(b, F_STATUS_CODE, STATUS_ERROR);
        msg_end(b, status);
    }
    msg_end(b, m);
    m = span_begin(s, S("claude_code.tool"), id, s->root_span, from_ns);
    attr_text(b, F_SPAN_ATTRS, S("span.type"), S("tool"));
    attr_text(b, F_SPAN_ATTRS, S("tool_name"), tool);
    attr_text(b, F_SPAN_ATTRS, S("tool_use_id"), use_id);
    msg_end(b, m);
}

void span_interaction(struct scene *s)
{
    if (!s->traces)
        return;
    struct buf *b = s->traces;
    struct msg m = span_begin(s, S("claude_code.interaction"), s->root_span, S(""), s->start_ns);
    attr_text(b, F_SPAN_ATTRS, S("span.type"), S("interaction"));
    attr_text(b, F_SPAN_ATTRS, S("user_prompt"), S("<REDACTED>"));
    attr_int(b, F_SPAN_ATTRS, S("interaction.sequence"), ++s->s->interaction);
    msg_end(b, m);
}
