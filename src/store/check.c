/* store/check.c -- a data directory: what files there are, and what they must have to do
 * with each other.
 *
 *   catalogue -> each partition with its content -> the log -> what is left over
 *
 * and with texts to look for, once more every file as bytes. A directory that a server has
 * is refused: files come and go under it, and half of what it knows is in its memory.
 */
#include "store/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/catalog.h"
#include "store/check_int.h"

enum { MEMORY_BYTES = 256 << 20, DEPTH_MAX = 16, UNPACKED_MAX = 1 << 30 };

/* --- telling ------------------------------------------------------------------------------ */

void check_file_begin(struct checker *c, struct str name)
{
    c->file = name;
    memset(c->told, 0, sizeof c->told);
}

static void give(struct checker *c, enum check_kind kind, struct str text)
{
    struct check_finding x = { kind, c->file, text };
    if (c->req->tell)
        c->req->tell(c->req->arg, &x);
}

void check_tell(struct checker *c, enum check_kind kind, const char *fmt, ...)
{
    char text[600];
    uint64_t *const sums[] = { &c->totals->damage, &c->totals->notes, &c->totals->found };
    (*sums[kind])++;
    if (c->told[kind]++ >= CHECK_TOLD_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    give(c, kind, str_c(text));
}

void check_file_end(struct checker *c)
{
    for (unsigned k = 0; k < LEN(c->told); k++) {
        char text[80];
        if (c->told[k] <= CHECK_TOLD_MAX)
            continue;
        (void)snprintf(text, sizeof text, "and %llu more", (unsigned long long)(c->told[k] - CHECK_TOLD_MAX));
        give(c, (enum check_kind)k, str_c(text));
    }
}

/* --- the catalogue --------------------------------------------------------------------------- */

static struct str path_of(struct checker *c, struct str name)
{
    return arena_fmt(&c->mem, "%s/" STR_FMT "%c", c->root, STR_ARG(name), 0);
}

static void read_catalog(struct checker *c)
{
    struct fault f = { 0 };
    struct catalog *cat = NULL;
    const char *path = path_of(c, S("ccmon.db")).p;
    check_file_begin(c, S("ccmon.db"));
    enum err e = catalog_look(path, &cat, &f);
    if (e == E_NOTFOUND) {
        check_tell(c, CHECK_NOTE, "is not there; the next start makes the list of partitions anew");
    } else if (!e) {
        e = catalog_parts(cat, &c->mem, &c->listed, &c->nlisted, &f);
        struct str text;
        if (!e && (catalog_get(cat, S("applied_seq"), &c->mem, &text, NULL) || !str_to_u64(text, &c->applied)))
            c->applied = 0;
        if (!e)
            e = catalog_verify(cat, &f);
    }
    if (e && e != E_NOTFOUND)
        check_tell(c, CHECK_DAMAGE, "%s", f.msg);
    catalog_close(cat);
    check_file_end(c);
}

void check_listed(struct checker *c, struct str name, const struct part_head *h)
{
    for (uint32_t i = 0; i < c->nlisted; i++) {
        struct catalog_part *l = &c->listed[i];
        if (!str_eq(str_c(l->name), name))
            continue;
        c->was_seen[i] = true;
        bool same = l->from_ns == h->from_ns && l->to_ns == h->to_ns && l->generation == h->generation && l->mark == h->mark &&
                    !memcmp(l->rows, h->rows, sizeof l->rows);
        if (!same)
            check_tell(c, l->writing ? CHECK_NOTE : CHECK_DAMAGE, "%s",
                       l->writing ? "a flush into it was cut short; the next start completes the list"
                                  : "the catalogue says other things of it than it does itself");
        return;
    }
    if (c->nlisted)
        check_tell(c, CHECK_NOTE, "the catalogue does not list it; the next start does");
}

/* --- partitions ---------------------------------------------------------------------------------- */

struct names {
    struct str *at;
    uint32_t n, cap;
};

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct names list_folder(struct checker *c, struct str folder)
{
    struct names l = { 0 };
    DIR *d = opendir(path_of(c, folder).p);
    for (struct dirent *x; d && (x = readdir(d));)
        if (x->d_name[0] != '.')
            *arena_push(&c->mem, l.at, l.n, l.cap) = arena_str(&c->mem, str_c(x->d_name));
    if (d)
        (void)closedir(d);
    if (l.n)
        qsort(l.at, l.n, sizeof *l.at, by_name);
    return l;
}

static bool has_name(const struct names *l, struct str a, struct str b)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->at[i].n == a.n + b.n && str_starts(l->at[i], a) && str_ends(l->at[i], b))
            return true;
    return false;
}

