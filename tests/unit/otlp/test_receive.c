/* The endpoints, with a server and a sink that are none: what is answered to what,
 * in which encoding, and what the sink and the log are given.
 */
#include "support.h"

#include "../../../src/otlp/receive.c"
#include "../../../src/otlp/grpc.c"

/* ---- a server ------------------------------------------------------------------------- */

static struct {
    int status, replies;
    char type[64], body[4096], retry_after[16];
    size_t nbody;
} reply;

struct str http_header(const struct http_req *r, struct str lower_name)
{
    for (uint32_t i = 0; i < r->nheaders; i++)
        if (str_eq(r->headers[i].name, lower_name))
            return r->headers[i].value;
    return (struct str){ 0 };
}

void http_reply_header(struct http_req *r, struct str name, struct str value)
{
    (void)r;
    if (str_eq(name, S("retry-after")))
        snprintf(reply.retry_after, sizeof reply.retry_after, STR_FMT, STR_ARG(value));
}

void http_reply(struct http_req *r, int status, struct str content_type, struct str body)
{
    (void)r;
    assert_true(body.n < sizeof reply.body);
    reply.status = status;
    reply.replies++;
    snprintf(reply.type, sizeof reply.type, STR_FMT, STR_ARG(content_type));
    memcpy(reply.body, body.p ? body.p : "", body.n);
    reply.body[body.n] = 0;
    reply.nbody = body.n;
}

void http_reply_error(struct http_req *r, int status, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    http_reply(r, status, S("text/plain"), (struct str){ text, (size_t)n });
}

/* gRPC's answers as a text: the status, RetryInfo, the message. */
void grpc_reply(struct http_req *r, struct str message)
{
    http_reply(r, 200, S("grpc"), message);
}

void grpc_fail(struct http_req *r, enum grpc_code code, struct str why, uint32_t retry_s)
{
    char text[600];
    int n = snprintf(text, sizeof text, "%d %u " STR_FMT, (int)code, retry_s, STR_ARG(why));
    http_reply(r, 200, S("grpc"), (struct str){ text, (size_t)n });
}

/* ---- a sink, a log ----------------------------------------------------------------------- */

static struct {
    struct sink sink;
    enum err answer;
    unsigned writes;
    uint32_t rows;
    enum frame_kind kind;
    struct write_req *held;
    bool hold;
} store;

static void take(struct sink *s, struct write_req *w)
{
    struct fault f = { 0 };
    (void)s;
    store.writes++;
    store.rows = w->batch->nrows;
    store.kind = w->kind;
    store.held = w;
    if (store.answer)
        (void)fault_set(&f, store.answer, 0, "the disk is full");
    if (!store.hold)
        w->done(w, store.answer, &f);
}

static char hints[2048];

static void on_hint(void *arg, const char *cause, const char *text)
{
    (void)arg;
    size_t n = strlen(hints);
    snprintf(hints + n, sizeof hints - n, "%s: %s\n", cause, text);
}

static struct otlp_receiver receiver;

static void start(void)
{
    memset(&store, 0, sizeof store);
    memset(&reply, 0, sizeof reply);
    hints[0] = 0;
    store.sink.write = take;
    receiver = (struct otlp_receiver){ .sink = &store.sink, .hint = on_hint };
}

static const struct http_route *route(const char *path, uint32_t method)
{
    const struct http_route *tables[] = { routes_otlp, routes_otlp_any, routes_otlp_grpc };
    for (size_t t = 0; t < LEN(tables); t++)
        for (const struct http_route *r = tables[t]; r->path; r++)
            if (str_eq(str_c(r->path), str_c(path)) && r->methods & method)
                return r;
    fail_msg("no route %s", path);
    return NULL;
}

static void send_to(struct arena *mem, struct str listener, uint32_t method, const char *path, const char *type, struct str body)
{
    struct http_header *h = arena_new(mem, struct http_header, 1);
    struct http_req *r = arena_new(mem, struct http_req, 1);
    *h = (struct http_header){ S("content-type"), str_c(type) };
    *r = (struct http_req){ .method = (enum http_method)method, .raw_path = str_c(path), .path = str_c(path), .headers = h,
                            .nheaders = type[0] != 0, .body = body, .mem = mem, .arg = &receiver, .recv_ns = RECV, .listener = listener };
    route(path, method)->handle(r);
}

