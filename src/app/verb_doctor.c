/* app/verb_doctor.c -- `ccmon doctor`: is everything as it should be, and if not, why.
 *
 * Everything is tried from outside, as a client would: a record goes in by each way and
 * is queried back. A check is a row of the table; it says what it found, line by line,
 * each wrong thing with its cure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/probe.h"
#include "app/remote.h"
#include "app/verbs.h"
#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "scrape/owner.h"
#include "setup/client.h"

enum {
    MEMORY_BYTES = 64 << 20,
    SCRAPE_FIRST = 9464, SCRAPE_LAST = 9480,
    SYNCS = 15,
    SLOW_SYNC_MS = 50,
    SKEW_MAX_S = 5,
    FREE_WRONG_MB = 64, FREE_NOTE_MB = 1024,
    QUERY_TRIES = 20, QUERY_PAUSE_MS = 100,
};

struct doctor {
    struct arena mem;
    struct options o;
    struct config cfg;
    struct str url, token, user, project, ca;
    struct tls_client *tls;
    struct remote remote;
    struct remote_status status;
    bool up;
    uint32_t wrong, notes;
};

const struct option options_doctor[] = {
    { "--config", "FILE", "the configuration of the server" },
    { "--url", "URL", "the page of the running server; http://127.0.0.1:3001 if not given" },
    { "--token", "TOKEN", "the bearer token that it asks for" },
    { "--user", "NAME:PASSWORD", "the user that its page asks for" },
    { "--ca", "FILE", "the CA that signed its certificate, if that is not a public one" },
    { "--project", "DIR", "the project whose settings to look at; the current directory if not given" },
    { 0 },
};

static void say(struct doctor *d, enum finding_level level, struct str text, struct str cure)
{
    static const char *const marks[] = { [FINDING_OK] = "ok   ", [FINDING_NOTE] = "note ", [FINDING_WRONG] = "WRONG" };
    printf("%s  " STR_FMT "\n", marks[level], STR_ARG(text));
    if (cure.n)
        printf("       -> " STR_FMT "\n", STR_ARG(cure));
    d->wrong += level == FINDING_WRONG;
    d->notes += level == FINDING_NOTE;
}

#define SAY(d, level, cure, ...) say((d), (level), arena_fmt(&(d)->mem, __VA_ARGS__), (cure))

/* ---- the server -------------------------------------------------------------------------- */

static void check_server(struct doctor *d)
{
    struct fault f = { 0 };
    enum err e = remote_status(&d->remote, &d->mem, &d->status, &f);
    d->up = !e;
    if (e) {
        say(d, FINDING_WRONG, str_c(f.msg),
            e == E_IO            ? S("give --user NAME:PASSWORD or --token TOKEN")
            : e == E_UNAVAILABLE ? S("start it: ccmon serve; name its page with --url; its certificate's CA with --ca")
                                 : S("name the page of a ccmon with --url"));
        return;
    }
    SAY(d, FINDING_OK, S(""), "ccmon " STR_FMT " answers at " STR_FMT "%s", STR_ARG(d->status.version), STR_ARG(d->url),
        d->status.demo ? " (a demo)" : "");
    if (d->status.read_only)
        SAY(d, FINDING_WRONG, S("make room on the disk; it goes on by itself"), "it takes nothing in: " STR_FMT, STR_ARG(d->status.reason));
    if (d->status.open)
        say(d, FINDING_NOTE, S("whoever reaches its ports may read and write everything"), S("give it tokens or users, or bind 127.0.0.1"));
    for (uint32_t i = 0; i < d->status.nlisteners; i++)
        if (d->status.listeners[i].problem.n)
            SAY(d, FINDING_WRONG, d->status.listeners[i].problem, STR_FMT " does not listen at " STR_FMT,
                STR_ARG(d->status.listeners[i].name), STR_ARG(d->status.listeners[i].addr));
}

