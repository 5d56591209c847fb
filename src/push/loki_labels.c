/* push/loki_labels.c -- the labels of a stream as their text.
 *
 *     series := [ name ] "{" [ pair { "," pair } [ "," ] ] "}"
 *     pair   := name "=" string
 *     string := "..." | '...' | `...`             quoted as in Go
 *
 * Loki reads them with Prometheus's parser, and senders see its messages.
 */
#include "base/utf8.h"
#include "push/entries.h"

struct scan {
    struct str s;
    size_t at;
    struct arena *mem;
    struct fault *f;
};

static enum err wrong(struct scan *p, size_t at, const char *what, struct str near)
{
    return fault_set(p->f, E_SYNTAX, at, "1:%zu: parse error: %s" STR_FMT, at + 1, what, STR_ARG(str_sub(near, 0, 60)));
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool label_name_is_plain(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!is_letter(name.p[i]) && !(i && is_digit(name.p[i])))
            return false;
    return name.n > 0;
}

static char peek(struct scan *p)
{
    while (p->at < p->s.n && (p->s.p[p->at] == ' ' || p->s.p[p->at] == '\t' || p->s.p[p->at] == '\n' || p->s.p[p->at] == '\r'))
        p->at++;
    return p->at < p->s.n ? p->s.p[p->at] : 0;
}

/* What stands where something else was expected. */
static enum err unexpected(struct scan *p, const char *expected)
{
    char c = peek(p);
    if (p->at == p->s.n)
        return wrong(p, p->at, "unexpected end of input inside braces", S(""));
    size_t n = MAX(utf8_step(p->s, p->at), (size_t)1);
    struct str shown = str_sub(p->s, p->at, n);
    bool known = is_letter(c) || c == '=' || c == ',' || c == '{' || c == '}' || c == '"' || c == '\'' || c == '`';
    if (!known)
        return fault_set(p->f, E_SYNTAX, p->at, "1:%zu: parse error: unexpected character inside braces: '" STR_FMT "'", p->at + 1,
                         STR_ARG(shown));
    return fault_set(p->f, E_SYNTAX, p->at, "1:%zu: parse error: unexpected \"" STR_FMT "\" in label set, expected %s", p->at + 1,
                     STR_ARG(shown), expected);
}

/* ---- strings --------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* n digits of a base at *at; false: they are not there. */
static bool number(struct str s, size_t *at, unsigned n, unsigned base, uint32_t *ret)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < n; i++, (*at)++) {
        int d = *at < s.n ? hex_digit(s.p[*at]) : -1;
        if (d < 0 || (unsigned)d >= base)
            return false;
        v = v * base + (unsigned)d;
    }
    *ret = v;
    return true;
}

/* The escape behind a backslash at *at, written to `out`; 0: there is none like it. */
static size_t escape(struct str s, size_t *at, char quote, char out[4])
{
    static const char plain[] = "abfnrtv\\", means[] = "\a\b\f\n\r\t\v\\";
    uint32_t v;
    char c = *at < s.n ? s.p[*at] : 0;
    for (size_t i = 0; c && i < sizeof plain - 1; i++)
        if (plain[i] == c) {
            (*at)++;
            out[0] = means[i];
            return 1;
        }
    if (c == quote && c) {
        (*at)++;
        out[0] = c;
        return 1;
    }
    if (c >= '0' && c <= '7') {
        if (!number(s, at, 3, 8, &v) || v > 0xff)
            return 0;
        out[0] = (char)v;
        return 1;
    }
    unsigned digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (!digits)
        return 0;
    (*at)++;
    if (!number(s, at, digits, 16, &v) || v > 0x10ffff || (digits > 2 && v >= 0xd800 && v <= 0xdfff))
        return 0;
    if (digits == 2) {
        out[0] = (char)v;
        return 1;
    }
    return utf8_encode(out, v);
}

