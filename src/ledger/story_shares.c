/* ledger/story_shares.c -- what tools cost: the request that reads a tool's result pays for it.
 *
 * The rule, stated so that it can be argued with: a request belongs to the tools of its own
 * thread (the main one, or one agent) whose results came since the request before it and
 * before its own end, by the sizes of their results. Its own tools, which may run while its
 * answer still streams, are read by the next one. A request that reads no result belongs to
 * its prompt alone. Shares are inferred, never reported, and add up to the nano-dollar.
 */
#include <stdlib.h>

#include "ledger/money.h"
#include "ledger/story_int.h"

enum { NOTHING = UINT32_MAX };

static int by_request_end(const void *a, const void *b)
{
    const struct request *x = *(struct request *const *)a, *y = *(struct request *const *)b;
    return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

static int by_tool_end(const void *a, const void *b)
{
    const struct tool_call *x = *(struct tool_call *const *)a, *y = *(struct tool_call *const *)b;
    return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

/* Results that no request has read yet, as a list a thread. */
struct waiting {
    struct map threads;                            /* agent id -> thread */
    struct tool_call **tools;                      /* by the end of their work */
    uint32_t *next, *first;                        /* by tool; by thread */
    uint32_t nthreads, at;
    uint64_t *weights;
    int64_t *shares;
    uint32_t *read;
};

/* The main thread has a name of its own: no agent is called so. */
static uint32_t thread_of(struct waiting *w, struct str agent)
{
    bool fresh;
    uint32_t i = map_intern(&w->threads, agent.n ? agent : S("\n"), w->nthreads, &fresh);
    if (fresh)
        w->first[w->nthreads++] = NOTHING;
    return i;
}

static void wait_until(struct waiting *w, uint32_t ntools, int64_t end_ns)
{
    for (; w->at < ntools && w->tools[w->at]->end_ns <= end_ns; w->at++) {
        if (w->tools[w->at]->end_ns == STORY_NONE)
            continue;
        uint32_t thread = thread_of(w, w->tools[w->at]->agent_id);
        w->next[w->at] = w->first[thread];
        w->first[thread] = w->at;
    }
}

static void pay(struct story *st, const struct request *q, struct waiting *w)
{
    uint32_t n = 0, thread = thread_of(w, q->agent_id), *link = &w->first[thread];
    while (*link != NOTHING) {
        struct tool_call *c = w->tools[*link];
        if (q->id.n && str_eq(c->request_id, q->id)) {
            link = &w->next[*link];                /* its own: the next one reads it */
            continue;
        }
        w->weights[n] = c->result_bytes > 0 ? (uint64_t)c->result_bytes : 0;
        w->read[n++] = *link;
        *link = w->next[*link];
    }
    if (!n) {
        st->prompts_nanos += q->nanos;
        return;
    }
    money_split(q->nanos, w->weights, n, w->shares);
    for (uint32_t i = 0; i < n; i++) {
        w->tools[w->read[i]]->nanos = w->shares[i];
        w->tools[w->read[i]]->paid = true;
    }
}

void story_share(struct story *st, struct arena *mem)
{
    size_t nt = st->ntools + 1, nq = st->nrequests + 1;
    struct request **order = arena_new(mem, struct request *, nq);
    struct waiting w = { .tools = arena_new(mem, struct tool_call *, nt), .next = arena_new(mem, uint32_t, nt),
                         .first = arena_new(mem, uint32_t, nt + nq), .weights = arena_new(mem, uint64_t, nt),
                         .shares = arena_new(mem, int64_t, nt), .read = arena_new(mem, uint32_t, nt) };
    for (uint32_t i = 0; i < st->ntools; i++)
        w.tools[i] = &st->tools[i];
    for (uint32_t i = 0; i < st->nrequests; i++)
        order[i] = &st->requests[i];
    qsort(w.tools, st->ntools, sizeof(struct tool_call *), by_tool_end);
    qsort(order, st->nrequests, sizeof(struct request *), by_request_end);
    for (uint32_t i = 0; i < st->nrequests; i++) {
        wait_until(&w, st->ntools, order[i]->end_ns);
        if (order[i]->nanos != STORY_NONE)
            pay(st, order[i], &w);
    }
    map_done(&w.threads);
}
