/* query/aggregate.c -- sum by, topk, quantile, ...
 *
 * Two kinds. Folds (sum, avg, min, max, count, group, stddev, stdvar) keep one
 * accumulator a group and step and walk each series once. Pickers (quantile, topk,
 * bottomk, limitk, limit_ratio) and count_values need all values of a step at
 * once, so they walk step by step over the members of a group.
 *
 * Native histograms: sum and avg add them up, count, group, count_values and the
 * limits take them as samples, the others leave them out. Where a sum has none (of
 * numbers and histograms, or of incompatible ones) the step has no result.
 */
#include "query/aggregate.h"

#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "query/hist.h"
#include "query/sum.h"

enum { HIST_TEXT_MAX = 4 << 20 };                  /* a histogram as a label value */

/* One group at one step while it is folded. */
struct acc {
    struct ksum sum;
    double mean;
    uint32_t n;
    bool incremental;                              /* avg: the plain sum would overflow */
};

struct group {
    struct labels labels;
    uint32_t *members;                             /* indices into the input */
    uint32_t n, cap;
};

struct groups {
    struct group *at;
    uint32_t n, cap;
};

static void find_groups(struct query_ctx *q, const struct aggregation *a, const struct vec *in, struct groups *ret)
{
    CLEANUP(keyset_done) struct keyset keys;
    keyset_init(&keys, q->mem);
    struct str *names = arena_new(q->mem, struct str, a->nnames + 1);
    for (uint32_t i = 0; i < a->nnames; i++)
        names[i] = a->names[i];
    uint32_t n = a->nnames;
    if (a->without)
        names[n++] = S("__name__");
    for (uint32_t i = 0; i < in->n; i++) {
        bool fresh;
        uint32_t id = keyset_id(&keys, in->at[i].labels, names, n, !a->without, &fresh);
        if (fresh) {
            struct labels l = a->without ? labels_drop(q->mem, in->at[i].labels, names, n)
                                         : labels_keep(q->mem, in->at[i].labels, names, n);
            *arena_push(q->mem, ret->at, ret->n, ret->cap) = (struct group){ .labels = l };
        }
        struct group *g = &ret->at[id];
        *arena_push(q->mem, g->members, g->n, g->cap) = i;
    }
}

/* ---- folds ----------------------------------------------------------------- */

static void fold_avg(struct acc *c, double v)
{
    c->n++;
    if (!c->incremental) {
        struct ksum next = c->sum;
        ksum_add(&next, v);
        if (!isinf(next.s) || c->n == 1) {
            c->sum = next;
            return;
        }
        c->incremental = true;
        c->mean = c->sum.s / (c->n - 1);
        c->sum.c /= (c->n - 1);
    }
    double share = ((double)c->n - 1) / c->n;
    struct ksum mean = { share * c->mean, share * c->sum.c };
    ksum_add(&mean, v / c->n);
    c->mean = mean.s;
    c->sum.c = mean.c;
}

static void fold_variance(struct acc *c, double v)
{
    c->n++;
    if (c->n == 1) {
        c->mean = v;
        c->sum.s = isfinite(v) ? 0 : NAN;
        return;
    }
    double delta = v - c->mean;
    c->mean += delta / c->n;
    c->sum.s += delta * (v - c->mean);
}

static void fold(enum agg_op op, struct acc *c, double v)
{
    switch (op) {
    case AGG_SUM:
        if (c->n++)
            ksum_add(&c->sum, v);
        else
            c->sum.s = v;
        break;
    case AGG_AVG:
        fold_avg(c, v);
        break;
    case AGG_MIN:
        if (!c->n++ || c->sum.s > v || isnan(c->sum.s))
            c->sum.s = v;
        break;
    case AGG_MAX:
        if (!c->n++ || c->sum.s < v || isnan(c->sum.s))
            c->sum.s = v;
        break;
    case AGG_STDDEV:
    case AGG_STDVAR:
        fold_variance(c, v);
        break;
    default:
        c->n++;
    }
}

static double fold_result(enum agg_op op, const struct acc *c)
{
    switch (op) {
    case AGG_SUM:
        return c->sum.s + c->sum.c;
    case AGG_AVG:
        return c->incremental ? c->mean + c->sum.c : c->sum.s / c->n + c->sum.c / c->n;
    case AGG_COUNT:
        return c->n;
    case AGG_GROUP:
        return 1;
    case AGG_STDVAR:
        return c->sum.s / c->n;
    case AGG_STDDEV:
        return sqrt(c->sum.s / c->n);
    default:
        return c->sum.s;
    }
}

/* What the histograms of a group do to it, by step; only where it has any. */
struct hist_fold {
    struct hist_sum *sums;                         /* sum, avg: NULL for the others */
    uint8_t *failed;                               /* steps without a result */
};

