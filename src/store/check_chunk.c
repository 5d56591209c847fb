/* store/check_chunk.c -- one chunk: every column decoded, and held against the summary.
 *
 * Columns come one after the other, in the order of their numbers; the times come first and
 * stay, the others go when they have been looked at. What the summary says of a column is
 * worked out again from its rows: how many have a value, which types, how many distinct
 * values and which, the range of its numbers; and the filter must know every id.
 */
#include <math.h>
#include <stdio.h>

#include "base/map.h"
#include "model/names.h"
#include "store/check_int.h"

enum { CHUNK_BYTES = 256 << 20, WHERE_MAX = 160 };

struct chunk_reading {
    struct checker *c;
    struct check_chunk k;
    struct str filter;
    struct arena mem;
    struct block fixed;                            /* times only */
    struct chunk_shape shape;                      /* rows 0: not read */
    struct str steps;                              /* the blob: what goes by moment needs it */
    uint32_t fixed_seen;                           /* bit 1 << column */
    bool *seen;                                    /* of the summary's columns */
    bool broken;                                   /* times do not decode: columns of times cannot either */
};

static void damage(struct chunk_reading *r, const char *fmt, ...) PRINTF(2, 3);
static void damage(struct chunk_reading *r, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    check_tell(r->c, CHECK_DAMAGE, "chunk %llu: %s", (unsigned long long)r->k.id, text);
}

struct chunk_reading *check_chunk_begin(struct checker *c, const struct check_chunk *k, struct str filter)
{
    struct chunk_reading *r = mem_alloc(sizeof *r);
    *r = (struct chunk_reading){ .c = c, .k = *k, .filter = filter };
    arena_init(&r->mem, CHUNK_BYTES);
    r->seen = arena_new(&r->mem, bool, k->sum.ncols + 1);
    return r;
}

/* --- fixed columns ---------------------------------------------------------------------- */

static void same_range(struct chunk_reading *r, const char *what, const int64_t *v, int64_t min, int64_t max)
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    for (uint32_t i = 0; i < r->k.sum.rows; i++) {
        lo = MIN(lo, v[i]);
        hi = MAX(hi, v[i]);
    }
    if (lo != min || hi != max)
        damage(r, "its summary says %lld to %lld of %s, its rows say %lld to %lld", (long long)min, (long long)max, what, (long long)lo,
               (long long)hi);
}

static void same_claimed(struct chunk_reading *r, const int64_t *v)
{
    int64_t lo = 0, hi = 0;
    bool any = false;
    for (uint32_t i = 0; i < r->k.sum.rows; i++) {
        if (!v[i])
            continue;
        lo = any ? MIN(lo, v[i]) : v[i];
        hi = any ? MAX(hi, v[i]) : v[i];
        any = true;
    }
    if (lo != r->k.sum.claimed_min || hi != r->k.sum.claimed_max)
        damage(r, "its summary says another range of claimed times than its rows");
}

static void same_bits(struct chunk_reading *r, const char *what, const uint8_t *v, uint32_t bits)
{
    uint32_t have = 0;
    for (uint32_t i = 0; i < r->k.sum.rows; i++)
        have |= v[i] < 32 ? 1u << v[i] : 0;
    if (have != bits)
        damage(r, "its summary says %#x of %s, its rows say %#x", bits, what, have);
}

static void shape_column(struct chunk_reading *r, struct str blob)
{
    struct fault f = { 0 };
    struct chunk_shape s;
    if (chunk_shape_read(blob, r->k.sum.rows, &r->mem, &s, &f)) {
        r->broken = true;
        damage(r, "%s", f.msg);
        return;
    }
    r->fixed_seen |= 1u << CHUNK_RUNS;
    r->shape = s;
    if (s.nruns != r->k.sum.runs)
        damage(r, "its summary says %u runs, its rows stand in %u", r->k.sum.runs, s.nruns);
}

