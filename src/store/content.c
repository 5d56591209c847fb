/* store/content.c -- the attributes that carry what people and models wrote.
 *
 * Errors, names of tools and files, lengths and hashes are not content: they are
 * what statistics are made of. A log line's own body (PLACE_FIELD) is not either:
 * Claude Code puts the event's name there, and for any other sender it is the log.
 */
#include "store/content.h"

static const struct {
    uint32_t tables;                               /* bit 1 << table */
    enum place place;
    struct str name;
} rows[] = {
#define LOG  (1u << TABLE_LOG)
#define SPAN (1u << TABLE_SPAN)
    { LOG, PLACE_ATTR, S("body") },                /* api_request_body, api_response_body */
    { LOG, PLACE_ATTR, S("prompt") },
    { LOG, PLACE_ATTR, S("prompt_text") },
    { LOG, PLACE_ATTR, S("response") },
    { LOG, PLACE_ATTR, S("tool") },                /* a tool's definition */
    { LOG | SPAN, PLACE_ATTR, S("system_prompt") },
    { LOG | SPAN, PLACE_ATTR, S("tool_input") },
    { LOG | SPAN, PLACE_ATTR, S("tool_parameters") },
    { LOG | SPAN, PLACE_ATTR, S("new_context") },
    { LOG | SPAN, PLACE_ATTR, S("user_prompt") },
    { SPAN, PLACE_ATTR, S("system_prompt_preview") },
    { SPAN, PLACE_ATTR, S("system_reminders") },
    { SPAN, PLACE_ATTR, S("tools") },
    { SPAN, PLACE_ATTR, S("response.model_output") },
    { SPAN, PLACE_ATTR, S("full_command") },
    { SPAN, PLACE_FIELD, S("events") },            /* tool.output among them */
    { LOG | SPAN, PLACE_ATTR, S("gen_ai.input.messages") },
    { LOG | SPAN, PLACE_ATTR, S("gen_ai.output.messages") },
    { LOG | SPAN, PLACE_ATTR, S("gen_ai.system_instructions") },
    { LOG | SPAN, PLACE_ATTR, S("gen_ai.tool.call.arguments") },
    { LOG | SPAN, PLACE_ATTR, S("gen_ai.tool.call.result") },
#undef LOG
#undef SPAN
};

bool is_content(enum table table, enum place place, struct str name)
{
    for (size_t i = 0; i < LEN(rows); i++)
        if (rows[i].place == place && rows[i].tables >> table & 1 && str_eq(rows[i].name, name))
            return true;
    return false;
}

bool is_content_value(enum place place, const struct value *v)
{
    if (v->type == V_NONE)
        return false;
    if (v->type != V_STR && v->type != V_JSON)
        return true;
    if (place == PLACE_FIELD)                      /* span events: most are attempts, a number and a name */
        return str_find(v->s, S("tool.output")) != SIZE_MAX;
    return v->s.n > 0 && !str_eq(v->s, S("<REDACTED>"));
}
