/* http/call.c -- the way of a request from its head to its reply: what may be, where
 * it runs, and how it comes back. See call.h for the picture.
 *
 * Everything is decided as early as possible, because a refusal after 60 MB is no
 * use to anybody: host, route, length and coding are judged on the head alone, and
 * memory is charged for the announced length before a byte of it is read.
 */
#include "http/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/access.h"
#include "http/grpc.h"
#include "http/route.h"

enum { WHY_MAX = 240 };

struct call *call_new(struct http_loop *hl, struct listener *ln, struct str peer, void *owner, void (*answered)(struct call *c))
{
    struct call *c = mem_alloc(sizeof(*c));
    arena_init(&c->mem, HTTP_ARENA_BYTES);
    c->home = hl;
    c->listener = ln;
    c->owner = owner;
    c->answered = answered;
    c->inside = true;
    c->body_max = HTTP_FORM_MAX;
    c->req.mem = &c->mem;
    c->req.gone = &c->gone;
    c->req.listener = ln->name;
    c->req.peer = arena_str(&c->mem, peer);
    (void)server_ref(hl->server);
    atomic_fetch_add(&hl->server->running, 1);
    return c;
}

void call_free(struct call *c)
{
    struct http_server *s = c->home->server;
    if (c->stream)
        stream_gone(TAKE(c->stream));
    atomic_fetch_sub(&s->inflight, c->charged);
    atomic_fetch_sub(&s->running, 1);
    call_proven(c);
    buf_done(&c->body);
    buf_done(&c->out);
    arena_done(&c->mem);
    mem_free(c);
    server_unref(s);
}

void call_orphan(struct call *c)
{
    c->owner = NULL;
    __atomic_store_n(&c->gone, true, __ATOMIC_RELAXED);
}

/* ---- refusing ---- */

