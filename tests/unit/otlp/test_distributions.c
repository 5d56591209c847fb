/* Histograms, exponential histograms and summaries to samples, in both temporalities. */
#include "support.h"

#include "otlp/limits.h"

#define METRICS(resource, metrics) "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[" resource "]},\"scopeMetrics\":[{\"metrics\":[" metrics "]}]}]}"
#define TIMES "\"startTimeUnixNano\":\"1795447501000000000\",\"timeUnixNano\":\"1795447561000000000\""
#define DATA(name, unit, kind, temporality, points) \
    "{\"name\":\"" name "\",\"unit\":\"" unit "\",\"" kind "\":{\"aggregationTemporality\":" temporality ",\"dataPoints\":[" points "]}}"
#define HIST(temporality, points) METRICS("", DATA("lat", "s", "histogram", temporality, points))
#define EXP(temporality, points) METRICS("", DATA("lat", "s", "exponentialHistogram", temporality, points))
#define POINT(rest) "{" TIMES "," rest "}"
#define ATTR(key, text) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" text "\"}}"
#define THREE "\"count\":\"6\",\"sum\":9.5,\"min\":0.1,\"bucketCounts\":[\"1\",\"2\",\"3\"],\"explicitBounds\":[0.5,10]"

static const struct form_case cases[] = {
    /* explicit bounds */
    { "a histogram as it came", HIST("2", POINT(THREE)),
      "61s 1 __name__=lat_seconds_bucket le=0.5\n61s 3 __name__=lat_seconds_bucket le=10\n61s 6 __name__=lat_seconds_bucket le=+Inf\n"
      "61s 9.5 __name__=lat_seconds_sum\n61s 6 __name__=lat_seconds_count\n" },
    { "increments of one", HIST("1", POINT(THREE)),
      "61s 1s 1 D __name__=lat_seconds_bucket le=0.5\n61s 1s 3 D __name__=lat_seconds_bucket le=10\n"
      "61s 1s 6 D __name__=lat_seconds_bucket le=+Inf\n61s 1s 9.5 D __name__=lat_seconds_sum\n61s 1s 6 D __name__=lat_seconds_count\n" },
    { "without buckets, without a sum", HIST("2", POINT("\"count\":\"3\"")),
      "61s 3 __name__=lat_seconds_bucket le=+Inf\n61s 3 __name__=lat_seconds_count\n" },
    { "a bound of infinity is the last bucket", HIST("2", POINT("\"count\":\"3\",\"bucketCounts\":[\"1\",\"2\",\"0\"],\"explicitBounds\":[1,\"Infinity\"]")),
      "61s 1 __name__=lat_seconds_bucket le=1\n61s 3 __name__=lat_seconds_bucket le=+Inf\n61s 3 __name__=lat_seconds_count\n" },
    { "large and small bounds without exponents", HIST("2", POINT("\"count\":\"1\",\"bucketCounts\":[\"1\",\"0\",\"0\"],\"explicitBounds\":[0.00001,10000000]")),
      "61s 1 __name__=lat_seconds_bucket le=0.00001\n61s 1 __name__=lat_seconds_bucket le=10000000\n"
      "61s 1 __name__=lat_seconds_bucket le=+Inf\n61s 1 __name__=lat_seconds_count\n" },
    { "le is the receiver's, whoever else says it",
      METRICS(ATTR("le", "r") "," ATTR("zone", "z"), DATA("h", "", "histogram", "2", POINT("\"count\":\"1\",\"attributes\":[" ATTR("le", "p") "," ATTR("a", "x") "]"))),
      "61s 1 __name__=h_bucket a=x le=+Inf zone=z\n61s 1 __name__=h_count a=x le=p zone=z\n" },
    { "buckets that do not fit", HIST("2", POINT("\"count\":\"1\",\"bucketCounts\":[\"1\"],\"explicitBounds\":[1]") ","
                                         POINT("\"count\":\"1\",\"bucketCounts\":[\"1\",\"0\",\"0\"],\"explicitBounds\":[2,2]") ","
                                         POINT("\"count\":\"1\",\"bucketCounts\":[\"18446744073709551615\",\"1\"],\"explicitBounds\":[1]")),
      "rejected 3: 3 data points of a histogram whose buckets do not fit together\n" },
    { "a sum of increments that falls", HIST("1", POINT("\"count\":\"1\",\"sum\":-2,\"bucketCounts\":[\"1\"]")),
      "61s 1s 1 D __name__=lat_seconds_bucket le=+Inf\n61s 1s 1 D __name__=lat_seconds_count\n"
      "rejected 1: 1 data point of a delta histogram with a sum that falls, which was left out alone\n" },
    { "a sum that may fall, as it came", HIST("2", POINT("\"count\":\"1\",\"sum\":-2")),
      "61s 1 __name__=lat_seconds_bucket le=+Inf\n61s -2 __name__=lat_seconds_sum\n61s 1 __name__=lat_seconds_count\n" },
    { "no recorded value: markers, or nothing for increments",
      METRICS("", DATA("c", "", "histogram", "2", POINT("\"flags\":1")) "," DATA("d", "", "histogram", "1", POINT("\"flags\":1")) ","
                  DATA("e", "", "exponentialHistogram", "2", POINT("\"flags\":1")) "," DATA("s", "", "summary", "0", POINT("\"flags\":1"))),
      "61s NaN __name__=c_bucket le=+Inf\n61s NaN __name__=c_count\n61s NaN __name__=e\n61s NaN __name__=s_sum\n61s NaN __name__=s_count\n" },
    { "no temporality, no name", METRICS("", DATA("h", "", "histogram", "0", POINT("\"count\":\"1\"")) "," DATA("", "", "summary", "0", POINT("\"count\":\"1\""))),
      "rejected 2: 1 data point of a sum or histogram without a temporality; 1 data point of a metric without a name\n" },
    { "two metrics, each under its own name", METRICS("", DATA("a", "", "histogram", "2", POINT("\"count\":\"1\"")) "," DATA("ab", "", "histogram", "2", POINT("\"count\":\"2\""))),
      "61s 1 __name__=a_bucket le=+Inf\n61s 1 __name__=a_count\n61s 2 __name__=ab_bucket le=+Inf\n61s 2 __name__=ab_count\n" },

    /* exponential: the hash that stands for it is a NaN */
    { "an exponential histogram as it came",
      EXP("2", POINT("\"count\":\"10\",\"sum\":20,\"scale\":0,\"zeroCount\":\"1\",\"zeroThreshold\":0.25,\"positive\":{\"offset\":-1,\"bucketCounts\":[\"2\",\"0\",\"4\"]},"
                     "\"negative\":{\"offset\":2,\"bucketCounts\":[\"3\"]}")),
      "61s NaN #histogram=0{count:10, sum:20, [-8,-4):3, [-0.25,0.25]:1, (0.5,1]:2, (2,4]:4} __name__=lat_seconds\n" },
    { "increments of one are gauges", EXP("1", POINT("\"count\":\"2\",\"sum\":3,\"scale\":1,\"positive\":{\"bucketCounts\":[\"2\"]}")),
      "61s 1s NaN D #histogram=gauge 1{count:2, sum:3, (1,1.4142135623730951]:2} __name__=lat_seconds\n" },
    { "finer than schema 8 becomes 8", EXP("2", POINT("\"count\":\"7\",\"scale\":10,\"positive\":{\"offset\":1020,\"bucketCounts\":[\"1\",\"1\",\"1\",\"1\",\"3\"]}")),
      "61s NaN #histogram=8{count:7, sum:0, (1.9945921121709402,2]:4, (2,2.005422550100405]:3} __name__=lat_seconds\n" },
    { "coarser than -4 is left out", EXP("2", POINT("\"count\":\"0\",\"scale\":-5") "," POINT("\"count\":\"0\",\"scale\":-4")),
      "61s NaN #histogram=-4{count:0, sum:0} __name__=lat_seconds\nrejected 1: 1 data point of an exponential histogram, its scale below -4\n" },
    { "a count that is not that of the buckets", EXP("2", POINT("\"count\":\"3\",\"scale\":0,\"positive\":{\"bucketCounts\":[\"2\"]}")),
      "rejected 1: 1 data point of a histogram whose buckets do not fit together\n" },
    { "an index beyond 32 bits", EXP("2", POINT("\"count\":\"2\",\"scale\":0,\"positive\":{\"offset\":2147483647,\"bucketCounts\":[\"2\"]}")),
      "rejected 1: 1 data point of a histogram whose buckets do not fit together\n" },

    /* summary */
    { "a summary", METRICS("", DATA("rpc", "s", "summary", "0",
                           POINT("\"count\":\"4\",\"sum\":7,\"quantileValues\":[{\"quantile\":0.5,\"value\":1.5},{\"quantile\":1,\"value\":3},{}],\"attributes\":[" ATTR("quantile", "x") "]"))),
      "61s 1.5 __name__=rpc_seconds quantile=0.5\n61s 3 __name__=rpc_seconds quantile=1\n61s 0 __name__=rpc_seconds quantile=0\n"
      "61s 7 __name__=rpc_seconds_sum quantile=x\n61s 4 __name__=rpc_seconds_count quantile=x\n" },
    { "an empty summary", METRICS("", DATA("rpc", "", "summary", "0", POINT("\"count\":\"0\""))), "61s 0 __name__=rpc_sum\n61s 0 __name__=rpc_count\n" },
};

