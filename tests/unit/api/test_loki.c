/* tests/unit/api/test_loki.c -- Loki's endpoints over an in-memory source: one row is a
 * request and its answer, word for word but for the statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../support/fakehttp.h"
#include "../../support/memsource.h"
#include "api/api.h"

static const int64_t now_ns = 10000 * NS_PER_S;

static int64_t fixed(void *arg)
{
    (void)arg;
    return now_ns;
}

static const struct clock stopped = { fixed, fixed, NULL };
static struct memsource *src;
static struct api api;

static void push(int64_t seconds, const char *app, const char *env, const char *meta, const char *line)
{
    const struct mem_cell cells[] = {
        { PLACE_LABEL, "app", value_str(str_c(app)) }, { PLACE_LABEL, "env", value_str(str_c(env)) },
        { PLACE_FIELD, "body", value_str(str_c(line)) }, { PLACE_ATTR, "k", value_str(str_c(meta)) },
    };
    memsource_add(src, &(struct mem_row){
        .table = TABLE_LOG, .time_ns = seconds * NS_PER_S, .origin = ORIGIN_LOKI, .cells = cells, .ncells = *meta ? 4 : 3 });
}

static void otlp(int64_t seconds, const char *event, int64_t ms)
{
    const struct mem_cell cells[] = {
        { PLACE_RESOURCE, "service.name", value_str(S("claude-code")) }, { PLACE_ATTR, "event.name", value_str(str_c(event)) },
        { PLACE_ATTR, "duration_ms", value_int(ms) }, { PLACE_FIELD, "body", value_str(S("claude_code.x")) },
    };
    memsource_add(src, &(struct mem_row){
        .table = TABLE_LOG, .time_ns = seconds * NS_PER_S, .origin = ORIGIN_OTLP, .cells = cells, .ncells = LEN(cells) });
}

static int setup(void **state)
{
    (void)state;
    src = memsource_new();
    memsource_set_block_rows(src, 2);
    push(9900, "a", "x", "v", "first line");
    push(9910, "a", "x", "", "level=info n=5 d=2s");
    push(9920, "a", "y", "v", "{\"n\":5,\"o\":{\"p-q\":\"r\"}}");
    push(9930, "b", "y", "", "last \"line\"");
    otlp(9000, "api_request", 100);
    otlp(9010, "api_error", 300);
    push(1000, "old", "x", "", "long ago");
    api = (struct api){
        .src = memsource_source(src), .clock = &stopped, .version = S("0.1.0"), .loki_plain = true,
        .limits = { .series_max = 3, .samples_max = 100000, .points_max = 11000 },
    };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    memsource_free(src);
    return 0;
}

#define L "/loki/api/v1/"
#define Q L "query?query="
#define R L "query_range?query="
#define OK_(type, result) "{\"status\":\"success\",\"data\":{\"resultType\":\"" type "\",\"result\":" result
#define LIST(items) "{\"status\":\"success\",\"data\":[" items "]}"

static const struct {
    enum http_method method;
    const char *target, *form;
    int status;
    const char *body;                              /* up to the statistics */
} rows[] = {
    { HTTP_GET, "/ready", "", 200, "ready\n" },
    { HTTP_GET, L "status/buildinfo", "", 200,
      "{\"version\":\"3.6.0+ccmon.0.1.0\",\"revision\":\"0.1.0\",\"branch\":\"ccmon\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}" },
    { HTTP_POST, L "status/buildinfo", "", 405, "" },
    /* query: the health check of Grafana, times in every form, lines are refused */
    { HTTP_GET, Q "vector(1)%2Bvector(1)&time=4000000000", "", 200, OK_("vector", "[{\"metric\":{},\"value\":[4000000000,\"2\"]}]") },
    { HTTP_GET, Q "vector(1)&time=4000000000000000000", "", 200, OK_("vector", "[{\"metric\":{},\"value\":[4000000000,\"1\"]}]") },
    { HTTP_GET, Q "vector(1)&time=1970-01-01T00:00:04.5Z", "", 200, OK_("vector", "[{\"metric\":{},\"value\":[4.5,\"1\"]}]") },
    { HTTP_GET, Q "vector(1)&time=4.25", "", 200, OK_("vector", "[{\"metric\":{},\"value\":[4.25,\"1\"]}]") },
    { HTTP_GET, Q "vector(0.0000001)&time=4", "", 200, OK_("vector", "[{\"metric\":{},\"value\":[4,\"0.0000001\"]}]") },
    { HTTP_GET, Q "1%2B1&time=4", "", 200, OK_("scalar", "[4000,\"2\"]") },
    { HTTP_POST, L "query", "query=vector(3)&time=4", 200, OK_("vector", "[{\"metric\":{},\"value\":[4,\"3\"]}]") },
    { HTTP_GET, Q "sum(count_over_time({app=%22a%22}[5m]))", "", 200, OK_("vector", "[{\"metric\":{},\"value\":[10000,\"3\"]}]") },
    { HTTP_GET, Q "sort_desc(sum%20by%20(app)(count_over_time({env=~%22.%2B%22}[5m])))", "", 200,
      OK_("vector", "[{\"metric\":{\"app\":\"a\"},\"value\":[10000,\"3\"]},{\"metric\":{\"app\":\"b\"},\"value\":[10000,\"1\"]}]") },
    { HTTP_GET, Q "{app=%22a%22}", "", 400,
      "log queries are not supported as an instant query type, please change your query to a range query type" },
    { HTTP_GET, Q "vector(1)&time=x", "", 400, "strconv.ParseInt: parsing \"x\": invalid syntax" },
    { HTTP_GET, Q "{", "", 400, "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }" },
    { HTTP_GET, L "query", "", 400, "parse error at line 1, col 1: syntax error: unexpected $end" },
    { HTTP_GET, Q "count_over_time({env=~%22.%2B%22}|label_format%20t=%60{{__timestamp__|unixEpoch}}%60[1h])", "", 400,
      "query needs more than the limit of 3 series (query.max_series)" },
    { HTTP_GET, Q "sum_over_time({app=%22a%22}|unwrap%20k[5m])", "", 400,
      "pipeline error: 'SampleExtractionErr' for series: '{__error__=\"SampleExtractionErr\", __error_details__=\"strconv.ParseFloat: "
      "parsing \\\"v\\\": invalid syntax\", app=\"a\", env=\"x\", k=\"v\"}'.\nA label filter leaves such lines out: | __error__=\"\", "
      "also behind unwrap." },
    /* query_range */
    { HTTP_GET, R "{app=%22a%22,env=%22x%22}", "", 200,
      OK_("streams", "[{\"stream\":{\"app\":\"a\",\"env\":\"x\"},\"values\":[[\"9910000000000\",\"level=info n=5 d=2s\"]]},"
                     "{\"stream\":{\"app\":\"a\",\"env\":\"x\",\"k\":\"v\"},\"values\":[[\"9900000000000\",\"first line\"]]}]") },
    { HTTP_POST, L "query_range", "query={app=%22b%22}&direction=FORWARD", 200,
      OK_("streams", "[{\"stream\":{\"app\":\"b\",\"env\":\"y\"},\"values\":[[\"9930000000000\",\"last \\\"line\\\"\"]]}]") },
    { HTTP_GET, R "{env=~%22.%2B%22}%7Cdrop%20k&limit=1&start=9900&end=9920", "", 200,
      OK_("streams", "[{\"stream\":{\"app\":\"a\",\"env\":\"x\"},\"values\":[[\"9910000000000\",\"level=info n=5 d=2s\"]]}]") },
    { HTTP_GET, R "{app=%22old%22}", "", 200, OK_("streams", "[]") },
    { HTTP_GET, R "{app=%22old%22}&since=3h", "", 200,
      OK_("streams", "[{\"stream\":{\"app\":\"old\",\"env\":\"x\"},\"values\":[[\"1000000000000\",\"long ago\"]]}]") },
    { HTTP_GET, R "{app=~%22a%7Cb%22}%7Cdrop%20k,env&interval=15s&direction=forward", "", 200,
      OK_("streams", "[{\"stream\":{\"app\":\"a\"},\"values\":[[\"9900000000000\",\"first line\"],"
                     "[\"9920000000000\",\"{\\\"n\\\":5,\\\"o\\\":{\\\"p-q\\\":\\\"r\\\"}}\"]]}]") },
    { HTTP_GET, R "sum(count_over_time({app=%22a%22}[30s]))&start=9890&end=9925&step=20000ms", "", 200,
      OK_("matrix", "[{\"metric\":{},\"values\":[[9900,\"1\"],[9920,\"3\"],[9940,\"1\"]]}]") },
    { HTTP_GET, R "1&start=10&end=30&step=10", "", 200, OK_("matrix", "[{\"metric\":{},\"values\":[[10,\"1\"],[20,\"1\"],[30,\"1\"]]}]") },
    { HTTP_GET, R "{app=%22a%22}&limit=5001", "", 400,
      "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)" },
    { HTTP_GET, R "{app=%22a%22}&limit=0", "", 400, "limit must be a positive value" },
    { HTTP_GET, R "{app=%22a%22}&limit=x", "", 400, "strconv.Atoi: parsing \"x\": invalid syntax" },
    { HTTP_GET, R "{app=%22a%22}&direction=up", "", 400, "invalid direction 'up'" },
    { HTTP_GET, R "{app=%22a%22}&start=20&end=10", "", 400, "end timestamp must not be before or equal to start time" },
    { HTTP_GET, R "{app=%22a%22}&start=x", "", 400, "could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax" },
    { HTTP_GET, R "vector(1)&step=0", "", 400, "zero or negative query resolution step widths are not accepted. Try a positive integer" },
    { HTTP_GET, R "vector(1)&step=x", "", 400, "cannot parse \"x\" to a valid duration" },
    { HTTP_GET, R "vector(1)&start=0&end=100000&step=1", "", 400,
      "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)" },
    /* labels: of streams only */
    { HTTP_GET, L "labels", "", 200, LIST("\"app\",\"env\",\"service_name\"") },
    { HTTP_GET, L "labels?start=9800", "", 200, LIST("\"app\",\"env\"") },
    { HTTP_GET, L "labels?query={app=%22a%22}", "", 200, LIST("\"app\",\"env\"") },
    { HTTP_GET, L "label/app/values", "", 200, LIST("\"a\",\"b\"") },
    { HTTP_GET, L "label/app/values?query={env=%22x%22}", "", 200, LIST("\"a\"") },
    { HTTP_GET, L "label/service_name/values", "", 200, LIST("\"claude-code\"") },
    { HTTP_GET, L "label/k/values", "", 200, LIST("") },
    { HTTP_GET, L "label/nothing/values", "", 200, LIST("") },
    { HTTP_GET, L "label/app/values?query={", "", 400, "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }" },
    { HTTP_GET, L "label/app/values?query=vector(1)", "", 400, "only label matchers is supported" },
    { HTTP_GET, L "series?match[]={app=%22a%22}", "", 200, LIST("{\"app\":\"a\",\"env\":\"x\"},{\"app\":\"a\",\"env\":\"y\"}") },
    { HTTP_GET, L "series?match={app=%22b%22}&match={env=%22y%22}", "", 200, LIST("{\"app\":\"b\",\"env\":\"y\"},{\"app\":\"a\",\"env\":\"y\"}") },
    { HTTP_POST, L "series", "start=9925", 200, LIST("{\"app\":\"b\",\"env\":\"y\"}") },
    { HTTP_GET, L "series?match[]={", "", 400, "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }" },
    /* sizes */
    { HTTP_GET, L "index/stats?query={app=%22a%22,env=%22x%22}", "", 200, "{\"streams\":1,\"chunks\":1,\"bytes\":31,\"entries\":2}" },
    { HTTP_GET, L "index/stats?query={app=%22none%22}", "", 200, "{\"streams\":0,\"chunks\":0,\"bytes\":0,\"entries\":0}" },
    { HTTP_GET, L "index/volume?query={app=~%22.%2B%22}", "", 200,
      OK_("vector", "[{\"metric\":{\"app\":\"a\"},\"value\":[10000,\"56\"]},{\"metric\":{\"app\":\"b\"},\"value\":[10000,\"11\"]}]") },
    { HTTP_GET, L "index/volume?query={app=~%22.%2B%22}&targetLabels=env&limit=1", "", 200,
      OK_("vector", "[{\"metric\":{\"env\":\"y\"},\"value\":[10000,\"36\"]}]") },
    { HTTP_GET, L "index/volume?query={app=~%22.%2B%22}&aggregateBy=labels", "", 200,
      OK_("vector", "[{\"metric\":{\"app\":\"\"},\"value\":[10000,\"67\"]},{\"metric\":{\"env\":\"\"},\"value\":[10000,\"67\"]}]") },
    { HTTP_GET, L "index/volume?query={app=~%22.%2B%22}&aggregateBy=x", "", 400, "invalid aggregation option" },
    { HTTP_GET, L "index/volume_range?query={app=%22a%22}&start=9890&end=9930&step=20", "", 200,
      OK_("matrix", "[{\"metric\":{\"app\":\"a\"},\"values\":[[9909.999,\"12\"],[9929.999,\"44\"]]}]") },
    { HTTP_GET, L "detected_labels", "", 200,
      "{\"detectedLabels\":[{\"label\":\"app\",\"cardinality\":2},{\"label\":\"env\",\"cardinality\":2},{\"label\":\"service_name\",\"cardinality\":1}]}" },
    { HTTP_GET, L "detected_fields?query={app=%22a%22}", "", 200,
      "{\"fields\":[{\"label\":\"level\",\"type\":\"string\",\"cardinality\":1,\"parsers\":[\"logfmt\"]},"
      "{\"label\":\"n\",\"type\":\"int\",\"cardinality\":1,\"parsers\":[\"json\",\"logfmt\"],\"jsonPath\":[\"n\"]},"
      "{\"label\":\"d\",\"type\":\"duration\",\"cardinality\":1,\"parsers\":[\"logfmt\"]},"
      "{\"label\":\"k\",\"type\":\"string\",\"cardinality\":1,\"parsers\":null},"
      "{\"label\":\"o_p_q\",\"type\":\"string\",\"cardinality\":1,\"parsers\":[\"json\"],\"jsonPath\":[\"o\",\"p-q\"]}],\"limit\":1000}" },
    { HTTP_GET, L "detected_field/n/values?query={app=%22a%22}", "", 200, "{\"values\":[\"5\"],\"limit\":1000}" },
    { HTTP_GET, L "detected_fields?query=vector(1)", "", 400, "only log selector is supported" },
    { HTTP_GET, L "format_query?query=sum(rate({a=%22b%22}[5m]))by(c)", "", 200,
      "{\"status\":\"success\",\"data\":\"sum by (c)(rate({a=\\\"b\\\"}[5m]))\"}" },
    { HTTP_GET, L "format_query?query={", "", 400,
      "{\"status\":\"invalid-query\",\"error\":\"parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }\"}" },
    { HTTP_GET, L "nothing", "", 404, "" },
};

