/* store/chunk_column.c -- one attribute column: from rows to a blob and back.
 *
 * The encoding is chosen by what the rows hold, never by the column's name:
 *
 *     every row the same value               CONST
 *     times near the row's own               TIME   (observed_ns, event.timestamp, end_ns)
 *     integers, cheaper than codes           INT
 *     doubles with many distinct values      DOUBLE
 *     values that come back                  DICT   dictionary, codes of 1, 2 or 4 bytes
 *     ... and nearly always as the row before has it, or new
 *                                            STEPS  the same, codes as differences (session.id,
 *                                                   prompt.id, event.sequence)
 *     values that do not                     LIST   in row order
 *
 * A dictionary is in the order of first appearance: rows are sorted by session,
 * so codes of whatever belongs to a session are runs that only go up.
 */
#include <string.h>

#include "base/clock.h"
#include "store/chunk_int.h"

enum { STEPS_VALUES = 64, STEPS_UP = 64, STEPS_ODD = 4 };       /* more than 1 of 64 rows new, less than 1 of 4 anything else */
enum { RUN_WORTH = 4 };                            /* rows in a run, at least, for what need not go by run */
enum { AHEAD = 8 };                                /* values lie where they came to the head: each look is a cache miss */
enum { CODES_CHEAP = 256, NUMBERS_FROM = 32 };     /* doubles up to so many, texts of digits up to so many: a code byte wins */

/* --- taking rows -------------------------------------------------------------------- */

/* Entries of the dictionary besides the first that say "absent" too: the rule has none. */
static bool has_absent(const struct column *c)
{
    bool found = false;
    for (uint32_t k = 1; k < c->ndict; k++)
        found |= c->dict[k].type == V_NONE;
    return found;
}

static void gather_codes(const struct column *c, const uint32_t *order, uint32_t n, struct arena *mem, struct chunk_vals *ret)
{
    uint32_t *code = arena_raw(mem, uint32_t, n);
    uint32_t *fresh = arena_new(mem, uint32_t, c->ndict);        /* their code -> ours, 0: not seen yet */
    uint32_t *seen = arena_raw(mem, uint32_t, (size_t)MIN(n, c->ndict) + 1);
    uint32_t nseen = 0;
    bool look = has_absent(c);                     /* each look is a cache miss */
    for (uint32_t i = 0; i < n; i++) {
        uint32_t old = column_code(c, order[i]);
        CHECK(old < c->ndict);
        code[i] = 0;
        if (!old || (look && c->dict[old].type == V_NONE))
            continue;
        if (!fresh[old]) {
            fresh[old] = ++nseen;
            seen[nseen] = old;
        }
        code[i] = fresh[old];
        ret->present++;
    }
    struct value *dict = arena_raw(mem, struct value, (size_t)nseen + 1);
    dict[0] = (struct value){ 0 };
    for (uint32_t k = 1; k <= nseen; k++) {
        if (k + AHEAD <= nseen)
            __builtin_prefetch(&c->dict[seen[k + AHEAD]]);
        dict[k] = c->dict[seen[k]];
    }
    ret->code = code;
    ret->dict = dict;
    ret->ndict = nseen + 1;
}

static void gather_numbers(const struct column *c, const uint32_t *order, uint32_t n, struct arena *mem, struct chunk_vals *ret)
{
    CHECK(c->type == V_INT || c->type == V_DOUBLE);
    uint8_t *valid = arena_new(mem, uint8_t, n / 8 + 1);
    int64_t *i64 = c->type == V_INT ? arena_new(mem, int64_t, n) : NULL;
    double *f64 = c->type == V_DOUBLE ? arena_new(mem, double, n) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (c->valid && !bit_get(c->valid, order[i]))
            continue;
        valid[i >> 3] |= (uint8_t)(1 << (i & 7));
        ret->present++;
        if (i64)
            i64[i] = c->i64[order[i]];
        else
            f64[i] = c->f64[order[i]];
    }
    ret->type = c->type;
    ret->i64 = i64;
    ret->f64 = f64;
    ret->valid = ret->present == n ? NULL : valid;
}

void chunk_vals_gather(const struct column *c, const uint32_t *order, uint32_t n, struct arena *mem, struct chunk_vals *ret)
{
    *ret = (struct chunk_vals){ .key = c->key, .rows = n };
    if (c->code)
        gather_codes(c, order, n, mem, ret);
    else
        gather_numbers(c, order, n, mem, ret);
}

