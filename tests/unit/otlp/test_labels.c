/* Whose labels a sample has (accounting rule 8), and target_info. */
#include "support.h"

#define STR(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define REQUEST(resource, points)                                                                                            \
    "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[" resource "]},\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\","   \
    "\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,\"dataPoints\":[" points "]}}]}]}]}"
#define POINT(attrs) "{\"timeUnixNano\":\"1795447501000000000\",\"asInt\":\"1\",\"attributes\":[" attrs "]}"
#define M "1s 1 D __name__=m_total"

static const struct form_case cases[] = {
    { "attributes under their label names; every type as text",
      REQUEST("", POINT(STR("session.id", "s") ",{\"key\":\"b\",\"value\":{\"boolValue\":true}},{\"key\":\"i\",\"value\":{\"intValue\":-5}},"
                        "{\"key\":\"d\",\"value\":{\"doubleValue\":0.5}},{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1}]}}}")),
      M " b=true d=0.5 i=-5 l=[1] session_id=s\n" },
    { "names that are no labels", REQUEST("", POINT(STR("9lives", "x") "," STR("_a", "y") "," STR("a-b c", "z"))),
      M " a_b_c=z key_9lives=x key_a=y\n" },
    { "the resource's, service.name also as job",
      REQUEST(STR("service.name", "claude-code") "," STR("os.type", "linux"), POINT(STR("model", "x"))),
      M " job=claude-code model=x os_type=linux service_name=claude-code\n"
        "1s 1 __name__=target_info job=claude-code os_type=linux\n" },
    { "namespace and instance",
      REQUEST(STR("service.name", "n") "," STR("service.namespace", "ns") "," STR("service.instance.id", "i1"), POINT("")),
      M " instance=i1 job=ns/n service_instance_id=i1 service_name=n service_namespace=ns\n" },
    { "identity is never the resource's",
      REQUEST(STR("session.id", "evil") "," STR("user.email", "e") "," STR("user.anything", "u") "," STR("organization.id", "o") ","
              STR("prompt_id", "p") "," STR("agent.id", "a") "," STR("user_agent.name", "fine") "," STR("service.name", "n"),
              POINT("") "," POINT(STR("session.id", "true"))),
      M " job=n service_name=n user_agent_name=fine\n"
      M " job=n service_name=n session_id=true user_agent_name=fine\n"
        "1s 1 __name__=target_info job=n user_agent_name=fine\n" },
    { "a point's attribute hides the resource's, the same value or not",
      REQUEST(STR("team", "a") "," STR("x", "1"), POINT(STR("team", "a")) "," POINT(STR("team", "b")) "," POINT("")),
      M " team=a x=1\n" M " team=b x=1\n" M " team=a x=1\n" },
    { "an empty value is no label, and hides",
      REQUEST(STR("team", "a") "," STR("empty", ""), POINT(STR("team", "") "," STR("k", "")) "," POINT(STR("empty", "v"))),
      M "\n" M " empty=v team=a\n" },
    { "two attributes of one label are joined in the order of their names",
      REQUEST(STR("a.b", "r"), POINT(STR("a_b", "3") "," STR("z", "9") "," STR("a.b", "2") "," STR("a-b", "1"))),
      M " a_b=1;2;3 z=9\n" },
    { "the same attribute twice, and an empty one among them", REQUEST("", POINT(STR("a", "1") "," STR("a", "1")) "," POINT(STR("a.x", "") "," STR("a_x", "v"))),
      M " a=1;1\n" M " a_x=;v\n" },
    { "of the resource the first by name counts", REQUEST(STR("a_b", "2") "," STR("a-b", "1"), POINT("")), M " a_b=1\n" },
    { "what only the receiver sets",
      REQUEST(STR("service.name", "n"), POINT(STR("job", "mine") "," STR("__name__", "mine") "," STR("instance", "mine"))),
      M " instance=mine job=n service_name=n\n" },
    { "job and instance of the point where the resource has none", REQUEST(STR("job", "r"), POINT(STR("instance", "i"))),
      M " instance=i job=r\n" },
    { "no target_info without a job, nor without more than that", REQUEST(STR("os.type", "linux"), POINT("")), M " os_type=linux\n" },
    { "target_info at the newest time, for its resource alone",
      "{\"resourceMetrics\":["
      "{\"resource\":{\"attributes\":[" STR("service.instance.id", "i") "," STR("a.b", "1") "," STR("a_b", "2") "]},\"scopeMetrics\":[{\"metrics\":[{\"name\":\"g\","
      "\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"1795447503000000000\",\"asInt\":\"1\"},{\"timeUnixNano\":\"1795447502000000000\",\"asInt\":\"2\"}]}}]}]},"
      "{\"resource\":{\"attributes\":[" STR("service.name", "n") "," STR("c", "1") "]},\"scopeMetrics\":[]}]}",
      "3s 1 __name__=g a_b=1 instance=i service_instance_id=i\n"
      "2s 2 __name__=g a_b=1 instance=i service_instance_id=i\n"
      "3s 1 __name__=target_info a_b=1;2 instance=i\n" },
};

