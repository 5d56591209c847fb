/* promql/tile.c -- see tile.h. Two machines over the rows of a run, for plain series and for
 * accounted ones. Both look for the end of the window in the run and handle what
 * lies before it at one go: loops over arrays that mostly find nothing out of the ordinary.
 *
 * What an accounted series shows besides its points (rule 3: the total before a point, up to
 * 60 s before it) matters for a window that holds nothing else. So only the first row
 * of a run and of a window is looked at for it, and rows after a pause.
 */
#include "promql/tile.h"

#include <math.h>

#include "promql/fn_rate.h"

#define NO_WINDOW UINT32_MAX

static const double nano = 1e9, nano_rows_max = 9e8;

struct tile {
    uint32_t group, window;                        /* window: open now, or NO_WINDOW */
    uint32_t n;                                    /* its samples */
    uint8_t temporality;                           /* of all its rows */
    bool money, has_last;
    bool whole;                                    /* accounted: all values were whole numbers, sums are in `units` */
    int64_t end, last;                             /* ms: of the window; of the newest row */
    union {
        struct {
            int64_t first_t, last_t;
            double first, last, extra, lost;       /* lost: what a compensated sum in `extra` rounded away */
        } plain;
        struct {
            int64_t stream;                        /* start of the process, ns */
            double greatest;
            int64_t units;                         /* nano-dollars, or whole numbers */
            struct dd sum;                         /* else */
        } acc;
    };
};

void tiles_init(struct tiles *w, struct eval *ev, struct grouped *into, enum tile_kind kind)
{
    *w = (struct tiles){ .ev = ev, .into = into, .kind = kind, .counts = folds_count(&into->folds) };
}

void tiles_done(struct tiles *w)
{
    mem_free(w->at);
    w->at = NULL;
}

void tiles_series(struct tiles *w, uint32_t group, bool money)
{
    if (w->ntiles == w->cap) {
        w->cap = MAX(2 * w->cap, 256u);
        w->at = mem_resize(w->at, sizeof *w->at * w->cap);
    }
    w->at[w->ntiles++] = (struct tile){ .group = group, .window = NO_WINDOW, .money = money };
}

/* ---- windows --------------------------------------------------------------- */

static int64_t to_ms(int64_t ns)
{
    return ns / NS_PER_MS - (ns % NS_PER_MS < 0);
}

static bool plain_value(const struct tiles *w, const struct tile *x, double *ret)
{
    switch (w->kind) {
    case TILE_INCREASE:
    case TILE_DELTA:
        return rate_extrapolated(&(struct rate_span){
            .first_t = x->plain.first_t, .last_t = x->plain.last_t, .first = x->plain.first, .last = x->plain.last,
            .resets = x->plain.extra, .n = x->n, .start = x->end - w->range_ms, .end = x->end,
            .range_s = (double)w->range_ms / 1000, .counter = w->kind == TILE_INCREASE, .per_second = w->per_second,
        }, ret);
    case TILE_COUNT:
        *ret = x->n;
        return true;
    case TILE_PRESENT:
        *ret = 1;
        return true;
    case TILE_FIRST:
        *ret = x->plain.first;
        return true;
    case TILE_SIGHT:
        *ret = x->plain.last;
        return !value_is_absent(x->plain.last);
    case TILE_SUM:
        *ret = ksum_value((struct ksum){ x->plain.extra, x->plain.lost });
        return true;
    default:
        *ret = x->plain.last;                      /* last, min, max */
        return true;
    }
}

static double added(const struct tile *x)
{
    if (x->money)
        return (double)x->acc.units / nano;
    return x->whole ? (double)x->acc.units : dd_value(x->acc.sum);
}

