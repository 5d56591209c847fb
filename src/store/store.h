/* store/store.h -- the store: a log that is durable, a head that is queryable, and
 * partitions that keep.
 *
 * Owner:    store_open() gives one store of a data directory, store_close() ends it; sink and
 *           source belong to it. Whoever scans must have ended before store_close().
 * Threads:  the store runs two of its own, a writer (log, head) and a flusher
 *           (partitions). Sink and source may be used from any thread.
 * Errors:   E_EXIST (another process has the directory), E_UNSUPPORTED (written by a
 *           newer ccmon), E_IO, E_UNAVAILABLE (disk full), E_CORRUPT.
 * Units:    Unix ns, bytes.
 */
#pragma once
#include "base/clock.h"
#include "base/file.h"
#include "model/sink.h"
#include "model/source.h"

struct store_config {
    struct str dir;                                /* made if absent, mode 0700 */
    int64_t retention_ns;                          /* 0: forever */
    const struct clock *clock;
    const struct file_ops *ops;                    /* NULL: the system's */
    struct frame_decoder decoder;                  /* for replay */
    /* Called for what the owner of the machine should know (damage set aside, a full
     * disk, a sync that failed). From any of the store's threads; may be NULL. */
    void (*report)(void *arg, const char *cause, const char *text);
    void *report_arg;
    void (*rest)(void *arg);                       /* once a minute, with report_arg: memory kept for a burst may go; may be NULL */
    /* 0 in each of these: the default of store/limits.h. */
    uint64_t segment_bytes, flush_rows, flush_bytes, flush_log_bytes, queue_bytes, cache_bytes;
    int64_t flush_age_ns, tick_ns;
};

struct store;
MUST enum err store_open(const struct store_config *c, struct store **ret, struct fault *f);
struct sink *store_sink(struct store *s);
struct source *store_source(struct store *s);
/* How long rows of each table are kept by their own time, and how much: 0 is for ever, and any size. */
struct retention {
    int64_t age_ns[TABLE_COUNT];
    int64_t content_ns;                            /* prompts, answers, bodies; rows stay without them */
    uint64_t bytes;                                /* of all partitions */
};
void store_set_retentions(struct store *s, const struct retention *r);
void store_set_retention(struct store *s, int64_t retention_ns);       /* one age for all */
struct retention_state {
    uint64_t rows, partitions, contents;           /* that went, since the start; partitions as a whole, content files */
    uint64_t bytes;                                /* of all partitions now */
    int64_t next_ns, next_from_ns;                 /* when a partition goes next, and where it begins; 0: none does by age */
    uint64_t next_rows, next_bytes;
};
struct retention_state store_retention_state(struct store *s);         /* as it was a minute ago */
/* Writes everything that is acknowledged by now into partitions and waits for it. */
MUST enum err store_flush(struct store *s, struct fault *f);
/* Takes nothing new, completes what is queued, flushes what it can; the rest is in the log. */
void store_close(struct store *s);
