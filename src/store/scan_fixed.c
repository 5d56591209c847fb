/* store/scan_fixed.c -- fixed columns of a chunk, as it has them and a value a row.
 *
 * What goes by run or by moment is kept decoded: it is small. Of columns in pieces the
 * inflated pieces are kept, two or three bytes a value; making numbers of them costs about
 * a nanosecond each, and keeping those would put the values of one day where now are those
 * of a week. Rows of events are kept decoded. What rows of samples amount to in a row scan
 * is made anew each time: scans that are to be quick go by series.
 */
#include <string.h>

#include "store/crew.h"
#include "store/scan_int.h"

enum { PIECE_SHIFT = 12, TOGETHER_BYTES = 256 << 10 };

/* ---- shape ------------------------------------------------------------------ */

/* As an array of numbers: how many of each, then they. */
enum { KEPT_RUNS, KEPT_MOMENTS, KEPT_PIECES, KEPT_STEPPED, KEPT_HEAD };

static struct chunk_shape shape_of(const uint32_t *at, uint32_t rows)
{
    struct chunk_shape s = { .rows = rows, .nruns = at[KEPT_RUNS], .nmoments = at[KEPT_MOMENTS], .npieces = at[KEPT_PIECES],
                             .stepped = at[KEPT_STEPPED] };
    s.run_end = at + KEPT_HEAD;
    s.moment = s.nmoments ? s.run_end + s.nruns : NULL;
    s.piece_end = s.run_end + s.nruns + (s.nmoments ? s.nruns : 0);
    return s;
}

static void keep_shape(struct reading *r, const struct chunk_shape *s, size_t stored)
{
    struct arena mem = *r->ld->mem;
    size_t n = KEPT_HEAD + (size_t)s->nruns * 2 + s->npieces;
    uint32_t *at = arena_raw(&mem, uint32_t, n), *p = at + KEPT_HEAD;
    at[KEPT_RUNS] = s->nruns;
    at[KEPT_MOMENTS] = s->nmoments;
    at[KEPT_PIECES] = s->npieces;
    at[KEPT_STEPPED] = s->stepped;
    memcpy(p, s->run_end, s->nruns * sizeof *p);
    p += s->nruns;
    if (s->nmoments) {
        memcpy(p, s->moment, s->nruns * sizeof *p);
        p += s->nruns;
    }
    if (s->npieces)
        memcpy(p, s->piece_end, s->npieces * sizeof *p);
    p += s->npieces;
    cached_unref(cache_keep_fixed(r->ld->sc->s->cache, scan_key(r, CHUNK_RUNS, CACHED_SHAPE), at, (size_t)(p - at) * sizeof *p, stored));
}

enum err read_shape(struct reading *r, struct fault *f)
{
    if (r->shape)
        return OK;
    struct chunk_shape *s = arena_new(r->ld->mem, struct chunk_shape, 1);
    const struct cached *x = scan_look_up(r, CHUNK_RUNS, CACHED_SHAPE);
    if (x) {
        *s = shape_of(x->fixed, r->rows);
        r->shape = s;
        return OK;
    }
    struct wanted w = { .column = CHUNK_RUNS };
    enum err e = scan_blobs(r, &w, 1, f);
    if (!e)
        e = chunk_shape_read(w.blob, r->rows, r->ld->mem, s, f);
    if (e)
        return e;
    keep_shape(r, s, w.blob.n);
    r->shape = s;
    return OK;
}

/* ---- as the chunk has them ---------------------------------------------------- */

static size_t fixed_width(uint32_t column)
{
    return column == CHUNK_TEMPORALITY || column == CHUNK_ORIGIN ? 1 : 8;
}

/* Only these columns are ever in pieces: the first two always. */
static bool may_be_pieces(uint32_t column)
{
    return column == CHUNK_VALUE || column == CHUNK_STEPS || column == CHUNK_START || column == CHUNK_CLAIMED;
}

