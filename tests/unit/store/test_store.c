/* The store as a whole: what is acknowledged is there once, whatever comes in between;
 * what the log gives back when its bytes are damaged; bases against a plain sum.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_bed.h"

static void expect_rows(struct store_bed *b, enum table t, const char **lines, size_t n, const char *where)
{
    char *got = bed_rows(b, t), *want = bed_sorted(lines, n);
    if (strcmp(got, want))
        fail_msg("%s: want\n%s\ngot\n%s", where, want, got);
    mem_free(got);
    mem_free(want);
}

static void reopen(struct store_bed *b)
{
    struct fault f = { 0 };
    bed_close(b);
    if (bed_open(b, &f))
        fail_msg("%s", f.msg);
}

static void must_write(struct store_bed *b, const char *text)
{
    assert_int_equal(bed_write(b, text), OK);
}

/* ---- identity -------------------------------------------------------------- */

/* What is sent, and what of it stays; '=' before a line: it is there already. */
static const char *const sent[] = {
    "s 1 1799990000 1799989990 1.5 a",   "=s 1 1799990000 1799989990 1.5 a", "s 1 1799990000 1799989990 2.5 a",
    "s 1 1799990000 1799989991 1.5 a",   "s 1 1799990001 1799989990 1.5 a",  "s 1 1799990000 1799989990 1.5 b",
    "s 2 1799990000 1799980000 10 a",    "=s 2 1799990000 1799980000 10 a",  "=s 2 1799990000 1799980000 9 a",
    "s 2 1799990000 1799980000 11 a",    "s 2 1799990000 1799980001 10 a",   "s 0 1799990000 0 5 a",
    "=s 0 1799990000 0 6 a",             "s 1 1799800000 1799799990 1 old",  "=s 1 1799800000 1799799990 1 old",
    "l 0 1799990000 0 1 a",              "=l 0 1799990000 0 1 a",            "l 0 1799990000 0 2 a",
    "h 0 1799990000 0 5 a",              "=h 0 1799990000 0 5 a",            "=h 0 1799990000 0 6 a",
    "h 0 1799990001 0 6 a",              "h 1 1799990002 1799990000 5 a",    "=h 1 1799990002 1799990000 5 a",
    "h 1 1799990002 1799990000 6 a",
};

static void identity(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {            /* head; flushed after each; reopened after each; twice over */
        struct store_bed b;
        struct fault f = { 0 };
        const char *samples[LEN(sent)], *logs[LEN(sent)];
        size_t ns = 0, nl = 0;
        bed_init(&b);
        assert_int_equal(bed_open(&b, &f), OK);
        for (size_t i = 0; i < LEN(sent); i++) {
            const char *line = sent[i] + (sent[i][0] == '=');
            must_write(&b, line);
            if (way == 3)
                must_write(&b, line);
            if (way == 1)
                assert_int_equal(store_flush(b.store, &f), OK);
            if (way == 2)
                reopen(&b);
            if (sent[i][0] != '=' && line[0] != 'l')
                samples[ns++] = line;
            else if (sent[i][0] != '=')
                logs[nl++] = line;
        }
        expect_rows(&b, TABLE_SAMPLE, samples, ns, "samples");
        expect_rows(&b, TABLE_LOG, logs, nl, "logs");
        for (size_t i = 0; i < LEN(sent); i++)     /* everything once more, after all that */
            must_write(&b, sent[i] + (sent[i][0] == '='));
        reopen(&b);
        expect_rows(&b, TABLE_SAMPLE, samples, ns, "samples again");
        expect_rows(&b, TABLE_LOG, logs, nl, "logs again");
        bed_done(&b);
    }
}

/* A row from the future is kept at its receive time, and is known when it comes again. */
static void moved_rows(void **state)
{
    (void)state;
    struct store_bed b;
    struct fault f = { 0 };
    bed_init(&b);
    assert_int_equal(bed_open(&b, &f), OK);
    const char *row = "s 1 1900000000 1899999990 1 a";
    must_write(&b, row);
    for (int i = 0; i < 3; i++) {
        b.now_ns += NS_PER_DAY;
        must_write(&b, row);
        reopen(&b);
    }
    const char *want[] = { "s 1 1800000000 1899999990 1 a" };
    expect_rows(&b, TABLE_SAMPLE, want, 1, "moved");
    bed_done(&b);
}

