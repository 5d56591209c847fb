/* base/buf.c -- a growing byte buffer with a maximum.
 *
 * Invariants: n <= cap <= max(max, 0); once `bad` is set nothing is appended
 * until buf_clear(), so what is there is always a prefix of what was meant.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

enum { BUF_FIRST = 256 };                          /* a small answer needs no second step */

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){ .max = max_bytes };
}

void buf_done(struct buf *b)
{
    mem_free(b->p);
    *b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->bad = false;
}

char *buf_room(struct buf *b, size_t n)
{
    CHECK(b->n <= b->cap);
    if (b->bad || n > b->max || b->n > b->max - n) {
        b->bad = true;
        return NULL;
    }
    if (n > b->cap - b->n || !b->p) {
        size_t want = b->cap > b->max / 2 ? b->max : MAX(b->cap * 2, (size_t)BUF_FIRST);
        want = MIN(MAX(want, b->n + n), b->max);
        b->p = mem_resize(b->p, want);
        b->cap = want;
    }
    return b->p + b->n;
}

void buf_grew(struct buf *b, size_t n)
{
    CHECK(!b->bad && n <= b->cap - b->n);
    b->n += n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    char *at = buf_room(b, n);
    if (!at || n == 0)
        return;
    memcpy(at, p, n);
    b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
    buf_put(b, s.p, s.n);
}

void buf_byte(struct buf *b, char c)
{
    char *at = buf_room(b, 1);
    if (!at)
        return;
    *at = c;
    b->n++;
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    char small[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    if ((size_t)n < sizeof(small)) {
        buf_put(b, small, (size_t)n);
        return;
    }

    /* vsnprintf ends with a NUL, which must not count against the maximum. */
    CLEANUP(mem_freep) char *big = mem_alloc((size_t)n + 1);
    va_start(ap, fmt);
    CHECK(vsnprintf(big, (size_t)n + 1, fmt, ap) == n);
    va_end(ap);
    buf_put(b, big, (size_t)n);
}

void buf_u64(struct buf *b, uint64_t v)
{
    char text[20];
    size_t i = sizeof(text);
    do {
        text[--i] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_put(b, text + i, sizeof(text) - i);
}

void buf_i64(struct buf *b, int64_t v)
{
    char text[24];
    buf_put(b, text, num_fmt_i64(text, v));
}

void buf_f64(struct buf *b, double v)
{
    char text[NUM_F64_MAX];
    buf_put(b, text, num_fmt_f64(text, v));
}

struct str buf_view(const struct buf *b)
{
    return (struct str){ b->p, b->n };
}
