/* base/zone.c -- a zone file: moments at which the offset changes, and a rule for after them.
 *
 *     "TZif" version, six counts | 32-bit data | the same again with 64-bit times | "\n" rule "\n"
 *
 * Files of version 1 have only the first block. The rule is a POSIX TZ text; it holds after the
 * last moment listed ("CET-1CEST,M3.5.0,M10.5.0/3"). Leap seconds are not counted: Unix time has none.
 *
 * Local to Unix time is a search over the two offsets around: an hour that does not exist has
 * no moment, and the first one after it is taken; of one that comes twice the earlier is taken.
 */
#include "base/zone.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/num.h"

enum { CHANGES_MAX = 8192, TYPES_MAX = 256, HEADER = 44, DAY = 86400, OFFSET_MAX = 7 * DAY };

/* A moment in a year, as rules say it. */
struct rule_day {
    enum { RULE_JULIAN, RULE_ZERO_BASED, RULE_WEEKDAY } kind;
    int month, week, day;                          /* RULE_WEEKDAY; else day alone */
    int32_t time;                                  /* seconds after midnight */
};

struct rule {
    bool given, summer;
    int32_t std, dst;
    struct rule_day from, to;                      /* of summer time */
};

struct zone {
    uint32_t n;
    int64_t *at;                                   /* ascending */
    int32_t *offset;                               /* from at[i] on */
    int32_t first;                                 /* before at[0] */
    struct rule rule;
};

/* ---- the rule --------------------------------------------------------------------- */

struct text {
    const char *p, *end;
    bool bad;
};

static char peek(const struct text *t)
{
    return t->p < t->end ? *t->p : 0;
}

static bool take(struct text *t, char c)
{
    if (peek(t) != c)
        return false;
    t->p++;
    return true;
}

static int32_t number(struct text *t, int32_t max)
{
    int32_t v = 0;
    const char *from = t->p;
    while (t->p < t->end && *t->p >= '0' && *t->p <= '9' && v <= max)
        v = v * 10 + (*t->p++ - '0');
    t->bad = t->bad || t->p == from || v > max;
    return v;
}

/* name := letter+ | "<" any ">" */
static void zone_name(struct text *t)
{
    const char *from = t->p;
    if (take(t, '<')) {
        while (t->p < t->end && *t->p != '>')
            t->p++;
        t->bad = t->bad || !take(t, '>');
        return;
    }
    while ((peek(t) | 32) >= 'a' && (peek(t) | 32) <= 'z')
        t->p++;
    t->bad = t->bad || t->p - from < 3;
}

/* clock := ["+" | "-"] hours [":" minutes [":" seconds]] */
static int32_t clock_time(struct text *t)
{
    int32_t sign = take(t, '-') ? -1 : 1;
    if (sign > 0)
        (void)take(t, '+');
    int32_t s = number(t, 167) * 3600;
    if (take(t, ':'))
        s += number(t, 59) * 60;
    if (take(t, ':'))
        s += number(t, 59);
    return sign * s;
}

/* day := ("M" month "." week "." weekday | "J" 1-365 | 0-365) ["/" clock] */
static struct rule_day rule_day(struct text *t)
{
    struct rule_day d = { .time = 2 * 3600 };
    if (take(t, 'M')) {
        d.kind = RULE_WEEKDAY;
        d.month = number(t, 12);
        t->bad = t->bad || !take(t, '.') || d.month < 1;
        d.week = number(t, 5);
        t->bad = t->bad || !take(t, '.') || d.week < 1;
        d.day = number(t, 6);
    } else if (take(t, 'J')) {
        d.kind = RULE_JULIAN;
        d.day = number(t, 365);
        t->bad = t->bad || d.day < 1;
    } else {
        d.kind = RULE_ZERO_BASED;
        d.day = number(t, 365);
    }
    if (take(t, '/'))
        d.time = clock_time(t);
    return d;
}

/* rule := name clock [name [clock] "," day "," day]; its offsets are west of UTC. */
static bool parse_rule(struct str s, struct rule *ret)
{
    struct text t = { s.p, s.p + s.n, false };
    struct rule r = { .given = true };
    zone_name(&t);
    r.std = -clock_time(&t);
    if (t.p < t.end && !t.bad) {
        r.summer = true;
        zone_name(&t);
        r.dst = peek(&t) == ',' ? r.std + 3600 : -clock_time(&t);
        t.bad = t.bad || !take(&t, ',');
        r.from = rule_day(&t);
        t.bad = t.bad || !take(&t, ',');
        r.to = rule_day(&t);
    }
    if (t.bad || t.p != t.end)
        return false;
    *ret = r;
    return true;
}

