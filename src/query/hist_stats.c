/* query/hist_stats.c -- quantiles, fractions and variance of native histograms.
 *
 * Within a bucket observations are taken to be spread evenly: over its logarithm in
 * exponential buckets, over its width in custom ones and in the zero bucket.
 * Observations that were NaN are in the count but in no bucket, and the sum is NaN then.
 */
#include <math.h>

#include "query/hist.h"
#include "query/sum.h"

/* The zero bucket begins or ends at 0 where observations lie on one side only. */
static void narrow_zero_bucket(const struct histogram *h, struct hist_bucket *b)
{
    if (!h->neg.n && h->pos.n)
        b->lower = 0;
    else if (!h->pos.n && h->neg.n)
        b->upper = 0;
}

/* Where in a bucket the share `f` of its observations is reached. */
static double within(const struct histogram *h, const struct hist_bucket *b, double f)
{
    if (h->schema == HIST_CUSTOM || (b->lower <= 0 && b->upper >= 0))
        return b->lower + (b->upper - b->lower) * f;
    double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper));
    if (b->lower > 0)
        return exp2(lower + (upper - lower) * f);
    return -exp2(upper + (lower - upper) * (1 - f));
}

double hist_quantile(const struct histogram *h, double q, uint32_t *nans)
{
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    if (h->count == 0 || isnan(q))
        return NAN;
    /* From the nearer end; with NaNs, which count as the largest, from below. */
    bool up = isnan(h->sum) || q < 0.5;
    double rank = (up ? q : 1 - q) * h->count, count = 0;
    struct hist_iter it = { .h = h, .down = !up };
    struct hist_bucket b = { 0 };
    while (hist_next(&it, &b)) {
        if (b.count == 0)
            continue;
        count += b.count;
        if (count >= rank)
            break;
    }
    if (h->schema != HIST_CUSTOM && b.lower < 0 && b.upper > 0) {
        narrow_zero_bucket(h, &b);
    } else if (h->schema == HIST_CUSTOM && b.lower == -INFINITY) {
        if (b.upper <= 0)
            return b.upper;
        b.lower = 0;
    } else if (h->schema == HIST_CUSTOM && b.upper == INFINITY) {
        return b.lower;
    }
    count = fmin(count, h->count);
    if (count < rank) {
        *nans |= isnan(h->sum) ? HIST_NAN_RESULT : 0;
        return isnan(h->sum) ? NAN : b.upper;
    }
    rank = up ? rank - (count - b.count) : count - rank;
    if (isnan(h->sum)) {
        struct hist_bucket rest;
        double all = count;
        while (hist_next(&it, &rest))
            all += rest.count;
        *nans |= all < h->count ? HIST_NAN_SKEW : 0;
    }
    return within(h, &b, rank / b.count);
}

/* How many observations of a bucket are below v, which lies within it. */
static double rank_in(const struct histogram *h, const struct hist_bucket *b, bool zero, double before, double v)
{
    if (h->schema == HIST_CUSTOM || zero)
        return b->lower == -INFINITY ? b->count : before + b->count * (v - b->lower) / (b->upper - b->lower);
    double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper)), at = log2(fabs(v));
    double f = v > 0 ? (at - lower) / (upper - lower) : 1 - (at - upper) / (lower - upper);
    return before + b->count * f;
}

/* One end of the interval: the rank it has, once it is known. */
struct end {
    double at, rank;
    bool set;
};

static void look_for(struct end *e, const struct histogram *h, const struct hist_bucket *b, bool zero, double before)
{
    if (e->set)
        return;
    if (b->lower >= e->at)
        *e = (struct end){ e->at, before, true };
    else if (b->upper > e->at)
        *e = (struct end){ e->at, rank_in(h, b, zero, before, e->at), true };
}

double hist_fraction(const struct histogram *h, double lower, double upper, uint32_t *nans)
{
    if (h->count == 0 || isnan(lower) || isnan(upper))
        return NAN;
    if (lower >= upper)
        return 0;
    struct end lo = { .at = lower }, hi = { .at = upper };
    double rank = 0, count = 0;
    struct hist_iter it = { .h = h };
    struct hist_bucket b;
    while (!(lo.set && hi.set) && hist_next(&it, &b)) {
        count += b.count;
        bool zero = b.lower <= 0 && b.upper >= 0;
        if (zero)
            narrow_zero_bucket(h, &b);
        look_for(&lo, h, &b, zero, rank);
        look_for(&hi, h, &b, zero, rank);
        rank += b.count;
    }
    if (isnan(h->sum)) {
        while (hist_next(&it, &b))
            count += b.count;
        *nans |= count < h->count ? HIST_NAN_LEFT_OUT : 0;
    } else {
        count = h->count;
    }
    double below = !lo.set || lo.rank > count ? count : lo.rank;
    double up_to = !hi.set || hi.rank > count ? count : hi.rank;
    return (up_to - below) / h->count;
}

/* Every observation of a bucket counts as its middle. */
double hist_variance(const struct histogram *h)
{
    double mean = h->sum / h->count;
    struct ksum sum = { 0 };
    struct hist_iter it = { .h = h };
    struct hist_bucket b;
    while (hist_next(&it, &b)) {
        if (b.count == 0)
            continue;
        double v = 0;
        if (h->schema == HIST_CUSTOM)
            v = (b.upper + b.lower) / 2;
        else if (!(b.lower <= 0 && b.upper >= 0))
            v = b.upper < 0 ? -sqrt(b.upper * b.lower) : sqrt(b.upper * b.lower);
        ksum_add(&sum, b.count * (v - mean) * (v - mean));
    }
    return (sum.s + sum.c) / h->count;
}
