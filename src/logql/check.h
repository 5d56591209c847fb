/* logql/check.h -- what the grammar lets through and the language does not.
 *
 * Threads: one. Errors are E_SYNTAX with Loki's texts.
 */
#pragma once
#include "logql/parse_int.h"

MUST enum err check_range(struct parser *p, struct range_expr *r);
/* `k` is topk's parameter as written; empty: none. */
MUST enum err check_agg(struct parser *p, struct agg_expr *a, struct str k);
/* Two numbers become one. */
MUST enum err check_binary(struct parser *p, struct expr *x);
MUST enum err check_root(struct parser *p, const struct expr *root);
