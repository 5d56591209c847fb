/* otlp/grpc.c -- the methods of OTLP/gRPC, and the health check that goes with them.
 *
 * A method is a path. Framing, compression and refusals of the protocol are done when a
 * handler runs (http/grpc.h), and what an export means is the same as over HTTP
 * (receive.c); so there is little left to say here.
 */
#include "base/wire.h"
#include "http/grpc.h"
#include "otlp/receive_int.h"

#define EXPORT(package, service) "/opentelemetry.proto.collector." package "." service "/Export"

static void export_metrics(struct http_req *r)
{
    otlp_receive(r, OTLP_GRPC, OTLP_METRICS);
}

static void export_logs(struct http_req *r)
{
    otlp_receive(r, OTLP_GRPC, OTLP_LOGS);
}

static void export_traces(struct http_req *r)
{
    otlp_receive(r, OTLP_GRPC, OTLP_TRACES);
}

/* ---- grpc.health.v1 ------------------------------------------------------------------- */

enum { F_HEALTH_SERVICE = 1, F_HEALTH_STATUS = 1, HEALTH_SERVING = 1 };

static const struct str services[] = {
    S(""),                                         /* the server as a whole */
    S("opentelemetry.proto.collector.metrics.v1.MetricsService"),
    S("opentelemetry.proto.collector.logs.v1.LogsService"),
    S("opentelemetry.proto.collector.trace.v1.TraceService"),
};

static bool is_known(struct str service)
{
    for (size_t i = 0; i < LEN(services); i++)
        if (str_eq(services[i], service))
            return true;
    return false;
}

/* Who can answer at all can take telemetry, or says so when it is sent (UNAVAILABLE). */
static void check_health(struct http_req *r)
{
    struct str service = S("");
    struct wire w = wire_of(r->body);
    while (wire_next(&w)) {
        if (w.field == F_HEALTH_SERVICE)
            service = wire_bytes(&w);
        else
            wire_skip(&w);
    }
    if (w.bad) {
        grpc_fail(r, GRPC_INVALID_ARGUMENT, S("not a HealthCheckRequest"), 0);
        return;
    }
    if (!is_known(service)) {
        grpc_fail(r, GRPC_NOT_FOUND, S("no such service"), 0);
        return;
    }
    struct buf out;
    buf_init(&out, 16);
    wire_put_varint(&out, F_HEALTH_STATUS, HEALTH_SERVING);
    grpc_reply(r, buf_view(&out));
    buf_done(&out);
}

const struct http_route routes_otlp_grpc[] = {
    { HTTP_POST, EXPORT("metrics.v1", "MetricsService"), export_metrics, ROUTE_LOOP | ROUTE_INGEST | ROUTE_GRPC, "OTLP/gRPC metrics" },
    { HTTP_POST, EXPORT("logs.v1", "LogsService"), export_logs, ROUTE_LOOP | ROUTE_INGEST | ROUTE_GRPC, "OTLP/gRPC logs" },
    { HTTP_POST, EXPORT("trace.v1", "TraceService"), export_traces, ROUTE_LOOP | ROUTE_INGEST | ROUTE_GRPC, "OTLP/gRPC traces" },
    { HTTP_POST, "/grpc.health.v1.Health/Check", check_health, ROUTE_LOOP | ROUTE_GRPC, "gRPC health checks" },
    { 0 },
};
