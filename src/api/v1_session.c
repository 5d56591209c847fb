/* api/v1_session.c -- one session, and one prompt of it, computed from its rows when asked. */
#include "api/v1.h"
#include "ledger/story_write.h"

static enum err read_story(struct v1_call *c, struct story *ret, struct fault *f)
{
    struct story_req req = { c->r->wild[0], c->from_ns, c->to_ns, c->now_ns, c->q.deadline_mono_ns, c->q.cancelled };
    return story_read(c->a->src, c->a->prices, &req, c->mem, ret, f);
}

static enum err session(struct v1_call *c, struct jw *w, struct fault *f)
{
    struct story st;
    enum err e = read_story(c, &st, f);
    if (!e)
        story_write(&st, w);
    return e;
}

static enum err prompt(struct v1_call *c, struct jw *w, struct fault *f)
{
    struct story st;
    enum err e = read_story(c, &st, f);
    for (uint32_t i = 0; !e && i < st.nprompts; i++)
        if (str_eq(st.prompts[i].id, c->r->wild[1])) {
            story_write_prompt(&st, i, c->mem, w);
            return OK;
        }
    return e ? e : fault_set(f, E_NOTFOUND, 0, "the session has no prompt \"" STR_FMT "\"", STR_ARG(str_sub(c->r->wild[1], 0, 80)));
}

const struct v1_route v1_session = {
    .wild = { S("session") },
    .doc = S("Computed from the session's rows when asked. `lanes` are the timeline: main, one for each agent, tools, waits, compactions, "
             "errors; `begin_ns` and `end_ns` of their bars are Unix nanoseconds."),
    .flags = V1_RANGE,
    .object = session,
};

const struct v1_route v1_prompt = {
    .wild = { S("session"), S("prompt") },
    .doc = S("`tree` has the prompt's requests, and under each what its answer asked for: tools with their decision, wait, run time and "
             "result, under an Agent's call the work of that agent; marks (skills, hooks, servers, compactions) stand among them by time."),
    .flags = V1_RANGE,
    .object = prompt,
};
