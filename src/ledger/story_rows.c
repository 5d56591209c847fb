/* ledger/story_rows.c -- rows of blocks into records, by tables of attributes.
 *
 * For each block and kind of event the columns of its attributes are looked up once; a row
 * then costs one value an attribute. An attribute may stand on the record, the scope or the
 * resource (label_value() knows the order).
 */
#include <string.h>

#include "base/clock.h"
#include "ledger/story_int.h"

enum { KINDS_MAX = 64, ATTRS_MAX = 40, CHECK_EVERY = 4096 };

static const struct attr common_attrs[] = {
    { S("event_sequence"), ATTR_INT, offsetof(struct record, sequence) },
    { S("prompt_id"), ATTR_TEXT, offsetof(struct record, prompt_id) },
    { S("agent_id"), ATTR_TEXT, offsetof(struct record, agent_id) },
    { S("request_id"), ATTR_TEXT, offsetof(struct record, request_id) },
    { S("span_id"), ATTR_TEXT, offsetof(struct record, span_id) },
    { S("parent_span_id"), ATTR_TEXT, offsetof(struct record, parent_span_id) },
    { S("end_ns"), ATTR_INT, offsetof(struct record, end_ns) },
    { .name = { 0 } },
};

/* The columns of a table's attributes in one block. */
struct columns {
    const struct attr *attrs;
    struct label_ref at[ATTRS_MAX];
    bool found;
};

static void find_columns(struct columns *c, const struct block *b, const struct attr *attrs)
{
    c->attrs = attrs;
    c->found = true;
    for (uint32_t i = 0; attrs[i].name.n; i++) {
        CHECK(i < ATTRS_MAX);
        c->at[i] = block_label(b, attrs[i].name, 0);
    }
}

static void put_number(const struct attr *a, const struct value *v, char *into)
{
    double d;
    if (!value_num(v, &d))
        return;
    if (a->type == ATTR_DOUBLE)
        *(double *)(void *)into = d;
    else if (a->type == ATTR_MS)
        *(int64_t *)(void *)into = d >= 0 && d < 1e12 ? (int64_t)(d * (double)NS_PER_MS) : STORY_NONE;
    else if (v->type == V_INT)
        *(int64_t *)(void *)into = v->i;           /* 64 bits do not fit a double */
    else if (d > -9e18 && d < 9e18)
        *(int64_t *)(void *)into = (int64_t)d;
}

static void read_attrs(const struct columns *c, uint32_t row, void *into, struct arena *mem)
{
    for (uint32_t i = 0; c->attrs[i].name.n; i++) {
        struct value v = label_value(&c->at[i], row);
        char *at = (char *)into + c->attrs[i].at;
        if (v.type == V_NONE)
            continue;
        if (c->attrs[i].type == ATTR_TEXT)
            *(struct str *)(void *)at = arena_str(mem, value_text_in(&v, mem));
        else
            put_number(&c->attrs[i], &v, at);
    }
}

/* Numbers that a row does not have are unknown. */
static void *record_new(const struct kind *k, struct arena *mem)
{
    char *p = arena_alloc(mem, k->size, 16);
    for (uint32_t i = 0; k->attrs[i].name.n; i++) {
        if (k->attrs[i].type == ATTR_INT || k->attrs[i].type == ATTR_MS || k->attrs[i].type == ATTR_BOOL)
            *(int64_t *)(void *)(p + k->attrs[i].at) = STORY_NONE;
        else if (k->attrs[i].type == ATTR_DOUBLE)
            *(double *)(void *)(p + k->attrs[i].at) = __builtin_nan("");
    }
    return p;
}

static const struct kind *kind_of(enum table t, struct str name)
{
    const struct kind *k = t == TABLE_LOG ? story_events : story_spans;
    for (; k->name.n; k++)
        if (str_eq(k->name, name))
            return k;
    return t == TABLE_LOG ? &story_other : NULL;
}

struct reader {
    struct telling *t;
    const struct block *b;
    enum table table;
    struct label_ref name;
    struct columns common, own[KINDS_MAX];         /* own: by kind's place among those of this block */
    const struct kind *kinds[KINDS_MAX];
    uint32_t nkinds;
};

static struct columns *columns_of(struct reader *r, const struct kind *k)
{
    uint32_t i = 0;
    while (i < r->nkinds && r->kinds[i] != k)
        i++;
    CHECK(i < KINDS_MAX);
    if (i == r->nkinds) {
        r->kinds[r->nkinds++] = k;
        find_columns(&r->own[i], r->b, k->attrs);
    }
    return &r->own[i];
}

static void read_row(struct reader *r, uint32_t row, struct record_list *ret)
{
    char scratch[VALUE_TEXT_MAX];
    struct value v = label_value(&r->name, row);
    struct str name = v.type == V_NONE ? S("") : value_text(&v, scratch);
    const struct kind *k = kind_of(r->table, name);
    if (!k)
        return;
    struct arena *mem = r->t->mem;
    struct record *rec = record_new(k, mem);
    read_attrs(columns_of(r, k), row, rec, mem);
    read_attrs(&r->common, row, rec, mem);
    rec->kind = k;
    rec->name = arena_str(mem, name);
    rec->time_ns = r->b->time_ns[row];
    rec->seq = r->b->seq[row];
    *arena_push(mem, ret->at, ret->n, ret->cap) = rec;
}

enum err story_rows(struct telling *t, struct source *src, const struct scan_req *req, struct record_list *ret, struct fault *f)
{
    struct scan *sc;
    enum err e = src->scan_begin(src, req, &sc, f);
    if (e)
        return e;
    const struct block *b;
    CLEANUP(mem_freep) struct reader *r = mem_alloc(sizeof *r);
    while (!(e = src->scan_next(sc, &b, f)) && b) {
        *r = (struct reader){ .t = t, .b = b, .table = req->table };
        r->name = block_label(b, req->table == TABLE_LOG ? S("event_name") : S("name"),
                              req->table == TABLE_LOG ? 1u << PLACE_ATTR : 1u << PLACE_FIELD);
        find_columns(&r->common, b, common_attrs);
        story_people_block(t, b);
        for (uint32_t i = 0; i < b->nsel; i++)
            read_row(r, b->sel[i], ret);
        if (ret->n > STORY_ROWS_MAX || arena_over(t->mem)) {
            e = fault_set(f, E_LIMIT, 0, "the session has more than %d rows; ask for a part of its time", STORY_ROWS_MAX);
            break;
        }
    }
    (void)src->scan_end(sc);
    return e;
}
