/* logql/eval_range.c -- a range aggregation: rows through the pipeline, into series,
 * into windows.
 *
 * The grouping of a sum around it is applied to the lines already, as Loki does: it
 * says which labels parsers must find, and a line that is damaged behind those is no
 * error. A line that does carry an error ends the query, unless __error__ was asked for.
 */
#include "logql/range_job.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "logql/text.h"

static void job_done(struct range_job *j)
{
    grouper_done(&j->groups);
    pipeline_done(&j->pipe);
}

/* ---- what counts as grouping ----------------------------------------------------------------- */

struct line_grouping {
    enum group_mode mode;
    struct str *names;
    uint32_t n;
};

static int by_text(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

static struct line_grouping grouping_of(struct range_job *j, const struct grouping *outer)
{
    const struct range_expr *r = j->r;
    struct arena *mem = j->ev->ctx->mem;
    const struct grouping *by = r->by.present ? &r->by : outer ? outer : NULL;
    struct line_grouping g = { .mode = GROUP_ALL };
    g.names = arena_new(mem, struct str, (by ? by->n : 0) + 1);
    if (by) {
        memcpy(g.names, by->names, sizeof *g.names * by->n);
        g.n = by->n;
        g.mode = by->without ? GROUP_WITHOUT : by->n ? GROUP_BY : GROUP_NONE;
    }
    if (r->op->absent)
        g = (struct line_grouping){ .mode = GROUP_NONE, .names = g.names };
    if (r->unwrap.present && (g.mode == GROUP_ALL || g.mode == GROUP_WITHOUT)) {
        g.mode = GROUP_WITHOUT;
        g.names[g.n++] = r->unwrap.name;           /* the unwrapped label is no label of the series */
    }
    if (g.n > 1)
        qsort(g.names, g.n, sizeof *g.names, by_text);
    return g;
}

static const uint32_t *ids_of(struct pipeline *p, const struct str *names, uint32_t n)
{
    uint32_t *ids = arena_new(p->ctx->mem, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++)
        ids[i] = names_id(&p->names, names[i]);
    return ids;
}

/* Which labels parsers must find: known only where the grouping says what is kept. */
static void set_hints(struct range_job *j, const struct line_grouping *g)
{
    struct need *need = &j->plan.hints;
    bool some = g->mode == GROUP_BY || (g->mode == GROUP_NONE && need->nrequired) || (g->mode == GROUP_NONE && j->r->unwrap.present);
    struct hints *h = &j->pipe.hints;
    if (!some) {
        h->no_labels = g->mode == GROUP_NONE;
        return;
    }
    for (uint32_t i = 0; i < g->n; i++)
        need_required(need, g->names[i]);
    if (j->r->unwrap.present)
        need_required(need, j->r->unwrap.name);
    h->required = ids_of(&j->pipe, need->required, need->nrequired);
    h->nrequired = need->nrequired;
    for (uint32_t i = 0; i < need->nrequired; i++)
        h->keep_errors |= str_eq(need->required[i], S("__error__"));
}

static void job_init(struct range_job *j, const struct grouping *outer)
{
    struct evaluator *ev = j->ev;
    const struct range_expr *r = j->r;
    struct line_grouping g = grouping_of(j, outer);
    struct str *wanted = arena_new(ev->ctx->mem, struct str, g.n + 1);
    memcpy(wanted, g.names, sizeof *wanted * g.n);
    struct plan_want want = { .names = wanted, .nnames = g.n };
    want.line = !r->unwrap.present && r->op->measure == MEASURE_BYTES;
    want.labels = g.mode == GROUP_ALL || g.mode == GROUP_WITHOUT;
    if (r->unwrap.present)
        wanted[want.nnames++] = r->unwrap.name;
    plan_make(ev->ctx, ev->opt, &r->log, &r->unwrap, &want, &j->plan);

    pipeline_init(&j->pipe, ev->ctx, j->plan.spans, j->plan.level);
    set_hints(j, &g);
    pipeline_bind(&j->pipe, j->plan.stages, j->plan.nstages);
    grouper_init(&j->groups, &j->pipe, g.mode, ids_of(&j->pipe, g.names, g.n), g.n);
    j->unwrap_name = r->unwrap.present ? names_id(&j->pipe.names, r->unwrap.name) : NAME_NONE;
    j->windows = (struct windows){
        .ctx = ev->ctx, .op = r->op, .start_ns = ev->st.start_ns - r->offset_ns, .step_ns = ev->st.step_ns,
        .range_ns = r->range_ns, .n = ev->st.n, .param = r->param,
    };
}

/* ---- one line ------------------------------------------------------------------------------------ */

static struct str number_complaint(struct entry *e, enum conversion conv, struct str text)
{
    if (conv == CONV_DURATION || conv == CONV_DURATION_SECONDS)
        return arena_fmt(&e->mem, "time: invalid duration \"" STR_FMT "\"", STR_ARG(text));
    return arena_fmt(&e->mem, "strconv.ParseFloat: parsing \"" STR_FMT "\": invalid syntax", STR_ARG(text));
}

bool range_convert(enum conversion conv, struct str text, double *ret)
{
    int64_t ns;
    uint64_t bytes;
    switch (conv) {
    case CONV_NONE: return str_to_f64(text, ret);
    case CONV_BYTES:
        if (!text_bytes(text, &bytes))
            return false;
        *ret = (double)bytes;
        return true;
    case CONV_DURATION:
    case CONV_DURATION_SECONDS:
        if (!num_go_duration(text, &ns))
            return false;
        *ret = text_seconds(ns);
        return true;
    }
    return false;
}

/* The label as a number. False: the line has none and does not count. */
static bool unwrap_value(const struct range_job *j, struct entry *e, double *ret)
{
    enum conversion conv = j->r->unwrap.conv;
    const struct bound *l = conv == CONV_NONE ? entry_column(e, j->unwrap_name) : NULL;
    if (l) {
        struct value v = bound_value(l, e->row);
        if (value_num(&v, ret))
            return true;
    }
    struct str text;
    if (!entry_get(e, j->unwrap_name, &text) || !text.n)
        return false;
    *ret = 0;
    if (!range_convert(conv, text, ret))
        entry_error(e, S("SampleExtractionErr"), number_complaint(e, conv, text));
    return true;
}

struct label_list {
    struct pipeline *p;
    struct label *at;
    uint32_t n, cap;
};

static void list_label(void *arg, enum category cat, uint32_t name, struct str value)
{
    struct label_list *l = arg;
    (void)cat;
    if (name != l->p->preserve_name)
        *arena_push(l->p->ctx->mem, l->at, l->n, l->cap) = (struct label){ l->p->names.at[name], value };
}

static int by_name(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static enum err pipeline_error(struct range_job *j, struct entry *e, struct fault *f)
{
    struct label_list l = { .p = &j->pipe };
    entry_each(e, list_label, &l);
    if (l.n > 1)
        qsort(l.at, l.n, sizeof *l.at, by_name);
    struct str labels = labels_text_plain(j->ev->ctx->mem, (struct labels){ l.at, l.n });
    return query_error(j->ev->ctx, f, E_EXEC,
                       "pipeline error: '" STR_FMT "' for series: '" STR_FMT "'.\nA label filter leaves such lines out: "
                       "| __error__=\"\", also behind unwrap.", STR_ARG(e->err), STR_ARG(labels));
}

enum err range_add_line(struct range_job *j, uint32_t row, struct fault *f)
{
    struct entry e;
    int64_t t = j->pipe.bind.block->time_ns[row];
    if (!windows_have(&j->windows, t))
        return OK;
    entry_begin(&e, &j->pipe, row);
    if (!entry_run(&e, 0, j->plan.nbefore))
        return OK;
    double v = 1;
    if (j->r->unwrap.present) {
        if (!unwrap_value(j, &e, &v) || !entry_run(&e, j->plan.nbefore, j->plan.nstages))
            return OK;
    } else if (j->r->op->measure == MEASURE_BYTES) {
        v = (double)e.line.n;
    }
    if (e.err.n && !e.preserve_error)
        return pipeline_error(j, &e, f);
    j->ev->ctx->passed++;
    return windows_add(&j->windows, grouper_id(&j->groups, &e, e.err.n > 0), t, v, f);
}

static enum err add_block(struct range_job *j, const struct block *b, struct fault *f)
{
    binding_block(&j->pipe.bind, &j->pipe.names, b);
    enum err e = query_check(j->ev->ctx, f);
    if (!e && !j->ev->opt->by_lines && range_columns_prepare(j))
        e = range_add_columns(j, f);
    else
        for (uint32_t i = 0; i < b->nsel && !e; i++)
            e = range_add_line(j, b->sel[i], f);
    return e ? e : query_check_series(j->ev->ctx, j->groups.n, f);
}

static enum err read_rows(struct range_job *j, struct fault *f)
{
    struct query_ctx *ctx = j->ev->ctx;
    int64_t from, to;
    struct scan *sc;
    windows_span(&j->windows, &from, &to);
    enum err e = plan_scan(ctx, &j->plan, from, to, SCAN_OLDEST_FIRST, &sc, f);
    if (e)
        return e;
    const struct block *b = NULL;
    for (;;) {
        e = ctx->src->scan_next(sc, &b, f);
        if (e || !b)
            break;
        e = add_block(j, b, f);
        if (e)
            break;
    }
    query_scan_end(ctx, sc);
    return e;
}

/* ---- absent_over_time ------------------------------------------------------------------------------ */

/* The labels of what is missing: those that the selector fixes. */
static struct labels absent_labels(struct query_ctx *ctx, const struct log_expr *log)
{
    struct label *at = arena_new(ctx->mem, struct label, log->nmatchers + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < log->nmatchers; i++) {
        const struct matcher *m = &log->matchers[i];
        bool once = m->op == MATCH_EQ;
        for (uint32_t k = 0; k < log->nmatchers && once; k++)
            once = k == i || !str_eq(log->matchers[k].label, m->label);
        if (once)
            at[n++] = (struct label){ m->label, m->value };
    }
    return labels_make(at, n);
}

static void invert(struct range_job *j, struct vec *v)
{
    struct query_ctx *ctx = j->ev->ctx;
    struct vec out = { 0 };
    struct tser *s = vec_add(ctx, &out, absent_labels(ctx, &j->r->log), 0, j->ev->st.n);
    for (uint32_t k = 0; k < j->ev->st.n; k++)
        if (!v->n || value_is_absent(tser_at(&v->at[0], k)))
            s->v[k] = 1;
    vec_trim(&out);
    *v = out;
}

enum err eval_range(struct evaluator *ev, const struct range_expr *r, const struct grouping *outer, struct vec *ret, struct fault *f)
{
    CLEANUP(job_done) struct range_job j = { .ev = ev, .r = r };
    job_init(&j, outer);
    enum err e = j.plan.nothing ? OK : read_rows(&j, f);
    if (!e)
        e = windows_result(&j.windows, j.groups.series, ret, f);
    if (!e && r->op->absent)
        invert(&j, ret);
    return e;
}
