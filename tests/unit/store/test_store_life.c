/* tests/unit/store/test_store_life.c -- what a store does besides storing: it has its
 * directory alone and privately, lets go of old rows, waits for disks that are full or
 * slow, and stops in the middle of everything without losing or doubling an answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../support/store_model.h"
#include "rows_model.h"
#include "store/store_int.h"
#include "store/vfs.h"

/* ---- requests -------------------------------------------------------------- */

static void put_cell(struct bed_row *r, enum place place, const char *name, struct value v)
{
    r->cells[r->ncells++] = (struct bed_cell){ place, str_c(name), v };
}

/* `n` log rows from `time` on, a second apart, told apart by `first` and what follows. */
static struct bed_req some_logs(struct bed *b, int64_t time_ns, uint32_t first, uint32_t n)
{
    struct bed_req r = { .table = TABLE_LOG, .recv_ns = b->now_ns, .n = n };
    r.rows = arena_new(&b->mem, struct bed_row, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        r.rows[i].said_ns = time_ns + i * NS_PER_S;
        r.rows[i].origin = ORIGIN_OTLP;
        put_cell(&r.rows[i], PLACE_FIELD, "body", value_str(arena_fmt(&b->mem, "row %u", first + i)));
        put_cell(&r.rows[i], PLACE_ATTR, "session.id", value_str(S("s1")));
    }
    return r;
}

static void must_open(struct bed *b)
{
    struct fault f = { 0 };
    if (bed_open(b, &f))
        fail_msg("%s", f.msg);
}

static void must_write(struct bed *b, const struct bed_req *r)
{
    struct fault f = { 0 };
    if (bed_write(b, r, &f))
        fail_msg("%s", f.msg);
}

static void must_flush(struct bed *b)
{
    struct fault f = { 0 };
    if (store_flush(b->store, &f))
        fail_msg("%s", f.msg);
}

static struct source_stats stats_of(struct bed *b)
{
    struct source_stats s;
    store_source(b->store)->stats(store_source(b->store), &s);
    return s;
}

/* ---- the directory --------------------------------------------------------- */

static int open_other(struct bed *b, void *arg)
{
    struct fault f = { 0 };
    struct store *s;
    struct store_config c = { .dir = str_c(b->dir), .clock = &b->clock, .decoder = { bed_decode, NULL } };
    char *want = arg;
    return store_open(&c, &s, &f) == E_EXIST && strstr(f.msg, want) && strstr(f.msg, b->dir) ? 0 : 1;
}

static void a_directory_is_had_alone(void **state)
{
    (void)state;
    struct bed b;
    char want[40];
    bed_init(&b);
    must_open(&b);
    (void)snprintf(want, sizeof want, "(pid %ld,", (long)getpid());
    assert_int_equal(open_other(&b, want), 0);     /* in this process */
    (void)fflush(NULL);
    pid_t pid = fork();
    if (!pid)
        _exit(open_other(&b, want));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    must_write(&b, &(struct bed_req){ .table = TABLE_LOG, .recv_ns = b.now_ns });
    bed_close(&b);
    must_open(&b);                                 /* it is free again */
    bed_done(&b);
}

static mode_t mode_of(const struct bed *b, const char *rest)
{
    char path[400];
    struct stat st;
    bed_path(b, rest, path);
    if (stat(path, &st))
        fail_msg("%s: %s", path, strerror(errno));
    return st.st_mode & 0777;
}

