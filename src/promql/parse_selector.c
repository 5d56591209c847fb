/* promql/parse_selector.c -- vector selectors, matchers, strings and numbers. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "promql/parse_int.h"

enum { MATCHERS_MAX = 256, NUMBER_TEXT_MAX = 400 };

bool tok_is_name(enum tok t)
{
    return t == TOK_IDENT || t == TOK_METRIC || tok_is_aggregation(t) || t == TOK_BY || t == TOK_WITHOUT ||
           t == TOK_OFFSET || t == TOK_AND || t == TOK_OR || t == TOK_UNLESS || t == TOK_ANCHORED || t == TOK_SMOOTHED ||
           (t >= TOK_START && t <= TOK_RANGE);
}

/* ---- literals -------------------------------------------------------------- */

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n - 1; i; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(lead[n] | c);
    return n;
}

static uint32_t digits_value(struct str s, uint32_t base)
{
    uint32_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        v = v * base + (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* One escape after its backslash; the lexer has seen that it is well formed.
 * \x and octal give a byte, \u and \U a character. Returns the bytes eaten. */
static size_t unescape(struct str s, char *out, size_t *n)
{
    static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
    char c = s.p[0];
    for (size_t i = 0; from[i]; i++)
        if (c == from[i]) {
            out[(*n)++] = to[i];
            return 1;
        }
    if (c >= '0' && c <= '7') {
        out[(*n)++] = (char)digits_value(str_sub(s, 0, 3), 8);
        return 3;
    }
    if (c == 'x') {
        out[(*n)++] = (char)digits_value(str_sub(s, 1, 2), 16);
        return 3;
    }
    if (c == 'u' || c == 'U') {
        size_t len = c == 'u' ? 4 : 8;
        *n += put_utf8(out + *n, digits_value(str_sub(s, 1, len), 16));
        return len + 1;
    }
    out[(*n)++] = c;
    return 1;
}

enum err parse_string(struct parser *p, struct str *ret)
{
    if (p->tok.kind != TOK_STRING)
        return p_unexpected(p, NULL, "string");
    CHECK(p->tok.text.n >= 2);
    struct str s = str_sub(p->tok.text, 1, p->tok.text.n - 2);
    bool raw = p->tok.text.p[0] == '`';
    if (!raw && str_index(s, '\\') != SIZE_MAX) {
        char *out = arena_alloc(p->mem, s.n + 1, 1);
        size_t n = 0;
        for (size_t i = 0; i < s.n;) {
            if (s.p[i] != '\\')
                out[n++] = s.p[i++];
            else
                i += 1 + unescape(str_sub(s, i + 1, s.n), out, &n);
        }
        s = (struct str){ out, n };
    }
    *ret = s;
    p_next(p);
    return OK;
}

static bool whole_number(struct str s, uint32_t base, double *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a') + 10;
        if (d >= base || v > ((uint64_t)INT64_MAX - d) / base)
            return false;
        v = v * base + d;
    }
    *ret = (double)v;
    return s.n > 0;
}

/* As Go reads it: 0x1F and 017 are hexadecimal and octal, 08 and 1e3 are decimal. */
static bool read_number(struct str text, double *ret)
{
    char clean[NUMBER_TEXT_MAX];
    size_t n = 0;
    if (str_eq_nocase(text, S("inf")) || str_eq_nocase(text, S("nan"))) {
        *ret = (text.p[0] | 0x20) == 'i' ? INFINITY : NAN;
        return true;
    }
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '_') {
            if (n == sizeof clean)
                return false;
            clean[n++] = text.p[i];
        }
    struct str s = { clean, n };
    if (n > 2 && clean[0] == '0' && (clean[1] | 0x20) == 'x')
        return whole_number(str_sub(s, 2, n), 16, ret);
    if (n > 1 && clean[0] == '0' && whole_number(str_sub(s, 1, n), 8, ret))
        return true;
    return str_to_f64(s, ret);
}

