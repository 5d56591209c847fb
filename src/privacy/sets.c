/* privacy/sets.c -- the ready-made sets, as tables with a reason for every row.
 *
 * From what the real client sends, with every content switch of it on, and from the
 * names that OpenTelemetry's conventions have for the same things. Sizes, counts, ids
 * and times have names of their own (prompt_length, tool_result_size_bytes) and stay, so
 * that every total stays what it was.
 */
#include "privacy/privacy_int.h"

#define ROWS(kind, why, name) { kind, S(name), { 0 }, why }

static const char prompt[] = "what a person wrote", answer[] = "what the model wrote",
                  input[] = "what a tool was given: commands, paths, file contents", output[] = "what a tool gave back",
                  body[] = "request and answer of the API, whole", context[] = "instructions and conversation given to the model",
                  definition[] = "text of hooks, tools and settings", summary[] = "a text made from the conversation",
                  error[] = "an error's text can quote a request, a command or a file; error_type and status_code stay";

static const struct set_row no_prompts[] = {
    ROWS(ROW_CONTENT, prompt, "prompt"),
    ROWS(ROW_CONTENT, prompt, "prompt_text"),
    ROWS(ROW_CONTENT, prompt, "user_prompt"),
    ROWS(ROW_CONTENT, prompt, "gen_ai.prompt"),
    ROWS(ROW_CONTENT, prompt, "gen_ai.prompt.*"),
    ROWS(ROW_CONTENT, prompt, "feedback_text"),
    ROWS(ROW_WORD, prompt, "feedback"),
    ROWS(ROW_WORD, prompt, "comment"),
    ROWS(ROW_WORD, prompt, "command_args"),
    ROWS(ROW_CONTENT, answer, "response"),
    ROWS(ROW_CONTENT, answer, "response_text"),
    ROWS(ROW_CONTENT, answer, "response.model_output"),
    ROWS(ROW_CONTENT, answer, "model_output"),
    ROWS(ROW_CONTENT, answer, "assistant_response"),
    ROWS(ROW_CONTENT, answer, "gen_ai.completion"),
    ROWS(ROW_CONTENT, answer, "gen_ai.completion.*"),
    ROWS(ROW_CONTENT, answer, "completion"),
    ROWS(ROW_CONTENT, answer, "thinking"),
    ROWS(ROW_CONTENT, answer, "reasoning"),
    ROWS(ROW_CONTENT, answer, "explanation"),
    ROWS(ROW_CONTENT, input, "tool_input"),
    ROWS(ROW_CONTENT, input, "tool_parameters"),
    ROWS(ROW_CONTENT, input, "tool_arguments"),
    ROWS(ROW_CONTENT, input, "tool_args"),
    ROWS(ROW_CONTENT, input, "gen_ai.tool.call.arguments"),
    ROWS(ROW_CONTENT, input, "bash_command"),
    ROWS(ROW_CONTENT, input, "full_command"),
    ROWS(ROW_CONTENT, input, "file_path"),
    ROWS(ROW_CONTENT, input, "notebook_path"),
    ROWS(ROW_CONTENT, input, "old_string"),
    ROWS(ROW_CONTENT, input, "new_string"),
    ROWS(ROW_CONTENT, input, "commit_message"),
    ROWS(ROW_CONTENT, input, "process.command_line"),
    ROWS(ROW_CONTENT, input, "process.command_args"),
    ROWS(ROW_WORD, input, "command"),
    ROWS(ROW_WORD, input, "arguments"),
    ROWS(ROW_WORD, input, "parameters"),
    ROWS(ROW_WORD, input, "input"),
    ROWS(ROW_CONTENT, output, "tool_output"),
    ROWS(ROW_CONTENT, output, "tool_result"),
    ROWS(ROW_CONTENT, output, "tool_response"),
    ROWS(ROW_CONTENT, output, "gen_ai.tool.call.result"),
    ROWS(ROW_CONTENT, output, "diff"),
    ROWS(ROW_CONTENT, output, "stdout"),
    ROWS(ROW_CONTENT, output, "stderr"),
    ROWS(ROW_WORD, output, "output"),
    ROWS(ROW_WORD, output, "content"),
    ROWS(ROW_WORD, output, "text"),
    ROWS(ROW_WORD, body, "body"),
    ROWS(ROW_CONTENT, "name of a file with a body", "body_ref"),
    ROWS(ROW_CONTENT, body, "request_body"),
    ROWS(ROW_CONTENT, body, "response_body"),
    ROWS(ROW_CONTENT, context, "system_prompt"),
    ROWS(ROW_CONTENT, context, "system_prompt_preview"),
    ROWS(ROW_CONTENT, context, "system_reminders"),
    ROWS(ROW_CONTENT, context, "new_context"),
    ROWS(ROW_CONTENT, context, "additional_context"),
    ROWS(ROW_CONTENT, context, "system_message"),
    ROWS(ROW_CONTENT, context, "initial_user_message"),
    ROWS(ROW_CONTENT, context, "user_message"),
    ROWS(ROW_CONTENT, context, "custom_instructions"),
    ROWS(ROW_CONTENT, context, "gen_ai.input.messages"),
    ROWS(ROW_CONTENT, context, "gen_ai.output.messages"),
    ROWS(ROW_CONTENT, context, "gen_ai.system_instructions"),
    ROWS(ROW_WORD, context, "message"),
    ROWS(ROW_WORD, context, "messages"),
    ROWS(ROW_WORD, context, "parts"),
    ROWS(ROW_CONTENT, definition, "hook_definitions"),
    ROWS(ROW_CONTENT, definition, "hook_input"),
    ROWS(ROW_CONTENT, definition, "hook_output"),
    ROWS(ROW_CONTENT, definition, "gen_ai.tool.definitions"),
    ROWS(ROW_CONTENT, definition, "gen_ai.tool.description"),
    ROWS(ROW_CONTENT, definition, "tool_description"),
    ROWS(ROW_CONTENT, definition, "managed_settings.settings"),
    ROWS(ROW_WORD, definition, "tool"),
    ROWS(ROW_WORD, definition, "tools"),
    ROWS(ROW_CONTENT, summary, "session_title"),
    ROWS(ROW_CONTENT, summary, "conversation_title"),
    ROWS(ROW_WORD, summary, "title"),
    ROWS(ROW_WORD, summary, "summary"),
    ROWS(ROW_HASH, error, "error"),
    ROWS(ROW_HASH, error, "error_message"),
    ROWS(ROW_HASH, error, "exception.message"),
    ROWS(ROW_HASH, "a span's status message is its error's text", "status_message"),
    ROWS(ROW_CONTENT, error, "exception.stacktrace"),
    ROWS(ROW_BODY, "a body or pushed line; Claude Code's own are the event's name, which stays", "^claude_code\\.[a-z0-9_.]{1,64}$"),
};

