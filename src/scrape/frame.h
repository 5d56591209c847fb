/* scrape/frame.h -- one scrape as it goes to the log and comes back at replay.
 *
 * What is written are final rows: relabelled, with canonical names, after privacy. The rows that
 * the sink is given are decoded from the very bytes that the log gets, so that replay cannot
 * differ. Layout, version 1, numbers as varints (signed ones zigzag):
 *
 *     version  scrape's time (ns)  start of the incarnation (ns, 0: none)
 *     ntexts   { length bytes }
 *     nmetas   { name type unit help }               texts by their index
 *     nrows    { flags [time - scrape's time] value(8, little-endian) nlabels { name value } }
 *
 * flags: 1 cumulative since the start, 2 a time of its own. Labels are sorted by name, __name__
 * among them, none twice and none empty: the decoder checks it.
 *
 * Owner:    a writer is made by frame_init() and ended by frame_done(); texts are borrowed
 *           until then.
 * Threads:  one at a time.
 * Errors:   decoding: E_CORRUPT.
 */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "model/sink.h"
#include "scrape/lset.h"

struct frame {
    struct buf rows, metas, texts;
    struct map index;                              /* of a text */
    uint32_t ntexts, nmetas, nrows;
    int64_t time_ns;
};

void frame_init(struct frame *w, int64_t time_ns);
void frame_done(struct frame *w);
/* One row; returns where its value stands, for frame_set_value(). The set must be sorted. */
size_t frame_row(struct frame *w, const struct lset *labels, double value, int64_t time_ns, bool cumulative);
void frame_set_value(struct frame *w, size_t at, double value);
void frame_meta(struct frame *w, const struct metric_meta *m);
/* The whole body; empty if it grew too large. */
struct str frame_body(const struct frame *w, int64_t start_ns, struct arena *mem);

MUST enum err scrape_decode(struct str body, int64_t recv_ns, struct arena *mem, struct batch *ret, struct fault *f);
struct frame_decoder scrape_frame_decoder(void);
