/* store/ident.h -- accounting rule 5: which rows are there already.
 *
 * A set of row ids, with the value where the larger or the first one counts.
 *
 * Owner:    ident_done() frees; all-zero is an empty set.
 * Threads:  the writer.
 */
#pragma once
#include "base/hash.h"
#include "model/rows.h"

struct ident_slot {
    struct id128 id;
    double value;
};

struct ident {
    uint16_t *tags;                                /* by place: sixteen bits of the id; 0: free */
    uint32_t *at;                                  /* by place: which of the slots */
    struct ident_slot *slots;                      /* in the order in which they came */
    uint32_t n, cap, room;                         /* slots, places, room for slots */
};

void ident_done(struct ident *s);
struct ident_slot *ident_find(const struct ident *s, struct id128 id);     /* NULL if absent */
void ident_expect(const struct ident *s, struct id128 id);                  /* it will be looked for soon */
void ident_reserve(struct ident *s, uint32_t n);                            /* an empty one that will hold about n */
void ident_put(struct ident *s, struct id128 id, double value);            /* CHECKs that it is absent */

/* What becomes of a row whose id is known with this value. */
enum ident_verdict {
    IDENT_DUPLICATE,
    IDENT_LARGER,                                  /* cumulative, and larger: another row */
    IDENT_REFUSED,                                 /* the first one stays, this one says otherwise */
};
enum ident_verdict ident_judge(const struct row *r, enum table t, double known);