static const char who[] = "who it was", where[] = "whose machine it was", org[] = "which company or group it was",
                  author[] = "who wrote a change";

#define AT_SIGN  "(?:@|%40|\\\\u0040|&#64;)"
#define DOMAIN   "[\\pL\\pN-]+(?:\\.[\\pL\\pN-]+)*\\.\\pL{2,}"

static const struct set_row no_people[] = {
    ROWS(ROW_HASH, who, "user.email"),
    ROWS(ROW_HASH, who, "user.id"),
    ROWS(ROW_HASH, who, "user.account_uuid"),
    ROWS(ROW_HASH, who, "user.account_id"),
    ROWS(ROW_HASH, who, "user.name"),
    ROWS(ROW_HASH, who, "user.full_name"),
    ROWS(ROW_HASH, who, "user.hash"),
    ROWS(ROW_HASH, who, "enduser.*"),
    ROWS(ROW_HASH, who, "account_uuid"),
    ROWS(ROW_HASH, who, "account_id"),
    ROWS(ROW_HASH, who, "email"),
    ROWS(ROW_HASH, who, "*_email"),
    ROWS(ROW_HASH, who, "username"),
    ROWS(ROW_HASH, who, "process.owner"),
    ROWS(ROW_HASH, who, "process.user.name"),
    ROWS(ROW_HASH, who, "process.real_user.name"),
    ROWS(ROW_HASH, who, "client.address"),
    ROWS(ROW_HASH, who, "source.address"),
    ROWS(ROW_HASH, org, "user.groups"),
    ROWS(ROW_HASH, org, "organization.id"),
    ROWS(ROW_HASH, org, "organization.name"),
    ROWS(ROW_HASH, org, "organization_uuid"),
    ROWS(ROW_HASH, org, "org.name"),
    ROWS(ROW_HASH, org, "org.id"),
    ROWS(ROW_HASH, where, "host.name"),
    ROWS(ROW_HASH, where, "host.id"),
    ROWS(ROW_HASH, where, "host.ip"),
    ROWS(ROW_HASH, where, "host.mac"),
    ROWS(ROW_HASH, where, "hostname"),
    ROWS(ROW_HASH, where, "device.id"),
    ROWS(ROW_HASH, author, "*git*author*"),
    ROWS(ROW_HASH, author, "*git*committer*"),
    ROWS(ROW_HASH, author, "vcs.*.author*"),
    { ROW_MATCH, S("[\\pL\\pN._%+'-]+(?:" AT_SIGN DOMAIN ")+"), S("@%\\&"), "an e-mail address, in any text" },
    { ROW_MATCH, S("(?i)(?:/home/|/Users/|[a-z]:[\\\\/]{1,2}Users[\\\\/]{1,2})([^/\\\\\\s\"':;,]+)"), S("/\\"),
      "the user's name in the path of a home directory" },
};

