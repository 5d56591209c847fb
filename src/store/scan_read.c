/* store/scan_read.c -- columns of a chunk, from the cache or from the partition's file.
 *
 * What is decoded whole is kept decoded. Where only a few rows are wanted the inflated
 * payload is kept instead, which is smaller, and values are made for those rows alone.
 * What the cache has no room for lives in the scan's own memory for the one block.
 *
 * bytes_read counts the blobs a block came from, whether they were read now or before.
 */
#include <string.h>

#include "store/crew.h"
#include "store/scan_int.h"

enum { TOGETHER_BYTES = 512 << 10, SCAN_ROOM_MIN = 64 << 10 };

static struct cache_key key_of(const struct reading *r, uint32_t column, enum cached_kind kind)
{
    return (struct cache_key){ .part = r->u->item->uid, .chunk = r->u->chunk->id, .column = column, .kind = kind };
}

/* Keeps the reference until the next block. */
static const struct cached *hold(struct scan *sc, struct cached *x)
{
    if (x)
        *arena_push(&sc->mem, sc->held, sc->nheld, sc->cap_held) = x;
    return x;
}

static const struct cached *look_up(struct reading *r, uint32_t column, enum cached_kind kind)
{
    bool attribute = kind != CACHED_FILTER && column >= CHUNK_ATTRS;
    if (attribute && r->u->chunk->sum.cols[column - CHUNK_ATTRS].content && !part_has_content(r->u->item))
        return NULL;                               /* what is gone from the disk is not shown from memory */
    const struct cached *x = hold(r->sc, cache_get(r->sc->s->cache, key_of(r, column, kind)));
    if (x)
        r->sc->stats.bytes_read += x->stored;
    return x;
}

/* ---- payloads -------------------------------------------------------------- */

/* A column on its way: what is known of it so far. */
struct wanted {
    uint32_t column;
    uint32_t at;                                   /* the caller's number for it */
    struct chunk_payload payload;                  /* raw.p NULL: there is no blob */
    size_t stored;
    struct str blob;                               /* to be inflated into room */
    void *room;
    size_t size;
    enum err err;
};

static void inflate_one(void *arg, uint32_t i)
{
    struct wanted *w = ((struct wanted **)arg)[i];
    w->err = chunk_payload_into(w->blob, w->column, w->room, w->size, &w->payload, NULL);
}

/* Side by side, where it is enough work for two. */
static enum err inflate(struct reading *r, struct wanted **w, uint32_t n, struct fault *f)
{
    struct arena *mem = r->sc->block_mem;
    size_t all = 0;
    for (uint32_t i = 0; i < n; i++) {
        w[i]->size = chunk_payload_size(w[i]->blob);
        all += w[i]->size;
        if (!w[i]->size)
            return fault_set(f, E_CORRUPT, 0, "column %u is no block", w[i]->column);
        if (w[i]->size + SCAN_ROOM_MIN > (size_t)(mem->end - mem->pos))
            return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", w[i]->column);
        w[i]->room = arena_alloc_raw(mem, w[i]->size, 8);
    }
    if (all >= TOGETHER_BYTES)
        crew_run(r->sc->s->crew, n, inflate_one, w);
    else
        for (uint32_t i = 0; i < n; i++)
            inflate_one(w, i);
    for (uint32_t i = 0; i < n; i++)
        if (w[i]->err)                             /* once more, for what is to be said */
            return chunk_payload_into(w[i]->blob, w[i]->column, w[i]->room, w[i]->size, &w[i]->payload, f);
    return OK;
}

/* Payloads of the columns: kept ones, then the others in one go. */
static enum err get_payloads(struct reading *r, struct wanted *w, uint32_t n, bool keep, struct fault *f)
{
    struct scan *sc = r->sc;
    struct arena *mem = sc->block_mem;
    uint32_t *numbers = arena_raw(mem, uint32_t, n + 1), *which = arena_raw(mem, uint32_t, n + 1), missing = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct cached *x = look_up(r, w[i].column, CACHED_RAW);
        if (x) {
            w[i].payload = (struct chunk_payload){ x->enc, x->raw };
            w[i].stored = x->stored;
            continue;
        }
        numbers[missing] = w[i].column;
        which[missing++] = i;
    }
    if (!missing)
        return OK;
    struct str *blobs = arena_new(mem, struct str, missing);
    enum err e = part_read(r->u->item, r->u->chunk, numbers, missing, mem, blobs, f);
    if (e)
        return e;
    struct wanted **packed = arena_new(mem, struct wanted *, missing);
    uint32_t npacked = 0;
    for (uint32_t i = 0; i < missing; i++) {
        struct wanted *x = &w[which[i]];
        x->blob = blobs[i];
        x->stored = blobs[i].n;
        sc->stats.bytes_read += blobs[i].n;
        if (blobs[i].n)
            packed[npacked++] = x;
    }
    e = inflate(r, packed, npacked, f);
    for (uint32_t i = 0; i < npacked && !e && keep; i++)         /* this block has its own copy */
        cached_unref(cache_keep_raw(sc->s->cache, key_of(r, packed[i]->column, CACHED_RAW), packed[i]->payload.enc,
                                    packed[i]->payload.raw, packed[i]->stored));
    return e;
}

