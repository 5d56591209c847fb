/* http/stream.c -- open-ended replies: bytes from any thread to one connection.
 *
 *    opener: send, close          |lock|          loop: take, write, gone
 *
 * Sent bytes wait in `out`, at most HTTP_STREAM_BACKLOG_MAX with what the socket
 * still has; one job at a time wakes the loop, which takes all there is. A client
 * that reads more slowly than that is cut: it would only see the past.
 *
 * Each of the two parties lets go once: the opener with http_stream_close(), the
 * server with stream_gone(), which calls on_close. Neither waits for the other
 * and no lock is held around on_close, so the opener may close while holding the
 * very lock that its on_close takes.
 */
#include "http/call.h"

struct http_stream {
    struct loop_job job;                           /* first */
    struct http_server *server;
    struct loop *loop;
    void (*on_close)(void *arg);
    void *arg;

    void *conn;                                    /* on the loop: NULL before attach and after gone */
    void (*pump)(void *conn);

    pthread_mutex_t lock;                          /* of all below */
    struct buf out;
    size_t taken;                                  /* bytes that the connection took last and may still hold */
    bool posted;
    bool closed;                                   /* by the opener */
    bool cut;                                      /* too slow, or too many streams */
    bool gone;                                     /* the server let go */
};

static void lock(struct http_stream *s)
{
    CHECK(pthread_mutex_lock(&s->lock) == 0);
}

static void unlock(struct http_stream *s)
{
    CHECK(pthread_mutex_unlock(&s->lock) == 0);
}

static void stream_free(struct http_stream *s)
{
    struct http_server *server = s->server;
    CHECK(pthread_mutex_destroy(&s->lock) == 0);
    buf_done(&s->out);
    mem_free(s);
    server_unref(server);
}

static void job_pump(struct loop_job *j)
{
    struct http_stream *s = (struct http_stream *)(void *)j;
    lock(s);
    s->posted = false;
    bool last = s->gone && s->closed;
    void *conn = s->conn;                          /* NULL: the opener may free the stream at any moment */
    unlock(s);
    if (last)
        stream_free(s);
    else if (conn)
        s->pump(conn);
}

/* Wakes the loop unless it is awake already; under the lock, so that a queued job
 * and the end of the stream cannot miss each other. */
static void wake(struct http_stream *s)
{
    if (s->posted || s->gone)
        return;
    s->posted = loop_post(s->loop, &s->job);
}

struct http_stream *http_stream_open(struct http_req *r, int status, struct str content_type,
                                     void (*on_close)(void *arg), void *arg)
{
    struct call *c = (struct call *)(void *)r;
    CHECK(!c->replied && status >= 200 && status < 300);
    struct http_stream *s = mem_alloc(sizeof(*s));
    s->job.run = job_pump;
    s->server = server_ref(c->home->server);
    s->loop = c->home->loop;
    s->on_close = on_close;
    s->arg = arg;
    buf_init(&s->out, HTTP_STREAM_BACKLOG_MAX);
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);

    c->stream = s;
    if (atomic_fetch_add(&s->server->streams, 1) >= HTTP_STREAMS_MAX) {
        s->cut = true;
        call_refuse(c, 503, "more than %d open streams", HTTP_STREAMS_MAX);
        return s;
    }
    c->streaming = true;
    c->status = status;
    c->type = arena_str(&c->mem, content_type);
    call_finish(c);
    return s;
}

bool http_stream_send(struct http_stream *s, struct str data)
{
    lock(s);
    CHECK(!s->closed);
    bool ok = !s->cut && !s->gone;
    if (ok && data.n > s->out.max - s->out.n - MIN(s->taken, s->out.max - s->out.n)) {
        s->cut = true;
        ok = false;
        wake(s);
    } else if (ok && data.n) {
        buf_str(&s->out, data);
        CHECK(!s->out.bad);
        wake(s);
    }
    unlock(s);
    return ok;
}

void http_stream_close(struct http_stream *s)
{
    lock(s);
    CHECK(!s->closed);
    s->closed = true;
    bool last = s->gone && !s->posted;
    wake(s);
    unlock(s);
    if (last)
        stream_free(s);
}

/* ---- the server's side ---- */

void stream_attach(struct http_stream *s, void *conn, void (*pump)(void *conn))
{
    CHECK(!s->conn && conn);
    s->conn = conn;
    s->pump = pump;
}

struct stream_take stream_take(struct http_stream *s)
{
    struct stream_take t = { 0 };
    lock(s);
    t.data = s->out;
    t.end = s->closed;
    t.cut = s->cut;
    s->taken = t.data.n;
    buf_init(&s->out, HTTP_STREAM_BACKLOG_MAX);
    unlock(s);
    return t;
}

void stream_gone(struct http_stream *s)
{
    if (s->on_close)
        s->on_close(s->arg);
    atomic_fetch_sub(&s->server->streams, 1);
    lock(s);
    CHECK(!s->gone);
    s->conn = NULL;
    s->gone = true;
    bool last = s->closed && !s->posted;
    unlock(s);
    if (last)
        stream_free(s);
}
