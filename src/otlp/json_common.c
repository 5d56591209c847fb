/* otlp/json_common.c -- what the three signals share in JSON: numbers and names,
 * attributes, values, the envelope.
 *
 * JSON members come in any order, and rows need their resource and scope first.
 * The usual order is read straight through. Where items stand before their head,
 * the place is marked, skipped, and read when the object is through: at worst the
 * items are tokenised once more a level.
 */
#include "otlp/js.h"

#include <string.h>

#include "otlp/limits.h"

/* ---- errors, objects, arrays -------------------------------------------------------- */

static void wrong(struct js *d, const char *want)
{
    size_t at = (size_t)(d->j.p - d->j.start);
    if (d->j.tok == J_ERR)
        build_fail(d->b, d->j.fault.code, d->j.fault.at, "%s", d->j.fault.msg);
    else
        build_fail(d->b, E_SYNTAX, at, "expected %s before byte %zu", want, at);
}

static enum json_tok next(struct js *d)
{
    enum json_tok t = json_next(&d->j);
    if (t == J_ERR)
        wrong(d, "JSON");
    return t;
}

bool js_key(struct js *d, struct str *ret)
{
    if (!build_ok(d->b) || next(d) != J_KEY)
        return false;
    *ret = d->j.s;
    return true;
}

void js_skip(struct js *d)
{
    json_skip(&d->j);
    if (d->j.tok == J_ERR)
        wrong(d, "JSON");
}

/* timeUnixNano == time_unix_nano */
bool js_is(struct str key, struct str camel)
{
    size_t k = 0, c = 0;
    if (str_eq(key, camel))
        return true;
    while (k < key.n && c < camel.n) {
        bool upper = camel.p[c] >= 'A' && camel.p[c] <= 'Z';
        if (upper && key.p[k] == '_') {
            k++;
            if (k == key.n || key.p[k] != camel.p[c] - 'A' + 'a')
                return false;
        } else if (key.p[k] != camel.p[c]) {
            return false;
        }
        k++;
        c++;
    }
    return k == key.n && c == camel.n;
}

void js_object(struct js *d, void (*members)(struct js *d, void *arg), void *arg)
{
    enum json_tok t = next(d);
    if (t == J_OBJ)
        members(d, arg);
    else if (t != J_NULL && t != J_ERR)
        wrong(d, "an object");
}

void js_array(struct js *d, void (*element)(struct js *d, void *arg), void *arg)
{
    enum json_tok t = next(d);
    if (t == J_NULL || t == J_ERR)
        return;
    if (t != J_ARR) {
        wrong(d, "an array");
        return;
    }
    while (build_ok(d->b) && (t = next(d)) != J_ARR_END) {
        if (t == J_OBJ)
            element(d, arg);
        else if (t != J_NULL)
            wrong(d, "an object");
    }
}

void js_defer(struct js *d, struct js_mark *mark)
{
    mark->at = d->j;
    mark->set = true;
    js_skip(d);
}

void js_back(struct js *d, struct js_mark *mark, void (*value)(struct js *d, void *arg), void *arg)
{
    if (!mark->set || !build_ok(d->b))
        return;
    struct json here = d->j;
    d->j = mark->at;
    value(d, arg);
    if (d->j.tok != J_ERR)
        d->j = here;
}

/* ---- scalars -------------------------------------------------------------------------- */

/* The text of the number or string that comes next; false for null. */
static bool scalar(struct js *d, const char *want, struct str *ret)
{
    enum json_tok t = next(d);
    if (t == J_NUM || t == J_STR) {
        *ret = d->j.s;
        return true;
    }
    if (t != J_NULL)
        wrong(d, want);
    return false;
}

/* 1e3 and 5.0 are integers too. */
static bool integral(struct str s, double from, double below, double *ret)
{
    double v;
    if (!str_to_f64(s, &v) || !(v >= from && v < below) || v != __builtin_trunc(v))
        return false;
    *ret = v;
    return true;
}

uint64_t js_u64(struct js *d)
{
    struct str s;
    uint64_t v = 0;
    double f = 0;
    if (!scalar(d, "a number", &s) || str_to_u64(s, &v))
        return v;
    if (!integral(s, 0, 0x1p64, &f))
        wrong(d, "an unsigned number");
    return (uint64_t)f;
}