static bool is_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Seconds since 1970 on that wall, as if it were UTC. */
static int64_t rule_moment(const struct rule_day *d, int64_t year)
{
    int64_t day;
    if (d->kind == RULE_JULIAN) {                  /* February 29 is not counted */
        day = date_days(year, 1, 1) + d->day - 1 + (is_leap(year) && d->day >= 60);
    } else if (d->kind == RULE_ZERO_BASED) {
        day = date_days(year, 1, 1) + d->day;
    } else {
        int64_t first = date_days(year, d->month, 1);
        int64_t next = d->month == 12 ? date_days(year + 1, 1, 1) : date_days(year, d->month + 1, 1);
        day = first + (d->day - (first + 4) % 7 + 7) % 7 + 7 * (d->week - 1);      /* 1970-01-01 was a Thursday */
        while (day >= next)
            day -= 7;                              /* the fifth is the last one */
    }
    return day * DAY + d->time;
}

static int32_t rule_offset(const struct rule *r, int64_t unix_s)
{
    if (!r->summer)
        return r->std;
    int y, m, d;
    int64_t wall = unix_s + r->std;
    date_of_days(wall / DAY - (wall % DAY < 0), &y, &m, &d);
    int64_t from = rule_moment(&r->from, y) - r->std, to = rule_moment(&r->to, y) - r->dst;
    bool summer = from < to ? unix_s >= from && unix_s < to : unix_s >= from || unix_s < to;
    return summer ? r->dst : r->std;
}

/* ---- the file ---------------------------------------------------------------------- */

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static int64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

/* False: not a header, or counts beyond what a zone can have. */
static bool read_header(struct str b, struct counts *c)
{
    const uint8_t *p = (const uint8_t *)b.p;
    if (b.n < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    uint32_t *all[] = { &c->isut, &c->isstd, &c->leap, &c->time, &c->type, &c->chars };
    for (size_t i = 0; i < LEN(all); i++) {
        int64_t v = big_endian(p + 20 + 4 * i, 4);
        if (v < 0 || v > CHANGES_MAX)
            return false;
        *all[i] = (uint32_t)v;
    }
    return c->type >= 1 && c->type <= TYPES_MAX;
}

static size_t block_bytes(const struct counts *c, size_t time_bytes)
{
    return c->time * (time_bytes + 1) + (size_t)c->type * 6 + c->chars + c->leap * (time_bytes + 4) + c->isstd + c->isut;
}

/* p: the block after its header, which has room for all of it. */
static bool read_block(const uint8_t *p, const struct counts *c, size_t time_bytes, struct zone *z)
{
    const uint8_t *kinds = p + c->time * time_bytes, *types = kinds + c->time;
    z->at = mem_alloc((c->time + 1) * sizeof *z->at);
    z->offset = mem_alloc((c->time + 1) * sizeof *z->offset);
    z->n = c->time;
    z->first = (int32_t)big_endian(types, 4);
    bool fine = z->first > -OFFSET_MAX && z->first < OFFSET_MAX;
    for (uint32_t i = 0; i < c->time && fine; i++) {
        z->at[i] = big_endian(p + i * time_bytes, time_bytes);
        fine = kinds[i] < c->type && (i == 0 || z->at[i] > z->at[i - 1]);
        int64_t offset = fine ? big_endian(types + 6 * kinds[i], 4) : 0;
        z->offset[i] = (int32_t)offset;
        fine = fine && offset > -OFFSET_MAX && offset < OFFSET_MAX;
    }
    return fine;
}

static bool read_zone(struct str b, struct zone *z)
{
    struct counts c;
    if (!read_header(b, &c))
        return false;
    size_t first = HEADER + block_bytes(&c, 4);
    if (first > b.n)
        return false;
    if (((const uint8_t *)b.p)[4] < '2')
        return read_block((const uint8_t *)b.p + HEADER, &c, 4, z);

    struct str rest = str_sub(b, first, b.n);
    if (!read_header(rest, &c) || HEADER + block_bytes(&c, 8) > rest.n)
        return false;
    if (!read_block((const uint8_t *)rest.p + HEADER, &c, 8, z))
        return false;
    struct str rule = str_sub(rest, HEADER + block_bytes(&c, 8), rest.n);
    if (rule.n < 2 || rule.p[0] != '\n' || rule.p[rule.n - 1] != '\n')
        return false;
    rule = str_sub(rule, 1, rule.n - 2);
    return !rule.n || parse_rule(rule, &z->rule);
}

static void zone_freep(void *pp)
{
    zone_free(*(struct zone **)pp);
}

enum err zone_parse(struct str bytes, struct zone **ret, struct fault *f)
{
    CLEANUP(zone_freep) struct zone *z = mem_alloc(sizeof *z);
    if (!read_zone(bytes, z))
        return fault_set(f, E_CORRUPT, 0, "this is no zone file");
    *ret = TAKE(z);
    return OK;
}

/* Names come from people: a path must not leave the folder of zones. */
static bool is_zone_name(struct str s)
{
    if (!s.n || s.n > ZONE_NAME_MAX || s.p[0] == '/' || str_find(s, S("..")) != SIZE_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && c != '/' && c != '_' && c != '-' && c != '+')
            return false;
    }
    return true;
}

