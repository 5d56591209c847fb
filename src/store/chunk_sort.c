/* store/chunk_sort.c -- the order of rows in a chunk, and the runs they stand in.
 *
 * Events and spans: by session, name, then time; a run is one session. Samples: by series,
 * these by metric name, model, type, session and then all their other labels, and inside
 * a series by temporality, origin, time; a run is what these three do not tell apart. Equal
 * times stand in the order of their arrival.
 *
 * What belongs together stands together, so that almost every column is runs (events became
 * 27 % smaller by the session), and what is a function of the run can be kept once a run.
 * Which attributes an event has hangs on its name: with it in the order validity and short
 * codes are runs too, 1.8 bytes an event less, of which times and sequence numbers take
 * back 0.5.
 *
 * Samples are sorted by series, of which there are few: labels are compared once a series,
 * never once a row; the rows then go to their series in one pass, and those of one series
 * are mostly in order already. A block that does not say which series there are is hashed
 * for them.
 *
 * Series and events go by a radix sort from the least significant key to the most; keys are
 * 64-bit times and dictionary codes, and bytes that are the same in all rows cost nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/chunk_int.h"

/* --- by one key ------------------------------------------------------------------------ */

struct sorter sorter_new(uint32_t n, struct arena *mem)
{
    return (struct sorter){ arena_raw(mem, struct sort_item, n + 1u), arena_raw(mem, struct sort_item, n + 1u), n };
}

/* Sorts by one byte of the key, keeping the order of equals. False: all are equal. */
static bool sort_by_byte(struct sort_item *from, struct sort_item *to, uint32_t n, unsigned shift)
{
    uint32_t count[256] = { 0 }, at = 0;
    for (uint32_t i = 0; i < n; i++)
        count[from[i].key >> shift & 255]++;
    if (count[from[0].key >> shift & 255] == n)
        return false;
    for (unsigned k = 0; k < 256; k++) {
        uint32_t c = count[k];
        count[k] = at;
        at += c;
    }
    for (uint32_t i = 0; i < n; i++)
        to[count[from[i].key >> shift & 255]++] = from[i];
    return true;
}

void sort_by_key(struct sorter *s)
{
    uint64_t differ = 0;
    bool ascend = true;
    for (uint32_t i = 1; i < s->n; i++) {
        differ |= s->items[i].key ^ s->items[0].key;
        ascend = ascend && s->items[i].key >= s->items[i - 1].key;
    }
    for (unsigned shift = 0; shift < 64 && !ascend; shift += 8) {
        if (!(differ >> shift & 255) || !sort_by_byte(s->items, s->spare, s->n, shift))
            continue;
        struct sort_item *t = s->items;
        s->items = s->spare;
        s->spare = t;
    }
}

/* A number that is the same for equal cells of a column only. */
static uint64_t cell_key(const struct column *c, uint32_t i)
{
    uint64_t u = 0;
    if (c->code)
        return column_code(c, i);
    if (!c->valid || bit_get(c->valid, i))
        memcpy(&u, c->type == V_INT ? (const void *)&c->i64[i] : (const void *)&c->f64[i], sizeof u);
    return u;
}

static bool has_key(const struct column *c, enum place place, struct str name)
{
    return c->key.place == place && str_eq(c->key.name, name);
}

/* --- series ---------------------------------------------------------------------------- */

/* Which of the labels come first in the order; the rest follow as the block has them. */
static const struct str first_labels[] = { S("__name__"), S("model"), S("type"), S("session_id") };

/* The columns that tell series apart, most significant first. */
static const struct column **label_columns(const struct block *in, struct arena *mem, uint32_t *ret_n)
{
    const struct column **at = arena_new(mem, const struct column *, in->ncols + 1u);
    uint32_t n = 0;
    for (size_t k = 0; k <= LEN(first_labels); k++)
        for (uint32_t i = 0; i < in->ncols; i++) {
            const struct column *c = &in->cols[i];
            bool first = false;
            for (size_t j = 0; j < LEN(first_labels); j++)
                first |= has_key(c, PLACE_LABEL, first_labels[j]);
            if (k < LEN(first_labels) ? has_key(c, PLACE_LABEL, first_labels[k]) : c->key.place == PLACE_LABEL && !first)
                at[n++] = c;
        }
    *ret_n = n;
    return at;
}

/* The series of each row of sel[], as numbers below *ret_n; element[] of each in label columns. */
struct series {
    uint32_t *of;                                  /* by position in sel */
    uint32_t *element;                             /* by number */
    uint32_t n;
};

