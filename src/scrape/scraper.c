/* scrape/scraper.c -- the list of targets and whose turn it is.
 *
 * A few threads each take the target that is due first, scrape it without the lock, and put it
 * back with its next turn. Turns lie at fixed moments of the clock (target_next), so that targets
 * are spread and their times are regular. A target that a reload removed is taken once more, to
 * be ended. Looking at the files of file_sd_configs is a turn of its own.
 *
 * Locks: `sd_lock` is held while targets are discovered and merged, and is taken before `lock`,
 * which covers the list and the fields that target.h says.
 */
#include "scrape/scraper.h"

#include <pthread.h>

enum { WORK_ARENA_BYTES = 512 << 20, OPTIONAL_THREADS = 2 };
static const int64_t idle_wait_ns = 3600 * NS_PER_S;

struct scraper {
    struct scrape_env env;
    _Atomic int64_t retention_ns;
    bool stopping;                                 /* also read without the lock, atomically */

    pthread_mutex_t sd_lock;
    struct sd_files files;                         /* under sd_lock */

    pthread_mutex_t lock;
    pthread_cond_t wake;                           /* a turn may have come nearer */
    pthread_cond_t over;                           /* a scrape is over */
    struct scrape_conf *conf;
    struct target **at;
    uint32_t n, cap;
    struct discovery found;                        /* whose dropped targets are shown */
    bool has_found, has_files, looking;
    int64_t look_mono_ns;                          /* when the files are looked at next */
    pthread_t threads[SCRAPE_THREADS_MAX];
    uint32_t nthreads;
};

static bool is_stopping(struct scraper *s)
{
    return __atomic_load_n(&s->stopping, __ATOMIC_RELAXED);
}

static int64_t mono(const struct scraper *s)
{
    return clock_mono(s->env.clock);
}

/* ---- turns ------------------------------------------------------------------------------------- */

/* An empty port beside the first is looked at less often. */
static int64_t interval_of(const struct target *t)
{
    return t->probe && !t->alive_ns ? MAX(DEFAULT_PROBE, t->interval_ns) : t->interval_ns;
}

static void plan(struct scraper *s, struct target *t)
{
    int64_t now = clock_now(s->env.clock);
    t->planned_ns = target_next(t, interval_of(t), now);
    t->due_mono_ns = mono(s) + (t->planned_ns - now);
}

static bool wants(const struct target *t, int64_t now_mono)
{
    return !t->running && (t->removed || t->asked > t->served || t->due_mono_ns <= now_mono);
}

/* The target whose turn it is, or NULL and when to look again. */
static struct target *pick(struct scraper *s, int64_t *ret_wait_ns)
{
    int64_t now = mono(s), first = now + idle_wait_ns;
    for (uint32_t i = 0; i < s->n; i++) {
        struct target *t = s->at[i];
        if (wants(t, now))
            return t;
        if (!t->running)
            first = MIN(first, t->due_mono_ns);
    }
    if (s->has_files && !s->looking)
        first = MIN(first, s->look_mono_ns);
    *ret_wait_ns = MAX(first - now, NS_PER_MS);
    return NULL;
}

static void forget(struct scraper *s, struct target *t)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->at[i] == t) {
            s->at[i] = s->at[--s->n];
            target_free(t);
            return;
        }
    CHECK(!"a target that is not in the list");
}

/* Takes the lock away for the time of the scrape. */
static void serve(struct scraper *s, struct target *t, struct arena *mem)
{
    bool by_hand = t->asked > t->served, end = t->removed;
    uint64_t asked = t->asked;
    struct scrape_conf *conf = scrape_conf_ref(t->conf);
    struct scrape_run run = {
        .env = &s->env, .t = t, .job = t->job, .interval_ns = t->interval_ns, .timeout_ns = t->timeout_ns,
        .planned_ns = by_hand ? 0 : t->planned_ns, .of_job = t->of_job,
    };
    struct target_shown shown = t->shown;
    const struct metric_meta *metas = NULL;
    uint32_t nmetas = 0;
    t->running = true;
    pthread_mutex_unlock(&s->lock);

    if (end)
        scrape_end(&run);
    else
        scrape_once(&run, &shown, &metas, &nmetas, mem);

    pthread_mutex_lock(&s->lock);
    t->running = false;
    t->shown = shown;
    t->shown_alive = t->alive_ns != 0;
    if (nmetas)
        target_keep_metas(t, metas, nmetas);
    t->served = asked;
    if (end)
        forget(s, t);
    else
        plan(s, t);
    scrape_conf_unref(conf);
    pthread_cond_broadcast(&s->over);
}

static void rediscover(struct scraper *s, bool force);

