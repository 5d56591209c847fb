/* store/part_rewrite.c -- a new file in place of a partition's, or of all of a month.
 *
 *     begin    NAME.new, NAME.content.new: no journal, nothing synced
 *     keep     chunks copied blob by blob            put    chunks encoded anew
 *     end      both finished: synced, then given a generation above the old ones
 *              the catalogue says `writing`
 *              old files -> NAME.N.gone, new files -> NAME.db     content first
 *              one exchange in the list, one new view, the catalogue
 *
 * What a start makes of a crash, by what lies there (part_open.c):
 *
 *  1. An unfinished NAME.new (generation 0) never was; it is removed, content too.
 *  2. A finished NAME.new beside a NAME.db of a lower generation, or beside none, is the
 *     newer truth: the renames are done again. Had the old file been written after the
 *     new one was finished, its generation would be as high; the new one is removed.
 *  3. NAME.content.new without NAME.new is removed: content comes first on the way out.
 *
 * A month is a name that was not there before, so its one rename is the moment; a file
 * that is not renamed is called NAME.tmp and is removed by a start. What a crash leaves
 * of its days is known by `writing` and by lying inside the month.
 *
 * Chunks get new ids, from the old file's next_chunk on: whatever is left of the old
 * content file is never taken for content of the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/part_int.h"

/* A partition that goes into the new file, as it was at the beginning. */
struct origin_part {
    struct part *part;                             /* counted */
    uint64_t generation;
    bool content;
};

struct part_rewrite {
    struct part_set *set;
    struct origin_part *from;
    uint32_t nfrom;
    char name[CATALOG_NAME_MAX];
    bool month;
    struct part_head head;                         /* what the new file has, so far */
    struct part_file *main, *content;              /* content: NULL if no source has any */
};

/* --- paths ------------------------------------------------------------------------------ */

static void new_path(const struct part_rewrite *r, enum part_kind kind, char out[PART_PATH_MAX])
{
    int n = snprintf(out, PART_PATH_MAX, "%s/part/%s%s.%s", r->set->dir, r->name, kind == PART_CONTENT ? ".content" : "",
                     r->month ? "tmp" : "new");
    CHECK(n > 0 && n < PART_PATH_MAX);
}

static enum err remove_path(struct part_set *s, const char *path, struct fault *f)
{
    part_remove_beside(s, path);
    if (s->ops->unlink(s->ops->arg, path) && errno != ENOENT)
        return fault_set(f, E_IO, 0, "unlink %s: %s", path, strerror(errno));
    return OK;
}

/* Main first: content without it is nothing. */
static enum err remove_new(struct part_rewrite *r, struct fault *f)
{
    enum err e = OK;
    for (enum part_kind k = PART_MAIN; k <= PART_CONTENT && !e; k++) {
        char path[PART_PATH_MAX];
        new_path(r, k, path);
        e = remove_path(r->set, path, f);
    }
    return e;
}

/* --- beginning ---------------------------------------------------------------------------- */

static void close_files(struct part_rewrite *r)
{
    part_file_closep(&r->main);
    part_file_closep(&r->content);
}

void part_rewrite_drop(struct part_rewrite *r)
{
    if (!r)
        return;
    close_files(r);
    enum err e = remove_new(r, NULL);
    (void)e;                                       /* what stays is removed at the next start */
    for (uint32_t i = 0; i < r->nfrom; i++)
        part_unref(r->from[i].part);
    mem_free(r->from);
    mem_free(r);
}

static void rewrite_dropp(struct part_rewrite **r)
{
    part_rewrite_drop(*r);
    *r = NULL;
}

static void add_source(struct part_rewrite *r, struct part *p)
{
    set_lock(r->set);
    p->refs++;
    set_unlock(r->set);
    r->from[r->nfrom++] = (struct origin_part){ p, p->head.generation, p->content };
    r->head.generation = MAX(r->head.generation, p->head.generation + 1);
    r->head.mark = MAX(r->head.mark, p->head.mark);
}

