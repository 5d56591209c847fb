/* store/writer.c -- the one thread that owns the log and the head.
 *
 *   queue -> group: frames to the log, one sync -> rows to the head -> published -> done()
 *
 * While the disk works on one group the next gathers in the queue. Rows come to the head
 * through apply.c, at replay too.
 */
#include <string.h>
#include <time.h>

#include "store/frame_rows.h"
#include "store/store_int.h"

/* ---- taking requests ------------------------------------------------------- */

static void refuse(struct write_req *w, const char *why)
{
    struct fault f;
    fault_set(&f, E_UNAVAILABLE, 0, "%s", why);
    w->done(w, E_UNAVAILABLE, &f);
}

void store_write(struct sink *sink, struct write_req *w)
{
    struct store *s = (struct store *)(void *)sink;
    const char *why = NULL;
    w->next = NULL;
    w->rest = (struct str){ 0 };
    pthread_mutex_lock(&s->queue_lock);
    if (s->stopping_writer)
        why = "ccmon is stopping";
    else if (s->queue_bytes + w->body.n > s->cfg.queue_bytes && s->queue_bytes)
        why = "too much is waiting to be written";
    if (!why) {
        if (s->queue_last)
            s->queue_last->next = w;
        else
            s->queue_first = w;
        s->queue_last = w;
        s->queue_bytes += w->body.n;
        pthread_cond_signal(&s->queue_cond);
    }
    pthread_mutex_unlock(&s->queue_lock);
    if (why)
        refuse(w, why);
}

void store_turn_ask(struct store *s)
{
    GUARD(&s->queue_lock);
    s->turn_asked = true;
    pthread_cond_signal(&s->queue_cond);
}

bool store_turn_made(struct store *s, uint64_t *ret_seq)
{
    GUARD(&s->queue_lock);
    *ret_seq = s->turned_seq;
    return !s->turn_asked;
}

/* Under the queue's lock, between two groups. */
static void turn(struct store *s)
{
    journal_turn(s->journal);
    s->turned_seq = journal_next_seq(s->journal) - 1;
    s->turn_asked = false;
    pthread_cond_signal(&s->flush_cond);           /* the flusher looks again sooner; it need not hear it */
}

/* Up to a group of requests; NULL when the store stops and nothing is left. */
static struct write_req *take_group(struct store *s)
{
    GUARD(&s->queue_lock);
    if (s->turn_asked)
        turn(s);
    while (!s->queue_first && !s->stopping_writer) {
        pthread_cond_wait(&s->queue_cond, &s->queue_lock);
        if (s->turn_asked)
            turn(s);
    }
    struct write_req *first = s->queue_first, *last = NULL;
    uint64_t bytes = 0;
    for (struct write_req *w = first; w && (!last || bytes + w->body.n <= GROUP_BYTES); w = w->next) {
        bytes += w->body.n;
        last = w;
    }
    if (!first)
        return NULL;
    s->queue_first = last->next;
    if (!s->queue_first)
        s->queue_last = NULL;
    last->next = NULL;
    s->queue_bytes -= bytes;
    return first;
}

/* ---- generations ----------------------------------------------------------- */

/* Under lock. */
static void append_live(struct store *s, struct gen *g)
{
    if (s->live)
        s->live->next = g;
    else
        s->oldest = g;
    s->live = g;
}

static uint64_t live_rows_max(const struct gen *g)
{
    uint64_t n = 0;
    for (int t = 0; t < TABLE_COUNT; t++)
        n = MAX(n, (uint64_t)gen_rows(g, t));
    return n;
}

void store_seal(struct store *s)
{
    if (!s->live->last_seq)
        return;
    GUARD(&s->lock);
    s->nsealed++;
    struct gen *fresh = gen_new(GENERATION_ROWS);
    for (int t = 0; t < TABLE_COUNT; t++)          /* it will be like the one before */
        ident_reserve(&fresh->idents[t], s->live->idents[t].n);
    append_live(s, fresh);
    pthread_cond_signal(&s->flush_cond);
}

static bool is_full(struct store *s)
{
    return live_rows_max(s->live) >= s->cfg.flush_rows ||
           atomic_load_explicit(&s->live->bytes, memory_order_relaxed) >= s->cfg.flush_bytes ||
           s->live->log_bytes >= s->cfg.flush_log_bytes / 2;   /* one filling, one being written */
}

/* ---- committing --------------------------------------------------------- */

static void call_watchers(struct store *s, uint64_t seq)
{
    GUARD(&s->watch_lock);
    for (int i = 0; i < WATCHERS_MAX; i++)
        if (s->watchers[i].fn)
            s->watchers[i].fn(s->watchers[i].arg, seq);
}

/* ---- the state that answers 503 -------------------------------------------- */

static void set_state(struct store *s, bool read_only, const char *reason)
{
    GUARD(&s->lock);
    s->read_only = read_only;
    size_t n = str_c(reason).n;
    n = MIN(n, sizeof s->reason - 1);
    memcpy(s->reason, reason, n);
    s->reason[n] = 0;
}

/* A flusher that is only slower than the writer is waited for a little: that slows down
 * who sends, and an answer that is late is better than one that says no. */