static void check_clock(struct doctor *d)
{
    int64_t now = clock_now(&clock_system);
    int64_t skew_s = (now - d->status.now_ns) / NS_PER_S;
    if (skew_s > SKEW_MAX_S || skew_s < -SKEW_MAX_S)
        SAY(d, FINDING_WRONG, S("set both clocks by NTP: rows stand at the client's time"),
            "the server's clock is %lld s off from this one", (long long)-skew_s);
    else
        say(d, FINDING_OK, S("the clocks agree"), S(""));
}

/* ---- the disk ------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Milliseconds of a median sync in that directory, or -1. */
static double sync_ms(struct doctor *d, struct str dir)
{
    const char *path = arena_cstr(&d->mem, arena_fmt(&d->mem, STR_FMT "/doctor.tmp", STR_ARG(dir)));
    CLEANUP(fd_closep) int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    int64_t took[SYNCS] = { 0 };
    char block[4096] = { 0 };
    bool ok = fd >= 0;
    for (int i = 0; ok && i < SYNCS; i++) {
        int64_t start = clock_mono(&clock_system);
        ok = file_ops_system.pwrite(NULL, fd, block, sizeof block, (int64_t)i * (int64_t)sizeof block) == (int64_t)sizeof block &&
             !file_ops_system.sync(NULL, fd);
        took[i] = clock_mono(&clock_system) - start;
    }
    (void)unlink(path);
    qsort(took, SYNCS, sizeof *took, by_value);
    return ok ? (double)took[SYNCS / 2] / 1e6 : -1;
}

static void check_disk(struct doctor *d)
{
    struct str dir = d->up && d->status.data_dir.n ? d->status.data_dir : d->cfg.data;
    const char *path = arena_cstr(&d->mem, dir);
    struct stat st;
    struct statvfs fs;
    if (stat(path, &st) || statvfs(path, &fs)) {
        SAY(d, d->up ? FINDING_NOTE : FINDING_OK, S(""), "%s: %s", path,
            errno == ENOENT ? "not there yet; the first start makes it" : strerror(errno));
        return;
    }
    uint64_t free_mb = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
    SAY(d, free_mb < FREE_WRONG_MB ? FINDING_WRONG : free_mb < FREE_NOTE_MB ? FINDING_NOTE : FINDING_OK,
        free_mb < FREE_NOTE_MB ? S("make room; a full disk means that clients are told to come again") : S(""), "%s: %llu MB free", path,
        (unsigned long long)free_mb);
    if (st.st_mode & 077)
        SAY(d, FINDING_WRONG, S("chmod 700"), "%s can be read by others", path);
    double ms = sync_ms(d, dir);
    if (ms < 0)
        SAY(d, FINDING_NOTE, S(""), "%s: this user cannot write there, so the disk's speed was not measured", path);
    else
        SAY(d, ms > SLOW_SYNC_MS ? FINDING_NOTE : FINDING_OK,
            ms > SLOW_SYNC_MS ? S("every acknowledgement waits for it; a local SSD is faster") : S(""),
            "a write is on the disk after %.2f ms", ms);
}

/* ---- the ways in ----------------------------------------------------------------------------- */

static const struct {
    struct str way, listener, path;
    enum probe_form form;
} ways[] = {
    { S("OTLP/HTTP, JSON"), S("otlp-http"), S("/v1/logs"), PROBE_JSON },
    { S("OTLP/HTTP, protobuf"), S("otlp-http"), S("/v1/logs"), PROBE_PROTOBUF },
    { S("OTLP/HTTP, gzip"), S("otlp-http"), S("/v1/logs"), PROBE_GZIP },
    { S("OTLP/HTTP, without a path"), S("otlp-http"), S("/"), PROBE_PROTOBUF },
    { S("OTLP/gRPC"), S("otlp-grpc"), S(""), PROBE_GRPC },
    { S("OTLP/HTTP on gRPC's port"), S("otlp-grpc"), S("/v1/logs"), PROBE_PROTOBUF },
    { S("OTLP/HTTP beside Prometheus's API"), S("prometheus"), S("/api/v1/otlp/v1/logs"), PROBE_JSON },
    { S("OTLP/HTTP beside Loki's API"), S("loki"), S("/otlp/v1/logs"), PROBE_JSON },
    { S("OTLP/HTTP on the page's port"), S("web"), S("/v1/logs"), PROBE_JSON },
};

