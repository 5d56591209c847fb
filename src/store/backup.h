/* store/backup.h -- a copy of a store that is being written and read, and the way back.
 *
 *   TO/20261124T161530.120Z/           one backup: a data directory, and its list of files
 *       backup.json  ccmon.db  part/DAY.db  log/N.seg  ...
 *   TO/20261124T170000.000Z.partial/   one that is being made, or whose making was ended
 *
 * Everything that was acknowledged before store_backup() is in it, each row once, and of what
 * came later at most whole requests. Files that do not change any more are hard links: to
 * the data directory's where that is on the same file system, else to those of the newest
 * backup in TO. So the second backup takes the room and the time of what is new.
 *
 * Owner:    results are plain values.
 * Threads:  store_backup() one at a time, any thread that is not the store's; ingest and
 *           queries go on meanwhile. backup_restore() while nobody has the directory.
 * Errors:   E_EXIST (TO holds something else, the directory is not empty or in use),
 *           E_NOTFOUND (no complete backup), E_CORRUPT (a file is not what the list
 *           says, by name), E_UNSUPPORTED, E_UNAVAILABLE (disk full), E_CANCELLED, E_IO.
 */
#pragma once
#include "store/store.h"

enum { BACKUP_NAME_MAX = 32, BACKUP_PATH_MAX = 3000 };

struct backup_opts {
    const char *to;                                /* made if absent, mode 0700 */
    const char *const *also;                       /* other files of the data directory by name, copied if they are there; ends with NULL */
    const bool *cancel;                            /* may be NULL; another thread sets it */
    _Atomic uint64_t *files_done, *files_all;      /* may be NULL: how far it is */
};

struct backup_result {
    char name[BACKUP_NAME_MAX];                    /* of the folder in TO */
    uint64_t files, bytes;                         /* all of it */
    uint64_t linked, copied_bytes;                 /* files that took no room; bytes that did */
    uint64_t seq;                                  /* everything acknowledged up to it is there */
    uint64_t rows[TABLE_COUNT];                    /* of its partitions; its log may hold later ones */
};
MUST enum err store_backup(struct store *s, const struct backup_opts *o, struct backup_result *ret, struct fault *f);

/* Checks every file of a backup against its list. `from`: a backup, or a TO whose newest complete one is meant. */
MUST enum err backup_verify(const char *from, struct backup_result *ret, struct fault *f);
/* The same, then makes a data directory of it. One that holds anything is refused, or with
 * `replace` what it holds is moved into dir/replaced-TIME first. Ended half-way, the
 * directory does not open, and the same call does it anew. */
MUST enum err backup_restore(const char *from, const char *dir, bool replace, const struct file_ops *ops, struct backup_result *ret,
                             struct fault *f);
/* E_EXIST: a restore into this data directory was not finished. */
MUST enum err backup_restored(const char *dir, struct fault *f);
