/* store/head.h -- the newest rows, in memory, already as columns.
 *
 * A generation holds what came between two flushes: per table a head of columns that
 * never move. The writer appends rows and then publishes their number; a reader takes
 * a picture (pointers and numbers) and sees an immutable prefix of it, however much is
 * appended meanwhile. A full generation is sealed: nothing is appended any more.
 *
 * Owner:    counted references; gen_unref() of the last one frees.
 * Threads:  one writer appends; any thread takes pictures. What a reader may touch is
 *           written before the release-store that makes it visible (rows, entries of
 *           dictionaries) or under the head's lock (columns, dictionaries that moved).
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "model/source.h"
#include "store/head_groups.h"
#include "store/ident.h"

struct head_col {
    struct colkey key;
    uint32_t *code;                                /* one a row; 0 is absent */
    struct value *dict;                            /* dict[0] is V_NONE; moves when it grows, under the lock */
    _Atomic uint32_t ndict;
    uint32_t cap;
    struct head_index *index;                      /* writer only: value -> code */
    uint32_t looked_up;                            /* writer only: values so far, each asked of the index */
    bool odd;                                      /* writer only: some value is no text that begins like a number */
    bool listed;                                   /* writer only: values hardly repeat, so each has a code of its own */
};

struct pool_part;

struct head {
    enum table table;
    uint32_t room;                                 /* rows */
    _Atomic uint32_t n;                            /* published rows */
    uint32_t written;                              /* writer only: rows in the arrays */
    int64_t *time_ns, *recv_ns, *start_ns, *claimed_ns;
    double *value;
    uint8_t *temporality, *origin;
    uint64_t *seq;
    pthread_mutex_t lock;                          /* guards cols[] and the dict pointers */
    struct head_col **cols;
    uint32_t ncols, cap_cols;
    struct map by_name;                            /* writer only: place and name -> column */
    void **retired;                                /* dictionaries that moved, kept for readers */
    uint32_t nretired, cap_retired;
    struct head_groups groups;                     /* writer only; events and spans */
    struct pool_part *pool;                        /* writer only: text */
    _Atomic int64_t time_min, time_max, recv_max;
    bool any_claimed;                              /* writer only */
};

struct gen {
    _Atomic uint32_t refs;
    _Atomic(struct head *) heads[TABLE_COUNT];     /* NULL until the first row */
    struct ident idents[TABLE_COUNT];              /* writer only, also after it was flushed */
    uint32_t room;
    uint64_t first_seq, last_seq;                  /* of the frames whose rows it holds; 0: none */
    int64_t begun_mono_ns;                         /* when the first row came */
    uint64_t log_bytes;                            /* under the store's apply lock: of the frames, as they came */
    _Atomic uint64_t bytes;
    struct gen *next;                              /* the store's list, oldest first */
};

struct gen *gen_new(uint32_t room);
struct gen *gen_ref(struct gen *g);
void gen_unref(struct gen *g);                     /* NULL is fine */
uint32_t gen_rows(const struct gen *g, enum table t);                  /* published */

/* Appends the rows of the batch for which keep[i] is set; visible after gen_publish(). */
void gen_append(struct gen *g, const struct batch *b, const bool *keep, uint64_t seq);
void gen_publish(struct gen *g);
bool gen_fits(const struct gen *g, const struct batch *b);

/* The published prefix as a block: all columns, no selection (sel NULL, nsel 0). The
 * arrays belong to the generation, the list of columns to `mem`. */
void head_picture(struct head *h, struct arena *mem, struct block *ret);
