/* setup/setup.h -- what Claude Code has to be told, so that it sends here.
 *
 * Variables are rows of one table: for which ways, the value, the reason. `ccmon setup` and
 * `ccmon doctor` read it; the page /setup still has a list of its own (views/setup.tsx).
 * What is known of the client was recorded, not read in a manual.
 *
 * Owner:    text lives in the arena that is given.
 * Threads:  any; nothing is shared.
 * Errors:   E_SYNTAX what cannot work, with the reason; E_IO.
 */
#pragma once
#include "base/fields.h"

enum way { WAY_HTTP, WAY_JSON, WAY_GRPC, WAY_BOTH, WAY_SCRAPE, WAY_COUNT };

struct way_def {
    struct str name, doc;
};
extern const struct way_def setup_ways[WAY_COUNT];
MUST bool setup_way(struct str name, enum way *ret);

struct setup_plan {
    enum way way;
    struct str host;                               /* as the client calls us: "localhost" */
    uint16_t http_port, grpc_port, scrape_port;    /* scrape_port 0: the client's default, 9464 */
    bool tls;
    struct str ca_file;                            /* tls: what signed our certificate; empty: a public CA */
    struct str client_cert, client_key;            /* files; empty: we ask for none */
    struct str token;                              /* empty: we ask for none */
    bool traces, tools, prompts;                   /* what is sent beyond the usual */
    bool identity;                                 /* version, repository on metrics */
    struct str team;                               /* empty, or a resource attribute for everything sent */
};

/* The environment, in the order to print it. E_SYNTAX where the client cannot do that. */
MUST enum err setup_variables(const struct setup_plan *p, struct arena *mem, struct pairs *ret, struct fault *f);
struct str setup_why(struct str variable);         /* one line; empty: not ours */
/* Is this a variable that changes how telemetry is sent? Others are none of our business. */
bool setup_concerns(struct str variable);

/* ---- texts for people and shells ---- */

struct str setup_shell(const struct pairs *v, struct arena *mem);      /* export lines, quoted where needed */
struct str setup_json(const struct pairs *v, struct arena *mem);       /* {"env": {...}} */

/* ---- settings.json ---- */

#ifdef __APPLE__
#define SETUP_MANAGED_DIR "/Library/Application Support/ClaudeCode"
#else
#define SETUP_MANAGED_DIR "/etc/claude-code"
#endif

enum { SETTINGS_BYTES_MAX = 4 << 20 };

/* The text variables of the file's "env" map. E_SYNTAX with the place: not JSON. */
MUST enum err settings_env(struct str text, struct arena *mem, struct pairs *ret, struct fault *f);
/* The same text with these variables set, or removed where the value's p is NULL; everything else stays
 * byte for byte. An empty text is an empty file. */
MUST enum err settings_edit(struct str text, const struct pairs *set, struct arena *mem, struct str *ret, struct fault *f);
