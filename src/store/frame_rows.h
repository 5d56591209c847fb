/* store/frame_rows.h -- a frame of the log that the store made itself, of rows and not of a
 * request: what is left of one that also brought rows of somebody who was erased.
 *
 * Threads:  any.
 * Errors:   E_SYNTAX: not what frame_rows_put() made; E_LIMIT.
 */
#pragma once
#include "base/buf.h"
#include "model/sink.h"

/* The batch without its rows of VERDICT_ERASED. */
void frame_rows_put(const struct batch *b, struct buf *out);
/* Decodes any frame: this kind here, the others by `d`. */
MUST enum err frame_decode(const struct frame_decoder *d, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns,
                           struct arena *mem, struct batch *ret, struct fault *f);
