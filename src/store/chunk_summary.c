/* store/chunk_summary.c -- what a query may know of a chunk without reading it.
 *
 * About 1 KB for 64 k events: time ranges, which columns there are and where, the
 * values themselves of columns that have few short ones (names, models, types), the
 * range of numeric ones. All of it is exact, never a hint: a value that is not in a
 * list does not occur, a column that is not listed is absent in all rows.
 *
 * Values of content columns are not in it; the summary stays when content goes.
 */
#include <math.h>
#include <string.h>

#include "store/chunk_int.h"

/* Values are listed up to here; the column that names the rows gets more room. */
enum { VALUES_MAX = 16, VALUES_BYTES = 64, NAMES_MAX = 64, NAMES_BYTES = 2048 };
enum col_flag { COL_CONTENT = 1, COL_FULL = 2, COL_RANGED = 4, COL_LISTED = 8, COL_FLAGS = 15 };

static const struct colkey name_columns[TABLE_COUNT] = {
    [TABLE_SAMPLE] = { PLACE_LABEL, S("__name__") },
    [TABLE_LOG] = { PLACE_ATTR, S("event.name") },
    [TABLE_SPAN] = { PLACE_FIELD, S("name") },
};

/* --- describing a column ------------------------------------------------------------ */

static double round_down(int64_t v)
{
    double d = (double)v;
    return d >= 9223372036854775808.0 || (int64_t)d > v ? nextafter(d, -INFINITY) : d;
}

static double round_up(int64_t v)
{
    double d = (double)v;
    return d < 9223372036854775808.0 && (int64_t)d < v ? nextafter(d, INFINITY) : d;
}

static void range_add(struct chunk_col *c, const struct value *v)
{
    if ((v->type != V_INT && v->type != V_DOUBLE) || (v->type == V_DOUBLE && isnan(v->d))) {
        c->ranged = false;
        return;
    }
    c->min = MIN(c->min, v->type == V_INT ? round_down(v->i) : v->d);
    c->max = MAX(c->max, v->type == V_INT ? round_up(v->i) : v->d);
}

static void describe_numbers(struct chunk_col *c, const struct chunk_vals *v)
{
    c->types = 1u << v->type;
    for (uint32_t i = 0; i < v->rows; i++) {
        if (v->valid && !bit_get(v->valid, i))
            continue;
        struct value x = v->type == V_INT ? value_int(v->i64[i]) : value_double(v->f64[i]);
        range_add(c, &x);
    }
}

static bool is_name_column(enum table t, struct colkey key)
{
    return key.place == name_columns[t].place && str_eq(key.name, name_columns[t].name);
}

static void describe_dict(enum table t, struct chunk_col *c, const struct chunk_vals *v)
{
    bool name = is_name_column(t, v->key);
    size_t bytes = 0;
    c->distinct = v->ndict - 1;
    for (uint32_t k = 1; k < v->ndict; k++) {
        const struct value *x = &v->dict[k];
        c->types |= 1u << x->type;
        range_add(c, x);
        bytes += x->type == V_STR || x->type == V_JSON || x->type == V_BYTES ? x->s.n : sizeof(int64_t);
    }
    if (c->distinct <= (name ? NAMES_MAX : VALUES_MAX) && bytes <= (name ? NAMES_BYTES : VALUES_BYTES)) {
        c->values = v->dict + 1;
        c->nvalues = c->distinct;
    }
}

struct chunk_col chunk_col_of(enum table t, const struct chunk_vals *v)
{
    struct chunk_col c = { .key = v->key, .full = v->present == v->rows, .ranged = true, .min = INFINITY, .max = -INFINITY };
    if (v->code)
        describe_dict(t, &c, v);
    else
        describe_numbers(&c, v);
    if (!c.ranged)
        c.min = c.max = 0;
    return c;
}

/* --- writing ---------------------------------------------------------------------------- */

static void put_range(struct buf *b, int64_t min, int64_t max)
{
    CHECK(min <= max);
    put_zigzag(b, min);
    put_varint(b, (uint64_t)max - (uint64_t)min);
}

static void put_f64(struct buf *b, double v)
{
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    put_u64(b, u);
}

static void put_col(struct buf *b, const struct chunk_col *c, struct arena scratch)
{
    unsigned flags = (c->content ? COL_CONTENT : 0) | (c->full ? COL_FULL : 0) | (c->ranged ? COL_RANGED : 0) |
                     (c->values ? COL_LISTED : 0);
    buf_byte(b, (char)c->key.place);
    put_str(b, c->key.name);
    put_varint(b, c->column);
    buf_byte(b, (char)flags);
    buf_byte(b, (char)c->types);
    put_varint(b, c->distinct);
    if (c->ranged) {
        put_f64(b, c->min);
        put_f64(b, c->max);
    }
    if (c->values)
        put_values(b, c->values, c->nvalues, scratch);
}