/* Whether all rows of each run have the same; then v has a value a run. It is the caller's
 * own, so it is changed in place. */
bool chunk_vals_by_run(struct chunk_vals *v, const struct chunk_shape *s)
{
    if (!v->code || s->nruns > v->rows / RUN_WORTH)
        return false;
    for (uint32_t run = 0, i = 0; run < s->nruns; run++)
        for (uint32_t first = i; i < s->run_end[run]; i++)
            if (v->code[i] != v->code[first])
                return false;
    uint32_t *code = (uint32_t *)(uintptr_t)v->code;
    v->present = 0;
    for (uint32_t run = 0; run < s->nruns; run++) {
        code[run] = code[s->run_end[run] - 1];
        v->present += code[run] != 0;
    }
    v->rows = s->nruns;
    return true;
}

/* --- looking at them ------------------------------------------------------------------ */

static struct value value_at(const struct chunk_vals *v, uint32_t row)
{
    if (v->code)
        return v->dict[v->code[row]];
    if (v->valid && !bit_get(v->valid, row))
        return (struct value){ 0 };
    return v->type == V_INT ? value_int(v->i64[row]) : value_double(v->f64[row]);
}

/* The one type of all values, or V_NONE. */
static enum vtype one_type(const struct chunk_vals *v)
{
    if (!v->code)
        return v->type;
    for (uint32_t k = 2; k < v->ndict; k++)
        if (v->dict[k].type != v->dict[1].type)
            return V_NONE;
    return v->dict[1].type;
}

static bool is_constant(const struct chunk_vals *v)
{
    if (v->present < v->rows)
        return false;
    if (v->code)
        return v->ndict == 2;
    const void *a = v->i64 ? (const void *)v->i64 : (const void *)v->f64;
    return v->rows == 1 || memcmp(a, (const char *)a + 8, (v->rows - 1) * (size_t)8) == 0;
}

int64_t floor_ms(int64_t ns)
{
    return ns / 1000000 - (ns % 1000000 < 0);
}

static const uint8_t *valid_of(const struct chunk_vals *v, struct arena *mem)
{
    if (v->present == v->rows)
        return NULL;
    if (!v->code)
        return v->valid;
    uint8_t *valid = arena_new(mem, uint8_t, v->rows / 8 + 1);
    for (uint32_t i = 0; i < v->rows; i++)
        valid[i >> 3] |= (uint8_t)((v->code[i] != 0) << (i & 7));
    return valid;
}

/* The values of rows that have one, in row order. */
static struct value *present_values(const struct chunk_vals *v, struct arena *mem)
{
    struct value *at = arena_raw(mem, struct value, v->present);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->rows; i++) {
        struct value x = value_at(v, i);
        if (x.type != V_NONE)
            at[n++] = x;
    }
    CHECK(n == v->present);
    return at;
}

static int64_t *present_ints(const struct chunk_vals *v, struct arena *mem)
{
    int64_t *at = arena_new(mem, int64_t, v->present);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->rows; i++) {
        struct value x = value_at(v, i);
        if (x.type != V_NONE)
            at[n++] = x.i;
    }
    return at;
}

static double *present_doubles(const struct chunk_vals *v, struct arena *mem)
{
    double *at = arena_new(mem, double, v->present);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->rows; i++) {
        struct value x = value_at(v, i);
        if (x.type != V_NONE)
            at[n++] = x.d;
    }
    return at;
}

/* --- choosing ------------------------------------------------------------------------- */

/* What a column of times, as ns or as ISO text, differs from the rows' own times by, in
 * its own unit; NULL if it is no such column. One that is far off is not tried. */
