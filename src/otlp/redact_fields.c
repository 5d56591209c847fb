/* otlp/redact_fields.c -- every message of the three signals, and where text stands in it.
 *
 * Numbers and JSON names of opentelemetry-proto 1.x. One table serves both forms.
 */
#include "otlp/redact_int.h"

#define PLAIN(number, json)                { number, PART_PLAIN, false, S(json), 0, { 0 }, NULL }
#define PLAINS(number, json)               { number, PART_PLAIN, true, S(json), 0, { 0 }, NULL }
#define TEXT(number, json, name)           { number, PART_TEXT, false, S(json), PLACE_FIELD, S(name), NULL }
#define TEXTS(number, json, name)          { number, PART_TEXT, true, S(json), PLACE_FIELD, S(name), NULL }
#define ATTRS(number, json, place)         { number, PART_ATTR, true, S(json), place, { 0 }, NULL }
#define MESSAGE(number, json, message)     { number, PART_MESSAGE, false, S(json), 0, { 0 }, &(message) }
#define MESSAGES(number, json, message)    { number, PART_MESSAGE, true, S(json), 0, { 0 }, &(message) }
#define FIELDS(...)                        { { __VA_ARGS__ } }

/* ---- what all three have ---------------------------------------------------------------- */

static const struct redact_message entity = FIELDS(TEXT(1, "schemaUrl", "schema_url"), TEXT(2, "type", "entity_type"),
                                                   TEXTS(3, "idKeys", "entity_keys"), TEXTS(4, "descriptionKeys", "entity_keys"));
static const struct redact_message resource = FIELDS(ATTRS(1, "attributes", PLACE_RESOURCE), PLAIN(2, "droppedAttributesCount"),
                                                     MESSAGES(3, "entityRefs", entity));
static const struct redact_message scope = FIELDS(TEXT(1, "name", "scope_name"), TEXT(2, "version", "scope_version"),
                                                  ATTRS(3, "attributes", PLACE_SCOPE), PLAIN(4, "droppedAttributesCount"));

/* ---- metrics -------------------------------------------------------------------------------- */

static const struct redact_message exemplar = FIELDS(PLAIN(2, "timeUnixNano"), PLAIN(3, "asDouble"), PLAIN(4, "spanId"),
                                                     PLAIN(5, "traceId"), PLAIN(6, "asInt"),
                                                     ATTRS(7, "filteredAttributes", PLACE_LABEL));
static const struct redact_message number_point = FIELDS(PLAIN(2, "startTimeUnixNano"), PLAIN(3, "timeUnixNano"), PLAIN(4, "asDouble"),
                                                         MESSAGES(5, "exemplars", exemplar), PLAIN(6, "asInt"),
                                                         ATTRS(7, "attributes", PLACE_LABEL), PLAIN(8, "flags"));
static const struct redact_message histogram_point = FIELDS(PLAIN(2, "startTimeUnixNano"), PLAIN(3, "timeUnixNano"), PLAIN(4, "count"),
                                                            PLAIN(5, "sum"), PLAINS(6, "bucketCounts"), PLAINS(7, "explicitBounds"),
                                                            MESSAGES(8, "exemplars", exemplar), ATTRS(9, "attributes", PLACE_LABEL),
                                                            PLAIN(10, "flags"), PLAIN(11, "min"), PLAIN(12, "max"));
static const struct redact_message buckets = FIELDS(PLAIN(1, "offset"), PLAINS(2, "bucketCounts"));
static const struct redact_message exp_point = FIELDS(ATTRS(1, "attributes", PLACE_LABEL), PLAIN(2, "startTimeUnixNano"),
                                                      PLAIN(3, "timeUnixNano"), PLAIN(4, "count"), PLAIN(5, "sum"), PLAIN(6, "scale"),
                                                      PLAIN(7, "zeroCount"), MESSAGE(8, "positive", buckets),
                                                      MESSAGE(9, "negative", buckets), PLAIN(10, "flags"),
                                                      MESSAGES(11, "exemplars", exemplar), PLAIN(12, "min"), PLAIN(13, "max"),
                                                      PLAIN(14, "zeroThreshold"));
static const struct redact_message quantile = FIELDS(PLAIN(1, "quantile"), PLAIN(2, "value"));
static const struct redact_message summary_point = FIELDS(PLAIN(2, "startTimeUnixNano"), PLAIN(3, "timeUnixNano"), PLAIN(4, "count"),
                                                          PLAIN(5, "sum"), MESSAGES(6, "quantileValues", quantile),
                                                          ATTRS(7, "attributes", PLACE_LABEL), PLAIN(8, "flags"));
