/* store/check.h -- a data directory read from end to end, as `ccmon check` does it.
 *
 * Everything that can be decoded is decoded, and each fact that stands twice is compared:
 * pages and indices of SQLite, checksums of every column, the summary of a chunk with its
 * rows, filters with their ids, the catalogue's list with the files, frames of the log with
 * each other. Nothing is changed.
 *
 * With texts to look for it is the proof that something is not there: they are looked for
 * in the bytes of every file (pages that SQLite has freed and the room that the log keeps
 * among them), in whatever can be unpacked, and in every value that can be decoded.
 *
 * Owner:    results are told as they are found; their texts live as long as the call.
 * Threads:  one; the callback is called on it.
 * Errors:   E_EXIST (a server has the directory), E_NOTFOUND, E_IO, E_UNSUPPORTED. Damage
 *           is not an error of the call.
 * Limits:   one column in memory at a time.
 */
#pragma once
#include "base/clock.h"
#include "model/sink.h"

enum check_kind {
    CHECK_DAMAGE,      /* something is not what was written */
    CHECK_NOTE,        /* what a crash may leave, and the next start mends */
    CHECK_FOUND,       /* a text that was looked for */
};

struct check_finding {
    enum check_kind kind;
    struct str file;                               /* in the directory, or as it was given */
    struct str text;                               /* where in the file, and what */
};

struct check_req {
    struct str dir;
    struct frame_decoder decoder;                  /* for the rows of the log */
    const struct str *texts;                       /* to look for */
    uint32_t ntexts;
    const struct str *also;                        /* further files and directories to look in: backups */
    uint32_t nalso;
    void (*tell)(void *arg, const struct check_finding *x);
    void *arg;
};

struct check_totals {
    uint64_t files, bytes;
    uint64_t partitions, chunks, columns, filters, carries;
    uint64_t rows[TABLE_COUNT];                    /* in partitions */
    uint64_t content_columns, content_gone;        /* chunks' columns of content; those whose file is gone */
    uint64_t segments, frames, frames_waiting;     /* waiting: not in partitions yet */
    uint64_t log_rows[TABLE_COUNT];                /* of those, as they were sent */
    uint64_t free_pages;                           /* of SQLite, with something in them; counted when texts are looked for */
    int64_t oldest_ns, newest_ns;                  /* of rows in partitions; 0: none */
    uint64_t damage, notes, found;
};

MUST enum err store_check(const struct check_req *r, struct check_totals *ret, struct fault *f);
