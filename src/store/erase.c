/* store/erase.c -- erasing, step by step, on the flusher's thread.
 *
 *     recorded in the catalogue, with the texts; arrivals are filtered from here on
 *       -> the log's file is given up, the head is flushed: partitions have everything
 *       -> persons: sessions that are only theirs are recorded too, and once more as above
 *       -> partition by partition is written anew without the rows     (erase_rows.c)
 *       -> the old segments of the log go, then what is left of old files, totals that were
 *          carried, what was set aside and names somebody
 *       -> the catalogue keeps keyed hashes in place of the texts, and is written anew
 *
 * Between two steps generations are flushed. A step that fails is tried again, and a store
 * that ends on the way finds the texts in its catalogue and begins again: each step is
 * right when some of it was done before. While a partition is written anew nothing else is
 * flushed, which for a day of a million rows is a second or two.
 *
 * 1. No row of somebody erased reaches log or head after the record: it is filtered by the
 *    writer before its frame is written. Replay filters those that were done before.
 * 2. The texts leave the catalogue last, when everything else is gone.
 * 3. Views that are older keep old files: erasing has ended only when these are gone. A file
 *    that nobody reads, but that the disk did not remove, is a failure and is tried again.
 */
#include "store/erase.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/check.h"
#include "store/store_int.h"

#define SOON_NS  (INT64_C(10) * NS_PER_MS)
#define AGAIN_NS (INT64_C(10) * NS_PER_S)          /* after a failure */

enum step { STEP_TURN, STEP_TURNED, STEP_FLUSHED, STEP_READ, STEP_WRITE, STEP_CUT, STEP_OLD_FILES, STEP_REST, STEP_CATALOG };

struct erase_job {
    uint64_t asked;                                /* what of store.erase_asked it covers */
    struct arena mem;
    struct targets t;
    struct str *texts;                             /* of all */
    uint32_t ntexts, cap_texts;
    struct str *ids;                               /* of sessions */
    uint32_t nids, cap_ids;
    int64_t at_ns;                                 /* the newest time of asking */
    enum step step;
    bool read;                                     /* sessions of persons were looked for */
    uint64_t seq;                                  /* everything up to it is applied */
    int64_t done_to_ns;                            /* partitions that end here or before are done */
    bool some_done;
};

/* ---- the list ---------------------------------------------------------------------- */

static enum err read_key(struct store *s, uint8_t key[SECRET_HASH_BYTES], struct fault *f)
{
    CLEANUP(arena_done) struct arena mem;
    struct str have;
    arena_init(&mem, 4096);
    enum err e = catalog_get(s->catalog, S("erase.key"), &mem, &have, f);
    if (!e && have.n == SECRET_HASH_BYTES) {
        memcpy(key, have.p, have.n);
        return OK;
    }
    if (e && e != E_NOTFOUND)
        return e;
    secret_random(key, SECRET_HASH_BYTES);
    return catalog_set(s->catalog, S("erase.key"), (struct str){ (const char *)key, SECRET_HASH_BYTES }, f);
}

struct erased_set *store_erased(struct store *s)
{
    GUARD(&s->lock);
    return erased_ref(s->erased);
}

/* The set anew from the catalogue, of all or of those that are done; *ret_pending: of how many
 * the text is there. Under erase. */
static enum err load_set(struct store *s, bool all, uint32_t *ret_pending, struct fault *f)
{
    CLEANUP(arena_done) struct arena mem;
    struct catalog_erased *at = NULL;
    uint32_t n = 0, pending = 0;
    uint8_t key[SECRET_HASH_BYTES] = { 0 };
    arena_init(&mem, (size_t)64 << 20);
    enum err e = catalog_erased(s->catalog, &mem, &at, &n, f);
    if (!e && n)
        e = read_key(s, key, f);
    if (e)
        return e;
    struct erased_entry *entries = arena_new(&mem, struct erased_entry, (size_t)n + 1);
    uint32_t used = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (all || !at[i].text.p)
            entries[used++] = at[i].entry;
        pending += at[i].text.p != NULL;
    }
    struct erased_set *fresh = erased_new(key, entries, used), *old;
    secret_wipe(key, sizeof key);
    pthread_mutex_lock(&s->lock);
    old = s->erased;
    s->erased = fresh;
    s->erase_state.known = n;
    pthread_mutex_unlock(&s->lock);
    erased_unref(old);
    *ret_pending = pending;
    return OK;
}