static const struct redact_message gauge = FIELDS(MESSAGES(1, "dataPoints", number_point));
static const struct redact_message sum = FIELDS(MESSAGES(1, "dataPoints", number_point), PLAIN(2, "aggregationTemporality"),
                                                PLAIN(3, "isMonotonic"));
static const struct redact_message histogram = FIELDS(MESSAGES(1, "dataPoints", histogram_point), PLAIN(2, "aggregationTemporality"));
static const struct redact_message exp_histogram = FIELDS(MESSAGES(1, "dataPoints", exp_point), PLAIN(2, "aggregationTemporality"));
static const struct redact_message summary = FIELDS(MESSAGES(1, "dataPoints", summary_point));
static const struct redact_message metric = FIELDS(TEXT(1, "name", "metric_name"), TEXT(2, "description", "description"),
                                                   TEXT(3, "unit", "unit"), MESSAGE(5, "gauge", gauge), MESSAGE(7, "sum", sum),
                                                   MESSAGE(9, "histogram", histogram),
                                                   MESSAGE(10, "exponentialHistogram", exp_histogram), MESSAGE(11, "summary", summary),
                                                   ATTRS(12, "metadata", PLACE_LABEL));

/* ---- logs -------------------------------------------------------------------------------------- */

static const struct redact_message record = FIELDS(PLAIN(1, "timeUnixNano"), PLAIN(2, "severityNumber"),
                                                   TEXT(3, "severityText", "severity_text"),
                                                   { 5, PART_ANY, false, S("body"), PLACE_FIELD, S("body"), NULL },
                                                   ATTRS(6, "attributes", PLACE_ATTR), PLAIN(7, "droppedAttributesCount"),
                                                   PLAIN(8, "flags"), PLAIN(9, "traceId"), PLAIN(10, "spanId"),
                                                   PLAIN(11, "observedTimeUnixNano"), TEXT(12, "eventName", "event_name"));

/* ---- traces ------------------------------------------------------------------------------------ */

static const struct redact_message event = FIELDS(PLAIN(1, "timeUnixNano"), TEXT(2, "name", "name"),
                                                  ATTRS(3, "attributes", PLACE_ATTR), PLAIN(4, "droppedAttributesCount"));
static const struct redact_message span_link = FIELDS(PLAIN(1, "traceId"), PLAIN(2, "spanId"), TEXT(3, "traceState", "trace_state"),
                                                      ATTRS(4, "attributes", PLACE_ATTR), PLAIN(5, "droppedAttributesCount"),
                                                      PLAIN(6, "flags"));
static const struct redact_message status = FIELDS(TEXT(2, "message", "status_message"), PLAIN(3, "code"));
static const struct redact_message span = FIELDS(PLAIN(1, "traceId"), PLAIN(2, "spanId"), TEXT(3, "traceState", "trace_state"),
                                                 PLAIN(4, "parentSpanId"), TEXT(5, "name", "name"), PLAIN(6, "kind"),
                                                 PLAIN(7, "startTimeUnixNano"), PLAIN(8, "endTimeUnixNano"),
                                                 ATTRS(9, "attributes", PLACE_ATTR), PLAIN(10, "droppedAttributesCount"),
                                                 MESSAGES(11, "events", event), PLAIN(12, "droppedEventsCount"),
                                                 MESSAGES(13, "links", span_link), PLAIN(14, "droppedLinksCount"),
                                                 MESSAGE(15, "status", status), PLAIN(16, "flags"));

/* ---- the envelope: request > resource > scope > item --------------------------------------------- */

#define ENVELOPE(name, item, items, scopes, resources)                                                                              \
    static const struct redact_message name##_scopes = FIELDS(MESSAGE(1, "scope", scope), MESSAGES(2, items, item),                 \
                                                              TEXT(3, "schemaUrl", "schema_url"));                                  \
    static const struct redact_message name##_resources = FIELDS(MESSAGE(1, "resource", resource), MESSAGES(2, scopes, name##_scopes), \
                                                                 TEXT(3, "schemaUrl", "schema_url"));                               \
    static const struct redact_message name##_request = FIELDS(MESSAGES(1, resources, name##_resources))

ENVELOPE(metrics, metric, "metrics", "scopeMetrics", "resourceMetrics");
ENVELOPE(logs, record, "logRecords", "scopeLogs", "resourceLogs");
ENVELOPE(traces, span, "spans", "scopeSpans", "resourceSpans");

const struct redact_message *const redact_requests[OTLP_SIGNALS] = {
    [OTLP_METRICS] = &metrics_request,
    [OTLP_LOGS] = &logs_request,
    [OTLP_TRACES] = &traces_request,
};