static int64_t *offsets_from_time(const struct chunk_vals *v, const int64_t *time_ns, struct arena *mem, enum time_form *ret)
{
    enum vtype t = one_type(v);
    if (t != V_INT && t != V_STR)
        return NULL;
    int64_t *at = arena_raw(mem, int64_t, v->present);
    struct iso_day day = { 0 };
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->rows; i++) {
        struct value x = value_at(v, i);
        if (x.type == V_NONE)
            continue;
        if (t == V_STR && i + AHEAD < v->rows)
            __builtin_prefetch(v->dict[v->code[i + AHEAD]].s.p);
        int64_t when = x.i, own = time_ns[i];
        if (t == V_STR && !iso_ms_parse_near(x.s, &day, &when))
            return NULL;
        if (t == V_STR)
            own = floor_ms(own);
        if (__builtin_sub_overflow(when, own, &at[n]))
            return NULL;
        if (t == V_INT && (at[n] < -NS_PER_DAY || at[n] > NS_PER_DAY))
            return NULL;
        n++;
    }
    CHECK(n == v->present);
    *ret = t == V_INT ? TIME_NS : TIME_ISO;
    return at;
}

/* Integers, or texts that are integers written out: as numbers. */
static bool dict_numbers(const struct chunk_vals *v, enum vtype t, int64_t *ret)
{
    for (uint32_t k = 1; k < v->ndict; k++) {
        if (t == V_STR && k + AHEAD < v->ndict)
            __builtin_prefetch(v->dict[k + AHEAD].s.p);
        ret[k] = v->dict[k].i;
        if (t == V_STR && !plain_int(v->dict[k].s, &ret[k]))
            return false;
    }
    return true;
}

/* The rows' numbers, if they cost less than codes and a dictionary; else NULL. Codes cost
 * about their entropy, the logarithm of their number. */
static int64_t *numbers_win(const struct chunk_vals *v, enum vtype t, struct arena *mem)
{
    int64_t *rows = arena_raw(mem, int64_t, v->present);
    struct arena scratch = *mem;
    int64_t *dict = arena_raw(&scratch, int64_t, v->ndict);
    if (!dict_numbers(v, t, dict))
        return NULL;
    uint32_t n = 0, distinct = v->ndict - 1;
    for (uint32_t i = 0; i < v->rows; i++)
        if (v->code[i])
            rows[n++] = dict[v->code[i]];
    uint64_t code_bits = (uint64_t)(32 - __builtin_clz(distinct)) * v->present;
    return ints_cost(rows, n) < code_bits + ints_cost(dict + 1, distinct) ? rows : NULL;
}

/* Against the numbers as they are; ISO text is never cheaper than its offset. */
static bool time_wins(const struct chunk_vals *v, const int64_t *offsets, enum time_form form, struct arena scratch)
{
    return form == TIME_ISO || ints_cost(offsets, v->present) < ints_cost(present_ints(v, &scratch), v->present);
}

/* *ret_numbers: of the rows, where they are what is to be written; else NULL. */
static enum chunk_enc choose(const struct chunk_vals *v, struct arena *mem, int64_t **ret_numbers)
{
    enum vtype t = one_type(v);
    *ret_numbers = NULL;
    if (!v->code)
        return t == V_INT ? ENC_INT : ENC_DOUBLE;
    bool come_back = v->ndict - 1 <= v->present / 2;
    if (t == V_INT)
        return come_back && !(*ret_numbers = numbers_win(v, t, mem)) ? ENC_DICT : ENC_INT;
    if (t == V_DOUBLE)
        return come_back && v->ndict <= CODES_CHEAP ? ENC_DICT : ENC_DOUBLE;
    if (t == V_STR && v->ndict > NUMBERS_FROM && (*ret_numbers = numbers_win(v, t, mem)))
        return ENC_LIST;
    return come_back ? ENC_DICT : ENC_LIST;
}

/* --- writing ---------------------------------------------------------------------------- */

unsigned code_width(uint32_t ndict)
{
    if (ndict <= 256)
        return 1;
    return ndict <= 65536 ? 2 : 4;
}

/* A dictionary is in the order of first appearance, so that a code that is new is one more
 * than some row's before: often the very one before. */
static bool goes_by_steps(const struct chunk_vals *v)
{
    uint32_t same = 0, up = 0;
    for (uint32_t i = 1; i < v->rows; i++) {
        same += v->code[i] == v->code[i - 1];
        up += v->code[i] == v->code[i - 1] + 1;
    }
    return v->ndict > STEPS_VALUES && up > v->rows / STEPS_UP && same + up > v->rows - v->rows / STEPS_ODD;
}

