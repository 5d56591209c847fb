/* promql/targets.c -- see targets.h.
 *
 * A process has one set of counters, which only grow, and shows all of them at each
 * scrape. What one target shows between two of its ends is one incarnation (rule 2).
 * Two incarnations of different targets are the same process when, both put in order of
 * time, their scrapes are one growing sequence: no counter falls from one scrape to the
 * next, and one that is not shown counts as 0. All counters of the session are looked
 * at, whatever the query asks for, and all scrapes that are stored, so that every query
 * comes to the same answer. Two processes of a session fail this at once, since each
 * began at 0 and did work of its own.
 *
 * That says nothing about incarnations that were never there at the same time: a later
 * process may well begin above where an earlier one ended. So they are joined
 *
 *   when the spans from first to last scrape overlap, or
 *   when no more than NEAR_NS lie between them and no target would have two of its
 *   incarnations in one process: a process too short to be seen twice.
 *
 * Nearest pairs come first. One target's incarnations are joined only through another
 * that overlaps both: it saw that the process went on.
 *
 *     A   5   5   7   9          joined:  5 5 5 7 8 9 9, increments 5 2 1 1
 *     B     5       8   9        each for itself would count 9 twice
 *
 * The joined rows are one stream; of the targets that saw the process it is shown under
 * the labels of the one that saw the session more often. Session by session, because only one has its rows sorted out
 * at a time.
 */
#include "promql/targets.h"

#include <stdlib.h>
#include <string.h>

#include "query/rowset.h"

#define NEAR_NS (60 * NS_PER_S)                    /* Prometheus's own scrape interval */

enum {
    SESSIONS_WRITTEN_MAX = 512,                    /* more are not written into the scan's matcher */
    INCARNATIONS_MAX = 4096,                       /* of one session, at all its targets */
    SESSION_MEMORY = 64 << 20,
    PATTERN_MAX = 1 << 20,
};

static const struct str target_labels[] = { S("instance"), S("job") };

struct sample {
    int64_t t, start;                              /* ns */
    double v;
    uint32_t series, target;
};

/* A series of the scan. */
struct entry {
    uint32_t session;                              /* MAP_NONE: none that was asked for */
    uint32_t target;
    uint32_t group;                                /* within its session: equal but for the target */
    uint32_t out;                                  /* its target_series + 1; 0: none yet */
    bool shown;                                    /* asked for, and passes the matchers */
};

/* What a target showed of one process. */
struct inc {
    uint32_t target, process;
    int64_t start, first, last;
    uint32_t scrapes, weight;                      /* weight: scrapes of this target in the whole session */
};

struct scrape {
    int64_t t;
    uint32_t inc;
    size_t from, n;                                /* of the session's samples */
    double sum;
};

struct pair {
    uint32_t a, b;
    int64_t gap;
};

struct reading {
    struct query_ctx *q;
    const struct spelling *sp;
    struct map wanted, sessions;                   /* measure and session; session -> number */
    uint32_t nsessions;
    struct keyset targets;
    struct rowset set;
    struct entry *entries;
    uint32_t nentries, cap_entries;
    struct sample *at;                             /* heap; by session after sorting */
    size_t n, cap;
    struct target_series *out;
    uint32_t nout, cap_out;
};

/* One session at a time; in an arena of its own. */
struct session {
    struct reading *rd;
    struct arena *mem;
    struct sample *at;
    size_t n;
    struct inc *incs;
    struct scrape *scrapes;
    uint32_t nincs, nscrapes, cap_incs, cap_scrapes, ngroups;
    double *now;                                   /* by group */
};

/* ---- rows ------------------------------------------------------------------ */

static struct str pair_key(struct arena *mem, struct labels l)
{
    struct str measure = sources_measure(l), session = labels_get(l, S("session_id"));
    return arena_fmt(mem, STR_FMT "\n" STR_FMT, STR_ARG(measure), STR_ARG(session));
}

static void want(struct reading *rd, const struct sighted *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bool fresh;
        if (!s[i].targets)
            continue;
        map_intern(&rd->wanted, pair_key(rd->q->mem, s[i].labels), 1, &fresh);
        map_intern(&rd->sessions, labels_get(s[i].labels, S("session_id")), rd->nsessions, &fresh);
        rd->nsessions += fresh;
    }
}

