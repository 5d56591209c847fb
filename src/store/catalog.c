/* store/catalog.c -- ccmon.db.
 *
 * Small and read at every start, so: one query for the whole list, no view, no index
 * besides the keys. In WAL mode a commit is one sync. The lock is held for one
 * call: a few rows, or the list of partitions.
 */
#include "store/catalog.h"

#include <pthread.h>
#include <string.h>

#include "store/sql.h"

enum { CATALOG_FORMAT = 1, APPLICATION = 0x63636d63 };      /* "ccmc" */

static const char schema[] =
    "BEGIN IMMEDIATE;"
    /* A copy of what is in the partition files; see part_file.c. */
    "CREATE TABLE part(name TEXT PRIMARY KEY, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL,"
    " time_min INTEGER NOT NULL, time_max INTEGER NOT NULL, mark INTEGER NOT NULL, generation INTEGER NOT NULL,"
    " samples INTEGER NOT NULL, logs INTEGER NOT NULL, spans INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " writing INTEGER NOT NULL, closed INTEGER NOT NULL, content INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE meta(name BLOB PRIMARY KEY, type INTEGER NOT NULL, unit BLOB NOT NULL, help BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE moved(id BLOB PRIMARY KEY, seq INTEGER NOT NULL, recv_ns INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE setting(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "PRAGMA application_id=0x63636d63;"
    "PRAGMA user_version=1;"
    "COMMIT;";

struct catalog {
    pthread_mutex_t lock;                          /* of db, and of statements on it */
    struct sql *db;
};

static pthread_mutex_t *lock(struct catalog *c)
{
    CHECK(pthread_mutex_lock(&c->lock) == 0);
    return &c->lock;
}

static void unlockp(pthread_mutex_t **m)
{
    CHECK(pthread_mutex_unlock(*m) == 0);
}

/* --- opening -------------------------------------------------------------------------- */

static enum err check_format(struct sql *db, bool *ret_new, struct fault *f)
{
    int64_t format = 0, app = 0;
    enum err e = sql_number(db, "PRAGMA user_version", &format, f);
    if (!e)
        e = sql_number(db, "PRAGMA application_id", &app, f);
    if (e)
        return e;
    *ret_new = format == 0 && app == 0;
    if (!*ret_new && app != APPLICATION)
        return fault_set(f, E_CORRUPT, 0, "%s: not a catalogue of ccmon", sql_path(db));
    if (format > CATALOG_FORMAT)
        return fault_set(f, E_UNSUPPORTED, 0, "%s has format %lld, this ccmon reads up to %d: a newer ccmon wrote it",
                         sql_path(db), (long long)format, CATALOG_FORMAT);
    return OK;
}

static struct catalog *catalog_of(struct sql *db)
{
    struct catalog *c = mem_alloc(sizeof *c);
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
    c->db = db;
    return c;
}

enum err catalog_open(const char *path, struct catalog **ret, bool *ret_new, struct fault *f)
{
    CLEANUP(sql_closep) struct sql *db = NULL;
    enum err e = sql_open(path, SQL_CREATE, &db, f);
    if (e)
        return e;
    bool fresh = false;
    e = check_format(db, &fresh, f);
    if (!e)
        e = sql_exec(db, "PRAGMA journal_mode=WAL;", f);
    if (!e && fresh)
        e = sql_exec(db, schema, f);
    if (e)
        return e;
    *ret = catalog_of(TAKE(db));
    *ret_new = fresh;
    return OK;
}

enum err catalog_look(const char *path, struct catalog **ret, struct fault *f)
{
    CLEANUP(sql_closep) struct sql *db = NULL;
    bool fresh = false;
    enum err e = sql_open(path, SQL_LOOK, &db, f);
    if (!e)
        e = check_format(db, &fresh, f);
    if (!e && fresh)
        e = fault_set(f, E_NOTFOUND, 0, "%s: an empty file", path);
    if (!e)
        *ret = catalog_of(TAKE(db));
    return e;
}

enum err catalog_verify(struct catalog *c, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    bool row = false;
    enum err e = sql_prepare(c->db, "PRAGMA integrity_check(1)", &st, f);
    if (!e)
        e = sql_step(st, &row, f);
    if (e)
        return e;
    struct str said = row ? sql_bytes(st, 0) : S("nothing");
    return str_eq(said, S("ok")) ? OK : fault_set(f, E_CORRUPT, 0, "SQLite says: " STR_FMT, STR_ARG(str_sub(said, 0, 200)));
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    sql_close(c->db);
    CHECK(pthread_mutex_destroy(&c->lock) == 0);
    mem_free(c);
}

/* --- partitions ------------------------------------------------------------------------- */

static const char list_parts[] = "SELECT name, from_ns, to_ns, time_min, time_max, mark, generation, samples, logs, spans,"
                                 " bytes, writing, closed, content FROM part ORDER BY from_ns, to_ns DESC";

static enum err read_part(struct sql_stmt *st, struct catalog_part *p, struct fault *f)
{
    struct str name = sql_bytes(st, 0);
    if (name.n == 0 || name.n >= CATALOG_NAME_MAX)
        return fault_set(f, E_CORRUPT, 0, "the catalogue lists a partition without a proper name");
    memcpy(p->name, name.p, name.n);
    p->from_ns = sql_i64(st, 1);
    p->to_ns = sql_i64(st, 2);
    p->time_min = sql_i64(st, 3);
    p->time_max = sql_i64(st, 4);
    p->mark = (uint64_t)sql_i64(st, 5);
    p->generation = (uint64_t)sql_i64(st, 6);
    for (int t = 0; t < TABLE_COUNT; t++)
        p->rows[t] = (uint64_t)sql_i64(st, 7 + t);
    p->bytes = (uint64_t)sql_i64(st, 10);
    p->writing = sql_i64(st, 11);
    p->closed = sql_i64(st, 12);
    p->content = sql_i64(st, 13);
    if (p->from_ns >= p->to_ns)
        return fault_set(f, E_CORRUPT, 0, "the catalogue lists partition %s with a span of nothing", p->name);
    return OK;
}

enum err catalog_parts(struct catalog *c, struct arena *mem, struct catalog_part **ret, uint32_t *ret_n, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, list_parts, &st, f);
    struct catalog_part *at = NULL;
    uint32_t n = 0, cap = 0;
    for (bool row = true; !e && row;) {
        e = sql_step(st, &row, f);
        if (!e && row) {
            struct catalog_part *p = arena_push(mem, at, n, cap);
            *p = (struct catalog_part){ 0 };
            e = read_part(st, p, f);
        }
    }
    if (e)
        return e;
    *ret = at;
    *ret_n = n;
    return OK;
}

static enum err put_part(struct sql_stmt *st, const struct catalog_part *p, struct fault *f)
{
    CHECK(p->from_ns < p->to_ns);
    sql_bind_text(st, 1, str_c(p->name));
    const int64_t v[] = {
        p->from_ns, p->to_ns, p->time_min, p->time_max, (int64_t)p->mark, (int64_t)p->generation,
        (int64_t)p->rows[TABLE_SAMPLE], (int64_t)p->rows[TABLE_LOG], (int64_t)p->rows[TABLE_SPAN],
        (int64_t)p->bytes, p->writing, p->closed, p->content,
    };
    for (size_t i = 0; i < LEN(v); i++)
        sql_bind_i64(st, (int)i + 2, v[i]);
    return sql_run(st, f);
}

static enum err remove_names(struct catalog *c, const char *const *names, size_t n, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "DELETE FROM part WHERE name=?1", &st, f);
    for (size_t i = 0; i < n && !e; i++) {
        sql_bind_text(st, 1, str_c(names[i]));
        e = sql_run(st, f);
    }
    return e;
}

static enum err put_parts(struct catalog *c, const char *const *names, size_t nnames, const struct catalog_part *p, size_t n,
                          struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "REPLACE INTO part VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)", &st, f);
    if (!e)
        e = sql_begin(c->db, f);
    if (!e && nnames)
        e = remove_names(c, names, nnames, f);
    for (size_t i = 0; i < n && !e; i++)
        e = put_part(st, &p[i], f);
    if (!e)
        return sql_commit(c->db, f);
    sql_rollback(c->db);
    return e;
}

