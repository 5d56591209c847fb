/* promql/eval_window.c -- range vectors: windows over the points of each series.
 *
 * A range selector loads the points of all windows at once; a subquery evaluates
 * its expression over steps of its own and gives the same shape. Then one series
 * after another: two indices move along its points from step to step, and the
 * function sees the slice between them.
 */
#include <stdio.h>

#include "promql/eval_int.h"

enum { SUBQUERY_STEP_MS = 60 * 1000 };             /* Prometheus's default evaluation interval */

/* Where the windows of a range vector lie. */
struct lens {
    struct steps st;
    int64_t range, offset, at;
    int64_t lookback_before, lookback_after;       /* anchored, smoothed: how far a window reaches out */
    bool fixed, anchored, smoothed;
};

static int64_t lens_ref(const struct lens *l, uint32_t step)
{
    return (l->fixed ? l->at : steps_at(l->st, step)) - l->offset;
}

/* ---- points ---------------------------------------------------------------- */

static enum err selector_lens(struct eval *ev, const struct expr *x, struct lens *l, struct fault *f)
{
    const struct selector *s = &x->range.of->sel;
    *l = (struct lens){ .st = ev->st, .anchored = s->anchored, .smoothed = s->smoothed };
    l->lookback_before = s->anchored || s->smoothed ? ev->q->lookback_ns / NS_PER_MS : 0;
    l->lookback_after = s->smoothed ? l->lookback_before : 0;
    enum err e = eval_dur(ev, x->range.range, true, &l->range, f);
    return e ? e : eval_shift(ev, &s->shift, &l->offset, &l->fixed, &l->at, f);
}

static enum err selector_points(struct eval *ev, const struct expr *x, bool totals, struct lens *l, struct pointset *ret,
                                struct fault *f)
{
    enum err e = selector_lens(ev, x, l, f);
    if (e)
        return e;
    struct select_req req = {
        .sel = &x->range.of->sel,
        .after_ms = lens_ref(l, 0) - l->range - l->lookback_before,
        .to_ms = lens_ref(l, l->st.n - 1) + l->lookback_after,
        .totals = totals,
        .drop_stale = true,
    };
    return select_points(ev, &req, ret, f);
}

static void vec_points(struct eval *inner, const struct vec *v, struct pointset *ret)
{
    struct arena *mem = inner->q->mem;
    ret->at = arena_new(mem, struct points, v->n);
    for (uint32_t s = 0; s < v->n; s++) {
        const struct tser *t = &v->at[s];
        struct points *p = &ret->at[ret->n++];
        *p = (struct points){
            .labels = t->labels, .t = arena_new(mem, int64_t, t->n), .v = arena_new(mem, double, t->n),
        };
        for (uint32_t i = 0; i < t->n; i++)
            if (!value_is_absent(t->v[i])) {
                p->t[p->n] = steps_at(inner->st, t->from + i);
                p->v[p->n++] = t->v[i];
            }
    }
}

/* The inner steps are multiples of the subquery's step, whatever the outer ones are. */
static enum err subquery_points(struct eval *ev, const struct expr *x, struct lens *l, struct pointset *ret, struct fault *f)
{
    *l = (struct lens){ .st = ev->st };
    int64_t step = SUBQUERY_STEP_MS;
    enum err e = eval_dur(ev, x->sub.range, true, &l->range, f);
    if (!e && x->sub.step)
        e = eval_dur(ev, x->sub.step, true, &step, f);
    if (!e)
        e = eval_shift(ev, &x->sub.shift, &l->offset, &l->fixed, &l->at, f);
    if (e)
        return e;
    step = MAX(step, (int64_t)1);
    int64_t after = lens_ref(l, 0) - l->range, last = lens_ref(l, l->st.n - 1);
    int64_t start = step * (after / step);
    if (start <= after)
        start += step;
    if (start > last)
        return OK;
    uint64_t n = (uint64_t)((last - start) / step) + 1;
    if (n > UINT32_MAX / 2)
        return fault_set(f, E_LIMIT, 0, "subquery has too many steps");
    e = query_hold(ev->q, n, f);
    struct eval inner = *ev;
    inner.st = (struct steps){ start, step, (uint32_t)n };
    struct vec v = { 0 };
    if (!e)
        e = eval_vector(&inner, x->sub.of, &v, f);
    if (!e)
        vec_points(&inner, &v, ret);
    return e;
}

