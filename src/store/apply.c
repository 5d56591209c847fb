/* store/apply.c -- rows that are durable into the head, each once (accounting rule 5).
 *
 * A row is left out when its identity is known: to a set in memory (ident.h), to a chunk on
 * disk (known.c). Samples mostly are told to be new by their series (head_series.c): then no
 * set is asked, and none is made. Replay comes here too, so it leaves out the same rows and
 * gives partitions only what they do not have yet.
 */
#include <string.h>

#include "store/store_int.h"

/* A generation that has room for the batch, however large that is. */
static void make_room(struct store *s, const struct batch *b)
{
    if (gen_fits(s->live, b))
        return;
    store_seal(s);
    if (gen_fits(s->live, b))
        return;
    GUARD(&s->lock);
    struct gen *small = s->live;                   /* no rows: it was just made, or it has series only */
    CHECK(!small->last_seq);
    struct gen *big = gen_new(MAX(b->nrows, GENERATION_ROWS)), **at = &s->oldest;
    while (*at != small)
        at = &(*at)->next;
    *at = big;
    s->live = big;
    gen_unref(small);
}

/* One batch on its way. */
struct taking {
    struct store *s;
    struct batch view;                             /* the batch, with what is scratch here as its memory */
    struct arena scratch;
    bool *skip, *sure, *ask, *keep;                /* by row: a partition has it; memory cannot; to look for on disk; taken */
    struct known *known;                           /* by row: what the disk says */
    uint32_t *number;                              /* samples: by group, its series in the live head */
    struct ident *own;                             /* ids of the live head; NULL: of samples, and nobody asked for them */
    uint64_t duplicates, refused, kept;
};

static bool is_asked(const struct taking *x, uint32_t i)
{
    return !x->skip[i] && x->view.rows[i].verdict != VERDICT_ERASED;
}

/* ---- sets in memory --------------------------------------------------------- */

static struct ident *ids_of(struct gen *g, enum table t)
{
    if (t != TABLE_SAMPLE)
        return &g->idents[t];
    return g->heads[t] ? series_idents(g->heads[t]) : NULL;
}

static struct ident *ids_kept(struct store *s, uint32_t i, enum table t)
{
    if (t != TABLE_SAMPLE)
        return &s->kept[i].idents[t];
    return s->kept[i].samples ? series_idents(s->kept[i].samples) : NULL;
}

static const struct ident_slot *better(const struct ident_slot *found, const struct ident *set, struct id128 id)
{
    const struct ident_slot *x = set ? ident_find(set, id) : NULL;
    return x && (!found || x->value > found->value) ? x : found;
}

/* A cumulative id stands in each generation that took a larger value of it. */
static const struct ident_slot *find_in_memory(struct store *s, enum table t, struct id128 id)
{
    const struct ident_slot *found = NULL;
    for (uint32_t i = 0; i < IDENT_KEPT; i++)
        found = better(found, ids_kept(s, i, t), id);
    for (struct gen *g = s->oldest; g; g = g->next)
        found = better(found, ids_of(g, t), id);
    return found;
}

/* Rows ahead of the one that is looked for: each look is a cache miss in every set. */
enum { EXPECT_ROWS = 12 };

static void expect_in_memory(const struct store *s, enum table t, struct id128 id)
{
    for (uint32_t i = 0; i < IDENT_KEPT; i++)
        ident_expect(&s->kept[i].idents[t], id);
    for (const struct gen *g = s->oldest; g; g = g->next)
        ident_expect(&g->idents[t], id);
}

/* ---- what memory says ---------------------------------------------------------- */

static void look_in_memory(struct taking *x)
{
    const struct batch *b = &x->view;
    for (uint32_t i = 0; i < b->nrows; i++) {
        if (b->table != TABLE_SAMPLE && i + EXPECT_ROWS < b->nrows)
            expect_in_memory(x->s, b->table, b->rows[i + EXPECT_ROWS].id);
        x->ask[i] = is_asked(x, i) && (x->sure[i] || !find_in_memory(x->s, b->table, b->rows[i].id));
    }
}

/* The newest row that older heads have of a series. */
static int64_t newest_before(const struct store *s, struct id128 id)
{
    int64_t newest = INT64_MIN;
    for (uint32_t i = 0; i < IDENT_KEPT; i++)
        if (s->kept[i].samples)
            newest = MAX(newest, series_newest_own(s->kept[i].samples, id));
    for (const struct gen *g = s->oldest; g != s->live; g = g->next)
        if (g->heads[TABLE_SAMPLE])
            newest = MAX(newest, series_newest_own(g->heads[TABLE_SAMPLE], id));
    return newest;
}

static uint32_t number_of(struct taking *x, struct head *live, uint32_t group)
{
    uint32_t *n = &x->number[group];
    if (*n != SERIES_NONE)
        return *n;
    struct id128 id = x->view.series[group].id;
    *n = series_find(live, id);
    if (*n == SERIES_NONE)
        *n = series_add(live, &x->view, group, newest_before(x->s, id));
    return *n;
}

