/* fleet/fleet_int.h -- people, sessions, and how they are put on the wire.
 *
 * Owner:    struct fleet owns all.   Threads: one.
 */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/wire.h"
#include "fleet/fleet.h"

/* ---- chance: splitmix64, one stream per purpose ---- */

struct rng {
    uint64_t s;
};
static inline uint64_t fleet_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}
static inline struct rng rng_of(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    return (struct rng){ fleet_mix(fleet_mix(fleet_mix(seed ^ fleet_mix(a)) ^ b) ^ c) };
}
static inline uint64_t rng_next(struct rng *r) { return fleet_mix(r->s++); }
static inline uint64_t rng_below(struct rng *r, uint64_t n) { return rng_next(r) % n; }
static inline uint64_t rng_between(struct rng *r, uint64_t lo, uint64_t hi) { return lo + rng_below(r, hi - lo + 1); }
static inline bool rng_percent(struct rng *r, uint32_t p) { return rng_below(r, 100) < p; }
/* Many small ones and a few that are large: mean about `mean`, at most 8 times that. */
uint64_t rng_skewed(struct rng *r, uint64_t mean);

/* ---- cast.c ---- */

struct person {
    struct str user_id, account_uuid, account_id, email, team, terminal, repo, owner, org;
    uint32_t model;                                /* the one they like best */
    int32_t zone_min;                              /* minutes east of UTC */
    uint32_t sessions_mean;                        /* of ten working days */
    bool traces;
};
void cast_person(uint64_t seed, uint32_t n, struct arena *mem, struct person *ret);
struct str cast_version(int64_t day);              /* of the client on that day */
struct str uuid_of(struct rng *r, struct arena *mem);
struct str hex_of(struct rng *r, uint32_t n, struct arena *mem);

/* ---- plan.c ---- */

struct session {
    const struct person *who;
    struct str id, version;
    struct rng rng;
    uint32_t model, sequence, turns, done, interaction;
    uint64_t context;                              /* tokens in the window */
    int64_t free_ns;                               /* when the turn before ended */
    bool continued, loops;                         /* loops: this one runs away */
    bool outage;                                   /* of the API, on that day */
};

struct turn {
    int64_t start_ns, length_ms;
    uint32_t session;
};

struct plan {
    struct session *sessions;
    struct turn *turns;                            /* by their end */
    uint32_t nsessions, cap_sessions, nturns, cap_turns;
};
/* All of one day; lives in `mem`. */
void plan_day(const struct fleet_config *c, const struct person *people, int64_t day, struct arena *mem, struct plan *ret);

/* ---- wire.c: protobuf out ---- */

struct msg {
    size_t at;                                     /* of the length, filled in by msg_end() */
};
struct msg msg_begin(struct buf *b, uint32_t field);
void msg_end(struct buf *b, struct msg m);

/* Attributes in the field `field` of the open message. */
void attr_text(struct buf *b, uint32_t field, struct str key, struct str v);
void attr_int(struct buf *b, uint32_t field, struct str key, int64_t v);
void attr_double(struct buf *b, uint32_t field, struct str key, double v);
void attr_bool(struct buf *b, uint32_t field, struct str key, bool v);
void attr_digits(struct buf *b, uint32_t field, struct str key, uint64_t v);   /* a number that comes as a text */

/* ---- turn.c ---- */

struct counter {                                   /* what one attribute set of a metric gained in this turn */
    uint32_t metric;
    struct str a[FLEET_METRIC_ATTRS];              /* values of the metric's own attributes */
    double value;
    uint64_t nano;                                 /* money */
};

struct scene {                                     /* one turn being written */
    const struct fleet_config *cfg;
    struct session *s;
    struct fleet_event event;                      /* between event_begin() and event_end() */
    struct fleet_truth *truth;
    struct buf *logs, *metrics, *traces;
    struct arena *mem;
    struct rng rng;
    int64_t start_ns, now_ns;
    struct str prompt_id, trace_id, root_span;
    struct msg record;
    struct counter counters[64];
    uint32_t ncounters;
};
void turn_write(struct scene *s, int64_t length_ms);

/* metrics.c */
void counter_add(struct scene *s, enum fleet_metric m, struct str a, struct str b, struct str c, double value, int64_t nano);
void metrics_write(struct scene *s);

/* events.c */
void event_begin(struct scene *s, struct str name, bool with_prompt);
void event_end(struct scene *s);
void standard_attrs(struct scene *s, struct buf *b, uint32_t field);
void resource_begin(const struct session *s, struct buf *b, struct str scope, struct msg open[2]);
void resource_end(struct buf *b, struct msg open[2]);

/* spans.c; nothing where the person has no traces */
void span_request(struct scene *s, int64_t from_ns, struct str model, struct str request_id, const uint64_t tokens[FLEET_TOKEN_TYPES]);
void span_tool(struct scene *s, int64_t from_ns, struct str tool, struct str use_id, bool ok);
void span_interaction(struct scene *s);
