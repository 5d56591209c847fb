/* base/wire.h -- protobuf's wire format: a cursor over one message, and what writes one.
 *
 * wire_next() reads the next tag into `field` and `type`; exactly one typed read
 * or wire_skip() follows. The first malformed byte, a typed read of another wire
 * type among them, sets `bad`, notes where (`at`) and empties the rest, so that a
 * decoder reads on straight and asks once at the end. No length is trusted; groups
 * are refused. Nothing is copied: slices point into the body. What every field takes is
 * inlined: a call for each byte that is looked at cost as much as all the rest.
 *
 * Owner:    the bytes are the caller's.
 * Threads:  one at a time.
 */
#pragma once
#include "base/buf.h"

enum wire_type { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LEN = 2, WIRE_I32 = 5 };

struct wire {
    const uint8_t *p, *end;
    const uint8_t *at;           /* where it went bad */
    uint32_t field;              /* of the newest tag */
    enum wire_type type;
    bool bad;
};

/* The rest of these: what is malformed, and what takes more than a byte. */
void wire_fail(struct wire *w, const uint8_t *at);
uint64_t wire_varint_long(struct wire *w);

static inline struct wire wire_of(struct str body)
{
    const uint8_t *p = (const uint8_t *)(body.n ? body.p : "");
    return (struct wire){ .p = p, .end = p + body.n };
}

/* A varint, whatever it stands for. */
static inline uint64_t wire_raw(struct wire *w)
{
    if (w->p < w->end && *w->p < 0x80)
        return *w->p++;
    return wire_varint_long(w);
}

enum { WIRE_FIELD_MAX = (1 << 29) - 1, WIRE_TYPE_BITS = 3 };

static inline bool wire_next(struct wire *w)       /* false at the end and when bad */
{
    if (w->p == w->end)
        return false;
    const uint8_t *at = w->p;
    uint64_t tag = wire_raw(w), field = tag >> WIRE_TYPE_BITS;
    unsigned type = tag & ((1 << WIRE_TYPE_BITS) - 1);
    if (w->bad)
        return false;
    if (field == 0 || field > WIRE_FIELD_MAX || !(type <= WIRE_LEN || type == WIRE_I32)) {
        wire_fail(w, at);
        return false;
    }
    w->field = (uint32_t)field;
    w->type = (enum wire_type)type;
    return true;
}

void wire_skip(struct wire *w);

/* The newest field is of this type, and n bytes of it are there. */
static inline const uint8_t *wire_take(struct wire *w, enum wire_type type, size_t n)
{
    if (w->bad || w->type != type || n > (size_t)(w->end - w->p)) {
        wire_fail(w, w->p);
        return NULL;
    }
    const uint8_t *p = w->p;
    w->p += n;
    return p;
}

static inline uint64_t wire_varint(struct wire *w)
{
    return wire_take(w, WIRE_VARINT, 0) ? wire_raw(w) : 0;
}

static inline uint64_t wire_fixed64(struct wire *w)
{
    const uint8_t *p = wire_take(w, WIRE_I64, 8);
    uint64_t v = 0;
    for (unsigned i = 0; p && i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static inline uint32_t wire_fixed32(struct wire *w)
{
    const uint8_t *p = wire_take(w, WIRE_I32, 4);
    uint32_t v = 0;
    for (unsigned i = 0; p && i < 4; i++)
        v |= (uint32_t)p[i] << (8 * i);
    return v;
}

static inline double wire_double(struct wire *w)
{
    union { uint64_t bits; double d; } x = { wire_fixed64(w) };
    return x.d;
}

static inline struct str wire_bytes(struct wire *w)
{
    const uint8_t *at = wire_take(w, WIRE_LEN, 0);
    if (!at)
        return (struct str){ 0 };
    uint64_t n = wire_raw(w);
    if (n > (uint64_t)(w->end - w->p)) {
        wire_fail(w, at);
        return (struct str){ 0 };
    }
    struct str s = { (const char *)w->p, (size_t)n };
    w->p += n;
    return s;
}

static inline struct wire wire_message(struct wire *w)   /* a cursor over a nested message ... */
{
    struct str s = wire_bytes(w);
    if (!w->bad)
        return wire_of(s);
    return (struct wire){ .p = w->end, .end = w->end };
}

static inline void wire_close(struct wire *parent, const struct wire *child)   /* ... whose failure is the parent's */
{
    if (child->bad)
        wire_fail(parent, child->at);
}

/* Appending, field by field. The failure is the buffer's. */
void wire_put_raw(struct buf *b, uint64_t varint);
void wire_put_varint(struct buf *b, uint32_t field, uint64_t v);
void wire_put_fixed64(struct buf *b, uint32_t field, uint64_t v);
void wire_put_double(struct buf *b, uint32_t field, double v);
void wire_put_bytes(struct buf *b, uint32_t field, struct str s);
