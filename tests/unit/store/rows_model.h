/* tests/unit/store/rows_model.h -- a plain table of rows, to compare the store with.
 *
 * Cells stand in a grid of values; model_block() makes the columns of it (codes and
 * dictionaries, or number columns), model_check() compares a decoded chunk with it.
 * Rows are told apart by their seq, which is their index plus MODEL_SEQ.
 *
 * Threads:  one.
 */
#pragma once
#include "store/chunk.h"

enum { MODEL_SEQ = 1000 };

struct model {
    struct arena *mem;
    enum table table;
    uint32_t n, ncols;
    int64_t *time, *recv, *start, *claimed;
    double *value;
    uint8_t *temporality, *origin;
    uint64_t *seq;
    struct colkey *keys;
    struct value *cells;                           /* [col * n + row] */
    bool *plain;                                   /* col: as a number column */
};

struct rng {
    uint64_t s;
};
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);

void model_init(struct model *m, struct arena *mem, enum table t, uint32_t n, uint32_t ncols);
struct block model_block(const struct model *m);
/* Encodes, reads back and compares everything; fails the test with `name`. */
void model_round_trip(const struct model *m, const char *name);
/* Reads all blobs of `out` and compares; `dropped`: without the content blobs. */
void model_check(const struct model *m, const struct chunk_out *out, bool dropped, const char *name);
/* Every byte of every blob is changed (of large ones some), and each blob given as another
 * column's: nothing but E_CORRUPT comes of it. */
void model_flips(const struct model *m, const struct chunk_out *out);
