/* store/head_series.c -- samples in the head: a table of series, and rows that say of which
 * they are.
 *
 *     id of a series -> its number -> its labels' codes, its newest time
 *     row -> the number of its series, time, value, start, ...
 *
 * A series' labels are looked at once a generation. For all its later rows a look-up of its
 * id is enough, so appending is copying a few numbers.
 *
 * Most samples are also told to be new by their series alone (accounting rule 5). The ids of
 * one series differ if their naming times do. So:
 *
 *   Invariant: for every series that the live head has, `newest` is at least the naming
 *   time of each of its rows that the live head, a sealed one or a kept one holds. A row that
 *   is named by a later time is in none of them.
 *
 * It holds since rows are only ever added to the live head, by whoever raised `newest`
 * first, and since a series that comes to the live head begins with the latest time that
 * a row has in any of the others. Heads that go make it no less true. (That series begin
 * with times of rows, not with another `newest`, is so that one row from the future is
 * forgotten when its head goes.) Only for a row that is
 * not later (a resend, a late one, a colliding one) exact sets of ids are asked. They are
 * made of the columns when the first such row comes, and go on from there.
 */
#include <string.h>

#include "store/head_int.h"

enum { PLACES_FIRST = 256 };

struct head_series {
    uint32_t *of;                                  /* by row */
    struct id128 *id;                              /* by series; this and what follows: writer only */
    int64_t *newest, *own;                         /* the invariant's; likewise, of the rows here alone */
    uint32_t *place;                               /* open addressing: number + 1; 0 is free */
    uint32_t cap;                                  /* places */
    uint32_t written;
    struct ident idents;                           /* of the rows before `identified` */
    uint32_t identified;
    uint64_t bytes;                                /* of series, not yet counted with their generation */
    _Atomic uint32_t n;                            /* published */
};

struct head_series *head_series_new(uint32_t room)
{
    struct head_series *s = mem_alloc(sizeof *s);
    s->of = mem_pages(room * sizeof *s->of);
    s->id = mem_pages(room * sizeof *s->id);
    s->newest = mem_pages(room * sizeof *s->newest);
    s->own = mem_pages(room * sizeof *s->own);
    return s;
}

void head_series_free(struct head_series *s, uint32_t room)
{
    if (!s)
        return;
    mem_pages_free(s->of, room * sizeof *s->of);
    mem_pages_free(s->id, room * sizeof *s->id);
    mem_pages_free(s->newest, room * sizeof *s->newest);
    mem_pages_free(s->own, room * sizeof *s->own);
    mem_free(s->place);
    ident_done(&s->idents);
    mem_free(s);
}

void head_series_publish(struct head_series *s)
{
    atomic_store_explicit(&s->n, s->written, memory_order_release);
}

void head_series_picture(const struct head_series *s, struct block *ret)
{
    ret->series = s->of;
    ret->nseries = atomic_load_explicit(&s->n, memory_order_acquire);
}

/* ---- the table ------------------------------------------------------------- */

uint32_t series_find(const struct head *h, struct id128 id)
{
    const struct head_series *s = h->series;
    uint32_t mask = s->cap - 1;
    for (uint32_t i = (uint32_t)id.lo & mask; s->cap && s->place[i]; i = (i + 1) & mask)
        if (id128_eq(s->id[s->place[i] - 1], id))
            return s->place[i] - 1;
    return SERIES_NONE;
}

static void put_place(struct head_series *s, uint32_t number)
{
    uint32_t i = (uint32_t)s->id[number].lo & (s->cap - 1);
    while (s->place[i])
        i = (i + 1) & (s->cap - 1);
    s->place[i] = number + 1;
}

static void grow(struct head_series *s)
{
    mem_free(s->place);
    s->cap = s->cap ? s->cap * 2 : PLACES_FIRST;
    s->place = mem_alloc(s->cap * sizeof *s->place);
    for (uint32_t i = 0; i < s->written; i++)
        put_place(s, i);
}

uint32_t series_add(struct head *h, const struct batch *b, uint32_t group, int64_t newest)
{
    struct head_series *s = h->series;
    struct arena scratch = *b->mem;
    uint64_t *bytes = &s->bytes;
    CHECK(s->written < h->room);
    if ((s->written + 1) * 2 > s->cap)
        grow(s);
    uint32_t number = s->written++;
    struct cells labels = batch_labels(b, group, &scratch);
    for (uint32_t i = 0; i < labels.n; i++) {
        const struct cell *c = &labels.at[i];
        if (c->v.type == V_NONE)
            continue;
        CHECK(b->cols[c->col].place == PLACE_LABEL);
        struct head_col *col = head_col_get(h, b->cols[c->col], bytes);
        col->code[number] = head_intern(h, col, c, bytes);
    }
    s->id[number] = b->series[group].id;
    s->newest[number] = newest;
    s->own[number] = INT64_MIN;
    put_place(s, number);
    s->bytes += sizeof *s->id + 2 * sizeof *s->newest + 2 * sizeof *s->place + labels.n * sizeof(uint32_t);
    return number;
}

