/* store/flush.c -- sealed generations into partitions.
 *
 *   sealed generation -> rows by partition -> chunks -> one transaction a partition, with
 *   the generation's last sequence as its mark -> new view, generation gone -> log cut
 *
 * A flush that fails half-way is tried again: a partition that was written has the mark
 * already, and rows at or below it are left out. The log keeps everything until the end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/store_int.h"


struct job {
    struct store *s;
    struct gen *g;
    struct arena mem;
    struct block pictures[TABLE_COUNT];
    int64_t *days;                                 /* from_ns of the partitions that rows go to, ascending */
    size_t ndays;
};

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* ---- one generation -------------------------------------------------------- */

static void take_pictures(struct job *j)
{
    for (int t = 0; t < TABLE_COUNT; t++)
        if (j->g->heads[t])
            head_picture(j->g->heads[t], &j->mem, &j->pictures[t]);
}

/* Which partitions there are to write. Neighbouring rows are mostly of one day. */
static void find_days(struct job *j)
{
    size_t n = 0, cap = 0;
    struct part_span last = { 0 };
    for (int t = 0; t < TABLE_COUNT; t++)
        for (uint32_t i = 0; i < j->pictures[t].n; i++) {
            int64_t time = j->pictures[t].time_ns[i];
            if (time >= last.from_ns && time < last.to_ns)
                continue;
            last = part_span_at(j->s->parts, time);
            *arena_push(&j->mem, j->days, n, cap) = last.from_ns;
        }
    if (n)
        qsort(j->days, n, sizeof *j->days, by_time);
    for (size_t i = 0; i < n; i++)
        if (!j->ndays || j->days[j->ndays - 1] != j->days[i])
            j->days[j->ndays++] = j->days[i];
}

/* Rows of one table that belong to the partition and are not in it. */
static void select_rows(const struct block *b, struct part_span span, struct arena *mem, struct block *ret)
{
    uint32_t *sel = arena_new(mem, uint32_t, b->n + 1), n = 0;
    for (uint32_t i = 0; i < b->n; i++)
        if (b->time_ns[i] >= span.from_ns && b->time_ns[i] < span.to_ns && b->seq[i] > span.mark)
            sel[n++] = i;
    *ret = *b;
    ret->sel = sel;
    ret->nsel = n;
}

struct chunks {
    struct chunk_out *at;
    uint32_t n, cap;
};

static enum err encode_table(enum table t, const struct block *b, struct arena *mem, struct chunks *out, struct fault *f)
{
    struct block rest = *b;
    for (uint32_t from = 0; from < b->nsel;) {
        uint32_t n = chunk_cut(b, from);
        rest.sel = b->sel + from;
        rest.nsel = n;
        enum err e = chunk_encode(t, &rest, 0, mem, arena_push(mem, out->at, out->n, out->cap), f);
        if (e)
            return e;
        from += n;
    }
    return OK;
}

static enum err write_day(struct job *j, int64_t from_ns, struct fault *f)
{
    struct arena mem = j->mem;
    struct chunks chunks = { 0 };
    struct part_span span = part_span_at(j->s->parts, from_ns);
    for (int t = 0; t < TABLE_COUNT; t++) {
        struct block b;
        if (!j->pictures[t].n)
            continue;
        select_rows(&j->pictures[t], span, &mem, &b);
        enum err e = encode_table((enum table)t, &b, &mem, &chunks, f);
        if (e)
            return e;
    }
    if (!chunks.n)
        return OK;
    struct part_write w = { .mark = j->g->last_seq, .chunks = chunks.at, .nchunks = chunks.n };
    enum err e = part_write(j->s->parts, from_ns, &w, f);
    if (e == E_CORRUPT) {
        /* What is coming must not wait for ever for a damaged file; it is kept aside. */
        struct fault q = { 0 };
        store_report(j->s, "damaged partition", f->msg);
        if (part_quarantine(j->s->parts, from_ns, &q))
            store_report(j->s, "damaged partition", q.msg);
    }
    return e;
}

static struct row fixed_of(enum table t, const struct block *b, uint32_t i)
{
    struct row r = { .time_ns = b->time_ns[i], .claimed_ns = b->claimed_ns[i], .group = ROW_NO_GROUP };
    if (t == TABLE_SAMPLE) {
        r.start_ns = b->start_ns[i];
        r.value = b->value[i];
        r.temporality = (enum temporality)b->temporality[i];
    }
    return r;
}

/* Ids of rows that stand at their receive time: after their partitions have them, before
 * the log is cut. A crash in between replays the frames, and nothing is missing. */
