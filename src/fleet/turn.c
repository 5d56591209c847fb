/* fleet/turn.c -- one turn: a prompt, the API requests it takes, the tools between.
 *
 * The order of events is the client's: the decision about a tool comes before the
 * api_request of the answer that asked for it, its result after. What a request costs
 * is its tokens at list price, in whole nano-dollars.
 */
#include "fleet/fleet_int.h"
#include "otlp/fields.h"

enum {
    REQUESTS_MAX = 25, LOOP_REQUESTS = 320,
    CONTEXT_COMPACT = 165000, CONTEXT_AFTER = 21000,
    OUTAGE_ERRORS = 35, USUAL_ERRORS_PER_1000 = 6, REFUSALS_PER_1000 = 1,
};

/* Nano-dollars a token, by model and token type. */
static const int64_t prices[FLEET_MODELS][FLEET_TOKEN_TYPES] = {
    { 4000, 20000, 200, 5000 },
    { 2000, 10000, 100, 2500 },
    { 100, 500, 10, 125 },
};

static const struct tool {
    struct str name;
    uint32_t weight, mean_ms, fail_percent, deny_percent;
    bool edits;
} tools[] = {
    { S("Read"), 30, 15, 2, 0, false },   { S("Edit"), 18, 25, 3, 4, true },     { S("Write"), 6, 20, 1, 5, true },
    { S("Bash"), 24, 4200, 9, 3, false }, { S("Grep"), 10, 120, 1, 0, false },   { S("Glob"), 5, 40, 1, 0, false },
    { S("WebFetch"), 2, 1900, 8, 6, false }, { S("mcp_tool"), 5, 800, 4, 2, false },
};
static const struct str languages[] = { S("TypeScript"), S("Python"), S("Go"), S("C"), S("Markdown"), S("YAML") };

static void step(struct scene *s, int64_t ms)
{
    s->now_ns += ms * NS_PER_MS;
}

/* ---- requests --------------------------------------------------------------------------- */

struct request {
    uint32_t model;
    struct str source, query_source, agent, id;
    uint64_t tokens[FLEET_TOKEN_TYPES];
    uint64_t duration_ms, ttft_ms;
    int64_t nano;
};

static void count_request(struct scene *s, const struct request *q)
{
    s->truth->requests++;
    s->truth->cost_nano[q->model] += q->nano;
    struct str model = fleet_model_names[q->model];
    for (uint32_t t = 0; t < FLEET_TOKEN_TYPES; t++) {
        s->truth->tokens[q->model][t] += q->tokens[t];
        counter_add(s, M_TOKENS, model, q->query_source, fleet_token_names[t], (double)q->tokens[t], 0);
    }
    counter_add(s, M_COST, model, q->query_source, q->agent, 0, q->nano);
}

static void request_event(struct scene *s, const struct request *q)
{
    struct buf *b = s->logs;
    event_begin(s, S("api_request"), true);
    attr_text(b, F_LOG_ATTRS, S("model"), fleet_model_names[q->model]);
    attr_int(b, F_LOG_ATTRS, S("input_tokens"), (int64_t)q->tokens[FLEET_INPUT]);
    attr_int(b, F_LOG_ATTRS, S("output_tokens"), (int64_t)q->tokens[FLEET_OUTPUT]);
    attr_int(b, F_LOG_ATTRS, S("cache_read_tokens"), (int64_t)q->tokens[FLEET_CACHE_READ]);
    attr_int(b, F_LOG_ATTRS, S("cache_creation_tokens"), (int64_t)q->tokens[FLEET_CACHE_CREATION]);
    attr_double(b, F_LOG_ATTRS, S("cost_usd"), (double)q->nano / 1e9);
    attr_int(b, F_LOG_ATTRS, S("cost_usd_micros"), q->nano / 1000);
    attr_int(b, F_LOG_ATTRS, S("duration_ms"), (int64_t)q->duration_ms);
    attr_int(b, F_LOG_ATTRS, S("ttft_ms"), (int64_t)q->ttft_ms);
    attr_text(b, F_LOG_ATTRS, S("request_id"), q->id);
    attr_text(b, F_LOG_ATTRS, S("speed"), S("normal"));
    attr_text(b, F_LOG_ATTRS, S("query_source"), q->source);
    attr_text(b, F_LOG_ATTRS, S("effort"), S("medium"));
    if (q->agent.n)
        attr_text(b, F_LOG_ATTRS, S("agent.name"), q->agent);
    s->event.model = fleet_model_names[q->model];
    s->event.duration_ms = q->duration_ms;
    s->event.nano = q->nano;
    event_end(s);
}

