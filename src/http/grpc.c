/* http/grpc.c -- see grpc.h.
 *
 *     message = compressed (1 byte, 0 or 1), length (4 bytes, big endian), that many bytes
 *
 * Compression is per message and named in the head. Since a unary call has one message,
 * it is the same to us as a coding of the whole body, behind five bytes: body.c undoes
 * both, with the same bounds and on the same threads.
 *
 * An error is a head alone ("trailers-only"). Clients send again by themselves what is
 * UNAVAILABLE, and RESOURCE_EXHAUSTED only when RetryInfo stands beside it: that tells
 * a server that is full from a message that is too large and will always be.
 *
 * grpc-timeout is read for its form and else left to the client, which resets the
 * stream when the time is over. What came is kept all the same: the client will send
 * it once more, and rows count once.
 */
#include "http/grpc.h"

#include "base/base64.h"
#include "base/wire.h"
#include "http/call.h"

enum {
    PREFIX = 5,
    WHY_SHOWN = 512,                               /* bytes of an explanation; percent signs may triple it */
    DETAILS_MAX = 1024,
    TIMEOUT_DIGITS = 8,
};

/* google.rpc.Status, Any, RetryInfo, Duration */
enum { F_STATUS_CODE = 1, F_STATUS_MESSAGE = 2, F_STATUS_DETAILS = 3, F_ANY_TYPE = 1, F_ANY_VALUE = 2, F_RETRY_DELAY = 1, F_SECONDS = 1 };

bool grpc_is(const struct http_req *r)
{
    struct str type = http_header(r, S("content-type"));
    type = str_trim(str_cut(&type, ';'));
    return r->http2 && (str_eq_nocase(type, S("application/grpc")) || str_starts(type, S("application/grpc+")));
}

static bool is_protobuf(const struct http_req *r)
{
    struct str type = http_header(r, S("content-type"));
    type = str_trim(str_cut(&type, ';'));
    return str_eq_nocase(type, S("application/grpc")) || str_eq(type, S("application/grpc+proto"));
}

/* ---- answers ------------------------------------------------------------------------ */

/* Percent-encoded is what is not printable ASCII, and the percent sign. */
static struct str percent_encode(struct str s, struct arena *mem)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = arena_alloc(mem, 3 * s.n, 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c >= ' ' && c <= '~' && c != '%') {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    return (struct str){ out, n };
}

static struct str retry_details(enum grpc_code code, struct str why, uint32_t retry_s, struct arena *mem)
{
    struct buf delay, info, any, status;
    buf_init(&delay, DETAILS_MAX);
    buf_init(&info, DETAILS_MAX);
    buf_init(&any, DETAILS_MAX);
    buf_init(&status, DETAILS_MAX + WHY_SHOWN);
    wire_put_varint(&delay, F_SECONDS, retry_s);
    wire_put_bytes(&info, F_RETRY_DELAY, buf_view(&delay));
    wire_put_bytes(&any, F_ANY_TYPE, S("type.googleapis.com/google.rpc.RetryInfo"));
    wire_put_bytes(&any, F_ANY_VALUE, buf_view(&info));
    wire_put_varint(&status, F_STATUS_CODE, code);
    wire_put_bytes(&status, F_STATUS_MESSAGE, why);
    wire_put_bytes(&status, F_STATUS_DETAILS, buf_view(&any));
    CHECK(!status.bad);
    struct str text = base64_text(buf_view(&status), mem);
    buf_done(&delay);
    buf_done(&info);
    buf_done(&any);
    buf_done(&status);
    return text;
}

static void say_codings(struct http_req *r)
{
    http_reply_header(r, S("grpc-accept-encoding"), S("identity,gzip,deflate,zstd"));
}

