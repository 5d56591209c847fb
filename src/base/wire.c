/* base/wire.c -- protobuf's wire format: tags, varints, fixed numbers, lengths. */
#include "base/wire.h"

enum { VARINT_MAX = 10 };

void wire_fail(struct wire *w, const uint8_t *at)
{
    if (!w->bad)
        w->at = at;
    w->bad = true;
    w->p = w->end;
}

/* Ten bytes carry 70 bits: what does not fit into 64 is malformed, not cut. */
uint64_t wire_varint_long(struct wire *w)
{
    const uint8_t *p = w->p;
    uint64_t v = 0;
    for (unsigned i = 0; i < VARINT_MAX && p < w->end; i++, p++) {
        uint64_t bits = *p & 0x7f;
        if (i == VARINT_MAX - 1 && *p > 1)
            break;
        v |= bits << (7 * i);
        if (*p < 0x80) {
            w->p = p + 1;
            return v;
        }
    }
    wire_fail(w, w->p);
    return 0;
}

void wire_skip(struct wire *w)
{
    switch (w->type) {
    case WIRE_VARINT:
        (void)wire_varint(w);
        break;
    case WIRE_I64:
        (void)wire_fixed64(w);
        break;
    case WIRE_I32:
        (void)wire_fixed32(w);
        break;
    case WIRE_LEN:
        (void)wire_bytes(w);
        break;
    }
}

/* ---- writing ------------------------------------------------------------------------- */

void wire_put_raw(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_byte(b, (char)(v | 0x80));
    buf_byte(b, (char)v);
}

void wire_put_varint(struct buf *b, uint32_t field, uint64_t v)
{
    wire_put_raw(b, field << WIRE_TYPE_BITS | WIRE_VARINT);
    wire_put_raw(b, v);
}

void wire_put_fixed64(struct buf *b, uint32_t field, uint64_t v)
{
    char bytes[8];
    wire_put_raw(b, field << WIRE_TYPE_BITS | WIRE_I64);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(v >> (8 * i));
    buf_put(b, bytes, sizeof bytes);
}

void wire_put_double(struct buf *b, uint32_t field, double v)
{
    union { double d; uint64_t bits; } x = { v };
    wire_put_fixed64(b, field, x.bits);
}

void wire_put_bytes(struct buf *b, uint32_t field, struct str s)
{
    wire_put_raw(b, field << WIRE_TYPE_BITS | WIRE_LEN);
    wire_put_raw(b, s.n);
    buf_str(b, s);
}
