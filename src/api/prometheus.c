/* api/prometheus.c -- /api/v1/query and /api/v1/query_range. */
#include "api/asked.h"
#include "api/prom_envelope.h"
#include "api/prom_meta.h"
#include "api/prom_params.h"
#include "api/prom_stats.h"
#include "query/write.h"

static const int64_t points_default = 11000;

/* The query's text, parsed. False: the request is answered. */
static bool parse_query(struct http_req *r, struct arena *mem, struct promql *ret)
{
    struct str text = S("");
    struct fault f = { 0 };
    http_param(r, S("query"), &text);
    if (!promql_parse(mem, text, ret, &f))
        return true;
    prom_bad_data(r, "invalid parameter \"query\": %s", f.msg);
    return false;
}

static void fail_query(struct http_req *r, const struct query_ctx *q, enum err e, const struct fault *f)
{
    if (e == E_SYNTAX)
        prom_bad_data(r, "invalid parameter \"query\": %s", f->msg);
    else
        prom_fail(r, e, q->error.n ? q->error : str_c(f->msg));
}

/* ---- results --------------------------------------------------------------- */

/* The numbers of a series, or its histograms; no member where there are none. */
static void write_raw(struct jw *w, const struct points *p, bool histograms)
{
    bool any = false;
    for (size_t k = 0; k < p->n; k++) {
        const struct histogram *h = p->h ? p->h[k] : NULL;
        if ((h != NULL) != histograms)
            continue;
        if (!any) {
            jw_key(w, histograms ? S("histograms") : S("values"));
            jw_arr(w);
            any = true;
        }
        if (h)
            write_hist(w, p->t[k], h);
        else
            write_scalar(w, p->t[k], p->v[k], NUMBERS_PROMETHEUS);
    }
    if (any)
        jw_arr_end(w);
}

static void write_points(struct jw *w, const struct pointset *set, uint64_t limit)
{
    jw_arr(w);
    for (uint32_t i = 0; i < set->n && (!limit || i < limit); i++) {
        const struct points *p = &set->at[i];
        jw_obj(w);
        jw_key(w, S("metric"));
        write_labels(w, p->labels);
        write_raw(w, p, false);
        write_raw(w, p, true);
        jw_obj_end(w);
    }
    jw_arr_end(w);
}

static void write_instant(struct jw *w, const struct promql_result *res, uint64_t limit)
{
    static const struct { struct str name; } types[] = {
        [T_SCALAR] = { S("scalar") }, [T_VECTOR] = { S("vector") }, [T_MATRIX] = { S("matrix") },
        [T_STRING] = { S("string") },
    };
    jw_kv_str(w, S("resultType"), types[res->type].name);
    jw_key(w, S("result"));
    switch (res->type) {
    case T_SCALAR:
        write_scalar(w, res->steps.start_ms, res->scalar, NUMBERS_PROMETHEUS);
        break;
    case T_STRING:
        jw_arr(w);
        write_time(w, res->steps.start_ms);
        jw_str(w, res->string);
        jw_arr_end(w);
        break;
    case T_MATRIX:
        write_points(w, &res->points, limit);
        break;
    default:
        write_vector(w, res->steps, &res->vec, limit, NUMBERS_PROMETHEUS);
    }
}

/* How many series a result has, for the note that some are left out. */
static uint64_t series_of(const struct promql_result *res)
{
    return res->points.n ? res->points.n : res->vec.n;
}

static void answer(struct http_req *r, struct query_ctx *q, const struct promql_result *res, bool range, uint64_t limit)
{
    struct prom_reply p;
    bool stats = prom_stats_wanted(r);
    if (limit && series_of(res) > limit)
        query_note(q, true, "results truncated due to limit");
    prom_begin(&p, r);
    jw_obj(&p.w);
    if (range) {
        jw_kv_str(&p.w, S("resultType"), S("matrix"));
        jw_key(&p.w, S("result"));
        write_matrix(&p.w, res->steps, &res->vec, limit, NUMBERS_PROMETHEUS);
    } else {
        write_instant(&p.w, res, limit);
    }
    if (stats)
        prom_stats_write(&p.w, q, res->steps);
    jw_obj_end(&p.w);
    prom_send(&p, q);
}

/* ---- handlers -------------------------------------------------------------- */

static void run(struct http_req *r, const struct promql_time *t, uint64_t limit)
{
    const struct api *a = r->arg;
    CLEANUP(arena_done) struct arena mem;
    CLEANUP(promql_done) struct promql query = { 0 };
    struct query_ctx q;
    struct promql_result res;
    struct fault f = { 0 };
    asked_arena(a, &mem);
    if (!param_context(r, &mem, &q) || !parse_query(r, &mem, &query))
        return;
    struct str text = arena_str(&mem, query.text), error = S("");
    prom_stats_prepare(r, &q, t);
    enum err e = promql_eval(&q, &query, t, &res, &f);
    if (e) {
        error = q.error.n ? q.error : str_c(f.msg);
        fail_query(r, &q, e, &f);
    } else {
        answer(r, &q, &res, !promql_is_instant(t), limit);
    }
    asked_end(a, &q, S("promql"), text, error);
}

static void handle_query(struct http_req *r)
{
    const struct api *a = r->arg;
    uint64_t limit;
    int64_t at = clock_now(a->clock) / NS_PER_MS;
    if (!param_limit(r, S("limit"), &limit) || !param_time(r, S("time"), &at))
        return;
    run(r, &(struct promql_time){ at, at, 0 }, limit);
}

