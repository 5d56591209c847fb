/* logql/entry.c -- see entry.h. */
#include "logql/entry.h"

#include "logql/keep.h"
#include "logql/stage.h"

enum { ROW_BUDGET = 64 << 20 };                    /* bytes of scratch for one line */

void pipeline_init(struct pipeline *p, struct query_ctx *ctx, bool spans, bool level)
{
    *p = (struct pipeline){ .ctx = ctx };
    binding_init(&p->bind, spans, level);
    names_init(&p->names, ctx->mem);
    arena_init(&p->row_mem, ROW_BUDGET);
    p->err_name = names_id(&p->names, S("__error__"));
    p->details_name = names_id(&p->names, S("__error_details__"));
    p->preserve_name = names_id(&p->names, S("__preserve_error__"));
}

void pipeline_done(struct pipeline *p)
{
    names_done(&p->names);
    arena_done(&p->row_mem);
    binding_done(&p->bind);
}

void pipeline_bind(struct pipeline *p, const struct stage *stages, uint32_t n)
{
    p->steps = arena_new(p->ctx->mem, struct bound_stage, n + 1);
    p->nsteps = n;
    for (uint32_t i = 0; i < n; i++)
        p->steps[i] = (struct bound_stage){
            .def = stages[i].def,
            .arg = stages[i].def->bind ? stages[i].def->bind(p, &stages[i]) : stages[i].arg,
        };
}

void entry_begin(struct entry *e, struct pipeline *p, uint32_t row)
{
    *e = (struct entry){ .p = p, .mem = p->row_mem, .row = row, .time_ns = p->bind.block->time_ns[row] };
    const struct label_ref *line = &p->bind.line;
    if (line->n == 1 && line->at[0]->code)
        e->line_code = column_code(line->at[0], row);
    struct value v = label_value(line, row);
    e->line = v.type == V_STR || v.type == V_JSON ? v.s : value_text_in(&v, &e->mem);
}

bool entry_run(struct entry *e, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (!e->p->steps[i].def->run(e->p->steps[i].arg, e))
            return false;
    return true;
}

/* ---- looking up ----------------------------------------------------------------- */

bool entry_has_added(const struct entry *e, uint32_t name, struct str *ret)
{
    for (uint32_t i = 0; i < e->nadded; i++)
        if (e->added[i].name == name) {
            *ret = e->added[i].value;
            return true;
        }
    return false;
}

static bool is_removed(const struct entry *e, uint32_t name)
{
    for (uint32_t i = 0; i < e->nremoved; i++)
        if (e->removed[i] == name)
            return true;
    return false;
}

/* Would the newest `keep` have removed the column's value? */
static bool is_dropped(const struct entry *e, uint32_t name, const struct value *v)
{
    if (!e->kept)
        return false;
    char scratch[VALUE_TEXT_MAX];
    return !keep_allows(e->kept, name, value_text(v, scratch));
}

static bool has_stream(const struct entry *e, uint32_t name)
{
    const struct bound *l = binding_stream(&e->p->bind, name);
    return l && bound_value(l, e->row).type != V_NONE;
}

/* The column that holds the name's value, whatever stages did. */
static const struct bound *column_of(const struct entry *e, uint32_t name)
{
    const struct binding *b = &e->p->bind;
    const struct bound *l = binding_stream(b, name);
    if (l && bound_value(l, e->row).type != V_NONE)
        return l;
    l = binding_meta(b, name);
    if (l && bound_value(l, e->row).type != V_NONE)
        return l;
    uint32_t plain = name < e->p->names.n ? e->p->names.plain[name] : NAME_NONE;
    if (plain == NAME_NONE)
        return NULL;
    l = binding_meta(b, plain);                    /* hidden by a stream label */
    return l && has_stream(e, plain) && bound_value(l, e->row).type != V_NONE ? l : NULL;
}

