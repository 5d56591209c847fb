/* ledger/figures.h -- the numbers that sums are made of, as a table.
 *
 * A figure is one whole number that adds up: nano-dollars, tokens of one type, a count, a
 * duration. Figures of a family come from the same rows: an event, or a metric. Rule 6 holds by
 * measure: of a session that has any event of a measure its events tell it, else its metrics do.
 *
 * Threads:  constants.
 */
#pragma once
#include "base/str.h"

/* In the order of the table. Money in nano-dollars, time in nanoseconds. */
enum figure {
    FIG_COST, FIG_TOKENS_INPUT, FIG_TOKENS_OUTPUT, FIG_TOKENS_CACHE_READ, FIG_TOKENS_CACHE_CREATION,
    FIG_REQUESTS, FIG_API_NS, FIG_UNPRICED,
    FIG_ERRORS, FIG_REFUSALS, FIG_PROMPTS,
    FIG_TOOL_CALLS, FIG_TOOL_FAILURES, FIG_TOOL_NS, FIG_ACCEPTED, FIG_REJECTED,
    FIG_ACTIVE_USER_NS, FIG_ACTIVE_CLI_NS, FIG_LINES_ADDED, FIG_LINES_REMOVED, FIG_COMMITS, FIG_PULL_REQUESTS,
    FIG_COUNT,
};
#define FIGURES_ALL ((UINT32_C(1) << FIG_COUNT) - 1)
#define FIGURES_TOKENS (UINT32_C(15) << FIG_TOKENS_INPUT)

enum figure_unit { UNIT_COUNT, UNIT_TOKENS, UNIT_NANO_USD, UNIT_NS };

struct figure_row {
    struct str name;                               /* "cost", "tokens_input", "api_ns" */
    enum figure_unit unit;
    struct str series, type;                       /* the same as a series of PromQL: its name, and its label `type`; empty: none */
    struct str event, attribute;                   /* event.name; the attribute that is added up, empty: each event counts one */
    struct str when, is;                           /* the event counts only if this attribute has this text; empty: always */
    struct str metric;                             /* canonical name; empty: no metric tells it */
    struct str help;
};
extern const struct figure_row figures[FIG_COUNT];
/* FIG_COUNT: there is none of this name. */
enum figure figure_find(struct str name);
