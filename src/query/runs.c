/* query/runs.c -- see runs.h.
 *
 * The loop over runs and columns adds two words a step and has no branch; columns with the
 * same code in all runs are added once a block. Where a block has fewer runs than a dictionary
 * has values (one session asked for in a chunk of thousands), only the values met are hashed.
 */
#include "query/runs.h"

#include <stdlib.h>

enum { RUNS_MEMORY = 256 << 20 };                  /* of one block's tables; more is still given */

/* ---- ids ------------------------------------------------------------------- */

struct idset_slot {
    struct id128 id;
    uint32_t number;                               /* + 1; 0: free */
};

static struct idset_slot *find_slot(const struct idset *s, struct id128 id)
{
    uint32_t at = (uint32_t)id.lo & (s->cap - 1);
    while (s->slots[at].number && !(s->slots[at].id.lo == id.lo && s->slots[at].id.hi == id.hi))
        at = (at + 1) & (s->cap - 1);
    return &s->slots[at];
}

static void grow(struct idset *s)
{
    struct idset bigger = { .n = s->n, .cap = s->cap ? 4 * s->cap : 256 };
    CHECK(bigger.cap);
    bigger.slots = mem_alloc(sizeof *bigger.slots * (size_t)bigger.cap);
    for (uint32_t i = 0; i < s->cap; i++)
        if (s->slots[i].number)
            *find_slot(&bigger, s->slots[i].id) = s->slots[i];
    mem_free(s->slots);
    *s = bigger;
}

uint32_t idset_add(struct idset *s, struct id128 id, bool *ret_new)
{
    if (4 * (uint64_t)s->n >= 3 * (uint64_t)s->cap)
        grow(s);
    struct idset_slot *at = find_slot(s, id);
    *ret_new = !at->number;
    if (*ret_new)
        *at = (struct idset_slot){ id, ++s->n };
    return at->number - 1;
}

void idset_done(struct idset *s)
{
    mem_free(s->slots);
    *s = (struct idset){ 0 };
}

struct id128 label_id(struct str name, struct str value)
{
    if (!value.n)
        return (struct id128){ 0 };
    return label_id128(label_seed(name), value);
}

struct id128 labels_id(struct labels l)
{
    struct id128 sum = { 0 };
    for (uint32_t i = 0; i < l.n; i++)
        id128_add(&sum, label_id(l.at[i].name, l.at[i].value));
    return sum;
}

/* ---- a block --------------------------------------------------------------- */

void runs_init(struct runs *r, struct query_ctx *q)
{
    *r = (struct runs){ .q = q };
    arena_init(&r->mem, RUNS_MEMORY);
}

void runs_done(struct runs *r)
{
    idset_done(&r->series);
    map_done(&r->text_ids);
    arena_done(&r->mem);
}

static int by_name(const void *a, const void *b)
{
    const struct run_col *x = a, *y = b;
    return str_cmp(x->col->key.name, y->col->key.name);
}

static struct str text_of(const struct value *v, struct arena *mem)
{
    return v->type == V_STR ? v->s : v->type == V_NONE ? S("") : value_text_in(v, mem);
}

static struct id128 hash_code(struct runs *r, const struct column *c, uint32_t code)
{
    return label_id(c->key.name, text_of(&c->dict[code], &r->mem));
}

/* All values of a dictionary; the name is hashed once. */
static void hash_dict(struct runs *r, struct run_col *c)
{
    uint64_t seed = label_seed(c->col->key.name);
    c->hash = arena_raw(&r->mem, struct id128, c->col->ndict);
    for (uint32_t k = 0; k < c->col->ndict; k++) {
        struct str text = text_of(&c->col->dict[k], &r->mem);
        c->hash[k] = text.n ? label_id128(seed, text) : (struct id128){ 0 };
    }
}

static inline struct id128 cell_id(struct runs *r, const struct run_col *c, uint32_t run)
{
    if (c->col->form == CODES_SAME)
        return c->same;
    uint32_t code = column_code(c->col, run);
    return c->hash ? c->hash[code] : hash_code(r, c->col, code);
}

#define ADD_COLUMN(T)                                     \
    do {                                                  \
        const T *code = c->col->code;                     \
        for (uint32_t i = 0; i < n; i++) {                \
            ids[i].lo += h[code[i]].lo;                   \
            ids[i].hi += h[code[i]].hi;                   \
        }                                                 \
    } while (0)

static void add_column(struct runs *r, const struct run_col *c)
{
    uint32_t n = r->b->nruns;
    struct id128 *ids = r->ids;
    const struct id128 *h = c->hash;
    if (!h)
        for (uint32_t i = 0; i < n; i++)
            id128_add(&ids[i], hash_code(r, c->col, column_code(c->col, i)));
    else if (c->col->form == CODES_U8)
        ADD_COLUMN(uint8_t);
    else if (c->col->form == CODES_U16)
        ADD_COLUMN(uint16_t);
    else
        ADD_COLUMN(uint32_t);
}

static void open_columns(struct runs *r)
{
    const struct block *b = r->b;
    r->cols = arena_new(&r->mem, struct run_col, b->ncols);
    r->ncols = 0;
    for (uint32_t i = 0; i < b->ncols; i++)
        if (b->cols[i].key.place == PLACE_LABEL && b->cols[i].code)
            r->cols[r->ncols++] = (struct run_col){ .col = &b->cols[i] };
    if (r->ncols > 1)
        qsort(r->cols, r->ncols, sizeof *r->cols, by_name);
}

