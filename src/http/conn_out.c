/* http/conn_out.c -- the sending half of a connection: replies, and streams.
 *
 * One write is under way at a time, so there is no queue: a reply's head and body
 * go out gathered, and only what the kernel would not take at once waits for it.
 */
#include <stdio.h>

#include "http/conn_int.h"

const struct str conn_interim = S("HTTP/1.1 100 Continue\r\n\r\n");

static bool is_running(const struct conn *c)
{
    return atomic_load(&c->home->server->state) == SERVER_RUNNING;
}

/* True: all is sent, go on. False: `sent` will be called, or the connection is closed. */
static bool conn_write(struct conn *c, const struct str *parts, uint32_t n, void (*sent)(struct conn *c))
{
    CHECK(!c->writing);
    switch (sock_write(c->sock, parts, n)) {
    case SOCK_SENT:
        return true;
    case SOCK_PENDING:
        c->writing = true;
        c->sent = sent;
        c->mark = sock_unsent(c->sock);
        sock_deadline(c->sock, conn_cfg(c)->write_ms);
        return false;
    case SOCK_BROKEN:
        break;
    }
    conn_close(c);
    return false;
}

/* A slow reader may take its time as long as it takes something. */
void conn_write_timeout(struct conn *c)
{
    CHECK(c->writing);
    size_t left = sock_unsent(c->sock);
    if (left >= c->mark) {
        conn_close(c);
        return;
    }
    c->mark = left;
    sock_deadline(c->sock, conn_cfg(c)->write_ms);
}

/* The reply has left; on to the next request or the end. */
static void reply_sent(struct conn *c)
{
    call_free(TAKE(c->call));
    if (!c->keep || !is_running(c)) {
        conn_linger(c);
        return;
    }
    c->state = CONN_IDLE;
    c->scan = (struct http_scan){ 0 };
    sock_deadline(c->sock, conn_cfg(c)->idle_ms);
    conn_resume(c);
}

static void stream_ended(struct conn *c)
{
    stream_gone(TAKE(c->stream));
    conn_linger(c);
}

static void stream_pump(void *arg);

static void stream_sent(struct conn *c)
{
    buf_done(&c->sending);
    stream_pump(c);
}

static void stream_cut(struct conn *c)
{
    server_refused(c->home->server, c->listener->name, (struct str){ c->peer, c->npeer }, 503,
                   "a stream was cut: its client reads too slowly");
    conn_close(c);
}

/* Sends what waits, as one chunk; false when there was nothing, or the socket is full. */
static bool stream_step(struct conn *c)
{
    struct stream_take t = stream_take(c->stream);
    if (t.cut) {
        buf_done(&t.data);
        stream_cut(c);
        return false;
    }
    if (t.data.n) {
        int n = snprintf(c->chunk_head, sizeof(c->chunk_head), "%zx\r\n", t.data.n);
        c->sending = t.data;
        struct str parts[3] = { { c->chunk_head, (size_t)n }, buf_view(&c->sending), S("\r\n") };
        if (!conn_write(c, c->chunked ? parts : parts + 1, c->chunked ? 3 : 1, stream_sent))
            return false;
        buf_done(&c->sending);
        return true;
    }
    buf_done(&t.data);
    sock_deadline(c->sock, 0);
    struct str last = S("0\r\n\r\n");
    if (t.end && (!c->chunked || conn_write(c, &last, 1, stream_ended)))
        stream_ended(c);
    return false;
}

static void stream_pump(void *arg)
{
    struct conn *c = arg;
    while (c->state == CONN_STREAM && !c->writing && stream_step(c))
        continue;
}

static void stream_began(struct conn *c)
{
    call_free(TAKE(c->call));
    if (c->ended)
        conn_close(c);
    else
        stream_pump(c);
}

static void begin_stream(struct conn *c)
{
    struct call *call = c->call;
    c->keep = false;
    c->state = CONN_STREAM;
    c->chunked = call->head.minor > 0;
    c->stream = TAKE(call->stream);
    stream_attach(c->stream, c, stream_pump);
    sock_read(c->sock, true);                      /* to see it end; what comes is thrown away */
    sock_deadline(c->sock, 0);
    struct str head = reply_head(call, false, c->chunked);
    if (conn_write(c, &head, 1, stream_began))
        stream_began(c);
}

void conn_answer(struct conn *c)
{
    struct call *call = c->call;
    CHECK(call->replied && !c->writing);
    if (call->streaming && reply_has_body(call) && is_running(c)) {
        begin_stream(c);
        return;
    }
    c->state = CONN_SENDING;
    c->keep = c->keep && is_running(c) && !call->streaming;
    struct str parts[2] = { reply_head(call, c->keep, false), buf_view(&call->out) };
    if (conn_write(c, parts, reply_has_body(call) && call->out.n ? 2 : 1, reply_sent))
        reply_sent(c);
}

void conn_answered(struct call *call)
{
    struct conn *c = call->owner;
    if (!c) {
        call_free(call);
        return;
    }
    CHECK(c->call == call && c->state == CONN_BUSY);
    conn_answer(c);
}
