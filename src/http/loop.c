/* http/loop.c -- the only file that knows libuv.
 *
 * Descriptors are accepted by hand (net.c) on one loop and handed to the others in
 * turn, because the kernel's own ways differ: SO_REUSEPORT balances by hash of the
 * address, which puts two of four long-lived clients on one thread, and means
 * something else on each system.
 *
 * A sock has one timer, and moving its deadline later, which happens with every
 * request, only stores a number: the timer goes off at the old time, sees that it
 * is early and sleeps again. A connection at rest costs no wake-ups but that.
 *
 * No buffers per connection: libuv asks for one when bytes are there, and gets the
 * loop's, unless the holder says where it wants them (a body, into its place).
 */
#include "http/loop.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "http/limits.h"
#include "http/secure.h"

struct acceptor {
    uv_poll_t poll;
    uv_timer_t pause;
    struct loop_listen on;
    int fd;
    uint32_t open;                                 /* handles not yet closed */
    struct acceptor *next;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    pthread_t thread;
    bool started, ended;
    struct acceptor *acceptors;
    struct loop_job stop;

    pthread_mutex_t lock;                          /* of the three below */
    struct loop_job *first, **last;
    bool closed;

    char buffer[HTTP_READ_BYTES];
    char plain[SECURE_PLAIN_BYTES];                /* decrypted */
};

struct sock {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    struct loop *loop;
    const struct sock_events *ev;
    void *arg;
    struct secure *secure;                         /* NULL: plain */
    int64_t deadline, armed;                       /* loop_ms(); 0: none */
    uint8_t open;                                  /* handles not yet closed */
    bool reading, pending, closing;
};

static _Thread_local const struct loop *here;

/* ---- the loop ---- */

static struct loop_job *take_jobs(struct loop *l, bool close)
{
    CHECK(pthread_mutex_lock(&l->lock) == 0);
    struct loop_job *j = l->first;
    l->first = NULL;
    l->last = &l->first;
    l->closed |= close;
    CHECK(pthread_mutex_unlock(&l->lock) == 0);
    return j;
}

static void run_jobs(struct loop_job *j)
{
    while (j) {
        struct loop_job *next = j->next;           /* the job may free itself */
        j->run(j);
        j = next;
    }
}

static void on_wake(uv_async_t *a)
{
    run_jobs(take_jobs(a->data, false));
}

enum err loop_new(struct loop **ret, struct fault *f)
{
    struct loop *l = mem_alloc(sizeof(*l));
    l->last = &l->first;
    int rc = uv_loop_init(&l->uv);
    if (rc == 0) {
        rc = uv_async_init(&l->uv, &l->wake, on_wake);
        if (rc)
            CHECK(uv_loop_close(&l->uv) == 0);
    }
    if (rc) {
        mem_free(l);
        return fault_set(f, E_IO, 0, "cannot make an event loop: %s", uv_strerror(rc));
    }
    CHECK(pthread_mutex_init(&l->lock, NULL) == 0);
    l->wake.data = l;
    *ret = l;
    return OK;
}

static void loop_end(struct loop *l)
{
    uv_close((uv_handle_t *)&l->wake, NULL);
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&l->uv) == 0);
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    here = l;
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);          /* until job_stop(), and the last sock is closed */
    run_jobs(take_jobs(l, true));
    loop_end(l);
    here = NULL;
    return NULL;
}

enum err loop_start(struct loop *l, struct fault *f)
{
    CHECK(!l->started && !l->ended);
    int rc = pthread_create(&l->thread, NULL, loop_main, l);
    if (rc)
        return fault_set(f, E_IO, 0, "cannot start an I/O thread: %s", strerror(rc));
    l->started = true;
    return OK;
}

bool loop_post(struct loop *l, struct loop_job *j)
{
    CHECK(j->run);
    j->next = NULL;
    CHECK(pthread_mutex_lock(&l->lock) == 0);
    bool ok = !l->closed, first = !l->first;
    if (ok) {
        *l->last = j;
        l->last = &j->next;
        if (first)                                 /* under the lock: the handle lives until `closed` */
            CHECK(uv_async_send(&l->wake) == 0);
    }
    CHECK(pthread_mutex_unlock(&l->lock) == 0);
    return ok;
}

bool loop_here(const struct loop *l)
{
    return here == l;
}

