/* store/scan_int.h -- a scan's state, shared by its two files.
 */
#pragma once
#include "store/store_int.h"

/* What gives one block: a chunk, or a generation's head. */
struct unit {
    int64_t t0, t1;
    const struct part_item *item;
    const struct chunk_ref *chunk;
    struct head *head;
    struct block picture;                          /* of the head */
};

struct scan {
    struct store *s;
    struct scan_req req;
    struct arena mem, block_mem;
    struct part_view *view;
    struct gen **gens;
    struct chunk_list **lists;
    uint32_t ngens, nlists;
    struct unit *units;
    uint32_t nunits, cap_units, next;
    struct scan_stats stats;
    struct block out;
};

/* scan_unit.c: fill sc->out from one unit; nsel 0 if nothing of it counts. */
enum err scan_head(struct scan *sc, const struct unit *u);
enum err scan_chunk(struct scan *sc, const struct unit *u, struct fault *f);
