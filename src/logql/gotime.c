/* logql/gotime.c -- see gotime.h. A layout is a sample time; its pieces are found by
 * the longest match in a table, everything else is literal. */
#include "logql/gotime.h"

#include "base/clock.h"

enum piece {
    P_YEAR4, P_YEAR2, P_MONTH_LONG, P_MONTH_SHORT, P_MONTH2, P_MONTH1, P_DAY2, P_DAY_PAD, P_DAY1, P_YDAY3,
    P_WEEKDAY_LONG, P_WEEKDAY_SHORT, P_HOUR24, P_HOUR12_2, P_HOUR12, P_MINUTE2, P_MINUTE, P_SECOND2, P_SECOND,
    P_PM, P_pm, P_ZONE_NAME, P_ZONE_Z_COLON, P_ZONE_Z, P_ZONE_COLON, P_ZONE, P_ZONE_HOUR, P_FRACTION, P_LITERAL,
};

/* Longer ones before their prefixes. */
static const struct {
    struct str text;
    enum piece piece;
} pieces[] = {
    { S("2006"), P_YEAR4 },      { S("January"), P_MONTH_LONG }, { S("Jan"), P_MONTH_SHORT }, { S("Monday"), P_WEEKDAY_LONG },
    { S("Mon"), P_WEEKDAY_SHORT }, { S("MST"), P_ZONE_NAME },    { S("002"), P_YDAY3 },       { S("01"), P_MONTH2 },
    { S("02"), P_DAY2 },         { S("03"), P_HOUR12_2 },        { S("04"), P_MINUTE2 },      { S("05"), P_SECOND2 },
    { S("06"), P_YEAR2 },        { S("_2"), P_DAY_PAD },         { S("15"), P_HOUR24 },       { S("PM"), P_PM },
    { S("pm"), P_pm },           { S("Z07:00"), P_ZONE_Z_COLON }, { S("Z0700"), P_ZONE_Z },   { S("-07:00"), P_ZONE_COLON },
    { S("-0700"), P_ZONE },      { S("-07"), P_ZONE_HOUR },      { S("1"), P_MONTH1 },        { S("2"), P_DAY1 },
    { S("3"), P_HOUR12 },        { S("4"), P_MINUTE },           { S("5"), P_SECOND },
};

static const struct str months[] = {
    S("January"), S("February"), S("March"), S("April"), S("May"), S("June"), S("July"), S("August"), S("September"),
    S("October"), S("November"), S("December"),
};
static const struct str weekdays[] = {
    S("Sunday"), S("Monday"), S("Tuesday"), S("Wednesday"), S("Thursday"), S("Friday"), S("Saturday"),
};

struct civil {
    int64_t year;
    int month, day, hour, minute, second, weekday, yday;
    int64_t ns;
};

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct civil civil_of(int64_t unix_ns)
{
    int64_t secs = unix_ns / NS_PER_S, ns = unix_ns % NS_PER_S;
    if (ns < 0) {
        ns += NS_PER_S;
        secs--;
    }
    int64_t days = secs / 86400, rest = secs % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c = { .ns = ns, .day = (int)(doy - (153 * mp + 2) / 5 + 1), .month = (int)(mp < 10 ? mp + 3 : mp - 9) };
    c.year = yoe + era * 400 + (c.month <= 2);
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.second = (int)(rest % 60);
    c.weekday = (int)(((days + 4) % 7 + 7) % 7);
    c.yday = (int)(days - days_from_civil(c.year, 1, 1)) + 1;
    return c;
}

/* ".000" and ",999": a fraction, only behind a separator and before no further digit. */
static size_t fraction_length(struct str layout)
{
    if (layout.n < 2 || (layout.p[0] != '.' && layout.p[0] != ',') || (layout.p[1] != '0' && layout.p[1] != '9'))
        return 0;
    size_t n = 1;
    while (n < layout.n && layout.p[n] == layout.p[1])
        n++;
    return n < layout.n && layout.p[n] >= '0' && layout.p[n] <= '9' ? 0 : n;
}

