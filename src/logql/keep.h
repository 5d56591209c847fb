/* logql/keep.h -- what a `keep` stage leaves of the labels in the columns. */
#pragma once
#include "logql/entry.h"

/* Did this keep, and every one before it, keep the label? */
bool keep_allows(const struct keep_rule *k, uint32_t name, struct str value);
