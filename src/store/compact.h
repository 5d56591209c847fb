/* store/compact.h -- chunks and partitions put in better order while nothing else is to do.
 *
 * Owner:    compact_new() gives it, compact_free() ends it; a job half done is forgotten.
 * Threads:  the flusher.
 */
#pragma once
#include "base/base.h"

struct store;
struct compactor;

struct compactor *compact_new(struct store *s);
void compact_free(struct compactor *c);            /* NULL is fine */
/* Does one short piece of work: looks for a job, or goes on with it. False: there is nothing
 * to do until rows or time have come. What fails is reported and left as it is. */
bool compact_step(struct compactor *c);