static void send(struct arena *mem, uint32_t method, const char *path, const char *type, struct str body)
{
    send_to(mem, S(""), method, path, type, body);
}

/* ---- what is answered ----------------------------------------------------------------------- */

#define JSON "application/json"
#define PB   "application/x-protobuf"
#define LOG  "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"1795447501000000000\"}]}]}]}"
#define SPAN "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"x\"}]}]}]}"
#define SUMS(points) "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"n\",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true," \
                     "\"dataPoints\":[" points "]}}]}]}]}"
#define LOG_PB "\x0a\x04\x12\x02\x12\x00"

static const struct {
    const char *what, *path, *type;
    struct str body;
    enum err sink;
    int status;
    const char *answer;          /* JSON and text: the body; protobuf: hex */
    int rows;                    /* that the sink got; -1: it was not asked */
    const char *hints;           /* how the log's line begins; "": none */
} rows[] = {
    { "logs, JSON", "**/v1/logs", JSON, S(LOG), OK, 200, "{}", 1, "" },
    { "a charset beside the type, capitals", "**/v1/logs", "Application/JSON; charset=utf-8", S(LOG), OK, 200, "{}", 1, "" },
    { "logs, protobuf", "**/v1/logs", PB, S(LOG_PB), OK, 200, "", 1, "" },
    { "an empty request", "**/v1/metrics", PB, S(""), OK, 200, "", -1, "" },
    { "an empty request, JSON", "**/v1/traces", JSON, S("{}"), OK, 200, "{}", -1, "" },
    { "some left out", "**/v1/metrics", JSON, S(SUMS("{\"asInt\":\"1\"},{}")), OK, 200,
      "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"1 data point without a value\"}}", 1, "otlp-rejected: left out of OTLP metrics: 1 data point" },
    { "all left out", "**/v1/metrics", JSON, S(SUMS("{}")), OK, 200,
      "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"1 data point without a value\"}}", -1, "otlp-rejected: " },
    { "some left out, protobuf", "**/v1/metrics", PB, S("\x0a\x0b\x12\x09\x12\x07\x0a\x01m\x2a\x02\x0a\x00"), OK, 200,
      "0a200801121c31206461746120706f696e7420776974686f757420612076616c7565", -1, "otlp-rejected: " },
    { "malformed, JSON", "**/v1/logs", JSON, S("{\"resourceLogs\":7}"), OK, 400, "{\"code\":3,\"message\":\"expected an array before byte 17\"}", -1,
      "otlp-malformed: OTLP request to **/v1/logs refused with 400: expected an array" },
    { "malformed, protobuf", "**/v1/logs", PB, S("\x08"), OK, 400,
      "080312216d616c666f726d65642070726f746f62756620617420627974652031206f662031", -1, "otlp-malformed: " },
    { "disk full", "**/v1/logs", JSON, S(LOG), E_UNAVAILABLE, 503, "{\"code\":14,\"message\":\"the disk is full\"}", 1, "otlp-unavailable: " },
    { "a sync that failed", "**/v1/logs", JSON, S(LOG), E_IO, 503, "{\"code\":14,\"message\":\"the disk is full\"}", 1, "otlp-unavailable: " },
    { "too much for the sink", "**/v1/logs", JSON, S(LOG), E_LIMIT, 413, "{\"code\":8,\"message\":\"the disk is full\"}", 1, "otlp-limit: " },
    { "another type", "**/v1/logs", "text/plain", S(LOG), OK, 415,
      "content type 'text/plain' is not OTLP: application/x-protobuf or application/json is", -1, "otlp-type: " },
    { "no type", "**/v1/logs", "", S(LOG), OK, 415, "content type '' is not OTLP: application/x-protobuf or application/json is", -1, "otlp-type: " },
    { "any path, JSON", "**", JSON, S(SPAN), OK, 200, "{}", 1,
      "otlp-path: OTLP traces come to ** and were told apart by their content. A sender uses its per-signal endpoint verbatim: add /v1/traces to it" },
    { "any path, protobuf", "**", PB, S(LOG_PB), OK, 200, "", 1, "otlp-path: OTLP logs" },
    { "any path, nothing in it", "**", PB, S(""), OK, 200, "", -1, "otlp-path: OTLP logs" },
    { "any path, something else", "**", JSON, S("[1]"), OK, 400,
      "{\"code\":3,\"message\":\"neither the path (/v1/metrics, /v1/logs, /v1/traces) nor the content says what this is\"}", -1, "otlp-malformed: " },
    { "any path, another type", "**", "text/html", S("x"), OK, 415,
      "content type 'text/html' is not OTLP: application/x-protobuf or application/json is", -1, "otlp-type: " },
};

