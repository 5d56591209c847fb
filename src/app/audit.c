/* app/audit.c -- see audit.h.
 *
 *      note -> kinds of this minute -> (thread) first line -> ... minute over -> counts, empty
 *
 * The thread takes what is to be written under the lock and writes it without. A file that
 * cannot be written costs its lines, not the server; the log says so.
 */
#include "app/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/jw.h"
#include "base/log.h"
#include "base/num.h"

enum { ACTS_BYTES_MAX = 64 << 10 };

struct kind {
    struct refusal x;                              /* count: of lines not yet written; last_ns: of the newest */
    bool told;                                     /* its first line is written */
};

struct audit {
    const struct clock *clock;
    struct arena mem;
    const char *path, *old_path;
    uint64_t bytes_max;

    pthread_mutex_t lock;                          /* of all below */
    pthread_cond_t wake;
    pthread_t thread;
    bool running, stopping, news;
    int64_t minute_ns;                             /* monotonic; when the kinds below began, 0: none */
    struct kind kinds[AUDIT_KINDS_MAX];
    uint32_t nkinds;
    uint64_t others;
    struct buf acts;                               /* lines not yet written */
};

struct audit *audit_new(struct str dir, const struct clock *clock)
{
    struct audit *a = mem_pages(sizeof(*a));
    a->clock = clock;
    a->bytes_max = AUDIT_BYTES_MAX;
    arena_init(&a->mem, 64 << 10);
    buf_init(&a->acts, ACTS_BYTES_MAX);
    a->path = arena_cstr(&a->mem, arena_fmt(&a->mem, STR_FMT "/audit.log", STR_ARG(dir)));
    a->old_path = arena_cstr(&a->mem, arena_fmt(&a->mem, "%s.1", a->path));
    CHECK(pthread_mutex_init(&a->lock, NULL) == 0);
    clock_cond_init(&a->wake);
    return a;
}

/* ---- lines ---------------------------------------------------------------------- */

static void put(struct jw *w, struct str key, const char *text)
{
    if (*text)
        jw_kv_str(w, key, str_c(text));
}

static void line_write(const struct refusal *x, struct buf *out)
{
    struct jw w;
    char when[40];
    jw_init(&w, out);
    jw_obj(&w);
    jw_kv_str(&w, S("time"), (struct str){ when, num_fmt_rfc3339(when, x->last_ns) });
    put(&w, S("listener"), x->listener);
    put(&w, S("peer"), x->peer);
    if (x->status)
        jw_kv_i64(&w, S("status"), x->status);
    put(&w, S("why"), x->why);
    put(&w, S("method"), x->method);
    put(&w, S("path"), x->path);
    put(&w, S("token"), x->token);
    put(&w, S("agent"), x->agent);
    jw_kv_i64(&w, S("count"), (int64_t)x->count);
    jw_obj_end(&w);
    buf_byte(out, '\n');
    CHECK(!out->bad);
}