static void fixed_column(struct chunk_reading *r, enum chunk_fixed column, struct str blob)
{
    const struct chunk_summary *s = &r->k.sum;
    struct arena mem = r->mem;
    struct block b = { 0 };
    struct str blobs[CHUNK_FIXED_COUNT] = { 0 };
    struct fault f = { 0 };
    if (column == CHUNK_RUNS) {
        shape_column(r, blob);
        return;
    }
    if (!r->shape.rows)
        return;
    if (column == CHUNK_STEPS)
        r->steps = arena_str(&r->mem, blob);
    mem = r->mem;
    blobs[CHUNK_STEPS] = r->steps;
    blobs[column] = blob;
    if (chunk_fixed_read(blobs, &r->shape, &mem, &b, &f)) {
        r->broken |= column == CHUNK_TIME;
        damage(r, "%s", f.msg);
        return;
    }
    r->fixed_seen |= 1u << column;
    if (column == CHUNK_TIME) {
        r->mem = mem;                              /* kept */
        r->fixed.time_ns = b.time_ns;
        same_range(r, "times", b.time_ns, s->time_min, s->time_max);
    } else if (column == CHUNK_RECV) {
        same_range(r, "receive times", b.recv_ns, s->recv_min, s->recv_max);
    } else if (column == CHUNK_START) {
        same_range(r, "starts", b.start_ns, s->start_min, s->start_max);
    } else if (column == CHUNK_CLAIMED) {
        same_claimed(r, b.claimed_ns);
    } else if (column == CHUNK_SEQ) {
        same_range(r, "sequences", (const int64_t *)b.seq, (int64_t)s->seq_min, (int64_t)s->seq_max);
    } else if (column == CHUNK_TEMPORALITY) {
        same_bits(r, "temporalities", b.temporality, s->temporalities);
    } else if (column == CHUNK_ORIGIN) {
        same_bits(r, "origins", b.origin, s->origins);
    }
}

/* --- attribute columns ------------------------------------------------------------------- */

/* What a column's rows say of it. */
struct told {
    const struct chunk_col *col;
    uint32_t present, types;
    bool numbers;                                  /* all values are, and none is NaN */
    double min, max;
    bool *occurs;                                  /* of the values that the summary lists */
    bool unlisted;                                 /* one is not among them */
};

static struct told told_begin(const struct chunk_col *col, struct arena *mem)
{
    return (struct told){
        .col = col, .numbers = true, .min = INFINITY, .max = -INFINITY, .occurs = arena_new(mem, bool, col->nvalues + 1),
    };
}

static void tell_listed(struct told *t, const struct value *v)
{
    for (uint32_t i = 0; i < t->col->nvalues; i++)
        if (value_eq(&t->col->values[i], v)) {
            t->occurs[i] = true;
            return;
        }
    t->unlisted = true;
}

static void tell_value(struct told *t, const struct value *v)
{
    double d = v->type == V_INT ? (double)v->i : v->type == V_DOUBLE ? v->d : NAN;
    t->types |= 1u << v->type;
    if (t->col->values)
        tell_listed(t, v);
    t->numbers &= !isnan(d);
    t->min = MIN(t->min, d);
    t->max = MAX(t->max, d);
}

static void look_at(struct chunk_reading *r, const struct chunk_col *col, const struct value *v)
{
    char where[WHERE_MAX];
    if (!check_looks(r->c))
        return;
    (void)snprintf(where, sizeof where, "chunk %llu, column %u", (unsigned long long)r->k.id, col->column);
    check_look_value(r->c, v, where, col->key.name);
}

static void tell_codes(struct chunk_reading *r, struct told *t, const struct column *c, struct arena mem)
{
    bool *used = arena_new(&mem, bool, c->ndict + 1);
    for (uint32_t i = 0; i < r->k.sum.rows; i++) {
        uint32_t code = column_code(c, i);
        t->present += code != 0;
        used[code] = true;
    }
    for (uint32_t k = 1; k < c->ndict; k++)
        if (used[k]) {
            tell_value(t, &c->dict[k]);
            look_at(r, t->col, &c->dict[k]);
        }
}

static void tell_plain(struct chunk_reading *r, struct told *t, const struct column *c)
{
    for (uint32_t i = 0; i < r->k.sum.rows; i++) {
        struct value v = column_value(c, i);
        if (v.type == V_NONE)
            continue;
        t->present++;
        tell_value(t, &v);
        look_at(r, t->col, &v);
    }
}

static void same_column(struct chunk_reading *r, const struct told *t)
{
    const struct chunk_col *col = t->col;
    const char *what = NULL;
    bool missing = false;
    for (uint32_t i = 0; i < col->nvalues; i++)
        missing |= !t->occurs[i];
    if (col->full != (t->present == r->k.sum.rows))
        what = "whether every row has a value";
    else if (col->types != t->types)
        what = "the types of its values";
    else if (t->unlisted || missing)
        what = "which values there are";
    else if (col->ranged && (!t->numbers || t->min < col->min || t->max > col->max))
        what = "the range of its numbers";
    if (what)
        damage(r, "column %u (" STR_FMT "): its summary and its rows differ in %s", col->column, STR_ARG(col->key.name), what);
}