static enum err record(struct store *s, enum erased_kind kind, const struct str *texts, uint32_t n, int64_t at_ns, struct fault *f)
{
    CLEANUP(mem_freep) struct catalog_erased *list = mem_alloc((n + 1) * sizeof *list);
    uint8_t key[SECRET_HASH_BYTES];
    enum err e = n ? read_key(s, key, f) : OK;
    for (uint32_t i = 0; i < n && !e; i++) {
        list[i] = (struct catalog_erased){ .entry = { .kind = kind, .at_ns = at_ns }, .text = texts[i] };
        erased_hash(key, kind, texts[i], list[i].entry.hash);
    }
    if (!e && n)
        e = catalog_erased_put(s->catalog, list, n, f);
    secret_wipe(key, sizeof key);
    return e;
}

static void wake(struct store *s, bool fresh)
{
    GUARD(&s->lock);
    s->erase_asked++;
    if (fresh || s->erase_state.phase == ERASE_DONE || s->erase_state.phase == ERASE_NONE) {
        uint64_t known = s->erase_state.known;
        s->erase_state = (struct erase_state){ .begun_ns = clock_now(s->cfg.clock), .known = known };
    }
    s->erase_state.phase = ERASE_WAITS;
    pthread_cond_signal(&s->flush_cond);
}

/* Replay leaves out what is erased, but not what is being erased: rows that name a person
 * have to be seen once more, by which sessions are known that are only theirs. */
enum err store_erase_load(struct store *s, struct fault *f)
{
    uint32_t pending;
    GUARD(&s->erase_lock);
    enum err e = catalog_wipe_again(s->catalog, f);
    return e ? e : load_set(s, false, &pending, f);
}

enum err store_erase_resume(struct store *s, struct fault *f)
{
    uint32_t pending = 0;
    GUARD(&s->erase_lock);
    enum err e = load_set(s, true, &pending, f);
    if (!e && pending)
        wake(s, true);
    return e;
}

enum err store_erase_begin(struct store *s, const struct erase_req *r, struct fault *f)
{
    int64_t now = clock_now(s->cfg.clock);
    uint32_t pending;
    for (uint32_t i = 0; i < r->nsessions + r->nusers; i++)
        if (!(i < r->nsessions ? r->sessions[i] : r->users[i - r->nsessions]).n)
            return fault_set(f, E_LIMIT, 0, "an empty name is nobody's");
    if (!r->nsessions && !r->nusers)
        return fault_set(f, E_LIMIT, 0, "nobody is named");
    GUARD(&s->erase_lock);
    enum err e = record(s, ERASED_SESSION, r->sessions, r->nsessions, now, f);
    if (!e)
        e = record(s, ERASED_USER, r->users, r->nusers, now, f);
    if (!e)
        e = load_set(s, true, &pending, f);
    if (!e)
        wake(s, false);
    return e;
}

/* ---- the job -------------------------------------------------------------------------- */

static void job_free(struct erase_job *j)
{
    if (!j)
        return;
    map_done(&j->t.sessions);
    map_done(&j->t.users);
    arena_done(&j->mem);
    mem_free(j);
}

