/* model/histogram.c -- native histograms: from the wire, to bytes and back.
 *
 *     bytes: version, flags, schema, zero threshold, sum, count, zero count,
 *            positive side, negative side, bounds
 *     side:  number of runs, then per run its gap and length, then the counts
 *
 * Numbers are varints, signed ones zigzag. Where every count is an integer that a double
 * holds exactly (flag WHOLE), counts are varints, those of a side as differences to the
 * one before; else eight bytes each. The same histogram always gives the same bytes:
 * each choice follows from the values, and what is no longer than it must be is the only
 * form that decodes.
 */
#include "model/histogram.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

enum { VERSION = 1 };
enum { WHOLE = 1, INTEGER = 2, HINT_SHIFT = 2, FLAGS_ALL = 15 };

#define MISMATCH "histogram spans specify different number of buckets than provided"
#define WHOLE_MAX 9007199254740992.0               /* 2^53 */
#define STALE_BITS UINT64_C(0x7ff0000000000002)
#define VALUE_BITS UINT64_C(0x7ff8000000000000)    /* a quiet NaN; the hash fills the rest */
#define VALUE_HASH UINT64_C(0x0007ffffffffffff)

bool colkey_is_histogram(const struct colkey *key)
{
    return key->place == PLACE_FIELD && str_eq(key->name, S("histogram"));
}

bool histogram_is_stale(const struct histogram *h)
{
    uint64_t bits;
    memcpy(&bits, &h->sum, sizeof bits);
    return bits == STALE_BITS;
}

