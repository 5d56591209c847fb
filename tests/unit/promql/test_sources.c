/* tests/unit/promql/test_sources.c -- accounting rule 6 over made-up fleets whose truth
 * is known: processes work at random moments, senders and scrapers report them in their
 * own ways, and what queries give for random windows is compared with plain sums over
 * what was reported of each process once.
 *
 * The seed is printed by a failing run; SEED=n runs it again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../support/memsource.h"
#include "promql/promql.h"
#include "query/origins.h"

enum { FLEETS = 24, SESSIONS = 9, PROCESSES_MAX = 3, TARGETS = 4, FIGURES = 4, WORK_MAX = 40, WINDOWS = 12, LIFE_S = 7200 };

static uint64_t seed, state;

static uint32_t roll(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % n;
}

static const struct figure {
    const char *name, *label, *value;
} figures[FIGURES] = {
    { "claude_code_cost_usage_USD_total", "model", "m" },
    { "claude_code_token_usage_tokens_total", "type", "input" },
    { "claude_code_token_usage_tokens_total", "type", "output" },
    { "claude_code_session_count_total", "start_type", "resume" },
};

static const char *const target_names[TARGETS] = { "localhost:9464", "127.0.0.1:9464", "localhost:9465", "127.0.0.1:9465" };

/* Work that a process did: from `at` on it counts. */
struct work {
    int64_t at;                                    /* ms */
    double v[FIGURES];
};

/* What was reported of a process at a moment that nobody had reported before. */
struct seen {
    int64_t at;
    double v[FIGURES];
};

struct process {
    int64_t begin, end;
    struct work work[WORK_MAX];
    uint32_t nwork;
};

struct session {
    char id[24];
    uint32_t kind, nprocesses;
    struct process at[PROCESSES_MAX];
    struct seen *truth;
    uint32_t ntruth, cap_truth;
};

struct fleet {
    struct arena mem;
    struct memsource *src;
    struct origins *origins;
    struct session at[SESSIONS];
    int64_t now;                                   /* ms: what came later is not there yet */
};

/* ---- work ------------------------------------------------------------------ */

static double round_money(double v)
{
    return (double)(int64_t)(v * 1e6 + 0.5) / 1e6;
}

static void do_work(struct process *p)
{
    p->nwork = 3 + roll(WORK_MAX - 3);
    for (uint32_t i = 0; i < p->nwork; i++) {
        struct work *w = &p->work[i];
        /* The first is done at once, so that no process stands idle. */
        w->at = i ? p->begin + (int64_t)roll((uint32_t)(p->end - p->begin)) : p->begin;
        w->v[0] = round_money((1 + roll(2000000)) / 1e6);
        w->v[1] = i % 3 ? 0 : 1 + roll(5000);
        w->v[2] = 1 + roll(3000);
        w->v[3] = i ? 0 : 1;
    }
}

static void counters(const struct process *p, int64_t at, double v[FIGURES])
{
    for (uint32_t k = 0; k < FIGURES; k++)
        v[k] = 0;
    for (uint32_t i = 0; i < p->nwork; i++)
        for (uint32_t k = 0; k < FIGURES && p->work[i].at <= at; k++)
            v[k] = k ? v[k] + p->work[i].v[k] : round_money(v[k] + p->work[i].v[k]);
}

/* ---- reports --------------------------------------------------------------- */

static void add_row(struct fleet *f, const struct session *s, uint32_t figure, const char *instance, int64_t at, int64_t start, double v)
{
    struct mem_cell cells[] = {
        { PLACE_LABEL, "__name__", value_str(str_c(figures[figure].name)) },
        { PLACE_LABEL, "session_id", value_str(str_c(s->id)) },
        { PLACE_LABEL, figures[figure].label, value_str(str_c(figures[figure].value)) },
        { PLACE_LABEL, "job", value_str(S("claude-code")) },
        { PLACE_LABEL, "instance", value_str(str_c(instance ? instance : "")) },
    };
    memsource_add(f->src, &(struct mem_row){
        .table = TABLE_SAMPLE, .time_ns = at * NS_PER_MS, .recv_ns = at * NS_PER_MS, .start_ns = start * NS_PER_MS, .value = v,
        .temporality = instance ? TEMPORALITY_CUMULATIVE : TEMPORALITY_DELTA, .origin = instance ? ORIGIN_SCRAPE : ORIGIN_OTLP,
        .cells = cells, .ncells = instance ? 5 : 4,
    });
}

