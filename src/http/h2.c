/* http/h2.c -- one HTTP/2 connection: what its streams are doing, and for how long.
 *
 *        fields          head          body complete
 *     HEAD ----------> BODY ---------------------> BUSY (a handler has it)
 *                       |                         /    \
 *                refused on the way              /      +--> LIVE (an http_stream)
 *                       |                       v              |
 *                       +----------------> SENDING             |
 *                                               | reply out    |
 *            client's side complete?  yes: closed  <-----------+
 *                                     no:  SPENT -- it ends, or is reset
 *
 * 1. A stream is a call with another owner: everything between its head and its reply
 *    is call.c's, limits and refusals included.
 * 2. Only h2_session_feed() and h2_session_next() raise events, and in them nothing is
 *    closed. What an event finds out about the whole connection is kept in `ending`
 *    and done by flush(), which every way in ends with.
 * 3. What a client sends is taken at once: a body is charged for as it grows, everything
 *    else has a budget (h2_budget.c). So we read always, and two peers that both wait
 *    until the other one reads cannot happen.
 * 4. One write is under way at a time; more is taken from the session when it is done,
 *    so replies wait in their calls and not as frames.
 * 5. A client that breaks the protocol or a budget loses its connection: one refusal is
 *    told, a GOAWAY says why, and its requests that handlers have are finished for nobody.
 *
 * 6. A connection is a hundred connections here, so what all of them may hold together is
 *    bounded where HTTP/1.1 bounds their number: requests under way, and replies that are
 *    not taken. Once either is used up, nobody gets more than an equal share.
 *
 * Time. Each stream has at most one time-out under way, the connection two more (a write
 * without progress; nothing to do). The socket's one deadline is set for the earliest;
 * when it goes off, all are looked at. Setting one later costs nothing.
 */
#include <stdio.h>
#include <string.h>

#include "http/h2_int.h"

struct h2 {
    struct conn *conn;
    struct h2_session *session;
    struct h2_stream *streams;                     /* a list */
    uint32_t nstreams;
    size_t held;                                   /* bytes of replies not yet sent */
    struct h2_budget budget;
    uint32_t continuations;                        /* since the last HEADERS */
    bool draining;                                 /* takes no more, and ends with its last stream */
    bool eof;                                      /* the client sends no more */
    bool inside;                                   /* the session is raising events, or flush() is running */

    const char *ending;                            /* why the connection is given up; not yet told to the session */
    int ending_status;
    enum h2_code ending_code;

    int64_t armed;                                 /* what the socket's deadline is set for; 0: nothing */
    int64_t idle_due, write_due, probe_due;        /* loop_ms(); 0: none */
    int64_t probe_ms;
};

static int64_t now_ms(const struct h2 *h)
{
    return loop_ms(h->conn->home->loop);
}

static void arm(struct h2 *h, int64_t at)
{
    if (h->armed && h->armed <= at)
        return;
    h->armed = at;
    sock_deadline(h->conn->sock, MAX(at - now_ms(h), (int64_t)1));
}

static void due_in(struct h2 *h, int64_t *due, int64_t ms)
{
    *due = now_ms(h) + ms;
    arm(h, *due);
}

/* The whole connection is to end; done in flush(). The first reason counts. */
static void give_up(struct h2 *h, int status, enum h2_code code, const char *why)
{
    if (h->ending)
        return;
    h->ending = why;
    h->ending_status = status;
    h->ending_code = code;
}

static void too_much(struct h2 *h, const char *why)
{
    if (why)
        give_up(h, 429, H2_CALM, why);
}

/* ---- streams ---- */

static void pump(void *stream);
static void on_answered(struct call *call);

/* An equal share of `max`, which all connections have used up; enough for one of whatever it is. */
static size_t share_of(const struct h2 *h, size_t max)
{
    return max / MAX(atomic_load(&h->conn->home->server->conns), 1u);
}

static bool is_crowded(const struct h2 *h)
{
    const struct http_server *s = h->conn->home->server;
    return atomic_load(&s->running) >= HTTP2_CALLS_MAX && h->nstreams > share_of(h, HTTP2_CALLS_MAX);
}

static void hold(struct h2_stream *st)
{
    struct h2 *h = st->h2;
    struct http_server *s = h->conn->home->server;
    st->held = st->call->out.n;
    h->held += st->held;
    size_t all = atomic_fetch_add(&s->held, st->held) + st->held;
    if (all > HTTP2_HELD_MAX && h->held - st->held > share_of(h, HTTP2_HELD_MAX))
        give_up(h, 429, H2_CALM, "replies that HTTP/2 clients do not take are too many");
}

