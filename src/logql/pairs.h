/* logql/pairs.h -- the key=value pairs of a line (parse_logfmt.c).
 *
 * Owner: texts borrow from the line or live in `mem`.   Threads: one.
 */
#pragma once
#include "base/arena.h"

struct pairs {
    struct str in;
    size_t at;
    struct arena *mem;
    struct str key, value;
    struct str error;                              /* of the newest malformed pair */
};

bool pairs_end(const struct pairs *p);
/* The next pair; false: there is none here, though there may be more behind. */
bool pairs_next(struct pairs *p);
