/* query/hist.h -- arithmetic of native histograms, as PromQL defines it.
 *
 * Two histograms meet in the coarser of their schemas and the wider of their zero
 * buckets, or, with custom bounds, in the bounds that they share. Sums over many are
 * compensated (Kahan, Neumaier), bucket by bucket.
 *
 * Owner:    results are in the arena given. What is changed in place must be the
 *           caller's own (hist_copy()); the other operand never changes.
 * Threads:  pure; any.
 * Numbers:  counts may be negative, fractional or infinite here.
 */
#pragma once
#include "base/buf.h"
#include "base/jw.h"
#include "model/histogram.h"

/* What is worth a remark to who asked; a bit set. */
enum hist_remark {
    HIST_COLLISION = 1,                            /* one side says "reset", the other "no reset" */
    HIST_RECONCILED = 2,                           /* custom bounds differed */
    HIST_INCOMPATIBLE = 4,                         /* exponential with custom buckets: no result */
    HIST_MIXED = 8,                                /* numbers and histograms in one group: no result */
    HIST_IGNORED = 16,                             /* histograms left out of something for numbers only */
    HIST_TYPES_FIRST = 32,                         /* from here on: operands of these types have no result */
};
/* left and right of an operator: is it a histogram? */
static inline uint32_t hist_types(bool left, bool right)
{
    return (uint32_t)HIST_TYPES_FIRST << (2 * left + right);
}

struct hist_bucket {
    double lower, upper, count;
    bool lower_in, upper_in;
};

/* Over all buckets upwards (or downwards): negative ones, zero, positive ones. The
 * bounds of buckets that reach into the zero bucket end there. */
struct hist_iter {
    const struct histogram *h;
    bool down;
    uint8_t stage;                                 /* private, as what follows */
    uint32_t at;
};
bool hist_next(struct hist_iter *it, struct hist_bucket *ret);
/* One bucket of a side by its place in the list. */
struct hist_bucket hist_bucket_at(const struct histogram *h, bool negative, uint32_t i);
/* The upper bound of a bucket, by its magnitude. */
double hist_bound(const struct histogram *h, int32_t index);

struct histogram *hist_copy(struct arena *mem, const struct histogram *h);
void hist_compact(struct histogram *h);            /* without empty buckets */
bool hist_equal(const struct histogram *a, const struct histogram *b);   /* data, not hints */
void hist_mul(struct histogram *h, double factor);
void hist_div(struct histogram *h, double by);     /* by 0: no buckets are left */
/* a += b, a -= b. False (HIST_INCOMPATIBLE): a is unchanged. Remarks are added to *remarks. */
MUST bool hist_add(struct arena *mem, struct histogram *a, const struct histogram *b, uint32_t *remarks);
MUST bool hist_sub(struct arena *mem, struct histogram *a, const struct histogram *b, uint32_t *remarks);
/* Was the counter reset between the two? By the hint, else by counts that fell. */
bool hist_is_reset(struct arena scratch, const struct histogram *now, const struct histogram *before);
/* What lies below `at` (upper) or above it, with estimates where it cuts a bucket. */
struct histogram *hist_trim(struct arena *mem, const struct histogram *h, double at, bool upper);

/* A compensated sum or mean of histograms. All-zero is empty. */
struct hist_sum {
    struct histogram *sum;                         /* NULL: nothing yet */
    struct histogram *comp;                        /* what rounding lost; buckets as in sum */
    double n;
    bool mean, stepwise;                           /* mean; its sum would overflow */
    bool reset, no_reset;                          /* hints seen */
    uint32_t remarks;
};
MUST bool hist_sum_add(struct arena *mem, struct hist_sum *s, const struct histogram *h);
/* Ends it: the sum or mean, the caller's own. */
struct histogram *hist_sum_end(struct arena *mem, struct hist_sum *s);

/* ---- hist_stats.c ------------------------------------------------------------ */

enum { HIST_NAN_RESULT = 1, HIST_NAN_SKEW = 2, HIST_NAN_LEFT_OUT = 4 };   /* observations that were NaN */

double hist_quantile(const struct histogram *h, double q, uint32_t *nans);
double hist_fraction(const struct histogram *h, double lower, double upper, uint32_t *nans);
double hist_variance(const struct histogram *h);

/* {count:4, sum:5, (1,2]:3} */
void hist_text(struct buf *out, const struct histogram *h);
/* {"count":"4","sum":"5","buckets":[[0,"1","2","3"]]} */
void hist_write(struct jw *w, const struct histogram *h);
