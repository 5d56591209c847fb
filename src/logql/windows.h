/* logql/windows.h -- numbers over time, put into the windows of a range aggregation.
 *
 * Window k ends at start + k * step (in) and begins range before (out).
 *
 * Owner:    the query's arena.   Threads: one.
 */
#pragma once
#include "logql/range_ops.h"
#include "query/vec.h"

struct wcell;                                      /* windows.c */

/* One series while its windows fill up. */
struct wseries {
    struct wcell *cells;
    uint32_t from, ncells, cap_cells;              /* cells[i] is window from + i */
    struct point *points;
    uint32_t npoints, cap_points;
};

struct windows {
    struct query_ctx *ctx;
    const struct range_op *op;
    int64_t start_ns, step_ns, range_ns;
    uint32_t n;                                    /* windows */
    double param;
    struct wseries *series;                        /* by id */
    uint32_t nseries, cap_series;
};

/* Is the moment in any window? */
bool windows_have(const struct windows *w, int64_t t);
/* The moments that windows can hold: [*ret_from, *ret_to). */
void windows_span(const struct windows *w, int64_t *ret_from, int64_t *ret_to);
MUST enum err windows_add(struct windows *w, uint32_t series, int64_t t, double v, struct fault *f);

enum { WROWS_STRIP = 1024, WROWS_GROUPS_MAX = 1 << 16 };

/* Rows of a block on their way into windows, in numbers: a row belongs to a group of the
 * block. Groups and values are asked for in strips, at most WROWS_STRIP rows at a time. */
struct wrows {
    const int64_t *time;                           /* by row */
    const uint32_t *rows;                          /* NULL: rows 0 to n - 1 */
    uint32_t n, ngroups;                           /* groups are 0 to ngroups - 1 */
    void (*groups)(void *arg, uint32_t from, uint32_t n, uint32_t *ret);
    void (*values)(void *arg, uint32_t from, uint32_t n, double *ret);   /* NULL: each row counts 1 */
    uint32_t (*series)(void *arg, uint32_t group); /* once for each group that occurs */
    void *arg;
};

/* As windows_add() for each row, in their order. Every row must be in some window. The
 * callbacks must not allocate from `scratch`. */
MUST enum err windows_add_rows(struct windows *w, const struct wrows *r, struct arena scratch, struct fault *f);
/* A series of the result for each of ours, labels[id] its labels. */
MUST enum err windows_result(struct windows *w, const struct labels *labels, struct vec *ret, struct fault *f);
