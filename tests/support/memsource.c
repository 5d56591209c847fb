/* tests/support/memsource.c -- see memsource.h. Rows are kept as they came; a scan
 * filters and sorts them once, then builds one block after another. */
#include "memsource.h"

#include <stdlib.h>
#include <string.h>

enum { COLS_MAX = 256 };

struct col_name {
    enum place place;
    struct str name;
};

struct stored {
    struct mem_row row;
    struct value *cell;                            /* by column of its table, NULL past ncell */
    uint32_t ncell;
    uint64_t seq;
};

struct table_rows {
    struct col_name cols[COLS_MAX];
    uint32_t ncols;
    struct stored *rows;
    uint32_t n, cap;
};

struct memsource {
    struct source src;                             /* first: a source is its memsource */
    struct arena mem;
    struct table_rows tables[TABLE_COUNT];
    struct metric_meta metas[64];
    uint32_t nmetas, block_rows, scans, base_keys;
    uint64_t seq;
};

struct scan {
    struct memsource *m;
    const struct table_rows *t;
    enum scan_order order;
    const struct stored **rows;
    uint32_t n, at;
    struct arena mem;                              /* one block */
    struct block block;
    struct scan_stats stats;
    bool *wanted;
    bool by_series;
    bool *narrow_by;
    void (*narrow)(void *arg, struct block *b, uint32_t *sel);
    void *narrow_arg;
};

static struct memsource *of(struct source *s)
{
    return (struct memsource *)(void *)s;
}

/* ---- filling --------------------------------------------------------------- */

static uint32_t column(struct memsource *m, struct table_rows *t, enum place place, struct str name)
{
    for (uint32_t i = 0; i < t->ncols; i++)
        if (t->cols[i].place == place && str_eq(t->cols[i].name, name))
            return i;
    CHECK(t->ncols < COLS_MAX);
    t->cols[t->ncols] = (struct col_name){ place, arena_str(&m->mem, name) };
    return t->ncols++;
}

static struct value copy_value(struct arena *mem, struct value v)
{
    if (v.type == V_STR || v.type == V_BYTES || v.type == V_JSON)
        v.s = arena_str(mem, v.s);
    return v;
}

void memsource_add(struct memsource *m, const struct mem_row *r)
{
    struct table_rows *t = &m->tables[r->table];
    struct stored *s = arena_push(&m->mem, t->rows, t->n, t->cap);
    *s = (struct stored){ .row = *r, .seq = ++m->seq };
    for (uint32_t i = 0; i < r->ncells; i++)
        column(m, t, r->cells[i].place, str_c(r->cells[i].name));
    s->cell = arena_new(&m->mem, struct value, t->ncols);
    s->ncell = t->ncols;
    for (uint32_t i = 0; i < r->ncells; i++)
        s->cell[column(m, t, r->cells[i].place, str_c(r->cells[i].name))] = copy_value(&m->mem, r->cells[i].v);
    s->row.cells = NULL;
}

void memsource_sample(struct memsource *m, int64_t time_ns, double value, const char *const *labels)
{
    struct mem_cell cells[64];
    uint32_t n = 0;
    for (; labels[2 * n]; n++) {
        CHECK(n < LEN(cells));
        cells[n] = (struct mem_cell){ PLACE_LABEL, labels[2 * n], value_str(str_c(labels[2 * n + 1])) };
    }
    memsource_add(m, &(struct mem_row){
        .table = TABLE_SAMPLE, .time_ns = time_ns, .recv_ns = time_ns, .value = value,
        .origin = ORIGIN_REMOTE, .cells = cells, .ncells = n,
    });
}

void memsource_meta(struct memsource *m, const char *name, enum metric_type type, const char *unit, const char *help)
{
    CHECK(m->nmetas < LEN(m->metas));
    m->metas[m->nmetas++] = (struct metric_meta){
        arena_str(&m->mem, str_c(name)), type, arena_str(&m->mem, str_c(unit)), arena_str(&m->mem, str_c(help)),
    };
}

/* ---- one row against matchers ---------------------------------------------- */

static struct value cell_of(const struct stored *s, uint32_t col)
{
    return col < s->ncell ? s->cell[col] : (struct value){ 0 };
}

static bool name_is(const struct col_name *c, struct str label)
{
    return str_eq(c->name, label) || (c->place != PLACE_LABEL && c->place != PLACE_FIELD && label_name_is(c->name, label));
}