void call_refuse(struct call *c, int status, const char *fmt, ...)
{
    char why[WHY_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    CHECK(n >= 0 && !c->replied);
    const struct http_config *cfg = &c->home->server->cfg;
    bool ingest = c->route && c->route->flags & ROUTE_INGEST;
    bool full = status == 503 && c->route && c->route->flags & ROUTE_POOL;
    if (cfg->refused_request) {
        atomic_fetch_add(&c->home->server->refused, 1);
        cfg->refused_request(cfg->refused_arg, &(struct http_refusal){ &c->req, status, why, ingest });
    } else {
        server_refused(c->home->server, c->req.listener, c->req.peer, status, why);
    }
    if (status == 503) {
        char text[16];
        int len = snprintf(text, sizeof(text), "%d", HTTP_RETRY_AFTER_S);
        http_reply_header(&c->req, S("retry-after"), (struct str){ text, (size_t)len });
    }
    /* Either may be the end of the call, when this is not its loop's thread. */
    if (grpc_is(&c->req))
        grpc_refuse(&c->req, status, str_c(why), atomic_load(&c->home->server->state) != SERVER_RUNNING);
    else if ((ingest || full) && c->table->on_error)
        c->table->on_error(&c->req, status, str_c(why));
    else
        http_reply_error(&c->req, status, "%s", why);
}

bool call_charge(struct call *c, size_t total)
{
    struct http_server *s = c->home->server;
    if (total <= c->charged) {
        atomic_fetch_sub(&s->inflight, c->charged - total);
        c->charged = total;
        return true;
    }
    size_t more = total - c->charged;
    size_t before = atomic_fetch_add(&s->inflight, more);
    if (before > s->cfg.inflight_max || more > s->cfg.inflight_max - before) {
        atomic_fetch_sub(&s->inflight, more);
        call_refuse(c, 503, "too many large requests at once: bodies in flight are limited to %zu bytes", s->cfg.inflight_max);
        return false;
    }
    c->charged = total;
    return true;
}

/* ---- the head ---- */

static bool admit_host(struct call *c)
{
    const struct http_server *s = c->home->server;
    if (!s->cfg.check_hosts)
        return true;
    const struct hosts h = { s->cfg.allow_hosts, s->cfg.nallow_hosts, c->local };
    char why[HOSTS_WHY_MAX];
    int status = hosts_check(&h, &c->head, why);
    if (status)
        call_refuse(c, status, "%s", why);
    return status == 0;
}

static bool admit_route(struct call *c)
{
    const struct listener *ln = c->listener;
    struct route_match m = route_find(ln->tables, ln->ntables, c->head.method, c->head.path, &c->mem);
    if (m.route) {
        c->table = m.table;
        c->route = m.route;
        c->req.arg = m.table->arg;
        c->req.wild = m.wild;
        c->req.nwild = m.nwild;
        if (m.route->flags & ROUTE_INGEST)
            c->body_max = HTTP_BODY_MAX;
    }
    if (!call_may(c))                              /* before anything is said of what there is */
        return false;
    bool grpc = grpc_is(&c->req);
    if (m.route && grpc && !(m.route->flags & ROUTE_GRPC)) {
        call_refuse(c, 404, "no gRPC method is served at this path");
        return false;
    }
    if (m.route && !grpc && m.route->flags & ROUTE_GRPC) {
        call_refuse(c, 415, "gRPC is spoken at this path: HTTP/2 with a content type of application/grpc");
        return false;
    }
    if (m.route)
        return true;
    if (!m.table) {
        call_refuse(c, 404, "nothing is served at this path");
        return false;
    }
    http_reply_header(&c->req, S("allow"), route_allow(m.allowed, &c->mem));
    call_refuse(c, 405, "this path is not for " STR_FMT, STR_ARG(c->head.method_text));
    return false;
}

static bool admit_body(struct call *c)
{
    if (c->head.length > c->body_max) {
        call_refuse(c, 413, "the body is %llu bytes; this path takes %zu", (unsigned long long)c->head.length, c->body_max);
        return false;
    }
    bool grpc = c->route->flags & ROUTE_GRPC;
    if (grpc && !grpc_admit(c))
        return false;
    struct str says = http_header(&c->req, grpc ? S("grpc-encoding") : S("content-encoding"));
    enum body_coding coding = body_coding(says);
    if (c->route->flags & ROUTE_SNAPPY && str_eq_nocase(says, S("snappy")))
        coding = BODY_PLAIN;
    if (coding == BODY_UNKNOWN) {
        bool snappy = c->route->flags & ROUTE_SNAPPY;
        http_reply_header(&c->req, S("accept-encoding"), snappy ? S("snappy, " BODY_CODINGS) : S(BODY_CODINGS));
        call_refuse(c, 415, "this Content-Encoding is not understood; %s" BODY_CODINGS " and identity are", snappy ? "snappy, " : "");
        return false;
    }
    /* A GET may name a coding without having a body; elsewhere no bytes are not gzip. */
    bool bodiless = !c->head.length && !c->head.chunked && c->head.method & (HTTP_GET | HTTP_HEAD);
    c->coding = bodiless ? BODY_PLAIN : coding;
    buf_init(&c->body, c->body_max);
    return call_charge(c, (size_t)c->head.length);
}

static size_t count_pairs(struct str s)
{
    size_t n = 0;
    while (s.p) {
        (void)str_cut(&s, '&');
        n++;
    }
    return n;
}

static bool admit_params(struct call *c)
{
    if (count_pairs(c->head.query) <= HTTP_PARAMS_MAX)
        return true;
    call_refuse(c, 400, "more than %d parameters", HTTP_PARAMS_MAX);
    return false;
}

bool call_admit(struct call *c)
{
    const struct http_head *h = &c->head;
    struct http_server *s = c->home->server;
    c->req.method = h->method;
    c->req.raw_path = h->path;
    c->req.raw_query = h->query;
    c->req.headers = h->headers;
    c->req.nheaders = h->nheaders;
    atomic_fetch_add(&s->requests, 1);
    if (!percent_decode(h->path, false, false, &c->mem, &c->req.path) ||
        (c->req.path.n && memchr(c->req.path.p, 0, c->req.path.n))) {
        call_refuse(c, 400, "the path is not properly percent-encoded");
        return false;
    }
    if (atomic_load(&s->state) != SERVER_RUNNING) {
        call_refuse(c, 503, "the server is stopping");
        return false;
    }
    return admit_host(c) && admit_params(c) && admit_route(c) && admit_body(c);
}

/* ---- running ---- */

static bool admit_form(struct call *c)
{
    c->req.body = body_view(c);
    if (!call_has_form(c) || count_pairs(c->req.body) + count_pairs(c->head.query) <= HTTP_PARAMS_MAX)
        return true;
    call_refuse(c, 400, "more than %d parameters", HTTP_PARAMS_MAX);
    return false;
}

static void handle(struct call *c)
{
    if (admit_form(c))
        c->route->handle(&c->req);
}

/* Decoding a large body would keep a loop's other connections waiting, whatever its route says. */
static bool needs_pool(struct call *c)
{
    if (c->route->flags & ROUTE_POOL || c->body.n > HTTP_LOOP_BODY_MAX)
        return true;
    if (!c->coding)
        return false;
    return !body_is_quick(c) || body_decode_quick(c) == BODY_LARGER;
}

void call_run(struct call *c)
{
    struct http_server *s = c->home->server;
    CHECK(loop_here(c->home->loop) && c->route && !c->replied);
    c->req.recv_ns = clock_now(s->cfg.clock);
    c->req.recv_mono_ns = clock_mono(s->cfg.clock);
    if (c->route->flags & ROUTE_GRPC && !grpc_unframe(c))
        return;
    if (c->access) {
        call_prove(c);
        return;
    }
    if (needs_pool(c)) {
        c->inside = false;
        if (pool_submit(s->pool, &c->item))
            return;
        c->inside = true;
        call_refuse(c, 503, "too many requests are waiting");
        return;
    }
    if (!c->replied)                               /* decoding on the spot may have refused */
        handle(c);
    if (!c->ready)
        c->inside = false;
}

void call_pooled(struct pool_item *i)
{
    struct call *c = (struct call *)(void *)((char *)i - offsetof(struct call, item));
    /* What was sent is kept although nobody waits to hear so; what was asked is not answered.
     * Once the grace of a stop is over, neither. */
    bool ingest = c->route->flags & ROUTE_INGEST;
    bool stopped = atomic_load(&c->home->server->state) == SERVER_STOPPED;
    if (stopped || (!ingest && http_gone(&c->gone))) {
        http_reply_error(&c->req, 503, "the client has left");
        return;
    }
    if (!c->coding || body_decode(c))
        handle(c);
}

static void job_answered(struct loop_job *j)
{
    struct call *c = (struct call *)(void *)((char *)j - offsetof(struct call, job));
    c->answered(c);
}

void call_finish(struct call *c)
{
    CHECK(!c->replied);
    for (uint32_t i = 0; i < c->ndefaults; i++)
        if (!reply_has(c, c->defaults[i].name))
            http_reply_header(&c->req, c->defaults[i].name, c->defaults[i].value);
    c->replied = true;
    if (c->route && c->route->flags & ROUTE_INGEST && c->status / 100 == 2 && c->req.recv_mono_ns)
        latency_add(&c->home->server->acks, clock_mono(c->home->server->cfg.clock) - c->req.recv_mono_ns);
    if (loop_here(c->home->loop) && c->inside) {
        c->ready = true;
        return;
    }
    c->job.run = job_answered;
    if (!loop_post(c->home->loop, &c->job))
        call_free(c);                              /* the server has stopped: nobody waits for it */
}
