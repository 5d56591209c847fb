/* logql/tmpl_fn.c -- the functions that Go's templates bring, and the table of all.
 *
 * Loki allows no others than these families; an unknown name is refused when the
 * template is parsed.
 */
#include "logql/tmpl_int.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "logql/text.h"

const struct fn_def *tmpl_fn_find(struct str name)
{
    static const struct fn_def *const families[] = { tmpl_fns_builtin, tmpl_fns_text, tmpl_fns_number, tmpl_fns_time };
    for (size_t i = 0; i < LEN(families); i++)
        for (const struct fn_def *f = families[i]; f->name.n; f++)
            if (str_eq(f->name, name))
                return f;
    return NULL;
}

static bool wrong_type(struct run *r, struct tval v, const char *want)
{
    if (v.kind == TV_NIL || v.kind == TV_NONE)
        return run_fail(r, "invalid value; expected %s", want);
    return run_fail(r, "wrong type for value; expected %s; got " STR_FMT, want, STR_ARG(tv_type(v)));
}

bool arg_str(struct run *r, const struct tval *a, uint32_t i, struct str *ret)
{
    if (a[i].kind != TV_STR)
        return wrong_type(r, a[i], "string");
    *ret = a[i].s;
    return true;
}

bool arg_int(struct run *r, const struct tval *a, uint32_t i, int64_t *ret)
{
    if (a[i].kind != TV_INT)
        return wrong_type(r, a[i], "int");
    *ret = a[i].i;
    return true;
}

bool arg_time(struct run *r, const struct tval *a, uint32_t i, int64_t *ret)
{
    if (a[i].kind != TV_TIME)
        return wrong_type(r, a[i], "time.Time");
    *ret = a[i].i;
    return true;
}

/* ---- comparison -------------------------------------------------------------------------- */

/* -1, 0, 1; 2: not comparable, which has been reported. */
static int order(struct run *r, struct tval a, struct tval b)
{
    if (a.kind != b.kind) {
        run_fail(r, "error calling comparison: incompatible types for comparison");
        return 2;
    }
    switch (a.kind) {
    case TV_STR: {
        int c = str_cmp(a.s, b.s);
        return (c > 0) - (c < 0);
    }
    case TV_INT:
    case TV_TIME: return (a.i > b.i) - (a.i < b.i);
    case TV_FLOAT: return (a.d > b.d) - (a.d < b.d);
    case TV_BOOL: return (int)a.b - (int)b.b;
    default: run_fail(r, "error calling comparison: invalid type for comparison"); return 2;
    }
}

/* eq a b c ...: is a one of the others? */
static bool fn_eq(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    *ret = tv_bool(false);
    for (uint32_t i = 1; i < n; i++) {
        bool nils = a[0].kind == TV_NIL || a[i].kind == TV_NIL;
        int c = nils ? a[0].kind != a[i].kind : order(r, a[0], a[i]);
        if (c == 2)
            return false;
        if (!c)
            ret->b = true;
    }
    return true;
}

static bool fn_ne(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    bool ok = fn_eq(r, a, n, ret);
    ret->b = !ret->b;
    return ok;
}

static bool ordered(struct run *r, const struct tval *a, int want, bool negate, struct tval *ret)
{
    int c = order(r, a[0], a[1]);
    *ret = tv_bool((c == want) != negate);
    return c != 2;
}

static bool fn_lt(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return ordered(r, a, -1, false, ret);
}

static bool fn_le(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return ordered(r, a, 1, true, ret);
}

static bool fn_gt(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return ordered(r, a, 1, false, ret);
}

static bool fn_ge(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    return ordered(r, a, -1, true, ret);
}

static bool fn_not(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    *ret = tv_bool(!tv_truth(a[0], r));
    return true;
}

/* Evaluated by the runner, which looks at no more arguments than needed. */
static bool fn_short_circuit(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)a, (void)n, (void)ret;
    return run_fail(r, "wrong number of args for and/or: want at least 1 got 0");
}

