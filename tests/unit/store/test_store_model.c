/* tests/unit/store/test_store_model.c -- random days of a store against a plain model.
 *
 * A life is a row of sessions. Each writes random requests (samples of all kinds, logs,
 * spans; late, out of order, colliding, resent, moved by rule 10, without time), flushes and
 * compacts now and then, and ends by a clean close or by being killed. In between everything is
 * compared: all rows, random scans, names and values, statistics.
 *
 * STORE_SEED=n runs that seed alone; STORE_LIVES=n so many lives, from random seeds on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/store_model.h"
#include "store/store_int.h"
#include "model/histogram.h"
#include "rows_model.h"

enum { PAST_MAX = 24, ROWS_MAX = 40, SCANS = 25, SESSIONS = 7 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LIVES = 4 };
#else
enum { LIVES = 12 };
#endif

/* ---- random requests ------------------------------------------------------- */

struct author {
    struct rng rng;
    struct arena mem;
    struct bed_req past[PAST_MAX];                 /* to send again */
    uint32_t npast;
};

static uint64_t below(struct author *g, uint64_t n) { return rng_below(&g->rng, n); }
static bool chance(struct author *g, unsigned percent) { return below(g, 100) < percent; }
static struct str number(struct author *g, const char *prefix, uint64_t n)
{
    return arena_fmt(&g->mem, "%s%llu", prefix, (unsigned long long)below(g, n));
}

static void put(struct bed_row *r, enum place place, const char *name, struct value v)
{
    CHECK(r->ncells < BED_CELLS);
    r->cells[r->ncells++] = (struct bed_cell){ place, str_c(name), v };
}

/* Mostly now, sometimes hours, days or months ago; on the edge of a day; impossible, and
 * so far from possible that a resend cannot be. */
static int64_t some_time(struct author *g, int64_t now)
{
    unsigned kind = (unsigned)below(g, 100);
    int64_t day = now - now % NS_PER_DAY;
    if (kind < 55)
        return now - (int64_t)below(g, 120) * NS_PER_S;
    if (kind < 70)
        return now - (int64_t)below(g, 48 * 3600) * NS_PER_S;
    if (kind < 80)
        return day - (int64_t)below(g, 4) * NS_PER_DAY - (int64_t)below(g, 3) + 1;
    if (kind < 88)
        return now - (int64_t)below(g, 20) * NS_PER_DAY - (int64_t)below(g, 1000);
    if (kind < 92)
        return now - (int64_t)below(g, 380) * NS_PER_DAY;
    if (kind < 94)
        return now - BED_RETENTION - (int64_t)below(g, 5) * NS_PER_DAY - 1;
    if (kind < 96)
        return now + 40 * NS_PER_DAY + (int64_t)below(g, 5) * NS_PER_DAY;
    if (kind < 98)
        return now + (int64_t)below(g, 20) * NS_PER_S;
    return 0;
}

/* The catalogue of moved rows keeps no values, so no larger one can win there. */
static bool is_possible(const struct bed_row *r, int64_t now)
{
    return r->said_ns == 0 || (r->said_ns > now - BED_RETENTION && r->said_ns <= now + NS_PER_DAY);
}

static struct value some_histogram(struct author *g)
{
    int32_t index[3] = { (int32_t)below(g, 3) - 4, 0, 9 };
    double counts[3] = { (double)below(g, 3), (double)below(g, 1000), 0.5 };
    struct histogram h = { .schema = (int32_t)below(g, 3), .count = counts[0] + counts[1], .pos = { index, counts, 2 + (uint32_t)below(g, 2) } };
    struct value v = { .type = V_BYTES };
    CHECK(!histogram_encode(&g->mem, &h, &v.s, NULL));
    return v;
}

