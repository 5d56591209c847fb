/* store/chunk_filter.c -- a Bloom filter over the sessions and prompts of a chunk.
 *
 * 10 bits a key and 7 probes give 0.8 % false positives. One 64-bit hash serves all
 * probes: the i-th is at h + i * step, step being its other half made odd.
 *
 * The keys are the texts of every column that a query may mean by session_id or
 * prompt_id, whatever its place: a resource that claims a session id is found too,
 * and whose row it is is not decided here.
 *
 *     size in bits | bits
 */
#include "base/hash.h"
#include "model/names.h"
#include "store/chunk_int.h"

enum { BITS_PER_KEY = 10, PROBES = 7, HASH_SEED = 0x5e55 };

bool chunk_filter_wants(struct colkey key)
{
    return label_name_is(key.name, S("session_id")) || label_name_is(key.name, S("prompt_id"));
}

static uint64_t key_hash(struct str id)
{
    return hash64(id, HASH_SEED);
}

static void add_value(struct filter_keys *k, const struct value *v, struct arena *mem)
{
    struct arena scratch = *mem;
    uint64_t h = key_hash(value_text_in(v, &scratch));
    *arena_push(mem, k->at, k->n, k->cap) = h;
}

void chunk_filter_add(struct filter_keys *k, const struct chunk_vals *v, struct arena *mem)
{
    for (uint32_t i = 1; v->code && i < v->ndict; i++)
        add_value(k, &v->dict[i], mem);
    for (uint32_t i = 0; !v->code && i < v->rows; i++) {
        if (v->valid && !bit_get(v->valid, i))
            continue;
        struct value x = v->type == V_INT ? value_int(v->i64[i]) : value_double(v->f64[i]);
        add_value(k, &x, mem);
    }
}

static uint64_t probe(uint64_t h, unsigned i, uint64_t nbits)
{
    return (h + i * (h >> 32 | h << 32 | 1)) % nbits;
}

enum err chunk_filter_write(const struct filter_keys *k, struct arena *mem, struct str *ret, struct fault *f)
{
    if (k->n == 0) {
        *ret = (struct str){ 0 };
        return OK;
    }
    uint64_t nbits = ((uint64_t)k->n * BITS_PER_KEY + 63) / 64 * 64;
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, CHUNK_RAW_MAX);
    put_varint(&b, nbits);
    uint8_t *map = (uint8_t *)buf_room(&b, nbits / 8);
    if (map) {
        for (uint64_t i = 0; i < nbits / 8; i++)
            map[i] = 0;
        for (uint32_t i = 0; i < k->n; i++)
            for (unsigned j = 0; j < PROBES; j++) {
                uint64_t at = probe(k->at[i], j, nbits);
                map[at >> 3] |= (uint8_t)(1 << (at & 7));
            }
        buf_grew(&b, nbits / 8);
    }
    return blob_seal(&b, (struct blob_kind){ .enc = ENC_FILTER }, BLOB_FILTER, mem, ret, f);
}

enum err chunk_filter_test(struct str filter, struct str id, bool *ret_maybe, struct fault *f)
{
    if (!filter.n) {
        *ret_maybe = true;
        return OK;
    }
    struct rd r;
    enum chunk_enc enc;
    enum err e = blob_view(filter, BLOB_FILTER, &enc, &r, f);
    if (e)
        return e;
    uint64_t nbits = rd_varint(&r);
    const uint8_t *map = rd_take(&r, nbits / 8);
    if (enc != ENC_FILTER || nbits == 0 || nbits % 8 || !map || r.p != r.end)
        return fault_set(f, E_CORRUPT, 0, "a chunk's filter does not decode");

    uint64_t h = key_hash(id);
    *ret_maybe = true;
    for (unsigned j = 0; j < PROBES && *ret_maybe; j++) {
        uint64_t at = probe(h, j, nbits);
        *ret_maybe = map[at >> 3] >> (at & 7) & 1;
    }
    return OK;
}
