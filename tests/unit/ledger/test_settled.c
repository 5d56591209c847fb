/* Which source tells a session's cost, over a source in memory: events before metrics, also where
 * only the metrics lie in the range; metrics alone; metrics again once events are gone; and
 * what the made series amounted to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "../../support/memsource.h"
#include "ledger/settled.h"

static struct memsource *mem_src;
static struct prices *book;
static struct settled *settled;

static void add_event(const char *session, int64_t time_ns, const char *cost, const char *model)
{
    const struct mem_cell cells[] = {
        { PLACE_ATTR, "event.name", value_str(S("api_request")) }, { PLACE_ATTR, "session.id", value_str(str_c(session)) },
        { PLACE_ATTR, "model", value_str(str_c(model)) },          { PLACE_ATTR, "query_source", value_str(S("sdk")) },
        { PLACE_ATTR, "output_tokens", value_int(1000000) },       { PLACE_RESOURCE, "team", value_str(S("a")) },
        { PLACE_ATTR, "cost_usd", value_str(str_c(cost ? cost : "")) },
    };
    memsource_add(mem_src, &(struct mem_row){ .table = TABLE_LOG, .time_ns = time_ns, .recv_ns = time_ns, .origin = ORIGIN_OTLP,
                                              .cells = cells, .ncells = (uint32_t)LEN(cells) - !cost });
}

static void add_metric(const char *session, int64_t time_ns, double value)
{
    const struct mem_cell cells[] = {
        { PLACE_LABEL, "__name__", value_str(S("claude_code_cost_usage_USD_total")) }, { PLACE_LABEL, "session_id", value_str(str_c(session)) },
        { PLACE_LABEL, "model", value_str(S("claude-opus-5-5")) },                     { PLACE_LABEL, "query_source", value_str(S("main")) },
        { PLACE_LABEL, "team", value_str(S("a")) },                                    { PLACE_LABEL, "job", value_str(S("claude-code")) },
    };
    memsource_add(mem_src, &(struct mem_row){ .table = TABLE_SAMPLE, .time_ns = time_ns, .recv_ns = time_ns, .value = value,
                                              .temporality = TEMPORALITY_DELTA, .origin = ORIGIN_OTLP, .cells = cells,
                                              .ncells = LEN(cells) });
}

/* ---- asking ------------------------------------------------------------------------ */

static struct str text_of(const struct block *b, const char *name, uint32_t run)
{
    struct str ret = S("");
    for (uint32_t c = 0; c < b->ncols; c++)
        if (str_eq(b->cols[c].key.name, str_c(name))) {
            struct value v = column_value(&b->cols[c], run);
            ret = v.type == V_STR ? v.s : ret;
        }
    return ret;
}

/* What was added for one session by one source in [from, to). */
static double told(const char *session, const char *source, int64_t from_ns, int64_t to_ns)
{
    struct source *src = settled_source(settled);
    struct matcher m[] = { { .op = MATCH_EQ, .label = S("__name__"), .value = S("ccmon_cost_usd_total") },
                           { .op = MATCH_EQ, .label = S("query_source"), .value = S("main") } };
    struct scan_req req = { .table = TABLE_SAMPLE, .from_ns = from_ns, .to_ns = to_ns, .matchers = m, .nmatchers = LEN(m),
                            .all_labels = true, .by_series = true };
    struct scan *sc;
    struct fault f;
    const struct block *b;
    double sum = 0;
    assert_int_equal(src->scan_begin(src, &req, &sc, &f), OK);
    while (!src->scan_next(sc, &b, &f) && b)
        for (uint32_t r = 0, i = 0; r < b->nruns; r++) {
            bool mine = str_eq(text_of(b, "session_id", r), str_c(session)) && str_eq(text_of(b, "ccmon_source", r), str_c(source));
            assert_true(str_eq(text_of(b, "team", r), S("a")) && !text_of(b, "job", r).n);
            for (; i < b->run_end[r]; i++)
                sum += mine ? b->value[i] : 0;
        }
    (void)src->scan_end(sc);
    return sum;
}

