/* scrape_configs: what is taken, what a job inherits, what is refused and where; from labels to
 * targets; and that every key is documented. */
#include "support.h"

#include "scrape/target.h"

static enum err read_all(struct scrape_conf *c, const char *text, struct arena *mem, struct fault *f)
{
    const struct yaml *root = test_yaml(text, mem);
    struct fields_reader r = { .file = S("dir/test.yml"), .mem = mem, .f = f };
    const struct yaml *global = yaml_get(root, S("global")), *jobs = yaml_get(root, S("scrape_configs"));
    enum err e = global ? scrape_conf_global(c, &r, global) : OK;
    if (!e && jobs)
        e = scrape_conf_jobs(c, &r, jobs);
    return e ? e : scrape_conf_finish(c, f);
}

static const struct {
    const char *text, *error;                      /* NULL: accepted */
} rows[] = {
    { "scrape_configs: []", NULL },
    { "scrape_configs:", NULL },
    { "scrape_configs: [{job_name: a}]", NULL },
    { "scrape_configs: [{}]", "job_name is empty" },
    { "scrape_configs: [{job_name: a}, {job_name: a}]", "found multiple scrape configs with job name \"a\"" },
    { "scrape_configs: [{job_name: a, colour: red}]", "dir/test.yml:1:32: unknown key \"scrape_configs.colour\"" },
    { "scrape_configs: [{job_name: a, scrape_interval: 5s, scrape_timeout: 6s}]", "scrape timeout greater than scrape interval" },
    { "scrape_configs: [{job_name: a, scrape_interval: 1ms}]", "out of range" },
    { "scrape_configs: [{job_name: a, scheme: ftp}]", "none of http|https" },
    { "scrape_configs: [{job_name: a, metrics_path: m}]", "does not begin with /" },
    { "scrape_configs: [{job_name: a, static_configs: [{targets: ['http://a']}]}]", "is not a valid hostname" },
    { "scrape_configs: [{job_name: a, basic_auth: {username: u}, bearer_token: t}]", "at most one of basic_auth, authorization" },
    { "scrape_configs: [{job_name: a, basic_auth: {password: u, password_file: f}}]", "at most one of basic_auth password" },
    { "scrape_configs: [{job_name: a, authorization: {type: basic}}]", "cannot be set to \"basic\"" },
    { "scrape_configs: [{job_name: a, file_sd_configs: [{files: [x.txt]}]}]", "is not valid for file discovery" },
    { "scrape_configs: [{job_name: a, file_sd_configs: [{}]}]", "must contain at least one path name" },
    { "scrape_configs: [{job_name: a, scrape_protocols: [Telnet]}]", "unknown scrape protocol" },
    { "scrape_configs: [{job_name: a, params: {a: {b: c}}}]", "a list is wanted" },
    { "scrape_configs: [{job_name: a, body_size_limit: 10MB, sample_limit: 5, params: {m: [x]}}]", NULL },
    { "scrape_configs: [{job_name: a, relabel_configs: [{action: x}]}]", "unknown relabel action" },
    { "global: {scrape_interval: 5s, external_labels: {a: b}}", NULL },
    { "global: {scrape_interva: 5s}", "unknown key \"global.scrape_interva\"" },
    { "scrape_configs: {job_name: a}", "a list of jobs is wanted" },
    { "scrape_configs: [{job_name: a, consul_sd_configs: [{server: x}], proxy_url: y, oauth2: {}}]", NULL },
};

static void accepted_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct arena mem;
        struct fault f = { 0 };
        struct scrape_conf *c = scrape_conf_new();
        arena_init(&mem, TEST_ARENA);
        enum err e = read_all(c, rows[i].text, &mem, &f);
        if (!e != !rows[i].error || (e && !strstr(f.msg, rows[i].error)))
            fail_msg("%s: %s", rows[i].text, e ? f.msg : "accepted");
        scrape_conf_unref(c);
        arena_done(&mem);
    }
}

static void inherited(void **state)
{
    (void)state;
    struct arena mem;
    struct fault f = { 0 };
    struct scrape_conf *c = scrape_conf_new();
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(read_all(c, "scrape_configs: [{job_name: a}, {job_name: b, scrape_interval: 4s, sample_limit: 7}, {job_name: c, scrape_protocols: "
                                 "[PrometheusProto, PrometheusText0.0.4], file_sd_configs: [{files: [t/*.json, /x.yml]}]}]\n"
                                 "global: {scrape_interval: 30s, scrape_timeout: 9s, sample_limit: 5}\n", &mem, &f), OK);
    const struct scrape_job *j = c->jobs;
    assert_true(j[0].interval_ns == 30 * NS_PER_S && j[0].timeout_ns == 9 * NS_PER_S && j[0].limits.samples == 5);
    assert_true(j[1].interval_ns == 4 * NS_PER_S && j[1].timeout_ns == 4 * NS_PER_S && j[1].limits.samples == 7);
    assert_true(str_eq(j[0].accept, S("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;"
                                      "version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")));
    assert_true(str_eq(j[2].accept, S("text/plain;version=0.0.4;q=0.6,*/*;q=0.5")));
    const struct scrape_files *files = j[2].files.at;
    assert_true(str_eq(files->files.at[0], S("dir/t/*.json")) && str_eq(files->files.at[1], S("/x.yml")));
    scrape_conf_unref(c);
    arena_done(&mem);
}

