/* promql/select.c -- from a selector to series of points.
 *
 * A scan's rows are put together by series (query/rowset.h) in two passes: all rows
 * into one flat list, then by counting into one stretch a series. A series whose
 * rows carry increments or totals goes through accounted.c; any other is what was
 * stored, of equal times the first to arrive. The caller is handed one series after
 * another, so that only one has its points in this form at a time.
 *
 * The scan reaches 60 s further on both sides than what is asked for, since a point
 * of an accounted series also shows as a sample up to 60 s before its time, and
 * where depends on the point before it. Bases are asked for in one call.
 *
 * Only when some row is of a lower source than OTLP, or the query names ccmon_source,
 * is it decided which rows count (sources.h): the others leave the list before it is
 * sorted. Series that are shown with their source become one series for each, and those
 * of sessions with several targets come whole from targets.h, with nothing to ask bases for.
 */
#include <stdlib.h>

#include "model/names.h"
#include "promql/eval_int.h"
#include "promql/targets.h"
#include "query/rowset.h"

#define TIME_MS_MAX (INT64_MAX / NS_PER_MS - 1)

enum { SERIES_MEMORY = 64 << 20 };                 /* budget of one series' points; more is still given */

struct raw {
    uint32_t series;
    uint8_t temporality, origin;
    bool histogram;                                /* v is a NaN that carries its place in job.histograms */
    int64_t t;                                     /* ms */
    int64_t start_ns;
    double v;
    uint64_t seq;
};

struct rows {
    struct raw *at;                                /* heap */
    size_t n, cap;
};

struct job {
    struct eval *ev;
    const struct select_req *req;
    struct spelling spelling;                      /* the matchers to scan with */
    int64_t from_ns, to_ns;
    struct rows rows, sorted;
    struct str *histograms;                        /* stored bytes, in the query's arena */
    uint64_t nhistograms, cap_histograms;
    uint32_t *first;                               /* by series: its stretch of sorted */
    struct rowset set;
    bool sources;                                  /* it is to be decided which rows count */
    struct labels *labels;                         /* by series: as stored, and as shown */
    struct labels *shown;
    uint32_t nseries;
    struct target_series *targets;                 /* series with all their rows */
    uint32_t ntargets;
    struct arena mem;                              /* of the series at hand */
};

static void rows_done(struct rows *r)
{
    mem_free(r->at);
}

static int64_t ms_to_ns(int64_t ms)
{
    int64_t capped = MIN(ms, TIME_MS_MAX);
    return MAX(capped, -TIME_MS_MAX) * NS_PER_MS;
}

/* Downwards, also before 1970. */
static int64_t ns_to_ms(int64_t ns)
{
    return ns / NS_PER_MS - (ns % NS_PER_MS < 0);
}

/* ---- rows ------------------------------------------------------------------ */

static bool has_lower(const struct block *b)
{
    for (uint32_t i = 0; i < b->nsel; i++)
        if (b->origin[b->sel[i]] != ORIGIN_OTLP)
            return true;
    return false;
}

/* The column of native histograms; NULL in nearly all blocks. */
static const struct column *histogram_column(const struct block *b)
{
    for (uint32_t i = 0; i < b->ncols; i++)
        if (colkey_is_histogram(&b->cols[i].key))
            return &b->cols[i];
    return NULL;
}

static const uint64_t place_bits = UINT64_C(0x7ff8000000000000);

static void take_histogram(struct job *j, const struct column *c, uint32_t row, struct raw *r)
{
    struct value v = column_value(c, row);
    if (v.type != V_BYTES)
        return;
    uint64_t bits = place_bits | j->nhistograms;
    struct arena *mem = j->ev->q->mem;
    struct str bytes = arena_str(mem, v.s);
    *arena_push(mem, j->histograms, j->nhistograms, j->cap_histograms) = bytes;
    memcpy(&r->v, &bits, sizeof r->v);
    r->histogram = true;
}

/* Resets are told from the data, as Prometheus does when it stores a histogram: what a sender
 * says of them is no more than "unknown". */
static enum err read_histogram(struct job *j, const struct raw *r, const struct histogram **ret, struct fault *f)
{
    uint64_t bits;
    memcpy(&bits, &r->v, sizeof bits);
    struct histogram *h = arena_new(&j->mem, struct histogram, 1);
    enum err e = histogram_decode(j->histograms[bits & ~place_bits], &j->mem, h, f);
    if (h->hint != HINT_GAUGE)
        h->hint = HINT_UNKNOWN;
    *ret = h;
    return e;
}