static void put_dict(struct buf *b, bool steps, const struct chunk_vals *v, struct arena scratch)
{
    put_varint(b, v->ndict - 1);
    put_values(b, v->dict + 1, v->ndict - 1, scratch);
    unsigned width = code_width(v->ndict);
    uint8_t *p = (uint8_t *)buf_room(b, (size_t)v->rows * width);
    if (!p)
        return;
    for (unsigned k = 0; k < width; k++) {
        uint32_t before = 0;
        for (uint32_t i = 0; i < v->rows; i++) {
            p[(size_t)k * v->rows + i] = (uint8_t)((v->code[i] - before) >> 8 * k);
            before = steps ? v->code[i] : 0;
        }
    }
    buf_grew(b, (size_t)v->rows * width);
}

static void put_column(struct buf *b, enum chunk_enc enc, const struct chunk_vals *v, const int64_t *numbers, struct arena scratch)
{
    if (enc == ENC_DICT || enc == ENC_STEPS) {
        put_dict(b, enc == ENC_STEPS, v, scratch);
        return;
    }
    if (enc == ENC_CONST) {
        struct value x = value_at(v, 0);
        put_values(b, &x, 1, scratch);
        return;
    }
    put_valid(b, valid_of(v, &scratch), v->rows);
    if (enc == ENC_INT)
        put_ints(b, numbers ? numbers : present_ints(v, &scratch), v->present, scratch);
    else if (enc == ENC_LIST && numbers)
        put_int_texts(b, numbers, v->present, scratch);
    else if (enc == ENC_DOUBLE)
        put_doubles(b, present_doubles(v, &scratch), v->present, scratch);
    else
        put_values(b, present_values(v, &scratch), v->present, scratch);
}

enum err chunk_vals_encode(const struct chunk_vals *v, uint32_t column, struct blob_kind how, const int64_t *time_ns,
                           struct arena *mem, struct arena scratch, struct str *ret, struct fault *f)
{
    CHECK(v->present > 0 && v->present <= v->rows);
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, CHUNK_RAW_MAX);

    enum chunk_enc enc;
    enum time_form form = TIME_NS;
    int64_t *offsets = is_constant(v) || !time_ns ? NULL : offsets_from_time(v, time_ns, &scratch, &form);
    if (offsets && time_wins(v, offsets, form, scratch)) {
        enc = ENC_TIME;
        buf_byte(&b, (char)form);
        put_valid(&b, valid_of(v, &scratch), v->rows);
        put_ints(&b, offsets, v->present, scratch);
    } else {
        int64_t *numbers = NULL;
        enc = is_constant(v) ? ENC_CONST : choose(v, &scratch, &numbers);
        if (enc == ENC_DICT && goes_by_steps(v))
            enc = ENC_STEPS;
        put_column(&b, enc, v, numbers, scratch);
    }
    how.enc = enc;
    return blob_seal(&b, how, column, mem, ret, f);
}

/* --- reading ---------------------------------------------------------------------------- */

const uint32_t code_absent = 0, code_first = 1;

/* The codes of a column whose rows each have their own entry, in row order. */
static void codes_in_order(const uint8_t *valid, uint32_t rows, uint32_t n, struct arena *mem, struct column *ret)
{
    uint32_t at = 0;
    if (n <= UINT16_MAX) {
        uint16_t *code = arena_raw(mem, uint16_t, rows);
        for (uint32_t i = 0; i < rows; i++) {
            bool has = !valid || bit_get(valid, i);
            at += has;
            code[i] = has ? (uint16_t)at : 0;
        }
        ret->code = code;
        ret->form = CODES_U16;
        return;
    }
    uint32_t *code = arena_raw(mem, uint32_t, rows);
    for (uint32_t i = 0; i < rows; i++) {
        bool has = !valid || bit_get(valid, i);
        at += has;
        code[i] = has ? at : 0;
    }
    ret->code = code;
    ret->form = CODES_U32;
}

static void rd_const(struct rd *r, struct arena *mem, struct column *ret)
{
    struct value *dict = arena_new(mem, struct value, 2);
    rd_values(r, dict + 1, 1, mem);
    ret->code = &code_first;
    ret->form = CODES_SAME;
    ret->dict = dict;
    ret->ndict = 2;
}

