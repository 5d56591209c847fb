/* api/loki.c -- Loki's query and query_range, and the table of its endpoints. */
#include "api/asked.h"
#include "api/loki_meta.h"
#include "api/loki_write.h"
#include "query/write.h"

static bool wants_categories(const struct http_req *r)
{
    return str_find(http_header(r, S("x-loki-response-encoding-flags")), S("categorize-labels")) != SIZE_MAX;
}

/* ---- one query ---------------------------------------------------------------------------- */

struct asking {
    struct http_req *r;                            /* gone once it is answered */
    const struct api *api;
    struct arena mem;
    struct query_ctx q;
    struct logql *query;
    struct str text, error;                        /* for the record */
    struct loki_stats stats;
};

static void asking_done(struct asking *x)
{
    if (x->text.n)
        asked_end(x->api, &x->q, S("logql"), x->text, x->error);
    logql_freep(&x->query);
    arena_done(&x->mem);
}

static bool asking_begin(struct asking *x, struct http_req *r)
{
    *x = (struct asking){ .r = r, .api = r->arg };
    asked_arena(x->api, &x->mem);
    return loki_context(r, &x->mem, &x->q);
}

/* The last parameter to be read: from here on there is a query. */
static bool asking_query(struct asking *x)
{
    struct str text = S("");
    if (!loki_query(x->r, S("query"), &x->mem, &x->query))
        return false;
    http_param(x->r, S("query"), &text);
    x->text = arena_str(&x->mem, text);
    return true;
}

static void asking_fail(struct asking *x, enum err e, const struct fault *f)
{
    x->error = x->q.error.n ? x->q.error : arena_str(&x->mem, str_c(f->msg));
    loki_fail(x->r, &x->q, e, f);
}

/* ---- metrics ------------------------------------------------------------------------------ */

static void answer_metric(struct asking *x, struct log_steps st, bool range)
{
    struct fault f = { 0 };
    struct vec v;
    struct loki_reply p;
    struct logql_options opt = loki_options(x->r);
    enum err e = logql_metric(&x->q, x->query, &opt, st, &v, &f);
    if (e) {
        asking_fail(x, e, &f);
        return;
    }
    struct steps ms = log_steps_ms(st);
    loki_begin_data(&p, x->r, range ? S("matrix") : S("vector"));
    jw_key(&p.w, S("result"));
    if (range)
        write_matrix(&p.w, ms, &v, 0, NUMBERS_LOKI);
    else
        write_vector(&p.w, ms, &v, 0, NUMBERS_LOKI);
    x->stats.entries = v.n;
    loki_send_data(&p, &x->q, &x->stats);
}

/* A number alone. Loki writes its time in milliseconds, unlike every other one. */
static void answer_scalar(struct asking *x, int64_t time_ns)
{
    struct loki_reply p;
    loki_begin_data(&p, x->r, S("scalar"));
    jw_key(&p.w, S("result"));
    write_scalar(&p.w, time_ns / NS_PER_MS * 1000, logql_scalar(x->query), NUMBERS_LOKI);
    x->stats.entries = 1;
    loki_send_data(&p, &x->q, &x->stats);
}

