/* store/catalog.h -- ccmon.db: the list of partitions, and what is not telemetry.
 *
 * The list is a copy of what stands in the partition files, so that a start need not
 * open them; it is put right from them when it is lost (part_set_open). Metric
 * metadata, ids of moved rows and settings are only here.
 *
 * Owner:    catalog_open() gives it, catalog_close() ends it.
 * Threads:  any; one lock around each call, none of which scans a partition.
 * Errors:   E_UNAVAILABLE (disk full), E_CORRUPT, E_IO; E_UNSUPPORTED when a newer
 *           ccmon wrote the file (the message names both versions).
 */
#pragma once
#include "model/rows.h"
#include "store/erased.h"

struct catalog;

enum { CATALOG_NAME_MAX = 24 };

struct catalog_part {
    char name[CATALOG_NAME_MAX];                   /* "2026-11-23": part/NAME.db */
    int64_t from_ns, to_ns;
    int64_t time_min, time_max;                    /* of its rows */
    uint64_t mark, generation;
    uint64_t rows[TABLE_COUNT];
    uint64_t bytes;
    bool writing;                                  /* a flush into it has begun: the file knows better */
    bool closed;                                   /* not in WAL mode */
    bool content;                                  /* it has a content file */
};

/* *ret_new: there was no list in it (a new or a lost file). */
MUST enum err catalog_open(const char *path, struct catalog **ret, bool *ret_new, struct fault *f);
void catalog_close(struct catalog *c);
/* For reading only, of a directory at rest; E_NOTFOUND if there is none. */
MUST enum err catalog_look(const char *path, struct catalog **ret, struct fault *f);
MUST enum err catalog_verify(struct catalog *c, struct fault *f);      /* E_CORRUPT: SQLite finds damage */

MUST enum err catalog_parts(struct catalog *c, struct arena *mem, struct catalog_part **ret, uint32_t *ret_n, struct fault *f);
MUST enum err catalog_parts_put(struct catalog *c, const struct catalog_part *p, size_t n, struct fault *f);  /* one transaction */
/* One partition in place of those with these names; one transaction. */
MUST enum err catalog_parts_exchange(struct catalog *c, const char *const *names, size_t n, const struct catalog_part *p, struct fault *f);
MUST enum err catalog_parts_remove(struct catalog *c, const char *name, struct fault *f);

/* Metric metadata by Prometheus name: the newest one counts. */
MUST enum err catalog_metas(struct catalog *c, void (*each)(void *arg, const struct metric_meta *m), void *arg, struct fault *f);
MUST enum err catalog_metas_put(struct catalog *c, const struct metric_meta *m, size_t n, struct fault *f);

/* Identities of rows that rule 10 moved to their receive time: a resend of such a row
 * comes at another receive time, so its partition cannot be asked. */
struct moved_id {
    struct id128 id;
    uint64_t seq;
    int64_t recv_ns;
};
MUST enum err catalog_moved_has(struct catalog *c, struct id128 id, bool *ret, struct fault *f);
/* Ids that are known stay as they are. */
MUST enum err catalog_moved_put(struct catalog *c, const struct moved_id *m, size_t n, struct fault *f);
MUST enum err catalog_moved_prune(struct catalog *c, int64_t before_recv_ns, struct fault *f);

/* Who was erased (erased.h). The text stands there only while that is under way. */
struct catalog_erased {
    struct erased_entry entry;
    struct str text;                               /* p NULL: it is done */
};
MUST enum err catalog_erased(struct catalog *c, struct arena *mem, struct catalog_erased **ret, uint32_t *ret_n, struct fault *f);
MUST enum err catalog_erased_put(struct catalog *c, const struct catalog_erased *e, size_t n, struct fault *f);
/* All of it is done: the texts go, and metadata that has one of them, and no trace of them stays in the file. */
MUST enum err catalog_erased_done(struct catalog *c, const struct str *texts, size_t n, struct fault *f);
/* Completes that, if it was cut short. */
MUST enum err catalog_wipe_again(struct catalog *c, struct fault *f);

/* Settings. E_NOTFOUND if there is none; an empty value removes. */
MUST enum err catalog_get(struct catalog *c, struct str key, struct arena *mem, struct str *ret, struct fault *f);
MUST enum err catalog_set(struct catalog *c, struct str key, struct str value, struct fault *f);