/* All of the pieces that are needed, from the cache? */
static bool kept_pieces(struct reading *r, uint32_t column, const bool *need, struct fixed *to)
{
    uint32_t n = r->shape->npieces;
    if (!n || !may_be_pieces(column))
        return false;
    to->piece = arena_new(r->ld->mem, struct str, n);
    for (uint32_t i = 0; i < n; i++) {
        if (need && !need[i])
            continue;
        const struct cached *x = scan_look_up(r, column | i << PIECE_SHIFT, CACHED_PIECE);
        if (!x)
            return false;
        to->piece[i] = x->raw;
        to->enc = x->enc;
    }
    return true;
}

struct inflating {
    const struct chunk_piece *from;
    char *to;
    uint32_t piece;
    enum err err;
};

static void inflate_piece(void *arg, uint32_t i)
{
    struct inflating *x = (struct inflating *)arg + i;
    x->err = chunk_piece_inflate(x->from, x->to, NULL);
}

/* The needed pieces that are not there yet, side by side if they are large. */
static enum err inflate_pieces(struct reading *r, const struct wanted *w, const bool *need, struct fixed *to, struct fault *f)
{
    struct arena *mem = r->ld->mem;
    struct chunk_pieces p;
    enum err e = chunk_pieces_open(w->blob, w->column, r->shape, mem, &p, f);
    if (e)
        return e;
    struct inflating *todo = arena_new(mem, struct inflating, r->shape->npieces);
    uint32_t n = 0;
    size_t all = 0;
    for (uint32_t i = 0; i < r->shape->npieces; i++) {
        if ((need && !need[i]) || to->piece[i].p)
            continue;
        if (!scan_room(r->ld, p.at[i].raw + 8))
            return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", w->column);
        todo[n++] = (struct inflating){ .from = &p.at[i], .to = arena_alloc_raw(mem, p.at[i].raw + 1, 8), .piece = i };
        all += p.at[i].raw;
    }
    if (all >= TOGETHER_BYTES)
        crew_run(r->ld->sc->s->crew, n, inflate_piece, todo);
    else
        for (uint32_t i = 0; i < n; i++)
            inflate_piece(todo, i);
    to->enc = p.enc;
    for (uint32_t i = 0; i < n; i++) {
        if (todo[i].err)
            return chunk_piece_inflate(todo[i].from, todo[i].to, f);
        to->piece[todo[i].piece] = (struct str){ todo[i].to, todo[i].from->raw };
        cached_unref(cache_keep_raw(r->ld->sc->s->cache, scan_key(r, w->column | todo[i].piece << PIECE_SHIFT, CACHED_PIECE), p.enc, 0,
                                    to->piece[todo[i].piece], todo[i].from->body.n));
    }
    return OK;
}

static enum err decode_values(struct reading *r, const struct wanted *w, struct fixed *to, struct fault *f)
{
    enum chunk_grain grain = (enum chunk_grain)w->payload.grain;
    if (grain == CHUNK_BY_MOMENT && (!r->shape->nmoments || fixed_width(w->column) == 1))
        return fault_set(f, E_CORRUPT, 0, "column %u goes by moment", w->column);
    uint32_t count = chunk_count(r->shape, grain);
    enum err e = chunk_fixed_decode(w->payload, (enum chunk_fixed)w->column, count, r->ld->mem, &to->values, f);
    if (e)
        return e;
    to->grain = grain;
    cached_unref(cache_keep_raw(r->ld->sc->s->cache, scan_key(r, w->column, CACHED_FIXED), (uint8_t)grain, 0,
                                (struct str){ to->values, fixed_width(w->column) * count }, w->blob.n));
    return OK;
}