static enum err range_points(struct eval *ev, const struct expr *x, bool totals, struct lens *l, struct pointset *ret,
                             struct fault *f)
{
    *ret = (struct pointset){ 0 };
    CHECK(x->kind == X_RANGE || x->kind == X_SUBQUERY);
    return x->kind == X_RANGE ? selector_points(ev, x, totals, l, ret, f) : subquery_points(ev, x, l, ret, f);
}

/* ---- anchored and smoothed raw ranges -------------------------------------- */

static double between(const struct points *p, size_t i, int64_t t)
{
    return p->v[i] + (p->v[i + 1] - p->v[i]) * (double)(t - p->t[i]) / (double)(p->t[i + 1] - p->t[i]);
}

/* The samples of the range with one at each of its ends: interpolated where
 * smoothed, else the nearest one that there is. */
static void extend(struct eval *ev, const struct lens *l, struct points *p)
{
    int64_t end = lens_ref(l, 0), start = end - l->range;
    size_t first = 0, last = p->n - 1;
    while (first + 1 < p->n && p->t[first + 1] <= start)
        first++;
    if (l->smoothed)
        for (last = 0; last + 1 < p->n && p->t[last] < end;)
            last++;
    if (p->t[last] <= start) {
        p->n = 0;
        return;
    }
    double left = l->smoothed && p->t[first] < start ? between(p, first, start) : p->v[first];
    double right = l->smoothed && last && p->t[last] > end ? between(p, last - 1, end) : p->v[last];
    int64_t *t = arena_new(ev->q->mem, int64_t, p->n + 2);
    double *v = arena_new(ev->q->mem, double, p->n + 2);
    size_t n = 0;
    t[n] = start;
    v[n++] = left;
    for (size_t i = first; i <= last; i++)
        if (p->t[i] > start && p->t[i] < end) {
            t[n] = p->t[i];
            v[n++] = p->v[i];
        }
    t[n] = end;
    v[n++] = right;
    p->t = t;
    p->v = v;
    p->n = n;
}

enum err eval_range_points(struct eval *ev, const struct expr *x, struct pointset *ret, struct fault *f)
{
    struct lens l;
    enum err e = range_points(ev, x, true, &l, ret, f);
    if (e)
        return e;
    int64_t end = lens_ref(&l, 0) + l.lookback_after, start = lens_ref(&l, 0) - l.range - l.lookback_before;
    uint32_t out = 0;
    for (uint32_t s = 0; s < ret->n; s++) {
        struct points p = ret->at[s];
        while (p.n && p.t[p.n - 1] > end)
            p.n--;
        while (p.n && p.t[0] <= start) {
            p.t++;
            p.v++;
            p.n--;
        }
        if (p.n && (l.anchored || l.smoothed))
            extend(ev, &l, &p);
        if (p.n)
            ret->at[out++] = p;
    }
    ret->n = out;
    return OK;
}

/* ---- windows --------------------------------------------------------------- */

struct window_job {
    struct eval *ev;
    const struct fn_def *fn;
    struct lens lens;
    double *args[FN_ARGS_MAX];                     /* scalars, by step */
    uint32_t nargs;
    bool exact;                                    /* increases of accounted series */
};

/* The steps whose windows can hold a point of the series. */
static void stretch(const struct lens *l, const struct points *p, uint32_t *ret_from, uint32_t *ret_end)
{
    *ret_from = 0;
    *ret_end = l->st.n;
    if (l->fixed)
        return;
    int64_t first = p->t[0] - l->lookback_after + l->offset;
    int64_t last = p->t[p->n - 1] + l->range + l->lookback_before + l->offset;     /* exclusive */
    if (first > l->st.start_ms)
        *ret_from = (uint32_t)MIN((first - l->st.start_ms + l->st.step_ms - 1) / l->st.step_ms, (int64_t)l->st.n);
    int64_t end = last <= l->st.start_ms ? 0 : (last - l->st.start_ms + l->st.step_ms - 1) / l->st.step_ms;
    *ret_end = (uint32_t)MIN(end, (int64_t)l->st.n);
}

