/* scrape/scrape.c -- fetch, build, judge, write, and say how it went.
 *
 *     good      rows of the exposition; stale markers for plain series that are gone
 *     bad       stale markers for all plain series; accounted ones just stand still
 *     always    up and the other samples about the scrape, of the target's labels only
 *
 * An optional target (a port of the default job) that nobody answered yet writes nothing at all;
 * one that answered goes on like any other until it has been gone for DEFAULT_GONE.
 *
 * Whether the process behind a target is still the same one is told by incarnation.c; after a
 * start, resume.c finds what was known. If it cannot be found out, the scrape is not counted.
 */
#include "scrape/scrape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "scrape/build.h"
#include "scrape/resume.h"
#include "scrape/write.h"

enum { HEADERS_MAX = 8, STATUS_OK = 200 };

/* Prometheus's staleness marker. */
static double stale_nan(void)
{
    const uint64_t bits = UINT64_C(0x7ff0000000000002);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* ---- the request ---------------------------------------------------------------------------- */

static enum err secret_text(struct str inline_text, struct str file, struct arena *mem, struct str *ret, struct fault *f)
{
    *ret = inline_text;
    if (!file.n)
        return OK;
    CLEANUP(buf_done) struct buf text = { 0 };
    enum err e = file_read(arena_cstr(mem, file), SCRAPE_SECRET_MAX, &text, f);
    if (!e)
        *ret = str_trim(arena_str(mem, buf_view(&text)));
    return e;
}

/* The value of Authorization; empty: none. */
static enum err authorization(const struct scrape_secret *s, struct arena *mem, struct str *ret, struct fault *f)
{
    struct str a, b = S("");
    enum err e;
    *ret = S("");
    if (s->has_basic) {
        e = secret_text(s->username, s->username_file, mem, &a, f);
        e = e ? e : secret_text(s->password, s->password_file, mem, &b, f);
        if (!e)
            *ret = arena_fmt(mem, "Basic " STR_FMT, STR_ARG(base64_text(arena_fmt(mem, STR_FMT ":" STR_FMT, STR_ARG(a), STR_ARG(b)), mem)));
        return e;
    }
    struct str type = S("Bearer");
    if (s->has_authorization) {
        type = s->type;
        e = secret_text(s->credentials, s->credentials_file, mem, &a, f);
    } else {
        e = secret_text(s->bearer, s->bearer_file, mem, &a, f);
    }
    if (!e && a.n)
        *ret = arena_fmt(mem, STR_FMT " " STR_FMT, STR_ARG(type), STR_ARG(a));
    return e;
}

static void header(struct http_header *h, uint32_t *n, struct str name, struct str value)
{
    CHECK(*n < HEADERS_MAX);
    if (value.n)
        h[(*n)++] = (struct http_header){ name, value };
}

static enum err fetch(const struct scrape_run *run, struct arena *mem, struct fetched *ret, struct fault *f)
{
    const struct scrape_job *j = run->job;
    struct http_header h[HEADERS_MAX];
    uint32_t n = 0;
    struct str auth;
    char seconds[40];
    enum err e = authorization(&j->secret, mem, &auth, f);
    if (e) {
        ret->end = FETCH_OTHER;
        return e;
    }
    int len = snprintf(seconds, sizeof seconds, "%.9g", (double)run->timeout_ns / (double)NS_PER_S);
    header(h, &n, S("accept"), j->accept);
    header(h, &n, S("accept-encoding"), j->compression ? S("gzip") : S("identity"));
    header(h, &n, S("user-agent"), arena_fmt(mem, "ccmon/" STR_FMT, STR_ARG(run->env->version)));
    header(h, &n, S("x-prometheus-scrape-timeout-seconds"), (struct str){ seconds, (size_t)len });
    header(h, &n, S("authorization"), auth);
    struct fetch q = {
        .method = HTTP_GET, .url = run->t->url, .headers = h, .nheaders = n, .timeout_ns = run->timeout_ns,
        .body_max = j->limits.body_size ? MIN((size_t)j->limits.body_size, (size_t)SCRAPE_BODY_MAX) : SCRAPE_BODY_MAX,
        .tls = j->tls, .follow_redirects = j->follow_redirects, .cancelled = run->env->cancelled,
    };
    /* Claude Code's exporter gets a connection a scrape: a kept one that died would be opened anew
     * unseen, and with it a process that was replaced. */
    bool keep = !run->t->optional && !run->t->shown.is_claude;
    return http_fetch(keep ? run->t->peer : NULL, &q, mem, ret, f);
}

/* ---- one attempt ------------------------------------------------------------------------------- */

struct attempt {
    const struct scrape_run *run;
    struct target *t;
    struct arena *mem;
    struct fault f;
    struct fetched got;
    struct built built;
    bool is_built;
    enum err e;                                    /* OK: a good scrape */
    int64_t time_ns, last_ns, duration_ns;         /* last: of the attempt before, 0: none */
    uint32_t added;
    struct privacy *privacy;
};

static int64_t oldest_of(const struct scrape_run *run, int64_t now)
{
    int64_t retention = atomic_load(run->env->retention_ns);
    return retention ? now - retention : INT64_MIN;
}

static struct str content_type(const struct fetched *r)
{
    for (uint32_t i = 0; i < r->nheaders; i++)
        if (str_eq(r->headers[i].name, S("content-type")))
            return r->headers[i].value;
    return S("");
}

static void get(struct attempt *a)
{
    const struct scrape_run *run = a->run;
    const struct scrape_job *j = run->job;
    if (j->limits.targets && run->of_job > j->limits.targets) {
        a->got.end = FETCH_OTHER;
        a->e = fault_set(&a->f, E_LIMIT, 0, "target_limit exceeded (number of targets: %u, limit: %llu)", run->of_job,
                         (unsigned long long)j->limits.targets);
        return;
    }
    int64_t from = clock_mono(run->env->clock);
    a->e = fetch(run, a->mem, &a->got, &a->f);
    a->duration_ns = clock_mono(run->env->clock) - from;
    if (!a->e && a->got.status != STATUS_OK)
        a->e = fault_set(&a->f, E_IO, 0, "server returned HTTP status %d", a->got.status);
}

static void build(struct attempt *a)
{
    const struct target *t = a->t;
    struct build_in in = {
        .job = a->run->job, .labels = t->labels, .nlabels = t->nlabels, .body = a->got.body,
        .format = expo_format_of(content_type(&a->got)), .time_ns = a->time_ns, .oldest_ns = oldest_of(a->run, a->time_ns),
        .privacy = a->privacy, .only_claude = t->optional && !t->alive_ns,
    };
    a->is_built = true;
    a->e = scrape_build(&in, a->mem, &a->built, &a->f);
}

/* The incarnation before ccmon's start, if there was one. */
static void resume(struct attempt *a)
{
    struct target *t = a->t;
    const struct built *b = &a->built;
    if (t->resumed || (!b->is_claude && !b->accounted.n))
        return;
    struct resume in = { .now = &b->accounted, .time_ns = a->time_ns, .job = b->job, .instance = b->instance };
    if (!b->accounted.n) {
        in.job = target_label(t, S("job"));
        in.instance = target_label(t, S("instance"));
    } else if (b->mixed) {
        in.job = in.instance = S("");
    }
    a->e = resume_incarnation(a->run->env->source, &in, &t->incarnation, &a->f);
    t->resumed = !a->e;
}

/* ---- rows beside the exposition's ----------------------------------------------------------------- */

static void put_stale(struct attempt *a, struct frame *w, const struct roster *now)
{
    const struct roster *was = &a->t->plain;
    for (uint32_t i = 0; i < was->n; i++) {
        if (!was->at[i].n || (now && roster_find(now, was->at[i].id)))
            continue;
        struct arena scratch = *a->mem;
        struct lset s = roster_labels(was, &was->at[i], &scratch);
        frame_row(w, &s, stale_nan(), w->time_ns, false);   /* borrows the texts of t->plain */
    }
}

struct about {
    struct str name;
    double value;
};

static void put_about(const struct target *t, struct frame *w, const struct about *rows, size_t n, struct arena *mem)
{
    for (size_t i = 0; i < n; i++) {
        struct lset s = { .mem = mem };
        for (uint32_t k = 0; k < t->nlabels; k++)
            lset_set(&s, t->labels[k].name, t->labels[k].value);
        lset_set(&s, S("__name__"), rows[i].name);
        lset_sort(&s);
        frame_row(w, &s, rows[i].value, w->time_ns, false);
    }
}

static void put_report(struct attempt *a, struct frame *w)
{
    const struct built *b = &a->built;
    bool good = !a->e;
    const struct about rows[] = {
        { S("up"), good },
        { S("scrape_duration_seconds"), (double)a->duration_ns / (double)NS_PER_S },
        { S("scrape_samples_scraped"), good ? b->scraped : 0 },
        { S("scrape_samples_post_metric_relabeling"), good ? b->kept : 0 },
        { S("scrape_series_added"), good ? a->added : 0 },
    };
    put_about(a->t, w, rows, LEN(rows), a->mem);
    a->t->marked = true;
}

static void put_metas(struct attempt *a, struct frame *w)
{
    const struct built *b = &a->built;
    if (b->metas_hash == a->t->metas_hash)
        return;
    for (uint32_t i = 0; i < b->nmetas; i++)
        frame_meta(w, &b->metas[i]);
}

static uint32_t count_new(const struct roster *now, const struct roster *was)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < now->n; i++)
        n += !roster_find(was, now->at[i].id);
    return n;
}

