/* fuzz/fuzz_promql.c -- any text as a query: it parses or is refused with a place in
 * it; what parses is evaluated over a few series, at once and over steps. */
#include <stdlib.h>

#include "../tests/support/memsource.h"
#include "promql/promql.h"
#include "query/hist.h"
#include "query/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Native histograms: exponential ones of several schemas, custom bounds, gauges, a number between them. */
static void add_histogram(struct memsource *m, int64_t t, const char *which)
{
    static const double bounds[] = { -1, 0.5, 4 };
    static int32_t index[] = { 0, 1, 3 };
    double n = (double)(t % 150), counts[] = { n, 2 * n, 1 };
    struct histogram h = { .schema = (int32_t)(t / 15 % 3), .count = 3 * n + 2, .sum = n, .zero_count = 1 };
    h.zero_threshold = t % 2 ? 0.001 : 0.75;
    h.pos = (struct hist_buckets){ index, counts, LEN(index) };
    h.hint = which[0] == 'g' ? HINT_GAUGE : HINT_UNKNOWN;
    if (which[0] == 'c')
        h = (struct histogram){
            .schema = HIST_CUSTOM, .count = 3 * n + 1, .sum = n, .pos = h.pos, .bounds = bounds, .nbounds = 2 + (t % 90 == 0),
        };
    if (which[0] == 'c' && h.nbounds == 2)
        h.pos.n = 2;
    struct arena mem;
    struct mem_cell cells[] = {
        { PLACE_LABEL, "__name__", value_str(S("h")) },
        { PLACE_LABEL, "b", value_str(str_c(which)) },
        { PLACE_FIELD, "histogram", { .type = V_BYTES } },
    };
    arena_init(&mem, 1 << 16);
    CHECK(!histogram_encode(&mem, &h, &cells[2].v.s, NULL));
    bool number = which[0] == 'm' && t % 60 == 0;
    memsource_add(m, &(struct mem_row){
        .table = TABLE_SAMPLE, .time_ns = t * NS_PER_S, .start_ns = (t - 15) * NS_PER_S,
        .value = number ? 3 : histogram_value(cells[2].v.s),
        .temporality = which[0] == 'd' ? TEMPORALITY_DELTA : TEMPORALITY_NONE, .cells = cells, .ncells = number ? 2 : 3,
    });
    arena_done(&mem);
}

static struct memsource *source(void)
{
    static struct memsource *m;
    if (m)
        return m;
    m = memsource_new();
    for (int64_t t = 0; t < 600; t += 15) {
        memsource_sample(m, t * NS_PER_S, (double)(t % 70), (const char *[]){ "__name__", "a", "b", "c", NULL });
        memsource_sample(m, t * NS_PER_S, 1, (const char *[]){ "__name__", "a", "b", "d", "le", "0.5", NULL });
        const struct mem_cell cells[] = { { PLACE_LABEL, "__name__", value_str(S("claude_code_cost_usage_USD_total")) } };
        memsource_add(m, &(struct mem_row){
            .table = TABLE_SAMPLE, .time_ns = t * NS_PER_S, .start_ns = (t - 15) * NS_PER_S, .value = 0.25,
            .temporality = t % 2 ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE, .cells = cells, .ncells = 1,
        });
        for (size_t i = 0; i < 5; i++)
            add_histogram(m, t, (const char *[]){ "e", "g", "c", "m", "d" }[i]);
    }
    return m;
}

static int64_t still(void *arg)
{
    (void)arg;
    return 0;
}

static void evaluate(struct arena *mem, const struct promql *p, int64_t end_ms, int64_t step_ms)
{
    static const struct query_limits limits = { .samples_max = 20000, .series_max = 1000, .points_max = 100 };
    static const struct clock clock = { still, still, NULL };
    struct query_ctx q = {
        .src = memsource_source(source()), .mem = mem, .limits = &limits, .clock = &clock, .lookback_ns = 300 * NS_PER_S,
    };
    struct promql_time t = { 300000, end_ms, step_ms };
    struct promql_result r;
    struct fault f = { 0 };
    enum err e = promql_eval(&q, p, &t, &r, &f);
    CHECK(!e || f.code == e);
    if (e)
        return;
    struct buf out;
    struct jw w;
    buf_init(&out, 64 << 20);
    jw_init(&w, &out);
    write_matrix(&w, r.steps, &r.vec, 0, NUMBERS_PROMETHEUS);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct promql p;
    struct fault f = { 0 };
    if (size > 4096)
        return 0;
    arena_init(&mem, 32u << 20);
    struct str text = arena_str(&mem, (struct str){ (const char *)data, size });
    if (promql_parse(&mem, text, &p, &f) == OK) {
        evaluate(&mem, &p, 300000, 0);
        evaluate(&mem, &p, 500000, 50000);
    } else {
        CHECK(f.code == E_SYNTAX && f.at <= size);
    }
    promql_done(&p);
    if (promql_parse_selector(&mem, text, &p, &f) == OK)
        CHECK(p.root->kind == X_SELECTOR);
    promql_done(&p);
    arena_done(&mem);
    return 0;
}
