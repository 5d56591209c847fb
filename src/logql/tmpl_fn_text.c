/* logql/tmpl_fn_text.c -- texts: case, trimming, searching, encodings, JSON.
 *
 * The capitalised ones are Go's own functions with the text first; the others are
 * sprig's, with the text last so that it can come down a pipeline.
 */
#include "logql/tmpl_int.h"

#include "base/base64.h"

#include <string.h>

#include "logql/text.h"

enum { REPEAT_MAX = 1 << 20, INDENT_MAX = 1000 };

/* ---- characters ------------------------------------------------------------------------- */

/* Latin, Greek and Cyrillic, where the two cases are one distance apart. */
static uint32_t to_upper(uint32_t r)
{
    if ((r >= 'a' && r <= 'z') || (r >= 0xe0 && r <= 0xfe && r != 0xf7) || (r >= 0x3b1 && r <= 0x3c9 && r != 0x3c2) ||
        (r >= 0x430 && r <= 0x44f))
        return r - 0x20;
    if (r >= 0x450 && r <= 0x45f)
        return r - 0x50;
    if (r >= 0x100 && r <= 0x137)
        return r & ~1u;
    return r;
}

static uint32_t to_lower(uint32_t r)
{
    if ((r >= 'A' && r <= 'Z') || (r >= 0xc0 && r <= 0xde && r != 0xd7) || (r >= 0x391 && r <= 0x3a9 && r != 0x3a2) ||
        (r >= 0x410 && r <= 0x42f))
        return r + 0x20;
    if (r >= 0x400 && r <= 0x40f)
        return r + 0x50;
    if (r >= 0x100 && r <= 0x137)
        return r | 1u;
    return r;
}

static bool is_letter(uint32_t r)
{
    return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') || r == '_' || r == '\'' || r >= 0x80;
}

enum casing { CASE_LOWER, CASE_UPPER, CASE_TITLE };

static struct tval cased(struct run *r, struct str s, enum casing casing)
{
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    bool begins = true;
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        uint32_t rune = text_rune(s, &i);
        if (rune == 0xfffd) {
            buf_put(&b, s.p + from, i - from);
            continue;
        }
        char bytes[4];
        uint32_t to = casing == CASE_LOWER ? to_lower(rune) : casing == CASE_UPPER || begins ? to_upper(rune) : rune;
        begins = !is_letter(rune);
        buf_put(&b, bytes, utf8_encode(bytes, to));
    }
    return tv_take(r, &b);
}

static bool fn_lower(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    *ret = cased(r, s, CASE_LOWER);
    return true;
}

static bool fn_upper(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    *ret = cased(r, s, CASE_UPPER);
    return true;
}

static bool fn_title(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    *ret = cased(r, s, CASE_TITLE);
    return true;
}

/* ---- trimming ----------------------------------------------------------------------------- */

static bool in_set(struct str set, uint32_t rune)
{
    for (size_t i = 0; i < set.n;)
        if (text_rune(set, &i) == rune)
            return true;
    return false;
}

static struct str trim_left(struct str s, struct str set)
{
    size_t i = 0;
    while (i < s.n) {
        size_t at = i;
        if (!in_set(set, text_rune(s, &i))) {
            i = at;
            break;
        }
    }
    return str_sub(s, i, s.n);
}

static struct str trim_right(struct str s, struct str set)
{
    while (s.n) {
        size_t at = s.n - 1;
        while (at && ((unsigned char)s.p[at] & 0xc0) == 0x80)
            at--;
        size_t i = at;
        if (!in_set(set, text_rune(s, &i)))
            break;
        s.n = at;
    }
    return s;
}

static struct str trim_prefix(struct str s, struct str prefix)
{
    return str_starts(s, prefix) ? str_sub(s, prefix.n, s.n) : s;
}

static struct str trim_suffix(struct str s, struct str suffix)
{
    return str_ends(s, suffix) ? str_sub(s, 0, s.n - suffix.n) : s;
}