/* Nothing that others may read, also below a directory that they may enter. */
static void a_directory_is_private(void **state)
{
    (void)state;
    static const char *const folders[] = { "", "log", "part" };
    static const char *const files[] = { "lock", "ccmon.db" };
    mode_t old = umask(0);
    for (int existed = 0; existed < 2; existed++) {
        struct bed b;
        char deep[400];
        bed_init(&b);
        bed_path(&b, "a/b", deep);
        memcpy(b.dir + str_c(b.dir).n, "/a/b", 5);
        if (existed) {
            b.dir[str_c(b.dir).n - 2] = 0;
            assert_int_equal(mkdir(b.dir, 0755), 0);
            memcpy(b.dir + str_c(b.dir).n, "/b", 3);
            assert_int_equal(mkdir(b.dir, 0755), 0);
        }
        must_open(&b);
        struct bed_req r = some_logs(&b, b.now_ns, 0, 3);
        must_write(&b, &r);
        must_flush(&b);
        must_write(&b, &r);
        for (size_t i = existed; i < LEN(folders); i++)
            assert_int_equal(mode_of(&b, folders[i]), 0700);
        for (size_t i = 0; i < LEN(files); i++)
            if (mode_of(&b, files[i]) & 077)
                fail_msg("%s has mode %o", files[i], mode_of(&b, files[i]));
        bed_close(&b);
        b.dir[str_c(b.dir).n - 4] = 0;
        bed_done(&b);
    }
    umask(old);
}

static int open_files_count(void)
{
    int n = 0;
    for (int fd = 0; fd < 512; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Whatever a start fails at, it leaves nothing open and nothing locked. */
static void starts_that_fail(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    char path[400];
    bed_init(&b);
    must_open(&b);
    struct bed_req r = some_logs(&b, b.now_ns, 0, 3);
    must_write(&b, &r);
    bed_close(&b);
    bed_path(&b, "log", path);
    assert_int_equal(rmdir(path), 0);
    int fd = open(path, O_CREAT | O_WRONLY, 0600); /* a file where the folder should be */
    close(fd);
    int before = open_files_count();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(bed_open(&b, &f), E_IO);
        assert_null(b.store);
    }
    assert_int_equal(open_files_count(), before);
    assert_int_equal(unlink(path), 0);
    must_open(&b);
    bed_same_rows(&b, "after failed starts");
    bed_done(&b);

    char long_name[3000];
    memset(long_name, 'x', sizeof long_name);
    struct store_config c = { .dir = { long_name, sizeof long_name }, .clock = &clock_system };
    struct store *s;
    assert_int_equal(store_open(&c, &s, &f), E_LIMIT);
}

/* ---- once a minute --------------------------------------------------------- */

static void forget_before(struct bed *b, int64_t edge)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->nkept; i++)
        if (b->kept[i].time_ns >= edge)
            b->kept[n++] = b->kept[i];
    b->nkept = n;
}

/* Whole partitions go when their last moment is too old, with the ids of rows moved into
 * them; a query that holds them reads on. */
static void old_rows_go(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    b.cfg.retention_ns = 10 * NS_PER_DAY;
    must_open(&b);
    int64_t day = b.now_ns - b.now_ns % NS_PER_DAY, first_day = day - 12 * NS_PER_DAY;
    for (int i = 0; i < 12; i++) {
        struct bed_req r = some_logs(&b, first_day + i * NS_PER_DAY + 60 * NS_PER_S, (uint32_t)i * 10, 5);
        must_write(&b, &r);
    }
    struct bed_req moved = some_logs(&b, b.now_ns + 50 * NS_PER_DAY, 1000, 2);
    must_write(&b, &moved);
    must_flush(&b);
    assert_int_equal(stats_of(&b).partitions, 13);
    store_tick(b.store);                           /* at noon: the edge is the noon ten days ago */
    forget_before(&b, day - 10 * NS_PER_DAY);
    bed_same_rows(&b, "two days are gone");
    assert_int_equal(stats_of(&b).partitions, 11);
    assert_int_equal(bed_count(&b, "part", "-11-22.db"), 1);

    struct source *src = store_source(b.store);
    struct scan_req req = { .table = TABLE_LOG, .from_ns = 0, .to_ns = INT64_MAX, .all_labels = true, .order = SCAN_OLDEST_FIRST };
    struct scan *sc;
    const struct block *blk;
    uint64_t rows = 0;
    assert_int_equal(src->scan_begin(src, &req, &sc, NULL), OK);
    bed_pass(&b, 10 * NS_PER_DAY);
    store_tick(b.store);
    assert_int_equal(stats_of(&b).partitions, 1);  /* what came at receive time */
    while (!src->scan_next(sc, &blk, NULL) && blk)
        rows += blk->nsel;
    (void)src->scan_end(sc);
    assert_int_equal(rows, b.nkept);
    forget_before(&b, day);
    bed_same_rows(&b, "all but one are gone");

    /* Of moved rows the ids went with their partitions: they would be new again. */
    bed_pass(&b, 2 * NS_PER_DAY);
    store_tick(b.store);
    forget_before(&b, INT64_MAX);
    map_clear(&b.known);
    moved.recv_ns = b.now_ns;
    bed_close(&b);
    must_open(&b);
    must_write(&b, &moved);
    bed_same_rows(&b, "a moved row comes anew");
    assert_int_equal(b.nkept, 2);

    /* For ever is for ever. */
    store_set_retention(b.store, 0);
    must_flush(&b);
    bed_pass(&b, 1000 * NS_PER_DAY);
    store_tick(b.store);
    bed_same_rows(&b, "forever");
    if (b.reports)
        fail_msg("%s", b.report);
    bed_done(&b);
}

