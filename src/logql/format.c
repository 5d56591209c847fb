/* logql/format.c -- a query as Loki's format_query prints it. */
#include "logql/ast.h"
#include "logql/range_ops.h"
#include "logql/stage.h"
#include "logql/text.h"

enum { FORMAT_MAX = 4 * LOGQL_QUERY_MAX };

void format_matcher(const struct matcher *m, struct buf *b)
{
    static const struct str ops[] = { [MATCH_EQ] = S("="), [MATCH_NE] = S("!="), [MATCH_RE] = S("=~"), [MATCH_NRE] = S("!~") };
    buf_str(b, m->label);
    buf_str(b, ops[m->op]);
    text_quote(b, m->value);
}

static void put_names(struct buf *b, const struct str *names, uint32_t n)
{
    buf_byte(b, '(');
    for (uint32_t i = 0; i < n; i++) {
        buf_str(b, i ? S(",") : S(""));
        buf_str(b, names[i]);
    }
    buf_byte(b, ')');
}

static void put_grouping(struct buf *b, const struct grouping *g)
{
    buf_str(b, g->without ? S(" without ") : S(" by "));
    put_names(b, g->names, g->n);
}

static void put_log(struct buf *b, const struct log_expr *log)
{
    buf_byte(b, '{');
    for (uint32_t i = 0; i < log->nmatchers; i++) {
        buf_str(b, i ? S(", ") : S(""));
        format_matcher(&log->matchers[i], b);
    }
    buf_byte(b, '}');
    for (uint32_t i = 0; i < log->nstages; i++) {
        buf_byte(b, ' ');
        log->stages[i].def->print(&log->stages[i], b);
    }
}

static void put_unwrap(struct buf *b, const struct unwrap *u)
{
    static const struct str conversions[] = { S(""), S("bytes"), S("duration"), S("duration_seconds") };
    buf_str(b, S(" | unwrap "));
    buf_str(b, conversions[u->conv]);
    buf_str(b, u->conv ? S("(") : S(""));
    buf_str(b, u->name);
    buf_str(b, u->conv ? S(")") : S(""));
    for (uint32_t i = 0; i < u->npost; i++) {
        buf_byte(b, ' ');
        u->post[i].def->print(&u->post[i], b);
    }
}

static void put_range(struct buf *b, const struct range_expr *r)
{
    buf_str(b, r->op->name);
    buf_byte(b, '(');
    if (r->param_text.n) {
        buf_f64(b, r->param);
        buf_byte(b, ',');
    }
    put_log(b, &r->log);
    if (r->unwrap.present)
        put_unwrap(b, &r->unwrap);
    buf_byte(b, '[');
    text_put_range(b, r->range_ns);
    buf_byte(b, ']');
    if (r->offset_ns) {
        buf_str(b, S(" offset "));
        text_put_duration(b, r->offset_ns);
    }
    buf_byte(b, ')');
    if (r->by.present)
        put_grouping(b, &r->by);
}

static void put_agg(struct buf *b, const struct agg_expr *a)
{
    buf_str(b, a->def->name);
    if (a->by.present && (a->by.n || a->by.without))
        put_grouping(b, &a->by);
    buf_byte(b, '(');
    if (a->def->param)
        buf_fmt(b, "%lld,", (long long)a->k);
    format_expr(a->in, b);
    buf_byte(b, ')');
}

static void put_binary(struct buf *b, const struct bin_expr *x)
{
    static const struct str ops[] = {
        [BIN_ADD] = S("+"), [BIN_SUB] = S("-"), [BIN_MUL] = S("*"), [BIN_DIV] = S("/"), [BIN_MOD] = S("%"), [BIN_POW] = S("^"),
        [BIN_EQ] = S("=="), [BIN_NE] = S("!="), [BIN_GT] = S(">"), [BIN_LT] = S("<"), [BIN_GE] = S(">="), [BIN_LE] = S("<="),
        [BIN_AND] = S("and"), [BIN_OR] = S("or"), [BIN_UNLESS] = S("unless"),
    };
    buf_byte(b, '(');
    format_expr(x->left, b);
    buf_byte(b, ' ');
    buf_str(b, ops[x->op]);
    buf_str(b, x->m.bool_mode ? S(" bool") : S(""));
    if (x->matched) {
        buf_str(b, x->m.on ? S(" on ") : S(" ignoring "));
        put_names(b, x->m.names, x->m.nnames);
        if (x->m.card == MANY_TO_ONE || x->m.card == ONE_TO_MANY) {
            buf_str(b, x->m.card == MANY_TO_ONE ? S(" group_left ") : S(" group_right "));
            put_names(b, x->m.include, x->m.ninclude);
        }
    }
    buf_byte(b, ' ');
    format_expr(x->right, b);
    buf_byte(b, ')');
}

static void put_replace(struct buf *b, const struct replace_expr *r)
{
    const struct str args[] = { r->dst, r->replacement, r->src, r->pattern };
    buf_str(b, S("label_replace("));
    format_expr(r->in, b);
    for (size_t i = 0; i < LEN(args); i++) {
        buf_byte(b, ',');
        text_quote(b, args[i]);
    }
    buf_byte(b, ')');
}

void format_expr(const struct expr *x, struct buf *b)
{
    switch (x->kind) {
    case EXPR_LOG: put_log(b, &x->log); break;
    case EXPR_RANGE: put_range(b, &x->range); break;
    case EXPR_AGG: put_agg(b, &x->agg); break;
    case EXPR_BIN: put_binary(b, &x->bin); break;
    case EXPR_NUMBER: buf_f64(b, x->number); break;
    case EXPR_VECTOR: buf_fmt(b, "vector(%f)", x->number); break;
    case EXPR_REPLACE: put_replace(b, &x->replace); break;
    }
}

struct str logql_format(const struct logql *q, struct arena *mem)
{
    struct buf b;
    buf_init(&b, FORMAT_MAX);
    format_expr(q->root, &b);
    struct str s = arena_str(mem, buf_view(&b));
    buf_done(&b);
    return s;
}
