/* base/base64.c -- three bytes are four digits. */
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(struct str s, char *out)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t o = 0;
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        uint32_t w = (uint32_t)p[i] << 16;
        w |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        w |= left > 2 ? p[i + 2] : 0;
        out[o++] = digits[w >> 18];
        out[o++] = digits[w >> 12 & 63];
        out[o++] = left > 1 ? digits[w >> 6 & 63] : '=';
        out[o++] = left > 2 ? digits[w & 63] : '=';
    }
    CHECK(o == base64_size(s.n));
    return o;
}

struct str base64_text(struct str s, struct arena *mem)
{
    char *out = arena_alloc(mem, base64_size(s.n) + 1, 1);
    return (struct str){ out, base64_encode(s, out) };
}

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool base64_decode(struct str s, char *out, size_t *ret_n)
{
    size_t n = 0;
    uint32_t bits = 0, have = 0;
    while (s.n && s.p[s.n - 1] == '=')
        s.n--;
    for (size_t i = 0; i < s.n; i++) {
        int d = digit_of(s.p[i]);
        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 0xff);
        }
    }
    if (have == 6)                                 /* a digit alone holds no byte */
        return false;
    *ret_n = n;
    return true;
}