static enum err note_moved(struct job *j, struct fault *f)
{
    struct moved_id *ids = NULL;
    size_t n = 0, cap = 0;
    for (int t = 0; t < TABLE_COUNT; t++) {
        const struct block *b = &j->pictures[t];
        struct batch rows;
        batch_init(&rows, &j->mem, (enum table)t, 0);
        for (uint32_t i = 0; i < b->n; i++) {
            struct row fixed = fixed_of((enum table)t, b, i);
            if (!row_is_moved((enum table)t, &fixed))
                continue;
            struct row *r = batch_row(&rows);
            *r = fixed;
            for (uint32_t c = 0; c < b->ncols; c++) {
                uint32_t at = block_element(b, &b->cols[c], i);
                if (column_code(&b->cols[c], at))
                    cells_put(&r->cells, &j->mem, batch_col(&rows, b->cols[c].key.place, b->cols[c].key.name),
                              column_value(&b->cols[c], at));
            }
            *arena_push(&j->mem, ids, n, cap) = (struct moved_id){ .seq = b->seq[i], .recv_ns = b->recv_ns[i] };
        }
        rows_identify(&rows);
        for (uint32_t i = 0; i < rows.nrows; i++)
            ids[n - rows.nrows + i].id = rows.rows[i].id;
        batch_done(&rows);
    }
    return n ? catalog_moved_put(j->s->catalog, ids, n, f) : OK;
}

/* So that the next start need not even decode those frames. */
static enum err note_applied(struct job *j, struct fault *f)
{
    char text[24];
    int64_t recv;
    {
        GUARD(&j->s->lock);
        recv = j->s->last_recv_ns;
    }
    enum err e = catalog_set(j->s->catalog, S("last_recv_ns"), (struct str){ text, num_fmt_i64(text, recv) }, f);
    return e ? e : catalog_set(j->s->catalog, S("applied_seq"), (struct str){ text, num_fmt_i64(text, (int64_t)j->g->last_seq) }, f);
}

uint64_t store_noted(struct store *s, struct str key)
{
    struct arena mem;
    struct str text;
    uint64_t n = 0;
    arena_init(&mem, 4096);
    if (catalog_get(s->catalog, key, &mem, &text, NULL) || !str_to_u64(text, &n))
        n = 0;
    arena_done(&mem);
    return n;
}

static enum err write_gen(struct job *j, struct fault *f)
{
    take_pictures(j);
    find_days(j);
    enum err e = part_flush_begin(j->s->parts, j->days, j->ndays, f);
    for (size_t i = 0; i < j->ndays && !e; i++)
        e = write_day(j, j->days[i], f);
    if (!e)
        e = note_moved(j, f);
    if (!e)
        e = store_metas_save(j->s, f);
    if (!e && (part_flush_end(j->s->parts, f) || note_applied(j, f)))
        store_report(j->s, "catalogue", f->msg);   /* only the next start is slower */
    return e;
}

/* The new view and the shortened list, in one moment; identities stay for a while. */
static void retire_gen(struct store *s, struct gen *g)
{
    struct part_view *fresh = part_view_get(s->parts), *old;
    pthread_mutex_lock(&s->apply_lock);
    struct kept_idents *k = &s->kept[s->next_kept++ % IDENT_KEPT];
    for (int t = 0; t < TABLE_COUNT; t++) {
        ident_done(&k->idents[t]);
        k->idents[t] = g->idents[t];
        g->idents[t] = (struct ident){ 0 };
    }
    head_unref(k->samples);
    k->samples = g->heads[TABLE_SAMPLE] ? head_ref(g->heads[TABLE_SAMPLE]) : NULL;
    k->first_seq = g->first_seq;
    k->last_seq = g->last_seq;
    k->since_mono_ns = clock_mono(s->cfg.clock);
    pthread_mutex_lock(&s->lock);
    CHECK(s->oldest == g && g->next);
    s->oldest = g->next;
    s->nsealed--;
    s->nflushed++;
    old = s->view;
    s->view = fresh;
    s->flush_fault = (struct fault){ 0 };
    pthread_cond_broadcast(&s->flushed_cond);
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_unlock(&s->apply_lock);
    part_view_unref(old);
    journal_cut(s->journal, g->last_seq, true);
    gen_unref(g);
}

enum err store_flush_gen(struct store *s, struct gen *g, struct fault *f)
{
    struct job j = { .s = s, .g = g };
    arena_init(&j.mem, SCAN_ARENA_BYTES * 4);
    enum err e = write_gen(&j, f);
    arena_done(&j.mem);
    if (!e)
        retire_gen(s, g);
    return e;
}
