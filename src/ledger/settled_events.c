/* ledger/settled_events.c -- log records into runs of increments.
 *
 * A block of records is told apart by labels once (tally.h) and then gives a block of samples
 * for each number of each figure that is asked for. A request without a cost is priced by the
 * book; one that has no price adds nothing to money, and its tokens still count.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/money.h"
#include "ledger/settled_int.h"

/* ---- the scan behind ------------------------------------------------------------- */

enum err events_begin(struct scan *sc, const struct pass *p, struct fault *f)
{
    struct matcher event = { .op = MATCH_EQ, .label = S("event_name"), .value = p->event, .places = 1u << PLACE_ATTR };
    uint32_t n;
    sc->matchers = plain_matchers(sc, event, &n);
    struct scan_req req = { .table = TABLE_LOG, .from_ns = sc->req.from_ns, .to_ns = sc->req.to_ns,
                            .recv_after_ns = sc->req.recv_after_ns, .matchers = sc->matchers, .nmatchers = n, .all_labels = true,
                            .order = SCAN_ANY, .without = WITHOUT_ALL & ~(uint32_t)(WITHOUT_TIME | WITHOUT_SEQ),
                            .rows_max = sc->req.rows_max, .bytes_max = sc->req.bytes_max,
                            .deadline_mono_ns = sc->req.deadline_mono_ns, .cancelled = sc->req.cancelled };
    sc->events = NULL;
    return sc->s->behind->scan_begin(sc->s->behind, &req, &sc->inner, f);
}

/* ---- one block ------------------------------------------------------------------- */

static struct str text_of(const struct scan *sc, uint32_t tuple, struct str label)
{
    for (uint32_t l = 0; l < sc->tally.nlabels; l++)
        if (str_eq(sc->tally.labels[l].name, label))
            return sc->texts[(size_t)tuple * sc->tally.nlabels + l];
    return S("");
}

/* `type` is the number's own and is asked later; a name passed already. */
static bool tuple_passes(const struct scan *sc, uint32_t tuple)
{
    for (uint32_t i = 0; i < sc->req.nmatchers; i++) {
        const struct matcher *m = &sc->req.matchers[i];
        bool later = str_eq(m->label, S("__name__")) || str_eq(m->label, S("type"));
        struct str text = str_eq(m->label, S("ccmon_source")) ? S("events") : text_of(sc, tuple, m->label);
        if (!later && !matcher_test(m, text))
            return false;
    }
    return true;
}

static void take_block(struct scan *sc, const struct block *b, struct str event)
{
    struct arena *mem = &sc->block_mem;
    struct sessions *told = &sc->told[event_index(event)];
    tally_rows(b, mem, &sc->tally);
    uint32_t nl = sc->tally.nlabels, nt = sc->tally.ntuples;
    sc->texts = arena_new(mem, struct str, (size_t)nl * nt + 1);
    sc->tuple_passes = arena_new(mem, bool, nt + 1);
    for (uint32_t t = 0; t < nt; t++) {
        for (uint32_t l = 0; l < nl; l++)
            sc->texts[(size_t)t * nl + l] = tally_text(&sc->tally, t, l, mem);
        sessions_add(told, session_id_of(text_of(sc, t, S("session_id")), text_of(sc, t, S("user_id"))));
        sc->tuple_passes[t] = tuple_passes(sc, t);
    }
    sc->events = b;
    sc->next_measure = sc->next_value = 0;
}

/* ---- one number of one figure ------------------------------------------------------- */

/* The columns of the number, and of what it is priced by where it is money. */
struct number {
    struct label_ref at, model, speed, tokens[TOKEN_CLASSES];
    bool counted, money;
};

