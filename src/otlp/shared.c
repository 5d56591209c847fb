/* otlp/shared.c -- the attributes that many records begin with, made cells once.
 *
 * A client puts what says whose a record is before what says what happened:
 *
 *     user.id session.id organization.id user.email ... | event.name event.timestamp ...
 *
 * All that stands before `event.name` is, byte for byte, the same in every record of a
 * session. So it is looked up by its bytes, and the records that have the same ones have
 * one group of cells: the scope's and these. Neither the decoding nor the identity nor the
 * store looks at any of them again, which are half of a record.
 *
 * It is a short cut: a record whose attributes stand otherwise has all of them in its row,
 * and reads back the same. A sender whose records share nothing costs a hash each, and no
 * more groups after a while.
 */
#include "base/hash.h"
#include "otlp/fields.h"
#include "otlp/pb.h"

enum { ATTRS_MAX = 32, BASE_MAX = 64, TRIES = 64, SHORT = 0x80, PROBES = 8 };

/* Where the tag of event.name's attribute stands, if only short attributes are before it and
 * at least one is. p: the length of the first one, whose tag was read. */
static const uint8_t *find_end(const uint8_t *p, const uint8_t *end)
{
    enum { TAG = F_LOG_ATTRS << WIRE_TYPE_BITS | WIRE_LEN, KEY = F_KV_KEY << WIRE_TYPE_BITS | WIRE_LEN };
    const struct str name = S("event.name");
    for (unsigned i = 0; i < ATTRS_MAX; i++) {
        size_t n = p < end ? *p : 0;
        if (p == end || n >= SHORT || n > (size_t)(end - p - 1))
            return NULL;
        if (n > name.n + 2 && p[1] == KEY && p[2] == name.n && str_same((struct str){ (const char *)p + 3, name.n }, name))
            return i ? p - 1 : NULL;
        p += 1 + n;
        if (p == end || *p++ != TAG)
            return NULL;
    }
    return NULL;
}

static bool worth_it(const struct build *b)
{
    if (b->group != ROW_NO_GROUP && b->batch->groups[b->group].n > BASE_MAX)
        return false;
    return b->shared_misses < TRIES || b->shared_hits > b->shared_misses;
}

/* Reads them up to `end` into a new group; false: something is wrong with them, and the usual
 * way finds out what. */
static bool make(struct build *b, const struct wire *at, const uint8_t *end, struct shared *ret)
{
    struct wire w = *at;
    struct otlp_attrs *a = &b->attrs;
    w.end = end;
    a->n = 0;
    pb_attr(b, &w, a);
    while (wire_next(&w))
        pb_attr(b, &w, a);
    if (w.bad || !build_ok(b))
        return false;
    ret->attrs = a->n;
    ret->base = b->group;
    ret->group = build_shared(b, a);
    a->n = 0;
    return true;
}

/* The place of these bytes: where they are, or where they may go, be it over others. */
static struct shared *find(struct build *b, struct str bytes)
{
    if (!b->shared)
        b->shared = arena_new(b->mem, struct shared, SHARED_MAX);
    uint64_t home = hash64(bytes, b->group);
    for (unsigned i = 0; i < PROBES; i++) {
        struct shared *s = &b->shared[(home + i) % SHARED_MAX];
        if (!s->bytes.p || (s->base == b->group && str_same(s->bytes, bytes)))
            return s;
    }
    return &b->shared[home % SHARED_MAX];
}

bool pb_shared(struct build *b, struct wire *w)
{
    const uint8_t *end = w->type == WIRE_LEN ? find_end(w->p, w->end) : NULL;
    if (!end)
        return false;
    struct str bytes = { (const char *)w->p, (size_t)(end - w->p) };
    struct shared *s = find(b, bytes);
    if (s->bytes.p && s->base == b->group && str_same(s->bytes, bytes)) {
        b->shared_hits++;
    } else {
        struct shared fresh = { .bytes = bytes };
        if (!worth_it(b) || !make(b, w, end, &fresh))
            return false;
        b->shared_misses++;
        *s = fresh;
    }
    b->own_group = s->group;
    b->own_attrs = s->attrs;
    w->p = end;
    return true;
}
