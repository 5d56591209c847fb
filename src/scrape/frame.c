/* scrape/frame.c -- rows to bytes and back, with every text once. */
#include "scrape/frame.h"

#include <string.h>

#include "base/wire.h"

enum { FRAME_VERSION = 1, FRAME_BODY_MAX = 256 << 20 };
enum { ROW_CUMULATIVE = 1, ROW_OWN_TIME = 2 };

/* ---- writing ------------------------------------------------------------------------- */

static void put_signed(struct buf *b, int64_t v)
{
    wire_put_raw(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_value(char out[8], double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    for (unsigned i = 0; i < 8; i++)
        out[i] = (char)(bits >> 8 * i);
}

void frame_init(struct frame *w, int64_t time_ns)
{
    *w = (struct frame){ .time_ns = time_ns };
    buf_init(&w->rows, FRAME_BODY_MAX);
    buf_init(&w->metas, FRAME_BODY_MAX);
    buf_init(&w->texts, FRAME_BODY_MAX);
}

void frame_done(struct frame *w)
{
    buf_done(&w->rows);
    buf_done(&w->metas);
    buf_done(&w->texts);
    map_done(&w->index);
}

static uint32_t text_index(struct frame *w, struct str s)
{
    bool fresh;
    uint32_t i = map_intern(&w->index, s, w->ntexts, &fresh);
    if (fresh) {
        w->ntexts++;
        wire_put_raw(&w->texts, s.n);
        buf_str(&w->texts, s);
    }
    return i;
}

size_t frame_row(struct frame *w, const struct lset *labels, double value, int64_t time_ns, bool cumulative)
{
    char bytes[8];
    int64_t off = time_ns - w->time_ns;
    buf_byte(&w->rows, (char)((cumulative ? ROW_CUMULATIVE : 0) | (off ? ROW_OWN_TIME : 0)));
    if (off)
        put_signed(&w->rows, off);
    size_t at = w->rows.n;
    put_value(bytes, value);
    buf_put(&w->rows, bytes, sizeof bytes);
    wire_put_raw(&w->rows, labels->n);
    for (uint32_t i = 0; i < labels->n; i++) {
        wire_put_raw(&w->rows, text_index(w, labels->at[i].name));
        wire_put_raw(&w->rows, text_index(w, labels->at[i].value));
    }
    w->nrows++;
    return at;
}

void frame_set_value(struct frame *w, size_t at, double value)
{
    CHECK(w->rows.bad || at + 8 <= w->rows.n);
    if (!w->rows.bad)
        put_value(w->rows.p + at, value);
}

void frame_meta(struct frame *w, const struct metric_meta *m)
{
    wire_put_raw(&w->metas, text_index(w, m->name));
    wire_put_raw(&w->metas, m->type);
    wire_put_raw(&w->metas, text_index(w, m->unit));
    wire_put_raw(&w->metas, text_index(w, m->help));
    w->nmetas++;
}

struct str frame_body(const struct frame *w, int64_t start_ns, struct arena *mem)
{
    CLEANUP(buf_done) struct buf head;
    buf_init(&head, 256);
    wire_put_raw(&head, FRAME_VERSION);
    put_signed(&head, w->time_ns);
    put_signed(&head, start_ns);
    wire_put_raw(&head, w->ntexts);
    size_t texts_at = head.n;
    wire_put_raw(&head, w->nmetas);
    size_t metas_at = head.n;
    wire_put_raw(&head, w->nrows);
    size_t n = head.n + w->texts.n + w->metas.n + w->rows.n;
    if (w->texts.bad || w->metas.bad || w->rows.bad || n > FRAME_BODY_MAX)
        return (struct str){ 0 };

    const struct str parts[] = {
        { head.p, texts_at }, buf_view(&w->texts), { head.p + texts_at, metas_at - texts_at }, buf_view(&w->metas),
        { head.p + metas_at, head.n - metas_at }, buf_view(&w->rows),
    };
    char *out = arena_alloc(mem, n, 1);
    size_t at = 0;
    for (size_t i = 0; i < LEN(parts); i++) {
        if (parts[i].n)
            memcpy(out + at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    return (struct str){ out, n };
}

/* ---- reading ------------------------------------------------------------------------- */

/* A cursor: the first malformed byte sets `bad` and empties the rest. base/wire.h has one too, but
 * of messages whose fields have tags. */
struct reader {
    const uint8_t *p, *end;
    bool bad;
};

static void spoil(struct reader *r)
{
    r->bad = true;
    r->p = r->end;
}

static uint64_t varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t b = *r->p++;
        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
    spoil(r);
    return 0;
}

static int64_t signed_varint(struct reader *r)
{
    uint64_t v = varint(r);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* A count of things that take at least `least` bytes each. */
static uint32_t count(struct reader *r, size_t least, uint32_t max)
{
    uint64_t n = varint(r);
    if (n > max || n > (uint64_t)(r->end - r->p) / least) {
        spoil(r);
        return 0;
    }
    return (uint32_t)n;
}

static struct str bytes(struct reader *r)
{
    uint64_t n = varint(r);
    if (n > (uint64_t)(r->end - r->p)) {
        spoil(r);
        return S("");
    }
    struct str t = { (const char *)r->p, (size_t)n };
    r->p += n;
    return t;
}

static double fixed_double(struct reader *r)
{
    uint64_t bits = 0;
    double v;
    if (r->end - r->p < 8) {
        spoil(r);
        return 0;
    }
    for (unsigned i = 0; i < 8; i++)
        bits |= (uint64_t)*r->p++ << 8 * i;
    memcpy(&v, &bits, sizeof v);
    return v;
}

struct decoder {
    struct reader r;
    struct batch *b;
    struct str *texts;
    uint32_t *cols;                                /* of a text as a label's name; MAP_NONE: not yet */
    uint32_t ntexts;
    int64_t time_ns, start_ns;
};

static struct str text(struct decoder *d, uint32_t *ret_index)
{
    uint64_t i = varint(&d->r);
    if (i >= d->ntexts) {
        spoil(&d->r);
        return S("");
    }
    *ret_index = (uint32_t)i;
    return d->texts[i];
}

static void read_texts(struct decoder *d)
{
    d->ntexts = count(&d->r, 1, FRAME_TEXTS_MAX);
    d->texts = arena_new(d->b->mem, struct str, d->ntexts + 1u);
    d->cols = arena_new(d->b->mem, uint32_t, d->ntexts + 1u);
    for (uint32_t i = 0; i < d->ntexts; i++) {
        d->texts[i] = bytes(&d->r);
        d->cols[i] = MAP_NONE;
    }
}

static void read_metas(struct decoder *d)
{
    uint32_t n = count(&d->r, 4, EXPO_SAMPLES_MAX), i;
    for (uint32_t k = 0; k < n && !d->r.bad; k++) {
        struct metric_meta m = { 0 };
        m.name = text(d, &i);
        uint64_t type = varint(&d->r);
        m.unit = text(d, &i);
        m.help = text(d, &i);
        if (type > METRIC_SUMMARY)
            spoil(&d->r);
        m.type = (enum metric_type)type;
        if (!d->r.bad)
            *arena_push(d->b->mem, d->b->metas, d->b->nmetas, d->b->cap_metas) = m;
    }
}

static void read_labels(struct decoder *d, struct row *row)
{
    uint32_t n = count(&d->r, 2, LSET_MAX), i = 0, unused = 0;
    struct str last = { 0 };
    row->cells.at = arena_new(d->b->mem, struct cell, MAX(n, 1u));
    row->cells.cap = MAX(n, 1u);
    for (uint32_t k = 0; k < n && !d->r.bad; k++) {
        struct str name = text(d, &i), v = text(d, &unused);
        if (d->r.bad || !name.n || !v.n || (last.p && str_cmp(last, name) >= 0)) {
            spoil(&d->r);
            return;
        }
        if (d->cols[i] == MAP_NONE)
            d->cols[i] = batch_col(d->b, PLACE_LABEL, name);
        row->cells.at[row->cells.n++] = (struct cell){ .col = d->cols[i], .v = value_str(v) };
        last = name;
    }
}

static void read_row(struct decoder *d)
{
    if (d->r.p == d->r.end) {
        spoil(&d->r);
        return;
    }
    uint8_t flags = *d->r.p++;
    int64_t off = flags & ROW_OWN_TIME ? signed_varint(&d->r) : 0;
    struct row *row = batch_row(d->b);
    row->origin = ORIGIN_SCRAPE;
    row->temporality = flags & ROW_CUMULATIVE ? TEMPORALITY_CUMULATIVE : TEMPORALITY_NONE;
    row->start_ns = flags & ROW_CUMULATIVE ? d->start_ns : 0;
    row->value = fixed_double(&d->r);
    if (flags > (ROW_CUMULATIVE | ROW_OWN_TIME) || __builtin_add_overflow(d->time_ns, off, &row->time_ns))
        spoil(&d->r);
    read_labels(d, row);
}

enum err scrape_decode(struct str body, int64_t recv_ns, struct arena *mem, struct batch *ret, struct fault *f)
{
    struct decoder d = { .b = ret };
    d.r.p = (const uint8_t *)(body.n ? body.p : "");
    d.r.end = d.r.p + body.n;
    batch_init(ret, mem, TABLE_SAMPLE, recv_ns);
    if (varint(&d.r) != FRAME_VERSION)
        return fault_set(f, E_CORRUPT, 0, "a scrape of a version that this ccmon does not know");
    d.time_ns = signed_varint(&d.r);
    d.start_ns = signed_varint(&d.r);
    read_texts(&d);
    read_metas(&d);
    uint32_t n = count(&d.r, 10, UINT32_MAX);
    for (uint32_t i = 0; i < n && !d.r.bad; i++)
        read_row(&d);
    if (d.r.bad || d.r.p != d.r.end)
        return fault_set(f, E_CORRUPT, (size_t)((const char *)d.r.p - body.p), "a scrape that cannot be decoded");
    rows_identify(ret);
    return OK;
}

static enum err decode_frame(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns,
                             struct arena *mem, struct batch *ret, struct fault *f)
{
    (void)arg;
    (void)epoch;                                   /* nothing of the configuration enters: rows are final */
    CHECK(kind == FRAME_SCRAPE);
    return scrape_decode(body, recv_ns, mem, ret, f);
}

struct frame_decoder scrape_frame_decoder(void)
{
    return (struct frame_decoder){ .decode = decode_frame };
}
