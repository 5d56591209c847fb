/* store/compact.c -- jobs of the flusher for when it has nothing to flush.
 *
 *     small    some chunks of a partition become one          part_replace()
 *     day      a day that is over: its rows sorted as a whole  part_rewrite
 *     month    the closed days of a month that is over         part_rewrite_month()
 *
 * A job is done in steps of a tenth of a second or two (the keys of a section, one new
 * chunk, a few copied ones); between any two a sealed generation is flushed first, and a
 * stop ends the job. It works on a view that it holds: if its partition changes meanwhile,
 * by late rows or retention, the job is dropped and found again later. So compaction needs
 * no locks and no rights that the flusher has not, and never makes a writer wait longer
 * than a step.
 *
 * Rows are neither added nor dropped: each stood once before. Where a larger value of a
 * cumulative identity came later both rows are kept, as they were acknowledged; readers
 * take the larger one, wherever the two stand.
 *
 * What cannot be compacted (damage, too many columns) is reported once and closed as it is.
 */
#include "store/compact.h"

#include <stdlib.h>
#include <string.h>

#include "store/compact_int.h"
#include "store/store_int.h"

enum { SEEN_MAX = 64, KEEP_CHUNKS = 8 };

enum job_kind { JOB_NONE, JOB_SMALL, JOB_DAY, JOB_MONTH };

struct compactor {
    struct store *s;
    enum job_kind kind;
    struct arena mem;                              /* of the job */
    struct arena rows;                             /* of one step, or of one section */
    struct part_view *view;
    const struct part_item *item;                  /* month: the first day */
    struct chunk_list *list;
    struct part_rewrite *rewrite;
    struct section *sections;
    uint32_t nsections, section, out;
    uint64_t *keep;                                /* chunks that are copied */
    uint32_t nkeep, kept;
    uint32_t ndays, day;                           /* month: items of the view from `item` on */
    struct {
        uint64_t part, generation;
        bool failed;
    } seen[SEEN_MAX];                              /* there was nothing to do, or it failed */
    uint32_t nseen;
    int64_t retry_mono_ns;                         /* nothing before this */
};

/* ---- what was looked at ------------------------------------------------------------------ */

static bool was_seen(const struct compactor *c, const struct part_item *it, bool failed)
{
    for (uint32_t i = 0; i < SEEN_MAX; i++)
        if (c->seen[i].part == it->uid && c->seen[i].generation == it->generation && (c->seen[i].failed || !failed))
            return true;
    return false;
}

static void note_seen(struct compactor *c, const struct part_item *it, bool failed)
{
    uint32_t at = c->nseen++ % SEEN_MAX;
    c->seen[at].part = it->uid;
    c->seen[at].generation = it->generation;
    c->seen[at].failed = failed;
}

/* ---- beginning and ending a job ---------------------------------------------------------- */

static void end_job(struct compactor *c)
{
    part_rewrite_drop(TAKE(c->rewrite));
    chunk_list_unref(TAKE(c->list));
    part_view_unref(TAKE(c->view));
    if (c->kind != JOB_NONE) {
        arena_done(&c->mem);
        arena_done(&c->rows);
    }
    c->kind = JOB_NONE;
    c->item = NULL;
    c->sections = NULL;
    c->keep = NULL;
    c->nsections = c->section = c->out = c->nkeep = c->kept = c->ndays = c->day = 0;
}

/* A disk that is full, or a partition that changed, is tried again; the rest never is. */
static void job_failed(struct compactor *c, enum err e, const struct fault *f)
{
    struct store *s = c->s;
    if (e == E_UNAVAILABLE) {
        c->retry_mono_ns = clock_mono(s->cfg.clock) + COMPACT_RETRY_NS;
    } else {
        store_report(s, "compaction", f->msg);
        for (uint32_t i = 0; i < MAX(c->ndays, 1u); i++)
            note_seen(c, &c->item[i], true);
        if (c->kind != JOB_MONTH)
            part_settled(s->parts, c->item->from_ns);
    }
    end_job(c);
}

static void show(struct store *s)
{
    struct fault f = { 0 };
    store_show_view(s);
    if (part_sweep(s->parts, &f))
        store_report(s, "compaction", f.msg);
}

/* The job's partitions are as they were when it began. */
static bool still_there(const struct compactor *c)
{
    struct part_view *v = part_view_get(c->s->parts);
    uint32_t same = 0, n = MAX(c->ndays, 1u);
    for (uint32_t i = 0; i < v->n && same < n; i++)
        same += v->at[i].uid == c->item[same].uid && v->at[i].generation == c->item[same].generation;
    part_view_unref(v);
    return same == n;
}

static void begin_job(struct compactor *c, enum job_kind kind, struct part_view *v, const struct part_item *it)
{
    c->kind = kind;
    c->view = part_view_ref(v);
    c->item = it;
    arena_init(&c->mem, (size_t)16 << 20);
    arena_init(&c->rows, SCAN_ARENA_BYTES);
}

