/* push/loki_pb.c -- the walk over logproto.PushRequest. */
#include "base/clock.h"
#include "base/wire.h"
#include "push/entries.h"
#include "push/fields.h"

static int64_t walk_time(struct wire *m)
{
    int64_t seconds = 0, nanos = 0, ns;
    while (wire_next(m))
        switch (m->field) {
        case F_TIME_SECONDS:
            seconds = (int64_t)wire_varint(m);
            break;
        case F_TIME_NANOS:
            nanos = (int32_t)wire_varint(m);
            break;
        default:
            wire_skip(m);
        }
    if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) || __builtin_add_overflow(ns, nanos, &ns))
        return seconds < 0 ? NO_ENTRY_TIME : INT64_MAX;
    return ns;
}

static void walk_pair(struct entries *s, struct wire *m)
{
    struct str name = S(""), value = S("");
    while (wire_next(m))
        switch (m->field) {
        case F_PAIR_NAME:
            name = wire_bytes(m);
            break;
        case F_PAIR_VALUE:
            value = wire_bytes(m);
            break;
        default:
            wire_skip(m);
        }
    line_meta(s, name, value);
}

static void walk_entry(struct entries *s, struct wire *e)
{
    int64_t time_ns = NO_ENTRY_TIME;
    struct str line = S("");
    line_begin(s);
    while (entries_ok(s) && wire_next(e)) {
        struct wire m;
        switch (e->field) {
        case F_ENTRY_TIME:
            m = wire_message(e);
            time_ns = walk_time(&m);
            wire_close(e, &m);
            break;
        case F_ENTRY_LINE:
            line = wire_bytes(e);
            break;
        case F_ENTRY_META:
            m = wire_message(e);
            walk_pair(s, &m);
            wire_close(e, &m);
            break;
        default:
            wire_skip(e);
        }
    }
    if (!e->bad)
        line_end(s, time_ns, line);
}

/* Labels first, wherever they stand. */
static void walk_stream(struct entries *s, struct wire *t)
{
    struct wire w = *t;
    struct str labels = S("{}");
    stream_begin(s);
    while (wire_next(&w))
        if (w.field == F_STREAM_LABELS)
            labels = wire_bytes(&w);
        else
            wire_skip(&w);
    if (!w.bad) {
        stream_labels(s, labels);
        stream_ready(s);
    }
    while (entries_ok(s) && wire_next(t)) {
        if (t->field != F_STREAM_ENTRY) {
            wire_skip(t);
            continue;
        }
        struct wire m = wire_message(t);
        walk_entry(s, &m);
        wire_close(t, &m);
    }
}

void loki_walk_protobuf(struct entries *s, struct str body)
{
    struct wire w = wire_of(body);
    while (entries_ok(s) && wire_next(&w)) {
        if (w.field != F_PUSH_STREAM) {
            wire_skip(&w);
            continue;
        }
        struct wire m = wire_message(&w);
        walk_stream(s, &m);
        wire_close(&w, &m);
    }
    if (w.bad)
        entries_fail(s, E_SYNTAX, (size_t)(w.at - (const uint8_t *)body.p), "malformed protobuf at byte %zu of %zu",
                     (size_t)(w.at - (const uint8_t *)body.p), body.n);
}