static enum err create(struct part_rewrite *r, enum part_kind kind, struct part_file **ret, struct fault *f)
{
    char path[PART_PATH_MAX];
    new_path(r, kind, path);
    return part_file_create(path, kind, r->head.from_ns, r->head.to_ns, ret, f);
}

static enum err create_files(struct part_rewrite *r, struct fault *f)
{
    bool content = false;
    for (uint32_t i = 0; i < r->nfrom; i++)
        content |= r->from[i].content;
    enum err e = remove_new(r, f);
    if (!e)
        e = create(r, PART_MAIN, &r->main, f);
    return !e && content ? create(r, PART_CONTENT, &r->content, f) : e;
}

static struct part_rewrite *rewrite_new(struct part_set *s, int64_t from_ns, int64_t to_ns, const char *name)
{
    struct part_rewrite *r = mem_alloc(sizeof *r);
    *r = (struct part_rewrite){ .set = s, .from = mem_alloc((s->nparts + 1) * sizeof *r->from) };
    r->head = (struct part_head){ .from_ns = from_ns, .to_ns = to_ns, .next_chunk = 1 };
    (void)snprintf(r->name, sizeof r->name, "%s", name);
    return r;
}

/* The next chunk of a file is in the file alone. */
static enum err read_next_chunk(struct part_rewrite *r, struct part *p, struct fault *f)
{
    struct conn *c;
    struct part_head head;
    enum err e = pool_take(p, PART_MAIN, false, &c, f);
    if (e)
        return e;
    e = part_file_head(c->file, &head, f);
    pool_give(c, !e);
    if (!e)
        r->head.next_chunk = head.next_chunk;
    return e;
}

enum err part_rewrite_begin(struct part_set *s, int64_t from_ns, struct part_rewrite **ret, struct fault *f)
{
    struct part *p = part_find(s, from_ns);
    if (!p || p->head.generation == 0)
        return fault_set(f, E_NOTFOUND, 0, "no partition begins there any more");
    CLEANUP(rewrite_dropp) struct part_rewrite *r = rewrite_new(s, p->from_ns, p->to_ns, p->name);
    add_source(r, p);
    enum err e = read_next_chunk(r, p, f);
    if (!e)
        e = create_files(r, f);
    if (!e)
        *ret = TAKE(r);
    return e;
}

enum err part_rewrite_month(struct part_set *s, int64_t time_ns, struct part_rewrite **ret, struct fault *f)
{
    int64_t from_ns, to_ns;
    char name[CATALOG_NAME_MAX];
    part_month(time_ns, &from_ns, &to_ns, name);
    CLEANUP(rewrite_dropp) struct part_rewrite *r = rewrite_new(s, from_ns, to_ns, name);
    r->month = true;
    for (uint32_t i = 0; i < s->nparts; i++) {
        struct part *p = s->parts[i];
        if (p->to_ns <= from_ns || p->from_ns >= to_ns)
            continue;
        if (p->from_ns < from_ns || p->to_ns > to_ns || !p->closed || p->writing || !strcmp(p->name, name))
            return fault_set(f, E_UNAVAILABLE, 0, "partition %s cannot become part of the month %s now", p->name, name);
        add_source(r, p);
    }
    if (!r->nfrom)
        return fault_set(f, E_NOTFOUND, 0, "the month %s has no partitions", name);
    enum err e = create_files(r, f);
    if (!e)
        *ret = TAKE(r);
    return e;
}

/* --- filling -------------------------------------------------------------------------------- */

static enum err begin_both(struct part_rewrite *r, struct fault *f)
{
    enum err e = sql_begin(r->main->db, f);
    return !e && r->content ? sql_begin(r->content->db, f) : e;
}

static enum err commit_both(struct part_rewrite *r, enum err e, struct fault *f)
{
    if (!e && r->content)
        e = sql_commit(r->content->db, f);
    if (!e)
        e = sql_commit(r->main->db, f);
    if (r->content)
        sql_rollback(r->content->db);
    sql_rollback(r->main->db);
    return e;
}