/* The quoted text at p->at, whose end is known. */
static enum err unquote(struct scan *p, struct str inner, char quote, size_t begin, struct str *ret)
{
    if (quote == '`' || str_index(inner, '\\') == SIZE_MAX) {
        *ret = inner;
        return utf8_valid(inner) ? OK : wrong(p, begin, "invalid UTF-8 rune", S(""));
    }
    char *out = arena_alloc(p->mem, inner.n + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < inner.n;) {
        if (inner.p[i] != '\\') {
            out[n++] = inner.p[i++];
            continue;
        }
        char bytes[4];
        i++;
        size_t got = escape(inner, &i, quote, bytes);
        if (!got)
            return wrong(p, begin, "unknown escape sequence", S(""));
        for (size_t k = 0; k < got; k++)
            out[n++] = bytes[k];
    }
    *ret = (struct str){ out, n };
    return utf8_valid(*ret) ? OK : wrong(p, begin, "invalid UTF-8 rune", S(""));
}

static enum err read_string(struct scan *p, struct str *ret)
{
    char quote = peek(p);
    if (quote != '"' && quote != '\'' && quote != '`')
        return unexpected(p, "string");
    size_t begin = p->at, i = begin + 1;
    for (; i < p->s.n && p->s.p[i] != quote; i++) {
        if (p->s.p[i] == '\\' && quote != '`')
            i++;
        else if (p->s.p[i] == '\n' && quote != '`')
            return wrong(p, begin, "unterminated quoted string", S(""));
    }
    if (i >= p->s.n)
        return wrong(p, begin, quote == '`' ? "unterminated raw string" : "unterminated quoted string", S(""));
    p->at = i + 1;
    return unquote(p, str_sub(p->s, begin + 1, i - begin - 1), quote, begin, ret);
}

/* ---- pairs ------------------------------------------------------------------------------ */

static struct str read_name(struct scan *p, bool metric)
{
    char c = peek(p);
    size_t begin = p->at;
    if (!is_letter(c) && !(metric && c == ':'))
        return S("");
    while (p->at < p->s.n && (is_letter(p->s.p[p->at]) || is_digit(p->s.p[p->at]) || (metric && p->s.p[p->at] == ':')))
        p->at++;
    return str_sub(p->s, begin, p->at - begin);
}

static enum err read_pair(struct scan *p, struct label *ret)
{
    ret->name = read_name(p, false);
    if (!ret->name.n)
        return unexpected(p, "identifier or \"}\"");
    if (peek(p) != '=')
        return unexpected(p, "\"=\"");
    p->at++;
    return read_string(p, &ret->value);
}

enum err labels_parse(struct str text, struct arena *mem, struct label **ret, uint32_t *ret_n, struct fault *f)
{
    struct scan p = { .s = text, .mem = mem, .f = f };
    struct label *l = NULL;
    uint32_t n = 0, cap = 0;
    struct str metric = read_name(&p, true);
    if (metric.n)
        *arena_push(mem, l, n, cap) = (struct label){ S("__name__"), metric };
    bool braces = peek(&p) == '{';
    if (!braces && !(metric.n && p.at == text.n))
        return wrong(&p, p.at, "unexpected ", p.at < text.n ? str_sub(text, p.at, 20) : S("end of input"));
    p.at += braces;
    while (braces && peek(&p) != '}') {
        struct label pair;
        enum err e = read_pair(&p, &pair);
        if (e)
            return e;
        if (n == PUSH_LABELS_MAX)
            return fault_set(f, E_LIMIT, p.at, "a stream has more than %d labels", PUSH_LABELS_MAX);
        *arena_push(mem, l, n, cap) = pair;
        if (peek(&p) == ',')
            p.at++;
        else if (peek(&p) != '}')
            return unexpected(&p, "\",\" or \"}\"");
    }
    p.at += braces;
    (void)peek(&p);
    if (p.at != text.n)
        return wrong(&p, p.at, "unexpected ", str_sub(text, p.at, 20));
    *ret = l;
    *ret_n = n;
    return OK;
}