double histogram_value(struct str bytes)
{
    uint64_t bits = VALUE_BITS | (hash64(bytes, 0) & VALUE_HASH);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* ---- spans ----------------------------------------------------------------- */

static struct hist_buckets buckets_new(struct arena *mem, uint32_t n)
{
    return (struct hist_buckets){ arena_new(mem, int32_t, n + 1), arena_new(mem, double, n + 1), 0 };
}

enum err hist_from_spans(struct arena *mem, const struct hist_span *spans, uint32_t nspans, const double *counts,
                         uint32_t ncounts, struct hist_buckets *ret, struct fault *f)
{
    if (ncounts > HIST_BUCKETS_MAX || nspans > HIST_BUCKETS_MAX)
        return fault_set(f, E_LIMIT, 0, "a histogram of more than %d buckets", HIST_BUCKETS_MAX);
    struct hist_buckets b = buckets_new(mem, ncounts);
    int64_t next = 0;
    for (uint32_t s = 0; s < nspans; s++) {
        if (s && spans[s].offset < 0)
            return fault_set(f, E_SYNTAX, 0, "span number %u with offset %d: histogram has a span whose offset is negative",
                             s + 1, spans[s].offset);
        next += spans[s].offset;
        if (spans[s].length > ncounts - b.n)
            return fault_set(f, E_SYNTAX, 0, "have %u buckets but spans need more: " MISMATCH, ncounts);
        for (uint32_t i = 0; i < spans[s].length; i++, next++) {
            if (next < INT32_MIN || next > INT32_MAX)
                return fault_set(f, E_SYNTAX, 0, "a bucket index of more than 32 bits");
            b.index[b.n] = (int32_t)next;
            b.count[b.n] = counts[b.n];
            b.n++;
        }
    }
    if (b.n != ncounts)
        return fault_set(f, E_SYNTAX, 0, "spans need %u buckets, have %u buckets: " MISMATCH, b.n, ncounts);
    *ret = b;
    return OK;
}

/* How many buckets from i on have neighbouring indices. */
static uint32_t run_length(const struct hist_buckets *b, uint32_t i)
{
    uint32_t n = 1;
    while (i + n < b->n && (int64_t)b->index[i + n] == (int64_t)b->index[i] + n)
        n++;
    return n;
}

/* From the end of the run before bucket i; the first one from 0. */
static int64_t run_gap(const struct hist_buckets *b, uint32_t i)
{
    CHECK(!i || b->index[i - 1] < b->index[i]);
    return i ? (int64_t)b->index[i] - b->index[i - 1] - 1 : b->index[i];
}

struct hist_span *hist_to_spans(struct arena *mem, const struct hist_buckets *b, uint32_t *ret_n)
{
    struct hist_span *spans = arena_new(mem, struct hist_span, 2 * (size_t)b->n + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n;) {
        int64_t gap = run_gap(b, i);
        if (gap > INT32_MAX)                       /* more than an offset holds: an empty run in between */
            spans[n++] = (struct hist_span){ INT32_MAX, 0 };
        uint32_t length = run_length(b, i);
        spans[n++] = (struct hist_span){ (int32_t)(gap > INT32_MAX ? gap - INT32_MAX : gap), length };
        i += length;
    }
    *ret_n = n;
    return spans;
}

/* ---- validity -------------------------------------------------------------- */

static enum err check_bounds(const struct histogram *h, struct fault *f)
{
    if (h->nbounds > HIST_BOUNDS_MAX)
        return fault_set(f, E_LIMIT, 0, "a histogram of more than %d bounds", HIST_BOUNDS_MAX);
    for (uint32_t i = 0; i < h->nbounds; i++) {
        if (isnan(h->bounds[i]))
            return fault_set(f, E_SYNTAX, 0, "histogram custom bounds must not be NaN");
        if (isinf(h->bounds[i]))
            return fault_set(f, E_SYNTAX, 0, "histogram custom bounds must be finite");
        if (i && h->bounds[i] <= h->bounds[i - 1])
            return fault_set(f, E_SYNTAX, 0,
                             "previous bound is %.6f and current is %.6f: "
                             "histogram custom bounds must be in strictly increasing order",
                             h->bounds[i - 1], h->bounds[i]);
    }
    for (uint32_t i = 0; i < h->pos.n; i++)
        if (h->pos.index[i] < 0 || (uint32_t)h->pos.index[i] > h->nbounds)
            return fault_set(f, E_SYNTAX, 0, "histogram custom bounds are too few");
    return OK;
}

static enum err check_custom(const struct histogram *h, struct fault *f)
{
    if (h->zero_count != 0)
        return fault_set(f, E_SYNTAX, 0, "custom buckets: must have zero count of 0");
    if (h->zero_threshold != 0)
        return fault_set(f, E_SYNTAX, 0, "custom buckets: must have zero threshold of 0");
    if (h->neg.n)
        return fault_set(f, E_SYNTAX, 0, "custom buckets: must not have negative buckets");
    return check_bounds(h, f);
}

static enum err check_side(const struct histogram *h, const struct hist_buckets *b, const char *side, double *ret_sum,
                           struct fault *f)
{
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->count[i] < 0 && h->hint != HINT_GAUGE)
            return fault_set(f, E_SYNTAX, 0,
                             "%s side: bucket number %u has observation count of %g: "
                             "histogram has a bucket whose observation count is negative",
                             side, i + 1, b->count[i]);
        *ret_sum += b->count[i];
    }
    return OK;
}

/* Only integer counts can be held against their sum: others lose digits on the way. */
static enum err check_count(const struct histogram *h, double sum, struct fault *f)
{
    if (!h->integer)
        return OK;
    if (isnan(h->sum) && sum > h->count)
        return fault_set(f, E_SYNTAX, 0,
                         "%.0f observations found in buckets, but the Count field is %.0f: histogram's observation count "
                         "should be at least the number of observations found in the buckets",
                         sum, h->count);
    if (!isnan(h->sum) && sum != h->count)
        return fault_set(f, E_SYNTAX, 0,
                         "%.0f observations found in buckets, but the Count field is %.0f: histogram's observation count "
                         "should equal the number of observations found in the buckets (in absence of NaN)",
                         sum, h->count);
    return OK;
}

