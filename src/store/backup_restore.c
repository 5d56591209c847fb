/* store/backup_restore.c -- a backup checked, and made a data directory again.
 *
 * A mark, DATA/restoring, stands there from before the first file is copied until after
 * the last is on disk; a store does not open a directory that has it. So a restore that was
 * ended half-way is never taken for one that worked.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/backup_int.h"

enum { ARENA_BYTES = 64 << 20, ROOM = BACKUP_PATH_MAX + 300 };

static enum err io_fault(struct fault *f, const char *what, const char *path)
{
    return fault_set(f, errno == ENOSPC || errno == EDQUOT ? E_UNAVAILABLE : E_IO, 0, "%s %s: %s", what, path, strerror(errno));
}

static bool is_there(const char *dir, const char *name)
{
    char path[ROOM];
    return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path && access(path, F_OK) == 0;
}

/* ---- checking ---------------------------------------------------------------- */

/* A backup, or the newest one of a folder of them. */
static enum err find_backup(const char *from, char ret[BACKUP_PATH_MAX], struct fault *f)
{
    char name[BACKUP_NAME_MAX];
    struct str s = str_c(from);
    if (s.n > BACKUP_PATH_MAX - 100)
        return fault_set(f, E_LIMIT, 0, "the backup's path is longer than %d bytes", BACKUP_PATH_MAX - 100);
    bool partial = str_ends(s, S(".partial")) || str_ends(s, S(".partial/"));
    if (partial)
        return fault_set(f, E_NOTFOUND, 0, "%s was never finished: it is no backup", from);
    if (is_there(from, "backup.json")) {
        (void)snprintf(ret, BACKUP_PATH_MAX, "%s", from);
        return OK;
    }
    enum err e = backup_newest(from, name, f);
    if (!e)
        (void)snprintf(ret, BACKUP_PATH_MAX, "%.*s/%s", BACKUP_PATH_MAX - 100, from, name);
    return e;
}

static enum err check_file(const char *dir, const struct backup_file *x, struct fault *f)
{
    char path[ROOM];
    uint64_t bytes, sum;
    (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(x->name));
    enum err e = backup_sum_file(path, &bytes, &sum, f);
    if (e == E_NOTFOUND)
        return fault_set(f, E_CORRUPT, 0, "%s is missing from the backup; restore another one", path);
    if (e)
        return e;
    if (bytes != x->bytes || sum != x->sum)
        return fault_set(f, E_CORRUPT, 0, "%s is damaged: it is not what was backed up; restore another backup", path);
    return OK;
}

static void tell(const char *dir, const struct backup_list *l, struct backup_result *ret)
{
    const char *slash = strrchr(dir, '/');
    *ret = (struct backup_result){ .files = l->n, .seq = l->seq };
    (void)snprintf(ret->name, sizeof ret->name, "%.31s", slash ? slash + 1 : dir);
    memcpy(ret->rows, l->rows, sizeof ret->rows);
    for (uint32_t i = 0; i < l->n; i++)
        ret->bytes += l->at[i].bytes;
}

static enum err load(const char *from, char dir[BACKUP_PATH_MAX], struct arena *mem, struct backup_list *l, struct fault *f)
{
    char path[ROOM];
    enum err e = find_backup(from, dir, f);
    if (e)
        return e;
    (void)snprintf(path, sizeof path, "%s/backup.json", dir);
    e = backup_list_read(path, mem, l, f);
    for (uint32_t i = 0; i < l->n && !e; i++)
        e = check_file(dir, &l->at[i], f);
    return e;
}

enum err backup_verify(const char *from, struct backup_result *ret, struct fault *f)
{
    char dir[BACKUP_PATH_MAX];
    struct backup_list l = { 0 };
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, ARENA_BYTES);
    enum err e = load(from, dir, &mem, &l, f);
    if (!e)
        tell(dir, &l, ret);
    return e;
}

/* ---- the directory ------------------------------------------------------------- */

/* What a person did not put there does not make a directory full: mkfs leaves lost+found. */
static bool counts(const char *name)
{
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "lost+found") != 0;
}

static enum err is_empty(const char *dir, bool *ret, struct fault *f)
{
    DIR *d = opendir(dir);
    if (!d)
        return io_fault(f, "open", dir);
    *ret = true;
    for (struct dirent *x; (x = readdir(d));)
        *ret = *ret && !counts(x->d_name);
    (void)closedir(d);
    return OK;
}

static enum err not_in_use(const char *dir, struct fault *f)
{
    char path[ROOM];
    (void)snprintf(path, sizeof path, "%s/lock", dir);
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB))
        return fault_set(f, E_EXIST, 0, "a ccmon is running on %s; stop it first", dir);
    return OK;
}

