/* otlp/decode_logs.c -- LogRecord, protobuf. */
#include "otlp/fields.h"
#include "otlp/pb.h"

void pb_log(struct build *b, struct wire *w)
{
    struct otlp_log l = { 0 };
    bool any = false;
    build_log_begin(b);
    while (wire_next(w)) {
        switch (w->field) {
        case F_LOG_TIME:
            l.time_ns = wire_fixed64(w);
            break;
        case F_LOG_OBSERVED:
            l.observed_ns = wire_fixed64(w);
            break;
        case F_LOG_SEVERITY:
            l.severity = (int32_t)wire_varint(w);
            break;
        case F_LOG_SEVERITY_TEXT:
            l.severity_text = wire_bytes(w);
            break;
        case F_LOG_BODY:
            l.body = pb_any_field(b, w);
            break;
        case F_LOG_ATTRS:
            if (any || !pb_shared(b, w))
                pb_own_attr(b, w);
            any = true;
            break;
        case F_LOG_DROPPED:
            l.dropped = (uint32_t)wire_varint(w);
            break;
        case F_LOG_FLAGS:
            l.flags = wire_fixed32(w);
            break;
        case F_LOG_TRACE_ID:
            l.trace_id = pb_id(b, w);
            break;
        case F_LOG_SPAN_ID:
            l.span_id = pb_id(b, w);
            break;
        case F_LOG_EVENT_NAME:
            l.event_name = wire_bytes(w);
            break;
        default:
            wire_skip(w);
        }
    }
    if (!w->bad && build_ok(b))
        build_log(b, &l);
}