static void find_number(const struct block *b, const struct measure *m, const struct measure_value *v, struct number *n)
{
    static const struct str tokens[TOKEN_CLASSES] = {
        S("input_tokens"), S("output_tokens"), S("cache_creation_tokens"), S("cache_creation_1h_tokens"), S("cache_read_tokens"),
    };
    *n = (struct number){ .counted = !v->attribute.n, .money = str_eq(m->unit, S("USD")) };
    if (!n->counted)
        n->at = block_label(b, v->attribute, 1u << PLACE_ATTR);
    if (!n->money)
        return;
    n->model = block_label(b, S("model"), 1u << PLACE_ATTR);
    n->speed = block_label(b, S("speed"), 1u << PLACE_ATTR);
    for (int c = 0; c < TOKEN_CLASSES; c++)
        n->tokens[c] = block_label(b, tokens[c], 1u << PLACE_ATTR);
}

static uint64_t tokens_of(const struct label_ref *l, uint32_t row)
{
    struct value v = label_value(l, row);
    double d;
    return value_num(&v, &d) && d > 0 && d < 1e15 ? (uint64_t)d : 0;
}

static bool price_row(const struct scan *sc, const struct number *n, uint32_t row, double *ret)
{
    struct value model = label_value(&n->model, row), speed = label_value(&n->speed, row);
    if (model.type != V_STR)
        return false;
    struct usage u = { .model = model.s, .time_ns = sc->events->time_ns[row] };
    u.fast = speed.type == V_STR && str_eq(speed.s, S("fast"));
    for (int c = 0; c < TOKEN_CLASSES; c++)
        u.tokens[c] = tokens_of(&n->tokens[c], row);
    u.tokens[TOKENS_WRITE_1H] = MIN(u.tokens[TOKENS_WRITE_1H], u.tokens[TOKENS_WRITE_5M]);
    u.tokens[TOKENS_WRITE_5M] -= u.tokens[TOKENS_WRITE_1H];        /* it held all writes */
    struct list_price l = prices_ask(sc->s->prices, &u);
    *ret = money_usd(l.nanos);
    return l.status == PRICED;
}

static bool number_of(const struct scan *sc, const struct number *n, uint32_t row, double *ret)
{
    *ret = 1;
    if (n->counted)
        return true;
    struct value v = label_value(&n->at, row);
    return value_num(&v, ret) || (n->money && price_row(sc, n, row, ret));
}

struct stamp {
    int64_t time_ns;
    uint64_t seq;
    double value;
};

