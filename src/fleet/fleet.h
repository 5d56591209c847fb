/* fleet/fleet.h -- a made-up company that uses Claude Code, day by day: the same numbers
 * for the same seed, as the requests that its clients would have sent.
 *
 * For `ccmon demo` and for benchmarks. A day's sessions depend on the seed, the date and
 * the person alone, so that a longer history has the shorter one in it. The generator
 * adds up what it draws, as integers, apart from what it encodes: that is the truth which
 * a server's answers are held against.
 *
 * Owner:    fleet_new/fleet_free; bodies live in the fleet until the next fleet_next().
 * Threads:  one at a time.
 * Units:    Unix ns; money in nano-dollars; durations in ms.
 * Spec:     OTLP 1.x, and what the real client sends (names, wire types, order).
 */
#pragma once
#include "base/buf.h"

enum { FLEET_MODELS = 3, FLEET_TOKEN_TYPES = 4, FLEET_PEOPLE_MAX = 100000 };
enum fleet_token { FLEET_INPUT, FLEET_OUTPUT, FLEET_CACHE_READ, FLEET_CACHE_CREATION };
extern const struct str fleet_token_names[FLEET_TOKEN_TYPES], fleet_model_names[FLEET_MODELS];

struct fleet_config {
    uint64_t seed;
    uint32_t people;
    int64_t from_ns, to_ns;                        /* whole days, UTC: from <= day < to */
    bool traces;                                   /* of the people who have them on */
};

/* What was handed out by fleet_next() so far. */
struct fleet_truth {
    uint64_t sessions, prompts, requests, errors, refusals, tool_calls, tool_denials, commits;
    uint64_t logs, points, spans;                  /* rows */
    uint64_t lines_added, lines_removed, active_ms;
    uint64_t tokens[FLEET_MODELS][FLEET_TOKEN_TYPES];
    int64_t cost_nano[FLEET_MODELS];
};

/* One turn of one session: a prompt and all it caused. */
struct fleet_turn {
    int64_t start_ns, end_ns;
    struct str logs, metrics, traces;              /* Export*ServiceRequest as protobuf; traces may be empty */
};

struct fleet;
struct fleet *fleet_new(const struct fleet_config *c);
void fleet_free(struct fleet *f);                  /* NULL is fine */
/* By day, and within a day by the end of the turn. False: all were given. */
bool fleet_next(struct fleet *f, struct fleet_turn *ret);
/* When will the next one end? INT64_MAX: there is none. */
int64_t fleet_next_end_ns(struct fleet *f);
const struct fleet_truth *fleet_truth(const struct fleet *f);