/* ---- the log's bytes ------------------------------------------------------- */

static const char *const frames[] = {
    "s 1 1799990001 1799990000 1 a", "s 1 1799990002 1799990001 2 a", "s 1 1799990003 1799990002 3 a",
};

static void only_segment(const struct store_bed *b, char path[400])
{
    snprintf(path, 400, "%s/log/00000001.seg", b->dir);
    assert_int_equal(access(path, F_OK), 0);
}

/* A log of three frames as a process leaves it that was killed. */
static void make_log(struct store_bed *b)
{
    bed_init(b);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        struct fault f;
        if (bed_open(b, &f))
            _exit(1);
        for (size_t i = 0; i < LEN(frames); i++)
            if (bed_write(b, frames[i]))
                _exit(2);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static size_t log_bytes(const char *path)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY);
    char *p = mem_alloc(64 << 10);
    ssize_t n = read(fd, p, 64 << 10);
    while (n > 0 && !p[n - 1])
        n--;
    mem_free(p);
    return (size_t)n;
}

static void flip(const char *path, size_t at)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDWR);
    char c;
    assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
    c ^= 0x10;
    assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Every bit of damage costs at most the frame it hits, and is reported. */
static void a_flipped_byte(void **state)
{
    (void)state;
    struct store_bed b;
    char path[400], seg[400];
    make_log(&b);
    only_segment(&b, path);
    size_t n = log_bytes(path);
    char *bytes = mem_alloc(64 << 10);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, bytes, 64 << 10), 64 << 10);
    close(fd);
    snprintf(seg, sizeof seg, "%s", path);
    for (size_t at = 0; at < n; at += at < 128 ? 1 : 3) {
        struct fault f = { 0 };
        fd = open(seg, O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, bytes, 64 << 10), 64 << 10);
        close(fd);
        flip(seg, at);
        b.reports = 0;
        if (bed_open(&b, &f))
            fail_msg("byte %zu: %s", at, f.msg);
        char *rows = bed_rows(&b, TABLE_SAMPLE);
        size_t left = count_lines(rows);
        /* In both copies of the head and in padding a flip costs nothing. */
        if (left < 2 || (left == 2 && !b.reports))
            fail_msg("byte %zu: %zu rows left, %u reports", at, left, b.reports);
        mem_free(rows);
        bed_close(&b);
        bed_remove(b.dir);
        mkdir(b.dir, 0700);
        char log_dir[400];
        snprintf(log_dir, sizeof log_dir, "%s/log", b.dir);
        mkdir(log_dir, 0700);
    }
    mem_free(bytes);
    bed_done(&b);
}

/* Cut anywhere: a prefix of the frames is there, and the store can be written again. */
static void a_torn_tail(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < 360; cut += 7) {
        struct store_bed b;
        struct fault f = { 0 };
        char path[400];
        make_log(&b);
        only_segment(&b, path);
        assert_int_equal(truncate(path, (off_t)cut), 0);
        if (bed_open(&b, &f))
            fail_msg("cut %zu: %s", cut, f.msg);
        must_write(&b, "s 1 1799990009 1799990008 9 z");
        char *rows = bed_rows(&b, TABLE_SAMPLE);
        size_t before = count_lines(rows);
        mem_free(rows);
        reopen(&b);
        rows = bed_rows(&b, TABLE_SAMPLE);
        assert_int_equal(count_lines(rows), before);
        assert_non_null(strstr(rows, " 9 z"));
        mem_free(rows);
        bed_done(&b);
    }
}

/* A frame that ends the process at replay is set aside at the fourth start; one that no
 * longer decodes at the first. The others are there. */
