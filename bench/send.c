/* bench/send.c -- sends a load file to an HTTP server on loopback and measures the answers.
 *
 *   bench-send FILE PORT PATH [NAME=VALUE]...
 *
 *   connections=N   kept alive, a thread each                             [4]
 *   window=N        requests that may wait for each connection            [8]
 *   rate=N          items a second at most; 0: as fast as it goes         [0]
 *   limit=N         requests; 0: all                                      [0]
 *   header=TEXT     a further header, up to 8 times
 *
 * FILE "-" is standard input. One thread reads the file and deals requests out by lane, so
 * that those of one session stay in order; it waits while the connection it deals to has its
 * window full, which bounds how far connections drift apart in the load's own time.
 *
 * A request is sent again after 429, 503 or a broken connection, with a pause, as a client
 * would; its time counts from the last try. Anything else but 2xx is refused for good. One
 * JSON object is printed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/jw.h"
#include "load.h"

enum {
    CONNECTIONS_MAX = 64, WINDOW_MAX = 1024, HEADERS_MAX = 8, ANSWER_MAX = 1 << 20, HEAD_MAX = 4096, SHOWN_MAX = 400,
    PAUSE_NS = 10 * 1000 * 1000, TRIES_MAX = 3000, STEPS = 24, STALL_S = 120,
};

struct request {
    char *body;
    uint32_t n, items;
};

struct sender;
struct connection {
    struct sender *all;
    pthread_t thread;
    int fd;
    struct buf in;                                 /* what came of the answer */
    size_t answer_at;                              /* of its body */
    double *seconds;                               /* of each request */
    uint64_t n, cap, items, bytes, refused, refused_items, retries, reconnects;
    char first_refusal[SHOWN_MAX];

    /* The queue: under all->lock. */
    struct request queue[WINDOW_MAX];
    uint32_t first, waiting;
    pthread_cond_t changed;
};

struct sender {
    uint64_t connections, window, rate, limit;
    struct str headers[HEADERS_MAX];
    uint32_t nheaders;
    const char *path;
    uint16_t port;
    pthread_mutex_t lock;
    bool ended;                                    /* nothing more will be dealt; under lock */
    struct connection c[CONNECTIONS_MAX];
};

static void die(const char *what)
{
    fprintf(stderr, "bench-send: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    return (double)clock_mono(&clock_system) / (double)NS_PER_S;
}

static void pause_ns(int64_t ns)
{
    struct timespec t = { ns / NS_PER_S, ns % NS_PER_S };
    nanosleep(&t, NULL);
}

/* ---- one request ------------------------------------------------------------------------- */

static bool dial(struct connection *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(c->all->port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval stall = { .tv_sec = STALL_S };
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0)
        die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall);
    buf_clear(&c->in);
    if (!connect(c->fd, (const struct sockaddr *)&to, sizeof to))
        return true;
    close(c->fd);
    c->fd = -1;
    return false;
}

static void hang_up(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->reconnects++;
}

