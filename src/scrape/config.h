/* scrape/config.h -- Prometheus's `global`, `scrape_configs` and `scrape_config_files`, with
 * Prometheus's names, meaning and defaults.
 *
 * Owner:    counted, with an arena of its own: the program's configuration holds one reference,
 *           the scraper another.
 * Threads:  filled by one; immutable after scrape_conf_finish().
 * Errors:   E_SYNTAX with "FILE:LINE:COLUMN: ...", E_LIMIT.
 * Units:    durations ns, sizes bytes.
 */
#pragma once
#include <stdatomic.h>

#include "base/buf.h"
#include "base/fields.h"
#include "http/tls.h"
#include "scrape/relabel.h"

struct scrape_limits {                             /* 0: none */
    uint64_t body_size, samples, targets, labels, label_name_length, label_value_length;
};

struct scrape_global {
    int64_t interval_ns, timeout_ns, evaluation_interval_ns;
    struct texts protocols;
    struct pairs external_labels;
    struct scrape_limits limits;
};

struct scrape_static {
    struct texts targets;
    struct pairs labels;
};

struct scrape_files {                              /* one of file_sd_configs */
    struct texts files;
    int64_t refresh_ns;
};

struct scrape_param {
    struct str name;
    struct texts values;
};

struct scrape_secret {                             /* basic_auth, authorization, bearer_token */
    struct str username, username_file, password, password_file;
    struct str type, credentials, credentials_file;
    struct str bearer, bearer_file;
    bool has_basic, has_authorization;
};

struct scrape_job {
    struct str name, metrics_path;
    uint64_t https;                                /* scheme: 0 http, 1 https */
    int64_t interval_ns, timeout_ns;               /* 0 until finished: global's */
    bool honor_labels, honor_timestamps, track_timestamps_staleness, follow_redirects, compression;
    struct texts protocols;
    struct scrape_limits limits;
    struct scrape_secret secret;
    struct tls_client_config tls_config;
    bool has_tls;
    struct list statics, files;                    /* struct scrape_static, struct scrape_files */
    struct scrape_param *params;
    uint32_t nparams;
    struct relabel relabel, metric_relabel;
    struct tls_client *tls;                        /* NULL: the system's */
    struct str accept;                             /* the header */
    struct str source;                             /* "FILE:LINE", for errors */
    bool is_default;                               /* nobody has to be there */
    struct str first;                              /* is_default: the address that is always looked at */
    const struct yaml *params_node, *relabel_node, *metric_relabel_node;   /* while it is read */
};

struct scrape_conf {
    atomic_uint refs;
    struct arena mem;
    struct scrape_global global;
    struct scrape_job *jobs;
    uint32_t njobs, cap_jobs;
    bool given;                                    /* there are scrape_configs, though they may be empty */
};

struct scrape_conf *scrape_conf_new(void);         /* Prometheus's defaults, no job */
struct scrape_conf *scrape_conf_ref(struct scrape_conf *c);
void scrape_conf_unref(struct scrape_conf *c);     /* NULL is fine */

/* The three sections. Paths inside are relative to the file that names them. */
MUST enum err scrape_conf_global(struct scrape_conf *c, const struct fields_reader *r, const struct yaml *node);
MUST enum err scrape_conf_jobs(struct scrape_conf *c, const struct fields_reader *r, const struct yaml *node);
MUST enum err scrape_conf_files(struct scrape_conf *c, const struct fields_reader *r, const struct yaml *node);
/* After all sections: what a job takes from `global`, what hangs on two jobs, certificates. */
MUST enum err scrape_conf_finish(struct scrape_conf *c, struct fault *f);

/* The job of Claude Code's own exporter, with the ports it may have as targets. Once, before finishing. */
void scrape_conf_default_job(struct scrape_conf *c, const char *name, uint16_t first, uint16_t last);

extern const struct field scrape_global_fields[], scrape_job_fields[];
/* The documentation's tables of both sections and of a relabelling rule. */
void scrape_describe(struct buf *out);

/* Files that a pattern names, in order; only its last part may hold wildcards. */
MUST enum err scrape_glob(struct str pattern, struct arena *mem, struct texts *ret, struct fault *f);
