/* otlp/distributions.c -- points of histograms and summaries, as Prometheus has them.
 *
 *     histogram              NAME_bucket{le}, NAME_sum, NAME_count: bucket counts are those
 *                            at or below the bound
 *     exponential histogram  one native histogram, in schema 8 at most
 *     summary                NAME{quantile}, NAME_sum, NAME_count
 *
 *                  cumulative                    delta
 *     histogram    as it came                    increments: each series is an accounted one, so
 *                                                its total is a proper cumulative histogram
 *     exponential  as it came                    increments: each is its own sample, a gauge;
 *                                                what was added in a window is their sum
 *     summary      as it came (it has no other)
 *
 * A sum of increments must not fall, and does not, since a sender leaves it out where
 * observations can be negative; one that does is left out alone. Minimum, maximum and
 * exemplars have no place in Prometheus's model. "No recorded value" is a staleness marker
 * for what is kept as it came, and nothing for increments.
 */
#include "otlp/build.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "model/histogram.h"
#include "otlp/fields.h"
#include "otlp/limits.h"

enum { OWN_CELLS = 2 };                            /* __name__ and le or quantile */

static const double default_zero_threshold = 1e-128;   /* as Prometheus's receiver has it */

/* ---- filling --------------------------------------------------------------- */

struct otlp_dist *dist_begin(struct build *b)
{
    struct otlp_dist *d = &b->dist;
    struct otlp_counts *counts[] = { &d->counts, &d->pos.counts, &d->neg.counts };
    struct otlp_numbers *numbers[] = { &d->bounds, &d->quantiles, &d->values };
    struct otlp_dist fresh = { .counts = d->counts, .bounds = d->bounds, .pos = d->pos, .neg = d->neg,
                               .quantiles = d->quantiles, .values = d->values };
    *d = fresh;
    d->pos.offset = d->neg.offset = 0;
    for (size_t i = 0; i < LEN(counts); i++)
        counts[i]->n = numbers[i]->n = 0;
    return d;
}

static bool room_for(struct build *b, uint32_t n)
{
    if (n >= OTLP_BUCKETS_MAX)
        build_fail(b, E_LIMIT, 0, "more than %d buckets, bounds or quantiles in one point", OTLP_BUCKETS_MAX);
    return build_ok(b);
}

void dist_count(struct build *b, struct otlp_counts *c, uint64_t v)
{
    if (room_for(b, c->n))
        *arena_push(b->mem, c->at, c->n, c->cap) = v;
}

void dist_number(struct build *b, struct otlp_numbers *c, double v)
{
    if (room_for(b, c->n))
        *arena_push(b->mem, c->at, c->n, c->cap) = v;
}

/* ---- rows ------------------------------------------------------------------ */

static bool is_delta(const struct otlp_metric *m)
{
    return m->kind != KIND_SUMMARY && m->temporality == OTLP_TEMPORALITY_DELTA;
}

static struct str with_suffix(struct build *b, struct str suffix)
{
    return arena_fmt(b->mem, STR_FMT STR_FMT, STR_ARG(b->metric), STR_ARG(suffix));
}

static void suffixes(struct build *b, const struct otlp_metric *m)
{
    if (b->suffixes_of == m)
        return;
    b->suffixes_of = m;
    b->bucket = with_suffix(b, S("_bucket"));
    b->sum = with_suffix(b, S("_sum"));
    b->count = with_suffix(b, S("_count"));
}

/* A row of the point; `label` may be empty. NULL past a limit. */
static struct row *dist_row(struct build *b, const struct otlp_metric *m, const struct otlp_dist *p, struct str name,
                            struct str label, double text_of, double value)
{
    struct row *r = row_new(b, p->attrs.n + OWN_CELLS);
    if (!r)
        return NULL;
    uint32_t col = label.n ? column(b, PLACE_LABEL, label) : 0;
    b->extra_col = label.n ? col + 1 : 0;
    labels_point(b, r, &p->attrs);
    b->extra_col = 0;
    cells_put(&r->cells, b->mem, b->name_col, value_str(name));
    if (label.n) {
        char text[NUM_F64_MAX];
        cells_put(&r->cells, b->mem, col, value_str(arena_str(b->mem, (struct str){ text, num_fmt_f64(text, text_of) })));
    }
    r->value = value;
    if (is_delta(m)) {
        r->temporality = TEMPORALITY_DELTA;
        r->start_ns = (int64_t)MIN(p->start_ns, (uint64_t)INT64_MAX);
    }
    row_set_time(b->batch, r, (int64_t)MIN(p->time_ns, (uint64_t)INT64_MAX), 0, b->oldest_ns);
    return r;
}

/* A number, or the marker that says there is none. */
static double shown(const struct otlp_dist *p, double v)
{
    return p->flags & OTLP_FLAG_NO_RECORDED_VALUE ? stale_marker() : v;
}

static void sum_and_count(struct build *b, const struct otlp_metric *m, const struct otlp_dist *p)
{
    bool falls = is_delta(m) && !(p->sum >= 0 && isfinite(p->sum));
    if (p->has_sum && falls)
        build_reject(b, REJECT_NEGATIVE_SUM, 1);
    else if (p->has_sum)
        dist_row(b, m, p, b->sum, S(""), 0, shown(p, p->sum));
    dist_row(b, m, p, b->count, S(""), 0, shown(p, (double)p->count));
}

/* ---- classic --------------------------------------------------------------- */

