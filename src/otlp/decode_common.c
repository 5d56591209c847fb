/* otlp/decode_common.c -- what the three signals share on the wire: the envelope,
 * attributes, values.
 *
 * A protobuf field may come in any order, and rows need their resource and scope
 * first. So a message of the envelope is walked twice: once for its head, hopping
 * over the rest by its lengths, once for its items.
 */
#include "otlp/fields.h"
#include "otlp/limits.h"
#include "otlp/pb.h"

/* ---- values -------------------------------------------------------------------- */

/* An AnyValue, unless it is an array or a map: then its message, not yet looked into. */
struct any {
    struct value v;
    struct wire list;
    uint32_t list_field;         /* F_ANY_ARRAY, F_ANY_MAP or 0 */
};

static void write_list(struct build *b, struct jw *out, struct any *a, unsigned depth);

/* any := at most one of the fields; of several the last one counts */
static void any_read(struct wire *w, struct any *a)
{
    a->v.type = V_NONE;
    a->list_field = 0;
    while (wire_next(w)) {
        uint32_t before = a->list_field;
        a->list_field = 0;
        switch (w->field) {
        case F_ANY_STRING:
            a->v = value_str(wire_bytes(w));
            break;
        case F_ANY_BOOL:
            a->v = value_bool(wire_varint(w) != 0);
            break;
        case F_ANY_INT:
            a->v = value_int((int64_t)wire_varint(w));
            break;
        case F_ANY_DOUBLE:
            a->v = value_double(wire_double(w));
            break;
        case F_ANY_BYTES:
            a->v = (struct value){ .type = V_BYTES, .s = wire_bytes(w) };
            break;
        case F_ANY_ARRAY:
        case F_ANY_MAP:
            a->list_field = w->field;
            a->list = wire_message(w);
            break;
        default:
            a->list_field = before;
            wire_skip(w);
        }
    }
}

/* w: the next field is an AnyValue; written as JSON. */
static void write_any(struct build *b, struct jw *out, struct wire *w, unsigned depth)
{
    struct wire m = wire_message(w);
    struct any a;
    any_read(&m, &a);
    if (a.list_field) {
        write_list(b, out, &a, depth + 1);
        wire_close(&m, &a.list);
    } else {
        value_write(b, out, &a.v);
    }
    wire_close(w, &m);
}

/* w: the next field is a KeyValue of a map. */
static void write_member(struct build *b, struct jw *out, struct wire *w, unsigned depth)
{
    struct wire m = wire_message(w), scan = m;
    struct str key = { 0 };
    bool done = false;
    while (wire_next(&scan)) {
        if (scan.field == F_KV_KEY)
            key = wire_bytes(&scan);
        else
            wire_skip(&scan);
    }
    jw_key(out, key);
    while (wire_next(&m)) {
        if (m.field == F_KV_VALUE && !done) {
            write_any(b, out, &m, depth);
            done = true;
        } else {
            wire_skip(&m);
        }
    }
    if (!done)
        jw_null(out);
    wire_close(w, &m);
}

static void write_list(struct build *b, struct jw *out, struct any *a, unsigned depth)
{
    bool map = a->list_field == F_ANY_MAP;
    if (depth > OTLP_VALUE_DEPTH_MAX)
        build_fail(b, E_LIMIT, 0, "arrays and maps nested deeper than %d", OTLP_VALUE_DEPTH_MAX);
    if (map)
        jw_obj(out);
    else
        jw_arr(out);
    while (build_ok(b) && wire_next(&a->list)) {
        if (a->list.field != F_ARRAY_VALUES)
            wire_skip(&a->list);
        else if (map)
            write_member(b, out, &a->list, depth);
        else
            write_any(b, out, &a->list, depth);
    }
    if (map)
        jw_obj_end(out);
    else
        jw_arr_end(out);
}

struct value pb_any(struct build *b, struct wire *w)
{
    struct any a;
    any_read(w, &a);
    if (!a.list_field)
        return a.v;
    struct jw out;
    buf_clear(&b->text);
    jw_init(&out, &b->text);
    write_list(b, &out, &a, 1);
    wire_close(w, &a.list);
    return text_value(b);
}

struct value pb_any_field(struct build *b, struct wire *w)
{
    struct wire m = wire_message(w);
    struct value v = pb_any(b, &m);
    wire_close(w, &m);
    return v;
}

/* What nearly all attributes are: a key, then a short text, number or bool, in this order
 * and nothing besides. False: look properly. */
