/* http/dial.c -- a connection to somebody else, on a thread that may block.
 *
 * Descriptors are non-blocking, and all waiting is one poll() with what is left of the
 * deadline; so nothing a peer does or leaves undone can hold a thread longer. Where the
 * caller may call it off, the wait is cut into slices that look.
 *
 * A name's addresses are tried in turn, each with its share of the time that is left.
 * What is reported is the worst that happened, and "refused" only if nobody was there at
 * any of them: an address that this machine cannot reach (IPv6 without IPv6) does not
 * make a target that is down look like something else.
 *
 * With TLS an end without close_notify is a reset, since anybody on the way can make one.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "http/client_int.h"
#include "http/limits.h"
#include "http/net.h"
#include "http/tls_int.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0                             /* net_connect() set SO_NOSIGPIPE there */
#endif

enum { IN_BYTES = 16 << 10 };

struct dial {
    int fd;
    struct tls_conn *tls;                          /* NULL: plain */
    struct tls_client *own;                        /* the context, when the caller named none */
    char *in;                                      /* IN_BYTES, encrypted */
    int64_t deadline;                              /* monotonic */
    const bool *cancelled;
    char peer[NET_TEXT_MAX];
    int npeer;
};

enum fetch_end fetch_fail(struct fault *f, enum fetch_end end, const char *fmt, ...)
{
    static const enum err codes[] = {
        [FETCH_REFUSED] = E_IO,     [FETCH_RESET] = E_IO,  [FETCH_TIMEOUT] = E_CANCELLED, [FETCH_NAME] = E_NOTFOUND,
        [FETCH_TLS] = E_IO,         [FETCH_TOO_LARGE] = E_LIMIT, [FETCH_MALFORMED] = E_SYNTAX, [FETCH_OTHER] = E_IO,
    };
    CHECK(end > FETCH_OK && end < (enum fetch_end)LEN(codes));
    va_list ap;
    va_start(ap, fmt);
    (void)fault_setv(f, codes[end], 0, fmt, ap);
    va_end(ap);
    return end;
}

static bool called_off(const bool *cancelled)
{
    return cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED);
}

/* Until the descriptor is ready for one of `events`. */
static enum fetch_end wait_for(int fd, short events, int64_t deadline, const bool *cancelled, struct fault *f)
{
    for (;;) {
        if (called_off(cancelled))
            return fetch_fail(f, FETCH_OTHER, "called off");
        int64_t left = deadline - clock_mono(&clock_system);
        if (left <= 0)
            return fetch_fail(f, FETCH_TIMEOUT, "timed out");
        int64_t ms = MIN((left + NS_PER_MS - 1) / NS_PER_MS, (int64_t)(cancelled ? HTTP_CANCEL_MS : HTTP_FETCH_MS));
        struct pollfd p = { .fd = fd, .events = events };
        int n = poll(&p, 1, (int)ms);
        if (n > 0)
            return FETCH_OK;
        if (n < 0 && errno != EINTR)
            return fetch_fail(f, FETCH_OTHER, "poll: %s", strerror(errno));
    }
}

static enum fetch_end wait_ready(struct dial *d, short events, struct fault *f)
{
    enum fetch_end end = wait_for(d->fd, events, d->deadline, d->cancelled, f);
    if (end == FETCH_TIMEOUT)
        return fetch_fail(f, end, "%.*s: no answer in time", d->npeer, d->peer);
    return end;
}

/* ---- connecting ---- */

static enum fetch_end connect_failed(const struct net_addr *a, int no, struct fault *f)
{
    char text[NET_TEXT_MAX];
    int n = (int)net_format(a, text);
    enum fetch_end end = no == ECONNREFUSED ? FETCH_REFUSED
                         : no == ECONNRESET ? FETCH_RESET
                         : no == ETIMEDOUT  ? FETCH_TIMEOUT
                                            : FETCH_OTHER;
    return fetch_fail(f, end, "connect to %.*s: %s", n, text, strerror(no));
}

static enum fetch_end connect_one(const struct net_addr *a, int64_t deadline, const bool *cancelled, int *ret_fd, struct fault *f)
{
    CLEANUP(fd_closep) int fd = net_connect(a);
    if (fd < 0)
        return connect_failed(a, errno, f);
    enum fetch_end end = wait_for(fd, POLLOUT, deadline, cancelled, f);
    if (end == FETCH_TIMEOUT)
        return connect_failed(a, ETIMEDOUT, f);
    if (end)
        return end;
    int no = 0;
    socklen_t n = sizeof(no);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &no, &n))
        no = errno;
    struct net_addr own;
    if (!no && net_local(fd, &own) && net_same_ip(&own, a) && own.port == a->port)
        no = ECONNREFUSED;                         /* nobody is there: the kernel chose that very port for us */
    if (no)
        return connect_failed(a, no, f);
    *ret_fd = fd;
    fd = -1;
    return FETCH_OK;
}