static void labels(void **state)
{
    (void)state;
    check_forms(OTLP_METRICS, cases, LEN(cases));
}

/* More attributes than shapes are remembered for; twice, so that the memory is used. */
static void many_labels(void **state)
{
    (void)state;
    struct arena mem;
    struct buf json, want;
    enum { N = 100 };
    arena_init(&mem, TEST_ARENA);
    buf_init(&json, ENC_MAX);
    buf_init(&want, ENC_MAX);
    buf_str(&json, S("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"g\",\"gauge\":{\"dataPoints\":["));
    for (int row = 0; row < 2; row++) {
        buf_fmt(&json, "%s{\"timeUnixNano\":\"1795447501000000000\",\"asInt\":\"%d\",\"attributes\":[", row ? "," : "", row);
        buf_fmt(&want, "1s %d __name__=g", row);
        for (int i = 0; i < N; i++) {
            buf_fmt(&json, "%s{\"key\":\"a.%03d\",\"value\":{\"intValue\":%d}}", i ? "," : "", i, i + row);
            buf_fmt(&want, " a_%03d=%d", i, i + row);
        }
        buf_str(&json, S("]}"));
        buf_str(&want, S("\n"));
    }
    buf_str(&json, S("]}}]}]}]}"));
    struct str got = both_forms(OTLP_METRICS, buf_view(&json), &mem);
    if (!str_eq(got, buf_view(&want)))
        fail_msg("got:\n" STR_FMT, STR_ARG(got));
    buf_done(&json);
    buf_done(&want);
    arena_done(&mem);
}

/* A series is its labels: it must not matter what came from where, or in which order. */
static void same_series(void **state)
{
    (void)state;
    static const char *const ways[] = {
        REQUEST(STR("team", "a") "," STR("x", "1"), POINT(STR("k", "v"))),
        REQUEST(STR("x", "1"), POINT(STR("team", "a") "," STR("k", "v"))),
        REQUEST(STR("team", "b"), POINT(STR("x", "1") "," STR("k", "v") "," STR("team", "a"))),
        REQUEST("", POINT(STR("k", "v") "," STR("team", "a") "," STR("x", "1"))),
    };
    struct arena mem;
    struct batch first, b;
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(decode(OTLP_METRICS, true, str_c(ways[0]), &mem, &first, NULL), OK);
    for (size_t i = 1; i < LEN(ways); i++) {
        assert_int_equal(decode(OTLP_METRICS, true, str_c(ways[i]), &mem, &b, NULL), OK);
        if (!same_ids(&first, &b))
            fail_msg("way %zu: " STR_FMT, i, STR_ARG(dump(&b, &mem)));
        batch_done(&b);
    }
    batch_done(&first);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels),
        cmocka_unit_test(many_labels),
        cmocka_unit_test(same_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
