/* logql/plan.c -- see plan.h.
 *
 * The selector's matchers go to the source for stream labels only: a resource
 * attribute counts when it is in Loki's index list, a pushed label always. Label
 * filters that come before anything changes labels go down as well: a matcher as it
 * is, and then it need not run again; a comparison as "is there at all".
 *
 * Line filters are moved in front of what does not change the line, as Loki does, so
 * that fewer lines are parsed.
 *
 * Spans are read instead of log records when the selector asks ccmon_signal="spans".
 */
#include "logql/plan.h"

#include <stdlib.h>

#include "logql/filter_label.h"
#include "model/names.h"

struct planner {
    struct query_ctx *ctx;
    struct plan *plan;
    struct matcher *matchers;
    uint32_t nmatchers, cap_matchers;
    struct need need;                              /* columns */
    struct str *numbers;                           /* and those that are read as numbers */
    uint32_t nnumbers, cap_numbers;
};

/* ---- selector ------------------------------------------------------------------------ */

static bool is_signal(const struct matcher *m)
{
    return str_eq(m->label, S("ccmon_signal"));
}

static void plan_selector(struct planner *p, const struct log_expr *log)
{
    for (uint32_t i = 0; i < log->nmatchers; i++)
        if (is_signal(&log->matchers[i]) && log->matchers[i].op == MATCH_EQ && str_eq(log->matchers[i].value, S("spans")))
            p->plan->spans = true;
    for (uint32_t i = 0; i < log->nmatchers; i++) {
        struct matcher m = log->matchers[i];
        if (is_signal(&m)) {
            p->plan->nothing |= !matcher_test(&m, p->plan->spans ? S("spans") : S("logs"));
            continue;
        }
        m.places = 1u << PLACE_LABEL;
        if (is_stream_attribute(m.label))
            m.places |= 1u << PLACE_RESOURCE;
        *arena_push(p->ctx->mem, p->matchers, p->nmatchers, p->cap_matchers) = m;
    }
}

/* ---- label filters ----------------------------------------------------------------------- */

/* Hands down what can be; true: nothing of the test is left. */
static bool push_test(struct planner *p, const struct label_test *t)
{
    if (t->kind == TEST_OR)
        return false;
    if (t->kind == TEST_AND) {
        bool left = push_test(p, t->left), right = push_test(p, t->right);
        return left && right;
    }
    uint32_t places = meta_places(p->plan->spans, t->name);
    if (!places)
        return false;
    if (t->kind == TEST_NUMBER)
        *arena_push(p->ctx->mem, p->numbers, p->nnumbers, p->cap_numbers) = t->name;
    struct matcher m = { .op = MATCH_NE, .label = t->name };
    if (t->kind == TEST_MATCH)
        m = t->matcher;
    m.places = places;
    *arena_push(p->ctx->mem, p->matchers, p->nmatchers, p->cap_matchers) = m;
    return t->kind == TEST_MATCH;
}

/* ---- stages ------------------------------------------------------------------------------- */

struct order {
    struct stage *out, *lines, *others;
    uint32_t nout, nlines, nothers;
};

static void flush(struct order *o)
{
    for (uint32_t i = 0; i < o->nlines; i++)
        o->out[o->nout++] = o->lines[i];
    for (uint32_t i = 0; i < o->nothers; i++)
        o->out[o->nout++] = o->others[i];
    o->nlines = o->nothers = 0;
}

static void order_stages(struct planner *p, const struct log_expr *log, struct order *o)
{
    o->out = arena_new(p->ctx->mem, struct stage, log->nstages + 1);
    o->lines = arena_new(p->ctx->mem, struct stage, log->nstages + 1);
    o->others = arena_new(p->ctx->mem, struct stage, log->nstages + 1);
    for (uint32_t i = 0; i < log->nstages; i++) {
        struct stage s = log->stages[i];
        if (s.def->passes_all && s.def->passes_all(&s))
            continue;                              /* Grafana puts |= "" into what it builds */
        if (s.def == &stage_line_filter) {
            o->lines[o->nlines++] = s;
            continue;
        }
        if (s.def == &stage_label_filter)
            flush(o);
        o->others[o->nothers++] = s;
        if (s.def == &stage_label_filter || (!s.def->keeps_line && s.def != &stage_decolorize))
            flush(o);
    }
    flush(o);
}

static void add_needs(const struct stage *s, struct need *n)
{
    if (s->def->needs)
        s->def->needs(s, n);
}

/* The stages in their order, without what the source does. */
static void plan_stages(struct planner *p, const struct log_expr *log, const struct unwrap *unwrap)
{
    struct plan *plan = p->plan;
    struct order o = { 0 };
    order_stages(p, log, &o);
    uint32_t npost = unwrap ? unwrap->npost : 0;
    plan->stages = arena_new(p->ctx->mem, struct stage, o.nout + npost + 1);
    bool untouched = true;
    for (uint32_t i = 0; i < o.nout; i++) {
        struct stage s = o.out[i];
        add_needs(&s, &plan->hints);
        if (s.def == &stage_label_filter && untouched && push_test(p, s.arg))
            continue;
        untouched &= s.def->keeps_labels;
        add_needs(&s, &p->need);
        plan->stages[plan->nstages++] = s;
    }
    plan->nbefore = plan->nstages;
    for (uint32_t i = 0; i < npost; i++) {
        add_needs(&unwrap->post[i], &plan->hints);
        add_needs(&unwrap->post[i], &p->need);
        plan->stages[plan->nstages++] = unwrap->post[i];
    }
}

