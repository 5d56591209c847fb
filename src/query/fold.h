/* query/fold.h -- aggregations that take one value after another: sum, avg, min, max,
 * count, group, stddev, stdvar.
 *
 * A group has an accumulator for each step between its first and last value; series are
 * added to it in any order, whole or a value at a time.
 *
 * Owner:    the query's arena.
 * Threads:  one.
 */
#pragma once
#include "query/aggregate.h"

struct fold_acc;
struct fold_hist;

struct fold_group {
    struct labels labels;
    uint32_t from, end;                            /* steps that have an accumulator */
    struct fold_acc *accs;                         /* of step from + i */
    struct fold_hist *hists;                       /* the same; NULL: no histogram yet */
};

struct folds {
    struct query_ctx *q;
    enum agg_op op;
    uint32_t nsteps;
    struct fold_group *at;
    uint32_t n, cap;
};

bool agg_is_fold(enum agg_op op);
void folds_init(struct folds *f, struct query_ctx *q, enum agg_op op, uint32_t nsteps);
/* The number of a new group. */
uint32_t folds_group(struct folds *f, struct labels labels);
void folds_add(struct folds *f, uint32_t group, const struct tser *s);
void folds_add_value(struct folds *f, uint32_t group, uint32_t step, double v);
/* Does it only matter whether there is a value, not which? */
bool folds_count(const struct folds *f);
MUST enum err folds_end(struct folds *f, struct vec *ret, struct fault *fault);