/* ---- collections --------------------------------------------------------------------------- */

static bool fn_len(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    (void)n;
    if (a[0].kind != TV_STR && a[0].kind != TV_LIST && a[0].kind != TV_MAP && a[0].kind != TV_LABELS)
        return run_fail(r, "error calling len: len of type " STR_FMT, STR_ARG(tv_type(a[0])));
    *ret = tv_int(tv_count(a[0], r));
    return true;
}

static bool index_once(struct run *r, struct tval v, struct tval at, struct tval *ret)
{
    if (v.kind == TV_MAP || v.kind == TV_LABELS) {
        struct str key;
        return arg_str(r, &at, 0, &key) && tv_member(v, key, r, ret);
    }
    int64_t i;
    if (v.kind != TV_LIST && v.kind != TV_STR)
        return run_fail(r, "error calling index: can't index item of type " STR_FMT, STR_ARG(tv_type(v)));
    if (!arg_int(r, &at, 0, &i))
        return false;
    if (i < 0 || (uint64_t)i >= tv_count(v, r))
        return run_fail(r, "error calling index: index out of range: %lld", (long long)i);
    if (v.kind == TV_STR) {
        *ret = tv_int((unsigned char)v.s.p[i]);
        return true;
    }
    struct tval key;
    return tv_element(v, (uint32_t)i, r, &key, ret);
}

static bool fn_index(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    *ret = a[0];
    for (uint32_t i = 1; i < n; i++) {
        struct tval v = *ret;
        if (!index_once(r, v, a[i], ret))
            return false;
    }
    return true;
}

static bool fn_slice(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    if (!arg_str(r, a, 0, &s))
        return false;
    int64_t from = 0, to = (int64_t)s.n;
    if ((n > 1 && !arg_int(r, a, 1, &from)) || (n > 2 && !arg_int(r, a, 2, &to)))
        return false;
    if (from < 0 || to < from || (uint64_t)to > s.n)
        return run_fail(r, "error calling slice: index out of range");
    *ret = tv_str(str_sub(s, (size_t)from, (size_t)(to - from)));
    return true;
}

/* ---- printing -------------------------------------------------------------------------------- */

/* Sprint puts blanks between operands of which neither is a string. */
static bool fn_print(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    for (uint32_t i = 0; i < n; i++) {
        if (i && a[i].kind != TV_STR && a[i - 1].kind != TV_STR)
            buf_byte(&b, ' ');
        buf_str(&b, tv_text(a[i], r));
    }
    *ret = tv_take(r, &b);
    return !r->error.n;
}

static bool fn_println(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            buf_byte(&b, ' ');
        buf_str(&b, tv_text(a[i], r));
    }
    buf_byte(&b, '\n');
    *ret = tv_take(r, &b);
    return !r->error.n;
}

enum { FORMAT_WIDTH_MAX = 1000 };

struct format_spec {
    bool minus, plus, zero, sharp;
    int width, precision;                          /* -1: none */
    char verb;
};

/* What follows a '%'; returns the offset behind the verb. */
static size_t read_spec(struct str s, size_t i, struct format_spec *f)
{
    *f = (struct format_spec){ .width = -1, .precision = -1 };
    for (; i < s.n; i++) {
        bool *flag = s.p[i] == '-' ? &f->minus : s.p[i] == '+' ? &f->plus : s.p[i] == '0' ? &f->zero : s.p[i] == '#' ? &f->sharp : NULL;
        if (!flag)
            break;
        *flag = true;
    }
    for (int *number = &f->width;; number = &f->precision) {
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') {
            *number = MIN((*number < 0 ? 0 : *number) * 10 + (s.p[i] - '0'), FORMAT_WIDTH_MAX);
            i++;
        }
        if (number == &f->precision || i >= s.n || s.p[i] != '.')
            break;
        f->precision = 0;
        i++;
    }
    f->verb = i < s.n ? s.p[i] : '\0';
    return i + 1;
}