static void close_window(struct tiles *w, struct tile *x, bool accounted)
{
    double v = 1;
    bool any = x->window != NO_WINDOW && x->n;
    if (any && !accounted)
        any = plain_value(w, x, &v);
    else if (any && w->kind == TILE_INCREASE)
        v = w->per_second ? added(x) / ((double)w->range_ms / 1000) : added(x);
    if (any)
        grouped_value(w->into, x->group, x->window, v);
    if (x->window != NO_WINDOW)
        eval_touch(w->ev, x->window, x->n);
    x->window = NO_WINDOW;
}

/* Makes the window that holds t the open one; there may be none. */
static void open_window(struct tiles *w, struct tile *x, int64_t t, bool accounted)
{
    if (x->window != NO_WINDOW && t <= x->end)
        return;
    close_window(w, x, accounted);
    int64_t i = t <= w->end_ms ? 0 : (t - w->end_ms + w->step_ms - 1) / w->step_ms;
    int64_t end = w->end_ms + i * w->step_ms;
    if (i >= w->n || t <= end - w->range_ms)
        return;
    x->window = (uint32_t)i;
    x->end = end;
    x->n = 0;
    if (accounted) {
        x->whole = true;
        x->acc.units = 0;
        x->acc.sum = (struct dd){ 0, 0 };
    } else {
        x->plain.extra = x->plain.lost = 0;
    }
}

/* Rows ns[from .. ret) lie before the end of the open window. */
static uint32_t before_end(const struct tile *x, const int64_t *ns, uint32_t from, uint32_t to)
{
    if (to_ms(ns[to - 1]) <= x->end)
        return to;
    int64_t limit = (x->end + 1) * NS_PER_MS;      /* no overflow: a row lies behind it */
    while (from < to && ns[from] < limit)
        from++;
    return from;
}

/* Two rows less than a millisecond apart may be one sample. */
static bool too_near(const int64_t *ns, uint32_t from, uint32_t to)
{
    uint64_t near = 0;
    for (uint32_t i = from + 1; i < to; i++)
        near |= ns[i] - ns[i - 1] < NS_PER_MS;
    return near;
}

/* ---- plain ----------------------------------------------------------------- */

static bool has_stale(const double *v, uint32_t from, uint32_t to)
{
    uint64_t any = 0;
    for (uint32_t i = from; i < to; i++) {
        uint64_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        any |= bits == VALUE_STALE_BITS;
    }
    return any;
}

static bool has_reset(const double *v, uint32_t from, uint32_t to)
{
    uint64_t any = 0;
    for (uint32_t i = from + 1; i < to; i++)
        any |= v[i] < v[i - 1];
    return any;
}

static void fold_resets(struct tile *x, const double *v, uint32_t from, uint32_t to)
{
    if (x->n && v[from] < x->plain.last)
        x->plain.extra += x->plain.last;
    if (!has_reset(v, from, to))
        return;
    for (uint32_t i = from + 1; i < to; i++)
        if (v[i] < v[i - 1])
            x->plain.extra += v[i - 1];
}

static void fold_sum(struct tile *x, const double *v, uint32_t from, uint32_t to)
{
    struct ksum k = { x->plain.extra, x->plain.lost };
    for (uint32_t i = from; i < to; i++)
        ksum_add(&k, v[i]);
    x->plain.extra = k.s;
    x->plain.lost = k.c;
}

/* As extreme() of fn_over_time.c: NaN only if there is nothing else. */
static double extreme_of(const struct tile *x, double sign, const double *v, uint32_t from, uint32_t to)
{
    double best = x->n ? x->plain.last : v[from];
    for (uint32_t i = from; i < to; i++)
        if (sign * v[i] > sign * best || isnan(best))
            best = v[i];
    return best;
}

/* Rows without staleness markers, all in the open window. */
static void fold_rows(const struct tiles *w, struct tile *x, const int64_t *ns, const double *v, uint32_t from, uint32_t to)
{
    if (!x->n) {
        x->plain.first_t = to_ms(ns[from]);
        x->plain.first = v[from];
    }
    x->plain.last_t = to_ms(ns[to - 1]);
    if (w->kind == TILE_INCREASE)
        fold_resets(x, v, from, to);
    if (w->kind == TILE_SUM)
        fold_sum(x, v, from, to);
    if (w->kind == TILE_MIN || w->kind == TILE_MAX)
        x->plain.last = extreme_of(x, w->kind == TILE_MAX ? 1 : -1, v, from, to);
    else
        x->plain.last = v[to - 1];
    x->n += to - from;
}