static bool plain_attr(const uint8_t *p, size_t n, struct str *key, struct value *v)
{
    enum { KEY = F_KV_KEY << WIRE_TYPE_BITS | WIRE_LEN, VALUE = F_KV_VALUE << WIRE_TYPE_BITS | WIRE_LEN,
           STRING = F_ANY_STRING << WIRE_TYPE_BITS | WIRE_LEN, INT = F_ANY_INT << WIRE_TYPE_BITS | WIRE_VARINT,
           SHORT = 0x80, HEADS = 6 };
    if (n < HEADS || p[0] != KEY || p[1] >= SHORT || p[1] + (size_t)HEADS > n)
        return false;
    size_t nkey = p[1];
    const uint8_t *q = p + 2 + nkey;
    size_t left = n - 4 - nkey;                    /* of the value, behind its head */
    if (q[0] != VALUE || q[1] != left || left >= SHORT)
        return false;
    *key = (struct str){ (const char *)p + 2, nkey };
    if (q[2] == STRING && q[3] == left - 2) {
        *v = value_str((struct str){ (const char *)q + 4, left - 2 });
        return true;
    }
    if (q[2] == INT && left == 2 && q[3] < SHORT) {
        *v = value_int(q[3]);
        return true;
    }
    return false;
}

static void full_attr(struct build *b, struct wire *m, struct str *key, struct value *v)
{
    while (wire_next(m)) {
        switch (m->field) {
        case F_KV_KEY:
            *key = wire_bytes(m);
            break;
        case F_KV_VALUE:
            *v = pb_any_field(b, m);
            break;
        default:
            wire_skip(m);
        }
    }
}

static inline void read_attr(struct build *b, struct wire *w, struct str *key, struct value *v)
{
    struct wire m = wire_message(w);
    *key = (struct str){ 0 };
    v->type = V_NONE;
    if (!plain_attr(m.p, (size_t)(m.end - m.p), key, v)) {
        full_attr(b, &m, key, v);
        wire_close(w, &m);
    }
}

void pb_attr(struct build *b, struct wire *w, struct otlp_attrs *a)
{
    struct str key;
    struct value v;
    read_attr(b, w, &key, &v);
    attrs_add(b, a, key, v);
}

void pb_own_attr(struct build *b, struct wire *w)
{
    struct str key;
    struct value v;
    read_attr(b, w, &key, &v);
    build_attr(b, key, v);
}

struct str pb_id(struct build *b, struct wire *w)
{
    return id_hex(b, wire_bytes(w));
}

/* ---- envelope ---------------------------------------------------------------------- */

static void (*const items[OTLP_SIGNALS])(struct build *b, struct wire *w) = {
    [OTLP_METRICS] = pb_metric,
    [OTLP_LOGS] = pb_log,
    [OTLP_TRACES] = pb_span,
};

static void pb_resource(struct build *b, struct wire *w)
{
    struct wire m = wire_message(w);
    b->resource.n = 0;
    known_resource(b, (struct str){ (const char *)m.p, (size_t)(m.end - m.p) });
    while (wire_next(&m)) {
        if (m.field == F_RESOURCE_ATTRS)
            pb_attr(b, &m, &b->resource);
        else
            wire_skip(&m);
    }
    wire_close(w, &m);
}

static void pb_scope(struct build *b, struct wire *w)
{
    struct wire m = wire_message(w);
    while (wire_next(&m)) {
        switch (m.field) {
        case F_SCOPE_NAME:
            b->scope.name = wire_bytes(&m);
            break;
        case F_SCOPE_VERSION:
            b->scope.version = wire_bytes(&m);
            break;
        case F_SCOPE_ATTRS:
            pb_attr(b, &m, &b->scope.attrs);
            break;
        default:
            wire_skip(&m);
        }
    }
    wire_close(w, &m);
}

static void pb_scopes(struct build *b, enum otlp_signal signal, struct wire *w)
{
    struct wire head = *w;
    while (wire_next(&head)) {
        if (head.field == F_SCOPES_SCOPE)
            pb_scope(b, &head);
        else
            wire_skip(&head);
    }
    wire_close(w, &head);
    build_scope(b);
    while (build_ok(b) && wire_next(w)) {
        if (w->field != F_SCOPES_ITEMS) {
            wire_skip(w);
            continue;
        }
        struct wire m = wire_message(w);
        items[signal](b, &m);
        wire_close(w, &m);
    }
}

static void pb_resources(struct build *b, enum otlp_signal signal, struct wire *w)
{
    struct wire head = *w;
    b->resource_key = (struct id128){ 0 };
    while (wire_next(&head)) {
        if (head.field == F_RESOURCES_RESOURCE)
            pb_resource(b, &head);
        else
            wire_skip(&head);
    }
    wire_close(w, &head);
    build_resource(b);
    while (build_ok(b) && wire_next(w)) {
        if (w->field != F_RESOURCES_SCOPES) {
            wire_skip(w);
            continue;
        }
        struct wire m = wire_message(w);
        pb_scopes(b, signal, &m);
        wire_close(w, &m);
    }
    build_resource_end(b);
}

void pb_request(struct build *b, enum otlp_signal signal, struct str body)
{
    struct wire w = wire_of(body);
    while (build_ok(b) && wire_next(&w)) {
        if (w.field != F_REQUEST_RESOURCES) {
            wire_skip(&w);
            continue;
        }
        struct wire m = wire_message(&w);
        pb_resources(b, signal, &m);
        wire_close(&w, &m);
    }
    if (w.bad) {
        size_t at = (size_t)(w.at - (const uint8_t *)body.p);
        build_fail(b, E_SYNTAX, at, "malformed protobuf at byte %zu of %zu", at, body.n);
    }
}
