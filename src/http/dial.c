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
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "http/client_int.h"
#include "http/limits.h"
#include "http/net.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0                             /* net_connect() set SO_NOSIGPIPE there */
#endif

struct dial {
    int fd;
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
    char msg[sizeof(f->msg)];
    va_list ap;
    va_start(ap, fmt);
    CHECK(vsnprintf(msg, sizeof(msg), fmt, ap) >= 0);
    va_end(ap);
    (void)fault_set(f, codes[end], 0, "%s", msg);
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

static void dial_freep(struct dial **d)
{
    dial_free(*d);
}

enum fetch_end http_dial(const struct dial_to *to, struct dial **ret, struct fault *f)
{
    if (to->https)
        return fetch_fail(f, FETCH_TLS, "TLS is not spoken");
    struct net_addr at[HTTP_ADDRS_MAX];
    uint32_t n;
    struct fault why = { 0 };
    if (net_resolve(to->host, to->port, at, LEN(at), &n, &why))
        return fetch_fail(f, FETCH_NAME, "%s", why.msg);
    CLEANUP(dial_freep) struct dial *d = mem_alloc(sizeof(*d));
    d->fd = -1;
    dial_again(d, to->timeout_ns, to->cancelled);
    enum fetch_end end = connect_any(d, at, n, f);
    if (end)
        return end;
    *ret = TAKE(d);
    return FETCH_OK;
}

void dial_free(struct dial *d)
{
    if (!d)
        return;
    if (d->fd >= 0)
        (void)close(d->fd);
    mem_free(d);
}

struct str dial_alpn(const struct dial *d)
{
    (void)d;
    return (struct str){ 0 };
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

enum fetch_end dial_write(struct dial *d, struct str data, struct fault *f)
{
    return raw_write(d, data, f);
}

enum fetch_end dial_read(struct dial *d, char *p, size_t n, size_t *ret_n, struct fault *f)
{
    return raw_read(d, p, n, ret_n, f);
}

bool dial_alive(struct dial *d)
{
    char c;
    return recv(d->fd, &c, 1, MSG_PEEK) < 0 && again(errno);
}