/* An address that can be called, from one that was bound. */
static bool where(const struct doctor *d, struct str listener, struct probe *ret)
{
    for (uint32_t i = 0; i < d->status.nlisteners; i++) {
        const struct remote_listener *l = &d->status.listeners[i];
        size_t colon = SIZE_MAX;
        if (!str_eq(l->name, listener) || l->problem.n)
            continue;
        for (size_t k = 0; k < l->addr.n; k++)
            if (l->addr.p[k] == ':')
                colon = k;
        uint64_t port;
        if (colon == SIZE_MAX || !str_to_u64(str_sub(l->addr, colon + 1, l->addr.n), &port) || port > 65535)
            continue;
        struct str host = str_sub(l->addr, 0, colon);
        if (str_starts(host, S("[")))
            host = str_sub(host, 1, host.n - 2);
        if (str_eq(host, S("0.0.0.0")))
            host = S("127.0.0.1");
        if (str_eq(host, S("::")))
            host = S("::1");
        ret->host = host;
        ret->port = (uint16_t)port;
        ret->tls = l->tls;
        return true;
    }
    return false;
}

static bool is_back(const struct remote_rows *rows, struct str way)
{
    for (uint32_t i = 0; i < rows->n; i++)
        if (str_eq(rows->at[i].labels[0], way))
            return true;
    return false;
}

static enum err query_back(struct doctor *d, struct str id, uint32_t sent, struct remote_rows *ret, struct fault *f)
{
    static const struct str labels[4] = { S("ccmon_way") };
    struct str q = arena_fmt(
        &d->mem, "sum by (ccmon_way) (count_over_time({service_name=\"ccmon-doctor\"} | ccmon_probe=\"" STR_FMT "\" [1h]))",
        STR_ARG(id));
    enum err e = OK;
    for (int i = 0; i < QUERY_TRIES; i++) {
        e = remote_query(&d->remote, REMOTE_LOKI, q, labels, &d->mem, ret, f);
        if (e || ret->n >= sent)
            break;
        nanosleep(&(struct timespec){ .tv_nsec = QUERY_PAUSE_MS * NS_PER_MS }, NULL);
    }
    return e;
}

static void check_ways(struct doctor *d)
{
    bool sent[LEN(ways)] = { 0 }, tls[LEN(ways)] = { 0 };
    uint32_t nsent = 0;
    struct fault f = { 0 };
    struct remote_rows rows;
    uint64_t random;
    secret_random(&random, sizeof random);
    struct str id = arena_fmt(&d->mem, "%016llx", (unsigned long long)random);
    for (size_t i = 0; i < LEN(ways); i++) {
        struct probe p = { .way = ways[i].way,
                           .id = id,
                           .form = ways[i].form,
                           .path = ways[i].path,
                           .authorization = remote_authorization(d->token.n ? S("") : d->user, d->token, &d->mem),
                           .now_ns = clock_now(&clock_system) };
        if (!where(d, ways[i].listener, &p))
            continue;
        sent[i] = !probe_send(&p, &d->mem, &f);
        tls[i] = p.tls;
        nsent += sent[i];
        if (!sent[i])
            SAY(d, FINDING_WRONG, S("see the server's log for its side of it"), STR_FMT " (" STR_FMT ":%u): %s", STR_ARG(ways[i].way),
                STR_ARG(p.host), p.port, f.msg);
    }
    if (query_back(d, id, nsent, &rows, &f)) {
        say(d, FINDING_WRONG, str_c(f.msg), S("what was sent could not be queried back"));
        return;
    }
    for (size_t i = 0; i < LEN(ways); i++)
        if (sent[i] && is_back(&rows, ways[i].way))
            SAY(d, FINDING_OK, S(""), STR_FMT "%s: a record went in and was found again", STR_ARG(ways[i].way), tls[i] ? " over TLS" : "");
        else if (sent[i])
            SAY(d, FINDING_WRONG, S("see the server's log"), STR_FMT ": a record was taken and is not found", STR_ARG(ways[i].way));
}