/* Codes as they are stored, one plane of bytes after the other; returns the largest. */
static uint32_t rd_codes(const uint8_t *p, unsigned width, uint32_t rows, struct arena *mem, struct column *ret)
{
    uint32_t largest = 0;
    if (width == 1) {
        uint8_t *code = arena_raw(mem, uint8_t, rows), most = 0;
        memcpy(code, p, rows);
        for (uint32_t i = 0; i < rows; i++)
            most = code[i] > most ? code[i] : most;
        ret->code = code;
        ret->form = CODES_U8;
        return most;
    }
    if (width == 2) {
        uint16_t *code = arena_raw(mem, uint16_t, rows), most = 0;
        for (uint32_t i = 0; i < rows; i++) {
            code[i] = (uint16_t)(p[i] | p[rows + i] << 8);
            most = code[i] > most ? code[i] : most;
        }
        ret->code = code;
        ret->form = CODES_U16;
        return most;
    }
    uint32_t *code = arena_new(mem, uint32_t, rows);
    for (unsigned k = 0; k < width; k++)
        for (uint32_t i = 0; i < rows; i++)
            code[i] |= (uint32_t)p[(size_t)k * rows + i] << 8 * k;
    for (uint32_t i = 0; i < rows; i++)
        largest = MAX(largest, code[i]);
    ret->code = code;
    ret->form = CODES_U32;
    return largest;
}

const uint8_t *codes_of_steps(const uint8_t *p, unsigned width, uint32_t rows, struct arena *mem)
{
    uint8_t *out = arena_raw(mem, uint8_t, (size_t)rows * width);
    uint32_t code = 0;
    for (uint32_t i = 0; i < rows; i++)
        for (unsigned k = 0; k < width; k++) {
            code += (uint32_t)p[(size_t)k * rows + i] << 8 * k;
            out[(size_t)k * rows + i] = (uint8_t)(code >> 8 * k);
        }
    return out;
}

static void rd_dict(struct rd *r, bool steps, uint32_t rows, struct arena *mem, struct column *ret)
{
    uint64_t n = rd_varint(r);
    if (n > rows) {
        r->bad = true;
        return;
    }
    struct value *dict = arena_new(mem, struct value, (size_t)n + 1);
    rd_values(r, dict + 1, (size_t)n, mem);
    unsigned width = code_width((uint32_t)n + 1);
    const uint8_t *p = rd_take(r, (uint64_t)rows * width);
    if (p && steps)
        p = codes_of_steps(p, width, rows, mem);
    if (p && rd_codes(p, width, rows, mem, ret) > n)
        r->bad = true;
    ret->dict = dict;
    ret->ndict = (uint32_t)n + 1;
}

static void rd_list(struct rd *r, uint32_t rows, struct arena *mem, struct column *ret)
{
    const uint8_t *valid;
    uint32_t n = rd_valid(r, rows, mem, &valid);
    struct value *dict = arena_new(mem, struct value, (size_t)n + 1);
    rd_values(r, dict + 1, n, mem);
    codes_in_order(valid, rows, n, mem, ret);
    ret->dict = dict;
    ret->ndict = n + 1;
}

/* n numbers to the rows that have one, from the end so that it can be done in place. */
static void spread(int64_t *v, const uint8_t *valid, uint32_t rows, uint32_t n)
{
    for (uint32_t i = rows; valid && i-- > 0;)
        v[i] = bit_get(valid, i) ? v[--n] : 0;
}

static void rd_numbers(struct rd *r, enum chunk_enc enc, uint32_t rows, struct arena *mem, struct column *ret)
{
    uint32_t n = rd_valid(r, rows, mem, &ret->valid);
    int64_t *v = arena_raw(mem, int64_t, rows);    /* eight bytes either way */
    double *d = (double *)(void *)v;
    if (enc == ENC_INT)
        rd_ints(r, v, n);
    else
        rd_doubles(r, d, n, *mem);
    spread(v, ret->valid, rows, n);
    ret->type = enc == ENC_INT ? V_INT : V_DOUBLE;
    ret->i64 = enc == ENC_INT ? v : NULL;
    ret->f64 = enc == ENC_INT ? NULL : d;
}