const struct set privacy_sets[] = {
    { S("no-prompts"), "nothing that a person, a model or a tool wrote", no_prompts, LEN(no_prompts) },
    { S("no-people"), "nobody's name, address, account or machine; equal ones stay equal, so that totals by user keep working",
      no_people, LEN(no_people) },
    { .name = { 0 } },
};

/* ---- into rules --------------------------------------------------------------------- */

enum { ROW_PLACES = PLACE_BIT(PLACE_ATTR) | PLACE_BIT(PLACE_FIELD), SERIES_PLACES = PLACES_ALL & ~ROW_PLACES };

static struct regex *compile(struct str pattern)
{
    struct regex *re = NULL;
    struct fault f;
    CHECK(!regex_new(pattern, REGEX_SEARCH, &re, &f));
    return re;
}

/* The rows of one kind are one rule; `places` is where. */
static bool add_names(struct privacy *p, const struct set *s, unsigned kinds, enum action action, uint32_t places)
{
    const struct rule *r = NULL;
    for (size_t i = 0; i < s->nrows; i++) {
        if (!(kinds & 1u << s->rows[i].kind))
            continue;
        if (!r)
            r = rule_add(p, action, places, NULL);
        if (!r || !rule_name(p, r, s->rows[i].name, NULL))
            return false;
    }
    return true;
}

static bool add_body(struct privacy *p, const struct set_row *row)
{
    struct rule *r = rule_add(p, ACTION_HASH, PLACE_BIT(PLACE_FIELD), NULL);
    if (!r)
        return false;
    r->unless = compile(row->name);
    return rule_name(p, r, S("body"), NULL);
}

static bool add_match(struct privacy *p, const struct set_row *row)
{
    struct rule *r = rule_add(p, ACTION_HASH, PLACES_ALL, compile(row->name));
    if (!r)
        return false;
    r->needs = row->needs;
    p->unnamed |= rule_bit(p, r);
    return true;
}

bool set_add(struct privacy *p, const struct set *s)
{
    bool ok = add_names(p, s, 1u << ROW_CONTENT | 1u << ROW_WORD, ACTION_DROP, PLACE_BIT(PLACE_ATTR)) &&
              add_names(p, s, 1u << ROW_CONTENT, ACTION_HASH, SERIES_PLACES) &&
              add_names(p, s, 1u << ROW_HASH, ACTION_HASH, PLACES_ALL);
    for (size_t i = 0; ok && i < s->nrows; i++) {
        if (s->rows[i].kind == ROW_BODY)
            ok = add_body(p, &s->rows[i]);
        else if (s->rows[i].kind == ROW_MATCH)
            ok = add_match(p, &s->rows[i]);
    }
    return ok;
}

/* ---- the documentation ------------------------------------------------------------------ */

static const char *const what[] = {
    [ROW_CONTENT] = "dropped; in labels, resources and scopes hashed",
    [ROW_WORD] = "dropped; in labels, resources and scopes kept",
    [ROW_HASH] = "hashed",
    [ROW_BODY] = "hashed",
    [ROW_MATCH] = "hashed",
};

/* "|" ends a cell. */
static void put_cell(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '|')
            buf_byte(out, '\\');
        buf_byte(out, s.p[i]);
    }
}

void privacy_describe(struct buf *out)
{
    rules_describe(out);
    for (const struct set *s = privacy_sets; s->name.n; s++) {
        buf_fmt(out, "\n`" STR_FMT "`: %s.\n\n| name | what is done | why |\n| --- | --- | --- |\n", STR_ARG(s->name), s->doc);
        for (size_t i = 0; i < s->nrows; i++) {
            const struct set_row *row = &s->rows[i];
            buf_str(out, row->kind == ROW_BODY ? S("| (body) unless ") : row->kind == ROW_MATCH ? S("| (any text) ") : S("| "));
            buf_byte(out, '`');
            put_cell(out, row->name);
            buf_fmt(out, "` | %s | %s |\n", what[row->kind], row->why);
        }
    }
}
