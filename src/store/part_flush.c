/* store/part_flush.c -- what the flusher does to partitions: write, close, drop.
 *
 *     part_flush_begin   catalogue: writing            one sync
 *     part_write         content file, then main file  one transaction each
 *     part_flush_end     catalogue: as written; a new view
 *
 * States of a partition's files, and who changes them:
 *
 *            part_write, first time              part_tick: old and quiet
 *     none ------------------------> open (WAL) --------------------------> closed
 *                                        ^                                     |
 *                                        +------ part_write: a late row -------+
 *     open or closed -- part_drop --> gone (renamed, closed) -- last view --> none
 *
 * A change of state happens under pool_exclude(), and the order is such that a crash
 * between two steps errs towards "open": an open partition may be in either journal
 * mode, a closed one must not be in WAL mode.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/part_int.h"

enum { OPEN_DAYS = 2, CLOSE_PER_TICK = 8 };
#define QUIET_NS (INT64_C(3600) * NS_PER_S)        /* without a write: may be closed */
#define IDLE_NS  (INT64_C(60) * NS_PER_S)          /* unused connections and lists of chunks */

/* --- states ---------------------------------------------------------------------------- */

static enum err turn_file(struct part *p, enum part_kind kind, enum err (*turn)(struct part_file *, struct fault *), struct fault *f)
{
    char path[PART_PATH_MAX];
    part_path(p, kind, path);
    CLEANUP(part_file_closep) struct part_file *file = NULL;
    enum err e = part_own(p, kind, f);
    if (!e)
        e = part_file_open(path, kind, SQL_WRITE, p->from_ns, p->to_ns, &file, f);
    return e ? e : turn(file, f);
}

/* Both files into or out of WAL mode. The caller has excluded everybody else. */
static enum err turn_files(struct part *p, enum err (*turn)(struct part_file *, struct fault *), struct fault *f)
{
    enum err e = turn_file(p, PART_MAIN, turn, f);
    if (e || !p->content)
        return e;
    e = turn_file(p, PART_CONTENT, turn, f);
    return e == E_NOTFOUND ? OK : e;               /* somebody removed it: so be it */
}

static void set_closed(struct part *p, bool closed)
{
    set_lock(p->set);
    p->closed = closed;
    set_unlock(p->set);
}

enum err part_unseal(struct part *p, struct fault *f)
{
    return turn_files(p, part_file_unseal, f);
}

/* A late row: the files may be written again. */
static enum err reopen(struct part *p, struct fault *f)
{
    CHECK(p->closed && p->writing);
    (void)pool_exclude(p, true);
    enum err e = part_unseal(p, f);
    set_closed(p, false);                          /* also after a failure: in doubt it is open */
    pool_admit(p);
    return e;
}

/* After a failure one file may be sealed and the other not: it is open still, works so,
 * if slower, and the next tick tries again. */
enum err part_seal(struct part *p, struct fault *f)
{
    enum err e = turn_files(p, part_file_seal, f);
    if (!e)
        set_closed(p, true);
    return e;
}

static enum err list_one(struct part *p, struct fault *f)
{
    struct catalog_part c = part_for_catalog(p);
    return catalog_parts_put(p->set->catalog, &c, 1, f);
}

/* --- writing ------------------------------------------------------------------------------ */

/* The partition of a span that part_span_at() gave; made if it is new. */
static struct part *part_of(struct part_set *s, int64_t from_ns)
{
    struct part *p = part_find(s, from_ns);
    if (p)
        return p;
    struct part_span span = part_span_at(s, from_ns);
    CHECK(span.from_ns == from_ns && span.mark == 0);
    return part_add(s, NULL, span.from_ns, span.to_ns);
}

enum err part_flush_begin(struct part_set *s, const int64_t *from_ns, size_t n, struct fault *f)
{
    CLEANUP(mem_freep) struct catalog_part *list = mem_alloc((n + 1) * sizeof *list);
    size_t fresh = 0;
    for (size_t i = 0; i < n; i++) {
        struct part *p = part_of(s, from_ns[i]);
        if (p->writing)
            continue;
        list[fresh] = part_for_catalog(p);
        list[fresh++].writing = true;
    }
    enum err e = fresh ? catalog_parts_put(s->catalog, list, fresh, f) : OK;
    for (size_t i = 0; i < n && !e; i++)
        part_find(s, from_ns[i])->writing = true;
    return e;
}