static void job_add(struct erase_job *j, const struct catalog_erased *x)
{
    bool session = x->entry.kind == ERASED_SESSION;
    struct map *m = session ? &j->t.sessions : &j->t.users;
    map_put(m, x->text, 0);
    *arena_push(&j->mem, j->texts, j->ntexts, j->cap_texts) = x->text;
    if (session)
        *arena_push(&j->mem, j->ids, j->nids, j->cap_ids) = x->text;
    j->at_ns = MAX(j->at_ns, x->entry.at_ns);
}

/* From what the catalogue says is under way; NULL if that is nothing. */
static enum err job_new(struct store *s, uint64_t asked, bool read, struct erase_job **ret, struct fault *f)
{
    struct erase_job *j = mem_alloc(sizeof *j);
    struct catalog_erased *at = NULL;
    uint32_t n = 0;
    *j = (struct erase_job){ .asked = asked, .read = read, .at_ns = INT64_MIN };
    arena_init(&j->mem, (size_t)256 << 20);
    enum err e = catalog_erased(s->catalog, &j->mem, &at, &n, f);
    for (uint32_t i = 0; i < n && !e; i++)
        if (at[i].text.p)
            job_add(j, &at[i]);
    j->t.ids = j->ids;
    j->t.nids = j->nids;
    if (e || !j->ntexts) {
        job_free(j);
        j = NULL;
    }
    *ret = j;
    return e;
}

static void show_phase(struct store *s, enum erase_phase p)
{
    GUARD(&s->lock);
    s->erase_state.phase = p;
    s->erase_state.held = false;
    s->erase_state.fault = (struct fault){ 0 };
    if (p == ERASE_DONE)
        s->erase_state.ended_ns = clock_now(s->cfg.clock);
    pthread_cond_broadcast(&s->flushed_cond);
}

static void show_held(struct store *s)
{
    GUARD(&s->lock);
    s->erase_state.held = true;
}

/* Are all rows of frames up to seq in partitions? */
static bool is_flushed(struct store *s, uint64_t seq)
{
    GUARD(&s->lock);
    return s->oldest == s->live || s->oldest->first_seq > seq;
}

static void seal(struct store *s)
{
    GUARD(&s->apply_lock);
    store_seal(s);
}

static void show_sessions(struct store *s, uint64_t n)
{
    GUARD(&s->lock);
    s->erase_state.done.sessions = n;
}

/* Sessions that are only of the persons: recorded like what was asked for. */
static enum err read_sessions(struct store *s, struct erase_job *j, struct fault *f)
{
    struct str *found = NULL;
    uint32_t n = 0, pending;
    show_phase(s, ERASE_READS);
    enum err e = erase_find_sessions(s, &j->t, &j->mem, &found, &n, f);
    if (e)
        return e;
    j->read = true;
    j->step = STEP_WRITE;
    show_sessions(s, j->nids + n);
    if (!n)
        return OK;
    GUARD(&s->erase_lock);
    e = record(s, ERASED_SESSION, found, n, j->at_ns, f);
    if (!e)
        e = load_set(s, true, &pending, f);
    for (uint32_t i = 0; i < n && !e; i++)
        job_add(j, &(struct catalog_erased){ .entry = { .kind = ERASED_SESSION, .at_ns = j->at_ns }, .text = found[i] });
    j->t.ids = j->ids;
    j->t.nids = j->nids;
    j->step = STEP_TURN;                           /* rows of theirs may have come meanwhile */
    return e;
}

/* The next partition in a view of now: months may take the place of days between two steps. */
static enum err write_next(struct store *s, struct erase_job *j, struct fault *f)
{
    struct part_view *v = part_view_get(s->parts);
    const struct part_item *it = NULL;
    uint64_t rows[TABLE_COUNT] = { 0 }, looked_at = 0;
    bool written = false;
    enum err e = OK;
    for (uint32_t i = 0; i < v->n && !it; i++, looked_at++)
        if (!j->some_done || v->at[i].to_ns > j->done_to_ns)
            it = &v->at[i];
    if (it)
        e = erase_partition(s, it, &j->t, rows, &written, f);
    if (!e && it) {
        j->done_to_ns = it->to_ns;
        j->some_done = true;
    } else if (!e) {
        j->step = STEP_CUT;
    }
    {
        GUARD(&s->lock);
        struct erase_state *st = &s->erase_state;
        for (int t = 0; t < TABLE_COUNT; t++)
            st->done.rows[t] += rows[t];
        st->done.partitions += written;
        st->looked_at = looked_at;
        st->all = v->n;
    }
    part_view_unref(v);
    if (written)
        store_show_view(s);
    return e;
}

