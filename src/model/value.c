/* model/value.c -- one attribute value as text and as number. */
#include "model/value.h"

#include <string.h>

#include "base/base64.h"
#include "base/num.h"

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
        return (struct str){ scratch, base64_encode(str_sub(v->s, 0, fit), scratch) };
    }
    case V_NONE:
        break;
    }
    return S("");
}

struct str value_text_in(const struct value *v, struct arena *mem)
{
    if (v->type == V_BYTES)
        return base64_text(v->s, mem);
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
