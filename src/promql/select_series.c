/* promql/select_series.c -- the points of a series that is what was stored: of equal times
 * the first to arrive.
 *
 * Mostly its rows are one stretch, ascending, without staleness markers, and then the points
 * are where the rows lie. Stretches that follow one another are put together; only those
 * that overlap are sorted.
 */
#include <stdlib.h>

#include "promql/select_int.h"

struct raw {
    int64_t t;
    double v;
    uint64_t seq;
    struct str histogram;
};

/* ---- as it lies ------------------------------------------------------------ */

static bool has_absent(const double *v, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        any |= bits == VALUE_STALE_BITS;
    }
    return any;
}

static bool has_equal_times(const int64_t *t, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 1; i < n; i++)
        any |= t[i] == t[i - 1];
    return any;
}

/* The rows within the range. */
static void trim(const struct job *j, const int64_t *t, size_t *from, size_t *to)
{
    while (*from < *to && t[*from] <= j->req->after_ms)
        ++*from;
    while (*to > *from && t[*to - 1] > j->req->to_ms)
        --*to;
}

/* False: they have to be gone through one by one. */
static bool as_they_lie(const struct job *j, const int64_t *t, const double *v, size_t n, struct points *ret)
{
    size_t from = 0, to = n;
    trim(j, t, &from, &to);
    if (has_equal_times(t + from, to - from) || (j->req->drop_stale && has_absent(v + from, to - from)))
        return false;
    ret->t = t + from;
    ret->v = v + from;
    ret->n = to - from;
    return true;
}

/* Stretches one after another, without histograms. */
static bool in_a_row(struct job *j, const struct found *s, size_t n, struct points *ret)
{
    int64_t *t = arena_raw(&j->mem, int64_t, n);
    double *v = arena_raw(&j->mem, double, n);
    size_t at = 0;
    for (uint32_t i = s->first; i != NO_STRETCH; i = j->stretches[i].next) {
        const struct stretch *x = &j->stretches[i];
        if (x->histograms || (at && x->t[0] <= t[at - 1]))
            return false;
        memcpy(t + at, x->t, sizeof *t * x->n);
        memcpy(v + at, x->v, sizeof *v * x->n);
        at += x->n;
    }
    return as_they_lie(j, t, v, n, ret);
}

/* ---- row by row ------------------------------------------------------------ */

/* Resets are told from the data, as Prometheus does when it stores a histogram: what a sender
 * says of them is no more than "unknown". */
static enum err read_histogram(struct job *j, struct str bytes, const struct histogram **ret, struct fault *f)
{
    struct histogram *h = arena_new(&j->mem, struct histogram, 1);
    enum err e = histogram_decode(bytes, &j->mem, h, f);
    if (h->hint != HINT_GAUGE)
        h->hint = HINT_UNKNOWN;
    *ret = h;
    return e;
}

static int by_time_then_arrival(const void *a, const void *b)
{
    const struct raw *x = a, *y = b;
    if (x->t != y->t)
        return x->t < y->t ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static struct raw *sorted_rows(struct job *j, const struct found *s, size_t n)
{
    struct raw *r = arena_raw(&j->mem, struct raw, n);
    size_t at = 0;
    for (uint32_t i = s->first; i != NO_STRETCH; i = j->stretches[i].next) {
        const struct stretch *x = &j->stretches[i];
        for (uint32_t k = 0; k < x->n; k++)
            r[at++] = (struct raw){ x->t[k], x->v[k], x->seq ? x->seq[k] : 0, x->histograms ? x->histograms[k] : (struct str){ 0 } };
    }
    for (size_t i = 1; i < n; i++)
        if (by_time_then_arrival(&r[i - 1], &r[i]) > 0) {
            qsort(r, n, sizeof *r, by_time_then_arrival);
            break;
        }
    return r;
}

static bool has_increments(const struct job *j, const struct found *s)
{
    for (uint32_t i = s->first; i != NO_STRETCH; i = j->stretches[i].next)
        if (j->stretches[i].temporality == TEMPORALITY_DELTA)
            return true;
    return false;
}

static enum err one_by_one(struct job *j, const struct found *s, size_t n, struct points *ret, struct fault *f)
{
    const struct raw *r = sorted_rows(j, s, n);
    int64_t *t = arena_raw(&j->mem, int64_t, n);
    double *v = arena_raw(&j->mem, double, n);
    const struct histogram **h = NULL;
    enum err e = OK;
    for (size_t i = 0; i < n && !e; i++) {
        bool in_range = r[i].t > j->req->after_ms && r[i].t <= j->req->to_ms;
        bool again = ret->n && t[ret->n - 1] == r[i].t;
        if (!in_range || again || (j->req->drop_stale && !r[i].histogram.p && value_is_absent(r[i].v)))
            continue;
        t[ret->n] = r[i].t;
        v[ret->n] = r[i].v;
        if (r[i].histogram.p) {
            h = h ? h : arena_new(&j->mem, const struct histogram *, n);
            v[ret->n] = value_absent();
            e = read_histogram(j, r[i].histogram, &h[ret->n], f);
        }
        ret->n++;
    }
    ret->t = t;
    ret->v = v;
    ret->h = h;
    ret->increments = h && has_increments(j, s);
    return e;
}

enum err select_plain(struct job *j, const struct found *s, struct points *ret, struct fault *f)
{
    const struct stretch *first = &j->stretches[s->first];
    if (first->next == NO_STRETCH && !first->histograms && as_they_lie(j, first->t, first->v, first->n, ret))
        return OK;
    size_t n = 0;
    for (uint32_t i = s->first; i != NO_STRETCH; i = j->stretches[i].next)
        n += j->stretches[i].n;
    return first->next != NO_STRETCH && in_a_row(j, s, n, ret) ? OK : one_by_one(j, s, n, ret, f);
}
