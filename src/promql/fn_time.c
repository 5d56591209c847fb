/* promql/fn_time.c -- dates and times, all in UTC. The calendar is computed from the
 * day number (proleptic Gregorian), since gmtime() has its own ideas of ranges. */
#include <math.h>

#include "promql/functions_int.h"

struct date {
    int64_t year;
    int month, day, year_day;                      /* from 1 */
    int week_day, hour, minute;                    /* from 0, Sunday first */
    bool leap;
};

static bool is_leap(int64_t y)
{
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int days_in(int month, bool leap)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return days[month - 1] + (month == 2 && leap);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Eras of 400 years of 146,097 days, counted from a 1st of March. */
static struct date date_of(int64_t seconds)
{
    int64_t days = floor_div(seconds, 86400), of_day = seconds - days * 86400;
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct date d = {
        .month = (int)(mp < 10 ? mp + 3 : mp - 9),
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
        .week_day = (int)((days % 7 + 11) % 7),
        .hour = (int)(of_day / 3600),
        .minute = (int)(of_day % 3600 / 60),
    };
    d.year = yoe + era * 400 + (d.month <= 2);
    d.leap = is_leap(d.year);
    d.year_day = d.day;
    for (int m = 1; m < d.month; m++)
        d.year_day += days_in(m, d.leap);
    return d;
}

static const double seconds_max = 1e17;            /* some 3 billion years */

#define DATE(name, expression)                                                        \
    static double fn_##name(double v, const double *args, uint32_t nargs)             \
    {                                                                                 \
        (void)args, (void)nargs;                                                      \
        if (!(fabs(v) < seconds_max))                                                 \
            return NAN;                                                               \
        struct date d = date_of((int64_t)v);                                          \
        return (double)(expression);                                                  \
    }

DATE(year, d.year)
DATE(month, d.month)
DATE(day_of_month, d.day)
DATE(day_of_year, d.year_day)
DATE(day_of_week, d.week_day)
DATE(days_in_month, days_in(d.month, d.leap))
DATE(hour, d.hour)
DATE(minute, d.minute)

/* ---- scalars of time ------------------------------------------------------- */

static enum err fn_now(struct eval *ev, const struct expr *call, double *ret, struct fault *f)
{
    (void)call, (void)f;
    for (uint32_t i = 0; i < ev->st.n; i++)
        ret[i] = (double)steps_at(ev->st, i) / 1000;
    return OK;
}

static enum err fill(struct eval *ev, double *ret, int64_t ms)
{
    for (uint32_t i = 0; i < ev->st.n; i++)
        ret[i] = (double)ms / 1000;
    return OK;
}

static enum err fn_start(struct eval *ev, const struct expr *call, double *ret, struct fault *f)
{
    (void)call, (void)f;
    return fill(ev, ret, ev->top->start_ms);
}

static enum err fn_end(struct eval *ev, const struct expr *call, double *ret, struct fault *f)
{
    (void)call, (void)f;
    return fill(ev, ret, ev->top->end_ms);
}

static enum err fn_step(struct eval *ev, const struct expr *call, double *ret, struct fault *f)
{
    (void)call, (void)f;
    return fill(ev, ret, ev->top->step_ms);
}

static enum err fn_range(struct eval *ev, const struct expr *call, double *ret, struct fault *f)
{
    (void)call, (void)f;
    return fill(ev, ret, ev->top->end_ms - ev->top->start_ms);
}

/* The time of each sample; of a bare selector, the sample's own and not the step's. */
static enum err fn_timestamp(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    const struct expr *arg = call->call.args[0];
    enum err e = arg->kind == X_SELECTOR ? eval_selector(ev, &arg->sel, true, NULL, ret, f) : eval_vector(ev, arg, ret, f);
    for (uint32_t s = 0; s < ret->n && !e; s++) {
        struct tser *t = &ret->at[s];
        t->labels = labels_drop_name(ev->q->mem, t->labels);
        for (uint32_t i = 0; i < t->n && arg->kind != X_SELECTOR; i++)
            if (tser_has(t, i))
                t->v[i] = (double)steps_at(ev->st, t->from + i) / 1000;
        t->h = NULL;
    }
    return e;
}

#define ROW(text, fn) { S(text), { T_VECTOR }, 1, T_VECTOR, FN_MATH, FN_EVERY_STEP, .math = fn }
#define SCALAR(text, fn) { S(text), { T_NONE }, 0, T_SCALAR, FN_SCALAR, FN_EVERY_STEP, .scalar = fn }

const struct fn_def fns_time[] = {
    ROW("year", fn_year),
    ROW("month", fn_month),
    ROW("day_of_month", fn_day_of_month),
    ROW("day_of_year", fn_day_of_year),
    ROW("day_of_week", fn_day_of_week),
    ROW("days_in_month", fn_days_in_month),
    ROW("hour", fn_hour),
    ROW("minute", fn_minute),
    SCALAR("time", fn_now),
    SCALAR("start", fn_start),
    SCALAR("end", fn_end),
    SCALAR("step", fn_step),
    SCALAR("range", fn_range),
    { S("timestamp"), { T_VECTOR }, 0, T_VECTOR, FN_VECTOR, FN_EVERY_STEP, .vector = fn_timestamp },
    { .name = { 0 } },
};