/* ---- fixed columns --------------------------------------------------------- */

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

static size_t fixed_width(uint32_t column)
{
    return column == CHUNK_TEMPORALITY || column == CHUNK_ORIGIN ? 1 : 8;
}

static enum err decode_fixed(struct reading *r, const struct wanted *w, struct block *b, struct fault *f)
{
    if (!w->payload.raw.p)
        return OK;
    enum err e = chunk_fixed_decode(w->payload, (enum chunk_fixed)w->column, r->rows, r->sc->block_mem, b, f);
    if (!e)
        cached_unref(cache_keep_fixed(r->sc->s->cache, key_of(r, w->column, CACHED_FIXED), *fixed_at(b, w->column),
                                      fixed_width(w->column) * r->rows, w->stored));
    return e;
}

enum err read_fixed(struct reading *r, uint32_t columns, struct block *b, struct fault *f)
{
    struct wanted w[CHUNK_FIXED_COUNT];
    uint32_t n = 0;
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT; i++) {
        if (!(columns >> i & 1))
            continue;
        const struct cached *x = look_up(r, i, CACHED_FIXED);
        if (x)
            *fixed_at(b, i) = x->fixed;
        else
            w[n++] = (struct wanted){ .column = i };
    }
    enum err e = n ? get_payloads(r, w, n, false, f) : OK;
    for (uint32_t i = 0; i < n && !e; i++)
        e = decode_fixed(r, &w[i], b, f);
    return e;
}

const void *scan_gather(struct arena *mem, const void *from, size_t each, const uint32_t *sel, uint32_t n)
{
    if (!from)
        return NULL;
    if (each == 1) {
        uint8_t *to = arena_raw(mem, uint8_t, n);
        for (uint32_t i = 0; i < n; i++)
            to[i] = ((const uint8_t *)from)[sel[i]];
        return to;
    }
    uint64_t *to = arena_raw(mem, uint64_t, n);
    for (uint32_t i = 0; i < n; i++)
        memcpy(&to[i], (const char *)from + (size_t)sel[i] * 8, 8);
    return to;
}

enum err read_fixed_some(struct reading *r, uint32_t columns, struct block *b, struct fault *f)
{
    struct arena *mem = r->sc->block_mem;
    struct wanted w[CHUNK_FIXED_COUNT];
    uint32_t n = 0;
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT; i++) {
        const void **at = fixed_at(b, i), *whole = *at;
        *at = NULL;
        if (!(columns >> i & 1))
            continue;
        const struct cached *x = whole ? NULL : look_up(r, i, CACHED_FIXED);
        whole = x ? x->fixed : whole;
        if (whole)
            *at = scan_gather(mem, whole, fixed_width(i), b->sel, b->nsel);
        else
            w[n++] = (struct wanted){ .column = i };
    }
    enum err e = n ? get_payloads(r, w, n, true, f) : OK;
    for (uint32_t i = 0; i < n && !e; i++)
        if (w[i].payload.raw.p)
            e = chunk_fixed_some(w[i].payload, (enum chunk_fixed)w[i].column, r->rows, b->sel, b->nsel, mem, fixed_at(b, w[i].column), f);
    return e;
}

/* Columns of times are stored as differences to the rows' own. */
static enum err need_time(struct reading *r, struct fault *f)
{
    struct block b = { 0 };
    if (r->time_ns)
        return OK;
    enum err e = read_fixed(r, 1u << CHUNK_TIME, &b, f);
    r->time_ns = b.time_ns;
    return e;
}

/* ---- attribute columns ----------------------------------------------------- */

enum { NUMBERS_MIN = 64 };                         /* smaller dictionaries are read as fast as looked up */

/* The numbers that a dictionary's texts are, read once and kept beside it. */
static void add_numbers(struct reading *r, uint32_t column, struct column *c)
{
    const struct scan_req *req = &r->sc->req;
    bool wanted = false;
    for (uint32_t i = 0; i < req->nnumbers; i++)
        wanted |= colkey_is(&c->key, req->numbers[i]);
    if (!wanted || !c->code || c->ndict < NUMBERS_MIN)
        return;
    const struct cached *x = look_up(r, column, CACHED_NUMBERS);
    if (x) {
        c->num = x->fixed;
        return;
    }
    double *num = arena_raw(r->sc->block_mem, double, c->ndict);
    for (uint32_t i = 0; i < c->ndict; i++)
        num[i] = column_number(&c->dict[i]);
    c->num = num;
    cached_unref(cache_keep_fixed(r->sc->s->cache, key_of(r, column, CACHED_NUMBERS), num, sizeof *num * c->ndict, 0));
}