static struct request draw_request(struct scene *s, uint32_t model)
{
    struct request q = { .model = model, .source = S("repl_main_thread"), .query_source = S("main") };
    q.id = arena_fmt(s->mem, "req_" STR_FMT, STR_ARG(hex_of(&s->rng, 24, s->mem)));
    q.tokens[FLEET_INPUT] = rng_between(&s->rng, 2, 9);
    q.tokens[FLEET_OUTPUT] = 24 + rng_skewed(&s->rng, 420);
    q.tokens[FLEET_CACHE_READ] = s->s->context;
    q.tokens[FLEET_CACHE_CREATION] = 60 + rng_skewed(&s->rng, 2300);
    q.ttft_ms = 420 + rng_skewed(&s->rng, 900);
    q.duration_ms = q.ttft_ms + q.tokens[FLEET_OUTPUT] * (model == 0 ? 17 : model == 1 ? 12 : 6);
    return q;
}

static void price(struct request *q)
{
    q->nano = 0;
    for (uint32_t t = 0; t < FLEET_TOKEN_TYPES; t++)
        q->nano += (int64_t)q->tokens[t] * prices[q->model][t];
}

static void finish_request(struct scene *s, struct request *q)
{
    price(q);
    int64_t from = s->now_ns;
    step(s, (int64_t)q->duration_ms);
    request_event(s, q);
    count_request(s, q);
    span_request(s, from, fleet_model_names[q->model], q->id, q->tokens);
}

static void compact(struct scene *s)
{
    struct request q = draw_request(s, s->s->model);
    q.source = S("compact");
    q.query_source = S("auxiliary");
    finish_request(s, &q);
    event_begin(s, S("compaction"), true);
    attr_text(s->logs, F_LOG_ATTRS, S("trigger"), S("auto"));
    attr_text(s->logs, F_LOG_ATTRS, S("success"), S("true"));
    attr_int(s->logs, F_LOG_ATTRS, S("duration_ms"), (int64_t)q.duration_ms);
    attr_digits(s->logs, F_LOG_ATTRS, S("pre_tokens"), s->s->context);
    attr_digits(s->logs, F_LOG_ATTRS, S("post_tokens"), CONTEXT_AFTER);
    event_end(s);
    s->s->context = CONTEXT_AFTER;
}

static void api_error(struct scene *s, uint32_t status)
{
    struct str model = fleet_model_names[s->s->model];
    struct str text = status == 529 ? S("Overloaded") : S("Internal server error");
    uint64_t waited = 8000 + rng_skewed(&s->rng, 20000);
    step(s, (int64_t)waited);
    event_begin(s, S("api_error"), true);
    attr_text(s->logs, F_LOG_ATTRS, S("model"), model);
    attr_text(s->logs, F_LOG_ATTRS, S("error"), text);
    attr_int(s->logs, F_LOG_ATTRS, S("status_code"), status);
    attr_int(s->logs, F_LOG_ATTRS, S("duration_ms"), (int64_t)waited);
    attr_int(s->logs, F_LOG_ATTRS, S("attempt"), 11);
    attr_text(s->logs, F_LOG_ATTRS, S("speed"), S("normal"));
    attr_text(s->logs, F_LOG_ATTRS, S("query_source"), S("repl_main_thread"));
    event_end(s);
    event_begin(s, S("api_retries_exhausted"), true);
    attr_text(s->logs, F_LOG_ATTRS, S("model"), model);
    attr_text(s->logs, F_LOG_ATTRS, S("error"), text);
    attr_int(s->logs, F_LOG_ATTRS, S("status_code"), status);
    attr_int(s->logs, F_LOG_ATTRS, S("total_attempts"), 11);
    attr_int(s->logs, F_LOG_ATTRS, S("total_retry_duration_ms"), (int64_t)waited);
    event_end(s);
    s->truth->errors++;
}

