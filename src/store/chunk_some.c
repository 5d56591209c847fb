/* store/chunk_some.c -- a few rows of a column, without making the values of all.
 *
 * Rows of a chunk are sorted, so what is asked for is often one stretch: numbers are
 * decoded from its first to its last row, and texts, which cost most, are made for the
 * rows asked for only. The result is a column of just those rows with a dictionary of
 * just their values.
 */
#include <string.h>

#include "store/chunk_int.h"

/* Which entries of a dictionary are used by codes, numbered anew: 1, 2, ... ascending. */
struct used {
    uint32_t *fresh;                               /* by old code; 0: not used */
    uint32_t *old;                                 /* by new code - 1 */
    uint32_t n;
};

static struct used renumber(const uint32_t *code, uint32_t n, uint32_t ndict, struct arena *mem)
{
    struct used u = { .fresh = arena_new(mem, uint32_t, ndict), .old = arena_raw(mem, uint32_t, MIN(n, ndict) + 1u) };
    uint32_t least = ndict, most = 0;
    for (uint32_t i = 0; i < n; i++) {
        u.fresh[code[i]] = 1;
        least = MIN(least, code[i]);
        most = MAX(most, code[i]);
    }
    u.fresh[0] = 0;
    for (uint32_t k = MAX(least, 1u); k <= most && k < ndict; k++)
        if (u.fresh[k]) {
            u.old[u.n++] = k;
            u.fresh[k] = u.n;
        }
    return u;
}

static void take_codes(const struct used *u, const uint32_t *code, uint32_t n, struct arena *mem, struct column *ret)
{
    uint32_t *out = arena_raw(mem, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        out[i] = u->fresh[code[i]];
    ret->code = out;
    ret->form = CODES_U32;
    ret->ndict = u->n + 1;
}

/* ---- from a column --------------------------------------------------------- */

static void gather_numbers(const struct column *c, const uint32_t *sel, uint32_t n, struct arena *mem, struct column *ret)
{
    int64_t *v = arena_raw(mem, int64_t, n);       /* eight bytes either way */
    const void *from = c->type == V_INT ? (const void *)c->i64 : (const void *)c->f64;
    for (uint32_t i = 0; i < n; i++)
        memcpy(&v[i], (const char *)from + (size_t)sel[i] * 8, 8);
    ret->i64 = c->type == V_INT ? v : NULL;
    ret->f64 = c->type == V_INT ? NULL : (const double *)(const void *)v;
    if (!c->valid)
        return;
    uint8_t *valid = arena_new(mem, uint8_t, n / 8 + 1);
    for (uint32_t i = 0; i < n; i++)
        valid[i >> 3] |= (uint8_t)(bit_get(c->valid, sel[i]) << (i & 7));
    ret->valid = valid;
}

void column_gather(const struct column *c, const uint32_t *sel, uint32_t n, struct arena *mem, struct column *ret)
{
    struct column out = { .key = c->key, .type = c->type };
    if (!c->code) {
        gather_numbers(c, sel, n, mem, &out);
    } else if (c->form == CODES_SAME) {
        out = *c;
    } else {
        uint32_t *code = arena_raw(mem, uint32_t, n);
        for (uint32_t i = 0; i < n; i++)
            code[i] = column_code(c, sel[i]);
        struct used u = renumber(code, n, c->ndict, mem);
        struct value *dict = arena_new(mem, struct value, (size_t)u.n + 1);
        for (uint32_t k = 0; k < u.n; k++)
            dict[k + 1] = c->dict[u.old[k]];
        out.dict = dict;
        double *num = c->num ? arena_raw(mem, double, (size_t)u.n + 1) : NULL;
        for (uint32_t k = 0; num && k <= u.n; k++)
            num[k] = c->num[k ? u.old[k - 1] : 0];
        out.num = num;
        take_codes(&u, code, n, mem, &out);
    }
    *ret = out;
}

/* ---- from a payload -------------------------------------------------------- */

static void some_of_dict(struct rd *r, bool steps, uint32_t rows, const uint32_t *sel, uint32_t n, struct arena *mem, struct column *ret)
{
    uint64_t ndict = rd_varint(r) + 1;
    unsigned width = code_width((uint32_t)ndict);
    size_t size = (size_t)rows * width;
    if (ndict > (uint64_t)rows + 1 || size > (size_t)(r->end - r->p)) {
        r->bad = true;
        return;
    }
    const uint8_t *p = r->end - size, *planes = steps ? codes_of_steps(p, width, rows, mem) : p;
    uint32_t *code = arena_new(mem, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < width; k++)
            code[i] |= (uint32_t)planes[(size_t)k * rows + sel[i]] << 8 * k;
        if (code[i] >= ndict) {
            r->bad = true;
            return;
        }
    }
    struct used u = renumber(code, n, (uint32_t)ndict, mem);
    for (uint32_t k = 0; k < u.n; k++)
        u.old[k]--;                                /* values are counted from the first that is one */
    struct value *dict = arena_new(mem, struct value, (size_t)u.n + 1);
    struct rd values = { .p = r->p, .end = p };
    rd_values_some(&values, (size_t)ndict - 1, u.old, u.n, dict + 1, mem);
    r->bad = values.bad || values.p != values.end;
    r->p = r->end;
    ret->dict = dict;
    take_codes(&u, code, n, mem, ret);
}

