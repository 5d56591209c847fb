/* promql/fn_math.c -- functions of one number. */
#include <math.h>

#include "promql/functions_int.h"

double go_max(double a, double b)
{
    if (a == INFINITY || b == INFINITY)
        return INFINITY;
    if (isnan(a) || isnan(b))
        return NAN;
    return a > b || (a == b && !signbit(a)) ? a : b;
}

double go_min(double a, double b)
{
    if (a == -INFINITY || b == -INFINITY)
        return -INFINITY;
    if (isnan(a) || isnan(b))
        return NAN;
    return a < b || (a == b && signbit(a)) ? a : b;
}

/* A function of math.h as a row needs it. */
#define PLAIN(fn)                                                                     \
    static double fn_##fn(double v, const double *args, uint32_t nargs)               \
    {                                                                                 \
        (void)args, (void)nargs;                                                      \
        return fn(v);                                                                 \
    }

PLAIN(fabs)
PLAIN(ceil)
PLAIN(floor)
PLAIN(exp)
PLAIN(sqrt)
PLAIN(log)
PLAIN(log2)
PLAIN(log10)
PLAIN(sin)
PLAIN(cos)
PLAIN(tan)
PLAIN(asin)
PLAIN(acos)
PLAIN(atan)
PLAIN(sinh)
PLAIN(cosh)
PLAIN(tanh)
PLAIN(asinh)
PLAIN(acosh)
PLAIN(atanh)

static double to_radians(double v)
{
    return v * M_PI / 180;
}

static double to_degrees(double v)
{
    return v * 180 / M_PI;
}

static double sign(double v)
{
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

PLAIN(to_radians)
PLAIN(to_degrees)
PLAIN(sign)

/* To a multiple of the argument, halves up. Through the inverse, as it is more exact. */
static double fn_round(double v, const double *args, uint32_t nargs)
{
    double inverse = 1.0 / (nargs ? args[0] : 1.0);
    return floor(v * inverse + 0.5) / inverse;
}

static double clamp(double v, double lo, double hi)
{
    return hi < lo ? value_absent() : go_max(lo, go_min(hi, v));
}

static double fn_clamp(double v, const double *args, uint32_t nargs)
{
    (void)nargs;
    return clamp(v, args[0], args[1]);
}

static double fn_clamp_min(double v, const double *args, uint32_t nargs)
{
    (void)nargs;
    return clamp(v, args[0], INFINITY);
}

static double fn_clamp_max(double v, const double *args, uint32_t nargs)
{
    (void)nargs;
    return clamp(v, -INFINITY, args[0]);
}

#define ROW(text, fn) { S(text), { T_VECTOR }, 0, T_VECTOR, FN_MATH, 0, .math = fn }

const struct fn_def fns_math[] = {
    ROW("abs", fn_fabs),     ROW("ceil", fn_ceil),   ROW("floor", fn_floor), ROW("exp", fn_exp),
    ROW("sqrt", fn_sqrt),    ROW("ln", fn_log),      ROW("log2", fn_log2),   ROW("log10", fn_log10),
    ROW("sin", fn_sin),      ROW("cos", fn_cos),     ROW("tan", fn_tan),     ROW("asin", fn_asin),
    ROW("acos", fn_acos),    ROW("atan", fn_atan),   ROW("sinh", fn_sinh),   ROW("cosh", fn_cosh),
    ROW("tanh", fn_tanh),    ROW("asinh", fn_asinh), ROW("acosh", fn_acosh), ROW("atanh", fn_atanh),
    ROW("rad", fn_to_radians), ROW("deg", fn_to_degrees), ROW("sgn", fn_sign),
    { S("round"), { T_VECTOR, T_SCALAR }, 1, T_VECTOR, FN_MATH, 0, .math = fn_round },
    { S("clamp"), { T_VECTOR, T_SCALAR, T_SCALAR }, 0, T_VECTOR, FN_MATH, 0, .math = fn_clamp },
    { S("clamp_min"), { T_VECTOR, T_SCALAR }, 0, T_VECTOR, FN_MATH, 0, .math = fn_clamp_min },
    { S("clamp_max"), { T_VECTOR, T_SCALAR }, 0, T_VECTOR, FN_MATH, 0, .math = fn_clamp_max },
    { .name = { 0 } },
};