/* Two texts; `text` says which of the arguments is the one that is worked on. */
static bool two(struct run *r, const struct tval *a, uint32_t text, struct str *ret_s, struct str *ret_other)
{
    return arg_str(r, a, text, ret_s) && arg_str(r, a, 1 - text, ret_other);
}

#define TRIMMER(name, text, expression)                                                                                \
    static bool name(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)                                \
    {                                                                                                                  \
        struct str s, other;                                                                                           \
        (void)n;                                                                                                       \
        if (!two(r, a, text, &s, &other))                                                                              \
            return false;                                                                                              \
        *ret = tv_str(expression);                                                                                     \
        return true;                                                                                                   \
    }

TRIMMER(fn_go_trim, 0, trim_right(trim_left(s, other), other))
TRIMMER(fn_go_trim_left, 0, trim_left(s, other))
TRIMMER(fn_go_trim_right, 0, trim_right(s, other))
TRIMMER(fn_go_trim_prefix, 0, trim_prefix(s, other))
TRIMMER(fn_go_trim_suffix, 0, trim_suffix(s, other))
TRIMMER(fn_trim_all, 1, trim_right(trim_left(s, other), other))
TRIMMER(fn_trim_prefix, 1, trim_prefix(s, other))
TRIMMER(fn_trim_suffix, 1, trim_suffix(s, other))

