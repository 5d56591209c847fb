/* OTLP from JSON to protobuf and back, driven by one table of the messages, so that
 * every test case and every recording can be decoded in both forms. Shares nothing
 * with the decoders apart from base's JSON parser and writer.
 */
#pragma once
#include <stdlib.h>

#include "base/json.h"
#include "base/jw.h"
#include "enc.h"

enum ftype { T_STR, T_BOOL, T_INT, T_SINT, T_F64, T_SF64, T_F32, T_DOUBLE, T_HEX, T_MSG };

struct message;
struct fdef {
    const char *name;
    unsigned number;
    enum ftype type;
    const struct message *message;
    bool repeated;
};
struct message {
    const struct fdef *fields;
};

static const struct message m_key_value, m_array_value, m_map_value;
static const struct message m_any = { (const struct fdef[]){
    { "stringValue", 1, T_STR, 0, 0 }, { "boolValue", 2, T_BOOL, 0, 0 }, { "intValue", 3, T_INT, 0, 0 },
    { "doubleValue", 4, T_DOUBLE, 0, 0 }, { "arrayValue", 5, T_MSG, &m_array_value, 0 },
    { "kvlistValue", 6, T_MSG, &m_map_value, 0 }, { 0 } } };
static const struct message m_key_value = { (const struct fdef[]){
    { "key", 1, T_STR, 0, 0 }, { "value", 2, T_MSG, &m_any, 0 }, { 0 } } };
static const struct message m_array_value = { (const struct fdef[]){ { "values", 1, T_MSG, &m_any, true }, { 0 } } };
static const struct message m_map_value = { (const struct fdef[]){ { "values", 1, T_MSG, &m_key_value, true }, { 0 } } };
static const struct message m_scope = { (const struct fdef[]){
    { "name", 1, T_STR, 0, 0 }, { "version", 2, T_STR, 0, 0 }, { "attributes", 3, T_MSG, &m_key_value, true }, { 0 } } };
static const struct message m_resource = { (const struct fdef[]){
    { "attributes", 1, T_MSG, &m_key_value, true }, { "droppedAttributesCount", 2, T_INT, 0, 0 }, { 0 } } };

static const struct message m_number_point = { (const struct fdef[]){
    { "startTimeUnixNano", 2, T_F64, 0, 0 }, { "timeUnixNano", 3, T_F64, 0, 0 }, { "asDouble", 4, T_DOUBLE, 0, 0 },
    { "asInt", 6, T_SF64, 0, 0 }, { "attributes", 7, T_MSG, &m_key_value, true }, { "flags", 8, T_INT, 0, 0 }, { 0 } } };
static const struct message m_hist_point = { (const struct fdef[]){
    { "startTimeUnixNano", 2, T_F64, 0, 0 }, { "timeUnixNano", 3, T_F64, 0, 0 }, { "count", 4, T_F64, 0, 0 },
    { "sum", 5, T_DOUBLE, 0, 0 }, { "bucketCounts", 6, T_F64, 0, true }, { "explicitBounds", 7, T_DOUBLE, 0, true },
    { "attributes", 9, T_MSG, &m_key_value, true }, { "flags", 10, T_INT, 0, 0 }, { "min", 11, T_DOUBLE, 0, 0 }, { 0 } } };
static const struct message m_side = { (const struct fdef[]){
    { "offset", 1, T_SINT, 0, 0 }, { "bucketCounts", 2, T_INT, 0, true }, { 0 } } };
static const struct message m_exp_point = { (const struct fdef[]){
    { "attributes", 1, T_MSG, &m_key_value, true }, { "startTimeUnixNano", 2, T_F64, 0, 0 }, { "timeUnixNano", 3, T_F64, 0, 0 },
    { "count", 4, T_F64, 0, 0 }, { "sum", 5, T_DOUBLE, 0, 0 }, { "scale", 6, T_SINT, 0, 0 }, { "zeroCount", 7, T_F64, 0, 0 },
    { "positive", 8, T_MSG, &m_side, 0 }, { "negative", 9, T_MSG, &m_side, 0 }, { "flags", 10, T_INT, 0, 0 },
    { "zeroThreshold", 14, T_DOUBLE, 0, 0 }, { 0 } } };
