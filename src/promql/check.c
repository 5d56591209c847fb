/* promql/check.c -- is it well typed? Errors have Prometheus's texts and places. */
#include "promql/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "promql/functions.h"
#include "promql/parse_int.h"
#include "promql/print.h"

struct checker {
    const struct promql *q;
    struct fault *f;
};

const char *ptype_text(enum ptype t)
{
    static const char *const texts[] = {
        [T_NONE] = "none", [T_SCALAR] = "scalar", [T_VECTOR] = "instant vector", [T_MATRIX] = "range vector",
        [T_STRING] = "string",
    };
    return texts[t];
}

static enum err check(struct checker *c, struct expr *x);

static enum err wrong(struct checker *c, size_t at, const char *fmt, ...) PRINTF(3, 4);
static enum err wrong(struct checker *c, size_t at, const char *fmt, ...)
{
    char msg[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return p_fault(c->f, c->q->text, at, msg);
}

static enum err expect(struct checker *c, struct expr *x, enum ptype want, const char *context)
{
    enum err e = check(c, x);
    if (!e && x->type != want)
        e = wrong(c, x->span.at, "expected type %s in %s, got %s", ptype_text(want), context, ptype_text(x->type));
    return e;
}

static enum err check_aggregate(struct checker *c, struct expr *x)
{
    x->type = T_VECTOR;
    enum err e = expect(c, x->agg.of, T_VECTOR, "aggregation expression");
    if (!e && x->agg.param)
        e = expect(c, x->agg.param, x->agg.op == AGG_COUNT_VALUES ? T_STRING : T_SCALAR, "aggregation parameter");
    x->invariant = !e && x->agg.of->invariant && (!x->agg.param || x->agg.param->invariant);
    return e;
}

/* ---- binary ---------------------------------------------------------------- */

static bool is_operand(const struct expr *x)
{
    return x->type == T_SCALAR || x->type == T_VECTOR;
}

static enum err check_matching(struct checker *c, struct expr *x)
{
    struct matching *m = &x->bin.m;
    bool set = bin_is_set(x->bin.op), fills = m->fill_left || m->fill_right;
    if (set && m->card == ONE_TO_ONE)
        m->card = MANY_TO_MANY;
    for (uint32_t i = 0; i < m->ninclude && m->on; i++)
        if (names_have(m->names, m->nnames, m->include[i]))
            return wrong(c, x->bin.op_at, "label \"" STR_FMT "\" must not occur in ON and GROUP clause at once",
                         STR_ARG(str_sub(m->include[i], 0, 60)));
    if (!is_operand(x->bin.l) || !is_operand(x->bin.r))
        return wrong(c, is_operand(x->bin.l) ? x->bin.r->span.at : x->bin.l->span.at,
                     "binary expression must contain only scalar and instant vector types");
    bool vectors = x->bin.l->type == T_VECTOR && x->bin.r->type == T_VECTOR;
    if (!vectors && m->nnames)
        return wrong(c, x->span.at, "vector matching only allowed between instant vectors");
    if (!vectors && fills)
        return wrong(c, x->span.at, "filling in missing series only allowed between instant vectors");
    if (!vectors && set)
        return wrong(c, x->span.at, "set operator \"%s\" not allowed in binary scalar expression", bin_text(x->bin.op));
    if (set && m->card != MANY_TO_MANY)
        return wrong(c, x->span.at, "no grouping allowed for \"%s\" operation", bin_text(x->bin.op));
    if (set && fills)
        return wrong(c, x->span.at, "filling in missing series not allowed for set operators");
    return OK;
}

static enum err check_binary(struct checker *c, struct expr *x)
{
    enum err e = check(c, x->bin.l);
    if (!e)
        e = check(c, x->bin.r);
    if (e)
        return e;
    bool scalars = x->bin.l->type == T_SCALAR && x->bin.r->type == T_SCALAR;
    bool comparison = bin_is_comparison(x->bin.op);
    if (x->bin.m.bool_mode && !comparison)
        return wrong(c, x->bin.op_at, "bool modifier can only be used on comparison operators");
    if (comparison && !x->bin.m.bool_mode && scalars)
        return wrong(c, x->bin.op_at, "comparisons between scalars must use BOOL modifier");
    x->type = scalars ? T_SCALAR : T_VECTOR;
    x->invariant = x->bin.l->invariant && x->bin.r->invariant;
    return check_matching(c, x);
}

/* ---- calls ----------------------------------------------------------------- */

static enum err check_count(struct checker *c, const struct expr *x)
{
    const struct fn_def *fn = x->call.fn;
    uint32_t want = fn_nargs(fn), got = x->call.nargs;
    const char *how = "";
    if (!fn->variadic) {
        if (want == got)
            return OK;
    } else {
        want--;
        how = "at least ";
        uint32_t most = fn->variadic > 0 ? want + (uint32_t)fn->variadic : UINT32_MAX;
        if (got >= want && got <= most)
            return OK;
        if (got > most) {
            how = "at most ";
            want = most;
        }
    }
    return wrong(c, x->span.at, "expected %s%u argument(s) in call to \"" STR_FMT "\", got %u", how, want,
                 STR_ARG(fn->name), got);
}

static enum err check_info_selector(struct checker *c, struct expr *x)
{
    struct expr *s = x->call.args[1];
    if (s->kind != X_SELECTOR)
        return wrong(c, s->span.at, "expected label selectors only");
    if (s->sel.name.n)
        return wrong(c, s->span.at, "expected label selectors only, got vector selector instead");
    s->sel.may_match_all = true;
    return OK;
}

static enum err check_call(struct checker *c, struct expr *x)
{
    const struct fn_def *fn = x->call.fn;
    x->type = fn->ret;
    enum err e = check_count(c, x);
    if (!e && str_eq(fn->name, S("info")) && x->call.nargs > 1)
        e = check_info_selector(c, x);
    char context[80];
    snprintf(context, sizeof context, "call to function \"" STR_FMT "\"", STR_ARG(fn->name));
    uint32_t ntypes = fn_nargs(fn);
    x->invariant = !(fn->flags & FN_EVERY_STEP);
    for (uint32_t i = 0; i < x->call.nargs && !e; i++) {
        e = expect(c, x->call.args[i], fn->args[MIN(i, ntypes - 1)], context);
        x->invariant &= x->call.args[i]->invariant;
    }
    return e;
}

/* ---- selectors ------------------------------------------------------------- */

static enum err check_selector(struct checker *c, struct expr *x)
{
    const struct selector *s = &x->sel;
    x->type = T_VECTOR;
    x->invariant = s->shift.at != AT_NONE;
    if (s->name.n) {
        for (uint32_t i = 0; i + 1 < s->nmatchers; i++)
            if (str_eq(s->matchers[i].label, S("__name__")))
                return wrong(c, x->span.at, "metric name must not be set twice: \"" STR_FMT "\" or \"" STR_FMT "\"",
                             STR_ARG(str_sub(s->name, 0, 60)), STR_ARG(str_sub(s->matchers[i].value, 0, 60)));
        return OK;
    }
    bool selective = s->may_match_all;
    for (uint32_t i = 0; i < s->nmatchers && !selective; i++)
        selective = !matcher_test(&s->matchers[i], S(""));
    if (!selective)
        return wrong(c, x->span.at, "vector selector must contain at least one non-empty matcher");
    return OK;
}

static enum err check_subquery(struct checker *c, struct expr *x)
{
    enum err e = check(c, x->sub.of);
    if (!e && x->sub.of->type != T_VECTOR)
        e = wrong(c, x->span.at, "subquery is only allowed on instant vector, got %s instead",
                  x->sub.of->type == T_MATRIX ? "matrix" : ptype_text(x->sub.of->type));
    x->type = T_MATRIX;
    x->invariant = x->sub.shift.at != AT_NONE;
    return e;
}

static enum err check_unary(struct checker *c, struct expr *x)
{
    enum err e = check(c, x->unary.of);
    if (!e && !is_operand(x->unary.of))
        e = wrong(c, x->span.at, "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"",
                  ptype_text(x->unary.of->type));
    x->type = x->unary.of->type;
    x->invariant = x->unary.of->invariant;
    return e;
}

static enum err check(struct checker *c, struct expr *x)
{
    enum err e = OK;
    switch (x->kind) {
    case X_NUMBER:
    case X_STRING:
        x->type = x->kind == X_NUMBER ? T_SCALAR : T_STRING;
        x->invariant = true;
        return OK;
    case X_SELECTOR:
        return check_selector(c, x);
    case X_RANGE:
        e = check(c, x->range.of);
        x->type = T_MATRIX;
        x->invariant = x->range.of->invariant;
        return e;
    case X_SUBQUERY:
        return check_subquery(c, x);
    case X_CALL:
        return check_call(c, x);
    case X_AGGREGATE:
        return check_aggregate(c, x);
    case X_BINARY:
        return check_binary(c, x);
    case X_UNARY:
        return check_unary(c, x);
    case X_PAREN:
        e = check(c, x->paren);
        x->type = x->paren->type;
        x->invariant = x->paren->invariant;
        return e;
    }
    return e;
}

enum err check_expr(const struct promql *q, struct expr *x, struct fault *f)
{
    struct checker c = { q, f };
    return check(&c, x);
}
