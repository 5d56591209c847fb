/* store/scan_select.c -- which rows of a block count.
 *
 * A selection starts as all rows, which costs nothing where the block lies inside the
 * time range. A matcher is tested once per distinct value of a column; the rows are then
 * told by their codes in one pass. A literal that may stand anywhere in a text is looked
 * for in all texts of a dictionary at once. Only where a label stands at several places of
 * a row, or its column holds plain numbers, is a matcher tested row by row.
 */
#include <pthread.h>
#include <string.h>

#include "store/scan_int.h"

/* ---- all rows -------------------------------------------------------------- */

static uint32_t all_rows[CHUNK_ROWS_MAX];          /* set once, then only read */

static void number_rows(void)
{
    for (uint32_t i = 0; i < CHUNK_ROWS_MAX; i++)
        all_rows[i] = i;
}

const uint32_t *scan_rows(struct load *ld, uint32_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (n <= CHUNK_ROWS_MAX) {
        CHECK(pthread_once(&once, number_rows) == 0);
        return all_rows;
    }
    uint32_t *sel = arena_raw(ld->mem, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        sel[i] = i;
    return sel;
}

/* ---- by time --------------------------------------------------------------- */

void scan_select_time(struct load *ld, struct block *b)
{
    const struct scan_req *r = &ld->sc->req;
    const int64_t *recv_ns = r->recv_after_ns ? b->recv_ns : NULL;      /* not read: all are later */
    uint32_t *sel = arena_raw(ld->mem, uint32_t, b->n + 1), n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        sel[n] = i;
        n += (b->time_ns[i] >= r->from_ns) & (b->time_ns[i] < r->to_ns) & (!recv_ns || recv_ns[i] > r->recv_after_ns);
    }
    b->sel = n == b->n ? scan_rows(ld, n) : sel;
    b->nsel = n;
}

/* ---- by matchers ----------------------------------------------------------- */

static bool test_value(const struct matcher *m, const struct value *v, struct arena scratch)
{
    char small[VALUE_TEXT_MAX];
    return matcher_test(m, v->type == V_BYTES ? value_text_in(v, &scratch) : value_text(v, small));
}

/* The code whose text holds the byte at `p`. */
static uint32_t code_at(const struct column *c, const char *p)
{
    uint32_t lo = 1, hi = c->ndict - 1;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo + 1) / 2;
        if (c->dict[mid].s.p <= p)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* pass[code] for every text with the literal in it: one search over all of them. Empty
 * texts begin where the next one does; code_at() gives the last that begins there. */
static void find_literal(const struct column *c, struct str literal, uint8_t *pass)
{
    const char *p = c->text.p, *end = p + c->text.n;
    while ((p = memmem(p, (size_t)(end - p), literal.p, literal.n))) {
        uint32_t code = code_at(c, p);
        const char *stop = c->dict[code].s.p + c->dict[code].s.n;
        if (p + literal.n <= stop) {
            pass[code] = 1;
            p = stop;                              /* one is enough for this text */
        } else {
            p++;                                   /* it only began in this one */
        }
    }
}

/* Is this matcher "the text has this literal in it" or its contrary? */
static bool asks_literal(const struct matcher *m, struct str *ret)
{
    if (m->op != MATCH_RE && m->op != MATCH_NRE)
        return false;
    *ret = regex_contains(m->re);
    return ret->n > 0;
}

/* Does each distinct value pass? All are tested at once where that is no more than rows are asked. */
static const uint8_t *test_codes(const struct matcher *m, const struct column *c, struct arena *mem)
{
    struct str literal;
    uint8_t *pass = arena_alloc(mem, c->ndict + 1, 1);
    if (c->text.p && asks_literal(m, &literal)) {
        find_literal(c, literal, pass);
        for (uint32_t k = 0; m->op == MATCH_NRE && k < c->ndict; k++)
            pass[k] = !pass[k];
        return pass;
    }
    for (uint32_t k = 0; k < c->ndict; k++)
        pass[k] = test_value(m, &c->dict[k], *mem);
    return pass;
}

#define FILTER(T)                                                                \
    do {                                                                         \
        const T *code = c->code;                                                 \
        for (uint32_t i = 0; i < n; i++) {                                       \
            uint32_t row = from[i];                                              \
            to[kept] = row;                                                      \
            kept += pass[code[row]];                                             \
        }                                                                        \
    } while (0)

/* Rows of from[0 .. n) whose code passes, into to[], which may be the same. */
static uint32_t filter_by_pass(const struct column *c, const uint8_t *pass, const uint32_t *from, uint32_t *to, uint32_t n)
{
    uint32_t kept = 0;
    if (c->form == CODES_U8)
        FILTER(uint8_t);
    else if (c->form == CODES_U16)
        FILTER(uint16_t);
    else
        FILTER(uint32_t);
    return kept;
}

/* Few rows of many values: only what occurs is tested. */
static uint32_t filter_lazily(const struct matcher *m, const struct column *c, const uint32_t *from, uint32_t *to, uint32_t n,
                              struct arena scratch)
{
    uint8_t *pass = arena_alloc(&scratch, c->ndict + 1, 1), *tested = arena_alloc(&scratch, c->ndict + 1, 1);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = from[i], code = column_code(c, row);
        if (!tested[code]) {
            tested[code] = 1;
            pass[code] = test_value(m, &c->dict[code], scratch);
        }
        to[kept] = row;
        kept += pass[code];
    }
    return kept;
}

static bool all_pass(const uint8_t *pass, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        if (!pass[k])
            return false;
    return true;
}

static void filter_codes(struct load *ld, const struct matcher *m, const struct column *c, struct block *b)
{
    struct arena scratch = *ld->mem;
    struct str literal;
    if (c->form == CODES_SAME) {
        if (!test_value(m, &c->dict[column_code(c, 0)], scratch))
            b->nsel = 0;
        return;
    }
    bool lazily = c->ndict > b->nsel + 256 && !(c->text.p && asks_literal(m, &literal));
    uint32_t *to = arena_raw(ld->mem, uint32_t, b->nsel + 1);
    scratch = *ld->mem;
    if (lazily) {
        b->nsel = filter_lazily(m, c, b->sel, to, b->nsel, scratch);
    } else {
        const uint8_t *pass = test_codes(m, c, &scratch);
        if (all_pass(pass, c->ndict))
            return;
        b->nsel = filter_by_pass(c, pass, b->sel, to, b->nsel);
    }
    b->sel = to;
}

static void filter_rows(struct load *ld, const struct matcher *m, const struct label_ref *l, struct block *b)
{
    uint32_t *to = arena_raw(ld->mem, uint32_t, b->nsel + 1), kept = 0;
    for (uint32_t i = 0; i < b->nsel; i++) {
        struct value v = label_value(l, b->sel[i]);
        to[kept] = b->sel[i];
        kept += test_value(m, &v, *ld->mem);
    }
    b->sel = to;
    b->nsel = kept;
}

void scan_select_matchers(struct load *ld, struct block *b)
{
    for (uint32_t i = 0; i < ld->sc->req.nmatchers && b->nsel; i++) {
        const struct matcher *m = &ld->sc->req.matchers[i];
        struct label_ref l = block_label(b, m->label, m->places);
        if (!l.n)
            b->nsel = matcher_test(m, S("")) ? b->nsel : 0;
        else if (l.n == 1 && l.at[0]->code)
            filter_codes(ld, m, l.at[0], b);
        else
            filter_rows(ld, m, &l, b);
    }
}
