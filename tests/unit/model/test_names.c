/* Names as Prometheus's own OTLP receiver spells them, one row a case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "model/names.h"

static const struct {
    struct str name, unit;
    enum metric_type type;
    struct str want;
} metrics[] = {
    { S("claude_code.cost.usage"), S("USD"), METRIC_COUNTER, S("claude_code_cost_usage_USD_total") },
    { S("claude_code.token.usage"), S("tokens"), METRIC_COUNTER, S("claude_code_token_usage_tokens_total") },
    { S("claude_code.active_time.total"), S("s"), METRIC_COUNTER, S("claude_code_active_time_seconds_total") },
    { S("claude_code.session.count"), S(""), METRIC_COUNTER, S("claude_code_session_count_total") },
    { S("claude_code.code_edit_tool.decision"), S(""), METRIC_COUNTER, S("claude_code_code_edit_tool_decision_total") },
    { S("system.filesystem.usage"), S("By"), METRIC_GAUGE, S("system_filesystem_usage_bytes") },
    { S("system.io"), S("foo/bar"), METRIC_GAUGE, S("system_io_foo_per_bar") },
    { S("hw.fan.speed_ratio"), S("1"), METRIC_GAUGE, S("hw_fan_speed_ratio") },
    { S("cpu.utilization"), S("1"), METRIC_GAUGE, S("cpu_utilization_ratio") },
    { S("packets"), S("{packets}/s"), METRIC_GAUGE, S("packets_per_second") },
    { S("a__b..c"), S(""), METRIC_GAUGE, S("a_b_c") },
    { S("total.things"), S(""), METRIC_COUNTER, S("things_total") },
    { S("1st.thing"), S(""), METRIC_GAUGE, S("_1st_thing") },
    { S("disk"), S("MiBy"), METRIC_GAUGE, S("disk_mebibytes") },
    { S("request.duration.seconds"), S("s"), METRIC_GAUGE, S("request_duration_seconds") },
};

static void names_of_metrics(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 16);
    for (size_t i = 0; i < LEN(metrics); i++) {
        struct str got = metric_name(metrics[i].name, metrics[i].unit, metrics[i].type, &mem);
        if (!str_eq(got, metrics[i].want))
            fail_msg("row %zu: want " STR_FMT ", got " STR_FMT, i, STR_ARG(metrics[i].want), STR_ARG(got));
    }
    arena_done(&mem);
}

static const struct {
    struct str name, want;
} labels[] = {
    { S("session.id"), S("session_id") },     { S("model"), S("model") },
    { S("vcs.repository.url.full"), S("vcs_repository_url_full") },
    { S("2fast"), S("key_2fast") },           { S("_private"), S("key_private") },
    { S("__name__"), S("__name__") },         { S("a..b"), S("a__b") },
    { S("größe"), S("gr__e") },               { S(""), S("") },
};

static void names_of_labels(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 16);
    for (size_t i = 0; i < LEN(labels); i++) {
        struct str got = label_name(labels[i].name, &mem);
        if (!str_eq(got, labels[i].want))
            fail_msg("row %zu: want " STR_FMT ", got " STR_FMT, i, STR_ARG(labels[i].want), STR_ARG(got));
        assert_true(label_name_is(labels[i].name, labels[i].want));
        assert_false(label_name_is(labels[i].name, S("other")));
        assert_false(label_name_is(S("session.id"), S("session_i")));
        assert_false(label_name_is(S("session.id"), S("session_idx")));
    }
    arena_done(&mem);
}

static void spellings_of_the_exporter(void **state)
{
    (void)state;
    assert_true(str_eq(metric_canonical(S("claude_code_cost_usage_total")), S("claude_code_cost_usage_USD_total")));
    assert_true(str_eq(metric_alias(S("claude_code_cost_usage_USD_total")), S("claude_code_cost_usage_total")));
    assert_true(str_eq(metric_canonical(S("up")), S("up")));
    assert_true(str_eq(metric_alias(S("claude_code_commit_count_total")), S("claude_code_commit_count_total")));
    assert_true(metric_is_money(S("claude_code_cost_usage_USD_total")));
    assert_true(metric_is_money(S("ccmon_cost_usd_total")));
    assert_false(metric_is_money(S("claude_code_token_usage_tokens_total")));
    assert_true(is_stream_attribute(S("service.name")));
    assert_true(is_stream_attribute(S("service_name")));
    assert_false(is_stream_attribute(S("session.id")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_metrics),
        cmocka_unit_test(names_of_labels),
        cmocka_unit_test(spellings_of_the_exporter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
