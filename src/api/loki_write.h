/* api/loki_write.h -- answers in Loki's forms.
 *
 * Threads: one. Errors are the buffer's; loki_send() turns them into a reply.
 */
#pragma once
#include "api/loki_params.h"
#include "base/jw.h"

/* What the statistics of an answer say. */
struct loki_stats {
    uint64_t entries, bytes;                       /* returned lines; bytes of lines looked at */
};

struct loki_reply {
    struct http_req *r;
    struct buf out;
    struct jw w;
};

/* An object is open. */
void loki_begin(struct loki_reply *p, struct http_req *r);
/* Closes it and replies. */
void loki_send(struct loki_reply *p);

/* "status": "success", "data": {"resultType": type, ... and an open object */
void loki_begin_data(struct loki_reply *p, struct http_req *r, struct str type);
void loki_send_data(struct loki_reply *p, const struct query_ctx *q, const struct loki_stats *s);

void loki_write_streams(struct jw *w, const struct log_result *res, bool categorized);
void loki_write_list(struct jw *w, const struct str *at, uint32_t n);