static void refusal(struct scene *s, const struct request *q)
{
    event_begin(s, S("api_refusal"), true);
    attr_text(s->logs, F_LOG_ATTRS, S("model"), fleet_model_names[q->model]);
    attr_text(s->logs, F_LOG_ATTRS, S("request_id"), q->id);
    attr_int(s->logs, F_LOG_ATTRS, S("attempt"), 1);
    attr_bool(s->logs, F_LOG_ATTRS, S("has_category"), false);
    attr_bool(s->logs, F_LOG_ATTRS, S("has_explanation"), false);
    attr_text(s->logs, F_LOG_ATTRS, S("query_source"), q->source);
    event_end(s);
    s->truth->refusals++;
}

/* ---- tools -------------------------------------------------------------------------------- */

static const struct tool *draw_tool(struct scene *s)
{
    uint64_t total = 0;
    for (size_t i = 0; i < LEN(tools); i++)
        total += tools[i].weight;
    uint64_t x = rng_below(&s->rng, total);
    const struct tool *t = tools;
    while (x >= t->weight)
        x -= t++->weight;
    return t;
}

static void count_edit(struct scene *s, const struct tool *t, bool accept)
{
    struct str language = languages[rng_below(&s->rng, LEN(languages))];
    counter_add(s, M_DECISIONS, accept ? S("accept") : S("reject"), t->name, language, 1, 0);
    if (!accept)
        return;
    uint64_t added = 1 + rng_skewed(&s->rng, 22), removed = t->name.n == 4 ? rng_skewed(&s->rng, 9) : 0;
    struct str model = fleet_model_names[s->s->model];
    counter_add(s, M_LINES, S("added"), model, S(""), (double)added, 0);
    counter_add(s, M_LINES, S("removed"), model, S(""), (double)removed, 0);
    s->truth->lines_added += added;
    s->truth->lines_removed += removed;
}

/* Returns whether it may run. */
static struct str word(struct scene *s)
{
    static const struct str words[] = {
        S("the"), S("a"), S("of"), S("please"), S("fix"), S("add"), S("test"), S("why"), S("does"), S("parser"), S("fail"), S("when"),
        S("button"), S("cache"), S("config"), S("request"), S("slow"), S("page"), S("error"), S("handle"), S("retry"), S("rename"),
        S("module"), S("release"), S("update"), S("docs"), S("query"), S("user"), S("login"), S("deploy"), S("metric"), S("upload"),
    };
    return words[rng_below(&s->rng, LEN(words))];
}

/* What somebody asked for, in words; one in so many is about the bug that nobody finds. */
static struct str prompt_text(struct scene *s)
{
    enum { WORDS_MEAN = 28, MARKED_ONE_IN = 200, TEXT_MAX = 8 * WORDS_MEAN * 12 };
    char *text = arena_alloc(s->mem, TEXT_MAX, 1);
    size_t n = 0;
    s->event.marked = rng_below(&s->rng, MARKED_ONE_IN) == 0;
    uint64_t words = 3 + rng_skewed(&s->rng, WORDS_MEAN), marked = rng_below(&s->rng, words);
    for (uint64_t i = 0; i < words && n + 16 < TEXT_MAX; i++) {
        struct str w = s->event.marked && i == marked ? S(FLEET_MARK) : word(s);
        memcpy(text + n, w.p, w.n);
        n += w.n;
        text[n++] = ' ';
    }
    return (struct str){ text, n - 1 };
}

static bool decide(struct scene *s, const struct tool *t, struct str use_id)
{
    bool accept = !rng_percent(&s->rng, t->deny_percent), asked = t->deny_percent && rng_percent(&s->rng, 40);
    event_begin(s, S("tool_decision"), true);
    attr_text(s->logs, F_LOG_ATTRS, S("decision"), accept ? S("accept") : S("reject"));
    attr_text(s->logs, F_LOG_ATTRS, S("source"), !accept ? S("user_reject") : asked ? S("user_temporary") : S("config"));
    attr_text(s->logs, F_LOG_ATTRS, S("tool_name"), t->name);
    attr_text(s->logs, F_LOG_ATTRS, S("tool_use_id"), use_id);
    attr_text(s->logs, F_LOG_ATTRS, S("tool_source"), t->name.p[0] == 'm' ? S("mcp") : S("builtin"));
    event_end(s);
    if (t->edits)
        count_edit(s, t, accept);
    s->truth->tool_denials += !accept;
    return accept;
}

