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

enum { COL_KEY = 128 };

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

/* The key of a column's name, in `small` where it fits. */
static struct str col_key(enum place place, struct str name, char small[COL_KEY], struct arena *mem)
{
    CHECK(place < PLACE_COUNT);
    char *key = name.n < COL_KEY ? small : arena_alloc(mem, name.n + 1, 1);
    key[0] = (char)place;
    if (name.n)
        memcpy(key + 1, name.p, name.n);
    return (struct str){ key, name.n + 1 };
}

uint32_t batch_col(struct batch *b, enum place place, struct str name)
{
    char small[COL_KEY];
    struct str key = col_key(place, name, small, b->mem);
    uint32_t at = map_get(b->col_index, key);
    if (at != MAP_NONE)
        return at;

    struct str kept = arena_str(b->mem, key);
    at = b->ncols;
    *arena_push(b->mem, b->cols, b->ncols, b->cap_cols) = (struct colkey){ place, str_sub(kept, 1, name.n) };
    map_put(b->col_index, kept, at);
    return at;
}

uint32_t batch_col_find(const struct batch *b, enum place place, struct str name, struct arena scratch)
{
    char small[COL_KEY];
    return map_get(b->col_index, col_key(place, name, small, &scratch));
}

uint32_t batch_group(struct batch *b)
{
    *arena_push(b->mem, b->groups, b->ngroups, b->cap_groups) = (struct cells){ 0 };
    if (b->table == TABLE_SAMPLE)
        *arena_push(b->mem, b->series, b->nseries, b->cap_series) = (struct series_ref){ 0 };
    return b->ngroups - 1;
}

uint32_t batch_series(struct batch *b, struct id128 id, struct str raw, const void *of)
{
    CHECK(b->table == TABLE_SAMPLE && raw.p);
    uint32_t group = batch_group(b);
    b->series[group] = (struct series_ref){ id, raw, of };
    return group;
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

static uint64_t name_seed(enum place place, struct str name)
{
    return hash64(name, place) | 1;
}

uint64_t label_seed(struct str name)
{
    return name_seed(PLACE_LABEL, name);
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
        s->seed = name_seed(k->place, k->name);
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
            id128_add(&sum, h);
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
        id128_add(&ids, cell_hash(b, c, &cols[c->col]));
        found++;
    }
    if (found == 2)
        *sum = ids;
    return found == 2;
}

/* The time that names a row: what the sender said. Where it said none, 0, so that a resend
 * has the same name; but the next sample of a series would have it too, so a sample that
 * nothing else tells from the next one is named by its receipt. */
int64_t row_naming_time(enum table t, const struct row *r)
{
    if (r->claimed_ns != ROW_NO_TIME)
        return r->claimed_ns ? r->claimed_ns : r->time_ns;
    bool told_by_start = r->temporality == TEMPORALITY_DELTA && r->start_ns;
    return t == TABLE_SAMPLE && !told_by_start ? r->time_ns : 0;
}

bool row_is_moved(enum table t, const struct row *r)
{
    return r->claimed_ns && row_naming_time(t, r) != r->time_ns;
}

static struct id128 close_id(enum table t, enum temporality how, struct id128 sum, int64_t said, int64_t start, uint64_t value)
{
    uint64_t all[7] = { t, how, sum.hi, sum.lo, (uint64_t)said, (uint64_t)start, value };
    return hash128((struct str){ (const char *)all, sizeof all });
}

struct id128 sample_id(struct id128 series, const struct row *r)
{
    uint64_t value = 0;
    if (r->temporality == TEMPORALITY_DELTA)
        memcpy(&value, &r->value, sizeof value);
    return close_id(TABLE_SAMPLE, r->temporality, series, row_naming_time(TABLE_SAMPLE, r),
                    r->temporality == TEMPORALITY_NONE ? 0 : r->start_ns, value);
}

static struct id128 row_hash(const struct batch *b, struct row *r, const struct id128 *groups, struct col_state *cols)
{
    int64_t said = row_naming_time(b->table, r);
    struct id128 sum = cells_hash(b, &r->cells, cols);
    if (r->group != ROW_NO_GROUP)
        id128_add(&sum, groups[r->group]);
    if (b->table == TABLE_SPAN && span_hash(b, r, cols, &sum))
        said = 0;
    return close_id(b->table, TEMPORALITY_NONE, sum, said, 0, 0);
}

/* ---- samples --------------------------------------------------------------- */

/* Labels that stand in a row go to a group of its own, with those of the group it had. */
static void give_series(struct batch *b, struct row *r)
{
    struct cells all = { 0 }, own = { 0 };
    for (uint32_t i = 0; i < r->cells.n; i++)
        if (is_value(b, &b->cols[r->cells.at[i].col]))
            cells_put(&own, b->mem, r->cells.at[i].col, r->cells.at[i].v);
    if (r->group != ROW_NO_GROUP && r->cells.n == own.n)
        return;
    if (!own.n && r->group == ROW_NO_GROUP) {
        all = r->cells;
    } else {
        struct cells shared = r->group == ROW_NO_GROUP ? (struct cells){ 0 } : batch_labels(b, r->group, b->mem);
        for (uint32_t i = 0; i < shared.n; i++)
            cells_put(&all, b->mem, shared.at[i].col, shared.at[i].v);
        for (uint32_t i = 0; i < r->cells.n; i++)
            if (!is_value(b, &b->cols[r->cells.at[i].col]))
                cells_put(&all, b->mem, r->cells.at[i].col, r->cells.at[i].v);
    }
    r->cells = own;
    r->group = batch_group(b);
    b->groups[r->group] = all;
}

struct cells batch_labels(const struct batch *b, uint32_t group, struct arena *mem)
{
    CHECK(b->table == TABLE_SAMPLE && group < b->nseries);
    if (!b->series[group].raw.p)
        return b->groups[group];
    struct cells c = { 0 };
    b->unfold(b, &b->series[group], mem, &c);
    for (uint32_t i = 0; i < c.n; i++)
        c.at[i].hash = (uint32_t)label_id128(label_seed(b->cols[c.at[i].col].name), c.at[i].v.s).lo;
    return c;
}

static void identify_samples(struct batch *b)
{
    for (uint32_t i = 0; i < b->nrows; i++)
        if (b->rows[i].cells.n || b->rows[i].group == ROW_NO_GROUP)
            give_series(b, &b->rows[i]);

    struct arena scratch = *b->mem;
    struct col_state *cols = arena_new(&scratch, struct col_state, b->ncols + 1);
    for (uint32_t i = 0; i < b->ngroups; i++)
        if (!b->series[i].raw.p)
            b->series[i].id = cells_hash(b, &b->groups[i], cols);
    for (uint32_t i = 0; i < b->nrows; i++) {
        struct row *r = &b->rows[i];
        if (r->cells.n)
            (void)cells_hash(b, &r->cells, cols);  /* for the hashes that stay with the cells */
        r->id = sample_id(b->series[r->group].id, r);
    }
}

void rows_identify(struct batch *b)
{
    if (b->table == TABLE_SAMPLE) {
        identify_samples(b);
        return;
    }
    struct id128 *groups = arena_new(b->mem, struct id128, b->ngroups + 1);
    struct arena scratch = *b->mem;
    struct col_state *cols = arena_new(&scratch, struct col_state, b->ncols + 1);
    for (uint32_t i = 0; i < b->ngroups; i++)
        groups[i] = cells_hash(b, &b->groups[i], cols);
    b->group_ids = groups;
    for (uint32_t i = 0; i < b->nrows; i++)
        b->rows[i].id = row_hash(b, &b->rows[i], groups, cols);
}
