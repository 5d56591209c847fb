/* fuzz/fuzz_h2.c -- a server, fed with anything that a client of HTTP/2 may send.
 *
 * Input: one byte that says how, then the bytes of a connection (bit 0x80: without the
 * preface, which is put before them). They come in pieces, writes take a while, time
 * passes, the client leaves or does not. Whatever they are, nothing must be left of the
 * connection afterwards: no request, no stream, no byte of a body; and what was sent
 * must be whole frames.
 */
#include "../tests/support/fakeloop.h"
#include "http/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_hello(struct http_req *r)
{
    http_reply(r, 200, S("text/plain"), S("hello"));
}

static void on_big(struct http_req *r)
{
    struct buf b;
    buf_init(&b, 100000);
    for (int i = 0; i < 10000; i++)
        buf_str(&b, S("0123456789"));
    http_reply_buf(r, 200, S("application/octet-stream"), &b);
}

static void on_echo(struct http_req *r)
{
    http_reply_trailer(r, S("x-trailer"), S("end"));
    http_reply(r, 200, S("application/octet-stream"), r->body);
}

static void on_method(struct http_req *r)
{
    if (r->body.n % 2)
        grpc_fail(r, GRPC_UNAVAILABLE, S("odd \xc3\xa4 %"), 1);
    else
        grpc_reply(r, r->body);
}

static void on_live(struct http_req *r)
{
    struct http_stream *s = http_stream_open(r, 200, S("text/event-stream"), NULL, NULL);
    (void)http_stream_send(s, S("data: 1\n\n"));
    http_stream_close(s);
}

static const struct http_route routes[] = {
    { HTTP_GET, "/", on_hello, ROUTE_LOOP, "" },
    { HTTP_GET, "/big", on_big, ROUTE_LOOP, "" },
    { HTTP_GET, "/live", on_live, ROUTE_LOOP, "" },
    { HTTP_POST, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", on_method, ROUTE_INGEST | ROUTE_GRPC, "" },
    { HTTP_POST, "/opentelemetry.proto.collector.logs.v1.LogsService/Export", on_method, ROUTE_INGEST | ROUTE_GRPC, "" },
    { HTTP_POST, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", on_method, ROUTE_POOL | ROUTE_INGEST | ROUTE_GRPC, "" },
    { HTTP_POST, "**", on_echo, ROUTE_POOL | ROUTE_INGEST, "" },
    { .path = NULL },
};

static void check_frames(struct str out, bool whole)
{
    if (str_starts(out, S("HTTP/1.")))
        return;
    while (out.n >= 9) {
        size_t n = 9 + ((size_t)(uint8_t)out.p[0] << 16 | (size_t)(uint8_t)out.p[1] << 8 | (uint8_t)out.p[2]);
        CHECK(n <= 9 + 16384);
        if (n > out.n)
            break;
        out = str_sub(out, n, out.n - n);
    }
    CHECK(!whole || !out.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_table table = { routes, NULL, NULL };
    const struct http_config cfg = { .header_ms = 100, .inflight_max = 1 << 20 };
    if (!size)
        return 0;
    uint32_t seed = data[0] & 0x7f;
    struct str in = { (const char *)data + 1, size - 1 };
    struct http_server *s = fake_server(&cfg, &table, 1);
    fake_open(s);
    if (data[0] & 0x80)
        fake_input(fake_preface);
    bool held = false;
    while (in.n) {
        size_t n = in.n;
        if (seed) {
            seed = seed * 1664525 + 1013904223;
            n = MIN(1 + (size_t)(seed >> 16) % 300, in.n);
            fake_pass((seed >> 8) % 64 == 0 ? 20000 : 5);
            held |= (seed >> 24) % 8 == 0;
            fake_room((seed >> 24) % 8 == 0 ? 1 + (seed >> 9) % 2000 : SIZE_MAX);
        }
        fake_input(str_sub(in, 0, n));
        in = str_sub(in, n, in.n - n);
    }
    fake_room(SIZE_MAX);
    check_frames(fake_output(), !held);
    if (data[0] & 1)
        fake_eof();
    fake_pass(data[0] & 2 ? 400000 : 0);
    fake_end(s);
    fake_server_free(s);
    return 0;
}
