/* store/erase_rows.c -- one partition without the rows of somebody.
 *
 * First only the columns that say whose a row is are read, of chunks that may have one:
 * a partition without any is left as it is. Else it is written anew: a chunk without such
 * rows is copied, of the others the rest is encoded again. Old files have the rows on pages
 * that nobody refers to any more, so nothing is deleted in place.
 */
#include "store/store_int.h"

/* May the chunk have a row of one of them? Told by what its summary lists, and by its
 * filter of sessions; both are exact about what is not there. */
static bool column_may(const struct chunk_col *col, const struct targets *t, enum whose w, struct arena scratch)
{
    const struct map *m = w == WHOSE_SESSION ? &t->sessions : &t->users;
    if (!m->n || !col->values)
        return m->n > 0;
    for (uint32_t i = 0; i < col->nvalues; i++)
        if (map_get(m, value_text_in(&col->values[i], &scratch)) != MAP_NONE)
            return true;
    return false;
}

static bool whose_column(const struct colkey *key)
{
    return whose_of(key->name) != WHOSE_NOBODY;
}

/* Does the chunk's filter know one of the sessions? */
static enum err filter_may(const struct part_item *it, const struct chunk_ref *c, const struct targets *t, struct arena scratch, bool *ret,
                           struct fault *f)
{
    struct str filter;
    enum err e = t->nids ? part_filter(it, c, &scratch, &filter, f) : OK;
    *ret = false;
    for (uint32_t i = 0; i < t->nids && !e && !*ret; i++)
        e = chunk_filter_test(filter, t->ids[i], ret, f);
    return e;
}

static enum err chunk_may(const struct part_item *it, const struct chunk_ref *c, const struct targets *t, struct arena scratch, bool *ret,
                          struct fault *f)
{
    *ret = false;
    bool session = false;
    for (uint32_t i = 0; i < c->sum.ncols && !*ret; i++) {
        enum whose w = whose_of(c->sum.cols[i].key.name);
        bool may = w && column_may(&c->sum.cols[i], t, w, scratch);
        session |= may && w == WHOSE_SESSION;
        *ret = may && w != WHOSE_SESSION;
    }
    return *ret || !session ? OK : filter_may(it, c, t, scratch, ret, f);
}

static void select_all(struct block *b, struct arena *mem)
{
    uint32_t *all = arena_raw(mem, uint32_t, b->n + 1);
    for (uint32_t i = 0; i < b->n; i++)
        all[i] = i;
    b->sel = all;
    b->nsel = b->n;
}

/* How many rows of the chunk go. */
static enum err count_hits(const struct part_item *it, const struct chunk_ref *c, const struct targets *t, uint32_t *ret, struct fault *f)
{
    struct arena mem;
    struct block b = { 0 };
    uint32_t *sel;
    *ret = 0;
    arena_init(&mem, SCAN_ARENA_BYTES);
    bool may;
    enum err e = chunk_may(it, c, t, mem, &may, f);
    if (!e && may) {
        e = store_read_chunk(it, c, whose_column, &mem, &b, f);
        if (!e) {
            select_all(&b, &mem);
            targets_find(t, &b, &mem, &sel, ret);
        }
    }
    arena_done(&mem);
    return e;
}

/* b->sel without what is in gone[0 .. n), both ascending. */
static void leave_rows(struct block *b, const uint32_t *gone, uint32_t n, struct arena *mem)
{
    uint32_t *left = arena_raw(mem, uint32_t, b->nsel + 1), nleft = 0, k = 0;
    for (uint32_t i = 0; i < b->nsel; i++) {
        if (k < n && gone[k] == b->sel[i])
            k++;
        else
            left[nleft++] = b->sel[i];
    }
    b->sel = left;
    b->nsel = nleft;
}

static enum err put_rest(struct part_rewrite *r, const struct part_item *it, const struct chunk_ref *c, const struct targets *t,
                         struct fault *f)
{
    struct arena mem;
    struct block b = { 0 };
    uint32_t *gone, n;
    arena_init(&mem, SCAN_ARENA_BYTES * 4);
    enum err e = store_read_chunk(it, c, NULL, &mem, &b, f);
    if (!e) {
        select_all(&b, &mem);
        targets_find(t, &b, &mem, &gone, &n);
        leave_rows(&b, gone, n, &mem);
    }
    if (!e && b.nsel) {
        struct chunk_out out;
        e = chunk_encode(c->sum.table, &b, c->sum.level, &mem, &out, f);
        if (!e)
            e = part_rewrite_put(r, &out, 1, f);
    }
    arena_done(&mem);
    return e;
}

static enum err write_anew(struct store *s, const struct part_item *it, const struct chunk_list *l, const uint32_t *hits,
                           const struct targets *t, struct fault *f)
{
    struct part_rewrite *r;
    enum err e = part_rewrite_begin(s->parts, it->from_ns, &r, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < l->n && !e; i++)
        e = hits[i] ? put_rest(r, it, &l->at[i], t, f) : part_rewrite_keep(r, it, &l->at[i].id, 1, f);
    if (!e)
        return part_rewrite_end(r, REWRITE_FEWER_ROWS | REWRITE_NO_CARRIES, f);
    part_rewrite_drop(r);
    return e;
}

enum err erase_partition(struct store *s, const struct part_item *it, const struct targets *t, uint64_t rows[TABLE_COUNT],
                         bool *ret_written, struct fault *f)
{
    struct chunk_list *l;
    enum err e = part_chunks(it, &l, f);
    if (e)
        return e;
    CLEANUP(mem_freep) uint32_t *hits = mem_alloc((l->n + 1) * sizeof *hits);
    uint64_t n[TABLE_COUNT] = { 0 }, all = 0;
    for (uint32_t i = 0; i < l->n && !e; i++) {
        e = count_hits(it, &l->at[i], t, &hits[i], f);
        n[l->at[i].sum.table] += hits[i];
        all += hits[i];
    }
    if (!e && all)
        e = write_anew(s, it, l, hits, t, f);
    chunk_list_unref(l);
    if (e)
        return e;
    *ret_written = all > 0;
    for (int k = 0; k < TABLE_COUNT; k++)
        rows[k] += n[k];
    return OK;
}
