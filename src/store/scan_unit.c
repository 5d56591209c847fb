/* store/scan_unit.c -- one chunk or one head into one block: prune, select, decode.
 *
 * Where few rows of a unit are selected, the block has just those: its arrays are short,
 * and so is everything that a query makes beside them.
 */
#include <string.h>

#include "store/scan_int.h"

enum { FEW_PART = 4 };                             /* a selection of at most a quarter is few */

/* ---- what is asked --------------------------------------------------------- */

static bool is_wanted(const struct scan_req *r, const struct colkey *key)
{
    if (r->all_labels)
        return true;
    for (uint32_t i = 0; i < r->nlabels; i++)
        if (colkey_is(key, r->labels[i]))
            return true;
    return false;
}

/* Does the column decide which rows count? */
static bool is_matched(const struct scan_req *r, const struct colkey *key)
{
    for (uint32_t i = 0; i < r->nmatchers; i++)
        if (colkey_is(key, r->matchers[i].label))
            return true;
    for (uint32_t i = 0; i < r->nnarrow_by; i++)
        if (colkey_is(key, r->narrow_by[i]))
            return true;
    return false;
}

static bool is_few(const struct block *b)
{
    return b->nsel <= b->n / FEW_PART;
}

/* The query itself leaves fewer rows. */
static void narrow(struct scan *sc, struct block *b)
{
    uint32_t *sel = arena_raw(sc->block_mem, uint32_t, b->nsel + 1);
    sc->req.narrow(sc->req.narrow_arg, b, sel);
    b->sel = sel;
}

/* ---- short blocks ---------------------------------------------------------- */

/* The block's fixed arrays and selection become those of the selected rows alone; its
 * columns are the caller's. */
static void shorten(struct scan *sc, struct block *b)
{
    struct arena *mem = sc->block_mem;
    const uint32_t *sel = b->sel;
    uint32_t n = b->nsel;
    b->time_ns = scan_gather(mem, b->time_ns, 8, sel, n);
    b->recv_ns = scan_gather(mem, b->recv_ns, 8, sel, n);
    b->start_ns = scan_gather(mem, b->start_ns, 8, sel, n);
    b->claimed_ns = scan_gather(mem, b->claimed_ns, 8, sel, n);
    b->value = scan_gather(mem, b->value, 8, sel, n);
    b->seq = scan_gather(mem, b->seq, 8, sel, n);
    b->temporality = scan_gather(mem, b->temporality, 1, sel, n);
    b->origin = scan_gather(mem, b->origin, 1, sel, n);
    b->n = n;
    b->sel = scan_rows(sc, n);
}

/* ---- heads ----------------------------------------------------------------- */

