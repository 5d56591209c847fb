/* otlp/labels.c -- the labels of samples (accounting rule 8), as Prometheus's
 * receiver makes them with all resource attributes promoted.
 *
 *     label     = label_name(attribute)
 *     point's   : attributes in the order of their names, values of one label joined with ';'
 *     resource's: those that no point attribute hides; of one label the first by name
 *     job       : [service.namespace "/"] service.name, instance: service.instance.id, over all
 *
 * Identity is the point's own: a resource that says `session.id` gives no label,
 * since one process can serve several sessions and anybody can set the variable.
 * Empty values are no labels, but they hide what they would have stood before.
 *
 * The resource's labels stand in a group. A point that hides none of them, or only
 * by the same value (OTEL_RESOURCE_ATTRIBUTES are on the points as well), refers to
 * the group; another one gets all its labels in the row. Which it is shows while the
 * point's labels are put, from the marks of the columns.
 */
#include "otlp/build.h"

#include <stdlib.h>
#include <string.h>

#include "model/names.h"
#include "otlp/limits.h"

enum { RESERVED_LABELS = 3 };                      /* __name__, job, instance */
#define NO_CELL UINT32_MAX                         /* marked, but its value is empty */

/* By attribute or as label: both spellings become the same label. */
static const struct str identity_labels[] = {
    S("session_id"), S("organization_id"), S("prompt_id"), S("agent_id"), S("parent_agent_id"),
    S("user_id"), S("user_email"), S("user_groups"), S("user_account_uuid"), S("user_account_id"),
};

static bool is_identity(struct str key, struct str label)
{
    if (str_starts(key, S("user.")))
        return true;
    for (size_t i = 0; i < LEN(identity_labels); i++)
        if (str_eq(identity_labels[i], label))
            return true;
    return false;
}

static bool is_service_key(struct str key)
{
    return str_eq(key, S("service.name")) || str_eq(key, S("service.namespace")) || str_eq(key, S("service.instance.id"));
}

/* The column of the label that an attribute becomes; each name is spelled once a request. */
static uint32_t label_col(struct build *b, struct str key)
{
    uint32_t col = map_get(&b->labels, key);
    if (col != MAP_NONE)
        return col;
    col = column(b, PLACE_LABEL, label_name(key, b->mem));
    map_put(&b->labels, key, col);
    return col;
}

static uint32_t label_col_at(struct build *b, uint32_t i, struct str key)
{
    if (i >= MEMO_MAX)
        return label_col(b, key);
    struct memo *m = &b->memo[i];
    if (!str_eq(m->name, key))
        *m = (struct memo){ key, label_col(b, key) };
    return m->col;
}

static int by_key(const void *x, const void *y)
{
    const struct otlp_attr *a = x, *b = y;
    int c = str_cmp(a->key, b->key);
    return c ? c : (a->i > b->i) - (a->i < b->i);
}

/* Valid until the next call. */
static const struct otlp_attrs *sorted(struct build *b, const struct otlp_attrs *a)
{
    struct otlp_attrs *s = &b->order;
    s->n = 0;
    for (uint32_t i = 0; i < a->n; i++)
        *arena_push(b->mem, s->at, s->n, s->cap) = a->at[i];
    if (s->n)
        qsort(s->at, s->n, sizeof *s->at, by_key);
    return s;
}

static struct str joined(struct build *b, struct str x, char between, struct str y)
{
    char *p = arena_alloc(b->mem, x.n + 1 + y.n, 1);
    if (x.n)
        memcpy(p, x.p, x.n);
    p[x.n] = between;
    if (y.n)
        memcpy(p + x.n + 1, y.p, y.n);
    return (struct str){ p, x.n + 1 + y.n };
}

/* `job` and `instance` of a resource, empty and absent told apart. */
struct service {
    struct str job, instance;
    bool has_job, has_instance;
};

static struct service service_of(struct build *b, const struct otlp_attrs *resource)
{
    struct service s = { 0 };
    struct str space = { 0 };
    bool has_space = false;
    for (uint32_t i = resource->n; i-- > 0;) {     /* backwards: the first of a key given twice counts */
        const struct otlp_attr *a = &resource->at[i];
        if (!is_service_key(a->key))
            continue;
        struct str text = value_text_in(&a->v, b->mem);
        if (str_eq(a->key, S("service.name"))) {
            s.job = text;
            s.has_job = true;
        } else if (str_eq(a->key, S("service.namespace"))) {
            space = text;
            has_space = true;
        } else {
            s.instance = text;
            s.has_instance = true;
        }
    }
    if (s.has_job && has_space)
        s.job = joined(b, space, '/', s.job);
    return s;
}

/* Returns where it stands, or NO_CELL: an empty value is no label. */
static uint32_t put_label(struct build *b, struct cells *c, uint32_t col, struct str text)
{
    if (!text.n)
        return NO_CELL;
    cells_put(c, b->mem, col, value_str(text));
    return c->n - 1;
}

/* Labels that only the receiver sets. */
static bool is_reserved(const struct build *b, uint32_t col)
{
    return col == b->name_col || col + 1 == b->extra_col || (b->has_job && col == b->job_col) ||
           (b->has_instance && col == b->instance_col);
}

