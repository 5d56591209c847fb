/* store/chunk_num.c -- arrays of numbers: integers, doubles, validity bitmaps.
 *
 * Integers are taken as they are or as differences to the one before, whichever
 * needs fewer bits; then divided by their greatest common divisor (times in ms
 * are multiples of 1,000,000), the smallest is subtracted (frame of reference),
 * and what is left goes out in the fewest whole bytes, one plane after the other:
 * all lowest bytes first. Planes of one kind of byte are what zstd's entropy coder
 * wants; packing to bits before it made the result larger.
 *
 *     form | width | [first] | divisor | smallest | plane 0 ... plane width-1
 *
 * An array that is known to hold few distinct numbers (receive times: one a request) is
 * those, in the order of their appearance, and for each row the number of its own:
 *
 *     form | how many | they, in one of the forms above | plane 0 | plane 1
 *
 * All arithmetic is modulo 2^64, so that every int64 sequence comes back.
 *
 * Doubles are decimals in disguise: cost_usd is 0.0123, counts are whole. Each is
 * m / 10^e with one e for the array and m below 2^53; only what gives back the
 * very same bits counts, the rest (NaN, -0.0, sums with 17 digits) are exceptions
 * beside. With too many exceptions the 8 bytes go out in planes.
 */
#include <math.h>
#include <string.h>

#include "store/chunk_int.h"

enum int_form { FORM_PLAIN = 0, FORM_DELTA = 1, FORM_FEW = 2 };
enum { FEW_MAX = 2048, FEW_SLOTS = 2 * FEW_MAX, FEW_ROWS = 1024 };   /* not tried below */
enum double_form { FORM_DECIMAL = 0, FORM_BITS = 1 };
enum { EXP_MAX = CHUNK_EXP_MAX, EXCEPTIONS_PART = 8 };       /* more than an eighth: bits */
#define MANTISSA_MAX 9007199254740992.0            /* 2^53: whole doubles below are exact */

static unsigned bytes_for(uint64_t v)
{
    return v ? (unsigned)(71 - __builtin_clzll(v)) / 8 : 0;
}

static unsigned bits_for(uint64_t v)
{
    return v ? (unsigned)(64 - __builtin_clzll(v)) : 0;
}

static int64_t wrap_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* --- planes --------------------------------------------------------------------- */

static void put_planes(struct buf *b, const uint64_t *v, size_t n, unsigned width)
{
    if (n == 0 || width == 0)
        return;
    uint8_t *p = (uint8_t *)buf_room(b, n * width);
    if (!p)
        return;
    for (unsigned k = 0; k < width; k++)
        for (size_t i = 0; i < n; i++)
            p[k * n + i] = (uint8_t)(v[i] >> 8 * k);
    buf_grew(b, n * width);
}

static void rd_planes(struct rd *r, uint64_t *v, size_t n, unsigned width)
{
    const uint8_t *p = rd_take(r, (uint64_t)n * width);
    if (!p)
        width = 0;
    switch (width) {                               /* the usual widths in one pass */
    case 1:
        for (size_t i = 0; i < n; i++)
            v[i] = p[i];
        return;
    case 2:
        for (size_t i = 0; i < n; i++)
            v[i] = (uint32_t)p[i] | (uint32_t)p[n + i] << 8;
        return;
    case 3:
        for (size_t i = 0; i < n; i++)
            v[i] = (uint32_t)p[i] | (uint32_t)p[n + i] << 8 | (uint32_t)p[2 * n + i] << 16;
        return;
    case 4:
        for (size_t i = 0; i < n; i++)
            v[i] = (uint32_t)p[i] | (uint32_t)p[n + i] << 8 | (uint32_t)p[2 * n + i] << 16 | (uint32_t)p[3 * n + i] << 24;
        return;
    default:
        break;
    }
    memset(v, 0, n * sizeof *v);
    for (unsigned k = 0; k < width; k++)
        for (size_t i = 0; i < n; i++)
            v[i] |= (uint64_t)p[k * n + i] << 8 * k;
}

/* --- integers ------------------------------------------------------------------- */

