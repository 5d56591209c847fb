/* store/part_chunks.c -- chunks of a partition file replaced, deleted, and copied into a new one.
 *
 * Replacing writes the new chunks with the next generation as `born`, and that same
 * generation as `gone` of the old ones, in one transaction: a reader of a generation sees
 * either these or those. Deleting comes later, when no reader can ask for them.
 *
 * A new file is written without a journal and without syncs, because it is thrown away
 * unless it is finished. Finishing syncs everything, and then, in a transaction of its own,
 * gives the file a generation: a file of generation 0 was never finished.
 */
#include "store/part_file.h"

/* --- replacing --------------------------------------------------------------------------- */

/* Marks one chunk as gone and counts its rows. */
static enum err retire(struct part_file *p, struct sql_stmt *look, struct sql_stmt *mark, uint64_t id, uint64_t gone,
                       uint64_t rows[TABLE_COUNT], struct fault *f)
{
    bool row;
    sql_bind_i64(look, 1, (int64_t)id);
    enum err e = sql_step(look, &row, f);
    int64_t kind = !e && row ? sql_i64(look, 0) : 0, n = !e && row ? sql_i64(look, 1) : 0;
    sql_reset(look);
    if (e)
        return e;
    if (!row)
        return fault_set(f, E_NOTFOUND, 0, "%s: chunk %llu is not there to be replaced", sql_path(p->db), (unsigned long long)id);
    if (kind < 0 || kind >= TABLE_COUNT || n <= 0)
        return fault_set(f, E_CORRUPT, 0, "%s: chunk %llu is of no table", sql_path(p->db), (unsigned long long)id);
    rows[kind] += (uint64_t)n;
    sql_bind_i64(mark, 1, (int64_t)id);
    sql_bind_i64(mark, 2, (int64_t)gone);
    return sql_run(mark, f);
}

static enum err retire_all(struct part_file *p, const uint64_t *old, uint32_t nold, uint64_t gone, uint64_t rows[TABLE_COUNT],
                           struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *look = NULL, *mark = NULL;
    enum err e = sql_prepare(p->db, "SELECT kind, rows FROM chunk WHERE id=?1 AND gone IS NULL", &look, f);
    if (!e)
        e = sql_prepare(p->db, "UPDATE chunk SET gone=?2 WHERE id=?1", &mark, f);
    for (uint32_t i = 0; i < nold && !e; i++)
        e = retire(p, look, mark, old[i], gone, rows, f);
    return e;
}

static enum err replace(struct part_file *p, const uint64_t *old, uint32_t nold, const struct part_write *w, struct part_head *head,
                        struct fault *f)
{
    struct part_head after = *head;
    uint64_t before[TABLE_COUNT] = { 0 }, now[TABLE_COUNT] = { 0 };
    if (head->next_chunk + w->nchunks > PART_CHUNKS_MAX)
        return fault_set(f, E_LIMIT, 0, "%s: more than %llu chunks", sql_path(p->db), (unsigned long long)PART_CHUNKS_MAX);
    after.generation++;
    after.next_chunk += w->nchunks;
    enum err e = retire_all(p, old, nold, after.generation, before, f);
    for (uint32_t i = 0; i < w->nchunks; i++)
        now[w->chunks[i].table] += w->chunks[i].rows;
    for (int t = 0; t < TABLE_COUNT && !e; t++)
        if (before[t] != now[t])
            e = fault_set(f, E_CORRUPT, 0, "%s: %llu rows were to be replaced by %llu", sql_path(p->db), (unsigned long long)before[t],
                          (unsigned long long)now[t]);
    if (!e)
        e = part_file_put_chunks(p, w->chunks, w->nchunks, head->next_chunk, after.generation, f);
    if (!e)
        e = part_file_put_head(p, &after, f);
    if (!e)
        e = sql_commit(p->db, f);
    if (!e)
        *head = after;
    return e;
}

enum err part_file_replace(struct part_file *p, const uint64_t *old, uint32_t nold, const struct part_write *w,
                           struct part_head *head, struct fault *f)
{
    CHECK(p->kind == PART_MAIN && w->mark == head->mark);
    struct part_head now;
    enum err e = sql_begin(p->db, f);
    if (!e)
        e = part_file_head(p, &now, f);
    if (!e && (now.generation != head->generation || now.mark != head->mark)) {
        *head = now;
        e = fault_set(f, E_UNAVAILABLE, 0, "%s: a write that was reported as failed is in it", sql_path(p->db));
    }
    if (!e)
        e = replace(p, old, nold, w, head, f);
    sql_rollback(p->db);                           /* after a commit there is nothing to roll back */
    return e;
}

