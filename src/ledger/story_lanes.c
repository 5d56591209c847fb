/* ledger/story_lanes.c -- the timeline of a session: who did what when, as bars in lanes.
 *
 *     main          requests of the main thread
 *     agent         one lane an agent: its requests
 *     tools         calls while they ran
 *     waits         calls while they waited for permission, which only traces tell
 *     compactions   the context made shorter
 *     errors        requests that failed or were refused, and marks that say so
 *
 * A bar names its record by its place in the story's lists, so nothing is said twice. A call
 * whose run time is not told, and a mark without a duration, is a bar without length.
 */
#include "base/num.h"
#include "ledger/story_write.h"

static void put_ns(struct jw *w, struct str key, int64_t ns)
{
    char text[24];
    jw_kv_str(w, key, (struct str){ text, num_fmt_i64(text, ns) });
}

static void put_bar(struct jw *w, int64_t begin_ns, int64_t end_ns, struct str of, uint32_t index)
{
    jw_obj(w);
    put_ns(w, S("begin_ns"), begin_ns);
    put_ns(w, S("end_ns"), end_ns);
    jw_kv_i64(w, of, index);
    jw_obj_end(w);
}

static void begin_lane(struct jw *w, struct str kind)
{
    jw_obj(w);
    jw_kv_str(w, S("lane"), kind);
}

static void begin_bars(struct jw *w)
{
    jw_key(w, S("bars"));
    jw_arr(w);
}

static void end_lane(struct jw *w)
{
    jw_arr_end(w);
    jw_obj_end(w);
}

static void put_requests(struct jw *w, const struct story *st, struct str agent)
{
    begin_bars(w);
    for (uint32_t i = 0; i < st->nrequests; i++)
        if (str_eq(st->requests[i].agent_id, agent))
            put_bar(w, st->requests[i].begin_ns, st->requests[i].end_ns, S("request"), i);
    end_lane(w);
}

/* Waiting ends where running begins; of a call that was not allowed, at the decision. */
static void put_waits(struct jw *w, const struct story *st)
{
    begin_lane(w, S("waits"));
    begin_bars(w);
    for (uint32_t i = 0; i < st->ntools; i++) {
        const struct tool_call *c = &st->tools[i];
        int64_t end = c->decided_ns != STORY_NONE ? c->decided_ns
                      : c->end_ns != STORY_NONE && c->run_ns != STORY_NONE ? c->end_ns - c->run_ns : STORY_NONE;
        if (c->wait_ns != STORY_NONE && end != STORY_NONE)
            put_bar(w, end - c->wait_ns, end, S("tool"), i);
    }
    end_lane(w);
}

static void put_tools(struct jw *w, const struct story *st)
{
    begin_lane(w, S("tools"));
    begin_bars(w);
    for (uint32_t i = 0; i < st->ntools; i++)
        if (st->tools[i].end_ns != STORY_NONE)
            put_bar(w, st->tools[i].end_ns - MAX(st->tools[i].run_ns, 0), st->tools[i].end_ns, S("tool"), i);
    end_lane(w);
}

static void put_mark(struct jw *w, const struct story *st, uint32_t i)
{
    put_bar(w, st->marks[i].time_ns - MAX(st->marks[i].duration_ns, 0), st->marks[i].time_ns, S("mark"), i);
}

static void put_errors(struct jw *w, const struct story *st)
{
    begin_lane(w, S("errors"));
    begin_bars(w);
    for (uint32_t i = 0; i < st->nrequests; i++)
        if (st->requests[i].outcome != OUTCOME_OK)
            put_bar(w, st->requests[i].begin_ns, st->requests[i].end_ns, S("request"), i);
    for (uint32_t i = 0; i < st->nmarks; i++)
        if (st->marks[i].bad && !str_eq(st->marks[i].kind, S("api_refusal")))     /* its request stands there already */
            put_mark(w, st, i);
    end_lane(w);
}

static void put_compactions(struct jw *w, const struct story *st)
{
    begin_lane(w, S("compactions"));
    begin_bars(w);
    for (uint32_t i = 0; i < st->nmarks; i++)
        if (str_eq(st->marks[i].kind, S("compaction")))
            put_mark(w, st, i);
    end_lane(w);
}

void story_put_lanes(struct jw *w, const struct story *st)
{
    jw_key(w, S("lanes"));
    jw_arr(w);
    begin_lane(w, S("main"));
    put_requests(w, st, S(""));
    for (uint32_t i = 0; i < MIN(st->nagents, (uint32_t)STORY_LANES_MAX); i++) {
        begin_lane(w, S("agent"));
        jw_kv_i64(w, S("agent"), i);
        put_requests(w, st, st->agents[i].id);
    }
    put_tools(w, st);
    put_waits(w, st);
    put_compactions(w, st);
    put_errors(w, st);
    jw_arr_end(w);
}
