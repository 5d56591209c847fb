#include "script.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 30 * 1000 };

struct script {
    const struct sc_step *steps;
    pthread_t thread;
    int listening, fd;
    unsigned port;
    struct buf got;
};

static int listen_any(unsigned *ret_port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&in, n) == 0 && getsockname(fd, (struct sockaddr *)&in, &n) == 0);
    *ret_port = ntohs(in.sin_port);
    return fd;
}

unsigned sc_closed_port(void)
{
    unsigned port;
    int fd = listen_any(&port);
    CHECK(close(fd) == 0);
    return port;
}

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, PATIENCE_MS) == 1;
}

static bool take_byte(struct script *s)
{
    char c;
    if (!readable(s->fd) || recv(s->fd, &c, 1, 0) != 1)
        return false;
    buf_byte(&s->got, c);
    return true;
}

static bool take_block(struct script *s)
{
    char *to = buf_room(&s->got, 64 << 10);
    ssize_t n = to && readable(s->fd) ? recv(s->fd, to, 64 << 10, 0) : 0;
    if (n > 0)
        buf_grew(&s->got, (size_t)n);
    return n > 0;
}

static void send_all(int fd, struct str text, size_t piece)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    while (text.n) {
        ssize_t n = send(fd, text.p, piece ? MIN(piece, text.n) : text.n, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text = str_sub(text, (size_t)n, text.n);
    }
}

static void end_conn(struct script *s, bool reset)
{
    struct linger now = { 1, 0 };
    if (reset)
        CHECK(setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
    if (s->fd >= 0)
        CHECK(close(s->fd) == 0);
    s->fd = -1;
}

static void step(struct script *s, const struct sc_step *t)
{
    size_t from = s->got.n;
    switch (t->what) {
    case SC_ACCEPT:
        end_conn(s, false);
        s->fd = readable(s->listening) ? accept(s->listening, NULL, NULL) : -1;
        CHECK(s->fd >= 0);
        return;
    case SC_HEAD:
        while (!str_ends(str_sub(buf_view(&s->got), from, s->got.n), S("\r\n\r\n")) && take_byte(s))
            continue;
        return;
    case SC_BYTES:
        while (s->got.n - from < t->text.n && take_byte(s))
            continue;
        return;
    case SC_SEND:
        send_all(s->fd, t->text, 0);
        return;
    case SC_DRIP:
        send_all(s->fd, t->text, 1);
        return;
    case SC_CLOSE:
    case SC_RESET:
        end_conn(s, t->what == SC_RESET);
        return;
    case SC_WAIT_END:
        while (take_block(s))
            continue;
        return;
    case SC_END:
        return;
    }
}

static void *run(void *arg)
{
    struct script *s = arg;
    for (const struct sc_step *t = s->steps; t->what != SC_END; t++)
        step(s, t);
    end_conn(s, false);
    return NULL;
}

struct script *sc_start(const struct sc_step *steps)
{
    struct script *s = mem_alloc(sizeof(*s));
    s->steps = steps;
    s->fd = -1;
    buf_init(&s->got, 64 << 20);
    s->listening = listen_any(&s->port);
    CHECK(listen(s->listening, 16) == 0);
    CHECK(pthread_create(&s->thread, NULL, run, s) == 0);
    return s;
}

unsigned sc_port(const struct script *s)
{
    return s->port;
}

void sc_finish(struct script *s, struct buf *ret)
{
    CHECK(pthread_join(s->thread, NULL) == 0);
    CHECK(close(s->listening) == 0);
    *ret = s->got;
    mem_free(s);
}
