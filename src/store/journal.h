/* store/journal.h -- the write-ahead log: what was acknowledged, in the order of arrival.
 *
 *   DATA/log/00000001.seg   header | header again | frame | frame | ... | zeros
 *   DATA/log/spare          zeros: the file of an earlier segment, for the next one
 *
 *   segment header  magic, version, number, generation (random), first sequence,
 *                   durable-up-to of what came before, checksum
 *   frame           length, raw length, sequence, durable-up-to, receive time,
 *                   configuration epoch, tenant, checksum of the body, kind, flags,
 *                   checksum of the head | body | padding to 8
 *
 * Checksums are XXH3, seeded with the segment's generation.
 *
 * Invariants
 *   1. Sequences rise by one from frame to frame; a segment may begin later than its
 *      predecessor ends only because a group failed and its sequences were given up.
 *   2. A segment whose write or sync failed is never written again.
 *   3. A frame is acknowledged only after a sync that covers it. What cannot be read is set
 *      aside and reported, and every good frame behind it is replayed; whether a bad one was
 *      acknowledged is told by `durable` of the later frames and segments. Frames of a
 *      segment beyond its successor's `durable` are of a group that failed; they are not read.
 *   4. What stood behind a torn tail is cut off before anything is written there, so no
 *      old frame can be taken for the next one.
 *
 * Owner:    journal_open/journal_close.
 * Threads:  the writer; journal_cut the flusher too, journal_bytes any.
 */
#pragma once
#include "base/file.h"
#include "model/sink.h"

struct journal;

struct journal_opts {
    const char *dir;                               /* DATA */
    const struct file_ops *ops;
    uint64_t segment_bytes;
    uint64_t applied;                              /* frames up to it are in partitions and need no replay */
    void (*report)(void *arg, const char *cause, const char *text);
    void *report_arg;
};

struct journal_frame {
    uint64_t seq;
    uint32_t epoch, tenant;
    enum frame_kind kind;
    int64_t recv_ns;
    struct str body;
    bool pack;                                     /* in: fewer bytes are worth the work */
};

/* Reads what is there: calls each() for every frame in order. A frame that each()
 * refuses, or that ended three earlier starts, is set aside and reported; the rest goes on. */
MUST enum err journal_open(const struct journal_opts *o,
                           enum err (*each)(void *arg, const struct journal_frame *fr, struct fault *f), void *arg,
                           struct journal **ret, struct fault *f);
void journal_close(struct journal *j);

uint64_t journal_next_seq(const struct journal *j);
void journal_raise_seq(struct journal *j, uint64_t next);   /* never lowers it; before the first journal_add() */
/* Gives the frame the next sequence and keeps it in the group. body is copied or packed. */
void journal_add(struct journal *j, struct journal_frame *fr);
uint64_t journal_group_bytes(const struct journal *j);
/* Writes the group and syncs it. On failure nothing of it counts as written. */
MUST enum err journal_commit(struct journal *j, struct fault *f);
/* Everything up to seq is in partitions: files that hold nothing later go. keep_spare: one
 * may be made ready for use again, which takes a while. */
void journal_cut(struct journal *j, uint64_t seq, bool keep_spare);
/* While held no file goes; what was to be cut meanwhile goes with the next cut after. */
void journal_hold(struct journal *j, bool held);
/* Every frame above `applied` that is durable, and others with them: copy() is asked for the first
 * `bytes` of each file, to be kept as DATA/name. Any thread; held meanwhile. */
MUST enum err journal_copy(struct journal *j, uint64_t applied,
                           enum err (*copy)(void *arg, const char *from, const char *name, uint64_t bytes, struct fault *f), void *arg,
                           struct fault *f);
/* The writer: the next group begins a new file, and the one before may go like others do. */
void journal_turn(struct journal *j);
/* As a cut, but files that an earlier cut could not remove go, too, or it fails. *ret_held: a file
 * with frames up to seq stays, because they are held. The flusher. */
MUST enum err journal_forget(struct journal *j, uint64_t seq, bool *ret_held, struct fault *f);
/* All of it is in partitions and nothing more comes: no file stays. */
void journal_empty(struct journal *j);
void journal_tick(struct journal *j);              /* once a minute: what only serves a busy log goes */
uint64_t journal_bytes(struct journal *j);         /* of frames not cut yet */
