/* store/chunk.c -- fixed columns back from their blobs, and columns from runs to rows.
 *
 * A reader of rows takes chunk_fixed_read(): everything a value a row. One that knows runs
 * takes the steps apart: what goes by run or by moment is small and worth keeping as it is.
 */
#include "store/chunk.h"

#include <string.h>

#include "store/chunk_int.h"

static bool is_bytes(enum chunk_fixed column)
{
    return column == CHUNK_TEMPORALITY || column == CHUNK_ORIGIN;
}

/* --- decoding ------------------------------------------------------------------------------- */

static enum err to_bytes(const int64_t *v, enum chunk_fixed column, uint32_t count, struct arena *mem, const void **ret, struct fault *f)
{
    uint8_t *out = arena_raw(mem, uint8_t, count);
    uint64_t all = 0;
    for (uint32_t i = 0; i < count; i++) {
        all |= (uint64_t)v[i];
        out[i] = (uint8_t)v[i];
    }
    if (all > UINT8_MAX)
        return fault_set(f, E_CORRUPT, 0, "column %u: not all are bytes", (unsigned)column);
    *ret = out;
    return OK;
}

enum err chunk_fixed_decode(struct chunk_payload p, enum chunk_fixed column, uint32_t count, struct arena *mem, const void **ret,
                            struct fault *f)
{
    if (!blob_room(mem, p.raw.n, count))
        return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", (unsigned)column);
    struct rd r = { .p = (const uint8_t *)p.raw.p, .end = (const uint8_t *)p.raw.p + p.raw.n };
    int64_t *v = arena_raw(mem, int64_t, count);
    rd_ints(&r, v, count);
    if (p.enc != ENC_INT || r.bad || r.p != r.end)
        return fault_set(f, E_CORRUPT, 0, "column %u does not decode", (unsigned)column);
    *ret = v;
    return is_bytes(column) ? to_bytes(v, column, count, mem, ret, f) : OK;
}

/* --- a value a row --------------------------------------------------------------------------- */

/* to[] of the rows of each run is from[] of the run. */
#define SPREAD(T)                                                                \
    do {                                                                         \
        T *to = arena_raw(mem, T, s->rows);                                      \
        const T *of = from;                                                      \
        for (uint32_t run = 0, i = 0; run < s->nruns; run++)                     \
            for (T v = of[run]; i < s->run_end[run]; i++)                        \
                to[i] = v;                                                       \
        return to;                                                               \
    } while (0)

static const void *spread(const void *from, size_t each, const struct chunk_shape *s, struct arena *mem)
{
    switch (each) {
    case 1:
        SPREAD(uint8_t);
    case 2:
        SPREAD(uint16_t);
    case 4:
        SPREAD(uint32_t);
    default:
        CHECK(each == 8);
        SPREAD(uint64_t);
    }
}

const void *chunk_fixed_spread(const void *values, enum chunk_grain grain, enum chunk_fixed column, const struct chunk_shape *s,
                               const uint32_t *moment_of, struct arena *mem)
{
    if (grain == CHUNK_BY_ROW)
        return values;
    if (grain == CHUNK_BY_RUN)
        return spread(values, is_bytes(column) ? 1 : 8, s, mem);
    CHECK(moment_of && !is_bytes(column));
    int64_t *to = arena_raw(mem, int64_t, s->rows);
    for (uint32_t i = 0; i < s->rows; i++)
        to[i] = ((const int64_t *)values)[moment_of[i]];
    return to;
}

static const uint8_t *spread_bits(const uint8_t *map, const struct chunk_shape *s, struct arena *mem)
{
    uint8_t *to = arena_new(mem, uint8_t, s->rows / 8 + 1);
    for (uint32_t run = 0, i = 0; run < s->nruns; run++)
        for (uint8_t bit = bit_get(map, run); i < s->run_end[run]; i++)
            to[i >> 3] |= (uint8_t)(bit << (i & 7));
    return to;
}

void column_spread(const struct column *c, const struct chunk_shape *s, struct arena *mem, struct column *ret)
{
    static const size_t width[] = { [CODES_U32] = 4, [CODES_U16] = 2, [CODES_U8] = 1 };
    struct column out = *c;
    if (c->code && c->form != CODES_SAME)
        out.code = spread(c->code, width[c->form], s, mem);
    if (!c->code && c->valid)
        out.valid = spread_bits(c->valid, s, mem);
    if (!c->code && c->i64)
        out.i64 = spread(c->i64, 8, s, mem);
    if (!c->code && c->f64)
        out.f64 = spread(c->f64, 8, s, mem);
    *ret = out;
}