#define ALL INT64_MIN, INT64_MAX
enum { MINUTE = 60 };
static const int64_t t0 = INT64_C(1795000000000000000);

static int64_t at(int minutes)
{
    return t0 + minutes * MINUTE * INT64_C(1000000000);
}

static void fill(void)
{
    add_event("both", at(1), "0.5", "claude-opus-5-5");
    add_metric("both", at(2), 0.5);
    add_metric("alone", at(3), 0.25);
    add_event("unpriced", at(4), NULL, "no-such-model");
    add_event("priced", at(4), NULL, "claude-opus-5-5");
}

static void who_tells(void **state)
{
    (void)state;
    static const struct { const char *session, *source; int from, to; double want; } rows[] = {
        { "both", "events", 0, 10, 0.5 },  { "both", "otlp", 0, 10, 0 },      { "alone", "otlp", 0, 10, 0.25 },
        { "both", "otlp", 2, 3, 0 },       /* its events lie before the range: still they tell */
        { "both", "events", 2, 3, 0 },     { "priced", "events", 0, 10, 20 }, { "unpriced", "events", 0, 10, 0 },
        { "alone", "events", 0, 10, 0 },   { "both", "events", 0, 1, 0 },
    };
    fill();
    for (size_t i = 0; i < LEN(rows); i++) {
        double got = told(rows[i].session, rows[i].source, at(rows[i].from), at(rows[i].to));
        if (fabs(got - rows[i].want) > 1e-12)
            fail_msg("row %zu, %s by %s: %g", i, rows[i].session, rows[i].source, got);
    }
}

/* What comes later is known, and what is gone is forgotten. */
static void what_changes(void **state)
{
    (void)state;
    fill();
    assert_true(fabs(told("alone", "otlp", ALL) - 0.25) < 1e-12);
    add_event("alone", at(-100), "0.25", "claude-opus-5-5");
    assert_true(told("alone", "otlp", at(0), at(10)) == 0);
    assert_true(fabs(told("alone", "events", ALL) - 0.25) < 1e-12);
    memsource_clear(mem_src);
    add_metric("alone", at(3), 0.25);
    assert_true(fabs(told("alone", "otlp", at(0), at(10)) - 0.25) < 1e-12);
}

static void totals(void **state)
{
    (void)state;
    const struct str names[] = { S("__name__"), S("ccmon_source"), S("model"), S("query_source"), S("session_id"), S("team") };
    const char *const texts[] = { "ccmon_cost_usd_total", "events", "claude-opus-5-5", "main", "both", "a" };
    struct cell cells[LEN(names)];
    for (uint32_t i = 0; i < LEN(names); i++)
        cells[i] = (struct cell){ .col = i, .v = value_str(str_c(texts[i])) };
    struct base_key k = { .labels = cells, .nlabels = LEN(cells), .temporality = TEMPORALITY_DELTA };
    struct matcher m = { .op = MATCH_EQ, .label = S("__name__"), .value = S("ccmon_cost_usd_total") };
    struct source *src = settled_source(settled);
    struct fault f;
    fill();
    assert_int_equal(src->bases(src, &m, 1, at(5), names, &k, 1, &f), OK);
    assert_true(k.known && fabs(k.base - 0.5) < 1e-12 && k.last_ns == at(1));
    assert_int_equal(src->bases(src, &m, 1, at(0), names, &k, 1, &f), OK);
    assert_false(k.known);
}

static int setup(void **state)
{
    (void)state;
    struct fault f;
    mem_src = memsource_new();
    CHECK(!prices_builtin(&book, &f));
    settled = settled_new(memsource_source(mem_src), book);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    settled_free(settled);
    prices_unref(book);
    memsource_free(mem_src);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(what_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(totals, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
