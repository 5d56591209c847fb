/* store/scan_series.c -- samples in runs: scans that ask about a series once, not once a row.
 *
 *   chunk:  matchers on columns that have a value a run -> runs that count
 *             -> of each the rows inside the time range (they ascend): a span
 *             -> the pieces that hold spans are inflated, and decoded to where they belong
 *             -> times: a run's are one stretch of the chunk's moments, copied
 *   head:   matchers on series (or rows) -> rows -> put together by series
 *
 * A block has just what counts. Codes stay as the chunk has them, and so do dictionaries.
 */
#include <string.h>

#include "store/chunk_int.h"
#include "store/scan_int.h"

/* ---- columns ------------------------------------------------------------------ */

/* Elements sel[0 .. n) of a column; the dictionary stays. */
static struct column take_elements(const struct column *c, const uint32_t *sel, uint32_t n, struct arena *mem)
{
    static const size_t width[] = { [CODES_U32] = 4, [CODES_U16] = 2, [CODES_U8] = 1 };
    struct column out = *c;
    if (!c->code)
        column_gather(c, sel, n, mem, &out);
    else if (c->form != CODES_SAME)
        out.code = scan_gather(mem, c->code, width[c->form], sel, n);
    return out;
}

static bool is_label(const struct colkey *key)
{
    return key->place == PLACE_LABEL;
}

/* Which of n elements pass the matchers, by columns of labels alone; ascending. */
static const uint32_t *passing(struct load *ld, const struct column *cols, uint32_t ncols, uint32_t n, uint32_t *ret_n)
{
    struct column *labels = arena_raw(ld->mem, struct column, ncols + 1);
    struct block b = { .n = n, .sel = scan_rows(ld, n), .nsel = n, .cols = labels };
    for (uint32_t i = 0; i < ncols; i++)
        if (is_label(&cols[i].key))
            labels[b.ncols++] = cols[i];
    scan_select_matchers(ld, &b);
    *ret_n = b.nsel;
    return b.sel;
}

/* ---- heads -------------------------------------------------------------------- */

/* Of b->sel those whose series pass. */
void scan_select_series(struct load *ld, struct block *b)
{
    uint32_t npass, kept = 0;
    if (!ld->sc->req.nmatchers || !b->nsel)
        return;
    const uint32_t *pass = passing(ld, b->cols, b->ncols, b->nseries, &npass);
    uint8_t *counts = arena_new(ld->mem, uint8_t, b->nseries + 1u);
    for (uint32_t i = 0; i < npass; i++)
        counts[pass[i]] = 1;
    uint32_t *sel = arena_raw(ld->mem, uint32_t, b->nsel + 1u);
    for (uint32_t i = 0; i < b->nsel; i++) {
        sel[kept] = b->sel[i];
        kept += counts[b->series[b->sel[i]]];
    }
    b->sel = sel;
    b->nsel = kept;
}

static void take_fixed(const struct block *from, uint32_t without, const struct chunk_order *o, struct arena *mem, struct block *b)
{
    const struct { const void *from, *to; uint32_t without; } all[] = {
        { from->time_ns, &b->time_ns, WITHOUT_TIME },          { from->recv_ns, &b->recv_ns, WITHOUT_RECV },
        { from->start_ns, &b->start_ns, WITHOUT_START },       { from->claimed_ns, &b->claimed_ns, WITHOUT_CLAIMED },
        { from->value, &b->value, WITHOUT_VALUE },             { from->seq, &b->seq, WITHOUT_SEQ },
    };
    for (size_t i = 0; i < LEN(all); i++)
        if (!(without & all[i].without))
            *(const void **)(uintptr_t)all[i].to = scan_gather(mem, all[i].from, 8, o->row, b->n);
    uint32_t *first = arena_raw(mem, uint32_t, o->nruns);
    for (uint32_t i = 0; i < o->nruns; i++)
        first[i] = o->row[o->run_end[i] - 1];
    b->temporality = scan_gather(mem, from->temporality, 1, first, o->nruns);
    b->origin = scan_gather(mem, from->origin, 1, first, o->nruns);
}

