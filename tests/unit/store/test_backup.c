/* tests/unit/store/test_backup.c -- backups of a store that is written meanwhile, and what
 * is restored from them: everything acknowledged before, each row once, of later requests all
 * rows or none; and no backup that is damaged, cut short or somebody else's is taken for one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../support/store_model.h"
#include "store/backup_int.h"
#include "store/store_int.h"

enum { REQ_ROWS = 3 };

/* ---- beds ------------------------------------------------------------------ */

struct pair {
    struct bed b;                                  /* backed up */
    struct bed back;                               /* restored; shares the model */
    char to[300], other[300];
};

static void pair_init(struct pair *p)
{
    bed_init(&p->b);
    p->b.cfg.segment_bytes = 1 << 20;
    (void)snprintf(p->to, sizeof p->to, "%.190s-backups", p->b.dir);
    (void)snprintf(p->other, sizeof p->other, "%.190s-restored", p->b.dir);
    struct fault f = { 0 };
    if (bed_open(&p->b, &f))
        fail_msg("%s", f.msg);
}

static void remove_deep(const char *dir)
{
    bed_remove(dir);
    bed_remove(dir);
}

static void pair_done(struct pair *p)
{
    bed_done(&p->b);
    remove_deep(p->to);
    remove_deep(p->other);
}

static struct backup_result must_backup(struct pair *p)
{
    struct fault f = { 0 };
    struct backup_result r = { 0 };
    struct backup_opts o = { .to = p->to };
    if (store_backup(p->b.store, &o, &r, &f))
        fail_msg("%s", f.msg);
    return r;
}

static enum err restore(struct pair *p, const char *from, bool replace, struct fault *f)
{
    struct backup_result r;
    return backup_restore(from, p->other, replace, &file_ops_system, &r, f);
}

/* Opens what was restored as a second bed over the first one's model. */
static void open_restored(struct pair *p)
{
    struct fault f = { 0 };
    p->back = p->b;
    p->back.store = NULL;
    p->back.reports = 0;
    p->back.clock.arg = &p->back;
    (void)snprintf(p->back.dir, sizeof p->back.dir, "%.199s", p->other);
    if (bed_open(&p->back, &f))
        fail_msg("%s", f.msg);
    if (p->back.reports)
        fail_msg("the restored directory is not in order: %s", p->back.report);
}

static void restored_is_model(struct pair *p, const char *from, const char *what)
{
    struct fault f = { 0 };
    remove_deep(p->other);
    if (restore(p, from, false, &f))
        fail_msg("%s: %s", what, f.msg);
    open_restored(p);
    bed_same_rows(&p->back, what);
    bed_close(&p->back);
    open_restored(p);                              /* and again after a stop */
    bed_same_rows(&p->back, what);
    bed_close(&p->back);
}

/* ---- requests ---------------------------------------------------------------- */

static void put(struct bed_row *r, enum place place, const char *name, struct value v)
{
    r->cells[r->ncells++] = (struct bed_cell){ place, str_c(name), v };
}

/* Rows of a table from `days` ago on, a day apart: every request is in several partitions. */
static struct bed_req some(struct bed *b, struct arena *mem, enum table t, unsigned days, unsigned id)
{
    struct bed_req r = { .table = t, .recv_ns = b->now_ns, .n = REQ_ROWS };
    r.rows = arena_new(mem, struct bed_row, REQ_ROWS);
    for (uint32_t i = 0; i < REQ_ROWS; i++) {
        struct bed_row *x = &r.rows[i];
        x->said_ns = b->now_ns - (int64_t)(days + i) * NS_PER_DAY - (int64_t)(id % 1000) * NS_PER_MS;
        x->origin = ORIGIN_OTLP;
        struct value name = value_str(arena_fmt(mem, "r%u-%u", id, i));
        if (t == TABLE_SAMPLE) {
            x->temporality = id % 2 ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE;
            x->start_ns = x->said_ns - NS_PER_S;
            x->value = id;
            put(x, PLACE_LABEL, "__name__", value_str(S("cost")));
            put(x, PLACE_LABEL, "who", name);
        } else {
            put(x, PLACE_FIELD, t == TABLE_LOG ? "body" : "name", name);
            put(x, PLACE_ATTR, "session.id", value_str(S("s1")));
            put(x, PLACE_ATTR, "prompt", name);    /* content */
        }
        if (t == TABLE_SPAN) {
            put(x, PLACE_FIELD, "trace_id", value_str(arena_fmt(mem, "%032u", id + 1)));
            put(x, PLACE_FIELD, "span_id", value_str(arena_fmt(mem, "%016u", i + 1)));
        }
    }
    return r;
}

