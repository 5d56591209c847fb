/* logql/parse_logfmt.c -- `| logfmt`: key=value pairs, values bare or quoted.
 *
 * A pair that is malformed is skipped; with --strict reading ends there with an
 * error. Empty values are left out unless --keep-empty. `| logfmt a="b"` takes the
 * named keys only, and makes a label of each even when it is not there.
 */
#include "logql/fields.h"
#include "logql/jscan.h"
#include "logql/pairs.h"
#include "logql/text.h"

/* ---- pairs --------------------------------------------------------------------------- */

static char at(const struct pairs *p, size_t i)
{
    return p->in.p[i];
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

static void skip_to_blank(struct pairs *p)
{
    while (p->at < p->in.n && !is_blank(at(p, p->at)))
        p->at++;
}

/* Position and character, then the rest of the pair is passed over. */
static bool unexpected(struct pairs *p)
{
    p->error = arena_fmt(p->mem, "logfmt syntax error at pos %zu : unexpected '%s%c'", p->at + 1,
                         at(p, p->at) == '\'' ? "\\" : "", at(p, p->at));
    skip_to_blank(p);
    return false;
}

static bool invalid(struct pairs *p, const char *what)
{
    p->error = arena_fmt(p->mem, "logfmt syntax error at pos %zu : %s", p->at + 1, what);
    return false;
}

static bool read_quoted(struct pairs *p)
{
    size_t from = p->at;
    bool escaped = false;
    for (size_t i = from + 1; i < p->in.n; i++) {
        if (at(p, i) == '\\') {
            escaped = true;
            i++;
        } else if (at(p, i) == '"') {
            p->at = i + 1;
            p->value = str_sub(p->in, from + 1, i - from - 1);
            if (escaped && !jscan_unescape(p->value, p->mem, &p->value))
                return invalid(p, "invalid quoted value");
            return true;
        }
    }
    p->at = p->in.n;
    return invalid(p, "unterminated quoted value");
}

static bool read_value(struct pairs *p)
{
    if (p->at >= p->in.n || is_blank(at(p, p->at)))
        return true;
    if (at(p, p->at) == '"')
        return read_quoted(p);
    size_t from = p->at;
    for (; p->at < p->in.n && !is_blank(at(p, p->at)); p->at++)
        if (at(p, p->at) == '=' || at(p, p->at) == '"')
            return unexpected(p);
    p->value = str_sub(p->in, from, p->at - from);
    return true;
}

bool pairs_end(const struct pairs *p)
{
    return p->at >= p->in.n;
}

bool pairs_next(struct pairs *p)
{
    p->key = p->value = (struct str){ 0 };
    while (!pairs_end(p) && is_blank(at(p, p->at)))
        p->at++;
    if (pairs_end(p))
        return false;
    size_t from = p->at;
    while (!pairs_end(p) && !is_blank(at(p, p->at)) && at(p, p->at) != '=') {
        if (at(p, p->at) == '"')
            return unexpected(p);
        p->at++;
    }
    p->key = str_sub(p->in, from, p->at - from);
    if (!utf8_valid(p->key)) {
        skip_to_blank(p);
        return invalid(p, "invalid key");
    }
    if (pairs_end(p) || at(p, p->at) != '=')
        return true;                               /* a key alone */
    if (!p->key.n)
        return unexpected(p);
    p->at++;
    return read_value(p);
}

/* ---- all pairs --------------------------------------------------------------------------- */

struct logfmt {
    bool strict, keep_empty;
    struct field_list list;                        /* none: all pairs */
};

static bool logfmt_run(void *bound, struct entry *e)
{
    const struct logfmt *l = bound;
    if (e->p->hints.no_labels || entry_found_all(e))
        return true;
    struct pairs p = { .in = e->line, .mem = &e->mem };
    while (!pairs_end(&p)) {
        if (!pairs_next(&p)) {
            if (l->strict && p.error.n)
                break;
            continue;
        }
        struct str name = text_label_name(p.key, &e->mem);
        if (!name.n || (!l->keep_empty && !p.value.n))
            continue;
        entry_extract(e, names_id(&e->p->names, name), jscan_clean(p.value, &e->mem));
        if (entry_found_all(e))
            break;
    }
    if (l->strict && p.error.n)
        entry_error(e, S("LogfmtParserErr"), p.error);
    return true;
}

/* { "--strict" | "--keep-empty" } [ fields ] */
static enum err logfmt_parse(struct parser *p, struct stage *s)
{
    struct logfmt *l = arena_new(p->mem, struct logfmt, 1);
    s->arg = l;
    while (p->tok.kind == T_FLAG) {
        *(str_eq(p->tok.text, S("--strict")) ? &l->strict : &l->keep_empty) = true;
        enum err e = parser_next(p);
        if (e)
            return e;
    }
    if (p->tok.kind != T_IDENT)
        return OK;
    s->def = &stage_logfmt_fields;
    enum err e = fields_parse(p, s, &l->list);
    for (uint32_t i = 0; i < l->list.n && !e; i++)
        if (!l->list.at[i].expr.n)
            e = parser_stage_error(p, s, "cannot parse expression []: syntax error: unexpected $end, expecting KEY");
    return e;
}

static void logfmt_print(const struct stage *s, struct buf *b)
{
    const struct logfmt *l = s->arg;
    buf_str(b, S("| logfmt"));
    buf_str(b, l->strict ? S(" --strict") : S(""));
    buf_str(b, l->keep_empty ? S(" --keep-empty") : S(""));
    fields_print(&l->list, b);
}

/* ---- some pairs ---------------------------------------------------------------------------- */

struct bound_logfmt {
    const struct logfmt *l;
    uint32_t *names;
};

static void *logfmt_fields_bind(struct pipeline *p, const struct stage *s)
{
    struct bound_logfmt *b = arena_new(p->ctx->mem, struct bound_logfmt, 1);
    b->l = s->arg;
    b->names = arena_new(p->ctx->mem, uint32_t, b->l->list.n);
    for (uint32_t i = 0; i < b->l->list.n; i++)
        b->names[i] = names_id(&p->names, b->l->list.at[i].name);
    return b;
}

static void take_pair(const struct bound_logfmt *b, struct entry *e, const struct pairs *p)
{
    struct str key = text_label_name(p->key, &e->mem);
    for (uint32_t i = 0; i < b->l->list.n; i++) {
        if (!str_eq(b->l->list.at[i].expr, key) && !str_eq(b->l->list.at[i].expr, p->key))
            continue;
        uint32_t name = b->names[i];
        entry_set(e, entry_taken(e, name) ? names_extracted(&e->p->names, name) : name, jscan_clean(p->value, &e->mem));
    }
}

static bool logfmt_fields_run(void *bound, struct entry *e)
{
    const struct bound_logfmt *b = bound;
    if (e->p->hints.no_labels || entry_found_all(e))
        return true;
    for (uint32_t i = 0; i < b->l->list.n; i++)
        if (!entry_taken(e, b->names[i]))
            entry_set(e, b->names[i], S(""));
    struct pairs p = { .in = e->line, .mem = &e->mem };
    while (!pairs_end(&p)) {
        if (pairs_next(&p))
            take_pair(b, e, &p);
        else if (b->l->strict && p.error.n)
            break;
    }
    if (b->l->strict && p.error.n)
        entry_error(e, S("LogfmtParserErr"), p.error);
    return true;
}

const struct stage_def stage_logfmt = {
    .word = S("logfmt"), .parse = logfmt_parse, .print = logfmt_print, .run = logfmt_run, .keeps_line = true,
};

const struct stage_def stage_logfmt_fields = {
    .word = S("logfmt"), .parse = logfmt_parse, .print = logfmt_print, .bind = logfmt_fields_bind, .run = logfmt_fields_run,
    .keeps_line = true,
};
