/* Points to samples: kinds, temporality, values, times, what is left out. */
#include "support.h"

#define METRICS(metrics) "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"scope\":{\"name\":\"never\",\"version\":\"a label\"},\"metrics\":[" metrics "]}]}]}"
#define TIMES "\"startTimeUnixNano\":\"1795447501000000000\",\"timeUnixNano\":\"1795447561000000000\""
#define SUM(temporality, monotonic, points) \
    "\"sum\":{\"aggregationTemporality\":" temporality ",\"isMonotonic\":" monotonic ",\"dataPoints\":[" points "]}"
#define NAMED(name, unit, data) "{\"name\":\"" name "\",\"description\":\"d\",\"unit\":\"" unit "\"," data "}"
#define COST(temporality, point) METRICS(NAMED("claude_code.cost.usage", "USD", SUM(temporality, "true", point)))

static const struct form_case cases[] = {
    { "delta", COST("1", "{" TIMES ",\"asDouble\":0.25}"), "61s 1s 0.25 D __name__=claude_code_cost_usage_USD_total\n" },
    { "cumulative", COST("2", "{" TIMES ",\"asDouble\":0.25}"), "61s 1s 0.25 C __name__=claude_code_cost_usage_USD_total\n" },
    { "an integer; zero counts as a point", COST("1", "{" TIMES ",\"asInt\":\"7\"},{" TIMES ",\"asDouble\":0}"),
      "61s 1s 7 D __name__=claude_code_cost_usage_USD_total\n61s 1s 0 D __name__=claude_code_cost_usage_USD_total\n" },
    { "names take unit and type", METRICS(NAMED("claude_code.token.usage", "tokens", SUM("1", "true", "{" TIMES ",\"asInt\":\"1\"}")) ","
                                          NAMED("claude_code.session.count", "", SUM("1", "true", "{" TIMES ",\"asInt\":\"1\"}")) ","
                                          NAMED("claude_code.active_time.total", "s", SUM("1", "true", "{" TIMES ",\"asInt\":\"1\"}"))),
      "61s 1s 1 D __name__=claude_code_token_usage_tokens_total\n61s 1s 1 D __name__=claude_code_session_count_total\n"
      "61s 1s 1 D __name__=claude_code_active_time_seconds_total\n" },
    { "a gauge has no accounting and no start", METRICS(NAMED("cpu", "1", "\"gauge\":{\"dataPoints\":[{" TIMES ",\"asDouble\":-0.5}]}")),
      "61s -0.5 __name__=cpu_ratio\n" },
    { "a sum that may fall, cumulative, is one too", METRICS(NAMED("queue", "1", SUM("2", "false", "{" TIMES ",\"asInt\":\"-3\"}"))),
      "61s -3 __name__=queue\n" },
    { "a sum that may fall, delta, is one of increments too", METRICS(NAMED("queue", "", SUM("1", "false", "{" TIMES ",\"asInt\":\"-3\"}"))),
      "61s 1s -3 D __name__=queue\n" },
    { "no value, no temporality, no name",
      METRICS(NAMED("v", "", SUM("1", "true", "{" TIMES "}")) "," NAMED("t", "", SUM("0", "true", "{" TIMES ",\"asInt\":\"1\"}")) ","
              NAMED("", "s", SUM("1", "true", "{" TIMES ",\"asInt\":\"1\"}"))),
      "rejected 3: 1 data point of a sum or histogram without a temporality; 1 data point without a value; 1 data point of a metric without a name\n" },
    { "what would break a total is left out alone", COST("1", "{" TIMES ",\"asDouble\":-0.5},{" TIMES ",\"asDouble\":0.5}"),
      "61s 1s 0.5 D __name__=claude_code_cost_usage_USD_total\nrejected 1: 1 data point of a monotonic sum, negative\n" },
    { "no recorded value: nothing for a total, a marker for a gauge",
      METRICS(NAMED("c", "", SUM("2", "true", "{" TIMES ",\"asDouble\":1,\"flags\":1}")) ","
              NAMED("g", "", "\"gauge\":{\"dataPoints\":[{" TIMES ",\"flags\":1}]}")),
      "61s NaN __name__=g\n" },
    { "no time: the receipt; too old: the receipt, with what was claimed",
      COST("1", "{\"asDouble\":1},{\"timeUnixNano\":\"1600000000000000000\",\"asDouble\":1}"),
      "3600s<none 1 D __name__=claude_code_cost_usage_USD_total\n3600s<1600000000000000000 1 D __name__=claude_code_cost_usage_USD_total\n" },
    { "the order of members does not matter",
      "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"sum\":{\"dataPoints\":[{\"asDouble\":1," TIMES "}],\"isMonotonic\":true,"
      "\"aggregationTemporality\":2},\"unit\":\"USD\",\"name\":\"claude_code.cost.usage\"}]}],\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":5}}]}}]}",
      "61s 1s 1 C __name__=claude_code_cost_usage_USD_total a=5\n" },
    { "a metric without data, data without points", METRICS("{\"name\":\"x\"}," NAMED("y", "", SUM("1", "true", ""))), "" },
};

