/* base/fields.c -- the walk of a YAML map along a table, and a function per type. */
#include "base/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

struct spot {                                      /* one key: where it stands, what it is called in errors */
    const struct fields_reader *r;
    const struct field *field;
    const struct yaml *node;
    struct str path;
    char *at;
};

static enum err error_at(const struct fields_reader *r, uint32_t line, uint32_t col, const char *text)
{
    return fault_set(r->f, E_SYNTAX, 0, STR_FMT ":%u:%u: %s", STR_ARG(r->file), line, col, text);
}

enum err fields_error(const struct fields_reader *r, const struct yaml *at, const char *fmt, ...)
{
    char text[sizeof r->f->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return error_at(r, at->line, at->col, text);
}

static enum err wrong(const struct spot *s, const struct yaml *node, const char *want)
{
    return fields_error(s->r, node, STR_FMT ": \"" STR_FMT "\" is %s", STR_ARG(s->path),
                        STR_ARG(str_sub(node->text, 0, 60)), want);
}

static enum err want_kind(const struct spot *s, const struct yaml *node, enum yaml_kind kind, const char *what)
{
    if (node->kind == kind)
        return OK;
    return fields_error(s->r, node, STR_FMT ": %s is wanted", STR_ARG(s->path), what);
}

/* ---- scalars ----------------------------------------------------------------- */

static bool in_range(const struct field *k, int64_t v)
{
    return (!k->min && !k->max) || (v >= k->min && v <= k->max);
}

static enum err read_bool(const struct spot *s)
{
    bool yes = str_eq(s->node->text, S("true"));
    if (!yes && !str_eq(s->node->text, S("false")))
        return wrong(s, s->node, "neither true nor false");
    *(bool *)(void *)s->at = yes;
    return OK;
}

static enum err read_count(const struct spot *s)
{
    uint64_t v;
    if (!str_to_u64(s->node->text, &v) || v > INT64_MAX || !in_range(s->field, (int64_t)v)) {
        if (!s->field->min && !s->field->max)
            return wrong(s, s->node, "no whole number");
        char want[80];
        snprintf(want, sizeof want, "no number from %lld to %lld", (long long)s->field->min, (long long)s->field->max);
        return wrong(s, s->node, want);
    }
    *(uint64_t *)(void *)s->at = v;
    return OK;
}

static enum err read_f64(const struct spot *s)
{
    double v;
    if (!str_to_f64(s->node->text, &v))
        return wrong(s, s->node, "no number");
    *(double *)(void *)s->at = v;
    return OK;
}

static enum err read_duration(const struct spot *s)
{
    int64_t ns;
    if (!num_duration(s->node->text, &ns))
        return wrong(s, s->node, "no duration such as 1m, 90s or 500ms");
    if (!in_range(s->field, ns))
        return wrong(s, s->node, "out of range");
    *(int64_t *)(void *)s->at = ns;
    return OK;
}

/* Digits and a unit; K, M, G, T with or without i and B all count by 1024, as Prometheus has it. */
bool fields_size(struct str text, uint64_t *ret)
{
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    uint64_t v;
    if (!str_to_u64(str_sub(text, 0, digits), &v))
        return false;
    struct str unit = str_sub(text, digits, text.n);
    if (str_ends(unit, S("B")))
        unit.n--;
    if (str_ends(unit, S("i")) && unit.n == 2)
        unit.n--;
    static const char letters[] = "KMGT";
    unsigned shift = 0;
    if (unit.n) {
        const char *at = unit.n == 1 && unit.p[0] ? memchr(letters, unit.p[0], sizeof letters - 1) : NULL;
        if (!at)
            return false;
        shift = 10 * (unsigned)(at - letters + 1);
    }
    if (v > (UINT64_C(1) << (62 - shift)))
        return false;
    *ret = v << shift;
    return true;
}

static enum err read_size(const struct spot *s)
{
    uint64_t v;
    if (!fields_size(s->node->text, &v) || !in_range(s->field, (int64_t)v))
        return wrong(s, s->node, "no size such as 512, 64KB or 10MB");
    *(uint64_t *)(void *)s->at = v;
    return OK;
}

static enum err read_choice(const struct spot *s)
{
    struct str rest = str_c(s->field->choices);
    for (uint64_t i = 0; rest.p; i++)
        if (str_eq(str_cut(&rest, '|'), s->node->text)) {
            *(uint64_t *)(void *)s->at = i;
            return OK;
        }
    return fields_error(s->r, s->node, STR_FMT ": \"" STR_FMT "\" is none of %s", STR_ARG(s->path),
                        STR_ARG(str_sub(s->node->text, 0, 60)), s->field->choices);
}

static enum err read_text(const struct spot *s)
{
    *(struct str *)(void *)s->at = arena_str(s->r->mem, s->node->text);
    return OK;
}

/* ---- what holds more than one value --------------------------------------------- */

static enum err count_children(const struct spot *s, uint32_t *ret)
{
    int64_t max = s->field->max ? s->field->max : FIELDS_LIST_MAX;
    *ret = 0;
    for (const struct yaml *y = s->node->child; y; y = y->next)
        if (++*ret > max)
            return fields_error(s->r, y, STR_FMT ": more than %lld of them", STR_ARG(s->path), (long long)max);
    return OK;
}

static enum err read_texts(const struct spot *s)
{
    struct texts *t = (void *)s->at;
    if (s->node->kind == YAML_SCALAR) {
        *t = (struct texts){ arena_new(s->r->mem, struct str, 1), 1 };
        t->at[0] = arena_str(s->r->mem, s->node->text);
        return OK;
    }
    uint32_t n;
    enum err e = want_kind(s, s->node, YAML_LIST, "a list");
    e = e ? e : count_children(s, &n);
    if (e)
        return e;
    *t = (struct texts){ arena_new(s->r->mem, struct str, MAX(n, 1u)), 0 };
    for (const struct yaml *y = s->node->child; y; y = y->next) {
        e = want_kind(s, y, YAML_SCALAR, "a list of texts");
        if (e)
            return e;
        t->at[t->n++] = arena_str(s->r->mem, y->text);
    }
    return OK;
}

static enum err read_pairs(const struct spot *s)
{
    struct pairs *p = (void *)s->at;
    uint32_t n;
    enum err e = want_kind(s, s->node, YAML_MAP, "a map of texts");
    e = e ? e : count_children(s, &n);
    if (e)
        return e;
    *p = (struct pairs){ arena_new(s->r->mem, struct pair, MAX(n, 1u)), 0 };
    for (const struct yaml *y = s->node->child; y; y = y->next) {
        if (y->kind != YAML_NULL && (e = want_kind(s, y, YAML_SCALAR, "a map of texts")))
            return e;
        p->at[p->n++] = (struct pair){ arena_str(s->r->mem, y->key),
                                       y->kind == YAML_NULL ? S("") : arena_str(s->r->mem, y->text) };
    }
    return OK;
}

static enum err read_list(const struct spot *s)
{
    struct list *l = (void *)s->at;
    uint32_t n;
    enum err e = want_kind(s, s->node, YAML_LIST, "a list");
    e = e ? e : count_children(s, &n);
    if (e)
        return e;
    CHECK(s->field->size);
    *l = (struct list){ arena_alloc(s->r->mem, arena_bytes(s->field->size, MAX(n, 1u)), 16), 0 };
    for (const struct yaml *y = s->node->child; y; y = y->next) {
        char *one = (char *)l->at + s->field->size * l->n++;
        if (s->field->init)
            memcpy(one, s->field->init, s->field->size);
        e = fields_read(s->r, y, s->path, s->field->sub, one);
        if (e)
            return e;
    }
    return OK;
}

/* ---- the walk -------------------------------------------------------------------- */

static void warn_ignored(const struct spot *s)
{
    if (!s->r->warn)
        return;
    struct str text = arena_fmt(s->r->mem, STR_FMT ":%u: \"" STR_FMT "\" is known but not acted on", STR_ARG(s->r->file),
                                s->node->key_line, STR_ARG(s->path));
    s->r->warn(s->r->warn_arg, arena_cstr(s->r->mem, text));
}

static enum err read_scalar(const struct spot *s)
{
    static enum err (*const readers[])(const struct spot *s) = {
        [FIELD_TEXT] = read_text,   [FIELD_BOOL] = read_bool,         [FIELD_COUNT] = read_count,
        [FIELD_F64] = read_f64,     [FIELD_DURATION] = read_duration, [FIELD_SIZE] = read_size,
        [FIELD_CHOICE] = read_choice,
    };
    enum err e = want_kind(s, s->node, YAML_SCALAR, "a single value");
    return e ? e : readers[s->field->type](s);
}

static enum err read_field(const struct spot *s)
{
    bool null = s->node->kind == YAML_NULL;
    switch (s->field->type) {
    case FIELD_IGNORED:
        warn_ignored(s);
        return OK;
    case FIELD_NODE:
        *(const struct yaml **)(void *)s->at = s->node;
        return OK;
    case FIELD_MAP:
        return fields_read(s->r, s->node, s->path, s->field->sub, s->at);
    case FIELD_LIST:
        return null ? OK : read_list(s);
    case FIELD_TEXTS:
        return null ? OK : read_texts(s);
    case FIELD_PAIRS:
        return null ? OK : read_pairs(s);
    default:
        return null ? OK : read_scalar(s);         /* "key:" with nothing leaves the default */
    }
}

static const struct field *find(const struct field *table, struct str name)
{
    for (const struct field *k = table; k->name.n; k++)
        if (str_eq(k->name, name))
            return k;
    return NULL;
}

enum err fields_read(const struct fields_reader *r, const struct yaml *map, struct str path, const struct field *table, void *into)
{
    if (map->kind == YAML_NULL)
        return OK;
    if (map->kind != YAML_MAP)
        return fields_error(r, map, STR_FMT "%sa map of keys is wanted", STR_ARG(path), path.n ? ": " : "");
    for (const struct yaml *y = map->child; y; y = y->next) {
        const struct field *k = find(table, y->key);
        struct str name = path.n ? arena_fmt(r->mem, STR_FMT "." STR_FMT, STR_ARG(path), STR_ARG(y->key)) : y->key;
        if (!k) {
            struct str text = arena_fmt(r->mem, "unknown key \"" STR_FMT "\"", STR_ARG(str_sub(name, 0, 120)));
            return error_at(r, y->key_line, y->key_col, arena_cstr(r->mem, text));
        }
        struct spot s = { r, k, y, name, (char *)into + k->at };
        enum err e = read_field(&s);
        if (e)
            return e;
        if (k->given)
            *(bool *)(void *)((char *)into + k->given) = true;
    }
    return OK;
}