/* Only the writer's thread is here, and audit_free() after it. */
static void append(struct audit *a, struct str lines)
{
    if (!lines.n)
        return;
    CLEANUP(fd_closep) int fd = open(a->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;
    if (fd >= 0 && !fstat(fd, &st) && st.st_size > 0 && (uint64_t)st.st_size + lines.n > a->bytes_max) {
        fd_closep(&fd);
        (void)rename(a->path, a->old_path);
        fd = open(a->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    if (fd < 0 || write(fd, lines.p, lines.n) != (ssize_t)lines.n)
        log_limited(LOG_WARN, "audit", "%s cannot be written: %s", a->path, strerror(errno));
}

/* ---- noting ------------------------------------------------------------------------ */

static bool same_kind(const struct refusal *x, const struct refusal *y)
{
    return x->status == y->status && !strcmp(x->listener, y->listener) && !strcmp(x->peer, y->peer) && !strcmp(x->why, y->why);
}

static void *audit_main(void *arg);

static void count(struct audit *a, const struct refusal *x, int64_t now_ns)
{
    for (uint32_t i = 0; i < a->nkinds; i++)
        if (same_kind(&a->kinds[i].x, x)) {
            a->kinds[i].x.count++;
            a->kinds[i].x.last_ns = now_ns;
            return;
        }
    if (a->nkinds == AUDIT_KINDS_MAX) {
        a->others++;
        return;
    }
    struct kind *k = &a->kinds[a->nkinds++];
    *k = (struct kind){ .x = *x };
    k->x.count = 1;
    k->x.last_ns = now_ns;
    a->news = true;
    CHECK(pthread_cond_signal(&a->wake) == 0);
}

void audit_note(struct audit *a, const struct refusal *x)
{
    CHECK(pthread_mutex_lock(&a->lock) == 0);
    if (!a->stopping) {
        if (!a->minute_ns)
            a->minute_ns = clock_mono(a->clock);
        count(a, x, clock_now(a->clock));
        if (!a->running && !pthread_create(&a->thread, NULL, audit_main, a))
            a->running = true;
    }
    CHECK(pthread_mutex_unlock(&a->lock) == 0);
}

static void begin_writing(struct audit *a)
{
    a->news = true;
    if (!a->running && !pthread_create(&a->thread, NULL, audit_main, a))
        a->running = true;
    CHECK(pthread_cond_signal(&a->wake) == 0);
}

void audit_act(struct audit *a, const struct audit_act *x)
{
    CHECK(pthread_mutex_lock(&a->lock) == 0);
    if (!a->stopping && a->acts.n + AUDIT_LINE_MAX < ACTS_BYTES_MAX) {
        struct jw w;
        char when[40];
        jw_init(&w, &a->acts);
        jw_obj(&w);
        jw_kv_str(&w, S("time"), (struct str){ when, num_fmt_rfc3339(when, clock_now(a->clock)) });
        jw_kv_str(&w, S("what"), x->what);
        jw_kv_str(&w, S("listener"), x->listener);
        jw_kv_str(&w, S("peer"), x->peer);
        jw_kv_str(&w, S("user"), x->user);
        jw_kv_i64(&w, S("sessions"), (int64_t)x->sessions);
        jw_kv_i64(&w, S("users"), (int64_t)x->users);
        jw_obj_end(&w);
        buf_byte(&a->acts, '\n');
        begin_writing(a);
    }
    CHECK(pthread_mutex_unlock(&a->lock) == 0);
}

/* ---- writing ------------------------------------------------------------------------ */

/* Under the lock: the lines that are due. `all`: the minute is over. */
static void take_lines(struct audit *a, bool all, struct buf *out)
{
    a->news = false;
    buf_str(out, buf_view(&a->acts));
    buf_clear(&a->acts);
    for (uint32_t i = 0; i < a->nkinds; i++) {
        struct kind *k = &a->kinds[i];
        if (!k->x.count || (k->told && !all))
            continue;
        line_write(&k->x, out);
        k->x.count = 0;
        k->told = true;
    }
    if (!all)
        return;
    if (a->others) {
        struct refusal x = { .count = a->others, .last_ns = clock_now(a->clock) };
        refusal_text(x.why, sizeof x.why, S("others, which there were too many kinds of in this minute"));
        line_write(&x, out);
    }
    a->nkinds = 0;
    a->others = 0;
    a->minute_ns = 0;
}

/* Under the lock: waits until something is due, and says whether the minute is over. */
static bool wait_until_due(struct audit *a)
{
    for (;;) {
        int64_t left = INT64_MAX;
        if (a->minute_ns)
            left = a->minute_ns + AUDIT_MINUTE_MS * NS_PER_MS - clock_mono(a->clock);
        if (a->stopping || left <= 0)
            return true;
        if (a->news)
            return false;
        if (left == INT64_MAX) {
            CHECK(pthread_cond_wait(&a->wake, &a->lock) == 0);
        } else {
            struct timespec until;
            clock_deadline(left, &until);
            int rc = clock_cond_wait(&a->wake, &a->lock, &until);
            CHECK(rc == 0 || rc == ETIMEDOUT);
        }
    }
}

static void *audit_main(void *arg)
{
    struct audit *a = arg;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, (AUDIT_KINDS_MAX + 1) * (size_t)AUDIT_LINE_MAX + ACTS_BYTES_MAX);
    bool stop = false;
    while (!stop) {
        CHECK(pthread_mutex_lock(&a->lock) == 0);
        bool over = wait_until_due(a);
        stop = a->stopping;
        take_lines(a, over, &out);
        CHECK(pthread_mutex_unlock(&a->lock) == 0);
        append(a, buf_view(&out));
        buf_clear(&out);
    }
    return NULL;
}

void audit_free(struct audit *a)
{
    if (!a)
        return;
    CHECK(pthread_mutex_lock(&a->lock) == 0);
    bool running = a->running;
    a->stopping = true;
    CHECK(pthread_cond_signal(&a->wake) == 0);
    CHECK(pthread_mutex_unlock(&a->lock) == 0);
    if (running)
        CHECK(pthread_join(a->thread, NULL) == 0);
    CHECK(pthread_mutex_destroy(&a->lock) == 0);
    CHECK(pthread_cond_destroy(&a->wake) == 0);
    buf_done(&a->acts);
    arena_done(&a->mem);
    mem_pages_free(a, sizeof(*a));
}
