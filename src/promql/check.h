/* promql/check.h -- types of a parsed tree. Fills type and invariant of every node. */
#pragma once
#include "promql/promql.h"

MUST enum err check_expr(const struct promql *q, struct expr *x, struct fault *f);
