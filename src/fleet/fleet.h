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

/* A session, as long as its day is given out. */
struct session;
/* Its attributes, in the order in which the client sends them. */
void fleet_attrs(const struct session *s, void (*each)(void *arg, struct str key, struct str value), void *arg);
struct str fleet_session_id(const struct session *s);
struct str fleet_email(const struct session *s);
/* Resource and scope around `items`, which are metrics: a whole member of a metrics request. */
void fleet_metrics_envelope(const struct session *s, struct str items, struct buf *ret);

/* One event, and what of it a truth may be made of; texts that it has not are empty. */
struct fleet_event {
    const struct session *session;
    int64_t time_ns, nano;                         /* nano: money */
    struct str name, model, tool;
    uint64_t duration_ms;
    bool marked;                                   /* a prompt with FLEET_MARK in it */
};
#define FLEET_MARK "heisenbug"

enum { FLEET_METRICS = 7, FLEET_METRIC_ATTRS = 3 };
struct fleet_metric_def {
    struct str name, unit, help, attrs[FLEET_METRIC_ATTRS];
};
extern const struct fleet_metric_def fleet_metrics[FLEET_METRICS];
enum fleet_metric { M_SESSIONS, M_COST, M_TOKENS, M_LINES, M_COMMITS, M_DECISIONS, M_ACTIVE, M_COUNT };

/* What one attribute set of a counter gained in a turn. */
struct fleet_gain {
    const struct session *session;
    int64_t start_ns, time_ns;                     /* of the turn */
    enum fleet_metric metric;
    struct str a[FLEET_METRIC_ATTRS];              /* of its attributes; empty: it has not */
    double value;                                  /* money too */
    int64_t nano;                                  /* money, exactly */
};

struct fleet_config {
    uint64_t seed;
    uint32_t people;
    int64_t from_ns, to_ns;                        /* whole days, UTC: from <= day < to */
    bool traces;                                   /* of the people who have them on */
    bool texts;                                    /* prompts and commands are logged */
    uint32_t brief_sessions;                       /* 0, or so many a person and day, of one prompt and one request */
    /* May be NULL. Called for each event and gain of a turn before fleet_next() gives it. */
    void (*seen)(void *arg, const struct fleet_event *e);
    void (*gained)(void *arg, const struct fleet_gain *g);
    void *arg;
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