static struct value row_label(const struct table_rows *t, const struct stored *s, struct str label, uint32_t places)
{
    static const enum place order[] = { PLACE_LABEL, PLACE_ATTR, PLACE_SCOPE, PLACE_RESOURCE, PLACE_FIELD };
    for (size_t k = 0; k < LEN(order); k++) {
        if (places && !(places >> order[k] & 1))
            continue;
        for (uint32_t i = 0; i < t->ncols; i++) {
            if (t->cols[i].place != order[k] || !name_is(&t->cols[i], label))
                continue;
            struct value v = cell_of(s, i);
            if (v.type != V_NONE)
                return v;
        }
    }
    return (struct value){ 0 };
}

static bool row_matches(const struct table_rows *t, const struct stored *s, const struct matcher *m, uint32_t nm)
{
    for (uint32_t i = 0; i < nm; i++) {
        char scratch[VALUE_TEXT_MAX];
        struct value v = row_label(t, s, m[i].label, m[i].places);
        if (!matcher_test(&m[i], value_text(&v, scratch)))
            return false;
    }
    return true;
}

/* ---- scans ----------------------------------------------------------------- */

static int oldest_first(const void *a, const void *b)
{
    const struct stored *x = *(const struct stored *const *)a, *y = *(const struct stored *const *)b;
    if (x->row.time_ns != y->row.time_ns)
        return x->row.time_ns < y->row.time_ns ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static int newest_first(const void *a, const void *b)
{
    return oldest_first(b, a);
}

static bool *wanted_columns(const struct table_rows *t, bool all, const struct str *labels, uint32_t nlabels)
{
    bool *w = mem_alloc(t->ncols + 1);
    for (uint32_t i = 0; i < t->ncols; i++) {
        w[i] = all;
        for (uint32_t k = 0; k < nlabels; k++)
            w[i] |= name_is(&t->cols[i], labels[k]);
    }
    return w;
}

static enum err ms_scan_begin(struct source *src, const struct scan_req *req, struct scan **ret, struct fault *f)
{
    (void)f;
    struct memsource *m = of(src);
    struct scan *sc = mem_alloc(sizeof *sc);
    sc->m = m;
    sc->t = &m->tables[req->table];
    sc->order = req->order;
    sc->by_series = req->by_series && req->table == TABLE_SAMPLE;
    sc->rows = mem_alloc(sizeof *sc->rows * ((size_t)sc->t->n + 1));
    sc->wanted = wanted_columns(sc->t, req->all_labels, req->labels, req->nlabels);
    sc->narrow_by = wanted_columns(sc->t, false, req->narrow_by, req->nnarrow_by);
    sc->narrow = req->narrow;
    sc->narrow_arg = req->narrow_arg;
    arena_init(&sc->mem, 64u << 20);
    m->scans++;
    for (uint32_t i = 0; i < sc->t->n; i++) {
        const struct stored *s = &sc->t->rows[i];
        if (s->row.time_ns >= req->from_ns && s->row.time_ns < req->to_ns && s->row.recv_ns >= req->recv_after_ns &&
            row_matches(sc->t, s, req->matchers, req->nmatchers))
            sc->rows[sc->n++] = s;
    }
    if (req->order == SCAN_NEWEST_FIRST)
        qsort(sc->rows, sc->n, sizeof *sc->rows, newest_first);
    else if (req->order == SCAN_OLDEST_FIRST)
        qsort(sc->rows, sc->n, sizeof *sc->rows, oldest_first);
    *ret = sc;
    return OK;
}

/* A column of one block: codes into a dictionary in order of first sight. */
static struct column make_column(struct scan *sc, uint32_t col, uint32_t from, uint32_t n)
{
    struct value *dict = arena_new(&sc->mem, struct value, n + 1);
    uint32_t *code = arena_new(&sc->mem, uint32_t, n);
    uint32_t ndict = 1;
    for (uint32_t i = 0; i < n; i++) {
        struct value v = cell_of(sc->rows[from + i], col);
        if (v.type == V_NONE)
            continue;
        uint32_t k = 1;
        while (k < ndict && !value_eq(&dict[k], &v))
            k++;
        if (k == ndict)
            dict[ndict++] = v;
        code[i] = k;
    }
    return (struct column){
        .key = { sc->t->cols[col].place, sc->t->cols[col].name }, .code = code, .dict = dict, .ndict = ndict,
    };
}

static void make_fixed(struct scan *sc, uint32_t from, uint32_t n)
{
    int64_t *time = arena_new(&sc->mem, int64_t, n), *recv = arena_new(&sc->mem, int64_t, n);
    int64_t *start = arena_new(&sc->mem, int64_t, n), *claimed = arena_new(&sc->mem, int64_t, n);
    double *value = arena_new(&sc->mem, double, n);
    uint8_t *temporality = arena_new(&sc->mem, uint8_t, n), *origin = arena_new(&sc->mem, uint8_t, n);
    uint64_t *seq = arena_new(&sc->mem, uint64_t, n);
    uint32_t *sel = sc->by_series ? NULL : arena_new(&sc->mem, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct mem_row *r = &sc->rows[from + i]->row;
        time[i] = r->time_ns;
        recv[i] = r->recv_ns;
        start[i] = r->start_ns;
        claimed[i] = r->claimed_ns;
        value[i] = r->value;
        temporality[i] = (uint8_t)r->temporality;
        origin[i] = (uint8_t)r->origin;
        seq[i] = sc->rows[from + i]->seq;
        if (sel)
            sel[i] = i;
    }
    sc->block = (struct block){
        .n = n, .sel = sel, .nsel = n, .time_ns = time, .recv_ns = recv, .start_ns = start, .claimed_ns = claimed,
        .value = value, .temporality = temporality, .origin = origin, .seq = seq,
    };
}

static void make_columns(struct scan *sc, const bool *wanted, uint32_t n)
{
    struct column *cols = arena_new(&sc->mem, struct column, sc->t->ncols);
    uint32_t ncols = 0;
    for (uint32_t c = 0; c < sc->t->ncols; c++)
        if (wanted[c])
            cols[ncols++] = make_column(sc, c, sc->at, n);
    sc->block.cols = cols;
    sc->block.ncols = ncols;
}

/* ---- runs ------------------------------------------------------------------ */

enum { RUN_ROWS_MAX = 9 };                         /* a longer stretch of a series becomes several runs */

static int by_text(const struct value *a, const struct value *b)
{
    if (a->type != V_STR || b->type != V_STR)
        return (a->type == V_STR) - (b->type == V_STR);
    return str_cmp(a->s, b->s);
}

/* Labels, temporality, origin: 0 for rows of one run. */
static int by_run(const struct stored *x, const struct stored *y, const struct table_rows *t)
{
    for (uint32_t c = 0; c < t->ncols; c++) {
        if (t->cols[c].place != PLACE_LABEL)
            continue;
        struct value a = cell_of(x, c), b = cell_of(y, c);
        int order = by_text(&a, &b);
        if (order)
            return order;
    }
    if (x->row.temporality != y->row.temporality)
        return x->row.temporality < y->row.temporality ? -1 : 1;
    return (x->row.origin > y->row.origin) - (x->row.origin < y->row.origin);
}

static const struct table_rows *sorting;           /* of the one scan that sorts */

static int by_run_then_time(const void *a, const void *b)
{
    int order = by_run(*(const struct stored *const *)a, *(const struct stored *const *)b, sorting);
    return order ? order : oldest_first(a, b);
}

static void sort_runs(struct scan *sc, uint32_t n)
{
    sorting = sc->t;
    qsort(sc->rows + sc->at, n, sizeof *sc->rows, by_run_then_time);
}

/* The rows of the block as runs; ret_first[i] is the first row of run i. */
static uint32_t *make_runs(struct scan *sc, uint32_t n)
{
    const struct stored **r = sc->rows + sc->at;
    uint32_t *end = arena_new(&sc->mem, uint32_t, n + 1), *first = arena_new(&sc->mem, uint32_t, n + 1), runs = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool same = i && !by_run(r[i - 1], r[i], sc->t) && i - first[runs - 1] < RUN_ROWS_MAX;
        if (!same)
            first[runs++] = i;
        end[runs - 1] = i + 1;
    }
    sc->block.run_end = end;
    sc->block.nruns = runs;
    return first;
}

