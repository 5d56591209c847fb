/* store/sql.h -- SQLite, as much of it as the store needs.
 *
 * Owner:    sql_open() gives a connection, sql_close() ends it with its statements.
 *           Bound texts are borrowed until the next sql_reset(); results until the
 *           next step or reset.
 * Threads:  a connection belongs to one thread at a time; SQLite's own locks are off.
 * Errors:   E_UNAVAILABLE (disk full, busy), E_CORRUPT (damaged, or no database),
 *           E_NOTFOUND (no such file and not asked to make it), E_IO for the rest;
 *           the message names the file.
 */
#pragma once
#include "base/str.h"

struct sql;
struct sql_stmt;

enum sql_mode {
    SQL_CREATE,        /* read and write; made if it does not exist */
    SQL_WRITE,         /* read and write */
    SQL_IMMUTABLE,     /* read only; the caller promises that nobody changes the file */
    SQL_LOOK,          /* the same of a file that a crash may have left: what stands in its WAL is seen, and stays there */
};

MUST enum err sql_open(const char *path, enum sql_mode mode, struct sql **ret, struct fault *f);
void sql_close(struct sql *s);                     /* NULL is fine */
void sql_closep(struct sql **s);
const char *sql_path(const struct sql *s);

/* One or more statements whose rows nobody wants. */
MUST enum err sql_exec(struct sql *s, const char *text, struct fault *f);
/* The first column of the first row; *ret stays as it is when there is no row. */
MUST enum err sql_number(struct sql *s, const char *text, int64_t *ret, struct fault *f);

MUST enum err sql_prepare(struct sql *s, const char *text, struct sql_stmt **ret, struct fault *f);
void sql_finish(struct sql_stmt *st);              /* NULL is fine */
void sql_finishp(struct sql_stmt **st);

/* Parameters are ?1, ?2, ...: bind them by number, step until there is no row, reset. */
void sql_bind_i64(struct sql_stmt *st, int at, int64_t v);
void sql_bind_text(struct sql_stmt *st, int at, struct str s);
void sql_bind_blob(struct sql_stmt *st, int at, struct str s);
MUST enum err sql_step(struct sql_stmt *st, bool *ret_row, struct fault *f);
MUST enum err sql_run(struct sql_stmt *st, struct fault *f);        /* step to the end, then reset */
void sql_reset(struct sql_stmt *st);

/* All of it as it is at one moment, into the empty file `to`. Whoever writes meanwhile is not
 * delayed where the file is in WAL mode. Not durable until the caller syncs it. */
MUST enum err sql_copy(struct sql *s, const char *to, struct fault *f);
/* E_CORRUPT: a page or an index of it is damaged; reads every page. */
MUST enum err sql_verify(struct sql *s, struct fault *f);

int64_t sql_i64(struct sql_stmt *st, int col);     /* columns count from 0 */
struct str sql_bytes(struct sql_stmt *st, int col);         /* text or blob; p == NULL for NULL */
int sql_width(struct sql_stmt *st);                /* columns of a row */

MUST enum err sql_begin(struct sql *s, struct fault *f);    /* takes the write lock at once */
MUST enum err sql_commit(struct sql *s, struct fault *f);   /* rolled back when it fails */
void sql_rollback(struct sql *s);                  /* does nothing outside a transaction */
