/* logql/windows_rows.c -- many rows into windows at once.
 *
 * A strip of rows at a time becomes three short arrays that stay in the first cache:
 * group, window, value. From these, cells of a dense table (group by window) are
 * counted or added up, and at the end of the block the table is taken over into the
 * series. Sums begin with what the series have, so that numbers are added in the same
 * order, and to the same last digit, as one by one.
 *
 * Counting keeps several tables in turn: a row often falls into the cell of the row
 * before it, whose new count would have to be waited for.
 */
#include "logql/windows_int.h"

enum { CELLS_MAX = 1 << 16, CELLS_FEW = 1 << 12, TURNS = 4 };

struct filling {
    struct windows *w;
    const struct wrows *r;
    enum cell_mode mode;
    uint32_t first, width;                         /* windows first to first + width - 1 occur */
    uint32_t *series;                              /* by group, + 1; 0: not asked for */
    bool shared;                                   /* two groups are of one series, as 7 and "7" are */
    struct wcell **cells;                          /* by group and window: where it is, once known */
    struct arena mem;
    struct wcursor enters, leaves;
};

struct strip {
    uint32_t n;
    uint32_t cell[WROWS_STRIP], leave[WROWS_STRIP];   /* the cell: at first the group */
    int64_t time[WROWS_STRIP];
    double value[WROWS_STRIP];
};

/* ---- strips -------------------------------------------------------------------------------- */

static void strip_times(const struct filling *x, uint32_t from, struct strip *s)
{
    const struct wrows *r = x->r;
    if (!r->rows) {
        memcpy(s->time, r->time + from, sizeof *s->time * s->n);
        return;
    }
    for (uint32_t i = 0; i < s->n; i++)
        s->time[i] = r->time[r->rows[from + i]];
}

/* From groups to cells of a table of group by window. */
static void strip_cells(struct filling *x, struct strip *s)
{
    const struct windows *w = x->w;
    uint32_t width = x->width, first = x->first;
    if (x->mode == CELL_OVERLAP)
        for (uint32_t i = 0; i < s->n; i++)
            s->leave[i] = s->cell[i] * width + wcursor_at(w, s->time[i] + w->range_ns, &x->leaves) - first;
    for (uint32_t i = 0; i < s->n; i++)
        s->cell[i] = s->cell[i] * width + wcursor_at(w, s->time[i], &x->enters) - first;
}

/* Fills the strip from row `from` on, as far as it is needed. */
static void strip_fill(struct filling *x, uint32_t from, struct strip *s)
{
    const struct wrows *r = x->r;
    s->n = MIN(r->n - from, (uint32_t)WROWS_STRIP);
    r->groups(r->arg, from, s->n, s->cell);
    if (r->values)
        r->values(r->arg, from, s->n, s->value);
    if (x->w->n > 1 || x->mode == CELL_FIRST || x->mode == CELL_LAST || x->mode == CELL_NONE)
        strip_times(x, from, s);
    if (x->w->n > 1)
        strip_cells(x, s);                         /* else the group is the cell */
}

/* ---- counts ----------------------------------------------------------------------------------- */

struct counts {
    uint32_t *in[TURNS], *out;
};

static void count_strip(const struct filling *x, const struct counts *c, const struct strip *s)
{
    uint32_t i = 0;
    for (; i + TURNS <= s->n; i += TURNS)
        for (uint32_t k = 0; k < TURNS; k++)
            c->in[k][s->cell[i + k]]++;
    for (; i < s->n; i++)
        c->in[0][s->cell[i]]++;
    for (i = 0; x->mode == CELL_OVERLAP && i < s->n; i++)
        c->out[s->leave[i]]++;
}

static void take_counts(struct filling *x, const struct counts *c)
{
    for (uint32_t g = 0; g < x->r->ngroups; g++) {
        struct wseries *s = NULL;
        for (uint32_t k = 0; k < x->width; k++) {
            size_t at = (size_t)g * x->width + k;
            uint32_t in = 0, out = c->out ? c->out[at] : 0;
            for (uint32_t i = 0; i < TURNS; i++)
                in += c->in[i][at];
            if (!(in | out) || x->first + k >= x->w->n)
                continue;
            if (!s)
                s = windows_series(x->w, x->r->series(x->r->arg, g));
            struct wcell *cell = windows_cell(x->w, s, x->first + k);
            cell->in += in;
            cell->out += out;
            cell->count += (int64_t)in - out;
        }
    }
}