/* Finds every row's series, and which rows are new by it. False: some are not, and no set
 * was asked for them yet. */
static bool look_at_series(struct taking *x)
{
    struct head *live = gen_head(x->s->live, TABLE_SAMPLE);
    bool all = true;
    x->number = arena_raw(&x->scratch, uint32_t, x->view.ngroups + 1);
    memset(x->number, 0xff, x->view.ngroups * sizeof *x->number);
    for (uint32_t i = 0; i < x->view.nrows; i++) {
        const struct row *r = &x->view.rows[i];
        if (!is_asked(x, i))
            continue;
        x->ask[i] = true;
        x->sure[i] = series_is_newer(live, number_of(x, live, r->group), r);
        all = all && x->sure[i];
    }
    return all;
}

/* ---- taking ---------------------------------------------------------------------- */

/* Whether the row is new; its id is remembered then. What partitions say counts only for a
 * row that no set in memory knew when the request came: since then the live one can have
 * learnt of it, from the same request. */
static bool take_row(struct taking *x, uint32_t i)
{
    enum table t = x->view.table;
    struct row *r = &x->view.rows[i];
    struct ident_slot *own = x->own && !x->sure[i] ? ident_find(x->own, r->id) : NULL;
    const struct ident_slot *slot = own || x->ask[i] ? own : find_in_memory(x->s, t, r->id);
    if (slot || x->known[i].found) {
        switch (ident_judge(r, t, slot ? slot->value : x->known[i].value)) {
        case IDENT_DUPLICATE:
            x->duplicates++;
            r->verdict = VERDICT_DUPLICATE;
            return false;
        case IDENT_REFUSED:
            x->refused++;
            r->verdict = VERDICT_REFUSED;
            return false;
        case IDENT_LARGER:
            break;
        }
    }
    if (own)
        own->value = r->value;
    else if (x->own)
        ident_put(x->own, r->id, r->value);
    x->kept++;
    return true;
}

/* A row that a partition has already. If it was moved, a crash may have come before its
 * identity was noted in the catalogue. */
static void note_again(struct store *s, enum table t, const struct row *r, uint64_t seq, int64_t recv_ns)
{
    struct moved_id m = { r->id, seq, recv_ns };
    struct fault f = { 0 };
    if (row_is_moved(t, r) && catalog_moved_put(s->catalog, &m, 1, &f))
        store_report(s, "catalogue", f.msg);
}

static void append(struct taking *x, uint64_t seq)
{
    struct gen *g = x->s->live;
    if (x->number)
        series_append(g, &x->view, x->keep, x->number, x->own != NULL, seq);
    else
        gen_append(g, &x->view, x->keep, seq);
    if (!g->last_seq) {
        g->first_seq = seq;
        g->begun_mono_ns = clock_mono(x->s->cfg.clock);
    }
    g->last_seq = seq;
    gen_publish(g);
}

static void count(struct store *s, const struct taking *x, uint64_t seq)
{
    GUARD(&s->lock);
    s->duplicates += x->duplicates;
    s->refused += x->refused;
    s->moved += x->view.moved;
    s->seq = seq;
    s->last_recv_ns = MAX(s->last_recv_ns, x->view.recv_ns);
}

enum err store_apply(struct store *s, struct batch *b, uint64_t seq, uint64_t frame_bytes, bool replayed, struct fault *f)
{
    GUARD(&s->apply_lock);
    make_room(s, b);
    struct taking x = { .s = s, .view = *b, .scratch = *b->mem };
    x.view.mem = &x.scratch;
    bool *flags = arena_new(&x.scratch, bool, (size_t)4 * (b->nrows + 1));
    x.skip = flags;
    x.sure = flags + (b->nrows + 1);
    x.ask = x.sure + (b->nrows + 1);
    x.keep = x.ask + (b->nrows + 1);
    x.known = arena_new(&x.scratch, struct known, b->nrows + 1);
    for (uint32_t i = 0; i < b->nrows && replayed; i++)
        x.skip[i] = seq <= part_span_at(s->parts, b->rows[i].time_ns).mark;
    if (b->table != TABLE_SAMPLE || !look_at_series(&x)) {
        x.own = ids_of(s->live, b->table);
        look_in_memory(&x);
    }
    enum err e = known_find(s, &x.view, x.ask, &x.scratch, x.known, f);
    if (e && !replayed)                            /* a start goes on: what was acknowledged must be there */
        return e;
    for (uint32_t i = 0; i < b->nrows; i++) {
        if (b->rows[i].verdict == VERDICT_ERASED)
            continue;
        if (x.skip[i])
            note_again(s, b->table, &b->rows[i], seq, b->recv_ns);
        else
            x.keep[i] = take_row(&x, i);
    }
    s->live->log_bytes += frame_bytes;
    if (x.kept)
        append(&x, seq);
    store_metas_note(s, b);
    count(s, &x, seq);
    return OK;
}