/* A command that Bash ran, as the client describes it. */
static struct str command_text(struct scene *s)
{
    static const struct str commands[] = {
        S("npm test"), S("git status --short"), S("make -j8"), S("cargo build"), S("pytest -q"), S("grep -rn deprecated src"),
        S("docker compose ps"), S("go vet ./..."),
    };
    struct str c = commands[rng_below(&s->rng, LEN(commands))];
    return arena_fmt(s->mem, "{\"bash_command\":\"" STR_FMT "\",\"full_command\":\"cd work/" STR_FMT "/src/" STR_FMT
                             " && " STR_FMT " 2>&1 | tail -%u\",\"timeout\":%u}",
                     STR_ARG(c), STR_ARG(s->s->who->repo), STR_ARG(word(s)), STR_ARG(c), (unsigned)rng_between(&s->rng, 5, 60),
                     60000 * (unsigned)rng_between(&s->rng, 1, 5));
}

static void run_tool(struct scene *s, const struct tool *t, struct str use_id)
{
    bool ok = !rng_percent(&s->rng, t->fail_percent);
    uint64_t ms = 1 + rng_skewed(&s->rng, t->mean_ms), size = 40 + rng_skewed(&s->rng, 2600);
    int64_t from = s->now_ns;
    step(s, (int64_t)ms);
    event_begin(s, S("tool_result"), true);
    attr_text(s->logs, F_LOG_ATTRS, S("tool_name"), t->name);
    attr_text(s->logs, F_LOG_ATTRS, S("tool_use_id"), use_id);
    if (s->cfg->texts && t->mean_ms == 4200)
        attr_text(s->logs, F_LOG_ATTRS, S("tool_parameters"), command_text(s));
    s->event.tool = t->name;
    s->event.duration_ms = ms;
    attr_text(s->logs, F_LOG_ATTRS, S("success"), ok ? S("true") : S("false"));
    attr_digits(s->logs, F_LOG_ATTRS, S("duration_ms"), ms);
    attr_digits(s->logs, F_LOG_ATTRS, S("tool_input_size_bytes"), 30 + rng_skewed(&s->rng, 300));
    if (ok)
        attr_digits(s->logs, F_LOG_ATTRS, S("tool_result_size_bytes"), size);
    else
        attr_text(s->logs, F_LOG_ATTRS, S("error_type"), S("Error"));
    event_end(s);
    s->truth->tool_calls++;
    span_tool(s, from, t->name, use_id, ok);
    if (ok && t->mean_ms == 4200 && rng_percent(&s->rng, 4)) {
        counter_add(s, M_COMMITS, S(""), S(""), S(""), 1, 0);
        s->truth->commits++;
    }
}

/* ---- the turn ------------------------------------------------------------------------------ */

static void begin_session(struct scene *s)
{
    static const struct str plugins[] = { S("code-review"), S("security-guidance"), S("commit-commands") };
    counter_add(s, M_SESSIONS, s->s->continued ? S("resume") : S("fresh"), S(""), S(""), 1, 0);
    for (size_t i = 0; i < LEN(plugins); i++) {
        event_begin(s, S("plugin_loaded"), false);
        attr_text(s->logs, F_LOG_ATTRS, S("plugin.name"), plugins[i]);
        attr_text(s->logs, F_LOG_ATTRS, S("plugin.scope"), S("user"));
        attr_bool(s->logs, F_LOG_ATTRS, S("has_hooks"), i == 1);
        event_end(s);
    }
    s->truth->sessions++;
}

static void prompt(struct scene *s)
{
    event_begin(s, S("user_prompt"), true);
    attr_digits(s->logs, F_LOG_ATTRS, S("prompt_length"), 12 + rng_skewed(&s->rng, 240));
    attr_text(s->logs, F_LOG_ATTRS, S("prompt"), s->cfg->texts ? prompt_text(s) : S("<REDACTED>"));
    attr_text(s->logs, F_LOG_ATTRS, S("message.uuid"), uuid_of(&s->rng, s->mem));
    event_end(s);
    s->truth->prompts++;
}

static void answer(struct scene *s, const struct request *q)
{
    event_begin(s, S("assistant_response"), true);
    attr_int(s->logs, F_LOG_ATTRS, S("response_length"), (int64_t)q->tokens[FLEET_OUTPUT] * 4);
    attr_text(s->logs, F_LOG_ATTRS, S("response"), S("<REDACTED>"));
    attr_text(s->logs, F_LOG_ATTRS, S("request_id"), q->id);
    attr_text(s->logs, F_LOG_ATTRS, S("model"), fleet_model_names[q->model]);
    attr_text(s->logs, F_LOG_ATTRS, S("query_source"), q->source);
    event_end(s);
}