enum err catalog_parts_put(struct catalog *c, const struct catalog_part *p, size_t n, struct fault *f)
{
    return put_parts(c, NULL, 0, p, n, f);
}

enum err catalog_parts_exchange(struct catalog *c, const char *const *names, size_t n, const struct catalog_part *p, struct fault *f)
{
    return put_parts(c, names, n, p, 1, f);
}

enum err catalog_parts_remove(struct catalog *c, const char *name, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "DELETE FROM part WHERE name=?1", &st, f);
    if (e)
        return e;
    sql_bind_text(st, 1, str_c(name));
    return sql_run(st, f);
}

/* --- metric metadata ---------------------------------------------------------------------- */

/* What a callback may do is not ours to know, so it is called without the lock. */
static enum err load_metas(struct catalog *c, struct arena *mem, struct metric_meta **ret, uint32_t *ret_n, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "SELECT name, type, unit, help FROM meta", &st, f);
    struct metric_meta *at = NULL;
    uint32_t n = 0, cap = 0;
    for (bool row = true; !e && row;) {
        e = sql_step(st, &row, f);
        if (e || !row)
            break;
        int64_t type = sql_i64(st, 1);
        struct metric_meta m = { arena_str(mem, sql_bytes(st, 0)), METRIC_UNKNOWN, arena_str(mem, sql_bytes(st, 2)),
                                 arena_str(mem, sql_bytes(st, 3)) };
        if (type >= METRIC_UNKNOWN && type <= METRIC_SUMMARY)
            m.type = (enum metric_type)type;
        *arena_push(mem, at, n, cap) = m;
    }
    if (e)
        return e;
    *ret = at;
    *ret_n = n;
    return OK;
}

