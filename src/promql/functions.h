/* promql/functions.h -- the table of functions. A row is the whole definition: the
 * checker reads its types, the evaluator runs its code.
 *
 * Threads: immutable.
 */
#pragma once
#include "promql/ast.h"

struct eval;
struct window;

enum fn_kind {
    FN_MATH,                                       /* each sample by itself; further arguments are scalars */
    FN_WINDOW,                                     /* each window of a range vector */
    FN_VECTOR,                                     /* whole vectors */
    FN_SCALAR,                                     /* gives a scalar */
};

enum fn_flags {
    FN_KEEP_NAME = 1,                              /* the result keeps the metric's name */
    FN_NO_BASE = 2,                                /* of totals only differences count: no base is asked for */
    FN_EVERY_STEP = 4,                             /* differs from step to step though its arguments do not */
    FN_ANCHORED = 8, FN_SMOOTHED = 16,             /* takes such a selector */
    FN_INCREASE = 32,                              /* exact on accounted series */
    FN_ABSENT = 64,                                /* shows where there is nothing */
    FN_PER_SECOND = 256,                           /* what another one gives, by the seconds of the range */
    FN_HISTOGRAMS = 128,                           /* sees native histograms; others see the numbers of a window only */
};

/* What a window function can be folded to while rows come (tile.h). */
enum tile_kind {
    TILE_NONE, TILE_INCREASE, TILE_DELTA, TILE_COUNT, TILE_PRESENT, TILE_FIRST, TILE_LAST, TILE_SUM, TILE_MIN, TILE_MAX,
    TILE_SIGHT,                                    /* no function: the newest sample, unless it is a staleness marker */
};

enum { FN_ARGS_MAX = 5 };

struct fn_def {
    struct str name;
    enum ptype args[FN_ARGS_MAX];                  /* T_NONE ends them */
    int variadic;                                  /* so many of the last one may be left out or repeated; -1: any */
    enum ptype ret;
    enum fn_kind kind;
    unsigned flags;
    /* FN_MATH: args[nargs] are the scalars after the vector. */
    double (*math)(double v, const double *args, uint32_t nargs);
    /* FN_WINDOW: false is no sample; a histogram goes into w->hist. */
    bool (*window)(struct window *w, const double *args, double *ret);
    enum tile_kind tile;
    enum err (*vector)(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f);
    /* ret has a slot for each step. */
    enum err (*scalar)(struct eval *ev, const struct expr *call, double *ret, struct fault *f);
};

const struct fn_def *fn_find(struct str name);
uint32_t fn_nargs(const struct fn_def *fn);
/* Calls `each` for every function, family by family. */
void fn_each(void (*each)(void *arg, const struct fn_def *fn), void *arg);
