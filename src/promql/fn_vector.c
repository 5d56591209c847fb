/* promql/fn_vector.c -- between scalars and vectors, absence, order. */
#include <math.h>
#include <stdlib.h>

#include "promql/functions_int.h"

static enum err fn_vector(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    struct tser *s = vec_add(ev->q, ret, (struct labels){ 0 }, 0, ev->st.n);
    return eval_scalar(ev, call->call.args[0], s->v, f);
}

/* The one value of a step; NaN where there is none or more than one. */
static enum err fn_scalar(struct eval *ev, const struct expr *call, double *ret, struct fault *f)
{
    struct vec v;
    enum err e = eval_vector(ev, call->call.args[0], &v, f);
    for (uint32_t i = 0; i < ev->st.n && !e; i++) {
        uint32_t n = 0;
        ret[i] = NAN;
        for (uint32_t s = 0; s < v.n && n < 2; s++) {
            double x = tser_at(&v.at[s], i);
            if (value_is_absent(x))
                continue;
            ret[i] = n++ ? NAN : x;
        }
    }
    return e;
}

static enum err fn_pi(struct eval *ev, const struct expr *call, double *ret, struct fault *f)
{
    (void)call, (void)f;
    for (uint32_t i = 0; i < ev->st.n; i++)
        ret[i] = M_PI;
    return OK;
}

static enum err two_scalars(struct eval *ev, const struct expr *call, double (*fn)(double, double), double *ret,
                            struct fault *f)
{
    double *other = arena_new(ev->q->mem, double, ev->st.n);
    enum err e = eval_scalar(ev, call->call.args[0], ret, f);
    if (!e)
        e = eval_scalar(ev, call->call.args[1], other, f);
    for (uint32_t i = 0; i < ev->st.n && !e; i++)
        ret[i] = fn(ret[i], other[i]);
    return e;
}

static enum err fn_max_of(struct eval *ev, const struct expr *call, double *ret, struct fault *f)
{
    return two_scalars(ev, call, go_max, ret, f);
}

static enum err fn_min_of(struct eval *ev, const struct expr *call, double *ret, struct fault *f)
{
    return two_scalars(ev, call, go_min, ret, f);
}

/* ---- absence --------------------------------------------------------------- */

/* What the selector says its series must have: labels that it names once, with "=". */
struct labels absent_labels(struct eval *ev, const struct expr *arg)
{
    struct labels l = { 0 };
    const struct selector *s = expr_selector(arg);
    for (uint32_t i = 0; s && i < s->nmatchers; i++) {
        const struct matcher *m = &s->matchers[i];
        if (str_eq(m->label, S("__name__")))
            continue;
        bool again = false;
        for (uint32_t k = 0; k < i; k++)
            again |= s->matchers[k].op == MATCH_EQ && str_eq(s->matchers[k].label, m->label);
        l = labels_set(ev->q->mem, l, m->label, m->op == MATCH_EQ && !again ? m->value : S(""));
    }
    return l;
}

static enum err fn_absent(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    struct vec v;
    enum err e = eval_vector(ev, call->call.args[0], &v, f);
    if (e)
        return e;
    struct tser *out = vec_add(ev->q, ret, absent_labels(ev, call->call.args[0]), 0, ev->st.n);
    for (uint32_t i = 0; i < ev->st.n; i++)
        out->v[i] = 1;
    for (uint32_t s = 0; s < v.n; s++)
        for (uint32_t i = 0; i < v.at[s].n; i++)
            if (tser_has(&v.at[s], i))
                out->v[v.at[s].from + i] = value_absent();
    vec_trim(ret);
    return OK;
}

/* ---- order ----------------------------------------------------------------- */

static int ascending_nan_last(const void *a, const void *b)
{
    double x = ((const struct tser *)a)->v[0], y = ((const struct tser *)b)->v[0];
    if (isnan(x) || isnan(y))
        return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

static int descending_nan_last(const void *a, const void *b)
{
    double x = ((const struct tser *)a)->v[0], y = ((const struct tser *)b)->v[0];
    if (isnan(x) || isnan(y))
        return isnan(x) - isnan(y);
    return (x < y) - (x > y);
}

/* Order means something for an instant query only. */
static enum err sorted(struct eval *ev, const struct expr *call, int (*cmp)(const void *, const void *), struct vec *ret,
                       struct fault *f)
{
    enum err e = eval_vector(ev, call->call.args[0], ret, f);
    for (uint32_t s = 0; s < ret->n; s++)
        ret->at[s].h = NULL;                       /* histograms have no order, and go */
    vec_trim(ret);
    if (!e && ev->st.n == 1 && ret->n > 1)
        qsort(ret->at, ret->n, sizeof *ret->at, cmp);
    return e;
}

static enum err fn_sort(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    return sorted(ev, call, ascending_nan_last, ret, f);
}

static enum err fn_sort_desc(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    return sorted(ev, call, descending_nan_last, ret, f);
}

const struct fn_def fns_vector[] = {
    { S("vector"), { T_SCALAR }, 0, T_VECTOR, FN_VECTOR, 0, .vector = fn_vector },
    { S("scalar"), { T_VECTOR }, 0, T_SCALAR, FN_SCALAR, 0, .scalar = fn_scalar },
    { S("pi"), { T_NONE }, 0, T_SCALAR, FN_SCALAR, 0, .scalar = fn_pi },
    { S("max_of"), { T_SCALAR, T_SCALAR }, 0, T_SCALAR, FN_SCALAR, 0, .scalar = fn_max_of },
    { S("min_of"), { T_SCALAR, T_SCALAR }, 0, T_SCALAR, FN_SCALAR, 0, .scalar = fn_min_of },
    { S("absent"), { T_VECTOR }, 0, T_VECTOR, FN_VECTOR, 0, .vector = fn_absent },
    { S("sort"), { T_VECTOR }, 0, T_VECTOR, FN_VECTOR, 0, .vector = fn_sort },
    { S("sort_desc"), { T_VECTOR }, 0, T_VECTOR, FN_VECTOR, 0, .vector = fn_sort_desc },
    { .name = { 0 } },
};
