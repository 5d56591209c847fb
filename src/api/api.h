/* api/api.h -- what every endpoint family is given, and the tables it gives.
 *
 * One file per family; a table row is a whole endpoint. r->arg is struct api.
 * Owner:    app/ makes the struct api; it outlives the server.
 * Threads:  read-only while serving, but for the fields that say otherwise.
 */
#pragma once
#include <stdatomic.h>

#include "http/http.h"
#include "ledger/prices.h"
#include "query/query.h"

enum { API_LISTENERS_MAX = 8 };

/* A listener as status pages show it. */
struct api_listener {
    struct str name;                               /* "otlp-http" */
    struct str addr;                               /* "127.0.0.1:4318" */
    struct str problem;                            /* why it is not listening, and what to do; empty: it is */
    atomic_uint guards;                            /* API_TLS and so on; a reload may change it */
};

enum api_guard { API_TLS = 1, API_TOKENS = 2, API_USERS = 4, API_CERTS = 8, API_OPEN = 16 };
struct refusals;                                   /* http/refusals.h */

/* A query that was answered, for whoever keeps a record. The texts live as long as the call. */
struct api_query {
    struct str language, text;                     /* "promql" or "logql" */
    int64_t took_ns, queued_ns;                    /* from its begin; before that */
    uint64_t rows, bytes, chunks;                  /* read */
    struct str error;                              /* empty: it succeeded */
};

struct api {
    struct source *src;
    struct source *settled;                        /* the same with the settled figures (ledger/settled.h), for PromQL; NULL: src */
    struct origins *origins;                       /* query/origins.h; its own lock */
    const struct clock *clock;
    struct query_limits limits;
    bool extrapolate_always;
    int64_t lookback_ns;                           /* 0: 5 minutes, as in Prometheus */
    bool loki_plain;                               /* Loki's answers without what ccmon adds (detected_level) */
    struct refusals *refusals;                     /* who was refused lately; may be NULL */
    const struct prices *prices;                   /* ledger/prices.h */
    struct scraper *scraper;                       /* scrape/scraper.h; NULL: nothing is scraped */
    _Atomic bool open;                                  /* bound beyond loopback without access control: every page says so */
    bool demo;                                     /* what it holds is made up: every page says so */
    int64_t start_ns;
    struct str version, data_dir;
    _Atomic int64_t retention_ns;                  /* 0: forever; a reload may change it */
    struct api_listener listeners[API_LISTENERS_MAX];
    uint32_t nlisteners;
    void (*asked)(void *arg, const struct api_query *x);   /* may be NULL; called on the query's thread after its answer */
    void *asked_arg;
};

extern const struct http_route routes_prometheus[];
extern const struct http_route routes_loki[];
extern const struct http_route routes_accounting[];
/* Answers of the two when more queries wait than may (http_table.on_error). */
void prom_refuse(struct http_req *r, int status, struct str why);
void loki_refuse(struct http_req *r, int status, struct str why);