enum err read_fixed_raw(struct reading *r, uint32_t columns, const bool *need, struct fixed ret[CHUNK_FIXED_COUNT], struct fault *f)
{
    struct wanted w[CHUNK_FIXED_COUNT];
    uint32_t n = 0;
    enum err e = read_shape(r, f);
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT && !e; i++) {
        ret[i] = (struct fixed){ 0 };
        if (!(columns >> i & 1))
            continue;
        const struct cached *x = i == CHUNK_VALUE || i == CHUNK_STEPS ? NULL : scan_look_up(r, i, CACHED_FIXED);
        if (x)
            ret[i] = (struct fixed){ .grain = (enum chunk_grain)x->enc, .values = x->fixed };
        else if (!kept_pieces(r, i, need, &ret[i]))
            w[n++] = (struct wanted){ .column = i };
    }
    if (!e && n)
        e = scan_blobs(r, w, n, f);
    if (!e && n)
        e = scan_inflate(r, w, n, f);
    for (uint32_t i = 0; i < n && !e; i++) {
        struct fixed *to = &ret[w[i].column];
        if (w[i].payload.raw.p) {
            to->piece = NULL;
            e = decode_values(r, &w[i], to, f);
        } else if (w[i].blob.n && to->piece) {
            e = inflate_pieces(r, &w[i], need, to, f);
        } else {
            e = fault_set(f, E_CORRUPT, 0, "column %u is missing", w[i].column);
        }
    }
    return e;
}

/* ---- a value a row -------------------------------------------------------------- */

static const void **fixed_at(struct block *b, uint32_t column)
{
    switch (column) {
    case CHUNK_TIME:
        return (const void **)&b->time_ns;
    case CHUNK_RECV:
        return (const void **)&b->recv_ns;
    case CHUNK_START:
        return (const void **)&b->start_ns;
    case CHUNK_CLAIMED:
        return (const void **)&b->claimed_ns;
    case CHUNK_VALUE:
        return (const void **)&b->value;
    case CHUNK_TEMPORALITY:
        return (const void **)&b->temporality;
    case CHUNK_ORIGIN:
        return (const void **)&b->origin;
    default:
        CHECK(column == CHUNK_SEQ);
        return (const void **)&b->seq;
    }
}

static enum err decode_pieces(struct reading *r, uint32_t column, const struct fixed *x, const void **ret, struct fault *f)
{
    const struct chunk_shape *s = r->shape;
    int64_t *out = arena_raw(r->ld->mem, int64_t, s->rows);
    enum err e = OK;
    for (uint32_t i = 0; i < s->npieces && !e; i++)
        e = chunk_piece_decode(x->enc, x->piece[i], s, i, column, out + (i ? s->piece_end[i - 1] : 0), *r->ld->mem, f);
    *ret = out;
    return e;
}

static enum err need_moments(struct reading *r, struct fault *f)
{
    const void *steps = NULL;
    enum err e = OK;
    if (r->moment_of)
        return OK;
    if (r->shape->stepped) {
        struct fixed x[CHUNK_FIXED_COUNT];
        e = read_fixed_raw(r, 1u << CHUNK_STEPS, NULL, x, f);
        if (!e)
            e = decode_pieces(r, CHUNK_STEPS, &x[CHUNK_STEPS], &steps, f);
    }
    return e ? e : chunk_moments_of(r->shape, steps, r->ld->mem, &r->moment_of, f);
}

enum err read_fixed(struct reading *r, uint32_t columns, struct block *b, struct fault *f)
{
    struct fixed x[CHUNK_FIXED_COUNT];
    enum err e = read_fixed_raw(r, columns, NULL, x, f);
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT && !e; i++) {
        if (!(columns >> i & 1))
            continue;
        if (x[i].piece)
            e = decode_pieces(r, i, &x[i], fixed_at(b, i), f);
        else if (x[i].grain == CHUNK_BY_MOMENT)
            e = need_moments(r, f);
        if (!e && !x[i].piece)
            *fixed_at(b, i) = chunk_fixed_spread(x[i].values, x[i].grain, (enum chunk_fixed)i, r->shape, r->moment_of, r->ld->mem);
    }
    return e;
}

#define GATHER(T)                                                                \
    do {                                                                         \
        T *to = arena_raw(mem, T, n);                                            \
        for (uint32_t i = 0; i < n; i++)                                         \
            to[i] = ((const T *)from)[sel[i]];                                   \
        return to;                                                               \
    } while (0)