int64_t js_i64(struct js *d)
{
    struct str s;
    int64_t v = 0;
    double f = 0;
    if (!scalar(d, "a number", &s) || str_to_i64(s, &v))
        return v;
    if (!integral(s, -0x1p63, 0x1p63, &f))
        wrong(d, "a whole number");
    return (int64_t)f;
}

double js_f64(struct js *d)
{
    struct str s;
    double v = 0;
    if (!scalar(d, "a number", &s))
        return 0;
    if (str_eq(s, S("Infinity")))
        return __builtin_inf();
    if (str_eq(s, S("-Infinity")))
        return -__builtin_inf();
    if (!str_to_f64(s, &v))
        wrong(d, "a number");
    return v;
}

bool js_bool(struct js *d)
{
    enum json_tok t = next(d);
    if (t != J_TRUE && t != J_FALSE && t != J_NULL)
        wrong(d, "true or false");
    return t == J_TRUE;
}

struct str js_str(struct js *d)
{
    enum json_tok t = next(d);
    if (t == J_STR)
        return d->j.s;
    if (t != J_NULL)
        wrong(d, "a string");
    return (struct str){ 0 };
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str js_id(struct js *d)
{
    struct str s = js_str(d);
    char bytes[OTLP_ID_MAX];
    if (s.n % 2 || s.n / 2 > sizeof bytes) {
        wrong(d, "an id in hex");
        return (struct str){ 0 };
    }
    for (size_t i = 0; i < s.n; i += 2) {
        int hi = hex_digit(s.p[i]), lo = hex_digit(s.p[i + 1]);
        if (hi < 0 || lo < 0) {
            wrong(d, "an id in hex");
            return (struct str){ 0 };
        }
        bytes[i / 2] = (char)(hi << 4 | lo);
    }
    return id_hex(d->b, (struct str){ bytes, s.n / 2 });
}

/* A name that nobody knows is 0, "unspecified": a newer sender is not an error. */
int64_t js_enum(struct js *d, struct str prefix, const struct str *names, uint32_t n)
{
    struct str s;
    int64_t v = 0;
    if (!scalar(d, "a number or a name", &s) || str_to_i64(s, &v))
        return v;
    if (!str_starts(s, prefix)) {
        wrong(d, "the name of an enumeration");
        return 0;
    }
    s = str_sub(s, prefix.n, s.n);
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(names[i], s))
            return i;
    return 0;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Standard or URL-safe, padded or not. */
static struct value js_bytes(struct js *d)
{
    struct str s = js_str(d);
    while (s.n && s.p[s.n - 1] == '=')
        s.n--;
    char *out = arena_alloc(d->b->mem, s.n / 4 * 3 + 3, 1);
    size_t n = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < s.n; i++) {
        int digit = base64_digit(s.p[i]);
        if (digit < 0) {
            wrong(d, "base64");
            return (struct value){ 0 };
        }
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            out[n++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    if (s.n % 4 == 1)
        wrong(d, "base64");
    return (struct value){ .type = V_BYTES, .s = { out, n } };
}

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
            write_any(d, next(d), l->out, l->depth);
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
    write_any(d, next(d), l->out, l->depth);
    if (d->j.tok != J_ERR)
        d->j = here;
}

static void write_values(struct js *d, const struct list *l)
{
    enum json_tok t = next(d);
    if (t != J_ARR) {
        if (t != J_NULL)
            wrong(d, "an array");
        return;
    }
    while (build_ok(d->b) && (t = next(d)) != J_ARR_END) {
        if (!l->map)
            write_any(d, t, l->out, l->depth);
        else if (t == J_OBJ)
            write_member(d, l);
        else
            wrong(d, "an object");
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
    enum json_tok t = build_ok(d->b) ? next(d) : J_ERR;
    if (t != J_OBJ && t != J_NULL)
        wrong(d, "an object");
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
        wrong(d, "an object");
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
    if (next(&d) != J_OBJ)
        wrong(&d, "an object");
    request_members(&d, &signal);
    if (build_ok(b) && next(&d) != J_END)
        wrong(&d, "the end");
}