/* Of label columns, temporality and origin an element a run is left. */
static void shrink_to_runs(struct scan *sc, const uint32_t *first)
{
    struct block *b = &sc->block;
    uint8_t *temporality = arena_new(&sc->mem, uint8_t, b->nruns), *origin = arena_new(&sc->mem, uint8_t, b->nruns);
    for (uint32_t i = 0; i < b->nruns; i++) {
        temporality[i] = b->temporality[first[i]];
        origin[i] = b->origin[first[i]];
    }
    b->temporality = temporality;
    b->origin = origin;
    struct column *cols = (struct column *)(uintptr_t)b->cols;
    for (uint32_t c = 0; c < b->ncols; c++) {
        if (cols[c].key.place != PLACE_LABEL)
            continue;
        uint32_t *code = arena_new(&sc->mem, uint32_t, b->nruns);
        for (uint32_t i = 0; i < b->nruns; i++)
            code[i] = column_code(&cols[c], first[i]);
        cols[c].code = code;
    }
}

/* As the store does: a block of which little is left becomes a short one. */
static void narrow_block(struct scan *sc, uint32_t n)
{
    struct block *b = &sc->block;
    uint32_t *sel = arena_new(&sc->mem, uint32_t, n);
    make_columns(sc, sc->narrow_by, n);
    sc->narrow(sc->narrow_arg, b, sel);
    b->sel = sel;
    if (b->nsel > n / 2)
        return;
    for (uint32_t i = 0; i < b->nsel; i++)
        sc->rows[sc->at + i] = sc->rows[sc->at + sel[i]];
    make_fixed(sc, sc->at, b->nsel);
}