static void unhold(struct h2_stream *st)
{
    struct h2 *h = st->h2;
    CHECK(h->held >= st->held);
    h->held -= st->held;
    atomic_fetch_sub(&h->conn->home->server->held, st->held);
    st->held = 0;
}

static void *on_begin(void *arg, int32_t id)
{
    struct h2 *h = arg;
    if (is_crowded(h)) {
        h2_session_reset(h->session, id, H2_REFUSED_STREAM);
        return NULL;
    }
    struct h2_stream *st = mem_alloc(sizeof(*st));
    st->h2 = h;
    st->id = id;
    st->call = conn_call(h->conn, st, on_answered);
    st->call->req.http2 = true;
    buf_init(&st->fields, 2 * HTTP_HEAD_MAX);
    buf_init(&st->cookie, HTTP_HEAD_MAX);
    st->next = h->streams;
    if (st->next)
        st->next->prev = st;
    h->streams = st;
    h->nstreams++;
    h->continuations = 0;
    h->idle_due = 0;
    due_in(h, &st->due, conn_cfg(h->conn)->header_ms);
    return st;
}

static void release(struct h2_stream *st)
{
    struct h2 *h = st->h2;
    if (st->live)
        stream_gone(TAKE(st->live));
    unhold(st);
    if (st->call && st->state == H2S_BUSY)
        call_orphan(TAKE(st->call));               /* its handler has it, and brings it back to nobody */
    else if (st->call)
        call_free(TAKE(st->call));
    buf_done(&st->fields);
    buf_done(&st->cookie);
    buf_done(&st->out);
    if (st->prev)
        st->prev->next = st->next;
    else
        h->streams = st->next;
    if (st->next)
        st->next->prev = st->prev;
    h->nstreams--;
    mem_free(st);
}

static void on_closed(void *arg, void *stream)
{
    struct h2 *h = arg;
    release(stream);
    if (!h->nstreams)
        due_in(h, &h->idle_due, conn_cfg(h->conn)->idle_ms);
}

/* ---- replies ---- */

static void answer(struct h2_stream *st)
{
    struct h2 *h = st->h2;
    struct call *call = st->call;
    CHECK(call->replied);
    uint32_t n;
    bool live = call->streaming && reply_has_body(call) && !h->draining;
    bool body = live || (!call->streaming && reply_has_body(call) && call->out.n);
    struct http_header *fields = h2_head_reply(call, !body, &n);
    if (body && !live)
        hold(st);
    st->state = live ? H2S_LIVE : H2S_SENDING;
    h2_session_reply(h->session, st->id, call->status, fields, n, body);
    st->due = 0;
    if (live) {
        st->live = TAKE(call->stream);
        stream_attach(st->live, st, pump);
    } else {
        due_in(h, &st->due, conn_cfg(h->conn)->write_ms);
    }
}

/* Refuses what a client did by being slow or unintelligible. */
static void refuse(struct h2_stream *st, int status, const char *why)
{
    call_refuse(st->call, status, "%s", why);
    CHECK(st->call->ready);
    answer(st);
}

static void run(struct h2_stream *st)
{
    st->state = H2S_BUSY;
    st->due = 0;
    call_run(st->call);
    if (st->call->ready)
        answer(st);
}

static size_t copy_out(struct h2_stream *st, const struct buf *from, char *p, size_t max)
{
    size_t n = MIN(max, from->n - st->at);
    if (n)
        memcpy(p, from->p + st->at, n);
    st->at += n;
    st->moved += n;
    h2_budget_sent(&st->h2->budget, n);
    return n;
}

static size_t body_fixed(struct h2_stream *st, char *p, size_t max, enum h2_more *ret)
{
    struct call *call = st->call;
    size_t n = copy_out(st, &call->out, p, max);
    if (st->at < call->out.n)
        return n;
    *ret = H2_END;
    if (call->ntrailers)
        h2_session_trailers(st->h2->session, st->id, call->trailers, call->ntrailers);
    return n;
}