static void fill_counts(struct filling *x)
{
    size_t cells = (size_t)x->r->ngroups * x->width;
    struct counts c = { .out = x->mode == CELL_OVERLAP ? arena_new(&x->mem, uint32_t, cells) : NULL };
    for (uint32_t i = 0; i < TURNS; i++)
        c.in[i] = arena_new(&x->mem, uint32_t, cells);
    struct strip s;
    for (uint32_t from = 0; from < x->r->n; from += WROWS_STRIP) {
        strip_fill(x, from, &s);
        count_strip(x, &c, &s);
    }
    take_counts(x, &c);
}

/* ---- sums and what else a cell keeps ----------------------------------------------------------- */

struct cell_table {
    struct wcell *cells;
    uint8_t *touched;
};

static void add_strip(const struct filling *x, struct cell_table *t, const struct strip *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct wcell *c = &t->cells[s->cell[i]];
        c->in += s->value[i];
        c->count++;
        t->touched[s->cell[i]] = 1;
        if (x->mode != CELL_OVERLAP)
            continue;
        c = &t->cells[s->leave[i]];
        c->out += s->value[i];
        c->count--;
        t->touched[s->leave[i]] = 1;
    }
}

static void keep_strip(const struct filling *x, struct cell_table *t, const struct strip *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        cell_keep(x->mode, &t->cells[s->cell[i]], s->time[i], s->value[i]);
        t->touched[s->cell[i]] = 1;
    }
}

/* Between the table and the cells that the series have, or get. */
static void load_cells(struct filling *x, struct cell_table *t)
{
    for (uint32_t g = 0; g < x->r->ngroups; g++) {
        const struct wseries *s = x->series[g] ? windows_series(x->w, x->series[g] - 1) : NULL;
        for (uint32_t k = 0; s && k < x->width; k++)
            if (x->first + k - s->from < s->ncells)
                t->cells[(size_t)g * x->width + k] = s->cells[x->first + k - s->from];
    }
}

static void take_cells(struct filling *x, const struct cell_table *t)
{
    for (uint32_t g = 0; g < x->r->ngroups; g++)
        for (uint32_t k = 0; x->series[g] && k < x->width; k++) {
            size_t at = (size_t)g * x->width + k;
            if (t->touched[at] && x->first + k < x->w->n)
                *windows_cell(x->w, windows_series(x->w, x->series[g] - 1), x->first + k) = t->cells[at];
        }
}

static void fill_cells(struct filling *x)
{
    size_t cells = (size_t)x->r->ngroups * x->width;
    struct cell_table t = { arena_new(&x->mem, struct wcell, cells), arena_new(&x->mem, uint8_t, cells) };
    struct strip s;
    load_cells(x, &t);
    for (uint32_t from = 0; from < x->r->n; from += WROWS_STRIP) {
        strip_fill(x, from, &s);
        (x->mode <= CELL_OVERLAP ? add_strip : keep_strip)(x, &t, &s);
    }
    take_cells(x, &t);
}

/* Makes the first and the last cell of each series, so that none of them moves from now on. */
static void make_ends(struct filling *x)
{
    for (uint32_t g = 0; g < x->r->ngroups; g++)
        for (uint32_t i = 0; x->series[g] && i < 2; i++) {
            uint32_t k = i ? MIN(x->first + x->width, x->w->n) - 1 : x->first;
            windows_cell(x->w, windows_series(x->w, x->series[g] - 1), k);
        }
}

static void keep_values(struct filling *x, const struct strip *s)
{
    struct windows *w = x->w;
    for (uint32_t i = 0; i < s->n; i++) {
        struct wcell **known = &x->cells[s->cell[i]], *c = *known;
        if (!c) {
            uint32_t g = s->cell[i] / x->width, k = x->first + s->cell[i] % x->width;
            c = *known = windows_cell(w, windows_series(w, x->series[g] - 1), k);
        }
        windows_value(w, c, s->value[i]);
    }
}

