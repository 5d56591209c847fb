/* store/scan_read.c -- columns of a chunk, from the cache or from the partition's file.
 *
 * What is decoded whole is kept decoded. Where only a few rows are wanted the inflated
 * payload is kept instead, which is smaller, and values are made for those rows alone.
 * What the cache has no room for lives in the load's own memory for the one block.
 *
 * Columns that go by run are small. Those of samples are kept as they are, for scans by
 * series; those of events and spans are kept a value a row, since nothing asks them by run.
 *
 * bytes_read counts the blobs a block came from, whether they were read now or before.
 */
#include <string.h>

#include "store/crew.h"
#include "store/scan_int.h"

enum { TOGETHER_BYTES = 512 << 10, SCAN_ROOM_MIN = 64 << 10 };

struct cache_key scan_key(const struct reading *r, uint32_t column, enum cached_kind kind)
{
    return (struct cache_key){ .part = r->u->item->uid, .chunk = r->u->chunk->id, .column = column, .kind = kind };
}

const struct cached *scan_hold(struct load *ld, struct cached *x)
{
    if (x)
        *arena_push(ld->mem, ld->held, ld->nheld, ld->cap_held) = x;
    return x;
}

static bool is_gone(const struct reading *r, uint32_t column)
{
    return column >= CHUNK_ATTRS && r->u->chunk->sum.cols[column - CHUNK_ATTRS].content && !part_has_content(r->u->item);
}

const struct cached *scan_look_up(struct reading *r, uint32_t column, enum cached_kind kind)
{
    bool attribute = kind == CACHED_COLUMN || kind == CACHED_RUNS || kind == CACHED_RAW || kind == CACHED_NUMBERS ||
                     kind == CACHED_VALID;
    if (attribute && is_gone(r, column))
        return NULL;                               /* what is gone from the disk is not shown from memory */
    const struct cached *x = scan_hold(r->ld, cache_get(r->ld->sc->s->cache, scan_key(r, column, kind)));
    if (x)
        r->ld->stats.bytes_read += x->stored;
    return x;
}

bool scan_room(const struct load *ld, size_t bytes)
{
    return bytes + SCAN_ROOM_MIN < (size_t)(ld->mem->end - ld->mem->pos);
}

/* ---- blobs and payloads ----------------------------------------------------- */

enum err scan_blobs(struct reading *r, struct wanted *w, uint32_t n, struct fault *f)
{
    struct arena *mem = r->ld->mem;
    uint32_t *numbers = arena_raw(mem, uint32_t, n + 1);
    struct str *blobs = arena_new(mem, struct str, n + 1);
    for (uint32_t i = 0; i < n; i++)
        numbers[i] = w[i].column;
    enum err e = part_read(r->u->item, r->u->chunk, numbers, n, mem, blobs, f);
    for (uint32_t i = 0; i < n && !e; i++) {
        w[i].blob = blobs[i];
        r->ld->stats.bytes_read += blobs[i].n;
    }
    return e;
}

static void inflate_one(void *arg, uint32_t i)
{
    struct wanted *w = ((struct wanted **)arg)[i];
    w->err = chunk_payload_into(w->blob, w->column, w->room, w->size, &w->payload, NULL);
}

enum err scan_inflate(struct reading *r, struct wanted *w, uint32_t n, struct fault *f)
{
    struct arena *mem = r->ld->mem;
    struct wanted **todo = arena_raw(mem, struct wanted *, n + 1);
    uint32_t ntodo = 0;
    size_t all = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!w[i].blob.n || chunk_is_pieces(w[i].blob))
            continue;
        w[i].size = chunk_payload_size(w[i].blob);
        all += w[i].size;
        if (!w[i].size)
            return fault_set(f, E_CORRUPT, 0, "column %u is no block", w[i].column);
        if (!scan_room(r->ld, w[i].size))
            return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", w[i].column);
        w[i].room = arena_alloc_raw(mem, w[i].size, 8);
        todo[ntodo++] = &w[i];
    }
    if (all >= TOGETHER_BYTES)
        crew_run(r->ld->sc->s->crew, ntodo, inflate_one, todo);
    else
        for (uint32_t i = 0; i < ntodo; i++)
            inflate_one(todo, i);
    for (uint32_t i = 0; i < ntodo; i++)
        if (todo[i]->err)                          /* once more, for what is to be said */
            return chunk_payload_into(todo[i]->blob, todo[i]->column, todo[i]->room, todo[i]->size, &todo[i]->payload, f);
    return OK;
}