static void add_truth(struct fleet *f, struct session *s, int64_t at, const double *before, const double *now)
{
    struct seen *t = arena_push(&f->mem, s->truth, s->ntruth, s->cap_truth);
    t->at = at;
    for (uint32_t k = 0; k < FIGURES; k++)
        t->v[k] = now[k] - before[k];
}

/* Deltas every ten seconds, and at the end. */
static void send_otlp(struct fleet *f, struct session *s, const struct process *p)
{
    double before[FIGURES] = { 0 }, now[FIGURES];
    int64_t start = p->begin - 1;
    for (int64_t at = p->begin + 10000;; at += 10000) {
        at = MIN(at, p->end);
        counters(p, at, now);
        for (uint32_t k = 0; k < FIGURES; k++)
            if (now[k] > before[k])
                add_row(f, s, k, NULL, at, start, now[k] - before[k]);
        add_truth(f, s, at, before, now);
        memcpy(before, now, sizeof before);
        start = at;
        if (at == p->end)
            return;
    }
}

/* A target that is scraped from `from` to `to`. */
struct plan {
    uint32_t target;
    int64_t from, to, every;
};

static int by_moment(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void scrape(struct fleet *f, struct session *s, const struct process *p, const struct plan *plans, uint32_t n, bool counts)
{
    int64_t *moments = arena_new(&f->mem, int64_t, 4 * LIFE_S);
    uint32_t nmoments = 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t first = MAX(plans[i].from, p->begin), start = first;
        for (int64_t at = first; at <= MIN(plans[i].to, p->end); at += plans[i].every) {
            double v[FIGURES];
            counters(p, at, v);
            for (uint32_t k = 0; k < FIGURES; k++)
                if (v[k] > 0)
                    add_row(f, s, k, target_names[plans[i].target], at, start, v[k]);
            moments[nmoments++] = at;
        }
    }
    qsort(moments, nmoments, sizeof *moments, by_moment);
    double before[FIGURES] = { 0 }, now[FIGURES];
    for (uint32_t i = 0; i < nmoments && counts; i++) {
        counters(p, moments[i], now);
        add_truth(f, s, moments[i], before, now);
        memcpy(before, now, sizeof before);
    }
}

static struct plan plan(uint32_t target, int64_t from, int64_t to)
{
    return (struct plan){ target, from + roll(5000), to, 5000 + 1000 * (int64_t)roll(20) };
}

/* ---- sessions -------------------------------------------------------------- */

static void live(struct session *s, uint32_t i, int64_t begin, int64_t end)
{
    s->at[i].begin = begin;
    s->at[i].end = end;
    s->nprocesses = MAX(s->nprocesses, i + 1);
    do_work(&s->at[i]);
}

static void one_exporter_twice(struct fleet *f, struct session *s, struct process *p, uint32_t target)
{
    int64_t third = (p->end - p->begin) / 3;
    struct plan plans[2] = { plan(target, p->begin, p->end), plan(target + 1, p->begin, p->end) };
    uint32_t how = roll(4);
    if (how == 1)
        plans[1].from += third;                    /* added later */
    if (how == 2)
        plans[0].to -= third;                      /* ends earlier */
    if (how == 3) {                                /* one takes over from the other */
        plans[0].to -= third;
        plans[1].from += third;
    }
    scrape(f, s, p, plans, 2, true);
}

