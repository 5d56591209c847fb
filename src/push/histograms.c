/* push/histograms.c -- a native histogram as both versions of remote write send it.
 *
 * Buckets come as spans and counts: for integer histograms each count as its difference
 * to the one before, for float ones as it is. A float count anywhere makes it a float
 * histogram. What Prometheus refuses is refused in its words (model/histogram.h).
 */
#include "base/wire.h"
#include "push/fields.h"
#include "push/samples.h"

/* One side, as it came. */
struct side {
    struct hist_span *spans;
    double *counts;
    int64_t *deltas;
    uint32_t nspans, cap_spans, ncounts, cap_counts, ndeltas, cap_deltas;
};

struct read {
    struct arena *mem;
    bool large;                                    /* more of something than a histogram may have */
    struct side pos, neg;
    bool is_float;
    uint64_t count_int, zero_int;
    double count_float, zero_float;
    double *bounds;
    uint32_t nbounds, cap_bounds;
};

static int64_t zigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static bool take(struct read *r, uint32_t n)
{
    r->large = r->large || n >= HIST_BUCKETS_MAX;
    return !r->large;
}

/* Numbers, packed or one by one: doubles ... */
static void read_doubles(struct read *r, struct wire *w, double **at, uint32_t *n, uint32_t *cap)
{
    if (w->type != WIRE_LEN) {
        double v = wire_double(w);
        if (take(r, *n))
            *arena_push(r->mem, *at, *n, *cap) = v;
        return;
    }
    struct wire m = wire_message(w);
    while (m.p < m.end && take(r, *n)) {
        m.type = WIRE_I64;
        double v = wire_double(&m);
        *arena_push(r->mem, *at, *n, *cap) = v;
    }
    wire_close(w, &m);
}

/* ... and signed integers. */
static void read_deltas(struct read *r, struct wire *w, struct side *s)
{
    if (w->type != WIRE_LEN) {
        int64_t v = zigzag(wire_varint(w));
        if (take(r, s->ndeltas))
            *arena_push(r->mem, s->deltas, s->ndeltas, s->cap_deltas) = v;
        return;
    }
    struct wire m = wire_message(w);
    while (m.p < m.end && take(r, s->ndeltas)) {
        m.type = WIRE_VARINT;
        int64_t v = zigzag(wire_varint(&m));
        *arena_push(r->mem, s->deltas, s->ndeltas, s->cap_deltas) = v;
    }
    wire_close(w, &m);
}

static void read_span(struct read *r, struct wire *w, struct side *s)
{
    struct hist_span span = { 0 };
    struct wire m = wire_message(w);
    while (wire_next(&m))
        switch (m.field) {
        case F_SPAN_OFFSET:
            span.offset = (int32_t)zigzag(wire_varint(&m));
            break;
        case F_SPAN_LENGTH:
            span.length = (uint32_t)wire_varint(&m);
            break;
        default:
            wire_skip(&m);
        }
    wire_close(w, &m);
    if (take(r, s->nspans))
        *arena_push(r->mem, s->spans, s->nspans, s->cap_spans) = span;
}

static void read_buckets(struct read *r, struct wire *w)
{
    switch (w->field) {
    case F_HIST_NEG_SPANS:
        read_span(r, w, &r->neg);
        break;
    case F_HIST_POS_SPANS:
        read_span(r, w, &r->pos);
        break;
    case F_HIST_NEG_DELTAS:
        read_deltas(r, w, &r->neg);
        break;
    case F_HIST_POS_DELTAS:
        read_deltas(r, w, &r->pos);
        break;
    case F_HIST_NEG_COUNTS:
        read_doubles(r, w, &r->neg.counts, &r->neg.ncounts, &r->neg.cap_counts);
        break;
    case F_HIST_POS_COUNTS:
        read_doubles(r, w, &r->pos.counts, &r->pos.ncounts, &r->pos.cap_counts);
        break;
    case F_HIST_BOUNDS:
        read_doubles(r, w, &r->bounds, &r->nbounds, &r->cap_bounds);
        break;
    default:
        wire_skip(w);
    }
}

static void read_field(struct read *r, struct wire *w, struct histogram *h, int64_t *t_ms)
{
    switch (w->field) {
    case F_HIST_COUNT_INT:
        r->count_int = wire_varint(w);
        break;
    case F_HIST_COUNT_FLOAT:
        r->count_float = wire_double(w);
        r->is_float = true;
        break;
    case F_HIST_SUM:
        h->sum = wire_double(w);
        break;
    case F_HIST_SCHEMA:
        h->schema = (int32_t)zigzag(wire_varint(w));
        break;
    case F_HIST_ZERO_THRESHOLD:
        h->zero_threshold = wire_double(w);
        break;
    case F_HIST_ZERO_INT:
        r->zero_int = wire_varint(w);
        break;
    case F_HIST_ZERO_FLOAT:
        r->zero_float = wire_double(w);
        break;
    case F_HIST_HINT: {
        uint64_t hint = wire_varint(w);
        h->hint = hint <= HINT_GAUGE ? (enum hist_hint)hint : HINT_UNKNOWN;
        break;
    }
    case F_HIST_TIME:
        *t_ms = (int64_t)wire_varint(w);
        break;
    default:
        read_buckets(r, w);
    }
}

/* Absolute counts from differences. */
static void sum_deltas(struct read *r, struct side *s)
{
    int64_t sum = 0;
    s->counts = arena_new(r->mem, double, s->ndeltas + 1);
    s->ncounts = s->ndeltas;
    for (uint32_t i = 0; i < s->ndeltas; i++) {
        sum = (int64_t)((uint64_t)sum + (uint64_t)s->deltas[i]);
        s->counts[i] = (double)sum;
    }
}

static enum err finish(struct read *r, struct histogram *h, struct fault *f)
{
    h->integer = !r->is_float;
    h->count = r->is_float ? r->count_float : (double)r->count_int;
    h->zero_count = r->is_float ? r->zero_float : (double)r->zero_int;
    h->bounds = r->bounds;
    h->nbounds = r->nbounds;
    if (!r->is_float) {
        sum_deltas(r, &r->pos);
        sum_deltas(r, &r->neg);
    }
    enum err e = hist_from_spans(r->mem, r->pos.spans, r->pos.nspans, r->pos.counts, r->pos.ncounts, &h->pos, f);
    if (!e)
        e = hist_from_spans(r->mem, r->neg.spans, r->neg.nspans, r->neg.counts, r->neg.ncounts, &h->neg, f);
    if (!e && h->schema > HIST_SCHEMA_MAX && h->schema <= HIST_SCHEMA_FINEST)
        *h = histogram_coarsen(r->mem, h, HIST_SCHEMA_MAX);
    return e ? e : histogram_check(h, f);
}

bool write_histogram(struct samples *s, struct str message, struct histogram *ret, int64_t *ret_ms, struct fault *f)
{
    struct read r = { .mem = s->mem };
    struct histogram h = { 0 };
    struct wire w = wire_of(message);
    while (wire_next(&w))
        read_field(&r, &w, &h, ret_ms);
    if (w.bad) {
        samples_fail(s, E_SYNTAX, 0, "malformed protobuf in a histogram");
        return false;
    }
    if (r.large) {
        (void)fault_set(f, E_LIMIT, 0, "a histogram of more than %d buckets", HIST_BUCKETS_MAX);
        return false;
    }
    if (!histogram_is_stale(&h) && finish(&r, &h, f))
        return false;
    *ret = h;
    return true;
}