void grpc_fail(struct http_req *r, enum grpc_code code, struct str why, uint32_t retry_s)
{
    CHECK(code > GRPC_OK && code <= GRPC_UNAUTHENTICATED);
    why = str_sub(why, 0, WHY_SHOWN);
    say_codings(r);
    http_reply_header(r, S("grpc-status"), arena_fmt(r->mem, "%d", (int)code));
    http_reply_header(r, S("grpc-message"), percent_encode(why, r->mem));
    if (retry_s)
        http_reply_header(r, S("grpc-status-details-bin"), retry_details(code, why, retry_s, r->mem));
    http_reply(r, 200, S("application/grpc"), S(""));
}

void grpc_reply(struct http_req *r, struct str message)
{
    CHECK(message.n <= UINT32_MAX);
    const char prefix[PREFIX] = { 0, (char)(message.n >> 24), (char)(message.n >> 16), (char)(message.n >> 8), (char)message.n };
    struct buf out;
    buf_init(&out, PREFIX + message.n);
    buf_put(&out, prefix, PREFIX);
    buf_str(&out, message);
    say_codings(r);
    http_reply_trailer(r, S("grpc-status"), S("0"));
    http_reply_buf(r, 200, S("application/grpc"), &out);
}

void grpc_refuse(struct http_req *r, int status, struct str why, bool stopping)
{
    static const struct {
        int status;
        enum grpc_code code;
        bool again;
    } rows[] = {
        { 400, GRPC_INVALID_ARGUMENT, false },
        { 401, GRPC_UNAUTHENTICATED, false },
        { 403, GRPC_PERMISSION_DENIED, false },
        { 404, GRPC_UNIMPLEMENTED, false },
        { 405, GRPC_UNIMPLEMENTED, false },
        { 408, GRPC_DEADLINE_EXCEEDED, false },
        { 413, GRPC_RESOURCE_EXHAUSTED, false },
        { 415, GRPC_UNIMPLEMENTED, false },
        { 429, GRPC_RESOURCE_EXHAUSTED, true },
        { 431, GRPC_RESOURCE_EXHAUSTED, false },
        { 503, GRPC_RESOURCE_EXHAUSTED, true },
    };
    enum grpc_code code = GRPC_UNKNOWN;
    bool again = false;
    for (size_t i = 0; i < LEN(rows); i++) {
        if (rows[i].status == status) {
            code = rows[i].code;
            again = rows[i].again;
        }
    }
    grpc_fail(r, stopping ? GRPC_UNAVAILABLE : code, why, again || stopping ? HTTP_RETRY_AFTER_S : 0);
}

/* ---- what came ------------------------------------------------------------------------ */

/* TimeoutValue TimeoutUnit: at most eight digits, and one of H M S m u n. */
static bool is_timeout(struct str s)
{
    if (s.n < 2 || s.n > TIMEOUT_DIGITS + 1)
        return false;
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return str_index(S("HMSmun"), s.p[s.n - 1]) != SIZE_MAX;
}

bool grpc_admit(struct call *c)
{
    struct http_req *r = &c->req;
    if (!is_protobuf(r)) {
        call_refuse(c, 415, "of gRPC's message formats protobuf is understood (application/grpc, application/grpc+proto)");
        return false;
    }
    struct str timeout = http_header(r, S("grpc-timeout"));
    if (timeout.p && !is_timeout(timeout)) {
        call_refuse(c, 400, "grpc-timeout is no number of at most eight digits with a unit");
        return false;
    }
    return true;
}

bool grpc_unframe(struct call *c)
{
    const uint8_t *p = (const uint8_t *)c->body.p;
    if (c->body.n < PREFIX) {
        call_refuse(c, 400, "the call has no message, or not all of its first five bytes");
        return false;
    }
    size_t n = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    if (n != c->body.n - PREFIX || p[0] > 1) {
        call_refuse(c, 400, "the call is not exactly one message");
        return false;
    }
    if (p[0] && c->coding == BODY_PLAIN) {
        call_refuse(c, 400, "the message says that it is compressed, and no grpc-encoding says how");
        return false;
    }
    if (!p[0])
        c->coding = BODY_PLAIN;
    c->body_at = PREFIX;
    return true;
}
