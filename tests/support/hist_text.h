/* tests/support/hist_text.h -- native histograms as Prometheus's test files write them:
 *
 *     {{schema:1 count:6 sum:9.5 z_bucket:1 z_bucket_w:0.001 offset:-1 buckets:[1 0 3] n_buckets:[1]}}
 *     {{schema:-53 count:3 sum:7 custom_values:[1 5] buckets:[1 0 2] counter_reset_hint:gauge}}
 *
 * Owner:    the arena given.   Threads: any.
 */
#pragma once
#include "model/histogram.h"

/* What stands between the braces. False: it is none. */
MUST bool hist_from_text(struct arena *mem, struct str text, struct histogram *ret);
/* The same but for rounding, hints and empty buckets. */
bool hist_close(struct arena scratch, const struct histogram *a, const struct histogram *b);
