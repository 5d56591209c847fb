/* web/live.c -- GET /api/ccmon/live: one thread that feeds all live pages.
 *
 *    event: log     id: SEQ-RECV_NS   the newest records since the last one
 *    event: tick    id: SEQ-RECV_NS   rows were added: ask again what you show
 *    : beat                           every 15 s, so that dead connections are noticed
 *
 * The store calls on_commit() on its writer's thread, which only notes that there is
 * something, and wakes us if that is what we wait for: not while nobody looks, nor when a
 * tick is due anyway. We wait until TICK_NS after the tick before, so a busy
 * store makes four ticks a second, and scan once for everybody. A page that comes
 * back with Last-Event-ID (or ?after=) first gets what it missed, by a scan of
 * its own; after that all clients are at the same mark.
 *
 * A client is made by live_join() on an I/O thread, handed over through `joining`
 * and from then on touched by this thread alone, but for `gone`. It is freed when
 * both sides have let go: on_close came, and the stream was closed here.
 *
 * Locks: `mu` guards joining, late, nclients, awake, news, wants_news, stop and every client's gone. It is
 * never held while sending, scanning or opening a stream.
 */
#include "web/web_int.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/num.h"

enum {
    LIVE_CLIENTS_MAX = 128,
    LIVE_ARENA_BYTES = 8 << 20,
    LIVE_EVENT_MAX = 4 * LIVE_BATCH_BYTES_MAX,
    ID_MAX = 64,
};

static const int64_t TICK_NS = 250 * NS_PER_MS;
static const int64_t BEAT_NS = 15 * NS_PER_S;

struct client {
    struct http_stream *stream;
    bool resumes;                                  /* it was here before, and has seen all up to `mark` */
    struct live_mark mark;
    bool gone;                                     /* on_close has been called */
    struct live *live;
    struct client *next;
};

struct live {
    const struct api *api;
    uint32_t watch;
    pthread_t thread;
    bool joined;                                   /* the thread was waited for */

    pthread_mutex_t mu;
    pthread_cond_t wake;
    struct client *joining;
    struct client *late;                           /* joined after the end: only to be freed */
    uint32_t nclients;
    bool awake, stop;
    bool news, wants_news;                         /* something was committed; the thread sleeps until it is */

    /* of the thread alone */
    struct client *clients;
    struct live_mark mark;                         /* what all clients have seen */
    int64_t floor_ns;                              /* no mark is from before our start: an empty store has no last_recv_ns */
    int64_t ticked_mono_ns, beat_mono_ns;
    struct arena mem;
};

static void lock(struct live *l)
{
    CHECK(pthread_mutex_lock(&l->mu) == 0);
}

static void unlock(struct live *l)
{
    CHECK(pthread_mutex_unlock(&l->mu) == 0);
}

static void awaken(struct live *l)
{
    l->awake = true;
    CHECK(pthread_cond_signal(&l->wake) == 0);
}

static void on_commit(void *arg, uint64_t seq)
{
    (void)seq;
    struct live *l = arg;
    lock(l);
    l->news = true;
    if (l->wants_news)
        CHECK(pthread_cond_signal(&l->wake) == 0);
    unlock(l);
}

static void on_close(void *arg)
{
    struct client *c = arg;
    struct live *l = c->live;
    lock(l);
    c->gone = true;
    awaken(l);
    unlock(l);
}

/* ---- events ---- */

static struct live_mark mark_now(struct live *l, struct source_stats *stats)
{
    *stats = (struct source_stats){ 0 };
    l->api->src->stats(l->api->src, stats);
    return (struct live_mark){ stats->seq, MAX(stats->last_recv_ns, l->floor_ns) };
}

/* "SEQ-RECV_NS" */
static bool parse_mark(struct str id, struct live_mark *ret)
{
    struct str seq = str_cut(&id, '-');
    struct live_mark m = { 0 };
    if (!id.p || !str_to_u64(seq, &m.seq) || !str_to_i64(id, &m.recv_ns) || m.recv_ns < 0)
        return false;
    *ret = m;
    return true;
}

static void begin_event(struct buf *out, const char *name, struct live_mark m)
{
    buf_fmt(out, "event: %s\nid: %llu-%lld\ndata: ", name, (unsigned long long)m.seq, (long long)m.recv_ns);
}

