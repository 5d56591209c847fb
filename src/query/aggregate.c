/* query/aggregate.c -- sum by, topk, quantile, ...
 *
 * Two kinds. Folds (fold.c) keep one accumulator a group and step and walk each series
 * once. Pickers (quantile, topk, bottomk, limitk, limit_ratio) and count_values need all
 * values of a step at once, so they walk step by step over the members of a group.
 *
 * Native histograms: count_values and the limits take them as samples, the other pickers
 * leave them out.
 */
#include "query/aggregate.h"

#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "query/fold.h"
#include "query/hist.h"

enum { HIST_TEXT_MAX = 4 << 20 };                  /* a histogram as a label value */

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

static enum err fold_groups(struct query_ctx *q, const struct aggregation *a, const struct vec *in, const struct groups *groups,
                            uint32_t nsteps, struct vec *ret, struct fault *f)
{
    struct folds folds;
    enum err e = OK;
    folds_init(&folds, q, a->op, nsteps);
    for (uint32_t g = 0; g < groups->n && !e; g++) {
        const struct group *from = &groups->at[g];
        uint32_t to = folds_group(&folds, from->labels);
        for (uint32_t m = 0; m < from->n; m++)
            folds_add(&folds, to, &in->at[from->members[m]]);
        e = query_check(q, f);
    }
    return e ? e : folds_end(&folds, ret, f);
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

    if (agg_is_fold(a->op))
        return fold_groups(q, a, in, &groups, st.n, ret, f);
    enum err e = OK;
    void *scratch = mem_alloc(sizeof(struct ranked) * ((size_t)in->n + 1));
    for (uint32_t g = 0; g < groups.n && !e; g++) {
        if (is_picker(a->op))
            pick_group(q, a, in, &groups.at[g], st.n, scratch, ret);
        else
            quantile_group(q, a, in, &groups.at[g], st.n, scratch, vec_add(q, ret, groups.at[g].labels, 0, st.n));
        e = query_check(q, f);
    }
    mem_free(scratch);
    vec_trim(ret);
    return e;
}
