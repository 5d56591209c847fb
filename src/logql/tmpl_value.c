/* logql/tmpl_value.c -- values of templates: printing, truth, members, casts.
 *
 * What fromJson gives stays JSON text and is read when it is looked into.
 */
#include "logql/tmpl_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "logql/gotime.h"

struct tval tv_str(struct str s)
{
    return (struct tval){ .kind = TV_STR, .s = s };
}

struct tval tv_int(int64_t i)
{
    return (struct tval){ .kind = TV_INT, .i = i };
}

struct tval tv_float(double d)
{
    return (struct tval){ .kind = TV_FLOAT, .d = d };
}

struct tval tv_bool(bool b)
{
    return (struct tval){ .kind = TV_BOOL, .b = b };
}

struct tval tv_time(int64_t ns)
{
    return (struct tval){ .kind = TV_TIME, .i = ns };
}

struct tval tv_json(struct jvalue v, struct arena *mem)
{
    double d;
    struct str s;
    switch (v.kind) {
    case JS_STRING:
        return tv_str(jscan_unescape(v.raw, mem, &s) ? s : S(""));
    case JS_NUMBER:
        return str_to_f64(v.raw, &d) ? tv_float(d) : (struct tval){ .kind = TV_NIL };
    case JS_BOOL:
        return tv_bool(v.raw.n == 4);
    case JS_OBJECT:
        return (struct tval){ .kind = TV_MAP, .s = v.raw };
    case JS_ARRAY:
        return (struct tval){ .kind = TV_LIST, .s = v.raw };
    case JS_NULL:
    case JS_BROKEN:
        break;
    }
    return (struct tval){ .kind = TV_NIL };
}

struct str tv_type(struct tval v)
{
    static const struct str names[] = {
        [TV_NIL] = S("nil"),    [TV_NONE] = S("<no value>"), [TV_STR] = S("string"),     [TV_INT] = S("int"),
        [TV_FLOAT] = S("float64"), [TV_BOOL] = S("bool"),    [TV_TIME] = S("time.Time"), [TV_LIST] = S("[]interface {}"),
        [TV_MAP] = S("map[string]interface {}"), [TV_LABELS] = S("map[string]string"),
    };
    return names[v.kind];
}

bool tv_truth(struct tval v, struct run *r)
{
    switch (v.kind) {
    case TV_STR: return v.s.n > 0;
    case TV_INT: return v.i != 0;
    case TV_FLOAT: return v.d != 0;
    case TV_BOOL: return v.b;
    case TV_LIST:
    case TV_MAP:
    case TV_LABELS: return tv_count(v, r) > 0;
    case TV_TIME: return true;
    case TV_NIL:
    case TV_NONE: break;
    }
    return false;
}

/* ---- printing --------------------------------------------------------------------------- */

/* Shortest digits; below 1e-4 and from a million on with an exponent, as Go's %v. */
enum { PLAIN_EXP_MIN = -4, PLAIN_EXP_MAX = 5 };

void tv_put_float(struct buf *b, double d)
{
    char plain[NUM_F64_MAX], digits[NUM_F64_MAX];
    size_t n = num_fmt_f64(plain, d), nd = 0;
    long point = -1, first = -1, seen = 0;
    for (size_t i = plain[0] == '-'; i < n; i++) {
        if (plain[i] == '.') {
            point = seen;
            continue;
        }
        if (first < 0 && plain[i] != '0')
            first = seen;
        if (first >= 0)
            digits[nd++] = plain[i];
        seen++;
    }
    long exp = (point < 0 ? seen : point) - first - 1;
    if (!isfinite(d) || d == 0 || (exp >= PLAIN_EXP_MIN && exp <= PLAIN_EXP_MAX)) {
        buf_put(b, plain, n);
        return;
    }
    while (nd > 1 && digits[nd - 1] == '0')
        nd--;
    if (plain[0] == '-')
        buf_byte(b, '-');
    buf_byte(b, digits[0]);
    if (nd > 1) {
        buf_byte(b, '.');
        buf_put(b, digits + 1, nd - 1);
    }
    buf_fmt(b, "e%c%02ld", exp < 0 ? '-' : '+', labs(exp));
}

struct printer {
    struct run *r;
    struct buf *b;
    bool comma;
    uint32_t depth;
};

enum { PRINT_DEPTH_MAX = 32 };

static void put_value(struct printer *p, struct tval v);

/* map[a:1 b:2], [1 2] */
static void put_collection(struct printer *p, struct tval v)
{
    if (p->depth == PRINT_DEPTH_MAX)
        return;
    buf_str(p->b, v.kind == TV_LIST ? S("[") : S("map["));
    uint32_t n = tv_count(v, p->r);
    for (uint32_t i = 0; i < n; i++) {
        struct tval key, element;
        if (!tv_element(v, i, p->r, &key, &element))
            break;
        if (i)
            buf_byte(p->b, ' ');
        if (v.kind != TV_LIST) {
            put_value(p, key);
            buf_byte(p->b, ':');
        }
        struct printer inner = { p->r, p->b, false, p->depth + 1 };
        put_value(&inner, element);
    }
    buf_byte(p->b, ']');
}

