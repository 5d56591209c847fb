/* promql/fn_histogram.c -- quantiles and fractions of histograms, and what native ones
 * say of themselves.
 *
 * A classic histogram is a family of series, cumulative counts with the upper bound of
 * their bucket in the label `le`. Counts may come from different scrapes, so they are
 * made monotonic first; bounds are those of the series, parsed once. A native histogram
 * is one sample. Where a classic and a native one of the same labels meet at a step,
 * neither is used.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "promql/functions_int.h"

struct bucket {
    double le, count;
};

/* The series of one histogram. */
struct classic {
    struct labels labels;                          /* without name and le */
    struct { uint32_t series; double le; } *parts;
    uint32_t n, cap;
    uint32_t native;                               /* the series of native ones + 1; 0: none */
};

struct histograms {
    struct classic *at;
    uint32_t n, cap, most;                         /* most: parts of the largest one */
};

static const struct str le_names[] = { S("le") };

static struct classic *histogram_of(struct eval *ev, struct keyset *keys, struct labels l, struct histograms *ret)
{
    bool fresh;
    uint32_t id = keyset_id(keys, l, le_names, 1, false, &fresh);
    if (fresh) {
        struct labels shown = labels_drop(ev->q->mem, labels_drop_name(ev->q->mem, l), le_names, 1);
        *arena_push(ev->q->mem, ret->at, ret->n, ret->cap) = (struct classic){ .labels = shown };
    }
    return &ret->at[id];
}

static bool has_numbers(const struct tser *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (!value_is_absent(s->v[i]))
            return true;
    return false;
}

static void find_histograms(struct eval *ev, const struct expr *arg, const struct vec *v, struct histograms *ret)
{
    CLEANUP(keyset_done) struct keyset keys;
    keyset_init(&keys, ev->q->mem);
    for (uint32_t s = 0; s < v->n; s++) {
        const struct tser *t = &v->at[s];
        if (t->h)
            histogram_of(ev, &keys, t->labels, ret)->native = s + 1;
        if (t->h && !has_numbers(t))
            continue;
        double bound;
        struct str text = labels_get(t->labels, le_names[0]);
        if (!str_to_f64(text, &bound)) {
            char note[160];
            snprintf(note, sizeof note, "bucket label \"le\" is missing or has a malformed value of \"" STR_FMT "\"",
                     STR_ARG(str_sub(text, 0, 60)));
            note_at(ev, true, arg, note);
            continue;
        }
        struct classic *h = histogram_of(ev, &keys, t->labels, ret);
        __typeof__(h->parts) p = arena_push(ev->q->mem, h->parts, h->n, h->cap);
        p->series = s;
        p->le = bound;
        ret->most = MAX(ret->most, h->n);
    }
}

static int by_bound(const void *a, const void *b)
{
    const struct bucket *x = a, *y = b;
    return (x->le > y->le) - (x->le < y->le);
}

/* The buckets of a step: sorted, equal bounds made one. Returns how many. */
static uint32_t buckets_at(const struct vec *v, const struct classic *h, uint32_t step, struct bucket *out)
{
    uint32_t n = 0, kept = 0;
    for (uint32_t i = 0; i < h->n; i++) {
        double c = tser_at(&v->at[h->parts[i].series], step);
        if (!value_is_absent(c))
            out[n++] = (struct bucket){ h->parts[i].le, c };
    }
    qsort(out, n, sizeof *out, by_bound);
    for (uint32_t i = 0; i < n; i++) {
        if (kept && out[kept - 1].le == out[i].le)
            out[kept - 1].count += out[i].count;
        else
            out[kept++] = out[i];
    }
    return kept;
}

/* Counts never fall with the bound. Differences of rounding are not worth a note. */
static bool make_monotonic(struct bucket *b, uint32_t n)
{
    static const double tolerance = 1e-12;
    double prev = b[0].count;
    for (uint32_t i = 1; i < n; i++) {
        double delta = fabs(b[i].count - prev);
        if (delta == 0)
            continue;
        if (delta / b[i].count <= tolerance)
            b[i].count = prev;
        else
            prev = b[i].count;
    }
    bool forced = false;
    double most = b[0].count;
    for (uint32_t i = 1; i < n; i++) {
        if (b[i].count > most)
            most = b[i].count;
        if (b[i].count < most) {
            b[i].count = most;
            forced = true;
        }
    }
    return forced;
}