/* What an array amounts to as it is and as differences. */
struct int_shape {
    int64_t min, max, dmin, dmax;
    uint64_t plain_bits, delta_bits;
};

static struct int_shape int_shape(const int64_t *v, size_t n)
{
    struct int_shape s = { v[0], v[0], INT64_MAX, INT64_MIN, 0, 0 };
    for (size_t i = 0; i < n; i++) {
        s.min = MIN(s.min, v[i]);
        s.max = MAX(s.max, v[i]);
    }
    for (size_t i = 0; i < n; i++) {
        s.plain_bits += bits_for((uint64_t)wrap_sub(v[i], s.min));
        if (i == 0)
            continue;
        int64_t d = wrap_sub(v[i], v[i - 1]);
        s.dmin = MIN(s.dmin, d);
        s.dmax = MAX(s.dmax, d);
        s.delta_bits += bits_for(zigzag(d));
    }
    return s;
}

uint64_t ints_cost(const int64_t *v, size_t n)
{
    if (n == 0)
        return 0;
    struct int_shape s = int_shape(v, n);
    return MIN(s.plain_bits, s.delta_bits);
}

/* The greatest number that divides all distances from the smallest, `from`; 1 when all are equal. */
static uint64_t divisor(const int64_t *v, size_t n, int64_t from)
{
    uint64_t g = 0;
    for (size_t i = 0; i < n && g != 1; i++) {
        uint64_t m = (uint64_t)wrap_sub(v[i], from);
        if (g == 0 || m % g)
            g = gcd(m, g);
    }
    return g ? g : 1;
}

/* n distances from `smallest`, in units of the divisor. */
static void put_frame(struct buf *b, const int64_t *v, size_t n, int64_t smallest, int64_t largest, struct arena scratch)
{
    uint64_t div = divisor(v, n, smallest);
    unsigned width = bytes_for((uint64_t)wrap_sub(largest, smallest) / div);
    buf_byte(b, (char)width);
    put_varint(b, div);
    put_zigzag(b, smallest);
    uint64_t *u = arena_new(&scratch, uint64_t, n + 1);
    for (size_t i = 0; i < n; i++)
        u[i] = (uint64_t)wrap_sub(v[i], smallest);
    for (size_t i = 0; div > 1 && i < n; i++)
        u[i] /= div;
    put_planes(b, u, n, width);
}

static void put_flat(struct buf *b, const int64_t *v, size_t n, const struct int_shape *s, struct arena scratch)
{
    if (n == 1 || s->plain_bits <= s->delta_bits) {
        buf_byte(b, FORM_PLAIN);
        put_frame(b, v, n, s->min, s->max, scratch);
        return;
    }
    int64_t *d = arena_raw(&scratch, int64_t, n);
    for (size_t i = 1; i < n; i++)
        d[i - 1] = wrap_sub(v[i], v[i - 1]);
    buf_byte(b, FORM_DELTA);
    put_zigzag(b, v[0]);
    put_frame(b, d, n - 1, s->dmin, s->dmax, scratch);
}

/* The distinct numbers of an array and whose each row's is; false: more than FEW_MAX. */
static bool find_few(const int64_t *v, size_t n, int64_t *distinct, uint32_t *ret_n, uint64_t *codes, struct arena scratch)
{
    uint16_t *slots = arena_new(&scratch, uint16_t, FEW_SLOTS);
    uint32_t nd = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = (uint64_t)v[i] * UINT64_C(0x9e3779b97f4a7c15) >> 52 & (FEW_SLOTS - 1);
        while (slots[at] && distinct[slots[at] - 1] != v[i])
            at = (at + 1) & (FEW_SLOTS - 1);
        if (!slots[at]) {
            if (nd == FEW_MAX)
                return false;
            distinct[nd] = v[i];
            slots[at] = (uint16_t)++nd;
        }
        codes[i] = slots[at] - 1u;
    }
    *ret_n = nd;
    return true;
}