static enum err wait_for_room(struct store *s, struct fault *f)
{
    struct timespec until;
    clock_deadline(SEALED_WAIT_NS, &until);
    GUARD(&s->lock);
    bool late = false;
    while (s->nsealed > SEALED_MAX && !s->flush_fault.code && !late)
        late = clock_cond_wait(&s->flushed_cond, &s->lock, &until) != 0;
    if (s->nsealed <= SEALED_MAX)
        return OK;
    return fault_set(f, E_UNAVAILABLE, 0, "partitions cannot be written as fast as data comes%s%s",
                     s->flush_fault.code ? ": " : "", s->flush_fault.code ? s->flush_fault.msg : "");
}

/* After a failure the log is tried again once a second. */
static enum err wait_for_log(struct store *s, struct fault *f)
{
    if (!s->retry_mono_ns || clock_mono(s->cfg.clock) >= s->retry_mono_ns)
        return OK;
    GUARD(&s->lock);
    return fault_set(f, E_UNAVAILABLE, 0, "%s", s->reason);
}

/* Rows of somebody who was erased are left out before anything is written: what is left of
 * the request goes to the log as rows. */
static enum err leave_out(struct store *s, struct write_req *group, struct fault *f)
{
    struct erased_set *set = store_erased(s);
    enum err e = OK;
    uint64_t n = 0;
    for (struct write_req *w = group; w && set && !e; w = w->next) {
        uint32_t some = erased_mark(set, w->batch);
        CLEANUP(buf_done) struct buf out = { 0 };
        if (!some)
            continue;
        n += some;
        buf_init(&out, FRAME_BYTES_MAX);
        frame_rows_put(w->batch, &out);
        if (out.bad)
            e = fault_set(f, E_LIMIT, 0, "what is left of a request is larger than a frame of the log may be");
        else
            w->rest = arena_str(w->batch->mem, buf_view(&out));
    }
    erased_unref(set);
    GUARD(&s->lock);
    s->erased_rows += n;
    return e;
}

static enum err commit(struct store *s, struct write_req *group, struct fault *f)
{
    enum err e = wait_for_log(s, f);
    if (!e)
        e = wait_for_room(s, f);
    if (e)
        return e;
    uint64_t bytes = 0;
    for (struct write_req *w = group; w; w = w->next)
        bytes += w->body.n;
    for (struct write_req *w = group; w; w = w->next) {
        struct journal_frame fr = {
            .kind = w->rest.p ? FRAME_ROWS : w->kind, .epoch = w->epoch, .recv_ns = w->recv_ns, .body = w->rest.p ? w->rest : w->body,
            .pack = (w->rest.p || !frame_is_packed(w->kind)) && (bytes >= GROUP_PACK_BYTES || w->batch->table == TABLE_SAMPLE),
        };
        journal_add(s->journal, &fr);
    }
    e = journal_commit(s->journal, f);
    if (!e && s->retry_mono_ns) {
        s->retry_mono_ns = 0;
        set_state(s, false, "");
        store_report(s, "log", "the log can be written again");
    } else if (e) {
        s->retry_mono_ns = clock_mono(s->cfg.clock) + RETRY_NS;
        set_state(s, true, f->msg);
        store_report(s, "log", f->msg);
        f->code = E_UNAVAILABLE;                   /* nothing was kept: send it again later */
    }
    return e ? E_UNAVAILABLE : OK;
}

static void write_group(struct store *s, struct write_req *group)
{
    struct fault f = { 0 };
    enum err e = leave_out(s, group, &f);
    if (!e)
        e = commit(s, group, &f);
    uint64_t n = 0, seq;
    for (struct write_req *w = group; w; w = w->next)
        n++;
    seq = journal_next_seq(s->journal) - n;
    for (struct write_req *w = group, *next; w; w = next, seq++) {
        next = w->next;
        enum err own = e ? e : store_apply(s, w->batch, seq, w->body.n, false, &f);
        w->done(w, own, own ? &f : NULL);          /* w may be gone now */
    }
    if (e)
        return;
    call_watchers(s, seq - 1);
    GUARD(&s->apply_lock);
    if (!s->live->last_seq && s->oldest == s->live) {
        journal_cut(s->journal, seq - 1, false);   /* all of it was there already */
        s->live->log_bytes = 0;
    } else if (is_full(s)) {
        store_seal(s);
    }
}

void *store_writer_main(void *arg)
{
    struct store *s = arg;
    for (struct write_req *group; (group = take_group(s));)
        write_group(s, group);
    return NULL;
}

/* ---- replay ---------------------------------------------------------------- */

enum err store_replay(void *arg, const struct journal_frame *fr, struct fault *f)
{
    struct store *s = arg;
    struct arena mem;
    struct batch b;
    arena_init(&mem, REPLAY_ARENA_BYTES);
    enum err e = frame_decode(&s->cfg.decoder, fr->kind, fr->epoch, fr->body, fr->recv_ns, &mem, &b, f);
    if (!e) {
        erased_mark(s->erased, &b);
        erased_mark(s->erased, &b);
        e = store_apply(s, &b, fr->seq, fr->body.n, true, f);
        batch_done(&b);
        GUARD(&s->apply_lock);
        if (is_full(s))
            store_seal(s);
    }
    arena_done(&mem);
    return e;
}
