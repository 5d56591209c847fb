/* logql/streams.c -- which streams there are, their labels and sizes.
 *
 * Names come from the source's own list; values and streams from rows grouped by their
 * stream labels, of which there are few: by codes, as in eval_columns.c. The size of a line
 * is that of its text, and of the names and values of its metadata; each value that occurs
 * is measured once a block. A block that is not told by codes goes row by row.
 */
#include "logql/coded.h"
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

/* Of all streams there are: known without reading a row. */
static enum err all_label_names(struct query_ctx *ctx, struct log_span span, struct str **ret, uint32_t *ret_n, struct fault *f)
{
    struct plan plan;
    struct name_list l = { .mem = ctx->mem };
    plan_selector_only(ctx, NULL, &plan);
    struct scan_req req = plan.req;
    req.from_ns = span.start_ns;
    req.to_ns = span.end_ns;
    req.deadline_mono_ns = ctx->deadline_mono_ns;
    req.cancelled = ctx->cancelled;
    enum err e = ctx->src->label_names(ctx->src, &req, each_name, &l, f);
    map_done(&l.seen);
    if (e)
        return e;
    if (l.n > 1)
        qsort(l.at, l.n, sizeof *l.at, by_text);
    *ret = l.at;
    *ret_n = l.n;
    return OK;
}

enum err logql_label_names(struct query_ctx *ctx, const struct logql *q, struct log_span span, struct str **ret,
                           uint32_t *ret_n, struct fault *f)
{
    struct stream_list streams;
    struct name_list l = { .mem = ctx->mem };
    if (!q)
        return all_label_names(ctx, span, ret, ret_n, f);
    enum err e = logql_streams(ctx, q, span, false, &streams, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < streams.n; i++)
        for (uint32_t k = 0; k < streams.at[i].labels.n; k++)
            add_name(&l, streams.at[i].labels.at[k].name);
    map_done(&l.seen);
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

static struct stream_size *stream_of(struct survey *s, uint32_t id)
{
    while (id >= s->n)
        *arena_push(s->ctx->mem, s->at, s->n, s->cap) = (struct stream_size){ 0 };
    return &s->at[id];
}

static void survey_row(struct survey *s, uint32_t row)
{
    struct entry e;
    entry_begin(&e, &s->pipe, row);
    uint32_t id = grouper_id(&s->groups, &e, false);
    stream_of(s, id)->entries++;
    if (!s->sizes)
        return;
    s->meta_bytes = 0;
    entry_each(&e, count_label, s);
    s->at[id].bytes += e.line.n + s->meta_bytes;
}

/* ---- by columns ----------------------------------------------------------------------------- */

enum { STREAM_LABELS_MAX = 32, STREAMS_OF_BLOCK_MAX = 1 << 16 };

/* What a label adds to the size of a line. */
struct measured {
    const struct column *col;
    uint32_t *size;                                /* by its code; NULL: a column of plain numbers */
    size_t name_size;
    bool zero_absent;
};

struct block_survey {
    const struct column *label[STREAM_LABELS_MAX];
    uint32_t name[STREAM_LABELS_MAX], stride[STREAM_LABELS_MAX], nlabels;
    uint32_t nstreams;                             /* combinations of codes */
    struct measured *measured;
    uint32_t nmeasured;
    uint64_t *entries, *bytes;                     /* by combination */
};

static bool add_stream_label(struct survey *s, struct block_survey *bs, const struct bound *l)
{
    const struct column *c;
    if (bs->nlabels == STREAM_LABELS_MAX || !bound_coded(&s->pipe.bind, l, &c) || c->ndict > STREAMS_OF_BLOCK_MAX / bs->nstreams)
        return false;
    bs->name[bs->nlabels] = l->name;
    bs->label[bs->nlabels] = c;
    bs->stride[bs->nlabels++] = bs->nstreams;
    bs->nstreams *= c->ndict;
    return true;
}

/* `name_size` counts for each line that has the value at all. */
static void measure(struct survey *s, struct block_survey *bs, const struct column *c, size_t name_size)
{
    struct binding *b = &s->pipe.bind;
    char scratch[VALUE_TEXT_MAX];
    struct measured *m = &bs->measured[bs->nmeasured++];
    *m = (struct measured){ .col = c, .size = arena_new(&b->mem, uint32_t, c->ndict) };
    for (uint32_t i = 0; i < c->ndict; i++) {
        const struct value *v = &c->dict[i];
        struct str text = v->type == V_STR || v->type == V_JSON ? v->s
                          : v->type == V_BYTES ? value_text_in(v, &b->mem) : value_text(v, scratch);
        if (value_is_label(v))
            m->size[i] = (uint32_t)(name_size + text.n);
    }
}

static bool prepare(struct survey *s, struct block_survey *bs)
{
    struct binding *b = &s->pipe.bind;
    *bs = (struct block_survey){ .nstreams = 1, .measured = arena_new(&b->mem, struct measured, b->n + 1) };
    if (s->sizes && (b->line.n > 1 || (b->line.n && !b->line.at[0]->code)))
        return false;
    if (s->sizes && b->line.n)
        measure(s, bs, b->line.at[0], 0);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct bound *l = &b->at[i];
        const struct column *c;
        if (!l->meta && !add_stream_label(s, bs, l))
            return false;
        if (!l->meta || !s->sizes)
            continue;
        size_t name_size = s->pipe.names.at[l->name].n;
        if (!binding_stream(b, l->name) && l->ncols == 1 && !l->cols[0]->code) {
            bs->measured[bs->nmeasured++] = (struct measured){
                .col = l->cols[0], .name_size = name_size, .zero_absent = l->zero_absent && l->cols[0]->key.place == PLACE_FIELD,
            };
            continue;
        }
        if (binding_stream(b, l->name) || !bound_coded(b, l, &c))
            return false;                          /* a name that depends on the line, too many numbers */
        measure(s, bs, c, name_size);
    }
    bs->entries = arena_new(&b->mem, uint64_t, bs->nstreams);
    bs->bytes = arena_new(&b->mem, uint64_t, bs->nstreams);
    return true;
}

