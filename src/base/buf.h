/* base/buf.h -- a growing byte buffer with a maximum and a sticky failure.
 *
 * Owner:    buf_init() makes it empty, buf_done() frees; buf_done on all-zero is fine.
 * Threads:  one at a time.
 * Errors:   an append past `max` sets `bad` and drops all further appends;
 *           callers append straight on and ask once at the end.
 */
#pragma once
#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap, max;
    bool bad;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);
void buf_clear(struct buf *b);                     /* n = 0, bad = false; keeps memory */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_byte(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_u64(struct buf *b, uint64_t v);           /* decimal */
void buf_i64(struct buf *b, int64_t v);
void buf_f64(struct buf *b, double v);             /* num_fmt_f64() */
char *buf_room(struct buf *b, size_t n);           /* n writable bytes at the end or NULL; follow with buf_grew */
void buf_grew(struct buf *b, size_t n);
struct str buf_view(const struct buf *b);