static double bucket_quantile(double q, struct bucket *b, uint32_t n, bool *forced)
{
    if (isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    if (b[n - 1].le != INFINITY)
        return NAN;
    *forced |= make_monotonic(b, n);
    double observed = b[n - 1].count;
    if (n < 2 || observed == 0 || isnan(observed))
        return NAN;
    double rank = q * observed;
    uint32_t i = 0;
    while (i < n - 1 && !(b[i].count >= rank))
        i++;
    if (i == n - 1)
        return b[n - 2].le;
    if (i == 0 && b[0].le <= 0)
        return b[0].le;
    double start = i ? b[i - 1].le : 0, below = i ? b[i - 1].count : 0;
    return start + (b[i].le - start) * ((rank - below) / (b[i].count - below));
}

/* How many observations are at or below x, by straight lines within buckets. */
static double rank_of(double x, const struct bucket *b, uint32_t n)
{
    double below = 0, lower = -INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 && b[0].le > 0)
            lower = 0;
        if (lower >= x)
            return below;
        if (b[i].le > x) {
            if (isinf(lower))
                return b[i].count;
            return isinf(b[i].le) ? below : below + (b[i].count - below) * (x - lower) / (b[i].le - lower);
        }
        below = b[i].count;
        lower = b[i].le;
    }
    return b[n - 1].count;
}

static double bucket_fraction(double lower, double upper, struct bucket *b, uint32_t n)
{
    if (b[n - 1].le != INFINITY)
        return NAN;
    double observed = b[n - 1].count;
    if (observed == 0 || isnan(lower) || isnan(upper))
        return NAN;
    if (lower >= upper)
        return 0;
    return (fmin(rank_of(upper, b, n), observed) - fmin(rank_of(lower, b, n), observed)) / observed;
}

/* ---- both kinds ------------------------------------------------------------ */

/* What there is of one histogram at a step: a native one, or classic buckets. */
struct found {
    const struct histogram *native;
    struct bucket *b;
    uint32_t n;
};

static bool find_at(struct eval *ev, const struct expr *arg, const struct vec *v, const struct classic *h, uint32_t step,
                    struct found *ret)
{
    ret->native = h->native ? tser_hist(&v->at[h->native - 1], step) : NULL;
    ret->n = buckets_at(v, h, step, ret->b);
    if (ret->native && ret->n) {
        note_at(ev, true, arg, "vector contains a mix of classic and native histograms");
        return false;
    }
    return ret->native || ret->n;
}

static const char forced_text[] = "input to histogram_quantile needed to be fixed for monotonicity";

/* What came up on the way, noted at the end. */
struct heard {
    bool forced;
    uint32_t nans;
};

static void note_heard(struct eval *ev, const struct expr *arg, const struct heard *h)
{
    if (h->forced)
        note_at(ev, false, arg, forced_text);
    if (h->nans & HIST_NAN_RESULT)
        note_at(ev, false, arg, "input to histogram_quantile has NaN observations, result is NaN");
    if (h->nans & HIST_NAN_SKEW)
        note_at(ev, false, arg, "input to histogram_quantile has NaN observations, result is skewed higher");
    if (h->nans & HIST_NAN_LEFT_OUT)
        note_at(ev, false, arg, "input to histogram_fraction has NaN observations, which are excluded from all fractions");
}

/* ---- the functions --------------------------------------------------------- */

static void note_quantiles(struct eval *ev, const struct expr *arg, const double *q)
{
    for (uint32_t i = 0; i < ev->st.n; i++)
        if (!(q[i] >= 0 && q[i] <= 1)) {
            char text[80];
            snprintf(text, sizeof text, "quantile value should be between 0 and 1, got %g", q[i]);
            note_at(ev, true, arg, text);
            return;
        }
}

/* One result series for each histogram: its labels, and at each step what it gives for
 * the arguments. `label` and value are added when not empty. */
static void quantile_series(struct eval *ev, const struct expr *arg, const struct vec *v, const struct histograms *hs,
                            const double *q, struct str label, struct str value, struct heard *heard, struct vec *ret)
{
    struct found at = { .b = mem_alloc(sizeof *at.b * ((size_t)hs->most + 1)) };
    for (uint32_t h = 0; h < hs->n; h++) {
        struct labels l = hs->at[h].labels;
        if (label.n)
            l = labels_set(ev->q->mem, l, label, value);
        struct tser *out = vec_add(ev->q, ret, l, 0, ev->st.n);
        for (uint32_t i = 0; i < ev->st.n; i++)
            if (find_at(ev, arg, v, &hs->at[h], i, &at))
                out->v[i] = at.native ? hist_quantile(at.native, q[i], &heard->nans)
                                      : bucket_quantile(q[i], at.b, at.n, &heard->forced);
    }
    mem_free(at.b);
}

static enum err fn_histogram_quantile(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    const struct expr *arg = call->call.args[1];
    double *q = arena_new(ev->q->mem, double, ev->st.n);
    struct vec v;
    enum err e = eval_scalar(ev, call->call.args[0], q, f);
    if (!e)
        e = eval_vector(ev, arg, &v, f);
    if (e)
        return e;
    note_quantiles(ev, call->call.args[0], q);
    struct histograms hs = { 0 };
    struct heard heard = { 0 };
    find_histograms(ev, arg, &v, &hs);
    quantile_series(ev, arg, &v, &hs, q, S(""), S(""), &heard, ret);
    note_heard(ev, arg, &heard);
    vec_trim(ret);
    return OK;
}

