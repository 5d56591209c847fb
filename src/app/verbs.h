/* app/verbs.h -- what `ccmon VERB` can be. One row is a whole verb: its options, its
 * help, its page of the manual and what runs.
 *
 * Owner:    the table is constant.
 * Threads:  the main thread.
 * Exit:     0 done, 1 not done, 2 wrong command line or configuration.
 */
#pragma once
#include <stdio.h>

#include "base/buf.h"

struct option {
    const char *name, *arg;                        /* "--data", "DIR"; arg NULL: a switch */
    const char *doc;
};

struct verb {
    const char *name, *args;                       /* args: what stands behind the options, "FILE" */
    const char *doc;                               /* one line */
    const struct option *options;                  /* ends with name == NULL; may be NULL */
    const char *more;                              /* paragraphs for --help and the manual; may be NULL */
    int (*run)(const struct verb *v, int argc, char **argv);
};

extern const struct verb verbs[];                  /* ends with name == NULL */
const struct verb *verb_find(const char *name);    /* NULL if there is none */

void verbs_usage(FILE *to);
void verb_help(const struct verb *v, FILE *to);
void verb_man(const struct verb *v, struct buf *out);       /* roff; v NULL: ccmon(1) */
int verb_wrong(const char *what, const char *arg); /* says it, returns 2 */

/* Walks the arguments: both "--name value" and "--name=value". `take` gets each option of the
 * table with its value (NULL for a switch) and returns 0 or an exit code; `rest`, which may be
 * NULL for none allowed, gets everything that is no option. */
struct verb_args {
    int (*take)(void *arg, const char *name, const char *value);
    int (*rest)(void *arg, const char *text);
    void *arg;
};
int verb_parse(const struct verb *v, int argc, char **argv, const struct verb_args *on);

/* Each in a file of its own. */
extern const struct option options_serve[], options_demo[], options_setup[], options_doctor[], options_check[], options_erase[],
    options_backup[], options_restore[];
int run_serve(const struct verb *v, int argc, char **argv);
int run_setup(const struct verb *v, int argc, char **argv);
int run_doctor(const struct verb *v, int argc, char **argv);
int run_backup(const struct verb *v, int argc, char **argv);
int run_restore(const struct verb *v, int argc, char **argv);
int run_demo(const struct verb *v, int argc, char **argv);
int run_check(const struct verb *v, int argc, char **argv);
int run_erase(const struct verb *v, int argc, char **argv);
/* One option of `serve`, for verbs that take some of them too. */
struct options;
int serve_option(struct options *o, const char *name, const char *value);
