/* api/prom_ast.c -- /api/v1/format_query and /api/v1/parse_query: a query as text and as the
 * tree that Prometheus's own pages draw.
 *
 * Keys are written in the order of their names, as Prometheus's answers have them.
 * Invariant: a tree is written only if it is at most TREE_MAX deep, since each of its
 * levels opens up to two of JSON's and the writer has room for JW_DEPTH_MAX.
 */
#include "api/asked.h"
#include "api/prom_envelope.h"
#include "api/prom_meta.h"
#include "base/num.h"
#include "promql/functions.h"
#include "promql/print.h"

enum { TREE_MAX = (JW_DEPTH_MAX - 8) / 2, FORMATTED_MAX = 1 << 26 };

static void write_node(struct jw *w, const struct expr *x);

static void write_texts(struct jw *w, struct str key, const struct str *at, uint32_t n)
{
    jw_key(w, key);
    jw_arr(w);
    for (uint32_t i = 0; i < n; i++)
        jw_str(w, at[i]);
    jw_arr_end(w);
}

static void write_child(struct jw *w, struct str key, const struct expr *x)
{
    jw_key(w, key);
    if (x)
        write_node(w, x);
    else
        jw_null(w);
}

static struct str type_name(enum ptype t)
{
    return t == T_VECTOR ? S("vector") : t == T_MATRIX ? S("matrix") : str_c(ptype_text(t));
}

static void write_fill(struct jw *w, struct str key, const double *v)
{
    jw_key(w, key);
    if (v)
        jw_f64(w, *v);
    else
        jw_null(w);
}

static void write_matching(struct jw *w, const struct expr *x)
{
    static const struct { struct str text; } cards[] = {
        [ONE_TO_ONE] = { S("one-to-one") }, [MANY_TO_ONE] = { S("many-to-one") },
        [ONE_TO_MANY] = { S("one-to-many") }, [MANY_TO_MANY] = { S("many-to-many") },
    };
    const struct matching *m = &x->bin.m;
    jw_key(w, S("matching"));
    if (x->bin.l->type != T_VECTOR || x->bin.r->type != T_VECTOR) {
        jw_null(w);
        return;
    }
    jw_obj(w);
    jw_kv_str(w, S("card"), cards[m->card].text);
    jw_key(w, S("fillValues"));
    jw_obj(w);
    write_fill(w, S("lhs"), m->fill_left);
    write_fill(w, S("rhs"), m->fill_right);
    jw_obj_end(w);
    write_texts(w, S("include"), m->include, m->ninclude);
    write_texts(w, S("labels"), m->names, m->nnames);
    jw_kv_bool(w, S("on"), m->on);
    jw_obj_end(w);
}

static void write_when(struct jw *w, const struct shift *s)
{
    jw_key(w, S("startOrEnd"));
    if (s->at == AT_START || s->at == AT_END)
        jw_str(w, s->at == AT_START ? S("start") : S("end"));
    else
        jw_null(w);
    jw_key(w, S("timestamp"));
    if (s->at == AT_TIME)
        jw_i64(w, s->at_ms);
    else
        jw_null(w);
}

static void write_selector(struct jw *w, const struct selector *s, const struct dur *range)
{
    jw_kv_bool(w, S("anchored"), s->anchored);
    jw_key(w, S("matchers"));
    jw_arr(w);
    for (uint32_t i = 0; i < s->nmatchers; i++) {
        jw_obj(w);
        jw_kv_str(w, S("name"), s->matchers[i].label);
        jw_kv_str(w, S("type"), str_c(match_text(s->matchers[i].op)));
        jw_kv_str(w, S("value"), s->matchers[i].value);
        jw_obj_end(w);
    }
    jw_arr_end(w);
    jw_kv_str(w, S("name"), s->name);
    jw_kv_i64(w, S("offset"), dur_literal_ms(s->shift.offset));
    if (range)
        jw_kv_i64(w, S("range"), dur_literal_ms(range));
    jw_kv_bool(w, S("smoothed"), s->smoothed);
    write_when(w, &s->shift);
}

static void write_call(struct jw *w, const struct expr *x)
{
    const struct fn_def *fn = x->call.fn;
    jw_key(w, S("args"));
    jw_arr(w);
    for (uint32_t i = 0; i < x->call.nargs; i++)
        write_node(w, x->call.args[i]);
    jw_arr_end(w);
    jw_key(w, S("func"));
    jw_obj(w);
    jw_key(w, S("argTypes"));
    jw_arr(w);
    for (uint32_t i = 0; i < fn_nargs(fn); i++)
        jw_str(w, type_name(fn->args[i]));
    jw_arr_end(w);
    jw_kv_str(w, S("name"), fn->name);
    jw_kv_str(w, S("returnType"), type_name(fn->ret));
    jw_kv_i64(w, S("variadic"), fn->variadic);
    jw_obj_end(w);
}