/* ---- who was refused ---------------------------------------------------------------------------- */

static void say_refused(struct doctor *d, struct json *j)
{
    struct str peer = S(""), why = S(""), token = S(""), listener = S(""), status = S(""), count = S("");
    const struct { struct str key; struct str *at;
    } fields[] = {
        { S("peer"), &peer },
        { S("why"), &why },
        { S("token"), &token },
        { S("listener"), &listener },
        { S("status"), &status },
        { S("count"), &count },
    };
    while (json_next(j) == J_KEY) {
        struct str *at = NULL;
        for (size_t i = 0; i < LEN(fields); i++)
            if (str_eq(fields[i].key, j->s))
                at = fields[i].at;
        json_next(j);
        if (at && (j->tok == J_STR || j->tok == J_NUM))
            *at = arena_str(&d->mem, j->s);
        json_skip(j);
    }
    SAY(d, FINDING_WRONG, S("the client drops what is refused for good and says nothing: mend its token or its settings"),
        STR_FMT " was refused " STR_FMT " times with " STR_FMT " at " STR_FMT ": " STR_FMT "%s" STR_FMT, STR_ARG(peer),
        STR_ARG(count), STR_ARG(status), STR_ARG(listener), STR_ARG(why), token.n ? "; it showed " : "", STR_ARG(token));
}

static void check_refused(struct doctor *d)
{
    struct fault f = { 0 };
    struct str body;
    struct json j;
    uint32_t before = d->wrong;
    if (remote_get(&d->remote, S("/api/ccmon/refusals"), &d->mem, &body, &f)) {
        say(d, FINDING_NOTE, str_c(f.msg), S(""));
        return;
    }
    json_init(&j, body, &d->mem);
    while (json_next(&j) != J_END && j.tok != J_ERR)
        if (j.tok == J_KEY && str_eq(j.s, S("refused_senders")) && json_next(&j) == J_ARR)
            while (json_next(&j) == J_OBJ)
                say_refused(d, &j);
    if (d->wrong == before)
        say(d, FINDING_OK, S("nobody was refused since the server was started"), S(""));
}

/* ---- the client's exporter, and its settings ---------------------------------------------------- */

/* One port of the client's exporter: what is there? False: nobody. */
static bool look_at_port(struct doctor *d, const struct port_owners *owners, int port)
{
    struct fault f = { 0 };
    struct fetched got = { 0 };
    struct port_owner o;
    struct fetch q = { .method = HTTP_GET,
                       .url = arena_fmt(&d->mem, "http://127.0.0.1:%d/metrics", port),
                       .timeout_ns = 3 * NS_PER_S };
    enum err e = http_fetch(NULL, &q, &d->mem, &got, &f);
    if (got.end == FETCH_REFUSED)
        return false;
    struct str who =
        port_owner_of(owners, q.url, &o) ? arena_fmt(&d->mem, "%s (pid %lld)", o.name, (long long)o.pid) : S("another program");
    if (!e && str_find(got.body, S("claude_code_")) != SIZE_MAX)
        SAY(d, FINDING_OK, S(""),
            "port %d is Claude Code's exporter: " STR_FMT "; a second client needs another OTEL_EXPORTER_PROMETHEUS_PORT", port,
            STR_ARG(who));
    else
        SAY(d, port == SCRAPE_FIRST ? FINDING_NOTE : FINDING_OK,
            port == SCRAPE_FIRST
                ? S("a client that is to be scraped needs another OTEL_EXPORTER_PROMETHEUS_PORT; it says nothing itself")
                : S(""),
            "port %d is held by " STR_FMT ", which is no Claude Code that has sent metrics yet", port, STR_ARG(who));
    return true;
}