static void *work(void *arg)
{
    struct scraper *s = arg;
    struct arena mem;
    arena_init(&mem, WORK_ARENA_BYTES);
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        int64_t wait_ns = 0;
        struct target *t = pick(s, &wait_ns);
        if (t) {
            serve(s, t, &mem);
            arena_reset(&mem);
        } else if (s->has_files && !s->looking && s->look_mono_ns <= mono(s)) {
            s->looking = true;
            pthread_mutex_unlock(&s->lock);
            rediscover(s, false);
            pthread_mutex_lock(&s->lock);
            s->looking = false;
            s->look_mono_ns = mono(s) + FILE_SD_POLL;
        } else {
            struct timespec until;
            clock_deadline(wait_ns, &until);
            clock_cond_wait(&s->wake, &s->lock, &until);
        }
    }
    pthread_mutex_unlock(&s->lock);
    arena_done(&mem);
    return NULL;
}

/* ---- the list ------------------------------------------------------------------------------------ */

static struct target *find_same(struct scraper *s, const struct map *by_hash, const struct target *t)
{
    uint32_t i = map_get(by_hash, (struct str){ (const char *)&t->hash, sizeof t->hash });
    return i != MAP_NONE && target_same(s->at[i], t) ? s->at[i] : NULL;
}

/* A target that stays: what a scrape needs of the new configuration. Whoever scrapes it now
 * holds the old one. */
static void move_over(struct target *old, struct target *fresh)
{
    struct scrape_conf *conf = old->conf;
    old->conf = fresh->conf;
    old->job = fresh->job;
    fresh->conf = conf;
    old->interval_ns = fresh->interval_ns;
    old->timeout_ns = fresh->timeout_ns;
    old->of_job = fresh->of_job;
    old->removed = false;
}

/* Under the lock. Takes the targets out of `d`. */
static void merge(struct scraper *s, struct discovery *d)
{
    struct map by_hash = { 0 };
    uint32_t have = s->n;
    for (uint32_t i = 0; i < have; i++) {
        s->at[i]->removed = true;
        map_put(&by_hash, (struct str){ (const char *)&s->at[i]->hash, sizeof s->at[i]->hash }, i);
    }
    for (uint32_t i = 0; i < d->n; i++) {
        struct target *old = find_same(s, &by_hash, d->at[i]);
        if (old) {
            bool sooner = old->interval_ns != d->at[i]->interval_ns;
            move_over(old, d->at[i]);
            target_free(d->at[i]);
            if (sooner && !old->running)
                plan(s, old);
            continue;
        }
        if (s->n == s->cap) {
            s->cap = s->cap ? s->cap * 2 : 32;
            s->at = mem_resize(s->at, sizeof(struct target *) * s->cap);
        }
        plan(s, d->at[i]);
        s->at[s->n++] = d->at[i];
    }
    d->n = 0;
    map_done(&by_hash);
}

/* One thread for a target that is there, two for ports where nobody has to be, up to the most. */
static uint32_t threads_wanted(const struct scraper *s)
{
    uint32_t there = 0, optional = 0;
    for (uint32_t i = 0; i < s->n; i++)
        *(s->at[i]->optional ? &optional : &there) += 1;
    uint32_t n = there + MIN(optional, (uint32_t)OPTIONAL_THREADS);
    return MIN(n ? n : s->has_files, (uint32_t)SCRAPE_THREADS_MAX);
}

static void start_threads(struct scraper *s)
{
    uint32_t want = threads_wanted(s);
    while (s->nthreads < want && !s->stopping && !pthread_create(&s->threads[s->nthreads], NULL, work, s))
        s->nthreads++;
}

static bool has_files(const struct scrape_conf *c)
{
    for (uint32_t i = 0; i < c->njobs; i++)
        if (c->jobs[i].files.n)
            return true;
    return false;
}

/* `force`: also when no file changed. */
static void rediscover(struct scraper *s, bool force)
{
    pthread_mutex_lock(&s->sd_lock);
    pthread_mutex_lock(&s->lock);
    struct scrape_conf *conf = s->conf ? scrape_conf_ref(s->conf) : NULL;
    pthread_mutex_unlock(&s->lock);
    if (conf && (force || discover_changed(conf, &s->files))) {
        struct discovery d;
        struct discover_report to = { s->env.report, s->env.report_arg };
        discover(conf, &s->files, &to, &d);
        pthread_mutex_lock(&s->lock);
        merge(s, &d);
        struct discovery old = s->found;
        bool had = s->has_found;
        s->found = d;
        s->has_found = true;
        start_threads(s);
        pthread_cond_broadcast(&s->wake);
        pthread_mutex_unlock(&s->lock);
        if (had)
            discovery_done(&old);
    }
    scrape_conf_unref(conf);
    pthread_mutex_unlock(&s->sd_lock);
}