int64_t loop_ms(const struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

static void job_stop(struct loop_job *j)
{
    struct loop *l = (struct loop *)(void *)((char *)j - offsetof(struct loop, stop));
    loop_unlisten(l);
    /* Posts go on being queued until the thread ends; it runs them then. */
    uv_unref((uv_handle_t *)&l->wake);
}

void loop_stop(struct loop *l)
{
    CHECK(!loop_here(l));
    if (l->ended)
        return;
    l->ended = true;
    if (!l->started) {
        loop_unlisten(l);
        run_jobs(take_jobs(l, true));
        loop_end(l);
        return;
    }
    l->stop.run = job_stop;
    CHECK(loop_post(l, &l->stop));
    CHECK(pthread_join(l->thread, NULL) == 0);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    loop_stop(l);
    CHECK(!l->first && !l->acceptors);
    CHECK(pthread_mutex_destroy(&l->lock) == 0);
    mem_free(l);
}

/* ---- accepting ---- */

static void on_acceptor_closed(uv_handle_t *h)
{
    struct acceptor *a = h->data;
    if (--a->open)
        return;
    close(a->fd);
    mem_free(a);
}

static void on_acceptable(uv_poll_t *p, int status, int events);

static void on_pause_over(uv_timer_t *t)
{
    struct acceptor *a = t->data;
    CHECK(uv_poll_start(&a->poll, UV_READABLE, on_acceptable) == 0);
}

static void on_acceptable(uv_poll_t *p, int status, int events)
{
    struct acceptor *a = p->data;
    (void)events;
    for (int i = 0; status == 0 && i < HTTP_ACCEPT_BATCH; i++) {
        struct net_addr peer;
        int fd = net_accept(a->fd, &peer);
        if (fd >= 0) {
            a->on.accepted(a->on.arg, fd, &peer);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno == ECONNABORTED || errno == EINTR)
            continue;
        status = errno;
    }
    if (status == 0)
        return;

    /* Most likely out of descriptors. The connection stays in the backlog, so polling
     * on would spin. */
    a->on.failed(a->on.arg, status);
    CHECK(uv_poll_stop(p) == 0);
    CHECK(uv_timer_start(&a->pause, on_pause_over, HTTP_ACCEPT_PAUSE_MS, 0) == 0);
}

void loop_listen(struct loop *l, int fd, const struct loop_listen *on)
{
    struct acceptor *a = mem_alloc(sizeof(*a));
    a->on = *on;
    a->fd = fd;
    a->open = 2;
    CHECK(uv_poll_init(&l->uv, &a->poll, fd) == 0);
    CHECK(uv_timer_init(&l->uv, &a->pause) == 0);
    a->poll.data = a->pause.data = a;
    CHECK(uv_poll_start(&a->poll, UV_READABLE, on_acceptable) == 0);
    a->next = l->acceptors;
    l->acceptors = a;
}

void loop_unlisten(struct loop *l)
{
    for (struct acceptor *a = TAKE(l->acceptors), *next; a; a = next) {
        next = a->next;
        uv_close((uv_handle_t *)&a->poll, on_acceptor_closed);
        uv_close((uv_handle_t *)&a->pause, on_acceptor_closed);
    }
}

/* ---- one connection ---- */

static void on_sock_closed(uv_handle_t *h)
{
    struct sock *s = h->data;
    if (--s->open)
        return;
    s->ev->closed(s->arg);
    secure_free(s->secure);
    mem_free(s);
}

static void on_room(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    struct sock *s = h->data;
    (void)suggested;
    char *p = s->loop->buffer;
    size_t n = sizeof(s->loop->buffer);
    if (s->secure)
        n -= TLS_OVERHEAD_MAX;
    else if (s->ev->room(s->arg, &p, &n))
        n = MIN(n, (size_t)INT32_MAX);
    *ret = uv_buf_init(p, (unsigned)n);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct sock *s = h->data;
    if (n > 0 && s->secure)
        secure_input(s->secure, buf->base, (size_t)n);
    else if (n > 0)
        s->ev->input(s->arg, buf->base, (size_t)n);
    else if (n < 0 && s->secure)
        secure_eof(s->secure, n != UV_EOF);
    else if (n < 0)
        s->ev->end(s->arg, n != UV_EOF);
}

static void on_timer(uv_timer_t *t)
{
    struct sock *s = t->data;
    s->armed = 0;
    int64_t now = loop_ms(s->loop);
    if (!s->deadline)
        return;
    if (s->deadline > now) {
        raw_deadline(s, s->deadline - now);
        return;
    }
    s->deadline = 0;
    if (s->secure)
        secure_timeout(s->secure);
    else
        s->ev->timeout(s->arg);
}

struct sock *sock_open(struct loop *l, int fd, const struct sock_events *ev, void *arg)
{
    struct sock *s = mem_alloc(sizeof(*s));
    s->loop = l;
    s->ev = ev;
    s->arg = arg;
    s->open = 2;
    CHECK(uv_tcp_init(&l->uv, &s->tcp) == 0);
    CHECK(uv_timer_init(&l->uv, &s->timer) == 0);
    s->tcp.data = s->timer.data = s->write.data = s;
    if (uv_tcp_open(&s->tcp, fd)) {
        close(fd);
        sock_close(s);
        return s;
    }
    (void)uv_tcp_nodelay(&s->tcp, 1);              /* each may fail on a connection already reset: */
    (void)uv_tcp_keepalive(&s->tcp, 1, 60);        /* the first read will tell */
    sock_read(s, true);
    return s;
}

void sock_begin_tls(struct sock *s, const struct sock_tls *how)
{
    if (!s->closing)
        s->secure = secure_new(s, how, s->ev, s->arg);
}

bool sock_is_tls(const struct sock *s)
{
    return s->secure != NULL;
}

struct str sock_cert_name(const struct sock *s)
{
    return s->secure ? secure_name(s->secure) : (struct str){ 0 };
}

void sock_read(struct sock *s, bool on)
{
    if (s->reading == on || s->closing)
        return;
    s->reading = on;
    if (!on)
        CHECK(uv_read_stop((uv_stream_t *)&s->tcp) == 0);
    else if (uv_read_start((uv_stream_t *)&s->tcp, on_room, on_read))
        s->reading = false;                        /* after its end: there is nothing to read */
}

static void on_written(uv_write_t *w, int status)
{
    struct sock *s = w->data;
    s->pending = false;
    if (s->secure)
        secure_written(s->secure, status == 0);
    else if (!s->closing)
        s->ev->sent(s->arg, status == 0);
}

enum sock_write sock_write(struct sock *s, const struct str *parts, uint32_t n)
{
    if (s->secure && !s->closing)
        return secure_write(s->secure, parts, n);
    CHECK(n > 0 && n <= SOCK_PARTS_MAX && !s->pending && !s->closing);
    uv_buf_t bufs[SOCK_PARTS_MAX];
    size_t all = 0;
    for (uint32_t i = 0; i < n; i++) {
        CHECK(parts[i].n <= UINT32_MAX);
        bufs[i] = uv_buf_init((char *)(uintptr_t)parts[i].p, (unsigned)parts[i].n);
        all += parts[i].n;
    }
    int rc = uv_try_write((uv_stream_t *)&s->tcp, bufs, n);
    if (rc < 0 && rc != UV_EAGAIN)
        return SOCK_BROKEN;
    size_t done = rc > 0 ? (size_t)rc : 0;
    if (done == all)
        return SOCK_SENT;
    uint32_t skip = 0;
    while (done >= bufs[skip].len)
        done -= bufs[skip++].len;
    bufs[skip].base += done;
    bufs[skip].len -= done;
    if (uv_write(&s->write, (uv_stream_t *)&s->tcp, bufs + skip, n - skip, on_written))
        return SOCK_BROKEN;
    s->pending = true;
    return SOCK_PENDING;
}

bool sock_write_now(struct sock *s, struct str data)
{
    if (s->secure && !s->closing)
        return secure_write_now(s->secure, data);
    CHECK(!s->pending && !s->closing);
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)data.p, (unsigned)data.n);
    int rc = uv_try_write((uv_stream_t *)&s->tcp, &b, 1);
    return rc >= 0 && (size_t)rc == data.n;
}