static void check_exporter(struct doctor *d)
{
    struct port_owners owners;
    bool any = false;
    port_owners_read(&owners, &d->mem);
    for (int port = SCRAPE_FIRST; port <= SCRAPE_LAST; port++)
        any |= look_at_port(d, &owners, port);
    if (!any)
        SAY(d, FINDING_OK, S(""), "ports %d to %d are free: no client serves metrics to be scraped just now", SCRAPE_FIRST, SCRAPE_LAST);
}

/* "localhost:4318" of "http://localhost:4318/x". */
static struct str authority_of(struct str url)
{
    size_t scheme = str_find(url, S("://"));
    struct str rest = scheme == SIZE_MAX ? url : str_sub(url, scheme + 3, url.n);
    return str_cut(&rest, '/');
}

/* The listener of ours that an endpoint of this machine leads to; NULL: none. */
static const struct remote_listener *listener_of(const struct doctor *d, struct str url)
{
    struct str to = authority_of(url);
    for (uint32_t i = 0; i < d->status.nlisteners; i++) {
        struct str port = d->status.listeners[i].addr;
        while (str_index(port, ':') != SIZE_MAX)
            str_cut(&port, ':');
        if (str_ends(to, port) && to.n > port.n && to.p[to.n - port.n - 1] == ':')
            return &d->status.listeners[i];
    }
    return NULL;
}

static bool is_this_machine(struct str url)
{
    struct str to = authority_of(url), rest = to, host = str_cut(&rest, ':');
    return str_eq(host, S("localhost")) || str_starts(host, S("127.")) || str_starts(to, S("[::1]"));
}

/* The Authorization that the client's own settings carry. */
static struct str settings_authorization(const struct client_env *e)
{
    struct str list = client_get(e, S("OTEL_EXPORTER_OTLP_HEADERS"));
    while (list.p) {
        struct str value = str_cut(&list, ','), name = str_cut(&value, '=');
        if (str_eq_nocase(str_trim(name), S("authorization")))
            return str_trim(value);
    }
    return S("");
}

/* Sends what the client would send, with what its settings say. */
static void try_target(struct doctor *d, const struct client_env *e, const char *what, const struct client_target *t,
                       const struct remote_listener *l)
{
    struct fault f = { 0 };
    bool https = str_starts(t->url, S("https://"));
    if (https != l->tls) {
        SAY(d, FINDING_WRONG, l->tls ? S("https:// in the place of http://") : S("http:// in the place of https://"),
            "Claude Code sends %s to " STR_FMT ", but " STR_FMT " %s", what, STR_ARG(t->url), STR_ARG(l->name),
            l->tls ? "speaks TLS" : "does not speak TLS");
        return;
    }
    struct probe p = { .way = S("Claude Code's settings"),
                       .id = S("settings"),
                       .form = t->grpc ? PROBE_GRPC : PROBE_PROTOBUF,
                       .path = S("/v1/logs"),
                       .authorization = settings_authorization(e),
                       .now_ns = clock_now(&clock_system) };
    if (!where(d, l->name, &p))
        return;
    if (probe_send(&p, &d->mem, &f))
        SAY(d, FINDING_WRONG, S("a refused batch is dropped for good: mend OTEL_EXPORTER_OTLP_HEADERS"), "Claude Code sends %s to " STR_FMT
            ", and with the settings' own header that is %s", what, STR_ARG(t->url), f.msg);
    else
        SAY(d, FINDING_OK, S(""), "Claude Code sends %s to " STR_FMT ", and a record with its header was taken there", what,
            STR_ARG(t->url));
}

