/* store/scan.c -- reading a fixed version: a view of the partitions and a picture of the
 * head, taken in one moment.
 *
 *   units (chunks, generations) in order of time
 *     -> pruned by summary and filter -> time and matcher columns decoded -> selection
 *     -> the other columns asked for, only where something was selected
 *
 * A matcher is tested once per distinct value of a column; the rows are then told by
 * their codes. Only where a label stands at several places of a row, or its column holds
 * plain numbers, is it tested row by row.
 */
#include <stdlib.h>
#include <string.h>

#include "store/scan_int.h"

/* ---- memory ---------------------------------------------------------------- */

/* Scans decode into arenas that keep their pages from one scan to the next: touching and
 * clearing fresh ones cost more than decoding did. */
static struct arena *scan_arena_take(struct store *s)
{
    struct arena *a = NULL;
    {
        GUARD(&s->lock);
        if (s->nscan_arenas)
            a = s->scan_arenas[--s->nscan_arenas];
    }
    if (!a) {
        a = mem_alloc(sizeof *a);
        arena_init(a, SCAN_ARENA_BYTES);
    }
    return a;
}

static void scan_arena_free(struct arena *a)
{
    if (!a)
        return;
    arena_done(a);
    mem_free(a);
}

static void scan_arena_give(struct store *s, struct arena *a)
{
    arena_keep(a, SCAN_KEEP_BYTES);
    {
        GUARD(&s->lock);
        if (s->nscan_arenas < SCAN_ARENAS) {
            s->scan_arenas[s->nscan_arenas++] = TAKE(a);
        }
        s->scan_used_mono_ns = clock_mono(s->cfg.clock);
        s->scan_rested = false;
    }
    scan_arena_free(a);
}

void store_scan_rest(struct store *s, int64_t before_mono_ns)
{
    struct arena *all[SCAN_ARENAS];
    uint32_t n = 0;
    bool at_rest;
    {
        GUARD(&s->lock);
        at_rest = !s->scan_rested && s->scan_used_mono_ns < before_mono_ns;
        s->scan_rested |= at_rest;
        while (at_rest && s->nscan_arenas)
            all[n++] = s->scan_arenas[--s->nscan_arenas];
    }
    while (n)
        scan_arena_free(all[--n]);
    cache_sweep(s->cache, before_mono_ns);
    if (at_rest)
        mem_trim();                                /* what queries allocated beside */
}

/* ---- the version ----------------------------------------------------------- */

static void add_gens(struct scan *sc, struct gen **gens, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct gen *g = gens[i];
        struct head *h = g->heads[sc->req.table];
        if (!gen_rows(g, sc->req.table))
            continue;
        int64_t t0 = atomic_load(&h->time_min), t1 = atomic_load(&h->time_max);
        if (t1 < sc->req.from_ns || t0 >= sc->req.to_ns)
            continue;
        struct unit *u = arena_push(&sc->mem, sc->units, sc->nunits, sc->cap_units);
        *u = (struct unit){ .t0 = t0, .t1 = t1, .head = h };
        head_picture(h, &sc->mem, &u->picture);
    }
}

/* View and generations belong together: between the two nothing may be flushed. */
static void take_version(struct scan *sc, struct store *s)
{
    GUARD(&s->lock);
    uint32_t n = 0;
    sc->view = part_view_ref(s->view);
    for (struct gen *g = s->oldest; g; g = g->next)
        n++;
    sc->gens = arena_new(&sc->mem, struct gen *, n);
    for (struct gen *g = s->oldest; g; g = g->next)
        sc->gens[sc->ngens++] = gen_ref(g);
    /* Pictures under the lock too: every row acknowledged so far, none after. */
    add_gens(sc, sc->gens, sc->ngens);
}

static bool chunk_in_range(const struct scan_req *r, const struct chunk_ref *c)
{
    return c->sum.table == r->table && c->t1 >= r->from_ns && c->t0 < r->to_ns &&
           (!r->recv_after_ns || c->sum.recv_max > r->recv_after_ns) && (!r->seq_after || c->sum.seq_max > r->seq_after);
}