size_t sock_unsent(const struct sock *s)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp) + (s->secure ? secure_unsent(s->secure) : 0);
}

static int fd_of(const struct sock *s)
{
    uv_os_fd_t fd;
    return uv_fileno((const uv_handle_t *)&s->tcp, &fd) ? -1 : fd;
}

bool sock_broken(struct sock *s)
{
    int error = 0;
    socklen_t n = sizeof(error);
    return getsockopt(fd_of(s), SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0;
}

void sock_deadline(struct sock *s, int64_t ms)
{
    if (s->secure)
        secure_deadline(s->secure, ms);
    else
        raw_deadline(s, ms);
}

void raw_deadline(struct sock *s, int64_t ms)
{
    if (s->closing)
        return;
    int64_t at = loop_ms(s->loop) + ms;
    s->deadline = ms ? at : 0;
    if (!ms || (s->armed && s->armed <= at))
        return;                                    /* on_timer() will see that it came early */
    s->armed = at;
    CHECK(uv_timer_start(&s->timer, on_timer, (uint64_t)ms, 0) == 0);
}

void sock_shutdown(struct sock *s)
{
    if (s->secure)
        secure_end(s->secure);
    else
        CHECK(!s->pending);
    raw_shutdown(s);
}

void raw_shutdown(struct sock *s)
{
    (void)shutdown(fd_of(s), SHUT_WR);             /* fails when the peer was faster */
}

void sock_close(struct sock *s)
{
    CHECK(!s->closing);
    if (s->secure)
        secure_end(s->secure);
    s->closing = true;
    uv_close((uv_handle_t *)&s->tcp, on_sock_closed);
    uv_close((uv_handle_t *)&s->timer, on_sock_closed);
}

/* ---- for secure.c ---- */

ptrdiff_t raw_try(struct sock *s, struct str data)
{
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)data.p, (unsigned)data.n);
    int rc = data.n ? uv_try_write((uv_stream_t *)&s->tcp, &b, 1) : 0;
    return rc == UV_EAGAIN ? 0 : rc < 0 ? -1 : rc;
}

bool raw_begin(struct sock *s, struct str data)
{
    CHECK(!s->pending && !s->closing && data.n && data.n <= UINT32_MAX);
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)data.p, (unsigned)data.n);
    s->pending = uv_write(&s->write, (uv_stream_t *)&s->tcp, &b, 1, on_written) == 0;
    return s->pending;
}

bool raw_closing(const struct sock *s)
{
    return s->closing;
}

char *raw_buffer(struct sock *s)
{
    return s->loop->plain;
}
