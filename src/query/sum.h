/* query/sum.h -- compensated sums (Neumaier), as Prometheus has them, and exact
 * pairs for running totals.
 *
 * Threads: any; plain values.
 */
#pragma once
#include <math.h>
#include <stdint.h>

struct ksum {
    double s, c;
};

static inline void ksum_add(struct ksum *k, double v)
{
    double t = k->s + v;
    if (isinf(t))
        k->c = 0;                                  /* a correction of infinity would be NaN */
    else if (fabs(k->s) >= fabs(v))
        k->c += (k->s - t) + v;
    else
        k->c += (v - t) + k->s;
    k->s = t;
}

static inline double ksum_value(struct ksum k)
{
    return isinf(k.s) ? k.s : k.s + k.c;
}

/* An unevaluated sum hi + lo, |lo| <= ulp(hi)/2: some 106 bits, so that the
 * difference of two running totals is as good as the sum of what lies between. */
struct dd {
    double hi, lo;
};

static inline struct dd dd_two_sum(double a, double b)
{
    double s = a + b, bb = s - a;
    return (struct dd){ s, (a - (s - bb)) + (b - bb) };
}

static inline struct dd dd_add(struct dd a, double b)
{
    struct dd s = dd_two_sum(a.hi, b);
    s.lo += a.lo;
    return dd_two_sum(s.hi, s.lo);
}

static inline double dd_diff(struct dd a, struct dd b)
{
    struct dd s = dd_two_sum(a.hi, -b.hi);
    return s.hi + (s.lo + (a.lo - b.lo));
}

static inline double dd_value(struct dd a)
{
    return a.hi + a.lo;
}
