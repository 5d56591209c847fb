/* store/vfs.c -- a shim over SQLite's own VFS that asks a hook before it changes the disk.
 *
 * It is inactive until a hook is installed, then it is the default VFS:
 *
 *     SQLite -> shim (this file: ask, count, fail, tear) -> the system's VFS -> disk
 *
 * Everything but writes, syncs, truncations, deletions and the making of files goes
 * straight through, shared memory (the WAL index) included: it is not durable and
 * no test needs it to fail.
 */
#include "store/vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

static const struct vfs_hook *hook;                /* set before any file is opened */
static sqlite3_vfs shim;
static sqlite3_vfs *below;

struct shim_file {
    sqlite3_file base;
    const char *path;                              /* SQLite keeps it as long as the file is open */
    sqlite3_file *real;                            /* right behind this struct */
};

static struct shim_file *self(sqlite3_file *f)
{
    return (struct shim_file *)(void *)f;
}

static sqlite3_file *real(sqlite3_file *f)
{
    return self(f)->real;
}

/* Asks the hook; SQLITE_OK means go on. */
static int ask(enum vfs_op op, const char *path, size_t *n, int rc_io)
{
    int e = hook ? hook->before(hook->arg, op, path ? path : "", n) : 0;
    if (e == 0)
        return SQLITE_OK;
    errno = e;
    return e == ENOSPC ? SQLITE_FULL : rc_io;
}

static void note(enum vfs_op op, const char *path, int64_t at, size_t n)
{
    if (hook && hook->note)
        hook->note(hook->arg, op, path ? path : "", at, n);
}

/* --- one file ------------------------------------------------------------------------ */

static int f_close(sqlite3_file *f) { return real(f)->pMethods->xClose(real(f)); }

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real(f)->pMethods->xRead(real(f), p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    size_t some = (size_t)n;
    int rc = ask(VFS_WRITE, self(f)->path, &some, SQLITE_IOERR_WRITE);
    if (rc == SQLITE_OK) {
        note(VFS_WRITE, self(f)->path, at, some);
        return real(f)->pMethods->xWrite(real(f), p, n, at);
    }
    if (some < (size_t)n && some > 0)              /* a torn write */
        (void)real(f)->pMethods->xWrite(real(f), p, (int)some, at);
    return rc;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    size_t n = 0;
    int rc = ask(VFS_TRUNCATE, self(f)->path, &n, SQLITE_IOERR_TRUNCATE);
    if (!rc)
        note(VFS_TRUNCATE, self(f)->path, size, 0);
    return rc ? rc : real(f)->pMethods->xTruncate(real(f), size);
}

static int f_sync(sqlite3_file *f, int flags)
{
    size_t n = 0;
    int rc = ask(VFS_SYNC, self(f)->path, &n, SQLITE_IOERR_FSYNC);
    if (!rc)
        rc = real(f)->pMethods->xSync(real(f), flags);
    if (!rc)
        note(VFS_SYNC, self(f)->path, 0, 0);
    return rc;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *ret) { return real(f)->pMethods->xFileSize(real(f), ret); }
static int f_lock(sqlite3_file *f, int how) { return real(f)->pMethods->xLock(real(f), how); }
static int f_unlock(sqlite3_file *f, int how) { return real(f)->pMethods->xUnlock(real(f), how); }
static int f_reserved(sqlite3_file *f, int *ret) { return real(f)->pMethods->xCheckReservedLock(real(f), ret); }
static int f_control(sqlite3_file *f, int op, void *arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); }
static int f_sector(sqlite3_file *f) { return real(f)->pMethods->xSectorSize(real(f)); }
static int f_traits(sqlite3_file *f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, ret);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), at, n, flags);
}

static void f_shm_barrier(sqlite3_file *f) { real(f)->pMethods->xShmBarrier(real(f)); }
static int f_shm_unmap(sqlite3_file *f, int del) { return real(f)->pMethods->xShmUnmap(real(f), del); }

static const sqlite3_io_methods methods = {
    .iVersion = 2,                                 /* 3 would be memory mapping, which we never use */
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_traits,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

/* --- the file system -------------------------------------------------------------------- */

static int v_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *ret_flags)
{
    (void)v;
    struct shim_file *s = self(f);
    *s = (struct shim_file){ .path = path, .real = (sqlite3_file *)(void *)(s + 1) };
    size_t n = 0;
    if (flags & SQLITE_OPEN_CREATE && path && access(path, F_OK)) {
        int rc = ask(VFS_OPEN_NEW, path, &n, SQLITE_CANTOPEN);
        if (rc)
            return rc;
        note(VFS_OPEN_NEW, path, 0, 0);
    }
    int rc = below->xOpen(below, path, s->real, flags, ret_flags);
    if (s->real->pMethods)                         /* SQLite closes what has methods, even after a failure */
        s->base.pMethods = &methods;
    return rc;
}

static int v_delete(sqlite3_vfs *v, const char *path, int sync_dir)
{
    (void)v;
    size_t n = 0;
    int rc = ask(VFS_DELETE, path, &n, SQLITE_IOERR_DELETE);
    if (!rc)
        note(VFS_DELETE, path, 0, (size_t)sync_dir);
    return rc ? rc : below->xDelete(below, path, sync_dir);
}

void store_vfs_install(const struct vfs_hook *h)
{
    if (!below) {
        CHECK(sqlite3_initialize() == SQLITE_OK);
        below = sqlite3_vfs_find(NULL);
        CHECK(below);
        shim = *below;                             /* whatever is not ours is called as it is */
        shim.szOsFile = (int)sizeof(struct shim_file) + below->szOsFile;
        shim.zName = "ccmon-shim";
        shim.pNext = NULL;
        shim.xOpen = v_open;
        shim.xDelete = v_delete;
    }
    hook = h;
    int rc = h ? sqlite3_vfs_register(&shim, 1) : sqlite3_vfs_unregister(&shim);
    CHECK(rc == SQLITE_OK);
}
