/* otlp/json_logs.c -- LogRecord, JSON. */
#include "otlp/js.h"

/* SeverityNumber: six levels of four steps each, after "unspecified". */
static const struct str severities[] = {
    S("UNSPECIFIED"), S("TRACE"), S("TRACE2"), S("TRACE3"), S("TRACE4"), S("DEBUG"), S("DEBUG2"), S("DEBUG3"),
    S("DEBUG4"), S("INFO"), S("INFO2"), S("INFO3"), S("INFO4"), S("WARN"), S("WARN2"), S("WARN3"), S("WARN4"),
    S("ERROR"), S("ERROR2"), S("ERROR3"), S("ERROR4"), S("FATAL"), S("FATAL2"), S("FATAL3"), S("FATAL4"),
};

/* Times, ids and counts; false: another member. */
static bool log_field(struct js *d, struct otlp_log *l, struct str key)
{
    if (js_is(key, S("timeUnixNano")))
        l->time_ns = js_u64(d);
    else if (js_is(key, S("observedTimeUnixNano")))
        l->observed_ns = js_u64(d);
    else if (js_is(key, S("traceId")))
        l->trace_id = js_id(d);
    else if (js_is(key, S("spanId")))
        l->span_id = js_id(d);
    else if (js_is(key, S("flags")))
        l->flags = js_u64(d);
    else if (js_is(key, S("droppedAttributesCount")))
        l->dropped = js_u64(d);
    else
        return false;
    return true;
}

void js_log(struct js *d, void *arg)
{
    struct otlp_log l = { 0 };
    struct str key;
    (void)arg;
    build_log_begin(d->b);
    while (js_key(d, &key)) {
        if (js_is(key, S("attributes")))
            js_attrs(d, &d->b->attrs);
        else if (js_is(key, S("body")))
            l.body = js_any(d);
        else if (js_is(key, S("severityNumber")))
            l.severity = js_enum(d, S("SEVERITY_NUMBER_"), severities, LEN(severities));
        else if (js_is(key, S("severityText")))
            l.severity_text = js_str(d);
        else if (js_is(key, S("eventName")))
            l.event_name = js_str(d);
        else if (!log_field(d, &l, key))
            js_skip(d);
    }
    l.attrs = d->b->attrs;
    if (build_ok(d->b))
        build_log(d->b, &l);
}
