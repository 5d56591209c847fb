/* query/origins.c -- see origins.h.
 *
 *     known     session -> {origins, first target, several?}, by a hash of 128 bits
 *     a scan    fills one of its own, outside the lock
 *     the lock  is taken to add that to the measure's, and to look up
 *
 * What is known only grows: a session's origins are never taken back, so tables can be
 * added in any order and two queries may read the same rows at once. Retention and
 * erasure do take rows away; so after KEEP_NS a measure is read anew.
 *
 * What is new goes by the sequence of rows: as long as the source has acknowledged nothing
 * since a measure was read, nothing is read; else only what has a higher sequence.
 */
#include "query/origins.h"

#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "model/names.h"

#define KEEP_NS NS_PER_DAY

struct slot {
    struct id128 session;                          /* all zero: free */
    uint64_t target;                               /* the first one scraped; 0: none */
    uint32_t bits;
    bool several;
};

struct known {
    struct slot *at;
    uint32_t n, cap;                               /* cap: a power of two, or 0 */
    uint32_t loud;                                 /* sessions of several origins or targets */
};

struct measure {
    struct str name;                               /* owned */
    struct known sessions;
    int64_t first_ns;                              /* when it was read wholly; 0: it is to be read anew */
    uint64_t seq;                                  /* all rows up to here are in it */
};

struct origins {
    pthread_mutex_t lock;                          /* of all below */
    struct measure at[ORIGINS_MEASURES_MAX];
    uint32_t n;
};

static const struct { enum origin origin; struct str text; } texts[] = {
    { ORIGIN_OTLP, S("otlp") },
    { ORIGIN_SCRAPE, S("scrape") },
    { ORIGIN_REMOTE, S("remote") },
    { ORIGIN_LOKI, S("loki") },
    { ORIGIN_TRANSCRIPT, S("transcript") },
};

struct str origin_text(enum origin o)
{
    for (size_t i = 0; i < LEN(texts); i++)
        if (texts[i].origin == o)
            return texts[i].text;
    return S("");
}

enum origin origin_first(uint32_t bits)
{
    for (size_t i = 0; i < LEN(texts); i++)
        if (bits >> texts[i].origin & 1)
            return texts[i].origin;
    return 0;
}

/* ---- tables ---------------------------------------------------------------- */

static void known_done(struct known *t)
{
    mem_free(t->at);
    *t = (struct known){ 0 };
}

static struct slot *known_find(const struct known *t, struct id128 session)
{
    uint32_t at = (uint32_t)session.lo & (t->cap - 1);
    while ((t->at[at].session.hi || t->at[at].session.lo) && !id128_eq(t->at[at].session, session))
        at = (at + 1) & (t->cap - 1);
    return &t->at[at];
}

static void known_grow(struct known *t)
{
    struct known bigger = { .n = t->n, .loud = t->loud, .cap = t->cap ? 2 * t->cap : 64 };
    bigger.at = mem_alloc(sizeof *bigger.at * (size_t)bigger.cap);
    for (uint32_t i = 0; i < t->cap; i++)
        if (t->at[i].session.hi || t->at[i].session.lo)
            *known_find(&bigger, t->at[i].session) = t->at[i];
    mem_free(t->at);
    *t = bigger;
}

static bool is_loud(const struct slot *s)
{
    return s->several || s->bits & (s->bits - 1);
}

static void known_add(struct known *t, const struct slot *s)
{
    if (2 * t->n >= t->cap)
        known_grow(t);
    struct slot *at = known_find(t, s->session);
    bool was_loud = is_loud(at);
    if (!at->bits) {
        t->n++;
        *at = *s;
    } else {
        at->bits |= s->bits;
        at->several |= s->several || (s->target && at->target && s->target != at->target);
        at->target = at->target ? at->target : s->target;
    }
    t->loud += is_loud(at) - was_loud;
}

static struct id128 session_key(struct str session)
{
    struct id128 id = hash128(session);
    return id.hi || id.lo ? id : (struct id128){ 0, 1 };
}

static void known_answer(const struct known *t, const struct str *sessions, uint32_t n, struct origin_seen *ret)
{
    for (uint32_t i = 0; i < n; i++) {
        ret[i] = (struct origin_seen){ 0 };
        if (!t->cap)
            continue;
        const struct slot *s = known_find(t, session_key(sessions[i]));
        ret[i] = (struct origin_seen){ s->bits, s->several };
    }
}

