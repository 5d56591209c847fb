/* query/rowset.h -- rows of scan blocks grouped into series.
 *
 * Rows of one block are told apart by their dictionary codes; only for a tuple of
 * codes not seen in this block are the labels put together and looked up. Texts are
 * kept once a query, so equal texts of two series are the same bytes.
 *
 * Owner:    texts and labels are copied into the query's arena.
 * Threads:  one.
 */
#pragma once
#include "query/vec.h"

struct rowset {
    struct query_ctx *q;
    struct labels *series;                         /* by id */
    uint32_t n, cap;
    uint32_t places;                               /* private from here on */
    struct map text_ids, series_ids;
    struct str *texts;
    uint32_t ntexts, cap_texts;
    uint32_t *table, *ids;                         /* slots of row + 1 and their series, for one block */
    uint32_t table_cap;
};

/* places: bit 1 << enum place of the columns that are labels. */
void rowset_init(struct rowset *r, struct query_ctx *q, uint32_t places);
void rowset_done(struct rowset *r);                /* for CLEANUP */
/* The series id of each selected row: ret_ids[i] belongs to row b->sel[i]. */
MUST enum err rowset_block(struct rowset *r, const struct block *b, uint32_t *ret_ids, struct fault *f);
