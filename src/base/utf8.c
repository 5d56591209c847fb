/* base/utf8.c -- checking and encoding UTF-8. */
#include "base/utf8.h"

#include <string.h>

static bool cont(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_step(struct str s, size_t at)
{
    CHECK(at < s.n);
    const unsigned char *p = (const unsigned char *)s.p + at;
    size_t left = s.n - at;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)                /* a tail byte, overlong, or past U+10FFFF */
        return 0;
    if (p[0] < 0xe0)
        return left > 1 && cont(p[1]) ? 2 : 0;
    if (p[0] < 0xf0) {
        if (left < 3 || !cont(p[1]) || !cont(p[2]))
            return 0;
        bool overlong = p[0] == 0xe0 && p[1] < 0xa0, surrogate = p[0] == 0xed && p[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (left < 4 || !cont(p[1]) || !cont(p[2]) || !cont(p[3]))
        return 0;
    bool overlong = p[0] == 0xf0 && p[1] < 0x90, past = p[0] == 0xf4 && p[1] > 0x8f;
    return overlong || past ? 0 : 4;
}

/* Only ASCII, and at most a word. */
static bool is_short_ascii(struct str s)
{
    unsigned char all = 0;
    for (size_t i = 0; i < s.n; i++)
        all |= (unsigned char)s.p[i];
    return all < 0x80;
}

bool utf8_valid(struct str s)
{
    size_t i = 0;
    if (s.n < sizeof(uint64_t) && is_short_ascii(s))
        return true;
    while (i < s.n) {
        uint64_t w;
        if (s.n - i >= sizeof(w)) {                /* eight ASCII bytes at a time */
            memcpy(&w, s.p + i, sizeof(w));
            if (!(w & UINT64_C(0x8080808080808080))) {
                i += sizeof(w);
                continue;
            }
        } else if (is_short_ascii(str_sub(s, i, s.n))) {
            return true;
        }
        size_t n = utf8_step(s, i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t utf8_encode(char out[4], uint32_t c)
{
    CHECK(c <= 0x10ffff);
    if (c >= 0xd800 && c <= 0xdfff)
        c = 0xfffd;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}