static bool fn_trim(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    *ret = tv_str(str_trim(s));
    return true;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static bool fn_contains(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s, other;
    (void)n;
    if (!two(r, a, 1, &s, &other))
        return false;
    *ret = tv_bool(str_find(s, other) != SIZE_MAX);
    return true;
}

static bool fn_has_prefix(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s, other;
    (void)n;
    if (!two(r, a, 1, &s, &other))
        return false;
    *ret = tv_bool(str_starts(s, other));
    return true;
}

static bool fn_has_suffix(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s, other;
    (void)n;
    if (!two(r, a, 1, &s, &other))
        return false;
    *ret = tv_bool(str_ends(s, other));
    return true;
}

/* The byte offset of the n-th character. */
static size_t rune_offset(struct str s, size_t n)
{
    size_t i = 0;
    while (n-- && i < s.n)
        text_rune(s, &i);
    return i;
}

/* trunc 5 s: the first five; trunc -5 s: the last five. Sprig counts bytes. */
static bool fn_trunc(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    int64_t c;
    struct str s;
    (void)n;
    if (!arg_int(r, a, 0, &c) || !arg_str(r, a, 1, &s))
        return false;
    int64_t len = (int64_t)s.n;
    if (c < 0 && len + c > 0)
        s = str_sub(s, (size_t)(len + c), s.n);
    else if (c >= 0 && len > c)
        s = str_sub(s, 0, (size_t)c);
    *ret = tv_str(s);
    return true;
}

static bool fn_substr(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    int64_t from, to;
    struct str s;
    (void)n;
    if (!arg_int(r, a, 0, &from) || !arg_int(r, a, 1, &to) || !arg_str(r, a, 2, &s))
        return false;
    int64_t len = (int64_t)s.n;
    from = MAX(from, 0);
    if (to < 0 || to > len)
        to = len;
    *ret = tv_str(from < to ? str_sub(s, (size_t)from, (size_t)(to - from)) : S(""));
    return true;
}

static bool aligned(struct run *r, const struct tval *a, bool left, struct tval *ret)
{
    int64_t count;
    struct str s;
    if (!arg_int(r, a, 0, &count) || !arg_str(r, a, 1, &s))
        return false;
    int64_t len = (int64_t)text_rune_count(s);
    if (count > TMPL_OUT_MAX)
        return run_fail(r, "a width of more than %d", TMPL_OUT_MAX);
    if (count < 0 || count == len) {
        *ret = tv_str(s);
        return true;
    }
    if (count < len) {
        size_t cut = rune_offset(s, (size_t)(left ? count : len - count));
        *ret = tv_str(left ? str_sub(s, 0, cut) : str_sub(s, cut, s.n));
        return true;
    }
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    if (left)
        buf_str(&b, s);
    for (int64_t i = len; i < count; i++)
        buf_byte(&b, ' ');
    if (!left)
        buf_str(&b, s);
    *ret = tv_take(r, &b);
    return true;
}

static bool fn_align_left(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return aligned(r, a, true, ret);
}

static bool fn_align_right(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return aligned(r, a, false, ret);
}

/* ---- replacing -------------------------------------------------------------------------------- */

/* At most `times` of them; negative: all. An empty `from` matches before each character. */
static struct tval replaced(struct run *r, struct str s, struct str from, struct str to, int64_t times)
{
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    while (times--) {
        size_t at = str_find(s, from);
        if (at == SIZE_MAX)
            break;
        buf_put(&b, s.p, at);
        buf_str(&b, to);
        s = str_sub(s, at + from.n, s.n);
        if (!from.n) {
            if (!s.n)
                break;
            size_t i = 0;
            text_rune(s, &i);
            buf_put(&b, s.p, i);
            s = str_sub(s, i, s.n);
        }
    }
    buf_str(&b, s);
    return tv_take(r, &b);
}

static bool fn_go_replace(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s, from, to;
    int64_t times;
    (void)n;
    if (!arg_str(r, a, 0, &s) || !arg_str(r, a, 1, &from) || !arg_str(r, a, 2, &to) || !arg_int(r, a, 3, &times))
        return false;
    *ret = replaced(r, s, from, to, times < 0 ? -1 : times);
    return true;
}

static bool fn_replace(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s, from, to;
    (void)n;
    if (!arg_str(r, a, 0, &from) || !arg_str(r, a, 1, &to) || !arg_str(r, a, 2, &s))
        return false;
    *ret = replaced(r, s, from, to, -1);
    return true;
}

static bool fn_repeat(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    int64_t times;
    struct str s;
    (void)n;
    if (!arg_int(r, a, 0, &times) || !arg_str(r, a, 1, &s))
        return false;
    if (times < 0 || (s.n && (uint64_t)times > REPEAT_MAX / s.n))
        return run_fail(r, "error calling repeat: a count of %lld is too much", (long long)times);
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    for (int64_t i = 0; s.n && i < times; i++)
        buf_str(&b, s);
    *ret = tv_take(r, &b);
    return true;
}

static bool indented(struct run *r, const struct tval *a, bool newline, struct tval *ret)
{
    int64_t width;
    struct str s;
    if (!arg_int(r, a, 0, &width) || !arg_str(r, a, 1, &s))
        return false;
    if (width < 0 || width > INDENT_MAX)
        return run_fail(r, "error calling indent: not between 0 and %d", INDENT_MAX);
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    if (newline)
        buf_byte(&b, '\n');
    bool begins = true;
    for (size_t i = 0; i <= s.n; i++) {
        for (int64_t k = 0; begins && k < width; k++)
            buf_byte(&b, ' ');
        if (i == s.n)
            break;
        buf_byte(&b, s.p[i]);
        begins = s.p[i] == '\n';
    }
    *ret = tv_take(r, &b);
    return true;
}

static bool fn_indent(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return indented(r, a, false, ret);
}

static bool fn_nindent(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return indented(r, a, true, ret);
}

/* ---- regular expressions ------------------------------------------------------------------------ */

enum { RE_GROUPS_MAX = 20 };

static bool compile(struct run *r, struct str pattern, struct regex **ret)
{
    struct fault why;
    if (regex_new(arena_fmt(r->mem, "(?-s)" STR_FMT, STR_ARG(pattern)), REGEX_SEARCH, ret, &why))
        return run_fail(r, "error parsing regexp: %s", why.msg);
    return true;
}

/* $1, ${1}, ${name}, $name, $$. */
static void put_expanded(struct buf *b, const struct regex *re, struct str repl, const struct str *groups, uint32_t n)
{
    for (size_t i = 0; i < repl.n;) {
        if (repl.p[i] != '$' || i + 1 == repl.n) {
            buf_byte(b, repl.p[i++]);
            continue;
        }
        if (repl.p[i + 1] == '$') {
            buf_byte(b, '$');
            i += 2;
            continue;
        }
        bool brace = repl.p[i + 1] == '{';
        size_t from = i + 1 + brace, end = from;
        while (end < repl.n && (repl.p[end] == '_' || (repl.p[end] >= '0' && repl.p[end] <= '9') ||
                                ((repl.p[end] | 0x20) >= 'a' && (repl.p[end] | 0x20) <= 'z')))
            end++;
        struct str name = str_sub(repl, from, end - from);
        if (!name.n || (brace && (end == repl.n || repl.p[end] != '}'))) {
            buf_byte(b, repl.p[i++]);
            continue;
        }
        uint64_t at;
        bool number = str_to_u64(name, &at);
        for (uint32_t g = 1; !number && g < n; g++)
            if (str_eq(regex_group_name(re, g), name)) {
                at = g;
                number = true;
            }
        if (number && at < n)
            buf_str(b, groups[at]);
        i = end + brace;
    }
}

static bool regex_replace(struct run *r, const struct tval *a, bool literal, struct tval *ret)
{
    struct str pattern, s, repl;
    CLEANUP(regex_freep) struct regex *re = NULL;
    if (!arg_str(r, a, 0, &pattern) || !arg_str(r, a, 1, &s) || !arg_str(r, a, 2, &repl) || !compile(r, pattern, &re))
        return false;
    struct str groups[RE_GROUPS_MAX];
    uint32_t n = MIN(regex_groups(re) + 1, (uint32_t)RE_GROUPS_MAX);
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    size_t done = 0;
    for (size_t from = 0; from <= s.n && regex_find(re, s, from, groups, n);) {
        size_t at = (size_t)(groups[0].p - s.p), end = at + groups[0].n;
        buf_put(&b, s.p + done, at - done);
        if (literal)
            buf_str(&b, repl);
        else
            put_expanded(&b, re, repl, groups, n);
        done = end;
        from = end;
        if (!groups[0].n) {                        /* an empty match: go on behind the next character */
            if (end == s.n)
                break;
            text_rune(s, &from);
        }
    }
    buf_put(&b, s.p + done, s.n - done);
    *ret = tv_take(r, &b);
    return true;
}

static bool fn_regex_replace(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return regex_replace(r, a, false, ret);
}

static bool fn_regex_replace_literal(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return regex_replace(r, a, true, ret);
}

static bool fn_count(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str pattern, s, found;
    CLEANUP(regex_freep) struct regex *re = NULL;
    (void)n;
    if (!arg_str(r, a, 0, &pattern) || !arg_str(r, a, 1, &s) || !compile(r, pattern, &re))
        return false;
    int64_t matches = 0;
    for (size_t from = 0; from <= s.n && regex_find(re, s, from, &found, 1); matches++) {
        from = (size_t)(found.p - s.p) + found.n;
        if (found.n)
            continue;
        if (from == s.n) {
            matches++;
            break;
        }
        text_rune(s, &from);
    }
    *ret = tv_int(matches);
    return true;
}

/* ---- encodings ----------------------------------------------------------------------------------- */

static bool fn_urlencode(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("-_.~", c));
        if (plain || c == ' ')
            buf_byte(&b, plain ? (char)c : '+');
        else
            buf_fmt(&b, "%%%02X", c);
    }
    *ret = tv_take(r, &b);
    return true;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static bool fn_urldecode(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            buf_byte(&b, s.p[i] == '+' ? ' ' : s.p[i]);
            continue;
        }
        int hi = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1, lo = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
        if (hi < 0 || lo < 0) {
            buf_done(&b);
            return run_fail(r, "error calling urldecode: invalid URL escape \"" STR_FMT "\"", STR_ARG(str_sub(s, i, 3)));
        }
        buf_byte(&b, (char)(hi << 4 | lo));
        i += 2;
    }
    *ret = tv_take(r, &b);
    return true;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool fn_b64enc(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    *ret = tv_str(base64_text(s, r->mem));
    return true;
}