static size_t body_live(struct h2_stream *st, char *p, size_t max, enum h2_more *ret)
{
    if (st->at == st->out.n && !st->live_end) {
        buf_done(&st->out);
        st->at = 0;
        struct stream_take t = stream_take(st->live);
        st->out = t.data;
        st->live_end = t.end;
        if (t.cut) {
            const struct conn *c = st->h2->conn;
            server_refused(c->home->server, c->listener->name, (struct str){ c->peer, c->npeer }, 503,
                           "a stream was cut: its client reads too slowly");
            h2_session_reset(st->h2->session, st->id, H2_CANCEL);
            *ret = H2_LATER;
            return 0;
        }
    }
    size_t n = copy_out(st, &st->out, p, max);
    bool all = st->at == st->out.n;
    *ret = all && st->live_end ? H2_END : n ? H2_MORE : H2_LATER;
    st->due = 0;
    if (!all)
        due_in(st->h2, &st->due, conn_cfg(st->h2->conn)->write_ms);
    return n;
}

static size_t on_body(void *arg, void *stream, char *p, size_t max, enum h2_more *ret)
{
    struct h2_stream *st = stream;
    (void)arg;
    return st->state == H2S_LIVE ? body_live(st, p, max, ret) : body_fixed(st, p, max, ret);
}

/* The reply has left. Nothing is gained from the rest of a body that was refused, but a
 * little of it is taken all the same: some clients drop a reply that is followed by a reset. */
static void on_sent(void *arg, void *stream)
{
    struct h2 *h = arg;
    struct h2_stream *st = stream;
    if (st->state != H2S_SENDING && st->state != H2S_LIVE)
        return;
    h2_budget_answered(&h->budget);
    unhold(st);
    st->due = 0;
    if (st->ended)
        return;                                    /* `closed` follows */
    bool more = st->call && st->call->head.length > HTTP_DRAIN_MAX;
    st->state = H2S_SPENT;
    st->moved = 0;
    if (more)
        h2_session_reset(h->session, st->id, H2_NO_ERROR);
    else
        due_in(h, &st->due, conn_cfg(h->conn)->body_window_ms);
}

/* ---- requests ---- */

static void on_field(void *arg, void *stream, struct str name, struct str value, bool valid)
{
    struct h2_stream *st = stream;
    if (((struct h2 *)arg)->ending)
        return;
    h2_head_field(st, name, value, valid);
    if (st->nfields > HTTP2_FIELDS_FLOOD || st->field_bytes > HTTP2_HEAD_FLOOD)
        too_much(st->h2, "a flood of HTTP/2 header fields");
}

/* END_STREAM of a head comes as `end` right after `head`. */
static void on_head(void *arg, void *stream)
{
    struct h2 *h = arg;
    struct h2_stream *st = stream;
    if (h->ending)
        return;
    if (!h2_head_finish(st)) {
        refuse(st, st->bad.status, st->bad.why);
        return;
    }
    if (!call_admit(st->call)) {
        answer(st);
        return;
    }
    st->state = H2S_BODY;
    st->since = now_ms(h);
    due_in(h, &st->due, conn_cfg(h->conn)->body_window_ms);
    if (st->call->head.length)
        CHECK(buf_room(&st->call->body, (size_t)st->call->head.length));   /* touched only as it arrives */
    if (st->call->head.expect)
        h2_session_interim(h->session, st->id);
}

static void on_data(void *arg, void *stream, struct str data)
{
    struct h2_stream *st = stream;
    struct h2 *h = arg;
    if (st->state != H2S_BODY) {
        st->moved += st->state == H2S_SPENT ? data.n : 0;
        if (st->state == H2S_SPENT && st->moved > HTTP_DRAIN_MAX)
            h2_session_reset(h->session, st->id, H2_NO_ERROR);
        return;
    }
    struct call *call = st->call;
    if (data.n > call->body_max - call->body.n) {
        call_refuse(call, 413, "the body is larger than the %zu bytes that this path takes", call->body_max);
        answer(st);
        return;
    }
    buf_str(&call->body, data);
    CHECK(!call->body.bad);
    if (!call->head.length && !call_charge(call, call->body.n))
        answer(st);
}

static void on_end(void *arg, void *stream)
{
    struct h2_stream *st = stream;
    if (((struct h2 *)arg)->ending)
        return;
    st->ended = true;
    if (st->state == H2S_BODY)
        run(st);
}

/* ---- what is too much ---- */

static void on_frame(void *arg, uint8_t type)
{
    struct h2 *h = arg;
    if (type == H2_CONTINUATION && ++h->continuations > HTTP2_CONTINUATIONS_MAX)
        too_much(h, "a flood of HTTP/2 CONTINUATION frames");
    else if (type == H2_HEADERS)
        h->continuations = 0;
    else if (type != H2_DATA && type != H2_CONTINUATION)
        too_much(h, h2_budget_frame(&h->budget, now_ms(h)));
}

