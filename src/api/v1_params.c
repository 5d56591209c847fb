/* api/v1_params.c -- parameters of a route, read and checked by its table.
 *
 * A parameter that the route does not have is refused, with those that it has: a filter with
 * a typing error would otherwise answer with everything. Names are compared as they stand in
 * the query string; nobody has to encode theirs.
 */
#include <math.h>
#include <stdio.h>

#include "api/v1.h"
#include "base/num.h"

enum { WORDS_MAX = 4000 };
#define TIME_FAR_NS (INT64_C(9000000000) * NS_PER_S)

static struct str formats(uint32_t i)
{
    static const struct str names[] = { S("json"), S("csv") };
    return i < LEN(names) ? names[i] : S("");
}

#define COMMON(field) offsetof(struct v1_call, field)
const struct v1_param v1_common[] = {
    { .name = S("start"), .type = V1_TIME, .at = COMMON(from_ns), .doc = S("from this time on: Unix seconds or RFC 3339") },
    { .name = S("end"), .type = V1_TIME, .at = COMMON(to_ns), .doc = S("before this time; the usual one is now") },
    { .name = S("sort"), .type = V1_TEXT, .at = COMMON(sort), .doc = S("the column to sort by; with - in front from the largest down") },
    { .name = S("limit"), .type = V1_COUNT, .at = COMMON(limit), .min = 1, .max = V1_PAGE_MAX, .preset = S("100"),
      .doc = S("rows of a page") },
    { .name = S("offset"), .type = V1_COUNT, .at = COMMON(offset), .min = 0, .max = V1_OFFSET_MAX, .preset = S("0"),
      .doc = S("rows left out before the page") },
    { .name = S("cursor"), .type = V1_TEXT, .at = COMMON(cursor),
      .doc = S("`next` of the page before: goes on behind its last row, also when rows came meanwhile") },
    { .name = S("format"), .type = V1_CHOICE, .at = COMMON(format), .allowed = formats,
      .doc = S("csv: a table by RFC 4180, as also with Accept: text/csv") },
    { .name = { 0 } },
};

bool v1_has(const struct v1_route *route, const struct v1_param *p)
{
    if (p->type == V1_TIME)
        return route->flags & V1_RANGE;
    return p->at == COMMON(format) ? route->list.n > 0 : (route->flags & V1_PAGED) != 0;
}

/* ---- what is allowed, in words ------------------------------------------------------ */

static void add_word(struct buf *out, struct str name)
{
    buf_fmt(out, "%s" STR_FMT, out->n ? ", " : "", STR_ARG(name));
}

static enum err refuse(struct v1_call *c, struct fault *f, const char *what, struct str name, struct buf *allowed)
{
    struct str words = arena_str(c->mem, buf_view(allowed));
    buf_done(allowed);
    c->allowed = words;                            /* longer than a fault holds */
    return fault_set(f, E_SYNTAX, 0, "%s \"" STR_FMT "\"; allowed: ", what, STR_ARG(str_sub(name, 0, 60)));
}

static enum err refuse_name(struct v1_call *c, struct str name, struct fault *f)
{
    struct buf out;
    buf_init(&out, WORDS_MAX);
    for (const struct v1_param *p = v1_common; p->name.n; p++)
        if (v1_has(c->route, p))
            add_word(&out, p->name);
    for (const struct v1_param *p = c->route->params; p && p->name.n; p++)
        add_word(&out, p->name);
    return refuse(c, f, "unknown parameter", name, &out);
}

static enum err refuse_value(struct v1_call *c, const struct v1_param *p, struct str value, struct fault *f)
{
    struct buf out;
    buf_init(&out, WORDS_MAX);
    for (uint32_t i = 0; p->allowed(i).n; i++)
        add_word(&out, p->allowed(i));
    char what[80];
    struct str name = p->name;
    snprintf(what, sizeof what, "parameter " STR_FMT ":", STR_ARG(name));
    return refuse(c, f, what, value, &out);
}

static enum err refuse_sort(struct v1_call *c, struct str value, struct fault *f)
{
    struct buf out;
    buf_init(&out, WORDS_MAX);
    for (const struct v1_column *x = c->route->columns; x->name.n; x++)
        if (x->type != CELL_TEXTS && x->type != CELL_PAIRS)
            add_word(&out, x->name);
    return refuse(c, f, "parameter sort:", value, &out);
}

/* ---- one value ------------------------------------------------------------------------ */

static bool is_allowed(const struct v1_param *p, struct str value)
{
    if (!p->allowed)
        return true;
    for (uint32_t i = 0; p->allowed(i).n; i++)
        if (str_eq(p->allowed(i), value))
            return true;
    return false;
}

static enum err read_count(const struct v1_param *p, struct str text, int64_t *ret, struct fault *f)
{
    int64_t v;
    if (!str_to_i64(text, &v))
        return fault_set(f, E_SYNTAX, 0, "parameter " STR_FMT ": \"" STR_FMT "\" is no whole number", STR_ARG(p->name),
                         STR_ARG(str_sub(text, 0, 40)));
    if (v < p->min || v > p->max)
        return fault_set(f, E_SYNTAX, 0, "parameter " STR_FMT ": %lld is not between %lld and its limit of %lld", STR_ARG(p->name),
                         (long long)v, (long long)p->min, (long long)p->max);
    *ret = v;
    return OK;
}

static enum err read_time(const struct v1_param *p, struct str text, int64_t *ret, struct fault *f)
{
    double s;
    int64_t ns;
    if (str_to_f64(text, &s) && isfinite(s) && fabs(s) < 9e9)
        *ret = (int64_t)llround(s * 1e3) * NS_PER_MS;
    else if (num_rfc3339(text, &ns))
        *ret = ns;
    else
        return fault_set(f, E_SYNTAX, 0, "parameter " STR_FMT ": \"" STR_FMT "\" is neither Unix seconds nor RFC 3339", STR_ARG(p->name),
                         STR_ARG(str_sub(text, 0, 60)));
    return OK;
}

