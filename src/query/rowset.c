/* query/rowset.c -- from rows to series.
 *
 * A block of 64 k rows has some hundred to some thousand distinct label sets. Per
 * row only codes are hashed and compared, and only those of columns that differ
 * within the block, in a table of the block; a row that equals the one before it,
 * the usual case in a sorted chunk, skips the table too.
 *
 * Per distinct tuple the codes become numbers of texts (looked up once a block and
 * code), and the list of those numbers is the key of the series: a hundred bytes
 * where the texts have eight hundred.
 */
#include "query/rowset.h"

#include <stdlib.h>

#include "base/hash.h"
#include "model/names.h"

enum { ROWSET_COLS_MAX = 4096 };

enum { TEXT_UNKNOWN = 0, TEXT_NONE = 1, TEXT_FIRST = 2 };   /* in lcol.text: not looked up, no value, number + 2 */

/* A label column of a block. */
struct lcol {
    struct str name;                               /* as queries write it */
    const struct column *col;
    uint32_t rank;                                 /* of its place: the lowest one wins */
    uint32_t name_id;
    uint32_t *text;                                /* by code */
};

struct bcols {
    struct lcol *at;                               /* by name, then place */
    uint32_t n;
    const struct column **varying;                 /* the most distinct one first */
    uint32_t nvarying;
};

void rowset_init(struct rowset *r, struct query_ctx *q, uint32_t places)
{
    *r = (struct rowset){ .q = q, .places = places };
}

void rowset_done(struct rowset *r)
{
    map_done(&r->text_ids);
    map_done(&r->series_ids);
    mem_free(r->table);
    mem_free(r->ids);
}

static uint32_t text_id(struct rowset *r, struct str s)
{
    uint32_t id = map_get(&r->text_ids, s);
    if (id != MAP_NONE)
        return id;
    struct str copy = arena_str(r->q->mem, s);
    map_put(&r->text_ids, copy, r->ntexts);
    *arena_push(r->q->mem, r->texts, r->ntexts, r->cap_texts) = copy;
    return r->ntexts - 1;
}

/* ---- the columns of a block ------------------------------------------------ */

static uint32_t place_rank(enum place p)
{
    static const uint32_t ranks[PLACE_COUNT] = {
        [PLACE_LABEL] = 0, [PLACE_ATTR] = 1, [PLACE_SCOPE] = 2, [PLACE_RESOURCE] = 3, [PLACE_FIELD] = 4,
    };
    return ranks[p];
}

