/* ledger/settled_metrics.c -- stored runs of a metric under their settled name, of those sessions
 * that no event tells.
 *
 * Origins stay as they are: which of OTLP, scraped and remote-written rows count for a session
 * is the query language's to decide, as for any other series. Scraped runs keep job and
 * instance, by which targets that show one process are told.
 */
#include <string.h>

#include "ledger/settled_int.h"
#include "model/names.h"

enum err metrics_begin(struct scan *sc, const struct pass *p, struct fault *f)
{
    struct matcher name = { .op = MATCH_EQ, .label = S("__name__"), .value = p->measure->metric };
    uint32_t n;
    sc->matchers = plain_matchers(sc, name, &n);
    struct scan_req req = { .table = TABLE_SAMPLE, .from_ns = sc->req.from_ns, .to_ns = sc->req.to_ns,
                            .recv_after_ns = sc->req.recv_after_ns, .matchers = sc->matchers, .nmatchers = n, .all_labels = true,
                            .by_series = true, .without = sc->req.without & ~(uint32_t)(WITHOUT_ORIGIN | WITHOUT_TEMPORALITY),
                            .rows_max = sc->req.rows_max, .bytes_max = sc->req.bytes_max,
                            .deadline_mono_ns = sc->req.deadline_mono_ns, .cancelled = sc->req.cancelled };
    return sc->s->behind->scan_begin(sc->s->behind, &req, &sc->inner, f);
}

static const struct column *find_label(const struct block *b, struct str name)
{
    for (uint32_t i = 0; i < b->ncols; i++)
        if (b->cols[i].key.place == PLACE_LABEL && str_eq(b->cols[i].key.name, name))
            return &b->cols[i];
    return NULL;
}

static struct str run_text(const struct column *c, uint32_t run)
{
    struct value v = c ? column_value(c, run) : (struct value){ 0 };
    return v.type == V_STR ? v.s : S("");
}

static struct str source_text(uint8_t origin)
{
    return origin == ORIGIN_OTLP ? S("otlp") : origin == ORIGIN_SCRAPE ? S("scrape") : S("remote");
}

/* Labels that a settled series of a metric has: the settled ones, and the metric's own type. */
static bool is_kept(struct str label)
{
    return str_eq(label, S("type")) || settled_label(&(struct colkey){ PLACE_LABEL, label }).n;
}

static bool is_of_targets(struct str label)
{
    return str_eq(label, S("job")) || str_eq(label, S("instance"));
}

/* The request's matchers, on what the run will show. */
static bool run_passes(const struct scan *sc, const struct block *b, uint32_t run)
{
    for (uint32_t i = 0; i < sc->req.nmatchers; i++) {
        const struct matcher *m = &sc->req.matchers[i];
        struct str text = S("");
        if (str_eq(m->label, S("__name__")))
            continue;
        if (str_eq(m->label, S("ccmon_source")))
            text = source_text(b->origin[run]);
        else if (is_kept(m->label) || (is_of_targets(m->label) && b->origin[run] == ORIGIN_SCRAPE))
            text = settled_text(m->label, run_text(find_label(b, m->label), run));
        if (!matcher_test(m, text))
            return false;
    }
    return true;
}

/* keep[run]: it passes, and no event tells its session. */
static enum err choose(struct scan *sc, const struct measure *m, const struct block *b, bool *keep, uint32_t *ret_runs, struct fault *f)
{
    struct arena *mem = &sc->block_mem;
    const struct column *session = find_label(b, S("session_id")), *user = find_label(b, S("user_id"));
    const struct sessions *told = m->event.n ? &sc->told[event_index(m->event)] : NULL;
    struct id128 *ask = arena_raw(mem, struct id128, b->nruns + 1);
    uint32_t *asked = arena_raw(mem, uint32_t, b->nruns + 1), n = 0;
    for (uint32_t r = 0; r < b->nruns; r++) {
        keep[r] = run_passes(sc, b, r);
        if (!keep[r] || !told)
            continue;
        struct id128 id = session_id_of(run_text(session, r), run_text(user, r));
        keep[r] = !sessions_has(told, id);
        if (keep[r]) {
            asked[n] = r;
            ask[n++] = id;
        }
    }
    if (n) {
        bool *seen = arena_new(mem, bool, n);
        enum err e = seen_ask(sc, m->event, ask, n, seen, f);
        if (e)
            return e;
        for (uint32_t i = 0; i < n; i++)
            keep[asked[i]] = !seen[i];
    }
    *ret_runs = 0;
    for (uint32_t r = 0; r < b->nruns; r++)
        *ret_runs += keep[r];
    return OK;
}

/* ---- the block that goes out --------------------------------------------------------- */

