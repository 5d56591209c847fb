/* fuzz/fuzz_promql.c -- any text as a query: it parses or is refused with a place in
 * it; what parses is evaluated over a few series, at once and over steps. */
#include <stdlib.h>

#include "../tests/support/memsource.h"
#include "promql/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
