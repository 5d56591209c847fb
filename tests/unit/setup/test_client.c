/* The client's variables from three sources, and the classic mistakes: each row is a setting
 * and the beginnings of what is said about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "setup/client.h"

static struct arena mem;

/* "NAME=VALUE;NAME=VALUE" */
static struct pairs vars_of(const char *text)
{
    struct pairs p = { arena_new(&mem, struct pair, 16), 0 };
    for (struct str rest = str_c(text); rest.n;) {
        struct str value = str_cut(&rest, ';'), name = str_cut(&value, '=');
        p.at[p.n++] = (struct pair){ name, value };
    }
    return p;
}

#define ON "CLAUDE_CODE_ENABLE_TELEMETRY=1;OTEL_METRICS_EXPORTER=otlp;OTEL_LOGS_EXPORTER=otlp;"

static const struct { const char *vars; struct str want[3]; } rows[] = {
    { ON, { { 0 } } },
    { ON "OTEL_EXPORTER_OTLP_PROTOCOL=grpc;OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317", { { 0 } } },
    { ON "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318/", { { 0 } } },
    { "OTEL_METRICS_EXPORTER=otlp", { S("CLAUDE_CODE_ENABLE_TELEMETRY is not set") } },
    { "CLAUDE_CODE_ENABLE_TELEMETRY=0", { S("CLAUDE_CODE_ENABLE_TELEMETRY is not set") } },
    { "CLAUDE_CODE_ENABLE_TELEMETRY=1", { S("neither OTEL_METRICS_EXPORTER nor") } },
    { "CLAUDE_CODE_ENABLE_TELEMETRY=1;OTEL_METRICS_EXPORTER=otlp", { S("OTEL_LOGS_EXPORTER is not otlp") } },
    { "CLAUDE_CODE_ENABLE_TELEMETRY=1;OTEL_LOGS_EXPORTER=otlp", { S("OTEL_METRICS_EXPORTER is not otlp") } },
    { "CLAUDE_CODE_ENABLE_TELEMETRY=1;OTEL_METRICS_EXPORTER=prometheus",
      { S("OTEL_LOGS_EXPORTER is not otlp"), S("metrics are scraped only") } },
    { ON "OTEL_EXPORTER_OTLP_PROTOCOL=grpc;OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4317",
      { S("OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4317 has no scheme") } },
    { ON "OTEL_EXPORTER_OTLP_PROTOCOL=grpc;OTEL_EXPORTER_OTLP_ENDPOINT=https://10.1.2.3:4317",
      { S("OTEL_EXPORTER_OTLP_ENDPOINT=https://10.1.2.3:4317: gRPC over TLS to an IP") } },
    { ON "OTEL_EXPORTER_OTLP_PROTOCOL=grpc;OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318",
      { S("OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 with protocol grpc") } },
    { ON "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317", { S("OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 without protocol") } },
    { ON "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://localhost:4318",
      { S("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://localhost:4318 is used as it stands") } },
    { ON "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://localhost:4318/v1/metrics", { { 0 } } },
    { ON "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318/v1/metrics",
      { S("OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318/v1/metrics: the client adds") } },
    { ON "OTEL_EXPORTER_OTLP_PROTOCOL=http", { S("OTEL_EXPORTER_OTLP_PROTOCOL=http is no protocol") } },
    { ON "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20x", { S("OTEL_EXPORTER_OTLP_HEADERS has Bearer%20") } },
    { ON "OTEL_EXPORTER_OTLP_HEADERS=Bearer x", { S("OTEL_EXPORTER_OTLP_HEADERS is no list") } },
    { ON "OTEL_EXPORTER_OTLP_CERTIFICATE=/ca.pem", { S("OTEL_EXPORTER_OTLP_CERTIFICATE is for gRPC only") } },
    { ON "OTEL_EXPORTER_OTLP_CERTIFICATE=/ca.pem;OTEL_EXPORTER_OTLP_PROTOCOL=grpc", { { 0 } } },
    { ON "OTEL_METRICS_INCLUDE_SESSION_ID=false", { S("OTEL_METRICS_INCLUDE_SESSION_ID=false takes") } },
};

static void mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct client_env e = { 0 };
        struct pairs vars = vars_of(rows[i].vars);
        struct findings found;
        client_add(&e, &vars, FROM_EXPORTED, S(""), &mem);
        client_check(&e, &mem, &found);
        uint32_t want = 0;
        bool same = true;
        for (; want < LEN(rows[i].want) && rows[i].want[want].n; want++)
            same = same && want < found.n && str_starts(found.at[want].text, rows[i].want[want]) && found.at[want].cure.n;
        if (!same || want != found.n) {
            print_message("row %zu: %s\n", i, rows[i].vars);
            for (uint32_t k = 0; k < found.n; k++)
                print_message("  " STR_FMT " | " STR_FMT "\n", STR_ARG(found.at[k].text), STR_ARG(found.at[k].cure));
            fail();
        }
    }
}

static void who_wins(void **state)
{
    (void)state;
    struct client_env e = { .project_file = S("/p/.claude/settings.json") };
    struct pairs exported = vars_of(ON "OTEL_EXPORTER_OTLP_ENDPOINT=http://a:1;PATH=/bin"), user = vars_of("OTEL_EXPORTER_OTLP_ENDPOINT=http://b:2"),
                 managed = vars_of("CLAUDE_CODE_ENABLE_TELEMETRY=0");
    struct findings found;
    client_add(&e, &exported, FROM_EXPORTED, S(""), &mem);
    client_add(&e, &user, FROM_USER, S("/u"), &mem);
    client_check(&e, &mem, &found);
    assert_int_equal(found.n, 1);
    assert_true(str_starts(found.at[0].text, S("OTEL_EXPORTER_OTLP_ENDPOINT from /u wins")));
    assert_true(str_eq(client_target(&e, CLIENT_METRICS).url, S("http://b:2")) && client_target(&e, CLIENT_METRICS).sent);
    assert_false(client_target(&e, CLIENT_TRACES).sent);
    assert_null(client_find(&e, S("PATH")));
    client_add(&e, &managed, FROM_MANAGED, S("/m"), &mem);
    client_check(&e, &mem, &found);
    assert_true(str_starts(found.at[0].text, S("/p/.claude/settings.json sets")));
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
    const struct CMUnitTest tests[] = { cmocka_unit_test(mistakes), cmocka_unit_test(who_wins) };
    return cmocka_run_group_tests(tests, begin, end);
}
