/* tests/unit/api/test_prometheus.c -- Prometheus's endpoints over an in-memory source:
 * one row is a request and its answer, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../support/fakehttp.h"
#include "../../support/memsource.h"
#include "api/api.h"
#include "query/origins.h"

static const int64_t now_ns = 1000 * NS_PER_S;

static int64_t fixed(void *arg)
{
    (void)arg;
    return now_ns;
}

static const struct clock stopped = { fixed, fixed, NULL };
static struct memsource *src;
static struct api api;

static int setup(void **state)
{
    (void)state;
    src = memsource_new();
    for (int64_t t = 0; t <= 1000; t += 10) {
        memsource_sample(src, t * NS_PER_S, 1, (const char *[]){ "__name__", "up", "job", "a", NULL });
        memsource_sample(src, t * NS_PER_S, (double)t, (const char *[]){ "__name__", "n_total", "job", "b", NULL });
    }
    memsource_sample(src, 500 * NS_PER_S, 2, (const char *[]){ "__name__", "odd.name", "service.name", "\xc3\xa9", NULL });
    memsource_sample(src, 600 * NS_PER_S, 3,
                     (const char *[]){ "__name__", "claude_code_cost_usage_USD_total", "model", "m", NULL });
    memsource_meta(src, "up", METRIC_GAUGE, "", "Is it up?");
    memsource_meta(src, "n_total", METRIC_COUNTER, "things", "How \"many\".");
    api = (struct api){
        .src = memsource_source(src), .clock = &stopped, .version = S("0.1.0"),
        .limits = { .series_max = 1000, .samples_max = 100000, .points_max = 11000 },
    };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    memsource_free(src);
    return 0;
}

/* Accounting rule 6: session s by OTLP and scraped, session t at two targets. */
static struct memsource *two;
static struct api sourced;

static void put(enum origin origin, const char *session, const char *instance, int64_t t, double v)
{
    struct mem_cell cells[] = {
        { PLACE_LABEL, "__name__", value_str(S("claude_code_cost_usage_USD_total")) },
        { PLACE_LABEL, "session_id", value_str(str_c(session)) },
        { PLACE_LABEL, "instance", value_str(str_c(instance ? instance : "")) },
    };
    memsource_add(two, &(struct mem_row){
        .table = TABLE_SAMPLE, .time_ns = t * NS_PER_S, .recv_ns = t * NS_PER_S, .start_ns = (t / 100) * NS_PER_S, .value = v,
        .temporality = origin == ORIGIN_OTLP ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE, .origin = origin,
        .cells = cells, .ncells = instance ? 3 : 2,
    });
}

static int setup_sources(void **state)
{
    (void)state;
    two = memsource_new();
    sourced = (struct api){
        .src = memsource_source(two), .clock = &stopped, .version = S("0.1.0"), .origins = origins_new(),
        .limits = { .series_max = 1000, .samples_max = 100000, .points_max = 11000 },
    };
    for (int64_t t = 910; t <= 990; t += 10) {
        put(ORIGIN_OTLP, "s", NULL, t, 1);
        put(ORIGIN_SCRAPE, "s", "a", t, (double)t);
        put(ORIGIN_SCRAPE, "t", "a", t, (double)t);
        if (t > 950)
            put(ORIGIN_SCRAPE, "t", "b", t + 5, (double)t);
    }
    return 0;
}

static int teardown_sources(void **state)
{
    (void)state;
    origins_free(sourced.origins);
    memsource_free(two);
    return 0;
}

#define OK_(data) "{\"status\":\"success\",\"data\":" data "}"
#define VECTOR(result) OK_("{\"resultType\":\"vector\",\"result\":" result "}")
#define BAD(text) "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"" text "\"}"
#define EXEC(text) "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"" text "\"}"
#define Q "/api/v1/query?query="
#define R "/api/v1/query_range?query="
#define UP "{\"__name__\":\"up\",\"job\":\"a\"}"

struct request {
    enum http_method method;
    const char *target, *form;
    int status;
    const char *body;
};