static void old_generations_are_flushed(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    must_open(&b);
    struct bed_req r = some_logs(&b, b.now_ns, 0, 3);
    must_write(&b, &r);
    store_tick(b.store);
    assert_int_equal(stats_of(&b).head_rows, 3);
    bed_pass(&b, FLUSH_AGE_NS);
    store_tick(b.store);
    store_tick(b.store);                           /* sealed by the one before */
    assert_int_equal(stats_of(&b).head_rows, 0);
    assert_int_equal(stats_of(&b).log_bytes, 0);
    bed_same_rows(&b, "an hour later");
    bed_done(&b);
}

/* What was kept to know resends by is given back; they are known all the same. */
static void idle_memory_is_given_back(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    must_open(&b);
    struct bed_req r = some_logs(&b, b.now_ns - 100 * NS_PER_S, 0, 50);
    must_write(&b, &r);
    must_flush(&b);
    assert_true(b.store->kept[0].idents[TABLE_LOG].n == 50);
    must_write(&b, &r);
    bed_pass(&b, IDENT_REST_NS + 1);
    store_tick(b.store);
    for (int i = 0; i < IDENT_KEPT; i++)
        assert_true(!b.store->kept[i].idents[TABLE_LOG].slots && !b.store->kept[i].last_seq);
    must_write(&b, &r);                            /* from the chunk now */
    assert_true(b.store->sets[0].ids.n == 50);
    store_tick(b.store);
    assert_true(b.store->sets[0].ids.n == 50);
    bed_pass(&b, IDENT_REST_NS + 1);
    store_tick(b.store);
    assert_null(b.store->sets[0].ids.slots);
    must_write(&b, &r);
    bed_same_rows(&b, "resent");
    assert_int_equal(stats_of(&b).duplicates, 150);
    bed_done(&b);
}

static void on_meta(void *arg, const struct metric_meta *m)
{
    struct buf *b = arg;
    buf_fmt(b, STR_FMT ":%d:" STR_FMT ":" STR_FMT " ", STR_ARG(m->name), (int)m->type, STR_ARG(m->unit), STR_ARG(m->help));
}

static void expect_metas(struct bed *b, const char *want)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    buf_init(&text, 1000);
    store_source(b->store)->metas(store_source(b->store), on_meta, &text);
    if (!str_eq(buf_view(&text), str_c(want)))
        fail_msg("metadata is '" STR_FMT "', '%s' wanted", STR_ARG(buf_view(&text)), want);
}

struct meta_write {
    struct write_req w;
    bool done;
};

static void meta_done(struct write_req *w, enum err e, const struct fault *f)
{
    (void)f;
    CHECK(!e);
    __atomic_store_n(&((struct meta_write *)w->arg)->done, true, __ATOMIC_RELEASE);
}

/* A request with metadata and without rows: nothing of it is in any generation. */
static void write_meta(struct bed *b, const char *name, const char *help)
{
    struct arena mem;
    struct batch batch;
    arena_init(&mem, 1 << 20);
    batch_init(&batch, &mem, TABLE_SAMPLE, b->now_ns);
    *arena_push(&mem, batch.metas, batch.nmetas, batch.cap_metas) =
        (struct metric_meta){ str_c(name), METRIC_COUNTER, S("USD"), str_c(help) };
    struct meta_write m = { .w = { .kind = FRAME_OTLP_METRICS_PB, .body = S("0\n"), .recv_ns = b->now_ns, .batch = &batch,
                                   .done = meta_done } };
    m.w.arg = &m;
    store_sink(b->store)->write(store_sink(b->store), &m.w);
    while (!__atomic_load_n(&m.done, __ATOMIC_ACQUIRE))
        ;
    batch_done(&batch);
    arena_done(&mem);
}

