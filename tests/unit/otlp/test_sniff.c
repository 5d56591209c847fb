/* Which signal a body is, by its content. */
#include "support.h"
#include "otlp/sniff.h"

#define WRAP(resources, scopes, items, inner) "{\"" resources "\":[{\"" scopes "\":[{\"" items "\":[" inner "]}]}]}"
#define METRIC(inner) WRAP("resourceMetrics", "scopeMetrics", "metrics", inner)
#define LOG(inner) WRAP("resourceLogs", "scopeLogs", "logRecords", inner)
#define SPAN(inner) WRAP("resourceSpans", "scopeSpans", "spans", inner)
#define IDS "\"traceId\":\"283de5e0c8f3d65bb02f3f6d5b947986\",\"spanId\":\"6bff89f44270f4c4\""

static const struct {
    const char *what, *json;
    enum otlp_signal signal;
} rows[] = {
    { "a sum", METRIC("{\"name\":\"n\",\"sum\":{\"dataPoints\":[]}}"), OTLP_METRICS },
    { "a gauge with everything else", METRIC("{\"name\":\"n\",\"description\":\"d\",\"unit\":\"u\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"1\"}]}}"), OTLP_METRICS },
    { "a name of 16 bytes and a description of 8", METRIC("{\"name\":\"sixteen.bytes.16\",\"description\":\"eight.88\",\"sum\":{\"dataPoints\":[]}}"), OTLP_METRICS },
    { "a usual record", LOG("{\"timeUnixNano\":\"1\",\"body\":{\"stringValue\":\"b\"},\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":1}}]}"), OTLP_LOGS },
    { "a record with nothing but a body", LOG("{\"body\":{\"stringValue\":\"b\"}}"), OTLP_LOGS },
    { "a record of a trace", LOG("{\"observedTimeUnixNano\":\"1\"," IDS ",\"flags\":1}"), OTLP_LOGS },
    { "a usual span", SPAN("{" IDS ",\"name\":\"n\",\"kind\":1,\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\",\"flags\":257}"), OTLP_TRACES },
    { "a span with little", SPAN("{" IDS ",\"startTimeUnixNano\":\"1\"}"), OTLP_TRACES },
    { "nothing", "{}", OTLP_LOGS },
};

static void by_content(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (size_t i = 0; i < LEN(rows); i++) {
        enum otlp_signal got = OTLP_SIGNALS;
        struct buf pb;
        buf_init(&pb, ENC_MAX);
        assert_true(json_to_protobuf(str_c(rows[i].json), requests[rows[i].signal], &mem, &pb));
        if (!otlp_sniff_json(str_c(rows[i].json), mem, &got) || got != rows[i].signal)
            fail_msg("JSON, %s: %d", rows[i].what, (int)got);
        got = OTLP_SIGNALS;
        if (!otlp_sniff_protobuf(buf_view(&pb), &got))
            fail_msg("protobuf, %s: refused", rows[i].what);
        if (got != rows[i].signal)
            fail_msg("protobuf, %s: %d", rows[i].what, (int)got);
        buf_done(&pb);
    }
    arena_done(&mem);
}

static const struct {
    const char *what;
    struct str in;
    bool json;
} none[] = {
    { "text", S("hello"), false },
    { "truncated", S("\x0a\x05\x12"), false },
    { "a group", S("\x0b\x0c"), false },
    { "an item that is none of the three: field 1 a varint", S("\x0a\x06\x12\x04\x12\x02\x08\x01"), false },
    { "no JSON", S("hello"), true },
    { "an array", S("[]"), true },
    { "an empty text", S(""), true },
    { "cut off", S("{\"a\":1"), true },
};

static void refused(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (size_t i = 0; i < LEN(none); i++) {
        enum otlp_signal got;
        if (none[i].json ? otlp_sniff_json(none[i].in, mem, &got) : otlp_sniff_protobuf(none[i].in, &got))
            fail_msg("%s: taken for %d", none[i].what, (int)got);
    }
    arena_done(&mem);
}

static void other_names_in_json(void **state)
{
    (void)state;
    struct arena mem;
    enum otlp_signal got = OTLP_SIGNALS;
    arena_init(&mem, TEST_ARENA);
    assert_true(otlp_sniff_json(S("{\"x\":[{}],\"resource_spans\":["), mem, &got));
    assert_int_equal(got, OTLP_TRACES);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_content),
        cmocka_unit_test(refused),
        cmocka_unit_test(other_names_in_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