static bool has_histograms(const struct vec *in, const struct group *g)
{
    for (uint32_t m = 0; m < g->n; m++)
        if (in->at[g->members[m]].h)
            return true;
    return false;
}

static void fold_histograms(struct query_ctx *q, enum agg_op op, const struct tser *s, struct acc *accs, struct hist_fold *hf)
{
    for (uint32_t i = 0; i < s->n && s->h; i++) {
        uint32_t step = s->from + i;
        if (!s->h[i])
            continue;
        if (op == AGG_COUNT || op == AGG_GROUP)
            accs[step].n++;
        else if (!hf->sums)
            q->remarks |= HIST_IGNORED;
        else if (!hf->failed[step] && !hist_sum_add(q->mem, &hf->sums[step], s->h[i]))
            hf->failed[step] = 1;
    }
}

/* Of numbers and histograms at one step there is no sum. */
static void histogram_result(struct query_ctx *q, const struct acc *c, struct hist_fold *hf, uint32_t step, struct tser *out,
                             uint32_t i)
{
    struct hist_sum *s = &hf->sums[step];
    if (!s->sum)
        return;
    if (c->n)
        q->remarks |= HIST_MIXED;
    else if (!hf->failed[step])
        tser_put_hist(q, out, i, hist_sum_end(q->mem, s));
    if (c->n)
        out->v[i] = value_absent();
    q->remarks |= s->remarks;
}

static enum err fold_group(struct query_ctx *q, const struct aggregation *a, const struct vec *in,
                           const struct group *g, struct acc *accs, uint32_t nsteps, struct vec *ret, struct fault *f)
{
    uint32_t from = nsteps, end = 0;
    for (uint32_t m = 0; m < g->n; m++) {
        const struct tser *s = &in->at[g->members[m]];
        from = MIN(from, s->from);
        end = MAX(end, s->from + s->n);
    }
    if (from >= end)
        return OK;
    struct hist_fold hf = { 0 };
    if (has_histograms(in, g) && (a->op == AGG_SUM || a->op == AGG_AVG)) {
        hf.sums = arena_new(q->mem, struct hist_sum, nsteps);
        hf.failed = arena_new(q->mem, uint8_t, nsteps);
        for (uint32_t i = from; i < end; i++)
            hf.sums[i].mean = a->op == AGG_AVG;
    }
    memset(accs + from, 0, sizeof *accs * (end - from));
    for (uint32_t m = 0; m < g->n; m++) {
        const struct tser *s = &in->at[g->members[m]];
        for (uint32_t i = 0; i < s->n; i++)
            if (!value_is_absent(s->v[i]))
                fold(a->op, &accs[s->from + i], s->v[i]);
        fold_histograms(q, a->op, s, accs, &hf);
    }
    struct tser *out = vec_add(q, ret, g->labels, from, end - from);
    for (uint32_t i = from; i < end; i++) {
        if (accs[i].n)
            out->v[i - from] = fold_result(a->op, &accs[i]);
        if (hf.sums)
            histogram_result(q, &accs[i], &hf, i, out, i - from);
    }
    return query_check(q, f);
}

/* ---- pickers --------------------------------------------------------------- */

static int ascending_nan_first(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return !isnan(x) - !isnan(y);
    return (x > y) - (x < y);
}

enum { SELECT_SMALL = 32 };

static void swap(double *a, double *b)
{
    double x = *a;
    *a = *b;
    *b = x;
}

static double median_of_three(double a, double b, double c)
{
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Puts what is below the pivot (or, `too`, equal to it) first; returns how many. No branch
 * hangs on a comparison, which nobody could foretell. */
static size_t partition(double *v, size_t n, double pivot, bool too)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        double x = v[i];
        bool first = x < pivot || (too && x == pivot);
        v[i] = v[out];
        v[out] = x;
        out += first;
    }
    return out;
}

/* Rearranges numbers, none of them NaN, so that v[k] is what it would be if they were
 * sorted, with nothing greater before and nothing smaller behind it. */
static void select_nth(double *v, size_t n, size_t k)
{
    for (int rounds = 0; n > SELECT_SMALL && rounds < 64; rounds++) {
        double pivot = median_of_three(v[n / 4], v[n / 2], v[n - 1 - n / 4]);
        size_t below = partition(v, n, pivot, false);
        if (k < below) {
            n = below;
            continue;
        }
        v += below;
        n -= below;
        k -= below;
        size_t equal = partition(v, n, pivot, true);
        if (k < equal)
            return;
        v += equal;
        n -= equal;
        k -= equal;
    }
    qsort(v, n, sizeof *v, ascending_nan_first);
}

