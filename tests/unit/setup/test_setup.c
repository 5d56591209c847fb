/* What is to be set for each way, what is refused, and a settings.json changed in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "setup/setup.h"

static struct arena mem;

static const struct { struct setup_plan plan; struct str want; } ways[] = {
    { { .way = WAY_HTTP, .host = S("localhost"), .http_port = 4318 },
      S("export CLAUDE_CODE_ENABLE_TELEMETRY=1\nexport OTEL_METRICS_EXPORTER=otlp\nexport OTEL_LOGS_EXPORTER=otlp\n"
        "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318\n") },
    { { .way = WAY_GRPC, .host = S("localhost"), .grpc_port = 4317, .traces = true },
      S("export CLAUDE_CODE_ENABLE_TELEMETRY=1\nexport OTEL_METRICS_EXPORTER=otlp\nexport OTEL_LOGS_EXPORTER=otlp\n"
        "export OTEL_TRACES_EXPORTER=otlp\nexport CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1\n"
        "export OTEL_EXPORTER_OTLP_PROTOCOL=grpc\nexport OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317\n") },
    { { .way = WAY_SCRAPE, .host = S("localhost"), .scrape_port = 9470 },
      S("export CLAUDE_CODE_ENABLE_TELEMETRY=1\nexport OTEL_METRICS_EXPORTER=prometheus\nexport OTEL_EXPORTER_PROMETHEUS_PORT=9470\n") },
    { { .way = WAY_BOTH, .host = S("::1"), .http_port = 4318, .team = S("web") },   /* a shell would glob the brackets */
      S("export CLAUDE_CODE_ENABLE_TELEMETRY=1\nexport OTEL_METRICS_EXPORTER=otlp,prometheus\nexport OTEL_LOGS_EXPORTER=otlp\n"
        "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_EXPORTER_OTLP_ENDPOINT='http://[::1]:4318'\n"
        "export OTEL_RESOURCE_ATTRIBUTES=team=web\n") },
    { { .way = WAY_JSON, .host = S("cc.example.com"), .http_port = 443, .tls = true, .ca_file = S("/etc/our ca.pem"),
        .token = S("s3cret"), .client_cert = S("/c.pem"), .client_key = S("/k.pem") },
      S("export CLAUDE_CODE_ENABLE_TELEMETRY=1\nexport OTEL_METRICS_EXPORTER=otlp\nexport OTEL_LOGS_EXPORTER=otlp\n"
        "export OTEL_EXPORTER_OTLP_PROTOCOL=http/json\nexport OTEL_EXPORTER_OTLP_ENDPOINT=https://cc.example.com:443\n"
        "export OTEL_EXPORTER_OTLP_HEADERS='Authorization=Bearer s3cret'\nexport NODE_EXTRA_CA_CERTS='/etc/our ca.pem'\n"
        "export CLAUDE_CODE_CLIENT_CERT=/c.pem\nexport CLAUDE_CODE_CLIENT_KEY=/k.pem\n") },
    { { .way = WAY_GRPC, .host = S("cc"), .grpc_port = 4317, .tls = true, .ca_file = S("/ca.pem"), .client_cert = S("/c"),
        .client_key = S("/k") },
      S("export CLAUDE_CODE_ENABLE_TELEMETRY=1\nexport OTEL_METRICS_EXPORTER=otlp\nexport OTEL_LOGS_EXPORTER=otlp\n"
        "export OTEL_EXPORTER_OTLP_PROTOCOL=grpc\nexport OTEL_EXPORTER_OTLP_ENDPOINT=https://cc:4317\n"
        "export OTEL_EXPORTER_OTLP_CERTIFICATE=/ca.pem\nexport OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=/c\n"
        "export OTEL_EXPORTER_OTLP_CLIENT_KEY=/k\n") },
    { { .way = WAY_GRPC, .host = S("10.0.0.1"), .grpc_port = 4317, .tls = true },
      S("gRPC over TLS to an IP address fails in the client (10.0.0.1): give a host name, or use http") },
    { { .way = WAY_HTTP, .host = S("http://x") }, S("\"http://x\" is no host name or address (without scheme and port)") },
    { { .way = WAY_HTTP, .host = S("a b") }, S("\"a b\" is no host name or address (without scheme and port)") },
    { { .way = WAY_HTTP, .host = S("x:1") }, S("\"x:1\" is no host name or address (without scheme and port)") },
    { { .way = WAY_HTTP, .host = S("x"), .scrape_port = 9470 }, S("a port of the client's exporter goes with the ways scrape and both") },
    { { .way = WAY_HTTP, .host = S("x"), .token = S("a b") },
      S("a token may hold no blank, comma, quote or backslash: the client's list of headers would break") },
    { { .way = WAY_HTTP, .host = S("x"), .client_cert = S("c") }, S("a client certificate and its key go together") },
};

