/* logql/plan.h -- how a pipeline is read from the source: which rows, which columns,
 * which stages are left to run line by line.
 *
 * Owner:    the query's arena.   Threads: one.
 */
#pragma once
#include "logql/ast.h"
#include "logql/stage.h"

struct plan_want {
    bool line;                                     /* the line itself is looked at */
    bool labels;                                   /* all labels of a line are looked at ... */
    const struct str *names;                       /* ... or only these */
    uint32_t nnames;
};

struct plan {
    struct scan_req req;                           /* without times and order */
    struct stage *stages;                          /* before unwrap, then behind it */
    uint32_t nstages, nbefore;
    uint32_t nchoosing;                            /* leading stages that choose lines by columns alone ... */
    const struct str *chooses_by;                  /* ... of these names */
    uint32_t nchooses_by;
    bool choosing_all;                             /* and no other stage drops a line */
    struct need hints;                             /* `required`: what filters, formats and groups name */
    bool spans, level;
    bool nothing;                                  /* no row can match */
};

void plan_make(struct query_ctx *ctx, const struct logql_options *opt, const struct log_expr *log, const struct unwrap *unwrap,
               const struct plan_want *want, struct plan *ret);
/* The scan of a plan over [from, to). */
MUST enum err plan_scan(struct query_ctx *ctx, const struct plan *p, int64_t from_ns, int64_t to_ns, enum scan_order order,
                        struct scan **ret, struct fault *f);
