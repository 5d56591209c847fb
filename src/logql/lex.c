/* logql/lex.c -- see lex.h. Blanks are as in Go, comments run from '#' to the end
 * of the line, an identifier is letters, digits and '_' of any script. */
#include "logql/lex.h"

#include "base/clock.h"
#include "base/num.h"
#include "logql/text.h"

struct word {
    struct str text;
    enum tok kind;
};

static const struct word words[] = {
    { S("by"), T_BY },          { S("without"), T_WITHOUT },       { S("bool"), T_BOOL },
    { S("on"), T_ON },          { S("ignoring"), T_IGNORING },     { S("group_left"), T_GROUP_LEFT },
    { S("group_right"), T_GROUP_RIGHT }, { S("offset"), T_OFFSET }, { S("unwrap"), T_UNWRAP },
    { S("or"), T_OR },          { S("and"), T_AND },               { S("unless"), T_UNLESS },
    { S("json"), T_STAGE },     { S("logfmt"), T_STAGE },          { S("regexp"), T_STAGE },
    { S("unpack"), T_STAGE },   { S("pattern"), T_STAGE },         { S("line_format"), T_STAGE },
    { S("label_format"), T_STAGE }, { S("decolorize"), T_STAGE },  { S("drop"), T_STAGE },
    { S("keep"), T_STAGE },
};

/* Names that are functions in front of a parenthesis. */
static const struct str functions[] = {
    S("rate"), S("rate_counter"), S("count_over_time"), S("bytes_rate"), S("bytes_over_time"), S("avg_over_time"),
    S("sum_over_time"), S("min_over_time"), S("max_over_time"), S("stdvar_over_time"), S("stddev_over_time"),
    S("quantile_over_time"), S("first_over_time"), S("last_over_time"), S("absent_over_time"), S("vector"),
    S("sum"), S("avg"), S("max"), S("min"), S("count"), S("stddev"), S("stdvar"), S("bottomk"), S("topk"),
    S("sort"), S("sort_desc"), S("label_replace"), S("approx_topk"), S("bytes"), S("duration"),
    S("duration_seconds"), S("ip"),
};

/* Longer ones first. */
static const struct word signs[] = {
    { S("|="), T_PIPE_EXACT }, { S("|~"), T_PIPE_MATCH }, { S("|>"), T_PIPE_PATTERN }, { S("=~"), T_RE },
    { S("!~"), T_NRE }, { S("!>"), T_NPA }, { S("!="), T_NEQ }, { S("=="), T_CMP_EQ }, { S(">="), T_GTE },
    { S("<="), T_LTE }, { S("{"), T_LBRACE }, { S("}"), T_RBRACE }, { S("("), T_LPAREN }, { S(")"), T_RPAREN },
    { S(","), T_COMMA }, { S("."), T_DOT }, { S("="), T_EQ }, { S("|"), T_PIPE }, { S(">"), T_GT }, { S("<"), T_LT },
    { S("+"), T_ADD }, { S("-"), T_SUB }, { S("*"), T_MUL }, { S("/"), T_DIV }, { S("%"), T_MOD }, { S("^"), T_POW },
};

void tokens_init(struct lexer *l, struct str in, struct arena *mem)
{
    *l = (struct lexer){ .in = in, .line = 1, .mem = mem };
}

struct str token_name(const struct token *t)
{
    switch (t->kind) {
    case T_END: return S("$end");
    case T_BAD:
    case T_IDENT: return S("IDENTIFIER");
    case T_STRING: return S("STRING");
    case T_NUMBER: return S("NUMBER");
    case T_DURATION: return S("DURATION");
    case T_BYTES: return S("BYTES");
    case T_RANGE: return S("RANGE");
    case T_FLAG: return S("FUNCTION_FLAG");
    default: return t->text;
    }
}

static enum err lex_error(const struct lexer *l, struct fault *f, size_t at, const char *msg)
{
    struct str before = str_sub(l->in, l->line_start, at - l->line_start);
    return fault_set(f, E_SYNTAX, at, "parse error at line %zu, col %zu: %s", l->line, text_rune_count(before) + 1, msg);
}