/* Which of the rows have a value, as their numbers among those that do; code[] of each row. */
static uint32_t rank_rows(const uint8_t *valid, const uint32_t *sel, uint32_t n, uint32_t *at, uint32_t *code)
{
    uint32_t nat = 0, before = 0, byte = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!valid) {
            at[nat] = sel[i];
            code[i] = ++nat;
            continue;
        }
        before += bits_set(valid + byte, (sel[i] >> 3) - byte);
        byte = sel[i] >> 3;
        code[i] = 0;
        if (!bit_get(valid, sel[i]))
            continue;
        at[nat] = before + bits_set(&(uint8_t){ (uint8_t)(valid[byte] & ((1u << (sel[i] & 7)) - 1)) }, 1);
        code[i] = ++nat;
    }
    return nat;
}

/* Of the rows asked for none has a value. The rest of the payload is as its checksum says. */
static void none_of_them(struct rd *r, const uint32_t *code, struct arena *mem, struct column *ret)
{
    r->p = r->end;
    ret->code = code;
    ret->form = CODES_U32;
    ret->dict = arena_new(mem, struct value, 1);
    ret->ndict = 1;
}

static void some_of_list(struct rd *r, uint32_t rows, const uint32_t *sel, uint32_t n, struct arena *mem, struct column *ret)
{
    const uint8_t *valid;
    uint32_t have = rd_valid(r, rows, mem, &valid);
    uint32_t *at = arena_raw(mem, uint32_t, n), *code = arena_raw(mem, uint32_t, n);
    uint32_t nat = rank_rows(valid, sel, n, at, code);
    if (!nat) {
        none_of_them(r, code, mem, ret);
        return;
    }
    struct value *dict = arena_new(mem, struct value, (size_t)nat + 1);
    rd_values_some(r, have, at, nat, dict + 1, mem);
    ret->code = code;
    ret->form = CODES_U32;
    ret->dict = dict;
    ret->ndict = nat + 1;
}

/* Integers of rows that have one: of `have` the numbers at[0 .. nat), ascending. */
static void some_ints(struct rd *r, uint32_t have, const uint32_t *at, uint32_t nat, int64_t *out, struct arena scratch)
{
    if (nat)
        rd_ints_at(r, out, have, at, nat, scratch);
    else
        r->p = r->end;
}

static void some_doubles(struct rd *r, uint32_t have, const uint32_t *at, uint32_t nat, double *out, struct arena scratch)
{
    uint32_t lo = nat ? at[0] : 0, hi = nat ? at[nat - 1] + 1 : MIN(have, 1u);
    if (!have)
        return;
    double *v = arena_raw(&scratch, double, hi - lo);
    rd_doubles_span(r, v, have, lo, hi, scratch);
    for (uint32_t i = 0; i < nat; i++)
        out[i] = v[at[i] - lo];
}

/* Numbers of those that have one, out[0 .. nat), to the rows they belong to. */
static void spread_some(const void *from, const uint32_t *code, uint32_t n, uint32_t nat, enum vtype type, struct arena *mem,
                        struct column *ret)
{
    int64_t *v = arena_new(mem, int64_t, n);       /* eight bytes either way */
    uint8_t *valid = nat < n ? arena_new(mem, uint8_t, n / 8 + 1) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (!code[i])
            continue;
        memcpy(&v[i], (const char *)from + (size_t)(code[i] - 1) * 8, 8);
        if (valid)
            valid[i >> 3] |= (uint8_t)(1 << (i & 7));
    }
    ret->type = type;
    ret->i64 = type == V_INT ? v : NULL;
    ret->f64 = type == V_INT ? NULL : (const double *)(const void *)v;
    ret->valid = valid;
}

