/* api/loki_status.c -- readiness, version, and the limits that clients read first. */
#include "api/loki_meta.h"
#include "api/loki_write.h"

#include "logql/text.h"

void loki_ready(struct http_req *r)
{
    http_reply(r, 200, S("text/plain; charset=utf-8"), S("ready\n"));
}

/* Clients look at the version to see what they may ask for. */
void loki_buildinfo(struct http_req *r)
{
    const struct api *a = r->arg;
    struct loki_reply p;
    loki_begin(&p, r);
    jw_kv_str(&p.w, S("version"), arena_fmt(r->mem, "3.6.0+ccmon." STR_FMT, STR_ARG(a->version)));
    jw_kv_str(&p.w, S("revision"), a->version);
    jw_kv_str(&p.w, S("branch"), S("ccmon"));
    jw_kv_str(&p.w, S("buildUser"), S(""));
    jw_kv_str(&p.w, S("buildDate"), S(""));
    jw_kv_str(&p.w, S("goVersion"), S(""));
    loki_send(&p);
}

static void put_duration(struct jw *w, struct str key, int64_t ns)
{
    struct buf b;
    buf_init(&b, 64);
    text_put_range(&b, ns);
    jw_kv_str(w, key, buf_view(&b));
    buf_done(&b);
}

static void put_list(struct jw *w, struct str key, const struct str *at, uint32_t n)
{
    jw_key(w, key);
    loki_write_list(w, at, n);
}

/* What Logs Drilldown asks when it starts; without an answer it shows nothing. */
void loki_drilldown_limits(struct http_req *r)
{
    static const struct str service[] = { S("service_name") }, levels[] = { S("level"), S("severity"), S("severity_text") };
    const struct api *a = r->arg;
    struct loki_reply p;
    loki_begin(&p, r);
    jw_key(&p.w, S("limits"));
    jw_obj(&p.w);
    jw_kv_bool(&p.w, S("discover_log_levels"), !a->loki_plain);
    put_list(&p.w, S("discover_service_name"), service, LEN(service));
    put_list(&p.w, S("log_level_fields"), levels, LEN(levels));
    jw_kv_i64(&p.w, S("max_entries_limit_per_query"), LOKI_ENTRIES_MAX);
    jw_kv_i64(&p.w, S("max_query_series"), (int64_t)a->limits.series_max);
    put_duration(&p.w, S("max_query_length"), 0);
    put_duration(&p.w, S("max_query_lookback"), 0);
    put_duration(&p.w, S("max_query_range"), 0);
    put_duration(&p.w, S("query_timeout"), a->limits.timeout_ns ? a->limits.timeout_ns : 60 * NS_PER_S);
    put_duration(&p.w, S("retention_period"), a->retention_ns);
    jw_kv_bool(&p.w, S("volume_enabled"), true);
    jw_kv_i64(&p.w, S("volume_max_series"), 1000);
    jw_kv_bool(&p.w, S("metric_aggregation_enabled"), false);
    jw_kv_bool(&p.w, S("pattern_persistence_enabled"), false);
    jw_obj_end(&p.w);
    jw_kv_bool(&p.w, S("pattern_ingester_enabled"), false);
    jw_kv_str(&p.w, S("version"), arena_fmt(r->mem, "3.6.0+ccmon." STR_FMT, STR_ARG(a->version)));
    loki_send(&p);
}
