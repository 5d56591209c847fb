/* otlp/redact_pb.c -- redacting protobuf.
 *
 * A nested message stands behind its length, which is known only when the message is
 * through. So a level that has to change is opened late: then the parents are opened, what
 * of them was kept so far is copied, and room for the length is left, as wide as the old one
 * was. A level that does not change is never opened and stays part of its parent's stretch.
 *
 *     in    | kept ........ | field_at: tag, length, nested message ...... |
 *     out   | ............. | tag, length | kept of the nested one ...
 *                                         ^ body_at
 */
#include <string.h>

#include "base/utf8.h"
#include "base/wire.h"
#include "otlp/fields.h"
#include "otlp/limits.h"
#include "otlp/redact_int.h"

struct level {
    struct level *up;
    const uint8_t *kept;         /* what stands before is written, or left out */
    const uint8_t *field_at;     /* where the field begins that is being walked */
    uint32_t number;             /* of this message in its parent */
    size_t body_at;              /* in `out`, once it is open */
    unsigned width;              /* bytes of its length there */
    bool open;
};

enum { TAG_TYPE_BITS = 3, LENGTH_WIDTH_MAX = 10 };

static unsigned varint_width(uint64_t v)
{
    unsigned n = 1;
    while (v >>= 7)
        n++;
    return n;
}

static void varint_at(char *p, uint64_t v, unsigned width)
{
    for (unsigned i = 0; i < width; i++, v >>= 7)
        p[i] = (char)((v & 0x7f) | (i + 1 < width ? 0x80 : 0));
    CHECK(!v);
}

static void put(struct redact *r, const uint8_t *from, const uint8_t *to)
{
    CHECK(from <= to);
    buf_put(r->out, from, (size_t)(to - from));
}

static void level_open(struct redact *r, struct level *l)
{
    if (l->open)
        return;
    if (l->up) {
        static const char room[LENGTH_WIDTH_MAX];
        level_open(r, l->up);
        put(r, l->up->kept, l->up->field_at);
        l->up->kept = l->up->field_at;
        wire_put_raw(r->out, (uint64_t)l->number << TAG_TYPE_BITS | WIRE_LEN);
        buf_put(r->out, room, l->width);
    }
    l->body_at = r->out->n;
    l->open = true;
}

/* What stands from `kept` to `to` is written; what follows up to `next` is left out. */
static void level_cut(struct redact *r, struct level *l, const uint8_t *to, const uint8_t *next)
{
    level_open(r, l);
    put(r, l->kept, to);
    l->kept = next;
}

/* The message is through: its length is known. */
static void level_close(struct redact *r, struct level *l, const uint8_t *end)
{
    if (!l->open || !redact_ok(r))
        return;
    put(r, l->kept, end);
    if (!l->up || r->out->bad)
        return;
    size_t n = r->out->n - l->body_at;
    unsigned width = varint_width(n), before = l->width;
    char *at = r->out->p + l->body_at - before;
    if (width > before) {
        static const char room[LENGTH_WIDTH_MAX];
        buf_put(r->out, room, width - before);
        if (r->out->bad)
            return;
        at = r->out->p + l->body_at - before;
    }
    if (width != before)
        memmove(at + width, at + before, n);
    varint_at(at, n, width);
    r->out->n = l->body_at - before + width + n;
}

static void bad(struct redact *r, struct wire *w)
{
    if (!w->bad)
        return;
    size_t at = (size_t)(w->at - (const uint8_t *)r->body.p);
    redact_fail(r, E_SYNTAX, at, "malformed protobuf at byte %zu of %zu", at, r->body.n);
}

static void message(struct redact *r, const struct redact_message *m, struct wire *w, struct level *l);
static void any(struct redact *r, uint64_t rules, enum place place, struct wire *w, struct level *l, unsigned depth);

