/* store/chunk_blob.c -- the envelope of every blob, its cursor and its writer.
 *
 *     0        1         2       3      4          8              n - 8        n
 *     | format | encoding | flags | zero | raw size | payload ...  | checksum  |
 *
 * Flags: FLAG_ZSTD; what a value stands for (a row, a run, a moment); FLAG_PIECES, where the
 * payload is pieces, each compressed by itself (chunk_piece.c), and raw size that of all.
 *
 * The checksum is XXH3 over all that is before it, seeded with what the blob
 * stands for (a column's number, summary, filter), so that a blob found in the
 * place of another is damage too. Payload is zstd level 1 where that is smaller.
 * Level 6 makes events 3 % smaller (25.1 bytes become 24.3) and encoding them take
 * 1.7 times as long: for days that are sorted once and stay.
 *
 * Sizes are never trusted: blob_open() asks for the memory that the worst payload
 * of that size can make the decoders take, before any of it is taken.
 */
#include <string.h>

#include "base/hash.h"
#include "base/zip.h"
#include "store/chunk_int.h"

enum { BLOB_FORMAT = 3, HEAD_SIZE = 8, SUM_SIZE = 8 };
enum { FLAG_ZSTD = 1, GRAIN_SHIFT = 1, GRAIN_MASK = 3, FLAG_PIECES = 8, FLAGS = 15 };
enum { ZSTD_LEVEL = 1, ZSTD_PATIENT = 6, ZSTD_WORTH = 24 };          /* smaller payloads never win against zstd's own header */
/* The most that decoding takes per row: a value, a code, numbers on the way, the text
 * of a UUID or a prefix; and per byte of payload: hex doubles it. */
enum { ROW_COST = 160, BYTE_COST = 3, BASE_COST = 64 * 1024 };

