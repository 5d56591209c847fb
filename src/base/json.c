/* base/json.c -- a pull parser over borrowed bytes.
 *
 * There is no tree and no recursion: `state` says what may come next, `stack`
 * which brackets are open. The arrows:
 *
 *   VALUE ----scalar----> AFTER --","--> the next key (object) or value (array)
 *     |                     ^  |
 *     | "{"                 |  +--closing bracket--> AFTER, or DONE at depth 0
 *     +-----> FIRST_KEY     |
 *     |         |  key ":"  +--- VALUE ...
 *     | "["     +--"}"--> AFTER
 *     +-----> FIRST_ITEM --"]"--> AFTER, or like VALUE
 *
 * Strings are scanned eight bytes at a time up to the first byte that needs a
 * look. Only a string with an escape or with invalid UTF-8 is copied.
 */
#include "base/json.h"

#include <string.h>

#include "base/utf8.h"

enum { ST_VALUE, ST_FIRST_KEY, ST_FIRST_ITEM, ST_AFTER, ST_DONE, ST_FAILED };

void json_init(struct json *j, struct str in, struct arena *mem)
{
    *j = (struct json){ .mem = mem, .tok = J_NULL, .state = ST_VALUE };
    j->start = j->p = in.p ? in.p : "";
    j->end = j->start + in.n;
}

static enum json_tok fail_at(struct json *j, const char *at, enum err code, const char *what)
{
    (void)fault_set(&j->fault, code, (size_t)(at - j->start), "JSON: %s at byte %zu", what, (size_t)(at - j->start));
    j->state = ST_FAILED;
    j->p = j->end;
    return J_ERR;
}

static enum json_tok fail(struct json *j, const char *what)
{
    if (j->p == j->end)
        what = "unexpected end";
    return fail_at(j, j->p, E_SYNTAX, what);
}

static void skip_blanks(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
        j->p++;
}

/* Whether any of the eight bytes is a quote, a backslash, a control or not ASCII. */
static bool needs_look(uint64_t w)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
    uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
    uint64_t hit = (quote - ones) & ~quote;        /* a zero byte borrows into its top bit */
    hit |= (slash - ones) & ~slash;
    hit |= (w - ones * 0x20) & ~w;
    return ((hit | w) & tops) != 0;
}

