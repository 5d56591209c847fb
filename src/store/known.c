/* store/known.c -- is a row's identity in a chunk on disk?
 *
 * Chunks do not store identities (16 random bytes a row would double their size). They
 * are made anew from the columns, for chunks whose time range holds the row, and kept
 * in a small cache; the identities of the newest flushed generations are still in
 * memory, so the usual resend finds its row there and no chunk is decoded. All rows of
 * a request are asked together, chunk by chunk, so that each is decoded once at most.
 *
 * A row that was kept at its receive time (rule 10) comes again at another receive
 * time. Its identity is in the catalogue.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_int.h"

enum { SLICE_ROWS = 4096 };

static const struct part_item *item_at(const struct part_view *v, int64_t time_ns)
{
    uint32_t lo = 0, hi = v->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (v->at[mid].to_ns <= time_ns)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < v->n && v->at[lo].from_ns <= time_ns ? &v->at[lo] : NULL;
}

/* ---- identities of one chunk ----------------------------------------------- */

enum err store_read_chunk(const struct part_item *it, const struct chunk_ref *c, bool (*want)(const struct colkey *key),
                          struct arena *mem, struct block *b, struct fault *f)
{
    uint32_t ncols = 0;
    const struct chunk_col **wanted = arena_new(mem, const struct chunk_col *, c->sum.ncols + 1);
    for (uint32_t i = 0; i < c->sum.ncols; i++)
        if (!want || want(&c->sum.cols[i].key))
            wanted[ncols++] = &c->sum.cols[i];
    uint32_t n = CHUNK_FIXED_COUNT + ncols;
    uint32_t *numbers = arena_new(mem, uint32_t, n);
    struct str *blobs = arena_new(mem, struct str, n);
    struct column *cols = arena_new(mem, struct column, ncols + 1);
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT; i++)
        numbers[i] = i;
    for (uint32_t i = 0; i < ncols; i++)
        numbers[CHUNK_FIXED_COUNT + i] = wanted[i]->column;
    struct chunk_shape shape;
    enum err e = part_read(it, c, numbers, n, mem, blobs, f);
    if (!e)
        e = chunk_shape_read(blobs[CHUNK_RUNS], c->sum.rows, mem, &shape, f);
    if (!e)
        e = chunk_fixed_read(blobs, &shape, mem, b, f);
    for (uint32_t i = 0; i < ncols && !e; i++)
        e = chunk_column_read(blobs[CHUNK_FIXED_COUNT + i], wanted[i], &shape, b->time_ns, mem, &cols[i], f);
    b->cols = cols;
    b->ncols = ncols;
    return e;
}

static void fill_row(struct batch *rows, const struct block *b, const uint32_t *cols, uint32_t i)
{
    struct row *r = batch_row(rows);
    r->time_ns = b->time_ns[i];
    r->claimed_ns = b->claimed_ns ? b->claimed_ns[i] : 0;
    if (rows->table == TABLE_SAMPLE) {
        r->start_ns = b->start_ns[i];
        r->value = b->value[i];
        r->temporality = (enum temporality)b->temporality[i];
    }
    for (uint32_t c = 0; c < b->ncols; c++) {
        struct value v = column_value(&b->cols[c], i);
        if (v.type != V_NONE)
            cells_put(&r->cells, rows->mem, cols[c], v);
    }
}

/* rows_identify() over the block, a slice at a time. A cumulative id may stand in it
 * twice; the larger value counts. */
static void identify(enum table t, const struct block *b, struct arena scratch, struct ident *ret)
{
    for (uint32_t from = 0; from < b->n; from += SLICE_ROWS) {
        struct arena mem = scratch;
        struct batch rows;
        batch_init(&rows, &mem, t, 0);
        uint32_t *cols = arena_new(&mem, uint32_t, b->ncols + 1);
        for (uint32_t c = 0; c < b->ncols; c++)
            cols[c] = batch_col(&rows, b->cols[c].key.place, b->cols[c].key.name);
        for (uint32_t i = from; i < b->n && i < from + SLICE_ROWS; i++)
            fill_row(&rows, b, cols, i);
        rows_identify(&rows);
        for (uint32_t i = 0; i < rows.nrows; i++) {
            struct ident_slot *slot = ident_find(ret, rows.rows[i].id);
            if (!slot)
                ident_put(ret, rows.rows[i].id, rows.rows[i].value);
            else if (rows.rows[i].value > slot->value)
                slot->value = rows.rows[i].value;
        }
        batch_done(&rows);
    }
}