static void measure_numbers(const struct measured *m, const struct selection *rows, uint32_t from, uint32_t n, uint32_t *size)
{
    char scratch[VALUE_TEXT_MAX];
    for (uint32_t i = 0; i < n; i++) {
        struct value v = column_value(m->col, rows->rows ? rows->rows[from + i] : from + i);
        if (v.type != V_NONE && !(m->zero_absent && v.type == V_INT && !v.i))
            size[i] += (uint32_t)(m->name_size + value_text(&v, scratch).n);
    }
}

static void survey_strip(const struct block_survey *bs, const struct selection *rows, uint32_t from, uint32_t n)
{
    uint32_t code[CODES_STRIP], stream[CODES_STRIP] = { 0 }, size[CODES_STRIP] = { 0 };
    for (uint32_t k = 0; k < bs->nlabels; k++) {
        codes_read(bs->label[k], rows, from, n, code);
        for (uint32_t i = 0; i < n; i++)
            stream[i] += code[i] * bs->stride[k];
    }
    for (uint32_t k = 0; k < bs->nmeasured; k++) {
        if (!bs->measured[k].size) {
            measure_numbers(&bs->measured[k], rows, from, n, size);
            continue;
        }
        codes_read(bs->measured[k].col, rows, from, n, code);
        for (uint32_t i = 0; i < n; i++)
            size[i] += bs->measured[k].size[code[i]];
    }
    for (uint32_t i = 0; i < n; i++) {
        bs->entries[stream[i]]++;
        bs->bytes[stream[i]] += size[i];
    }
}

/* From combinations of codes to streams. */
static void take_streams(struct survey *s, const struct block_survey *bs)
{
    for (uint32_t g = 0; g < bs->nstreams; g++) {
        const struct value *values[STREAM_LABELS_MAX];
        uint32_t rest = g;
        if (!bs->entries[g])
            continue;
        for (uint32_t k = bs->nlabels; k-- > 0; rest %= bs->stride[k])
            values[k] = &bs->label[k]->dict[rest / bs->stride[k]];
        struct stream_size *to = stream_of(s, grouper_by_values(&s->groups, bs->name, values, bs->nlabels));
        to->entries += bs->entries[g];
        to->bytes += bs->bytes[g];
    }
}

static bool survey_columns(struct survey *s)
{
    struct block_survey bs;
    struct selection rows = selection_of(&s->pipe.bind);
    if (!prepare(s, &bs))
        return false;
    for (uint32_t from = 0; from < rows.n; from += CODES_STRIP)
        survey_strip(&bs, &rows, from, MIN(rows.n - from, (uint32_t)CODES_STRIP));
    take_streams(s, &bs);
    return true;
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
        bool done = survey_columns(s);
        for (uint32_t i = 0; i < b->nsel && !done; i++)
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
        enum err e = all_label_names(ctx, span, &names, &n, f);
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