/* ---- life ------------------------------------------------------------------------------------------ */

struct scraper *scraper_new(const struct scrape_env *env)
{
    struct scraper *s = mem_alloc(sizeof *s);
    s->env = *env;
    s->env.cancelled = &s->stopping;
    s->env.retention_ns = &s->retention_ns;
    pthread_mutex_init(&s->sd_lock, NULL);
    pthread_mutex_init(&s->lock, NULL);
    clock_cond_init(&s->wake);
    clock_cond_init(&s->over);
    return s;
}

static enum err with_default_job(struct scrape_conf **conf, struct fault *f)
{
    struct scrape_conf *own = scrape_conf_new();
    scrape_conf_default_job(own, "claude-code", DEFAULT_PORT_FIRST, DEFAULT_PORT_LAST);
    enum err e = scrape_conf_finish(own, f);
    if (e)
        scrape_conf_unref(own);
    else
        *conf = own;
    return e;
}

enum err scraper_apply(struct scraper *s, struct scrape_conf *conf, bool with_default, struct fault *f)
{
    struct scrape_conf *use = scrape_conf_ref(conf);
    if (with_default && !conf->given) {
        scrape_conf_unref(use);
        enum err e = with_default_job(&use, f);
        if (e)
            return e;
    }
    pthread_mutex_lock(&s->lock);
    struct scrape_conf *old = s->conf;
    s->conf = use;
    s->has_files = has_files(use);
    s->look_mono_ns = mono(s) + FILE_SD_POLL;
    pthread_mutex_unlock(&s->lock);
    rediscover(s, true);
    scrape_conf_unref(old);
    return OK;
}

void scraper_set_retention(struct scraper *s, int64_t retention_ns)
{
    atomic_store(&s->retention_ns, retention_ns);
}

void scraper_stop(struct scraper *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    __atomic_store_n(&s->stopping, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&s->wake);
    pthread_cond_broadcast(&s->over);
    pthread_mutex_unlock(&s->lock);
    for (uint32_t i = 0; i < s->nthreads; i++)
        pthread_join(s->threads[i], NULL);
    s->nthreads = 0;
}

void scraper_free(struct scraper *s)
{
    if (!s)
        return;
    CHECK(!s->nthreads);
    for (uint32_t i = 0; i < s->n; i++)
        target_free(s->at[i]);
    mem_free(s->at);
    if (s->has_found)
        discovery_done(&s->found);
    sd_files_done(&s->files);
    scrape_conf_unref(s->conf);
    pthread_mutex_destroy(&s->sd_lock);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->over);
    mem_free(s);
}

/* ---- by hand ---------------------------------------------------------------------------------------- */

static bool all_served(const struct scraper *s, uint64_t round)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->at[i]->removed || s->at[i]->running || s->at[i]->served < MIN(round, s->at[i]->asked))
            return false;
    return true;
}

uint32_t scraper_now(struct scraper *s, int64_t wait_ns, bool *ret_all)
{
    struct timespec until;
    clock_deadline(wait_ns, &until);
    rediscover(s, false);
    pthread_mutex_lock(&s->lock);
    uint64_t round = 0;
    for (uint32_t i = 0; i < s->n; i++)
        round = MAX(round, s->at[i]->asked + 1);
    for (uint32_t i = 0; i < s->n; i++)
        s->at[i]->asked = round;
    uint32_t n = s->n;
    pthread_cond_broadcast(&s->wake);
    int rc = 0;
    while (!(*ret_all = all_served(s, round)) && !rc && !is_stopping(s))
        rc = clock_cond_wait(&s->over, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* ---- to be seen --------------------------------------------------------------------------------------- */

void scraper_targets(struct scraper *s, void (*each)(void *arg, const struct target_view *v), void *arg)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct target *t = s->at[i];
        struct target_view v = { .t = t, .empty = t->optional && !t->shown_alive };
        if (!t->removed)
            each(arg, &v);
    }
    pthread_mutex_unlock(&s->lock);
}

void scraper_dropped(struct scraper *s, void (*each)(void *arg, const struct dropped_target *d), void *arg)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; s->has_found && i < s->found.ndropped; i++)
        each(arg, &s->found.dropped[i]);
    pthread_mutex_unlock(&s->lock);
}

void scraper_jobs(struct scraper *s, void (*each)(void *arg, const struct scrape_job *j, uint64_t dropped), void *arg)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; s->conf && i < s->conf->njobs; i++) {
        const struct scrape_job *j = &s->conf->jobs[i];
        uint64_t dropped = 0;
        for (uint32_t k = 0; s->has_found && k < s->found.ndropped; k++)
            dropped += s->found.dropped[k].job == j;
        each(arg, j, dropped);
    }
    pthread_mutex_unlock(&s->lock);
}
