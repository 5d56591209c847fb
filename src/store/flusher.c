/* store/flusher.c -- the thread that flushes, and what it does once a minute.
 *
 * It alone writes partitions, so whatever else changes them is done here too: bases that
 * queries worked out become carry rows, old partitions go, idle ones are compacted and
 * closed. What is sealed is always flushed first: compaction goes on in steps between. Memory
 * that only helps while data comes is given back when none does.
 */
#include <stdlib.h>
#include <time.h>

#include "store/compact.h"
#include "store/store_int.h"

/* ---- once a minute --------------------------------------------------------- */

void store_show_view(struct store *s)
{
    struct part_view *v = part_view_get(s->parts), *old;
    pthread_mutex_lock(&s->lock);
    old = s->view;
    s->view = v;
    pthread_mutex_unlock(&s->lock);
    part_view_unref(old);
}

static int by_partition(const void *a, const void *b)
{
    const struct carry_job *x = a, *y = b;
    return x->from_ns < y->from_ns ? -1 : x->from_ns > y->from_ns;
}

/* Bases that queries had to work out, as carry rows: one transaction a partition. */
static void write_carries(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    struct carry_job *jobs = TAKE(s->carries);
    uint32_t n = s->ncarries;
    s->ncarries = 0;
    pthread_mutex_unlock(&s->lock);
    struct fault f = { 0 };
    struct part_carry *row = mem_alloc((n + 1) * sizeof *row);
    if (n)
        qsort(jobs, n, sizeof *jobs, by_partition);
    for (uint32_t i = 0; i < n;) {
        uint32_t k = 0;
        int64_t from = jobs[i].from_ns;
        for (; i < n && jobs[i].from_ns == from; i++)
            row[k++] = jobs[i].carry;
        enum err e = part_carry_put(s->parts, from, row, k, &f);
        if (e && e != E_NOTFOUND)                  /* they are worked out again; a partition may be gone meanwhile */
            store_report(s, "carry", f.msg);
    }
    mem_free(row);
    mem_free(jobs);
}

/* Identities in memory spare the disk when a client sends again what it sent just now. */
static void rest_idents(struct store *s)
{
    GUARD(&s->apply_lock);
    int64_t edge = clock_mono(s->cfg.clock) - IDENT_REST_NS;
    for (int i = 0; i < IDENT_KEPT; i++) {
        struct kept_idents *k = &s->kept[i];
        if (!k->last_seq || k->since_mono_ns > edge)
            continue;
        for (int t = 0; t < TABLE_COUNT; t++)
            ident_done(&k->idents[t]);
        head_unref(k->samples);
        *k = (struct kept_idents){ 0 };
    }
    for (int i = 0; i < IDENT_SETS; i++)
        if (s->sets[i].used && s->sets[i].used_mono_ns <= edge) {
            ident_done(&s->sets[i].ids);
            s->sets[i] = (struct chunk_idents){ 0 };
        }
}

static void seal_if_old(struct store *s)
{
    GUARD(&s->apply_lock);
    if (s->live->last_seq && clock_mono(s->cfg.clock) - s->live->begun_mono_ns >= s->cfg.flush_age_ns)
        store_seal(s);
}

static void tick(struct store *s)
{
    struct fault f = { 0 };
    seal_if_old(s);
    write_carries(s);
    store_retain(s);
    rest_idents(s);
    store_scan_rest(s, clock_mono(s->cfg.clock) - SCAN_REST_NS);
    arenas_rest();
    if (s->cfg.rest)
        s->cfg.rest(s->cfg.report_arg);
    journal_tick(s->journal);
    if (store_metas_save(s, &f))
        store_report(s, "catalogue", f.msg);
    if (part_tick(s->parts, &f))
        store_report(s, "partitions", f.msg);
}

void store_tick(struct store *s)
{
    GUARD(&s->lock);
    uint64_t mine = ++s->ticks_asked;
    pthread_cond_signal(&s->flush_cond);
    while (s->ticks_done < mine)
        pthread_cond_wait(&s->flushed_cond, &s->lock);
}

/* ---- the thread ------------------------------------------------------------ */

static void wait_for(pthread_cond_t *c, pthread_mutex_t *m, int64_t ns)
{
    struct timespec t;
    clock_deadline(ns, &t);
    clock_cond_wait(c, m, &t);
}

/* The oldest sealed generation; NULL: there is something else to do, or time is over. */
static struct gen *next_sealed(struct store *s, int64_t wait_ns, bool *ret_stop)
{
    GUARD(&s->lock);
    bool idle = s->oldest == s->live && s->ticks_asked == s->ticks_done && s->erase_seen == s->erase_asked;
    if (idle && wait_ns && !s->stopping_flusher)
        wait_for(&s->flush_cond, &s->lock, wait_ns);
    bool late = s->stopping_flusher && clock_mono(s->cfg.clock) - s->stop_mono_ns >= STOP_FLUSH_NS;
    *ret_stop = s->stopping_flusher && (s->oldest == s->live || late);
    return *ret_stop || s->oldest == s->live ? NULL : s->oldest;
}

static bool failed(struct store *s, const struct fault *f)
{
    store_report(s, "flush", f->msg);
    GUARD(&s->lock);
    s->flush_fault = *f;
    s->flush_failures++;
    pthread_cond_broadcast(&s->flushed_cond);
    if (!s->stopping_flusher && s->ticks_asked == s->ticks_done)
        wait_for(&s->flush_cond, &s->lock, RETRY_NS);
    return s->stopping_flusher;                    /* the rest is in the log */
}

static uint64_t ticks_asked(struct store *s)
{
    GUARD(&s->lock);
    return s->ticks_asked;
}

static void ticked(struct store *s, uint64_t asked)
{
    GUARD(&s->lock);
    s->ticks_done = asked;
    pthread_cond_broadcast(&s->flushed_cond);
}

void *store_flusher_main(void *arg)
{
    struct store *s = arg;
    int64_t next_tick = clock_mono(s->cfg.clock) + s->cfg.tick_ns;
    struct compactor *c = compact_new(s);
    bool busy = false;                             /* compaction has more to do */
    int64_t wait_ns = 0;
    for (bool stop = false; !stop;) {
        struct gen *g = next_sealed(s, busy ? 0 : wait_ns, &stop);
        struct fault f = { 0 };
        if (g && store_flush_gen(s, g, &f))
            stop = failed(s, &f);
        uint64_t asked = ticks_asked(s);
        bool erasing = store_erase_is_due(s);
        if (erasing && busy) {                     /* what it holds has rows that are to go */
            compact_free(c);
            c = compact_new(s);
            busy = false;
        }
        if (!stop && (asked != s->ticks_done || clock_mono(s->cfg.clock) >= next_tick)) {
            while (!erasing && asked != s->ticks_done && compact_step(c))
                continue;
            tick(s);
            ticked(s, asked);
            busy = !erasing;
            next_tick = clock_mono(s->cfg.clock) + s->cfg.tick_ns;
        } else if (!stop && !g && busy) {
            busy = compact_step(c);
        }
        wait_ns = stop ? 0 : store_erase_step(s);
    }
    compact_free(c);
    return NULL;
}
