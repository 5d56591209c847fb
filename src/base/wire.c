/* base/wire.c -- protobuf's wire format: tags, varints, fixed numbers, lengths. */
#include "base/wire.h"

#include <string.h>

enum { FIELD_MAX = (1 << 29) - 1, VARINT_MAX = 10, TAG_TYPE_BITS = 3 };

struct wire wire_of(struct str body)
{
    const uint8_t *p = (const uint8_t *)(body.n ? body.p : "");
    return (struct wire){ .p = p, .end = p + body.n };
}

static void fail_at(struct wire *w, const uint8_t *at)
{
    if (!w->bad)
        w->at = at;
    w->bad = true;
    w->p = w->end;
}

/* Ten bytes carry 70 bits: what does not fit into 64 is malformed, not cut. */
static uint64_t varint(struct wire *w)
{
    const uint8_t *p = w->p;
    if (p < w->end && *p < 0x80) {
        w->p++;
        return *p;
    }
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
    fail_at(w, w->p);
    return 0;
}

bool wire_next(struct wire *w)
{
    if (w->p == w->end)
        return false;
    const uint8_t *at = w->p;
    uint64_t tag = varint(w);
    if (w->bad)
        return false;
    uint64_t field = tag >> TAG_TYPE_BITS;
    unsigned type = tag & ((1 << TAG_TYPE_BITS) - 1);
    if (field == 0 || field > FIELD_MAX || !(type <= WIRE_LEN || type == WIRE_I32)) {
        fail_at(w, at);
        return false;
    }
    w->field = (uint32_t)field;
    w->type = (enum wire_type)type;
    return true;
}

/* The newest field is of this type, and n bytes of it are there. */
static const uint8_t *take(struct wire *w, enum wire_type type, size_t n)
{
    if (w->bad || w->type != type || n > (size_t)(w->end - w->p)) {
        fail_at(w, w->p);
        return NULL;
    }
    const uint8_t *p = w->p;
    w->p += n;
    return p;
}

uint64_t wire_varint(struct wire *w)
{
    return take(w, WIRE_VARINT, 0) ? varint(w) : 0;
}

uint64_t wire_fixed64(struct wire *w)
{
    const uint8_t *p = take(w, WIRE_I64, 8);
    uint64_t v = 0;
    for (unsigned i = 0; p && i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint32_t wire_fixed32(struct wire *w)
{
    const uint8_t *p = take(w, WIRE_I32, 4);
    uint32_t v = 0;
    for (unsigned i = 0; p && i < 4; i++)
        v |= (uint32_t)p[i] << (8 * i);
    return v;
}

double wire_double(struct wire *w)
{
    uint64_t bits = wire_fixed64(w);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

struct str wire_bytes(struct wire *w)
{
    if (!take(w, WIRE_LEN, 0))
        return (struct str){ 0 };
    const uint8_t *at = w->p;
    uint64_t n = varint(w);
    if (n > (uint64_t)(w->end - w->p)) {
        fail_at(w, at);
        return (struct str){ 0 };
    }
    struct str s = { (const char *)w->p, (size_t)n };
    w->p += n;
    return s;
}

struct wire wire_message(struct wire *w)
{
    struct str s = wire_bytes(w);
    if (!w->bad)
        return wire_of(s);
    return (struct wire){ .p = w->end, .end = w->end };
}

void wire_close(struct wire *parent, const struct wire *child)
{
    if (child->bad)
        fail_at(parent, child->at);
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
    wire_put_raw(b, field << TAG_TYPE_BITS | WIRE_VARINT);
    wire_put_raw(b, v);
}

void wire_put_fixed64(struct buf *b, uint32_t field, uint64_t v)
{
    char bytes[8];
    wire_put_raw(b, field << TAG_TYPE_BITS | WIRE_I64);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(v >> (8 * i));
    buf_put(b, bytes, sizeof bytes);
}

void wire_put_bytes(struct buf *b, uint32_t field, struct str s)
{
    wire_put_raw(b, field << TAG_TYPE_BITS | WIRE_LEN);
    wire_put_raw(b, s.n);
    buf_str(b, s);
}
