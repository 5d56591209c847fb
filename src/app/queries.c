/* app/queries.c -- what becomes of the record of a query: counted for /metrics, and a line in the log if
 * it was slow.
 *
 * A query that was given up (its client left, or its time was over) is told like any other, so
 * that who asks for too much can be found.
 */
#include "app/app.h"

enum { QUERY_SHOWN_MAX = 1000 };                   /* of its text */

static double seconds(int64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

void app_asked(void *arg, const struct api_query *x)
{
    struct app *a = arg;
    struct app_asked *all = &a->asked[str_eq(x->language, S("logql"))];
    atomic_fetch_add(x->error.n ? &all->failed : &all->answered, 1);
    atomic_fetch_add(&all->rows, x->rows);
    atomic_fetch_add(&all->bytes, x->bytes);
    latency_add(&all->took, x->took_ns + x->queued_ns);
    if (!a->cfg.query_slow_ns || x->took_ns + x->queued_ns < a->cfg.query_slow_ns)
        return;
    struct str text = str_sub(x->text, 0, QUERY_SHOWN_MAX);
    log_line(LOG_WARN, "slow query: %.3f s, %.3f s more in the queue; read %llu rows, %llu bytes in %llu chunks; " STR_FMT
                       STR_FMT STR_FMT ": " STR_FMT "%s",
             seconds(x->took_ns), seconds(x->queued_ns), (unsigned long long)x->rows, (unsigned long long)x->bytes,
             (unsigned long long)x->chunks, STR_ARG(x->error), STR_ARG(x->error.n ? S("; ") : S("")), STR_ARG(x->language),
             STR_ARG(text), text.n < x->text.n ? "..." : "");
}
