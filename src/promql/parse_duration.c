/* promql/parse_duration.c -- what follows a selector: ranges, subqueries, offset, @,
 * anchored, smoothed; and the durations in them, which may be expressions. */
#include <math.h>

#include "promql/parse_int.h"

static const char wanted[] = "number, duration, step(), or range()";

static enum err parse_dur(struct parser *p, int min_prec, const char *context, struct dur **ret);

static struct dur *dur_new(struct parser *p, enum dur_op op, size_t at, struct dur *l, struct dur *r)
{
    struct dur *d = arena_new(p->mem, struct dur, 1);
    *d = (struct dur){ .op = op, .l = l, .r = r, .span = { (uint32_t)at, (uint32_t)p->last_end } };
    return d;
}

static enum err check_literal(struct parser *p, const struct dur *d)
{
    if (d->op == DUR_LITERAL && !(fabs(d->seconds) < 9223372036.0))
        return p_error(p, d->span.at, "duration out of range");
    return OK;
}

static enum err literal(struct parser *p, struct dur **ret)
{
    size_t at = p->tok.at;
    double seconds = 0;
    enum err e = parse_number(p, &seconds);
    *ret = dur_new(p, DUR_LITERAL, at, NULL, NULL);
    (*ret)->seconds = seconds;
    return e ? e : check_literal(p, *ret);
}

/* call := ( "step" | "range" ) "(" ")" | ( "min" | "max" ) "(" dur "," dur ")" */
static enum err dur_call(struct parser *p, struct dur **ret)
{
    struct token word = p->tok;
    bool two = word.kind != TOK_STEP && word.kind != TOK_RANGE;
    struct dur *l = NULL, *r = NULL;
    p_next(p);
    if (!p_accept(p, TOK_LPAREN))
        return p_unexpected(p, NULL, NULL);
    if (two) {
        enum err e = parse_dur(p, 1, NULL, &l);
        if (e)
            return e;
        if (!p_accept(p, TOK_COMMA))
            return p_unexpected(p, NULL, NULL);
        e = parse_dur(p, 1, NULL, &r);
        if (e)
            return e;
    }
    if (!p_accept(p, TOK_RPAREN))
        return p_unexpected(p, NULL, NULL);
    enum dur_op op = word.kind == TOK_STEP ? DUR_STEP : word.kind == TOK_RANGE ? DUR_RANGE
                     : word.kind == TOK_MIN || word.kind == TOK_MIN_OF ? DUR_MIN : DUR_MAX;
    *ret = dur_new(p, op, word.at, l, r);
    return OK;
}

static bool at_dur_call(const struct parser *p)
{
    enum tok t = p->tok.kind;
    return t == TOK_STEP || t == TOK_RANGE || t == TOK_MIN || t == TOK_MAX || t == TOK_MIN_OF || t == TOK_MAX_OF;
}

static struct dur *negated(struct parser *p, struct dur *d, size_t at)
{
    if (d->op != DUR_LITERAL)
        return dur_new(p, DUR_NEG, at, d, NULL);
    d->seconds = -d->seconds;
    d->span.at = (uint32_t)at;
    return d;
}

/* primary := literal | call | "(" dur ")" | sign primary */
static enum err dur_primary(struct parser *p, const char *context, struct dur **ret)
{
    enum err e = p_enter(p);
    if (e)
        return e;
    size_t at = p->tok.at;
    enum tok t = p->tok.kind;
    if (t == TOK_NUMBER || t == TOK_DURATION) {
        e = literal(p, ret);
    } else if (at_dur_call(p)) {
        e = dur_call(p, ret);
    } else if (t == TOK_ADD || t == TOK_SUB) {
        p_next(p);
        e = parse_dur(p, 3, context, ret);
        if (!e && t == TOK_SUB)
            *ret = negated(p, *ret, at);
    } else if (t == TOK_LPAREN) {
        p_next(p);
        e = parse_dur(p, 1, context, ret);
        if (!e && !p_accept(p, TOK_RPAREN))
            e = p_unexpected(p, NULL, NULL);
        if (!e)
            (*ret)->wrapped = (*ret)->op != DUR_LITERAL;
    } else {
        e = p_unexpected(p, context, context ? wanted : NULL);
    }
    p->depth--;
    return e;
}