static enum err read_names(struct v1_call *c, const struct v1_param *p, const struct str *texts, uint32_t n, struct texts *ret,
                           struct fault *f)
{
    uint32_t cap = 0;
    *ret = (struct texts){ 0 };
    for (uint32_t i = 0; i < n; i++)
        for (struct str rest = texts[i]; rest.n;) {
            struct str one = str_trim(str_cut(&rest, ','));
            if (!one.n)
                continue;
            if (!is_allowed(p, one))
                return refuse_value(c, p, one, f);
            if (ret->n == p->max)
                return fault_set(f, E_SYNTAX, 0, "parameter " STR_FMT ": more than its limit of %lld", STR_ARG(p->name), (long long)p->max);
            *arena_push(c->mem, ret->at, ret->n, cap) = one;
        }
    if (ret->n < p->min)
        return fault_set(f, E_SYNTAX, 0, "parameter " STR_FMT ": at least %lld is needed", STR_ARG(p->name), (long long)p->min);
    return OK;
}

static enum err read_filter(struct v1_call *c, const struct v1_param *p, const struct str *texts, uint32_t n, struct fault *f)
{
    for (uint32_t i = 0; i < n; i++)
        if (!is_allowed(p, texts[i]))
            return refuse_value(c, p, texts[i], f);
    CHECK(c->nfilters < V1_FILTERS_MAX);
    if (n)
        c->filters[c->nfilters++] = (struct v1_filter){ v1_column_find(c->route->columns, p->column), texts, n, p->type == V1_SEARCH };
    return OK;
}

static enum err read_one(struct v1_call *c, const struct v1_param *p, void *into, struct fault *f)
{
    const struct str *texts;
    uint32_t n = http_params(c->r, p->name, &texts);
    char *at = (char *)into + p->at;
    if (n > V1_VALUES_MAX)
        return fault_set(f, E_SYNTAX, 0, "parameter " STR_FMT ": given more often than the limit of %d", STR_ARG(p->name), V1_VALUES_MAX);
    for (uint32_t i = 0; i < n; i++)
        if (texts[i].n > V1_VALUE_BYTES_MAX)
            return fault_set(f, E_SYNTAX, 0, "parameter " STR_FMT ": longer than the limit of %d bytes", STR_ARG(p->name),
                             V1_VALUE_BYTES_MAX);
    if (p->type == V1_FILTER || p->type == V1_SEARCH)
        return read_filter(c, p, texts, n, f);
    if (p->type == V1_NAMES)
        return read_names(c, p, n ? texts : &p->preset, n ? n : 1, (struct texts *)(void *)at, f);
    struct str text = n && texts[0].n ? texts[0] : p->preset;
    if (!text.n)
        return OK;
    if (p->type == V1_COUNT)
        return read_count(p, text, (int64_t *)(void *)at, f);
    if (p->type == V1_TIME)
        return read_time(p, text, (int64_t *)(void *)at, f);
    if (!is_allowed(p, text))
        return refuse_value(c, p, text, f);
    *(struct str *)(void *)at = text;
    return OK;
}

/* ---- all of them ------------------------------------------------------------------------ */

static bool is_known(const struct v1_route *route, struct str name)
{
    for (const struct v1_param *p = v1_common; p->name.n; p++)
        if (v1_has(route, p) && str_eq(p->name, name))
            return true;
    for (const struct v1_param *p = route->params; p && p->name.n; p++)
        if (str_eq(p->name, name))
            return true;
    return false;
}

static enum err check_sort(struct v1_call *c, struct fault *f)
{
    struct str name = c->sort;
    if (!name.n)
        return OK;
    if (str_starts(name, S("-")))
        name = str_sub(name, 1, name.n);
    const struct v1_column *x = v1_column_find(c->route->columns, name);
    if (!x || x->type == CELL_TEXTS || x->type == CELL_PAIRS)
        return refuse_sort(c, c->sort, f);
    return OK;
}

enum err v1_read_params(struct v1_call *c, struct fault *f)
{
    for (struct str rest = c->r->raw_query; rest.n;) {
        struct str pair = str_cut(&rest, '&'), name = str_cut(&pair, '=');
        if (name.n && !is_known(c->route, name))
            return refuse_name(c, name, f);
    }
    enum err e = OK;
    c->from_ns = INT64_MIN;
    c->to_ns = c->route->usual_range_ns ? c->now_ns + 1 : TIME_FAR_NS;
    c->sort = c->route->sort;
    for (const struct v1_param *p = v1_common; p->name.n && !e; p++)
        if (v1_has(c->route, p))
            e = read_one(c, p, c, f);
    c->own = arena_alloc(c->mem, MAX(c->route->size, sizeof(int64_t)), 16);
    for (const struct v1_param *p = c->route->params; p && p->name.n && !e; p++)
        e = read_one(c, p, c->own, f);
    if (!e)
        e = check_sort(c, f);
    if (!e && c->from_ns == INT64_MIN)
        c->from_ns = c->route->usual_range_ns ? c->to_ns - c->route->usual_range_ns : -TIME_FAR_NS;
    if (!e && (c->route->flags & V1_RANGE) && c->from_ns >= c->to_ns)
        e = fault_set(f, E_SYNTAX, 0, "parameter start: it is not before the end");
    if (!e && c->cursor.n && c->offset)
        e = fault_set(f, E_SYNTAX, 0, "parameter cursor: not together with offset");
    return e;
}
