/* app/serve.c -- start, wait for a signal, stop.
 *
 * Order of start: configuration, store (recovery by replay), server, listeners,
 * threads; then one line a listener and "ready" on standard output. Order of stop:
 * the server first, so that nothing new comes in and what runs is answered, then
 * the store, which writes its head out or leaves it to the log.
 *
 * Signals are blocked in every thread and taken one at a time by the main thread,
 * so no handler runs in the middle of anything.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "app/app.h"
#include "query/origins.h"

enum { STOP_GRACE_MS = 2000 };                     /* of the 5 s in which a stop must be over */

static void on_hint(void *arg, const char *cause, const char *text)
{
    (void)arg;
    log_limited(LOG_WARN, cause, "%s", text);
}

static void on_report(void *arg, const char *cause, const char *text)
{
    (void)arg;
    log_limited(LOG_WARN, cause, "store: %s", text);
}

/* Many sessions are many connections; the limit of the shell is often 1024. */
static void raise_file_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r))
        return;
    r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max > 65536 ? 65536 : r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);            /* a smaller one still works */
}

static void on_rest(void *arg)
{
    struct app *a = arg;
    seen_rest(a->push.seen);
}

static enum err start_store(struct app *a, struct fault *f)
{
    struct store_config c = {
        .dir = a->cfg.data,
        .retention_ns = a->cfg.retention_ns,
        .clock = &clock_system,
        .cache_bytes = a->cfg.query_cache_mb << 20,
        .decoder = app_frame_decoder(),
        .report = on_report,
        .rest = on_rest,
        .report_arg = a,
    };
    enum err e = app_tight(&c, f);
    if (!e)
        e = store_open(&c, &a->store, f);
    if (e)
        return e;
    struct retention keep = config_retention(&a->cfg);
    store_set_retentions(a->store, &keep);
    a->otlp.sink = a->push.sink = store_sink(a->store);
    a->api.src = store_source(a->store);
    a->settled = settled_new(a->api.src, a->prices);
    a->api.settled = settled_source(a->settled);
    a->api.origins = origins_new();
    a->backup = app_backup_new(a->store);
    a->audit = audit_new(a->cfg.data, &clock_system);
    return OK;
}

static enum err start_privacy(struct app *a, struct fault *f)
{
    struct privacy *rules;
    enum err e = app_private(&a->cfg, a->cfg.data, &rules, f);
    if (!e)
        privacy_slot_set(&a->privacy, rules);
    return e;
}

static void on_scrape(void *arg, const char *cause, const char *text)
{
    (void)arg;
    log_limited(LOG_WARN, cause, "%s", text);
}

static enum err start_scraper(struct app *a, struct fault *f)
{
    struct scrape_env env = {
        .sink = store_sink(a->store), .source = a->api.src, .clock = &clock_system, .version = S(CCMON_VERSION), .report = on_scrape,
        .privacy = &a->privacy,
    };
    a->scraper = a->api.scraper = scraper_new(&env);
    scraper_set_retention(a->scraper, config_retention(&a->cfg).age_ns[TABLE_SAMPLE]);
    return scraper_apply(a->scraper, a->cfg.scrape, a->cfg.scrape_default, f);
}

static void fill_api(struct app *a)
{
    a->api.clock = &clock_system;
    a->api.start_ns = clock_now(&clock_system);
    a->api.version = S(CCMON_VERSION);
    a->api.data_dir = a->cfg.data;
    a->api.retention_ns = config_longest_ns(&a->cfg);
    a->api.extrapolate_always = a->cfg.extrapolate;
    a->api.lookback_ns = a->cfg.lookback_ns;
    a->api.loki_plain = !a->cfg.loki_detected_level;
    a->api.refusals = a->refusals;
    a->api.asked = app_asked;
    a->api.asked_arg = a;
    a->api.limits = (struct query_limits){
        .series_max = a->cfg.query_series_max,
        .samples_max = a->cfg.query_samples_max,
        .rows_max = a->cfg.query_rows_max,
        .bytes_max = a->cfg.query_bytes_max,
        .memory_max = (size_t)a->cfg.query_memory_mb << 20,
        .points_max = 11000,
        .timeout_ns = a->cfg.query_timeout_ns,
    };
}

static enum err start_http(struct app *a, struct fault *f)
{
    struct http_config c = {
        .loops = (uint32_t)a->cfg.io_threads,
        .pool = (uint32_t)a->cfg.query_threads,
        .queue_max = (uint32_t)a->cfg.query_queued_max,
        .allow_hosts = a->cfg.allow_hosts.at,
        .nallow_hosts = a->cfg.allow_hosts.n,
        .check_hosts = true,
        .clock = &clock_system,
        .refused = app_refused_peer,
        .refused_request = app_refused_request,
        .refused_arg = a,
    };
    enum err e = http_server_new(&c, &a->http, f);
    if (!e)
        e = app_listen(a, f);
    if (!e)
        e = app_protect(a, &a->cfg, f);
    if (!e)
        e = http_start(a->http, f);
    return e;
}

