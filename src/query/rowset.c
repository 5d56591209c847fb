/* query/rowset.c -- from rows to series.
 *
 * A block of 64 k rows has some hundred to some thousand distinct label sets. Per
 * row only its codes are hashed and compared, in a table of the block; the texts
 * are sorted, written as a key and looked up once per distinct tuple. A row that
 * equals the one before it, the usual case in a sorted chunk, skips the table too.
 */
#include "query/rowset.h"

#include <stdlib.h>

#include "base/hash.h"
#include "model/names.h"

enum { ROWSET_COLS_MAX = 4096 };

struct by_label {
    struct str name;                               /* as queries write it */
    const struct column *col;
    uint32_t rank;                                 /* of its place: the lowest one wins */
};

void rowset_init(struct rowset *r, struct query_ctx *q, uint32_t places)
{
    *r = (struct rowset){ .q = q, .places = places };
    keyset_init(&r->keys, q->mem);
}

void rowset_done(struct rowset *r)
{
    keyset_done(&r->keys);
    mem_free(r->table);
    mem_free(r->ids);
}

static uint32_t place_rank(enum place p)
{
    static const uint32_t ranks[PLACE_COUNT] = {
        [PLACE_LABEL] = 0, [PLACE_ATTR] = 1, [PLACE_SCOPE] = 2, [PLACE_RESOURCE] = 3, [PLACE_FIELD] = 4,
    };
    return ranks[p];
}

static int by_name_then_place(const void *a, const void *b)
{
    const struct by_label *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

/* The block's label columns, in the order of their names. */
static uint32_t label_columns(struct rowset *r, const struct block *b, struct by_label *cols)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->ncols && n < ROWSET_COLS_MAX; i++) {
        enum place place = b->cols[i].key.place;
        if (!(r->places >> place & 1))
            continue;
        bool spelled = place == PLACE_LABEL || place == PLACE_FIELD;
        cols[n++] = (struct by_label){
            .name = spelled ? b->cols[i].key.name : label_name(b->cols[i].key.name, r->q->mem),
            .col = &b->cols[i],
            .rank = place_rank(place),
        };
    }
    qsort(cols, n, sizeof *cols, by_name_then_place);
    return n;
}

static uint64_t cell_bits(const struct column *c, uint32_t row)
{
    if (c->code)
        return c->code[row];
    if (c->valid && !(c->valid[row >> 3] >> (row & 7) & 1))
        return 0;
    uint64_t bits;
    memcpy(&bits, c->type == V_INT ? (const void *)&c->i64[row] : (const void *)&c->f64[row], sizeof bits);
    return bits + 1;
}

static uint64_t row_hash(const struct by_label *cols, uint32_t n, uint32_t row)
{
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < n; i++) {
        h ^= cell_bits(cols[i].col, row);
        h *= 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static bool rows_equal(const struct by_label *cols, uint32_t n, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < n; i++)
        if (cell_bits(cols[i].col, a) != cell_bits(cols[i].col, b))
            return false;
    return true;
}

/* The label set of a row, borrowed from the block. */
static struct labels row_labels(struct rowset *r, const struct by_label *cols, uint32_t n, uint32_t row,
                                struct label *out)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (k && str_eq(out[k - 1].name, cols[i].name))
            continue;
        struct value v = column_value(cols[i].col, row);
        if (v.type == V_NONE)
            continue;
        struct str text = v.type == V_STR ? v.s : value_text_in(&v, r->q->mem);
        if (text.n)
            out[k++] = (struct label){ cols[i].name, text };
    }
    return (struct labels){ out, k };
}

static struct labels labels_copy(struct arena *mem, struct labels l)
{
    struct label *at = arena_new(mem, struct label, l.n);
    for (uint32_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(mem, l.at[i].name), arena_str(mem, l.at[i].value) };
    return (struct labels){ at, l.n };
}

static uint32_t series_of(struct rowset *r, const struct by_label *cols, uint32_t n, uint32_t row, struct label *tmp)
{
    struct labels l = row_labels(r, cols, n, row, tmp);
    bool fresh;
    uint32_t id = keyset_all(&r->keys, l, &fresh);
    if (fresh) {
        struct labels copy = labels_copy(r->q->mem, l);
        *arena_push(r->q->mem, r->series, r->n, r->cap) = copy;
        CHECK(id + 1 == r->n);
    }
    return id;
}

static void table_reset(struct rowset *r, uint32_t rows)
{
    uint32_t want = 64;
    while (want < 2 * rows && want < (1u << 30))
        want *= 2;
    if (want > r->table_cap) {
        r->table = mem_resize(r->table, sizeof *r->table * (size_t)want);
        r->ids = mem_resize(r->ids, sizeof *r->ids * (size_t)want);
        r->table_cap = want;
    }
    memset(r->table, 0, sizeof *r->table * (size_t)r->table_cap);
}

static uint32_t find_or_add(struct rowset *r, const struct by_label *cols, uint32_t n, uint32_t row, struct label *tmp)
{
    uint32_t mask = r->table_cap - 1;
    uint32_t slot = (uint32_t)row_hash(cols, n, row) & mask;
    while (r->table[slot]) {
        if (rows_equal(cols, n, r->table[slot] - 1, row))
            return r->ids[slot];
        slot = (slot + 1) & mask;
    }
    r->table[slot] = row + 1;
    return r->ids[slot] = series_of(r, cols, n, row, tmp);
}

enum err rowset_block(struct rowset *r, const struct block *b, uint32_t *ret_ids, struct fault *f)
{
    enum err e = query_check(r->q, f);
    if (e || !b->nsel)
        return e;
    struct by_label *cols = mem_alloc(sizeof *cols * (MIN(b->ncols, (uint32_t)ROWSET_COLS_MAX) + 1));
    struct label *tmp = mem_alloc(sizeof *tmp * (MIN(b->ncols, (uint32_t)ROWSET_COLS_MAX) + 1));
    uint32_t n = label_columns(r, b, cols);
    table_reset(r, b->nsel);
    for (uint32_t i = 0; i < b->nsel; i++) {
        uint32_t row = b->sel[i];
        if (i && rows_equal(cols, n, b->sel[i - 1], row))
            ret_ids[i] = ret_ids[i - 1];
        else
            ret_ids[i] = find_or_add(r, cols, n, row, tmp);
    }
    mem_free(cols);
    mem_free(tmp);
    return query_check_series(r->q, r->n, f);
}