/* ---- reading --------------------------------------------------------------- */

static struct str text_of(const struct label_ref *l, uint32_t row, char scratch[VALUE_TEXT_MAX])
{
    struct value v = label_value(l, row);
    return v.type == V_NONE ? S("") : value_text(&v, scratch);
}

static bool same_cell(const struct label_ref *l, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (!l->at[i]->code || column_code(l->at[i], a) != column_code(l->at[i], b))
            return false;
    return true;
}

static uint64_t target_of(const struct label_ref *job, const struct label_ref *instance, uint32_t row)
{
    char scratch[VALUE_TEXT_MAX];
    uint64_t h = hash64(text_of(job, row, scratch), 1);
    h = hash64(text_of(instance, row, scratch), h);
    return h ? h : 1;
}

/* Runs come sorted by session more often than not: one like the one before it is passed
 * over by its codes. */
static void add_block(struct known *t, const struct block *b)
{
    struct label_ref session = block_label(b, S("session_id"), 1u << PLACE_LABEL);
    struct label_ref job = block_label(b, S("job"), 1u << PLACE_LABEL);
    struct label_ref instance = block_label(b, S("instance"), 1u << PLACE_LABEL);
    for (uint32_t i = 0; i < b->nruns; i++) {
        bool scraped = b->origin[i] == ORIGIN_SCRAPE;
        if (i && b->origin[i - 1] == b->origin[i] && same_cell(&session, i - 1, i) &&
            (!scraped || (same_cell(&job, i - 1, i) && same_cell(&instance, i - 1, i))))
            continue;
        char scratch[VALUE_TEXT_MAX];
        struct str text = text_of(&session, i, scratch);
        if (!text.n || b->origin[i] > ORIGIN_TRANSCRIPT)
            continue;
        known_add(t, &(struct slot){ session_key(text), scraped ? target_of(&job, &instance, i) : 0, 1u << b->origin[i], false });
    }
}

/* All rows of a measure under any of its names, of a higher sequence; maybe more. */
static enum err read_measure(struct query_ctx *q, struct str measure, uint64_t seq_after, struct known *t, struct fault *f)
{
    static const struct str labels[] = { S("session_id"), S("job"), S("instance") };
    struct str names[] = { measure, metric_alias(measure) };
    enum err e = OK;
    for (uint32_t i = 0; i < LEN(names) && !e; i++) {
        if (i && str_eq(names[i], measure))
            break;
        struct matcher m = { .op = MATCH_EQ, .label = S("__name__"), .value = names[i] };
        struct scan_req req = {
            .table = TABLE_SAMPLE, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .seq_after = seq_after, .by_series = true,
            .matchers = &m, .nmatchers = 1, .labels = labels, .nlabels = LEN(labels),
            .without = WITHOUT_ALL & ~(uint32_t)WITHOUT_ORIGIN,
            .rows_max = UINT64_MAX, .bytes_max = UINT64_MAX,   /* the deadline bounds it */
            .deadline_mono_ns = q->deadline_mono_ns, .cancelled = q->cancelled,
        };
        struct scan *sc;
        const struct block *b;
        e = query_scan_begin(q, &req, &sc, f);
        if (e)
            return e;
        while (!(e = q->src->scan_next(sc, &b, f)) && b)
            add_block(t, b);
        query_scan_end(q, sc);
    }
    return e;
}

/* ---- what is known --------------------------------------------------------- */

struct origins *origins_new(void)
{
    struct origins *o = mem_alloc(sizeof *o);
    CHECK(!pthread_mutex_init(&o->lock, NULL));
    return o;
}

static void measure_done(struct measure *m)
{
    mem_free((char *)(uintptr_t)m->name.p);
    known_done(&m->sessions);
}

void origins_free(struct origins *o)
{
    if (!o)
        return;
    for (uint32_t i = 0; i < o->n; i++)
        measure_done(&o->at[i]);
    (void)pthread_mutex_destroy(&o->lock);
    mem_free(o);
}

/* Under the lock. */
static struct measure *find_measure(struct origins *o, struct str name)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (str_eq(o->at[i].name, name))
            return &o->at[i];
    return NULL;
}

