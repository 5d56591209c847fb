/* logql/eval.c -- metric expressions over series: what range aggregations give goes
 * through the vector operators that PromQL has too. */
#include "logql/eval_int.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "logql/range_ops.h"

struct steps log_steps_ms(struct log_steps st)
{
    return (struct steps){ st.start_ns / NS_PER_MS, MAX(st.step_ns / NS_PER_MS, 1), st.n };
}

static enum err eval_expr(struct evaluator *ev, const struct expr *x, struct vec *ret, struct fault *f);

/* ---- aggregations --------------------------------------------------------------------------- */

/* A sum's grouping can be applied to the lines when the range aggregation is one that adds. */
static bool takes_grouping(const struct agg_expr *a)
{
    if (a->def->op != AGG_SUM || a->def->sorts || a->in->kind != EXPR_RANGE)
        return false;
    const struct range_op *op = a->in->range.op;
    return !a->in->range.by.present && op->adds && !op->mean && !op->absent;
}

static int by_value(const void *a, const void *b)
{
    const struct tser *x = a, *y = b;
    double v = tser_at(x, 0), w = tser_at(y, 0);
    if (isnan(v) || isnan(w))
        return isnan(v) - isnan(w);
    return (v > w) - (v < w);
}

static int by_value_descending(const void *a, const void *b)
{
    const struct tser *x = a, *y = b;
    double v = tser_at(x, 0), w = tser_at(y, 0);
    if (isnan(v) || isnan(w))
        return isnan(v) - isnan(w);
    return (v < w) - (v > w);
}

static enum err eval_agg(struct evaluator *ev, const struct agg_expr *a, struct vec *ret, struct fault *f)
{
    struct vec in = { 0 };
    enum err e = takes_grouping(a) ? eval_range(ev, &a->in->range, &a->by, &in, f) : eval_expr(ev, a->in, &in, f);
    if (e)
        return e;
    if (a->def->sorts) {
        vec_sort_labels(&in);
        if (ev->st.n == 1 && in.n > 1)
            qsort(in.at, in.n, sizeof *in.at, a->def->descending ? by_value_descending : by_value);
        *ret = in;
        return OK;
    }
    if (a->def->param)
        vec_sort_labels(&in);                      /* of equal ones the first is taken: that must not hang on the order of rows */
    struct aggregation agg = {
        .op = a->def->op, .without = a->by.without, .names = a->by.names, .nnames = a->by.n,
        .param = a->def->param ? steps_fill(ev->ctx, ev->ms, (double)a->k) : NULL,
    };
    return vec_aggregate(ev->ctx, &agg, ev->ms, &in, ret, f);
}

/* ---- operators ------------------------------------------------------------------------------ */

/* What is divided by zero is no number in LogQL: so zeros on the right become NaN. */
static void zeros_to_nan(enum bin_op op, double *v, uint32_t n)
{
    if (op != BIN_DIV && op != BIN_MOD)
        return;
    for (uint32_t i = 0; i < n; i++)
        if (v[i] == 0)
            v[i] = NAN;
}

static enum err eval_binary(struct evaluator *ev, const struct bin_expr *b, struct vec *ret, struct fault *f)
{
    struct vec left = { 0 }, right = { 0 };
    bool number_left = b->left->kind == EXPR_NUMBER, number_right = b->right->kind == EXPR_NUMBER;
    enum err e = number_left ? OK : eval_expr(ev, b->left, &left, f);
    if (!e && !number_right)
        e = eval_expr(ev, b->right, &right, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < right.n; i++)
        zeros_to_nan(b->op, right.at[i].v, right.at[i].n);
    if (!number_left && !number_right)
        return (bin_is_set(b->op) ? vec_setop : vec_binop)(ev->ctx, b->op, &b->m, ev->ms, &left, &right, ret, f);
    double *scalar = steps_fill(ev->ctx, ev->ms, number_left ? b->left->number : b->right->number);
    if (number_right)
        zeros_to_nan(b->op, scalar, ev->ms.n);
    return vec_scalar(ev->ctx, b->op, b->m.bool_mode, number_left, ev->ms, number_left ? &right : &left, scalar, ret, f);
}