static enum err ms_scan_next(struct scan *sc, const struct block **ret, struct fault *f)
{
    (void)f;
    if (sc->at >= sc->n) {
        *ret = NULL;
        return OK;
    }
    arena_reset(&sc->mem);
    uint32_t n = MIN(sc->m->block_rows, sc->n - sc->at);
    if (sc->by_series)
        sort_runs(sc, n);
    make_fixed(sc, sc->at, n);
    const uint32_t *first = sc->by_series ? make_runs(sc, n) : NULL;
    if (sc->narrow)
        narrow_block(sc, n);
    make_columns(sc, sc->wanted, sc->block.n);
    if (first)
        shrink_to_runs(sc, first);
    sc->at += n;
    sc->block.next_bound = sc->at < sc->n ? sc->rows[sc->at]->row.time_ns
                           : sc->order == SCAN_NEWEST_FIRST ? INT64_MIN : INT64_MAX;
    sc->stats.chunks++;
    sc->stats.rows_read += n;
    *ret = &sc->block;
    return OK;
}

static struct scan_stats ms_scan_end(struct scan *sc)
{
    struct scan_stats stats = sc->stats;
    arena_done(&sc->mem);
    mem_free(sc->rows);
    mem_free(sc->wanted);
    mem_free(sc->narrow_by);
    mem_free(sc);
    return stats;
}

/* ---- bases ----------------------------------------------------------------- */

static bool same_labels(const struct table_rows *t, const struct stored *s, const struct base_key *k,
                        const struct str *names)
{
    uint32_t present = 0;
    for (uint32_t c = 0; c < t->ncols; c++)
        present += cell_of(s, c).type != V_NONE;
    if (present != k->nlabels)
        return false;
    for (uint32_t i = 0; i < k->nlabels; i++) {
        struct value v = row_label(t, s, names[k->labels[i].col], 1u << PLACE_LABEL);
        if (!value_eq(&v, &k->labels[i].v))
            return false;
    }
    return true;
}

static int by_start_then_time(const void *a, const void *b)
{
    const struct stored *x = *(const struct stored *const *)a, *y = *(const struct stored *const *)b;
    if (x->row.start_ns != y->row.start_ns)
        return x->row.start_ns < y->row.start_ns ? -1 : 1;
    return oldest_first(a, b);
}

/* The rows of the key up to `at`, one stream after another; the value they add up to. */
static void answer(const struct stored **rows, uint32_t n, struct base_key *k)
{
    const int64_t gap = 35 * NS_PER_DAY;
    double total = 0, greatest = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct mem_row *r = &rows[i]->row, *prev = i ? &rows[i - 1]->row : NULL;
        bool fresh = !prev || prev->start_ns != r->start_ns;
        k->known = true;
        k->last_ns = MAX(k->last_ns, r->time_ns);
        if (k->temporality == TEMPORALITY_DELTA) {
            total = prev && r->time_ns - prev->time_ns > gap ? r->value : total + r->value;
            continue;
        }
        if (fresh || r->time_ns - prev->time_ns > gap || (!r->start_ns && r->value < prev->value)) {
            total += greatest;
            greatest = 0;
        }
        greatest = MAX(greatest, r->value);
    }
    k->base = k->temporality == TEMPORALITY_CUMULATIVE && k->start_ns != BASE_ALL_STREAMS ? greatest : total + greatest;
}

