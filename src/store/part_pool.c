/* store/part_pool.c -- at most 32 open SQLite files for any number of partitions.
 *
 * A connection is taken for one short job (a list of chunks, the blobs of one chunk,
 * one write) and given back; given back it stays open on the idle list, and the one
 * that was not used for the longest time is closed when another file is needed.
 * When all are in use one more is opened: threads at work are few, and waiting for
 * each other with a connection in hand would be a deadlock.
 *
 *            take                      give
 *     idle --------> in use (busy) ----------> idle --> closed by need, sweep, exclude
 *
 * The flusher changes the mode or the name of files only while `exclusive` is set:
 * no connection of the partition exists then, and readers wait in pool_take(). An
 * immutable connection promises SQLite that nobody writes; this keeps the promise. And
 * SQLite refuses to change the journal mode under another connection, at once.
 */
#include "store/part_int.h"

void set_lock(struct part_set *s)
{
    CHECK(pthread_mutex_lock(&s->lock) == 0);
}

void set_unlock(struct part_set *s)
{
    CHECK(pthread_mutex_unlock(&s->lock) == 0);
}

/* Off the idle list and on `out`, to be closed without the lock. Until it is, it counts as
 * in use: the flusher must not think that it has the files for itself. */
static void retire(struct part_set *s, struct conn **at, struct conn **out)
{
    struct conn *c = *at;
    *at = c->next;
    c->next = *out;
    *out = c;
    c->part->busy++;
    s->nopen--;
}

static void close_retired(struct part_set *s, struct conn *c)
{
    while (c) {
        struct conn *next = c->next;
        struct part *p = c->part;
        part_file_close(c->file);
        mem_free(c);
        set_lock(s);
        CHECK(p->busy > 0);
        p->busy--;
        CHECK(pthread_cond_broadcast(&s->freed) == 0);
        set_unlock(s);
        c = next;
    }
}

/* The idle connections of a part, or of all, not used since. */
static struct conn *retire_idle(struct part_set *s, const struct part *p, int64_t before_mono)
{
    struct conn *out = NULL;
    for (struct conn **at = &s->idle; *at;) {
        if ((!p || (*at)->part == p) && (*at)->used_mono < before_mono)
            retire(s, at, &out);
        else
            at = &(*at)->next;
    }
    return out;
}

static struct conn *take_idle(struct part_set *s, const struct part *p, enum part_kind kind)
{
    for (struct conn **at = &s->idle; *at; at = &(*at)->next) {
        struct conn *c = *at;
        if (c->part != p || c->file->kind != kind)
            continue;
        *at = c->next;
        c->next = NULL;
        return c;
    }
    return NULL;
}

/* Those that have to go so that one more can be opened: the last of the list. */
static struct conn *make_room(struct part_set *s)
{
    struct conn *out = NULL;
    while (s->nopen >= s->open_max && s->idle) {
        struct conn **at = &s->idle;
        while ((*at)->next)
            at = &(*at)->next;
        retire(s, at, &out);
    }
    return out;
}

static enum err open_conn(struct part *p, enum part_kind kind, enum sql_mode mode, struct conn **ret, struct fault *f)
{
    char path[PART_PATH_MAX];
    part_path(p, kind, path);
    struct part_file *file;
    enum err e = part_file_open(path, kind, mode, p->from_ns, p->to_ns, &file, f);
    if (e)
        return e;
    struct conn *c = mem_alloc(sizeof *c);
    *c = (struct conn){ .part = p, .file = file };
    *ret = c;
    return OK;
}

enum err pool_take(struct part *p, enum part_kind kind, bool create, struct conn **ret, struct fault *f)
{
    struct part_set *s = p->set;
    set_lock(s);
    while (p->exclusive)
        CHECK(pthread_cond_wait(&s->freed, &s->lock) == 0);
    if (kind == PART_CONTENT && !create && !p->content) {
        set_unlock(s);
        return fault_set(f, E_NOTFOUND, 0, "partition %s has no content", p->name);
    }
    p->busy++;
    struct conn *c = take_idle(s, p, kind), *evicted = NULL;
    if (!c) {
        evicted = make_room(s);
        s->nopen++;
    }
    enum sql_mode mode = create ? SQL_CREATE : p->closed ? SQL_IMMUTABLE : SQL_WRITE;
    CHECK(!create || !p->closed);
    set_unlock(s);

    close_retired(s, evicted);
    enum err e = c ? OK : open_conn(p, kind, mode, &c, f);
    if (!e) {
        *ret = c;
        return OK;
    }
    set_lock(s);
    p->busy--;
    s->nopen--;
    CHECK(pthread_cond_broadcast(&s->freed) == 0);
    set_unlock(s);
    return e;
}

void pool_give(struct conn *c, bool keep)
{
    struct part *p = c->part;
    struct part_set *s = p->set;
    c->used_mono = clock_mono(s->clock);
    set_lock(s);
    keep = keep && !p->exclusive && s->nopen <= s->open_max;
    if (keep) {
        c->next = s->idle;
        s->idle = c;
    } else {                                       /* closed before it counts as back: the flusher may wait for that */
        set_unlock(s);
        part_file_close(c->file);
        mem_free(c);
        set_lock(s);
        s->nopen--;
    }
    CHECK(p->busy > 0);
    p->busy--;
    CHECK(pthread_cond_broadcast(&s->freed) == 0);
    set_unlock(s);
}

bool pool_exclude(struct part *p, bool wait)
{
    struct part_set *s = p->set;
    set_lock(s);
    CHECK(!p->exclusive);
    bool mine = wait || p->busy == 0;
    p->exclusive = mine;
    while (mine && p->busy > 0)
        CHECK(pthread_cond_wait(&s->freed, &s->lock) == 0);
    struct conn *idle = mine ? retire_idle(s, p, INT64_MAX) : NULL;
    set_unlock(s);
    close_retired(s, idle);
    return mine;
}

void pool_admit(struct part *p)
{
    struct part_set *s = p->set;
    set_lock(s);
    CHECK(p->exclusive);
    p->exclusive = false;
    CHECK(pthread_cond_broadcast(&s->freed) == 0);
    set_unlock(s);
}

void pool_sweep(struct part_set *s, int64_t before_mono)
{
    set_lock(s);
    struct conn *idle = retire_idle(s, NULL, before_mono);
    set_unlock(s);
    close_retired(s, idle);
}
