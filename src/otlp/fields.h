/* otlp/fields.h -- field numbers of the OpenTelemetry protocol, version 1.
 *
 * The three signals share one envelope: request > resource > scope > item, with
 * the same field number at each step, so that one walk serves all of them.
 */
#pragma once

/* Export{Metrics,Logs,Trace}ServiceRequest, Resource*, Scope* */
enum {
    F_REQUEST_RESOURCES = 1,
    F_RESOURCES_RESOURCE = 1, F_RESOURCES_SCOPES = 2,
    F_SCOPES_SCOPE = 1, F_SCOPES_ITEMS = 2,
};

/* common.proto, resource.proto */
enum {
    F_ANY_STRING = 1, F_ANY_BOOL = 2, F_ANY_INT = 3, F_ANY_DOUBLE = 4, F_ANY_ARRAY = 5, F_ANY_MAP = 6, F_ANY_BYTES = 7,
    F_ARRAY_VALUES = 1, F_MAP_VALUES = 1,
    F_KV_KEY = 1, F_KV_VALUE = 2,
    F_SCOPE_NAME = 1, F_SCOPE_VERSION = 2, F_SCOPE_ATTRS = 3,
    F_RESOURCE_ATTRS = 1,
};

/* metrics.proto */
enum {
    F_METRIC_NAME = 1, F_METRIC_DESCRIPTION = 2, F_METRIC_UNIT = 3, F_METRIC_GAUGE = 5, F_METRIC_SUM = 7,
    F_METRIC_HISTOGRAM = 9, F_METRIC_EXP_HISTOGRAM = 10, F_METRIC_SUMMARY = 11, F_METRIC_METADATA = 12,
    F_DATA_POINTS = 1, F_DATA_TEMPORALITY = 2, F_DATA_MONOTONIC = 3,
    F_POINT_START = 2, F_POINT_TIME = 3, F_POINT_DOUBLE = 4, F_POINT_EXEMPLARS = 5, F_POINT_INT = 6,
    F_POINT_ATTRS = 7, F_POINT_FLAGS = 8,
    /* points of the other kinds; start, time, count and sum stand alike in all of them */
    F_DIST_START = 2, F_DIST_TIME = 3, F_DIST_COUNT = 4, F_DIST_SUM = 5,
    F_HIST_COUNTS = 6, F_HIST_BOUNDS = 7, F_HIST_ATTRS = 9, F_HIST_FLAGS = 10,
    F_EXP_ATTRS = 1, F_EXP_SCALE = 6, F_EXP_ZERO_COUNT = 7, F_EXP_POSITIVE = 8, F_EXP_NEGATIVE = 9, F_EXP_FLAGS = 10,
    F_EXP_ZERO_THRESHOLD = 14,
    F_SIDE_OFFSET = 1, F_SIDE_COUNTS = 2,
    F_SUMMARY_QUANTILES = 6, F_SUMMARY_ATTRS = 7, F_SUMMARY_FLAGS = 8,
    F_QUANTILE_QUANTILE = 1, F_QUANTILE_VALUE = 2,
};

/* logs.proto */
enum {
    F_LOG_TIME = 1, F_LOG_SEVERITY = 2, F_LOG_SEVERITY_TEXT = 3, F_LOG_BODY = 5, F_LOG_ATTRS = 6, F_LOG_DROPPED = 7,
    F_LOG_FLAGS = 8, F_LOG_TRACE_ID = 9, F_LOG_SPAN_ID = 10, F_LOG_OBSERVED = 11, F_LOG_EVENT_NAME = 12,
};

/* trace.proto */
enum {
    F_SPAN_TRACE_ID = 1, F_SPAN_SPAN_ID = 2, F_SPAN_TRACE_STATE = 3, F_SPAN_PARENT_ID = 4, F_SPAN_NAME = 5,
    F_SPAN_KIND = 6, F_SPAN_START = 7, F_SPAN_END = 8, F_SPAN_ATTRS = 9, F_SPAN_DROPPED = 10, F_SPAN_EVENTS = 11,
    F_SPAN_DROPPED_EVENTS = 12, F_SPAN_LINKS = 13, F_SPAN_DROPPED_LINKS = 14, F_SPAN_STATUS = 15, F_SPAN_FLAGS = 16,
    F_EVENT_TIME = 1, F_EVENT_NAME = 2, F_EVENT_ATTRS = 3, F_EVENT_DROPPED = 4,
    F_LINK_TRACE_ID = 1, F_LINK_SPAN_ID = 2, F_LINK_TRACE_STATE = 3, F_LINK_ATTRS = 4, F_LINK_DROPPED = 5,
    F_LINK_FLAGS = 6,
    F_STATUS_MESSAGE = 2, F_STATUS_CODE = 3,
};

/* Export*ServiceResponse > Export*PartialSuccess; google.rpc.Status */
enum {
    F_RESPONSE_PARTIAL = 1,
    F_PARTIAL_REJECTED = 1, F_PARTIAL_MESSAGE = 2,
    F_RPC_CODE = 1, F_RPC_MESSAGE = 2,
};

/* Values of enumerations that rules look at. */
enum { OTLP_TEMPORALITY_DELTA = 1, OTLP_TEMPORALITY_CUMULATIVE = 2 };
enum { OTLP_FLAG_NO_RECORDED_VALUE = 1 };