static bool any_content(const struct part_write *w)
{
    for (uint32_t i = 0; i < w->nchunks; i++)
        for (uint32_t k = 0; k < w->chunks[i].nblobs; k++)
            if (w->chunks[i].blobs[k].content)
                return true;
    return false;
}

/* Content under ids that the main file will use: what it said last counts. */
static enum err write_content(struct part *p, const struct part_write *w, struct fault *f)
{
    bool some = any_content(w);
    if (!some && !p->content)
        return OK;
    struct conn *c;
    enum err e = pool_take(p, PART_CONTENT, some, &c, f);
    if (e == E_NOTFOUND && !some)
        return OK;
    if (e)
        return e;
    if (some)
        e = part_file_write_content(c->file, w, p->head.next_chunk, f);
    else
        e = part_file_drop_orphans(c->file, p->head.next_chunk, f);
    pool_give(c, !e);
    if (e)
        return e;
    set_lock(p->set);
    p->content = true;
    set_unlock(p->set);
    return OK;
}

static enum err write_main(struct conn *c, const uint64_t *old, uint32_t nold, const struct part_write *w, struct fault *f)
{
    struct part *p = c->part;
    struct part_head head = p->head;
    enum err e = nold ? part_file_replace(c->file, old, nold, w, &head, f) : part_file_write(c->file, w, &head, f);
    p->replaced |= nold > 0;
    p->settled = false;
    set_lock(p->set);
    p->head = head;
    p->written_mono = clock_mono(p->set->clock);
    set_unlock(p->set);
    return e;
}

