/* http/conn.c -- one HTTP/1.1 connection: its states, and the bytes that come in.
 *
 *            first byte          head             body complete
 *     IDLE ------------> HEAD ----------> BODY ----------------> BUSY (a handler has it)
 *      ^ ^                |    |          CHUNKS                  |   \
 *      | |   no body      |    +--------> SKIP (refused, small)   |    +---> STREAM
 *      | +----------------+----------------+                      |           |
 *      |           kept open               v                      v           v
 *      +------------------------------- SENDING <-----------------+        (closed)
 *                                          | not kept
 *                                          v
 *                                       LINGER -> CLOSED
 *
 * 1. Bytes are consumed only in IDLE, HEAD, BODY, CHUNKS and SKIP; what comes in
 *    other states waits in `ahead` (pipelining), and when that is full, in the kernel.
 * 2. At rest there is no buffer, no arena and no request: `ahead` and `call` are empty.
 * 3. conn_take() is never entered from within itself: a request answered on the spot
 *    continues its loop, one answered later comes in through conn_resume().
 * 4. After the last reply the connection lingers: it says that it sends no more and
 *    reads what still comes, because closing with unread bytes resets the connection
 *    and takes the reply with it. That is how a 413 reaches a client that is still
 *    sending its 100 MB.
 *
 * Has the client left, or has it only finished sending? TCP says the same in both
 * cases. A half-closed client must get its answer and a query nobody waits for
 * must end, so we ask: an interim "100 Continue", which every HTTP/1.1 client has
 * to skip, makes a closed peer reset the connection. The question is put only
 * when the answer takes longer than HTTP_PROBE_MS, and more and more rarely.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "http/conn_int.h"
#include "http/h2.h"
#include "http/tls.h"

static bool is_receiving(const struct conn *c)
{
    return c->state <= CONN_SKIP;
}

/* ---- the end ---- */

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_BUSY)
        call_orphan(TAKE(c->call));                /* its handler has it, and brings it back to nobody */
    c->state = CONN_CLOSED;
    if (c->h2)
        h2_free(TAKE(c->h2));
    if (c->stream)
        stream_gone(TAKE(c->stream));
    sock_close(c->sock);
}

static void drop_ahead(struct conn *c)
{
    buf_done(&c->ahead);
    c->ahead_at = 0;
}

void conn_linger(struct conn *c)
{
    if (c->ended) {
        conn_close(c);
        return;
    }
    c->state = CONN_LINGER;
    if (c->h2)
        h2_free(TAKE(c->h2));
    c->since = loop_ms(c->home->loop);
    if (!c->taking)
        drop_ahead(c);
    sock_shutdown(c->sock);
    sock_read(c->sock, true);
    bool stopping = atomic_load(&c->home->server->state) != SERVER_RUNNING;
    sock_deadline(c->sock, stopping ? HTTP_LINGER_STOP_MS : conn_cfg(c)->linger_ms);
}

static void on_closed(void *arg)
{
    struct conn *c = arg;
    struct listener *ln = c->listener;
    if (c->call)
        call_free(c->call);
    if (c->prev)
        c->prev->next = c->next;
    else
        c->home->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    buf_done(&c->ahead);
    buf_done(&c->sending);
    mem_free(c);
    server_conn_gone(ln);
}

/* ---- requests ---- */

struct call *conn_call(struct conn *c, void *owner, void (*answered)(struct call *call))
{
    struct call *call = call_new(c->home, c->listener, (struct str){ c->peer, c->npeer }, owner, answered);
    call->local = c->local;
    call->req.tls = sock_is_tls(c->sock);
    call->req.cert_name = arena_str(&call->mem, sock_cert_name(c->sock));
    return call;
}

static struct call *new_call(struct conn *c)
{
    CHECK(!c->call);
    return c->call = conn_call(c, c, conn_answered);
}

/* Refuses what cannot be followed by anything that could be understood. */
static void refuse(struct conn *c, int status, const char *why)
{
    struct call *call = c->call ? c->call : new_call(c);
    c->keep = false;
    call_refuse(call, status, "%s", why);
    CHECK(call->ready);
    conn_answer(c);
}

/* call_admit() said no. A small body is read all the same, so that one wrong path
 * does not cost a client its connection. */
