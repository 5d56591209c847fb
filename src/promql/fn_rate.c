/* promql/fn_rate.c -- how samples change over a window.
 *
 * rate, increase and delta of a plain series extrapolate to the edges of the window
 * as Prometheus does; of an accounted series, rate and increase are what was added
 * (accounting rule 4), whether anchored or not. Anchored takes the last sample at or
 * before the start as its base, smoothed interpolates at both ends. The same of native
 * histograms is in fn_rate_hist.c.
 */
#include <math.h>

#include "promql/fn_rate.h"
#include "promql/functions_int.h"

enum { COUNTER = 1, PER_SECOND = 2 };

/* ---- plain: extrapolation -------------------------------------------------- */

static double resets_sum(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 1; i < n; i++)
        if (v[i] < v[i - 1])
            sum += v[i - 1];
    return sum;
}

bool rate_extrapolated(const struct rate_span *s, double *ret)
{
    if (s->n < 2)
        return false;
    double result = s->last - s->first;
    if (s->counter)
        result += s->resets;
    double to_start = (double)(s->first_t - s->start) / 1000;
    double to_end = (double)(s->end - s->last_t) / 1000;
    double sampled = (double)(s->last_t - s->first_t) / 1000;
    double between = sampled / (double)(s->n - 1);

    /* A sample missing within 1.1 intervals of an edge means that the series goes on
     * there; further away it is taken to begin or end half an interval out. */
    double threshold = between * 1.1;
    if (to_start >= threshold)
        to_start = between / 2;
    if (s->counter) {
        double to_zero = to_start;
        if (result > 0 && s->first >= 0)
            to_zero = sampled * (s->first / result);
        if (to_zero < to_start)
            to_start = to_zero;
    }
    if (to_end >= threshold)
        to_end = between / 2;
    double factor = (sampled + to_start + to_end) / sampled;
    if (s->per_second)
        factor /= s->range_s;
    *ret = result * factor;
    return true;
}

static bool extrapolated(const struct window *w, unsigned how, double *ret)
{
    return rate_extrapolated(&(struct rate_span){
        .first_t = w->t[0], .last_t = w->t[w->n - 1], .first = w->v[0], .last = w->v[w->n - 1], .n = w->n,
        .resets = how & COUNTER ? resets_sum(w->v, w->n) : 0, .start = w->start, .end = w->end, .range_s = w->range_s,
        .counter = how & COUNTER, .per_second = how & PER_SECOND,
    }, ret);
}

/* ---- anchored, smoothed ---------------------------------------------------- */

static double interpolate(const struct window *w, size_t i, int64_t t, bool counter)
{
    double y1 = w->v[i], y2 = w->v[i + 1];
    if (counter && y2 < y1)
        y1 = 0;
    return y1 + (y2 - y1) * (double)(t - w->t[i]) / (double)(w->t[i + 1] - w->t[i]);
}

static bool extended(const struct window *w, unsigned how, double *ret)
{
    bool counter = how & COUNTER;
    size_t first = 0, last = w->n - 1;
    while (first + 1 < w->n && w->t[first + 1] <= w->start)
        first++;
    if (first && w->t[first] > w->start)
        first--;
    if (w->smoothed)
        for (last = 0; last + 1 < w->n && w->t[last] < w->end;)
            last++;
    if (w->t[last] <= w->start || (w->smoothed && w->t[first] > w->end))
        return false;
    bool cut_left = w->smoothed && w->t[first] < w->start, cut_right = w->smoothed && last && w->t[last] > w->end;
    double left = cut_left ? interpolate(w, first, w->start, counter) : w->v[first];
    double right = cut_right ? interpolate(w, last - 1, w->end, counter) : w->v[last];
    double result = right - left;
    if (counter) {
        double prev = left;
        for (size_t i = first; i <= last; i++) {
            if (w->t[i] <= w->start || w->t[i] >= w->end)
                continue;
            if (w->v[i] < prev)
                result += prev;
            prev = w->v[i];
        }
        if (right < prev)
            result += prev;
    }
    *ret = how & PER_SECOND ? result / w->range_s : result;
    return true;
}