static int by_time(const void *a, const void *b)
{
    const struct stamp *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* The rows that have the number, by tuple and time. run_of[tuple] becomes the run's number + 1. */
static uint32_t place_rows(struct scan *sc, const struct number *num, uint32_t *run_of, uint32_t **ret_end, struct stamp **ret)
{
    const struct block *b = sc->events;
    struct arena *mem = &sc->block_mem;
    uint32_t nt = sc->tally.ntuples, nruns = 0, n = 0;
    double *values = arena_raw(mem, double, b->nsel + 1);
    bool *has = arena_new(mem, bool, b->nsel + 1);
    uint32_t *count = arena_new(mem, uint32_t, nt + 2);
    for (uint32_t i = 0; i < b->nsel; i++) {
        has[i] = sc->tuple_passes[sc->tally.tuple[i]] && number_of(sc, num, b->sel[i], &values[i]);
        count[sc->tally.tuple[i]] += has[i];
    }
    uint32_t *end = arena_raw(mem, uint32_t, nt + 1), *next = arena_raw(mem, uint32_t, nt + 1);
    for (uint32_t t = 0; t < nt; t++) {
        run_of[t] = 0;
        if (!count[t])
            continue;
        next[t] = n;
        n += count[t];
        end[nruns++] = n;
        run_of[t] = nruns;
    }
    struct stamp *rows = arena_raw(mem, struct stamp, n + 1);
    for (uint32_t i = 0; i < b->nsel; i++)
        if (has[i])
            rows[next[sc->tally.tuple[i]]++] = (struct stamp){ b->time_ns[b->sel[i]], b->seq[b->sel[i]], values[i] };
    for (uint32_t r = 0, from = 0; r < nruns; from = end[r++])
        for (uint32_t i = from + 1; i < end[r]; i++)
            if (by_time(&rows[i - 1], &rows[i]) > 0) {
                qsort(rows + from, end[r] - from, sizeof *rows, by_time);
                break;
            }
    *ret_end = end;
    *ret = rows;
    return nruns;
}

static void put_rows(struct scan *sc, const struct stamp *rows, uint32_t n)
{
    struct arena *mem = &sc->block_mem;
    int64_t *time = arena_raw(mem, int64_t, n + 1), *start = arena_new(mem, int64_t, n + 1);
    double *value = arena_raw(mem, double, n + 1);
    uint64_t *seq = arena_raw(mem, uint64_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        time[i] = rows[i].time_ns;
        seq[i] = rows[i].seq;
        value[i] = rows[i].value;
    }
    sc->out.n = sc->out.nsel = n;
    sc->out.time_ns = sc->out.recv_ns = time;
    sc->out.start_ns = start;
    sc->out.value = value;
    sc->out.seq = seq;
}

/* Columns of the tuples' labels, an element a run: each run has a code of its own. */
static void put_columns(struct scan *sc, const struct measure *m, const struct measure_value *v, const uint32_t *run_of)
{
    struct arena *mem = &sc->block_mem;
    uint32_t nl = sc->tally.nlabels, nruns = sc->out.nruns, n = 0;
    uint32_t *codes = arena_raw(mem, uint32_t, nruns + 1);
    for (uint32_t r = 0; r < nruns; r++)
        codes[r] = r + 1;
    for (uint32_t l = 0; l < nl; l++) {
        struct value *dict = arena_new(mem, struct value, nruns + 1);
        for (uint32_t t = 0; t < sc->tally.ntuples; t++) {
            struct str text = sc->texts[(size_t)t * nl + l];
            if (run_of[t] && text.n)
                dict[run_of[t]] = value_str(text);
        }
        struct colkey key = { PLACE_LABEL, sc->tally.labels[l].name };
        sc->cols[n++] = (struct column){ .key = key, .code = codes, .dict = dict, .ndict = nruns + 1 };
    }
    sc->cols[n++] = same_column(mem, S("__name__"), m->name);
    sc->cols[n++] = same_column(mem, S("ccmon_source"), S("events"));
    if (v->type.n)
        sc->cols[n++] = same_column(mem, S("type"), v->type);
    sc->out.cols = sc->cols;
    sc->out.ncols = n;
}

static bool emit(struct scan *sc, const struct measure *m, const struct measure_value *v)
{
    struct arena *mem = &sc->block_mem;
    struct number num;
    uint32_t *end, *run_of = arena_raw(mem, uint32_t, sc->tally.ntuples + 1);
    struct stamp *rows;
    if (!passes_matchers(&sc->req, S("type"), v->type))
        return false;
    find_number(sc->events, m, v, &num);
    uint32_t nruns = place_rows(sc, &num, run_of, &end, &rows);
    if (!nruns)
        return false;
    sc->out = (struct block){ .run_end = end, .nruns = nruns, .next_bound = sc->events->next_bound };
    put_rows(sc, rows, end[nruns - 1]);
    uint8_t *delta = arena_raw(mem, uint8_t, nruns), *origin = arena_raw(mem, uint8_t, nruns);
    memset(delta, TEMPORALITY_DELTA, nruns);
    memset(origin, ORIGIN_OTLP, nruns);
    sc->out.temporality = delta;
    sc->out.origin = origin;
    put_columns(sc, m, v, run_of);
    return true;
}

enum err events_next(struct scan *sc, bool *ret, struct fault *f)
{
    struct str event = sc->passes[sc->at].event;
    *ret = false;
    for (;;) {
        while (sc->events && sc->next_measure < nmeasures) {
            const struct measure *m = &measures[sc->next_measure];
            bool mine = sc->wanted >> sc->next_measure & 1 && str_eq(m->event, event);
            if (!mine || sc->next_value == m->nvalues) {
                sc->next_measure++;
                sc->next_value = 0;
            } else if (emit(sc, m, &m->values[sc->next_value++])) {
                *ret = true;
                return OK;
            }
        }
        const struct block *b;
        arena_reset(&sc->block_mem);
        enum err e = sc->s->behind->scan_next(sc->inner, &b, f);
        sc->events = NULL;
        if (e || !b)
            return e;
        if (b->nsel)
            take_block(sc, b, event);
    }
}
