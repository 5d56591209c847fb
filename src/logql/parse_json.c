/* logql/parse_json.c -- `| json`: all scalar members become labels, nested ones with
 * their path joined by '_'; `| json a="b.c"`: those that are named.
 *
 * Where hints say which labels count, reading stops once they are found; a line that
 * is damaged behind them is then no error.
 */
#include "logql/fields.h"
#include "logql/jscan.h"

#include <string.h>

enum { JSON_NEST_MAX = 64 };

/* ---- all members ------------------------------------------------------------------- */

struct walk {
    struct entry *e;
    struct str prefix;                             /* "a_b" while inside a.b */
    uint32_t depth;
    jscan_error error;
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

/* prefix_key, with '_' for each character that a label's name may not have. */
static struct str joined(struct walk *w, struct str key)
{
    key = str_trim(key);
    char *out = arena_alloc(&w->e->mem, w->prefix.n + key.n + 2, 1);
    size_t n = w->prefix.n;
    if (n) {
        memcpy(out, w->prefix.p, n);
        out[n++] = '_';
    } else if (key.n && key.p[0] >= '0' && key.p[0] <= '9') {
        out[n++] = '_';
    }
    for (size_t i = 0; i < key.n; i++) {
        if (((unsigned char)key.p[i] & 0xc0) == 0x80)
            continue;                              /* one '_' a character */
        out[n++] = is_name_char(key.p[i]) ? key.p[i] : '_';
    }
    return (struct str){ out, n };
}

/* Could a label that counts begin with this? */
static bool wants_prefix(const struct entry *e, struct str prefix)
{
    const struct hints *h = &e->p->hints;
    for (uint32_t i = 0; i < h->nrequired; i++)
        if (str_starts(e->p->names.at[h->required[i]], prefix))
            return true;
    return !h->nrequired;
}

static bool walk_member(void *arg, struct str key, struct jvalue v)
{
    struct walk *w = arg;
    if (v.kind == JS_NULL || v.kind == JS_ARRAY || v.kind == JS_BROKEN)
        return true;
    struct str name = joined(w, key);
    if (v.kind == JS_OBJECT) {
        if (w->depth == JSON_NEST_MAX || !wants_prefix(w->e, name))
            return true;
        struct walk inner = { .e = w->e, .prefix = name, .depth = w->depth + 1 };
        jscan_error e = jscan_object(v.raw, &w->e->mem, walk_member, &inner);
        w->error = inner.error ? inner.error : e;
        return !w->error && !entry_found_all(w->e);
    }
    struct str value = v.raw;
    if (v.kind == JS_STRING && !jscan_unescape(v.raw, &w->e->mem, &value))
        value = S("");
    if (name.n)
        entry_extract(w->e, names_id(&w->e->p->names, name), jscan_clean(value, &w->e->mem));
    return !entry_found_all(w->e);
}

static bool json_run(void *bound, struct entry *e)
{
    (void)bound;
    if (e->p->hints.no_labels || entry_found_all(e))
        return true;
    struct walk w = { .e = e };
    jscan_error error = jscan_object(e->line, &e->mem, walk_member, &w);
    if (w.error)
        error = w.error;
    if (error)
        entry_error(e, S("JSONParserErr"), str_c(error));
    return true;
}

static void json_print(const struct stage *s, struct buf *b)
{
    (void)s;
    buf_str(b, S("| json"));
}

/* ---- some members -------------------------------------------------------------------- */

struct json_fields {
    struct field_list list;
    struct jpath *paths;
};

struct bound_fields {
    const struct json_fields *fields;
    uint32_t *names;
};

static enum err json_parse(struct parser *p, struct stage *s)
{
    if (p->tok.kind != T_IDENT)
        return OK;
    struct json_fields *jf = arena_new(p->mem, struct json_fields, 1);
    s->arg = jf;
    s->def = &stage_json_fields;
    enum err e = fields_parse(p, s, &jf->list);
    if (e)
        return e;
    jf->paths = arena_new(p->mem, struct jpath, jf->list.n);
    for (uint32_t i = 0; i < jf->list.n; i++) {
        struct fault why;
        if (jscan_path(jf->list.at[i].expr, p->mem, &jf->paths[i], &why))
            return parser_stage_error(p, s, "cannot parse expression [" STR_FMT "]: %s", STR_ARG(jf->list.at[i].expr), why.msg);
    }
    return OK;
}

static void json_fields_print(const struct stage *s, struct buf *b)
{
    const struct json_fields *jf = s->arg;
    buf_str(b, S("| json"));
    fields_print(&jf->list, b);
}

static void *json_fields_bind(struct pipeline *p, const struct stage *s)
{
    struct bound_fields *b = arena_new(p->ctx->mem, struct bound_fields, 1);
    b->fields = s->arg;
    b->names = arena_new(p->ctx->mem, uint32_t, b->fields->list.n);
    for (uint32_t i = 0; i < b->fields->list.n; i++)
        b->names[i] = names_id(&p->names, b->fields->list.at[i].name);
    return b;
}

static struct str field_text(struct entry *e, struct jvalue v)
{
    if (v.kind == JS_NULL)
        return S("");
    struct str text = v.raw;
    if (v.kind == JS_STRING && !jscan_unescape(v.raw, &e->mem, &text))
        return S("");
    return jscan_clean(text, &e->mem);
}

static bool json_fields_run(void *bound, struct entry *e)
{
    const struct bound_fields *b = bound;
    if (!e->line.n || e->p->hints.no_labels || entry_found_all(e))
        return true;
    if (!strchr("\"{[", e->line.p[0]) || !e->line.p[0]) {
        entry_error(e, S("JSONParserErr"), S(""));
        return true;
    }
    for (uint32_t i = 0; i < b->fields->list.n; i++) {
        struct jvalue v;
        jscan_error error;
        uint32_t name = b->names[i];
        if (jscan_find(e->line, &b->fields->paths[i], &e->mem, &v, &error)) {
            entry_set(e, entry_taken(e, name) ? names_extracted(&e->p->names, name) : name, field_text(e, v));
            continue;
        }
        struct str ignored;
        if (error)
            entry_error(e, S("JSONParserErr"), str_c(error));
        if (!entry_get(e, name, &ignored))
            entry_set(e, name, S(""));             /* every field that was asked for is a label */
    }
    return true;
}

const struct stage_def stage_json = {
    .word = S("json"), .parse = json_parse, .print = json_print, .run = json_run, .keeps_line = true,
};

const struct stage_def stage_json_fields = {
    .word = S("json"), .parse = json_parse, .print = json_fields_print, .bind = json_fields_bind, .run = json_fields_run,
    .keeps_line = true,
};
