#include "ledger/complete.h"

const struct completeness_row completeness_rows[COMPLETE_COUNT] = {
    [COMPLETE_BOTH] = { S("complete"), S("Events and metrics agree."), true },
    [COMPLETE_EVENTS_ONLY] = { S("events_only"), S("Only events came; they tell all figures but active time, lines and commits."), true },
    [COMPLETE_METRICS_ONLY] = { S("metrics_only"), S("Only metrics came: money and tokens are known, single requests are not."), true },
    [COMPLETE_PENDING] = { S("pending"), S("The newest requests are not in the metrics yet; the next export brings them."), true },
    [COMPLETE_EVENTS_LOST] = { S("events_lost"), S("The metrics know of more than the events do: events were lost on their way."), false },
    [COMPLETE_METRICS_LOST] = { S("metrics_lost"),
        S("The metrics end before the events do: the client was killed before its last export, or that was lost."), true },
    [COMPLETE_NOTHING] = { S("nothing"), S("Neither events nor metrics tell of requests."), true },
};

static uint64_t sum_of(const struct tokens_at *at, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += at[i].tokens;
    return sum;
}

/* When the metrics first knew of more than the events; 0: never. Exports of one moment count together. */
static int64_t events_fell_behind(const struct tokens_at *events, size_t ne, const struct tokens_at *exports, size_t nx)
{
    uint64_t logged = 0, exported = 0;
    size_t e = 0;
    for (size_t x = 0; x < nx; x++) {
        exported += exports[x].tokens;
        if (x + 1 < nx && exports[x + 1].time_ns == exports[x].time_ns)
            continue;
        while (e < ne && events[e].time_ns <= exports[x].time_ns)
            logged += events[e++].tokens;
        if (exported > logged)
            return exports[x].time_ns;
    }
    return 0;
}

/* When the request ended that is the first not to be in the metrics. */
static int64_t metrics_fell_behind(const struct tokens_at *events, size_t ne, uint64_t exported)
{
    uint64_t logged = 0;
    for (size_t e = 0; e < ne; e++) {
        logged += events[e].tokens;
        if (logged > exported)
            return events[e].time_ns;
    }
    return 0;
}

struct complete complete_compare(const struct tokens_at *events, size_t ne, const struct tokens_at *exports, size_t nx, int64_t now_ns)
{
    struct complete c = { .events_tokens = sum_of(events, ne), .metrics_tokens = sum_of(exports, nx) };
    if (!ne || !nx) {
        c.state = ne ? COMPLETE_EVENTS_ONLY : nx ? COMPLETE_METRICS_ONLY : COMPLETE_NOTHING;
        return c;
    }
    if (c.metrics_tokens > c.events_tokens) {
        c.state = COMPLETE_EVENTS_LOST;
        c.since_ns = events_fell_behind(events, ne, exports, nx);
    } else if (c.metrics_tokens < c.events_tokens) {
        c.since_ns = metrics_fell_behind(events, ne, c.metrics_tokens);
        c.state = now_ns - c.since_ns > COMPLETE_WAIT_NS ? COMPLETE_METRICS_LOST : COMPLETE_PENDING;
    }
    return c;
}
