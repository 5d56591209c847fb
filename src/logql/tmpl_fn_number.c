/* logql/tmpl_fn_number.c -- arithmetic, sizes and durations.
 *
 * add, sub, ... work on integers; addf, mulf, ... on decimals: 0.019604 + 1.5 is
 * 1.519604, not what two doubles make of it. Decimals are kept as an integer and a
 * power of ten; where that does not fit, doubles do.
 */
#include "logql/tmpl_int.h"

#include <math.h>

#include "base/clock.h"
#include "base/num.h"
#include "logql/text.h"

/* ---- integers ---------------------------------------------------------------------------- */

enum int_op { OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_MAX, OP_MIN };

static bool fold_int(struct run *r, enum int_op op, const struct tval *a, uint32_t n, struct tval *ret)
{
    int64_t v = tv_to_int(a[0]);
    for (uint32_t i = 1; i < n; i++) {
        int64_t x = tv_to_int(a[i]);
        if ((op == OP_DIV || op == OP_MOD) && (!x || (x == -1 && v == INT64_MIN)))
            return run_fail(r, "error calling %s: runtime error: integer divide by zero", op == OP_DIV ? "div" : "mod");
        switch (op) {                              /* wraps around, as Go's integers do */
        case OP_ADD: v = (int64_t)((uint64_t)v + (uint64_t)x); break;
        case OP_SUB: v = (int64_t)((uint64_t)v - (uint64_t)x); break;
        case OP_MUL: v = (int64_t)((uint64_t)v * (uint64_t)x); break;
        case OP_DIV: v /= x; break;
        case OP_MOD: v %= x; break;
        case OP_MAX: v = MAX(v, x); break;
        case OP_MIN: v = MIN(v, x); break;
        }
    }
    *ret = tv_int(v);
    return true;
}

#define INT_FN(name, op)                                                                                               \
    static bool name(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)                                \
    {                                                                                                                  \
        return fold_int(r, op, a, n, ret);                                                                             \
    }

INT_FN(fn_add, OP_ADD)
INT_FN(fn_sub, OP_SUB)
INT_FN(fn_mul, OP_MUL)
INT_FN(fn_div, OP_DIV)
INT_FN(fn_mod, OP_MOD)
INT_FN(fn_max, OP_MAX)
INT_FN(fn_min, OP_MIN)

static bool fn_int(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)r, (void)n;
    *ret = tv_int(tv_to_int(a[0]));
    return true;
}

/* ---- decimals ------------------------------------------------------------------------------ */

__extension__ typedef __int128 int128;

struct decimal {
    int128 m;
    int e;                                         /* m * 10^e */
};

enum { DECIMAL_DIGITS_MAX = 30, DIV_PLACES = 16 };

static bool decimal_of(double d, struct decimal *ret)
{
    char text[NUM_F64_MAX];
    size_t n = num_fmt_f64(text, d), digits = 0;
    struct decimal v = { 0 };
    bool point = false;
    if (!isfinite(d))
        return false;
    for (size_t i = text[0] == '-'; i < n; i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        if (++digits > DECIMAL_DIGITS_MAX)
            return false;
        v.m = v.m * 10 + (text[i] - '0');
        v.e -= point;
    }
    if (text[0] == '-')
        v.m = -v.m;
    *ret = v;
    return true;
}

static bool scale(struct decimal *v, int e)
{
    for (; v->e > e; v->e--)
        if (__builtin_mul_overflow(v->m, (int128)10, &v->m))
            return false;
    return true;
}

static double decimal_double(struct decimal v)
{
    char text[64];
    size_t n = sizeof text;
    int128 m = v.m < 0 ? -v.m : v.m;
    do
        text[--n] = (char)('0' + (int)(m % 10));
    while (m /= 10);
    if (v.m < 0)
        text[--n] = '-';
    char all[96];
    size_t len = 0;
    for (size_t i = n; i < sizeof text; i++)
        all[len++] = text[i];
    all[len++] = 'e';
    len += num_fmt_i64(all + len, v.e);
    double d = 0;
    return str_to_f64((struct str){ all, len }, &d) ? d : 0;
}

static bool decimal_op(enum int_op op, struct decimal a, struct decimal b, struct decimal *ret)
{
    if (op == OP_MUL) {
        ret->e = a.e + b.e;
        return !__builtin_mul_overflow(a.m, b.m, &ret->m);
    }
    int e = MIN(a.e, b.e);
    if (!scale(&a, e) || !scale(&b, e))
        return false;
    ret->e = e;
    if (op == OP_ADD)
        return !__builtin_add_overflow(a.m, b.m, &ret->m);
    if (op == OP_SUB)
        return !__builtin_sub_overflow(a.m, b.m, &ret->m);
    /* A quotient has sixteen places, rounded half up. */
    ret->e = -DIV_PLACES;
    for (int i = 0; i < DIV_PLACES; i++)
        if (__builtin_mul_overflow(a.m, (int128)10, &a.m))
            return false;
    int128 rest = a.m % b.m;
    ret->m = a.m / b.m;
    if ((rest < 0 ? -rest : rest) * 2 >= (b.m < 0 ? -b.m : b.m))
        ret->m += (a.m < 0) == (b.m < 0) ? 1 : -1;
    return true;
}

