/* fuzz/fuzz_chunk.c -- the chunk codec against arbitrary bytes.
 *
 * The first byte says how the rest is used: as a blob with a checksum put right, as
 * a payload under any encoding, or as rows that are written, read back and compared.
 * Nothing may crash, and what was written comes back.
 */
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "store/chunk_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS_MAX = 300, COLUMN = CHUNK_ATTRS };

static const int64_t *times(struct arena *mem, uint32_t rows)
{
    int64_t *t = arena_new(mem, int64_t, rows);
    for (uint32_t i = 0; i < rows; i++)
        t[i] = INT64_C(1795000000000000000) + i * INT64_C(1000000);
    return t;
}

/* Every value that decoded must be readable: the sanitizers look. */
static uint64_t touch(const struct column *c, uint32_t rows)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rows; i++) {
        struct value v = column_value(c, i);
        if (v.type == V_STR || v.type == V_JSON || v.type == V_BYTES)
            sum += hash64(v.s, 0);
        else
            sum += (uint64_t)v.type;
    }
    return sum;
}

/* Every third row from the second on, of an attribute and of each fixed column. */
static void read_some(struct str blob, const struct chunk_col *col, uint32_t rows, struct arena *mem)
{
    struct chunk_payload p;
    struct column c;
    const void *array;
    uint32_t *sel = arena_new(mem, uint32_t, rows), n = 0;
    for (uint32_t i = 1; i < rows; i += 3)
        sel[n++] = i;
    if (n && !chunk_payload(blob, COLUMN, rows, mem, &p, NULL) && !chunk_column_some(p, col, rows, times(mem, n), sel, n, mem, &c, NULL))
        (void)touch(&c, n);
    for (unsigned i = 0; n && i < CHUNK_FIXED_COUNT; i++)
        if (!chunk_payload(blob, i, rows, mem, &p, NULL))
            (void)!chunk_fixed_some(p, (enum chunk_fixed)i, rows, sel, n, mem, &array, NULL);
}

/* Returns in how many ways the blob can be read. */
static unsigned read_all(struct str blob, uint32_t rows, struct arena *mem)
{
    unsigned n = 0;
    struct chunk_col col = { .key = { PLACE_ATTR, S("a") }, .column = COLUMN };
    struct column c;
    if (!chunk_column_read(blob, &col, rows, times(mem, rows), mem, &c, NULL))
        (void)touch(&c, rows);
    read_some(blob, &col, rows, mem);
    struct chunk_summary s;
    n += chunk_summary_read(blob, mem, &s, NULL) == OK;
    bool maybe;
    n += chunk_filter_test(blob, S("x"), &maybe, NULL) == OK;
    for (unsigned i = 0; i < CHUNK_FIXED_COUNT; i++) {
        struct str blobs[CHUNK_FIXED_COUNT] = { 0 };
        struct block b = { 0 };
        blobs[i] = blob;
        n += chunk_fixed_read(blobs, rows, mem, &b, NULL) == OK;
    }
    return n;
}

/* The bytes as a blob whose checksum is right for whatever they are read as. */
static void as_blob(const uint8_t *p, size_t n, uint32_t rows, uint32_t what, struct arena *mem)
{
    uint8_t *blob = arena_new(mem, uint8_t, n + 8);
    if (n)
        memcpy(blob, p, n);
    uint64_t sum = hash64((struct str){ (char *)blob, n }, what);
    for (unsigned i = 0; i < 8; i++)
        blob[n + i] = (uint8_t)(sum >> 8 * i);
    (void)read_all((struct str){ (char *)blob, n + 8 }, rows, mem);
}

static void as_payload(const uint8_t *p, size_t n, uint8_t enc, uint32_t rows, uint32_t what, struct arena *mem)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, CHUNK_RAW_MAX);
    buf_put(&b, p, n);
    struct str blob;
    if (!blob_seal(&b, (enum chunk_enc)enc, what, mem, &blob, NULL))
        (void)read_all(blob, rows, mem);
}

