/* scrape/lset.h -- a set of labels while it is being made: relabelling, target labels.
 *
 * Owner:    texts are borrowed or live in the set's arena.
 * Threads:  one at a time.
 * Errors:   past LSET_MAX labels `full` turns true and labels are left out; asked once at the end.
 */
#pragma once
#include "base/arena.h"
#include "base/hash.h"
#include "scrape/limits.h"

struct lpair {
    struct str name, value;
};

struct lset {
    struct arena *mem;
    struct lpair *at;
    uint32_t n, cap;
    bool full;
};

struct str lset_get(const struct lset *s, struct str name);            /* empty if absent */
void lset_set(struct lset *s, struct str name, struct str value);      /* an empty value removes */
void lset_del(struct lset *s, struct str name);
struct lset lset_copy(const struct lset *s, struct arena *mem);        /* texts too */
void lset_sort(struct lset *s);                                        /* by name */
struct id128 lset_id(const struct lset *s);                            /* whatever the order */
