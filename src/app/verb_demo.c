/* app/verb_demo.c -- `ccmon demo`: a server with a made-up company's history in it.
 *
 * The company is src/fleet's. Its past goes in as any sender's requests do, decoded and
 * written through the sink, before "ready" is printed; from then on each turn is sent
 * when it ends, so that the page lives. What went in is known to the nano-dollar and is
 * printed, to be held against the pages.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/verbs.h"
#include "base/jw.h"
#include "base/num.h"
#include "fleet/fleet.h"
#include "otlp/decode.h"

enum {
    REQUEST_BYTES = 1 << 20,                       /* turns are sent together until there is so much */
    MEMORY_BYTES = 256 << 20,
    TICK_MS = 1000,
    DAYS_MAX = 3660,
    PEOPLE_MAX = 5000,
};

struct demo {
    struct options o;
    uint64_t seed, days, people;
    int64_t until_ns;                              /* 0: on into the present */
    bool truth, data_given;
    char dir[256];

    struct app *app;
    struct fleet *fleet;
    struct buf bodies[OTLP_SIGNALS];               /* Export requests can be strung together */
    struct arena mem;
    pthread_t feeder;
    bool feeding;
    pthread_mutex_t lock;                          /* of what follows */
    pthread_cond_t changed;
    bool stop, written;
    enum err result;
    struct fault fault;
};

const struct option options_demo[] = {
    { "--data", "DIR", "where it is kept; a temporary directory that goes at the end, if not given" },
    { "--days", "N", "days of history, 92 if not given" },
    { "--people", "N", "people of the company, 12 if not given" },
    { "--seed", "N", "another number, another company" },
    { "--until", "DATE", "midnight (UTC) at which history ends, as 2026-11-01; nothing is added after it. Without it, the "
                         "present is lived through, at such a company's pace: minutes can pass without a turn" },
    { "--truth", NULL, "do not serve; print what the answers must be, as JSON" },
    { "--port", "NAME=NUMBER", "as for serve" },
    { "--bind", "ADDR", "as for serve" },
    { "--config", "FILE", "as for serve" },
    { 0 },
};

/* ---- into the store ------------------------------------------------------------------ */