static void answer_refusal(struct conn *c)
{
    const struct http_head *h = &c->call->head;
    if (h->length && h->length <= HTTP_DRAIN_MAX && !h->expect) {
        c->state = CONN_SKIP;
        c->skip = h->length;
        c->since = loop_ms(c->home->loop);
        sock_deadline(c->sock, conn_cfg(c)->body_window_ms);
        return;
    }
    if (h->length || h->chunked)
        c->keep = false;
    conn_answer(c);
}

static void ask_if_gone(struct conn *c)
{
    c->probe_ms = conn_cfg(c)->probe_ms;
    sock_deadline(c->sock, c->probe_ms);
}

static void run(struct conn *c)
{
    struct call *call = c->call;
    c->state = CONN_BUSY;
    sock_deadline(c->sock, 0);
    call_run(call);
    if (call->ready)
        conn_answer(c);
    else if (c->ended)
        ask_if_gone(c);
}

static void receive_body(struct conn *c)
{
    struct call *call = c->call;
    const struct http_head *h = &call->head;
    if (!h->length && !h->chunked) {
        run(c);
        return;
    }
    c->since = loop_ms(c->home->loop);
    c->mark = 0;
    c->state = h->chunked ? CONN_CHUNKS : CONN_BODY;
    c->chunks = (struct http_chunks){ 0 };
    sock_deadline(c->sock, conn_cfg(c)->body_window_ms);
    if (!h->chunked)
        CHECK(buf_room(&call->body, (size_t)h->length));       /* touched only as it arrives */
    if (h->expect && !sock_write_now(c->sock, conn_interim))
        conn_close(c);
}

static void begin_request(struct conn *c, struct str head)
{
    struct call *call = new_call(c);
    struct http_bad bad;
    char *p = arena_alloc(&call->mem, head.n, 1);
    memcpy(p, head.p, head.n);
    if (http_head_parse(p, head.n, &call->mem, &call->head, &bad) != HTTP_DONE) {
        refuse(c, bad.status, bad.why);
        return;
    }
    c->keep = call->head.keep_alive;
    if (call_admit(call))
        receive_body(c);
    else
        answer_refusal(c);
}

/* RFC 9113 3.4: chosen so that servers which do not know it stop reading here. */
static const struct str preface = S("PRI * HTTP/2.0\r\n\r\n");

/* ---- bytes in: each takes some of `in` and says how many; 0: wait for more ---- */

static size_t take_head(struct conn *c, struct str in)
{
    struct http_bad bad;
    switch (http_scan(&c->scan, in, &bad)) {
    case HTTP_BAD:
        refuse(c, bad.status, bad.why);
        return in.n;
    case HTTP_DONE: {
        size_t used = c->scan.at;
        if (!c->served && str_eq(str_sub(in, 0, used), preface)) {
            if (server_http2(c->home->server, c->listener->name))
                h2_begin(c, in);
            else
                refuse(c, 505, "HTTP/2 is switched off for this listener (http_server_config.http2)");
            return in.n;
        }
        c->served = true;
        begin_request(c, str_sub(in, c->scan.start, used - c->scan.start));
        return used;
    }
    case HTTP_MORE:
        break;
    }
    if (c->scan.start == in.n) {                   /* only empty lines so far: no request has begun */
        c->scan = (struct http_scan){ .blanks = c->scan.blanks };
        return in.n;
    }
    if (c->state == CONN_IDLE) {
        c->state = CONN_HEAD;
        sock_deadline(c->sock, conn_cfg(c)->header_ms);
    }
    return 0;
}

static size_t take_body(struct conn *c, struct str in)
{
    struct call *call = c->call;
    size_t n = MIN(in.n, (size_t)call->head.length - call->body.n);
    buf_put(&call->body, in.p, n);
    if (call->body.n == call->head.length)
        run(c);
    return n;
}

static size_t take_chunks(struct conn *c, struct str in)
{
    struct call *call = c->call;
    struct http_bad bad;
    struct str rest = in;
    enum http_step step = http_chunks_feed(&c->chunks, &rest, &call->body, &bad);
    if (step == HTTP_BAD) {
        refuse(c, bad.status, bad.why);
    } else if (!call_charge(call, call->body.n)) {
        c->keep = false;
        conn_answer(c);
    } else if (step == HTTP_DONE) {
        run(c);
    }
    return in.n - rest.n;
}

static size_t take_skip(struct conn *c, struct str in)
{
    size_t n = MIN((uint64_t)in.n, c->skip);
    c->skip -= n;
    if (!c->skip)
        conn_answer(c);
    return n;
}

