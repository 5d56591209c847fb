/* logql/text.c -- quoting, sizes, durations and UTF-8 after Go's own functions,
 * since LogQL's literals and the values its filters read are defined by those. */
#include "logql/text.h"

#include <string.h>

#include "base/clock.h"
#include "base/num.h"

enum { RUNE_BAD = 0xfffd, RUNE_MAX = 0x10ffff };

uint32_t text_rune(struct str s, size_t *i)
{
    CHECK(*i < s.n);
    size_t n = utf8_step(s, *i);
    const unsigned char *p = (const unsigned char *)s.p + *i;
    *i += n ? n : 1;
    uint32_t r = n > 1 ? p[0] & (0x7fu >> n) : p[0];
    for (size_t k = 1; k < n; k++)
        r = r << 6 | (p[k] & 0x3fu);
    return n ? r : RUNE_BAD;
}

size_t text_rune_count(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; n++)
        text_rune(s, &i);
    return n;
}

/* ---- quoted strings --------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_digits(struct str s, size_t *i, size_t n, uint32_t base, uint32_t *ret)
{
    uint32_t v = 0;
    for (size_t k = 0; k < n; k++, (*i)++) {
        int d = *i < s.n ? hex_digit(s.p[*i]) : -1;
        if (d < 0 || (uint32_t)d >= base)
            return false;
        v = v * base + (uint32_t)d;
    }
    *ret = v;
    return true;
}

/* What stands behind a backslash at s[*i]; writes up to four bytes. */
static size_t read_escape(struct str s, size_t *i, char out[4])
{
    static const char names[] = "abfnrtv\\'\"", bytes[] = "\a\b\f\n\r\t\v\\'\"";
    if (*i >= s.n)
        return 0;
    char c = s.p[*i];
    const char *at = memchr(names, c, sizeof names - 1);
    if (at) {
        (*i)++;
        out[0] = bytes[at - names];
        return 1;
    }
    uint32_t v = 0;
    if (c >= '0' && c <= '7') {
        out[0] = 0;
        if (!read_digits(s, i, 3, 8, &v) || v > 255)
            return 0;
        out[0] = (char)v;
        return 1;
    }
    (*i)++;
    if (c == 'x') {
        if (!read_digits(s, i, 2, 16, &v))
            return 0;
        out[0] = (char)v;
        return 1;
    }
    if ((c != 'u' && c != 'U') || !read_digits(s, i, c == 'u' ? 4 : 8, 16, &v))
        return 0;
    if (v > RUNE_MAX || (v >= 0xd800 && v < 0xe000))
        return 0;
    return utf8_encode(out, v);
}

bool text_unquote(struct str quoted, struct arena *mem, struct str *ret)
{
    if (quoted.n < 2 || quoted.p[0] != quoted.p[quoted.n - 1])
        return false;
    struct str s = str_sub(quoted, 1, quoted.n - 2);
    if (quoted.p[0] == '`') {
        *ret = s;
        return true;
    }
    if (str_index(s, '\\') == SIZE_MAX) {
        *ret = s;
        return true;
    }
    char *out = arena_alloc(mem, s.n + 4, 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] != '\\') {
            out[n++] = s.p[i++];
            continue;
        }
        i++;
        char bytes[4];
        size_t len = read_escape(s, &i, bytes);
        if (!len)
            return false;
        memcpy(out + n, bytes, len);
        n += len;
    }
    *ret = (struct str){ out, n };
    return true;
}

static void put_control(struct buf *b, uint32_t r)
{
    static const char names[] = "abtnvfr";
    if (r >= 7 && r <= 13) {
        buf_byte(b, '\\');
        buf_byte(b, names[r - 7]);
    } else if (r == 0x7f || r < 0x20) {
        buf_fmt(b, "\\x%02x", (unsigned)r);
    } else {
        buf_fmt(b, "\\u%04x", (unsigned)r);
    }
}

/* Of what Go does not print: controls, and the invisible characters of Latin 1 and U+20xx. */
static bool is_printable(uint32_t r)
{
    if (r < 0x20 || (r >= 0x7f && r < 0xa1) || r == 0xad)
        return false;
    return !(r >= 0x2000 && r <= 0x200f) && !(r >= 0x2028 && r <= 0x202f) && r != 0xfeff && !(r >= 0xe000 && r <= 0xf8ff);
}

void text_quote(struct buf *b, struct str s)
{
    buf_byte(b, '"');
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        uint32_t r = text_rune(s, &i);
        if (r == RUNE_BAD && i - from == 1)
            buf_fmt(b, "\\x%02x", (unsigned)(unsigned char)s.p[from]);
        else if (r == '"' || r == '\\') {
            buf_byte(b, '\\');
            buf_byte(b, (char)r);
        } else if (is_printable(r))
            buf_put(b, s.p + from, i - from);
        else
            put_control(b, r);
    }
    buf_byte(b, '"');
}

/* ---- sizes ------------------------------------------------------------------ */