/* Does what the client will do lead here? */
static void check_destination(struct doctor *d, const struct client_env *e)
{
    static const char *const names[] = { "metrics", "events", "spans" };
    for (int s = 0; s < 3; s++) {
        struct client_target t = client_target(e, (enum client_signal)s);
        if (!t.sent)
            continue;
        const struct remote_listener *l = d->up ? listener_of(d, t.url) : NULL;
        if (l && is_this_machine(t.url))
            try_target(d, e, names[s], &t, l);
        else
            SAY(d,
                !d->up                   ? FINDING_OK
                : is_this_machine(t.url) ? FINDING_WRONG
                                         : FINDING_NOTE,
                d->up ? S("no port of this ccmon is in that address: ccmon setup prints the right one") : S(""),
                "Claude Code sends %s to " STR_FMT "%s" STR_FMT, names[s], STR_ARG(t.url),
                t.variable.n ? ", by " : ", its default", STR_ARG(t.variable));
    }
}

static void check_client(struct doctor *d)
{
    struct client_env e;
    struct findings found;
    client_read(d->project, &d->mem, &e);
    client_check(&e, &d->mem, &found);
    if (client_find(&e, S("CLAUDE_CODE_ENABLE_TELEMETRY")))
        check_destination(d, &e);
    for (uint32_t i = 0; i < found.n; i++)
        say(d, found.at[i].level, found.at[i].text, found.at[i].cure);
}

static const struct {
    const char *title;
    void (*run)(struct doctor *d);
    bool asks;                                     /* needs a server that answers */
} checks[] = {
    { "server", check_server, false },
    { "clock", check_clock, true },
    { "data directory", check_disk, false },
    { "ways in", check_ways, true },
    { "refused senders", check_refused, true },
    { "scraping", check_exporter, false },
    { "Claude Code's settings here", check_client, false },
};

/* ---- the command line ---------------------------------------------------------------------------- */

static int take(void *arg, const char *name, const char *value)
{
    struct doctor *d = arg;
    const struct {
        const char *name;
        struct str *at;
    } texts[] = {
        { "--url", &d->url }, { "--token", &d->token }, { "--project", &d->project }, { "--ca", &d->ca }, { "--user", &d->user }
    };
    for (size_t i = 0; i < LEN(texts); i++)
        if (!strcmp(name, texts[i].name)) {
            *texts[i].at = str_c(value);
            return 0;
        }
    return serve_option(&d->o, name, value);
}

static int examine(struct doctor *d)
{
    for (size_t i = 0; i < LEN(checks); i++) {
        printf("%s%s\n", i ? "\n" : "", checks[i].title);
        if (checks[i].asks && !d->up)
            puts("       not looked at: no server answers");
        else
            checks[i].run(d);
        fflush(stdout);
    }
    if (d->wrong)
        printf("\n%u wrong, %u to note\n", d->wrong, d->notes);
    else
        printf("\nAll is well%s\n", d->notes ? ", but read the notes" : "");
    return d->wrong ? 1 : 0;
}

int run_doctor(const struct verb *v, int argc, char **argv)
{
    static struct doctor d;
    char cwd[4096];
    struct fault f = { 0 };
    struct verb_args on = { .take = take, .arg = &d };
    int rc = verb_parse(v, argc, argv, &on);
    if (rc)
        return rc;
    if (app_config(&d.o, &d.cfg, &f)) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return 2;
    }
    arena_init(&d.mem, MEMORY_BYTES);
    if (!d.project.n && getcwd(cwd, sizeof cwd))
        d.project = str_c(cwd);
    if (d.url.n && !str_starts(d.url, S("http://")) && !str_starts(d.url, S("https://")))
        return verb_wrong("--url wants http:// or https://", arena_cstr(&d.mem, d.url));
    if (!d.url.n)
        d.url = remote_default_url(&d.cfg, &d.mem);
    if (!d.ca.n)
        d.ca = access_part(&d.cfg, PORT_WEB).tls.cert_file;
    struct tls_client_config c = { .ca_file = d.ca };
    if (d.ca.n && tls_client_new(&c, &d.tls, &f)) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return 1;
    }
    d.remote.url = d.url;
    d.remote.tls = d.tls;
    d.remote.authorization = remote_authorization(d.user, d.token, &d.mem);
    rc = examine(&d);
    tls_client_free(d.tls);
    arena_done(&d.mem);
    config_done(&d.cfg);
    return rc;
}