static void subagent(struct scene *s)
{
    uint32_t n = (uint32_t)rng_between(&s->rng, 2, 7);
    uint64_t tokens = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct request q = draw_request(s, 2);
        q.source = S("agent:builtin:Explore");
        q.query_source = S("subagent");
        q.agent = S("Explore");
        q.tokens[FLEET_CACHE_READ] = 9000 + i * 2100;
        finish_request(s, &q);
        tokens += q.tokens[FLEET_INPUT] + q.tokens[FLEET_OUTPUT] + q.tokens[FLEET_CACHE_READ];
    }
    event_begin(s, S("subagent_completed"), true);
    attr_text(s->logs, F_LOG_ATTRS, S("agent_type"), S("Explore"));
    attr_bool(s->logs, F_LOG_ATTRS, S("is_built_in"), true);
    attr_int(s->logs, F_LOG_ATTRS, S("total_tokens"), (int64_t)tokens);
    attr_int(s->logs, F_LOG_ATTRS, S("total_tool_uses"), n);
    attr_text(s->logs, F_LOG_ATTRS, S("model"), fleet_model_names[2]);
    event_end(s);
}

/* One request and what follows from it. False: the turn ends here. */
static bool one_request(struct scene *s, bool last)
{
    if (rng_below(&s->rng, 1000) < (s->s->outage ? OUTAGE_ERRORS * 10 : USUAL_ERRORS_PER_1000)) {
        api_error(s, s->s->outage ? 529 : 500);
        return false;
    }
    struct request q = draw_request(s, s->s->model);
    const struct tool *t = last ? NULL : draw_tool(s);
    struct str use_id = arena_fmt(s->mem, "toolu_" STR_FMT, STR_ARG(hex_of(&s->rng, 24, s->mem)));
    bool run = t && decide(s, t, use_id);
    finish_request(s, &q);
    s->s->context += q.tokens[FLEET_CACHE_CREATION] + q.tokens[FLEET_OUTPUT];
    if (rng_below(&s->rng, 1000) < REFUSALS_PER_1000) {
        refusal(s, &q);
        return false;
    }
    if (last)
        answer(s, &q);
    if (run)
        run_tool(s, t, use_id);
    if (!last && rng_percent(&s->rng, 2))
        subagent(s);
    if (s->s->context > CONTEXT_COMPACT)
        compact(s);
    return !t || run;
}

static void count_time(struct scene *s)
{
    uint64_t cli_ms = (uint64_t)(s->now_ns - s->start_ns) / NS_PER_MS, user_ms = rng_between(&s->rng, 1000, 30000);
    counter_add(s, M_ACTIVE, S("cli"), S(""), S(""), (double)cli_ms / 1000, 0);
    counter_add(s, M_ACTIVE, S("user"), S(""), S(""), (double)user_ms / 1000, 0);
    s->truth->active_ms += cli_ms + user_ms;
}

void turn_write(struct scene *s, int64_t length_ms)
{
    bool runaway = s->s->loops && s->s->done == s->s->turns / 2;
    uint32_t n = runaway ? LOOP_REQUESTS : (uint32_t)MIN(1 + rng_skewed(&s->rng, 6), (uint64_t)REQUESTS_MAX);
    n = s->cfg->brief_sessions ? 1 : n;
    struct msg open[2], traces[2];
    s->prompt_id = uuid_of(&s->rng, s->mem);
    s->trace_id = hex_of(&s->rng, 32, s->mem);
    s->root_span = hex_of(&s->rng, 16, s->mem);
    resource_begin(s->s, s->logs, S("com.anthropic.claude_code.events"), open);
    if (s->traces)
        resource_begin(s->s, s->traces, S("com.anthropic.claude_code.tracing"), traces);
    if (!s->s->done)
        begin_session(s);
    prompt(s);
    for (uint32_t i = 0; i < n && one_request(s, i + 1 == n); i++)
        step(s, length_ms / n / 4);
    count_time(s);
    span_interaction(s);
    resource_end(s->logs, open);
    if (s->traces)
        resource_end(s->traces, traces);
    metrics_write(s);
    s->s->done++;
}
