/* logql/tmpl_fn_time.c -- times, in UTC. Other time zones are refused by name. */
#include "logql/gotime.h"
#include "logql/tmpl_int.h"

static bool fn_now(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)a, (void)n;
    *ret = tv_time(clock_now(r->e->p->ctx->clock));
    return true;
}

static bool fn_timestamp(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)a, (void)n;
    *ret = tv_time(r->e->time_ns);
    return true;
}

/* A time, or seconds since 1970. */
static bool fn_date(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str layout;
    (void)n;
    if (!arg_str(r, a, 0, &layout))
        return false;
    int64_t ns = a[1].kind == TV_TIME ? a[1].i : a[1].kind == TV_INT ? a[1].i * NS_PER_S : clock_now(r->e->p->ctx->clock);
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    gotime_format(&b, ns, layout);
    *ret = tv_take(r, &b);
    return true;
}

static bool fn_to_date(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str layout, s;
    int64_t ns = 0;
    (void)n;
    if (!arg_str(r, a, 0, &layout) || !arg_str(r, a, 1, &s))
        return false;
    *ret = tv_time(gotime_parse(s, layout, &ns) ? ns : 0);
    return true;
}

static bool fn_to_date_in_zone(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str zone;
    if (!arg_str(r, a, 1, &zone))
        return false;
    if (zone.n && !str_eq_nocase(zone, S("UTC")) && !str_eq_nocase(zone, S("GMT")))
        return run_fail(r, "toDateInZone: the time zone \"" STR_FMT "\" is not supported, only UTC", STR_ARG(zone));
    const struct tval rest[] = { a[0], a[2] };
    return fn_to_date(r, rest, n - 1, ret);
}

static bool unix_text(struct run *r, const struct tval *a, int64_t unit, struct tval *ret)
{
    int64_t ns;
    if (!arg_time(r, a, 0, &ns))
        return false;
    *ret = tv_str(arena_fmt(r->mem, "%lld", (long long)(ns / unit)));
    return true;
}

static bool fn_unix_epoch(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return unix_text(r, a, NS_PER_S, ret);
}

static bool fn_unix_millis(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return unix_text(r, a, NS_PER_MS, ret);
}

static bool fn_unix_nanos(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return unix_text(r, a, 1, ret);
}

/* The unit follows from the number of digits. */
static bool fn_unix_to_time(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    static const struct {
        size_t digits;
        int64_t unit;
    } units[] = { { 5, NS_PER_DAY }, { 10, NS_PER_S }, { 13, NS_PER_MS }, { 16, 1000 }, { 19, 1 } };
    struct str s;
    int64_t v;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    for (size_t i = 0; i < LEN(units); i++)
        if (s.n == units[i].digits && str_to_i64(s, &v) && !__builtin_mul_overflow(v, units[i].unit, &v)) {
            *ret = tv_time(v);
            return true;
        }
    return run_fail(r, "error calling unixToTime: unable to parse time '" STR_FMT "'", STR_ARG(s));
}

const struct fn_def tmpl_fns_time[] = {
    { S("now"), 0, 0, fn_now }, { S("__timestamp__"), 0, 0, fn_timestamp }, { S("date"), 2, 2, fn_date },
    { S("toDate"), 2, 2, fn_to_date }, { S("toDateInZone"), 3, 3, fn_to_date_in_zone }, { S("unixEpoch"), 1, 1, fn_unix_epoch },
    { S("unixEpochMillis"), 1, 1, fn_unix_millis }, { S("unixEpochNanos"), 1, 1, fn_unix_nanos },
    { S("unixToTime"), 1, 1, fn_unix_to_time }, { .name = { 0 } },
};
