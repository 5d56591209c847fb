/* promql/eval_int.h -- what the evaluator and the functions share.
 *
 * Everything a query makes lives in ev->q->mem.
 */
#pragma once
#include "promql/accounted.h"
#include "promql/functions.h"
#include "promql/promql.h"
#include "query/fold.h"
#include "query/hist.h"
#include "query/runs.h"

struct eval {
    struct query_ctx *q;
    const struct promql *query;
    const struct promql_time *top;                 /* of the whole query: start(), end(), step(), range() */
    struct steps st;                               /* of this evaluation; a subquery has its own */
    bool unordered;                                /* series are folded by whoever asked: their order does not show */
};

/* Step `step` of this evaluation looked at n samples. */
static inline void eval_touch(const struct eval *ev, uint32_t step, uint64_t n)
{
    bool inner = ev->st.start_ms != ev->top->start_ms || ev->st.step_ms != MAX(ev->top->step_ms, (int64_t)1);
    query_touch(ev->q, inner ? UINT32_MAX : step, n);
}

/* One window of one series, as a range function sees it. */
struct window {
    const int64_t *t;                              /* samples, without staleness markers */
    const double *v;
    size_t n;
    int64_t start, end;                            /* (start, end]; anchored and smoothed windows hold more */
    int64_t step_ms;                               /* the time of the step */
    double range_s;
    bool anchored, smoothed;
    const struct accounted *acc;                   /* not NULL: increase and rate are exact */
    const struct histogram *const *h;              /* of a series with native histograms; where not NULL, v is absent */
    size_t nh;                                     /* how many of the n are histograms */
    bool increments;                               /* they are increments: increase and rate are exact */
    const struct histogram *hist;                  /* out: the result, if it is one */
    const struct eval *ev;                         /* for notes */
    const struct expr *arg;
    struct labels labels;
    struct query_ctx *q;
    struct fault *f;
    enum err err;                                  /* set with query_error(): the query fails */
};

/* Series by group instead of by labels. */
struct select_groups {
    struct pick pick;                              /* the labels that make a group */
    bool bare;                                     /* series are shown without their name */
    struct idset ids;
    struct labels *labels;                         /* out: of each group */
    uint32_t n, cap;
    bool clash;                                    /* out: two would be shown under the same labels; nothing was given */
};

/* eval_group.c: where the series of an aggregation go instead of into a vector. */
struct grouped {
    struct folds folds;
    struct select_groups groups;
    struct arena mem;                              /* of the series at hand */
    struct tser series;
    bool no_tiles;                                 /* windows have been tried to be folded while rows come */
};
/* The series at hand, all of it absent; grouped_end() adds it to its group. */
struct tser *grouped_begin(struct grouped *g, uint32_t from, uint32_t n);
void grouped_end(struct grouped *g, uint32_t group);
void grouped_value(struct grouped *g, uint32_t group, uint32_t step, double v);

enum err eval_vector(struct eval *ev, const struct expr *x, struct vec *ret, struct fault *f) MUST;
/* ret has a slot for each step. */
enum err eval_scalar(struct eval *ev, const struct expr *x, double *ret, struct fault *f) MUST;
/* An aggregation whose series go straight into their groups. ret_done false: it has to be evaluated
 * the other way, over a list of its series. */
enum err eval_grouped(struct eval *ev, const struct expr *aggregate, struct vec *ret, bool *ret_done, struct fault *f) MUST;
/* The raw samples of a range selector or subquery at the first step. */
enum err eval_range_points(struct eval *ev, const struct expr *x, struct pointset *ret, struct fault *f) MUST;
/* A call whose argument is a range vector. With `into` its series go there, not to ret. */
enum err eval_window_call(struct eval *ev, const struct expr *call, struct grouped *into, struct vec *ret, struct fault *f) MUST;
/* A selector's values, or with `times` the times of its samples in seconds; `into` as before. */
enum err eval_selector(struct eval *ev, const struct selector *s, bool times, struct grouped *into, struct vec *ret,
                       struct fault *f) MUST;

/* Durations, given the query's step and range. */
enum err eval_dur(const struct eval *ev, const struct dur *d, bool positive, int64_t *ret_ms, struct fault *f) MUST;
/* A selector's offset, and the fixed time of its @ (false: it has none). */
enum err eval_shift(const struct eval *ev, const struct shift *s, int64_t *ret_offset, bool *ret_fixed, int64_t *ret_at,
                    struct fault *f) MUST;

struct select_req {
    const struct selector *sel;
    int64_t after_ms, to_ms;                       /* samples of (after, to] */
    bool totals;                                   /* absolute totals are shown: bases are needed */
    bool drop_stale;
    struct select_groups *groups;                  /* or NULL; the query must not name ccmon_source */
    struct tiles *tiles;                           /* or NULL; with groups: series that it takes are not handed on */
    void (*tiled)(void *arg, struct labels name);  /* or NULL: called for each metric of which it took series */
    /* Called for each series, in the order of their labels; with groups in no order, and with
     * no label but the name. Times and values are valid
     * during the call only, labels for the whole query. An error ends the selection. */
    enum err (*each)(void *arg, const struct points *p, struct fault *f);
    void *arg;
};
enum err select_points(struct eval *ev, const struct select_req *r, struct fault *f) MUST;
bool select_names_source(const struct promql *p);

/* A note about a window's series: `text`, then the metric's name in quotes. */
void window_note(const struct window *w, bool warning, const char *text);
/* "encountered a mix of ...", and no sample. */
bool window_mixed(const struct window *w);
/* Notes on what an operation had to say (enum hist_remark); `what` is "addition", ... */
void note_remarks(const struct eval *ev, const struct expr *where, uint32_t remarks, const char *what);
/* Between two histograms; a reset in between begins at zero. NULL: they do not fit together. */
const struct histogram *hist_between(struct query_ctx *q, const struct histogram *a, int64_t ta, const struct histogram *b,
                                     int64_t tb, int64_t t, bool counter);

/* fn_rate_hist.c: a window of histograms only. */
bool hist_change(struct window *w, bool counter, bool per_second);
bool hist_last_two(struct window *w, bool counter);
bool hist_increments(struct window *w, bool per_second);

/* The labels that absent() and absent_over_time() give for their argument. */
struct labels absent_labels(struct eval *ev, const struct expr *arg);
/* A note (query.h) in Prometheus's form, with the place of an expression. */
void note_at(const struct eval *ev, bool warning, const struct expr *where, const char *text);
