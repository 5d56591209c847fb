/* logql/gotime.c -- see gotime.h. A layout is a sample time; its pieces are found by
 * the longest match in a table, everything else is literal. */
#include "logql/gotime.h"

#include "base/clock.h"

struct civil {
    int year, month, day, hour, minute, second, weekday, yday;
    int64_t ns;
};

enum kind {
    PIECE_NUMBER, PIECE_YEAR2, PIECE_HOUR12, PIECE_MONTH, PIECE_WEEKDAY, PIECE_HALF, PIECE_ZONE, PIECE_ZONE_NAME,
    PIECE_FRACTION, PIECE_LITERAL,
};

struct piece {
    struct str text;
    enum kind kind;
    size_t field;                                  /* numbers: where in struct civil */
    char pad;                                      /* numbers: '\0' as they are, else to the piece's width */
    bool upper;                                    /* PM, not pm */
};

#define FIELD(name) offsetof(struct civil, name)

/* Longer ones before their prefixes. */
static const struct piece pieces[] = {
    { S("2006"), PIECE_NUMBER, FIELD(year), '0', false },   { S("January"), PIECE_MONTH, 0, 0, false },
    { S("Jan"), PIECE_MONTH, 0, 0, false },                 { S("Monday"), PIECE_WEEKDAY, 0, 0, false },
    { S("Mon"), PIECE_WEEKDAY, 0, 0, false },               { S("MST"), PIECE_ZONE_NAME, 0, 0, false },
    { S("002"), PIECE_NUMBER, FIELD(yday), '0', false },    { S("01"), PIECE_NUMBER, FIELD(month), '0', false },
    { S("02"), PIECE_NUMBER, FIELD(day), '0', false },      { S("03"), PIECE_HOUR12, FIELD(hour), '0', false },
    { S("04"), PIECE_NUMBER, FIELD(minute), '0', false },   { S("05"), PIECE_NUMBER, FIELD(second), '0', false },
    { S("06"), PIECE_YEAR2, FIELD(year), '0', false },      { S("_2"), PIECE_NUMBER, FIELD(day), ' ', false },
    { S("15"), PIECE_NUMBER, FIELD(hour), '0', false },     { S("PM"), PIECE_HALF, 0, 0, true },
    { S("pm"), PIECE_HALF, 0, 0, false },                   { S("Z07:00"), PIECE_ZONE, 0, 0, false },
    { S("Z0700"), PIECE_ZONE, 0, 0, false },                { S("-07:00"), PIECE_ZONE, 0, 0, false },
    { S("-0700"), PIECE_ZONE, 0, 0, false },                { S("-07"), PIECE_ZONE, 0, 0, false },
    { S("1"), PIECE_NUMBER, FIELD(month), 0, false },       { S("2"), PIECE_NUMBER, FIELD(day), 0, false },
    { S("3"), PIECE_HOUR12, FIELD(hour), 0, false },        { S("4"), PIECE_NUMBER, FIELD(minute), 0, false },
    { S("5"), PIECE_NUMBER, FIELD(second), 0, false },
};

