/* promql/promql.h -- parse and evaluate PromQL.
 *
 * Owner:    promql_parse() fills *ret, promql_done() ends it (also after an error;
 *           all-zero is fine). Trees live in the arena given, results in q->mem.
 * Threads:  a parsed query is immutable.
 * Errors:   E_SYNTAX with Prometheus's text ("1:5: parse error: ...") and the
 *           offset; E_EXEC, E_LIMIT, E_CANCELLED from evaluation. The whole text of
 *           an evaluation error is in q->error when the fault has no room for it.
 * Limits:   PROMQL_DEPTH_MAX, PROMQL_LINKS_MAX, PROMQL_TEXT_MAX and those of the query_ctx.
 */
#pragma once
#include "promql/ast.h"

enum {
    PROMQL_DEPTH_MAX = 200,                        /* nesting as it is written */
    PROMQL_LINKS_MAX = 4000,                       /* binary operators and subqueries: chains of them nest without brackets, and
                                                      every walk of the tree takes a stack frame for each */
    PROMQL_TEXT_MAX = 1 << 20,
};

struct promql {
    struct str text;
    struct expr *root;
    struct regex **regexes;                        /* owned */
    uint32_t nregexes, cap;
};

MUST enum err promql_parse(struct arena *mem, struct str text, struct promql *ret, struct fault *f);
/* A series selector alone: what match[] takes. root is X_SELECTOR. */
MUST enum err promql_parse_selector(struct arena *mem, struct str text, struct promql *ret, struct fault *f);
void promql_done(struct promql *p);

/* Samples as they are stored: what an instant query of a range selector shows. A native
 * histogram is in h, and its number absent. */
struct points {
    struct labels labels;
    const int64_t *t;                              /* ms, ascending */
    const double *v;
    size_t n;
    const struct accounted *acc;                   /* NULL: a plain series */
    const struct histogram *const *h;              /* NULL: numbers only; else NULL where v holds the sample */
    uint32_t group;                                /* where series are selected by group */
    bool increments;                               /* each histogram is what was added since the one before */
};

struct pointset {
    struct points *at;
    uint32_t n, cap;
};

struct promql_time {
    int64_t start_ms, end_ms, step_ms;             /* instant: start == end, step_ms 0 */
};

struct promql_result {
    enum ptype type;                               /* of an instant query; a range query gives T_MATRIX */
    struct steps steps;
    struct vec vec;                                /* T_VECTOR, and every range query */
    struct pointset points;                        /* T_MATRIX of an instant query */
    double scalar;
    struct str string;
};

bool promql_is_instant(const struct promql_time *t);
MUST enum err promql_eval(struct query_ctx *q, const struct promql *p, const struct promql_time *t,
                          struct promql_result *ret, struct fault *f);
/* "scalar", "instant vector", ... as Prometheus's texts name types. */
const char *ptype_text(enum ptype t);
