/* http/server.c -- the server as a whole: listeners, threads, the end.
 *
 *     NEW --http_start--> RUNNING --http_stop--> DRAINING --all closed, or grace over--> STOPPED
 *
 * Loop 0 accepts for all listeners and hands the connections out in turn. The end
 * goes in the order in which things depend on each other: no new connections, no
 * new requests, close what is left, pool, loops. Requests that are answered even
 * later find their loop ended and free themselves; each holds a reference on the
 * server, so the memory they need is there.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/access.h"
#include "http/call.h"
#include "http/conn.h"
#include "http/tls.h"

enum { LOOPS_DEFAULT = 2, POOL_MIN = 2 };

/* ---- making ---- */

#define DEFAULT(field, value) ((field) = (field) ? (field) : (value))

static void set_defaults(struct http_config *cfg)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t threads = cores > POOL_MIN ? (uint32_t)MIN(cores, (long)HTTP_POOL_MAX) : POOL_MIN;
    DEFAULT(cfg->loops, LOOPS_DEFAULT);
    DEFAULT(cfg->pool, threads);
    DEFAULT(cfg->clock, &clock_system);
    DEFAULT(cfg->handshake_ms, HTTP_HANDSHAKE_MS);
    DEFAULT(cfg->header_ms, HTTP_HEADER_MS);
    DEFAULT(cfg->body_ms, HTTP_BODY_MS);
    DEFAULT(cfg->body_window_ms, HTTP_BODY_WINDOW_MS);
    DEFAULT(cfg->idle_ms, HTTP_IDLE_MS);
    DEFAULT(cfg->write_ms, HTTP_WRITE_MS);
    DEFAULT(cfg->linger_ms, HTTP_LINGER_MS);
    DEFAULT(cfg->probe_ms, HTTP_PROBE_MS);
    DEFAULT(cfg->conns_max, HTTP_CONNS_MAX);
    DEFAULT(cfg->queue_max, HTTP_QUEUE_MAX);
    DEFAULT(cfg->inflight_max, HTTP_INFLIGHT_MAX);
    cfg->loops = MIN(cfg->loops, (uint32_t)HTTP_LOOPS_MAX);
    cfg->pool = MIN(cfg->pool, (uint32_t)HTTP_POOL_MAX);
}

enum err http_server_new(const struct http_config *cfg, struct http_server **ret, struct fault *f)
{
    struct http_server *s = mem_alloc(sizeof(*s));
    s->cfg = *cfg;
    set_defaults(&s->cfg);
    atomic_init(&s->refs, 1);
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    clock_cond_init(&s->empty);
    CHECK(pthread_mutex_init(&s->access_lock, NULL) == 0);
    s->pool = pool_new(s->cfg.pool, s->cfg.queue_max, call_pooled);
    for (uint32_t i = 0; i < s->cfg.loops; i++) {
        s->loops[i].server = s;
        s->loops[i].date_s = -1;
        enum err e = loop_new(&s->loops[i].loop, f);
        if (e) {
            http_server_free(s);
            return e;
        }
    }
    *ret = s;
    return OK;
}

enum err http_listen(struct http_server *s, struct str name, struct str addr, uint16_t port,
                     const struct http_table *tables, uint32_t ntables, uint16_t *ret_port, struct fault *f)
{
    CHECK(atomic_load(&s->state) == SERVER_NEW && ntables <= HTTP_TABLES_MAX && name.n <= HTTP_NAME_MAX);
    if (s->nlisteners == HTTP_LISTENERS_MAX)
        return fault_set(f, E_LIMIT, 0, "more than %d listeners", HTTP_LISTENERS_MAX);
    struct listener *ln = &s->listeners[s->nlisteners];
    enum err e = net_listen(addr, port, &ln->fd, &ln->bound, f);
    if (e)
        return e;
    s->nlisteners++;
    ln->server = s;
    memcpy(ln->name_text, name.p, name.n);
    ln->name = (struct str){ ln->name_text, name.n };
    memcpy(ln->tables, tables, ntables * sizeof(*tables));
    ln->ntables = ntables;
    *ret_port = ln->bound.port;
    return OK;
}

