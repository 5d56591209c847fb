/* query/hist.c -- buckets of native histograms: bounds, order, scaling, as text. */
#include "query/hist.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "query/write.h"

/* 2^(index / 2^schema); the bound that would be the first infinite one is the largest number. */
static double exponential_bound(int32_t schema, int32_t index)
{
    if (schema <= 0) {
        int64_t e = (int64_t)index * (1 << -schema);
        return e == DBL_MAX_EXP ? DBL_MAX : ldexp(1, (int)MAX(MIN(e, INT64_C(5000)), INT64_C(-5000)));
    }
    int32_t per = 1 << schema, whole = index >> schema, part = index & (per - 1);
    if (!part)
        return whole == DBL_MAX_EXP ? DBL_MAX : ldexp(1, whole);
    return ldexp(exp2((double)part / per), whole);
}

double hist_bound(const struct histogram *h, int32_t index)
{
    if (h->schema != HIST_CUSTOM)
        return exponential_bound(h->schema, index);
    if (index < 0)
        return -INFINITY;
    return (uint32_t)index < h->nbounds ? h->bounds[index] : INFINITY;
}

struct hist_bucket hist_bucket_at(const struct histogram *h, bool negative, uint32_t i)
{
    const struct hist_buckets *side = negative ? &h->neg : &h->pos;
    CHECK(i < side->n);
    int32_t index = side->index[i];
    double outer = hist_bound(h, index), inner = index == INT32_MIN ? 0 : hist_bound(h, index - 1);
    struct hist_bucket b = { inner, outer, side->count[i], index == 0, true };
    if (negative)
        b = (struct hist_bucket){ -outer, -inner, side->count[i], true, false };
    else if (h->schema != HIST_CUSTOM)
        b.lower_in = false;
    return b;
}

static void end_at_zero_bucket(const struct histogram *h, struct hist_bucket *b)
{
    if (b->upper < 0 && b->upper > -h->zero_threshold)
        b->upper = -h->zero_threshold;
    else if (b->lower > 0 && b->lower < h->zero_threshold)
        b->lower = h->zero_threshold;
}

/* Stages: 0 the side that comes first (its buckets from the outside in), 1 zero, 2 the other side. */
bool hist_next(struct hist_iter *it, struct hist_bucket *ret)
{
    const struct histogram *h = it->h;
    const struct hist_buckets *first = it->down ? &h->pos : &h->neg, *last = it->down ? &h->neg : &h->pos;
    if (it->stage == 0 && it->at < first->n) {
        *ret = hist_bucket_at(h, !it->down, first->n - 1 - it->at++);
        end_at_zero_bucket(h, ret);
        return true;
    }
    if (it->stage == 0) {
        it->stage = 1;
        it->at = 0;
    }
    if (it->stage == 1) {
        it->stage = 2;
        if (h->zero_count > 0) {
            *ret = (struct hist_bucket){ -h->zero_threshold, h->zero_threshold, h->zero_count, true, true };
            return true;
        }
    }
    if (it->at == last->n)
        return false;
    *ret = hist_bucket_at(h, it->down, it->at++);
    end_at_zero_bucket(h, ret);
    return true;
}

/* ---- copies, scaling ------------------------------------------------------- */

static struct hist_buckets copy_side(struct arena *mem, const struct hist_buckets *b)
{
    struct hist_buckets out = { arena_new(mem, int32_t, b->n + 1), arena_new(mem, double, b->n + 1), b->n };
    if (b->n) {
        memcpy(out.index, b->index, sizeof *b->index * b->n);
        memcpy(out.count, b->count, sizeof *b->count * b->n);
    }
    return out;
}

struct histogram *hist_copy(struct arena *mem, const struct histogram *h)
{
    struct histogram *out = arena_new(mem, struct histogram, 1);
    *out = *h;
    out->pos = copy_side(mem, &h->pos);
    out->neg = copy_side(mem, &h->neg);
    if (h->nbounds) {
        double *bounds = arena_new(mem, double, h->nbounds);
        memcpy(bounds, h->bounds, sizeof *bounds * h->nbounds);
        out->bounds = bounds;
    }
    return out;
}

