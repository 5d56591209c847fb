/* http/call_access.c -- who asks: the check of a request's Authorization, and the passwords
 * that have to be hashed for it.
 *
 *   call_may -> open, token, password seen before -> on it goes
 *           \-> 401, 403, 429
 *           \-> a password never seen: c->access is kept; its small body comes in, and then
 *               call_run -> call_prove -> (prover) prove_run -> 401, or on to the pool
 *
 * Everything is decided before a byte of the body is read, but for that last way: there up
 * to HTTP_UNPROVEN_BODY_MAX of it is, of HTTP_UNPROVEN_MAX requests at once. A larger body, one of
 * unknown length or one too many is answered with 503 "try again", and its password is hashed
 * meanwhile.
 */
#include <string.h>

#include "http/access.h"
#include "http/call.h"

/* A password that is hashed for nobody who waits. */
struct early {
    struct prove prove;                            /* first */
    struct http_server *server;
    struct access *access;
    struct arena mem;
    struct access_ask ask;
};

struct access *server_access(struct http_server *s)
{
    CHECK(pthread_mutex_lock(&s->access_lock) == 0);
    struct access *a = s->access ? access_ref(s->access) : NULL;
    CHECK(pthread_mutex_unlock(&s->access_lock) == 0);
    return a;
}

bool server_http2(struct http_server *s, struct str listener)
{
    struct access *a = server_access(s);
    const struct access_listener *l = a ? access_listener(a, listener) : NULL;
    bool yes = !l || l->http2;
    access_unref(a);
    return yes;
}

/* ---- asking ------------------------------------------------------------------ */

static struct access_ask ask_of(const struct call *c)
{
    return (struct access_ask){ c->req.listener, c->req.peer, http_header(&c->req, S("authorization")) };
}

static void say_what_is_wanted(struct call *c, const struct access_verdict *v)
{
    if (v->status == 401 && v->bearer)
        http_reply_header(&c->req, S("www-authenticate"), S("Bearer realm=\"ccmon\""));
    if (v->status == 401 && v->basic)
        http_reply_header(&c->req, S("www-authenticate"), S("Basic realm=\"ccmon\", charset=\"UTF-8\""));
    if (v->status == 429) {
        struct str seconds = arena_fmt(&c->mem, "%d", ACCESS_GUESS_MS / 1000);
        http_reply_header(&c->req, S("retry-after"), seconds);
    }
}

/* A refusal is the end of the call when this is not its loop's thread. */
static bool settle(struct call *c, const struct access_verdict *v)
{
    if (v->status) {
        say_what_is_wanted(c, v);
        call_refuse(c, v->status, "%s", v->why);
        return false;
    }
    if (v->user.n)
        c->req.user = v->user;
    return true;
}

static void add_headers(struct call *c, const struct access_listener *l)
{
    if (!l || !l->headers.n)
        return;
    c->defaults = arena_new(&c->mem, struct http_header, l->headers.n);
    for (uint32_t i = 0; i < l->headers.n; i++)
        c->defaults[c->ndefaults++] = (struct http_header){ arena_str(&c->mem, l->headers.at[i].name),
                                                            arena_str(&c->mem, l->headers.at[i].value) };
}

/* ---- hashing -------------------------------------------------------------------- */

static void run_item(struct pool_item *i)
{
    struct prove *p = (struct prove *)(void *)i;
    p->run(p);
}

static bool prover_submit(struct http_server *s, struct prove *p)
{
    CHECK(pthread_mutex_lock(&s->access_lock) == 0);
    struct pool *pool = s->prover;
    CHECK(pthread_mutex_unlock(&s->access_lock) == 0);
    CHECK(pool);                                   /* http_access() made it when there were users */
    return pool_submit(pool, &p->item);
}

static void early_free(struct early *e)
{
    access_unref(e->access);
    server_unref(e->server);
    secret_wipe((char *)e->ask.authorization.p, e->ask.authorization.n);
    arena_done(&e->mem);
    mem_free(e);
}

