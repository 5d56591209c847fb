/* base/num_time.c -- durations and dates as text: Prometheus's, Go's, RFC 3339. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_MINUTE (60 * NS_PER_S)
#define NS_PER_HOUR (60 * NS_PER_MINUTE)

struct unit {
    struct str name;
    int64_t ns;
};

/* Takes `digit+` off the front of *s. */
static bool take_u63(struct str *s, int64_t *ret)
{
    size_t n = 0;
    int64_t v = 0;
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s->p[n] - '0', &v))
            return false;
    if (n == 0)
        return false;
    *s = str_sub(*s, n, s->n);
    *ret = v;
    return true;
}

/* duration := "0" | { digit+ unit }, each unit once and in this order. */
bool num_duration(struct str s, int64_t *ret_ns)
{
    static const struct unit units[] = {
        { S("y"), 365 * NS_PER_DAY }, { S("w"), 7 * NS_PER_DAY }, { S("d"), NS_PER_DAY }, { S("h"), NS_PER_HOUR },
        { S("m"), NS_PER_MINUTE },    { S("s"), NS_PER_S },       { S("ms"), NS_PER_MS },
    };
    if (str_eq(s, S("0"))) {
        *ret_ns = 0;
        return true;
    }
    if (s.n == 0)
        return false;
    int64_t sum = 0;
    size_t next = 0;                               /* the first unit still allowed */
    while (s.n) {
        int64_t v;
        if (!take_u63(&s, &v))
            return false;
        size_t n = 0;
        while (n < s.n && s.p[n] >= 'a' && s.p[n] <= 'z')
            n++;
        struct str name = str_sub(s, 0, n);
        while (next < LEN(units) && !str_eq(units[next].name, name))
            next++;
        if (next == LEN(units) || __builtin_mul_overflow(v, units[next].ns, &v) || __builtin_add_overflow(sum, v, &sum))
            return false;
        next++;
        s = str_sub(s, n, s.n);
    }
    *ret_ns = sum;
    return true;
}

size_t num_fmt_duration(char out[NUM_DURATION_MAX], int64_t ns)
{
    /* Years and weeks only where nothing is left over. */
    static const struct {
        const char *name;
        int64_t ms;
        bool exact;
    } units[] = {
        { "y", 365 * INT64_C(86400000), true }, { "w", 7 * INT64_C(86400000), true }, { "d", INT64_C(86400000), false },
        { "h", 3600000, false }, { "m", 60000, false }, { "s", 1000, false }, { "ms", 1, false },
    };
    int64_t ms = ns / NS_PER_MS;
    size_t n = 0;
    CHECK(ms >= 0);
    if (!ms)
        return (size_t)snprintf(out, NUM_DURATION_MAX, "0s");
    for (size_t i = 0; i < LEN(units); i++) {
        if (ms < units[i].ms || (units[i].exact && ms % units[i].ms))
            continue;
        n += (size_t)snprintf(out + n, NUM_DURATION_MAX - n, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
        ms %= units[i].ms;
    }
    return n;
}

/* Takes ["." digit*] off the front: the digits that fit, and 10 to their number. */
static size_t take_fraction(struct str *s, int64_t *ret, double *ret_scale)
{
    *ret = 0;
    *ret_scale = 1;
    if (s->n == 0 || s->p[0] != '.')
        return 0;
    size_t i = 1;
    bool full = false;
    for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
        int64_t v;
        full = full || __builtin_mul_overflow(*ret, 10, &v) || __builtin_add_overflow(v, s->p[i] - '0', &v);
        if (full)
            continue;                              /* further digits are below a nanosecond of any unit */
        *ret = v;
        *ret_scale *= 10;
    }
    *s = str_sub(*s, i, s->n);
    return i - 1;
}

/* One `number unit` of a Go duration. */
static bool take_go_part(struct str *s, int64_t *ret_ns)
{
    static const struct unit units[] = {
        { S("ns"), 1 },
        { S("us"), NS_PER_US },
        { S("\xc2\xb5s"), NS_PER_US },             /* both letters that look like a mu */
        { S("\xce\xbcs"), NS_PER_US },
        { S("ms"), NS_PER_MS },
        { S("s"), NS_PER_S },
        { S("m"), NS_PER_MINUTE },
        { S("h"), NS_PER_HOUR },
    };
    int64_t whole = 0, fraction;
    double scale;
    bool digits = s->n && s->p[0] >= '0' && s->p[0] <= '9';
    if (digits && !take_u63(s, &whole))
        return false;
    if (take_fraction(s, &fraction, &scale) == 0 && !digits)
        return false;

    size_t n = 0;
    while (n < s->n && s->p[n] != '.' && !(s->p[n] >= '0' && s->p[n] <= '9'))
        n++;
    struct str name = str_sub(*s, 0, n);
    *s = str_sub(*s, n, s->n);
    for (size_t i = 0; i < LEN(units); i++) {
        if (!str_eq(units[i].name, name))
            continue;
        int64_t part = (int64_t)((double)fraction * ((double)units[i].ns / scale));
        return !__builtin_mul_overflow(whole, units[i].ns, &whole) && !__builtin_add_overflow(whole, part, ret_ns);
    }
    return false;
}

