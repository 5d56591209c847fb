/* model/rows.c -- building a batch of rows, and the identity of a row.
 *
 * An id is a sum of 128-bit hashes, one a cell, so that the order of attributes
 * does not matter and the cells of a group need hashing only once; it is closed
 * by a hash over the sum, the times and the value. Two rows of one id are the
 * same row sent twice (accounting rule 5). The store makes ids anew from its
 * columns and must get the same ones: nothing that a batch does not keep (the
 * order of cells, which cells stood in a group) may enter.
 */
#include "model/rows.h"

#include <string.h>

#include "base/clock.h"
#include "base/map.h"

void batch_init(struct batch *b, struct arena *mem, enum table table, int64_t recv_ns)
{
    *b = (struct batch){ .mem = mem, .table = table, .recv_ns = recv_ns };
    b->col_index = arena_new(mem, struct map, 1);
}

void batch_done(struct batch *b)
{
    if (b->col_index)
        map_done(b->col_index);
    b->col_index = NULL;
}

uint32_t batch_col(struct batch *b, enum place place, struct str name)
{
    CHECK(place < PLACE_COUNT);
    char small[128];
    char *key = name.n < sizeof small ? small : arena_alloc(b->mem, name.n + 1, 1);
    key[0] = (char)place;
    if (name.n)
        memcpy(key + 1, name.p, name.n);
    uint32_t at = map_get(b->col_index, (struct str){ key, name.n + 1 });
    if (at != MAP_NONE)
        return at;

    struct str kept = arena_str(b->mem, (struct str){ key, name.n + 1 });
    at = b->ncols;
    *arena_push(b->mem, b->cols, b->ncols, b->cap_cols) = (struct colkey){ place, str_sub(kept, 1, name.n) };
    map_put(b->col_index, kept, at);
    return at;
}

uint32_t batch_group(struct batch *b)
{
    *arena_push(b->mem, b->groups, b->ngroups, b->cap_groups) = (struct cells){ 0 };
    return b->ngroups - 1;
}

struct row *batch_row(struct batch *b)
{
    struct row *r = arena_push(b->mem, b->rows, b->nrows, b->cap_rows);
    *r = (struct row){ .group = ROW_NO_GROUP };
    return r;
}

void cells_put(struct cells *c, struct arena *mem, uint32_t col, struct value v)
{
    *arena_push(mem, c->at, c->n, c->cap) = (struct cell){ col, v };
}

void row_set_time(struct batch *b, struct row *r, int64_t time_ns, int64_t observed_ns, int64_t oldest_ns)
{
    int64_t said = time_ns > 0 ? time_ns : observed_ns;
    if (said <= 0) {
        r->time_ns = b->recv_ns;
        r->claimed_ns = ROW_NO_TIME;
    } else if (said < oldest_ns || said > b->recv_ns + NS_PER_DAY) {
        r->time_ns = b->recv_ns;
        r->claimed_ns = said;
        b->moved++;
    } else {
        r->time_ns = said;
        r->claimed_ns = 0;
    }
}

/* ---- identity -------------------------------------------------------------- */

static void id_add(struct id128 *sum, struct id128 x)
{
    sum->hi += x.hi;
    sum->lo += x.lo;
}

static struct id128 value_hash(const struct value *v)
{
    switch (v->type) {
    case V_INT:
        return hash128((struct str){ (const char *)&v->i, sizeof v->i });
    case V_DOUBLE:
        return hash128((struct str){ (const char *)&v->d, sizeof v->d });
    case V_BOOL:
        return hash128(v->b ? S("t") : S("f"));
    case V_STR:
    case V_BYTES:
    case V_JSON:
        return hash128(v->s);
    case V_NONE:
        break;
    }
    return (struct id128){ 0 };
}

/* One cell: place, name, wire type and content. */
static struct id128 cell_hash(const struct batch *b, const struct cell *c)
{
    const struct colkey *k = &b->cols[c->col];
    struct id128 name = hash128(k->name), v = value_hash(&c->v);
    uint64_t all[6] = { k->place, c->v.type, name.hi, name.lo, v.hi, v.lo };
    return hash128((struct str){ (const char *)all, sizeof all });
}

