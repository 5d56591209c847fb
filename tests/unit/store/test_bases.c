/* tests/unit/store/test_bases.c -- bases of totals against the plainest reading of their
 * contract, while rows come in any order and carries are written, used and outdated.
 *
 * A few series (money and tokens, with and without a session, delta and cumulative, of
 * known and unknown start) have points over months: dense days, pauses around the 35 days
 * after which a total starts anew, late rows. Between writes there are flushes, minutes
 * (which write carry rows) and new starts; each question is asked at moments near points,
 * edges of days and anywhere, again and again, so that carries of one moment are used for
 * others.
 *
 * STORE_SEED=n runs that seed alone; STORE_LIVES=n so many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../support/store_model.h"
#include "rows_model.h"
#include "store/store_int.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LIVES = 2 };
#else
enum { LIVES = 6 };
#endif
enum { STEPS = 40, MOMENTS = 4, SERIES = 6 };

static const struct {
    const char *name, *session;                    /* NULL: without one */
    enum temporality temporality;
    bool unknown_start;
} series[SERIES] = {
    { "claude_code_cost_usage_USD_total", "s1", TEMPORALITY_DELTA, false },
    { "claude_code_cost_usage_USD_total", NULL, TEMPORALITY_DELTA, false },
    { "claude_code_token_usage_tokens_total", "s2", TEMPORALITY_DELTA, false },
    { "claude_code_token_usage_tokens_total", "s3", TEMPORALITY_CUMULATIVE, false },
    { "claude_code_cost_usage_USD_total", "s4", TEMPORALITY_CUMULATIVE, false },
    { "claude_code_active_time_seconds_total", NULL, TEMPORALITY_CUMULATIVE, true },
};
static const struct str names[] = { S("__name__"), S("session_id") };

struct life {
    struct bed b;
    struct rng rng;
    uint64_t seed;
    int64_t starts[3];                             /* of cumulative streams */
};

static uint64_t below(struct life *l, uint64_t n) { return rng_below(&l->rng, n); }
static bool chance(struct life *l, unsigned percent) { return below(l, 100) < percent; }

/* ---- points ---------------------------------------------------------------- */

static int64_t some_time(struct life *l)
{
    int64_t now = l->b.now_ns, day = now - now % NS_PER_DAY;
    switch (below(l, 6)) {
    case 0:
        return now - (int64_t)below(l, 3 * 86400) * NS_PER_S;
    case 1:
        return day - (int64_t)below(l, 100) * NS_PER_DAY - (int64_t)below(l, 3) + 1;
    case 2:                                        /* 35 days from one another, almost */
        return day - (int64_t)below(l, 5) * LOOKBACK_NS + ((int64_t)below(l, 5) - 2) * NS_PER_S * 3600;
    case 3:
        return now - (int64_t)below(l, 200 * 86400) * NS_PER_S;
    default:
        return now - (int64_t)below(l, 40 * 86400) * NS_PER_S;
    }
}

static bool make_point(struct life *l, struct bed_row *r)
{
    uint64_t k = below(l, SERIES);
    *r = (struct bed_row){ .temporality = series[k].temporality, .origin = ORIGIN_OTLP, .said_ns = some_time(l) };
    bool money = strstr(series[k].name, "cost") != NULL;
    if (r->temporality == TEMPORALITY_DELTA) {
        r->start_ns = r->said_ns - 10 * NS_PER_S;
        r->value = money ? (double)(1 + below(l, 999)) * 0.0003 : (double)(1 + below(l, 99));
    } else {
        r->start_ns = series[k].unknown_start ? 0 : l->starts[below(l, LEN(l->starts))];
        if (r->said_ns < r->start_ns)
            return false;
        /* Mostly growing with time, as a stream does; not always. */
        r->value = (double)((r->said_ns - r->start_ns) / NS_PER_DAY % 1000 + (int64_t)below(l, 3));
    }
    r->cells[r->ncells++] = (struct bed_cell){ PLACE_LABEL, names[0], value_str(str_c(series[k].name)) };
    if (series[k].session)
        r->cells[r->ncells++] = (struct bed_cell){ PLACE_LABEL, names[1], value_str(str_c(series[k].session)) };
    return true;
}

