/* logql/detect.c -- which fields the lines of a query have, and of what type.
 *
 * Lines that the query does not parse itself are tried as JSON and, where that fails,
 * as logfmt. A field is known by name: structured metadata and a parsed field of one
 * name are one field; one that collides with a stream label has _extracted behind it.
 */
#include "logql/ast.h"
#include "logql/jscan.h"
#include "logql/pairs.h"
#include "logql/stage.h"
#include "logql/text.h"

#include <string.h>

#include "base/num.h"

enum { FIELD_PATH_MAX = 32, FIELDS_MAX = 1000, FIELD_VALUES_MAX = 10000 };

struct detector {
    struct query_ctx *ctx;
    struct log_fields *out;
    struct map names;
    struct map *values;                            /* of each field */
    uint32_t nvalues, cap_values;
    struct labels stream;                          /* of the line at hand */
    struct str path[FIELD_PATH_MAX];
    uint32_t depth;
    uint32_t found;                                /* fields of the line at hand */
};

struct str log_field_type_name(enum field_type t)
{
    static const struct str names[] = {
        [FIELD_STRING] = S("string"), [FIELD_INT] = S("int"),           [FIELD_FLOAT] = S("float"),
        [FIELD_BOOLEAN] = S("boolean"), [FIELD_DURATION] = S("duration"), [FIELD_BYTES] = S("bytes"),
    };
    return names[t];
}

static enum field_type type_of(struct str v)
{
    int64_t i;
    double d;
    uint64_t u;
    if (str_to_i64(v, &i))
        return FIELD_INT;
    if (str_to_f64(v, &d))
        return FIELD_FLOAT;
    if (str_eq_nocase(v, S("true")) || str_eq_nocase(v, S("false")))
        return FIELD_BOOLEAN;
    if (num_go_duration(v, &i))
        return FIELD_DURATION;
    return text_bytes(v, &u) ? FIELD_BYTES : FIELD_STRING;
}

static uint32_t field_of(struct detector *d, struct str name)
{
    uint32_t id = map_get(&d->names, name);
    if (id != MAP_NONE || d->out->n == FIELDS_MAX)
        return id;
    struct arena *mem = d->ctx->mem;
    id = d->out->n;
    struct str kept = arena_str(mem, name);
    *arena_push(mem, d->out->at, d->out->n, d->out->cap) = (struct log_field){ .name = kept };
    *arena_push(mem, d->values, d->nvalues, d->cap_values) = (struct map){ 0 };
    map_put(&d->names, kept, id);
    return id;
}

static void add_value(struct detector *d, struct str name, struct str value, uint32_t parser)
{
    uint32_t id = field_of(d, name);
    if (id == MAP_NONE)
        return;
    struct log_field *f = &d->out->at[id];
    struct arena *mem = d->ctx->mem;
    f->parsers |= parser;
    if (parser == FIELD_JSON && !f->npath && d->depth) {
        struct str *path = arena_new(mem, struct str, d->depth);
        for (uint32_t i = 0; i < d->depth; i++)
            path[i] = arena_str(mem, d->path[i]);
        f->path = path;
        f->npath = d->depth;
    }
    if (map_get(&d->values[id], value) != MAP_NONE || f->nvalues == FIELD_VALUES_MAX)
        return;
    if (!f->nvalues)
        f->type = type_of(value);
    struct str kept = arena_str(mem, value);
    map_put(&d->values[id], kept, f->nvalues);
    *arena_push(mem, f->values, f->nvalues, f->cap_values) = kept;
}

/* ---- lines that the query did not parse ------------------------------------------------------ */

/* The name a parser would give it. */
static struct str parsed_name(struct detector *d, struct str name)
{
    for (uint32_t i = 0; i < d->stream.n; i++)
        if (str_eq(d->stream.at[i].name, name))
            return arena_fmt(d->ctx->mem, STR_FMT "_extracted", STR_ARG(name));
    return name;
}

