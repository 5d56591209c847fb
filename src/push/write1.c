/* push/write1.c -- the walk over prometheus.WriteRequest, remote write 1.0. */
#include "base/wire.h"
#include "push/fields.h"
#include "push/samples.h"

static struct label walk_label(struct wire *m)
{
    struct label l = { S(""), S("") };
    while (wire_next(m))
        switch (m->field) {
        case F_LABEL_NAME:
            l.name = wire_bytes(m);
            break;
        case F_LABEL_VALUE:
            l.value = wire_bytes(m);
            break;
        default:
            wire_skip(m);
        }
    return l;
}

/* Name and value, each and both of less than 128 bytes: nearly all of them. The cursor is
 * before the length of the message; false: left there. */
static bool quick_label(struct wire *t, struct label *ret)
{
    enum { NAME_TAG = F_LABEL_NAME << 3 | WIRE_LEN, VALUE_TAG = F_LABEL_VALUE << 3 | WIRE_LEN, SHORT = 0x80, AROUND = 4 };
    const uint8_t *p = t->p;
    size_t left = (size_t)(t->end - p);
    if (t->type != WIRE_LEN || left < 1 + AROUND || p[0] >= SHORT || p[0] < AROUND || p[0] >= left || p[1] != NAME_TAG)
        return false;
    size_t all = p[0], name = p[2];
    if (name + AROUND > all || p[3 + name] != VALUE_TAG || p[4 + name] != all - AROUND - name)
        return false;
    *ret = (struct label){ { (const char *)p + 3, name }, { (const char *)p + 5 + name, all - AROUND - name } };
    t->p = p + 1 + all;
    return true;
}

static struct label next_label(struct wire *t)
{
    struct label l;
    if (quick_label(t, &l))
        return l;
    struct wire m = wire_message(t);
    l = walk_label(&m);
    wire_close(t, &m);
    return l;
}

void write1_unfold(const struct batch *b, const struct series_ref *r, struct arena *mem, struct cells *ret)
{
    struct wire t = wire_of(r->raw);
    while (wire_next(&t)) {
        CHECK(t.field == F_SERIES1_LABEL);
        struct label l = next_label(&t);
        if (!l.value.n)
            continue;
        uint32_t col = batch_col_find(b, PLACE_LABEL, l.name, *mem);
        CHECK(col < b->ncols);
        cells_put(ret, mem, col, value_str(l.value));
    }
    CHECK(!t.bad);
}

/* ---- a series that was seen before --------------------------------------------------- */

/* The labels with which the message begins, which nearly always are all of them. */
static struct str labels_in_front(const struct wire *t)
{
    enum { TAG = F_SERIES1_LABEL << 3 | WIRE_LEN, SHORT = 0x80, SEVEN = 7 };
    const uint8_t *p = t->p;
    while (t->end - p > 2 && p[0] == TAG) {
        size_t n = p[1], head = 2;
        if (n >= SHORT && p[2] >= SHORT)
            break;
        if (n >= SHORT) {
            n = (n & (SHORT - 1)) | (size_t)p[2] << SEVEN;
            head = 3;
        }
        if (n > (size_t)(t->end - p) - head)
            break;
        p += head + n;
    }
    return (struct str){ (const char *)t->p, (size_t)(p - t->p) };
}

/* False: nothing was done, and the message is to be read properly. */
static bool quick_series(struct samples *s, struct wire *t)
{
    struct str raw = labels_in_front(t);
    if (!series_is_known(s, raw))
        return false;
    struct wire w = *t;
    w.p += raw.n;
    while (wire_next(&w)) {
        if (w.field != F_SERIES1_SAMPLE)
            return false;
        struct wire m = wire_message(&w);
        series_walk_sample(s, &m);
        wire_close(&w, &m);
    }
    if (w.bad)
        return false;
    t->p = t->end;
    series_end(s, 0);
    return true;
}

static void walk_series(struct samples *s, struct wire *t)
{
    series_begin(s);
    if (quick_series(s, t))
        return;
    series_begin(s);
    struct str raw = labels_in_front(t);
    bool together = raw.n > 0;
    while (samples_ok(s) && wire_next(t)) {
        struct wire m;
        switch (t->field) {
        case F_SERIES1_LABEL:
            together = together && (const char *)t->p < raw.p + raw.n;
            struct label l = next_label(t);
            series_label(s, l.name, l.value);
            break;
        case F_SERIES1_SAMPLE:
            m = wire_message(t);
            series_walk_sample(s, &m);
            wire_close(t, &m);
            break;
        case F_SERIES1_HISTOGRAM:
            series_histogram(s, wire_bytes(t));
            break;
        case F_SERIES1_EXEMPLAR:
            s->result->exemplars++;
            wire_skip(t);
            break;
        default:
            wire_skip(t);
        }
    }
    if (together)
        s->raw = raw;
    if (!t->bad)
        series_end(s, 0);
}

static void walk_meta(struct samples *s, struct wire *m)
{
    struct str name = S(""), help = S(""), unit = S("");
    uint64_t type = 0;
    while (wire_next(m))
        switch (m->field) {
        case F_META1_TYPE:
            type = wire_varint(m);
            break;
        case F_META1_NAME:
            name = wire_bytes(m);
            break;
        case F_META1_HELP:
            help = wire_bytes(m);
            break;
        case F_META1_UNIT:
            unit = wire_bytes(m);
            break;
        default:
            wire_skip(m);
        }
    if (!m->bad)
        samples_meta(s, name, type, help, unit);
}

void write1_walk(struct samples *s, struct str body)
{
    struct wire w = wire_of(body);
    while (samples_ok(s) && wire_next(&w)) {
        struct wire m;
        switch (w.field) {
        case F_WRITE1_SERIES:
            m = wire_message(&w);
            walk_series(s, &m);
            wire_close(&w, &m);
            break;
        case F_WRITE1_META:
            m = wire_message(&w);
            walk_meta(s, &m);
            wire_close(&w, &m);
            break;
        default:
            wire_skip(&w);
        }
    }
    samples_malformed(s, &w, body);
}
