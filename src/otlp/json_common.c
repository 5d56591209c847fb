/* otlp/json_common.c -- what the three signals share in JSON: attributes, values, the
 * envelope.
 *
 * JSON members come in any order, and rows need their resource and scope first.
 * The usual order is read straight through. Where items stand before their head,
 * the place is marked, skipped, and read when the object is through: at worst the
 * items are tokenised once more a level.
 */
#include "otlp/js.h"

#include "otlp/limits.h"

/* ---- values ------------------------------------------------------------------------------ */

static void write_any(struct js *d, enum json_tok first, struct jw *out, unsigned depth);

/* One member of an AnyValue that is no array and no map. */
static bool any_scalar(struct js *d, struct str key, struct value *ret)
{
    if (js_is(key, S("stringValue")))
        *ret = value_str(js_str(d));
    else if (js_is(key, S("intValue")))
        *ret = value_int(js_i64(d));
    else if (js_is(key, S("boolValue")))
        *ret = value_bool(js_bool(d));
    else if (js_is(key, S("doubleValue")))
        *ret = value_double(js_f64(d));
    else if (js_is(key, S("bytesValue")))
        *ret = js_bytes(d);
    else
        return false;
    if (d->j.tok == J_NULL)
        *ret = (struct value){ 0 };
    return true;
}

struct list {
    struct jw *out;
    unsigned depth;
    bool map;
};

/* {"key": ..., "value": ...} of a map; a value before its key is come back to. */
static void write_member(struct js *d, const struct list *l)
{
    struct str key, name = { 0 };
    struct js_mark value = { 0 };
    bool named = false, done = false;
    while (js_key(d, &key)) {
        if (js_is(key, S("key")) && !named) {
            name = js_str(d);
            named = true;
        } else if (js_is(key, S("value")) && named && !done) {
            jw_key(l->out, name);
            write_any(d, js_next(d), l->out, l->depth);
            done = true;
        } else if (js_is(key, S("value")) && !done) {
            js_defer(d, &value);
        } else {
            js_skip(d);
        }
    }
    if (done)
        return;
    jw_key(l->out, name);
    if (!value.set) {
        jw_null(l->out);
        return;
    }
    struct json here = d->j;
    d->j = value.at;
    write_any(d, js_next(d), l->out, l->depth);
    if (d->j.tok != J_ERR)
        d->j = here;
}

static void write_values(struct js *d, const struct list *l)
{
    enum json_tok t = js_next(d);
    if (t != J_ARR) {
        if (t != J_NULL)
            js_wrong(d, "an array");
        return;
    }
    while (build_ok(d->b) && (t = js_next(d)) != J_ARR_END) {
        if (!l->map)
            write_any(d, t, l->out, l->depth);
        else if (t == J_OBJ)
            write_member(d, l);
        else
            js_wrong(d, "an object");
    }
}

/* The object {"values": [...]} that comes next, as a JSON array or object. */
static void write_list(struct js *d, struct jw *out, bool map, unsigned depth)
{
    struct list l = { out, depth, map };
    struct str key;
    bool done = false;
    if (depth > OTLP_VALUE_DEPTH_MAX)
        build_fail(d->b, E_LIMIT, 0, "arrays and maps nested deeper than %d", OTLP_VALUE_DEPTH_MAX);
    enum json_tok t = build_ok(d->b) ? js_next(d) : J_ERR;
    if (t != J_OBJ && t != J_NULL)
        js_wrong(d, "an object");
    if (map)
        jw_obj(out);
    else
        jw_arr(out);
    while (t == J_OBJ && js_key(d, &key)) {
        if (js_is(key, S("values")) && !done) {
            write_values(d, &l);
            done = true;
        } else {
            js_skip(d);
        }
    }
    if (map)
        jw_obj_end(out);
    else
        jw_arr_end(out);
}

/* The AnyValue that begins with the token `first`, written as one JSON value
 * whatever happens; its first known member counts. */
static void write_any(struct js *d, enum json_tok first, struct jw *out, unsigned depth)
{
    struct str key;
    struct value v = { 0 };
    bool done = false;
    if (first != J_OBJ && first != J_NULL)
        js_wrong(d, "an object");
    while (first == J_OBJ && js_key(d, &key)) {
        bool map = js_is(key, S("kvlistValue"));
        if (done) {
            js_skip(d);
        } else if (map || js_is(key, S("arrayValue"))) {
            write_list(d, out, map, depth + 1);
            done = true;
        } else if (any_scalar(d, key, &v)) {
            value_write(d->b, out, &v);
            done = true;
        } else {
            js_skip(d);
        }
    }
    if (!done)
        jw_null(out);
}