static int by_name_then_place(const void *a, const void *b)
{
    const struct lcol *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

static int most_distinct_first(const void *a, const void *b)
{
    const struct column *x = *(const struct column *const *)a, *y = *(const struct column *const *)b;
    return (x->ndict < y->ndict) - (x->ndict > y->ndict);
}

/* Does any selected row differ from the first one? */
static bool varies(const struct column *c, const struct block *b)
{
    if (!c->code)
        return true;
    if (c->form == CODES_SAME)
        return false;
    uint32_t first = column_code(c, b->sel[0]);
    for (uint32_t i = 1; i < b->nsel; i++)
        if (column_code(c, b->sel[i]) != first)
            return true;
    return false;
}

static void columns_open(struct rowset *r, const struct block *b, struct bcols *ret)
{
    uint32_t most = MIN(b->ncols, (uint32_t)ROWSET_COLS_MAX);
    *ret = (struct bcols){ .at = mem_alloc(sizeof *ret->at * ((size_t)most + 1)),
                           .varying = mem_alloc(sizeof *ret->varying * ((size_t)most + 1)) };
    for (uint32_t i = 0; i < b->ncols && ret->n < most; i++) {
        const struct column *c = &b->cols[i];
        enum place place = c->key.place;
        if (!(r->places >> place & 1))
            continue;
        bool spelled = place == PLACE_LABEL || place == PLACE_FIELD;
        struct lcol *l = &ret->at[ret->n++];
        *l = (struct lcol){
            .name = spelled ? c->key.name : label_name(c->key.name, r->q->mem), .col = c, .rank = place_rank(place),
        };
        l->name_id = text_id(r, l->name);
        l->text = c->code ? mem_alloc(sizeof *l->text * ((size_t)c->ndict + 1)) : NULL;
        if (varies(c, b))
            ret->varying[ret->nvarying++] = c;
    }
    qsort(ret->at, ret->n, sizeof *ret->at, by_name_then_place);
    qsort(ret->varying, ret->nvarying, sizeof *ret->varying, most_distinct_first);
}

static void columns_close(struct bcols *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        mem_free(c->at[i].text);
    mem_free(c->at);
    mem_free(c->varying);
}

/* ---- rows ------------------------------------------------------------------ */

static uint64_t number_bits(const struct column *c, uint32_t row)
{
    uint64_t bits;
    if (c->valid && !(c->valid[row >> 3] >> (row & 7) & 1))
        return 0;
    memcpy(&bits, c->type == V_INT ? (const void *)&c->i64[row] : (const void *)&c->f64[row], sizeof bits);
    return bits + 1;
}

static inline uint64_t cell_bits(const struct column *c, uint32_t row)
{
    return c->code ? column_code(c, row) : number_bits(c, row);
}

static uint64_t row_hash(const struct bcols *c, uint32_t row)
{
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < c->nvarying; i++) {
        h ^= cell_bits(c->varying[i], row);
        h *= 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static bool rows_equal(const struct bcols *c, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < c->nvarying; i++)
        if (cell_bits(c->varying[i], a) != cell_bits(c->varying[i], b))
            return false;
    return true;
}

/* The number of a cell's text + TEXT_FIRST, or TEXT_NONE. */
static uint32_t cell_text(struct rowset *r, const struct lcol *l, uint32_t row)
{
    uint32_t *known = l->text ? &l->text[column_code(l->col, row)] : NULL;
    if (known && *known != TEXT_UNKNOWN)
        return *known;
    struct value v = column_value(l->col, row);
    struct str s = v.type == V_NONE ? S("") : v.type == V_STR ? v.s : value_text_in(&v, r->q->mem);
    uint32_t id = s.n ? text_id(r, s) + TEXT_FIRST : TEXT_NONE;
    if (known)
        *known = id;
    return id;
}

/* Pairs of numbers, name and value, in the order of names. Returns how many numbers. */
static uint32_t row_key(struct rowset *r, const struct bcols *c, uint32_t row, uint32_t *key)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct lcol *l = &c->at[i];
        if (n && key[n - 2] == l->name_id)
            continue;                              /* a place that counts more has it */
        uint32_t text = cell_text(r, l, row);
        if (text == TEXT_NONE)
            continue;
        key[n++] = l->name_id;
        key[n++] = text - TEXT_FIRST;
    }
    return n;
}

static uint32_t series_of(struct rowset *r, const struct bcols *c, uint32_t row)
{
    uint32_t *key = mem_alloc(sizeof *key * (2 * (size_t)c->n + 1));
    uint32_t n = row_key(r, c, row, key);
    struct str bytes = { (const char *)key, sizeof *key * n };
    uint32_t id = map_get(&r->series_ids, bytes);
    if (id == MAP_NONE) {
        id = r->n;
        struct label *at = arena_new(r->q->mem, struct label, n / 2);
        for (uint32_t i = 0; i < n / 2; i++)
            at[i] = (struct label){ r->texts[key[2 * i]], r->texts[key[2 * i + 1]] };
        map_put(&r->series_ids, arena_str(r->q->mem, bytes), id);
        *arena_push(r->q->mem, r->series, r->n, r->cap) = (struct labels){ at, n / 2 };
    }
    mem_free(key);
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

static uint32_t find_or_add(struct rowset *r, const struct bcols *c, uint32_t row)
{
    uint32_t mask = r->table_cap - 1;
    uint32_t slot = (uint32_t)row_hash(c, row) & mask;
    while (r->table[slot]) {
        if (rows_equal(c, r->table[slot] - 1, row))
            return r->ids[slot];
        slot = (slot + 1) & mask;
    }
    r->table[slot] = row + 1;
    return r->ids[slot] = series_of(r, c, row);
}

enum err rowset_block(struct rowset *r, const struct block *b, uint32_t *ret_ids, struct fault *f)
{
    enum err e = query_check(r->q, f);
    if (e || !b->nsel)
        return e;
    struct bcols cols;
    columns_open(r, b, &cols);
    table_reset(r, b->nsel);
    for (uint32_t i = 0; i < b->nsel; i++) {
        uint32_t row = b->sel[i];
        if (i && rows_equal(&cols, b->sel[i - 1], row))
            ret_ids[i] = ret_ids[i - 1];
        else
            ret_ids[i] = find_or_add(r, &cols, row);
    }
    columns_close(&cols);
    return query_check_series(r->q, r->n, f);
}
