/* tests/crash/disk.c -- see disk.h.
 *
 * Forgetting. Everything is done on the real disk at once, and noted in a list with what
 * it was like before; a sync takes out what it makes durable, and at the end the rest of
 * the list is undone, newest first. What a sync covers:
 *
 *   a file's sync       its bytes and its size; for SQLite's files their name too, for it
 *                       syncs the folder with the first sync of a file that it made
 *   a folder's sync     names made, changed and removed in it
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/vfs.h"

enum { FDS = 4096, PATH_ROOM = 500 };

enum what { BYTES, MADE, RENAMED, REMOVED };

struct change {
    enum what what;
    char path[PATH_ROOM], other[PATH_ROOM];        /* RENAMED: from, to; `other` of a removed file: where it is kept */
    int64_t at, size;                              /* size: the file's before */
    char *bytes;
    size_t n;
    bool over;                                     /* durable */
};

static enum way how;
static unsigned stop_at;
static struct disk_log *operations;
static const char *trash;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct change *changes;
static size_t nchanges, cap_changes;
static char *names[FDS];                           /* of open files of file_ops */

/* ---- forgetting ------------------------------------------------------------ */

static struct change *change(enum what what, const char *path)
{
    if (nchanges == cap_changes) {
        cap_changes = cap_changes ? cap_changes * 2 : 256;
        changes = mem_resize(changes, cap_changes * sizeof *changes);
    }
    struct change *c = &changes[nchanges++];
    *c = (struct change){ .what = what };
    CHECK(snprintf(c->path, sizeof c->path, "%s", path) < (int)sizeof c->path);
    return c;
}

/* n bytes at `at` are about to change, or all from there on (SIZE_MAX). */
static void note_bytes(const char *path, int64_t at, size_t n)
{
    struct stat st;
    if (how != LOST || stat(path, &st))
        return;
    struct change *c = change(BYTES, path);
    c->at = at;
    c->size = st.st_size;
    c->n = at < st.st_size ? MIN(n, (size_t)(st.st_size - at)) : 0;
    c->bytes = mem_alloc(c->n + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && pread(fd, c->bytes, c->n, at) == (ssize_t)c->n);
    close(fd);
}

static void note_made(const char *path)
{
    if (how == LOST)
        (void)change(MADE, path);
}

/* A second name keeps what a name that goes stood for. */
static void keep(const char *path, char out[PATH_ROOM])
{
    static unsigned kept;
    CHECK(snprintf(out, PATH_ROOM, "%s/%u", trash, ++kept) < PATH_ROOM);
    if (link(path, out))
        out[0] = 0;
}

static void note_removed(const char *path)
{
    if (how != LOST || access(path, F_OK))
        return;
    struct change *c = change(REMOVED, path);
    keep(path, c->other);
}

static void note_renamed(const char *from, const char *to)
{
    if (how != LOST)
        return;
    note_removed(to);
    struct change *c = change(RENAMED, from);
    CHECK(snprintf(c->other, sizeof c->other, "%s", to) < (int)sizeof c->other);
}

