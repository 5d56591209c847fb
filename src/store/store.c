/* store/store.c -- a store opened, asked for its state, and closed.
 *
 * Order of opening: lock the directory, catalogue, partitions (not opened yet), replay
 * of the log into the head, then the two threads. Order of closing: the writer drains
 * its queue, what is live is sealed, the flusher writes what it can.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/cache.h"
#include "store/crew.h"
#include "store/store_int.h"

void store_report(struct store *s, const char *cause, const char *text)
{
    if (s->cfg.report)
        s->cfg.report(s->cfg.report_arg, cause, text);
}

static void on_journal_report(void *arg, const char *cause, const char *text)
{
    store_report(arg, cause, text);
}

static void on_part_report(void *arg, const struct fault *f)
{
    store_report(arg, "partitions", f->msg);
}

/* ---- the directory --------------------------------------------------------- */

/* Makes the directory and the ones above it, private. */
static enum err make_dirs(const char *dir, struct fault *f)
{
    char path[1024];
    snprintf(path, sizeof path, "%s", dir);
    for (char *p = path + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        enum err e = file_mkdir(path, f);
        if (e)
            return e;
        *p = '/';
    }
    return file_mkdir(dir, f);
}

/* "PID SINCE HOST", for whoever finds the directory taken. That it cannot be written, on a
 * full disk, is no reason not to start. */
static void sign_lock(struct store *s)
{
    char host[256] = "", since[32], text[400];
    time_t now = (time_t)(clock_now(s->cfg.clock) / NS_PER_S);
    struct tm tm;
    (void)gethostname(host, sizeof host - 1);
    if (!gmtime_r(&now, &tm) || !strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &tm))
        snprintf(since, sizeof since, "?");
    int n = snprintf(text, sizeof text, "%ld %s %s\n", (long)getpid(), since, host);
    if (ftruncate(s->lock_fd, 0) || pwrite(s->lock_fd, text, (size_t)n, 0) != n)
        store_report(s, "lock", "who this process is cannot be written to its lock file");
}

static enum err is_taken(struct store *s, struct fault *f)
{
    char text[400] = { 0 };
    ssize_t n = pread(s->lock_fd, text, sizeof text - 1, 0);
    struct str host = str_trim((struct str){ text, n > 0 ? (size_t)n : 0 }), pid = str_cut(&host, ' '), since = str_cut(&host, ' ');
    return fault_set(f, E_EXIST, 0, "another process (pid " STR_FMT ", since " STR_FMT ", on " STR_FMT ") has the data directory %s; "
                     "stop it, or give another --data", STR_ARG(pid), STR_ARG(since), STR_ARG(host), s->dir);
}

/* The lock goes with the process. */
static enum err take_lock(struct store *s, struct fault *f)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/lock", s->dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return fault_set(f, E_IO, 0, "open %s: %s%s", path, strerror(errno),
                         errno == EACCES || errno == EPERM ? "; the directory has to belong to the user that runs ccmon (chown, chmod 700)"
                         : errno == EROFS                  ? "; give a --data that can be written"
                                                           : "");
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK ? is_taken(s, f) : fault_set(f, E_IO, 0, "lock %s: %s", path, strerror(errno));
    sign_lock(s);
    return OK;
}

/* Others' eyes are no reason not to start, for a volume's owner is not always ours to choose. */
static void look_at_owner(struct store *s)
{
    struct stat st;
    char text[1400];
    if (stat(s->dir, &st))
        return;
    if (st.st_mode & 077) {
        snprintf(text, sizeof text, "%s can be entered by other users of this machine (mode %03o); what it holds is private: chmod 700",
                 s->dir, (unsigned)(st.st_mode & 0777));
        store_report(s, "data directory", text);
    }
    if (st.st_uid != geteuid()) {
        snprintf(text, sizeof text, "%s belongs to user %u, and ccmon runs as user %u: chown it, or run it as that user", s->dir,
                 (unsigned)st.st_uid, (unsigned)geteuid());
        store_report(s, "data directory owner", text);
    }
}

/* ---- the source's small questions ------------------------------------------ */

static void stats_of_gens(struct store *s, struct source_stats *r)
{
    for (struct gen *g = s->oldest; g; g = g->next) {
        r->head_bytes += atomic_load(&g->bytes);
        for (int t = 0; t < TABLE_COUNT; t++) {
            uint32_t n = gen_rows(g, (enum table)t);
            r->rows[t] += n;
            r->head_rows += n;
            if (!n)
                continue;
            int64_t lo = atomic_load(&g->heads[t]->time_min), hi = atomic_load(&g->heads[t]->time_max);
            r->oldest_ns = r->oldest_ns ? MIN(r->oldest_ns, lo) : lo;
            r->newest_ns = MAX(r->newest_ns, hi);
        }
    }
}