static bool change(struct window *w, unsigned how, double *ret)
{
    if (w->nh && w->nh < w->n)
        return window_mixed(w);
    if (w->nh)
        return hist_change(w, how & COUNTER, how & PER_SECOND);
    return w->anchored || w->smoothed ? extended(w, how, ret) : extrapolated(w, how, ret);
}

/* ---- the functions --------------------------------------------------------- */

static bool fn_increase(struct window *w, const double *args, double *ret)
{
    (void)args;
    if (w->increments && w->nh == w->n)
        return hist_increments(w, false);
    return w->acc && !w->smoothed ? accounted_increase(w->acc, w->start, w->end, ret) : change(w, COUNTER, ret);
}

static bool fn_rate(struct window *w, const double *args, double *ret)
{
    (void)args;
    if (w->increments && w->nh == w->n)
        return hist_increments(w, true);
    if (!w->acc || w->smoothed)
        return change(w, COUNTER | PER_SECOND, ret);
    bool ok = accounted_increase(w->acc, w->start, w->end, ret);
    *ret /= w->range_s;
    return ok;
}

static bool fn_delta(struct window *w, const double *args, double *ret)
{
    (void)args;
    return change(w, 0, ret);
}

static bool last_two(struct window *w, bool counter, double *ret)
{
    if (w->n < 2)
        return false;
    if (w->nh && (w->h[w->n - 1] || w->h[w->n - 2]))
        return w->h[w->n - 1] && w->h[w->n - 2] ? hist_last_two(w, counter) : window_mixed(w);
    double a = w->v[w->n - 2], b = w->v[w->n - 1];
    double seconds = (double)(w->t[w->n - 1] - w->t[w->n - 2]) / 1000;
    double d = counter && b < a ? b : b - a;
    *ret = counter ? d / seconds : d;
    return true;
}

static bool fn_irate(struct window *w, const double *args, double *ret)
{
    (void)args;
    return last_two(w, true, ret);
}

static bool fn_idelta(struct window *w, const double *args, double *ret)
{
    (void)args;
    return last_two(w, false, ret);
}

/* Where counting begins: an anchored window holds its anchor and may hold more
 * before it. False: nothing lies in the window proper. */
static bool counted_from(const struct window *w, size_t *ret)
{
    *ret = 0;
    if (!w->anchored)
        return w->n > 0;
    while (*ret + 1 < w->n && w->t[*ret + 1] <= w->start)
        ++*ret;
    return w->t[w->n - 1] > w->start;
}

static bool fn_changes(struct window *w, const double *args, double *ret)
{
    (void)args;
    size_t from, n = 0;
    if (!counted_from(w, &from))
        return false;
    for (size_t i = from + 1; i < w->n; i++) {
        const struct histogram *h = w->h ? w->h[i] : NULL, *before = w->h ? w->h[i - 1] : NULL;
        if (h && before)
            n += !hist_equal(h, before);
        else if (h || before)
            n++;
        else
            n += w->v[i] != w->v[i - 1] && !(isnan(w->v[i]) && isnan(w->v[i - 1]));
    }
    *ret = (double)n;
    return true;
}

static bool fn_resets(struct window *w, const double *args, double *ret)
{
    (void)args;
    size_t from, n = 0;
    if (!counted_from(w, &from))
        return false;
    for (size_t i = from + 1; i < w->n; i++) {
        const struct histogram *h = w->h ? w->h[i] : NULL, *before = w->h ? w->h[i - 1] : NULL;
        if (h && before)
            n += hist_is_reset(*w->q->mem, h, before);
        else if (h || before)
            n++;
        else
            n += w->v[i] < w->v[i - 1];
    }
    *ret = (double)n;
    return true;
}