void labels_resource(struct build *b)
{
    struct service s = service_of(b, &b->resource);
    const struct otlp_attrs *a = sorted(b, &b->resource);
    struct cells c = { 0 };

    b->name_col = column(b, PLACE_LABEL, S("__name__"));
    b->job_col = column(b, PLACE_LABEL, S("job"));
    b->instance_col = column(b, PLACE_LABEL, S("instance"));
    b->has_job = s.has_job;
    b->has_instance = s.has_instance;
    b->group_tag++;
    for (uint32_t i = 0; i < a->n && build_ok(b); i++) {
        uint32_t col = label_col(b, a->at[i].key);
        struct mark *m = &b->marks[col];
        if (is_reserved(b, col) || m->group_tag == b->group_tag || is_identity(a->at[i].key, b->batch->cols[col].name))
            continue;
        m->group_tag = b->group_tag;
        m->group_cell = put_label(b, &c, col, value_text_in(&a->at[i].v, b->mem));
    }
    put_label(b, &c, b->job_col, s.job);
    put_label(b, &c, b->instance_col, s.instance);
    b->group = batch_group(b->batch);
    b->batch->groups[b->group] = c;
}

enum fit { FITS, HIDES, TWICE };

/* Puts the point's labels in their order. HIDES: one differs from the group's, whose
 * rest must come into the row. TWICE: a label came twice, the row is half filled. */
static enum fit labels_plain(struct build *b, struct row *r, const struct otlp_attrs *a)
{
    const struct cells *group = &b->batch->groups[r->group];
    enum fit fit = FITS;
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t col = label_col_at(b, i, a->at[i].key);
        struct mark *m = &b->marks[col];
        if (is_reserved(b, col))
            continue;
        if (m->tag == b->tag)
            return TWICE;
        m->tag = b->tag;
        struct str text = value_text_in(&a->at[i].v, b->mem);
        if (m->group_tag == b->group_tag && m->group_cell != NO_CELL) {
            if (str_eq(text, group->at[m->group_cell].v.s))
                continue;
            fit = HIDES;
        }
        if (text.n)
            row_cell(r, col, value_str(text));
    }
    return fit;
}

/* In the order of names; values of one label are joined. Empty texts stay for now. */
static void labels_joined(struct build *b, struct row *r, const struct otlp_attrs *attrs)
{
    const struct otlp_attrs *a = sorted(b, attrs);
    b->tag++;
    for (uint32_t i = 0; i < a->n && build_ok(b); i++) {
        uint32_t col = label_col(b, a->at[i].key);
        struct mark *m = &b->marks[col];
        if (is_reserved(b, col))
            continue;
        struct str text = value_text_in(&a->at[i].v, b->mem);
        if (m->tag == b->tag) {
            struct value *v = &r->cells.at[m->cell].v;
            v->s = joined(b, v->s, ';', text);
        } else {
            m->tag = b->tag;
            m->cell = r->cells.n;
            row_cell(r, col, value_str(text));
        }
    }
}

static void drop_empty(struct cells *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++)
        if (c->at[i].v.s.n)
            c->at[n++] = c->at[i];
    c->n = n;
}

void labels_point(struct build *b, struct row *r, const struct otlp_attrs *a)
{
    enum fit fit = labels_plain(b, r, a);
    const struct mark *extra = b->extra_col ? &b->marks[b->extra_col - 1] : NULL;
    if (fit == FITS && extra && extra->group_tag == b->group_tag && extra->group_cell != NO_CELL)
        fit = HIDES;
    if (fit == FITS)
        return;
    if (fit == TWICE) {
        r->cells.n = 0;
        labels_joined(b, r, a);
        drop_empty(&r->cells);
    }
    if (b->extra_col)
        b->marks[b->extra_col - 1].tag = b->tag;
    const struct cells *g = &b->batch->groups[r->group];
    for (uint32_t i = 0; i < g->n; i++)
        if (b->marks[g->at[i].col].tag != b->tag)
            cells_put(&r->cells, b->mem, g->at[i].col, g->at[i].v);
    r->group = ROW_NO_GROUP;
}

/* ---- target_info ------------------------------------------------------------------ */

/* The resource as a series: value 1 at the newest time of its points, its other
 * attributes as labels. Only where something tells whose it is, and more than that. */
void target_info(struct build *b)
{
    struct otlp_attrs rest = { 0 };
    for (uint32_t i = 0; i < b->resource.n; i++) {
        const struct otlp_attr *a = &b->resource.at[i];
        if (!is_service_key(a->key) && !is_identity(a->key, b->batch->cols[label_col(b, a->key)].name))
            attrs_add(b, &rest, a->key, a->v);
    }
    if (!b->has_points || !rest.n || !(b->has_job || b->has_instance))
        return;
    struct service s = service_of(b, &b->resource);
    struct row *r = row_new(b, rest.n + RESERVED_LABELS);
    if (!r)
        return;
    r->group = ROW_NO_GROUP;
    labels_joined(b, r, &rest);
    row_cell(r, b->name_col, value_str(S("target_info")));
    row_cell(r, b->job_col, value_str(s.job));
    row_cell(r, b->instance_col, value_str(s.instance));
    drop_empty(&r->cells);
    r->value = 1;
    r->temporality = TEMPORALITY_NONE;
    row_set_time(b->batch, r, (int64_t)MIN(b->newest_ns, (uint64_t)INT64_MAX), 0, b->oldest_ns);
    *arena_push(b->mem, b->batch->metas, b->batch->nmetas, b->batch->cap_metas) =
        (struct metric_meta){ S("target_info"), METRIC_GAUGE, S(""), S("Target metadata") };
}
