/* store/journal_copy.c -- the log for a backup: held while partitions are copied, then
 * copied itself, so that every frame which a copied partition lacks is there.
 *
 * A segment is copied up to its last durable frame. What is written behind it meanwhile
 * was not acknowledged when the copy was asked for, and a copy cut there reads as a log
 * that was closed properly.
 */
#include <stdio.h>

#include "store/journal_int.h"

void journal_hold(struct journal *j, bool held)
{
    pthread_mutex_lock(&j->lock);
    CHECK(j->held != held);
    j->held = held;
    pthread_mutex_unlock(&j->lock);
}

struct piece {
    uint64_t number, end;
};

static struct piece *list_pieces(struct journal *j, uint64_t applied, size_t *ret_n)
{
    size_t n = 0;
    pthread_mutex_lock(&j->lock);
    CHECK(j->held);
    for (const struct segment *s = j->oldest; s; s = s->next)
        n++;
    struct piece *at = mem_alloc((n + 1) * sizeof *at);
    n = 0;
    for (const struct segment *s = j->oldest; s; s = s->next)
        if (s->end && s->last_seq > applied)
            at[n++] = (struct piece){ s->number, s->end };
    pthread_mutex_unlock(&j->lock);
    *ret_n = n;
    return at;
}

enum err journal_copy(struct journal *j, uint64_t applied,
                      enum err (*copy)(void *arg, const char *from, const char *name, uint64_t bytes, struct fault *f), void *arg,
                      struct fault *f)
{
    size_t n;
    CLEANUP(mem_freep) struct piece *at = list_pieces(j, applied, &n);
    enum err e = OK;
    for (size_t i = 0; i < n && !e; i++) {
        char path[1200], name[64];
        segment_path(j, at[i].number, path);
        (void)snprintf(name, sizeof name, "log/%08llu.seg", (unsigned long long)at[i].number);
        e = copy(arg, path, name, at[i].end, f);
    }
    return e;
}