static void fold_without_stale(const struct tiles *w, struct tile *x, const int64_t *ns, const double *v, uint32_t from,
                               uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (!value_is_absent(v[i]))
            fold_rows(w, x, ns, v, i, i + 1);
}

static void plain_run(struct tiles *w, struct tile *x, const struct block *b, uint32_t from, uint32_t to)
{
    const int64_t *ns = b->time_ns;
    const double *v = b->value;
    bool stale = w->kind != TILE_SIGHT && has_stale(v, from, to);
    while (from < to) {
        open_window(w, x, to_ms(ns[from]), false);
        if (x->window == NO_WINDOW) {
            from++;
            continue;
        }
        uint32_t end = before_end(x, ns, from, to);
        if (stale)
            fold_without_stale(w, x, ns, v, from, end);
        else
            fold_rows(w, x, ns, v, from, end);
        from = end;
    }
}

/* ---- accounted ------------------------------------------------------------- */

static int64_t to_nano(double v)
{
    double scaled = v * nano;
    int64_t n = (int64_t)scaled;
    double rest = scaled - (double)n;
    return n + (rest >= 0.5) - (rest <= -0.5);     /* away from zero, as llround() */
}

static bool is_whole(double v)
{
    return fabs(v) < 4503599627370496.0 && v == (double)(int64_t)v;     /* 2^52: sums of many stay exact */
}

/* What can be summed as integers: money of any kind, else whole numbers. */
static bool all_whole(const struct tile *x, const double *v, uint32_t from, uint32_t to)
{
    uint64_t bad = 0;
    if (x->money) {
        for (uint32_t i = from; i < to; i++)
            bad |= !(fabs(v[i]) < nano_rows_max);
        return !bad;
    }
    for (uint32_t i = from; i < to; i++)
        bad |= !is_whole(v[i]);
    return !bad;
}

static void add(struct tile *x, double v)
{
    if (!x->money && x->whole && !is_whole(v)) {
        x->whole = false;
        x->acc.sum = (struct dd){ (double)x->acc.units, 0 };
    }
    if (x->money)
        x->acc.units += to_nano(v);
    else if (x->whole)
        x->acc.units += (int64_t)v;
    else
        x->acc.sum = dd_add(x->acc.sum, v);
}

/* What a row of a cumulative stream adds; only while money is exact in doubles of nano-dollars. */
static void add_growth(struct tile *x, double v)
{
    if (!(v > x->acc.greatest))
        return;
    if (x->money)
        x->acc.units += to_nano(v) - to_nano(x->acc.greatest);
    else
        add(x, v - x->acc.greatest);
    x->acc.greatest = v;
}

/* The total before a point shows as a sample of its own (rule 3). */
static void see_before(struct tiles *w, struct tile *x, int64_t t, int64_t start, bool delta)
{
    int64_t before = MAX(start, t - ACC_BEFORE_MS);
    if (x->has_last)
        before = MAX(before, x->last + 1);
    if (before >= t || (!delta && x->has_last && t - x->last <= ACC_BEFORE_MS))
        return;
    open_window(w, x, before, true);
    x->n += x->window != NO_WINDOW;
}