static void on_empty(void *arg)
{
    struct h2 *h = arg;
    too_much(h, h2_budget_empty(&h->budget, now_ms(h)));
}

static void on_reset(void *arg)
{
    struct h2 *h = arg;
    too_much(h, h2_budget_reset(&h->budget, now_ms(h)));
}

static void tell(struct h2 *h, int status, const char *why)
{
    const struct conn *c = h->conn;
    server_refused(c->home->server, c->listener->name, (struct str){ c->peer, c->npeer }, status, why);
}

static void on_failed(void *arg, bool flood, const char *why)
{
    struct h2 *h = arg;
    char text[120];
    if (h->ending)
        return;                                    /* it is our own farewell that was sent */
    (void)snprintf(text, sizeof(text), "a client broke the rules of HTTP/2: %s", why);
    tell(h, flood ? 429 : 400, text);
}

static const struct h2_events events = {
    on_begin, on_field, on_head, on_data, on_end, on_closed, on_body, on_sent, on_frame, on_empty, on_reset, on_failed,
};

/* ---- bytes out ---- */

static void gather(struct h2 *h)
{
    struct buf *b = &h->conn->sending;
    buf_init(b, SIZE_MAX);
    while (b->n < HTTP2_OUT_BYTES) {
        struct str frames = h2_session_next(h->session);
        if (!frames.n)
            break;
        buf_str(b, frames);
    }
}

/* False: nothing more can be written now. */
static bool write_some(struct h2 *h)
{
    struct conn *c = h->conn;
    gather(h);
    if (!c->sending.n) {
        buf_done(&c->sending);
        return false;
    }
    struct str all = buf_view(&c->sending);
    switch (sock_write(c->sock, &all, 1)) {
    case SOCK_SENT:
        buf_done(&c->sending);
        return true;
    case SOCK_PENDING:
        c->writing = true;
        c->mark = sock_unsent(c->sock);
        due_in(h, &h->write_due, conn_cfg(c)->write_ms);
        return false;
    case SOCK_BROKEN:
        break;
    }
    conn_close(c);
    return false;
}

/* Does what events decided and sends what there is; h may be gone afterwards. */
static void flush(struct h2 *h)
{
    struct conn *c = h->conn;
    CHECK(!h->inside);
    bool more;
    do {
        h->inside = true;
        if (h->ending_status) {
            tell(h, h->ending_status, h->ending);
            h->ending_status = 0;
            h2_session_end(h->session, h->ending_code);
        }
        more = !c->writing && write_some(h);
        if (c->state != CONN_H2)
            return;
        h->inside = false;
    } while (more || h->ending_status);
    if (c->writing)
        return;
    bool done = h->draining && !h->nstreams;
    if (h2_session_over(h->session) || done)
        conn_linger(c);
    else if (h->eof && !h->nstreams)
        conn_close(c);
}

/* ---- ways in ---- */

static void pump(void *stream)
{
    struct h2_stream *st = stream;
    h2_session_resume(st->h2->session, st->id);
    flush(st->h2);
}

static void on_answered(struct call *call)
{
    struct h2_stream *st = call->owner;
    if (!st) {
        call_free(call);
        return;
    }
    CHECK(st->call == call && st->state == H2S_BUSY);
    answer(st);
    flush(st->h2);
}

void h2_input(struct h2 *h, struct str in)
{
    h->inside = true;
    h2_session_feed(h->session, in);
    h->inside = false;
    flush(h);
}

void h2_begin(struct conn *c, struct str in)
{
    CHECK(!c->h2 && !c->call && !c->writing);
    struct h2 *h = mem_alloc(sizeof(*h));
    h->conn = c;
    h->session = h2_session_new(&events, h);
    c->h2 = h;
    c->state = CONN_H2;
    sock_deadline(c->sock, 0);
    due_in(h, &h->idle_due, conn_cfg(c)->idle_ms);
    h2_input(h, in);
}

void h2_written(struct h2 *h)
{
    buf_done(&h->conn->sending);
    h->write_due = 0;
    flush(h);
}

