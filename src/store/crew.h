/* store/crew.h -- threads that help whoever has a loop of independent steps, or one piece of
 * work that will be needed soon.
 *
 * One loop at a time has the helpers; a caller that finds them busy runs its loop alone,
 * so nobody ever waits for somebody else's. The same holds for work ahead: what no helper has
 * begun by the time it is needed is done by who needs it.
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
/* Work ahead. Between crew_ahead() and crew_needed() or crew_unneeded() `do_it` may run on a
 * helper; the task is the caller's and stays where it is. */
struct crew_task {
    void (*do_it)(void *arg);
    void *arg;
    /* private */
    enum { TASK_IDLE, TASK_WAITS, TASK_RUNS, TASK_DONE } state;  /* under the crew's lock */
    struct crew_task *next;
};
bool crew_ahead(struct crew *c, struct crew_task *t);            /* false: there are no helpers, nothing was begun */
void crew_needed(struct crew *c, struct crew_task *t);           /* done on return, by a helper or just now */
bool crew_unneeded(struct crew *c, struct crew_task *t);         /* waits if it was begun; false: it was not */

/* step(arg, 0) ... step(arg, n - 1), all done on return. */
void crew_run(struct crew *c, uint32_t n, void (*step)(void *arg, uint32_t i), void *arg);