static const struct message m_quantile = { (const struct fdef[]){
    { "quantile", 1, T_DOUBLE, 0, 0 }, { "value", 2, T_DOUBLE, 0, 0 }, { 0 } } };
static const struct message m_summary_point = { (const struct fdef[]){
    { "startTimeUnixNano", 2, T_F64, 0, 0 }, { "timeUnixNano", 3, T_F64, 0, 0 }, { "count", 4, T_F64, 0, 0 },
    { "sum", 5, T_DOUBLE, 0, 0 }, { "quantileValues", 6, T_MSG, &m_quantile, true },
    { "attributes", 7, T_MSG, &m_key_value, true }, { "flags", 8, T_INT, 0, 0 }, { 0 } } };
static const struct message m_gauge = { (const struct fdef[]){ { "dataPoints", 1, T_MSG, &m_number_point, true }, { 0 } } };
static const struct message m_sum = { (const struct fdef[]){
    { "dataPoints", 1, T_MSG, &m_number_point, true }, { "aggregationTemporality", 2, T_INT, 0, 0 },
    { "isMonotonic", 3, T_BOOL, 0, 0 }, { 0 } } };
static const struct message m_hist = { (const struct fdef[]){
    { "dataPoints", 1, T_MSG, &m_hist_point, true }, { "aggregationTemporality", 2, T_INT, 0, 0 }, { 0 } } };
static const struct message m_exp = { (const struct fdef[]){
    { "dataPoints", 1, T_MSG, &m_exp_point, true }, { "aggregationTemporality", 2, T_INT, 0, 0 }, { 0 } } };
static const struct message m_summary = { (const struct fdef[]){ { "dataPoints", 1, T_MSG, &m_summary_point, true }, { 0 } } };
static const struct message m_metric = { (const struct fdef[]){
    { "name", 1, T_STR, 0, 0 }, { "description", 2, T_STR, 0, 0 }, { "unit", 3, T_STR, 0, 0 },
    { "gauge", 5, T_MSG, &m_gauge, 0 }, { "sum", 7, T_MSG, &m_sum, 0 }, { "histogram", 9, T_MSG, &m_hist, 0 },
    { "exponentialHistogram", 10, T_MSG, &m_exp, 0 }, { "summary", 11, T_MSG, &m_summary, 0 }, { 0 } } };

static const struct message m_log_record = { (const struct fdef[]){
    { "timeUnixNano", 1, T_F64, 0, 0 }, { "severityNumber", 2, T_INT, 0, 0 }, { "severityText", 3, T_STR, 0, 0 },
    { "body", 5, T_MSG, &m_any, 0 }, { "attributes", 6, T_MSG, &m_key_value, true },
    { "droppedAttributesCount", 7, T_INT, 0, 0 }, { "flags", 8, T_F32, 0, 0 }, { "traceId", 9, T_HEX, 0, 0 },
    { "spanId", 10, T_HEX, 0, 0 }, { "observedTimeUnixNano", 11, T_F64, 0, 0 }, { "eventName", 12, T_STR, 0, 0 }, { 0 } } };

static const struct message m_event = { (const struct fdef[]){
    { "timeUnixNano", 1, T_F64, 0, 0 }, { "name", 2, T_STR, 0, 0 }, { "attributes", 3, T_MSG, &m_key_value, true },
    { "droppedAttributesCount", 4, T_INT, 0, 0 }, { 0 } } };
static const struct message m_span_link = { (const struct fdef[]){
    { "traceId", 1, T_HEX, 0, 0 }, { "spanId", 2, T_HEX, 0, 0 }, { "traceState", 3, T_STR, 0, 0 },
    { "attributes", 4, T_MSG, &m_key_value, true }, { "droppedAttributesCount", 5, T_INT, 0, 0 },
    { "flags", 6, T_F32, 0, 0 }, { 0 } } };
static const struct message m_status = { (const struct fdef[]){
    { "message", 2, T_STR, 0, 0 }, { "code", 3, T_INT, 0, 0 }, { 0 } } };
