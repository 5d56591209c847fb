/* promql/accounted.h -- accounting rules 2, 3 and 4: a series of OTLP points as
 * PromQL sees it.
 *
 * Rows (delta or cumulative, of any number of streams) become increments at their
 * times, a running total, and the visible samples of that total.
 *
 * Owner:    the arena given.
 * Threads:  pure functions over arrays; any.
 * Units:    Unix ms. Money is summed in integer nano-dollars.
 */
#pragma once
#include "base/arena.h"
#include "model/rows.h"
#include "query/sum.h"

enum {
    ACC_BEFORE_MS = 60 * 1000,                     /* how long before a point the total before it shows */
};
#define ACC_GAP_MS (INT64_C(35) * 24 * 3600 * 1000) /* a longer pause starts the total at zero */

/* One row. */
struct acc_row {
    int64_t t, start;                              /* start of the interval or stream; 0: unknown */
    int64_t stream;                                /* cumulative: which stream it is, by its start in ns; 0: unknown */
    double v;
    bool cumulative;
};

/* What a cumulative stream amounted to before the rows begin. */
struct acc_base {
    int64_t stream;
    double v;
    int64_t last;                                  /* its newest row */
};

struct acc_input {
    struct acc_row *rows;                          /* any order; sorted in place */
    size_t n;
    const struct acc_base *bases;                  /* of streams; those not named begin here */
    size_t nbases;
    bool has_before;                               /* the series has older points ... */
    double before;                                 /* ... that add up to this ... */
    int64_t before_last;                           /* ... and the newest is of this time */
    bool money;
};

/* Sorted points, one a time; then the samples they are shown as. */
struct accounted {
    int64_t *t;
    size_t n;
    bool money;
    int64_t *nano;                                 /* money: sum of increments up to and with point i */
    struct dd *sum;                                /* else the same as exact pairs */
    int64_t *vt;                                   /* visible samples */
    double *vv;
    size_t nv;
};

void accounted_build(struct arena *mem, const struct acc_input *in, struct accounted *ret);
/* Rule 4: what was added in (start, end]. False: no visible sample is in there. */
bool accounted_increase(const struct accounted *a, int64_t start, int64_t end, double *ret);
