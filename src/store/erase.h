/* store/erase.h -- a session or a person erased from everything that is stored.
 *
 * Begun is recorded durably, and done is done: a store that is stopped or killed on the way
 * goes on at its next start, from the beginning, until nothing is left. Whoever is erased
 * stays so (erased.h): what is sent again is left out on arrival.
 *
 * Threads:  any.
 * Errors:   E_UNAVAILABLE (disk full), E_IO, E_LIMIT.
 */
#pragma once
#include "store/store.h"

enum { ERASE_TEXTS_MAX = 64 };

struct erase_req {
    const struct str *sessions, *users;
    uint32_t nsessions, nusers;
};

struct erase_counts {
    uint64_t rows[TABLE_COUNT];
    uint64_t partitions;                           /* that have some of them; done: that were written anew */
    uint64_t sessions;                             /* that go, those of none but the persons named included */
    int64_t oldest_ns, newest_ns;                  /* of the rows; 0: none */
};

/* What would go, from what is there now. Reads. */
MUST enum err store_erase_count(struct store *s, const struct erase_req *r, struct erase_counts *ret, struct fault *f);
/* Returns when it is recorded. Several may be under way. */
MUST enum err store_erase_begin(struct store *s, const struct erase_req *r, struct fault *f);

enum erase_phase {
    ERASE_NONE,                                    /* nothing was asked for in this run */
    ERASE_WAITS,                                   /* until what came before is in partitions */
    ERASE_READS,                                   /* looks for the sessions of persons */
    ERASE_WRITES,                                  /* partitions without the rows */
    ERASE_CLEARS,                                  /* log, totals, quarantine, catalogue */
    ERASE_DONE,
};
struct erase_state {
    enum erase_phase phase;
    struct erase_counts done;                      /* since the newest one was begun */
    uint64_t looked_at, all;                       /* partitions */
    uint64_t dropped;                              /* files in quarantine that named somebody, and went */
    int64_t begun_ns, ended_ns;
    bool held;                                     /* it waits for a query or a backup that still reads old files */
    struct fault fault;                            /* the newest failure; it is tried again */
    uint64_t known;                                /* sessions and persons erased, of all times */
    uint64_t left_out;                             /* rows that came again, since the start */
};
void store_erase_state(struct store *s, struct erase_state *ret);
/* Waits until nothing is being erased, or something failed. */
MUST enum err store_erase_wait(struct store *s, struct fault *f);