static void write_points(struct life *l)
{
    struct bed_row rows[12];
    struct bed_req r = { .table = TABLE_SAMPLE, .recv_ns = l->b.now_ns, .rows = rows };
    struct fault f = { 0 };
    uint32_t n = 1 + (uint32_t)below(l, LEN(rows));
    while (r.n < n)
        r.n += make_point(l, &rows[r.n]);
    if (bed_write(&l->b, &r, &f))
        fail_msg("seed %llu: %s", (unsigned long long)l->seed, f.msg);
}

/* ---- the plain answer ------------------------------------------------------ */

static bool is_of(const struct bed_kept *k, const struct base_key *key)
{
    if (k->table != TABLE_SAMPLE || k->row.temporality != key->temporality || k->row.ncells != key->nlabels)
        return false;
    for (uint32_t i = 0; i < key->nlabels; i++)
        if (!value_eq(&k->row.cells[i].v, &key->labels[i].v) || !str_eq(k->row.cells[i].name, names[key->labels[i].col]))
            return false;
    return key->temporality == TEMPORALITY_DELTA || k->row.start_ns == key->start_ns;
}

/* Newest to oldest, moment by moment; 35 days without a row end it. */
static void plain_stream(const struct bed *b, struct base_key *key, int64_t at)
{
    int64_t before = at + 1, reference = at, nano = 0;
    double sum = 0, greatest = 0;
    bool money = strstr(key->labels[0].v.s.p, "cost_usage_USD") != NULL;
    key->known = false;
    key->last_ns = 0;
    for (;;) {
        int64_t newest = INT64_MIN;
        for (uint32_t i = 0; i < b->nkept; i++)
            if (is_of(&b->kept[i], key) && b->kept[i].time_ns < before)
                newest = MAX(newest, b->kept[i].time_ns);
        if (newest == INT64_MIN || reference - newest >= LOOKBACK_NS)
            break;
        for (uint32_t i = 0; i < b->nkept; i++)
            if (is_of(&b->kept[i], key) && b->kept[i].time_ns == newest) {
                greatest = key->known ? MAX(greatest, b->kept[i].row.value) : b->kept[i].row.value;
                sum += b->kept[i].row.value;
                nano += llround(b->kept[i].row.value * 1e9);
                key->last_ns = key->known ? key->last_ns : newest;
                key->known = true;
            }
        before = reference = newest;
        if (key->temporality == TEMPORALITY_CUMULATIVE && !key->start_ns)
            break;                                 /* unknown start: the newest value */
    }
    key->base = key->temporality == TEMPORALITY_CUMULATIVE ? greatest : money ? (double)nano / 1e9 : sum;
}

static void plain_answer(const struct life *l, struct base_key *key, int64_t at)
{
    if (key->temporality != TEMPORALITY_CUMULATIVE || key->start_ns != BASE_ALL_STREAMS) {
        plain_stream(&l->b, key, at);
        return;
    }
    struct base_key sum = *key;
    sum.base = 0;
    sum.known = false;
    sum.last_ns = 0;
    for (size_t i = 0; i <= LEN(l->starts); i++) {
        struct base_key one = *key;
        one.start_ns = i < LEN(l->starts) ? l->starts[i] : 0;
        plain_stream(&l->b, &one, at);
        if (!one.known)
            continue;
        sum.base += one.base;
        sum.known = true;
        sum.last_ns = MAX(sum.last_ns, one.last_ns);
    }
    *key = sum;
}

/* ---- asking ---------------------------------------------------------------- */

struct question {
    struct base_key keys[24];
    struct cell cells[24][2];
    uint32_t n;
};

static void add_key(struct question *q, size_t k, int64_t start)
{
    struct cell *c = q->cells[q->n];
    c[0] = (struct cell){ .col = 0, .v = value_str(str_c(series[k].name)) };
    c[1] = (struct cell){ .col = 1, .v = value_str(str_c(series[k].session ? series[k].session : "")) };
    q->keys[q->n++] = (struct base_key){ .labels = c, .nlabels = series[k].session ? 2 : 1, .start_ns = start,
                                         .temporality = series[k].temporality };
}

/* Most series at once, or one alone; sometimes the same twice. */
static void make_question(struct life *l, struct question *q)
{
    q->n = 0;
    bool alone = chance(l, 30);
    uint64_t one = below(l, SERIES);
    for (size_t k = 0; k < SERIES; k++) {
        if (alone && k != one)
            continue;
        if (series[k].temporality == TEMPORALITY_DELTA || series[k].unknown_start) {
            add_key(q, k, 0);
        } else {
            add_key(q, k, l->starts[below(l, LEN(l->starts))]);
            if (chance(l, 40))
                add_key(q, k, l->starts[below(l, LEN(l->starts))]);
        }
        if (series[k].temporality == TEMPORALITY_CUMULATIVE && chance(l, 50))
            add_key(q, k, BASE_ALL_STREAMS);
        if (chance(l, 5))
            add_key(q, k, q->keys[q->n - 1].start_ns);
    }
}

