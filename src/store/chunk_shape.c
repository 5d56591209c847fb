/* store/chunk_shape.c -- how the rows of a chunk stand: in runs, of moments, in pieces.
 *
 *     runs      | a a a a a | b b b | c c c c c c | d d d d |     rows of one series
 *     moments     3 4 5 6 7   5 6 7   0 1 2 3 4 5   4 5 6 7       times, one an export
 *     pieces    |-- metric 1 ------ | -- metric 2 ----------|     read apart
 *
 * Moments. All series that a process exports have one time and come in one request, so that
 * (time, receive time, sequence) repeats for each of them. A chunk keeps such a triple once,
 * in the order of (who exports, time, sequence), and a run the number of its first. The rows
 * that follow nearly always are of the moments that follow: a counter, once there, is in
 * every export. Where one is left out (deltas of what did not change) rows have a step. A bench
 * chunk of 64 k samples has 4 k moments; times, receive times and sequence numbers went from
 * 0.5 bytes a sample to 0.1, and the times of a run are copied from one stretch. Who exports
 * is told by the label session_id, else instance. It decides only how well rows share.
 *
 * Pieces. A piece ends where the metric changes, if it has some rows; a long metric is cut at
 * the end of a run, a long run anywhere. Small pieces cost bytes (each is compressed alone)
 * and large ones time of a query that wants a part of one: 4 k, 8 k and 16 k rows gave
 * values of the same size within 2 %, because pieces of one metric compress alike.
 *
 *     lengths of runs | moments, first of each run | lengths of pieces | are there steps
 */
#include <string.h>

#include "store/chunk_int.h"

enum { PIECE_MIN = 1024, PIECE_ROWS = 8192, PIECE_MAX = 2 * PIECE_ROWS };

/* --- moments ------------------------------------------------------------------------------ */

struct moment {
    uint64_t who;
    int64_t time_ns, recv_ns;
    uint64_t seq;
};

struct finder {
    struct moment *at;
    uint32_t n, nslots;
    uint32_t *slots;
};

static uint32_t moment_find(struct finder *x, const struct moment *m)
{
    uint64_t h = (uint64_t)m->time_ns * UINT64_C(0x9e3779b97f4a7c15) ^ m->seq * UINT64_C(0xc2b2ae3d27d4eb4f) ^
                 (m->who + (uint64_t)m->recv_ns) * UINT64_C(0x165667b19e3779f9);
    uint32_t at = (uint32_t)(h >> 32 ^ h) & (x->nslots - 1);
    for (; x->slots[at]; at = (at + 1) & (x->nslots - 1)) {
        const struct moment *o = &x->at[x->slots[at] - 1];
        if (o->time_ns == m->time_ns && o->seq == m->seq && o->recv_ns == m->recv_ns && o->who == m->who)
            return x->slots[at] - 1;
    }
    x->at[x->n] = *m;
    x->slots[at] = ++x->n;
    return x->n - 1;
}

/* What tells exporters apart, of a run. */
static uint64_t who_of(const struct column *session, const struct column *instance, uint32_t element)
{
    uint64_t code = session ? column_code(session, element) : 0;
    return code || !instance ? code : (uint64_t)1 << 32 | column_code(instance, element);
}

static const struct column *label_codes(const struct block *in, struct str name)
{
    for (uint32_t i = 0; i < in->ncols; i++)
        if (in->cols[i].key.place == PLACE_LABEL && in->cols[i].code && str_eq(in->cols[i].key.name, name))
            return &in->cols[i];
    return NULL;
}

/* In the order of (who, time, seq, recv); rank[] of each as it was found. */
static uint32_t *sort_moments(struct finder *x, struct arena *mem)
{
    struct sorter s = sorter_new(x->n, mem);
    for (uint32_t i = 0; i < x->n; i++)
        s.items[i] = (struct sort_item){ (uint64_t)x->at[i].recv_ns ^ UINT64_C(1) << 63, i };
    sort_by_key(&s);
    for (uint32_t i = 0; i < x->n; i++)
        s.items[i].key = x->at[s.items[i].row].seq;
    sort_by_key(&s);
    for (uint32_t i = 0; i < x->n; i++)
        s.items[i].key = (uint64_t)x->at[s.items[i].row].time_ns ^ UINT64_C(1) << 63;
    sort_by_key(&s);
    for (uint32_t i = 0; i < x->n; i++)
        s.items[i].key = x->at[s.items[i].row].who;
    sort_by_key(&s);
    uint32_t *rank = arena_raw(mem, uint32_t, x->n);
    for (uint32_t i = 0; i < x->n; i++)
        rank[s.items[i].row] = i;
    return rank;
}

