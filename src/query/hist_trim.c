/* query/hist_trim.c -- native histograms cut at a value: PromQL's `</` and `>/`.
 *
 * Buckets beyond the cut go, those on this side of it stay; of the one that it cuts
 * stays a share: by its logarithm in exponential buckets, by a straight line in custom
 * ones and in the zero bucket. Where a bucket is infinite nothing is known of how it is
 * filled, so it stays or goes as a whole. If anything was cut, the sum is estimated
 * anew from the middles of what is left.
 */
#include <math.h>

#include "query/hist.h"

struct cut {
    double at;
    bool upper;                                    /* keep what is below */
    bool linear;
    double count, sum;                             /* of what stays */
    bool changed;
};

/* How much of a bucket stays, and where the middle of that is. */
struct share {
    double count, middle;
};

static double middle(const struct cut *c, double lower, double upper, bool negative)
{
    if (isinf(lower))
        return isinf(upper) ? 0 : upper > 0 ? upper / 2 : upper;
    if (isinf(upper))
        return lower;
    if (c->linear)
        return (lower + upper) / 2;
    double mean = sqrt(fabs(lower * upper));
    return negative ? -mean : mean;
}

static double finite_or_zero(double v)
{
    return isinf(v) ? 0 : v;
}

/* The bucket has no lower end. Where it reaches above zero it is taken to begin there. */
static struct share open_below(const struct cut *c, const struct hist_bucket *b)
{
    bool finite = b->upper != INFINITY;
    if (c->upper) {
        if (c->at > 0 && b->upper > 0 && finite)
            return (struct share){ b->count * c->at / b->upper, c->at / 2 };
        if (b->upper <= 0)
            return (struct share){ b->count, c->at };
    } else if (c->at >= 0 && b->upper > c->at && finite) {
        return (struct share){ b->count * (1 - c->at / b->upper), (c->at + b->upper) / 2 };
    }
    return (struct share){ 0, finite_or_zero(b->upper) };
}

static struct share open_above(const struct cut *c, const struct hist_bucket *b)
{
    if (!c->upper && c->at >= b->lower)
        return (struct share){ b->count, c->at };
    return (struct share){ 0, finite_or_zero(b->lower) };
}

static struct share cut_bucket(const struct cut *c, const struct hist_bucket *b, bool negative)
{
    if (b->lower == -INFINITY)
        return open_below(c, b);
    if (b->upper == INFINITY)
        return open_above(c, b);
    double below;
    if (c->linear) {
        below = (c->at - b->lower) / (b->upper - b->lower);
    } else {
        double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper)), at = log2(fabs(c->at));
        below = negative ? 1 - (at - upper) / (lower - upper) : (at - lower) / (upper - lower);
    }
    if (c->upper)
        return (struct share){ b->count * below, middle(c, b->lower, c->at, negative) };
    return (struct share){ b->count - b->count * below, middle(c, c->at, b->upper, negative) };
}

static void cut_side(struct cut *c, struct histogram *h, bool negative)
{
    struct hist_buckets *side = negative ? &h->neg : &h->pos;
    for (uint32_t i = 0; i < side->n; i++) {
        struct hist_bucket b = hist_bucket_at(h, negative, i);
        if (b.count == 0)
            continue;
        struct share s = { 0, 0 };
        bool whole = c->upper ? b.upper <= c->at : b.lower >= c->at;
        bool cuts = b.lower < c->at && b.upper > c->at;
        if (whole)
            s = (struct share){ b.count, middle(c, b.lower, b.upper, negative) };
        else if (cuts)
            s = cut_bucket(c, &b, negative);
        c->count += s.count;
        c->sum += s.middle * s.count;
        c->changed |= s.count != b.count || (!whole && !cuts);
        side->count[i] = s.count;
    }
}

static bool populated(const struct hist_buckets *b)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (b->count[i] != 0)
            return true;
    return false;
}

/* The zero bucket reaches to the side that has observations, or to both. */
static struct share cut_zero(const struct cut *c, const struct histogram *h, bool has_neg, bool has_pos)
{
    double lower = has_pos && !has_neg ? 0 : -h->zero_threshold, upper = has_neg && !has_pos ? 0 : h->zero_threshold;
    if (c->at <= lower)
        return c->upper ? (struct share){ 0, 0 } : (struct share){ h->zero_count, (lower + upper) / 2 };
    if (c->at >= upper)
        return c->upper ? (struct share){ h->zero_count, (lower + upper) / 2 } : (struct share){ 0, 0 };
    if (c->upper)
        return (struct share){ h->zero_count * ((c->at - lower) / (upper - lower)), (lower + c->at) / 2 };
    return (struct share){ h->zero_count * ((upper - c->at) / (upper - lower)), (c->at + upper) / 2 };
}

struct histogram *hist_trim(struct arena *mem, const struct histogram *from, double at, bool upper)
{
    struct histogram *h = hist_copy(mem, from);
    struct cut c = { .at = at, .upper = upper, .linear = h->schema == HIST_CUSTOM };
    bool has_neg = populated(&h->neg), has_pos = populated(&h->pos);
    cut_side(&c, h, false);
    cut_side(&c, h, true);
    if (h->zero_count > 0) {
        struct share s = cut_zero(&c, h, has_neg, has_pos);
        c.changed |= s.count != h->zero_count;
        h->zero_count = s.count;
        c.count += s.count;
        c.sum += s.middle * s.count;
    }
    if (!c.changed)
        return h;
    h->count = c.count;
    h->sum = c.sum;
    hist_compact(h);
    return h;
}
