/* promql/eval.c -- runs a checked tree over the steps of a query.
 *
 * Vectors are lists of dense arrays over the steps (query/vec.h), scalars one array.
 * Each node is evaluated once for all steps. What is the same at every step (a
 * selector with @, and what is made of it) is evaluated for one step and spread.
 */
#include <math.h>
#include <stdio.h>

#include "promql/eval_int.h"
#include "promql/parse_int.h"
#include "promql/tile.h"

/* ---- times ----------------------------------------------------------------- */

bool promql_is_instant(const struct promql_time *t)
{
    return t->step_ms == 0;
}

static double dur_seconds(const struct eval *ev, const struct dur *d)
{
    double l = d->l ? dur_seconds(ev, d->l) : 0, r = d->r ? dur_seconds(ev, d->r) : 0;
    switch (d->op) {
    case DUR_LITERAL: return d->seconds;
    case DUR_ADD: return l + r;
    case DUR_SUB: return l - r;
    case DUR_MUL: return l * r;
    case DUR_DIV: return l / r;
    case DUR_MOD: return fmod(l, r);
    case DUR_POW: return pow(l, r);
    case DUR_NEG: return -l;
    case DUR_STEP: return (double)ev->top->step_ms / 1000;
    case DUR_RANGE: return (double)(ev->top->end_ms - ev->top->start_ms) / 1000;
    case DUR_MIN: return fmin(l, r);
    case DUR_MAX: return fmax(l, r);
    }
    return NAN;
}

enum err eval_dur(const struct eval *ev, const struct dur *d, bool positive, int64_t *ret_ms, struct fault *f)
{
    double s = dur_seconds(ev, d);
    if (!(fabs(s) < 9223372036.0))
        return p_fault(f, ev->query->text, d->span.at, isnan(s) || isinf(s) ? "division by zero" : "duration out of range");
    if (positive && !(s > 0))
        return p_fault(f, ev->query->text, d->span.at, "duration must be greater than 0");
    *ret_ms = llround(s * 1e9) / NS_PER_MS;
    return OK;
}

enum err eval_shift(const struct eval *ev, const struct shift *s, int64_t *ret_offset, bool *ret_fixed, int64_t *ret_at,
                    struct fault *f)
{
    *ret_offset = 0;
    if (s->offset) {
        enum err e = eval_dur(ev, s->offset, false, ret_offset, f);
        if (e)
            return e;
    }
    *ret_fixed = s->at != AT_NONE;
    *ret_at = s->at == AT_TIME ? s->at_ms : s->at == AT_START ? ev->top->start_ms : ev->top->end_ms;
    return OK;
}

void note_at(const struct eval *ev, bool warning, const struct expr *where, const char *text)
{
    struct fault at = { 0 };
    (void)p_fault(&at, ev->query->text, where->span.at, "");
    size_t n = str_find(str_c(at.msg), S(": "));
    query_note(ev->q, warning, "PromQL %s: %s (%.*s)", warning ? "warning" : "info", text, n == SIZE_MAX ? 0 : (int)n,
               at.msg);
}

/* ---- instant selectors ----------------------------------------------------- */

struct sight {
    struct eval *ev;
    struct vec *ret;
    struct grouped *into;                          /* or NULL */
    struct steps st;
    int64_t offset, lookback;
    bool fixed, smoothed, times;
    int64_t at;
};

static int64_t sight_ref(const struct sight *s, uint32_t step)
{
    return (s->fixed ? s->at : steps_at(s->st, step)) - s->offset;
}

