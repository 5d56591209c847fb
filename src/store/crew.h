/* store/crew.h -- threads that help whoever has a loop of independent steps.
 *
 * One loop at a time has the helpers; a caller that finds them busy runs its loop alone,
 * so nobody ever waits for somebody else's.
 *
 * Owner:    crew_new(), crew_free(); no loop may be running then.
 * Threads:  crew_run() from any; steps run on the caller and on helpers, in no order.
 *           Helpers are started when the first loop comes.
 */
#pragma once
#include "base/base.h"

struct crew;

struct crew *crew_new(uint32_t helpers);           /* 0: loops run on their callers */
void crew_free(struct crew *c);                    /* NULL is fine */
/* step(arg, 0) ... step(arg, n - 1), all done on return. */
void crew_run(struct crew *c, uint32_t n, void (*step)(void *arg, uint32_t i), void *arg);
