/* promql/select.c -- from a selector to series of points.
 *
 * A scan gives runs of rows of one series each. Their times and values are copied once, in
 * stretches that hang together by series (select_rows.c). A series whose rows carry
 * increments or totals goes through accounted.c, any other is what was stored. The caller is
 * handed one series after another, so that only one has its points in this form at a time.
 *
 * An aggregation wants to know no more of a series than the number of its group. Then no
 * labels are put together but those of groups, and series come as they were found; otherwise
 * they come in the order of their labels.
 *
 * The scan reaches 60 s further on both sides than what is asked for, since a point
 * of an accounted series also shows as a sample up to 60 s before its time, and
 * where depends on the point before it. Bases are asked for in one call.
 *
 * Only when a session has rows of several sources, or the query names ccmon_source,
 * is it decided which rows count (sources.h): the others leave their series. Series that
 * are shown with their source become one series for each, and those
 * of sessions with several targets come whole from targets.h, with nothing to ask bases for.
 */
#include <stdlib.h>

#include "model/names.h"
#include "promql/select_int.h"

#define TIME_MS_MAX (INT64_MAX / NS_PER_MS - 1)

enum { SERIES_MEMORY = 64 << 20 };                 /* budget of one series' points; more is still given */

int64_t select_ms_to_ns(int64_t ms)
{
    int64_t capped = MIN(ms, TIME_MS_MAX);
    return MAX(capped, -TIME_MS_MAX) * NS_PER_MS;
}

int64_t select_ns_to_ms(int64_t ns)
{
    return ns / NS_PER_MS - (ns % NS_PER_MS < 0);
}

/* ---- sources --------------------------------------------------------------- */

static struct sighted *sight_series(const struct job *j)
{
    struct sighted *s = arena_new(j->ev->q->mem, struct sighted, j->nfound);
    for (uint32_t i = 0; i < j->nfound; i++) {
        s[i].labels = j->found[i].labels;
        for (uint32_t k = j->found[i].first; k != NO_STRETCH; k = j->stretches[k].next) {
            s[i].bits |= 1u << MIN(j->stretches[k].origin, (uint8_t)31);
            s[i].accounted |= j->stretches[k].temporality != TEMPORALITY_NONE;
        }
    }
    return s;
}

static bool stretch_counts(const struct stretch *x, const struct sighted *s)
{
    bool elsewhere = s->targets && x->origin == ORIGIN_SCRAPE && x->temporality == TEMPORALITY_CUMULATIVE;
    return x->origin < 32 && s->keep >> x->origin & 1 && !elsewhere;
}

static void hang_on(struct job *j, struct found *s, uint32_t stretch)
{
    if (s->last == NO_STRETCH)
        s->first = stretch;
    else
        j->stretches[s->last].next = stretch;
    s->last = stretch;
    j->stretches[stretch].next = NO_STRETCH;
    s->accounted |= j->stretches[stretch].accounted;
}

/* One series for each origin of a series that is shown with its source, else one; of those
 * stretches that count. */
static void share_out(struct job *j, const struct sighted *sighted)
{
    struct query_ctx *q = j->ev->q;
    struct found *all = NULL;
    uint32_t n = 0, cap = 0;
    for (uint32_t i = 0; i < j->nfound; i++) {
        struct found by[ORIGIN_TRANSCRIPT + 1];
        for (uint32_t o = 0; o <= ORIGIN_TRANSCRIPT; o++) {
            by[o] = j->found[i];
            by[o].first = by[o].last = NO_STRETCH;
            by[o].accounted = false;
        }
        for (uint32_t k = j->found[i].first, next; k != NO_STRETCH; k = next) {
            next = j->stretches[k].next;
            if (stretch_counts(&j->stretches[k], &sighted[i]))
                hang_on(j, &by[j->spelling.show_source ? j->stretches[k].origin : 0], k);
        }
        for (uint32_t o = 0; o <= ORIGIN_TRANSCRIPT; o++) {
            if (by[o].first == NO_STRETCH)
                continue;
            if (j->spelling.show_source)
                by[o].shown = sources_labels(&j->spelling, q->mem, by[o].labels, (enum origin)o);
            if (n == cap) {
                cap = MAX(2 * cap, 256u);
                all = mem_resize(all, sizeof *all * cap);
            }
            all[n++] = by[o];
        }
    }
    mem_free(j->found);
    j->found = all;
    j->nfound = n;
    j->cap_found = cap;
}

static enum err apply_sources(struct job *j, struct fault *f)
{
    if (!j->sources)
        return OK;
    struct query_ctx *q = j->ev->q;
    struct sighted *s = sight_series(j);
    enum err e = sources_decide(q, &j->spelling, s, j->nfound, f);
    if (!e)
        e = targets_read(q, &j->spelling, s, j->nfound, &j->targets, &j->ntargets, f);
    if (!e)
        share_out(j, s);
    return e;
}

/* ---- all together ---------------------------------------------------------- */

/* What is handed on, in its order. */
struct shown {
    struct labels labels;
    struct keyed keyed;
    const struct found *series;
    const struct target_series *target;            /* or NULL */
    uint32_t group;
};