/* All that is there into a folder of its own: nothing is lost by a restore. */
static enum err move_aside(const char *dir, const struct file_ops *ops, struct fault *f)
{
    char aside[ROOM], from[ROOM + 300], to[ROOM + 300], stamp[32];
    time_t now = (time_t)(clock_now(&clock_system) / NS_PER_S);
    struct tm tm;
    (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    (void)snprintf(aside, sizeof aside, "%s/replaced-%s", dir, stamp);
    enum err e = file_mkdir(aside, f);
    DIR *d = e ? NULL : opendir(dir);
    if (!e && !d)
        e = io_fault(f, "open", dir);
    for (struct dirent *x; !e && (x = readdir(d));) {
        if (!counts(x->d_name) || str_starts(str_c(x->d_name), S("replaced-")))
            continue;
        (void)snprintf(from, sizeof from, "%s/%s", dir, x->d_name);
        (void)snprintf(to, sizeof to, "%s/%s", aside, x->d_name);
        if (ops->rename(ops->arg, from, to))
            e = io_fault(f, "rename", from);
    }
    if (d)
        (void)closedir(d);
    return e;
}

/* What an earlier restore brought and did not finish. */
static enum err clear(const char *dir, const struct backup_list *l, const struct file_ops *ops, struct fault *f)
{
    enum err e = OK;
    static const char *const folders[] = { "part", "log" };
    for (size_t i = 0; i < LEN(folders) && !e; i++) {
        char path[ROOM];
        (void)snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        e = backup_remove(ops, path, f);
    }
    for (uint32_t i = 0; i < l->n && !e; i++) {
        char path[ROOM];
        (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(l->at[i].name));
        if (ops->unlink(ops->arg, path) && errno != ENOENT && errno != ENOTDIR)
            e = io_fault(f, "unlink", path);
    }
    return e;
}

static enum err prepare(const char *dir, bool replace, const struct backup_list *l, const struct file_ops *ops, struct fault *f)
{
    bool empty = false;
    enum err e = backup_mkdirs(dir, f);
    if (!e)
        e = not_in_use(dir, f);
    if (e)
        return e;
    if (is_there(dir, "restoring"))                /* ours, of a try before */
        return clear(dir, l, ops, f);
    e = is_empty(dir, &empty, f);
    if (!e && !empty && !replace)
        return fault_set(f, E_EXIST, 0, "%s is not empty; --replace moves what is in it into %s/replaced-TIME first", dir, dir);
    return e || empty ? e : move_aside(dir, ops, f);
}

/* ---- restoring ------------------------------------------------------------------- */

static void mark_path(const char *dir, char out[ROOM])
{
    (void)snprintf(out, ROOM, "%s/restoring", dir);
}

static enum err copy_all(const char *from, const char *dir, const struct backup_list *l, const struct file_ops *ops, struct fault *f)
{
    enum err e = OK;
    static const char *const folders[] = { "part", "log" };
    for (size_t i = 0; i < LEN(folders) && !e; i++) {
        char path[ROOM];
        (void)snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        e = file_mkdir(path, f);
    }
    for (uint32_t i = 0; i < l->n && !e; i++) {
        char a[ROOM], b[ROOM];
        uint64_t bytes, sum;
        (void)snprintf(a, sizeof a, "%s/" STR_FMT, from, STR_ARG(l->at[i].name));
        (void)snprintf(b, sizeof b, "%s/" STR_FMT, dir, STR_ARG(l->at[i].name));
        e = backup_copy_file(ops, a, b, UINT64_MAX, &bytes, &sum, f);
        if (!e && (bytes != l->at[i].bytes || sum != l->at[i].sum))
            e = fault_set(f, E_CORRUPT, 0, "%s changed while it was read", a);
    }
    for (size_t i = 0; i < LEN(folders) && !e; i++) {
        char path[ROOM];
        (void)snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        e = backup_sync_dir(ops, path, f);
    }
    return e ? e : backup_sync_dir(ops, dir, f);
}

enum err backup_restore(const char *from, const char *dir, bool replace, const struct file_ops *ops, struct backup_result *ret,
                        struct fault *f)
{
    char backup[BACKUP_PATH_MAX], mark[ROOM];
    struct backup_list l = { 0 };
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, ARENA_BYTES);
    if (str_c(dir).n > BACKUP_PATH_MAX - 300)
        return fault_set(f, E_LIMIT, 0, "the data directory's path is longer than %d bytes", BACKUP_PATH_MAX - 300);
    enum err e = load(from, backup, &mem, &l, f);
    if (!e)
        e = prepare(dir, replace, &l, ops, f);
    mark_path(dir, mark);
    if (!e)
        e = file_write_atomic(ops, mark, str_c(backup), f);
    if (!e)
        e = copy_all(backup, dir, &l, ops, f);
    if (!e && ops->unlink(ops->arg, mark))
        e = io_fault(f, "unlink", mark);
    if (!e)
        e = backup_sync_dir(ops, dir, f);
    if (!e)
        tell(backup, &l, ret);
    return e;
}

enum err backup_restored(const char *dir, struct fault *f)
{
    if (!is_there(dir, "restoring"))
        return OK;
    return fault_set(f, E_EXIST, 0, "a restore into %s was not finished; run `ccmon restore` again", dir);
}