const void *scan_gather(struct arena *mem, const void *from, size_t each, const uint32_t *sel, uint32_t n)
{
    if (!from)
        return NULL;
    switch (each) {
    case 1:
        GATHER(uint8_t);
    case 2:
        GATHER(uint16_t);
    case 4:
        GATHER(uint32_t);
    default: {
        uint64_t *to = arena_raw(mem, uint64_t, n);
        for (uint32_t i = 0; i < n; i++)
            memcpy(&to[i], (const char *)from + (size_t)sel[i] * 8, 8);
        return to;
    }
    }
}

/* Rows of events from payloads, which are kept instead of what all rows would be. */
static enum err some_of_payloads(struct reading *r, const struct wanted *missing, uint32_t n, struct block *b, struct fault *f)
{
    struct arena *mem = r->ld->mem;
    enum err e = OK;
    for (uint32_t i = 0; i < n && !e; i++) {
        const struct wanted *w = &missing[i];
        if (!w->payload.raw.p)
            return fault_set(f, E_CORRUPT, 0, "column %u is missing", w->column);
        if (w->payload.grain) {
            struct block all = { 0 };
            e = read_fixed(r, 1u << w->column, &all, f);
            *fixed_at(b, w->column) = scan_gather(mem, *fixed_at(&all, w->column), fixed_width(w->column), b->sel, b->nsel);
            continue;
        }
        e = chunk_fixed_some(w->payload, (enum chunk_fixed)w->column, r->rows, b->sel, b->nsel, mem, fixed_at(b, w->column), f);
        if (!e && w->blob.n)
            cached_unref(cache_keep_raw(r->ld->sc->s->cache, scan_key(r, w->column, CACHED_RAW), w->payload.enc, w->payload.grain,
                                        w->payload.raw, w->blob.n));
    }
    return e;
}

static enum err some_of_records(struct reading *r, uint32_t columns, struct block *b, struct fault *f)
{
    struct wanted w[CHUNK_FIXED_COUNT], blobs[CHUNK_FIXED_COUNT];
    uint32_t n = 0, nblobs = 0;
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT; i++) {
        if (!(columns >> i & 1))
            continue;
        const struct cached *x = scan_look_up(r, i, CACHED_FIXED);
        if (x && x->enc == CHUNK_BY_ROW) {
            *fixed_at(b, i) = scan_gather(r->ld->mem, x->fixed, fixed_width(i), b->sel, b->nsel);
            continue;
        }
        const struct cached *raw = scan_look_up(r, i, CACHED_RAW);
        if (raw)
            w[n++] = (struct wanted){ .column = i, .payload = { raw->enc, raw->grain, raw->raw } };
        else
            blobs[nblobs++] = (struct wanted){ .column = i };
    }
    enum err e = nblobs ? scan_blobs(r, blobs, nblobs, f) : OK;
    if (!e && nblobs)
        e = scan_inflate(r, blobs, nblobs, f);
    if (!e)
        e = some_of_payloads(r, w, n, b, f);
    return e ? e : some_of_payloads(r, blobs, nblobs, b, f);
}

enum err read_fixed_some(struct reading *r, uint32_t columns, struct block *b, struct fault *f)
{
    struct arena *mem = r->ld->mem;
    uint32_t left = 0;
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT; i++) {
        if (i == CHUNK_RUNS || i == CHUNK_STEPS)
            continue;
        const void **at = fixed_at(b, i), *whole = *at;
        *at = NULL;
        if (!(columns >> i & 1))
            continue;
        if (whole)
            *at = scan_gather(mem, whole, fixed_width(i), b->sel, b->nsel);
        else
            left |= 1u << i;
    }
    if (!left || r->u->chunk->sum.table != TABLE_SAMPLE)
        return left ? some_of_records(r, left, b, f) : OK;
    struct block all = { 0 };
    enum err e = read_fixed(r, left, &all, f);
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT && !e; i++)
        if (left >> i & 1)
            *fixed_at(b, i) = scan_gather(mem, *fixed_at(&all, i), fixed_width(i), b->sel, b->nsel);
    return e;
}