double quantile_of(double phi, double *v, size_t n)
{
    if (!n || isnan(phi))
        return NAN;
    if (phi < 0)
        return -INFINITY;
    if (phi > 1)
        return INFINITY;
    double rank = phi * (double)(n - 1);
    size_t lower = (size_t)floor(rank), upper = MIN(n - 1, lower + 1), nans = 0;
    double weight = rank - floor(rank);
    for (size_t i = 0; i < n; i++)                 /* NaN counts as the smallest */
        if (isnan(v[i]))
            swap(&v[i], &v[nans++]);
    if (lower < nans)
        return NAN;
    select_nth(v + nans, n - nans, upper - nans);
    double high = v[upper], low = lower == upper ? high : v[nans];
    for (size_t i = nans; i < upper; i++)
        low = v[i] > low ? v[i] : low;
    return low * (1 - weight) + high * weight;
}

static void quantile_group(struct query_ctx *q, const struct aggregation *a, const struct vec *in, const struct group *g, uint32_t nsteps,
                           double *scratch, struct tser *out)
{
    for (uint32_t i = 0; i < nsteps; i++) {
        size_t n = 0;
        for (uint32_t m = 0; m < g->n; m++) {
            double v = tser_at(&in->at[g->members[m]], i);
            if (!value_is_absent(v))
                scratch[n++] = v;
            else if (tser_hist(&in->at[g->members[m]], i))
                q->remarks |= HIST_IGNORED;
        }
        if (n)
            out->v[i] = quantile_of(a->param[i], scratch, n);
    }
}

struct ranked {
    double v;
    uint32_t member;                               /* position in the group: ties keep the order */
};

/* For topk; bottomk is the same of negated values. NaN is last in both. */
static int best_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (isnan(x->v) != isnan(y->v))
        return isnan(x->v) ? 1 : -1;
    if (x->v != y->v && !isnan(x->v))
        return x->v > y->v ? -1 : 1;
    return (x->member > y->member) - (x->member < y->member);
}

/* Whether a series is in a sample of the given ratio: by its hash, so that
 * ratio r and r - 1 are complements. */
static bool in_ratio(double r, struct labels l)
{
    double offset = (double)labels_hash(l) / 18446744073709551616.0;
    return (r >= 0 && offset < r) || (r < 0 && offset >= 1 + r);
}

/* The members that this step shows, best first; returns how many. */
static uint32_t pick_step(struct query_ctx *q, const struct aggregation *a, const struct vec *in, const struct group *g,
                          uint32_t step, struct ranked *scratch)
{
    bool ranks = a->op == AGG_TOPK || a->op == AGG_BOTTOMK;
    uint32_t n = 0;
    double p = a->param[step];
    if (a->op == AGG_LIMIT_RATIO)
        p = fmax(-1, fmin(1, p));
    else if (p < 1)
        return 0;
    for (uint32_t m = 0; m < g->n; m++) {
        const struct tser *s = &in->at[g->members[m]];
        double v = tser_at(s, step);
        bool hist = tser_hist(s, step);
        if (hist && ranks)
            q->remarks |= HIST_IGNORED;
        if ((value_is_absent(v) && (ranks || !hist)) || (a->op == AGG_LIMIT_RATIO && !in_ratio(p, s->labels)))
            continue;
        scratch[n++] = (struct ranked){ a->op == AGG_BOTTOMK ? -v : v, m };
    }
    if (a->op == AGG_LIMIT_RATIO)
        return n;
    if (a->op != AGG_LIMITK)
        qsort(scratch, n, sizeof *scratch, best_first);
    return p < n ? (uint32_t)p : n;
}

/* Instant queries show the series in rank order; over several steps each series
 * keeps its place and loses the values that were not picked. */
static void pick_group(struct query_ctx *q, const struct aggregation *a, const struct vec *in, const struct group *g,
                       uint32_t nsteps, struct ranked *scratch, struct vec *ret)
{
    if (nsteps == 1) {
        uint32_t n = pick_step(q, a, in, g, 0, scratch);
        for (uint32_t k = 0; k < n; k++) {
            const struct tser *s = &in->at[g->members[scratch[k].member]];
            tser_copy(q, vec_add(q, ret, s->labels, 0, 1), 0, s, 0);
        }
        return;
    }
    uint32_t first = ret->n;
    for (uint32_t m = 0; m < g->n; m++) {
        const struct tser *s = &in->at[g->members[m]];
        vec_add(q, ret, s->labels, s->from, s->n);
    }
    for (uint32_t i = 0; i < nsteps; i++) {
        uint32_t n = pick_step(q, a, in, g, i, scratch);
        for (uint32_t k = 0; k < n; k++) {
            struct tser *out = &ret->at[first + scratch[k].member];
            tser_copy(q, out, i - out->from, &in->at[g->members[scratch[k].member]], i - out->from);
        }
    }
}