static void hex(const char *p, size_t n, char *out)
{
    out[0] = 0;
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", (unsigned char)p[i]);
}

static void answers(void **state)
{
    (void)state;
    static char got[2 * sizeof reply.body + 1];
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (size_t i = 0; i < LEN(rows); i++) {
        start();
        store.answer = rows[i].sink;
        send(&mem, HTTP_POST, rows[i].path, rows[i].type, rows[i].body);
        bool pb = str_eq(str_c(reply.type), S(PB));
        hex(reply.body, reply.nbody, got);
        if (!pb)
            memcpy(got, reply.body, reply.nbody + 1);
        if (reply.status != rows[i].status || reply.replies != 1 || !str_eq(str_c(got), str_c(rows[i].answer)) ||
            (rows[i].status < 415 && pb != str_eq(str_c(rows[i].type), S(PB))) ||
            (int)store.writes != (rows[i].rows >= 0) || (rows[i].rows >= 0 && (int)store.rows != rows[i].rows) ||
            !str_starts(str_c(hints), str_c(rows[i].hints)) || !rows[i].hints[0] != !hints[0] ||
            str_eq(str_c(reply.retry_after), S("1")) != (rows[i].status == 503))
            fail_msg("%s: %d %s '%s', %u writes, hints '%s'", rows[i].what, reply.status, reply.type, got, store.writes, hints);
    }
    arena_done(&mem);
}

/* What handlers get of gRPC is one message, and they answer with a status. */
static void grpc(void **state)
{
    (void)state;
#define LOGS  EXPORT("logs.v1", "LogsService")
#define CHECK_HEALTH "/grpc.health.v1.Health/Check"
    static const struct {
        const char *path;
        struct str body;
        enum err sink;
        struct str answer;
        unsigned writes;
    } cases[] = {
        { LOGS, S(LOG_PB), OK, S(""), 1 },
        { LOGS, S(""), OK, S(""), 0 },
        { EXPORT("trace.v1", "TraceService"), S("\x0a\x04\x12\x02\x12\x00"), OK, S(""), 1 },
        { EXPORT("metrics.v1", "MetricsService"), S("\x0a\x0b\x12\x09\x12\x07\x0a\x01m\x2a\x02\x0a\x00"), OK,
          S("\x0a\x20\x08\x01\x12\x1c" "1 data point without a value"), 0 },
        { LOGS, S("\x08"), OK, S("3 0 malformed protobuf at byte 1 of 1"), 0 },
        { LOGS, S(LOG_PB), E_UNAVAILABLE, S("14 1 the disk is full"), 1 },
        { LOGS, S(LOG_PB), E_LIMIT, S("8 0 the disk is full"), 1 },
        { CHECK_HEALTH, S(""), OK, S("\x08\x01"), 0 },
        { CHECK_HEALTH, S("\x0a\x2e" "opentelemetry.proto.collector.logs.v1.LogsService"), OK, S("3 0 not a HealthCheckRequest"), 0 },
        { CHECK_HEALTH, S("\x0a\x31" "opentelemetry.proto.collector.logs.v1.LogsService"), OK, S("\x08\x01"), 0 },
        { CHECK_HEALTH, S("\x0a\x01x"), OK, S("5 0 no such service"), 0 },
    };
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (size_t i = 0; i < LEN(cases); i++) {
        start();
        store.answer = cases[i].sink;
        send(&mem, HTTP_POST, cases[i].path, "application/grpc", cases[i].body);
        if (reply.replies != 1 || !str_eq(str_c(reply.type), S("grpc")) || !str_eq((struct str){ reply.body, reply.nbody }, cases[i].answer) ||
            store.writes != cases[i].writes)
            fail_msg("row %zu: %s '%s', %u writes", i, reply.type, reply.body, store.writes);
        assert_int_equal(!reply.retry_after[0], cases[i].sink != E_UNAVAILABLE);
    }
    arena_done(&mem);
}