static void a_poisoned_frame(void **state)
{
    (void)state;
    struct store_bed b;
    struct fault f = { 0 };
    bed_init(&b);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        if (bed_open(&b, &f) || bed_write(&b, frames[0]) || bed_write(&b, "die") || bed_write(&b, "bad") || bed_write(&b, frames[1]))
            _exit(1);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    for (int start = 1; start <= 4; start++) {
        fflush(NULL);
        pid = fork();
        if (!pid)
            _exit(bed_open(&b, &f) ? 1 : 0);
        waitpid(pid, &status, 0);
        assert_int_equal(WEXITSTATUS(status), start < 4 ? 9 : 0);
    }
    assert_int_equal(bed_open(&b, &f), OK);
    expect_rows(&b, TABLE_SAMPLE, (const char *[]){ frames[0], frames[1] }, 2, "poison");
    bed_done(&b);
}

/* ---- the disk says no ------------------------------------------------------ */

static int sync_errno;

static int failing_sync(void *arg, int fd)
{
    (void)arg;
    if (!sync_errno)
        return file_ops_system.sync(NULL, fd);
    errno = sync_errno;
    return -1;
}

static void a_failing_disk(void **state)
{
    (void)state;
    struct store_bed b;
    struct fault f = { 0 };
    struct source_stats stats;
    struct file_ops ops = file_ops_system;
    ops.sync = failing_sync;
    bed_init(&b);
    b.cfg.ops = &ops;
    assert_int_equal(bed_open(&b, &f), OK);
    must_write(&b, frames[0]);
    sync_errno = ENOSPC;
    assert_int_equal(bed_write(&b, frames[1]), E_UNAVAILABLE);
    store_source(b.store)->stats(store_source(b.store), &stats);
    assert_true(stats.read_only && strlen(stats.reason));
    expect_rows(&b, TABLE_SAMPLE, (const char *[]){ frames[0] }, 1, "refused");
    sync_errno = 0;
    assert_int_equal(bed_write(&b, frames[1]), E_UNAVAILABLE);   /* not before a second is over */
    b.now_ns += 2 * NS_PER_S;
    must_write(&b, frames[2]);
    store_source(b.store)->stats(store_source(b.store), &stats);
    assert_false(stats.read_only);
    reopen(&b);
    char *rows = bed_rows(&b, TABLE_SAMPLE);
    assert_non_null(strstr(rows, frames[0]));
    assert_non_null(strstr(rows, frames[2]));
    mem_free(rows);
    bed_done(&b);
}