/* --- deleting ---------------------------------------------------------------------------- */

enum err part_file_gone(struct part_file *p, uint64_t oldest, struct arena *mem, uint64_t **ret, uint32_t *ret_n, bool *ret_more,
                        struct fault *f)
{
    CHECK(p->kind == PART_MAIN);
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    uint64_t *ids = NULL;
    uint32_t n = 0, cap = 0;
    bool more = false;
    enum err e = sql_prepare(p->db, "SELECT id, gone FROM chunk WHERE gone IS NOT NULL", &st, f);
    for (bool row = true; !e && row;) {
        e = sql_step(st, &row, f);
        if (e || !row)
            break;
        if (n < PART_SWEEP_MAX && (uint64_t)sql_i64(st, 1) <= oldest)
            *arena_push(mem, ids, n, cap) = (uint64_t)sql_i64(st, 0);
        else
            more = true;
    }
    if (e)
        return e;
    *ret = ids;
    *ret_n = n;
    *ret_more = more;
    return OK;
}

static enum err delete_one(struct sql_stmt *st, int64_t from, int64_t to, struct fault *f)
{
    sql_bind_i64(st, 1, from);
    sql_bind_i64(st, 2, to);
    return sql_run(st, f);
}

enum err part_file_sweep(struct part_file *p, const uint64_t *ids, uint32_t n, struct fault *f)
{
    static const char *const by_chunk[] = {
        "DELETE FROM filter WHERE id BETWEEN ?1 AND ?2", "DELETE FROM session WHERE id BETWEEN ?1 AND ?2",
        "DELETE FROM rollup WHERE id BETWEEN ?1 AND ?2", "DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2",
    };
    CLEANUP(sql_finishp) struct sql_stmt *column = NULL;
    enum err e = sql_begin(p->db, f);
    if (!e)
        e = sql_prepare(p->db, "DELETE FROM \"column\" WHERE id BETWEEN ?1 AND ?2", &column, f);
    for (uint32_t i = 0; i < n && !e; i++)
        e = delete_one(column, part_column_id(ids[i], 0), part_column_id(ids[i], CHUNK_COLUMNS - 1), f);
    for (size_t k = 0; k < LEN(by_chunk) && !e && p->kind == PART_MAIN; k++) {
        CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
        e = sql_prepare(p->db, by_chunk[k], &st, f);
        for (uint32_t i = 0; i < n && !e; i++)
            e = delete_one(st, (int64_t)ids[i], (int64_t)ids[i], f);
    }
    if (!e)
        e = sql_commit(p->db, f);
    sql_rollback(p->db);
    return e;
}

/* --- copying ----------------------------------------------------------------------------- */

/* Rows (id, blob) with from <= id <= to of one table, their ids moved by `by`. */
static enum err copy_blobs(struct part_file *to, struct part_file *from, const char *select, const char *insert, int64_t first,
                           int64_t last, int64_t by, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *get = NULL, *put = NULL;
    enum err e = sql_prepare(from->db, select, &get, f);
    if (!e)
        e = sql_prepare(to->db, insert, &put, f);
    if (e)
        return e;
    sql_bind_i64(get, 1, first);
    sql_bind_i64(get, 2, last);
    for (bool row = true; !e && row;) {
        e = sql_step(get, &row, f);
        if (e || !row)
            break;
        sql_bind_i64(put, 1, sql_i64(get, 0) + by);
        sql_bind_blob(put, 2, sql_bytes(get, 1));
        e = sql_run(put, f);
    }
    return e;
}

static enum err copy_columns(struct part_file *to, struct part_file *from, uint64_t id, uint64_t new_id, struct fault *f)
{
    return copy_blobs(to, from, "SELECT id, data FROM \"column\" WHERE id BETWEEN ?1 AND ?2", "INSERT INTO \"column\" VALUES(?1,?2)",
                      part_column_id(id, 0), part_column_id(id, CHUNK_COLUMNS - 1),
                      part_column_id(new_id, 0) - part_column_id(id, 0), f);
}