static enum err take_block(struct job *j, const struct block *b, struct fault *f)
{
    uint32_t *ids = mem_alloc(sizeof *ids * ((size_t)b->nsel + 1));
    enum err e = rowset_block(&j->set, b, ids, f);
    if (!e)
        e = query_hold(j->ev->q, b->nsel, f);
    if (!e && j->rows.n + b->nsel > j->rows.cap) {
        j->rows.cap = MAX(2 * j->rows.cap, j->rows.n + b->nsel);
        j->rows.at = mem_resize(j->rows.at, sizeof *j->rows.at * j->rows.cap);
    }
    j->sources = j->sources || has_lower(b);
    const struct column *histograms = histogram_column(b);
    for (uint32_t i = 0; i < b->nsel && !e; i++) {
        uint32_t r = b->sel[i];
        j->rows.at[j->rows.n++] = (struct raw){
            .series = ids[i],
            .temporality = b->temporality[r],
            .origin = b->origin[r],
            .t = ns_to_ms(b->time_ns[r]),
            .start_ns = b->start_ns[r],
            .v = b->value[r],
            .seq = b->seq ? b->seq[r] : 0,
        };
        if (histograms)
            take_histogram(j, histograms, r, &j->rows.at[j->rows.n - 1]);
    }
    mem_free(ids);
    return e;
}

static enum err scan_rows(struct job *j, struct fault *f)
{
    struct query_ctx *q = j->ev->q;
    struct scan_req req = {
        .table = TABLE_SAMPLE,
        .from_ns = j->from_ns,
        .to_ns = j->to_ns,
        .matchers = j->spelling.matchers,
        .nmatchers = j->spelling.nmatchers,
        .all_labels = true,
        .without = WITHOUT_RECV | WITHOUT_CLAIMED,
        .rows_max = q->limits ? q->limits->rows_max : 0,
        .deadline_mono_ns = q->deadline_mono_ns,
        .cancelled = q->cancelled,
    };
    struct scan *sc;
    enum err e = query_scan_begin(q, &req, &sc, f);
    if (e)
        return e;
    const struct block *b;
    while (!(e = q->src->scan_next(sc, &b, f)) && b) {
        e = take_block(j, b, f);
        if (e)
            break;
    }
    query_scan_end(q, sc);
    return e;
}

/* ---- sources --------------------------------------------------------------- */

static struct sighted *sight_series(const struct job *j)
{
    struct sighted *s = arena_new(j->ev->q->mem, struct sighted, j->set.n);
    for (uint32_t i = 0; i < j->set.n; i++)
        s[i].labels = j->set.series[i];
    for (size_t i = 0; i < j->rows.n; i++) {
        const struct raw *r = &j->rows.at[i];
        s[r->series].bits |= 1u << MIN(r->origin, (uint8_t)31);
        s[r->series].accounted |= r->temporality != TEMPORALITY_NONE;
    }
    return s;
}

static bool row_counts(const struct raw *r, const struct sighted *s)
{
    bool elsewhere = s->targets && r->origin == ORIGIN_SCRAPE && r->temporality == TEMPORALITY_CUMULATIVE;
    return r->origin < 32 && s->keep >> r->origin & 1 && !elsewhere;
}

/* Leaves the rows that count. */
static void keep_rows(struct job *j, const struct sighted *s)
{
    size_t n = 0;
    for (size_t i = 0; i < j->rows.n; i++)
        if (row_counts(&j->rows.at[i], &s[j->rows.at[i].series]))
            j->rows.at[n++] = j->rows.at[i];
    j->rows.n = n;
}

/* One series for each origin of a series. */
static void split_by_origin(struct job *j)
{
    struct query_ctx *q = j->ev->q;
    uint32_t(*ids)[ORIGIN_TRANSCRIPT + 1] = arena_alloc(q->mem, sizeof *ids * ((size_t)j->set.n + 1), _Alignof(uint32_t));
    uint32_t cap = 0, ncap = 0, n = 0;
    j->labels = NULL;
    j->shown = NULL;
    j->nseries = 0;
    for (size_t i = 0; i < j->rows.n; i++) {
        struct raw *r = &j->rows.at[i];
        uint32_t *id = &ids[r->series][r->origin];
        if (!*id) {
            struct labels l = j->set.series[r->series];
            *arena_push(q->mem, j->labels, n, ncap) = l;
            *arena_push(q->mem, j->shown, j->nseries, cap) = sources_labels(&j->spelling, q->mem, l, (enum origin)r->origin);
            *id = n;
        }
        r->series = *id - 1;
    }
}

