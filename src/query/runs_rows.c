/* query/runs_rows.c -- see runs_rows.h. Rows that follow one another and are of one series,
 * temporality and origin become a run, as long as they ascend. */
#include "query/runs_rows.h"

static bool is_label(const struct column *c)
{
    return c->key.place == PLACE_LABEL && c->code;
}

static bool follows(const struct block *b, uint32_t before, uint32_t row)
{
    if (b->temporality[before] != b->temporality[row] || b->origin[before] != b->origin[row] ||
        b->time_ns[before] > b->time_ns[row] ||
        (b->time_ns[before] == b->time_ns[row] && b->seq && b->seq[before] > b->seq[row]))
        return false;
    for (uint32_t c = 0; c < b->ncols; c++)
        if (is_label(&b->cols[c]) && column_code(&b->cols[c], before) != column_code(&b->cols[c], row))
            return false;
    return true;
}

static const void *words(const void *from, const struct block *b, struct arena *mem)
{
    uint64_t *to = from ? arena_raw(mem, uint64_t, b->nsel) : NULL;
    for (uint32_t i = 0; i < b->nsel && from; i++)
        to[i] = ((const uint64_t *)from)[b->sel[i]];
    return to;
}

static const uint8_t *bytes(const uint8_t *from, const uint32_t *rows, uint32_t n, struct arena *mem)
{
    uint8_t *to = from ? arena_raw(mem, uint8_t, n) : NULL;
    for (uint32_t i = 0; i < n && from; i++)
        to[i] = from[rows[i]];
    return to;
}

/* Codes of some rows; a column without codes is none of labels and never asked for. */
static struct column codes(const struct column *c, const uint32_t *rows, uint32_t n, struct arena *mem)
{
    struct column out = *c;
    if (!c->code || c->form == CODES_SAME)
        return out;
    uint32_t *to = arena_raw(mem, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        to[i] = column_code(c, rows[i]);
    out.code = to;
    out.form = CODES_U32;
    return out;
}

const struct block *runs_of_rows(const struct block *b, struct arena *mem)
{
    if (b->run_end)
        return b;
    uint32_t *end = arena_raw(mem, uint32_t, b->nsel + 1), *first = arena_raw(mem, uint32_t, b->nsel + 1), n = 0;
    for (uint32_t i = 0; i < b->nsel; i++) {
        if (!i || !follows(b, b->sel[i - 1], b->sel[i]))
            first[n++] = b->sel[i];
        end[n - 1] = i + 1;
    }
    struct block *out = arena_new(mem, struct block, 1);
    struct column *cols = arena_new(mem, struct column, b->ncols);
    for (uint32_t c = 0; c < b->ncols; c++)
        cols[c] = is_label(&b->cols[c]) ? codes(&b->cols[c], first, n, mem) : codes(&b->cols[c], b->sel, b->nsel, mem);
    *out = (struct block){
        .n = b->nsel, .nsel = b->nsel, .run_end = end, .nruns = n, .cols = cols, .ncols = b->ncols,
        .time_ns = words(b->time_ns, b, mem), .start_ns = words(b->start_ns, b, mem), .value = words(b->value, b, mem),
        .seq = words(b->seq, b, mem), .recv_ns = words(b->recv_ns, b, mem),
        .temporality = bytes(b->temporality, first, n, mem), .origin = bytes(b->origin, first, n, mem),
        .next_bound = b->next_bound,
    };
    return out;
}