static enum err keep_content(struct part_rewrite *r, struct part *p, const uint64_t *ids, uint32_t n, uint64_t first, struct fault *f)
{
    struct conn *c;
    if (!r->content)
        return OK;
    enum err e = pool_take(p, PART_CONTENT, false, &c, f);
    if (e)
        return e == E_NOTFOUND ? OK : e;           /* its retention has passed, or it never had any */
    for (uint32_t i = 0; i < n && !e; i++)
        e = part_file_copy_content(r->content, c->file, ids[i], first + i, f);
    pool_give(c, !e);
    return e;
}

static enum err keep_main(struct part_rewrite *r, struct part *p, const uint64_t *ids, uint32_t n, struct fault *f)
{
    struct conn *c;
    enum err e = pool_take(p, PART_MAIN, false, &c, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < n && !e; i++)
        e = part_file_copy(r->main, c->file, ids[i], &r->head, r->head.generation, f);
    pool_give(c, !e);
    return e;
}

enum err part_rewrite_keep(struct part_rewrite *r, const struct part_item *it, const uint64_t *ids, uint32_t n, struct fault *f)
{
    uint64_t first = r->head.next_chunk;
    enum err e = begin_both(r, f);
    if (!e)
        e = keep_main(r, it->part, ids, n, f);
    if (!e)
        e = keep_content(r, it->part, ids, n, first, f);
    return commit_both(r, e, f);
}

static bool any_content(const struct chunk_out *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < c[i].nblobs; k++)
            if (c[i].blobs[k].content)
                return true;
    return false;
}

enum err part_rewrite_put(struct part_rewrite *r, const struct chunk_out *chunks, uint32_t n, struct fault *f)
{
    enum err e = OK;
    if (any_content(chunks, n) && !r->content)
        e = create(r, PART_CONTENT, &r->content, f);
    if (!e)
        e = begin_both(r, f);
    if (!e)
        e = part_file_put_chunks(r->main, chunks, n, r->head.next_chunk, r->head.generation, f);
    if (!e && r->content)
        e = part_file_put_content(r->content, chunks, n, r->head.next_chunk, f);
    for (uint32_t i = 0; i < n && !e; i++)
        part_head_add(&r->head, chunks[i].table, chunks[i].rows, chunks[i].t0, chunks[i].t1);
    r->head.next_chunk += n;
    return commit_both(r, e, f);
}

/* --- ending: the new files ---------------------------------------------------------------------- */

/* What the new file is to stand for is what it was made of: also no day came into the month. */
static enum err unchanged(const struct part_rewrite *r, struct fault *f)
{
    uint32_t inside = 0;
    for (uint32_t i = 0; i < r->set->nparts; i++)
        inside += r->set->parts[i]->to_ns > r->head.from_ns && r->set->parts[i]->from_ns < r->head.to_ns;
    if (inside != r->nfrom)
        return fault_set(f, E_UNAVAILABLE, 0, "%s: a partition came or went meanwhile", r->name);
    for (uint32_t i = 0; i < r->nfrom; i++) {
        const struct origin_part *x = &r->from[i];
        if (part_find(r->set, x->part->from_ns) != x->part || x->part->head.generation != x->generation ||
            x->part->content != x->content)
            return fault_set(f, E_UNAVAILABLE, 0, "partition %s was changed meanwhile", x->part->name);
    }
    return OK;
}

static enum err same_rows(const struct part_rewrite *r, struct fault *f)
{
    for (int t = 0; t < TABLE_COUNT; t++) {
        uint64_t before = 0;
        for (uint32_t i = 0; i < r->nfrom; i++)
            before += r->from[i].part->head.rows[t];
        if (before != r->head.rows[t])
            return fault_set(f, E_CORRUPT, 0, "partition %s: %llu rows were to become %llu", r->name, (unsigned long long)before,
                             (unsigned long long)r->head.rows[t]);
    }
    return OK;
}

