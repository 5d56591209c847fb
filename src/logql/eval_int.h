/* logql/eval_int.h -- the parts of evaluation. */
#pragma once
#include "logql/ast.h"

struct evaluator {
    struct query_ctx *ctx;
    const struct logql_options *opt;
    struct log_steps st;
    struct steps ms;
};

/* A range aggregation; `outer` is the grouping of a sum around it, or NULL. */
MUST enum err eval_range(struct evaluator *ev, const struct range_expr *r, const struct grouping *outer, struct vec *ret, struct fault *f);
