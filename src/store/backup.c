/* store/backup.c -- a store copied while it is written and read.
 *
 *     flush            all that is acknowledged by now is in partitions
 *     hold the log     from here on no frame goes
 *     catalogue        copied; it may say less than the partitions, never more
 *     a view           the partitions there are; dropped ones stay until it is let go
 *     each of them     closed: a second name; open: SQLite's own copy of one moment
 *     the log          up to its last durable frame
 *     list, rename     NAME.partial becomes NAME
 *
 * Why that adds up. A copied partition holds all rows up to the mark in it, and every frame
 * above the lowest mark is in the copied log, for it was held since before. So opening the
 * copy is a recovery like any other: replay gives each partition what it lacks. Requests that
 * came in meanwhile are whole, because their frames are.
 *
 * The copied catalogue lists exactly the copied files, each with the head that the copy
 * itself has, as closed: the next start opens none of them.
 *
 * Invariants
 *   1. Nothing of the data directory is changed.
 *   2. A folder without ".partial" is complete: its list was written and synced before.
 *   3. What a second name was given to is not changed under the first one any more (part_copy.c).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/backup_int.h"
#include "store/part_file.h"
#include "store/store_int.h"

enum { TRIES = 5, ARENA_BYTES = 64 << 20 };

struct backup {
    struct store *s;
    const struct backup_opts *o;
    const struct file_ops *ops;
    struct arena mem;
    int lock_fd;                                   /* TO itself: one backup at a time */
    char name[BACKUP_NAME_MAX];
    char dir[BACKUP_PATH_MAX];                     /* TO/NAME.partial */
    char earlier[BACKUP_PATH_MAX];                 /* the newest complete one, or empty */
    struct backup_list before, list;
    struct catalog_part *parts;
    uint32_t nparts, cap_parts;
    struct backup_result result;
};

static bool cancelled(const struct backup *b)
{
    return b->o->cancel && __atomic_load_n(b->o->cancel, __ATOMIC_RELAXED);
}

static enum err stop_if_asked(const struct backup *b, struct fault *f)
{
    return cancelled(b) ? fault_set(f, E_CANCELLED, 0, "the backup was ended before it was complete") : OK;
}

static enum err io_fault(struct fault *f, const char *what, const char *path)
{
    return fault_set(f, errno == ENOSPC || errno == EDQUOT ? E_UNAVAILABLE : E_IO, 0, "%s %s: %s", what, path, strerror(errno));
}

/* ---- the folder -------------------------------------------------------------- */

