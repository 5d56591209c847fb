/* store/part_copy.c -- partition files and their copies.
 *
 * A backup gives closed files a second name instead of copying them. That is safe because
 * whoever changes a closed file (a late row reopens it, a carry row is put into it) first
 * looks whether it has another name, and if so goes on with a copy under the old one:
 *
 *     DATA/part/D.db --+                       DATA/part/D.db -----> copy, changed
 *                      +--> inode     =>
 *     TO/../part/D.db -+                       TO/../part/D.db ----> inode, as it was
 *
 * The copy is made as *.gone, which a start removes, and renamed over the file.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup_int.h"
#include "store/part_int.h"

enum err part_files(const struct part_item *it, enum err (*fn)(void *arg, const struct part_files *x, struct fault *f), void *arg,
                    struct fault *f)
{
    char main[PART_PATH_MAX], content[PART_PATH_MAX];
    struct part *p = it->part;
    struct conn *c;
    enum err e = pool_take(p, PART_MAIN, false, &c, f);
    if (e)
        return e;
    set_lock(p->set);                              /* with a connection in use neither these nor the names change */
    struct part_files x = { .item = it, .name = p->name, .closed = p->closed, .main = main, .content = p->content ? content : NULL };
    part_path(p, PART_MAIN, main);
    part_path(p, PART_CONTENT, content);
    set_unlock(p->set);
    e = fn(arg, &x, f);
    pool_give(c, true);
    return e;
}

enum err part_own(struct part *p, enum part_kind kind, struct fault *f)
{
    char path[PART_PATH_MAX], next[PART_PATH_MAX + 16];
    struct part_set *s = p->set;
    struct stat st;
    uint64_t bytes, sum;
    part_path(p, kind, path);
    if (stat(path, &st) || st.st_nlink < 2)
        return OK;
    (void)snprintf(next, sizeof next, "%s.own.gone", path);
    if (s->ops->unlink(s->ops->arg, next) && errno != ENOENT)
        return fault_set(f, E_IO, 0, "unlink %s: %s", next, strerror(errno));
    enum err e = backup_copy_file(s->ops, path, next, UINT64_MAX, &bytes, &sum, f);
    if (!e && s->ops->rename(s->ops->arg, next, path))
        e = fault_set(f, E_IO, 0, "rename %s: %s", next, strerror(errno));
    if (!e) {                                      /* what is written into it must not end up in a file without a name */
        (void)snprintf(next, sizeof next, "%s/part", s->dir);
        return s->ops->sync_dir(s->ops->arg, next) ? fault_set(f, E_IO, 0, "sync %s: %s", next, strerror(errno)) : OK;
    }
    (void)s->ops->unlink(s->ops->arg, next);
    return e;
}
