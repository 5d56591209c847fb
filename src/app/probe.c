/* app/probe.c -- a log record made by hand, and sent over HTTP or gRPC.
 *
 * For gRPC a whole HTTP/2 client is not needed: one connection, one stream, headers as
 * HPACK literals. Whether the record was stored is found out by querying it back, so of
 * the answer only its end matters.
 */
#include "app/probe.h"

#include <string.h>

#include "base/clock.h"
#include "base/jw.h"
#include "base/wire.h"
#include "base/zip.h"
#include "otlp/fields.h"

enum {
    BODY_MAX = 64 << 10,
    TIMEOUT_S = 5,
    H2_DATA = 0, H2_HEADERS = 1, H2_RST = 3, H2_SETTINGS = 4, H2_GOAWAY = 7,
    H2_END_STREAM = 1, H2_END_HEADERS = 4, H2_ACK = 1,
    H2_FRAME_HEAD = 9, H2_FRAME_MAX = 16384,
};

/* ---- the record ------------------------------------------------------------------------ */

static void json_attr(struct jw *w, struct str key, struct str value)
{
    jw_obj(w);
    jw_kv_str(w, S("key"), key);
    jw_key(w, S("value"));
    jw_obj(w);
    jw_kv_str(w, S("stringValue"), value);
    jw_obj_end(w);
    jw_obj_end(w);
}

static void open_list(struct jw *w, struct str key)
{
    jw_key(w, key);
    jw_arr(w);
    jw_obj(w);
}

static void close_list(struct jw *w)
{
    jw_obj_end(w);
    jw_arr_end(w);
}

static void body_json(const struct probe *p, struct arena *mem, struct buf *out)
{
    struct jw w;
    jw_init(&w, out);
    jw_obj(&w);
    open_list(&w, S("resourceLogs"));
    jw_key(&w, S("resource"));
    jw_obj(&w);
    jw_key(&w, S("attributes"));
    jw_arr(&w);
    json_attr(&w, S("service.name"), S("ccmon-doctor"));
    jw_arr_end(&w);
    jw_obj_end(&w);
    open_list(&w, S("scopeLogs"));
    open_list(&w, S("logRecords"));
    jw_kv_str(&w, S("timeUnixNano"), arena_fmt(mem, "%lld", (long long)p->now_ns));
    jw_key(&w, S("attributes"));
    jw_arr(&w);
    json_attr(&w, S("event.name"), S("ccmon_doctor_probe"));   /* so that a list of events says what it is */
    json_attr(&w, S("ccmon.probe"), p->id);
    json_attr(&w, S("ccmon.way"), p->way);
    jw_arr_end(&w);
    close_list(&w);
    close_list(&w);
    close_list(&w);
    jw_obj_end(&w);
}

static void put_message(struct buf *out, uint32_t field, struct buf *inner)
{
    wire_put_bytes(out, field, buf_view(inner));
    buf_clear(inner);
}

static void put_attr(struct buf *out, uint32_t field, struct str key, struct str value)
{
    CLEANUP(buf_done) struct buf any;
    CLEANUP(buf_done) struct buf kv;
    buf_init(&any, BODY_MAX);
    buf_init(&kv, BODY_MAX);
    wire_put_bytes(&any, F_ANY_STRING, value);
    wire_put_bytes(&kv, F_KV_KEY, key);
    put_message(&kv, F_KV_VALUE, &any);
    put_message(out, field, &kv);
}

static void body_protobuf(const struct probe *p, struct buf *out)
{
    CLEANUP(buf_done) struct buf a;
    CLEANUP(buf_done) struct buf b;
    CLEANUP(buf_done) struct buf resources;
    buf_init(&a, BODY_MAX);
    buf_init(&b, BODY_MAX);
    buf_init(&resources, BODY_MAX);
    put_attr(&a, F_RESOURCE_ATTRS, S("service.name"), S("ccmon-doctor"));
    put_message(&resources, F_RESOURCES_RESOURCE, &a);
    wire_put_fixed64(&a, F_LOG_TIME, (uint64_t)p->now_ns);
    put_attr(&a, F_LOG_ATTRS, S("event.name"), S("ccmon_doctor_probe"));
    put_attr(&a, F_LOG_ATTRS, S("ccmon.probe"), p->id);
    put_attr(&a, F_LOG_ATTRS, S("ccmon.way"), p->way);
    put_message(&b, F_SCOPES_ITEMS, &a);
    put_message(&resources, F_RESOURCES_SCOPES, &b);
    put_message(out, F_REQUEST_RESOURCES, &resources);
}