static enum err add_chunks(struct scan *sc, struct fault *f)
{
    sc->lists = arena_new(&sc->mem, struct chunk_list *, sc->view->n + 1);
    for (uint32_t i = 0; i < sc->view->n; i++) {
        const struct part_item *it = &sc->view->at[i];
        if (it->time_max < sc->req.from_ns || it->time_min >= sc->req.to_ns || !it->rows[sc->req.table])
            continue;
        struct chunk_list *l;
        enum err e = part_chunks(it, &l, f);
        if (e)
            return e;
        sc->lists[sc->nlists++] = l;
        for (uint32_t k = 0; k < l->n; k++)
            if (chunk_in_range(&sc->req, &l->at[k]))
                *arena_push(&sc->mem, sc->units, sc->nunits, sc->cap_units) =
                    (struct unit){ .t0 = l->at[k].t0, .t1 = l->at[k].t1, .item = it, .chunk = &l->at[k] };
    }
    return OK;
}

static int newest_first(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;
    return x->t1 > y->t1 ? -1 : x->t1 < y->t1;
}

static int oldest_first(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;
    return x->t0 < y->t0 ? -1 : x->t0 > y->t0;
}

/* What was written at once is cut by series, so that a series at the cut goes on in the next
 * chunk, whose rows overlap the others' in sequence. */
static void put_in_order(struct scan *sc)
{
    for (uint32_t i = 0; i < sc->nunits; i++) {
        struct unit *u = &sc->units[i], *before = i ? u - 1 : NULL;
        u->order = i;                              /* heads come oldest first */
        if (u->head)
            continue;
        bool cut = before && !before->head && before->item == u->item && u->chunk->sum.seq_min <= before->chunk->sum.seq_max &&
                   before->chunk->sum.seq_min <= u->chunk->sum.seq_max;
        u->order = cut ? before->order : u->chunk->sum.seq_min;
    }
}

/* Partitions by time, within them what was written together, in the order of writing; heads last. */
static int by_arrival(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;
    if (!x->head != !y->head)
        return x->head ? 1 : -1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    if (x->order != y->order || x->head)
        return x->order < y->order ? -1 : x->order > y->order;
    return (x->chunk->id > y->chunk->id) - (x->chunk->id < y->chunk->id);
}

enum err store_scan_begin(struct source *src, const struct scan_req *req, struct scan **ret, struct fault *f)
{
    struct store *s = store_of(src);
    CHECK(!req->by_series || (req->table == TABLE_SAMPLE && !req->narrow));
    struct scan *sc = mem_alloc(sizeof *sc);
    *sc = (struct scan){ .s = s, .req = *req };
    if (!sc->req.rows_max)
        sc->req.rows_max = SCAN_ROWS_MAX;
    if (!sc->req.bytes_max)
        sc->req.bytes_max = SCAN_BYTES_MAX;
    arena_init(&sc->mem, SCAN_ARENA_BYTES);
    for (size_t i = 0; i < LEN(sc->loads); i++)
        sc->loads[i] = (struct load){ .sc = sc };
    take_version(sc, s);
    enum err e = add_chunks(sc, f);
    if (e) {
        store_scan_end(sc);
        return e;
    }
    bool arrival = req->order == SCAN_ANY && req->by_series;
    if (arrival)
        put_in_order(sc);
    if (sc->nunits)
        qsort(sc->units, sc->nunits, sizeof *sc->units,
              arrival ? by_arrival : req->order == SCAN_NEWEST_FIRST ? newest_first : oldest_first);
    *ret = sc;
    return OK;
}

/* What the last block pointed into. */
static void let_go(struct load *ld)
{
    while (ld->nheld)
        cached_unref(ld->held[--ld->nheld]);
    ld->held = NULL;
    ld->cap_held = 0;
    arena_rewind(ld->mem);
    ld->out = (struct block){ 0 };
}

static void count(struct scan *sc, const struct scan_stats *s)
{
    sc->stats.chunks += s->chunks;
    sc->stats.rows_read += s->rows_read;
    sc->stats.bytes_read += s->bytes_read;
}

/* What was begun and will not be asked for. */
static void drop_ahead(struct scan *sc)
{
    struct load *ld = &sc->loads[!sc->given];
    if (ld->begun && crew_unneeded(sc->s->crew, &ld->task))
        count(sc, &ld->stats);
}

struct scan_stats store_scan_end(struct scan *sc)
{
    drop_ahead(sc);
    struct scan_stats stats = sc->stats;
    for (uint32_t i = 0; i < sc->nlists; i++)
        chunk_list_unref(sc->lists[i]);
    for (uint32_t i = 0; i < sc->ngens; i++)
        gen_unref(sc->gens[i]);
    part_view_unref(sc->view);
    for (size_t i = 0; i < LEN(sc->loads); i++)
        if (sc->loads[i].mem) {
            let_go(&sc->loads[i]);
            scan_arena_give(sc->s, sc->loads[i].mem);
        }
    arena_done(&sc->mem);
    mem_free(sc);
    return stats;
}

