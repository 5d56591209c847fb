/* http/secure.c -- TLS between a struct sock and its holder, on the server's side.
 *
 *   HELLO --first bytes--> SHAKING --handshake done--> OPEN --holder ends--> OPEN (close_notify sent)
 *     |                       |
 *     +------- refused -------+--> REFUSED --client closes, or the linger is over--> end()
 *
 * 1. The holder sees what it would see of a plain socket, from OPEN on; before that only
 *    `refused`, and `end`. Its deadlines count from OPEN on; until then there is ours.
 * 2. A write is encrypted piece by piece, each only when the one before has gone, so a
 *    large reply does not stand in memory twice.
 * 3. One read of the socket gives the holder at most HTTP_READ_BYTES, as without TLS:
 *    loop.c reads TLS_OVERHEAD_MAX less, which is what OpenSSL may have held back of a
 *    record. It may come in several pieces, and the later ones also when the holder
 *    stopped reading at the first.
 * 4. Between events nothing is kept but OpenSSL's state: no buffer in, none out.
 *
 * The classic mistake is plain HTTP to this port. It is recognised by its first byte and
 * answered in plain HTTP, since that is the only thing its sender can show.
 */
#include "http/secure.h"

#include <string.h>

#include "base/buf.h"
#include "http/limits.h"

enum state { HELLO, SHAKING, OPEN, REFUSED };

struct secure {
    struct sock *sock;
    const struct sock_events *ev;
    void *arg;
    struct tls_conn *tls;
    uint32_t linger_ms;
    enum state state;
    bool ended;                                    /* the holder was told of the end */
    bool pending;                                  /* the holder waits for `sent` */
    bool flushing;                                 /* raw_begin() is under way, with `sending` */
    int64_t later_ms;                              /* the holder's deadline, from OPEN on */
    struct str todo[SOCK_PARTS_MAX];               /* of sock_write(): not yet encrypted */
    struct buf sending;
};

static const struct str plain_answer =
    S("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: 79\r\n\r\n"
      "this is plain HTTP, and the port speaks TLS: write https:// instead of http://\n");

struct secure *secure_new(struct sock *s, const struct sock_tls *how, const struct sock_events *ev, void *arg)
{
    struct secure *x = mem_alloc(sizeof(*x));
    struct fault note = { 0 };
    x->sock = s;
    x->ev = ev;
    x->arg = arg;
    x->linger_ms = how->linger_ms;
    x->tls = tls_accept(how->server, how->http2, &note);
    if (note.code && ev->refused)
        ev->refused(arg, 500, "the certificate on disk has changed but cannot be used; the one before goes on", note.msg);
    raw_deadline(s, how->handshake_ms);
    return x;
}

void secure_free(struct secure *x)
{
    if (!x)
        return;
    tls_conn_free(x->tls);
    buf_done(&x->sending);
    mem_free(x);
}

struct str secure_name(const struct secure *x)
{
    return tls_peer_name(x->tls);
}

/* ---- bytes out ---- */

/* The next piece of `todo`, encrypted. False: there is none. */
static bool encrypt_next(struct secure *x, bool *ret_broken)
{
    for (size_t i = 0; i < SOCK_PARTS_MAX; i++) {
        struct str *t = &x->todo[i];
        if (!t->n)
            continue;
        size_t n = MIN(t->n, (size_t)TLS_WRITE_BYTES);
        *ret_broken = !tls_write(x->tls, str_sub(*t, 0, n));
        *t = str_sub(*t, n, t->n);
        return true;
    }
    return false;
}

static enum sock_write pump(struct secure *x)
{
    struct buf *out = tls_out(x->tls);
    for (;;) {
        bool broken = false;
        if (x->flushing)
            return SOCK_PENDING;
        if (!out->n && !encrypt_next(x, &broken)) {
            buf_done(out);                         /* at rest: no buffer */
            return SOCK_SENT;
        }
        ptrdiff_t n = broken ? -1 : raw_try(x->sock, buf_view(out));
        if (n < 0)
            return SOCK_BROKEN;
        if ((size_t)n == out->n) {
            buf_clear(out);
            continue;
        }
        x->sending = *out;
        *out = (struct buf){ 0 };
        if (!raw_begin(x->sock, str_sub(buf_view(&x->sending), (size_t)n, x->sending.n)))
            return SOCK_BROKEN;
        x->flushing = true;
    }
}

/* Sends what there is; the holder hears if that was the rest of its write. */
static void go_on(struct secure *x)
{
    enum sock_write r = pump(x);
    if (!x->pending || r == SOCK_PENDING)
        return;
    x->pending = false;
    x->ev->sent(x->arg, r == SOCK_SENT);
}

