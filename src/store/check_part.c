/* store/check_part.c -- one partition, with its content file beside it.
 *
 * Chunk by chunk: the columns of a chunk stand together in both files, in the order of
 * their ids, so one pass over each is enough. Chunks that no view shows any more (replaced,
 * not yet removed) are read like the others, but not counted.
 */
#include <stdio.h>
#include <string.h>

#include "store/check_int.h"

struct part_reading {
    struct checker *c;
    struct part_file *main, *content;              /* content: NULL when there is none */
    struct part_head head;
    struct sql_stmt *columns, *content_columns, *filter;
    uint64_t rows[TABLE_COUNT];
    int64_t time_min, time_max;
    uint64_t ncolumns, ncontent;                   /* that belong to a chunk */
};

static void fault_told(struct checker *c, const struct fault *f)
{
    check_tell(c, CHECK_DAMAGE, "%s", f->msg);
}

/* --- pages and indices -------------------------------------------------------------------- */

static void verify(struct checker *c, struct sql *db)
{
    struct fault f = { 0 };
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(db, "PRAGMA integrity_check(5)", &st, &f);
    for (bool row = true; !e && row;) {
        e = sql_step(st, &row, &f);
        struct str said = !e && row ? sql_bytes(st, 0) : S("ok");
        if (!str_eq(said, S("ok")))
            check_tell(c, CHECK_DAMAGE, "SQLite says: " STR_FMT, STR_ARG(str_sub(said, 0, 200)));
    }
    if (e)
        fault_told(c, &f);
}

static uint64_t count_rows(struct checker *c, struct sql *db, const char *text)
{
    struct fault f = { 0 };
    int64_t n = 0;
    if (sql_number(db, text, &n, &f))
        fault_told(c, &f);
    return (uint64_t)n;
}

/* --- chunks ---------------------------------------------------------------------------------- */

/* Blobs of one chunk from one file. */
static uint64_t read_columns(struct part_reading *p, struct chunk_reading *r, struct sql_stmt *st, uint64_t chunk)
{
    struct fault f = { 0 };
    enum err e = OK;
    uint64_t n = 0;
    sql_bind_i64(st, 1, (int64_t)(chunk * CHUNK_COLUMNS));
    sql_bind_i64(st, 2, (int64_t)((chunk + 1) * CHUNK_COLUMNS));
    for (bool row = true; !e && row;) {
        e = sql_step(st, &row, &f);
        if (e || !row)
            break;
        n++;
        check_chunk_column(r, (uint32_t)((uint64_t)sql_i64(st, 0) % CHUNK_COLUMNS), sql_bytes(st, 1));
    }
    if (e)
        fault_told(p->c, &f);
    sql_reset(st);
    return n;
}

static struct str read_filter(struct part_reading *p, uint64_t chunk, struct arena *mem)
{
    struct fault f = { 0 };
    bool row = false, maybe;
    struct str blob = { 0 };
    sql_bind_i64(p->filter, 1, (int64_t)chunk);
    if (sql_step(p->filter, &row, &f))
        fault_told(p->c, &f);
    else if (row)
        blob = arena_str(mem, sql_bytes(p->filter, 0));
    sql_reset(p->filter);
    p->c->totals->filters += row;
    if (blob.n && chunk_filter_test(blob, S("any"), &maybe, &f)) {
        check_tell(p->c, CHECK_DAMAGE, "chunk %llu: its filter: %s", (unsigned long long)chunk, f.msg);
        return (struct str){ 0 };
    }
    return blob;
}

static void add_up(struct part_reading *p, const struct chunk_summary *s)
{
    struct check_totals *t = p->c->totals;
    bool first = p->rows[TABLE_SAMPLE] + p->rows[TABLE_LOG] + p->rows[TABLE_SPAN] == 0;
    p->rows[s->table] += s->rows;
    p->time_min = first ? s->time_min : MIN(p->time_min, s->time_min);
    p->time_max = first ? s->time_max : MAX(p->time_max, s->time_max);
    t->chunks++;
    t->oldest_ns = t->oldest_ns ? MIN(t->oldest_ns, s->time_min) : s->time_min;
    t->newest_ns = MAX(t->newest_ns, s->time_max);
}

/* A row of the table `chunk`. */
static void read_chunk(struct part_reading *p, struct sql_stmt *st)
{
    struct fault f = { 0 };
    struct arena mem = p->c->mem;
    struct check_chunk k = { .id = (uint64_t)sql_i64(st, 0), .visible = sql_i64(st, 5) };
    if (k.id == 0 || k.id > PART_CHUNKS_MAX || chunk_summary_read(sql_bytes(st, 6), &mem, &k.sum, &f)) {
        check_tell(p->c, CHECK_DAMAGE, "chunk %llu: its summary: %s", (unsigned long long)k.id, f.msg);
        return;
    }
    const struct chunk_summary *s = &k.sum;
    if ((int64_t)s->table != sql_i64(st, 1) || s->time_min != sql_i64(st, 2) || s->time_max != sql_i64(st, 3) ||
        s->rows != sql_i64(st, 4))
        check_tell(p->c, CHECK_DAMAGE, "chunk %llu: its row and its summary differ", (unsigned long long)k.id);
    if (!span_holds(p->head.from_ns, p->head.to_ns, s->time_min) || !span_holds(p->head.from_ns, p->head.to_ns, s->time_max))
        check_tell(p->c, CHECK_DAMAGE, "chunk %llu: it holds a time that is not this partition's", (unsigned long long)k.id);
    if (k.id >= p->head.next_chunk)
        check_tell(p->c, CHECK_DAMAGE, "chunk %llu: its number was never given", (unsigned long long)k.id);
    struct chunk_reading *r = check_chunk_begin(p->c, &k, read_filter(p, k.id, &mem));
    p->ncolumns += read_columns(p, r, p->columns, k.id);
    if (p->content)
        p->ncontent += read_columns(p, r, p->content_columns, k.id);
    check_chunk_end(r, p->content);
    if (k.visible)
        add_up(p, s);
}