static void make_sample(struct author *g, struct bed_row *r, int64_t now)
{
    static const char *const names[] = { "claude_code_cost_usage_USD_total", "claude_code_token_usage_tokens_total", "up", "queue" };
    uint64_t kind = below(g, LEN(names));
    r->temporality = kind >= 2 ? TEMPORALITY_NONE : chance(g, 50) ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE;
    r->origin = kind >= 2 ? ORIGIN_REMOTE : ORIGIN_OTLP;
    r->said_ns = some_time(g, now);
    if (r->temporality == TEMPORALITY_CUMULATIVE && !is_possible(r, now))
        r->said_ns = now;
    r->start_ns = r->temporality == TEMPORALITY_NONE ? 0 : now - (int64_t)below(g, 3) * 3600 * NS_PER_S;
    if (r->temporality == TEMPORALITY_DELTA && chance(g, 70))
        r->start_ns = r->said_ns - 10 * NS_PER_S;
    r->value = kind == 0 ? (double)below(g, 40) / 8 * 0.0123 : (double)below(g, 6);
    if (chance(g, 1))
        r->value = __builtin_nan("");
    if (r->temporality != TEMPORALITY_CUMULATIVE && chance(g, 20)) {
        struct value cell = some_histogram(g);
        put(r, PLACE_FIELD, "histogram", cell);
        r->value = histogram_value(cell.s);
    }
    put(r, PLACE_LABEL, "__name__", value_str(str_c(names[kind])));
    if (chance(g, 85))
        put(r, PLACE_LABEL, "session_id", value_str(number(g, "s", 6)));
    if (chance(g, 60))
        put(r, PLACE_LABEL, "model", value_str(number(g, "m", 3)));
    if (chance(g, 10))
        put(r, PLACE_LABEL, "long", value_str(arena_fmt(&g->mem, "%0*d", (int)below(g, 3000), 7)));
}

static struct value some_value(struct author *g)
{
    switch (below(g, 8)) {
    case 0:
        return value_int((int64_t)below(g, 5) - 2);
    case 1:
        return value_double((double)below(g, 9) / 4);
    case 2:
        return value_bool(chance(g, 50));
    case 3:
        return (struct value){ .type = V_BYTES, .s = number(g, "by", 4) };
    case 4:
        return (struct value){ .type = V_JSON, .s = S("[1,2]") };
    case 5:
        return value_str(S(""));
    default:
        return value_str(number(g, "v", 5));
    }
}

static void make_attributes(struct author *g, struct bed_row *r, bool with_group)
{
    static const char *const names[] = { "a.b", "a_b", "cost_usd", "duration_ms", "prompt", "tool.name" };
    for (size_t i = 0; i < LEN(names); i++)
        if (chance(g, 35))
            put(r, PLACE_ATTR, names[i], some_value(g));
    if (chance(g, 80))
        put(r, PLACE_ATTR, "session.id", value_str(number(g, "s", 6)));
    if (chance(g, 30))
        put(r, PLACE_ATTR, "prompt.id", value_str(number(g, "p", 9)));
    if (!with_group)
        return;
    put(r, PLACE_RESOURCE, "service.name", value_str(S("claude-code")));
    put(r, PLACE_RESOURCE, "a.b", value_str(S("of the resource")));
    put(r, PLACE_SCOPE, "version", value_str(S("2.1")));
}

static void make_log(struct author *g, struct bed_row *r, int64_t now)
{
    r->origin = ORIGIN_OTLP;
    r->said_ns = some_time(g, now);
    if (chance(g, 10))
        r->observed_ns = now - 5;
    put(r, PLACE_FIELD, "body", chance(g, 90) ? value_str(number(g, "text ", 12)) : some_value(g));
    if (chance(g, 70))
        put(r, PLACE_FIELD, "event_name", value_str(number(g, "event", 4)));
    make_attributes(g, r, chance(g, 80));
}

static void make_span(struct author *g, struct bed_row *r, int64_t now)
{
    r->origin = ORIGIN_OTLP;
    r->said_ns = some_time(g, now);
    if (chance(g, 90))
        put(r, PLACE_FIELD, "trace_id", value_str(number(g, "t", 5)));
    if (chance(g, 90))                             /* ids of one span come with one time */
        put(r, PLACE_FIELD, "span_id", value_str(arena_fmt(&g->mem, "%lld.%u", (long long)r->said_ns, (unsigned)below(g, 2))));
    put(r, PLACE_FIELD, "duration_ns", value_int((int64_t)below(g, 1000000)));
    make_attributes(g, r, chance(g, 50));
}

static struct bed_req make_req(struct author *g, int64_t now)
{
    static void (*const make[TABLE_COUNT])(struct author *, struct bed_row *, int64_t) = { make_sample, make_log, make_span };
    struct bed_req r = { .table = (enum table)below(g, TABLE_COUNT), .recv_ns = now, .n = (uint32_t)below(g, ROWS_MAX) };
    r.rows = arena_new(&g->mem, struct bed_row, r.n + 1);
    for (uint32_t i = 0; i < r.n; i++) {
        if (i && chance(g, 6))
            r.rows[i] = r.rows[i - 1];             /* twice in one request */
        else
            make[r.table](g, &r.rows[i], now);
    }
    return r;
}