void secure_written(struct secure *x, bool ok)
{
    x->flushing = false;
    buf_done(&x->sending);
    if (raw_closing(x->sock))
        return;
    if (ok) {
        go_on(x);
    } else if (x->pending) {
        x->pending = false;
        x->ev->sent(x->arg, false);
    }
}

enum sock_write secure_write(struct secure *x, const struct str *parts, uint32_t n)
{
    CHECK(x->state == OPEN && !x->pending && n <= SOCK_PARTS_MAX);
    memcpy(x->todo, parts, n * sizeof(*parts));
    enum sock_write r = pump(x);
    x->pending = r == SOCK_PENDING;
    return r;
}

bool secure_write_now(struct secure *x, struct str data)
{
    struct buf *out = tls_out(x->tls);
    CHECK(!x->pending);
    if (x->state != OPEN || x->flushing || !tls_write(x->tls, data))
        return false;
    bool all = raw_try(x->sock, buf_view(out)) == (ptrdiff_t)out->n;
    buf_done(out);
    return all;
}

size_t secure_unsent(const struct secure *x)
{
    size_t n = tls_out(x->tls)->n;
    for (size_t i = 0; i < SOCK_PARTS_MAX; i++)
        n += x->todo[i].n;
    return n;
}

void secure_end(struct secure *x)
{
    if (x->state != OPEN || x->flushing || x->pending)
        return;
    tls_close_notify(x->tls);
    (void)pump(x);
}

void secure_deadline(struct secure *x, int64_t ms)
{
    if (x->state == OPEN)
        raw_deadline(x->sock, ms);
    else
        x->later_ms = ms;
}

/* ---- the end ---- */

static void end(struct secure *x, bool broken)
{
    if (x->ended && !broken)
        return;
    x->ended = true;
    x->ev->end(x->arg, broken);
}

static void report(struct secure *x, int status, const char *why)
{
    if (x->ev->refused)
        x->ev->refused(x->arg, status, why, NULL);
}

/* What is to be said is in tls_out() or `plain`; then we listen for a while, because closing
 * with unread bytes would reset the connection and take the answer with it. */
static void refuse(struct secure *x, int status, const char *why, struct str plain)
{
    report(x, status, why);
    x->state = REFUSED;
    if (plain.n)
        (void)raw_try(x->sock, plain);
    else
        (void)pump(x);
    raw_shutdown(x->sock);
    raw_deadline(x->sock, x->linger_ms);
}

void secure_eof(struct secure *x, bool broken)
{
    if (x->state == SHAKING)
        report(x, 400,
               "the client ended the TLS handshake: most likely it does not trust the certificate (Claude Code: NODE_EXTRA_CA_CERTS, or "
               "OTEL_EXPORTER_OTLP_CERTIFICATE for gRPC)");
    end(x, broken || x->state != OPEN);
}

void secure_timeout(struct secure *x)
{
    if (x->state == OPEN) {
        x->ev->timeout(x->arg);
        return;
    }
    if (x->state == SHAKING)
        report(x, 408, "the TLS handshake came too slowly");
    end(x, true);
}

/* ---- bytes in ---- */

static void deliver(struct secure *x)
{
    while (!raw_closing(x->sock)) {
        char *p = raw_buffer(x->sock);
        size_t n = SECURE_PLAIN_BYTES, got = 0;
        (void)x->ev->room(x->arg, &p, &n);
        switch (tls_read(x->tls, p, n, &got)) {
        case TLS_DONE:
            x->ev->input(x->arg, p, got);
            break;
        case TLS_MORE:
            go_on(x);                              /* key updates want their answers */
            return;
        case TLS_END:
            tls_feed_drop(x->tls);
            end(x, false);
            return;
        case TLS_BAD:
            end(x, true);
            return;
        }
    }
}

/* True: done, and what follows the handshake may be there already. */
static bool shake(struct secure *x)
{
    switch (tls_handshake(x->tls)) {
    case TLS_DONE:
        x->state = OPEN;
        raw_deadline(x->sock, x->later_ms);
        go_on(x);
        return true;
    case TLS_BAD:
        refuse(x, 400, tls_why(x->tls), (struct str){ 0 });
        return false;
    default:
        go_on(x);
        return false;
    }
}

void secure_input(struct secure *x, const char *p, size_t n)
{
    if (x->state == REFUSED || x->ended)
        return;
    if (x->state == HELLO && p[0] >= 'A' && p[0] <= 'Z') {
        refuse(x, 400, "plain HTTP on a port that speaks TLS: the sender's URL must begin with https:// instead of http://", plain_answer);
        return;
    }
    tls_feed(x->tls, (struct str){ p, n });
    if (x->state == HELLO)
        x->state = SHAKING;
    if (x->state == OPEN || shake(x))
        deliver(x);
}