/* What is complete is answered, in case the client is still there to hear it. */
void h2_eof(struct h2 *h)
{
    h->eof = true;
    for (struct h2_stream *st = h->streams; st; st = st->next)
        if (!st->ended || st->state == H2S_LIVE)
            h2_session_reset(h->session, st->id, H2_CANCEL);
    h->probe_ms = conn_cfg(h->conn)->probe_ms;
    due_in(h, &h->probe_due, h->probe_ms);
    flush(h);
}

void h2_drain(struct h2 *h)
{
    h->draining = true;
    h2_session_drain(h->session);
    for (struct h2_stream *st = h->streams; st; st = st->next) {
        if (st->state == H2S_HEAD) {
            h2_session_reset(h->session, st->id, H2_REFUSED_STREAM);
        } else if (st->state == H2S_BODY) {
            refuse(st, 503, "the server is stopping");
        } else if (st->state == H2S_LIVE) {
            st->live_end = true;
            h2_session_resume(h->session, st->id);
        }
    }
    flush(h);
}

void h2_free(struct h2 *h)
{
    while (h->streams)
        release(h->streams);
    h2_session_free(h->session);
    mem_free(h);
}

/* ---- time ---- */

static void sending_timeout(struct h2_stream *st)
{
    struct h2 *h = st->h2;
    if (h->conn->writing || st->moved > st->mark) {
        st->mark = st->moved;                      /* it moves, or the whole connection does not (write_timeout) */
        due_in(h, &st->due, conn_cfg(h->conn)->write_ms);
        return;
    }
    tell(h, 408, "an HTTP/2 client opened no window for a reply");
    h2_session_reset(h->session, st->id, H2_CANCEL);
}

/* Each window has to bring its share. */
static void body_timeout(struct h2_stream *st)
{
    const struct http_config *cfg = conn_cfg(st->h2->conn);
    size_t got = st->call->body.n;
    if (got - st->mark < HTTP_BODY_WINDOW_MIN || now_ms(st->h2) - st->since > cfg->body_ms) {
        refuse(st, 408, "the body of the request came too slowly");
        return;
    }
    st->mark = got;
    due_in(st->h2, &st->due, cfg->body_window_ms);
}

static void stream_timeout(struct h2_stream *st)
{
    st->due = 0;
    switch (st->state) {
    case H2S_HEAD:
        /* No other frame may come before it is complete, so nothing else can go on either. */
        give_up(st->h2, 408, H2_CALM, "the head of the request came too slowly");
        return;
    case H2S_BODY:
        body_timeout(st);
        return;
    case H2S_SENDING:
    case H2S_LIVE:
        sending_timeout(st);
        return;
    case H2S_SPENT:
        h2_session_reset(st->h2->session, st->id, H2_NO_ERROR);
        return;
    case H2S_BUSY:
        return;
    }
}

/* False: the connection is closed. */
static bool write_timeout(struct h2 *h)
{
    struct conn *c = h->conn;
    size_t left = sock_unsent(c->sock);
    if (left >= c->mark) {
        conn_close(c);
        return false;
    }
    c->mark = left;
    h->write_due = now_ms(h) + conn_cfg(c)->write_ms;
    return true;
}

/* A closed peer resets the connection when it is sent something; see conn.c. */
static bool probe_timeout(struct h2 *h)
{
    if (sock_broken(h->conn->sock)) {
        conn_close(h->conn);
        return false;
    }
    h2_session_ping(h->session);
    h->probe_ms *= 2;
    h->probe_due = now_ms(h) + h->probe_ms;
    return true;
}

static bool is_due(int64_t due, int64_t now)
{
    return due && due <= now;
}

static void rearm(struct h2 *h)
{
    const int64_t own[] = { h->idle_due, h->write_due, h->probe_due };
    for (size_t i = 0; i < LEN(own); i++)
        if (own[i])
            arm(h, own[i]);
    for (struct h2_stream *st = h->streams; st; st = st->next)
        if (st->due)
            arm(h, st->due);
}

void h2_timeout(struct h2 *h)
{
    int64_t now = now_ms(h);
    h->armed = 0;
    if (is_due(h->write_due, now) && !write_timeout(h))
        return;
    if (is_due(h->probe_due, now) && !probe_timeout(h))
        return;
    for (struct h2_stream *st = h->streams; st; st = st->next)
        if (is_due(st->due, now))
            stream_timeout(st);
    if (is_due(h->idle_due, now)) {
        h->idle_due = 0;
        h->draining = true;
        h2_session_drain(h->session);
    }
    rearm(h);
    flush(h);
}