static void store_stats(struct source *src, struct source_stats *ret)
{
    struct store *s = store_of(src);
    struct source_stats r = { .log_bytes = journal_bytes(s->journal) };
    GUARD(&s->lock);
    const struct part_view *v = s->view;
    for (uint32_t i = 0; i < v->n; i++) {
        for (int t = 0; t < TABLE_COUNT; t++)
            r.rows[t] += v->at[i].rows[t];
        r.disk_bytes += v->at[i].bytes;
        r.oldest_ns = r.oldest_ns ? MIN(r.oldest_ns, v->at[i].time_min) : v->at[i].time_min;
        r.newest_ns = MAX(r.newest_ns, v->at[i].time_max);
    }
    stats_of_gens(s, &r);
    r.partitions = v->n;
    r.duplicates = s->duplicates;
    r.moved = s->moved;
    r.refused = s->refused;
    r.erased = s->erased_rows;
    r.retained_rows = s->retained.rows;
    r.retained_partitions = s->retained.partitions;
    r.retention_next_ns = s->retained.next_ns;
    r.retention_next_rows = s->retained.next_rows;
    r.seq = s->seq;
    r.last_recv_ns = s->last_recv_ns;
    r.read_only = s->read_only || store_is_stuck(s);
    snprintf(r.reason, sizeof r.reason, "%.159s", s->read_only ? s->reason : r.read_only ? s->flush_fault.msg : "");
    r.disk_bytes += r.log_bytes;
    *ret = r;
}

static uint32_t store_watch(struct source *src, void (*fn)(void *arg, uint64_t seq), void *arg)
{
    struct store *s = store_of(src);
    GUARD(&s->watch_lock);
    for (uint32_t i = 0; i < WATCHERS_MAX; i++)
        if (!s->watchers[i].fn) {
            s->watchers[i].fn = fn;
            s->watchers[i].arg = arg;
            return i;
        }
    CHECK(!"room for another watcher");
    return 0;
}

static void store_unwatch(struct source *src, uint32_t handle)
{
    struct store *s = store_of(src);
    GUARD(&s->watch_lock);
    CHECK(handle < WATCHERS_MAX && s->watchers[handle].fn);
    s->watchers[handle].fn = NULL;
}

/* ---- life ------------------------------------------------------------------ */

static void set_defaults(struct store_config *c)
{
    c->ops = c->ops ? c->ops : &file_ops_system;
    c->segment_bytes = c->segment_bytes ? c->segment_bytes : SEGMENT_BYTES;
    c->flush_rows = c->flush_rows ? c->flush_rows : FLUSH_ROWS;
    c->flush_bytes = c->flush_bytes ? c->flush_bytes : FLUSH_BYTES;
    c->flush_log_bytes = c->flush_log_bytes ? c->flush_log_bytes : FLUSH_LOG_BYTES;
    c->queue_bytes = c->queue_bytes ? c->queue_bytes : QUEUE_BYTES;
    c->cache_bytes = c->cache_bytes ? c->cache_bytes : CACHE_BYTES;
    c->tick_ns = c->tick_ns ? c->tick_ns : TICK_NS;
    c->flush_age_ns = c->flush_age_ns ? c->flush_age_ns : FLUSH_AGE_NS;
}

/* One for each processor but the caller's. */
static uint32_t scan_helpers(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 1 ? (uint32_t)MIN(n - 1, 64L) : 0;
}

static struct store *store_new(const struct store_config *c)
{
    struct store *s = mem_alloc(sizeof *s);
    *s = (struct store){
        .sink = { .write = store_write },
        .source = {
            .scan_begin = store_scan_begin,
            .scan_next = store_scan_next,
            .scan_end = store_scan_end,
            .bases = store_bases,
            .label_names = store_label_names,
            .label_values = store_label_values,
            .metas = store_metas,
            .watch = store_watch,
            .unwatch = store_unwatch,
            .stats = store_stats,
        },
        .cfg = *c,
        .lock_fd = -1,
        .retention = { .age_ns = { c->retention_ns, c->retention_ns, c->retention_ns } },
    };
    set_defaults(&s->cfg);
    s->cache = cache_new(s->cfg.cache_bytes, s->cfg.clock);
    s->crew = crew_new(scan_helpers());
    pthread_mutex_init(&s->apply_lock, NULL);
    pthread_mutex_init(&s->erase_lock, NULL);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->queue_lock, NULL);
    pthread_mutex_init(&s->watch_lock, NULL);
    clock_cond_init(&s->flush_cond);
    clock_cond_init(&s->flushed_cond);
    pthread_cond_init(&s->queue_cond, NULL);
    s->oldest = s->live = gen_new(GENERATION_ROWS);
    return s;
}

/* Above every mark: sequences go on there, also when the log was lost or cut away. */
static uint64_t highest_mark(const struct store *s)
{
    uint64_t seq = s->applied;
    for (uint32_t i = 0; i < s->view->n; i++)
        seq = MAX(seq, s->view->at[i].mark);
    return seq;
}

