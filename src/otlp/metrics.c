/* otlp/metrics.c -- which points become samples, and of which temporality.
 *
 *     monotonic sum, delta or cumulative   an accounted series: increments are made
 *                                          when reading (accounting rules 1 to 4)
 *     non-monotonic delta sum              the same: its total goes up and down
 *     gauge, non-monotonic cumulative sum  TEMPORALITY_NONE: reads back as it came
 *     histograms, summaries                distributions.c
 *
 * Totals of monotonic sums never fall, whatever a sender does: a point that is negative
 * or not a number would break every total after it, so it is left out alone.
 *
 * "No recorded value" is Prometheus's staleness marker for gauges and nothing at
 * all for accounted series, whose totals end with the last point anyway.
 */
#include "otlp/build.h"

#include <string.h>

#include "model/names.h"
#include "otlp/fields.h"
#include "otlp/limits.h"

#define STALE_NAN_BITS UINT64_C(0x7ff0000000000002)   /* Prometheus's staleness marker */

const struct otlp_kind_def otlp_kinds[KIND_COUNT] = {
    [KIND_GAUGE] = { F_METRIC_GAUGE, S("gauge") },
    [KIND_SUM] = { F_METRIC_SUM, S("sum") },
    [KIND_HISTOGRAM] = { F_METRIC_HISTOGRAM, S("histogram") },
    [KIND_EXP_HISTOGRAM] = { F_METRIC_EXP_HISTOGRAM, S("exponentialHistogram") },
    [KIND_SUMMARY] = { F_METRIC_SUMMARY, S("summary") },
};

static bool is_counter(const struct otlp_metric *m)
{
    return m->kind == KIND_SUM && m->monotonic;
}

/* Points are increments or totals of a stream. */
static bool is_accounted(const struct otlp_metric *m)
{
    return m->kind == KIND_SUM && (m->monotonic || m->temporality == OTLP_TEMPORALITY_DELTA);
}

double stale_marker(void)
{
    uint64_t bits = STALE_NAN_BITS;
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

void build_metric(struct build *b, const struct otlp_metric *m)
{
    b->meta_of = b->suffixes_of = NULL;
    if (m->name.n > OTLP_NAME_MAX || m->unit.n > OTLP_NAME_MAX) {
        build_fail(b, E_LIMIT, 0, "a metric's name or unit of more than %d bytes", OTLP_NAME_MAX);
        return;
    }
    /* A ratio is a gauge's only: a sum that may fall is "unknown" to the names. */
    enum metric_type type = is_counter(m) ? METRIC_COUNTER : m->kind == KIND_GAUGE ? METRIC_GAUGE : METRIC_UNKNOWN;
    b->metric = metric_name(m->name, m->unit, type, b->mem);
    known_metric(b, m, type);
}

/* Why this point cannot be kept, or REJECT_COUNT. */
static enum reject refuse(const struct build *b, const struct otlp_metric *m, const struct otlp_point *p)
{
    CHECK(m->kind == KIND_GAUGE || m->kind == KIND_SUM);
    if (!m->name.n || !b->metric.n)
        return REJECT_NO_NAME;
    if (m->kind == KIND_SUM && m->temporality != OTLP_TEMPORALITY_DELTA && m->temporality != OTLP_TEMPORALITY_CUMULATIVE)
        return REJECT_TEMPORALITY;
    if (p->flags & OTLP_FLAG_NO_RECORDED_VALUE)
        return REJECT_COUNT;
    if (p->type == POINT_EMPTY)
        return REJECT_NO_VALUE;
    double v = p->type == POINT_INT ? (double)p->i : p->d;
    if (is_accounted(m) && !__builtin_isfinite(v))
        return REJECT_NOT_FINITE;
    if (is_counter(m) && v < 0)
        return REJECT_NEGATIVE;
    return REJECT_COUNT;
}

void metric_meta(struct build *b, const struct otlp_metric *m, enum metric_type type)
{
    if (b->meta_of == m)
        return;
    b->meta_of = m;
    *arena_push(b->mem, b->batch->metas, b->batch->nmetas, b->batch->cap_metas) = (struct metric_meta){
        b->metric, type, m->unit, m->description };
}

void build_point(struct build *b, const struct otlp_metric *m, const struct otlp_point *p)
{
    CHECK(b->batch->table == TABLE_SAMPLE);
    enum reject why = refuse(b, m, p);
    if (why != REJECT_COUNT) {
        build_reject(b, why, 1);
        return;
    }
    b->has_points = true;
    b->newest_ns = MAX(b->newest_ns, p->time_ns);
    bool none = p->flags & OTLP_FLAG_NO_RECORDED_VALUE;
    if (none && is_accounted(m))
        return;

    bool known = p->known.shape != 0;
    struct row *r = row_new(b, known ? 0 : p->attrs.n + 1);
    if (!r)
        return;
    if (known) {
        r->group = known_group(b, p);
    } else {
        labels_point(b, r, &p->attrs);
        cells_put(&r->cells, b->mem, b->name_col, value_str(b->metric));
        if (p->raw.p)
            known_note(b, p, r);
    }
    r->value = none ? stale_marker() : p->type == POINT_INT ? (double)p->i : p->d;
    if (is_accounted(m)) {
        r->temporality = m->temporality == OTLP_TEMPORALITY_DELTA ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE;
        r->start_ns = (int64_t)MIN(p->start_ns, (uint64_t)INT64_MAX);
    }
    row_set_time(b->batch, r, (int64_t)MIN(p->time_ns, (uint64_t)INT64_MAX), 0, b->oldest_ns);
    metric_meta(b, m, is_counter(m) ? METRIC_COUNTER : METRIC_GAUGE);
}
