/* otlp/decode.c -- the three signals in two forms, in one table and one function. */
#include "otlp/decode.h"

#include "otlp/js.h"
#include "otlp/pb.h"

const struct otlp_signal_def otlp_signals[OTLP_SIGNALS] = {
    [OTLP_METRICS] = { S("metrics"), TABLE_SAMPLE, S("resourceMetrics"), S("scopeMetrics"), S("metrics"),
                       S("rejectedDataPoints"), FRAME_OTLP_METRICS_PB, FRAME_OTLP_METRICS_JSON },
    [OTLP_LOGS] = { S("logs"), TABLE_LOG, S("resourceLogs"), S("scopeLogs"), S("logRecords"),
                    S("rejectedLogRecords"), FRAME_OTLP_LOGS_PB, FRAME_OTLP_LOGS_JSON },
    [OTLP_TRACES] = { S("traces"), TABLE_SPAN, S("resourceSpans"), S("scopeSpans"), S("spans"),
                      S("rejectedSpans"), FRAME_OTLP_TRACES_PB, FRAME_OTLP_TRACES_JSON },
};

enum err otlp_decode_seen(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns, struct seen *seen,
                          struct arena *mem, struct batch *ret, struct fault *f)
{
    enum otlp_signal s = OTLP_METRICS;
    while (s < OTLP_SIGNALS && otlp_signals[s].protobuf != kind && otlp_signals[s].json != kind)
        s++;
    if (s == OTLP_SIGNALS)
        return fault_set(f, E_CORRUPT, 0, "no such kind of OTLP frame: %d", (int)kind);

    struct fault unused;
    struct batch batch;
    body = body.n ? body : S("");
    struct build b;
    batch_init(&batch, mem, otlp_signals[s].table, recv_ns);
    build_init(&b, &batch, oldest_ns, seen, f ? f : &unused);
    if (kind == otlp_signals[s].protobuf)
        pb_request(&b, s, body);
    else
        js_request(&b, s, body);
    enum err e = build_finish(&b);
    build_done(&b);
    if (e) {
        batch_done(&batch);
        return e;
    }
    *ret = batch;
    return OK;
}

enum err otlp_decode(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns,
                     struct arena *mem, struct batch *ret, struct fault *f)
{
    return otlp_decode_seen(kind, body, recv_ns, oldest_ns, NULL, mem, ret, f);
}
