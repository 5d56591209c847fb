/* tests/faults/shim.c -- put between the program and the system (LD_PRELOAD): a disk that is
 * full or broken below one folder, and a wall clock that somebody else sets.
 *
 * What it does is read from a file that the test maps and writes, so it can change while the
 * program runs:
 *
 *     int64 clock     nanoseconds added to the wall clock
 *     int32 write     errno of every write, allocation and new file; 0: none
 *     int32 sync      errno of every sync
 *     char  below[]   paths that are meant
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct wishes {
    int64_t clock_ns;
    int32_t write_errno, sync_errno;
    char below[240];
};

static const volatile struct wishes *wishes(void)
{
    static const volatile struct wishes *w;
    static int done;
    if (done)
        return w;
    done = 1;
    const char *path = getenv("CCMON_SHIM");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *w, PROT_READ, MAP_SHARED, fd, 0);
    w = p == MAP_FAILED ? NULL : p;
    return w;
}

static int is_below(const char *path)
{
    const volatile struct wishes *w = wishes();
    size_t i = 0;
    while (w->below[i] && w->below[i] == path[i])
        i++;
    return !w->below[i];
}

static int fd_is_below(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return 0;
    path[n] = 0;
    return is_below(path);
}

static int write_fails(int fd)
{
    const volatile struct wishes *w = wishes();
    if (!w || !w->write_errno || !fd_is_below(fd))
        return 0;
    errno = w->write_errno;
    return 1;
}

static int sync_fails(int fd)
{
    const volatile struct wishes *w = wishes();
    if (!w || !w->sync_errno || !fd_is_below(fd))
        return 0;
    errno = w->sync_errno;
    return 1;
}

#define EXPORT __attribute__((visibility("default")))

ssize_t pwrite(int fd, const void *p, size_t n, off_t at);
EXPORT ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return write_fails(fd) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

EXPORT ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
    return write_fails(fd) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

EXPORT int fdatasync(int fd)
{
    return sync_fails(fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

EXPORT int fsync(int fd)
{
    return sync_fails(fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

static int allocate(int fd, off_t at, off_t n)
{
    if (write_fails(fd))
        return errno;
    return syscall(SYS_fallocate, fd, 0, at, n) ? errno : 0;
}

EXPORT int posix_fallocate(int fd, off_t at, off_t n) { return allocate(fd, at, n); }
EXPORT int posix_fallocate64(int fd, off_t at, off_t n) { return allocate(fd, at, n); }

static int open_it(const char *path, int flags, int mode)
{
    const volatile struct wishes *w = wishes();
    if (w && w->write_errno && flags & O_CREAT && is_below(path) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK)) {
        errno = w->write_errno;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#define OPEN(name)                                     \
    EXPORT int name(const char *path, int flags, ...)  \
    {                                                  \
        va_list ap;                                    \
        va_start(ap, flags);                           \
        int mode = flags & O_CREAT ? va_arg(ap, int) : 0; \
        va_end(ap);                                    \
        return open_it(path, flags, mode);             \
    }
OPEN(open)
OPEN(open64)

EXPORT int clock_gettime(clockid_t id, struct timespec *t)
{
    const volatile struct wishes *w = wishes();
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    if (rc || id != CLOCK_REALTIME || !w)
        return rc;
    int64_t ns = (int64_t)t->tv_sec * 1000000000 + t->tv_nsec + w->clock_ns;
    t->tv_sec = (time_t)(ns / 1000000000);
    t->tv_nsec = (long)(ns % 1000000000);
    return 0;
}

EXPORT time_t time(time_t *ret)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (ret)
        *ret = t.tv_sec;
    return t.tv_sec;
}