/* Payloads of the columns: kept ones, then the others in one go. */
static enum err get_payloads(struct reading *r, struct wanted *w, uint32_t n, struct fault *f)
{
    struct wanted *missing = arena_raw(r->ld->mem, struct wanted, n + 1);
    uint32_t nmissing = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct cached *x = scan_look_up(r, w[i].column, CACHED_RAW);
        if (x)
            w[i].payload = (struct chunk_payload){ x->enc, x->grain, x->raw };
        else
            missing[nmissing++] = (struct wanted){ .column = w[i].column, .at = i };
    }
    if (!nmissing)
        return OK;
    enum err e = scan_blobs(r, missing, nmissing, f);
    if (!e)
        e = scan_inflate(r, missing, nmissing, f);
    for (uint32_t i = 0; i < nmissing && !e; i++) {
        struct wanted *m = &missing[i], *to = &w[m->at];
        if (chunk_is_pieces(m->blob))
            return fault_set(f, E_CORRUPT, 0, "column %u is in pieces", m->column);
        to->blob = m->blob;
        to->payload = m->payload;
    }
    return e;
}

/* ---- attribute columns ------------------------------------------------------ */

enum { NUMBERS_MIN = 64 };                         /* smaller dictionaries are read as fast as looked up */

/* The numbers that a dictionary's texts are, read once and kept beside it. */
static void add_numbers(struct reading *r, uint32_t column, struct column *c)
{
    const struct scan_req *req = &r->ld->sc->req;
    bool wanted = false;
    for (uint32_t i = 0; i < req->nnumbers; i++)
        wanted |= colkey_is(&c->key, req->numbers[i]);
    if (!wanted || !c->code || c->ndict < NUMBERS_MIN)
        return;
    const struct cached *x = scan_look_up(r, column, CACHED_NUMBERS);
    if (x) {
        c->num = x->fixed;
        return;
    }
    double *num = arena_raw(r->ld->mem, double, c->ndict);
    for (uint32_t i = 0; i < c->ndict; i++)
        num[i] = column_number(&c->dict[i]);
    c->num = num;
    cached_unref(cache_keep_fixed(r->ld->sc->s->cache, scan_key(r, column, CACHED_NUMBERS), num, sizeof *num * c->ndict, 0));
}

static const uint32_t no_code;