static void write_some(struct pair *p, unsigned days, unsigned id)
{
    struct fault f = { 0 };
    for (int t = 0; t < TABLE_COUNT; t++) {
        struct bed_req r = some(&p->b, &p->b.mem, (enum table)t, days, id);
        if (bed_write(&p->b, &r, &f))
            fail_msg("%s", f.msg);
    }
}

static void flush(struct pair *p)
{
    struct fault f = { 0 };
    if (store_flush(p->b.store, &f))
        fail_msg("%s", f.msg);
}

/* Old partitions are closed once they are quiet for an hour. */
static void close_old(struct pair *p)
{
    bed_pass(&p->b, (int64_t)2 * 3600 * NS_PER_S);
    for (int i = 0; i < 4; i++)
        store_tick(p->b.store);
}

/* ---- what a backup holds -------------------------------------------------------- */

static void a_backup_is_the_store(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    must_backup(&p);                               /* of nothing */
    restored_is_model(&p, p.to, "empty");
    write_some(&p, 0, 1);                          /* in the head alone */
    must_backup(&p);
    restored_is_model(&p, p.to, "from the head");
    write_some(&p, 10, 2);
    flush(&p);
    close_old(&p);
    write_some(&p, 1, 3);
    struct backup_result r = must_backup(&p);
    assert_true(r.linked > 0 && r.files > r.linked);
    restored_is_model(&p, p.to, "closed, open and head");
    pair_done(&p);
}

static uint64_t sum_of(const char *dir)
{
    struct fault f = { 0 };
    struct backup_result r;
    if (backup_verify(dir, &r, &f))
        fail_msg("%s", f.msg);
    return r.bytes;
}

/* Late rows, bases and retention change the store's files, and no backup's. */
static void a_backup_stays(void **state)
{
    (void)state;
    struct pair p;
    char first[400];
    pair_init(&p);
    write_some(&p, 10, 1);
    flush(&p);
    close_old(&p);
    struct backup_result r = must_backup(&p);
    assert_true(r.linked > 0);
    (void)snprintf(first, sizeof first, "%s/%s", p.to, r.name);
    uint64_t bytes = sum_of(first);
    struct bed old = p.b;                          /* the model as of now */
    write_some(&p, 10, 2);                         /* late: reopens what is linked */
    flush(&p);
    assert_int_equal(sum_of(first), bytes);
    close_old(&p);
    struct backup_result again = must_backup(&p);
    assert_int_equal(again.linked, r.linked);
    assert_int_equal(sum_of(first), bytes);
    restored_is_model(&p, p.to, "the newest");
    uint32_t now = p.b.nkept;
    p.b.nkept = old.nkept;
    restored_is_model(&p, first, "the first");
    p.b.nkept = now;

    bed_pass(&p.b, 30 * NS_PER_DAY);
    store_set_retention(p.b.store, 20 * NS_PER_DAY);
    store_tick(p.b.store);
    assert_int_equal(sum_of(first), bytes);
    struct backup_result none = must_backup(&p);
    assert_true(none.files < again.files);
    pair_done(&p);
}

/* ---- while it is written ----------------------------------------------------------- */

struct load {
    struct pair *p;
    unsigned first, sent;
    unsigned stop;                                 /* atomic */
    pthread_t thread;
};

