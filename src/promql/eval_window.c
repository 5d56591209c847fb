/* promql/eval_window.c -- range vectors: windows over the points of each series.
 *
 * A range selector loads the points of all windows at once; a subquery evaluates
 * its expression over steps of its own and gives the same shape. Then one series
 * after another: two indices move along its points from step to step, and the
 * function sees the slice between them.
 */
#include <stdio.h>

#include "promql/tile.h"

enum {
    SUBQUERY_STEP_MS = 60 * 1000,                  /* Prometheus's default evaluation interval */
    CHECK_EVERY = 16,                              /* windows: one may take milliseconds */
};

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

/* What is done with each series of a range vector. */
struct use {
    enum err (*each)(void *arg, const struct points *p, struct fault *f);
    void *arg;
    struct select_groups *groups;                  /* or NULL */
    struct tiles *tiles;                           /* or NULL */
    void (*tiled)(void *arg, struct labels name);
};

static enum err selector_points(struct eval *ev, const struct expr *x, bool totals, const struct lens *l,
                                const struct use *use, struct fault *f)
{
    struct select_req req = {
        .groups = use->groups,
        .tiles = use->tiles,
        .tiled = use->tiled,
        .sel = &x->range.of->sel,
        .after_ms = lens_ref(l, 0) - l->range - l->lookback_before,
        .to_ms = lens_ref(l, l->st.n - 1) + l->lookback_after,
        .totals = totals,
        .drop_stale = true,
        .each = use->each,
        .arg = use->arg,
    };
    return select_points(ev, &req, f);
}

static enum err use_series(struct eval *inner, const struct tser *s, const struct use *use, struct fault *f)
{
    int64_t *t = arena_new(inner->q->mem, int64_t, s->n);
    double *v = arena_new(inner->q->mem, double, s->n);
    const struct histogram **h = s->h ? arena_new(inner->q->mem, const struct histogram *, s->n) : NULL;
    struct points p = { .labels = s->labels, .t = t, .v = v, .h = h };
    for (uint32_t i = 0; i < s->n; i++)
        if (tser_has(s, i)) {
            if (h)
                h[p.n] = s->h[i];
            t[p.n] = steps_at(inner->st, s->from + i);
            v[p.n++] = s->v[i];
        }
    enum err e = query_check(inner->q, f);
    return e || !p.n ? e : use->each(use->arg, &p, f);
}

static enum err subquery_lens(struct eval *ev, const struct expr *x, struct lens *l, int64_t *ret_step, struct fault *f)
{
    *l = (struct lens){ .st = ev->st };
    *ret_step = SUBQUERY_STEP_MS;
    enum err e = eval_dur(ev, x->sub.range, true, &l->range, f);
    if (!e && x->sub.step)
        e = eval_dur(ev, x->sub.step, true, ret_step, f);
    *ret_step = MAX(*ret_step, (int64_t)1);
    return e ? e : eval_shift(ev, &x->sub.shift, &l->offset, &l->fixed, &l->at, f);
}

/* The inner steps are multiples of the subquery's step, whatever the outer ones are. */
static enum err subquery_points(struct eval *ev, const struct expr *x, const struct lens *l, int64_t step,
                                const struct use *use, struct fault *f)
{
    int64_t after = lens_ref(l, 0) - l->range, last = lens_ref(l, l->st.n - 1);
    int64_t start = step * (after / step);
    if (start <= after)
        start += step;
    if (start > last)
        return OK;
    uint64_t n = (uint64_t)((last - start) / step) + 1;
    if (n > UINT32_MAX / 2)
        return fault_set(f, E_LIMIT, 0, "subquery has too many steps");
    enum err e = query_hold(ev->q, n, f);
    struct eval inner = *ev;
    inner.st = (struct steps){ start, step, (uint32_t)n };
    struct vec v = { 0 };
    if (!e)
        e = eval_vector(&inner, x->sub.of, &v, f);
    for (uint32_t s = 0; s < v.n && !e; s++)
        e = use_series(&inner, &v.at[s], use, f);
    return e;
}