static bool put_few(struct buf *b, const int64_t *v, size_t n, struct arena scratch)
{
    struct int_shape all = int_shape(v, n);
    uint64_t range = MIN((uint64_t)wrap_sub(all.max, all.min), (uint64_t)wrap_sub(all.dmax, all.dmin));
    int64_t *distinct = arena_raw(&scratch, int64_t, FEW_MAX);
    uint64_t *codes = arena_raw(&scratch, uint64_t, n);
    uint32_t nd;
    if (n < FEW_ROWS || !find_few(v, n, distinct, &nd, codes, scratch))
        return false;
    struct int_shape s = int_shape(distinct, nd);
    if (bytes_for(nd - 1) >= bytes_for(range))
        return false;
    buf_byte(b, FORM_FEW);
    put_varint(b, nd);
    put_flat(b, distinct, nd, &s, scratch);
    put_planes(b, codes, n, bytes_for(nd - 1));
    return true;
}

void put_ints(struct buf *b, const int64_t *v, size_t n, struct arena scratch)
{
    if (n == 0)
        return;
    struct int_shape s = int_shape(v, n);
    put_flat(b, v, n, &s, scratch);
}

void put_few_ints(struct buf *b, const int64_t *v, size_t n, struct arena scratch)
{
    if (!n || !put_few(b, v, n, scratch))
        put_ints(b, v, n, scratch);
}

static void rd_frame(struct rd *r, int64_t *v, size_t n)
{
    unsigned width = rd_byte(r);
    uint64_t div = rd_varint(r);
    uint64_t smallest = (uint64_t)rd_zigzag(r);
    if (width > 8) {
        r->bad = true;
        width = 0;
    }
    uint64_t *u = (uint64_t *)v;
    rd_planes(r, u, n, width);
    if (div == 1)
        for (size_t i = 0; i < n; i++)
            u[i] += smallest;
    else
        for (size_t i = 0; i < n; i++)
            u[i] = smallest + u[i] * div;
}

static void rd_flat(struct rd *r, uint8_t form, int64_t *v, size_t n)
{
    if (form == FORM_PLAIN) {
        rd_frame(r, v, n);
    } else if (form == FORM_DELTA) {
        v[0] = rd_zigzag(r);
        rd_frame(r, v + 1, n - 1);
        for (size_t i = 1; i < n; i++)
            v[i] = (int64_t)((uint64_t)v[i - 1] + (uint64_t)v[i]);
    } else {
        r->bad = true;
        memset(v, 0, n * sizeof *v);
    }
}

/* Those from lo to before hi, of n. */
static void rd_few(struct rd *r, int64_t *v, size_t n, size_t lo, size_t hi)
{
    int64_t distinct[FEW_MAX];
    uint64_t nd = rd_varint(r);
    if (nd == 0 || nd > FEW_MAX)
        r->bad = true;
    else
        rd_flat(r, rd_byte(r), distinct, (size_t)nd);
    unsigned width = r->bad ? 0 : bytes_for(nd - 1);
    const uint8_t *p = rd_take(r, (uint64_t)n * width);
    for (size_t i = lo; i < hi; i++) {
        uint64_t code = 0;
        for (unsigned k = 0; p && k < width; k++)
            code |= (uint64_t)p[k * n + i] << 8 * k;
        if (r->bad || code >= nd) {
            r->bad = true;
            memset(v, 0, (hi - lo) * sizeof *v);
            return;
        }
        v[i - lo] = distinct[code];
    }
}

void rd_ints(struct rd *r, int64_t *v, size_t n)
{
    if (n == 0)
        return;
    uint8_t form = rd_byte(r);
    if (form == FORM_FEW)
        rd_few(r, v, n, 0, n);
    else
        rd_flat(r, form, v, n);
}

/* --- a stretch of integers ------------------------------------------------------- */

/* A frame of numbers, its planes not yet read. */
struct frame {
    unsigned width;
    uint64_t div, smallest;
    const uint8_t *p;
};

static struct frame rd_frame_head(struct rd *r, size_t n)
{
    struct frame x = { .width = rd_byte(r) };
    x.div = rd_varint(r);
    x.smallest = (uint64_t)rd_zigzag(r);
    if (x.width > 8)
        r->bad = true;
    x.p = rd_take(r, r->bad ? 0 : (uint64_t)n * x.width);
    if (!x.p)
        x.width = 0;
    return x;
}