static void early_run(struct prove *p)
{
    struct early *e = (struct early *)(void *)p;
    struct access_verdict v;
    if (atomic_load(&e->server->state) != SERVER_STOPPED)
        access_prove(e->access, &e->ask, &e->mem, &v);         /* it remembers by itself what was right */
    early_free(e);
}

/* Takes over the reference. False: too many passwords are waiting. */
static bool hash_early(struct call *c, struct access *a)
{
    struct access_ask ask = ask_of(c);
    struct early *e = mem_alloc(sizeof(*e));
    arena_init(&e->mem, 64 << 10);
    e->prove.run = early_run;
    e->server = server_ref(c->home->server);
    e->access = a;
    e->ask = (struct access_ask){ arena_str(&e->mem, ask.listener), arena_str(&e->mem, ask.peer), arena_str(&e->mem, ask.authorization) };
    if (prover_submit(e->server, &e->prove))
        return true;
    early_free(e);
    return false;
}

void call_proven(struct call *c)
{
    if (!c->access)
        return;
    access_unref(TAKE(c->access));
    atomic_fetch_sub(&c->home->server->unproven, 1);
}

static void prove_run(struct prove *p)
{
    struct call *c = (struct call *)(void *)((char *)p - offsetof(struct call, prove));
    struct http_server *s = c->home->server;
    struct access_ask ask = ask_of(c);
    struct access_verdict v = { .status = 503, .why = "the server is stopping" };
    if (atomic_load(&s->state) != SERVER_STOPPED)
        access_prove(c->access, &ask, &c->mem, &v);
    call_proven(c);
    if (settle(c, &v) && !pool_submit(s->pool, &c->item))
        call_refuse(c, 503, "too many requests are waiting");
}

void call_prove(struct call *c)
{
    CHECK(c->access && !c->replied);
    c->prove.run = prove_run;
    c->inside = false;
    if (prover_submit(c->home->server, &c->prove))
        return;
    c->inside = true;
    call_refuse(c, 503, "too many passwords are waiting to be checked");
}

/* ---- the answer on the head --------------------------------------------------------- */

bool call_may(struct call *c)
{
    struct access *a = server_access(c->home->server);
    c->req.user = c->req.cert_name;                /* a token or a user says more */
    if (!a)
        return true;
    add_headers(c, access_listener(a, c->req.listener));
    struct access_ask ask = ask_of(c);
    struct access_verdict v;
    if (access_check(a, &ask, &c->mem, &v)) {
        access_unref(a);
        return settle(c, &v);
    }
    bool small = !c->head.chunked && c->head.length <= HTTP_UNPROVEN_BODY_MAX;
    if (small && atomic_fetch_add(&c->home->server->unproven, 1) < HTTP_UNPROVEN_MAX) {
        c->access = a;
        return true;
    }
    if (small)
        atomic_fetch_sub(&c->home->server->unproven, 1);
    bool busy = !hash_early(c, a);
    call_refuse(c, 503, "%s", busy ? "too many passwords are waiting to be checked" : "the password is being checked; send it again");
    return false;
}

/* ---- a change ------------------------------------------------------------------------- */

enum err http_access(struct http_server *s, struct access *a, struct fault *f)
{
    enum err e = OK;
    CHECK(pthread_mutex_lock(&s->access_lock) == 0);
    if (a && access_hashes(a) && !s->prover) {
        struct pool *p = pool_new(HTTP_PROVERS, HTTP_PROVE_QUEUE_MAX, run_item);
        e = pool_start(p, f);
        if (e)
            pool_free(p);
        else
            s->prover = p;
    }
    struct access *old = NULL;
    if (!e) {
        old = s->access;
        s->access = a ? access_ref(a) : NULL;
    }
    CHECK(pthread_mutex_unlock(&s->access_lock) == 0);
    access_unref(old);
    return e;
}
