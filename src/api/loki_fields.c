/* api/loki_fields.c -- detected_fields and the values of one detected field. */
#include "api/asked.h"
#include "api/loki_meta.h"
#include "api/loki_write.h"

enum { FIELD_LIMIT_DEFAULT = 1000 };

struct field_query {
    struct arena mem;
    struct query_ctx q;
    struct logql *query;
    struct log_fields fields;
    uint32_t limit;
};

static void field_query_done(struct field_query *d)
{
    logql_freep(&d->query);
    arena_done(&d->mem);
}

/* limit, once called field_limit. */
static bool field_limit(struct http_req *r, uint32_t *ret)
{
    struct str text;
    bool old = !http_param(r, S("limit"), &text) && http_param(r, S("field_limit"), &text);
    return loki_limit(r, old ? S("field_limit") : S("limit"), FIELD_LIMIT_DEFAULT, ret);
}

static bool field_query_run(struct http_req *r, struct field_query *d)
{
    struct log_span span;
    uint32_t lines;
    struct fault f = { 0 };
    *d = (struct field_query){ 0 };
    asked_arena(r->arg, &d->mem);
    struct logql_options opt = loki_options(r);
    if (!loki_context(r, &d->mem, &d->q) || !loki_span(r, &span) ||
        !loki_limit(r, S("line_limit"), LOKI_LIMIT_DEFAULT, &lines) || !field_limit(r, &d->limit) ||
        !loki_query(r, S("query"), &d->mem, &d->query))
        return false;
    if (logql_type(d->query) != LOGQL_LOGS) {
        loki_bad(r, "only log selector is supported");
        return false;
    }
    enum err e = logql_fields(&d->q, d->query, &opt, span, MIN(lines, (uint32_t)LOKI_ENTRIES_MAX), &d->fields, &f);
    if (e)
        loki_fail(r, &d->q, e, &f);
    return !e;
}

static void write_field(struct jw *w, const struct log_field *field)
{
    static const struct {
        uint32_t bit;
        struct str name;
    } parsers[] = { { FIELD_JSON, S("json") }, { FIELD_LOGFMT, S("logfmt") }, { FIELD_OTHER, S("regexp") } };
    jw_obj(w);
    jw_kv_str(w, S("label"), field->name);
    jw_kv_str(w, S("type"), log_field_type_name(field->type));
    jw_kv_i64(w, S("cardinality"), field->nvalues);
    jw_key(w, S("parsers"));
    if (field->parsers) {
        jw_arr(w);
        for (size_t i = 0; i < LEN(parsers); i++)
            if (field->parsers & parsers[i].bit)
                jw_str(w, parsers[i].name);
        jw_arr_end(w);
    } else {
        jw_null(w);
    }
    if (field->npath) {
        jw_key(w, S("jsonPath"));
        loki_write_list(w, field->path, field->npath);
    }
    jw_obj_end(w);
}

void loki_detected_fields(struct http_req *r)
{
    CLEANUP(field_query_done) struct field_query d;
    struct loki_reply p;
    if (!field_query_run(r, &d))
        return;
    loki_begin(&p, r);
    jw_key(&p.w, S("fields"));
    jw_arr(&p.w);
    for (uint32_t i = 0; i < d.fields.n && i < d.limit; i++)
        write_field(&p.w, &d.fields.at[i]);
    jw_arr_end(&p.w);
    jw_kv_i64(&p.w, S("limit"), d.limit);
    loki_send(&p);
}

void loki_detected_values(struct http_req *r)
{
    CLEANUP(field_query_done) struct field_query d;
    struct loki_reply p;
    CHECK(r->nwild == 1);
    if (!field_query_run(r, &d))
        return;
    loki_begin(&p, r);
    jw_key(&p.w, S("values"));
    jw_arr(&p.w);
    for (uint32_t i = 0; i < d.fields.n; i++) {
        const struct log_field *field = &d.fields.at[i];
        if (str_eq(field->name, r->wild[0]))
            for (uint32_t k = 0; k < field->nvalues && k < d.limit; k++)
                jw_str(&p.w, field->values[k]);
    }
    jw_arr_end(&p.w);
    jw_kv_i64(&p.w, S("limit"), d.limit);
    loki_send(&p);
}