static void frame_span(const struct frame *x, uint64_t *v, size_t n, size_t lo, size_t hi)
{
    for (size_t i = lo; i < hi; i++)
        v[i - lo] = 0;
    for (unsigned k = 0; k < x->width; k++)
        for (size_t i = lo; i < hi; i++)
            v[i - lo] |= (uint64_t)x->p[k * n + i] << 8 * k;
    for (size_t i = lo; i < hi; i++)
        v[i - lo] = x->smallest + v[i - lo] * x->div;
}

/* The sum of the first `upto` numbers, without making them: plane by plane. */
static uint64_t frame_sum(const struct frame *x, size_t n, size_t upto)
{
    uint64_t sum = 0;
    for (unsigned k = 0; k < x->width; k++) {
        uint64_t of_plane = 0;
        for (size_t i = 0; i < upto; i++)
            of_plane += x->p[k * n + i];
        sum += of_plane << 8 * k;
    }
    return sum * x->div + x->smallest * upto;
}

void rd_ints_span(struct rd *r, int64_t *v, size_t n, size_t lo, size_t hi)
{
    CHECK(lo < hi && hi <= n);
    uint8_t form = rd_byte(r);
    if (form == FORM_PLAIN) {
        struct frame x = rd_frame_head(r, n);
        frame_span(&x, (uint64_t *)v, n, lo, hi);
        return;
    }
    if (form == FORM_FEW) {
        rd_few(r, v, n, lo, hi);
        return;
    }
    if (form != FORM_DELTA)
        r->bad = true;
    uint64_t first = (uint64_t)rd_zigzag(r);
    struct frame x = rd_frame_head(r, n - 1);
    frame_span(&x, (uint64_t *)v + 1, n - 1, lo, hi - 1);
    v[0] = (int64_t)(first + frame_sum(&x, n - 1, lo));
    for (size_t i = 1; i < hi - lo; i++)
        v[i] = (int64_t)((uint64_t)v[i - 1] + (uint64_t)v[i]);
}

void rd_ints_at(struct rd *r, int64_t *v, size_t n, const uint32_t *at, size_t nat, struct arena scratch)
{
    CHECK(nat && at[nat - 1] < n);
    if (r->p < r->end && *r->p == FORM_PLAIN) {    /* each is where its number says */
        (void)rd_byte(r);
        struct frame x = rd_frame_head(r, n);
        for (size_t i = 0; i < nat; i++)
            frame_span(&x, (uint64_t *)&v[i], n, at[i], at[i] + 1u);
        return;
    }
    size_t lo = at[0], hi = at[nat - 1] + 1u;
    int64_t *all = arena_raw(&scratch, int64_t, hi - lo);
    rd_ints_span(r, all, n, lo, hi);
    for (size_t i = 0; i < nat; i++)
        v[i] = all[at[i] - lo];
}

/* --- differences inside stretches --------------------------------------------------- */

/* Adds up the numbers that stand in planes, without making an array of them first. */
#define ADD_UP(LOAD)                                                             \
    do {                                                                         \
        for (uint32_t k = 0; k < n; k++) {                                       \
            uint64_t at = (uint64_t)first[k];                                    \
            v[i++] = (int64_t)at;                                                \
            for (; i < end[k]; i++, j++) {                                       \
                at += x.smallest + (LOAD) * x.div;                               \
                v[i] = (int64_t)at;                                              \
            }                                                                    \
        }                                                                        \
    } while (0)