static const struct {
    enum tok tok;
    enum dur_op op;
    int prec;
    bool right;
} dur_ops[] = {
    { TOK_ADD, DUR_ADD, 1, false }, { TOK_SUB, DUR_SUB, 1, false }, { TOK_MUL, DUR_MUL, 2, false },
    { TOK_DIV, DUR_DIV, 2, false }, { TOK_MOD, DUR_MOD, 2, false }, { TOK_POW, DUR_POW, 3, true },
};

/* dur := primary { op dur } */
static enum err parse_dur(struct parser *p, int min_prec, const char *context, struct dur **ret)
{
    struct dur *left;
    enum err e = p_enter(p);
    if (!e)
        e = dur_primary(p, context, &left);
    while (!e) {
        size_t i = 0;
        while (i < LEN(dur_ops) && (dur_ops[i].tok != p->tok.kind || dur_ops[i].prec < min_prec))
            i++;
        if (i == LEN(dur_ops))
            break;
        size_t at = p->tok.at;
        struct dur *right;
        e = p_link(p);
        if (e)
            return e;
        p_next(p);
        e = parse_dur(p, dur_ops[i].prec + !dur_ops[i].right, NULL, &right);
        if (e)
            return e;
        if (right->op == DUR_LITERAL && right->seconds == 0 && dur_ops[i].op == DUR_DIV)
            return p_error(p, at, "division by zero");
        if (right->op == DUR_LITERAL && right->seconds == 0 && dur_ops[i].op == DUR_MOD)
            return p_error(p, at, "modulo by zero");
        left = dur_new(p, dur_ops[i].op, left->span.at, left, right);
    }
    p->depth--;
    if (!e)
        *ret = left;
    return e;
}

static enum err positive(struct parser *p, const char *context, struct dur **ret)
{
    enum err e = parse_dur(p, 1, context, ret);
    if (!e && (*ret)->op == DUR_LITERAL && !((*ret)->seconds > 0))
        e = p_error(p, (*ret)->span.at, "duration must be greater than 0");
    return e;
}

/* ---- [ ... ] --------------------------------------------------------------- */

static enum err make_range(struct parser *p, struct expr **x, struct dur *range, size_t bracket)
{
    struct expr *of = *x;
    if (of->kind != X_SELECTOR)
        return p_error(p, bracket, "ranges only allowed for vector selectors");
    if (of->sel.shift.offset)
        return p_error(p, bracket, "no offset modifiers allowed before range");
    if (of->sel.shift.at != AT_NONE)
        return p_error(p, bracket, "no @ modifiers allowed before range");
    *x = p_new(p, X_RANGE, of->span.at);
    (*x)->range.of = of;
    (*x)->range.range = range;
    return OK;
}

/* range := "[" dur "]"; subquery := "[" dur ":" [ dur ] "]" */
static enum err parse_bracket(struct parser *p, struct expr **x)
{
    size_t bracket = p->tok.at;
    struct dur *range, *step = NULL;
    p_next(p);
    enum err e = positive(p, "subquery or range selector", &range);
    if (e)
        return e;
    if (p->tok.kind == TOK_RBRACKET) {
        p_next(p);
        e = make_range(p, x, range, bracket);
    } else if (p->tok.kind == TOK_COLON) {
        p_next(p);
        if (p->tok.kind != TOK_RBRACKET)
            e = positive(p, "subquery selector", &step);
        if (e)
            return e;
        if (!p_accept(p, TOK_RBRACKET))
            return p_unexpected(p, "subquery selector", "\"]\"");
        struct expr *of = *x;
        *x = p_new(p, X_SUBQUERY, of->span.at);
        (*x)->sub.of = of;
        (*x)->sub.range = range;
        (*x)->sub.step = step;
    } else {
        return p_unexpected(p, "subquery or range", "\":\" or \"]\"");
    }
    (*x)->span.end = (uint32_t)p->last_end;
    return e;
}

/* ---- offset, @, anchored, smoothed ----------------------------------------- */

static struct shift *shift_of(struct expr *x)
{
    if (x->kind == X_SELECTOR)
        return &x->sel.shift;
    if (x->kind == X_RANGE)
        return &x->range.of->sel.shift;
    return x->kind == X_SUBQUERY ? &x->sub.shift : NULL;
}

