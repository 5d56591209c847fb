/* logql/gotime.h -- times in Go's layouts ("2006-01-02 15:04:05.000 MST"), in UTC.
 *
 * Threads: any.
 */
#pragma once
#include "base/buf.h"

void gotime_format(struct buf *b, int64_t unix_ns, struct str layout);
MUST bool gotime_parse(struct str text, struct str layout, int64_t *ret_ns);