/* --- all of them ------------------------------------------------------------------------------- */

static enum err read_pieces(struct str blob, uint32_t column, const struct chunk_shape *s, struct arena *mem, const void **ret,
                            struct fault *f)
{
    struct chunk_pieces p;
    enum err e = chunk_pieces_open(blob, column, s, mem, &p, f);
    int64_t *out = arena_raw(mem, int64_t, s->rows);
    for (uint32_t i = 0; i < s->npieces && !e; i++) {
        struct arena scratch = *mem;
        if (!blob_room(&scratch, p.at[i].raw, 0))
            return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", column);
        char *raw = arena_alloc_raw(&scratch, p.at[i].raw + 1, 8);
        e = chunk_piece_inflate(&p.at[i], raw, f);
        if (!e)
            e = chunk_piece_decode(p.enc, (struct str){ raw, p.at[i].raw }, s, i, column, out + (i ? s->piece_end[i - 1] : 0), scratch, f);
    }
    *ret = out;
    return e;
}

/* A fixed column, and what its values stand for. */
static enum err read_one(struct str blob, enum chunk_fixed column, const struct chunk_shape *s, struct arena *mem, const void **ret,
                         enum chunk_grain *ret_grain, struct fault *f)
{
    struct chunk_payload p;
    *ret_grain = CHUNK_BY_ROW;
    if (chunk_is_pieces(blob))
        return read_pieces(blob, column, s, mem, ret, f);
    enum err e = chunk_payload(blob, column, s->rows, mem, &p, f);
    if (e)
        return e;
    *ret_grain = (enum chunk_grain)p.grain;
    bool may = p.grain != CHUNK_BY_MOMENT || (s->nmoments && !is_bytes(column) && column != CHUNK_VALUE && column != CHUNK_STEPS);
    if (!may || (column == CHUNK_VALUE && !p.grain))
        return fault_set(f, E_CORRUPT, 0, "column %u: not in pieces", (unsigned)column);
    return chunk_fixed_decode(p, column, chunk_count(s, *ret_grain), mem, ret, f);
}

static void set_fixed(struct block *b, unsigned column, const void *v)
{
    const void **at[] = {
        [CHUNK_TIME] = (const void **)&b->time_ns,       [CHUNK_RECV] = (const void **)&b->recv_ns,
        [CHUNK_START] = (const void **)&b->start_ns,     [CHUNK_CLAIMED] = (const void **)&b->claimed_ns,
        [CHUNK_VALUE] = (const void **)&b->value,        [CHUNK_TEMPORALITY] = (const void **)&b->temporality,
        [CHUNK_ORIGIN] = (const void **)&b->origin,      [CHUNK_SEQ] = (const void **)&b->seq,
    };
    if (column < LEN(at) && at[column])
        *at[column] = v;
}

enum err chunk_fixed_read(const struct str blobs[CHUNK_FIXED_COUNT], const struct chunk_shape *s, struct arena *mem, struct block *ret,
                          struct fault *f)
{
    struct block b = *ret;
    const void *v[CHUNK_FIXED_COUNT] = { 0 };
    enum chunk_grain grain[CHUNK_FIXED_COUNT] = { 0 };
    bool moments = false;
    b.n = s->rows;
    for (unsigned i = 0; i < CHUNK_FIXED_COUNT; i++) {
        if (!blobs[i].n || i == CHUNK_RUNS)
            continue;
        enum err e = read_one(blobs[i], (enum chunk_fixed)i, s, mem, &v[i], &grain[i], f);
        if (e)
            return e;
        moments |= grain[i] == CHUNK_BY_MOMENT;
    }
    const uint32_t *of = NULL;
    if (moments && s->stepped && !v[CHUNK_STEPS])
        return fault_set(f, E_CORRUPT, 0, "column %d is missing", CHUNK_STEPS);
    enum err e = moments ? chunk_moments_of(s, v[CHUNK_STEPS], mem, &of, f) : OK;
    for (unsigned i = 0; i < CHUNK_FIXED_COUNT && !e; i++)
        if (v[i])
            set_fixed(&b, i, chunk_fixed_spread(v[i], grain[i], (enum chunk_fixed)i, s, of, mem));
    if (!e)
        *ret = b;
    return e;
}
