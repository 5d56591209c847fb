/* store/head_groups.h -- groups of cells that were coded before, for head.c.
 *
 * Owner:    the head that it stands in; all zero is empty, groups_done() frees.
 * Threads:  the writer.
 */
#pragma once
#include "base/hash.h"

struct head_col;

struct coded {
    struct head_col *col;
    uint32_t code;
};

struct group_place {
    struct id128 id;
    uint32_t at, n;                                /* of codes[] */
    bool known;                                    /* else the place is free */
};

struct head_groups {
    struct group_place *places;                    /* open addressing */
    uint32_t cap, n;
    struct coded *codes;                           /* moves when it grows */
    uint32_t ncodes, cap_codes;
};

const struct group_place *groups_find(const struct head_groups *g, struct id128 id);   /* NULL: not known; until the next put */
void groups_code(struct head_groups *g, struct head_col *col, uint32_t code);          /* one more of codes[] */
uint64_t groups_put(struct head_groups *g, struct id128 id, uint32_t from);  /* codes[from ..] are the group's; returns what it takes */
void groups_done(struct head_groups *g);