static bool buckets_fit(const struct otlp_dist *p)
{
    uint64_t all = 0;
    if (p->counts.n && p->counts.n != p->bounds.n + 1)
        return false;
    for (uint32_t i = 0; i < p->counts.n; i++)
        if (__builtin_add_overflow(all, p->counts.at[i], &all))
            return false;
    for (uint32_t i = 0; i < p->bounds.n; i++)
        if (isnan(p->bounds.at[i]) || (i && p->bounds.at[i] <= p->bounds.at[i - 1]))
            return false;
    return true;
}

static void classic(struct build *b, const struct otlp_metric *m, const struct otlp_dist *p)
{
    if (!buckets_fit(p)) {
        build_reject(b, REJECT_BUCKETS, 1);
        return;
    }
    uint64_t below = 0;
    for (uint32_t i = 0; i + 1 < p->counts.n && build_ok(b); i++) {
        below += p->counts.at[i];
        if (p->bounds.at[i] != INFINITY)
            dist_row(b, m, p, b->bucket, S("le"), p->bounds.at[i], shown(p, (double)below));
    }
    dist_row(b, m, p, b->bucket, S("le"), INFINITY, shown(p, (double)p->count));
    sum_and_count(b, m, p);
    metric_meta(b, m, METRIC_HISTOGRAM);
}

static void summary(struct build *b, const struct otlp_metric *m, const struct otlp_dist *p)
{
    for (uint32_t i = 0; i < p->quantiles.n && build_ok(b); i++)
        dist_row(b, m, p, b->metric, S("quantile"), p->quantiles.at[i], shown(p, p->values.at[i]));
    sum_and_count(b, m, p);
    metric_meta(b, m, METRIC_SUMMARY);
}

/* ---- exponential ----------------------------------------------------------- */

/* Populated buckets only; one index more than OpenTelemetry's, since Prometheus names a
 * bucket by its upper bound. False: an index beyond 32 bits. */
static bool native_side(struct build *b, const struct otlp_side *s, struct hist_buckets *ret)
{
    *ret = (struct hist_buckets){ arena_new(b->mem, int32_t, s->counts.n + 1), arena_new(b->mem, double, s->counts.n + 1), 0 };
    if (s->offset < INT32_MIN || s->offset + s->counts.n > INT32_MAX)
        return false;
    for (uint32_t i = 0; i < s->counts.n; i++)
        if (s->counts.at[i]) {
            ret->index[ret->n] = (int32_t)(s->offset + i + 1);
            ret->count[ret->n++] = (double)s->counts.at[i];
        }
    return true;
}

static enum reject to_native(struct build *b, const struct otlp_metric *m, const struct otlp_dist *p, struct histogram *h)
{
    if (p->scale < HIST_SCHEMA_MIN)
        return REJECT_SCALE;
    *h = (struct histogram){
        .schema = (int32_t)MIN(p->scale, (int64_t)INT32_MAX),
        .hint = is_delta(m) ? HINT_GAUGE : HINT_UNKNOWN,
        .integer = true,
        .count = (double)p->count,
        .sum = p->has_sum ? p->sum : 0,
        .zero_count = (double)p->zero_count,
        .zero_threshold = p->zero_threshold > 0 ? p->zero_threshold : default_zero_threshold,
    };
    if (!native_side(b, &p->pos, &h->pos) || !native_side(b, &p->neg, &h->neg))
        return REJECT_BUCKETS;
    if (h->schema > HIST_SCHEMA_MAX)
        *h = histogram_coarsen(b->mem, h, HIST_SCHEMA_MAX);
    return histogram_is_stale(h) || histogram_check(h, NULL) ? REJECT_BUCKETS : REJECT_COUNT;
}

static void native(struct build *b, const struct otlp_metric *m, const struct otlp_dist *p)
{
    struct histogram h;
    bool none = p->flags & OTLP_FLAG_NO_RECORDED_VALUE;
    enum reject why = none ? REJECT_COUNT : to_native(b, m, p, &h);
    if (why != REJECT_COUNT) {
        build_reject(b, why, 1);
        return;
    }
    struct row *r = dist_row(b, m, p, b->metric, S(""), 0, stale_marker());
    if (!r)
        return;
    struct fault f = { 0 };
    if (!none && histogram_put(b->batch, r, &h, &f))
        build_fail(b, f.code, 0, "%s", f.msg);
    metric_meta(b, m, METRIC_HISTOGRAM);
}

/* ---- entry ----------------------------------------------------------------- */

static enum reject refuse(const struct build *b, const struct otlp_metric *m)
{
    bool known = m->temporality == OTLP_TEMPORALITY_DELTA || m->temporality == OTLP_TEMPORALITY_CUMULATIVE;
    if (!m->name.n || !b->metric.n)
        return REJECT_NO_NAME;
    return m->kind != KIND_SUMMARY && !known ? REJECT_TEMPORALITY : REJECT_COUNT;
}

void build_dist(struct build *b, const struct otlp_metric *m, const struct otlp_dist *p)
{
    CHECK(b->batch->table == TABLE_SAMPLE && p->quantiles.n == p->values.n);
    enum reject why = refuse(b, m);
    if (why != REJECT_COUNT) {
        build_reject(b, why, 1);
        return;
    }
    b->has_points = true;
    b->newest_ns = MAX(b->newest_ns, p->time_ns);
    if (is_delta(m) && p->flags & OTLP_FLAG_NO_RECORDED_VALUE)
        return;
    suffixes(b, m);
    if (m->kind == KIND_HISTOGRAM)
        classic(b, m, p);
    else if (m->kind == KIND_SUMMARY)
        summary(b, m, p);
    else
        native(b, m, p);
}
