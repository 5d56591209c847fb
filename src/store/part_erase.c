/* store/part_erase.c -- what erasing needs of partitions besides new files (part_rewrite.c):
 * carried totals out of all of them, and whether old files are still read.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/part_int.h"

/* Zeros over what is deleted; and nothing of it stays in the WAL. */
static const char clear_text[] = "PRAGMA secure_delete=ON; DELETE FROM carry;";

static enum err clear_file(struct part *p, struct fault *f)
{
    char path[PART_PATH_MAX];
    int64_t n = 0;
    part_path(p, PART_MAIN, path);
    CLEANUP(part_file_closep) struct part_file *file = NULL;
    enum err e = part_own(p, PART_MAIN, f);
    if (!e)
        e = part_file_open(path, PART_MAIN, SQL_WRITE, p->from_ns, p->to_ns, &file, f);
    if (!e)
        e = sql_number(file->db, "SELECT count(*) FROM carry", &n, f);
    if (!e && n)
        e = sql_exec(file->db, clear_text, f);
    return !e && n && !p->closed ? sql_exec(file->db, "PRAGMA wal_checkpoint(TRUNCATE)", f) : e;
}

static enum err clear_part(struct part *p, struct fault *f)
{
    bool found = true;
    struct conn *c;
    int64_t n = 0;
    if (p->head.generation == 0)
        return OK;
    enum err e = pool_take(p, PART_MAIN, false, &c, f);
    if (e)
        return e;
    e = sql_number(c->file->db, "SELECT count(*) FROM carry", &n, f);
    pool_give(c, !e);
    found = !e && n;
    if (!found)
        return e;
    (void)pool_exclude(p, true);
    e = clear_file(p, f);
    pool_admit(p);
    return e;
}

enum err part_carries_clear(struct part_set *s, struct fault *f)
{
    enum err e = OK;
    for (uint32_t i = 0; i < s->nparts && !e; i++)
        e = clear_part(s->parts[i], f);
    return e;
}

/* NAME.N.gone; 0: it is not called so. */
static uint32_t gone_number(struct str name)
{
    uint64_t n;
    size_t end = name.n - S(".gone").n, at = end;
    if (!str_ends(name, S(".gone")))
        return 0;
    while (at > 0 && name.p[at - 1] != '.')
        at--;
    return str_to_u64((struct str){ name.p + at, end - at }, &n) && n <= UINT32_MAX ? (uint32_t)n : 0;
}

/* Dropped partitions are known by views alone. */
static bool is_read(struct part_set *s, uint32_t gone)
{
    bool found = false;
    set_lock(s);
    for (const struct part_view *v = s->view; v && !found; v = v->older)
        for (uint32_t i = 0; i < v->n && !found; i++)
            found = v->at[i].part->gone == gone;
    set_unlock(s);
    return found;
}

/* One that no view knows was left by a rename of two that failed half-way, or is just being removed. */
static enum err remove_left(struct part_set *s, const char *name, struct fault *f)
{
    char path[PART_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/part/%s", s->dir, name);
    if (s->ops->unlink(s->ops->arg, path) && errno != ENOENT)
        return fault_set(f, errno == ENOSPC ? E_UNAVAILABLE : E_IO, 0, "remove %.150s: %s", path, strerror(errno));
    return OK;
}

enum err part_clear_gone(struct part_set *s, bool *ret_read, struct fault *f)
{
    char path[PART_PATH_MAX];
    enum err e = part_remove_stayed(s, f);
    (void)snprintf(path, sizeof path, "%s/part", s->dir);
    DIR *d = opendir(path);
    *ret_read = false;
    for (struct dirent *x; d && !e && (x = readdir(d));) {
        uint32_t gone = gone_number(str_c(x->d_name));
        if (gone && is_read(s, gone))
            *ret_read = true;
        else if (gone)
            e = remove_left(s, x->d_name, f);
    }
    if (d)
        (void)closedir(d);
    return e;
}
