/* tests/unit/store/test_part_rewrite.c -- chunks replaced, partitions written anew, months
 * merged: what is seen before, meanwhile and after; and the disk full, torn, refusing or the
 * process killed at the Nth operation on it, for every N.
 *
 * The rows are the same before and after each step, so whatever happens on the way, all
 * partitions together always show each of them once.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "part_bed.h"
#include "store/vfs.h"

enum { CHUNKS_MAX = 64, CRASH_STATUS = 7 };

static void must(enum err e, const struct fault *f)
{
    if (e)
        fail_msg("%s", f->msg);
}

static const struct part_item *item_of(const struct part_view *v, int64_t day)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->at[i].from_ns <= day && day < v->at[i].to_ns)
            return &v->at[i];
    return NULL;
}

static enum err list_ids(const struct part_item *it, uint64_t ids[CHUNKS_MAX], uint32_t *ret_n, struct fault *f)
{
    struct chunk_list *l;
    enum err e = part_chunks(it, &l, f);
    if (e)
        return e;
    assert_true(l->n <= CHUNKS_MAX);
    for (uint32_t i = 0; i < l->n; i++)
        ids[i] = l->at[i].id;
    *ret_n = l->n;
    chunk_list_unref(l);
    return OK;
}

static uint32_t ids_of(const struct part_item *it, uint64_t ids[CHUNKS_MAX])
{
    struct fault f = { 0 };
    uint32_t n;
    must(list_ids(it, ids, &n, &f), &f);
    return n;
}

static enum err count_chunks(struct bed *b, int64_t day, uint32_t *ret, struct fault *f)
{
    uint64_t ids[CHUNKS_MAX];
    struct part_view *v = part_view_get(b->set);
    const struct part_item *it = item_of(v, day);
    *ret = 0;
    enum err e = it ? list_ids(it, ids, ret, f) : OK;
    part_view_unref(v);
    return e;
}

static uint32_t chunks_of(struct bed *b, int64_t day)
{
    struct fault f = { 0 };
    uint32_t n;
    must(count_chunks(b, day, &n, &f), &f);
    return n;
}

/* All chunks of a day, which hold the rows [first, first + n), become one. */
static enum err replace(struct bed *b, int64_t day, uint64_t first, uint32_t n, struct fault *f)
{
    CLEANUP(arena_done) struct arena mem;
    struct chunk_out out;
    uint64_t ids[CHUNKS_MAX];
    arena_init(&mem, (size_t)8 << 20);
    bed_chunk(day, first, n, 1, &mem, &out);
    struct part_view *v = part_view_get(b->set);
    uint32_t nids = 0;
    enum err e = list_ids(item_of(v, day), ids, &nids, f);
    part_view_unref(v);
    struct part_write w = { .mark = part_span_at(b->set, day).mark, .chunks = &out, .nchunks = 1 };
    if (!e)
        e = part_flush_begin(b->set, &day, 1, f);
    if (!e)
        e = part_replace(b->set, day, ids, nids, &w, f);
    return e ? e : part_flush_end(b->set, f);
}

/* The first chunk is kept; the others, with the rows [first, first + n), become one. */
static enum err rewrite(struct bed *b, int64_t day, uint64_t first, uint32_t n, unsigned how, struct fault *f)
{
    CLEANUP(arena_done) struct arena mem;
    struct chunk_out out;
    uint64_t ids[CHUNKS_MAX];
    struct part_rewrite *r = NULL;
    arena_init(&mem, (size_t)8 << 20);
    struct part_view *v = part_view_get(b->set);
    const struct part_item *it = item_of(v, day);
    uint32_t nids;
    enum err e = list_ids(it, ids, &nids, f);
    if (!e)
        e = part_rewrite_begin(b->set, it->from_ns, &r, f);
    if (!e)
        e = part_rewrite_keep(r, it, ids, 1, f);
    if (!e && n) {
        bed_chunk(day, first, n, 2, &mem, &out);
        e = part_rewrite_put(r, &out, 1, f);
    }
    part_view_unref(v);
    if (!e)
        return part_rewrite_end(r, how, f);
    part_rewrite_drop(r);
    return e;
}

