/* store/chunk_piece.c -- fixed columns of samples that go by row, in pieces.
 *
 *     for each piece: stored size | raw size | ... | bodies of the pieces
 *
 * A body whose sizes are equal is not compressed. One checksum stands over the whole blob,
 * which is read whole: its bytes are few, inflating and decoding them is what costs.
 *
 * Inside a piece, numbers go as they are, or run by run: the first of each run, then the
 * differences inside runs. Counters go up by little and start anywhere; one difference
 * across two runs would make all of a piece as wide as itself.
 *
 *     PLAIN | integers           RUNS | first of each run | differences
 *
 * Doubles are decimals in disguise (chunk_num.c), with one exponent a piece, so that tokens
 * do not pay for money. Running totals of decimals are not quite decimals: each addition
 * rounds. They are the nearest decimal and a few units in the last place, which go beside
 * (NEAR). What is no decimal goes by its bits.
 *
 *     form | exponent | exceptions | mantissas
 */
#include <math.h>
#include <string.h>

#include "base/zip.h"
#include "store/chunk_int.h"

enum run_form { RUN_PLAIN = 0, RUN_STEPS = 1 };
enum piece_form { PIECE_DECIMAL = 0, PIECE_BITS = 1, PIECE_NEAR = 2 };
enum { EXCEPTIONS_PART = 8, NEAR_ULPS = 100, NEAR_EXP_MAX = 12 };
#define MANTISSA_MAX 9007199254740992.0            /* 2^53 */

/* The parts of runs that are in a piece, as their ends, counted from its first row. */
struct segs {
    uint32_t *end, n;
};

static uint32_t piece_from(const struct chunk_shape *s, uint32_t piece)
{
    return piece ? s->piece_end[piece - 1] : 0;
}

