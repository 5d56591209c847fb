/* logql/ast.h -- a parsed query.
 *
 * Owner:    everything lives in the arena it was parsed into; regular expressions
 *           are listed in the query and end with it.
 * Threads:  immutable after parsing; any.
 */
#pragma once
#include "logql/logql.h"
#include "query/aggregate.h"
#include "query/binop.h"

struct stage_def;
struct range_op;

struct grouping {
    bool present, without;
    const struct str *names;
    uint32_t n;
};

/* One step of a pipeline. What `arg` is, the stage's own file knows. */
struct stage {
    const struct stage_def *def;
    void *arg;
};

struct log_expr {
    struct matcher *matchers;
    uint32_t nmatchers;
    struct stage *stages;
    uint32_t nstages, cap_stages;
};

enum conversion { CONV_NONE, CONV_BYTES, CONV_DURATION, CONV_DURATION_SECONDS };

struct unwrap {
    bool present;
    struct str name;
    enum conversion conv;
    struct stage *post;                            /* label filters on what was unwrapped */
    uint32_t npost, cap_post;
};

struct range_expr {
    const struct range_op *op;
    struct str param_text;                         /* quantile_over_time's, as written; else empty */
    double param;
    struct log_expr log;
    struct unwrap unwrap;
    int64_t range_ns, offset_ns;
    struct grouping by;
};

/* sum, topk, ...: `sort` has its own kind because it aggregates nothing. */
struct agg_def {
    struct str name;
    enum agg_op op;
    bool param;                                    /* takes k */
    bool sorts, descending;
    bool approx;                                   /* approx_topk: no grouping; ccmon counts exactly */
};

struct agg_expr {
    const struct agg_def *def;
    struct expr *in;
    struct grouping by;
    int64_t k;
};

struct bin_expr {
    enum bin_op op;
    struct matching m;
    bool matched;                                  /* on or ignoring was written */
    struct expr *left, *right;
};

struct replace_expr {
    struct expr *in;
    struct str dst, replacement, src, pattern;
    struct regex *re;
};

enum expr_kind { EXPR_LOG, EXPR_RANGE, EXPR_AGG, EXPR_BIN, EXPR_NUMBER, EXPR_VECTOR, EXPR_REPLACE };

struct expr {
    enum expr_kind kind;
    size_t at;
    union {
        struct log_expr log;
        struct range_expr range;
        struct agg_expr agg;
        struct bin_expr bin;
        double number;                             /* EXPR_NUMBER, EXPR_VECTOR */
        struct replace_expr replace;
    };
};

struct logql {
    struct expr *root;
    struct arena *mem;
    struct regex **regexes;
    uint32_t nregexes, cap_regexes;
};

/* Compiles a pattern that ends with the query. The text is Go's: dot stops at a line's end. */
MUST enum err logql_regex(struct logql *q, struct str pattern, enum regex_mode mode, struct regex **ret, struct fault *f);
void format_expr(const struct expr *e, struct buf *b);
void format_matcher(const struct matcher *m, struct buf *b);