/* ---- what follows ------------------------------------------------------------------------------------ */

static void report(const struct scrape_run *run, const char *cause, struct arena *mem, const char *text)
{
    const struct target *t = run->t;
    struct str line = arena_fmt(mem, "scrape of " STR_FMT " (" STR_FMT "): %s", STR_ARG(t->url), STR_ARG(run->job->name), text);
    if (run->env->report)
        run->env->report(run->env->report_arg, cause, arena_cstr(mem, line));
}

/* A failed write is told, but the target was fine: its health says so. */
static void write_rows(struct attempt *a, const struct frame *w, int64_t start_ns)
{
    struct fault f = { 0 };
    if (scrape_write(a->run->env->sink, w, start_ns, SCRAPE_WRITE_WAIT, &f)) {
        report(a->run, "scrape-write", a->mem, f.msg);
    } else if (!a->e) {
        a->t->metas_hash = a->built.metas_hash;
    }
}

static void good(struct attempt *a)
{
    struct target *t = a->t;
    struct built *b = &a->built;
    int64_t since = a->last_ns ? a->last_ns : a->time_ns - a->run->interval_ns;
    a->added = count_new(&b->plain, &t->plain) + count_new(&b->accounted, &t->incarnation.series);
    put_stale(a, &b->frame, &b->plain);
    put_report(a, &b->frame);
    put_metas(a, &b->frame);
    if (b->accounted.n || t->incarnation.start_ns)
        (void)incarnation_step(&t->incarnation, &b->accounted, since, a->time_ns);
    if (b->outside)
        report(a->run, "scrape-outside", a->mem, "samples with times too far from now are left out");
    write_rows(a, &b->frame, t->incarnation.start_ns);
    roster_done(&t->plain);
    t->plain = b->plain;
    b->plain = (struct roster){ 0 };
    t->alive_ns = a->time_ns;
}

