/* promql/select_rows.c -- a scan's runs become stretches of series, or are folded at once.
 *
 * Nothing is done a row that is kept but to copy time and value. What hangs on labels is asked once a
 * series: its group, its metric, whether its labels have to be put together at all.
 */
#include <stdlib.h>

#include "model/names.h"
#include "promql/select_int.h"
#include "query/origins.h"

/* What is known of the block at hand. */
struct at_hand {
    const struct block *b;
    const struct column *histograms;               /* NULL in nearly all blocks */
    const struct run_col *name;                    /* NULL: no metric has one */
    uint32_t *names;                               /* by code of the name: number + 1 */
    struct run_part group, bare;
};

static const struct str metadata[] = { S("__name__"), S("__type__"), S("__unit__") };
static const struct pick without_metadata = { metadata, LEN(metadata), false };

static const struct column *histogram_column(const struct block *b)
{
    for (uint32_t i = 0; i < b->ncols; i++)
        if (colkey_is_histogram(&b->cols[i].key))
            return &b->cols[i];
    return NULL;
}

static bool one_start(const struct block *b, uint32_t from, uint32_t to)
{
    int64_t differs = 0;
    for (uint32_t i = from + 1; i < to; i++)
        differs |= b->start_ns[i] ^ b->start_ns[from];
    return !differs;
}

static const void *kept_words(struct arena *mem, const void *from, uint32_t n)
{
    void *to = arena_raw(mem, uint64_t, n);
    memcpy(to, from, sizeof(uint64_t) * n);
    return to;
}

static void open_block(struct job *j, const struct block *b, struct at_hand *c)
{
    *c = (struct at_hand){ .b = b, .histograms = histogram_column(b), .name = runs_col(&j->runs, S("__name__")) };
    if (c->name)
        c->names = arena_new(&j->runs.mem, uint32_t, c->name->col->ndict);
    if (j->req->groups) {
        runs_part_open(&j->runs, &j->req->groups->pick, &c->group);
        runs_part_open(&j->runs, &without_metadata, &c->bare);
    }
}

/* ---- series ---------------------------------------------------------------- */

static void meet(struct job *j, struct met *m, struct str name)
{
    struct arena *mem = j->ev->q->mem;
    struct label *at = arena_new(mem, struct label, 1);
    *at = (struct label){ S("__name__"), name };
    *m = (struct met){
        .name = name,
        .own = str_starts(name, S("claude_code_")),
        .money = metric_is_money(name),
        .shown = spelling_labels(&j->spelling, mem, (struct labels){ at, name.n ? 1 : 0 }),
    };
}

static uint32_t name_of(struct job *j, struct at_hand *c, uint32_t run)
{
    uint32_t code = c->name ? column_code(c->name->col, run) : 0;
    if (c->name && c->names[code])
        return c->names[code] - 1;
    struct str name = c->name ? runs_label(&j->runs, run, S("__name__")) : S("");
    bool fresh;
    uint32_t id = idset_add(&j->names, label_id(S("__name__"), name), &fresh), n = id;
    if (fresh) {
        (void)arena_push(j->ev->q->mem, j->mets, n, j->cap_mets);
        meet(j, &j->mets[id], name);
    }
    if (c->name)
        c->names[code] = id + 1;
    return id;
}

static void put_labels(struct job *j, struct found *s, uint32_t run)
{
    if (s->has_labels)
        return;
    s->labels = runs_labels(&j->runs, run, NULL);
    s->shown = spelling_labels(&j->spelling, j->ev->q->mem, s->labels);
    s->has_labels = true;
}

static bool asks_for_one_name(const struct job *j)
{
    for (uint32_t i = 0; i < j->spelling.nmatchers; i++)
        if (j->spelling.matchers[i].op == MATCH_EQ && str_eq(j->spelling.matchers[i].label, S("__name__")))
            return true;
    return false;
}

/* Two series that would be shown under the same labels cannot be told apart in a group. */
static bool clashes(struct job *j, const struct at_hand *c, uint32_t run)
{
    bool renamed = j->req->groups->bare || j->spelling.widened;
    if (!renamed || (c->bare.n <= 1 && j->one_name))
        return false;                              /* there is nothing but the name in which they could differ */
    bool fresh;
    idset_add(&j->bare, runs_part(&j->runs, &c->bare, run), &fresh);
    return !fresh;
}

static void new_series(struct job *j, struct at_hand *c, uint32_t run)
{
    struct select_groups *g = j->req->groups;
    if (j->nfound == j->cap_found) {
        j->cap_found = MAX(2 * j->cap_found, 256u);
        j->found = mem_resize(j->found, sizeof *j->found * j->cap_found);
    }
    struct found *s = &j->found[j->nfound++];
    *s = (struct found){ .first = NO_STRETCH, .last = NO_STRETCH, .name = name_of(j, c, run) };
    if (!g) {
        put_labels(j, s, run);
        return;
    }
    bool fresh;
    g->clash = g->clash || clashes(j, c, run);
    s->group = idset_add(&g->ids, runs_part(&j->runs, &c->group, run), &fresh);
    if (fresh)
        *arena_push(j->ev->q->mem, g->labels, g->n, g->cap) = runs_labels(&j->runs, run, &g->pick);
    if (j->req->tiles)
        tiles_series(j->req->tiles, s->group, j->mets[s->name].money);
}

/* ---- runs ------------------------------------------------------------------ */

/* Rows of a lower source than OTLP count only where no higher one has the session; when no
 * session of the metric has two, there is nothing to decide. */