static void *send(void *arg)
{
    struct load *l = arg;
    struct arena mem;
    arena_init(&mem, (size_t)64 << 20);
    while (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE)) {
        struct fault f = { 0 };
        struct arena scratch = mem;
        struct bed_req r = some(&l->p->b, &scratch, (enum table)(l->sent % TABLE_COUNT), 0, l->first + l->sent);
        enum err e = bed_put(&l->p->b, &r, &f);
        CHECK(!e || e == E_UNAVAILABLE);
        l->sent++;
    }
    arena_done(&mem);
    return NULL;
}

static unsigned count_rows(struct bed *b, enum table t, const char *label, const char *text)
{
    struct source *src = store_source(b->store);
    struct matcher m = { .label = str_c(label), .op = MATCH_EQ, .value = str_c(text) };
    struct scan_req req = { .table = t, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .matchers = &m, .nmatchers = 1 };
    struct scan *sc;
    const struct block *blk;
    struct fault f = { 0 };
    unsigned n = 0;
    CHECK(!src->scan_begin(src, &req, &sc, &f));
    while (!src->scan_next(sc, &blk, &f) && blk)
        n += blk->nsel;
    (void)src->scan_end(sc);
    return n;
}

static void later_ones_are_whole(struct pair *p, const struct load *l)
{
    static const char *const labels[TABLE_COUNT] = { [TABLE_SAMPLE] = "who", [TABLE_LOG] = "body", [TABLE_SPAN] = "name" };
    for (unsigned i = 0; i < l->sent; i++) {
        enum table t = (enum table)(i % TABLE_COUNT);
        unsigned n = 0;
        for (unsigned k = 0; k < REQ_ROWS; k++) {
            char text[32];
            (void)snprintf(text, sizeof text, "r%u-%u", l->first + i, k);
            unsigned here = count_rows(&p->back, t, labels[t], text);
            assert_true(here <= 1);
            n += here;
        }
        if (n != 0 && n != REQ_ROWS)
            fail_msg("%u of the %u rows of request %u are there", n, REQ_ROWS, l->first + i);
    }
}

/* The rows of the model are there once; more may be. */
static void model_is_there(struct pair *p, unsigned ids)
{
    for (unsigned i = 0; i < ids; i++)
        for (unsigned k = 0; k < REQ_ROWS; k++) {
            char text[32];
            (void)snprintf(text, sizeof text, "r%u-%u", i, k);
            assert_int_equal(count_rows(&p->back, TABLE_SAMPLE, "who", text), 1);
            assert_int_equal(count_rows(&p->back, TABLE_LOG, "body", text), 1);
            assert_int_equal(count_rows(&p->back, TABLE_SPAN, "name", text), 1);
        }
}

static void a_backup_under_load_is_whole(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 6; round++) {
        struct pair p;
        struct fault f = { 0 };
        pair_init(&p);
        p.b.now_ns += NS_PER_S;
        bed_close(&p.b);
        p.b.cfg.flush_rows = 20 + round * 13;      /* flushes all the time */
        assert_int_equal(bed_open(&p.b, &f), OK);
        struct load l = { .p = &p, .first = 1000 };
        assert_int_equal(pthread_create(&l.thread, NULL, send, &l), 0);
        unsigned ids = 0;
        for (; ids < 10; ids++)
            write_some(&p, 2, ids);
        struct backup_result r = must_backup(&p);
        __atomic_store_n(&l.stop, 1, __ATOMIC_RELEASE);
        assert_int_equal(pthread_join(l.thread, NULL), 0);
        assert_true(r.files > 0 && l.sent > 0);
        assert_int_equal(restore(&p, p.to, false, &f), OK);
        open_restored(&p);
        model_is_there(&p, ids);
        later_ones_are_whole(&p, &l);
        bed_close(&p.back);
        pair_done(&p);
    }
}

/* ---- what is refused ------------------------------------------------------------------ */

