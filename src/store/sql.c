/* store/sql.c -- the one file that speaks to SQLite (besides vfs.c, below it).
 *
 * Every connection is set up alike: no lookaside (it costs 40 KB a connection and we
 * hold many), no memory mapping (a file that shrinks would kill the process), a
 * small page cache, temporary things in memory, and synchronous=FULL so that a
 * commit is on disk.
 */
#include "store/sql.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"

enum { BUSY_MS = 5000, PATH_BYTES_MAX = 8192 };

struct sql {
    sqlite3 *db;
    char *path;
};

struct sql_stmt {
    sqlite3_stmt *st;
    struct sql *sql;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_library(void)
{
    /* Statistics would be a lock around every allocation. Refused if somebody was
     * faster; nothing depends on it. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    CHECK(sqlite3_initialize() == SQLITE_OK);
}

static enum err err_of(int rc, int sys)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
        return E_UNAVAILABLE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return E_CORRUPT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return sys == ENOSPC || sys == EDQUOT ? E_UNAVAILABLE : E_IO;
    default:
        return E_IO;
    }
}

static enum err fail(struct sql *s, int rc, struct fault *f)
{
    int sys = sqlite3_system_errno(s->db);
    int ext = sqlite3_extended_errcode(s->db);
    const char *why = (ext & 0xff) == (rc & 0xff) ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    enum err e = err_of((ext & 0xff) == (rc & 0xff) ? ext : rc, sys);
    if ((rc & 0xff) == SQLITE_IOERR && sys)
        return fault_set(f, e, 0, "%s: %s (%s)", s->path, why, strerror(sys));
    return fault_set(f, e, 0, "%s: %s", s->path, why);
}

/* --- connections ------------------------------------------------------------------- */

/* "file:PATH?immutable=1"; what a URI would read as its own is escaped. */
static void put_uri(struct buf *b, const char *path)
{
    buf_str(b, S("file:"));
    for (const char *p = path; *p; p++) {
        if (*p == '?' || *p == '#' || *p == '%')
            buf_fmt(b, "%%%02x", (unsigned)*p);
        else
            buf_byte(b, *p);
    }
    buf_str(b, S("?immutable=1"));
    buf_byte(b, '\0');
}

static int open_db(const char *path, enum sql_mode mode, sqlite3 **ret)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (mode != SQL_IMMUTABLE)
        return sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_READWRITE | (mode == SQL_CREATE ? SQLITE_OPEN_CREATE : 0), NULL);
    CLEANUP(buf_done) struct buf uri = { 0 };
    buf_init(&uri, PATH_BYTES_MAX);
    put_uri(&uri, path);
    CHECK(!uri.bad);
    return sqlite3_open_v2(uri.p, ret, flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
}

/* Is there anything beside the file that belongs to it? An empty WAL does not. */
static bool has_beside(const char *path)
{
    static const char *const ends[] = { "-wal", "-journal" };
    for (size_t i = 0; i < LEN(ends); i++) {
        CLEANUP(buf_done) struct buf name = { 0 };
        struct stat st;
        buf_init(&name, PATH_BYTES_MAX);
        buf_fmt(&name, "%s%s%c", path, ends[i], 0);
        CHECK(!name.bad);
        if (!stat(name.p, &st) && st.st_size > 0)
            return true;
    }
    return false;
}

/* First of all: alone, so that no index of the WAL is written beside it, and nothing is moved from the
 * WAL into the file. */
static enum err look_only(struct sql *s, struct fault *f)
{
    CHECK(sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK);
    return sql_exec(s, "PRAGMA locking_mode=EXCLUSIVE;", f);
}

static enum err set_up(struct sql *s, struct fault *f)
{
    CHECK(sqlite3_db_config(s->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0) == SQLITE_OK);
    CHECK(sqlite3_busy_timeout(s->db, BUSY_MS) == SQLITE_OK);
    return sql_exec(s, "PRAGMA mmap_size=0; PRAGMA cache_size=-128; PRAGMA temp_store=MEMORY;"
                       "PRAGMA synchronous=FULL; PRAGMA fullfsync=1; PRAGMA trusted_schema=0;", f);
}

enum err sql_open(const char *path, enum sql_mode mode, struct sql **ret, struct fault *f)
{
    CHECK(pthread_once(&once, init_library) == 0);
    struct stat st;
    if (mode != SQL_CREATE && stat(path, &st) && errno == ENOENT)
        return fault_set(f, E_NOTFOUND, 0, "%s: %s", path, strerror(ENOENT));
    if (mode == SQL_LOOK && !has_beside(path))
        mode = SQL_IMMUTABLE;

