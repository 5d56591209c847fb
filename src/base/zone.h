/* base/zone.h -- time zones: what the clock on a wall says, and when a day begins there.
 *
 * Reads the system's zone files (RFC 9636) as data, so that several zones can be used at
 * once, which the C library's TZ cannot. "UTC" needs no file; "local" is the machine's.
 *
 * Owner:    zone_free().
 * Threads:  immutable after loading; any.
 * Errors:   E_NOTFOUND (no such zone on this machine), E_CORRUPT, E_LIMIT.
 * Units:    Unix seconds; offsets in seconds east of UTC.
 */
#pragma once
#include "base/str.h"

enum { ZONE_FILE_MAX = 1 << 20, ZONE_NAME_MAX = 64 };

struct zone;
MUST enum err zone_load(struct str name, struct zone **ret, struct fault *f);
/* From the bytes of a zone file. */
MUST enum err zone_parse(struct str bytes, struct zone **ret, struct fault *f);
void zone_free(struct zone *z);                    /* NULL is fine */

int32_t zone_offset(const struct zone *z, int64_t unix_s);
/* The first second of a day there: midnight, or where the clock jumps over it, what comes after. */
int64_t zone_day_begin(const struct zone *z, int64_t year, int64_t month, int64_t day);
/* The day there at a moment. */
void zone_date(const struct zone *z, int64_t unix_s, int *ret_y, int *ret_m, int *ret_d);
