/* otlp/json_metrics.c -- Metric and its data points, JSON.
 *
 * Points need the metric's name, unit and description and the data's temporality.
 * Senders differ in the order: Claude Code writes both before, generated code in
 * the order of field numbers writes the points first. What comes too early is
 * marked and read at the end of its object.
 */
#include "otlp/js.h"

#include "otlp/fields.h"

static const struct str temporalities[] = { S("UNSPECIFIED"), S("DELTA"), S("CUMULATIVE") };

static void point_members(struct js *d, void *arg)
{
    const struct otlp_metric *metric = arg;
    struct otlp_point p = { 0 };
    struct str key;
    d->b->attrs.n = 0;
    while (js_key(d, &key)) {
        if (js_is(key, S("attributes"))) {
            js_attrs(d, &d->b->attrs);
        } else if (js_is(key, S("startTimeUnixNano"))) {
            p.start_ns = js_u64(d);
        } else if (js_is(key, S("timeUnixNano"))) {
            p.time_ns = js_u64(d);
        } else if (js_is(key, S("asDouble"))) {
            p.d = js_f64(d);
            p.type = d->j.tok == J_NULL ? p.type : POINT_DOUBLE;
        } else if (js_is(key, S("asInt"))) {
            p.i = js_i64(d);
            p.type = d->j.tok == J_NULL ? p.type : POINT_INT;
        } else if (js_is(key, S("flags"))) {
            p.flags = js_u64(d);
        } else {
            js_skip(d);
        }
    }
    p.attrs = d->b->attrs;
    if (build_ok(d->b))
        build_point(d->b, metric, &p);
}

/* ---- histograms and summaries ------------------------------------------------ */

static void count_value(struct js *d, void *arg)
{
    dist_count(d->b, arg, js_u64(d));
}

static void number_value(struct js *d, void *arg)
{
    dist_number(d->b, arg, js_f64(d));
}

static void side_members(struct js *d, void *arg)
{
    struct otlp_side *side = arg;
    struct str key;
    while (js_key(d, &key)) {
        if (js_is(key, S("offset")))
            side->offset = js_i64(d);
        else if (js_is(key, S("bucketCounts")))
            js_numbers(d, count_value, &side->counts);
        else
            js_skip(d);
    }
}

static void quantile_members(struct js *d, void *arg)
{
    struct otlp_dist *p = arg;
    double quantile = 0, value = 0;
    struct str key;
    while (js_key(d, &key)) {
        if (js_is(key, S("quantile")))
            quantile = js_f64(d);
        else if (js_is(key, S("value")))
            value = js_f64(d);
        else
            js_skip(d);
    }
    dist_number(d->b, &p->quantiles, quantile);
    dist_number(d->b, &p->values, value);
}

/* A member that only one kind has. */
static void kind_member(struct js *d, enum otlp_kind kind, struct str key, struct otlp_dist *p)
{
    if (kind == KIND_HISTOGRAM && js_is(key, S("bucketCounts")))
        js_numbers(d, count_value, &p->counts);
    else if (kind == KIND_HISTOGRAM && js_is(key, S("explicitBounds")))
        js_numbers(d, number_value, &p->bounds);
    else if (kind == KIND_SUMMARY && js_is(key, S("quantileValues")))
        js_array(d, quantile_members, p);
    else if (kind == KIND_EXP_HISTOGRAM && js_is(key, S("scale")))
        p->scale = js_i64(d);
    else if (kind == KIND_EXP_HISTOGRAM && js_is(key, S("zeroCount")))
        p->zero_count = js_u64(d);
    else if (kind == KIND_EXP_HISTOGRAM && js_is(key, S("zeroThreshold")))
        p->zero_threshold = js_f64(d);
    else if (kind == KIND_EXP_HISTOGRAM && js_is(key, S("positive")))
        js_object(d, side_members, &p->pos);
    else if (kind == KIND_EXP_HISTOGRAM && js_is(key, S("negative")))
        js_object(d, side_members, &p->neg);
    else
        js_skip(d);
}

