/* store/part_erase.c -- what erasing needs of partitions besides new files (part_rewrite.c):
 * carried totals out of all of them, and whether old files are still read.
 */
#include <dirent.h>
#include <stdio.h>

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

bool part_has_gone(struct part_set *s)
{
    char path[PART_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/part", s->dir);
    DIR *d = opendir(path);
    bool has = false;
    for (struct dirent *x; d && !has && (x = readdir(d));)
        has = str_ends(str_c(x->d_name), S(".gone"));
    if (d)
        (void)closedir(d);
    return has;
}