/* A chunk that cannot be read says nothing, which is told, and its rows can come in twice. A full
 * disk is not that: SQLite must make files even to read, and there will be room again. */
static struct chunk_idents *cached(struct store *s, const struct part_item *it, const struct chunk_ref *c, struct fault *f)
{
    struct chunk_idents *oldest = &s->sets[0];
    for (int i = 0; i < IDENT_SETS; i++) {
        struct chunk_idents *x = &s->sets[i];
        if (x->used && x->part == it->uid && x->chunk == c->id) {
            x->used = ++s->sets_clock;
            x->used_mono_ns = clock_mono(s->cfg.clock);
            return x;
        }
        if (x->used < oldest->used)
            oldest = x;
    }
    struct arena mem;
    struct block b = { 0 };
    ident_done(&oldest->ids);
    oldest->used = 0;
    arena_init(&mem, SCAN_ARENA_BYTES);
    enum err e = store_read_chunk(it, c, NULL, &mem, &b, f);
    if (e == E_IO)                                 /* of another kind than a damaged disk's? */
        e = store_read_chunk(it, c, NULL, &mem, &b, f);
    if (e) {
        store_report(s, "identities", f->msg);
        arena_done(&mem);
        return NULL;
    }
    *f = (struct fault){ 0 };
    identify(c->sum.table, &b, mem, &oldest->ids);
    arena_done(&mem);
    oldest->part = it->uid;
    oldest->chunk = c->id;
    oldest->used = ++s->sets_clock;
    oldest->used_mono_ns = clock_mono(s->cfg.clock);
    return oldest;
}

/* ---- finding --------------------------------------------------------------- */

/* One row that no set in memory knows. */
struct asked {
    int64_t time_ns;
    const struct part_item *item;
    struct str session;                            /* as its chunk's filter would know it; empty: not told by it */
    uint32_t row;
};

