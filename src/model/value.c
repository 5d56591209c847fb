/* model/value.c -- one attribute value as text and as number. */
#include "model/value.h"

#include <string.h>

#include "base/num.h"

static struct str base64(const unsigned char *p, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t o = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t w = (uint32_t)p[i] << 16;
        if (i + 1 < n)
            w |= (uint32_t)p[i + 1] << 8;
        if (i + 2 < n)
            w |= p[i + 2];
        out[o++] = digits[w >> 18];
        out[o++] = digits[w >> 12 & 63];
        out[o++] = i + 1 < n ? digits[w >> 6 & 63] : '=';
        out[o++] = i + 2 < n ? digits[w & 63] : '=';
    }
    return (struct str){ out, o };
}

static size_t base64_size(size_t n)
{
    return (n + 2) / 3 * 4;
}

struct str value_text(const struct value *v, char scratch[VALUE_TEXT_MAX])
{
    switch (v->type) {
    case V_STR:
    case V_JSON:
        return v->s;
    case V_INT:
        return (struct str){ scratch, num_fmt_i64(scratch, v->i) };
    case V_DOUBLE:
        return (struct str){ scratch, num_fmt_f64(scratch, v->d) };
    case V_BOOL:
        return v->b ? S("true") : S("false");
    case V_BYTES: {
        size_t fit = VALUE_TEXT_MAX / 4 * 3;
        return base64((const unsigned char *)v->s.p, MIN(v->s.n, fit), scratch);
    }
    case V_NONE:
        break;
    }
    return S("");
}

struct str value_text_in(const struct value *v, struct arena *mem)
{
    if (v->type == V_BYTES)
        return base64((const unsigned char *)v->s.p, v->s.n, arena_alloc(mem, base64_size(v->s.n) + 1, 1));
    char scratch[VALUE_TEXT_MAX];
    struct str s = value_text(v, scratch);
    return s.p == scratch ? arena_str(mem, s) : s;
}

bool value_num(const struct value *v, double *ret)
{
    switch (v->type) {
    case V_INT:
        *ret = (double)v->i;
        return true;
    case V_DOUBLE:
        *ret = v->d;
        return true;
    case V_BOOL:
        *ret = v->b;
        return true;
    case V_STR:
        if (str_eq(v->s, S("true")) || str_eq(v->s, S("false"))) {
            *ret = v->s.n == 4;
            return true;
        }
        return str_to_f64(v->s, ret);
    case V_NONE:
    case V_BYTES:
    case V_JSON:
        break;
    }
    return false;
}

bool value_eq(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case V_NONE:
        return true;
    case V_INT:
        return a->i == b->i;
    case V_DOUBLE:
        return memcmp(&a->d, &b->d, sizeof a->d) == 0;   /* NaN equals itself, -0 is not 0 */
    case V_BOOL:
        return a->b == b->b;
    case V_STR:
    case V_BYTES:
    case V_JSON:
        return str_eq(a->s, b->s);
    }
    return false;
}
