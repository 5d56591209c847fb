/* http/pool.h -- threads that take items from one bounded queue, in order.
 *
 * Owner:    items belong to the queue between pool_submit() and their run.
 * Threads:  pool_submit() from any; `run` on a pool thread.
 */
#pragma once
#include "base/base.h"

struct pool;
struct pool_item {
    struct pool_item *next;
};

/* `limit` items may wait. */
struct pool *pool_new(uint32_t threads, uint32_t limit, void (*run)(struct pool_item *i));
MUST enum err pool_start(struct pool *p, struct fault *f);
MUST bool pool_submit(struct pool *p, struct pool_item *i);   /* false: full or stopped */
void pool_stop(struct pool *p);                    /* runs what waits, then joins the threads */
void pool_free(struct pool *p);                    /* after pool_stop(), or never started; NULL is fine */
