/* base/num.c -- doubles and integers as text, the way Go prints them.
 *
 * Shortest digits that read back to the same double, in three steps:
 *  1. integers below 2^53: their own digits;
 *  2. decimals of at most 15 digits, where most money and ratios are: for each
 *     number of places k, m = round(v * 10^k) is tried; m and 10^k are exact, so
 *     m / 10^k rounds once, just as reading the text would. Two different
 *     decimals of 15 digits never share a double: the first k is the shortest;
 *  3. the rest: printf with 15 to 17 digits (subnormals: from 1), the first
 *     that reads back. Just above a power of two the doubles below are closer
 *     than those above, and there the next decimal up may read back where the
 *     nearest does not; it is tried too.
 * Step 1 and 2 are about 20 times faster than step 3.
 */
#include "base/num.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGITS_MAX = 17,                               /* always enough for a double */
    EXACT_PLACES = 22,                             /* 10^22 is the last power a double holds */
    NUM_G64_EXP = 6,                               /* where Go's shortest 'g' turns to exponents */
};
#define EXACT_INT 9007199254740992.0               /* 2^53 */

/* value = 0.d1d2d3... * 10^point, no zeros at either end. */
struct digits {
    char d[DIGITS_MAX + 1];
    int n, point;
};

/* `m` has to be above 0; trailing zeros go. */
static void digits_of_int(uint64_t m, int places, struct digits *ret)
{
    while (m % 10 == 0) {
        m /= 10;
        places--;
    }
    char text[20];
    int n = 0;
    for (; m; m /= 10)
        text[n++] = (char)('0' + m % 10);
    CHECK(n <= DIGITS_MAX);
    for (int i = 0; i < n; i++)
        ret->d[i] = text[n - 1 - i];
    ret->n = n;
    ret->point = n - places;
}

static bool digits_short(double v, struct digits *ret)
{
    static const double pow10[EXACT_PLACES + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    };
    for (int k = 0; k <= EXACT_PLACES; k++) {
        double m = nearbyint(v * pow10[k]);
        if (m >= 1e15)
            return false;
        if (m / pow10[k] == v) {
            digits_of_int((uint64_t)m, k, ret);
            return true;
        }
    }
    return false;
}

/* Reads "d.ddde+xx" as printed by %.*e. */
static void digits_of_text(const char *text, struct digits *ret)
{
    int n = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p != '.')
            ret->d[n++] = *p;
    CHECK(n > 0);
    ret->point = (int)strtol(p + 1, NULL, 10) + 1;
    while (n > 1 && ret->d[n - 1] == '0')
        n--;
    ret->n = n;
}

/* The decimal one unit in the last of `text`'s digits above it, if that reads back. */
static bool next_up_reads_back(char *text, double v)
{
    char *last = memchr(text, 'e', 32);
    if (!last || last == text || last[-1] == '9' || last[-1] == '.')
        return false;
    last[-1]++;
    return strtod(text, NULL) == v;
}

static void digits_long(double v, struct digits *ret)
{
    char text[40];
    int precision = v < DBL_MIN ? 1 : 15;
    int exp2;
    bool power_of_two = frexp(v, &exp2) == 0.5;
    for (; precision < DIGITS_MAX; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision - 1, v);
        if (strtod(text, NULL) == v || (power_of_two && next_up_reads_back(text, v))) {
            digits_of_text(text, ret);
            return;
        }
    }
    (void)snprintf(text, sizeof(text), "%.*e", DIGITS_MAX - 1, v);
    digits_of_text(text, ret);
}

/* v is finite and above 0. */
static void digits_shortest(double v, struct digits *ret)
{
    if (v < EXACT_INT && v == floor(v))
        digits_of_int((uint64_t)v, 0, ret);
    else if (v >= 1e15 || v < 1e-7 || !digits_short(v, ret))
        digits_long(v, ret);
}

static size_t put(char *out, struct str text)
{
    memcpy(out, text.p, text.n);
    return text.n;
}

/* Zero, NaN and the infinities; 0 if v is none of them. */
static size_t fmt_special(char *out, double v)
{
    if (isnan(v))
        return put(out, S("NaN"));
    if (isinf(v))
        return put(out, v > 0 ? S("+Inf") : S("-Inf"));
    if (v == 0)
        return put(out, signbit(v) ? S("-0") : S("0"));
    return 0;
}

/* Digits without an exponent. */
static size_t fmt_plain(char *out, const struct digits *d)
{
    char *p = out;
    if (d->point <= 0) {
        *p++ = '0';
        *p++ = '.';
        memset(p, '0', (size_t)-d->point);
        p += -d->point;
        memcpy(p, d->d, (size_t)d->n);
        return (size_t)(p + d->n - out);
    }
    int whole = MIN(d->n, d->point);
    memcpy(p, d->d, (size_t)whole);
    p += whole;
    memset(p, '0', (size_t)(d->point - whole));
    p += d->point - whole;
    if (d->n > whole) {
        *p++ = '.';
        memcpy(p, d->d + whole, (size_t)(d->n - whole));
        p += d->n - whole;
    }
    return (size_t)(p - out);
}

/* d.ddde+XX, at least two digits in the exponent. */
static size_t fmt_exponent(char *out, const struct digits *d)
{
    char *p = out;
    *p++ = d->d[0];
    if (d->n > 1) {
        *p++ = '.';
        memcpy(p, d->d + 1, (size_t)d->n - 1);
        p += d->n - 1;
    }
    int e = d->point - 1;
    *p++ = 'e';
    *p++ = e < 0 ? '-' : '+';
    unsigned u = (unsigned)(e < 0 ? -e : e);
    if (u >= 100)
        *p++ = (char)('0' + u / 100);
    *p++ = (char)('0' + u / 10 % 10);
    *p++ = (char)('0' + u % 10);
    return (size_t)(p - out);
}

size_t num_fmt_f64(char out[NUM_F64_MAX], double v)
{
    size_t n = fmt_special(out, v);
    if (n)
        return n;
    if (v < 0)
        out[n++] = '-';
    struct digits d;
    digits_shortest(fabs(v), &d);
    n += fmt_plain(out + n, &d);
    CHECK(n <= NUM_F64_MAX);
    return n;
}

size_t num_fmt_g64(char out[32], double v)
{
    size_t n = fmt_special(out, v);
    if (n)
        return n;
    if (v < 0)
        out[n++] = '-';
    struct digits d;
    digits_shortest(fabs(v), &d);
    int e = d.point - 1;
    n += e < -4 || e >= NUM_G64_EXP ? fmt_exponent(out + n, &d) : fmt_plain(out + n, &d);
    CHECK(n <= 32);
    return n;
}

size_t num_fmt_i64(char out[24], int64_t v)
{
    char text[20];
    size_t at = sizeof(text), n = 0;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        text[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0)
        out[n++] = '-';
    memcpy(out + n, text + at, sizeof(text) - at);
    return n + sizeof(text) - at;
}
