/* Periods in zones with and without summer time, levels, projections, exhaustion, and what of
 * a section is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/clock.h"
#include "base/num.h"
#include "ledger/budget.h"
#include "ledger/money.h"

static struct arena mem;

static enum err read_text(const char *text, struct budgets *ret, struct fault *f)
{
    struct yaml *root;
    struct fields_reader r = { .file = S("ccmon.yml"), .mem = &mem, .f = f };
    enum err e = yaml_parse(str_c(text), &mem, &root, f);
    return e ? e : budgets_read(&r, root, ret);
}

static struct budgets one_budget(const char *text)
{
    struct budgets b = { 0 };
    struct fault f = { 0 };
    if (read_text(text, &b, &f)) {
        if (str_find(str_c(f.msg), S("tzdata")) != SIZE_MAX)
            skip();
        fail_msg("%s", f.msg);
    }
    return b;
}

static int64_t at(const char *time)
{
    int64_t ns;
    assert_true(num_rfc3339(str_c(time), &ns));
    return ns;
}

/* ---- periods ------------------------------------------------------------------------------ */

static const struct { const char *budget, *now, *from, *to; int32_t days; } spans[] = {
    { "[{name: a, usd: 1, period: day, zone: UTC}]", "2026-11-24T16:00:00Z", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z", 1 },
    { "[{name: a, usd: 1, period: week, zone: UTC}]", "2026-11-24T16:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z", 7 },
    { "[{name: a, usd: 1, period: week, zone: UTC}]", "2026-11-29T23:59:59Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z", 7 },
    { "[{name: a, usd: 1, zone: UTC}]", "2026-02-28T23:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", 28 },
    { "[{name: a, usd: 1, zone: UTC}]", "2026-12-31T23:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", 31 },
    { "[{name: a, usd: 1, zone: Europe/Berlin}]", "2026-10-31T23:30:00Z", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z", 30 },
    { "[{name: a, usd: 1, period: day, zone: Europe/Berlin}]", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 1 },
};

static void periods(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(spans); i++) {
        struct budgets b = one_budget(spans[i].budget);
        struct budget_span s = budget_span_at(&b.at[0], at(spans[i].now));
        if (s.from_ns != at(spans[i].from) || s.to_ns != at(spans[i].to) || s.days != spans[i].days)
            fail_msg("row %zu: %lld to %lld, %d days", i, (long long)s.from_ns, (long long)s.to_ns, s.days);
        budgets_free(&b);
    }
}

/* ---- where it leads -------------------------------------------------------------------------- */

#define USD(v) ((int64_t)((v) * (double)NANOS_PER_USD))

/* November 2026 begins on a Sunday; now is noon of the 10th, a Tuesday. */
static struct budget_state state_of(const char *budget, double working, double weekend, int32_t days_known, double today)
{
    struct budgets b = one_budget(budget);
    int64_t now = at("2026-11-10T12:00:00Z"), by_day[64] = { 0 };
    int32_t first = budget_history_day(&b.at[0], now), last = budget_day(&b.at[0], now);
    for (int32_t day = first; day <= last; day++) {
        bool free_day = ((day + 3) % 7) >= 5, known = day >= last - days_known;
        by_day[day - first] = day == last ? USD(today) : !known ? 0 : USD(free_day ? weekend : working);
    }
    struct budget_state s = budget_state(&b.at[0], now, by_day, (uint32_t)(last - first) + 1, first, last - days_known);
    budgets_free(&b);
    return s;
}

static void projections(void **state)
{
    (void)state;
    /* 6 working days and 3 of weekends are gone, half of a working day today; 14.5 and 6 to come. */
    struct budget_state s = state_of("[{name: a, usd: 300, zone: UTC}]", 10, 1, 28, 5);
    assert_int_equal(s.method, BUDGET_BY_LIKE_DAYS);
    assert_true(s.spent == USD(6 * 10 + 3 * 1 + 5));
    assert_true(s.projected == USD(68 + 14.5 * 10 + 6 * 1));
    assert_true(s.has_range && s.projected_low == s.projected && s.projected_high == s.projected);   /* days do not vary */
    assert_int_equal(s.level, 0);
    assert_true(s.exhausted_ns == 0);

    s = state_of("[{name: a, usd: 100, zone: UTC}]", 10, 1, 28, 5);
    assert_int_equal(s.level, 50);
    /* 5 more today, 10 each on Wednesday to Friday, 2 at the weekend: 100 is not reached before Monday the 16th. */
    assert_true(s.exhausted_ns > at("2026-11-13T00:00:00Z") && s.exhausted_ns <= at("2026-11-14T00:00:00Z"));

    s = state_of("[{name: a, usd: 70, zone: UTC}]", 10, 1, 28, 5);
    assert_int_equal(s.level, 90);
    s = state_of("[{name: a, usd: 60, zone: UTC}]", 10, 1, 28, 5);
    assert_int_equal(s.level, 100);
    assert_true(s.exhausted_ns > at("2026-11-09T00:00:00Z") && s.exhausted_ns < at("2026-11-10T00:00:00Z"));

    /* three days are no history: the pace so far */
    s = state_of("[{name: a, usd: 300, zone: UTC}]", 10, 1, 3, 5);
    assert_int_equal(s.method, BUDGET_BY_PACE);
    assert_false(s.has_range);
    assert_true(s.projected == llround((double)s.spent / (9.5 / 30)));

    s = state_of("[{name: a, usd: 300, zone: UTC}]", 0, 0, 3, 0);
    assert_int_equal(s.method, BUDGET_NOTHING_SPENT);
    assert_true(s.projected == 0 && s.exhausted_ns == 0);

    /* a day's budget: half of the day is to come */
    s = state_of("[{name: a, usd: 12, period: day, zone: UTC}]", 10, 1, 28, 9);
    assert_true(s.projected == USD(14));
    assert_int_equal(s.level, 50);
    assert_true(s.exhausted_ns > at("2026-11-10T12:00:00Z") && s.exhausted_ns < at("2026-11-11T00:00:00Z"));
}

/* With days that vary the true end lies in the range about four times in five. */
static void ranges(void **state)
{
    (void)state;
    struct budgets b = one_budget("[{name: a, usd: 300, zone: UTC}]");
    uint64_t seed = 7;
    int inside = 0, rounds = 2000;
    for (int k = 0; k < rounds; k++) {
        int64_t now = at("2026-11-11T00:00:00Z"), by_day[64], rest = 0;
        int32_t first = budget_history_day(&b.at[0], now), last = budget_day(&b.at[0], now);
        for (int32_t i = 0; i < 29 + 20; i++) {    /* the history, then what is to come */
            int64_t sum = 0;
            for (int dice = 0; dice < 6; dice++) {
                seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
                sum += (int64_t)(seed >> 33) % NANOS_PER_USD;
            }
            if (i < last - first)
                by_day[i] = sum;
            else
                rest += sum;
        }
        by_day[last - first] = 0;
        struct budget_state s = budget_state(&b.at[0], now, by_day, (uint32_t)(last - first) + 1, first, first);
        int64_t end = s.spent + rest / (29 + 20 - (last - first)) * (s.span.first_day + s.span.days - last);
        inside += end >= s.projected_low && end <= s.projected_high;
    }
    budgets_free(&b);
    assert_true(inside > rounds * 65 / 100 && inside < rounds * 95 / 100);
}

/* ---- the section ------------------------------------------------------------------------------ */

static const struct { const char *text, *want; } sections[] = {
    { "[]", NULL },
    { "[{name: a, usd: 99.50, where: {team: x}}]", NULL },
    { "{name: a}", "a list is wanted" },
    { "[{usd: 1}]", "1:2: budgets: a name is wanted" },
    { "[{name: a}]", "\"\" is no amount" },
    { "[{name: a, usd: 0}]", "no amount above 0" },
    { "[{name: a, usd: -5}]", "no amount above 0" },
    { "[{name: a, usd: 5, period: year}]", "\"year\" is none of day|week|month" },
    { "[{name: a, usd: 5, zone: Mars/Base}]", "no time zone \"Mars/Base\"" },
    { "[{name: a, usd: 5}, {name: a, usd: 6}]", "two have the name \"a\"" },
    { "[{name: a, usd: 5, limit: 6}]", "unknown key \"budgets.limit\"" },
};

static void reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(sections); i++) {
        struct budgets b = { 0 };
        struct fault f = { 0 };
        enum err e = read_text(sections[i].text, &b, &f);
        if ((e != OK) != (sections[i].want != NULL) || (e && str_find(str_c(f.msg), str_c(sections[i].want)) == SIZE_MAX))
            fail_msg("%s: %d %s", sections[i].text, (int)e, f.msg);
        budgets_free(&b);
    }
    struct budgets b = one_budget("[{name: a, usd: 99.50, zone: UTC}]");
    assert_true(b.at[0].nanos == 99500000000 && b.at[0].period == BUDGET_MONTH);
    budgets_free(&b);
}

int main(void)
{
    arena_init(&mem, 4 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periods), cmocka_unit_test(projections), cmocka_unit_test(ranges), cmocka_unit_test(reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
