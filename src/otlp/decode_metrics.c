/* otlp/decode_metrics.c -- Metric and its data points, protobuf.
 *
 * The data's head (temporality, monotonic) is read before its points, in a first
 * walk over their lengths. Lists of numbers may come packed or one by one.
 */
#include "otlp/fields.h"
#include "otlp/pb.h"

static void pb_point(struct build *b, const struct otlp_metric *metric, struct wire *w)
{
    struct otlp_point p = { 0 };
    b->attrs.n = 0;
    while (wire_next(w)) {
        switch (w->field) {
        case F_POINT_START:
            p.start_ns = wire_fixed64(w);
            break;
        case F_POINT_TIME:
            p.time_ns = wire_fixed64(w);
            break;
        case F_POINT_DOUBLE:
            p.type = POINT_DOUBLE;
            p.d = wire_double(w);
            break;
        case F_POINT_INT:
            p.type = POINT_INT;
            p.i = (int64_t)wire_fixed64(w);
            break;
        case F_POINT_ATTRS:
            if (!known_point(b, w, &p))
                pb_attr(b, w, &b->attrs);
            break;
        case F_POINT_FLAGS:
            p.flags = wire_varint(w);
            break;
        default:
            wire_skip(w);
        }
    }
    p.attrs = b->attrs;
    if (!w->bad && build_ok(b))
        build_point(b, metric, &p);
}

/* The next field: one number, or a packed list of them. */
static void pb_list(struct wire *w, enum wire_type type, struct build *b, void *list,
                    void (*take)(struct build *b, void *list, struct wire *w))
{
    if (w->type != WIRE_LEN) {
        take(b, list, w);
        return;
    }
    struct wire in = wire_message(w);
    in.type = type;
    while (in.p != in.end && !in.bad && build_ok(b))
        take(b, list, &in);
    wire_close(w, &in);
}

static void take_fixed(struct build *b, void *list, struct wire *w)
{
    dist_count(b, list, wire_fixed64(w));
}

static void take_varint(struct build *b, void *list, struct wire *w)
{
    dist_count(b, list, wire_varint(w));
}

static void take_double(struct build *b, void *list, struct wire *w)
{
    dist_number(b, list, wire_double(w));
}

static int64_t zigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static void pb_side(struct build *b, struct wire *w, struct otlp_side *ret)
{
    struct wire in = wire_message(w);
    while (wire_next(&in)) {
        if (in.field == F_SIDE_OFFSET)
            ret->offset = zigzag(wire_varint(&in));
        else if (in.field == F_SIDE_COUNTS)
            pb_list(&in, WIRE_VARINT, b, &ret->counts, take_varint);
        else
            wire_skip(&in);
    }
    wire_close(w, &in);
}

static void pb_quantile(struct build *b, struct wire *w, struct otlp_dist *p)
{
    struct wire in = wire_message(w);
    double quantile = 0, value = 0;
    while (wire_next(&in)) {
        if (in.field == F_QUANTILE_QUANTILE)
            quantile = wire_double(&in);
        else if (in.field == F_QUANTILE_VALUE)
            value = wire_double(&in);
        else
            wire_skip(&in);
    }
    wire_close(w, &in);
    dist_number(b, &p->quantiles, quantile);
    dist_number(b, &p->values, value);
}

/* Where a kind of point has its attributes and flags. */
static const struct { uint32_t attrs, flags; } dist_fields[KIND_COUNT] = {
    [KIND_HISTOGRAM] = { F_HIST_ATTRS, F_HIST_FLAGS },
    [KIND_EXP_HISTOGRAM] = { F_EXP_ATTRS, F_EXP_FLAGS },
    [KIND_SUMMARY] = { F_SUMMARY_ATTRS, F_SUMMARY_FLAGS },
};