static struct section make_section(const struct compactor *c, enum table t, uint32_t level, const uint32_t *index, uint32_t n,
                                   struct arena *mem)
{
    struct section s = { .table = t, .level = level, .item = c->item, .nchunks = n };
    s.chunks = arena_new(mem, const struct chunk_ref *, n);
    for (uint32_t i = 0; i < n; i++)
        s.chunks[i] = &c->list->at[index[i]];
    return s;
}

/* ---- small chunks -------------------------------------------------------------------------- */

static enum err put_small(struct compactor *c, const struct section *x, struct fault *f)
{
    struct store *s = c->s;
    struct chunk_out *out = arena_new(&c->rows, struct chunk_out, x->nout);
    uint64_t *old = arena_new(&c->rows, uint64_t, x->nchunks);
    enum err e = OK;
    for (uint32_t i = 0; i < x->nchunks; i++)
        old[i] = x->chunks[i]->id;
    for (uint32_t i = 0; i < x->nout && !e; i++)
        e = compact_gather(x, i, &c->rows, &out[i], f);
    if (e)
        return e;
    struct part_write w = { .mark = c->item->mark, .chunks = out, .nchunks = x->nout };
    e = part_flush_begin(s->parts, &c->item->from_ns, 1, f);
    if (!e)
        e = part_replace(s->parts, c->item->from_ns, old, x->nchunks, &w, f);
    enum err ended = part_flush_end(s->parts, e ? NULL : f);
    return e ? e : ended;
}

static enum err step_small(struct compactor *c, bool *ret_done, struct fault *f)
{
    struct section *x = &c->sections[0];
    enum err e = compact_sort(x, &c->rows, f);
    *ret_done = true;
    if (e)
        return e;
    if (x->nout >= x->nchunks) {                   /* they are small in rows, not in bytes */
        note_seen(c, c->item, false);
        return OK;
    }
    e = put_small(c, x, f);
    if (!e)
        show(c->s);
    return e;
}

/* ---- days ------------------------------------------------------------------------------------ */

static enum err begin_day(struct compactor *c, uint32_t tables, struct fault *f)
{
    const struct chunk_list *l = c->list;
    uint32_t cap = 0, cap_keep = 0;
    for (int t = 0; t < TABLE_COUNT; t++) {
        if (!(tables >> t & 1))
            continue;
        uint32_t *index, *end, from = 0;
        uint32_t n = compact_pick_sections(l->at, l->n, (enum table)t, &c->mem, &index, &end);
        for (uint32_t i = 0; i < n; from = end[i++]) {
            struct section s = make_section(c, (enum table)t, 2, index + from, end[i] - from, &c->mem);
            *arena_push(&c->mem, c->sections, c->nsections, cap) = s;
        }
    }
    for (uint32_t i = 0; i < l->n; i++)
        if (!(tables >> l->at[i].sum.table & 1))
            *arena_push(&c->mem, c->keep, c->nkeep, cap_keep) = l->at[i].id;
    return part_rewrite_begin(c->s->parts, c->item->from_ns, &c->rewrite, f);
}

static enum err finish_rewrite(struct compactor *c, bool *ret_done, struct fault *f)
{
    *ret_done = true;
    enum err e = part_rewrite_end(TAKE(c->rewrite), 0, f);
    if (!e)
        show(c->s);
    return e;
}

static enum err step_section(struct compactor *c, struct fault *f)
{
    struct section *x = &c->sections[c->section];
    if (!x->order) {
        arena_reset(&c->rows);
        return compact_sort(x, &c->rows, f);
    }
    CLEANUP(arena_done) struct arena mem;
    struct chunk_out out;
    arena_init(&mem, SCAN_ARENA_BYTES);
    enum err e = compact_gather(x, c->out, &mem, &out, f);
    if (!e)
        e = part_rewrite_put(c->rewrite, &out, 1, f);
    if (++c->out == x->nout) {
        c->out = 0;
        c->section++;
    }
    return e;
}

static enum err step_day(struct compactor *c, bool *ret_done, struct fault *f)
{
    if (c->kept < c->nkeep) {
        uint32_t n = MIN(c->nkeep - c->kept, (uint32_t)KEEP_CHUNKS);
        enum err e = part_rewrite_keep(c->rewrite, c->item, c->keep + c->kept, n, f);
        c->kept += n;
        return e;
    }
    return c->section < c->nsections ? step_section(c, f) : finish_rewrite(c, ret_done, f);
}

/* ---- months ------------------------------------------------------------------------------------ */

static enum err step_month(struct compactor *c, bool *ret_done, struct fault *f)
{
    if (c->day == c->ndays)
        return finish_rewrite(c, ret_done, f);
    const struct part_item *it = &c->item[c->day++];
    struct chunk_list *l;
    enum err e = part_chunks(it, &l, f);
    if (e)
        return e;
    arena_reset(&c->rows);
    uint64_t *ids = arena_new(&c->rows, uint64_t, l->n + 1);
    for (uint32_t i = 0; i < l->n; i++)
        ids[i] = l->at[i].id;
    e = part_rewrite_keep(c->rewrite, it, ids, l->n, f);
    chunk_list_unref(l);
    return e;
}

