/* api/v1_openapi.c -- the routes' tables as OpenAPI 3.1, and as the tables of the documentation. */
#include "api/v1.h"

#include <stdio.h>

/* ---- what both say ------------------------------------------------------------------ */

/* The route's parameters: its own, then the common ones it has. NULL after the last. */
static const struct v1_param *param_at(const struct v1_route *route, uint32_t i)
{
    uint32_t n = 0;
    for (const struct v1_param *p = route->params; p && p->name.n; p++)
        if (n++ == i)
            return p;
    for (const struct v1_param *p = v1_common; p->name.n; p++)
        if (v1_has(route, p) && n++ == i)
            return p;
    return NULL;
}

static struct str preset_of(const struct v1_route *route, const struct v1_param *p)
{
    return str_eq(p->name, S("sort")) ? route->sort : p->preset;
}

/* ---- OpenAPI ------------------------------------------------------------------------ */

static void put_type(struct jw *w, const char *type, bool nullable)
{
    jw_key(w, S("type"));
    if (!nullable) {
        jw_str(w, str_c(type));
        return;
    }
    jw_arr(w);
    jw_str(w, str_c(type));
    jw_str(w, S("null"));
    jw_arr_end(w);
}

static void put_schema_of_param(struct jw *w, const struct v1_route *route, const struct v1_param *p)
{
    jw_key(w, S("schema"));
    jw_obj(w);
    put_type(w, p->type == V1_COUNT ? "integer" : "string", false);
    if (p->type == V1_COUNT) {
        jw_kv_i64(w, S("minimum"), p->min);
        jw_kv_i64(w, S("maximum"), p->max);
    }
    int64_t preset = 0;
    struct str text = preset_of(route, p);
    if (p->type == V1_COUNT && str_to_i64(text, &preset))
        jw_kv_i64(w, S("default"), preset);
    else if (text.n)
        jw_kv_str(w, S("default"), text);
    if (p->allowed && p->type != V1_NAMES) {
        jw_key(w, S("enum"));
        jw_arr(w);
        for (uint32_t i = 0; p->allowed(i).n; i++)
            jw_str(w, p->allowed(i));
        jw_arr_end(w);
    }
    jw_obj_end(w);
}

static void put_params(struct jw *w, const struct v1_route *route)
{
    const struct v1_param *p;
    jw_key(w, S("parameters"));
    jw_arr(w);
    for (uint32_t i = 0; i < V1_WILD_MAX && route->wild[i].n; i++) {
        jw_obj(w);
        jw_kv_str(w, S("name"), route->wild[i]);
        jw_kv_str(w, S("in"), S("path"));
        jw_kv_bool(w, S("required"), true);
        jw_key(w, S("schema"));
        jw_obj(w);
        put_type(w, "string", false);
        jw_obj_end(w);
        jw_obj_end(w);
    }
    for (uint32_t i = 0; (p = param_at(route, i)); i++) {
        jw_obj(w);
        jw_kv_str(w, S("name"), p->name);
        jw_kv_str(w, S("in"), S("query"));
        jw_kv_str(w, S("description"), p->doc);
        put_schema_of_param(w, route, p);
        jw_obj_end(w);
    }
    jw_arr_end(w);
}

static void put_column_type(struct jw *w, const struct v1_column *c, uint32_t i)
{
    static const char *const types[] = { "string", "array", "object", "integer", "boolean", "string", "number", "number", "number" };
    bool whole = c->type == CELL_TEXTS || c->type == CELL_PAIRS;
    put_type(w, c->type == CELL_MONEY && i ? "string" : types[c->type], !whole);
    if (!whole)
        return;
    jw_key(w, c->type == CELL_TEXTS ? S("items") : S("additionalProperties"));
    jw_obj(w);
    put_type(w, "string", false);
    jw_obj_end(w);
}

static void put_properties(struct jw *w, const struct v1_column *columns, uint32_t flags)
{
    char key[64];
    struct str name;
    put_type(w, "object", false);
    jw_key(w, S("properties"));
    jw_obj(w);
    for (const struct v1_column *c = columns; c->name.n; c++)
        for (uint32_t i = 0; (c->flags & flags) == flags && (name = v1_key(c, i, key)).n; i++) {
            jw_key(w, name);
            jw_obj(w);
            put_column_type(w, c, i);
            jw_kv_str(w, S("description"), c->doc);
            jw_obj_end(w);
        }
    jw_obj_end(w);
}

static void put_named_type(struct jw *w, struct str name, const char *type, bool nullable)
{
    jw_key(w, name);
    jw_obj(w);
    put_type(w, type, nullable);
    jw_obj_end(w);
}

static void put_data(struct jw *w, const struct v1_route *route)
{
    jw_key(w, S("data"));
    jw_obj(w);
    put_type(w, "object", false);
    if (route->list.n) {
        jw_key(w, S("properties"));
        jw_obj(w);
        put_named_type(w, S("total"), "integer", false);
        put_named_type(w, S("next"), "string", true);
        jw_key(w, S("totals"));
        jw_obj(w);
        put_properties(w, route->columns, COL_SUM);
        jw_obj_end(w);
        jw_key(w, route->list);
        jw_obj(w);
        put_type(w, "array", false);
        jw_key(w, S("items"));
        jw_obj(w);
        put_properties(w, route->columns, 0);
        jw_obj_end(w);
        jw_obj_end(w);
        jw_obj_end(w);
    }
    jw_obj_end(w);
}

