/* app/app.h -- the program put together: the one room that knows all.
 *
 * Owner:    serve() makes it, runs it and takes it apart, in one visible list.
 * Threads:  the main thread starts, waits for signals and stops; app_reload may
 *           also be called from a request.
 */
#pragma once
#include <pthread.h>

#include "api/api.h"
#include "app/audit.h"
#include "app/backup.h"
#include "app/config.h"
#include "app/erase.h"
#include "base/latency.h"
#include "ledger/settled.h"
#include "otlp/receive.h"
#include "push/push.h"
#include "scrape/scraper.h"
#include "store/store.h"
#include "web/web.h"

/* tight.c: the store's sizes by CCMON_TIGHT, for tests: "flush_rows=50 tick_ms=100" makes in
 * seconds what otherwise takes days. An unknown name is refused. */
MUST enum err app_tight(struct store_config *c, struct fault *f);

/* How `serve` was called: what the command line set, before any file is read. */
struct app;
struct options {
    const char *config_path;                       /* --config or --prometheus.config.file */
    bool prometheus_file;
    const char *web_config_path;                   /* --web.config.file; may be NULL */
    struct {
        struct str key, text;
    } set[32];                                     /* keys of config.h, in the order given */
    uint32_t nset;

    /* For verbs that serve and do more (`demo`); may be NULL. `started` runs once all listens and
     * before "ready" is printed, `stopping` before anything is stopped. */
    enum err (*started)(struct app *a, void *arg, struct fault *f);
    void (*stopping)(struct app *a, void *arg);
    void *hook_arg;
};

/* What was asked in one language since the start. */
struct app_asked {
    atomic_ullong answered, failed, rows, bytes;
    struct latency took;
};

struct app {
    const struct options *options;
    struct app_asked asked[2];                     /* PromQL, LogQL */
    struct refusals *refusals;
    struct audit *audit;
    pthread_mutex_t refused_lock;                  /* of the two below */
    int64_t refused_minute_ns;
    uint32_t refused_words;
    struct config cfg;
    struct store *store;
    struct backup_job *backup;
    struct prices *prices;
    struct settled *settled;
    struct http_server *http;
    struct privacy_slot privacy;                   /* what every receiver leaves out */
    struct scraper *scraper;
    struct otlp_receiver otlp;
    struct push_receiver push;
    struct api api;
    struct web *web;
    struct str page_url;                           /* empty: no page */
    pthread_mutex_t reload_lock;                   /* held while a reload runs */
};

/* Exit codes: 0 stopped cleanly, 1 could not start, 2 wrong command line or configuration. */
int app_serve(const struct options *o);

/* defaults < file < environment < command line. */
MUST enum err app_config(const struct options *o, struct config *ret, struct fault *f);
/* Reads the configuration again; a bad one leaves the old one running. */
MUST enum err app_reload(struct app *a, struct fault *f);
/* A listener's address as a person on this machine calls it; before threads run, or read
 * from app.page_url afterwards. */
struct str app_url(struct app *a, struct str addr);
struct frame_decoder app_frame_decoder(void);       /* of every kind of frame, for the store */
MUST enum err app_listen(struct app *a, struct fault *f);

/* protect.c: tokens, users and TLS of this configuration from now on. */
MUST enum err app_tls_check(const struct config *c, struct fault *f);   /* can every listener's certificate be used? */
MUST enum err app_protect(struct app *a, const struct config *c, struct fault *f);
/* Would a listener, bound where it is, be left without any? */
MUST bool app_protect_fits(struct app *a, const struct config *c, struct fault *f);

/* private.c: the rules of this configuration, or NULL. The caller owns them. */
MUST enum err app_private(const struct config *c, struct str data, struct privacy **ret, struct fault *f);

/* queries.c: for struct api; `arg` is struct app. */
void app_asked(void *arg, const struct api_query *x);

/* refused.c: for http_config and the receiver; `arg` is struct app. */
void app_refused_request(void *arg, const struct http_refusal *r);
void app_refused_peer(void *arg, struct str listener, struct str peer, int status, const char *why);
void app_refused_otlp(void *arg, const struct http_req *r, int status, struct str why);

extern const struct http_route routes_admin[], routes_metrics[];   /* r->arg is struct app */

/* Every route there is, as docs/api.md shows it. */
void app_describe_routes(struct buf *out);
