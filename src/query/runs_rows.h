/* query/runs_rows.h -- a block of rows as one of runs, for sources that do not give runs.
 *
 * Owner:    the arena given; valid as long as the block that it came from.
 * Threads:  any.
 */
#pragma once
#include "base/arena.h"
#include "model/source.h"

/* b itself if it has runs already. */
const struct block *runs_of_rows(const struct block *b, struct arena *mem);
