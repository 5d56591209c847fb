/* Replacing a file, with the Nth operation failing for every N. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char dir[] = "/tmp/ccmon-test-file-XXXXXX";
static char path[64];

/* The system's operations, until the one numbered `fail_at` fails with `error`. */
struct faulty {
    int count, fail_at, error, writes;
};

static bool fails(void *arg)
{
    struct faulty *x = arg;
    if (x->count++ != x->fail_at)
        return false;
    errno = x->error;
    return true;
}

static int f_open(void *arg, const char *p, int flags, int mode)
{
    return fails(arg) ? -1 : file_ops_system.open(NULL, p, flags, mode);
}

/* Gives only half of what is asked for, to see that writing goes on. */
static int64_t f_pwrite(void *arg, int fd, const void *p, size_t n, int64_t at)
{
    struct faulty *x = arg;
    x->writes++;
    return fails(arg) ? -1 : file_ops_system.pwrite(NULL, fd, p, (n + 1) / 2, at);
}

static int f_sync(void *arg, int fd)
{
    return fails(arg) ? -1 : file_ops_system.sync(NULL, fd);
}

static int f_rename(void *arg, const char *from, const char *to)
{
    return fails(arg) ? -1 : file_ops_system.rename(NULL, from, to);
}

static int f_unlink(void *arg, const char *p)
{
    (void)arg;
    return file_ops_system.unlink(NULL, p);
}

static int f_sync_dir(void *arg, const char *p)
{
    return fails(arg) ? -1 : file_ops_system.sync_dir(NULL, p);
}

static void check_content(struct str want)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    assert_int_equal(file_read(path, 1000, &b, NULL), OK);
    if (!str_eq(buf_view(&b), want))
        fail_msg("holds '" STR_FMT "'", STR_ARG(buf_view(&b)));
}

static void every_failure(void **state)
{
    (void)state;
    struct str old = S("the old content"), new = S("what is to replace it");
    int n = 0;
    for (;; n++) {
        assert_int_equal(file_write_atomic(&file_ops_system, path, old, NULL), OK);
        struct faulty x = { .fail_at = n, .error = n % 2 ? ENOSPC : EIO };
        struct file_ops ops = { f_open, f_pwrite, f_sync, NULL, f_rename, NULL, f_unlink, f_sync_dir, &x };
        struct fault f = { 0 };
        enum err e = file_write_atomic(&ops, path, new, &f);
        if (x.count <= n)
            break;                                 /* it was over before the Nth */
        assert_int_equal(e, n % 2 ? E_UNAVAILABLE : E_IO);
        assert_non_null(strstr(f.msg, strerror(x.error)));
        bool renamed = x.count == n + 1 && strncmp(f.msg, "sync /tmp", 9) == 0 && !strstr(f.msg, ".new");
        check_content(renamed ? new : old);
        char next[80];
        (void)snprintf(next, sizeof(next), "%s.new", path);
        assert_int_equal(access(next, F_OK), -1);
        assert_true(x.writes <= 10);
    }
    assert_true(n > 5);
    check_content(new);
}

static void reading(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf big = { 0 }, b = { 0 }, small = { 0 };
    buf_init(&big, 1 << 20);
    for (int i = 0; i < 50000; i++)
        buf_fmt(&big, "%d,", i);
    assert_int_equal(file_write_atomic(&file_ops_system, path, buf_view(&big), NULL), OK);
    assert_int_equal(file_read(path, big.n, &b, NULL), OK);
    assert_true(str_eq(buf_view(&b), buf_view(&big)));

    struct fault f = { 0 };
    b.n = 3;
    assert_int_equal(file_read(path, big.n - 1, &b, &f), E_LIMIT);
    assert_int_equal(b.n, 3);
    buf_init(&small, big.n - 1);
    assert_int_equal(file_read(path, big.n, &small, &f), E_LIMIT);
    assert_int_equal(file_read("/nonexistent/file", 10, &b, &f), E_NOTFOUND);
    assert_string_equal(f.msg, "open /nonexistent/file: No such file or directory");
    assert_int_equal(file_read(dir, 10, &b, &f), E_IO);

    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);     /* only for its owner */
}

static void folders(void **state)
{
    (void)state;
    char sub[80];
    (void)snprintf(sub, sizeof(sub), "%s/sub", dir);
    assert_int_equal(file_mkdir(sub, NULL), OK);
    assert_int_equal(file_mkdir(sub, NULL), OK);
    struct stat st;
    assert_int_equal(stat(sub, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    struct fault f = { 0 };
    assert_int_equal(file_mkdir("/nonexistent/sub", &f), E_IO);
    assert_int_equal(file_mkdir(path, &f), E_IO);  /* a file is in the way */
    assert_int_equal(rmdir(sub), 0);
}

static void allocate(void **state)
{
    (void)state;
    CLEANUP(fd_closep) int fd = file_ops_system.open(NULL, path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(file_ops_system.allocate(NULL, fd, 1 << 20), 0);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 1 << 20);
    assert_int_equal(file_ops_system.allocate(NULL, -1, 1 << 20), -1);
    assert_int_equal(errno, EBADF);
    errno = ENOENT;
    int none = -1;
    fd_closep(&none);
    assert_int_equal(errno, ENOENT);
}

static int make(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failure), cmocka_unit_test(reading), cmocka_unit_test(folders), cmocka_unit_test(allocate),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