bool num_go_duration(struct str s, int64_t *ret_ns)
{
    bool neg = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_sub(s, 1, s.n);
    if (str_eq(s, S("0"))) {
        *ret_ns = 0;
        return true;
    }
    if (s.n == 0)
        return false;
    int64_t sum = 0;
    while (s.n) {
        int64_t part;
        if (!take_go_part(&s, &part) || __builtin_add_overflow(sum, part, &sum))
            return false;
    }
    *ret_ns = neg ? -sum : sum;
    return true;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted
 * from March, so that the leap day is the last of its year. */
int64_t date_days(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    m += m <= 2 ? 9 : -3;                          /* March is 0 */
    int64_t leaps = y / 4 - y / 100 + y / 400;     /* years are positive here */
    int64_t day_of_year = (153 * m + 2) / 5 + d - 1;
    return 365 * y + leaps + day_of_year - 719468; /* 0000-03-01 to 1970-01-01 */
}

void date_of_days(int64_t days, int *ret_y, int *ret_m, int *ret_d)
{
    /* The estimate is never too low and at most one too high. */
    int64_t y = (days + 719468) * 400 / 146097 + 1;
    while (date_days(y, 3, 1) > days)
        y--;
    int64_t day_of_year = days - date_days(y, 3, 1);
    int64_t m = (5 * day_of_year + 2) / 153;
    *ret_d = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    *ret_m = (int)(m < 10 ? m + 3 : m - 9);
    *ret_y = (int)(y + (m >= 10));
}

/* Takes exactly `n` digits, then `after` unless that is 0. */
static bool take_field(struct str *s, size_t n, char after, int64_t *ret)
{
    struct str digits = str_sub(*s, 0, n);
    uint64_t v;
    if (digits.n != n || !str_to_u64(digits, &v))
        return false;
    *s = str_sub(*s, n, s->n);
    *ret = (int64_t)v;
    if (!after)
        return true;
    if (s->n == 0 || s->p[0] != after)
        return false;
    *s = str_sub(*s, 1, s->n);
    return true;
}

/* zone := "" | "Z" | ("+" | "-") hh ":" mm, and nothing after it. */
static bool zone_seconds(struct str s, int64_t *ret)
{
    *ret = 0;
    if (s.n == 0 || str_eq(s, S("Z")))
        return true;
    char sign = s.p[0];
    if (sign != '+' && sign != '-')
        return false;
    s = str_sub(s, 1, s.n);
    int64_t h, m;
    if (!take_field(&s, 2, ':', &h) || !take_field(&s, 2, 0, &m) || s.n || h > 23 || m > 59)
        return false;
    *ret = (sign == '-' ? -1 : 1) * (h * 3600 + m * 60);
    return true;
}

/* [ ("." | ",") digit+ ]; digits below the nanosecond are dropped. */
static bool take_ns(struct str *s, int64_t *ret)
{
    *ret = 0;
    if (s->n == 0 || (s->p[0] != '.' && s->p[0] != ','))
        return true;
    size_t i = 1;
    int64_t unit = NS_PER_S / 10;
    for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
        *ret += (s->p[i] - '0') * unit;
        unit /= 10;
    }
    *s = str_sub(*s, i, s->n);
    return i > 1;
}

static int64_t days_in_month(int64_t y, int64_t m)
{
    return m == 12 ? 31 : date_days(y, m + 1, 1) - date_days(y, m, 1);
}

bool num_rfc3339(struct str s, int64_t *ret_ns)
{
    int64_t y, mo, d, h, mi, sec, ns, zone;
    if (!take_field(&s, 4, '-', &y) || !take_field(&s, 2, '-', &mo) || !take_field(&s, 2, 'T', &d) ||
        !take_field(&s, 2, ':', &h) || !take_field(&s, 2, ':', &mi) || !take_field(&s, 2, 0, &sec) ||
        !take_ns(&s, &ns) || !zone_seconds(s, &zone))
        return false;
    if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo) || h > 23 || mi > 59 || sec > 59)
        return false;
    int64_t t = date_days(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - zone;
    /* One second further from zero than the result may be, so that the sum does not overflow early. */
    int64_t out;
    if (t < 0 && ns) {
        t++;
        ns -= NS_PER_S;
    }
    if (__builtin_mul_overflow(t, NS_PER_S, &out) || __builtin_add_overflow(out, ns, &out))
        return false;
    *ret_ns = out;
    return true;
}

static char *put_field(char *p, int v, int width, char after)
{
    for (int i = width - 1; i >= 0; i--) {
        p[i] = (char)('0' + v % 10);
        v /= 10;
    }
    p[width] = after;
    return p + width + 1;
}

size_t num_fmt_rfc3339(char out[40], int64_t unix_ns)
{
    int64_t ns = unix_ns % NS_PER_S, t = unix_ns / NS_PER_S;
    if (ns < 0) {
        ns += NS_PER_S;
        t--;
    }
    int64_t sec = t % 86400, days = t / 86400;
    if (sec < 0) {
        sec += 86400;
        days--;
    }
    int y, m, d;
    date_of_days(days, &y, &m, &d);

    char *p = put_field(out, y, 4, '-');
    p = put_field(p, m, 2, '-');
    p = put_field(p, d, 2, 'T');
    p = put_field(p, (int)(sec / 3600), 2, ':');
    p = put_field(p, (int)(sec / 60 % 60), 2, ':');
    p = put_field(p, (int)(sec % 60), 2, ns ? '.' : 'Z');
    if (ns) {
        p = put_field(p, (int)ns, 9, 'Z');
        char *last = p - 2;
        while (*last == '0')
            last--;
        last[1] = 'Z';
        p = last + 2;
    }
    return (size_t)(p - out);
}
