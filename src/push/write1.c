/* push/write1.c -- the walk over prometheus.WriteRequest, remote write 1.0. */
#include "base/wire.h"
#include "push/fields.h"
#include "push/samples.h"

static void walk_label(struct samples *s, struct wire *m)
{
    struct str name = S(""), value = S("");
    while (wire_next(m))
        switch (m->field) {
        case F_LABEL_NAME:
            name = wire_bytes(m);
            break;
        case F_LABEL_VALUE:
            value = wire_bytes(m);
            break;
        default:
            wire_skip(m);
        }
    series_label(s, name, value);
}

/* Name and value, each and both of less than 128 bytes: nearly all of them. The cursor is
 * before the length of the message; false: left there. */
static bool quick_label(struct samples *s, struct wire *t)
{
    enum { NAME_TAG = F_LABEL_NAME << 3 | WIRE_LEN, VALUE_TAG = F_LABEL_VALUE << 3 | WIRE_LEN, SHORT = 0x80, AROUND = 4 };
    const uint8_t *p = t->p;
    size_t left = (size_t)(t->end - p);
    if (t->type != WIRE_LEN || left < 1 + AROUND || p[0] >= SHORT || p[0] < AROUND || p[0] >= left || p[1] != NAME_TAG)
        return false;
    size_t all = p[0], name = p[2];
    if (name + AROUND > all || p[3 + name] != VALUE_TAG || p[4 + name] != all - AROUND - name)
        return false;
    series_label(s, (struct str){ (const char *)p + 3, name }, (struct str){ (const char *)p + 5 + name, all - AROUND - name });
    t->p = p + 1 + all;
    return true;
}

static void walk_series(struct samples *s, struct wire *t)
{
    series_begin(s);
    while (samples_ok(s) && wire_next(t)) {
        struct wire m;
        switch (t->field) {
        case F_SERIES1_LABEL:
            if (quick_label(s, t))
                break;
            m = wire_message(t);
            walk_label(s, &m);
            wire_close(t, &m);
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
