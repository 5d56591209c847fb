/* A tiny protobuf writer for tests, independent of the decoder's code. */
#pragma once
#include <string.h>

#include "base/buf.h"

enum { ENC_MAX = 16 << 20 };

UNUSED static void enc_varint(struct buf *b, uint64_t v)
{
    do {
        buf_byte(b, (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0)));
        v >>= 7;
    } while (v);
}

UNUSED static void enc_tag(struct buf *b, unsigned field, unsigned type)
{
    enc_varint(b, (uint64_t)field << 3 | type);
}

UNUSED static void enc_int(struct buf *b, unsigned field, uint64_t v)
{
    enc_tag(b, field, 0);
    enc_varint(b, v);
}

UNUSED static void enc_fixed64(struct buf *b, unsigned field, uint64_t v)
{
    enc_tag(b, field, 1);
    for (unsigned i = 0; i < 8; i++)
        buf_byte(b, (char)(v >> (8 * i)));
}

UNUSED static void enc_fixed32(struct buf *b, unsigned field, uint32_t v)
{
    enc_tag(b, field, 5);
    for (unsigned i = 0; i < 4; i++)
        buf_byte(b, (char)(v >> (8 * i)));
}

UNUSED static void enc_double(struct buf *b, unsigned field, double d)
{
    uint64_t v;
    memcpy(&v, &d, sizeof v);
    enc_fixed64(b, field, v);
}

UNUSED static void enc_bytes(struct buf *b, unsigned field, struct str s)
{
    enc_tag(b, field, 2);
    enc_varint(b, s.n);
    buf_str(b, s);
}

/* A nested message: what was written into `sub`, which becomes empty. */
UNUSED static void enc_message(struct buf *b, unsigned field, struct buf *sub)
{
    enc_bytes(b, field, buf_view(sub));
    buf_clear(sub);
}