enum err scan_head_series(struct load *ld)
{
    struct arena *mem = ld->mem;
    const struct scan_req *req = &ld->sc->req;
    struct block in = ld->u->picture, *b = &ld->out;
    struct chunk_order o;
    ld->stats.rows_read += in.n;
    scan_select_time(ld, &in);
    if (in.series)
        scan_select_series(ld, &in);
    else
        scan_select_matchers(ld, &in);
    if (!in.nsel)
        return OK;
    chunk_group(&in, mem, &o);
    *b = (struct block){ .n = in.nsel, .nsel = in.nsel, .run_end = o.run_end, .nruns = o.nruns };
    take_fixed(&in, req->without, &o, mem, b);
    struct column *cols = arena_new(mem, struct column, in.ncols + 1u);
    for (uint32_t i = 0; i < in.ncols; i++) {
        if (!scan_wants(req, &in.cols[i].key))
            continue;
        bool label = is_label(&in.cols[i].key);
        cols[b->ncols++] = take_elements(&in.cols[i], label ? o.element : o.row, label ? o.nruns : b->n, mem);
    }
    b->cols = cols;
    return OK;
}

/* ---- chunks: which rows -------------------------------------------------------- */

/* Rows of one run that count, and where they go. */
struct span {
    uint32_t run, lo, hi, at;
};

struct spans {
    struct span *at;
    uint32_t n, rows;
    bool *need;                                    /* by piece */
    uint32_t *moment;                              /* by row as it goes out; NULL: a run's follow each other */
};

static uint32_t run_from(const struct chunk_shape *s, uint32_t run)
{
    return run ? s->run_end[run - 1] : 0;
}

static void place_spans(struct spans *x)
{
    uint32_t kept = 0;
    x->rows = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        struct span p = x->at[i];
        if (p.lo == p.hi)
            continue;
        p.at = x->rows;
        x->rows += p.hi - p.lo;
        x->at[kept++] = p;
    }
    x->n = kept;
}

static void mark_pieces(const struct chunk_shape *s, struct spans *x)
{
    memset(x->need, 0, s->npieces * sizeof *x->need);
    uint32_t piece = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        while (s->piece_end[piece] <= x->at[i].lo)
            piece++;
        for (;; piece++) {
            x->need[piece] = true;
            if (s->piece_end[piece] >= x->at[i].hi)
                break;
        }
    }
}

static uint32_t piece_from(const struct chunk_shape *s, uint32_t piece)
{
    return piece ? s->piece_end[piece - 1] : 0;
}

/* The rows of the spans from pieces: those that go out whole are decoded to their place. */
static enum err decode_spans(struct reading *r, const struct spans *x, uint32_t column, const struct fixed *from, int64_t *out,
                             struct fault *f)
{
    const struct chunk_shape *s = r->shape;
    uint32_t k = 0, at = 0;                        /* of spans, and of the rows that went out */
    for (uint32_t piece = 0; piece < s->npieces; piece++) {
        uint32_t lo = piece_from(s, piece), hi = s->piece_end[piece], rows = 0;
        if (!x->need[piece])
            continue;
        for (uint32_t j = k; j < x->n && x->at[j].lo < hi; j++)
            rows += MIN(x->at[j].hi, hi) - MAX(x->at[j].lo, lo);
        bool whole = rows == hi - lo;
        struct arena scratch = *r->ld->mem;
        int64_t *to = whole ? out + at : arena_raw(&scratch, int64_t, hi - lo);
        enum err e = chunk_piece_decode(from->enc, from->piece[piece], s, piece, column, to, scratch, f);
        if (e)
            return e;
        for (; k < x->n && x->at[k].lo < hi; k++) {
            uint32_t a = MAX(x->at[k].lo, lo), b = MIN(x->at[k].hi, hi);
            if (!whole)
                memcpy(out + at, to + (a - lo), (b - a) * sizeof *out);
            at += b - a;
            if (x->at[k].hi > hi)
                break;                             /* it goes on in the next piece */
        }
    }
    CHECK(at == x->rows);
    return OK;
}

/* Where the rows of runs have steps: the moment of each row of the spans. Spans are whole runs. */
static enum err step_moments(struct reading *r, struct spans *x, struct fault *f)
{
    struct fixed steps[CHUNK_FIXED_COUNT];
    struct arena *mem = r->ld->mem;
    x->moment = arena_raw(mem, uint32_t, x->rows);
    int64_t *step = arena_raw(mem, int64_t, x->rows);
    mark_pieces(r->shape, x);
    enum err e = read_fixed_raw(r, 1u << CHUNK_STEPS, x->need, steps, f);
    if (!e)
        e = decode_spans(r, x, CHUNK_STEPS, &steps[CHUNK_STEPS], step, f);
    for (uint32_t i = 0; i < x->n && !e; i++) {
        const struct span *p = &x->at[i];
        uint64_t at = r->shape->moment[p->run];
        for (uint32_t k = p->at; k < p->at + (p->hi - p->lo) && !e; k++) {
            at += k == p->at ? 0 : (uint64_t)step[k] + 1;
            if (at >= r->shape->nmoments)
                e = fault_set(f, E_CORRUPT, 0, "column %d: a moment that is not there", CHUNK_STEPS);
            else
                x->moment[k] = (uint32_t)at;
        }
    }
    return e;
}

