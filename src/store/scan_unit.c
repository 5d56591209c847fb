/* store/scan_unit.c -- one chunk or one head into one block: prune, select, decode.
 */
#include <string.h>

#include "store/scan_int.h"

/* ---- selection ------------------------------------------------------------- */

static void select_time(struct scan *sc, struct block *b)
{
    const struct scan_req *r = &sc->req;
    uint32_t *sel = arena_new(&sc->block_mem, uint32_t, b->n + 1), n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        sel[n] = i;
        n += b->time_ns[i] >= r->from_ns && b->time_ns[i] < r->to_ns && (!r->recv_after_ns || b->recv_ns[i] > r->recv_after_ns);
    }
    b->sel = sel;
    b->nsel = n;
}

static bool test_value(const struct matcher *m, const struct value *v, struct arena scratch)
{
    char small[VALUE_TEXT_MAX];
    return matcher_test(m, v->type == V_BYTES ? value_text_in(v, &scratch) : value_text(v, small));
}

/* One coded column: each distinct value once, then codes. */
static uint32_t filter_codes(const struct matcher *m, const struct column *c, uint32_t *sel, uint32_t n, struct arena scratch)
{
    uint8_t *pass = arena_alloc(&scratch, c->ndict + 1, 1), *tested = arena_alloc(&scratch, c->ndict + 1, 1);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t code = column_code(c, sel[i]);
        if (!tested[code]) {
            tested[code] = 1;
            pass[code] = test_value(m, &c->dict[code], scratch);
        }
        sel[kept] = sel[i];
        kept += pass[code];
    }
    return kept;
}

static uint32_t filter_rows(const struct matcher *m, const struct label_ref *l, uint32_t *sel, uint32_t n, struct arena scratch)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct value v = label_value(l, sel[i]);
        sel[kept] = sel[i];
        kept += test_value(m, &v, scratch);
    }
    return kept;
}

static void select_matchers(struct scan *sc, struct block *b)
{
    uint32_t *sel = (uint32_t *)(uintptr_t)b->sel;
    for (uint32_t i = 0; i < sc->req.nmatchers && b->nsel; i++) {
        const struct matcher *m = &sc->req.matchers[i];
        struct label_ref l = block_label(b, m->label, m->places);
        if (!l.n)
            b->nsel = matcher_test(m, S("")) ? b->nsel : 0;
        else if (l.n == 1 && l.at[0]->code)
            b->nsel = filter_codes(m, l.at[0], sel, b->nsel, sc->block_mem);
        else
            b->nsel = filter_rows(m, &l, sel, b->nsel, sc->block_mem);
    }
}

static bool is_wanted(const struct scan_req *r, const struct colkey *key)
{
    if (r->all_labels)
        return true;
    for (uint32_t i = 0; i < r->nlabels; i++)
        if (colkey_is(key, r->labels[i]))
            return true;
    return false;
}

static bool is_matched(const struct scan_req *r, const struct colkey *key)
{
    for (uint32_t i = 0; i < r->nmatchers; i++)
        if (colkey_is(key, r->matchers[i].label))
            return true;
    return false;
}

/* ---- heads ----------------------------------------------------------------- */

enum err scan_head(struct scan *sc, const struct unit *u)
{
    struct block *b = &sc->out;
    *b = u->picture;
    sc->stats.rows_read += b->n;
    select_time(sc, b);
    select_matchers(sc, b);
    if (!b->nsel || sc->req.all_labels)
        return OK;
    struct column *cols = arena_new(&sc->block_mem, struct column, b->ncols + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->ncols; i++)
        if (is_wanted(&sc->req, &b->cols[i].key))
            cols[n++] = b->cols[i];
    b->cols = cols;
    b->ncols = n;
    return OK;
}

/* ---- chunks: pruning ------------------------------------------------------- */

/* Can no row of the chunk pass? Told from the summary alone. */
static bool summary_excludes(const struct chunk_summary *sum, const struct matcher *m)
{
    const struct chunk_col *only = NULL;
    for (uint32_t i = 0; i < sum->ncols; i++) {
        const struct chunk_col *c = &sum->cols[i];
        if (!colkey_is(&c->key, m->label) || (m->places && !(m->places >> c->key.place & 1)))
            continue;
        if (only)
            return false;                          /* at several places: only the rows can tell */
        only = c;
    }
    bool absent_passes = matcher_test(m, S(""));
    if (!only)
        return !absent_passes;
    if (!only->values || only->content || (!only->full && absent_passes))
        return false;
    char small[VALUE_TEXT_MAX];
    for (uint32_t i = 0; i < only->nvalues; i++)
        if (only->values[i].type == V_BYTES || matcher_test(m, value_text(&only->values[i], small)))
            return false;
    return true;
}

static bool is_filtered(struct str label)
{
    return str_eq(label, S("session_id")) || str_eq(label, S("prompt_id"));
}

