/* store/backup_files.c -- files as a whole: summed, copied, removed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/backup_int.h"

static enum err io_fault(struct fault *f, const char *what, const char *path)
{
    return fault_set(f, errno == ENOSPC || errno == EDQUOT ? E_UNAVAILABLE : E_IO, 0, "%s %s: %s", what, path, strerror(errno));
}

/* A whole step, or what is left of the file. */
static enum err read_step(int fd, const char *path, char *p, size_t want, size_t *ret_n, struct fault *f)
{
    size_t n = 0;
    while (n < want) {
        ssize_t got = read(fd, p + n, want - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return io_fault(f, "read", path);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *ret_n = n;
    return OK;
}

static enum err write_step(const struct file_ops *ops, int fd, const char *path, const char *p, size_t n, uint64_t at, struct fault *f)
{
    for (size_t done = 0; done < n;) {
        int64_t w = ops->pwrite(ops->arg, fd, p + done, n - done, (int64_t)(at + done));
        if (w == 0)
            errno = EIO;                           /* a write that makes no progress is an error */
        if (w <= 0)
            return io_fault(f, "write", path);
        done += (size_t)w;
    }
    return OK;
}

/* out < 0: only the sum. */
static enum err walk(const struct file_ops *ops, const char *from, int out, const char *to, uint64_t limit, uint64_t *ret_bytes,
                     uint64_t *ret_sum, struct fault *f)
{
    CLEANUP(fd_closep) int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return fault_set(f, E_NOTFOUND, 0, "open %s: %s", from, strerror(errno));
    if (fd < 0)
        return io_fault(f, "open", from);
    CLEANUP(mem_freep) char *step = mem_alloc(BACKUP_STEP);
    uint64_t bytes = 0, sum = 0;
    for (size_t n = 1; n && bytes < limit; bytes += n) {
        enum err e = read_step(fd, from, step, (size_t)MIN((uint64_t)BACKUP_STEP, limit - bytes), &n, f);
        if (!e && n && out >= 0)
            e = write_step(ops, out, to, step, n, bytes, f);
        if (e)
            return e;
        if (n)
            sum = hash64((struct str){ step, n }, sum);
    }
    *ret_bytes = bytes;
    *ret_sum = sum;
    return OK;
}

enum err backup_sum_file(const char *path, uint64_t *ret_bytes, uint64_t *ret_sum, struct fault *f)
{
    return walk(NULL, path, -1, NULL, UINT64_MAX, ret_bytes, ret_sum, f);
}

enum err backup_copy_file(const struct file_ops *ops, const char *from, const char *to, uint64_t limit, uint64_t *ret_bytes,
                          uint64_t *ret_sum, struct fault *f)
{
    CLEANUP(fd_closep) int out = ops->open(ops->arg, to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (out < 0)
        return io_fault(f, "create", to);
    enum err e = walk(ops, from, out, to, limit, ret_bytes, ret_sum, f);
    if (!e && ops->sync(ops->arg, out))
        e = io_fault(f, "sync", to);
    return e;
}

enum err backup_sync_dir(const struct file_ops *ops, const char *path, struct fault *f)
{
    return ops->sync_dir(ops->arg, path) ? io_fault(f, "sync", path) : OK;
}

/* The path of an entry; false: not one that is meant. */
static bool entry_path(const char *folder, const char *name, char out[BACKUP_PATH_MAX + 300])
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    return snprintf(out, BACKUP_PATH_MAX + 300, "%s/%s", folder, name) < BACKUP_PATH_MAX + 300;
}

static enum err remove_files(const struct file_ops *ops, const char *path, bool deeper, struct fault *f)
{
    DIR *d = opendir(path);
    if (!d)
        return errno == ENOENT ? OK : io_fault(f, "open", path);
    enum err e = OK;
    for (struct dirent *x; !e && (x = readdir(d));) {
        char sub[BACKUP_PATH_MAX + 300];
        struct stat st;
        if (!entry_path(path, x->d_name, sub) || lstat(sub, &st))
            continue;
        if (S_ISDIR(st.st_mode) && deeper)
            e = remove_files(ops, sub, false, f);
        else if (!S_ISDIR(st.st_mode) && ops->unlink(ops->arg, sub))
            e = io_fault(f, "unlink", sub);
    }
    (void)closedir(d);
    if (!e && rmdir(path) && errno != ENOENT)
        e = io_fault(f, "rmdir", path);
    return e;
}

enum err backup_remove(const struct file_ops *ops, const char *path, struct fault *f)
{
    return remove_files(ops, path, true, f);
}

enum err backup_mkdirs(const char *dir, struct fault *f)
{
    char path[BACKUP_PATH_MAX];
    if (snprintf(path, sizeof path, "%s", dir) >= (int)sizeof path)
        return fault_set(f, E_LIMIT, 0, "a path longer than %d bytes", BACKUP_PATH_MAX);
    for (char *p = path + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        enum err e = file_mkdir(path, f);
        if (e)
            return e;
        *p = '/';
    }
    return file_mkdir(dir, f);
}
