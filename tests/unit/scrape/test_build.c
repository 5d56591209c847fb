/* From an exposition to rows, through the frame and back: names, labels, what is accounted; and
 * frames that are not what they claim. */
#include "support.h"

#include "scrape/build.h"

static const struct lpair target[] = { { S("instance"), S("i:1") }, { S("job"), S("j") } };

static const struct row_case {
    const char *what;
    enum expo_format format;
    bool honor;
    const char *in, *want;                         /* name{labels}value[c start] ..., sorted as they came; or "!error" */
} rows[] = {
    { "plain", EXPO_TEXT, false, "a{x=\"1\"} 2\n", "a{instance=i:1,job=j,x=1}2" },
    { "canonical, no scope", EXPO_TEXT, false,
      "# TYPE claude_code_cost_usage_total counter\nclaude_code_cost_usage_total{session_id=\"s\",otel_scope_name=\"n\",otel_scope_version=\"v\"} 2\n",
      "claude_code_cost_usage_USD_total{instance=i:1,job=j,session_id=s}2c" },
    { "a known name without a type", EXPO_TEXT, false, "claude_code_token_usage_total 2\n", "claude_code_token_usage_tokens_total{instance=i:1,job=j}2c" },
    { "an unknown one without", EXPO_TEXT, false, "claude_code_new_total{otel_scope_name=\"n\"} 2\n", "claude_code_new_total{instance=i:1,job=j,otel_scope_name=n}2" },
    { "an unknown counter", EXPO_TEXT, false, "# TYPE claude_code_new_total counter\nclaude_code_new_total 2\n", "claude_code_new_total{instance=i:1,job=j}2c" },
    { "a gauge of that name", EXPO_TEXT, false, "# TYPE claude_code_cost_usage_total gauge\nclaude_code_cost_usage_total 2\n", "claude_code_cost_usage_total{instance=i:1,job=j}2" },
    { "OpenMetrics", EXPO_OPENMETRICS, false,
      "# TYPE claude_code_cost_usage_USD counter\nclaude_code_cost_usage_USD_total 2\nclaude_code_cost_usage_USD_created 1\n# EOF\n",
      "claude_code_cost_usage_USD_total{instance=i:1,job=j}2c" },
    { "passed on by another Prometheus", EXPO_TEXT, false, "claude_code_commit_count_total{job=\"x\"} 2\nclaude_code_commit_count_total 3 5000\n",
      "claude_code_commit_count_total{exported_job=x,instance=i:1,job=j}2 claude_code_commit_count_total{instance=i:1,job=j}3" },
    { "two scopes add up", EXPO_TEXT, false,
      "claude_code_commit_count_total{otel_scope_version=\"1\"} 1\nclaude_code_commit_count_total{otel_scope_version=\"2\"} 2\n",
      "claude_code_commit_count_total{instance=i:1,job=j}3c" },
    { "a line twice does not", EXPO_TEXT, false, "claude_code_commit_count_total 1\nclaude_code_commit_count_total 1\nb 1\nb 2\n",
      "claude_code_commit_count_total{instance=i:1,job=j}1c b{instance=i:1,job=j}1" },
    { "labels of both", EXPO_TEXT, false, "a{job=\"x\",exported_job=\"y\"} 1\n", "a{exported_exported_job=x,exported_job=y,instance=i:1,job=j}1" },
    { "honored", EXPO_TEXT, true, "a{job=\"x\"} 1\n", "a{instance=i:1,job=x}1" },
    { "an error keeps nothing", EXPO_TEXT, false, "a 1\nb\n", "!line 2" },
};