static void put_tick(struct buf *out, struct live_mark m, const struct source_stats *stats)
{
    char recv[24];
    size_t n = num_fmt_i64(recv, stats->last_recv_ns);
    begin_event(out, "tick", m);
    struct jw w;
    jw_init(&w, out);
    jw_obj(&w);
    jw_key(&w, S("seq"));
    jw_u64(&w, m.seq);
    jw_key(&w, S("rows"));
    jw_u64(&w, stats->rows[TABLE_SAMPLE] + stats->rows[TABLE_LOG] + stats->rows[TABLE_SPAN]);
    jw_kv_str(&w, S("last_recv_ns"), (struct str){ recv, n });
    jw_obj_end(&w);
    buf_str(out, S("\n\n"));
}

/* Records after `after`; the mark moves on to the newest of them. Adds nothing when there are none. */
static void put_log(struct live *l, struct buf *out, struct live_mark after, struct live_mark *now)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, LIVE_EVENT_MAX);
    struct jw w;
    jw_init(&w, &json);
    arena_reset(&l->mem);
    jw_obj(&w);
    bool any = records_write(l->api, after, &l->mem, &w, &now->seq);
    jw_key(&w, S("seq"));
    jw_u64(&w, now->seq);
    jw_obj_end(&w);
    if (!any || json.bad)
        return;
    begin_event(out, "log", *now);
    buf_str(out, buf_view(&json));
    buf_str(out, S("\n\n"));
}

/* ---- clients ---- */

static void send_all(struct live *l, struct str data)
{
    if (!data.n)
        return;
    for (struct client *c = l->clients; c; c = c->next)
        (void)http_stream_send(c->stream, data);   /* in vain: on_close comes, and then reap() */
}

/* A page that shows nothing yet gets a tick only; one that was here before, what it
 * missed. A mark from the future is another store's: it starts anew. */
static void welcome(struct live *l, struct client *c)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, LIVE_EVENT_MAX * 2);
    struct source_stats stats;
    (void)mark_now(l, &stats);
    if (c->resumes && c->mark.seq < l->mark.seq) {
        struct live_mark upto = l->mark;
        put_log(l, &out, c->mark, &upto);          /* what is newer than l->mark comes once more: pages know records */
    }
    put_tick(&out, l->mark, &stats);
    if (!out.bad)
        (void)http_stream_send(c->stream, buf_view(&out));
}

static void take_in(struct live *l, struct client *joining)
{
    struct source_stats stats;
    if (joining && !l->clients)                    /* nobody looked, so nobody kept it up */
        l->mark = mark_now(l, &stats);
    while (joining) {
        struct client *c = joining;
        joining = c->next;
        c->next = l->clients;
        l->clients = c;
        welcome(l, c);
    }
}

/* Closes and frees those whose connections are gone. */
static void reap(struct live *l)
{
    struct client **at = &l->clients;
    while (*at) {
        struct client *c = *at;
        lock(l);
        bool gone = c->gone;
        l->nclients -= gone ? 1 : 0;
        unlock(l);
        if (!gone) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        http_stream_close(c->stream);
        mem_free(c);
    }
}

/* ---- the thread ---- */

/* How long nothing can be due. */
static int64_t next_ns(const struct live *l, bool pending, int64_t now)
{
    int64_t due = l->beat_mono_ns + BEAT_NS;
    if (pending)
        due = MIN(due, l->ticked_mono_ns + TICK_NS);
    return MAX(due - now, (int64_t)0);
}

/* Sleeps until woken, or there is news if that is wanted, or at most `ns`; returns the new
 * clients, *ret_stop at the end. */
static struct client *sleep_for(struct live *l, int64_t ns, bool wants_news, bool *ret_stop)
{
    struct timespec at;
    clock_deadline(ns, &at);

    lock(l);
    int rc = 0;
    l->wants_news = wants_news;
    while (!l->awake && !l->stop && !(wants_news && l->news) && ns > 0 && rc != ETIMEDOUT)
        rc = clock_cond_wait(&l->wake, &l->mu, &at);
    l->awake = l->wants_news = false;
    *ret_stop = l->stop;
    struct client *joining = l->joining;
    l->joining = NULL;
    unlock(l);
    return joining;
}