static int by_labels(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

/* All rows are here; of its samples only those that were asked for are handed on. */
static void target_points(struct job *j, const struct target_series *s, struct points *ret)
{
    struct acc_input in = { .rows = s->rows, .n = s->n, .money = metric_is_money(labels_get(s->labels, S("__name__"))) };
    struct accounted *acc = arena_new(&j->mem, struct accounted, 1);
    accounted_build(&j->mem, &in, acc);
    size_t from = 0, to = acc->nv;
    while (from < to && acc->vt[from] <= j->req->after_ms)
        from++;
    while (to > from && acc->vt[to - 1] > j->req->to_ms)
        to--;
    ret->t = acc->vt + from;
    ret->v = acc->vv + from;
    ret->n = to - from;
    ret->acc = acc;
}

static enum err give(struct job *j, const struct keys *keys, const struct shown *s, struct fault *f)
{
    struct points p = { .labels = s->labels, .group = s->group };
    arena_rewind(&j->mem);
    enum err e = OK;
    if (s->target)
        target_points(j, s->target, &p);
    else if (s->series->accounted)
        select_accounted(j, keys, &s->keyed, s->series, &p);
    else
        e = select_plain(j, s->series, &p, f);
    e = e ? e : query_check(j->ev->q, f);
    return e || !p.n ? e : j->req->each(j->req->arg, &p, f);
}

static void show_target(struct job *j, const struct target_series *t, struct shown *ret)
{
    struct select_groups *g = j->req->groups;
    *ret = (struct shown){ .labels = sources_labels(&j->spelling, j->ev->q->mem, t->labels, ORIGIN_SCRAPE), .target = t };
    if (!g)
        return;
    bool fresh;
    struct labels l = g->pick.keep ? labels_keep(j->ev->q->mem, t->labels, g->pick.names, g->pick.n)
                                   : labels_drop(j->ev->q->mem, t->labels, g->pick.names, g->pick.n);
    ret->group = idset_add(&g->ids, labels_id(l), &fresh);
    if (fresh)
        *arena_push(j->ev->q->mem, g->labels, g->n, g->cap) = l;
}

static enum err give_all(struct job *j, struct fault *f)
{
    struct query_ctx *q = j->ev->q;
    struct keys keys = { 0 };
    uint32_t n = 0, kept = 0;
    for (uint32_t i = 0; i < j->nfound; i++)
        kept += j->found[i].first != NO_STRETCH;
    struct shown *all = arena_new(q->mem, struct shown, kept + j->ntargets);
    for (uint32_t i = 0; i < j->nfound; i++) {
        const struct found *s = &j->found[i];
        if (s->first == NO_STRETCH)
            continue;                              /* folded */
        all[n++] = (struct shown){ .labels = j->req->groups ? j->mets[s->name].shown : s->shown, .series = s, .group = s->group };
        if (s->accounted)
            select_ask(j, &keys, s, &all[n - 1].keyed);
    }
    for (uint32_t t = 0; t < j->ntargets; t++)
        show_target(j, &j->targets[t], &all[n++]);
    enum err e = select_answer(j, &keys, f);
    if (!j->req->groups && n > 1)
        qsort(all, n, sizeof *all, by_labels);
    for (uint32_t i = 0; i < n && !e; i++)
        e = give(j, &keys, &all[i], f);
    return e;
}

/* Groups by ccmon_source, matches on it, or speaks of it in any other way. */
bool select_names_source(const struct promql *p)
{
    return str_find(p->text, S("ccmon_source")) != SIZE_MAX;
}

/* Groups are made from what is stored: not where series show under another name that counts. */
static bool names_clash(struct job *j)
{
    struct select_groups *g = j->req->groups;
    if (g && g->pick.keep && names_have(g->pick.names, g->pick.n, S("__name__")) && j->spelling.widened)
        g->clash = true;
    return select_failed(j);
}

static void end_tiles(struct job *j)
{
    tiles_end(j->req->tiles);
    for (uint32_t i = 0; i < j->names.n && j->req->tiled; i++)
        if (j->mets[i].tiled)
            j->req->tiled(j->req->arg, j->mets[i].shown);
}

enum err select_points(struct eval *ev, const struct select_req *r, struct fault *f)
{
    struct job j = {
        .ev = ev,
        .req = r,
        .from_ns = select_ms_to_ns(r->after_ms + 1 - ACC_BEFORE_MS),
        .to_ns = select_ms_to_ns(r->to_ms + 1 + ACC_BEFORE_MS),
    };
    if (r->after_ms >= r->to_ms)
        return OK;
    runs_init(&j.runs, ev->q);
    arena_init(&j.mem, SERIES_MEMORY);
    enum err e = spelling_open(r->sel, ev->q->mem, &j.spelling, f);
    if (!e) {
        j.sources = j.spelling.show_source = j.spelling.show_source || select_names_source(ev->query);
        CHECK(!r->groups || !j.sources);
        e = names_clash(&j) ? OK : select_scan(&j, f);
    }
    if (!e && !select_failed(&j))
        e = apply_sources(&j, f);
    if (!e && !select_failed(&j))
        e = give_all(&j, f);
    if (!e && r->tiles && !select_failed(&j))
        end_tiles(&j);
    spelling_close(&j.spelling);
    mem_free(j.stretches);
    mem_free(j.found);
    idset_done(&j.bare);
    idset_done(&j.names);
    runs_done(&j.runs);
    arena_done(&j.mem);
    return e;
}
