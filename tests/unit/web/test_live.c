/* The hub of live streams, with streams and a server made of arrays: who is told
 * what, in which order, and that everybody is let go of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../support/memsource.h"
#include "../../../src/web/live.c"

enum { STREAMS_MAX = 8, WAIT_S = 20 };

struct http_stream {
    void (*on_close)(void *arg);
    void *arg;
    struct buf got;
    bool closed;
};

/* Guards streams and what they got; `news` says that something was sent or closed. */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static struct http_stream streams[STREAMS_MAX];
static uint32_t nstreams;
static int refused;

struct str http_header(const struct http_req *r, struct str name)
{
    return str_eq(name, S("last-event-id")) ? r->raw_query : (struct str){ 0 };
}

bool http_param(struct http_req *r, struct str name, struct str *ret)
{
    (void)r, (void)name, (void)ret;
    return false;
}

void http_reply_header(struct http_req *r, struct str name, struct str value)
{
    (void)r, (void)name, (void)value;
}

void http_reply_error(struct http_req *r, int status, const char *fmt, ...)
{
    (void)r, (void)fmt;
    refused = status;
}

struct http_stream *http_stream_open(struct http_req *r, int status, struct str type, void (*closed)(void *arg), void *arg)
{
    (void)r;
    assert_int_equal(status, 200);
    assert_true(str_eq(type, S("text/event-stream")));
    pthread_mutex_lock(&mu);
    struct http_stream *s = &streams[nstreams++];
    *s = (struct http_stream){ .on_close = closed, .arg = arg };
    buf_init(&s->got, 16 << 20);
    pthread_mutex_unlock(&mu);
    return s;
}

bool http_stream_send(struct http_stream *s, struct str data)
{
    pthread_mutex_lock(&mu);
    CHECK(!s->closed);
    buf_str(&s->got, data);
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&mu);
    return true;
}

void http_stream_close(struct http_stream *s)
{
    pthread_mutex_lock(&mu);
    CHECK(!s->closed);
    s->closed = true;
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&mu);
}

/* ---- a source that commits when told ---- */

static struct memsource *mem;
static struct source src;
static void (*committed)(void *arg, uint64_t seq);
static void *committed_arg;

static uint32_t watch(struct source *s, void (*fn)(void *arg, uint64_t seq), void *arg)
{
    (void)s;
    committed = fn;
    committed_arg = arg;
    return 1;
}

static void unwatch(struct source *s, uint32_t handle)
{
    (void)s, (void)handle;
    committed = NULL;
}

/* What the hub may see; it reads on its own thread. */
static _Atomic uint64_t visible;

static void stats(struct source *s, struct source_stats *ret)
{
    (void)s;
    *ret = (struct source_stats){ .seq = visible, .rows = { [TABLE_LOG] = visible }, .last_recv_ns = 70 * NS_PER_S };
}

static pthread_mutex_t source_mu = PTHREAD_MUTEX_INITIALIZER;
static enum err (*plain_begin)(struct source *s, const struct scan_req *req, struct scan **ret, struct fault *f);

static enum err begin_scan(struct source *s, const struct scan_req *req, struct scan **ret, struct fault *f)
{
    (void)s;
    pthread_mutex_lock(&source_mu);
    enum err e = plain_begin(memsource_source(mem), req, ret, f);
    pthread_mutex_unlock(&source_mu);
    return e;
}

static void commit(const char *event)
{
    char body[64];
    snprintf(body, sizeof(body), "claude_code.%s", event);
    struct mem_cell cells[] = { { PLACE_FIELD, "body", value_str(str_c(body)) }, { PLACE_ATTR, "event.name", value_str(str_c(event)) } };
    struct mem_row r = { .table = TABLE_LOG, .time_ns = 5, .recv_ns = clock_now(&clock_system), .cells = cells, .ncells = 2 };
    pthread_mutex_lock(&source_mu);
    memsource_add(mem, &r);
    pthread_mutex_unlock(&source_mu);
    uint64_t seq = ++visible;
    if (committed)
        committed(committed_arg, seq);
}

static struct live *start(struct api *api)
{
    mem = memsource_new();
    src = *memsource_source(mem);
    plain_begin = src.scan_begin;
    src.scan_begin = begin_scan;
    src.watch = watch;
    src.unwatch = unwatch;
    src.stats = stats;
    visible = 0;
    nstreams = 0;
    refused = 0;
    *api = (struct api){ .src = &src, .clock = &clock_system };
    struct live *l = NULL;
    struct fault f = { 0 };
    assert_int_equal(live_new(api, &l, &f), OK);
    return l;
}

