/* ledger/sums.h -- settled figures of a time range, told apart by labels; sessions and their facts.
 *
 * What PromQL's ccmon_* series add up to (accounting rule 6: events over OTLP metrics over
 * scraped over remote-written ones, by session and measure), as whole numbers: to the
 * nano-dollar, whatever they are told apart by. A row belongs to its own time: a bucket has
 * from <= t < to, where PromQL's increase has (start, end]; so a bucket is increase() at
 * `to` - 1 ms over its width.
 *
 * Labels are those of the settled series, in Prometheus's spelling, and some more:
 *
 *   session_id user_id user_email user_account_uuid organization_id model query_source agent_name
 *   skill_name plugin_name mcp_server_name mcp_tool_name effort vcs_repository_name terminal_type
 *   app_entrypoint, whatever people put into OTEL_RESOURCE_ATTRIBUTES (team, cost_center),
 *   tool_name (of tool calls and decisions), version (of the client), ccmon_source
 *
 * A label that a row does not have is the empty text. The type of tokens, lines and active
 * time is no label: each is a figure (figures.h).
 *
 * Owner:    answers live in the arena given, texts too.
 * Threads:  any; each call its own arena.
 * Errors:   those of a scan; E_LIMIT past SUMS_ROWS_MAX, and past the arena's budget.
 * Units:    Unix ns; figures as figures.h has them.
 */
#pragma once
#include "ledger/complete.h"
#include "ledger/figures.h"
#include "ledger/settled.h"

enum { SUMS_BY_MAX = 4, SUMS_ROWS_MAX = 4 << 20, SUMS_BUCKETS_MAX = 100000 };

struct sums_req {
    int64_t from_ns, to_ns;                        /* from <= time < to */
    const int64_t *edges;                          /* NULL: the range is one bucket; else bucket i is [edges[i], edges[i + 1]) */
    uint32_t nedges;
    const struct str *by;                          /* labels that rows are told apart by, at most SUMS_BY_MAX */
    uint32_t nby;
    const struct matcher *matchers;                /* on labels as above */
    uint32_t nmatchers;
    uint32_t figures;                              /* 1 << enum figure; 0: all */
    int64_t deadline_mono_ns;                      /* 0: none */
    const bool *cancelled;
};

/* Rows that have something, in the order of their groups, then buckets. */
struct sums_row {
    uint32_t group, bucket;
};
struct sums {
    uint32_t ngroups, nby, nrows, nfigures;
    const struct str *texts;                       /* of group g and label l: texts[g * nby + l] */
    const struct sums_row *rows;
    const int64_t *values;                         /* of row r: values[r * nfigures + place[figure]] */
    uint8_t place[FIG_COUNT];                      /* UINT8_MAX: was not asked */
    struct scan_stats stats;
};
MUST enum err sums_read(struct settled *s, const struct sums_req *req, struct arena *mem, struct sums *ret, struct fault *f);

static inline int64_t sums_value(const struct sums *s, uint32_t row, enum figure f)
{
    CHECK(s->place[f] != UINT8_MAX);
    return s->values[(size_t)row * s->nfigures + s->place[f]];
}

/* ---- sessions ---------------------------------------------------------------------- */

/* What is said of a session once. The first text there is counts. */
enum session_fact {
    FACT_USER_EMAIL, FACT_USER_ID, FACT_ACCOUNT, FACT_ORGANIZATION, FACT_TERMINAL, FACT_ENTRYPOINT, FACT_VERSION, FACT_REPOSITORY,
    FACT_OS, FACT_PROVIDER,
    FACT_COUNT,
};
struct session_fact_row {
    struct str name, label;                        /* "user_email"; the label it is read from */
};
extern const struct session_fact_row session_facts[FACT_COUNT];

/* A session is a session.id with a prompt, a request or a tool in it (rule 8), or with figures
 * that metrics tell; what is of start-up alone has seen_ns 0 and is left out unless asked for. */
struct session_row {
    uint32_t id;                                   /* texts are codes: sessions.texts[] */
    uint32_t facts[FACT_COUNT];                    /* 0: not told */
    uint32_t first_extra, nextras;                 /* sessions.extras[]: people's own resource attributes, further versions, models */
    int64_t first_ns, last_ns;                     /* of its rows in the range */
    int64_t seen_ns;                               /* its first prompt, request or tool in the range; 0: none */
    enum completeness complete;
    int64_t metrics_tokens;                        /* what its metrics tell, counted or not; events' are figures */
    uint8_t source;                                /* who tells its cost: 0 nobody, 1 events, else 1 + enum origin */
};
struct session_extra {
    uint32_t label, text;                          /* codes: "team", "model", "version" */
};
struct sessions_req {
    int64_t from_ns, to_ns, now_ns;
    const struct matcher *matchers;                /* on labels: sessions of which some row passes; their figures are of these rows */
    uint32_t nmatchers;
    uint32_t figures;                              /* 0: all */
    bool startups;                                 /* those without a prompt, request or tool too */
    int64_t deadline_mono_ns;
    const bool *cancelled;
};
struct session_list {
    const struct str *texts;                       /* by code; 0 is empty */
    uint32_t ntexts;
    struct session_row *rows;                      /* in no order */
    uint32_t n, nfigures;
    int64_t *values;                               /* of session i: values[i * nfigures + place[figure]] */
    uint8_t place[FIG_COUNT];
    const struct session_extra *extras;
    struct scan_stats stats;
};
MUST enum err sessions_read(struct settled *s, const struct sessions_req *req, struct arena *mem, struct session_list *ret, struct fault *f);

static inline int64_t session_value(const struct session_list *l, uint32_t session, enum figure f)
{
    CHECK(l->place[f] != UINT8_MAX);
    return l->values[(size_t)session * l->nfigures + l->place[f]];
}
