/* ledger/story_metrics.c -- what a session's token metric says, export by export.
 *
 * Increments are told as everywhere (accounting rule 2): a delta is its own, a cumulative point
 * counts as the difference to the greatest before it in its stream. Scraped and remote-written
 * copies of OTLP rows are left out, as in any figure (rule 6).
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/story_int.h"

struct point {
    struct id128 series;
    int64_t start_ns, time_ns;
    double value;
    uint8_t temporality, origin;
};

struct points {
    struct point *at;
    size_t n, cap;
};

static void take_block(struct points *p, const struct block *b, struct arena *mem)
{
    for (uint32_t r = 0, i = 0; r < b->nruns; r++) {
        struct id128 series = block_run_id(b, r);
        for (; i < b->run_end[r]; i++)
            *arena_push(mem, p->at, p->n, p->cap) =
                (struct point){ series, b->start_ns[i], b->time_ns[i], b->value[i], b->temporality[r], b->origin[r] };
    }
}

static int by_stream(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    if (!id128_eq(x->series, y->series))
        return x->series.hi != y->series.hi ? (x->series.hi < y->series.hi ? -1 : 1) : (x->series.lo < y->series.lo ? -1 : 1);
    bool streams = x->temporality == TEMPORALITY_CUMULATIVE && y->temporality == TEMPORALITY_CUMULATIVE;
    if (streams && x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

static int by_time(const void *a, const void *b)
{
    const struct tokens_at *x = a, *y = b;
    return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

static uint64_t whole(double v)
{
    return v > 0 && v < 1e15 ? (uint64_t)(v + 0.5) : 0;
}

/* Only rows of the highest origin that there is. */
static size_t keep_highest(struct points *p)
{
    uint8_t best = UINT8_MAX;
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        best = p->at[i].origin < best ? p->at[i].origin : best;
    for (size_t i = 0; i < p->n; i++)
        if (p->at[i].origin == best)
            p->at[n++] = p->at[i];
    return n;
}

static size_t increments(struct points *p, struct tokens_at *ret)
{
    double greatest = 0;
    size_t n = 0;
    qsort(p->at, p->n, sizeof *p->at, by_stream);
    for (size_t i = 0; i < p->n; i++) {
        const struct point *x = &p->at[i];
        bool same = i && id128_eq(x->series, x[-1].series) && x->start_ns == x[-1].start_ns;
        double more = x->value;
        if (x->temporality == TEMPORALITY_CUMULATIVE) {
            greatest = same ? greatest : 0;
            more = x->value > greatest ? x->value - greatest : 0;
            greatest = MAX(greatest, x->value);
        }
        if (x->temporality != TEMPORALITY_NONE)
            ret[n++] = (struct tokens_at){ x->time_ns, whole(more) };
    }
    qsort(ret, n, sizeof *ret, by_time);
    return n;
}

static enum err read_points(struct source *src, const struct scan_req *asked, struct points *p, struct arena *mem, struct fault *f)
{
    const struct matcher name = { .op = MATCH_EQ, .label = S("__name__"), .value = S("claude_code_token_usage_tokens_total") };
    struct matcher m[] = { asked->matchers[0], name };
    struct scan_req req = *asked;
    struct scan *sc;
    const struct block *b;
    req.table = TABLE_SAMPLE;
    req.matchers = m;
    req.nmatchers = LEN(m);
    req.by_series = true;
    req.without = WITHOUT_RECV | WITHOUT_CLAIMED;
    enum err e = src->scan_begin(src, &req, &sc, f);
    if (e)
        return e;
    while (!(e = src->scan_next(sc, &b, f)) && b)
        take_block(p, b, mem);
    (void)src->scan_end(sc);
    return e;
}

enum err story_complete(struct source *src, const struct scan_req *asked, struct story *st, int64_t now_ns, struct arena *mem,
                        struct fault *f)
{
    struct points p = { 0 };
    enum err e = read_points(src, asked, &p, mem, f);
    if (e)
        return e;
    p.n = keep_highest(&p);
    struct tokens_at *exports = arena_new(mem, struct tokens_at, p.n + 1), *events = arena_new(mem, struct tokens_at, st->nrequests + 1);
    size_t nexports = p.n ? increments(&p, exports) : 0, nevents = 0;
    for (uint32_t i = 0; i < st->nrequests; i++) {
        const struct request *q = &st->requests[i];
        struct tokens_at at = { q->end_ns, 0 };
        for (int c = 0; c < TOKEN_CLASSES; c++)
            at.tokens += q->tokens[c];
        if (q->outcome != OUTCOME_ERROR)
            events[nevents++] = at;
    }
    if (nevents)
        qsort(events, nevents, sizeof *events, by_time);
    st->complete = complete_compare(events, nevents, exports, nexports, now_ns);
    return OK;
}
