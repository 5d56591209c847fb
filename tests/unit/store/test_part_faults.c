/* tests/unit/store/test_part_faults.c -- the disk is full, breaks, tears, or the process
 * is killed at the Nth thing it does to the disk, for every N.
 *
 * One scenario: a flush into two days, one of them closed before (a late row), with
 * content; then closing and dropping. Whatever happened on the way, what can be read
 * afterwards is what was there before or after each step, the marks agree with it,
 * and the same scenario done again comes to its end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "part_bed.h"
#include "store/vfs.h"

enum { OLD_ROWS = 10, CRASH_STATUS = 7 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 4 };                               /* a process costs much more then; the plain build has every N */
#else
enum { STRIDE = 1 };
#endif
static const struct { int64_t day; uint64_t first; uint32_t n; } steps[] = { { 0, 11, 20 }, { 1, 31, 10 } };

enum how { FULL, TORN, CRASH, CRASH_TORN };
static const char *const hows[] = { "full", "torn", "crash", "torn and crash" };

struct trap {
    unsigned at, count;
    enum how how;
    unsigned hits;
    struct vfs_hook hook;
};

static int before(void *arg, enum vfs_op op, const char *path, size_t *n)
{
    (void)path;
    struct trap *t = arg;
    t->count++;
    bool hit = t->how == FULL ? t->count >= t->at : t->count == t->at;
    if (!hit)
        return 0;
    t->hits++;
    if (op == VFS_WRITE && (t->how == TORN || t->how == CRASH_TORN))
        *n /= 2;
    if (t->how == CRASH)
        _exit(CRASH_STATUS);
    if (t->how == FULL && op == VFS_DELETE)        /* a full disk deletes as ever */
        return 0;
    return t->how == FULL ? ENOSPC : EIO;
}

/* What is left to do of the flush, by the marks. Ends at the first error. */
static enum err flush(struct bed *b, struct fault *f)
{
    int64_t days[LEN(steps)];
    for (size_t i = 0; i < LEN(steps); i++)
        days[i] = BED_DAY(steps[i].day);
    enum err e = part_flush_begin(b->set, days, LEN(days), f);
    for (size_t i = 0; i < LEN(steps) && !e; i++) {
        uint64_t mark = part_span_at(b->set, days[i]).mark, last = steps[i].first + steps[i].n - 1;
        assert_true(mark < steps[i].first || mark == last);
        if (mark != last)
            e = bed_write(b, days[i], steps[i].first, steps[i].n, f);
    }
    return e ? e : part_flush_end(b->set, f);
}

static enum err scenario(struct bed *b, struct fault *f)
{
    enum err e = flush(b, f);
    if (e)
        return e;
    b->mono += 3601 * NS_PER_S;
    e = part_tick(b->set, f);
    if (!e && part_span_at(b->set, BED_DAY(-5)).mark)
        e = part_drop(b->set, BED_DAY(-5), f);
    return e;
}

/* What every run begins with: a closed day, and one that is to be dropped. */
static void prepare(struct bed *b)
{
    struct fault f = { 0 };
    bed_init(b);
    assert_int_equal(bed_flush(b, BED_DAY(0), 1, OLD_ROWS, &f), OK);
    assert_int_equal(bed_flush(b, BED_DAY(-5), 1, 3, &f), OK);
    b->now = BED_DAY(6);
    b->mono += 3601 * NS_PER_S;
    assert_int_equal(part_tick(b->set, &f), OK);
    assert_true(part_find(b->set, BED_DAY(0))->closed);
    bed_close(b);
}

/* Each day shows what was there before its step or after it, as its mark says. */
static void check_between(struct bed *b, const char *what)
{
    struct bed_rows r = bed_rows_of(b, BED_DAY(0));
    if (r.n != OLD_ROWS && r.n != OLD_ROWS + steps[0].n)
        fail_msg("%s: %llu rows", what, (unsigned long long)r.n);
    r = bed_rows_of(b, BED_DAY(1));
    if (r.n != 0 && r.n != steps[1].n)
        fail_msg("%s: %llu rows", what, (unsigned long long)r.n);
}

static void check_end(struct bed *b, const char *what)
{
    struct bed_rows r = bed_rows_of(b, BED_DAY(0));
    if (r.n != OLD_ROWS + steps[0].n || r.prompts != 10)
        fail_msg("%s: %llu rows, %llu prompts in the end", what, (unsigned long long)r.n, (unsigned long long)r.prompts);
    r = bed_rows_of(b, BED_DAY(1));
    if (r.n != steps[1].n || r.prompts != 3)
        fail_msg("%s: %llu rows, %llu prompts in the end", what, (unsigned long long)r.n, (unsigned long long)r.prompts);
    assert_int_equal(bed_rows_of(b, BED_DAY(-5)).n, 0);
    assert_false(bed_exists(b, "part/2026-11-17.db"));
}

/* No content is left whose chunk is not there. */
static void check_orphans(struct bed *b)
{
    char path[256];
    struct fault f = { 0 };
    int64_t chunks = 0, content = -1;
    bed_path(b, "part/2026-11-22.db", path);
    CLEANUP(sql_closep) struct sql *main = NULL;
    assert_int_equal(sql_open(path, SQL_WRITE, &main, &f), OK);
    assert_int_equal(sql_number(main, "SELECT max(id) FROM chunk", &chunks, &f), OK);
    bed_path(b, "part/2026-11-22.content.db", path);
    CLEANUP(sql_closep) struct sql *beside = NULL;
    assert_int_equal(sql_open(path, SQL_WRITE, &beside, &f), OK);
    assert_int_equal(sql_number(beside, "SELECT max(id)/4096 FROM \"column\"", &content, &f), OK);
    assert_int_equal(chunks, content);
}