/* Between its neighbours; after the last one it holds on, before the first there is nothing. */
static void smooth(const struct sight *s, const struct points *p, size_t before, int64_t ref, struct tser *out, uint32_t i)
{
    struct query_ctx *q = s->ev->q;
    bool has_prev = before && p->t[before - 1] > ref - s->lookback;
    bool has_next = before < p->n && p->t[before] <= ref + s->lookback;
    if (!has_prev)
        return;
    double y1 = p->v[before - 1];
    int64_t t1 = p->t[before - 1];
    const struct histogram *h1 = p->h ? p->h[before - 1] : NULL, *h2 = p->h && has_next ? p->h[before] : NULL;
    if (h1 && h2)
        tser_put_hist(q, out, i, hist_between(q, h1, t1, h2, p->t[before], ref, false));
    else if (h1)
        tser_put_hist(q, out, i, hist_copy(q->mem, h1));
    else if (!has_next || t1 == ref || h2)
        out->v[i] = y1;
    else
        out->v[i] = y1 + (p->v[before] - y1) * (double)(ref - t1) / (double)(p->t[before] - t1);
}

/* A histogram of the points, copied once for all steps that show it. */
static void show_histogram(const struct sight *s, const struct points *p, size_t k, struct tser *out, uint32_t i,
                           const struct histogram **last)
{
    bool again = i && *last == p->h[k] && out->h && out->h[i - 1];
    tser_put_hist(s->ev->q, out, i, again ? out->h[i - 1] : hist_copy(s->ev->q->mem, p->h[k]));
    *last = p->h[k];
}

static void see(const struct sight *s, const struct points *p, struct tser *out)
{
    size_t k = 0;                                  /* points at or before the reference time */
    const struct histogram *last = NULL;
    for (uint32_t i = 0; i < s->st.n; i++) {
        int64_t ref = sight_ref(s, i);
        while (k < p->n && p->t[k] <= ref)
            k++;
        bool hist = k && p->h && p->h[k - 1];
        if (s->smoothed)
            smooth(s, p, k, ref, out, i);
        else if (!k || p->t[k - 1] <= ref - s->lookback || (!hist && value_is_absent(p->v[k - 1])))
            continue;
        else if (hist && !s->times)
            show_histogram(s, p, k - 1, out, i, &last);
        else
            out->v[i] = s->times ? (double)p->t[k - 1] / 1000 : p->v[k - 1];
    }
}

/* The stretch of steps at which a series can have a value. */
static void stretch(const struct sight *s, const struct points *p, uint32_t *ret_from, uint32_t *ret_n)
{
    *ret_from = 0;
    *ret_n = s->st.n;
    if (s->fixed || !p->n || s->smoothed)
        return;
    int64_t first = p->t[0] + s->offset, last = p->t[p->n - 1] + s->lookback + s->offset;
    int64_t from = first <= s->st.start_ms ? 0 : (first - s->st.start_ms + s->st.step_ms - 1) / s->st.step_ms;
    int64_t end = last < s->st.start_ms ? 0 : (last - s->st.start_ms) / s->st.step_ms + 1;
    *ret_from = (uint32_t)MIN(from, (int64_t)s->st.n);
    *ret_n = end > *ret_from ? (uint32_t)MIN(end, (int64_t)s->st.n) - *ret_from : 0;
}

static enum err see_series(void *arg, const struct points *p, struct fault *f)
{
    struct sight part = *(struct sight *)arg;
    uint32_t from, n;
    (void)f;
    stretch(&part, p, &from, &n);
    part.st.start_ms = steps_at(part.st, from);
    part.st.n = n;
    struct tser *out = part.into ? grouped_begin(part.into, from, n) : vec_add(part.ev->q, part.ret, p->labels, from, n);
    see(&part, p, out);
    for (uint32_t i = 0; i < n; i++)
        eval_touch(part.ev, from + i, tser_has(out, i));
    if (part.into)
        grouped_end(part.into, p->group);
    return OK;
}

/* Steps that are no nearer than the lookback see a sample once at most. */
static bool lay_tiles(const struct sight *s, struct tiles *w)
{
    bool apart = s->st.n == 1 || (!s->fixed && s->lookback <= s->st.step_ms);
    if (!s->into || s->into->no_tiles || !apart || s->smoothed || s->times)
        return false;
    tiles_init(w, s->ev, s->into, TILE_SIGHT);
    w->end_ms = sight_ref(s, 0);
    w->step_ms = s->st.step_ms;
    w->range_ms = s->lookback;
    w->n = s->st.n;
    return true;
}

