/* ledger/settled.c -- the scan's plan, and what goes straight through.
 */
#include "ledger/settled.h"

#include <string.h>

#include "ledger/settled_int.h"
#include "model/names.h"

enum { SCAN_ARENA = 64 << 20, PLAN_ARENA = 4 << 20 };

/* ---- shared ------------------------------------------------------------------------ */

bool passes_matchers(const struct scan_req *req, struct str label, struct str text)
{
    for (uint32_t i = 0; i < req->nmatchers; i++)
        if (str_eq(req->matchers[i].label, label) && !matcher_test(&req->matchers[i], text))
            return false;
    return true;
}

struct matcher *plain_matchers(struct scan *sc, struct matcher more, uint32_t *ret_n)
{
    struct matcher *m = arena_new(&sc->mem, struct matcher, sc->req.nmatchers + 1);
    uint32_t n = 0;
    m[n++] = more;
    for (uint32_t i = 0; i < sc->req.nmatchers; i++) {
        const struct matcher *x = &sc->req.matchers[i];
        if (!str_starts(x->label, S("__")) && settled_label_is_plain(x->label)) {
            m[n] = *x;
            m[n++].places = 0;
        }
    }
    *ret_n = n;
    return m;
}

struct column same_column(struct arena *mem, struct str name, struct str text)
{
    struct value *dict = arena_new(mem, struct value, 2);
    static const uint32_t first = 1;
    dict[1] = value_str(text);
    return (struct column){ .key = { PLACE_LABEL, name }, .code = &first, .form = CODES_SAME, .dict = dict, .ndict = 2 };
}

uint32_t event_index(struct str event)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < nmeasures; i++) {
        bool again = !measures[i].event.n;
        for (uint32_t j = 0; j < i && !again; j++)
            again = str_eq(measures[j].event, measures[i].event);
        if (again)
            continue;
        if (str_eq(measures[i].event, event))
            return k;
        k++;
    }
    CHECK(false);
    return 0;
}

uint32_t settled_wanted(const struct matcher *m, uint32_t n)
{
    uint32_t bits = 0;
    struct scan_req req = { .matchers = m, .nmatchers = n };
    for (uint32_t i = 0; i < nmeasures; i++)
        if (passes_matchers(&req, S("__name__"), measures[i].name))
            bits |= 1u << i;
    return bits;
}

static struct settled *settled_of(struct source *src)
{
    return (struct settled *)(void *)src;
}

/* ---- the plan ------------------------------------------------------------------------ */

static void plan(struct scan *sc)
{
    sc->passes = arena_new(&sc->mem, struct pass, 1 + 2 * nmeasures);
    sc->passes[sc->npasses++] = (struct pass){ .kind = PASS_STORED };
    for (uint32_t i = 0; i < nmeasures; i++) {
        bool again = !(sc->wanted >> i & 1) || !measures[i].event.n;
        for (uint32_t p = 1; p < sc->npasses && !again; p++)
            again = str_eq(sc->passes[p].event, measures[i].event);
        if (!again)
            sc->passes[sc->npasses++] = (struct pass){ .kind = PASS_EVENTS, .event = measures[i].event };
    }
    for (uint32_t i = 0; i < nmeasures; i++)
        if (sc->wanted >> i & 1 && measures[i].metric.n)
            sc->passes[sc->npasses++] = (struct pass){ .kind = PASS_METRIC, .measure = &measures[i] };
}

enum err settled_scan_begin(struct source *src, const struct scan_req *req, struct scan **ret, struct fault *f)
{
    (void)f;
    struct scan *sc = mem_alloc(sizeof *sc);
    *sc = (struct scan){ .s = settled_of(src), .req = *req };
    arena_init(&sc->mem, PLAN_ARENA);
    arena_init(&sc->block_mem, SCAN_ARENA);
    if (req->table == TABLE_SAMPLE)
        sc->wanted = settled_wanted(req->matchers, req->nmatchers);
    plan(sc);
    *ret = sc;
    return OK;
}

static enum err begin_pass(struct scan *sc, struct fault *f)
{
    const struct pass *p = &sc->passes[sc->at];
    switch (p->kind) {
    case PASS_EVENTS:
        return events_begin(sc, p, f);
    case PASS_METRIC:
        return metrics_begin(sc, p, f);
    default:
        return sc->s->behind->scan_begin(sc->s->behind, &sc->req, &sc->inner, f);
    }
}

static void end_pass(struct scan *sc)
{
    if (!sc->inner)
        return;
    struct scan_stats s = sc->s->behind->scan_end(sc->inner);
    sc->inner = NULL;
    sc->stats.chunks += s.chunks;
    sc->stats.rows_read += s.rows_read;
    sc->stats.bytes_read += s.bytes_read;
}

/* ---- rows for those who do not ask by series --------------------------------------------- */