static const struct request rows[] = {
    /* query */
    { HTTP_GET, "/federate?match[]=up&match[]=%7Bjob=~%22a%7Cb%22%7D%20%23%20both&lookback_delta=10m", "", 200,
      "# TYPE n_total untyped\nn_total{job=\"b\",instance=\"\"} 1000 1000000\n"
      "# TYPE up untyped\nup{job=\"a\",instance=\"\"} 1 1000000\n" },
    { HTTP_GET, "/federate?match[]=%7B%22odd.name%22%7D&lookback_delta=10m", "", 200,
      "{\"odd.name\",\"service.name\"=\"\xc3\xa9\",instance=\"\"} 2 500000\n" },
    { HTTP_GET, "/federate?match[]=nothing", "", 200, "" },
    { HTTP_GET, "/api/v1/format_query?query=sum(a)by(b)", "", 200, OK_("\"sum by (b) (a)\"") },
    { HTTP_GET, "/api/v1/parse_query?query=abs(a%20offset%201m)", "", 200,
      OK_("{\"args\":[{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"a\"}],\"name\":\"a\","
          "\"offset\":60000,\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":null,\"type\":\"vectorSelector\"}],"
          "\"func\":{\"argTypes\":[\"vector\"],\"name\":\"abs\",\"returnType\":\"vector\",\"variadic\":0},\"type\":\"call\"}") },
    { HTTP_GET, "/api/v1/parse_query?query=a%2Bon(b)c", "", 200,
      OK_("{\"bool\":false,\"lhs\":{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"a\"}],"
          "\"name\":\"a\",\"offset\":0,\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":null,\"type\":\"vectorSelector\"},"
          "\"matching\":{\"card\":\"one-to-one\",\"fillValues\":{\"lhs\":null,\"rhs\":null},\"include\":[],\"labels\":[\"b\"],"
          "\"on\":true},\"op\":\"+\",\"rhs\":{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\","
          "\"value\":\"c\"}],\"name\":\"c\",\"offset\":0,\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":null,"
          "\"type\":\"vectorSelector\"},\"type\":\"binaryExpr\"}") },
    { HTTP_GET, "/api/v1/query_exemplars?query=up&start=1767222000000&end=1767222600000", "", 200, OK_("[]") },
    { HTTP_GET, "/api/v1/query_exemplars?query=up%7B&start=1&end=2", "", 400,
      BAD("1:4: parse error: unexpected end of input inside braces") },
    { HTTP_GET, "/api/v1/rules?type=alert", "", 200, OK_("{\"groups\":[]}") },
    { HTTP_GET, "/api/v1/alerts", "", 200, OK_("{\"alerts\":[]}") },
    { HTTP_GET, "/api/v1/alertmanagers", "", 200, OK_("{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}") },
    { HTTP_GET, Q "1%2B1&time=4", "", 200, OK_("{\"resultType\":\"scalar\",\"result\":[4,\"2\"]}") },
    { HTTP_POST, "/api/v1/query", "query=1%2B1&time=4", 200, OK_("{\"resultType\":\"scalar\",\"result\":[4,\"2\"]}") },
    { HTTP_POST, Q "vector(1)&time=4", "{}", 200, VECTOR("[{\"metric\":{},\"value\":[4,\"1\"]}]") },
    { HTTP_GET, Q "up", "", 200, VECTOR("[{\"metric\":" UP ",\"value\":[1000,\"1\"]}]") },
    { HTTP_GET, Q "up&time=1970-01-01T00:01:00.5Z", "", 200, VECTOR("[{\"metric\":" UP ",\"value\":[60.5,\"1\"]}]") },
    { HTTP_GET, Q "up[20s]&time=35", "", 200,
      OK_("{\"resultType\":\"matrix\",\"result\":[{\"metric\":" UP ",\"values\":[[20,\"1\"],[30,\"1\"]]}]}") },
    { HTTP_GET, Q "%22a%5C%22b%22&time=1", "", 200, OK_("{\"resultType\":\"string\",\"result\":[1,\"a\\\"b\"]}") },
    { HTTP_GET, Q "1e-7&time=1", "", 200, OK_("{\"resultType\":\"scalar\",\"result\":[1,\"1e-07\"]}") },
    { HTTP_GET, Q "nothing", "", 200, VECTOR("[]") },
    { HTTP_GET, Q "up&time=1000&lookback_delta=5m&timeout=10s&stats=&limit=0", "", 200,
      VECTOR("[{\"metric\":" UP ",\"value\":[1000,\"1\"]}]") },
    { HTTP_GET, Q "up&time=1009&lookback_delta=5", "", 200, VECTOR("[]") },
    { HTTP_GET, Q "%7B__name__!=%22%22%7D&limit=1&time=1000", "", 200,
      "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"n_total\","
      "\"job\":\"b\"},\"value\":[1000,\"1000\"]}]},\"warnings\":[\"results truncated due to limit\"]}" },
    { HTTP_GET, Q "rate(up[1m])&time=100", "", 200,
      "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"job\":\"a\"},\"value\":"
      "[100,\"0\"]}]},\"infos\":[\"PromQL info: metric might not be a counter, name does not end in "
      "_total/_sum/_count/_bucket: \\\"up\\\" (1:6)\"]}" },
    { HTTP_GET, "/api/v1/query", "", 400, BAD("invalid parameter \\\"query\\\": unknown position: parse error: no expression found in input") },
    { HTTP_GET, Q "up%7B", "", 400, BAD("invalid parameter \\\"query\\\": 1:4: parse error: unexpected end of input inside braces") },
    { HTTP_GET, Q "up&time=x", "", 400,
      BAD("invalid parameter \\\"time\\\": invalid time value for 'time': cannot parse \\\"x\\\" to a valid timestamp") },
    { HTTP_GET, Q "up&timeout=abc", "", 400, BAD("invalid parameter \\\"timeout\\\": cannot parse \\\"abc\\\" to a valid duration") },
    { HTTP_GET, Q "up&lookback_delta=zz", "", 400, BAD("error parsing lookback delta duration: cannot parse \\\"zz\\\" to a valid duration") },
    { HTTP_GET, Q "up&limit=-1", "", 400, BAD("invalid parameter \\\"limit\\\": limit must be non-negative") },
    { HTTP_GET, Q "-%7Bjob=~%22a%7Cb%22%7D%20or%20topk(NaN,up)", "", 422, EXEC("Parameter value is NaN") },
    { HTTP_PUT, Q "1", "", 405, "" },
    { HTTP_GET, "/api/v1/nope", "", 404, "" },

    /* query_range */
    { HTTP_GET, R "up%2B0&start=980&end=1000&step=10", "", 200,
      OK_("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"job\":\"a\"},\"values\":[[980,\"1\"],[990,\"1\"],[1000,\"1\"]]}]}") },
    { HTTP_GET, R "time()&start=1.5&end=4&step=2.5", "", 200,
      OK_("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1.5,\"1.5\"],[4,\"4\"]]}]}") },
    { HTTP_GET, R "1&start=0&end=60&step=1m", "", 200,
      OK_("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[0,\"1\"],[60,\"1\"]]}]}") },
    { HTTP_GET, R "1&start=0&end=60", "", 400, BAD("invalid parameter \\\"step\\\": cannot parse \\\"\\\" to a valid duration") },
    { HTTP_GET, R "1&start=0&end=60&step=0", "", 400,
      BAD("invalid parameter \\\"step\\\": zero or negative query resolution step widths are not accepted. Try a positive integer") },
    { HTTP_GET, R "1&start=9&end=6&step=1", "", 400, BAD("invalid parameter \\\"end\\\": end timestamp must not be before start time") },
    { HTTP_GET, R "1&end=6&step=1", "", 400, BAD("invalid parameter \\\"start\\\": cannot parse \\\"\\\" to a valid timestamp") },
    { HTTP_GET, R "1&start=0&end=11001&step=1", "", 400,
      BAD("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)") },
    { HTTP_GET, R "up[5m]&start=0&end=1&step=1", "", 400,
      BAD("invalid parameter \\\"query\\\": invalid expression type \\\"range vector\\\" for range query, must be Scalar or instant Vector") },

    /* labels, values, series */
    { HTTP_GET, "/api/v1/labels", "", 200, OK_("[\"__name__\",\"job\",\"model\",\"service.name\"]") },
    { HTTP_POST, "/api/v1/labels", "match[]=up&match%5B%5D=nothing", 200, OK_("[\"__name__\",\"job\"]") },
    { HTTP_GET, "/api/v1/labels?limit=1", "", 200,
      "{\"status\":\"success\",\"data\":[\"__name__\"],\"warnings\":[\"results truncated due to limit\"]}" },
    { HTTP_GET, "/api/v1/labels?match[]={", "", 400, BAD("1:2: parse error: unexpected end of input inside braces") },
    { HTTP_GET, "/api/v1/labels?start=x", "", 400,
      BAD("invalid parameter \\\"start\\\": invalid time value for 'start': cannot parse \\\"x\\\" to a valid timestamp") },
    { HTTP_GET, "/api/v1/label/job/values", "", 200, OK_("[\"a\",\"b\"]") },
    { HTTP_GET, "/api/v1/label/__name__/values?match[]={job=\"a\"}", "", 200, OK_("[\"up\"]") },
    { HTTP_GET, "/api/v1/label/U__service_2e_name/values", "", 200, OK_("[\"\xc3\xa9\"]") },
    { HTTP_GET, "/api/v1/label/service.name/values?start=499&end=501", "", 200, OK_("[\"\xc3\xa9\"]") },
    { HTTP_GET, "/api/v1/label/service.name/values?start=501", "", 200, OK_("[]") },
    { HTTP_GET, "/api/v1/label/none/values", "", 200, OK_("[]") },
    { HTTP_POST, "/api/v1/label/job/values", "", 405, "" },
    { HTTP_GET, "/api/v1/series?match[]=up&match[]={job=\"b\"}&match[]=up", "", 200,
      OK_("[{\"__name__\":\"n_total\",\"job\":\"b\"}," UP "]") },
    { HTTP_GET, "/api/v1/series?match[]=claude_code_cost_usage_total&match[]={model=\"m\"}", "", 200,
      OK_("[{\"__name__\":\"claude_code_cost_usage_USD_total\",\"model\":\"m\"},"
          "{\"__name__\":\"claude_code_cost_usage_total\",\"model\":\"m\"}]") },
    { HTTP_GET, "/api/v1/label/model/values?match[]=claude_code_cost_usage_total", "", 200, OK_("[\"m\"]") },
    { HTTP_GET, "/api/v1/labels?match[]={__name__=~\"x|claude_code_cost_usage_total\"}", "", 200,
      OK_("[\"__name__\",\"model\"]") },
    { HTTP_GET, "/api/v1/series", "", 400, BAD("no match[] parameter provided") },
    { HTTP_GET, "/api/v1/series?match[]={}", "", 400,
      BAD("invalid parameter \\\"match[]\\\": match[] must contain at least one non-empty matcher") },

    /* metadata and status */
    { HTTP_GET, "/api/v1/metadata", "", 200,
      OK_("{\"n_total\":[{\"type\":\"counter\",\"help\":\"How \\\"many\\\".\",\"unit\":\"things\"}],"
          "\"up\":[{\"type\":\"gauge\",\"help\":\"Is it up?\",\"unit\":\"\"}]}") },
    { HTTP_GET, "/api/v1/metadata?metric=up", "", 200, OK_("{\"up\":[{\"type\":\"gauge\",\"help\":\"Is it up?\",\"unit\":\"\"}]}") },
    { HTTP_GET, "/api/v1/metadata?limit=0", "", 200, OK_("{}") },
    { HTTP_GET, "/api/v1/metadata?limit=x", "", 400, BAD("limit must be a number") },
    { HTTP_GET, "/api/v1/targets", "", 200, OK_("{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}") },
    { HTTP_GET, "/api/v1/status/buildinfo", "", 200,
      OK_("{\"version\":\"3.14.0+ccmon.0.1.0\",\"revision\":\"0.1.0\",\"branch\":\"ccmon\",\"buildUser\":\"\","
          "\"buildDate\":\"\",\"goVersion\":\"\"}") },
    { HTTP_POST, "/api/v1/status/buildinfo", "", 405, "" },
    { HTTP_GET, "/-/healthy", "", 200, "ccmon is Healthy.\n" },
    { HTTP_GET, "/-/ready", "", 200, "ccmon is Ready.\n" },
};

