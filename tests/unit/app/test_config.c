/* Configuration files and single keys: what is taken, and where it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "app/config.h"

static char warned[512];

static void warn(const char *text)
{
    strncpy(warned, text, sizeof warned - 1);
}

/* What a file does, or the text its refusal holds. */
static const struct {
    const char *yaml;
    bool prometheus;
    const char *error, *warning;
} files[] = {
    { "", false, NULL, NULL },
    { "# nothing\n", false, NULL, NULL },
    { "retention: 30d\nports:\n  web: 0\n", false, NULL, NULL },
    { "allow_hosts: [a, b]\n", false, NULL, NULL },
    { "promql: { extrapolate: always }\n", false, NULL, NULL },
    { "retenion: 30d\n", false, "f.yml:1:1: unknown key \"retenion\"", NULL },
    { "ports:\n  wob: 1\n", false, "f.yml:2:3: unknown key \"ports.wob\"", NULL },
    { "ports:\n  web: 70000\n", false, "f.yml:2:8: ports.web: \"70000\" is no number from 0 to 65535", NULL },
    { "retention: soon\n", false, "f.yml:1:12: retention: \"soon\" is no duration", NULL },
    { "retention: 1m\n", false, "out of range", NULL },
    { "open: yes\n", false, "neither true nor false", NULL },
    { "log: { level: loud }\n", false, "none of debug|info|warn|error", NULL },
    { "retention: [1]\n", false, "a single value is wanted", NULL },
    { "- a\n", false, "a map of keys is wanted", NULL },
    { "a: b: c\n", false, "f.yml", NULL },
    { "scrape_configs: []\n", false, NULL, NULL },
    { "rule_files: []\n", false, NULL, "\"rule_files\"" },
    { "global: { scrape_interval: 5s }\nrule_files: []\n", true, NULL, "\"rule_files\"" },
    { "retention: 30d\n", true, "unknown key \"retention\"", NULL },
};

static void files_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(files); i++) {
        struct config c;
        struct fault f = { 0 };
        config_init(&c);
        warned[0] = 0;
        enum err e = config_read(&c, S("f.yml"), str_c(files[i].yaml), files[i].prometheus, warn, &f);
        if ((e != OK) != (files[i].error != NULL) || (files[i].error && !strstr(f.msg, files[i].error)))
            fail_msg("row %zu: want %s, got %d %s", i, files[i].error ? files[i].error : "success", e, f.msg);
        if (files[i].warning ? !strstr(warned, files[i].warning) : warned[0])
            fail_msg("row %zu: warned \"%s\"", i, warned);
        config_done(&c);
    }
}

static void keys_reach_their_fields(void **state)
{
    (void)state;
    struct config c;
    struct fault f;
    config_init(&c);
    assert_int_equal(c.ports[PORT_WEB], 3001);
    assert_false(c.port_asked[PORT_WEB]);
    assert_int_equal(config_set(&c, S("ports.web"), S("0"), &f), OK);
    assert_true(c.port_asked[PORT_WEB] && !c.port_asked[PORT_LOKI] && c.ports[PORT_WEB] == 0);
    assert_int_equal(config_set(&c, S("retention"), S("forever"), &f), OK);
    assert_int_equal(c.retention_ns, 0);
    assert_int_equal(config_set(&c, S("allow_hosts"), S("a, b.example,"), &f), OK);
    assert_true(c.allow_hosts.n == 2 && str_eq(c.allow_hosts.at[1], S("b.example")));
    assert_int_equal(config_set(&c, S("nothing"), S("1"), &f), E_NOTFOUND);
    config_done(&c);
}

/* retention: one age, or a section; each signal by itself, or as all. */
static void retention_of_each_signal(void **state)
{
    static const struct {
        const char *text;
        int64_t metrics_d, events_d, traces_d, content_d;
        uint64_t mb;
        int64_t longest_d;
        bool fine;
    } rows[] = {
        { "", 400, 400, 400, 0, 0, 400, true },
        { "retention: 30d", 30, 30, 30, 0, 0, 30, true },
        { "retention: forever", 0, 0, 0, 0, 0, 0, true },
        { "retention: {age: 90d, events: 7d, content: 3d, size: 20MB}", 90, 7, 90, 3, 20, 90, true },
        { "retention: {metrics: forever}", 0, 400, 400, 0, 0, 0, true },
        { "retention: {age: 10d, metrics: 800d, traces: 1d}", 800, 10, 1, 0, 0, 800, true },
        { "retention: {events: 1s}", 0, 0, 0, 0, 0, 0, false },
        { "retention: {size: large}", 0, 0, 0, 0, 0, 0, false },
        { "retention: {logs: 1d}", 0, 0, 0, 0, 0, 0, false },
        { "retention: [1d]", 0, 0, 0, 0, 0, 0, false },
    };
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct config c;
        struct fault f = { 0 };
        config_init(&c);
        bool fine = config_read(&c, S("x.yml"), str_c(rows[i].text), false, NULL, &f) == OK;
        struct retention r = config_retention(&c);
        if (fine != rows[i].fine)
            fail_msg("%s: %s", rows[i].text, f.msg);
        if (fine && (r.age_ns[TABLE_SAMPLE] != rows[i].metrics_d * NS_PER_DAY || r.age_ns[TABLE_LOG] != rows[i].events_d * NS_PER_DAY ||
                     r.age_ns[TABLE_SPAN] != rows[i].traces_d * NS_PER_DAY || r.content_ns != rows[i].content_d * NS_PER_DAY ||
                     r.bytes != rows[i].mb << 20 || config_longest_ns(&c) != rows[i].longest_d * NS_PER_DAY))
            fail_msg("%s: read as something else", rows[i].text);
        config_done(&c);
    }
}

static const struct {
    const char *bind;
    bool open, fine;
} binds[] = {
    { "127.0.0.1", false, true }, { "127.3.3.3", false, true }, { "::1", false, true },
    { "0.0.0.0", false, false },  { "0.0.0.0", true, true },    { "192.0.2.1", false, false },
};

static void a_wide_bind_needs_a_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(binds); i++) {
        struct config c;
        struct fault f = { 0 };
        config_init(&c);
        c.bind = str_c(binds[i].bind);
        c.open = binds[i].open;
        if ((config_check(&c, &f) == OK) != binds[i].fine)
            fail_msg("row %zu: %s", i, f.msg);
        config_done(&c);
    }
}

static void a_reload_names_what_waits(void **state)
{
    (void)state;
    struct config a, b;
    struct fault f;
    config_init(&a);
    config_init(&b);
    struct buf names;
    buf_init(&names, 1000);
    config_diff(&a, &b, &names);
    assert_int_equal(names.n, 0);
    assert_int_equal(config_set(&b, S("ports.web"), S("1"), &f), OK);
    assert_int_equal(config_set(&b, S("retention"), S("9d"), &f), OK);
    assert_int_equal(config_set(&b, S("allow_hosts"), S("x"), &f), OK);
    config_diff(&a, &b, &names);
    assert_true(str_eq(buf_view(&names), S("allow_hosts, ports.web")));
    buf_done(&names);
    config_done(&a);
    config_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_or_refused),
        cmocka_unit_test(keys_reach_their_fields),
        cmocka_unit_test(retention_of_each_signal),
        cmocka_unit_test(a_wide_bind_needs_a_word),
        cmocka_unit_test(a_reload_names_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
