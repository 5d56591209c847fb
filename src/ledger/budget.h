/* ledger/budget.h -- budgets: so much money in a day, week or month, for whoever it is for.
 *
 * What a budget is, when its periods begin in its own time zone, and where spending leads.
 * How much was spent is the caller's to say, by day of that zone; so this knows no store.
 *
 * The projection adds to what is spent the mean of like days (working days, weekends) of the
 * four weeks before, and says how wide that is: four times in five the end lies in the range,
 * if days go on as they did. With less than a week of history it is the pace so far, and there
 * is no range.
 *
 * Owner:    budgets_free(); a budget belongs to its list.
 * Threads:  immutable after reading; any.
 * Errors:   E_SYNTAX with file, line and column.
 * Units:    nano-dollars, Unix ns, days since 1970 in the budget's zone.
 */
#pragma once
#include "base/fields.h"
#include "base/zone.h"

enum { BUDGETS_MAX = 1000, BUDGET_HISTORY_DAYS = 28, BUDGET_HISTORY_MIN = 7 };

enum budget_period { BUDGET_DAY, BUDGET_WEEK, BUDGET_MONTH };
extern const struct str budget_period_names[];

struct budget {
    struct str name;
    int64_t nanos;                                 /* > 0 */
    enum budget_period period;
    struct zone *zone;
    struct str zone_name;
    struct pairs where;                            /* labels of the settled figures; empty: everything */
};

struct budgets {
    struct budget *at;
    uint32_t n;
};

/* The section `budgets`. Texts live in r->mem; zones until budgets_free(). */
MUST enum err budgets_read(const struct fields_reader *r, const struct yaml *node, struct budgets *ret);
void budgets_free(struct budgets *b);
extern const struct field budget_fields[];         /* for the documentation */

struct budget_span {
    int64_t from_ns, to_ns;                        /* from <= t < to */
    int32_t first_day, days;
};
struct budget_span budget_span_at(const struct budget *b, int64_t now_ns);
int32_t budget_day(const struct budget *b, int64_t ns);
int64_t budget_day_begin(const struct budget *b, int32_t day);     /* Unix ns */

/* From when on the caller has to know what was spent. */
int32_t budget_history_day(const struct budget *b, int64_t now_ns);

enum budget_method { BUDGET_BY_LIKE_DAYS, BUDGET_BY_PACE, BUDGET_NOTHING_SPENT };
extern const struct str budget_method_names[];

struct budget_state {
    struct budget_span span;
    int64_t spent;                                 /* in the period, until now */
    double used, elapsed;                          /* shares of amount and time, 0 ... */
    double pace;                                   /* used / elapsed; above 1: faster than the budget */
    int level;                                     /* the highest of 0, 50, 80, 90, 100 percent that is used */
    enum budget_method method;
    uint32_t history_days;                         /* that the projection knows */
    int64_t projected;                             /* at the end of the period */
    bool has_range;
    int64_t projected_low, projected_high;
    int64_t exhausted_ns;                          /* when it is used up; 0: not in this period, as it looks */
};

/* by_day[i]: what was spent on day first_day + i, the last one being today until now. It begins
 * at or before budget_history_day(); days before `known_from` had no data at all. */
struct budget_state budget_state(const struct budget *b, int64_t now_ns, const int64_t *by_day, uint32_t n, int32_t first_day,
                                 int32_t known_from);