static enum err merge(struct bed *b, int64_t time_ns, struct fault *f)
{
    struct part_rewrite *r = NULL;
    uint64_t ids[CHUNKS_MAX];
    struct part_view *v = part_view_get(b->set);
    int64_t from_ns, to_ns;
    char name[CATALOG_NAME_MAX];
    part_month(time_ns, &from_ns, &to_ns, name);
    enum err e = part_rewrite_month(b->set, time_ns, &r, f);
    for (uint32_t i = 0; i < v->n && !e; i++) {
        uint32_t n = 0;
        if (v->at[i].from_ns < from_ns || v->at[i].to_ns > to_ns)
            continue;
        e = list_ids(&v->at[i], ids, &n, f);
        if (!e)
            e = part_rewrite_keep(r, &v->at[i], ids, n, f);
    }
    part_view_unref(v);
    if (!e)
        return part_rewrite_end(r, 0, f);
    part_rewrite_drop(r);
    return e;
}

static int64_t number_in(struct bed *b, const char *file, const char *question)
{
    char path[256];
    struct fault f = { 0 };
    int64_t n = -1;
    bed_path(b, file, path);
    CLEANUP(sql_closep) struct sql *db = NULL;
    must(sql_open(path, SQL_WRITE, &db, &f), &f);
    must(sql_number(db, question, &n, &f), &f);
    return n;
}

static void close_all(struct bed *b)
{
    struct fault f = { 0 };
    b->now = BED_DAY(20);
    b->mono += 3601 * NS_PER_S;
    must(part_tick(b->set, &f), &f);
    for (uint32_t i = 0; i < b->set->nparts; i++)
        assert_true(b->set->parts[i]->closed);
}

/* --- replacing -------------------------------------------------------------------------- */

#define DAY0 "part/2026-11-22.db"
#define CONTENT0 "part/2026-11-22.content.db"

static void test_replace(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    uint64_t ids[CHUNKS_MAX];
    bed_init(&b);
    for (uint32_t i = 0; i < 8; i++)
        must(bed_flush(&b, BED_DAY(0), 1 + i * 10, 10, &f), &f);
    struct part_view *old = part_view_get(b.set);
    uint64_t uid = old->at[0].uid, mark = old->at[0].mark;
    must(replace(&b, BED_DAY(0), 1, 80, &f), &f);
    assert_int_equal(chunks_of(&b, BED_DAY(0)), 1);
    struct bed_rows r = bed_rows_of(&b, BED_DAY(0));
    assert_int_equal(r.n, 80);
    assert_int_equal(r.seq_sum, 81 * 40);
    assert_int_equal(r.prompts, 26);

    /* The old view: as before, also after a sweep, and after its cached list has gone. */
    must(part_sweep(b.set, &f), &f);
    list_drop(old->at[0].part);
    assert_int_equal(ids_of(&old->at[0], ids), 8);
    must(bed_read(&old->at[0], &r, &f), &f);
    assert_int_equal(r.n, 80);
    assert_int_equal(r.prompts, 26);
    struct part_view *now = part_view_get(b.set);
    assert_int_equal(now->at[0].uid, uid);         /* ids tell the chunks apart */
    assert_int_equal(now->at[0].mark, mark);
    assert_int_equal(ids_of(&now->at[0], ids), 1);
    assert_int_equal(ids[0], 9);
    part_view_unref(now);

    part_view_unref(old);
    must(part_sweep(b.set, &f), &f);
    assert_int_equal(number_in(&b, DAY0, "SELECT count(*) FROM chunk"), 1);
    assert_int_equal(number_in(&b, DAY0, "SELECT min(id)/4096 FROM \"column\""), 9);
    assert_int_equal(number_in(&b, DAY0, "SELECT count(*) FROM filter"), 1);
    assert_int_equal(number_in(&b, CONTENT0, "SELECT min(id)/4096 FROM \"column\""), 9);
    must(bed_flush(&b, BED_DAY(0), 81, 10, &f), &f);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 90);
    bed_done(&b);
}

/* What was replaced and not swept before a stop is swept after the next start. */
static void test_sweep_after_start(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 10, &f), &f);
    must(bed_flush(&b, BED_DAY(0), 11, 10, &f), &f);
    must(replace(&b, BED_DAY(0), 1, 20, &f), &f);
    bed_close(&b);
    must(bed_open(&b, &f), &f);
    assert_int_equal(b.set->nopen, 0);
    assert_int_equal(number_in(&b, DAY0, "SELECT count(*) FROM chunk"), 3);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 20);
    close_all(&b);
    assert_int_equal(number_in(&b, DAY0, "SELECT count(*) FROM chunk"), 1);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 20);
    bed_done(&b);
}

