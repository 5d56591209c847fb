/* ledger/measures.c -- the table of settled figures.
 *
 * `query_source` of an event names whatever asked ("sdk", "repl_main_thread", "compact",
 * "agent:builtin:general-purpose"); the metric's is main, subagent or auxiliary. In all
 * recordings the two agree by the rule below.
 *
 * Labels are chosen by leaving out what is known to be none, not by listing all there may be:
 * what stands in a resource and is not OpenTelemetry's or Claude Code's own was put there by
 * people (team, cost_center), and that is what they group by.
 */
#include "ledger/measures.h"

#include "model/names.h"

#define REQUEST S("api_request")
#define TOKENS(attribute, type) { S(attribute), S(type) }
#define COUNTED { { { 0 }, { 0 } } }

const struct measure measures[] = {
    { .name = S("ccmon_cost_usd_total"), .event = REQUEST, .values = { { S("cost_usd"), { 0 } } }, .nvalues = 1,
      .metric = S("claude_code_cost_usage_USD_total"), .type = METRIC_COUNTER, .unit = S("USD"),
      .help = S("Cost of API requests as the client reported it, at list price or under its contract.") },
    { .name = S("ccmon_tokens_total"), .event = REQUEST,
      .values = { TOKENS("input_tokens", "input"), TOKENS("output_tokens", "output"), TOKENS("cache_read_tokens", "cacheRead"),
                  TOKENS("cache_creation_tokens", "cacheCreation") }, .nvalues = 4,
      .metric = S("claude_code_token_usage_tokens_total"), .type = METRIC_COUNTER, .unit = S("tokens"),
      .help = S("Tokens of API requests, by type: input, output, cacheRead, cacheCreation.") },
    { .name = S("ccmon_requests_total"), .event = REQUEST, .values = COUNTED, .nvalues = 1,
      .type = METRIC_COUNTER, .help = S("API requests that were answered.") },
    { .name = S("ccmon_request_errors_total"), .event = S("api_error"), .values = COUNTED, .nvalues = 1,
      .type = METRIC_COUNTER, .help = S("API requests that were given up.") },
    { .name = S("ccmon_prompts_total"), .event = S("user_prompt"), .values = COUNTED, .nvalues = 1,
      .type = METRIC_COUNTER, .help = S("Prompts, slash commands and prompts made by the program among them.") },
    { .name = S("ccmon_active_seconds_total"), .metric = S("claude_code_active_time_seconds_total"), .type = METRIC_COUNTER,
      .unit = S("s"), .help = S("Time that people (user) and Claude Code (cli) were at work.") },
    { .name = S("ccmon_lines_total"), .metric = S("claude_code_lines_of_code_count_total"), .type = METRIC_COUNTER,
      .help = S("Lines of code, by type: added, removed.") },
    { .name = S("ccmon_commits_total"), .metric = S("claude_code_commit_count_total"), .type = METRIC_COUNTER,
      .help = S("Git commits.") },
    { .name = S("ccmon_pull_requests_total"), .metric = S("claude_code_pull_request_count_total"), .type = METRIC_COUNTER,
      .help = S("Pull requests.") },
};
const uint32_t nmeasures = LEN(measures);

/* ---- labels --------------------------------------------------------------------- */

/* Attributes of a record that are labels. */
static const struct {
    struct str label;
    bool plain;
} settled_labels[] = {
    { S("session_id"), true },      { S("user_id"), true },         { S("user_email"), true },
    { S("user_account_uuid"), true }, { S("organization_id"), true }, { S("model"), true },
    { S("query_source"), false },   { S("agent_name"), true },      { S("skill_name"), true },
    { S("plugin_name"), true },     { S("mcp_server_name"), true }, { S("mcp_tool_name"), true },
    { S("effort"), true },          { S("vcs_repository_name"), true }, { S("terminal_type"), true },
    { S("app_entrypoint"), true },
};

/* What OpenTelemetry, Prometheus and the client put on everything, and tells no figures apart. */
static const struct str left_out[] = {
    S("job"), S("instance"), S("type"), S("speed"), S("start_type"), S("app_version"), S("ccmon_source"), S("user_account_id"),
    S("identity_source"), S("ccr_session_id"), S("marketplace_name"), S("prompt_id"), S("agent_id"),
};
static const struct str left_out_prefixes[] = {
    S("__"), S("service_"), S("host_"), S("os_"), S("otel_"), S("telemetry_"), S("process_"), S("wsl_"), S("anthropic_"), S("vcs_"),
    S("workflow_"), S("user_groups"),
};

static bool is_listed(struct str label)
{
    for (size_t i = 0; i < LEN(settled_labels); i++)
        if (str_eq(settled_labels[i].label, label))
            return true;
    return false;
}

static bool is_left_out(struct str label)
{
    for (size_t i = 0; i < LEN(left_out); i++)
        if (str_eq(left_out[i], label))
            return true;
    for (size_t i = 0; i < LEN(left_out_prefixes); i++)
        if (str_starts(label, left_out_prefixes[i]))
            return true;
    return false;
}

/* The name of a listed label that an attribute spells; empty if none. */
static struct str listed_of(struct str attribute)
{
    for (size_t i = 0; i < LEN(settled_labels); i++)
        if (label_name_is(attribute, settled_labels[i].label))
            return settled_labels[i].label;
    return S("");
}

/* Identity is read from the record only (rule 8): a resource may claim to be any session. */
static bool is_identity(struct str label)
{
    return str_eq(label, S("session_id")) || str_starts(label, S("user_")) || str_eq(label, S("organization_id")) ||
           str_starts(label, S("agent_"));
}

static bool attribute_left_out(struct str attribute)
{
    for (size_t i = 0; i < LEN(left_out); i++)
        if (label_name_is(attribute, left_out[i]))
            return true;
    for (size_t i = 0; i < LEN(left_out_prefixes); i++) {
        struct str p = left_out_prefixes[i];
        if (attribute.n >= p.n && label_name_is(str_sub(attribute, 0, p.n), p))
            return true;
    }
    return false;
}

struct str settled_label(const struct colkey *key)
{
    if (key->place == PLACE_LABEL)
        return is_listed(key->name) || !is_left_out(key->name) ? key->name : S("");
    if (key->place != PLACE_ATTR && key->place != PLACE_RESOURCE)
        return S("");
    struct str listed = listed_of(key->name);
    if (key->place == PLACE_ATTR)
        return listed;
    if (listed.n)
        return is_identity(listed) ? S("") : listed;
    return attribute_left_out(key->name) ? S("") : key->name;
}

bool settled_label_is_plain(struct str label)
{
    for (size_t i = 0; i < LEN(settled_labels); i++)
        if (str_eq(settled_labels[i].label, label))
            return settled_labels[i].plain;
    return !is_left_out(label);
}

struct str settled_text(struct str label, struct str text)
{
    static const struct { struct str text, means; } sources[] = {
        { S("sdk"), S("main") },   { S("repl_main_thread"), S("main") }, { S("main"), S("main") },
        { S("subagent"), S("subagent") },
    };
    if (!str_eq(label, S("query_source")) || !text.n)
        return text;
    if (str_starts(text, S("agent:")))
        return S("subagent");
    for (size_t i = 0; i < LEN(sources); i++)
        if (str_eq(sources[i].text, text))
            return sources[i].means;
    return S("auxiliary");
}