static void dist_members(struct js *d, void *arg)
{
    const struct otlp_metric *metric = arg;
    struct otlp_dist *p = dist_begin(d->b);
    struct str key;
    d->b->attrs.n = 0;
    p->has_sum = metric->kind == KIND_SUMMARY;
    while (js_key(d, &key)) {
        if (js_is(key, S("attributes"))) {
            js_attrs(d, &d->b->attrs);
        } else if (js_is(key, S("startTimeUnixNano"))) {
            p->start_ns = js_u64(d);
        } else if (js_is(key, S("timeUnixNano"))) {
            p->time_ns = js_u64(d);
        } else if (js_is(key, S("count"))) {
            p->count = js_u64(d);
        } else if (js_is(key, S("sum"))) {
            p->sum = js_f64(d);
            p->has_sum = p->has_sum || d->j.tok != J_NULL;
        } else if (js_is(key, S("flags"))) {
            p->flags = js_u64(d);
        } else {
            kind_member(d, metric->kind, key, p);
        }
    }
    p->attrs = d->b->attrs;
    if (build_ok(d->b))
        build_dist(d->b, metric, p);
}

/* ---- data ------------------------------------------------------------------- */

static void points_value(struct js *d, void *arg)
{
    const struct otlp_metric *metric = arg;
    js_array(d, metric->kind == KIND_GAUGE || metric->kind == KIND_SUM ? point_members : dist_members, arg);
}

static void data_members(struct js *d, void *arg)
{
    struct otlp_metric *metric = arg;
    struct js_mark later = { 0 };
    /* Gauges and summaries have no head; a sum's may lack `isMonotonic`, false being left out. */
    bool temporality = metric->kind == KIND_GAUGE || metric->kind == KIND_SUMMARY, monotonic = metric->kind != KIND_SUM;
    struct str key;
    metric->temporality = 0;
    metric->monotonic = false;
    build_metric(d->b, metric);
    while (js_key(d, &key)) {
        if (js_is(key, S("aggregationTemporality"))) {
            metric->temporality = js_enum(d, S("AGGREGATION_TEMPORALITY_"), temporalities, LEN(temporalities));
            temporality = true;
        } else if (js_is(key, S("isMonotonic"))) {
            metric->monotonic = js_bool(d);
            monotonic = true;
            build_metric(d->b, metric);
        } else if (js_is(key, S("dataPoints")) && temporality && monotonic) {
            points_value(d, metric);
        } else if (js_is(key, S("dataPoints"))) {
            js_defer(d, &later);
        } else {
            js_skip(d);
        }
    }
    js_back(d, &later, points_value, metric);
}

static void data_value(struct js *d, void *arg)
{
    js_object(d, data_members, arg);
}

static bool kind_of(struct str key, enum otlp_kind *ret)
{
    for (unsigned i = 0; i < KIND_COUNT; i++)
        if (js_is(key, otlp_kinds[i].json)) {
            *ret = (enum otlp_kind)i;
            return true;
        }
    return false;
}

void js_metric(struct js *d, void *arg)
{
    struct otlp_metric metric = { 0 };
    struct js_mark later = { 0 };
    bool name = false, description = false, unit = false;
    struct str key;
    (void)arg;
    while (js_key(d, &key)) {
        enum otlp_kind kind;
        if (js_is(key, S("name"))) {
            metric.name = js_str(d);
            name = true;
        } else if (js_is(key, S("description"))) {
            metric.description = js_str(d);
            description = true;
        } else if (js_is(key, S("unit"))) {
            metric.unit = js_str(d);
            unit = true;
        } else if (kind_of(key, &kind)) {
            metric.kind = kind;
            later.set = false;
            if (name && description && unit)
                data_value(d, &metric);
            else
                js_defer(d, &later);
        } else {
            js_skip(d);
        }
    }
    js_back(d, &later, data_value, &metric);
}