enum err histogram_check(const struct histogram *h, struct fault *f)
{
    if (h->schema != HIST_CUSTOM && (h->schema < HIST_SCHEMA_MIN || h->schema > HIST_SCHEMA_MAX))
        return fault_set(f, E_SYNTAX, 0,
                         "histogram has an invalid schema, which must be between %d and %d for exponential buckets, "
                         "or %d for custom buckets, got schema %d",
                         HIST_SCHEMA_MIN, HIST_SCHEMA_MAX, HIST_CUSTOM, h->schema);
    if (h->schema != HIST_CUSTOM && h->nbounds)
        return fault_set(f, E_SYNTAX, 0, "histogram with exponential schema must not have custom bounds");
    if (h->count < 0 && h->hint != HINT_GAUGE)
        return fault_set(f, E_SYNTAX, 0, "histogram's observation count is negative");
    double sum = h->zero_count;
    enum err e = h->schema == HIST_CUSTOM ? check_custom(h, f) : OK;
    if (!e)
        e = check_side(h, &h->pos, "positive", &sum, f);
    if (!e)
        e = check_side(h, &h->neg, "negative", &sum, f);
    return e ? e : check_count(h, sum, f);
}

/* ---- schema ---------------------------------------------------------------- */

/* Where bucket i of a schema lies in one that is `steps` coarser: 2^steps become one, and
 * a bucket is named by its upper bound. */
static int32_t coarser_index(int32_t i, uint32_t steps)
{
    int64_t up = ((int64_t)i - 1) >> MIN(steps, 62u);
    return (int32_t)(up + 1);
}

static struct hist_buckets coarsen_side(struct arena *mem, const struct hist_buckets *b, uint32_t steps)
{
    struct hist_buckets out = buckets_new(mem, b->n);
    for (uint32_t i = 0; i < b->n; i++) {
        int32_t at = coarser_index(b->index[i], steps);
        if (out.n && out.index[out.n - 1] == at) {
            out.count[out.n - 1] += b->count[i];
            continue;
        }
        out.index[out.n] = at;
        out.count[out.n++] = b->count[i];
    }
    return out;
}

struct histogram histogram_coarsen(struct arena *mem, const struct histogram *h, int32_t schema)
{
    CHECK(h->schema != HIST_CUSTOM && schema <= h->schema);
    struct histogram out = *h;
    if (schema == h->schema)
        return out;
    uint32_t steps = (uint32_t)(h->schema - schema);
    out.schema = schema;
    out.pos = coarsen_side(mem, &h->pos, steps);
    out.neg = coarsen_side(mem, &h->neg, steps);
    return out;
}

/* ---- writing --------------------------------------------------------------- */

struct out {
    char *p;
    size_t n;
};

static void put_varint(struct out *o, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        o->p[o->n++] = (char)(v | 0x80);
    o->p[o->n++] = (char)v;
}