static bool passes(const struct spelling *sp, struct labels l)
{
    for (uint32_t i = 0; i < sp->nmatchers; i++)
        if (!matcher_test(&sp->matchers[i], labels_get(l, sp->matchers[i].label)))
            return false;
    return true;
}

static void add_entries(struct reading *rd)
{
    while (rd->nentries < rd->set.n) {
        struct labels l = rd->set.series[rd->nentries];
        struct entry *x = arena_push(rd->q->mem, rd->entries, rd->nentries, rd->cap_entries);
        bool fresh;
        *x = (struct entry){ .session = map_get(&rd->sessions, labels_get(l, S("session_id"))) };
        if (x->session == MAP_NONE)
            continue;
        x->target = keyset_id(&rd->targets, l, target_labels, LEN(target_labels), true, &fresh);
        x->shown = passes(rd->sp, l) && map_get(&rd->wanted, pair_key(rd->q->mem, l)) != MAP_NONE;
    }
}

static enum err take_block(struct reading *rd, const struct block *b, struct fault *f)
{
    uint32_t *ids = mem_alloc(sizeof *ids * ((size_t)b->nsel + 1));
    enum err e = rowset_block(&rd->set, b, ids, f);
    if (!e)
        add_entries(rd);
    if (rd->n + b->nsel > rd->cap) {
        rd->cap = MAX(2 * rd->cap, rd->n + b->nsel);
        rd->at = mem_resize(rd->at, sizeof *rd->at * rd->cap);
    }
    size_t before = rd->n;
    for (uint32_t i = 0; i < b->nsel && !e; i++) {
        uint32_t r = b->sel[i];
        const struct entry *x = &rd->entries[ids[i]];
        if (b->origin[r] == ORIGIN_SCRAPE && b->temporality[r] == TEMPORALITY_CUMULATIVE && x->session != MAP_NONE)
            rd->at[rd->n++] = (struct sample){ b->time_ns[r], b->start_ns[r], b->value[r], ids[i], x->target };
    }
    mem_free(ids);
    return e ? e : query_hold(rd->q, rd->n - before, f);
}

/* A regular expression that takes these texts and no other. */
static struct str alternatives(struct arena *mem, const struct sighted *s, uint32_t n)
{
    struct buf out;
    struct str last = { 0 };
    buf_init(&out, PATTERN_MAX);
    for (uint32_t i = 0; i < n; i++) {
        struct str session = labels_get(s[i].labels, S("session_id"));
        if (!s[i].targets || str_eq(session, last))
            continue;
        if (last.n)
            buf_byte(&out, '|');
        for (size_t k = 0; k < session.n; k++) {
            if (str_index(S("\\.+*?()|[]{}^$"), session.p[k]) != SIZE_MAX)
                buf_byte(&out, '\\');
            buf_byte(&out, session.p[k]);
        }
        last = session;
    }
    struct str text = out.bad ? S("") : arena_str(mem, buf_view(&out));
    buf_done(&out);
    return text;
}

static enum err scan(struct reading *rd, const struct matcher *m, struct fault *f)
{
    struct query_ctx *q = rd->q;
    struct scan_req req = {
        .table = TABLE_SAMPLE, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .matchers = m, .nmatchers = 1, .all_labels = true,
        .rows_max = q->limits ? q->limits->rows_max : 0, .deadline_mono_ns = q->deadline_mono_ns, .cancelled = q->cancelled,
    };
    struct scan *sc;
    const struct block *b;
    enum err e = query_scan_begin(q, &req, &sc, f);
    if (e)
        return e;
    while (!(e = q->src->scan_next(sc, &b, f)) && b) {
        e = take_block(rd, b, f);
        if (e)
            break;
    }
    query_scan_end(q, sc);
    return e;
}