/* The next field is a message: its cursor, and the level it has. */
static struct wire enter(struct wire *w, struct level *up, struct level *ret)
{
    uint32_t number = w->field;
    struct wire m = wire_message(w);
    *ret = (struct level){ .up = up, .kept = m.p, .number = number, .width = varint_width((uint64_t)(m.end - m.p)) };
    return m;
}

static void leave(struct redact *r, struct wire *w, struct wire *m, struct level *l)
{
    wire_close(w, m);
    bad(r, w);
    level_close(r, l, m->end);
    if (l->open)
        l->up->kept = w->p;
}

/* ---- values ---------------------------------------------------------------------------- */

/* A scalar is replaced as a whole: by a text, or by bytes that are no text. */
static void replace(struct redact *r, struct level *l, const struct wire *w, struct str by)
{
    level_cut(r, l, l->field_at, w->p);
    wire_put_bytes(r->out, utf8_valid(by) ? F_ANY_STRING : F_ANY_BYTES, by);
}

static void scalar(struct redact *r, uint64_t rules, struct wire *w, struct level *l)
{
    struct str text = { 0 }, kept;
    bool is_text = w->field == F_ANY_STRING || w->field == F_ANY_BYTES, whole = privacy_replaces(r->p, rules);
    if (is_text) {
        text = wire_bytes(w);
    } else if (!whole) {
        wire_skip(w);
    } else if (w->field == F_ANY_BOOL) {
        text = wire_varint(w) ? S("true") : S("false");
    } else if (w->field == F_ANY_INT) {
        text = redact_int_text(r, (int64_t)wire_varint(w));
    } else {
        text = redact_double_text(r, wire_double(w));
    }
    if (w->bad)
        return;
    kept = redact_value(r, rules, text, is_text);
    if (kept.p != text.p)
        replace(r, l, w, kept);
}

/* KeyValue: dropped (false), or its value redacted. `rules` are those of what it stands in. */
static bool key_value(struct redact *r, uint64_t rules, enum place place, struct wire *m, struct level *l, unsigned depth)
{
    struct wire scan = *m;
    struct str key = { 0 };
    while (wire_next(&scan)) {
        if (scan.field == F_KV_KEY)
            key = wire_bytes(&scan);
        else
            wire_skip(&scan);
    }
    const struct redact_name *name = redact_name(r, place, key);
    if (privacy_drops(r->p, name->rules))
        return false;
    rules |= name->rules;
    struct str new_key = name->kept;               /* the entry may be another name's soon */
    bool renamed = name->kept.p != name->name.p;
    while (redact_ok(r) && (l->field_at = m->p, wire_next(m))) {
        if (m->field == F_KV_KEY) {
            struct str old = wire_bytes(m);
            if (renamed || !str_eq(old, key)) {
                level_cut(r, l, l->field_at, m->p);
                wire_put_bytes(r->out, F_KV_KEY, new_key);
            }
        } else if (m->field == F_KV_VALUE) {
            struct level inner;
            struct wire v = enter(m, l, &inner);
            any(r, rules, place, &v, &inner, depth);
            leave(r, m, &v, &inner);
        } else {
            wire_skip(m);
            level_cut(r, l, l->field_at, m->p);
        }
    }
    return true;
}

/* The next field is a KeyValue. */
static void attr(struct redact *r, uint64_t rules, enum place place, struct wire *w, struct level *l, unsigned depth)
{
    struct level inner;
    struct wire m = enter(w, l, &inner);
    if (!w->bad && !key_value(r, rules, place, &m, &inner, depth)) {
        level_cut(r, l, l->field_at, w->p);
        return;
    }
    leave(r, w, &m, &inner);
}