static void put_signed(struct out *o, int64_t v)
{
    put_varint(o, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_double(struct out *o, double v)
{
    memcpy(o->p + o->n, &v, sizeof v);
    o->n += sizeof v;
}

static bool is_whole(double v)
{
    return v >= 0 && v <= WHOLE_MAX && v == floor(v) && !signbit(v);
}

static bool all_whole(const struct histogram *h)
{
    bool whole = is_whole(h->count) && is_whole(h->zero_count);
    for (uint32_t i = 0; i < h->pos.n && whole; i++)
        whole = is_whole(h->pos.count[i]);
    for (uint32_t i = 0; i < h->neg.n && whole; i++)
        whole = is_whole(h->neg.count[i]);
    return whole;
}

static void put_side(struct out *o, const struct hist_buckets *b, bool whole)
{
    uint32_t runs = 0;
    for (uint32_t i = 0; i < b->n; i += run_length(b, i))
        runs++;
    put_varint(o, runs);
    for (uint32_t i = 0; i < b->n; i += run_length(b, i)) {
        put_signed(o, run_gap(b, i));
        put_varint(o, run_length(b, i));
    }
    int64_t last = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        if (!whole) {
            put_double(o, b->count[i]);
            continue;
        }
        int64_t now = (int64_t)b->count[i];
        put_signed(o, now - last);
        last = now;
    }
}

enum err histogram_encode(struct arena *mem, const struct histogram *h, struct str *ret, struct fault *f)
{
    if (h->pos.n > HIST_BUCKETS_MAX || h->neg.n > HIST_BUCKETS_MAX || h->nbounds > HIST_BOUNDS_MAX)
        return fault_set(f, E_LIMIT, 0, "a histogram of more than %d buckets", HIST_BUCKETS_MAX);
    bool whole = all_whole(h);
    /* A bucket needs at most a span of 5 + 1 bytes and a count of 8 or 10. */
    size_t room = 128 + ((size_t)h->pos.n + h->neg.n) * 16 + (size_t)h->nbounds * sizeof(double);
    struct out o = { arena_alloc(mem, room, 1), 0 };
    o.p[o.n++] = VERSION;
    o.p[o.n++] = (char)((whole ? WHOLE : 0) | (h->integer ? INTEGER : 0) | (int)h->hint << HINT_SHIFT);
    put_signed(&o, h->schema);
    put_double(&o, h->zero_threshold);
    put_double(&o, h->sum);
    if (whole) {
        put_varint(&o, (uint64_t)h->count);
        put_varint(&o, (uint64_t)h->zero_count);
    } else {
        put_double(&o, h->count);
        put_double(&o, h->zero_count);
    }
    put_side(&o, &h->pos, whole);
    put_side(&o, &h->neg, whole);
    put_varint(&o, h->nbounds);
    for (uint32_t i = 0; i < h->nbounds; i++)
        put_double(&o, h->bounds[i]);
    CHECK(o.n <= room && o.n <= HIST_BYTES_MAX);
    *ret = (struct str){ o.p, o.n };
    return OK;
}

enum err histogram_put(struct batch *b, struct row *r, const struct histogram *h, struct fault *f)
{
    CHECK(b->table == TABLE_SAMPLE && !histogram_is_stale(h));
    struct str bytes;
    enum err e = histogram_encode(b->mem, h, &bytes, f);
    if (e)
        return e;
    cells_put(&r->cells, b->mem, batch_col(b, PLACE_FIELD, S("histogram")), (struct value){ .type = V_BYTES, .s = bytes });
    r->value = histogram_value(bytes);
    return OK;
}

/* ---- reading --------------------------------------------------------------- */

/* The first thing that does not fit sets `bad` and ends the input. */
struct in {
    const char *p, *end;
    bool bad;
};

static void in_fail(struct in *in)
{
    in->bad = true;
    in->p = in->end;
}

static uint64_t get_varint(struct in *in)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->p == in->end)
            break;
        unsigned char c = (unsigned char)*in->p++;
        if ((shift == 63 && c > 1) || (shift && !c))
            break;                                 /* too large, or longer than it must be */
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
    in_fail(in);
    return 0;
}

