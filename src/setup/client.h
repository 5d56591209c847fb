/* setup/client.h -- how the client on this machine is set up, and what is wrong with it.
 *
 * A variable comes from the environment, the user's settings or the managed ones; the
 * later one wins. A project's settings cannot switch telemetry on and are only looked at
 * to say so.
 *
 * Owner:    text lives in the arena that is given.
 * Threads:  any.
 * Errors:   none: a file that cannot be read is a finding.
 */
#pragma once
#include "setup/setup.h"

enum client_from { FROM_EXPORTED, FROM_USER, FROM_MANAGED };

struct client_var {
    struct str name, value;
    enum client_from from;
    struct str file;                               /* of settings */
    struct str shadowed;                           /* another value that this one wins over; p NULL: none */
};

struct client_env {
    struct client_var *at;
    uint32_t n, cap;
    struct str project_file;                       /* a project's settings that try to switch telemetry on */
    struct str broken_file, broken_why;            /* settings that are no JSON */
};

/* The three sources as they are on this machine. `dir`: the project to look at. */
void client_read(struct str dir, struct arena *mem, struct client_env *ret);
/* For tests: one source more. */
void client_add(struct client_env *e, const struct pairs *vars, enum client_from from, struct str file, struct arena *mem);
/* The value that counts; p NULL: not set. */
struct str client_get(const struct client_env *e, struct str name);
const struct client_var *client_find(const struct client_env *e, struct str name);

/* What the client will do, as far as a signal is concerned. */
enum client_signal { CLIENT_METRICS, CLIENT_LOGS, CLIENT_TRACES };
struct client_target {
    bool sent;                                     /* an exporter of OTLP is on */
    bool grpc;
    struct str url;                                /* endpoint, as set; or the client's default */
    struct str variable;                           /* that said so; empty: the default */
};
struct client_target client_target(const struct client_env *e, enum client_signal signal);

enum finding_level { FINDING_OK, FINDING_NOTE, FINDING_WRONG };
struct finding {
    enum finding_level level;
    struct str text, cure;
};
struct findings {
    struct finding *at;
    uint32_t n, cap;
};
/* The classic mistakes, as far as settings alone show them. */
void client_check(const struct client_env *e, struct arena *mem, struct findings *ret);