static enum err fn_histogram_quantiles(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    const struct expr *arg = call->call.args[0];
    struct vec v;
    enum err e = eval_vector(ev, arg, &v, f);
    struct histograms hs = { 0 };
    struct heard heard = { 0 };
    if (!e)
        find_histograms(ev, arg, &v, &hs);
    for (uint32_t a = 2; a < call->call.nargs && !e; a++) {
        double *q = arena_new(ev->q->mem, double, ev->st.n);
        e = eval_scalar(ev, call->call.args[a], q, f);
        if (e)
            return e;
        note_quantiles(ev, call->call.args[a], q);
        char text[NUM_F64_MAX];
        size_t n = num_fmt_g64(text, q[0]);
        quantile_series(ev, arg, &v, &hs, q, expr_bare(call->call.args[1])->string,
                        arena_str(ev->q->mem, (struct str){ text, n }), &heard, ret);
    }
    note_heard(ev, arg, &heard);
    vec_trim(ret);
    return e;
}

static enum err fn_histogram_fraction(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    double *lower = arena_new(ev->q->mem, double, ev->st.n), *upper = arena_new(ev->q->mem, double, ev->st.n);
    struct vec v;
    enum err e = eval_scalar(ev, call->call.args[0], lower, f);
    if (!e)
        e = eval_scalar(ev, call->call.args[1], upper, f);
    if (!e)
        e = eval_vector(ev, call->call.args[2], &v, f);
    if (e)
        return e;
    struct histograms hs = { 0 };
    find_histograms(ev, call->call.args[2], &v, &hs);
    struct found at = { .b = mem_alloc(sizeof *at.b * ((size_t)hs.most + 1)) };
    struct heard heard = { 0 };
    for (uint32_t h = 0; h < hs.n; h++) {
        struct tser *out = vec_add(ev->q, ret, hs.at[h].labels, 0, ev->st.n);
        for (uint32_t i = 0; i < ev->st.n; i++)
            if (find_at(ev, call->call.args[2], &v, &hs.at[h], i, &at))
                out->v[i] = at.native ? hist_fraction(at.native, lower[i], upper[i], &heard.nans)
                                      : bucket_fraction(lower[i], upper[i], at.b, at.n);
    }
    mem_free(at.b);
    note_heard(ev, call->call.args[2], &heard);
    vec_trim(ret);
    return OK;
}

/* ---- native ones only ------------------------------------------------------ */

static enum err of_each(struct eval *ev, const struct expr *call, double (*fn)(const struct histogram *), struct vec *ret,
                        struct fault *f)
{
    struct vec v;
    enum err e = eval_vector(ev, call->call.args[0], &v, f);
    for (uint32_t s = 0; s < v.n && !e; s++) {
        const struct tser *t = &v.at[s];
        if (!t->h)
            continue;
        struct tser *out = vec_add(ev->q, ret, labels_drop_name(ev->q->mem, t->labels), t->from, t->n);
        for (uint32_t i = 0; i < t->n; i++)
            if (t->h[i])
                out->v[i] = fn(t->h[i]);
        e = query_check(ev->q, f);
    }
    vec_trim(ret);
    return e;
}

static double count_of(const struct histogram *h)
{
    return h->count;
}

static double sum_of(const struct histogram *h)
{
    return h->sum;
}

static double avg_of(const struct histogram *h)
{
    return h->sum / h->count;
}

static double stddev_of(const struct histogram *h)
{
    return sqrt(hist_variance(h));
}

static enum err fn_count(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    return of_each(ev, call, count_of, ret, f);
}

static enum err fn_sum(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    return of_each(ev, call, sum_of, ret, f);
}

static enum err fn_avg(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    return of_each(ev, call, avg_of, ret, f);
}

static enum err fn_stddev(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    return of_each(ev, call, stddev_of, ret, f);
}

static enum err fn_stdvar(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    return of_each(ev, call, hist_variance, ret, f);
}

#define NATIVE(text, fn) { S(text), { T_VECTOR }, 0, T_VECTOR, FN_VECTOR, 0, .vector = fn }

const struct fn_def fns_histogram[] = {
    { S("histogram_quantile"), { T_SCALAR, T_VECTOR }, 0, T_VECTOR, FN_VECTOR, 0, .vector = fn_histogram_quantile },
    { S("histogram_quantiles"), { T_VECTOR, T_STRING, T_SCALAR, T_SCALAR }, 9, T_VECTOR, FN_VECTOR, 0,
      .vector = fn_histogram_quantiles },
    { S("histogram_fraction"), { T_SCALAR, T_SCALAR, T_VECTOR }, 0, T_VECTOR, FN_VECTOR, 0,
      .vector = fn_histogram_fraction },
    NATIVE("histogram_count", fn_count),
    NATIVE("histogram_sum", fn_sum),
    NATIVE("histogram_avg", fn_avg),
    NATIVE("histogram_stddev", fn_stddev),
    NATIVE("histogram_stdvar", fn_stdvar),
    { .name = { 0 } },
};