static enum err one_series(struct window_job *j, const struct points *p, struct vec *ret, struct fault *f)
{
    struct query_ctx *q = j->ev->q;
    const struct lens *l = &j->lens;
    uint32_t from, end;
    stretch(l, p, &from, &end);
    if (from >= end)
        return OK;
    struct labels labels = j->fn->flags & FN_KEEP_NAME ? p->labels : labels_drop_name(q->mem, p->labels);
    struct tser *out = vec_add(q, ret, labels, from, end - from);
    struct window w = {
        .range_s = (double)l->range / 1000, .anchored = l->anchored, .smoothed = l->smoothed,
        .acc = j->exact ? p->acc : NULL, .q = q, .f = f,
    };
    size_t lo = 0, hi = 0;
    for (uint32_t i = from; i < end; i++) {
        w.end = lens_ref(l, i);
        w.start = w.end - l->range;
        w.step_ms = steps_at(l->st, i);
        while (hi < p->n && p->t[hi] <= w.end + l->lookback_after)
            hi++;
        while (lo < hi && p->t[lo] <= w.start - l->lookback_before)
            lo++;
        if (lo == hi)
            continue;
        w.t = p->t + lo;
        w.v = p->v + lo;
        w.n = hi - lo;
        double args[FN_ARGS_MAX], v;
        for (uint32_t a = 0; a < j->nargs; a++)
            args[a] = j->args[a][i];
        if (j->fn->window(&w, args, &v))
            out->v[i - from] = v;
        if (w.err)
            return w.err;
    }
    return OK;
}

static enum err check_extended(struct window_job *j, struct fault *f)
{
    static const char *const takes[] = { "changes, delta, increase, rate, resets", "delta, increase, rate" };
    bool bad = (j->lens.anchored && !(j->fn->flags & FN_ANCHORED)) || (j->lens.smoothed && !(j->fn->flags & FN_SMOOTHED));
    if (!bad)
        return OK;
    return query_error(j->ev->q, f, E_EXEC, "%s modifier can only be used with: %s - not with " STR_FMT,
                       j->lens.anchored ? "anchored" : "smoothed", takes[j->lens.smoothed], STR_ARG(j->fn->name));
}

/* A counter's functions on something whose name is no counter's. */
static void note_not_counter(struct eval *ev, const struct expr *arg, struct labels l)
{
    struct str name = labels_get(l, S("__name__"));
    if (!name.n || str_ends(name, S("_total")) || str_ends(name, S("_sum")) || str_ends(name, S("_count")) ||
        str_ends(name, S("_bucket")))
        return;
    char text[200];
    snprintf(text, sizeof text,
             "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"" STR_FMT "\"",
             STR_ARG(str_sub(name, 0, 100)));
    note_at(ev, false, arg, text);
}

/* 1 where no series has anything. */
static void absent_of(struct eval *ev, const struct expr *arg, struct vec *v)
{
    struct vec out = { 0 };
    struct tser *s = vec_add(ev->q, &out, absent_labels(ev, arg), 0, ev->st.n);
    for (uint32_t i = 0; i < ev->st.n; i++)
        s->v[i] = 1;
    for (uint32_t k = 0; k < v->n; k++)
        for (uint32_t i = 0; i < v->at[k].n; i++)
            if (!value_is_absent(v->at[k].v[i]))
                s->v[v->at[k].from + i] = value_absent();
    vec_trim(&out);
    *v = out;
}

enum err eval_window_call(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    struct window_job j = { .ev = ev, .fn = x->call.fn };
    const struct expr *arg = NULL;
    enum err e = OK;
    for (uint32_t i = 0; i < x->call.nargs && !e; i++) {
        if (x->call.args[i]->type == T_MATRIX) {
            arg = x->call.args[i];
            continue;
        }
        j.args[j.nargs] = arena_new(ev->q->mem, double, ev->st.n);
        e = eval_scalar(ev, x->call.args[i], j.args[j.nargs++], f);
    }
    CHECK(arg);
    j.exact = j.fn->flags & FN_INCREASE && !ev->q->extrapolate_always;
    struct pointset set = { 0 };
    if (!e)
        e = range_points(ev, expr_bare(arg), !(j.fn->flags & FN_NO_BASE), &j.lens, &set, f);
    if (!e)
        e = check_extended(&j, f);
    for (uint32_t s = 0; s < set.n && !e; s++) {
        if (!set.at[s].n)
            continue;
        e = one_series(&j, &set.at[s], ret, f);
        if (!e)
            e = query_check(ev->q, f);
        if (!e && j.fn->flags & FN_INCREASE)
            note_not_counter(ev, arg, set.at[s].labels);
    }
    vec_trim(ret);
    if (!e && j.fn->flags & FN_ABSENT)
        absent_of(ev, expr_bare(arg), ret);
    return e ? e : vec_merge(ev->q, ret, f);
}
