/* store/vfs.h -- a shim between SQLite and the disk, for tests of crashes and full disks.
 *
 * With a hook installed, every write, sync, truncate and delete of every SQLite file
 * asks it first. The hook may end the process, or have the call fail; with *n made
 * smaller a failing write still writes that many bytes (a torn write).
 *
 * Owner:    the hook must stay valid until store_vfs_install(NULL).
 * Threads:  the hook is called on whatever thread does the I/O; install before opening.
 */
#pragma once
#include "base/base.h"

enum vfs_op { VFS_WRITE, VFS_SYNC, VFS_TRUNCATE, VFS_DELETE, VFS_OPEN_NEW };

struct vfs_hook {
    /* 0: go on. ENOSPC: as a full disk. Any other errno: as an I/O error. */
    int (*before)(void *arg, enum vfs_op op, const char *path, size_t *n);
    void *arg;
    /* May be NULL. Right before a write of n bytes at `at`, a truncation to `at`, a deletion (n: the
     * folder is synced with it) and the making of a file; after a sync that went well. */
    void (*note)(void *arg, enum vfs_op op, const char *path, int64_t at, size_t n);
};

void store_vfs_install(const struct vfs_hook *h);
