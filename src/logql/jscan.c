/* logql/jscan.c -- see jscan.h. */
#include "logql/jscan.h"

#include <string.h>

#include "logql/text.h"

static const char malformed_json[] = "Malformed JSON error";
static const char malformed_string[] = "Value is string, but can't find closing '\"' symbol";
static const char malformed_array[] = "Value is array, but can't find closing ']' symbol";
static const char malformed_object[] = "Value looks like object, but can't find closing '}' symbol";
static const char malformed_escape[] = "Encountered an invalid escape sequence in a string";
static const char unknown_type[] = "Unknown value type";

struct cursor {
    struct str in;
    size_t at;
};

/* The next character that is no blank, or '\0' at the end. */
static char skip_blanks(struct cursor *c)
{
    for (; c->at < c->in.n; c->at++) {
        char x = c->in.p[c->at];
        if (x != ' ' && x != '\t' && x != '\n' && x != '\r')
            return x;
    }
    return '\0';
}

/* From behind an opening quote: the offset behind the closing one, or SIZE_MAX. */
static size_t string_end(struct str s, size_t i)
{
    for (; i < s.n; i++) {
        if (s.p[i] == '"')
            return i + 1;
        if (s.p[i] == '\\')
            i++;
    }
    return SIZE_MAX;
}

/* From an opening bracket: the offset behind its closing one, or SIZE_MAX. */
static size_t block_end(struct str s, size_t i, char open, char close)
{
    size_t depth = 0;
    while (i < s.n) {
        char c = s.p[i++];
        if (c == '"') {
            i = string_end(s, i);
            if (i == SIZE_MAX)
                return SIZE_MAX;
        } else if (c == open) {
            depth++;
        } else if (c == close && !--depth) {
            return i;
        }
    }
    return SIZE_MAX;
}

static jscan_error read_literal(struct cursor *c, struct jvalue *ret)
{
    size_t from = c->at;
    while (c->at < c->in.n && !strchr(" \n\r\t,}]", c->in.p[c->at] ? c->in.p[c->at] : 'x'))
        c->at++;
    ret->raw = str_sub(c->in, from, c->at - from);
    char first = ret->raw.n ? ret->raw.p[0] : '\0';
    if (str_eq(ret->raw, S("true")) || str_eq(ret->raw, S("false")))
        ret->kind = JS_BOOL;
    else if (str_eq(ret->raw, S("null")))
        ret->kind = JS_NULL;
    else if (first == '-' || (first >= '0' && first <= '9'))
        ret->kind = JS_NUMBER;
    else
        return unknown_type;
    return NULL;
}

static jscan_error read_value(struct cursor *c, struct jvalue *ret)
{
    char first = skip_blanks(c);
    if (!first)
        return malformed_json;
    if (first != '"' && first != '{' && first != '[')
        return read_literal(c, ret);
    size_t from = c->at;
    size_t end = first == '"' ? string_end(c->in, from + 1)
                 : first == '{' ? block_end(c->in, from, '{', '}') : block_end(c->in, from, '[', ']');
    if (end == SIZE_MAX)
        return first == '"' ? malformed_string : first == '{' ? malformed_object : malformed_array;
    ret->kind = first == '"' ? JS_STRING : first == '{' ? JS_OBJECT : JS_ARRAY;
    ret->raw = first == '"' ? str_sub(c->in, from + 1, end - from - 2) : str_sub(c->in, from, end - from);
    c->at = end;
    return NULL;
}

/* "key" ":" */
static jscan_error read_key(struct cursor *c, struct arena *mem, struct str *ret)
{
    if (skip_blanks(c) != '"')
        return malformed_object;
    size_t from = c->at + 1, end = string_end(c->in, from);
    if (end == SIZE_MAX)
        return malformed_json;
    *ret = str_sub(c->in, from, end - from - 1);
    c->at = end;
    if (str_index(*ret, '\\') != SIZE_MAX && !jscan_unescape(*ret, mem, ret))
        return malformed_escape;
    if (skip_blanks(c) != ':')
        return malformed_json;
    c->at++;
    return NULL;
}

