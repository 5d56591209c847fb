/* base/jw.c -- the JSON writer: one place that escapes and places commas.
 *
 * Invariant: inside an object a value is written exactly when `keyed` is set.
 * A full buffer drops bytes (sticky), but the nesting is still checked.
 */
#include "base/jw.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "base/utf8.h"

void jw_init(struct jw *w, struct buf *out)
{
    *w = (struct jw){ .out = out };
}

static bool in_object(const struct jw *w)
{
    return w->depth > 0 && w->object[w->depth - 1];
}

static void separate(struct jw *w)
{
    if (w->depth == 0)
        return;
    if (w->comma[w->depth - 1])
        buf_byte(w->out, ',');
    w->comma[w->depth - 1] = true;
}

/* Before every value. */
static void begin_value(struct jw *w)
{
    if (in_object(w)) {
        CHECK(w->keyed);
        w->keyed = false;
        return;
    }
    CHECK(!w->keyed);
    separate(w);
}

static void open_level(struct jw *w, bool object)
{
    begin_value(w);
    CHECK(w->depth < JW_DEPTH_MAX);
    w->object[w->depth] = object;
    w->comma[w->depth] = false;
    w->depth++;
    buf_byte(w->out, object ? '{' : '[');
}

static void close_level(struct jw *w, bool object)
{
    CHECK(w->depth > 0 && w->object[w->depth - 1] == object && !w->keyed);
    w->depth--;
    buf_byte(w->out, object ? '}' : ']');
}

void jw_obj(struct jw *w)
{
    open_level(w, true);
}

void jw_obj_end(struct jw *w)
{
    close_level(w, true);
}

void jw_arr(struct jw *w)
{
    open_level(w, false);
}

void jw_arr_end(struct jw *w)
{
    close_level(w, false);
}

/* What stands for byte c in a string: 0 itself, 1 look at UTF-8, 'u' \u00XX, else \c. */
static char escape_of(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    default:
        return c < 0x20 ? 'u' : c >= 0x80 ? 1 : 0;
    }
}

static void put_escape(struct buf *out, unsigned char c, char how)
{
    static const char hex[] = "0123456789abcdef";
    if (how == 'u') {
        const char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
        buf_put(out, text, sizeof(text));
        return;
    }
    const char text[2] = { '\\', how };
    buf_put(out, text, sizeof(text));
}

#define BYTES(c) (UINT64_C(0x0101010101010101) * (c))

/* How many bytes from p on stand for themselves: ASCII from the blank on, but '"' and '\\'.
 * Eight at a time: a byte's top bit is set in `odd` if it, or one below it, is another. */
static size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t x, quote, slash;
        memcpy(&x, p + i, 8);
        quote = x ^ BYTES('"');
        slash = x ^ BYTES('\\');
        uint64_t odd = x | (x - BYTES(0x20)) | (quote - BYTES(1)) | (slash - BYTES(1));
        if (odd & BYTES(0x80))
            break;
    }
    while (i < n && escape_of((unsigned char)p[i]) == 0)
        i++;
    return i;
}

static void put_quoted(struct buf *out, struct str s)
{
    size_t i = plain_run(s.p, s.n);
    if (i == s.n) {                                /* nearly always: in one piece */
        char *at = buf_room(out, s.n + 2);
        if (!at)
            return;
        at[0] = '"';
        if (s.n)
            memcpy(at + 1, s.p, s.n);
        at[s.n + 1] = '"';
        buf_grew(out, s.n + 2);
        return;
    }
    buf_byte(out, '"');
    size_t run = 0;                                /* [run, i) goes out as it is */
    while (i < s.n) {
        char how = escape_of((unsigned char)s.p[i]);
        size_t n = how == 1 ? utf8_step(s, i) : how == 0 ? plain_run(s.p + i, s.n - i) : 0;
        if (n) {
            i += n;
            continue;
        }
        buf_put(out, s.p + run, i - run);
        if (how == 1)
            buf_str(out, UTF8_REPLACEMENT);
        else
            put_escape(out, (unsigned char)s.p[i], how);
        run = ++i;
    }
    if (i > run)
        buf_put(out, s.p + run, i - run);
    buf_byte(out, '"');
}

void jw_key(struct jw *w, struct str key)
{
    CHECK(in_object(w) && !w->keyed);
    separate(w);
    put_quoted(w->out, key);
    buf_byte(w->out, ':');
    w->keyed = true;
}

void jw_str(struct jw *w, struct str s)
{
    begin_value(w);
    put_quoted(w->out, s);
}

void jw_i64(struct jw *w, int64_t v)
{
    begin_value(w);
    buf_i64(w->out, v);
}

void jw_u64(struct jw *w, uint64_t v)
{
    begin_value(w);
    buf_u64(w->out, v);
}

void jw_f64(struct jw *w, double v)
{
    if (!isfinite(v)) {
        jw_null(w);
        return;
    }
    begin_value(w);
    buf_f64(w->out, v);
}

void jw_num_str(struct jw *w, double v)
{
    char text[NUM_F64_MAX];
    begin_value(w);
    buf_byte(w->out, '"');
    buf_put(w->out, text, num_fmt_f64(text, v));
    buf_byte(w->out, '"');
}

void jw_bool(struct jw *w, bool v)
{
    begin_value(w);
    buf_str(w->out, v ? S("true") : S("false"));
}

void jw_null(struct jw *w)
{
    begin_value(w);
    buf_str(w->out, S("null"));
}

void jw_raw(struct jw *w, struct str json)
{
    CHECK(json.n > 0);
    begin_value(w);
    buf_str(w->out, json);
}

void jw_kv_str(struct jw *w, struct str key, struct str s)
{
    jw_key(w, key);
    jw_str(w, s);
}

void jw_kv_i64(struct jw *w, struct str key, int64_t v)
{
    jw_key(w, key);
    jw_i64(w, v);
}

void jw_kv_u64(struct jw *w, struct str key, uint64_t v)
{
    jw_key(w, key);
    jw_u64(w, v);
}

void jw_kv_bool(struct jw *w, struct str key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}
