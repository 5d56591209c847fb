/* logql/tmpl.h -- Go's text templates, as line_format and label_format use them.
 *
 * The data (the dot) is the labels of a line. Actions, variables, if, with, range,
 * break and continue, pipelines and Loki's functions are there; define, block and
 * template are refused.
 *
 * Owner:    a template lives in the arena it was parsed into.
 * Threads:  immutable once parsed; a run belongs to one thread.
 * Errors:   E_SYNTAX with Go's text; E_UNSUPPORTED.
 */
#pragma once
#include "logql/entry.h"

enum {
    TMPL_OUT_MAX = 1 << 20,                        /* bytes that one template may write */
    TMPL_STEPS_MAX = 100000,                       /* nodes that one run may visit */
};

struct tmpl;

/* `name` stands in error texts: "line", "label". */
MUST enum err tmpl_parse(struct str text, const char *name, struct arena *mem, struct tmpl **ret, struct fault *f);
/* The labels it names; *ret_all: it also reads the labels as a whole. */
void tmpl_fields(const struct tmpl *t, void (*each)(void *arg, struct str label), void *arg, bool *ret_all);

/* Writes to *ret (in e->mem). False: *ret_error says why. */
MUST bool tmpl_run(const struct tmpl *t, struct entry *e, struct str *ret, struct str *ret_error);
