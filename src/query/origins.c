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
 * "Received since" goes by the receive time of rows, which is given before they are
 * acknowledged: a scan reaches OVERLAP_NS further back than the one before began. A
 * clock that was put back makes the measure be read anew.
 */
#include "query/origins.h"

#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "model/names.h"

#define OVERLAP_NS (600 * NS_PER_S)
#define KEEP_NS    NS_PER_DAY

struct slot {
    struct id128 session;                          /* all zero: free */
    uint64_t target;                               /* the first one scraped; 0: none */
    uint32_t bits;
    bool several;
};

struct known {
    struct slot *at;
    uint32_t n, cap;                               /* cap: a power of two, or 0 */
};

struct measure {
    struct str name;                               /* owned */
    struct known sessions;
    int64_t first_ns, last_ns;                     /* when it was read, wholly and at last */
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
    struct known bigger = { .n = t->n, .cap = t->cap ? 2 * t->cap : 64 };
    bigger.at = mem_alloc(sizeof *bigger.at * (size_t)bigger.cap);
    for (uint32_t i = 0; i < t->cap; i++)
        if (t->at[i].session.hi || t->at[i].session.lo)
            *known_find(&bigger, t->at[i].session) = t->at[i];
    mem_free(t->at);
    *t = bigger;
}

static void known_add(struct known *t, const struct slot *s)
{
    if (2 * t->n >= t->cap)
        known_grow(t);
    struct slot *at = known_find(t, s->session);
    if (!at->bits) {
        t->n++;
        *at = *s;
        return;
    }
    at->bits |= s->bits;
    at->several |= s->several || (s->target && at->target && s->target != at->target);
    if (!at->target)
        at->target = s->target;
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

/* Rows come sorted by session more often than not: a row like the one before it is
 * passed over by its codes. */
static void add_block(struct known *t, const struct block *b)
{
    struct label_ref session = block_label(b, S("session_id"), 1u << PLACE_LABEL);
    struct label_ref job = block_label(b, S("job"), 1u << PLACE_LABEL);
    struct label_ref instance = block_label(b, S("instance"), 1u << PLACE_LABEL);
    for (uint32_t i = 0; i < b->nsel; i++) {
        uint32_t row = b->sel[i], before = i ? b->sel[i - 1] : 0;
        bool scraped = b->origin[row] == ORIGIN_SCRAPE;
        if (i && b->origin[before] == b->origin[row] && same_cell(&session, before, row) &&
            (!scraped || (same_cell(&job, before, row) && same_cell(&instance, before, row))))
            continue;
        char scratch[VALUE_TEXT_MAX];
        struct str text = text_of(&session, row, scratch);
        if (!text.n || b->origin[row] > ORIGIN_TRANSCRIPT)
            continue;
        known_add(t, &(struct slot){ session_key(text), scraped ? target_of(&job, &instance, row) : 0, 1u << b->origin[row], false });
    }
}

/* All rows of a measure under any of its names, that came after `recv_after_ns`. */
static enum err read_measure(struct query_ctx *q, struct str measure, int64_t recv_after_ns, struct known *t, struct fault *f)
{
    static const struct str labels[] = { S("session_id"), S("job"), S("instance") };
    struct str names[] = { measure, metric_alias(measure) };
    enum err e = OK;
    for (uint32_t i = 0; i < LEN(names) && !e; i++) {
        if (i && str_eq(names[i], measure))
            break;
        struct matcher m = { .op = MATCH_EQ, .label = S("__name__"), .value = names[i] };
        struct scan_req req = {
            .table = TABLE_SAMPLE, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .recv_after_ns = MAX(recv_after_ns, (int64_t)0),
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

/* From when on rows are to be read; 0: all. */
static int64_t read_after(struct origins *o, struct str name, int64_t now_ns)
{
    int64_t after = 0;
    CHECK(!pthread_mutex_lock(&o->lock));
    struct measure *m = find_measure(o, name);
    if (m && now_ns >= m->last_ns && now_ns - m->first_ns < KEEP_NS)
        after = m->last_ns - OVERLAP_NS;
    else if (m)
        m->last_ns = 0;                            /* to be replaced */
    CHECK(!pthread_mutex_unlock(&o->lock));
    return after;
}

static void measure_add(struct measure *m, const struct known *t)
{
    for (uint32_t i = 0; i < t->cap; i++)
        if (t->at[i].bits)
            known_add(&m->sessions, &t->at[i]);
}

/* Under the lock. Adds what was read to what is known; NULL: there is no room for it. */
static struct measure *merge(struct origins *o, struct str name, struct known *t, bool wholly, int64_t now_ns)
{
    struct measure *m = find_measure(o, name);
    if (m && !wholly && !m->last_ns)
        return NULL;                               /* was given up meanwhile */
    if (!m && (!wholly || o->n == ORIGINS_MEASURES_MAX))
        return NULL;
    if (!m) {
        m = &o->at[o->n++];
        char *copy = mem_alloc(name.n + 1);
        memcpy(copy, name.p, name.n);
        *m = (struct measure){ .name = { copy, name.n } };
    }
    if (wholly) {
        known_done(&m->sessions);
        m->sessions = *t;
        *t = (struct known){ 0 };
        m->first_ns = m->last_ns = now_ns;
    } else {
        measure_add(m, t);
        m->last_ns = MAX(m->last_ns, now_ns);
    }
    return m;
}

static bool answer_known(struct origins *o, struct str measure, struct known *t, bool wholly, int64_t now_ns,
                         const struct str *sessions, uint32_t n, struct origin_seen *ret)
{
    CHECK(!pthread_mutex_lock(&o->lock));
    bool fits = t->n <= ORIGINS_SESSIONS_MAX;
    struct measure *m = fits ? merge(o, measure, t, wholly, now_ns) : NULL;
    if (m)
        known_answer(&m->sessions, sessions, n, ret);
    CHECK(!pthread_mutex_unlock(&o->lock));
    return m;
}

enum err origins_ask(struct query_ctx *q, struct str measure, const struct str *sessions, uint32_t n,
                     struct origin_seen *ret, struct fault *f)
{
    int64_t now_ns = clock_now(q->clock);
    int64_t after = q->origins ? read_after(q->origins, measure, now_ns) : 0;
    struct known t = { 0 };
    enum err e = read_measure(q, measure, after, &t, f);
    bool known = !e && q->origins && answer_known(q->origins, measure, &t, after <= 0, now_ns, sessions, n, ret);
    if (!e && !known && after > 0) {               /* what was known is gone: all of it, without keeping it */
        known_done(&t);
        e = read_measure(q, measure, 0, &t, f);
    }
    if (!e && !known)
        known_answer(&t, sessions, n, ret);
    known_done(&t);
    return e;
}