static void show(const struct batch *b, struct buf *out)
{
    for (uint32_t i = 0; i < b->nrows; i++) {
        const struct row *r = &b->rows[i];
        bool any = false;
        struct cells labels = batch_labels(b, r->group, b->mem);
        if (i)
            buf_byte(out, ' ');
        for (uint32_t k = 0; k < labels.n; k++)
            if (str_eq(b->cols[labels.at[k].col].name, S("__name__")))
                buf_fmt(out, STR_FMT "{", STR_ARG(labels.at[k].v.s));
        for (uint32_t k = 0; k < labels.n; k++) {
            struct str name = b->cols[labels.at[k].col].name;
            if (str_eq(name, S("__name__")))
                continue;
            buf_fmt(out, "%s" STR_FMT "=" STR_FMT, any ? "," : "", STR_ARG(name), STR_ARG(labels.at[k].v.s));
            any = true;
        }
        buf_byte(out, '}');
        buf_f64(out, r->value);
        bool cumulative = r->temporality == TEMPORALITY_CUMULATIVE;
        buf_str(out, cumulative ? S("c") : S(""));
        assert_int_equal(r->start_ns, cumulative ? 77 : 0);
        assert_int_equal(r->origin, ORIGIN_SCRAPE);
        assert_int_equal(r->time_ns, 5 * NS_PER_S);
    }
}

static void check(const struct row_case *c)
{
    struct arena mem;
    struct built built;
    struct batch batch;
    struct fault f = { 0 };
    const struct scrape_job job = { .name = S("j"), .honor_labels = c->honor, .honor_timestamps = true };
    CLEANUP(buf_done) struct buf got;
    struct build_in in = { .job = &job, .labels = target, .nlabels = LEN(target), .body = str_c(c->in), .format = c->format,
                           .time_ns = 5 * NS_PER_S, .oldest_ns = INT64_MIN };
    arena_init(&mem, TEST_ARENA);
    buf_init(&got, 1 << 20);
    if (scrape_build(&in, &mem, &built, &f)) {
        if (c->want[0] != '!' || !strstr(f.msg, c->want + 1))
            fail_msg("%s: %s", c->what, f.msg);
    } else {
        struct str body = frame_body(&built.frame, 77, &mem);
        assert_int_equal(scrape_decode(body, 6 * NS_PER_S, &mem, &batch, &f), OK);
        show(&batch, &got);
        if (!str_eq(buf_view(&got), str_c(c->want)))
            fail_msg("%s: " STR_FMT, c->what, STR_ARG(buf_view(&got)));
        batch_done(&batch);
    }
    built_done(&built);
    arena_done(&mem);
}

static void exposition_to_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++)
        check(&rows[i]);
}

/* Cut anywhere, and with any one byte changed: refused or decoded, never more than is there. */
static void damaged_frames(void **state)
{
    (void)state;
    struct arena mem;
    struct built built;
    struct fault f = { 0 };
    const struct scrape_job job = { .name = S("j"), .honor_timestamps = true };
    struct build_in in = { .job = &job, .labels = target, .nlabels = LEN(target), .time_ns = 5 * NS_PER_S, .oldest_ns = INT64_MIN,
                           .body = S("# TYPE claude_code_commit_count_total counter\nclaude_code_commit_count_total{a=\"b\"} 1\nb 2 4000\n") };
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(scrape_build(&in, &mem, &built, &f), OK);
    frame_meta(&built.frame, &built.metas[0]);
    struct str body = frame_body(&built.frame, 77, &mem);
    for (size_t n = 0; n < body.n; n++) {
        struct arena scratch = mem;
        struct batch b;
        if (scrape_decode(str_sub(body, 0, n), 1, &scratch, &b, &f) != E_CORRUPT)
            fail_msg("cut to %zu bytes: accepted", n);
        batch_done(&b);
    }
    for (size_t n = 0; n < body.n * 8; n++) {
        struct arena scratch = mem;
        struct batch b;
        char *copy = arena_alloc(&scratch, body.n, 1);
        memcpy(copy, body.p, body.n);
        copy[n / 8] ^= (char)(1 << n % 8);
        (void)!scrape_decode((struct str){ copy, body.n }, 1, &scratch, &b, &f);
        batch_done(&b);
    }
    built_done(&built);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(exposition_to_rows), cmocka_unit_test(damaged_frames) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
