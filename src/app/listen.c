/* app/listen.c -- which port answers what, and what to say when a port is taken.
 *
 * A default port that is taken is reported and the rest starts, since everything
 * is on the web port too; a port that was asked for must be had.
 */
#include <stdio.h>

#include "app/app.h"

enum { TABLES_MAX = 16 };

/* Somebody opened the port of an API in a browser. */
static void handle_root(struct http_req *r)
{
    const struct app *a = r->arg;
    struct str page = a->page_url.n ? a->page_url : S("(nowhere: its port is taken)");
    struct str text = arena_fmt(r->mem, "ccmon answers the API of " STR_FMT " here; its page is at " STR_FMT "\n",
                                STR_ARG(r->listener), STR_ARG(page));
    http_reply(r, 200, S("text/plain; charset=utf-8"), text);
}

static const struct http_route routes_root[] = {
    { HTTP_GET, "/", handle_root, ROUTE_LOOP, "says what this port is for" },
    { 0 },
};

/* What one listener answers, in the order in which tables are searched. */
struct mount {
    enum port_name port;
    const struct http_route *tables[TABLES_MAX];
};

static const struct mount mounts[] = {
    { PORT_OTLP_HTTP, { routes_otlp_grpc, routes_otlp, routes_otlp_any } },
    { PORT_OTLP_GRPC, { routes_otlp_grpc, routes_otlp, routes_otlp_any } },
    { PORT_PROMETHEUS, { routes_prometheus, routes_push_prometheus, routes_admin, routes_metrics, routes_root, routes_otlp,
                         routes_otlp_grpc } },
    { PORT_LOKI, { routes_loki, routes_push_loki, routes_admin, routes_metrics, routes_root, routes_otlp, routes_otlp_grpc } },
    { PORT_WEB, { routes_prometheus, routes_loki, routes_push_prometheus, routes_push_loki, routes_admin, routes_metrics, routes_otlp,
                  routes_otlp_grpc, routes_backup, routes_erase, routes_accounting, routes_web } },
};

static struct http_table table_of(struct app *a, const struct http_route *routes)
{
    if (routes == routes_otlp || routes == routes_otlp_any || routes == routes_otlp_grpc)
        return (struct http_table){ .routes = routes, .arg = &a->otlp, .on_error = otlp_refuse };
    if (routes == routes_push_prometheus || routes == routes_push_loki)
        return (struct http_table){ .routes = routes, .arg = &a->push, .on_error = push_refuse };
    if (routes == routes_metrics || routes == routes_admin || routes == routes_root || routes == routes_backup || routes == routes_erase)
        return (struct http_table){ .routes = routes, .arg = a };
    if (routes == routes_web)
        return (struct http_table){ .routes = routes, .arg = a->web };
    return (struct http_table){ .routes = routes, .arg = &a->api, .on_error = routes == routes_loki ? loki_refuse : prom_refuse };
}

/* What is configured for the listener of this address. */
static struct access_part part_of(const struct app *a, struct str addr)
{
    for (uint32_t i = 0; i < a->api.nlisteners; i++)
        for (uint32_t p = 0; p < PORT_COUNT; p++)
            if (str_eq(a->api.listeners[i].addr, addr) && str_eq(a->api.listeners[i].name, port_names[p]))
                return access_part(&a->cfg, p);
    return (struct access_part){ 0 };
}

struct str app_url(struct app *a, struct str addr)
{
    struct access_part part = part_of(a, addr);
    const char *scheme = part.tls_given ? "https" : "http";
    struct str rest = addr;
    str_cut(&rest, ':');
    if (str_starts(addr, S("0.0.0.0:")))           /* an address to bind, not one to call */
        return arena_fmt(&a->cfg.mem, "%s://localhost:" STR_FMT, scheme, STR_ARG(rest));
    if (str_starts(addr, S("[::]:")))
        return arena_fmt(&a->cfg.mem, "%s://localhost" STR_FMT, scheme, STR_ARG(str_sub(addr, S("[::]").n, addr.n)));
    return arena_fmt(&a->cfg.mem, "%s://" STR_FMT, scheme, STR_ARG(addr));
}