static void write_text(const char *path, const char *text)
{
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void places_that_are_refused(void **state)
{
    (void)state;
    struct pair p;
    struct fault f = { 0 };
    struct backup_result r;
    char path[700];
    pair_init(&p);
    (void)snprintf(path, sizeof path, "%s/part/../inside", p.b.dir);
    struct backup_opts inside = { .to = path };
    assert_int_equal(store_backup(p.b.store, &inside, &r, &f), E_EXIST);
    assert_non_null(strstr(f.msg, "in the data directory"));
    assert_int_equal(mkdir(p.to, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/letters", p.to);
    write_text(path, "x");
    struct backup_opts o = { .to = p.to };
    assert_int_equal(store_backup(p.b.store, &o, &r, &f), E_EXIST);
    assert_non_null(strstr(f.msg, "letters"));
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    bool cancel = true;
    o.cancel = &cancel;
    write_some(&p, 0, 1);
    assert_int_equal(store_backup(p.b.store, &o, &r, &f), E_CANCELLED);
    assert_int_equal(backup_verify(p.to, &r, &f), E_NOTFOUND);
    o.cancel = NULL;

    /* What a killed one left is recognised, and goes with the next. */
    (void)snprintf(path, sizeof path, "%s/20200101T000000.000Z.partial", p.to);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(backup_verify(p.to, &r, &f), E_NOTFOUND);
    assert_non_null(strstr(f.msg, "never finished"));
    assert_int_equal(backup_verify(path, &r, &f), E_NOTFOUND);
    assert_int_equal(store_backup(p.b.store, &o, &r, &f), OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(backup_verify(p.to, &r, &f), OK);
    struct stat st;
    assert_int_equal(stat(p.to, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    pair_done(&p);
}

static void directories_that_are_refused(void **state)
{
    (void)state;
    struct pair p;
    struct fault f = { 0 };
    char path[700];
    pair_init(&p);
    write_some(&p, 0, 1);
    must_backup(&p);
    assert_int_equal(mkdir(p.other, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/mine", p.other);
    write_text(path, "x");
    assert_int_equal(restore(&p, p.to, false, &f), E_EXIST);
    assert_non_null(strstr(f.msg, "not empty"));
    assert_int_equal(restore(&p, p.to, true, &f), OK);
    assert_int_equal(access(path, F_OK), -1);      /* moved aside, not lost */
    open_restored(&p);
    bed_same_rows(&p.back, "replaced");
    assert_int_equal(restore(&p, p.to, true, &f), E_EXIST);
    assert_non_null(strstr(f.msg, "running"));
    bed_close(&p.back);
    bed_remove(p.other);
    pair_done(&p);
}

/* Every file, its first, middle and last byte, its absence and its length. */
static void damage_is_told_by_name(void **state)
{
    (void)state;
    struct pair p;
    struct fault f = { 0 };
    struct backup_list l = { 0 };
    struct arena mem;
    char dir[400], path[700], away[720];
    pair_init(&p);
    write_some(&p, 10, 1);
    flush(&p);
    close_old(&p);
    write_some(&p, 0, 2);
    struct backup_result r = must_backup(&p);
    bed_close(&p.b);
    arena_init(&mem, 1 << 20);
    (void)snprintf(dir, sizeof dir, "%s/%s", p.to, r.name);
    (void)snprintf(path, sizeof path, "%s/backup.json", dir);
    assert_int_equal(backup_list_read(path, &mem, &l, &f), OK);
    assert_true(l.n > 3);
    for (uint32_t i = 0; i < l.n; i++) {
        (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(l.at[i].name));
        (void)snprintf(away, sizeof away, "%s.away", path);
        const int64_t at[] = { 0, (int64_t)l.at[i].bytes / 2, (int64_t)l.at[i].bytes - 1 };
        for (size_t k = 0; k < LEN(at); k++) {
            char c = 0;
            CLEANUP(fd_closep) int fd = open(path, O_RDWR);
            assert_true(fd >= 0 && pread(fd, &c, 1, at[k]) == 1);
            c ^= 4;
            assert_int_equal(pwrite(fd, &c, 1, at[k]), 1);
            assert_int_equal(restore(&p, p.to, false, &f), E_CORRUPT);
            assert_non_null(strstr(f.msg, path));
            c ^= 4;
            assert_int_equal(pwrite(fd, &c, 1, at[k]), 1);
        }
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(restore(&p, p.to, false, &f), E_CORRUPT);
        assert_non_null(strstr(f.msg, "missing"));
        assert_int_equal(rename(away, path), 0);
        assert_int_equal(access(p.other, F_OK), -1);               /* nothing was begun */
    }
    uint32_t last = l.n - 1;
    (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(l.at[last].name));
    assert_int_equal(truncate(path, (off_t)l.at[last].bytes - 1), 0);
    assert_int_equal(restore(&p, p.to, false, &f), E_CORRUPT);
    assert_non_null(strstr(f.msg, path));
    arena_done(&mem);
    pair_done(&p);
}

static void lists_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err e;
        const char *says;
    } rows[] = {
        { "", E_CORRUPT, "not the list" },
        { "{\"format\":1,\"files\":[", E_CORRUPT, "damaged" },
        { "{\"format\":2,\"files\":[]}", E_UNSUPPORTED, "newer ccmon" },
        { "{\"files\":[]}", E_CORRUPT, "not the list" },
        { "{\"format\":1,\"files\":[{\"name\":\"../../etc/passwd\"}]}", E_CORRUPT, "none of a data directory" },
        { "{\"format\":1,\"files\":[{\"name\":\"part/../../x\"}]}", E_CORRUPT, "none of a data directory" },
        { "{\"format\":1,\"files\":[{\"name\":\"/etc/passwd\"}]}", E_CORRUPT, "none of a data directory" },
        { "{\"format\":1,\"files\":[{\"name\":\"\"}]}", E_CORRUPT, "none of a data directory" },
        { "{\"format\":1,\"files\":[{\"name\":\"other/x\"}]}", E_CORRUPT, "none of a data directory" },
    };
    struct pair p;
    pair_init(&p);
    struct backup_result r = must_backup(&p);
    char path[700];
    (void)snprintf(path, sizeof path, "%s/%s/backup.json", p.to, r.name);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct fault f = { 0 };
        write_text(path, rows[i].text);
        enum err e = backup_verify(p.to, &r, &f);
        if (e != rows[i].e || !strstr(f.msg, rows[i].says))
            fail_msg("%s: %d %s", rows[i].text, (int)e, f.msg);
    }
    must_backup(&p);                               /* an earlier one that cannot be read is no hindrance */
    restored_is_model(&p, p.to, "after a damaged one");
    pair_done(&p);
}

/* ---- a restore that is cut short ---------------------------------------------------------- */

static unsigned calls, stop_at;

static int64_t failing_pwrite(void *arg, int fd, const void *q, size_t n, int64_t at)
{
    (void)arg;
    if (++calls >= stop_at) {
        errno = EIO;
        return -1;
    }
    return file_ops_system.pwrite(NULL, fd, q, n, at);
}

static void a_restore_cut_short_does_not_open(void **state)
{
    (void)state;
    struct pair p;
    struct fault f = { 0 };
    struct backup_result r;
    struct file_ops ops = file_ops_system;
    pair_init(&p);
    write_some(&p, 0, 1);
    must_backup(&p);
    ops.pwrite = failing_pwrite;
    unsigned refused = 0;
    enum err e = E_IO;
    for (stop_at = 2; e; stop_at++) {              /* the first write is the mark's */
        calls = 0;
        e = backup_restore(p.to, p.other, false, &ops, &r, &f);
        if (!e)
            break;
        struct bed back = p.b;
        back.store = NULL;
        (void)snprintf(back.dir, sizeof back.dir, "%.199s", p.other);
        assert_int_equal(bed_open(&back, &f), E_EXIST);
        assert_non_null(strstr(f.msg, "was not finished"));
        refused++;
    }
    assert_true(refused > 3);
    open_restored(&p);
    bed_same_rows(&p.back, "at last");
    bed_close(&p.back);
    pair_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_is_the_store),
        cmocka_unit_test(a_backup_stays),
        cmocka_unit_test(a_backup_under_load_is_whole),
        cmocka_unit_test(places_that_are_refused),
        cmocka_unit_test(directories_that_are_refused),
        cmocka_unit_test(damage_is_told_by_name),
        cmocka_unit_test(lists_that_are_refused),
        cmocka_unit_test(a_restore_cut_short_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