/* ---- HTTP -------------------------------------------------------------------------------- */

/* Whether a certificate can be trusted is the client's affair: here it is only asked whether
 * something takes the record. */
static enum err open_tls(const struct probe *p, struct tls_client **ret, struct fault *f)
{
    static const struct tls_client_config any = { .insecure_skip_verify = true };
    *ret = NULL;
    return p->tls ? tls_client_new(&any, ret, f) : OK;
}

static enum err send_http(const struct probe *p, struct str body, const struct tls_client *tls, struct arena *mem, struct fault *f)
{
    struct http_header headers[3] = { { S("content-type"), p->form == PROBE_JSON ? S("application/json") : S("application/x-protobuf") } };
    uint32_t n = 1;
    if (p->form == PROBE_GZIP)
        headers[n++] = (struct http_header){ S("content-encoding"), S("gzip") };
    if (p->authorization.n)
        headers[n++] = (struct http_header){ S("authorization"), p->authorization };
    bool six = str_index(p->host, ':') != SIZE_MAX;
    struct fetch q = {
        .method = HTTP_POST,
        .url = arena_fmt(mem, "http%s://%s" STR_FMT "%s:%u" STR_FMT, p->tls ? "s" : "", six ? "[" : "", STR_ARG(p->host),
                         six ? "]" : "", p->port, STR_ARG(p->path)),
        .headers = headers,
        .nheaders = n,
        .body = body,
        .timeout_ns = TIMEOUT_S * NS_PER_S,
        .tls = tls,
    };
    struct fetched got = { 0 };
    enum err e = http_fetch(NULL, &q, mem, &got, f);
    if (e)
        return e;
    if (got.status != 200)
        return fault_set(f, E_IO, 0, "answered %d: " STR_FMT, got.status, STR_ARG(str_trim(str_sub(got.body, 0, 120))));
    return OK;
}

/* ---- gRPC -------------------------------------------------------------------------------- */

static void put_frame(struct buf *b, int type, int flags, uint32_t stream, struct str payload)
{
    const char head[H2_FRAME_HEAD] = {
        (char)(payload.n >> 16), (char)(payload.n >> 8), (char)payload.n, (char)type, (char)flags,
        (char)(stream >> 24),    (char)(stream >> 16),   (char)(stream >> 8), (char)stream,
    };
    buf_put(b, head, sizeof head);
    buf_str(b, payload);
}

/* HPACK: a length in seven bits, more of them behind. */
static void put_length(struct buf *b, size_t n)
{
    if (n < 127) {
        buf_byte(b, (char)n);
        return;
    }
    buf_byte(b, 127);
    wire_put_raw(b, n - 127);
}

static void put_header(struct buf *b, struct str name, struct str value)
{
    buf_byte(b, 0);                                /* literal, not to be indexed */
    put_length(b, name.n);
    buf_str(b, name);
    put_length(b, value.n);
    buf_str(b, value);
}

