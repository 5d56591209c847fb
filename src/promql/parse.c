/* promql/parse.c -- expressions, by recursive descent.
 *
 * Binary operators climb by precedence (the table below); unary minus binds like
 * '*', so -2^2 is -(2^2). Selectors and durations are in files of their own.
 */
#include <stdarg.h>
#include <stdio.h>

#include "promql/check.h"
#include "promql/parse_int.h"

/* From weakest to strongest; '^' is the only one that groups to the right. */
static const struct {
    enum tok tok;
    enum bin_op op;
    int prec;
    bool right;
} binops[] = {
    { TOK_OR, BIN_OR, 1, false },    { TOK_AND, BIN_AND, 2, false },  { TOK_UNLESS, BIN_UNLESS, 2, false },
    { TOK_EQ, BIN_EQ, 3, false },    { TOK_NE, BIN_NE, 3, false },    { TOK_GT, BIN_GT, 3, false },
    { TOK_LT, BIN_LT, 3, false },    { TOK_GE, BIN_GE, 3, false },    { TOK_LE, BIN_LE, 3, false },
    { TOK_TRIM_UPPER, BIN_TRIM_UPPER, 3, false }, { TOK_TRIM_LOWER, BIN_TRIM_LOWER, 3, false },
    { TOK_ADD, BIN_ADD, 4, false },  { TOK_SUB, BIN_SUB, 4, false },  { TOK_MUL, BIN_MUL, 5, false },
    { TOK_DIV, BIN_DIV, 5, false },  { TOK_MOD, BIN_MOD, 5, false },  { TOK_ATAN2, BIN_ATAN2, 5, false },
    { TOK_POW, BIN_POW, 6, true },
};
enum { PREC_ANY = 1, PREC_UNARY = 6 };             /* the operand of a sign takes '^' only */

static const struct {
    enum tok tok;
    enum agg_op op;
} aggregations[] = {
    { TOK_SUM, AGG_SUM },       { TOK_AVG, AGG_AVG },         { TOK_COUNT, AGG_COUNT },   { TOK_MIN, AGG_MIN },
    { TOK_MAX, AGG_MAX },       { TOK_GROUP, AGG_GROUP },     { TOK_STDDEV, AGG_STDDEV }, { TOK_STDVAR, AGG_STDVAR },
    { TOK_TOPK, AGG_TOPK },     { TOK_BOTTOMK, AGG_BOTTOMK }, { TOK_COUNT_VALUES, AGG_COUNT_VALUES },
    { TOK_QUANTILE, AGG_QUANTILE }, { TOK_LIMITK, AGG_LIMITK }, { TOK_LIMIT_RATIO, AGG_LIMIT_RATIO },
};

/* ---- errors and tokens ----------------------------------------------------- */

enum err p_fault(struct fault *f, struct str text, size_t at, const char *msg)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < text.n; i++) {
        column++;
        if (text.p[i] == '\n') {
            line++;
            column = 1;
        }
    }
    return fault_set(f, E_SYNTAX, at, "%zu:%zu: parse error: %s", line, column, msg);
}

