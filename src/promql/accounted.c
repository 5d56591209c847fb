/* promql/accounted.c -- from rows to increments, totals and visible samples.
 *
 *     rows        sorted by stream, then time
 *     increments  delta: its value; cumulative: what it is above the greatest value
 *                 of its stream so far (rule 2). A late row takes its share from the
 *                 one after it and the sum stays; the second row of one time adds
 *                 only what it is more. A stream of unknown start that falls has
 *                 begun again.
 *     points      increments sorted by time, those of equal time made one
 *     samples     each point shows as the total before it, at b, and after it, at t:
 *                 b = max(start, t - 60 s, sample before + 1 ms)  (rule 3)
 *                 A point with a cumulative row in it and no delta shows the first
 *                 only when the sample before is older than 60 s.
 *
 * Sums: money is rounded to nano-dollars row by row and added as integers; other
 * values as pairs of doubles. Both give the difference of two running totals as
 * exactly as adding what lies between, in any order, so a window costs two binary
 * searches. A pause of more than 35 days in a series starts its total at zero.
 */
#include "promql/accounted.h"

#include <math.h>
#include <stdlib.h>

static const double nano = 1e9;
static const double nano_rows_max = 9e8;           /* dollars in a row; more is summed as doubles */

/* One increment and what its row tells about showing it. */
struct inc {
    int64_t t, start, nanos;
    double v;
    bool delta;
};

