/* store/retain.c -- what is not kept any longer, once a minute, on the flusher's thread.
 *
 *   age of a signal   whole partitions whose every signal is due are unlinked; where one signal is
 *                     due and another is not, the file is written anew without its chunks, once
 *   age of content    the content file is unlinked; rows stay
 *   size              the oldest partitions go until the rest fits
 *
 * A partition is due when all of it is: a day, or the month that days were put into. Size never
 * takes the newest partition, nor one of whose time there are rows that are not in partitions
 * yet: they would make it anew.
 *
 * Absolute totals fall when the rows they were made of go, which PromQL reads as a counter
 * reset; increases are not concerned (bases.c).
 */
#include "store/store_int.h"

enum { REWRITES_PER_TICK = 4 };                    /* each copies what stays of a partition */

static struct retention retention_of(struct store *s)
{
    GUARD(&s->lock);
    return s->retention;
}

/* When everything of an age is due that ends before; INT64_MIN: nothing is. */
static int64_t edge_of(int64_t now, int64_t age_ns)
{
    return age_ns ? now - age_ns : INT64_MIN;
}

/* Which tables with rows are due; *ret_stays: one is not. */
static uint32_t due_tables(const struct retention *r, const struct part_item *it, int64_t now, bool *ret_stays)
{
    uint32_t due = 0;
    *ret_stays = false;
    for (int t = 0; t < TABLE_COUNT; t++) {
        if (!it->rows[t])
            continue;
        if (it->to_ns <= edge_of(now, r->age_ns[t]))
            due |= 1u << t;
        else
            *ret_stays = true;
    }
    return due;
}

/* ---- what goes ------------------------------------------------------------------------- */

static void note_gone(struct store *s, const struct part_item *it, uint32_t tables, bool whole)
{
    GUARD(&s->lock);
    for (int t = 0; t < TABLE_COUNT; t++)
        if (whole || tables >> t & 1)
            s->retained.rows += it->rows[t];
    s->retained.partitions += whole;
}

static bool drop_whole(struct store *s, const struct part_item *it)
{
    struct fault f = { 0 };
    enum err e = part_drop(s->parts, it->from_ns, &f);
    if (e)
        store_report(s, "retention", f.msg);
    else
        note_gone(s, it, 0, true);
    return true;
}

static enum err keep_others(struct part_rewrite *r, const struct part_item *it, const struct chunk_list *l, uint32_t tables,
                            struct fault *f)
{
    enum err e = OK;
    for (uint32_t i = 0; i < l->n && !e; i++)
        if (!(tables >> l->at[i].sum.table & 1))
            e = part_rewrite_keep(r, it, &l->at[i].id, 1, f);
    return e;
}

/* The partition without the chunks of these tables. */
static enum err drop_tables(struct store *s, const struct part_item *it, uint32_t tables, struct fault *f)
{
    struct chunk_list *l;
    struct part_rewrite *r;
    enum err e = part_chunks(it, &l, f);
    if (e)
        return e;
    e = part_rewrite_begin(s->parts, it->from_ns, &r, f);
    if (!e) {
        e = keep_others(r, it, l, tables, f);
        if (e)
            part_rewrite_drop(r);
        else
            e = part_rewrite_end(r, REWRITE_FEWER_ROWS | (tables >> TABLE_SAMPLE & 1 ? REWRITE_NO_CARRIES : 0), f);
    }
    chunk_list_unref(l);
    if (!e)
        note_gone(s, it, tables, false);
    return e;
}

static void drop_content(struct store *s, const struct part_item *it)
{
    struct fault f = { 0 };
    if (part_drop_content(s->parts, it->from_ns, &f)) {
        store_report(s, "retention", f.msg);
        return;
    }
    GUARD(&s->lock);
    s->retained.contents++;
}

/* ---- by age -------------------------------------------------------------------------------- */

/* Whether views have to be made anew. */
static bool by_age(struct store *s, const struct retention *r, int64_t now)
{
    struct part_view *v = part_view_get(s->parts);
    bool changed = false;
    unsigned rewrites = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct part_item *it = &v->at[i];
        struct fault f = { 0 };
        bool stays;
        uint32_t due = due_tables(r, it, now, &stays);
        if (due && !stays) {
            changed |= drop_whole(s, it);
            continue;
        }
        if (due && rewrites++ < REWRITES_PER_TICK) {
            enum err e = drop_tables(s, it, due, &f);
            if (e && e != E_UNAVAILABLE)           /* written meanwhile, or a full disk: the next time */
                store_report(s, "retention", f.msg);
            changed |= !e;
        }
        if (it->to_ns <= edge_of(now, r->content_ns) && part_has_content(it))
            drop_content(s, it);
    }
    part_view_unref(v);
    return changed;
}