enum err eval_selector(struct eval *ev, const struct selector *sel, bool times, struct grouped *into, struct vec *ret,
                       struct fault *f)
{
    struct sight s = {
        .ev = ev, .ret = ret, .into = into, .st = ev->st, .lookback = ev->q->lookback_ns / NS_PER_MS, .smoothed = sel->smoothed,
        .times = times,
    };
    enum err e = eval_shift(ev, &sel->shift, &s.offset, &s.fixed, &s.at, f);
    if (e)
        return e;
    struct select_req req = {
        .sel = sel,
        .after_ms = sight_ref(&s, 0) - s.lookback,
        .to_ms = sight_ref(&s, s.st.n - 1) + (s.smoothed ? s.lookback : 0),
        .totals = !times && !(into && folds_count(&into->folds)),
        .drop_stale = s.smoothed,
        .groups = into ? &into->groups : NULL,
        .each = see_series,
        .arg = &s,
    };
    struct tiles w;
    bool tiled = lay_tiles(&s, &w);
    req.tiles = tiled ? &w : NULL;
    e = select_points(ev, &req, f);
    if (tiled) {
        into->no_tiles = w.again;
        tiles_done(&w);
    }
    if (e || into)
        return e;
    vec_trim(ret);
    return vec_merge(ev->q, ret, f);
}

/* ---- calls ----------------------------------------------------------------- */

/* vector(time()): what date functions take when they are given nothing. */
static void now_vector(struct eval *ev, struct vec *ret)
{
    struct tser *s = vec_add(ev->q, ret, (struct labels){ 0 }, 0, ev->st.n);
    for (uint32_t i = 0; i < ev->st.n; i++)
        s->v[i] = (double)(steps_at(ev->st, i) / 1000);
}

static enum err math_call(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    const struct fn_def *fn = x->call.fn;
    double *args[FN_ARGS_MAX] = { 0 };
    uint32_t nargs = x->call.nargs ? x->call.nargs - 1 : 0;
    struct vec in = { 0 };
    enum err e = OK;
    if (x->call.nargs)
        e = eval_vector(ev, x->call.args[0], &in, f);
    else
        now_vector(ev, &in);
    CHECK(nargs <= FN_ARGS_MAX);
    for (uint32_t a = 0; a < nargs && !e; a++) {
        args[a] = arena_new(ev->q->mem, double, ev->st.n);
        e = eval_scalar(ev, x->call.args[a + 1], args[a], f);
    }
    for (uint32_t s = 0; s < in.n && !e; s++) {
        const struct tser *t = &in.at[s];
        struct tser *out = vec_add(ev->q, ret, labels_drop_name(ev->q->mem, t->labels), t->from, t->n);
        for (uint32_t i = 0; i < t->n; i++) {
            double at[FN_ARGS_MAX];
            for (uint32_t a = 0; a < nargs; a++)
                at[a] = args[a][t->from + i];
            if (!value_is_absent(t->v[i]))
                out->v[i] = fn->math(t->v[i], at, nargs);
        }
        e = query_check(ev->q, f);
    }
    vec_trim(ret);
    return e ? e : vec_merge(ev->q, ret, f);
}

static enum err call(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    const struct fn_def *fn = x->call.fn;
    switch (fn->kind) {
    case FN_MATH:
        return math_call(ev, x, ret, f);
    case FN_WINDOW:
        return eval_window_call(ev, x, NULL, ret, f);
    case FN_VECTOR: {
        enum err e = fn->vector(ev, x, ret, f);
        return e ? e : vec_merge(ev->q, ret, f);
    }
    case FN_SCALAR:
        break;
    }
    check_failed("a scalar function gives no vector", __FILE__, __LINE__);
}

/* ---- operators ------------------------------------------------------------- */

static const char mixed_schemas[] = "vector contains a mix of histograms with exponential and custom buckets schemas";

void note_remarks(const struct eval *ev, const struct expr *where, uint32_t remarks, const char *what)
{
    char text[120];
    if (remarks & HIST_COLLISION) {
        snprintf(text, sizeof text, "conflicting counter resets during histogram %s", what);
        note_at(ev, true, where, text);
    }
    if (remarks & HIST_RECONCILED) {
        snprintf(text, sizeof text, "mismatched custom buckets were reconciled during %s", what);
        note_at(ev, false, where, text);
    }
}