const uint8_t *rd_take(struct rd *r, uint64_t n)
{
    if (r->bad || n > (uint64_t)(r->end - r->p)) {
        r->bad = true;
        r->p = r->end;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

uint8_t rd_byte(struct rd *r)
{
    const uint8_t *p = rd_take(r, 1);
    return p ? *p : 0;
}

uint64_t rd_varint(struct rd *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t c = rd_byte(r);
        if (shift == 63 && c > 1)
            break;
        v |= (uint64_t)(c & 127) << shift;
        if (c < 128)
            return r->bad ? 0 : v;
    }
    r->bad = true;
    return 0;
}

int64_t rd_zigzag(struct rd *r)
{
    return unzigzag(rd_varint(r));
}

static uint64_t load_le(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static void store_le(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

uint64_t rd_u64(struct rd *r)
{
    const uint8_t *p = rd_take(r, 8);
    return p ? load_le(p, 8) : 0;
}

struct str rd_str(struct rd *r)
{
    uint64_t n = rd_varint(r);
    const uint8_t *p = rd_take(r, n);
    return p ? (struct str){ (const char *)p, (size_t)n } : (struct str){ 0 };
}

void put_varint(struct buf *b, uint64_t v)
{
    uint8_t out[10];
    size_t n = 0;
    for (; v >= 128; v >>= 7)
        out[n++] = (uint8_t)(v | 128);
    out[n++] = (uint8_t)v;
    buf_put(b, out, n);
}

void put_zigzag(struct buf *b, int64_t v)
{
    put_varint(b, zigzag(v));
}

void put_u64(struct buf *b, uint64_t v)
{
    uint8_t out[8];
    store_le(out, v, 8);
    buf_put(b, out, 8);
}

void put_str(struct buf *b, struct str s)
{
    put_varint(b, s.n);
    buf_put(b, s.p, s.n);
}

/* --- the envelope -------------------------------------------------------------- */

enum err blob_pack(struct str raw, bool patient, struct buf *room, struct str *ret, struct fault *f)
{
    *ret = raw;
    if (raw.n <= ZSTD_WORTH)
        return OK;
    buf_clear(room);
    enum err e = zip_zstd(raw, patient ? ZSTD_PATIENT : ZSTD_LEVEL, room);
    if (e)
        return fault_set(f, e, 0, "a column of a chunk cannot be compressed");
    if (room->n < raw.n)
        *ret = buf_view(room);
    return OK;
}

enum err blob_seal(const struct buf *payload, struct blob_kind kind, uint32_t what, struct arena *mem, struct str *ret,
                   struct fault *f)
{
    if (payload->bad || payload->n > CHUNK_RAW_MAX)
        return fault_set(f, E_LIMIT, 0, "a column of a chunk is larger than %zu bytes", CHUNK_RAW_MAX);

    CLEANUP(buf_done) struct buf packed = { 0 };
    buf_init(&packed, CHUNK_RAW_MAX + CHUNK_RAW_MAX / 64);
    struct str body = buf_view(payload);
    if (kind.enc != ENC_FILTER && !kind.pieces) {
        enum err e = blob_pack(buf_view(payload), kind.patient, &packed, &body, f);
        if (e)
            return e;
    }

    size_t n = HEAD_SIZE + body.n + SUM_SIZE;
    uint8_t *p = arena_alloc(mem, n, 1);
    p[0] = BLOB_FORMAT;
    p[1] = (uint8_t)kind.enc;
    p[2] = (uint8_t)((body.n < payload->n ? FLAG_ZSTD : 0) | kind.grain << GRAIN_SHIFT | (kind.pieces ? FLAG_PIECES : 0));
    p[3] = 0;
    store_le(p + 4, payload->n, 4);
    if (body.n)
        memcpy(p + HEAD_SIZE, body.p, body.n);
    store_le(p + n - SUM_SIZE, hash64((struct str){ (char *)p, n - SUM_SIZE }, what), SUM_SIZE);
    *ret = (struct str){ (char *)p, n };
    return OK;
}

bool blob_room(const struct arena *mem, size_t raw, uint32_t rows)
{
    size_t need = raw * BYTE_COST + ((size_t)rows + 1) * ROW_COST + BASE_COST;
    return need < (size_t)(mem->end - mem->pos);
}

struct blob {
    struct blob_kind kind;
    bool packed;
    size_t raw;
    struct str body;
};

static enum err blob_check(struct str blob, uint32_t what, struct blob *ret, struct fault *f)
{
    const uint8_t *p = (const uint8_t *)blob.p;
    if (blob.n < HEAD_SIZE + SUM_SIZE)
        return fault_set(f, E_CORRUPT, 0, "column %u: %zu bytes are no block", what, blob.n);
    uint64_t sum = load_le(p + blob.n - SUM_SIZE, SUM_SIZE);
    if (sum != hash64(str_sub(blob, 0, blob.n - SUM_SIZE), what))
        return fault_set(f, E_CORRUPT, 0, "column %u: checksum differs", what);
    if (p[0] != BLOB_FORMAT)
        return fault_set(f, E_UNSUPPORTED, 0, "column %u: block format %u, this ccmon reads %d", what, p[0], BLOB_FORMAT);

    struct blob b = {
        .kind = { (enum chunk_enc)p[1], (enum chunk_grain)(p[2] >> GRAIN_SHIFT & GRAIN_MASK), p[2] & FLAG_PIECES },
        .packed = p[2] & FLAG_ZSTD,
        .raw = (size_t)load_le(p + 4, 4),
        .body = str_sub(blob, HEAD_SIZE, blob.n - HEAD_SIZE - SUM_SIZE),
    };
    if (p[3] || p[2] > FLAGS || b.kind.grain > CHUNK_BY_MOMENT || b.raw > CHUNK_RAW_MAX || (!b.packed && b.raw != b.body.n) ||
        (b.kind.pieces && b.packed))
        return fault_set(f, E_CORRUPT, 0, "column %u: bad header", what);
    *ret = b;
    return OK;
}

enum err blob_view(struct str blob, uint32_t what, enum chunk_enc *ret_enc, struct rd *ret, struct fault *f)
{
    struct blob b;
    enum err e = blob_check(blob, what, &b, f);
    if (e)
        return e;
    if (b.packed || b.kind.pieces)
        return fault_set(f, E_CORRUPT, 0, "column %u: compressed where it never is", what);
    const uint8_t *p = (const uint8_t *)b.body.p;
    *ret_enc = b.kind.enc;
    *ret = (struct rd){ .p = p, .end = p + b.raw };
    return OK;
}

enum err blob_pieces(struct str blob, uint32_t what, enum chunk_enc *ret_enc, struct rd *ret, struct fault *f)
{
    struct blob b;
    enum err e = blob_check(blob, what, &b, f);
    if (e)
        return e;
    if (!b.kind.pieces || b.kind.grain != CHUNK_BY_ROW)
        return fault_set(f, E_CORRUPT, 0, "column %u: not in pieces", what);
    *ret_enc = b.kind.enc;
    *ret = (struct rd){ .p = (const uint8_t *)b.body.p, .end = (const uint8_t *)b.body.p + b.raw };
    return OK;
}

static enum err in_one_piece(const struct blob *b, uint32_t what, struct fault *f)
{
    return b->kind.pieces ? fault_set(f, E_CORRUPT, 0, "column %u: in pieces where it never is", what) : OK;
}

enum err blob_open(struct str blob, uint32_t what, uint32_t rows, struct arena *mem, struct blob_kind *ret_kind, struct rd *ret,
                   struct fault *f)
{
    CHECK(rows <= CHUNK_ROWS_LIMIT);
    struct blob b;
    enum err e = blob_check(blob, what, &b, f);
    e = e ? e : in_one_piece(&b, what, f);
    if (e)
        return e;
    if (!blob_room(mem, b.raw, rows))
        return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", what);

    uint8_t *out = arena_alloc_raw(mem, b.raw + 1, 8);
    if (b.packed) {
        e = zip_unzstd_exact(b.body, out, b.raw, f);
        if (e)
            return fault_set(f, E_CORRUPT, 0, "column %u cannot be inflated", what);
    } else if (b.raw) {
        memcpy(out, b.body.p, b.raw);
    }
    *ret_kind = b.kind;
    *ret = (struct rd){ .p = out, .end = out + b.raw };
    return OK;
}

bool chunk_is_pieces(struct str blob)
{
    return blob.n > HEAD_SIZE && blob.p[2] & FLAG_PIECES;
}

size_t chunk_payload_size(struct str blob)
{
    if (blob.n < HEAD_SIZE + SUM_SIZE)
        return 0;
    size_t raw = (size_t)load_le((const uint8_t *)blob.p + 4, 4);
    return raw > CHUNK_RAW_MAX ? 0 : (raw + 8) & ~(size_t)7;
}

enum err chunk_payload_into(struct str blob, uint32_t column, void *out, size_t size, struct chunk_payload *ret, struct fault *f)
{
    struct blob b;
    enum err e = blob_check(blob, column, &b, f);
    e = e ? e : in_one_piece(&b, column, f);
    if (e)
        return e;
    CHECK(b.raw < size);
    if (b.packed && zip_unzstd_exact(b.body, out, b.raw, f))
        return fault_set(f, E_CORRUPT, 0, "column %u cannot be inflated", column);
    if (!b.packed && b.raw)
        memcpy(out, b.body.p, b.raw);
    *ret = (struct chunk_payload){ (uint8_t)b.kind.enc, (uint8_t)b.kind.grain, { out, b.raw } };
    return OK;
}

enum err chunk_payload(struct str blob, uint32_t column, uint32_t rows, struct arena *mem, struct chunk_payload *ret,
                       struct fault *f)
{
    struct rd r;
    struct blob_kind kind;
    enum err e = blob_open(blob, column, rows, mem, &kind, &r, f);
    if (!e)
        *ret = (struct chunk_payload){ (uint8_t)kind.enc, (uint8_t)kind.grain, { (const char *)r.p, (size_t)(r.end - r.p) } };
    return e;
}
