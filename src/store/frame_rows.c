/* store/frame_rows.c -- rows as a frame's body: a protobuf message of our own.
 *
 *     batch   1 table  2 column*  3 group*  4 row*  5 meta*
 *     column  1 place  2 name
 *     group   1 cell*                            of shared cells, numbered as they come
 *     row     1 time  2 claimed  3 start  4 value  5 temporality  6 origin  7 group + 1  8 cell*
 *     cell    1 column  2 type  3 text  4 bits   text for the types that have one, else bits
 *     meta    1 name  2 type  3 unit  4 help
 *
 * Columns stand before what names them. Numbers that may be negative stand as the 64 bits
 * they are.
 */
#include "store/frame_rows.h"

#include "base/wire.h"
#include "store/erased.h"
#include "store/limits.h"

enum { B_TABLE = 1, B_COLUMN, B_GROUP, B_ROW, B_META };
enum { C_PLACE = 1, C_NAME };
enum { G_CELL = 1 };
enum { R_TIME = 1, R_CLAIMED, R_START, R_VALUE, R_TEMPORALITY, R_ORIGIN, R_GROUP, R_CELL };
enum { V_COLUMN = 1, V_TYPE, V_TEXT, V_BITS };
enum { M_NAME = 1, M_TYPE, M_UNIT, M_HELP };

/* --- writing ------------------------------------------------------------------------------ */

static uint64_t bits_of(const struct value *v)
{
    uint64_t bits = v->type == V_BOOL ? v->b : (uint64_t)v->i;
    if (v->type == V_DOUBLE)
        memcpy(&bits, &v->d, sizeof bits);
    return bits;
}

static bool has_text(enum vtype t)
{
    return t == V_STR || t == V_BYTES || t == V_JSON;
}

static void put_cells(struct buf *out, uint32_t field, const struct cells *cells, struct buf *one)
{
    for (uint32_t i = 0; i < cells->n; i++) {
        const struct value *v = &cells->at[i].v;
        buf_clear(one);
        wire_put_varint(one, V_COLUMN, cells->at[i].col);
        wire_put_varint(one, V_TYPE, v->type);
        if (has_text(v->type))
            wire_put_bytes(one, V_TEXT, v->s);
        else
            wire_put_fixed64(one, V_BITS, bits_of(v));
        wire_put_bytes(out, field, buf_view(one));
    }
}

static void put_row(struct buf *out, const struct row *r, struct buf *cell)
{
    wire_put_fixed64(out, R_TIME, (uint64_t)r->time_ns);
    wire_put_fixed64(out, R_CLAIMED, (uint64_t)r->claimed_ns);
    wire_put_fixed64(out, R_START, (uint64_t)r->start_ns);
    wire_put_double(out, R_VALUE, r->value);
    wire_put_varint(out, R_TEMPORALITY, r->temporality);
    wire_put_varint(out, R_ORIGIN, r->origin);
    wire_put_varint(out, R_GROUP, r->group == ROW_NO_GROUP ? 0 : (uint64_t)r->group + 1);
    put_cells(out, R_CELL, &r->cells, cell);
}

static void put_columns(const struct batch *b, struct buf *out, struct buf *part)
{
    for (uint32_t i = 0; i < b->ncols; i++) {
        buf_clear(part);
        wire_put_varint(part, C_PLACE, b->cols[i].place);
        wire_put_bytes(part, C_NAME, b->cols[i].name);
        wire_put_bytes(out, B_COLUMN, buf_view(part));
    }
}

/* A group that only erased rows have is not written: its number stays, as an empty one. */
static void put_groups(const struct batch *b, struct buf *out, struct buf *part, struct buf *cell)
{
    CLEANUP(mem_freep) bool *used = mem_alloc(b->ngroups + 1);
    for (uint32_t i = 0; i < b->nrows; i++)
        if (b->rows[i].group != ROW_NO_GROUP && b->rows[i].verdict != VERDICT_ERASED)
            used[b->rows[i].group] = true;
    for (uint32_t i = 0; i < b->ngroups; i++) {
        struct arena scratch = *b->mem;
        struct cells cells = used[i] ? group_cells(b, i, &scratch) : (struct cells){ 0 };
        buf_clear(part);
        put_cells(part, G_CELL, &cells, cell);
        wire_put_bytes(out, B_GROUP, buf_view(part));
    }
}

static void put_metas(const struct batch *b, struct buf *out, struct buf *part)
{
    for (uint32_t i = 0; i < b->nmetas; i++) {
        const struct metric_meta *m = &b->metas[i];
        buf_clear(part);
        wire_put_bytes(part, M_NAME, m->name);
        wire_put_varint(part, M_TYPE, m->type);
        wire_put_bytes(part, M_UNIT, m->unit);
        wire_put_bytes(part, M_HELP, m->help);
        wire_put_bytes(out, B_META, buf_view(part));
    }
}

void frame_rows_put(const struct batch *b, struct buf *out)
{
    CLEANUP(buf_done) struct buf part = { 0 }, cell = { 0 };
    buf_init(&part, FRAME_BYTES_MAX);
    buf_init(&cell, FRAME_BYTES_MAX);
    wire_put_varint(out, B_TABLE, b->table);
    put_columns(b, out, &part);
    put_groups(b, out, &part, &cell);
    for (uint32_t i = 0; i < b->nrows; i++) {
        if (b->rows[i].verdict == VERDICT_ERASED)
            continue;
        buf_clear(&part);
        put_row(&part, &b->rows[i], &cell);
        wire_put_bytes(out, B_ROW, buf_view(&part));
    }
    put_metas(b, out, &part);
    out->bad |= part.bad || cell.bad;
}