static void grpc_bytes(const struct probe *p, struct str body, struct arena *mem, struct buf *out)
{
    CLEANUP(buf_done) struct buf headers;
    CLEANUP(buf_done) struct buf data;
    buf_init(&headers, BODY_MAX);
    buf_init(&data, BODY_MAX);
    put_header(&headers, S(":method"), S("POST"));
    put_header(&headers, S(":scheme"), p->tls ? S("https") : S("http"));
    put_header(&headers, S(":path"), S("/opentelemetry.proto.collector.logs.v1.LogsService/Export"));
    put_header(&headers, S(":authority"), arena_fmt(mem, STR_FMT ":%u", STR_ARG(p->host), p->port));
    put_header(&headers, S("content-type"), S("application/grpc"));
    put_header(&headers, S("te"), S("trailers"));
    if (p->authorization.n)
        put_header(&headers, S("authorization"), p->authorization);
    const char prefix[5] = { 0, (char)(body.n >> 24), (char)(body.n >> 16), (char)(body.n >> 8), (char)body.n };
    buf_put(&data, prefix, sizeof prefix);
    buf_str(&data, body);
    buf_str(out, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    put_frame(out, H2_SETTINGS, 0, 0, S(""));
    put_frame(out, H2_HEADERS, H2_END_HEADERS, 1, buf_view(&headers));
    put_frame(out, H2_DATA, H2_END_STREAM, 1, buf_view(&data));
}

static enum err read_exactly(struct dial *d, char *p, size_t n, struct fault *f)
{
    while (n) {
        size_t got = 0;
        if (dial_read(d, p, n, &got, f) != FETCH_OK)
            return E_IO;
        if (!got)
            return fault_set(f, E_IO, 0, "the connection was closed without an answer: no gRPC there?");
        p += got;
        n -= got;
    }
    return OK;
}

/* Until our stream has ended. */
static enum err await_end(struct dial *d, struct fault *f)
{
    for (;;) {
        unsigned char head[H2_FRAME_HEAD];
        char payload[H2_FRAME_MAX];
        enum err e = read_exactly(d, (char *)head, sizeof head, f);
        if (e)
            return e;
        size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (n > sizeof payload)
            return fault_set(f, E_IO, 0, "the answer is no HTTP/2: no gRPC there?");
        e = read_exactly(d, payload, n, f);
        if (e)
            return e;
        if (head[3] == H2_SETTINGS && !(head[4] & H2_ACK)) {
            CLEANUP(buf_done) struct buf ack;
            buf_init(&ack, BODY_MAX);
            put_frame(&ack, H2_SETTINGS, H2_ACK, 0, S(""));
            if (dial_write(d, buf_view(&ack), f) != FETCH_OK)
                return E_IO;
        }
        if (head[3] == H2_GOAWAY || head[3] == H2_RST)
            return fault_set(f, E_IO, 0, "the server ended the stream with an error");
        if ((head[3] == H2_HEADERS || head[3] == H2_DATA) && head[4] & H2_END_STREAM)
            return OK;
    }
}

static enum err send_grpc(const struct probe *p, struct str body, const struct tls_client *tls, struct arena *mem, struct fault *f)
{
    struct dial *d = NULL;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, BODY_MAX * 2);
    struct dial_to to = { .host = p->host, .port = p->port, .https = p->tls, .tls = tls, .alpn = p->tls ? S("h2") : S(""),
                          .timeout_ns = TIMEOUT_S * NS_PER_S };
    enum err e = E_IO;
    grpc_bytes(p, body, mem, &out);
    if (http_dial(&to, &d, f) == FETCH_OK && dial_write(d, buf_view(&out), f) == FETCH_OK)
        e = await_end(d, f);
    dial_free(d);
    return e;
}

enum err probe_send(const struct probe *p, struct arena *mem, struct fault *f)
{
    struct tls_client *tls;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf packed;
    buf_init(&body, BODY_MAX);
    buf_init(&packed, BODY_MAX);
    if (p->form == PROBE_JSON)
        body_json(p, mem, &body);
    else
        body_protobuf(p, &body);
    if (p->form == PROBE_GZIP)
        CHECK(!zip_gzip(buf_view(&body), 1, &packed));
    CHECK(!body.bad);
    enum err e = open_tls(p, &tls, f);
    if (!e && p->form == PROBE_GRPC)
        e = send_grpc(p, buf_view(&body), tls, mem, f);
    else if (!e)
        e = send_http(p, p->form == PROBE_GZIP ? buf_view(&packed) : buf_view(&body), tls, mem, f);
    tls_client_free(tls);
    return e;
}