enum err p_error(struct parser *p, size_t at, const char *fmt, ...)
{
    char msg[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return p_fault(p->f, p->q->text, at, msg);
}

enum err p_unexpected(struct parser *p, const char *context, const char *expected)
{
    if (p->tok.kind == TOK_ERROR)
        return p_error(p, p->tok.at, STR_FMT, STR_ARG(p->tok.text));
    char what[80];
    token_describe(&p->tok, what, sizeof what);
    return p_error(p, p->tok.at, "unexpected %s%s%s%s%s", what, context ? " in " : "", context ? context : "",
                   expected ? ", expected " : "", expected ? expected : "");
}

void p_next(struct parser *p)
{
    p->last_end = p->tok.at + p->tok.text.n;
    p->tok = lex_next(&p->lex);
}

bool p_accept(struct parser *p, enum tok kind)
{
    if (p->tok.kind != kind)
        return false;
    p_next(p);
    return true;
}

enum err p_enter(struct parser *p)
{
    if (++p->depth > PROMQL_DEPTH_MAX)
        return p_error(p, p->tok.at, "nested deeper than the limit of %d", PROMQL_DEPTH_MAX);
    return OK;
}

enum err p_link(struct parser *p)
{
    if (++p->links > PROMQL_LINKS_MAX)
        return p_error(p, p->tok.at, "more than the limit of %d operators and subqueries", PROMQL_LINKS_MAX);
    return OK;
}

struct expr *p_new(struct parser *p, enum expr_kind kind, size_t at)
{
    struct expr *x = arena_new(p->mem, struct expr, 1);
    x->kind = kind;
    x->span.at = (uint32_t)at;
    return x;
}

void p_init(struct parser *p, struct arena *mem, struct promql *q, struct fault *f)
{
    *p = (struct parser){ .q = q, .mem = mem, .f = f };
    lex_init(&p->lex, q->text);
    p_next(p);
    p->last_end = 0;
}

/* ---- grouping labels ------------------------------------------------------- */

/* label := any word | string */
static enum err parse_label(struct parser *p, struct str *ret)
{
    if (p->tok.kind == TOK_STRING) {
        size_t at = p->tok.at;
        enum err e = parse_string(p, ret);
        if (!e && !ret->n)
            e = p_error(p, at, "invalid label name for grouping: \"\"");
        return e;
    }
    bool word = p->tok.kind == TOK_IDENT || p->tok.kind == TOK_METRIC || tok_is_aggregation(p->tok.kind) ||
                tok_is_keyword(p->tok.kind) || p->tok.kind == TOK_AND || p->tok.kind == TOK_OR ||
                p->tok.kind == TOK_UNLESS || p->tok.kind == TOK_ATAN2 ||
                (p->tok.kind >= TOK_START && p->tok.kind <= TOK_MAX_OF);
    if (!word)
        return p_unexpected(p, "grouping opts", "label");
    *ret = p->tok.text;
    p_next(p);
    return OK;
}

/* labels := "(" [ label { "," label } [ "," ] ] ")" */
static enum err parse_labels(struct parser *p, struct str **ret, uint32_t *ret_n)
{
    if (!p_accept(p, TOK_LPAREN))
        return p_unexpected(p, "grouping opts", "\"(\"");
    struct str *names = NULL;
    uint32_t n = 0, cap = 0;
    while (p->tok.kind != TOK_RPAREN) {
        struct str name;
        enum err e = parse_label(p, &name);
        if (e)
            return e;
        *arena_push(p->mem, names, n, cap) = name;
        if (p->tok.kind != TOK_RPAREN && !p_accept(p, TOK_COMMA))
            return p_unexpected(p, "grouping opts", "\",\" or \")\"");
    }
    p_next(p);
    *ret = names;
    *ret_n = n;
    return OK;
}

/* ---- calls and aggregations ------------------------------------------------ */

/* args := "(" [ expr { "," expr } ] ")" */
static enum err parse_args(struct parser *p, struct expr ***ret, uint32_t *ret_n)
{
    struct expr **args = NULL;
    uint32_t n = 0, cap = 0;
    if (!p_accept(p, TOK_LPAREN))
        return p_unexpected(p, NULL, NULL);
    while (p->tok.kind != TOK_RPAREN) {
        struct expr *x;
        enum err e = parse_expr(p, &x);
        if (e)
            return e;
        *arena_push(p->mem, args, n, cap) = x;
        if (p->tok.kind == TOK_RPAREN)
            break;
        size_t at = p->tok.at;
        if (!p_accept(p, TOK_COMMA))
            return p_unexpected(p, NULL, NULL);
        if (p->tok.kind == TOK_RPAREN)
            return p_error(p, at, "trailing commas not allowed in function call args");
    }
    p_next(p);
    *ret = args;
    *ret_n = n;
    return OK;
}

/* modifier := ( "by" | "without" ) labels */
static enum err parse_modifier(struct parser *p, struct expr *agg)
{
    agg->agg.without = p->tok.kind == TOK_WITHOUT;
    p_next(p);
    return parse_labels(p, &agg->agg.names, &agg->agg.nnames);
}

static bool at_modifier(const struct parser *p)
{
    return p->tok.kind == TOK_BY || p->tok.kind == TOK_WITHOUT;
}

/* aggregate := op [ modifier ] args | op args [ modifier ]; the operator is eaten. */
static enum err parse_aggregate(struct parser *p, struct token op, struct expr **ret)
{
    struct expr *x = p_new(p, X_AGGREGATE, op.at);
    for (size_t i = 0; i < LEN(aggregations); i++)
        if (aggregations[i].tok == op.kind)
            x->agg.op = aggregations[i].op;
    bool modified = at_modifier(p);
    enum err e = modified ? parse_modifier(p, x) : OK;
    if (e)
        return e;
    if (p->tok.kind != TOK_LPAREN)
        return p_unexpected(p, "aggregation", NULL);
    struct expr **args;
    uint32_t n;
    e = parse_args(p, &args, &n);
    if (!e && !modified && at_modifier(p))
        e = parse_modifier(p, x);
    if (e)
        return e;
    x->span.end = (uint32_t)p->last_end;
    bool param = x->agg.op == AGG_TOPK || x->agg.op == AGG_BOTTOMK || x->agg.op == AGG_QUANTILE ||
                 x->agg.op == AGG_COUNT_VALUES || x->agg.op == AGG_LIMITK || x->agg.op == AGG_LIMIT_RATIO;
    uint32_t want = param ? 2 : 1;
    if (!n)
        return p_error(p, op.at, "no arguments for aggregate expression provided");
    if (n != want)
        return p_error(p, op.at, "wrong number of arguments for aggregate expression provided, expected %u, got %u",
                       want, n);
    x->agg.param = param ? args[0] : NULL;
    x->agg.of = args[n - 1];
    *ret = x;
    return OK;
}

/* call := name args; the name is eaten. */
static enum err parse_call(struct parser *p, struct token name, struct expr **ret)
{
    struct expr *x = p_new(p, X_CALL, name.at);
    enum err e = parse_args(p, &x->call.args, &x->call.nargs);
    if (e)
        return e;
    x->call.fn = fn_find(name.text);
    if (!x->call.fn)
        return p_error(p, name.at, "unknown function with name \"" STR_FMT "\"", STR_ARG(str_sub(name.text, 0, 80)));
    x->span.end = (uint32_t)p->last_end;
    *ret = x;
    return OK;
}

/* A word that begins an expression: aggregation, call or metric name. */
static enum err parse_word(struct parser *p, struct expr **ret)
{
    struct token word = p->tok;
    struct parser before = *p;
    p_next(p);
    if (tok_is_aggregation(word.kind) && (p->tok.kind == TOK_LPAREN || at_modifier(p)))
        return parse_aggregate(p, word, ret);
    bool callable = word.kind == TOK_IDENT || (word.kind >= TOK_START && word.kind <= TOK_MAX_OF);
    if (callable && p->tok.kind == TOK_LPAREN)
        return parse_call(p, word, ret);
    *p = before;
    return parse_selector(p, ret);
}

/* ---- expressions ----------------------------------------------------------- */

static enum err parse_binary(struct parser *p, int min_prec, struct expr **ret);

/* paren := "(" expr ")" */
static enum err parse_paren(struct parser *p, struct expr **ret)
{
    struct expr *x = p_new(p, X_PAREN, p->tok.at);
    p_next(p);
    enum err e = parse_expr(p, &x->paren);
    if (e)
        return e;
    if (!p_accept(p, TOK_RPAREN))
        return p_unexpected(p, NULL, NULL);
    x->span.end = (uint32_t)p->last_end;
    *ret = x;
    return OK;
}

static enum err parse_literal(struct parser *p, struct expr **ret)
{
    struct expr *x = p_new(p, p->tok.kind == TOK_STRING ? X_STRING : X_NUMBER, p->tok.at);
    enum err e = x->kind == X_STRING ? parse_string(p, &x->string) : parse_number(p, &x->number);
    x->span.end = (uint32_t)p->last_end;
    *ret = x;
    return e;
}

static enum err parse_primary(struct parser *p, struct expr **ret)
{
    switch (p->tok.kind) {
    case TOK_LPAREN:
        return parse_paren(p, ret);
    case TOK_STRING:
    case TOK_NUMBER:
    case TOK_DURATION:
        return parse_literal(p, ret);
    case TOK_LBRACE:
        return parse_selector(p, ret);
    default:
        if (tok_is_name(p->tok.kind) || p->tok.kind == TOK_MIN_OF || p->tok.kind == TOK_MAX_OF)
            return parse_word(p, ret);
        return p_unexpected(p, NULL, NULL);
    }
}

/* unary := { "+" | "-" } primary postfix, where a sign's operand may be a power */
static enum err parse_unary(struct parser *p, struct expr **ret)
{
    enum err e = p_enter(p);
    if (e)
        return e;
    if (p->tok.kind == TOK_ADD || p->tok.kind == TOK_SUB) {
        bool negate = p->tok.kind == TOK_SUB;
        size_t at = p->tok.at;
        p_next(p);
        struct expr *of;
        e = parse_binary(p, PREC_UNARY, &of);
        if (e)
            return e;
        if (of->kind == X_NUMBER) {
            of->number = negate ? -of->number : of->number;
            of->span.at = (uint32_t)at;
            *ret = of;
        } else {
            struct expr *x = p_new(p, X_UNARY, at);
            x->unary.negate = negate;
            x->unary.of = of;
            x->span.end = of->span.end;
            *ret = x;
        }
    } else {
        e = parse_primary(p, ret);
        if (!e)
            e = parse_postfix(p, ret);
    }
    p->depth--;
    return e;
}

/* fill := ( "fill" | "fill_left" | "fill_right" ) "(" number ")" */
static enum err parse_fill(struct parser *p, struct matching *m)
{
    enum tok side = p->tok.kind;
    p_next(p);
    if (!p_accept(p, TOK_LPAREN))
        return p_unexpected(p, "fill modifier", "\"(\"");
    bool negate = p->tok.kind == TOK_SUB;
    if (negate || p->tok.kind == TOK_ADD)
        p_next(p);
    double *v = arena_new(p->mem, double, 1);
    enum err e = parse_number(p, v);
    if (e)
        return e;
    *v = negate ? -*v : *v;
    if (!p_accept(p, TOK_RPAREN))
        return p_unexpected(p, "fill modifier", "\")\"");
    if (side != TOK_FILL_RIGHT)
        m->fill_left = v;
    if (side != TOK_FILL_LEFT)
        m->fill_right = v;
    return OK;
}

static bool at_fill(const struct parser *p)
{
    return p->tok.kind == TOK_FILL || p->tok.kind == TOK_FILL_LEFT || p->tok.kind == TOK_FILL_RIGHT;
}

/* matching := [ "bool" ] [ ( "on" | "ignoring" ) labels [ ( "group_left" | "group_right" ) [ labels ] ] ] { fill } */
static enum err parse_matching(struct parser *p, struct matching *m)
{
    m->bool_mode = p_accept(p, TOK_BOOL);
    enum err e = OK;
    if (p->tok.kind == TOK_ON || p->tok.kind == TOK_IGNORING) {
        m->on = p->tok.kind == TOK_ON;
        p_next(p);
        e = parse_labels(p, (struct str **)&m->names, &m->nnames);
        if (e)
            return e;
        if (p->tok.kind == TOK_GROUP_LEFT || p->tok.kind == TOK_GROUP_RIGHT) {
            m->card = p->tok.kind == TOK_GROUP_LEFT ? MANY_TO_ONE : ONE_TO_MANY;
            p_next(p);
            if (p->tok.kind == TOK_LPAREN)
                e = parse_labels(p, (struct str **)&m->include, &m->ninclude);
        }
    }
    while (!e && at_fill(p))
        e = parse_fill(p, m);
    return e;
}

static int find_binop(enum tok t)
{
    for (size_t i = 0; i < LEN(binops); i++)
        if (binops[i].tok == t)
            return (int)i;
    return -1;
}

/* binary := unary { op matching binary }, climbing from min_prec. */
static enum err parse_binary(struct parser *p, int min_prec, struct expr **ret)
{
    enum err e = p_enter(p);
    if (e)
        return e;
    struct expr *left;
    e = parse_unary(p, &left);
    int i;
    while (!e && (i = find_binop(p->tok.kind)) >= 0 && binops[i].prec >= min_prec) {
        struct expr *x = p_new(p, X_BINARY, left->span.at);
        x->bin.op = binops[i].op;
        x->bin.op_at = (uint32_t)p->tok.at;
        x->bin.l = left;
        e = p_link(p);
        p_next(p);
        if (!e)
            e = parse_matching(p, &x->bin.m);
        if (!e)
            e = parse_binary(p, binops[i].prec + !binops[i].right, &x->bin.r);
        if (e)
            return e;
        x->span.end = x->bin.r->span.end;
        left = x;
    }
    p->depth--;
    *ret = left;
    return e;
}

enum err parse_expr(struct parser *p, struct expr **ret)
{
    return parse_binary(p, PREC_ANY, ret);
}

/* ---- entry ----------------------------------------------------------------- */

enum err promql_parse(struct arena *mem, struct str text, struct promql *ret, struct fault *f)
{
    *ret = (struct promql){ .text = text };
    if (text.n > PROMQL_TEXT_MAX)
        return fault_set(f, E_SYNTAX, 0, "query is longer than the limit of %d bytes", PROMQL_TEXT_MAX);
    struct parser p;
    p_init(&p, mem, ret, f);
    if (p.tok.kind == TOK_EOF)
        return fault_set(f, E_SYNTAX, 0, "%sparse error: no expression found in input",
                         text.n ? "1:1: " : "unknown position: ");
    enum err e = parse_expr(&p, &ret->root);
    if (!e && p.tok.kind != TOK_EOF)
        e = p_unexpected(&p, NULL, NULL);
    return e ? e : check_expr(ret, ret->root, f);
}

enum err promql_parse_selector(struct arena *mem, struct str text, struct promql *ret, struct fault *f)
{
    *ret = (struct promql){ .text = text };
    if (text.n > PROMQL_TEXT_MAX)
        return fault_set(f, E_SYNTAX, 0, "selector is longer than the limit of %d bytes", PROMQL_TEXT_MAX);
    struct parser p;
    p_init(&p, mem, ret, f);
    if (p.tok.kind != TOK_LBRACE && !tok_is_name(p.tok.kind))
        return p_unexpected(&p, NULL, NULL);
    enum err e = parse_selector(&p, &ret->root);
    if (!e && p.tok.kind != TOK_EOF)
        e = p_unexpected(&p, NULL, NULL);
    return e;
}

void promql_done(struct promql *p)
{
    for (uint32_t i = 0; i < p->nregexes; i++)
        regex_free(p->regexes[i]);
    p->nregexes = 0;
}
