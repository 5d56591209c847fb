/* otlp/known.c -- series of points that were decoded before, known again by their bytes.
 *
 * A client sends all its series with every export, and only times and values change. What
 * makes a point's series are, byte for byte, the same as the last time:
 *
 *     resource | name, unit and type of the metric | the point's attributes
 *
 * A hash over these three is looked up in a table (model/seen.h). If it is there, the
 * attributes are hopped over: the point's row gets a group that has the series' id, and its
 * labels stay as they came until somebody asks. Mostly nobody does: the store keeps the
 * labels of the series it has.
 *
 * 1. With the table or without, the same rows, labels and ids come of a request, and the same
 *    refusals: what limits look at besides is kept with the entry. That is which attributes
 *    there were (their columns are limited: a point is known only when another one of this
 *    request had the same names before it) and how much memory they took.
 * 2. Only attributes that stand together are known; those of a point may stand apart, and are
 *    decoded then, as those of distributions are, whose labels hang on more.
 * 3. The bytes were decoded once without a fault, so they can be again: known_unfold() does so
 *    by the functions that made the labels (labels.c).
 */
#include "otlp/fields.h"
#include "otlp/pb.h"

enum { SHORT = 0x80, SEVEN = 7, POINT_TAG = F_POINT_ATTRS << WIRE_TYPE_BITS | WIRE_LEN };

/* What the labels of a point are made of besides its attributes. */
struct known_of {
    uint32_t group;              /* the resource's labels */
    uint32_t name_col, job_col, instance_col;
    bool has_job, has_instance;
    struct str metric;
};

/* ---- keys ------------------------------------------------------------------ */

static struct id128 chain(const struct build *b, struct id128 before, struct str bytes)
{
    struct id128 h = seen_key(b->seen, bytes, before.lo);
    return (struct id128){ h.hi + before.hi, h.lo };
}

void known_resource(struct build *b, struct str message)
{
    if (b->seen)
        b->resource_key = chain(b, b->resource_key, message);
}

void known_metric(struct build *b, const struct otlp_metric *m, enum metric_type type)
{
    if (b->seen) {
        struct id128 key = { b->resource_key.hi, b->resource_key.lo + type + 1 };
        b->metric_key = chain(b, chain(b, key, m->name), m->unit);
    }
    b->of = NULL;
}

/* Attributes that stand together: w is behind the tag of the first. p NULL: not one is whole. */
static struct str together(const struct wire *w)
{
    const uint8_t *p = w->p, *end = w->end;
    for (;;) {
        size_t n = p < end ? *p : SHORT, head = 1;
        if (n >= SHORT) {
            if (end - p < 2 || p[1] >= SHORT)
                return (struct str){ 0 };
            n = (n & (SHORT - 1)) | (size_t)p[1] << SEVEN;
            head = 2;
        }
        if (n > (size_t)(end - p) - head)
            return (struct str){ 0 };
        p += head + n;
        if (p == end || *p != POINT_TAG)
            return (struct str){ (const char *)w->p, (size_t)(p - w->p) };
        p++;
    }
}

/* Where the shape stands, or would: of a few places the one that has it, else a free one, else the first. */
static uint64_t *shape_at(struct build *b, uint64_t shape)
{
    enum { PROBES = 4 };
    uint64_t *first = &b->shapes[shape / 2 % SHAPES_MAX], *free_one = NULL;
    for (uint32_t i = 0; i < PROBES; i++) {
        uint64_t *at = &b->shapes[(shape / 2 + i) % SHAPES_MAX];
        if (*at == shape)
            return at;
        if (!*at && !free_one)
            free_one = at;
    }
    return free_one ? free_one : first;
}

static void read_all(struct build *b, struct str raw)
{
    struct wire w = wire_of(raw);
    w.field = F_POINT_ATTRS;
    w.type = WIRE_LEN;
    pb_attr(b, &w, &b->attrs);
    while (wire_next(&w))
        pb_attr(b, &w, &b->attrs);
    CHECK(!w.bad);
}