static const struct {
    struct str name;
    double factor;
} size_units[] = {
    { S(""), 1 },           { S("b"), 1 },
    { S("k"), 1e3 },        { S("kb"), 1e3 },        { S("ki"), 0x1p10 },  { S("kib"), 0x1p10 },
    { S("m"), 1e6 },        { S("mb"), 1e6 },        { S("mi"), 0x1p20 },  { S("mib"), 0x1p20 },
    { S("g"), 1e9 },        { S("gb"), 1e9 },        { S("gi"), 0x1p30 },  { S("gib"), 0x1p30 },
    { S("t"), 1e12 },       { S("tb"), 1e12 },       { S("ti"), 0x1p40 },  { S("tib"), 0x1p40 },
    { S("p"), 1e15 },       { S("pb"), 1e15 },       { S("pi"), 0x1p50 },  { S("pib"), 0x1p50 },
    { S("e"), 1e18 },       { S("eb"), 1e18 },       { S("ei"), 0x1p60 },  { S("eib"), 0x1p60 },
};

bool text_bytes(struct str s, uint64_t *ret)
{
    char digits[64];
    size_t i = 0, n = 0;
    for (; i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.' || s.p[i] == ','); i++) {
        if (n == sizeof digits)
            return false;
        if (s.p[i] != ',')
            digits[n++] = s.p[i];
    }
    double v;
    if (!str_to_f64((struct str){ digits, n }, &v))
        return false;
    struct str unit = str_trim(str_sub(s, i, s.n));
    for (size_t k = 0; k < LEN(size_units); k++) {
        if (!str_eq_nocase(size_units[k].name, unit))
            continue;
        v *= size_units[k].factor;
        if (!(v < 0x1p64))
            return false;
        *ret = (uint64_t)v;
        return true;
    }
    return false;
}

void text_put_bytes(struct buf *b, uint64_t n)
{
    static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    if (n < 10) {
        buf_fmt(b, "%lluB", (unsigned long long)n);
        return;
    }
    size_t e = 0;
    double v = (double)n;
    for (; v >= 1000 && e + 1 < LEN(names); e++)
        v /= 1000;
    double shown = (double)(uint64_t)(v * 10 + 0.5) / 10;
    buf_fmt(b, shown < 10 ? "%.1f%s" : "%.0f%s", shown, names[e]);
}

/* ---- durations -------------------------------------------------------------- */

bool text_duration(struct str s, int64_t *ret_ns)
{
    return num_duration(s, ret_ns) || num_go_duration(s, ret_ns);
}

double text_seconds(int64_t ns)
{
    return (double)(ns / NS_PER_S) + (double)(ns % NS_PER_S) / 1e9;
}

/* v as a decimal with up to nine places of which trailing zeros are left out. */
static void put_fraction(struct buf *b, uint64_t v, uint64_t unit)
{
    buf_u64(b, v / unit);
    uint64_t rest = v % unit;
    if (!rest)
        return;
    buf_byte(b, '.');
    for (uint64_t place = unit / 10; rest; place /= 10) {
        buf_byte(b, (char)('0' + rest / place));
        rest %= place;
    }
}

void text_put_duration(struct buf *b, int64_t ns)
{
    uint64_t v = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        buf_byte(b, '-');
    if (!v) {
        buf_str(b, S("0s"));
        return;
    }
    if (v < 1000000000) {
        uint64_t unit = v < 1000 ? 1 : v < 1000000 ? 1000 : 1000000;
        put_fraction(b, v, unit);
        buf_str(b, unit == 1 ? S("ns") : unit == 1000 ? S("µs") : S("ms"));
        return;
    }
    uint64_t secs = v / 1000000000;
    if (secs >= 3600)
        buf_fmt(b, "%lluh", (unsigned long long)(secs / 3600));
    if (secs >= 60)
        buf_fmt(b, "%llum", (unsigned long long)(secs / 60 % 60));
    put_fraction(b, secs % 60 * 1000000000 + v % 1000000000, 1000000000);
    buf_byte(b, 's');
}

void text_put_range(struct buf *b, int64_t ns)
{
    static const struct {
        struct str name;
        int64_t ms;
        bool whole;                                /* only when it goes in without rest */
    } units[] = {
        { S("y"), INT64_C(31536000000), true }, { S("w"), 604800000, true }, { S("d"), 86400000, false },
        { S("h"), 3600000, false },             { S("m"), 60000, false },    { S("s"), 1000, false },
        { S("ms"), 1, false },
    };
    int64_t ms = ns / NS_PER_MS;
    if (!ms) {
        buf_str(b, S("0s"));
        return;
    }
    for (size_t i = 0; i < LEN(units); i++) {
        if (units[i].whole && ms % units[i].ms)
            continue;
        if (ms >= units[i].ms) {
            buf_i64(b, ms / units[i].ms);
            buf_str(b, units[i].name);
            ms %= units[i].ms;
        }
    }
}

/* ---- label names ------------------------------------------------------------- */

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

bool text_is_label_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_char(s.p[i], i == 0))
            return false;
    return s.n > 0;
}

struct str text_label_name(struct str key, struct arena *mem)
{
    key = str_trim(key);
    if (!key.n || text_is_label_name(key))
        return key;
    char *out = arena_alloc(mem, key.n + 1, 1);
    size_t n = 0;
    if (key.p[0] >= '0' && key.p[0] <= '9')
        out[n++] = '_';
    for (size_t i = 0; i < key.n;) {
        char c = key.p[i];
        text_rune(key, &i);
        out[n++] = is_name_char(c, false) ? c : '_';
    }
    return (struct str){ out, n };
}
