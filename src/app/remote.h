/* app/remote.h -- a running ccmon as a verb asks it: over its own APIs, from outside.
 *
 * Owner:    answers live in the arena that is given.
 * Threads:  one at a time.
 * Errors:   E_UNAVAILABLE nobody answers, E_IO it asks for a token or a user, or says no; E_NOTFOUND
 *           another program or an old ccmon.
 */
#pragma once
#include "base/arena.h"
#include "http/client.h"

struct remote {
    struct str url;                                /* of the page: "http://127.0.0.1:3001" */
    struct str authorization;                      /* value of the header, or empty */
    const struct tls_client *tls;
};

/* The page of the server that a configuration makes, as this machine calls it. */
struct config;
struct str remote_default_url(const struct config *c, struct arena *mem);
/* The value of Authorization for a "NAME:PASSWORD" or a token; empty: neither. */
struct str remote_authorization(struct str user, struct str token, struct arena *mem);
/* How a verb was told to reach the server; empty: by the configuration. */
struct remote_to {
    struct str url, token, user, ca;
};
/* Takes --url, --token, --ca and `user_option`; false: it is another option. */
bool remote_option(struct remote_to *to, const char *user_option, const char *name, const char *value);
/* Without a url, the server must be the one that has the configuration's data directory: nobody
 * else's is to be copied or erased from. *ret_tls is the caller's, whatever comes back. */
MUST enum err remote_open(const struct config *c, const struct remote_to *to, struct arena *mem, struct remote *ret,
                          struct tls_client **ret_tls, struct fault *f);
MUST enum err remote_get(const struct remote *r, struct str path, struct arena *mem, struct str *ret, struct fault *f);

/* A form; whatever the status, but 401 and 403, which are E_IO. */
MUST enum err remote_post(const struct remote *r, struct str path, struct str form, struct arena *mem, int *ret_status, struct str *ret,
                          struct fault *f);
struct str remote_encode(struct str s, struct arena *mem);     /* for a URL or a form */

/* Members of an answer that is one flat object, each where it goes; what is of another kind stays as it was. */
struct remote_member {
    struct str key;
    struct str *text;
    uint64_t *number;
    bool *truth;
};
void remote_members(struct str body, struct arena *mem, const struct remote_member *m, size_t n);

/* What `setup --wait` and the doctor look at. */
struct remote_status {
    struct str version, data_dir;
    uint64_t samples, logs, spans, seq, duplicates;
    int64_t now_ns, last_recv_ns;
    bool read_only, open, demo;
    struct str reason;
    struct remote_listener {
        struct str name, addr, problem;
        bool tls;
    } listeners[8];
    uint32_t nlisteners;
};
MUST enum err remote_status(const struct remote *r, struct arena *mem, struct remote_status *ret, struct fault *f);

/* An instant query. One row a series: values of the labels asked for, and the sample. */
struct remote_row {
    struct str labels[4];
    double value;
};
struct remote_rows {
    struct remote_row *at;
    uint32_t n, cap;
};
enum remote_api { REMOTE_PROMETHEUS, REMOTE_LOKI };
MUST enum err remote_query(const struct remote *r, enum remote_api api, struct str query, const struct str labels[4], struct arena *mem,
                           struct remote_rows *ret, struct fault *f);