static void name_series(struct job *j)
{
    j->nseries = j->set.n;
    j->labels = j->set.series;
    j->shown = arena_new(j->ev->q->mem, struct labels, j->set.n);
    for (uint32_t i = 0; i < j->set.n; i++)
        j->shown[i] = spelling_labels(&j->spelling, j->ev->q->mem, j->set.series[i]);
}

static enum err apply_sources(struct job *j, struct fault *f)
{
    if (!j->sources) {
        name_series(j);
        return OK;
    }
    struct query_ctx *q = j->ev->q;
    struct sighted *s = sight_series(j);
    enum err e = sources_decide(q, &j->spelling, s, j->set.n, f);
    if (!e)
        e = targets_read(q, &j->spelling, s, j->set.n, &j->targets, &j->ntargets, f);
    if (e)
        return e;
    keep_rows(j, s);
    if (j->spelling.show_source)
        split_by_origin(j);
    else
        name_series(j);
    return OK;
}

/* Rows by series; j->first[s] .. j->first[s + 1] is the stretch of series s. */
static void sort_by_series(struct job *j)
{
    uint32_t n = j->nseries;
    j->first = arena_new(j->ev->q->mem, uint32_t, n + 2);
    for (size_t i = 0; i < j->rows.n; i++)
        j->first[j->rows.at[i].series + 2]++;
    for (uint32_t s = 2; s < n + 2; s++)
        j->first[s] += j->first[s - 1];
    j->sorted.at = mem_alloc(sizeof *j->sorted.at * (j->rows.n + 1));
    j->sorted.n = j->rows.n;
    for (size_t i = 0; i < j->rows.n; i++)
        j->sorted.at[j->first[j->rows.at[i].series + 1]++] = j->rows.at[i];
    mem_free(j->rows.at);
    j->rows = (struct rows){ 0 };
}

/* ---- plain series ---------------------------------------------------------- */