static void test_replace_refused(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    int64_t day = BED_DAY(0);
    bed_init(&b);
    must(bed_flush(&b, day, 1, 10, &f), &f);
    must(bed_flush(&b, day, 11, 10, &f), &f);
    assert_int_equal(replace(&b, day, 1, 19, &f), E_CORRUPT);      /* a row would be missing */
    assert_int_equal(bed_rows_of(&b, day).n, 20);
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)8 << 20);
    struct chunk_out out;
    bed_chunk(day, 1, 10, 1, &mem, &out);
    struct part_write w = { .mark = 20, .chunks = &out, .nchunks = 1 };
    uint64_t id = 7;
    must(part_flush_begin(b.set, &day, 1, &f), &f);
    assert_int_equal(part_replace(b.set, day, &id, 1, &w, &f), E_NOTFOUND);
    id = 1;
    must(part_replace(b.set, day, &id, 1, &w, &f), &f);
    assert_int_equal(part_replace(b.set, day, &id, 1, &w, &f), E_NOTFOUND);        /* it is gone already */
    must(part_flush_end(b.set, &f), &f);
    assert_int_equal(bed_rows_of(&b, day).n, 20);
    bed_done(&b);
}

/* --- new files ---------------------------------------------------------------------------- */

static void test_rewrite(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    for (uint32_t i = 0; i < 5; i++)
        must(bed_flush(&b, BED_DAY(0), 1 + i * 10, 10, &f), &f);
    struct part_carry c = { { 5, 6 }, BED_DAY(-1), 3, BED_DAY(-1) + 4, 2.5 };
    must(part_carry_put(b.set, BED_DAY(0), &c, 1, &f), &f);
    struct part_view *old = part_view_get(b.set);
    must(rewrite(&b, BED_DAY(0), 11, 40, 0, &f), &f);
    struct part_view *now = part_view_get(b.set);
    assert_true(now->at[0].uid != old->at[0].uid);
    assert_int_equal(now->at[0].mark, 50);
    assert_int_equal(chunks_of(&b, BED_DAY(0)), 2);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).prompts, 16);
    bool found = false;
    struct part_carry got = { .series = { 5, 6 } };
    must(part_carry_get(&now->at[0], &got, 1, &found, &f), &f);
    assert_true(found && got.base == 2.5);
    part_view_unref(now);
    pool_sweep(b.set, INT64_MAX);
    struct bed_rows r;
    must(bed_read(&old->at[0], &r, &f), &f);
    assert_int_equal(r.n, 50);
    assert_int_equal(r.prompts, 16);
    assert_true(bed_exists(&b, "part/2026-11-22.1.gone"));
    part_view_unref(old);
    assert_false(bed_exists(&b, "part/2026-11-22.1.gone"));
    assert_false(bed_exists(&b, "part/2026-11-22.content.1.gone"));

    /* It goes on as any other; and without some rows, if that is what is asked for. */
    must(bed_flush(&b, BED_DAY(0), 51, 10, &f), &f);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 60);
    assert_int_equal(rewrite(&b, BED_DAY(0), 11, 40, 0, &f), E_CORRUPT);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 60);
    must(rewrite(&b, BED_DAY(0), 21, 30, REWRITE_FEWER_ROWS | REWRITE_NO_CARRIES, &f), &f);
    bed_close(&b);
    must(bed_open(&b, &f), &f);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 40);
    assert_int_equal(number_in(&b, DAY0, "SELECT count(*) FROM carry"), 0);
    assert_false(bed_exists(&b, "part/2026-11-22.new"));
    bed_done(&b);
}

/* Written meanwhile: the old file counts. Nothing left: the partition is gone. */
static void test_rewrite_ends(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    struct part_rewrite *r;
    uint64_t ids[CHUNKS_MAX];
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 10, &f), &f);
    struct part_view *v = part_view_get(b.set);
    must(part_rewrite_begin(b.set, BED_DAY(0), &r, &f), &f);
    must(part_rewrite_keep(r, &v->at[0], ids, ids_of(&v->at[0], ids), &f), &f);
    part_view_unref(v);
    must(bed_flush(&b, BED_DAY(0), 11, 10, &f), &f);
    assert_int_equal(part_rewrite_end(r, 0, &f), E_UNAVAILABLE);
    assert_false(bed_exists(&b, "part/2026-11-22.new"));
    assert_false(bed_exists(&b, "part/2026-11-22.content.new"));
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 20);

    assert_int_equal(part_rewrite_begin(b.set, BED_DAY(1), &r, &f), E_NOTFOUND);
    must(part_rewrite_begin(b.set, BED_DAY(0), &r, &f), &f);
    must(part_rewrite_end(r, REWRITE_FEWER_ROWS, &f), &f);
    assert_false(bed_exists(&b, DAY0));
    assert_int_equal(b.set->nparts, 0);
    bed_done(&b);
}

