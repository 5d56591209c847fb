/* logql/tmpl_parse.c -- templates: text with {{ actions }} in between.
 *
 * One pass: text runs to the next "{{"; inside, tokens are read one at a time by
 * next(), and blocks are parsed by recursive descent. "{{-" and "-}}" trim the text
 * beside them.
 */
#include "logql/tmpl_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "logql/text.h"

enum { TMPL_DEPTH_MAX = 50, TMPL_ARGS_MAX = 50 };

enum ttok {
    K_END, K_CLOSE, K_LPAREN, K_RPAREN, K_PIPE, K_COMMA, K_DECLARE, K_ASSIGN, K_STRING, K_NUMBER, K_CHAR, K_DOT, K_FIELD,
    K_VARIABLE, K_WORD, K_BAD,
};

struct tparser {
    struct str in;
    size_t at;
    struct arena *mem;
    struct fault *f;
    const char *name;
    enum ttok tok;
    struct str text;                               /* of the token */
    size_t tok_at;
    bool spaced;                                   /* a blank stood before it */
    bool trim;                                     /* the action before ended in -}} */
    uint32_t depth, loops;
    struct str vars[RUN_VARS_MAX];
    uint32_t nvars;
};

static enum err fail(struct tparser *p, const char *fmt, ...) PRINTF(2, 3);

