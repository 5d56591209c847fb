/* base/wire.h -- protobuf's wire format: a cursor over one message, and what writes one.
 *
 * wire_next() reads the next tag into `field` and `type`; exactly one typed read
 * or wire_skip() follows. The first malformed byte, a typed read of another wire
 * type among them, sets `bad`, notes where (`at`) and empties the rest, so that a
 * decoder reads on straight and asks once at the end. No length is trusted; groups
 * are refused. Nothing is copied: slices point into the body.
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

struct wire wire_of(struct str body);
bool wire_next(struct wire *w);                    /* false at the end and when bad */
void wire_skip(struct wire *w);

uint64_t wire_varint(struct wire *w);
uint64_t wire_fixed64(struct wire *w);
uint32_t wire_fixed32(struct wire *w);
double wire_double(struct wire *w);
struct str wire_bytes(struct wire *w);
struct wire wire_message(struct wire *w);          /* a cursor over a nested message ... */
void wire_close(struct wire *parent, const struct wire *child);   /* ... whose failure is the parent's */

/* Appending, field by field. The failure is the buffer's. */
void wire_put_raw(struct buf *b, uint64_t varint);
void wire_put_varint(struct buf *b, uint32_t field, uint64_t v);
void wire_put_fixed64(struct buf *b, uint32_t field, uint64_t v);
void wire_put_bytes(struct buf *b, uint32_t field, struct str s);
