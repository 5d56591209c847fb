/* ledger/settled_bases.c -- what made series amounted to at a moment.
 *
 * Stored series are asked behind. For made ones the 35 days before are scanned as a query would
 * scan them: increments add up; a cumulative stream counts with its greatest value, and a
 * series' streams add up.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "ledger/settled_int.h"

#define LOOKBACK_NS (INT64_C(35) * NS_PER_DAY)

/* As block_run_id() has it of a run. */
static struct id128 key_id(const struct base_key *k, const struct str *names)
{
    struct id128 id = { 0 };
    for (uint32_t i = 0; i < k->nlabels; i++)
        if (k->labels[i].v.type == V_STR && k->labels[i].v.s.n)
            id128_add(&id, label_id128(label_seed(names[k->labels[i].col]), k->labels[i].v.s));
    return id;
}

/* Is the series one of ours? It has a name of ours, and a source, which stored ones do not show. */
static bool is_made(const struct base_key *k, const struct str *names)
{
    bool ours = false, source = false;
    for (uint32_t i = 0; i < k->nlabels; i++) {
        struct str name = names[k->labels[i].col], text = k->labels[i].v.s;
        source = source || str_eq(name, S("ccmon_source"));
        for (uint32_t m = 0; m < nmeasures && str_eq(name, S("__name__")); m++)
            ours = ours || str_eq(measures[m].name, text);
    }
    return ours && source;
}

/* ---- streams ------------------------------------------------------------------------- */

struct stream {
    struct id128 series;
    int64_t start_ns, last_ns;
    enum temporality temporality;
    double value;
};

struct streams {
    struct stream *at;
    uint32_t n, cap;
    struct map by_key;
    struct arena mem;
};

static struct stream *stream_of(struct streams *s, struct id128 series, int64_t start_ns, enum temporality t)
{
    struct { struct id128 id; int64_t start; int64_t t; } key = { series, start_ns, t };
    bool fresh;
    struct str text = { (const char *)&key, sizeof key };
    uint32_t i = map_get(&s->by_key, text);
    if (i == MAP_NONE) {
        i = map_intern(&s->by_key, arena_str(&s->mem, text), s->n, &fresh);
        *arena_push(&s->mem, s->at, s->n, s->cap) =
            (struct stream){ .series = series, .start_ns = start_ns, .temporality = t, .last_ns = INT64_MIN };
    }
    return &s->at[i];
}

static void add_run(struct streams *s, const struct block *b, uint32_t run)
{
    enum temporality t = (enum temporality)b->temporality[run];
    struct id128 id = block_run_id(b, run);
    for (uint32_t i = run ? b->run_end[run - 1] : 0; i < b->run_end[run]; i++) {
        struct stream *x = stream_of(s, id, t == TEMPORALITY_DELTA ? 0 : b->start_ns[i], t);
        bool first = x->last_ns == INT64_MIN;
        x->last_ns = MAX(x->last_ns, b->time_ns[i]);
        if (t == TEMPORALITY_DELTA)
            x->value += b->value[i];
        else
            x->value = first ? b->value[i] : MAX(x->value, b->value[i]);
    }
}

static int id_cmp(struct id128 a, struct id128 b)
{
    return a.hi != b.hi ? (a.hi < b.hi ? -1 : 1) : (a.lo > b.lo) - (a.lo < b.lo);
}

static int by_series(const void *a, const void *b)
{
    return id_cmp(((const struct stream *)a)->series, ((const struct stream *)b)->series);
}

/* The first of the streams of a series, which are in the order of series. */
static uint32_t first_of(const struct streams *s, struct id128 id)
{
    uint32_t lo = 0, hi = s->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (id_cmp(s->at[mid].series, id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void answer(struct base_key *k, struct id128 id, const struct streams *s)
{
    k->known = false;
    k->base = 0;
    k->last_ns = INT64_MIN;
    for (uint32_t i = first_of(s, id); i < s->n && id128_eq(s->at[i].series, id); i++) {
        const struct stream *x = &s->at[i];
        bool start = k->temporality == TEMPORALITY_DELTA || k->start_ns == BASE_ALL_STREAMS || k->start_ns == x->start_ns;
        if (x->temporality != k->temporality || !start)
            continue;
        k->known = true;
        k->base += x->value;
        k->last_ns = MAX(k->last_ns, x->last_ns);
    }
}

static enum err read_streams(struct source *src, const struct matcher *m, uint32_t nm, int64_t at_ns, struct streams *s, struct fault *f)
{
    struct scan_req req = { .table = TABLE_SAMPLE, .from_ns = at_ns - LOOKBACK_NS, .to_ns = at_ns + 1, .matchers = m, .nmatchers = nm,
                            .all_labels = true, .by_series = true };
    struct scan *sc;
    enum err e = settled_scan_begin(src, &req, &sc, f);
    if (e)
        return e;
    sc->at = 1;                                    /* what is stored is asked behind */
    const struct block *b;
    while (!(e = settled_scan_next(sc, &b, f)) && b)
        for (uint32_t r = 0; r < b->nruns; r++)
            add_run(s, b, r);
    (void)settled_scan_end(sc);
    return e;
}

enum err settled_bases(struct source *src, const struct matcher *m, uint32_t nm, int64_t at_ns, const struct str *names,
                       struct base_key *keys, size_t nkeys, struct fault *f)
{
    struct settled *s = (struct settled *)(void *)src;
    enum err e = s->behind->bases(s->behind, m, nm, at_ns, names, keys, nkeys, f);
    size_t made = 0;
    for (size_t i = 0; i < nkeys; i++)
        made += is_made(&keys[i], names);
    if (e || !made)
        return e;
    struct streams streams = { 0 };
    arena_init(&streams.mem, 64 << 20);
    e = read_streams(src, m, nm, at_ns, &streams, f);
    if (streams.n)
        qsort(streams.at, streams.n, sizeof *streams.at, by_series);
    for (size_t i = 0; i < nkeys && !e; i++)
        if (is_made(&keys[i], names))
            answer(&keys[i], key_id(&keys[i], names), &streams);
    map_done(&streams.by_key);
    arena_done(&streams.mem);
    return e;
}