/* The first of the ascending rows [lo, hi) that is not before `time`. */
static uint32_t first_from(const int64_t *times, const uint32_t *moment, uint32_t lo, uint32_t hi, int64_t time)
{
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (times[moment ? moment[mid] : mid] < time)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Spans become what of them is in the time range. */
static enum err narrow_spans(struct reading *r, struct spans *x, const int64_t *times, struct fault *f)
{
    const struct scan_req *req = &r->ld->sc->req;
    uint32_t *moment = x->moment;
    for (uint32_t i = 0; i < x->n; i++) {
        struct span *p = &x->at[i];
        uint32_t n = p->hi - p->lo, first = moment ? p->at : r->shape->moment[p->run];
        if (!moment && n > r->shape->nmoments - first)
            return fault_set(f, E_CORRUPT, 0, "column %d: a moment that is not there", CHUNK_RUNS);
        uint32_t a = first_from(times, moment, first, first + n, req->from_ns), b = first_from(times, moment, a, first + n, req->to_ns);
        p->hi = p->lo + (b - first);
        p->lo += a - first;
    }
    if (!moment) {
        place_spans(x);
        return OK;
    }
    /* The moments move with their rows. */
    uint32_t at = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        struct span *p = &x->at[i];
        uint32_t from = p->at + (p->lo - run_from(r->shape, p->run)), n = p->hi - p->lo;
        memmove(moment + at, moment + from, n * sizeof *moment);
        at += n;
    }
    place_spans(x);
    return OK;
}

/* ---- chunks: what is asked of them ---------------------------------------------- */

static enum err of_moments(const struct reading *r, const struct spans *x, const int64_t *from, int64_t *out, struct fault *f)
{
    const struct chunk_shape *s = r->shape;
    for (uint32_t i = 0; x->moment && i < x->rows; i++)
        out[i] = from[x->moment[i]];
    for (uint32_t i = 0; !x->moment && i < x->n; i++) {
        const struct span *p = &x->at[i];
        uint64_t first = (uint64_t)s->moment[p->run] + (p->lo - run_from(s, p->run));
        uint32_t n = p->hi - p->lo;
        if (first + n > s->nmoments)
            return fault_set(f, E_CORRUPT, 0, "column %d: a moment that is not there", CHUNK_RUNS);
        for (uint32_t k = 0; k < n; k++)           /* too short for a call */
            out[p->at + k] = from[first + k];
    }
    return OK;
}

static void of_runs(const struct spans *x, const int64_t *from, int64_t *out)
{
    for (uint32_t i = 0; i < x->n; i++)
        for (uint32_t k = x->at[i].at, end = k + (x->at[i].hi - x->at[i].lo); k < end; k++)
            out[k] = from[x->at[i].run];
}

static void set_array(struct block *b, uint32_t column, const void *v)
{
    switch (column) {
    case CHUNK_TIME:
        b->time_ns = v;
        break;
    case CHUNK_RECV:
        b->recv_ns = v;
        break;
    case CHUNK_START:
        b->start_ns = v;
        break;
    case CHUNK_CLAIMED:
        b->claimed_ns = v;
        break;
    case CHUNK_VALUE:
        b->value = v;
        break;
    default:
        CHECK(column == CHUNK_SEQ);
        b->seq = v;
    }
}

