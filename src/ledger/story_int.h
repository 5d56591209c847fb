/* ledger/story_int.h -- from rows to records, from records to the story.
 *
 * A record is one row whose attributes were read into a struct by a table (story_rows.c);
 * records of all blocks are put in order and told one after another (story_events.c,
 * story_spans.c). A kind of event is a row of story_kinds.
 */
#pragma once
#include "base/map.h"
#include "ledger/story.h"

enum attr_type { ATTR_TEXT, ATTR_INT, ATTR_MS, ATTR_DOUBLE, ATTR_BOOL };

struct attr {
    struct str name;                               /* of the attribute, "request_id" */
    enum attr_type type;
    size_t at;                                     /* offsetof: str, int64_t, int64_t ns, double, int64_t 0/1 */
};

/* What every record has. */
struct record {
    int64_t time_ns, sequence, end_ns;             /* end: spans */
    uint64_t seq;                                  /* arrival */
    const struct kind *kind;
    struct str name;                               /* of the event or span */
    struct str prompt_id, agent_id, request_id, span_id, parent_span_id;
};

struct telling {
    struct story *st;
    const struct prices *prices;
    struct arena *mem;
    uint32_t cap_requests, cap_tools, cap_prompts, cap_agents, cap_marks, cap_models;
    struct map prompts, requests, tools, agents;   /* by id -> index */
    struct map refused;                            /* ids of requests whose refusal came first */
    struct map spans;                              /* span id -> its tool's index: what hangs under it */
};

/* A kind of row: its attributes, and what it does to the story. */
struct kind {
    enum table table;
    struct str name;                               /* event.name, or the span's name */
    const struct attr *attrs;                      /* ends with an empty name */
    size_t size;                                   /* of the struct that they are read into; its first member is a record */
    void (*tell)(struct telling *t, const struct record *r);
};

extern const struct kind story_events[], story_spans[];            /* end with an empty name */
extern const struct kind story_other;              /* events without a row of their own */

/* story_shares.c: the tools' shares of what requests cost. */
void story_share(struct story *st, struct arena *mem);

/* story_metrics.c: compares with the session's metrics. `asked`: its matcher is the session. */
MUST enum err story_complete(struct source *src, const struct scan_req *asked, struct story *st, int64_t now_ns, struct arena *mem,
                             struct fault *f);

/* story_people.c: who and where, from whatever column says it. */
void story_people_block(struct telling *t, const struct block *b);

struct record_list {
    struct record **at;
    size_t n, cap;
};
MUST enum err story_rows(struct telling *t, struct source *src, const struct scan_req *req, struct record_list *ret, struct fault *f);

/* What several kinds do. */
int32_t telling_prompt(struct telling *t, const struct record *r);             /* touched by the record; STORY_NONE */
struct tool_call *telling_tool(struct telling *t, struct str id);              /* made when it is new; NULL without an id */
struct agent *telling_agent(struct telling *t, const struct record *r);        /* NULL: the main thread */
void spent_add(struct spent *s, const struct request *r);