enum err zone_load(struct str name, struct zone **ret, struct fault *f)
{
    static const char *const folders[] = { "/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/var/db/timezone/zoneinfo" };
    if (str_eq(name, S("UTC"))) {
        *ret = mem_alloc(sizeof **ret);            /* no changes, offset 0 */
        return OK;
    }
    bool local = str_eq(name, S("local"));
    if (!local && !is_zone_name(name))
        return fault_set(f, E_NOTFOUND, 0, "\"" STR_FMT "\" is no time zone such as Europe/Berlin, UTC or local",
                         STR_ARG(str_sub(name, 0, ZONE_NAME_MAX)));
    CLEANUP(buf_done) struct buf b = { 0 };
    enum err e = E_NOTFOUND;
    for (size_t i = 0; i < (local ? 1 : LEN(folders)) && e == E_NOTFOUND; i++) {
        char path[256];
        if (local)
            snprintf(path, sizeof path, "/etc/localtime");
        else
            snprintf(path, sizeof path, "%s/" STR_FMT, folders[i], STR_ARG(name));
        e = file_read(path, ZONE_FILE_MAX, &b, f);
    }
    if (e == E_NOTFOUND && local)                  /* a machine that says nothing is in UTC */
        return zone_load(S("UTC"), ret, f);
    if (e == E_NOTFOUND)
        return fault_set(f, E_NOTFOUND, 0, "there is no time zone \"" STR_FMT "\" on this machine; a name such as Europe/Berlin "
                         "is wanted, and the package tzdata", STR_ARG(name));
    return e ? e : zone_parse(buf_view(&b), ret, f);
}

void zone_free(struct zone *z)
{
    if (!z)
        return;
    mem_free(z->at);
    mem_free(z->offset);
    mem_free(z);
}

/* ---- asking ------------------------------------------------------------------------- */

int32_t zone_offset(const struct zone *z, int64_t unix_s)
{
    if (!z->n || unix_s < z->at[0])
        return z->n || !z->rule.given ? z->first : rule_offset(&z->rule, unix_s);
    if (unix_s >= z->at[z->n - 1] && z->rule.given)
        return rule_offset(&z->rule, unix_s);
    uint32_t lo = 0, hi = z->n;                    /* at[lo] <= unix_s < at[hi] */
    while (hi - lo > 1) {
        uint32_t mid = (lo + hi) / 2;
        if (z->at[mid] <= unix_s)
            lo = mid;
        else
            hi = mid;
    }
    return z->offset[lo];
}

int64_t zone_day_begin(const struct zone *z, int64_t year, int64_t month, int64_t day)
{
    int64_t wall = date_days(year, month, day) * DAY;
    int64_t a = wall - zone_offset(z, wall - DAY), b = wall - zone_offset(z, wall + DAY);
    int64_t early = MIN(a, b), late = MAX(a, b);
    if (early + zone_offset(z, early) == wall)
        return early;
    if (late + zone_offset(z, late) == wall)
        return late;
    /* Midnight does not exist: the jump lies between the two, and the day begins with it. */
    while (early < late) {
        int64_t mid = early + (late - early) / 2;
        if (mid + zone_offset(z, mid) >= wall)
            late = mid;
        else
            early = mid + 1;
    }
    return late;
}

void zone_date(const struct zone *z, int64_t unix_s, int *ret_y, int *ret_m, int *ret_d)
{
    int64_t wall = unix_s + zone_offset(z, unix_s);
    date_of_days(wall / DAY - (wall % DAY < 0), ret_y, ret_m, ret_d);
}