static enum err read_arrays(struct reading *r, const struct spans *x, const uint32_t *runs, uint32_t columns, struct block *b,
                            struct fault *f)
{
    struct fixed all[CHUNK_FIXED_COUNT];
    struct arena *mem = r->ld->mem;
    const uint32_t bytes = 1u << CHUNK_TEMPORALITY | 1u << CHUNK_ORIGIN;
    enum err e = read_fixed_raw(r, columns | bytes, x->need, all, f);
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT && !e; i++) {
        if (!((columns & ~bytes) >> i & 1))
            continue;
        int64_t *out = arena_raw(mem, int64_t, x->rows);
        if (all[i].piece)
            e = decode_spans(r, x, i, &all[i], out, f);
        else if (all[i].grain == CHUNK_BY_MOMENT)
            e = of_moments(r, x, all[i].values, out, f);
        else if (all[i].grain == CHUNK_BY_RUN)
            of_runs(x, all[i].values, out);
        else
            e = fault_set(f, E_CORRUPT, 0, "column %u of samples goes by row", i);
        set_array(b, i, out);
    }
    for (uint32_t i = CHUNK_TEMPORALITY; i <= CHUNK_ORIGIN && !e; i++)
        if (all[i].grain != CHUNK_BY_RUN)
            e = fault_set(f, E_CORRUPT, 0, "column %u does not go by run", i);
    if (e)
        return e;
    b->temporality = scan_gather(mem, all[CHUNK_TEMPORALITY].values, 1, runs, x->n);
    b->origin = scan_gather(mem, all[CHUNK_ORIGIN].values, 1, runs, x->n);
    return OK;
}

/* Columns that have a value a row: of the rows of the spans. */
static enum err read_row_columns(struct reading *r, const struct spans *x, const uint32_t *which, uint32_t n, struct block *b,
                                 struct column *cols, struct fault *f)
{
    if (!n)
        return OK;
    uint32_t *sel = arena_raw(r->ld->mem, uint32_t, x->rows);
    for (uint32_t i = 0; i < x->n; i++)
        for (uint32_t k = 0; k < x->at[i].hi - x->at[i].lo; k++)
            sel[x->at[i].at + k] = x->at[i].lo + k;
    enum err e = read_columns_some(r, which, n, sel, x->rows, b->time_ns, cols + b->ncols, f);
    b->ncols += n;
    return e;
}

static enum err read_labels(struct reading *r, const struct spans *x, const uint32_t *runs, struct block *b, struct fault *f)
{
    const struct chunk_summary *sum = &r->u->chunk->sum;
    struct arena *mem = r->ld->mem;
    uint32_t *which = arena_raw(mem, uint32_t, sum->ncols + 1u), *others = arena_raw(mem, uint32_t, sum->ncols + 1u), n = 0, nothers = 0;
    for (uint32_t i = 0; i < sum->ncols; i++) {
        if (!scan_wants(&r->ld->sc->req, &sum->cols[i].key))
            continue;
        if (is_label(&sum->cols[i].key))
            which[n++] = i;
        else
            others[nothers++] = i;
    }
    struct column *cols = arena_new(mem, struct column, n + nothers + 1u);
    enum err e = read_columns_runs(r, which, n, cols, f);
    for (uint32_t i = 0; i < n && !e && x->n < r->shape->nruns; i++)
        cols[i] = take_elements(&cols[i], runs, x->n, mem);
    b->cols = cols;
    b->ncols = n;
    return e ? e : read_row_columns(r, x, others, nothers, b, cols, f);
}

/* Rows received later alone: they are no spans, so what was read is closed up. */
static void drop_early(struct reading *r, struct block *b)
{
    struct arena *mem = r->ld->mem;
    uint32_t *keep = arena_raw(mem, uint32_t, b->n + 1u), *runs = arena_raw(mem, uint32_t, b->nruns + 1u);
    uint32_t *end = arena_raw(mem, uint32_t, b->nruns + 1u);
    uint32_t n = 0, nruns = 0;
    for (uint32_t run = 0, i = 0; run < b->nruns; run++) {
        uint32_t before = n;
        for (; i < b->run_end[run]; i++) {
            keep[n] = i;
            n += b->recv_ns[i] > r->ld->sc->req.recv_after_ns;
        }
        if (n == before)
            continue;
        runs[nruns] = run;
        end[nruns++] = n;
    }
    if (n == b->n)
        return;
    struct column *cols = arena_raw(mem, struct column, b->ncols + 1u);
    for (uint32_t i = 0; i < b->ncols; i++)
        cols[i] = is_label(&b->cols[i].key) ? take_elements(&b->cols[i], runs, nruns, mem) : take_elements(&b->cols[i], keep, n, mem);
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT; i++) {
        const void *arrays[CHUNK_FIXED_COUNT] = {
            [CHUNK_TIME] = b->time_ns,       [CHUNK_RECV] = b->recv_ns, [CHUNK_START] = b->start_ns,
            [CHUNK_CLAIMED] = b->claimed_ns, [CHUNK_VALUE] = b->value,  [CHUNK_SEQ] = b->seq,
        };
        if (arrays[i])
            set_array(b, i, scan_gather(mem, arrays[i], 8, keep, n));
    }
    b->temporality = scan_gather(mem, b->temporality, 1, runs, nruns);
    b->origin = scan_gather(mem, b->origin, 1, runs, nruns);
    b->cols = cols;
    b->n = b->nsel = n;
    b->run_end = end;
    b->nruns = nruns;
}