static void rd_time_texts(struct rd *r, const int64_t *offsets, uint32_t rows, const int64_t *time_ns, struct arena *mem,
                          const uint8_t *valid, uint32_t n, struct column *ret)
{
    struct value *dict = arena_new(mem, struct value, (size_t)n + 1);
    char *out = arena_raw(mem, char, (size_t)n * ISO_MS_LEN);
    for (uint32_t i = 0, at = 0; i < rows && !r->bad; i++) {
        if (valid && !bit_get(valid, i))
            continue;
        int64_t ms;
        if (__builtin_add_overflow(floor_ms(time_ns[i]), offsets[at++], &ms) || !iso_ms_fits(ms)) {
            r->bad = true;
            break;
        }
        iso_ms_format(out, ms);
        dict[at] = value_str((struct str){ out, ISO_MS_LEN });
        out += ISO_MS_LEN;
    }
    codes_in_order(valid, rows, n, mem, ret);
    ret->dict = dict;
    ret->ndict = n + 1;
}

static void rd_time(struct rd *r, uint32_t rows, const int64_t *time_ns, struct arena *mem, struct column *ret)
{
    uint8_t form = rd_byte(r);
    const uint8_t *valid;
    uint32_t n = rd_valid(r, rows, mem, &valid);
    int64_t *v = arena_raw(mem, int64_t, rows);
    rd_ints(r, v, n);
    if (form == TIME_ISO) {
        rd_time_texts(r, v, rows, time_ns, mem, valid, n, ret);
        return;
    }
    if (form != TIME_NS)
        r->bad = true;
    spread(v, valid, rows, n);
    for (uint32_t i = 0; i < rows; i++)
        if (!valid || bit_get(valid, i))
            v[i] = (int64_t)((uint64_t)v[i] + (uint64_t)time_ns[i]);
    ret->type = V_INT;
    ret->i64 = v;
    ret->valid = valid;
}

static void absent_column(struct arena *mem, struct column *ret)
{
    ret->code = &code_absent;
    ret->form = CODES_SAME;
    ret->dict = arena_new(mem, struct value, 1);
    ret->ndict = 1;
}

enum err chunk_column_decode(struct chunk_payload p, const struct chunk_col *col, uint32_t rows, const int64_t *time_ns,
                             struct arena *mem, struct column *ret, struct fault *f)
{
    struct column c = { .key = col->key };
    struct rd r = { .p = (const uint8_t *)p.raw.p, .end = (const uint8_t *)p.raw.p + p.raw.n };
    if (!blob_room(mem, p.raw.n, rows))
        return fault_set(f, E_LIMIT, 0, "column %u needs more memory than a query may have", col->column);
    switch (p.enc) {
    case ENC_CONST:
        rd_const(&r, mem, &c);
        break;
    case ENC_DICT:
    case ENC_STEPS:
        rd_dict(&r, p.enc == ENC_STEPS, rows, mem, &c);
        break;
    case ENC_LIST:
        rd_list(&r, rows, mem, &c);
        break;
    case ENC_INT:
    case ENC_DOUBLE:
        rd_numbers(&r, (enum chunk_enc)p.enc, rows, mem, &c);
        break;
    case ENC_TIME:
        if (!time_ns)
            return fault_set(f, E_CORRUPT, 0, "column %u: times of no rows", col->column);
        rd_time(&r, rows, time_ns, mem, &c);
        break;
    default:
        return fault_set(f, E_CORRUPT, 0, "column %u: unknown encoding %u", col->column, p.enc);
    }
    if (r.bad || r.p != r.end)
        return fault_set(f, E_CORRUPT, 0, "column %u does not decode", col->column);
    *ret = c;
    return OK;
}

enum err chunk_column_read(struct str blob, const struct chunk_col *col, const struct chunk_shape *s, const int64_t *time_ns,
                           struct arena *mem, struct column *ret, struct fault *f)
{
    struct chunk_payload p;
    struct column c = { .key = col->key };
    if (!blob.n) {
        absent_column(mem, &c);
        *ret = c;
        return OK;
    }
    enum err e = chunk_payload(blob, col->column, s->rows, mem, &p, f);
    if (!e)
        e = chunk_column_decode(p, col, chunk_count(s, (enum chunk_grain)p.grain), p.grain ? NULL : time_ns, mem, &c, f);
    if (!e && p.grain == CHUNK_BY_MOMENT)
        e = fault_set(f, E_CORRUPT, 0, "column %u goes by moment", col->column);
    if (e)
        return e;
    *ret = c;
    if (p.grain == CHUNK_BY_RUN)
        column_spread(&c, s, mem, ret);
    return OK;
}