/* A quantile's numbers go straight to the cells of the series. */
static enum err fill_values(struct filling *x, struct fault *f)
{
    struct strip s;
    enum err e = OK;
    make_ends(x);
    x->cells = arena_new(&x->mem, struct wcell *, (size_t)x->r->ngroups * x->width);
    for (uint32_t from = 0; from < x->r->n && !e; from += WROWS_STRIP) {
        strip_fill(x, from, &s);
        keep_values(x, &s);
        e = query_hold(x->w->ctx, s.n, f);
    }
    return e;
}

/* Points that are kept, and tables that would be too large: one by one. */
static enum err fill_series(struct filling *x, struct fault *f)
{
    const struct wrows *r = x->r;
    struct strip s;
    enum err e = OK;
    for (uint32_t from = 0; from < r->n && !e; from += WROWS_STRIP) {
        s.n = MIN(r->n - from, (uint32_t)WROWS_STRIP);
        r->groups(r->arg, from, s.n, s.cell);
        if (r->values)
            r->values(r->arg, from, s.n, s.value);
        strip_times(x, from, &s);
        for (uint32_t i = 0; i < s.n && !e; i++)
            e = windows_add(x->w, x->series[s.cell[i]] - 1, s.time[i], r->values ? s.value[i] : 1, f);
    }
    return e;
}

/* ---- a block ------------------------------------------------------------------------------------ */

/* The windows that the rows enter and leave. */
static void find_width(struct filling *x)
{
    const struct wrows *r = x->r;
    x->first = 0;
    x->width = x->w->n == 1 ? 1 : x->w->n + 1;
    if (x->w->n == 1 || (uint64_t)x->width * r->ngroups <= CELLS_FEW)
        return;
    int64_t t0 = INT64_MAX, t1 = INT64_MIN;
    for (uint32_t i = 0; i < r->n; i++) {
        int64_t t = r->time[r->rows ? r->rows[i] : i];
        t0 = MIN(t0, t);
        t1 = MAX(t1, t);
    }
    x->first = windows_find(x->w, t0, &x->enters);
    x->width = windows_find(x->w, x->mode == CELL_OVERLAP ? t1 + x->w->range_ns : t1, &x->enters) - x->first + 1;
}

/* Which groups occur, and their series. */
static void find_series(struct filling *x)
{
    const struct wrows *r = x->r;
    struct strip s;
    x->series = arena_new(&x->mem, uint32_t, r->ngroups);
    for (uint32_t from = 0; from < r->n; from += WROWS_STRIP) {
        s.n = MIN(r->n - from, (uint32_t)WROWS_STRIP);
        r->groups(r->arg, from, s.n, s.cell);
        for (uint32_t i = 0; i < s.n; i++)
            x->series[s.cell[i]] = 1;
    }
    uint32_t groups = 0, most = 0;
    for (uint32_t g = 0; g < r->ngroups; g++)
        if (x->series[g]) {
            x->series[g] = r->series(r->arg, g) + 1;
            windows_series(x->w, x->series[g] - 1);
            most = MAX(most, x->series[g]);
            groups++;
        }
    bool *taken = groups > 1 ? arena_new(&x->mem, bool, most + 1) : NULL;
    for (uint32_t g = 0; taken && g < r->ngroups; g++)
        if (x->series[g]) {
            x->shared |= taken[x->series[g]];
            taken[x->series[g]] = true;
        }
}

enum err windows_add_rows(struct windows *w, const struct wrows *r, struct arena scratch, struct fault *f)
{
    CHECK(r->ngroups && r->ngroups <= WROWS_GROUPS_MAX);
    struct filling x = { .w = w, .r = r, .mode = windows_mode(w), .mem = scratch };
    if (!r->n)
        return OK;
    find_width(&x);
    bool dense = (uint64_t)r->ngroups * x.width <= CELLS_MAX;
    if (dense && !r->values && x.mode <= CELL_OVERLAP) {
        fill_counts(&x);
        return OK;
    }
    find_series(&x);
    if (dense && x.mode == CELL_VALUES)
        return fill_values(&x, f);
    if (!dense || x.mode == CELL_NONE || x.shared)
        return fill_series(&x, f);
    CHECK(r->values);
    fill_cells(&x);
    return OK;
}
