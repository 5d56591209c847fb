/* store/journal_spare.c -- a segment's file used again.
 *
 *     segment of which nothing is needed -> zeros written over all of it -> spare -> next segment
 *
 * Blocks that were only allocated are turned into written ones by the first sync that
 * covers them, which writes the file's inode too: syncing a group into a file whose blocks
 * have all been written takes half the time and half the work. So the log goes round in
 * two files as long as much comes. The zeros are written by whoever cut the log, off the
 * writer's way, in steps that are synced one by one, lest a sync of the writer wait for
 * all of them. What is read back cannot tell such a file from a new one.
 *
 * 1. Whatever goes wrong here costs the spare and nothing else.
 * 2. A spare of an earlier process is dropped: whether all its zeros are there is not known.
 * 3. A log at rest keeps none: one that was not taken for SPARE_TICKS minutes goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "store/journal_int.h"

enum { ZERO_STEP = 1 << 20, SPARE_TICKS = 3 };

static void spare_path(const struct journal *j, char out[1200])
{
    snprintf(out, 1200, "%s/spare", j->dir);
}

static bool write_zeros(const struct journal *j, const char *path)
{
    const struct file_ops *ops = j->o.ops;
    CLEANUP(fd_closep) int fd = ops->open(ops->arg, path, O_RDWR, 0600);
    int64_t size = (int64_t)j->o.segment_bytes;
    if (fd < 0)
        return false;
    char *zeros = mem_pages(ZERO_STEP);
    bool ok = true;
    for (int64_t at = 0; ok && at < size;) {
        size_t n = (size_t)MIN(size - at, (int64_t)ZERO_STEP);
        ok = ops->pwrite(ops->arg, fd, zeros, n, at) == (int64_t)n && ops->sync(ops->arg, fd) == 0;
        at += (int64_t)n;
    }
    mem_pages_free(zeros, ZERO_STEP);
    return ok;
}

void spare_make(struct journal *j, const struct segment *old)
{
    char from[1200], path[1200];
    const struct file_ops *ops = j->o.ops;
    pthread_mutex_lock(&j->lock);
    bool wanted = !j->spare && old->file_bytes == j->o.segment_bytes;
    pthread_mutex_unlock(&j->lock);
    segment_path(j, old->number, from);
    spare_path(j, path);
    /* Under its new name first: a segment that is half zeros would be taken for damage. */
    if (!wanted || ops->rename(ops->arg, from, path)) {
        ops->unlink(ops->arg, from);               /* one that stays is replayed into nothing */
        return;
    }
    if (ops->sync_dir(ops->arg, j->dir) || !write_zeros(j, path)) {
        ops->unlink(ops->arg, path);
        return;
    }
    pthread_mutex_lock(&j->lock);
    j->spare = true;
    j->spare_ticks = 0;
    pthread_mutex_unlock(&j->lock);
}

/* Whoever sets the mark to false has the file. */
static bool claim(struct journal *j, unsigned ticks)
{
    pthread_mutex_lock(&j->lock);
    bool mine = j->spare && j->spare_ticks >= ticks;
    if (mine)
        j->spare = false;
    pthread_mutex_unlock(&j->lock);
    return mine;
}

bool spare_take(struct journal *j, const char *path, int *ret_fd)
{
    char from[1200];
    const struct file_ops *ops = j->o.ops;
    if (!claim(j, 0))
        return false;
    spare_path(j, from);
    int fd = ops->open(ops->arg, from, O_RDWR, 0600);
    if (fd >= 0 && !ops->rename(ops->arg, from, path)) {
        *ret_fd = fd;
        return true;
    }
    fd_closep(&fd);
    ops->unlink(ops->arg, from);
    return false;
}

int spare_drop(struct journal *j)
{
    char path[1200];
    claim(j, 0);
    spare_path(j, path);
    return j->o.ops->unlink(j->o.ops->arg, path) && errno != ENOENT ? -1 : 0;
}

void journal_tick(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    j->spare_ticks++;
    pthread_mutex_unlock(&j->lock);
    if (claim(j, SPARE_TICKS))
        (void)spare_drop(j);
}
