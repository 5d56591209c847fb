/* web/web.h -- the page and what it lives on: files from memory, status, live events.
 *
 * Routes:   GET of the built files, of index.html for every other path that is
 *           not an API's (the page routes by itself), /api/ccmon/status,
 *           /api/ccmon/live. The table goes last of a listener's tables: it
 *           answers every path. r->arg is struct web.
 * Owner:    web_new() gives one object; web_free() ends it, after the server's end.
 * Threads:  web_new() starts one thread, which feeds all live streams; web_stop()
 *           ends every stream and joins it, before http_stop() so that a clean
 *           stop need not wait for pages that stay open. Later ones get 503.
 */
#pragma once
#include "api/api.h"

struct web;

MUST enum err web_new(const struct api *api, struct web **ret, struct fault *f);
void web_stop(struct web *w);                      /* twice is fine */
void web_free(struct web *w);                      /* stops it too; NULL is fine */

extern const struct http_route routes_web[];