/* --- months ---------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    static const struct { int64_t day; const char *name; int64_t from, days; } rows[] = {
        { 20779, "2026-11", 20758, 30 }, { 20758, "2026-11", 20758, 30 }, { 20787, "2026-11", 20758, 30 },
        { 20788, "2026-12", 20788, 31 }, { 0, "1970-01", 0, 31 },         { -1, "1969-12", -31, 31 },
        { 19782, "2024-02", 19754, 29 }, { 20120, "2025-02", 20120, 28 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        int64_t from, to;
        char name[CATALOG_NAME_MAX];
        part_month(rows[i].day * NS_PER_DAY, &from, &to, name);
        assert_string_equal(name, rows[i].name);
        assert_int_equal(from, rows[i].from * NS_PER_DAY);
        assert_int_equal(to, (rows[i].from + rows[i].days) * NS_PER_DAY);
    }
    int64_t from, to;
    char name[CATALOG_NAME_MAX];
    part_month(INT64_MAX, &from, &to, name);
    assert_int_equal(to, INT64_MAX);
    part_month(INT64_MIN, &from, &to, name);
    assert_int_equal(from, INT64_MIN);
}

static void test_month(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    for (int i = 0; i < 4; i++)
        must(bed_flush(&b, BED_DAY(i * 3), 1 + (uint64_t)i * 10, 10, &f), &f);      /* 22, 25, 28 November, 1 December */
    struct part_rewrite *r;
    assert_int_equal(part_rewrite_month(b.set, BED_DAY(0), &r, &f), E_UNAVAILABLE);        /* not closed yet */
    close_all(&b);
    struct part_view *old = part_view_get(b.set);
    must(merge(&b, BED_DAY(0), &f), &f);
    assert_int_equal(b.set->nparts, 2);
    struct part_span span = part_span_at(b.set, BED_DAY(5));
    assert_int_equal(span.from_ns, BED_DAY(-21));
    assert_int_equal(span.to_ns, BED_DAY(9));
    assert_int_equal(span.mark, 30);
    assert_int_equal(bed_rows_all(&b).n, 40);
    assert_int_equal(bed_rows_all(&b).prompts, 13);
    assert_int_equal(chunks_of(&b, BED_DAY(0)), 3);

    /* Views from before read on, and a late row goes to the month. */
    struct bed_rows row;
    pool_sweep(b.set, INT64_MAX);
    assert_int_equal(old->n, 4);
    for (uint32_t i = 0; i < old->n; i++) {
        must(bed_read(&old->at[i], &row, &f), &f);
        assert_int_equal(row.n, 10);
    }
    part_view_unref(old);
    int64_t month = span.from_ns;
    must(part_flush_begin(b.set, &month, 1, &f), &f);
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)8 << 20);
    struct chunk_out out;
    bed_chunk(BED_DAY(5), 41, 10, 0, &mem, &out);
    struct part_write w = { .mark = 50, .chunks = &out, .nchunks = 1 };
    must(part_write(b.set, month, &w, &f), &f);
    must(part_flush_end(b.set, &f), &f);
    assert_int_equal(bed_rows_all(&b).n, 50);
    assert_int_equal(chunks_of(&b, BED_DAY(5)), 4);

    bed_close(&b);
    must(bed_open(&b, &f), &f);
    assert_int_equal(b.set->nopen, 0);
    assert_int_equal(b.set->nparts, 2);
    assert_int_equal(bed_rows_all(&b).n, 50);
    assert_true(bed_exists(&b, "part/2026-11.db"));
    assert_false(bed_exists(&b, DAY0));
    assert_false(bed_exists(&b, CONTENT0));
    must(rewrite(&b, BED_DAY(5), 0, 0, REWRITE_FEWER_ROWS, &f), &f);       /* a month is written anew like a day */
    assert_int_equal(chunks_of(&b, BED_DAY(5)), 1);
    assert_int_equal(part_rewrite_month(b.set, BED_DAY(0), &r, &f), E_UNAVAILABLE);
    bed_done(&b);
}