/* Those of the first one say what came before all of them. */
static enum err take_carries(struct part_rewrite *r, struct fault *f)
{
    struct conn *c;
    enum err e = pool_take(r->from[0].part, PART_MAIN, false, &c, f);
    if (e)
        return e;
    e = sql_begin(r->main->db, f);
    if (!e)
        e = part_file_copy_carries(r->main, c->file, f);
    if (!e)
        e = sql_commit(r->main->db, f);
    sql_rollback(r->main->db);
    pool_give(c, !e);
    return e;
}

/* Content has no generation of its own to be judged by: what counts is the main file's. */
static enum err finish(struct part_rewrite *r, struct fault *f)
{
    enum err e = r->content ? part_file_finish(r->content, &r->head, f) : OK;
    if (!e)
        e = part_file_finish(r->main, &r->head, f);
    close_files(r);
    return e ? e : part_sync_folder(r->set, f);
}

/* --- ending: the exchange -------------------------------------------------------------------------- */

/* Renames in their order; undone in the contrary one. */
struct renames {
    char from[4][PART_PATH_MAX], to[4][PART_PATH_MAX];
    uint32_t n;
};

static void add_rename(struct renames *x, const char *from, const char *to)
{
    CHECK(x->n < LEN(x->from));
    (void)snprintf(x->from[x->n], PART_PATH_MAX, "%s", from);
    (void)snprintf(x->to[x->n++], PART_PATH_MAX, "%s", to);
}

static void undo_renames(struct part_set *s, const struct renames *x, uint32_t n)
{
    while (n-- > 0) {
        enum err e = part_rename(s, x->to[n], x->from[n], NULL);
        (void)e;                                   /* the next start makes the best of it */
    }
}

static enum err do_renames(struct part_set *s, const struct renames *x, struct fault *f)
{
    for (uint32_t i = 0; i < x->n; i++) {
        enum err e = part_rename(s, x->from[i], x->to[i], f);
        if (e) {
            undo_renames(s, x, i);
            return e;
        }
    }
    return OK;
}

static struct part *fresh_part(struct part_rewrite *r)
{
    struct part *p = part_new(r->set, r->name, r->head.from_ns, r->head.to_ns);
    p->head = r->head;
    p->closed = true;
    p->writing = true;
    return p;
}

/* The one partition under its own name: nobody has its files open meanwhile. */
static enum err exchange_one(struct part_rewrite *r, struct part *fresh, struct fault *f)
{
    static const enum part_kind order[] = { PART_CONTENT, PART_MAIN };
    struct part_set *s = r->set;
    struct part *old = r->from[0].part;
    CLEANUP(mem_freep) struct renames *x = mem_alloc(sizeof *x);
    uint32_t gone = ++s->gone_count;
    for (size_t i = 0; i < LEN(order); i++) {
        char from[PART_PATH_MAX], to[PART_PATH_MAX];
        part_path_as(old, order[i], 0, from);
        part_path_as(old, order[i], gone, to);
        if (order[i] == PART_MAIN || old->content)
            add_rename(x, from, to);
        new_path(r, order[i], to);
        if (order[i] == PART_MAIN || fresh->content)
            add_rename(x, to, from);
    }
    (void)pool_exclude(old, true);
    enum err e = old->closed ? OK : part_seal(old, f);
    if (!e)
        e = do_renames(s, x, f);
    if (!e) {
        set_lock(s);
        old->gone = gone;
        set_unlock(s);
    }
    pool_admit(old);
    return e;
}

/* The old files stay: the catalogue need not say `writing` of them any more. */
static enum err give_up(struct part_rewrite *r, struct part *fresh, enum err e)
{
    part_unref(fresh);
    enum err unlisted = part_flush_end(r->set, NULL);
    return e ? e : unlisted;
}

static enum err show_one(struct part_rewrite *r, struct part *fresh, struct fault *f)
{
    struct part *old = r->from[0].part;
    enum err e = part_flush_begin(r->set, &old->from_ns, 1, f);
    if (!e)
        e = exchange_one(r, fresh, f);
    if (e)
        return give_up(r, fresh, e);
    part_exchange(r->set, &old, 1, fresh);
    part_measure(fresh);
    e = part_sync_folder(r->set, f);               /* a failure: the next start finds either file */
    enum err shown = part_flush_end(r->set, e ? NULL : f);
    return e ? e : shown;
}

