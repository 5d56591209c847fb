/* store/part_file.c -- the tables of a partition and of its content file.
 *
 *     part        one row: what this file is and how far it has come
 *     chunk       a row each, with its summary. `born` is the generation that brought
 *                 it, `gone` the one that replaced it: a view of generation g sees
 *                 born <= g < gone, so that compaction can write beside readers.
 *     column      id = chunk * 4096 + column: one blob, as chunk.h has it
 *     filter      id = chunk: which sessions and prompts; id 0: sessions of all chunks
 *     carry       totals of series that also lived in earlier partitions, where this one begins;
 *                 base is the bits of a double (SQLite would make -0 a 0 and NaN a NULL)
 *     session     id = chunk: its sessions, with their times and sources
 *     rollup      id = chunk: its increments by hour and dimension
 *
 * The last two and filter 0 are written together with a chunk or not at all, and a
 * reader that finds none reads the chunk's rows.
 *
 * Content files have `part` and `column` only. They are written before the main
 * file: content whose chunk never came is beyond the main file's next_chunk, and
 * the next write removes it. Nothing needs to be atomic across the two.
 *
 * Chunk ids are never used twice, not even after a chunk is gone.
 */
#include "store/part_file.h"

#include <string.h>

enum { PART_FORMAT = 2, TENANT = 0 };             /* 1 was never released */
static const char app_main[] = "PRAGMA application_id=0x63636d70;";        /* "ccmp" */
static const char app_content[] = "PRAGMA application_id=0x63636d71;";
static const int64_t app_ids[] = { [PART_MAIN] = 0x63636d70, [PART_CONTENT] = 0x63636d71 };

static const char schema_both[] =
    "CREATE TABLE part(format INTEGER NOT NULL, tenant INTEGER NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL,"
    " applied_seq INTEGER NOT NULL, generation INTEGER NOT NULL, next_chunk INTEGER NOT NULL,"
    " time_min INTEGER NOT NULL, time_max INTEGER NOT NULL,"
    " samples INTEGER NOT NULL, logs INTEGER NOT NULL, spans INTEGER NOT NULL);"
    "CREATE TABLE \"column\"(id INTEGER PRIMARY KEY, data BLOB NOT NULL);";

static const char schema_main[] =
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, level INTEGER NOT NULL, t0 INTEGER NOT NULL,"
    " t1 INTEGER NOT NULL, rows INTEGER NOT NULL, born INTEGER NOT NULL, gone INTEGER, summary BLOB NOT NULL);"
    "CREATE TABLE filter(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE carry(series BLOB PRIMARY KEY, earlier_from_ns INTEGER NOT NULL, earlier_generation INTEGER NOT NULL,"
    " last_ns INTEGER NOT NULL, base INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE session(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE rollup(id INTEGER PRIMARY KEY, data BLOB NOT NULL);";

/* --- opening ----------------------------------------------------------------------------- */

static enum err make_tables(struct part_file *p, int64_t from_ns, int64_t to_ns, struct fault *f)
{
    enum err e = sql_exec(p->db, schema_both, f);
    if (!e && p->kind == PART_MAIN)
        e = sql_exec(p->db, schema_main, f);
    if (!e)
        e = sql_exec(p->db, p->kind == PART_MAIN ? app_main : app_content, f);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    if (!e)
        e = sql_prepare(p->db, "INSERT INTO part VALUES(?1,?2,?3,?4,0,0,1,0,0,0,0,0)", &st, f);
    if (e)
        return e;
    sql_bind_i64(st, 1, PART_FORMAT);
    sql_bind_i64(st, 2, TENANT);
    sql_bind_i64(st, 3, from_ns);
    sql_bind_i64(st, 4, to_ns);
    return sql_run(st, f);
}

static enum err create(struct part_file *p, int64_t from_ns, int64_t to_ns, struct fault *f)
{
    enum err e = sql_begin(p->db, f);
    if (!e)
        e = make_tables(p, from_ns, to_ns, f);
    if (!e)
        return sql_commit(p->db, f);
    sql_rollback(p->db);
    return e;
}