/* A new request, or an old one again: as it was, in part, or with other values. */
static struct bed_req next_req(struct author *g, int64_t now)
{
    if (g->npast && chance(g, 30)) {
        struct bed_req r = g->past[below(g, MIN(g->npast, (uint32_t)PAST_MAX))];
        uint32_t from = chance(g, 50) ? 0 : (uint32_t)below(g, r.n + 1);
        struct bed_row *rows = arena_new(&g->mem, struct bed_row, r.n + 1);
        for (uint32_t i = 0; i < r.n; i++) {
            rows[i] = r.rows[i];
            if (r.table == TABLE_SAMPLE && chance(g, 20) && is_possible(&rows[i], now))
                rows[i].value += 1;
        }
        r.rows = rows + from;
        r.n -= from;
        r.recv_ns = now;
        return r;
    }
    struct bed_req r = make_req(g, now);
    g->past[g->npast++ % PAST_MAX] = r;
    return r;
}

/* ---- comparing ------------------------------------------------------------- */

static const char *const labels[] = { "session_id", "model", "__name__", "event_name", "body", "a_b", "service_name", "prompt", "nothing", "long", "duration_ms" };

struct patterns {
    struct regex *re[6];
};
static const char *const patterns[] = { "s[0-2]", ".*", ".+", "", "m1|m2", "of .*|claude.*" };

static struct matcher some_matcher(struct author *g, const struct patterns *p)
{
    static const char *const values[] = { "", "s1", "m1", "up", "event2", "v1", "claude-code", "1", "0.25", "true", "no such" };
    struct matcher m = { .op = (enum match_op)below(g, 4), .label = str_c(labels[below(g, LEN(labels))]) };
    if (m.op == MATCH_RE || m.op == MATCH_NRE) {
        size_t k = below(g, LEN(patterns));
        m.re = p->re[k];
        m.value = str_c(patterns[k]);
    } else {
        m.value = str_c(values[below(g, LEN(values))]);
    }
    if (chance(g, 10))
        m.places = 1u << PLACE_RESOURCE | 1u << PLACE_LABEL;
    return m;
}

static void compare_scans(struct bed *b, struct author *g, const struct patterns *p, const char *what)
{
    for (int i = 0; i < SCANS; i++) {
        struct matcher m[3];
        struct str wanted[3];
        struct scan_req r = { .table = (enum table)below(g, TABLE_COUNT), .from_ns = INT64_MIN, .to_ns = INT64_MAX,
                              .matchers = m, .labels = wanted, .order = (enum scan_order)below(g, 3), .all_labels = chance(g, 40) };
        if (chance(g, 60)) {
            r.from_ns = some_time(g, b->now_ns);
            r.to_ns = r.from_ns + (int64_t)below(g, 3 * 86400) * NS_PER_S + (int64_t)below(g, 2);
        }
        if (chance(g, 20))
            r.recv_after_ns = b->now_ns - (int64_t)below(g, 40) * 3600 * NS_PER_S;
        r.nmatchers = (uint32_t)below(g, LEN(m));
        for (uint32_t k = 0; k < r.nmatchers; k++)
            m[k] = some_matcher(g, p);
        r.nlabels = (uint32_t)below(g, LEN(wanted));
        for (uint32_t k = 0; k < r.nlabels; k++)
            wanted[k] = str_c(labels[below(g, LEN(labels))]);
        bed_same_scan(b, &r, what);
    }
}

struct found {
    struct map set;
    struct arena mem;
    uint32_t n;
};

static void add_text(struct found *x, struct str s)
{
    bool fresh;
    if (map_get(&x->set, s) != MAP_NONE)
        return;
    (void)map_intern(&x->set, arena_str(&x->mem, s), 1, &fresh);
    x->n++;
}

static void on_value(void *arg, struct str s)
{
    add_text(arg, s);
}

static void on_name(void *arg, enum place place, struct str name)
{
    struct found *x = arg;
    add_text(x, arena_fmt(&x->mem, "%d" STR_FMT, (int)place, STR_ARG(name)));
}

static void found_init(struct found *x)
{
    *x = (struct found){ 0 };
    arena_init(&x->mem, 8 << 20);
}

static void found_done(struct found *x)
{
    map_done(&x->set);
    arena_done(&x->mem);
}