static uint32_t run_at(const struct chunk_shape *s, uint32_t row)
{
    uint32_t lo = 0, hi = s->nruns - 1;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->run_end[mid] <= row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct segs segs_of(const struct chunk_shape *s, uint32_t piece, struct arena *mem)
{
    uint32_t from = piece_from(s, piece), to = s->piece_end[piece];
    struct segs x = { .end = arena_raw(mem, uint32_t, to - from) };
    for (uint32_t run = run_at(s, from);; run++) {
        x.end[x.n++] = MIN(s->run_end[run], to) - from;
        if (s->run_end[run] >= to)
            return x;
    }
}

/* --- integers ------------------------------------------------------------------------------ */

static void put_run_ints(struct buf *b, const int64_t *v, uint32_t n, struct segs x, struct arena scratch)
{
    int64_t *first = arena_raw(&scratch, int64_t, x.n), *step = arena_raw(&scratch, int64_t, n);
    uint32_t nstep = 0;
    for (uint32_t k = 0, i = 0; k < x.n; k++) {
        first[k] = v[i++];
        for (; i < x.end[k]; i++)
            step[nstep++] = (int64_t)((uint64_t)v[i] - (uint64_t)v[i - 1]);
    }
    bool steps = ints_cost(first, x.n) + ints_cost(step, nstep) < ints_cost(v, n);
    buf_byte(b, steps ? RUN_STEPS : RUN_PLAIN);
    if (!steps) {
        put_ints(b, v, n, scratch);
        return;
    }
    put_ints(b, first, x.n, scratch);
    put_ints(b, step, nstep, scratch);
}

/* into v[0 .. n) */
static void rd_run_ints(struct rd *r, int64_t *v, uint32_t n, struct segs x, struct arena scratch)
{
    uint8_t form = rd_byte(r);
    if (form != RUN_STEPS) {
        r->bad |= form != RUN_PLAIN;
        rd_ints(r, v, n);
        return;
    }
    int64_t *first = arena_raw(&scratch, int64_t, x.n);
    rd_ints(r, first, x.n);
    rd_stretches(r, v, first, x.end, x.n, scratch);
}

/* --- doubles ------------------------------------------------------------------------------- */

static uint64_t bits_of(double v)
{
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

/* The nearest m / 10^e, and how many units in the last place v is behind it. */
static bool as_near(double v, unsigned e, int64_t *ret_m, int64_t *ret_ulps)
{
    double scaled = v * chunk_pow10[e];
    if (!(fabs(scaled) < MANTISSA_MAX))
        return false;
    double m = nearbyint(scaled);
    *ret_m = (int64_t)m;
    *ret_ulps = (int64_t)(bits_of(v) - bits_of((double)*ret_m / chunk_pow10[e]));
    return *ret_ulps >= -NEAR_ULPS && *ret_ulps <= NEAR_ULPS;
}

static uint32_t misses(const double *v, uint32_t n, unsigned e)
{
    uint32_t odd = 0;
    int64_t m, ulps;
    for (uint32_t i = 0; i < n; i++)
        odd += !as_near(v[i], e, &m, &ulps);
    return odd;
}

/* The smallest exponent under which nearly all are near a decimal; above NEAR_EXP_MAX: none. */
static unsigned near_exponent(const double *v, uint32_t n)
{
    enum { PROBE = 64 };
    for (unsigned e = 0; e <= NEAR_EXP_MAX; e++) {
        uint32_t probe = MIN(n, (uint32_t)PROBE);
        if (misses(v, probe, e) <= probe / EXCEPTIONS_PART && misses(v, n, e) <= n / EXCEPTIONS_PART)
            return e;
    }
    return NEAR_EXP_MAX + 1;
}

struct decimals {
    unsigned e;
    int64_t *m, *ulps, *odd;                       /* odd: rows that are none */
    uint32_t nodd;
};

static struct decimals decimals_of(const double *v, uint32_t n, unsigned e, bool near, struct arena *mem)
{
    struct decimals d = { .e = e, .m = arena_raw(mem, int64_t, n), .ulps = arena_new(mem, int64_t, n), .odd = arena_raw(mem, int64_t, n) };
    int64_t last = 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t m, ulps = 0;
        if (near ? as_near(v[i], e, &m, &ulps) : as_decimal(v[i], e, &m)) {
            last = m;
            d.ulps[i] = ulps;
        } else {
            d.odd[d.nodd++] = i;
        }
        d.m[i] = last;                             /* an exception repeats the one before */
    }
    return d;
}

static void put_decimals(struct buf *b, const double *v, uint32_t n, const struct decimals *d, struct segs x, struct arena scratch)
{
    buf_byte(b, (char)d->e);
    put_varint(b, d->nodd);
    put_ints(b, d->odd, d->nodd, scratch);
    for (uint32_t i = 0; i < d->nodd; i++)
        put_u64(b, bits_of(v[d->odd[i]]));
    put_run_ints(b, d->m, n, x, scratch);
}

static void put_run_doubles(struct buf *b, const double *v, uint32_t n, struct segs x, struct arena scratch)
{
    struct decimals d = decimals_of(v, n, decimal_exponent(v, n), false, &scratch);
    if (d.nodd <= n / EXCEPTIONS_PART) {
        buf_byte(b, PIECE_DECIMAL);
        put_decimals(b, v, n, &d, x, scratch);
        return;
    }
    unsigned e = near_exponent(v, n);
    if (e <= NEAR_EXP_MAX) {
        d = decimals_of(v, n, e, true, &scratch);
        buf_byte(b, PIECE_NEAR);
        put_decimals(b, v, n, &d, x, scratch);
        put_run_ints(b, d.ulps, n, x, scratch);
        return;
    }
    int64_t *bits = arena_raw(&scratch, int64_t, n);
    for (uint32_t i = 0; i < n; i++)
        bits[i] = (int64_t)bits_of(v[i]);
    buf_byte(b, PIECE_BITS);
    put_run_ints(b, bits, n, x, scratch);
}

static void rd_exceptions(struct rd *from, const int64_t *odd, uint64_t nodd, double *v, uint32_t n, struct rd *r)
{
    for (uint64_t i = 0; i < nodd; i++) {
        uint64_t u = rd_u64(from);
        if (odd[i] < 0 || (uint64_t)odd[i] >= n)
            r->bad = true;
        else
            memcpy(&v[odd[i]], &u, sizeof u);
    }
}

static void add_ulps(double *v, const int64_t *ulps, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t u = bits_of(v[i]) + (uint64_t)ulps[i];
        memcpy(&v[i], &u, sizeof u);
    }
}

static void rd_run_doubles(struct rd *r, double *v, uint32_t n, struct segs x, struct arena scratch)
{
    int64_t *m = (int64_t *)(void *)v;             /* eight bytes either way */
    uint8_t form = rd_byte(r);
    if (form == PIECE_BITS) {
        rd_run_ints(r, m, n, x, scratch);
        return;
    }
    unsigned e = rd_byte(r);
    uint64_t nodd = rd_varint(r);
    if ((form != PIECE_DECIMAL && form != PIECE_NEAR) || e > CHUNK_EXP_MAX || nodd > n) {
        r->bad = true;
        e = 0;
        nodd = 0;
    }
    int64_t *odd = arena_raw(&scratch, int64_t, nodd + 1);
    rd_ints(r, odd, (size_t)nodd);
    const uint8_t *bits = rd_take(r, nodd * 8);
    rd_run_ints(r, m, n, x, scratch);
    double scale = chunk_pow10[e];
    for (uint32_t i = 0; !e && i < n; i++)
        v[i] = (double)m[i];
    for (uint32_t i = 0; e && i < n; i++)
        v[i] = (double)m[i] / scale;
    if (form == PIECE_NEAR) {
        int64_t *ulps = arena_raw(&scratch, int64_t, n);
        rd_run_ints(r, ulps, n, x, scratch);
        add_ulps(v, ulps, n);
    }
    struct rd from = { bits, bits ? bits + nodd * 8 : NULL, !bits };
    if (bits)
        rd_exceptions(&from, odd, nodd, v, n, r);
}