static size_t conn_take(struct conn *c, struct str in)
{
    size_t used = 0;
    c->taking = true;
    while (used < in.n && is_receiving(c)) {
        struct str rest = str_sub(in, used, in.n - used);
        size_t n = c->state == CONN_BODY     ? take_body(c, rest)
                   : c->state == CONN_CHUNKS ? take_chunks(c, rest)
                   : c->state == CONN_SKIP   ? take_skip(c, rest)
                                             : take_head(c, rest);
        if (!n)
            break;
        used += n;
    }
    c->taking = false;
    return used;
}

/* ---- what the socket reports ---- */

/* After every piece of input: what waits, whether to read on, and what an end means. */
static void settle(struct conn *c)
{
    if (c->ended && is_receiving(c)) {
        if (c->state == CONN_IDLE) {
            conn_close(c);
        } else if (c->state == CONN_SKIP) {
            c->keep = false;
            conn_answer(c);
        } else {
            refuse(c, 400, "the connection ended in the middle of a request");
        }
    }
    if (c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_LINGER || c->state == CONN_STREAM)
        drop_ahead(c);
    if (c->ahead_at == c->ahead.n)
        drop_ahead(c);
    if (!c->ended)
        sock_read(c->sock, is_receiving(c) || c->ahead.n - c->ahead_at < HTTP_AHEAD_MAX);
}

void conn_resume(struct conn *c)
{
    if (c->taking)
        return;
    if (c->ahead_at < c->ahead.n) {
        struct str in = buf_view(&c->ahead);
        c->ahead_at += conn_take(c, str_sub(in, c->ahead_at, in.n - c->ahead_at));
    }
    settle(c);
}

static void keep_ahead(struct conn *c, struct str in)
{
    if (!c->ahead.max)
        buf_init(&c->ahead, HTTP_HEAD_MAX + HTTP_AHEAD_MAX + HTTP_READ_BYTES);
    if (c->ahead_at) {
        c->ahead.n -= c->ahead_at;
        memmove(c->ahead.p, c->ahead.p + c->ahead_at, c->ahead.n);
        c->ahead_at = 0;
    }
    buf_str(&c->ahead, in);
    CHECK(!c->ahead.bad);                          /* a head has its limit, and settle() stopped the rest */
}

static bool on_room(void *arg, char **ret_p, size_t *ret_n)
{
    struct conn *c = arg;
    if (c->state != CONN_BODY || c->ahead.n)
        return false;
    *ret_p = c->call->body.p + c->call->body.n;
    *ret_n = (size_t)c->call->head.length - c->call->body.n;
    return true;
}

static void on_input(void *arg, const char *p, size_t n)
{
    struct conn *c = arg;
    if (c->state == CONN_LINGER) {
        if (loop_ms(c->home->loop) - c->since > HTTP_LINGER_TOTAL_MS)
            conn_close(c);
        else
            sock_deadline(c->sock, conn_cfg(c)->linger_ms);
    } else if (c->state == CONN_H2) {
        h2_input(c->h2, (struct str){ p, n });
    } else if (c->state == CONN_BODY && p == c->call->body.p + c->call->body.n) {
        buf_grew(&c->call->body, n);               /* it was read into its place */
        if (c->call->body.n == c->call->head.length)
            run(c);
    } else if (c->state < CONN_STREAM && c->ahead.n) {
        keep_ahead(c, (struct str){ p, n });
        conn_resume(c);
    } else if (c->state < CONN_STREAM) {
        size_t used = conn_take(c, (struct str){ p, n });
        if (used < n && c->state < CONN_STREAM)
            keep_ahead(c, (struct str){ p + used, n - used });
        settle(c);
    }
}

static void on_end(void *arg, bool broken)
{
    struct conn *c = arg;
    c->ended = true;
    if (c->state == CONN_H2 && !broken)
        h2_eof(c->h2);
    else if (broken || c->state >= CONN_STREAM)
        conn_close(c);
    else if (c->state == CONN_BUSY)
        ask_if_gone(c);
    else
        settle(c);
}

static void on_sent(void *arg, bool ok)
{
    struct conn *c = arg;
    c->writing = false;
    if (ok && c->state == CONN_H2)
        h2_written(c->h2);
    else if (ok)
        c->sent(c);
    else
        conn_close(c);
}

