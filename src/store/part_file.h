/* store/part_file.h -- one partition file, by itself: its tables, reading and writing.
 *
 * Who may have a file open when is part_set.c's and part_pool.c's business.
 *
 * Owner:    part_file_open() gives a connection with its statements, part_file_close() ends it.
 * Threads:  a part_file belongs to one thread at a time.
 * Errors:   as in part.h; E_NOTFOUND when the file does not exist.
 */
#pragma once
#include "store/part.h"
#include "store/sql.h"

#define PART_CHUNKS_MAX (UINT64_C(1) << 40)        /* ids in one partition; times 4096 stays a rowid */

enum part_kind { PART_MAIN, PART_CONTENT };

/* The last partition that int64 reaches holds its end too. */
static inline bool span_holds(int64_t from_ns, int64_t to_ns, int64_t time_ns)
{
    return time_ns >= from_ns && (time_ns < to_ns || to_ns == INT64_MAX);
}

enum { PART_SWEEP_MAX = 4096 };                    /* chunks deleted in one transaction */

struct part_file {
    struct sql *db;
    enum part_kind kind;
    struct sql_stmt *column, *filter, *carry;      /* prepared when first needed */
};

/* The one row of the table `part`. */
struct part_head {
    int64_t from_ns, to_ns;
    uint64_t mark, generation, next_chunk;
    int64_t time_min, time_max;
    uint64_t rows[TABLE_COUNT];
};

/* SQL_CREATE makes a new file with its tables, in WAL mode. A file of a newer format is
 * E_UNSUPPORTED, one of another span E_CORRUPT. */
MUST enum err part_file_open(const char *path, enum part_kind kind, enum sql_mode mode, int64_t from_ns, int64_t to_ns,
                             struct part_file **ret, struct fault *f);
/* The same for a file of unknown span: it tells. */
MUST enum err part_file_inspect(const char *path, struct part_head *ret, struct fault *f);
/* For reading only, of a directory at rest, whatever its span. */
MUST enum err part_file_look(const char *path, enum part_kind kind, struct part_file **ret, struct fault *f);
void part_file_close(struct part_file *p);         /* NULL is fine */
void part_file_closep(struct part_file **p);

MUST enum err part_file_head(struct part_file *p, struct part_head *ret, struct fault *f);
/* Everything of `w` for the main file in one transaction; *head is what the file had and
 * becomes what it has. If the file has something else, an earlier commit came through
 * after all: *head says what, and nothing is written; OK if it was of the same mark,
 * E_UNAVAILABLE if not. */
MUST enum err part_file_write(struct part_file *p, const struct part_write *w, struct part_head *head, struct fault *f);
/* The content columns of the same, under the same chunk ids; removes what an earlier
 * attempt left behind (ids from next_chunk on). */
MUST enum err part_file_write_content(struct part_file *p, const struct part_write *w, uint64_t next_chunk, struct fault *f);
/* Content of a write that never came to be. */
MUST enum err part_file_drop_orphans(struct part_file *p, uint64_t next_chunk, struct fault *f);
/* As part_file_write(), the new chunks being in place of old ones: see part_replace(). If the
 * file has something else than *head says, that is all that happens: E_UNAVAILABLE. */
MUST enum err part_file_replace(struct part_file *p, const uint64_t *old, uint32_t nold, const struct part_write *w,
                                struct part_head *head, struct fault *f);
/* Chunks that no view of `oldest` or later sees, at most PART_SWEEP_MAX; *ret_more: others are left, or will be. */
MUST enum err part_file_gone(struct part_file *p, uint64_t oldest, struct arena *mem, uint64_t **ret, uint32_t *ret_n,
                             bool *ret_more, struct fault *f);
/* Deletes all that either kind of file has of these chunks. */
MUST enum err part_file_sweep(struct part_file *p, const uint64_t *ids, uint32_t n, struct fault *f);

/* A new file that is of no worth until it is finished: no journal, and nothing is synced before. */
MUST enum err part_file_create(const char *path, enum part_kind kind, int64_t from_ns, int64_t to_ns, struct part_file **ret,
                               struct fault *f);
/* One chunk as head->next_chunk; *head then has its rows too. A transaction is the caller's. */
MUST enum err part_file_copy(struct part_file *to, struct part_file *from, uint64_t id, struct part_head *head, uint64_t born,
                             struct fault *f);
MUST enum err part_file_copy_content(struct part_file *to, struct part_file *from, uint64_t id, uint64_t new_id, struct fault *f);
MUST enum err part_file_copy_carries(struct part_file *to, struct part_file *from, struct fault *f);
/* Everything on disk, and then what it says of itself. */
MUST enum err part_file_finish(struct part_file *p, const struct part_head *head, struct fault *f);

MUST enum err part_file_put_carries(struct part_file *p, const struct part_carry *c, size_t n, struct fault *f);
/* WAL off (nothing beside the file when it is closed), and on. Nobody else may have it open. */
MUST enum err part_file_seal(struct part_file *p, struct fault *f);
MUST enum err part_file_unseal(struct part_file *p, struct fault *f);

/* Chunks as of a generation, into mem. */
MUST enum err part_file_chunks(struct part_file *p, uint64_t generation, struct arena *mem, struct chunk_ref **ret,
                               uint32_t *ret_n, struct fault *f);
MUST enum err part_file_column(struct part_file *p, uint64_t chunk, uint32_t column, struct arena *mem, struct str *ret,
                               struct fault *f);
MUST enum err part_file_filter(struct part_file *p, uint64_t chunk, struct arena *mem, struct str *ret, struct fault *f);
MUST enum err part_file_carry(struct part_file *p, struct part_carry *c, bool *ret_found, struct fault *f);

/* --- for part_file.c and part_chunks.c ---------------------------------------------------- */

int64_t part_column_id(uint64_t chunk, uint32_t column);
MUST enum err part_file_put_chunks(struct part_file *p, const struct chunk_out *chunks, uint32_t n, uint64_t id, uint64_t born,
                                   struct fault *f);
MUST enum err part_file_put_content(struct part_file *p, const struct chunk_out *chunks, uint32_t n, uint64_t id, struct fault *f);
MUST enum err part_file_put_head(struct part_file *p, const struct part_head *h, struct fault *f);
/* *h with these rows too. */
void part_head_add(struct part_head *h, enum table t, uint64_t rows, int64_t t0, int64_t t1);