static void expand(struct scan *sc)
{
    struct block *b = &sc->out;
    struct arena *mem = &sc->block_mem;
    uint32_t *sel = arena_raw(mem, uint32_t, b->n + 1), *run = arena_raw(mem, uint32_t, b->n + 1);
    uint8_t *temporality = arena_raw(mem, uint8_t, b->n + 1), *origin = arena_raw(mem, uint8_t, b->n + 1);
    for (uint32_t r = 0, i = 0; r < b->nruns; r++)
        for (; i < b->run_end[r]; i++) {
            sel[i] = i;
            run[i] = r;
            temporality[i] = b->temporality[r];
            origin[i] = b->origin[r];
        }
    for (uint32_t c = 0; c < b->ncols; c++) {
        if (sc->cols[c].form == CODES_SAME)
            continue;
        uint32_t *codes = arena_raw(mem, uint32_t, b->n + 1);
        for (uint32_t i = 0; i < b->n; i++)
            codes[i] = column_code(&sc->cols[c], run[i]);
        sc->cols[c].code = codes;
        sc->cols[c].form = CODES_U32;
    }
    b->sel = sel;
    b->temporality = temporality;
    b->origin = origin;
    b->run_end = NULL;
    b->nruns = 0;
}

enum err settled_scan_next(struct scan *sc, const struct block **ret, struct fault *f)
{
    *ret = NULL;
    for (; sc->at < sc->npasses; sc->at++) {
        const struct pass *p = &sc->passes[sc->at];
        bool have = false;
        enum err e = sc->inner ? OK : begin_pass(sc, f);
        if (e)
            return e;
        if (p->kind == PASS_STORED) {
            e = sc->s->behind->scan_next(sc->inner, ret, f);
            if (e || *ret)
                return e;
        } else {
            e = p->kind == PASS_EVENTS ? events_next(sc, &have, f) : metrics_next(sc, p->measure, &have, f);
            if (e)
                return e;
        }
        if (have) {
            if (!sc->req.by_series)
                expand(sc);
            *ret = &sc->out;
            return OK;
        }
        end_pass(sc);
    }
    return OK;
}

struct scan_stats settled_scan_end(struct scan *sc)
{
    end_pass(sc);
    struct scan_stats s = sc->stats;
    for (size_t i = 0; i < EVENTS_MAX; i++)
        sessions_done(&sc->told[i]);
    arena_done(&sc->block_mem);
    arena_done(&sc->mem);
    mem_free(sc);
    return s;
}

/* ---- names and values ----------------------------------------------------------------------- */

struct found {
    struct map seen;
    struct arena *mem;
    struct str label;                              /* empty: names of labels */
    void (*value)(void *arg, struct str value);
    void (*name)(void *arg, enum place place, struct str name);
    void *arg;
};

static void found_add(struct found *x, struct str text)
{
    bool fresh;
    if (!text.n || map_get(&x->seen, text) != MAP_NONE)
        return;
    (void)map_intern(&x->seen, arena_str(x->mem, text), 0, &fresh);
    if (x->value)
        x->value(x->arg, text);
    else
        x->name(x->arg, PLACE_LABEL, text);
}

static void found_block(struct found *x, const struct block *b)
{
    for (uint32_t c = 0; c < b->ncols; c++) {
        if (x->label.n && !str_eq(b->cols[c].key.name, x->label))
            continue;
        for (uint32_t r = 0; r < b->nruns; r++) {
            struct value v = column_value(&b->cols[c], r);
            if (v.type == V_STR)
                found_add(x, x->label.n ? v.s : b->cols[c].key.name);
        }
    }
}

/* What the made series of a request bear. */
static enum err find_made(struct source *src, const struct scan_req *asked, struct found *x, struct fault *f)
{
    struct scan_req req = *asked;
    req.by_series = true;
    req.all_labels = true;
    if (req.table != TABLE_SAMPLE || !settled_wanted(req.matchers, req.nmatchers))
        return OK;
    struct scan *sc;
    enum err e = settled_scan_begin(src, &req, &sc, f);
    if (e)
        return e;
    sc->at = 1;                                    /* what is stored was asked already */
    const struct block *b;
    while (!(e = settled_scan_next(sc, &b, f)) && b)
        found_block(x, b);
    (void)settled_scan_end(sc);
    return e;
}

/* ---- the same without matchers, where every series counts: told by lists, no rows are read ---- */

struct listing {
    struct found *x;
    uint32_t measures;                             /* bit by measure: something tells it */
};

static void note_metric(void *arg, struct str value)
{
    struct listing *l = arg;
    for (uint32_t i = 0; i < nmeasures; i++)
        if (str_eq(measures[i].metric, value))
            l->measures |= 1u << i;
    found_add(l->x, value);
}

static void note_event(void *arg, struct str value)
{
    struct listing *l = arg;
    for (uint32_t i = 0; i < nmeasures; i++)
        if (str_eq(measures[i].event, value))
            l->measures |= 1u << i;
}