static bool json_member(void *arg, struct str key, struct jvalue v)
{
    struct detector *d = arg;
    struct arena *mem = d->ctx->mem;
    if (d->depth == FIELD_PATH_MAX || v.kind == JS_NULL || v.kind == JS_ARRAY || v.kind == JS_BROKEN)
        return true;
    d->path[d->depth++] = key;
    if (v.kind == JS_OBJECT) {
        jscan_error ignored = jscan_object(v.raw, mem, json_member, d);
        (void)ignored;
    } else {
        struct str text = v.raw, name = S("");
        if (v.kind == JS_STRING && !jscan_unescape(v.raw, mem, &text))
            text = S("");
        for (uint32_t i = 0; i < d->depth; i++)
            name = arena_fmt(mem, STR_FMT "%s" STR_FMT, STR_ARG(name), i ? "_" : "", STR_ARG(text_label_name(d->path[i], mem)));
        add_value(d, parsed_name(d, name), jscan_clean(text, mem), FIELD_JSON);
        d->found++;
    }
    d->depth--;
    return true;
}

static bool try_json(struct detector *d, struct str line)
{
    d->found = d->depth = 0;
    jscan_error e = jscan_object(line, d->ctx->mem, json_member, d);
    d->depth = 0;
    return !e || d->found;
}

static void try_logfmt(struct detector *d, struct str line)
{
    struct pairs p = { .in = line, .mem = d->ctx->mem };
    while (!pairs_end(&p)) {
        if (!pairs_next(&p) || !p.value.n)
            continue;
        struct str name = text_label_name(p.key, d->ctx->mem);
        if (name.n)
            add_value(d, parsed_name(d, name), jscan_clean(p.value, d->ctx->mem), FIELD_LOGFMT);
    }
}

/* ---- all lines ---------------------------------------------------------------------------------- */

/* The parsers a query has itself. */
static uint32_t parsers_of(const struct logql *q)
{
    uint32_t parsers = 0;
    for (uint32_t i = 0; i < q->root->log.nstages; i++) {
        const struct stage_def *def = q->root->log.stages[i].def;
        if (def == &stage_json || def == &stage_json_fields || def == &stage_unpack)
            parsers |= FIELD_JSON;
        else if (def == &stage_logfmt || def == &stage_logfmt_fields)
            parsers |= FIELD_LOGFMT;
        else if (def == &stage_regexp || def == &stage_pattern)
            parsers |= FIELD_OTHER;
    }
    return parsers;
}

static void look_at(struct detector *d, const struct log_entry *e, uint32_t parsers)
{
    for (uint32_t i = 0; i < e->meta.n; i++)
        add_value(d, e->meta.at[i].name, e->meta.at[i].value, 0);
    for (uint32_t i = 0; i < e->parsed.n; i++)
        if (!str_starts(e->parsed.at[i].name, S("__error")))
            add_value(d, e->parsed.at[i].name, e->parsed.at[i].value, parsers);
    if (!parsers && !try_json(d, e->line))
        try_logfmt(d, e->line);
}

static void detector_done(struct detector *d)
{
    map_done(&d->names);
    for (uint32_t i = 0; i < d->nvalues; i++)
        map_done(&d->values[i]);
}

enum err logql_fields(struct query_ctx *ctx, const struct logql *q, const struct logql_options *opt, struct log_span span,
                      uint32_t lines, struct log_fields *ret, struct fault *f)
{
    CHECK(q->root->kind == EXPR_LOG);
    *ret = (struct log_fields){ 0 };
    struct log_req req = { .start_ns = span.start_ns, .end_ns = span.end_ns, .limit = lines };
    struct log_result res;
    enum err e = logql_logs(ctx, q, opt, &req, true, &res, f);
    if (e)
        return e;
    CLEANUP(detector_done) struct detector d = { .ctx = ctx, .out = ret };
    uint32_t parsers = parsers_of(q);
    for (uint32_t i = 0; i < res.n; i++) {
        d.stream = res.streams[i].labels;
        for (uint32_t k = 0; k < res.streams[i].n; k++)
            look_at(&d, &res.streams[i].entries[k], parsers);
        e = query_check(ctx, f);
        if (e)
            return e;
    }
    return OK;
}
