/* base/file.c -- whole files, and the system's table of file operations.
 *
 * Replacing a file is the usual dance: write a neighbour, sync it, rename it
 * over, sync the folder. Until the rename the old file is whole; after it the
 * new one is.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_PATH_MAX = 4096, READ_STEP = 64 << 10 };

static int system_open(void *arg, const char *path, int flags, int mode)
{
    (void)arg;
    return open(path, flags | O_CLOEXEC, mode);
}

static int64_t system_pwrite(void *arg, int fd, const void *p, size_t n, int64_t at)
{
    (void)arg;
    ssize_t w;
    do {
        w = pwrite(fd, p, n, (off_t)at);
    } while (w < 0 && errno == EINTR);
    return w;
}

static int system_sync(void *arg, int fd)
{
    (void)arg;
#ifdef __APPLE__
    if (fcntl(fd, F_FULLFSYNC) == 0)
        return 0;
    return fsync(fd);                              /* network file systems know no F_FULLFSYNC */
#else
    return fdatasync(fd);
#endif
}

static int system_allocate(void *arg, int fd, int64_t size)
{
    (void)arg;
#ifdef __APPLE__
    fstore_t want = { F_ALLOCATEALL, F_PEOFPOSMODE, 0, (off_t)size, 0 };
    struct stat st;
    if (fcntl(fd, F_PREALLOCATE, &want) < 0 || fstat(fd, &st) < 0)
        return -1;
    return st.st_size < (off_t)size ? ftruncate(fd, (off_t)size) : 0;
#else
    int e = posix_fallocate(fd, 0, (off_t)size);
    errno = e;
    return e ? -1 : 0;
#endif
}

static int system_rename(void *arg, const char *from, const char *to)
{
    (void)arg;
    return rename(from, to);
}

static int system_link(void *arg, const char *from, const char *to)
{
    (void)arg;
    return link(from, to);
}

static int system_unlink(void *arg, const char *path)
{
    (void)arg;
    return unlink(path);
}

static int system_sync_dir(void *arg, const char *path)
{
    (void)arg;
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

const struct file_ops file_ops_system = {
    system_open, system_pwrite, system_sync, system_allocate, system_rename, system_link, system_unlink, system_sync_dir, NULL,
};

void fd_closep(int *fd)
{
    int keep = errno;                              /* the caller may still want to say why */
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = keep;
}

static enum err io_fault(struct fault *f, const char *what, const char *path)
{
    enum err e = errno == ENOSPC || errno == EDQUOT ? E_UNAVAILABLE : E_IO;
    return fault_set(f, e, 0, "%s %s: %s", what, path, strerror(errno));
}

/* Reads fd to its end, at most `max` bytes, which buffer and file both have to hold. */
static enum err read_all(int fd, const char *path, size_t max, struct buf *b, struct fault *f)
{
    size_t start = b->n;
    for (;;) {
        size_t left = MIN(max - (b->n - start), b->max - b->n);
        char extra;                                /* with no room left: is there one byte more? */
        char *to = left ? buf_room(b, MIN(left, (size_t)READ_STEP)) : &extra;
        ssize_t n = read(fd, to, left ? MIN(left, (size_t)READ_STEP) : 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_fault(f, "read", path);
        if (n == 0)
            return OK;
        if (!left)
            return fault_set(f, E_LIMIT, 0, "%s: larger than %zu bytes", path, MIN(max, b->max));
        buf_grew(b, (size_t)n);
    }
}

enum err file_read(const char *path, size_t max, struct buf *ret, struct fault *f)
{
    CHECK(!ret->bad);
    if (!ret->p && ret->max == 0)
        buf_init(ret, max);
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return fault_set(f, E_NOTFOUND, 0, "open %s: %s", path, strerror(errno));
    if (fd < 0)
        return io_fault(f, "open", path);
    size_t start = ret->n;
    enum err e = read_all(fd, path, max, ret, f);
    if (e)
        ret->n = start;
    return e;
}

static enum err write_synced(const struct file_ops *ops, const char *path, struct str data, struct fault *f)
{
    CLEANUP(fd_closep) int fd = ops->open(ops->arg, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return io_fault(f, "open", path);
    size_t done = 0;
    while (done < data.n) {
        int64_t w = ops->pwrite(ops->arg, fd, data.p + done, data.n - done, (int64_t)done);
        if (w == 0)
            errno = EIO;                           /* a write that makes no progress is an error */
        if (w <= 0)
            return io_fault(f, "write", path);
        CHECK((size_t)w <= data.n - done);
        done += (size_t)w;
    }
    if (ops->sync(ops->arg, fd) < 0)
        return io_fault(f, "sync", path);
    return OK;
}

/* The folder part of `path`, "." if there is none. */
static void folder_of(const char *path, char out[FILE_PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? MAX((size_t)(slash - path), (size_t)1) : 1;
    CHECK(n < FILE_PATH_MAX);
    memcpy(out, slash ? path : ".", n);
    out[n] = '\0';
}

enum err file_write_atomic(const struct file_ops *ops, const char *path, struct str data, struct fault *f)
{
    char next[FILE_PATH_MAX], folder[FILE_PATH_MAX];
    int n = snprintf(next, sizeof(next), "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof(next))
        return fault_set(f, E_LIMIT, 0, "path longer than %d bytes", FILE_PATH_MAX);
    folder_of(path, folder);

    enum err e = write_synced(ops, next, data, f);
    if (!e && ops->rename(ops->arg, next, path) < 0)
        e = io_fault(f, "rename", next);
    if (e) {
        (void)ops->unlink(ops->arg, next);
        return e;
    }
    if (ops->sync_dir(ops->arg, folder) < 0)
        return io_fault(f, "sync", folder);
    return OK;
}

enum err file_mkdir(const char *path, struct fault *f)
{
    if (mkdir(path, 0700) == 0)
        return OK;
    struct stat st;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return OK;
    return io_fault(f, "mkdir", path);
}
