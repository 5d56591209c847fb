/* web/web.c -- the room's one object and its routes. */
#include "web/web_int.h"

#include <stdio.h>

#include "base/hash.h"

enum err web_new(const struct api *api, struct web **ret, struct fault *f)
{
    CHECK(api && api->src && api->clock);
    CLEANUP(mem_freep) struct web *w = mem_alloc(sizeof(*w));
    w->api = api;
    enum err e = live_new(api, &w->live, f);
    if (e)
        return e;
    w->etags = mem_alloc(sizeof(*w->etags) * web_nassets);
    for (uint32_t i = 0; i < web_nassets; i++) {
        const struct web_asset *a = &web_assets[i];
        uint64_t h = hash64((struct str){ (const char *)a->data, a->n }, 0);
        snprintf(w->etags[i], sizeof(w->etags[i]), "\"%016llx\"", (unsigned long long)h);
    }
    *ret = TAKE(w);
    return OK;
}

void web_stop(struct web *w)
{
    live_stop(w->live);
}

void web_free(struct web *w)
{
    if (!w)
        return;
    live_free(w->live);
    mem_free(w->etags);
    mem_free(w);
}

static void live_handle(struct http_req *r)
{
    struct web *w = r->arg;
    live_join(w->live, r);
}

const struct http_route routes_web[] = {
    { HTTP_GET, "/api/ccmon/status", status_handle, ROUTE_POOL, "what this server is, holds and listens on" },
    { HTTP_GET, "/api/ccmon/refusals", refusals_handle, ROUTE_POOL,
      "senders that were refused lately (401, 403, and for good 400, 413, 415): where from, why, how often" },
    { HTTP_GET, "/api/ccmon/live", live_handle, ROUTE_LOOP,
      "server-sent events: `tick` after commits, `log` with the newest records; resumes after Last-Event-ID" },
    { HTTP_GET, "/**", static_handle, ROUTE_LOOP, "the web page" },
    { 0 },
};