static const void *gather(struct arena *mem, const void *from, size_t each, const struct block *b, const bool *keep, uint32_t n)
{
    if (!from)
        return NULL;
    char *to = arena_alloc_raw(mem, (n + 1) * each, 16), *at = to;
    for (uint32_t r = 0, begin = 0; r < b->nruns; begin = b->run_end[r++])
        if (keep[r]) {
            size_t bytes = (b->run_end[r] - begin) * each;
            memcpy(at, (const char *)from + begin * each, bytes);
            at += bytes;
        }
    return to;
}

static const uint8_t *gather_runs(struct arena *mem, const uint8_t *from, uint32_t nruns, const bool *keep, uint32_t n)
{
    uint8_t *to = arena_raw(mem, uint8_t, n + 1);
    for (uint32_t r = 0, k = 0; r < nruns; r++)
        if (keep[r])
            to[k++] = from[r];
    return to;
}

/* A column's codes of the kept runs. Labels of targets are shown by scraped runs alone. */
static struct column gather_column(struct arena *mem, const struct column *c, const struct block *b, const bool *keep, uint32_t n)
{
    bool targets = is_of_targets(c->key.name);
    uint32_t *codes = arena_raw(mem, uint32_t, n + 1), k = 0;
    for (uint32_t r = 0; r < b->nruns; r++)
        if (keep[r])
            codes[k++] = targets && b->origin[r] != ORIGIN_SCRAPE ? 0 : column_code(c, r);
    struct column ret = *c;
    ret.code = codes;
    ret.form = CODES_U32;
    return ret;
}

static struct column source_column(struct arena *mem, const uint8_t *origin, uint32_t nruns)
{
    struct value *dict = arena_new(mem, struct value, ORIGIN_TRANSCRIPT + 2);
    uint32_t *codes = arena_raw(mem, uint32_t, nruns + 1);
    for (uint32_t o = ORIGIN_OTLP; o <= ORIGIN_TRANSCRIPT; o++)
        dict[o] = value_str(source_text((uint8_t)o));
    for (uint32_t r = 0; r < nruns; r++)
        codes[r] = MIN(origin[r], (uint8_t)ORIGIN_TRANSCRIPT);
    return (struct column){ .key = { PLACE_LABEL, S("ccmon_source") }, .code = codes, .dict = dict, .ndict = ORIGIN_TRANSCRIPT + 1 };
}

static void put_block(struct scan *sc, const struct measure *m, const struct block *b, const bool *keep, uint32_t nruns)
{
    struct arena *mem = &sc->block_mem;
    uint32_t *end = arena_raw(mem, uint32_t, nruns + 1), n = 0, k = 0, ncols = 0;
    for (uint32_t r = 0, begin = 0; r < b->nruns; begin = b->run_end[r++])
        if (keep[r]) {
            n += b->run_end[r] - begin;
            end[k++] = n;
        }
    sc->out = (struct block){ .n = n, .nsel = n, .run_end = end, .nruns = nruns, .next_bound = b->next_bound };
    sc->out.time_ns = gather(mem, b->time_ns, 8, b, keep, n);
    sc->out.recv_ns = gather(mem, b->recv_ns, 8, b, keep, n);
    sc->out.start_ns = gather(mem, b->start_ns, 8, b, keep, n);
    sc->out.claimed_ns = gather(mem, b->claimed_ns, 8, b, keep, n);
    sc->out.value = gather(mem, b->value, 8, b, keep, n);
    sc->out.seq = gather(mem, b->seq, 8, b, keep, n);
    sc->out.temporality = gather_runs(mem, b->temporality, b->nruns, keep, nruns);
    sc->out.origin = gather_runs(mem, b->origin, b->nruns, keep, nruns);
    for (uint32_t i = 0; i < b->ncols && ncols < TALLY_LABELS_MAX; i++) {
        const struct column *c = &b->cols[i];
        if (c->key.place == PLACE_LABEL && c->code && (is_kept(c->key.name) || is_of_targets(c->key.name)))
            sc->cols[ncols++] = gather_column(mem, c, b, keep, nruns);
    }
    sc->cols[ncols++] = same_column(mem, S("__name__"), m->name);
    sc->cols[ncols++] = source_column(mem, sc->out.origin, nruns);
    sc->out.cols = sc->cols;
    sc->out.ncols = ncols;
}

enum err metrics_next(struct scan *sc, const struct measure *m, bool *ret, struct fault *f)
{
    const struct block *b;
    enum err e;
    *ret = false;
    while (!(e = sc->s->behind->scan_next(sc->inner, &b, f)) && b) {
        arena_reset(&sc->block_mem);
        CHECK(b->run_end || !b->n);
        bool *keep = arena_new(&sc->block_mem, bool, b->nruns + 1);
        uint32_t nruns;
        e = choose(sc, m, b, keep, &nruns, f);
        if (e)
            return e;
        if (!nruns)
            continue;
        put_block(sc, m, b, keep, nruns);
        *ret = true;
        return OK;
    }
    return e;
}