/* ---- columns ------------------------------------------------------------------------------- */

struct columns {
    struct arena *mem;
    struct str *at;
    uint32_t n, cap;
};

static void add_column(void *arg, struct str name)
{
    struct columns *c = arg;
    for (uint32_t i = 0; i < c->n; i++)
        if (str_eq(c->at[i], name))
            return;
    *arena_push(c->mem, c->at, c->n, c->cap) = name;
}

static void add_label(struct columns *c, struct str name)
{
    struct str suffix = S("_extracted");
    add_column(c, name);
    label_sources(name, add_column, c);
    if (str_ends(name, suffix))
        add_label(c, str_sub(name, 0, name.n - suffix.n));
}

static bool reads_line(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->nstages; i++)
        if (plan->stages[i].def != &stage_label_filter && plan->stages[i].def != &stage_keep && plan->stages[i].def != &stage_drop)
            return true;
    return false;
}

static bool limits_labels(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->nstages; i++)
        if (plan->stages[i].def->limits)
            return true;
    return false;
}

static void plan_columns(struct planner *p, const struct plan_want *want)
{
    struct plan *plan = p->plan;
    struct columns c = { .mem = p->ctx->mem };
    plan->req.all_labels = p->need.all || (want->labels && !limits_labels(plan));
    for (uint32_t i = 0; i < want->nnames; i++)
        add_label(&c, want->names[i]);
    for (uint32_t i = 0; i < p->need.n; i++)
        add_label(&c, p->need.names[i]);
    if (want->line || reads_line(plan))
        add_column(&c, plan->spans ? S("name") : S("body"));
    plan->req.labels = c.at;
    plan->req.nlabels = c.n;
    for (uint32_t i = 0; i < c.n; i++)
        plan->level |= str_eq(c.at[i], S("detected_level"));
    plan->level |= plan->req.all_labels;
}

/* Which stages tell by a few columns what lines are left, before the others are read. */
static void plan_choosing(struct planner *p)
{
    struct plan *plan = p->plan;
    struct columns c = { .mem = p->ctx->mem };
    struct need need = { .mem = p->ctx->mem };
    uint32_t i = 0;
    for (; i < plan->nstages && plan->stages[i].def->choose; i++) {
        struct need of_stage = { .mem = p->ctx->mem };
        add_needs(&plan->stages[i], &of_stage);
        bool level = false;                        /* which may follow from any label */
        for (uint32_t k = 0; k < of_stage.n; k++)
            level |= str_eq(of_stage.names[k], S("detected_level"));
        if (level)
            break;
        add_needs(&plan->stages[i], &need);
    }
    plan->nchoosing = i;
    if (i)
        add_column(&c, plan->spans ? S("name") : S("body"));
    for (uint32_t k = 0; k < need.n; k++)
        add_label(&c, need.names[k]);
    plan->chooses_by = c.at;
    plan->nchooses_by = c.n;
    plan->choosing_all = true;
    for (; i < plan->nstages; i++)
        plan->choosing_all &= !plan->stages[i].def->choose;
}

void plan_make(struct query_ctx *ctx, const struct logql_options *opt, const struct log_expr *log, const struct unwrap *unwrap,
               const struct plan_want *want, struct plan *ret)
{
    *ret = (struct plan){ .hints = { .mem = ctx->mem } };
    struct planner p = { .ctx = ctx, .plan = ret, .need = { .mem = ctx->mem } };
    plan_selector(&p, log);
    plan_stages(&p, log, unwrap);
    plan_columns(&p, want);
    plan_choosing(&p);
    ret->level &= !opt->no_detected_level;
    ret->req.table = ret->spans ? TABLE_SPAN : TABLE_LOG;
    ret->req.without = WITHOUT_RECV | WITHOUT_START | WITHOUT_CLAIMED | WITHOUT_VALUE | WITHOUT_TEMPORALITY | WITHOUT_SEQ |
                       (ret->level ? 0 : WITHOUT_ORIGIN);
    if (unwrap && unwrap->present && unwrap->conv == CONV_NONE)
        *arena_push(ctx->mem, p.numbers, p.nnumbers, p.cap_numbers) = unwrap->name;
    ret->req.numbers = p.numbers;
    ret->req.nnumbers = p.nnumbers;
    ret->req.matchers = p.matchers;
    ret->req.nmatchers = p.nmatchers;
}

enum err plan_scan(struct query_ctx *ctx, const struct plan *p, int64_t from_ns, int64_t to_ns, enum scan_order order,
                   struct scan **ret, struct fault *f)
{
    struct scan_req req = p->req;
    req.from_ns = from_ns;
    req.to_ns = to_ns;
    req.order = order;
    return query_scan_begin(ctx, &req, ret, f);
}