static int by_time_then_arrival(const void *a, const void *b)
{
    const struct raw *x = a, *y = b;
    if (x->t != y->t)
        return x->t < y->t ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static enum err plain_series(struct job *j, struct raw *r, size_t n, struct points *ret, struct fault *f)
{
    for (size_t i = 1; i < n; i++)
        if (by_time_then_arrival(&r[i - 1], &r[i]) > 0) {
            qsort(r, n, sizeof *r, by_time_then_arrival);
            break;
        }
    int64_t *t = arena_new(&j->mem, int64_t, n);
    double *v = arena_new(&j->mem, double, n);
    const struct histogram **h = NULL;
    enum err e = OK;
    for (size_t i = 0; i < n && !e; i++) {
        bool in_range = r[i].t > j->req->after_ms && r[i].t <= j->req->to_ms;
        bool again = ret->n && t[ret->n - 1] == r[i].t;
        if (!in_range || again || (j->req->drop_stale && value_is_absent(r[i].v)))
            continue;
        t[ret->n] = r[i].t;
        v[ret->n] = r[i].v;
        if (r[i].histogram) {
            h = h ? h : arena_new(&j->mem, const struct histogram *, n);
            v[ret->n] = value_absent();
            ret->increments |= r[i].temporality == TEMPORALITY_DELTA;
            e = read_histogram(j, &r[i], &h[ret->n], f);
        }
        ret->n++;
    }
    ret->t = t;
    ret->v = v;
    ret->h = h;
    return e;
}

/* ---- accounted series ------------------------------------------------------ */

/* The keys of one series in the list of all, and the rows they belong to. */
struct keyed {
    uint32_t series;
    size_t first, n;                               /* of the streams */
    size_t delta, all;                             /* of the whole series; SIZE_MAX: not asked */
};

struct keys {
    struct base_key *at;
    size_t n, cap;
    struct str *names;
    uint32_t nnames, cap_names;
    struct map by_name;
};

static uint32_t name_number(struct job *j, struct keys *k, struct str name)
{
    bool fresh;
    uint32_t id = map_intern(&k->by_name, name, k->nnames, &fresh);
    if (fresh)
        *arena_push(j->ev->q->mem, k->names, k->nnames, k->cap_names) = name;
    return id;
}

static struct cell *key_labels(struct job *j, struct keys *k, struct labels l)
{
    struct cell *cells = arena_new(j->ev->q->mem, struct cell, l.n);
    for (uint32_t i = 0; i < l.n; i++)
        cells[i] = (struct cell){ .col = name_number(j, k, l.at[i].name), .v = value_str(l.at[i].value) };
    return cells;
}

static size_t add_key(struct job *j, struct keys *k, struct cell *cells, uint32_t n, enum temporality how, int64_t start)
{
    *arena_push(j->ev->q->mem, k->at, k->n, k->cap) =
        (struct base_key){ .labels = cells, .nlabels = n, .start_ns = start, .temporality = how };
    return k->n - 1;
}

static struct raw *rows_of(struct job *j, uint32_t series, size_t *ret_n)
{
    *ret_n = j->first[series + 1] - j->first[series];
    return j->sorted.at + j->first[series];
}

static int by_stream(const void *a, const void *b)
{
    const struct raw *x = a, *y = b;
    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

/* Each cumulative stream that began, or may have begun, before the scan. */
static void ask_streams(struct job *j, struct keys *k, struct keyed *s, struct cell *cells, uint32_t ncells)
{
    size_t n;
    struct raw *r = rows_of(j, s->series, &n);
    qsort(r, n, sizeof *r, by_stream);
    s->first = k->n;
    for (size_t i = 0; i < n; i++) {
        bool seen = s->n && k->at[k->n - 1].start_ns == r[i].start_ns;
        if (r[i].temporality == TEMPORALITY_CUMULATIVE && r[i].start_ns < j->from_ns && !seen) {
            add_key(j, k, cells, ncells, TEMPORALITY_CUMULATIVE, r[i].start_ns);
            s->n++;
        }
    }
}

static void ask(struct job *j, struct keys *k, struct keyed *s)
{
    struct labels l = j->labels[s->series];
    struct cell *cells = key_labels(j, k, l);
    s->delta = s->all = SIZE_MAX;
    ask_streams(j, k, s, cells, l.n);
    if (!j->req->totals)
        return;
    s->delta = add_key(j, k, cells, l.n, TEMPORALITY_DELTA, 0);
    s->all = add_key(j, k, cells, l.n, TEMPORALITY_CUMULATIVE, BASE_ALL_STREAMS);
}

static void add_before(struct acc_input *in, const struct base_key *k)
{
    if (!k->known)
        return;
    int64_t last = ns_to_ms(k->last_ns);
    in->before_last = in->has_before ? MAX(in->before_last, last) : last;
    in->before += k->base;
    in->has_before = true;
}

/* What the answers say about a series: its streams' bases and its total before. */
static void use_bases(struct job *j, const struct keys *k, const struct keyed *s, struct acc_input *in)
{
    struct acc_base *bases = arena_new(&j->mem, struct acc_base, s->n);
    for (size_t i = 0; i < s->n; i++) {
        const struct base_key *key = &k->at[s->first + i];
        if (key->known)
            bases[in->nbases++] = (struct acc_base){ key->start_ns, key->base, ns_to_ms(key->last_ns) };
    }
    in->bases = bases;
    if (!j->req->totals)
        return;
    add_before(in, &k->at[s->delta]);
    if (k->at[s->all].known)
        add_before(in, &k->at[s->all]);
    else
        for (size_t i = 0; i < s->n; i++)
            add_before(in, &k->at[s->first + i]);
}

static void accounted_series(struct job *j, const struct keys *k, const struct keyed *s, struct points *ret)
{
    struct arena *mem = &j->mem;
    size_t n;
    const struct raw *r = rows_of(j, s->series, &n);
    struct acc_input in = {
        .rows = arena_new(mem, struct acc_row, n),
        .money = metric_is_money(labels_get(j->labels[s->series], S("__name__"))),
    };
    for (size_t i = 0; i < n; i++)
        if (r[i].temporality != TEMPORALITY_NONE && !r[i].histogram)
            in.rows[in.n++] = (struct acc_row){
                .t = r[i].t,
                .start = ns_to_ms(r[i].start_ns),
                .stream = r[i].start_ns,
                .v = r[i].v,
                .cumulative = r[i].temporality == TEMPORALITY_CUMULATIVE,
            };
    use_bases(j, k, s, &in);
    struct accounted *acc = arena_new(mem, struct accounted, 1);
    accounted_build(mem, &in, acc);
    ret->t = acc->vt;
    ret->v = acc->vv;
    ret->n = acc->nv;
    ret->acc = acc;
}

/* ---- all together ---------------------------------------------------------- */

static bool is_accounted(struct job *j, uint32_t series)
{
    size_t n;
    const struct raw *r = rows_of(j, series, &n);
    for (size_t i = 0; i < n; i++)
        if (r[i].temporality != TEMPORALITY_NONE && !r[i].histogram)
            return true;
    return false;
}

/* Series in the order of the labels under which they are shown. */
struct shown {
    struct labels labels;
    struct keyed keyed;
    bool accounted;
    const struct target_series *target;            /* or NULL */
};

static int by_labels(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

/* All rows are here; of its samples only those that were asked for are handed on. */
static void target_points(struct job *j, const struct target_series *s, struct points *ret)
{
    struct acc_input in = { .rows = s->rows, .n = s->n, .money = metric_is_money(labels_get(s->labels, S("__name__"))) };
    struct accounted *acc = arena_new(&j->mem, struct accounted, 1);
    accounted_build(&j->mem, &in, acc);
    size_t from = 0, to = acc->nv;
    while (from < to && acc->vt[from] <= j->req->after_ms)
        from++;
    while (to > from && acc->vt[to - 1] > j->req->to_ms)
        to--;
    ret->t = acc->vt + from;
    ret->v = acc->vv + from;
    ret->n = to - from;
    ret->acc = acc;
}

static enum err give(struct job *j, const struct keys *keys, const struct shown *s, struct fault *f)
{
    struct points p = { .labels = s->labels };
    size_t n = 0;
    struct raw *r = s->target ? NULL : rows_of(j, s->keyed.series, &n);
    arena_reset(&j->mem);
    enum err e = OK;
    if (s->target)
        target_points(j, s->target, &p);
    else if (s->accounted)
        accounted_series(j, keys, &s->keyed, &p);
    else
        e = plain_series(j, r, n, &p, f);
    e = e ? e : query_check(j->ev->q, f);
    return e || !p.n ? e : j->req->each(j->req->arg, &p, f);
}

static enum err give_all(struct job *j, struct fault *f)
{
    struct query_ctx *q = j->ev->q;
    struct keys keys = { 0 };
    struct shown *all = arena_new(q->mem, struct shown, j->nseries + j->ntargets);
    for (uint32_t s = 0; s < j->nseries; s++) {
        all[s] = (struct shown){ .labels = j->shown[s], .keyed = { .series = s }, .accounted = is_accounted(j, s) };
        if (all[s].accounted)
            ask(j, &keys, &all[s].keyed);
    }
    for (uint32_t t = 0; t < j->ntargets; t++) {
        struct labels l = sources_labels(&j->spelling, q->mem, j->targets[t].labels, ORIGIN_SCRAPE);
        all[j->nseries + t] = (struct shown){ .labels = l, .target = &j->targets[t] };
    }
    enum err e = OK;
    if (keys.n)
        e = q->src->bases(q->src, j->spelling.matchers, j->spelling.nmatchers, j->from_ns - 1, keys.names, keys.at, keys.n, f);
    map_done(&keys.by_name);
    qsort(all, j->nseries + j->ntargets, sizeof *all, by_labels);
    for (uint32_t s = 0; s < j->nseries + j->ntargets && !e; s++)
        e = give(j, &keys, &all[s], f);
    return e;
}

/* Groups by ccmon_source, matches on it, or speaks of it in any other way. */
static bool query_names_source(const struct promql *p)
{
    return str_find(p->text, S("ccmon_source")) != SIZE_MAX;
}

enum err select_points(struct eval *ev, const struct select_req *r, struct fault *f)
{
    struct job j = {
        .ev = ev,
        .req = r,
        .from_ns = ms_to_ns(r->after_ms + 1 - ACC_BEFORE_MS),
        .to_ns = ms_to_ns(r->to_ms + 1 + ACC_BEFORE_MS),
    };
    if (r->after_ms >= r->to_ms)
        return OK;
    rowset_init(&j.set, ev->q, 1u << PLACE_LABEL);
    arena_init(&j.mem, SERIES_MEMORY);
    enum err e = spelling_open(r->sel, ev->q->mem, &j.spelling, f);
    if (!e) {
        j.sources = j.spelling.show_source = j.spelling.show_source || query_names_source(ev->query);
        e = scan_rows(&j, f);
    }
    if (!e)
        e = apply_sources(&j, f);
    if (!e) {
        sort_by_series(&j);
        e = give_all(&j, f);
    }
    spelling_close(&j.spelling);
    rows_done(&j.rows);
    rows_done(&j.sorted);
    rowset_done(&j.set);
    arena_done(&j.mem);
    return e;
}