static void put_content(struct jw *w, const struct v1_route *route)
{
    jw_key(w, S("content"));
    jw_obj(w);
    jw_key(w, S("application/json"));
    jw_obj(w);
    jw_key(w, S("schema"));
    jw_obj(w);
    put_type(w, "object", false);
    jw_key(w, S("properties"));
    jw_obj(w);
    put_named_type(w, S("status"), "string", false);
    put_data(w, route);
    jw_obj_end(w);
    jw_obj_end(w);
    jw_obj_end(w);
    if (route->list.n) {
        jw_key(w, S("text/csv"));
        jw_obj(w);
        jw_key(w, S("schema"));
        jw_obj(w);
        put_type(w, "string", false);
        jw_obj_end(w);
        jw_obj_end(w);
    }
    jw_obj_end(w);
}

static void put_failure(struct jw *w, struct str status, struct str text)
{
    jw_key(w, status);
    jw_obj(w);
    jw_kv_str(w, S("description"), text);
    jw_obj_end(w);
}

/* "/sessions/{session}" */
static void path_text(const struct v1_mount *m, struct buf *out)
{
    uint32_t n = 0;
    for (const char *p = m->path; *p; p++)
        if (*p == '*') {
            CHECK(n < V1_WILD_MAX && m->route->wild[n].n);
            buf_fmt(out, "{" STR_FMT "}", STR_ARG(m->route->wild[n]));
            n++;
        } else {
            buf_byte(out, *p);
        }
}

static void put_path(struct jw *w, const struct v1_mount *m)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 1000);
    path_text(m, &path);
    jw_key(w, buf_view(&path));
    jw_obj(w);
    jw_key(w, S("get"));
    jw_obj(w);
    jw_kv_str(w, S("summary"), str_c(m->doc));
    if (m->route->doc.n)
        jw_kv_str(w, S("description"), m->route->doc);
    put_params(w, m->route);
    jw_key(w, S("responses"));
    jw_obj(w);
    jw_key(w, S("200"));
    jw_obj(w);
    jw_kv_str(w, S("description"), S("what was asked for"));
    put_content(w, m->route);
    jw_obj_end(w);
    put_failure(w, S("400"), S("a parameter is wrong: `error` names it and what is allowed"));
    if (m->route->wild[0].n)
        put_failure(w, S("404"), S("there is no such thing"));
    put_failure(w, S("422"), S("a limit, which `error` names"));
    jw_obj_end(w);
    jw_obj_end(w);
    jw_obj_end(w);
}

static enum err openapi(struct v1_call *c, struct jw *w, struct fault *f)
{
    (void)f;
    jw_obj(w);
    jw_kv_str(w, S("openapi"), S("3.1.0"));
    jw_key(w, S("info"));
    jw_obj(w);
    jw_kv_str(w, S("title"), S("ccmon: accounting of Claude Code"));
    jw_kv_str(w, S("version"), c->a->version.n ? c->a->version : S("0"));
    jw_obj_end(w);
    jw_key(w, S("paths"));
    jw_obj(w);
    for (const struct v1_mount *m = v1_mounts; m->path; m++)
        put_path(w, m);
    jw_obj_end(w);
    jw_obj_end(w);
    return OK;
}

const struct v1_route v1_openapi = { .bare = true, .object = openapi };

/* ---- documentation ------------------------------------------------------------------- */

static void describe_allowed(const struct v1_param *p, struct buf *out)
{
    for (uint32_t i = 0; p->allowed && p->allowed(i).n; i++)
        buf_fmt(out, "%s`" STR_FMT "`", i ? ", " : ". One of ", STR_ARG(p->allowed(i)));
    if (p->type == V1_COUNT)
        buf_fmt(out, "; %lld to %lld", (long long)p->min, (long long)p->max);
    if (p->type == V1_NAMES)
        buf_fmt(out, "; several by commas, at most %lld", (long long)p->max);
    if (p->type == V1_FILTER || p->type == V1_SEARCH)
        buf_str(out, S("; may be given again for one more"));
}

static void describe_params(const struct v1_route *route, struct buf *out)
{
    const struct v1_param *p;
    if (!param_at(route, 0))
        return;
    buf_str(out, S("\n| parameter | usual | |\n| --- | --- | --- |\n"));
    for (uint32_t i = 0; (p = param_at(route, i)); i++) {
        struct str usual = preset_of(route, p);
        buf_fmt(out, "| `" STR_FMT "` | %s" STR_FMT "%s | " STR_FMT, STR_ARG(p->name), usual.n ? "`" : "", STR_ARG(usual),
                usual.n ? "`" : "", STR_ARG(p->doc));
        describe_allowed(p, out);
        buf_str(out, S(" |\n"));
    }
}

static void describe_columns(const struct v1_route *route, struct buf *out)
{
    char key[64];
    struct str name;
    if (!route->columns)
        return;
    buf_fmt(out, "\n| column of `" STR_FMT "` | in JSON | |\n| --- | --- | --- |\n", STR_ARG(route->list));
    for (const struct v1_column *c = route->columns; c->name.n; c++) {
        buf_fmt(out, "| `" STR_FMT "` | ", STR_ARG(c->name));
        for (uint32_t i = 0; (name = v1_key(c, i, key)).n; i++)
            buf_fmt(out, "%s`" STR_FMT "`", i ? ", " : "", STR_ARG(name));
        buf_fmt(out, " | " STR_FMT "%s |\n", STR_ARG(c->doc), c->flags & COL_SUM ? "; adds up in `totals`" : "");
    }
}

void v1_describe(struct buf *out)
{
    for (const struct v1_mount *m = v1_mounts; m->path; m++) {
        buf_str(out, m == v1_mounts ? S("### `GET ") : S("\n### `GET "));
        path_text(m, out);
        buf_fmt(out, "`\n\n%s.\n", m->doc);
        if (m->route->doc.n)
            buf_fmt(out, "\n" STR_FMT "\n", STR_ARG(m->route->doc));
        describe_params(m->route, out);
        describe_columns(m->route, out);
    }
}
