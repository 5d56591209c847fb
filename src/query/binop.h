/* query/binop.h -- binary operators between vecs and scalars.
 *
 * Series are put into groups by their matching labels once; the steps of a group
 * are then computed pair by pair over arrays.
 *
 * Native histograms take part as Prometheus defines it; what has no result is left out
 * and told in the query's `remarks`.
 *
 * Errors: E_EXEC with Prometheus's texts for ambiguous matches.
 */
#pragma once
#include "query/vec.h"

enum bin_op {
    BIN_ADD, BIN_SUB, BIN_MUL, BIN_DIV, BIN_MOD, BIN_POW, BIN_ATAN2,
    BIN_EQ, BIN_NE, BIN_GT, BIN_LT, BIN_GE, BIN_LE,
    BIN_TRIM_UPPER, BIN_TRIM_LOWER,                /* `</` and `>/` of native histograms */
    BIN_AND, BIN_OR, BIN_UNLESS,
};

enum cardinality { ONE_TO_ONE, MANY_TO_ONE, ONE_TO_MANY, MANY_TO_MANY };

struct matching {
    enum cardinality card;
    bool on;                                       /* else ignoring */
    bool bool_mode;                                /* comparisons give 0 or 1 */
    const struct str *names;
    uint32_t nnames;
    const struct str *include;                     /* labels taken from the "one" side */
    uint32_t ninclude;
    const double *fill_left, *fill_right;          /* NULL: missing series do not match */
};

static inline bool bin_is_comparison(enum bin_op op)
{
    return op >= BIN_EQ && op <= BIN_LE;
}

static inline bool bin_is_set(enum bin_op op)
{
    return op >= BIN_AND;
}

/* A number, or a histogram. */
struct operand {
    double v;
    const struct histogram *h;
};

/* One result, of operands of which at least one is a histogram or the operator trims;
 * absent where a comparison does not hold. False: there is none for these types. */
MUST bool bin_histograms(struct query_ctx *q, enum bin_op op, bool bool_mode, struct operand left, struct operand right,
                         struct operand *ret);
/* Of two numbers; a comparison gives 0 or 1. */
double bin_scalars(enum bin_op op, double a, double b);

MUST enum err vec_binop(struct query_ctx *q, enum bin_op op, const struct matching *m, struct steps st,
                        const struct vec *left, const struct vec *right, struct vec *ret, struct fault *f);
MUST enum err vec_setop(struct query_ctx *q, enum bin_op op, const struct matching *m, struct steps st,
                        const struct vec *left, const struct vec *right, struct vec *ret, struct fault *f);
/* `scalar` has a value for each step; `swapped`: the scalar is on the left. */
MUST enum err vec_scalar(struct query_ctx *q, enum bin_op op, bool bool_mode, bool swapped, struct steps st,
                         const struct vec *in, const double *scalar, struct vec *ret, struct fault *f);