/* Least squares over seconds from `zero`. */
static void regression(const struct window *w, int64_t zero, double *ret_slope, double *ret_intercept)
{
    struct ksum x = { 0 }, y = { 0 }, xy = { 0 }, xx = { 0 };
    bool level = true;
    for (size_t i = 0; i < w->n; i++) {
        double at = (double)(w->t[i] - zero) / 1000, v = w->v[i];
        level &= v == w->v[0];
        ksum_add(&x, at);
        ksum_add(&y, v);
        ksum_add(&xy, at * v);
        ksum_add(&xx, at * at);
    }
    if (level) {
        *ret_slope = isinf(w->v[0]) ? NAN : 0;
        *ret_intercept = isinf(w->v[0]) ? NAN : w->v[0];
        return;
    }
    double n = (double)w->n, sx = x.s + x.c, sy = y.s + y.c;
    double covariance = xy.s + xy.c - sx * sy / n, variance = xx.s + xx.c - sx * sx / n;
    *ret_slope = covariance / variance;
    *ret_intercept = sy / n - *ret_slope * sx / n;
}

static bool fn_deriv(struct window *w, const double *args, double *ret)
{
    (void)args;
    double intercept;
    if (w->n < 2)
        return false;
    regression(w, w->t[0], ret, &intercept);
    return true;
}

static bool fn_predict_linear(struct window *w, const double *args, double *ret)
{
    double slope, intercept;
    if (w->n < 2)
        return false;
    regression(w, w->step_ms, &slope, &intercept);
    *ret = slope * args[0] + intercept;
    return true;
}

/* Holt's linear method: a level and a trend, each smoothed by its factor. */
static bool fn_double_exponential_smoothing(struct window *w, const double *args, double *ret)
{
    double sf = args[0], tf = args[1];
    if (sf <= 0 || sf >= 1) {
        w->err = query_error(w->q, w->f, E_EXEC, "invalid smoothing factor. Expected: 0 < sf < 1, got: %f", sf);
        return false;
    }
    if (tf <= 0 || tf >= 1) {
        w->err = query_error(w->q, w->f, E_EXEC, "invalid trend factor. Expected: 0 < tf < 1, got: %f", tf);
        return false;
    }
    if (w->n < 2)
        return false;
    double before = 0, level = w->v[0], trend = w->v[1] - w->v[0];
    for (size_t i = 1; i < w->n; i++) {
        if (i > 1)
            trend = tf * (level - before) + (1 - tf) * trend;
        before = level;
        level = sf * w->v[i] + (1 - sf) * (level + trend);
    }
    *ret = level;
    return true;
}

#define ROW(text, fn, flags) { S(text), { T_MATRIX }, 0, T_VECTOR, FN_WINDOW, flags, .window = fn }
#define TILED(text, fn, flags, kind) { S(text), { T_MATRIX }, 0, T_VECTOR, FN_WINDOW, flags, .window = fn, .tile = kind }

const struct fn_def fns_rate[] = {
    TILED("rate", fn_rate, FN_HISTOGRAMS | FN_INCREASE | FN_NO_BASE | FN_ANCHORED | FN_SMOOTHED | FN_PER_SECOND, TILE_INCREASE),
    TILED("increase", fn_increase, FN_HISTOGRAMS | FN_INCREASE | FN_NO_BASE | FN_ANCHORED | FN_SMOOTHED, TILE_INCREASE),
    TILED("delta", fn_delta, FN_HISTOGRAMS | FN_NO_BASE | FN_ANCHORED | FN_SMOOTHED, TILE_DELTA),
    ROW("irate", fn_irate, FN_HISTOGRAMS | FN_NO_BASE),
    ROW("idelta", fn_idelta, FN_HISTOGRAMS | FN_NO_BASE),
    ROW("changes", fn_changes, FN_HISTOGRAMS | FN_NO_BASE | FN_ANCHORED),
    ROW("resets", fn_resets, FN_HISTOGRAMS | FN_NO_BASE | FN_ANCHORED),
    ROW("deriv", fn_deriv, FN_NO_BASE),
    { S("predict_linear"), { T_MATRIX, T_SCALAR }, 0, T_VECTOR, FN_WINDOW, FN_EVERY_STEP, .window = fn_predict_linear },
    { S("double_exponential_smoothing"), { T_MATRIX, T_SCALAR, T_SCALAR }, 0, T_VECTOR, FN_WINDOW, 0,
      .window = fn_double_exponential_smoothing },
    { .name = { 0 } },
};
