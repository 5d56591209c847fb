/* base/zip.h -- bounded compression: gzip and deflate (libdeflate), zstd, snappy's blocks.
 *
 * Output is appended to `ret`, whose own maximum holds besides `max`; an all-zero
 * buffer gets `max` as its own.
 *
 * Errors:   E_SYNTAX for bad or truncated input, E_LIMIT when the output would
 *           pass `max` (nothing is kept of it then). Compressing into a
 *           buffer that is too small is E_LIMIT.
 * Threads:  any; each thread keeps its own contexts.
 */
#pragma once
#include "base/buf.h"

MUST enum err zip_gunzip(struct str in, size_t max, struct buf *ret, struct fault *f);   /* all members */
/* HTTP's "deflate": zlib's format, or raw where the header is missing. */
MUST enum err zip_inflate(struct str in, size_t max, struct buf *ret, struct fault *f);
MUST enum err zip_gzip(struct str in, int level, struct buf *ret);
MUST enum err zip_zstd(struct str in, int level, struct buf *ret);
MUST enum err zip_unzstd(struct str in, size_t max, struct buf *ret, struct fault *f);
size_t zip_zstd_claim(struct str in);              /* what the first frame says it holds; 0: it does not say */
/* As much of the first frame as is there and can be read, up to `max`; of a frame that is cut
 * short or no frame at all, that is what stands before the cut. For whoever looks into remains. */
void zip_unzstd_some(struct str in, size_t max, struct buf *ret);
/* Into exactly `n` bytes: E_CORRUPT if the frame does not hold just that many. */
MUST enum err zip_unzstd_exact(struct str in, void *out, size_t n, struct fault *f);
/* Snappy's block format, as remote write and Loki's push have it. */
MUST enum err zip_unsnappy(struct str in, size_t max, struct buf *ret, struct fault *f);
MUST enum err zip_snappy(struct str in, struct buf *ret);
