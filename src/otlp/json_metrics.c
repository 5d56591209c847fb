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

static void point_counted(struct js *d, void *arg)
{
    const struct otlp_metric *metric = arg;
    struct str key;
    while (js_key(d, &key))
        js_skip(d);
    build_reject(d->b, REJECT_KIND + (enum reject)metric->kind, 1);
}

static void points_value(struct js *d, void *arg)
{
    const struct otlp_metric *metric = arg;
    js_array(d, otlp_kinds[metric->kind].supported ? point_members : point_counted, arg);
}

static void data_members(struct js *d, void *arg)
{
    struct otlp_metric *metric = arg;
    struct js_mark later = { 0 };
    /* A gauge has no head; a sum's may lack `isMonotonic`, false being left out. */
    bool temporality = metric->kind != KIND_SUM, monotonic = temporality;
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