static struct column absent(const struct chunk_col *col)
{
    static const struct value none;
    return (struct column){ .key = col->key, .code = &no_code, .form = CODES_SAME, .dict = &none, .ndict = 1 };
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

static struct column keep_column(struct reading *r, const struct wanted *w, enum cached_kind kind, uint32_t count, const struct column *c)
{
    struct cached *x = cache_keep_column(r->ld->sc->s->cache, scan_key(r, w->column, kind), c, count, w->blob.n);
    return scan_hold(r->ld, x) ? x->col : *c;      /* its texts stand together */
}

/* A column from its payload, a value a row; or a run, if `runs` and it is such a column. */
static enum err decode_column(struct reading *r, const struct wanted *w, bool runs, struct column *ret, struct fault *f)
{
    const struct chunk_col *col = &r->u->chunk->sum.cols[w->column - CHUNK_ATTRS];
    struct arena *mem = r->ld->mem;
    struct column c;
    bool by_run = w->payload.grain == CHUNK_BY_RUN;
    enum err e = by_run ? read_shape(r, f) : OK;
    if (!e && !by_run && w->payload.enc == CHUNK_ENC_TIME)
        e = need_time(r, f);
    if (!e && (w->payload.grain == CHUNK_BY_MOMENT || by_run < runs))
        e = fault_set(f, E_CORRUPT, 0, "column %u does not go by run", w->column);
    uint32_t count = !e && by_run ? r->shape->nruns : r->rows;
    if (!e)
        e = chunk_column_decode(w->payload, col, count, by_run ? NULL : r->time_ns, mem, &c, f);
    if (e)
        return e;
    if (by_run && r->u->chunk->sum.table == TABLE_SAMPLE) {
        c = keep_column(r, w, CACHED_RUNS, count, &c);
        *ret = c;
        if (!runs)
            column_spread(&c, r->shape, mem, ret);
        return OK;
    }
    if (by_run)
        column_spread(&c, r->shape, mem, &c);
    *ret = keep_column(r, w, CACHED_COLUMN, r->rows, &c);
    return OK;
}

/* Kept, a value a row (or a run)? */
static enum err kept_column(struct reading *r, uint32_t column, bool runs, struct column *ret, bool *ret_found, struct fault *f)
{
    const struct chunk_summary *sum = &r->u->chunk->sum;
    bool label = sum->table == TABLE_SAMPLE && sum->cols[column - CHUNK_ATTRS].key.place == PLACE_LABEL;
    const struct cached *x = scan_look_up(r, column, label ? CACHED_RUNS : CACHED_COLUMN);
    *ret_found = x;
    if (!x)
        return OK;
    *ret = x->col;
    if (!label || runs)
        return OK;
    enum err e = read_shape(r, f);
    if (!e)
        column_spread(&x->col, r->shape, r->ld->mem, ret);
    return e;
}

static enum err read_either(struct reading *r, const uint32_t *which, uint32_t n, bool runs, struct column *ret, struct fault *f)
{
    const struct chunk_col *cols = r->u->chunk->sum.cols;
    struct wanted *w = arena_new(r->ld->mem, struct wanted, n + 1);
    uint32_t missing = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool found;
        enum err e = kept_column(r, cols[which[i]].column, runs, &ret[i], &found, f);
        if (e)
            return e;
        if (!found)
            w[missing++] = (struct wanted){ .column = cols[which[i]].column, .at = i };
    }
    enum err e = missing ? get_payloads(r, w, missing, f) : OK;
    for (uint32_t i = 0; i < missing && !e; i++) {
        struct column *to = &ret[w[i].at];
        *to = absent(&cols[which[w[i].at]]);
        if (w[i].payload.raw.p)
            e = decode_column(r, &w[i], runs, to, f);
    }
    for (uint32_t i = 0; i < n && !e; i++)
        add_numbers(r, cols[which[i]].column, &ret[i]);
    return e;
}

enum err read_columns(struct reading *r, const uint32_t *which, uint32_t n, struct column *ret, struct fault *f)
{
    return read_either(r, which, n, false, ret, f);
}

enum err read_columns_runs(struct reading *r, const uint32_t *which, uint32_t n, struct column *ret, struct fault *f)
{
    return read_either(r, which, n, true, ret, f);
}

/* ---- some rows of them ------------------------------------------------------- */

/* Times of the rows, which the query did without and a column cannot. */
static enum err some_times(struct reading *r, const uint32_t *sel, uint32_t nsel, const int64_t **ret, struct fault *f)
{
    struct block b = { .n = r->rows, .sel = sel, .nsel = nsel, .time_ns = r->time_ns };
    enum err e = read_fixed_some(r, 1u << CHUNK_TIME, &b, f);
    *ret = b.time_ns;
    return e;
}

/* Rows of one column from its payload; *times is made when it is needed. */
static enum err decode_some(struct reading *r, const struct wanted *w, const uint32_t *sel, uint32_t nsel, const int64_t **times,
                            struct column *ret, struct fault *f)
{
    const struct chunk_col *col = &r->u->chunk->sum.cols[w->column - CHUNK_ATTRS];
    struct chunk_shape rows = { .rows = r->rows };
    enum err e = OK;
    if (w->payload.grain == CHUNK_BY_RUN)
        e = read_shape(r, f);
    else if (w->payload.enc == CHUNK_ENC_TIME && !*times)
        e = some_times(r, sel, nsel, times, f);
    return e ? e : chunk_column_some(w->payload, col, r->shape ? r->shape : &rows, *times, sel, nsel, r->ld->mem, ret, f);
}

