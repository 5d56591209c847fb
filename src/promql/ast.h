/* promql/ast.h -- the tree of a query.
 *
 * Owner:    the arena of the parse; regular expressions the struct promql.
 * Threads:  immutable once checked.
 * Units:    offsets into the text are bytes; times are Unix ms, durations ms.
 */
#pragma once
#include "query/aggregate.h"
#include "query/binop.h"

enum ptype { T_NONE, T_SCALAR, T_VECTOR, T_MATRIX, T_STRING };

enum expr_kind { X_NUMBER, X_STRING, X_SELECTOR, X_RANGE, X_SUBQUERY, X_CALL, X_AGGREGATE, X_BINARY, X_UNARY, X_PAREN };

struct span {
    uint32_t at, end;
};

/* A duration: a literal, or an expression that needs the query's step or range. */
enum dur_op { DUR_LITERAL, DUR_ADD, DUR_SUB, DUR_MUL, DUR_DIV, DUR_MOD, DUR_POW, DUR_NEG, DUR_STEP, DUR_RANGE, DUR_MIN, DUR_MAX };

struct dur {
    enum dur_op op;
    double seconds;                                /* DUR_LITERAL */
    struct dur *l, *r;
    bool wrapped;                                  /* written in parentheses; never a literal */
    struct span span;
};

enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END };

struct shift {
    struct dur *offset;                            /* NULL: none */
    enum at_kind at;
    int64_t at_ms;                                 /* AT_TIME */
};

struct selector {
    struct str name;                               /* written before the braces; empty if not */
    struct matcher *matchers;                      /* the one of `name` is the last */
    uint32_t nmatchers, cap;
    struct shift shift;
    bool anchored, smoothed;
    bool may_match_all;                            /* the second argument of info() */
};

struct fn_def;

struct expr {
    enum expr_kind kind;
    enum ptype type;
    struct span span;
    bool invariant;                                /* the same at every step */
    union {
        double number;
        struct str string;
        struct selector sel;
        struct { struct expr *of; struct dur *range; } range;
        struct { struct expr *of; struct dur *range, *step; struct shift shift; } sub;
        struct { const struct fn_def *fn; struct expr **args; uint32_t nargs, cap; } call;
        struct { enum agg_op op; bool without; struct str *names; uint32_t nnames; struct expr *of, *param; } agg;
        struct { enum bin_op op; struct expr *l, *r; struct matching m; uint32_t op_at; } bin;
        struct { bool negate; struct expr *of; } unary;
        struct expr *paren;
    };
};

/* Without parentheses around it. */
static inline const struct expr *expr_bare(const struct expr *x)
{
    while (x->kind == X_PAREN)
        x = x->paren;
    return x;
}

/* The selector of a selector or range; NULL for anything else. */
static inline const struct selector *expr_selector(const struct expr *x)
{
    if (x->kind == X_SELECTOR)
        return &x->sel;
    return x->kind == X_RANGE ? &x->range.of->sel : NULL;
}
