/* query/vec.h -- series over the steps of a query.
 *
 * A series is a dense array over the stretch of steps between its first and last
 * value; a step without a value is VALUE_ABSENT. Most of Claude Code's series are
 * short-lived, so the stretch matters. An instant query has one step.
 *
 * A series that shows native histograms has a second array, of pointers, where a step
 * with a histogram has no number. Series of numbers, nearly all, do not have it.
 *
 * Owner:    the query's arena.
 * Threads:  one.
 */
#pragma once
#include <string.h>

#include "model/histogram.h"
#include "query/labels.h"
#include "query/query.h"

/* Prometheus's staleness marker; never a value that a query computes. */
#define VALUE_STALE_BITS UINT64_C(0x7ff0000000000002)

static inline double value_absent(void)
{
    uint64_t bits = VALUE_STALE_BITS;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline bool value_is_absent(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits == VALUE_STALE_BITS;
}

struct steps {
    int64_t start_ms, step_ms;                     /* step_ms > 0, also for one step */
    uint32_t n;
};

static inline int64_t steps_at(struct steps s, uint32_t i)
{
    return s.start_ms + (int64_t)i * s.step_ms;
}

struct tser {
    struct labels labels;
    uint32_t from, n;                              /* v[i] is the value at step from + i */
    double *v;
    const struct histogram **h;                    /* NULL: numbers only; else as v, NULL where there is none */
};

struct vec {
    struct tser *at;
    uint32_t n, cap;
};

static inline double tser_at(const struct tser *s, uint32_t step)
{
    return step - s->from < s->n ? s->v[step - s->from] : value_absent();
}

static inline const struct histogram *tser_hist(const struct tser *s, uint32_t step)
{
    return s->h && step - s->from < s->n ? s->h[step - s->from] : NULL;
}

/* Does s->v[i] or s->h[i] hold anything? */
static inline bool tser_has(const struct tser *s, uint32_t i)
{
    return !value_is_absent(s->v[i]) || (s->h && s->h[i]);
}

/* The histogram of the i-th step of the stretch; NULL is fine. */
void tser_put_hist(struct query_ctx *q, struct tser *s, uint32_t i, const struct histogram *h);
/* Puts the i-th sample of `from`, whatever it is, at the k-th of `to`. */
void tser_copy(struct query_ctx *q, struct tser *to, uint32_t k, const struct tser *from, uint32_t i);
/* A new series over steps [from, from + n), all absent. */
struct tser *vec_add(struct query_ctx *q, struct vec *v, struct labels labels, uint32_t from, uint32_t n);
/* Cuts absent values from both ends; a series without any value has n == 0. */
void tser_trim(struct tser *s);
/* Trims all and removes the empty ones. */
void vec_trim(struct vec *v);
/* Series of equal labels become one. E_EXEC, with Prometheus's text, when two
 * of them have a value at the same step. */
MUST enum err vec_merge(struct query_ctx *q, struct vec *v, struct fault *f);
/* Series in the order of their labels. */
void vec_sort_labels(struct vec *v);
/* The same value at every step. */
double *steps_fill(struct query_ctx *q, struct steps st, double value);