static bool has_any(const uint8_t *valid, const uint32_t *sel, uint32_t nsel)
{
    for (uint32_t i = 0; i < nsel; i++)
        if (valid[sel[i] >> 3] >> (sel[i] & 7) & 1)
            return true;
    return false;
}

/* Is it known that no row of these has a value? What an event has hangs on its kind, and so
 * half of all columns are empty where a query's rows are; they are not even read. */
static bool known_empty(struct reading *r, uint32_t column, const uint32_t *sel, uint32_t nsel)
{
    if (is_gone(r, column))
        return false;
    struct cached *x = cache_get(r->ld->sc->s->cache, scan_key(r, column, CACHED_VALID));
    bool empty = x && !has_any(x->fixed, sel, nsel);
    if (empty)
        r->ld->stats.bytes_read += x->stored;
    cached_unref(x);
    return empty;
}

/* What was read now is kept: the payload where some of the rows asked for have a value, and
 * which have, lest those be read again that have none. Returns whether some have. */
static bool keep_payload(struct reading *r, const struct wanted *w, const uint32_t *sel, uint32_t nsel)
{
    struct cache *c = r->ld->sc->s->cache;
    if (!w->blob.n)
        return true;
    struct arena scratch = *r->ld->mem;
    const uint8_t *valid = chunk_valid(w->payload, r->rows, &scratch);
    bool any = !valid || has_any(valid, sel, nsel);
    if (valid)
        cached_unref(cache_keep_fixed(c, scan_key(r, w->column, CACHED_VALID), valid, r->rows / 8 + 1, w->blob.n));
    if (any)
        cached_unref(cache_keep_raw(c, scan_key(r, w->column, CACHED_RAW), w->payload.enc, w->payload.grain, w->payload.raw,
                                    w->blob.n));
    return any;
}

enum err read_columns_some(struct reading *r, const uint32_t *which, uint32_t n, const uint32_t *sel, uint32_t nsel,
                           const int64_t *times, struct column *ret, struct fault *f)
{
    const struct chunk_col *cols = r->u->chunk->sum.cols;
    struct arena *mem = r->ld->mem;
    struct wanted *w = arena_new(mem, struct wanted, n + 1);
    uint32_t missing = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct column whole;
        bool found;
        enum err e = kept_column(r, cols[which[i]].column, false, &whole, &found, f);
        if (e)
            return e;
        if (found) {
            add_numbers(r, cols[which[i]].column, &whole);
            column_gather(&whole, sel, nsel, mem, &ret[i]);
        } else if (known_empty(r, cols[which[i]].column, sel, nsel)) {
            ret[i] = absent(&cols[which[i]]);
        } else {
            w[missing++] = (struct wanted){ .column = cols[which[i]].column, .at = i };
        }
    }
    enum err e = missing ? get_payloads(r, w, missing, f) : OK;
    for (uint32_t i = 0; i < missing && !e; i++) {
        ret[w[i].at] = absent(&cols[which[w[i].at]]);
        if (w[i].payload.raw.p && keep_payload(r, &w[i], sel, nsel))
            e = decode_some(r, &w[i], sel, nsel, &times, &ret[w[i].at], f);
    }
    return e;
}

/* ---- filters --------------------------------------------------------------- */

enum err read_filter(struct reading *r, struct str *ret, struct fault *f)
{
    const struct cached *x = scan_look_up(r, 0, CACHED_FILTER);
    if (x) {
        *ret = x->raw;
        return OK;
    }
    enum err e = part_filter(r->u->item, r->u->chunk, r->ld->mem, ret, f);
    if (!e)
        cached_unref(cache_keep_raw(r->ld->sc->s->cache, scan_key(r, 0, CACHED_FILTER), 0, 0, *ret, 0));
    return e;
}
