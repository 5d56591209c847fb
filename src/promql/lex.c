/* promql/lex.c -- characters to tokens. */
#include "promql/lex.h"

#include <stdio.h>

enum { END_OF_INPUT = -1, NOT_UTF8 = -2 };

static const struct {
    struct str word;
    enum tok tok;
} keywords[] = {
    { S("and"), TOK_AND }, { S("or"), TOK_OR }, { S("unless"), TOK_UNLESS }, { S("atan2"), TOK_ATAN2 },
    { S("sum"), TOK_SUM }, { S("avg"), TOK_AVG }, { S("count"), TOK_COUNT }, { S("min"), TOK_MIN },
    { S("max"), TOK_MAX }, { S("group"), TOK_GROUP }, { S("stddev"), TOK_STDDEV }, { S("stdvar"), TOK_STDVAR },
    { S("topk"), TOK_TOPK }, { S("bottomk"), TOK_BOTTOMK }, { S("count_values"), TOK_COUNT_VALUES },
    { S("quantile"), TOK_QUANTILE }, { S("limitk"), TOK_LIMITK }, { S("limit_ratio"), TOK_LIMIT_RATIO },
    { S("offset"), TOK_OFFSET }, { S("smoothed"), TOK_SMOOTHED }, { S("anchored"), TOK_ANCHORED },
    { S("by"), TOK_BY }, { S("without"), TOK_WITHOUT }, { S("on"), TOK_ON }, { S("ignoring"), TOK_IGNORING },
    { S("group_left"), TOK_GROUP_LEFT }, { S("group_right"), TOK_GROUP_RIGHT }, { S("fill"), TOK_FILL },
    { S("fill_left"), TOK_FILL_LEFT }, { S("fill_right"), TOK_FILL_RIGHT }, { S("bool"), TOK_BOOL },
    { S("start"), TOK_START }, { S("end"), TOK_END }, { S("step"), TOK_STEP }, { S("range"), TOK_RANGE },
    { S("min_of"), TOK_MIN_OF }, { S("max_of"), TOK_MAX_OF }, { S("inf"), TOK_NUMBER }, { S("nan"), TOK_NUMBER },
};

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(int c)
{
    return is_alpha(c) || is_digit(c);
}

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* How many bytes the valid UTF-8 sequence at p has; 0 if it is none. */
static size_t utf8_len(const char *p, size_t left)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    if (!n || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

/* The byte at the position, or the lead byte of a longer character. */
static int peek(const struct lexer *l)
{
    if (l->pos >= l->in.n)
        return END_OF_INPUT;
    unsigned char c = (unsigned char)l->in.p[l->pos];
    if (c >= 0x80 && !utf8_len(l->in.p + l->pos, l->in.n - l->pos))
        return NOT_UTF8;
    return c;
}

static int peek_at(const struct lexer *l, size_t ahead)
{
    return l->pos + ahead < l->in.n ? (unsigned char)l->in.p[l->pos + ahead] : END_OF_INPUT;
}

static void advance(struct lexer *l)
{
    int c = peek(l);
    if (c == END_OF_INPUT)
        return;
    l->pos += c >= 0x80 ? utf8_len(l->in.p + l->pos, l->in.n - l->pos) : 1;
}

static struct token emit(const struct lexer *l, enum tok kind)
{
    return (struct token){ kind, str_sub(l->in, l->start, l->pos - l->start), l->start };
}

static struct token fail(struct lexer *l, const char *text)
{
    l->failed = true;
    snprintf(l->msg, sizeof l->msg, "%s", text);
    return (struct token){ TOK_ERROR, str_c(l->msg), l->start };
}

/* An error that shows a character, as Go's %q prints it. */
static struct token fail_char(struct lexer *l, const char *text, size_t at, const char *after)
{
    char c[8] = "\xef\xbf\xbd";
    size_t n = at < l->in.n ? utf8_len(l->in.p + at, l->in.n - at) : 0;
    if (n) {
        unsigned char lead = (unsigned char)l->in.p[at];
        if (lead < 0x20 || lead == 0x7f)
            snprintf(c, sizeof c, "\\x%02x", lead);
        else
            snprintf(c, sizeof c, "%.*s", (int)n, l->in.p + at);
    }
    l->failed = true;
    snprintf(l->msg, sizeof l->msg, "%s'%s'%s", text, c, after);
    return (struct token){ TOK_ERROR, str_c(l->msg), l->start };
}

/* ---- strings --------------------------------------------------------------- */

static int hex_value(int c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* After the backslash. False: l->msg says why. */
static bool lex_escape(struct lexer *l, int quote)
{
    int c = peek(l);
    int digits = 0, base = 16;
    uint32_t max = 255;
    if (c == quote || (c > 0 && str_index(S("abfnrtv\\"), (char)c) != SIZE_MAX)) {
        advance(l);
        return true;
    }
    if (c >= '0' && c <= '7') {
        digits = 3;
        base = 8;
    } else if (c == 'x' || c == 'u' || c == 'U') {
        digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        max = c == 'x' ? 255 : 0x10ffff;
        advance(l);
    } else {
        if (c == END_OF_INPUT)
            fail(l, "escape sequence not terminated");
        else
            fail_char(l, "unknown escape sequence ", l->pos, "");
        return false;
    }
    uint32_t value = 0;
    for (; digits; digits--) {
        c = peek(l);
        int d = hex_value(c);
        if (d >= base) {
            if (c == END_OF_INPUT)
                fail(l, "escape sequence not terminated");
            else
                fail_char(l, "illegal character ", l->pos, " in escape sequence");
            return false;
        }
        value = value * (uint32_t)base + (uint32_t)d;
        advance(l);
    }
    if (value > max || (value >= 0xd800 && value < 0xe000)) {
        fail(l, "escape sequence is an invalid Unicode code point");
        return false;
    }
    return true;
}

static struct token lex_string(struct lexer *l, int quote)
{
    bool raw = quote == '`';
    advance(l);
    for (;;) {
        int c = peek(l);
        if (c == NOT_UTF8)
            return fail(l, "invalid UTF-8 rune");
        if (c == END_OF_INPUT || (c == '\n' && !raw))
            return fail(l, raw ? "unterminated raw string" : "unterminated quoted string");
        advance(l);
        if (c == quote)
            return emit(l, TOK_STRING);
        if (c == '\\' && !raw && !lex_escape(l, quote))
            return (struct token){ TOK_ERROR, str_c(l->msg), l->start };
    }
}

/* ---- numbers and durations ------------------------------------------------- */

static bool in_set(int c, const char *set)
{
    return c > 0 && str_index(str_c(set), (char)c) != SIZE_MAX;
}

static bool accept(struct lexer *l, const char *set)
{
    if (!in_set(peek(l), set))
        return false;
    l->pos++;
    return true;
}

/* One part of a number. False: it cannot go on so. */
static bool scan_part(struct lexer *l, bool hex, const char *digits, bool *dot, bool *exponent)
{
    if (in_set(peek(l), digits)) {
        while (accept(l, digits))
            ;
        return true;
    }
    if (accept(l, ".")) {
        if (*dot || hex)
            return false;
        *dot = true;
        return !accept(l, "_.");
    }
    if (accept(l, "eE")) {
        if (*exponent)
            return false;
        *exponent = true;
        accept(l, "+-");
        return !accept(l, "._eE") && peek(l) != END_OF_INPUT;
    }
    CHECK(accept(l, "_"));
    return !accept(l, "._eE") && peek(l) != END_OF_INPUT;
}

static bool scan_number(struct lexer *l)
{
    bool hex = peek(l) == '0' && (peek_at(l, 1) == 'x' || peek_at(l, 1) == 'X');
    const char *digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
    const char *parts = hex ? "0123456789abcdefABCDEF._" : "0123456789._eE";
    bool dot = false, exponent = false;
    if (hex) {
        l->pos += 2;
        accept(l, "_");
    }
    while (in_set(peek(l), parts))
        if (!scan_part(l, hex, digits, &dot, &exponent))
            return false;
    return l->pos > l->start && !is_word(peek(l));
}

/* What follows the digits of a duration: a unit, then more digits and units. */
static bool scan_duration(struct lexer *l)
{
    if (!accept(l, "smhdwy"))
        return false;
    accept(l, "s");
    while (accept(l, "0123456789")) {
        while (accept(l, "0123456789"))
            ;
        if (!accept(l, "smhdw"))
            return false;
        accept(l, "s");
    }
    bool ok = !is_word(peek(l));
    if (!ok)
        advance(l);
    return ok;
}

static struct token lex_number(struct lexer *l)
{
    if (scan_number(l))
        return emit(l, TOK_NUMBER);
    if (scan_duration(l))
        return emit(l, TOK_DURATION);
    l->failed = true;
    struct str got = str_sub(l->in, l->start, l->pos - l->start);
    snprintf(l->msg, sizeof l->msg, "bad number or duration syntax: \"%.*s\"", (int)MIN(got.n, (size_t)60), got.p);
    return (struct token){ TOK_ERROR, str_c(l->msg), l->start };
}

/* ---- words ----------------------------------------------------------------- */

static bool next_is_paren(const struct lexer *l)
{
    size_t i = 0;
    while (is_space(peek_at(l, i)))
        i++;
    return peek_at(l, i) == '(';
}

static struct token lex_word(struct lexer *l)
{
    bool colon = false;
    while (is_word(peek(l)) || peek(l) == ':') {
        colon |= peek(l) == ':';
        l->pos++;
    }
    struct token t = emit(l, colon ? TOK_METRIC : TOK_IDENT);
    for (size_t i = 0; i < LEN(keywords) && !colon; i++)
        if (str_eq_nocase(keywords[i].word, t.text)) {
            enum tok k = keywords[i].tok;
            bool call_only = k == TOK_FILL || k == TOK_FILL_LEFT || k == TOK_FILL_RIGHT || k == TOK_MIN_OF ||
                             k == TOK_MAX_OF;
            if (!call_only || next_is_paren(l))
                t.kind = k;
        }
    return t;
}

static struct token lex_bracket_word(struct lexer *l)
{
    size_t at = l->pos;
    struct token t = lex_word(l);
    if (t.kind == TOK_STEP || t.kind == TOK_RANGE || t.kind == TOK_MIN || t.kind == TOK_MAX || t.kind == TOK_MIN_OF ||
        t.kind == TOK_MAX_OF)
        return t;
    l->pos = at + 1;
    return fail_char(l, "unexpected character in duration expression: ", at, "");
}

/* ---- the three contexts ---------------------------------------------------- */

static void skip_blank(struct lexer *l)
{
    for (;;) {
        if (is_space(peek(l))) {
            l->pos++;
        } else if (peek(l) == '#') {
            while (peek(l) != END_OF_INPUT && peek(l) != '\n' && peek(l) != '\r')
                l->pos++;
        } else {
            return;
        }
    }
}

static struct token lex_in_braces(struct lexer *l)
{
    int c = peek(l);
    if (c == END_OF_INPUT)
        return fail(l, "unexpected end of input inside braces");
    if (is_alpha(c)) {
        while (is_word(peek(l)))
            l->pos++;
        return emit(l, TOK_IDENT);
    }
    if (c == '"' || c == '\'' || c == '`')
        return lex_string(l, c);
    advance(l);
    switch (c) {
    case ',':
        return emit(l, TOK_COMMA);
    case '=':
        return accept(l, "~") ? emit(l, TOK_MATCH_RE) : emit(l, TOK_ASSIGN);
    case '!':
        if (accept(l, "~"))
            return emit(l, TOK_MATCH_NRE);
        if (accept(l, "="))
            return emit(l, TOK_NE);
        return fail_char(l, "unexpected character after '!' inside braces: ", l->pos, "");
    case '{':
        return fail(l, "unexpected left brace '{'");
    case '}':
        l->brace = false;
        return emit(l, TOK_RBRACE);
    default:
        return fail_char(l, "unexpected character inside braces: ", l->start, "");
    }
}

static struct token lex_bang_or_equal(struct lexer *l, int c)
{
    if (c == '=') {
        if (accept(l, "="))
            return emit(l, TOK_EQ);
        if (peek(l) == '~')
            return fail_char(l, "unexpected character after '=': ", l->pos, "");
        return emit(l, TOK_ASSIGN);
    }
    if (accept(l, "="))
        return emit(l, TOK_NE);
    return fail_char(l, "unexpected character after '!': ", l->pos, "");
}

static struct token lex_bracket(struct lexer *l, int c)
{
    if (c == '[') {
        if (l->bracket)
            return fail(l, "unexpected left bracket '['");
        l->bracket = true;
        l->colon = false;
        return emit(l, TOK_LBRACKET);
    }
    if (!l->bracket)
        return fail(l, "unexpected right bracket ']'");
    l->bracket = false;
    return emit(l, TOK_RBRACKET);
}

static struct token lex_paren(struct lexer *l, int c)
{
    if (c == '(') {
        l->parens++;
        return emit(l, TOK_LPAREN);
    }
    if (!l->parens)
        return fail(l, "unexpected right parenthesis ')'");
    l->parens--;
    return emit(l, TOK_RPAREN);
}

/* Marks that are one or two characters, outside of braces. */
static struct token lex_mark(struct lexer *l)
{
    int c = peek(l);
    advance(l);
    switch (c) {
    case ',': return emit(l, TOK_COMMA);
    case '*': return emit(l, TOK_MUL);
    case '/': return emit(l, TOK_DIV);
    case '%': return emit(l, TOK_MOD);
    case '+': return emit(l, TOK_ADD);
    case '-': return emit(l, TOK_SUB);
    case '^': return emit(l, TOK_POW);
    case '@': return emit(l, TOK_AT);
    case '=':
    case '!': return lex_bang_or_equal(l, c);
    case '<': return emit(l, accept(l, "=") ? TOK_LE : accept(l, "/") ? TOK_TRIM_UPPER : TOK_LT);
    case '>': return emit(l, accept(l, "=") ? TOK_GE : accept(l, "/") ? TOK_TRIM_LOWER : TOK_GT);
    case '(':
    case ')': return lex_paren(l, c);
    case '[':
    case ']': return lex_bracket(l, c);
    case '{':
        l->brace = true;
        return emit(l, TOK_LBRACE);
    default:
        return fail_char(l, "unexpected character: ", l->start, "");
    }
}

static struct token lex_colon(struct lexer *l)
{
    if (l->colon)
        return fail(l, "unexpected colon ':'");
    l->pos++;
    l->colon = true;
    return emit(l, TOK_COLON);
}

struct token lex_next(struct lexer *l)
{
    if (l->failed)
        return (struct token){ TOK_ERROR, str_c(l->msg), l->start };
    skip_blank(l);
    l->start = l->pos;
    if (l->brace)
        return lex_in_braces(l);
    int c = peek(l);
    if (c == END_OF_INPUT) {
        if (l->parens)
            return fail(l, "unclosed left parenthesis");
        if (l->bracket)
            return fail(l, "unexpected end of input in duration expression");
        return emit(l, TOK_EOF);
    }
    if (is_digit(c) || (c == '.' && is_digit(peek_at(l, 1))))
        return lex_number(l);
    if (c == ':' && l->bracket)
        return lex_colon(l);
    if (is_alpha(c) || c == ':')
        return l->bracket ? lex_bracket_word(l) : lex_word(l);
    if (c == '"' || c == '\'' || c == '`')
        return lex_string(l, c);
    return lex_mark(l);
}

void lex_init(struct lexer *l, struct str in)
{
    *l = (struct lexer){ .in = in };
}

void token_describe(const struct token *t, char *out, size_t size)
{
    enum { SHOWN_MAX = 40 };
    int n = (int)MIN(t->text.n, (size_t)SHOWN_MAX);
    const char *p = t->text.p ? t->text.p : "";
    if (t->kind == TOK_EOF)
        snprintf(out, size, "end of input");
    else if (t->kind == TOK_IDENT)
        snprintf(out, size, "identifier \"%.*s\"", n, p);
    else if (t->kind == TOK_METRIC)
        snprintf(out, size, "metric identifier \"%.*s\"", n, p);
    else if (t->kind == TOK_NUMBER)
        snprintf(out, size, "number \"%.*s\"", n, p);
    else if (t->kind == TOK_DURATION)
        snprintf(out, size, "duration \"%.*s\"", n, p);
    else if (t->kind == TOK_STRING)
        snprintf(out, size, "string \"%.*s\"", n, p);
    else if (tok_is_operator(t->kind))
        snprintf(out, size, "<op:%.*s>", n, p);
    else if (tok_is_aggregation(t->kind))
        snprintf(out, size, "<aggr:%.*s>", n, p);
    else if (tok_is_keyword(t->kind))
        snprintf(out, size, "<%.*s>", n, p);
    else
        snprintf(out, size, "\"%.*s\"", n, p);
}