static const struct message m_span = { (const struct fdef[]){
    { "traceId", 1, T_HEX, 0, 0 }, { "spanId", 2, T_HEX, 0, 0 }, { "traceState", 3, T_STR, 0, 0 },
    { "parentSpanId", 4, T_HEX, 0, 0 }, { "name", 5, T_STR, 0, 0 }, { "kind", 6, T_INT, 0, 0 },
    { "startTimeUnixNano", 7, T_F64, 0, 0 }, { "endTimeUnixNano", 8, T_F64, 0, 0 },
    { "attributes", 9, T_MSG, &m_key_value, true }, { "droppedAttributesCount", 10, T_INT, 0, 0 },
    { "events", 11, T_MSG, &m_event, true }, { "droppedEventsCount", 12, T_INT, 0, 0 },
    { "links", 13, T_MSG, &m_span_link, true }, { "droppedLinksCount", 14, T_INT, 0, 0 },
    { "status", 15, T_MSG, &m_status, 0 }, { "flags", 16, T_F32, 0, 0 }, { 0 } } };

#define ENVELOPE(var, resources, scopes, items, item)                                                               \
    static const struct message var##_scopes = { (const struct fdef[]){                                             \
        { "scope", 1, T_MSG, &m_scope, 0 }, { items, 2, T_MSG, &item, true }, { "schemaUrl", 3, T_STR, 0, 0 }, { 0 } } }; \
    static const struct message var##_resources = { (const struct fdef[]){                                          \
        { "resource", 1, T_MSG, &m_resource, 0 }, { scopes, 2, T_MSG, &var##_scopes, true },                          \
        { "schemaUrl", 3, T_STR, 0, 0 }, { 0 } } };                                                                 \
    static const struct message var = { (const struct fdef[]){ { resources, 1, T_MSG, &var##_resources, true }, { 0 } } };
ENVELOPE(metrics_request, "resourceMetrics", "scopeMetrics", "metrics", m_metric)
ENVELOPE(logs_request, "resourceLogs", "scopeLogs", "logRecords", m_log_record)
ENVELOPE(traces_request, "resourceSpans", "scopeSpans", "spans", m_span)

/* In the order of enum otlp_signal. */
UNUSED static const struct message *const requests[] = { &metrics_request, &logs_request, &traces_request };

/* ---- JSON -> protobuf -------------------------------------------------------------- */

static struct str unhex(struct str s, char out[64])
{
    for (size_t i = 0; i + 1 < s.n; i += 2) {
        char pair[3] = { s.p[i], s.p[i + 1], 0 };
        out[i / 2] = (char)strtoul(pair, NULL, 16);
    }
    return (struct str){ out, s.n / 2 };
}

static void put_scalar(struct json *j, const struct fdef *f, struct buf *out)
{
    char text[64] = "", raw[64];
    if (f->type != T_STR && f->type != T_BOOL && f->type != T_HEX) {
        CHECK(j->s.n < sizeof text);
        memcpy(text, j->s.p, j->s.n);
        text[j->s.n] = 0;
    }
    uint64_t n = text[0] == '-' ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
    switch (f->type) {
    case T_STR:
        enc_bytes(out, f->number, j->s);
        break;
    case T_HEX:
        enc_bytes(out, f->number, unhex(j->s, raw));
        break;
    case T_BOOL:
        enc_int(out, f->number, j->tok == J_TRUE);
        break;
    case T_INT:
        enc_int(out, f->number, n);
        break;
    case T_SINT:
        enc_int(out, f->number, n << 1 ^ (uint64_t)((int64_t)n >> 63));
        break;
    case T_F64:
    case T_SF64:
        enc_fixed64(out, f->number, n);
        break;
    case T_F32:
        enc_fixed32(out, f->number, (uint32_t)n);
        break;
    case T_DOUBLE:
        enc_double(out, f->number, strtod(text, NULL));
        break;
    case T_MSG:
        break;
    }
}

static void to_protobuf(struct json *j, const struct message *m, struct buf *out);

static void put_message(struct json *j, const struct fdef *f, struct buf *out)
{
    struct buf sub;
    buf_init(&sub, ENC_MAX);
    to_protobuf(j, f->message, &sub);
    enc_message(out, f->number, &sub);
    buf_done(&sub);
}

/* The newest token is the J_OBJ; unknown names are left out. */
static void to_protobuf(struct json *j, const struct message *m, struct buf *out)
{
    while (json_next(j) == J_KEY) {
        const struct fdef *f = m->fields;
        while (f->name && !str_eq(str_c(f->name), j->s))
            f++;
        if (!f->name) {
            json_skip(j);
            continue;
        }
        enum json_tok t = json_next(j);
        if (t == J_NULL)
            continue;
        if (f->repeated) {
            for (t = json_next(j); t == J_OBJ || t == J_NUM || t == J_STR; t = json_next(j))
                if (t == J_OBJ)
                    put_message(j, f, out);
                else
                    put_scalar(j, f, out);
        } else if (f->type == T_MSG) {
            put_message(j, f, out);
        } else {
            put_scalar(j, f, out);
        }
    }
}

/* false: not JSON. */
UNUSED static bool json_to_protobuf(struct str in, const struct message *m, struct arena *mem, struct buf *out)
{
    struct json j;
    json_init(&j, in, mem);
    if (json_next(&j) != J_OBJ)
        return false;
    to_protobuf(&j, m, out);
    return json_next(&j) == J_END;
}

/* ---- protobuf -> JSON ----------------------------------------------------------------- */

struct pb_field {
    unsigned number;
    uint64_t n;
    struct str s;
};

static uint64_t read_varint(struct str *in)
{
    uint64_t v = 0;
    unsigned shift = 0;
    do {
        v |= (uint64_t)(*in->p & 0x7f) << shift;
        shift += 7;
        in->p++;
        in->n--;
    } while (in->p[-1] & 0x80);
    return v;
}

static bool read_field(struct str *in, struct pb_field *ret)
{
    if (!in->n)
        return false;
    uint64_t tag = read_varint(in);
    size_t width = (tag & 7) == 1 ? 8 : (tag & 7) == 5 ? 4 : 0;
    *ret = (struct pb_field){ .number = (unsigned)(tag >> 3) };
    if ((tag & 7) == 0) {
        ret->n = read_varint(in);
        return true;
    }
    if ((tag & 7) == 2)
        width = read_varint(in);
    ret->s = (struct str){ in->p, width };
    if ((tag & 7) != 2)
        memcpy(&ret->n, in->p, width);             /* tests run on little-endian machines */
    in->p += width;
    in->n -= width;
    return true;
}

static void to_json(struct str in, const struct message *m, struct jw *w);

static void put_json(const struct fdef *f, const struct pb_field *v, struct jw *w)
{
    char text[64];
    double d;
    struct buf hex;
    switch (f->type) {
    case T_STR:
        jw_str(w, v->s);
        break;
    case T_HEX:
        buf_init(&hex, 64);
        for (size_t i = 0; i < v->s.n; i++)
            buf_fmt(&hex, "%02x", (unsigned char)v->s.p[i]);
        jw_str(w, buf_view(&hex));
        buf_done(&hex);
        break;
    case T_BOOL:
        jw_bool(w, v->n != 0);
        break;
    case T_INT:
        jw_i64(w, (int64_t)v->n);
        break;
    case T_SINT:
        jw_i64(w, (int64_t)(v->n >> 1) ^ -(int64_t)(v->n & 1));
        break;
    case T_F64:
    case T_SF64:
        jw_str(w, (struct str){ text, (size_t)snprintf(text, sizeof text, f->type == T_F64 ? "%llu" : "%lld", (unsigned long long)v->n) });
        break;
    case T_F32:
        jw_i64(w, (int64_t)v->n);
        break;
    case T_DOUBLE:
        memcpy(&d, &v->n, sizeof d);
        jw_f64(w, d);
        break;
    case T_MSG:
        to_json(v->s, f->message, w);
        break;
    }
}

static void to_json(struct str in, const struct message *m, struct jw *w)
{
    jw_obj(w);
    for (const struct fdef *f = m->fields; f->name; f++) {
        struct str rest = in;
        struct pb_field v;
        bool any_seen = false;
        while (read_field(&rest, &v)) {
            if (v.number != f->number)
                continue;
            if (!any_seen) {
                jw_key(w, str_c(f->name));
                if (f->repeated)
                    jw_arr(w);
            }
            any_seen = true;
            put_json(f, &v, w);
            if (!f->repeated)
                break;
        }
        if (any_seen && f->repeated)
            jw_arr_end(w);
    }
    jw_obj_end(w);
}

UNUSED static void protobuf_to_json(struct str in, const struct message *m, struct buf *out)
{
    struct jw w;
    jw_init(&w, out);
    to_json(in, m, &w);
}
