/* store/compact_gather.c -- rows from several chunks as one block, and that as a chunk.
 *
 * One chunk after another is decoded, and what the new chunk has of it is copied out: codes
 * are translated to a dictionary that the new chunk has for each column, filled as values
 * are met, so only distinct values are looked up and only their texts copied. So at any
 * time there is the new chunk's rows in memory and one old chunk.
 */
#include <string.h>

#include "base/hash.h"
#include "store/compact_int.h"

/* --- reading ------------------------------------------------------------------------------- */

enum err compact_read(const struct part_item *it, const struct chunk_ref *c, bool (*want)(enum table t, const struct colkey *key),
                      struct arena *mem, struct block *ret, uint64_t *ret_bytes, struct fault *f)
{
    uint32_t ncols = c->sum.ncols, n = CHUNK_FIXED_COUNT + ncols, kept = 0;
    uint32_t *numbers = arena_new(mem, uint32_t, n);
    struct str *blobs = arena_new(mem, struct str, n);
    struct column *cols = arena_new(mem, struct column, ncols + 1);
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT; i++)
        numbers[i] = i;
    for (uint32_t i = 0; i < ncols; i++)
        numbers[CHUNK_FIXED_COUNT + i] = c->sum.cols[i].column;
    enum err e = part_read(it, c, numbers, n, mem, blobs, f);
    for (uint32_t i = 0; i < n && !e && ret_bytes; i++)
        *ret_bytes += MAX(chunk_payload_size(blobs[i]), blobs[i].n * 4);
    struct chunk_shape shape;
    if (!e)
        e = chunk_shape_read(blobs[CHUNK_RUNS], c->sum.rows, mem, &shape, f);
    if (!e)
        e = chunk_fixed_read(blobs, &shape, mem, ret, f);
    for (uint32_t i = 0; i < ncols && !e; i++)
        if (!want || want(c->sum.table, &c->sum.cols[i].key))
            e = chunk_column_read(blobs[CHUNK_FIXED_COUNT + i], &c->sum.cols[i], &shape, ret->time_ns, mem, &cols[kept++], f);
    ret->cols = cols;
    ret->ncols = kept;
    return e;
}

/* --- columns of the new chunk ------------------------------------------------------------------ */

struct out_col {
    struct colkey key;
    uint32_t *code;                                /* by new row */
    struct value *dict;
    uint32_t ndict, cap_dict;
    uint32_t *slots, nslots;                       /* hash of a value -> code; 0: free */
};

struct gather {
    const struct section *s;
    struct arena *mem;
    uint32_t n;                                    /* rows of the new chunk */
    int64_t *time_ns, *recv_ns, *start_ns, *claimed_ns;
    double *value;
    uint8_t *temporality, *origin;
    uint64_t *seq;
    struct out_col *cols;
    uint32_t ncols, cap_cols;
};

static bool same(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case V_STR:
    case V_BYTES:
    case V_JSON:
        return str_eq(a->s, b->s);
    case V_BOOL:
        return a->b == b->b;
    default:
        return a->i == b->i;                       /* the bits of a double too */
    }
}

static uint64_t hash_of(const struct value *v)
{
    if (v->type == V_STR || v->type == V_BYTES || v->type == V_JSON)
        return hash64(v->s, v->type);
    uint64_t x = v->type == V_BOOL ? v->b : (uint64_t)v->i;
    x = (x ^ x >> 32 ^ (uint64_t)v->type) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

static void place_code(struct out_col *c, uint32_t code)
{
    uint32_t at = (uint32_t)hash_of(&c->dict[code]) & (c->nslots - 1);
    while (c->slots[at])
        at = (at + 1) & (c->nslots - 1);
    c->slots[at] = code;
}

static void grow_slots(struct out_col *c)
{
    c->nslots = c->nslots ? c->nslots * 4 : 64;
    mem_free(c->slots);
    c->slots = mem_alloc(c->nslots * sizeof *c->slots);
    for (uint32_t k = 1; k < c->ndict; k++)
        place_code(c, k);
}

static uint32_t code_for(struct gather *g, struct out_col *c, const struct value *v)
{
    if (v->type == V_NONE)
        return 0;
    if ((uint64_t)c->ndict * 2 >= c->nslots)
        grow_slots(c);
    uint32_t at = (uint32_t)hash_of(v) & (c->nslots - 1);
    for (; c->slots[at]; at = (at + 1) & (c->nslots - 1))
        if (same(&c->dict[c->slots[at]], v))
            return c->slots[at];
    struct value copy = *v;
    if (v->type == V_STR || v->type == V_BYTES || v->type == V_JSON)
        copy.s = arena_str(g->mem, v->s);
    if (c->ndict == c->cap_dict) {
        c->cap_dict = c->cap_dict ? c->cap_dict * 2 : 64;
        c->dict = mem_resize(c->dict, c->cap_dict * sizeof *c->dict);
    }
    c->dict[c->ndict] = copy;
    c->slots[at] = c->ndict;
    return c->ndict++;
}

static struct out_col *col_for(struct gather *g, const struct colkey *key)
{
    for (uint32_t i = 0; i < g->ncols; i++)
        if (g->cols[i].key.place == key->place && str_eq(g->cols[i].key.name, key->name))
            return &g->cols[i];
    struct out_col *c = arena_push(g->mem, g->cols, g->ncols, g->cap_cols);
    *c = (struct out_col){ .key = { key->place, arena_str(g->mem, key->name) }, .code = arena_new(g->mem, uint32_t, g->n) };
    c->dict = mem_alloc(64 * sizeof *c->dict);
    c->cap_dict = 64;
    c->ndict = 1;                                  /* absent */
    return c;
}

/* Rows from[i] of the old column become rows to[i] of the new one. */
static void take_column(struct gather *g, const struct column *in, const uint32_t *from, const uint32_t *to, uint32_t n,
                        struct arena scratch)
{
    struct out_col *c = col_for(g, &in->key);
    uint32_t *known = in->code ? arena_new(&scratch, uint32_t, in->ndict + 1) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (!known) {
            struct value v = column_value(in, from[i]);
            c->code[to[i]] = code_for(g, c, &v);
            continue;
        }
        uint32_t code = column_code(in, from[i]);
        if (!known[code])
            known[code] = code_for(g, c, &in->dict[code]) + 1;
        c->code[to[i]] = known[code] - 1;
    }
}

