/* promql/functions_int.h -- the families of functions; each ends with an empty name. */
#pragma once
#include "promql/eval_int.h"

extern const struct fn_def fns_math[], fns_time[], fns_rate[], fns_over_time[], fns_vector[], fns_label[], fns_histogram[],
    fns_info[];

/* Go's math.Max and math.Min: an infinity wins over NaN, NaN over all else. */
double go_max(double a, double b);
double go_min(double a, double b);