/* Under the lock. Up to where the measure is known; 0: nothing of it. */
static uint64_t known_until(struct origins *o, struct str name, int64_t now_ns)
{
    struct measure *m = find_measure(o, name);
    if (m && (now_ns < m->first_ns || now_ns - m->first_ns >= KEEP_NS))
        m->first_ns = 0;
    return m && m->first_ns ? m->seq : 0;
}

static void measure_add(struct measure *m, const struct known *t)
{
    for (uint32_t i = 0; i < t->cap; i++)
        if (t->at[i].bits)
            known_add(&m->sessions, &t->at[i]);
}

/* What was read of a measure, and how far. */
struct reading {
    struct known t;
    uint64_t after, seq;                           /* rows of these sequences; after 0: all there are */
    int64_t now_ns;
};

/* Under the lock. Adds what was read to what is known; NULL: there is no room for it. */
static struct measure *merge(struct origins *o, struct str name, struct reading *r)
{
    struct measure *m = find_measure(o, name);
    if (r->t.n > ORIGINS_SESSIONS_MAX || (r->after && (!m || !m->first_ns)))
        return NULL;                               /* too much, or was given up meanwhile */
    if (!m && o->n == ORIGINS_MEASURES_MAX)
        return NULL;
    if (!m) {
        m = &o->at[o->n++];
        char *copy = mem_alloc(name.n + 1);
        memcpy(copy, name.p, name.n);
        *m = (struct measure){ .name = { copy, name.n } };
    }
    if (!r->after) {
        known_done(&m->sessions);
        m->sessions = r->t;
        r->t = (struct known){ 0 };
        m->first_ns = r->now_ns;
        m->seq = r->seq;
    } else {
        measure_add(m, &r->t);
        m->seq = MAX(m->seq, r->seq);
    }
    return m;
}

/* ---- questions ------------------------------------------------------------- */

/* What is asked of a measure's sessions, and the answers. */
struct question {
    const struct str *sessions;
    uint32_t n;
    struct origin_seen *seen;                      /* NULL: no session is asked for */
    bool quiet;
};

static void answer(const struct known *t, struct question *a)
{
    a->quiet = !t->loud;
    if (a->seen)
        known_answer(t, a->sessions, a->n, a->seen);
}

/* True: answered from what is known, which is all there is. */
static bool answer_known(struct origins *o, struct str measure, struct reading *r, struct question *a)
{
    CHECK(!pthread_mutex_lock(&o->lock));
    uint64_t until = known_until(o, measure, r->now_ns);
    bool all = until && until >= r->seq;
    if (all)
        answer(&find_measure(o, measure)->sessions, a);
    CHECK(!pthread_mutex_unlock(&o->lock));
    r->after = until;
    return all;
}

static bool answer_merged(struct origins *o, struct str measure, struct reading *r, struct question *a)
{
    CHECK(!pthread_mutex_lock(&o->lock));
    struct measure *m = merge(o, measure, r);
    if (m)
        answer(&m->sessions, a);
    CHECK(!pthread_mutex_unlock(&o->lock));
    return m;
}

static enum err ask(struct query_ctx *q, struct str measure, struct question *a, struct fault *f)
{
    struct source_stats stats;
    q->src->stats(q->src, &stats);
    struct reading r = { .now_ns = clock_now(q->clock), .seq = stats.seq };
    if (q->origins && answer_known(q->origins, measure, &r, a))
        return OK;
    enum err e = read_measure(q, measure, r.after, &r.t, f);
    bool known = !e && q->origins && answer_merged(q->origins, measure, &r, a);
    if (!e && !known && r.after) {                 /* what was known is gone: all of it, without keeping it */
        known_done(&r.t);
        e = read_measure(q, measure, 0, &r.t, f);
    }
    if (!e && !known)
        answer(&r.t, a);
    known_done(&r.t);
    return e;
}

enum err origins_ask(struct query_ctx *q, struct str measure, const struct str *sessions, uint32_t n,
                     struct origin_seen *ret, struct fault *f)
{
    return ask(q, measure, &(struct question){ .sessions = sessions, .n = n, .seen = ret }, f);
}

enum err origins_quiet(struct query_ctx *q, struct str measure, bool *ret, struct fault *f)
{
    struct question a = { 0 };
    enum err e = ask(q, measure, &a, f);
    *ret = a.quiet;
    return e;
}