static struct value value_from(const uint8_t **p, const uint8_t *end)
{
    if (*p == end)
        return (struct value){ 0 };
    uint8_t tag = *(*p)++;
    size_t n = MIN((size_t)(tag >> 3), (size_t)(end - *p));
    uint64_t u = 0;
    for (size_t i = 0; i < MIN(n, (size_t)8); i++)
        u = u << 8 | (*p)[i];
    double d;
    memcpy(&d, &u, sizeof d);
    struct str s = { (const char *)*p, n };
    *p += n;
    switch (tag & 7) {
    case V_INT:
        return value_int((int64_t)u);
    case V_DOUBLE:
        return value_double(d);
    case V_BOOL:
        return value_bool(u & 1);
    case V_STR:
    case V_BYTES:
    case V_JSON:
        return (struct value){ .type = (enum vtype)(tag & 7), .s = s };
    default:
        return (struct value){ 0 };
    }
}

static void check_same(const struct value *a, const struct value *b)
{
    CHECK(a->type == b->type);
    if (a->type == V_DOUBLE)
        CHECK(memcmp(&a->d, &b->d, sizeof a->d) == 0);
    else
        CHECK(value_eq(a, b));
}

/* Rows read alone are as in the whole column. */
static void check_some(struct str blob, const struct chunk_col *col, uint32_t rows, const struct column *whole, struct arena *mem)
{
    struct chunk_payload p;
    struct column some;
    uint32_t *sel = arena_new(mem, uint32_t, rows), n = 0;
    int64_t *all = (int64_t *)(uintptr_t)times(mem, rows), *own = arena_new(mem, int64_t, rows);
    for (uint32_t i = rows / 3; i < rows; i += 1 + i % 2) {
        own[n] = all[i];
        sel[n++] = i;
    }
    CHECK(chunk_payload(blob, COLUMN, rows, mem, &p, NULL) == OK);
    CHECK(chunk_column_some(p, col, rows, own, sel, n, mem, &some, NULL) == OK);
    for (uint32_t i = 0; i < n; i++) {
        struct value a = column_value(&some, i), b = column_value(whole, sel[i]);
        check_same(&a, &b);
    }
}

/* One column with a value from the bytes in each row. */
static void round_trip(const uint8_t *p, size_t n, uint32_t rows, struct arena *mem)
{
    const uint8_t *end = p + n;
    uint32_t *code = arena_new(mem, uint32_t, rows), *sel = arena_new(mem, uint32_t, rows);
    struct value *dict = arena_new(mem, struct value, (size_t)rows + 1);
    uint64_t *seq = arena_new(mem, uint64_t, rows);
    uint8_t *small = arena_new(mem, uint8_t, rows);
    bool some = false;
    for (uint32_t i = 0; i < rows; i++) {
        sel[i] = i;
        seq[i] = i;
        dict[i + 1] = value_from(&p, end);
        code[i] = i + 1;
        some |= dict[i + 1].type != V_NONE;
    }
    struct column col = { .key = { PLACE_ATTR, S("a") }, .code = code, .dict = dict, .ndict = rows + 1 };
    const int64_t *t = times(mem, rows);
    struct block in = { .n = rows, .sel = sel, .nsel = rows, .time_ns = t, .recv_ns = t, .origin = small, .seq = seq,
                        .cols = &col, .ncols = 1 };
    struct chunk_out out;
    CHECK(chunk_encode(TABLE_LOG, &in, 0, mem, &out, NULL) == OK);
    struct chunk_summary s;
    CHECK(chunk_summary_read(out.summary, mem, &s, NULL) == OK);
    CHECK(s.ncols == (some ? 1 : 0));
    if (!some)
        return;
    struct column got;
    CHECK(chunk_column_read(out.blobs[out.nblobs - 1].data, &s.cols[0], rows, t, mem, &got, NULL) == OK);
    for (uint32_t i = 0; i < rows; i++) {          /* times ascend and there are no sessions: the order is the same */
        struct value v = column_value(&got, i);
        check_same(&v, &dict[code[i]]);
    }
    check_some(out.blobs[out.nblobs - 1].data, &s.cols[0], rows, &got, mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct arena mem;
    arena_init(&mem, (size_t)16 << 20);
    static const uint32_t whats[] = { COLUMN, BLOB_SUMMARY, BLOB_FILTER, CHUNK_TIME, CHUNK_VALUE, CHUNK_ORIGIN };
    uint32_t rows = 1 + data[1] * (uint32_t)ROWS_MAX / 256, what = whats[data[0] / 3 % LEN(whats)];
    if (data[0] % 3 == 0)
        as_blob(data + 2, size - 2, rows, what, &mem);
    else if (data[0] % 3 == 1)
        as_payload(data + 3, size - 3, data[2], rows, what, &mem);
    else
        round_trip(data + 2, size - 2, rows, &mem);
    arena_done(&mem);
    return 0;
}
