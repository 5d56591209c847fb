/* tests/unit/promql/test_pushdown.c -- aggregations that are pushed down to their selector
 * against the same ones over a list of series, on random sources: deltas, totals of several
 * processes, plain counters and gauges, staleness markers, several origins, rows out of
 * order; windows that tile, overlap and leave gaps, with offsets and @.
 *
 * The other way is had by multiplying with 1: what stands over an operator is not pushed down.
 * Where that drops a name the group does not show it either, or the query is left out.
 *
 * The seed is printed by a failing run; SEED=n runs it again.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../support/memsource.h"
#include "promql/promql.h"

enum { SOURCES = 60, QUERIES = 60, SERIES = 14, NOW_S = 40000 };

static uint64_t seed, state;

static uint32_t roll(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % n;
}

static const char *const names[] = { "claude_code_cost_usage_USD_total", "claude_code_token_usage_tokens_total", "requests_total", "temp" };

/* ---- sources --------------------------------------------------------------- */

struct line {
    const char *name;
    char session[8], user[8], model[8];
};

static void put(struct memsource *src, const struct line *l, struct mem_row row)
{
    struct mem_cell cells[] = {
        { PLACE_LABEL, "__name__", value_str(str_c(l->name)) },
        { PLACE_LABEL, "model", value_str(str_c(l->model)) },
        { PLACE_LABEL, "user", value_str(str_c(l->user)) },
        { PLACE_LABEL, "session_id", value_str(str_c(l->session)) },
    };
    row.table = TABLE_SAMPLE;
    row.recv_ns = row.time_ns;
    row.cells = cells;
    row.ncells = l->session[0] ? 4 : 3;
    memsource_add(src, &row);
}

static double amount(bool whole)
{
    return whole ? 1 + roll(5000) : (1 + roll(2000000)) / 1e6;
}

/* One process: totals or increments once in a while, now and then with a pause. */
static void add_process(struct memsource *src, const struct line *l, enum temporality how, enum origin origin, bool whole)
{
    int64_t t = (int64_t)roll(NOW_S) * 1000 + roll(1000), start = roll(20) ? t : 0, every = 1000 * (5 + roll(120));
    double total = 0;
    for (uint32_t i = 0, n = 1 + roll(40); i < n; i++) {
        int64_t before = t;
        t += every + (roll(9) ? roll(50) : 1000 * (int64_t)roll(1200));
        double add = roll(4) ? amount(whole) : 0;
        total += add;
        bool delta = how == TEMPORALITY_DELTA;
        if (how == TEMPORALITY_NONE && !roll(15))
            total = 0;
        struct mem_row row = { .time_ns = t * NS_PER_MS, .start_ns = (delta ? before : start) * NS_PER_MS, .value = delta ? add : total,
                               .temporality = how, .origin = origin };
        if (how == TEMPORALITY_NONE && !roll(12))
            row.value = value_absent();
        if (how == TEMPORALITY_NONE && !roll(40))
            row.value = NAN;
        put(src, l, row);
        if (!roll(60)) {                           /* a late one */
            row.time_ns -= (int64_t)(1 + roll(3)) * every * NS_PER_MS / 2;
            put(src, l, row);
        }
    }
}

static void fill(struct memsource *src)
{
    for (uint32_t i = 0, n = 1 + roll(SERIES); i < n; i++) {
        struct line l = { .name = names[roll(LEN(names))] };
        snprintf(l.session, sizeof l.session, "s%u", roll(6));
        snprintf(l.user, sizeof l.user, "u%u", roll(3));
        snprintf(l.model, sizeof l.model, "m%u", roll(2));
        if (!roll(5))
            l.session[0] = 0;
        bool own = str_starts(str_c(l.name), S("claude"));
        enum temporality how = own ? (enum temporality)roll(3) : TEMPORALITY_NONE;
        enum origin origin = how == TEMPORALITY_DELTA ? ORIGIN_OTLP : (enum origin)(1 + roll(3));
        for (uint32_t p = 0, np = 1 + !roll(3) + !roll(6); p < np; p++)
            add_process(src, &l, how, origin, roll(3));
    }
    static const uint32_t sizes[] = { 1, 7, 50, 1000 };
    memsource_set_block_rows(src, sizes[roll(LEN(sizes))]);
}

/* ---- queries --------------------------------------------------------------- */

/* An aggregation and what it stands over, so that a second text can put `* 1` in between. */
struct question {
    char direct[256], detour[256];
    struct promql_time time;
};

