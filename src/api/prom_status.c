/* api/prom_status.c -- what Prometheus's own pages, promtool and Grafana ask beside queries:
 * rules and alerts, exemplars, the state of the server.
 *
 * Rules, alert managers, exemplars and notifications are lists that hold nothing as long
 * as nothing makes any; exemplars are not kept on arrival. Their parameters are checked
 * all the same, so that a client with a broken query is told.
 */
#include "api/prom_envelope.h"
#include "api/prom_meta.h"
#include "api/prom_params.h"
#include "base/num.h"

/* What these answers are where there is nothing to show; a row is an endpoint. */
static const struct { const char *path; struct str data; } fixed[] = {
    { "/api/v1/rules", S("{\"groups\":[]}") },
    { "/api/v1/alerts", S("{\"alerts\":[]}") },
    { "/api/v1/alertmanagers", S("{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}") },
    { "/api/v1/notifications", S("[]") },
    { "/api/v1/status/walreplay", S("{\"min\":0,\"max\":0,\"current\":0,\"state\":\"done\"}") },
    { "/api/v1/status/config", S("{\"yaml\":\"\"}") },
};

void prom_fixed(struct http_req *r)
{
    for (size_t i = 0; i < LEN(fixed); i++)
        if (str_eq(r->path, str_c(fixed[i].path))) {
            prom_json(r, fixed[i].data);
            return;
        }
    prom_fail(r, E_NOTFOUND, S("no such endpoint"));
}

/* Grafana probes with times in milliseconds, which are far away but valid. */
void prom_exemplars(struct http_req *r)
{
    CLEANUP(promql_done) struct promql query = { 0 };
    struct str text = S("");
    struct fault f = { 0 };
    int64_t start = 0, end = 0;
    if (!param_time(r, S("start"), &start) || !param_time(r, S("end"), &end))
        return;
    if (end < start) {
        prom_bad_data(r, "invalid parameter \"end\": end timestamp must not be before start timestamp");
        return;
    }
    http_param(r, S("query"), &text);
    if (promql_parse(r->mem, text, &query, &f))
        prom_bad_data(r, "%s", f.msg);
    else
        prom_json(r, S("[]"));
}

static struct str time_text(struct http_req *r, int64_t ns)
{
    char text[40];
    return arena_str(r->mem, (struct str){ text, num_fmt_rfc3339(text, ns) });
}

static struct str retention_text(struct http_req *r, int64_t ns)
{
    char text[NUM_DURATION_MAX];
    return ns ? arena_str(r->mem, (struct str){ text, num_fmt_duration(text, ns) }) : S("forever");
}

void prom_runtimeinfo(struct http_req *r)
{
    struct api *a = r->arg;
    struct prom_reply p;
    prom_begin(&p, r);
    jw_obj(&p.w);
    jw_kv_str(&p.w, S("startTime"), time_text(r, a->start_ns));
    jw_kv_str(&p.w, S("CWD"), a->data_dir);
    jw_kv_str(&p.w, S("hostname"), S(""));
    jw_kv_str(&p.w, S("serverTime"), time_text(r, clock_now(a->clock)));
    jw_kv_bool(&p.w, S("reloadConfigSuccess"), true);
    jw_kv_str(&p.w, S("lastConfigTime"), time_text(r, a->start_ns));
    jw_kv_i64(&p.w, S("corruptionCount"), 0);
    jw_kv_i64(&p.w, S("goroutineCount"), 0);
    jw_kv_i64(&p.w, S("GOMAXPROCS"), 0);
    jw_kv_i64(&p.w, S("GOMEMLIMIT"), 0);
    jw_kv_str(&p.w, S("GOGC"), S(""));
    jw_kv_str(&p.w, S("GODEBUG"), S(""));
    jw_kv_str(&p.w, S("storageRetention"), retention_text(r, atomic_load(&a->retention_ns)));
    jw_obj_end(&p.w);
    prom_send(&p, NULL);
}

/* Under the names of Prometheus's flags, those that have a meaning here. */
void prom_flags(struct http_req *r)
{
    struct api *a = r->arg;
    struct prom_reply p;
    char text[NUM_DURATION_MAX];
    int64_t lookback = a->lookback_ns ? a->lookback_ns : 5 * 60 * NS_PER_S;
    prom_begin(&p, r);
    jw_obj(&p.w);
    jw_kv_str(&p.w, S("query.lookback-delta"), (struct str){ text, num_fmt_duration(text, lookback) });
    jw_kv_str(&p.w, S("query.max-samples"), arena_fmt(r->mem, "%llu", (unsigned long long)a->limits.samples_max));
    jw_kv_str(&p.w, S("storage.tsdb.path"), a->data_dir);
    jw_kv_str(&p.w, S("storage.tsdb.retention.time"), retention_text(r, atomic_load(&a->retention_ns)));
    jw_kv_str(&p.w, S("web.enable-admin-api"), S("false"));
    jw_kv_str(&p.w, S("web.enable-lifecycle"), S("true"));
    jw_kv_str(&p.w, S("web.enable-remote-write-receiver"), S("true"));
    jw_obj_end(&p.w);
    prom_send(&p, NULL);
}

/* Erasing has no half-way here: it is a verb of the program, which rewrites every file. */
void prom_admin(struct http_req *r)
{
    prom_fail(r, E_UNAVAILABLE, S("admin APIs disabled: use `ccmon erase` to delete data and `ccmon backup` for a snapshot"));
}