/* The row of the table `chunk`, as it stands but for its id and its birth. */
static enum err copy_row(struct part_file *to, struct part_file *from, uint64_t id, struct part_head *head, uint64_t born,
                         struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *get = NULL, *put = NULL;
    bool row = false;
    enum err e = sql_prepare(from->db, "SELECT kind, level, t0, t1, rows, summary FROM chunk WHERE id=?1", &get, f);
    if (!e)
        e = sql_prepare(to->db, "INSERT INTO chunk VALUES(?1,?2,?3,?4,?5,?6,?7,NULL,?8)", &put, f);
    if (e)
        return e;
    sql_bind_i64(get, 1, (int64_t)id);
    e = sql_step(get, &row, f);
    if (e)
        return e;
    if (!row)
        return fault_set(f, E_NOTFOUND, 0, "%s: chunk %llu is not there to be copied", sql_path(from->db), (unsigned long long)id);
    int64_t table = sql_i64(get, 0), t0 = sql_i64(get, 2), t1 = sql_i64(get, 3), rows = sql_i64(get, 4);
    if (table < 0 || table >= TABLE_COUNT || rows <= 0 || t0 > t1 || !span_holds(head->from_ns, head->to_ns, t0) ||
        !span_holds(head->from_ns, head->to_ns, t1))
        return fault_set(f, E_CORRUPT, 0, "%s: chunk %llu is not of this partition", sql_path(from->db), (unsigned long long)id);
    sql_bind_i64(put, 1, (int64_t)head->next_chunk);
    for (int i = 0; i < 5; i++)
        sql_bind_i64(put, i + 2, sql_i64(get, i));
    sql_bind_i64(put, 7, (int64_t)born);
    sql_bind_blob(put, 8, sql_bytes(get, 5));
    e = sql_run(put, f);
    if (!e)
        part_head_add(head, (enum table)table, (uint64_t)rows, t0, t1);
    return e;
}

enum err part_file_copy(struct part_file *to, struct part_file *from, uint64_t id, struct part_head *head, uint64_t born,
                        struct fault *f)
{
    static const struct { const char *select, *insert; } by_chunk[] = {
        { "SELECT id, data FROM filter WHERE id BETWEEN ?1 AND ?2", "INSERT INTO filter VALUES(?1,?2)" },
        { "SELECT id, data FROM session WHERE id BETWEEN ?1 AND ?2", "INSERT INTO session VALUES(?1,?2)" },
        { "SELECT id, data FROM rollup WHERE id BETWEEN ?1 AND ?2", "INSERT INTO rollup VALUES(?1,?2)" },
    };
    CHECK(to->kind == PART_MAIN && from->kind == PART_MAIN && head->next_chunk < PART_CHUNKS_MAX);
    uint64_t new_id = head->next_chunk;
    enum err e = copy_row(to, from, id, head, born, f);
    if (!e)
        e = copy_columns(to, from, id, new_id, f);
    for (size_t k = 0; k < LEN(by_chunk) && !e; k++)
        e = copy_blobs(to, from, by_chunk[k].select, by_chunk[k].insert, (int64_t)id, (int64_t)id, (int64_t)(new_id - id), f);
    head->next_chunk++;
    return e;
}

enum err part_file_copy_content(struct part_file *to, struct part_file *from, uint64_t id, uint64_t new_id, struct fault *f)
{
    CHECK(to->kind == PART_CONTENT && from->kind == PART_CONTENT);
    return copy_columns(to, from, id, new_id, f);
}

enum err part_file_copy_carries(struct part_file *to, struct part_file *from, struct fault *f)
{
    CLEANUP(sql_finishp) struct sql_stmt *get = NULL, *put = NULL;
    enum err e = sql_prepare(from->db, "SELECT series, earlier_from_ns, earlier_generation, last_ns, base FROM carry", &get, f);
    if (!e)
        e = sql_prepare(to->db, "REPLACE INTO carry VALUES(?1,?2,?3,?4,?5)", &put, f);
    for (bool row = true; !e && row;) {
        e = sql_step(get, &row, f);
        if (e || !row)
            break;
        sql_bind_blob(put, 1, sql_bytes(get, 0));
        for (int i = 1; i < 5; i++)
            sql_bind_i64(put, i + 1, sql_i64(get, i));
        e = sql_run(put, f);
    }
    return e;
}

/* The first commit syncs the file, and with it all that was written before. */
enum err part_file_finish(struct part_file *p, const struct part_head *head, struct fault *f)
{
    struct part_head unfinished = *head;
    unfinished.generation = 0;
    CHECK(head->generation > 0);
    enum err e = sql_exec(p->db, "PRAGMA synchronous=FULL;", f);
    if (!e)
        e = part_file_put_head(p, &unfinished, f);
    return e ? e : part_file_put_head(p, head, f);
}
