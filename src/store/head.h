/* store/head.h -- the newest rows, in memory, already as columns. Samples: head_series.c.
 *
 * A generation holds what came between two flushes: per table a head of columns that
 * never move. The writer appends rows and then publishes their number; a reader takes
 * a picture (pointers and numbers) and sees an immutable prefix of it, however much is
 * appended meanwhile. A full generation is sealed: nothing is appended any more.
 *
 * Owner:    counted references; gen_unref() of the last one frees. A head may outlive its
 *           generation: head_ref().
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
    uint32_t *code;                                /* one a row, labels of samples: one a series; 0 is absent */
    struct value *dict;                            /* dict[0] is V_NONE; moves when it grows, under the lock */
    _Atomic uint32_t ndict;
    uint32_t cap;
    struct head_index *index;                      /* writer only: value -> code */
    uint32_t looked_up;                            /* writer only: values so far, each asked of the index */
    bool odd;                                      /* writer only: some value is no text that begins like a number */
    bool listed;                                   /* writer only: values hardly repeat, so each has a code of its own */
};

struct pool_part;

struct head_series;                                /* head_series.c */

struct head {
    _Atomic uint32_t refs;
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
    struct head_series *series;                    /* samples: which row is of which */
};

struct gen {
    _Atomic uint32_t refs;
    _Atomic(struct head *) heads[TABLE_COUNT];     /* NULL until the first row */
    struct ident idents[TABLE_COUNT];              /* writer only, also after it was flushed; samples: the head's own */
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

/* Appends the rows of the batch for which keep[i] is set; visible after gen_publish(). Events and spans. */
void gen_append(struct gen *g, const struct batch *b, const bool *keep, uint64_t seq);
void gen_publish(struct gen *g);
bool gen_fits(const struct gen *g, const struct batch *b);
struct head *gen_head(struct gen *g, enum table t);                     /* made if there is none */
struct head *head_ref(struct head *h);
void head_unref(struct head *h);                   /* NULL is fine */

/* ---- series of samples: the writer's ------------------------------------------------------ */
/* Each has a number. `newest`: no row of the series that memory knows, here or in an older
 * head that was in memory when the series came here, has a later naming time. */
enum { SERIES_NONE = UINT32_MAX };
uint32_t series_find(const struct head *h, struct id128 id);            /* SERIES_NONE: it has none here */
/* A new one, of the labels of a group. */
uint32_t series_add(struct head *h, const struct batch *b, uint32_t group, int64_t newest);
/* The latest naming time of a row of this series in this head; INT64_MIN: there is none. */
int64_t series_newest_own(const struct head *h, struct id128 id);
/* Is the row named by a later time than any that memory knows? Its own time counts from now on. */
bool series_is_newer(struct head *h, uint32_t series, const struct row *r);
uint32_t series_count(const struct head *h);
/* The ids of all rows written so far, each with the value that counts: made when it is asked for. */
struct ident *series_idents(struct head *h);
/* As gen_append(), when each kept row's series is known: number[group]. Their ids are in the set already, if
 * `identified`; else they come there when it is asked for. */
void series_append(struct gen *g, const struct batch *b, const bool *keep, const uint32_t *number, bool identified, uint64_t seq);

/* The published prefix as a block: all columns, no selection (sel NULL, nsel 0); samples by
 * series. The arrays belong to the head, the list of columns to `mem`. */
void head_picture(struct head *h, struct arena *mem, struct block *ret);
