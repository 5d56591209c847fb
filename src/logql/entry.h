/* logql/entry.h -- one log line on its way through a pipeline, and its labels.
 *
 * A label of a line is one of three: the stream's, structured metadata, or parsed.
 * The first two stay in the block's columns and are looked up by row; what stages
 * add or remove is a short list beside them. When names collide, a stream label
 * hides metadata of its name, which shows as name_extracted, and a parser whose
 * field is already a label of the line adds _extracted too, as Loki has it.
 *
 * Owner:    texts live in the block, in the query's arena or in the row's scratch.
 * Threads:  one.
 */
#pragma once
#include "logql/bind.h"

struct added {
    uint32_t name;
    struct str value;
};

struct keep_rule;                                  /* keep.h */
struct stage;
struct stage_def;

/* What parsers may leave out in metric queries. */
struct hints {
    bool no_labels;                                /* nothing that a parser finds is looked at */
    const uint32_t *required;                      /* only these names are; none: all are */
    uint32_t nrequired;
    bool keep_errors;                              /* __error__ was asked for, so it is no failure */
};

struct pipeline {
    struct query_ctx *ctx;
    struct names names;
    struct hints hints;
    struct binding bind;
    struct arena row_mem;                          /* empty; each line copies it as its scratch */
    struct bound_stage *steps;
    uint32_t nsteps;
    uint32_t err_name, details_name, preserve_name;
};

struct bound_stage {
    const struct stage_def *def;
    void *arg;
};

struct entry {
    struct pipeline *p;
    struct arena mem;                              /* scratch of this line */
    uint32_t row;
    int64_t time_ns;
    struct str line;
    uint32_t line_code;                            /* of the line in its column; 0: it has none, or was changed */
    struct added *added;                           /* parsed labels, unique */
    uint32_t nadded, cap_added;
    uint32_t *removed;                             /* names whose columns no longer count */
    uint32_t nremoved, cap_removed;
    const struct keep_rule *kept;                  /* the newest keep, or NULL */
    uint32_t found;                                /* how many of hints.required parsers have found */
    struct str err, err_details;
    bool preserve_error;
};

void pipeline_init(struct pipeline *p, struct query_ctx *ctx, bool spans, bool level);
void pipeline_done(struct pipeline *p);            /* for CLEANUP */
void pipeline_bind(struct pipeline *p, const struct stage *stages, uint32_t n);

/* Starts on a row of the bound block. */
void entry_begin(struct entry *e, struct pipeline *p, uint32_t row);
/* Runs the stages [from, to); false: the line is filtered out. */
bool entry_run(struct entry *e, uint32_t from, uint32_t to);

/* The label's value, parsed before metadata before stream. */
bool entry_get(struct entry *e, uint32_t name, struct str *ret);
/* The column that answers for the name, or NULL when a stage added, removed or hid it. */
const struct bound *entry_column(const struct entry *e, uint32_t name);
bool entry_has_added(const struct entry *e, uint32_t name, struct str *ret);
/* Is it a stream label of the line, or metadata that is still there? */
bool entry_taken(const struct entry *e, uint32_t name);
void entry_set(struct entry *e, uint32_t name, struct str value);
void entry_remove(struct entry *e, uint32_t name);
/* A field that a parser found: added unless the hints say that nobody looks. The
 * value must live as long as the row. */
void entry_extract(struct entry *e, uint32_t name, struct str value);
bool entry_wants(const struct entry *e, uint32_t name);
bool entry_found_all(const struct entry *e);       /* every required name has been found */
void entry_set_line(struct entry *e, struct str line);
void entry_error(struct entry *e, struct str what, struct str details);

enum category { CAT_STREAM, CAT_META, CAT_PARSED };
/* Every label there is, in no order, errors included (as parsed). */
typedef void entry_each_fn(void *arg, enum category cat, uint32_t name, struct str value);
void entry_each(struct entry *e, entry_each_fn *fn, void *arg);
