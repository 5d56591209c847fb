/* logql/stage.h -- a pipeline stage as a table row: how it is read, printed and run.
 *
 * A new stage is a file with one `struct stage_def` and a line in stage.c.
 *
 * Threads:  the rows are constant. What bind() makes belongs to one evaluation.
 */
#pragma once
#include "logql/coded.h"
#include "logql/entry.h"
#include "logql/parse_int.h"

/* The labels that a query reads: which columns to ask for, what parsers must find. */
struct need {
    struct arena *mem;
    struct str *names;
    uint32_t n, cap;
    struct str *required;                          /* those that filters and formats name: hints for parsers */
    uint32_t nrequired, cap_required;
    bool all;                                      /* a stage reads whatever labels there are */
};

void need_name(struct need *n, struct str name);            /* a column */
void need_required(struct need *n, struct str name);        /* a column that a parser must not skip */

struct stage_def {
    struct str word;                               /* empty: told apart by its first token */
    MUST enum err (*parse)(struct parser *p, struct stage *s);   /* what follows the word */
    void (*print)(const struct stage *s, struct buf *b);
    void (*needs)(const struct stage *s, struct need *n);        /* NULL: none */
    void *(*bind)(struct pipeline *p, const struct stage *s);    /* NULL: s->arg as it is */
    bool (*run)(void *bound, struct entry *e);                   /* false: the line is dropped */
    /* Drops the lines that run() would drop, by columns, when no stage before has changed
     * anything; false: it takes more than columns, the selection is as it was. NULL: never. */
    bool (*choose)(void *bound, struct pipeline *p, struct selection *s);
    bool (*passes_all)(const struct stage *s);                   /* it drops no line whatever there is; NULL: false */
    bool keeps_line, keeps_labels;                 /* does not change the line; the labels */
    bool limits;                                   /* afterwards only labels that it names are left */
};

extern const struct stage_def stage_line_filter, stage_label_filter, stage_json, stage_json_fields, stage_logfmt,
    stage_logfmt_fields, stage_regexp, stage_pattern, stage_unpack, stage_line_format, stage_label_format,
    stage_decolorize, stage_drop, stage_keep;

const struct stage_def *stage_find(struct str word);