static void note_aggregation(const struct eval *ev, const struct expr *x, uint32_t remarks)
{
    static const char *const names[] = {
        [AGG_MIN] = "min", [AGG_MAX] = "max", [AGG_STDDEV] = "stddev", [AGG_STDVAR] = "stdvar", [AGG_QUANTILE] = "quantile",
        [AGG_TOPK] = "topk", [AGG_BOTTOMK] = "bottomk",
    };
    const struct expr *of = x->agg.of;
    note_remarks(ev, of, remarks, "aggregation");
    if (remarks & HIST_INCOMPATIBLE)
        note_at(ev, true, of, mixed_schemas);
    if (remarks & HIST_MIXED)
        note_at(ev, true, of, "encountered a mix of histograms and floats for aggregation");
    if (remarks & HIST_IGNORED && x->agg.op < LEN(names) && names[x->agg.op]) {
        char text[80];
        snprintf(text, sizeof text, "ignored histogram in %s aggregation", names[x->agg.op]);
        note_at(ev, false, of, text);
    }
}

static void note_operator(const struct eval *ev, const struct expr *x, uint32_t remarks)
{
    static const char *const ops[] = {
        [BIN_ADD] = "+", [BIN_SUB] = "-", [BIN_MUL] = "*", [BIN_DIV] = "/", [BIN_MOD] = "%", [BIN_POW] = "^",
        [BIN_ATAN2] = "atan2", [BIN_EQ] = "==", [BIN_NE] = "!=", [BIN_GT] = ">", [BIN_LT] = "<", [BIN_GE] = ">=",
        [BIN_LE] = "<=", [BIN_TRIM_UPPER] = "</", [BIN_TRIM_LOWER] = ">/",
    };
    static const char *const types[] = { "float", "histogram" };
    const char *op = ops[x->bin.op];
    char text[160];
    note_remarks(ev, x, remarks, x->bin.op == BIN_ADD ? "addition" : "subtraction");
    if (remarks & HIST_INCOMPATIBLE) {
        snprintf(text, sizeof text, "incompatible bucket layout encountered for binary operator %s", op);
        note_at(ev, true, x, text);
    }
    for (unsigned i = 0; i < 4; i++)
        if (remarks & hist_types(i >> 1, i & 1)) {
            snprintf(text, sizeof text, "incompatible sample types encountered for binary operator \"%s\": %s %s %s", op,
                     types[i >> 1], op, types[i & 1]);
            note_at(ev, false, x, text);
        }
}

static enum err aggregate(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    bool done;
    ev->q->remarks = 0;
    enum err e = eval_grouped(ev, x, ret, &done, f);
    if (e || done) {
        if (!e && ev->q->remarks)
            note_aggregation(ev, x, ev->q->remarks);
        if (!ev->unordered && ev->st.n == 1)       /* groups came as their series were found, and that changes */
            vec_sort_labels(ret);
        return e;
    }
    struct aggregation a = {
        .op = x->agg.op, .without = x->agg.without, .names = x->agg.names, .nnames = x->agg.nnames,
    };
    if (a.op == AGG_COUNT_VALUES) {
        a.label = expr_bare(x->agg.param)->string;
        if (!a.label.n)
            return query_error(ev->q, f, E_EXEC, "invalid label name \"\"");
    } else if (x->agg.param) {
        double *param = arena_new(ev->q->mem, double, ev->st.n);
        e = eval_scalar(ev, x->agg.param, param, f);
        a.param = param;
    }
    struct vec in = { 0 };
    struct eval inner = *ev;
    inner.unordered = agg_is_fold(a.op);
    if (!e)
        e = eval_vector(&inner, x->agg.of, &in, f);
    for (uint32_t i = 0; a.op == AGG_QUANTILE && !e && i < ev->st.n; i++)
        if (!(a.param[i] >= 0 && a.param[i] <= 1)) {
            char text[80];
            snprintf(text, sizeof text, "quantile value should be between 0 and 1, got %g", a.param[i]);
            note_at(ev, true, x->agg.param, text);
            break;
        }
    if (e)
        return e;
    ev->q->remarks = 0;
    e = vec_aggregate(ev->q, &a, ev->st, &in, ret, f);
    if (ev->q->remarks)
        note_aggregation(ev, x, ev->q->remarks);
    return e;
}