static void metadata_stays(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    must_open(&b);
    write_meta(&b, "a", "first");
    write_meta(&b, "b", "second");
    write_meta(&b, "a", "better");
    expect_metas(&b, "a:1:USD:better b:1:USD:second ");
    bed_close(&b);
    must_open(&b);
    expect_metas(&b, "a:1:USD:better b:1:USD:second ");
    write_meta(&b, "a", "best");
    store_tick(b.store);
    bed_close(&b);
    must_open(&b);
    expect_metas(&b, "a:1:USD:best b:1:USD:second ");
    bed_done(&b);
}

/* ---- full and slow disks --------------------------------------------------- */

static struct {
    bool log, parts;                               /* what has no room */
    bool shut;                                     /* partitions are not written as long as it is */
    bool stuck;                                    /* somebody came to the gate since */
} disk;

static void shut_gate(bool shut)
{
    __atomic_store_n(&disk.stuck, false, __ATOMIC_RELEASE);
    __atomic_store_n(&disk.shut, shut, __ATOMIC_RELEASE);
}

static int disk_sync(void *arg, int fd)
{
    if (!__atomic_load_n(&disk.log, __ATOMIC_ACQUIRE))
        return file_ops_system.sync(arg, fd);
    errno = ENOSPC;
    return -1;
}

static int disk_allocate(void *arg, int fd, int64_t size)
{
    if (!__atomic_load_n(&disk.log, __ATOMIC_ACQUIRE))
        return file_ops_system.allocate(arg, fd, size);
    errno = ENOSPC;
    return -1;
}

static int disk_before(void *arg, enum vfs_op op, const char *path, size_t *n)
{
    (void)arg, (void)n;
    if (op != VFS_WRITE || !strstr(path, "/part/"))
        return 0;
    while (__atomic_load_n(&disk.shut, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&disk.stuck, true, __ATOMIC_RELEASE);
        sched_yield();
    }
    return __atomic_load_n(&disk.parts, __ATOMIC_ACQUIRE) ? ENOSPC : 0;
}

static void set_disk(bool log, bool parts)
{
    __atomic_store_n(&disk.log, log, __ATOMIC_RELEASE);
    __atomic_store_n(&disk.parts, parts, __ATOMIC_RELEASE);
}

static void full_for_the_log(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    struct file_ops ops = file_ops_system;
    ops.sync = disk_sync;
    ops.allocate = disk_allocate;
    bed_init(&b);
    b.cfg.ops = &ops;
    must_open(&b);
    struct bed_req r = some_logs(&b, b.now_ns, 0, 5);
    must_write(&b, &r);
    set_disk(true, false);
    struct bed_req refused = some_logs(&b, b.now_ns, 100, 5);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(bed_put(&b, &refused, &f), E_UNAVAILABLE);
        assert_non_null(strstr(f.msg, "No space left on device"));
        struct source_stats s = stats_of(&b);
        assert_true(s.read_only);
        assert_non_null(strstr(s.reason, "No space left on device"));
        bed_same_rows(&b, "full");
        bed_pass(&b, i ? RETRY_NS + 1 : 1);         /* also without a try */
    }
    set_disk(false, false);
    bed_pass(&b, RETRY_NS + 1);
    struct bed_req later = some_logs(&b, b.now_ns, 200, 5);
    must_write(&b, &later);
    assert_false(stats_of(&b).read_only);
    assert_string_equal(stats_of(&b).reason, "");
    assert_non_null(strstr(b.report, "can be written again"));
    bed_same_rows(&b, "room again");
    must_write(&b, &refused);                      /* nothing of it was kept */
    bed_same_rows(&b, "sent again");
    bed_close(&b);
    must_open(&b);
    bed_same_rows(&b, "reopened");
    bed_done(&b);
}