static void read_partitions(struct checker *c)
{
    static const struct str db = { ".db", 3 }, content = { ".content.db", 11 };
    struct names l = list_folder(c, S("part"));
    for (uint32_t i = 0; i < l.n; i++) {
        if (!str_ends(l.at[i], db))
            continue;
        struct str file = arena_fmt(&c->mem, "part/" STR_FMT, STR_ARG(l.at[i]));
        check_file_begin(c, file);
        struct str name = str_sub(l.at[i], 0, l.at[i].n - db.n);
        if (!str_ends(l.at[i], content))
            check_part(c, path_of(c, file).p, name);
        else if (!has_name(&l, str_sub(l.at[i], 0, l.at[i].n - content.n), db))
            check_tell(c, CHECK_NOTE, "is content of no partition; the next start removes it");
        check_file_end(c);
    }
    for (uint32_t i = 0; i < c->nlisted; i++)
        if (!c->was_seen[i] && !has_name(&l, str_c(c->listed[i].name), db)) {
            check_file_begin(c, S("ccmon.db"));
            check_tell(c, c->listed[i].generation ? CHECK_DAMAGE : CHECK_NOTE, "lists partition %s, whose file is not there",
                       c->listed[i].name);
        }
}

static void note_quarantine(struct checker *c)
{
    struct names l = list_folder(c, S("quarantine"));
    check_file_begin(c, S("quarantine"));
    if (l.n)
        check_tell(c, CHECK_NOTE, "%u files that could not be read were set aside there", l.n);
}

/* --- every file as bytes ------------------------------------------------------------------------- */

static bool is_sqlite(const char *path)
{
    char head[16] = { 0 };
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && pread(fd, head, sizeof head, 0) == sizeof head && !memcmp(head, "SQLite format 3", sizeof head);
}

static void look_at_file(struct checker *c, const char *path, struct str name)
{
    struct fault f = { 0 };
    CLEANUP(sql_closep) struct sql *db = NULL;
    check_file_begin(c, name);
    check_look_bytes(c, name, "its name");
    check_look_raw(c, path);
    if (is_sqlite(path)) {
        if (sql_open(path, SQL_LOOK, &db, &f))
            check_tell(c, CHECK_DAMAGE, "%s", f.msg);
        else
            check_look_tables(c, db);
        check_look_free(c, path);
    }
    check_file_end(c);
}

bool check_file_has(const char *path, const struct str *texts, uint32_t ntexts)
{
    struct check_totals t = { 0 };
    bool found = false;
    for (uint32_t i = 0; i < ntexts && !found; i += CHECK_FORMS_MAX / 2) {
        struct check_req r = { .texts = texts + i, .ntexts = MIN(ntexts - i, (uint32_t)CHECK_FORMS_MAX / 2) };
        struct checker *c = mem_alloc(sizeof *c);
        *c = (struct checker){ .req = &r, .totals = &t };
        arena_init(&c->mem, MEMORY_BYTES);
        buf_init(&c->unpacked, UNPACKED_MAX);
        check_look_init(c);
        look_at_file(c, path, S(""));
        found = t.found > 0;
        buf_done(&c->unpacked);
        arena_done(&c->mem);
        mem_free(c);
    }
    return found;
}

