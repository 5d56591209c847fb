/* api/prom_envelope.h -- {"status": ..., "data": ...}, the form of Prometheus's API.
 *
 * Owner:    prom_begin() makes the buffer, prom_send() or prom_fail() ends it; one
 *           of the two must follow.
 * Threads:  the handler's.
 */
#pragma once
#include "api/api.h"
#include "base/jw.h"

struct prom_reply {
    struct http_req *r;
    struct buf out;
    struct jw w;
};

/* Opens the envelope up to the value of "data", which the caller writes. */
void prom_begin(struct prom_reply *p, struct http_req *r);
/* Closes it, with warnings and infos of q (may be NULL), and answers. */
void prom_send(struct prom_reply *p, const struct query_ctx *q);
/* Gives up an answer that was begun. */
void prom_drop(struct prom_reply *p);

/* An error: E_SYNTAX is bad_data 400, E_EXEC and E_LIMIT execution 422, a passed
 * deadline timeout 503, a client that left canceled 499, all else internal 500. */
void prom_fail(struct http_req *r, enum err e, struct str text);
void prom_bad_data(struct http_req *r, const char *fmt, ...) PRINTF(2, 3);
/* {"status":"success","data":<json>} */
void prom_json(struct http_req *r, struct str json);
