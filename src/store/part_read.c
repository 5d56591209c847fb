/* store/part_read.c -- reading partitions: lists of chunks, blobs, carries.
 *
 * Lists of chunks are kept, the newest of each partition, up to a bound for all
 * together; the ones not used for the longest time go first. A list belongs to a
 * generation: a view that is older than the kept list gets one of its own.
 */
#include <string.h>

#include "store/part_int.h"

#define LISTS_MAX_BYTES ((size_t)64 << 20)         /* kept, decoded, of all partitions */
#define LIST_MAX_BYTES  ((size_t)64 << 20)         /* one */

/* --- lists of chunks --------------------------------------------------------------------- */

void chunk_list_unref(struct chunk_list *l)
{
    if (!l || __atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    arena_done(&l->mem);
    mem_free(l);
}

static struct chunk_list *chunk_list_ref(struct chunk_list *l)
{
    CHECK(__atomic_fetch_add(&l->refs, 1, __ATOMIC_RELAXED) > 0);
    return l;
}

/* Takes the kept list from a part; the caller ends its reference without the lock. */
static struct chunk_list *list_take(struct part *p)
{
    struct chunk_list *l = TAKE(p->list);
    if (l)
        p->set->list_bytes -= arena_used(&l->mem);
    return l;
}

void list_drop(struct part *p)
{
    set_lock(p->set);
    struct chunk_list *l = list_take(p);
    set_unlock(p->set);
    chunk_list_unref(l);
}

static struct part *oldest_list(struct part_set *s, const struct part *but)
{
    struct part *found = NULL;
    for (uint32_t i = 0; i < s->nparts; i++) {
        struct part *p = s->parts[i];
        if (p->list && p != but && (!found || p->list_mono < found->list_mono))
            found = p;
    }
    return found;
}

/* Keeps the list if it is the newest, and lets others go that are too much then. */
static void list_keep(struct part *p, struct chunk_list *l)
{
    struct part_set *s = p->set;
    set_lock(s);
    struct chunk_list *old = NULL;
    if (!p->list || p->list->generation < l->generation) {
        old = list_take(p);
        p->list = chunk_list_ref(l);
        p->list_mono = clock_mono(s->clock);
        s->list_bytes += arena_used(&l->mem);
    }
    set_unlock(s);
    chunk_list_unref(old);

    for (;;) {
        set_lock(s);
        struct part *out = s->list_bytes > LISTS_MAX_BYTES ? oldest_list(s, p) : NULL;
        struct chunk_list *gone = out ? list_take(out) : NULL;
        set_unlock(s);
        if (!gone)
            return;
        chunk_list_unref(gone);
    }
}

void lists_sweep(struct part_set *s, int64_t before_mono)
{
    for (uint32_t i = 0; i < s->nparts; i++) {     /* the flusher's: the list of parts is its own */
        set_lock(s);
        struct part *p = s->parts[i];
        struct chunk_list *gone = p->list && p->list_mono < before_mono ? list_take(p) : NULL;
        set_unlock(s);
        chunk_list_unref(gone);
    }
}

static struct chunk_list *list_kept(const struct part_item *it)
{
    struct part *p = it->part;
    struct chunk_list *l = NULL;
    set_lock(p->set);
    if (p->list && p->list->generation == it->generation) {
        l = chunk_list_ref(p->list);
        p->list_mono = clock_mono(p->set->clock);
    }
    set_unlock(p->set);
    return l;
}

static enum err list_load(const struct part_item *it, struct chunk_list **ret, struct fault *f)
{
    struct conn *c;
    enum err e = pool_take(it->part, PART_MAIN, false, &c, f);
    if (e)
        return e;
    struct chunk_list *l = mem_alloc(sizeof *l);
    *l = (struct chunk_list){ .refs = 1, .generation = it->generation };
    arena_init(&l->mem, LIST_MAX_BYTES);
    struct chunk_ref *at = NULL;
    e = part_file_chunks(c->file, it->generation, &l->mem, &at, &l->n, f);
    l->at = at;
    pool_give(c, e != E_CORRUPT);
    if (e) {
        chunk_list_unref(l);
        return e;
    }
    *ret = l;
    return OK;
}

enum err part_chunks(const struct part_item *it, struct chunk_list **ret, struct fault *f)
{
    struct chunk_list *l = list_kept(it);
    if (!l) {
        enum err e = list_load(it, &l, f);
        if (e)
            return e;
        list_keep(it->part, l);
    }
    *ret = l;
    return OK;
}

/* --- blobs -------------------------------------------------------------------------------------- */

static bool in_content(const struct chunk_ref *c, uint32_t column)
{
    if (column < CHUNK_ATTRS)
        return false;
    uint32_t i = column - CHUNK_ATTRS;             /* columns are numbered in the order of the summary */
    CHECK(i < c->sum.ncols && c->sum.cols[i].column == column);
    return c->sum.cols[i].content;
}

/* Reads those of the columns that are in one of the two files. */
static enum err read_from(const struct part_item *it, const struct chunk_ref *c, enum part_kind kind,
                          const uint32_t *columns, size_t n, struct arena *mem, struct str *ret, struct fault *f)
{
    struct conn *conn;
    enum err e = pool_take(it->part, kind, false, &conn, f);
    if (e)
        return e;
    for (size_t i = 0; i < n && !e; i++)
        if (in_content(c, columns[i]) == (kind == PART_CONTENT))
            e = part_file_column(conn->file, c->id, columns[i], mem, &ret[i], f);
    pool_give(conn, e != E_CORRUPT);
    return e;
}

enum err part_read(const struct part_item *it, const struct chunk_ref *c, const uint32_t *columns, size_t n,
                   struct arena *mem, struct str *ret, struct fault *f)
{
    size_t content = 0;
    for (size_t i = 0; i < n; i++) {
        ret[i] = (struct str){ 0 };
        content += in_content(c, columns[i]);
    }
    enum err e = content < n ? read_from(it, c, PART_MAIN, columns, n, mem, ret, f) : OK;
    if (e || !content)
        return e;
    e = read_from(it, c, PART_CONTENT, columns, n, mem, ret, f);
    return e == E_NOTFOUND ? OK : e;               /* its retention has passed: absent */
}

bool part_has_content(const struct part_item *it)
{
    struct part_set *s = it->part->set;
    set_lock(s);
    bool has = it->part->content;
    set_unlock(s);
    return has;
}

enum err part_filter(const struct part_item *it, const struct chunk_ref *c, struct arena *mem, struct str *ret, struct fault *f)
{
    struct conn *conn;
    enum err e = pool_take(it->part, PART_MAIN, false, &conn, f);
    if (e)
        return e;
    e = part_file_filter(conn->file, c->id, mem, ret, f);
    pool_give(conn, e != E_CORRUPT);
    return e;
}

enum err part_carry_get(const struct part_item *it, struct part_carry *carries, size_t n, bool *ret_found, struct fault *f)
{
    struct conn *conn;
    enum err e = pool_take(it->part, PART_MAIN, false, &conn, f);
    if (e)
        return e;
    for (size_t i = 0; i < n && !e; i++)
        e = part_file_carry(conn->file, &carries[i], &ret_found[i], f);
    pool_give(conn, e != E_CORRUPT);
    return e;
}