const struct bound *entry_column(const struct entry *e, uint32_t name)
{
    struct str ignored;
    if (entry_has_added(e, name, &ignored) || is_removed(e, name))
        return NULL;
    const struct bound *l = column_of(e, name);
    if (!l || !e->kept)
        return l;
    struct value v = bound_value(l, e->row);
    return is_dropped(e, name, &v) ? NULL : l;
}

bool entry_get(struct entry *e, uint32_t name, struct str *ret)
{
    if (entry_has_added(e, name, ret))
        return true;
    const struct bound *l = entry_column(e, name);
    if (!l)
        return false;
    struct value v = bound_value(l, e->row);
    *ret = v.type == V_STR ? v.s : value_text_in(&v, &e->mem);
    return true;
}

bool entry_taken(const struct entry *e, uint32_t name)
{
    if (has_stream(e, name))
        return true;
    const struct bound *l = entry_column(e, name);
    return l && l->meta;
}

/* ---- changing -------------------------------------------------------------------- */

void entry_set(struct entry *e, uint32_t name, struct str value)
{
    for (uint32_t i = 0; i < e->nadded; i++)
        if (e->added[i].name == name) {
            e->added[i].value = value;
            return;
        }
    *arena_push(&e->mem, e->added, e->nadded, e->cap_added) = (struct added){ name, value };
    for (uint32_t i = 0; i < e->p->hints.nrequired; i++)
        e->found += e->p->hints.required[i] == name;
}

void entry_remove(struct entry *e, uint32_t name)
{
    for (uint32_t i = 0; i < e->nadded; i++)
        if (e->added[i].name == name) {
            e->added[i] = e->added[--e->nadded];
            break;
        }
    if (!is_removed(e, name))
        *arena_push(&e->mem, e->removed, e->nremoved, e->cap_removed) = name;
}

bool entry_wants(const struct entry *e, uint32_t name)
{
    const struct hints *h = &e->p->hints;
    for (uint32_t i = 0; i < h->nrequired; i++)
        if (h->required[i] == name)
            return true;
    return !h->nrequired;
}

bool entry_found_all(const struct entry *e)
{
    return e->p->hints.nrequired && e->found >= e->p->hints.nrequired;
}

void entry_extract(struct entry *e, uint32_t name, struct str value)
{
    if (entry_taken(e, name))
        name = names_extracted(&e->p->names, name);
    if (entry_wants(e, name))
        entry_set(e, name, value);
}

void entry_set_line(struct entry *e, struct str line)
{
    e->line = line;
    e->line_code = 0;
}

void entry_error(struct entry *e, struct str what, struct str details)
{
    e->err = what;
    if (details.n)
        e->err_details = details;
    e->preserve_error |= e->p->hints.keep_errors;
}

/* ---- all labels ------------------------------------------------------------------- */

static void each_column(struct entry *e, const struct bound *l, entry_each_fn *fn, void *arg)
{
    struct value v = bound_value(l, e->row);
    if (v.type == V_NONE)
        return;
    uint32_t name = l->name;
    if (l->meta && has_stream(e, name))
        name = names_extracted(&e->p->names, name);
    struct str hidden;
    if (entry_has_added(e, name, &hidden) || is_removed(e, name) || is_dropped(e, name, &v))
        return;
    fn(arg, l->meta ? CAT_META : CAT_STREAM, name, v.type == V_STR ? v.s : value_text_in(&v, &e->mem));
}

void entry_each(struct entry *e, entry_each_fn *fn, void *arg)
{
    const struct binding *b = &e->p->bind;
    for (uint32_t i = 0; i < b->n; i++)
        each_column(e, &b->at[i], fn, arg);
    for (uint32_t i = 0; i < e->nadded; i++)
        fn(arg, CAT_PARSED, e->added[i].name, e->added[i].value);
    if (e->err.n)
        fn(arg, CAT_PARSED, e->p->err_name, e->err);
    if (e->err_details.n)
        fn(arg, CAT_PARSED, e->p->details_name, e->err_details);
    if (e->err.n && e->preserve_error)
        fn(arg, CAT_PARSED, e->p->preserve_name, S("true"));
}