#define COST "claude_code_cost_usage_USD_total"
#define METRIC(labels) "{\"__name__\":\"" COST "\"," labels "}"

static const struct request source_rows[] = {
    { HTTP_GET, Q COST, "", 200,
      VECTOR("[{\"metric\":" METRIC("\"instance\":\"a\",\"session_id\":\"t\"") ",\"value\":[1000,\"990\"]},"
             "{\"metric\":" METRIC("\"session_id\":\"s\"") ",\"value\":[1000,\"9\"]}]") },
    { HTTP_GET, "/api/v1/series?match[]=" COST, "", 200,
      OK_("[" METRIC("\"instance\":\"a\",\"session_id\":\"t\"") "," METRIC("\"session_id\":\"s\"") "]") },
    { HTTP_GET, "/api/v1/series?match[]={ccmon_source=\"scrape\",session_id=\"s\"}", "", 200,
      OK_("[" METRIC("\"ccmon_source\":\"scrape\",\"instance\":\"a\",\"session_id\":\"s\"") "]") },
    { HTTP_GET, "/api/v1/series?match[]={ccmon_source=\"remote\"}", "", 200, OK_("[]") },
    { HTTP_GET, "/api/v1/labels", "", 200, OK_("[\"__name__\",\"ccmon_source\",\"instance\",\"session_id\"]") },
    { HTTP_GET, "/api/v1/labels?match[]={ccmon_source=\"otlp\"}", "", 200,
      OK_("[\"__name__\",\"ccmon_source\",\"session_id\"]") },
    { HTTP_GET, "/api/v1/label/ccmon_source/values", "", 200, OK_("[\"otlp\",\"scrape\"]") },
    { HTTP_GET, "/api/v1/label/ccmon_source/values?match[]={session_id=\"t\"}", "", 200, OK_("[\"scrape\"]") },
    { HTTP_GET, "/api/v1/label/ccmon_source/values?match[]={ccmon_source=~\"o.*\"}", "", 200, OK_("[\"otlp\"]") },
    { HTTP_GET, "/api/v1/label/session_id/values?match[]={ccmon_source=\"otlp\"}", "", 200, OK_("[\"s\"]") },
};

