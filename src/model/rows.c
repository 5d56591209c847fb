/* model/rows.c -- building a batch of rows, and the identity of a row.
 *
 * An id is a sum of 128-bit hashes, one a cell, so that the order of attributes
 * does not matter and the cells of a group need hashing only once; it is closed
 * by a hash over the sum, the times and the value. A cell's hash is that of its value,
 * seeded by its column and type: one pass over the bytes, which the head's dictionaries
 * are looked up by as well. Two rows of one id are the
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
    *arena_push(mem, c->at, c->n, c->cap) = (struct cell){ .col = col, .v = v };
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

/* What is hashed of a value; numbers are their eight bytes. */
static struct str value_bytes(const struct value *v)
{
    switch (v->type) {
    case V_INT:
        return (struct str){ (const char *)&v->i, sizeof v->i };
    case V_DOUBLE:
        return (struct str){ (const char *)&v->d, sizeof v->d };
    case V_BOOL:
        return v->b ? S("t") : S("f");
    case V_STR:
    case V_BYTES:
    case V_JSON:
        return v->s;
    case V_NONE:
        break;
    }
    return (struct str){ 0 };
}

/* A column of the batch while its cells are hashed. Its newest text is kept: neighbours
 * mostly have the same one. */
struct col_state {
    uint64_t seed;                                 /* 0: not made yet */
    bool is_value;
    struct str newest;
    struct id128 hash;
};

/* A sample's labels name it; a field (a histogram) is what it says, as its value is. */
static bool is_value(const struct batch *b, const struct colkey *k)
{
    return b->table == TABLE_SAMPLE && k->place == PLACE_FIELD;
}

/* Place, name, wire type and content. The hash stays with the cell; a text that its
 * neighbour has too is that one's from now on, so that the next look need not compare. */
static struct id128 cell_hash(const struct batch *b, struct cell *c, struct col_state *s)
{
    if (!s->seed) {
        const struct colkey *k = &b->cols[c->col];
        s->seed = hash64(k->name, k->place) | 1;
        s->is_value = is_value(b, k);
    }
    if (c->v.type != V_STR) {
        struct id128 h = hash128_seeded(value_bytes(&c->v), s->seed + 2 * c->v.type);
        c->hash = (uint32_t)h.lo;
        return h;
    }
    if (s->newest.p && str_eq(s->newest, c->v.s)) {
        c->v.s.p = s->newest.p;
    } else {
        s->newest = c->v.s;
        s->hash = hash128_seeded(c->v.s, s->seed + 2 * V_STR);
    }
    c->hash = (uint32_t)s->hash.lo;
    return s->hash;
}

static struct id128 cells_hash(const struct batch *b, struct cells *cells, struct col_state *cols)
{
    struct id128 sum = { 0 };
    for (uint32_t i = 0; i < cells->n; i++) {
        struct cell *c = &cells->at[i];
        if (c->v.type == V_NONE)
            continue;
        struct id128 h = cell_hash(b, c, &cols[c->col]);
        if (!cols[c->col].is_value)
            id_add(&sum, h);
    }
    return sum;
}

/* Only the two ids name a span; without both it is all that it holds. */
static bool span_hash(const struct batch *b, const struct row *r, struct col_state *cols, struct id128 *sum)
{
    struct id128 ids = { 0 };
    unsigned found = 0;
    for (uint32_t i = 0; i < r->cells.n; i++) {
        struct cell *c = &r->cells.at[i];
        const struct colkey *k = &b->cols[c->col];
        if (k->place != PLACE_FIELD || (!str_eq(k->name, S("trace_id")) && !str_eq(k->name, S("span_id"))))
            continue;
        id_add(&ids, cell_hash(b, c, &cols[c->col]));
        found++;
    }
    if (found == 2)
        *sum = ids;
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

static struct id128 row_hash(const struct batch *b, struct row *r, const struct id128 *groups, struct col_state *cols)
{
    int64_t said = naming_time(b->table, r);
    uint64_t value = 0;
    int64_t start = 0;

    struct id128 sum = cells_hash(b, &r->cells, cols);
    if (r->group != ROW_NO_GROUP)
        id_add(&sum, groups[r->group]);
    if (b->table == TABLE_SPAN && span_hash(b, r, cols, &sum))
        said = 0;
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
    struct id128 *groups = arena_new(b->mem, struct id128, b->ngroups + 1);
    struct arena scratch = *b->mem;
    struct col_state *cols = arena_new(&scratch, struct col_state, b->ncols + 1);
    for (uint32_t i = 0; i < b->ngroups; i++)
        groups[i] = cells_hash(b, &b->groups[i], cols);
    b->group_ids = groups;
    for (uint32_t i = 0; i < b->nrows; i++)
        b->rows[i].id = row_hash(b, &b->rows[i], groups, cols);
}
