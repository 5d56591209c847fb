/* base/str.h -- borrowed bytes: a pointer and a length, passed by value.
 *
 * Owner:    whoever owns the bytes; a str never does.
 * Threads:  any.
 * Not NUL-terminated, may hold any byte. The all-zero value is the empty str.
 */
#pragma once
#include <string.h>

#include "base/base.h"

struct str {
    const char *p;
    size_t n;
};

#define S(lit)      ((struct str){ "" lit, sizeof(lit) - 1 })
#define STR_FMT     "%.*s"
#define STR_ARG(s)  ((int)(s).n), ((s).p ? (s).p : "")

struct str str_c(const char *z);                   /* of a NUL-terminated string */
static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool str_eq_nocase(struct str a, struct str b);    /* ASCII only */

static inline uint64_t bytes8(const char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline uint32_t bytes4(const char *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* str_eq() for hot loops over short texts, where a call costs more than the comparison: the
 * ends are compared in place, and they tell nearly all apart. */
static inline bool str_same(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    if (a.n < 4)
        return str_eq(a, b);
    if (a.n < 8)
        return bytes4(a.p) == bytes4(b.p) && bytes4(a.p + a.n - 4) == bytes4(b.p + b.n - 4);
    if (bytes8(a.p + a.n - 8) != bytes8(b.p + b.n - 8) || bytes8(a.p) != bytes8(b.p))
        return false;
    return a.n <= 16 || memcmp(a.p + 8, b.p + 8, a.n - 16) == 0;
}
int str_cmp(struct str a, struct str b);           /* bytewise, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
size_t str_find(struct str s, struct str needle);  /* offset, or SIZE_MAX */
size_t str_index(struct str s, char c);            /* offset, or SIZE_MAX */
struct str str_sub(struct str s, size_t from, size_t n); /* clipped to s */
struct str str_trim(struct str s);                 /* spaces, tabs, CR, LF */
/* Cuts at the first `c`: returns what is before it, leaves the rest in *s.
 * Without `c` all of *s is returned and *s becomes empty with p == NULL. */
struct str str_cut(struct str *s, char c);

/* Whole input or false; no blanks, no overflow. *ret is untouched on false. */
MUST bool str_to_i64(struct str s, int64_t *ret);
MUST bool str_to_u64(struct str s, uint64_t *ret);
/* Go's ParseFloat: decimal, exponent, hex floats, Inf, NaN, underscores not. */
MUST bool str_to_f64(struct str s, double *ret);