static void one_store_a_directory(void **state)
{
    (void)state;
    struct store_bed b;
    struct fault f = { 0 };
    struct stat st;
    bed_init(&b);
    assert_int_equal(bed_open(&b, &f), OK);
    assert_int_equal(stat(b.dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        struct store *other;
        _exit(store_open(&b.cfg, &other, &f) == E_EXIST && strstr(f.msg, "pid") ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    bed_done(&b);
}

/* ---- bases ----------------------------------------------------------------- */

enum { POINTS = 120, SERIES = 3 };

struct model_point {
    int temporality;
    int64_t time, start;
    double value;
    int series;
};

/* What a key of bases() asks for. */
struct model_key {
    int series, temporality;
    int64_t start;
};

static bool model_is(const struct model_point *p, const struct model_key *k)
{
    return p->series == k->series && p->temporality == k->temporality && (k->temporality == 1 || p->start == k->start);
}

/* The newest time at or before `limit`; INT64_MIN if there is none. */
static int64_t model_newest(const struct model_point *p, size_t n, const struct model_key *k, int64_t limit)
{
    int64_t newest = INT64_MIN;
    for (size_t i = 0; i < n; i++)
        if (model_is(&p[i], k) && p[i].time <= limit)
            newest = MAX(newest, p[i].time);
    return newest;
}

/* The rule, told plainly: newest to oldest, 35 days without a row end a stream. */
static bool model_base(const struct model_point *p, size_t n, struct model_key k, int64_t at, double *ret)
{
    int64_t last = at, limit = at;
    bool known = false;
    *ret = 0;
    for (;;) {
        int64_t newest = model_newest(p, n, &k, limit);
        if (newest == INT64_MIN || last - newest >= 35 * 86400)
            return known;
        for (size_t i = 0; i < n; i++)
            if (model_is(&p[i], &k) && p[i].time == newest)
                *ret = k.temporality == 1 || !known ? *ret + p[i].value : MAX(*ret, p[i].value);
        last = newest;
        limit = newest - 1;
        known = true;
    }
}

static void add_point(struct store_bed *b, struct model_point *all, size_t *n, struct model_point p)
{
    char text[200];
    snprintf(text, sizeof text, "s %d %lld %lld %.17g x%d", p.temporality, (long long)p.time, (long long)p.start, p.value, p.series);
    must_write(b, text);
    all[(*n)++] = p;
}

static void check_bases(struct store_bed *b, const struct model_point *all, size_t n, unsigned seed)
{
    struct source *src = store_source(b->store);
    static const struct str names[] = { S("__name__"), S("session_id") };
    for (int round = 0; round < 12; round++) {
        int64_t at = 1799990000 - rand() % (90 * 86400);
        if (round % 2)
            at = all[(size_t)rand() % n].time + rand() % 3 - 1;
        struct cell cells[SERIES][2];
        char text[SERIES][8];
        struct base_key keys[SERIES * 2];
        for (int s = 0; s < SERIES; s++) {
            snprintf(text[s], sizeof text[s], "x%d", s);
            cells[s][0] = (struct cell){ .col = 0, .v = value_str(S("m_total")) };
            cells[s][1] = (struct cell){ .col = 1, .v = value_str(str_c(text[s])) };
            keys[2 * s] = (struct base_key){ .labels = cells[s], .nlabels = 2, .temporality = TEMPORALITY_DELTA };
            int64_t start = all[(size_t)rand() % n].start;
            keys[2 * s + 1] = (struct base_key){ .labels = cells[s], .nlabels = 2, .start_ns = start * NS_PER_S, .temporality = TEMPORALITY_CUMULATIVE };
        }
        struct fault f = { 0 };
        assert_int_equal(src->bases(src, NULL, 0, at * NS_PER_S, names, keys, LEN(keys), &f), OK);
        for (size_t i = 0; i < LEN(keys); i++) {
            double want;
            struct model_key k = { (int)(i / 2), (int)keys[i].temporality, keys[i].start_ns / NS_PER_S };
            bool known = model_base(all, n, k, at, &want);
            if (known != keys[i].known || (known && keys[i].base != want))
                fail_msg("seed %u, at %lld, key %zu (temporality %d, start %lld): want %d %g, got %d %g", seed, (long long)at, i,
                         keys[i].temporality, (long long)(keys[i].start_ns / NS_PER_S), known, want, keys[i].known, keys[i].base);
        }
    }
}

static void bases(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 6; seed++) {
        struct store_bed b;
        struct fault f = { 0 };
        static struct model_point all[POINTS];
        size_t n = 0;
        srand(seed);
        bed_init(&b);
        assert_int_equal(bed_open(&b, &f), OK);
        while (n < POINTS) {
            int64_t time = 1799990000 - (rand() % 3 ? rand() % (3 * 86400) : rand() % (80 * 86400));
            struct model_point p = { 1 + rand() % 2, time, time - 5, 1 + rand() % 9, rand() % SERIES };
            if (p.temporality == 2) {              /* a few streams, each growing with time */
                p.start = 1799990000 - (1 + rand() % 3) * 86400 * 9 - p.series;
                if (p.time <= p.start)
                    continue;
                p.value = (double)(p.time - p.start);
            }
            bool twice = false;
            for (size_t i = 0; i < n; i++)
                twice = twice || (all[i].time == p.time && all[i].series == p.series);
            if (twice)
                continue;
            add_point(&b, all, &n, p);
            if (rand() % 9 == 0)
                assert_int_equal(store_flush(b.store, &f), OK);
            if (rand() % 15 == 0)
                check_bases(&b, all, n, seed);
            if (rand() % 30 == 0)
                reopen(&b);
        }
        check_bases(&b, all, n, seed);
        assert_int_equal(store_flush(b.store, &f), OK);
        check_bases(&b, all, n, seed);
        check_bases(&b, all, n, seed);
        bed_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity),      cmocka_unit_test(moved_rows),     cmocka_unit_test(a_flipped_byte),
        cmocka_unit_test(a_torn_tail),   cmocka_unit_test(a_poisoned_frame), cmocka_unit_test(a_failing_disk),
        cmocka_unit_test(one_store_a_directory), cmocka_unit_test(bases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
