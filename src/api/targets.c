/* api/targets.c -- who is scraped and how that goes: Prometheus's endpoints, and our own with
 * what a person wants to know.
 *
 * Everything is written while the scraper's lock is held, into memory; nothing waits meanwhile.
 */
#include "api/targets.h"

#include <stdlib.h>
#include <unistd.h>

#include "api/prom_envelope.h"
#include "api/prom_meta.h"
#include "api/prom_params.h"
#include "base/num.h"
#include "scrape/owner.h"

static const int64_t scrape_wait_ns = 30 * NS_PER_S;
enum { METADATA_MAX = 100000 };

static void write_pairs(struct jw *w, const struct lpair *at, uint32_t n)
{
    jw_obj(w);
    for (uint32_t i = 0; i < n; i++)
        jw_kv_str(w, at[i].name, at[i].value);
    jw_obj_end(w);
}

static void write_time(struct jw *w, struct str key, int64_t ns)
{
    char text[40];
    size_t n = ns ? num_fmt_rfc3339(text, ns) : 0;
    jw_kv_str(w, key, ns ? (struct str){ text, n } : S("0001-01-01T00:00:00Z"));
}

static struct str duration_text(struct arena *mem, int64_t ns)
{
    char text[NUM_DURATION_MAX];
    return arena_str(mem, (struct str){ text, num_fmt_duration(text, ns) });
}

static struct str health_text(enum target_health h)
{
    return h == TARGET_UP ? S("up") : h == TARGET_DOWN ? S("down") : S("unknown");
}

/* The address as other machines know it: a name of this machine instead of localhost. */
static struct str global_url(struct arena *mem, struct str url)
{
    static const struct str local[] = { S("localhost"), S("127.0.0.1"), S("[::1]") };
    char host[256];
    size_t at = str_find(url, S("://"));
    if (at == SIZE_MAX || gethostname(host, sizeof host))
        return url;
    host[sizeof host - 1] = '\0';
    struct str rest = str_sub(url, at + 3, url.n);
    for (size_t i = 0; i < LEN(local); i++)
        if (str_starts(rest, local[i]))
            return arena_fmt(mem, STR_FMT "%s" STR_FMT, STR_ARG(str_sub(url, 0, at + 3)), host, STR_ARG(str_sub(rest, local[i].n, rest.n)));
    return url;
}

/* ---- /api/v1/targets ------------------------------------------------------------------------ */

struct listing {
    struct http_req *r;
    struct jw *w;
    struct str pool;                               /* empty: all */
};

static void write_active(void *arg, const struct target_view *v)
{
    struct listing *l = arg;
    const struct target *t = v->t;
    if (v->empty || (l->pool.n && !str_eq(l->pool, t->job->name)))
        return;
    jw_obj(l->w);
    jw_key(l->w, S("discoveredLabels"));
    write_pairs(l->w, t->discovered, t->ndiscovered);
    jw_key(l->w, S("labels"));
    write_pairs(l->w, t->labels, t->nlabels);
    jw_kv_str(l->w, S("scrapePool"), t->job->name);
    jw_kv_str(l->w, S("scrapeUrl"), t->url);
    jw_kv_str(l->w, S("globalUrl"), global_url(l->r->mem, t->url));
    jw_kv_str(l->w, S("lastError"), str_c(t->shown.error));
    write_time(l->w, S("lastScrape"), t->shown.scraped_ns);
    jw_key(l->w, S("lastScrapeDuration"));
    jw_f64(l->w, (double)t->shown.duration_ns / (double)NS_PER_S);
    jw_kv_str(l->w, S("health"), health_text(t->shown.health));
    jw_kv_str(l->w, S("scrapeInterval"), duration_text(l->r->mem, t->interval_ns));
    jw_kv_str(l->w, S("scrapeTimeout"), duration_text(l->r->mem, t->timeout_ns));
    jw_obj_end(l->w);
}

static void write_dropped(void *arg, const struct dropped_target *d)
{
    struct listing *l = arg;
    if (l->pool.n && !str_eq(l->pool, d->job->name))
        return;
    jw_obj(l->w);
    jw_key(l->w, S("discoveredLabels"));
    write_pairs(l->w, d->labels, d->n);
    jw_kv_str(l->w, S("scrapePool"), d->job->name);
    jw_obj_end(l->w);
}

static void write_count(void *arg, const struct scrape_job *j, uint64_t dropped)
{
    struct listing *l = arg;
    jw_key(l->w, j->name);
    jw_u64(l->w, dropped);
}

