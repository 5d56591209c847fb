/* http/route.h -- from a path to the row of a table; and what percent signs mean.
 *
 * Owner:    results live in the arena given.
 * Threads:  any.
 */
#pragma once
#include "http/http.h"

struct route_match {
    const struct http_table *table;                /* NULL: nothing has this path */
    const struct http_route *route;                /* NULL beside a table: not with this method */
    const struct str *wild;
    uint32_t nwild;
    uint32_t allowed;                              /* methods that the path has; set when route is NULL */
};

/* Malformed percent signs in the path, or too many segments, match nothing. */
struct route_match route_find(const struct http_table *tables, uint32_t ntables, enum http_method method,
                              struct str raw_path, struct arena *mem);

/* "GET, HEAD, POST" */
struct str route_allow(uint32_t methods, struct arena *mem);

/* Decodes %XX; `plus`: also '+' to a blank. False at a malformed one, unless `lenient`, which
 * leaves it as it is (as browsers do). Without anything to decode *ret is `s` itself. */
MUST bool percent_decode(struct str s, bool plus, bool lenient, struct arena *mem, struct str *ret);