static void add_up(struct runs *r)
{
    struct id128 same = { 0 };
    uint32_t n = r->b->nruns;
    r->ids = arena_raw(&r->mem, struct id128, n);
    for (uint32_t c = 0; c < r->ncols; c++)
        if (r->cols[c].col->form == CODES_SAME) {
            r->cols[c].same = hash_code(r, r->cols[c].col, column_code(r->cols[c].col, 0));
            id128_add(&same, r->cols[c].same);
        }
    for (uint32_t i = 0; i < n; i++)
        r->ids[i] = same;
    for (uint32_t c = 0; c < r->ncols; c++) {
        if (r->cols[c].col->form == CODES_SAME)
            continue;
        if (r->cols[c].col->ndict <= 2 * n)
            hash_dict(r, &r->cols[c]);
        add_column(r, &r->cols[c]);
    }
}

enum { AHEAD = 8 };                                /* runs whose slots are fetched before they are looked at */

enum err runs_block(struct runs *r, const struct block *b, struct fault *f)
{
    CHECK(b->run_end || !b->nruns);
    enum err e = query_check(r->q, f);
    if (e)
        return e;
    arena_rewind(&r->mem);
    r->b = b;
    open_columns(r);
    add_up(r);
    r->numbers = arena_raw(&r->mem, uint32_t, b->nruns);
    r->fresh = arena_raw(&r->mem, bool, b->nruns);
    for (uint32_t i = 0; i < b->nruns; i++) {
        if (i + AHEAD < b->nruns && r->series.cap)
            __builtin_prefetch(&r->series.slots[(uint32_t)r->ids[i + AHEAD].lo & (r->series.cap - 1)]);
        r->numbers[i] = idset_add(&r->series, r->ids[i], &r->fresh[i]);
    }
    return query_check_series(r->q, r->series.n, f);
}

/* ---- labels ---------------------------------------------------------------- */

static bool is_picked(const struct pick *p, struct str name)
{
    return !p || names_have(p->names, p->n, name) == p->keep;
}

void runs_part_open(struct runs *r, const struct pick *p, struct run_part *ret)
{
    *ret = (struct run_part){ .others = !p->keep, .cols = arena_new(&r->mem, const struct run_col *, r->ncols) };
    for (uint32_t c = 0; c < r->ncols; c++)
        if (names_have(p->names, p->n, r->cols[c].col->key.name))
            ret->cols[ret->n++] = &r->cols[c];
}

struct id128 runs_part(struct runs *r, const struct run_part *part, uint32_t run)
{
    struct id128 sum = { 0 };
    for (uint32_t c = 0; c < part->n; c++)
        id128_add(&sum, cell_id(r, part->cols[c], run));
    if (part->others)
        sum = (struct id128){ .hi = r->ids[run].hi - sum.hi, .lo = r->ids[run].lo - sum.lo };
    return sum;
}

static uint32_t text_id(struct runs *r, struct str s)
{
    uint32_t id = map_get(&r->text_ids, s);
    if (id != MAP_NONE)
        return id;
    struct str copy = arena_str(r->q->mem, s);
    map_put(&r->text_ids, copy, r->ntexts);
    *arena_push(r->q->mem, r->texts, r->ntexts, r->cap_texts) = copy;
    return r->ntexts - 1;
}

static struct str kept_text(struct runs *r, struct run_col *c, uint32_t run)
{
    uint32_t code = column_code(c->col, run);
    if (!c->text && c->hash)
        c->text = arena_new(&r->mem, uint32_t, c->col->ndict);
    if (c->text && c->text[code])
        return r->texts[c->text[code] - 1];
    struct str s = text_of(&c->col->dict[code], &r->mem);
    if (!s.n)
        return S("");
    uint32_t id = text_id(r, s);
    if (c->text)
        c->text[code] = id + 1;
    return r->texts[id];
}

static struct str kept_name(struct runs *r, struct run_col *c)
{
    if (!c->name.p) {
        uint32_t id = text_id(r, c->col->key.name);
        c->name = r->texts[id];
    }
    return c->name;
}

struct labels runs_labels(struct runs *r, uint32_t run, const struct pick *p)
{
    struct label *at = arena_new(r->q->mem, struct label, r->ncols);
    uint32_t n = 0;
    for (uint32_t c = 0; c < r->ncols; c++) {
        if (!is_picked(p, r->cols[c].col->key.name))
            continue;
        struct str value = kept_text(r, &r->cols[c], run);
        if (value.n)
            at[n++] = (struct label){ kept_name(r, &r->cols[c]), value };
    }
    return (struct labels){ at, n };
}

const struct run_col *runs_col(const struct runs *r, struct str name)
{
    for (uint32_t c = 0; c < r->ncols; c++)
        if (str_eq(r->cols[c].col->key.name, name))
            return &r->cols[c];
    return NULL;
}

struct str runs_label(struct runs *r, uint32_t run, struct str name)
{
    struct run_col *c = (struct run_col *)(uintptr_t)runs_col(r, name);
    return c ? kept_text(r, c, run) : S("");
}
