/* logql/parse_pattern.c -- `| pattern`: captures become labels. */
#include "logql/pattern.h"
#include "logql/stage.h"
#include "logql/text.h"

struct pattern_stage {
    struct str text;
    struct pattern pattern;
};

struct bound_pattern {
    const struct pattern *pattern;
    uint32_t *names;                               /* by part */
};

/* STRING */
static enum err pattern_stage_parse(struct parser *p, struct stage *s)
{
    struct pattern_stage *ps = arena_new(p->mem, struct pattern_stage, 1);
    s->arg = ps;
    enum err e = parser_take(p, T_STRING, "STRING", &ps->text);
    if (e)
        return e;
    struct fault why;
    if (pattern_parse(ps->text, true, p->mem, &ps->pattern, &why))
        return parser_error(p, "invalid pattern parser: %s", why.msg);
    return OK;
}

static void pattern_print(const struct stage *s, struct buf *b)
{
    const struct pattern_stage *ps = s->arg;
    buf_str(b, S("| pattern "));
    text_quote(b, ps->text);
}

static void *pattern_bind(struct pipeline *p, const struct stage *s)
{
    const struct pattern_stage *ps = s->arg;
    struct bound_pattern *b = arena_new(p->ctx->mem, struct bound_pattern, 1);
    b->pattern = &ps->pattern;
    b->names = arena_new(p->ctx->mem, uint32_t, ps->pattern.n);
    for (uint32_t i = 0; i < ps->pattern.n; i++)
        if (ps->pattern.at[i].capture)
            b->names[i] = names_id(&p->names, ps->pattern.at[i].text);
    return b;
}

struct found {
    const struct bound_pattern *b;
    struct entry *e;
};

static void capture_found(void *arg, const struct pattern_part *part, struct str value)
{
    struct found *f = arg;
    entry_extract(f->e, f->b->names[part - f->b->pattern->at], value);
}

static bool pattern_run(void *bound, struct entry *e)
{
    struct found f = { bound, e };
    if (!e->p->hints.no_labels && !entry_found_all(e))
        pattern_match(f.b->pattern, e->line, capture_found, &f);
    return true;
}

const struct stage_def stage_pattern = {
    .word = S("pattern"), .parse = pattern_stage_parse, .print = pattern_print, .bind = pattern_bind, .run = pattern_run,
    .keeps_line = true,
};