static enum err read_rows(struct reading *rd, const struct sighted *s, uint32_t n, struct fault *f)
{
    struct matcher m = { .op = MATCH_NE, .label = S("session_id"), .value = S("") };
    CLEANUP(regex_freep) struct regex *re = NULL;
    struct str sessions = rd->nsessions <= SESSIONS_WRITTEN_MAX ? alternatives(rd->q->mem, s, n) : S("");
    for (uint32_t i = 0; i < n && rd->nsessions == 1; i++)
        if (s[i].targets)
            m = (struct matcher){ .op = MATCH_EQ, .label = S("session_id"), .value = labels_get(s[i].labels, S("session_id")) };
    if (rd->nsessions > 1 && sessions.n && !regex_new(sessions, REGEX_FULL, &re, NULL))
        m = (struct matcher){ .op = MATCH_RE, .label = S("session_id"), .value = sessions, .re = re };
    return scan(rd, &m, f);
}

/* ---- incarnations and their scrapes ---------------------------------------- */

static int by_scrape(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    if (x->target != y->target)
        return x->target < y->target ? -1 : 1;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->t > y->t) - (x->t < y->t);
}

static int by_time(const void *a, const void *b)
{
    const struct scrape *x = a, *y = b;
    if (x->t != y->t)
        return x->t < y->t ? -1 : 1;
    if (x->sum != y->sum)
        return x->sum < y->sum ? -1 : 1;           /* of one moment: in the order of one process */
    return (x->inc > y->inc) - (x->inc < y->inc);
}

static struct inc *inc_of(struct session *s, const struct sample *x)
{
    struct inc *last = s->nincs ? &s->incs[s->nincs - 1] : NULL;
    if (last && last->target == x->target && last->start == x->start)
        return last;
    struct inc *fresh = arena_push(s->mem, s->incs, s->nincs, s->cap_incs);
    *fresh = (struct inc){ .target = x->target, .process = s->nincs - 1, .start = x->start, .first = x->t, .last = x->t };
    return fresh;
}

static void find_scrapes(struct session *s)
{
    qsort(s->at, s->n, sizeof *s->at, by_scrape);
    for (size_t i = 0; i < s->n; i++) {
        struct inc *inc = inc_of(s, &s->at[i]);
        struct scrape *last = s->nscrapes ? &s->scrapes[s->nscrapes - 1] : NULL;
        if (!last || last->inc != s->nincs - 1 || last->t != s->at[i].t) {
            last = arena_push(s->mem, s->scrapes, s->nscrapes, s->cap_scrapes);
            *last = (struct scrape){ .t = s->at[i].t, .inc = s->nincs - 1, .from = i };
            inc->scrapes++;
        }
        last->n++;
        last->sum += s->at[i].v;
        inc->last = s->at[i].t;
    }
    qsort(s->scrapes, s->nscrapes, sizeof *s->scrapes, by_time);
}

/* ---- processes ------------------------------------------------------------- */

/* May this scrape follow what is shown now? Then it is what is shown. */
static bool follows(struct session *s, const struct scrape *c, uint32_t *shown)
{
    uint32_t still = 0, more = 0;
    for (size_t i = c->from; i < c->from + c->n; i++) {
        double *now = &s->now[s->rd->entries[s->at[i].series].group];
        if (s->at[i].v < *now)
            return false;
        still += *now > 0;
        more += !(*now > 0) && s->at[i].v > 0;
        *now = MAX(*now, s->at[i].v);
    }
    if (still < *shown)
        return false;                              /* a counter is not there */
    *shown += more;
    return true;
}

static bool is_one_process(struct session *s, uint32_t a, uint32_t b)
{
    uint32_t shown = 0;
    memset(s->now, 0, sizeof *s->now * s->ngroups);
    for (uint32_t i = 0; i < s->nscrapes; i++) {
        uint32_t p = s->incs[s->scrapes[i].inc].process;
        if ((p == a || p == b) && !follows(s, &s->scrapes[i], &shown))
            return false;
    }
    return true;
}

static bool share_target(const struct session *s, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < s->nincs; i++)
        for (uint32_t k = 0; k < s->nincs && s->incs[i].process == a; k++)
            if (s->incs[k].process == b && s->incs[k].target == s->incs[i].target)
                return true;
    return false;
}

static int nearest_first(const void *x, const void *y)
{
    const struct pair *p = x, *q = y;
    if (p->gap != q->gap)
        return p->gap < q->gap ? -1 : 1;
    if (p->a != q->a)
        return p->a < q->a ? -1 : 1;
    return (p->b > q->b) - (p->b < q->b);
}