static void make_session(struct fleet *f, struct session *s, uint32_t kind)
{
    int64_t begin = 1000 * (100 + (int64_t)roll(1000)), long_life = 1000 * (600 + (int64_t)roll(2000));
    s->kind = kind;
    live(s, 0, begin, begin + long_life);
    struct process *p = s->at;
    struct plan a = plan(0, begin, begin + long_life);
    switch (kind) {
    case 0:                                        /* OTLP alone */
        send_otlp(f, s, p);
        break;
    case 1:                                        /* one target */
        scrape(f, s, p, &a, 1, true);
        break;
    case 2:                                        /* both ways at once */
        send_otlp(f, s, p);
        scrape(f, s, p, &a, 1, false);
        break;
    case 3:                                        /* one exporter under two names */
        one_exporter_twice(f, s, p, 0);
        break;
    case 4:                                        /* two processes on two ports, at once */
        live(s, 1, begin + long_life / 4, begin + long_life + 100000);
        scrape(f, s, p, &a, 1, true);
        a = plan(2, p[1].begin, p[1].end);
        scrape(f, s, &p[1], &a, 1, true);
        break;
    case 5:                                        /* resumed again and again, seen under two names */
        live(s, 1, p[0].end + 20000, p[0].end + 900000);
        live(s, 2, p[1].end + 20000, p[1].end + 900000);
        for (uint32_t i = 0; i < 3; i++)
            one_exporter_twice(f, s, &p[i], 0);
        break;
    case 6:                                        /* two at once, each seen under two names */
        live(s, 1, begin + long_life / 4, begin + long_life + 100000);
        one_exporter_twice(f, s, &p[0], 0);
        one_exporter_twice(f, s, &p[1], 2);
        break;
    case 7: {                                      /* so short that each target saw it once */
        live(s, 0, begin, begin + 9000);
        struct plan plans[2] = { { 0, begin + 2000, begin + 9000, 10000 }, { 1, begin + 6000, begin + 9000, 10000 } };
        scrape(f, s, p, plans, 2, true);
        break;
    }
    default:                                       /* scraped first; OTLP since it was resumed */
        scrape(f, s, p, &a, 1, false);
        live(s, 1, p[0].end + 20000, p[0].end + 900000);
        send_otlp(f, s, &p[1]);
    }
}

static int64_t clock_of(void *arg)
{
    const struct fleet *f = arg;
    return f->now * NS_PER_MS;
}

/* ---- questions ------------------------------------------------------------- */

static double truth(const struct session *s, uint32_t figure, int64_t after, int64_t to)
{
    double sum = 0;
    for (uint32_t i = 0; i < s->ntruth; i++)
        if (s->truth[i].at > after && s->truth[i].at <= to)
            sum += s->truth[i].v[figure];
    return sum;
}

static bool is_close(double a, double b)
{
    double d = a - b;
    return d < 1e-7 && d > -1e-7;
}

static void ask(struct fleet *f, struct str text, int64_t at_ms, struct arena *mem, struct promql_result *ret)
{
    static const struct query_limits limits = { .samples_max = 100000000, .points_max = 11000 };
    struct clock clock = { clock_of, clock_of, f };
    struct query_ctx q = {
        .src = memsource_source(f->src), .mem = mem, .limits = &limits, .clock = &clock, .lookback_ns = 300 * NS_PER_S,
        .origins = f->origins,
    };
    CLEANUP(promql_done) struct promql p = { 0 };
    struct promql_time time = { at_ms, at_ms, 0 };
    struct fault fault = { 0 };
    enum err e = promql_parse(mem, text, &p, &fault);
    if (!e)
        e = promql_eval(&q, &p, &time, ret, &fault);
    if (e)
        fail_msg("%.*s: %s", (int)text.n, text.p, fault.msg);
}

static double answer_of(const struct promql_result *r, const char *session)
{
    for (uint32_t i = 0; i < r->vec.n; i++)
        if (str_eq(labels_get(r->vec.at[i].labels, S("session_id")), str_c(session)))
            return tser_at(&r->vec.at[i], 0);
    return value_absent();
}

/* Totals of a short window leave out series that have no sample in it: of sessions that
 * show as several. */
static bool is_several(uint32_t kind)
{
    return kind == 4 || kind == 5 || kind == 6 || kind == 8;
}

/* Each session's figure in (after, to], as `what` asks for it, against the truth. */
static void compare(struct fleet *f, const char *what, uint32_t figure, int64_t after, int64_t to, int64_t counted_after)
{
    struct arena mem;
    struct promql_result r = { 0 };
    arena_init(&mem, 256u << 20);
    const struct figure *x = &figures[figure];
    struct str text = arena_fmt(&mem, "sum by (session_id) (%s(%s{%s=\"%s\"}[%lldms]))", what, x->name, x->label, x->value,
                                (long long)(to - after));
    ask(f, text, to, &mem, &r);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        if (after != counted_after && is_several(f->at[i].kind))
            continue;
        double want = truth(&f->at[i], figure, counted_after, to), got = answer_of(&r, f->at[i].id);
        bool none = value_is_absent(got);
        bool same = none ? is_close(truth(&f->at[i], figure, after, to), 0) : is_close(want, got);
        if (!same)
            fail_msg("seed %llu: %.*s at %lld: session %s of kind %u: %.9f instead of %.9f", (unsigned long long)seed,
                     (int)text.n, text.p, (long long)to, f->at[i].id, f->at[i].kind, got, want);
    }
    arena_done(&mem);
}