static bool is_in(const char *path, const char *folder)
{
    size_t n = str_c(folder).n;
    return strncmp(path, folder, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static void synced_file(const char *path, bool name_too)
{
    for (size_t i = 0; i < nchanges; i++)
        if (strcmp(changes[i].path, path) == 0 && (changes[i].what == BYTES || (name_too && changes[i].what == MADE)))
            changes[i].over = true;
}

/* Was it made, and its folder not synced since? */
static bool is_fresh(const char *path)
{
    for (size_t i = 0; i < nchanges; i++)
        if (changes[i].what == MADE && !changes[i].over && strcmp(changes[i].path, path) == 0)
            return true;
    return false;
}

static void synced_folder(const char *folder)
{
    for (size_t i = 0; i < nchanges; i++)
        if (changes[i].what != BYTES && is_in(changes[i].path, folder))
            changes[i].over = true;
}

static void undo(const struct change *c)
{
    switch (c->what) {
    case BYTES: {
        int fd = open(c->path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            return;                                /* it was removed for good meanwhile */
        CHECK(pwrite(fd, c->bytes, c->n, c->at) == (ssize_t)c->n && ftruncate(fd, c->size) == 0);
        close(fd);
        break;
    }
    case MADE:
        (void)unlink(c->path);
        break;
    case RENAMED:
        (void)rename(c->other, c->path);
        break;
    case REMOVED:
        if (c->other[0])
            (void)rename(c->other, c->path);
        break;
    }
}

NORETURN static void stop(void)
{
    for (size_t i = nchanges; i > 0; i--)
        if (!changes[i - 1].over)
            undo(&changes[i - 1]);
    _exit(STOPPED_RC);
}

/* ---- counting -------------------------------------------------------------- */

static bool is_next(void)
{
    return __atomic_load_n(&operations->count, __ATOMIC_SEQ_CST) + 1 == stop_at;
}

/* 0: go on; else an errno for a refused operation. Does not come back from the last one. */
static int next_operation(enum disk_op op)
{
    unsigned n = __atomic_add_fetch(&operations->count, 1, __ATOMIC_SEQ_CST);
    CHECK(n < DISK_OPS_MAX);
    operations->ops[n] = (uint8_t)op;
    if (n != stop_at)
        return 0;
    if (how == REFUSED)
        return ENOSPC;
    if (how == FAILED)
        return EIO;
    stop();
}

static void enter(void) { CHECK(pthread_mutex_lock(&lock) == 0); }
static void leave(void) { CHECK(pthread_mutex_unlock(&lock) == 0); }

/* One operation: `note` of what it is about to change, then itself. */
#define OPERATION(op, note, result)          \
    do {                                 \
        enter();                         \
        errno = next_operation(op);      \
        int e_ = errno;                  \
        if (!e_)                         \
            note;                        \
        leave();                         \
        errno = e_;                      \
        return e_ ? -1 : (result);       \
    } while (0)

static const char *name_of(int fd)
{
    CHECK(fd >= 0 && fd < FDS && names[fd]);
    return names[fd];
}

static int op_open(void *arg, const char *path, int flags, int mode)
{
    (void)arg;
    enter();
    errno = next_operation(DISK_OTHER);
    int e = errno;
    bool fresh = access(path, F_OK) != 0;
    if (!e && flags & O_TRUNC && !fresh)
        note_bytes(path, 0, SIZE_MAX);
    int fd = e ? -1 : file_ops_system.open(NULL, path, flags, mode);
    e = fd < 0 && !e ? errno : e;
    if (fd >= 0 && fresh)
        note_made(path);
    if (fd >= 0 && fd < FDS) {
        struct str p = str_c(path);
        mem_free(names[fd]);
        names[fd] = mem_alloc(p.n + 1);
        memcpy(names[fd], p.p, p.n);
    }
    leave();
    errno = e;
    return fd;
}

static int64_t op_pwrite(void *arg, int fd, const void *p, size_t n, int64_t at)
{
    (void)arg;
    if (how == TORN && is_next() && pwrite(fd, p, n / 2, at) < 0)
        _exit(8);
    OPERATION(DISK_WRITE, note_bytes(name_of(fd), at, n), file_ops_system.pwrite(NULL, fd, p, n, at));
}

static int op_sync(void *arg, int fd)
{
    (void)arg;
    OPERATION(DISK_SYNC, synced_file(name_of(fd), false), file_ops_system.sync(NULL, fd));
}

static int op_allocate(void *arg, int fd, int64_t size)
{
    (void)arg;
    OPERATION(DISK_OTHER, note_bytes(name_of(fd), size, 0), file_ops_system.allocate(NULL, fd, size));
}

static int op_rename(void *arg, const char *from, const char *to)
{
    (void)arg;
    OPERATION(DISK_OTHER, note_renamed(from, to), file_ops_system.rename(NULL, from, to));
}

static int op_link(void *arg, const char *from, const char *to)
{
    (void)arg;
    OPERATION(DISK_OTHER, note_made(to), file_ops_system.link(NULL, from, to));
}

static int op_unlink(void *arg, const char *path)
{
    (void)arg;
    OPERATION(DISK_OTHER, note_removed(path), file_ops_system.unlink(NULL, path));
}

static int op_sync_dir(void *arg, const char *path)
{
    (void)arg;
    OPERATION(DISK_SYNC, synced_folder(path), file_ops_system.sync_dir(NULL, path));
}

const struct file_ops disk_ops = {
    op_open, op_pwrite, op_sync, op_allocate, op_rename, op_link, op_unlink, op_sync_dir, NULL,
};

/* ---- SQLite's -------------------------------------------------------------- */

static int vfs_before(void *arg, enum vfs_op op, const char *path, size_t *n)
{
    (void)arg, (void)path;
    enter();
    if (how == TORN && op == VFS_WRITE && is_next()) {
        *n /= 2;                                   /* written by the shim when the call fails; then the next one ends it */
        operations->ops[__atomic_add_fetch(&operations->count, 1, __ATOMIC_SEQ_CST)] = DISK_WRITE;
        stop_at++;
        leave();
        return EIO;
    }
    int e = next_operation(op == VFS_WRITE ? DISK_WRITE : op == VFS_SYNC || op == VFS_DELETE ? DISK_SYNC : DISK_OTHER);
    leave();
    return e;
}

static void folder_of(const char *path, char out[PATH_ROOM])
{
    CHECK(snprintf(out, PATH_ROOM, "%s", path) < PATH_ROOM);
    char *slash = strrchr(out, '/');
    CHECK(slash);
    *slash = 0;
}

static void vfs_note(void *arg, enum vfs_op op, const char *path, int64_t at, size_t n)
{
    (void)arg;
    if (how != LOST)
        return;
    char folder[PATH_ROOM];
    enter();
    switch (op) {
    case VFS_WRITE:
        note_bytes(path, at, n);
        break;
    case VFS_TRUNCATE:
        note_bytes(path, at, SIZE_MAX);
        break;
    case VFS_SYNC:
        folder_of(path, folder);
        if (is_fresh(path))                        /* what was removed before under its name is gone for good, too */
            synced_folder(folder);
        synced_file(path, true);
        break;
    case VFS_OPEN_NEW:
        note_made(path);
        break;
    case VFS_DELETE:
        note_removed(path);
        folder_of(path, folder);
        if (n)
            synced_folder(folder);
        break;
    }
    leave();
}

static const struct vfs_hook hook = { vfs_before, NULL, vfs_note };

void disk_install(enum way w, unsigned n, struct disk_log *log, const char *trash_folder)
{
    how = w;
    stop_at = n;
    operations = log;
    trash = trash_folder;
    store_vfs_install(&hook);
}