/* SQLite would make the file readable for everybody. What it makes beside it takes its mode. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    fd_closep(&fd);
}

static enum err open_files(struct store *s, struct fault *f)
{
    char path[1100];
    bool fresh;
    enum err e = make_dirs(s->dir, f);
    if (!e)
        e = take_lock(s, f);
    if (!e)
        e = backup_restored(s->dir, f);
    if (e)
        return e;
    look_at_owner(s);
    snprintf(path, sizeof path, "%s/ccmon.db", s->dir);
    make_private(path);
    e = catalog_open(path, &s->catalog, &fresh, f);
    if (e)
        return e;
    struct part_opts po = {
        .dir = s->dir,
        .catalog = s->catalog,
        .clock = s->cfg.clock,
        .ops = s->cfg.ops,
        .compacts = true,
        .report = on_part_report,
        .report_arg = s,
    };
    e = part_set_open(&po, &s->parts, f);
    if (!e)
        e = store_metas_load(s, f);
    if (!e)
        e = store_erase_load(s, f);
    if (e)
        return e;
    s->view = part_view_get(s->parts);
    s->applied = fresh ? 0 : store_noted(s, S("applied_seq"));
    s->last_recv_ns = (int64_t)store_noted(s, S("last_recv_ns"));
    s->marked = highest_mark(s);
    struct journal_opts jo = {
        .dir = s->dir,
        .ops = s->cfg.ops,
        .segment_bytes = s->cfg.segment_bytes,
        .applied = s->applied,
        .report = on_journal_report,
        .report_arg = s,
    };
    e = journal_open(&jo, store_replay, s, &s->journal, f);
    return e ? e : store_erase_resume(s, f);
}

enum err store_open(const struct store_config *c, struct store **ret, struct fault *f)
{
    struct store *s = store_new(c);
    enum err e = OK;
    if (c->dir.n >= sizeof s->dir - 64)
        e = fault_set(f, E_LIMIT, 0, "the data directory's name is longer than %zu bytes", sizeof s->dir - 64);
    memcpy(s->dir, c->dir.p, e ? 0 : c->dir.n);
    if (!e)
        e = open_files(s, f);
    if (!e) {
        journal_raise_seq(s->journal, s->marked + 1);
        s->seq = journal_next_seq(s->journal) - 1;
        CHECK(!pthread_create(&s->writer, NULL, store_writer_main, s));
        CHECK(!pthread_create(&s->flusher, NULL, store_flusher_main, s));
        s->running = true;
    }
    if (e) {
        store_close(s);
        return e;
    }
    *ret = s;
    return OK;
}

struct sink *store_sink(struct store *s)
{
    return &s->sink;
}

struct source *store_source(struct store *s)
{
    return &s->source;
}

enum err store_flush(struct store *s, struct fault *f)
{
    pthread_mutex_lock(&s->apply_lock);
    store_seal(s);
    pthread_mutex_unlock(&s->apply_lock);
    GUARD(&s->lock);
    uint64_t failures = s->flush_failures, until = s->nflushed + s->nsealed;
    pthread_cond_signal(&s->flush_cond);
    while (s->nflushed < until && s->flush_failures == failures)
        pthread_cond_wait(&s->flushed_cond, &s->lock);
    if (s->nflushed >= until)
        return OK;
    if (f)
        *f = s->flush_fault;
    return s->flush_fault.code ? s->flush_fault.code : E_IO;
}

static void stop_threads(struct store *s)
{
    pthread_mutex_lock(&s->queue_lock);
    s->stopping_writer = true;
    pthread_cond_signal(&s->queue_cond);
    pthread_mutex_unlock(&s->queue_lock);
    pthread_join(s->writer, NULL);

    pthread_mutex_lock(&s->apply_lock);
    store_seal(s);
    pthread_mutex_unlock(&s->apply_lock);
    pthread_mutex_lock(&s->lock);
    s->stopping_flusher = true;
    s->stop_mono_ns = clock_mono(s->cfg.clock);
    pthread_cond_signal(&s->flush_cond);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->flusher, NULL);
    struct fault f = { 0 };
    if (s->oldest == s->live && !s->live->last_seq && !store_metas_save(s, &f))
        journal_empty(s->journal);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->running)
        stop_threads(s);
    part_view_unref(s->view);
    while (s->oldest) {
        struct gen *g = s->oldest;
        s->oldest = g->next;
        gen_unref(g);
    }
    for (int i = 0; i < IDENT_KEPT; i++) {
        for (int t = 0; t < TABLE_COUNT; t++)
            ident_done(&s->kept[i].idents[t]);
        head_unref(s->kept[i].samples);
    }
    for (int i = 0; i < IDENT_SETS; i++)
        ident_done(&s->sets[i].ids);
    store_erase_free(s);
    store_scan_rest(s, INT64_MAX);
    cache_free(s->cache);
    crew_free(s->crew);
    mem_free(s->carries);
    store_metas_free(s);
    journal_close(s->journal);
    if (s->parts)
        part_set_close(s->parts);
    if (s->catalog)
        catalog_close(s->catalog);
    fd_closep(&s->lock_fd);
    pthread_mutex_destroy(&s->apply_lock);
    pthread_mutex_destroy(&s->erase_lock);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->queue_lock);
    pthread_mutex_destroy(&s->watch_lock);
    pthread_cond_destroy(&s->flush_cond);
    pthread_cond_destroy(&s->flushed_cond);
    pthread_cond_destroy(&s->queue_cond);
    mem_free(s);
}