static void run(struct api *a, const struct request *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct fake_reply reply;
        fake_http(routes_prometheus, a, all[i].method, str_c(all[i].target), str_c(all[i].form), &reply);
        if (reply.status != all[i].status || !str_eq(buf_view(&reply.body), str_c(all[i].body))) {
            printf("row %zu: %s %s\n  got  %d " STR_FMT "\n  want %d %s\n", i, all[i].target, all[i].form, reply.status,
                   STR_ARG(buf_view(&reply.body)), all[i].status, all[i].body);
            fail();
        }
        buf_done(&reply.body);
    }
}

static void test_rows(void **state)
{
    (void)state;
    run(&api, rows, LEN(rows));
}

/* Twice: the second time what is known of sources is known. */
static void test_sources(void **state)
{
    (void)state;
    run(&sourced, source_rows, LEN(source_rows));
    run(&sourced, source_rows, LEN(source_rows));
}

/* Samples as Prometheus counts them: one a step that shows one, all of a window at every step,
 * once what is the same at all steps, and those of a subquery in the total only. */
static void test_stats(void **state)
{
    (void)state;
    static const struct {
        const char *target, *part;
    } asked[] = {
        { Q "up&time=1000&stats=true", "\"value\":[1000,\"1\"]}],\"stats\":{\"timings\":{\"evalTotalTime\":0,\"resultSortTime\":0,"
          "\"queryPreparationTime\":0,\"innerEvalTime\":0,\"execQueueTime\":0,\"execTotalTime\":0},\"samples\":{"
          "\"totalQueryableSamples\":1,\"peakSamples\":" },
        { Q "up&time=1000&stats=all", "\"samples\":{\"totalQueryableSamplesPerStep\":[[1000,1]],\"totalQueryableSamples\":1," },
        { Q "up[20s]&time=35&stats=all", "PerStep\":[[35,2]],\"totalQueryableSamples\":2," },
        { R "up&start=990&end=1310&step=160&stats=all", "PerStep\":[[990,1],[1150,1],[1310,0]],\"totalQueryableSamples\":2," },
        { R "sum_over_time(up[1m])&start=0&end=60&step=30&stats=all", "PerStep\":[[0,1],[30,4],[60,6]],\"totalQueryableSamples\":11," },
        { R "up%2Bn_total&start=10&end=20&step=10&stats=all", "PerStep\":[[10,2],[20,2]],\"totalQueryableSamples\":4," },
        { R "up%40500&start=0&end=20&step=10&stats=all", "PerStep\":[[0,1],[10,0],[20,0]],\"totalQueryableSamples\":1," },
        { Q "sum_over_time(up[1m:10s])&time=100&stats=all", "PerStep\":[[100,6]],\"totalQueryableSamples\":12," },
        { Q "1&stats=all", "PerStep\":[[1000,0]],\"totalQueryableSamples\":0,\"peakSamples\":0},"
          "\"ccmon\":{\"rowsRead\":0,\"bytesRead\":0,\"chunksRead\":0}}}}" },
        { Q "up&stats=1", "},\"ccmon\":{\"rowsRead\":" },
    };
    for (size_t i = 0; i < LEN(asked); i++) {
        struct fake_reply reply;
        fake_http(routes_prometheus, &api, HTTP_GET, str_c(asked[i].target), S(""), &reply);
        if (reply.status != 200 || str_find(buf_view(&reply.body), str_c(asked[i].part)) == SIZE_MAX) {
            printf("%s\n  got  %d " STR_FMT "\n  want %s\n", asked[i].target, reply.status, STR_ARG(buf_view(&reply.body)), asked[i].part);
            fail();
        }
        buf_done(&reply.body);
    }
}

