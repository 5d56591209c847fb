/* fleet/plan.c -- one day: who begins a session when, and when its turns end.
 *
 * Everything hangs on (seed, day, person, number of the session), so that days can be
 * made in any order and alone.
 */
#include <stdlib.h>

#include "fleet/fleet_int.h"

enum {
    DAY_MS = 86400 * 1000,
    OUTAGE_DAYS = 29,                              /* on one day in so many the API has a bad hour for everybody */
    LOOP_SESSIONS = 700,                           /* one session in so many runs away */
    LOOP_TURN_MS = 40 * 60 * 1000,
    TURNS_MAX = 24,
};

static bool is_weekend(int64_t day)
{
    return (day + 4) % 7 == 0 || (day + 4) % 7 == 6;   /* day 0 was a Thursday */
}

static uint32_t sessions_today(const struct person *p, int64_t day, struct rng *r)
{
    uint32_t tenths = is_weekend(day) ? p->sessions_mean / 12 : p->sessions_mean;
    return tenths / 10 + (rng_below(r, 10) < tenths % 10) + (rng_percent(r, 20) && !is_weekend(day));
}

static void plan_turns(struct plan *p, struct session *s, struct arena *mem, int64_t at_ns)
{
    struct rng r = s->rng;
    for (uint32_t i = 0; i < s->turns; i++) {
        int64_t length_ms = s->loops && i == s->turns / 2 ? LOOP_TURN_MS : (int64_t)(4000 + rng_skewed(&r, 90 * 1000));
        *arena_push(mem, p->turns, p->nturns, p->cap_turns) = (struct turn){ at_ns, length_ms, p->nsessions - 1 };
        at_ns += (length_ms + (int64_t)(2000 + rng_skewed(&r, 100 * 1000))) * NS_PER_MS;
    }
}

static void plan_session(const struct fleet_config *c, const struct person *who, uint64_t person, uint64_t number, int64_t day,
                         struct arena *mem, struct plan *p)
{
    struct rng r = rng_of(c->seed, 4 + (uint64_t)day, person, number);
    struct session *s = arena_push(mem, p->sessions, p->nsessions, p->cap_sessions);
    *s = (struct session){
        .who = who,
        .id = uuid_of(&r, mem),
        .version = cast_version(day),
        .model = rng_percent(&r, 80) ? who->model : (uint32_t)rng_below(&r, FLEET_MODELS),
        .turns = (uint32_t)MIN(1 + rng_skewed(&r, 5), (uint64_t)TURNS_MAX),
        .context = rng_between(&r, 12000, 22000),
        .continued = rng_percent(&r, 12),
        .loops = rng_below(&r, LOOP_SESSIONS) == 0,
    };
    struct rng bad = rng_of(c->seed, 3, (uint64_t)day, 0);
    int64_t at_ms = (int64_t)(8 * 3600 + rng_below(&r, 9 * 3600)) * 1000 + (int64_t)rng_below(&r, 1000);
    s->outage = rng_below(&bad, OUTAGE_DAYS) == 0 && at_ms > 13 * 3600 * 1000 && at_ms < 15 * 3600 * 1000;
    s->rng = r;
    at_ms = (at_ms - who->zone_min * 60000 + DAY_MS) % DAY_MS;
    if (c->brief_sessions)
        s->turns = 1;
    plan_turns(p, s, mem, day * NS_PER_DAY + at_ms * NS_PER_MS);
}

static int64_t end_of(const struct turn *t)
{
    return t->start_ns + t->length_ms * NS_PER_MS;
}

static int by_end(const void *x, const void *y)
{
    const struct turn *a = x, *b = y;
    if (end_of(a) != end_of(b))
        return end_of(a) < end_of(b) ? -1 : 1;
    return a->session < b->session ? -1 : a->session > b->session;
}

void plan_day(const struct fleet_config *c, const struct person *people, int64_t day, struct arena *mem, struct plan *ret)
{
    *ret = (struct plan){ 0 };
    for (uint32_t i = 0; i < c->people; i++) {
        struct rng r = rng_of(c->seed, 3, (uint64_t)day, 1 + i);
        uint32_t n = c->brief_sessions ? c->brief_sessions : sessions_today(&people[i], day, &r);
        for (uint32_t k = 0; k < n; k++)
            plan_session(c, &people[i], i, k, day, mem, ret);
    }
    qsort(ret->turns, ret->nturns, sizeof *ret->turns, by_end);
}