enum err scan_head(struct scan *sc, const struct unit *u)
{
    struct block *b = &sc->out;
    *b = u->picture;
    sc->stats.rows_read += b->n;
    scan_select_time(sc, b);
    scan_select_matchers(sc, b);
    if (b->nsel && sc->req.narrow)
        narrow(sc, b);
    if (!b->nsel)
        return OK;
    bool few = is_few(b);
    struct column *cols = arena_new(sc->block_mem, struct column, b->ncols + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->ncols; i++) {
        if (!is_wanted(&sc->req, &b->cols[i].key))
            continue;
        if (few)
            column_gather(&b->cols[i], b->sel, b->nsel, sc->block_mem, &cols[n++]);
        else
            cols[n++] = b->cols[i];
    }
    b->cols = cols;
    b->ncols = n;
    if (few)
        shorten(sc, b);
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

static enum err prune(struct reading *r, bool *ret_none, struct fault *f)
{
    const struct scan_req *req = &r->sc->req;
    struct str filter = { 0 };
    bool have = false;
    *ret_none = false;
    for (uint32_t i = 0; i < req->nmatchers && !*ret_none; i++) {
        const struct matcher *m = &req->matchers[i];
        *ret_none = summary_excludes(&r->u->chunk->sum, m);
        if (*ret_none || m->op != MATCH_EQ || !m->value.n || !is_filtered(m->label))
            continue;
        enum err e = have ? OK : read_filter(r, &filter, f);
        if (e)
            return e;
        have = true;
        bool maybe;
        e = chunk_filter_test(filter, m->value, &maybe, f);
        if (e)
            return e;
        *ret_none = !maybe;
    }
    return OK;
}

/* ---- chunks: decoding ------------------------------------------------------ */

/* Numbers of the summary's columns for which pick() says so. */
static uint32_t pick_columns(struct scan *sc, const struct unit *u, bool (*pick)(const struct scan_req *, const struct colkey *),
                             uint32_t *ret)
{
    const struct chunk_summary *sum = &u->chunk->sum;
    uint32_t n = 0;
    for (uint32_t i = 0; i < sum->ncols; i++)
        if (pick(&sc->req, &sum->cols[i].key))
            ret[n++] = i;
    return n;
}

/* Of the rows' fixed arrays, those that the query asks for and the chunk has. */
static uint32_t fixed_wanted(const struct scan_req *r, const struct chunk_summary *sum)
{
    const uint32_t of_samples = 1u << CHUNK_START | 1u << CHUNK_VALUE | 1u << CHUNK_TEMPORALITY;
    static const struct { uint32_t without; enum chunk_fixed column; } all[] = {
        { WITHOUT_TIME, CHUNK_TIME }, { WITHOUT_RECV, CHUNK_RECV }, { WITHOUT_START, CHUNK_START }, { WITHOUT_CLAIMED, CHUNK_CLAIMED },
        { WITHOUT_VALUE, CHUNK_VALUE }, { WITHOUT_TEMPORALITY, CHUNK_TEMPORALITY }, { WITHOUT_ORIGIN, CHUNK_ORIGIN },
        { WITHOUT_SEQ, CHUNK_SEQ },
    };
    uint32_t bits = 0;
    for (size_t i = 0; i < LEN(all); i++)
        if (!(r->without & all[i].without))
            bits |= 1u << all[i].column;
    if (sum->table != TABLE_SAMPLE)
        bits &= ~of_samples;
    if (!sum->claimed_min && !sum->claimed_max)
        bits &= ~(1u << CHUNK_CLAIMED);
    return bits;
}

static enum err select_rows(struct reading *r, struct block *b, struct fault *f)
{
    struct scan *sc = r->sc;
    const struct scan_req *req = &sc->req;
    const struct chunk_summary *sum = &r->u->chunk->sum;
    b->n = r->rows;
    b->sel = scan_rows(sc, b->n);
    b->nsel = b->n;
    bool late = req->recv_after_ns && sum->recv_min <= req->recv_after_ns;
    if (late || sum->time_min < req->from_ns || sum->time_max >= req->to_ns) {
        enum err e = read_fixed(r, 1u << CHUNK_TIME | (late ? 1u << CHUNK_RECV : 0), b, f);
        if (e)
            return e;
        r->time_ns = b->time_ns;
        scan_select_time(sc, b);
    }
    return OK;
}

/* The columns asked for; the ones that were matched are there already. */
static enum err read_wanted(struct reading *r, bool few, const uint32_t *matched, uint32_t nmatched, struct block *b, struct fault *f)
{
    struct scan *sc = r->sc;
    struct arena *mem = sc->block_mem;
    uint32_t *which = arena_raw(mem, uint32_t, r->u->chunk->sum.ncols + 1), n = 0, k = 0;
    uint32_t nwanted = pick_columns(sc, r->u, is_wanted, which);
    struct column *cols = arena_new(mem, struct column, nwanted + 1);
    uint32_t ncols = 0;
    for (uint32_t i = 0; i < nwanted; i++) {       /* both lists ascend */
        while (k < nmatched && matched[k] < which[i])
            k++;
        if (k == nmatched || matched[k] != which[i])
            which[n++] = which[i];
        else if (few)
            column_gather(&b->cols[k], b->sel, b->nsel, mem, &cols[ncols++]);
        else
            cols[ncols++] = b->cols[k];
    }
    enum err e = few ? read_columns_some(r, which, n, b->sel, b->nsel, b->time_ns, &cols[ncols], f)
                     : read_columns(r, which, n, &cols[ncols], f);
    b->cols = cols;
    b->ncols = ncols + n;
    return e;
}

enum err scan_chunk(struct scan *sc, const struct unit *u, struct fault *f)
{
    struct block *b = &sc->out;
    struct reading r = { .sc = sc, .u = u, .rows = u->chunk->sum.rows };
    bool none;
    enum err e = prune(&r, &none, f);
    if (e || none)
        return e;

    /* First what decides which rows count ... */
    sc->stats.chunks++;
    sc->stats.rows_read += r.rows;
    e = select_rows(&r, b, f);
    if (e || !b->nsel)
        return e;
    uint32_t *matched = arena_raw(sc->block_mem, uint32_t, u->chunk->sum.ncols + 1);
    uint32_t n = pick_columns(sc, u, is_matched, matched);
    struct column *cols = arena_new(sc->block_mem, struct column, n + 1);
    e = read_columns(&r, matched, n, cols, f);
    if (e)
        return e;
    b->cols = cols;
    b->ncols = n;
    scan_select_matchers(sc, b);
    if (b->nsel && sc->req.narrow) {
        e = read_fixed(&r, 1u << CHUNK_TIME | 1u << CHUNK_SEQ, b, f);
        if (e)
            return e;
        narrow(sc, b);
    }
    if (!b->nsel)
        return OK;

    /* ... then what is asked of them. */
    bool few = is_few(b);
    uint32_t fixed = fixed_wanted(&sc->req, &u->chunk->sum);
    e = few ? read_fixed_some(&r, fixed, b, f) : read_fixed(&r, fixed, b, f);
    if (!few && b->time_ns)
        r.time_ns = b->time_ns;
    if (!e)
        e = read_wanted(&r, few, matched, n, b, f);
    if (few) {
        b->n = b->nsel;
        b->sel = scan_rows(sc, b->n);
    }
    return e;
}
