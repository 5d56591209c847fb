/* otlp/redact_json.c -- redacting JSON.
 *
 * The text is walked token by token; `kept` is how far of it is written or left out. A change
 * copies the stretch before it and goes on behind it, so whatever is between stays as it was,
 * blanks and spellings of numbers included. Strings are compared unescaped: "\u0040" is "@".
 *
 * An element that is left out takes a comma with it: the one before, or, where nothing stands
 * before, the one behind:
 *
 *     [ gone , kept , gone , kept ]
 *       ^^^^^^^     ^^^^^^
 */
#include "base/base64.h"
#include "base/json.h"
#include "base/jw.h"
#include "base/num.h"
#include "base/utf8.h"
#include "otlp/js.h"
#include "otlp/limits.h"
#include "otlp/redact_int.h"

#include <string.h>

enum { PLAIN_BYTES_MAX = 64 };                     /* of a number, an id or a name of an enumeration in quotes */

struct walk {
    struct redact *r;
    struct json j;
    const char *kept, *at;       /* `at`: where the newest token begins */
};

/* Elements of an array or members of an object. */
struct seq {
    const char *end;             /* of the last element that stays, or that was left out behind one */
    bool some, gap;              /* one stays; those before the first one were left out */
};

static enum json_tok next(struct walk *d)
{
    const char *p = d->j.p;
    enum json_tok t = json_next(&d->j);
    while (p < d->j.end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t' || *p == ',' || *p == ':'))
        p++;
    d->at = p;
    if (t == J_ERR)
        redact_fail(d->r, d->j.fault.code, d->j.fault.at, "%s", d->j.fault.msg);
    return t;
}

static void wrong(struct walk *d, const char *want)
{
    size_t at = (size_t)(d->j.p - d->j.start);
    redact_fail(d->r, E_SYNTAX, at, "expected %s before byte %zu", want, at);
}

static bool ok(struct walk *d)
{
    return redact_ok(d->r);
}

static void skip(struct walk *d)
{
    json_skip(&d->j);
    if (d->j.tok == J_ERR)
        redact_fail(d->r, d->j.fault.code, d->j.fault.at, "%s", d->j.fault.msg);
}

/* ---- changes ------------------------------------------------------------------------------- */

static void cut(struct walk *d, const char *from, const char *to)
{
    CHECK(d->kept <= from && from <= to);
    buf_put(d->r->out, d->kept, (size_t)(from - d->kept));
    d->kept = to;
}

static void put_string(struct walk *d, struct str s)
{
    struct jw w;
    jw_init(&w, d->r->out);
    jw_str(&w, s);
}

/* An element begins at `at`: is what stood before it gone? */
static void seq_element(struct walk *d, struct seq *s, const char *at)
{
    if (s->gap && !s->some) {
        CHECK(d->kept <= at);
        d->kept = at;
    }
}

static void seq_stays(struct walk *d, struct seq *s)
{
    s->some = true;
    s->end = d->j.p;
}

/* The element from `at` to here is left out. */
static void seq_gone(struct walk *d, struct seq *s, const char *at)
{
    if (!ok(d))
        return;
    cut(d, s->some ? s->end : at, d->j.p);
    s->gap = true;
    s->end = d->j.p;
}

/* ---- values ----------------------------------------------------------------------------------- */

static void any(struct walk *d, enum json_tok first, uint64_t rules, enum place place, unsigned depth);

/* The string that was just read. */
static void string(struct walk *d, uint64_t rules)
{
    struct str kept = redact_value(d->r, rules, d->j.s, true);
    if (kept.p == d->j.s.p)
        return;
    cut(d, d->at, d->j.p);
    put_string(d, kept);
}

/* A number, an id or an enumeration: if in quotes, of few and harmless characters. */
static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool fine = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("+-._/=", c));
        if (!fine)
            return false;
    }
    return s.n <= PLAIN_BYTES_MAX;
}

static void plain(struct walk *d, enum json_tok t)
{
    if (t == J_OBJ || t == J_ARR || (t == J_STR && !is_plain(d->j.s)))
        wrong(d, "a number, a name or an id");
}

/* The text of a number as protobuf would give it, so that both forms have one hash. */
static struct str number_text(struct walk *d, enum json_tok t, bool is_double)
{
    double v;
    if (t == J_TRUE || t == J_FALSE)
        return t == J_TRUE ? S("true") : S("false");
    if (is_double && str_to_f64(d->j.s, &v))
        return redact_double_text(d->r, v);
    return d->j.s;
}

/* The member from `at` to here becomes a text. */
static void becomes_text(struct walk *d, const char *at, struct str text)
{
    cut(d, at, d->j.p);
    buf_str(d->r->out, S("\"stringValue\":"));
    put_string(d, text);
}