/* OTLP over HTTP on gRPC's port is taken, and told once. */
static void other_port(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    start();
    receiver.grpc_listener = S("");                /* requests here have no listener's name */
    send(&mem, HTTP_POST, "**/v1/logs", JSON, S(LOG));
    assert_int_equal(reply.status, 200);
    assert_string_equal(hints, "");
    receiver.grpc_listener = S("otlp-grpc");
    send_to(&mem, S("otlp-grpc"), HTTP_POST, "**/v1/logs", JSON, S(LOG));
    assert_int_equal(reply.status, 200);
    assert_true(str_starts(str_c(hints), S("otlp-port: OTLP over HTTP comes to the port for gRPC")));
    hints[0] = 0;
    send_to(&mem, S("otlp-grpc"), HTTP_POST, "**/v1/traces", JSON, S(SPAN));
    assert_string_equal(hints, "");
    arena_done(&mem);
}

/* The answer waits for the sink; the hint about a path comes once a signal. */
static void waits(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    start();
    store.hold = true;
    send(&mem, HTTP_POST, "**", JSON, S(LOG));
    assert_int_equal(reply.replies, 0);
    assert_int_equal(store.kind, FRAME_OTLP_LOGS_JSON);
    assert_true(str_eq(store.held->body, S(LOG)) && store.held->recv_ns == RECV);
    store.held->done(store.held, OK, NULL);
    assert_int_equal(reply.status, 200);
    store.hold = false;
    hints[0] = 0;
    send(&mem, HTTP_POST, "**", JSON, S(LOG));
    assert_string_equal(hints, "");
    send(&mem, HTTP_POST, "**", JSON, S(SPAN));
    assert_true(hints[0]);
    arena_done(&mem);
}

static void other_methods(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    start();
    send(&mem, HTTP_GET, "/", "", S(""));
    assert_int_equal(reply.status, 405);
    assert_true(str_find(str_c(reply.body), S("/v1/logs")) != SIZE_MAX);
    arena_done(&mem);
}

static void refusals_of_the_server(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int status;
        const char *answer;
    } cases[] = {
        { JSON, 413, "{\"code\":8,\"message\":\"too large\"}" },
        { JSON, 400, "{\"code\":3,\"message\":\"too large\"}" },
        { JSON, 503, "{\"code\":14,\"message\":\"too large\"}" },
        { "text/plain", 413, "too large" },
    };
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (size_t i = 0; i < LEN(cases); i++) {
        struct http_header h = { S("content-type"), str_c(cases[i].type) };
        struct http_req r = { .headers = &h, .nheaders = 1, .mem = &mem };
        start();
        otlp_refuse(&r, cases[i].status, S("too large"));
        if (reply.status != cases[i].status || !str_eq(str_c(reply.body), str_c(cases[i].answer)))
            fail_msg("row %zu: %d %s", i, reply.status, reply.body);
    }
    arena_done(&mem);
}

/* Replay: the edge of the retention is the frame's own, and goes by its receive time. */
static void replay(void **state)
{
    (void)state;
    static const uint32_t a_day = 86400;
    struct frame_decoder d = otlp_frame_decoder();
    struct arena mem;
    struct batch b;
    struct fault f = { 0 };
    static const int64_t at = INT64_C(1795447501000000000);
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(d.decode(d.arg, FRAME_OTLP_LOGS_JSON, a_day, S(LOG), at + NS_PER_DAY, &mem, &b, &f), OK);
    assert_true(b.rows[0].time_ns == at && !b.rows[0].claimed_ns && b.recv_ns == at + NS_PER_DAY);
    batch_done(&b);
    assert_int_equal(d.decode(d.arg, FRAME_OTLP_LOGS_JSON, a_day, S(LOG), at + NS_PER_DAY + 1, &mem, &b, &f), OK);
    assert_true(b.rows[0].time_ns == at + NS_PER_DAY + 1 && b.rows[0].claimed_ns == at && b.moved == 1);
    batch_done(&b);
    assert_int_equal(d.decode(d.arg, FRAME_OTLP_LOGS_JSON, 0, S(LOG), INT64_MAX - NS_PER_DAY, &mem, &b, &f), OK);
    assert_true(b.rows[0].time_ns == at);
    batch_done(&b);
    assert_int_equal(d.decode(d.arg, FRAME_OTLP_LOGS_PB, a_day, S("\x08"), at, &mem, &b, &f), E_SYNTAX);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(grpc),
        cmocka_unit_test(other_port),
        cmocka_unit_test(waits),
        cmocka_unit_test(other_methods),
        cmocka_unit_test(refusals_of_the_server),
        cmocka_unit_test(replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