bool known_point(struct build *b, struct wire *w, struct otlp_point *p)
{
    struct seen_series x;
    if (p->known.shape) {                          /* there are more of them elsewhere */
        p->known.shape = 0;
        read_all(b, p->raw);
        p->raw = (struct str){ 0 };
        return false;
    }
    if (p->raw.p && (const char *)w->p > p->raw.p + p->raw.n)
        p->raw = (struct str){ 0 };
    if (!b->seen || w->type != WIRE_LEN || b->attrs.n || p->apart)
        return false;
    p->apart = true;                               /* from now on */
    p->raw = together(w);
    if (!p->raw.p)
        return false;
    p->key = chain(b, b->metric_key, p->raw);
    if (!seen_find(b->seen, p->key, &x) || *shape_at(b, x.shape) != x.shape)
        return false;
    p->known = x;
    w->p = (const uint8_t *)p->raw.p + p->raw.n;
    return true;
}

/* ---- groups ---------------------------------------------------------------- */

static const struct known_of *of_metric(struct build *b)
{
    if (!b->of) {
        struct known_of *of = arena_new(b->mem, struct known_of, 1);
        *of = (struct known_of){ b->group, b->name_col, b->job_col, b->instance_col, b->has_job, b->has_instance, b->metric };
        b->of = of;
    }
    return b->of;
}

uint32_t known_group(struct build *b, const struct otlp_point *p)
{
    b->spared += p->known.weight;
    return batch_series(b->batch, p->known.id, p->raw, of_metric(b));
}

/* Its labels were made now; what the table is to say is known when the row has its id. */
void known_note(struct build *b, const struct otlp_point *p, const struct row *r)
{
    enum { COPIES = 4 };                           /* of its labels, at most, that building and identifying make */
    uint64_t shape = seen_key(b->seen, S(""), 0).lo;
    uint32_t n = r->cells.n + (r->group == ROW_NO_GROUP ? 0 : b->batch->groups[r->group].n);
    for (uint32_t i = 0; i < p->attrs.n; i++)
        shape = hash64(p->attrs.at[i].key, shape);
    shape |= 1;
    *shape_at(b, shape) = shape;
    *arena_push(b->mem, b->fresh, b->nfresh, b->cap_fresh) = (struct fresh){
        .key = p->key, .shape = shape, .weight = (uint64_t)n * COPIES * sizeof(struct cell), .row = (uint32_t)(r - b->batch->rows) };
}

void known_finish(struct build *b)
{
    for (uint32_t i = 0; i < b->nfresh; i++) {
        const struct fresh *f = &b->fresh[i];
        const struct seen_series x = { b->batch->series[b->batch->rows[f->row].group].id, f->shape, f->weight };
        seen_put(b->seen, f->key, &x);
    }
}

/* ---- labels again ---------------------------------------------------------- */

/* Decodes one point's labels in a batch of its own that shares the columns. */
void known_unfold(const struct batch *batch, const struct series_ref *s, struct arena *mem, struct cells *ret)
{
    const struct known_of *of = s->of;
    size_t budget = mem->budget;
    struct fault f;
    struct build b;
    struct batch one = *batch;
    const struct cells *group = &batch->groups[of->group];
    mem->budget = SIZE_MAX;                        /* what decoding took was counted */
    one.mem = mem;
    one.rows = NULL;
    one.nrows = one.cap_rows = 0;
    build_init(&b, &one, 0, NULL, &f);
    b.group = of->group;
    b.name_col = of->name_col;
    b.job_col = of->job_col;
    b.instance_col = of->instance_col;
    b.has_job = of->has_job;
    b.has_instance = of->has_instance;
    b.nmarks = batch->ncols;
    b.marks = arena_new(mem, struct mark, b.nmarks);
    b.group_tag = 1;
    for (uint32_t i = 0; i < group->n; i++) {
        b.marks[group->at[i].col].group_tag = b.group_tag;
        b.marks[group->at[i].col].group_cell = i;
    }
    read_all(&b, s->raw);
    struct row *r = row_new(&b, b.attrs.n + 1);
    CHECK(r);
    labels_point(&b, r, &b.attrs);
    cells_put(&r->cells, mem, b.name_col, value_str(of->metric));
    for (uint32_t i = 0; r->group != ROW_NO_GROUP && i < group->n; i++)
        cells_put(&r->cells, mem, group->at[i].col, group->at[i].v);
    CHECK(!b.err && one.ncols == batch->ncols);
    *ret = r->cells;
    build_done(&b);
    mem->budget = budget;
}
