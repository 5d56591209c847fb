/* logql/parse.c -- expressions: selectors with pipelines, range and vector
 * aggregations, operators. Recursive descent with one token of lookahead; binary
 * operators climb by precedence. The grammar of pipelines is in parse_log.c and in
 * the stages' own files; what is legal but makes no sense is said by check.c.
 */
#include "logql/check.h"
#include "logql/parse_int.h"
#include "logql/range_ops.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "logql/stage.h"

/* ---- tokens -------------------------------------------------------------------- */

enum err parser_next(struct parser *p)
{
    return tokens_next(&p->lex, &p->tok, p->f);
}

enum err parser_unexpected(struct parser *p, const char *what)
{
    struct str name = token_name(&p->tok);
    return fault_set(p->f, E_SYNTAX, p->tok.at, "parse error at line %zu, col %zu: syntax error: unexpected " STR_FMT "%s%s",
                     p->tok.line, p->tok.col, STR_ARG(name), what ? ", expecting " : "", what ? what : "");
}

enum err parser_take(struct parser *p, enum tok kind, const char *what, struct str *ret)
{
    if (p->tok.kind != kind)
        return parser_unexpected(p, what);
    struct str text = p->tok.text;
    enum err e = parser_next(p);
    if (!e)
        *ret = text;
    return e;
}

enum err parser_expect(struct parser *p, enum tok kind, const char *what)
{
    struct str ignored;
    return parser_take(p, kind, what, &ignored);
}

