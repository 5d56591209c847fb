/* otlp/reply.c -- the two small messages that a receiver writes. */
#include "otlp/reply.h"

#include "base/jw.h"
#include "base/num.h"
#include "base/wire.h"
#include "otlp/fields.h"

enum { REPLY_MAX = 4096 };                         /* bytes; what is told is cut to MESSAGE_MAX */
enum { MESSAGE_MAX = 1024 };

struct str otlp_form_type(enum otlp_form form)
{
    return form == OTLP_JSON ? S("application/json") : S("application/x-protobuf");
}

static struct str keep(struct buf *b, struct arena *mem)
{
    CHECK(!b->bad);
    struct str s = arena_str(mem, buf_view(b));
    buf_done(b);
    return s;
}

/* An empty response is no bytes at all. */
static struct str success_protobuf(uint64_t rejected, struct str why, struct arena *mem)
{
    struct buf part = { 0 }, out = { 0 };
    if (!rejected)
        return S("");
    buf_init(&part, REPLY_MAX);
    buf_init(&out, REPLY_MAX);
    wire_put_varint(&part, F_PARTIAL_REJECTED, rejected);
    wire_put_bytes(&part, F_PARTIAL_MESSAGE, why);
    wire_put_bytes(&out, F_RESPONSE_PARTIAL, buf_view(&part));
    buf_done(&part);
    return keep(&out, mem);
}

/* 64-bit numbers are strings in protobuf's JSON. */
static struct str success_json(struct str field, uint64_t rejected, struct str why, struct arena *mem)
{
    char digits[24];
    struct buf out;
    struct jw w;
    buf_init(&out, 8 * REPLY_MAX);                 /* every byte may need escaping */
    jw_init(&w, &out);
    jw_obj(&w);
    if (rejected) {
        jw_key(&w, S("partialSuccess"));
        jw_obj(&w);
        jw_kv_str(&w, field, (struct str){ digits, num_fmt_i64(digits, (int64_t)rejected) });
        jw_kv_str(&w, S("errorMessage"), why);
        jw_obj_end(&w);
    }
    jw_obj_end(&w);
    return keep(&out, mem);
}

struct str otlp_success(enum otlp_form form, enum otlp_signal signal, uint64_t rejected, struct str why, struct arena *mem)
{
    CHECK(signal < OTLP_SIGNALS);
    why = str_sub(why, 0, MESSAGE_MAX);
    return form == OTLP_JSON ? success_json(otlp_signals[signal].rejected, rejected, why, mem)
                             : success_protobuf(rejected, why, mem);
}

struct str otlp_status(enum otlp_form form, int code, struct str message, struct arena *mem)
{
    struct buf out;
    message = str_sub(message, 0, MESSAGE_MAX);
    buf_init(&out, 8 * REPLY_MAX);
    if (form == OTLP_JSON) {
        struct jw w;
        jw_init(&w, &out);
        jw_obj(&w);
        jw_kv_i64(&w, S("code"), code);
        jw_kv_str(&w, S("message"), message);
        jw_obj_end(&w);
    } else {
        wire_put_varint(&out, F_RPC_CODE, (uint64_t)code);
        wire_put_bytes(&out, F_RPC_MESSAGE, message);
    }
    return keep(&out, mem);
}