static void keep_query(void *arg, const struct api_query *x)
{
    struct buf *b = arg;
    buf_clear(b);
    buf_fmt(b, STR_FMT "|" STR_FMT "|" STR_FMT, STR_ARG(x->language), STR_ARG(x->text), STR_ARG(x->error));
}

/* Each query is told once, with what became of it. */
static void test_record(void **state)
{
    (void)state;
    struct buf told;
    struct api kept = api;
    struct fake_reply reply;
    buf_init(&told, 1000);
    kept.asked = keep_query;
    kept.asked_arg = &told;
    fake_http(routes_prometheus, &kept, HTTP_GET, S(Q "up%2B1"), S(""), &reply);
    buf_done(&reply.body);
    assert_true(str_eq(buf_view(&told), S("promql|up+1|")));
    kept.limits.series_max = 1;
    fake_http(routes_prometheus, &kept, HTTP_GET, S(R "%7B__name__=~%22.%2B%22%7D&start=0&end=1&step=1"), S(""), &reply);
    buf_done(&reply.body);
    assert_true(str_eq(buf_view(&told), S("promql|{__name__=~\".+\"}|query needs more than the limit of 1 series (query.max_series)")));
    buf_done(&told);
}

/* A deadline that has passed, and limits of a query. */
static void test_limits(void **state)
{
    (void)state;
    struct api tight = api;
    struct fake_reply reply;
    tight.limits.samples_max = 10;
    fake_http(routes_prometheus, &tight, HTTP_GET, S(Q "up[1000s]"), S(""), &reply);
    assert_int_equal(reply.status, 422);
    assert_true(str_eq(buf_view(&reply.body), S(EXEC("query processing would load too many samples into memory in expression evaluation (query.max_samples: 10)"))));
    buf_done(&reply.body);
    fake_http(routes_prometheus, &api, HTTP_GET, S(Q "up&timeout=-1s"), S(""), &reply);
    assert_int_equal(reply.status, 400);
    buf_done(&reply.body);
    fake_http(routes_prometheus, &api, HTTP_GET, S(Q "up&timeout=-1"), S(""), &reply);
    assert_int_equal(reply.status, 503);
    buf_done(&reply.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_limits), cmocka_unit_test(test_stats),
                                        cmocka_unit_test(test_record),
                                        cmocka_unit_test_setup_teardown(test_sources, setup_sources, teardown_sources) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