static void ask(struct question *q)
{
    static const char *const ops[] = { "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar" };
    static const char *const by[] = { " by (model)", " by (user, model)", " by (session_id)", " by (nothing)", " without (session_id)",
                                      " without (user, model)", "" };
    static const char *const fns[] = { "increase", "rate", "delta", "count_over_time", "present_over_time", "sum_over_time", "min_over_time",
                                       "max_over_time", "avg_over_time", "last_over_time", "first_over_time", "irate", "changes", "" };
    static const char *const ranges[] = { "1m", "5m", "10m", "1h", "6h" };
    static const char *const shifts[] = { "", "", "", " offset 7m", " offset -5m", " @ 20000", " @ end()" };
    static const int64_t steps[] = { 60, 300, 600, 3600, 7200 };
    char of[160];
    const char *fn = fns[roll(LEN(fns))], *range = ranges[roll(LEN(ranges))], *shift = shifts[roll(LEN(shifts))];
    const char *name = names[roll(LEN(names))];
    char selector[80];
    if (roll(4))
        snprintf(selector, sizeof selector, "%s", name);
    else
        snprintf(selector, sizeof selector, "{__name__=~\"%.9s.*\"%s}", name, roll(2) ? ",user!=\"u1\"" : "");
    if (fn[0])
        snprintf(of, sizeof of, "%s(%s[%s]%s)", fn, selector, range, shift);
    else
        snprintf(of, sizeof of, "%s%s", selector, shift);
    const char *op = ops[roll(LEN(ops))], *group = by[roll(LEN(by))];
    snprintf(q->direct, sizeof q->direct, "%s%s (%s)", op, group, of);
    snprintf(q->detour, sizeof q->detour, "%s%s (%s * 1)", op, group, of);
    int64_t start = 1000 * (int64_t)roll(NOW_S), step = 1000 * steps[roll(LEN(steps))];
    q->time = (struct promql_time){ start, start, 0 };
    if (roll(4))
        q->time = (struct promql_time){ start, start + step * (int64_t)roll(40), step };
}

static enum err run(struct memsource *src, const char *text, const struct promql_time *time, struct arena *mem, struct promql_result *ret)
{
    struct query_ctx q = { .src = memsource_source(src), .mem = mem, .clock = &clock_system, .lookback_ns = 300 * NS_PER_S };
    struct fault f = { 0 };
    struct promql p = { 0 };
    enum err e = promql_parse(mem, str_c(text), &p, &f);
    if (e)
        fail_msg("%s: %s", text, f.msg);
    e = promql_eval(&q, &p, time, ret, &f);
    promql_done(&p);
    return e;
}

static bool near(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)) + 1e-12;
}

static const struct tser *find(const struct vec *v, struct labels l)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (labels_eq(v->at[i].labels, l))
            return &v->at[i];
    return NULL;
}

static void compare(const struct question *q, const struct vec *a, const struct vec *b, uint32_t steps)
{
    if (a->n != b->n)
        fail_msg("SEED=%llu %s at %lld: %u series, %u by the detour", (unsigned long long)seed, q->direct, (long long)q->time.start_ms, a->n, b->n);
    for (uint32_t i = 0; i < a->n; i++) {
        const struct tser *other = find(b, a->at[i].labels);
        if (!other)
            fail_msg("SEED=%llu %s at %lld: another group", (unsigned long long)seed, q->direct, (long long)q->time.start_ms);
        for (uint32_t k = 0; k < steps; k++) {
            double x = tser_at(&a->at[i], k), y = tser_at(other, k);
            if (value_is_absent(x) != value_is_absent(y) || (!value_is_absent(x) && !near(x, y)))
                fail_msg("SEED=%llu %s from %lld by %lld, step %u: %.17g, %.17g by the detour", (unsigned long long)seed, q->direct,
                         (long long)q->time.start_ms, (long long)q->time.step_ms, k, x, y);
        }
    }
}

/* A product is an error where two series lose their name and become one. */
static void test_pushdown(void **arg)
{
    (void)arg;
    uint32_t compared = 0;
    for (uint32_t s = 0; s < SOURCES; s++) {
        struct memsource *src = memsource_new();
        fill(src);
        for (uint32_t i = 0; i < QUERIES; i++) {
            struct question q;
            struct arena mem;
            struct promql_result direct, detour;
            ask(&q);
            arena_init(&mem, 64u << 20);
            enum err e = run(src, q.direct, &q.time, &mem, &direct), e2 = run(src, q.detour, &q.time, &mem, &detour);
            bool keeps_name = !strstr(q.direct, "(") || strstr(q.direct, "last_over_time") || strstr(q.direct, "first_over_time") || !strstr(q.direct, "[");
            if (e && !e2)
                fail_msg("SEED=%llu %s fails alone", (unsigned long long)seed, q.direct);
            if (!e && e2 && !keeps_name)
                fail_msg("SEED=%llu %s: the detour fails alone", (unsigned long long)seed, q.direct);
            if (!e && !e2) {
                compare(&q, &direct.vec, &detour.vec, direct.steps.n);
                compared++;
            }
            arena_done(&mem);
        }
        memsource_free(src);
    }
    assert_true(compared > SOURCES * QUERIES / 2);
}

int main(void)
{
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 10) : 20261124;
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_pushdown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
