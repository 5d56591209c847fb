/* base/file.h -- the file calls that durability hangs on, behind a table, so
 * that tests can fail, tear or stop the Nth of them.
 *
 * Errors:   E_IO with path and errno text; ENOSPC and EDQUOT are E_UNAVAILABLE;
 *           file_read() of what is not there is E_NOTFOUND, and E_LIMIT past
 *           `max` (an all-zero buffer gets `max` as its own maximum).
 * Threads:  any; a file belongs to one thread.
 */
#pragma once
#include "base/buf.h"

struct file_ops {
    int (*open)(void *arg, const char *path, int flags, int mode);
    int64_t (*pwrite)(void *arg, int fd, const void *p, size_t n, int64_t at);
    int (*sync)(void *arg, int fd);                /* fdatasync; F_FULLFSYNC on macOS */
    int (*allocate)(void *arg, int fd, int64_t size);
    int (*rename)(void *arg, const char *from, const char *to);
    int (*link)(void *arg, const char *from, const char *to);      /* a second name */
    int (*unlink)(void *arg, const char *path);
    int (*sync_dir)(void *arg, const char *path);
    void *arg;
};

extern const struct file_ops file_ops_system;

MUST enum err file_read(const char *path, size_t max, struct buf *ret, struct fault *f);
MUST enum err file_write_atomic(const struct file_ops *ops, const char *path, struct str data, struct fault *f);
MUST enum err file_mkdir(const char *path, struct fault *f);          /* 0700; exists is fine */
void fd_closep(int *fd);                                              /* for CLEANUP */