static int64_t some_moment(struct life *l)
{
    if (l->b.nkept && chance(l, 50))
        return l->b.kept[below(l, l->b.nkept)].time_ns + (int64_t)below(l, 3) - 1;
    return some_time(l) + (chance(l, 20) ? LOOKBACK_NS - (int64_t)below(l, 2) : 0);
}

static void check_key(const struct life *l, const struct base_key *have, int64_t at, const char *what)
{
    struct base_key want = *have;
    plain_answer(l, &want, at);
    bool same = have->known == want.known && (!want.known || (have->base == want.base && have->last_ns == want.last_ns));
    if (!same)
        fail_msg("seed %llu, %s, at %lld: " STR_FMT " of " STR_FMT ", temporality %d, start %lld:\n"
                 "  known %d, base %.12g, newest %lld\n  wanted %d, %.12g, %lld", (unsigned long long)l->seed, what, (long long)at,
                 STR_ARG(have->labels[0].v.s), STR_ARG(have->nlabels > 1 ? have->labels[1].v.s : S("nobody")),
                 (int)have->temporality, (long long)have->start_ns, have->known, have->base, (long long)have->last_ns, want.known,
                 want.base, (long long)want.last_ns);
}

static void ask(struct life *l, const char *what)
{
    struct source *src = store_source(l->b.store);
    for (int i = 0; i < MOMENTS; i++) {
        struct question q;
        struct fault f = { 0 };
        int64_t at = some_moment(l);
        make_question(l, &q);
        struct matcher m = { .op = MATCH_EQ, .label = names[0], .value = q.keys[0].labels[0].v.s };
        bool alone = true;                         /* the query's matchers are those of its series */
        for (uint32_t k = 1; k < q.n; k++)
            alone = alone && str_eq(q.keys[k].labels[0].v.s, m.value);
        for (int again = 0; again < 2; again++) {
            if (src->bases(src, &m, alone, at, names, q.keys, q.n, &f))
                fail_msg("seed %llu: %s", (unsigned long long)l->seed, f.msg);
            for (uint32_t k = 0; k < q.n; k++)
                check_key(l, &q.keys[k], at, what);
        }
    }
}

static void one_life(uint64_t seed)
{
    struct life l = { .rng = { seed }, .seed = seed };
    struct fault f = { 0 };
    bed_init(&l.b);
    for (size_t i = 0; i < LEN(l.starts); i++)
        l.starts[i] = l.b.now_ns - (int64_t)(1 + below(&l, 120)) * NS_PER_DAY - (int64_t)i;
    assert_int_equal(bed_open(&l.b, &f), OK);
    for (int i = 0; i < STEPS; i++) {
        write_points(&l);
        if (chance(&l, 25))
            assert_int_equal(store_flush(l.b.store, &f), OK);
        if (chance(&l, 25))
            store_tick(l.b.store);
        if (chance(&l, 50))
            ask(&l, "between");
        if (chance(&l, 8)) {
            bed_close(&l.b);
            assert_int_equal(bed_open(&l.b, &f), OK);
            ask(&l, "after a start");
        }
        if (chance(&l, 20))
            bed_pass(&l.b, (int64_t)below(&l, 86400) * NS_PER_S);
    }
    assert_int_equal(store_flush(l.b.store, &f), OK);
    for (int i = 0; i < 4; i++) {                  /* nothing changes any more: carries settle */
        ask(&l, "at the end");
        store_tick(l.b.store);
    }
    if (l.b.reports)
        fail_msg("seed %llu: %s", (unsigned long long)seed, l.b.report);
    bed_done(&l.b);
}

static void random_lives(void **state)
{
    (void)state;
    const char *seed = getenv("STORE_SEED"), *lives = getenv("STORE_LIVES");
    uint64_t from = seed ? strtoull(seed, NULL, 10) : lives ? (uint64_t)getpid() << 20 : 1;
    uint64_t n = seed ? 1 : lives ? strtoull(lives, NULL, 10) : LIVES;
    for (uint64_t i = 0; i < n; i++)
        one_life(from + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_lives) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
