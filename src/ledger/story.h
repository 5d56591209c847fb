/* ledger/story.h -- one session as its rows tell it: prompts, requests, tools, agents, marks.
 *
 * Computed when it is asked for, from the session's log records and spans alone, so that it
 * never has to be rebuilt and cannot disagree with what is stored. What the telemetry does
 * not say stays unknown (-1, or an empty text) and is not made up.
 *
 * Order: by time, then by event.sequence, which counts per process and so starts anew in a
 * resumed session.
 *
 * Owner:    everything lives in the arena given; texts are copied.
 * Threads:  one; the price book is shared.
 * Errors:   those of a scan; E_LIMIT past STORY_ROWS_MAX; E_NOTFOUND: no row has this session.
 * Units:    Unix ns, ns; tokens; nano-dollars; bytes.
 */
#pragma once
#include "ledger/complete.h"
#include "ledger/prices.h"
#include "model/source.h"

enum { STORY_ROWS_MAX = 500000, STORY_LANES_MAX = 200, STORY_NONE = -1 };

/* Tokens and money of some requests together. */
struct spent {
    uint32_t requests, errors;
    uint64_t tokens[TOKEN_CLASSES];
    int64_t nanos;                                 /* as the client reported it, else by the book */
    int64_t list_nanos, uncached_nanos;            /* by the book, of the priced ones */
    uint32_t unpriced;                             /* requests with neither */
};

enum outcome { OUTCOME_OK, OUTCOME_ERROR, OUTCOME_REFUSED };

struct request {
    int64_t begin_ns, end_ns, ttft_ns;             /* ttft STORY_NONE: unknown */
    struct str id, model, query_source, effort, agent_id, agent, skill, plugin, mcp_server, mcp_tool;
    struct str error;
    int64_t status_code;                           /* of an error; STORY_NONE */
    enum outcome outcome;
    bool fast;
    int64_t attempts;                              /* a trace knows; STORY_NONE */
    uint64_t tokens[TOKEN_CLASSES];
    int64_t nanos;                                 /* STORY_NONE: neither reported nor priced */
    bool reported;                                 /* nanos is the client's own */
    struct list_price list;
    enum price_reason reason;                      /* why the two differ */
    int32_t prompt;                                /* index, or STORY_NONE */
};

struct tool_call {
    struct str id, name, source, request_id, agent_id;
    struct str decision, decided_by, permission_mode;
    struct str error_type, error, commit;
    int64_t decided_ns, end_ns;                    /* STORY_NONE: not seen */
    int64_t run_ns, wait_ns;                       /* wait: for permission, from a trace */
    int64_t input_bytes, result_bytes;
    int64_t success;                               /* 1, 0; STORY_NONE: it did not run, or not yet */
    int32_t prompt;
    int64_t nanos;                                 /* inferred: its share of the request that read its result */
    bool paid;                                     /* a request read it */
};

struct prompt {
    struct str id, text, command;
    int64_t begin_ns, end_ns;                      /* of its last row */
    int64_t length;                                /* characters; STORY_NONE */
    struct spent spent;                            /* its subagents' work too */
    uint32_t tools, failed_tools;
};

struct agent {
    struct str id, type, source, parent_tool;      /* parent_tool: the call that started it; empty: not told */
    int64_t begin_ns, end_ns;
    bool completed, async, model_swapped;
    struct spent spent;
    uint32_t tools;
    int32_t prompt;
};

/* What happened beside requests and tools: compactions, hooks, skills, servers, errors ... */
struct mark {
    int64_t time_ns, duration_ns;                  /* STORY_NONE */
    struct str kind, name, detail;                 /* the event's name; what it is about; its result */
    bool bad;                                      /* failed, refused, gave up */
    int32_t prompt;
};

struct story {
    struct str session, user_email, user_id, account, organization, terminal, entrypoint, version, repository, os, provider;
    int64_t begin_ns, end_ns;
    struct str *models;
    uint32_t nmodels;
    struct request *requests;
    uint32_t nrequests;
    struct tool_call *tools;
    uint32_t ntools;
    struct prompt *prompts;
    uint32_t nprompts;
    struct agent *agents;
    uint32_t nagents;
    struct mark *marks;
    uint32_t nmarks;
    struct spent spent;
    int64_t prompts_nanos;                         /* of requests that read no tool's result; with all tools' shares the whole */
    struct complete complete;
    uint32_t events, spans, traced;                /* traced: requests that a trace knows too */
    bool has_traces;
};

/* What is asked: a session, the rows of [from, to), and when. */
struct story_req {
    struct str session;
    int64_t from_ns, to_ns, now_ns;
    int64_t deadline_mono_ns;
    const bool *cancelled;
};
MUST enum err story_read(struct source *src, const struct prices *prices, const struct story_req *req, struct arena *mem,
                         struct story *ret, struct fault *f);
