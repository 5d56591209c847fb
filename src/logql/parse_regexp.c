/* logql/parse_regexp.c -- `| regexp`: named groups become labels. */
#include "logql/stage.h"
#include "logql/text.h"

enum { GROUPS_MAX = 100 };

struct regexp {
    struct str pattern;
    struct regex *re;
    uint32_t groups;
};

struct bound_regexp {
    const struct regexp *r;
    uint32_t *names;                               /* by group; NAME_NONE: unnamed */
};

static enum err check_names(struct parser *p, const struct regexp *r)
{
    uint32_t named = 0;
    for (uint32_t i = 1; i <= r->groups; i++) {
        struct str name = regex_group_name(r->re, i);
        if (!name.n)
            continue;
        named++;
        if (!text_is_label_name(name))
            return parser_error(p, "invalid regexp parser: invalid extracted label name '" STR_FMT "'", STR_ARG(name));
        for (uint32_t k = 1; k < i; k++)
            if (str_eq(regex_group_name(r->re, k), name))
                return parser_error(p, "invalid regexp parser: duplicate extracted label name '" STR_FMT "'", STR_ARG(name));
    }
    if (!named)
        return parser_error(p, "invalid regexp parser: at least one named capture must be supplied");
    return OK;
}

/* STRING */
static enum err regexp_parse(struct parser *p, struct stage *s)
{
    struct regexp *r = arena_new(p->mem, struct regexp, 1);
    s->arg = r;
    enum err e = parser_take(p, T_STRING, "STRING", &r->pattern);
    if (e)
        return e;
    struct fault why;
    if (logql_regex(p->q, r->pattern, REGEX_SEARCH, &r->re, &why))
        return parser_error(p, "invalid regexp parser: %s", why.msg);
    r->groups = regex_groups(r->re);
    if (r->groups >= GROUPS_MAX)
        return fault_set(p->f, E_LIMIT, p->tok.at, "a regexp of more than %d groups", GROUPS_MAX - 1);
    return check_names(p, r);
}

static void regexp_print(const struct stage *s, struct buf *b)
{
    const struct regexp *r = s->arg;
    buf_str(b, S("| regexp "));
    text_quote(b, r->pattern);
}

static void *regexp_bind(struct pipeline *p, const struct stage *s)
{
    struct bound_regexp *b = arena_new(p->ctx->mem, struct bound_regexp, 1);
    b->r = s->arg;
    b->names = arena_new(p->ctx->mem, uint32_t, b->r->groups + 1);
    for (uint32_t i = 1; i <= b->r->groups; i++) {
        struct str name = regex_group_name(b->r->re, i);
        b->names[i] = name.n ? names_id(&p->names, name) : NAME_NONE;
    }
    return b;
}

static bool regexp_run(void *bound, struct entry *e)
{
    const struct bound_regexp *b = bound;
    struct str found[GROUPS_MAX];
    if (e->p->hints.no_labels || !regex_find(b->r->re, e->line, 0, found, b->r->groups + 1))
        return true;
    for (uint32_t i = 1; i <= b->r->groups; i++)
        if (b->names[i] != NAME_NONE)
            entry_extract(e, b->names[i], found[i]);
    return true;
}

const struct stage_def stage_regexp = {
    .word = S("regexp"), .parse = regexp_parse, .print = regexp_print, .bind = regexp_bind, .run = regexp_run, .keeps_line = true,
};