/* Where the windows lie, and a subquery's step. */
static enum err range_lens(struct eval *ev, const struct expr *x, struct lens *l, int64_t *ret_step, struct fault *f)
{
    CHECK(x->kind == X_RANGE || x->kind == X_SUBQUERY);
    return x->kind == X_RANGE ? selector_lens(ev, x, l, f) : subquery_lens(ev, x, l, ret_step, f);
}

static enum err range_points(struct eval *ev, const struct expr *x, bool totals, const struct lens *l, int64_t step,
                             const struct use *use, struct fault *f)
{
    return x->kind == X_RANGE ? selector_points(ev, x, totals, l, use, f) : subquery_points(ev, x, l, step, use, f);
}

/* ---- anchored and smoothed raw ranges -------------------------------------- */

static double between(const struct points *p, size_t i, int64_t t)
{
    return p->v[i] + (p->v[i + 1] - p->v[i]) * (double)(t - p->t[i]) / (double)(p->t[i + 1] - p->t[i]);
}

/* The same of histograms: one before the start, those within, one at the end. */
static void extend_histograms(struct eval *ev, const struct lens *l, struct points *p, size_t first, size_t last)
{
    struct query_ctx *q = ev->q;
    int64_t end = lens_ref(l, 0), start = end - l->range;
    int64_t *t = arena_new(q->mem, int64_t, p->n + 2);
    double *v = arena_new(q->mem, double, p->n + 2);
    const struct histogram **h = arena_new(q->mem, const struct histogram *, p->n + 2);
    size_t n = 0;
    bool cut_left = l->smoothed && p->t[first] < start && first + 1 < p->n && p->h[first] && p->h[first + 1];
    bool cut_right = l->smoothed && last && p->t[last] > end && p->h[last - 1] && p->h[last];
    for (size_t i = first; i <= last; i++) {
        bool edge = i == first || i == last;
        if (!edge && (p->t[i] <= start || p->t[i] >= end))
            continue;
        t[n] = i == first ? start : p->t[i];
        v[n] = p->v[i];
        h[n++] = p->h[i] ? hist_copy(q->mem, p->h[i]) : NULL;
    }
    if (cut_left)
        h[0] = hist_between(q, p->h[first], p->t[first], p->h[first + 1], p->t[first + 1], start, false);
    if (cut_right)
        h[n - 1] = hist_between(q, p->h[last - 1], p->t[last - 1], p->h[last], p->t[last], end, false);
    t[n - 1] = end;
    *p = (struct points){ .labels = p->labels, .t = t, .v = v, .n = n, .h = h };
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
    if (p->h) {
        extend_histograms(ev, l, p, first, last);
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

struct raw_job {
    struct eval *ev;
    struct lens lens;
    struct pointset *ret;
};

static const struct histogram *const *copy_histograms(struct query_ctx *q, const struct histogram *const *from, size_t n)
{
    if (!from)
        return NULL;
    const struct histogram **h = arena_new(q->mem, const struct histogram *, n);
    for (size_t i = 0; i < n; i++)
        h[i] = from[i] ? hist_copy(q->mem, from[i]) : NULL;
    return h;
}

static enum err keep_raw(void *arg, const struct points *all, struct fault *f)
{
    struct raw_job *j = arg;
    struct points p = *all;
    int64_t end = lens_ref(&j->lens, 0) + j->lens.lookback_after;
    int64_t start = lens_ref(&j->lens, 0) - j->lens.range - j->lens.lookback_before;
    while (p.n && p.t[p.n - 1] > end)
        p.n--;
    while (p.n && p.t[0] <= start) {
        p.t++;
        p.v++;
        p.h += p.h ? 1 : 0;
        p.n--;
    }
    if (p.n && (j->lens.anchored || j->lens.smoothed)) {
        extend(j->ev, &j->lens, &p);
    } else {
        int64_t *t = arena_new(j->ev->q->mem, int64_t, p.n);
        double *v = arena_new(j->ev->q->mem, double, p.n);
        memcpy(t, p.t, sizeof *t * p.n);
        memcpy(v, p.v, sizeof *v * p.n);
        p.t = t;
        p.v = v;
        p.h = copy_histograms(j->ev->q, p.h, p.n);
    }
    p.acc = NULL;
    eval_touch(j->ev, 0, p.n);
    if (p.n)
        *arena_push(j->ev->q->mem, j->ret->at, j->ret->n, j->ret->cap) = p;
    return query_check(j->ev->q, f);
}

enum err eval_range_points(struct eval *ev, const struct expr *x, struct pointset *ret, struct fault *f)
{
    struct raw_job j = { .ev = ev, .ret = ret };
    int64_t step = 0;
    *ret = (struct pointset){ 0 };
    enum err e = range_lens(ev, x, &j.lens, &step, f);
    return e ? e : range_points(ev, x, true, &j.lens, step, &(struct use){ .each = keep_raw, .arg = &j }, f);
}

/* ---- windows --------------------------------------------------------------- */

struct window_job {
    struct eval *ev;
    const struct fn_def *fn;
    struct lens lens;
    double *args[FN_ARGS_MAX];                     /* scalars, by step */
    uint32_t nargs;
    bool exact;                                    /* increases of accounted series */
    const struct expr *arg;                        /* the range vector */
    struct str noted;                              /* the metric that a note was made of last */
    struct vec *ret;
    struct grouped *into;                          /* or NULL: the series go to ret */
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

void window_note(const struct window *w, bool warning, const char *text)
{
    char all[256];
    snprintf(all, sizeof all, "%s \"" STR_FMT "\"", text, STR_ARG(str_sub(labels_get(w->labels, S("__name__")), 0, 100)));
    note_at(w->ev, warning, w->arg, all);
}

bool window_mixed(const struct window *w)
{
    window_note(w, true, "encountered a mix of histograms and floats for metric name");
    return false;
}

/* A function of numbers, given the numbers of the window only. */
static bool of_numbers(const struct fn_def *fn, struct window *w, const double *args, double *ret)
{
    size_t n = 0;
    if (w->nh == w->n)
        return false;
    struct window own = *w;
    int64_t *t = mem_alloc(sizeof *t * w->n);
    double *v = mem_alloc(sizeof *v * w->n);
    for (size_t i = 0; i < w->n; i++)
        if (!w->h[i]) {
            t[n] = w->t[i];
            v[n++] = w->v[i];
        }
    own.t = t;
    own.v = v;
    own.n = n;
    own.h = NULL;
    own.nh = 0;
    window_note(w, false, "ignored histograms in a range containing both floats and histograms for metric name");
    bool any = fn->window(&own, args, ret);
    w->err = own.err;
    mem_free(t);
    mem_free(v);
    return any;
}

/* The result at one step; puts it there. */
static void run_window(struct window_job *j, struct window *w, const double *args, struct tser *out, uint32_t i)
{
    double v;
    w->hist = NULL;
    bool any = w->nh && !(j->fn->flags & FN_HISTOGRAMS) ? of_numbers(j->fn, w, args, &v) : j->fn->window(w, args, &v);
    if (any && w->hist)
        tser_put_hist(w->q, out, i, w->hist);
    else if (any)
        out->v[i] = v;
}

static struct tser *series_out(struct window_job *j, const struct points *p, uint32_t from, uint32_t n)
{
    if (j->into)
        return grouped_begin(j->into, from, n);
    struct query_ctx *q = j->ev->q;
    return vec_add(q, j->ret, j->fn->flags & FN_KEEP_NAME ? p->labels : labels_drop_name(q->mem, p->labels), from, n);
}

static enum err one_series(struct window_job *j, const struct points *p, struct fault *f)
{
    struct query_ctx *q = j->ev->q;
    const struct lens *l = &j->lens;
    uint32_t from, end;
    stretch(l, p, &from, &end);
    if (from >= end)
        return OK;
    struct tser *out = series_out(j, p, from, end - from);
    struct window w = {
        .range_s = (double)l->range / 1000, .anchored = l->anchored, .smoothed = l->smoothed,
        .acc = j->exact ? p->acc : NULL, .q = q, .f = f, .increments = j->exact && p->increments,
        .ev = j->ev, .arg = j->arg, .labels = p->labels,
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
        eval_touch(j->ev, i, w.n);
        w.h = p->h ? p->h + lo : NULL;
        w.nh = 0;
        for (size_t k = 0; k < w.n && w.h; k++)
            w.nh += w.h[k] != NULL;
        double args[FN_ARGS_MAX];
        for (uint32_t a = 0; a < j->nargs; a++)
            args[a] = j->args[a][i];
        run_window(j, &w, args, out, i - from);
        enum err e = w.err || i % CHECK_EVERY ? w.err : query_check(q, f);
        if (e)
            return e;
    }
    if (j->into)
        grouped_end(j->into, p->group);
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
static void note_not_counter(struct window_job *j, struct labels l)
{
    struct str name = labels_get(l, S("__name__"));
    if (!name.n || str_ends(name, S("_total")) || str_ends(name, S("_sum")) || str_ends(name, S("_count")) ||
        str_ends(name, S("_bucket")) || str_eq(name, j->noted))
        return;
    char text[200];
    snprintf(text, sizeof text,
             "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"" STR_FMT "\"",
             STR_ARG(str_sub(name, 0, 100)));
    note_at(j->ev, false, j->arg, text);
    j->noted = name;
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

static enum err window_series(void *arg, const struct points *p, struct fault *f)
{
    struct window_job *j = arg;
    enum err e = one_series(j, p, f);
    if (!e && j->fn->flags & FN_INCREASE && !p->h)
        note_not_counter(j, p->labels);
    return e;
}

static void window_tiled(void *arg, struct labels name)
{
    struct window_job *j = arg;
    if (j->fn->flags & FN_INCREASE)
        note_not_counter(j, name);
}

/* Windows that do not overlap can be folded while rows come. */
static bool lay_tiles(const struct window_job *j, struct tiles *w)
{
    const struct lens *l = &j->lens;
    bool apart = l->st.n == 1 || (!l->fixed && l->range <= l->st.step_ms);
    if (!j->into || j->into->no_tiles || !j->fn->tile || !apart || l->anchored || l->smoothed)
        return false;
    tiles_init(w, j->ev, j->into, j->fn->tile);
    w->exact = j->exact;
    w->per_second = j->fn->flags & FN_PER_SECOND;
    w->end_ms = lens_ref(l, 0);
    w->step_ms = l->st.step_ms;
    w->range_ms = l->range;
    w->n = l->st.n;
    return true;
}

/* The scalars among the arguments, by step, and the range vector. */
static enum err window_args(struct window_job *j, const struct expr *x, struct fault *f)
{
    enum err e = OK;
    for (uint32_t i = 0; i < x->call.nargs && !e; i++) {
        if (x->call.args[i]->type == T_MATRIX) {
            j->arg = expr_bare(x->call.args[i]);
            continue;
        }
        j->args[j->nargs] = arena_new(j->ev->q->mem, double, j->ev->st.n);
        e = eval_scalar(j->ev, x->call.args[i], j->args[j->nargs++], f);
    }
    CHECK(e || j->arg);
    return e;
}

enum err eval_window_call(struct eval *ev, const struct expr *x, struct grouped *into, struct vec *ret, struct fault *f)
{
    struct window_job j = { .ev = ev, .fn = x->call.fn, .ret = ret, .into = into };
    int64_t step = 0;
    enum err e = window_args(&j, x, f);
    if (!e)
        e = range_lens(ev, j.arg, &j.lens, &step, f);
    if (!e)
        e = check_extended(&j, f);
    if (e)
        return e;
    j.exact = j.fn->flags & FN_INCREASE && !ev->q->extrapolate_always;
    struct tiles w;
    bool tiled = lay_tiles(&j, &w);
    struct use use = { window_series, &j, into ? &into->groups : NULL, tiled ? &w : NULL, window_tiled };
    bool totals = !(j.fn->flags & FN_NO_BASE) && !(into && folds_count(&into->folds));
    e = range_points(ev, j.arg, totals, &j.lens, step, &use, f);
    if (tiled) {
        into->no_tiles = w.again;
        tiles_done(&w);
    }
    if (e || into)
        return e;
    vec_trim(ret);
    if (j.fn->flags & FN_ABSENT)
        absent_of(ev, j.arg, ret);
    return vec_merge(ev->q, ret, f);
}
