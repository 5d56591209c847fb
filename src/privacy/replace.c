/* privacy/replace.c -- what stands in the place of a value: a hash, or its beginning.
 *
 *     hash   anon-0123456789abcdef0123456789abcdef    the first 128 bits of HMAC-SHA-256
 *     cut    the first characters[cut 1234 characters]
 *
 * 1. Redacting twice is redacting once, since a value may pass rules more than once (a
 *    gateway before this one, a resend of what was read from here): both forms are known
 *    and left alone, whole or inside of a text. Nothing can hide in them.
 * 2. The hash has no name in it: the same address is the same hash as an attribute, as a
 *    label and in the middle of a line.
 */
#include "base/secret.h"
#include "base/utf8.h"
#include "privacy/privacy_int.h"

#include <string.h>

enum { HASH_BYTES = 16, DIGITS_MAX = 20 };

#define HASH_PREFIX S("anon-")
#define CUT_PREFIX  S("[cut ")
#define CUT_SUFFIX  S(" characters]")

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Bytes of the hash or mark that `s` begins with, or 0. */
static size_t replaced(struct str s)
{
    if (str_starts(s, HASH_PREFIX) && s.n >= HASH_PREFIX.n + 2 * HASH_BYTES) {
        for (size_t i = 0; i < 2 * HASH_BYTES; i++)
            if (!is_hex(s.p[HASH_PREFIX.n + i]))
                return 0;
        return HASH_PREFIX.n + 2 * HASH_BYTES;
    }
    if (!str_starts(s, CUT_PREFIX))
        return 0;
    size_t i = CUT_PREFIX.n;
    while (i < s.n && i < CUT_PREFIX.n + DIGITS_MAX && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    bool number = i > CUT_PREFIX.n;
    return number && str_starts(str_sub(s, i, s.n), CUT_SUFFIX) ? i + CUT_SUFFIX.n : 0;
}

/* Where the next hash or mark from `from` on begins; s.n if there is none. */
static size_t next_replaced(struct str s, size_t from)
{
    while (from < s.n) {
        struct str rest = str_sub(s, from, s.n);
        size_t hash = str_find(rest, HASH_PREFIX), cut = str_find(rest, CUT_PREFIX), first = MIN(hash, cut);
        if (first == SIZE_MAX)
            break;
        if (replaced(str_sub(rest, first, rest.n)))
            return from + first;
        from += first + 1;
    }
    return s.n;
}

struct str value_hash(const struct privacy *p, struct str value, struct arena *mem)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum[SECRET_HASH_BYTES];
    if (!value.n || replaced(value) == value.n)
        return value;
    secret_keyed(p->key, value, sum);
    char *out = arena_alloc(mem, HASH_PREFIX.n + 2 * HASH_BYTES, 1);
    memcpy(out, HASH_PREFIX.p, HASH_PREFIX.n);
    for (size_t i = 0; i < HASH_BYTES; i++) {
        out[HASH_PREFIX.n + 2 * i] = digits[sum[i] >> 4];
        out[HASH_PREFIX.n + 2 * i + 1] = digits[sum[i] & 15];
    }
    return (struct str){ out, HASH_PREFIX.n + 2 * HASH_BYTES };
}

/* Bytes of the first `keep` characters; *ret_more: how many follow. */
static size_t characters(struct str s, uint32_t keep, size_t *ret_more)
{
    size_t at = 0, kept = s.n, n = 0;
    while (at < s.n) {
        if (n == keep)
            kept = at;
        size_t step = utf8_step(s, at);
        at += step ? step : 1;
        n++;
    }
    *ret_more = n > keep ? n - keep : 0;
    return kept;
}

struct str value_cut(struct str value, uint32_t keep, struct arena *mem)
{
    size_t more, n = characters(value, keep, &more);
    if (!more || replaced(str_sub(value, n, value.n)) == value.n - n)
        return value;
    size_t mark = next_replaced(value, 0);         /* fewer characters and a mark: cut before */
    if (mark < n && replaced(str_sub(value, mark, value.n)) == value.n - mark)
        return value;
    struct str tail = arena_fmt(mem, STR_FMT "%zu" STR_FMT, STR_ARG(CUT_PREFIX), more, STR_ARG(CUT_SUFFIX));
    char *out = arena_alloc(mem, n + tail.n, 1);
    memcpy(out, value.p, n);
    memcpy(out + n, tail.p, tail.n);
    return (struct str){ out, n + tail.n };
}

/* ---- inside of a text ------------------------------------------------------------ */

struct edit {
    const struct privacy *p;
    const struct rule *r;
    struct arena *mem;
    struct str text;
    char *out;                                     /* NULL: nothing changed so far */
    size_t n, cap;
    size_t kept;                                   /* text up to here is in `out` */
};

static void put(struct edit *e, struct str s)
{
    if (e->n + s.n > e->cap) {
        size_t cap = MAX(e->cap * 2, e->n + s.n + e->text.n / 4 + 64);
        e->out = arena_grow(e->mem, e->out, e->cap, cap, 1);
        e->cap = cap;
    }
    if (s.n)
        memcpy(e->out + e->n, s.p, s.n);
    e->n += s.n;
}

static void replace(struct edit *e, struct str found)
{
    struct str by = e->r->action == ACTION_HASH ? value_hash(e->p, found, e->mem) : value_cut(found, e->r->keep, e->mem);
    if (by.p == found.p)
        return;
    size_t at = (size_t)(found.p - e->text.p);
    put(e, str_sub(e->text, e->kept, at - e->kept));
    put(e, by);
    e->kept = at + found.n;
}

/* The stretch [from, to) of the text, in which nothing was replaced before. */
static void edit_stretch(struct edit *e, size_t from, size_t to)
{
    struct str s = str_sub(e->text, from, to - from), found[2];
    uint32_t groups = regex_groups(e->r->match) ? 2 : 1;
    size_t at = 0;
    while (at <= s.n && regex_find(e->r->match, s, at, found, groups)) {
        struct str one = found[groups - 1].p ? found[groups - 1] : found[0];
        size_t end = (size_t)(found[0].p - s.p) + found[0].n;
        if (one.n && !(e->r->unless && regex_match(e->r->unless, one)))
            replace(e, one);
        if (found[0].n) {
            at = end;
        } else {                                   /* a match of nothing: a character further */
            size_t step = end < s.n ? utf8_step(s, end) : 1;
            at = end + (step ? step : 1);
        }
    }
}

/* Whether one of the bytes that every match holds is there. */
static bool may_match(const struct rule *r, struct str s)
{
    if (!r->needs.n)
        return true;
    bool needed[256] = { 0 };
    for (size_t i = 0; i < r->needs.n; i++)
        needed[(unsigned char)r->needs.p[i]] = true;
    for (size_t i = 0; i < s.n; i++)
        if (needed[(unsigned char)s.p[i]])
            return true;
    return false;
}

struct str value_matches(const struct privacy *p, const struct rule *r, struct str value, struct arena *mem)
{
    if (!value.n || !may_match(r, value))
        return value;
    struct edit e = { .p = p, .r = r, .mem = mem, .text = value };
    size_t from = 0;
    while (from < value.n) {
        size_t to = next_replaced(value, from);
        edit_stretch(&e, from, to);
        from = to < value.n ? to + replaced(str_sub(value, to, value.n)) : to;
    }
    if (!e.out)
        return value;
    put(&e, str_sub(value, e.kept, value.n));
    return (struct str){ e.out, e.n };
}
