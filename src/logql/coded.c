/* logql/coded.c -- see coded.h. */
#include "logql/coded.h"

#include <string.h>

enum { NUMBERS_MAX = 1 << 13 };                    /* different numbers of a column that get codes */

enum coded_state { CODED_UNKNOWN, CODED_COLUMN, CODED_NOT };

struct coded {
    enum coded_state state;
    const struct column *col;
};

/* ---- selections -------------------------------------------------------------------------- */

struct selection selection_of(struct binding *b)
{
    const struct block *blk = b->block;
    if (blk->nsel == blk->n)
        return (struct selection){ NULL, blk->n };
    uint32_t *rows = arena_new(&b->mem, uint32_t, blk->nsel);
    memcpy(rows, blk->sel, sizeof *rows * blk->nsel);
    return (struct selection){ rows, blk->nsel };
}

void selection_keep(struct binding *b, struct selection *s, const uint8_t *mask)
{
    uint32_t n = 0;
    if (!s->rows) {
        uint32_t all = 0;
        for (uint32_t i = 0; i < s->n; i++)
            all += mask[i];
        if (all == s->n)
            return;
        s->rows = arena_new(&b->mem, uint32_t, s->n);
        for (uint32_t i = 0; i < s->n; i++) {
            s->rows[n] = i;
            n += mask[i];
        }
    } else {
        for (uint32_t i = 0; i < s->n; i++) {
            s->rows[n] = s->rows[i];
            n += mask[i];
        }
    }
    s->n = n;
}

/* ---- codes ----------------------------------------------------------------------------------- */

/* The loops are told apart by the form of the codes, so that each is a plain one. */
#define READ_CODES(T)                                                                          \
    do {                                                                                       \
        const T *code = c->code;                                                               \
        if (s->rows)                                                                           \
            for (uint32_t i = 0; i < n; i++)                                                   \
                ret[i] = code[s->rows[from + i]];                                              \
        else                                                                                   \
            for (uint32_t i = 0; i < n; i++)                                                   \
                ret[i] = code[from + i];                                                       \
    } while (0)

void codes_read(const struct column *c, const struct selection *s, uint32_t from, uint32_t n, uint32_t *ret)
{
    CHECK(n <= CODES_STRIP && c->code);
    switch (c->form) {
    case CODES_U8: READ_CODES(uint8_t); break;
    case CODES_U16: READ_CODES(uint16_t); break;
    case CODES_U32: READ_CODES(uint32_t); break;
    case CODES_SAME:
        for (uint32_t i = 0; i < n; i++)
            ret[i] = *(const uint32_t *)c->code;
        break;
    }
}

bool codes_test(struct binding *b, const struct column *c, const struct selection *s,
                enum code_verdict (*test)(void *arg, const struct value *v), void *arg, uint8_t *mask)
{
    uint8_t *verdicts = arena_new(&b->mem, uint8_t, c->ndict);
    uint32_t code[CODES_STRIP];
    for (uint32_t from = 0; from < s->n; from += CODES_STRIP) {
        uint32_t n = MIN(s->n - from, (uint32_t)CODES_STRIP);
        codes_read(c, s, from, n, code);
        for (uint32_t i = 0; i < n; i++) {
            uint8_t *v = &verdicts[code[i]];
            if (!*v)
                *v = (uint8_t)test(arg, &c->dict[code[i]]);
            if (*v == CODE_UNCLEAR)
                return false;
            mask[from + i] = *v == CODE_PASSES;
        }
    }
    return true;
}

/* ---- numbers ---------------------------------------------------------------------------------- */

struct numbering {
    uint64_t *bits;
    uint32_t *code;                                /* + 1; 0: a free slot */
    struct value *dict;
    uint32_t ndict;
};