/* With matchers names are exact; without, a chunk is the finest grain: all that are
 * there must be given, and none that the table never had. */
static void compare_names(struct bed *b, const struct scan_req *r, const char *what)
{
    struct found have, want, ever;
    struct source *src = store_source(b->store);
    found_init(&have);
    found_init(&want);
    found_init(&ever);
    assert_int_equal(src->label_names(src, r, on_name, &have, NULL), OK);
    for (uint32_t i = 0; i < b->nkept; i++)
        for (uint32_t c = 0; c < b->kept[i].row.ncells; c++) {
            const struct bed_cell *x = &b->kept[i].row.cells[c];
            if (b->kept[i].table == r->table && x->v.type != V_NONE)
                on_name(&ever, x->place, x->name);
            if (bed_matches(&b->kept[i], r) && x->v.type != V_NONE)
                on_name(&want, x->place, x->name);
        }
    for (uint32_t i = 0; i < b->nkept; i++)
        for (uint32_t c = 0; c < b->kept[i].row.ncells; c++) {
            const struct bed_cell *x = &b->kept[i].row.cells[c];
            struct str key = arena_fmt(&have.mem, "%d" STR_FMT, (int)x->place, STR_ARG(x->name));
            bool is_there = map_get(&have.set, key) != MAP_NONE;
            if (map_get(&want.set, key) != MAP_NONE && !is_there)
                fail_msg("%s: the name " STR_FMT " is missing", what, STR_ARG(key));
        }
    if (r->nmatchers ? have.n != want.n : have.n > ever.n)
        fail_msg("%s: %u names, %u wanted", what, have.n, want.n);
    found_done(&have);
    found_done(&want);
    found_done(&ever);
}

static void compare_values(struct bed *b, const struct scan_req *r, struct str label, const char *what)
{
    struct found have, want;
    struct source *src = store_source(b->store);
    found_init(&have);
    found_init(&want);
    assert_int_equal(src->label_values(src, r, label, on_value, &have, NULL), OK);
    for (uint32_t i = 0; i < b->nkept; i++) {
        if (!bed_matches(&b->kept[i], r))
            continue;
        struct value v = bed_label(&b->kept[i].row, label, 0);
        struct str text = value_text_in(&v, &want.mem);
        if (!text.n)
            continue;
        add_text(&want, text);
        if (map_get(&have.set, text) == MAP_NONE)
            fail_msg("%s: the value '" STR_FMT "' of " STR_FMT " is missing", what, STR_ARG(text), STR_ARG(label));
    }
    if (have.n != want.n)
        fail_msg("%s: %u values of " STR_FMT ", %u wanted", what, have.n, STR_ARG(label), want.n);
    found_done(&have);
    found_done(&want);
}

static void compare_lists(struct bed *b, struct author *g, const struct patterns *p, const char *what)
{
    for (int i = 0; i < 12; i++) {
        struct matcher m[2] = { some_matcher(g, p), some_matcher(g, p) };
        struct scan_req r = { .table = (enum table)below(g, TABLE_COUNT), .from_ns = INT64_MIN, .to_ns = INT64_MAX,
                              .matchers = m, .nmatchers = (uint32_t)below(g, 3) };
        if (chance(g, 50)) {
            r.from_ns = some_time(g, b->now_ns);
            r.to_ns = r.from_ns + (int64_t)below(g, 3 * 86400) * NS_PER_S;
        }
        compare_names(b, &r, what);
        compare_values(b, &r, str_c(labels[below(g, LEN(labels))]), what);
    }
}

static void compare_stats(struct bed *b, const char *what)
{
    struct source_stats s;
    uint64_t rows[TABLE_COUNT] = { 0 };
    int64_t oldest = 0, newest = 0;
    store_source(b->store)->stats(store_source(b->store), &s);
    for (uint32_t i = 0; i < b->nkept; i++) {
        rows[b->kept[i].table]++;
        oldest = i ? MIN(oldest, b->kept[i].time_ns) : b->kept[i].time_ns;
        newest = i ? MAX(newest, b->kept[i].time_ns) : b->kept[i].time_ns;
    }
    for (int t = 0; t < TABLE_COUNT; t++)
        if (s.rows[t] != rows[t])
            fail_msg("%s: statistics say %llu rows of table %d, %llu wanted", what, (unsigned long long)s.rows[t], t,
                     (unsigned long long)rows[t]);
    assert_int_equal(s.oldest_ns, oldest);
    assert_int_equal(s.newest_ns, newest);
    assert_false(s.read_only);
}