static void publish(struct live *l)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, LIVE_EVENT_MAX * 2);
    struct source_stats stats;
    struct live_mark before = l->mark, m = mark_now(l, &stats);
    put_log(l, &out, before, &m);
    l->mark = m;
    put_tick(&out, m, &stats);
    if (!out.bad)
        send_all(l, buf_view(&out));
}

/* Is there something that somebody wants to see? What comes after this look is news. */
static bool is_behind(struct live *l)
{
    struct source_stats stats;
    lock(l);
    l->news = false;
    unlock(l);
    return l->clients && mark_now(l, &stats).seq > l->mark.seq;
}

static void *run(void *arg)
{
    struct live *l = arg;
    bool stop = false;
    l->beat_mono_ns = clock_mono(l->api->clock);
    for (;;) {
        int64_t now = clock_mono(l->api->clock);
        bool behind = is_behind(l);
        struct client *joining = sleep_for(l, next_ns(l, behind, now), l->clients && !behind, &stop);
        take_in(l, joining);
        if (stop)
            return NULL;
        reap(l);
        now = clock_mono(l->api->clock);
        if (is_behind(l) && now - l->ticked_mono_ns >= TICK_NS) {
            l->ticked_mono_ns = now;
            publish(l);
        }
        if (now - l->beat_mono_ns >= BEAT_NS) {
            l->beat_mono_ns = now;
            send_all(l, S(": beat\n\n"));
        }
    }
}

/* ---- the outside ---- */

enum err live_new(const struct api *api, struct live **ret, struct fault *f)
{
    struct live *l = mem_alloc(sizeof(*l));
    l->api = api;
    CHECK(pthread_mutex_init(&l->mu, NULL) == 0);
    clock_cond_init(&l->wake);
    arena_init(&l->mem, LIVE_ARENA_BYTES);
    l->floor_ns = clock_now(api->clock);
    struct source_stats stats;
    l->mark = mark_now(l, &stats);
    l->watch = api->src->watch(api->src, on_commit, l);
    int rc = pthread_create(&l->thread, NULL, run, l);
    if (rc) {
        l->joined = true;
        live_free(l);
        return fault_set(f, E_IO, 0, "thread of the live stream: %s", strerror(rc));
    }
    *ret = l;
    return OK;
}

void live_stop(struct live *l)
{
    if (l->joined)
        return;
    l->api->src->unwatch(l->api->src, l->watch);
    lock(l);
    l->stop = true;
    awaken(l);
    unlock(l);
    CHECK(pthread_join(l->thread, NULL) == 0);
    l->joined = true;
    for (struct client *c = l->clients; c; c = c->next)
        http_stream_close(c->stream);
    CHECK(!l->joining);                            /* the thread took them in */
}

static void free_list(struct client *c)
{
    while (c) {
        struct client *next = c->next;
        mem_free(c);
        c = next;
    }
}

void live_free(struct live *l)
{
    if (!l)
        return;
    live_stop(l);
    free_list(l->clients);
    free_list(l->late);
    arena_done(&l->mem);
    CHECK(pthread_cond_destroy(&l->wake) == 0);
    CHECK(pthread_mutex_destroy(&l->mu) == 0);
    mem_free(l);
}

/* Counts the client in, unless there is no room. */
static bool admit(struct live *l)
{
    lock(l);
    bool ok = !l->stop && l->nclients < LIVE_CLIENTS_MAX;
    l->nclients += ok ? 1 : 0;
    unlock(l);
    return ok;
}

void live_join(struct live *l, struct http_req *r)
{
    struct str id = http_header(r, S("last-event-id"));
    struct client *c = mem_alloc(sizeof(*c));
    c->live = l;
    if (!id.n)
        (void)http_param(r, S("after"), &id);
    c->resumes = parse_mark(id, &c->mark);
    if (!admit(l)) {
        mem_free(c);
        http_reply_error(r, 503, "stopping, or more than %d live pages", LIVE_CLIENTS_MAX);
        return;
    }
    http_reply_header(r, S("Cache-Control"), S("no-store"));
    http_reply_header(r, S("X-Content-Type-Options"), S("nosniff"));
    c->stream = http_stream_open(r, 200, S("text/event-stream"), on_close, c);
    lock(l);
    bool late = l->stop;
    struct client **list = late ? &l->late : &l->joining;
    c->next = *list;
    *list = c;
    awaken(l);
    unlock(l);
    if (late)
        http_stream_close(c->stream);
}