static void some_of_numbers(struct rd *r, enum vtype type, uint32_t rows, const uint32_t *sel, uint32_t n, struct arena *mem,
                            struct column *ret)
{
    const uint8_t *valid;
    uint32_t have = rd_valid(r, rows, mem, &valid);
    uint32_t *at = arena_raw(mem, uint32_t, n), *code = arena_raw(mem, uint32_t, n);
    uint32_t nat = rank_rows(valid, sel, n, at, code);
    if (!nat) {
        none_of_them(r, code, mem, ret);
        return;
    }
    int64_t *v = arena_raw(mem, int64_t, nat + 1u);
    if (type == V_INT)
        some_ints(r, have, at, nat, v, *mem);
    else
        some_doubles(r, have, at, nat, (double *)(void *)v, *mem);
    spread_some(v, code, n, nat, type, mem, ret);
}

static void iso_texts(struct rd *r, const int64_t *offsets, const int64_t *times, uint32_t n, const uint32_t *code, uint32_t nat,
                      struct arena *mem, struct column *ret)
{
    struct value *dict = arena_new(mem, struct value, (size_t)nat + 1);
    char *out = arena_raw(mem, char, (size_t)nat * ISO_MS_LEN);
    for (uint32_t i = 0; i < n; i++) {
        int64_t ms;
        if (!code[i])
            continue;
        if (__builtin_add_overflow(floor_ms(times[i]), offsets[code[i] - 1], &ms) || !iso_ms_fits(ms)) {
            r->bad = true;
            return;
        }
        iso_ms_format(out, ms);
        dict[code[i]] = value_str((struct str){ out, ISO_MS_LEN });
        out += ISO_MS_LEN;
    }
    ret->code = code;
    ret->form = CODES_U32;
    ret->dict = dict;
    ret->ndict = nat + 1;
}

static void some_of_times(struct rd *r, uint32_t rows, const int64_t *times, const uint32_t *sel, uint32_t n, struct arena *mem,
                          struct column *ret)
{
    const uint8_t *valid;
    uint8_t form = rd_byte(r);
    uint32_t have = rd_valid(r, rows, mem, &valid);
    uint32_t *at = arena_raw(mem, uint32_t, n), *code = arena_raw(mem, uint32_t, n);
    uint32_t nat = rank_rows(valid, sel, n, at, code);
    int64_t *offsets = arena_raw(mem, int64_t, nat + 1u);
    some_ints(r, have, at, nat, offsets, *mem);
    if (form == TIME_ISO) {
        iso_texts(r, offsets, times, n, code, nat, mem, ret);
        return;
    }
    if (form != TIME_NS)
        r->bad = true;
    for (uint32_t i = 0; i < n; i++)
        if (code[i])
            offsets[code[i] - 1] = (int64_t)((uint64_t)offsets[code[i] - 1] + (uint64_t)times[i]);
    spread_some(offsets, code, n, nat, V_INT, mem, ret);
}

/* Codes other than that of "absent", which stand in planes behind the dictionary. */
static const uint8_t *valid_of_dict(struct rd *r, uint32_t rows, struct arena *mem)
{
    uint64_t ndict = rd_varint(r) + 1;
    size_t planes = ndict > (uint64_t)rows + 1 ? 0 : code_width((uint32_t)ndict);
    if (!planes || rows * planes > (size_t)(r->end - r->p))
        return NULL;
    const uint8_t *p = r->end - rows * planes;
    uint8_t *valid = arena_new(mem, uint8_t, rows / 8 + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < rows; i++) {
        uint8_t any = 0;
        for (size_t k = 0; k < planes; k++)
            any |= p[k * rows + i];
        valid[i >> 3] |= (uint8_t)((any != 0) << (i & 7));
        n += any != 0;
    }
    return n == rows ? NULL : valid;
}