/* How much an end says about a target, when its addresses ended differently. */
static int weight(enum fetch_end end)
{
    switch (end) {
    case FETCH_TIMEOUT:
        return 3;
    case FETCH_RESET:
        return 2;
    case FETCH_REFUSED:
        return 1;
    default:
        return 0;
    }
}

static enum fetch_end connect_any(struct dial *d, const struct net_addr *at, uint32_t n, struct fault *f)
{
    enum fetch_end worst = FETCH_OTHER;
    for (uint32_t i = 0; i < n; i++) {
        int64_t now = clock_mono(&clock_system), share = (d->deadline - now) / (n - i);
        int64_t until = MIN(d->deadline, now + MAX(share, HTTP_CONNECT_MIN_MS * NS_PER_MS));
        struct fault why = { 0 };
        enum fetch_end end = connect_one(&at[i], until, d->cancelled, &d->fd, &why);
        if (end == FETCH_OK) {
            d->npeer = (int)net_format(&at[i], d->peer);
            return end;
        }
        if (i == 0 || weight(end) > weight(worst)) {
            worst = end;
            if (f)
                *f = why;
        }
        if (called_off(d->cancelled))
            break;
    }
    return worst;
}

void dial_again(struct dial *d, int64_t timeout_ns, const bool *cancelled)
{
    d->deadline = clock_mono(&clock_system) + (timeout_ns ? timeout_ns : HTTP_FETCH_MS * NS_PER_MS);
    d->cancelled = cancelled;
}

/* ---- bytes ---- */

static enum fetch_end broken(const struct dial *d, int no, struct fault *f)
{
    bool reset = no == ECONNRESET || no == EPIPE || no == ENOTCONN;
    return fetch_fail(f, reset ? FETCH_RESET : no == ETIMEDOUT ? FETCH_TIMEOUT : FETCH_OTHER, "%.*s: %s", d->npeer, d->peer, strerror(no));
}

static bool again(int no)
{
    return no == EAGAIN || no == EWOULDBLOCK || no == EINTR;
}

static enum fetch_end raw_write(struct dial *d, struct str data, struct fault *f)
{
    while (data.n) {
        ssize_t n = send(d->fd, data.p, data.n, MSG_NOSIGNAL);
        if (n < 0 && !again(errno))
            return broken(d, errno, f);
        if (n > 0)
            data = str_sub(data, (size_t)n, data.n);
        enum fetch_end end = data.n ? wait_ready(d, POLLOUT, f) : FETCH_OK;
        if (end)
            return end;
    }
    return FETCH_OK;
}

static enum fetch_end raw_read(struct dial *d, char *p, size_t n, size_t *ret_n, struct fault *f)
{
    CHECK(n > 0);
    for (;;) {
        ssize_t got = recv(d->fd, p, n, 0);
        if (got >= 0) {
            *ret_n = (size_t)got;
            return FETCH_OK;
        }
        if (!again(errno))
            return broken(d, errno, f);
        enum fetch_end end = wait_ready(d, POLLIN, f);
        if (end)
            return end;
    }
}

/* ---- TLS ---- */

static enum fetch_end tls_failed(const struct dial *d, struct fault *f)
{
    return fetch_fail(f, FETCH_TLS, "%.*s: %s", d->npeer, d->peer, tls_why(d->tls));
}

static enum fetch_end flush(struct dial *d, struct fault *f)
{
    struct buf *out = tls_out(d->tls);
    enum fetch_end end = raw_write(d, buf_view(out), f);
    buf_done(out);
    return end;
}

/* One piece of what the peer sends. */
static enum fetch_end fill(struct dial *d, struct fault *f)
{
    size_t n;
    enum fetch_end end = raw_read(d, d->in, IN_BYTES, &n, f);
    if (end)
        return end;
    if (!n)
        return fetch_fail(f, FETCH_RESET, "%.*s: the peer closed the connection without ending TLS", d->npeer, d->peer);
    tls_feed(d->tls, (struct str){ d->in, n });
    return FETCH_OK;
}

