/* query/runs.h -- series of blocks whose rows stand in runs (model/source.h).
 *
 * A series is told by 128 bits: the sum of the hashes of its labels, each of name and
 * value. So the order of columns does not matter, an absent label adds nothing, and the
 * part of it that a few labels make up is a sum of fewer. A dictionary is hashed once a
 * block; runs are then added up column by column. No labels are put together unless asked for.
 *
 * Owner:    runs_init/runs_done; labels and texts go into the query's arena.
 * Threads:  one.
 * Limits:   the query's series_max.
 */
#pragma once
#include "base/hash.h"
#include "query/vec.h"

/* Numbers for 128-bit ids, from 0 on, in order of first sight. */
struct idset {
    struct idset_slot *slots;                      /* query/runs.c */
    uint32_t n, cap;
};

uint32_t idset_add(struct idset *s, struct id128 id, bool *ret_new);
void idset_done(struct idset *s);

struct id128 label_id(struct str name, struct str value);
struct id128 labels_id(struct labels l);

/* Which labels count: those named (keep), or all others. */
struct pick {
    const struct str *names;
    uint32_t n;
    bool keep;
};

/* A label column of the block at hand. */
struct run_col {
    const struct column *col;
    struct id128 *hash;                            /* by code; NULL: few runs, each hashes its own */
    struct id128 same;                             /* of the one code of CODES_SAME */
    uint32_t *text;                                /* by code, number of the text + 1 */
    struct str name;                               /* kept; p NULL: not yet */
};

/* The columns whose labels make up a part of a series' id, for the block at hand. */
struct run_part {
    bool others;                                   /* the part is all but them */
    const struct run_col **cols;
    uint32_t n;
};

struct runs {
    struct query_ctx *q;
    struct idset series;
    const struct block *b;                         /* at hand */
    struct run_col *cols;                          /* by name */
    uint32_t ncols;
    struct id128 *ids;                             /* by run */
    uint32_t *numbers;                             /* by run: its series */
    bool *fresh;                                   /* by run: the first one of its series */
    struct map text_ids;                           /* private from here on */
    struct str *texts;
    uint32_t ntexts, cap_texts;
    struct arena mem;                              /* of the block at hand */
};

void runs_init(struct runs *r, struct query_ctx *q);
void runs_done(struct runs *r);
/* Fills cols, ids, numbers and fresh; the block must stay. */
MUST enum err runs_block(struct runs *r, const struct block *b, struct fault *f);
/* The labels that are picked, once a block; then their id, 0 for none. */
void runs_part_open(struct runs *r, const struct pick *p, struct run_part *ret);
struct id128 runs_part(struct runs *r, const struct run_part *part, uint32_t run);
/* The labels of a run that are picked. Equal texts are the same bytes. */
struct labels runs_labels(struct runs *r, uint32_t run, const struct pick *p);
/* The column of a label; NULL if no run has it. */
const struct run_col *runs_col(const struct runs *r, struct str name);
/* One label; empty if absent. */
struct str runs_label(struct runs *r, uint32_t run, struct str name);
/* How many rows stand before a run: where it begins. */
static inline uint32_t run_begin(const struct block *b, uint32_t run)
{
    return run ? b->run_end[run - 1] : 0;
}