/* ArrayValue or KeyValueList. Members of a body have names like attributes. */
static void list(struct redact *r, uint64_t rules, enum place place, struct wire *w, struct level *l, bool map, unsigned depth)
{
    if (depth > OTLP_VALUE_DEPTH_MAX)
        redact_fail(r, E_LIMIT, 0, "arrays and maps nested deeper than %d", OTLP_VALUE_DEPTH_MAX);
    place = place == PLACE_FIELD && map ? PLACE_ATTR : place;
    while (redact_ok(r) && (l->field_at = w->p, wire_next(w))) {
        if (w->field != F_ARRAY_VALUES) {
            wire_skip(w);
            level_cut(r, l, l->field_at, w->p);
        } else if (map) {
            attr(r, rules, place, w, l, depth);
        } else {
            struct level inner;
            struct wire m = enter(w, l, &inner);
            any(r, rules, place, &m, &inner, depth);
            leave(r, w, &m, &inner);
        }
    }
}

static void any(struct redact *r, uint64_t rules, enum place place, struct wire *w, struct level *l, unsigned depth)
{
    while (redact_ok(r) && (l->field_at = w->p, wire_next(w))) {
        struct level inner;
        struct wire m;
        switch (w->field) {
        case F_ANY_STRING:
        case F_ANY_BOOL:
        case F_ANY_INT:
        case F_ANY_DOUBLE:
        case F_ANY_BYTES:
            scalar(r, rules, w, l);
            break;
        case F_ANY_ARRAY:
        case F_ANY_MAP:
            m = enter(w, l, &inner);
            list(r, rules, place, &m, &inner, w->field == F_ANY_MAP, depth + 1);
            leave(r, w, &m, &inner);
            break;
        default:
            wire_skip(w);
            level_cut(r, l, l->field_at, w->p);
        }
    }
}

/* ---- messages ------------------------------------------------------------------------------ */

static void text(struct redact *r, const struct redact_field *f, struct wire *w, struct level *l)
{
    uint64_t rules = redact_name(r, f->place, f->name)->rules;
    struct str old = wire_bytes(w);
    if (w->bad)
        return;
    bool drop = privacy_drops(r->p, rules);
    struct str kept = drop ? (struct str){ 0 } : redact_value(r, rules, old, true);
    if (!drop && kept.p == old.p)
        return;
    level_cut(r, l, l->field_at, w->p);
    if (!drop)
        wire_put_bytes(r->out, f->number, kept);
}

static void body(struct redact *r, const struct redact_field *f, struct wire *w, struct level *l)
{
    uint64_t rules = redact_name(r, f->place, f->name)->rules;
    struct level inner;
    struct wire m = enter(w, l, &inner);
    if (!w->bad && privacy_drops(r->p, rules)) {
        level_cut(r, l, l->field_at, w->p);
        return;
    }
    any(r, rules, f->place, &m, &inner, 0);
    leave(r, w, &m, &inner);
}

static void field(struct redact *r, const struct redact_field *f, struct wire *w, struct level *l)
{
    struct level inner;
    struct wire m;
    switch (f->part) {
    case PART_PLAIN:
        wire_skip(w);
        return;
    case PART_TEXT:
        text(r, f, w, l);
        return;
    case PART_ANY:
        body(r, f, w, l);
        return;
    case PART_ATTR:
        attr(r, 0, f->place, w, l, 0);
        return;
    case PART_MESSAGE:
        m = enter(w, l, &inner);
        message(r, f->message, &m, &inner);
        leave(r, w, &m, &inner);
        return;
    }
}

static void message(struct redact *r, const struct redact_message *m, struct wire *w, struct level *l)
{
    while (redact_ok(r) && (l->field_at = w->p, wire_next(w))) {
        const struct redact_field *f = m->fields;
        while (f->number && f->number != w->field)
            f++;
        if (f->number) {
            field(r, f, w, l);
        } else {
            wire_skip(w);
            level_cut(r, l, l->field_at, w->p);
        }
    }
    bad(r, w);
}

bool redact_pb(struct redact *r, const struct redact_message *m)
{
    struct wire w = wire_of(r->body);
    struct level top = { .kept = w.p };
    const uint8_t *end = w.end;
    message(r, m, &w, &top);
    level_close(r, &top, end);
    return top.open;
}
