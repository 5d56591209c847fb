/* logql/eval_logs.c -- log queries: the newest or oldest lines that pass.
 *
 * Blocks come in the asked direction; a heap of at most `limit` candidates keeps the
 * best so far by time, the worst on top. A row that is worse than the worst never runs
 * through the pipeline, and reading ends when no later block can hold a better one.
 * Texts and labels are copied out only for what is left of a block when its turn ends.
 *
 * Filters at the head of the pipeline are asked by columns (stage.h, choose), before the
 * source reads any others (source.h, narrow). Where they are all there is that drops
 * lines, the heap takes its rows at that moment already, and only for those that enter it
 * does the source have to bring what a line shows.
 */
#include "logql/eval_int.h"
#include "logql/plan.h"

#include <stdlib.h>

struct candidate {
    int64_t t;
    uint64_t seq;
    uint32_t row;                                  /* of the block at hand, until it is taken over */
    struct taken *taken;
};

/* A line that was copied out, its labels by category. */
struct taken {
    struct str line;
    struct label *labels[3];                       /* by enum category */
    uint32_t n[3];
};

struct log_job {
    struct query_ctx *ctx;
    const struct log_req *req;
    struct plan plan;
    struct pipeline pipe;
    struct candidate *heap;
    uint32_t n, cap, limit;
    uint64_t bytes;
    bool by_lines;
    bool narrowed, entered;                        /* the block at hand: narrow() was asked; its rows are in the heap */
    uint32_t chosen;                               /* and so many stages need not run again */
};

static void job_done(struct log_job *j)
{
    pipeline_done(&j->pipe);
}

/* ---- the heap ------------------------------------------------------------------------------ */

/* Does a come out before b? Equal times go by arrival. */
static bool better(const struct log_job *j, const struct candidate *a, const struct candidate *b)
{
    if (a->t != b->t)
        return j->req->forward ? a->t < b->t : a->t > b->t;
    return j->req->forward ? a->seq < b->seq : a->seq > b->seq;
}

static void swap(struct candidate *a, struct candidate *b)
{
    struct candidate x = *a;
    *a = *b;
    *b = x;
}

static void heap_down(struct log_job *j)
{
    for (uint32_t i = 0;;) {
        uint32_t worst = i;
        for (uint32_t k = 2 * i + 1; k <= 2 * i + 2 && k < j->n; k++)
            if (better(j, &j->heap[worst], &j->heap[k]))
                worst = k;
        if (worst == i)
            return;
        swap(&j->heap[i], &j->heap[worst]);
        i = worst;
    }
}

static void heap_put(struct log_job *j, struct candidate c)
{
    if (j->n == j->limit) {
        j->heap[0] = c;
        heap_down(j);
        return;
    }
    *arena_push(j->ctx->mem, j->heap, j->n, j->cap) = c;
    for (uint32_t i = j->n - 1; i && better(j, &j->heap[(i - 1) / 2], &j->heap[i]); i = (i - 1) / 2)
        swap(&j->heap[(i - 1) / 2], &j->heap[i]);
}

/* ---- rows ---------------------------------------------------------------------------------- */

enum { LABELS_PLAIN = 128 };                       /* more labels than this are sorted by texts */

/* The labels of a line, by category, with the numbers of their names. */
struct collector {
    struct log_job *j;
    struct taken *t;
    uint32_t cap[3];
    uint32_t names[3][LABELS_PLAIN];
};

static void collect(void *arg, enum category cat, uint32_t name, struct str value)
{
    struct collector *c = arg;
    struct arena *mem = c->j->ctx->mem;
    uint32_t at = c->t->n[cat];
    if (name == c->j->pipe.preserve_name)
        return;
    if (at < LABELS_PLAIN)
        c->names[cat][at] = name;
    *arena_push(mem, c->t->labels[cat], c->t->n[cat], c->cap[cat]) = (struct label){ c->j->pipe.names.at[name], arena_str(mem, value) };
}

