/* ledger/tally.h -- rows of a block of log records told apart by their settled labels.
 *
 * Rows of one session, model and so on stand together in a chunk, so most rows are like the
 * one before them and cost a comparison of codes; labels are put together once a tuple.
 *
 * Owner:    everything lives in the arena given, texts in the block.
 * Threads:  one.
 */
#pragma once
#include "ledger/measures.h"

enum { TALLY_LABELS_MAX = 64 };

struct tally_label {
    struct str name;
    struct label_ref at;
};

struct tally {
    struct tally_label labels[TALLY_LABELS_MAX];   /* ascending by name */
    uint32_t nlabels;
    uint32_t ntuples;
    const uint32_t *tuple;                         /* by place in b->sel */
    const uint32_t *first;                         /* by tuple: the row where it was seen first */
};

void tally_rows(const struct block *b, struct arena *mem, struct tally *ret);
/* The text of a label in a tuple; empty if absent. */
struct str tally_text(const struct tally *t, uint32_t tuple, uint32_t label, struct arena *mem);
