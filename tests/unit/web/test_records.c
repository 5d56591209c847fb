/* The newest records as JSON: which ones, in which order, how much of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../support/memsource.h"
#include "web/web_int.h"

struct fix {
    struct memsource *m;
    struct api api;
    struct arena mem;
    struct buf out;
    uint64_t last;
};

static void begin(struct fix *f)
{
    *f = (struct fix){ .m = memsource_new() };
    f->api = (struct api){ .src = memsource_source(f->m), .clock = &clock_system };
    arena_init(&f->mem, 8 << 20);
    buf_init(&f->out, 4 << 20);
}

static void end(struct fix *f)
{
    buf_done(&f->out);
    arena_done(&f->mem);
    memsource_free(f->m);
}

static void add(struct fix *f, int64_t time_ns, int64_t recv_ns, const char *event, const char *prompt)
{
    struct mem_cell cells[] = {
        { PLACE_FIELD, "body", value_str(arena_fmt(&f->mem, "claude_code.%s", event)) },
        { PLACE_FIELD, "observed_ns", value_int(5) },
        { PLACE_FIELD, "trace_id", value_str(S("0af7")) },
        { PLACE_ATTR, "event.name", value_str(str_c(event)) },
        { PLACE_ATTR, "event.sequence", value_int(3) },
        { PLACE_ATTR, "prompt", value_str(str_c(prompt)) },
        { PLACE_RESOURCE, "service.name", value_str(S("claude-code")) },
    };
    struct mem_row r = { .table = TABLE_LOG, .time_ns = time_ns, .recv_ns = recv_ns, .cells = cells, .ncells = LEN(cells) };
    memsource_add(f->m, &r);
}

static struct str write_after(struct fix *f, uint64_t seq, int64_t recv_ns, bool *any)
{
    struct jw w;
    buf_clear(&f->out);
    jw_init(&w, &f->out);
    jw_obj(&w);
    *any = records_write(&f->api, (struct live_mark){ seq, recv_ns }, &f->mem, &w, &f->last);
    jw_obj_end(&w);
    assert_false(f->out.bad);
    return buf_view(&f->out);
}

static uint32_t count(struct str s, struct str needle)
{
    uint32_t n = 0;
    for (size_t at; (at = str_find(s, needle)) != SIZE_MAX; n++)
        s = str_sub(s, at + needle.n, s.n);
    return n;
}

static bool has(struct str s, const char *needle)
{
    return str_find(s, str_c(needle)) != SIZE_MAX;
}

static void test_one(void **state)
{
    (void)state;
    struct fix f;
    bool any;
    begin(&f);
    add(&f, 1000, 70 * NS_PER_S, "user_prompt", "hello \"you\"\n");
    struct str s = write_after(&f, 0, 70 * NS_PER_S, &any);
    const char *want = "{\"records\":[{\"time_ns\":\"1000\",\"event_name\":\"user_prompt\",\"line\":\"claude_code.user_prompt\",\"labels\":{";
    if (!str_starts(s, str_c(want)))
        fail_msg("got " STR_FMT, STR_ARG(s));
    static const char *const parts[] = { "\"trace_id\":\"0af7\"", "\"event_sequence\":\"3\"", "\"prompt\":\"hello \\\"you\\\"\\n\"",
                                         "\"service_name\":\"claude-code\"", "\"cut\":0}" };
    for (size_t i = 0; i < LEN(parts); i++)
        if (!has(s, parts[i]))
            fail_msg("%s is missing in " STR_FMT, parts[i], STR_ARG(s));
    assert_false(has(s, "observed"));
    assert_true(any);
    assert_int_equal(f.last, 1);
    end(&f);
}

/* Arrival decides which, by sequence; a request that was received earlier but
 * written later is not lost; the record's own time decides the order. */
static void test_after(void **state)
{
    (void)state;
    struct fix f;
    bool any;
    begin(&f);
    add(&f, 300, 1000 * NS_PER_S, "a", "");
    add(&f, 200, 1001 * NS_PER_S, "b", "");
    add(&f, 900, 990 * NS_PER_S, "c", "");
    struct str s = write_after(&f, 1, 1001 * NS_PER_S, &any);
    assert_false(has(s, "claude_code.a"));
    assert_true(str_find(s, S("claude_code.c")) < str_find(s, S("claude_code.b")));
    assert_int_equal(f.last, 3);
    s = write_after(&f, 3, 1001 * NS_PER_S, &any);
    assert_false(any);
    assert_string_equal(arena_cstr(&f.mem, s), "{\"records\":[],\"cut\":0}");
    end(&f);
}

static void test_newest_of_many(void **state)
{
    (void)state;
    static const uint32_t block_rows[] = { 1, 7, 1000 };
    for (size_t b = 0; b < LEN(block_rows); b++) {
        struct fix f;
        bool any;
        begin(&f);
        memsource_set_block_rows(f.m, block_rows[b]);
        enum { N = 1000 };
        for (uint32_t i = 0; i < N; i++)
            add(&f, 1 + (i * 7919) % N, 70 * NS_PER_S, "x", "");
        struct str s = write_after(&f, 0, 70 * NS_PER_S, &any);
        if (count(s, S("\"time_ns\"")) != LIVE_RECORDS_MAX || !has(s, "\"cut\":800}") || !has(s, "\"time_ns\":\"1000\"") ||
            !has(s, "\"time_ns\":\"801\"") || has(s, "\"time_ns\":\"800\""))
            fail_msg("blocks of %u: " STR_FMT, block_rows[b], STR_ARG(str_sub(s, 0, 500)));
        assert_int_equal(f.last, N);
        end(&f);
    }
}

static void test_long_values(void **state)
{
    (void)state;
    struct fix f;
    bool any;
    begin(&f);
    static char text[20001];
    memset(text, 'z', sizeof(text) - 1);
    memcpy(text + LIVE_VALUE_MAX - 1, "\xc3\xa4", 2);      /* the limit falls into a character */
    add(&f, 1, 70 * NS_PER_S, "x", text);
    struct str s = write_after(&f, 0, 70 * NS_PER_S, &any);
    assert_true(s.n < 2 * LIVE_VALUE_MAX + 400);
    assert_false(has(s, "\xef\xbf\xbd"));
    for (uint32_t i = 0; i < 400; i++)
        add(&f, 1, 70 * NS_PER_S, "y", "q");
    s = write_after(&f, 0, 70 * NS_PER_S, &any);
    assert_true(s.n < LIVE_BATCH_BYTES_MAX + 400);
    end(&f);
}

static enum err no_scan(struct source *s, const struct scan_req *req, struct scan **ret, struct fault *f)
{
    (void)s, (void)req, (void)ret;
    return fault_set(f, E_IO, 0, "disk");
}

/* A page that is told of nothing would believe there was nothing. */
static void test_failed_scan(void **state)
{
    (void)state;
    struct fix f;
    bool any;
    begin(&f);
    struct source broken = *f.api.src;
    broken.scan_begin = no_scan;
    f.api.src = &broken;
    struct str s = write_after(&f, 0, 0, &any);
    assert_true(any && has(s, "\"cut\":1}"));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),         cmocka_unit_test(test_after),       cmocka_unit_test(test_newest_of_many),
        cmocka_unit_test(test_long_values), cmocka_unit_test(test_failed_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
