/* promql/select_bases.c -- accounted series of a selection: what their streams amounted to
 * before the scan, and their points.
 *
 * A cumulative stream that began within the scan has all its rows here, so that only those
 * that began before it are asked for; totals of whole series only where a query shows them.
 */
#include "promql/select_int.h"

static int64_t start_of(const struct stretch *x, uint32_t i)
{
    return x->starts ? x->starts[i] : x->start;
}

static uint32_t distinct_starts(const struct stretch *x)
{
    return x->starts ? x->n : MIN(x->n, 1u);
}

bool select_asks(const struct job *j, const struct stretch *x)
{
    if (j->req->totals)
        return true;
    for (uint32_t i = 0; x->temporality == TEMPORALITY_CUMULATIVE && i < distinct_starts(x); i++)
        if (start_of(x, i) < j->from_ns)
            return true;
    return false;
}

/* ---- questions ------------------------------------------------------------- */

static uint32_t name_number(struct job *j, struct keys *k, struct str name)
{
    bool fresh;
    uint32_t id = map_intern(&k->by_name, name, k->nnames, &fresh);
    if (fresh)
        *arena_push(j->ev->q->mem, k->names, k->nnames, k->cap_names) = name;
    return id;
}

static struct cell *key_labels(struct job *j, struct keys *k, struct labels l)
{
    struct cell *cells = arena_new(j->ev->q->mem, struct cell, l.n);
    for (uint32_t i = 0; i < l.n; i++)
        cells[i] = (struct cell){ .col = name_number(j, k, l.at[i].name), .v = value_str(l.at[i].value) };
    return cells;
}

static size_t add_key(struct job *j, struct keys *k, struct cell *cells, uint32_t n, enum temporality how, int64_t start)
{
    *arena_push(j->ev->q->mem, k->at, k->n, k->cap) =
        (struct base_key){ .labels = cells, .nlabels = n, .start_ns = start, .temporality = how };
    return k->n - 1;
}

static bool is_asked(const struct keys *k, const struct keyed *s, int64_t start)
{
    for (size_t i = s->n; i; i--)
        if (k->at[s->first + i - 1].start_ns == start)
            return true;
    return false;
}

/* Each cumulative stream that began, or may have begun, before the scan. */
static void ask_streams(struct job *j, struct keys *k, const struct found *s, struct keyed *ret, struct cell *cells)
{
    for (uint32_t i = s->first; i != NO_STRETCH; i = j->stretches[i].next) {
        const struct stretch *x = &j->stretches[i];
        for (uint32_t r = 0; x->temporality == TEMPORALITY_CUMULATIVE && r < distinct_starts(x); r++) {
            int64_t start = start_of(x, r);
            if (start >= j->from_ns || is_asked(k, ret, start))
                continue;
            add_key(j, k, cells, s->labels.n, TEMPORALITY_CUMULATIVE, start);
            ret->n++;
        }
    }
}

void select_ask(struct job *j, struct keys *k, const struct found *s, struct keyed *ret)
{
    *ret = (struct keyed){ .first = k->n, .delta = SIZE_MAX, .all = SIZE_MAX };
    if (!s->has_labels)
        return;                                    /* nothing of it began before */
    struct cell *cells = key_labels(j, k, s->labels);
    ask_streams(j, k, s, ret, cells);
    if (!j->req->totals)
        return;
    ret->delta = add_key(j, k, cells, s->labels.n, TEMPORALITY_DELTA, 0);
    ret->all = add_key(j, k, cells, s->labels.n, TEMPORALITY_CUMULATIVE, BASE_ALL_STREAMS);
}

enum err select_answer(struct job *j, struct keys *k, struct fault *f)
{
    struct source *src = j->ev->q->src;
    enum err e = OK;
    if (k->n)
        e = src->bases(src, j->spelling.matchers, j->spelling.nmatchers, j->from_ns - 1, k->names, k->at, k->n, f);
    map_done(&k->by_name);
    return e;
}

/* ---- answers --------------------------------------------------------------- */

static void add_before(struct acc_input *in, const struct base_key *k)
{
    if (!k->known)
        return;
    int64_t last = select_ns_to_ms(k->last_ns);
    in->before_last = in->has_before ? MAX(in->before_last, last) : last;
    in->before += k->base;
    in->has_before = true;
}

/* What the answers say about a series: its streams' bases and its total before. */
static void use_bases(struct job *j, const struct keys *k, const struct keyed *s, struct acc_input *in)
{
    struct acc_base *bases = arena_new(&j->mem, struct acc_base, s->n);
    for (size_t i = 0; i < s->n; i++) {
        const struct base_key *key = &k->at[s->first + i];
        if (key->known)
            bases[in->nbases++] = (struct acc_base){ key->start_ns, key->base, select_ns_to_ms(key->last_ns) };
    }
    in->bases = bases;
    if (s->delta == SIZE_MAX)
        return;
    add_before(in, &k->at[s->delta]);
    if (k->at[s->all].known)
        add_before(in, &k->at[s->all]);
    else
        for (size_t i = 0; i < s->n; i++)
            add_before(in, &k->at[s->first + i]);
}

void select_accounted(struct job *j, const struct keys *k, const struct keyed *s, const struct found *series, struct points *ret)
{
    struct arena *mem = &j->mem;
    size_t n = 0;
    for (uint32_t i = series->first; i != NO_STRETCH; i = j->stretches[i].next)
        n += j->stretches[i].accounted ? j->stretches[i].n : 0;
    struct acc_input in = { .rows = arena_raw(mem, struct acc_row, n), .money = j->mets[series->name].money };
    for (uint32_t i = series->first; i != NO_STRETCH; i = j->stretches[i].next) {
        const struct stretch *x = &j->stretches[i];
        for (uint32_t r = 0; x->accounted && r < x->n; r++)
            if (!x->histograms || !x->histograms[r].p)
                in.rows[in.n++] = (struct acc_row){
                    .t = x->t[r], .start = select_ns_to_ms(start_of(x, r)), .stream = start_of(x, r), .v = x->v[r],
                    .cumulative = x->temporality == TEMPORALITY_CUMULATIVE,
                };
    }
    use_bases(j, k, s, &in);
    struct accounted *acc = arena_new(mem, struct accounted, 1);
    accounted_build(mem, &in, acc);
    ret->t = acc->vt;
    ret->v = acc->vv;
    ret->n = acc->nv;
    ret->acc = acc;
}
