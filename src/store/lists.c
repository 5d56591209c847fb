/* store/lists.c -- which label names and values there are.
 *
 * Without matchers the names are what the summaries of the chunks in the range say
 * (a chunk is the finest grain, as a block is Prometheus's); with matchers, and for
 * values, the rows decide.
 */
#include "store/store_int.h"

/* Where labels stand: of samples once a run. */
static uint32_t places(const struct block *b)
{
    return b->run_end ? b->nruns : b->nsel;
}

static uint32_t place_at(const struct block *b, uint32_t i)
{
    return b->run_end ? i : b->sel[i];
}

/* A column counts if one place has a value. A histogram's stands by row. */
static bool has_value(const struct block *b, const struct column *c)
{
    bool by_run = b->run_end && c->key.place == PLACE_LABEL;
    uint32_t n = by_run ? b->nruns : b->nsel;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = b->run_end ? i : block_element(b, c, b->sel[i]);
        if (column_value(c, at).type != V_NONE)
            return true;
    }
    return false;
}

static enum err names_by_scan(struct source *src, const struct scan_req *req,
                              void (*each)(void *arg, enum place place, struct str name), void *arg, struct fault *f)
{
    struct scan_req r = *req;
    struct scan *sc;
    const struct block *b;
    r.all_labels = true;
    r.by_series = r.table == TABLE_SAMPLE;
    r.without = WITHOUT_ALL;
    enum err e = store_scan_begin(src, &r, &sc, f);
    if (e)
        return e;
    while (!(e = store_scan_next(sc, &b, f)) && b)
        for (uint32_t i = 0; i < b->ncols; i++)
            if (has_value(b, &b->cols[i]))
                each(arg, b->cols[i].key.place, b->cols[i].key.name);
    store_scan_end(sc);
    return e;
}

static enum err names_of_item(const struct part_item *it, const struct scan_req *req,
                              void (*each)(void *arg, enum place place, struct str name), void *arg, struct fault *f)
{
    struct chunk_list *l;
    enum err e = part_chunks(it, &l, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < l->n; i++) {
        const struct chunk_ref *c = &l->at[i];
        if (c->sum.table != req->table || c->t1 < req->from_ns || c->t0 >= req->to_ns)
            continue;
        for (uint32_t k = 0; k < c->sum.ncols; k++)
            each(arg, c->sum.cols[k].key.place, c->sum.cols[k].key.name);
    }
    chunk_list_unref(l);
    return OK;
}

struct pictured {
    struct gen *gen;
    struct block b;
};

/* All generations that hold rows of the table, in one moment. */
static struct pictured *take_pictures(struct store *s, enum table t, struct arena *mem, uint32_t *ret_n)
{
    GUARD(&s->lock);
    struct pictured *all = NULL;
    uint32_t n = 0, cap = 0;
    for (struct gen *g = s->oldest; g; g = g->next) {
        if (!gen_rows(g, t))
            continue;
        struct pictured *p = arena_push(mem, all, n, cap);
        p->gen = gen_ref(g);
        head_picture(g->heads[t], mem, &p->b);
    }
    *ret_n = n;
    return all;
}

/* Heads are small: their rows are asked. */
static void names_of_heads(struct store *s, const struct scan_req *req,
                           void (*each)(void *arg, enum place place, struct str name), void *arg)
{
    struct arena mem;
    uint32_t n;
    arena_init(&mem, 16 << 20);
    struct pictured *all = take_pictures(s, req->table, &mem, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct block *b = &all[i].b;
        struct arena scratch = mem;
        uint32_t *sel = arena_new(&scratch, uint32_t, b->n + 1);
        for (uint32_t k = 0; k < b->n; k++)
            if (b->time_ns[k] >= req->from_ns && b->time_ns[k] < req->to_ns)
                sel[b->nsel++] = k;
        b->sel = sel;
        for (uint32_t k = 0; k < b->ncols; k++)
            if (has_value(b, &b->cols[k]))
                each(arg, b->cols[k].key.place, b->cols[k].key.name);
        gen_unref(all[i].gen);
    }
    arena_done(&mem);
}

enum err store_label_names(struct source *src, const struct scan_req *req,
                           void (*each)(void *arg, enum place place, struct str name), void *arg, struct fault *f)
{
    struct store *s = store_of(src);
    if (req->nmatchers || req->recv_after_ns)
        return names_by_scan(src, req, each, arg, f);
    names_of_heads(s, req, each, arg);             /* before the view: what moves meanwhile is seen twice, not never */
    struct part_view *v;
    {
        GUARD(&s->lock);
        v = part_view_ref(s->view);
    }
    enum err e = OK;
    for (uint32_t i = 0; i < v->n && !e; i++)
        if (v->at[i].time_max >= req->from_ns && v->at[i].time_min < req->to_ns && v->at[i].rows[req->table])
            e = names_of_item(&v->at[i], req, each, arg, f);
    part_view_unref(v);
    return e;
}

/* ---- values ---------------------------------------------------------------- */

static void give(const struct value *v, struct arena scratch, void (*each)(void *arg, struct str value), void *arg)
{
    struct str text = v->type == V_NONE ? S("") : value_text_in(v, &scratch);
    if (text.n)
        each(arg, text);
}

/* One coded column: each code once. */
static void values_of_codes(const struct block *b, const struct column *c, struct arena mem,
                            void (*each)(void *arg, struct str value), void *arg)
{
    uint8_t *seen = arena_alloc(&mem, c->ndict + 1, 1);
    for (uint32_t i = 0; i < places(b); i++) {
        uint32_t code = column_code(c, place_at(b, i));
        if (!code || seen[code])
            continue;
        seen[code] = 1;
        give(&c->dict[code], mem, each, arg);
    }
}

enum err store_label_values(struct source *src, const struct scan_req *req, struct str label,
                            void (*each)(void *arg, struct str value), void *arg, struct fault *f)
{
    struct scan_req r = *req;
    struct scan *sc;
    const struct block *b;
    struct arena mem;
    r.all_labels = false;
    r.labels = &label;
    r.nlabels = 1;
    r.by_series = r.table == TABLE_SAMPLE;
    r.without = WITHOUT_ALL;
    enum err e = store_scan_begin(src, &r, &sc, f);
    if (e)
        return e;
    arena_init(&mem, 64 << 20);
    while (!(e = store_scan_next(sc, &b, f)) && b) {
        struct label_ref l = block_label(b, label, b->run_end ? 1u << PLACE_LABEL : 0);
        if (l.n == 1 && l.at[0]->code) {
            values_of_codes(b, l.at[0], mem, each, arg);
            continue;
        }
        for (uint32_t i = 0; i < places(b) && l.n; i++) {
            struct value v = label_value(&l, place_at(b, i));
            give(&v, mem, each, arg);
        }
    }
    arena_done(&mem);
    store_scan_end(sc);
    return e;
}
