/* ledger/budget.c -- where spending leads.
 *
 *     rest of today, then each day to come: mean of like days
 *     its spread: their variances added up, 1.28 standard deviations each way
 *
 * Working days and weekends are told apart, because a month whose rest is two weekends ends
 * elsewhere than one whose rest is ten working days. Nothing finer is: four weeks hold too few
 * Tuesdays to say something about Tuesdays.
 */
#include "ledger/budget.h"

#include <math.h>

#include "base/clock.h"
#include "base/num.h"

static const int levels[] = { 100, 90, 80, 50 };
static const double z80 = 1.2816;                  /* four in five of a normal distribution */

const struct str budget_method_names[] = { S("like_days"), S("pace"), S("nothing_spent") };

/* ---- periods -------------------------------------------------------------------- */

static int64_t floor_s(int64_t ns)
{
    return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

int32_t budget_day(const struct budget *b, int64_t ns)
{
    int y, m, d;
    zone_date(b->zone, floor_s(ns), &y, &m, &d);
    return (int32_t)date_days(y, m, d);
}

int64_t budget_day_begin(const struct budget *b, int32_t day)
{
    int y, m, d;
    date_of_days(day, &y, &m, &d);
    return zone_day_begin(b->zone, y, m, d) * NS_PER_S;
}

/* 0 is Monday: 1970-01-01 was a Thursday. */
static int weekday(int32_t day)
{
    return (int)(((day + 3) % 7 + 7) % 7);
}

struct budget_span budget_span_at(const struct budget *b, int64_t now_ns)
{
    int y, m, d;
    int32_t today = budget_day(b, now_ns), first = today, next = today + 1;
    date_of_days(today, &y, &m, &d);
    if (b->period == BUDGET_WEEK) {
        first = today - weekday(today);
        next = first + 7;
    } else if (b->period == BUDGET_MONTH) {
        first = (int32_t)date_days(y, m, 1);
        next = (int32_t)(m == 12 ? date_days(y + 1, 1, 1) : date_days(y, m + 1, 1));
    }
    return (struct budget_span){ budget_day_begin(b, first), budget_day_begin(b, next), first, next - first };
}

int32_t budget_history_day(const struct budget *b, int64_t now_ns)
{
    int32_t before = budget_day(b, now_ns) - BUDGET_HISTORY_DAYS, first = budget_span_at(b, now_ns).first_day;
    return MIN(before, first);
}

/* ---- days that are alike ----------------------------------------------------------- */

/* Of working days, [0], and of weekends, [1]. */
struct like_days {
    double mean[2], variance[2];
    uint32_t n[2];
};

static int kind_of(int32_t day)
{
    return weekday(day) >= 5;
}

struct history {
    const int64_t *by_day;
    int32_t first, today, known_from;
};

static double spent_on(const struct history *h, int32_t day)
{
    return (double)h->by_day[day - h->first];
}

/* Of the whole days before today that are known. */
static struct like_days learn(const struct history *h, uint32_t *ret_days)
{
    struct like_days l = { 0 };
    int32_t from = MAX(h->today - BUDGET_HISTORY_DAYS, h->known_from);
    from = MAX(from, h->first);
    for (int32_t day = from; day < h->today; day++) {
        l.mean[kind_of(day)] += spent_on(h, day);
        l.n[kind_of(day)]++;
    }
    for (int k = 0; k < 2; k++)
        l.mean[k] /= l.n[k] ? l.n[k] : 1;
    for (int32_t day = from; day < h->today; day++) {
        double off = spent_on(h, day) - l.mean[kind_of(day)];
        l.variance[kind_of(day)] += off * off;
    }
    for (int k = 0; k < 2; k++)
        l.variance[k] /= l.n[k] > 1 ? l.n[k] - 1 : 1;
    *ret_days = (uint32_t)MAX(h->today - from, 0);
    return l;
}

/* ---- the projection ---------------------------------------------------------------- */

static int64_t to_nanos(double v)
{
    return v < 9e18 ? (int64_t)llround(v) : INT64_MAX;
}

/* When it is used up, if within the day that begins and ends then. */
static int64_t crossing(double spent, double more, double limit, int64_t from_ns, int64_t to_ns)
{
    if (more <= 0 || spent + more < limit)
        return 0;
    return from_ns + (int64_t)((limit - spent) / more * (double)(to_ns - from_ns));
}

static void by_like_days(const struct budget *b, const struct like_days *l, int32_t today, int64_t now_ns, struct budget_state *s)
{
    double sum = (double)s->spent, variance = 0;
    int32_t end = s->span.first_day + s->span.days;
    for (int32_t day = today; day < end; day++) {
        int64_t from_ns = budget_day_begin(b, day), to_ns = budget_day_begin(b, day + 1), begin_ns = MAX(from_ns, now_ns);
        double share = to_ns > from_ns ? (double)(to_ns - begin_ns) / (double)(to_ns - from_ns) : 0;
        double more = l->mean[kind_of(day)] * share;
        if (!s->exhausted_ns)
            s->exhausted_ns = crossing(sum, more, (double)b->nanos, begin_ns, to_ns);
        sum += more;
        variance += l->variance[kind_of(day)] * share;
    }
    double wide = z80 * sqrt(variance);
    s->method = BUDGET_BY_LIKE_DAYS;
    s->has_range = true;
    s->projected = to_nanos(sum);
    s->projected_low = MAX(s->spent, to_nanos(sum - wide));
    s->projected_high = to_nanos(sum + wide);
}

static void by_pace(const struct budget *b, int64_t now_ns, struct budget_state *s)
{
    double rest = (double)s->spent / s->elapsed * (1 - s->elapsed);
    s->method = BUDGET_BY_PACE;
    s->projected = to_nanos((double)s->spent + rest);
    s->exhausted_ns = crossing((double)s->spent, rest, (double)b->nanos, now_ns, s->span.to_ns);
}

/* When what is spent already went over the amount: some time that day. */
static int64_t went_over(const struct budget *b, const struct history *h, const struct budget_state *s, int64_t now_ns)
{
    double sum = 0;
    for (int32_t day = s->span.first_day; day <= h->today; day++) {
        int64_t to_ns = day == h->today ? now_ns : budget_day_begin(b, day + 1);
        int64_t at = crossing(sum, spent_on(h, day), (double)b->nanos, budget_day_begin(b, day), to_ns);
        if (at)
            return at;
        sum += spent_on(h, day);
    }
    return now_ns;
}

struct budget_state budget_state(const struct budget *b, int64_t now_ns, const int64_t *by_day, uint32_t n, int32_t first_day,
                                 int32_t known_from)
{
    struct history h = { by_day, first_day, budget_day(b, now_ns), known_from };
    struct budget_state s = { .span = budget_span_at(b, now_ns) };
    CHECK(first_day <= s.span.first_day && first_day + (int32_t)n == h.today + 1);
    for (int32_t day = s.span.first_day; day <= h.today; day++)
        s.spent += by_day[day - first_day];
    s.used = (double)s.spent / (double)b->nanos;
    s.elapsed = (double)(now_ns - s.span.from_ns) / (double)(s.span.to_ns - s.span.from_ns);
    s.pace = s.elapsed > 0 ? s.used / s.elapsed : 0;
    for (size_t i = LEN(levels); i-- > 0;)
        if (s.used * 100 >= levels[i])
            s.level = levels[i];

    struct like_days l = learn(&h, &s.history_days);
    bool both = l.n[0] > 1 && l.n[1] > 1;
    if (s.history_days >= BUDGET_HISTORY_MIN && both)
        by_like_days(b, &l, h.today, now_ns, &s);
    else if (s.spent > 0 && s.elapsed > 0)
        by_pace(b, now_ns, &s);
    else
        s.method = BUDGET_NOTHING_SPENT;
    if (s.spent >= b->nanos)
        s.exhausted_ns = went_over(b, &h, &s, now_ns);
    return s;
}
