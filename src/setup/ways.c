/* setup/ways.c -- the table of variables.
 *
 * A row says for which ways it is needed, and when; its value is a text or a function.
 * Facts behind the rows, all seen with the real client:
 *   - without CLAUDE_CODE_ENABLE_TELEMETRY nothing is sent, whatever else is set;
 *   - a protocol need not be set (http/protobuf), but people read what is written;
 *   - OTEL_EXPORTER_OTLP_CERTIFICATE is for gRPC only, NODE_EXTRA_CA_CERTS for both;
 *   - client certificates have other variables for HTTP than for gRPC;
 *   - gRPC over TLS to an IP address always fails, and without a scheme gRPC means TLS.
 */
#include "setup/setup.h"

#include <arpa/inet.h>
#include <stdio.h>

enum {
    HTTP = 1 << WAY_HTTP | 1 << WAY_JSON,
    GRPC = 1 << WAY_GRPC,
    OTLP = HTTP | GRPC | 1 << WAY_BOTH,
    OVER_HTTP = HTTP | 1 << WAY_BOTH,
    SCRAPED = 1 << WAY_SCRAPE | 1 << WAY_BOTH,
    ALL = OTLP | SCRAPED,
};

const struct way_def setup_ways[WAY_COUNT] = {
    [WAY_HTTP] = { S("http"), S("OTLP over HTTP, protobuf: metrics and events; what to take if in doubt") },
    [WAY_JSON] = { S("json"), S("the same as JSON, twice the size, readable on the wire") },
    [WAY_GRPC] = { S("grpc"), S("OTLP over gRPC") },
    [WAY_BOTH] = { S("both"), S("OTLP over HTTP, and the client's Prometheus exporter beside it for others to scrape") },
    [WAY_SCRAPE] = { S("scrape"),
                     S("the client's Prometheus exporter alone: metrics only, and what is added after the last scrape is lost") },
};

static struct str always(const struct setup_plan *p, struct arena *mem);
static struct str metrics(const struct setup_plan *p, struct arena *mem);
static struct str protocol(const struct setup_plan *p, struct arena *mem);
static struct str endpoint(const struct setup_plan *p, struct arena *mem);
static struct str headers(const struct setup_plan *p, struct arena *mem);
static struct str ca(const struct setup_plan *p, struct arena *mem) { (void)mem; return p->tls ? p->ca_file : S(""); }
static struct str cert(const struct setup_plan *p, struct arena *mem) { (void)mem; return p->client_cert; }
static struct str key(const struct setup_plan *p, struct arena *mem) { (void)mem; return p->client_key; }
static struct str traces(const struct setup_plan *p, struct arena *mem) { (void)mem; return p->traces ? S("1") : S(""); }
static struct str traces_to(const struct setup_plan *p, struct arena *mem) { (void)mem; return p->traces ? S("otlp") : S(""); }
static struct str tools(const struct setup_plan *p, struct arena *mem) { (void)mem; return p->tools ? S("1") : S(""); }
static struct str prompts(const struct setup_plan *p, struct arena *mem) { (void)mem; return p->prompts ? S("1") : S(""); }
static struct str identity(const struct setup_plan *p, struct arena *mem) { (void)mem; return p->identity ? S("true") : S(""); }
static struct str port(const struct setup_plan *p, struct arena *mem);
static struct str team(const struct setup_plan *p, struct arena *mem);
static struct str otlp(const struct setup_plan *p, struct arena *mem) { (void)p; (void)mem; return S("otlp"); }

static const struct {
    struct str name;
    unsigned ways;
    struct str (*value)(const struct setup_plan *p, struct arena *mem);   /* empty: not set */
    struct str why;
} variables[] = {
    { S("CLAUDE_CODE_ENABLE_TELEMETRY"), ALL, always, S("without it nothing is sent") },
    { S("OTEL_METRICS_EXPORTER"), ALL, metrics, S("cost, tokens, lines, commits, active time") },
    { S("OTEL_LOGS_EXPORTER"), OTLP, otlp, S("events: every request, tool call, decision and error") },
    { S("OTEL_TRACES_EXPORTER"), OTLP, traces_to, S("spans: attempts, time to first token, waiting for permission") },
    { S("CLAUDE_CODE_ENHANCED_TELEMETRY_BETA"), OTLP, traces, S("spans are a beta and off without it") },
    { S("OTEL_EXPORTER_OTLP_PROTOCOL"), OTLP, protocol, S("how it is sent") },
    { S("OTEL_EXPORTER_OTLP_ENDPOINT"), OTLP, endpoint, S("where to; a base address, the client adds the path") },
    { S("OTEL_EXPORTER_OTLP_HEADERS"), OTLP, headers, S("the token, with a plain blank") },
    { S("NODE_EXTRA_CA_CERTS"), OVER_HTTP, ca, S("the CA of our certificate, for HTTP") },
    { S("OTEL_EXPORTER_OTLP_CERTIFICATE"), GRPC, ca, S("the CA of our certificate, for gRPC") },
    { S("CLAUDE_CODE_CLIENT_CERT"), OVER_HTTP, cert, S("the client's certificate, for HTTP") },
    { S("CLAUDE_CODE_CLIENT_KEY"), OVER_HTTP, key, S("its key") },
    { S("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"), GRPC, cert, S("the client's certificate, for gRPC") },
    { S("OTEL_EXPORTER_OTLP_CLIENT_KEY"), GRPC, key, S("its key") },
    { S("OTEL_EXPORTER_PROMETHEUS_PORT"), SCRAPED, port, S("one process a port: a second one on it is silently not seen") },
    { S("OTEL_METRICS_INCLUDE_VERSION"), ALL, identity, S("the client's version on every row") },
    { S("OTEL_METRICS_INCLUDE_REPOSITORY"), ALL, identity, S("the repository on every row: cost by repository") },
    { S("OTEL_RESOURCE_ATTRIBUTES"), ALL, team, S("the team on every row: cost by team") },
    { S("OTEL_LOG_TOOL_DETAILS"), OTLP, tools, S("names of MCP servers and skills, parameters of tools") },
    { S("OTEL_LOG_USER_PROMPTS"), OTLP, prompts, S("the text of prompts and answers") },
};