int64_t series_newest_own(const struct head *h, struct id128 id)
{
    uint32_t at = series_find(h, id);
    return at == SERIES_NONE ? INT64_MIN : h->series->own[at];
}

bool series_is_newer(struct head *h, uint32_t series, const struct row *r)
{
    struct head_series *s = h->series;
    int64_t named = row_naming_time(TABLE_SAMPLE, r), before = s->newest[series];
    s->newest[series] = MAX(before, named);
    s->own[series] = MAX(s->own[series], named);
    return !r->claimed_ns && named > before;
}

uint32_t series_count(const struct head *h)
{
    return h->series->written;
}

/* ---- rows ------------------------------------------------------------------ */

enum { ROW_BYTES = 64 };

static void raise_to(_Atomic int64_t *at, int64_t v)
{
    if (v > atomic_load_explicit(at, memory_order_relaxed))
        atomic_store_explicit(at, v, memory_order_relaxed);
}

static void lower_to(_Atomic int64_t *at, int64_t v)
{
    if (v < atomic_load_explicit(at, memory_order_relaxed))
        atomic_store_explicit(at, v, memory_order_relaxed);
}

/* What a row has besides its series: a histogram. */
static void put_fields(struct head *h, uint32_t at, const struct batch *b, const struct cells *cells, uint64_t *bytes)
{
    for (uint32_t i = 0; i < cells->n; i++) {
        const struct cell *c = &cells->at[i];
        if (c->v.type == V_NONE)
            continue;
        struct head_col *col = head_col_get(h, b->cols[c->col], bytes);
        CHECK(col->key.place == PLACE_FIELD);
        col->code[at] = head_intern(h, col, c, bytes);
    }
}

void series_append(struct gen *g, const struct batch *b, const bool *keep, const uint32_t *number, bool identified, uint64_t seq)
{
    struct head *h = g->heads[TABLE_SAMPLE];
    CHECK(b->table == TABLE_SAMPLE && h && gen_fits(g, b));
    int64_t min = INT64_MAX, max = INT64_MIN;
    uint32_t at = h->written;
    uint64_t bytes = h->series->bytes;
    for (uint32_t i = 0; i < b->nrows; i++) {
        const struct row *r = &b->rows[i];
        if (!keep[i])
            continue;
        h->series->of[at] = number[r->group];
        h->time_ns[at] = r->time_ns;
        h->value[at] = r->value;
        h->start_ns[at] = r->start_ns;
        h->recv_ns[at] = b->recv_ns;
        h->claimed_ns[at] = r->claimed_ns;
        h->temporality[at] = (uint8_t)r->temporality;
        h->origin[at] = (uint8_t)r->origin;
        h->seq[at] = seq;
        h->any_claimed |= r->claimed_ns != 0;
        min = MIN(min, r->time_ns);
        max = MAX(max, r->time_ns);
        if (r->cells.n)
            put_fields(h, at, b, &r->cells, &bytes);
        at++;
    }
    bytes += (uint64_t)(at - h->written) * ROW_BYTES;
    h->series->bytes = 0;
    h->written = at;
    if (identified)
        h->series->identified = at;
    lower_to(&h->time_min, min);
    raise_to(&h->time_max, max);
    raise_to(&h->recv_max, b->recv_ns);
    atomic_fetch_add_explicit(&g->bytes, bytes, memory_order_relaxed);
}

/* ---- identities ------------------------------------------------------------ */

struct ident *series_idents(struct head *h)
{
    struct head_series *s = h->series;
    if (!s->idents.cap && h->written)
        ident_reserve(&s->idents, h->written);
    for (; s->identified < h->written; s->identified++) {
        uint32_t i = s->identified;
        const struct row r = {
            .time_ns = h->time_ns[i],
            .claimed_ns = h->claimed_ns[i],
            .start_ns = h->start_ns[i],
            .value = h->value[i],
            .temporality = (enum temporality)h->temporality[i],
        };
        struct id128 id = sample_id(s->id[s->of[i]], &r);
        struct ident_slot *slot = ident_find(&s->idents, id);
        if (!slot)
            ident_put(&s->idents, id, r.value);
        else if (r.value > slot->value)            /* cumulative: the larger one counts */
            slot->value = r.value;
    }
    return &s->idents;
}