static void any_members(struct js *d, void *arg)
{
    struct value *ret = arg;
    struct str key;
    while (js_key(d, &key)) {
        bool map = js_is(key, S("kvlistValue"));
        if (map || js_is(key, S("arrayValue"))) {
            struct jw out;
            buf_clear(&d->b->text);
            jw_init(&out, &d->b->text);
            write_list(d, &out, map, 1);
            *ret = text_value(d->b);
        } else if (!any_scalar(d, key, ret)) {
            js_skip(d);
        }
    }
}

struct value js_any(struct js *d)
{
    struct value v = { 0 };
    js_object(d, any_members, &v);
    return v;
}

static void attr_members(struct js *d, void *arg)
{
    struct str key, name = { 0 };
    struct value v = { 0 };
    while (js_key(d, &key)) {
        if (js_is(key, S("key")))
            name = js_str(d);
        else if (js_is(key, S("value")))
            v = js_any(d);
        else
            js_skip(d);
    }
    attrs_add(d->b, arg, name, v);
}

void js_attrs(struct js *d, struct otlp_attrs *a)
{
    js_array(d, attr_members, a);
}

/* ---- envelope ------------------------------------------------------------------------------ */

static void (*const items[OTLP_SIGNALS])(struct js *d, void *arg) = {
    [OTLP_METRICS] = js_metric,
    [OTLP_LOGS] = js_log,
    [OTLP_TRACES] = js_span,
};

static void resource_members(struct js *d, void *arg)
{
    struct str key;
    (void)arg;
    d->b->resource.n = 0;
    while (js_key(d, &key)) {
        if (js_is(key, S("attributes")))
            js_attrs(d, &d->b->resource);
        else
            js_skip(d);
    }
}

static void scope_members(struct js *d, void *arg)
{
    struct otlp_scope *s = &d->b->scope;
    struct str key;
    (void)arg;
    while (js_key(d, &key)) {
        if (js_is(key, S("name")))
            s->name = js_str(d);
        else if (js_is(key, S("version")))
            s->version = js_str(d);
        else if (js_is(key, S("attributes")))
            js_attrs(d, &s->attrs);
        else
            js_skip(d);
    }
}

static void items_value(struct js *d, void *arg)
{
    const enum otlp_signal *signal = arg;
    build_scope(d->b);
    js_array(d, items[*signal], NULL);
}

static void scopes_element(struct js *d, void *arg)
{
    const struct otlp_signal_def *def = &otlp_signals[*(const enum otlp_signal *)arg];
    struct js_mark later = { 0 };
    bool head = false;
    struct str key;
    d->b->scope.name = d->b->scope.version = (struct str){ 0 };
    d->b->scope.attrs.n = 0;
    while (js_key(d, &key)) {
        if (js_is(key, S("scope"))) {
            js_object(d, scope_members, NULL);
            head = true;
        } else if (js_is(key, def->items) && head) {
            items_value(d, arg);
        } else if (js_is(key, def->items)) {
            js_defer(d, &later);
        } else {
            js_skip(d);
        }
    }
    js_back(d, &later, items_value, arg);
}

static void scopes_value(struct js *d, void *arg)
{
    build_resource(d->b);
    js_array(d, scopes_element, arg);
    build_resource_end(d->b);
}

static void resources_element(struct js *d, void *arg)
{
    const struct otlp_signal_def *def = &otlp_signals[*(const enum otlp_signal *)arg];
    struct js_mark later = { 0 };
    bool head = false;
    struct str key;
    while (js_key(d, &key)) {
        if (js_is(key, S("resource"))) {
            js_object(d, resource_members, NULL);
            head = true;
        } else if (js_is(key, def->scopes) && head) {
            scopes_value(d, arg);
        } else if (js_is(key, def->scopes)) {
            js_defer(d, &later);
        } else {
            js_skip(d);
        }
    }
    js_back(d, &later, scopes_value, arg);
    d->b->resource.n = 0;
}

static void request_members(struct js *d, void *arg)
{
    const struct otlp_signal_def *def = &otlp_signals[*(const enum otlp_signal *)arg];
    struct str key;
    while (js_key(d, &key)) {
        if (js_is(key, def->resources))
            js_array(d, resources_element, arg);
        else
            js_skip(d);
    }
}

void js_request(struct build *b, enum otlp_signal signal, struct str body)
{
    struct js d = { .b = b };
    json_init(&d.j, body, b->mem);
    if (js_next(&d) != J_OBJ)
        js_wrong(&d, "an object");
    request_members(&d, &signal);
    if (build_ok(b) && js_next(&d) != J_END)
        js_wrong(&d, "the end");
}
