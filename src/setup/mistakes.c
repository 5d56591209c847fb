/* setup/mistakes.c -- what people get wrong in the client's settings: a table of questions,
 * each of which adds a finding with its cure, or nothing.
 */
#include "setup/client.h"

#include <arpa/inet.h>
#include <stdio.h>

/* ---- what the client will do ---------------------------------------------------------- */

static const struct {
    struct str exporter, endpoint, protocol, path;
} signals[] = {
    [CLIENT_METRICS] = { S("OTEL_METRICS_EXPORTER"), S("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
                         S("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"), S("/v1/metrics") },
    [CLIENT_LOGS] = { S("OTEL_LOGS_EXPORTER"), S("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"), S("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"),
                      S("/v1/logs") },
    [CLIENT_TRACES] = { S("OTEL_TRACES_EXPORTER"), S("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
                        S("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), S("/v1/traces") },
};

static bool lists(struct str value, struct str word)
{
    while (value.p)
        if (str_eq(str_trim(str_cut(&value, ',')), word))
            return true;
    return false;
}

struct client_target client_target(const struct client_env *e, enum client_signal s)
{
    struct client_target t = { .sent = lists(client_get(e, signals[s].exporter), S("otlp")) };
    struct str protocol = client_get(e, signals[s].protocol);
    if (!protocol.n)
        protocol = client_get(e, S("OTEL_EXPORTER_OTLP_PROTOCOL"));
    t.grpc = str_eq(protocol, S("grpc"));
    t.variable = signals[s].endpoint;
    t.url = client_get(e, t.variable);
    if (!t.url.n) {
        t.variable = S("OTEL_EXPORTER_OTLP_ENDPOINT");
        t.url = client_get(e, t.variable);
    }
    if (!t.url.n) {
        t.variable = S("");
        t.url = t.grpc ? S("http://localhost:4317") : S("http://localhost:4318");
    }
    return t;
}

/* ---- the table -------------------------------------------------------------------------- */

struct look {
    const struct client_env *e;
    struct arena *mem;
    struct findings *out;
};

static void say(struct look *l, enum finding_level level, struct str text, struct str cure)
{
    *arena_push(l->mem, l->out->at, l->out->n, l->out->cap) = (struct finding){ level, text, cure };
}

static struct str where(struct look *l, struct str name)
{
    const struct client_var *v = client_find(l->e, name);
    if (!v || v->from == FROM_EXPORTED)
        return S("the environment");
    return v->file;
}

static bool enabled(const struct client_env *e)
{
    struct str v = client_get(e, S("CLAUDE_CODE_ENABLE_TELEMETRY"));
    return str_eq(v, S("1")) || str_eq_nocase(v, S("true"));
}

static void broken(struct look *l)
{
    if (l->e->broken_file.n)
        say(l, FINDING_WRONG, arena_fmt(l->mem, STR_FMT " cannot be read: " STR_FMT, STR_ARG(l->e->broken_file), STR_ARG(l->e->broken_why)),
            S("mend the file; until then the client ignores all of it"));
}

static void off(struct look *l)
{
    if (enabled(l->e))
        return;
    if (l->e->project_file.n)
        say(l, FINDING_WRONG, arena_fmt(l->mem, STR_FMT " sets CLAUDE_CODE_ENABLE_TELEMETRY, but a project cannot switch telemetry on",
                                        STR_ARG(l->e->project_file)),
            S("put it into the user's settings: ccmon setup --write"));
    else
        say(l, FINDING_WRONG, S("CLAUDE_CODE_ENABLE_TELEMETRY is not set: nothing is sent"),
            S("ccmon setup --write, then start Claude Code anew"));
}

static void exporters(struct look *l)
{
    if (!enabled(l->e))
        return;
    struct str m = client_get(l->e, S("OTEL_METRICS_EXPORTER")), g = client_get(l->e, S("OTEL_LOGS_EXPORTER"));
    if (!m.n && !g.n)
        say(l, FINDING_WRONG, S("neither OTEL_METRICS_EXPORTER nor OTEL_LOGS_EXPORTER is set: nothing is sent"), S("ccmon setup --write"));
    else if (!lists(g, S("otlp")))
        say(l, FINDING_NOTE, S("OTEL_LOGS_EXPORTER is not otlp: no events, so no requests, tools, errors or sessions"),
            S("OTEL_LOGS_EXPORTER=otlp"));
    else if (!lists(m, S("otlp")) && !lists(m, S("prometheus")))
        say(l, FINDING_NOTE, S("OTEL_METRICS_EXPORTER is not otlp: no metrics; figures come from events alone"),
            S("OTEL_METRICS_EXPORTER=otlp"));
    if (lists(m, S("prometheus")) && !lists(m, S("otlp")))
        say(l, FINDING_NOTE, S("metrics are scraped only: what is added after the last scrape of a session is lost, and a second client on "
                               "the port is not seen"),
            S("OTEL_METRICS_EXPORTER=otlp,prometheus"));
}

static struct str url_host(struct str url, struct str *ret_port, struct str *ret_path)
{
    size_t at = str_find(url, S("://"));
    struct str rest = at == SIZE_MAX ? url : str_sub(url, at + 3, url.n), host = rest;
    size_t slash = str_index(rest, '/');
    if (slash != SIZE_MAX)
        host = str_sub(rest, 0, slash);
    *ret_path = slash == SIZE_MAX ? S("") : str_sub(rest, slash, rest.n);
    *ret_port = S("");
    size_t bracket = str_index(host, ']'), colon = SIZE_MAX;
    for (size_t i = bracket == SIZE_MAX ? 0 : bracket; i < host.n; i++)
        if (host.p[i] == ':')
            colon = i;
    if (colon != SIZE_MAX) {
        *ret_port = str_sub(host, colon + 1, host.n);
        host = str_sub(host, 0, colon);
    }
    return host;
}

static bool is_address(struct str host)
{
    char text[64], parsed[16];
    if (str_starts(host, S("[")))
        return true;
    snprintf(text, sizeof text, STR_FMT, STR_ARG(host));
    return inet_pton(AF_INET, text, parsed) == 1;
}

static void check_target(struct look *l, enum client_signal s, const struct client_target *t)
{
    struct str port, path, host = url_host(t->url, &port, &path);
    bool schemed = str_find(t->url, S("://")) != SIZE_MAX, tls = str_starts(t->url, S("https://")) || (!schemed && t->grpc);
    struct str name = t->variable, value = t->url;
    if (t->grpc && !schemed)
        say(l, FINDING_WRONG,
            arena_fmt(l->mem, STR_FMT "=" STR_FMT " has no scheme: for gRPC that means TLS, and a plain receiver gets nothing",
                      STR_ARG(name), STR_ARG(value)),
            arena_fmt(l->mem, STR_FMT "=http://" STR_FMT, STR_ARG(name), STR_ARG(value)));
    if (t->grpc && tls && is_address(host))
        say(l, FINDING_WRONG,
            arena_fmt(l->mem, STR_FMT "=" STR_FMT ": gRPC over TLS to an IP address always fails in the client", STR_ARG(name),
                      STR_ARG(value)),
            S("use a host name, or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"));
    if (t->grpc && str_eq(port, S("4318")))
        say(l, FINDING_NOTE,
            arena_fmt(l->mem,
                      STR_FMT "=" STR_FMT " with protocol grpc: 4318 is HTTP's port. ccmon takes both on either, others do not",
                      STR_ARG(name), STR_ARG(value)),
            S("port 4317, or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"));
    if (!t->grpc && str_eq(port, S("4317")))
        say(l, FINDING_NOTE,
            arena_fmt(l->mem,
                      STR_FMT "=" STR_FMT
                              " without protocol grpc: 4317 is gRPC's port. ccmon takes both on either, others do not",
                      STR_ARG(name), STR_ARG(value)),
            S("port 4318, or OTEL_EXPORTER_OTLP_PROTOCOL=grpc"));
    bool own = str_eq(name, signals[s].endpoint);
    if (!t->grpc && own && (!path.n || str_eq(path, S("/"))))
        say(l, FINDING_NOTE,
            arena_fmt(l->mem,
                      STR_FMT "=" STR_FMT " is used as it stands, without a path. ccmon tells the signals apart by content, "
                              "others answer 404",
                      STR_ARG(name), STR_ARG(value)),
            arena_fmt(l->mem, STR_FMT "=" STR_FMT STR_FMT, STR_ARG(name),
                      STR_ARG(str_ends(value, S("/")) ? str_sub(value, 0, value.n - 1) : value), STR_ARG(signals[s].path)));
    if (!t->grpc && !own && str_ends(path, signals[s].path))
        say(l, FINDING_NOTE,
            arena_fmt(l->mem, STR_FMT "=" STR_FMT ": the client adds " STR_FMT " to this one itself", STR_ARG(name),
                      STR_ARG(value), STR_ARG(signals[s].path)),
            S("leave the path away"));
}

static void targets(struct look *l)
{
    struct str seen = S("");
    for (int s = 0; enabled(l->e) && s < (int)LEN(signals); s++) {
        struct client_target t = client_target(l->e, (enum client_signal)s);
        if (!t.sent || (t.variable.n && str_eq(t.variable, seen) && !str_eq(t.variable, signals[s].endpoint)))
            continue;                              /* the common variable is looked at once */
        seen = t.variable;
        check_target(l, (enum client_signal)s, &t);
    }
}

static void protocol(struct look *l)
{
    struct str p = client_get(l->e, S("OTEL_EXPORTER_OTLP_PROTOCOL"));
    if (p.n && !str_eq(p, S("grpc")) && !str_eq(p, S("http/protobuf")) && !str_eq(p, S("http/json")))
        say(l, FINDING_WRONG, arena_fmt(l->mem, "OTEL_EXPORTER_OTLP_PROTOCOL=" STR_FMT " is no protocol", STR_ARG(p)),
            S("http/protobuf, http/json or grpc"));
}

static void headers(struct look *l)
{
    struct str h = client_get(l->e, S("OTEL_EXPORTER_OTLP_HEADERS"));
    if (str_find(h, S("Bearer%20")) != SIZE_MAX)
        say(l, FINDING_NOTE,
            S("OTEL_EXPORTER_OTLP_HEADERS has Bearer%20: the client sends it undecoded. ccmon takes it, others refuse it in silence"),
            S("a plain blank: Authorization=Bearer TOKEN"));
    if (h.n && str_index(h, '=') == SIZE_MAX)
        say(l, FINDING_WRONG, S("OTEL_EXPORTER_OTLP_HEADERS is no list of NAME=VALUE"),
            S("OTEL_EXPORTER_OTLP_HEADERS=\"Authorization=Bearer TOKEN\""));
}

static void certificates(struct look *l)
{
    struct client_target t = client_target(l->e, CLIENT_METRICS);
    if (t.grpc)
        return;
    if (client_get(l->e, S("OTEL_EXPORTER_OTLP_CERTIFICATE")).n && !client_get(l->e, S("NODE_EXTRA_CA_CERTS")).n)
        say(l, FINDING_WRONG, S("OTEL_EXPORTER_OTLP_CERTIFICATE is for gRPC only; over HTTP the certificate will not be trusted"),
            S("NODE_EXTRA_CA_CERTS=FILE"));
    if (client_get(l->e, S("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")).n && !client_get(l->e, S("CLAUDE_CODE_CLIENT_CERT")).n)
        say(l, FINDING_WRONG, S("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is for gRPC only; over HTTP no client certificate is sent"),
            S("CLAUDE_CODE_CLIENT_CERT=FILE and CLAUDE_CODE_CLIENT_KEY=FILE"));
}

static void session_ids(struct look *l)
{
    if (str_eq_nocase(client_get(l->e, S("OTEL_METRICS_INCLUDE_SESSION_ID")), S("false")))
        say(l, FINDING_NOTE, S("OTEL_METRICS_INCLUDE_SESSION_ID=false takes the session id off events too: sessions cannot be told apart"),
            S("leave it away"));
}

static void shadowed(struct look *l)
{
    for (uint32_t i = 0; i < l->e->n; i++) {
        const struct client_var *v = &l->e->at[i];
        if (v->shadowed.p)
            say(l, FINDING_NOTE,
                arena_fmt(l->mem, STR_FMT " from " STR_FMT " wins over another value that is set elsewhere", STR_ARG(v->name),
                          STR_ARG(where(l, v->name))),
                S("managed settings win over the user's, and those over what is exported"));
    }
}

static void (*const questions[])(struct look *l) = {
    broken, off, exporters, targets, protocol, headers, certificates, session_ids, shadowed,
};

void client_check(const struct client_env *e, struct arena *mem, struct findings *ret)
{
    struct look l = { e, mem, ret };
    *ret = (struct findings){ 0 };
    for (size_t i = 0; i < LEN(questions); i++)
        questions[i](&l);
}
