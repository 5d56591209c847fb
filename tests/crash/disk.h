/* tests/crash/disk.h -- a disk under the store that stops, tears, refuses or forgets at its Nth
 * operation: the log's through file_ops, SQLite's through its VFS, all counted as one row.
 *
 *   STOPPED   the process ends before it
 *   TORN      a write first writes half of its bytes
 *   LOST      as STOPPED, and whatever was not synced is undone, as when the machine stops:
 *             writes, sizes, files made, renamed and removed
 *   REFUSED   it fails with a full disk; the process goes on
 *   FAILED    it fails with an I/O error; the process goes on
 *
 * Owner:    a process has one disk; disk_install() once, before the store is opened.
 * Threads:  any; one operation at a time.
 */
#pragma once
#include "base/file.h"

enum way { STOPPED, TORN, LOST, REFUSED, FAILED, WAYS };

enum { STOPPED_RC = 7 };

/* Which operations there were, for whoever looks at it from outside (it is shared memory). */
enum disk_op { DISK_OTHER, DISK_WRITE, DISK_SYNC };
enum { DISK_OPS_MAX = 20000 };
struct disk_log {
    unsigned count;                                /* so far */
    uint8_t ops[DISK_OPS_MAX];                     /* enum disk_op, from 1 on */
};

/* trash: a folder of its own on the same file system. */
void disk_install(enum way how, unsigned stop_at, struct disk_log *log, const char *trash);
extern const struct file_ops disk_ops;