static double double_op(enum int_op op, double a, double b)
{
    return op == OP_ADD ? a + b : op == OP_SUB ? a - b : op == OP_MUL ? a * b : a / b;
}

static bool fold_decimal(struct run *r, enum int_op op, const struct tval *a, uint32_t n, struct tval *ret)
{
    double v = tv_to_float(a[0]);
    for (uint32_t i = 1; i < n; i++) {
        double x = tv_to_float(a[i]);
        struct decimal l, right, result;
        if (op == OP_DIV && x == 0)
            return run_fail(r, "error calling divf: decimal division by 0");
        bool exact = decimal_of(v, &l) && decimal_of(x, &right) && decimal_op(op, l, right, &result);
        v = exact ? decimal_double(result) : double_op(op, v, x);
    }
    *ret = tv_float(v);
    return true;
}

#define DECIMAL_FN(name, op)                                                                                           \
    static bool name(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)                                \
    {                                                                                                                  \
        return fold_decimal(r, op, a, n, ret);                                                                         \
    }

DECIMAL_FN(fn_addf, OP_ADD)
DECIMAL_FN(fn_subf, OP_SUB)
DECIMAL_FN(fn_mulf, OP_MUL)
DECIMAL_FN(fn_divf, OP_DIV)

static bool fn_maxf(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    double v = tv_to_float(a[0]);
    (void)r;
    for (uint32_t i = 1; i < n; i++)
        v = fmax(v, tv_to_float(a[i]));
    *ret = tv_float(v);
    return true;
}

static bool fn_minf(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    double v = tv_to_float(a[0]);
    (void)r;
    for (uint32_t i = 1; i < n; i++)
        v = fmin(v, tv_to_float(a[i]));
    *ret = tv_float(v);
    return true;
}

static bool fn_float64(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)r, (void)n;
    *ret = tv_float(tv_to_float(a[0]));
    return true;
}

static bool fn_ceil(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)r, (void)n;
    *ret = tv_float(ceil(tv_to_float(a[0])));
    return true;
}

static bool fn_floor(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)r, (void)n;
    *ret = tv_float(floor(tv_to_float(a[0])));
    return true;
}

/* round value places [from]: up when the rest is at least `from`, 0.5 unless given. */
static bool fn_round(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)r;
    double v = tv_to_float(a[0]), half = n > 2 ? tv_to_float(a[2]) : 0.5, factor = pow(10, (double)tv_to_int(a[1]));
    double scaled = v * factor, whole = trunc(scaled), rest = fabs(scaled - whole);
    *ret = tv_float((rest >= half ? (scaled < 0 ? whole - 1 : whole + 1) : whole) / factor);
    return true;
}

/* ---- units --------------------------------------------------------------------------------- */

static bool fn_bytes(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    uint64_t v;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    if (!text_bytes(s, &v))
        return run_fail(r, "error calling bytes: strconv.ParseFloat: parsing \"" STR_FMT "\": invalid syntax", STR_ARG(s));
    *ret = tv_float((double)v);
    return true;
}

static bool fn_duration(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    int64_t ns;
    (void)n;
    if (!arg_str(r, a, 0, &s))
        return false;
    if (!num_go_duration(s, &ns))
        return run_fail(r, "error calling duration: time: invalid duration \"" STR_FMT "\"", STR_ARG(s));
    *ret = tv_float(text_seconds(ns));
    return true;
}

const struct fn_def tmpl_fns_number[] = {
    { S("int"), 1, 1, fn_int }, { S("float64"), 1, 1, fn_float64 }, { S("add"), 1, FN_ANY, fn_add }, { S("sub"), 2, 2, fn_sub },
    { S("mul"), 1, FN_ANY, fn_mul }, { S("div"), 2, 2, fn_div }, { S("mod"), 2, 2, fn_mod }, { S("addf"), 1, FN_ANY, fn_addf },
    { S("subf"), 1, FN_ANY, fn_subf }, { S("mulf"), 1, FN_ANY, fn_mulf }, { S("divf"), 1, FN_ANY, fn_divf },
    { S("max"), 1, FN_ANY, fn_max }, { S("min"), 1, FN_ANY, fn_min }, { S("maxf"), 1, FN_ANY, fn_maxf },
    { S("minf"), 1, FN_ANY, fn_minf }, { S("ceil"), 1, 1, fn_ceil }, { S("floor"), 1, 1, fn_floor }, { S("round"), 2, 3, fn_round },
    { S("bytes"), 1, 1, fn_bytes }, { S("duration"), 1, 1, fn_duration }, { S("duration_seconds"), 1, 1, fn_duration },
    { .name = { 0 } },
};