static enum err prune(struct scan *sc, const struct unit *u, bool *ret_none, struct fault *f)
{
    struct str filter = { 0 };
    bool have = false;
    *ret_none = false;
    for (uint32_t i = 0; i < sc->req.nmatchers && !*ret_none; i++) {
        const struct matcher *m = &sc->req.matchers[i];
        *ret_none = summary_excludes(&u->chunk->sum, m);
        if (*ret_none || m->op != MATCH_EQ || !m->value.n || !is_filtered(m->label))
            continue;
        if (!have) {
            enum err e = part_filter(u->item, u->chunk, &sc->block_mem, &filter, f);
            if (e)
                return e;
            have = true;
        }
        bool maybe;
        enum err e = chunk_filter_test(filter, m->value, &maybe, f);
        if (e)
            return e;
        *ret_none = !maybe;
    }
    return OK;
}

/* ---- chunks: decoding ------------------------------------------------------ */

static enum err read_blobs(struct scan *sc, const struct unit *u, const uint32_t *numbers, uint32_t n, struct str *ret,
                           struct fault *f)
{
    if (!n)
        return OK;
    enum err e = part_read(u->item, u->chunk, numbers, n, &sc->block_mem, ret, f);
    for (uint32_t i = 0; i < n && !e; i++)
        sc->stats.bytes_read += ret[i].n;
    return e;
}

/* Fixed columns from..to; the others of ret stay as they are. */
static enum err read_fixed(struct scan *sc, const struct unit *u, const bool want[CHUNK_FIXED_COUNT], struct block *b,
                           struct fault *f)
{
    uint32_t numbers[CHUNK_FIXED_COUNT], n = 0;
    struct str got[CHUNK_FIXED_COUNT], blobs[CHUNK_FIXED_COUNT] = { 0 };
    for (uint32_t i = 0; i < CHUNK_FIXED_COUNT; i++)
        if (want[i])
            numbers[n++] = i;
    enum err e = read_blobs(sc, u, numbers, n, got, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < n; i++)
        blobs[numbers[i]] = got[i];
    return chunk_fixed_read(blobs, u->chunk->sum.rows, &sc->block_mem, b, f);
}

/* Attribute columns for which pick() says so and that are not decoded yet. */
static enum err read_columns(struct scan *sc, const struct unit *u, bool (*pick)(const struct scan_req *, const struct colkey *),
                             bool *done, struct column *cols, uint32_t *ncols, struct fault *f)
{
    const struct chunk_summary *sum = &u->chunk->sum;
    struct arena *mem = &sc->block_mem;
    uint32_t *numbers = arena_new(mem, uint32_t, sum->ncols + 1), *which = arena_new(mem, uint32_t, sum->ncols + 1), n = 0;
    for (uint32_t i = 0; i < sum->ncols; i++)
        if (!done[i] && pick(&sc->req, &sum->cols[i].key)) {
            numbers[n] = sum->cols[i].column;
            which[n++] = i;
            done[i] = true;
        }
    struct str *blobs = arena_new(mem, struct str, n + 1);
    enum err e = read_blobs(sc, u, numbers, n, blobs, f);
    for (uint32_t i = 0; i < n && !e; i++)
        e = chunk_column_read(blobs[i], &sum->cols[which[i]], sum->rows, sc->out.time_ns, mem, &cols[(*ncols)++], f);
    return e;
}

/* Matcher columns that nobody asked for go; what is left is in no promised order. */
static void drop_unwanted(const struct scan_req *r, struct column *cols, uint32_t *ncols)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < *ncols; i++)
        if (is_wanted(r, &cols[i].key))
            cols[n++] = cols[i];
    *ncols = n;
}

enum err scan_chunk(struct scan *sc, const struct unit *u, struct fault *f)
{
    struct block *b = &sc->out;
    bool none;
    enum err e = prune(sc, u, &none, f);
    if (e || none)
        return e;

    /* First what decides which rows count ... */
    static const bool deciding[CHUNK_FIXED_COUNT] = { [CHUNK_TIME] = true, [CHUNK_RECV] = true };
    static const bool others[CHUNK_FIXED_COUNT] = {
        [CHUNK_START] = true, [CHUNK_CLAIMED] = true, [CHUNK_VALUE] = true,
        [CHUNK_TEMPORALITY] = true, [CHUNK_ORIGIN] = true, [CHUNK_SEQ] = true,
    };
    sc->stats.chunks++;
    sc->stats.rows_read += u->chunk->sum.rows;
    e = read_fixed(sc, u, deciding, b, f);
    if (e)
        return e;
    bool *done = arena_new(&sc->block_mem, bool, u->chunk->sum.ncols + 1);
    struct column *cols = arena_new(&sc->block_mem, struct column, u->chunk->sum.ncols + 1);
    uint32_t ncols = 0;
    e = read_columns(sc, u, is_matched, done, cols, &ncols, f);
    if (e)
        return e;
    b->cols = cols;
    b->ncols = ncols;
    select_time(sc, b);
    select_matchers(sc, b);
    if (!b->nsel)
        return OK;

    /* ... then what is asked of them. */
    e = read_fixed(sc, u, others, b, f);
    if (!e)
        e = read_columns(sc, u, is_wanted, done, cols, &ncols, f);
    if (e)
        return e;
    drop_unwanted(&sc->req, cols, &ncols);
    b->ncols = ncols;
    return OK;
}