/* A mark of the month is the greatest of its days: true if every row up to it is in partitions. */
static bool all_flushed(struct store *s, uint64_t mark)
{
    GUARD(&s->apply_lock);
    return s->oldest == s->live && (!s->live->last_seq || s->live->first_seq > mark);
}

/* How many items from `it` on are the closed days of one month that is over, and small enough; 0: they are not. */
static uint32_t month_of(struct compactor *c, const struct part_item *it, uint32_t n)
{
    struct store *s = c->s;
    int64_t from_ns, to_ns;
    char name[CATALOG_NAME_MAX];
    uint64_t bytes = 0, mark = 0;
    uint32_t days = 0;
    part_month(it->from_ns, &from_ns, &to_ns, name);
    if (to_ns == INT64_MAX || clock_now(s->cfg.clock) - MONTH_AGE_NS < to_ns)
        return 0;
    for (; days < n && it[days].from_ns < to_ns; days++) {
        if (part_age(s->parts, it[days].from_ns) != PART_CLOSED || was_seen(c, &it[days], true))
            return 0;
        bytes += it[days].bytes;
        mark = MAX(mark, it[days].mark);
    }
    return days > 1 && bytes < MONTH_BYTES && all_flushed(s, mark) ? days : 0;
}

/* ---- finding a job -------------------------------------------------------------------------------- */

/* True: there is one, or it failed at once. */
static bool look_at(struct compactor *c, struct part_view *v, const struct part_item *it)
{
    struct store *s = c->s;
    struct fault f = { 0 };
    enum part_age age = part_age(s->parts, it->from_ns);
    if ((age != PART_OPEN && age != PART_RIPE) || (age == PART_OPEN && was_seen(c, it, false)))
        return false;
    begin_job(c, JOB_SMALL, v, it);
    enum err e = part_chunks(it, &c->list, &f);
    if (e) {
        job_failed(c, e, &f);
        return true;
    }
    const struct chunk_list *l = c->list;
    int64_t before = clock_now(s->cfg.clock) - COMPACT_AGE_NS;
    uint32_t tables = age == PART_RIPE ? compact_pick_tables(l->at, l->n) : 0, *index, n = 0;
    if (tables) {
        c->kind = JOB_DAY;
        e = begin_day(c, tables, &f);
        if (e)
            job_failed(c, e, &f);
        return true;
    }
    if (!was_seen(c, it, false))
        n = compact_pick_small(l->at, l->n, before, &c->mem, &index);
    if (n) {
        c->sections = arena_new(&c->mem, struct section, 1);
        c->sections[0] = make_section(c, l->at[index[0]].sum.table, 1, index, n, &c->mem);
        return true;
    }
    if (age == PART_RIPE)
        part_settled(s->parts, it->from_ns);
    else if (!compact_some_young(l->at, l->n, before))
        note_seen(c, it, false);
    end_job(c);
    return false;
}

static bool look_at_month(struct compactor *c, struct part_view *v, const struct part_item *it, uint32_t days)
{
    struct fault f = { 0 };
    begin_job(c, JOB_MONTH, v, it);
    c->ndays = days;
    enum err e = part_rewrite_month(c->s->parts, it->from_ns, &c->rewrite, &f);
    if (e)
        job_failed(c, e, &f);
    return true;
}

static bool find_job(struct compactor *c)
{
    struct part_view *v = part_view_get(c->s->parts);
    bool found = false;
    for (uint32_t i = 0; i < v->n && !found; i++)
        found = look_at(c, v, &v->at[i]);
    for (uint32_t i = 0; i < v->n && !found;) {
        uint32_t days = month_of(c, &v->at[i], v->n - i);
        found = days && look_at_month(c, v, &v->at[i], days);
        int64_t from_ns, to_ns;
        char name[CATALOG_NAME_MAX];
        part_month(v->at[i].from_ns, &from_ns, &to_ns, name);
        for (i++; i < v->n && v->at[i].from_ns < to_ns;)
            i++;
    }
    part_view_unref(v);
    return found;
}

/* ---- the compactor ---------------------------------------------------------------------------------- */

struct compactor *compact_new(struct store *s)
{
    struct compactor *c = mem_alloc(sizeof *c);
    c->s = s;
    return c;
}

void compact_free(struct compactor *c)
{
    if (!c)
        return;
    end_job(c);
    mem_free(c);
}

bool compact_step(struct compactor *c)
{
    static enum err (*const steps[])(struct compactor *c, bool *ret_done, struct fault *f) = {
        [JOB_SMALL] = step_small, [JOB_DAY] = step_day, [JOB_MONTH] = step_month,
    };
    if (c->retry_mono_ns && clock_mono(c->s->cfg.clock) < c->retry_mono_ns)
        return false;
    c->retry_mono_ns = 0;
    if (c->kind == JOB_NONE)
        return find_job(c);
    if (!still_there(c)) {
        end_job(c);
        return true;
    }
    struct fault f = { 0 };
    bool done = false;
    enum err e = steps[c->kind](c, &done, &f);
    if (e)
        job_failed(c, e, &f);
    else if (done)
        end_job(c);
    return true;
}
