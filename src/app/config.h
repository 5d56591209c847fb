/* app/config.h -- everything that can be set, from ccmon.yml, the environment and
 * the command line, in that order of weight (the last one wins).
 *
 * One table row is a whole key: name, type, default, limits, where it goes, what
 * the documentation says. docs/configuration.md is checked against the table.
 *
 * Owner:    config_init/config_done; all text lives in the config's arena.
 * Threads:  filled by one, read-only afterwards.
 * Errors:   E_SYNTAX with "FILE:LINE:COLUMN: what is wrong, what would be right".
 */
#pragma once
#include "app/access_config.h"
#include "base/buf.h"
#include "base/log.h"
#include "query/query.h"
#include "scrape/config.h"
#include "store/store.h"

#define AGE_AS_ALL INT64_C(-1)
enum { CONFIG_HOSTS_MAX = 64, CONFIG_FILE_MAX = 4 << 20 };

enum port_name { PORT_OTLP_HTTP, PORT_OTLP_GRPC, PORT_PROMETHEUS, PORT_LOKI, PORT_WEB, PORT_COUNT };
extern const struct str port_names[PORT_COUNT];    /* "otlp-http", ... */

struct config_hosts {
    struct str at[CONFIG_HOSTS_MAX];
    uint32_t n;
};

struct config {
    struct arena mem;
    struct str data, bind;
    uint64_t ports[PORT_COUNT];
    bool port_asked[PORT_COUNT];                   /* named by the user: must be had */
    int64_t retention_ns;                          /* 0: forever */
    int64_t keep_ns[TABLE_COUNT], keep_content_ns; /* AGE_AS_ALL: as retention_ns; 0: forever */
    uint64_t keep_bytes;                           /* 0: any */
    bool open;
    struct config_hosts allow_hosts;
    uint64_t log_level;                            /* enum log_level */
    uint64_t extrapolate;                          /* 0 accounted, 1 always */
    int64_t lookback_ns;
    bool loki_detected_level;
    int64_t query_timeout_ns, query_slow_ns;       /* slow: 0 is never */
    uint64_t query_series_max, query_samples_max, query_rows_max, query_bytes_max, query_memory_mb, query_queued_max, query_cache_mb;
    uint64_t io_threads, query_threads;
    struct access_config access;
    const struct yaml *privacy;                    /* the section; NULL: none. In privacy_file */
    struct str privacy_file;
    bool scrape_default;
    struct scrape_conf *scrape;                    /* global, scrape_configs, scrape_config_files; a reference */
};

/* What the keys `retention` amount to; and the longest age of a signal, 0: forever. */
struct retention config_retention(const struct config *c);
int64_t config_longest_ns(const struct config *c);
void config_init(struct config *c);                /* the defaults */
void config_done(struct config *c);

/* Reads a file over what is set. Every key of Prometheus's schema that ccmon has
 * no use for calls `warn` with a text that names it; any other unknown key is an error. */
MUST enum err config_read_file(struct config *c, const char *path, bool prometheus,
                               void (*warn)(const char *text), struct fault *f);
MUST enum err config_read(struct config *c, struct str name, struct str text, bool prometheus,
                          void (*warn)(const char *text), struct fault *f);
/* One key by its name, as the command line and the environment set it. */
MUST enum err config_set(struct config *c, struct str key, struct str text, struct fault *f);
MUST enum err config_env(struct config *c, struct fault *f);
/* What cannot be seen from one key alone: a wide bind needs `open`. */
MUST enum err config_check(const struct config *c, struct fault *f);
/* Names the keys that differ and take effect only at a start; empty if none. */
void config_diff(const struct config *old, const struct config *new, struct buf *ret);
bool addr_is_loopback(struct str addr);
/* private.c: the section `privacy`, checked. */
MUST enum err config_read_privacy(struct config *c, const struct fields_reader *r, const struct yaml *node);
/* The documentation's table, from the same rows. */
void config_describe(struct buf *out);