static enum err judge_source(struct job *j, struct found *s, uint32_t run, struct fault *f)
{
    struct met *m = &j->mets[s->name];
    bool accounted = j->runs.b->temporality[run] != TEMPORALITY_NONE;
    if (j->runs.b->origin[run] == ORIGIN_OTLP || (!accounted && !m->own))
        return OK;
    enum err e = OK;
    if (!m->judged) {
        bool quiet;
        e = origins_quiet(j->ev->q, metric_canonical(m->name), &quiet, f);
        m->judged = true;
        m->loud = !e && !quiet;
    }
    if (m->loud) {
        j->sources = true;
        put_labels(j, s, run);
    }
    return e;
}

static void take_histograms(struct job *j, const struct at_hand *c, uint32_t from, struct stretch *x)
{
    struct str *at = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        struct value v = column_value(c->histograms, from + i);
        if (v.type != V_BYTES)
            continue;
        at = at ? at : arena_new(j->ev->q->mem, struct str, x->n);
        at[i] = arena_str(j->ev->q->mem, v.s);
        n++;
    }
    x->histograms = at;
    x->accounted = x->accounted && n < x->n;
}

static bool has_histograms(const struct at_hand *c, uint32_t run)
{
    for (uint32_t i = run_begin(c->b, run); c->histograms && i < c->b->run_end[run]; i++)
        if (column_value(c->histograms, i).type == V_BYTES)
            return true;
    return false;
}

/* True: the run is folded, or the whole selection has to be done in another way. */
static bool is_folded(struct job *j, const struct at_hand *c, struct found *s, uint32_t run)
{
    struct tiles *w = j->req->tiles;
    if (!w || (!j->runs.fresh[run] && !s->tiled))
        return false;
    struct met *m = &j->mets[s->name];
    bool judged = !m->loud || c->b->origin[run] == ORIGIN_OTLP;
    bool can = judged && !has_histograms(c, run) && tiles_take(w, c->b, run, j->from_ns);
    if (j->runs.fresh[run])
        s->tiled = can;
    else if (!can)
        w->again = true;
    m->tiled |= s->tiled;
    if (can)
        tiles_run(w, j->runs.numbers[run], c->b, run);
    return s->tiled;
}

static void keep_run(struct job *j, const struct at_hand *c, struct found *s, uint32_t run)
{
    const struct block *b = c->b;
    struct arena *mem = j->ev->q->mem;
    uint32_t from = run_begin(b, run), n = b->run_end[run] - from;
    int64_t *t = arena_raw(mem, int64_t, n);
    for (uint32_t i = 0; i < n; i++)
        t[i] = select_ns_to_ms(b->time_ns[from + i]);
    struct stretch x = {
        .t = t, .v = kept_words(mem, b->value + from, n), .n = n, .next = NO_STRETCH,
        .temporality = b->temporality[run], .origin = b->origin[run],
    };
    x.accounted = x.temporality != TEMPORALITY_NONE;
    if (!x.accounted && b->seq)
        x.seq = kept_words(mem, b->seq + from, n);
    if (x.accounted) {
        x.start = b->start_ns[from];
        x.starts = one_start(b, from, from + n) ? NULL : kept_words(mem, b->start_ns + from, n);
    }
    if (c->histograms)
        take_histograms(j, c, from, &x);
    s->accounted |= x.accounted;
    if (x.accounted && select_asks(j, &x))
        put_labels(j, s, run);
    if (j->nstretches == j->cap_stretches) {
        j->cap_stretches = MAX(2 * j->cap_stretches, 256u);
        j->stretches = mem_resize(j->stretches, sizeof *j->stretches * j->cap_stretches);
    }
    if (s->last == NO_STRETCH)
        s->first = j->nstretches;
    else
        j->stretches[s->last].next = j->nstretches;
    s->last = j->nstretches;
    j->stretches[j->nstretches++] = x;
}

static enum err take_run(struct job *j, struct at_hand *c, uint32_t run, struct fault *f)
{
    if (j->runs.fresh[run])
        new_series(j, c, run);
    struct found *s = &j->found[j->runs.numbers[run]];
    enum err e = judge_source(j, s, run, f);
    if (e || is_folded(j, c, s, run))
        return e;
    keep_run(j, c, s, run);
    return query_hold(j->ev->q, c->b->run_end[run] - run_begin(c->b, run), f);
}

static enum err take_block(struct job *j, const struct block *b, struct fault *f)
{
    struct at_hand c;
    enum err e = runs_block(&j->runs, b, f);
    if (e)
        return e;
    open_block(j, b, &c);
    for (uint32_t i = 0; i < b->nruns && !e && !select_failed(j); i++)
        e = take_run(j, &c, i, f);
    return e;
}

enum err select_scan(struct job *j, struct fault *f)
{
    struct query_ctx *q = j->ev->q;
    struct scan_req req = {
        .table = TABLE_SAMPLE, .from_ns = j->from_ns, .to_ns = j->to_ns, .matchers = j->spelling.matchers,
        .nmatchers = j->spelling.nmatchers, .all_labels = true, .by_series = true,
        .without = WITHOUT_RECV | WITHOUT_CLAIMED,
    };
    struct scan *sc;
    j->one_name = asks_for_one_name(j);
    enum err e = query_scan_begin(q, &req, &sc, f);
    if (e)
        return e;
    const struct block *b;
    while (!(e = q->src->scan_next(sc, &b, f)) && b && !select_failed(j)) {
        e = take_block(j, b, f);
        if (e)
            break;
    }
    query_scan_end(q, sc);
    return e;
}