/* Distinct moments, and of each row the one it is of, as they were found. */
static struct finder find_moments(const struct block *in, const struct chunk_order *o, uint32_t *of, struct arena *mem)
{
    const struct column *session = label_codes(in, S("session_id")), *instance = label_codes(in, S("instance"));
    struct finder x = { .at = arena_raw(mem, struct moment, in->nsel), .nslots = 64 };
    while (x.nslots < in->nsel + in->nsel / 2)
        x.nslots *= 2;
    x.slots = arena_new(mem, uint32_t, x.nslots);
    for (uint32_t run = 0, i = 0; run < o->nruns; run++) {
        uint64_t who = who_of(session, instance, o->element[run]);
        for (; i < o->run_end[run]; i++) {
            uint32_t row = o->row[i];
            of[i] = moment_find(&x, &(struct moment){ who, in->time_ns[row], in->recv_ns[row], in->seq[row] });
        }
    }
    return x;
}

/* First moments of runs, and steps between the rows of each. Rows ascend by (time, seq), so that
 * no row is of an earlier moment than the one before; two of the same moment are possible: -1. */
static const int64_t *find_steps(const struct chunk_order *o, const uint32_t *of, uint32_t *first, uint32_t rows, struct arena *mem)
{
    int64_t *step = arena_raw(mem, int64_t, rows), any = 0;
    for (uint32_t run = 0, i = 0; run < o->nruns; run++) {
        first[run] = of[i];
        step[i++] = 0;
        for (; i < o->run_end[run]; i++) {
            step[i] = (int64_t)of[i] - of[i - 1] - 1;
            any |= step[i];
        }
    }
    return any ? step : NULL;
}

static void set_moments(const struct block *in, const struct chunk_order *o, struct arena *mem, struct chunk_shape *s,
                        struct chunk_moments *m)
{
    uint32_t *of = arena_raw(mem, uint32_t, in->nsel), *first = arena_raw(mem, uint32_t, o->nruns);
    struct finder x = find_moments(in, o, of, mem);
    uint32_t *rank = sort_moments(&x, mem);
    int64_t *time = arena_raw(mem, int64_t, x.n), *recv = arena_raw(mem, int64_t, x.n), *seq = arena_raw(mem, int64_t, x.n);
    for (uint32_t i = 0; i < x.n; i++) {
        time[rank[i]] = x.at[i].time_ns;
        recv[rank[i]] = x.at[i].recv_ns;
        seq[rank[i]] = (int64_t)x.at[i].seq;
    }
    for (uint32_t i = 0; i < in->nsel; i++)
        of[i] = rank[of[i]];
    *m = (struct chunk_moments){ .n = x.n, .time_ns = time, .recv_ns = recv, .seq = seq, .of = of };
    m->step = find_steps(o, of, first, in->nsel, mem);
    s->stepped = m->step;
    s->nmoments = x.n;
    s->moment = first;
}

/* --- pieces ---------------------------------------------------------------------------------- */

static void cut_pieces(const struct block *in, const struct chunk_order *o, struct arena *mem, struct chunk_shape *s)
{
    const struct column *name = label_codes(in, S("__name__"));
    uint32_t *end = arena_raw(mem, uint32_t, in->nsel / PIECE_MIN + 2), from = 0;
    for (uint32_t run = 0; run < o->nruns; run++) {
        uint32_t at = o->run_end[run];
        bool last = run + 1 == o->nruns;
        bool other = last || (name && column_code(name, o->element[run]) != column_code(name, o->element[run + 1]));
        while (at - from > PIECE_MAX)
            end[s->npieces++] = from += PIECE_ROWS;
        if (at - from >= (other ? PIECE_MIN : PIECE_ROWS) || (last && at > from))
            end[s->npieces++] = from = at;
    }
    CHECK(s->npieces <= in->nsel / PIECE_MIN + 1);
    s->piece_end = end;
}

void chunk_shape_find(enum table t, const struct block *in, const struct chunk_order *o, struct arena *mem, struct chunk_shape *ret,
                      struct chunk_moments *ret_moments)
{
    struct chunk_shape s = { .rows = in->nsel, .nruns = o->nruns, .run_end = o->run_end };
    if (t == TABLE_SAMPLE) {
        set_moments(in, o, mem, &s, ret_moments);
        cut_pieces(in, o, mem, &s);
    }
    *ret = s;
}

/* --- to a blob and back ------------------------------------------------------------------------ */

static void put_lengths(struct buf *b, const uint32_t *end, uint32_t n, struct arena scratch)
{
    int64_t *v = arena_raw(&scratch, int64_t, n + 1u);
    for (uint32_t i = 0; i < n; i++)
        v[i] = end[i] - (i ? end[i - 1] : 0);
    put_varint(b, n);
    put_ints(b, v, n, scratch);
}

