/* logql/filter_line.c -- |= != |~ !~ |> !>, each with alternatives and with ip().
 *
 * "a" or "b" passes a line that has one of them; behind a negative operator, a line
 * that has none of them. Claude Code's lines are a handful of texts, so the answer is
 * kept by dictionary code as long as no stage has changed the line.
 */
#include "logql/ip.h"
#include "logql/pattern.h"
#include "logql/stage.h"
#include "logql/text.h"

struct alternative {
    struct str text;
    bool ip;
    struct regex *re;
    struct pattern pattern;
    struct ip_set ips;
};

struct line_filter {
    enum tok op;
    bool negative;
    struct alternative *at;
    uint32_t n, cap;
};

struct bound_filter {
    const struct line_filter *filter;
    uint64_t serial;                               /* of the block that `seen` is about */
    uint8_t *seen;                                 /* by code: 0 unknown, 1 fails, 2 passes */
};

static enum err compile_alternative(struct parser *p, const struct stage *s, struct line_filter *l, struct alternative *a)
{
    struct fault why;
    bool regex = l->op == T_PIPE_MATCH || l->op == T_NRE, pattern = l->op == T_PIPE_PATTERN || l->op == T_NPA;
    if (a->ip) {
        if (regex || pattern)
            return parser_stage_error(p, s, "ip: invalid operation");
        if (!ip_set_parse(a->text, &a->ips))
            return parser_stage_error(p, s, "ip: invalid pattern: \"" STR_FMT "\"", STR_ARG(a->text));
        return OK;
    }
    if (regex && logql_regex(p->q, a->text, REGEX_SEARCH, &a->re, &why))
        return parser_stage_error(p, s, "%s", why.msg);
    if (pattern && pattern_parse(a->text, false, p->mem, &a->pattern, &why))
        return parser_stage_error(p, s, "%s", why.msg);
    return OK;
}

/* alternative := STRING | "ip" "(" STRING ")" */
static enum err parse_alternative(struct parser *p, struct alternative *a)
{
    enum err e = OK;
    if (p->tok.kind != T_IP)
        return parser_take(p, T_STRING, "STRING or ip", &a->text);
    a->ip = true;
    e = parser_next(p);
    if (!e)
        e = parser_expect(p, T_LPAREN, "(");
    if (!e)
        e = parser_take(p, T_STRING, "STRING", &a->text);
    return e ? e : parser_expect(p, T_RPAREN, ")");
}

/* line_filter := op alternative { "or" alternative } */
static enum err line_filter_parse(struct parser *p, struct stage *s)
{
    struct line_filter *l = arena_new(p->mem, struct line_filter, 1);
    l->op = p->tok.kind;
    l->negative = l->op == T_NEQ || l->op == T_NRE || l->op == T_NPA;
    s->arg = l;
    do {
        enum err e = parser_next(p);
        if (l->n == LOGQL_NAMES_MAX)
            return fault_set(p->f, E_LIMIT, p->tok.at, "a line filter of more than %d alternatives", LOGQL_NAMES_MAX);
        if (!e)
            e = parse_alternative(p, arena_push(p->mem, l->at, l->n, l->cap));
        if (e)
            return e;
    } while (p->tok.kind == T_OR);
    for (uint32_t i = 0; i < l->n; i++) {
        enum err e = compile_alternative(p, s, l, &l->at[i]);
        if (e)
            return e;
    }
    return OK;
}

static void line_filter_print(const struct stage *s, struct buf *b)
{
    const struct line_filter *l = s->arg;
    static const struct {
        enum tok op;
        struct str text;
    } texts[] = {
        { T_PIPE_EXACT, S("|=") }, { T_PIPE_MATCH, S("|~") }, { T_PIPE_PATTERN, S("|>") },
        { T_NEQ, S("!=") },        { T_NRE, S("!~") },        { T_NPA, S("!>") },
    };
    for (size_t i = 0; i < LEN(texts); i++)
        if (texts[i].op == l->op)
            buf_str(b, texts[i].text);
    for (uint32_t i = 0; i < l->n; i++) {
        buf_str(b, i ? S(" or ") : S(" "));
        buf_str(b, l->at[i].ip ? S("ip(") : S(""));
        text_quote(b, l->at[i].text);
        buf_str(b, l->at[i].ip ? S(")") : S(""));
    }
}

static bool test(const struct line_filter *l, struct str line)
{
    for (uint32_t i = 0; i < l->n; i++) {
        const struct alternative *a = &l->at[i];
        bool hit = a->ip ? ip_set_find(&a->ips, line)
                   : a->re ? regex_match(a->re, line)
                   : l->op == T_PIPE_PATTERN || l->op == T_NPA ? pattern_test(&a->pattern, line)
                                                               : str_find(line, a->text) != SIZE_MAX;
        if (hit)
            return !l->negative;
    }
    return l->negative;
}

static bool line_filter_passes_all(const struct stage *s)
{
    const struct line_filter *l = s->arg;
    for (uint32_t i = 0; i < l->n; i++)
        if (!l->negative && l->op != T_PIPE_PATTERN && !l->at[i].ip && !l->at[i].text.n)
            return true;
    return false;
}

static void *line_filter_bind(struct pipeline *p, const struct stage *s)
{
    struct bound_filter *b = arena_new(p->ctx->mem, struct bound_filter, 1);
    b->filter = s->arg;
    return b;
}

static bool line_filter_run(void *bound, struct entry *e)
{
    struct bound_filter *b = bound;
    if (!e->line_code)
        return test(b->filter, e->line);
    struct binding *bind = &e->p->bind;
    if (b->serial != bind->serial || !b->seen) {
        b->serial = bind->serial;
        b->seen = arena_new(&bind->mem, uint8_t, bind->line.at[0]->ndict);
    }
    uint8_t *seen = &b->seen[e->line_code];
    if (!*seen)
        *seen = test(b->filter, e->line) ? 2 : 1;
    return *seen == 2;
}

/* ---- by columns ------------------------------------------------------------------------ */

static enum code_verdict test_code(void *arg, const struct value *v)
{
    char scratch[VALUE_TEXT_MAX];
    if (v->type == V_BYTES)
        return CODE_UNCLEAR;                       /* of any length as text */
    return test(arg, v->type == V_STR || v->type == V_JSON ? v->s : value_text(v, scratch)) ? CODE_PASSES : CODE_FAILS;
}

static bool line_filter_choose(void *bound, struct pipeline *p, struct selection *s)
{
    const struct line_filter *l = ((struct bound_filter *)bound)->filter;
    struct binding *b = &p->bind;
    if (!b->line.n) {
        s->n = test(l, S("")) ? s->n : 0;
        return true;
    }
    uint8_t *mask = arena_new(&b->mem, uint8_t, s->n + 1);
    if (b->line.n != 1 || !b->line.at[0]->code || !codes_test(b, b->line.at[0], s, test_code, (void *)(uintptr_t)l, mask))
        return false;
    selection_keep(b, s, mask);
    return true;
}

const struct stage_def stage_line_filter = {
    .parse = line_filter_parse, .print = line_filter_print, .bind = line_filter_bind, .run = line_filter_run,
    .choose = line_filter_choose, .passes_all = line_filter_passes_all, .keeps_line = true, .keeps_labels = true,
};
