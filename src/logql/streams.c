/* logql/streams.c -- which streams there are, their labels and sizes.
 *
 * Names come from the source's own list; values and streams from rows grouped by their
 * stream labels, of which there are few.
 */
#include "logql/eval_int.h"
#include "logql/group.h"
#include "logql/plan.h"

#include <stdlib.h>

#include "model/names.h"

struct survey {
    struct query_ctx *ctx;
    struct plan plan;
    struct pipeline pipe;
    struct grouper groups;
    struct stream_size *at;
    uint32_t n, cap;
    bool sizes;
    uint64_t meta_bytes;
};

static void survey_done(struct survey *s)
{
    grouper_done(&s->groups);
    pipeline_done(&s->pipe);
}

/* ---- label names ------------------------------------------------------------------------ */

struct name_list {
    struct arena *mem;
    struct map seen;
    struct str *at;
    uint32_t n, cap;
};

static void add_name(struct name_list *l, struct str name)
{
    if (map_get(&l->seen, name) != MAP_NONE)
        return;
    struct str kept = arena_str(l->mem, name);
    map_put(&l->seen, kept, l->n);
    *arena_push(l->mem, l->at, l->n, l->cap) = kept;
}

static void each_name(void *arg, enum place place, struct str name)
{
    struct name_list *l = arg;
    if (place == PLACE_LABEL)
        add_name(l, name);
    else if (place == PLACE_RESOURCE && is_stream_attribute(name))
        add_name(l, label_name(name, l->mem));
}

static int by_text(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

static void plan_selector_only(struct query_ctx *ctx, const struct logql *q, struct plan *ret)
{
    static const struct logql_options opt = { .no_detected_level = true };
    struct log_expr none = { 0 };
    struct plan_want want = { 0 };
    if (q)
        none = q->root->log;
    none.nstages = 0;
    plan_make(ctx, &opt, &none, NULL, &want, ret);
}

enum err logql_label_names(struct query_ctx *ctx, const struct logql *q, struct log_span span, struct str **ret,
                           uint32_t *ret_n, struct fault *f)
{
    struct plan plan;
    struct name_list l = { .mem = ctx->mem };
    plan_selector_only(ctx, q, &plan);
    struct scan_req req = plan.req;
    req.from_ns = span.start_ns;
    req.to_ns = span.end_ns;
    req.deadline_mono_ns = ctx->deadline_mono_ns;
    req.cancelled = ctx->cancelled;
    enum err e = plan.nothing ? OK : ctx->src->label_names(ctx->src, &req, each_name, &l, f);
    map_done(&l.seen);
    if (e)
        return e;
    if (l.n > 1)
        qsort(l.at, l.n, sizeof *l.at, by_text);
    *ret = l.at;
    *ret_n = l.n;
    return OK;
}

/* ---- streams ------------------------------------------------------------------------------ */

static void count_label(void *arg, enum category cat, uint32_t name, struct str value)
{
    struct survey *s = arg;
    if (cat == CAT_META)
        s->meta_bytes += s->pipe.names.at[name].n + value.n;
}

static void survey_row(struct survey *s, uint32_t row)
{
    struct entry e;
    entry_begin(&e, &s->pipe, row);
    uint32_t id = grouper_id(&s->groups, &e, false);
    while (id >= s->n)
        *arena_push(s->ctx->mem, s->at, s->n, s->cap) = (struct stream_size){ 0 };
    s->at[id].entries++;
    if (!s->sizes)
        return;
    s->meta_bytes = 0;
    entry_each(&e, count_label, s);
    s->at[id].bytes += e.line.n + s->meta_bytes;
}

static enum err survey_rows(struct survey *s, struct log_span span, struct fault *f)
{
    struct query_ctx *ctx = s->ctx;
    struct scan *sc;
    enum err e = plan_scan(ctx, &s->plan, span.start_ns, span.end_ns, SCAN_ANY, &sc, f);
    if (e)
        return e;
    const struct block *b = NULL;
    for (;;) {
        e = ctx->src->scan_next(sc, &b, f);
        if (e || !b)
            break;
        e = query_check(ctx, f);
        if (!e)
            e = query_check_series(ctx, s->groups.n, f);
        if (e)
            break;
        binding_block(&s->pipe.bind, &s->pipe.names, b);
        for (uint32_t i = 0; i < b->nsel; i++)
            survey_row(s, b->sel[i]);
    }
    query_scan_end(ctx, sc);
    return e;
}

static int by_labels(const void *a, const void *b)
{
    const struct stream_size *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

enum err logql_streams(struct query_ctx *ctx, const struct logql *q, struct log_span span, bool sizes, struct stream_list *ret,
                       struct fault *f)
{
    CLEANUP(survey_done) struct survey s = { .ctx = ctx, .sizes = sizes };
    *ret = (struct stream_list){ 0 };
    plan_selector_only(ctx, q, &s.plan);
    pipeline_init(&s.pipe, ctx, s.plan.spans, false);
    grouper_init(&s.groups, &s.pipe, GROUP_STREAM, NULL, 0);
    if (s.plan.nothing)
        return OK;
    s.plan.req.all_labels = sizes;
    if (!sizes) {
        struct str *names;
        uint32_t n;
        enum err e = logql_label_names(ctx, q, span, &names, &n, f);
        if (e)
            return e;
        s.plan.req.labels = names;
        s.plan.req.nlabels = n;
    }
    enum err e = survey_rows(&s, span, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < s.n; i++)
        s.at[i].labels = s.groups.series[i];
    if (s.n > 1)
        qsort(s.at, s.n, sizeof *s.at, by_labels);
    *ret = (struct stream_list){ s.at, s.n };
    return OK;
}

void log_label_values(const struct stream_list *streams, struct str label, struct arena *mem, struct str **ret, uint32_t *ret_n)
{
    struct name_list l = { .mem = mem };
    for (uint32_t i = 0; i < streams->n; i++) {
        struct str v = labels_get(streams->at[i].labels, label);
        if (v.n)
            add_name(&l, v);
    }
    map_done(&l.seen);
    if (l.n > 1)
        qsort(l.at, l.n, sizeof *l.at, by_text);
    *ret = l.at;
    *ret_n = l.n;
}

enum err logql_label_values(struct query_ctx *ctx, const struct logql *q, struct log_span span, struct str label,
                            struct str **ret, uint32_t *ret_n, struct fault *f)
{
    struct stream_list streams;
    enum err e = logql_streams(ctx, q, span, false, &streams, f);
    if (!e)
        log_label_values(&streams, label, ctx->mem, ret, ret_n);
    return e;
}

void logql_selected_labels(const struct logql *q, struct arena *mem, struct str **ret, uint32_t *ret_n)
{
    const struct log_expr *log = &q->root->log;
    struct name_list l = { .mem = mem };
    CHECK(q->root->kind == EXPR_LOG);
    for (uint32_t i = 0; i < log->nmatchers; i++)
        add_name(&l, log->matchers[i].label);
    map_done(&l.seen);
    *ret = l.at;
    *ret_n = l.n;
}