static int64_t get_signed(struct in *in)
{
    uint64_t v = get_varint(in);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static double get_double(struct in *in)
{
    double v = 0;
    if ((size_t)(in->end - in->p) < sizeof v) {
        in_fail(in);
        return 0;
    }
    memcpy(&v, in->p, sizeof v);
    in->p += sizeof v;
    return v;
}

static uint32_t get_size(struct in *in, uint32_t most)
{
    uint64_t n = get_varint(in);
    if (n > most)
        in_fail(in);
    return in->bad ? 0 : (uint32_t)n;
}

static double get_whole(struct in *in)
{
    uint64_t v = get_varint(in);
    if (v > (uint64_t)WHOLE_MAX)
        in_fail(in);
    return in->bad ? 0 : (double)v;
}

static void get_indices(struct in *in, struct arena *mem, struct hist_buckets *b)
{
    uint32_t nspans = get_size(in, HIST_BUCKETS_MAX);
    struct in ahead = *in;
    uint64_t all = 0;
    for (uint32_t s = 0; s < nspans && !ahead.bad; s++) {
        (void)get_signed(&ahead);
        all += get_size(&ahead, HIST_BUCKETS_MAX);
    }
    if (ahead.bad || all > HIST_BUCKETS_MAX || all > (size_t)(ahead.end - ahead.p)) {
        in_fail(in);
        return;
    }
    *b = buckets_new(mem, (uint32_t)all);
    int64_t next = 0;
    for (uint32_t s = 0; s < nspans; s++) {
        int64_t gap = get_signed(in);
        uint32_t length = get_size(in, HIST_BUCKETS_MAX);
        bool sound = s ? gap > 0 && gap <= UINT32_MAX : gap >= INT32_MIN && gap <= INT32_MAX;
        next += sound ? gap : 0;
        if (!sound || !length || next + length - 1 > INT32_MAX) {
            in_fail(in);
            return;
        }
        for (uint32_t i = 0; i < length; i++)
            b->index[b->n++] = (int32_t)next++;
    }
}

static void get_side(struct in *in, struct arena *mem, bool whole, struct hist_buckets *b)
{
    *b = (struct hist_buckets){ 0 };
    get_indices(in, mem, b);
    int64_t last = 0;
    for (uint32_t i = 0; i < b->n && !in->bad; i++) {
        if (!whole) {
            b->count[i] = get_double(in);
            continue;
        }
        int64_t step = get_signed(in);
        if (step > (int64_t)WHOLE_MAX - last || step < -last)
            in_fail(in);
        else
            b->count[i] = (double)(last += step);
    }
}

static bool sound(const struct histogram *h, bool whole)
{
    bool schema = h->schema == HIST_CUSTOM || (h->schema >= HIST_SCHEMA_MIN && h->schema <= HIST_SCHEMA_MAX);
    return schema && all_whole(h) == whole && !histogram_is_stale(h) && (h->schema == HIST_CUSTOM || !h->nbounds);
}

enum err histogram_decode(struct str bytes, struct arena *mem, struct histogram *ret, struct fault *f)
{
    struct in in = { bytes.p, bytes.p + bytes.n, false };
    struct histogram h = { 0 };
    if (bytes.n < 2 || bytes.n > HIST_BYTES_MAX || bytes.p[0] != VERSION || (unsigned char)bytes.p[1] > FLAGS_ALL)
        return fault_set(f, E_CORRUPT, 0, "not a stored histogram");
    unsigned flags = (unsigned char)bytes.p[1];
    bool whole = flags & WHOLE;
    in.p += 2;
    h.integer = flags & INTEGER;
    h.hint = (enum hist_hint)(flags >> HINT_SHIFT);
    int64_t schema = get_signed(&in);
    h.schema = schema < INT8_MIN || schema > INT8_MAX ? INT8_MIN : (int32_t)schema;
    h.zero_threshold = get_double(&in);
    h.sum = get_double(&in);
    h.count = whole ? get_whole(&in) : get_double(&in);
    h.zero_count = whole ? get_whole(&in) : get_double(&in);
    get_side(&in, mem, whole, &h.pos);
    get_side(&in, mem, whole, &h.neg);
    h.nbounds = get_size(&in, HIST_BOUNDS_MAX);
    if ((size_t)(in.end - in.p) != h.nbounds * sizeof(double))
        in_fail(&in);
    double *bounds = arena_new(mem, double, in.bad ? 0 : h.nbounds);
    for (uint32_t i = 0; i < h.nbounds && !in.bad; i++)
        bounds[i] = get_double(&in);
    h.bounds = bounds;
    if (in.bad || !sound(&h, whole))
        return fault_set(f, E_CORRUPT, 0, "not a stored histogram");
    *ret = h;
    return OK;
}
