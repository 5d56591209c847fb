/* logql/fmt_format.c -- `line_format` and `label_format`: templates over the labels.
 *
 * A template that fails leaves line or label as they are and sets TemplateFormatErr.
 * All templates of one label_format see the labels as they were at the first of them:
 * renames ahead of it have happened, no template sees another one's result.
 */
#include "logql/stage.h"
#include "logql/text.h"
#include "logql/tmpl.h"

static void add_field(void *arg, struct str label)
{
    need_required(arg, label);
}

static void template_needs(const struct tmpl *t, struct need *n)
{
    bool all;
    tmpl_fields(t, add_field, n, &all);
    n->all |= all;
}

/* ---- line_format --------------------------------------------------------------------------- */

struct line_format {
    struct str text;
    struct tmpl *t;
};

/* STRING */
static enum err line_format_parse(struct parser *p, struct stage *s)
{
    struct line_format *l = arena_new(p->mem, struct line_format, 1);
    s->arg = l;
    enum err e = parser_take(p, T_STRING, "STRING", &l->text);
    if (e)
        return e;
    struct fault why;
    e = tmpl_parse(l->text, "line", p->mem, &l->t, &why);
    return e ? parser_stage_error(p, s, "invalid line template: %s", why.msg) : OK;
}

static void line_format_print(const struct stage *s, struct buf *b)
{
    const struct line_format *l = s->arg;
    buf_str(b, S("| line_format "));
    text_quote(b, l->text);
}

static void line_format_needs(const struct stage *s, struct need *n)
{
    const struct line_format *l = s->arg;
    template_needs(l->t, n);
}

static bool line_format_run(void *bound, struct entry *e)
{
    const struct line_format *l = bound;
    struct str line, error;
    if (tmpl_run(l->t, e, &line, &error))
        entry_set_line(e, line);
    else
        entry_error(e, S("TemplateFormatErr"), error);
    return true;
}

/* ---- label_format -------------------------------------------------------------------------- */

struct label_fmt {
    struct str name, value;                        /* value: a template's text, or the label to rename */
    bool is_template;
    struct tmpl *t;
};

struct label_format {
    struct label_fmt *at;
    uint32_t n, cap;
};

struct bound_format {
    const struct label_format *l;
    uint32_t *names, *sources;
};

/* format := IDENT "=" (IDENT | STRING) */
static enum err parse_format(struct parser *p, struct label_fmt *ret)
{
    enum err e = parser_take(p, T_IDENT, "IDENTIFIER", &ret->name);
    if (!e)
        e = parser_expect(p, T_EQ, "=");
    ret->is_template = p->tok.kind == T_STRING;
    return e ? e : parser_take(p, ret->is_template ? T_STRING : T_IDENT, "IDENTIFIER or STRING", &ret->value);
}

static enum err check_formats(struct parser *p, const struct stage *s, struct label_format *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        struct label_fmt *f = &l->at[i];
        struct fault why;
        if (str_eq(f->name, S("__error__")))
            return parser_stage_error(p, s, "__error__ cannot be formatted");
        for (uint32_t k = 0; k < i; k++)
            if (str_eq(l->at[k].name, f->name))
                return parser_stage_error(p, s, "multiple label name '" STR_FMT "' not allowed in a single format operation",
                                          STR_ARG(f->name));
        if (f->is_template && tmpl_parse(f->value, "label", p->mem, &f->t, &why))
            return parser_stage_error(p, s, "invalid template for label '" STR_FMT "': %s", STR_ARG(f->name), why.msg);
    }
    return OK;
}

/* format { "," format } */
static enum err label_format_parse(struct parser *p, struct stage *s)
{
    struct label_format *l = arena_new(p->mem, struct label_format, 1);
    s->arg = l;
    for (;;) {
        if (l->n == LOGQL_NAMES_MAX)
            return fault_set(p->f, E_LIMIT, p->tok.at, "more than %d names in one list", LOGQL_NAMES_MAX);
        enum err e = parse_format(p, arena_push(p->mem, l->at, l->n, l->cap));
        if (e)
            return e;
        if (p->tok.kind != T_COMMA)
            return check_formats(p, s, l);
        e = parser_next(p);
        if (e)
            return e;
    }
}

static void label_format_print(const struct stage *s, struct buf *b)
{
    const struct label_format *l = s->arg;
    buf_str(b, S("| label_format"));
    for (uint32_t i = 0; i < l->n; i++) {
        buf_byte(b, i ? ',' : ' ');
        buf_str(b, l->at[i].name);
        buf_byte(b, '=');
        if (l->at[i].is_template)
            text_quote(b, l->at[i].value);
        else
            buf_str(b, l->at[i].value);
    }
}

static void label_format_needs(const struct stage *s, struct need *n)
{
    const struct label_format *l = s->arg;
    for (uint32_t i = 0; i < l->n; i++) {
        need_name(n, l->at[i].name);
        if (l->at[i].t)
            template_needs(l->at[i].t, n);
        else
            need_required(n, l->at[i].value);
    }
}

static void *label_format_bind(struct pipeline *p, const struct stage *s)
{
    struct bound_format *b = arena_new(p->ctx->mem, struct bound_format, 1);
    b->l = s->arg;
    b->names = arena_new(p->ctx->mem, uint32_t, b->l->n);
    b->sources = arena_new(p->ctx->mem, uint32_t, b->l->n);
    for (uint32_t i = 0; i < b->l->n; i++) {
        b->names[i] = names_id(&p->names, b->l->at[i].name);
        b->sources[i] = b->l->at[i].t ? NAME_NONE : names_id(&p->names, b->l->at[i].value);
    }
    return b;
}

/* All templates from the first one on, before anything they say is written. */
static void run_templates(const struct bound_format *b, struct entry *e, struct str *results, bool *failed)
{
    for (uint32_t i = 0; i < b->l->n; i++) {
        struct str error;
        if (!b->l->at[i].is_template || tmpl_run(b->l->at[i].t, e, &results[i], &error))
            continue;
        failed[i] = true;
        entry_error(e, S("TemplateFormatErr"), error);
    }
}

static void rename_label(struct entry *e, uint32_t from, uint32_t to)
{
    struct str value;
    if (from == to || !entry_get(e, from, &value))
        return;
    entry_set(e, to, value);
    entry_remove(e, from);
}

static bool label_format_run(void *bound, struct entry *e)
{
    const struct bound_format *b = bound;
    struct str *results = NULL;
    bool *failed = NULL;
    for (uint32_t i = 0; i < b->l->n; i++) {
        if (!b->l->at[i].is_template) {
            rename_label(e, b->sources[i], b->names[i]);
            continue;
        }
        if (!results) {
            results = arena_new(&e->mem, struct str, b->l->n);
            failed = arena_new(&e->mem, bool, b->l->n);
            run_templates(b, e, results, failed);
        }
        if (!failed[i])
            entry_set(e, b->names[i], results[i]);
    }
    return true;
}

const struct stage_def stage_line_format = {
    .word = S("line_format"), .parse = line_format_parse, .print = line_format_print, .needs = line_format_needs,
    .run = line_format_run, .keeps_labels = true,
};

const struct stage_def stage_label_format = {
    .word = S("label_format"), .parse = label_format_parse, .print = label_format_print, .needs = label_format_needs,
    .bind = label_format_bind, .run = label_format_run, .keeps_line = true,
};
