/* store/scan_unit.c -- one chunk or one head into one block: prune, select, decode.
 *
 * Where few rows of a unit are selected, the block has just those: its arrays are short,
 * and so is everything that a query makes beside them.
 */
#include <string.h>

#include "store/scan_int.h"

enum { FEW_PART = 4 };                             /* a selection of at most a quarter is few */

/* ---- what is asked --------------------------------------------------------- */

bool scan_wants(const struct scan_req *r, const struct colkey *key)
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
static void narrow(struct load *ld, struct block *b)
{
    uint32_t *sel = arena_raw(ld->mem, uint32_t, b->nsel + 1);
    ld->sc->req.narrow(ld->sc->req.narrow_arg, b, sel);
    b->sel = sel;
}

/* ---- short blocks ---------------------------------------------------------- */

/* The block's fixed arrays and selection become those of the selected rows alone; its
 * columns are the caller's. */
static void shorten(struct load *ld, struct block *b)
{
    struct arena *mem = ld->mem;
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
    b->sel = scan_rows(ld, n);
}

/* ---- heads ----------------------------------------------------------------- */

/* One of the head's columns: of the selected rows, or of all. */
static struct column head_column(struct load *ld, const struct block *b, const struct column *c, bool few)
{
    struct column out = *c;
    bool by_series = b->series && c->key.place == PLACE_LABEL;
    const uint32_t *sel = b->sel;
    if (by_series) {
        uint32_t *of = arena_raw(ld->mem, uint32_t, b->n), n = few ? b->nsel : b->n;
        for (uint32_t i = 0; i < n; i++)
            of[i] = b->series[few ? b->sel[i] : i];
        sel = of;
    }
    if (few || by_series)
        column_gather(c, sel, few ? b->nsel : b->n, ld->mem, &out);
    return out;
}

enum err scan_head(struct load *ld)
{
    struct block *b = &ld->out;
    *b = ld->u->picture;
    ld->stats.rows_read += b->n;
    scan_select_time(ld, b);
    if (b->series)
        scan_select_series(ld, b);
    else
        scan_select_matchers(ld, b);
    if (b->nsel && ld->sc->req.narrow) {
        CHECK(!b->series);
        narrow(ld, b);
    }
    if (!b->nsel)
        return OK;
    bool few = is_few(b);
    struct column *cols = arena_new(ld->mem, struct column, b->ncols + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->ncols; i++)
        if (scan_wants(&ld->sc->req, &b->cols[i].key))
            cols[n++] = head_column(ld, b, &b->cols[i], few);
    b->cols = cols;
    b->ncols = n;
    if (few)
        shorten(ld, b);
    b->series = NULL;
    b->nseries = 0;
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
    const struct scan_req *req = &r->ld->sc->req;
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
static uint32_t pick_columns(struct load *ld, const struct unit *u, bool (*pick)(const struct scan_req *, const struct colkey *),
                             uint32_t *ret)
{
    const struct chunk_summary *sum = &u->chunk->sum;
    uint32_t n = 0;
    for (uint32_t i = 0; i < sum->ncols; i++)
        if (pick(&ld->sc->req, &sum->cols[i].key))
            ret[n++] = i;
    return n;
}

/* Of the rows' fixed arrays, those that the query asks for and the chunk has. */
uint32_t scan_wants_fixed(const struct scan_req *r, const struct chunk_summary *sum)
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
    struct load *ld = r->ld;
    const struct scan_req *req = &ld->sc->req;
    const struct chunk_summary *sum = &r->u->chunk->sum;
    b->n = r->rows;
    b->sel = scan_rows(ld, b->n);
    b->nsel = b->n;
    bool late = req->recv_after_ns && sum->recv_min <= req->recv_after_ns;
    if (late || sum->time_min < req->from_ns || sum->time_max >= req->to_ns) {
        enum err e = read_fixed(r, 1u << CHUNK_TIME | (late ? 1u << CHUNK_RECV : 0), b, f);
        if (e)
            return e;
        r->time_ns = b->time_ns;
        scan_select_time(ld, b);
    }
    return OK;
}