static void take_row(struct tiles *w, struct tile *x, const struct block *b, uint32_t row, bool delta)
{
    int64_t t = to_ms(b->time_ns[row]), start = b->start_ns[row];
    double v = b->value[row];
    if (!delta && (!x->has_last || start != x->acc.stream)) {
        w->again |= x->has_last && start < x->acc.stream;     /* an older process after a younger one */
        x->acc.stream = start;
        x->acc.greatest = 0;
    }
    if (x->has_last && t - x->last > ACC_GAP_MS)
        x->acc.greatest = 0;
    see_before(w, x, t, to_ms(start), delta);
    open_window(w, x, t, true);
    x->n += x->window != NO_WINDOW;
    if (x->window == NO_WINDOW)
        x->acc.greatest = MAX(x->acc.greatest, v);
    else if (delta)
        add(x, v);
    else
        add_growth(x, v);
    x->has_last = true;
    x->last = t;
}

/* Rows of one process that grow by whole numbers within the open window: the last one tells all. */
static bool take_growth(struct tile *x, const struct block *b, uint32_t from, uint32_t to)
{
    const double *v = b->value;
    bool whole = x->money || (x->whole && is_whole(x->acc.greatest));
    if (!whole || v[from] < x->acc.greatest || has_reset(v, from, to) || to_ms(b->time_ns[to - 1]) - x->last > ACC_GAP_MS)
        return false;
    add_growth(x, v[to - 1]);
    x->n += to - from;
    x->last = to_ms(b->time_ns[to - 1]);
    return true;
}

static bool one_start(const struct block *b, uint32_t from, uint32_t to)
{
    int64_t differs = 0;
    for (uint32_t i = from + 1; i < to; i++)
        differs |= b->start_ns[i] ^ b->start_ns[from];
    return !differs;
}

static void accounted_run(struct tiles *w, struct tile *x, const struct block *b, uint32_t from, uint32_t to, bool delta)
{
    bool whole = all_whole(x, b->value, from, to);
    for (uint32_t i = from; i < to; i++)
        w->again |= !isfinite(b->value[i]);
    if (w->again || (x->money && !whole)) {
        w->again = true;
        return;
    }
    bool steady = !delta && whole && one_start(b, from, to);
    while (from < to) {
        take_row(w, x, b, from++, delta);
        if (!steady || x->window == NO_WINDOW || from == to)
            continue;
        uint32_t end = before_end(x, b->time_ns, from, to);
        if (end > from && take_growth(x, b, from, end))
            from = end;
    }
}

/* ---- runs ------------------------------------------------------------------ */

bool tiles_take(const struct tiles *w, const struct block *b, uint32_t run, int64_t from_ns)
{
    enum temporality how = b->temporality[run];
    if (how == TEMPORALITY_NONE)
        return true;
    bool increase = w->kind == TILE_INCREASE, change = increase || w->kind == TILE_DELTA;
    if (increase ? !w->exact : change || !w->counts)
        return false;                              /* totals are shown */
    for (uint32_t i = run_begin(b, run); how == TEMPORALITY_CUMULATIVE && i < b->run_end[run]; i++)
        if (b->start_ns[i] < from_ns || !b->start_ns[i])
            return false;                          /* what it amounted to before has to be known */
    return true;
}

void tiles_run(struct tiles *w, uint32_t series, const struct block *b, uint32_t run)
{
    CHECK(series < w->ntiles);
    struct tile *x = &w->at[series];
    uint32_t from = run_begin(b, run), to = b->run_end[run];
    if (from == to)
        return;
    bool follows = !x->has_last || (x->temporality == b->temporality[run] && to_ms(b->time_ns[from]) > x->last);
    if (!follows || too_near(b->time_ns, from, to)) {
        w->again = true;
        return;
    }
    if (b->temporality[run] == TEMPORALITY_NONE)
        plain_run(w, x, b, from, to);
    else
        accounted_run(w, x, b, from, to, b->temporality[run] == TEMPORALITY_DELTA);
    x->has_last = true;
    x->temporality = b->temporality[run];
    x->last = to_ms(b->time_ns[to - 1]);
}

void tiles_end(struct tiles *w)
{
    for (uint32_t i = 0; i < w->ntiles; i++)
        close_window(w, &w->at[i], w->at[i].temporality != TEMPORALITY_NONE);
}
