/* Accounting rule 2 as a table: what a target showed and what happened in between, and which
 * incarnation each scrape belongs to. */
#include "support.h"

#include "base/num.h"
#include "scrape/incarnation.h"

/* A scrape is "a=1,b=2" (series and values); "!" breaks the connection before it, "-" shows nothing. */
static const struct {
    const char *what, *scrapes[6];
    enum incarnation_end ends[6];
} rows[] = {
    { "grows", { "a=1", "a=1", "a=2", "a=2,b=1" }, { INCARNATION_FIRST, INCARNATION_SAME, INCARNATION_SAME, INCARNATION_SAME } },
    { "a counter falls", { "a=2,b=2", "a=1,b=3", "a=1,b=3" }, { INCARNATION_FIRST, INCARNATION_FELL, INCARNATION_SAME } },
    { "a series is gone", { "a=2,b=2", "a=3", "a=3,b=9" }, { INCARNATION_FIRST, INCARNATION_GONE, INCARNATION_SAME } },
    { "all are gone", { "a=2", "-", "a=3" }, { INCARNATION_FIRST, INCARNATION_GONE, INCARNATION_SAME } },
    { "refused", { "a=2", "!a=3", "a=4" }, { INCARNATION_FIRST, INCARNATION_BROKEN, INCARNATION_SAME } },
    { "refused before the first", { "!a=2", "a=3" }, { INCARNATION_FIRST, INCARNATION_SAME } },
    { "again and again", { "a=1", "!a=1", "!a=1", "a=0.5" }, { INCARNATION_FIRST, INCARNATION_BROKEN, INCARNATION_BROKEN, INCARNATION_FELL } },
};

static struct roster roster_of(const char *text)
{
    struct roster r;
    struct str rest = str_c(text);
    roster_init(&r, 100);
    while (rest.n && rest.p[0] != '-') {
        struct str value = str_cut(&rest, ','), name = str_cut(&value, '=');
        bool fresh;
        struct roster_entry *e = roster_add(&r, hash128(name), &fresh);
        assert_true(fresh && str_to_f64(value, &e->value));
    }
    return r;
}

static void steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct incarnation inc = { 0 };
        int64_t now = 1000 * NS_PER_S, last_start = 0;
        for (size_t k = 0; k < LEN(rows[i].scrapes) && rows[i].scrapes[k]; k++) {
            const char *text = rows[i].scrapes[k];
            if (*text == '!') {
                inc.broken = true;
                text++;
            }
            struct roster r = roster_of(text);
            enum incarnation_end got = incarnation_step(&inc, &r, now, now + NS_PER_S);
            now += NS_PER_S;
            if (got != rows[i].ends[k])
                fail_msg("%s, scrape %zu (%s): %d", rows[i].what, k, rows[i].scrapes[k], (int)got);
            if (inc.start_ns >= now || (got == INCARNATION_SAME ? inc.start_ns != last_start : inc.start_ns <= last_start))
                fail_msg("%s, scrape %zu: a start that cannot be", rows[i].what, k);
            last_start = inc.start_ns;
            roster_done(&r);
        }
        incarnation_done(&inc);
    }
}

/* Whatever the clock does, a start is never used twice. */
static void clock_goes_back(void **state)
{
    (void)state;
    struct incarnation inc = { 0 };
    int64_t starts[3];
    static const int64_t times[] = { 1000 * NS_PER_S, 500 * NS_PER_S, 400 * NS_PER_S };
    for (size_t i = 0; i < LEN(times); i++) {
        struct roster r = roster_of(i == 0 ? "a=3" : i == 1 ? "a=2" : "a=1");
        (void)incarnation_step(&inc, &r, times[i] - NS_PER_S, times[i]);
        starts[i] = inc.start_ns;
        roster_done(&r);
    }
    assert_true(starts[0] < starts[1] && starts[1] < starts[2]);
    incarnation_done(&inc);
}

static void kept_labels(void **state)
{
    (void)state;
    struct arena mem;
    struct roster r;
    bool fresh;
    arena_init(&mem, TEST_ARENA);
    roster_init(&r, 2);
    struct lset s = { .mem = &mem };
    lset_set(&s, S("a"), S("1"));
    lset_set(&s, S("__name__"), S("x"));
    struct roster_entry *e = roster_add(&r, lset_id(&s), &fresh);
    roster_keep(&r, e, &s);
    struct lset back = roster_labels(&r, roster_find(&r, lset_id(&s)), &mem);
    assert_int_equal(back.n, 2);
    struct id128 x = lset_id(&back), y = lset_id(&s);
    assert_true(id128_eq(x, y));
    assert_null(roster_find(&r, hash128(S("other"))));
    roster_done(&r);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(steps), cmocka_unit_test(clock_goes_back), cmocka_unit_test(kept_labels) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
