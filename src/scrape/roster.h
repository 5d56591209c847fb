/* scrape/roster.h -- the series that one scrape showed: who is there, and what they said.
 *
 * Owner:    roster_init() makes room for at most `max`, roster_done() frees; all-zero is empty.
 * Threads:  one at a time.
 */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "scrape/lset.h"

struct roster_entry {
    struct id128 id;
    double value;
    size_t at;                                     /* roster_keep(): of its labels; else the caller's */
    uint32_t n;                                    /* bytes of its labels, 0: not kept */
};

struct roster {
    struct roster_entry *at;
    uint32_t n, max;
    size_t bytes;
    struct map index;
    struct buf text;
};

void roster_init(struct roster *k, uint32_t max);
void roster_done(struct roster *k);
struct roster_entry *roster_find(const struct roster *k, struct id128 id);
/* The series, new with value 0 if it was not there. */
struct roster_entry *roster_add(struct roster *k, struct id128 id, bool *ret_new);
/* Keeps the labels of a series, so that roster_labels() gives them back. */
void roster_keep(struct roster *k, struct roster_entry *s, const struct lset *labels);
struct lset roster_labels(const struct roster *k, const struct roster_entry *s, struct arena *mem);