static char peek(const struct lexer *l, size_t ahead)
{
    return l->pos + ahead < l->in.n ? l->in.p[l->pos + ahead] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct lexer *l)
{
    for (; l->pos < l->in.n; l->pos++) {
        char c = l->in.p[l->pos];
        if (c == '#') {
            while (l->pos < l->in.n && l->in.p[l->pos] != '\n')
                l->pos++;
            if (l->pos == l->in.n)
                return;
            c = '\n';
        }
        if (!is_blank(c))
            return;
        if (c == '\n') {
            l->line++;
            l->line_start = l->pos + 1;
        }
    }
}

/* ---- numbers ----------------------------------------------------------------- */

static size_t digits_end(struct str s, size_t i)
{
    while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_'))
        i++;
    return i;
}

/* Go's numbers: 1, .5, 1e3, 0x1F. */
static size_t number_end(struct str s, size_t i)
{
    if (i + 1 < s.n && s.p[i] == '0' && (s.p[i + 1] == 'x' || s.p[i + 1] == 'X')) {
        i += 2;
        while (i < s.n && (is_digit(s.p[i]) || ((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'f')))
            i++;
        return i;
    }
    i = digits_end(s, i);
    if (i < s.n && s.p[i] == '.')
        i = digits_end(s, i + 1);
    size_t e = i;
    if (e < s.n && (s.p[e] == 'e' || s.p[e] == 'E')) {
        e++;
        if (e < s.n && (s.p[e] == '+' || s.p[e] == '-'))
            e++;
        if (e < s.n && is_digit(s.p[e]))
            return digits_end(s, e);
    }
    return i;
}

/* The end of the stretch from `i` on of digits, dots and the unit's letters. */
static size_t unit_end(struct str s, size_t i, struct str letters)
{
    while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '.' || str_index(letters, s.p[i]) != SIZE_MAX))
        i++;
    return i;
}

/* A number, or the minus in front of one, becomes a duration or a size when a unit follows. */
static bool take_unit(struct lexer *l, size_t from, size_t number, struct token *t)
{
    size_t end = unit_end(l->in, number, S("nu\xc2\xb5mshdwy"));
    if (end > number && text_duration(str_sub(l->in, from, end - from), &t->ns)) {
        t->kind = T_DURATION;
        l->pos = end;
        return true;
    }
    end = unit_end(l->in, number, S("BikKMGTP"));
    if (l->in.p[from] != '-' && end > number && text_bytes(str_sub(l->in, from, end - from), &t->bytes)) {
        t->kind = T_BYTES;
        l->pos = end;
        return true;
    }
    return false;
}

static void lex_number(struct lexer *l, struct token *t)
{
    size_t from = l->pos, end = number_end(l->in, from);
    if (!take_unit(l, from, end, t)) {
        t->kind = T_NUMBER;
        l->pos = end;
    }
    t->text = str_sub(l->in, from, l->pos - from);
}

/* [5m] */
static enum err lex_range(struct lexer *l, struct token *t, struct fault *f)
{
    size_t from = l->pos + 1, end = from;
    while (end < l->in.n && l->in.p[end] != ']')
        end++;
    if (end == l->in.n)
        return lex_error(l, f, l->pos, "missing closing ']' in duration");
    struct str inside = str_sub(l->in, from, end - from);
    if (!inside.n)
        return lex_error(l, f, l->pos, "empty duration string");
    if (!num_duration(inside, &t->ns)) {
        fault_set(f, E_SYNTAX, l->pos, "parse error at line %zu, col %zu: not a valid duration string: \"" STR_FMT "\"",
                  l->line, l->pos - l->line_start + 1, STR_ARG(inside));
        return E_SYNTAX;
    }
    t->kind = T_RANGE;
    l->pos = end + 1;
    t->text = str_sub(l->in, t->at, l->pos - t->at);
    return OK;
}

/* ---- strings and words --------------------------------------------------------- */

static enum err lex_string(struct lexer *l, struct token *t, struct fault *f)
{
    char quote = l->in.p[l->pos];
    size_t end = l->pos + 1;
    for (; end < l->in.n && l->in.p[end] != quote; end++) {
        if (quote == '"' && l->in.p[end] == '\n')
            break;
        if (quote == '"' && l->in.p[end] == '\\')
            end++;
    }
    if (end >= l->in.n || l->in.p[end] != quote)
        return lex_error(l, f, l->pos, "literal not terminated");
    struct str quoted = str_sub(l->in, l->pos, end + 1 - l->pos);
    if (!utf8_valid(quoted))
        return lex_error(l, f, l->pos, "invalid UTF-8 rune");
    if (!text_unquote(quoted, l->mem, &t->text))
        return lex_error(l, f, l->pos, "invalid syntax");
    for (size_t i = 0; i < quoted.n; i++)
        if (quoted.p[i] == '\n') {
            l->line++;
            l->line_start = l->pos + i + 1;
        }
    t->kind = T_STRING;
    l->pos = end + 1;
    return OK;
}

static bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq_nocase(str_sub(s, 0, prefix.n), prefix);
}

/* Is what follows an argument list, or by/without and one? */
static bool before_parenthesis(const struct lexer *l)
{
    struct str rest = str_trim(str_sub(l->in, l->pos, l->in.n));
    if (str_starts(rest, S("(")))
        return true;
    size_t skip = str_starts_nocase(rest, S("by")) ? 2 : str_starts_nocase(rest, S("without")) ? 7 : 0;
    return skip && str_starts(str_trim(str_sub(rest, skip, rest.n)), S("("));
}

static void lex_word(struct lexer *l, struct token *t)
{
    size_t from = l->pos;
    while (is_word(peek(l, 0)) && utf8_step(l->in, l->pos))
        l->pos += utf8_step(l->in, l->pos);
    t->text = str_sub(l->in, from, l->pos - from);
    t->kind = T_IDENT;
    for (size_t i = 0; i < LEN(functions); i++)
        if (str_eq_nocase(functions[i], t->text)) {
            if (before_parenthesis(l)) {
                t->text = functions[i];
                t->kind = str_eq(functions[i], S("ip")) ? T_IP : T_FUNC;
            }
            return;
        }
    for (size_t i = 0; i < LEN(words); i++)
        if (str_eq_nocase(words[i].text, t->text)) {
            t->text = words[i].text;
            t->kind = words[i].kind;
            return;
        }
}

/* --strict, --keep-empty; a minus in front of a duration. */
static bool lex_dash(struct lexer *l, struct token *t)
{
    static const struct str flags[] = { S("--strict"), S("--keep-empty") };
    size_t end = l->pos;
    while (end < l->in.n && (l->in.p[end] == '-' || (is_word(l->in.p[end]) && !is_digit(l->in.p[end]))))
        end++;
    for (size_t i = 0; i < LEN(flags); i++)
        if (str_eq(str_sub(l->in, l->pos, end - l->pos), flags[i])) {
            t->kind = T_FLAG;
            t->text = flags[i];
            l->pos = end;
            return true;
        }
    size_t from = l->pos;
    if (!is_digit(peek(l, 1)) || !take_unit(l, from, from + 1, t))
        return false;
    t->text = str_sub(l->in, from, l->pos - from);
    return true;
}

/* Counting each token's line from its start would take the square of a query's length. */
static size_t column_here(struct lexer *l)
{
    if (l->counted_to < l->line_start || l->counted_to > l->pos) {
        l->counted_to = l->line_start;
        l->counted = 0;
    }
    l->counted += text_rune_count(str_sub(l->in, l->counted_to, l->pos - l->counted_to));
    l->counted_to = l->pos;
    return l->counted + 1;
}

enum err tokens_next(struct lexer *l, struct token *ret, struct fault *f)
{
    skip_blanks(l);
    struct token t = { .kind = T_END, .at = l->pos, .line = l->line };
    t.col = column_here(l);
    char c = peek(l, 0);
    enum err e = OK;
    if (l->pos >= l->in.n) {
        *ret = t;
        return OK;
    }
    if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
        lex_number(l, &t);
    else if (c == '"' || c == '`')
        e = lex_string(l, &t, f);
    else if (c == '[')
        e = lex_range(l, &t, f);
    else if (is_word(c) && utf8_step(l->in, l->pos))
        lex_word(l, &t);
    else if (c != '-' || !lex_dash(l, &t)) {
        struct str rest = str_sub(l->in, l->pos, 2);
        size_t i = 0;
        while (i < LEN(signs) && !str_starts(rest, signs[i].text))
            i++;
        t.kind = i < LEN(signs) ? signs[i].kind : T_BAD;
        t.text = i < LEN(signs) ? signs[i].text : str_sub(rest, 0, 1);
        l->pos += t.text.n;
    }
    if (e)
        return e;
    *ret = t;
    return OK;
}