const uint8_t *chunk_valid(struct chunk_payload p, uint32_t rows, struct arena *mem)
{
    struct rd r = { .p = (const uint8_t *)p.raw.p, .end = (const uint8_t *)p.raw.p + p.raw.n };
    const uint8_t *valid = NULL;
    if (p.grain || !blob_room(mem, 0, rows))
        return NULL;
    if (p.enc == ENC_DICT)
        return valid_of_dict(&r, rows, mem);
    if (p.enc == ENC_LIST || p.enc == ENC_INT || p.enc == ENC_DOUBLE)
        (void)rd_valid(&r, rows, mem, &valid);
    return r.bad ? NULL : valid;
}

/* The runs that rows are of. */
static const uint32_t *runs_of(const struct chunk_shape *s, const uint32_t *sel, uint32_t n, struct arena *mem)
{
    uint32_t *of = arena_raw(mem, uint32_t, n), run = 0;
    for (uint32_t i = 0; i < n; i++) {
        while (s->run_end[run] <= sel[i])
            run++;
        of[i] = run;
    }
    return of;
}

enum err chunk_column_some(struct chunk_payload p, const struct chunk_col *col, const struct chunk_shape *s, const int64_t *times,
                           const uint32_t *sel, uint32_t n, struct arena *mem, struct column *ret, struct fault *f)
{
    struct column c = { .key = col->key };
    struct rd r = { .p = (const uint8_t *)p.raw.p, .end = (const uint8_t *)p.raw.p + p.raw.n };
    uint32_t rows = s->rows;
    if (!blob_room(mem, p.raw.n, rows))
        return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", col->column);
    if (p.grain) {
        if (p.grain != CHUNK_BY_RUN)
            return fault_set(f, E_CORRUPT, 0, "column %u goes by moment", col->column);
        enum err e = chunk_column_decode(p, col, s->nruns, NULL, mem, &c, f);
        if (!e)
            column_gather(&c, runs_of(s, sel, n, mem), n, mem, ret);
        return e;
    }
    switch (p.enc) {
    case ENC_CONST:
        return chunk_column_decode(p, col, rows, NULL, mem, ret, f);
    case ENC_DICT:
    case ENC_STEPS:
        some_of_dict(&r, p.enc == ENC_STEPS, rows, sel, n, mem, &c);
        break;
    case ENC_LIST:
        some_of_list(&r, rows, sel, n, mem, &c);
        break;
    case ENC_INT:
    case ENC_DOUBLE:
        some_of_numbers(&r, p.enc == ENC_INT ? V_INT : V_DOUBLE, rows, sel, n, mem, &c);
        break;
    case ENC_TIME:
        some_of_times(&r, rows, times, sel, n, mem, &c);
        break;
    default:
        return fault_set(f, E_CORRUPT, 0, "column %u: unknown encoding %u", col->column, p.enc);
    }
    if (r.bad || r.p != r.end)
        return fault_set(f, E_CORRUPT, 0, "column %u does not decode", col->column);
    *ret = c;
    return OK;
}

/* ---- fixed columns --------------------------------------------------------- */

enum err chunk_fixed_some(struct chunk_payload p, enum chunk_fixed column, uint32_t rows, const uint32_t *sel, uint32_t n,
                          struct arena *mem, const void **ret, struct fault *f)
{
    struct rd r = { .p = (const uint8_t *)p.raw.p, .end = (const uint8_t *)p.raw.p + p.raw.n };
    bool bytes = column == CHUNK_TEMPORALITY || column == CHUNK_ORIGIN;
    if (!blob_room(mem, p.raw.n, rows))
        return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", (unsigned)column);
    if (p.enc != ENC_INT || p.grain)
        return fault_set(f, E_CORRUPT, 0, "column %u: encoding %u", (unsigned)column, p.enc);
    int64_t *v = arena_raw(mem, int64_t, n);
    uint64_t all = 0;
    some_ints(&r, rows, sel, n, v, *mem);
    *ret = v;
    if (bytes) {
        uint8_t *out = arena_raw(mem, uint8_t, n);
        for (uint32_t i = 0; i < n; i++) {
            all |= (uint64_t)v[i];
            out[i] = (uint8_t)v[i];
        }
        *ret = out;
    }
    if (r.bad || r.p != r.end || all > UINT8_MAX)
        return fault_set(f, E_CORRUPT, 0, "column %u does not decode", (unsigned)column);
    return OK;
}
