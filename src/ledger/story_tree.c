/* ledger/story_tree.c -- one prompt as a tree: what asked for what.
 *
 *     prompt
 *       request of the main thread
 *         tool that its answer asked for              by request_id
 *           agent that the call started               by parent_tool, which a trace tells
 *             request of that agent ...               by agent_id
 *       agent whose call is not told
 *       tool whose request is not told
 *       mark                                          skills, hooks, servers, compactions
 *
 * Every request, tool, agent and mark of the prompt stands in it exactly once, so the tree's
 * costs add up to the prompt's. Ids are the sender's and may lie: an agent is written once, and
 * agents nest no deeper than DEPTH_MAX; what is left stands at the top, with the id of its parent.
 */
#include "base/map.h"
#include "ledger/story_write.h"

enum { DEPTH_MAX = 3, NOTHING = UINT32_MAX };

/* Children of one kind by the id of their parent, in the story's order. */
struct children {
    struct map heads;
    uint32_t *next;
};

struct tree {
    const struct story *st;
    int32_t prompt;
    struct jw *w;
    struct children tools, agents, requests;       /* of a request, a tool, an agent */
    struct map asked;                              /* ids of the prompt's requests */
    struct map ours;                               /* ids of the prompt's agents */
    bool *agent_done;
};

/* From the last to the first, so that lists begin with the first. */
static void child(struct children *c, struct str parent, uint32_t i)
{
    uint32_t head = map_get(&c->heads, parent);
    c->next[i] = head == MAP_NONE ? NOTHING : head;
    map_put(&c->heads, parent, i);
}

static uint32_t first_child(const struct children *c, struct str parent)
{
    uint32_t head = parent.n ? map_get(&c->heads, parent) : MAP_NONE;
    return head == MAP_NONE ? NOTHING : head;
}

static void collect(struct tree *t, struct arena *mem)
{
    const struct story *st = t->st;
    t->tools.next = arena_new(mem, uint32_t, st->ntools + 1);
    t->agents.next = arena_new(mem, uint32_t, st->nagents + 1);
    t->requests.next = arena_new(mem, uint32_t, st->nrequests + 1);
    t->agent_done = arena_new(mem, bool, st->nagents + 1);
    for (uint32_t i = st->nrequests; i-- > 0;) {
        if (st->requests[i].prompt != t->prompt)
            continue;
        if (st->requests[i].id.n)
            map_put(&t->asked, st->requests[i].id, i);
        if (st->requests[i].agent_id.n)
            child(&t->requests, st->requests[i].agent_id, i);
    }
    for (uint32_t i = st->ntools; i-- > 0;)
        if (st->tools[i].prompt == t->prompt && st->tools[i].request_id.n)
            child(&t->tools, st->tools[i].request_id, i);
    for (uint32_t i = st->nagents; i-- > 0;) {
        if (st->agents[i].prompt != t->prompt)
            continue;
        map_put(&t->ours, st->agents[i].id, i);
        if (st->agents[i].parent_tool.n)
            child(&t->agents, st->agents[i].parent_tool, i);
    }
}

static void put_agent(struct tree *t, uint32_t i, int depth);

static void put_tool(struct tree *t, uint32_t i, int depth)
{
    const struct tool_call *c = &t->st->tools[i];
    jw_obj(t->w);
    jw_kv_str(t->w, S("node"), S("tool"));
    story_put_tool(t->w, c);
    jw_key(t->w, S("children"));
    jw_arr(t->w);
    for (uint32_t a = first_child(&t->agents, c->id); a != NOTHING && depth < DEPTH_MAX; a = t->agents.next[a])
        if (!t->agent_done[a])
            put_agent(t, a, depth + 1);
    jw_arr_end(t->w);
    jw_obj_end(t->w);
}

static void put_request(struct tree *t, uint32_t i, int depth)
{
    const struct request *q = &t->st->requests[i];
    bool owns = q->id.n && map_get(&t->asked, q->id) == i;     /* of two with one id the first has the tools */
    jw_obj(t->w);
    jw_kv_str(t->w, S("node"), S("request"));
    story_put_request(t->w, q);
    jw_key(t->w, S("children"));
    jw_arr(t->w);
    for (uint32_t c = owns ? first_child(&t->tools, q->id) : NOTHING; c != NOTHING; c = t->tools.next[c])
        put_tool(t, c, depth);
    jw_arr_end(t->w);
    jw_obj_end(t->w);
}

static void put_agent(struct tree *t, uint32_t i, int depth)
{
    const struct agent *a = &t->st->agents[i];
    t->agent_done[i] = true;
    jw_obj(t->w);
    jw_kv_str(t->w, S("node"), S("agent"));
    story_put_agent(t->w, a);
    jw_key(t->w, S("children"));
    jw_arr(t->w);
    for (uint32_t q = first_child(&t->requests, a->id); q != NOTHING; q = t->requests.next[q])
        put_request(t, q, depth);
    jw_arr_end(t->w);
    jw_obj_end(t->w);
}

static bool is_asked(const struct tree *t, const struct tool_call *c)
{
    return c->request_id.n && map_get(&t->asked, c->request_id) != MAP_NONE;
}

/* An agent's requests stand under it, if there is such an agent in this prompt. */
static bool has_agent(const struct tree *t, struct str id)
{
    return id.n && map_get(&t->ours, id) != MAP_NONE;
}

static void put_top(struct tree *t)
{
    const struct story *st = t->st;
    for (uint32_t i = 0; i < st->nrequests; i++)
        if (st->requests[i].prompt == t->prompt && !has_agent(t, st->requests[i].agent_id))
            put_request(t, i, 0);
    for (uint32_t i = 0; i < st->ntools; i++)
        if (st->tools[i].prompt == t->prompt && !is_asked(t, &st->tools[i]))
            put_tool(t, i, 0);
    for (uint32_t i = 0; i < st->nagents; i++)
        if (st->agents[i].prompt == t->prompt && !t->agent_done[i])
            put_agent(t, i, 0);
    for (uint32_t i = 0; i < st->nmarks; i++)
        if (st->marks[i].prompt == t->prompt) {
            jw_obj(t->w);
            jw_kv_str(t->w, S("node"), S("mark"));
            story_put_mark(t->w, &st->marks[i]);
            jw_obj_end(t->w);
        }
}

void story_write_prompt(const struct story *st, uint32_t prompt, struct arena *mem, struct jw *w)
{
    CHECK(prompt < st->nprompts);
    struct tree t = { .st = st, .prompt = (int32_t)prompt, .w = w };
    collect(&t, mem);
    jw_obj(w);
    jw_kv_str(w, S("session"), st->session);
    jw_key(w, S("prompt"));
    jw_obj(w);
    story_put_prompt(w, &st->prompts[prompt]);
    jw_obj_end(w);
    jw_key(w, S("tree"));
    jw_arr(w);
    put_top(&t);
    jw_arr_end(w);
    jw_obj_end(w);
    map_done(&t.tools.heads);
    map_done(&t.agents.heads);
    map_done(&t.requests.heads);
    map_done(&t.asked);
    map_done(&t.ours);
}