/* Those that the block names, as far as they occur. */
static struct series given_series(const struct block *in, struct arena *mem)
{
    struct series s = { .of = arena_raw(mem, uint32_t, in->nsel), .element = arena_raw(mem, uint32_t, in->nseries) };
    uint32_t *number = arena_new(mem, uint32_t, in->nseries);
    for (uint32_t i = 0; i < in->nsel; i++) {
        uint32_t k = in->series[in->sel[i]];
        CHECK(k < in->nseries);
        if (!number[k]) {
            s.element[s.n] = k;
            number[k] = ++s.n;
        }
        s.of[i] = number[k] - 1;
    }
    return s;
}

static bool same_labels(const struct column *const *cols, uint32_t ncols, uint32_t a, uint32_t b)
{
    for (uint32_t c = 0; c < ncols; c++)
        if (cell_key(cols[c], a) != cell_key(cols[c], b))
            return false;
    return true;
}

static uint64_t *hash_labels(const struct block *in, const struct column *const *cols, uint32_t ncols, struct arena *mem)
{
    uint64_t *h = arena_new(mem, uint64_t, in->nsel);
    for (uint32_t c = 0; c < ncols; c++)
        for (uint32_t i = 0; i < in->nsel; i++)
            h[i] = (h[i] ^ cell_key(cols[c], in->sel[i])) * UINT64_C(0x9e3779b97f4a7c15) ^ h[i] >> 29;
    return h;
}

/* Those that rows' labels make; the first row of each stands for it. */
static struct series found_series(const struct block *in, const struct column *const *cols, uint32_t ncols, struct arena *mem)
{
    struct series s = { .of = arena_raw(mem, uint32_t, in->nsel), .element = arena_raw(mem, uint32_t, in->nsel) };
    uint64_t *hash = hash_labels(in, cols, ncols, mem);
    uint32_t nslots = 16;
    while (nslots < in->nsel + in->nsel / 2)
        nslots *= 2;
    uint32_t *slots = arena_new(mem, uint32_t, nslots);
    for (uint32_t i = 0; i < in->nsel; i++) {
        uint32_t row = in->sel[i], at = (uint32_t)(hash[i] >> 32) & (nslots - 1);
        while (slots[at] && !same_labels(cols, ncols, s.element[slots[at] - 1], row))
            at = (at + 1) & (nslots - 1);
        if (!slots[at]) {
            s.element[s.n] = row;
            slots[at] = ++s.n;
        }
        s.of[i] = slots[at] - 1;
    }
    return s;
}

/* Their place in the order, by number. */
static uint32_t *rank_series(const struct series *s, const struct column *const *cols, uint32_t ncols, struct arena *mem)
{
    uint32_t *rank = arena_raw(mem, uint32_t, s->n);
    struct arena scratch = *mem;
    struct sorter sort = sorter_new(s->n, &scratch);
    for (uint32_t i = 0; i < s->n; i++)
        sort.items[i].row = i;
    for (uint32_t c = ncols; c-- > 0;) {
        for (uint32_t i = 0; i < s->n; i++)
            sort.items[i].key = cell_key(cols[c], s->element[sort.items[i].row]);
        sort_by_key(&sort);
    }
    for (uint32_t i = 0; i < s->n; i++)
        rank[sort.items[i].row] = i;
    return rank;
}

/* --- samples ----------------------------------------------------------------------------- */

/* What a row is sorted by inside its series. */
struct row_key {
    int64_t time;
    uint64_t seq;
    uint32_t row;
    uint32_t stream;                               /* temporality and origin */
};