static void on_written(struct write_req *w, enum err e, const struct fault *f)
{
    struct demo *d = w->arg;
    pthread_mutex_lock(&d->lock);
    d->written = true;
    d->result = e;
    if (e)
        d->fault = *f;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static enum err write_body(struct demo *d, enum otlp_signal signal, struct fault *f)
{
    struct str body = buf_view(&d->bodies[signal]);
    if (!body.n)
        return OK;
    struct batch batch;
    int64_t now = clock_now(&clock_system);
    enum frame_kind kind = otlp_signals[signal].protobuf;
    arena_reset(&d->mem);
    enum err e = otlp_decode(kind, body, now, INT64_MIN, &d->mem, &batch, f);
    if (e)
        return e;
    struct write_req w = { .kind = kind, .body = body, .recv_ns = now, .batch = &batch, .done = on_written, .arg = d };
    struct sink *sink = store_sink(d->app->store);
    pthread_mutex_lock(&d->lock);
    d->written = false;
    pthread_mutex_unlock(&d->lock);
    sink->write(sink, &w);
    pthread_mutex_lock(&d->lock);
    while (!d->written)
        pthread_cond_wait(&d->changed, &d->lock);
    e = d->result;
    if (e)
        *f = d->fault;
    pthread_mutex_unlock(&d->lock);
    batch_done(&batch);
    buf_clear(&d->bodies[signal]);
    return e;
}

static enum err write_all(struct demo *d, size_t at_least, struct fault *f)
{
    enum err e = OK;
    for (int s = 0; !e && s < OTLP_SIGNALS; s++)
        if (d->bodies[s].n >= at_least)
            e = write_body(d, s, f);
    return e;
}

/* All that has ended by now. */
static enum err feed(struct demo *d, struct fault *f)
{
    enum err e = OK;
    struct fleet_turn t;
    while (!e && fleet_next_end_ns(d->fleet) <= clock_now(&clock_system) && fleet_next(d->fleet, &t)) {
        buf_str(&d->bodies[OTLP_LOGS], t.logs);
        buf_str(&d->bodies[OTLP_METRICS], t.metrics);
        buf_str(&d->bodies[OTLP_TRACES], t.traces);
        e = write_all(d, REQUEST_BYTES, f);
    }
    return e ? e : write_all(d, 1, f);
}

static void *live(void *arg)
{
    struct demo *d = arg;
    struct fault f = { 0 };
    pthread_mutex_lock(&d->lock);
    while (!d->stop) {
        struct timespec until;
        clock_deadline(TICK_MS * NS_PER_MS, &until);
        clock_cond_wait(&d->changed, &d->lock, &until);
        bool stop = d->stop;
        pthread_mutex_unlock(&d->lock);
        if (!stop && feed(d, &f))
            log_limited(LOG_WARN, "demo", "demo: %s", f.msg);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* ---- the truth ------------------------------------------------------------------------- */

static int64_t cost_of(const struct fleet_truth *t)
{
    int64_t nano = 0;
    for (int m = 0; m < FLEET_MODELS; m++)
        nano += t->cost_nano[m];
    return nano;
}

static void truth_models(const struct fleet_truth *t, struct jw *w)
{
    jw_key(w, S("models"));
    jw_obj(w);
    for (int m = 0; m < FLEET_MODELS; m++) {
        jw_key(w, fleet_model_names[m]);
        jw_obj(w);
        jw_key(w, S("cost_usd"));
        jw_f64(w, (double)t->cost_nano[m] / 1e9);
        for (int k = 0; k < FLEET_TOKEN_TYPES; k++) {
            jw_key(w, fleet_token_names[k]);
            jw_u64(w, t->tokens[m][k]);
        }
        jw_obj_end(w);
    }
    jw_obj_end(w);
}

static void truth_json(const struct demo *d, struct buf *out)
{
    const struct fleet_truth *t = fleet_truth(d->fleet);
    const struct { struct str name; uint64_t n; } rows[] = {
        { S("sessions"), t->sessions }, { S("prompts"), t->prompts }, { S("api_requests"), t->requests },
        { S("api_errors"), t->errors }, { S("api_refusals"), t->refusals }, { S("tool_results"), t->tool_calls },
        { S("tool_denials"), t->tool_denials }, { S("commits"), t->commits }, { S("lines_added"), t->lines_added },
        { S("lines_removed"), t->lines_removed }, { S("log_records"), t->logs }, { S("data_points"), t->points },
        { S("spans"), t->spans },
    };
    struct jw w;
    jw_init(&w, out);
    jw_obj(&w);
    jw_key(&w, S("cost_usd"));
    jw_f64(&w, (double)cost_of(t) / 1e9);
    jw_key(&w, S("active_seconds"));
    jw_f64(&w, (double)t->active_ms / 1e3);
    for (size_t i = 0; i < LEN(rows); i++) {
        jw_key(&w, rows[i].name);
        jw_u64(&w, rows[i].n);
    }
    truth_models(t, &w);
    jw_obj_end(&w);
    buf_byte(out, '\n');
}

static int print_truth(struct demo *d)
{
    CLEANUP(buf_done) struct buf out;
    struct fleet_turn t;
    buf_init(&out, 1 << 16);
    while (fleet_next_end_ns(d->fleet) <= clock_now(&clock_system) && fleet_next(d->fleet, &t))
        continue;
    truth_json(d, &out);
    fwrite(out.p, 1, out.n, stdout);
    return 0;
}

/* ---- serving ----------------------------------------------------------------------------- */

static enum err started(struct app *a, void *arg, struct fault *f)
{
    struct demo *d = arg;
    d->app = a;
    a->api.demo = true;
    log_line(LOG_INFO, "demo: making %llu days of %llu people", (unsigned long long)d->days, (unsigned long long)d->people);
    enum err e = feed(d, f);
    if (e)
        return e;
    const struct fleet_truth *t = fleet_truth(d->fleet);
    log_line(LOG_INFO, "demo: %llu made-up sessions, %llu API requests, %.6f USD so far; --truth prints what the answers must be",
             (unsigned long long)t->sessions, (unsigned long long)t->requests, (double)cost_of(t) / 1e9);
    d->feeding = !d->until_ns && !pthread_create(&d->feeder, NULL, live, d);
    return OK;
}

static void stopping(struct app *a, void *arg)
{
    struct demo *d = arg;
    (void)a;
    if (!d->feeding)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->feeder, NULL);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static bool make_dir(struct demo *d)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(d->dir, sizeof d->dir, "%s/ccmon-demo-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(d->dir)) {
        perror("ccmon: a temporary directory");
        return false;
    }
    d->o.set[d->o.nset].key = S("data");
    d->o.set[d->o.nset++].text = str_c(d->dir);
    return true;
}

static int serve(struct demo *d)
{
    if (!d->data_given && !make_dir(d))
        return 1;
    d->o.set[d->o.nset].key = S("retention");      /* the company's past is not to be forgotten */
    d->o.set[d->o.nset++].text = S("forever");
    d->o.set[d->o.nset].key = S("scrape.default");  /* what really runs on this machine is no part of it */
    d->o.set[d->o.nset++].text = S("false");
    d->o.started = started;
    d->o.stopping = stopping;
    d->o.hook_arg = d;
    int rc = app_serve(&d->o);
    if (!d->data_given)
        nftw(d->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return rc;
}

/* ---- the command line ---------------------------------------------------------------------- */

static int take_number(const char *name, const char *value, uint64_t max, uint64_t *ret)
{
    if (str_to_u64(str_c(value), ret) && *ret && *ret <= max)
        return 0;
    char text[96];
    snprintf(text, sizeof text, "%s wants a number from 1 to %llu", name, (unsigned long long)max);
    return verb_wrong(text, value);
}

static int take_until(struct demo *d, const char *value)
{
    char text[40];
    int n = snprintf(text, sizeof text, "%.16sT00:00:00Z", value);
    if (!num_rfc3339((struct str){ text, (size_t)n }, &d->until_ns) || d->until_ns <= DAYS_MAX * NS_PER_DAY)
        return verb_wrong("--until wants a date such as 2026-11-01", value);
    return 0;
}

static int take(void *arg, const char *name, const char *value)
{
    struct demo *d = arg;
    if (!strcmp(name, "--days"))
        return take_number(name, value, DAYS_MAX, &d->days);
    if (!strcmp(name, "--people"))
        return take_number(name, value, PEOPLE_MAX, &d->people);
    if (!strcmp(name, "--seed"))
        return take_number(name, value, INT64_MAX, &d->seed);
    if (!strcmp(name, "--until"))
        return take_until(d, value);
    if (!strcmp(name, "--truth")) {
        d->truth = true;
        return 0;
    }
    d->data_given |= !strcmp(name, "--data");
    return serve_option(&d->o, name, value);
}

int run_demo(const struct verb *v, int argc, char **argv)
{
    static struct demo d = { .seed = 1, .days = 92, .people = 12, .lock = PTHREAD_MUTEX_INITIALIZER };
    clock_cond_init(&d.changed);
    struct verb_args on = { .take = take, .arg = &d };
    int rc = verb_parse(v, argc, argv, &on);
    if (rc)
        return rc;
    int64_t today = clock_now(&clock_system) / NS_PER_DAY, last = d.until_ns ? d.until_ns / NS_PER_DAY : today + 1;
    struct fleet_config c = {
        .seed = d.seed, .people = (uint32_t)d.people, .traces = true,
        .from_ns = (MIN(last, today) - (int64_t)d.days) * NS_PER_DAY, .to_ns = last * NS_PER_DAY,
    };
    d.fleet = fleet_new(&c);
    arena_init(&d.mem, MEMORY_BYTES);
    for (int s = 0; s < OTLP_SIGNALS; s++)
        buf_init(&d.bodies[s], 4 * REQUEST_BYTES);
    rc = d.truth ? print_truth(&d) : serve(&d);
    for (int s = 0; s < OTLP_SIGNALS; s++)
        buf_done(&d.bodies[s]);
    arena_done(&d.mem);
    fleet_free(d.fleet);
    return rc;
}