/* The piece at the beginning of the layout and how many bytes of it it is. */
static enum piece next_piece(struct str layout, size_t *ret_n)
{
    *ret_n = fraction_length(layout);
    if (*ret_n)
        return P_FRACTION;
    for (size_t i = 0; i < LEN(pieces); i++)
        if (str_starts(layout, pieces[i].text)) {
            *ret_n = pieces[i].text.n;
            return pieces[i].piece;
        }
    *ret_n = 1;
    return P_LITERAL;
}

/* ".999" leaves trailing zeros out, and itself with them. */
static void put_fraction(struct buf *b, struct str layout, int64_t ns)
{
    char digits[9];
    for (size_t i = LEN(digits); i-- > 0; ns /= 10)
        digits[i] = (char)('0' + ns % 10);
    size_t n = MIN(layout.n - 1, LEN(digits));
    while (layout.p[1] == '9' && n && digits[n - 1] == '0')
        n--;
    if (!n)
        return;
    buf_byte(b, layout.p[0]);
    buf_put(b, digits, n);
}

static void put_piece(struct buf *b, enum piece piece, struct str text, const struct civil *c)
{
    int hour12 = c->hour % 12 ? c->hour % 12 : 12;
    switch (piece) {
    case P_YEAR4: buf_fmt(b, "%04lld", (long long)c->year); break;
    case P_YEAR2: buf_fmt(b, "%02d", (int)(c->year % 100)); break;
    case P_MONTH_LONG: buf_str(b, months[c->month - 1]); break;
    case P_MONTH_SHORT: buf_str(b, str_sub(months[c->month - 1], 0, 3)); break;
    case P_MONTH2: buf_fmt(b, "%02d", c->month); break;
    case P_MONTH1: buf_fmt(b, "%d", c->month); break;
    case P_DAY2: buf_fmt(b, "%02d", c->day); break;
    case P_DAY_PAD: buf_fmt(b, "%2d", c->day); break;
    case P_DAY1: buf_fmt(b, "%d", c->day); break;
    case P_YDAY3: buf_fmt(b, "%03d", c->yday); break;
    case P_WEEKDAY_LONG: buf_str(b, weekdays[c->weekday]); break;
    case P_WEEKDAY_SHORT: buf_str(b, str_sub(weekdays[c->weekday], 0, 3)); break;
    case P_HOUR24: buf_fmt(b, "%02d", c->hour); break;
    case P_HOUR12_2: buf_fmt(b, "%02d", hour12); break;
    case P_HOUR12: buf_fmt(b, "%d", hour12); break;
    case P_MINUTE2: buf_fmt(b, "%02d", c->minute); break;
    case P_MINUTE: buf_fmt(b, "%d", c->minute); break;
    case P_SECOND2: buf_fmt(b, "%02d", c->second); break;
    case P_SECOND: buf_fmt(b, "%d", c->second); break;
    case P_PM: buf_str(b, c->hour >= 12 ? S("PM") : S("AM")); break;
    case P_pm: buf_str(b, c->hour >= 12 ? S("pm") : S("am")); break;
    case P_ZONE_NAME: buf_str(b, S("UTC")); break;
    case P_ZONE_Z_COLON:
    case P_ZONE_Z: buf_byte(b, 'Z'); break;
    case P_ZONE_COLON: buf_str(b, S("+00:00")); break;
    case P_ZONE: buf_str(b, S("+0000")); break;
    case P_ZONE_HOUR: buf_str(b, S("+00")); break;
    case P_FRACTION: put_fraction(b, text, c->ns); break;
    case P_LITERAL: buf_str(b, text); break;
    }
}

