/* api/v1.c -- where the accounting API's routes are mounted, and how a call begins and fails.
 *
 * Answers have the form of Prometheus's API, since pages read both: {"status", "data"}. A name
 * that is not known is 400 with all names that are.
 */
#include "api/v1.h"

#include "api/prom_envelope.h"

enum { BARE_MAX = 16 << 20 };

/* A route is a line here, and a struct v1_route in a file of its own. */
#define V1_ROUTES(X) \
    X(session, "/sessions/*", "one session: its timeline by lanes, prompts, requests, tools, agents, marks") \
    X(prompt, "/sessions/*/prompts/*", "one prompt of a session as a tree: what asked for what, what it took and cost") \
    X(prices, "/prices", "the price book that ccmon goes by") \
    X(openapi, "/openapi.json", "this API as OpenAPI 3.1, made from the tables that it is made of")

static bool wants_csv(const struct v1_call *c)
{
    struct str accept = http_header(c->r, S("accept"));
    return c->route->list.n && !c->format.n && str_starts(accept, S("text/csv"));
}

static enum err run_bare(struct v1_call *c, struct fault *f)
{
    CLEANUP(buf_done) struct buf out;
    struct jw w;
    buf_init(&out, BARE_MAX);
    jw_init(&w, &out);
    enum err e = c->route->object(c, &w, f);
    CHECK(e || !out.bad);
    if (!e)
        http_reply_buf(c->r, 200, S("application/json"), &out);
    return e;
}

static enum err run(struct v1_call *c, struct fault *f)
{
    enum err e = v1_read_params(c, f);
    if (e)
        return e;
    if (wants_csv(c))
        c->format = S("csv");
    if (c->route->rows) {
        struct v1_rows rows = { 0 };
        e = c->route->rows(c, &rows, f);
        if (!e)
            v1_table(c, &rows);
        return e;
    }
    if (c->route->bare)
        return run_bare(c, f);
    struct prom_reply p;
    prom_begin(&p, c->r);
    e = c->route->object(c, &p.w, f);
    if (e)
        prom_drop(&p);
    else
        prom_send(&p, NULL);
    return e;
}

static void answer(struct http_req *r, const struct v1_route *route)
{
    const struct api *a = r->arg;
    CLEANUP(arena_done) struct arena mem;
    asked_arena(a, &mem);
    struct v1_call c = { .r = r, .a = a, .route = route, .mem = &mem, .now_ns = clock_now(a->clock) };
    c.q = asked_context(r, &mem, asked_longest(a));
    struct fault f = { 0 };
    enum err e = run(&c, &f);
    if (e)
        prom_fail(r, e, arena_fmt(&mem, "%s" STR_FMT, f.msg, STR_ARG(c.allowed)));
}

#define HANDLER(name, path, doc) \
    static void handle_##name(struct http_req *r) \
    { \
        answer(r, &v1_##name); \
    }
V1_ROUTES(HANDLER)

#define MOUNT(name, path, doc) { V1_PATH path, doc, &v1_##name },
const struct v1_mount v1_mounts[] = { V1_ROUTES(MOUNT){ 0 } };

#define ROUTE(name, path, doc) { HTTP_GET, V1_PATH path, handle_##name, ROUTE_POOL, doc },
const struct http_route routes_accounting[] = { V1_ROUTES(ROUTE){ 0 } };
