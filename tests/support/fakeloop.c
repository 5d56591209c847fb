/* tests/support/fakeloop.c -- see fakeloop.h. */
#include "fakeloop.h"

#include <string.h>

#include "http/call.h"
#include "http/conn.h"

const struct str fake_preface = S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");

struct loop {
    struct loop_job *first, **last;
};

struct sock {
    const struct sock_events *ev;
    void *arg;
    int64_t deadline;
    bool reading, pending, closing, shut, ended;
    size_t unsent;
};

static struct {
    struct sock *sock;
    int64_t now;
    size_t room;
    struct buf out;
} fake = { .now = 1 };

/* ---- what the server calls ------------------------------------------------------------ */

enum err loop_new(struct loop **ret, struct fault *f)
{
    (void)f;
    *ret = mem_alloc(sizeof(**ret));
    (*ret)->last = &(*ret)->first;
    return OK;
}

enum err loop_start(struct loop *l, struct fault *f)
{
    (void)l;
    (void)f;
    return OK;
}

bool loop_post(struct loop *l, struct loop_job *j)
{
    j->next = NULL;
    *l->last = j;
    l->last = &j->next;
    return true;
}

bool loop_here(const struct loop *l)
{
    (void)l;
    return true;
}

int64_t loop_ms(const struct loop *l)
{
    (void)l;
    return fake.now;
}

void loop_stop(struct loop *l)
{
    (void)l;
}

void loop_free(struct loop *l)
{
    mem_free(l);
}

void loop_listen(struct loop *l, int fd, const struct loop_listen *on)
{
    (void)l;
    (void)fd;
    (void)on;
}

void loop_unlisten(struct loop *l)
{
    (void)l;
}

struct sock *sock_open(struct loop *l, int fd, const struct sock_events *ev, void *arg)
{
    (void)l;
    (void)fd;
    CHECK(!fake.sock);
    fake.sock = mem_alloc(sizeof(*fake.sock));
    *fake.sock = (struct sock){ .ev = ev, .arg = arg, .reading = true };
    return fake.sock;
}

void sock_begin_tls(struct sock *s, const struct sock_tls *how)
{
    (void)s;
    (void)how;
}

bool sock_is_tls(const struct sock *s)
{
    (void)s;
    return false;
}

struct str sock_cert_name(const struct sock *s)
{
    (void)s;
    return (struct str){ 0 };
}

void sock_read(struct sock *s, bool on)
{
    s->reading = on;
}

enum sock_write sock_write(struct sock *s, const struct str *parts, uint32_t n)
{
    CHECK(n > 0 && n <= SOCK_PARTS_MAX && !s->pending && !s->closing && !s->shut);
    for (uint32_t i = 0; i < n; i++) {
        size_t now = MIN(parts[i].n, fake.room);
        buf_put(&fake.out, parts[i].p, now);
        fake.room -= fake.room == SIZE_MAX ? 0 : now;
        s->unsent += parts[i].n - now;             /* forgotten: nobody looks at what came too late */
    }
    s->pending = s->unsent > 0;
    return s->pending ? SOCK_PENDING : SOCK_SENT;
}

bool sock_write_now(struct sock *s, struct str data)
{
    CHECK(!s->pending && !s->closing);
    buf_str(&fake.out, data);
    return true;
}

size_t sock_unsent(const struct sock *s)
{
    return s->unsent;
}

bool sock_broken(struct sock *s)
{
    (void)s;
    return false;
}

void sock_deadline(struct sock *s, int64_t ms)
{
    s->deadline = ms ? fake.now + ms : 0;
}

void sock_shutdown(struct sock *s)
{
    CHECK(!s->pending);
    s->shut = true;
}

void sock_close(struct sock *s)
{
    CHECK(!s->closing);
    s->closing = true;
}

struct pool {
    void (*run)(struct pool_item *i);
};

struct pool *pool_new(uint32_t threads, uint32_t limit, void (*run)(struct pool_item *i))
{
    (void)threads;
    (void)limit;
    struct pool *p = mem_alloc(sizeof(*p));
    p->run = run;
    return p;
}

enum err pool_start(struct pool *p, struct fault *f)
{
    (void)p;
    (void)f;
    return OK;
}

bool pool_submit(struct pool *p, struct pool_item *i)
{
    p->run(i);
    return true;
}

void pool_stop(struct pool *p)
{
    (void)p;
}