static const struct {
    const char *job, *labels;
    enum target_made made;
    const char *url, *want;                        /* labels; or what is wrong */
} targets[] = {
    { "{job_name: a}", "__address__=h:1", TARGET_MADE, "http://h:1/metrics", "instance=h:1,job=a" },
    { "{job_name: a}", "__address__=h:1,job=b,x=y", TARGET_MADE, "http://h:1/metrics", "instance=h:1,job=b,x=y" },
    { "{job_name: a}", "__address__=h:1,instance=i,__metrics_path__=/p,__scheme__=https", TARGET_MADE, "https://h:1/p", "instance=i,job=a" },
    { "{job_name: a, params: {m: [x y, z]}}", "__address__=h:1,__param_n=&", TARGET_MADE, "http://h:1/metrics?m=x%20y&m=z&n=%26", "instance=h:1,job=a" },
    { "{job_name: a, relabel_configs: [{source_labels: [x], regex: y, action: drop}]}", "__address__=h:1,x=y", TARGET_DROPPED, "", "" },
    { "{job_name: a, relabel_configs: [{source_labels: [x], target_label: __address__}]}", "__address__=h:1,x=g:2", TARGET_MADE, "http://g:2/metrics", "instance=g:2,job=a,x=g:2" },
    { "{job_name: a, relabel_configs: [{regex: __address__, action: labeldrop}]}", "__address__=h:1", TARGET_BAD, "", "no address" },
    { "{job_name: a, relabel_configs: [{target_label: __address__, replacement: a/b}]}", "__address__=h:1", TARGET_BAD, "", "not a valid hostname" },
    { "{job_name: a, relabel_configs: [{target_label: __scheme__, replacement: ftp}]}", "__address__=h:1", TARGET_BAD, "", "invalid scheme" },
    { "{job_name: a, scrape_interval: 5s}", "__address__=h:1,__scrape_interval__=1s", TARGET_BAD, "", "cannot be greater" },
    { "{job_name: a}", "__address__=h:1,__scrape_interval__=soon", TARGET_BAD, "", "error parsing scrape interval" },
};

static void labels_to_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(targets); i++) {
        struct arena mem;
        struct fault f = { 0 };
        struct scrape_conf *c = scrape_conf_new();
        struct target *t = NULL;
        arena_init(&mem, TEST_ARENA);
        CLEANUP(buf_done) struct buf got;
        buf_init(&got, 4096);
        assert_int_equal(read_all(c, arena_cstr(&mem, arena_fmt(&mem, "scrape_configs: [%s]", targets[i].job)), &mem, &f), OK);
        struct lset s = { .mem = &mem };
        struct str rest = str_c(targets[i].labels);
        while (rest.n) {
            struct str value = str_cut(&rest, ','), name = str_cut(&value, '=');
            lset_set(&s, name, value);
        }
        enum target_made made = target_make(c, &c->jobs[0], &s, &t, &f);
        for (uint32_t k = 0; t && k < t->nlabels; k++)
            buf_fmt(&got, "%s" STR_FMT "=" STR_FMT, k ? "," : "", STR_ARG(t->labels[k].name), STR_ARG(t->labels[k].value));
        if (made == TARGET_BAD)
            buf_str(&got, str_c(f.msg));
        if (made != targets[i].made || (t && !str_eq(t->url, str_c(targets[i].url))) ||
            str_find(buf_view(&got), str_c(targets[i].want)) == SIZE_MAX)
            fail_msg("row %zu: %d " STR_FMT " %s", i, (int)made, STR_ARG(buf_view(&got)), t ? arena_cstr(&mem, t->url) : "");
        target_free(t);
        scrape_conf_unref(c);
        arena_done(&mem);
    }
}

/* Turns lie an interval apart, and after now. */
static void turns(void **state)
{
    (void)state;
    struct target t = { .hash = UINT64_C(0x9e3779b97f4a7c15) };
    int64_t now = INT64_C(1795000000123456789), first = target_next(&t, 15 * NS_PER_S, now);
    assert_true(first > now && first <= now + 15 * NS_PER_S);
    assert_int_equal(target_next(&t, 15 * NS_PER_S, first), first + 15 * NS_PER_S);
    assert_int_equal(target_next(&t, 15 * NS_PER_S, first - 1), first);
}

static void documented(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    scrape_describe(&out);
    assert_true(str_find(buf_view(&out), S("`metric_relabel_configs`")) != SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_or_not), cmocka_unit_test(inherited), cmocka_unit_test(labels_to_targets),
        cmocka_unit_test(turns), cmocka_unit_test(documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
