/* logql/parse_log.c -- selectors and the dispatch of pipeline stages. */
#include "logql/parse_int.h"
#include "logql/stage.h"

bool is_match_op(enum tok kind)
{
    return kind == T_EQ || kind == T_NEQ || kind == T_RE || kind == T_NRE;
}

enum err parse_matcher_tail(struct parser *p, struct str name, struct matcher *ret)
{
    if (!is_match_op(p->tok.kind))
        return parser_unexpected(p, "= or != or =~ or !~");
    enum match_op op = p->tok.kind == T_EQ ? MATCH_EQ : p->tok.kind == T_NEQ ? MATCH_NE : p->tok.kind == T_RE ? MATCH_RE : MATCH_NRE;
    enum err e = parser_next(p);
    if (e)
        return e;
    *ret = (struct matcher){ .op = op, .label = name };
    e = parser_take(p, T_STRING, "STRING", &ret->value);
    if (e || op == MATCH_EQ || op == MATCH_NE)
        return e;
    struct fault why;
    if (logql_regex(p->q, ret->value, REGEX_FULL, &ret->re, &why))
        return parser_error(p, "%s", why.msg);
    return OK;
}

enum err parse_matcher(struct parser *p, struct matcher *ret)
{
    struct str name;
    enum err e = parser_take(p, T_IDENT, "IDENTIFIER", &name);
    return e ? e : parse_matcher_tail(p, name, ret);
}

enum err parse_stream_selector(struct parser *p, struct log_expr *ret)
{
    enum err e = parser_expect(p, T_LBRACE, "{");
    if (e)
        return e;
    if (p->tok.kind == T_RBRACE)
        return parser_next(p);
    if (p->tok.kind != T_IDENT)
        return parser_unexpected(p, "IDENTIFIER or }");
    uint32_t cap = 0;
    for (;;) {
        if (ret->nmatchers == LOGQL_MATCHERS_MAX)
            return fault_set(p->f, E_LIMIT, p->tok.at, "a selector of more than %d matchers", LOGQL_MATCHERS_MAX);
        e = parse_matcher(p, arena_push(p->mem, ret->matchers, ret->nmatchers, cap));
        if (e || p->tok.kind != T_COMMA)
            break;
        e = parser_next(p);
        if (e)
            break;
    }
    return e ? e : parser_expect(p, T_RBRACE, "} or ,");
}

bool starts_line_filter(enum tok kind)
{
    return kind == T_PIPE_EXACT || kind == T_PIPE_MATCH || kind == T_PIPE_PATTERN || kind == T_NEQ || kind == T_NRE || kind == T_NPA;
}

/* stage := line_filter | "|" (word ... | label_filter) */
enum err parse_stage(struct parser *p, struct log_expr *log, bool piped)
{
    if (log->nstages == LOGQL_STAGES_MAX)
        return fault_set(p->f, E_LIMIT, p->tok.at, "a pipeline of more than %d stages", LOGQL_STAGES_MAX);
    struct stage *s = arena_push(p->mem, log->stages, log->nstages, log->cap_stages);
    *s = (struct stage){ .def = &stage_line_filter };
    if (!piped)
        return s->def->parse(p, s);
    if (p->tok.kind == T_STAGE) {
        s->def = stage_find(p->tok.text);
        enum err e = parser_next(p);
        return e ? e : s->def->parse(p, s);
    }
    if (p->tok.kind == T_IDENT || p->tok.kind == T_LPAREN)
        return parse_label_filter(p, s);
    return parser_unexpected(p, NULL);
}