static const char *plain_run(const char *p, const char *end)
{
    uint64_t w;
    while (end - p >= (ptrdiff_t)sizeof(w)) {
        memcpy(&w, p, sizeof(w));
        if (needs_look(w))
            break;
        p += sizeof(w);
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

/* Finds the closing quote from j->p on; NULL after a fault. */
static const char *find_quote(struct json *j, bool *ret_escaped)
{
    *ret_escaped = false;
    const char *p = j->p;
    for (;;) {
        p = plain_run(p, j->end);
        if (p == j->end) {
            (void)fail_at(j, p, E_SYNTAX, "unterminated string");
            return NULL;
        }
        if (*p == '"')
            return p;
        if (*p != '\\') {
            (void)fail_at(j, p, E_SYNTAX, "control character in a string");
            return NULL;
        }
        *ret_escaped = true;
        if (j->end - p < 2) {
            (void)fail_at(j, j->end, E_SYNTAX, "unterminated string");
            return NULL;
        }
        p += 2;
    }
}

/* Four hex digits at p, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i], low = (char)(c | 0x20);
        int d = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

/* p stands after "\u". Puts one code point at *out; returns what follows, or NULL. */
static const char *unescape_u(const char *p, const char *end, char **out)
{
    int32_t c = hex4(p, end);
    if (c < 0)
        return NULL;
    p += 4;
    if (c >= 0xd800 && c <= 0xdbff && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        int32_t low = hex4(p + 2, end);
        if (low >= 0xdc00 && low <= 0xdfff) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        }
    }
    *out += utf8_encode(*out, (uint32_t)c);        /* a lone surrogate becomes U+FFFD */
    return p;
}

/* p stands after the backslash. */
static const char *unescape(const char *p, const char *end, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (*p == 'u')
        return unescape_u(p + 1, end, out);
    const char *at = memchr(from, *p, sizeof(from) - 1);
    if (!at)
        return NULL;
    *(*out)++ = to[at - from];
    return p + 1;
}

/* Copies [p, end) with escapes undone and invalid bytes replaced. */
static bool copy_string(struct json *j, const char *p, const char *end, bool valid)
{
    /* One invalid byte becomes three; an escape never grows. */
    char *to = arena_alloc(j->mem, arena_bytes((size_t)(end - p), valid ? 1 : 3), 1), *out = to;
    while (p < end) {
        if (*p == '\\') {
            const char *next = unescape(p + 1, end, &out);
            if (!next) {
                (void)fail_at(j, p, E_SYNTAX, "invalid escape");
                return false;
            }
            p = next;
            continue;
        }
        size_t n = utf8_step((struct str){ p, (size_t)(end - p) }, 0);
        struct str one = n ? (struct str){ p, n } : UTF8_REPLACEMENT;
        memcpy(out, one.p, one.n);
        out += one.n;
        p += n ? n : 1;
    }
    j->s = (struct str){ to, (size_t)(out - to) };
    return true;
}

/* j->p stands after the opening quote. */
static bool read_string(struct json *j)
{
    bool escaped;
    const char *begin = j->p, *end = find_quote(j, &escaped);
    if (!end)
        return false;
    j->s = (struct str){ begin, (size_t)(end - begin) };
    bool valid = utf8_valid(j->s);
    if ((escaped || !valid) && !copy_string(j, begin, end, valid))
        return false;
    j->p = end + 1;
    return true;
}

static bool digits(struct json *j)
{
    const char *begin = j->p;
    while (j->p < j->end && *j->p >= '0' && *j->p <= '9')
        j->p++;
    return j->p > begin;
}

/* number := ["-"] ("0" | nonzero digit*) ["." digit+] [("e"|"E") [sign] digit+] */
static enum json_tok read_number(struct json *j)
{
    const char *begin = j->p;
    if (*j->p == '-')
        j->p++;
    if (j->p < j->end && *j->p == '0')
        j->p++;
    else if (!digits(j))
        return fail(j, "invalid number");
    if (j->p < j->end && *j->p == '.') {
        j->p++;
        if (!digits(j))
            return fail(j, "invalid number");
    }
    if (j->p < j->end && (*j->p | 0x20) == 'e') {
        j->p++;
        if (j->p < j->end && (*j->p == '+' || *j->p == '-'))
            j->p++;
        if (!digits(j))
            return fail(j, "invalid number");
    }
    j->s = (struct str){ begin, (size_t)(j->p - begin) };
    return J_NUM;
}

static enum json_tok read_word(struct json *j, struct str word, enum json_tok tok)
{
    if (!str_starts((struct str){ j->p, (size_t)(j->end - j->p) }, word))
        return fail_at(j, j->p, E_SYNTAX, "invalid word");
    j->p += word.n;
    return tok;
}

static enum json_tok open_bracket(struct json *j, char c)
{
    if (j->depth == JSON_DEPTH_MAX)
        return fail_at(j, j->p, E_LIMIT, "nested deeper than JSON_DEPTH_MAX");
    j->p++;
    j->stack[j->depth++] = (uint8_t)c;
    j->state = c == '{' ? ST_FIRST_KEY : ST_FIRST_ITEM;
    return c == '{' ? J_OBJ : J_ARR;
}

static enum json_tok close_bracket(struct json *j)
{
    CHECK(j->depth > 0);
    j->p++;
    bool object = j->stack[--j->depth] == '{';
    j->state = ST_AFTER;
    return object ? J_OBJ_END : J_ARR_END;
}

static enum json_tok read_value(struct json *j)
{
    if (j->p == j->end)
        return fail(j, "");
    char c = *j->p;
    if (c == '{' || c == '[')
        return open_bracket(j, c);
    j->state = ST_AFTER;
    switch (c) {
    case '"':
        j->p++;
        return read_string(j) ? J_STR : J_ERR;
    case 't':
        return read_word(j, S("true"), J_TRUE);
    case 'f':
        return read_word(j, S("false"), J_FALSE);
    case 'n':
        return read_word(j, S("null"), J_NULL);
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return read_number(j);
        return fail(j, "unexpected character");
    }
}

static enum json_tok read_key(struct json *j)
{
    if (j->p == j->end || *j->p != '"')
        return fail(j, "expected a key");
    j->p++;
    if (!read_string(j))
        return J_ERR;
    skip_blanks(j);
    if (j->p == j->end || *j->p != ':')
        return fail(j, "expected ':'");
    j->p++;
    j->state = ST_VALUE;
    return J_KEY;
}

static enum json_tok read_after(struct json *j)
{
    if (j->depth == 0) {
        if (j->p < j->end)
            return fail(j, "unexpected character after the value");
        j->state = ST_DONE;
        return J_END;
    }
    bool object = j->stack[j->depth - 1] == '{';
    if (j->p < j->end && *j->p == (object ? '}' : ']'))
        return close_bracket(j);
    if (j->p == j->end || *j->p != ',')
        return fail(j, object ? "expected ',' or '}'" : "expected ',' or ']'");
    j->p++;
    skip_blanks(j);
    return object ? read_key(j) : read_value(j);
}

enum json_tok json_next(struct json *j)
{
    skip_blanks(j);
    switch (j->state) {
    case ST_VALUE:
        return j->tok = read_value(j);
    case ST_FIRST_KEY:
        return j->tok = j->p < j->end && *j->p == '}' ? close_bracket(j) : read_key(j);
    case ST_FIRST_ITEM:
        return j->tok = j->p < j->end && *j->p == ']' ? close_bracket(j) : read_value(j);
    case ST_AFTER:
        return j->tok = read_after(j);
    case ST_DONE:
        return j->tok = J_END;
    default:
        CHECK(j->state == ST_FAILED);
        return j->tok = J_ERR;
    }
}

void json_skip(struct json *j)
{
    if (j->tok == J_KEY)
        (void)json_next(j);
    if (j->tok != J_OBJ && j->tok != J_ARR)
        return;
    uint32_t outside = j->depth - 1;
    while (j->depth > outside && json_next(j) != J_ERR)
        ;
}
