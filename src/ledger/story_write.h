/* ledger/story_write.h -- a story as JSON, for pages and for export.
 *
 * Threads:  any.   Errors: sticky in the writer's buffer.
 */
#pragma once
#include "base/jw.h"
#include "ledger/story.h"

void story_write(const struct story *st, struct jw *w);
