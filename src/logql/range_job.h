/* logql/range_job.h -- one range aggregation while it is evaluated.
 *
 * Two ways lead from a block into windows: line by line (eval_range.c), or over the
 * columns (eval_columns.c) where those tell everything.
 *
 * Threads: one.
 */
#pragma once
#include "logql/coded.h"
#include "logql/eval_int.h"
#include "logql/group.h"
#include "logql/plan.h"
#include "logql/windows.h"

enum { COLUMN_GROUPS_MAX = 8 };

/* A block on the short way. */
struct column_job {
    struct selection rows;
    const struct column *group[COLUMN_GROUPS_MAX]; /* of each label of the grouping; NULL: no line has it */
    uint32_t stride[COLUMN_GROUPS_MAX], n;
    uint32_t ngroups;                              /* combinations of codes */
    const struct column *number;                   /* what is added up; NULL: nothing */
    const double *values;                          /* by its code */
};

struct range_job {
    struct evaluator *ev;
    const struct range_expr *r;
    struct plan plan;
    struct pipeline pipe;
    struct grouper groups;
    struct windows windows;
    uint32_t unwrap_name;
    struct column_job columns;                     /* eval_columns.c */
};

/* One line the long way. */
MUST enum err range_add_line(struct range_job *j, uint32_t row, struct fault *f);
/* The text as unwrap's conversion reads it. */
bool range_convert(enum conversion conv, struct str text, double *ret);

/* Can the bound block go the short way? */
bool range_columns_prepare(struct range_job *j);
MUST enum err range_add_columns(struct range_job *j, struct fault *f);