static enum err binary(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    struct query_ctx *q = ev->q;
    const struct expr *l = x->bin.l, *r = x->bin.r;
    struct vec left = { 0 }, right = { 0 };
    double *scalar = arena_new(q->mem, double, ev->st.n);
    enum err e = l->type == T_VECTOR ? eval_vector(ev, l, &left, f) : eval_scalar(ev, l, scalar, f);
    if (!e)
        e = r->type == T_VECTOR ? eval_vector(ev, r, &right, f) : eval_scalar(ev, r, scalar, f);
    if (e)
        return e;
    q->remarks = 0;
    bool swapped = r->type == T_VECTOR;
    if (l->type != T_VECTOR || r->type != T_VECTOR)
        e = vec_scalar(q, x->bin.op, x->bin.m.bool_mode, swapped, ev->st, swapped ? &right : &left, scalar, ret, f);
    else if (bin_is_set(x->bin.op))
        e = vec_setop(q, x->bin.op, &x->bin.m, ev->st, &left, &right, ret, f);
    else
        e = vec_binop(q, x->bin.op, &x->bin.m, ev->st, &left, &right, ret, f);
    if (q->remarks)
        note_operator(ev, x, q->remarks);
    return e;
}

static const struct histogram *negated(struct query_ctx *q, const struct histogram *h)
{
    struct histogram *out = hist_copy(q->mem, h);
    hist_mul(out, -1);
    return out;
}

static enum err unary(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    enum err e = eval_vector(ev, x->unary.of, ret, f);
    if (e || !x->unary.negate)
        return e;
    for (uint32_t s = 0; s < ret->n; s++) {
        ret->at[s].labels = labels_drop_name(ev->q->mem, ret->at[s].labels);
        for (uint32_t i = 0; i < ret->at[s].n; i++)
            if (!value_is_absent(ret->at[s].v[i]))
                ret->at[s].v[i] = -ret->at[s].v[i];
        for (uint32_t i = 0; i < ret->at[s].n && ret->at[s].h; i++)
            if (ret->at[s].h[i])
                ret->at[s].h[i] = negated(ev->q, ret->at[s].h[i]);
    }
    return vec_merge(ev->q, ret, f);
}

/* ---- nodes ----------------------------------------------------------------- */

static enum err vector_node(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    switch (x->kind) {
    case X_SELECTOR:
        return eval_selector(ev, &x->sel, false, NULL, ret, f);
    case X_CALL:
        return call(ev, x, ret, f);
    case X_AGGREGATE:
        return aggregate(ev, x, ret, f);
    case X_BINARY:
        return binary(ev, x, ret, f);
    case X_UNARY:
        return unary(ev, x, ret, f);
    case X_PAREN:
        return vector_node(ev, x->paren, ret, f);
    default:
        check_failed("the checker lets no other node be a vector", __FILE__, __LINE__);
    }
}

/* Evaluates for the first step and shows the result at all of them. */
static enum err spread(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    struct eval one = *ev;
    one.st.n = 1;
    struct vec v = { 0 };
    enum err e = vector_node(&one, x, &v, f);
    for (uint32_t s = 0; s < v.n && !e; s++) {
        struct tser *out = vec_add(ev->q, ret, v.at[s].labels, 0, ev->st.n);
        for (uint32_t i = 0; i < ev->st.n; i++)
            tser_copy(ev->q, out, i, &v.at[s], 0);
        e = query_check(ev->q, f);
    }
    return e;
}