/* A text that is no base64 gives the error as the text, as sprig does. */
static bool fn_b64dec(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    char *out = arena_alloc(r->mem, s.n + 1, 1);
    size_t len = 0, bits = 0, digits = 0;
    uint32_t word = 0;
    for (; digits < s.n && s.p[digits] != '='; digits++) {
        const char *at = s.p[digits] ? strchr(base64_digits, s.p[digits]) : NULL;
        if (!at)
            break;
        word = word << 6 | (uint32_t)(at - base64_digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[len++] = (char)(word >> bits);
        }
    }
    size_t pads = s.n - digits;
    bool ok = s.n % 4 == 0 && pads <= 2 && str_eq(str_sub(S("=="), 0, pads), str_sub(s, digits, pads));
    *ret = tv_str(ok ? (struct str){ out, len } : arena_fmt(r->mem, "illegal base64 data at input byte %zu", digits));
    return true;
}

static bool fn_from_json(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    s = str_trim(s);
    char first = s.n ? s.p[0] : '\0';
    struct jvalue v = { JS_NULL, s };
    if (first == '{' || first == '[')
        v.kind = first == '{' ? JS_OBJECT : JS_ARRAY;
    else if (first == '"' && s.n > 1)
        v = (struct jvalue){ JS_STRING, str_sub(s, 1, s.n - 2) };
    else if (first == 't' || first == 'f')
        v.kind = JS_BOOL;
    else if (first == '-' || (first >= '0' && first <= '9'))
        v.kind = JS_NUMBER;
    *ret = tv_json(v, r->mem);
    return true;
}

