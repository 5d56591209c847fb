/* otlp/json_read.c -- objects, arrays, numbers and names of the protobuf JSON mapping. */
#include "otlp/js.h"

#include "base/base64.h"

#include "otlp/limits.h"

/* ---- errors, objects, arrays -------------------------------------------------------- */

void js_wrong(struct js *d, const char *want)
{
    size_t at = (size_t)(d->j.p - d->j.start);
    if (d->j.tok == J_ERR)
        build_fail(d->b, d->j.fault.code, d->j.fault.at, "%s", d->j.fault.msg);
    else
        build_fail(d->b, E_SYNTAX, at, "expected %s before byte %zu", want, at);
}

enum json_tok js_next(struct js *d)
{
    enum json_tok t = json_next(&d->j);
    if (t == J_ERR)
        js_wrong(d, "JSON");
    return t;
}

bool js_key(struct js *d, struct str *ret)
{
    if (!build_ok(d->b) || js_next(d) != J_KEY)
        return false;
    *ret = d->j.s;
    return true;
}

void js_skip(struct js *d)
{
    json_skip(&d->j);
    if (d->j.tok == J_ERR)
        js_wrong(d, "JSON");
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
    enum json_tok t = js_next(d);
    if (t == J_OBJ)
        members(d, arg);
    else if (t != J_NULL && t != J_ERR)
        js_wrong(d, "an object");
}

void js_array(struct js *d, void (*element)(struct js *d, void *arg), void *arg)
{
    enum json_tok t = js_next(d);
    if (t == J_NULL || t == J_ERR)
        return;
    if (t != J_ARR) {
        js_wrong(d, "an array");
        return;
    }
    while (build_ok(d->b) && (t = js_next(d)) != J_ARR_END) {
        if (t == J_OBJ)
            element(d, arg);
        else if (t != J_NULL)
            js_wrong(d, "an object");
    }
}

void js_numbers(struct js *d, void (*number)(struct js *d, void *arg), void *arg)
{
    enum json_tok t = js_next(d);
    if (t == J_NULL || t == J_ERR)
        return;
    if (t != J_ARR) {
        js_wrong(d, "an array");
        return;
    }
    while (build_ok(d->b)) {
        struct json here = d->j;
        if (js_next(d) == J_ARR_END)
            return;
        if (d->j.tok == J_ERR)
            return;
        d->j = here;
        number(d, arg);
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
    enum json_tok t = js_next(d);
    if (t == J_NUM || t == J_STR) {
        *ret = d->j.s;
        return true;
    }
    if (t != J_NULL)
        js_wrong(d, want);
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
        js_wrong(d, "an unsigned number");
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
        js_wrong(d, "a whole number");
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
        js_wrong(d, "a number");
    return v;
}

bool js_bool(struct js *d)
{
    enum json_tok t = js_next(d);
    if (t != J_TRUE && t != J_FALSE && t != J_NULL)
        js_wrong(d, "true or false");
    return t == J_TRUE;
}

struct str js_str(struct js *d)
{
    enum json_tok t = js_next(d);
    if (t == J_STR)
        return d->j.s;
    if (t != J_NULL)
        js_wrong(d, "a string");
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
        js_wrong(d, "an id in hex");
        return (struct str){ 0 };
    }
    for (size_t i = 0; i < s.n; i += 2) {
        int hi = hex_digit(s.p[i]), lo = hex_digit(s.p[i + 1]);
        if (hi < 0 || lo < 0) {
            js_wrong(d, "an id in hex");
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
        js_wrong(d, "the name of an enumeration");
        return 0;
    }
    s = str_sub(s, prefix.n, s.n);
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(names[i], s))
            return i;
    return 0;
}

bool js_base64(struct str s, struct arena *mem, struct str *ret)
{
    char *out = arena_alloc(mem, s.n / 4 * 3 + 2, 1);
    size_t n;
    if (!base64_decode(s, out, &n))
        return false;
    *ret = (struct str){ out, n };
    return true;
}

struct value js_bytes(struct js *d)
{
    struct value v = { .type = V_BYTES };
    if (js_base64(js_str(d), d->b->mem, &v.s))
        return v;
    js_wrong(d, "base64");
    return (struct value){ 0 };
}