enum err parser_error(struct parser *p, const char *fmt, ...)
{
    char msg[sizeof p->f->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return fault_set(p->f, E_SYNTAX, p->tok.at, "parse error : %s", msg);
}

enum err parser_stage_error(struct parser *p, const struct stage *s, const char *fmt, ...)
{
    char msg[sizeof p->f->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    struct buf b;
    buf_init(&b, LOGQL_QUERY_MAX * 4);
    s->def->print(s, &b);
    struct str text = buf_view(&b);
    enum err e = parser_error(p, "stage '" STR_FMT "' : %s", STR_ARG(text), msg);
    buf_done(&b);
    return e;
}

enum err parser_enter(struct parser *p)
{
    if (++p->depth > LOGQL_DEPTH_MAX)
        return fault_set(p->f, E_LIMIT, p->tok.at, "query is nested deeper than %d", LOGQL_DEPTH_MAX);
    return OK;
}

static const struct str no_names[1];               /* lists are never NULL */

static struct expr *new_expr(struct parser *p, enum expr_kind kind, size_t at)
{
    struct expr *x = arena_new(p->mem, struct expr, 1);
    x->kind = kind;
    x->at = at;
    return x;
}

/* ---- small parts ----------------------------------------------------------------- */

enum err parse_names(struct parser *p, const struct str **ret, uint32_t *ret_n)
{
    struct str *names = NULL;
    uint32_t n = 0, cap = 0;
    for (;;) {
        struct str name;
        enum err e = parser_take(p, T_IDENT, n ? "IDENTIFIER" : NULL, &name);
        if (e)
            return e;
        if (n == LOGQL_NAMES_MAX)
            return fault_set(p->f, E_LIMIT, p->tok.at, "more than %d names in one list", LOGQL_NAMES_MAX);
        *arena_push(p->mem, names, n, cap) = name;
        if (p->tok.kind != T_COMMA)
            break;
        e = parser_next(p);
        if (e)
            return e;
    }
    *ret = names;
    *ret_n = n;
    return OK;
}

/* "(" [ names ] ")" */
static enum err parse_name_list(struct parser *p, const struct str **ret, uint32_t *ret_n)
{
    enum err e = parser_expect(p, T_LPAREN, "(");
    if (!e && p->tok.kind != T_RPAREN)
        e = parse_names(p, ret, ret_n);
    return e ? e : parser_expect(p, T_RPAREN, ") or ,");
}

/* [ ("by" | "without") name_list ] */
static enum err parse_grouping(struct parser *p, struct grouping *ret)
{
    if (p->tok.kind != T_BY && p->tok.kind != T_WITHOUT)
        return OK;
    ret->present = true;
    ret->without = p->tok.kind == T_WITHOUT;
    enum err e = parser_next(p);
    return e ? e : parse_name_list(p, &ret->names, &ret->n);
}

static enum err number_of(struct parser *p, struct str text, bool negative, double *ret)
{
    double v;
    if (!str_to_f64(text, &v))
        return parser_error(p, "unable to parse literal as a float: strconv.ParseFloat: parsing \"" STR_FMT "\": invalid syntax",
                            STR_ARG(text));
    *ret = negative ? -v : v;
    return OK;
}

enum err parse_literal(struct parser *p, double *ret)
{
    bool negative = p->tok.kind == T_SUB;
    if (negative || p->tok.kind == T_ADD) {
        enum err e = parser_next(p);
        if (e)
            return e;
    }
    struct str text;
    enum err e = parser_take(p, T_NUMBER, negative ? "NUMBER" : NULL, &text);
    return e ? e : number_of(p, text, negative, ret);
}

/* ---- log ranges ------------------------------------------------------------------ */

/* [ "offset" DURATION ] */
static enum err parse_offset(struct parser *p, struct range_expr *r)
{
    if (p->tok.kind != T_OFFSET)
        return OK;
    enum err e = parser_next(p);
    if (e)
        return e;
    if (p->tok.kind != T_DURATION)
        return parser_unexpected(p, "DURATION");
    r->offset_ns = p->tok.ns;
    return parser_next(p);
}

/* unwrap := "unwrap" (IDENT | conversion "(" IDENT ")") { "|" label_filter } */
static enum err parse_unwrap(struct parser *p, struct unwrap *u)
{
    static const struct str conversions[] = { S(""), S("bytes"), S("duration"), S("duration_seconds") };
    enum err e = parser_expect(p, T_UNWRAP, "unwrap");
    if (e)
        return e;
    u->present = true;
    for (int c = CONV_BYTES; c <= CONV_DURATION_SECONDS && p->tok.kind == T_FUNC; c++)
        if (str_eq(conversions[c], p->tok.text))
            u->conv = (enum conversion)c;
    if (!u->conv)
        return parser_take(p, T_IDENT, "IDENTIFIER or BYTES_CONV or DURATION_CONV or DURATION_SECONDS_CONV", &u->name);
    e = parser_next(p);
    if (!e)
        e = parser_expect(p, T_LPAREN, "(");
    if (!e)
        e = parser_take(p, T_IDENT, "IDENTIFIER", &u->name);
    return e ? e : parser_expect(p, T_RPAREN, ")");
}

/* What may follow a selector inside a range: stages, then unwrap, then filters on it. */
static enum err parse_range_pipeline(struct parser *p, struct range_expr *r)
{
    while (starts_line_filter(p->tok.kind) || p->tok.kind == T_PIPE) {
        if (r->unwrap.present && p->tok.kind != T_PIPE)
            return parser_unexpected(p, NULL);
        if (p->tok.kind != T_PIPE) {
            enum err e = parse_stage(p, &r->log, false);
            if (e)
                return e;
            continue;
        }
        enum err e = parser_next(p);
        if (e)
            return e;
        if (r->unwrap.present)
            e = parse_label_filter(p, arena_push(p->mem, r->unwrap.post, r->unwrap.npost, r->unwrap.cap_post));
        else if (p->tok.kind == T_UNWRAP)
            e = parse_unwrap(p, &r->unwrap);
        else
            e = parse_stage(p, &r->log, true);
        if (e)
            return e;
        if (r->log.nstages + r->unwrap.npost > LOGQL_STAGES_MAX)
            return fault_set(p->f, E_LIMIT, p->tok.at, "a pipeline of more than %d stages", LOGQL_STAGES_MAX);
    }
    return OK;
}

/* log_range := "(" log_range ")" [ RANGE [ offset ] ]
 *            | selector [ pipeline ] [ RANGE [ offset ] [ pipeline ] ]
 * where a RANGE comes exactly once; `ret_ranged` says whether it did so far. */
static enum err parse_log_range(struct parser *p, struct range_expr *r, bool *ret_ranged)
{
    enum err e = parser_enter(p);
    if (e)
        return e;
    *ret_ranged = false;
    if (p->tok.kind == T_LPAREN) {
        e = parser_next(p);
        if (!e)
            e = parse_log_range(p, r, ret_ranged);
        if (!e)
            e = parser_expect(p, T_RPAREN, *ret_ranged ? ")" : NULL);
    } else {
        e = parse_stream_selector(p, &r->log);
        if (!e)
            e = parse_range_pipeline(p, r);
    }
    if (e)
        return e;
    if (p->tok.kind == T_RANGE && !*ret_ranged) {
        *ret_ranged = true;
        r->range_ns = p->tok.ns;
        e = parser_next(p);
        if (!e)
            e = parse_offset(p, r);
        if (!e && !r->log.nstages && !r->unwrap.present)
            e = parse_range_pipeline(p, r);        /* {a="b"}[5m] | json: also allowed */
    }
    p->depth--;
    return e;
}

/* ---- functions ------------------------------------------------------------------- */

/* op "(" [ NUMBER "," ] log_range ")" [ grouping ] */
static enum err parse_range_call(struct parser *p, const struct range_op *op, struct expr **ret)
{
    struct expr *x = new_expr(p, EXPR_RANGE, p->tok.at);
    struct range_expr *r = &x->range;
    r->op = op;
    r->by.names = no_names;
    enum err e = parser_next(p);
    if (!e)
        e = parser_expect(p, T_LPAREN, "(");
    if (e)
        return e;
    if (p->tok.kind == T_NUMBER) {
        r->param_text = p->tok.text;
        e = parse_literal(p, &r->param);
        if (!e)
            e = parser_expect(p, T_COMMA, ",");
        if (e)
            return e;
    }
    bool ranged;
    e = parse_log_range(p, r, &ranged);
    if (e)
        return e;
    if (!ranged)
        return parser_unexpected(p, "RANGE");
    e = parser_expect(p, T_RPAREN, ")");
    if (!e)
        e = parse_grouping(p, &r->by);
    if (e)
        return e;
    *ret = x;
    return check_range(p, r);
}

static const struct agg_def aggs[] = {
    { S("sum"), .op = AGG_SUM },       { S("avg"), .op = AGG_AVG },       { S("min"), .op = AGG_MIN },
    { S("max"), .op = AGG_MAX },       { S("count"), .op = AGG_COUNT },   { S("stddev"), .op = AGG_STDDEV },
    { S("stdvar"), .op = AGG_STDVAR }, { S("topk"), .op = AGG_TOPK, .param = true },
    { S("bottomk"), .op = AGG_BOTTOMK, .param = true },
    { S("approx_topk"), .op = AGG_TOPK, .param = true, .approx = true },
    { S("sort"), .sorts = true },      { S("sort_desc"), .sorts = true, .descending = true },
};

static const struct agg_def *agg_find(struct str name)
{
    for (size_t i = 0; i < LEN(aggs); i++)
        if (str_eq(aggs[i].name, name))
            return &aggs[i];
    return NULL;
}

static enum err parse_binary(struct parser *p, int min_prec, struct expr **ret);

/* The NUMBER of topk is one only when a comma follows; else it begins an expression. */
static enum err parse_agg_args(struct parser *p, struct expr *x, struct str *ret_k)
{
    enum err e = OK;
    if (p->tok.kind == T_NUMBER) {
        struct parser ahead = *p;
        struct fault ignored;
        ahead.f = &ignored;
        if (parser_next(&ahead) == OK && ahead.tok.kind == T_COMMA) {
            *ret_k = p->tok.text;
            e = parser_next(p);
            if (!e)
                e = parser_next(p);
        }
    }
    return e ? e : parse_binary(p, 0, &x->agg.in);
}

/* op [ grouping ] "(" [ NUMBER "," ] expr ")" [ grouping ] */
static enum err parse_agg_call(struct parser *p, const struct agg_def *def, struct expr **ret)
{
    struct expr *x = new_expr(p, EXPR_AGG, p->tok.at);
    x->agg.def = def;
    x->agg.by.names = no_names;
    struct str k = { 0 };
    enum err e = parser_next(p);
    if (!e)
        e = parse_grouping(p, &x->agg.by);
    if (!e)
        e = parser_expect(p, T_LPAREN, "(");
    if (!e)
        e = parse_agg_args(p, x, &k);
    if (!e)
        e = parser_expect(p, T_RPAREN, NULL);
    if (!e && !x->agg.by.present)
        e = parse_grouping(p, &x->agg.by);
    if (e)
        return e;
    *ret = x;
    return check_agg(p, &x->agg, k);
}

/* "label_replace" "(" expr "," STRING "," STRING "," STRING "," STRING ")" */
static enum err parse_label_replace(struct parser *p, struct expr **ret)
{
    struct expr *x = new_expr(p, EXPR_REPLACE, p->tok.at);
    struct replace_expr *r = &x->replace;
    struct str *args[] = { &r->dst, &r->replacement, &r->src, &r->pattern };
    enum err e = parser_next(p);
    if (!e)
        e = parser_expect(p, T_LPAREN, "(");
    if (!e)
        e = parse_binary(p, 0, &r->in);
    for (size_t i = 0; i < LEN(args) && !e; i++) {
        e = parser_expect(p, T_COMMA, ",");
        if (!e)
            e = parser_take(p, T_STRING, "STRING", args[i]);
    }
    if (!e)
        e = parser_expect(p, T_RPAREN, ")");
    if (e)
        return e;
    if (r->in->kind == EXPR_LOG)
        return parser_unexpected(p, NULL);
    struct fault why;
    if (logql_regex(p->q, r->pattern, REGEX_FULL, &r->re, &why))
        return parser_error(p, "invalid regex in label_replace: %s", why.msg);
    *ret = x;
    return OK;
}

/* "vector" "(" NUMBER ")" */
static enum err parse_vector(struct parser *p, struct expr **ret)
{
    struct expr *x = new_expr(p, EXPR_VECTOR, p->tok.at);
    struct str text;
    enum err e = parser_next(p);
    if (!e)
        e = parser_expect(p, T_LPAREN, "(");
    if (!e)
        e = parser_take(p, T_NUMBER, "NUMBER", &text);
    if (!e)
        e = number_of(p, text, false, &x->number);
    if (!e)
        e = parser_expect(p, T_RPAREN, ")");
    *ret = x;
    return e;
}

static enum err parse_call(struct parser *p, struct expr **ret)
{
    const struct range_op *op = range_op_find(p->tok.text);
    if (op)
        return parse_range_call(p, op, ret);
    const struct agg_def *agg = agg_find(p->tok.text);
    if (agg)
        return parse_agg_call(p, agg, ret);
    if (str_eq(p->tok.text, S("label_replace")))
        return parse_label_replace(p, ret);
    if (str_eq(p->tok.text, S("vector")))
        return parse_vector(p, ret);
    return parser_unexpected(p, NULL);
}

/* ---- operators ------------------------------------------------------------------- */

static const struct binop {
    enum tok tok;
    enum bin_op op;
    int prec;
    bool right;
} binops[] = {
    { T_OR, BIN_OR, 1, false },      { T_AND, BIN_AND, 2, false }, { T_UNLESS, BIN_UNLESS, 2, false },
    { T_CMP_EQ, BIN_EQ, 3, false },  { T_NEQ, BIN_NE, 3, false },  { T_GT, BIN_GT, 3, false },
    { T_GTE, BIN_GE, 3, false },     { T_LT, BIN_LT, 3, false },   { T_LTE, BIN_LE, 3, false },
    { T_ADD, BIN_ADD, 4, false },    { T_SUB, BIN_SUB, 4, false }, { T_MUL, BIN_MUL, 5, false },
    { T_DIV, BIN_DIV, 5, false },    { T_MOD, BIN_MOD, 5, false }, { T_POW, BIN_POW, 6, true },
};

static const struct binop *find_binop(enum tok kind)
{
    for (size_t i = 0; i < LEN(binops); i++)
        if (binops[i].tok == kind)
            return &binops[i];
    return NULL;
}

/* [ "bool" ] [ ("on" | "ignoring") name_list [ ("group_left" | "group_right") [ name_list ] ] ] */
static enum err parse_modifier(struct parser *p, struct bin_expr *b)
{
    enum err e = OK;
    if (p->tok.kind == T_BOOL) {
        b->m.bool_mode = true;
        e = parser_next(p);
    }
    if (e || (p->tok.kind != T_ON && p->tok.kind != T_IGNORING))
        return e;
    b->matched = true;
    b->m.on = p->tok.kind == T_ON;
    e = parser_next(p);
    if (!e)
        e = parse_name_list(p, &b->m.names, &b->m.nnames);
    if (e || (p->tok.kind != T_GROUP_LEFT && p->tok.kind != T_GROUP_RIGHT))
        return e;
    b->m.card = p->tok.kind == T_GROUP_LEFT ? MANY_TO_ONE : ONE_TO_MANY;
    e = parser_next(p);
    return e || p->tok.kind != T_LPAREN ? e : parse_name_list(p, &b->m.include, &b->m.ninclude);
}

/* log := selector { stage } */
static enum err parse_log(struct parser *p, struct expr **ret)
{
    struct expr *x = new_expr(p, EXPR_LOG, p->tok.at);
    enum err e = parse_stream_selector(p, &x->log);
    while (!e && (starts_line_filter(p->tok.kind) || p->tok.kind == T_PIPE)) {
        bool piped = p->tok.kind == T_PIPE;
        if (piped)
            e = parser_next(p);
        if (!e)
            e = parse_stage(p, &x->log, piped);
    }
    *ret = x;
    return e;
}

/* primary := "(" expr ")" | log | call | number */
static enum err parse_primary(struct parser *p, struct expr **ret)
{
    enum err e;
    switch (p->tok.kind) {
    case T_LPAREN:
        e = parser_next(p);
        if (!e)
            e = parse_binary(p, 0, ret);
        return e ? e : parser_expect(p, T_RPAREN, ")");
    case T_LBRACE:
        return parse_log(p, ret);
    case T_FUNC:
        return parse_call(p, ret);
    case T_NUMBER:
    case T_ADD:
    case T_SUB: {
        struct expr *x = new_expr(p, EXPR_NUMBER, p->tok.at);
        *ret = x;
        return parse_literal(p, &x->number);
    }
    default:
        return parser_unexpected(p, NULL);
    }
}

/* binary := primary { op modifier binary } */
static enum err parse_binary(struct parser *p, int min_prec, struct expr **ret)
{
    struct expr *left;
    enum err e = parser_enter(p);
    if (!e)
        e = parse_primary(p, &left);
    if (e)
        return e;
    const struct binop *op;
    while ((op = find_binop(p->tok.kind)) && op->prec >= min_prec) {
        struct expr *x = new_expr(p, EXPR_BIN, p->tok.at);
        x->bin.op = op->op;
        x->bin.left = left;
        x->bin.m.names = x->bin.m.include = no_names;
        e = parser_next(p);
        if (!e)
            e = parse_modifier(p, &x->bin);
        if (!e)
            e = parse_binary(p, op->prec + !op->right, &x->bin.right);
        if (!e)
            e = check_binary(p, x);
        if (e)
            return e;
        left = x;
    }
    p->depth--;
    *ret = left;
    return OK;
}

/* ---- the whole ------------------------------------------------------------------- */

enum err logql_regex(struct logql *q, struct str pattern, enum regex_mode mode, struct regex **ret, struct fault *f)
{
    struct regex *re;
    /* Compiled as written first, for an error that shows what was written. A label
     * matcher's dot matches everything; a line filter's stops at the end of a line. */
    enum err e = regex_new(pattern, mode, &re, f);
    if (!e && mode == REGEX_SEARCH && str_index(pattern, '.') != SIZE_MAX) {
        regex_free(re);
        e = regex_new(arena_fmt(q->mem, "(?-s)" STR_FMT, STR_ARG(pattern)), mode, &re, f);
    }
    if (e)
        return e;
    *arena_push(q->mem, q->regexes, q->nregexes, q->cap_regexes) = re;
    *ret = re;
    return OK;
}

void logql_freep(struct logql **q)
{
    if (!*q)
        return;
    for (uint32_t i = 0; i < (*q)->nregexes; i++)
        regex_free((*q)->regexes[i]);
    *q = NULL;
}

enum err logql_parse(struct str text, struct arena *mem, struct logql **ret, struct fault *f)
{
    if (text.n >= LOGQL_QUERY_MAX)
        return fault_set(f, E_SYNTAX, 0, "parse error : input size too long (%zu > %d)", text.n, LOGQL_QUERY_MAX);
    CLEANUP(logql_freep) struct logql *q = arena_new(mem, struct logql, 1);
    q->mem = mem;
    struct parser p = { .mem = mem, .q = q, .f = f };
    tokens_init(&p.lex, text, mem);
    enum err e = parser_next(&p);
    if (!e)
        e = parse_binary(&p, 0, &q->root);
    if (!e && p.tok.kind != T_END)
        e = parser_unexpected(&p, NULL);
    if (!e)
        e = check_root(&p, q->root);
    if (e)
        return e;
    *ret = TAKE(q);
    return OK;
}

enum err logql_parse_selector(struct str text, struct arena *mem, struct logql **ret, struct fault *f)
{
    CLEANUP(logql_freep) struct logql *q = NULL;
    enum err e = logql_parse(text, mem, &q, f);
    if (e)
        return e;
    if (q->root->kind != EXPR_LOG || q->root->log.nstages)
        return fault_set(f, E_SYNTAX, 0, "only label matchers is supported");
    *ret = TAKE(q);
    return OK;
}

enum logql_type logql_type(const struct logql *q)
{
    return q->root->kind == EXPR_LOG ? LOGQL_LOGS : q->root->kind == EXPR_NUMBER ? LOGQL_SCALAR : LOGQL_METRIC;
}

double logql_scalar(const struct logql *q)
{
    CHECK(q->root->kind == EXPR_NUMBER);
    return q->root->number;
}

bool logql_sorts(const struct logql *q)
{
    return q->root->kind == EXPR_AGG && q->root->agg.def->sorts;
}