static void points(void **state)
{
    (void)state;
    check_forms(OTLP_METRICS, cases, LEN(cases));
}

/* Before their temporality, in snake case, with nulls. */
static void json_only(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b;
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(decode(OTLP_METRICS, true,
                            S("{\"resource_metrics\":[{\"scope_metrics\":[{\"metrics\":[{\"histogram\":{\"data_points\":[{\"bucket_counts\":[1,null,\"2\"],"
                              "\"explicit_bounds\":[1,2],\"count\":3,\"sum\":null,\"time_unix_nano\":1795447501000000000}],\"aggregation_temporality\":"
                              "\"AGGREGATION_TEMPORALITY_CUMULATIVE\"},\"name\":\"n\"}]}]}]}"),
                            &mem, &b, NULL), OK);
    assert_string_equal(arena_cstr(&mem, dump(&b, &mem)),
                        "1s 1 __name__=n_bucket le=1\n1s 1 __name__=n_bucket le=2\n1s 3 __name__=n_bucket le=+Inf\n1s 3 __name__=n_count\n");
    batch_done(&b);
    arena_done(&mem);
}

static void metadata(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b;
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(decode(OTLP_METRICS, true,
                            S(METRICS("", DATA("h", "s", "histogram", "2", POINT("\"count\":\"1\"") "," POINT("\"count\":\"2\"")) "," DATA("s", "", "summary", "0", POINT("\"count\":\"1\"")) ","
                                          DATA("e", "", "exponentialHistogram", "1", POINT("\"count\":\"0\"")))),
                            &mem, &b, NULL), OK);
    static const struct { struct str name; enum metric_type type; } want[] = {
        { S("h_seconds"), METRIC_HISTOGRAM }, { S("s"), METRIC_SUMMARY }, { S("e"), METRIC_HISTOGRAM },
    };
    assert_int_equal(b.nmetas, LEN(want));
    for (size_t i = 0; i < LEN(want); i++)
        assert_true(str_eq(b.metas[i].name, want[i].name) && b.metas[i].type == want[i].type);
    batch_done(&b);
    arena_done(&mem);
}