/* There may be fewer than the summary says, not more; equal ones may have several codes. */
static void few_enough(struct chunk_reading *r, const struct chunk_col *col, const struct column *c, struct arena mem)
{
    struct map seen = { 0 };
    if (!c->code || !col->distinct || c->ndict <= col->distinct + 1)
        return;
    for (uint32_t k = 1; k < c->ndict; k++)
        map_put(&seen, arena_fmt(&mem, "%d" STR_FMT, (int)c->dict[k].type, STR_ARG(value_text_in(&c->dict[k], &mem))), 0);
    if (seen.n > col->distinct)
        damage(r, "column %u (" STR_FMT "): has more values than its summary says", col->column, STR_ARG(col->key.name));
    map_done(&seen);
}

static bool is_filtered(struct colkey key)
{
    return label_name_is(key.name, S("session_id")) || label_name_is(key.name, S("prompt_id"));
}

static void in_filter(struct chunk_reading *r, const struct chunk_col *col, const struct column *c, struct arena mem)
{
    struct fault f = { 0 };
    if (!is_filtered(col->key))
        return;
    for (uint32_t i = 0; i < (c->code ? c->ndict : r->k.sum.rows); i++) {
        struct arena scratch = mem;
        struct value v = c->code ? c->dict[i] : column_value(c, i);
        bool maybe = true;
        if (v.type != V_NONE && !chunk_filter_test(r->filter, value_text_in(&v, &scratch), &maybe, &f) && !maybe) {
            damage(r, "column %u (" STR_FMT "): the filter does not know one of its ids", col->column, STR_ARG(col->key.name));
            return;
        }
    }
}

static void attribute_column(struct chunk_reading *r, uint32_t i, struct str blob)
{
    const struct chunk_col *col = &r->k.sum.cols[i];
    struct arena mem = r->mem;
    struct column c;
    struct fault f = { 0 };
    r->seen[i] = true;
    if (r->broken)
        return;
    if (chunk_column_read(blob, col, &r->shape, r->fixed.time_ns, &mem, &c, &f)) {
        damage(r, "column %u (" STR_FMT "): %s", col->column, STR_ARG(col->key.name), f.msg);
        return;
    }
    struct told t = told_begin(col, &mem);
    if (c.code)
        tell_codes(r, &t, &c, mem);
    else
        tell_plain(r, &t, &c);
    same_column(r, &t);
    few_enough(r, col, &c, mem);
    in_filter(r, col, &c, mem);
}

void check_chunk_column(struct chunk_reading *r, uint32_t column, struct str blob)
{
    r->c->totals->columns++;
    if (column < CHUNK_FIXED_COUNT) {
        fixed_column(r, (enum chunk_fixed)column, blob);
        return;
    }
    for (uint32_t i = 0; i < r->k.sum.ncols; i++)
        if (r->k.sum.cols[i].column == column) {
            r->c->totals->content_columns += r->k.sum.cols[i].content;
            attribute_column(r, i, blob);
            return;
        }
    damage(r, "has a column %u that its summary does not know", column);
}

/* --- what is missing ---------------------------------------------------------------------- */

static uint32_t fixed_wanted(const struct chunk_summary *s)
{
    uint32_t want = 1u << CHUNK_RUNS | 1u << CHUNK_TIME | 1u << CHUNK_RECV | 1u << CHUNK_ORIGIN | 1u << CHUNK_SEQ;
    if (s->table == TABLE_SAMPLE)
        want |= 1u << CHUNK_START | 1u << CHUNK_VALUE | 1u << CHUNK_TEMPORALITY;
    return s->claimed_min || s->claimed_max ? want | 1u << CHUNK_CLAIMED : want;
}

void check_chunk_end(struct chunk_reading *r, bool content_is_there)
{
    uint32_t want = fixed_wanted(&r->k.sum) | (r->shape.stepped ? 1u << CHUNK_STEPS : 0), missing = want & ~r->fixed_seen;
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT && !r->broken; i++)
        if (missing >> i & 1)
            damage(r, "column %u is missing or cannot be read", i);
    for (uint32_t i = 0; i < r->k.sum.ncols; i++) {
        const struct chunk_col *col = &r->k.sum.cols[i];
        if (r->seen[i])
            continue;
        if (col->content && !content_is_there)
            r->c->totals->content_gone++;
        else
            damage(r, "column %u (" STR_FMT ") is missing", col->column, STR_ARG(col->key.name));
    }
    arena_done(&r->mem);
    mem_free(r);
}
