/* store/check_int.h -- what the files check_*.c share.
 *
 * Threads:  one.
 */
#pragma once
#include "base/buf.h"
#include "store/check.h"
#include "store/journal_int.h"
#include "store/part_file.h"

enum {
    CHECK_PATH_MAX = 2048,
    CHECK_TOLD_MAX = 20,                           /* findings of one kind in one file; the rest is counted */
    CHECK_FORMS_MAX = 64,                          /* of all texts to look for */
};

/* One way in which a text may stand in bytes. */
struct form {
    struct str bytes;
    struct str text;                               /* what was asked for */
};

/* A span of time that a partition holds, and what of the log is in it. */
struct covered {
    int64_t from_ns, to_ns;
    uint64_t mark;
};

struct checker {
    const struct check_req *req;
    struct check_totals *totals;
    struct arena mem;                              /* of the whole check */
    struct form forms[CHECK_FORMS_MAX];
    uint32_t nforms;
    struct covered *covered;
    uint32_t ncovered, cap_covered;
    uint64_t applied;                              /* frames up to it are in partitions */
    struct catalog_part *listed;                   /* by the catalogue */
    bool *was_seen;
    uint32_t nlisted;
    const char *root;                              /* the directory being read */
    bool is_data;                                  /* it is a data directory, not only something to look in */
    struct str file;                               /* the file being read, as it is told */
    uint64_t told[3];                              /* of it, by kind */
    struct buf unpacked;
};

void check_tell(struct checker *c, enum check_kind kind, const char *fmt, ...) PRINTF(3, 4);
void check_file_begin(struct checker *c, struct str name);
void check_file_end(struct checker *c);            /* says how many findings were not told */

/* check_look.c: the texts. `where` is formatted only when something is found. */
bool check_looks(const struct checker *c);
void check_look_init(struct checker *c);
void check_look_bytes(struct checker *c, struct str bytes, const char *where, ...) PRINTF(3, 4);
/* As above, and into what is packed in it. */
void check_look_inside(struct checker *c, struct str bytes, const char *where);
void check_look_value(struct checker *c, const struct value *v, const char *where, struct str name);
void check_look_raw(struct checker *c, const char *path);                  /* the file's own bytes */
void check_look_tables(struct checker *c, struct sql *db);                 /* every value of an SQLite file */
void check_look_free(struct checker *c, const char *path);                 /* its free pages */

/* Does one of the texts stand in a file, packed or not? check.c */
bool check_file_has(const char *path, const struct str *texts, uint32_t ntexts);

/* check_part.c, check_chunk.c: one partition, one chunk; check.c: the list. */
void check_part(struct checker *c, const char *path, struct str name);
void check_listed(struct checker *c, struct str name, const struct part_head *h);   /* against the catalogue */
struct check_chunk {
    uint64_t id;
    struct chunk_summary sum;
    bool visible;
};
/* Its columns ascending by number, those of the main file first. */
struct chunk_reading;
struct chunk_reading *check_chunk_begin(struct checker *c, const struct check_chunk *k, struct str filter);
void check_chunk_column(struct chunk_reading *r, uint32_t column, struct str blob);
void check_chunk_end(struct chunk_reading *r, bool content_is_there);

void check_log(struct checker *c);                 /* check_log.c: all segments */