static enum err fail(struct tparser *p, const char *fmt, ...)
{
    char msg[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    size_t line = 1;
    for (size_t i = 0; i < p->tok_at && i < p->in.n; i++)
        line += p->in.p[i] == '\n';
    return fault_set(p->f, E_SYNTAX, p->tok_at, "template: %s:%zu: %s", p->name, line, msg);
}

/* ---- tokens ------------------------------------------------------------------------------ */

static char peek(const struct tparser *p, size_t ahead)
{
    return p->at + ahead < p->in.n ? p->in.p[p->at + ahead] : '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

static void take(struct tparser *p, enum ttok tok, size_t n)
{
    p->tok = tok;
    p->text = str_sub(p->in, p->at, n);
    p->at += n;
}

static size_t word_length(const struct tparser *p, size_t from)
{
    size_t n = from;
    while (is_word(peek(p, n)))
        n++;
    return n;
}

static void next_quoted(struct tparser *p)
{
    char quote = peek(p, 0);
    size_t n = 1;
    while (p->at + n < p->in.n && peek(p, n) != quote) {
        if (quote != '`' && peek(p, n) == '\n')
            break;
        n += quote != '`' && peek(p, n) == '\\' ? 2 : 1;
    }
    if (peek(p, n) != quote)
        take(p, K_BAD, 1);
    else
        take(p, quote == '\'' ? K_CHAR : K_STRING, n + 1);
}

static bool next_is_number(const struct tparser *p)
{
    char c = peek(p, 0), d = peek(p, 1);
    if (c == '+' || c == '-' || c == '.')
        return (d >= '0' && d <= '9') || (c != '.' && d == '.' && peek(p, 2) >= '0' && peek(p, 2) <= '9');
    return c >= '0' && c <= '9';
}

static void next_number(struct tparser *p)
{
    size_t n = 1;
    while (is_word(peek(p, n)) || peek(p, n) == '.' ||
           ((peek(p, n) == '+' || peek(p, n) == '-') && (peek(p, n - 1) | 0x20) == 'e' && peek(p, 1) != 'x'))
        n++;
    take(p, K_NUMBER, n);
}

/* The next token of an action. */
static void next(struct tparser *p)
{
    size_t from = p->at;
    while (is_blank(peek(p, 0)))
        p->at++;
    p->spaced = p->at > from;
    p->tok_at = p->at;
    char c = peek(p, 0);
    if (p->at >= p->in.n)
        take(p, K_END, 0);
    else if (str_starts(str_sub(p->in, p->at, 3), S("-}}")) && p->spaced) {
        take(p, K_CLOSE, 3);
        p->trim = true;
    } else if (c == '}' && peek(p, 1) == '}')
        take(p, K_CLOSE, 2);
    else if (c == '"' || c == '`' || c == '\'')
        next_quoted(p);
    else if (next_is_number(p))
        next_number(p);
    else if (c == '.' && is_word(peek(p, 1)))
        take(p, K_FIELD, word_length(p, 1));
    else if (c == '$')
        take(p, K_VARIABLE, word_length(p, 1));
    else if (is_word(c))
        take(p, K_WORD, word_length(p, 0));
    else if (c == ':' && peek(p, 1) == '=')
        take(p, K_DECLARE, 2);
    else {
        static const char chars[] = "()|,=.";
        static const enum ttok toks[] = { K_LPAREN, K_RPAREN, K_PIPE, K_COMMA, K_ASSIGN, K_DOT };
        const char *at = c ? strchr(chars, c) : NULL;
        take(p, at ? toks[at - chars] : K_BAD, 1);
    }
}

static enum err unexpected(struct tparser *p, const char *context)
{
    if (p->tok == K_END)
        return fail(p, "unclosed action");
    return fail(p, "unexpected \"" STR_FMT "\" in %s", STR_ARG(p->text), context);
}

/* ---- operands ------------------------------------------------------------------------------ */

static struct node *new_node(struct tparser *p, enum node_kind kind)
{
    struct node *n = arena_new(p->mem, struct node, 1);
    n->kind = kind;
    n->at = p->tok_at;
    return n;
}

static void list_add(struct tparser *p, struct node_list *l, struct node *n)
{
    *arena_push(p->mem, l->at, l->n, l->cap) = n;
}

static enum err parse_pipe(struct tparser *p, bool range, struct pipe **ret);

static enum err parse_number(struct tparser *p, struct node **ret)
{
    struct str s = p->text;
    struct node *n = new_node(p, NODE_INT);
    bool plus = s.n && s.p[0] == '+';
    if (!str_to_i64(plus ? str_sub(s, 1, s.n) : s, &n->i)) {
        n->kind = NODE_FLOAT;
        if (!str_to_f64(s, &n->d))
            return fail(p, "bad number syntax: \"" STR_FMT "\"", STR_ARG(s));
    }
    *ret = n;
    next(p);
    return OK;
}

static enum err parse_string(struct tparser *p, struct node **ret)
{
    struct node *n = new_node(p, p->tok == K_CHAR ? NODE_INT : NODE_STRING);
    if (!text_unquote(p->text, p->mem, &n->text))
        return fail(p, "invalid syntax");
    if (p->tok == K_CHAR) {
        size_t i = 0;
        n->i = n->text.n ? text_rune(n->text, &i) : 0;
    }
    *ret = n;
    next(p);
    return OK;
}

static enum err parse_variable(struct tparser *p, struct node **ret)
{
    struct node *n = new_node(p, NODE_VARIABLE);
    n->text = p->text;
    bool known = str_eq(p->text, S("$"));
    for (uint32_t i = 0; i < p->nvars && !known; i++)
        known = str_eq(p->vars[i], p->text);
    if (!known)
        return fail(p, "undefined variable \"" STR_FMT "\"", STR_ARG(p->text));
    *ret = n;
    next(p);
    return OK;
}

static enum err parse_word(struct tparser *p, struct node **ret)
{
    struct node *n = new_node(p, NODE_FUNCTION);
    n->text = p->text;
    if (str_eq(p->text, S("true")) || str_eq(p->text, S("false"))) {
        n->kind = NODE_BOOL;
        n->b = p->text.n == 4;
    } else if (str_eq(p->text, S("nil"))) {
        n->kind = NODE_NIL;
    } else {
        n->fn = tmpl_fn_find(p->text);
        if (!n->fn)
            return fail(p, "function \"" STR_FMT "\" not defined", STR_ARG(p->text));
    }
    *ret = n;
    next(p);
    return OK;
}

/* "(" pipe ")" */
static enum err parse_parenthesis(struct tparser *p, struct node **ret)
{
    struct node *n = new_node(p, NODE_PIPE);
    if (++p->depth > TMPL_DEPTH_MAX)
        return fail(p, "nested deeper than %d", TMPL_DEPTH_MAX);
    next(p);
    enum err e = parse_pipe(p, false, &n->pipe);
    if (e)
        return e;
    p->depth--;
    if (p->tok != K_RPAREN)
        return p->tok == K_CLOSE || p->tok == K_END ? fail(p, "unclosed left paren") : unexpected(p, "parenthesized pipeline");
    *ret = n;
    next(p);
    return OK;
}

/* operand := (literal | "." | field | variable | function | "(" pipe ")") { field } */
static enum err parse_operand(struct tparser *p, struct node **ret)
{
    enum err e = OK;
    switch (p->tok) {
    case K_STRING:
    case K_CHAR: e = parse_string(p, ret); break;
    case K_NUMBER: e = parse_number(p, ret); break;
    case K_VARIABLE: e = parse_variable(p, ret); break;
    case K_WORD: e = parse_word(p, ret); break;
    case K_LPAREN: e = parse_parenthesis(p, ret); break;
    case K_DOT:
        *ret = new_node(p, NODE_DOT);
        next(p);
        break;
    case K_FIELD:
        *ret = new_node(p, NODE_DOT);
        p->spaced = false;
        break;
    default: return unexpected(p, "operand");
    }
    while (!e && p->tok == K_FIELD && !p->spaced) {
        *arena_push(p->mem, (*ret)->fields, (*ret)->nfields, (*ret)->cap_fields) = str_sub(p->text, 1, p->text.n);
        next(p);
    }
    return e;
}

/* command := operand { operand } */
static enum err parse_command(struct tparser *p, struct command *c)
{
    while (p->tok != K_PIPE && p->tok != K_RPAREN && p->tok != K_CLOSE) {
        struct node *n = NULL;
        enum err e = parse_operand(p, &n);
        if (e)
            return e;
        if (c->args.n == TMPL_ARGS_MAX)
            return fail(p, "more than %d arguments", TMPL_ARGS_MAX);
        list_add(p, &c->args, n);
    }
    if (!c->args.n)
        return fail(p, "missing value for command");
    const struct node *first = c->args.at[0];
    if (c->args.n > 1 && first->kind != NODE_FUNCTION)
        return fail(p, "can't give argument to non-function");
    return OK;
}

static enum err declare(struct tparser *p, struct str name)
{
    if (p->nvars == RUN_VARS_MAX)
        return fail(p, "more than %d variables", RUN_VARS_MAX);
    p->vars[p->nvars++] = name;
    return OK;
}

/* [ VAR [ "," VAR ] (":=" | "=") ]: only when one of the two signs follows. */
static enum err parse_targets(struct tparser *p, bool range, struct pipe *pipe)
{
    struct tparser saved = *p;
    while (p->tok == K_VARIABLE && pipe->nvars < 2) {
        pipe->vars[pipe->nvars++] = p->text;
        next(p);
        if (p->tok != K_COMMA || !range)
            break;
        next(p);
    }
    if (!pipe->nvars || (p->tok != K_DECLARE && p->tok != K_ASSIGN)) {
        *p = saved;
        pipe->nvars = 0;
        return OK;
    }
    pipe->assign = p->tok == K_ASSIGN;
    next(p);
    for (uint32_t i = 0; i < pipe->nvars && !pipe->assign; i++) {
        enum err e = declare(p, pipe->vars[i]);
        if (e)
            return e;
    }
    return OK;
}

/* pipe := [ targets ] command { "|" command } */
static enum err parse_pipe(struct tparser *p, bool range, struct pipe **ret)
{
    struct pipe *pipe = arena_new(p->mem, struct pipe, 1);
    enum err e = parse_targets(p, range, pipe);
    while (!e) {
        e = parse_command(p, arena_push(p->mem, pipe->cmds, pipe->ncmds, pipe->cap));
        if (!e && pipe->ncmds > 1 && pipe->cmds[pipe->ncmds - 1].args.at[0]->kind != NODE_FUNCTION)
            e = fail(p, "non executable command in pipeline stage %u", pipe->ncmds);
        if (e || p->tok != K_PIPE)
            break;
        next(p);
    }
    *ret = pipe;
    return e;
}

/* ---- statements ------------------------------------------------------------------------------ */

enum stop { STOP_EOF, STOP_ELSE, STOP_END };

static enum err parse_list(struct tparser *p, struct node_list *out, enum stop *ret_stop);

static enum err close_action(struct tparser *p, const char *context)
{
    return p->tok == K_CLOSE ? OK : unexpected(p, context);
}

/* (if | with | range) pipe }} list [ {{else [if pipe] }} list ] {{end}}; behind the word */
static enum err parse_block(struct tparser *p, enum node_kind kind, struct node **ret)
{
    struct node *n = new_node(p, kind);
    uint32_t vars = p->nvars;
    enum stop stop;
    if (++p->depth > TMPL_DEPTH_MAX)
        return fail(p, "nested deeper than %d", TMPL_DEPTH_MAX);
    p->loops += kind == NODE_RANGE;
    enum err e = parse_pipe(p, kind == NODE_RANGE, &n->pipe);
    if (!e)
        e = close_action(p, "command");
    if (!e)
        e = parse_list(p, &n->body, &stop);
    p->loops -= kind == NODE_RANGE;
    if (!e && stop == STOP_ELSE) {
        if (p->tok == K_WORD && (str_eq(p->text, S("if")) || str_eq(p->text, S("with")))) {
            enum node_kind inner = str_eq(p->text, S("if")) ? NODE_IF : NODE_WITH;
            struct node *chained;
            next(p);
            e = parse_block(p, inner, &chained);   /* its {{end}} closes this block as well */
            if (!e)
                list_add(p, &n->other, chained);
            stop = STOP_END;
        } else {
            e = close_action(p, "else");
            if (!e)
                e = parse_list(p, &n->other, &stop);
        }
    }
    if (!e && stop == STOP_EOF)
        e = fail(p, "unexpected EOF");
    if (!e && stop == STOP_ELSE)
        e = fail(p, "expected end; found {{else}}");
    p->depth--;
    p->nvars = vars;
    *ret = n;
    return e;
}

/* A word that is no function; *ret NULL: it is one. */
static enum err parse_keyword(struct tparser *p, struct node **ret)
{
    static const struct {
        struct str word;
        enum node_kind kind;
    } blocks[] = { { S("if"), NODE_IF }, { S("with"), NODE_WITH }, { S("range"), NODE_RANGE } };
    *ret = NULL;
    if (p->tok != K_WORD)
        return OK;
    for (size_t i = 0; i < LEN(blocks); i++)
        if (str_eq(p->text, blocks[i].word)) {
            next(p);
            return parse_block(p, blocks[i].kind, ret);
        }
    bool brk = str_eq(p->text, S("break"));
    if (brk || str_eq(p->text, S("continue"))) {
        if (!p->loops)
            return fail(p, "{{" STR_FMT "}} outside {{range}}", STR_ARG(p->text));
        *ret = new_node(p, brk ? NODE_BREAK : NODE_CONTINUE);
        next(p);
        return close_action(p, "break or continue");
    }
    if (str_eq(p->text, S("define")) || str_eq(p->text, S("block")) || str_eq(p->text, S("template")))
        return fault_set(p->f, E_UNSUPPORTED, p->tok_at, "template: %s: {{" STR_FMT "}} is not supported", p->name, STR_ARG(p->text));
    return OK;
}

static enum err parse_action(struct tparser *p, struct node_list *out, enum stop *ret_stop)
{
    *ret_stop = STOP_EOF;
    next(p);
    bool end = p->tok == K_WORD && str_eq(p->text, S("end"));
    if (end || (p->tok == K_WORD && str_eq(p->text, S("else")))) {
        *ret_stop = end ? STOP_END : STOP_ELSE;
        next(p);
        return end ? close_action(p, "end") : OK;
    }
    struct node *n;
    enum err e = parse_keyword(p, &n);
    if (!e && !n) {
        n = new_node(p, NODE_ACTION);
        e = parse_pipe(p, false, &n->pipe);
        if (!e)
            e = close_action(p, "command");
    }
    if (!e)
        list_add(p, out, n);
    return e;
}

/* Skips {{/ * ... * /}}; false: there is none. */
static bool skip_comment(struct tparser *p, bool *ret_bad)
{
    size_t from = p->at;
    while (is_blank(peek(p, 0)))
        p->at++;
    if (peek(p, 0) != '/' || peek(p, 1) != '*') {
        p->at = from;
        return false;
    }
    size_t end = str_find(str_sub(p->in, p->at, p->in.n), S("*/"));
    p->tok_at = p->at;
    *ret_bad = end == SIZE_MAX;
    if (*ret_bad)
        return true;
    p->at += end + 2;
    next(p);
    *ret_bad = p->tok != K_CLOSE;
    return true;
}

static void add_text(struct tparser *p, struct node_list *out, struct str text, bool trim_end)
{
    size_t from = 0;
    while (p->trim && from < text.n && is_blank(text.p[from]))
        from++;
    while (trim_end && text.n > from && is_blank(text.p[text.n - 1]))
        text.n--;
    p->trim = false;
    if (text.n <= from)
        return;
    struct node *n = new_node(p, NODE_TEXT);
    n->text = str_sub(text, from, text.n - from);
    list_add(p, out, n);
}

/* list := { text | "{{" action "}}" }, up to end, else or the end of the template */
static enum err parse_list(struct tparser *p, struct node_list *out, enum stop *ret_stop)
{
    for (;;) {
        struct str rest = str_sub(p->in, p->at, p->in.n);
        size_t open = str_find(rest, S("{{"));
        bool trim = open != SIZE_MAX && open + 3 < rest.n && rest.p[open + 2] == '-' && is_blank(rest.p[open + 3]);
        add_text(p, out, str_sub(rest, 0, open), trim);
        if (open == SIZE_MAX) {
            p->at = p->tok_at = p->in.n;
            *ret_stop = STOP_EOF;
            return OK;
        }
        p->at += open + (trim ? 3 : 2);
        bool bad = false;
        if (skip_comment(p, &bad)) {
            if (bad)
                return fail(p, "unclosed comment");
            continue;
        }
        enum err e = parse_action(p, out, ret_stop);
        if (e || *ret_stop != STOP_EOF)
            return e;
    }
}

/* {{.label}} alone is copied without running anything. */
static void find_simple(struct tmpl *t)
{
    if (t->root.n != 1 || t->root.at[0]->kind != NODE_ACTION)
        return;
    const struct pipe *pipe = t->root.at[0]->pipe;
    if (pipe->nvars || pipe->ncmds != 1 || pipe->cmds[0].args.n != 1)
        return;
    const struct node *n = pipe->cmds[0].args.at[0];
    if (n->kind == NODE_DOT && n->nfields == 1)
        t->simple = n->fields[0];
}

enum err tmpl_parse(struct str text, const char *name, struct arena *mem, struct tmpl **ret, struct fault *f)
{
    struct tmpl *t = arena_new(mem, struct tmpl, 1);
    t->name = name;
    struct tparser p = { .in = text, .mem = mem, .f = f, .name = name };
    enum stop stop;
    enum err e = parse_list(&p, &t->root, &stop);
    if (!e && stop != STOP_EOF)
        e = fail(&p, "unexpected {{%s}}", stop == STOP_END ? "end" : "else");
    if (e)
        return e;
    find_simple(t);
    *ret = t;
    return OK;
}

/* ---- what it reads --------------------------------------------------------------------------- */

struct fields {
    void (*each)(void *arg, struct str label);
    void *arg;
    bool all;
};

static void pipe_fields(const struct pipe *pipe, struct fields *f);

static void node_fields(const struct node *n, struct fields *f)
{
    if (n->kind == NODE_DOT || n->kind == NODE_VARIABLE) {
        if (n->nfields)
            f->each(f->arg, n->fields[0]);
        else
            f->all |= n->kind == NODE_DOT || str_eq(n->text, S("$"));
    }
    if (n->pipe)
        pipe_fields(n->pipe, f);
    for (uint32_t i = 0; i < n->body.n; i++)
        node_fields(n->body.at[i], f);
    for (uint32_t i = 0; i < n->other.n; i++)
        node_fields(n->other.at[i], f);
}

static void pipe_fields(const struct pipe *pipe, struct fields *f)
{
    for (uint32_t c = 0; c < pipe->ncmds; c++)
        for (uint32_t i = 0; i < pipe->cmds[c].args.n; i++)
            node_fields(pipe->cmds[c].args.at[i], f);
}

void tmpl_fields(const struct tmpl *t, void (*each)(void *arg, struct str label), void *arg, bool *ret_all)
{
    struct fields f = { each, arg, false };
    for (uint32_t i = 0; i < t->root.n; i++)
        node_fields(t->root.at[i], &f);
    *ret_all = f.all;
}