static void put_padded(struct buf *b, const struct format_spec *f, struct str text)
{
    size_t n = text_rune_count(text), pad = f->width > 0 && (size_t)f->width > n ? (size_t)f->width - n : 0;
    bool zero = f->zero && !f->minus && f->verb != 's' && f->verb != 'v' && f->verb != 'q';
    if (zero && pad && text.n && (text.p[0] == '-' || text.p[0] == '+')) {
        buf_byte(b, text.p[0]);
        text = str_sub(text, 1, text.n);
    }
    for (size_t i = 0; !f->minus && i < pad; i++)
        buf_byte(b, zero ? '0' : ' ');
    buf_str(b, text);
    for (size_t i = 0; f->minus && i < pad; i++)
        buf_byte(b, ' ');
}

static bool put_float_verb(struct buf *b, const struct format_spec *f, struct tval v)
{
    if (v.kind != TV_FLOAT)
        return false;
    char fmt[8] = { '%', '.', '*', f->verb };
    if (f->plus && !(v.d < 0))
        buf_byte(b, '+');
    buf_fmt(b, fmt, f->precision < 0 ? 6 : f->precision, v.d);
    return true;
}

static bool put_int_verb(struct buf *b, const struct format_spec *f, struct tval v)
{
    if (v.kind != TV_INT)
        return false;
    uint64_t u = v.i < 0 ? -(uint64_t)v.i : (uint64_t)v.i;
    if (v.i < 0 || f->plus)
        buf_byte(b, v.i < 0 ? '-' : '+');
    if (f->sharp && (f->verb == 'x' || f->verb == 'X'))
        buf_str(b, f->verb == 'x' ? S("0x") : S("0X"));
    if (f->verb == 'b') {
        char digits[64];
        size_t n = 0;
        do
            digits[n++] = (char)('0' + (u & 1));
        while (u >>= 1);
        while (n)
            buf_byte(b, digits[--n]);
        return true;
    }
    buf_fmt(b, f->verb == 'x' ? "%llx" : f->verb == 'X' ? "%llX" : f->verb == 'o' ? "%llo" : "%llu", (unsigned long long)u);
    return true;
}

static bool put_hex_text(struct buf *b, const struct format_spec *f, struct tval v)
{
    if (v.kind != TV_STR)
        return false;
    for (size_t i = 0; i < v.s.n; i++)
        buf_fmt(b, f->verb == 'x' ? "%02x" : "%02X", (unsigned)(unsigned char)v.s.p[i]);
    return true;
}

/* One verb with its operand; false: they do not go together. */
static bool put_verb(struct run *r, struct buf *b, const struct format_spec *f, struct tval v)
{
    char bytes[4];
    switch (f->verb) {
    case 'v':
        buf_str(b, tv_text(v, r));
        return true;
    case 's':
        if (v.kind == TV_INT || v.kind == TV_FLOAT || v.kind == TV_BOOL)
            return false;
        buf_str(b, f->precision >= 0 ? str_sub(tv_text(v, r), 0, (size_t)f->precision) : tv_text(v, r));
        return true;
    case 'q':
        if (v.kind != TV_STR)
            return false;
        text_quote(b, v.s);
        return true;
    case 't':
        buf_str(b, v.kind == TV_BOOL && v.b ? S("true") : S("false"));
        return v.kind == TV_BOOL;
    case 'f':
    case 'e':
        return put_float_verb(b, f, v);
    case 'g':
        if (v.kind == TV_FLOAT)
            tv_put_float(b, v.d);
        return v.kind == TV_FLOAT;
    case 'd':
    case 'o':
    case 'b':
        return put_int_verb(b, f, v);
    case 'x':
    case 'X':
        return put_int_verb(b, f, v) || put_hex_text(b, f, v);
    case 'c':
        if (v.kind == TV_INT)
            buf_put(b, bytes, utf8_encode(bytes, (uint32_t)v.i));
        return v.kind == TV_INT;
    default:
        return false;
    }
}

