/* logql/group.h -- lines put into series by their labels.
 *
 * A value is a number within one evaluation, found by dictionary code where there is
 * one; a series is a row of (name, value) numbers. Texts are put together only for a
 * series not seen before.
 *
 * Owner:    grouper_init/grouper_done; labels live in the query's arena.
 * Threads:  one.
 */
#pragma once
#include "logql/entry.h"

enum group_mode { GROUP_ALL, GROUP_BY, GROUP_WITHOUT, GROUP_NONE, GROUP_STREAM };   /* STREAM: stream labels only */

struct grouper {
    struct pipeline *p;
    enum group_mode mode;
    const uint32_t *names;                         /* by or without */
    uint32_t nnames;
    struct map values, keys;
    uint32_t nvalues;
    struct str *texts;                             /* of values */
    uint32_t cap_texts;
    struct labels *series;
    uint32_t n, cap;
    uint64_t *pairs;                               /* scratch: name << 32 | value */
    uint32_t npairs, cap_pairs;
};

void grouper_init(struct grouper *g, struct pipeline *p, enum group_mode mode, const uint32_t *names, uint32_t nnames);
void grouper_done(struct grouper *g);              /* for CLEANUP */
/* The number of the line's series; all its labels when `whole`. */
uint32_t grouper_id(struct grouper *g, struct entry *e, bool whole);
/* The series of a line whose labels are these, n names and values; a NULL or absent value:
 * it has no such label. In the order of the mode's names, or any for GROUP_STREAM. */
uint32_t grouper_by_values(struct grouper *g, const uint32_t *names, const struct value *const *values, uint32_t n);
