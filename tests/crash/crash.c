/* The store killed at every write. A child writes known frames, with flushes between,
 * and ends at its Nth disk operation, in the log or in SQLite; the store is opened again
 * and must hold every acknowledged row exactly once, and nothing twice. For every N until
 * the child gets through, in four ways:
 *
 *   stopped      before the operation
 *   torn         a write first writes half of its bytes
 *   lost         what the log had not synced is gone, as when the machine stops
 *   twice        the start after it is stopped at its own Nth operation too
 *   refused      the operation fails with a full disk; the child goes on
 *
 * Then everything is sent once more, as a client would that heard no answer, and once more
 * after a flush: now every row stands exactly once.
 *
 * Prints how many stops each way had.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/store/store_bed.h"
#include "store/vfs.h"

enum way { STOPPED, TORN, LOST, TWICE, REFUSED, WAYS };
enum { STOPS_MAX = 5000, STOPPED_RC = 7 };

static const char *const ways[WAYS] = { "stopped", "torn", "lost", "twice", "refused" };

/* "flush" and "close" are done, everything else is written; some lines come twice. */
static const char *const script[] = {
    "s 1 1799990000 1799989990 1 a", "l 0 1799990001 0 2 a",            "s 2 1799990002 1799980000 3 b", "flush",
    "s 1 1799990003 1799989990 4 a", "s 1 1799990000 1799989990 1 a",   "s 1 1799800000 1799799990 5 a", "flush",
    "l 0 1799990005 0 6 c",          "s 1 1900000000 1899999990 7 m",   "flush",                         "l 0 1799990001 0 2 a",
    "s 1 1900000000 1899999990 7 m", "h 0 1799990009 0 9 b",            "h 1 1799990009 1799990000 9 b", "flush",
    "h 0 1799990009 0 9 b",          "s 2 1799990008 1799980000 8 b",   "h 0 1799990010 0 3 b",          "close",
};

static struct shared {
    unsigned count;                                /* operations of the child so far */
    bool acked[LEN(script)];
} *shared;

static unsigned stop_at;                           /* 0: never */
static enum way how;

/* 0: go on; else an errno for a refused operation. Does not come back from the last one. */
static int next_operation(void)
{
    if (__atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST) != stop_at)
        return 0;
    if (how == REFUSED)
        return ENOSPC;
    _exit(STOPPED_RC);
}

static bool is_next(void)
{
    return __atomic_load_n(&shared->count, __ATOMIC_SEQ_CST) + 1 == stop_at;
}

static int op_open(void *arg, const char *path, int flags, int mode)
{
    (void)arg;
    errno = next_operation();
    return errno ? -1 : file_ops_system.open(NULL, path, flags, mode);
}

/* Written to the log and not synced yet. */
static struct pending {
    int fd;
    int64_t at;
    size_t n;
    char *bytes;
} pending[64];
static size_t npending;

static int64_t write_later(int fd, const void *p, size_t n, int64_t at)
{
    CHECK(npending < LEN(pending));
    pending[npending] = (struct pending){ fd, at, n, mem_alloc(n + 1) };
    memcpy(pending[npending++].bytes, p, n);
    return (int64_t)n;
}

static void write_now(int fd)
{
    size_t left = 0;
    for (size_t i = 0; i < npending; i++) {
        struct pending *p = &pending[i];
        if (p->fd != fd) {
            pending[left++] = *p;
            continue;
        }
        CHECK(pwrite(fd, p->bytes, p->n, p->at) == (ssize_t)p->n);
        mem_free(p->bytes);
    }
    npending = left;
}

static int64_t op_pwrite(void *arg, int fd, const void *p, size_t n, int64_t at)
{
    (void)arg;
    if (how == TORN && is_next() && pwrite(fd, p, n / 2, at) < 0)
        _exit(8);
    errno = next_operation();
    if (errno)
        return -1;
    return how == LOST ? write_later(fd, p, n, at) : file_ops_system.pwrite(NULL, fd, p, n, at);
}

static int op_sync(void *arg, int fd)
{
    (void)arg;
    errno = next_operation();
    if (errno)
        return -1;
    if (how == LOST)
        write_now(fd);
    return file_ops_system.sync(NULL, fd);
}

static int op_allocate(void *arg, int fd, int64_t size)
{
    (void)arg;
    errno = next_operation();
    return errno ? -1 : file_ops_system.allocate(NULL, fd, size);
}

static int op_rename(void *arg, const char *from, const char *to)
{
    (void)arg;
    errno = next_operation();
    return errno ? -1 : file_ops_system.rename(NULL, from, to);
}

static int op_link(void *arg, const char *from, const char *to)
{
    (void)arg;
    errno = next_operation();
    return errno ? -1 : file_ops_system.link(NULL, from, to);
}

static int op_unlink(void *arg, const char *path)
{
    (void)arg;
    errno = next_operation();
    return errno ? -1 : file_ops_system.unlink(NULL, path);
}

static int op_sync_dir(void *arg, const char *path)
{
    (void)arg;
    errno = next_operation();
    return errno ? -1 : file_ops_system.sync_dir(NULL, path);
}