/* --- blobs --------------------------------------------------------------------------------- */

/* One piece, compressed by itself, to `bodies`; its sizes to `table`. */
static enum err put_piece(const struct chunk_shape *s, uint32_t piece, const int64_t *ints, const double *doubles, struct buf *raw,
                          struct buf *room, struct buf *table, struct buf *bodies, struct arena scratch, struct fault *f)
{
    uint32_t from = piece_from(s, piece), n = s->piece_end[piece] - from;
    struct segs x = segs_of(s, piece, &scratch);
    struct str body;
    buf_clear(raw);
    if (ints)
        put_run_ints(raw, ints + from, n, x, scratch);
    else
        put_run_doubles(raw, doubles + from, n, x, scratch);
    enum err e = blob_pack(buf_view(raw), false, room, &body, f);
    if (e)
        return e;
    put_varint(table, body.n);
    put_varint(table, raw->n);
    buf_str(bodies, body);
    return OK;
}

enum err chunk_pieces_write(const struct chunk_shape *s, uint32_t column, const int64_t *ints, const double *doubles, struct arena *mem,
                            struct arena scratch, struct str *ret, struct fault *f)
{
    CLEANUP(buf_done) struct buf raw = { 0 }, room = { 0 }, table = { 0 }, bodies = { 0 };
    struct buf *all[] = { &raw, &room, &table, &bodies };
    for (size_t i = 0; i < LEN(all); i++)
        buf_init(all[i], CHUNK_RAW_MAX + CHUNK_RAW_MAX / 64);
    for (uint32_t i = 0; i < s->npieces; i++) {
        enum err e = put_piece(s, i, ints, doubles, &raw, &room, &table, &bodies, scratch, f);
        if (e)
            return e;
    }
    buf_str(&table, buf_view(&bodies));
    return blob_seal(&table, (struct blob_kind){ .enc = doubles ? ENC_DOUBLE : ENC_INT, .pieces = true }, column, mem, ret, f);
}

enum err chunk_pieces_open(struct str blob, uint32_t column, const struct chunk_shape *s, struct arena *mem, struct chunk_pieces *ret,
                           struct fault *f)
{
    enum chunk_enc enc;
    struct rd r;
    enum err e = blob_pieces(blob, column, &enc, &r, f);
    if (e)
        return e;
    struct chunk_piece *at = arena_new(mem, struct chunk_piece, s->npieces + 1u);
    uint64_t all = 0;
    for (uint32_t i = 0; i < s->npieces; i++) {
        uint64_t stored = rd_varint(&r), raw = rd_varint(&r);
        all += raw;
        if (stored > raw || all > CHUNK_RAW_MAX)
            r.bad = true;
        at[i].body.n = (size_t)stored;
        at[i].raw = (size_t)raw;
    }
    for (uint32_t i = 0; i < s->npieces; i++)
        at[i].body.p = (const char *)rd_take(&r, at[i].body.n);
    if (r.bad || r.p != r.end || !s->npieces || enc != (column == CHUNK_VALUE ? ENC_DOUBLE : ENC_INT))
        return fault_set(f, E_CORRUPT, 0, "column %u: bad pieces", column);
    *ret = (struct chunk_pieces){ (uint8_t)enc, at };
    return OK;
}

enum err chunk_piece_inflate(const struct chunk_piece *p, void *out, struct fault *f)
{
    if (p->body.n < p->raw)
        return zip_unzstd_exact(p->body, out, p->raw, f) ? fault_set(f, E_CORRUPT, 0, "a piece of a column cannot be inflated") : OK;
    if (p->raw)
        memcpy(out, p->body.p, p->raw);
    return OK;
}

enum err chunk_piece_decode(uint8_t enc, struct str raw, const struct chunk_shape *s, uint32_t piece, uint32_t column, void *out,
                            struct arena scratch, struct fault *f)
{
    uint32_t n = s->piece_end[piece] - piece_from(s, piece);
    struct rd r = { .p = (const uint8_t *)raw.p, .end = (const uint8_t *)raw.p + raw.n };
    if (!blob_room(&scratch, raw.n, n))
        return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", column);
    struct segs x = segs_of(s, piece, &scratch);
    if (enc == ENC_DOUBLE)
        rd_run_doubles(&r, out, n, x, scratch);
    else
        rd_run_ints(&r, out, n, x, scratch);
    if (r.bad || r.p != r.end)
        return fault_set(f, E_CORRUPT, 0, "column %u does not decode", column);
    return OK;
}
