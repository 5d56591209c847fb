/* base/utf8.h -- UTF-8 as Unicode defines it: no surrogates, no overlong forms.
 *
 * Owner:    nothing. Threads: any. Invalid input is never an error here; each
 *           invalid byte counts as one U+FFFD, as in Go.
 */
#pragma once
#include "base/str.h"

#define UTF8_REPLACEMENT S("\xef\xbf\xbd")

/* Bytes of the valid sequence at s.p[at], or 0 if it is not valid. */
size_t utf8_step(struct str s, size_t at);
bool utf8_valid(struct str s);
size_t utf8_encode(char out[4], uint32_t code_point);   /* a surrogate becomes U+FFFD */