static const struct file_ops counted = {
    op_open, op_pwrite, op_sync, op_allocate, op_rename, op_link, op_unlink, op_sync_dir, NULL,
};

static int vfs_before(void *arg, enum vfs_op op, const char *path, size_t *n)
{
    (void)arg, (void)path;
    if (how == TORN && op == VFS_WRITE && is_next()) {
        *n /= 2;                                   /* written by the shim when the call fails; then the next one ends it */
        __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
        stop_at++;
        return EIO;
    }
    return next_operation();
}

static const struct vfs_hook hook = { vfs_before, NULL };

/* ---- the child ------------------------------------------------------------- */

static void run_script(struct store_bed *b)
{
    struct fault f = { 0 };
    if (bed_open(b, &f))
        return;
    for (size_t i = 0; i < LEN(script); i++) {
        b->now_ns += 2 * NS_PER_S;                 /* past the pause after a refusal */
        if (!strcmp(script[i], "flush")) {
            if (store_flush(b->store, &f) && how != REFUSED)
                return;
        } else if (!strcmp(script[i], "close")) {
            bed_close(b);
        } else if (!bed_write(b, script[i])) {
            shared->acked[i] = true;
        }
    }
}

static int child(struct store_bed *b, unsigned stop, bool only_open)
{
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        struct fault f;
        shared->count = 0;
        stop_at = stop;
        b->cfg.ops = &counted;
        store_vfs_install(&hook);
        if (only_open)
            (void)!bed_open(b, &f);
        else
            run_script(b);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != STOPPED_RC)) {
        printf("FAIL stop %u: status %d\n", stop, status);
        exit(1);
    }
    return WEXITSTATUS(status);
}

/* ---- what must be there ---------------------------------------------------- */

static unsigned occurs(const char *rows, const char *line)
{
    unsigned n = 0;
    size_t len = str_c(line).n;
    for (const char *p = rows; (p = strstr(p, line)); p += len)
        n++;
    return n;
}

/* The moved row stands at its receive time; its start tells it. */
static const char *mark_of(const char *line)
{
    return strstr(line, "1900000000") ? "1899999990 7 m" : line;
}

/* Every row at most once; and there, if it was acknowledged or `all` of it must be. */
static bool stand_once(struct store_bed *b, unsigned stop, bool all, const char *when)
{
    char *samples = bed_rows(b, TABLE_SAMPLE), *logs = bed_rows(b, TABLE_LOG);
    bool good = true;
    for (size_t i = 0; i + 1 < LEN(script); i++) {
        if (!strcmp(script[i], "flush"))
            continue;
        unsigned n = occurs(script[i][0] == 'l' ? logs : samples, mark_of(script[i]));
        if (n > 1 || (n == 0 && (all || shared->acked[i]))) {
            printf("FAIL %s at %u, %s: %s stands %u times (acknowledged: %d)\n", ways[how], stop, when, script[i], n,
                   shared->acked[i]);
            good = false;
        }
    }
    mem_free(samples);
    mem_free(logs);
    return good;
}

static bool send_all(struct store_bed *b, unsigned stop)
{
    for (size_t i = 0; i + 1 < LEN(script); i++)
        if (strcmp(script[i], "flush") && bed_write(b, script[i])) {
            printf("FAIL %s at %u: %s is refused\n", ways[how], stop, script[i]);
            return false;
        }
    return true;
}

static bool check(struct store_bed *b, unsigned stop)
{
    struct fault f = { 0 };
    if (bed_open(b, &f)) {
        printf("FAIL %s at %u: does not open: %s\n", ways[how], stop, f.msg);
        return false;
    }
    bool good = stand_once(b, stop, false, "opened") && send_all(b, stop) && stand_once(b, stop, true, "sent again");
    if (good && store_flush(b->store, &f)) {
        printf("FAIL %s at %u: does not flush: %s\n", ways[how], stop, f.msg);
        good = false;
    }
    good = good && send_all(b, stop) && stand_once(b, stop, true, "flushed and sent again");
    bed_close(b);
    return good;
}

static bool run(unsigned stop, bool *ret_through)
{
    struct store_bed b;
    bed_init(&b);
    memset(shared, 0, sizeof *shared);
    bool ended = child(&b, stop, false) != STOPPED_RC;
    *ret_through = ended && shared->count < stop;  /* a failure may end the script early, too */
    if (how == TWICE)
        for (unsigned again = 1; again < STOPS_MAX && child(&b, again, true) == STOPPED_RC; again += 3)
            ;
    bool good = check(&b, stop);
    bed_done(&b);
    return good;
}

int main(void)
{
    unsigned passed = 0, failed = 0;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (how = STOPPED; how < WAYS; how++) {
        bool through = false, good = true;
        unsigned stop = 1;
        for (; stop < STOPS_MAX && !through; stop += how == TWICE ? 4 : 1)
            good = run(stop, &through) && good;
        printf("%s: %u stops\n", ways[how], stop - 1);
        good = good && through && stop > 40;
        passed += good;
        failed += !good;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}