static const uint32_t no_code;

static struct column absent(const struct chunk_col *col)
{
    static const struct value none;
    return (struct column){ .key = col->key, .code = &no_code, .form = CODES_SAME, .dict = &none, .ndict = 1 };
}

enum err read_columns(struct reading *r, const uint32_t *which, uint32_t n, struct column *ret, struct fault *f)
{
    const struct chunk_col *cols = r->u->chunk->sum.cols;
    struct wanted *w = arena_new(r->sc->block_mem, struct wanted, n + 1);
    uint32_t missing = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct cached *x = look_up(r, cols[which[i]].column, CACHED_COLUMN);
        if (x)
            ret[i] = x->col;
        else
            w[missing++] = (struct wanted){ .column = cols[which[i]].column, .at = i };
    }
    enum err e = missing ? get_payloads(r, w, missing, false, f) : OK;
    for (uint32_t i = 0; i < missing && !e; i++) {
        const struct chunk_col *col = &cols[which[w[i].at]];
        struct column *to = &ret[w[i].at];
        *to = absent(col);
        if (!w[i].payload.raw.p)
            continue;
        if (w[i].payload.enc == CHUNK_ENC_TIME)
            e = need_time(r, f);
        if (!e)
            e = chunk_column_decode(w[i].payload, col, r->rows, r->time_ns, r->sc->block_mem, to, f);
        if (e)
            return e;
        struct cached *x = cache_keep_column(r->sc->s->cache, key_of(r, col->column, CACHED_COLUMN), to, r->rows, w[i].stored);
        if (hold(r->sc, x))
            *to = x->col;                          /* its texts stand together */
    }
    for (uint32_t i = 0; i < n && !e; i++)
        add_numbers(r, cols[which[i]].column, &ret[i]);
    return e;
}

/* Times of the rows, which the query did without and a column cannot. */
static enum err some_times(struct reading *r, const uint32_t *sel, uint32_t nsel, const int64_t **ret, struct fault *f)
{
    struct block b = { .n = r->rows, .sel = sel, .nsel = nsel, .time_ns = r->time_ns };
    enum err e = read_fixed_some(r, 1u << CHUNK_TIME, &b, f);
    *ret = b.time_ns;
    return e;
}

enum err read_columns_some(struct reading *r, const uint32_t *which, uint32_t n, const uint32_t *sel, uint32_t nsel,
                           const int64_t *times, struct column *ret, struct fault *f)
{
    const struct chunk_col *cols = r->u->chunk->sum.cols;
    struct arena *mem = r->sc->block_mem;
    struct wanted *w = arena_new(mem, struct wanted, n + 1);
    uint32_t missing = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct cached *x = look_up(r, cols[which[i]].column, CACHED_COLUMN);
        if (x) {
            struct column whole = x->col;
            add_numbers(r, cols[which[i]].column, &whole);
            column_gather(&whole, sel, nsel, mem, &ret[i]);
        } else {
            w[missing++] = (struct wanted){ .column = cols[which[i]].column, .at = i };
        }
    }
    enum err e = missing ? get_payloads(r, w, missing, true, f) : OK;
    for (uint32_t i = 0; i < missing && !e; i++) {
        const struct chunk_col *col = &cols[which[w[i].at]];
        if (w[i].payload.raw.p && w[i].payload.enc == CHUNK_ENC_TIME && !times)
            e = some_times(r, sel, nsel, &times, f);
        if (!e && w[i].payload.raw.p)
            e = chunk_column_some(w[i].payload, col, r->rows, times, sel, nsel, mem, &ret[w[i].at], f);
        else if (!e)
            ret[w[i].at] = absent(col);
    }
    return e;
}

/* ---- filters --------------------------------------------------------------- */

enum err read_filter(struct reading *r, struct str *ret, struct fault *f)
{
    const struct cached *x = look_up(r, 0, CACHED_FILTER);
    if (x) {
        *ret = x->raw;
        return OK;
    }
    enum err e = part_filter(r->u->item, r->u->chunk, r->sc->block_mem, ret, f);
    if (!e)
        cached_unref(cache_keep_raw(r->sc->s->cache, key_of(r, 0, CACHED_FILTER), 0, *ret, 0));
    return e;
}