enum err catalog_metas(struct catalog *c, void (*each)(void *arg, const struct metric_meta *m), void *arg, struct fault *f)
{
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)1 << 20);
    struct metric_meta *at = NULL;
    uint32_t n = 0;
    enum err e = load_metas(c, &mem, &at, &n, f);
    for (uint32_t i = 0; i < n && !e; i++)
        each(arg, &at[i]);
    return e;
}

enum err catalog_metas_put(struct catalog *c, const struct metric_meta *m, size_t n, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "REPLACE INTO meta VALUES(?1,?2,?3,?4)", &st, f);
    if (!e)
        e = sql_begin(c->db, f);
    for (size_t i = 0; i < n && !e; i++) {
        sql_bind_blob(st, 1, m[i].name);
        sql_bind_i64(st, 2, m[i].type);
        sql_bind_blob(st, 3, m[i].unit);
        sql_bind_blob(st, 4, m[i].help);
        e = sql_run(st, f);
    }
    if (!e)
        return sql_commit(c->db, f);
    sql_rollback(c->db);
    return e;
}

/* --- moved rows ------------------------------------------------------------------------------ */

static struct str id_bytes(const struct id128 *id)
{
    return (struct str){ (const char *)(const void *)id, sizeof *id };
}

enum err catalog_moved_has(struct catalog *c, struct id128 id, bool *ret, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "SELECT 1 FROM moved WHERE id=?1", &st, f);
    if (e)
        return e;
    sql_bind_blob(st, 1, id_bytes(&id));
    return sql_step(st, ret, f);
}

enum err catalog_moved_put(struct catalog *c, const struct moved_id *m, size_t n, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "INSERT OR IGNORE INTO moved VALUES(?1,?2,?3)", &st, f);
    if (!e)
        e = sql_begin(c->db, f);
    for (size_t i = 0; i < n && !e; i++) {
        sql_bind_blob(st, 1, id_bytes(&m[i].id));
        sql_bind_i64(st, 2, (int64_t)m[i].seq);
        sql_bind_i64(st, 3, m[i].recv_ns);
        e = sql_run(st, f);
    }
    if (!e)
        return sql_commit(c->db, f);
    sql_rollback(c->db);
    return e;
}

enum err catalog_moved_prune(struct catalog *c, int64_t before_recv_ns, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "DELETE FROM moved WHERE recv_ns<?1", &st, f);
    if (e)
        return e;
    sql_bind_i64(st, 1, before_recv_ns);
    return sql_run(st, f);
}

/* --- who was erased ------------------------------------------------------------------------------ */

static const char erased_table[] = "CREATE TABLE IF NOT EXISTS erased(hash BLOB PRIMARY KEY, kind INTEGER NOT NULL,"
                                   " at_ns INTEGER NOT NULL, text BLOB) WITHOUT ROWID;";

static bool read_erased(struct sql_stmt *st, struct arena *mem, struct catalog_erased *ret)
{
    struct str hash = sql_bytes(st, 0), text = sql_bytes(st, 3);
    int64_t kind = sql_i64(st, 1);
    if (hash.n != sizeof ret->entry.hash || (kind != ERASED_SESSION && kind != ERASED_USER))
        return false;
    *ret = (struct catalog_erased){ .entry = { .kind = (enum erased_kind)kind, .at_ns = sql_i64(st, 2) } };
    memcpy(ret->entry.hash, hash.p, hash.n);
    if (text.p)
        ret->text = arena_str(mem, text);
    return true;
}