/* The catalogue is lost: the files say it all. */
static void test_lost_catalogue(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 10, &f), &f);
    must(bed_flush(&b, BED_DAY(3), 11, 10, &f), &f);
    close_all(&b);
    must(merge(&b, BED_DAY(0), &f), &f);
    bed_close(&b);
    static const char *const files[] = { "ccmon.db", "ccmon.db-wal", "ccmon.db-shm" };
    for (size_t i = 0; i < LEN(files); i++) {
        char path[256];
        bed_path(&b, files[i], path);
        (void)unlink(path);
    }
    must(bed_open(&b, &f), &f);
    assert_int_equal(b.set->nparts, 1);
    assert_int_equal(bed_rows_all(&b).n, 20);
    bed_done(&b);
}

/* --- faults --------------------------------------------------------------------------------- */

enum how { FULL, REFUSED, TORN, CRASH, CRASH_TORN };
static const char *const hows[] = { "full", "refused", "torn", "crash", "torn and crash" };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 5 };
#else
enum { STRIDE = 1 };
#endif

static struct trap {
    unsigned at, count, hits;
    enum how how;
} trap;

/* 0: go on; else an errno. */
static int next(bool deletes, size_t *n)
{
    trap.count++;
    if (trap.how == FULL ? trap.count < trap.at || deletes : trap.count != trap.at)
        return 0;
    trap.hits++;
    if (n && (trap.how == TORN || trap.how == CRASH_TORN))
        *n /= 2;
    if (trap.how == CRASH)
        _exit(CRASH_STATUS);
    return trap.how == FULL ? ENOSPC : EIO;
}

static int before(void *arg, enum vfs_op op, const char *path, size_t *n)
{
    (void)arg, (void)path;
    return next(op == VFS_DELETE, op == VFS_WRITE ? n : NULL);
}

static int op_rename(void *arg, const char *from, const char *to)
{
    (void)arg;
    errno = next(true, NULL);
    return errno ? -1 : file_ops_system.rename(NULL, from, to);
}

static int op_unlink(void *arg, const char *path)
{
    (void)arg;
    errno = next(true, NULL);
    return errno ? -1 : file_ops_system.unlink(NULL, path);
}

static int op_sync_dir(void *arg, const char *path)
{
    (void)arg;
    errno = next(false, NULL);
    return errno ? -1 : file_ops_system.sync_dir(NULL, path);
}

static struct file_ops counted;
static const struct vfs_hook hook = { before, NULL };

/* Three days: one of small chunks, one of two, one of one; closed but for the first. */
static void prepare(struct bed *b)
{
    struct fault f = { 0 };
    bed_init(b);
    must(bed_flush(b, BED_DAY(1), 31, 10, &f), &f);
    must(bed_flush(b, BED_DAY(1), 41, 10, &f), &f);
    must(bed_flush(b, BED_DAY(2), 51, 10, &f), &f);
    close_all(b);
    for (uint32_t i = 0; i < 6; i++)
        must(bed_flush(b, BED_DAY(0), 61 + i * 5, 5, &f), &f);
    bed_close(b);
}

enum { ROWS = 60, SUM = 31 * 10 + 45 + 41 * 10 + 45 + 51 * 10 + 45 + 61 * 30 + 435, PROMPTS = 20 };

/* What is left to do, as far as it comes. */
static enum err scenario(struct bed *b, struct fault *f)
{
    struct part_view *held = part_view_get(b->set);
    uint32_t n[2] = { 0, 0 };
    enum err e = part_flush_end(b->set, f);        /* what an attempt before this one left */
    for (int i = 0; i < 2 && !e && b->set->nparts == 3; i++)
        e = count_chunks(b, BED_DAY(i), &n[i], f);
    if (!e && n[0] > 1)
        e = replace(b, BED_DAY(0), 61, 30, f);
    if (!e && n[1] > 1) {
        e = rewrite(b, BED_DAY(1), 41, 10, 0, f);
        if (!e)
            e = replace(b, BED_DAY(1), 31, 20, f);
    }
    part_view_unref(held);
    b->mono += 3601 * NS_PER_S;
    if (!e)
        e = part_tick(b->set, f);
    if (!e && b->set->nparts > 1)
        e = merge(b, BED_DAY(0), f);
    return e;
}