void prom_targets(struct http_req *r)
{
    const struct api *a = r->arg;
    struct prom_reply p;
    struct str state = S("");
    struct listing l = { .r = r, .w = &p.w };
    http_param(r, S("state"), &state);
    http_param(r, S("scrapePool"), &l.pool);
    bool any = !state.n || str_eq_nocase(state, S("any"));
    prom_begin(&p, r);
    jw_obj(&p.w);
    jw_key(&p.w, S("activeTargets"));
    jw_arr(&p.w);
    if (a->scraper && (any || str_eq_nocase(state, S("active"))))
        scraper_targets(a->scraper, write_active, &l);
    jw_arr_end(&p.w);
    jw_key(&p.w, S("droppedTargets"));
    jw_arr(&p.w);
    if (a->scraper && (any || str_eq_nocase(state, S("dropped"))))
        scraper_dropped(a->scraper, write_dropped, &l);
    jw_arr_end(&p.w);
    jw_key(&p.w, S("droppedTargetCounts"));
    jw_obj(&p.w);
    if (a->scraper)
        scraper_jobs(a->scraper, write_count, &l);
    jw_obj_end(&p.w);
    jw_obj_end(&p.w);
    prom_send(&p, NULL);
}

/* ---- /api/v1/scrape_pools --------------------------------------------------------------------- */

struct names {
    struct arena *mem;
    struct str *at;
    uint32_t n, cap;
};