static struct str always(const struct setup_plan *p, struct arena *mem)
{
    (void)p;
    (void)mem;
    return S("1");
}

static struct str metrics(const struct setup_plan *p, struct arena *mem)
{
    (void)mem;
    return p->way == WAY_SCRAPE ? S("prometheus") : p->way == WAY_BOTH ? S("otlp,prometheus") : S("otlp");
}

static struct str protocol(const struct setup_plan *p, struct arena *mem)
{
    (void)mem;
    return p->way == WAY_GRPC ? S("grpc") : p->way == WAY_JSON ? S("http/json") : S("http/protobuf");
}

static struct str endpoint(const struct setup_plan *p, struct arena *mem)
{
    bool six = str_index(p->host, ':') != SIZE_MAX;
    return arena_fmt(mem, "http%s://%s" STR_FMT "%s:%u", p->tls ? "s" : "", six ? "[" : "", STR_ARG(p->host), six ? "]" : "",
                     p->way == WAY_GRPC ? p->grpc_port : p->http_port);
}

static struct str headers(const struct setup_plan *p, struct arena *mem)
{
    return p->token.n ? arena_fmt(mem, "Authorization=Bearer " STR_FMT, STR_ARG(p->token)) : S("");
}

static struct str port(const struct setup_plan *p, struct arena *mem)
{
    return p->scrape_port ? arena_fmt(mem, "%u", p->scrape_port) : S("");
}

static struct str team(const struct setup_plan *p, struct arena *mem)
{
    return p->team.n ? arena_fmt(mem, "team=" STR_FMT, STR_ARG(p->team)) : S("");
}

bool setup_way(struct str name, enum way *ret)
{
    for (int i = 0; i < WAY_COUNT; i++)
        if (str_eq(setup_ways[i].name, name)) {
            *ret = (enum way)i;
            return true;
        }
    return false;
}

static bool is_ip(struct str host)
{
    char text[64], parsed[16];
    snprintf(text, sizeof text, STR_FMT, STR_ARG(host));
    return inet_pton(AF_INET, text, parsed) == 1 || inet_pton(AF_INET6, text, parsed) == 1;
}

/* Values go into lists parted by commas and read as "key=value", and the client takes no blanks in them. */
static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 127 || s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\\')
            return false;
    return true;
}

static bool is_host(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || str_index(S("-._:"), c) != SIZE_MAX;
        if (!plain)
            return false;
    }
    return s.n > 0 && (str_index(s, ':') == SIZE_MAX || is_ip(s));
}

static enum err check(const struct setup_plan *p, struct fault *f)
{
    if (!is_host(p->host))
        return fault_set(f, E_SYNTAX, 0, "\"" STR_FMT "\" is no host name or address (without scheme and port)", STR_ARG(p->host));
    if (p->scrape_port && !(SCRAPED & 1 << p->way))
        return fault_set(f, E_SYNTAX, 0, "a port of the client's exporter goes with the ways scrape and both");
    if (p->way == WAY_GRPC && p->tls && is_ip(p->host))
        return fault_set(f, E_SYNTAX, 0, "gRPC over TLS to an IP address fails in the client (" STR_FMT "): give a host name, or use http",
                         STR_ARG(p->host));
    if (!is_plain(p->token))
        return fault_set(f, E_SYNTAX, 0, "a token may hold no blank, comma, quote or backslash: the client's list of headers would break");
    if (!is_plain(p->team) || str_index(p->team, '=') != SIZE_MAX)
        return fault_set(f, E_SYNTAX, 0, "a team's name may hold no blank, comma, quote or equals sign");
    if (!p->client_cert.n != !p->client_key.n)
        return fault_set(f, E_SYNTAX, 0, "a client certificate and its key go together");
    return OK;
}

enum err setup_variables(const struct setup_plan *p, struct arena *mem, struct pairs *ret, struct fault *f)
{
    enum err e = check(p, f);
    if (e)
        return e;
    *ret = (struct pairs){ arena_new(mem, struct pair, LEN(variables)), 0 };
    for (size_t i = 0; i < LEN(variables); i++) {
        if (!(variables[i].ways & 1u << p->way))
            continue;
        struct str v = variables[i].value(p, mem);
        if (v.n)
            ret->at[ret->n++] = (struct pair){ variables[i].name, v };
    }
    return OK;
}

struct str setup_why(struct str variable)
{
    for (size_t i = 0; i < LEN(variables); i++)
        if (str_eq(variables[i].name, variable))
            return variables[i].why;
    return S("");
}

bool setup_concerns(struct str name)
{
    static const struct str others[] = {
        S("NODE_EXTRA_CA_CERTS"), S("NODE_TLS_REJECT_UNAUTHORIZED"), S("CLAUDE_CONFIG_DIR"), S("BETA_TRACING_ENDPOINT"),
        S("ENABLE_BETA_TRACING_DETAILED"), S("ENABLE_ENHANCED_TELEMETRY_BETA"), S("CLAUDE_CODE_ENABLE_TELEMETRY"),
    };
    for (size_t i = 0; i < LEN(others); i++)
        if (str_eq(others[i], name))
            return true;
    return str_starts(name, S("OTEL_")) || str_starts(name, S("CLAUDE_CODE_OTEL_")) || setup_why(name).n;
}
