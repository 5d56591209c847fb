/* push/redact.h -- a pushed request written anew without what is not to be kept; inside
 * the room.
 *
 * When privacy has rules, the walks run twice: first over what came, with series and
 * entries written into `out` instead of becoming rows, then over that, which is also
 * the frame. So nothing that was taken out is in the log, and replay needs no rules.
 * What is written is always remote write 1.0 or Loki's protobuf.
 *
 * Owner:    redact_done() frees; texts live in the arena of the walk.
 * Threads:  one at a time.
 */
#pragma once
#include "privacy/privacy.h"
#include "push/entries.h"

struct redact {
    const struct privacy *rules;
    struct buf out;
    struct buf item, part, text;                   /* scratch of the message being written */
    bool open;                                     /* Loki: `item` is a stream that goes on */
};

void redact_init(struct redact *r, const struct privacy *rules);
void redact_done(struct redact *r);

/* samples.c and entries.c call these in place of making rows. */
void redact_series(struct samples *s, int64_t start_ms);
void redact_meta(struct samples *s, struct str name, uint64_t type, struct str help, struct str unit);
void redact_stream(struct entries *s);             /* its labels are complete */
void redact_entry(struct entries *s);

/* The whole: *ret is what stands for the body, *kind what it is now. */
MUST enum err redact_write(struct redact *r, enum frame_kind *kind, struct str body, struct arena *mem, int64_t recv_ns,
                           struct push_result *result, struct str *ret, struct fault *f);
MUST enum err redact_loki(struct redact *r, enum frame_kind *kind, struct str body, struct arena *mem, int64_t recv_ns,
                          struct push_result *result, struct str *ret, struct fault *f);