/* ---- label_replace ---------------------------------------------------------------------------- */

enum { REPLACED_MAX = 1 << 16 };

/* $1, ${1}, ${name}: what a group matched. */
static void expand(struct buf *out, const struct regex *re, struct str text, const struct str *groups, uint32_t n)
{
    for (size_t i = 0; i < text.n;) {
        if (text.p[i] != '$') {
            buf_byte(out, text.p[i++]);
            continue;
        }
        bool brace = i + 1 < text.n && text.p[i + 1] == '{';
        size_t from = i + 1 + brace, end = from;
        while (end < text.n && (text.p[end] == '_' || (text.p[end] >= '0' && text.p[end] <= '9') ||
                                ((text.p[end] | 0x20) >= 'a' && (text.p[end] | 0x20) <= 'z')))
            end++;
        struct str name = str_sub(text, from, end - from);
        uint64_t at = n;
        if (!name.n || (brace && (end == text.n || text.p[end] != '}'))) {
            i += 1 + (i + 1 < text.n && text.p[i + 1] == '$');
            buf_byte(out, '$');
            continue;
        }
        if (!str_to_u64(name, &at))
            for (uint32_t g = 1; g < n; g++)
                if (str_eq(regex_group_name(re, g), name))
                    at = g;
        if (at < n)
            buf_str(out, groups[at]);
        i = end + brace;
    }
}

static struct labels replace_label(struct evaluator *ev, const struct replace_expr *r, struct labels l)
{
    struct str groups[REGEX_GROUPS_MAX], src = labels_get(l, r->src);
    uint32_t n = regex_groups(r->re) + 1;
    CHECK(n <= REGEX_GROUPS_MAX);
    if (!regex_find(r->re, src, 0, groups, n))
        return l;
    struct buf b;
    buf_init(&b, REPLACED_MAX);
    expand(&b, r->re, r->replacement, groups, n);
    struct str value = arena_str(ev->ctx->mem, buf_view(&b));
    buf_done(&b);
    return labels_set(ev->ctx->mem, l, r->dst, value);
}

static enum err eval_replace(struct evaluator *ev, const struct replace_expr *r, struct vec *ret, struct fault *f)
{
    enum err e = eval_expr(ev, r->in, ret, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < ret->n; i++)
        ret->at[i].labels = replace_label(ev, r, ret->at[i].labels);
    return vec_merge(ev->ctx, ret, f);
}

/* ---- all ------------------------------------------------------------------------------------------ */

static enum err eval_constant(struct evaluator *ev, double number, struct vec *ret)
{
    struct tser *s = vec_add(ev->ctx, ret, (struct labels){ 0 }, 0, ev->ms.n);
    s->v = steps_fill(ev->ctx, ev->ms, number);
    return OK;
}

static enum err eval_expr(struct evaluator *ev, const struct expr *x, struct vec *ret, struct fault *f)
{
    switch (x->kind) {
    case EXPR_RANGE: return eval_range(ev, &x->range, NULL, ret, f);
    case EXPR_AGG: return eval_agg(ev, &x->agg, ret, f);
    case EXPR_BIN: return eval_binary(ev, &x->bin, ret, f);
    case EXPR_REPLACE: return eval_replace(ev, &x->replace, ret, f);
    case EXPR_NUMBER:
    case EXPR_VECTOR: return eval_constant(ev, x->number, ret);
    case EXPR_LOG: break;
    }
    CHECK(!"lines are no metric");
    return E_EXEC;
}

enum err logql_metric(struct query_ctx *ctx, const struct logql *q, const struct logql_options *opt, struct log_steps st,
                      struct vec *ret, struct fault *f)
{
    CHECK(q->root->kind != EXPR_LOG && st.n && st.step_ns > 0);
    struct evaluator ev = { ctx, opt, st, log_steps_ms(st) };
    *ret = (struct vec){ 0 };
    enum err e = eval_expr(&ev, q->root, ret, f);
    if (!e && !(logql_sorts(q) && st.n == 1))
        vec_sort_labels(ret);
    return e ? e : query_check_series(ctx, ret->n, f);
}