enum err chunk_shape_write(const struct chunk_shape *s, struct arena *mem, struct str *ret, struct fault *f)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, CHUNK_RAW_MAX);
    struct arena scratch = *mem;
    put_lengths(&b, s->run_end, s->nruns, scratch);
    put_varint(&b, s->nmoments);
    if (s->nmoments) {
        int64_t *v = arena_raw(&scratch, int64_t, s->nruns);
        for (uint32_t i = 0; i < s->nruns; i++)
            v[i] = s->moment[i];
        put_ints(&b, v, s->nruns, scratch);
    }
    put_lengths(&b, s->piece_end, s->npieces, scratch);
    buf_byte(&b, s->stepped);
    return blob_seal(&b, (struct blob_kind){ .enc = ENC_RUNS }, CHUNK_RUNS, mem, ret, f);
}

/* Lengths that add up to `rows`, as the ends they lead to. */
static const uint32_t *rd_lengths(struct rd *r, uint32_t rows, uint32_t *ret_n, struct arena *mem)
{
    uint64_t n = rd_varint(r), at = 0;
    *ret_n = 0;
    if (r->bad || n > rows) {
        r->bad = true;
        return NULL;
    }
    uint32_t *end = arena_raw(mem, uint32_t, n + 1);
    struct arena scratch = *mem;
    int64_t *v = arena_raw(&scratch, int64_t, n + 1);
    rd_ints(r, v, (size_t)n);
    for (uint64_t i = 0; i < n; i++) {
        if (r->bad || v[i] <= 0 || (uint64_t)v[i] > rows - at) {
            r->bad = true;
            return NULL;
        }
        at += (uint64_t)v[i];
        end[i] = (uint32_t)at;
    }
    r->bad |= n && at != rows;
    *ret_n = (uint32_t)n;
    return end;
}

static void rd_firsts(struct rd *r, struct chunk_shape *s, struct arena *mem)
{
    uint64_t n = rd_varint(r);
    if (r->bad || n > s->rows)
        r->bad = true;
    if (r->bad || !n)
        return;
    uint32_t *first = arena_raw(mem, uint32_t, s->nruns + 1u);
    struct arena scratch = *mem;
    int64_t *v = arena_raw(&scratch, int64_t, s->nruns + 1u);
    rd_ints(r, v, s->nruns);
    for (uint32_t i = 0; i < s->nruns; i++) {
        if (v[i] < 0 || (uint64_t)v[i] >= n)
            r->bad = true;
        first[i] = (uint32_t)v[i];
    }
    s->nmoments = (uint32_t)n;
    s->moment = first;
}

enum err chunk_shape_read(struct str blob, uint32_t rows, struct arena *mem, struct chunk_shape *ret, struct fault *f)
{
    struct rd r;
    struct blob_kind kind;
    enum err e = blob_open(blob, CHUNK_RUNS, rows, mem, &kind, &r, f);
    if (e)
        return e;
    struct chunk_shape s = { .rows = rows };
    s.run_end = rd_lengths(&r, rows, &s.nruns, mem);
    if (!s.nruns)
        r.bad = true;
    rd_firsts(&r, &s, mem);
    s.piece_end = rd_lengths(&r, rows, &s.npieces, mem);
    uint8_t stepped = rd_byte(&r);
    s.stepped = stepped;
    if (kind.enc != ENC_RUNS || stepped > (s.nmoments != 0) || kind.grain || r.bad || r.p != r.end || !s.nmoments != !s.npieces)
        return fault_set(f, E_CORRUPT, 0, "column %d does not decode", CHUNK_RUNS);
    *ret = s;
    return OK;
}

uint32_t chunk_count(const struct chunk_shape *s, enum chunk_grain grain)
{
    return grain == CHUNK_BY_ROW ? s->rows : grain == CHUNK_BY_RUN ? s->nruns : s->nmoments;
}

enum err chunk_moments_of(const struct chunk_shape *s, const int64_t *steps, struct arena *mem, const uint32_t **ret, struct fault *f)
{
    uint32_t *of = arena_raw(mem, uint32_t, s->rows);
    for (uint32_t run = 0, i = 0; run < s->nruns; run++) {
        uint64_t at = s->moment[run];
        for (uint32_t first = i; i < s->run_end[run]; i++) {
            at += i == first ? 0 : (steps ? (uint64_t)steps[i] : 0) + 1;
            if (at >= s->nmoments)
                return fault_set(f, E_CORRUPT, 0, "column %d: a moment that is not there", CHUNK_RUNS);
            of[i] = (uint32_t)at;
        }
    }
    *ret = of;
    return OK;
}
