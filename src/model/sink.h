/* model/sink.h -- where receivers put what they decoded.
 *
 * A write is one request: the frame (the body as it goes to the log, after any
 * redaction) and the batch decoded from it. `done` is called exactly once, on
 * the writer's thread: OK means durable and visible to queries. Otherwise
 * nothing was kept: E_UNAVAILABLE (full disk, stopping, queue full; send again
 * later) or E_LIMIT. The caller keeps frame and batch alive until `done`; each row's
 * `verdict` then says what became of it.
 *
 * Threads:  write() from any thread; it never blocks.
 */
#pragma once
#include "model/rows.h"

/* How to decode a frame's body at replay; on disk, never renumbered. */
enum frame_kind {
    FRAME_OTLP_METRICS_PB = 1, FRAME_OTLP_LOGS_PB = 2, FRAME_OTLP_TRACES_PB = 3,
    FRAME_OTLP_METRICS_JSON = 4, FRAME_OTLP_LOGS_JSON = 5, FRAME_OTLP_TRACES_JSON = 6,
    FRAME_REMOTE_WRITE_1 = 7, FRAME_REMOTE_WRITE_2 = 8, FRAME_LOKI_PB = 9, FRAME_LOKI_JSON = 10,   /* push/ */
    FRAME_SCRAPE = 11,                             /* scrape/ */
    FRAME_REMOTE_WRITE_1_SNAPPY = 12, FRAME_REMOTE_WRITE_2_SNAPPY = 13,   /* push/: packed, as they came */
    FRAME_ROWS = 64,                               /* store/: what is left of a request */
};

/* Is there nothing to be gained by packing it? */
static inline bool frame_is_packed(enum frame_kind k)
{
    return k == FRAME_REMOTE_WRITE_1_SNAPPY || k == FRAME_REMOTE_WRITE_2_SNAPPY;
}

struct write_req {
    enum frame_kind kind;
    uint32_t epoch;                                /* what of the configuration the decoding hung on, as replay needs it */
    struct str body;
    int64_t recv_ns;
    struct batch *batch;
    void (*done)(struct write_req *w, enum err e, const struct fault *f);
    void *arg;
    struct write_req *next;                        /* the sink's queue */
    struct str rest;                               /* the sink's: goes to the log instead of body, if p is set */
};

struct sink {
    void (*write)(struct sink *s, struct write_req *w);
};

/* The decoder that replay runs; app/ gives it to the store. Same code as the receiver's. */
struct frame_decoder {
    enum err (*decode)(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns,
                       struct arena *mem, struct batch *ret, struct fault *f);
    void *arg;
};