void rd_stretches(struct rd *r, int64_t *v, const int64_t *first, const uint32_t *end, uint32_t n, struct arena scratch)
{
    size_t steps = end[n - 1] - n, i = 0, j = 0;
    struct frame x = { .div = 1 };
    bool planes = steps && r->p < r->end && *r->p == FORM_PLAIN;
    if (planes) {
        (void)rd_byte(r);
        x = rd_frame_head(r, steps);
    }
    const uint8_t *p = x.p;
    if (planes && x.width == 0) {
        ADD_UP((uint64_t)0);
    } else if (planes && x.width == 1) {
        ADD_UP((uint64_t)p[j]);
    } else if (planes && x.width == 2) {
        ADD_UP((uint64_t)p[j] | (uint64_t)p[steps + j] << 8);
    } else if (planes && x.width == 3) {
        ADD_UP((uint64_t)p[j] | (uint64_t)p[steps + j] << 8 | (uint64_t)p[2 * steps + j] << 16);
    } else {
        uint64_t *all = arena_raw(&scratch, uint64_t, steps + 1);
        if (planes)
            frame_span(&x, all, steps, 0, steps);
        else
            rd_ints(r, (int64_t *)all, steps);
        x = (struct frame){ .div = 1 };
        ADD_UP(all[j]);
    }
}

/* --- doubles -------------------------------------------------------------------- */

const double chunk_pow10[EXP_MAX + 1] = { 1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };

static uint64_t bits_of(double v)
{
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

/* The m for which m / 10^e is v to the bit. */
bool as_decimal(double v, unsigned e, int64_t *ret)
{
    double scaled = v * chunk_pow10[e];
    if (!(fabs(scaled) < MANTISSA_MAX))            /* NaN and infinities too */
        return false;
    double m = nearbyint(scaled);
    if (bits_of(m / chunk_pow10[e]) != bits_of(v))
        return false;
    *ret = (int64_t)m;
    return bits_of((double)*ret / chunk_pow10[e]) == bits_of(v);     /* an integer has no -0 */
}

/* The smallest exponent under which all but exceptions are decimals. A value whose
 * own exponent would be above EXP_MAX is an exception and does not raise it. */
unsigned decimal_exponent(const double *v, size_t n)
{
    unsigned e = 0;
    int64_t m;
    for (size_t i = 0; i < n; i++) {
        unsigned own = e;
        while (own <= EXP_MAX && !as_decimal(v[i], own, &m))
            own++;
        if (own <= EXP_MAX)
            e = own;
    }
    return e;
}

void put_doubles(struct buf *b, const double *v, size_t n, struct arena scratch)
{
    if (n == 0)
        return;
    unsigned e = decimal_exponent(v, n);
    int64_t *m = arena_new(&scratch, int64_t, n), last = 0;
    int64_t *odd = arena_new(&scratch, int64_t, n);
    size_t nodd = 0;
    for (size_t i = 0; i < n; i++) {
        if (!as_decimal(v[i], e, &last))
            odd[nodd++] = (int64_t)i;
        m[i] = last;                               /* an exception repeats the one before */
    }

    if (nodd > n / EXCEPTIONS_PART) {
        buf_byte(b, FORM_BITS);
        uint64_t *u = arena_new(&scratch, uint64_t, n);
        memcpy(u, v, n * sizeof *u);
        put_planes(b, u, n, 8);
        return;
    }
    buf_byte(b, FORM_DECIMAL);
    buf_byte(b, (char)e);
    put_varint(b, nodd);
    put_ints(b, odd, nodd, scratch);
    for (size_t i = 0; i < nodd; i++)
        put_u64(b, bits_of(v[odd[i]]));
    put_ints(b, m, n, scratch);
}

static void rd_decimals(struct rd *r, double *v, size_t n, struct arena scratch)
{
    unsigned e = rd_byte(r);
    uint64_t nodd = rd_varint(r);
    if (e > EXP_MAX || nodd > n) {
        r->bad = true;
        e = 0;
        nodd = 0;
    }
    int64_t *odd = arena_raw(&scratch, int64_t, nodd + 1);
    rd_ints(r, odd, (size_t)nodd);
    const uint8_t *bits = rd_take(r, nodd * 8);
    int64_t *m = arena_raw(&scratch, int64_t, n);
    rd_ints(r, m, n);
    for (size_t i = 0; i < n; i++)
        v[i] = (double)m[i] / chunk_pow10[e];

    struct rd from = { bits, bits ? bits + nodd * 8 : NULL, !bits };
    for (size_t i = 0; bits && i < nodd; i++) {
        uint64_t u = rd_u64(&from);
        if (odd[i] < 0 || (uint64_t)odd[i] >= n)
            r->bad = true;
        else
            memcpy(&v[odd[i]], &u, sizeof u);
    }
}

static void decimals_span(struct rd *r, double *v, size_t n, size_t lo, size_t hi, struct arena scratch)
{
    unsigned e = rd_byte(r);
    uint64_t nodd = rd_varint(r);
    if (e > EXP_MAX || nodd > n) {
        r->bad = true;
        e = 0;
        nodd = 0;
    }
    int64_t *odd = arena_raw(&scratch, int64_t, nodd + 1), *m = arena_raw(&scratch, int64_t, hi - lo);
    rd_ints(r, odd, (size_t)nodd);
    const uint8_t *bits = rd_take(r, nodd * 8);
    rd_ints_span(r, m, n, lo, hi);
    for (size_t i = 0; i < hi - lo; i++)
        v[i] = (double)m[i] / chunk_pow10[e];

    struct rd from = { bits, bits ? bits + nodd * 8 : NULL, !bits };
    for (size_t i = 0; bits && i < nodd; i++) {
        uint64_t u = rd_u64(&from);
        if (odd[i] < 0 || (uint64_t)odd[i] >= n)
            r->bad = true;
        else if ((size_t)odd[i] >= lo && (size_t)odd[i] < hi)
            memcpy(&v[(size_t)odd[i] - lo], &u, sizeof u);
    }
}

void rd_doubles_span(struct rd *r, double *v, size_t n, size_t lo, size_t hi, struct arena scratch)
{
    CHECK(lo < hi && hi <= n);
    uint8_t form = rd_byte(r);
    if (form == FORM_DECIMAL) {
        decimals_span(r, v, n, lo, hi, scratch);
        return;
    }
    if (form != FORM_BITS)
        r->bad = true;
    struct frame x = { .width = 8, .div = 1, .p = rd_take(r, (uint64_t)n * 8) };
    if (!x.p)
        x.width = 0;
    uint64_t *u = arena_raw(&scratch, uint64_t, hi - lo);
    frame_span(&x, u, n, lo, hi);
    memcpy(v, u, (hi - lo) * sizeof *v);
}

void rd_doubles(struct rd *r, double *v, size_t n, struct arena scratch)
{
    if (n == 0)
        return;
    uint8_t form = rd_byte(r);
    if (form == FORM_DECIMAL) {
        rd_decimals(r, v, n, scratch);
        return;
    }
    if (form != FORM_BITS)
        r->bad = true;
    uint64_t *u = arena_raw(&scratch, uint64_t, n);
    rd_planes(r, u, n, 8);
    memcpy(v, u, n * sizeof *v);
}

/* --- validity ------------------------------------------------------------------- */

void put_valid(struct buf *b, const uint8_t *valid, uint32_t rows)
{
    buf_byte(b, valid != NULL);
    if (valid)
        buf_put(b, valid, (rows + 7) / 8);
}

/* Eight bytes at a time, by adding neighbours: the machine's own instruction is not to be
 * had on all that this is built for. */
uint32_t bits_set(const uint8_t *map, size_t bytes)
{
    uint32_t count = 0;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t x = 0;
        if (bytes - i >= 8)
            memcpy(&x, map + i, 8);
        else
            memcpy(&x, map + i, bytes - i);
        x -= x >> 1 & 0x5555555555555555u;
        x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
        x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
        count += (uint32_t)(x * 0x0101010101010101u >> 56);
    }
    return count;
}

uint32_t rd_valid(struct rd *r, uint32_t rows, struct arena *mem, const uint8_t **ret)
{
    uint8_t some = rd_byte(r);
    *ret = NULL;
    if (some > 1)
        r->bad = true;
    if (some != 1)
        return rows;
    size_t n = (rows + 7) / 8;
    const uint8_t *p = rd_take(r, n);
    uint8_t *map = arena_new(mem, uint8_t, n + 1);
    *ret = map;
    if (!p)
        return 0;
    memcpy(map, p, n);
    if (rows & 7)                                  /* bits beyond the last row count for nothing */
        map[n - 1] &= (uint8_t)((1u << (rows & 7)) - 1);
    return bits_set(map, n);
}