enum err part_sync_folder(struct part_set *s, struct fault *f)
{
    char path[PART_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/part", s->dir);
    CHECK(n > 0 && n < PART_PATH_MAX);
    if (s->ops->sync_dir(s->ops->arg, path))
        return fault_set(f, errno == ENOSPC ? E_UNAVAILABLE : E_IO, 0, "sync %s: %s", path, strerror(errno));
    return OK;
}

/* Its next chunk is in the file alone; the catalogue does not list it. */
static enum err refresh_head(struct conn *c, struct fault *f)
{
    struct part_head head;
    enum err e = part_file_head(c->file, &head, f);
    if (e)
        return e;
    set_lock(c->part->set);
    c->part->head.next_chunk = head.next_chunk;
    set_unlock(c->part->set);
    return OK;
}

static enum err write_part(struct part *p, const uint64_t *old, uint32_t nold, const struct part_write *w, struct fault *f)
{
    CHECK(p && p->writing);
    bool fresh = p->head.generation == 0;
    enum err e = p->closed ? reopen(p, f) : OK;
    struct conn *c;
    if (!e)
        e = pool_take(p, PART_MAIN, fresh, &c, f);
    if (e)
        return e;
    e = refresh_head(c, f);
    if (!e)
        e = write_content(p, w, f);
    if (!e && fresh)
        e = part_sync_folder(p->set, f);
    if (!e)
        e = write_main(c, old, nold, w, f);
    pool_give(c, !e);
    part_measure(p);
    return e;
}

enum err part_write(struct part_set *s, int64_t from_ns, const struct part_write *w, struct fault *f)
{
    struct part *p = part_find(s, from_ns);
    CHECK(p && w->mark >= p->head.mark);
    return write_part(p, NULL, 0, w, f);
}

enum err part_replace(struct part_set *s, int64_t from_ns, const uint64_t *old, uint32_t nold, const struct part_write *w,
                      struct fault *f)
{
    struct part *p = part_find(s, from_ns);
    CHECK(p && w->mark == p->head.mark && nold > 0 && !w->ncarries);
    return write_part(p, old, nold, w, f);
}

enum err part_flush_end(struct part_set *s, struct fault *f)
{
    CLEANUP(mem_freep) struct catalog_part *list = mem_alloc((s->nparts + 1) * sizeof *list);
    size_t n = 0;
    for (uint32_t i = 0; i < s->nparts; i++) {
        struct part *p = s->parts[i];
        if (!p->writing)
            continue;
        part_set_shown(p);
        list[n] = part_for_catalog(p);
        list[n++].writing = false;
    }
    part_show(s);
    enum err e = n ? catalog_parts_put(s->catalog, list, n, f) : OK;
    for (uint32_t i = 0; i < s->nparts && !e; i++)
        s->parts[i]->writing = false;
    return e;
}

/* Into a closed partition: it stays closed, and is written under a rollback journal. A
 * crash leaves that journal, by which the next start knows that it has to look. */
static enum err put_carries_closed(struct part *p, const struct part_carry *carries, size_t n, struct fault *f)
{
    char path[PART_PATH_MAX];
    part_path(p, PART_MAIN, path);
    (void)pool_exclude(p, true);
    CLEANUP(part_file_closep) struct part_file *file = NULL;
    enum err e = part_own(p, PART_MAIN, f);
    if (!e)
        e = part_file_open(path, PART_MAIN, SQL_WRITE, p->from_ns, p->to_ns, &file, f);
    if (!e)
        e = part_file_put_carries(file, carries, n, f);
    part_file_closep(&file);
    pool_admit(p);
    return e;
}

enum err part_carry_put(struct part_set *s, int64_t from_ns, const struct part_carry *carries, size_t n, struct fault *f)
{
    struct part *p = part_find(s, from_ns);
    if (!p || p->head.generation == 0)
        return fault_set(f, E_NOTFOUND, 0, "no partition begins there any more");
    if (p->closed)
        return put_carries_closed(p, carries, n, f);
    struct conn *c;
    enum err e = pool_take(p, PART_MAIN, false, &c, f);
    if (e)
        return e;
    e = part_file_put_carries(c->file, carries, n, f);
    pool_give(c, !e);
    return e;
}

/* --- sweeping -------------------------------------------------------------------------------- */

static enum err sweep_file(struct part *p, enum part_kind kind, const uint64_t *ids, uint32_t n, struct fault *f)
{
    struct conn *c;
    enum err e = pool_take(p, kind, false, &c, f);
    if (e)
        return e == E_NOTFOUND && kind == PART_CONTENT ? OK : e;
    e = part_file_sweep(c->file, ids, n, f);
    pool_give(c, !e);
    return e;
}

/* Content first: a chunk row without content is still there to be swept. */
static enum err sweep(struct part *p, struct fault *f)
{
    struct arena mem;
    struct conn *c;
    uint64_t *ids = NULL;
    uint32_t n = 0;
    bool more = false;
    enum err e = pool_take(p, PART_MAIN, false, &c, f);
    if (e)
        return e;
    arena_init(&mem, (size_t)1 << 20);
    e = part_file_gone(c->file, part_oldest_view(p), &mem, &ids, &n, &more, f);
    pool_give(c, !e);
    if (!e && n)
        e = sweep_file(p, PART_CONTENT, ids, n, f);
    if (!e && n)
        e = sweep_file(p, PART_MAIN, ids, n, f);
    if (!e)
        p->replaced = more;
    arena_done(&mem);
    return e;
}

enum err part_sweep(struct part_set *s, struct fault *f)
{
    enum err first = OK;
    for (uint32_t i = 0; i < s->nparts; i++) {
        struct part *p = s->parts[i];
        if (!p->replaced || p->closed || p->head.generation == 0)
            continue;
        enum err e = sweep(p, first ? NULL : f);
        first = first ? first : e;
    }
    return first;
}

/* --- closing, dropping -------------------------------------------------------------------------- */

/* Old, and quiet for a while. */
static bool is_ripe(const struct part *p, int64_t now, int64_t mono)
{
    if (p->closed || p->writing || p->head.generation == 0)
        return false;
    if (p->written_mono && mono - p->written_mono < QUIET_NS)
        return false;
    return now - OPEN_DAYS * NS_PER_DAY >= p->to_ns;
}

enum part_age part_age(struct part_set *s, int64_t from_ns)
{
    const struct part *p = part_find(s, from_ns);
    if (!p || p->closed)
        return p && p->writing ? PART_OPEN : PART_CLOSED;
    if (!is_ripe(p, clock_now(s->clock), clock_mono(s->clock)))
        return PART_OPEN;
    return p->settled ? PART_SETTLED : PART_RIPE;
}

void part_settled(struct part_set *s, int64_t from_ns)
{
    struct part *p = part_find(s, from_ns);
    if (p)
        p->settled = true;
}

static bool may_close(const struct part *p, int64_t now, int64_t mono)
{
    return is_ripe(p, now, mono) && !p->replaced && (p->settled || !p->set->opts.compacts);
}

enum err part_tick(struct part_set *s, struct fault *f)
{
    int64_t now = clock_now(s->clock), mono = clock_mono(s->clock);
    unsigned closed = 0;
    enum err swept = part_sweep(s, f);
    if (swept && swept != E_UNAVAILABLE)
        return swept;
    for (uint32_t i = 0; i < s->nparts && closed < CLOSE_PER_TICK; i++) {
        struct part *p = s->parts[i];
        if (!may_close(p, now, mono) || !pool_exclude(p, false))
            continue;
        enum err e = part_seal(p, f);
        pool_admit(p);
        if (e == E_UNAVAILABLE)                    /* a full disk, or another program has it open */
            continue;
        if (e)
            return e;
        part_measure(p);
        e = list_one(p, f);
        if (e)
            return e;
        closed++;
    }
    pool_sweep(s, mono - IDLE_NS);
    lists_sweep(s, mono - IDLE_NS);
    return OK;
}

/* After a clean close there is nothing. */
void part_remove_beside(struct part_set *s, const char *path)
{
    static const char *const ends[] = { "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < LEN(ends); i++) {
        char beside[PART_PATH_MAX + 8];
        (void)snprintf(beside, sizeof beside, "%s%s", path, ends[i]);
        (void)s->ops->unlink(s->ops->arg, beside);
    }
}

enum err part_rename(struct part_set *s, const char *from, const char *to, struct fault *f)
{
    if (s->ops->rename(s->ops->arg, from, to) && errno != ENOENT)
        return fault_set(f, E_IO, 0, "rename %s: %s", from, strerror(errno));
    return OK;
}

static enum err rename_gone(struct part *p, uint32_t gone, struct fault *f)
{
    static const enum part_kind order[] = { PART_CONTENT, PART_MAIN };    /* a start looks for the main file */
    struct part_set *s = p->set;
    for (size_t i = 0; i < LEN(order); i++) {
        char from[PART_PATH_MAX], to[PART_PATH_MAX];
        part_path_as(p, order[i], 0, from);
        part_path_as(p, order[i], gone, to);
        enum err e = part_rename(s, from, to, f);
        if (e)
            return e;
        part_remove_beside(s, from);
    }
    return OK;
}

enum err part_drop(struct part_set *s, int64_t from_ns, struct fault *f)
{
    struct part *p = part_find(s, from_ns);
    CHECK(p);
    (void)pool_exclude(p, true);
    uint32_t gone = ++s->gone_count;
    enum err e = p->head.generation && !p->closed ? part_seal(p, f) : OK;
    if (e == E_CORRUPT || e == E_NOTFOUND)         /* no reason to keep it */
        e = OK;
    if (!e)
        e = rename_gone(p, gone, f);
    if (!e) {
        set_lock(s);
        p->gone = gone;
        set_unlock(s);
    }
    pool_admit(p);
    if (e)
        return e;
    e = catalog_parts_remove(s->catalog, p->name, f);
    part_forget(s, p);
    part_show(s);
    return e;
}

enum err part_drop_content(struct part_set *s, int64_t from_ns, struct fault *f)
{
    struct part *p = part_find(s, from_ns);
    CHECK(p);
    if (!p->content)
        return OK;
    (void)pool_exclude(p, true);
    char path[PART_PATH_MAX];
    part_path(p, PART_CONTENT, path);
    bool failed = s->ops->unlink(s->ops->arg, path) && errno != ENOENT;
    enum err e = failed ? fault_set(f, E_IO, 0, "unlink %s: %s", path, strerror(errno)) : OK;
    part_remove_beside(s, path);
    if (!e) {
        set_lock(s);
        p->content = false;
        set_unlock(s);
    }
    pool_admit(p);
    if (e)
        return e;
    part_measure(p);
    return list_one(p, f);
}

enum err part_quarantine(struct part_set *s, int64_t from_ns, struct fault *f)
{
    struct part *p = part_find(s, from_ns);
    CHECK(p);
    (void)pool_exclude(p, true);
    enum err e = part_set_aside(s, p->name, f);
    pool_admit(p);
    if (e)
        return e;
    e = catalog_parts_remove(s->catalog, p->name, f);
    part_forget(s, p);
    part_show(s);
    return e;
}