static enum err ms_bases(struct source *src, const struct matcher *mt, uint32_t nm, int64_t at_ns,
                         const struct str *names, struct base_key *keys, size_t nkeys, struct fault *f)
{
    (void)f;
    struct memsource *m = of(src);
    const struct table_rows *t = &m->tables[TABLE_SAMPLE];
    const struct stored **rows = mem_alloc(sizeof *rows * ((size_t)t->n + 1));
    for (size_t i = 0; i < nkeys; i++) {
        struct base_key *k = &keys[i];
        m->base_keys++;
        k->base = 0;
        k->known = false;
        k->last_ns = INT64_MIN;
        uint32_t n = 0;
        for (uint32_t r = 0; r < t->n; r++) {
            const struct stored *s = &t->rows[r];
            bool stream = k->temporality == TEMPORALITY_DELTA || k->start_ns == BASE_ALL_STREAMS ||
                          s->row.start_ns == k->start_ns;
            if (s->row.temporality == k->temporality && stream && s->row.time_ns <= at_ns &&
                row_matches(t, s, mt, nm) && same_labels(t, s, k, names))
                rows[n++] = s;
        }
        qsort(rows, n, sizeof *rows, k->temporality == TEMPORALITY_DELTA ? oldest_first : by_start_then_time);
        answer(rows, n, k);
        if (k->known && at_ns - k->last_ns > 35 * NS_PER_DAY)
            k->known = false;
    }
    mem_free(rows);
    return OK;
}

/* ---- names, values, metadata ----------------------------------------------- */

static bool row_in(const struct table_rows *t, const struct stored *s, const struct scan_req *req)
{
    return s->row.time_ns >= req->from_ns && s->row.time_ns < req->to_ns &&
           row_matches(t, s, req->matchers, req->nmatchers);
}

static enum err ms_label_names(struct source *src, const struct scan_req *req,
                               void (*each)(void *arg, enum place place, struct str name), void *arg, struct fault *f)
{
    (void)f;
    const struct table_rows *t = &of(src)->tables[req->table];
    for (uint32_t i = 0; i < t->n; i++)
        if (row_in(t, &t->rows[i], req))
            for (uint32_t c = 0; c < t->ncols; c++)
                if (cell_of(&t->rows[i], c).type != V_NONE)
                    each(arg, t->cols[c].place, t->cols[c].name);
    return OK;
}

static enum err ms_label_values(struct source *src, const struct scan_req *req, struct str label,
                                void (*each)(void *arg, struct str value), void *arg, struct fault *f)
{
    (void)f;
    const struct table_rows *t = &of(src)->tables[req->table];
    for (uint32_t i = 0; i < t->n; i++) {
        if (!row_in(t, &t->rows[i], req))
            continue;
        char scratch[VALUE_TEXT_MAX];
        struct value v = row_label(t, &t->rows[i], label, 0);
        if (v.type != V_NONE)
            each(arg, value_text(&v, scratch));
    }
    return OK;
}

static void ms_metas(struct source *src, void (*each)(void *arg, const struct metric_meta *m), void *arg)
{
    struct memsource *m = of(src);
    for (uint32_t i = 0; i < m->nmetas; i++)
        each(arg, &m->metas[i]);
}

static uint32_t ms_watch(struct source *src, void (*fn)(void *arg, uint64_t seq), void *arg)
{
    (void)src, (void)fn, (void)arg;
    return 0;
}

static void ms_unwatch(struct source *src, uint32_t handle)
{
    (void)src, (void)handle;
}

static void ms_stats(struct source *src, struct source_stats *ret)
{
    struct memsource *m = of(src);
    *ret = (struct source_stats){ .seq = m->seq };
    for (int t = 0; t < TABLE_COUNT; t++)
        ret->rows[t] = m->tables[t].n;
}

/* ---- life ------------------------------------------------------------------ */

struct memsource *memsource_new(void)
{
    struct memsource *m = mem_alloc(sizeof *m);
    m->src = (struct source){
        .scan_begin = ms_scan_begin, .scan_next = ms_scan_next, .scan_end = ms_scan_end, .bases = ms_bases,
        .label_names = ms_label_names, .label_values = ms_label_values, .metas = ms_metas,
        .watch = ms_watch, .unwatch = ms_unwatch, .stats = ms_stats,
    };
    m->block_rows = 1000;
    arena_init(&m->mem, 512u << 20);
    return m;
}

void memsource_free(struct memsource *m)
{
    if (!m)
        return;
    arena_done(&m->mem);
    mem_free(m);
}

struct source *memsource_source(struct memsource *m)
{
    return &m->src;
}

void memsource_set_block_rows(struct memsource *m, uint32_t rows)
{
    CHECK(rows);
    m->block_rows = rows;
}

void memsource_clear(struct memsource *m)
{
    arena_reset(&m->mem);
    memset(m->tables, 0, sizeof m->tables);
    m->nmetas = 0;
}

uint32_t memsource_scans(const struct memsource *m)
{
    return m->scans;
}

uint32_t memsource_base_keys(const struct memsource *m)
{
    return m->base_keys;
}
