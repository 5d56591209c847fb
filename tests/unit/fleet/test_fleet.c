/* The fleet: the same numbers each time, a long history holds the short one, and what its
 * requests decode to is the truth that it tells.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/fleet.h"
#include "otlp/decode.h"

#define DAY0 (INT64_C(20780) * NS_PER_DAY)

static struct fleet_config config(int64_t first, int64_t last)
{
    return (struct fleet_config){ .seed = 7, .people = 12, .from_ns = DAY0 + first * NS_PER_DAY, .to_ns = DAY0 + last * NS_PER_DAY,
                                  .traces = true };
}

/* Order counts for nothing, so that days can be added up. */
static uint64_t digest(int64_t first, int64_t last)
{
    struct fleet_config c = config(first, last);
    struct fleet *f = fleet_new(&c);
    struct fleet_turn t;
    uint64_t h = 0;
    while (fleet_next_end_ns(f) != INT64_MAX) {
        assert_true(fleet_next(f, &t));
        assert_true(t.start_ns <= t.end_ns);
        h += hash64(t.logs, 1) ^ hash64(t.metrics, 2) ^ hash64(t.traces, 3);
    }
    assert_false(fleet_next(f, &t));
    fleet_free(f);
    return h;
}

static void the_same_each_time(void **state)
{
    (void)state;
    uint64_t once = digest(3, 6);
    assert_true(once == digest(3, 6));
    assert_true(once != digest(3, 5));
    assert_true(once == digest(3, 4) + digest(4, 5) + digest(5, 6));
    assert_true(digest(3, 3) == 0);
}

struct sums {
    double cost, tokens, lines, active, sessions, event_cost;
    uint64_t rows[TABLE_COUNT], requests, points;
};

/* A sample's labels are its group's; of an event what a session's records share. */
static struct cells shared_cells(const struct batch *b, const struct row *r)
{
    if (r->group == ROW_NO_GROUP)
        return (struct cells){ 0 };
    return b->table == TABLE_SAMPLE ? batch_labels(b, r->group, b->mem) : b->groups[r->group];
}

static struct value cell_of(const struct batch *b, const struct row *r, struct str name)
{
    struct cells shared = shared_cells(b, r);
    for (uint32_t i = 0; i < r->cells.n + shared.n; i++) {
        const struct cell *c = i < r->cells.n ? &r->cells.at[i] : &shared.at[i - r->cells.n];
        if (str_eq(b->cols[c->col].name, name))
            return c->v;
    }
    return (struct value){ 0 };
}

static struct str cell_text(const struct batch *b, const struct row *r, struct str name)
{
    struct value v = cell_of(b, r, name);
    return v.type == V_STR ? v.s : S("");
}

static double cell_f64(const struct batch *b, const struct row *r, struct str name)
{
    struct value v = cell_of(b, r, name);
    return v.type == V_DOUBLE ? v.d : 0;
}

static void add_sample(const struct batch *b, const struct row *r, struct sums *s)
{
    const struct { struct str name; double *at; } metrics[] = {
        { S("claude_code_cost_usage_USD_total"), &s->cost },
        { S("claude_code_token_usage_tokens_total"), &s->tokens },
        { S("claude_code_lines_of_code_count_total"), &s->lines },
        { S("claude_code_active_time_seconds_total"), &s->active },
        { S("claude_code_session_count_total"), &s->sessions },
    };
    if (str_eq(cell_text(b, r, S("__name__")), S("target_info")))
        return;
    assert_int_equal(r->temporality, TEMPORALITY_DELTA);
    s->points++;
    for (size_t i = 0; i < LEN(metrics); i++)
        if (str_eq(cell_text(b, r, S("__name__")), metrics[i].name))
            *metrics[i].at += r->value;
}

static void add(enum frame_kind kind, struct str body, struct arena *mem, struct sums *s)
{
    struct batch b;
    struct fault f = { 0 };
    if (!body.n)
        return;
    assert_int_equal(otlp_decode(kind, body, DAY0 + 100 * NS_PER_DAY, INT64_MIN, mem, &b, &f), OK);
    assert_int_equal(b.rejected, 0);
    s->rows[b.table] += b.nrows;
    for (uint32_t i = 0; i < b.nrows; i++) {
        if (b.table == TABLE_SAMPLE)
            add_sample(&b, &b.rows[i], s);
        else if (b.table == TABLE_LOG && str_eq(cell_text(&b, &b.rows[i], S("event.name")), S("api_request"))) {
            s->requests++;
            s->event_cost += cell_f64(&b, &b.rows[i], S("cost_usd"));
        }
    }
    batch_done(&b);
    arena_reset(mem);
}

struct told {
    uint64_t events, marked, tokens;
    int64_t nano, event_nano;
};