static void note_text(void *arg, struct str value)
{
    struct found *x = arg;
    found_add(x, settled_text(x->label, value));
}

static enum err list_names(struct settled *s, const struct scan_req *asked, struct found *x, struct fault *f)
{
    struct listing l = { .x = x };
    struct scan_req logs = *asked;
    logs.table = TABLE_LOG;
    enum err e = s->behind->label_values(s->behind, asked, x->label, note_metric, &l, f);
    e = e ? e : s->behind->label_values(s->behind, &logs, S("event_name"), note_event, &l, f);
    for (uint32_t i = 0; i < nmeasures && !e; i++)
        if (l.measures >> i & 1)
            found_add(x, measures[i].name);
    return e;
}

static enum err list_values(struct settled *s, const struct scan_req *asked, struct found *x, struct fault *f)
{
    if (str_eq(x->label, S("__name__")))
        return list_names(s, asked, x, f);
    struct scan_req logs = *asked;
    logs.table = TABLE_LOG;
    enum err e = s->behind->label_values(s->behind, asked, x->label, note_text, x, f);
    bool of_events = settled_label(&(struct colkey){ PLACE_LABEL, x->label }).n;
    return e || !of_events ? e : s->behind->label_values(s->behind, &logs, x->label, note_text, x, f);
}

static void note_label(void *arg, enum place place, struct str name)
{
    struct found *x = arg;
    struct str label = place == PLACE_LABEL ? S("") : settled_label(&(struct colkey){ place, name });
    if (label.n)
        found_add(x, label_name(label, x->mem));
}

static enum err list_labels(struct settled *s, const struct scan_req *asked, struct found *x, struct fault *f)
{
    struct scan_req logs = *asked;
    logs.table = TABLE_LOG;
    return s->behind->label_names(s->behind, &logs, note_label, x, f);
}

static bool is_plain_list(const struct scan_req *req)
{
    return req->table == TABLE_SAMPLE && !req->nmatchers && !req->recv_after_ns;
}

static enum err label_names_of(struct source *src, const struct scan_req *req,
                               void (*each)(void *arg, enum place place, struct str name), void *arg, struct fault *f)
{
    struct settled *s = settled_of(src);
    enum err e = s->behind->label_names(s->behind, req, each, arg, f);
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, PLAN_ARENA);
    struct found x = { .mem = &mem, .name = each, .arg = arg };
    e = e ? e : is_plain_list(req) ? list_labels(s, req, &x, f) : find_made(src, req, &x, f);
    map_done(&x.seen);
    return e;
}

static enum err label_values_of(struct source *src, const struct scan_req *req, struct str label,
                                void (*each)(void *arg, struct str value), void *arg, struct fault *f)
{
    struct settled *s = settled_of(src);
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, PLAN_ARENA);
    struct found x = { .mem = &mem, .label = label, .value = each, .arg = arg };
    enum err e = OK;
    if (is_plain_list(req)) {
        e = list_values(s, req, &x, f);
    } else {
        e = s->behind->label_values(s->behind, req, label, each, arg, f);
        e = e ? e : find_made(src, req, &x, f);
    }
    map_done(&x.seen);
    return e;
}

static void metas_of(struct source *src, void (*each)(void *arg, const struct metric_meta *m), void *arg)
{
    struct settled *s = settled_of(src);
    s->behind->metas(s->behind, each, arg);
    for (uint32_t i = 0; i < nmeasures; i++) {
        struct metric_meta m = { measures[i].name, measures[i].type, measures[i].unit, measures[i].help };
        each(arg, &m);
    }
}

static uint32_t watch_behind(struct source *src, void (*fn)(void *arg, uint64_t seq), void *arg)
{
    struct settled *s = settled_of(src);
    return s->behind->watch(s->behind, fn, arg);
}

static void unwatch_behind(struct source *src, uint32_t handle)
{
    struct settled *s = settled_of(src);
    s->behind->unwatch(s->behind, handle);
}

static void stats_behind(struct source *src, struct source_stats *ret)
{
    struct settled *s = settled_of(src);
    s->behind->stats(s->behind, ret);
}

struct settled *settled_new(struct source *behind, const struct prices *prices)
{
    struct settled *s = mem_alloc(sizeof *s);
    *s = (struct settled){
        .behind = behind,
        .prices = prices,
        .src = { .scan_begin = settled_scan_begin, .scan_next = settled_scan_next, .scan_end = settled_scan_end, .bases = settled_bases,
                 .label_names = label_names_of, .label_values = label_values_of, .metas = metas_of, .watch = watch_behind,
                 .unwatch = unwatch_behind, .stats = stats_behind },
    };
    CHECK(nmeasures <= 32 && !pthread_mutex_init(&s->lock, NULL));
    return s;
}

void settled_free(struct settled *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->nseen; i++)
        sessions_done(&s->seen[i].sessions);
    (void)pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

struct source *settled_source(struct settled *s)
{
    return &s->src;
}
