/* api/asked.h -- what every query has, whichever language it is in: a context with its
 * limits and what it waited, and a record of it once it is answered.
 *
 * The time of a query counts from when its request was complete: what it waits for a
 * thread is time that its client waits.
 *
 * Owner:    the handler; asked_end() is called after the reply, when the request is gone.
 * Threads:  the handler's.
 */
#pragma once
#include "api/api.h"

/* The longest time that a query may take. */
int64_t asked_longest(const struct api *a);
/* The query's own arena: what is freed at its end may lie in it, and the request's arena can
 * be gone as soon as the reply is given. */
void asked_arena(const struct api *a, struct arena *ret);
struct query_ctx asked_context(struct http_req *r, struct arena *mem, int64_t timeout_ns);
/* Hands the record on. Neither the texts nor q may live in the request. */
void asked_end(const struct api *a, const struct query_ctx *q, struct str language, struct str text, struct str error);