static void compare(struct bed *b, struct author *g, const struct patterns *p, const char *what)
{
    bed_same_rows(b, what);
    compare_scans(b, g, p, what);
    compare_lists(b, g, p, what);
    compare_stats(b, what);
}

/* ---- a life ---------------------------------------------------------------- */

struct session {
    struct author *g;
    const struct patterns *p;
    uint32_t steps;
    bool write, model;                             /* what to do with each request */
};

/* Draws the same random numbers whatever is done with them, so that the parent of a
 * killed process can tell what that did. */
static int run_session(struct bed *b, void *arg)
{
    struct session *s = arg;
    struct fault f = { 0 };
    if (s->write && bed_open(b, &f)) {
        (void)fprintf(stderr, "open: %s\n", f.msg);
        return 1;
    }
    for (uint32_t i = 0; i < s->steps; i++) {
        bed_pass(b, (int64_t)below(s->g, 3600) * NS_PER_S / (chance(s->g, 20) ? 1 : 100));
        struct bed_req r = next_req(s->g, b->now_ns);
        bool flush = chance(s->g, 12);
        if (s->write && bed_put(b, &r, &f)) {
            (void)fprintf(stderr, "write: %s\n", f.msg);
            return 1;
        }
        if (s->model)
            bed_model(b, &r);
        if (s->write && flush && store_flush(b->store, &f)) {
            (void)fprintf(stderr, "flush: %s\n", f.msg);
            return 1;
        }
        bool passes = chance(s->g, 6), tick = chance(s->g, 15);
        int64_t hours = (int64_t)below(s->g, chance(s->g, 30) ? 1000 : 60);
        if (passes) {                              /* days are over, months too: compaction has work */
            bed_pass(b, hours * 3600 * NS_PER_S);
            s->g->npast = 0;                       /* what was possible may be impossible by now, and the contrary */
        }
        if (s->write && tick)
            store_tick(b->store);
    }
    return 0;
}

static void one_life(uint64_t seed)
{
    struct author g = { .rng = { seed } };
    struct bed b;
    struct patterns p;
    struct fault f = { 0 };
    bed_init(&b);
    arena_init(&g.mem, (size_t)256 << 20);
    for (size_t i = 0; i < LEN(patterns); i++)
        assert_int_equal(regex_new(str_c(patterns[i]), REGEX_FULL, &p.re[i], NULL), OK);
    b.cfg.segment_bytes = chance(&g, 50) ? 16 << 10 : 0;
    b.cfg.flush_rows = chance(&g, 50) ? 1 + below(&g, 200) : 0;
    for (int i = 0; i < SESSIONS; i++) {
        char what[100];
        bool killed = chance(&g, 50);
        struct session s = { .g = &g, .p = &p, .steps = (uint32_t)below(&g, 25), .write = true, .model = !killed };
        (void)snprintf(what, sizeof what, "seed %llu, session %d (%s)", (unsigned long long)seed, i, killed ? "killed" : "closed");
        int rc = killed ? bed_fork(&b, run_session, &s) : run_session(&b, &s);
        if (rc)
            fail_msg("%s: ended with %d", what, rc);
        if (killed) {
            s.write = false;
            s.model = true;
            (void)run_session(&b, &s);
        } else {
            compare(&b, &g, &p, what);
            bed_close(&b);
        }
        assert_int_equal(bed_open(&b, &f), OK);
        (void)snprintf(what, sizeof what, "seed %llu, after session %d (%s)", (unsigned long long)seed, i, killed ? "killed" : "closed");
        compare(&b, &g, &p, what);
        bed_close(&b);
        if (b.reports)
            fail_msg("%s: %s", what, b.report);
    }
    for (size_t i = 0; i < LEN(patterns); i++)
        regex_free(p.re[i]);
    arena_done(&g.mem);
    bed_done(&b);
}

static void random_lives(void **state)
{
    (void)state;
    const char *seed = getenv("STORE_SEED"), *lives = getenv("STORE_LIVES");
    uint64_t from = seed ? strtoull(seed, NULL, 10) : lives ? (uint64_t)getpid() << 20 : 1;
    uint64_t n = seed ? 1 : lives ? strtoull(lives, NULL, 10) : LIVES;
    for (uint64_t i = 0; i < n; i++) {
        if (lives)
            (void)printf("seed %llu\n", (unsigned long long)(from + i));
        one_life(from + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_lives) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