enum err eval_vector(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    CHECK(x->type == T_VECTOR && ev->st.n);
    *ret = (struct vec){ 0 };
    enum err e = query_check(ev->q, f);
    if (!e)
        e = x->invariant && ev->st.n > 1 ? spread(ev, x, ret, f) : vector_node(ev, x, ret, f);
    if (!e)
        e = query_hold(ev->q, (uint64_t)ret->n, f);
    return e ? e : query_check_series(ev->q, ret->n, f);
}

static enum err scalar_binary(struct eval *ev, const struct expr *x, double *ret, struct fault *f)
{
    double *right = arena_new(ev->q->mem, double, ev->st.n);
    if (x->bin.op == BIN_TRIM_UPPER || x->bin.op == BIN_TRIM_LOWER)
        return query_error(ev->q, f, E_EXEC, "operator \"%s\" not allowed for Scalar operations",
                           x->bin.op == BIN_TRIM_UPPER ? "</" : ">/");
    enum err e = eval_scalar(ev, x->bin.l, ret, f);
    if (!e)
        e = eval_scalar(ev, x->bin.r, right, f);
    for (uint32_t i = 0; i < ev->st.n && !e; i++)
        ret[i] = bin_scalars(x->bin.op, ret[i], right[i]);
    return e;
}

enum err eval_scalar(struct eval *ev, const struct expr *x, double *ret, struct fault *f)
{
    CHECK(x->type == T_SCALAR);
    enum err e = OK;
    switch (x->kind) {
    case X_NUMBER:
        for (uint32_t i = 0; i < ev->st.n; i++)
            ret[i] = x->number;
        return OK;
    case X_PAREN:
        return eval_scalar(ev, x->paren, ret, f);
    case X_UNARY:
        e = eval_scalar(ev, x->unary.of, ret, f);
        for (uint32_t i = 0; i < ev->st.n && x->unary.negate; i++)
            ret[i] = -ret[i];
        return e;
    case X_BINARY:
        return scalar_binary(ev, x, ret, f);
    case X_CALL:
        return x->call.fn->scalar(ev, x, ret, f);
    default:
        check_failed("the checker lets no other node be a scalar", __FILE__, __LINE__);
    }
}

/* ---- entry ----------------------------------------------------------------- */

static enum err eval_instant(struct eval *ev, const struct expr *x, struct promql_result *ret, struct fault *f)
{
    ret->type = x->type;
    switch (x->type) {
    case T_SCALAR:
        return eval_scalar(ev, x, &ret->scalar, f);
    case T_STRING:
        ret->string = expr_bare(x)->string;
        return OK;
    case T_MATRIX:
        return eval_range_points(ev, expr_bare(x), &ret->points, f);
    default:
        return eval_vector(ev, x, &ret->vec, f);
    }
}

static enum err eval_range(struct eval *ev, const struct expr *x, struct promql_result *ret, struct fault *f)
{
    ret->type = T_MATRIX;
    if (x->type != T_SCALAR && x->type != T_VECTOR)
        return fault_set(f, E_SYNTAX, 0, "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                         ptype_text(x->type));
    if (x->type == T_SCALAR)
        return eval_scalar(ev, x, vec_add(ev->q, &ret->vec, (struct labels){ 0 }, 0, ev->st.n)->v, f);
    enum err e = eval_vector(ev, x, &ret->vec, f);
    vec_sort_labels(&ret->vec);
    return e;
}

enum err promql_eval(struct query_ctx *q, const struct promql *p, const struct promql_time *t, struct promql_result *ret,
                     struct fault *f)
{
    CHECK(p->root && t->end_ms >= t->start_ms && t->step_ms >= 0);
    bool instant = promql_is_instant(t);
    *ret = (struct promql_result){ 0 };
    struct eval ev = {
        .q = q,
        .query = p,
        .top = t,
        .st = { t->start_ms, instant ? 1 : t->step_ms, 1 },
    };
    if (!instant)
        ev.st.n = (uint32_t)((t->end_ms - t->start_ms) / t->step_ms + 1);
    ret->steps = ev.st;
    return instant ? eval_instant(&ev, p->root, ret, f) : eval_range(&ev, p->root, ret, f);
}