/* Each window has to bring its share. */
static void body_timeout(struct conn *c)
{
    const struct http_config *cfg = conn_cfg(c);
    size_t got = c->call->body.n;
    if (got - c->mark < HTTP_BODY_WINDOW_MIN || loop_ms(c->home->loop) - c->since > cfg->body_ms) {
        refuse(c, 408, "the body of the request came too slowly");
        return;
    }
    c->mark = got;
    sock_deadline(c->sock, cfg->body_window_ms);
}

static void busy_timeout(struct conn *c)
{
    if (!c->call->head.minor)
        return;                                    /* HTTP/1.0 knows no interim replies */
    if (sock_broken(c->sock) || !sock_write_now(c->sock, conn_interim)) {
        conn_close(c);
        return;
    }
    c->probe_ms *= 2;
    sock_deadline(c->sock, c->probe_ms);
}

static void on_timeout(void *arg)
{
    struct conn *c = arg;
    switch (c->state) {
    case CONN_HEAD:
        refuse(c, 408, "the head of the request came too slowly");
        return;
    case CONN_BODY:
    case CONN_CHUNKS:
        body_timeout(c);
        return;
    case CONN_SKIP:
        c->keep = false;
        conn_answer(c);
        return;
    case CONN_BUSY:
        busy_timeout(c);
        return;
    case CONN_SENDING:
    case CONN_STREAM:
        conn_write_timeout(c);
        return;
    case CONN_H2:
        h2_timeout(c->h2);
        return;
    case CONN_IDLE:
    case CONN_LINGER:
    case CONN_CLOSED:
        conn_close(c);
        return;
    }
}

/* TLS was refused before there could be a request. */
static void on_refused(void *arg, int status, const char *why, const char *detail)
{
    struct conn *c = arg;
    char text[512];
    int n = snprintf(text, sizeof(text), "%s%s%s", why, detail ? ": " : "", detail ? detail : "");
    CHECK(n > 0);
    server_refused(c->home->server, c->listener->name, (struct str){ c->peer, c->npeer }, status, text);
}

static const struct sock_events events = { on_room, on_input, on_end, on_sent, on_timeout, on_closed, on_refused };

static void begin_tls(struct conn *c)
{
    const struct http_config *cfg = conn_cfg(c);
    struct tls_server *tls = server_tls(c->listener);
    const struct sock_tls how = { tls, server_http2(c->home->server, c->listener->name), cfg->handshake_ms, cfg->linger_ms };
    if (tls)
        sock_begin_tls(c->sock, &how);
    tls_server_unref(tls);
}

void conn_open(struct http_loop *hl, struct listener *ln, int fd, const struct net_addr *peer)
{
    if (atomic_load(&hl->server->state) != SERVER_RUNNING) {
        close(fd);
        server_conn_gone(ln);
        return;
    }
    struct conn *c = mem_alloc(sizeof(*c));
    c->home = hl;
    c->listener = ln;
    c->npeer = (uint8_t)net_format(peer, c->peer);
    c->local = ln->bound;
    if (net_is_any(&ln->bound))
        (void)net_local(fd, &c->local);
    c->next = hl->conns;
    if (c->next)
        c->next->prev = c;
    hl->conns = c;
    c->sock = sock_open(hl->loop, fd, &events, c);
    begin_tls(c);
    sock_deadline(c->sock, conn_cfg(c)->idle_ms);
}

/* ---- stopping ---- */

static void drain_one(struct conn *c)
{
    switch (c->state) {
    case CONN_IDLE:
        conn_close(c);
        return;
    case CONN_HEAD:
    case CONN_BODY:
    case CONN_CHUNKS:
        refuse(c, 503, "the server is stopping");
        return;
    case CONN_SKIP:
        conn_answer(c);
        return;
    case CONN_STREAM:
        if (c->chunked && !c->writing)
            (void)sock_write_now(c->sock, S("0\r\n\r\n"));
        conn_close(c);
        return;
    case CONN_H2:
        h2_drain(c->h2);
        return;
    case CONN_LINGER:
        sock_deadline(c->sock, HTTP_LINGER_STOP_MS);
        return;
    case CONN_BUSY:
    case CONN_SENDING:
    case CONN_CLOSED:
        return;
    }
}

void conn_drain(struct http_loop *hl)
{
    for (struct conn *c = hl->conns; c; c = c->next)
        drain_one(c);
}

void conn_kill(struct http_loop *hl)
{
    for (struct conn *c = hl->conns; c; c = c->next)
        conn_close(c);
}
