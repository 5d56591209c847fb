/* query/fold.c -- see fold.h. The order in which values come is the order in which they are
 * added up; sums are compensated, so that hardly anything hangs on it.
 *
 * Native histograms: sum and avg add them up, count and group take them as samples, the
 * others leave them out. Where a sum has none (of numbers and histograms, or of incompatible
 * ones) the step has no result.
 */
#include "query/fold.h"

#include <math.h>

#include "query/hist.h"
#include "query/sum.h"

/* One group at one step while it is folded. */
struct fold_acc {
    struct ksum sum;
    double mean;
    uint32_t n;
    bool incremental;                              /* avg: the plain sum would overflow */
};

struct fold_hist {
    struct hist_sum sum;
    bool failed;                                   /* no result */
};

bool agg_is_fold(enum agg_op op)
{
    return op <= AGG_STDVAR;
}

_Static_assert(AGG_STDVAR == 7 && AGG_QUANTILE == 8, "folds come first");

/* ---- one value ------------------------------------------------------------- */

static void fold_avg(struct fold_acc *c, double v)
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

static void fold_variance(struct fold_acc *c, double v)
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

static inline void fold(enum agg_op op, struct fold_acc *c, double v)
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

static double fold_result(enum agg_op op, const struct fold_acc *c)
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

bool folds_count(const struct folds *f)
{
    return f->op == AGG_COUNT || f->op == AGG_GROUP;
}

/* ---- groups ---------------------------------------------------------------- */

void folds_init(struct folds *f, struct query_ctx *q, enum agg_op op, uint32_t nsteps)
{
    CHECK(agg_is_fold(op));
    *f = (struct folds){ .q = q, .op = op, .nsteps = nsteps };
}

uint32_t folds_group(struct folds *f, struct labels labels)
{
    *arena_push(f->q->mem, f->at, f->n, f->cap) = (struct fold_group){ .labels = labels };
    return f->n - 1;
}

/* Makes accumulators for [from, end). Steps mostly come in order: there is room for as many
 * again. */
static void cover(struct folds *f, struct fold_group *g, uint32_t from, uint32_t end)
{
    CHECK(from < end && end <= f->nsteps);
    if (g->accs && from >= g->from && end <= g->end)
        return;
    struct fold_group old = *g;
    if (old.accs) {
        from = MIN(from, old.from);
        end = end > old.end ? MIN(f->nsteps, MAX(end, old.end + (old.end - old.from))) : old.end;
    }
    g->from = from;
    g->end = end;
    g->accs = arena_new(f->q->mem, struct fold_acc, end - from);
    if (old.accs)
        memcpy(g->accs + (old.from - from), old.accs, sizeof *g->accs * (old.end - old.from));
    if (!old.hists)
        return;
    g->hists = arena_new(f->q->mem, struct fold_hist, end - from);
    memcpy(g->hists + (old.from - from), old.hists, sizeof *g->hists * (old.end - old.from));
}

static void add_histogram(struct folds *f, struct fold_group *g, uint32_t step, const struct histogram *h)
{
    if (f->op == AGG_COUNT || f->op == AGG_GROUP) {
        g->accs[step - g->from].n++;
        return;
    }
    if (f->op != AGG_SUM && f->op != AGG_AVG) {
        f->q->remarks |= HIST_IGNORED;
        return;
    }
    if (!g->hists)
        g->hists = arena_new(f->q->mem, struct fold_hist, g->end - g->from);
    struct fold_hist *to = &g->hists[step - g->from];
    to->sum.mean = f->op == AGG_AVG;
    if (!to->failed && !hist_sum_add(f->q->mem, &to->sum, h))
        to->failed = true;
}

void folds_add(struct folds *f, uint32_t group, const struct tser *s)
{
    CHECK(group < f->n);
    if (!s->n)
        return;
    struct fold_group *g = &f->at[group];
    cover(f, g, s->from, s->from + s->n);
    struct fold_acc *accs = g->accs + (s->from - g->from);
    for (uint32_t i = 0; i < s->n; i++)
        if (!value_is_absent(s->v[i]))
            fold(f->op, &accs[i], s->v[i]);
    for (uint32_t i = 0; i < s->n && s->h; i++)
        if (s->h[i])
            add_histogram(f, g, s->from + i, s->h[i]);
}

void folds_add_value(struct folds *f, uint32_t group, uint32_t step, double v)
{
    struct fold_group *g = &f->at[group];
    cover(f, g, step, step + 1);
    fold(f->op, &g->accs[step - g->from], v);
}

/* Of numbers and histograms at one step there is no sum. */
static void histogram_result(struct folds *f, const struct fold_acc *c, struct fold_hist *h, struct tser *out, uint32_t i)
{
    struct query_ctx *q = f->q;
    if (!h->sum.sum)
        return;
    if (c->n)
        q->remarks |= HIST_MIXED;
    else if (!h->failed)
        tser_put_hist(q, out, i, hist_sum_end(q->mem, &h->sum));
    if (c->n)
        out->v[i] = value_absent();
    q->remarks |= h->sum.remarks;
}

enum err folds_end(struct folds *f, struct vec *ret, struct fault *fault)
{
    enum err e = OK;
    for (uint32_t k = 0; k < f->n && !e; k++) {
        struct fold_group *g = &f->at[k];
        if (!g->accs)
            continue;
        struct tser *out = vec_add(f->q, ret, g->labels, g->from, g->end - g->from);
        for (uint32_t i = 0; i < out->n; i++) {
            if (g->accs[i].n)
                out->v[i] = fold_result(f->op, &g->accs[i]);
            if (g->hists)
                histogram_result(f, &g->accs[i], &g->hists[i], out, i);
        }
        e = query_check(f->q, fault);
    }
    vec_trim(ret);
    return e;
}
