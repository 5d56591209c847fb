/* store/backup_int.h -- what the files of a backup's making share.
 */
#pragma once
#include "base/arena.h"
#include "base/file.h"
#include "store/backup.h"

/* One file of a backup, as backup.json lists it. ino and mtime_ns are the original's: a file that still has
 * them, and the size, is not read or copied again. Zero: it was made for this backup. */
struct backup_file {
    struct str name;                               /* "part/2026-11-23.db" */
    uint64_t bytes, sum;
    uint64_t ino;
    int64_t mtime_ns;
};

struct backup_list {
    struct backup_file *at;
    uint32_t n, cap;
    uint64_t seq, rows[TABLE_COUNT];
    int64_t made_ns;
    struct str version, source;
};

/* backup_list.c */
MUST enum err backup_list_write(const struct file_ops *ops, const char *path, const struct backup_list *l, struct fault *f);
MUST enum err backup_list_read(const char *path, struct arena *mem, struct backup_list *ret, struct fault *f);
const struct backup_file *backup_list_find(const struct backup_list *l, struct str name);
/* The newest complete backup in `to`; E_NOTFOUND if there is none. The fault says whether one was begun. */
MUST enum err backup_newest(const char *to, char name[BACKUP_NAME_MAX], struct fault *f);
bool backup_is_name(const char *name, bool *ret_partial);

/* backup_files.c. The sum is XXH3 over each MiB, seeded with the one before. */
enum { BACKUP_STEP = 1 << 20 };
MUST enum err backup_sum_file(const char *path, uint64_t *ret_bytes, uint64_t *ret_sum, struct fault *f);
/* At most `limit` bytes, into a new file, synced. */
MUST enum err backup_copy_file(const struct file_ops *ops, const char *from, const char *to, uint64_t limit, uint64_t *ret_bytes,
                               uint64_t *ret_sum, struct fault *f);
MUST enum err backup_sync_dir(const struct file_ops *ops, const char *path, struct fault *f);
/* A folder with its files and the files of its folders. */
MUST enum err backup_remove(const struct file_ops *ops, const char *path, struct fault *f);
MUST enum err backup_mkdirs(const char *path, struct fault *f);