static int by_name(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

/* By the ranks of their names: columns come nearly in order. */
static void sort_labels(const uint32_t *ranks, struct label *at, uint32_t *names, uint32_t n)
{
    if (n > LABELS_PLAIN) {
        qsort(at, n, sizeof *at, by_name);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        struct label l = at[i];
        uint32_t name = names[i], k = i;
        for (; k && ranks[names[k - 1]] > ranks[name]; k--) {
            at[k] = at[k - 1];
            names[k] = names[k - 1];
        }
        at[k] = l;
        names[k] = name;
    }
}

static void take(struct log_job *j, struct candidate *c)
{
    struct entry e;
    entry_begin(&e, &j->pipe, c->row);
    CHECK(entry_run(&e, j->chosen, j->plan.nstages));
    c->taken = arena_new(j->ctx->mem, struct taken, 1);
    struct collector col;
    col.j = j;
    col.t = c->taken;
    for (int cat = CAT_STREAM; cat <= CAT_PARSED; cat++)
        col.cap[cat] = 0;
    c->taken->line = arena_str(j->ctx->mem, e.line);
    entry_each(&e, collect, &col);
    const uint32_t *ranks = names_ranks(&j->pipe.names);
    for (int cat = CAT_STREAM; cat <= CAT_PARSED; cat++)
        sort_labels(ranks, c->taken->labels[cat], col.names[cat], c->taken->n[cat]);
}

/* Puts the row into the heap if it is good enough and passes the stages from the chosen on. */
static void consider(struct log_job *j, uint32_t row, bool run)
{
    const struct block *b = j->pipe.bind.block;
    struct candidate c = { b->time_ns[row], b->seq ? b->seq[row] : row, row, NULL };
    if (j->n == j->limit && !better(j, &c, &j->heap[0]))
        return;
    if (run) {
        struct entry e;
        entry_begin(&e, &j->pipe, row);
        j->bytes += e.line.n;
        if (!entry_run(&e, j->chosen, j->plan.nstages))
            return;
    }
    j->ctx->passed++;
    heap_put(j, c);
}

/* Rows tend to be in the order of time: the good ones first, and most of the others never run. */
static void consider_all(struct log_job *j, const struct selection *s, bool run)
{
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t at = j->req->forward ? i : s->n - 1 - i;
        consider(j, s->rows ? s->rows[at] : at, run);
    }
}

/* The filters at the head of the pipeline, as far as columns tell. */
static struct selection choose(struct log_job *j)
{
    struct selection s = selection_of(&j->pipe.bind);
    for (j->chosen = 0; j->chosen < j->plan.nchoosing && !j->by_lines; j->chosen++) {
        const struct bound_stage *step = &j->pipe.steps[j->chosen];
        if (!step->def->choose(step->arg, &j->pipe, &s))
            break;
    }
    return s;
}

static int by_row(const void *a, const void *b)
{
    const struct candidate *x = *(struct candidate *const *)a, *y = *(struct candidate *const *)b;
    return (x->row > y->row) - (x->row < y->row);
}

/* The candidates of the block at hand, in the order of their rows. */
static struct candidate **untaken(struct log_job *j, uint32_t *ret_n)
{
    struct candidate **list = arena_new(&j->pipe.bind.mem, struct candidate *, j->n + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < j->n; i++)
        if (!j->heap[i].taken)
            list[n++] = &j->heap[i];
    if (n > 1)
        qsort(list, n, sizeof *list, by_row);
    *ret_n = n;
    return list;
}

static void narrow(void *arg, struct block *b, uint32_t *sel)
{
    struct log_job *j = arg;
    j->pipe.bind.level = false;
    binding_block(&j->pipe.bind, &j->pipe.names, b);
    j->pipe.bind.level = j->plan.level;
    struct selection s = choose(j);
    j->narrowed = true;
    j->entered = j->chosen == j->plan.nchoosing && j->plan.choosing_all;
    if (j->entered) {
        consider_all(j, &s, false);
        struct candidate **list = untaken(j, &b->nsel);
        for (uint32_t i = 0; i < b->nsel; i++)
            sel[i] = list[i]->row;
        return;
    }
    for (uint32_t i = 0; i < s.n; i++)
        sel[i] = s.rows ? s.rows[i] : i;
    b->nsel = s.n;
}

static void read_block(struct log_job *j, const struct block *b)
{
    uint32_t n;
    bool entered = j->narrowed && j->entered;
    binding_block(&j->pipe.bind, &j->pipe.names, b);
    if (!j->narrowed)
        j->chosen = 0;
    if (!entered) {
        struct selection s = j->narrowed ? selection_of(&j->pipe.bind) : choose(j);
        consider_all(j, &s, true);
    }
    struct candidate **list = untaken(j, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (entered)
            list[i]->row = b->sel[i];              /* the rows that narrow() left, under their new numbers */
        take(j, list[i]);
    }
    CHECK(!entered || n == b->nsel);
    j->narrowed = false;
}

static bool is_complete(const struct log_job *j, const struct block *b)
{
    if (j->n < j->limit)
        return false;
    return j->req->forward ? b->next_bound > j->heap[0].t : b->next_bound < j->heap[0].t;
}

static enum err read_rows(struct log_job *j, struct fault *f)
{
    struct query_ctx *ctx = j->ctx;
    struct scan *sc;
    enum err e = plan_scan(ctx, &j->plan, j->req->start_ns, j->req->end_ns,
                           j->req->forward ? SCAN_OLDEST_FIRST : SCAN_NEWEST_FIRST, &sc, f);
    if (e)
        return e;
    const struct block *b = NULL;
    for (;;) {
        e = ctx->src->scan_next(sc, &b, f);
        if (e || !b)
            break;
        e = query_check(ctx, f);
        if (e)
            break;
        read_block(j, b);
        if (is_complete(j, b))
            break;
    }
    query_scan_end(ctx, sc);
    return e;
}