jscan_error jscan_object(struct str in, struct arena *mem, bool (*member)(void *arg, struct str key, struct jvalue v), void *arg)
{
    struct cursor c = { in, 0 };
    if (skip_blanks(&c) != '{')
        return malformed_object;
    c.at++;
    char next = skip_blanks(&c);
    if (!next)
        return malformed_json;
    while (next != '}') {
        struct str key;
        struct jvalue v;
        jscan_error e = read_key(&c, mem, &key);
        if (e)
            return e;
        e = read_value(&c, &v);
        if (e) {
            member(arg, key, (struct jvalue){ .kind = JS_BROKEN });
            return e;
        }
        if (!member(arg, key, v))
            return NULL;
        next = skip_blanks(&c);
        if (next == '}')
            break;
        if (next != ',')
            return next ? malformed_object : malformed_array;
        c.at++;
        next = skip_blanks(&c);
        if (!next)
            return malformed_array;
        if (next == '}')
            break;
    }
    return NULL;
}

/* ---- paths ------------------------------------------------------------------------- */

struct path_reader {
    struct str in;
    size_t at;
    struct arena *mem;
    struct fault *f;
};

static enum err path_error(struct path_reader *r, const char *expecting)
{
    struct str next = r->at < r->in.n ? str_sub(r->in, r->at, 1) : S("$end");
    return fault_set(r->f, E_SYNTAX, r->at, "syntax error: unexpected " STR_FMT ", expecting %s", STR_ARG(next), expecting);
}

static bool is_field_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* field := [a-zA-Z0-9_]+ */
static enum err read_field(struct path_reader *r, struct jstep *ret)
{
    size_t from = r->at;
    while (r->at < r->in.n && is_field_char(r->in.p[r->at]))
        r->at++;
    if (r->at == from)
        return path_error(r, "FIELD");
    ret->key = str_sub(r->in, from, r->at - from);
    return OK;
}

/* "[" (STRING | INDEX) "]", behind the bracket */
static enum err read_bracket(struct path_reader *r, struct jstep *ret)
{
    if (r->at < r->in.n && r->in.p[r->at] == '"') {
        size_t end = string_end(r->in, r->at + 1);
        if (end == SIZE_MAX || !text_unquote(str_sub(r->in, r->at, end - r->at), r->mem, &ret->key))
            return path_error(r, "STRING");
        r->at = end;
    } else {
        size_t from = r->at;
        while (r->at < r->in.n && r->in.p[r->at] >= '0' && r->in.p[r->at] <= '9')
            r->at++;
        ret->index = true;
        if (!str_to_u64(str_sub(r->in, from, r->at - from), &ret->at))
            return path_error(r, "STRING or INDEX");
    }
    if (r->at == r->in.n || r->in.p[r->at] != ']')
        return path_error(r, ret->index ? "STRING or INDEX" : "]");
    r->at++;
    return OK;
}

/* path := (field | bracket) { "." field | bracket } */
enum err jscan_path(struct str text, struct arena *mem, struct jpath *ret, struct fault *f)
{
    struct path_reader r = { str_trim(text), 0, mem, f };
    struct jpath path = { arena_new(mem, struct jstep, JSCAN_PATH_MAX), 0 };
    do {
        if (path.n == JSCAN_PATH_MAX)
            return fault_set(f, E_LIMIT, r.at, "a path of more than %d steps", JSCAN_PATH_MAX);
        struct jstep *step = &path.steps[path.n++];
        char c = r.at < r.in.n ? r.in.p[r.at] : '\0';
        bool dot = c == '.' && path.n > 1;
        r.at += dot || c == '[';
        enum err e = c == '[' ? read_bracket(&r, step) : path.n == 1 || dot ? read_field(&r, step) : path_error(&r, "$end");
        if (e)
            return e;
    } while (r.at < r.in.n);
    *ret = path;
    return OK;
}

struct lookup {
    struct str key;
    struct jvalue value;
    bool found;
};