/* Partitions have no room: the log takes what it can, then there is an end; and all of it
 * is written when there is room again. */
static void full_for_partitions(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    struct vfs_hook hook = { disk_before, NULL };
    bed_init(&b);
    b.cfg.flush_rows = 10;
    store_vfs_install(&hook);
    must_open(&b);
    set_disk(false, true);
    enum err e = OK;
    uint32_t n = 0;
    while (!e && n < 100) {
        struct bed_req r = some_logs(&b, b.now_ns, n++ * 10, 10);
        e = bed_write(&b, &r, &f);
    }
    assert_int_equal(e, E_UNAVAILABLE);
    assert_true(n > SEALED_MAX && n < 20);
    assert_non_null(strstr(f.msg, "partitions cannot be written"));
    assert_true(stats_of(&b).read_only);
    assert_non_null(strstr(stats_of(&b).reason, "full"));
    bed_same_rows(&b, "full");
    assert_int_equal(store_flush(b.store, &f), E_UNAVAILABLE);
    set_disk(false, false);
    must_flush(&b);
    assert_false(stats_of(&b).read_only);
    bed_same_rows(&b, "flushed");
    struct bed_req r = some_logs(&b, b.now_ns, 5000, 10);
    must_write(&b, &r);

    set_disk(false, true);                         /* and a stop in that state leaves it to the log */
    r = some_logs(&b, b.now_ns, 6000, 15);
    must_write(&b, &r);
    bed_close(&b);
    set_disk(false, false);
    must_open(&b);
    bed_same_rows(&b, "reopened");
    must_flush(&b);
    bed_same_rows(&b, "flushed after all");
    bed_done(&b);
    store_vfs_install(NULL);
}

/* The disk is full from the beginning: there are answers, and it goes on by itself. */
static void full_at_the_start(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    struct file_ops ops = file_ops_system;
    struct vfs_hook hook = { disk_before, NULL };
    ops.sync = disk_sync;
    ops.allocate = disk_allocate;
    bed_init(&b);
    must_open(&b);
    struct bed_req r = some_logs(&b, b.now_ns, 0, 5);
    must_write(&b, &r);
    bed_close(&b);
    b.cfg.ops = &ops;
    set_disk(true, true);
    store_vfs_install(&hook);
    must_open(&b);
    bed_same_rows(&b, "full at the start");
    r = some_logs(&b, b.now_ns, 100, 5);
    assert_int_equal(bed_put(&b, &r, &f), E_UNAVAILABLE);
    set_disk(false, false);
    bed_pass(&b, RETRY_NS + 1);
    must_write(&b, &r);
    bed_same_rows(&b, "room");
    bed_done(&b);
    store_vfs_install(NULL);
}

struct release {
    pthread_t thread;
    struct bed *b;
};

static void *open_gate(void *arg)
{
    struct release *r = arg;
    for (bool full = false; !full;) {              /* until the writer has to wait */
        pthread_mutex_lock(&r->b->store->lock);
        full = r->b->store->nsealed > SEALED_MAX;
        pthread_mutex_unlock(&r->b->store->lock);
    }
    shut_gate(false);
    return NULL;
}

/* A store that seals after ten rows, and whose flusher stands before the partitions. */
static void open_gated(struct bed *b, struct vfs_hook *hook)
{
    bed_init(b);
    b->cfg.flush_rows = 10;
    store_vfs_install(hook);
    set_disk(false, false);
    must_open(b);
    shut_gate(true);
}

/* A flusher that is only slow makes the writer wait; nothing is refused. */
static void a_slow_flusher(void **state)
{
    (void)state;
    struct bed b;
    struct vfs_hook hook = { disk_before, NULL };
    struct release r = { .b = &b };
    open_gated(&b, &hook);
    struct bed_pending sent[12];
    for (uint32_t i = 0; i < LEN(sent); i++) {
        struct bed_req q = some_logs(&b, b.now_ns, i * 10, 10);
        bed_send(&b, &q, &sent[i]);
        bed_model(&b, &q);
        if (i == 0)
            assert_int_equal(pthread_create(&r.thread, NULL, open_gate, &r), 0);
        /* One group each, or all would be one. */
        while (i < SEALED_MAX && !__atomic_load_n(&sent[i].done, __ATOMIC_ACQUIRE))
            ;
    }
    for (uint32_t i = 0; i < LEN(sent); i++)
        assert_int_equal(bed_wait(&sent[i], NULL), OK);
    pthread_join(r.thread, NULL);
    must_flush(&b);
    bed_same_rows(&b, "slow");
    if (b.reports)
        fail_msg("%s", b.report);
    bed_done(&b);
    store_vfs_install(NULL);
}