/* ---- what is left ----------------------------------------------------------------------- */

static void forget_totals(struct store *s)
{
    GUARD(&s->lock);
    mem_free(TAKE(s->carries));
    s->ncarries = 0;
    memset(s->carry_cache, 0, sizeof s->carry_cache);
}

/* Files that went must not come back when the machine stops: nobody would look for them any more. */
static enum err sync_folders(struct store *s, struct fault *f)
{
    static const char *const names[] = { "part", "log", "quarantine" };
    for (size_t i = 0; i < LEN(names); i++) {
        char path[1100];
        (void)snprintf(path, sizeof path, "%.1000s/%s", s->dir, names[i]);
        if (s->cfg.ops->sync_dir(s->cfg.ops->arg, path) && errno != ENOENT)
            return fault_set(f, errno == ENOSPC ? E_UNAVAILABLE : E_IO, 0, "sync %s: %s", path, strerror(errno));
    }
    return OK;
}

static enum err clear_rest(struct store *s, struct erase_job *j, struct fault *f)
{
    uint64_t dropped = 0;
    store_scan_rest(s, INT64_MAX);
    forget_totals(s);
    enum err e = part_carries_clear(s->parts, f);
    if (!e)
        e = store_drop_aside(s->dir, s->cfg.ops, j->texts, j->ntexts, &dropped, f);
    if (!e)
        e = sync_folders(s, f);
    GUARD(&s->lock);
    s->erase_state.dropped += dropped;
    return e;
}

static bool is_all(struct store *s, const struct erase_job *j)
{
    GUARD(&s->lock);
    return s->erase_asked == j->asked;
}

static enum err finish(struct store *s, struct erase_job *j, struct fault *f)
{
    uint32_t pending;
    GUARD(&s->erase_lock);
    if (!is_all(s, j))
        return OK;                                 /* the next job has these texts too */
    enum err e = catalog_erased_done(s->catalog, j->texts, j->ntexts, f);
    return e ? e : load_set(s, true, &pending, f);
}

/* ---- the steps ---------------------------------------------------------------------------- */

static void go_on(struct store *s, struct erase_job *j, enum step next, bool held)
{
    if (held)
        show_held(s);
    else
        j->step = next;
}

/* *ret_wait: nothing can be done now. */
static enum err step(struct store *s, struct erase_job *j, bool *ret_wait, struct fault *f)
{
    enum err e;
    switch (j->step) {
    case STEP_TURN:
        show_phase(s, ERASE_WAITS);
        show_sessions(s, j->nids);
        store_turn_ask(s);
        j->step = STEP_TURNED;
        return OK;
    case STEP_TURNED:
        if (!store_turn_made(s, &j->seq)) {
            *ret_wait = true;
            return OK;
        }
        seal(s);
        j->step = STEP_FLUSHED;
        return OK;
    case STEP_FLUSHED:
        if (is_flushed(s, j->seq))
            j->step = j->t.users.n && !j->read ? STEP_READ : STEP_WRITE;
        return OK;
    case STEP_READ:
        return read_sessions(s, j, f);
    case STEP_WRITE:
        show_phase(s, ERASE_WRITES);
        return write_next(s, j, f);
    case STEP_CUT:
        show_phase(s, ERASE_CLEARS);
        e = journal_forget(s->journal, j->seq, ret_wait, f);
        go_on(s, j, STEP_OLD_FILES, *ret_wait);
        return e;
    case STEP_OLD_FILES:
        e = part_clear_gone(s->parts, ret_wait, f);
        go_on(s, j, STEP_REST, *ret_wait);
        return e;
    case STEP_REST:
        j->step = STEP_CATALOG;
        return clear_rest(s, j, f);
    case STEP_CATALOG:
        break;
    }
    return finish(s, j, f);
}

