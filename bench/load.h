/* bench/load.h -- what the parts of the load generator share.
 *
 * A load file is LOAD_MAGIC, then requests in the order in which they are to be sent:
 * {bytes, items, lane, 0} as four little-endian uint32_t, then the body. Requests of one
 * lane must not overtake each other: all that belongs to one session is in one lane.
 *
 * Owner:    main() in load.c.   Threads: one.
 */
#pragma once
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "fleet/fleet.h"

#define LOAD_MAGIC "ccmon load 1\n\0\0\0"
enum { LOAD_HOLD_MIN = 20, LOAD_MAGIC_BYTES = 16, LOAD_LANES = 4, LOAD_BODY_MAX = 64 << 20 };

/* ---- out.c: one file ---- */

struct out_lane {
    struct buf body;
    uint32_t items;
};

struct out {
    FILE *file;
    uint32_t batch;                                /* items of a request: so many, or a few more */
    bool snappy;
    struct out_lane lanes[LOAD_LANES];
    struct buf packed;
    uint64_t requests, items, bytes;
    int64_t sent_ns;                               /* of out_clock() */
};

/* Exits when it cannot be written. `path` "-" is standard output. */
struct out *out_new(const char *path, uint32_t batch, bool snappy);
/* Room in the lane's body; out_add() says how many items were put there. */
struct buf *out_body(struct out *o, uint32_t lane);
void out_add(struct out *o, uint32_t lane, uint32_t items);
/* At `time_ns` of the load: once in LOAD_HOLD_MIN minutes all lanes are sent as they are, as a
 * collector would, so that nothing comes late. NULL is fine. */
void out_clock(struct out *o, int64_t time_ns);
void out_close(struct out *o);                     /* writes the rest; the counts stay. NULL is fine, also below */
void out_free(struct out *o);

/* ---- truth.c: what the queries must answer ---- */

struct truth;
struct truth *truth_new(int64_t end_ns, uint32_t days);
void truth_event(struct truth *t, const struct fleet_event *e);
/* What an exported sample added to its series. */
void truth_sample(struct truth *t, struct str session, struct str email, enum fleet_metric m, const struct str *a, int64_t time_ns,
                  double value, int64_t nano);
void truth_write(const struct truth *t, const struct fleet_truth *all, FILE *f);
void truth_free(struct truth *t);

/* ---- exports.c: the counters of a day's sessions, once a minute, as running totals ---- */

struct exports;
struct exports *exports_new(struct out *otlp, struct out *write, struct truth *truth);
void exports_gain(struct exports *x, const struct fleet_gain *g);
uint64_t exports_series(const struct exports *x);
void exports_flush(struct exports *x);             /* at the end of a day, while its sessions are there */
void exports_free(struct exports *x);

uint32_t load_lane(struct str session);