static void tell_event(void *arg, const struct fleet_event *e)
{
    struct told *t = arg;
    assert_true(e->name.n > 0 && fleet_session_id(e->session).n == 36);
    t->events++;
    t->marked += e->marked;
    t->event_nano += e->nano;
}

static void tell_gain(void *arg, const struct fleet_gain *g)
{
    struct told *t = arg;
    assert_true(g->start_ns <= g->time_ns && (int)g->metric < (int)FLEET_METRICS);
    t->nano += g->nano;
    t->tokens += g->metric == M_TOKENS ? (uint64_t)g->value : 0;
}

/* What a caller is told adds up to the same; marked prompts are in what is sent. */
static void what_is_told_is_the_truth(void **state)
{
    (void)state;
    struct told told = { 0 };
    struct fleet_config c = config(0, 20);
    c.texts = true;
    c.seen = tell_event;
    c.gained = tell_gain;
    c.arg = &told;
    struct fleet *f = fleet_new(&c);
    struct fleet_turn t;
    uint64_t marked = 0;
    while (fleet_next(f, &t))
        for (struct str s = t.logs; str_find(s, S(FLEET_MARK)) != SIZE_MAX; marked++)
            s = str_sub(s, str_find(s, S(FLEET_MARK)) + 1, SIZE_MAX);
    const struct fleet_truth *truth = fleet_truth(f);
    int64_t nano = 0;
    uint64_t tokens = 0;
    for (uint32_t m = 0; m < FLEET_MODELS; m++) {
        nano += truth->cost_nano[m];
        for (uint32_t k = 0; k < FLEET_TOKEN_TYPES; k++)
            tokens += truth->tokens[m][k];
    }
    assert_int_equal(told.events, truth->logs);
    assert_true(told.nano == nano && told.event_nano == nano && told.tokens == tokens);
    assert_true(told.marked == marked && marked > 0);
    fleet_free(f);
}

/* Sessions of one prompt and one request, as many as were asked for. */
static void brief_sessions(void **state)
{
    (void)state;
    struct fleet_config c = config(0, 2);
    c.brief_sessions = 3;
    struct fleet *f = fleet_new(&c);
    struct fleet_turn t;
    while (fleet_next(f, &t))
        ;
    assert_int_equal(fleet_truth(f)->sessions, 2 * 3 * c.people);
    assert_int_equal(fleet_truth(f)->prompts, fleet_truth(f)->sessions);
    assert_true(fleet_truth(f)->requests <= fleet_truth(f)->prompts * 2);
    fleet_free(f);
}

static void the_truth_is_what_was_sent(void **state)
{
    (void)state;
    struct fleet_config c = config(0, 31);
    struct fleet *f = fleet_new(&c);
    struct fleet_turn t;
    struct sums s = { 0 };
    struct arena mem;
    arena_init(&mem, 256 << 20);
    while (fleet_next(f, &t)) {
        add(FRAME_OTLP_LOGS_PB, t.logs, &mem, &s);
        add(FRAME_OTLP_METRICS_PB, t.metrics, &mem, &s);
        add(FRAME_OTLP_TRACES_PB, t.traces, &mem, &s);
    }
    const struct fleet_truth *truth = fleet_truth(f);
    double cost = 0, tokens = 0;
    for (int m = 0; m < FLEET_MODELS; m++) {
        cost += (double)truth->cost_nano[m] / 1e9;
        for (int k = 0; k < FLEET_TOKEN_TYPES; k++)
            tokens += (double)truth->tokens[m][k];
    }
    assert_true(truth->sessions > 300 && truth->errors > 10 && truth->commits > 10 && truth->spans > 1000);
    assert_int_equal(s.rows[TABLE_LOG], truth->logs);
    assert_int_equal(s.points, truth->points);
    assert_int_equal(s.rows[TABLE_SPAN], truth->spans);
    assert_int_equal(s.requests, truth->requests);
    assert_true(fabs(s.cost - cost) < 1e-6 && fabs(s.event_cost - cost) < 1e-6);
    assert_true(s.tokens == tokens && s.sessions == (double)truth->sessions);
    assert_true(s.lines == (double)(truth->lines_added + truth->lines_removed));
    assert_true(fabs(s.active - (double)truth->active_ms / 1000) < 1e-3);
    print_message("31 days: %llu sessions, %llu requests, %llu rows, %.2f USD\n", (unsigned long long)truth->sessions,
                  (unsigned long long)truth->requests, (unsigned long long)(truth->logs + truth->points + truth->spans), cost);
    arena_done(&mem);
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_each_time),
        cmocka_unit_test(the_truth_is_what_was_sent), cmocka_unit_test(what_is_told_is_the_truth),
        cmocka_unit_test(brief_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
