/* ledger/settled_seen.c -- which sessions have events, at any time.
 *
 * Asked only for sessions whose metrics came up in a scan and whose events did not: those at
 * the edges of a range, and those of people who send no events. The first question reads the
 * event's sessions through the whole store, later ones what was acknowledged since. When rows
 * went (retention, erasure), all of it is read again: a session whose events are gone is told
 * by its metrics.
 */
#include <string.h>

#include "ledger/settled_int.h"

/* ---- sets -------------------------------------------------------------------- */

void sessions_done(struct sessions *s)
{
    mem_free(s->at);
    *s = (struct sessions){ 0 };
}

static struct id128 *place(const struct sessions *s, struct id128 id)
{
    uint32_t i = (uint32_t)id.lo & (s->cap - 1);
    while ((s->at[i].hi || s->at[i].lo) && !id128_eq(s->at[i], id))
        i = (i + 1) & (s->cap - 1);
    return &s->at[i];
}

bool sessions_has(const struct sessions *s, struct id128 id)
{
    return s->cap && id128_eq(*place(s, id), id);
}

void sessions_add(struct sessions *s, struct id128 id)
{
    if (2 * s->n >= s->cap) {
        struct sessions bigger = { .n = s->n, .cap = s->cap ? 2 * s->cap : 64 };
        bigger.at = mem_alloc(bigger.cap * sizeof *bigger.at);
        for (uint32_t i = 0; i < s->cap; i++)
            if (s->at[i].hi || s->at[i].lo)
                *place(&bigger, s->at[i]) = s->at[i];
        mem_free(s->at);
        *s = bigger;
    }
    struct id128 *at = place(s, id);
    s->n += !id128_eq(*at, id);
    *at = id;
}

struct id128 session_id_of(struct str session, struct str user)
{
    struct id128 id = session.n ? hash128(session) : hash128_seeded(user, 1);
    return id.hi || id.lo ? id : (struct id128){ 0, 1 };
}

/* ---- reading ------------------------------------------------------------------- */

static struct str text_at(const struct label_ref *l, uint32_t row)
{
    struct value v = label_value(l, row);
    return v.type == V_STR ? v.s : S("");
}

static void add_block(struct sessions *s, const struct block *b)
{
    struct label_ref session = block_label(b, S("session_id"), 1u << PLACE_ATTR), user = block_label(b, S("user_id"), 1u << PLACE_ATTR);
    struct str last = { 0 };
    for (uint32_t i = 0; i < b->nsel; i++) {
        struct str text = text_at(&session, b->sel[i]);
        if (i && text.n && text.p == last.p && text.n == last.n)
            continue;                              /* rows of one session stand together */
        last = text;
        sessions_add(s, session_id_of(text, text.n ? S("") : text_at(&user, b->sel[i])));
    }
}

static enum err read_sessions(struct scan *sc, struct str event, uint64_t seq_after, struct sessions *ret, struct fault *f)
{
    static const struct str labels[] = { S("session_id"), S("user_id") };
    struct source *in = sc->s->behind;
    struct matcher m = { .op = MATCH_EQ, .label = S("event_name"), .value = event, .places = 1u << PLACE_ATTR };
    struct scan_req req = { .table = TABLE_LOG, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .matchers = &m, .nmatchers = 1,
                            .labels = labels, .nlabels = LEN(labels), .without = WITHOUT_ALL, .seq_after = seq_after,
                            .rows_max = UINT64_MAX, .bytes_max = UINT64_MAX,
                            .deadline_mono_ns = sc->req.deadline_mono_ns, .cancelled = sc->req.cancelled };
    struct scan *inner;
    const struct block *b;
    enum err e = in->scan_begin(in, &req, &inner, f);
    if (e)
        return e;
    while (!(e = in->scan_next(inner, &b, f)) && b)
        add_block(ret, b);
    struct scan_stats s = in->scan_end(inner);
    sc->stats.chunks += s.chunks;
    sc->stats.rows_read += s.rows_read;
    sc->stats.bytes_read += s.bytes_read;
    return e;
}

/* Under the lock. */
static struct seen *seen_of(struct settled *s, struct str event)
{
    for (uint32_t i = 0; i < s->nseen; i++)
        if (str_eq(s->seen[i].event, event))
            return &s->seen[i];
    CHECK(s->nseen < EVENTS_MAX);
    s->seen[s->nseen] = (struct seen){ .event = event };
    return &s->seen[s->nseen++];
}

static void merge(struct seen *to, struct sessions *from, bool wholly)
{
    if (wholly) {
        sessions_done(&to->sessions);
        to->sessions = *from;
        *from = (struct sessions){ 0 };
        return;
    }
    for (uint32_t i = 0; i < from->cap; i++)
        if (from->at[i].hi || from->at[i].lo)
            sessions_add(&to->sessions, from->at[i]);
}

/* What is known of an event, and whether all of it is to be read. */
static uint64_t known_until(struct settled *s, struct str event, const struct source_stats *now)
{
    CHECK(!pthread_mutex_lock(&s->lock));
    const struct seen *seen = seen_of(s, event);
    bool gone = now->rows[TABLE_LOG] < seen->rows || now->retained_rows != seen->retained;
    uint64_t until = gone ? 0 : seen->seq;
    CHECK(!pthread_mutex_unlock(&s->lock));
    return until;
}

/* False: what was known up to `after` was given up meanwhile. */
static bool answer(struct settled *s, struct str event, struct sessions *fresh, uint64_t after, const struct source_stats *now,
                   const struct id128 *ids, uint32_t n, bool *ret)
{
    CHECK(!pthread_mutex_lock(&s->lock));
    struct seen *seen = seen_of(s, event);
    bool good = !after || seen->seq >= after;
    if (good) {
        merge(seen, fresh, !after);
        seen->seq = after ? MAX(seen->seq, now->seq) : now->seq;
        seen->rows = now->rows[TABLE_LOG];
        seen->retained = now->retained_rows;
    }
    for (uint32_t i = 0; i < n && good; i++)
        ret[i] = sessions_has(&seen->sessions, ids[i]);
    if (seen->sessions.n > SEEN_SESSIONS_MAX) {    /* too many to be kept: read anew when they are asked for again */
        sessions_done(&seen->sessions);
        seen->seq = 0;
    }
    CHECK(!pthread_mutex_unlock(&s->lock));
    return good;
}

enum err seen_ask(struct scan *sc, struct str event, const struct id128 *ids, uint32_t n, bool *ret, struct fault *f)
{
    struct settled *s = sc->s;
    for (bool done = false; !done;) {
        struct source_stats now = { 0 };
        struct sessions fresh = { 0 };
        s->behind->stats(s->behind, &now);
        uint64_t after = known_until(s, event, &now);
        enum err e = !after || now.seq > after ? read_sessions(sc, event, after, &fresh, f) : OK;
        done = e || answer(s, event, &fresh, after, &now, ids, n, ret);
        sessions_done(&fresh);
        if (e)
            return e;
    }
    return OK;
}
