/* app/reload.c -- the configuration read again, by SIGHUP or POST /-/reload.
 *
 * The new file is read and checked as a whole before anything changes; what can
 * change while running does, the rest is named in the log.
 */
#include <string.h>

#include "app/app.h"

static void warn(const char *text)
{
    log_line(LOG_WARN, "%s", text);
}

enum err app_config(const struct options *o, struct config *ret, struct fault *f)
{
    enum err e = OK;
    config_init(ret);
    if (o->config_path)
        e = config_read_file(ret, o->config_path, o->prometheus_file, warn, f);
    if (!e && o->web_config_path)
        e = access_read_web_file(ret, o->web_config_path, warn, f);
    if (!e)
        e = config_env(ret, f);
    for (uint32_t i = 0; !e && i < o->nset; i++)
        e = config_set(ret, o->set[i].key, o->set[i].text, f);
    if (!e)
        e = config_check(ret, f);
    if (e)
        config_done(ret);
    return e;
}

static void apply(struct app *a, const struct config *fresh, struct privacy *rules)
{
    privacy_slot_set(&a->privacy, rules);
    log_set_level((enum log_level)fresh->log_level);
    a->cfg.log_level = fresh->log_level;
    struct retention keep = config_retention(fresh);
    int64_t longest = config_longest_ns(fresh);
    a->cfg.retention_ns = fresh->retention_ns;
    memcpy(a->cfg.keep_ns, fresh->keep_ns, sizeof a->cfg.keep_ns);
    a->cfg.keep_content_ns = fresh->keep_content_ns;
    a->cfg.keep_bytes = fresh->keep_bytes;
    atomic_store(&a->otlp.retention_ns, longest);
    atomic_store(&a->push.retention_ns, longest);
    atomic_store(&a->api.retention_ns, longest);
    store_set_retentions(a->store, &keep);
    scraper_set_retention(a->scraper, keep.age_ns[TABLE_SAMPLE]);
    struct fault f = { 0 };
    if (scraper_apply(a->scraper, fresh->scrape, fresh->scrape_default, &f))
        log_line(LOG_ERROR, "scraping goes on as before: %s", f.msg);
}

enum err app_reload(struct app *a, struct fault *f)
{
    struct config fresh;
    pthread_mutex_lock(&a->reload_lock);
    struct privacy *rules = NULL;
    enum err e = app_config(a->options, &fresh, f);
    if (!e) {
        e = app_private(&fresh, a->cfg.data, &rules, f);
        if (e)
            config_done(&fresh);
    }
    if (!e) {
        e = app_protect_fits(a, &fresh, f) ? app_protect(a, &fresh, f) : E_SYNTAX;
        if (e) {
            privacy_unref(rules);
            config_done(&fresh);
        }
    }
    if (!e) {
        CLEANUP(buf_done) struct buf names;
        buf_init(&names, 4096);
        config_diff(&a->cfg, &fresh, &names);
        apply(a, &fresh, rules);
        if (names.n)
            log_line(LOG_WARN, "configuration reloaded; these take effect at the next start: " STR_FMT, STR_ARG(buf_view(&names)));
        else
            log_line(LOG_INFO, "configuration reloaded");
        config_done(&fresh);
    }
    pthread_mutex_unlock(&a->reload_lock);
    return e;
}

static void handle_reload(struct http_req *r)
{
    struct fault f = { 0 };
    if (app_reload(r->arg, &f)) {
        log_line(LOG_ERROR, "reload refused, the old configuration stays: %s", f.msg);
        http_reply_error(r, 500, "failed to reload config: %s", f.msg);
        return;
    }
    http_reply(r, 200, S("text/plain; charset=utf-8"), S(""));
}

const struct http_route routes_admin[] = {
    { HTTP_POST | HTTP_PUT, "/-/reload", handle_reload, ROUTE_POOL, "Reads the configuration file again." },
    { 0 },
};
