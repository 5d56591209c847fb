/* tests/support/fakehttp.h -- handlers without a server: a request goes through the
 * route table, the reply is caught. Defines the http_* functions that handlers call,
 * so link it instead of the http room's.
 *
 * Only query strings and form bodies; replies must be given before the handler returns.
 */
#pragma once
#include "http/http.h"

struct fake_reply {
    int status;                                    /* 404, 405: no route; 0: the handler gave no reply */
    struct buf body;                               /* buf_done() it */
};

/* `target` is path and query as in a request line; `form` may be empty. */
void fake_http(const struct http_route *routes, void *arg, enum http_method method, struct str target, struct str form,
               struct fake_reply *ret);
/* The same with headers, names in lower case. */
void fake_http_with(const struct http_route *routes, void *arg, enum http_method method, struct str target, struct str form,
                    const struct http_header *headers, uint32_t nheaders, struct fake_reply *ret);