/* One bucket more than the limit, in both forms. */
static void too_many(void **state)
{
    (void)state;
    struct arena mem;
    struct buf json, list;
    arena_init(&mem, TEST_ARENA);
    buf_init(&list, DUMP_MAX);
    for (int i = 0; i <= OTLP_BUCKETS_MAX; i++)
        buf_fmt(&list, "%s\"1\"", i ? "," : "");
    for (int kind = 0; kind < 2; kind++) {
        buf_init(&json, DUMP_MAX);
        buf_fmt(&json, kind ? EXP("2", "{\"positive\":{\"bucketCounts\":[%.*s]}}") : HIST("2", "{\"bucketCounts\":[%.*s]}"), (int)list.n, list.p);
        struct batch b;
        struct fault f = { 0 };
        assert_int_equal(decode(OTLP_METRICS, true, buf_view(&json), &mem, &b, &f), E_LIMIT);
        struct buf pb;
        buf_init(&pb, ENC_MAX);
        assert_true(json_to_protobuf(buf_view(&json), requests[OTLP_METRICS], &mem, &pb));
        assert_int_equal(decode(OTLP_METRICS, false, buf_view(&pb), &mem, &b, &f), E_LIMIT);
        buf_done(&pb);
        buf_done(&json);
    }
    buf_done(&list);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points),
        cmocka_unit_test(json_only),
        cmocka_unit_test(metadata),
        cmocka_unit_test(too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