static void compact_side(struct hist_buckets *b)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n; i++)
        if (b->count[i] != 0) {
            b->index[n] = b->index[i];
            b->count[n++] = b->count[i];
        }
    b->n = n;
}

void hist_compact(struct histogram *h)
{
    compact_side(&h->pos);
    compact_side(&h->neg);
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool equal_side(const struct hist_buckets *a, const struct hist_buckets *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->index[i] != b->index[i] || !same_bits(a->count[i], b->count[i]))
            return false;
    return true;
}

bool hist_equal(const struct histogram *a, const struct histogram *b)
{
    if (a->schema != b->schema || a->nbounds != b->nbounds || a->zero_threshold != b->zero_threshold ||
        !same_bits(a->count, b->count) || !same_bits(a->sum, b->sum) || !same_bits(a->zero_count, b->zero_count))
        return false;
    for (uint32_t i = 0; i < a->nbounds; i++)
        if (a->bounds[i] != b->bounds[i])
            return false;
    return equal_side(&a->pos, &b->pos) && equal_side(&a->neg, &b->neg);
}

void hist_mul(struct histogram *h, double factor)
{
    h->count *= factor;
    h->sum *= factor;
    h->zero_count *= factor;
    for (uint32_t i = 0; i < h->pos.n; i++)
        h->pos.count[i] *= factor;
    for (uint32_t i = 0; i < h->neg.n; i++)
        h->neg.count[i] *= factor;
    if (factor < 0)
        h->hint = HINT_GAUGE;
}

void hist_div(struct histogram *h, double by)
{
    h->count /= by;
    h->sum /= by;
    h->zero_count /= by;
    if (by == 0)
        h->pos.n = h->neg.n = 0;
    for (uint32_t i = 0; i < h->pos.n; i++)
        h->pos.count[i] /= by;
    for (uint32_t i = 0; i < h->neg.n; i++)
        h->neg.count[i] /= by;
    if (by < 0)
        h->hint = HINT_GAUGE;
}

/* ---- as text --------------------------------------------------------------- */

static void put_g(struct buf *out, double v)
{
    char text[32];
    buf_put(out, text, num_fmt_g64(text, v));
}

void hist_text(struct buf *out, const struct histogram *h)
{
    buf_str(out, S("{count:"));
    put_g(out, h->count);
    buf_str(out, S(", sum:"));
    put_g(out, h->sum);
    struct hist_iter it = { .h = h };
    struct hist_bucket b;
    while (hist_next(&it, &b)) {
        if (b.count == 0)
            continue;
        buf_str(out, b.lower_in ? S(", [") : S(", ("));
        put_g(out, b.lower);
        buf_byte(out, ',');
        put_g(out, b.upper);
        buf_str(out, b.upper_in ? S("]:") : S("):"));
        put_g(out, b.count);
    }
    buf_byte(out, '}');
}

static int64_t bounds_rule(const struct hist_bucket *b)
{
    if (b->lower_in)
        return b->upper_in ? 3 : 1;
    return b->upper_in ? 0 : 2;
}

void hist_write(struct jw *w, const struct histogram *h)
{
    bool any = false;
    jw_obj(w);
    jw_key(w, S("count"));
    write_number(w, h->count, NUMBERS_PROMETHEUS);
    jw_key(w, S("sum"));
    write_number(w, h->sum, NUMBERS_PROMETHEUS);
    struct hist_iter it = { .h = h };
    struct hist_bucket b;
    while (hist_next(&it, &b)) {
        if (b.count == 0)
            continue;
        if (!any) {
            jw_key(w, S("buckets"));
            jw_arr(w);
            any = true;
        }
        jw_arr(w);
        jw_i64(w, bounds_rule(&b));
        write_number(w, b.lower, NUMBERS_PROMETHEUS);
        write_number(w, b.upper, NUMBERS_PROMETHEUS);
        write_number(w, b.count, NUMBERS_PROMETHEUS);
        jw_arr_end(w);
    }
    if (any)
        jw_arr_end(w);
    jw_obj_end(w);
}