/* ---- by size --------------------------------------------------------------------------------- */

/* The oldest row that is not in a partition. */
static int64_t head_oldest(struct store *s)
{
    int64_t oldest = INT64_MAX;
    GUARD(&s->lock);
    for (struct gen *g = s->oldest; g; g = g->next)
        for (int t = 0; t < TABLE_COUNT; t++)
            if (gen_rows(g, (enum table)t))
                oldest = MIN(oldest, atomic_load(&atomic_load(&g->heads[t])->time_min));
    return oldest;
}

static bool by_size(struct store *s, const struct retention *r)
{
    struct part_view *v = part_view_get(s->parts);
    int64_t waits = head_oldest(s);
    uint64_t bytes = 0;
    bool changed = false;
    for (uint32_t i = 0; i < v->n; i++)
        bytes += v->at[i].bytes;
    for (uint32_t i = 0; r->bytes && i + 1 < v->n && bytes > r->bytes && v->at[i].to_ns <= waits; i++) {
        bytes -= v->at[i].bytes;
        changed |= drop_whole(s, &v->at[i]);
    }
    part_view_unref(v);
    return changed;
}

/* ---- what goes next ---------------------------------------------------------------------------- */

/* When the last signal of a partition is due; INT64_MAX: never. */
static int64_t whole_due(const struct retention *r, const struct part_item *it)
{
    int64_t due = INT64_MIN;
    for (int t = 0; t < TABLE_COUNT; t++)
        if (it->rows[t])
            due = MAX(due, r->age_ns[t] && it->to_ns <= INT64_MAX - r->age_ns[t] ? it->to_ns + r->age_ns[t] : INT64_MAX);
    return due;
}

static void foresee(struct store *s, const struct retention *r)
{
    struct part_view *v = part_view_get(s->parts);
    uint64_t bytes = 0;
    int64_t next = INT64_MAX;
    uint32_t which = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        int64_t due = whole_due(r, &v->at[i]);
        bytes += v->at[i].bytes;
        if (due < next) {
            next = due;
            which = i;
        }
    }
    GUARD(&s->lock);
    struct retention_state *st = &s->retained;
    st->bytes = bytes;
    st->next_ns = next == INT64_MAX ? 0 : next;
    st->next_from_ns = st->next_rows = st->next_bytes = 0;
    if (st->next_ns) {
        const struct part_item *it = &v->at[which];
        st->next_from_ns = it->from_ns;
        st->next_bytes = it->bytes;
        for (int t = 0; t < TABLE_COUNT; t++)
            st->next_rows += it->rows[t];
    }
    part_view_unref(v);
}

/* ---- once a minute ------------------------------------------------------------------------------- */

static int64_t longest(const struct retention *r)
{
    int64_t age = 0;
    for (int t = 0; t < TABLE_COUNT; t++) {
        if (!r->age_ns[t])
            return 0;
        age = MAX(age, r->age_ns[t]);
    }
    return age;
}

void store_retain(struct store *s)
{
    struct retention r = retention_of(s);
    struct fault f = { 0 };
    int64_t now = clock_now(s->cfg.clock);
    bool changed = by_age(s, &r, now);
    changed |= by_size(s, &r);
    if (changed && longest(&r) && catalog_moved_prune(s->catalog, now - longest(&r), &f))
        store_report(s, "retention", f.msg);
    if (changed)
        store_show_view(s);
    foresee(s, &r);
}

/* ---- for others ------------------------------------------------------------------------------------ */

void store_set_retentions(struct store *s, const struct retention *r)
{
    GUARD(&s->lock);
    s->retention = *r;
}

void store_set_retention(struct store *s, int64_t retention_ns)
{
    struct retention r = { .age_ns = { retention_ns, retention_ns, retention_ns } };
    store_set_retentions(s, &r);
}

struct retention_state store_retention_state(struct store *s)
{
    GUARD(&s->lock);
    return s->retained;
}