/* --- rows ------------------------------------------------------------------------------------------ */

static void take_fixed(struct gather *g, const struct block *b, const uint32_t *from, const uint32_t *to, uint32_t n)
{
    bool sample = g->s->table == TABLE_SAMPLE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t a = from[i], z = to[i];
        g->time_ns[z] = b->time_ns[a];
        g->recv_ns[z] = b->recv_ns[a];
        g->seq[z] = b->seq[a];
        g->origin[z] = b->origin[a];
        g->claimed_ns[z] = b->claimed_ns ? b->claimed_ns[a] : 0;
        if (!sample)
            continue;
        g->start_ns[z] = b->start_ns[a];
        g->value[z] = b->value[a];
        g->temporality[z] = b->temporality[a];
    }
}

static void make_arrays(struct gather *g)
{
    g->time_ns = arena_new(g->mem, int64_t, g->n);
    g->recv_ns = arena_new(g->mem, int64_t, g->n);
    g->start_ns = arena_new(g->mem, int64_t, g->n);
    g->claimed_ns = arena_new(g->mem, int64_t, g->n);
    g->value = arena_new(g->mem, double, g->n);
    g->temporality = arena_new(g->mem, uint8_t, g->n);
    g->origin = arena_new(g->mem, uint8_t, g->n);
    g->seq = arena_new(g->mem, uint64_t, g->n);
}

/* What of order[0 .. n) comes from one old chunk: row there, row here. */
static enum err take_chunk(struct gather *g, uint32_t chunk, const uint32_t *order, struct fault *f)
{
    const struct section *s = g->s;
    uint32_t lo = s->base[chunk], hi = s->base[chunk + 1], n = 0;
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, SCAN_ARENA_BYTES);
    uint32_t *from = arena_raw(&mem, uint32_t, g->n), *to = arena_raw(&mem, uint32_t, g->n);
    for (uint32_t i = 0; i < g->n; i++)
        if (order[i] >= lo && order[i] < hi) {
            from[n] = order[i] - lo;
            to[n++] = i;
        }
    struct block b = { 0 };
    enum err e = n ? compact_read(s->item, s->chunks[chunk], NULL, &mem, &b, NULL, f) : OK;
    if (e || !n)
        return e;
    take_fixed(g, &b, from, to, n);
    for (uint32_t i = 0; i < b.ncols; i++)
        take_column(g, &b.cols[i], from, to, n, mem);
    return OK;
}

static void free_cols(struct gather *g)
{
    for (uint32_t i = 0; i < g->ncols; i++) {
        mem_free(g->cols[i].dict);
        mem_free(g->cols[i].slots);
    }
}

static enum err encode(struct gather *g, struct arena *mem, struct chunk_out *ret, struct fault *f)
{
    struct column *cols = arena_new(mem, struct column, g->ncols + 1);
    uint32_t *sel = arena_raw(mem, uint32_t, g->n);
    for (uint32_t i = 0; i < g->ncols; i++)
        cols[i] = (struct column){ .key = g->cols[i].key, .code = g->cols[i].code, .dict = g->cols[i].dict, .ndict = g->cols[i].ndict };
    for (uint32_t i = 0; i < g->n; i++)
        sel[i] = i;
    struct block b = {
        .n = g->n, .sel = sel, .nsel = g->n, .time_ns = g->time_ns, .recv_ns = g->recv_ns, .start_ns = g->start_ns,
        .claimed_ns = g->claimed_ns, .value = g->value, .temporality = g->temporality, .origin = g->origin, .seq = g->seq,
        .cols = cols, .ncols = g->ncols,
    };
    if (chunk_cut(&b, 0) < g->n)
        return fault_set(f, E_LIMIT, 0, "%u rows have more columns than a chunk can have", g->n);
    return chunk_encode(g->s->table, &b, g->s->level, mem, ret, f);
}

enum err compact_gather(const struct section *s, uint32_t out, struct arena *mem, struct chunk_out *ret, struct fault *f)
{
    CHECK(out < s->nout);
    uint32_t from = out ? s->end[out - 1] : 0;
    CLEANUP(arena_done) struct arena rows;
    arena_init(&rows, SCAN_ARENA_BYTES);
    struct gather g = { .s = s, .mem = &rows, .n = s->end[out] - from };
    make_arrays(&g);
    enum err e = OK;
    for (uint32_t i = 0; i < s->nchunks && !e; i++)
        e = take_chunk(&g, i, s->order + from, f);
    if (!e)
        e = encode(&g, mem, ret, f);
    free_cols(&g);
    return e;
}