static const struct str months[] = {
    S("January"), S("February"), S("March"), S("April"), S("May"), S("June"), S("July"), S("August"), S("September"),
    S("October"), S("November"), S("December"),
};
static const struct str weekdays[] = {
    S("Sunday"), S("Monday"), S("Tuesday"), S("Wednesday"), S("Thursday"), S("Friday"), S("Saturday"),
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
    c.year = (int)(yoe + era * 400) + (c.month <= 2);
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

/* The piece at the beginning of the layout; its text is as long as what it takes. */
static struct piece next_piece(struct str layout)
{
    size_t n = fraction_length(layout);
    if (n)
        return (struct piece){ .text = str_sub(layout, 0, n), .kind = PIECE_FRACTION };
    for (size_t i = 0; i < LEN(pieces); i++)
        if (str_starts(layout, pieces[i].text))
            return pieces[i];
    return (struct piece){ .text = str_sub(layout, 0, 1), .kind = PIECE_LITERAL };
}

static int *field_of(struct civil *c, const struct piece *p)
{
    return (int *)(void *)((char *)c + p->field);
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

static void put_number(struct buf *b, const struct piece *p, int v)
{
    int width = p->pad ? (int)p->text.n : 1;
    buf_fmt(b, p->pad == ' ' ? "%*d" : "%0*d", width, v);
}

static void put_piece(struct buf *b, const struct piece *p, struct civil *c)
{
    struct str halves[] = { S("am"), S("pm"), S("AM"), S("PM") };
    switch (p->kind) {
    case PIECE_NUMBER: put_number(b, p, *field_of(c, p)); break;
    case PIECE_YEAR2: put_number(b, p, c->year % 100); break;
    case PIECE_HOUR12: put_number(b, p, c->hour % 12 ? c->hour % 12 : 12); break;
    case PIECE_MONTH: buf_str(b, p->text.n == 3 ? str_sub(months[c->month - 1], 0, 3) : months[c->month - 1]); break;
    case PIECE_WEEKDAY: buf_str(b, p->text.n == 3 ? str_sub(weekdays[c->weekday], 0, 3) : weekdays[c->weekday]); break;
    case PIECE_HALF: buf_str(b, halves[2 * p->upper + (c->hour >= 12)]); break;
    case PIECE_ZONE_NAME: buf_str(b, S("UTC")); break;
    case PIECE_ZONE:
        if (p->text.p[0] == 'Z')
            buf_byte(b, 'Z');
        else
            buf_str(b, p->text.n == 6 ? S("+00:00") : p->text.n == 5 ? S("+0000") : S("+00"));
        break;
    case PIECE_FRACTION: put_fraction(b, p->text, c->ns); break;
    case PIECE_LITERAL: buf_str(b, p->text); break;
    }
}

void gotime_format(struct buf *b, int64_t unix_ns, struct str layout)
{
    struct civil c = civil_of(unix_ns);
    for (size_t i = 0; i < layout.n;) {
        struct piece p = next_piece(str_sub(layout, i, layout.n));
        put_piece(b, &p, &c);
        i += p.text.n;
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
static bool read_digits(struct reader *r, size_t min, size_t max, int *ret)
{
    size_t n = 0;
    int v = 0;
    for (; n < max && n < r->in.n && is_digit(r->in.p[n]); n++)
        v = v * 10 + (r->in.p[n] - '0');
    if (n < min)
        return false;
    r->in = str_sub(r->in, n, r->in.n);
    *ret = v;
    return true;
}

/* As many digits as the piece has; one or two where it is not padded. */
static bool read_number(struct reader *r, const struct piece *p, int *ret)
{
    if (p->pad == ' ' && str_starts(r->in, S(" ")))
        r->in = str_sub(r->in, 1, r->in.n);
    return p->pad == '0' ? read_digits(r, p->text.n, p->text.n, ret) : read_digits(r, 1, 2, ret);
}

static bool read_name(struct reader *r, const struct str *names, size_t count, bool brief, int *ret)
{
    for (size_t i = 0; i < count; i++) {
        struct str name = brief ? str_sub(names[i], 0, 3) : names[i];
        if (str_eq_nocase(str_sub(r->in, 0, name.n), name)) {
            r->in = str_sub(r->in, name.n, r->in.n);
            *ret = (int)i;
            return true;
        }
    }
    return false;
}

/* Z, or a sign with hours and, with or without a colon, minutes. */
static bool read_zone(struct reader *r, struct str text)
{
    if (text.p[0] == 'Z' && str_starts(r->in, S("Z"))) {
        r->in = str_sub(r->in, 1, r->in.n);
        return true;
    }
    bool minus = str_starts(r->in, S("-")), colon = str_index(text, ':') != SIZE_MAX;
    int hours, minutes = 0;
    if (!minus && !str_starts(r->in, S("+")))
        return false;
    r->in = str_sub(r->in, 1, r->in.n);
    if (!read_digits(r, 2, 2, &hours) || (colon && !str_starts(r->in, S(":"))))
        return false;
    r->in = str_sub(r->in, colon, r->in.n);
    if (text.n > 3 && !read_digits(r, 2, 2, &minutes))
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
    r->pm = str_eq_nocase(s, S("PM"));
    r->pm_set = r->pm || str_eq_nocase(s, S("AM"));
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

static bool read_literal(struct reader *r, struct str text)
{
    bool ok = str_starts(r->in, text);
    r->in = str_sub(r->in, text.n, r->in.n);
    return ok;
}

static bool read_year2(struct reader *r)
{
    bool ok = read_digits(r, 2, 2, &r->c.year);
    r->c.year += r->c.year >= 69 ? 1900 : 2000;
    return ok;
}

static bool read_month(struct reader *r, struct str text)
{
    bool ok = read_name(r, months, LEN(months), text.n == 3, &r->c.month);
    r->c.month++;
    return ok;
}

static bool read_piece(struct reader *r, const struct piece *p)
{
    switch (p->kind) {
    case PIECE_NUMBER:
    case PIECE_HOUR12: return read_number(r, p, field_of(&r->c, p));
    case PIECE_YEAR2: return read_year2(r);
    case PIECE_MONTH: return read_month(r, p->text);
    case PIECE_WEEKDAY: return read_name(r, weekdays, LEN(weekdays), p->text.n == 3, &r->c.weekday);
    case PIECE_HALF: return read_half(r);
    case PIECE_ZONE: return read_zone(r, p->text);
    case PIECE_ZONE_NAME: return read_zone_name(r);
    case PIECE_FRACTION: return read_fraction(r);
    case PIECE_LITERAL: return read_literal(r, p->text);
    }
    return false;
}

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* A fraction may stand behind the seconds even when the layout has none. */
static bool read_loose_fraction(struct reader *r, const struct piece *before, struct str rest)
{
    bool seconds = before->kind == PIECE_NUMBER && before->field == FIELD(second);
    return !seconds || fraction_length(rest) || !str_starts(r->in, S(".")) || str_starts(rest, S(".")) || read_fraction(r);
}

bool gotime_parse(struct str text, struct str layout, int64_t *ret_ns)
{
    struct reader r = { .in = text, .c = { .month = 1, .day = 1 } };
    struct piece before = { .kind = PIECE_LITERAL };
    for (size_t i = 0; i < layout.n; i += before.text.n) {
        struct str rest = str_sub(layout, i, layout.n);
        if (!read_loose_fraction(&r, &before, rest))
            return false;
        before = next_piece(rest);
        if (!read_piece(&r, &before))
            return false;
    }
    if (!read_loose_fraction(&r, &before, S("")))
        return false;
    struct civil *c = &r.c;
    if (r.pm_set)
        c->hour = c->hour % 12 + (r.pm ? 12 : 0);
    bool day = c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= month_days(c->year, c->month);
    if (r.in.n || !day || c->hour > 23 || c->minute > 59 || c->second > 59)
        return false;
    int64_t secs = days_from_civil(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second - r.offset_s;
    return !__builtin_mul_overflow(secs, NS_PER_S, ret_ns) && !__builtin_add_overflow(*ret_ns, c->ns, ret_ns);
}