/* In a child, with the trap; returns whether it went off. */
static bool run_in_child(struct bed *b, struct trap *t)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct fault f = { 0 };
        store_vfs_install(&t->hook);
        enum err e = bed_open(b, &f);
        if (!e)
            e = scenario(b, &f);
        if (t->hits)                               /* a torn write that was reported: die right after it */
            _exit(CRASH_STATUS);
        _exit(e ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != CRASH_STATUS)
        assert_int_equal(WEXITSTATUS(status), 0);
    return WEXITSTATUS(status) == CRASH_STATUS;
}

/* In this process, which lives on with the same set; returns whether the trap went off. */
static bool run_here(struct bed *b, struct trap *t, const char *what)
{
    struct fault f = { 0 };
    store_vfs_install(&t->hook);
    enum err e = bed_open(b, &f);
    if (!e)
        e = scenario(b, &f);
    if (e && !(t->hits && (e == E_IO || e == E_UNAVAILABLE || e == E_CORRUPT)))
        fail_msg("%s: error %d: %s", what, (int)e, f.msg);
    if (e && t->how == FULL && e != E_UNAVAILABLE)
        fail_msg("%s: a full disk is error %d: %s", what, (int)e, f.msg);
    bool hit = t->hits > 0;
    t->at = UINT32_MAX;                            /* the disk is well again */
    if (b->set)
        check_between(b, what);
    else
        assert_int_equal(bed_open(b, &f), OK);
    while (hit && (e = scenario(b, &f)) == E_UNAVAILABLE && t->how != FULL)
        continue;                                  /* a commit that was reported as failed had come through */
    if (hit && e)
        fail_msg("%s: again: error %d: %s", what, (int)e, f.msg);
    return hit;
}

static void all(enum how how)
{
    struct bed start;
    prepare(&start);
    unsigned n = 1 + (unsigned)how % STRIDE;
    for (bool hit = true; hit; n += STRIDE) {
        char what[80];
        (void)snprintf(what, sizeof what, "%s at operation %u", hows[how], n);
        struct bed b;
        struct fault f = { 0 };
        struct trap t = { .at = n, .how = how };
        t.hook = (struct vfs_hook){ before, &t };
        bed_copy(&start, &b);
        if (how >= CRASH) {
            hit = run_in_child(&b, &t);
            if (bed_open(&b, &f))
                fail_msg("%s: %s", what, f.msg);
            check_between(&b, what);
            if (scenario(&b, &f))
                fail_msg("%s: again: %s", what, f.msg);
        } else {
            hit = run_here(&b, &t, what);
        }
        check_end(&b, what);
        bed_close(&b);
        store_vfs_install(NULL);
        check_orphans(&b);
        if (bed_open(&b, &f))
            fail_msg("%s: opened once more: %s", what, f.msg);
        check_end(&b, what);
        assert_int_equal(b.reports, 0);
        bed_done(&b);
    }
    print_message("%s: up to operation %u\n", hows[how], n - 2 * STRIDE);
    bed_remove(&start);
    assert_true(n > 20);
}

static void test_full(void **state) { (void)state; all(FULL); }
static void test_torn(void **state) { (void)state; all(TORN); }
static void test_crash(void **state) { (void)state; all(CRASH); }
static void test_crash_torn(void **state) { (void)state; all(CRASH_TORN); }

/* Carries into a closed partition: killed at any moment, it holds what it held. */
static void test_carry(void **state)
{
    (void)state;
    struct bed start;
    prepare(&start);
    unsigned n = 1;
    for (bool hit = true; hit; n++) {
        struct bed b;
        struct fault f = { 0 };
        struct trap t = { .at = n, .how = n & 1 ? CRASH : CRASH_TORN };
        t.hook = (struct vfs_hook){ before, &t };
        bed_copy(&start, &b);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct part_carry c[40] = { 0 };
            for (unsigned i = 0; i < LEN(c); i++)
                c[i] = (struct part_carry){ { i, 1 }, 1, 2, 3, i };
            enum err e = bed_open(&b, &f);
            store_vfs_install(&t.hook);
            if (!e)
                e = part_carry_put(b.set, BED_DAY(0), c, LEN(c), &f);
            _exit(t.hits ? CRASH_STATUS : e ? 1 : 0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == CRASH_STATUS || WEXITSTATUS(status) == 0));
        hit = WEXITSTATUS(status) == CRASH_STATUS;

        if (bed_open(&b, &f))
            fail_msg("carry, operation %u: %s", n, f.msg);
        check_between(&b, "carry");
        struct part_view *v = part_view_get(b.set);
        struct part_carry got[2] = { { .series = { 0, 1 } }, { .series = { 39, 1 } } };
        bool found[2];
        assert_int_equal(v->at[1].from_ns, BED_DAY(0));
        if (part_carry_get(&v->at[1], got, 2, found, &f))
            fail_msg("carry, operation %u: %s", n, f.msg);
        assert_int_equal(found[0], found[1]);      /* all or none */
        assert_true(hit || found[0]);
        part_view_unref(v);
        bed_done(&b);
    }
    print_message("carry: %u operations\n", n - 2);
    assert_true(n > 4);
    bed_remove(&start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full), cmocka_unit_test(test_torn), cmocka_unit_test(test_crash),
        cmocka_unit_test(test_crash_torn), cmocka_unit_test(test_carry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