/* offset := "offset" [ sign ] ( literal | call | "(" dur ")" ); no operators after it */
static enum err parse_offset(struct parser *p, struct expr *x)
{
    p_next(p);
    size_t at = p->tok.at;
    bool negate = p->tok.kind == TOK_SUB;
    if (negate || p->tok.kind == TOK_ADD)
        p_next(p);
    struct dur *d;
    if (p->tok.kind == TOK_ADD || p->tok.kind == TOK_SUB)
        return p_unexpected(p, "offset", wanted);
    enum err e = dur_primary(p, "offset", &d);
    if (e)
        return e;
    if (negate)
        d = negated(p, d, at);
    struct shift *s = shift_of(x);
    if (!s)
        return p_error(p, x->span.at,
                       "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    if (s->offset)
        return p_error(p, x->span.at, "offset may not be set multiple times");
    s->offset = d;
    x->span.end = (uint32_t)p->last_end;
    return OK;
}

static enum err parse_at_time(struct parser *p, struct shift *s, size_t at)
{
    if (p->tok.kind == TOK_START || p->tok.kind == TOK_END) {
        s->at = p->tok.kind == TOK_START ? AT_START : AT_END;
        p_next(p);
        if (!p_accept(p, TOK_LPAREN) || !p_accept(p, TOK_RPAREN))
            return p_unexpected(p, "@", "timestamp");
        return OK;
    }
    bool negate = p->tok.kind == TOK_SUB;
    if (negate || p->tok.kind == TOK_ADD)
        p_next(p);
    if (p->tok.kind != TOK_NUMBER && p->tok.kind != TOK_DURATION)
        return p_unexpected(p, "@", "timestamp");
    double v;
    enum err e = parse_number(p, &v);
    if (e)
        return e;
    v = negate ? -v : v;
    if (!isfinite(v) || fabs(v) >= 9223372036854775.0)
        return p_error(p, at, "timestamp out of bounds for @ modifier: %f", v);
    s->at = AT_TIME;
    s->at_ms = llround(v * 1000);
    return OK;
}

static enum err parse_at(struct parser *p, struct expr *x)
{
    p_next(p);
    struct shift parsed = { 0 }, *s = shift_of(x);
    enum err e = parse_at_time(p, &parsed, x->span.at);
    if (e)
        return e;
    if (!s)
        return p_error(p, x->span.at,
                       "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    if (s->at != AT_NONE)
        return p_error(p, x->span.at, "@ <timestamp> may not be set multiple times");
    s->at = parsed.at;
    s->at_ms = parsed.at_ms;
    x->span.end = (uint32_t)p->last_end;
    return OK;
}

static enum err parse_extended(struct parser *p, struct expr *x)
{
    bool anchored = p->tok.kind == TOK_ANCHORED;
    const char *word = anchored ? "anchored" : "smoothed";
    p_next(p);
    struct selector *s = x->kind == X_SELECTOR ? &x->sel : x->kind == X_RANGE ? &x->range.of->sel : NULL;
    if (!s)
        return p_error(p, x->span.at, x->kind == X_SUBQUERY ? "%s modifier is not supported for subqueries"
                                                            : "%s modifier not implemented", word);
    *(anchored ? &s->anchored : &s->smoothed) = true;
    if (s->anchored && s->smoothed)
        return p_error(p, x->span.at, "anchored and smoothed modifiers cannot be used together");
    x->span.end = (uint32_t)p->last_end;
    return OK;
}

enum err parse_postfix(struct parser *p, struct expr **x)
{
    for (;;) {
        enum err e;
        switch (p->tok.kind) {
        case TOK_LBRACKET:
            e = p_link(p);
            if (!e)
                e = parse_bracket(p, x);
            break;
        case TOK_OFFSET:
            e = parse_offset(p, *x);
            break;
        case TOK_AT:
            e = parse_at(p, *x);
            break;
        case TOK_ANCHORED:
        case TOK_SMOOTHED:
            e = parse_extended(p, *x);
            break;
        default:
            return OK;
        }
        if (e)
            return e;
    }
}
