/* The incarnation in force, found in rows of several targets, incarnations and sources. */
#include "support.h"

#include "../../support/memsource.h"
#include "scrape/resume.h"

static void add(struct memsource *m, int64_t t, int64_t start, double v, const char *instance, const char *session, enum origin origin)
{
    const struct mem_cell cells[] = {
        { PLACE_LABEL, "__name__", value_str(S("claude_code_commit_count_total")) }, { PLACE_LABEL, "job", value_str(S("j")) },
        { PLACE_LABEL, "instance", value_str(str_c(instance)) }, { PLACE_LABEL, "session_id", value_str(str_c(session)) },
    };
    const struct mem_row r = { .table = TABLE_SAMPLE, .time_ns = t * NS_PER_S, .recv_ns = t * NS_PER_S, .start_ns = start * NS_PER_S, .value = v,
                               .temporality = TEMPORALITY_CUMULATIVE, .origin = origin, .cells = cells, .ncells = LEN(cells) };
    memsource_add(m, &r);
}

static struct id128 id_of(struct arena *mem, const char *instance, const char *session)
{
    struct lset s = { .mem = mem };
    lset_set(&s, S("__name__"), S("claude_code_commit_count_total"));
    lset_set(&s, S("job"), S("j"));
    lset_set(&s, S("instance"), str_c(instance));
    lset_set(&s, S("session_id"), str_c(session));
    return lset_id(&s);
}

static double value_of(const struct incarnation *i, struct id128 id)
{
    const struct roster_entry *e = roster_find(&i->series, id);
    return e ? e->value : -1;
}

static void newest_of_this_target(void **state)
{
    (void)state;
    for (uint32_t rows = 1; rows <= 7; rows += 3) {
        struct memsource *m = memsource_new();
        struct arena mem;
        struct fault f = { 0 };
        struct roster now = { 0 };
        struct incarnation got = { 0 };
        arena_init(&mem, TEST_ARENA);
        memsource_set_block_rows(m, rows);
        add(m, 1000, 900, 9, "a", "old", ORIGIN_SCRAPE);     /* an incarnation before */
        add(m, 2000, 1500, 1, "a", "x", ORIGIN_SCRAPE);
        add(m, 2000, 1500, 5, "a", "y", ORIGIN_SCRAPE);
        add(m, 2005, 1500, 2, "a", "x", ORIGIN_SCRAPE);
        add(m, 2005, 1500, 6, "a", "y", ORIGIN_SCRAPE);
        add(m, 2010, 2006, 7, "b", "x", ORIGIN_SCRAPE);      /* another target */
        add(m, 2010, 2007, 8, "a", "x", ORIGIN_OTLP);        /* another source */
        struct resume in = { .job = S("j"), .instance = S("a"), .now = &now, .time_ns = 3000 * NS_PER_S };
        if (resume_incarnation(memsource_source(m), &in, &got, &f))
            fail_msg("%s", f.msg);
        assert_int_equal(got.start_ns, 1500 * NS_PER_S);
        assert_int_equal(got.seen_ns, 2005 * NS_PER_S);
        assert_int_equal(got.series.n, 2);
        assert_true(value_of(&got, id_of(&mem, "a", "x")) == 2 && value_of(&got, id_of(&mem, "a", "y")) == 6);
        incarnation_done(&got);

        in.instance = S("c");
        if (resume_incarnation(memsource_source(m), &in, &got, &f))
            fail_msg("%s", f.msg);
        assert_int_equal(got.start_ns, 0);
        incarnation_done(&got);

        /* Without job and instance only what is shown now tells. */
        bool fresh;
        roster_init(&now, 4);
        roster_add(&now, id_of(&mem, "b", "x"), &fresh);
        in.job = in.instance = S("");
        if (resume_incarnation(memsource_source(m), &in, &got, &f))
            fail_msg("%s", f.msg);
        assert_int_equal(got.series.n, 1);
        assert_int_equal(got.start_ns, 2006 * NS_PER_S);
        incarnation_done(&got);
        roster_done(&now);
        memsource_free(m);
        arena_done(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(newest_of_this_target) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