static int by_stream(const void *a, const void *b)
{
    const struct acc_row *x = a, *y = b;
    if (x->cumulative != y->cumulative)
        return x->cumulative ? 1 : -1;
    if (x->cumulative && x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    if (x->t != y->t)
        return x->t < y->t ? -1 : 1;
    return (x->v > y->v) - (x->v < y->v);
}

static int by_time(const void *a, const void *b)
{
    const struct inc *x = a, *y = b;
    if (x->t != y->t)
        return x->t < y->t ? -1 : 1;
    return (x->v > y->v) - (x->v < y->v);
}

static void sort_rows(struct acc_row *r, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (by_stream(&r[i - 1], &r[i]) > 0) {
            qsort(r, n, sizeof *r, by_stream);
            return;
        }
}

static void sort_incs(struct inc *c, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (by_time(&c[i - 1], &c[i]) > 0) {
            qsort(c, n, sizeof *c, by_time);
            return;
        }
}

/* ---- increments ------------------------------------------------------------ */

/* Where a cumulative stream stands. */
struct stream {
    bool begun;
    int64_t id, last;
    double greatest;
    int64_t greatest_nano;
};

static int64_t to_nano(double v)
{
    return llround(v * nano);
}

static void stream_begin(struct stream *s, const struct acc_input *in, int64_t id)
{
    *s = (struct stream){ .begun = true, .id = id, .last = INT64_MIN };
    for (size_t i = 0; i < in->nbases; i++)
        if (in->bases[i].stream == id) {
            s->last = in->bases[i].last;
            s->greatest = in->bases[i].v;
            s->greatest_nano = in->money ? to_nano(in->bases[i].v) : 0;
        }
}

/* The increment of a cumulative row; moves the stream on. */
static void stream_row(struct stream *s, const struct acc_input *in, const struct acc_row *r, struct inc *c)
{
    bool pause = s->last != INT64_MIN && r->t - s->last > ACC_GAP_MS;
    bool reset = !r->stream && r->v < s->greatest && r->t > s->last;
    if (pause || reset) {
        s->greatest = 0;
        s->greatest_nano = 0;
    }
    s->last = r->t;
    int64_t n = in->money ? to_nano(r->v) : 0;
    if (r->v > s->greatest) {
        c->v = r->v - s->greatest;
        s->greatest = r->v;
    }
    if (n > s->greatest_nano) {
        c->nanos = n - s->greatest_nano;
        s->greatest_nano = n;
    }
}

static struct inc *increments(struct arena *mem, const struct acc_input *in)
{
    struct inc *out = arena_new(mem, struct inc, in->n);
    struct stream s = { 0 };
    for (size_t i = 0; i < in->n; i++) {
        const struct acc_row *r = &in->rows[i];
        out[i] = (struct inc){ .t = r->t, .start = r->start, .delta = !r->cumulative };
        if (!isfinite(r->v))
            continue;                              /* no amount of anything */
        if (!r->cumulative) {
            out[i].v = r->v;
            out[i].nanos = in->money ? to_nano(r->v) : 0;
            continue;
        }
        if (!s.begun || s.id != r->stream)
            stream_begin(&s, in, r->stream);
        stream_row(&s, in, r, &out[i]);
    }
    sort_incs(out, in->n);
    return out;
}

/* ---- points and samples ---------------------------------------------------- */

static bool money_fits(const struct acc_input *in)
{
    if (!in->money || !(fabs(in->before) < nano_rows_max))
        return false;
    for (size_t i = 0; i < in->n; i++)
        if (!(fabs(in->rows[i].v) < nano_rows_max))
            return false;
    for (size_t i = 0; i < in->nbases; i++)
        if (!(fabs(in->bases[i].v) < nano_rows_max))
            return false;
    return true;
}

/* The running total that is shown, which starts again after a pause. */
struct total {
    int64_t nanos;
    struct dd sum;
    bool money;
};

static void total_add(struct total *t, double v, int64_t nanos)
{
    t->nanos += nanos;
    t->sum = dd_add(t->sum, v);
}

static double total_value(const struct total *t)
{
    return t->money ? (double)t->nanos / nano : dd_value(t->sum);
}

static void show(struct accounted *a, int64_t t, double v)
{
    CHECK(!a->nv || a->vt[a->nv - 1] < t);
    a->vt[a->nv] = t;
    a->vv[a->nv++] = v;
}

/* Increments c[0..n) of one time: one point, one or two samples. */
static void add_point(struct accounted *a, struct total *total, const struct inc *c, size_t n, bool has_last, int64_t last)
{
    int64_t t = c->t, start = c->start, nanos = 0;
    struct dd sum = { 0, 0 };
    bool delta = false;
    for (size_t i = 0; i < n; i++) {
        start = MIN(start, c[i].start);
        delta |= c[i].delta;
        nanos += c[i].nanos;
        sum = dd_add(sum, c[i].v);
    }
    if (has_last && t - last > ACC_GAP_MS)
        *total = (struct total){ .money = total->money };
    int64_t before = MAX(start, t - ACC_BEFORE_MS);
    if (has_last)
        before = MAX(before, last + 1);
    if (before < t && (delta || !has_last || t - last > ACC_BEFORE_MS))
        show(a, before, total_value(total));
    total_add(total, dd_value(sum), nanos);
    show(a, t, total_value(total));

    size_t i = a->n++;
    a->t[i] = t;
    a->nano[i] = (i ? a->nano[i - 1] : 0) + nanos;
    a->sum[i] = dd_add(i ? a->sum[i - 1] : (struct dd){ 0, 0 }, sum.hi);
    a->sum[i] = dd_add(a->sum[i], sum.lo);
}

void accounted_build(struct arena *mem, const struct acc_input *input, struct accounted *ret)
{
    struct acc_input in = *input;
    in.money = money_fits(&in);
    sort_rows(in.rows, in.n);
    *ret = (struct accounted){
        .money = in.money,
        .t = arena_new(mem, int64_t, in.n),
        .nano = arena_new(mem, int64_t, in.n),
        .sum = arena_new(mem, struct dd, in.n),
        .vt = arena_new(mem, int64_t, 2 * in.n),
        .vv = arena_new(mem, double, 2 * in.n),
    };
    const struct inc *c = increments(mem, &in);
    struct total total = { .money = in.money };
    if (in.has_before)
        total_add(&total, in.before, in.money ? to_nano(in.before) : 0);
    bool has_last = in.has_before;
    int64_t last = in.before_last;
    for (size_t i = 0; i < in.n;) {
        size_t end = i + 1;
        while (end < in.n && c[end].t == c[i].t)
            end++;
        add_point(ret, &total, c + i, end - i, has_last, last);
        has_last = true;
        last = c[i].t;
        i = end;
    }
}

/* How many of t[0..n) are <= limit. */
static size_t up_to(const int64_t *t, size_t n, int64_t limit)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t[mid] <= limit)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool accounted_increase(const struct accounted *a, int64_t start, int64_t end, double *ret)
{
    if (up_to(a->vt, a->nv, end) == up_to(a->vt, a->nv, start))
        return false;
    size_t from = up_to(a->t, a->n, start), to = up_to(a->t, a->n, end);
    if (from == to) {
        *ret = 0;
    } else if (a->money) {
        *ret = (double)(a->nano[to - 1] - (from ? a->nano[from - 1] : 0)) / nano;
    } else {
        *ret = dd_diff(a->sum[to - 1], from ? a->sum[from - 1] : (struct dd){ 0, 0 });
    }
    return true;
}
