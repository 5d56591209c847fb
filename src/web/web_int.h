/* web/web_int.h -- what the files of this room share.
 *
 * Owner:    struct web owns all of it.
 * Threads:  see each part; assets never change.
 */
#pragma once
#include <pthread.h>

#include "base/jw.h"
#include "web/web.h"

/* ---- assets.c, made by embed.c from dist/ ---- */

struct web_asset {
    const char *path;                              /* "/assets/app-1A2B3C4D.js" */
    const char *type;
    const unsigned char *data;
    uint32_t n;
    uint32_t raw_n;                                /* packed: bytes before gzip */
    bool packed;                                   /* data is gzip */
    bool hashed;                                   /* the name changes with the content */
};

extern const struct web_asset web_assets[];
extern const uint32_t web_nassets;

/* ---- static.c ---- */

void static_handle(struct http_req *r);            /* any path */

/* ---- status.c ---- */

void status_handle(struct http_req *r);
void status_write(const struct api *api, struct jw *w);
void web_put_ns(struct jw *w, struct str key, int64_t ns);  /* as a string */

/* ---- refusals.c ---- */

void refusals_handle(struct http_req *r);
void refusals_write(const struct api *api, struct jw *w);  /* the latest, as "refused_senders" of an open object */

/* ---- records.c ---- */

enum {
    LIVE_RECORDS_MAX = 200,                        /* of one batch; the page shows no more */
    LIVE_BATCH_BYTES_MAX = 96 << 10,               /* two batches and a tick fit a stream's backlog */
    LIVE_VALUE_MAX = 256,                          /* of one field; the whole is a query away */
    LIVE_LINE_MAX = 1024,
    LIVE_COLUMNS_MAX = 256,                        /* of one record */
};

/* A place in the order of arrival. */
struct live_mark {
    uint64_t seq;
    int64_t recv_ns;
};

/* Writes the newest records that arrived after `after` as the JSON array
 * "records" and the number of others as "cut" into an open object; *last becomes
 * the greatest sequence seen, if that is greater. Returns whether there were any.
 * A scan that fails half-way counts as one more that was cut. */
bool records_write(const struct api *api, struct live_mark after, struct arena *mem, struct jw *w, uint64_t *last);

/* ---- live.c ---- */

struct live;
MUST enum err live_new(const struct api *api, struct live **ret, struct fault *f);
void live_stop(struct live *l);
void live_free(struct live *l);
void live_join(struct live *l, struct http_req *r); /* answers it with an open stream, or 503 */

/* ---- web.c ---- */

struct web {
    const struct api *api;
    struct live *live;
    char (*etags)[24];                             /* of each asset: "\"0123456789abcdef\"" */
};
