/* http/route.c -- matching paths.
 *
 * The raw path is cut at its slashes once, each segment decoded, and the tables'
 * patterns are walked over the segments in order. Some sixty rows of three or four
 * short comparisons take about a microsecond; a tree would be faster and would
 * have to explain "first row wins".
 */
#include "http/route.h"

#include <string.h>

#include "http/limits.h"

static const struct {
    enum http_method method;
    struct str name;
} names[] = {
    { HTTP_GET, S("GET") },   { HTTP_HEAD, S("HEAD") },     { HTTP_POST, S("POST") },
    { HTTP_PUT, S("PUT") },   { HTTP_DELETE, S("DELETE") }, { HTTP_OPTIONS, S("OPTIONS") },
};

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "%XX" at s.p[i] stands for, or -1. */
static int escaped(struct str s, size_t i)
{
    if (s.n - i < 3)
        return -1;
    int hi = hex(s.p[i + 1]), lo = hex(s.p[i + 2]);
    return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

bool percent_decode(struct str s, bool plus, bool lenient, struct arena *mem, struct str *ret)
{
    size_t i = 0;
    while (i < s.n && s.p[i] != '%' && !(plus && s.p[i] == '+'))
        i++;
    if (i == s.n) {
        *ret = s;
        return true;
    }
    char *out = arena_alloc(mem, s.n, 1);
    if (i)
        memcpy(out, s.p, i);
    size_t n = i;
    while (i < s.n) {
        int c = s.p[i] == '%' ? escaped(s, i) : -1;
        if (c >= 0) {
            out[n++] = (char)c;
            i += 3;
            continue;
        }
        if (s.p[i] == '%' && !lenient)
            return false;
        out[n++] = s.p[i] == '+' && plus ? ' ' : s.p[i];
        i++;
    }
    *ret = (struct str){ out, n };
    return true;
}

/* A path cut at its slashes: "/a/b" is {a, b}, "/" is {""}, "/a/" is {a, ""}. */
struct cut {
    struct str raw;                                /* without the first slash */
    struct str seg[HTTP_SEGMENTS_MAX];             /* decoded */
    struct str wild[HTTP_SEGMENTS_MAX + 1];        /* of the pattern being tried */
    uint32_t n, nwild;
};

static bool cut_path(struct str path, struct arena *mem, struct cut *ret)
{
    if (str_starts(path, S("/")))
        path = str_sub(path, 1, path.n - 1);
    ret->raw = path;
    ret->n = 0;
    do {
        if (ret->n == HTTP_SEGMENTS_MAX)
            return false;
        struct str raw = str_cut(&path, '/');
        if (!percent_decode(raw, false, false, mem, &ret->seg[ret->n++]))
            return false;
    } while (path.p);
    return true;
}

/* What is behind the first `n` segments, decoded. */
static struct str rest_of(const struct cut *c, uint32_t n, struct arena *mem)
{
    struct str rest = c->raw, ret = { 0 };
    for (uint32_t i = 0; i < n; i++)
        (void)str_cut(&rest, '/');
    CHECK(percent_decode(rest, false, false, mem, &ret));     /* cut_path() did the same pieces */
    return ret;
}

/* Matches the segments from `i` on with a pattern without a leading "**". */
static bool match_from(struct str pattern, struct cut *c, uint32_t i, struct arena *mem)
{
    c->nwild = 0;
    while (pattern.p) {
        struct str want = str_cut(&pattern, '/');
        if (!pattern.p && str_eq(want, S("**"))) {
            c->wild[c->nwild++] = rest_of(c, i, mem);
            return true;
        }
        if (i == c->n)
            return false;
        struct str have = c->seg[i++];
        if (str_eq(want, S("*")) && have.n)
            c->wild[c->nwild++] = have;
        else if (!str_eq(want, have))
            return false;
    }
    return i == c->n;
}

static bool match(const char *path, struct cut *c, struct arena *mem)
{
    struct str pattern = str_c(path);
    if (str_starts(pattern, S("/")))
        pattern = str_sub(pattern, 1, pattern.n - 1);
    if (!str_starts(pattern, S("**/")))
        return match_from(pattern, c, 0, mem);
    pattern = str_sub(pattern, 3, pattern.n - 3);
    for (uint32_t i = 0; i < c->n; i++)
        if (match_from(pattern, c, i, mem))
            return true;
    return false;
}

static uint32_t methods_of(const struct http_route *r)
{
    return r->methods & HTTP_GET ? r->methods | HTTP_HEAD : r->methods;
}

struct route_match route_find(const struct http_table *tables, uint32_t ntables, enum http_method method,
                              struct str raw_path, struct arena *mem)
{
    struct route_match m = { 0 };
    struct cut *c = arena_new(mem, struct cut, 1);
    if (!cut_path(raw_path, mem, c))
        return m;
    for (uint32_t t = 0; t < ntables; t++) {
        for (const struct http_route *r = tables[t].routes; r->path; r++) {
            if (!match(r->path, c, mem))
                continue;
            m.table = m.table ? m.table : &tables[t];
            if (!(methods_of(r) & method)) {
                m.allowed |= methods_of(r);
                continue;
            }
            return (struct route_match){ &tables[t], r, c->wild, c->nwild, 0 };
        }
    }
    return m;
}

struct str route_allow(uint32_t methods, struct arena *mem)
{
    struct str out = { 0 };
    for (size_t i = 0; i < LEN(names); i++)
        if (methods & names[i].method)
            out = arena_fmt(mem, STR_FMT "%s" STR_FMT, STR_ARG(out), out.n ? ", " : "", STR_ARG(names[i].name));
    return out;
}