enum err catalog_erased(struct catalog *c, struct arena *mem, struct catalog_erased **ret, uint32_t *ret_n, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    struct catalog_erased *at = NULL;
    uint32_t n = 0, cap = 0;
    int64_t tables = 0;
    enum err e = sql_number(c->db, "SELECT count(*) FROM sqlite_master WHERE name='erased'", &tables, f);
    if (!e && tables)
        e = sql_prepare(c->db, "SELECT hash, kind, at_ns, text FROM erased", &st, f);
    for (bool row = tables; !e && row;) {
        e = sql_step(st, &row, f);
        if (!e && row && !read_erased(st, mem, arena_push(mem, at, n, cap)))
            e = fault_set(f, E_CORRUPT, 0, "the catalogue lists somebody erased, and not who");
    }
    if (e)
        return e;
    *ret = at;
    *ret_n = n;
    return OK;
}

enum err catalog_erased_put(struct catalog *c, const struct catalog_erased *x, size_t n, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_begin(c->db, f);
    if (e)
        return e;
    e = sql_exec(c->db, erased_table, f);
    if (!e)
        e = sql_prepare(c->db, "REPLACE INTO erased VALUES(?1,?2,?3,?4)", &st, f);
    for (size_t i = 0; i < n && !e; i++) {
        sql_bind_blob(st, 1, (struct str){ (const char *)x[i].entry.hash, sizeof x[i].entry.hash });
        sql_bind_i64(st, 2, x[i].entry.kind);
        sql_bind_i64(st, 3, x[i].entry.at_ns);
        if (x[i].text.p)
            sql_bind_blob(st, 4, x[i].text);
        e = sql_run(st, f);
    }
    if (!e)
        return sql_commit(c->db, f);
    sql_rollback(c->db);
    return e;
}

/* Every page is written anew, and what the WAL had of the old ones goes. */
static enum err wipe(struct catalog *c, struct fault *f)
{
    enum err e = sql_exec(c->db, "VACUUM", f);
    if (!e)
        e = sql_exec(c->db, "DELETE FROM setting WHERE key=CAST('wipe' AS BLOB); PRAGMA wal_checkpoint(TRUNCATE);", f);
    return e;
}

static enum err forget_metas(struct catalog *c, const struct str *texts, size_t n, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "DELETE FROM meta WHERE instr(name, ?1) OR instr(unit, ?1) OR instr(help, ?1)", &st, f);
    for (size_t i = 0; i < n && !e; i++) {
        sql_bind_blob(st, 1, texts[i]);
        e = sql_run(st, f);
    }
    return e;
}

enum err catalog_erased_done(struct catalog *c, const struct str *texts, size_t n, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    enum err e = sql_begin(c->db, f);
    if (e)
        return e;
    e = forget_metas(c, texts, n, f);
    if (!e)
        e = sql_exec(c->db, "UPDATE erased SET text=NULL; REPLACE INTO setting VALUES(CAST('wipe' AS BLOB), CAST('1' AS BLOB));", f);
    if (!e)
        e = sql_commit(c->db, f);
    sql_rollback(c->db);
    return e ? e : wipe(c, f);
}

enum err catalog_wipe_again(struct catalog *c, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    int64_t due = 0;
    enum err e = sql_number(c->db, "SELECT count(*) FROM setting WHERE key=CAST('wipe' AS BLOB)", &due, f);
    return e || !due ? e : wipe(c, f);
}

/* --- settings ---------------------------------------------------------------------------------- */

enum err catalog_get(struct catalog *c, struct str key, struct arena *mem, struct str *ret, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, "SELECT value FROM setting WHERE key=?1", &st, f);
    if (e)
        return e;
    bool row;
    sql_bind_blob(st, 1, key);
    e = sql_step(st, &row, f);
    if (e)
        return e;
    if (!row)
        return fault_set(f, E_NOTFOUND, 0, "no setting " STR_FMT, STR_ARG(key));
    *ret = arena_str(mem, sql_bytes(st, 0));
    return OK;
}

enum err catalog_set(struct catalog *c, struct str key, struct str value, struct fault *f)
{
    CLEANUP(unlockp) UNUSED pthread_mutex_t *held = lock(c);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(c->db, value.n ? "REPLACE INTO setting VALUES(?1,?2)" : "DELETE FROM setting WHERE key=?1", &st, f);
    if (e)
        return e;
    sql_bind_blob(st, 1, key);
    if (value.n)
        sql_bind_blob(st, 2, value);
    return sql_run(st, f);
}