static void check(struct bed *b, const char *what)
{
    struct bed_rows r = bed_rows_all(b);
    if (r.n != ROWS || r.seq_sum != SUM || r.prompts != PROMPTS)
        fail_msg("%s: %llu rows, sum %llu, %llu prompts", what, (unsigned long long)r.n, (unsigned long long)r.seq_sum,
                 (unsigned long long)r.prompts);
}

static void check_end(struct bed *b, const char *what)
{
    check(b, what);
    if (b->set->nparts != 1 || chunks_of(b, BED_DAY(0)) != 3)
        fail_msg("%s: %u partitions, %u chunks in the end", what, b->set->nparts, chunks_of(b, BED_DAY(0)));
    if (b->reports)
        fail_msg("%s: %s", what, b->reported.msg);
}

static bool run_in_child(struct bed *b)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct fault f = { 0 };
        store_vfs_install(&hook);
        enum err e = bed_open(b, &f);
        if (!e)
            e = scenario(b, &f);
        _exit(trap.hits ? CRASH_STATUS : e ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == CRASH_STATUS || WEXITSTATUS(status) == 0));
    return WEXITSTATUS(status) == CRASH_STATUS;
}

static bool run_here(struct bed *b, const char *what)
{
    struct fault f = { 0 };
    store_vfs_install(&hook);
    enum err e = bed_open(b, &f);
    if (!e)
        e = scenario(b, &f);
    if (e && !(trap.hits && (e == E_IO || e == E_UNAVAILABLE || e == E_CORRUPT)))
        fail_msg("%s: error %d: %s", what, (int)e, f.msg);
    bool hit = trap.hits > 0;
    trap.at = UINT32_MAX;
    if (!b->set)
        assert_int_equal(bed_open(b, &f), OK);
    check(b, what);
    unsigned tries = 0;
    while (hit && (e = scenario(b, &f)) == E_UNAVAILABLE && ++tries < 4)
        continue;
    if (hit && e)
        fail_msg("%s: again: error %d: %s", what, (int)e, f.msg);
    return hit;
}

static void all(enum how how)
{
    struct bed start;
    prepare(&start);
    counted = file_ops_system;
    counted.rename = op_rename;
    counted.unlink = op_unlink;
    counted.sync_dir = op_sync_dir;
    unsigned n = 1 + (unsigned)how % STRIDE;
    for (bool hit = true; hit; n += STRIDE) {
        char what[80];
        struct bed b;
        struct fault f = { 0 };
        (void)snprintf(what, sizeof what, "%s at operation %u", hows[how], n);
        trap = (struct trap){ .at = n, .how = how };
        bed_copy(&start, &b);
        b.ops = &counted;
        if (how >= CRASH) {
            hit = run_in_child(&b);
            trap.at = UINT32_MAX;
            if (bed_open(&b, &f))
                fail_msg("%s: %s", what, f.msg);
            check(&b, what);
            if (scenario(&b, &f))
                fail_msg("%s: again: %s", what, f.msg);
        } else {
            hit = run_here(&b, what);
        }
        check_end(&b, what);
        bed_close(&b);
        store_vfs_install(NULL);
        if (bed_open(&b, &f))
            fail_msg("%s: opened once more: %s", what, f.msg);
        check_end(&b, what);
        assert_false(bed_exists(&b, "part/2026-11-23.db"));
        assert_int_equal(number_in(&b, "part/2026-11.db", "SELECT count(*) FROM chunk"), 3);
        assert_int_equal(number_in(&b, "part/2026-11.content.db", "SELECT count(*) FROM \"column\""), 3);
        bed_done(&b);
    }
    print_message("%s: up to operation %u\n", hows[how], n - 2 * STRIDE);
    bed_remove(&start);
    assert_true(n > 60);
}

static void test_full(void **state) { (void)state; all(FULL); }
static void test_refused(void **state) { (void)state; all(REFUSED); }
static void test_torn(void **state) { (void)state; all(TORN); }
static void test_crash(void **state) { (void)state; all(CRASH); }
static void test_crash_torn(void **state) { (void)state; all(CRASH_TORN); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace),  cmocka_unit_test(test_sweep_after_start), cmocka_unit_test(test_replace_refused),
        cmocka_unit_test(test_rewrite),  cmocka_unit_test(test_rewrite_ends),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_month),    cmocka_unit_test(test_lost_catalogue),    cmocka_unit_test(test_full),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_torn),              cmocka_unit_test(test_crash),
        cmocka_unit_test(test_crash_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