enum err http_listener_tls(struct http_server *s, struct str name, struct tls_server *tls, struct fault *f)
{
    bool found = false;
    for (uint32_t i = 0; i < s->nlisteners; i++) {
        struct listener *ln = &s->listeners[i];
        if (!str_eq(ln->name, name))
            continue;
        found = true;
        struct tls_server *fresh = tls ? tls_server_ref(tls) : NULL;
        CHECK(pthread_mutex_lock(&s->lock) == 0);
        struct tls_server *old = ln->tls;
        ln->tls = fresh;
        CHECK(pthread_mutex_unlock(&s->lock) == 0);
        tls_server_unref(old);
    }
    return found ? OK : fault_set(f, E_NOTFOUND, 0, "there is no listener \"" STR_FMT "\"", STR_ARG(name));
}

struct tls_server *server_tls(struct listener *ln)
{
    CHECK(pthread_mutex_lock(&ln->server->lock) == 0);
    struct tls_server *t = ln->tls ? tls_server_ref(ln->tls) : NULL;
    CHECK(pthread_mutex_unlock(&ln->server->lock) == 0);
    return t;
}

/* ---- connections ---- */

struct adoption {
    struct loop_job job;                           /* first */
    struct http_loop *home;
    struct listener *listener;
    int fd;
    struct net_addr peer;
};

static void job_adopt(struct loop_job *j)
{
    struct adoption *a = (struct adoption *)(void *)j;
    conn_open(a->home, a->listener, a->fd, &a->peer);
    mem_free(a);
}

/* Too many connections: says so with what fits into any socket buffer, and closes. */
static void turn_away(struct listener *ln, int fd, const struct net_addr *peer)
{
    static const struct str reply = S("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
                                      "Retry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n");
    char text[NET_TEXT_MAX];
    struct str who = { text, net_format(peer, text) };
    (void)!send(fd, reply.p, reply.n, 0);
    close(fd);
    server_refused(ln->server, ln->name, who, 503, "too many connections");
}

static void on_accepted(void *arg, int fd, const struct net_addr *peer)
{
    struct listener *ln = arg;
    struct http_server *s = ln->server;
    atomic_fetch_add(&s->accepted, 1);
    if (atomic_load(&s->conns) >= s->cfg.conns_max || atomic_load(&ln->conns) >= HTTP_LISTENER_CONNS_MAX) {
        turn_away(ln, fd, peer);
        return;
    }
    atomic_fetch_add(&s->conns, 1);
    atomic_fetch_add(&ln->conns, 1);
    struct http_loop *home = &s->loops[s->turn++ % s->cfg.loops];
    if (loop_here(home->loop)) {
        conn_open(home, ln, fd, peer);
        return;
    }
    struct adoption *a = mem_alloc(sizeof(*a));
    *a = (struct adoption){ { job_adopt, NULL }, home, ln, fd, *peer };
    if (loop_post(home->loop, &a->job))
        return;
    close(fd);
    mem_free(a);
    server_conn_gone(ln);
}

static void on_accept_failed(void *arg, int no)
{
    struct listener *ln = arg;
    char why[200];
    (void)snprintf(why, sizeof(why), "cannot accept connections: %s (raise the limit of open files)", strerror(no));
    server_refused(ln->server, ln->name, (struct str){ 0 }, 503, why);
}

void server_conn_gone(struct listener *ln)
{
    struct http_server *s = ln->server;
    atomic_fetch_sub(&ln->conns, 1);
    CHECK(pthread_mutex_lock(&s->lock) == 0);
    if (atomic_fetch_sub(&s->conns, 1) == 1)
        CHECK(pthread_cond_signal(&s->empty) == 0);
    CHECK(pthread_mutex_unlock(&s->lock) == 0);
}

void server_refused(struct http_server *s, struct str listener, struct str peer, int status, const char *why)
{
    atomic_fetch_add(&s->refused, 1);
    if (s->cfg.refused)
        s->cfg.refused(s->cfg.refused_arg, listener, peer, status, why);
}

/* Dates are in English whatever the locale, so strftime() will not do. */
const char *loop_date(struct http_loop *hl)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t now = clock_now(hl->server->cfg.clock) / NS_PER_S;
    if (now == hl->date_s)
        return hl->date;
    time_t t = (time_t)now;
    struct tm tm;
    CHECK(gmtime_r(&t, &tm));
    int n = snprintf(hl->date, sizeof(hl->date), "%.3s, %02d %.3s %d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday, tm.tm_mday,
                     months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    CHECK(n > 0 && n < (int)sizeof(hl->date));
    hl->date_s = now;
    return hl->date;
}

/* ---- start, stop ---- */

