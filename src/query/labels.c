/* query/labels.c -- label sets. They are small (a Claude Code series has some
 * fifteen), so everything is a linear walk over sorted arrays. */
#include "query/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { KEY_MAX = 1 << 20 };                        /* bytes of one label set's key */

static int by_name(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static void sort_labels(struct label *at, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (str_cmp(at[i - 1].name, at[i].name) > 0) {
            qsort(at, n, sizeof *at, by_name);
            return;
        }
}

struct labels labels_make(struct label *at, uint32_t n)
{
    sort_labels(at, n);
    uint32_t out = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i + 1 < n && str_eq(at[i].name, at[i + 1].name))
            continue;
        if (at[i].value.n)
            at[out++] = at[i];
    }
    return (struct labels){ at, out };
}

struct str labels_get(struct labels l, struct str name)
{
    for (uint32_t i = 0; i < l.n; i++)
        if (str_eq(l.at[i].name, name))
            return l.at[i].value;
    return S("");
}

bool labels_eq(struct labels a, struct labels b)
{
    if (a.n != b.n)
        return false;
    for (uint32_t i = 0; i < a.n; i++)
        if (!str_eq(a.at[i].name, b.at[i].name) || !str_eq(a.at[i].value, b.at[i].value))
            return false;
    return true;
}

/* Texts of one query are mostly shared, and then the same bytes. */
static int text_cmp(struct str a, struct str b)
{
    return a.p == b.p && a.n == b.n ? 0 : str_cmp(a, b);
}

int labels_cmp(struct labels a, struct labels b)
{
    for (uint32_t i = 0; i < a.n && i < b.n; i++) {
        int c = text_cmp(a.at[i].name, b.at[i].name);
        if (!c)
            c = text_cmp(a.at[i].value, b.at[i].value);
        if (c)
            return c;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

uint64_t labels_hash(struct labels l)
{
    uint64_t h = l.n;
    for (uint32_t i = 0; i < l.n; i++) {
        h = hash64(l.at[i].name, h);
        h = hash64(l.at[i].value, h);
    }
    return h;
}

bool names_have(const struct str *names, uint32_t n, struct str name)
{
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

static struct labels pick(struct arena *mem, struct labels l, const struct str *names, uint32_t n, bool keep)
{
    struct label *at = arena_new(mem, struct label, l.n);
    uint32_t out = 0;
    for (uint32_t i = 0; i < l.n; i++)
        if (names_have(names, n, l.at[i].name) == keep)
            at[out++] = l.at[i];
    return (struct labels){ at, out };
}

struct labels labels_keep(struct arena *mem, struct labels l, const struct str *names, uint32_t n)
{
    return pick(mem, l, names, n, true);
}

struct labels labels_drop(struct arena *mem, struct labels l, const struct str *names, uint32_t n)
{
    return pick(mem, l, names, n, false);
}

static bool is_metadata(struct str name)
{
    if (!str_starts(name, S("__")))
        return false;
    return str_eq(name, S("__name__")) || str_eq(name, S("__type__")) || str_eq(name, S("__unit__"));
}

/* The names mostly stand in front of all others, and then the rest is the answer. */
struct labels labels_drop_name(struct arena *mem, struct labels l)
{
    uint32_t front = 0, all = 0;
    for (uint32_t i = 0; i < l.n; i++) {
        bool is = is_metadata(l.at[i].name);
        all += is;
        front += is && all == i + 1;
    }
    if (all == front)
        return (struct labels){ l.at + front, l.n - front };
    struct label *at = arena_new(mem, struct label, l.n);
    uint32_t out = 0;
    for (uint32_t i = 0; i < l.n; i++)
        if (!is_metadata(l.at[i].name))
            at[out++] = l.at[i];
    return (struct labels){ at, out };
}

struct labels labels_set(struct arena *mem, struct labels l, struct str name, struct str value)
{
    struct label *at = arena_new(mem, struct label, l.n + 1);
    uint32_t out = 0;
    bool placed = !value.n;
    for (uint32_t i = 0; i < l.n; i++) {
        int c = str_cmp(l.at[i].name, name);
        if (!placed && c >= 0) {
            at[out++] = (struct label){ name, value };
            placed = true;
        }
        if (c)
            at[out++] = l.at[i];
    }
    if (!placed)
        at[out++] = (struct label){ name, value };
    return (struct labels){ at, out };
}

/* A text as Go's %q shows it: what is no printable ASCII but valid UTF-8 stays. */
static void put_quoted(struct buf *b, struct str s)
{
    buf_byte(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') {
            buf_byte(b, '\\');
            buf_byte(b, (char)c);
        } else if (c == '\n') {
            buf_str(b, S("\\n"));
        } else if (c == '\t') {
            buf_str(b, S("\\t"));
        } else if (c == '\r') {
            buf_str(b, S("\\r"));
        } else if (c < 0x20 || c == 0x7f) {
            buf_fmt(b, "\\x%02x", c);
        } else {
            buf_byte(b, (char)c);
        }
    }
    buf_byte(b, '"');
}

static struct str text(struct arena *mem, struct labels l, bool name_in_front)
{
    struct buf b;
    buf_init(&b, KEY_MAX);
    struct str name = name_in_front ? labels_get(l, S("__name__")) : S("");
    buf_str(&b, name);
    buf_byte(&b, '{');
    uint32_t shown = 0;
    for (uint32_t i = 0; i < l.n; i++) {
        if (name.n && str_eq(l.at[i].name, S("__name__")))
            continue;
        buf_str(&b, shown++ ? S(", ") : S(""));
        buf_str(&b, l.at[i].name);
        buf_byte(&b, '=');
        put_quoted(&b, l.at[i].value);
    }
    buf_byte(&b, '}');
    struct str out = arena_str(mem, buf_view(&b));
    buf_done(&b);
    return out;
}

struct str labels_text(struct arena *mem, struct labels l)
{
    return text(mem, l, true);
}

struct str labels_text_plain(struct arena *mem, struct labels l)
{
    return text(mem, l, false);
}

/* ---- keyset ---------------------------------------------------------------- */

void keyset_init(struct keyset *k, struct arena *mem)
{
    *k = (struct keyset){ .mem = mem };
    buf_init(&k->scratch, KEY_MAX);
}

void keyset_done(struct keyset *k)
{
    map_done(&k->map);
    buf_done(&k->scratch);
}

/* Lengths before texts, so that no two label sets give the same bytes. */
static void put_part(struct buf *b, struct str s)
{
    uint32_t n = (uint32_t)s.n;
    buf_put(b, &n, sizeof n);
    buf_str(b, s);
}

uint32_t keyset_id(struct keyset *k, struct labels l, const struct str *names, uint32_t n, bool keep, bool *ret_new)
{
    buf_clear(&k->scratch);
    for (uint32_t i = 0; i < l.n; i++)
        if (names_have(names, n, l.at[i].name) == keep) {
            put_part(&k->scratch, l.at[i].name);
            put_part(&k->scratch, l.at[i].value);
        }
    CHECK(!k->scratch.bad);
    struct str key = buf_view(&k->scratch);
    uint32_t id = map_get(&k->map, key);
    *ret_new = id == MAP_NONE;
    if (*ret_new) {
        id = k->n++;
        map_put(&k->map, arena_str(k->mem, key), id);
    }
    return id;
}

uint32_t keyset_all(struct keyset *k, struct labels l, bool *ret_new)
{
    return keyset_id(k, l, NULL, 0, false, ret_new);
}