static struct str addr_text(struct app *a, struct str bind, uint16_t port)
{
    bool six = str_index(bind, ':') != SIZE_MAX;
    return arena_fmt(&a->cfg.mem, "%s" STR_FMT "%s:%u", six ? "[" : "", STR_ARG(bind), six ? "]" : "", port);
}

static enum err listen_one(struct app *a, const struct mount *m, struct fault *f)
{
    struct http_table tables[TABLES_MAX];
    uint32_t n = 0;
    while (n < TABLES_MAX && m->tables[n]) {
        tables[n] = table_of(a, m->tables[n]);
        n++;
    }

    struct str name = port_names[m->port];
    uint16_t want = (uint16_t)a->cfg.ports[m->port], port = want;
    struct api_listener *l = &a->api.listeners[a->api.nlisteners++];
    l->name = name;
    struct str bind = access_part(&a->cfg, m->port).bind;
    enum err e = http_listen(a->http, name, bind, want, tables, n, &port, f);
    l->addr = addr_text(a, bind, e ? want : port);
    if (!e && m->port == PORT_WEB)
        a->page_url = app_url(a, l->addr);
    if (!e || e != E_EXIST || a->cfg.port_asked[m->port])
        return e;

    l->problem = arena_fmt(&a->cfg.mem, "port %u is taken by another program. %s; stop that program, or give another port: --port " STR_FMT
                           "=NUMBER", want,
                           m->port == PORT_WEB ? "There is no page" : "Everything it answers is on the web port too", STR_ARG(name));
    log_line(LOG_WARN, STR_FMT ": " STR_FMT, STR_ARG(name), STR_ARG(l->problem));
    return OK;
}

enum err app_listen(struct app *a, struct fault *f)
{
    for (size_t i = 0; i < LEN(mounts); i++) {
        enum err e = listen_one(a, &mounts[i], f);
        if (e)
            return e;
    }
    uint32_t bound = 0;
    for (uint32_t i = 0; i < a->api.nlisteners; i++)
        bound += !a->api.listeners[i].problem.n;
    if (!bound)
        return fault_set(f, E_EXIST, 0, "every port is taken by another program; is another ccmon running?");
    for (uint32_t i = 0; i < a->api.nlisteners; i++)
        if (!a->api.listeners[i].problem.n)
            printf("listening " STR_FMT " " STR_FMT "\n", STR_ARG(a->api.listeners[i].name),
                   STR_ARG(a->api.listeners[i].addr));
    return OK;
}

static void describe_methods(uint32_t methods, struct buf *out)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = { { HTTP_GET, "GET" }, { HTTP_POST, "POST" }, { HTTP_PUT, "PUT" }, { HTTP_DELETE, "DELETE" } };
    bool first = true;
    for (size_t i = 0; i < LEN(names); i++)
        if (methods & names[i].bit) {
            buf_fmt(out, "%s%s", first ? "" : ", ", names[i].name);
            first = false;
        }
}

/* The web port has nearly every table of the others too. */
static bool is_another_ports(const struct http_route *routes)
{
    for (size_t i = 0; i < LEN(mounts); i++)
        for (size_t t = 0; t < TABLES_MAX && mounts[i].port != PORT_WEB; t++)
            if (mounts[i].tables[t] == routes)
                return true;
    return false;
}

void app_describe_routes(struct buf *out)
{
    buf_str(out, S("| port | methods | path | what it does |\n| --- | --- | --- | --- |\n"));
    for (size_t i = 0; i < LEN(mounts); i++)
        for (size_t t = 0; t < TABLES_MAX && mounts[i].tables[t]; t++) {
            if (mounts[i].port == PORT_WEB && is_another_ports(mounts[i].tables[t]))
                continue;
            for (const struct http_route *r = mounts[i].tables[t]; r->path; r++) {
                buf_fmt(out, "| " STR_FMT " | ", STR_ARG(port_names[mounts[i].port]));
                describe_methods(r->methods, out);
                buf_fmt(out, " | `%s` | %s |\n", r->path, r->doc ? r->doc : "");
            }
        }
}