static void end(struct live *l)
{
    live_stop(l);
    for (uint32_t i = 0; i < nstreams; i++) {
        assert_true(streams[i].closed);
        if (streams[i].on_close)
            streams[i].on_close(streams[i].arg);
        buf_done(&streams[i].got);
    }
    live_free(l);
    memsource_free(mem);
}

static void join(struct live *l, const char *last_id)
{
    struct http_req r = { .raw_query = str_c(last_id) };
    live_join(l, &r);
}

/* Waits until the stream has got the text, or fails. */
static void expect(uint32_t i, const char *text)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&mu);
    int rc = 0;
    while (str_find(buf_view(&streams[i].got), str_c(text)) == SIZE_MAX && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&news, &mu, &until);
    struct str got = buf_view(&streams[i].got);
    bool found = str_find(got, str_c(text)) != SIZE_MAX;
    if (!found)
        print_error("stream %u never got %s; it got " STR_FMT "\n", i, text, STR_ARG(got));
    pthread_mutex_unlock(&mu);
    assert_true(found);
}

static bool got(uint32_t i, const char *text)
{
    pthread_mutex_lock(&mu);
    bool found = str_find(buf_view(&streams[i].got), str_c(text)) != SIZE_MAX;
    pthread_mutex_unlock(&mu);
    return found;
}

static void test_records_and_ticks(void **state)
{
    (void)state;
    struct api api;
    struct live *l = start(&api);
    join(l, "");
    expect(0, "\"rows\":0,");
    commit("user_prompt");
    expect(0, "event: tick\nid: 1-");
    assert_true(got(0, "event: log\nid: 1-"));
    assert_true(got(0, "\"line\":\"claude_code.user_prompt\""));
    commit("api_request");
    expect(0, "event: tick\nid: 2-");
    struct str all = buf_view(&streams[0].got);
    size_t first = str_find(all, S("claude_code.user_prompt"));
    assert_true(str_find(str_sub(all, first + 10, all.n), S("claude_code.user_prompt")) == SIZE_MAX);
    end(l);
}

/* Back after an id: what was missed, once. An id of another store: nothing old. */
static void test_resume(void **state)
{
    (void)state;
    struct api api;
    struct live *l = start(&api);
    join(l, "");
    commit("first");
    expect(0, "event: tick\nid: 1-");
    commit("second");
    expect(0, "event: tick\nid: 2-");
    join(l, "1-70000000000");
    join(l, "99-70000000000");
    join(l, "nonsense");
    join(l, "0-70000000000");                      /* was here while the store was empty */
    expect(4, "claude_code.first");
    expect(1, "claude_code.second");
    expect(2, "event: tick");
    expect(3, "event: tick");
    assert_false(got(1, "claude_code.first"));
    assert_false(got(2, "claude_code."));
    assert_false(got(3, "claude_code."));
    end(l);
}

static void test_leaving(void **state)
{
    (void)state;
    struct api api;
    struct live *l = start(&api);
    join(l, "");
    join(l, "");
    expect(0, "event: tick");
    expect(1, "event: tick");
    streams[0].on_close(streams[0].arg);
    streams[0].on_close = NULL;
    commit("x");
    expect(1, "claude_code.x");
    pthread_mutex_lock(&mu);
    while (!streams[0].closed)
        pthread_cond_wait(&news, &mu);
    pthread_mutex_unlock(&mu);
    end(l);
}

static void set_clients(struct live *l, uint32_t n)
{
    lock(l);
    l->nclients = n;
    unlock(l);
}

static void test_full_and_stopped(void **state)
{
    (void)state;
    struct api api;
    struct live *l = start(&api);
    join(l, "");
    set_clients(l, LIVE_CLIENTS_MAX);
    join(l, "");
    assert_int_equal(refused, 503);
    refused = 0;
    set_clients(l, 1);
    live_stop(l);
    join(l, "");
    assert_int_equal(refused, 503);
    assert_int_equal(nstreams, 1);
    end(l);
}

static void test_marks(void **state)
{
    (void)state;
    static const struct { const char *id; bool ok; uint64_t seq; int64_t recv; } rows[] = {
        { "12-34", true, 12, 34 }, { "0-0", true, 0, 0 }, { "", false, 0, 0 }, { "12", false, 0, 0 },
        { "-34", false, 0, 0 }, { "12--34", false, 0, 0 }, { "1-2-3", false, 0, 0 }, { "99999999999999999999-1", false, 0, 0 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct live_mark m = { 0 };
        bool ok = parse_mark(str_c(rows[i].id), &m);
        if (ok != rows[i].ok || m.seq != rows[i].seq || m.recv_ns != rows[i].recv)
            fail_msg("\"%s\": %d %llu %lld", rows[i].id, ok, (unsigned long long)m.seq, (long long)m.recv_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_and_ticks), cmocka_unit_test(test_resume), cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_full_and_stopped),  cmocka_unit_test(test_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