/* Stale markers for everything that the target gave, `up` and the rest too. */
static void end_of(struct attempt *a)
{
    static const struct about none[] = {
        { S("up"), 0 }, { S("scrape_duration_seconds"), 0 }, { S("scrape_samples_scraped"), 0 },
        { S("scrape_samples_post_metric_relabeling"), 0 }, { S("scrape_series_added"), 0 },
    };
    struct frame w;
    struct about rows[LEN(none)];
    if (!a->t->marked)
        return;
    for (size_t i = 0; i < LEN(none); i++)
        rows[i] = (struct about){ none[i].name, stale_nan() };
    frame_init(&w, a->time_ns);
    put_stale(a, &w, NULL);
    put_about(a->t, &w, rows, LEN(rows), a->mem);
    write_rows(a, &w, 0);
    frame_done(&w);
    roster_done(&a->t->plain);
    a->t->marked = false;
}

static void bad(struct attempt *a)
{
    struct target *t = a->t;
    struct frame w;
    if (a->got.end == FETCH_REFUSED || a->got.end == FETCH_RESET) {
        t->incarnation.broken = true;
        t->resumed = true;                         /* whatever was known is over */
    }
    if (t->optional && !t->alive_ns)
        return;                                    /* nobody was ever there */
    if (t->optional && a->time_ns - t->alive_ns > DEFAULT_GONE) {
        end_of(a);
        t->alive_ns = 0;
        return;
    }
    frame_init(&w, a->time_ns);
    put_stale(a, &w, NULL);
    put_report(a, &w);
    write_rows(a, &w, 0);
    frame_done(&w);
    roster_done(&t->plain);
}

