/* logql/check.c -- parameters, groupings and types; that a query selects something. */
#include "logql/check.h"

#include <math.h>

#include "logql/range_ops.h"
#include "logql/stage.h"

enum err check_range(struct parser *p, struct range_expr *r)
{
    const struct range_op *op = r->op;
    if (r->param_text.n && !op->param)
        return parser_error(p, "parameter " STR_FMT " not supported for operation " STR_FMT, STR_ARG(r->param_text), STR_ARG(op->name));
    if (!r->param_text.n && op->param)
        return parser_error(p, "parameter required for operation " STR_FMT, STR_ARG(op->name));
    if (r->by.present && !op->grouping)
        return parser_error(p, "grouping not allowed for " STR_FMT " aggregation", STR_ARG(op->name));
    if (r->unwrap.present && !op->unwrapped)
        return parser_error(p, "invalid aggregation " STR_FMT " with unwrap", STR_ARG(op->name));
    if (!r->unwrap.present && !op->plain)
        return parser_error(p, "invalid aggregation " STR_FMT " without unwrap", STR_ARG(op->name));
    return OK;
}

enum err check_agg(struct parser *p, struct agg_expr *a, struct str k)
{
    struct str name = a->def->name;
    if (a->in->kind == EXPR_LOG)
        return parser_unexpected(p, NULL);
    if (!a->def->param && k.n)
        return parser_error(p, "unsupported parameter for operation " STR_FMT "(" STR_FMT ",", STR_ARG(name), STR_ARG(k));
    if (!a->def->param)
        return OK;
    if (!k.n)
        return parser_error(p, "parameter required for operation " STR_FMT, STR_ARG(name));
    if (!str_to_i64(k, &a->k))
        return parser_error(p, "invalid parameter " STR_FMT "(" STR_FMT ",", STR_ARG(name), STR_ARG(k));
    if (a->k <= 0)
        return parser_error(p, "invalid parameter (must be greater than 0) " STR_FMT "(" STR_FMT, STR_ARG(name), STR_ARG(k));
    if (a->def->approx && a->by.present)
        return parser_error(p, "grouping not allowed for " STR_FMT " aggregation", STR_ARG(name));
    return OK;
}

static const char *op_text(enum bin_op op)
{
    static const char *const texts[] = {
        [BIN_ADD] = "+", [BIN_SUB] = "-", [BIN_MUL] = "*", [BIN_DIV] = "/", [BIN_MOD] = "%", [BIN_POW] = "^",
        [BIN_ATAN2] = "atan2", [BIN_EQ] = "==", [BIN_NE] = "!=", [BIN_GT] = ">", [BIN_LT] = "<", [BIN_GE] = ">=",
        [BIN_LE] = "<=", [BIN_AND] = "and", [BIN_OR] = "or", [BIN_UNLESS] = "unless",
    };
    return texts[op];
}

/* LogQL has no infinities: what is divided by zero is not a number. */
static double fold_numbers(enum bin_op op, double a, double b)
{
    return (op == BIN_DIV || op == BIN_MOD) && b == 0 ? NAN : bin_scalars(op, a, b);
}

enum err check_binary(struct parser *p, struct expr *x)
{
    const struct expr *legs[] = { x->bin.left, x->bin.right };
    const char *op = op_text(x->bin.op);
    for (size_t i = 0; i < LEN(legs); i++) {
        const char *side = i ? "right" : "left";
        if (legs[i]->kind == EXPR_LOG)
            return parser_error(p, "unexpected type for %s leg of binary operation (%s): %s", side, op,
                                legs[i]->log.nstages ? "*syntax.PipelineExpr" : "*syntax.MatchersExpr");
        if (bin_is_set(x->bin.op) && legs[i]->kind == EXPR_NUMBER)
            return parser_error(p, "unexpected literal for %s leg of logical/set binary operation (%s): %f", side, op, legs[i]->number);
    }
    if (bin_is_set(x->bin.op))
        x->bin.m.card = MANY_TO_MANY;
    if (legs[0]->kind == EXPR_NUMBER && legs[1]->kind == EXPR_NUMBER) {
        double v = fold_numbers(x->bin.op, legs[0]->number, legs[1]->number);
        *x = (struct expr){ .kind = EXPR_NUMBER, .at = x->at, .number = v };
    }
    return OK;
}

/* Some matcher must ask for something, or the query would read every stream. */
static enum err check_selector(struct parser *p, const struct log_expr *log)
{
    for (uint32_t i = 0; i < log->nmatchers; i++)
        if (!matcher_test(&log->matchers[i], S("")))
            return OK;
    return parser_error(p, "queries require at least one regexp or equality matcher that does not have an empty-compatible value. "
                           "For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will");
}

enum err check_root(struct parser *p, const struct expr *x)
{
    switch (x->kind) {
    case EXPR_LOG:
        return check_selector(p, &x->log);
    case EXPR_RANGE:
        return check_selector(p, &x->range.log);
    case EXPR_AGG:
        if (x->agg.def->sorts && x->agg.by.n)
            return parser_error(p, "sort and sort_desc doesn't allow grouping by ");
        return check_root(p, x->agg.in);
    case EXPR_REPLACE:
        return check_root(p, x->replace.in);
    case EXPR_BIN: {
        enum err e = check_root(p, x->bin.left);
        return e ? e : check_root(p, x->bin.right);
    }
    case EXPR_NUMBER:
    case EXPR_VECTOR:
        return OK;
    }
    return OK;
}