/* Names that are there: earlier backups, and what a killed one left, which goes. */
static enum err look_at_folder(struct backup *b, struct fault *f)
{
    DIR *d = opendir(b->o->to);
    if (!d)
        return io_fault(f, "open", b->o->to);
    enum err e = OK;
    for (struct dirent *x; !e && (x = readdir(d));) {
        bool partial;
        char path[BACKUP_PATH_MAX + 300];
        if (x->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", b->o->to, x->d_name);
        if (!backup_is_name(x->d_name, &partial))
            e = fault_set(f, E_EXIST, 0, "%s holds %s, which is no backup; give backups a directory of their own", b->o->to, x->d_name);
        else if (partial)
            e = backup_remove(b->ops, path, f);
    }
    (void)closedir(d);
    return e;
}

/* A copy inside of what is copied would never end. */
static enum err outside_of_data(struct backup *b, struct fault *f)
{
    char data[PATH_MAX], to[PATH_MAX];
    if (!realpath(b->s->dir, data) || !realpath(b->o->to, to))
        return io_fault(f, "resolve", b->o->to);
    struct str d = str_c(data), t = str_c(to);
    if (str_starts(t, d) && (t.n == d.n || t.p[d.n] == '/'))
        return fault_set(f, E_EXIST, 0, "%s is in the data directory; give the backup a place outside of it", to);
    return OK;
}

static void name_of_now(const struct clock *c, char out[BACKUP_NAME_MAX])
{
    int64_t now = clock_now(c);
    time_t t = (time_t)(now / NS_PER_S);
    struct tm tm;
    CHECK(gmtime_r(&t, &tm));
    size_t n = strftime(out, BACKUP_NAME_MAX, "%Y%m%dT%H%M%S", &tm);
    (void)snprintf(out + n, BACKUP_NAME_MAX - n, ".%03dZ", (int)(now % NS_PER_S / NS_PER_MS));
}

/* The clock may stand, or have gone back: the newest name is always the greatest. */
static void name_after(const char *newest, char name[BACKUP_NAME_MAX])
{
    if (!*newest || strcmp(name, newest) > 0)
        return;
    (void)snprintf(name, BACKUP_NAME_MAX, "%s", newest);
    for (char *p = name + str_c(name).n - 2; p >= name; p--) {     /* counts up the digits, whatever they mean then */
        if (*p < '0' || *p > '9')
            continue;
        if (*p != '9') {
            ++*p;
            return;
        }
        *p = '0';
    }
}

static enum err lock_folder(struct backup *b, struct fault *f)
{
    b->lock_fd = open(b->o->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->lock_fd < 0)
        return io_fault(f, "open", b->o->to);
    if (flock(b->lock_fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK ? fault_set(f, E_EXIST, 0, "another backup into %s is under way", b->o->to)
                                    : io_fault(f, "lock", b->o->to);
    return OK;
}

static void read_earlier(struct backup *b, const char *newest)
{
    char path[BACKUP_PATH_MAX + 32];
    struct fault f;
    (void)snprintf(b->earlier, sizeof b->earlier, "%s/%s", b->o->to, newest);
    (void)snprintf(path, sizeof path, "%s/backup.json", b->earlier);
    if (backup_list_read(path, &b->mem, &b->before, &f))
        b->earlier[0] = 0;                         /* then everything is copied anew */
}

static enum err begin_folder(struct backup *b, struct fault *f)
{
    char newest[BACKUP_NAME_MAX] = "", path[BACKUP_PATH_MAX + 32];
    if (str_c(b->o->to).n > BACKUP_PATH_MAX - 200)
        return fault_set(f, E_LIMIT, 0, "the backup's path is longer than %d bytes", BACKUP_PATH_MAX - 200);
    enum err e = backup_mkdirs(b->o->to, f);
    if (!e)
        e = outside_of_data(b, f);
    if (!e)
        e = lock_folder(b, f);
    if (!e)
        e = look_at_folder(b, f);
    if (e)
        return e;
    name_of_now(b->s->cfg.clock, b->name);
    if (!backup_newest(b->o->to, newest, NULL)) {
        read_earlier(b, newest);
        name_after(newest, b->name);
    }
    (void)snprintf(b->dir, sizeof b->dir, "%s/%s.partial", b->o->to, b->name);
    e = file_mkdir(b->dir, f);
    static const char *const folders[] = { "part", "log" };
    for (size_t i = 0; i < LEN(folders) && !e; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", b->dir, folders[i]);
        e = file_mkdir(path, f);
    }
    return e;
}

static enum err sync_folder(struct backup *b, struct fault *f)
{
    static const char *const folders[] = { "/part", "/log", "" };
    enum err e = OK;
    for (size_t i = 0; i < LEN(folders) && !e; i++) {
        char path[BACKUP_PATH_MAX + 32];
        (void)snprintf(path, sizeof path, "%s%s", b->dir, folders[i]);
        e = backup_sync_dir(b->ops, path, f);
    }
    return e;
}

/* ---- files ------------------------------------------------------------------- */

static void to_path(const struct backup *b, const char *name, char out[BACKUP_PATH_MAX + 256])
{
    (void)snprintf(out, BACKUP_PATH_MAX + 256, "%s/%s", b->dir, name);
}

static struct backup_file *note_file(struct backup *b, const char *name)
{
    struct backup_file *x = arena_push(&b->mem, b->list.at, b->list.n, b->list.cap);
    *x = (struct backup_file){ .name = arena_str(&b->mem, str_c(name)) };
    if (b->o->files_done)
        atomic_fetch_add(b->o->files_done, 1);
    return x;
}

static int64_t mtime_ns(const struct stat *st)
{
#ifdef __APPLE__
    return (int64_t)st->st_mtimespec.tv_sec * NS_PER_S + st->st_mtimespec.tv_nsec;
#else
    return (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
#endif
}

/* What was made here, read back from where it lies. */
static enum err note_made(struct backup *b, const char *name, struct fault *f)
{
    char path[BACKUP_PATH_MAX + 256];
    uint64_t bytes, sum;
    to_path(b, name, path);
    CLEANUP(fd_closep) int fd = b->ops->open(b->ops->arg, path, O_RDWR, 0600);
    if (fd < 0)
        return io_fault(f, "open", path);
    if (b->ops->sync(b->ops->arg, fd))
        return io_fault(f, "sync", path);
    enum err e = backup_sum_file(path, &bytes, &sum, f);
    if (e)
        return e;
    struct backup_file *x = note_file(b, name);
    x->bytes = bytes;
    x->sum = sum;
    b->result.copied_bytes += bytes;
    return OK;
}

/* The first `bytes` of a file that may grow. */
static enum err copy_bytes(void *arg, const char *from, const char *name, uint64_t bytes, struct fault *f)
{
    struct backup *b = arg;
    char path[BACKUP_PATH_MAX + 256];
    uint64_t got, sum;
    to_path(b, name, path);
    enum err e = backup_copy_file(b->ops, from, path, bytes, &got, &sum, f);
    if (e)
        return e;
    struct backup_file *x = note_file(b, name);
    x->bytes = got;
    x->sum = sum;
    b->result.copied_bytes += got;
    return OK;
}

static enum err check_database(const char *path, struct fault *f)
{
    CLEANUP(sql_closep) struct sql *db = NULL;
    enum err e = sql_open(path, SQL_IMMUTABLE, &db, f);
    return e ? e : sql_verify(db, f);
}

/* A file that nobody changes: a second name for it, or for the earlier backup's copy; else a copy. */
static enum err keep_closed(struct backup *b, const char *from, const char *name, struct fault *f)
{
    char path[BACKUP_PATH_MAX + 256], old[BACKUP_PATH_MAX + 256];
    struct stat st;
    to_path(b, name, path);
    if (stat(from, &st))
        return io_fault(f, "open", from);
    const struct backup_file *known = b->earlier[0] ? backup_list_find(&b->before, str_c(name)) : NULL;
    bool same = known && known->ino == (uint64_t)st.st_ino && known->mtime_ns == mtime_ns(&st) && known->bytes == (uint64_t)st.st_size;
    (void)snprintf(old, sizeof old, "%.*s/%s", BACKUP_PATH_MAX, b->earlier, name);
    bool linked = !b->ops->link(b->ops->arg, from, path) || (same && !b->ops->link(b->ops->arg, old, path));
    uint64_t bytes = (uint64_t)st.st_size, sum = same ? known->sum : 0;
    enum err e = OK;
    if (!linked)                                   /* another file system, or one without links */
        e = backup_copy_file(b->ops, from, path, UINT64_MAX, &bytes, &sum, f);
    else if (!same)
        e = backup_sum_file(path, &bytes, &sum, f);
    if (!e && !(linked && same))
        e = check_database(path, f);
    if (e)
        return e;
    struct backup_file *x = note_file(b, name);
    *x = (struct backup_file){ x->name, bytes, sum, (uint64_t)st.st_ino, mtime_ns(&st) };
    b->result.linked += linked;
    b->result.copied_bytes += linked ? 0 : bytes;
    return OK;
}

/* SQLite would make the file readable for everybody. */
static enum err make_private(struct backup *b, const char *path, struct fault *f)
{
    CLEANUP(fd_closep) int fd = b->ops->open(b->ops->arg, path, O_RDWR | O_CREAT | O_EXCL, 0600);
    return fd < 0 ? io_fault(f, "create", path) : OK;
}

static enum err copy_database(struct backup *b, const char *from, const char *to, struct fault *f)
{
    CLEANUP(sql_closep) struct sql *db = NULL;
    if (b->ops->unlink(b->ops->arg, to) && errno != ENOENT)        /* of a try before */
        return io_fault(f, "unlink", to);
    enum err e = make_private(b, to, f);
    if (!e)
        e = sql_open(from, SQL_WRITE, &db, f);     /* what reads a WAL writes its index */
    return e ? e : sql_copy(db, to, f);
}

/* ---- partitions ---------------------------------------------------------------- */

/* The copy out of WAL mode, so that it is one file, and what it says of itself. */
static enum err finish_copy(const char *path, enum part_kind kind, const struct part_item *it, struct part_head *ret, struct fault *f)
{
    CLEANUP(part_file_closep) struct part_file *p = NULL;
    enum err e = part_file_open(path, kind, SQL_WRITE, it->from_ns, it->to_ns, &p, f);
    if (!e)
        e = part_file_seal(p, f);
    if (!e)
        e = part_file_head(p, ret, f);
    return e ? e : sql_verify(p->db, f);
}

static enum err head_of(const char *path, enum sql_mode mode, const struct part_item *it, struct part_head *ret, struct fault *f)
{
    CLEANUP(part_file_closep) struct part_file *p = NULL;
    enum err e = part_file_open(path, PART_MAIN, mode, it->from_ns, it->to_ns, &p, f);
    return e ? e : part_file_head(p, ret, f);
}

/* Main file first: content that it refers to is older than it. Once more if it was written
 * meanwhile, for then some of that content could have been replaced. */
static enum err copy_open(struct backup *b, const struct part_files *x, const char *main, const char *content, struct part_head *ret,
                          struct fault *f)
{
    enum err e = OK;
    bool same = false;
    for (int i = 0; i < TRIES && !e && !same; i++) {
        struct part_head now, of_content;
        e = copy_database(b, x->main, main, f);
        if (!e && x->content)
            e = copy_database(b, x->content, content, f);
        if (!e)
            e = finish_copy(main, PART_MAIN, x->item, ret, f);
        if (!e && x->content)
            e = finish_copy(content, PART_CONTENT, x->item, &of_content, f);
        if (!e)
            e = head_of(x->main, SQL_WRITE, x->item, &now, f);
        same = !e && (!x->content || now.generation == ret->generation);
    }
    return e;
}

static enum err keep_part(void *arg, const struct part_files *x, struct fault *f)
{
    struct backup *b = arg;
    char main[64], content[64], main_path[BACKUP_PATH_MAX + 256], content_path[BACKUP_PATH_MAX + 256];
    struct part_head head;
    (void)snprintf(main, sizeof main, "part/%s.db", x->name);
    (void)snprintf(content, sizeof content, "part/%s.content.db", x->name);
    to_path(b, main, main_path);
    to_path(b, content, content_path);
    enum err e;
    if (x->closed) {
        e = keep_closed(b, x->main, main, f);
        if (!e && x->content)
            e = keep_closed(b, x->content, content, f);
        if (!e)
            e = head_of(main_path, SQL_IMMUTABLE, x->item, &head, f);
    } else {
        e = copy_open(b, x, main_path, content_path, &head, f);
        if (!e)
            e = note_made(b, main, f);
        if (!e && x->content)
            e = note_made(b, content, f);
    }
    if (e)
        return e;
    struct catalog_part *c = arena_push(&b->mem, b->parts, b->nparts, b->cap_parts);
    *c = (struct catalog_part){
        .from_ns = head.from_ns, .to_ns = head.to_ns, .time_min = head.time_min, .time_max = head.time_max,
        .mark = head.mark, .generation = head.generation, .bytes = x->item->bytes, .closed = true, .content = x->content != NULL,
    };
    (void)snprintf(c->name, sizeof c->name, "%s", x->name);
    memcpy(c->rows, head.rows, sizeof c->rows);
    for (int t = 0; t < TABLE_COUNT; t++)
        b->list.rows[t] += head.rows[t];
    return OK;
}

static enum err keep_parts(struct backup *b, struct fault *f)
{
    struct part_view *v = part_view_get(b->s->parts);
    if (b->o->files_all)
        atomic_store(b->o->files_all, v->n);
    enum err e = OK;
    for (uint32_t i = 0; i < v->n && !e; i++) {
        e = stop_if_asked(b, f);
        if (!e)
            e = part_files(&v->at[i], keep_part, b, f);
    }
    part_view_unref(v);
    return e;
}

/* ---- catalogue, log, the rest ------------------------------------------------------ */

static enum err copy_catalog(struct backup *b, struct fault *f)
{
    char from[PATH_MAX], to[BACKUP_PATH_MAX + 256];
    (void)snprintf(from, sizeof from, "%s/ccmon.db", b->s->dir);
    to_path(b, "ccmon.db", to);
    return copy_database(b, from, to, f);
}

/* Exactly the partitions that are here. */
static enum err set_list(struct backup *b, struct fault *f)
{
    char path[BACKUP_PATH_MAX + 256];
    to_path(b, "ccmon.db", path);
    struct catalog *c;
    struct catalog_part *old = NULL;
    uint32_t n = 0;
    bool fresh;
    enum err e = catalog_open(path, &c, &fresh, f);
    if (e)
        return e;
    e = catalog_parts(c, &b->mem, &old, &n, f);
    for (uint32_t i = 0; i < n && !e; i++)
        e = catalog_parts_remove(c, old[i].name, f);
    if (!e && b->nparts)
        e = catalog_parts_put(c, b->parts, b->nparts, f);
    catalog_close(c);                              /* the last connection: nothing stays beside the file */
    return e ? e : note_made(b, "ccmon.db", f);
}

static enum err keep_also(struct backup *b, struct fault *f)
{
    enum err e = OK;
    for (const char *const *name = b->o->also; name && *name && !e; name++) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/%s", b->s->dir, *name);
        if (access(path, F_OK) == 0)
            e = copy_bytes(b, path, *name, UINT64_MAX, f);
    }
    return e;
}

static enum err make_copies(struct backup *b, struct fault *f)
{
    uint64_t applied = store_noted(b->s, S("applied_seq"));    /* no more than the copied catalogue says */
    enum err e = copy_catalog(b, f);
    if (!e)
        e = keep_parts(b, f);
    if (!e)
        e = set_list(b, f);
    if (!e)
        e = journal_copy(b->s->journal, applied, copy_bytes, b, f);
    return e ? e : keep_also(b, f);
}

/* ---- the end ------------------------------------------------------------------------ */

static void sum_up(struct backup *b)
{
    b->result.files = b->list.n;
    for (uint32_t i = 0; i < b->list.n; i++)
        b->result.bytes += b->list.at[i].bytes;
    b->result.seq = b->list.seq;
    memcpy(b->result.rows, b->list.rows, sizeof b->result.rows);
    (void)snprintf(b->result.name, sizeof b->result.name, "%s", b->name);
}

static enum err complete(struct backup *b, struct fault *f)
{
    char path[BACKUP_PATH_MAX + 256], last[BACKUP_PATH_MAX + 256];
    b->list.made_ns = clock_now(b->s->cfg.clock);
    b->list.version = S(CCMON_VERSION);
    b->list.source = str_c(b->s->dir);
    enum err e = sync_folder(b, f);
    to_path(b, "backup.json", path);
    if (!e)
        e = backup_list_write(b->ops, path, &b->list, f);
    (void)snprintf(last, sizeof last, "%s/%s", b->o->to, b->name);
    if (!e && b->ops->rename(b->ops->arg, b->dir, last))
        e = io_fault(f, "rename", b->dir);
    return e ? e : backup_sync_dir(b->ops, b->o->to, f);
}

static uint64_t applied_now(struct store *s)
{
    GUARD(&s->lock);
    return s->seq;
}

enum err store_backup(struct store *s, const struct backup_opts *o, struct backup_result *ret, struct fault *f)
{
    struct backup b = { .s = s, .o = o, .ops = s->cfg.ops, .lock_fd = -1 };
    arena_init(&b.mem, ARENA_BYTES);
    enum err e = begin_folder(&b, f);
    b.list.seq = applied_now(s);
    if (!e)
        e = store_flush(s, f);
    if (!e) {
        journal_hold(s->journal, true);
        e = make_copies(&b, f);
        journal_hold(s->journal, false);
    }
    if (!e)
        e = complete(&b, f);
    if (e && b.dir[0] && backup_remove(b.ops, b.dir, NULL))
        store_report(s, "backup", "what there is of a backup that failed could not be removed; the next one does it");
    if (!e) {
        sum_up(&b);
        *ret = b.result;
    }
    fd_closep(&b.lock_fd);
    arena_done(&b.mem);
    return e;
}