/* The next field, one that only this kind has. */
static void pb_kind_field(struct build *b, enum otlp_kind kind, struct wire *w, struct otlp_dist *p)
{
    if (kind == KIND_HISTOGRAM && w->field == F_HIST_COUNTS)
        pb_list(w, WIRE_I64, b, &p->counts, take_fixed);
    else if (kind == KIND_HISTOGRAM && w->field == F_HIST_BOUNDS)
        pb_list(w, WIRE_I64, b, &p->bounds, take_double);
    else if (kind == KIND_SUMMARY && w->field == F_SUMMARY_QUANTILES)
        pb_quantile(b, w, p);
    else if (kind == KIND_EXP_HISTOGRAM && w->field == F_EXP_SCALE)
        p->scale = (int32_t)zigzag(wire_varint(w));
    else if (kind == KIND_EXP_HISTOGRAM && w->field == F_EXP_ZERO_COUNT)
        p->zero_count = wire_fixed64(w);
    else if (kind == KIND_EXP_HISTOGRAM && w->field == F_EXP_ZERO_THRESHOLD)
        p->zero_threshold = wire_double(w);
    else if (kind == KIND_EXP_HISTOGRAM && w->field == F_EXP_POSITIVE)
        pb_side(b, w, &p->pos);
    else if (kind == KIND_EXP_HISTOGRAM && w->field == F_EXP_NEGATIVE)
        pb_side(b, w, &p->neg);
    else
        wire_skip(w);
}

static void pb_dist(struct build *b, const struct otlp_metric *metric, struct wire *w)
{
    struct otlp_dist *p = dist_begin(b);
    b->attrs.n = 0;
    p->has_sum = metric->kind == KIND_SUMMARY;     /* where it is no optional field */
    while (wire_next(w)) {
        if (w->field == dist_fields[metric->kind].attrs) {
            pb_attr(b, w, &b->attrs);
        } else if (w->field == dist_fields[metric->kind].flags) {
            p->flags = wire_varint(w);
        } else if (w->field == F_DIST_START) {
            p->start_ns = wire_fixed64(w);
        } else if (w->field == F_DIST_TIME) {
            p->time_ns = wire_fixed64(w);
        } else if (w->field == F_DIST_COUNT) {
            p->count = wire_fixed64(w);
        } else if (w->field == F_DIST_SUM) {
            p->sum = wire_double(w);
            p->has_sum = true;
        } else {
            pb_kind_field(b, metric->kind, w, p);
        }
    }
    p->attrs = b->attrs;
    if (!w->bad && build_ok(b))
        build_dist(b, metric, p);
}

static void pb_data(struct build *b, struct otlp_metric *metric, struct wire *w)
{
    struct wire head = *w;
    while (wire_next(&head)) {
        if (head.field == F_DATA_TEMPORALITY && metric->kind != KIND_GAUGE && metric->kind != KIND_SUMMARY)
            metric->temporality = (int32_t)wire_varint(&head);
        else if (head.field == F_DATA_MONOTONIC && metric->kind == KIND_SUM)
            metric->monotonic = wire_varint(&head) != 0;
        else
            wire_skip(&head);
    }
    wire_close(w, &head);
    build_metric(b, metric);
    while (build_ok(b) && wire_next(w)) {
        if (w->field != F_DATA_POINTS) {
            wire_skip(w);
        } else {
            struct wire m = wire_message(w);
            if (metric->kind == KIND_GAUGE || metric->kind == KIND_SUM)
                pb_point(b, metric, &m);
            else
                pb_dist(b, metric, &m);
            wire_close(w, &m);
        }
    }
}

static bool kind_of(uint32_t field, enum otlp_kind *ret)
{
    for (unsigned i = 0; i < KIND_COUNT; i++)
        if (otlp_kinds[i].field == field) {
            *ret = (enum otlp_kind)i;
            return true;
        }
    return false;
}

void pb_metric(struct build *b, struct wire *w)
{
    struct otlp_metric metric = { 0 };
    struct wire data = { 0 };
    bool has_data = false;
    while (wire_next(w)) {
        switch (w->field) {
        case F_METRIC_NAME:
            metric.name = wire_bytes(w);
            break;
        case F_METRIC_DESCRIPTION:
            metric.description = wire_bytes(w);
            break;
        case F_METRIC_UNIT:
            metric.unit = wire_bytes(w);
            break;
        default:
            if (kind_of(w->field, &metric.kind)) {
                data = wire_message(w);
                has_data = true;
            } else {
                wire_skip(w);
            }
        }
    }
    if (w->bad || !has_data)
        return;
    pb_data(b, &metric, &data);
    wire_close(w, &data);
}
