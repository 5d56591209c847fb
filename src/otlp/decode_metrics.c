/* otlp/decode_metrics.c -- Metric and its data points, protobuf.
 *
 * The data's head (temporality, monotonic) is read before its points, in a first
 * walk over their lengths. Points of an unsupported kind are only counted.
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
        } else if (otlp_kinds[metric->kind].supported) {
            struct wire m = wire_message(w);
            pb_point(b, metric, &m);
            wire_close(w, &m);
        } else {
            wire_skip(w);
            build_reject(b, REJECT_KIND + (enum reject)metric->kind, 1);
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
