/* promql/tile.h -- windows that do not overlap, folded while rows come.
 *
 * Where a query's windows are no wider than its steps, a sample lies in one window at most.
 * Then nothing of a series has to be kept but what the function makes of the window at hand:
 * for increase() its first and last sample and the resets between them, for an accounted
 * series what was added. When a row of a later window comes, the value goes into its group.
 *
 * Rows have to come by time within each series, as they do. Where they do not, or
 * two fall into one millisecond, or a process of a session reports after a younger one, `again` turns
 * true, and the query is evaluated over points that are all kept (select.h), which can do all.
 *
 * Owner:    tiles_init/tiles_done.
 * Threads:  one.
 */
#pragma once
#include "promql/eval_int.h"

struct tile;

struct tiles {
    struct eval *ev;
    struct grouped *into;
    enum tile_kind kind;
    bool exact;                                    /* increases of accounted series are what was added */
    bool per_second;
    bool counts;                                   /* of a series it only matters whether it has a value */
    int64_t end_ms, step_ms, range_ms;             /* of the first window (end - range, end] */
    uint32_t n;                                    /* windows */
    struct tile *at;                               /* heap; by series */
    uint32_t ntiles, cap;
    bool again;
};

void tiles_init(struct tiles *w, struct eval *ev, struct grouped *into, enum tile_kind kind);
void tiles_done(struct tiles *w);
/* The next series, in the order of their numbers. */
void tiles_series(struct tiles *w, uint32_t group, bool money);
/* Can the rows of a run be folded? Asked about the first run of a series; of a later one, where
 * the answer is no, `again` has to be set. `from_ns`: where the scan begins. */
bool tiles_take(const struct tiles *w, const struct block *b, uint32_t run, int64_t from_ns);
void tiles_run(struct tiles *w, uint32_t series, const struct block *b, uint32_t run);
/* Closes all windows. */
void tiles_end(struct tiles *w);