static int row_cmp(const struct row_key *a, const struct row_key *b)
{
    if (a->stream != b->stream)
        return a->stream < b->stream ? -1 : 1;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static int row_qcmp(const void *a, const void *b)
{
    return row_cmp(a, b);
}

static uint32_t stream_of(const struct block *in, uint32_t row)
{
    return (uint32_t)in->temporality[row] << 8 | in->origin[row];
}

/* Rows of one series, row[0 .. n), which mostly are in order. */
static void sort_rows(const struct block *in, uint32_t *row, uint32_t n, struct row_key *keys)
{
    bool ascend = true;
    for (uint32_t i = 0; i < n; i++) {
        keys[i] = (struct row_key){ in->time_ns[row[i]], in->seq[row[i]], row[i], stream_of(in, row[i]) };
        ascend = ascend && (i == 0 || row_cmp(&keys[i - 1], &keys[i]) <= 0);
    }
    if (ascend)
        return;
    qsort(keys, n, sizeof *keys, row_qcmp);
    for (uint32_t i = 0; i < n; i++)
        row[i] = keys[i].row;
}

static void end_runs(const struct block *in, uint32_t from, uint32_t to, uint32_t element, struct chunk_order *o)
{
    for (uint32_t i = from; i < to; i++)
        if (i + 1 == to || stream_of(in, o->row[i]) != stream_of(in, o->row[i + 1])) {
            o->element[o->nruns] = element;
            o->run_end[o->nruns++] = i + 1;
        }
}

static void sort_samples(const struct block *in, bool ranked, struct arena *mem, struct chunk_order *o)
{
    uint32_t n = in->nsel, ncols;
    struct arena scratch = *mem;
    const struct column **cols = label_columns(in, &scratch, &ncols);
    struct series s = in->series ? given_series(in, &scratch) : found_series(in, cols, ncols, &scratch);
    uint32_t *rank = rank_series(&s, cols, ranked ? ncols : 0, &scratch);
    uint32_t *end = arena_new(&scratch, uint32_t, s.n + 1u);     /* of each rank, where its next row goes */
    for (uint32_t i = 0; i < n; i++)
        end[rank[s.of[i]] + 1]++;
    for (uint32_t k = 0; k < s.n; k++)
        end[k + 1] += end[k];
    for (uint32_t i = 0; i < n; i++)
        o->row[end[rank[s.of[i]]]++] = in->sel[i];

    uint32_t *element = arena_raw(&scratch, uint32_t, s.n);      /* by rank */
    for (uint32_t k = 0; k < s.n; k++)
        element[rank[k]] = s.element[k];
    struct row_key *keys = arena_raw(&scratch, struct row_key, n);
    for (uint32_t k = 0; k < s.n; k++) {
        uint32_t from = k ? end[k - 1] : 0;
        sort_rows(in, o->row + from, end[k] - from, keys);
        end_runs(in, from, end[k], element[k], o);
    }
}

/* --- events and spans ---------------------------------------------------------------------- */

static const struct {
    uint32_t tables;
    struct colkey key;
} sort_keys[] = {                                  /* least significant first; the time goes before them */
    { 1u << TABLE_LOG, { PLACE_ATTR, S("event.name") } },
    { 1u << TABLE_SPAN, { PLACE_FIELD, S("name") } },
    { 1u << TABLE_LOG | 1u << TABLE_SPAN, { PLACE_ATTR, S("session.id") } },
};

static const struct column *find_codes(const struct block *in, struct colkey key)
{
    for (uint32_t i = 0; i < in->ncols; i++)
        if (has_key(&in->cols[i], key.place, key.name))
            return in->cols[i].code ? &in->cols[i] : NULL;
    return NULL;
}

static void sort_records(enum table t, const struct block *in, struct arena *mem, struct chunk_order *o)
{
    uint32_t n = in->nsel;
    struct arena scratch = *mem;
    struct sorter s = sorter_new(n, &scratch);
    for (uint32_t i = 0; i < n; i++)
        s.items[i] = (struct sort_item){ in->seq[in->sel[i]], in->sel[i] };
    sort_by_key(&s);
    for (uint32_t i = 0; i < n; i++)
        s.items[i].key = (uint64_t)in->time_ns[s.items[i].row] ^ UINT64_C(1) << 63;
    sort_by_key(&s);
    const struct column *c = NULL;
    for (size_t k = 0; k < LEN(sort_keys); k++) {
        c = sort_keys[k].tables >> t & 1 ? find_codes(in, sort_keys[k].key) : NULL;
        if (!c)
            continue;
        for (uint32_t i = 0; i < n; i++)
            s.items[i].key = column_code(c, s.items[i].row);
        sort_by_key(&s);
    }
    for (uint32_t i = 0; i < n; i++) {
        o->row[i] = s.items[i].row;
        if (i + 1 == n || (c && column_code(c, s.items[i].row) != column_code(c, s.items[i + 1].row)))
            o->run_end[o->nruns++] = i + 1;
    }
}

static struct chunk_order order_new(const struct block *in, struct arena *mem)
{
    for (uint32_t i = 0; i < in->nsel; i++)
        CHECK(in->sel[i] < in->n);
    return (struct chunk_order){ .row = arena_raw(mem, uint32_t, in->nsel), .run_end = arena_raw(mem, uint32_t, in->nsel) };
}

void chunk_sort(enum table t, const struct block *in, struct arena *mem, struct chunk_order *ret)
{
    struct chunk_order o = order_new(in, mem);
    if (t == TABLE_SAMPLE) {
        o.element = arena_raw(mem, uint32_t, in->nsel);
        sort_samples(in, true, mem, &o);
    } else {
        CHECK(!in->series);
        sort_records(t, in, mem, &o);
    }
    *ret = o;
}

void chunk_group(const struct block *in, struct arena *mem, struct chunk_order *ret)
{
    struct chunk_order o = order_new(in, mem);
    o.element = arena_raw(mem, uint32_t, in->nsel);
    sort_samples(in, false, mem, &o);
    *ret = o;
}