void gotime_format(struct buf *b, int64_t unix_ns, struct str layout)
{
    struct civil c = civil_of(unix_ns);
    size_t n;
    for (size_t i = 0; i < layout.n; i += n) {
        struct str rest = str_sub(layout, i, layout.n);
        enum piece piece = next_piece(rest, &n);
        put_piece(b, piece, str_sub(rest, 0, n), &c);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

struct reader {
    struct str in;
    struct civil c;
    int64_t offset_s;
    bool pm, pm_set;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Between min and max digits. */
static bool read_number(struct reader *r, size_t min, size_t max, int64_t *ret)
{
    size_t n = 0;
    int64_t v = 0;
    for (; n < max && n < r->in.n && is_digit(r->in.p[n]); n++)
        v = v * 10 + (r->in.p[n] - '0');
    if (n < min)
        return false;
    r->in = str_sub(r->in, n, r->in.n);
    *ret = v;
    return true;
}

static bool read_name(struct reader *r, const struct str *names, size_t count, size_t length, int *ret)
{
    for (size_t i = 0; i < count; i++) {
        struct str name = length ? str_sub(names[i], 0, length) : names[i];
        if (str_eq_nocase(str_sub(r->in, 0, name.n), name)) {
            r->in = str_sub(r->in, name.n, r->in.n);
            *ret = (int)i;
            return true;
        }
    }
    return false;
}

/* Z, or a sign with hours and, with or without a colon, minutes. */
static bool read_zone(struct reader *r, enum piece piece)
{
    if ((piece == P_ZONE_Z || piece == P_ZONE_Z_COLON) && str_starts(r->in, S("Z"))) {
        r->in = str_sub(r->in, 1, r->in.n);
        return true;
    }
    bool minus = str_starts(r->in, S("-"));
    int64_t hours, minutes = 0;
    if (!minus && !str_starts(r->in, S("+")))
        return false;
    r->in = str_sub(r->in, 1, r->in.n);
    if (!read_number(r, 2, 2, &hours))
        return false;
    if (piece == P_ZONE_COLON || piece == P_ZONE_Z_COLON) {
        if (!str_starts(r->in, S(":")))
            return false;
        r->in = str_sub(r->in, 1, r->in.n);
    }
    if (piece != P_ZONE_HOUR && !read_number(r, 2, 2, &minutes))
        return false;
    r->offset_s = (minus ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

static bool read_fraction(struct reader *r)
{
    if (!r->in.n || (r->in.p[0] != '.' && r->in.p[0] != ','))
        return true;                               /* ".999" may be missing */
    r->in = str_sub(r->in, 1, r->in.n);
    int64_t unit = NS_PER_S;
    bool any = false;
    for (; r->in.n && is_digit(r->in.p[0]); r->in = str_sub(r->in, 1, r->in.n), any = true) {
        unit /= 10;
        r->c.ns += (r->in.p[0] - '0') * unit;
    }
    return any;
}

static bool read_half(struct reader *r)
{
    struct str s = str_sub(r->in, 0, 2);
    r->pm_set = str_eq_nocase(s, S("AM")) || str_eq_nocase(s, S("PM"));
    r->pm = str_eq_nocase(s, S("PM"));
    r->in = str_sub(r->in, 2, r->in.n);
    return r->pm_set;
}

static bool read_zone_name(struct reader *r)
{
    size_t n = 0;
    while (n < r->in.n && r->in.p[n] >= 'A' && r->in.p[n] <= 'Z')
        n++;
    r->in = str_sub(r->in, n, r->in.n);
    return n >= 3;
}

static bool read_piece(struct reader *r, enum piece piece, struct str text)
{
    struct civil *c = &r->c;
    int64_t v = 0;
    int at = 0;
    bool ok = true;
    switch (piece) {
    case P_YEAR4: ok = read_number(r, 4, 4, &c->year); break;
    case P_YEAR2:
        ok = read_number(r, 2, 2, &v);
        c->year = v + (v >= 69 ? 1900 : 2000);
        break;
    case P_MONTH_LONG:
    case P_MONTH_SHORT:
        ok = read_name(r, months, LEN(months), piece == P_MONTH_SHORT ? 3 : 0, &at);
        c->month = at + 1;
        break;
    case P_MONTH2:
    case P_MONTH1:
        ok = read_number(r, piece == P_MONTH2 ? 2 : 1, 2, &v);
        c->month = (int)v;
        break;
    case P_DAY_PAD:
        if (str_starts(r->in, S(" ")))
            r->in = str_sub(r->in, 1, r->in.n);
        ok = read_number(r, 1, 2, &v);
        c->day = (int)v;
        break;
    case P_DAY2:
    case P_DAY1:
        ok = read_number(r, piece == P_DAY2 ? 2 : 1, 2, &v);
        c->day = (int)v;
        break;
    case P_YDAY3: ok = read_number(r, 3, 3, &v); break;
    case P_WEEKDAY_LONG:
    case P_WEEKDAY_SHORT: ok = read_name(r, weekdays, LEN(weekdays), piece == P_WEEKDAY_SHORT ? 3 : 0, &at); break;
    case P_HOUR24:
    case P_HOUR12_2:
    case P_HOUR12:
        ok = read_number(r, piece == P_HOUR12 ? 1 : 2, 2, &v);
        c->hour = (int)v;
        break;
    case P_MINUTE2:
    case P_MINUTE:
        ok = read_number(r, piece == P_MINUTE2 ? 2 : 1, 2, &v);
        c->minute = (int)v;
        break;
    case P_SECOND2:
    case P_SECOND:
        ok = read_number(r, piece == P_SECOND2 ? 2 : 1, 2, &v);
        c->second = (int)v;
        break;
    case P_PM:
    case P_pm: ok = read_half(r); break;
    case P_ZONE_NAME: ok = read_zone_name(r); break;
    case P_ZONE_Z_COLON:
    case P_ZONE_Z:
    case P_ZONE_COLON:
    case P_ZONE:
    case P_ZONE_HOUR: ok = read_zone(r, piece); break;
    case P_FRACTION: ok = read_fraction(r); break;
    case P_LITERAL:
        ok = str_starts(r->in, text);
        r->in = str_sub(r->in, text.n, r->in.n);
        break;
    }
    return ok;
}

static int month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool gotime_parse(struct str text, struct str layout, int64_t *ret_ns)
{
    struct reader r = { .in = text, .c = { .month = 1, .day = 1 } };
    enum piece before = P_LITERAL;
    size_t n;
    for (size_t i = 0; i < layout.n; i += n) {
        struct str rest = str_sub(layout, i, layout.n);
        enum piece piece = next_piece(rest, &n);
        /* A fraction may stand behind the seconds even when the layout has none. */
        if ((before == P_SECOND2 || before == P_SECOND) && piece != P_FRACTION && str_starts(r.in, S(".")) && !str_starts(rest, S(".")) &&
            !read_fraction(&r))
            return false;
        if (!read_piece(&r, piece, str_sub(rest, 0, n)))
            return false;
        before = piece;
    }
    if ((before == P_SECOND2 || before == P_SECOND) && str_starts(r.in, S(".")) && !read_fraction(&r))
        return false;
    struct civil *c = &r.c;
    if (r.pm_set)
        c->hour = c->hour % 12 + (r.pm ? 12 : 0);
    if (r.in.n || c->month < 1 || c->month > 12 || c->day < 1 || c->day > month_days(c->year, c->month) || c->hour > 23 ||
        c->minute > 59 || c->second > 59)
        return false;
    int64_t secs = days_from_civil(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second - r.offset_s;
    return !__builtin_mul_overflow(secs, NS_PER_S, ret_ns) && !__builtin_add_overflow(*ret_ns, c->ns, ret_ns);
}
