/* store/known.c -- is a row's identity in a chunk on disk?
 *
 * Chunks do not store identities (16 random bytes a row would double their size). They
 * are made anew from the columns, for chunks whose time range holds the row, and kept
 * in a small cache; the identities of the newest flushed generations are still in
 * memory, so the usual resend finds its row there and no chunk is decoded.
 *
 * A row that was kept at its receive time (rule 10) comes again at another receive
 * time. Its identity is in the catalogue.
 */
#include <string.h>

#include "store/store_int.h"

enum { SLICE_ROWS = 4096 };

void known_begin(struct known_ids *k, struct store *s)
{
    *k = (struct known_ids){ .s = s };
    GUARD(&s->lock);
    k->view = part_view_ref(s->view);
}

void known_end(struct known_ids *k)
{
    chunk_list_unref(k->list);
    mem_free(k->maybe);
    part_view_unref(k->view);
}

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

static enum err read_chunk(const struct part_item *it, const struct chunk_ref *c, struct arena *mem, struct block *b,
                           struct fault *f)
{
    uint32_t ncols = c->sum.ncols, n = CHUNK_FIXED_COUNT + ncols;
    uint32_t *numbers = arena_new(mem, uint32_t, n);
    struct str *blobs = arena_new(mem, struct str, n);
    struct column *cols = arena_new(mem, struct column, ncols + 1);
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT; i++)
        numbers[i] = i;
    for (uint32_t i = 0; i < ncols; i++)
        numbers[CHUNK_FIXED_COUNT + i] = c->sum.cols[i].column;
    enum err e = part_read(it, c, numbers, n, mem, blobs, f);
    if (!e)
        e = chunk_fixed_read(blobs, c->sum.rows, mem, b, f);
    for (uint32_t i = 0; i < ncols && !e; i++)
        e = chunk_column_read(blobs[CHUNK_FIXED_COUNT + i], &c->sum.cols[i], c->sum.rows, b->time_ns, mem, &cols[i], f);
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

static struct chunk_idents *cached(struct store *s, const struct part_item *it, const struct chunk_ref *c)
{
    struct chunk_idents *oldest = &s->sets[0];
    for (int i = 0; i < IDENT_SETS; i++) {
        struct chunk_idents *x = &s->sets[i];
        if (x->used && x->from_ns == it->from_ns && x->chunk == c->id) {
            x->used = ++s->sets_clock;
            return x;
        }
        if (x->used < oldest->used)
            oldest = x;
    }
    struct arena mem;
    struct block b = { 0 };
    struct fault f = { 0 };
    ident_done(&oldest->ids);
    oldest->used = 0;
    arena_init(&mem, SCAN_ARENA_BYTES);
    if (read_chunk(it, c, &mem, &b, &f)) {
        store_report(s, "identities", f.msg);
        arena_done(&mem);
        return NULL;
    }
    identify(c->sum.table, &b, mem, &oldest->ids);
    arena_done(&mem);
    oldest->from_ns = it->from_ns;
    oldest->chunk = c->id;
    oldest->used = ++s->sets_clock;
    return oldest;
}

/* ---- finding --------------------------------------------------------------- */

/* All frames of the chunk are of one generation whose identities are in memory, and
 * were asked already. */
static bool in_memory(const struct store *s, const struct chunk_ref *c)
{
    for (int i = 0; i < IDENT_KEPT; i++)
        if (s->kept[i].last_seq && c->sum.seq_min >= s->kept[i].first_seq && c->sum.seq_max <= s->kept[i].last_seq)
            return true;
    return false;
}

static struct str session_of(const struct batch *b, const struct row *r)
{
    struct str name = b->table == TABLE_SAMPLE ? S("session_id") : S("session.id");
    for (uint32_t i = 0; i < r->cells.n; i++) {
        const struct cell *c = &r->cells.at[i];
        if (c->v.type == V_STR && str_eq(b->cols[c->col].name, name))
            return c->v.s;
    }
    return S("");
}

/* The chunks that may hold the partition's rows of this time, and the session they are
 * asked for: rows come by session, so both are mostly those of the row before. */
static void look_at(struct known_ids *k, const struct part_item *it, struct str session)
{
    struct fault f = { 0 };
    bool same = it == k->item && str_eq(session, k->session);
    if (it != k->item) {
        chunk_list_unref(k->list);
        k->list = NULL;
        k->item = it;
        if (part_chunks(it, &k->list, &f))
            store_report(k->s, "identities", f.msg);
    }
    k->session = session;
    if (same)
        return;
    mem_free(k->maybe);
    k->maybe = mem_alloc(k->list ? k->list->n + 1 : 1);
}

/* A chunk whose filter does not know the row's session need not be decoded. */
static bool may_hold(struct known_ids *k, uint32_t i)
{
    if (k->maybe[i])
        return k->maybe[i] == 2;
    bool maybe = true;
    if (k->session.n) {
        struct arena mem;
        struct str filter;
        struct fault f = { 0 };
        arena_init(&mem, 1 << 20);
        if (part_filter(k->item, &k->list->at[i], &mem, &filter, &f) || chunk_filter_test(filter, k->session, &maybe, &f))
            maybe = true;
        arena_done(&mem);
    }
    k->maybe[i] = maybe ? 2 : 1;
    return maybe;
}

static bool find_in_chunks(struct known_ids *k, const struct batch *b, const struct row *r, double *ret_value)
{
    enum table t = b->table;
    const struct part_item *it = item_at(k->view, r->time_ns);
    if (!it || !it->rows[t] || r->time_ns < it->time_min || r->time_ns > it->time_max)
        return false;
    look_at(k, it, session_of(b, r));
    bool found = false;
    for (uint32_t i = 0; k->list && i < k->list->n; i++) {
        const struct chunk_ref *c = &k->list->at[i];
        if (c->sum.table != t || r->time_ns < c->t0 || r->time_ns > c->t1 || in_memory(k->s, c) || !may_hold(k, i))
            continue;
        struct chunk_idents *x = cached(k->s, it, c);
        struct ident_slot *slot = x ? ident_find(&x->ids, r->id) : NULL;
        if (slot && (!found || slot->value > *ret_value))
            *ret_value = slot->value;
        found = found || slot;
    }
    return found;
}

bool known_find(struct known_ids *k, const struct batch *b, const struct row *r, double *ret_value)
{
    if (r->claimed_ns) {
        bool found = false;
        struct fault f = { 0 };
        if (catalog_moved_has(k->s->catalog, r->id, &found, &f))
            store_report(k->s, "identities", f.msg);
        if (found) {
            *ret_value = r->value;
            return true;
        }
    }
    return find_in_chunks(k, b, r, ret_value);
}