/* The answer without statistics, which come last. */
static struct str shown(struct str body)
{
    size_t at = str_find(body, S(",\"stats\":{"));
    return at == SIZE_MAX ? body : str_sub(body, 0, at);
}

static void test_requests(void **state)
{
    unsigned failed = 0;
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct fake_reply reply;
        fake_http(routes_loki, &api, rows[i].method, str_c(rows[i].target), str_c(rows[i].form), &reply);
        struct str got = shown(buf_view(&reply.body));
        if (reply.status != rows[i].status || !str_eq(got, str_c(rows[i].body))) {
            print_message("%s %s\n    %d " STR_FMT "\n    %d %s\n", rows[i].target, rows[i].form, reply.status, STR_ARG(got),
                          rows[i].status, rows[i].body);
            failed++;
        }
        buf_done(&reply.body);
    }
    assert_int_equal(failed, 0);
}

/* With the header, labels come by their kind, and the flag before the result. */
static void test_categorized(void **state)
{
    static const struct http_header header = { S("x-loki-response-encoding-flags"), S("categorize-labels") };
    struct fake_reply reply;
    (void)state;
    fake_http_with(routes_loki, &api, HTTP_GET, S(R "{app=%22a%22,env=%22x%22}%7Clogfmt"), S(""), &header, 1, &reply);
    struct str got = shown(buf_view(&reply.body)), want = S(
        "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"encodingFlags\":[\"categorize-labels\"],\"result\":["
        "{\"stream\":{\"app\":\"a\",\"env\":\"x\"},\"values\":[[\"9910000000000\",\"level=info n=5 d=2s\","
        "{\"parsed\":{\"d\":\"2s\",\"level\":\"info\",\"n\":\"5\"}}],[\"9900000000000\",\"first line\","
        "{\"structuredMetadata\":{\"k\":\"v\"}}]]}]");
    if (!str_eq(got, want))
        print_message(STR_FMT "\n", STR_ARG(got));
    assert_true(str_eq(got, want));
    assert_true(str_find(buf_view(&reply.body), S("\"stats\":{\"summary\":{\"bytesProcessedPerSecond\":")) != SIZE_MAX);
    buf_done(&reply.body);
}

/* Levels are added unless that is switched off. */
static void test_levels(void **state)
{
    struct fake_reply reply;
    (void)state;
    api.loki_plain = false;
    fake_http(routes_loki, &api, HTTP_GET, S(Q "sum%20by%20(detected_level)(count_over_time({service_name=%22claude-code%22}[1h]))"), S(""), &reply);
    struct str want = S(OK_("vector", "[{\"metric\":{\"detected_level\":\"error\"},\"value\":[10000,\"1\"]},"
                                      "{\"metric\":{\"detected_level\":\"info\"},\"value\":[10000,\"1\"]}]"));
    assert_true(str_eq(shown(buf_view(&reply.body)), want));
    buf_done(&reply.body);
    api.loki_plain = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_categorized), cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
