/* Bodies that protoc encoded give the same rows as their JSON twins. */
#include "support.h"

#include "base/file.h"

enum { FILE_MAX = 1 << 16 };

static const struct {
    const char *name, *want;
} rows[OTLP_SIGNALS] = {
    [OTLP_METRICS] = { "metrics",
      "61s 1s 0.1855644 D __name__=claude_code_cost_usage_USD_total anthropic_custom_base_url=true job=ns/claude-code service_name=claude-code "
      "service_namespace=ns session_id=s1 team=core\n"
      "61s 1s 300 D __name__=claude_code_cost_usage_USD_total job=ns/claude-code service_name=claude-code service_namespace=ns team=other\n"
      "61s -9007199254740992 __name__=g_ratio job=ns/claude-code service_name=claude-code service_namespace=ns team=core\n"
      "62s NaN __name__=g_ratio job=ns/claude-code service_name=claude-code service_namespace=ns team=core\n"
      "61s -2.5 __name__=u job=ns/claude-code service_name=claude-code service_namespace=ns team=core\n"
      "61s 1 __name__=h_bucket a=7 job=ns/claude-code le=2.5 service_name=claude-code service_namespace=ns team=core\n"
      "61s 3 __name__=h_bucket a=7 job=ns/claude-code le=+Inf service_name=claude-code service_namespace=ns team=core\n"
      "61s 4.5 __name__=h_sum a=7 job=ns/claude-code service_name=claude-code service_namespace=ns team=core\n"
      "61s 3 __name__=h_count a=7 job=ns/claude-code service_name=claude-code service_namespace=ns team=core\n"
      "61s NaN #histogram=-1{count:309, sum:-1, [-64,-16):6, [-0.015625,0.015625]:2, (0.0625,0.25]:1, (0.25,1]:300} __name__=x a=true "
      "job=ns/claude-code service_name=claude-code service_namespace=ns team=core\n"
      "61s NaN __name__=x job=ns/claude-code service_name=claude-code service_namespace=ns team=core\n"
      "61s 1 __name__=q a=s job=ns/claude-code quantile=0.99 service_name=claude-code service_namespace=ns team=core\n"
      "61s -1 __name__=q a=s job=ns/claude-code quantile=0 service_name=claude-code service_namespace=ns team=core\n"
      "61s 1.25 __name__=q_sum a=s job=ns/claude-code service_name=claude-code service_namespace=ns team=core\n"
      "61s 3 __name__=q_count a=s job=ns/claude-code service_name=claude-code service_namespace=ns team=core\n"
      "62s 1 __name__=target_info job=ns/claude-code team=core\n"
      "rejected 1: 1 data point without a value\n" },
    [OTLP_LOGS] = { "logs",
      "1s #body=j:{\"a\":[-1,1000000000000000000000,\"\\\"\\\\\\n\\u0001\u00e4\",\"AP8=\",null,null],\"b\":null} #dropped_attributes=i:2 #event_name=ev #flags=i:257 "
      "#observed_ns=i:1795447501000000001 #scope_name=sc #severity_number=i:13 #severity_text=Warn #span_id=6bff89f44270f4c4 "
      "#trace_id=283de5e0c8f3d65bb02f3f6d5b947986 @dbl=d:3 @inf=d:+Inf @list=j:[true,{\"k\":\"\"}] @neg=i:-5 @raw=x:AQIDBA== "
      "@text=Gr\u00fc\u00dfe \U0001f600 res:n=i:7 res:service.name=claude-code scope:z=b:false\n" },
    [OTLP_TRACES] = { "traces",
      "1s #dropped_attributes=i:1 #dropped_events=i:2 #dropped_links=i:3 #duration_ns=i:132757008 #end_ns=i:1795447501132757008 "
      "#events=j:[{\"time_ns\":1795447501000000001,\"name\":\"tool.output\",\"attributes\":{\"output\":\"hello\\n\",\"l\":[1]},\"dropped_attributes\":4},"
      "{\"name\":\"second\"}] #flags=i:769 #kind=i:3 #links=j:[{\"trace_id\":\"283de5e0c8f3d65bb02f3f6d5b947986\",\"span_id\":\"6bff89f44270f4c4\","
      "\"trace_state\":\"x\",\"attributes\":{\"k\":0.5},\"dropped_attributes\":1,\"flags\":1}] #name=claude_code.tool #parent_span_id=c61e17c5c9c6280b "
      "#scope_name=com.anthropic.claude_code.tracing #scope_version=1.0.0 #span_id=6bff89f44270f4c4 #status_code=i:2 #status_message=failed "
      "#trace_id=283de5e0c8f3d65bb02f3f6d5b947986 #trace_state=a=b @duration_ms=i:132 @success=b:false res:service.name=claude-code\n"
      "3600s<none #name=bare #scope_name=com.anthropic.claude_code.tracing #scope_version=1.0.0 res:service.name=claude-code\n" },
};

/* This file's name as the compiler was given it leads there from the build folder. */
static struct str read_beside(const char *name, const char *ending, struct arena *mem)
{
    struct str here = str_c(__FILE__);
    struct buf b;
    here.n -= S("test_protoc.c").n;
    const char *path = arena_cstr(mem, arena_fmt(mem, STR_FMT "protoc/%s.%s", STR_ARG(here), name, ending));
    buf_init(&b, FILE_MAX);
    assert_int_equal(file_read(path, FILE_MAX, &b, NULL), OK);
    struct str s = arena_str(mem, buf_view(&b));
    buf_done(&b);
    return s;
}

static void twins(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (unsigned s = 0; s < OTLP_SIGNALS; s++) {
        struct batch a, b;
        struct fault f = { 0 };
        if (decode((enum otlp_signal)s, false, read_beside(rows[s].name, "pb", &mem), &mem, &a, &f) ||
            decode((enum otlp_signal)s, true, read_beside(rows[s].name, "json", &mem), &mem, &b, &f))
            fail_msg("%s: %s", rows[s].name, f.msg);
        struct str x = dump(&a, &mem), y = dump(&b, &mem);
        if (!str_eq(x, y) || !same_ids(&a, &b) || !str_eq(x, str_c(rows[s].want)))
            fail_msg("%s\nprotobuf:\n" STR_FMT "JSON:\n" STR_FMT "want:\n%s", rows[s].name, STR_ARG(x), STR_ARG(y), rows[s].want);
        batch_done(&a);
        batch_done(&b);
    }
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