/* Counts every file below, and looks into it. */
static void walk(struct checker *c, struct str folder, unsigned depth)
{
    struct names l = list_folder(c, folder);
    for (uint32_t i = 0; i < l.n; i++) {
        struct stat st;
        struct str name = folder.n ? arena_fmt(&c->mem, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(l.at[i])) : l.at[i];
        const char *path = path_of(c, name).p;
        if (lstat(path, &st))
            continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            walk(c, name, depth + 1);
        if (!S_ISREG(st.st_mode))
            continue;
        c->totals->files++;
        c->totals->bytes += (uint64_t)st.st_size;
        if (check_looks(c))
            look_at_file(c, path, name);
    }
}

/* --- directories ------------------------------------------------------------------------------------ */

/* A lock that a server cannot take meanwhile; a copy may have no such file. */
static enum err take_lock(const char *dir, int *ret_fd, struct fault *f)
{
    char path[CHECK_PATH_MAX], text[32] = { 0 };
    (void)snprintf(path, sizeof path, "%s/lock", dir);
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK) {
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        struct str pid = str_trim((struct str){ text, n > 0 ? (size_t)n : 0 });
        return fault_set(f, E_EXIST, 0, "another process (pid " STR_FMT ") has the data directory %s: stop it first, or check a backup",
                         STR_ARG(pid), dir);
    }
    *ret_fd = fd;
    fd = -1;
    return OK;
}

static enum err check_directory(struct checker *c, struct fault *f)
{
    struct stat st;
    CLEANUP(fd_closep) int lock = -1;
    if (stat(c->root, &st) || !S_ISDIR(st.st_mode))
        return fault_set(f, E_NOTFOUND, 0, "%s is no directory", c->root);
    enum err e = take_lock(c->root, &lock, f);
    if (e)
        return e;
    if (!stat(path_of(c, S("part")).p, &st) || !stat(path_of(c, S("ccmon.db")).p, &st)) {
        read_catalog(c);
        c->was_seen = arena_new(&c->mem, bool, c->nlisted + 1);
        read_partitions(c);
        check_log(c);
        note_quarantine(c);
    } else if (c->is_data) {
        return fault_set(f, E_NOTFOUND, 0, "%s is no data directory of ccmon", c->root);
    }
    walk(c, S(""), 0);
    return OK;
}

static enum err check_root(const struct check_req *r, struct str root, bool is_data, struct check_totals *t, struct fault *f)
{
    struct checker *c = mem_alloc(sizeof *c);
    *c = (struct checker){ .req = r, .totals = t, .is_data = is_data };
    arena_init(&c->mem, MEMORY_BYTES);
    buf_init(&c->unpacked, UNPACKED_MAX);
    c->root = arena_cstr(&c->mem, root);
    check_look_init(c);
    struct stat st;
    enum err e = OK;
    if (!is_data && !stat(c->root, &st) && S_ISREG(st.st_mode)) {
        t->files++;
        t->bytes += (uint64_t)st.st_size;
        look_at_file(c, c->root, root);
    } else {
        e = check_directory(c, f);
    }
    buf_done(&c->unpacked);
    arena_done(&c->mem);
    mem_free(c);
    return e;
}

enum err store_check(const struct check_req *r, struct check_totals *ret, struct fault *f)
{
    struct check_totals t = { 0 };
    if (r->dir.n + 200 > CHECK_PATH_MAX)
        return fault_set(f, E_LIMIT, 0, "the directory's name is longer than %d bytes", CHECK_PATH_MAX - 200);
    enum err e = check_root(r, r->dir, true, &t, f);
    for (uint32_t i = 0; i < r->nalso && !e; i++) {
        struct check_totals beside = { 0 };        /* its rows are those of the directory once more */
        e = check_root(r, r->also[i], false, &beside, f);
        t.files += beside.files;
        t.bytes += beside.bytes;
        t.free_pages += beside.free_pages;
        t.damage += beside.damage;
        t.notes += beside.notes;
        t.found += beside.found;
    }
    if (!e)
        *ret = t;
    return e;
}
