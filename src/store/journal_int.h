/* store/journal_int.h -- the log's form on disk, shared by its writer and its reader.
 */
#pragma once
#include <pthread.h>

#include "store/journal.h"

#define JOURNAL_MAGIC   UINT64_C(0x31474f4c4e4f4d43)   /* "CMONLOG1" in file order */
#define JOURNAL_VERSION 1u

enum { FRAME_ZSTD = 1 };                           /* flags */

/* Magic and version keep their place in every version to come. */
struct segment_head {
    uint64_t magic;
    uint32_t version, reserved;
    uint64_t number, generation, first_seq, durable;
    uint64_t sum;                                  /* XXH3 of what stands before it */
};

/* The head has a checksum of its own, so that looking for the next frame behind a damaged
 * one never has to hash what a sender may have made look like a frame. */
struct frame_head {
    uint32_t length, raw;                          /* of the body: stored, unpacked */
    uint64_t seq, durable;
    int64_t recv_ns;
    uint32_t epoch, tenant;
    uint64_t body_sum;                             /* XXH3 of the body, seeded with generation and sequence */
    uint8_t kind, flags;
    uint8_t reserved[2];
    uint32_t head_sum;                             /* low half of the XXH3 of what stands before it, seeded with the generation */
};
/* The head stands twice, so that one damaged sector's worth of bits does not take the
 * segment with it; frames begin behind both. */
enum { SEGMENT_COPY = 64, SEGMENT_FRAMES = 128 };
_Static_assert(sizeof(struct segment_head) == 56, "the log's form is fixed");
_Static_assert(sizeof(struct frame_head) == 56, "the log's form is fixed");

struct segment {
    uint64_t number, generation;
    uint64_t last_seq;                             /* of the last frame in it; 0: none */
    uint64_t bytes;                                /* of frames that are not in partitions */
    uint64_t end;                                  /* behind the last frame, in the file; 0: none */
    uint64_t file_bytes;                           /* of its file, if this process began it; else 0 */
    struct segment *next;
};

struct journal {
    struct journal_opts o;
    char dir[1024];                                /* DATA/log */
    pthread_mutex_t lock;                          /* guards the list of segments */
    struct segment *oldest, *newest;
    bool held;                                     /* under lock: nothing is cut */
    int fd;                                        /* of the newest, -1: a new one is due */
    int64_t at, size;                              /* where the next frame goes; the file's length */
    uint64_t next_seq, durable, group_first;
    uint64_t next_number;
    uint64_t cut_number;                           /* under lock: segments up to it are not needed any more */
    bool turned;                                   /* under lock: the newest one is not written any more */
    bool spare;                                    /* under lock: there is a file of zeros to begin the next segment with */
    unsigned spare_ticks;                          /* under lock: for how long */
    struct buf group;                              /* frames without checksums yet */
    struct buf packed;
};

void frame_seal(struct frame_head *h, struct str body, uint64_t generation);   /* fills both sums */
bool frame_head_good(const struct frame_head *h, uint64_t generation);
bool frame_body_good(const struct frame_head *h, struct str body, uint64_t generation);
uint64_t segment_sum(const struct segment_head *h);
static inline uint64_t frame_room(uint64_t length)
{
    return (sizeof(struct frame_head) + length + 7) & ~UINT64_C(7);
}
void segment_path(const struct journal *j, uint64_t number, char out[1200]);

/* journal_spare.c: a segment that is used again. */
void spare_make(struct journal *j, const struct segment *old);      /* of a segment that is not needed any more; its file goes either way */
bool spare_take(struct journal *j, const char *path, int *ret_fd);  /* as the segment at path; false: there is none */
int spare_drop(struct journal *j);                                  /* -1: errno says why it stays */
void journal_report(const struct journal *j, const char *cause, const char *text);
MUST enum err journal_recover(struct journal *j,
                              enum err (*each)(void *arg, const struct journal_frame *fr, struct fault *f), void *arg,
                              struct fault *f);

/* journal_aside.c: what cannot be replayed is kept in DATA/quarantine and reported, once. */
enum aside { ASIDE_FRAME, ASIDE_POISON, ASIDE_STRETCH };
MUST enum err aside_put(const struct journal *j, enum aside kind, uint64_t seq, struct str bytes, const char *why, struct fault *f);
bool aside_has(const struct journal *j, enum aside kind, uint64_t seq, struct str bytes);
MUST enum err aside_segment(const struct journal *j, uint64_t number, struct fault *f);     /* the whole file */

/* The note that outlives a process: which frame is being applied. */
struct aside_note {
    char path[1200];                               /* DATA/replaying */
    int fd;
    uint64_t killer;                               /* the frame at which the last start ended; 0: none */
    unsigned deaths;                               /* how many starts in a row ended there */
};
void note_open(const struct journal *j, struct aside_note *ret);
void note_frame(const struct aside_note *n, uint64_t seq);
void note_close(struct aside_note *n, bool finished);