static enum err check_id(struct part_file *p, bool *ret_empty, struct fault *f)
{
    int64_t app = 0, tables = 0;
    enum err e = sql_number(p->db, "PRAGMA application_id", &app, f);
    if (!e && app == 0)
        e = sql_number(p->db, "SELECT count(*) FROM sqlite_master", &tables, f);
    if (e)
        return e;
    *ret_empty = app == 0 && tables == 0;
    if (app != app_ids[p->kind] && !*ret_empty)
        return fault_set(f, E_CORRUPT, 0, "%s: not a partition of ccmon", sql_path(p->db));
    return OK;
}

enum err part_file_create(const char *path, enum part_kind kind, int64_t from_ns, int64_t to_ns, struct part_file **ret,
                          struct fault *f)
{
    CHECK(from_ns < to_ns);
    CLEANUP(part_file_closep) struct part_file *p = mem_alloc(sizeof *p);
    p->kind = kind;
    enum err e = sql_open(path, SQL_CREATE, &p->db, f);
    if (!e)
        e = sql_exec(p->db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;", f);
    if (!e)
        e = create(p, from_ns, to_ns, f);
    if (!e)
        *ret = TAKE(p);
    return e;
}

/* A file is made in two steps, the file and then its tables: a crash between leaves an
 * empty one, which SQL_CREATE completes. */
static enum err open_file(const char *path, enum part_kind kind, enum sql_mode mode, int64_t from_ns, int64_t to_ns,
                          struct part_file **ret, struct fault *f)
{
    CLEANUP(part_file_closep) struct part_file *p = mem_alloc(sizeof *p);
    p->kind = kind;
    enum err e = sql_open(path, mode, &p->db, f);
    bool empty = false;
    if (!e)
        e = check_id(p, &empty, f);
    if (!e && mode != SQL_IMMUTABLE)               /* the WAL is cut to 4 MB when it is begun anew */
        e = sql_exec(p->db, "PRAGMA journal_size_limit=4194304;", f);
    if (!e && mode == SQL_CREATE)
        e = part_file_unseal(p, f);
    if (!e && empty)
        e = mode == SQL_CREATE ? create(p, from_ns, to_ns, f) : fault_set(f, E_NOTFOUND, 0, "%s: an empty file", path);
    if (e)
        return e;
    *ret = TAKE(p);
    return OK;
}

enum err part_file_open(const char *path, enum part_kind kind, enum sql_mode mode, int64_t from_ns, int64_t to_ns,
                        struct part_file **ret, struct fault *f)
{
    CHECK(from_ns < to_ns);
    CLEANUP(part_file_closep) struct part_file *p = NULL;
    struct part_head head;
    enum err e = open_file(path, kind, mode, from_ns, to_ns, &p, f);
    if (!e)
        e = part_file_head(p, &head, f);
    if (e)
        return e;
    if (head.from_ns != from_ns || head.to_ns != to_ns)
        return fault_set(f, E_CORRUPT, 0, "%s: holds another span of time than its name says", path);
    *ret = TAKE(p);
    return OK;
}

enum err part_file_inspect(const char *path, struct part_head *ret, struct fault *f)
{
    CLEANUP(part_file_closep) struct part_file *p = NULL;
    enum err e = open_file(path, PART_MAIN, SQL_WRITE, 0, 0, &p, f);
    return e ? e : part_file_head(p, ret, f);
}

enum err part_file_look(const char *path, enum part_kind kind, struct part_file **ret, struct fault *f)
{
    return open_file(path, kind, SQL_LOOK, 0, 0, ret, f);
}

void part_file_close(struct part_file *p)
{
    if (!p)
        return;
    sql_finish(p->column);
    sql_finish(p->filter);
    sql_finish(p->carry);
    sql_close(p->db);
    mem_free(p);
}

void part_file_closep(struct part_file **p)
{
    part_file_close(*p);
    *p = NULL;
}

static const char select_head[] = "SELECT format, from_ns, to_ns, applied_seq, generation, next_chunk, time_min, time_max,"
                                  " samples, logs, spans FROM part";

enum err part_file_head(struct part_file *p, struct part_head *ret, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    bool row;
    enum err e = sql_prepare(p->db, select_head, &st, f);
    if (!e)
        e = sql_step(st, &row, f);
    if (e)
        return e;
    if (!row)
        return fault_set(f, E_CORRUPT, 0, "%s: says nothing of itself", sql_path(p->db));
    if (sql_i64(st, 0) <= 0)                       /* a torn page of a file that was being made, as zeros are */
        return fault_set(f, E_CORRUPT, 0, "%s: what it says of itself cannot be", sql_path(p->db));
    if (sql_i64(st, 0) < PART_FORMAT)
        return fault_set(f, E_UNSUPPORTED, 0, "%s has format %lld, this ccmon reads %d: it was written before the first release",
                         sql_path(p->db), (long long)sql_i64(st, 0), PART_FORMAT);
    if (sql_i64(st, 0) > PART_FORMAT)
        return fault_set(f, E_UNSUPPORTED, 0, "%s has format %lld, this ccmon reads up to %d: a newer ccmon wrote it",
                         sql_path(p->db), (long long)sql_i64(st, 0), PART_FORMAT);
    struct part_head h = {
        .from_ns = sql_i64(st, 1),
        .to_ns = sql_i64(st, 2),
        .mark = (uint64_t)sql_i64(st, 3),
        .generation = (uint64_t)sql_i64(st, 4),
        .next_chunk = (uint64_t)sql_i64(st, 5),
        .time_min = sql_i64(st, 6),
        .time_max = sql_i64(st, 7),
    };
    for (int t = 0; t < TABLE_COUNT; t++)
        h.rows[t] = (uint64_t)sql_i64(st, 8 + t);
    if (h.from_ns >= h.to_ns || h.next_chunk == 0 || h.next_chunk > PART_CHUNKS_MAX)
        return fault_set(f, E_CORRUPT, 0, "%s: what it says of itself cannot be", sql_path(p->db));
    *ret = h;
    return OK;
}

/* --- writing -------------------------------------------------------------------------------- */

int64_t part_column_id(uint64_t chunk, uint32_t column)
{
    CHECK(chunk > 0 && chunk <= PART_CHUNKS_MAX && column < CHUNK_COLUMNS);
    return (int64_t)(chunk * CHUNK_COLUMNS + column);
}

static enum err put_blobs(struct sql_stmt *st, const struct chunk_out *c, uint64_t id, bool content, struct fault *f)
{
    for (uint32_t i = 0; i < c->nblobs; i++) {
        if (c->blobs[i].content != content)
            continue;
        sql_bind_i64(st, 1, part_column_id(id, c->blobs[i].column));
        sql_bind_blob(st, 2, c->blobs[i].data);
        enum err e = sql_run(st, f);
        if (e)
            return e;
    }
    return OK;
}

static enum err put_chunk_row(struct sql_stmt *st, const struct chunk_out *c, uint64_t id, uint64_t born, struct fault *f)
{
    CHECK(c->rows > 0 && c->t0 <= c->t1);
    const int64_t v[] = { (int64_t)id, c->table, c->level, c->t0, c->t1, c->rows, (int64_t)born };
    for (size_t i = 0; i < LEN(v); i++)
        sql_bind_i64(st, (int)i + 1, v[i]);
    sql_bind_blob(st, 8, c->summary);
    return sql_run(st, f);
}

enum err part_file_put_chunks(struct part_file *p, const struct chunk_out *chunks, uint32_t n, uint64_t id, uint64_t born,
                              struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *row = NULL, *column = NULL, *filter = NULL;
    enum err e = sql_prepare(p->db, "INSERT INTO chunk VALUES(?1,?2,?3,?4,?5,?6,?7,NULL,?8)", &row, f);
    if (!e)
        e = sql_prepare(p->db, "INSERT INTO \"column\" VALUES(?1,?2)", &column, f);
    if (!e)
        e = sql_prepare(p->db, "INSERT INTO filter VALUES(?1,?2)", &filter, f);
    for (uint32_t i = 0; i < n && !e; i++, id++) {
        const struct chunk_out *c = &chunks[i];
        e = put_chunk_row(row, c, id, born, f);
        if (!e)
            e = put_blobs(column, c, id, false, f);
        if (e || !c->filter.n)
            continue;
        sql_bind_i64(filter, 1, (int64_t)id);
        sql_bind_blob(filter, 2, c->filter);
        e = sql_run(filter, f);
    }
    return e;
}

static struct str series_bytes(const struct id128 *id)
{
    return (struct str){ (const char *)(const void *)id, sizeof *id };
}

static enum err put_carries(struct part_file *p, const struct part_carry *c, size_t n, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(p->db, "REPLACE INTO carry VALUES(?1,?2,?3,?4,?5)", &st, f);
    for (size_t i = 0; i < n && !e; i++) {
        sql_bind_blob(st, 1, series_bytes(&c[i].series));
        sql_bind_i64(st, 2, c[i].earlier_from_ns);
        sql_bind_i64(st, 3, (int64_t)c[i].earlier_generation);
        sql_bind_i64(st, 4, c[i].last_ns);
        int64_t base;
        memcpy(&base, &c[i].base, sizeof base);
        sql_bind_i64(st, 5, base);
        e = sql_run(st, f);
    }
    return e;
}

enum err part_file_put_head(struct part_file *p, const struct part_head *h, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(p->db, "UPDATE part SET applied_seq=?1, generation=?2, next_chunk=?3, time_min=?4, time_max=?5,"
                                    " samples=?6, logs=?7, spans=?8", &st, f);
    if (e)
        return e;
    const int64_t v[] = {
        (int64_t)h->mark, (int64_t)h->generation, (int64_t)h->next_chunk, h->time_min, h->time_max,
        (int64_t)h->rows[TABLE_SAMPLE], (int64_t)h->rows[TABLE_LOG], (int64_t)h->rows[TABLE_SPAN],
    };
    for (size_t i = 0; i < LEN(v); i++)
        sql_bind_i64(st, (int)i + 1, v[i]);
    return sql_run(st, f);
}

void part_head_add(struct part_head *h, enum table t, uint64_t rows, int64_t t0, int64_t t1)
{
    CHECK(span_holds(h->from_ns, h->to_ns, t0) && span_holds(h->from_ns, h->to_ns, t1) && t0 <= t1);
    bool empty = h->rows[TABLE_SAMPLE] + h->rows[TABLE_LOG] + h->rows[TABLE_SPAN] == 0;
    h->time_min = empty ? t0 : MIN(h->time_min, t0);
    h->time_max = empty ? t1 : MAX(h->time_max, t1);
    h->rows[t] += rows;
}

/* What the file will say of itself after the write. */
static struct part_head head_after(const struct part_head *h, const struct part_write *w)
{
    struct part_head n = *h;
    n.mark = w->mark;
    n.generation++;
    n.next_chunk += w->nchunks;
    for (uint32_t i = 0; i < w->nchunks; i++)
        part_head_add(&n, w->chunks[i].table, w->chunks[i].rows, w->chunks[i].t0, w->chunks[i].t1);
    return n;
}

/* Does the file have what we think it has? A commit whose last sync failed is reported
 * as failed and yet found in the WAL by whoever opens the file next. */
static enum err check_head(struct part_file *p, const struct part_write *w, struct part_head *head, bool *ret_done,
                           struct fault *f)
{
    struct part_head now;
    enum err e = part_file_head(p, &now, f);
    if (e)
        return e;
    bool same = now.generation == head->generation && now.mark == head->mark && now.next_chunk == head->next_chunk;
    *ret_done = !same && w->mark > head->mark && now.mark == w->mark;   /* the mark says which rows: it is this very write */
    *head = now;
    if (same || *ret_done)
        return OK;
    return fault_set(f, E_UNAVAILABLE, 0, "%s: a write that was reported as failed is in it", sql_path(p->db));
}

static enum err write_rows(struct part_file *p, const struct part_write *w, struct part_head *head, struct fault *f)
{
    if (head->next_chunk + w->nchunks > PART_CHUNKS_MAX)
        return fault_set(f, E_LIMIT, 0, "%s: more than %llu chunks", sql_path(p->db), (unsigned long long)PART_CHUNKS_MAX);
    struct part_head after = head_after(head, w);
    enum err e = part_file_put_chunks(p, w->chunks, w->nchunks, head->next_chunk, after.generation, f);
    if (!e)
        e = put_carries(p, w->carries, w->ncarries, f);
    if (!e)
        e = part_file_put_head(p, &after, f);
    if (!e)
        e = sql_commit(p->db, f);
    if (!e)
        *head = after;
    return e;
}

enum err part_file_write(struct part_file *p, const struct part_write *w, struct part_head *head, struct fault *f)
{
    CHECK(p->kind == PART_MAIN && w->mark >= head->mark);
    bool done = false;
    enum err e = sql_begin(p->db, f);
    if (!e)
        e = check_head(p, w, head, &done, f);
    if (!e && !done)
        e = write_rows(p, w, head, f);
    sql_rollback(p->db);                           /* after a commit there is nothing to roll back */
    return e;
}

enum err part_file_drop_orphans(struct part_file *p, uint64_t next_chunk, struct fault *f)
{
    CHECK(p->kind == PART_CONTENT);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(p->db, "DELETE FROM \"column\" WHERE id>=?1", &st, f);
    if (e)
        return e;
    sql_bind_i64(st, 1, part_column_id(next_chunk, 0));
    return sql_run(st, f);
}

enum err part_file_put_content(struct part_file *p, const struct chunk_out *chunks, uint32_t n, uint64_t id, struct fault *f)
{
    CHECK(p->kind == PART_CONTENT);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(p->db, "INSERT INTO \"column\" VALUES(?1,?2)", &st, f);
    for (uint32_t i = 0; i < n && !e; i++)
        e = put_blobs(st, &chunks[i], id + i, true, f);
    return e;
}

enum err part_file_write_content(struct part_file *p, const struct part_write *w, uint64_t next_chunk, struct fault *f)
{
    enum err e = sql_begin(p->db, f);
    if (e)
        return e;
    e = part_file_drop_orphans(p, next_chunk, f);
    if (!e)
        e = part_file_put_content(p, w->chunks, w->nchunks, next_chunk, f);
    if (!e)
        return sql_commit(p->db, f);
    sql_rollback(p->db);
    return e;
}

enum err part_file_put_carries(struct part_file *p, const struct part_carry *c, size_t n, struct fault *f)
{
    enum err e = sql_begin(p->db, f);
    if (e)
        return e;
    e = put_carries(p, c, n, f);
    if (!e)
        return sql_commit(p->db, f);
    sql_rollback(p->db);
    return e;
}

static enum err set_journal(struct part_file *p, const char *pragma, struct str want, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    bool row = false;
    enum err e = sql_prepare(p->db, pragma, &st, f);
    if (!e)
        e = sql_step(st, &row, f);
    if (e)
        return e;
    /* The answer is the mode it is in now: somebody else may have the file open. */
    if (!row || !str_eq(sql_bytes(st, 0), want))
        return fault_set(f, E_UNAVAILABLE, 0, "%s: in use", sql_path(p->db));
    return OK;
}

enum err part_file_seal(struct part_file *p, struct fault *f)
{
    return set_journal(p, "PRAGMA journal_mode=DELETE", S("delete"), f);
}

enum err part_file_unseal(struct part_file *p, struct fault *f)
{
    return set_journal(p, "PRAGMA journal_mode=WAL", S("wal"), f);
}

/* --- reading -------------------------------------------------------------------------------- */

static enum err read_chunk(struct part_file *p, struct sql_stmt *st, struct arena *mem, struct chunk_ref *ret, struct fault *f)
{
    int64_t id = sql_i64(st, 0), table = sql_i64(st, 1), rows = sql_i64(st, 4);
    struct chunk_ref c = { .id = (uint64_t)id, .t0 = sql_i64(st, 2), .t1 = sql_i64(st, 3) };
    enum err e = chunk_summary_read(sql_bytes(st, 5), mem, &c.sum, f);
    if (e == E_CORRUPT)
        return fault_set(f, e, 0, "%s: chunk %lld has a damaged summary", sql_path(p->db), (long long)id);
    if (e)
        return e;
    if (id <= 0 || (uint64_t)id > PART_CHUNKS_MAX || (int64_t)c.sum.table != table || c.sum.rows != rows ||
        c.sum.time_min != c.t0 || c.sum.time_max != c.t1)
        return fault_set(f, E_CORRUPT, 0, "%s: chunk %lld is not what its summary says", sql_path(p->db), (long long)id);
    *ret = c;
    return OK;
}

enum err part_file_chunks(struct part_file *p, uint64_t generation, struct arena *mem, struct chunk_ref **ret,
                          uint32_t *ret_n, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(p->db, "SELECT id, kind, t0, t1, rows, summary FROM chunk"
                                    " WHERE born<=?1 AND (gone IS NULL OR gone>?1) ORDER BY id", &st, f);
    if (e)
        return e;
    sql_bind_i64(st, 1, (int64_t)generation);
    struct chunk_ref *at = NULL;
    uint32_t n = 0, cap = 0;
    for (bool row = true; !e && row;) {
        e = sql_step(st, &row, f);
        if (e || !row)
            break;
        if (arena_over(mem))
            return fault_set(f, E_LIMIT, 0, "%s: the list of its chunks is larger than %zu bytes", sql_path(p->db), mem->budget);
        struct chunk_ref c;
        e = read_chunk(p, st, mem, &c, f);
        if (!e)
            *arena_push(mem, at, n, cap) = c;
    }
    if (e)
        return e;
    *ret = at;
    *ret_n = n;
    return OK;
}

/* One blob by its rowid; *ret has p == NULL if there is none. */
static enum err read_blob(struct part_file *p, struct sql_stmt **st, const char *text, int64_t id, struct arena *mem,
                          struct str *ret, struct fault *f)
{
    if (!*st) {
        enum err e = sql_prepare(p->db, text, st, f);
        if (e)
            return e;
    }
    bool row;
    sql_bind_i64(*st, 1, id);
    enum err e = sql_step(*st, &row, f);
    if (!e)
        *ret = row ? arena_str(mem, sql_bytes(*st, 0)) : (struct str){ 0 };
    sql_reset(*st);
    return e;
}

enum err part_file_column(struct part_file *p, uint64_t chunk, uint32_t column, struct arena *mem, struct str *ret,
                          struct fault *f)
{
    return read_blob(p, &p->column, "SELECT data FROM \"column\" WHERE id=?1", part_column_id(chunk, column), mem, ret, f);
}

enum err part_file_filter(struct part_file *p, uint64_t chunk, struct arena *mem, struct str *ret, struct fault *f)
{
    CHECK(p->kind == PART_MAIN);
    return read_blob(p, &p->filter, "SELECT data FROM filter WHERE id=?1", (int64_t)chunk, mem, ret, f);
}

enum err part_file_carry(struct part_file *p, struct part_carry *c, bool *ret_found, struct fault *f)
{
    CHECK(p->kind == PART_MAIN);
    if (!p->carry) {
        enum err e = sql_prepare(p->db, "SELECT earlier_from_ns, earlier_generation, last_ns, base FROM carry"
                                        " WHERE series=?1", &p->carry, f);
        if (e)
            return e;
    }
    bool row;
    sql_bind_blob(p->carry, 1, series_bytes(&c->series));
    enum err e = sql_step(p->carry, &row, f);
    if (!e && row) {
        c->earlier_from_ns = sql_i64(p->carry, 0);
        c->earlier_generation = (uint64_t)sql_i64(p->carry, 1);
        c->last_ns = sql_i64(p->carry, 2);
        int64_t base = sql_i64(p->carry, 3);
        memcpy(&c->base, &base, sizeof base);
    }
    if (!e)
        *ret_found = row;
    sql_reset(p->carry);
    return e;
}
