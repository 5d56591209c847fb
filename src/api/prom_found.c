/* api/prom_found.c -- see prom_found.h. */
#include "api/prom_found.h"

#include "query/origins.h"
#include "query/rowset.h"

struct scanned {
    struct query_ctx *q;
    struct rowset set;
    struct sighted *at;                            /* by series */
    uint32_t n, cap;
    bool lower;                                    /* some row is of a lower source than OTLP */
};

void found_init(struct found *x, struct query_ctx *q)
{
    *x = (struct found){ .q = q };
    keyset_init(&x->seen, q->mem);
}

void found_done(struct found *x)
{
    keyset_done(&x->seen);
}

static enum err take_block(struct scanned *s, const struct block *b, struct fault *f)
{
    uint32_t *ids = mem_alloc(sizeof *ids * ((size_t)b->nsel + 1));
    enum err e = rowset_block(&s->set, b, ids, f);
    while (s->n < s->set.n) {
        struct labels l = s->set.series[s->n];
        *arena_push(s->q->mem, s->at, s->n, s->cap) = (struct sighted){ .labels = l };
    }
    for (uint32_t i = 0; i < b->nsel && !e; i++) {
        uint32_t row = b->sel[i], origin = MIN(b->origin[row], (uint8_t)31);
        s->at[ids[i]].bits |= 1u << origin;
        s->at[ids[i]].accounted |= b->temporality[row] != TEMPORALITY_NONE;
        s->lower |= origin != ORIGIN_OTLP;
    }
    mem_free(ids);
    return e;
}

static enum err scan(struct scanned *s, const struct scan_req *search, struct fault *f)
{
    struct scan_req req = *search;
    req.all_labels = true;
    struct scan *sc;
    const struct block *b;
    enum err e = query_scan_begin(s->q, &req, &sc, f);
    if (e)
        return e;
    while (!(e = s->q->src->scan_next(sc, &b, f)) && b) {
        e = take_block(s, b, f);
        if (e)
            break;
    }
    query_scan_end(s->q, sc);
    return e;
}

static void add(struct found *x, struct labels l)
{
    bool fresh;
    keyset_all(&x->seen, l, &fresh);
    if (fresh)
        *arena_push(x->q->mem, x->at, x->n, x->cap) = l;
}

static void add_sighted(struct found *x, const struct spelling *sp, const struct sighted *s)
{
    for (uint32_t o = ORIGIN_OTLP; o <= ORIGIN_TRANSCRIPT; o++)
        if (s->keep >> o & 1 && !(o == ORIGIN_SCRAPE && s->targets))
            add(x, sources_labels(sp, x->q->mem, s->labels, (enum origin)o));
}

static bool in_range(const struct target_series *t, const struct scan_req *search)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i].t >= search->from_ns / NS_PER_MS && t->rows[i].t < search->to_ns / NS_PER_MS)
            return true;
    return false;
}

static enum err add_all(struct found *x, const struct scan_req *search, const struct spelling *sp, struct scanned *s,
                        struct fault *f)
{
    struct target_series *targets = NULL;
    uint32_t n = 0;
    enum err e = OK;
    if (s->lower || sp->show_source) {
        e = sources_decide(x->q, sp, s->at, s->n, f);
        if (!e)
            e = targets_read(x->q, sp, s->at, s->n, &targets, &n, f);
    } else {
        for (uint32_t i = 0; i < s->n; i++)
            s->at[i].keep = s->at[i].bits;
    }
    for (uint32_t i = 0; i < s->n && !e; i++)
        add_sighted(x, sp, &s->at[i]);
    for (uint32_t i = 0; i < n && !e; i++)
        if (in_range(&targets[i], search))
            add(x, sources_labels(sp, x->q->mem, targets[i].labels, ORIGIN_SCRAPE));
    return e;
}

enum err found_series(struct found *x, const struct scan_req *search, const struct spelling *sp, struct fault *f)
{
    struct scanned s = { .q = x->q };
    rowset_init(&s.set, x->q, 1u << PLACE_LABEL);
    enum err e = scan(&s, search, f);
    if (!e)
        e = add_all(x, search, sp, &s, f);
    rowset_done(&s.set);
    return e;
}

enum err found_accounted(struct query_ctx *q, const struct scan_req *search, bool *ret, struct fault *f)
{
    struct scan *sc;
    const struct block *b;
    bool found = false;
    enum err e = query_scan_begin(q, search, &sc, f);
    if (e)
        return e;
    while (!found && !(e = q->src->scan_next(sc, &b, f)) && b)
        for (uint32_t i = 0; i < b->nsel && !found; i++)
            found = b->origin[b->sel[i]] != ORIGIN_REMOTE;
    query_scan_end(q, sc);
    *ret = found;
    return e;
}

enum err found_sources(struct query_ctx *q, const struct scan_req *search, const struct spelling *sp,
                       void (*each)(void *arg, struct str value), void *arg, struct fault *f)
{
    if (sp->nsources) {                            /* a matcher on the label itself: by series */
        struct found x;
        found_init(&x, q);
        enum err e = found_series(&x, search, sp, f);
        for (uint32_t i = 0; i < x.n && !e; i++)
            each(arg, labels_get(x.at[i], S("ccmon_source")));
        found_done(&x);
        return e;
    }
    enum err e = q->src->label_values(q->src, search, S("ccmon_source"), each, arg, f);
    struct scan *sc;
    const struct block *b;
    if (e || (e = query_scan_begin(q, search, &sc, f)))
        return e;
    uint32_t seen = 0;
    while (!(e = q->src->scan_next(sc, &b, f)) && b)
        for (uint32_t i = 0; i < b->nsel; i++)
            seen |= 1u << MIN(b->origin[b->sel[i]], (uint8_t)31);
    query_scan_end(q, sc);
    for (uint32_t o = ORIGIN_OTLP; o <= ORIGIN_TRANSCRIPT; o++)
        if (seen >> o & 1)
            each(arg, origin_text((enum origin)o));
    return e;
}