static void number(struct walk *d, const char *at, uint64_t rules, bool is_double)
{
    enum json_tok t = next(d);
    plain(d, t);
    if (!ok(d) || t == J_NULL || !privacy_replaces(d->r->p, rules))
        return;
    struct str text = number_text(d, t, is_double), kept = redact_value(d->r, rules, text, false);
    if (kept.p != text.p)
        becomes_text(d, at, kept);
}

static void bytes(struct walk *d, const char *at, uint64_t rules)
{
    enum json_tok t = next(d);
    struct str in;
    if (t == J_NULL || t == J_ERR)
        return;
    if (t != J_STR || !js_base64(d->j.s, &d->r->mem, &in)) {
        wrong(d, "base64");
        return;
    }
    struct str kept = redact_value(d->r, rules, in, true);
    if (kept.p == in.p)
        return;
    if (utf8_valid(kept)) {
        becomes_text(d, at, kept);
        return;
    }
    cut(d, d->at, d->j.p);
    buf_byte(d->r->out, '"');
    buf_str(d->r->out, base64_text(kept, &d->r->mem));
    buf_byte(d->r->out, '"');
}

/* The name of the {"key": ..., "value": ...} whose "{" was just read; the last one counts. */
static struct str key_of(struct walk *d)
{
    struct json ahead = d->j;
    struct str key = { 0 };
    while (json_next(&ahead) == J_KEY) {
        if (!js_is(ahead.s, S("key"))) {
            json_skip(&ahead);
            continue;
        }
        if (json_next(&ahead) == J_STR)
            key = ahead.s;
        else
            json_skip(&ahead);
    }
    return key;
}

static void key_members(struct walk *d, uint64_t rules, enum place place, struct str renamed, unsigned depth)
{
    struct seq s = { 0 };
    while (ok(d) && next(d) == J_KEY) {
        const char *at = d->at;
        seq_element(d, &s, at);
        if (js_is(d->j.s, S("key"))) {
            enum json_tok t = next(d);
            if (t != J_STR && t != J_NULL && t != J_ERR)
                wrong(d, "a string");
            if (t == J_STR && renamed.p) {
                cut(d, d->at, d->j.p);
                put_string(d, renamed);
            }
        } else if (js_is(d->j.s, S("value"))) {
            any(d, next(d), rules, place, depth);
        } else {
            skip(d);
            seq_gone(d, &s, at);
            continue;
        }
        seq_stays(d, &s);
    }
}

/* A KeyValue whose "{" was just read. False: it is to be left out, and was read to its end. */
static bool key_value(struct walk *d, uint64_t rules, enum place place, unsigned depth)
{
    const struct redact_name *name = redact_name(d->r, place, key_of(d));
    if (privacy_drops(d->r->p, name->rules)) {
        skip(d);
        return false;
    }
    bool renamed = name->kept.p != name->name.p;
    key_members(d, rules | name->rules, place, renamed ? name->kept : (struct str){ 0 }, depth);
    return true;
}

/* Is the next value an array? Nothing in its place is none, anything else is wrong. */
static bool opens_list(struct walk *d)
{
    enum json_tok t = next(d);
    if (t != J_ARR && t != J_NULL && t != J_ERR)
        wrong(d, "an array");
    return t == J_ARR;
}

/* An array of KeyValues, its value not yet read. */
static void attrs(struct walk *d, uint64_t rules, enum place place, unsigned depth)
{
    struct seq s = { 0 };
    enum json_tok t;
    if (!opens_list(d))
        return;
    while (ok(d) && (t = next(d)) != J_ARR_END) {
        const char *at = d->at;
        seq_element(d, &s, at);
        if (t != J_OBJ && t != J_NULL)
            wrong(d, "an object");
        if (t == J_OBJ && !key_value(d, rules, place, depth))
            seq_gone(d, &s, at);
        else
            seq_stays(d, &s);
    }
}

static void values(struct walk *d, uint64_t rules, enum place place, unsigned depth)
{
    enum json_tok t = next(d);
    if (t != J_ARR) {
        if (t != J_NULL && t != J_ERR)
            wrong(d, "an array");
        return;
    }
    while (ok(d) && (t = next(d)) != J_ARR_END)
        any(d, t, rules, place, depth);
}

/* {"values": [...]}, not yet read. Members of a body have names like attributes. */
static void list(struct walk *d, uint64_t rules, enum place place, bool map, unsigned depth)
{
    struct seq s = { 0 };
    if (depth > OTLP_VALUE_DEPTH_MAX)
        redact_fail(d->r, E_LIMIT, 0, "arrays and maps nested deeper than %d", OTLP_VALUE_DEPTH_MAX);
    enum json_tok t = ok(d) ? next(d) : J_ERR;
    if (t != J_OBJ) {
        if (t != J_NULL && t != J_ERR)
            wrong(d, "an object");
        return;
    }
    while (ok(d) && next(d) == J_KEY) {
        const char *at = d->at;
        seq_element(d, &s, at);
        if (!js_is(d->j.s, S("values"))) {
            skip(d);
            seq_gone(d, &s, at);
            continue;
        }
        if (map)
            attrs(d, rules, place == PLACE_FIELD ? PLACE_ATTR : place, depth);
        else
            values(d, rules, place, depth);
        seq_stays(d, &s);
    }
}