static void *stop_late(void *arg)
{
    struct release *r = arg;
    for (bool stopping = false; !stopping;) {
        pthread_mutex_lock(&r->b->store->lock);
        stopping = r->b->store->stopping_flusher;
        pthread_mutex_unlock(&r->b->store->lock);
    }
    bed_pass(r->b, STOP_FLUSH_NS);
    shut_gate(false);
    return NULL;
}

/* A stop does not wait for all that is to be flushed: the log has it. */
static void a_stop_with_much_to_flush(void **state)
{
    (void)state;
    struct bed b;
    struct vfs_hook hook = { disk_before, NULL };
    struct release r = { .b = &b };
    open_gated(&b, &hook);
    struct bed_req first = some_logs(&b, b.now_ns, 0, 10), second = some_logs(&b, b.now_ns, 10, 5);
    must_write(&b, &first);                        /* sealed, and stuck at the gate */
    must_write(&b, &second);
    while (!__atomic_load_n(&disk.stuck, __ATOMIC_ACQUIRE))
        sched_yield();
    assert_int_equal(pthread_create(&r.thread, NULL, stop_late, &r), 0);
    bed_close(&b);
    pthread_join(r.thread, NULL);
    must_open(&b);
    assert_int_equal(stats_of(&b).head_rows, 5);   /* replayed: the first ones were under way and are in their partition */
    bed_same_rows(&b, "after a stop that was late");
    if (b.reports)
        fail_msg("%s", b.report);
    bed_done(&b);
    store_vfs_install(NULL);
}

static void a_full_queue(void **state)
{
    (void)state;
    struct bed b;
    struct vfs_hook hook = { disk_before, NULL };
    bed_init(&b);
    b.cfg.flush_rows = 1;
    b.cfg.queue_bytes = 2000;
    store_vfs_install(&hook);
    set_disk(false, false);
    must_open(&b);
    shut_gate(true);                               /* the writer comes to stand behind the flusher */
    struct bed_pending sent[40];
    unsigned kept = 0, refused = 0;
    struct bed_req all[LEN(sent)];
    for (uint32_t i = 0; i < LEN(sent); i++) {
        all[i] = some_logs(&b, b.now_ns, i * 10, 4);
        bed_send(&b, &all[i], &sent[i]);
        while (i <= SEALED_MAX && !__atomic_load_n(&sent[i].done, __ATOMIC_ACQUIRE))
            ;
    }
    shut_gate(false);
    for (uint32_t i = 0; i < LEN(sent); i++) {
        struct fault f = { 0 };
        enum err e = bed_wait(&sent[i], &f);
        if (!e)
            bed_model(&b, &all[i]);
        else if (e != E_UNAVAILABLE || strcmp(f.msg, "too much is waiting to be written") != 0)
            fail_msg("refused with %d: %s", e, f.msg);
        kept += !e;
        refused += e != OK;
    }
    assert_true(kept > SEALED_MAX && refused > 10);
    bed_same_rows(&b, "queue");
    bed_done(&b);
    store_vfs_install(NULL);
}

/* ---- stopping under load --------------------------------------------------- */

enum { SENDERS = 3, EACH = 60 };

struct sender {
    struct bed *b;
    pthread_t thread;
    uint32_t number;
    struct bed_req reqs[EACH];
    struct bed_pending sent[EACH];
    uint32_t nsent;
};

static uint32_t sent_so_far;