static void each_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(ways); i++) {
        struct pairs v;
        struct fault f = { 0 };
        struct str got = setup_variables(&ways[i].plan, &mem, &v, &f) ? str_c(f.msg) : setup_shell(&v, &mem), want = ways[i].want;
        if (!str_eq(got, want)) {
            print_message("row %zu:\n" STR_FMT "\nwant\n" STR_FMT "\n", i, STR_ARG(got), STR_ARG(want));
            fail();
        }
    }
    assert_true(setup_concerns(S("OTEL_LOG_USER_PROMPTS")) && setup_concerns(S("NODE_EXTRA_CA_CERTS")));
    assert_false(setup_concerns(S("PATH")));
}

/* A=1, B=2 are set and C is removed. */
static const struct { struct str in, want; } edits[] = {
    { S(""), S("{\n  \"env\": {\n    \"A\": \"1\",\n    \"B\": \"2\"\n  }\n}\n") },
    { S("{}"), S("{\n  \"env\": {\n    \"A\": \"1\",\n    \"B\": \"2\"\n  }\n}") },
    { S("{\n  \"model\": \"opus\"\n}\n"), S("{\n  \"model\": \"opus\",\n  \"env\": {\n    \"A\": \"1\",\n    \"B\": \"2\"\n  }\n}\n") },
    { S("{\n\t\"env\": {\n\t\t\"X\": \"y\",\n\t\t\"A\": \"0\"\n\t},\n\t\"z\": [1, {\"A\": 3}]\n}"),
      S("{\n\t\"env\": {\n\t\t\"X\": \"y\",\n\t\t\"A\": \"1\",\n\t\t\"B\": \"2\"\n\t},\n\t\"z\": [1, {\"A\": 3}]\n}") },
    { S("{\"env\":{\"C\":\"c\",\"D\":\"d\"}}"), S("{\"env\":{\"D\":\"d\", \"A\": \"1\", \"B\": \"2\"}}") },
    { S("{\"env\":{\"D\":\"d\",\"C\":\"c\"}}"), S("{\"env\":{\"D\":\"d\", \"A\": \"1\", \"B\": \"2\"}}") },
    { S("{\"env\":{\"C\":\"c\"},\"a\":{}}"), S("{\"env\":{\"A\": \"1\", \"B\": \"2\"},\"a\":{}}") },
    { S("{\"env\": {\"A\": \"1\", \"B\":\"\\u0032\"}}"), S("{\"env\": {\"A\": \"1\", \"B\":\"\\u0032\"}}") },
    { S("{\"env\": {\"A\": 1, \"B\":{\"x\":[]}}}"), S("{\"env\": {\"A\": \"1\", \"B\":\"2\"}}") },
    { S("{\n  \"env\": {}\n}"), S("{\n  \"env\": {\n    \"A\": \"1\",\n    \"B\": \"2\"\n  }\n}") },
    { S("{\"env\": []}"), S("\"env\" is no object") },
    { S("[]"), S("an object is wanted") },
    { S("{\"a\": }"), S("JSON: a value is wanted at byte 6") },
    { S("{} x"), S("JSON: text after the value at byte 3") },
};

static void changed_in_place(void **state)
{
    (void)state;
    struct pair set[] = { { S("A"), S("1") }, { S("B"), S("2") }, { S("C"), { 0 } } };
    struct pairs pairs = { set, LEN(set) };
    for (size_t i = 0; i < LEN(edits); i++) {
        struct str got = S(""), again = S("");
        struct fault f = { 0 };
        enum err e = settings_edit(edits[i].in, &pairs, &mem, &got, &f);
        if (e)
            got = str_c(f.msg);
        bool same = e ? str_starts(got, str_sub(edits[i].want, 0, 4)) : str_eq(got, edits[i].want);
        if (!same) {
            print_message("row %zu: " STR_FMT "\ngot  " STR_FMT "\nwant " STR_FMT "\n", i, STR_ARG(edits[i].in), STR_ARG(got), STR_ARG(edits[i].want));
            fail();
        }
        if (!e) {                                  /* twice is once, and it reads back */
            struct pairs env;
            assert_int_equal(settings_edit(got, &pairs, &mem, &again, &f), OK);
            assert_true(str_eq(got, again));
            assert_int_equal(settings_env(got, &mem, &env, &f), OK);
            assert_true(env.n >= 2);
        }
    }
}

static int begin(void **state)
{
    (void)state;
    arena_init(&mem, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_done(&mem);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_way), cmocka_unit_test(changed_in_place) };
    return cmocka_run_group_tests(tests, begin, end);
}
