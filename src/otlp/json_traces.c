/* otlp/json_traces.c -- Span with its events, links and status, JSON. */
#include "otlp/js.h"

static const struct str kinds[] = {
    S("UNSPECIFIED"), S("INTERNAL"), S("SERVER"), S("CLIENT"), S("PRODUCER"), S("CONSUMER"),
};
static const struct str codes[] = { S("UNSET"), S("OK"), S("ERROR") };

static void event_members(struct js *d, void *arg)
{
    struct otlp_event e = { 0 };
    struct str key;
    (void)arg;
    d->b->inner.n = 0;
    while (js_key(d, &key)) {
        if (js_is(key, S("timeUnixNano")))
            e.time_ns = js_u64(d);
        else if (js_is(key, S("name")))
            e.name = js_str(d);
        else if (js_is(key, S("attributes")))
            js_attrs(d, &d->b->inner);
        else if (js_is(key, S("droppedAttributesCount")))
            e.dropped = js_u64(d);
        else
            js_skip(d);
    }
    e.attrs = d->b->inner;
    build_event(d->b, &e);
}

static void link_members(struct js *d, void *arg)
{
    struct otlp_link l = { 0 };
    struct str key;
    (void)arg;
    d->b->inner.n = 0;
    while (js_key(d, &key)) {
        if (js_is(key, S("traceId")))
            l.trace_id = js_id(d);
        else if (js_is(key, S("spanId")))
            l.span_id = js_id(d);
        else if (js_is(key, S("traceState")))
            l.trace_state = js_str(d);
        else if (js_is(key, S("attributes")))
            js_attrs(d, &d->b->inner);
        else if (js_is(key, S("droppedAttributesCount")))
            l.dropped = js_u64(d);
        else if (js_is(key, S("flags")))
            l.flags = js_u64(d);
        else
            js_skip(d);
    }
    l.attrs = d->b->inner;
    build_link(d->b, &l);
}

static void status_members(struct js *d, void *arg)
{
    struct otlp_span *s = arg;
    struct str key;
    while (js_key(d, &key)) {
        if (js_is(key, S("message")))
            s->status_message = js_str(d);
        else if (js_is(key, S("code")))
            s->status_code = js_enum(d, S("STATUS_CODE_"), codes, LEN(codes));
        else
            js_skip(d);
    }
}

/* Ids, texts, times; false: another member. */
static bool span_field(struct js *d, struct otlp_span *s, struct str key)
{
    if (js_is(key, S("traceId")))
        s->trace_id = js_id(d);
    else if (js_is(key, S("spanId")))
        s->span_id = js_id(d);
    else if (js_is(key, S("parentSpanId")))
        s->parent_id = js_id(d);
    else if (js_is(key, S("traceState")))
        s->trace_state = js_str(d);
    else if (js_is(key, S("name")))
        s->name = js_str(d);
    else if (js_is(key, S("startTimeUnixNano")))
        s->start_ns = js_u64(d);
    else if (js_is(key, S("endTimeUnixNano")))
        s->end_ns = js_u64(d);
    else if (js_is(key, S("kind")))
        s->kind = js_enum(d, S("SPAN_KIND_"), kinds, LEN(kinds));
    else
        return false;
    return true;
}

static bool span_count(struct js *d, struct otlp_span *s, struct str key)
{
    if (js_is(key, S("flags")))
        s->flags = js_u64(d);
    else if (js_is(key, S("droppedAttributesCount")))
        s->dropped = js_u64(d);
    else if (js_is(key, S("droppedEventsCount")))
        s->dropped_events = js_u64(d);
    else if (js_is(key, S("droppedLinksCount")))
        s->dropped_links = js_u64(d);
    else
        return false;
    return true;
}

void js_span(struct js *d, void *arg)
{
    struct otlp_span s = { 0 };
    struct str key;
    (void)arg;
    d->b->attrs.n = 0;
    build_span_begin(d->b);
    while (js_key(d, &key)) {
        if (js_is(key, S("attributes")))
            js_attrs(d, &d->b->attrs);
        else if (js_is(key, S("events")))
            js_array(d, event_members, NULL);
        else if (js_is(key, S("links")))
            js_array(d, link_members, NULL);
        else if (js_is(key, S("status")))
            js_object(d, status_members, &s);
        else if (!span_field(d, &s, key) && !span_count(d, &s, key))
            js_skip(d);
    }
    s.attrs = d->b->attrs;
    if (build_ok(d->b))
        build_span(d->b, &s);
}