static void write_members(struct jw *w, const struct expr *x)
{
    char text[NUM_F64_MAX];
    switch (x->kind) {
    case X_AGGREGATE:
        write_child(w, S("expr"), x->agg.of);
        write_texts(w, S("grouping"), x->agg.names, x->agg.nnames);
        jw_kv_str(w, S("op"), str_c(agg_text(x->agg.op)));
        write_child(w, S("param"), x->agg.param);
        break;
    case X_BINARY:
        jw_kv_bool(w, S("bool"), x->bin.m.bool_mode);
        write_child(w, S("lhs"), x->bin.l);
        write_matching(w, x);
        jw_kv_str(w, S("op"), str_c(bin_text(x->bin.op)));
        write_child(w, S("rhs"), x->bin.r);
        break;
    case X_CALL:
        write_call(w, x);
        break;
    case X_SELECTOR:
        write_selector(w, &x->sel, NULL);
        break;
    case X_RANGE:
        write_selector(w, &x->range.of->sel, x->range.range);
        break;
    case X_SUBQUERY:
        write_child(w, S("expr"), x->sub.of);
        jw_kv_i64(w, S("offset"), dur_literal_ms(x->sub.shift.offset));
        jw_kv_i64(w, S("range"), dur_literal_ms(x->sub.range));
        write_when(w, &x->sub.shift);
        jw_kv_i64(w, S("step"), dur_literal_ms(x->sub.step));
        break;
    case X_UNARY:
        write_child(w, S("expr"), x->unary.of);
        jw_kv_str(w, S("op"), x->unary.negate ? S("-") : S("+"));
        break;
    case X_PAREN:
        write_child(w, S("expr"), x->paren);
        break;
    case X_NUMBER:
        jw_kv_str(w, S("val"), (struct str){ text, num_fmt_f64(text, x->number) });
        break;
    case X_STRING:
        jw_kv_str(w, S("val"), x->string);
        break;
    }
}

static void write_node(struct jw *w, const struct expr *x)
{
    static const struct { struct str text; } types[] = {
        [X_NUMBER] = { S("numberLiteral") }, [X_STRING] = { S("stringLiteral") }, [X_SELECTOR] = { S("vectorSelector") },
        [X_RANGE] = { S("matrixSelector") }, [X_SUBQUERY] = { S("subquery") }, [X_CALL] = { S("call") },
        [X_AGGREGATE] = { S("aggregation") }, [X_BINARY] = { S("binaryExpr") }, [X_UNARY] = { S("unaryExpr") },
        [X_PAREN] = { S("parenExpr") },
    };
    jw_obj(w);
    write_members(w, x);
    jw_kv_str(w, S("type"), types[x->kind].text);
    if (x->kind == X_AGGREGATE)
        jw_kv_bool(w, S("without"), x->agg.without);
    jw_obj_end(w);
}

/* Is any path longer than `room`? Chains of operators go down on their left: no call for those. */
static bool deeper(const struct expr *x, uint32_t room)
{
    for (;; room--) {
        if (!room)
            return true;
        switch (x->kind) {
        case X_AGGREGATE:
            if (x->agg.param && deeper(x->agg.param, room - 1))
                return true;
            x = x->agg.of;
            break;
        case X_BINARY:
            if (deeper(x->bin.r, room - 1))
                return true;
            x = x->bin.l;
            break;
        case X_CALL:
            for (uint32_t i = 0; i < x->call.nargs; i++)
                if (deeper(x->call.args[i], room - 1))
                    return true;
            return false;
        case X_SUBQUERY:
            x = x->sub.of;
            break;
        case X_UNARY:
            x = x->unary.of;
            break;
        case X_PAREN:
            x = x->paren;
            break;
        default:
            return false;
        }
    }
}

/* The parameter `query`, parsed and shallow enough. False: the request is answered. */
static bool read_query(struct http_req *r, struct arena *mem, struct promql *ret)
{
    struct str text = S("");
    struct fault f = { 0 };
    http_param(r, S("query"), &text);
    if (promql_parse(mem, text, ret, &f)) {
        prom_bad_data(r, "invalid parameter \"query\": %s", f.msg);
        return false;
    }
    if (!deeper(ret->root, TREE_MAX))
        return true;
    prom_bad_data(r, "invalid parameter \"query\": its tree is deeper than the limit of %d", TREE_MAX);
    return false;
}

void prom_format_query(struct http_req *r)
{
    CLEANUP(arena_done) struct arena mem;
    CLEANUP(promql_done) struct promql query = { 0 };
    asked_arena(r->arg, &mem);
    if (!read_query(r, &mem, &query))
        return;
    struct buf text;
    struct prom_reply p;
    buf_init(&text, FORMATTED_MAX);
    promql_pretty(&text, &query, query.root);
    if (text.bad) {
        prom_fail(r, E_LIMIT, S("the formatted query is longer than the limit of 64 MiB"));
    } else {
        prom_begin(&p, r);
        jw_str(&p.w, buf_view(&text));
        prom_send(&p, NULL);
    }
    buf_done(&text);
}

void prom_parse_query(struct http_req *r)
{
    CLEANUP(arena_done) struct arena mem;
    CLEANUP(promql_done) struct promql query = { 0 };
    asked_arena(r->arg, &mem);
    if (!read_query(r, &mem, &query))
        return;
    struct prom_reply p;
    prom_begin(&p, r);
    write_node(&p.w, query.root);
    prom_send(&p, NULL);
}