static enum err start(struct app *a, struct fault *f)
{
    a->otlp = (struct otlp_receiver){ .clock = &clock_system, .retention_ns = config_longest_ns(&a->cfg), .hint = on_hint,
                                      .refused = app_refused_otlp, .arg = a, .grpc_listener = port_names[PORT_OTLP_GRPC] };
    a->push = (struct push_receiver){ .retention_ns = config_longest_ns(&a->cfg), .hint = on_hint, .seen = seen_new() };
    privacy_slot_init(&a->privacy);
    a->otlp.seen = a->push.seen;
    a->otlp.privacy = &a->privacy;
    a->push.privacy = &a->privacy;
    a->refusals = refusals_new();
    fill_api(a);
    enum err e = prices_builtin(&a->prices, f);
    a->api.prices = a->prices;
    if (!e)
        e = start_store(a, f);
    if (!e)
        e = start_privacy(a, f);
    if (!e)
        e = web_new(&a->api, &a->web, f);
    if (!e)
        e = start_scraper(a, f);
    if (!e)
        e = start_http(a, f);
    return e || !a->options->started ? e : a->options->started(a, a->options->hook_arg, f);
}

static void stop(struct app *a)
{
    if (a->options->stopping)
        a->options->stopping(a, a->options->hook_arg);
    scraper_stop(a->scraper);
    if (a->web)
        web_stop(a->web);
    if (a->http)
        http_stop(a->http, STOP_GRACE_MS);
    web_free(a->web);
    app_backup_free(a->backup);
    store_close(a->store);
    if (a->http)
        http_server_free(a->http);
    scraper_free(a->scraper);
    origins_free(a->api.origins);
    settled_free(a->settled);
    prices_unref(a->prices);
    audit_free(a->audit);
    refusals_free(a->refusals);
    privacy_slot_done(&a->privacy);
    push_receiver_done(&a->push);
}

static void wait_for_signals(struct app *a, const sigset_t *set)
{
    for (;;) {
        int sig = 0;
        if (sigwait(set, &sig) || sig == SIGTERM || sig == SIGINT)
            return;
        struct fault f = { 0 };
        if (app_reload(a, &f))
            log_line(LOG_ERROR, "reload refused, the old configuration stays: %s", f.msg);
    }
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* For the person who started it: where to go next. */
static void tell_addresses(struct app *a)
{
    if (a->page_url.n)
        log_line(LOG_INFO, "the page: " STR_FMT, STR_ARG(a->page_url));
    for (uint32_t i = 0; i < a->api.nlisteners; i++) {
        const struct api_listener *l = &a->api.listeners[i];
        if (!l->problem.n && str_eq(l->name, port_names[PORT_OTLP_HTTP]))
            log_line(LOG_INFO, "Claude Code sends to: OTEL_EXPORTER_OTLP_ENDPOINT=" STR_FMT, STR_ARG(app_url(a, l->addr)));
    }
    log_line(LOG_INFO, "data: " STR_FMT, STR_ARG(a->cfg.data));
    if (a->api.open)
        for (uint32_t i = 0; i < a->api.nlisteners; i++)
            if (atomic_load(&a->api.listeners[i].guards) & API_OPEN)
                log_line(LOG_WARN, "open: whoever reaches " STR_FMT " (" STR_FMT ") may read and write everything",
                         STR_ARG(a->api.listeners[i].addr), STR_ARG(a->api.listeners[i].name));
}

int app_serve(const struct options *o)
{
    static struct app a = { .reload_lock = PTHREAD_MUTEX_INITIALIZER, .refused_lock = PTHREAD_MUTEX_INITIALIZER };
    struct fault f = { 0 };
    sigset_t signals;

    block_signals(&signals);
    a.options = o;
    if (app_config(o, &a.cfg, &f)) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return 2;
    }
    log_set_level((enum log_level)a.cfg.log_level);
    raise_file_limit();

    int rc = 0;
    if (start(&a, &f)) {
        log_line(LOG_ERROR, "cannot start: %s", f.msg);
        rc = 1;
    } else {
        puts("ready");
        fflush(stdout);
        tell_addresses(&a);
        wait_for_signals(&a, &signals);
    }
    stop(&a);
    config_done(&a.cfg);
    return rc;
}