void pool_free(struct pool *p)
{
    mem_free(p);
}

/* ---- what the test calls ---------------------------------------------------------------- */

static struct http_server *the_server;

struct http_server *fake_server(const struct http_config *cfg, const struct http_table *tables, uint32_t ntables)
{
    struct fault f;
    struct http_config c = *cfg;
    c.loops = 1;
    CHECK(http_server_new(&c, &the_server, &f) == OK);
    struct listener *ln = &the_server->listeners[the_server->nlisteners++];
    ln->server = the_server;
    ln->name = S("fake");
    ln->fd = -1;
    memcpy(ln->tables, tables, ntables * sizeof(*tables));
    ln->ntables = ntables;
    atomic_store(&the_server->state, SERVER_RUNNING);
    return the_server;
}

void fake_server_free(struct http_server *s)
{
    struct http_stats left;
    http_server_stats(s, &left);
    CHECK(!left.conns && !left.running && !left.streams && !left.inflight_bytes && !atomic_load(&s->held));
    atomic_store(&s->state, SERVER_STOPPED);
    http_server_free(s);
    buf_done(&fake.out);
}

/* After anything that may have closed it. */
static void settle(void)
{
    struct sock *s = fake.sock;
    if (!s || !s->closing)
        return;
    fake.sock = NULL;
    s->ev->closed(s->arg);
    mem_free(s);
}

void fake_open(struct http_server *s)
{
    struct net_addr peer = { 0 };
    CHECK(net_parse_ip(S("127.0.0.1"), &peer));
    fake.room = SIZE_MAX;
    buf_done(&fake.out);
    buf_init(&fake.out, SIZE_MAX);
    atomic_fetch_add(&s->conns, 1);
    atomic_fetch_add(&s->listeners[0].conns, 1);
    conn_open(&s->loops[0], &s->listeners[0], -1, &peer);
    settle();
}

bool fake_is_open(void)
{
    return fake.sock;
}

bool fake_is_shut(void)
{
    return !fake.sock || fake.sock->shut;
}

void fake_jobs(void)
{
    struct loop *l = the_server->loops[0].loop;
    while (l->first) {
        struct loop_job *j = l->first;
        l->first = j->next;
        if (!l->first)
            l->last = &l->first;
        j->run(j);
        settle();
    }
}

void fake_input(struct str in)
{
    while (in.n && fake.sock && fake.sock->reading) {
        char *p = NULL;
        size_t n = 0;
        bool placed = fake.sock->ev->room(fake.sock->arg, &p, &n);
        n = placed ? MIN(n, in.n) : MIN(in.n, (size_t)HTTP_READ_BYTES);
        char *copy = mem_alloc(n);                 /* so that a sanitizer sees who keeps it */
        memcpy(copy, in.p, n);
        if (placed)
            memcpy(p, in.p, n);
        fake.sock->ev->input(fake.sock->arg, placed ? p : copy, n);
        mem_free(copy);
        settle();
        fake_jobs();
        in = str_sub(in, n, in.n - n);
    }
}

void fake_eof(void)
{
    if (!fake.sock || fake.sock->ended || !fake.sock->reading)
        return;
    fake.sock->ended = true;
    fake.sock->reading = false;
    fake.sock->ev->end(fake.sock->arg, false);
    settle();
    fake_jobs();
}

void fake_room(size_t bytes)
{
    fake.room = bytes;
    if (!fake.sock || !fake.sock->pending || !bytes)
        return;
    fake.sock->pending = false;
    fake.sock->unsent = 0;
    fake.sock->ev->sent(fake.sock->arg, true);
    settle();
    fake_jobs();
}

void fake_pass(int64_t ms)
{
    int64_t until = fake.now + ms;
    while (fake.sock && fake.sock->deadline && fake.sock->deadline <= until) {
        fake.now = MAX(fake.now, fake.sock->deadline);
        fake.sock->deadline = 0;
        fake.sock->ev->timeout(fake.sock->arg);
        settle();
        fake_jobs();
    }
    fake.now = until;
}

struct str fake_output(void)
{
    return buf_view(&fake.out);
}

void fake_clear(void)
{
    buf_clear(&fake.out);
}

void fake_end(struct http_server *s)
{
    conn_kill(&s->loops[0]);
    settle();
    fake_jobs();
    CHECK(!fake.sock && !s->loops[0].conns);
}