static struct pair *find_pairs(struct session *s, size_t *ret_n)
{
    struct pair *pairs = NULL;
    size_t n = 0, cap = 0;
    for (uint32_t a = 0; a < s->nincs; a++)
        for (uint32_t b = a + 1; b < s->nincs; b++) {
            const struct inc *x = &s->incs[a], *y = &s->incs[b];
            int64_t gap = MAX(x->first, y->first) - MIN(x->last, y->last);
            if (x->target != y->target && gap <= NEAR_NS)
                *arena_push(s->mem, pairs, n, cap) = (struct pair){ a, b, MAX(gap, (int64_t)0) };
        }
    if (n > 1)
        qsort(pairs, n, sizeof *pairs, nearest_first);
    *ret_n = n;
    return pairs;
}

static enum err join(struct session *s, struct fault *f)
{
    size_t n;
    const struct pair *pairs = find_pairs(s, &n);
    for (size_t i = 0; i < n; i++) {
        uint32_t a = s->incs[pairs[i].a].process, b = s->incs[pairs[i].b].process;
        if (a == b || (pairs[i].gap && share_target(s, a, b)) || !is_one_process(s, a, b))
            continue;
        for (uint32_t k = 0; k < s->nincs; k++)
            if (s->incs[k].process == b)
                s->incs[k].process = a;
        enum err e = query_check(s->rd->q, f);
        if (e)
            return e;
    }
    return OK;
}

/* ---- what is shown --------------------------------------------------------- */

/* The series under which a process shows a group: of the target that saw most of the
 * session, so that processes one after another are one series. */
struct face {
    uint32_t series, weight;                       /* weight 0: none yet */
};

static void choose_faces(const struct session *s, struct face *faces)
{
    const struct reading *rd = s->rd;
    for (uint32_t i = 0; i < s->nincs; i++)
        for (uint32_t k = 0; k < s->nincs; k++)
            s->incs[i].weight += s->incs[k].target == s->incs[i].target ? s->incs[k].scrapes : 0;
    for (uint32_t i = 0; i < s->nscrapes; i++) {
        const struct scrape *c = &s->scrapes[i];
        const struct inc *inc = &s->incs[c->inc];
        for (size_t k = c->from; k < c->from + c->n; k++) {
            uint32_t id = s->at[k].series;
            struct face *face = &faces[(size_t)inc->process * s->ngroups + rd->entries[id].group];
            bool tie = face->weight == inc->weight && labels_cmp(rd->set.series[id], rd->set.series[face->series]) < 0;
            if (rd->entries[id].shown && (face->weight < inc->weight || tie))
                *face = (struct face){ id, inc->weight };
        }
    }
}

static struct target_series *out_of(struct reading *rd, uint32_t id)
{
    struct entry *x = &rd->entries[id];
    if (!x->out) {
        *arena_push(rd->q->mem, rd->out, rd->nout, rd->cap_out) = (struct target_series){ .labels = rd->set.series[id] };
        x->out = rd->nout;
    }
    return &rd->out[x->out - 1];
}

static int64_t to_ms(int64_t ns)
{
    return ns / NS_PER_MS - (ns % NS_PER_MS < 0);
}

static void give_rows(struct session *s)
{
    struct reading *rd = s->rd;
    struct face *faces = arena_new(s->mem, struct face, (size_t)s->nincs * s->ngroups);
    int64_t *begun = arena_new(s->mem, int64_t, s->nincs);
    choose_faces(s, faces);
    for (uint32_t i = 0; i < s->nincs; i++) {
        int64_t *at = &begun[s->incs[i].process];
        *at = *at ? MIN(*at, s->incs[i].start) : s->incs[i].start;
    }
    for (uint32_t i = 0; i < s->nscrapes; i++) {
        const struct scrape *c = &s->scrapes[i];
        uint32_t process = s->incs[c->inc].process;
        for (size_t k = c->from; k < c->from + c->n; k++) {
            const struct entry *x = &rd->entries[s->at[k].series];
            if (!x->shown)
                continue;
            struct target_series *out = out_of(rd, faces[(size_t)process * s->ngroups + x->group].series);
            *arena_push(rd->q->mem, out->rows, out->n, out->cap) = (struct acc_row){
                .t = to_ms(c->t), .start = to_ms(begun[process]), .stream = process + 1, .v = s->at[k].v, .cumulative = true,
            };
        }
    }
}

