/* app/access_config.h -- who may reach what: the sections `web` and `listeners` of the
 * configuration, and Prometheus's own web configuration file.
 *
 * `web` says what holds for all listeners; what `listeners.NAME` names replaces that part
 * for one of them.
 *
 * Owner:    text lives in the configuration's arena.
 * Threads:  filled by one, read-only afterwards.
 * Errors:   E_SYNTAX with "FILE:LINE:COLUMN: what is wrong".
 * Spec:     Prometheus's web configuration; bearer_tokens is ccmon's own.
 */
#pragma once
#include "base/buf.h"
#include "base/fields.h"
#include "http/access.h"
#include "http/tls.h"

enum { ACCESS_PORTS = 5 };                         /* PORT_COUNT of config.h */

struct access_http {
    bool http2;
    struct pairs headers;
};

struct access_part {
    struct str bind;
    bool open;
    struct tls_server_config tls;
    struct access_http http;
    struct list users;                             /* struct access_user */
    struct list tokens;                            /* struct access_token */
    /* Was it named here? */
    bool bind_given, open_given, tls_given, http_given, users_given, tokens_given;
    const struct yaml *users_node, *tokens_node;   /* while reading */
};

struct access_config {
    struct access_part all, one[ACCESS_PORTS];     /* one[] by enum port_name */
};

struct config;
void access_config_init(struct access_config *a);
/* For sections[] of config.c. */
MUST enum err access_read_web(struct config *c, const struct fields_reader *r, const struct yaml *node);
MUST enum err access_read_listeners(struct config *c, const struct fields_reader *r, const struct yaml *node);
/* --web.config.file */
MUST enum err access_read_web_file(struct config *c, const char *path, void (*warn)(const char *text), struct fault *f);

/* What holds for one listener; `bind` and `open` are the configuration's own where nothing else is said. */
struct access_part access_part(const struct config *c, uint32_t port);
/* A wide bind needs somebody to be asked for: tokens, users, verified certificates, or `open`. */
MUST enum err access_config_check(const struct config *c, struct fault *f);
bool access_is_open(const struct access_part *p);  /* reachable from elsewhere, and nobody is asked for anything */
/* Adds what differs and takes effect only at a start, comma-separated. */
void access_config_diff(const struct config *old, const struct config *new, struct buf *ret);
/* The rules for the server. NULL: nothing is configured. */
struct access *access_make(const struct config *c, const struct clock *clock);
/* The documentation's table. */
void access_describe(struct buf *out);
void tls_describe(struct buf *out);                /* tls_doc.c: of tls_server_config */