    CLEANUP(sql_closep) struct sql *s = mem_alloc(sizeof *s);
    struct str p = str_c(path);
    s->path = mem_alloc(p.n + 1);
    memcpy(s->path, p.p, p.n);
    int rc = open_db(path, mode, &s->db);
    CHECK(s->db);                                  /* only exhausted memory gives none */
    if (rc != SQLITE_OK)
        return fail(s, rc, f);
    enum err e = mode == SQL_LOOK ? look_only(s, f) : OK;
    if (!e)
        e = set_up(s, f);
    if (e)
        return e;
    *ret = TAKE(s);
    return OK;
}

void sql_close(struct sql *s)
{
    if (!s)
        return;
    sql_rollback(s);
    CHECK(sqlite3_close(s->db) == SQLITE_OK);      /* statements are finished before their connection */
    mem_free(s->path);
    mem_free(s);
}

void sql_closep(struct sql **s)
{
    sql_close(*s);
    *s = NULL;
}

const char *sql_path(const struct sql *s)
{
    return s->path;
}

/* --- statements -------------------------------------------------------------------- */

enum err sql_exec(struct sql *s, const char *text, struct fault *f)
{
    int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : fail(s, rc, f);
}

enum err sql_number(struct sql *s, const char *text, int64_t *ret, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    bool row;
    enum err e = sql_prepare(s, text, &st, f);
    if (!e)
        e = sql_step(st, &row, f);
    if (!e && row)
        *ret = sql_i64(st, 0);
    return e;
}

enum err sql_prepare(struct sql *s, const char *text, struct sql_stmt **ret, struct fault *f)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
    if (rc != SQLITE_OK)
        return fail(s, rc, f);
    CHECK(st);
    *ret = mem_alloc(sizeof **ret);
    **ret = (struct sql_stmt){ st, s };
    return OK;
}

void sql_finish(struct sql_stmt *st)
{
    if (!st)
        return;
    (void)sqlite3_finalize(st->st);                /* repeats the error of the last step */
    mem_free(st);
}

void sql_finishp(struct sql_stmt **st)
{
    sql_finish(*st);
    *st = NULL;
}

void sql_bind_i64(struct sql_stmt *st, int at, int64_t v)
{
    CHECK(sqlite3_bind_int64(st->st, at, v) == SQLITE_OK);
}

void sql_bind_text(struct sql_stmt *st, int at, struct str s)
{
    CHECK(sqlite3_bind_text64(st->st, at, s.p ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK);
}

void sql_bind_blob(struct sql_stmt *st, int at, struct str s)
{
    CHECK(sqlite3_bind_blob64(st->st, at, s.p ? s.p : "", s.n, SQLITE_STATIC) == SQLITE_OK);
}

enum err sql_step(struct sql_stmt *st, bool *ret_row, struct fault *f)
{
    int rc = sqlite3_step(st->st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return fail(st->sql, rc, f);
    *ret_row = rc == SQLITE_ROW;
    return OK;
}

enum err sql_run(struct sql_stmt *st, struct fault *f)
{
    bool row = true;
    enum err e = OK;
    while (!e && row)
        e = sql_step(st, &row, f);
    sql_reset(st);
    return e;
}

void sql_reset(struct sql_stmt *st)
{
    (void)sqlite3_reset(st->st);                   /* repeats the error of the last step */
    (void)sqlite3_clear_bindings(st->st);
}

int sql_width(struct sql_stmt *st)
{
    return sqlite3_column_count(st->st);
}

int64_t sql_i64(struct sql_stmt *st, int col)
{
    return sqlite3_column_int64(st->st, col);
}

struct str sql_bytes(struct sql_stmt *st, int col)
{
    if (sqlite3_column_type(st->st, col) == SQLITE_NULL)
        return (struct str){ 0 };
    const void *p = sqlite3_column_blob(st->st, col);      /* NULL when it is empty */
    return (struct str){ p ? p : "", (size_t)sqlite3_column_bytes(st->st, col) };
}

/* --- transactions -------------------------------------------------------------------- */

enum err sql_begin(struct sql *s, struct fault *f)
{
    CHECK(sqlite3_get_autocommit(s->db));
    return sql_exec(s, "BEGIN IMMEDIATE", f);
}

enum err sql_commit(struct sql *s, struct fault *f)
{
    CHECK(!sqlite3_get_autocommit(s->db));
    enum err e = sql_exec(s, "COMMIT", f);
    if (e)
        sql_rollback(s);
    return e;
}

void sql_rollback(struct sql *s)
{
    if (s->db && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);   /* some errors have rolled back already */
}

/* --- whole files ----------------------------------------------------------------------- */

/* One step, and so one read transaction: with several a write in between would begin it anew. */
enum err sql_copy(struct sql *s, const char *to, struct fault *f)
{
    CLEANUP(sql_closep) struct sql *out = NULL;
    enum err e = sql_open(to, SQL_CREATE, &out, f);
    if (!e)                                        /* a copy that was cut short is thrown away */
        e = sql_exec(out, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;", f);
    if (e)
        return e;
    sqlite3_backup *b = sqlite3_backup_init(out->db, "main", s->db, "main");
    if (!b)
        return fail(out, sqlite3_errcode(out->db), f);
    int rc = sqlite3_backup_step(b, -1);
    int end = sqlite3_backup_finish(b);
    if (rc == SQLITE_DONE && end == SQLITE_OK)
        return OK;
    rc = rc == SQLITE_DONE ? end : rc;
    return fault_set(f, err_of(rc, errno), 0, "copy %s to %s: %s", s->path, to, sqlite3_errstr(rc));
}

enum err sql_verify(struct sql *s, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    bool row = false;
    enum err e = sql_prepare(s, "PRAGMA quick_check(1)", &st, f);
    if (!e)
        e = sql_step(st, &row, f);
    if (e)
        return e;
    struct str said = row ? sql_bytes(st, 0) : S("nothing");
    return str_eq(said, S("ok")) ? OK : fault_set(f, E_CORRUPT, 0, "%s: " STR_FMT, s->path, STR_ARG(str_sub(said, 0, 100)));
}