enum err chunk_summary_write(const struct chunk_summary *s, struct arena *mem, struct str *ret, struct fault *f)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, CHUNK_RAW_MAX);
    buf_byte(&b, (char)s->table);
    put_varint(&b, s->rows);
    put_varint(&b, s->runs);
    put_varint(&b, s->level);
    put_varint(&b, s->tenant);
    put_range(&b, s->time_min, s->time_max);
    put_range(&b, s->recv_min, s->recv_max);
    put_range(&b, s->start_min, s->start_max);
    put_range(&b, s->claimed_min, s->claimed_max);
    put_varint(&b, s->seq_min);
    put_varint(&b, s->seq_max - s->seq_min);
    buf_byte(&b, (char)s->temporalities);
    buf_byte(&b, (char)s->origins);
    put_varint(&b, s->ncols);
    for (uint32_t i = 0; i < s->ncols; i++)
        put_col(&b, &s->cols[i], *mem);
    return blob_seal(&b, (struct blob_kind){ .enc = ENC_SUMMARY }, BLOB_SUMMARY, mem, ret, f);
}

/* --- reading ---------------------------------------------------------------------------- */

static void rd_range(struct rd *r, int64_t *ret_min, int64_t *ret_max)
{
    int64_t min = rd_zigzag(r);
    uint64_t width = rd_varint(r);
    if (width > (uint64_t)INT64_MAX - (uint64_t)min)
        r->bad = true;
    *ret_min = min;
    *ret_max = (int64_t)((uint64_t)min + width);
}

static double rd_f64(struct rd *r)
{
    uint64_t u = rd_u64(r);
    double v;
    memcpy(&v, &u, sizeof v);
    return v;
}

static void rd_col(struct rd *r, uint32_t rows, struct arena *mem, struct chunk_col *c)
{
    uint8_t place = rd_byte(r);
    c->key.name = rd_str(r);
    uint64_t column = rd_varint(r);
    uint8_t flags = rd_byte(r);
    c->types = rd_byte(r);
    uint64_t distinct = rd_varint(r);
    if (place >= PLACE_COUNT || column < CHUNK_ATTRS || column >= CHUNK_COLUMNS || flags > COL_FLAGS ||
        distinct > rows || (flags & COL_LISTED && (distinct == 0 || distinct > NAMES_MAX))) {
        r->bad = true;
        return;
    }
    c->key.place = (enum place)place;
    c->column = (uint32_t)column;
    c->distinct = (uint32_t)distinct;
    c->content = flags & COL_CONTENT;
    c->full = flags & COL_FULL;
    c->ranged = flags & COL_RANGED;
    if (c->ranged) {
        c->min = rd_f64(r);
        c->max = rd_f64(r);
    }
    if (flags & COL_LISTED && !blob_room(mem, 0, NAMES_MAX))
        r->bad = true;
    if (flags & COL_LISTED && !r->bad) {
        struct value *v = arena_new(mem, struct value, (size_t)distinct);
        rd_values(r, v, (size_t)distinct, mem);
        c->values = v;
        c->nvalues = c->distinct;
    }
}

static void rd_head(struct rd *r, struct chunk_summary *s)
{
    uint8_t table = rd_byte(r);
    uint64_t rows = rd_varint(r), runs = rd_varint(r), level = rd_varint(r), tenant = rd_varint(r);
    if (table >= TABLE_COUNT || rows == 0 || rows > CHUNK_ROWS_LIMIT || runs == 0 || runs > rows ||
        level > UINT8_MAX || tenant > UINT32_MAX) {
        r->bad = true;
        return;
    }
    s->table = (enum table)table;
    s->rows = (uint32_t)rows;
    s->runs = (uint32_t)runs;
    s->level = (uint32_t)level;
    s->tenant = (uint32_t)tenant;
    rd_range(r, &s->time_min, &s->time_max);
    rd_range(r, &s->recv_min, &s->recv_max);
    rd_range(r, &s->start_min, &s->start_max);
    rd_range(r, &s->claimed_min, &s->claimed_max);
    s->seq_min = rd_varint(r);
    s->seq_max = s->seq_min + rd_varint(r);
    s->temporalities = rd_byte(r);
    s->origins = rd_byte(r);
}

static int key_cmp(struct colkey a, struct colkey b)
{
    return a.place != b.place ? (a.place < b.place ? -1 : 1) : str_cmp(a.name, b.name);
}

enum err chunk_summary_read(struct str blob, struct arena *mem, struct chunk_summary *ret, struct fault *f)
{
    struct rd r;
    struct blob_kind kind;
    enum err e = blob_open(blob, BLOB_SUMMARY, CHUNK_COLUMNS, mem, &kind, &r, f);
    if (e)
        return e;
    struct chunk_summary s = { 0 };
    rd_head(&r, &s);
    uint64_t ncols = rd_varint(&r);
    if (kind.enc != ENC_SUMMARY || r.bad || ncols > CHUNK_ATTRS_MAX)
        return fault_set(f, E_CORRUPT, 0, "a chunk's summary does not decode");

    struct chunk_col *cols = arena_new(mem, struct chunk_col, (size_t)ncols);
    for (uint32_t i = 0; i < ncols && !r.bad; i++) {
        rd_col(&r, s.rows, mem, &cols[i]);
        if (i && key_cmp(cols[i - 1].key, cols[i].key) >= 0)
            r.bad = true;
    }
    if (r.bad || r.p != r.end)
        return fault_set(f, E_CORRUPT, 0, "a chunk's summary does not decode");
    s.cols = cols;
    s.ncols = (uint32_t)ncols;
    *ret = s;
    return OK;
}

const struct chunk_col *chunk_summary_col(const struct chunk_summary *s, enum place place, struct str name)
{
    struct colkey key = { place, name };
    uint32_t lo = 0, hi = s->ncols;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = key_cmp(s->cols[mid].key, key);
        if (c == 0)
            return &s->cols[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}