static void put_operand(struct run *r, struct buf *out, const struct format_spec *f, const struct tval *v)
{
    if (!v) {
        buf_fmt(out, "%%!%c(MISSING)", f->verb);
        return;
    }
    struct buf one;
    buf_init(&one, TMPL_OUT_MAX);
    if (put_verb(r, &one, f, *v)) {
        put_padded(out, f, buf_view(&one));
    } else {
        struct str type = tv_type(*v), text = tv_text(*v, r);
        buf_fmt(out, "%%!%c(" STR_FMT "=", f->verb, STR_ARG(type));
        buf_str(out, text);
        buf_byte(out, ')');
    }
    buf_done(&one);
}

static bool fn_printf(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    struct str s;
    if (!arg_str(r, a, 0, &s))
        return false;
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    uint32_t used = 1;
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] != '%') {
            buf_byte(&b, s.p[i++]);
            continue;
        }
        struct format_spec f;
        i = read_spec(s, i + 1, &f);
        if (f.verb == '%')
            buf_byte(&b, '%');
        else if (!f.verb)
            buf_str(&b, S("%!(NOVERB)"));
        else {
            put_operand(r, &b, &f, used < n ? &a[used] : NULL);
            used++;
        }
    }
    *ret = tv_take(r, &b);
    return !r->error.n;
}

/* ---- escaping -------------------------------------------------------------------------------- */

static bool escaped(struct run *r, const struct tval *a, uint32_t n, bool js, struct tval *ret)
{
    struct tval all;
    if (!fn_print(r, a, n, &all))
        return false;
    struct buf b;
    buf_init(&b, TMPL_OUT_MAX);
    for (size_t i = 0; i < all.s.n; i++) {
        char c = all.s.p[i];
        const char *at = strchr("<>&\"'", c);
        static const char *const html[] = { "&lt;", "&gt;", "&amp;", "&#34;", "&#39;" };
        static const char *const script[] = { "\\u003C", "\\u003E", "\\u0026", "\\\"", "\\'" };
        if (c && at)
            buf_str(&b, str_c((js ? script : html)[at - "<>&\"'"]));
        else if (js && (c == '\\' || c == '=' || (unsigned char)c < 0x20))
            buf_fmt(&b, c == '\\' ? "\\\\" : "\\u%04X", (unsigned)c);
        else
            buf_byte(&b, c);
    }
    *ret = tv_take(r, &b);
    return !r->error.n;
}

static bool fn_html(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    return escaped(r, a, n, false, ret);
}

static bool fn_js(struct run *r, const struct tval *a, uint32_t n, struct tval *ret)
{
    return escaped(r, a, n, true, ret);
}

const struct fn_def tmpl_fns_builtin[] = {
    { S("and"), 1, FN_ANY, fn_short_circuit }, { S("or"), 1, FN_ANY, fn_short_circuit }, { S("not"), 1, 1, fn_not },
    { S("eq"), 2, FN_ANY, fn_eq }, { S("ne"), 2, 2, fn_ne }, { S("lt"), 2, 2, fn_lt }, { S("le"), 2, 2, fn_le },
    { S("gt"), 2, 2, fn_gt }, { S("ge"), 2, 2, fn_ge }, { S("len"), 1, 1, fn_len }, { S("index"), 1, FN_ANY, fn_index },
    { S("slice"), 1, 3, fn_slice }, { S("print"), 0, FN_ANY, fn_print }, { S("println"), 0, FN_ANY, fn_println },
    { S("printf"), 1, FN_ANY, fn_printf }, { S("html"), 0, FN_ANY, fn_html }, { S("js"), 0, FN_ANY, fn_js },
    { .name = { 0 } },
};