static enum err check_k(struct query_ctx *q, const struct aggregation *a, uint32_t nsteps, bool *ret_nothing,
                        struct fault *f)
{
    double lo = INFINITY, hi = -INFINITY;
    bool nan = false;
    for (uint32_t i = 0; i < nsteps; i++) {
        nan |= isnan(a->param[i]);
        lo = fmin(lo, a->param[i]);
        hi = fmax(hi, a->param[i]);
    }
    char text[32];
    if (a->op == AGG_LIMIT_RATIO) {
        *ret_nothing = lo == 0 && hi == 0 && !nan;
        return nan ? query_error(q, f, E_EXEC, "Ratio value is NaN") : OK;
    }
    *ret_nothing = hi < 1 && !nan;
    if (*ret_nothing)
        return OK;
    if (nan)
        return query_error(q, f, E_EXEC, "Parameter value is NaN");
    if (lo <= -9223372036854775808.0)
        return query_error(q, f, E_EXEC, "Scalar value %.*s underflows int64", (int)num_fmt_g64(text, lo), text);
    if (hi >= 9223372036854774784.0)
        return query_error(q, f, E_EXEC, "Scalar value %.*s overflows int64", (int)num_fmt_g64(text, hi), text);
    return OK;
}

/* ---- count_values ---------------------------------------------------------- */

static struct str sample_text(struct query_ctx *q, const struct tser *t, uint32_t i)
{
    char text[NUM_F64_MAX];
    if (!value_is_absent(t->v[i]))
        return arena_str(q->mem, (struct str){ text, num_fmt_f64(text, t->v[i]) });
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, HIST_TEXT_MAX);
    hist_text(&b, t->h[i]);
    return arena_str(q->mem, buf_view(&b));
}

static enum err count_values(struct query_ctx *q, const struct aggregation *a, struct steps st, const struct vec *in,
                             struct vec *ret, struct fault *f)
{
    CLEANUP(keyset_done) struct keyset keys;
    keyset_init(&keys, q->mem);
    struct str *names = arena_new(q->mem, struct str, a->nnames + 1);
    for (uint32_t i = 0; i < a->nnames; i++)
        names[i] = a->names[i];
    names[a->nnames] = a->without ? S("__name__") : a->label;
    uint32_t n = a->nnames + 1;
    for (uint32_t s = 0; s < in->n; s++) {
        const struct tser *t = &in->at[s];
        for (uint32_t i = 0; i < t->n; i++) {
            if (!tser_has(t, i))
                continue;
            struct labels l = labels_set(q->mem, t->labels, a->label, sample_text(q, t, i));
            bool fresh;
            uint32_t id = keyset_id(&keys, l, names, n, !a->without, &fresh);
            if (fresh)
                vec_add(q, ret, a->without ? labels_drop(q->mem, l, names, n) : labels_keep(q->mem, l, names, n), 0,
                        st.n);
            double *slot = &ret->at[id].v[t->from + i];
            *slot = value_is_absent(*slot) ? 1 : *slot + 1;
        }
        enum err e = query_check(q, f);
        if (!e)
            e = query_check_series(q, ret->n, f);
        if (e)
            return e;
    }
    return OK;
}

/* ---- entry ----------------------------------------------------------------- */

static bool is_picker(enum agg_op op)
{
    return op == AGG_TOPK || op == AGG_BOTTOMK || op == AGG_LIMITK || op == AGG_LIMIT_RATIO;
}

enum err vec_aggregate(struct query_ctx *q, const struct aggregation *a, struct steps st, const struct vec *in,
                       struct vec *ret, struct fault *f)
{
    *ret = (struct vec){ 0 };
    if (a->op == AGG_COUNT_VALUES) {
        enum err e = count_values(q, a, st, in, ret, f);
        vec_trim(ret);
        return e;
    }
    bool nothing = false;
    if (is_picker(a->op)) {
        enum err e = check_k(q, a, st.n, &nothing, f);
        if (e || nothing)
            return e;
    }
    struct groups groups = { 0 };
    find_groups(q, a, in, &groups);

    enum err e = OK;
    void *scratch = mem_alloc(MAX(sizeof(struct acc) * (size_t)st.n, sizeof(struct ranked) * ((size_t)in->n + 1)));
    for (uint32_t g = 0; g < groups.n && !e; g++) {
        if (is_picker(a->op))
            pick_group(q, a, in, &groups.at[g], st.n, scratch, ret);
        else if (a->op == AGG_QUANTILE)
            quantile_group(q, a, in, &groups.at[g], st.n, scratch, vec_add(q, ret, groups.at[g].labels, 0, st.n));
        else
            e = fold_group(q, a, in, &groups.at[g], scratch, st.n, ret, f);
        if (!e)
            e = query_check(q, f);
    }
    mem_free(scratch);
    vec_trim(ret);
    return e;
}