static bool lookup_member(void *arg, struct str key, struct jvalue v)
{
    struct lookup *l = arg;
    l->found = str_eq(key, l->key);
    l->value = v;
    return !l->found;
}

/* The at-th element of an array. */
static bool element(struct str in, uint64_t at, struct jvalue *ret)
{
    struct cursor c = { in, 1 };
    for (uint64_t i = 0; skip_blanks(&c) && c.in.p[c.at] != ']'; i++) {
        if (read_value(&c, ret))
            return false;
        if (i == at)
            return true;
        if (skip_blanks(&c) != ',')
            return false;
        c.at++;
    }
    return false;
}

bool jscan_find(struct str in, const struct jpath *path, struct arena *mem, struct jvalue *ret, jscan_error *ret_error)
{
    struct cursor c = { in, 0 };
    struct jvalue v = { .kind = skip_blanks(&c) == '[' ? JS_ARRAY : JS_OBJECT, .raw = str_sub(in, c.at, in.n) };
    *ret_error = NULL;
    for (uint32_t i = 0; i < path->n; i++) {
        const struct jstep *s = &path->steps[i];
        if (s->index) {
            if (v.kind != JS_ARRAY || !element(v.raw, s->at, &v))
                return false;
            continue;
        }
        struct lookup l = { .key = s->key };
        if (v.kind != JS_OBJECT)
            return false;
        jscan_error e = jscan_object(v.raw, mem, lookup_member, &l);
        if (l.found && l.value.kind == JS_BROKEN)
            *ret_error = e;
        if (!l.found || *ret_error)
            return false;
        v = l.value;
    }
    *ret = v;
    return true;
}

/* ---- strings ----------------------------------------------------------------------- */

static int hex4(struct str s, size_t i)
{
    int v = 0;
    if (i + 4 > s.n)
        return -1;
    for (size_t k = 0; k < 4; k++) {
        char c = s.p[i + k];
        int d = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* \uXXXX, or a pair of them; *i stands behind the u. */
static bool unescape_rune(struct str s, size_t *i, uint32_t *ret)
{
    int first = hex4(s, *i);
    if (first < 0)
        return false;
    *i += 4;
    *ret = (uint32_t)first;
    if (first < 0xd800 || first >= 0xdc00)
        return true;
    int second = str_starts(str_sub(s, *i, 2), S("\\u")) ? hex4(s, *i + 2) : -1;
    if (second < 0xdc00 || second >= 0xe000)
        return false;
    *i += 6;
    *ret = 0x10000 + (((uint32_t)first - 0xd800) << 10) + ((uint32_t)second - 0xdc00);
    return true;
}

bool jscan_unescape(struct str raw, struct arena *mem, struct str *ret)
{
    if (str_index(raw, '\\') == SIZE_MAX) {
        *ret = raw;
        return true;
    }
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    char *out = arena_alloc(mem, raw.n + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n;) {
        char c = raw.p[i++];
        if (c != '\\') {
            out[n++] = c;
            continue;
        }
        c = i < raw.n ? raw.p[i++] : '\0';
        const char *at = c ? strchr(names, c) : NULL;
        uint32_t rune;
        if (at)
            out[n++] = bytes[at - names];
        else if (c == 'u' && unescape_rune(raw, &i, &rune))
            n += utf8_encode(out + n, rune);
        else
            return false;
    }
    *ret = (struct str){ out, n };
    return true;
}

struct str jscan_clean(struct str s, struct arena *mem)
{
    bool ascii = true;
    for (size_t i = 0; i < s.n && ascii; i++)
        ascii = (unsigned char)s.p[i] < 0x80;
    if (ascii || (utf8_valid(s) && str_find(s, S("\xef\xbf\xbd")) == SIZE_MAX))
        return s;
    char *out = arena_alloc(mem, s.n + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        if (text_rune(s, &i) == 0xfffd) {
            out[n++] = ' ';
            continue;
        }
        memcpy(out + n, s.p + from, i - from);
        n += i - from;
    }
    return (struct str){ out, n };
}