static void read_chunks(struct part_reading *p)
{
    static const char text[] = "SELECT id, kind, t0, t1, rows, born<=?1 AND (gone IS NULL OR gone>?1), summary FROM chunk ORDER BY id";
    static const char columns[] = "SELECT id, data FROM \"column\" WHERE id>=?1 AND id<?2 ORDER BY id";
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    struct fault f = { 0 };
    enum err e = sql_prepare(p->main->db, text, &st, &f);
    if (!e)
        e = sql_prepare(p->main->db, columns, &p->columns, &f);
    if (!e)
        e = sql_prepare(p->main->db, "SELECT data FROM filter WHERE id=?1", &p->filter, &f);
    if (!e && p->content)
        e = sql_prepare(p->content->db, columns, &p->content_columns, &f);
    if (!e)
        sql_bind_i64(st, 1, (int64_t)p->head.generation);
    for (bool row = true; !e && row;) {
        e = sql_step(st, &row, &f);
        if (!e && row)
            read_chunk(p, st);
    }
    if (e)
        fault_told(p->c, &f);
    sql_finish(p->columns);
    sql_finish(p->filter);
    sql_finish(p->content_columns);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void same_head(struct part_reading *p)
{
    static const char *const names[TABLE_COUNT] = { "samples", "log records", "spans" };
    uint64_t all = 0;
    for (int t = 0; t < TABLE_COUNT; t++) {
        p->c->totals->rows[t] += p->rows[t];
        all += p->rows[t];
        if (p->rows[t] != p->head.rows[t])
            check_tell(p->c, CHECK_DAMAGE, "says that it has %llu %s, its chunks have %llu", (unsigned long long)p->head.rows[t], names[t],
                       (unsigned long long)p->rows[t]);
    }
    if (all && (p->time_min < p->head.time_min || p->time_max > p->head.time_max))
        check_tell(p->c, CHECK_DAMAGE, "says another first or last time than its chunks");
    uint64_t have = count_rows(p->c, p->main->db, "SELECT count(*) FROM \"column\"");
    if (have != p->ncolumns)
        check_tell(p->c, CHECK_DAMAGE, "%llu columns belong to no chunk", (unsigned long long)(have - p->ncolumns));
    p->c->totals->carries += count_rows(p->c, p->main->db, "SELECT count(*) FROM carry");
    uint64_t odd = count_rows(p->c, p->main->db, "SELECT count(*) FROM carry WHERE length(series)<>16");
    if (odd)
        check_tell(p->c, CHECK_DAMAGE, "%llu totals of no series", (unsigned long long)odd);
}

static void same_content(struct part_reading *p)
{
    struct fault f = { 0 };
    struct part_head head;
    if (part_file_head(p->content, &head, &f)) {
        fault_told(p->c, &f);
        return;
    }
    if (head.from_ns != p->head.from_ns || head.to_ns != p->head.to_ns)
        check_tell(p->c, CHECK_DAMAGE, "its content file is of another span of time");
    uint64_t have = count_rows(p->c, p->content->db, "SELECT count(*) FROM \"column\"");
    if (have != p->ncontent)
        check_tell(p->c, CHECK_NOTE, "%llu columns of content are left over from a write that was cut short",
                   (unsigned long long)(have - p->ncontent));
}

/* NULL, and it is told, if the file cannot be read. A missing content file is none. */
static struct part_file *open_look(struct checker *c, const char *path, enum part_kind kind)
{
    struct fault f = { 0 };
    struct part_file *p = NULL;
    enum err e = part_file_look(path, kind, &p, &f);
    if (e && e != E_NOTFOUND)
        fault_told(c, &f);
    return e ? NULL : p;
}

void check_part(struct checker *c, const char *path, struct str name)
{
    char beside[CHECK_PATH_MAX];
    struct part_reading p = { .c = c };
    struct fault f = { 0 };
    p.main = open_look(c, path, PART_MAIN);
    if (!p.main)
        return;
    (void)snprintf(beside, sizeof beside, "%.*s.content.db", (int)(str_c(path).n - S(".db").n), path);
    p.content = open_look(c, beside, PART_CONTENT);
    verify(c, p.main->db);
    if (p.content)
        verify(c, p.content->db);
    if (part_file_head(p.main, &p.head, &f)) {
        fault_told(c, &f);
    } else {
        c->totals->partitions++;
        *arena_push(&c->mem, c->covered, c->ncovered, c->cap_covered) =
            (struct covered){ .from_ns = p.head.from_ns, .to_ns = p.head.to_ns, .mark = p.head.mark };
        read_chunks(&p);
        same_head(&p);
        if (p.content)
            same_content(&p);
        check_listed(c, name, &p.head);
    }
    part_file_close(p.main);
    part_file_close(p.content);
}
