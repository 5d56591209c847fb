/* push/write2.c -- the walk over io.prometheus.write.v2.Request, remote write 2.0.
 *
 * Every text stands once in a table of symbols, which may come before or after what
 * refers to it; so the table is read first, in a walk of its own that skips the rest.
 */
#include "base/wire.h"
#include "push/fields.h"
#include "push/samples.h"

enum { REFS_SHOWN = 40 };                          /* of a series whose labels cannot be had, in the answer */

struct symbols {
    struct str *at;
    uint32_t n, cap;
};

static void read_symbols(struct samples *s, struct str body, struct symbols *ret)
{
    struct wire w = wire_of(body);
    while (wire_next(&w) && samples_ok(s)) {
        if (w.field != F_WRITE2_SYMBOL)
            wire_skip(&w);
        else if (arena_over(s->mem))
            samples_fail(s, E_LIMIT, 0, "the symbols take more than %d MB of memory", PUSH_MEMORY_MAX >> 20);
        else
            *arena_push(s->mem, ret->at, ret->n, ret->cap) = wire_bytes(&w);
    }
}

static struct str symbol(const struct symbols *y, uint64_t ref)
{
    return ref < y->n ? y->at[ref] : S("");
}

/* ---- one series ------------------------------------------------------------------------ */

struct series2 {
    uint32_t *refs;
    uint32_t nrefs, cap_refs;
    uint64_t type, help, unit;
    int64_t created_ms;
};

static void put_ref(struct samples *s, struct series2 *t, uint64_t ref)
{
    if (t->nrefs == 2 * PUSH_LABELS_MAX)
        samples_fail(s, E_LIMIT, 0, "a series has more than %d labels", PUSH_LABELS_MAX);
    else
        *arena_push(s->mem, t->refs, t->nrefs, t->cap_refs) = ref > UINT32_MAX ? UINT32_MAX : (uint32_t)ref;
}

/* Packed, or one by one. */
static void walk_refs(struct samples *s, struct series2 *t, struct wire *w)
{
    if (w->type != WIRE_LEN) {
        put_ref(s, t, wire_varint(w));
        return;
    }
    struct wire m = wire_message(w);
    while (m.p < m.end && samples_ok(s)) {
        m.type = WIRE_VARINT;
        uint64_t ref = wire_varint(&m);
        if (!m.bad)
            put_ref(s, t, ref);
    }
    wire_close(w, &m);
}

static void walk_meta(struct series2 *t, struct wire *m)
{
    while (wire_next(m))
        switch (m->field) {
        case F_META2_TYPE:
            t->type = wire_varint(m);
            break;
        case F_META2_HELP:
            t->help = wire_varint(m);
            break;
        case F_META2_UNIT:
            t->unit = wire_varint(m);
            break;
        default:
            wire_skip(m);
        }
}

static void walk_field(struct samples *s, struct series2 *t, struct wire *w)
{
    struct wire m;
    switch (w->field) {
    case F_SERIES2_REFS:
        walk_refs(s, t, w);
        break;
    case F_SERIES2_SAMPLE:
        m = wire_message(w);
        series_walk_sample(s, &m);
        wire_close(w, &m);
        break;
    case F_SERIES2_HISTOGRAM:
        series_histogram(s, wire_bytes(w));
        break;
    case F_SERIES2_META:
        m = wire_message(w);
        walk_meta(t, &m);
        wire_close(w, &m);
        break;
    case F_SERIES2_CREATED:
        t->created_ms = (int64_t)wire_varint(w);
        break;
    case F_SERIES2_EXEMPLAR:
        s->result->exemplars++;
        wire_skip(w);
        break;
    default:
        wire_skip(w);
    }
}

/* The labels that the references mean; false: they mean none, which is reported. */
static bool find_labels(struct samples *s, const struct series2 *t, const struct symbols *y)
{
    CLEANUP(buf_done) struct buf why;
    buf_init(&why, PUSH_REFUSAL_TEXT);
    buf_str(&why, S("parsing labels for series ["));
    for (uint32_t i = 0; i < t->nrefs && i < REFS_SHOWN; i++)
        buf_fmt(&why, "%s%u", i ? " " : "", t->refs[i]);
    buf_str(&why, t->nrefs > REFS_SHOWN ? S(" ...]: ") : S("]: "));
    if (t->nrefs % 2) {
        buf_fmt(&why, "invalid labelRefs length %u", t->nrefs);
        series_refuse(s, buf_view(&why));
        return false;
    }
    for (uint32_t i = 0; i < t->nrefs; i += 2) {
        if (t->refs[i] >= y->n || t->refs[i + 1] >= y->n) {
            buf_fmt(&why, "labelRefs %u (name) = %u (value) outside of symbols table (size %u)", t->refs[i], t->refs[i + 1], y->n);
            series_refuse(s, buf_view(&why));
            return false;
        }
        series_label(s, y->at[t->refs[i]], y->at[t->refs[i + 1]]);
    }
    return true;
}

static void keep_meta(struct samples *s, const struct series2 *t, const struct symbols *y)
{
    for (uint32_t i = 0; i < s->nlabels; i++)
        if (str_eq(s->labels[i].name, S("__name__")))
            samples_meta(s, s->labels[i].value, t->type, symbol(y, t->help), symbol(y, t->unit));
}

static void walk_series(struct samples *s, struct series2 *t, const struct symbols *y, struct wire *w)
{
    series_begin(s);
    t->nrefs = 0;
    t->type = t->help = t->unit = 0;
    t->created_ms = 0;
    while (samples_ok(s) && wire_next(w))
        walk_field(s, t, w);
    if (w->bad || !samples_ok(s) || !find_labels(s, t, y))
        return;
    series_end(s, t->created_ms);
    keep_meta(s, t, y);
}

void write2_walk(struct samples *s, struct str body)
{
    struct symbols y = { 0 };
    struct series2 t = { 0 };
    struct wire w = wire_of(body);
    read_symbols(s, body, &y);
    while (samples_ok(s) && wire_next(&w)) {
        if (w.field != F_WRITE2_SERIES) {
            wire_skip(&w);
            continue;
        }
        struct wire m = wire_message(&w);
        walk_series(s, &t, &y, &m);
        wire_close(&w, &m);
    }
    samples_malformed(s, &w, body);
}
