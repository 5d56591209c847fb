/* base/base64.h -- RFC 4648, both alphabets on the way in, the standard one on the way out.
 *
 * Owner:    the caller's memory.   Threads: any.
 */
#pragma once
#include "base/arena.h"

static inline size_t base64_size(size_t n) { return (n + 2) / 3 * 4; }
/* Writes base64_size(s.n) bytes, padded; returns how many. */
size_t base64_encode(struct str s, char *out);
struct str base64_text(struct str s, struct arena *mem);
/* With or without padding. Writes at most s.n / 4 * 3 + 2 bytes; false: it is none. */
MUST bool base64_decode(struct str s, char *out, size_t *ret_n);