static void handle_query(struct http_req *r)
{
    const struct api *a = r->arg;
    int64_t at = clock_now(a->clock);
    uint32_t limit;
    bool forward;
    CLEANUP(asking_done) struct asking x;
    if (!asking_begin(&x, r) || !loki_time(r, S("time"), false, &at) || !loki_limit(r, S("limit"), LOKI_LIMIT_DEFAULT, &limit) ||
        !loki_direction(r, &forward) || !asking_query(&x))
        return;
    switch (logql_type(x.query)) {
    case LOGQL_LOGS:
        loki_bad(r, "log queries are not supported as an instant query type, please change your query to a range query type");
        return;
    case LOGQL_SCALAR:
        answer_scalar(&x, at);
        return;
    case LOGQL_METRIC:
        answer_metric(&x, (struct log_steps){ at, NS_PER_MS, 1 }, false);
        return;
    }
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* Loki moves a range out to whole steps since 1970, so that a panel that is drawn again
 * a little later has its points at the same times. */
static struct log_steps steps_of(struct log_span span, int64_t step)
{
    int64_t start = span.start_ns - span.start_ns % step, end = span.end_ns;
    if (end % step)
        end += step - end % step;
    return (struct log_steps){ start, step, (uint32_t)((end - start) / step) + 1 };
}

static void answer_logs(struct asking *x, const struct log_req *req)
{
    struct fault f = { 0 };
    struct log_result res;
    struct loki_reply p;
    struct logql_options opt = loki_options(x->r);
    bool categorized = wants_categories(x->r);
    enum err e = logql_logs(&x->q, x->query, &opt, req, categorized, &res, &f);
    if (e) {
        asking_fail(x, e, &f);
        return;
    }
    loki_begin_data(&p, x->r, S("streams"));
    loki_write_streams(&p.w, &res, categorized);
    x->stats.entries = res.entries;
    x->stats.bytes = res.bytes;
    loki_send_data(&p, &x->q, &x->stats);
}

static void handle_query_range(struct http_req *r)
{
    struct log_span span;
    struct log_req req = { 0 };
    int64_t step;
    CLEANUP(asking_done) struct asking x;
    if (!asking_begin(&x, r) || !loki_span(r, &span) || !loki_step(r, span, &step) ||
        !loki_limit(r, S("limit"), LOKI_LIMIT_DEFAULT, &req.limit) || !loki_direction(r, &req.forward) ||
        !loki_duration(r, S("interval"), &req.interval_ns) || !asking_query(&x))
        return;
    if (logql_type(x.query) != LOGQL_LOGS) {
        answer_metric(&x, steps_of(span, step), true);
        return;
    }
    if (req.limit > LOKI_ENTRIES_MAX) {
        loki_bad(r, "max entries limit per query exceeded, limit > max_entries_limit_per_query (%u > %d)", req.limit, LOKI_ENTRIES_MAX);
        return;
    }
    if (req.interval_ns < 0) {
        loki_bad(r, "interval must be >= 0");
        return;
    }
    req.start_ns = span.start_ns;
    req.end_ns = span.end_ns;
    answer_logs(&x, &req);
}

/* ---- format --------------------------------------------------------------------------------- */

static void handle_format(struct http_req *r)
{
    struct str text = S("");
    struct fault f = { 0 };
    struct loki_reply p;
    CLEANUP(arena_done) struct arena mem;
    CLEANUP(logql_freep) struct logql *query = NULL;
    asked_arena(r->arg, &mem);
    http_param(r, S("query"), &text);
    bool bad = logql_parse(text, &mem, &query, &f) != OK;
    if (bad) {
        struct buf out;
        buf_init(&out, sizeof f.msg * 8);
        struct jw w;
        jw_init(&w, &out);
        jw_obj(&w);
        jw_kv_str(&w, S("status"), S("invalid-query"));
        jw_kv_str(&w, S("error"), str_c(f.msg));
        jw_obj_end(&w);
        http_reply_buf(r, 400, S("application/json; charset=UTF-8"), &out);
        buf_done(&out);
        return;
    }
    loki_begin(&p, r);
    jw_kv_str(&p.w, S("status"), S("success"));
    jw_kv_str(&p.w, S("data"), logql_format(query, &mem));
    loki_send(&p);
}

const struct http_route routes_loki[] = {
    { HTTP_GET | HTTP_POST, "/loki/api/v1/query", handle_query, ROUTE_POOL, "LogQL metrics at one moment" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/query_range", handle_query_range, ROUTE_POOL, "LogQL lines or metrics over a range" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/labels", loki_labels, ROUTE_POOL, "names of stream labels" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/label", loki_labels, ROUTE_POOL, "the same, under its old name" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/label/*/values", loki_label_values, ROUTE_POOL, "values of one stream label" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/series", loki_series, ROUTE_POOL, "streams that match selectors" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/index/stats", loki_index_stats, ROUTE_POOL, "how much a selector would read" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/index/volume", loki_volume, ROUTE_POOL, "bytes by label" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/index/volume_range", loki_volume_range, ROUTE_POOL, "bytes by label over time" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/detected_labels", loki_detected_labels, ROUTE_POOL,
      "stream labels with how many values each has" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/detected_fields", loki_detected_fields, ROUTE_POOL,
      "fields of a query's lines, with type and parser" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/detected_field/*/values", loki_detected_values, ROUTE_POOL, "values of one such field" },
    { HTTP_GET | HTTP_POST, "/loki/api/v1/format_query", handle_format, ROUTE_POOL, "a query in its usual form" },
    { HTTP_GET, "/loki/api/v1/status/buildinfo", loki_buildinfo, ROUTE_LOOP, "version of this program" },
    { HTTP_GET, "/loki/api/v1/drilldown-limits", loki_drilldown_limits, ROUTE_LOOP, "what Logs Drilldown may ask for" },
    { HTTP_GET | HTTP_HEAD, "/ready", loki_ready, ROUTE_LOOP, "200 while queries are answered" },
    { .path = NULL },
};