enum err parse_number(struct parser *p, double *ret)
{
    struct token t = p->tok;
    if (t.kind == TOK_DURATION) {
        int64_t ns;
        if (!num_duration(t.text, &ns))
            return p_error(p, t.at, "not a valid duration string: \"" STR_FMT "\"", STR_ARG(str_sub(t.text, 0, 60)));
        *ret = (double)ns / 1e9;
    } else if (t.kind != TOK_NUMBER) {
        return p_unexpected(p, NULL, NULL);
    } else if (!read_number(t.text, ret)) {
        return p_error(p, t.at, "error parsing number: \"" STR_FMT "\"", STR_ARG(str_sub(t.text, 0, 60)));
    }
    p_next(p);
    return OK;
}

/* ---- matchers -------------------------------------------------------------- */

static enum err add_matcher(struct parser *p, struct selector *s, enum match_op op, struct str label, struct str value,
                            size_t at)
{
    if (s->nmatchers >= MATCHERS_MAX)
        return p_error(p, at, "more matchers than the limit of %d", MATCHERS_MAX);
    struct matcher *m = arena_push(p->mem, s->matchers, s->nmatchers, s->cap);
    *m = (struct matcher){ .op = op, .label = label, .value = value, .places = 1u << PLACE_LABEL };
    if (op == MATCH_EQ || op == MATCH_NE)
        return OK;
    struct fault why = { 0 };
    if (regex_new(value, REGEX_FULL, &m->re, &why))
        return p_error(p, at, "error parsing regexp: %s", why.msg);
    *arena_push(p->mem, p->q->regexes, p->q->nregexes, p->q->cap) = m->re;
    return OK;
}

/* matcher := ( label | string ) op string | string, the last one being a metric name */
static enum err parse_matcher(struct parser *p, struct selector *s)
{
    size_t at = p->tok.at;
    bool quoted = p->tok.kind == TOK_STRING;
    struct str label = p->tok.text;
    if (quoted) {
        enum err e = parse_string(p, &label);
        if (e)
            return e;
    } else if (p->tok.kind == TOK_IDENT) {
        p_next(p);
    } else {
        return p_unexpected(p, "label matching", "identifier or \"}\"");
    }
    static const struct {
        enum tok tok;
        enum match_op op;
    } ops[] = { { TOK_ASSIGN, MATCH_EQ }, { TOK_NE, MATCH_NE }, { TOK_MATCH_RE, MATCH_RE }, { TOK_MATCH_NRE, MATCH_NRE } };
    for (size_t i = 0; i < LEN(ops); i++) {
        if (p->tok.kind != ops[i].tok)
            continue;
        p_next(p);
        if (p->tok.kind != TOK_STRING)
            return p_unexpected(p, "label matching", "string");
        struct str value;
        enum err e = parse_string(p, &value);
        return e ? e : add_matcher(p, s, ops[i].op, label, value, at);
    }
    if (quoted && (p->tok.kind == TOK_COMMA || p->tok.kind == TOK_RBRACE))
        return add_matcher(p, s, MATCH_EQ, S("__name__"), label, at);
    return p_unexpected(p, "label matching", quoted ? "\",\" or \"}\"" : "label matching operator");
}

/* matchers := "{" [ matcher { "," matcher } [ "," ] ] "}" */
static enum err parse_matchers(struct parser *p, struct selector *s)
{
    p_next(p);
    while (p->tok.kind != TOK_RBRACE) {
        enum err e = parse_matcher(p, s);
        if (e)
            return e;
        if (p->tok.kind != TOK_RBRACE && !p_accept(p, TOK_COMMA))
            return p_unexpected(p, "label matching", "\",\" or \"}\"");
    }
    p_next(p);
    return OK;
}

/* selector := name [ matchers ] | matchers */
enum err parse_selector(struct parser *p, struct expr **ret)
{
    struct expr *x = p_new(p, X_SELECTOR, p->tok.at);
    enum err e = OK;
    if (tok_is_name(p->tok.kind)) {
        x->sel.name = p->tok.text;
        p_next(p);
    }
    if (p->tok.kind == TOK_LBRACE)
        e = parse_matchers(p, &x->sel);
    if (!e && x->sel.name.n)
        e = add_matcher(p, &x->sel, MATCH_EQ, S("__name__"), x->sel.name, x->span.at);
    x->span.end = (uint32_t)p->last_end;
    *ret = x;
    return e;
}