static void show(const struct attempt *a, struct target_shown *s)
{
    *s = (struct target_shown){
        .health = a->e ? TARGET_DOWN : TARGET_UP, .end = a->got.end, .scraped_ns = a->time_ns,
        .good_ns = a->e ? a->t->shown.good_ns : a->time_ns, .duration_ns = a->duration_ns,
    };
    if (a->e) {
        s->is_claude = a->t->shown.is_claude;
        snprintf(s->error, sizeof s->error, "%s", a->f.msg);
        return;
    }
    s->is_claude = a->built.is_claude;
    s->samples = a->built.scraped;
    s->nsessions = a->built.nsessions;
    for (uint32_t i = 0; i < s->nsessions; i++)
        snprintf(s->sessions[i], sizeof s->sessions[i], STR_FMT, STR_ARG(a->built.sessions[i]));
}

/* The planned moment if it is not missed by much; in any case later than the one before. */
static int64_t time_of(const struct scrape_run *run)
{
    int64_t now = clock_now(run->env->clock), t = now;
    int64_t tolerance = MIN(SCRAPE_TOLERANCE, run->interval_ns / 100);
    if (run->planned_ns && now >= run->planned_ns && now - run->planned_ns <= tolerance)
        t = run->planned_ns;
    t -= t % NS_PER_MS;
    return MAX(t, run->t->last_ns + NS_PER_MS);
}

static bool is_cancelled(const struct scrape_run *run)
{
    return __atomic_load_n(run->env->cancelled, __ATOMIC_RELAXED);
}

void scrape_once(const struct scrape_run *run, struct target_shown *ret, const struct metric_meta **metas, uint32_t *nmetas,
                 struct arena *mem)
{
    struct target *t = run->t;
    struct attempt a = { .run = run, .t = t, .mem = mem, .last_ns = t->last_ns };
    *nmetas = 0;
    a.time_ns = time_of(run);
    if (!t->peer)
        t->peer = http_peer_new();
    get(&a);
    *ret = t->shown;
    if (is_cancelled(run) && a.e)
        return;                                    /* the program stops: this says nothing about the target */
    a.privacy = run->env->privacy ? privacy_slot_get(run->env->privacy) : NULL;
    t->last_ns = a.time_ns;
    if (!a.e)
        build(&a);
    if (!a.e)
        resume(&a);
    if (a.e)
        bad(&a);
    else
        good(&a);
    show(&a, ret);
    if (!a.e) {
        *metas = a.built.metas;
        *nmetas = a.built.nmetas;
    }
    if (a.is_built)
        built_done(&a.built);
    privacy_unref(a.privacy);
}

void scrape_end(const struct scrape_run *run)
{
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct attempt a = { .run = run, .t = run->t, .mem = &mem };
    a.time_ns = time_of(run);
    end_of(&a);
    arena_done(&mem);
}
