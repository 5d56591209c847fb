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

/* ---- attributes: lengths known before, in as few bytes as the client's own ------------------- */

static size_t varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >>= 7)
        n++;
    return n;
}

/* A member of bytes: tag, length, n bytes. */
static size_t member(size_t n)
{
    return 1 + varint_size(n) + n;
}

/* Everything up to the value, whose field takes n bytes. */
static void attr_head(struct buf *b, uint32_t field, struct str name, size_t n)
{
    wire_put_raw(b, (uint64_t)field << 3 | WIRE_LEN);
    wire_put_raw(b, member(name.n) + member(n));
    wire_put_bytes(b, F_KV_KEY, name);
    wire_put_raw(b, F_KV_VALUE << 3 | WIRE_LEN);
    wire_put_raw(b, n);
}

void attr_text(struct buf *b, uint32_t field, struct str name, struct str v)
{
    attr_head(b, field, name, member(v.n));
    wire_put_bytes(b, F_ANY_STRING, v);
}

void attr_int(struct buf *b, uint32_t field, struct str name, int64_t v)
{
    attr_head(b, field, name, 1 + varint_size((uint64_t)v));
    wire_put_varint(b, F_ANY_INT, (uint64_t)v);
}

void attr_double(struct buf *b, uint32_t field, struct str name, double v)
{
    attr_head(b, field, name, 9);
    wire_put_double(b, F_ANY_DOUBLE, v);
}

void attr_bool(struct buf *b, uint32_t field, struct str name, bool v)
{
    attr_head(b, field, name, 2);
    wire_put_varint(b, F_ANY_BOOL, v);
}

void attr_digits(struct buf *b, uint32_t field, struct str name, uint64_t v)
{
    char at[24];
    struct buf digits = { .p = at, .cap = sizeof at, .max = sizeof at };
    buf_u64(&digits, v);
    attr_text(b, field, name, buf_view(&digits));
}
