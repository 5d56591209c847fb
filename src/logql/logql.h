/* logql/logql.h -- LogQL, the query language of Loki 3, over a source of rows.
 *
 * logql_parse() gives a parsed and checked query; logql_logs() and
 * logql_metric() evaluate it. The same query may be evaluated many times.
 *
 * Owner:    the query lives in the arena it was parsed into, but for its regular
 *           expressions: logql_freep() ends those. Results live in ctx->mem.
 * Threads:  a parsed query is immutable; one evaluation belongs to one thread.
 * Errors:   E_SYNTAX with Loki's text and the byte offset; E_UNSUPPORTED for valid
 *           LogQL that is not evaluated; E_EXEC (pipeline errors, bad matches);
 *           E_LIMIT and E_CANCELLED as query/query.h has them. Where a fault is too
 *           short for a text, ctx->error (evaluation) or logql_error() has it whole.
 */
#pragma once
#include "query/vec.h"

enum {
    LOGQL_QUERY_MAX = 131072,                      /* bytes of a query */
    LOGQL_DEPTH_MAX = 100,                         /* nesting of expressions and filters */
    LOGQL_STAGES_MAX = 100,                        /* stages of one pipeline */
    LOGQL_MATCHERS_MAX = 100,                      /* matchers of one selector */
    LOGQL_NAMES_MAX = 200,                         /* names in one list: by, drop, json, ... */
};

struct logql;

enum logql_type { LOGQL_LOGS, LOGQL_METRIC, LOGQL_SCALAR };

MUST enum err logql_parse(struct str text, struct arena *mem, struct logql **ret, struct fault *f);
/* The same, but only a selector is allowed ("{a=\"b\"}"); `label/values` and `series` take these. */
MUST enum err logql_parse_selector(struct str text, struct arena *mem, struct logql **ret, struct fault *f);
void logql_freep(struct logql **q);                /* for CLEANUP; NULL is fine */

enum logql_type logql_type(const struct logql *q);
double logql_scalar(const struct logql *q);        /* LOGQL_SCALAR: its value */
bool logql_sorts(const struct logql *q);           /* the outermost operator is sort or sort_desc */
/* The query as Loki's format_query prints it. */
struct str logql_format(const struct logql *q, struct arena *mem);

/* What ccmon adds to what was sent, and may be told not to. */
struct logql_options {
    bool no_detected_level;
    bool by_lines;                                 /* no short ways over columns: for tests, which compare the two */
};

/* ---- lines ------------------------------------------------------------------ */

struct log_req {
    int64_t start_ns, end_ns;                      /* start <= time < end */
    uint32_t limit;
    bool forward;
    int64_t interval_ns;                           /* at most one line per interval; 0: all */
};

/* One line. The three label lists are sorted by name; values may be empty there. */
struct log_entry {
    int64_t time_ns;
    struct str line;
    struct labels meta, parsed;
};

struct log_stream {
    struct labels labels;                          /* of the stream as it was sent */
    struct labels all;                             /* with metadata and parsed labels: equal for all entries unless categorized */
    struct log_entry *entries;
    uint32_t n, cap;
};

struct log_result {
    struct log_stream *streams;                    /* sorted by labels */
    uint32_t n, cap;
    uint64_t entries, bytes;                       /* returned lines; bytes of all lines looked at */
};

/* `categorized`: streams by their own labels only, the rest with each entry. */
MUST enum err logql_logs(struct query_ctx *ctx, const struct logql *q, const struct logql_options *opt,
                         const struct log_req *req, bool categorized, struct log_result *ret, struct fault *f);

/* ---- metrics ---------------------------------------------------------------- */

struct log_steps {
    int64_t start_ns, step_ns;                     /* step > 0, also for one step */
    uint32_t n;
};

struct steps log_steps_ms(struct log_steps st);

MUST enum err logql_metric(struct query_ctx *ctx, const struct logql *q, const struct logql_options *opt,
                           struct log_steps st, struct vec *ret, struct fault *f);

/* ---- streams, labels, sizes -------------------------------------------------- */

struct log_span {
    int64_t start_ns, end_ns;                      /* start <= time < end */
};

struct stream_size {
    struct labels labels;
    uint64_t entries, bytes;                       /* bytes of lines and metadata; 0 when not asked for */
};

struct stream_list {
    struct stream_size *at;                        /* sorted by labels */
    uint32_t n;
};

/* The distinct streams that have an entry in the span; `q` (a selector) NULL: all.
 * Stages of q are not run. */
MUST enum err logql_streams(struct query_ctx *ctx, const struct logql *q, struct log_span span, bool sizes,
                            struct stream_list *ret, struct fault *f);
/* Names of stream labels, sorted. */
MUST enum err logql_label_names(struct query_ctx *ctx, const struct logql *q, struct log_span span,
                                struct str **ret, uint32_t *ret_n, struct fault *f);
/* Values of one stream label, sorted; a name that nobody knows has none. */
MUST enum err logql_label_values(struct query_ctx *ctx, const struct logql *q, struct log_span span, struct str label,
                                 struct str **ret, uint32_t *ret_n, struct fault *f);
/* The distinct values of a label among streams that were listed, sorted. */
void log_label_values(const struct stream_list *streams, struct str label, struct arena *mem, struct str **ret, uint32_t *ret_n);
/* The labels that the selector of a log query names. */
void logql_selected_labels(const struct logql *q, struct arena *mem, struct str **ret, uint32_t *ret_n);

/* ---- fields ------------------------------------------------------------------- */

enum field_type { FIELD_STRING, FIELD_INT, FIELD_FLOAT, FIELD_BOOLEAN, FIELD_DURATION, FIELD_BYTES };
enum field_parser { FIELD_JSON = 1, FIELD_LOGFMT = 2, FIELD_OTHER = 4 };   /* bits; none: structured metadata */

struct log_field {
    struct str name;
    enum field_type type;                          /* of the first value seen */
    uint32_t parsers;
    const struct str *path;                        /* FIELD_JSON: the keys that lead to it */
    uint32_t npath;
    struct str *values;                            /* distinct, in order of first sight */
    uint32_t nvalues, cap_values;
};

struct log_fields {
    struct log_field *at;
    uint32_t n, cap;
};

/* The fields of the newest `lines` lines: metadata, and what the query's parsers find;
 * where it has none, what json or else logfmt would. */
MUST enum err logql_fields(struct query_ctx *ctx, const struct logql *q, const struct logql_options *opt, struct log_span span,
                           uint32_t lines, struct log_fields *ret, struct fault *f);
struct str log_field_type_name(enum field_type t);