static void *send_many(void *arg)
{
    struct sender *s = arg;
    for (; s->nsent < EACH; s->nsent++) {
        bed_send(s->b, &s->reqs[s->nsent], &s->sent[s->nsent]);
        __atomic_add_fetch(&sent_so_far, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Every write is answered exactly once, and is there if it was answered with success. */
static void a_stop_under_load(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 8; round++) {
        struct bed b;
        static struct sender s[SENDERS];
        bed_init(&b);
        b.cfg.flush_rows = 50;
        must_open(&b);
        struct store *store = b.store;
        sent_so_far = 0;
        for (uint32_t i = 0; i < SENDERS; i++) {
            s[i] = (struct sender){ .b = &b, .number = i };
            for (uint32_t k = 0; k < EACH; k++)
                s[i].reqs[k] = some_logs(&b, b.now_ns, (i * EACH + k) * 4, 4);
        }
        for (uint32_t i = 0; i < SENDERS; i++)
            assert_int_equal(pthread_create(&s[i].thread, NULL, send_many, &s[i]), 0);
        while (__atomic_load_n(&sent_so_far, __ATOMIC_RELAXED) < round * SENDERS * EACH / 8)
            ;
        /* The first half of store_close(): senders may still call until it is freed. */
        pthread_mutex_lock(&store->queue_lock);
        store->stopping_writer = true;
        pthread_cond_signal(&store->queue_cond);
        pthread_mutex_unlock(&store->queue_lock);
        for (uint32_t i = 0; i < SENDERS; i++)
            pthread_join(s[i].thread, NULL);
        bed_close(&b);
        uint32_t kept = 0;
        for (uint32_t i = 0; i < SENDERS; i++)
            for (uint32_t k = 0; k < EACH; k++) {
                struct fault f = { 0 };
                enum err e = bed_wait(&s[i].sent[k], &f);
                if (!e)
                    bed_model(&b, &s[i].reqs[k]);
                else if (e != E_UNAVAILABLE || strcmp(f.msg, "ccmon is stopping") != 0)
                    fail_msg("refused with %d: %s", e, f.msg);
                kept += !e;
            }
        must_open(&b);
        bed_same_rows(&b, "stopped");
        assert_int_equal(bed_count(&b, "log", ".seg"), 0);         /* all of it is in partitions */
        assert_int_equal(b.nkept, kept * 4);
        bed_done(&b);
    }
}

static void on_watch(void *arg, uint64_t seq)
{
    uint64_t *newest = arg;
    CHECK(seq >= *newest);
    __atomic_store_n(newest, seq, __ATOMIC_RELEASE);
}

static void watchers(void **state)
{
    (void)state;
    struct bed b;
    uint64_t a = 0, c = 0;
    bed_init(&b);
    must_open(&b);
    struct source *src = store_source(b.store);
    uint32_t first = src->watch(src, on_watch, &a), second = src->watch(src, on_watch, &c);
    struct bed_req r = some_logs(&b, b.now_ns, 0, 1);
    must_write(&b, &r);
    while (__atomic_load_n(&a, __ATOMIC_ACQUIRE) < 1 || __atomic_load_n(&c, __ATOMIC_ACQUIRE) < 1)
        ;
    src->unwatch(src, first);
    r = some_logs(&b, b.now_ns, 10, 1);
    must_write(&b, &r);
    while (__atomic_load_n(&c, __ATOMIC_ACQUIRE) < 2)
        ;
    assert_int_equal(a, 1);
    assert_int_equal(src->watch(src, on_watch, &a), first);
    src->unwatch(src, first);
    src->unwatch(src, second);
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_is_had_alone),
        cmocka_unit_test(a_directory_is_private),
        cmocka_unit_test(starts_that_fail),
        cmocka_unit_test(old_rows_go),
        cmocka_unit_test(old_generations_are_flushed),
        cmocka_unit_test(idle_memory_is_given_back),
        cmocka_unit_test(metadata_stays),
        cmocka_unit_test(full_for_the_log),
        cmocka_unit_test(full_for_partitions),
        cmocka_unit_test(full_at_the_start),
        cmocka_unit_test(a_slow_flusher),
        cmocka_unit_test(a_stop_with_much_to_flush),
        cmocka_unit_test(a_full_queue),
        cmocka_unit_test(a_stop_under_load),
        cmocka_unit_test(watchers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