/* ---- all together ---------------------------------------------------------- */

static int by_session(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;
    if ((*x)->session != (*y)->session)
        return (*x)->session < (*y)->session ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

/* Numbers the groups of each session from 0 on. Returns how many each has. */
static uint32_t *number_groups(struct reading *rd)
{
    struct arena *mem = rd->q->mem;
    uint32_t *counts = arena_new(mem, uint32_t, rd->nsessions);
    struct entry **all = arena_new(mem, struct entry *, rd->nentries);
    uint32_t n = 0;
    for (uint32_t i = 0; i < rd->nentries; i++)
        if (rd->entries[i].session != MAP_NONE)
            all[n++] = &rd->entries[i];
    qsort(all, n, sizeof(struct entry *), by_session);
    for (uint32_t i = 0; i < n;) {
        CLEANUP(keyset_done) struct keyset groups;
        keyset_init(&groups, mem);
        uint32_t session = all[i]->session;
        for (; i < n && all[i]->session == session; i++) {
            bool fresh;
            struct labels l = rd->set.series[all[i] - rd->entries];
            all[i]->group = keyset_id(&groups, l, target_labels, LEN(target_labels), false, &fresh);
        }
        counts[session] = groups.n;
    }
    return counts;
}

/* Samples by session, by counting. ret[i] .. ret[i + 1] are those of session i. */
static size_t *sort_by_session(struct reading *rd)
{
    size_t *first = arena_new(rd->q->mem, size_t, rd->nsessions + 2);
    struct sample *sorted = mem_alloc(sizeof *sorted * (rd->n + 1));
    for (size_t i = 0; i < rd->n; i++)
        first[rd->entries[rd->at[i].series].session + 2]++;
    for (uint32_t i = 2; i < rd->nsessions + 2; i++)
        first[i] += first[i - 1];
    for (size_t i = 0; i < rd->n; i++)
        sorted[first[rd->entries[rd->at[i].series].session + 1]++] = rd->at[i];
    mem_free(rd->at);
    rd->at = sorted;
    return first;
}

static enum err use_sessions(struct reading *rd, struct fault *f)
{
    struct arena mem;
    enum err e = OK;
    const uint32_t *ngroups = number_groups(rd);
    const size_t *first = sort_by_session(rd);
    arena_init(&mem, SESSION_MEMORY);
    for (uint32_t i = 0; i < rd->nsessions && !e; i++) {
        arena_reset(&mem);
        struct session s = { .rd = rd, .mem = &mem, .at = rd->at + first[i], .n = first[i + 1] - first[i], .ngroups = ngroups[i] };
        s.now = arena_new(&mem, double, s.ngroups + 1);
        find_scrapes(&s);
        if (s.nincs > INCARNATIONS_MAX)
            e = fault_set(f, E_LIMIT, 0, "one session has more than %d scraped processes", INCARNATIONS_MAX);
        if (!e)
            e = join(&s, f);
        if (!e)
            give_rows(&s);
    }
    arena_done(&mem);
    return e;
}

enum err targets_read(struct query_ctx *q, const struct spelling *sp, const struct sighted *s, uint32_t n,
                      struct target_series **ret, uint32_t *ret_n, struct fault *f)
{
    struct reading rd = { .q = q, .sp = sp };
    want(&rd, s, n);
    rowset_init(&rd.set, q, 1u << PLACE_LABEL);
    keyset_init(&rd.targets, q->mem);
    enum err e = rd.nsessions ? read_rows(&rd, s, n, f) : OK;
    if (!e)
        e = use_sessions(&rd, f);
    keyset_done(&rd.targets);
    rowset_done(&rd.set);
    map_done(&rd.sessions);
    map_done(&rd.wanted);
    mem_free(rd.at);
    *ret = rd.out;
    *ret_n = rd.nout;
    return e;
}