static bool send_all(int fd, struct iovec *v, int n)
{
    while (n) {
        ssize_t done = writev(fd, v, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        while (n && (size_t)done >= v->iov_len) {
            done -= (ssize_t)v->iov_len;
            v++;
            n--;
        }
        if (n) {
            v->iov_base = (char *)v->iov_base + done;
            v->iov_len -= (size_t)done;
        }
    }
    return true;
}

static bool receive(struct connection *c)
{
    char *at = buf_room(&c->in, HEAD_MAX);
    ssize_t n;
    if (!at)
        return false;
    do
        n = recv(c->fd, at, HEAD_MAX, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        buf_grew(&c->in, (size_t)n);
    return n > 0;
}

/* The value of a header of the answer; empty: it has none. */
static struct str header(struct str head, struct str name)
{
    while (head.n) {
        struct str line = str_cut(&head, '\n'), key = str_cut(&line, ':');
        if (str_eq_nocase(key, name))
            return str_trim(line);
    }
    return S("");
}

/* Reads one answer whole. Its status; 0: the connection is broken. */
static int read_answer(struct connection *c, bool *ret_close)
{
    size_t end;
    uint64_t length = 0;
    while ((end = str_find(buf_view(&c->in), S("\r\n\r\n"))) == SIZE_MAX)
        if (!receive(c))
            return 0;
    struct str head = str_sub(buf_view(&c->in), 0, end + 2);
    struct str status = str_sub(head, 9, 3);
    bool chunked = str_eq_nocase(header(head, S("transfer-encoding")), S("chunked"));
    *ret_close = str_eq_nocase(header(head, S("connection")), S("close"));
    uint64_t code = 0;
    struct str says = header(head, S("content-length"));
    if (!str_to_u64(status, &code) || (says.n && !str_to_u64(says, &length)))
        return 0;
    c->answer_at = end + 4;
    while (chunked && !str_ends(buf_view(&c->in), S("0\r\n\r\n")))   /* nothing is pipelined: it is the last thing to come */
        if (!receive(c))
            return 0;
    while (!chunked && c->in.n < c->answer_at + length)
        if (!receive(c))
            return 0;
    return (int)code;
}

static int attempt(struct connection *c, const struct request *r, struct str head)
{
    bool closes = false;
    if (c->fd < 0 && !dial(c))
        return 0;
    buf_clear(&c->in);
    struct iovec v[2] = { { (void *)(uintptr_t)head.p, head.n }, { r->body, r->n } };
    int status = send_all(c->fd, v, 2) ? read_answer(c, &closes) : 0;
    if (!status || closes)
        hang_up(c);
    return status;
}

static void refused(struct connection *c, const struct request *r, int status)
{
    if (!c->refused++) {
        struct str text = c->in.n > c->answer_at ? str_sub(buf_view(&c->in), c->answer_at, SHOWN_MAX / 2) : S("");
        snprintf(c->first_refusal, sizeof c->first_refusal, "%d " STR_FMT, status, STR_ARG(text));
    }
    c->refused_items += r->items;
}

static struct str head_of(const struct sender *s, uint32_t length, char *ret)
{
    int n = snprintf(ret, HEAD_MAX, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: %u\r\n", s->path, s->port, length);
    for (uint32_t i = 0; i < s->nheaders; i++)
        n += snprintf(ret + n, (size_t)(HEAD_MAX - n), STR_FMT "\r\n", STR_ARG(s->headers[i]));
    n += snprintf(ret + n, (size_t)(HEAD_MAX - n), "\r\n");
    CHECK(n < HEAD_MAX);
    return (struct str){ ret, (size_t)n };
}

static void send_request(struct connection *c, const struct request *r)
{
    char room[HEAD_MAX];
    struct str head = head_of(c->all, r->n, room);
    for (uint32_t tries = 1;; tries++) {
        double begin = now();
        int status = attempt(c, r, head);
        if ((status == 0 || status == 429 || status == 503) && tries < TRIES_MAX) {
            c->retries++;
            pause_ns(PAUSE_NS);
            continue;
        }
        if (c->n == c->cap) {
            c->cap = MAX(2 * c->cap, (uint64_t)1024);
            c->seconds = mem_resize(c->seconds, sizeof *c->seconds * c->cap);
        }
        c->seconds[c->n++] = now() - begin;
        if (status / 100 != 2) {
            refused(c, r, status);
            return;
        }
        c->items += r->items;
        c->bytes += r->n;
        return;
    }
}

/* ---- the queues -------------------------------------------------------------------------- */

static void *connection_main(void *arg)
{
    struct connection *c = arg;
    struct sender *s = c->all;
    for (;;) {
        CHECK(!pthread_mutex_lock(&s->lock));
        while (!c->waiting && !s->ended)
            CHECK(!pthread_cond_wait(&c->changed, &s->lock));
        bool any = c->waiting > 0;
        struct request r = c->queue[c->first];
        CHECK(!pthread_mutex_unlock(&s->lock));
        if (!any)
            return NULL;
        send_request(c, &r);
        mem_free(r.body);
        CHECK(!pthread_mutex_lock(&s->lock));      /* the one at work holds its place until it is done */
        c->first = (c->first + 1) % WINDOW_MAX;
        c->waiting--;
        CHECK(!pthread_cond_broadcast(&c->changed));
        CHECK(!pthread_mutex_unlock(&s->lock));
    }
}

static void deal(struct sender *s, uint32_t lane, struct request r)
{
    struct connection *c = &s->c[lane % s->connections];
    CHECK(!pthread_mutex_lock(&s->lock));
    while (c->waiting >= s->window)
        CHECK(!pthread_cond_wait(&c->changed, &s->lock));
    c->queue[(c->first + c->waiting) % WINDOW_MAX] = r;
    c->waiting++;
    CHECK(!pthread_cond_broadcast(&c->changed));
    CHECK(!pthread_mutex_unlock(&s->lock));
}

static uint32_t u32_at(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void read_file(struct sender *s, FILE *f)
{
    char magic[LOAD_MAGIC_BYTES];
    unsigned char head[16];
    double begin = now();
    uint64_t items = 0;
    if (fread(magic, sizeof magic, 1, f) != 1 || memcmp(magic, LOAD_MAGIC, sizeof magic)) {
        fprintf(stderr, "bench-send: this is no load file\n");
        exit(2);
    }
    for (uint64_t i = 0; (!s->limit || i < s->limit) && fread(head, sizeof head, 1, f) == 1; i++) {
        struct request r = { .n = u32_at(head), .items = u32_at(head + 4) };
        CHECK(r.n <= LOAD_BODY_MAX);
        r.body = mem_alloc(r.n + 1);
        if (fread(r.body, 1, r.n, f) != r.n) {
            fprintf(stderr, "bench-send: the load file is cut off\n");
            exit(2);
        }
        double ahead = s->rate ? begin + (double)items / (double)s->rate - now() : 0;
        if (ahead > 0)
            pause_ns((int64_t)(ahead * (double)NS_PER_S));
        items += r.items;
        deal(s, u32_at(head + 8), r);
    }
}

/* ---- the result -------------------------------------------------------------------------- */

static int by_seconds(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Latencies: percentiles, and how many within 0.125 ms, 0.25 ms, ... */
static void write_latency(struct jw *w, const struct sender *s)
{
    uint64_t n = 0, counts[STEPS] = { 0 };
    for (uint64_t i = 0; i < s->connections; i++)
        n += s->c[i].n;
    double *all = mem_alloc(sizeof *all * (n + 1));
    n = 0;
    for (uint64_t i = 0; i < s->connections; i++)
        for (uint64_t k = 0; k < s->c[i].n; k++)
            all[n++] = s->c[i].seconds[k];
    qsort(all, n, sizeof *all, by_seconds);
    static const struct { struct str name; double q; } percentiles[] = { { S("p50_ms"), 0.5 }, { S("p99_ms"), 0.99 }, { S("max_ms"), 1 } };
    for (size_t i = 0; i < LEN(percentiles); i++) {
        jw_key(w, percentiles[i].name);
        jw_f64(w, n ? all[(uint64_t)(percentiles[i].q * (double)(n - 1))] * 1e3 : 0);
    }
    for (uint64_t k = 0; k < n; k++) {
        uint32_t step = 0;
        while (step + 1 < STEPS && all[k] > 0.000125 * (double)(1u << step))
            step++;
        counts[step]++;
    }
    jw_key(w, S("histogram"));
    jw_arr(w);
    for (uint32_t step = 0; step < STEPS; step++)
        if (counts[step]) {
            jw_arr(w);
            jw_f64(w, 0.125 * (double)(1u << step));
            jw_u64(w, counts[step]);
            jw_arr_end(w);
        }
    jw_arr_end(w);
    mem_free(all);
}

static void report(const struct sender *s, double seconds)
{
    struct connection sum = { .n = 0 };
    const char *first = "";
    for (uint64_t i = 0; i < s->connections; i++) {
        const struct connection *c = &s->c[i];
        sum.n += c->n;
        sum.items += c->items;
        sum.bytes += c->bytes;
        sum.refused += c->refused;
        sum.refused_items += c->refused_items;
        sum.retries += c->retries;
        sum.reconnects += c->reconnects;
        first = *first ? first : c->first_refusal;
    }
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    struct buf out;
    struct jw w;
    buf_init(&out, 1 << 16);
    jw_init(&w, &out);
    jw_obj(&w);
    const struct { struct str name; uint64_t v; } numbers[] = {
        { S("requests"), sum.n }, { S("items"), sum.items }, { S("bytes"), sum.bytes }, { S("refused"), sum.refused },
        { S("refused_items"), sum.refused_items }, { S("retries"), sum.retries }, { S("reconnects"), sum.reconnects },
    };
    for (size_t i = 0; i < LEN(numbers); i++)
        jw_kv_i64(&w, numbers[i].name, (int64_t)numbers[i].v);
    jw_key(&w, S("seconds"));
    jw_f64(&w, seconds);
    jw_key(&w, S("client_cpu_s"));
    jw_f64(&w, (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    write_latency(&w, s);
    jw_kv_str(&w, S("first_refusal"), str_c(first));
    jw_obj_end(&w);
    printf(STR_FMT "\n", STR_ARG(buf_view(&out)));
    buf_done(&out);
}

/* ---- options ----------------------------------------------------------------------------- */

static void usage(const char *what)
{
    fprintf(stderr, "bench-send: %s; see the head of bench/send.c\n", what);
    exit(2);
}

static void read_options(struct sender *s, int argc, char **argv)
{
    const struct { struct str name; uint64_t *at, max; } numbers[] = {
        { S("connections"), &s->connections, CONNECTIONS_MAX }, { S("window"), &s->window, WINDOW_MAX },
        { S("rate"), &s->rate, UINT64_MAX },                    { S("limit"), &s->limit, UINT64_MAX },
    };
    uint64_t port = 0;
    if (argc < 4 || !str_to_u64(str_c(argv[2]), &port) || !port || port > UINT16_MAX)
        usage("a file, a port and a path are wanted");
    s->port = (uint16_t)port;
    s->path = argv[3];
    for (int i = 4; i < argc; i++) {
        struct str value = str_c(argv[i]), name = str_cut(&value, '=');
        bool known = str_eq(name, S("header")) && s->nheaders < HEADERS_MAX;
        if (known)
            s->headers[s->nheaders++] = value;
        for (size_t k = 0; k < LEN(numbers) && !known; k++)
            known = str_eq(name, numbers[k].name) && str_to_u64(value, numbers[k].at) && *numbers[k].at <= numbers[k].max;
        if (!known)
            usage(argv[i]);
    }
    if (!s->connections || !s->window)
        usage("connections and window must not be 0");
}

int main(int argc, char **argv)
{
    static struct sender s = { .connections = 4, .window = 8, .lock = PTHREAD_MUTEX_INITIALIZER };
    read_options(&s, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    FILE *f = strcmp(argv[1], "-") ? fopen(argv[1], "rb") : stdin;
    if (!f)
        die(argv[1]);
    setvbuf(f, NULL, _IOFBF, 1 << 20);
    double begin = now();
    for (uint64_t i = 0; i < s.connections; i++) {
        struct connection *c = &s.c[i];
        c->all = &s;
        c->fd = -1;
        buf_init(&c->in, ANSWER_MAX);
        CHECK(!pthread_cond_init(&c->changed, NULL));
        if (pthread_create(&c->thread, NULL, connection_main, c))
            die("thread");
    }
    read_file(&s, f);
    CHECK(!pthread_mutex_lock(&s.lock));
    s.ended = true;
    for (uint64_t i = 0; i < s.connections; i++)
        CHECK(!pthread_cond_broadcast(&s.c[i].changed));
    CHECK(!pthread_mutex_unlock(&s.lock));
    for (uint64_t i = 0; i < s.connections; i++)
        CHECK(!pthread_join(s.c[i].thread, NULL));
    report(&s, now() - begin);
    return 0;
}