static void test_fleets(void **unused)
{
    (void)unused;
    for (uint32_t n = 0; n < FLEETS; n++) {
        struct fleet f = { .src = memsource_new(), .origins = n % 2 ? origins_new() : NULL, .now = 1000 * LIFE_S * 2 };
        arena_init(&f.mem, 64u << 20);
        memsource_set_block_rows(f.src, n % 3 ? 1000 : 97);
        for (uint32_t i = 0; i < SESSIONS; i++) {
            (void)snprintf(f.at[i].id, sizeof f.at[i].id, "s%u.(%u)", n, i);
            make_session(&f, &f.at[i], i);
        }
        for (uint32_t w = 0; w < WINDOWS; w++) {
            int64_t after = 1000 * (int64_t)roll(LIFE_S), to = after + 1000 * (1 + (int64_t)roll(w % 2 ? 100 : LIFE_S));
            uint32_t figure = roll(FIGURES);
            compare(&f, "increase", figure, after, to, after);
            compare(&f, "last_over_time", figure, after, to, 0);
            compare(&f, "last_over_time", figure, 0, to, 0);
        }
        compare(&f, "increase", 0, 0, 1000 * LIFE_S * 2, 0);
        origins_free(f.origins);
        memsource_free(f.src);
        arena_done(&f.mem);
    }
}

/* What is known of sources grows with what comes in. */
static void test_later_rows(void **unused)
{
    (void)unused;
    struct fleet f = { .src = memsource_new(), .origins = origins_new() };
    arena_init(&f.mem, 1 << 20);
    struct session *s = &f.at[0];
    (void)snprintf(s->id, sizeof s->id, "later");
    for (uint32_t i = 1; i < SESSIONS; i++)
        (void)snprintf(f.at[i].id, sizeof f.at[i].id, "none %u", i);
    f.now = 2 * 86400 * 1000;
    const double zero[FIGURES] = { 0 }, five[FIGURES] = { 5 }, two[FIGURES] = { 2 };
    add_row(&f, s, 0, target_names[0], f.now, f.now - 5000, 5);
    add_truth(&f, s, f.now, zero, five);
    compare(&f, "increase", 0, f.now - 60000, f.now, f.now - 60000);
    uint32_t scans = memsource_scans(f.src);
    /* A second target that shows the same. */
    f.now += 20000;
    add_row(&f, s, 0, target_names[1], f.now, f.now, 5);
    compare(&f, "increase", 0, f.now - 60000, f.now, f.now - 60000);
    assert_true(memsource_scans(f.src) > scans);
    /* And then the session comes by OTLP. */
    f.now += 3600 * 1000;
    add_row(&f, s, 0, NULL, f.now, f.now - 1000, 2);
    s->ntruth = 0;
    add_truth(&f, s, f.now, zero, two);
    compare(&f, "increase", 0, f.now - 7200 * 1000, f.now, f.now - 7200 * 1000);
    /* A clock that was put back. */
    f.now -= 86400 * 1000;
    compare(&f, "increase", 0, f.now, f.now + 90000 * 1000, f.now);
    origins_free(f.origins);
    memsource_free(f.src);
    arena_done(&f.mem);
}

/* A query that meets nothing but OTLP reads once and asks nothing more. */
static void test_usual_query(void **unused)
{
    (void)unused;
    struct fleet f = { .src = memsource_new(), .origins = origins_new(), .now = 1000 * LIFE_S };
    struct arena mem;
    struct promql_result r;
    arena_init(&f.mem, 1 << 20);
    arena_init(&mem, 1 << 20);
    (void)snprintf(f.at[0].id, sizeof f.at[0].id, "s");
    live(&f.at[0], 0, 100000, 200000);
    send_otlp(&f, &f.at[0], &f.at[0].at[0]);
    uint32_t before = memsource_scans(f.src);
    ask(&f, S("sum(increase(claude_code_cost_usage_USD_total[1h]))"), 300000, &mem, &r);
    assert_int_equal(memsource_scans(f.src) - before, 1);
    arena_done(&mem);
    origins_free(f.origins);
    memsource_free(f.src);
    arena_done(&f.mem);
}

int main(void)
{
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 10) : 1;
    state = seed * 0x9e3779b97f4a7c15u | 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fleets),
        cmocka_unit_test(test_later_rows),
        cmocka_unit_test(test_usual_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