static bool fn_default(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    *ret = n > 1 && tv_truth(a[1], r) ? a[1] : a[0];
    return true;
}

static bool fn_line(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)a, (void)n;
    *ret = tv_str(r->e->line);
    return true;
}

const struct fn_def tmpl_fns_text[] = {
    { S("ToLower"), 1, 1, fn_lower }, { S("ToUpper"), 1, 1, fn_upper }, { S("Replace"), 4, 4, fn_go_replace },
    { S("Trim"), 2, 2, fn_go_trim }, { S("TrimLeft"), 2, 2, fn_go_trim_left }, { S("TrimRight"), 2, 2, fn_go_trim_right },
    { S("TrimPrefix"), 2, 2, fn_go_trim_prefix }, { S("TrimSuffix"), 2, 2, fn_go_trim_suffix }, { S("TrimSpace"), 1, 1, fn_trim },
    { S("regexReplaceAll"), 3, 3, fn_regex_replace }, { S("regexReplaceAllLiteral"), 3, 3, fn_regex_replace_literal },
    { S("count"), 2, 2, fn_count }, { S("urldecode"), 1, 1, fn_urldecode }, { S("urlencode"), 1, 1, fn_urlencode },
    { S("urlquery"), 1, 1, fn_urlencode }, { S("alignLeft"), 2, 2, fn_align_left }, { S("alignRight"), 2, 2, fn_align_right },
    { S("b64enc"), 1, 1, fn_b64enc }, { S("b64dec"), 1, 1, fn_b64dec }, { S("lower"), 1, 1, fn_lower }, { S("upper"), 1, 1, fn_upper },
    { S("title"), 1, 1, fn_title }, { S("trunc"), 2, 2, fn_trunc }, { S("substr"), 3, 3, fn_substr }, { S("contains"), 2, 2, fn_contains },
    { S("hasPrefix"), 2, 2, fn_has_prefix }, { S("hasSuffix"), 2, 2, fn_has_suffix }, { S("indent"), 2, 2, fn_indent },
    { S("nindent"), 2, 2, fn_nindent }, { S("replace"), 3, 3, fn_replace }, { S("repeat"), 2, 2, fn_repeat }, { S("trim"), 1, 1, fn_trim },
    { S("trimAll"), 2, 2, fn_trim_all }, { S("trimSuffix"), 2, 2, fn_trim_suffix }, { S("trimPrefix"), 2, 2, fn_trim_prefix },
    { S("fromJson"), 1, 1, fn_from_json }, { S("default"), 1, 2, fn_default }, { S("__line__"), 0, 0, fn_line },
    { .name = { 0 } },
};
