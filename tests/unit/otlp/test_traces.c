/* Span to row, in both forms. */
#include "support.h"

#define SPANS(spans) "{\"resourceSpans\":[{\"scopeSpans\":[{\"scope\":{\"name\":\"t\",\"version\":\"1\"},\"spans\":[" spans "]}]}]}"
#define IDS "\"traceId\":\"283de5e0c8f3d65bb02f3f6d5b947986\",\"spanId\":\"6bff89f44270f4c4\""
#define TIMES "\"startTimeUnixNano\":\"1795447501000000000\",\"endTimeUnixNano\":\"1795447501132757008\""
#define SCOPE " #scope_name=t #scope_version=1"

static const struct form_case cases[] = {
    { "the usual span",
      SPANS("{" IDS ",\"parentSpanId\":\"c61e17c5c9c6280b\",\"name\":\"claude_code.tool\",\"kind\":1," TIMES ",\"attributes\":["
            "{\"key\":\"session.id\",\"value\":{\"stringValue\":\"s\"}},{\"key\":\"duration_ms\",\"value\":{\"intValue\":132}},"
            "{\"key\":\"reasons\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"end\"}]}}}],\"droppedAttributesCount\":0,"
            "\"events\":[],\"droppedEventsCount\":0,\"status\":{\"code\":2,\"message\":\"failed\"},\"links\":[],\"flags\":257}"),
      "1s #duration_ns=i:132757008 #end_ns=i:1795447501132757008 #flags=i:257 #kind=i:1 #name=claude_code.tool "
      "#parent_span_id=c61e17c5c9c6280b" SCOPE " #span_id=6bff89f44270f4c4 #status_code=i:2 #status_message=failed "
      "#trace_id=283de5e0c8f3d65bb02f3f6d5b947986 @duration_ms=i:132 @reasons=j:[\"end\"] @session.id=s\n" },
    { "events and links as JSON",
      SPANS("{" IDS "," TIMES ",\"traceState\":\"a=b\",\"events\":[{\"timeUnixNano\":\"1795447501000000001\",\"name\":\"gen_ai.request.attempt\","
            "\"attributes\":[{\"key\":\"attempt\",\"value\":{\"intValue\":1}},{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1}]}}}]},"
            "{\"name\":\"e2\",\"droppedAttributesCount\":2}],\"links\":[{" IDS ",\"traceState\":\"x\",\"flags\":1,\"attributes\":[{\"key\":\"k\","
            "\"value\":{\"doubleValue\":0.5}}]}],\"droppedAttributesCount\":1,\"droppedEventsCount\":2,\"droppedLinksCount\":3"
            "},{\"name\":\"next\"," TIMES ",\"traceId\":\"00000000000000000000000000000001\",\"spanId\":\"0000000000000001\"}"),
      "1s #dropped_attributes=i:1 #dropped_events=i:2 #dropped_links=i:3 #duration_ns=i:132757008 #end_ns=i:1795447501132757008 "
      "#events=j:[{\"time_ns\":1795447501000000001,\"name\":\"gen_ai.request.attempt\",\"attributes\":{\"attempt\":1,\"l\":[1]}},"
      "{\"name\":\"e2\",\"dropped_attributes\":2}] #links=j:[{\"trace_id\":\"283de5e0c8f3d65bb02f3f6d5b947986\",\"span_id\":\"6bff89f44270f4c4\","
      "\"trace_state\":\"x\",\"attributes\":{\"k\":0.5},\"flags\":1}]" SCOPE " #span_id=6bff89f44270f4c4 "
      "#trace_id=283de5e0c8f3d65bb02f3f6d5b947986 #trace_state=a=b\n"
      "1s #duration_ns=i:132757008 #end_ns=i:1795447501132757008 #name=next" SCOPE " #span_id=0000000000000001 "
      "#trace_id=00000000000000000000000000000001\n" },
    { "no start: the end; an end before its start has no duration; neither: the receipt",
      SPANS("{\"endTimeUnixNano\":\"1795447502000000000\"},{\"startTimeUnixNano\":\"1795447502000000000\",\"endTimeUnixNano\":\"1795447501000000000\"},{}"),
      "2s #end_ns=i:1795447502000000000" SCOPE "\n"
      "2s #end_ns=i:1795447501000000000" SCOPE "\n"
      "3600s<none" SCOPE "\n" },
};

static void spans(void **state)
{
    (void)state;
    check_forms(OTLP_TRACES, cases, LEN(cases));
}

/* A span is its two ids, whatever else differs. */
static void identity(void **state)
{
    (void)state;
    struct arena mem;
    struct batch a, b, c;
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(decode(OTLP_TRACES, true, str_c(SPANS("{" IDS "," TIMES "}")), &mem, &a, NULL), OK);
    assert_int_equal(decode(OTLP_TRACES, true, str_c(SPANS("{" IDS ",\"name\":\"again\"}")), &mem, &b, NULL), OK);
    assert_int_equal(decode(OTLP_TRACES, true, str_c(SPANS("{\"traceId\":\"01\",\"spanId\":\"6bff89f44270f4c4\"}")), &mem, &c, NULL), OK);
    assert_true(same_ids(&a, &b));
    assert_false(same_ids(&a, &c));
    batch_done(&a);
    batch_done(&b);
    batch_done(&c);
    arena_done(&mem);
}

static void names_in_json(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b;
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(decode(OTLP_TRACES, true,
                            S("{\"resource_spans\":[{\"scope_spans\":[{\"spans\":[{\"kind\":\"SPAN_KIND_CLIENT\",\"parent_span_id\":\"01\","
                              "\"start_time_unix_nano\":1795447501000000000,\"status\":{\"x\":0,\"code\":\"STATUS_CODE_ERROR\"},\"x\":0,\"events\":[null,"
                              "{\"x\":0,\"dropped_attributes_count\":\"2\"}],\"links\":[{\"x\":0,\"span_id\":\"02\"}],\"dropped_links_count\":1}]}]}]}"),
                            &mem, &b, NULL), OK);
    assert_string_equal(arena_cstr(&mem, dump(&b, &mem)), "1s #dropped_links=i:1 #events=j:[{\"dropped_attributes\":2}] #kind=i:3 #links=j:[{\"span_id\":\"02\"}] "
                                                     "#parent_span_id=01 #status_code=i:2\n");
    batch_done(&b);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans),
        cmocka_unit_test(identity),
        cmocka_unit_test(names_in_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