/* Runs that pass the matchers, as spans of all their rows. */
static enum err match_runs(struct reading *r, struct spans *x, struct fault *f)
{
    const struct chunk_summary *sum = &r->u->chunk->sum;
    const struct scan_req *req = &r->ld->sc->req;
    struct arena *mem = r->ld->mem;
    uint32_t *which = arena_raw(mem, uint32_t, sum->ncols + 1u), n = 0;
    for (uint32_t i = 0; i < sum->ncols; i++) {
        bool asked = false;
        for (uint32_t k = 0; k < req->nmatchers; k++)
            asked |= colkey_is(&sum->cols[i].key, req->matchers[k].label);
        if (asked && is_label(&sum->cols[i].key))
            which[n++] = i;
    }
    enum err e = read_shape(r, f);
    struct column *cols = arena_new(mem, struct column, n + 1u);
    if (!e)
        e = r->shape->npieces ? read_columns_runs(r, which, n, cols, f) : fault_set(f, E_CORRUPT, 0, "samples without runs");
    if (e)
        return e;
    const uint32_t *runs = passing(r->ld, cols, n, r->shape->nruns, &x->n);
    x->at = arena_raw(mem, struct span, x->n + 1u);
    x->need = arena_new(mem, bool, r->shape->npieces);
    for (uint32_t i = 0; i < x->n; i++)
        x->at[i] = (struct span){ .run = runs[i], .lo = run_from(r->shape, runs[i]), .hi = r->shape->run_end[runs[i]] };
    place_spans(x);
    return OK;
}

/* Those of them inside the time range, and which pieces they are in. */
static enum err choose_rows(struct reading *r, struct spans *x, struct fault *f)
{
    const struct scan_req *req = &r->ld->sc->req;
    const struct chunk_summary *sum = &r->u->chunk->sum;
    struct fixed time[CHUNK_FIXED_COUNT];
    bool outside = sum->time_min < req->from_ns || sum->time_max >= req->to_ns;
    enum err e = x->n && r->shape->stepped ? step_moments(r, x, f) : OK;
    if (!e && x->n && outside) {
        e = read_fixed_raw(r, 1u << CHUNK_TIME, NULL, time, f);
        if (!e && time[CHUNK_TIME].grain != CHUNK_BY_MOMENT)
            e = fault_set(f, E_CORRUPT, 0, "column %d does not go by moment", CHUNK_TIME);
        if (!e)
            e = narrow_spans(r, x, time[CHUNK_TIME].values, f);
    }
    if (!e)
        mark_pieces(r->shape, x);
    return e;
}

enum err scan_chunk_series(struct reading *r, struct fault *f)
{
    struct load *ld = r->ld;
    const struct scan_req *req = &ld->sc->req;
    struct block *b = &ld->out;
    struct spans x = { 0 };
    enum err e = match_runs(r, &x, f);
    if (!e)
        e = choose_rows(r, &x, f);
    if (e || !x.n)
        return e;
    for (uint32_t i = 0; i < r->shape->npieces; i++)
        ld->stats.rows_read += x.need[i] ? r->shape->piece_end[i] - piece_from(r->shape, i) : 0;

    uint32_t *runs = arena_raw(ld->mem, uint32_t, x.n), *end = arena_raw(ld->mem, uint32_t, x.n);
    for (uint32_t i = 0; i < x.n; i++) {
        runs[i] = x.at[i].run;
        end[i] = x.at[i].at + (x.at[i].hi - x.at[i].lo);
    }
    *b = (struct block){ .n = x.rows, .nsel = x.rows, .run_end = end, .nruns = x.n };
    bool late = req->recv_after_ns && r->u->chunk->sum.recv_min <= req->recv_after_ns;
    uint32_t columns = scan_wants_fixed(req, &r->u->chunk->sum) | (late ? 1u << CHUNK_RECV : 0);
    e = read_arrays(r, &x, runs, columns, b, f);
    if (!e)
        e = read_labels(r, &x, runs, b, f);
    if (!e && late)
        drop_early(r, b);
    return e;
}