static int64_t failed(struct store *s, const struct fault *f)
{
    store_report(s, "erase", f->msg);
    job_free(TAKE(s->erase));
    GUARD(&s->lock);
    s->erase_state.fault = *f;
    pthread_cond_broadcast(&s->flushed_cond);
    return AGAIN_NS;
}

static void report_done(struct store *s)
{
    struct erase_state st;
    char text[200];
    store_erase_state(s, &st);
    (void)snprintf(text, sizeof text, "erased: %llu samples, %llu log records, %llu spans of %llu sessions; %llu partitions written anew",
                   (unsigned long long)st.done.rows[TABLE_SAMPLE], (unsigned long long)st.done.rows[TABLE_LOG],
                   (unsigned long long)st.done.rows[TABLE_SPAN], (unsigned long long)st.done.sessions,
                   (unsigned long long)st.done.partitions);
    store_report(s, "erased", text);
}

/* Is there something to do that the job does not cover? Makes a new one then. */
static enum err renew(struct store *s, struct fault *f)
{
    uint64_t asked;
    enum erase_phase phase;
    {
        GUARD(&s->lock);
        asked = s->erase_seen = s->erase_asked;
        phase = s->erase_state.phase;
    }
    if (phase == ERASE_NONE || phase == ERASE_DONE || (s->erase && s->erase->asked == asked))
        return OK;
    job_free(TAKE(s->erase));
    enum err e = job_new(s, asked, false, &s->erase, f);
    if (!e && !s->erase)
        show_phase(s, ERASE_DONE);
    return e;
}

bool store_erase_is_due(struct store *s)
{
    GUARD(&s->lock);
    return s->erase_state.phase != ERASE_NONE && s->erase_state.phase != ERASE_DONE;
}

int64_t store_erase_step(struct store *s)
{
    struct fault f = { 0 };
    bool wait = false;
    if (renew(s, &f))
        return failed(s, &f);
    if (!s->erase)
        return s->cfg.tick_ns;
    bool last = s->erase->step == STEP_CATALOG;
    if (step(s, s->erase, &wait, &f))
        return failed(s, &f);
    if (!last)
        return wait ? SOON_NS : 0;
    job_free(TAKE(s->erase));
    if (renew(s, &f))
        return failed(s, &f);
    if (s->erase)
        return 0;
    report_done(s);
    return s->cfg.tick_ns;
}

void store_erase_free(struct store *s)
{
    job_free(TAKE(s->erase));
    erased_unref(TAKE(s->erased));
}

/* ---- for others -------------------------------------------------------------------------------- */

void store_erase_state(struct store *s, struct erase_state *ret)
{
    GUARD(&s->lock);
    *ret = s->erase_state;
    ret->left_out = s->erased_rows;
}

enum err store_erase_wait(struct store *s, struct fault *f)
{
    GUARD(&s->lock);
    const struct erase_state *st = &s->erase_state;
    uint64_t failures = s->flush_failures;         /* what came before is flushed first, and that may fail, too */
    while (st->phase != ERASE_DONE && st->phase != ERASE_NONE && !st->fault.code && failures == s->flush_failures)
        pthread_cond_wait(&s->flushed_cond, &s->lock);
    bool done = st->phase == ERASE_DONE || st->phase == ERASE_NONE;
    if (done && !st->fault.code)
        return OK;
    const struct fault *why = st->fault.code ? &st->fault : &s->flush_fault;
    return fault_set(f, why->code ? why->code : E_IO, 0, "%s", why->msg);
}
