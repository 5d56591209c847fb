/* base/snappy.c -- the wrapper of snappy: its block format, which remote write and
 * Loki's push use. A block begins with the length of what it holds, so that the limit
 * is asked before any memory is.
 */
#include <snappy-c.h>

#include "base/zip.h"

enum { RATIO_MAX = 64 };                           /* a copy of 64 bytes takes two or three; an honest length claims no more */

enum err zip_unsnappy(struct str in, size_t max, struct buf *ret, struct fault *f)
{
    size_t n = 0;
    if (!ret->max)
        buf_init(ret, max);
    if (snappy_uncompressed_length(in.p ? in.p : "", in.n, &n) != SNAPPY_OK || n / RATIO_MAX > in.n)
        return fault_set(f, E_SYNTAX, 0, "snappy: corrupt input");
    if (n > max || n > ret->max - ret->n)
        return fault_set(f, E_LIMIT, 0, "the snappy body would be larger than %zu bytes", max);
    char *room = buf_room(ret, n);
    if (n && !room)
        return fault_set(f, E_LIMIT, 0, "the snappy body would be larger than %zu bytes", max);
    size_t got = n;
    if (snappy_uncompress(in.p ? in.p : "", in.n, room, &got) != SNAPPY_OK || got != n)
        return fault_set(f, E_SYNTAX, 0, "snappy: corrupt input");
    buf_grew(ret, n);
    return OK;
}

enum err zip_snappy(struct str in, struct buf *ret)
{
    size_t n = snappy_max_compressed_length(in.n);
    char *room = buf_room(ret, n);
    if (!room)
        return E_LIMIT;
    CHECK(snappy_compress(in.p ? in.p : "", in.n, room, &n) == SNAPPY_OK);
    buf_grew(ret, n);
    return OK;
}