/* The columns asked for; the ones that were matched are there already. */
static enum err read_wanted(struct reading *r, bool few, const uint32_t *matched, uint32_t nmatched, struct block *b, struct fault *f)
{
    struct load *ld = r->ld;
    struct arena *mem = ld->mem;
    uint32_t *which = arena_raw(mem, uint32_t, r->u->chunk->sum.ncols + 1), n = 0, k = 0;
    uint32_t nwanted = pick_columns(ld, r->u, scan_wants, which);
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

/* The query is asked about few rows by a short block of them: the times of the others are
 * not even made. */
static enum err narrow_few(struct reading *r, struct block *b, struct fault *f)
{
    struct load *ld = r->ld;
    struct block few = { .n = b->n, .sel = b->sel, .nsel = b->nsel, .time_ns = b->time_ns };
    enum err e = read_fixed_some(r, 1u << CHUNK_TIME | 1u << CHUNK_SEQ, &few, f);
    if (e)
        return e;
    struct column *cols = arena_new(ld->mem, struct column, b->ncols + 1);
    for (uint32_t i = 0; i < b->ncols; i++)
        column_gather(&b->cols[i], b->sel, b->nsel, ld->mem, &cols[i]);
    few.cols = cols;
    few.ncols = b->ncols;
    few.n = b->nsel;
    few.sel = scan_rows(ld, b->nsel);
    narrow(ld, &few);
    uint32_t *sel = arena_raw(ld->mem, uint32_t, few.nsel + 1);
    for (uint32_t i = 0; i < few.nsel; i++)
        sel[i] = b->sel[few.sel[i]];
    b->sel = sel;
    b->nsel = few.nsel;
    return OK;
}

static enum err narrow_chunk(struct reading *r, struct block *b, struct fault *f)
{
    if (is_few(b))
        return narrow_few(r, b, f);
    enum err e = read_fixed(r, 1u << CHUNK_TIME | 1u << CHUNK_SEQ, b, f);
    if (!e)
        narrow(r->ld, b);
    return e;
}

enum err scan_chunk(struct load *ld, struct fault *f)
{
    struct block *b = &ld->out;
    const struct unit *u = ld->u;
    struct reading r = { .ld = ld, .u = u, .rows = u->chunk->sum.rows };
    bool none;
    enum err e = prune(&r, &none, f);
    if (e || none)
        return e;

    /* First what decides which rows count ... */
    ld->stats.chunks++;
    if (ld->sc->req.by_series)
        return scan_chunk_series(&r, f);
    ld->stats.rows_read += r.rows;
    e = select_rows(&r, b, f);
    if (e || !b->nsel)
        return e;
    uint32_t *matched = arena_raw(ld->mem, uint32_t, u->chunk->sum.ncols + 1);
    uint32_t n = pick_columns(ld, u, is_matched, matched);
    struct column *cols = arena_new(ld->mem, struct column, n + 1);
    e = read_columns(&r, matched, n, cols, f);
    if (e)
        return e;
    b->cols = cols;
    b->ncols = n;
    scan_select_matchers(ld, b);
    if (b->nsel && ld->sc->req.narrow) {
        e = narrow_chunk(&r, b, f);
        if (e)
            return e;
    }
    if (!b->nsel)
        return OK;

    /* ... then what is asked of them. */
    bool few = is_few(b);
    uint32_t fixed = scan_wants_fixed(&ld->sc->req, &u->chunk->sum);
    e = few ? read_fixed_some(&r, fixed, b, f) : read_fixed(&r, fixed, b, f);
    if (!few && b->time_ns)
        r.time_ns = b->time_ns;
    if (!e)
        e = read_wanted(&r, few, matched, n, b, f);
    if (few) {
        b->n = b->nsel;
        b->sel = scan_rows(ld, b->n);
    }
    return e;
}
