/* scrape/write.h -- a scrape's frame handed to the sink, waited for with a bound.
 *
 * Owner:    everything of the write lives in memory of its own, since the sink may still hold it
 *           when the wait is over.
 * Threads:  blocks the caller; never on an I/O loop.
 * Errors:   those of the sink; E_UNAVAILABLE when the bound passed.
 */
#pragma once
#include "model/sink.h"
#include "scrape/frame.h"

MUST enum err scrape_write(struct sink *sink, const struct frame *w, int64_t start_ns, int64_t wait_ns, struct fault *f);