/* A sample's labels name it; a field (a histogram) is what it says, as its value is. */
static bool is_value(const struct batch *b, const struct cell *c)
{
    return b->table == TABLE_SAMPLE && b->cols[c->col].place == PLACE_FIELD;
}

/* The newest text of a column and the hash of its cell: neighbours mostly have the same one. */
struct newest {
    struct str s;
    struct id128 hash;
};

static struct id128 cell_hash_again(const struct batch *b, const struct cell *c, struct newest *newest)
{
    struct newest *n = &newest[c->col];
    if (c->v.type != V_STR || !c->v.s.n)
        return cell_hash(b, c);
    if (!str_eq(n->s, c->v.s))
        *n = (struct newest){ c->v.s, cell_hash(b, c) };
    return n->hash;
}

static struct id128 cells_hash(const struct batch *b, const struct cells *cells, struct newest *newest)
{
    struct id128 sum = { 0 };
    for (uint32_t i = 0; i < cells->n; i++)
        if (cells->at[i].v.type != V_NONE && !is_value(b, &cells->at[i]))
            id_add(&sum, cell_hash_again(b, &cells->at[i], newest));
    return sum;
}

/* Only the two ids name a span; without both it is all that it holds. */
static bool span_hash(const struct batch *b, const struct row *r, struct id128 *sum)
{
    unsigned found = 0;
    for (uint32_t i = 0; i < r->cells.n; i++) {
        const struct cell *c = &r->cells.at[i];
        const struct colkey *k = &b->cols[c->col];
        if (k->place != PLACE_FIELD || (!str_eq(k->name, S("trace_id")) && !str_eq(k->name, S("span_id"))))
            continue;
        id_add(sum, cell_hash(b, c));
        found++;
    }
    return found == 2;
}

/* The time that names a row: what the sender said. Where it said none, 0, so that a resend
 * has the same name; but the next sample of a series would have it too, so a sample that
 * nothing else tells from the next one is named by its receipt. */
static int64_t naming_time(enum table t, const struct row *r)
{
    if (r->claimed_ns != ROW_NO_TIME)
        return r->claimed_ns ? r->claimed_ns : r->time_ns;
    bool told_by_start = r->temporality == TEMPORALITY_DELTA && r->start_ns;
    return t == TABLE_SAMPLE && !told_by_start ? r->time_ns : 0;
}

bool row_is_moved(enum table t, const struct row *r)
{
    return r->claimed_ns && naming_time(t, r) != r->time_ns;
}

static struct id128 row_hash(const struct batch *b, const struct row *r, const struct id128 *groups, struct newest *newest)
{
    struct id128 sum = { 0 };
    int64_t said = naming_time(b->table, r);
    uint64_t value = 0;
    int64_t start = 0;

    if (b->table == TABLE_SPAN && span_hash(b, r, &sum)) {
        said = 0;
    } else {
        sum = cells_hash(b, &r->cells, newest);
        if (r->group != ROW_NO_GROUP)
            id_add(&sum, groups[r->group]);
    }
    if (b->table == TABLE_SAMPLE && r->temporality != TEMPORALITY_NONE)
        start = r->start_ns;
    if (b->table == TABLE_SAMPLE && r->temporality == TEMPORALITY_DELTA)
        memcpy(&value, &r->value, sizeof value);

    uint64_t all[7] = { b->table, b->table == TABLE_SAMPLE ? r->temporality : 0, sum.hi, sum.lo,
                        (uint64_t)said, (uint64_t)start, value };
    return hash128((struct str){ (const char *)all, sizeof all });
}

void rows_identify(struct batch *b)
{
    struct arena scratch = *b->mem;
    struct id128 *groups = arena_new(&scratch, struct id128, b->ngroups + 1);
    struct newest *newest = arena_new(&scratch, struct newest, b->ncols + 1);
    for (uint32_t i = 0; i < b->ngroups; i++)
        groups[i] = cells_hash(b, &b->groups[i], newest);
    for (uint32_t i = 0; i < b->nrows; i++)
        b->rows[i].id = row_hash(b, &b->rows[i], groups, newest);
}
