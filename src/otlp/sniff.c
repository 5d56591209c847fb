/* otlp/sniff.c -- telling metrics, logs and traces apart by their content.
 *
 * In JSON the top name says it. On the wire the three envelopes look alike down to
 * the item, and an item shows what it is by which fields it has with which wire
 * types: field 1 is a text in Metric, a fixed number in LogRecord, 16 bytes of id
 * in Span. Every item that is looked at either contradicts a signal (a known field
 * of another type, an id of another length) and rules it out, or scores a point for
 * each field that fits. What is left with most points is it.
 */
#include "otlp/sniff.h"

#include "base/json.h"
#include "base/wire.h"
#include "otlp/fields.h"
#include "otlp/js.h"

enum { ITEMS_LOOKED_AT = 16, FIELDS_KNOWN = 17 };

/* What a field of an item is: its wire type + 1 (0: no such field), its length if fixed. */
struct shape {
    uint8_t type, length;
};
#define VARINT { WIRE_VARINT + 1, 0 }
#define I64    { WIRE_I64 + 1, 0 }
#define I32    { WIRE_I32 + 1, 0 }
#define BYTES  { WIRE_LEN + 1, 0 }
#define ID(n)  { WIRE_LEN + 1, n }

static const struct shape shapes[OTLP_SIGNALS][FIELDS_KNOWN] = {
    [OTLP_METRICS] = {
        [F_METRIC_NAME] = BYTES, [F_METRIC_DESCRIPTION] = BYTES, [F_METRIC_UNIT] = BYTES, [F_METRIC_GAUGE] = BYTES,
        [F_METRIC_SUM] = BYTES, [F_METRIC_HISTOGRAM] = BYTES, [F_METRIC_EXP_HISTOGRAM] = BYTES,
        [F_METRIC_SUMMARY] = BYTES, [F_METRIC_METADATA] = BYTES,
    },
    [OTLP_LOGS] = {
        [F_LOG_TIME] = I64, [F_LOG_SEVERITY] = VARINT, [F_LOG_SEVERITY_TEXT] = BYTES, [F_LOG_BODY] = BYTES,
        [F_LOG_ATTRS] = BYTES, [F_LOG_DROPPED] = VARINT, [F_LOG_FLAGS] = I32, [F_LOG_TRACE_ID] = BYTES,
        [F_LOG_SPAN_ID] = BYTES, [F_LOG_OBSERVED] = I64, [F_LOG_EVENT_NAME] = BYTES,
    },
    [OTLP_TRACES] = {
        [F_SPAN_TRACE_ID] = ID(16), [F_SPAN_SPAN_ID] = ID(8), [F_SPAN_TRACE_STATE] = BYTES, [F_SPAN_PARENT_ID] = BYTES,
        [F_SPAN_NAME] = BYTES, [F_SPAN_KIND] = VARINT, [F_SPAN_START] = I64, [F_SPAN_END] = I64,
        [F_SPAN_ATTRS] = BYTES, [F_SPAN_DROPPED] = VARINT, [F_SPAN_EVENTS] = BYTES, [F_SPAN_DROPPED_EVENTS] = VARINT,
        [F_SPAN_LINKS] = BYTES, [F_SPAN_DROPPED_LINKS] = VARINT, [F_SPAN_STATUS] = BYTES, [F_SPAN_FLAGS] = I32,
    },
};

struct votes {
    unsigned points[OTLP_SIGNALS], items;
    bool out[OTLP_SIGNALS];
};

static bool votes_full(const struct votes *v)
{
    return v->items >= ITEMS_LOOKED_AT;
}

static void vote_item(struct votes *v, struct wire *w)
{
    v->items++;
    while (wire_next(w)) {
        uint32_t field = w->field;
        enum wire_type type = w->type;
        struct wire value = *w;
        size_t n = type == WIRE_LEN ? wire_bytes(&value).n : 0;
        wire_skip(w);
        for (unsigned s = 0; s < OTLP_SIGNALS; s++) {
            struct shape want = field < FIELDS_KNOWN ? shapes[s][field] : (struct shape){ 0 };
            if (want.type && (want.type != type + 1 || (want.length && want.length != n)))
                v->out[s] = true;
            else if (want.type)
                v->points[s]++;
        }
    }
}

static void vote_scopes(struct votes *v, struct wire *w)
{
    while (!votes_full(v) && wire_next(w)) {
        if (w->field != F_SCOPES_ITEMS) {
            wire_skip(w);
            continue;
        }
        struct wire m = wire_message(w);
        vote_item(v, &m);
        wire_close(w, &m);
    }
}

static void vote_resources(struct votes *v, struct wire *w)
{
    while (!votes_full(v) && wire_next(w)) {
        if (w->field != F_RESOURCES_SCOPES) {
            wire_skip(w);
            continue;
        }
        struct wire m = wire_message(w);
        vote_scopes(v, &m);
        wire_close(w, &m);
    }
}

bool otlp_sniff_protobuf(struct str body, enum otlp_signal *ret)
{
    struct wire w = wire_of(body);
    struct votes v = { 0 };
    while (!votes_full(&v) && wire_next(&w)) {
        if (w.field != F_REQUEST_RESOURCES) {
            wire_skip(&w);
            continue;
        }
        struct wire m = wire_message(&w);
        vote_resources(&v, &m);
        wire_close(&w, &m);
    }
    if (w.bad)
        return false;
    enum otlp_signal best = OTLP_LOGS;
    for (unsigned s = 0; s < OTLP_SIGNALS; s++)
        if (!v.out[s] && (v.out[best] || v.points[s] > v.points[best]))
            best = (enum otlp_signal)s;
    if (v.out[best])
        return false;
    *ret = best;
    return true;
}

bool otlp_sniff_json(struct str body, struct arena scratch, enum otlp_signal *ret)
{
    struct json j;
    json_init(&j, body.n ? body : S(""), &scratch);
    if (json_next(&j) != J_OBJ)
        return false;
    while (json_next(&j) == J_KEY) {
        for (unsigned s = 0; s < OTLP_SIGNALS; s++)
            if (js_is(j.s, otlp_signals[s].resources)) {
                *ret = (enum otlp_signal)s;
                return true;
            }
        json_skip(&j);
    }
    if (j.tok != J_OBJ_END)
        return false;
    *ret = OTLP_LOGS;
    return true;
}