enum err http_start(struct http_server *s, struct fault *f)
{
    CHECK(atomic_load(&s->state) == SERVER_NEW);
    (void)signal(SIGPIPE, SIG_IGN);                /* a client that has left is an error of write(), not a signal */
    enum err e = pool_start(s->pool, f);
    for (uint32_t i = 1; !e && i < s->cfg.loops; i++)
        e = loop_start(s->loops[i].loop, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < s->nlisteners; i++) {
        const struct loop_listen on = { on_accepted, on_accept_failed, &s->listeners[i] };
        loop_listen(s->loops[0].loop, s->listeners[i].fd, &on);
        s->listeners[i].fd = -1;
    }
    atomic_store(&s->state, SERVER_RUNNING);       /* before the one that accepts */
    e = loop_start(s->loops[0].loop, f);
    if (e)
        atomic_store(&s->state, SERVER_STOPPED);
    return e;
}

static void job_drain(struct loop_job *j)
{
    struct http_loop *hl = (struct http_loop *)(void *)((char *)j - offsetof(struct http_loop, drain));
    loop_unlisten(hl->loop);
    conn_drain(hl);
}

static void job_kill(struct loop_job *j)
{
    conn_kill((struct http_loop *)(void *)((char *)j - offsetof(struct http_loop, kill)));
}

static void wait_until_empty(struct http_server *s, int64_t grace_ms)
{
    struct timespec until;
    clock_deadline(grace_ms * NS_PER_MS, &until);
    CHECK(pthread_mutex_lock(&s->lock) == 0);
    int rc = 0;
    while (atomic_load(&s->conns) && rc == 0)
        rc = clock_cond_wait(&s->empty, &s->lock, &until);
    CHECK(rc == 0 || rc == ETIMEDOUT);
    CHECK(pthread_mutex_unlock(&s->lock) == 0);
}

static void post_all(struct http_server *s, void (*run)(struct loop_job *), size_t at)
{
    for (uint32_t i = 0; i < s->cfg.loops; i++) {
        struct loop_job *j = (struct loop_job *)(void *)((char *)&s->loops[i] + at);
        j->run = run;
        CHECK(loop_post(s->loops[i].loop, j));
    }
}

void http_stop(struct http_server *s, int64_t grace_ms)
{
    CHECK(grace_ms >= 0);
    if (atomic_load(&s->state) != SERVER_RUNNING) {
        atomic_store(&s->state, SERVER_STOPPED);
        return;
    }
    atomic_store(&s->state, SERVER_DRAINING);
    post_all(s, job_drain, offsetof(struct http_loop, drain));
    wait_until_empty(s, grace_ms);
    atomic_store(&s->state, SERVER_STOPPED);
    post_all(s, job_kill, offsetof(struct http_loop, kill));
    if (s->prover)
        pool_stop(s->prover);                      /* it hands on to the other */
    pool_stop(s->pool);
    for (uint32_t i = 0; i < s->cfg.loops; i++)
        loop_stop(s->loops[i].loop);
    CHECK(atomic_load(&s->conns) == 0);
}

/* ---- the last reference ---- */

struct http_server *server_ref(struct http_server *s)
{
    CHECK(atomic_fetch_add(&s->refs, 1) > 0);
    return s;
}

void server_unref(struct http_server *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    CHECK(atomic_load(&s->inflight) == 0 && atomic_load(&s->streams) == 0);
    pool_free(s->prover);
    pool_free(s->pool);
    access_unref(s->access);
    for (uint32_t i = 0; i < s->cfg.loops; i++)
        loop_free(s->loops[i].loop);
    for (uint32_t i = 0; i < s->nlisteners; i++) {
        tls_server_unref(s->listeners[i].tls);
        if (s->listeners[i].fd >= 0)
            close(s->listeners[i].fd);
    }
    CHECK(pthread_mutex_destroy(&s->lock) == 0);
    CHECK(pthread_mutex_destroy(&s->access_lock) == 0);
    CHECK(pthread_cond_destroy(&s->empty) == 0);
    mem_free(s);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    enum server_state state = atomic_load(&s->state);
    CHECK(state == SERVER_NEW || state == SERVER_STOPPED);
    server_unref(s);
}

const struct latency *http_server_acks(const struct http_server *s)
{
    return &s->acks;
}

void http_server_stats(const struct http_server *s, struct http_stats *ret)
{
    *ret = (struct http_stats){
        .accepted = atomic_load(&s->accepted),
        .requests = atomic_load(&s->requests),
        .refused = atomic_load(&s->refused),
        .conns = atomic_load(&s->conns),
        .running = atomic_load(&s->running),
        .streams = atomic_load(&s->streams),
        .inflight_bytes = atomic_load(&s->inflight),
    };
}
