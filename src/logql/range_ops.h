/* logql/range_ops.h -- what is computed over the lines of a window: one row each.
 *
 * Threads: constant.
 */
#pragma once
#include "base/arena.h"

/* What a line counts for. */
enum measure { MEASURE_LINES, MEASURE_BYTES, MEASURE_UNWRAP };

struct point {
    int64_t t;                                     /* ns */
    double v;
};

/* What is kept of a window when no other one overlaps it; the points themselves otherwise. */
enum keep_kind { KEEP_POINTS, KEEP_MIN, KEEP_MAX, KEEP_FIRST, KEEP_LAST, KEEP_VALUES };

/* The points of one series in one window, by time, never none. */
struct window {
    const struct point *at;
    size_t n;
    int64_t end_ns, range_ns;
    double param;
    double *scratch;                               /* room for n numbers */
};

struct range_op {
    struct str name;
    bool plain, unwrapped;                         /* allowed without / with unwrap */
    enum measure measure;                          /* without unwrap */
    bool grouping;                                 /* allows by and without */
    bool param;                                    /* takes a number first */
    bool adds;                                     /* a plain sum, so windows need not be kept; `fold` is NULL then */
    bool per_second;
    bool mean;                                     /* sum divided by count */
    bool absent;                                   /* 1 where there is nothing */
    double (*fold)(const struct window *w);
    enum keep_kind keep;                           /* what `fold` can do with */
};

const struct range_op *range_op_find(struct str name);