static void add_job(void *arg, const struct scrape_job *j, uint64_t dropped)
{
    struct names *s = arg;
    (void)dropped;
    *arena_push(s->mem, s->at, s->n, s->cap) = arena_str(s->mem, j->name);
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void prom_scrape_pools(struct http_req *r)
{
    const struct api *a = r->arg;
    struct names s = { .mem = r->mem };
    struct prom_reply p;
    if (a->scraper)
        scraper_jobs(a->scraper, add_job, &s);
    if (s.n > 1)
        qsort(s.at, s.n, sizeof *s.at, by_text);
    prom_begin(&p, r);
    jw_obj(&p.w);
    jw_key(&p.w, S("scrapePools"));
    jw_arr(&p.w);
    for (uint32_t i = 0; i < s.n; i++)
        jw_str(&p.w, s.at[i]);
    jw_arr_end(&p.w);
    jw_obj_end(&p.w);
    prom_send(&p, NULL);
}

/* ---- /api/v1/targets/metadata ------------------------------------------------------------------- */

struct metadata {
    struct jw *w;
    const struct promql *target;                   /* root NULL: all */
    struct str metric;
    uint64_t limit, n;
    const struct target *t;                        /* whose metadata is written */
};

static void write_meta(void *arg, const struct metric_meta *m)
{
    struct metadata *d = arg;
    if (d->n >= d->limit || (d->metric.n && !str_eq(d->metric, m->name)))
        return;
    d->n++;
    jw_obj(d->w);
    jw_key(d->w, S("target"));
    write_pairs(d->w, d->t->labels, d->t->nlabels);
    if (!d->metric.n)
        jw_kv_str(d->w, S("metric"), m->name);
    jw_kv_str(d->w, S("type"), prom_meta_type(m->type));
    jw_kv_str(d->w, S("help"), m->help);
    jw_kv_str(d->w, S("unit"), m->unit);
    jw_obj_end(d->w);
}

static bool matches(const struct promql *p, const struct target *t)
{
    if (!p->root)
        return true;
    for (uint32_t i = 0; i < p->root->sel.nmatchers; i++)
        if (!matcher_test(&p->root->sel.matchers[i], target_label(t, p->root->sel.matchers[i].label)))
            return false;
    return true;
}

static void write_target_metas(void *arg, const struct target_view *v)
{
    struct metadata *d = arg;
    if (v->empty || !matches(d->target, v->t))
        return;
    d->t = v->t;
    target_metas(&v->t->metas, write_meta, d);
}

void prom_targets_metadata(struct http_req *r)
{
    const struct api *a = r->arg;
    CLEANUP(promql_done) struct promql target = { 0 };
    struct metadata d = { .target = &target };
    struct str text = S("");
    struct fault f = { 0 };
    if (!param_limit(r, S("limit"), &d.limit))
        return;
    if (!d.limit)
        d.limit = METADATA_MAX;
    http_param(r, S("metric"), &d.metric);
    http_param(r, S("match_target"), &text);
    if (text.n && promql_parse_selector(r->mem, text, &target, &f)) {
        prom_bad_data(r, "%s", f.msg);
        return;
    }
    struct prom_reply p;
    prom_begin(&p, r);
    d.w = &p.w;
    jw_arr(&p.w);
    if (a->scraper)
        scraper_targets(a->scraper, write_target_metas, &d);
    jw_arr_end(&p.w);
    if (!d.n) {
        prom_drop(&p);
        prom_fail(r, E_NOTFOUND, S("specified metadata not found"));
        return;
    }
    prom_send(&p, NULL);
}

/* ---- our own ---------------------------------------------------------------------------------------- */

struct page {
    struct http_req *r;
    struct jw *w;
    uint32_t watched;                              /* ports of the default job where nobody is */
    struct port_owners owners;
};

static struct str state_text(const struct target_view *v)
{
    return v->empty ? S("empty") : health_text(v->t->shown.health);
}

/* As text, since JavaScript's numbers end before nanoseconds do; "0": never. */
static void write_ns(struct jw *w, struct str key, int64_t ns)
{
    char text[24];
    jw_kv_str(w, key, (struct str){ text, num_fmt_i64(text, ns) });
}

static void write_owner(struct page *p, const struct target *t)
{
    struct port_owner o;
    jw_key(p->w, S("owner"));
    if (!port_owner_of(&p->owners, t->url, &o)) {
        jw_null(p->w);
        return;
    }
    jw_obj(p->w);
    jw_kv_i64(p->w, S("pid"), o.pid);
    jw_kv_str(p->w, S("name"), str_c(o.name));
    jw_obj_end(p->w);
}

static void write_target(void *arg, const struct target_view *v)
{
    struct page *p = arg;
    const struct target *t = v->t;
    struct jw *w = p->w;
    p->watched += t->optional;
    if (v->empty && t->probe && t->shown.end == FETCH_REFUSED)
        return;                                    /* an empty port among others is nothing to show */
    jw_obj(w);
    jw_kv_str(w, S("job"), t->job->name);
    jw_kv_str(w, S("instance"), target_label(t, S("instance")));
    jw_kv_str(w, S("url"), t->url);
    jw_kv_bool(w, S("default"), t->optional);
    jw_kv_str(w, S("state"), state_text(v));
    jw_kv_bool(w, S("claude_code"), t->shown.is_claude);
    jw_kv_str(w, S("error"), str_c(t->shown.error));
    jw_kv_str(w, S("cure"), target_cure(t, v->empty));
    write_ns(w, S("last_scrape_ns"), t->shown.scraped_ns);
    write_ns(w, S("last_good_ns"), t->shown.good_ns);
    jw_key(w, S("duration_seconds"));
    jw_f64(w, (double)t->shown.duration_ns / (double)NS_PER_S);
    jw_key(w, S("interval_seconds"));
    jw_f64(w, (double)t->interval_ns / (double)NS_PER_S);
    jw_kv_i64(w, S("samples"), t->shown.samples);
    jw_key(w, S("sessions"));
    jw_arr(w);
    for (uint32_t i = 0; i < t->shown.nsessions; i++)
        jw_str(w, str_c(t->shown.sessions[i]));
    jw_arr_end(w);
    write_owner(p, t);
    jw_obj_end(w);
}

void ccmon_targets(struct http_req *r)
{
    const struct api *a = r->arg;
    struct buf out;
    struct jw w;
    struct page p = { .r = r, .w = &w };
    buf_init(&out, 64 << 20);
    jw_init(&w, &out);
    port_owners_read(&p.owners, r->mem);
    jw_obj(&w);
    jw_key(&w, S("targets"));
    jw_arr(&w);
    if (a->scraper)
        scraper_targets(a->scraper, write_target, &p);
    jw_arr_end(&w);
    jw_kv_i64(&w, S("watched_ports"), p.watched);
    jw_key(&w, S("blind"));
    jw_arr(&w);
    for (const struct str *s = targets_blind; s->n; s++)
        jw_str(&w, *s);
    jw_arr_end(&w);
    jw_kv_str(&w, S("mend"), targets_mend);
    jw_obj_end(&w);
    http_reply_buf(r, 200, S("application/json"), &out);
}

void ccmon_scrape(struct http_req *r)
{
    const struct api *a = r->arg;
    bool all = true;
    uint32_t n = a->scraper ? scraper_now(a->scraper, scrape_wait_ns, &all) : 0;
    if (!all) {
        http_reply_error(r, 504, "not every target was scraped in %lld s", (long long)(scrape_wait_ns / NS_PER_S));
        return;
    }
    http_reply(r, 200, S("text/plain; charset=utf-8"), arena_fmt(r->mem, "%u scraped\n", n));
}