static void put_value(struct printer *p, struct tval v)
{
    switch (v.kind) {
    case TV_STR: buf_str(p->b, v.s); break;
    case TV_INT: buf_i64(p->b, v.i); break;
    case TV_FLOAT: tv_put_float(p->b, v.d); break;
    case TV_BOOL: buf_str(p->b, v.b ? S("true") : S("false")); break;
    case TV_TIME: gotime_format(p->b, v.i, S("2006-01-02 15:04:05.999999999 -0700 MST")); break;
    case TV_LIST:
    case TV_MAP:
    case TV_LABELS: put_collection(p, v); break;
    case TV_NONE: buf_str(p->b, S("<no value>")); break;
    case TV_NIL: buf_str(p->b, S("<nil>")); break;
    }
}

struct str tv_text(struct tval v, struct run *r)
{
    if (v.kind == TV_STR)
        return v.s;
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    struct printer p = { r, &b, false, 0 };
    put_value(&p, v);
    return tv_take(r, &b).s;
}

struct tval tv_take(struct run *r, struct buf *b)
{
    if (b->bad)
        run_fail(r, "output is longer than %d bytes", TMPL_OUT_MAX);
    struct str s = arena_str(r->mem, buf_view(b));
    buf_done(b);
    return tv_str(s);
}

/* ---- members ------------------------------------------------------------------------------ */

struct collected {
    struct label *at;
    struct jvalue *values;
    uint32_t n, cap, cap_values;
    struct arena *mem;
};

static bool collect_member(void *arg, struct str key, struct jvalue v)
{
    struct collected *c = arg;
    uint32_t at = c->n, n = c->n;
    *arena_push(c->mem, c->values, n, c->cap_values) = v;
    *arena_push(c->mem, c->at, c->n, c->cap) = (struct label){ key, { NULL, at } };   /* .n: which value */
    return true;
}

static void collect_label(void *arg, enum category cat, uint32_t name, struct str value)
{
    struct collected *c = ((void **)arg)[0];
    const struct pipeline *p = ((void **)arg)[1];
    (void)cat;
    *arena_push(c->mem, c->at, c->n, c->cap) = (struct label){ p->names.at[name], value };
}

static int by_key(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static struct collected collect(struct tval v, struct run *r)
{
    struct collected c = { .mem = r->mem };
    if (v.kind == TV_MAP) {
        jscan_error ignored = jscan_object(v.s, r->mem, collect_member, &c);
        (void)ignored;
    } else if (v.kind == TV_LABELS) {
        void *arg[] = { &c, r->e->p };
        entry_each(r->e, collect_label, arg);
    }
    if (c.n > 1)
        qsort(c.at, c.n, sizeof *c.at, by_key);
    return c;
}

static bool list_element(struct tval v, uint32_t at, struct run *r, struct tval *ret)
{
    struct jstep step = { .index = true, .at = at };
    struct jpath path = { &step, 1 };
    struct jvalue j;
    jscan_error ignored;
    if (!jscan_find(v.s, &path, r->mem, &j, &ignored))
        return false;
    *ret = tv_json(j, r->mem);
    return true;
}

uint32_t tv_count(struct tval v, struct run *r)
{
    if (v.kind == TV_STR)
        return (uint32_t)v.s.n;
    if (v.kind != TV_LIST)
        return collect(v, r).n;
    uint32_t n = 0;
    struct tval ignored;
    while (n < TMPL_STEPS_MAX && list_element(v, n, r, &ignored))
        n++;
    return n;
}

bool tv_element(struct tval v, uint32_t at, struct run *r, struct tval *ret_key, struct tval *ret)
{
    if (v.kind == TV_LIST) {
        *ret_key = tv_int(at);
        return list_element(v, at, r, ret);
    }
    struct collected c = collect(v, r);
    if (at >= c.n)
        return false;
    *ret_key = tv_str(c.at[at].name);
    *ret = v.kind == TV_MAP ? tv_json(c.values[c.at[at].value.n], r->mem) : tv_str(c.at[at].value);
    return true;
}

bool tv_member(struct tval v, struct str key, struct run *r, struct tval *ret)
{
    if (v.kind == TV_LABELS) {
        struct pipeline *p = r->e->p;
        uint32_t name = names_id(&p->names, key);
        struct str text = S("");
        if (name == p->err_name || name == p->details_name)
            text = name == p->err_name ? r->e->err : r->e->err_details;
        else if (!entry_get(r->e, name, &text))
            text = S("");
        *ret = tv_str(text);
        return true;
    }
    if (v.kind != TV_MAP)
        return false;
    struct jstep step = { .key = key };
    struct jpath path = { &step, 1 };
    struct jvalue j;
    jscan_error ignored;
    *ret = jscan_find(v.s, &path, r->mem, &j, &ignored) ? tv_json(j, r->mem) : (struct tval){ .kind = TV_NONE };
    return true;
}

/* ---- casts --------------------------------------------------------------------------------- */

double tv_to_float(struct tval v)
{
    double d = 0;
    switch (v.kind) {
    case TV_STR: return str_to_f64(v.s, &d) ? d : 0;
    case TV_INT: return (double)v.i;
    case TV_FLOAT: return v.d;
    case TV_BOOL: return v.b;
    default: return 0;
    }
}

int64_t tv_to_int(struct tval v)
{
    int64_t i = 0;
    if (v.kind == TV_INT)
        return v.i;
    if (v.kind == TV_STR) {
        struct str s = v.s;
        return str_to_i64(s, &i) ? i : 0;
    }
    double d = tv_to_float(v);
    return d > -0x1p63 && d < 0x1p63 ? (int64_t)d : 0;
}