/* The month's file is there: from now on its days are nothing but names. */
static void retire_days(struct part_rewrite *r, struct part **days, const char **names, uint32_t *ret_nnames)
{
    static const enum part_kind order[] = { PART_CONTENT, PART_MAIN };
    struct part_set *s = r->set;
    for (uint32_t i = 0; i < r->nfrom; i++) {
        struct part *p = days[i] = r->from[i].part;
        uint32_t gone = ++s->gone_count;
        bool renamed = true;
        (void)pool_exclude(p, true);
        for (size_t k = 0; k < LEN(order); k++) {
            char from[PART_PATH_MAX], to[PART_PATH_MAX];
            part_path_as(p, order[k], 0, from);
            part_path_as(p, order[k], gone, to);
            renamed = renamed && !part_rename(s, from, to, NULL);
        }
        set_lock(s);
        p->gone = renamed ? gone : 0;
        p->doomed = true;
        set_unlock(s);
        pool_admit(p);
        if (renamed)                               /* else it stays listed as being written: the next start removes it */
            names[(*ret_nnames)++] = p->name;
    }
}

static enum err show_month(struct part_rewrite *r, struct part *fresh, struct fault *f)
{
    struct part_set *s = r->set;
    CLEANUP(mem_freep) struct renames *x = mem_alloc(sizeof *x);
    CLEANUP(mem_freep) int64_t *from_ns = mem_alloc(r->nfrom * sizeof *from_ns);
    CLEANUP(mem_freep) struct part **days = mem_alloc(r->nfrom * sizeof(struct part *));
    CLEANUP(mem_freep) const char **names = mem_alloc(r->nfrom * sizeof(const char *));
    uint32_t nnames = 0;
    for (uint32_t i = 0; i < r->nfrom; i++)
        from_ns[i] = r->from[i].part->from_ns;
    for (enum part_kind k = PART_CONTENT + 1; k-- > PART_MAIN;) {
        char from[PART_PATH_MAX], to[PART_PATH_MAX];
        new_path(r, k, from);
        part_path_as(fresh, k, 0, to);
        if (k == PART_MAIN || fresh->content)
            add_rename(x, from, to);
    }
    enum err e = part_flush_begin(s, from_ns, r->nfrom, f);
    if (!e)
        e = do_renames(s, x, f);
    if (!e && (e = part_sync_folder(s, f)))        /* before the days go */
        undo_renames(s, x, x->n);
    if (e)
        return give_up(r, fresh, e);
    retire_days(r, days, names, &nnames);
    part_exchange(s, days, r->nfrom, fresh);
    part_measure(fresh);
    part_set_shown(fresh);
    part_show(s);
    struct catalog_part c = part_for_catalog(fresh);
    c.writing = false;
    e = catalog_parts_exchange(s->catalog, names, nnames, &c, f);
    fresh->writing = e != OK;
    return e;
}

enum err part_rewrite_end(struct part_rewrite *r, unsigned how, struct fault *f)
{
    CLEANUP(rewrite_dropp) UNUSED struct part_rewrite *own = r;
    bool empty = r->head.rows[TABLE_SAMPLE] + r->head.rows[TABLE_LOG] + r->head.rows[TABLE_SPAN] == 0;
    enum err e = unchanged(r, f);
    if (!e && !(how & REWRITE_FEWER_ROWS))
        e = same_rows(r, f);
    if (!e && empty && !r->month)
        return part_drop(r->set, r->from[0].part->from_ns, f);
    if (!e && !(how & REWRITE_NO_CARRIES))
        e = take_carries(r, f);
    bool content = r->content != NULL;
    if (!e)
        e = finish(r, f);
    if (e)
        return e;
    struct part *fresh = fresh_part(r);
    fresh->content = content;
    return r->month ? show_month(r, fresh, f) : show_one(r, fresh, f);
}
