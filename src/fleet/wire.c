/* fleet/wire.c -- protobuf written into a buffer.
 *
 * A nested message is written in place: its length stands before it in four bytes, as
 * a varint that may begin with zeros' continuation, which every reader takes.
 */

#include "fleet/fleet_int.h"
#include "otlp/fields.h"

enum { LENGTH_BYTES = 4 };

struct msg msg_begin(struct buf *b, uint32_t field)
{
    wire_put_raw(b, (uint64_t)field << 3 | WIRE_LEN);
    struct msg m = { b->n };
    buf_put(b, "\0\0\0\0", LENGTH_BYTES);
    return m;
}

void msg_end(struct buf *b, struct msg m)
{
    CHECK(!b->bad);
    size_t n = b->n - m.at - LENGTH_BYTES;
    CHECK(n < (UINT64_C(1) << (7 * LENGTH_BYTES)));
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        b->p[m.at + i] = (char)((n >> (7 * i) & 127) | (i + 1 < LENGTH_BYTES ? 128 : 0));
}

/* ---- attributes ------------------------------------------------------------------- */

struct open_attr {
    struct msg kv, any;
};

static struct open_attr attr_begin(struct buf *b, uint32_t field, struct str name)
{
    struct open_attr o;
    o.kv = msg_begin(b, field);
    wire_put_bytes(b, F_KV_KEY, name);
    o.any = msg_begin(b, F_KV_VALUE);
    return o;
}

static void attr_end(struct buf *b, struct open_attr o)
{
    msg_end(b, o.any);
    msg_end(b, o.kv);
}

void attr_text(struct buf *b, uint32_t field, struct str name, struct str v)
{
    struct open_attr o = attr_begin(b, field, name);
    wire_put_bytes(b, F_ANY_STRING, v);
    attr_end(b, o);
}

void attr_int(struct buf *b, uint32_t field, struct str name, int64_t v)
{
    struct open_attr o = attr_begin(b, field, name);
    wire_put_varint(b, F_ANY_INT, (uint64_t)v);
    attr_end(b, o);
}

void attr_double(struct buf *b, uint32_t field, struct str name, double v)
{
    struct open_attr o = attr_begin(b, field, name);
    wire_put_double(b, F_ANY_DOUBLE, v);
    attr_end(b, o);
}

void attr_bool(struct buf *b, uint32_t field, struct str name, bool v)
{
    struct open_attr o = attr_begin(b, field, name);
    wire_put_varint(b, F_ANY_BOOL, v);
    attr_end(b, o);
}

void attr_digits(struct buf *b, uint32_t field, struct str name, uint64_t v)
{
    struct open_attr o = attr_begin(b, field, name);
    char text[24];
    struct buf digits = { 0 };
    buf_init(&digits, sizeof text);
    buf_u64(&digits, v);
    wire_put_bytes(b, F_ANY_STRING, buf_view(&digits));
    buf_done(&digits);
    attr_end(b, o);
}
