/* promql/functions.c -- the list of families. A new function is a row in one of them. */
#include "promql/functions_int.h"

static const struct fn_def *const families[] = {
    fns_math, fns_time, fns_rate, fns_over_time, fns_vector, fns_label, fns_histogram, fns_info,
};

const struct fn_def *fn_find(struct str name)
{
    for (size_t i = 0; i < LEN(families); i++)
        for (const struct fn_def *fn = families[i]; fn->name.n; fn++)
            if (str_eq(fn->name, name))
                return fn;
    return NULL;
}

uint32_t fn_nargs(const struct fn_def *fn)
{
    uint32_t n = 0;
    while (n < FN_ARGS_MAX && fn->args[n] != T_NONE)
        n++;
    return n;
}

void fn_each(void (*each)(void *arg, const struct fn_def *fn), void *arg)
{
    for (size_t i = 0; i < LEN(families); i++)
        for (const struct fn_def *fn = families[i]; fn->name.n; fn++)
            each(arg, fn);
}
