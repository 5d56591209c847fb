/* otlp/decode_traces.c -- Span with its events, links and status, protobuf. */
#include "otlp/fields.h"
#include "otlp/pb.h"

static void pb_event(struct build *b, struct wire *w)
{
    struct otlp_event e = { 0 };
    b->inner.n = 0;
    while (wire_next(w)) {
        switch (w->field) {
        case F_EVENT_TIME:
            e.time_ns = wire_fixed64(w);
            break;
        case F_EVENT_NAME:
            e.name = wire_bytes(w);
            break;
        case F_EVENT_ATTRS:
            pb_attr(b, w, &b->inner);
            break;
        case F_EVENT_DROPPED:
            e.dropped = (uint32_t)wire_varint(w);
            break;
        default:
            wire_skip(w);
        }
    }
    e.attrs = b->inner;
    if (!w->bad)
        build_event(b, &e);
}

static void pb_link(struct build *b, struct wire *w)
{
    struct otlp_link l = { 0 };
    b->inner.n = 0;
    while (wire_next(w)) {
        switch (w->field) {
        case F_LINK_TRACE_ID:
            l.trace_id = pb_id(b, w);
            break;
        case F_LINK_SPAN_ID:
            l.span_id = pb_id(b, w);
            break;
        case F_LINK_TRACE_STATE:
            l.trace_state = wire_bytes(w);
            break;
        case F_LINK_ATTRS:
            pb_attr(b, w, &b->inner);
            break;
        case F_LINK_DROPPED:
            l.dropped = (uint32_t)wire_varint(w);
            break;
        case F_LINK_FLAGS:
            l.flags = wire_fixed32(w);
            break;
        default:
            wire_skip(w);
        }
    }
    l.attrs = b->inner;
    if (!w->bad)
        build_link(b, &l);
}

static void pb_status(struct otlp_span *s, struct wire *w)
{
    while (wire_next(w)) {
        switch (w->field) {
        case F_STATUS_MESSAGE:
            s->status_message = wire_bytes(w);
            break;
        case F_STATUS_CODE:
            s->status_code = (int32_t)wire_varint(w);
            break;
        default:
            wire_skip(w);
        }
    }
}

/* The fields that are messages of their own. */
static void pb_part(struct build *b, struct otlp_span *s, struct wire *w)
{
    struct wire m = wire_message(w);
    if (w->field == F_SPAN_EVENTS)
        pb_event(b, &m);
    else if (w->field == F_SPAN_LINKS)
        pb_link(b, &m);
    else
        pb_status(s, &m);
    wire_close(w, &m);
}

/* Straight numbers and texts. */
static void pb_span_field(struct build *b, struct otlp_span *s, struct wire *w)
{
    switch (w->field) {
    case F_SPAN_TRACE_ID:
        s->trace_id = pb_id(b, w);
        break;
    case F_SPAN_SPAN_ID:
        s->span_id = pb_id(b, w);
        break;
    case F_SPAN_PARENT_ID:
        s->parent_id = pb_id(b, w);
        break;
    case F_SPAN_TRACE_STATE:
        s->trace_state = wire_bytes(w);
        break;
    case F_SPAN_NAME:
        s->name = wire_bytes(w);
        break;
    case F_SPAN_KIND:
        s->kind = (int32_t)wire_varint(w);
        break;
    case F_SPAN_START:
        s->start_ns = wire_fixed64(w);
        break;
    case F_SPAN_END:
        s->end_ns = wire_fixed64(w);
        break;
    case F_SPAN_FLAGS:
        s->flags = wire_fixed32(w);
        break;
    case F_SPAN_DROPPED:
        s->dropped = (uint32_t)wire_varint(w);
        break;
    case F_SPAN_DROPPED_EVENTS:
        s->dropped_events = (uint32_t)wire_varint(w);
        break;
    case F_SPAN_DROPPED_LINKS:
        s->dropped_links = (uint32_t)wire_varint(w);
        break;
    default:
        wire_skip(w);
    }
}

void pb_span(struct build *b, struct wire *w)
{
    struct otlp_span s = { 0 };
    b->attrs.n = 0;
    build_span_begin(b);
    while (wire_next(w)) {
        switch (w->field) {
        case F_SPAN_ATTRS:
            pb_attr(b, w, &b->attrs);
            break;
        case F_SPAN_EVENTS:
        case F_SPAN_LINKS:
        case F_SPAN_STATUS:
            pb_part(b, &s, w);
            break;
        default:
            pb_span_field(b, &s, w);
        }
    }
    s.attrs = b->attrs;
    if (!w->bad && build_ok(b))
        build_span(b, &s);
}