static bool range_of(struct http_req *r, struct promql_time *t)
{
    const struct api *a = r->arg;
    struct str text;
    static const struct str names[] = { S("start"), S("end") };
    int64_t *times[] = { &t->start_ms, &t->end_ms };
    for (size_t i = 0; i < LEN(names); i++) {
        if (!http_param(r, names[i], &text) || !text.n) {
            prom_bad_data(r, "invalid parameter \"" STR_FMT "\": cannot parse \"\" to a valid timestamp",
                          STR_ARG(names[i]));
            return false;
        }
        if (!param_time(r, names[i], times[i]))
            return false;
    }
    if (t->end_ms < t->start_ms) {
        prom_bad_data(r, "invalid parameter \"end\": end timestamp must not be before start time");
        return false;
    }
    text = S("");
    http_param(r, S("step"), &text);
    if (!read_duration(text, &t->step_ms)) {
        prom_bad_data(r, "invalid parameter \"step\": cannot parse \"" STR_FMT "\" to a valid duration",
                      STR_ARG(str_sub(text, 0, 100)));
        return false;
    }
    if (t->step_ms <= 0) {
        prom_bad_data(r, "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. "
                         "Try a positive integer");
        return false;
    }
    int64_t most = a->limits.points_max ? (int64_t)a->limits.points_max : points_default;
    if ((t->end_ms - t->start_ms) / t->step_ms > most) {
        prom_bad_data(r, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                         "resolution (?step=XX)");
        return false;
    }
    return true;
}

static void handle_query_range(struct http_req *r)
{
    struct promql_time t;
    uint64_t limit;
    if (param_limit(r, S("limit"), &limit) && range_of(r, &t))
        run(r, &t, limit);
}

const struct http_route routes_prometheus[] = {
    { HTTP_GET | HTTP_POST, "/api/v1/query", handle_query, ROUTE_POOL, "PromQL at one moment" },
    { HTTP_GET | HTTP_POST, "/api/v1/query_range", handle_query_range, ROUTE_POOL, "PromQL over a range of steps" },
    { HTTP_GET | HTTP_POST, "/api/v1/labels", prom_labels, ROUTE_POOL, "label names" },
    { HTTP_GET, "/api/v1/label/*/values", prom_label_values, ROUTE_POOL, "values of one label" },
    { HTTP_GET | HTTP_POST, "/api/v1/series", prom_series, ROUTE_POOL, "series that match selectors" },
    { HTTP_GET, "/api/v1/metadata", prom_metadata, ROUTE_POOL, "type, help and unit of metrics" },
    { HTTP_GET, "/api/v1/targets", prom_targets, ROUTE_LOOP, "scrape targets" },
    { HTTP_GET, "/api/v1/targets/metadata", prom_targets_metadata, ROUTE_POOL, "type, help and unit of metrics, by target" },
    { HTTP_GET, "/api/v1/scrape_pools", prom_scrape_pools, ROUTE_LOOP, "names of scrape jobs" },
    { HTTP_GET, "/api/ccmon/targets", ccmon_targets, ROUTE_POOL, "scrape targets in words: state, what to do, what scraping cannot see" },
    { HTTP_POST | HTTP_PUT, "/-/scrape", ccmon_scrape, ROUTE_POOL, "scrapes every target now and waits for it" },
    { HTTP_GET | HTTP_POST, "/api/v1/format_query", prom_format_query, ROUTE_POOL, "a query, printed in the usual form" },
    { HTTP_GET | HTTP_POST, "/api/v1/parse_query", prom_parse_query, ROUTE_POOL, "the tree of a query" },
    { HTTP_GET | HTTP_POST, "/api/v1/query_exemplars", prom_exemplars, ROUTE_POOL, "none: exemplars are not kept" },
    { HTTP_GET, "/api/v1/rules", prom_fixed, ROUTE_LOOP, "recording and alerting rules" },
    { HTTP_GET, "/api/v1/alerts", prom_fixed, ROUTE_LOOP, "active alerts" },
    { HTTP_GET, "/api/v1/alertmanagers", prom_fixed, ROUTE_LOOP, "alert managers" },
    { HTTP_GET, "/api/v1/notifications", prom_fixed, ROUTE_LOOP, "notices of the server" },
    { HTTP_GET, "/api/v1/status/walreplay", prom_fixed, ROUTE_LOOP, "progress of the log's replay: done" },
    { HTTP_GET, "/api/v1/status/config", prom_fixed, ROUTE_LOOP, "the envelope of Prometheus's configuration, empty" },
    { HTTP_GET, "/api/v1/status/runtimeinfo", prom_runtimeinfo, ROUTE_LOOP, "start time, data directory, retention" },
    { HTTP_GET, "/api/v1/status/flags", prom_flags, ROUTE_LOOP, "settings under the names of Prometheus's flags" },
    { HTTP_POST | HTTP_PUT, "/api/v1/admin/tsdb/*", prom_admin, ROUTE_LOOP, "refused, with what to use instead" },
    { HTTP_GET, "/api/v1/status/buildinfo", prom_buildinfo, ROUTE_LOOP, "version of this program" },
    { HTTP_POST, "/api/v1/read", prom_read, ROUTE_POOL | ROUTE_SNAPPY, "Prometheus's remote read, answered with samples" },
    { HTTP_GET, "/federate", prom_federate, ROUTE_POOL, "newest samples in the text form, for another Prometheus" },
    { HTTP_GET | HTTP_HEAD, "/-/healthy", prom_healthy, ROUTE_LOOP, "200 while the process runs" },
    { HTTP_GET | HTTP_HEAD, "/-/ready", prom_ready, ROUTE_LOOP, "200 when queries are answered" },
    { .path = NULL },
};