/* One member of an AnyValue, its key just read at `at`; false: nobody knows it. */
static bool any_member(struct walk *d, const char *at, uint64_t rules, enum place place, unsigned depth)
{
    struct str key = d->j.s;
    if (js_is(key, S("stringValue"))) {
        enum json_tok t = next(d);
        if (t == J_STR)
            string(d, rules);
        else if (t != J_NULL && t != J_ERR)
            wrong(d, "a string");
    } else if (js_is(key, S("intValue")) || js_is(key, S("boolValue")) || js_is(key, S("doubleValue"))) {
        number(d, at, rules, js_is(key, S("doubleValue")));
    } else if (js_is(key, S("bytesValue"))) {
        bytes(d, at, rules);
    } else if (js_is(key, S("arrayValue")) || js_is(key, S("kvlistValue"))) {
        list(d, rules, place, js_is(key, S("kvlistValue")), depth + 1);
    } else {
        return false;
    }
    return true;
}

/* The AnyValue that begins with the token `first`. */
static void any(struct walk *d, enum json_tok first, uint64_t rules, enum place place, unsigned depth)
{
    struct seq s = { 0 };
    if (first != J_OBJ) {
        if (first != J_NULL && first != J_ERR)
            wrong(d, "an object");
        return;
    }
    while (ok(d) && next(d) == J_KEY) {
        const char *at = d->at;
        seq_element(d, &s, at);
        if (any_member(d, at, rules, place, depth)) {
            seq_stays(d, &s);
        } else {
            skip(d);
            seq_gone(d, &s, at);
        }
    }
}

/* ---- messages ------------------------------------------------------------------------------------ */

static void members(struct walk *d, const struct redact_message *m);

/* One value of a field; false: it is to be left out, and was read to its end. */
static bool value(struct walk *d, const struct redact_field *f, enum json_tok t)
{
    uint64_t rules = f->name.p ? redact_name(d->r, f->place, f->name)->rules : 0;
    if (privacy_drops(d->r->p, rules)) {
        skip(d);
        return false;
    }
    if (t == J_NULL || t == J_ERR)
        return true;
    switch (f->part) {
    case PART_PLAIN:
        plain(d, t);
        break;
    case PART_TEXT:
        if (t == J_STR)
            string(d, rules);
        else
            wrong(d, "a string");
        break;
    case PART_ANY:
        any(d, t, rules, f->place, 0);
        break;
    case PART_MESSAGE:
        if (t == J_OBJ)
            members(d, f->message);
        else
            wrong(d, "an object");
        break;
    case PART_ATTR:
        CHECK(!"attributes are a list of their own");
    }
    return true;
}

static void field_list(struct walk *d, const struct redact_field *f)
{
    struct seq s = { 0 };
    enum json_tok t;
    if (!opens_list(d))
        return;
    while (ok(d) && (t = next(d)) != J_ARR_END) {
        const char *at = d->at;
        seq_element(d, &s, at);
        if (value(d, f, t))
            seq_stays(d, &s);
        else
            seq_gone(d, &s, at);
    }
}

/* The members of an object whose "{" was just read. */
static void members(struct walk *d, const struct redact_message *m)
{
    struct seq s = { 0 };
    while (ok(d) && next(d) == J_KEY) {
        const char *at = d->at;
        const struct redact_field *f = m->fields;
        bool stays = true;
        seq_element(d, &s, at);
        while (f->number && !js_is(d->j.s, f->json))
            f++;
        if (!f->number) {
            skip(d);
            stays = false;
        } else if (f->part == PART_ATTR) {
            attrs(d, 0, f->place, 0);
        } else if (f->list) {
            field_list(d, f);
        } else {
            stays = value(d, f, next(d));
        }
        if (stays)
            seq_stays(d, &s);
        else
            seq_gone(d, &s, at);
    }
}

bool redact_json(struct redact *r, const struct redact_message *m)
{
    struct walk d = { .r = r };
    json_init(&d.j, r->body, &r->mem);
    d.kept = d.j.start;
    if (next(&d) != J_OBJ)
        wrong(&d, "an object");
    members(&d, m);
    if (ok(&d) && next(&d) != J_END)
        wrong(&d, "the end");
    if (!ok(&d) || d.kept == d.j.start)
        return false;
    cut(&d, d.j.end, d.j.end);
    return true;
}