static enum fetch_end shake(struct dial *d, struct fault *f)
{
    for (;;) {
        enum tls_step step = tls_handshake(d->tls);
        struct fault ignored = { 0 };
        enum fetch_end end = flush(d, step == TLS_BAD ? &ignored : f);
        if (step == TLS_BAD)                       /* an alert may have gone out, or not */
            return tls_failed(d, f);
        if (end || step == TLS_DONE)
            return end;
        end = fill(d, f);
        if (end == FETCH_RESET)
            return fetch_fail(f, FETCH_TLS, "%.*s: the peer ended the TLS handshake; does the port speak TLS?", d->npeer, d->peer);
        if (end)
            return end;
    }
}

static enum fetch_end begin_tls(struct dial *d, const struct dial_to *to, struct fault *f)
{
    struct fault why = { 0 };
    const struct tls_client *ctx = to->tls;
    if (!ctx && tls_client_new(&(struct tls_client_config){ 0 }, &d->own, &why))
        return fetch_fail(f, FETCH_TLS, "%s", why.msg);
    if (tls_connect(ctx ? ctx : d->own, to->host, to->alpn, &d->tls, &why))
        return fetch_fail(f, FETCH_TLS, "%s", why.msg);
    d->in = mem_alloc(IN_BYTES);
    return shake(d, f);
}

static enum fetch_end tls_read_some(struct dial *d, char *p, size_t n, size_t *ret_n, struct fault *f)
{
    for (;;) {
        enum fetch_end end;
        switch (tls_read(d->tls, p, n, ret_n)) {
        case TLS_DONE:
            return FETCH_OK;
        case TLS_END:
            *ret_n = 0;
            return FETCH_OK;
        case TLS_BAD:
            return tls_failed(d, f);
        case TLS_MORE:
            end = tls_out(d->tls)->n ? flush(d, f) : FETCH_OK;
            if (!end)
                end = fill(d, f);
            if (end)
                return end;
        }
    }
}

enum fetch_end dial_write(struct dial *d, struct str data, struct fault *f)
{
    if (!d->tls)
        return raw_write(d, data, f);
    while (data.n) {
        size_t n = MIN(data.n, (size_t)TLS_WRITE_BYTES);
        if (!tls_write(d->tls, str_sub(data, 0, n)))
            return tls_failed(d, f);
        enum fetch_end end = flush(d, f);
        if (end)
            return end;
        data = str_sub(data, n, data.n);
    }
    return FETCH_OK;
}

enum fetch_end dial_read(struct dial *d, char *p, size_t n, size_t *ret_n, struct fault *f)
{
    return d->tls ? tls_read_some(d, p, n, ret_n, f) : raw_read(d, p, n, ret_n, f);
}

/* A TLS server sends tickets whenever it likes; they are no sign of its end. */
bool dial_alive(struct dial *d)
{
    char c;
    size_t n;
    if (!d->tls)
        return recv(d->fd, &c, 1, MSG_PEEK) < 0 && again(errno);
    while (tls_read(d->tls, &c, 1, &n) == TLS_MORE) {
        ssize_t got = recv(d->fd, d->in, IN_BYTES, 0);
        if (got <= 0)
            return got < 0 && again(errno);
        tls_feed(d->tls, (struct str){ d->in, (size_t)got });
    }
    return false;
}

struct str dial_alpn(const struct dial *d)
{
    return d->tls ? tls_alpn(d->tls) : (struct str){ 0 };
}

/* ---- beginning and end ---- */

static void dial_freep(struct dial **d)
{
    dial_free(*d);
}

enum fetch_end http_dial(const struct dial_to *to, struct dial **ret, struct fault *f)
{
    struct net_addr at[HTTP_ADDRS_MAX];
    uint32_t n;
    struct fault why = { 0 };
    if (net_resolve(to->host, to->port, at, LEN(at), &n, &why))
        return fetch_fail(f, FETCH_NAME, "%s", why.msg);
    CLEANUP(dial_freep) struct dial *d = mem_alloc(sizeof(*d));
    d->fd = -1;
    dial_again(d, to->timeout_ns, to->cancelled);
    enum fetch_end end = connect_any(d, at, n, f);
    if (!end && to->https)
        end = begin_tls(d, to, f);
    if (end)
        return end;
    *ret = TAKE(d);
    return FETCH_OK;
}

void dial_free(struct dial *d)
{
    if (!d)
        return;
    if (d->tls && d->fd >= 0) {
        tls_close_notify(d->tls);
        struct str bye = buf_view(tls_out(d->tls));
        (void)!send(d->fd, bye.p, bye.n, MSG_NOSIGNAL);
    }
    if (d->fd >= 0)
        (void)close(d->fd);
    tls_conn_free(d->tls);
    tls_client_free(d->own);
    mem_free(d->in);
    mem_free(d);
}