static uint32_t number_code(struct numbering *t, const struct value *v)
{
    uint64_t bits;
    memcpy(&bits, v->type == V_INT ? (const void *)&v->i : (const void *)&v->d, sizeof bits);
    uint32_t mask = 4 * NUMBERS_MAX - 1, at = (uint32_t)((bits * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & mask;
    while (t->code[at] && t->bits[at] != bits)
        at = (at + 1) & mask;
    if (!t->code[at]) {
        t->dict[t->ndict] = *v;
        t->bits[at] = bits;
        t->code[at] = ++t->ndict;
    }
    return t->code[at] - 1;
}

/* A column of plain numbers with codes for them, of the rows that count. */
static const struct column *number_codes(struct binding *b, const struct column *c)
{
    const struct block *blk = b->block;
    struct numbering t = {
        .bits = arena_new(&b->mem, uint64_t, 4 * NUMBERS_MAX), .code = arena_new(&b->mem, uint32_t, 4 * NUMBERS_MAX),
        .dict = arena_new(&b->mem, struct value, NUMBERS_MAX + 2), .ndict = 1,
    };
    uint32_t *code = arena_new(&b->mem, uint32_t, blk->n + 1);
    for (uint32_t i = 0; i < blk->nsel; i++) {
        struct value v = column_value(c, blk->sel[i]);
        code[blk->sel[i]] = v.type == V_NONE ? 0 : number_code(&t, &v);
        if (t.ndict > NUMBERS_MAX)
            return NULL;
    }
    struct column *ret = arena_new(&b->mem, struct column, 1);
    *ret = (struct column){ .key = c->key, .code = code, .dict = t.dict, .ndict = t.ndict };
    return ret;
}

/* ---- one column from several -------------------------------------------------------------------- */

enum { SOURCES_MAX = 2 * LABEL_COLS_MAX };

struct sources {
    const struct column *cols[SOURCES_MAX];
    bool zero_absent[SOURCES_MAX];
    uint32_t n;
};

static void add_sources(struct sources *s, const struct bound *l)
{
    for (uint32_t i = 0; l && i < l->ncols; i++) {
        s->zero_absent[s->n] = l->zero_absent && l->cols[i]->key.place == PLACE_FIELD;
        s->cols[s->n++] = l->cols[i];
    }
}

static bool counts(const struct value *v, bool zero_absent)
{
    return value_is_label(v) && !(zero_absent && v->type == V_INT && !v->i);
}

static const struct column *merge(struct binding *b, const struct sources *s)
{
    const struct block *blk = b->block;
    uint32_t ndict = 1, *to[SOURCES_MAX];
    for (uint32_t k = 0; k < s->n; k++)
        ndict += s->cols[k]->ndict;
    struct value *dict = arena_new(&b->mem, struct value, ndict);
    ndict = 1;
    for (uint32_t k = 0; k < s->n; k++) {
        const struct column *c = s->cols[k];
        to[k] = arena_new(&b->mem, uint32_t, c->ndict);
        for (uint32_t i = 0; i < c->ndict; i++)
            if (counts(&c->dict[i], s->zero_absent[k])) {
                dict[ndict] = c->dict[i];
                to[k][i] = ndict++;
            }
    }
    uint32_t *code = arena_new(&b->mem, uint32_t, blk->n + 1);
    for (uint32_t i = 0; i < blk->nsel; i++)
        for (uint32_t k = 0, row = blk->sel[i]; k < s->n && !code[row]; k++)
            code[row] = to[k][column_code(s->cols[k], row)];
    struct column *ret = arena_new(&b->mem, struct column, 1);
    *ret = (struct column){ .key = s->cols[0]->key, .code = code, .dict = dict, .ndict = ndict };
    return ret;
}

static bool coded_of(struct binding *b, struct sources *s, const struct column **ret)
{
    bool zeros = false;
    for (uint32_t k = 0; k < s->n; k++) {
        if (!s->cols[k]->code)
            s->cols[k] = number_codes(b, s->cols[k]);
        if (!s->cols[k])
            return false;
        zeros |= s->zero_absent[k];
    }
    *ret = !s->n ? NULL : s->n == 1 && !zeros ? s->cols[0] : merge(b, s);
    return true;
}

static bool make_coded(struct binding *b, const struct names *names, uint32_t name, const struct column **ret)
{
    struct sources s = { .n = 0 };
    if (names->plain[name] != NAME_NONE)
        return false;
    add_sources(&s, binding_stream(b, name));
    add_sources(&s, binding_meta(b, name));
    return coded_of(b, &s, ret);
}

bool bound_coded(struct binding *b, const struct bound *l, const struct column **ret)
{
    struct sources s = { .n = 0 };
    add_sources(&s, l);
    return coded_of(b, &s, ret);
}

bool binding_coded(struct binding *b, const struct names *names, uint32_t name, const struct column **ret)
{
    *ret = NULL;
    if (name >= b->limit)
        return names->plain[name] == NAME_NONE;    /* no column of the block has it */
    if (!b->coded)
        b->coded = arena_new(&b->mem, struct coded, b->limit);
    struct coded *c = &b->coded[name];
    if (c->state == CODED_UNKNOWN)
        c->state = make_coded(b, names, name, &c->col) ? CODED_COLUMN : CODED_NOT;
    *ret = c->col;
    return c->state == CODED_COLUMN;
}