static int by_time(const void *a, const void *b)
{
    const struct asked *x = a, *y = b;
    return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

/* Rows of the chunk came with frames of one generation whose identities are in memory,
 * and were asked already. Frames from before the start are of none: a flush that the last
 * stop cut short may have given some of their rows to partitions. */
static bool in_memory(const struct store *s, const struct chunk_ref *c)
{
    for (int i = 0; i < IDENT_KEPT; i++)
        if (s->kept[i].last_seq && c->sum.seq_min > s->marked && c->sum.seq_min >= s->kept[i].first_seq &&
            c->sum.seq_max <= s->kept[i].last_seq)
            return true;
    return false;
}

/* The text of the session among cells that say whose a row is: a resource may say anything. */
static struct str session_in(const struct batch *b, const struct cells *cells)
{
    struct str name = b->table == TABLE_SAMPLE ? S("session_id") : S("session.id");
    for (uint32_t i = 0; i < cells->n; i++) {
        const struct colkey *k = &b->cols[cells->at[i].col];
        if (cells->at[i].v.type == V_STR && str_eq(k->name, name) && k->place != PLACE_RESOURCE && k->place != PLACE_SCOPE)
            return cells->at[i].v.s;
    }
    return S("");
}

/* A row's identity takes in its session, but for a span, which is only its two ids. Rows
 * of one session may have it in their group, where samples have all their labels. */
static struct str session_of(const struct batch *b, const struct row *r, struct arena *mem)
{
    if (b->table == TABLE_SPAN)
        return S("");
    if (b->table == TABLE_SAMPLE) {
        struct cells labels = batch_labels(b, r->group, mem);
        return session_in(b, &labels);
    }
    struct str own = session_in(b, &r->cells);
    return own.n || r->group == ROW_NO_GROUP ? own : session_in(b, &b->groups[r->group]);
}

/* Those of a[0 .. n) that stand in the chunk. Its identities are made only when its
 * filter knows one of the sessions. */
static enum err ask_chunk(struct store *s, const struct batch *b, const struct chunk_ref *c, const struct asked *a, uint32_t n,
                          struct known *ret, struct fault *f)
{
    struct arena mem;
    struct str filter = { 0 };
    enum err e = OK;
    struct chunk_idents *x = NULL;
    arena_init(&mem, 1 << 20);
    bool unread = part_filter(a->item, c, &mem, &filter, f) != OK;
    for (uint32_t i = 0; i < n; i++) {
        bool maybe = true;
        if (!unread && a[i].session.n && chunk_filter_test(filter, a[i].session, &maybe, f))
            maybe = true;
        if (!maybe)
            continue;
        x = x ? x : cached(s, a->item, c, f);
        struct ident_slot *slot = x ? ident_find(&x->ids, b->rows[a[i].row].id) : NULL;
        struct known *k = &ret[a[i].row];
        if (slot && (!k->found || slot->value > k->value))
            *k = (struct known){ true, slot->value };
        if (!x) {
            e = f->code == E_UNAVAILABLE ? f->code : OK;
            break;
        }
    }
    arena_done(&mem);
    return e;
}

/* a[0 .. n) are rows of one partition, ascending by time. */
static enum err ask_partition(struct store *s, const struct batch *b, const struct asked *a, uint32_t n, struct known *ret,
                              struct fault *f)
{
    struct chunk_list *l;
    enum err e = part_chunks(a->item, &l, f);
    if (e == E_IO)
        e = part_chunks(a->item, &l, f);
    if (e) {
        store_report(s, "identities", f->msg);
        return e == E_UNAVAILABLE ? e : OK;
    }
    for (uint32_t i = 0; i < l->n && !e; i++) {
        const struct chunk_ref *c = &l->at[i];
        if (c->sum.table != b->table || c->t1 < a[0].time_ns || c->t0 > a[n - 1].time_ns || in_memory(s, c))
            continue;
        uint32_t from = 0, to = n;
        while (from < n && a[from].time_ns < c->t0)
            from++;
        while (to > from && a[to - 1].time_ns > c->t1)
            to--;
        if (from < to)
            e = ask_chunk(s, b, c, a + from, to - from, ret, f);
    }
    chunk_list_unref(l);
    return e;
}

static enum err was_moved(struct store *s, struct id128 id, bool *ret, struct fault *f)
{
    *ret = false;
    enum err e = catalog_moved_has(s->catalog, id, ret, f);
    if (e == E_IO)
        e = catalog_moved_has(s->catalog, id, ret, f);
    if (e)
        store_report(s, "identities", f->msg);
    return e == E_UNAVAILABLE ? e : OK;
}

enum err known_find(struct store *s, const struct batch *b, const bool *ask, struct arena *mem, struct known *ret, struct fault *f)
{
    enum err e = OK;
    struct part_view *v;
    {
        GUARD(&s->lock);
        v = part_view_ref(s->view);
    }
    struct asked *a = NULL;
    uint32_t n = 0, cap = 0;
    for (uint32_t i = 0; i < b->nrows && !e; i++) {
        const struct row *r = &b->rows[i];
        bool moved = false;
        if (!ask[i])
            continue;
        if (row_is_moved(b->table, r))
            e = was_moved(s, r->id, &moved, f);
        if (moved) {
            ret[i] = (struct known){ true, r->value };
            continue;
        }
        const struct part_item *it = item_at(v, r->time_ns);
        if (it && it->rows[b->table] && r->time_ns >= it->time_min && r->time_ns <= it->time_max) {
            struct str session = session_of(b, r, mem);
            *arena_push(mem, a, n, cap) = (struct asked){ r->time_ns, it, session, i };
        }
    }
    if (n)
        qsort(a, n, sizeof *a, by_time);
    for (uint32_t from = 0, to; from < n && !e; from = to) {
        for (to = from + 1; to < n && a[to].item == a[from].item;)
            to++;
        e = ask_partition(s, b, a + from, to - from, ret, f);
    }
    part_view_unref(v);
    return e;
}