/* ---- limits ---------------------------------------------------------------- */

static enum err check_limits(struct scan *sc, struct fault *f)
{
    const struct scan_req *r = &sc->req;
    if (r->cancelled && __atomic_load_n(r->cancelled, __ATOMIC_RELAXED))
        return fault_set(f, E_CANCELLED, 0, "query was canceled in expression evaluation");
    if (r->deadline_mono_ns && clock_mono(sc->s->cfg.clock) > r->deadline_mono_ns)
        return fault_set(f, E_CANCELLED, 0, "query timed out in expression evaluation");
    if (r->before.rows_read + sc->stats.rows_read > r->rows_max)
        return fault_set(f, E_LIMIT, 0, "the query read more than %llu rows (query.max_rows); ask for a shorter range",
                         (unsigned long long)r->rows_max);
    if (r->before.bytes_read + sc->stats.bytes_read > r->bytes_max)
        return fault_set(f, E_LIMIT, 0, "the query read more than %llu bytes (query.max_bytes); ask for a shorter range",
                         (unsigned long long)r->bytes_max);
    return OK;
}

/* What later units can still hold, by the asked order. */
static int64_t bound_after(const struct scan *sc)
{
    bool newest = sc->req.order == SCAN_NEWEST_FIRST;
    uint32_t next = sc->next - sc->loads[!sc->given].begun;      /* that of the unit ahead is to come */
    int64_t bound = newest ? INT64_MIN : INT64_MAX;
    if (sc->req.order == SCAN_ANY)
        return next < sc->nunits ? INT64_MAX : INT64_MIN;
    if (next < sc->nunits)
        bound = newest ? sc->units[next].t1 : sc->units[next].t0;
    return bound;
}

/* ---- units, one after the other and one ahead --------------------------------- */

enum { AHEAD_FROM_NS = 200000 };                   /* waking a helper costs some of this */

static void fill(void *arg)
{
    struct load *ld = arg;
    const struct clock *clock = ld->sc->s->cfg.clock;
    int64_t start = clock_mono(clock);
    if (!ld->u->head)
        ld->err = scan_chunk(ld, &ld->fault);
    else
        ld->err = ld->sc->req.by_series ? scan_head_series(ld) : scan_head(ld);
    ld->slow = clock_mono(clock) - start > AHEAD_FROM_NS;
}

/* The next unit goes into a load. */
static void begin(struct scan *sc, struct load *ld)
{
    if (!ld->mem)
        ld->mem = scan_arena_take(sc->s);
    let_go(ld);
    ld->u = &sc->units[sc->next++];
    ld->stats = (struct scan_stats){ 0 };
    ld->fault = (struct fault){ 0 };
    ld->task = (struct crew_task){ .do_it = fill, .arg = ld };
    ld->begun = true;
}

/* While the caller works on a block, a helper decodes the next one. Not where the query itself
 * narrows: that is the caller's code, for the caller's thread. */
static void go_ahead(struct scan *sc, struct load *ld, bool slow)
{
    if (!slow || sc->req.narrow || sc->next == sc->nunits)
        return;
    begin(sc, ld);
    if (crew_ahead(sc->s->crew, &ld->task))
        return;
    ld->begun = false;
    sc->next--;
}

enum err store_scan_next(struct scan *sc, const struct block **ret, struct fault *f)
{
    for (;;) {
        struct load *ld = &sc->loads[!sc->given];
        bool ahead = ld->begun;
        enum err e = check_limits(sc, f);
        if (e)
            return e;
        if (!ahead && sc->next == sc->nunits)
            break;
        if (!ahead)
            begin(sc, ld);
        if (ahead)
            crew_needed(sc->s->crew, &ld->task);
        else
            fill(ld);
        ld->begun = false;
        count(sc, &ld->stats);
        if (ld->err) {
            if (f)
                *f = ld->fault;
            return ld->err;
        }
        sc->given = !sc->given;
        go_ahead(sc, &sc->loads[!sc->given], ld->slow);
        if (!ld->out.nsel && !sc->req.narrow)
            continue;
        ld->out.next_bound = bound_after(sc);
        *ret = &ld->out;
        return OK;
    }
    *ret = NULL;
    return OK;
}