/* --- reading -------------------------------------------------------------------------------- */

struct reader {
    struct batch *b;
    struct arena *mem;
    uint32_t *cols;                                /* of the frame -> of the batch */
    uint32_t ncols, cap_cols;
    bool bad;                                      /* well formed, and yet nothing that was written */
};

static struct value value_of(uint64_t type, struct str text, uint64_t bits)
{
    struct value v = { .type = (enum vtype)type };
    if (has_text(v.type))
        v.s = text;
    else if (v.type == V_DOUBLE)
        memcpy(&v.d, &bits, sizeof bits);
    else if (v.type == V_BOOL)
        v.b = bits != 0;
    else
        v.i = (int64_t)bits;
    return v;
}

static void read_cell(struct reader *r, struct wire w, struct cells *into)
{
    uint64_t col = 0, type = V_NONE, bits = 0;
    struct str text = { 0 };
    while (wire_next(&w)) {
        if (w.field == V_COLUMN)
            col = wire_varint(&w);
        else if (w.field == V_TYPE)
            type = wire_varint(&w);
        else if (w.field == V_TEXT)
            text = wire_bytes(&w);
        else
            bits = wire_fixed64(&w);
    }
    if (w.bad || col >= r->ncols || type == V_NONE || type > V_JSON)
        r->bad = true;
    else
        cells_put(into, r->mem, r->cols[col], value_of(type, text, bits));
}

static void read_column(struct reader *r, struct wire w)
{
    uint64_t place = PLACE_COUNT;
    struct str name = { 0 };
    while (wire_next(&w)) {
        if (w.field == C_PLACE)
            place = wire_varint(&w);
        else
            name = wire_bytes(&w);
    }
    if (w.bad || place >= PLACE_COUNT)
        r->bad = true;
    else
        *arena_push(r->mem, r->cols, r->ncols, r->cap_cols) = batch_col(r->b, (enum place)place, name);
}

static void read_group(struct reader *r, struct wire w)
{
    uint32_t g = batch_group(r->b);
    while (wire_next(&w))
        read_cell(r, wire_message(&w), &r->b->groups[g]);
    r->bad |= w.bad;
}

static void read_row(struct reader *r, struct wire w)
{
    struct row *row = batch_row(r->b);
    while (wire_next(&w)) {
        uint64_t n;
        switch (w.field) {
        case R_TIME:
            row->time_ns = (int64_t)wire_fixed64(&w);
            break;
        case R_CLAIMED:
            row->claimed_ns = (int64_t)wire_fixed64(&w);
            break;
        case R_START:
            row->start_ns = (int64_t)wire_fixed64(&w);
            break;
        case R_VALUE:
            row->value = wire_double(&w);
            break;
        case R_TEMPORALITY:
            n = wire_varint(&w);
            r->bad |= n > TEMPORALITY_CUMULATIVE;
            row->temporality = (enum temporality)n;
            break;
        case R_ORIGIN:
            n = wire_varint(&w);
            r->bad |= n > UINT8_MAX;
            row->origin = (enum origin)n;
            break;
        case R_GROUP:
            n = wire_varint(&w);
            r->bad |= n > r->b->ngroups;
            row->group = n ? (uint32_t)n - 1 : ROW_NO_GROUP;
            break;
        default:
            read_cell(r, wire_message(&w), &row->cells);
        }
    }
    r->bad |= w.bad;
}

static void read_meta(struct reader *r, struct wire w)
{
    struct metric_meta m = { 0 };
    while (wire_next(&w)) {
        if (w.field == M_NAME)
            m.name = wire_bytes(&w);
        else if (w.field == M_UNIT)
            m.unit = wire_bytes(&w);
        else if (w.field == M_HELP)
            m.help = wire_bytes(&w);
        else
            m.type = (enum metric_type)MIN(wire_varint(&w), (uint64_t)METRIC_SUMMARY);
    }
    r->bad |= w.bad;
    *arena_push(r->mem, r->b->metas, r->b->nmetas, r->b->cap_metas) = m;
}

/* The table comes first: a batch is begun with it. */
static enum err read_batch(struct str body, int64_t recv_ns, struct arena *mem, struct batch *ret, struct fault *f)
{
    struct wire w = wire_of(body);
    struct reader r = { .b = ret, .mem = mem };
    uint64_t table = wire_next(&w) && w.field == B_TABLE ? wire_varint(&w) : TABLE_COUNT;
    if (w.bad || table >= TABLE_COUNT)
        return fault_set(f, E_SYNTAX, 0, "a frame of rows does not begin with their table");
    batch_init(ret, mem, (enum table)table, recv_ns);
    while (!r.bad && !arena_over(mem) && wire_next(&w)) {
        struct wire part = wire_message(&w);
        if (w.field == B_COLUMN)
            read_column(&r, part);
        else if (w.field == B_GROUP)
            read_group(&r, part);
        else if (w.field == B_ROW)
            read_row(&r, part);
        else
            read_meta(&r, part);
    }
    if (!r.bad && !w.bad && !arena_over(mem)) {
        rows_identify(ret);
        return OK;
    }
    batch_done(ret);
    return arena_over(mem) ? fault_set(f, E_LIMIT, 0, "a frame of rows needs more than %zu bytes", mem->budget)
                           : fault_set(f, E_SYNTAX, 0, "a frame of rows does not decode");
}

enum err frame_decode(const struct frame_decoder *d, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns,
                      struct arena *mem, struct batch *ret, struct fault *f)
{
    if (kind == FRAME_ROWS)
        return read_batch(body, recv_ns, mem, ret, f);
    return d->decode(d->arg, kind, epoch, body, recv_ns, mem, ret, f);
}
