/* base/str_num.c -- text to numbers, as strict as Go's strconv.
 *
 * A double is read in three steps: the grammar is checked by hand (strtod takes
 * blanks, "0x" without digits and more that Go refuses), short decimals are then
 * computed exactly (an integer below 2^53 times or divided by a power of ten up
 * to 10^22 rounds once), and only what is left goes to strtod, which needs a
 * terminated copy. The C locale is never changed, so the point is a point.
 */
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool str_to_u64(struct str s, uint64_t *ret)
{
    if (s.n == 0)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
        if (d > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *ret)
{
    bool neg = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_sub(s, 1, s.n);
    uint64_t v;
    if (!str_to_u64(s, &v) || v > (uint64_t)INT64_MAX + neg)
        return false;
    *ret = neg ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* What the grammar found: value = +-mant * 10^exp10 where `exact` holds. */
struct scan {
    uint64_t mant;
    int64_t exp10;
    int digits;                                    /* significant digits in mant */
    bool neg, hex, exact;
};

static int digit_of(char c, bool hex)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (hex && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

enum { MANT_DIGITS_MAX = 19, EXP_MAX = 100000 };

/* digits := digit* [ "." digit* ], at least one digit. Returns what follows. */
static const char *scan_digits(const char *p, const char *end, struct scan *x)
{
    bool any = false, point = false;
    x->exact = !x->hex;
    for (; p < end; p++) {
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        int d = digit_of(*p, x->hex);
        if (d < 0)
            break;
        any = true;
        if (x->digits >= MANT_DIGITS_MAX) {
            x->exact = false;
            continue;
        }
        x->mant = x->mant * 10 + (unsigned)d;
        x->digits += x->mant != 0;
        x->exp10 -= point;
    }
    return any ? p : NULL;
}

/* exponent := ("e" | "p") [sign] digit+. Hex floats must have one, as in Go. */
static bool scan_exponent(const char *p, const char *end, struct scan *x)
{
    if (p == end)
        return !x->hex;
    if ((*p | 0x20) != (x->hex ? 'p' : 'e'))
        return false;
    p++;
    bool neg = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end)
        return false;
    int64_t e = 0;
    for (; p < end; p++) {
        int d = digit_of(*p, false);
        if (d < 0)
            return false;
        if (e < EXP_MAX)
            e = e * 10 + d;
    }
    x->exp10 += neg ? -e : e;
    return true;
}

static bool scan_number(struct str s, struct scan *x)
{
    const char *p = s.p, *end = s.p + s.n;
    x->neg = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
        x->hex = true;
        p += 2;
    }
    p = scan_digits(p, end, x);
    return p && scan_exponent(p, end, x);
}

static bool special(struct str s, double *ret)
{
    if (str_eq_nocase(s, S("nan"))) {
        *ret = (double)NAN;
        return true;
    }
    bool neg = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_sub(s, 1, s.n);
    if (!str_eq_nocase(s, S("inf")) && !str_eq_nocase(s, S("infinity")))
        return false;
    *ret = neg ? -HUGE_VAL : HUGE_VAL;
    return true;
}

static bool by_strtod(struct str s, double *ret)
{
    char small[128];
    CLEANUP(mem_freep) char *big = s.n < sizeof(small) ? NULL : mem_alloc(s.n + 1);
    char *z = big ? big : small;
    memcpy(z, s.p, s.n);
    z[s.n] = '\0';

    char *end;
    double v = strtod(z, &end);
    CHECK(end == z + s.n);                         /* the grammar was checked before */
    if (isinf(v))
        return false;                              /* out of range */
    *ret = v;
    return true;
}

bool str_to_f64(struct str s, double *ret)
{
    /* All powers of ten that a double holds exactly. */
    static const double pow10[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    if (s.n == 0)
        return false;
    struct scan x = { 0 };
    if (!scan_number(s, &x))
        return special(s, ret);

    if (x.exact && x.mant <= UINT64_C(1) << 53 && x.exp10 >= -22 && x.exp10 <= 22) {
        double v = (double)x.mant;
        v = x.exp10 < 0 ? v / pow10[-x.exp10] : v * pow10[x.exp10];
        *ret = x.neg ? -v : v;
        return true;
    }
    return by_strtod(s, ret);
}
