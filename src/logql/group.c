/* logql/group.c -- see group.h. */
#include "logql/group.h"

#include <string.h>

void grouper_init(struct grouper *g, struct pipeline *p, enum group_mode mode, const uint32_t *names, uint32_t nnames)
{
    *g = (struct grouper){ .p = p, .mode = mode, .names = names, .nnames = nnames };
}

void grouper_done(struct grouper *g)
{
    map_done(&g->values);
    map_done(&g->keys);
}

static uint32_t text_id(struct grouper *g, struct str text)
{
    uint32_t id = map_get(&g->values, text);
    if (id != MAP_NONE)
        return id;
    id = g->nvalues;
    struct str kept = arena_str(g->p->ctx->mem, text);
    *arena_push(g->p->ctx->mem, g->texts, g->nvalues, g->cap_texts) = kept;
    map_put(&g->values, kept, id);
    return id;
}

/* The number of a column's value at a row; by its code it is looked up once per block. */
static uint32_t column_id(struct grouper *g, const struct bound *l, uint32_t row, uint32_t col, const struct value *v)
{
    const struct column *c = l->cols[col];
    char scratch[VALUE_TEXT_MAX];
    struct arena *mem = &g->p->bind.mem;
    if (!c->code)
        return text_id(g, value_text(v, scratch));
    struct bound *own = &g->p->bind.at[l - g->p->bind.at];
    if (!own->value_ids[col])
        own->value_ids[col] = arena_new(mem, uint32_t, c->ndict);
    uint32_t *id = &own->value_ids[col][column_code(c, row)];
    if (!*id)
        *id = text_id(g, v->type == V_BYTES ? value_text_in(v, mem) : value_text(v, scratch)) + 1;
    return *id - 1;
}

static void add_pair(struct grouper *g, uint32_t name, uint32_t value)
{
    if (!g->texts[value].n)
        return;                                    /* an empty label of a series is none */
    if (g->npairs == g->cap_pairs) {
        uint32_t cap = g->cap_pairs ? g->cap_pairs * 2 : 64;
        g->pairs = arena_grow(g->p->ctx->mem, g->pairs, sizeof *g->pairs * g->cap_pairs, sizeof *g->pairs * cap, _Alignof(uint64_t));
        g->cap_pairs = cap;
    }
    g->pairs[g->npairs++] = (uint64_t)name << 32 | value;
}

/* ---- by ---------------------------------------------------------------------------------- */

static void add_by(struct grouper *g, struct entry *e, uint32_t name)
{
    const struct bound *l = entry_column(e, name);
    struct str text;
    if (l) {
        uint32_t col = 0;
        struct value v = bound_value_col(l, e->row, &col);
        add_pair(g, name, column_id(g, l, e->row, col, &v));
    } else if (entry_has_added(e, name, &text)) {
        add_pair(g, name, text_id(g, text));
    }
}

/* ---- all, without -------------------------------------------------------------------------- */

static bool is_excluded(const struct grouper *g, uint32_t name)
{
    if (g->mode != GROUP_WITHOUT)
        return false;
    for (uint32_t i = 0; i < g->nnames; i++)
        if (g->names[i] == name)
            return true;
    return false;
}

static void add_label(void *arg, enum category cat, uint32_t name, struct str value)
{
    struct grouper *g = arg;
    (void)cat;
    if (!is_excluded(g, name))
        add_pair(g, name, text_id(g, value));
}

/* Columns as they are, when no stage has changed a label: by code, without a text. */
static void add_columns(struct grouper *g, struct entry *e)
{
    const struct binding *b = &g->p->bind;
    for (uint32_t i = 0; i < b->n; i++) {
        const struct bound *l = &b->at[i];
        uint32_t col = 0, name = l->name;
        struct value v = bound_value_col(l, e->row, &col);
        if (v.type == V_NONE || (l->meta && g->mode == GROUP_STREAM))
            continue;
        if (l->meta && i && b->at[i - 1].name == name && bound_value(&b->at[i - 1], e->row).type != V_NONE)
            name = names_extracted(&g->p->names, name);
        if (!is_excluded(g, name))
            add_pair(g, name, column_id(g, l, e->row, col, &v));
    }
}

static void sort_pairs(uint64_t *at, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        uint64_t x = at[i];
        uint32_t k = i;
        for (; k && at[k - 1] > x; k--)
            at[k] = at[k - 1];
        at[k] = x;
    }
}

/* ---- series ---------------------------------------------------------------------------------- */

static struct labels labels_of(struct grouper *g)
{
    struct label *at = arena_new(g->p->ctx->mem, struct label, g->npairs + 1);
    for (uint32_t i = 0; i < g->npairs; i++)
        at[i] = (struct label){ g->p->names.at[g->pairs[i] >> 32], g->texts[(uint32_t)g->pairs[i]] };
    return labels_make(at, g->npairs);
}

static uint32_t series_id(struct grouper *g)
{
    struct str key = { (const char *)g->pairs, sizeof *g->pairs * g->npairs };
    if (!key.n)
        key = S("");
    uint32_t id = map_get(&g->keys, key);
    if (id != MAP_NONE)
        return id;
    id = g->n;
    *arena_push(g->p->ctx->mem, g->series, g->n, g->cap) = labels_of(g);
    map_put(&g->keys, arena_str(g->p->ctx->mem, key), id);
    return id;
}

uint32_t grouper_id(struct grouper *g, struct entry *e, bool whole)
{
    g->npairs = 0;
    if (whole) {
        enum group_mode mode = g->mode;
        g->mode = GROUP_ALL;
        entry_each(e, add_label, g);
        g->mode = mode;
        sort_pairs(g->pairs, g->npairs);
    } else if (g->mode == GROUP_BY) {
        for (uint32_t i = 0; i < g->nnames; i++)
            add_by(g, e, g->names[i]);
    } else if (g->mode != GROUP_NONE) {
        if (g->mode != GROUP_STREAM && (e->nadded || e->nremoved || e->kept || e->err.n || e->err_details.n))
            entry_each(e, add_label, g);
        else
            add_columns(g, e);
        sort_pairs(g->pairs, g->npairs);
    }
    return series_id(g);
}

uint32_t grouper_by_values(struct grouper *g, const uint32_t *names, const struct value *const *values, uint32_t n)
{
    char scratch[VALUE_TEXT_MAX];
    g->npairs = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct value *v = values[i];
        if (v && v->type != V_NONE)
            add_pair(g, names[i], text_id(g, v->type == V_BYTES ? value_text_in(v, &g->p->bind.mem) : value_text(v, scratch)));
    }
    if (g->mode != GROUP_BY)
        sort_pairs(g->pairs, g->npairs);
    return series_id(g);
}