static void points(void **state)
{
    (void)state;
    check_forms(OTLP_METRICS, cases, LEN(cases));
}

static void json_only(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b;
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(decode(OTLP_METRICS, true,
                            S("{\"resource_metrics\":[{\"scope_metrics\":[{\"metrics\":[{\"name\":\"n\",\"sum\":{\"aggregation_temporality\":"
                              "\"AGGREGATION_TEMPORALITY_DELTA\",\"is_monotonic\":true,\"data_points\":[{\"time_unix_nano\":1795447501000000000,"
                              "\"as_int\":3,\"asDouble\":null},{\"timeUnixNano\":\"1795447501000000000\",\"asDouble\":\"NaN\"}]}}]}]}]}"),
                            &mem, &b, NULL), OK);
    assert_string_equal(arena_cstr(&mem, dump(&b, &mem)),
                        "1s 3 D __name__=n_total\nrejected 1: 1 data point of a sum, not a finite number\n");
    batch_done(&b);
    arena_done(&mem);
}

static void staleness_marker(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b;
    uint64_t bits;
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(decode(OTLP_METRICS, true, S(METRICS(NAMED("g", "", "\"gauge\":{\"dataPoints\":[{" TIMES ",\"flags\":1}]}"))), &mem, &b, NULL), OK);
    memcpy(&bits, &b.rows[0].value, sizeof bits);
    assert_true(bits == UINT64_C(0x7ff0000000000002));
    batch_done(&b);
    arena_done(&mem);
}

/* Only of metrics that gave a row. */
static void metadata(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b;
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(decode(OTLP_METRICS, true,
                            S(METRICS(NAMED("claude_code.cost.usage", "USD", SUM("1", "true", "{" TIMES ",\"asInt\":1},{" TIMES ",\"asInt\":2}")) ","
                                      NAMED("q", "", SUM("2", "false", "{" TIMES ",\"asInt\":1}")) "," NAMED("no", "", SUM("1", "true", "")))),
                            &mem, &b, NULL), OK);
    assert_int_equal(b.nmetas, 2);
    assert_true(str_eq(b.metas[0].name, S("claude_code_cost_usage_USD_total")) && b.metas[0].type == METRIC_COUNTER &&
                str_eq(b.metas[0].unit, S("USD")) && str_eq(b.metas[0].help, S("d")));
    assert_true(str_eq(b.metas[1].name, S("q")) && b.metas[1].type == METRIC_GAUGE);
    batch_done(&b);
    arena_done(&mem);
}

/* Rule 5: delta (labels, start, time, value), cumulative (labels, start, time), gauge (labels, time). */
static const struct {
    const char *a, *b;
    bool same;
} ids[] = {
    { COST("1", "{" TIMES ",\"asDouble\":1}"), COST("1", "{" TIMES ",\"asInt\":\"1\"}"), true },
    { COST("1", "{" TIMES ",\"asDouble\":1}"), COST("1", "{" TIMES ",\"asDouble\":2}"), false },
    { COST("2", "{" TIMES ",\"asDouble\":1}"), COST("2", "{" TIMES ",\"asDouble\":2}"), true },
    { COST("1", "{" TIMES ",\"asDouble\":1}"), COST("2", "{" TIMES ",\"asDouble\":1}"), false },
    { COST("2", "{" TIMES ",\"asDouble\":1}"),
      COST("2", "{\"startTimeUnixNano\":\"1795447501001000000\",\"timeUnixNano\":\"1795447561000000000\",\"asDouble\":1}"), false },
};

static void identity(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (size_t i = 0; i < LEN(ids); i++) {
        struct batch a, b;
        assert_int_equal(decode(OTLP_METRICS, true, str_c(ids[i].a), &mem, &a, NULL), OK);
        assert_int_equal(decode(OTLP_METRICS, true, str_c(ids[i].b), &mem, &b, NULL), OK);
        if (same_ids(&a, &b) != ids[i].same)
            fail_msg("row %zu: %s\n%s", i, ids[i].a, ids[i].b);
        batch_done(&a);
        batch_done(&b);
    }
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points),
        cmocka_unit_test(json_only),
        cmocka_unit_test(staleness_marker),
        cmocka_unit_test(metadata),
        cmocka_unit_test(identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