/* ---- streams -------------------------------------------------------------------------------- */

/* The lists of both, which are sorted; of equal names the one of `a` comes first. */
static struct labels merge(struct arena *mem, struct labels a, struct labels b)
{
    if (!a.n || !b.n)
        return a.n ? a : b;
    struct label *at = arena_new(mem, struct label, a.n + b.n);
    uint32_t n = 0, i = 0, k = 0;
    while (i < a.n && k < b.n)
        at[n++] = str_cmp(b.at[k].name, a.at[i].name) < 0 ? b.at[k++] : a.at[i++];
    while (i < a.n)
        at[n++] = a.at[i++];
    while (k < b.n)
        at[n++] = b.at[k++];
    return (struct labels){ at, n };
}

/* Empty values stay, since a parser may have found them. */
static struct labels labels_in(const struct taken *t, enum category cat)
{
    return (struct labels){ t->labels[cat], t->n[cat] };
}

static int by_labels(const void *a, const void *b)
{
    const struct log_stream *x = a, *y = b;
    return labels_cmp(x->all, y->all);
}

static void add_entry(struct log_job *j, struct keyset *keys, bool categorized, const struct candidate *c, struct log_result *ret)
{
    struct arena *mem = j->ctx->mem;
    const struct taken *t = c->taken;
    struct labels stream = labels_in(t, CAT_STREAM), all = stream;
    if (!categorized)
        all = merge(mem, merge(mem, stream, labels_in(t, CAT_META)), labels_in(t, CAT_PARSED));
    bool fresh;
    uint32_t id = keyset_all(keys, all, &fresh);
    if (fresh)
        *arena_push(mem, ret->streams, ret->n, ret->cap) = (struct log_stream){ .labels = stream, .all = all };
    struct log_stream *s = &ret->streams[id];
    *arena_push(mem, s->entries, s->n, s->cap) = (struct log_entry){
        .time_ns = c->t, .line = t->line,
        .meta = labels_in(t, CAT_META), .parsed = labels_in(t, CAT_PARSED),
    };
    ret->entries++;
}

/* The heap emptied from its top is the worst first; from the end on it is in order. */
static void sort_candidates(struct log_job *j)
{
    uint32_t all = j->n;
    while (j->n > 1) {
        j->n--;
        swap(&j->heap[0], &j->heap[j->n]);
        heap_down(j);
    }
    j->n = all;
}

/* At most one line per interval. */
static bool too_close(const struct log_req *req, int64_t last, int64_t t)
{
    return req->interval_ns && (req->forward ? t < last + req->interval_ns : t > last - req->interval_ns);
}

enum err logql_logs(struct query_ctx *ctx, const struct logql *q, const struct logql_options *opt, const struct log_req *req,
                    bool categorized, struct log_result *ret, struct fault *f)
{
    CHECK(q->root->kind == EXPR_LOG && req->limit);
    *ret = (struct log_result){ 0 };
    CLEANUP(job_done) struct log_job j = { .ctx = ctx, .req = req, .limit = req->interval_ns ? UINT32_MAX : req->limit };
    struct plan_want want = { .line = true, .labels = true };
    plan_make(ctx, opt, &q->root->log, NULL, &want, &j.plan);
    j.plan.req.without &= ~(uint32_t)WITHOUT_SEQ;
    j.by_lines = opt->by_lines;
    if (!opt->by_lines) {
        j.plan.req.narrow = narrow;
        j.plan.req.narrow_arg = &j;
        j.plan.req.narrow_by = j.plan.chooses_by;
        j.plan.req.nnarrow_by = j.plan.nchooses_by;
    }
    pipeline_init(&j.pipe, ctx, j.plan.spans, j.plan.level);
    pipeline_bind(&j.pipe, j.plan.stages, j.plan.nstages);
    enum err e = j.plan.nothing ? OK : read_rows(&j, f);
    if (e)
        return e;
    sort_candidates(&j);
    CLEANUP(keyset_done) struct keyset keys;
    keyset_init(&keys, ctx->mem);
    int64_t last = 0;
    for (uint32_t i = 0; i < j.n && ret->entries < req->limit; i++) {
        if (ret->entries && too_close(req, last, j.heap[i].t))
            continue;
        last = j.heap[i].t;
        add_entry(&j, &keys, categorized, &j.heap[i], ret);
    }
    if (ret->n > 1)
        qsort(ret->streams, ret->n, sizeof *ret->streams, by_labels);
    ret->bytes = j.bytes;
    return OK;
}
